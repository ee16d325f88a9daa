"""The carriers with their accounts, and the queue before them."""

from collections.abc import Callable, Mapping
from functools import cache
from random import random
from typing import TYPE_CHECKING

from recours.carriers.message import CarrierClient
from recours.carriers.queue import APIRequestQueue
from recours.carriers.registry import CATALOG, CLIENTS
from recours.carriers.reservation import Account, CarrierConnection
from recours.core.carrier import CarrierSpec, Catalog
from recours.core.pauses import Refusal
from recours.core.policy import Policy
from recours.core.text import Redactor
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.logs import LogFile, local
from recours.runs.ports import Clock, Reservation
from recours.settings.model import HttpLimits, Settings

if TYPE_CHECKING:
    from recours.carriers.http import Http


def catalog_of(settings: Settings) -> Catalog:
    """The carriers there are, and whose account serves whose claims with these credentials."""
    return CATALOG.with_accounts(settings.configured)


def log_file(settings: Settings, name: str) -> LogFile:
    """Of this name, as the settings have it."""
    return LogFile(
        settings.log_dir / f"{name}.log",
        settings.log_max_bytes,
        settings.log_files,
        redactor(settings),
        access=settings.access,
    )


def redactor(settings: Settings) -> Redactor:
    """Knows every secret of the settings, and what an Authorization header makes of two of them."""
    pairs = []
    for credentials in settings.credentials.values():
        texts = list(credentials.values.values())
        pairs += [f"{one}:{other}" for one in texts for other in texts if one != other]
    return Redactor([*settings.secrets, *pairs])


def make_queue(
    settings: Settings,
    database: Database,
    policy: Policy,
    clock: Clock,
    jitter: Callable[[], float],
    holder: str,
    kept: Mapping[str, Account] | None = None,
) -> APIRequestQueue:
    """The queue, for one run. `kept`: the `accounts` of a process that does many, with their tokens and connections."""
    return APIRequestQueue(
        accounts(settings, clock, jitter) if kept is None else kept,
        QuotaTables(database, holder),
        clock,
        slack=policy.backoff.slack,
        redact=redactor(settings),
        local=local,
    )


def closed_carriers(
    settings: Settings, database: Database, clock: Clock, *, has_records: bool
) -> dict[str, Refusal]:
    """The carriers that could take no call now, and why; found out without taking a try that is due.

    `has_records`: the database has recours's tables; else the settings alone say it.
    """
    queue = make_queue(settings, database, settings.policy, clock, random, "preview")
    refusal = queue.would_refuse if has_records else queue.unconfigured
    closed = {key: refusal(key) for key in CATALOG.specs}
    return {key: refusal for key, refusal in closed.items() if refusal}


def accounts(settings: Settings, clock: Clock, jitter: Callable[[], float]) -> Mapping[str, Account]:
    """What is needed to speak to each carrier."""
    found = {}
    for key, spec in CATALOG.specs.items():
        credentials = settings.credentials[key]
        given = {**credentials.values, **credentials.options}
        client = CLIENTS[key](given) if not credentials.missing else None
        found[key] = Account(
            spec=spec,
            limits=settings.limits[key],
            client=client,
            open_session=_opener(spec, client, settings.base_urls[key], settings.http, clock, jitter),
            credentials=tuple(credentials.values.values()),
            source=credentials.source,
            missing=credentials.missing,
        )
    return found


def _opener(
    spec: CarrierSpec,
    client: CarrierClient | None,
    base_url: str,
    limits: HttpLimits,
    clock: Clock,
    jitter: Callable[[], float],
) -> Callable[[Reservation], CarrierConnection]:
    """What opens sessions at one carrier. The HTTP library is loaded when the first one is opened: many runs call nobody."""

    @cache
    def http() -> "Http":
        from recours.carriers.http import Http  # noqa: PLC0415 (see above)

        replaced = base_url != spec.base_url
        return Http(base_url, limits.connect_s, limits.read_s, limits.deadline_s, replaced=replaced)

    def open_session(reservation: Reservation) -> CarrierConnection:
        from recours.carriers.http import HttpSession  # noqa: PLC0415 (see above)

        if client is None:
            raise RuntimeError(f"{spec.key} was asked without credentials")
        return HttpSession(spec.name, reservation, http(), clock, jitter, client.wait_asked)

    return open_session
