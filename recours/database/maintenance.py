"""Keeping the timetable in the rows: assessing edited ones, making due ones ready, letting settled turns pass."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    case,
    false,
    func,
    or_,
    select,
    text,
    true,
    type_coerce,
    union_all,
    update,
)

from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage, State, tidy_number
from recours.core.decision import Decision
from recours.core.error_text import classify
from recours.core.errors import ErrorKind
from recours.database.claims import carrier_keys
from recours.database.engine import Database
from recours.database.event_outbox import add_events, insert_into, write_events
from recours.database.lenient_reader import MOST_RETRIES, read_claims
from recours.database.predicates import EVERYTHING, Reach, at_stage, edited, expiring, is_ours, still_ours
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
    told_columns,
    unedited,
    update_states,
)
from recours.database.schema.ranks import repair_ranks
from recours.database.tables import accounts, claims

# Rows of one transaction: short enough that nobody waits long for the write lock.
CHUNK = 500
PORTION = 2000  # where few statements write many rows; the service waits for one at most
_c = claims.c

# The stages of claims that wait for their next turn.
_TIMED = (Stage.WAITING, Stage.SETTLED)

Assess = Callable[[Claim], State]

_GIVE_UP = (
    update(claims)
    .where(_c.id == bindparam("which"))
    .values(
        pod_fetch_status=FetchStatus.FAILED,
        pod_seen_status=FetchStatus.FAILED,
        **{
            name: bindparam(f"to_{name}", type_=_c[name].type)
            for name in ("pod_fetch_error", "pod_error_key", "pod_error_words")
        },
    )
)


@dataclass(frozen=True)
class ClaimMaintenance:
    """The timetable in the rows, kept by one run."""

    database: Database
    catalog: Catalog
    columns: frozenset[str]  # those that `claims` has
    run_id: str
    redact: Callable[[str], str] = str  # takes secrets out of what other software wrote
    reach: Reach = EVERYTHING
    language: str = "en"  # of pod_fetch_error

    def is_behind(
        self, due_until: datetime, horizon: datetime, max_retries: int, skip: Collection[str], now: datetime
    ) -> bool:
        """Tell whether any row waits for what the methods below do: most runs find none, and look once instead of often."""
        query = _behind(self.columns, tuple(sorted(skip)), max_retries, self.reach)
        bounds = {"due_until": due_until, "horizon": horizon, **moments(now, "")}
        with self.database.read() as connection:
            return connection.execute(query, bounds).first() is not None

    def assess_edited(
        self, assess: Assess, now: datetime, exhausted_at: int | None = None
    ) -> Iterator[Claim]:
        """Assess every row that is new to us or that others edited since; yields what was read.

        `exhausted_at`: but for those that `adopt_exhausted` is for.
        """
        wanted = and_(_edited(self.columns), free(now), self.reach.rows())
        if exhausted_at is not None:
            wanted = and_(wanted, _exhausted(exhausted_at).is_not(true()))
        query = select(*readable_columns(self.columns)).where(wanted).order_by(_c.id).limit(CHUNK)
        found = self._assess_chunk(query, assess)
        while found:  # each row once, even one that goes on to look edited
            yield from found
            found = self._assess_chunk(query.where(_c.id > found[-1].id), assess)

    def repair_ranks(self, rank: Assess) -> int:
        """Give the claims of an older version their place in the order of today, once; how many."""
        return repair_ranks(self.database, self.catalog, self.columns, rank)

    def adopt_exhausted(self, max_retries: int, now: datetime) -> Iterator[int]:
        """Have failures whose retries other software used up count as given up; how many, a portion at a time.

        It is the past, so no event and no mail. What `assess` makes of each is a function of few values, so that few statements
        write a portion.
        """
        wanted = _edited(self.columns), _exhausted(max_retries), free(now), self.reach.rows()
        query = select(*_OF_EXHAUSTED).where(*wanted).order_by(_c.id).limit(PORTION)
        is_sqlite = self.database.is_sqlite
        adopt = _adopt(is_sqlite=is_sqlite, has_deadline="response_deadline" in self.columns)
        further = query
        while True:
            with self.database.write() as connection:
                if not is_sqlite:
                    connection.execute(_IN_ORDER)
                rows = connection.execute(further.with_for_update(skip_locked=True)).all()
                verdicts = [self._verdict(*row) for row in rows]
                for values in _in_groups(verdicts) if is_sqlite else _in_lists(verdicts):
                    connection.execute(adopt, values | {"to_moment": now})
            yield len(rows)
            if len(rows) < PORTION:
                return
            further = query.where(_c.id > rows[-1].id)

    def _verdict(self, claim_id: Any, carrier: Any, number: Any, error: Any) -> "_Verdict":
        tidied = tidy_number(_as_text(number))
        kind = classify(_as_text(error)) if tidied else ErrorKind.INVALID_TRACKING
        return claim_id, self.catalog.resolve(_as_text(carrier) or "", tidied) or "", kind.value

    def repair_keys(self) -> list[str]:
        """Have rows assessed again that no run would look for, or that another carrier's account serves today.

        Returns the keys of the carriers whose credentials came or went since the last run, or that are new to us.
        """
        known = self._known_keys()
        with self.database.read() as connection:
            found = {
                stage: set(connection.scalars(carrier_keys(stage))) for stage in (Stage.READY, Stage.NEW)
            }
            before = self._accounts_then(connection)
        for stage, keys in found.items():
            if not keys <= {None, *known}:
                stray = and_(at_stage(stage), _c.pod_carrier_key.not_in(known), self.reach.rows())
                with self._alone() as connection:
                    connection.execute(update(claims).where(stray).values(pod_carrier_key=None))
        return self._repair_accounts(before)

    def _repair_accounts(self, before: dict[str, bool]) -> list[str]:
        configured = {key: key in self.catalog.configured for key in self.catalog.specs}
        if all(before.get(key) is has for key, has in configured.items()):
            return []
        with self._alone() as connection:
            before = self._accounts_then(connection)
            changed = {key for key, has in configured.items() if before.get(key) is not has}
            affected = _affected(self.catalog, changed, is_new=any(key not in before for key in changed))
            in_question = _c.pod_stage.is_not(None), _c.pod_carrier_key.in_(affected)
            assessed_anew = and_(*in_question, self.reach.rows())
            connection.execute(update(claims).where(assessed_anew).values(pod_rank_at=None))
            for key, has in configured.items():
                values: dict[str, Any] = {"configured": has}
                upsert = insert_into(accounts, connection.dialect.name).values(values | {"carrier": key})
                connection.execute(upsert.on_conflict_do_update(index_elements=["carrier"], set_=values))
        return sorted(changed) if before else []

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A transaction that changes rows in no order: two of its kind at once could block each other."""
        with self.database.long(), self.database.write() as connection:
            if not self.database.is_sqlite:
                connection.execute(text(f"LOCK TABLE {accounts.name} IN SHARE ROW EXCLUSIVE MODE"))
            yield connection

    @staticmethod
    def _accounts_then(connection: Connection) -> dict[str, bool]:
        rows = connection.execute(select(accounts.c.carrier, accounts.c.configured)).all()
        return {row.carrier: row.configured for row in rows}

    def _known_keys(self) -> list[str]:
        return ["", *sorted(self.catalog.specs)]

    def revive_exhausted(
        self, max_retries: int, assess: Assess, now: datetime, carriers: Collection[str] = ()
    ) -> Iterator[Claim]:
        """Give a next turn to claims of these carriers (none named: of all) that gave up under a lower limit."""
        gave_up = and_(_gave_up_below(max_retries), _of(carriers))
        yield from self._reassess(gave_up, _c.pod_retry_count, assess, now)

    def unshelve(self, skip: Collection[str], assess: Assess, now: datetime) -> Iterator[Claim]:
        """Assess again the shelved claims whose status is no longer one of `skip` (lower case)."""
        yield from self._reassess(_unshelved(self.columns, skip), _status(self.columns), assess, now)

    def repair_times(self, horizon: datetime, retime: Assess, now: datetime) -> Iterator[Claim]:
        """Recompute turns that lie after `horizon`: no timetable can have made them."""
        for stage in _TIMED:
            yield from self._reassess(_beyond(stage, horizon), _c.pod_next_retry_at, retime, now)

    def passed_over(
        self, due_until: datetime, max_retries: int, now: datetime, settled_of: Collection[str] | None = None
    ) -> set[Any]:
        """The ids of claims that the methods above and below have left: another program held them a moment ago.

        `settled_of`: also settled ones of these carriers (an empty collection: of all) whose turn is to pass.
        """
        if self.database.is_sqlite:  # a writer has the whole database, and others wait for it
            return set()
        with self.database.read() as connection:
            wanted = self._left(due_until, max_retries, now, settled_of)
            return {found for rows, order in wanted for found in some_ids(connection, rows, order)}

    def locked_ids(
        self, due_until: datetime, max_retries: int, now: datetime, settled_of: Collection[str] | None = None
    ) -> set[Any]:
        """Those of `passed_over` that another program holds now."""
        if self.database.is_sqlite:
            return set()
        with self.database.write() as connection:
            wanted = self._left(due_until, max_retries, now, settled_of)
            return {found for rows, order in wanted for found in locked_ids(connection, rows, order)}

    def _left(
        self, due_until: datetime, max_retries: int, now: datetime, settled_of: Collection[str] | None
    ) -> list[tuple[ColumnElement[bool], Any]]:
        """What is still to be done, each in the order of its index."""
        exhausted = _exhausted(max_retries).is_not(true())  # those are for `adopt_exhausted`
        within = self.reach.rows()
        wanted: list[tuple[ColumnElement[bool], Any]] = [
            (and_(_edited(self.columns), exhausted, free(now), within), _c.id),
            (and_(_due(Stage.WAITING, due_until), within), _c.pod_next_retry_at),
        ]
        if settled_of is not None:
            wanted.append((self._passing(due_until, settled_of, now), _c.pod_next_retry_at))
        return wanted

    def stage_due(self, due_until: datetime) -> None:
        """Put the claims whose turn has come among the ready ones; one without a carrier key is assessed again.

        One of which others took care meanwhile is at no stage, and assessed again should it be failed or pending again.
        """
        key = case((_c.pod_carrier_key.in_(self._known_keys()), _c.pod_carrier_key))
        stage = case((is_failed(), Stage.READY), (is_ours(), Stage.NEW))
        self._change(_due(Stage.WAITING, due_until), {"pod_stage": stage, "pod_carrier_key": key})
        self._change(and_(_due(Stage.SETTLED, due_until), is_ours().is_not(true())), {"pod_stage": None})

    def _change(self, which: ColumnElement[bool], values: dict[str, Any]) -> None:
        rows = and_(which, self.reach.rows())
        statement = update(claims).where(rows).values(values)
        with self.database.long(), self.database.write() as connection:
            if (
                not self.database.is_sqlite
            ):  # rows that others have locked are theirs to make ready, not to wait for
                free_rows = select(_c.id).where(rows).with_for_update(skip_locked=True)
                statement = statement.where(_c.id.in_(free_rows))
            connection.execute(statement)

    def _passing(self, due_until: datetime, carriers: Collection[str], now: datetime) -> ColumnElement[bool]:
        """Settled claims whose turn has come."""
        return and_(_due(Stage.SETTLED, due_until), _of(carriers), free(now), unedited(), self.reach.rows())

    def pass_retries(
        self,
        due_until: datetime,
        pass_retry: Callable[[Claim], Decision | None],
        now: datetime,
        carriers: Collection[str] = (),
    ) -> Iterator[tuple[Claim, Decision]]:
        """Let the due turns of settled claims of these carriers (none named: of all) pass, with their events.

        A claim without a decision is shelved. Every row that is handled leaves the condition: its next turn lies in the
        future, or its stage changes.
        """
        due = self._passing(due_until, carriers, now)
        query = select(*readable_columns(self.columns)).where(due).order_by(_c.pod_next_retry_at).limit(CHUNK)
        while True:
            with self.database.write() as connection:
                rows = connection.execute(query.with_for_update(skip_locked=True))
                found = read_claims(rows, self.catalog, self.redact)
                decided = [(claim, pass_retry(claim)) for claim in found]
                self._write_passed(connection, decided, now)
            yield from ((claim, decision) for claim, decision in decided if decision)
            if len(found) < CHUNK:
                return

    def expire(
        self,
        stage: Stage,
        before: datetime,
        expire: Callable[[Claim], Decision | None],
        now: datetime,
        carriers: Collection[str] = (),
    ) -> Iterator[tuple[Claim, Decision]]:
        """Give up the ready claims at this stage whose deadline has long passed, with their events; see `is_expired`.

        Those of these carriers (none named: of all) whose time has run since `before` at least. A claim without a
        decision is shelved.
        """
        over = and_(expiring(), _c.pod_expire_from <= before, func.coalesce(_c.pod_interruptions, 0) == 0)
        theirs = (
            _of(carriers),
            case((at_stage(stage), true()), else_=false()),
            still_ours(),
            free(now),
            unedited(),
            self.reach.rows(),
        )
        query = (
            select(*readable_columns(self.columns))
            .where(over, *theirs)
            .order_by(_c.pod_expire_from)
            .limit(CHUNK)
        )
        with self.database.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return
        while True:
            with self.database.write() as connection:
                rows = connection.execute(query.with_for_update(skip_locked=True))
                decided = [(claim, expire(claim)) for claim in read_claims(rows, self.catalog, self.redact)]
                self._write_expired(connection, decided, now)
            yield from ((claim, decision) for claim, decision in decided if decision)
            if len(decided) < CHUNK:
                return

    def _write_expired(
        self, connection: Connection, decided: list[tuple[Claim, Decision | None]], now: datetime
    ) -> None:
        self._write(
            connection, [(claim, _or_shelved(claim, decision)) for claim, decision in decided], seen=False
        )
        given_up = [(claim, decision) for claim, decision in decided if decision]
        told = [(claim.id, event) for claim, decision in given_up for event in decision.events]
        add_events(connection, told, self.run_id, now)
        if given_up:
            rows = [
                {"which": claim.id}
                | {f"to_{name}": value for name, value in told_columns(decision, self.language).items()}
                for claim, decision in given_up
            ]
            connection.execute(_GIVE_UP, rows)

    def _write_passed(
        self, connection: Connection, decided: list[tuple[Claim, Decision | None]], now: datetime
    ) -> None:
        for claim, decision in decided:
            if decision:
                write_events(connection, claim.id, decision.events, self.run_id, now)
        self._write(
            connection, [(claim, _or_shelved(claim, decision)) for claim, decision in decided], seen=False
        )

    def _reassess(
        self, condition: ColumnElement[bool], key: Any, assess: Assess, now: datetime
    ) -> Iterator[Claim]:
        """Assess the rows of a condition in the order of `key`, which is its index's.

        In another order, or in none, either kind of database may prefer to read the whole table.
        """
        within = condition, free(now), self.reach.rows()
        query = select(*readable_columns(self.columns)).where(*within).order_by(key).limit(CHUNK)
        done: set[Any] = set()
        while found := [claim for claim in self._assess_chunk(query, assess) if claim.id not in done]:
            done.update(claim.id for claim in found)
            yield from found

    def _assess_chunk(self, query: Select[Any], assess: Assess) -> list[Claim]:
        with self.database.write() as connection:
            rows = connection.execute(query.with_for_update(skip_locked=True))
            found = read_claims(rows, self.catalog, self.redact)
            self._write(connection, [(claim, assess(claim)) for claim in found], seen=True)
        return found

    def _write(self, connection: Connection, states: list[tuple[Claim, State]], *, seen: bool) -> None:
        if states:
            statement = update_states(seen=seen, has_deadline="response_deadline" in self.columns)
            connection.execute(statement, [parameters(claim, state) for claim, state in states])


