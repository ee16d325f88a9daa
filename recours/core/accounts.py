"""Whose account a carrier is asked with: the default account, which stands in the settings, or a client's own."""

from collections.abc import Mapping
from datetime import datetime
from shlex import quote
from typing import Any, NamedTuple

# The number of the default account at every carrier. Those of clients are numbered from 1, each once for all carriers.
DEFAULT_ACCOUNT = 0
_SEPARATOR = "#"


class AccountKey(NamedTuple):
    """An account at a carrier. As text it is what lanes and limits know it by.

    The text of the default account is the carrier's key alone: so it was before clients had accounts.
    """

    carrier: str  # canonical key
    account: int = DEFAULT_ACCOUNT

    def __str__(self) -> str:
        return f"{self.carrier}{_SEPARATOR}{self.account}" if self.account else self.carrier

    @classmethod
    def parse(cls, text: str) -> "AccountKey":
        """The inverse of `str`. Raises ValueError."""
        carrier, separator, number = text.partition(_SEPARATOR)
        if not separator:
            return cls(carrier)
        if not (number.isascii() and number.isdigit() and int(number)):
            raise ValueError(f"'{text[:60]}' is no key of an account")
        return cls(carrier, int(number))


def carrier_of(key: str) -> str:
    """The carrier of an account's key; of a text that is none, all before the number."""
    return key.partition(_SEPARATOR)[0]


def account_name(carrier: str, client: str) -> str:
    """What an account is called: by the carrier's name, and the address of the client whose it is ("": the default account)."""
    return f"{carrier} ({client})" if client else carrier


class ServiceClient(NamedTuple):
    """A client of the service, as far as its accounts need it."""

    id: Any
    email: str

    @property
    def named(self) -> str:
        """For people."""
        return self.email or f"client {self.id}"


class ClientAccount(NamedTuple):
    """A client's account at a carrier, without its credentials.

    `client_address`: its client's when it was put, see `address_key`. `email`: the client's now; None: nobody knows.
    """

    id: int
    client_id: Any
    carrier: str  # canonical key
    # By capability ("": of all calls together), as in QUOTA_…; None: the carrier's defaults.
    limits: Mapping[str, str] | None
    added_at: datetime
    added_by: str
    changed_at: datetime
    client_address: str = ""
    moved_at: datetime | None = None  # since when runs leave it alone for that
    email: str | None = None

    @property
    def client(self) -> ServiceClient:
        return ServiceClient(self.client_id, self.email or "")

    @property
    def is_moved(self) -> bool:
        """Return whether the client of its number has another address than when it was put, or is gone.

        It may be another client: a service may give the number of one that it deleted again.
        """
        return self.email is not None and address_key(self.email) != self.client_address

    @property
    def moved_text(self) -> str:
        """For people, to be said of a moved account: why it is not used, and what to do."""
        client = quote(str(self.client_id))
        old = self.client_address or "no address"
        new = f"has {self.email}" if self.email else "has none, or is gone"
        return (
            f"client {self.client_id} had {old} when the account was entered, and {new} now. If it is the same client: "
            f"recours accounts confirm {client}; if not: recours accounts remove {client} {self.carrier}"
        )

    @property
    def key(self) -> str:
        return str(AccountKey(self.carrier, self.id))

    @property
    def owner(self) -> str:
        """Whose the sealed credentials are: in another client's row, or at another carrier, they are not opened."""
        return owner_of(self.client_id, self.carrier)


def address_key(email: str) -> str:
    """An address as an account remembers it."""
    return email.strip().lower()


def owner_of(client_id: Any, carrier: str) -> str:
    """See `ClientAccount.owner`."""
    return f"{client_id}/{carrier}"
