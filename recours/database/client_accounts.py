"""Clients' accounts at carriers (`recours_client_accounts`), and the clients that have them.

Each reading is one query. A database that no run has worked on yet has no accounts.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Table,
    Text,
    cast,
    delete,
    func,
    null,
    select,
    type_coerce,
    update,
)

from recours.core.accounts import HOUSE, AccountKey, ClientAccount, ServiceClient
from recours.core.actions import ActionKind, OperatorAction
from recours.core.text import clean, is_text
from recours.database.actions import note_action
from recours.database.engine import Database, DatabaseError
from recours.database.event_outbox import insert_into
from recours.database.claim_reader import facts_in
from recours.database.tables import account_state, client_accounts
from recours.database.tables import clients as service_clients

_a, _c, _s = client_accounts.c, service_clients.c, account_state.c
_COLUMNS = (_a.id, _a.client_id, _a.carrier, type_coerce(_a.limits, Text).label("limits"), _a.added_at, _a.added_by,
            _a.changed_at)  # fmt: skip
_CLIENT = select(_c.id, type_coerce(_c.email, Text).label("email"))
# What is known of the credentials that an account had before.
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
_NO_SUCH_TABLE = "42P01"  # PostgreSQL's code for it
_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)  # when a row was written whose time cannot be read
_log = logging.getLogger("__main__")


def in_use() -> ColumnElement[bool]:
    """Accounts of clients that work is done with."""
    return _a.removed_at.is_(None)


class ClientAccounts:
    """The accounts of one database. All methods raise DatabaseError."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # ---------------------------------------------------------------- reading

    def all(self, clients: Collection[Any] = (), of_carriers: Collection[str] = ()) -> list[ClientAccount]:
        """Those that were not removed, by client and carrier; of these clients and carriers, if any are named."""
        wanted: list[ColumnElement[bool]] = [_a.removed_at.is_(None)]
        if clients:
            wanted.append(_a.client_id.in_(clients))
        if of_carriers:
            wanted.append(_a.carrier.in_(of_carriers))
        query = select(*_COLUMNS).where(*wanted).order_by(_a.client_id, _a.carrier)
        return [_account(row) for row in self._rows(query, client_accounts) if _is_sound(row)]

    def directory(self) -> dict[Any, dict[str, int]]:
        """The numbers of the accounts that were not removed, by client and carrier."""
        query = select(_a.client_id, _a.carrier, _a.id).where(in_use())
        found: dict[Any, dict[str, int]] = {}
        for row in self._rows(query, client_accounts):
            if _is_sound(row):
                found.setdefault(row["client_id"], {})[row["carrier"]] = row["id"]
            else:
                _log.warning(
                    "Account %s in recours_client_accounts is not used: its id and client_id must be whole numbers, "
                    "its id above 0, and its carrier a text. Delete the row, or correct it.",
                    clean(row["id"], 40),
                )
        return found

    def version(self) -> tuple[Any, ...]:
        """What differs once any account was changed."""
        counts = func.count(), func.count(_a.removed_at)
        return tuple(
            tuple(row.values())
            for row in self._rows(select(*counts, func.max(_a.changed_at)), client_accounts)
        )

    def sealed(self, numbers: Collection[int] | None = None) -> dict[int, str]:
        """The sealed credentials of these accounts, or of all, by their numbers."""
        query = select(_a.id, _a.credentials).where(_a.removed_at.is_(None), _a.credentials.is_not(None))
        if numbers is not None:
            query = query.where(_a.id.in_(numbers))
        return {
            # What is no text is nothing that a key opens.
            row["id"]: row["credentials"] if isinstance(row["credentials"], str) else ""
            for row in self._rows(query, client_accounts)
        }

    def emails(self, client_ids: Collection[Any]) -> dict[Any, str]:
        """The addresses of these clients, by their ids; one whose address is not known is not in it."""
        query = _CLIENT.where(_c.id.in_(client_ids))
        return {
            row["id"]: clean(row["email"], 200) for row in self._rows(query, service_clients) if row["email"]
        }

    def owner(self, number: int) -> ServiceClient | None:
        """The client of an account, also of one that was removed."""
        for row in self._rows(select(_a.client_id).where(_a.id == number), client_accounts):
            client_id = row["client_id"]
            return ServiceClient(client_id, self.emails([client_id]).get(client_id, ""))
        return None

    def client_of(self, named: str | int) -> list[ServiceClient]:
        """The clients with this number or address: usually one; several if the service has an address twice.

        Also by the name that one without an address has for people: see `ServiceClient.named`.
        """
        text = str(named).strip().removeprefix("client ")
        if not is_text(text):
            return []
        if text.isascii() and text.isdigit():  # as a text: a service may have other ids than numbers
            is_it = cast(_c.id, Text) == (text.lstrip("0") or "0")
        else:
            is_it = func.lower(_c.email) == text.lower()
        found = self._rows(_CLIENT.where(is_it).order_by(_c.id), service_clients)
        return [ServiceClient(row["id"], clean(row["email"] or "", 200)) for row in found]

    def _rows(self, query: Select[*tuple[Any, ...]], table: Table) -> Sequence[RowMapping]:
        """What a query of this table finds; nothing where there is no such table."""
        try:
            with self.database.read() as connection:
                return connection.execute(query).mappings().all()
        except DatabaseError as error:
            if error.sqlstate == _NO_SUCH_TABLE or f"no such table: {table.name}" in error.message:
                return []
            raise

    # ---------------------------------------------------------------- writing

    def put(
        self,
        client_id: Any,
        carrier: str,
        sealed: str,
        by: str,
        now: datetime,
        *,
        limits: Mapping[str, str] | None = None,
        replace: bool = False,
    ) -> int | None:
        """Add an account, or give it other credentials (`replace`): its number; None if there is one and it stays as it is.

        `limits`: None: the carrier's, or those that it has already.
        """
        with self.database.write() as connection:
            return self._put(connection, client_id, carrier, sealed, by, now, limits, replace=replace)

    def put_all(
        self,
        rows: Sequence[tuple[Any, str, str, Mapping[str, str] | None]],
        by: str,
        now: datetime,
        *,
        replace: bool = False,
    ) -> int | None:
        """Put accounts (client, carrier, sealed, limits): all, or none, and the place of the first that stays as it is."""
        with self.database.write() as connection:
            for place, (client_id, carrier, sealed, limits) in enumerate(rows):
                if (
                    self._put(connection, client_id, carrier, sealed, by, now, limits, replace=replace)
                    is None
                ):
                    connection.rollback()
                    return place
        return None

    @staticmethod
    def _put(
        connection: Connection,
        client_id: Any,
        carrier: str,
        sealed: str,
        by: str,
        now: datetime,
        limits: Mapping[str, str] | None,
        *,
        replace: bool,
    ) -> int | None:
        values: dict[str, Any] = {
            "credentials": sealed,
            "added_at": now,
            "added_by": by,
            "changed_at": now,
            "removed_at": None,
            "is_applied": False,
        }
        if limits is not None:
            values["limits"] = dict(limits)
        adding = insert_into(client_accounts, connection.dialect.name)
        adding = adding.values(client_id=client_id, carrier=carrier, **values).on_conflict_do_update(
            index_elements=["client_id", "carrier"],
            set_=values,
            where=None if replace else _a.removed_at.is_not(None),
        )
        number: int | None = connection.scalar(adding.returning(_a.id))
        if number is not None:
            of_it = _s.carrier == carrier, _s.account_id == number
            connection.execute(update(account_state).where(*of_it).values(_OF_CREDENTIALS))
            note_action(
                connection, OperatorAction(ActionKind.ADDED, str(AccountKey(carrier, number)), by), now
            )
        return number

    def set_limits(
        self, account: ClientAccount, limits: Mapping[str, str] | None, by: str, now: datetime
    ) -> bool:
        """`limits`: None: the carrier's defaults. False: it was removed."""
        limited = OperatorAction(ActionKind.LIMITED, account.key, by, {"limits": limits and dict(limits)})
        return self._update(account, {"limits": null() if limits is None else dict(limits)}, limited, now)

    def remove(self, account: ClientAccount, by: str, now: datetime) -> bool:
        """Its credentials and what is known of it are deleted; its number is kept, for attempts name it."""
        values = {
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
            of_it = update(client_accounts).where(_a.id == account.id, _a.removed_at.is_(None))
            is_done = connection.execute(of_it.values({**values, "changed_at": now})).rowcount == 1
            if is_done:
                note_action(connection, action, now)
            if action.what is ActionKind.REMOVED:
                known = _s.carrier == account.carrier, _s.account_id == account.id
                connection.execute(delete(account_state).where(*known))
        return is_done


def _is_sound(row: RowMapping) -> bool:
    """Tell whether an account can be named. SQLite stores whatever others write into a column."""
    number, client_id, carrier = row["id"], row["client_id"], row["carrier"]
    return (
        isinstance(number, int) and number > HOUSE and isinstance(client_id, int) and isinstance(carrier, str)
    )


def _account(row: RowMapping) -> ClientAccount:
    """What else cannot be read in a sound row is replaced: it ends nothing."""
    values = dict(row)
    for name in ("added_at", "changed_at"):
        values[name] = values[name] or _UNKNOWN
    values["added_by"] = clean(values["added_by"], 200)
    values["limits"] = _limits(values["limits"])
    return ClientAccount(**values)


def _limits(stored: Any) -> Mapping[str, str] | None:
    """What cannot be read is a limit that cannot be either: never the carrier's defaults, which may be larger."""
    if stored is None:
        return None
    found = facts_in(stored)
    return {str(what): str(text) for what, text in found.items()} or {"": clean(stored, 40)}
