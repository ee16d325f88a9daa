"""The accounts that a process works with: the house's, and those of clients, each opened when it is first asked for."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from recours.carriers.reservation import Account
from recours.core.accounts import AccountKey, ClientAccount, carrier_of
from recours.core.carrier import CarrierSpec
from recours.core.errors import RunError
from recours.core.quota import Limit
from recours.database.client_accounts import ClientAccounts
from recours.settings.model import Credentials, Settings, credentials_of
from recours.settings.sources import Value

# ---------------------------------------------------------------- credentials as they stand in the database
# A key is Fernet's (AES-128 in CBC mode with an HMAC), so what is sealed cannot be changed unnoticed either. The package
# `cryptography` is an extra: it is loaded when something is sealed or opened, and not for accounts of the house.


SETTING = "RECOURS_ACCOUNTS_KEY"
PACKAGE = "cryptography"
INSTALL = "pip install 'cryptography>=44'"


class SealError(RunError):
    """Something cannot be sealed or opened. The text is a sentence, and holds nothing of what is sealed."""


class Seals:
    """Seals with the first key, opens with any."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys`: at least one."""
        self._keys = keys

    def seal(self, values: Mapping[str, str], owner: str = "") -> str:
        """These values as a text for the database, which is opened for the same owner only. Raises SealError."""
        content = json.dumps({"owner": owner, "values": dict(values)})
        return str(self._fernet.encrypt(content.encode()).decode())

    def open(self, text: str, owner: str = "") -> dict[str, str]:
        """What `seal` was given. Raises SealError."""
        try:
            content: dict[str, Any] = json.loads(self._fernet.decrypt(text.encode()))
        except _package().InvalidToken:
            count = len(self._keys)
            keys = (
                f"The key of {SETTING} does not open"
                if count == 1
                else f"None of the {count} keys of {SETTING} opens"
            )
            raise SealError(
                f"{keys} it: add the key that it was sealed with, or enter the credentials again"
            ) from None
        if content["owner"] != owner:
            raise SealError(
                "What is sealed belongs to another account: its row was copied or edited; enter it again"
            )
        values: dict[str, str] = content["values"]
        return values

    @cached_property
    def _fernet(self) -> Any:
        fernet = _package()
        return fernet.MultiFernet([fernet.Fernet(key) for key in self._keys])


def is_installed() -> bool:
    """Tell whether this Python has the extra `accounts`."""
    return find_spec(PACKAGE) is not None


def seals_of(settings: Settings) -> Seals | None:
    """What seals with the keys of the settings; None if there is none."""
    return Seals(settings.accounts_keys) if settings.accounts_keys else None


def _package() -> Any:
    """Raises SealError without the extra."""
    if not is_installed():
        raise SealError(f"Clients' credentials need the package {PACKAGE}, which is not installed: {INSTALL}")
    return import_module("cryptography.fernet")


# ---------------------------------------------------------------- accounts, opened


_SEALED = "the database"  # where credentials come from, for people
# Makes an account of its key, its limits, its credentials, and whose it is.
Make = Callable[[str, tuple[Limit, ...], Credentials, str], Account]


