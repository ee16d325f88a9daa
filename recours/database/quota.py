"""The quota store: the calls counted in each window, and the state of each carrier and account.

A unit counts as soon as it is reserved. The reservation is committed before the call and survives a power failure.
Units that were certainly not sent are returned with the next reservation, or when the run ends. Units reserved by a
killed process are lost until the window ends, so that recours never exceeds the limit.
"""

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    Table,
    and_,
    bindparam,
    case,
    delete,
    literal,
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
from recours.database.claim_rows import in_batches
from recours.database.dialect import Dialect, dialect_of, put
from recours.database.engine import Database, is_over
from recours.database.journal import note_action
from recours.database.tables import account_state, carriers, quota

_q = quota.c
_MOST_PARAMETERS = 10_000


class _ExhaustedError(Exception):
    def __init__(self, request: QuotaRequest) -> None:
        self.request = request


_a = account_state.c
_account_key = select(
    bindparam("of_carrier", type_=_a.carrier.type).label("carrier"),
    bindparam("of_account", type_=_a.account_id.type).label("account_id"),
).subquery()
_OF_CARRIER = (
    carriers.c.paused_until.label("outage_until"),
    carriers.c.reason.label("outage_reason"),
    carriers.c.stopped_at.label("all_stopped_at"),
    carriers.c.stopped_until.label("all_stopped_until"),
    carriers.c.stopped_why.label("all_stopped_why"),
)
_CARRIER_STATE = select(*_OF_CARRIER, *_a).select_from(
    _account_key.outerjoin(carriers, carriers.c.carrier == _account_key.c.carrier).outerjoin(
        account_state,
        and_(_a.carrier == _account_key.c.carrier, _a.account_id == _account_key.c.account_id),
    )
)


# Built once, because quota statements run for every few claims.
_GIVE_BACK = (
    update(quota)
    .where(_q.limit_key == bindparam("of_limit"), _q.window_start == bindparam("of_window"))
    .values(taken=_q.taken - bindparam("units", type_=Integer))
)


@cache
def _take(dialect: Dialect) -> ReturningInsert[Any]:
    """Add units to a window's count and subtract earlier `unsent` units. Returns no row if the limit is exceeded."""
    names = ("limit_key", "window_start", "window_end")
    units = bindparam("units", type_=Integer)
    limit = bindparam("limit", type_=Integer)
    row = {name: bindparam(f"of_{name}", type_=_q[name].type) for name in names} | {"taken": units}
    new_count = _q.taken + units - bindparam("unsent", type_=Integer)
    upsert = dialect.insert(quota).values(row)
    statement: ReturningInsert[Any] = upsert.on_conflict_do_update(
        index_elements=[_q.limit_key, _q.window_start], set_={"taken": new_count}, where=new_count <= limit
    ).returning(_q.taken)
    return statement


