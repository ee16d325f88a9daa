"""The accounts that a process uses, each opened on first use, and the queue that calls carriers with them."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from recours.accounts.sealing import SETTING, SealError, make_seals
from recours.carriers.client import Client
from recours.carriers.queue import APIRequestQueue
from recours.carriers.registry import CATALOG, CLIENTS
from recours.carriers.reservation import Account
from recours.core.accounts import AccountKey, ClientAccount, carrier_of
from recours.core.carrier import CarrierSpec, Catalog
from recours.core.localized import Localized
from recours.core.quota import Limit
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.runs.ports import Clock, Reservation
from recours.settings.model import Credentials, Settings, credentials_of, redactor
from recours.settings.sources import Value

if TYPE_CHECKING:
    from recours.carriers.http import HttpSession, Sender

_SEALED = "the database"  # the source of credentials, for display
# A function that makes an account from its key, limits, credentials and owner.
Make = Callable[[str, tuple[Limit, ...], Credentials, str], Account]


class OpenedAccounts(Mapping[str, Account]):
    """Accounts by key. Thread-safe. Iteration yields only default accounts, because a run needs few other accounts."""

    def __init__(
        self,
        own_accounts: Mapping[str, Account],
        settings: Settings,
        store: ClientAccounts | None,
        make: Make,
    ) -> None:
        """`store`: the table of clients' accounts; None: default accounts only."""
        self._own_accounts = own_accounts
        self._settings = settings
        self._stored = store
        self._make = make
        self._lock = threading.RLock()
        self._version: Any = None
        self._client_accounts: Mapping[Any, Mapping[str, int]] | None = None
        self._rows: Mapping[int, ClientAccount] | None = None
        self._opened: dict[str, tuple[ClientAccount | None, Account]] = {}

    def __getitem__(self, key: str) -> Account:
        """Return the account, and open it if necessary. Raises KeyError, DatabaseError."""
        if account := self._own_accounts.get(key):
            return account
        if key not in self:
            raise KeyError(key)
        with self._lock:
            self.open_all([key])
            return self._opened[key][1]

    def __contains__(self, key: object) -> bool:
        """Return whether the key names a supported carrier. The account may not be open yet."""
        try:
            return isinstance(key, str) and AccountKey.parse(key).carrier in self._own_accounts
        except ValueError:
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._own_accounts)

    def __len__(self) -> int:
        return len(self._own_accounts)

    def open_all(self, keys: Iterable[str]) -> None:
        """Open all of these accounts that are not open yet, with a few queries in total. Raises DatabaseError."""
        with self._lock:
            rows = {key: self._row(key) for key in keys if key not in self._opened}
            present = [row for row in rows.values() if row]
            sealed = self._stored.sealed([row.id for row in present]) if self._stored and present else {}
            for key, row in rows.items():
                self._opened[key] = row, self._open(key, row, sealed)

    @property
    def client_accounts(self) -> Mapping[Any, Mapping[str, int]]:
        """The account numbers by client and carrier, cached until `refresh`. Raises DatabaseError."""
        with self._lock:
            if self._client_accounts is None:
                self._client_accounts = self._stored.directory() if self._stored else {}
            return self._client_accounts

    def settle_moved(self, now: datetime) -> None:
        """Deactivate accounts whose clients' addresses changed, for all processes. Raises DatabaseError."""
        if self._stored:
            self._stored.settle_moved(now)

    def refresh(self) -> bool:
        """Return whether accounts changed. Changed accounts are reopened on their next use. Raises DatabaseError."""
        version = self._stored.version() if self._stored else None
        with self._lock:
            if version == self._version:
                return False
            self._version = version
            self._client_accounts = None
            self._rows = None
            # Unchanged accounts keep their connections and tokens.
            self._opened = {
                key: (row, account)
                for key, (row, account) in self._opened.items()
                if row is not None and self._row(key) == row
            }
            return True

    def _row(self, key: str) -> ClientAccount | None:
        """The account's row, or None if the account was removed in the meantime."""
        if self._rows is None:
            self._rows = {row.id: row for row in self._stored.all()} if self._stored else {}
        row = self._rows.get(AccountKey.parse(key).account)
        return row if row and row.key == key else None

    def _open(self, key: str, row: ClientAccount | None, sealed: Mapping[int, str]) -> Account:
        """Open an account. If this fails, return a closed account with the reason. Other accounts are not affected."""
        spec = self._own_accounts[carrier_of(key)].spec
        if row is None:
            closed = Credentials({}, {}, "the account was removed")
            owner = self._stored.owner(AccountKey.parse(key).account) if self._stored else None
            return self._make(key, (), closed, owner.display_name if owner else key)
        limits: tuple[Limit, ...] = ()
        try:
            limits = spec.limits_of_client(key, row.limits)
            credentials = self._credentials(row, spec, sealed.get(row.id, ""))
        except ValueError as why:
            credentials = Credentials({}, {}, f"its limits are invalid: {why}")
        except SealError as why:
            credentials = Credentials({}, {}, str(why))
        return self._make(key, limits, credentials, row.client.display_name)

    def _credentials(self, row: ClientAccount, spec: CarrierSpec, sealed: str) -> Credentials:
        """Decrypt the credentials. Raises SealError."""
        if row.is_moved:
            raise SealError(row.moved_text)
        seals = make_seals(self._settings)
        if seals is None:
            raise SealError(f"its credentials are encrypted, and {SETTING} is not set or has no valid key")
        values = seals.open(sealed, row.owner)
        options = {option.name: values.pop(option.name, option.default) for option in spec.options}
        texts = {name: Value(text, _SEALED) for name, text in values.items()}
        return credentials_of(spec, texts, options)


