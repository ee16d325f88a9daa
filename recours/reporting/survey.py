"""Claims looked through for a plan, and for what may need a person; nothing is changed."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)

from recours.core.accounts import carrier_of
from recours.core.actions import ActionKind
from recours.core.carrier import Catalog
from recours.core.claim import DUE, IN_PROGRESS, Claim, Stage
from recours.core.errors import OUTAGE_KINDS, REFUSED_KINDS, TRAITS
from recours.database.border import Border
from recours.database.claim_rows import (
    as_dicts,
    const,
    free,
    moments,
    read_claim,
    read_claims,
    reading,
    reading_all,
    reading_without_ours,
)
from recours.database.claims import (
    leasable_ids,
    of_carriers,
)
from recours.database.engine import Database
from recours.database.schema.inspection import Schema
from recours.database.tables import (
    OPEN_STAGES,
    actions,
    at_stage,
    attempts,
    awaits_retry,
    claims,
    evidence,
    intake,
)
from recours.reporting.figures import (
    CORRECTABLE,
    ENDED,
    Check,
    FetchAnswer,
    InLine,
    ToCorrect,
    unavailable_since,
)
from recours.reporting.system import RefusedPiece

_a = attempts.c
_c = claims.c
_n = actions.c
_v = evidence.c
_A_DAY = timedelta(days=1)
_AT_ONCE = 1000  # rows in memory
_UNITED = 100  # queries in one statement: SQLite takes no more than 500


@dataclass(frozen=True)
class SurveyedClaim:
    """A claim as it was read. `edited`: the next run assesses it first. `leased`: a run has it in hand."""

    claim: Claim
    edited: bool
    leased: bool


def survey(
    database: Database, schema: Schema, catalog: Catalog, due_until: datetime, max_retries: int, now: datetime
) -> Iterator[SurveyedClaim]:
    """Every claim that runs have to do with whose retries come up to `due_until`, row by row, whatever the schema."""
    border = database.border
    with database.read() as connection:
        if schema.is_current:
            is_edited = or_(_c.to_assess == 1, border.differs)
            is_leased = ~free(now)
            queries = [reading(border, where) for where in _of_a_run(border, due_until, max_retries)]
            queries = [
                query.add_columns(is_edited.label("edited"), is_leased.label("leased")) for query in queries
            ]
            conditions = _without_a_row(border, read_mark(connection))
            queries += [_as_new(reading_all(border, *where)) for where in conditions]
        elif border.has("pod_fetch_status"):
            queries = [_as_new(reading_without_ours(border, border.is_worked_on))]
        else:
            queries = []
        for query in queries:
            for row in as_dicts(connection.execution_options(yield_per=_AT_ONCE).execute(query)):
                yield SurveyedClaim(read_claim(row, catalog), bool(row["edited"]), bool(row["leased"]))


def united(queries: Sequence[Select[*tuple[Any, ...]]]) -> Iterator[CompoundSelect[Any]]:
    """What these queries find, each in its own order and up to its own limit, by few statements; in no order."""
    for first in range(0, len(queries), _UNITED):
        parts = [query.subquery() for query in queries[first : first + _UNITED]]
        yield union_all(*(select(part) for part in parts))


def _as_new(query: Select[Any]) -> Select[Any]:
    return query.add_columns(true().label("edited"), false().label("leased"))


def _of_a_run(border: Border, due_until: datetime, max_retries: int) -> list[ColumnElement[bool]]:
    """The claims that we have rows of, in parts that an index answers each."""
    retry_comes = and_(at_stage(Stage.WAITING, Stage.SETTLED), _c.next_at <= due_until)
    goes_on = at_stage(Stage.READY, Stage.NEW, Stage.UNNUMBERED)
    is_edited = or_(_c.to_assess == 1, border.differs)
    is_tried_again = and_(_c.retries_used < max_retries, _c.expired_at.is_(None))
    return [
        and_(at_stage(*OPEN_STAGES), or_(goes_on, retry_comes, is_edited)),
        at_stage(Stage.SHELVED),
        and_(at_stage(Stage.GIVEN_UP), or_(is_tried_again, is_edited)),
    ]


class Mark(NamedTuple):
    """How far the claims have been taken in."""

    key: Any  # the highest that was; None: keys are no numbers, or there was no claim
    is_swept: bool  # whether the sweep has come to the end once


def read_mark(connection: Connection) -> Mark:
    row = connection.execute(select(intake.c.mark, intake.c.swept_at)).first()
    return Mark(row.mark, row.swept_at is not None) if row else Mark(None, is_swept=False)


def _without_a_row(border: Border, mark: Mark) -> list[list[ColumnElement[bool]]]:
    """The claims that are worked on and that no run has taken in: none, or the condition under which they are found.

    After the first round of the sweep only by their keys, or by the optional index.
    """
    has_no_row = [_c.claim_id.is_(None), border.is_worked_on]
    if not mark.is_swept:
        return [has_no_row]
    if border.key_is_number and mark.key is not None:
        return [[*has_no_row, border.key > mark.key]]
    return [[*has_no_row, border.is_pending]] if border.has_index else []


def unassessed(connection: Connection, border: Border, mark: Mark, limit: int) -> int:
    """How many claims that are worked on no run has taken in yet, counted up to `limit`."""
    count = 0
    for where in _without_a_row(border, mark):
        some = select(literal(1)).select_from(border.not_joined()).where(*where).limit(limit)
        count += connection.scalar(select(func.count()).select_from(some.subquery())) or 0
    return count


def most_urgent_claims(
    database: Database, catalog: Catalog, lane: str, limit: int, now: datetime
) -> list[Claim]:
    """The most urgent ready claims of an account, up to `limit` of each worker, by their index."""
    parameters = {"most": limit, **moments(now, ""), **database.dialect.lanes_named([lane])}
    with database.read() as connection:
        ids = [
            claim_id
            for stage in DUE
            for claim_id in connection.scalars(leasable_ids(stage, database.dialect, locks=False), parameters)
        ]
        return read_claims(connection.execute(reading(database.border, _c.claim_id.in_(ids))), catalog)


def _deadline_between(border: Border, since: datetime, until: datetime) -> ColumnElement[bool]:
    """Claims whose deadline is then, a day more on both sides: the zone of deadlines is looked at by the rules."""
    day = border.text("response_deadline")
    return and_(day >= (since - _A_DAY).date().isoformat(), day < f"{(until + _A_DAY).date().isoformat()}~")


def _evidence_may_end(catalog: Catalog, since: datetime, until: datetime) -> ColumnElement[bool]:
    """Claims that are ranked by what ends then; and those that wait for a number, which have a place only once they get it."""
    ranked = and_(_c.rank_is_deadline == 1, _c.rank_at >= since, _c.rank_at <= until)
    unnumbered = and_(at_stage(Stage.UNNUMBERED), of_carriers(catalog.evidence_days))
    return or_(ranked, unnumbered)


# Mails and attempts that one look goes through at most, and how far back.
_MOST = 5_000
_LONGEST_STREAK = timedelta(days=60)
_FIRST_ANSWERS = 50  # of a carrier; more only where all of them are failures
# Claims of one sort near their deadline that are looked at: of more there is no need to know how many.
_MOST_CLAIMS = 2_000


@dataclass(frozen=True)
class DatabaseTroubles:
    """One database whose schema is current."""

    database: Database
    catalog: Catalog
    redact: Callable[[str], str] = str

    def unavailable(self, now: datetime) -> dict[str, datetime]:
        """Since when carriers have been unavailable, by their keys; see `recours.reporting.figures`."""
        lately = select(_a.carrier).distinct().where(_a.started_at >= now - _A_DAY, _is_outage())
        with self.database.read() as connection:
            checks = _last_checks(connection, now - _LONGEST_STREAK)
            failing = {
                *connection.scalars(lately),
                *(key for key, check in checks.items() if check.is_failure),
            }
            answers = _answers(connection, sorted(failing), now)
        streaks = {key: unavailable_since(answers[key], checks.get(key), now) for key in sorted(failing)}
        return {key: since for key, since in streaks.items() if since}

    def to_correct(self, now: datetime, skipped: Collection[str], limit: int) -> list[ToCorrect]:
        """Claims to correct, those first that run out of time; up to `limit`. `skipped`: claim statuses, lower case."""
        columns = _c.claim_id, _c.lane, _c.seen_reference, _c.seen_deadline
        status = func.lower(func.trim(func.coalesce(_c.seen_claim_status, "")))
        query = select(*columns).where(
            at_stage(*ENDED),
            _c.rank_at > now,
            _c.lane != const(""),
            _c.kind.in_(sorted(CORRECTABLE)),
            status.not_in(sorted(skipped)),
        )
        rows = self.database.all(query.order_by(_c.rank_at, _c.claim_id).limit(limit))
        return [ToCorrect(row[0], row[1] or "", row[2] or "", row[3] or "") for row in rows]

    def settled_since(self, since: datetime) -> int:
        """How many claims an answer has settled since then, counted up to a limit."""
        kinds = sorted(kind for kind, traits in TRAITS.items() if traits.persistent)
        answered = select(_a.claim_id).distinct().where(_a.started_at >= since, _a.error_kind.in_(kinds))
        settled = select(_c.claim_id).where(_c.claim_id.in_(answered.limit(_MOST)), at_stage(Stage.SETTLED))
        settled = settled.where(_c.lane != const(""))  # unknown carriers are a matter of their own
        return self.database.scalar(select(func.count()).select_from(settled.subquery())) or 0

    def lines(
        self, lanes: Collection[str], stages: Sequence[Stage], now: datetime, limit: int
    ) -> dict[str, list[InLine]]:
        """The due claims of each of these accounts whose ranks are to come, in their order; up to `limit` of each."""
        queries = [
            select(_c.lane, _c.claim_id, _c.rank_at, _c.rank_is_deadline, _c.stage)
            .where(at_stage(stage), _c.lane == lane, _c.rank_is_deadline == is_deadline, _c.rank_at >= now)
            .order_by(_c.rank_at)
            .limit(limit)
            for lane, stage, is_deadline in product(lanes, stages, (0, 1))
        ]
        in_line: dict[str, list[InLine]] = {lane: [] for lane in lanes}
        for statement in united(queries):
            for lane, claim_id, rank_at, is_deadline, stage in self.database.all(statement):
                in_line[lane].append(InLine(claim_id, rank_at, bool(is_deadline), Stage(stage)))
        return {lane: sorted(some, key=attrgetter("rank_at"))[:limit] for lane, some in in_line.items()}

    def unassessed(self, mark: Mark) -> list[Claim]:
        """Claims that are worked on and that no run has taken in yet, up to a limit."""
        border = self.database.border
        with self.database.read() as connection:
            conditions = _without_a_row(border, mark)
            queries = [reading_all(border, *where).limit(_MOST_CLAIMS) for where in conditions]
            rows = [connection.execute(query) for query in queries]
            return [claim for some in rows for claim in read_claims(some, self.catalog, self.redact)]

    def read(self, ids: Sequence[Any], *where: ColumnElement[bool]) -> list[Claim]:
        """The claims of these ids, of which the next run sees nothing new; `where`: what else is true of them."""
        border = self.database.border
        claims_: list[Claim] = []
        with self.database.read() as connection:
            for first in range(0, len(ids), _AT_ONCE):
                some = _c.claim_id.in_(ids[first : first + _AT_ONCE])
                query = reading(border, some, *where, ~border.is_edited)
                claims_ += read_claims(connection.execute(query), self.catalog, self.redact)
        return claims_

    def refused_documents(self, since: datetime) -> dict[str, list[RefusedPiece]]:
        """The latest that carriers gave and that were refused, of claims without a proof, by the carriers' keys."""
        proof = evidence.alias("proof").c
        has_proof = exists().where(
            proof.claim_id == _v.claim_id, proof.refused.is_(None), proof.kind != "record"
        )
        query = select(_v.carrier, _v.claim_id, _v.path, _v.obtained_at).where(
            _v.refused.is_not(None), _v.obtained_at >= since, _v.by.is_(None), ~has_proof
        )
        pieces: dict[str, list[RefusedPiece]] = {}
        for carrier, *piece in self.database.all(query.order_by(_v.obtained_at.desc()).limit(_MOST)):
            pieces.setdefault(carrier, []).append(RefusedPiece(*piece))
        return pieces

    def refused_since(self, accounts: Collection[int], since: datetime) -> dict[int, datetime]:
        """When the first of the latest attempts began that the carrier all refused, of each of these clients' accounts."""
        return self._refused_since(_a.account_id, _a.account_id.in_(accounts), _a.started_at >= since)

    def house_refused_since(self, carriers: Collection[str], since: datetime) -> dict[str, datetime]:
        """The same of the house's account at each of these carriers."""
        of_house = _a.carrier.in_(sorted(carriers)), _a.account_id.is_(None)
        return self._refused_since(_a.carrier, *of_house, _a.started_at >= since)

    def _refused_since(self, key: ColumnElement[Any], *where: ColumnElement[bool]) -> dict[Any, datetime]:
        refused = _a.error_kind.in_(REFUSED_KINDS)
        query = select(key, _a.started_at, refused).where(*where, or_(_a.calls > 0, refused))
        first: dict[Any, datetime] = {}
        accepted = set()
        for account, started_at, is_refused in self.database.all(
            query.order_by(_a.started_at.desc()).limit(_MOST)
        ):
            if not is_refused:
                accepted.add(account)
            elif account not in accepted:
                first[account] = started_at
        return first

    def clients_of(self, keys: Collection[str]) -> dict[str, list[Any]]:
        """The clients of claims under each of these accounts' keys for which a call is still to come, most claims first."""
        border = self.database.border
        clients: dict[str, list[Any]] = {key: [] for key in keys}
        if not border.has("client_id"):
            return clients
        client = border.column("client_id").label("client_id")
        some = select(_c.lane, client).select_from(border.joined()).where(at_stage(*IN_PROGRESS)).limit(_MOST)
        for statement in united([some.where(_c.lane == key) for key in keys]):
            found_clients = statement.subquery().c
            query = select(found_clients.lane, found_clients.client_id).where(
                found_clients.client_id.is_not(None)
            )
            query = query.group_by(found_clients.lane, found_clients.client_id).order_by(
                func.count().desc(), found_clients.client_id
            )
            for key, client_id in self.database.all(query):
                clients[key].append(client_id)
        return clients

    def near_deadline(self, now: datetime, until: datetime, closed: Collection[str]) -> Sequence[Claim]:
        """Claims whose real deadline or evidence ends in this time and that may not be tried before it, the nearest first."""
        border = self.database.border
        ends = or_(_evidence_may_end(self.catalog, now, until), _deadline_between(border, now, until))
        with self.database.read() as connection:
            of_clients = sorted(key for key in closed if carrier_of(key) != key)
            queries = [query.limit(_MOST_CLAIMS) for query in self._near(now, closed, of_clients)]
            parameters = self.database.dialect.lanes_named(of_clients)
            statements = united(queries)
            ids = dict.fromkeys(
                key for statement in statements for key in connection.scalars(statement, parameters)
            )
        claims_ = self.read(list(ids), ends)
        return sorted(claims_, key=lambda claim: (str(claim.deadline), claim.reference))

    def _near(
        self, now: datetime, closed: Collection[str], of_clients: Sequence[str]
    ) -> Iterator[Select[Any]]:
        """Ids by each index that can answer; what it yields is looked at again by the rules."""
        lanes = self.database.dialect.lanes()
        to_come = _c.rank_is_deadline == 1, _c.rank_at >= now
        over = _c.rank_is_deadline == 1, _c.rank_at < now
        of_house = ([key] for key in sorted(closed) if key not in of_clients)
        for keys in (*of_house, *([of_clients] if of_clients else [])):
            yield self._first_of(lanes, keys, at_stage(Stage.READY), *to_come)
            yield self._first_of(lanes, keys, at_stage(Stage.NEW), *to_come)
            if any(carrier_of(key) in self.catalog.evidence_days for key in keys):
                # Their evidence is over, but perhaps not their deadline.
                yield self._first_of(lanes, keys, at_stage(Stage.READY), *over, latest=True)
                yield self._first_of(lanes, keys, at_stage(Stage.NEW), *over, latest=True)
        # The latest next retries are the likeliest to come after a deadline.
        yield select(_c.claim_id).where(awaits_retry()).order_by(_c.next_at.desc())
        yield select(_c.claim_id).where(at_stage(*ENDED), *to_come).order_by(_c.rank_at)
        of_known = of_carriers(["", *self.catalog.specs])
        yield select(_c.claim_id).where(of_known, at_stage(Stage.UNNUMBERED))

    def _first_of(
        self, lanes: CTE, keys: Sequence[str], *where: ColumnElement[bool], latest: bool = False
    ) -> Select[Any]:
        """The ids of the first claims by rank under one of these accounts' keys; `latest`: of the last ones.

        Each account's are found by an index; those of all clients' accounts, `lanes`, in one query.
        """
        order = _c.rank_at.desc() if latest else _c.rank_at
        if len(keys) == 1:
            return select(_c.claim_id).where(_c.lane == keys[0], *where).order_by(order)
        first = select(_c.claim_id).where(_c.lane == lanes.c.carrier_key, *where).order_by(order)
        first = first.add_columns(_c.rank_at).limit(_MOST_CLAIMS)
        ranked = self.database.dialect.first_of_each(lanes, first).subquery()
        rank = ranked.c.rank_at
        return select(ranked.c.claim_id).order_by(rank.desc() if latest else rank)


