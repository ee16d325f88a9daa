"""The outbox: pending events and the emails that report them. Each email is rendered once and sent at most once."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    null,
    or_,
    select,
    update,
)

from recours.core.accounts import AccountKey
from recours.core.actions import MAILS, ActionKind, OperatorAction
from recours.core.carrier import Catalog
from recours.core.errors import REFUSED_KINDS, Actor
from recours.core.mail import (
    FAULTS,
    LAPSED,
    OPEN_STATES,
    Draft,
    Event,
    EventName,
    MailKind,
    MailState,
    MailTrouble,
    OutboxEvent,
    OutgoingMail,
    Reasons,
    Recipient,
    key_of,
)
from recours.core.sentences import carrier_message
from recours.database.border import Border
from recours.database.claim_rows import const, in_batches, read_claims, reading_all
from recours.database.client_accounts import is_in_use
from recours.database.dialect import dialect_of
from recours.database.engine import Database, DatabaseError, is_over
from recours.database.journal import add_events, note_action
from recours.database.quota import is_stopped
from recours.database.tables import account_state, client_accounts, events, mail_events, mails

_LEASE = timedelta(minutes=10)
# A client gets at most one email per rejected account in this time.
_BETWEEN_REMINDERS = timedelta(days=7)
_AT_ONCE = 500  # events read or marked per statement
_LATEST = 10_000  # recent emails searched for the last email to the operator
_MAIL = "mail"  # value of `told` for an event that an email reports
_e, _m = events.c, mails.c

# Columns of the table `clients`.
_OF_RECIPIENT = ("email", "company_name", "full_name", "is_active", "notification_preferences")
_NOT_ACTIVE = frozenset({"", "false", "f", "0", "no", "n", "off"})

# Built once, because they run for every email.
_INSERT_MAIL = insert(mails).returning(_m.id)
_INSERT_MAIL_EVENT = insert(mail_events)
_UPDATE_LEASED = update(mails).where(_m.id == bindparam("of_mail"), _m.holder == bindparam("held_by"))
_UPDATE_UNTRIED = _UPDATE_LEASED.values(tries=_m.tries - 1)
_IS_GIVEN = _e.id.in_(bindparam("of_events", expanding=True))
_UNREPORTED_OF_IDS = _IS_GIVEN, _e.told.is_(None)
_MARK = update(events).where(*_UNREPORTED_OF_IDS).values(told=bindparam("what"))
_LAPSE = update(events).where(_IS_GIVEN, _e.told == _MAIL).values(told=LAPSED)
_UNREPORTED = select(events).where(*_UNREPORTED_OF_IDS).order_by(_e.id)
_LOCK_UNREPORTED = select(_e.id).where(*_UNREPORTED_OF_IDS).order_by(_e.id).with_for_update()


@dataclass(eq=False)
class MailOutbox:
    """Gives one run access to the events and emails in a database."""

    database: Database
    catalog: Catalog
    run_id: str

    @property
    def _border(self) -> Border:
        return self.database.border

    def has_work(self) -> bool:
        """Return whether there are events to report or emails to send. Makes one small query."""
        unreported = exists(select(_e.id).where(_e.told.is_(None)))
        unsent = exists(select(_m.id).where(_open(MailState.READY, MailState.SENDING)))
        return bool(self.database.scalar(select(or_(unreported, unsent))))

    # ---------------------------------------------------------------- events

    def is_written(self, name: EventName, number: str) -> bool:
        """Return whether an event with this number exists that has no claim and no carrier. Makes one small query."""
        key = _e.claim_id.is_(None), _e.event == name, _e.carrier == "", _e.tracking_number == number
        return bool(self.database.scalar(select(exists(select(_e.id).where(*key)))))

    def add_event(self, event: Event, now: datetime, declined: str | None = None) -> None:
        """Insert an event that has no claim, unless the event exists. `declined`: why no email reports the event."""
        with self.database.write() as connection:
            add_events(connection, [(None, event)], self.run_id, now, declined)

    def unreported_by_client(self) -> dict[Any, list[int]]:
        """Return the ids of each client's pending events, oldest first. Events of unknown clients are under None.

        One query reads the events of all clients, because events are not indexed by client.
        """
        border = self._border
        client_id: ColumnElement[Any] = border.column("client_id") if border.has("client_id") else null()
        with_claims = events.outerjoin(border.claims, border.key == _e.claim_id)
        columns = client_id.label("client_id"), _e.id, _e.event, _e.carrier
        query = select(*columns).select_from(with_claims).where(*_unreported(Actor.CLIENT)).order_by(_e.id)
        unreported = self.database.all(query)
        owners = self._owners({row.carrier for row in unreported if row.event == EventName.ACCOUNT_REFUSED})
        by_client: dict[Any, list[int]] = {}
        for row in unreported:
            client = owners.get(row.carrier) if row.event == EventName.ACCOUNT_REFUSED else row.client_id
            by_client.setdefault(client, []).append(row.id)
        return by_client

    def _owners(self, keys: Collection[str]) -> dict[str, Any]:
        """The clients that own these accounts, by account key. Removed accounts are included."""
        if not keys:
            return {}
        own = client_accounts.c
        numbers = {AccountKey.parse(key).account: key for key in keys}
        rows = self.database.all(select(own.id, own.client_id).where(own.id.in_(numbers)))
        return {numbers[number]: client_id for number, client_id in rows}

    def still_unreported(self, ids: Sequence[int]) -> list[OutboxEvent]:
        """The events with these ids that no run has reported yet, oldest first."""
        batches = in_batches(ids, _AT_ONCE)
        return [event for batch in batches for event in self._read(_UNREPORTED, of_events=list(batch))]

    def events_of_operator(self) -> list[OutboxEvent]:
        return self._read(select(events).where(*_unreported(Actor.OPERATOR)).order_by(_e.id))

    def last_summary(self) -> datetime | None:
        latest = select(_m.kind, _m.state, _m.created_at).order_by(_m.id.desc()).limit(_LATEST).subquery()
        query = select(func.max(latest.c.created_at)).where(
            latest.c.kind == MailKind.OPERATOR_SUMMARY, latest.c.state != MailState.CANCELLED
        )
        latest_at: datetime | None = self.database.scalar(query)
        return latest_at

    def reported_faults(self, since: datetime) -> list[OutboxEvent]:
        """The faults since this time that emails have reported."""
        of_faults = _e.claim_id.is_(None), _e.event.in_(FAULTS)
        return self._read(select(events).where(*of_faults, _e.told == _MAIL, _e.created_at >= since))

    def _read(self, query: Select[Any], **values: Any) -> list[OutboxEvent]:
        return [_event(row) for row in self.database.mappings(query, values)]

    def decline(self, declined: Sequence[OutboxEvent], why: str) -> None:
        with self.database.write() as connection:
            _mark(connection, [event.id for event in declined], why)

    def recipient(self, client_id: Any) -> Recipient | None:
        """The client's row in the table `clients`."""
        border = self._border
        if client_id is None or not border.has_clients:
            return None
        columns = [border.client_text(name).label(name) for name in _OF_RECIPIENT]
        query = select(*columns).select_from(border.clients).where(border.client_id == client_id)
        rows = self.database.mappings(query)
        if not rows:
            return None
        row = rows[0]
        is_active = row["is_active"]  # NULL means active; some applications write a word
        return Recipient(
            client_id,
            row["email"],
            row["company_name"] or row["full_name"],
            is_active is None or is_active.strip().lower() not in _NOT_ACTIVE,
            row["notification_preferences"],
        )

    def report_refused_accounts(self, now: datetime) -> None:
        """Write an event for each client account that a carrier rejects, at most once a week."""
        refused = self._refused_accounts(now)
        if not refused:
            return
        lately = select(_e.carrier).where(
            _e.claim_id.is_(None),
            _e.event == EventName.ACCOUNT_REFUSED,
            _e.created_at > now - _BETWEEN_REMINDERS,
            _e.told.is_distinct_from(LAPSED),
        )
        with self.database.write() as connection:
            recent = set(connection.scalars(lately))
            day = now.date().isoformat()
            due = [
                (None, Event(EventName.ACCOUNT_REFUSED, Actor.CLIENT, key, day, facts))
                for key, facts in refused.items()
                if key not in recent
            ]
            add_events(connection, due, self.run_id, now)

    def _refused_accounts(self, now: datetime) -> dict[str, dict[str, str]]:
        """The kind of rejection and the carrier's message for each rejected client account in use, by account key."""
        state = account_state.c
        own = client_accounts.c
        query = (
            select(state.carrier, state.account_id, state.refusal_kind, state.refusal)
            .join(client_accounts, own.id == state.account_id)
            .where(state.refusals > 0, ~is_stopped(account_state, now), is_in_use())
        )
        return {
            str(AccountKey(row.carrier, row.account_id)): {
                "kind": row.refusal_kind,
                "words": carrier_message(row.refusal or ""),
            }
            for row in self.database.all(query)
            if row.refusal_kind in REFUSED_KINDS
        }

    # ---------------------------------------------------------------- emails

    def write(
        self, draft: Draft, reasons: Sequence[OutboxEvent], now: datetime, *, needs_release: bool = False
    ) -> bool:
        """Store a rendered email with its events. Returns False if another run has already reported one of the events.

        `needs_release`: do not send the email until a person releases it.
        """
        ids = [event.id for event in reasons]
        with self.database.write() as connection:
            if _mark(connection, ids, _MAIL) != len(ids):
                connection.rollback()
                return False
            state = MailState.HELD if needs_release else MailState.READY
            values = asdict(draft) | {"run_id": self.run_id, "created_at": now, "tries": 0, "state": state}
            mail_id = connection.execute(_INSERT_MAIL, values).scalar_one()
            rows = [{"mail_id": mail_id, "event_id": event_id} for event_id in ids]
            connection.execute(_INSERT_MAIL_EVENT, rows)
        return True

    def release(self, by: str, now: datetime) -> int:
        """Release all held emails, and return how many there were. `by`: the person who releases them."""
        with self.database.write() as connection:
            statement = update(mails).where(_open(MailState.HELD)).values(state=MailState.READY)
            if released := connection.execute(statement).rowcount:
                note_action(
                    connection, OperatorAction(ActionKind.RELEASED, MAILS, by, {"mails": released}), now
                )
        return released

    def count(self, state: MailState) -> int:
        return int(self.database.scalar(select(func.count()).where(_m.state == const(state))))

    def ready(self, now: datetime) -> list[int]:
        """The ids of ready emails, fewest attempts first, then oldest first.

        In this order, an email that always makes the server drop the connection cannot block the other emails.
        """
        query = select(_m.id).where(_open(MailState.READY), self._free(now))
        return self.database.scalars(query.order_by(_m.tries, _m.id))

    def lease(self, ids: Sequence[int], now: datetime) -> list[OutgoingMail]:
        """Lease and return the emails with these ids that are still ready."""
        ready = select(_m.id).where(_m.id.in_(ids), _open(MailState.READY), self._free(now)).order_by(_m.id)
        of_mails = select(mail_events.c.mail_id, events).join(events, mail_events.c.event_id == _e.id)
        with self.database.write() as connection:
            mail_ids = list(connection.scalars(ready.with_for_update(skip_locked=True)))
            if not mail_ids:
                return []
            lease = {"holder": self.run_id, "held_until": now + _LEASE, "tries": _m.tries + 1}
            connection.execute(update(mails).where(_m.id.in_(mail_ids)).values(lease))
            rows = connection.execute(select(mails).where(_m.id.in_(mail_ids))).mappings().all()
            by_mail: dict[int, list[OutboxEvent]] = {mail_id: [] for mail_id in mail_ids}
            query = of_mails.where(mail_events.c.mail_id.in_(mail_ids)).order_by(_e.id)
            for row in connection.execute(query).mappings():
                by_mail[row["mail_id"]].append(_event(row))
        mails_by_id = {row["id"]: _mail(row, by_mail[row["id"]]) for row in rows}
        return [mails_by_id[mail_id] for mail_id in ids if mail_id in mails_by_id]

    def _free(self, now: datetime) -> ColumnElement[bool]:
        return or_(_m.held_until.is_(None), is_over(_m.held_until, now), _m.holder == self.run_id)

    def give_back(self, mail: OutgoingMail, error: str, *, tried: bool) -> None:
        """Return an unsent email to the queue. `tried`: count this as an attempt, because the server was contacted."""
        values = {"state": MailState.READY, "holder": None, "held_until": None, "error": error}
        statement = _UPDATE_LEASED if tried else _UPDATE_UNTRIED
        with self.database.write() as connection:
            connection.execute(statement, self._leased(mail) | values)

    def sending(self, mail: OutgoingMail) -> bool:
        """Mark the email as being sent. Call this before sending. Returns False if another run has leased the email."""
        values = {"state": MailState.SENDING}
        with self.database.write(durable=True) as connection:
            return bool(connection.execute(_UPDATE_LEASED, self._leased(mail) | values).rowcount)

    def end(
        self, mail: OutgoingMail, state: MailState, now: datetime, error: str | None = None
    ) -> str | None:
        """Record an email's final state, and copy a sent or failed email to the table `notifications`.

        An email without a client is not copied if `notifications` requires a client. If copying fails, the final state
        is still recorded, and the error is returned. The events of a canceled email lapse, so they can be added again.
        """
        rows = []
        if state in (MailState.SENT, MailState.FAILED) and self._border.copies_mails_to(mail.client_id):
            rows = _notifications(mail, state, now, error)
        try:
            self._end(mail, state, now, error, rows)
        except DatabaseError as fault:
            if not rows:
                raise
            self._end(mail, state, now, error, [])
            return fault.message
        return None

    def _end(
        self,
        mail: OutgoingMail,
        state: MailState,
        now: datetime,
        error: str | None,
        rows: list[dict[str, Any]],
    ) -> None:
        values = {"state": state, "ended_at": now, "error": error, "holder": None, "held_until": None}
        with self.database.write() as connection:
            is_leased = connection.execute(_UPDATE_LEASED, self._leased(mail) | values).rowcount
            if state is MailState.CANCELLED and is_leased:
                connection.execute(_LAPSE, {"of_events": [event.id for event in mail.events]})
            if rows:
                self._border.copy_mails(connection, rows)

    def _leased(self, mail: OutgoingMail) -> dict[str, Any]:
        return {"of_mail": mail.id, "held_by": self.run_id}

    def mark_undecided(self, now: datetime) -> list[tuple[int, str]]:
        """Mark emails whose run died while sending, so they are never sent again. Return their ids and recipients."""
        dead = and_(_open(MailState.SENDING), is_over(_m.held_until, now))
        values = {"state": MailState.UNDECIDED, "ended_at": now, "error": MailTrouble.RUN_DIED.text()}
        with self.database.write() as connection:
            rows = connection.execute(update(mails).where(dead).values(values).returning(_m.id, _m.recipient))
            return [(row.id, row.recipient) for row in rows]

    def reasons(self, events_: Collection[OutboxEvent], now: datetime) -> Reasons:
        """The current state of the events' claims and accounts, which shows whether each event is still relevant."""
        of_claims = {event.claim_id for event in events_ if event.name is EventName.POD_FAILED}
        of_accounts = {event.carrier for event in events_ if event.name is EventName.ACCOUNT_REFUSED}
        claims: dict[Any, Any] = {}
        if of_claims:
            border = self._border
            with self.database.read() as connection:
                rows = connection.execute(reading_all(border, border.key.in_(of_claims)))
                claims = {claim.id: claim for claim in read_claims(rows, self.catalog)}
        refused = of_accounts & self._refused_accounts(now).keys() if of_accounts else ()
        return Reasons(claims, refused)

    def pods(self, mail: OutgoingMail) -> list[str]:
        """The paths of the proofs that an email reports. Skips claims whose number or client has changed since."""
        events_by_claim = {
            event.claim_id: event for event in mail.events if event.name is EventName.POD_RETRIEVED
        }
        border = self._border
        if not events_by_claim or not border.has("client_id"):
            return []
        number = border.text("tracking_number")
        path = border.text("pod_url")
        query = select(border.key, number, path).where(
            border.key.in_(events_by_claim), border.column("client_id") == mail.client_id, path.is_not(None)
        )
        return [
            path
            for claim_id, number, path in self.database.all(query.order_by(border.key))
            if events_by_claim[claim_id].number == key_of(number or "")
        ]

    def service_settings(self) -> dict[str, str]:
        if not self._border.has_settings:
            return {}
        rows = self.database.all(self._border.smtp_settings)
        return {key: text for key, value in rows if (text := value.strip())}