@dataclass(eq=False)
class QuotaTables:
    """Reserves units in the database, and remembers which units this run has reserved but not sent. Thread-safe."""

    database: Database
    _reserved: Counter[Reserved] = field(default_factory=Counter, init=False)
    _unsent: Counter[Reserved] = field(default_factory=Counter, init=False)  # to be returned
    _short: set[str] = field(default_factory=set, init=False)  # keys of used limits with short windows
    _guard: threading.Lock = field(default_factory=threading.Lock, init=False)

    # ---------------------------------------------------------------- windows

    def reserve(self, requests: Sequence[QuotaRequest], now: datetime) -> list[Reserved] | Exhausted:
        """Reserve all these units, or none. Units of short windows must be used immediately."""
        # The order is fixed, because machines that update the same limits in different orders would deadlock.
        in_order = sorted(requests, key=lambda request: request.limit.key)
        while True:
            windows = [_window(request.limit, now) for request in requests]
            # Remove unsent units first. If the transaction's outcome is unknown, they are lost, not returned twice.
            with self._guard:
                unsent = {window: self._unsent.pop(window) for window in windows if window in self._unsent}
            try:
                with self.database.write(durable=True) as connection:
                    reserved = {request: _reserve(connection, request, now, unsent) for request in in_order}
            except _ExhaustedError as fault:
                with self._guard:
                    self._unsent.update(unsent)
                if not self.settle():
                    return self._exhausted(fault.request, now)
                continue
            with self._guard:
                for request, units in reserved.items():
                    if request.limit.window.is_short:
                        self._short.add(request.limit.key)
                    else:
                        self._reserved[units] += request.units
            return [reserved[request] for request in requests]

    def _exhausted(self, request: QuotaRequest, now: datetime) -> Exhausted:
        (use,) = self.uses([request.limit], now)
        with self._guard:
            units = self._reserved[_window(request.limit, now)]
        return use.exhausted(request.headroom, units)

    def use(self, reserved: Reserved, units: int = 1) -> None:
        """Register that reserved units of a long window are about to be sent. Negative `units` undo this."""
        with self._guard:
            self._reserved[reserved] -= units

    def give_back(self, reserved: Reserved, units: int = 1) -> None:
        """Register units that were certainly not sent; `settle` returns them to the quota."""
        with self._guard:
            self._unsent[reserved] += units
            if not reserved.limit.window.is_short:
                self._reserved[reserved] -= units

    def settle(self) -> bool:
        """Give unsent units back to the quota, and return whether there were any. Raises DatabaseError."""
        with self._guard:
            unsent = sorted(self._unsent.items(), key=lambda entry: (entry[0].limit.key, entry[0].start))
            self._unsent.clear()
        if unsent:
            with self.database.write() as connection:
                rows = [
                    {"of_limit": reserved.limit.key, "of_window": reserved.start, "units": units}
                    for reserved, units in unsent
                ]
                connection.execute(_GIVE_BACK, rows)
        return bool(unsent)

    def leave(self) -> None:
        """Give all unused units of this run back to the quota. Raises DatabaseError."""
        with self._guard:
            self._unsent.update(+self._reserved)  # only positive counts
            self._reserved.clear()
        self.settle()

    def forget_short_windows(self, now: datetime) -> None:
        """Delete the counts of past short windows that this run used. Counts of long windows are kept as a record."""
        if self._short:
            over = _q.limit_key.in_(sorted(self._short)), _q.window_end < now - SHORT
            with self.database.write() as connection:
                connection.execute(delete(quota).where(*over))

    def uses(self, limits: Sequence[Limit], now: datetime) -> list[Usage]:
        """The usage of these limits in their current windows. One query reads up to _MOST_PARAMETERS limits."""
        counts: dict[tuple[str, datetime], int] = {}
        with self.database.read() as connection:
            for batch in in_batches(limits, _MOST_PARAMETERS):
                keys = {limit.key for limit in batch}
                starts = {limit.window.around(now)[0] for limit in batch}
                # With + 0, SQLite converts the value to a number if other software has stored a text.
                of_these = select(_q.limit_key, _q.window_start, _q.taken + 0)
                of_these = of_these.where(_q.limit_key.in_(keys), _q.window_start.in_(starts))
                counts |= {(key, start): count for key, start, count in connection.execute(of_these)}
        usages = []
        for limit in limits:
            start, end = limit.window.around(now)
            usages.append(Usage(limit, calls=counts.get((limit.key, start), 0), resets_at=end))
        return usages

    # ---------------------------------------------------------------- carriers and accounts

    def carrier_state(self, key: str) -> CarrierState:
        """The shared state of an account and of its carrier."""
        account = AccountKey.parse(key)
        values = {"of_carrier": account.carrier, "of_account": account.account}
        (row,) = self.database.mappings(_CARRIER_STATE, values)
        return _state(row, row if row["refusals"] is not None else None)

    def carrier_states(self, keys: Collection[str]) -> dict[str, CarrierState]:
        """The shared states of several accounts, in one transaction."""
        accounts = {key: AccountKey.parse(key) for key in keys}
        named = {account.carrier for account in accounts.values()}
        outages = select(carriers.c.carrier, *_OF_CARRIER).where(carriers.c.carrier.in_(named))
        states = select(*_a).where(_a.carrier.in_(named))
        # Read only these accounts, because clients may have thousands of accounts at a carrier.
        if len(accounts) <= _MOST_PARAMETERS:
            states = states.where(_a.account_id.in_({account.account for account in accounts.values()}))
        with self.database.read() as connection:
            by_carrier = {row["carrier"]: row for row in connection.execute(outages).mappings()}
            by_account = {
                AccountKey(row["carrier"], row["account_id"]): row
                for row in connection.execute(states).mappings()
            }
        return {
            key: _state(by_carrier.get(account.carrier), by_account.get(account))
            for key, account in accounts.items()
        }

    def stop(self, key: str, stop: Stop, by: str, why: str = "") -> None:
        """Record that a person paused a carrier or a client's account.

        If the carrier or account is already paused, its reason and end are replaced, and its start is kept.
        """
        table, row = _stopped_in(key)
        details = {"why": why} if why else {}
        if stop.until:
            details["until"] = stop.until.isoformat()
        paused = OperatorAction(ActionKind.PAUSED, key, by, details)
        earlier = table.c.stopped_at
        since = case((is_stopped(table, stop.at), earlier), else_=literal(stop.at, earlier.type))
        values = {"stopped_at": stop.at, "stopped_why": stop.why, "stopped_until": stop.until}
        with self.database.write() as connection:
            put(connection, table, row | values, values | {"stopped_at": since})
            note_action(connection, paused, stop.at)

    def resume(self, key: str, by: str, now: datetime) -> Stop | None:
        """Record that a person resumed a carrier or account. Return the pause that ended, or None."""
        table, row = _stopped_in(key)
        stopped = *(table.c[name] == value for name, value in row.items()), is_stopped(table, now)
        of_stop = table.c.stopped_at, table.c.stopped_why, table.c.stopped_until
        query = select(*of_stop).where(*stopped).with_for_update()
        with self.database.write() as connection:
            stop = connection.execute(query).first()
            if stop is not None:
                ended = dict.fromkeys(column.name for column in of_stop)
                connection.execute(update(table).where(*stopped).values(ended))
                note_action(connection, OperatorAction(ActionKind.RESUMED, key, by), now)
        return Stop(*stop) if stop else None

    def set_account_state(self, key: str, state: AccountState) -> None:
        """Store an account's current refusals, or clear them if `state` has none."""
        values = {column: getattr(state, field) for field, column in _ACCOUNT_COLUMNS.items()}
        values["refusal_kind"] = state.kind if state.refusals else None
        with self.database.write() as connection:
            put(connection, account_state, _row_of(key) | values, values)

    def set_documents(self, key: str, right: DocumentRight, expected: DocumentRight | None = None) -> bool:
        """Store whether an account has the right to documents.

        Returns False if the stored state is not `expected`, because another process has registered a call since.
        """
        values = {column: getattr(right, field) for field, column in _DOCUMENT_COLUMNS.items()}
        column = account_state.c.documents_next_at
        unseen = None if expected is None else column.is_not_distinct_from(expected.next_call_at)
        with self.database.write() as connection:
            return put(connection, account_state, _row_of(key) | values, values, where=unseen)

    def pause(self, key: str, until: datetime, reason: str, now: datetime) -> None:
        """Store that the carrier asked an account to wait."""
        self._pause(account_state, _row_of(key), until, reason, now)

    def pause_carrier(self, carrier: str, until: datetime, reason: str, now: datetime) -> None:
        """Store that the carrier is unavailable to all accounts."""
        self._pause(carriers, {"carrier": carrier}, until, reason, now)

    def _pause(
        self, table: Table, row: Mapping[str, Any], until: datetime, reason: str, now: datetime
    ) -> None:
        """Store a pause. If an existing pause ends later, keep it, unless its end is impossibly late."""
        values = {"paused_until": until, "reason": reason}
        current_end = table.c.paused_until
        longer = or_(current_end.is_(None), current_end < until, current_end > now + FURTHEST_END)
        with self.database.write() as connection:
            put(connection, table, {**row, **values}, values, where=longer)

    def try_again(self, key: str, now: datetime, until: datetime) -> bool:
        """Reserve the single attempt that is due for a rejected account; False if another process has reserved it."""
        account = AccountKey.parse(key)
        is_account = _a.carrier == account.carrier, _a.account_id == account.account
        due = update(account_state).where(*is_account, is_over(_a.refused_until, now))
        with self.database.write() as connection:
            return bool(connection.execute(due.values(refused_until=until)).rowcount)


