"""The quota store: how many calls were taken in which window, and the state of each carrier and account.

A unit is reserved before the call it is for and becomes used just before the call is sent, each by a committed
transaction that a power cut does not undo. What a process reserved when it died is thus known not to have been sent, and is given back once its hold
has expired.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Integer,
    RowMapping,
    Table,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert

from recours.core.accounts import AccountKey
from recours.core.actions import ActionKind, OperatorAction
from recours.core.errors import ErrorKind
from recours.core.pauses import FURTHEST_END, AccountState, CarrierState, DocumentRight, Pause, Stop
from recours.core.quota import SHORT, Exhausted, Limit, QuotaRequest, Reserved, Usage
from recours.database.actions import note_action
from recours.database.engine import Database
from recours.database.event_outbox import insert_into, put
from recours.database.named_leases import is_over
from recours.database.tables import account_state, carriers, quota, quota_shares

_q, _s = quota.c, quota_shares.c
_LIMITS_AT_ONCE = 10_000


class _ExhaustedError(Exception):
    def __init__(self, request: QuotaRequest) -> None:
        self.request = request


# Built once, as they run before every call and for every few claims.
_USE = (
    update(quota_shares)
    .where(
        _s.limit_key == bindparam("of_limit"),
        _s.window_start == bindparam("of_window"),
        _s.holder == bindparam("of_holder"),
        _s.held >= bindparam("units", type_=Integer),
    )
    .values(
        held=_s.held - bindparam("units", type_=Integer),
        used=_s.used + bindparam("units", type_=Integer),
        expires_at=bindparam("until"),
    )
)


_a = account_state.c
_asked = select(
    bindparam("of_carrier", type_=_a.carrier.type).label("carrier"),
    bindparam("of_account", type_=_a.account_id.type).label("account_id"),
).subquery()
_OF_CARRIER = (
    carriers.c.paused_until.label("outage_until"),
    carriers.c.reason.label("outage_reason"),
    carriers.c.stopped_at.label("all_stopped_at"),
    carriers.c.stopped_why.label("all_stopped_why"),
)
_CARRIER_STATE = select(*_OF_CARRIER, *_a).select_from(
    _asked.outerjoin(carriers, carriers.c.carrier == _asked.c.carrier).outerjoin(
        account_state,
        and_(_a.carrier == _asked.c.carrier, _a.account_id == _asked.c.account_id),
    )
)


@cache
def _take(dialect: str) -> ReturningInsert[Any]:
    """Take units of a window, its row being made if need be; no row comes back where they are too many."""
    names = ("limit_key", "window_start", "window_end")
    units, most = bindparam("units", type_=Integer), bindparam("most", type_=Integer)
    row = {name: bindparam(f"of_{name}", type_=_q[name].type) for name in names} | {"taken": units}
    taken = _q.taken + units
    upsert = insert_into(quota, dialect).values(row)
    statement: ReturningInsert[Any] = upsert.on_conflict_do_update(
        index_elements=[_q.limit_key, _q.window_start], set_={"taken": taken}, where=taken <= most
    ).returning(_q.taken)
    return statement


@cache
def _share(dialect: str) -> Insert:
    """Hold units of a window for this holder, its row being made if need be."""
    names = ("limit_key", "window_start", "holder", "expires_at")
    row = {name: bindparam(f"of_{name}", type_=_s[name].type) for name in names}
    units = bindparam("units", type_=Integer)
    upsert = insert_into(quota_shares, dialect).values(row | {"used": 0, "held": units})
    keys = [_s.limit_key, _s.window_start, _s.holder]
    statement: Insert = upsert.on_conflict_do_update(
        index_elements=keys, set_={"held": _s.held + units, "expires_at": row["expires_at"]}
    )
    return statement


# ---------------------------------------------------------------- what several threads write in the same instant


_Request = TypeVar("_Request")
_Result = TypeVar("_Result")


class Together(Generic[_Request, _Result]):
    """The first thread waits for the lock, and does what all those want that have come until then.

    A transaction costs much the same for one row as for twenty, and threads that stand in a line for the write lock
    would otherwise take it in turns.
    """

    def __init__(
        self, do_all: Callable[[Sequence[_Request]], Sequence[_Result]], lock: AbstractContextManager[object]
    ) -> None:
        """`do_all`: does many, and tells the result of each in their order. `lock`: under which it does."""
        self._do_all = do_all
        self._lock = lock
        self._guard = threading.Lock()
        self._waiting: list[tuple[_Request, Future[_Result]]] = []

    def do(self, request: _Request) -> _Result:
        """Have it done; returns its result. Raises what `do_all` raises, for all that were together."""
        mine: Future[_Result] = Future()
        with self._guard:
            is_first = not self._waiting
            self._waiting.append((request, mine))
        if is_first:
            self._do_what_waits()
        return mine.result()

    def _do_what_waits(self) -> None:
        batch: list[tuple[_Request, Future[_Result]]] = []
        try:
            with self._lock:
                batch = self._taken()
                results = self._do_all([request for request, _ in batch])
        except BaseException as error:  # noqa: BLE001 (each who waits raises it)
            for _, future in batch or self._taken():
                future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)

    def _taken(self) -> list[tuple[_Request, "Future[_Result]"]]:
        with self._guard:
            taken, self._waiting = self._waiting, []
            return taken


# ---------------------------------------------------------------- the counts


@dataclass(frozen=True)
class QuotaTables:
    """The counts in the database."""

    database: Database
    holder: str  # the run that holds and uses
    _uses: "Together[tuple[Reserved, datetime], bool]" = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Units that several threads use in the same instant are written in one transaction."""
        object.__setattr__(self, "_uses", Together(self._use_all, self.database.write_lock))

    # ---------------------------------------------------------------- windows

    def reserve(
        self, requests: Sequence[QuotaRequest], now: datetime, expires_at: datetime
    ) -> list[Reserved] | Exhausted:
        """Hold all that is wanted, or nothing. Units of a short window are used at once, not reserved: then it is durable."""
        spends = any(request.limit.window.is_short for request in requests)
        # In one order everywhere: machines whose settings name the same limits in another one would block each other.
        in_order = sorted(requests, key=lambda request: request.limit.key)
        while True:
            try:
                with self.database.write(durable=spends) as connection:
                    reserved = {
                        request: self._reserve(connection, request, now, expires_at) for request in in_order
                    }
                return [reserved[request] for request in requests]
            except _ExhaustedError as short:
                is_short = short.request.limit.window.is_short  # then no unit of it is reserved
                if is_short or not self._take_back_from_the_dead(short.request.limit, now):
                    return self._exhausted(short.request, now)

    def _reserve(
        self, connection: Connection, request: QuotaRequest, now: datetime, expires_at: datetime
    ) -> Reserved:
        start, end = request.limit.window.around(now)
        most = request.limit.number - request.headroom
        if request.units > most:
            raise _ExhaustedError(request)
        values = {"of_limit_key": request.limit.key, "of_window_start": start, "units": request.units}
        dialect = connection.dialect.name
        if connection.execute(_take(dialect), values | {"of_window_end": end, "most": most}).first() is None:
            raise _ExhaustedError(request)
        if not request.limit.window.is_short:
            connection.execute(
                _share(dialect), values | {"of_holder": self.holder, "of_expires_at": expires_at}
            )
        return Reserved(request.limit, start, end)

    def _take_back_from_the_dead(self, limit: Limit, now: datetime) -> bool:
        """Give back what expired holds keep; tell whether there was any."""
        start, _ = limit.window.around(now)
        expired = and_(*_of_window(_s, limit.key, start), _s.held > 0, is_over(_s.expires_at, now))
        with self.database.write() as connection:
            _lock(connection, limit.key, start)
            lost = int(connection.scalar(select(func.coalesce(func.sum(_s.held), 0)).where(expired)) or 0)
            if lost:
                connection.execute(update(quota_shares).where(expired).values(held=0))
                connection.execute(
                    update(quota).where(*_of_window(_q, limit.key, start)).values(taken=_q.taken - lost)
                )
        return lost > 0

    def _exhausted(self, request: QuotaRequest, now: datetime) -> Exhausted:
        with self.database.read() as connection:
            (use,) = self._uses_of(connection, [request.limit], now)
        return use.exhausted(request.headroom)

    def consume(self, reserved: Reserved, expires_at: datetime) -> bool:
        """Turn a reserved unit into a used one; False if it is not reserved any more (it expired and was given back)."""
        return self._uses.do((reserved, expires_at))

    def _use_all(self, uses: Sequence[tuple[Reserved, datetime]]) -> list[bool]:
        used: dict[Reserved, bool] = {}
        for reserved, units in Counter(reserved for reserved, _ in uses).items():
            until = max(at for of, at in uses if of == reserved)
            used[reserved] = self._use(reserved, units, until)
        # Where not all are reserved any more, each is looked at alone.
        return [
            used[reserved] or (len(uses) > 1 and self._use(reserved, 1, until)) for reserved, until in uses
        ]

    def _use(self, reserved: Reserved, units: int, until: datetime) -> bool:
        values = {
            "of_limit": reserved.limit.key,
            "of_window": reserved.start,
            "of_holder": self.holder,
            "units": units,
            "until": until,
        }
        with self.database.write_one(durable=True) as connection:
            return bool(connection.execute(_USE, values).rowcount)

    def give_back(self, reserved: Reserved, *, kept: int = 0, used: int = 0) -> None:
        """Give back units that were not sent: kept ones, or used ones of which that is certain."""
        with self.database.write() as connection:
            _lock(connection, reserved.limit.key, reserved.start)
            if not reserved.limit.window.is_short:
                mine = *_of_window(_s, reserved.limit.key, reserved.start), _s.holder == self.holder
                changed = {"held": _s.held - kept, "used": _s.used - used}
                share = update(quota_shares).where(*mine, _s.held >= kept, _s.used >= used).values(changed)
                if not connection.execute(share).rowcount:
                    return
            window = _of_window(_q, reserved.limit.key, reserved.start)
            connection.execute(update(quota).where(*window).values(taken=_q.taken - kept - used))

    def leave(self) -> None:
        """Give back all that this holder still holds."""
        mine = and_(_s.holder == self.holder, _s.held > 0)
        for limit_key, start in self.database.all(select(_s.limit_key, _s.window_start).where(mine)):
            share = and_(mine, *_of_window(_s, limit_key, start))
            with self.database.write() as connection:
                _lock(connection, limit_key, start)
                reserved = connection.scalar(select(_s.held).where(share)) or 0
                connection.execute(update(quota_shares).where(share).values(held=0))
                window = _of_window(_q, limit_key, start)
                connection.execute(update(quota).where(*window).values(taken=_q.taken - reserved))

    def forget_short_windows(self, now: datetime) -> None:
        """Delete the counts of short windows that are over; those of longer ones are kept, as a record."""
        shared = select(_s.limit_key).where(_s.limit_key == _q.limit_key, _s.window_start == _q.window_start)
        with self.database.write() as connection:
            # Only longer windows have shares.
            connection.execute(delete(quota).where(_q.window_end < now - SHORT, ~shared.exists()))

    def uses(self, limits: Sequence[Limit], now: datetime) -> list[Usage]:
        with self.database.read() as connection:
            return self._uses_of(connection, limits, now)

    def _uses_of(self, connection: Connection, limits: Sequence[Limit], now: datetime) -> list[Usage]:
        """Two queries for up to _LIMITS_AT_ONCE limits."""
        taken, held = dict[tuple[str, datetime], int](), dict[tuple[str, datetime], int]()
        for at in range(0, len(limits), _LIMITS_AT_ONCE):
            some = limits[at : at + _LIMITS_AT_ONCE]
            keys = {limit.key for limit in some}
            starts = {limit.window.around(now)[0] for limit in some}
            # Plus 0: SQLite counts a text, which others may have left there, as a reservation does.
            of_these = select(_q.limit_key, _q.window_start, _q.taken + 0)
            of_these = of_these.where(_q.limit_key.in_(keys), _q.window_start.in_(starts))
            of_all = select(_s.limit_key, _s.window_start, func.sum(_s.held))
            of_all = of_all.where(_s.limit_key.in_(keys), _s.window_start.in_(starts))
            of_all = of_all.group_by(_s.limit_key, _s.window_start)
            taken |= {(key, start): count for key, start, count in connection.execute(of_these)}
            held |= {(key, start): int(count or 0) for key, start, count in connection.execute(of_all)}
        usages = []
        for limit in limits:
            start, end = limit.window.around(now)
            holding = held.get((limit.key, start), 0)
            used = taken.get((limit.key, start), 0) - holding
            usages.append(Usage(limit, used=used, reserved=holding, resets_at=end))
        return usages

    # ---------------------------------------------------------------- carriers and accounts

    def carrier_state(self, key: str) -> CarrierState:
        """What all processes know of an account and of its carrier."""
        of = AccountKey.parse(key)
        values = {"of_carrier": of.carrier, "of_account": of.account}
        (row,) = self.database.mappings(_CARRIER_STATE, values)
        return _state(row, row if row["refusals"] is not None else None)

    def carrier_states(self, keys: Collection[str]) -> dict[str, CarrierState]:
        """The same of several accounts, in one read."""
        of = {key: AccountKey.parse(key) for key in keys}
        named = {one.carrier for one in of.values()}
        outages = select(carriers.c.carrier, *_OF_CARRIER).where(carriers.c.carrier.in_(named))
        states = select(*_a).where(_a.carrier.in_(named))
        with self.database.read() as connection:
            by_carrier = {row["carrier"]: row for row in connection.execute(outages).mappings()}
            by_account = {
                AccountKey(row["carrier"], row["account_id"]): row
                for row in connection.execute(states).mappings()
            }
        return {key: _state(by_carrier.get(one.carrier), by_account.get(one)) for key, one in of.items()}

    def stop(self, key: str, stop: Stop, by: str, why: str = "") -> None:
        """A person stops the carrier, or a client's account there, which is recorded.

        A later stop replaces the reason of an earlier one, not its time.
        """
        table, row = _stopped_in(key)
        paused = OperatorAction(ActionKind.PAUSED, key, by, {"why": why} if why else {})
        since = func.coalesce(table.c.stopped_at, stop.at, type_=table.c.stopped_at.type)
        values = row | {"stopped_at": stop.at, "stopped_why": stop.why}
        with self.database.write() as connection:
            put(connection, table, values, {"stopped_at": since, "stopped_why": stop.why})
            note_action(connection, paused, stop.at)

    def take_up(self, key: str, by: str, now: datetime) -> Stop | None:
        """A person takes it up again; returns the stop that this ended, None if there was none."""
        table, row = _stopped_in(key)
        stopped = *(table.c[name] == value for name, value in row.items()), table.c.stopped_at.is_not(None)
        query = select(table.c.stopped_at, table.c.stopped_why).where(*stopped).with_for_update()
        with self.database.write() as connection:
            before = connection.execute(query).mappings().first()
            if before is not None:
                connection.execute(update(table).where(*stopped).values(stopped_at=None, stopped_why=None))
                note_action(connection, OperatorAction(ActionKind.RESUMED, key, by), now)
        return _stop(before["stopped_at"], before["stopped_why"]) if before else None

    def set_account_state(self, key: str, state: AccountState) -> None:
        """Remember refusals of an account, or that there are none."""
        values = {column: getattr(state, field) for field, column in _ACCOUNT_COLUMNS.items()}
        values["refusal_kind"] = state.kind if state.refusals else None
        with self.database.write() as connection:
            put(connection, account_state, _row_of(key) | values, values)

    def set_documents(self, key: str, right: DocumentRight, expected: DocumentRight | None = None) -> bool:
        """Remember what is known of an account's right to documents.

        False if another process has counted a call since it was as `expected`.
        """
        values = {column: getattr(right, field) for field, column in _DOCUMENT_COLUMNS.items()}
        column = account_state.c.documents_next_at
        unseen = None if expected is None else column.is_not_distinct_from(expected.next_call_at)
        with self.database.write() as connection:
            return put(connection, account_state, _row_of(key) | values, values, where=unseen)

    def pause(self, key: str, until: datetime, reason: str, now: datetime) -> None:
        """The carrier asked an account to wait."""
        self._pause(account_state, _row_of(key), until, reason, now)

    def pause_carrier(self, carrier: str, until: datetime, reason: str, now: datetime) -> None:
        """The carrier is unavailable, whichever account asks."""
        self._pause(carriers, {"carrier": carrier}, until, reason, now)

    def _pause(
        self, table: Table, row: Mapping[str, Any], until: datetime, reason: str, now: datetime
    ) -> None:
        """A longer wait that stands already is kept, unless no pause can last so long."""
        values = {"paused_until": until, "reason": reason}
        stands = table.c.paused_until
        longer = or_(stands.is_(None), stands < until, stands > now + FURTHEST_END)
        with self.database.write() as connection:
            put(connection, table, {**row, **values}, values, where=longer)

    def try_again(self, key: str, now: datetime, until: datetime) -> bool:
        """Take the one try that is due after a refusal of an account; False if another process has it."""
        of, at = AccountKey.parse(key), _a.refused_until
        due = _a.carrier == of.carrier, _a.account_id == of.account, or_(at <= now, at > now + FURTHEST_END)
        with self.database.write() as connection:
            statement = update(account_state).where(*due).values(refused_until=until)
            return bool(connection.execute(statement).rowcount)


