"""Reads the system's state: runs, results, backlogs, emails, and claims that may need a person. Changes nothing.

Each statement uses an index of recours's own tables and counts no further than its caller needs.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import product, takewhile
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from recours.core.accounts import carrier_of
from recours.core.actions import ActionKind
from recours.core.carrier import Catalog
from recours.core.claim import IN_PROGRESS, Claim, Stage
from recours.core.errors import OUTAGE_KINDS, REFUSED_KINDS, TRAITS
from recours.core.mail import OPEN_STATES, MailState
from recours.core.pauses import CLOCKS_DIFFER
from recours.core.policy import Adoption
from recours.core.text import clean
from recours.database.border import Border
from recours.database.claim_rows import Reader, const, read_claims, reading, reading_all
from recours.database.claims import is_served_by
from recours.database.engine import Database
from recours.database.intake import adoption_of
from recours.database.tables import (
    actions,
    attempts,
    awaits_retry,
    claims,
    evidence,
    intake,
    is_at_stage,
    mails,
    runs,
)
from recours.reporting.records import COUNTED_UP_TO, ProblemClaims
from recours.reporting.system import (
    CORRECTABLE,
    ENDED,
    GAVE_UP,
    MAIL_OVERDUE_AFTER,
    MOST_RECORDS,
    OWED_LONG,
    RECENT_RUNS,
    SINCE,
    UNDECIDED_FOR,
    Backlog,
    Differences,
    InLine,
    MoneyInDispute,
    Pile,
    RefusedPiece,
    Run,
    Tally,
    ToCorrect,
)
from recours.runs.worker import WORKERS

_a = attempts.c
_c = claims.c
_m = mails.c
_n = actions.c
_r = runs.c
_v = evidence.c
_A_DAY = timedelta(days=1)
_AT_ONCE = 1000  # rows in memory
_UNITED = 100  # queries in one statement: SQLite takes no more than 500
# The maximum number and age of the emails and attempts that one statement reads.
_MOST = 5_000
_LONGEST_STREAK = timedelta(days=60)
_FIRST_ANSWERS = 50  # latest answers of a carrier; more are read only if all of these are failures
# The most claims near a deadline that one query reads. If there are more, the exact number does not matter.
_MOST_CLAIMS = 2_000
# At these stages, a claim's age is counted from its first failure.
_FAILED = (Stage.WAITING, Stage.READY, Stage.SETTLED)
_IS_OUTAGE = _a.error_kind.in_(sorted(OUTAGE_KINDS))


class Mark(NamedTuple):
    """How far recours has assessed new claims."""

    key: Any  # the highest assessed key; None: keys are not numbers, or there was no claim
    is_swept: bool  # whether the sweep has completed once


class IntakeRecord(NamedTuple):
    adoption: Adoption | None
    mark: Mark
    differences: Differences


@dataclass(frozen=True)
class SystemReader:
    """Reads one database with the current schema."""

    database: Database
    catalog: Catalog
    redact: Callable[[str], str] = str

    # ---------------------------------------------------------------- runs and results

    def runs(
        self, since: datetime | None = None, until: datetime | None = None, limit: int = 50
    ) -> list[Run]:
        """The latest runs that started in this period, newest first."""
        query = select(runs).order_by(_r.started_at.desc()).limit(limit)
        if since is not None:
            query = query.where(_r.started_at >= since)
        if until is not None:
            query = query.where(_r.started_at <= until)
        return self._runs(query)

    def latest_runs(self, now: datetime) -> list[Run]:
        """The latest RECENT_RUNS runs per worker and overall, and up to MOST_RECORDS of the last day, newest first.

        Runs dated in the future by a wrong clock do not hide other runs, however many there are.
        """
        has_begun = _r.started_at <= now + CLOCKS_DIFFER
        latest = select(_r.id).order_by(_r.started_at.desc())
        queries = [latest.where(_r.worker == name).limit(RECENT_RUNS) for name in WORKERS]
        queries += [query.where(has_begun) for query in queries]
        queries.append(latest.limit(RECENT_RUNS))
        queries.append(latest.where(_r.started_at >= now - SINCE, has_begun).limit(MOST_RECORDS))
        ids = union_all(*(select(query.subquery()) for query in queries))
        return self._runs(select(runs).where(_r.id.in_(ids)).order_by(_r.started_at.desc()))

    def last_success(self, worker: str, until: datetime) -> Run | None:
        query = select(runs).where(_r.worker == worker, _r.started_at <= until)
        query = query.where(_r.exit_status == 0, _r.ended_at.is_not(None))
        return next(iter(self._runs(query.order_by(_r.started_at.desc()).limit(1))), None)

    def _runs(self, query: Select[Any]) -> list[Run]:
        return [
            Run(**{**row, "worker": clean(row["worker"], 60), "stats": row["stats"] or {}})
            for row in self.database.mappings(query)
        ]

    def tallies(self, days: Sequence[date], zone: ZoneInfo) -> list[Tally]:
        """Counts of the attempts and the given-up claims of these days, in `zone`."""
        if not days:
            return []
        alike = (_a.carrier, _a.turn, _a.outcome, _a.error_kind)
        no_retry: ColumnElement[int] = literal_column("0")
        closed = (_c.lane, no_retry, const(GAVE_UP), _c.kind)
        queries = []  # two for each day, each reading only one part of an index
        for place, day in enumerate(days):
            start = datetime.combine(day, time(), zone)
            end = datetime.combine(day + _A_DAY, time(), zone)
            of_day: ColumnElement[int] = literal_column(str(place))
            attempted = select(of_day, *alike, func.count()).group_by(*alike)
            queries.append(attempted.where(_a.started_at >= start, _a.started_at < end))
            given_up = select(of_day, *closed, func.count()).group_by(_c.lane, _c.kind)
            in_day = _c.written_at >= start, _c.written_at < end
            queries.append(given_up.where(is_at_stage(Stage.GIVEN_UP), *in_day))
        rows = self.database.all(union_all(*queries))
        return [
            Tally(days[place], carrier_of(key or "") if outcome == GAVE_UP else key, retry, outcome, *more)
            for place, key, retry, outcome, *more in rows
        ]

    def secured(self, since: datetime, until: datetime) -> Mapping[str, float]:
        """The money in dispute of claims whose proofs were fetched in this period, by currency."""
        in_time = _a.started_at >= since, _a.started_at < until, _a.outcome == "success"
        fetched = select(_a.claim_id).distinct().where(*in_time).limit(COUNTED_UP_TO)
        return self.money_in_dispute([ProblemClaims(ids=self.database.scalars(fetched))])[0].amounts

    def money_in_dispute(
        self, problems: Sequence[ProblemClaims], limit: int = COUNTED_UP_TO
    ) -> list[MoneyInDispute]:
        """The money in dispute of each problem, from its first `limit` claims, with few statements."""
        border = self.database.border
        queries: list[Select[Any]] = []
        for place, of_problem in enumerate(problems):
            columns: list[ColumnElement[Any]] = [
                border.text("amount_requested").label("amount_requested"),
                border.text("currency").label("currency"),
                literal_column(str(place)).label("place"),
            ]
            query = select(*columns)
            ids = of_problem.ids[:limit]
            for first in range(0, len(ids), _AT_ONCE):  # with more ids, a database may read the whole table
                some = border.key.in_(ids[first : first + _AT_ONCE])
                queries.append(query.select_from(border.claims).where(some))
            if of_problem.accounts:
                of_accounts = _c.lane.in_(sorted(of_problem.accounts)), is_at_stage(*of_problem.stages)
                queries.append(query.select_from(border.joined()).where(*of_accounts).limit(limit + 1))
        amounts: list[list[tuple[str, float]]] = [[] for _ in problems]
        for statement in united(queries):
            for row in self.database.mappings(statement):
                amount = float(Reader(row).amount("amount_requested"))
                amounts[row["place"]].append((clean(row["currency"] or "", 8), amount))
        results = []
        for of_problem, of_one in zip(problems, amounts, strict=True):
            sums: dict[str, float] = defaultdict(float)
            for currency, amount_requested in of_one[:limit]:
                if amount_requested:  # 0 means unknown
                    sums[currency] += amount_requested
            totals = {currency: round(total, 2) for currency, total in sorted(sums.items())}
            results.append(MoneyInDispute(totals, is_more=len(of_problem.ids) > limit or len(of_one) > limit))
        return results

    # ---------------------------------------------------------------- waiting claims, and emails

    def intake(self, now: datetime) -> IntakeRecord:
        """The state of the intake. Results missing from the service's table are counted up to COUNTED_UP_TO."""
        long_owed = select(literal(1)).where(_c.owed_since <= now - OWED_LONG).limit(COUNTED_UP_TO)
        owed = select(func.count()).select_from(long_owed.subquery()).subquery()
        query = select(owed.c[0].label("owed"), *intake.c)
        (row,) = self.database.mappings(query.select_from(owed.join(intake, true(), isouter=True)))
        return IntakeRecord(
            adoption_of(row),
            Mark(row["mark"], row["swept_at"] is not None),
            Differences(row["repaired"] or 0, row["owed"]),
        )

    def backlogs(
        self, due_until: datetime | None = None, limit: int = COUNTED_UP_TO, mark: Mark | None = None
    ) -> list[Backlog]:
        """Open claims by account. Each stage is counted up to `limit`. If `mark` is None, it is read from the database.

        Waiting claims whose retry is due by `due_until` are counted as ready, even if no run has updated them yet.
        """
        border = self.database.border
        unassessed = 0
        with self.database.read() as connection:
            rows = connection.execute(_counting_stages(due_until, limit)).all()
            for where in conditions_without_row(border, mark or read_mark(connection)):
                some = select(literal(1)).select_from(border.not_joined()).where(*where).limit(limit)
                unassessed += connection.scalar(select(func.count()).select_from(some.subquery())) or 0
        backlogs = {}
        for lane, due_waiting, *values in sorted(rows, key=itemgetter(0)):
            stages = Counter(dict(zip(Stage, values, strict=False)))
            stages[Stage.READY] += due_waiting
            if stages[Stage.WAITING] < limit:  # a count at the limit means "or more" and cannot grow
                stages[Stage.WAITING] = max(stages[Stage.WAITING] - due_waiting, 0)
            counts = {stage: min(count, limit) for stage, count in stages.items() if count}
            oldest = min((at for at in values[len(Stage) :] if at), default=None)
            if counts:
                backlogs[lane] = Backlog(lane, counts, oldest, counted_up_to=limit)
        if unassessed:
            unknown = backlogs.pop("", Backlog("", {}, counted_up_to=limit))
            return [replace(unknown, unassessed=unassessed), *backlogs.values()]
        return list(backlogs.values())

    def unassessed(self, mark: Mark) -> list[Claim]:
        """Claims that recours should fetch but no run has assessed yet, up to a limit."""
        border = self.database.border
        with self.database.read() as connection:
            conditions = conditions_without_row(border, mark)
            queries = [reading_all(border, *where).limit(_MOST_CLAIMS) for where in conditions]
            rows = [connection.execute(query) for query in queries]
            return [claim for some in rows for claim in read_claims(some, self.catalog, self.redact)]

    def lines(
        self, lanes: Collection[str], stages: Sequence[Stage], now: datetime, limit: int
    ) -> dict[str, list[InLine]]:
        """The due claims whose `rank_at` is in the future, in this order, up to `limit` for each account."""
        queries = [
            select(_c.lane, _c.claim_id, _c.rank_at, _c.rank_is_deadline, _c.stage)
            .where(is_at_stage(stage), _c.lane == lane, _c.rank_is_deadline == is_deadline, _c.rank_at >= now)
            .order_by(_c.rank_at)
            .limit(limit)
            for lane, stage, is_deadline in product(lanes, stages, (0, 1))
        ]
        in_line: dict[str, list[InLine]] = {lane: [] for lane in lanes}
        for statement in united(queries):
            for lane, claim_id, rank_at, is_deadline, stage in self.database.all(statement):
                in_line[lane].append(InLine(claim_id, rank_at, bool(is_deadline), Stage(stage)))
        return {lane: sorted(some, key=attrgetter("rank_at"))[:limit] for lane, some in in_line.items()}

    def mails(self, now: datetime) -> dict[MailState, Pile]:
        """The open emails (ready, held or being sent), and the recent emails with an unknown result."""
        overdue = func.count(case((_m.created_at < now - MAIL_OVERDUE_AFTER, 1)))
        of_open = select(_m.state, func.count(), func.min(_m.created_at), overdue).group_by(_m.state)
        of_open = of_open.where(_m.state.in_([const(state) for state in OPEN_STATES]))
        newest = select(_m.state, _m.ended_at).order_by(_m.id.desc()).limit(_MOST).subquery().c
        undecided = const(MailState.UNDECIDED)
        of_undecided = select(undecided, func.count(), func.min(newest.ended_at), literal_column("0")).where(
            newest.state == undecided, newest.ended_at >= now - UNDECIDED_FOR
        )
        rows = self.database.all(union_all(of_open, of_undecided))
        return {MailState(state): Pile(*pile) for state, *pile in rows if pile[0]}

    # ---------------------------------------------------------------- unavailable carriers and refused accounts

    def unavailable(self, now: datetime) -> dict[str, datetime]:
        """The start of the outage of each unavailable carrier, by carrier key; see `unavailable_since`."""
        latest_checks = select(_n.subject, _n.at, _n.details).order_by(_n.id.desc()).limit(_MOST)
        latest_checks = latest_checks.where(_n.what == ActionKind.CHECKED, _n.at >= now - _LONGEST_STREAK)
        lately = select(_a.carrier).distinct().where(_a.started_at >= now - _A_DAY, _IS_OUTAGE)
        with self.database.read() as connection:
            # The latest check of each carrier, with any account.
            checks = {
                carrier_of(subject): Check(at, is_failure=details.get("kind") in OUTAGE_KINDS)
                for subject, at, details in reversed(connection.execute(latest_checks).all())
            }
            failing = {
                *connection.scalars(lately),
                *(key for key, check in checks.items() if check.is_failure),
            }
            answers = _answers(connection, sorted(failing), now) if failing else {}
        streaks = {key: unavailable_since(answers[key], checks.get(key), now) for key in sorted(failing)}
        return {key: since for key, since in streaks.items() if since}

    def refused_since(self, accounts: Collection[int], since: datetime) -> dict[int, datetime]:
        """When the carrier began to refuse every attempt with each of these clients' accounts, except accepted ones."""
        return self._refused_since(_a.account_id, _a.account_id.in_(accounts), _a.started_at >= since)

    def default_refused_since(self, carriers: Collection[str], since: datetime) -> dict[str, datetime]:
        """When a carrier began to refuse every attempt with its default account, by the key of the carrier."""
        of_default = _a.carrier.in_(sorted(carriers)), _a.account_id.is_(None)
        return self._refused_since(_a.carrier, *of_default, _a.started_at >= since)

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
        """The clients with claims for which a call is still planned, by account key, most claims first."""
        border = self.database.border
        clients: dict[str, list[Any]] = {key: [] for key in keys}
        if not border.has("client_id"):
            return clients
        client = border.column("client_id").label("client_id")
        some = (
            select(_c.lane, client).select_from(border.joined()).where(is_at_stage(*IN_PROGRESS)).limit(_MOST)
        )
        for statement in united([some.where(_c.lane == key) for key in keys]):
            rows = statement.subquery().c
            query = select(rows.lane, rows.client_id).where(rows.client_id.is_not(None))
            query = query.group_by(rows.lane, rows.client_id).order_by(func.count().desc(), rows.client_id)
            for key, client_id in self.database.all(query):
                clients[key].append(client_id)
        return clients

    # ---------------------------------------------------------------- claims that may need a person

    def to_correct(self, now: datetime, skipped: Collection[str], limit: int) -> list[ToCorrect]:
        """Up to `limit` claims to correct, nearest deadline first. `skipped`: claim statuses in lower case."""
        status = func.lower(func.trim(func.coalesce(_c.seen_claim_status, "")))
        query = select(_c.claim_id, _c.lane, _c.seen_reference, _c.seen_deadline).where(
            is_at_stage(*ENDED),
            _c.rank_at > now,
            _c.lane != const(""),
            _c.kind.in_(sorted(CORRECTABLE)),
            status.not_in(sorted(skipped)),
        )
        rows = self.database.all(query.order_by(_c.rank_at, _c.claim_id).limit(limit))
        return [ToCorrect(row[0], row[1] or "", row[2] or "", row[3] or "") for row in rows]

    def settled_since(self, since: datetime) -> int:
        """The number of claims that need correction because of an answer since this time, up to a limit."""
        kinds = sorted(kind for kind, traits in TRAITS.items() if traits.persistent)
        answered = select(_a.claim_id).distinct().where(_a.started_at >= since, _a.error_kind.in_(kinds))
        settled = select(_c.claim_id).where(
            _c.claim_id.in_(answered.limit(_MOST)), is_at_stage(Stage.SETTLED)
        )
        settled = settled.where(_c.lane != const(""))  # unknown carriers are a separate problem
        return self.database.scalar(select(func.count()).select_from(settled.subquery())) or 0

    def refused_documents(self, since: datetime) -> dict[str, list[RefusedPiece]]:
        """The latest refused documents from carriers, for claims without a proof, by the carrier's key."""
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

    def read(self, ids: Sequence[Any], *where: ColumnElement[bool]) -> list[Claim]:
        """The claims with these ids that were not edited since their assessment; `where`: further conditions."""
        border = self.database.border
        rows: list[Claim] = []
        with self.database.read() as connection:
            for first in range(0, len(ids), _AT_ONCE):
                some = _c.claim_id.in_(ids[first : first + _AT_ONCE])
                query = reading(border, some, *where, ~border.is_edited)
                rows += read_claims(connection.execute(query), self.catalog, self.redact)
        return rows

    def near_deadline(self, now: datetime, until: datetime, closed: Collection[str]) -> Sequence[Claim]:
        """Claims whose own deadline or evidence ends in this period, perhaps before an attempt; nearest first."""
        day = self.database.border.text("response_deadline")
        # The period is a day longer on both sides, because the rules check the time zone of deadlines later.
        is_near = and_(
            day >= (now - _A_DAY).date().isoformat(), day < f"{(until + _A_DAY).date().isoformat()}~"
        )
        is_ranked = and_(_c.rank_is_deadline == 1, _c.rank_at >= now, _c.rank_at <= until)
        # Claims without a tracking number have no rank.
        is_unnumbered = and_(is_at_stage(Stage.UNNUMBERED), is_served_by(self.catalog.evidence_days))
        with self.database.read() as connection:
            of_clients = sorted(key for key in closed if carrier_of(key) != key)
            queries = [query.limit(_MOST_CLAIMS) for query in self._near(now, closed, of_clients)]
            parameters = self.database.dialect.lanes_named(of_clients)
            ids: dict[Any, None] = {}
            for statement in united(queries):
                ids |= dict.fromkeys(connection.scalars(statement, parameters))
        near = self.read(list(ids), or_(is_ranked, is_unnumbered, is_near))
        return sorted(near, key=lambda claim: (str(claim.deadline), claim.reference))

    def _near(
        self, now: datetime, closed: Collection[str], of_clients: Sequence[str]
    ) -> Iterator[Select[Any]]:
        """Queries for the ids of claims that may be late, one for each suitable index. Callers check each claim."""
        lanes = self.database.dialect.lanes()
        to_come = _c.rank_is_deadline == 1, _c.rank_at >= now
        over = _c.rank_is_deadline == 1, _c.rank_at < now
        of_default = ([key] for key in sorted(closed) if key not in of_clients)
        for keys in (*of_default, *([of_clients] if of_clients else [])):
            yield self._first_of(lanes, keys, is_at_stage(Stage.READY), *to_come)
            yield self._first_of(lanes, keys, is_at_stage(Stage.NEW), *to_come)
            if any(carrier_of(key) in self.catalog.evidence_days for key in keys):
                # The evidence of these claims has expired, but their deadline may not have passed.
                yield self._first_of(lanes, keys, is_at_stage(Stage.READY), *over, latest=True)
                yield self._first_of(lanes, keys, is_at_stage(Stage.NEW), *over, latest=True)
        # The latest retries are the most likely to be after a deadline.
        yield select(_c.claim_id).where(awaits_retry()).order_by(_c.next_at.desc())
        yield select(_c.claim_id).where(is_at_stage(*ENDED), *to_come).order_by(_c.rank_at)
        of_known = is_served_by(["", *self.catalog.specs])
        yield select(_c.claim_id).where(of_known, is_at_stage(Stage.UNNUMBERED))

    def _first_of(
        self, lanes: CTE, keys: Sequence[str], *where: ColumnElement[bool], latest: bool = False
    ) -> Select[Any]:
        """The ids of the first claims of these accounts in the order of `rank_at`, or of the last ones if `latest`.

        An index finds the claims of each account. One query covers all clients' accounts (`lanes`).
        """
        order = _c.rank_at.desc() if latest else _c.rank_at
        if len(keys) == 1:
            return select(_c.claim_id).where(_c.lane == keys[0], *where).order_by(order)
        first = select(_c.claim_id).where(_c.lane == lanes.c.carrier_key, *where).order_by(order)
        first = first.add_columns(_c.rank_at).limit(_MOST_CLAIMS)
        ranked = self.database.dialect.first_of_each(lanes, first).subquery()
        rank = ranked.c.rank_at
        return select(ranked.c.claim_id).order_by(rank.desc() if latest else rank)


