"""Clients' carrier accounts (`recours_client_accounts`), and the clients that own these accounts.

Each method that only reads uses one query. A database that no run has worked on has no accounts.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    Text,
    and_,
    cast,
    delete,
    func,
    null,
    or_,
    select,
    update,
)

from recours.core.accounts import AccountKey, ClientAccount, ServiceClient, address_key
from recours.core.actions import ActionKind, OperatorAction
from recours.core.text import clean, is_text
from recours.database.border import Border
from recours.database.engine import Database, DatabaseError
from recours.database.journal import note_action
from recours.database.tables import account_state, client_accounts

_a, _s = client_accounts.c, account_state.c
_COLUMNS = (_a.id, _a.client_id, _a.client_address, _a.moved_at, _a.carrier, _a.limits,
            _a.added_at, _a.added_by, _a.changed_at)  # fmt: skip
# The columns that depend on an account's credentials, and their values for new credentials.
_OF_CREDENTIALS: dict[str, Any] = {
    "refusals": 0,
    "refused_until": None,
    "refusal": None,
    "refusal_kind": None,
    "refused_claim": None,
    "documents_refused_at": None,
    "documents_next_at": None,
    "documents_refusal": None,
    "credentials_salt": None,
    "credentials_print": None,
}
_NO_SUCH_TABLE = "42P01"  # PostgreSQL's error code
_log = logging.getLogger("__main__")


class Contact(NamedTuple):
    """A client's display name and email address; "": unknown."""

    name: str = ""  # of the company, else of the person
    email: str = ""


def is_in_use() -> ColumnElement[bool]:
    """Client accounts that were not removed, and whose clients have not moved."""
    return and_(_a.removed_at.is_(None), _a.moved_at.is_(None))


def numbers_in_use(accounts: Sequence[ClientAccount]) -> dict[Any, dict[str, int]]:
    """The ids of accounts whose clients have not moved, by client and carrier. The other accounts are logged."""
    numbers: dict[Any, dict[str, int]] = {}
    for account in accounts:
        if account.is_moved:
            _log.warning("Account %s is not used: %s.", account.key, account.moved_text)
        else:
            numbers.setdefault(account.client_id, {})[account.carrier] = account.id
    return numbers


