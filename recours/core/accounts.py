"""Accounts at carriers: the default account from the settings, or a client's own account."""

from collections.abc import Mapping
from datetime import datetime
from shlex import quote
from typing import Any, NamedTuple

# The number of the default account at every carrier. Clients' accounts are numbered from 1 across all carriers.
DEFAULT_ACCOUNT = 0
_SEPARATOR = "#"


class AccountKey(NamedTuple):
    """An account at a carrier. `str()` returns the key of its lane and limits."""

    carrier: str  # canonical key
    account: int = DEFAULT_ACCOUNT

    def __str__(self) -> str:
        """Return a key such as `ups#17`, or `ups` for the default account."""
        return f"{self.carrier}{_SEPARATOR}{self.account}" if self.account else self.carrier

    @classmethod
    def parse(cls, text: str) -> "AccountKey":
        """Parse the text form. Raises ValueError."""
        carrier, separator, number = text.partition(_SEPARATOR)
        if not separator:
            return cls(carrier)
        if not (number.isascii() and number.isdigit() and int(number)):
            raise ValueError(f"'{text[:60]}' is not an account key")
        return cls(carrier, int(number))


def carrier_of(key: str) -> str:
    """Return the part of the key before `#`: the carrier, if `key` is an account's key."""
    return key.partition(_SEPARATOR)[0]


def account_name(carrier: str, client: str) -> str:
    """Return an account's display name: `UPS (shop@example.com)` for a client's account, `UPS` for the default one."""
    return f"{carrier} ({client})" if client else carrier


class ServiceClient(NamedTuple):
    """A client of the claims service, with the data that its accounts need."""

    id: Any
    email: str

    @property
    def display_name(self) -> str:
        return self.email or f"client {self.id}"


class ClientAccount(NamedTuple):
    """A client's account at a carrier, without its credentials.

    `client_address`: the client's address when the account was added, see `address_key`. `email`: the current address;
    None: unknown.
    """

    id: int
    client_id: Any
    carrier: str  # canonical key
    # The limits by capability ("": all calls), written as in the QUOTA_ settings. None: the carrier's defaults.
    limits: Mapping[str, str] | None
    added_at: datetime
    added_by: str
    changed_at: datetime
    client_address: str = ""
    moved_at: datetime | None = None  # when runs began to ignore the account because the address changed
    email: str | None = None

    @property
    def client(self) -> ServiceClient:
        return ServiceClient(self.client_id, self.email or "")

    @property
    def is_moved(self) -> bool:
        """Return whether the client was deleted, or its address changed, after the account was added.

        A new address may mean a different client, because a service may reuse the id of a deleted client.
        """
        return self.email is not None and address_key(self.email) != self.client_address

    @property
    def moved_text(self) -> str:
        """A sentence that says why runs ignore a moved account, and what to do."""
        client = quote(str(self.client_id))
        old = self.client_address or "no address"
        new = f"now has {self.email}" if self.email else "now has none or no longer exists"
        return (
            f"client {self.client_id} had {old} when the account was added and {new}. If it is the same client: "
            f"recours accounts confirm {client}; if not: recours accounts remove {client} {self.carrier}"
        )

    @property
    def key(self) -> str:
        return str(AccountKey(self.carrier, self.id))

    @property
    def owner(self) -> str:
        """The owner that the account's credentials are sealed for. Other accounts cannot open them."""
        return owner_of(self.client_id, self.carrier)


def address_key(email: str) -> str:
    """Return a client's address as its accounts store it."""
    return email.strip().lower()


def owner_of(client_id: Any, carrier: str) -> str:
    """Return the owner of sealed credentials, see `ClientAccount.owner`."""
    return f"{client_id}/{carrier}"