def make_catalog(
    settings: Settings, client_accounts: Mapping[Any, Mapping[str, int]] | None = None
) -> Catalog:
    """Return the catalog with the configured accounts. `client_accounts`: see `Catalog`."""
    return CATALOG.with_accounts(settings.configured, client_accounts)


def make_queue(
    settings: Settings,
    database: Database,
    clock: Clock,
    jitter: Callable[[], float],
    opened_accounts: Mapping[str, Account] | None = None,
    concurrency: int | None = None,
) -> APIRequestQueue:
    """The queue for one run. `opened_accounts`: accounts that several runs share, with their tokens and connections."""
    return APIRequestQueue(
        open_accounts(settings, clock, jitter, database=database)
        if opened_accounts is None
        else opened_accounts,
        QuotaTables(database),
        clock,
        redact=redactor(settings),
        minute=Localized("en", settings.policy.zone).minute,
        concurrency=concurrency,
        carrier_concurrency=settings.carrier_concurrency,
    )


def open_accounts(
    settings: Settings,
    clock: Clock,
    jitter: Callable[[], float],
    watched: "Callable[[Sender], Sender]" = lambda sender: sender,
    database: Database | None = None,
) -> OpenedAccounts:
    """The default accounts, and the clients' accounts in `database`, if given. `watched` may wrap the HTTP sender."""
    redact = redactor(settings)

    def opener(spec: CarrierSpec) -> "Callable[[Reservation, Client], HttpSession]":
        """A function that opens sessions. Only the first session loads HTTP, because many runs make no calls."""

        @cache
        def http() -> "Sender":
            from recours.carriers.http import Http  # noqa: PLC0415 (see above)

            url = settings.base_urls[spec.key]
            limits = settings.http
            replaced = url != spec.base_url
            return watched(Http(url, limits.connect_s, limits.read_s, limits.deadline_s, replaced=replaced))

        def open_session(reservation: Reservation, client: Client) -> "HttpSession":
            from recours.carriers.http import HttpSession  # noqa: PLC0415 (see above)

            return HttpSession(spec.name, reservation, http(), clock, jitter, client.wait_asked)

        return open_session

    def make(key: str, limits: tuple[Limit, ...], credentials: Credentials, client_address: str) -> Account:
        spec = CATALOG.specs[carrier_of(key)]
        if client_address:
            redact.add([*credentials.values.values(), *credentials.pairs()])
        values = {**credentials.values, **credentials.options}
        return Account(
            spec=spec,
            limits=limits,
            make_client=partial(CLIENTS[spec.key], values),
            open_session=opener(spec),
            credentials=tuple(credentials.values.values()),
            source=credentials.source,
            missing=credentials.missing,
            client_address=client_address,
        )

    own_accounts = {
        key: make(key, settings.limits[key], settings.credentials[key], "") for key in CATALOG.specs
    }
    return OpenedAccounts(own_accounts, settings, ClientAccounts(database) if database else None, make)