def _row_of(key: str) -> dict[str, Any]:
    account = AccountKey.parse(key)
    return {"carrier": account.carrier, "account_id": account.account}


def _stopped_in(key: str) -> tuple[Table, dict[str, Any]]:
    """The table and the row in which a pause of the carrier or of a client's account is stored."""
    row = _row_of(key)
    return (account_state, row) if row["account_id"] else (carriers, {"carrier": row["carrier"]})


def _state(of_carrier: RowMapping | None, of_account: RowMapping | None) -> CarrierState:
    return CarrierState(
        outage=_as_pause(of_carrier["outage_until"], of_carrier["outage_reason"]) if of_carrier else None,
        stopped=_stop(of_carrier, "all_stopped") if of_carrier else None,
        own_stop=_stop(of_account, "stopped") if of_account else None,
        pause=_as_pause(of_account["paused_until"], of_account["reason"]) if of_account else None,
        account=_account(of_account) if of_account else AccountState(),
        documents=_documents(of_account) if of_account else DocumentRight(),
    )


def _as_pause(until: datetime | None, reason: str | None) -> Pause | None:
    return Pause(until, reason) if until else None


def _account(row: RowMapping) -> AccountState:
    fields = {field: row[column] for field, column in _ACCOUNT_COLUMNS.items()}
    return AccountState(**fields | {"kind": ErrorKind(row["refusal_kind"] or ErrorKind.AUTH_FAILED)})