def _row_of(key: str) -> dict[str, Any]:
    """The key of an account's row."""
    of = AccountKey.parse(key)
    return {"carrier": of.carrier, "account_id": of.account}


def _stopped_in(key: str) -> tuple[Table, dict[str, Any]]:
    """The table where a stop of the carrier, or of a client's account, stands; and the key of its row there."""
    row = _row_of(key)
    return (account_state, row) if row["account_id"] else (carriers, {"carrier": row["carrier"]})


def _state(of_carrier: RowMapping | None, of_account: RowMapping | None) -> CarrierState:
    return CarrierState(
        outage=_pause(of_carrier["outage_until"], of_carrier["outage_reason"]) if of_carrier else None,
        stopped=_stop(of_carrier["all_stopped_at"], of_carrier["all_stopped_why"]) if of_carrier else None,
        own_stop=_stop(of_account["stopped_at"], of_account["stopped_why"]) if of_account else None,
        pause=_pause(of_account["paused_until"], of_account["reason"]) if of_account else None,
        account=_account(of_account) if of_account else AccountState(),
        documents=_documents(of_account) if of_account else DocumentRight(),
    )


def _pause(until: datetime | None, reason: str | None) -> Pause | None:
    return Pause(until, reason) if until else None


def _account(row: RowMapping) -> AccountState:
    known = {field: row[column] for field, column in _ACCOUNT_COLUMNS.items()}
    return AccountState(**known | {"kind": ErrorKind(row["refusal_kind"] or ErrorKind.AUTH_FAILED)})


def _documents(row: RowMapping) -> DocumentRight:
    return DocumentRight(**{field: row[column] for field, column in _DOCUMENT_COLUMNS.items()})


def _stop(at: datetime | None, why: str | None) -> Stop | None:
    return Stop(at, why) if at else None


def _of_window(columns: Any, limit_key: str, start: datetime) -> tuple[ColumnElement[bool], ...]:
    return columns.limit_key == limit_key, columns.window_start == start


def _lock(connection: Connection, limit_key: str, start: datetime) -> None:
    """Hold a window's row before any of its shares, as `reserve` does: in another order two runs would block each other.

    On SQLite the whole database is reserved already.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(select(_q.taken).where(*_of_window(_q, limit_key, start)).with_for_update())


_ACCOUNT_COLUMNS = {
    "refusals": "refusals",
    "refused_until": "refused_until",
    "refusal": "refusal",
    "kind": "refusal_kind",
    "claim": "refused_claim",
    "salt": "credentials_salt",
    "credentials_print": "credentials_print",
}
_DOCUMENT_COLUMNS = {
    "came_at": "documents_came_at",
    "refused_at": "documents_refused_at",
    "next_call_at": "documents_next_at",
    "words": "documents_refusal",
}