# ---------------------------------------------------------------- parts of queries


def united(queries: Sequence[Select[*tuple[Any, ...]]]) -> Iterator[CompoundSelect[Any]]:
    """Combine these queries, each with its own order and limit, into few UNIONs, whose rows are unordered."""
    for first in range(0, len(queries), _UNITED):
        parts = [query.subquery() for query in queries[first : first + _UNITED]]
        yield union_all(*(select(part) for part in parts))


def read_mark(connection: Connection) -> Mark:
    row = connection.execute(select(intake.c.mark, intake.c.swept_at)).first()
    return Mark(row.mark, row.swept_at is not None) if row else Mark(None, is_swept=False)


def conditions_without_row(border: Border, mark: Mark) -> list[list[ColumnElement[bool]]]:
    """Conditions for claims that recours should fetch but no run has assessed; empty if a query would be expensive.

    After the first complete sweep, the conditions use only the keys or the optional index.
    """
    has_no_row = [_c.claim_id.is_(None), border.is_worked_on]
    if not mark.is_swept:
        return [has_no_row]
    if border.key_is_number and mark.key is not None:
        return [[*has_no_row, border.key > mark.key]]
    return [[*has_no_row, border.is_pending]] if border.has_index else []


def _counting_stages(due_until: datetime | None, limit: int) -> Select[Any]:
    """A query for each account's key, count of due waiting claims, counts of all stages, and oldest times.

    The query needs a few index reads for each account, regardless of the number of claims.
    """
    first = select(func.min(_c.lane).label("lane")).cte("lanes", recursive=True)
    next_lane = select(func.min(_c.lane)).where(_c.lane > first.c.lane).scalar_subquery()
    lanes = first.union_all(select(next_lane).where(first.c.lane.is_not(None)))

    of_lane: Select[Any] = select().where(_c.lane == lanes.c.lane).correlate(lanes)
    counts = []
    for stage in Stage:
        some = of_lane.add_columns(literal(1)).where(is_at_stage(stage)).limit(limit)
        counts.append(select(func.count()).select_from(some.subquery()))
    new = of_lane.add_columns(_c.since).where(is_at_stage(Stage.NEW)).limit(limit).subquery()
    oldest = [select(func.min(new.c.since))]
    oldest += [of_lane.add_columns(func.min(_c.failed_at)).where(is_at_stage(stage)) for stage in _FAILED]
    columns = [look.scalar_subquery() for look in (*counts, *oldest)]
    is_due = _c.next_at <= due_until if due_until else false()
    due_waiting = (
        select(_c.lane).where(is_at_stage(Stage.WAITING), is_due).order_by(_c.next_at).limit(limit).subquery()
    )
    by_lane = select(due_waiting.c.lane, func.count().label("count")).group_by(due_waiting.c.lane).subquery()
    query = select(lanes.c.lane, func.coalesce(by_lane.c.count, 0), *columns)
    return query.select_from(lanes.outerjoin(by_lane, by_lane.c.lane == lanes.c.lane)).where(
        lanes.c.lane.is_not(None)
    )