def _documents(row: RowMapping) -> DocumentRight:
    return DocumentRight(**{field: row[column] for field, column in _DOCUMENT_COLUMNS.items()})


def _stop(row: RowMapping, prefix: str) -> Stop | None:
    stop = Stop(*(row[f"{prefix}_{field}"] for field in Stop._fields))
    return stop if stop.at else None


def is_stopped(table: Table, now: datetime) -> ColumnElement[bool]:
    """Carriers or accounts that a person has paused, if the pause has not ended."""
    lasts = or_(table.c.stopped_until.is_(None), table.c.stopped_until > now)
    return and_(table.c.stopped_at.is_not(None), lasts)


def _window(limit: Limit, now: datetime) -> Reserved:
    return Reserved(limit, *limit.window.around(now))


def _reserve(
    connection: Connection, request: QuotaRequest, now: datetime, unsent: Mapping[Reserved, int]
) -> Reserved:
    """Reserve units of one window, and give back its unsent units. Raises _ExhaustedError."""
    reserved = _window(request.limit, now)
    limit = request.limit.number - request.headroom
    if request.units > limit:
        raise _ExhaustedError(request)
    values = {
        "of_limit_key": request.limit.key,
        "of_window_start": reserved.start,
        "of_window_end": reserved.end,
        "units": request.units,
        "unsent": unsent.get(reserved, 0),
        "limit": limit,
    }
    if connection.execute(_take(dialect_of(connection)), values).first() is None:
        raise _ExhaustedError(request)
    return reserved


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
    "fetched_at": "documents_came_at",
    "refused_at": "documents_refused_at",
    "next_call_at": "documents_next_at",
    "words": "documents_refusal",
}
