"""Permanently erases everything stored about some claims, or about a client, on request.

The order makes a crash harmless. First, one transaction marks our row of a claim as erased and erases its emails,
events and changes, and recours's columns in the service's row. From then on, no run or person can work on the claim.
Then the documents and the rows that name them are deleted, as in `recours.database.pruning`. If an erasure is
interrupted, `recours check` reports it, and repeating the erasure completes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    delete,
    false,
    func,
    or_,
    select,
    union,
    update,
)

from recours.core.accounts import AccountKey, ServiceClient, address_key
from recours.core.mail import OPEN_STATES, EventName, MailState
from recours.database.border import Border
from recours.database.claim_rows import const, free, in_batches, insert_rows
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database, DatabaseError
from recours.database.pruning import NO_TEXT, Erase, OldData, delete_all_files
from recours.database.tables import (
    DONE,
    ERASED,
    actions,
    attempts,
    changes,
    claims,
    client_accounts,
    events,
    evidence,
    is_at_stage,
    mail_events,
    mails,
)

_c, _e, _m, _me, _own = claims.c, events.c, mails.c, mail_events.c, client_accounts.c
_AT_ONCE = 200  # claims
_UNSENT = (MailState.READY, MailState.HELD)
_IS_WRITTEN = or_(_m.subject != const(""), _m.plain != const(""), _m.state.in_(OPEN_STATES))
_NOTHING = {
    column.name: None if column.nullable else 0
    for column in _c
    if column.name not in ("claim_id", "stage", "version")
}


@dataclass
class Erased:
    """Counts of erased data, or of the data that an erasure would erase."""

    claims: int = 0
    documents: int = 0
    mails: int = 0
    accounts: int = 0
    undeleted: dict[str, str] = field(default_factory=dict)  # why files could not be deleted, by file
    # Why the service's database rejected the erasure of claims, by claim id
    refused: dict[Any, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OfClient:
    """The data of a client apart from its claims. `client`: None if the service no longer has this client.

    `others`: the ids of other clients with the same address.
    """

    address: str
    client: ServiceClient | None = None
    others: Sequence[Any] = ()

    @property
    def mails(self) -> ColumnElement[bool]:
        is_own = or_(_m.client_id.is_(None), _m.client_id.not_in(self.others))
        return and_(_m.recipient != const(""), func.lower(_m.recipient) == self.address.lower(), is_own)

    @property
    def texts(self) -> ColumnElement[bool]:
        """Emails to the client, and emails to the operator that contain the client's address."""
        return or_(self.mails, and_(_m.client_id.is_(None), self._is_named_in(_m.plain)))

    @property
    def reports(self) -> ColumnElement[bool]:
        """Events of weekly reports that contain the client's address."""
        return and_(_e.event == const(EventName.WEEKLY_REPORT), self._is_named_in(cast(_e.facts, Text)))

    def _is_named_in(self, text: ColumnElement[str]) -> ColumnElement[bool]:
        return text.icontains(self.address, autoescape=True) if self.address else false()

    @property
    def accounts(self) -> ColumnElement[bool]:
        """Accounts with the client's address, or with its id and no address, because others may have had its id."""
        key = address_key(self.address)
        is_own = and_(_own.client_address == key, _own.client_id.not_in(self.others)) if key else false()
        if self.client is None:
            return is_own
        return or_(is_own, and_(_own.client_id == self.client.id, _own.client_address == const("")))