class ClientAccounts:
    """The accounts of one database. All methods raise DatabaseError."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @property
    def _border(self) -> Border:
        return self.database.border

    def all(self, clients: Collection[Any] = (), of_carriers: Collection[str] = ()) -> list[ClientAccount]:
        """Accounts that were not removed, sorted by client and carrier. Empty arguments select all of them."""
        conditions: list[ColumnElement[bool]] = [_a.removed_at.is_(None)]
        if clients:
            conditions.append(_a.client_id.in_(clients))
        if of_carriers:
            conditions.append(_a.carrier.in_(of_carriers))
        query = self._reading(*_COLUMNS).where(*conditions).order_by(_a.client_id, _a.carrier)
        return [self._account(row) for row in self._rows(query)]

    def directory(self) -> dict[Any, dict[str, int]]:
        """The ids of accounts in use, by client and carrier."""
        return numbers_in_use(self.all())

    def version(self) -> tuple[Any, ...]:
        """A value that changes whenever an account changes."""
        counts = func.count(), func.count(_a.removed_at)
        return tuple(tuple(row.values()) for row in self._rows(select(*counts, func.max(_a.changed_at))))

    def sealed(self, numbers: Collection[int] | None = None) -> dict[int, str]:
        """The encrypted credentials of these accounts, by account id; None: of all accounts."""
        query = select(_a.id, _a.credentials).where(_a.removed_at.is_(None), _a.credentials.is_not(None))
        if numbers is not None:
            query = query.where(_a.id.in_(numbers))
        return {row["id"]: row["credentials"] for row in self._rows(query)}

    def emails(self, client_ids: Collection[Any]) -> dict[Any, str]:
        """The known email addresses of these clients, by client id."""
        contacts = self.contacts(client_ids)
        return {client_id: contact.email for client_id, contact in contacts.items() if contact.email}

    def contacts(self, client_ids: Collection[Any]) -> dict[Any, Contact]:
        """The names and email addresses of these clients, by client id. Unknown clients are omitted."""
        border = self._border
        if not border.has_clients:
            return {}
        columns = [border.client_text(name) for name in ("email", "company_name", "full_name")]
        rows = self.database.all(select(border.client_id, *columns).where(border.client_id.in_(client_ids)))
        return {
            client_id: Contact(clean(company or person or "", 200), clean(email or "", 200))
            for client_id, email, company, person in rows
        }

    def owner(self, number: int) -> ServiceClient | None:
        """The client of an account, even if the account was removed."""
        query = self._reading(*_COLUMNS).where(_a.id == number)
        return next((self._account(row).client for row in self._rows(query)), None)

    def client_of(self, named: Any) -> list[ServiceClient]:
        """The clients with this id or email address. Several clients may share an address.

        A client without an address is also found by its `ServiceClient.display_name`.
        """
        border = self._border
        text = str(named).strip().removeprefix("client ")
        if not is_text(text) or border.naming_clients is None:
            return []
        email = border.client_text("email")
        is_number = text.isascii() and text.isdigit() and border.client_key_is_number
        ids = [text.lstrip("0") or "0"] if is_number else [text]
        if isinstance(named, UUID):
            ids.append(named.hex)  # the text form in databases without a type for UUIDs
        is_it = or_(cast(border.client_id, Text).in_(ids), func.lower(email) == text.lower())
        query = select(border.client_id.label("id"), email.label("email")).select_from(border.naming_clients)
        query = query.where(is_it).distinct().order_by(border.client_id)
        return [ServiceClient(row["id"], clean(row["email"] or "", 200)) for row in self._rows(query)]

    def _reading(self, *columns: ColumnElement[Any]) -> Select[Any]:
        border = self._border
        accounts = border.join_clients(client_accounts, _a.client_id)
        return select(*columns, border.client_text("email").label("email")).select_from(accounts)

    def _rows(self, query: Select[*tuple[Any, ...]]) -> Sequence[RowMapping]:
        """The rows of a query; empty if the table of accounts does not exist yet."""
        try:
            return self.database.mappings(query)
        except DatabaseError as error:
            missing = f"no such table: {client_accounts.name}"
            if error.sqlstate == _NO_SUCH_TABLE or missing in error.message:
                return []
            raise

    def _account(self, row: RowMapping) -> ClientAccount:
        email = clean(row["email"] or "", 200) if self._border.has_client_column("email") else None
        return ClientAccount(**{**row, "email": email})

    def put_all(
        self,
        rows: Sequence[tuple[Any, str, str, Mapping[str, str] | None]],
        by: str,
        now: datetime,
        *,
        replace: bool = False,
    ) -> int | None:
        """Add accounts (client, carrier, encrypted credentials, limits). If one exists, add none and return its index.

        `replace`: give existing accounts the new credentials. Limits of None keep existing limits or use the defaults.
        """
        emails = self.emails({client_id for client_id, *_ in rows})
        with self.database.write() as connection:
            for place, (client_id, carrier, sealed, limits) in enumerate(rows):
                values: dict[str, Any] = {
                    "client_address": address_key(emails.get(client_id, "")),
                    "moved_at": None,
                    "credentials": sealed,
                    "added_at": now,
                    "added_by": by,
                    "changed_at": now,
                    "removed_at": None,
                    "is_applied": False,
                }
                if limits is not None:
                    values["limits"] = dict(limits)
                adding = self.database.dialect.insert(client_accounts)
                adding = adding.values(client_id=client_id, carrier=carrier, **values).on_conflict_do_update(
                    index_elements=["client_id", "carrier"],
                    set_=values,
                    where=None if replace else _a.removed_at.is_not(None),
                )
                number = connection.scalar(adding.returning(_a.id))
                if number is None:
                    connection.rollback()
                    return place
                state_row = _s.carrier == carrier, _s.account_id == number
                connection.execute(update(account_state).where(*state_row).values(_OF_CREDENTIALS))
                added = OperatorAction(ActionKind.ADDED, str(AccountKey(carrier, number)), by)
                note_action(connection, added, now)
        return None

    def confirm(self, account: ClientAccount, by: str, now: datetime) -> bool:
        """Confirm that the account belongs to the client that has its client id now; False: the account was removed."""
        values = {"client_address": address_key(account.email or ""), "moved_at": None, "is_applied": False}
        return self._update(account, values, OperatorAction(ActionKind.CONFIRMED, account.key, by), now)

    def settle_moved(self, now: datetime) -> None:
        """Deactivate accounts whose client was deleted or has a new address; reactivate them if the address returns.

        The claims of these accounts are assessed again.
        """
        concerned = [account for account in self.all() if account.is_moved is (account.moved_at is None)]
        if not concerned:
            return
        with self.database.write() as connection:
            for is_moved in (True, False):
                ids = [account.id for account in concerned if account.is_moved is is_moved]
                values = {"moved_at": now if is_moved else None, "changed_at": now, "is_applied": False}
                connection.execute(update(client_accounts).where(_a.id.in_(ids)).values(values))

    def set_limits(
        self, account: ClientAccount, limits: Mapping[str, str] | None, by: str, now: datetime
    ) -> bool:
        """Set an account's limits (None: the carrier's defaults). Return False if the account was removed."""
        limited = OperatorAction(ActionKind.LIMITED, account.key, by, {"limits": limits and dict(limits)})
        return self._update(account, {"limits": null() if limits is None else dict(limits)}, limited, now)

    def remove(self, account: ClientAccount, by: str, now: datetime) -> bool:
        """Delete an account's credentials and state. Its id is kept, because attempts refer to it."""
        values = {
            "client_address": "",
            "credentials": None,
            "limits": null(),
            "removed_at": now,
            "is_applied": False,
        }
        return self._update(account, values, OperatorAction(ActionKind.REMOVED, account.key, by), now)

    def _update(
        self, account: ClientAccount, values: Mapping[str, Any], action: OperatorAction, now: datetime
    ) -> bool:
        with self.database.write() as connection:
            statement = update(client_accounts).where(_a.id == account.id, _a.removed_at.is_(None))
            is_done = connection.execute(statement.values({**values, "changed_at": now})).rowcount == 1
            if is_done:
                note_action(connection, action, now)
            if action.kind is ActionKind.REMOVED:
                state_row = _s.carrier == account.carrier, _s.account_id == account.id
                connection.execute(delete(account_state).where(*state_row))
        return is_done
