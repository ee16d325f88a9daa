"""Keeping the backoff in the rows: assessing edited ones, staging due ones, letting retries of settled ones pass."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    text,
    true,
    union_all,
    update,
)

from recours.core.accounts import AccountKey, carrier_of
from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage, State
from recours.core.decision import Decision
from recours.database.adoption import adopt_exhausted, exhausted
from recours.database.changes import note_assessed, note_put_aside
from recours.database.engine import Database
from recours.database.event_outbox import add_events, insert_into
from recours.database.claim_reader import read_claims
from recours.database.predicates import (
    at_stage,
    awaits_retry,
    edited,
    expiring,
    in_use,
    is_ours,
    of_carriers,
    still_ours,
)
from recours.database.ranks import rank_overdue
from recours.database.ready_claims import carrier_keys
from recours.database.rows import (
    free,
    free_at_moment,
    is_failed,
    locked_ids,
    moments,
    parameters,
    readable_columns,
    seen_values,
    some_ids,
    state_values,
    told_columns,
    unedited,
    update_rows,
)
from recours.database.tables import accounts, claims, client_accounts

# Rows of one transaction: short enough that nobody waits long for the write lock.
CHUNK = 500
_a, _c = client_accounts.c, claims.c

# The stages of claims that wait for their next retry.
_TIMED = (Stage.WAITING, Stage.SETTLED)

Assess = Callable[[Claim], State]

_GIVE_UP = update_rows(("pod_fetch_error", "pod_error_key", "pod_error_words")).values(
    pod_fetch_status=FetchStatus.FAILED, pod_seen_status=FetchStatus.FAILED
)


@dataclass(frozen=True)
class ClaimMaintenance:
    """The backoff in the rows, kept by one run."""

    database: Database
    catalog: Catalog
    columns: frozenset[str]  # those that `claims` has
    run_id: str
    redact: Callable[[str], str] = str  # takes secrets out of what other software wrote
    language: str = "en"  # of pod_fetch_error

    def is_behind(
        self,
        due_until: datetime,
        horizon: datetime,
        max_retries: int,
        skip: Collection[str],
        now: datetime,
    ) -> bool:
        """Tell whether any row waits for what the methods below do: most runs find none, and look once instead of often."""
        query = _behind(self.columns, tuple(sorted(skip)), max_retries)
        bounds = {"due_until": due_until, "horizon": horizon, **moments(now, "")}
        with self.database.read() as connection:
            return connection.execute(query, bounds).first() is not None

    # ---------------------------------------------------------------- assessing

    def assess_edited(
        self, assess: Assess, now: datetime, exhausted_at: int | None = None
    ) -> Iterator[Claim]:
        condition = and_(_edited(self.columns), free(now))
        if exhausted_at is not None:
            condition = and_(condition, exhausted(exhausted_at).is_not(true()))
        query = select(*readable_columns(self.columns)).where(condition).order_by(_c.id).limit(CHUNK)
        found = self._assess_chunk(query, assess, now)
        while found:  # each row once, even one that goes on to look edited
            yield from found
            found = self._assess_chunk(query.where(_c.id > found[-1].id), assess, now)

    def rank_overdue(self, stage: Stage, carriers: Collection[str], rank: Assess, now: datetime) -> int:
        return rank_overdue(self.database, self.catalog, self.columns, stage, carriers, rank, now)

    def adopt_exhausted(self, max_retries: int, now: datetime) -> Iterator[int]:
        return adopt_exhausted(self.database, self.catalog, self.columns, max_retries, now)

    def revive_exhausted(
        self, max_retries: int, assess: Assess, now: datetime, carriers: Collection[str] = ()
    ) -> Iterator[Claim]:
        gave_up = and_(_gave_up_below(max_retries), self._of(carriers))
        return self._reassess(gave_up, _c.pod_retry_count, assess, now)

    def unshelve(self, skip: Collection[str], assess: Assess, now: datetime) -> Iterator[Claim]:
        return self._reassess(_unshelved(self.columns, skip), _status(self.columns), assess, now)

    def repair_times(self, horizon: datetime, retime: Assess, now: datetime) -> Iterator[Claim]:
        for stage in _TIMED:
            yield from self._reassess(_beyond(stage, horizon), _c.pod_next_retry_at, retime, now)

    def _reassess(
        self, condition: ColumnElement[bool], key: Any, assess: Assess, now: datetime
    ) -> Iterator[Claim]:
        """Assess the rows of a condition in the order of `key`, which is its index's.

        In another order, or in none, either kind of database may prefer to read the whole table.
        """
        within = condition, free(now)
        query = select(*readable_columns(self.columns)).where(*within).order_by(key).limit(CHUNK)
        done: set[Any] = set()
        while found := [claim for claim in self._assess_chunk(query, assess, now) if claim.id not in done]:
            done.update(claim.id for claim in found)
            yield from found

    def _assess_chunk(self, query: Select[Any], assess: Assess, now: datetime) -> list[Claim]:
        with self.database.write() as connection:
            rows = connection.execute(query.with_for_update(skip_locked=True))
            found = read_claims(rows, self.catalog, self.redact)
            states = [(claim, assess(claim)) for claim in found]
            self._write(connection, states, seen=True)
            note_assessed(connection, states, now)
        return found

    def _write(self, connection: Connection, states: list[tuple[Claim, State]], *, seen: bool) -> None:
        """`seen`: they were assessed on what the rows hold now."""
        if not states:
            return
        rows = [(claim, state_values(claim, state)) for claim, state in states]
        statement = update_rows(rows[0][1])
        if seen:
            statement = statement.values(seen_values(has_deadline="response_deadline" in self.columns))
        connection.execute(statement, [parameters(claim, values) for claim, values in rows])

    # ---------------------------------------------------------------- carriers and credentials that come and go

    def repair_keys(self) -> list[str]:
        with self.database.read() as connection:
            found = {
                # As texts: another program may have left anything there.
                stage: {str(key) for key in connection.scalars(carrier_keys(stage)) if key is not None}
                for stage in (Stage.READY, Stage.NEW)
            }
            before = _known_before(connection)
            gone = _gone(connection, self.catalog, found[Stage.READY] | found[Stage.NEW])
        for stage, keys in found.items():
            self._repair_stage(stage, keys, gone)
        configured = {key: key in self.catalog.configured for key in self.catalog.specs}
        if not before.has_changed_accounts and before.configured == configured:
            return []
        with self._alone() as connection:
            before = _known_before(connection)
            changed = {key for key, has in configured.items() if before.configured.get(key) is not has}
            is_new = any(key not in before.configured for key in changed)
            affected = _affected(self.catalog, changed, is_new=is_new)
            in_question = (
                _c.pod_stage.is_not(None),
                _c.pod_carrier_key.in_(self.catalog.accounts_of(affected)),
            )
            assessed_anew = and_(*in_question)
            if changed:
                connection.execute(update(claims).where(assessed_anew).values(pod_rank_at=None))
            for key in changed:
                values: dict[str, Any] = {"configured": configured[key]}
                upsert = insert_into(accounts, connection.dialect.name).values(values | {"carrier": key})
                connection.execute(upsert.on_conflict_do_update(index_elements=["carrier"], set_=values))
            of_clients = self._apply_changes(connection) if before.has_changed_accounts else set()
        return sorted(of_clients | (changed if before.configured else set()))

    def _repair_stage(self, stage: Stage, keys: Collection[str], gone: Collection[str]) -> None:
        """Have claims assessed again that no run would look for, or that stand in a lane that is none any more."""
        catalog = self.catalog
        known = ["", *catalog.specs]
        if any(key not in known and carrier_of(key) not in catalog.specs for key in keys):
            self._assess_again(stage, ~of_carriers(known), pod_carrier_key=None)
        for key in sorted(set(keys).intersection(gone)):
            self._assess_again(stage, _c.pod_carrier_key == key, pod_carrier_key=None)
        # A run that did not know of a client's account yet may have left claims where nothing opens.
        closed = set(keys).intersection(catalog.specs) - catalog.configured
        has_clients = {key for own in catalog.of_clients.values() for key in own}
        for key in sorted(closed & has_clients):
            has_account = exists().where(_a.client_id == _c.client_id, _a.carrier == key, in_use())
            lost = _c.pod_carrier_key == key, _c.pod_account_id.is_(None), has_account
            self._assess_again(stage, and_(*lost), pod_rank_at=None)

    def _assess_again(self, stage: Stage, which: ColumnElement[bool], **values: None) -> None:
        rows = and_(at_stage(stage), which)
        with self.database.read() as connection:
            if connection.execute(select(_c.id).where(rows).limit(1)).first() is None:
                return
        with self._alone() as connection:
            connection.execute(update(claims).where(rows).values(values))

    def _apply_changes(self, connection: Connection) -> set[str]:
        """Have the claims of clients follow what was changed of their accounts; the keys of the carriers concerned.

        What this run does not know of yet is left to the next one. Those who change an account meanwhile wait.
        """
        changed = select(_a.id, _a.client_id, _a.carrier, in_use().label("is_used"))
        rows = connection.execute(changed.where(_a.is_applied.is_(False)).with_for_update()).all()
        of_clients = self.catalog.of_clients
        known = [
            row
            for row in rows
            if of_clients.get(row.client_id, {}).get(row.carrier) == (row.id if row.is_used else None)
        ]
        for first in range(0, len(known), CHUNK):
            ids = [row.id for row in known[first : first + CHUNK]]
            these = _a.id.in_(ids)
            if "client_id" in self.columns:
                concerned = _concerned(self.catalog, these)
                values = {"pod_rank_at": None, "pod_account_id": None}
                connection.execute(update(claims).where(*concerned).values(values))
            connection.execute(update(client_accounts).where(these).values(is_applied=True))
        return {row.carrier for row in known}

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A transaction that changes rows in no order: two of its kind at once could block each other."""
        with self.database.long(), self.database.write() as connection:
            if not self.database.is_sqlite:
                connection.execute(text(f"LOCK TABLE {accounts.name} IN SHARE ROW EXCLUSIVE MODE"))
            yield connection

    # ---------------------------------------------------------------- what other programs lock

    def passed_over(
        self, due_until: datetime, max_retries: int, now: datetime, settled_of: Collection[str] | None = None
    ) -> set[Any]:
        if self.database.is_sqlite:  # a writer has the whole database, and others wait for it
            return set()
        with self.database.read() as connection:
            wanted = self._left(due_until, max_retries, now, settled_of)
            return {found for rows, order in wanted for found in some_ids(connection, rows, order)}

    def locked_ids(
        self, due_until: datetime, max_retries: int, now: datetime, settled_of: Collection[str] | None = None
    ) -> set[Any]:
        if self.database.is_sqlite:
            return set()
        with self.database.write() as connection:
            wanted = self._left(due_until, max_retries, now, settled_of)
            return {found for rows, order in wanted for found in locked_ids(connection, rows, order)}

    def _left(
        self, due_until: datetime, max_retries: int, now: datetime, settled_of: Collection[str] | None
    ) -> list[tuple[ColumnElement[bool], Any]]:
        """What is still to be done, each in the order of its index."""
        not_exhausted = exhausted(max_retries).is_not(true())  # those are for `adopt_exhausted`
        wanted: list[tuple[ColumnElement[bool], Any]] = [
            (and_(_edited(self.columns), not_exhausted, free(now)), _c.id),
            (_due(Stage.WAITING, due_until), _c.pod_next_retry_at),
        ]
        if settled_of is not None:
            wanted.append((self._passing(due_until, settled_of, now), _c.pod_next_retry_at))
        return wanted

    # ---------------------------------------------------------------- retries that are due

    def stage_due(self, due_until: datetime) -> None:
        """Make claims ready whose retry is due; one without a carrier key is assessed again.

        One of which others took care meanwhile is at no stage, and assessed again should it be failed or pending again.
        """
        key = case((of_carriers(["", *self.catalog.specs]), _c.pod_carrier_key))
        stage = case((is_failed(), Stage.READY), (is_ours(), Stage.NEW))
        self._change(_due(Stage.WAITING, due_until), {"pod_stage": stage, "pod_carrier_key": key})
        self._change(and_(_due(Stage.SETTLED, due_until), is_ours().is_not(true())), {"pod_stage": None})

    def _change(self, which: ColumnElement[bool], values: dict[str, Any]) -> None:
        rows = which
        statement = update(claims).where(rows).values(values)
        if not self.database.is_sqlite:  # rows that others have locked are theirs to stage, not to wait for
            free_rows = select(_c.id).where(rows).with_for_update(skip_locked=True)
            statement = statement.where(_c.id.in_(free_rows))
        with self.database.long(), self.database.write() as connection:
            connection.execute(statement)

    def _passing(self, due_until: datetime, carriers: Collection[str], now: datetime) -> ColumnElement[bool]:
        due = _due(Stage.SETTLED, due_until), self._of(carriers)
        return and_(*due, free(now), unedited())

    def _of(self, carriers: Collection[str]) -> ColumnElement[bool]:
        """Claims that any account of these carriers serves; none named: all."""
        return _c.pod_carrier_key.in_(sorted(self.catalog.accounts_of(carriers))) if carriers else true()

    def pass_retries(
        self,
        due_until: datetime,
        pass_retry: Callable[[Claim], Decision | None],
        now: datetime,
        carriers: Collection[str] = (),
    ) -> Iterator[tuple[Claim, Decision]]:
        due = self._passing(due_until, carriers, now)
        query = select(*readable_columns(self.columns)).where(due).order_by(_c.pod_next_retry_at).limit(CHUNK)
        return self._decide(query, pass_retry, now, give_up=False)

    def expire(
        self,
        stage: Stage,
        before: datetime,
        expire: Callable[[Claim], Decision | None],
        now: datetime,
        carriers: Collection[str] = (),
    ) -> Iterator[tuple[Claim, Decision]]:
        over = and_(expiring(), _c.pod_expire_from <= before, func.coalesce(_c.pod_interruptions, 0) == 0)
        at_that_stage = case((at_stage(stage), true()), else_=false())
        query = (
            select(*readable_columns(self.columns))
            .where(over, self._of(carriers), at_that_stage)
            .where(still_ours(), free(now), unedited())
            .order_by(_c.pod_expire_from)
            .limit(CHUNK)
        )
        with self.database.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return
        yield from self._decide(query, expire, now, give_up=True)

    def _decide(
        self, query: Select[Any], decide: Callable[[Claim], Decision | None], now: datetime, *, give_up: bool
    ) -> Iterator[tuple[Claim, Decision]]:
        """Decide on the rows of a query until there are no more; `give_up`: what the service reads is written too."""
        while True:
            with self.database.write() as connection:
                rows = connection.execute(query.with_for_update(skip_locked=True))
                found = [(claim, decide(claim)) for claim in read_claims(rows, self.catalog, self.redact)]
                states = [
                    (claim, decision.state if decision else replace(claim.state, stage=Stage.SHELVED))
                    for claim, decision in found
                ]
                self._write(connection, states, seen=False)
                note_put_aside(connection, states, now)
                decided = [(claim, decision) for claim, decision in found if decision]
                events = [(claim.id, event) for claim, decision in decided for event in decision.events]
                add_events(connection, events, self.run_id, now)
                if give_up and decided:
                    said = [(claim, told_columns(decision, self.language)) for claim, decision in decided]
                    connection.execute(_GIVE_UP, [parameters(claim, values) for claim, values in said])
            yield from decided
            if len(found) < CHUNK:
                return