@dataclass(frozen=True)
class ClaimErasure:
    """Erases claims and clients in one database. All methods raise DatabaseError."""

    database: Database
    by: str = ""  # the name of the person who erases

    @property
    def _border(self) -> Border:
        return self.database.border

    # ---------------------------------------------------------------- existing data

    def known_as(self, references: Sequence[str]) -> dict[Any, str]:
        """All claims with these references, including claims that the service has deleted."""
        reference = self._border.text("claim_reference")
        return self._known(reference.in_(references), _c.seen_reference.in_(references))

    def claims_of(self, client: ServiceClient) -> dict[Any, str]:
        client_id = str(client.id)
        return self._known(self._border.text("client_id") == client_id, _c.seen_client == client_id)

    def _known(self, of_service: ColumnElement[bool], of_deleted: ColumnElement[bool]) -> dict[Any, str]:
        """The references of existing claims and of claims that the service has deleted, by claim id."""
        key = self._border.key
        existing = select(key, self._border.text("claim_reference")).where(of_service)
        deleted = select(_c.claim_id, _c.seen_reference).select_from(self._with_service(claims))
        queries = existing, deleted.where(key.is_(None), of_deleted)
        return {row[0]: row[1] or "" for query in queries for row in self.database.all(query)}

    def claims_left(self) -> list[Any]:
        """The ids of deleted claims that still have data, and of claims whose erasure was interrupted."""
        parts = (self._left(table, table.c.claim_id) for table in (attempts, evidence, events, changes))
        return self.database.scalars(union(*parts))

    def count_left(self) -> tuple[int, int]:
        """The numbers of attempts and files that the claims of `claims_left` still have."""
        of_attempts, of_files = (self._left(table, func.count()) for table in (attempts, evidence))
        return self.database.scalar(of_attempts), self.database.scalar(of_files)

    def _left(self, table: Table, column: ColumnElement[Any]) -> Select[Any]:
        key = table.c.claim_id
        is_gone = or_(self._border.key.is_(None), key.in_(select(_c.claim_id).where(is_at_stage(ERASED))))
        return select(column).select_from(self._with_service(table)).where(key.is_not(None), is_gone)

    def _with_service(self, table: Table) -> FromClause:
        return table.outerjoin(self._border.claims, self._border.key == table.c.claim_id)

    def knows(self, client: OfClient) -> bool:
        """Return whether any row contains the client's address."""
        counts = (select(func.count()).where(rows) for rows in (client.texts, client.accounts))
        return any(map(self.database.scalar, counts))

    def outlook(self, ids: Sequence[Any], client: OfClient | None) -> Erased:
        erased = Erased(claims=len(ids))
        mail_ids: set[int] = set()
        if client:
            accounts = select(func.count()).where(client.accounts, _own.removed_at.is_(None))
            erased.accounts = self.database.scalar(accounts)
            mail_ids.update(self.database.scalars(select(_m.id).where(client.texts, _IS_WRITTEN)))
        for part in in_batches(ids, _AT_ONCE):
            erased.documents += self._documents(part)
            mail_ids.update(self.database.scalars(_mail_ids(_event_ids(part))))
        erased.mails = len(mail_ids)
        return erased

    def _documents(self, ids: Sequence[Any]) -> int:
        """The number of different files of these claims; a carrier may have sent the same file twice."""
        of_attempts = select(attempts.c.document_path.label("path")).where(attempts.c.claim_id.in_(ids))
        of_pieces = select(evidence.c.path).where(evidence.c.claim_id.in_(ids))
        files = union(of_attempts, of_pieces).subquery()
        return int(self.database.scalar(select(func.count(files.c.path))))

    # ---------------------------------------------------------------- claims

    def erase(
        self, ids: Sequence[Any], erase_file: Erase, now: Callable[[], datetime], erased: Erased
    ) -> set[Any]:
        """Erase claims in batches, count the erased data, and return the erased claims.

        Other claims are in use, or their erasure was refused by the service's database.
        """
        finished: set[Any] = set()
        past = OldData(self.database, holder="", by=self.by)
        for part in in_batches(ids, _AT_ONCE):
            marked_ids = self._mark_all_erased(part, now(), erased)
            documents = self._documents(marked_ids)
            erased.undeleted |= delete_all_files(past, marked_ids, erase_file, now)
            erased.documents += documents - self._documents(marked_ids)
            finished.update(marked_ids)
        erased.claims += len(finished)
        return finished

    def _mark_all_erased(self, ids: Sequence[Any], now: datetime, erased: Erased) -> list[Any]:
        """Mark all claims as erased in one transaction, or one by one if a constraint of the service rejects one."""
        try:
            return self._mark_erased(ids, now, erased)
        except DatabaseError as fault:
            if not fault.is_rejection:
                raise
            if len(ids) == 1:
                erased.refused[ids[0]] = fault.message
                return []
        return [key for claim_id in ids for key in self._mark_all_erased([claim_id], now, erased)]

    def _mark_erased(self, ids: Sequence[Any], now: datetime, erased: Erased) -> list[Any]:
        """Mark the claims that are not in use as erased, and erase everything except their documents."""
        border = self._border
        with self.database.write(durable=True) as connection:
            service_ids = set(connection.scalars(select(border.key).where(border.key.in_(ids))))
            unlocked = set(connection.scalars(border.lock(ids)))
            available = [key for key in ids if key in unlocked or key not in service_ids]
            insert_rows(connection, [{"claim_id": key, "stage": DONE} for key in available])
            unleased = select(_c.claim_id).where(_c.claim_id.in_(available), free(now)).order_by(_c.claim_id)
            marked_ids = list(connection.scalars(unleased.with_for_update(skip_locked=True)))
            event_ids = _event_ids(marked_ids)
            # Emails are found by their events. An email that is also about other claims loses all its text.
            count = _erase_texts(connection, _m.id.in_(_mail_ids(event_ids)), event_ids, now)
            connection.execute(delete(mail_events).where(_me.event_id.in_(event_ids)))
            for table in (events, changes):
                connection.execute(delete(table).where(table.c.claim_id.in_(marked_ids)))
            self._leave_tombstones(connection, marked_ids, now)
            rows_of_service = [
                border.parameters(key, border.empty_values) for key in marked_ids if key in service_ids
            ]
            if rows_of_service and border.empty_values:
                connection.execute(border.update(border.empty_values, if_unedited=False), rows_of_service)
        erased.mails += count
        return marked_ids

    def _leave_tombstones(self, connection: Connection, ids: Sequence[Any], now: datetime) -> None:
        """Clear our rows except for the reference, and the erasure's time and author. Erased rows keep their time."""
        border = self._border
        of_service = select(border.text("claim_reference")).where(border.key == _c.claim_id).correlate(claims)
        reference = func.coalesce(of_service.scalar_subquery(), _c.seen_reference)
        is_marked = and_(is_at_stage(ERASED), _c.seen_reference.is_not_distinct_from(reference))
        tombstone = {"stage": ERASED, "seen_reference": reference, "written_at": now, "erased_by": self.by}
        statement = update(claims).where(_c.claim_id.in_(ids), ~is_marked)
        connection.execute(statement.values(_NOTHING | tombstone | {"version": _c.version + 1}))

    # ---------------------------------------------------------------- clients

    def erase_client(self, client: OfClient, now: datetime, erased: Erased) -> None:
        query = select(_own.carrier, _own.id).where(client.accounts)
        keys = [str(AccountKey(carrier, number)) for carrier, number in self.database.all(query)]
        of_accounts = select(_e.id).where(_e.claim_id.is_(None), _e.carrier.in_(keys))
        with self.database.write(durable=True) as connection:
            erased.mails += _erase_texts(connection, client.texts, of_accounts, now)
            connection.execute(update(mails).where(client.mails).values(recipient=""))
            connection.execute(delete(mail_events).where(_me.event_id.in_(of_accounts)))
            connection.execute(delete(events).where(_e.id.in_(of_accounts)))
            declined = {"facts": {}, "told": func.coalesce(_e.told, const("erased"))}
            connection.execute(update(events).where(client.reports).values(declined))
            connection.execute(update(actions).where(actions.c.subject.in_(keys)).values(details={}))
        # Accounts are removed last, because a removed account has no address by which it could be found.
        store = ClientAccounts(self.database)
        accounts = [account for account in store.all() if account.key in keys]
        erased.accounts += sum(store.remove(account, self.by, now) for account in accounts)