def _or_shelved(claim: Claim, decision: Decision | None) -> State:
    return decision.state if decision else replace(claim.state, stage=Stage.SHELVED)


_OF_EXHAUSTED = (
    _c.id,
    type_coerce(_c.carrier, Text).label("carrier"),
    type_coerce(_c.tracking_number, Text).label("number"),
    type_coerce(_c.pod_fetch_error, Text).label("error"),
)


def _exhausted(max_retries: int) -> ColumnElement[bool]:
    """Failures that we never assessed, with all retries used. In SQLite a text is more than any number: hence the most."""
    first_sight = and_(is_failed(), _c.pod_stage.is_(None), _c.pod_seen_status.is_(None))
    return and_(first_sight, _c.pod_retry_count >= max_retries, _c.pod_retry_count <= MOST_RETRIES)


# Of a table that was just loaded PostgreSQL has no statistics, and would sort all of it for each portion.
_IN_ORDER = text("SET LOCAL enable_sort = off")

# Of a claim to be adopted: its id, the key of its carrier, the kind of its error.
_Verdict = tuple[Any, str, str]


def _in_lists(verdicts: Sequence[_Verdict]) -> list[dict[str, Any]]:
    """The parameters of `_adopt` on PostgreSQL."""
    if not verdicts:
        return []
    ids, keys, kinds = map(list, zip(*verdicts, strict=True))
    return [{"ids": ids, "to_keys": keys, "to_kinds": kinds, "lowest": ids[0], "highest": ids[-1]}]