# ---------------------------------------------------------------- unavailable


class FetchAnswer(NamedTuple):
    """The result of a fetch. `is_failure`: the carrier's service failed, and nothing is known about the parcel."""

    at: datetime
    claim_id: Any
    is_failure: bool
    is_connected: bool


class Check(NamedTuple):
    """A check of credentials. `is_failure`: see FetchAnswer."""

    at: datetime
    is_failure: bool


# If fewer parcels fail, the parcels themselves may be the cause.
SEVERAL_PARCELS = 5
# Shorter outages need no report, because the next runs retry.
OUTAGE_LASTS = timedelta(hours=1)


def unavailable_since(answers: Sequence[FetchAnswer], check: Check | None, now: datetime) -> datetime | None:
    """The start of the current outage of a carrier's service; None: no outage is known.

    Failures for several parcels, failed connections or a failed check show an outage. An answer about any parcel, or to a
    check, ends the outage. `answers`: newest first; `check`: the latest one.
    """
    answered_at = check.at if check and not check.is_failure else None
    streak = list(
        takewhile(lambda answer: answer.is_failure and (not answered_at or answer.at > answered_at), answers)
    )
    unreachable = list(takewhile(lambda answer: not answer.is_connected, streak))
    is_general = len({answer.claim_id for answer in streak if answer.is_connected}) >= SEVERAL_PARCELS
    failure_times = [answer.at for answer in (streak if is_general else unreachable)]
    has_answered = answers and not answers[0].is_failure and check and answers[0].at > check.at
    if check and check.is_failure and not has_answered:
        failure_times = [check.at, *(answer.at for answer in streak)]
    if not failure_times or now - max(failure_times) > _A_DAY or now - min(failure_times) < OUTAGE_LASTS:
        return None
    return min(failure_times)


def _answers(connection: Connection, carriers: Sequence[str], now: datetime) -> dict[str, list[FetchAnswer]]:
    """The answers of each carrier, newest first, back to its last success or earlier; only attempts with a call."""
    query = (
        select(_a.carrier, _a.started_at, _a.claim_id, _IS_OUTAGE, _a.calls > 0, _a.id)
        .where(_a.started_at >= now - _LONGEST_STREAK, or_(_a.calls > 0, _IS_OUTAGE))
        .order_by(_a.started_at.desc(), _a.id.desc())
    )
    answers: dict[str, list[FetchAnswer]] = {key: [] for key in carriers}
    unsure = list(carriers)  # carriers whose answers read so far are all failures
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