def _open(*states: MailState) -> ColumnElement[bool]:
    """Emails in these unfinished states, as a condition that lets the database use the index of unfinished emails."""
    return and_(
        _m.state.in_([const(state) for state in OPEN_STATES]),
        _m.state.in_([const(state) for state in states]),
    )


def _mark(connection: Connection, ids: list[int], result: str) -> int:
    """Record the result of pending events, and return how many were marked."""
    marked = 0
    # The order is fixed, because runs that mark the same events in different orders would deadlock.
    for batch in in_batches(sorted(ids), _AT_ONCE):
        portion = {"of_events": batch}
        if not dialect_of(connection).has_one_writer:
            connection.execute(_LOCK_UNREPORTED, portion)
        marked += connection.execute(_MARK, portion | {"what": result}).rowcount
    return marked


def _unreported(audience: Actor) -> tuple[ColumnElement[bool], ...]:
    return _e.told.is_(None), _e.audience == audience


def _event(row: Any) -> OutboxEvent:
    return OutboxEvent(
        row["id"],
        EventName(row["event"]),
        row["claim_id"],
        row["carrier"],
        row["tracking_number"],
        row["created_at"],
        row["facts"],
    )


def _mail(row: Any, of_mail: list[OutboxEvent]) -> OutgoingMail:
    columns = {column.name: row[column.name] for column in fields(OutgoingMail) if column.name != "events"}
    return OutgoingMail(**columns | {"kind": MailKind(row["kind"]), "events": tuple(of_mail)})


def _notifications(
    mail: OutgoingMail, state: MailState, now: datetime, error: str | None
) -> list[dict[str, Any]]:
    """One row per claim of the email, or one row if the email is not about a claim."""
    ids = list(dict.fromkeys(event.claim_id for event in mail.events if event.claim_id)) or [None]
    return [
        {
            "client_id": mail.client_id,
            "notification_type": mail.kind,
            "subject": mail.subject,
            "sent_to": mail.recipient,
            "sent_at": now.replace(microsecond=0),
            "status": "sent" if state is MailState.SENT else "failed",
            "error_message": error,
            "related_claim_id": claim_id,
        }
        for claim_id in ids
    ]