def _in_groups(verdicts: Sequence[_Verdict]) -> list[dict[str, Any]]:
    """The parameters of `_adopt` on SQLite, a set for each key and kind."""
    ids: dict[tuple[str, str], list[Any]] = {}
    for claim_id, key, kind in verdicts:
        ids.setdefault((key, kind), []).append(claim_id)
    return [{"ids": alike, "to_key": key, "to_kind": kind} for (key, kind), alike in ids.items()]


@cache
def _adopt(*, is_sqlite: bool, has_deadline: bool) -> Update:
    """Parameters: `to_moment`, and those of `_in_groups` or `_in_lists`.

    PostgreSQL would spend as much on a parameter for each id, or on a statement for each of a hundred groups, as on the
    update itself.
    """
    rows: ColumnElement[bool]
    key: ColumnElement[Any]
    kind: ColumnElement[Any]
    if is_sqlite:
        rows = _c.id.in_(bindparam("ids", expanding=True))
        key, kind = bindparam("to_key"), bindparam("to_kind")
    else:
        lists = (("ids", BigInteger), ("to_keys", Text), ("to_kinds", Text))
        unnested = func.unnest(*(bindparam(name, type_=ARRAY(of)) for name, of in lists))
        found = unnested.table_valued("id", "key", "kind").render_derived(name="found")
        # The bounds are for the planner, which might read the table or an index from its beginning.
        rows = and_(_c.id == found.c.id, _c.id.between(bindparam("lowest"), bindparam("highest")))
        key, kind = found.c.key, found.c.kind
    moment = bindparam("to_moment", type_=_c.pod_failed_at.type)
    values: dict[str, Any] = {
        "pod_stage": Stage.GIVEN_UP,
        "pod_carrier_key": key,
        "pod_error_kind": kind,
        "pod_failed_at": moment,
        "pod_next_retry_at": None,
        "pod_rank_at": moment,
        "pod_rank_is_deadline": 0,
        "pod_interruptions": 0,
        "pod_seen_count": _c.pod_retry_count,
    }
    return update(claims).where(rows).values(values | seen_values(has_deadline=has_deadline))