# ---------------------------------------------------------------- the conditions


@cache
def _behind(
    columns: frozenset[str],
    skip: tuple[str, ...],
    max_retries: int,
) -> CompoundSelect[Any]:
    """Whether any row waits for a run. Parameters: `due_until`, `horizon`, `moments`."""
    time, is_free = _c.pod_next_retry_at.type, free_at_moment()
    due_until, horizon = bindparam("due_until", type_=time), bindparam("horizon", type_=time)
    looked_for = [
        (and_(_edited(columns), is_free), _c.id),
        (and_(_unshelved(columns, skip), is_free), _status(columns)),
        (and_(_gave_up_below(max_retries), is_free), _c.pod_retry_count),
        *((and_(_beyond(stage, horizon), is_free), _c.pod_next_retry_at) for stage in _TIMED),
        *((_due(stage, due_until), _c.pod_next_retry_at) for stage in _TIMED),
    ]
    # Each in its own order, as the methods look for them; see _reassess.
    firsts = [
        select(_c.id).where(condition).order_by(key).limit(1).subquery() for condition, key in looked_for
    ]
    return union_all(*(select(first.c.id) for first in firsts)).limit(1)


def _edited(columns: frozenset[str]) -> ColumnElement[bool]:
    return edited(with_deadline="response_deadline" in columns)


