"""The carriers with their accounts, and the queue before them."""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from recours.carriers.client import Client
from recours.carriers.queue import APIRequestQueue
from recours.carriers.registry import CATALOG, CLIENTS
from recours.carriers.reservation import Account
from recours.core.accounts import carrier_of
from recours.core.carrier import CarrierSpec, Catalog
from recours.core.localized import Localized
from recours.core.quota import Limit
from recours.core.text import Redactor
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.host.logs import LogFile
from recours.runs.ports import Clock, Reservation
from recours.settings.model import Credentials, Settings
from recours.wiring.accounts import Accounts

if TYPE_CHECKING:
    from recours.carriers.http import HttpSession, Sender


def catalog_of(settings: Settings, of_clients: Mapping[Any, Mapping[str, int]] | None = None) -> Catalog:
    """The carriers there are, and whose account serves whose claims with these credentials.

    `of_clients`: see `directory_of`; None: no account of a client is known.
    """
    return CATALOG.with_accounts(settings.configured, of_clients)


def directory_of(database: Database) -> Mapping[Any, Mapping[str, int]]:
    """The numbers of clients' accounts, by client and carrier. Raises DatabaseError."""
    return ClientAccounts(database).directory()


def log_file(settings: Settings, name: str) -> LogFile:
    """Of this name, as the settings have it."""
    return LogFile(
        settings.log_dir / f"{name}.log",
        settings.log_max_bytes,
        redact=redactor(settings),
        access=settings.access,
    )


def redactor(settings: Settings) -> Redactor:
    """Knows every secret of the settings, and what an Authorization header makes of two of them."""
    pairs = [pair for credentials in settings.credentials.values() for pair in _pairs(credentials)]
    return _redactor_of(frozenset([*settings.secrets, *pairs]))


def _pairs(credentials: Credentials) -> list[str]:
    texts = list(credentials.values.values())
    return [f"{one}:{other}" for one in texts for other in texts if one != other]


# A run asks for it several times, a long-lived worker for each slice of work.
_redactor_of = lru_cache(maxsize=4)(Redactor)


def make_queue(
    settings: Settings,
    database: Database,
    clock: Clock,
    jitter: Callable[[], float],
    kept: Mapping[str, Account] | None = None,
    concurrency: int | None = None,
) -> APIRequestQueue:
    """The queue, for one run. `kept`: the `accounts` of a process that does many, with their tokens and connections."""
    return APIRequestQueue(
        accounts(settings, clock, jitter, database=database) if kept is None else kept,
        QuotaTables(database),
        clock,
        redact=redactor(settings),
        minute=Localized("en", settings.policy.zone).minute,
        concurrency=concurrency,
        carrier_concurrency=settings.carrier_concurrency,
    )


def accounts(
    settings: Settings,
    clock: Clock,
    jitter: Callable[[], float],
    watched: "Callable[[Sender], Sender]" = lambda sender: sender,
    database: Database | None = None,
) -> Accounts:
    """What is needed to speak to each carrier. `watched` may put something between us and the network.

    `database`: where clients' accounts are; None: only the house's are known.
    """
    redact = redactor(settings)

    def opener(spec: CarrierSpec, client: Client | None) -> "Callable[[Reservation], HttpSession]":
        """What opens sessions. The HTTP library is loaded when the first one is opened: many runs call nobody."""

        @cache
        def http() -> "Sender":
            from recours.carriers.http import Http  # noqa: PLC0415 (see above)

            url, of = settings.base_urls[spec.key], settings.http
            replaced = url != spec.base_url
            return watched(Http(url, of.connect_s, of.read_s, of.deadline_s, replaced=replaced))

        def open_session(reservation: Reservation) -> "HttpSession":
            from recours.carriers.http import HttpSession  # noqa: PLC0415 (see above)

            if client is None:
                raise RuntimeError(f"{spec.key} was asked without credentials")
            return HttpSession(spec.name, reservation, http(), clock, jitter, client.wait_asked)

        return open_session

    def make(key: str, limits: tuple[Limit, ...], credentials: Credentials, client_address: str) -> Account:
        spec = CATALOG.specs[carrier_of(key)]
        if client_address:
            redact.add([*credentials.values.values(), *_pairs(credentials)])
        given = {**credentials.values, **credentials.options}
        client = CLIENTS[spec.key](given) if not credentials.missing else None
        return Account(
            spec=spec,
            limits=limits,
            client=client,
            open_session=opener(spec, client),
            credentials=tuple(credentials.values.values()),
            source=credentials.source,
            missing=credentials.missing,
            client_address=client_address,
        )

    of_house = {key: make(key, settings.limits[key], settings.credentials[key], "") for key in CATALOG.specs}
    return Accounts(of_house, settings, ClientAccounts(database) if database else None, make)