def _as_text(value: Any) -> str | None:
    return (
        value if isinstance(value, str) else None if value is None or isinstance(value, bytes) else str(value)
    )


@cache
def _behind(
    columns: frozenset[str], skip: tuple[str, ...], max_retries: int, reach: Reach
) -> CompoundSelect[Any]:
    """Whether any row waits for a run. Parameters: `due_until`, `horizon` and `moments`."""
    moment, is_free = _c.pod_next_retry_at.type, free_at_moment()
    due_until, horizon = bindparam("due_until", type_=moment), bindparam("horizon", type_=moment)
    looked_for = [
        (and_(_edited(columns), is_free), _c.id),
        (and_(_unshelved(columns, skip), is_free), _status(columns)),
        (and_(_gave_up_below(max_retries), is_free), _c.pod_retry_count),
        *((and_(_beyond(stage, horizon), is_free), _c.pod_next_retry_at) for stage in _TIMED),
        *((_due(stage, due_until), _c.pod_next_retry_at) for stage in _TIMED),
    ]
    # Each in its own order, as the methods look for them; see _rejudge.
    firsts = [
        select(_c.id).where(wanted, reach.rows()).order_by(key).limit(1).subquery()
        for wanted, key in looked_for
    ]
    return union_all(*(select(first.c.id) for first in firsts)).limit(1)