def _unshelved(columns: frozenset[str], skip: Collection[str]) -> ColumnElement[bool]:
    if "status" not in columns:
        return and_(at_stage(Stage.SHELVED), still_ours())
    trimmed = func.trim(_c.status)
    # Capitals as people write them: a database may know the lower case of unaccented letters only.
    spellings = sorted({form(status) for status in skip for form in (str.upper, str.capitalize)})
    others = and_(func.lower(trimmed).not_in(sorted(skip)), trimmed.not_in(spellings))
    return and_(at_stage(Stage.SHELVED), or_(_c.status.is_(None), others), still_ours())


def _status(columns: frozenset[str]) -> Any:
    return _c.status if "status" in columns else None


def _gave_up_below(max_retries: int) -> ColumnElement[bool]:
    below = and_(at_stage(Stage.GIVEN_UP), _c.pod_retry_count < max_retries)
    return and_(below, _c.pod_expired_at.is_(None), still_ours())


def _beyond(stage: Stage, horizon: Any) -> ColumnElement[bool]:
    of_backoff = awaits_retry() if stage is Stage.WAITING else at_stage(stage)
    return and_(of_backoff, _c.pod_next_retry_at > horizon, still_ours())


def _due(stage: Stage, due_until: Any) -> ColumnElement[bool]:
    return and_(at_stage(stage), _c.pod_next_retry_at <= due_until)