def _is_outage() -> ColumnElement[bool]:
    return _a.error_kind.in_(sorted(OUTAGE_KINDS))


def _answers(connection: Connection, carriers: Sequence[str], now: datetime) -> dict[str, list[FetchAnswer]]:
    """The answers of each carrier, newest first, at least back to its last good one. Attempts without a call are left out."""
    query = (
        select(_a.carrier, _a.started_at, _a.claim_id, _is_outage(), _a.calls > 0, _a.id)
        .where(_a.started_at >= now - _LONGEST_STREAK, or_(_a.calls > 0, _is_outage()))
        .order_by(_a.started_at.desc(), _a.id.desc())
    )
    answers: dict[str, list[FetchAnswer]] = {key: [] for key in carriers}
    unsure = list(carriers)  # those of which all answers that were read are failures
    for limit in (_FIRST_ANSWERS, _MOST):
        answers |= {key: [] for key in unsure}
        of_each = [query.where(_a.carrier == key).limit(limit) for key in unsure]
        rows = [row for statement in united(of_each) for row in connection.execute(statement)]
        for key, at, about, is_failure, has_called, _ in sorted(rows, key=itemgetter(1, 5), reverse=True):
            answers[key].append(FetchAnswer(at, about, bool(is_failure), bool(has_called)))
        unsure = [
            key
            for key in unsure
            if len(answers[key]) == limit and all(answer.is_failure for answer in answers[key])
        ]
    return answers


def _last_checks(connection: Connection, since: datetime) -> dict[str, Check]:
    """The latest check of credentials at each carrier, with whichever account."""
    query = select(_n.subject, _n.at, _n.details).where(_n.what == ActionKind.CHECKED, _n.at >= since)
    rows = connection.execute(query.order_by(_n.id.desc()).limit(_MOST)).all()
    return {
        carrier_of(subject): Check(at, is_failure=details.get("kind") in OUTAGE_KINDS)
        for subject, at, details in reversed(rows)
    }