def _edited(columns: frozenset[str]) -> ColumnElement[bool]:
    return edited(with_deadline="response_deadline" in columns)


def _unshelved(columns: frozenset[str], skip: Collection[str]) -> ColumnElement[bool]:
    if "status" not in columns:
        return and_(at_stage(Stage.SHELVED), still_ours())
    trimmed = func.trim(_c.status)
    others = and_(func.lower(trimmed).not_in(sorted(skip)), trimmed.not_in(_spellings(skip)))
    return and_(at_stage(Stage.SHELVED), or_(_c.status.is_(None), others), still_ours())


def _spellings(statuses: Collection[str]) -> list[str]:
    """How people write them in capitals: a database may know the lower case of unaccented letters only."""
    return sorted({form(status) for status in statuses for form in (str.upper, str.capitalize)})


def _status(columns: frozenset[str]) -> Any:
    return _c.status if "status" in columns else None


def _gave_up_below(max_retries: int) -> ColumnElement[bool]:
    below = and_(at_stage(Stage.GIVEN_UP), _c.pod_retry_count < max_retries)
    return and_(below, _c.pod_expired_at.is_(None), still_ours())


def _of(carriers: Collection[str]) -> ColumnElement[bool]:
    return _c.pod_carrier_key.in_(sorted(carriers)) if carriers else true()


def _beyond(stage: Stage, horizon: Any) -> ColumnElement[bool]:
    return and_(at_stage(stage), _c.pod_next_retry_at > horizon, still_ours())


def _due(stage: Stage, due_until: Any) -> ColumnElement[bool]:
    return and_(at_stage(stage), _c.pod_next_retry_at <= due_until)


def _affected(catalog: Catalog, changed: Collection[str], *, is_new: bool) -> list[str]:
    """The keys of claims that another account may serve than before; "": of carriers that we did not know."""
    shared = {
        key
        for substitute in catalog.substitutes
        if {substitute.claimed, substitute.served_by} & set(changed)
        for key in (substitute.claimed, substitute.served_by)
    }
    return sorted(shared | ({""} if is_new else set()))