def _event_ids(claim_ids: Sequence[Any]) -> Select[int]:
    return select(_e.id).where(_e.claim_id.in_(claim_ids))


def _mail_ids(event_ids: Select[int]) -> Select[int]:
    """The ids of emails that report any of these events."""
    return select(_me.mail_id).where(_me.event_id.in_(event_ids))


def _erase_texts(
    connection: Connection, which: ColumnElement[bool], event_ids: Select[int], now: datetime
) -> int:
    """Erase the texts of emails, and return how many had a text. `event_ids`: events that are no longer reported.

    An unsent email is canceled, and another email will report its other events. The state of an email that is being
    sent becomes undecided.
    """
    unsent = select(_m.id).where(which, _m.state.in_(_UNSENT))
    is_in_it = _e.id.in_(select(_me.event_id).where(_me.mail_id.in_(unsent)))
    connection.execute(update(events).where(is_in_it, _e.id.not_in(event_ids)).values(told=None))
    state = case(
        (_m.state.in_(_UNSENT), const(MailState.CANCELLED)),
        (_m.state == const(MailState.SENDING), const(MailState.UNDECIDED)),
        else_=_m.state,
    )
    values = NO_TEXT | {"subject": "", "error": None, "holder": None, "held_until": None}
    values |= {"state": state, "ended_at": func.coalesce(_m.ended_at, now)}
    return connection.execute(update(mails).where(which, _IS_WRITTEN).values(values)).rowcount