def _affected(catalog: Catalog, changed: Collection[str], *, is_new: bool) -> list[str]:
    """The keys of claims that another account may serve than before; "": of carriers that were not known."""
    shared = {
        key
        for substitute in catalog.substitutes
        if {substitute.claimed, substitute.served_by} & set(changed)
        for key in (substitute.claimed, substitute.served_by)
    }
    return sorted(shared | ({""} if is_new else set()))


# ---------------------------------------------------------------- accounts that come and go


class _Before(NamedTuple):
    """What the last run left: which carriers the house had credentials for, and whether clients' accounts were changed since."""

    configured: dict[str, bool]
    has_changed_accounts: bool


def _known_before(connection: Connection) -> _Before:
    """In one statement: most runs find nothing changed."""
    to_apply = select(literal("", Text), true()).where(exists().where(_a.is_applied.is_(False)))
    query = select(accounts.c.carrier, accounts.c.configured).union_all(to_apply)
    found: dict[str, bool] = dict(tuple(row) for row in connection.execute(query))
    return _Before({key: is_it for key, is_it in found.items() if key}, "" in found)


def _gone(connection: Connection, catalog: Catalog, keys: Collection[str]) -> set[str]:
    """Those of these keys that are of no account any more. One that this run does not know may be newer than what it knows."""
    unknown = set(keys) - {"", *catalog.accounts_of(catalog.specs)}
    of_accounts = {key for key in unknown if carrier_of(key) in catalog.specs}
    if not of_accounts:
        return set()
    used = connection.execute(select(_a.carrier, _a.id).where(in_use())).all()
    return of_accounts - {str(AccountKey(carrier, number)) for carrier, number in used}


def _concerned(catalog: Catalog, these: ColumnElement[bool]) -> ColumnElement[bool]:
    """Open claims that another account than now is to serve, by these accounts of their clients; and those that remember one."""
    key, of_carrier = _c.pod_carrier_key, _a.carrier
    serves = or_(key == of_carrier, func.substr(key, 1, func.length(of_carrier) + 1) == of_carrier + "#")
    partners = [
        and_(of_carrier == one, of_carriers([other]))
        for substitute in catalog.substitutes
        for one, other in (
            (substitute.served_by, substitute.claimed),
            (substitute.claimed, substitute.served_by),
        )
    ]
    expected = case((in_use(), of_carrier + "#" + cast(_a.id, Text)), else_=of_carrier)
    moves = or_(and_(serves, or_(_c.pod_account_id.is_not(None), key != expected)), *partners)
    return and_(_c.pod_stage.is_not(None), exists().where(these, _a.client_id == _c.client_id, moves))