class Accounts(Mapping[str, Account]):
    """By their keys. Going through them gives the house's: of thousands of clients' accounts a run needs a few.

    Used by any number of threads.
    """

    def __init__(
        self,
        of_house: Mapping[str, Account],
        settings: Settings,
        stored: ClientAccounts | None,
        make: Make,
    ) -> None:
        """`stored`: those of clients; None: they are not known."""
        self._of_house = of_house
        self._settings = settings
        self._stored = stored
        self._make = make
        self._lock = threading.RLock()
        self._version: Any = None
        self._of_clients: Mapping[Any, Mapping[str, int]] | None = None
        self._rows: Mapping[int, ClientAccount] | None = None
        self._opened: dict[str, tuple[ClientAccount | None, Account]] = {}

    def __getitem__(self, key: str) -> Account:
        """Raises KeyError, DatabaseError."""
        if account := self._of_house.get(key):
            return account
        if key not in self:
            raise KeyError(key)
        with self._lock:
            self.open_all([key])
            return self._opened[key][1]

    def __contains__(self, key: object) -> bool:
        """Tell whether it is a key of an account, open or not."""
        try:
            return isinstance(key, str) and AccountKey.parse(key).carrier in self._of_house
        except ValueError:
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(self._of_house)

    def __len__(self) -> int:
        return len(self._of_house)

    # ---------------------------------------------------------------- those of clients

    def open_all(self, keys: Iterable[str]) -> None:
        """Open these of clients' accounts that are not open yet, in as many queries as one takes. Raises DatabaseError."""
        with self._lock:
            rows = {key: self._row(key) for key in keys if key not in self._opened}
            found = [row for row in rows.values() if row]
            sealed = self._stored.sealed([row.id for row in found]) if self._stored and found else {}
            for key, row in rows.items():
                self._opened[key] = row, self._open(key, row, sealed)

    @property
    def of_clients(self) -> Mapping[Any, Mapping[str, int]]:
        """The numbers of clients' accounts, by client and carrier; read once, and again after `refresh`. Raises DatabaseError."""
        with self._lock:
            if self._of_clients is None:
                self._of_clients = self._stored.directory() if self._stored else {}
            return self._of_clients

    def settle_moved(self, now: datetime) -> None:
        """Take those out of use, for all processes, whose clients have moved. Raises DatabaseError."""
        if self._stored:
            self._stored.settle_moved(now)

    def refresh(self) -> bool:
        """Tell whether accounts have changed in the database; these are opened again when they are next asked for.

        For processes that live long. Raises DatabaseError.
        """
        version = self._stored.version() if self._stored else None
        with self._lock:
            if version == self._version:
                return False
            self._version, self._of_clients, self._rows = version, None, None
            # The others keep their connections and tokens.
            self._opened = {
                key: (row, account)
                for key, (row, account) in self._opened.items()
                if row is not None and self._row(key) == row
            }
            return True

    def _row(self, key: str) -> ClientAccount | None:
        """None: it was removed meanwhile."""
        if self._rows is None:
            self._rows = {row.id: row for row in self._stored.all()} if self._stored else {}
        row = self._rows.get(AccountKey.parse(key).account)
        return row if row and row.key == key else None

    def _open(self, key: str, row: ClientAccount | None, sealed: Mapping[int, str]) -> Account:
        """An account that cannot be opened is closed, and says why: all others go on."""
        spec = self._of_house[carrier_of(key)].spec
        if row is None:
            closed = Credentials({}, {}, "the account was removed")
            owner = self._stored.owner(AccountKey.parse(key).account) if self._stored else None
            return self._make(key, (), closed, owner.named if owner else key)
        limits: tuple[Limit, ...] = ()
        try:
            limits = spec.limits_of_client(key, row.limits)
            credentials = self._credentials(row, spec, sealed.get(row.id, ""))
        except ValueError as why:
            credentials = Credentials({}, {}, f"its limits cannot be used: {why}")
        except SealError as why:
            credentials = Credentials({}, {}, str(why))
        return self._make(key, limits, credentials, row.client.named)

    def _credentials(self, row: ClientAccount, spec: CarrierSpec, sealed: str) -> Credentials:
        """Raises SealError."""
        if row.is_moved:
            raise SealError(row.moved_text)
        seals = seals_of(self._settings)
        if seals is None:
            raise SealError(f"its credentials are sealed, and no {SETTING} is set, or it holds no key")
        values = seals.open(sealed, row.owner)
        options = {option.name: values.pop(option.name, option.default) for option in spec.options}
        found = {name: Value(text, _SEALED) for name, text in values.items()}
        return credentials_of(spec, found, options)
