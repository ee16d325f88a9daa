"""What commands and the page read of claims, runs, attempts and mails: see `recours.operations.records`."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    Table,
    Text,
    func,
    literal_column,
    select,
    type_coerce,
)

from recours.core.carrier import Catalog
from recours.core.claim import Stage
from recours.core.errors import ErrorKind
from recours.core.mail import MailState
from recours.core.sentences import stored
from recours.core.text import clean
from recours.database.engine import Database
from recours.database.lenient_reader import Reader, facts_in, read_claim
from recours.database.predicates import EVERYTHING, Reach, const
from recours.database.reports import claim_search
from recours.database.rows import free, in_parts, readable_columns
from recours.database.tables import (
    LAST_ATTEMPT,
    MONEY_COLUMNS,
    SAMPLE,
    attempts,
    changes,
    claims,
    events,
    mail_events,
    mails,
    runs,
)
from recours.operations.records import (
    COUNTED_UP_TO,
    Backlog,
    ClaimFilter,
    ListedClaim,
    Message,
    PastAttempt,
    PastChange,
    Run,
    Tally,
)
from recours.operations.returns import MOST_ATTEMPTS, Spent

_Number = TypeVar("_Number", int, float)

_c, _a, _m = claims.c, attempts.c, mails.c
_AT_ONCE = 1000
_SHOWN_CHANGES = 100
_OF_RUN = ("id", "worker", "started_at", "ended_at", "exit_status", "stats")
# More attempts than are ever under way at the same time.
_SAME_MINUTES = 10_000
# Of a record in which somebody has spoilt the time.
_UNREADABLE = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DatabaseRecords:
    """Records of one database whose schema is current."""

    database: Database
    catalog: Catalog
    columns: frozenset[str]  # those that `claims` has
    redact: Callable[[str], str] = str
    reach: Reach = EVERYTHING  # of the runs: what they leave alone is no backlog

    # ---------------------------------------------------------------- runs and attempts

    def runs(
        self,
        worker: str | None = None,
        since: datetime | None = None,
        most: int = 50,
        until: datetime | None = None,
    ) -> list[Run]:
        query = select(*_raw(runs, *_OF_RUN)).order_by(runs.c.started_at.desc()).limit(most)
        if worker is not None:
            query = query.where(runs.c.worker == worker)
        if since is not None:
            query = query.where(runs.c.started_at >= since)
        if until is not None:
            query = query.where(runs.c.started_at <= until)
        with self.database.read() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def last_success(self, worker: str, until: datetime) -> Run | None:
        query = select(*_raw(runs, *_OF_RUN)).where(runs.c.worker == worker, runs.c.started_at <= until)
        query = query.where(runs.c.exit_status == 0, runs.c.ended_at.is_not(None))
        query = query.order_by(runs.c.started_at.desc()).limit(1)
        with self.database.read() as connection:
            row = connection.execute(query).mappings().first()
        return _run(row) if row else None

    def tallies(self, days: Sequence[date], zone: ZoneInfo) -> list[Tally]:
        alike = (_a.carrier, _a.turn, _a.outcome, _a.error_kind)
        found = []
        with self.database.read() as connection:
            for day in days:
                start, end = (datetime.combine(d, time(), zone) for d in (day, day + timedelta(days=1)))
                of_day = select(*alike, func.count().label("n")).where(
                    _a.started_at >= start, _a.started_at < end
                )
                found += [
                    Tally(day, row.carrier, row.turn, row.outcome, row.error_kind, row.n)
                    for row in connection.execute(of_day.group_by(*alike))
                ]
        return found

    def spent(self, since: datetime, until: datetime, most: int = MOST_ATTEMPTS) -> list[Spent]:
        """The latest attempts of that time, the newest first."""
        columns = (
            _a.claim_id,
            _a.carrier,
            _a.started_at,
            _a.calls,
            _a.outcome,
            _a.error_kind,
            _a.http_status,
            type_coerce(_a.circumstances, Text).label("circumstances"),
        )
        latest = select(*columns).where(_a.started_at >= since, _a.started_at < until)
        latest = latest.order_by(_a.started_at.desc()).limit(most)
        money = [name for name in MONEY_COLUMNS if name in self.columns]
        about = select(_c.id, *_raw_columns("pod_stage", *money))
        found: list[Spent] = []
        with self.database.read() as connection:
            rows = connection.execute(latest).mappings().all()
            for first in range(0, len(rows), _AT_ONCE):
                some = rows[first : first + _AT_ONCE]
                of_these = about.where(_c.id.in_({row["claim_id"] for row in some}))
                claims_by_id = {row["id"]: row for row in connection.execute(of_these).mappings()}
                found += [_spent(row, claims_by_id.get(row["claim_id"], {})) for row in some]
        return found

    def attempts(self, claim_id: Any) -> list[PastAttempt]:
        query = select(*_raw(attempts)).where(_a.claim_id == claim_id).order_by(_a.id)
        with self.database.read() as connection:
            return [_attempt(row, self.catalog) for row in connection.execute(query).mappings()]

    def each_attempt(self, since: datetime | None = None) -> Iterator[tuple[str, PastAttempt]]:
        listed = select(*_raw(attempts))
        if since is not None:
            # Their ids run with their times, but for calls of the same minutes: hence the least id of many, and what is
            # older among those that follow is passed over.
            begun = select(_a.id).where(_a.started_at >= since).order_by(_a.started_at).limit(_SAME_MINUTES)
            with self.database.read() as connection:
                first = connection.scalar(select(func.min(begun.subquery().c.id)))
            if first is None:
                return
            listed = listed.where(_a.id >= first)
        for rows in in_parts(self.database, listed, _a.id, _AT_ONCE):
            found = [_attempt(row, self.catalog) for row in rows]
            ids = {attempt.claim_id for attempt in found}
            query = select(_c.id, type_coerce(_c.claim_reference, Text).label("reference")).where(
                _c.id.in_(ids)
            )
            with self.database.read() as connection:
                named = connection.execute(query).mappings().all()
            names = {row["id"]: Reader(row).text("reference") for row in named}
            for attempt in found:
                if since is None or attempt.started_at >= since:
                    yield clean(names.get(attempt.claim_id) or f"#{attempt.claim_id}", 100), attempt

    # ---------------------------------------------------------------- backlogs

    def backlogs(self, due_until: datetime | None = None, most: int | None = COUNTED_UP_TO) -> list[Backlog]:
        with self.database.read() as connection:
            counts = claim_search.backlog_counts(connection, most, self.reach)
            come = claim_search.retries_come(connection, due_until, most, self.reach)
            has_creation = "created_at" in self.columns
            oldest = claim_search.oldest_failures(connection, counts, self.reach, has_creation=has_creation)
        found = (_backlog(key, n, come[key], oldest.get(key), most) for key, n in sorted(counts.items()))
        return [backlog for backlog in found if backlog.stages or backlog.unassessed]

    # ---------------------------------------------------------------- claims

    def find(self, reference: str) -> ListedClaim | None:
        with self.database.read() as connection:
            query = self._listed().where(_c.claim_reference == reference)
            row = connection.execute(query).mappings().first()
        return self._read(row) if row else None

    def leased_until(self, claim_id: Any, now: datetime) -> datetime | None:
        with self.database.read() as connection:
            return connection.scalar(select(_c.pod_lease_until).where(_c.id == claim_id, ~free(now)))

    def claims(self, wanted: ClaimFilter, most: int, *, skip: int = 0) -> list[ListedClaim]:
        with self.database.read() as connection:
            ids = claim_search.newest(connection, wanted, skip + most)[skip:]
            query = self._listed().where(_c.id.in_(ids)).order_by(_c.id.desc())
            return [self._read(row) for row in connection.execute(query).mappings()] if ids else []

    def count(self, wanted: ClaimFilter, most: int) -> int:
        with self.database.read() as connection:
            return claim_search.count_of(connection, wanted, most)

    def each_claim(self, since: datetime | None = None) -> Iterator[ListedClaim]:
        for rows in in_parts(self.database, self._listed(), _c.id, _AT_ONCE):
            for listed in map(self._read, rows):
                made = listed.claim.created_at
                if since is None or made is None or made >= since:
                    yield listed

    def _listed(self) -> Select[Any]:
        return select(*readable_columns(self.columns))

    def _read(self, row: RowMapping) -> ListedClaim:
        read = Reader(row)
        return ListedClaim(
            read_claim(row, self.catalog, self.redact),
            read.text("pod_url"),
            read.moment("pod_fetched_at"),
            read.text("pod_delivery_person"),
            read.moment("pod_lease_until"),
        )

    def changes(self, claim_id: Any) -> list[PastChange]:
        """The last changes to a claim, the oldest first."""
        query = select(*_raw(changes)).where(changes.c.claim_id == claim_id)
        query = query.order_by(changes.c.id.desc()).limit(_SHOWN_CHANGES)
        with self.database.read() as connection:
            return [_change(row) for row in connection.execute(query).mappings()][::-1]

    # ---------------------------------------------------------------- telling people

    def messages(self, claim_id: Any) -> list[Message]:
        query = (
            select(
                *_raw(events, "event", "audience", "created_at", "told"),
                *_raw(mails, "state", "recipient", "ended_at"),
            )
            .join(mail_events, mail_events.c.event_id == events.c.id, isouter=True)
            .join(mails, _m.id == mail_events.c.mail_id, isouter=True)
            .where(events.c.claim_id == claim_id)
            .order_by(events.c.id)
        )
        with self.database.read() as connection:
            rows = [Reader(row) for row in connection.execute(query).mappings()]
        return [
            Message(
                event=read.text("event") or "",
                audience=read.text("audience") or "",
                written_at=read.moment("created_at") or _UNREADABLE,
                told=read.text("told"),
                mail_state=read.text("state"),
                recipient=read.text("recipient"),
                ended_at=read.moment("ended_at"),
            )
            for read in rows
        ]

    def mails(self) -> Mapping[MailState, int]:
        states = [const(state) for state in (MailState.READY, MailState.HELD, MailState.SENDING)]
        query = select(_m.state, func.count()).where(_m.state.in_(states)).group_by(_m.state)
        with self.database.read() as connection:
            return {MailState(state): count for state, count in connection.execute(query)}


def _backlog(
    key: str, counted: Counter[str], come: int, oldest: datetime | None, most: int | None
) -> Backlog:
    """One carrier's; `come`: so many of the waiting ones count as ready."""
    stages = {stage: counted[stage] for stage in Stage}
    stages[Stage.READY] += come
    if most is None or stages[Stage.WAITING] < most:  # else it means "or more", and goes on to
        stages[Stage.WAITING] = max(stages[Stage.WAITING] - come, 0)

    def capped(number: int) -> int:
        return number if most is None else min(number, most)

    return Backlog(
        carrier=key,
        stages={stage: capped(count) for stage, count in stages.items() if count},
        oldest=oldest,
        unassessed=capped(counted[claim_search.UNASSESSED]),
        counted_up_to=most,
    )


# ---------------------------------------------------------------- rows of recours's tables


def _raw(table: Table, *names: str) -> list[ColumnElement[Any]]:
    """Columns without conversion, so that a value that somebody spoilt hides no row."""
    return [
        column if column.name in ("id", "claim_id") else type_coerce(column, Text).label(column.name)
        for column in table.columns
        if not names or column.name in names
    ]


def _run(row: RowMapping) -> Run:
    read = Reader(row)
    return Run(
        id=str(row["id"]),
        worker=clean(read.text("worker") or "", 60),
        started_at=read.moment("started_at") or _UNREADABLE,
        ended_at=read.moment("ended_at"),
        exit_status=_number(int, row["exit_status"]),
        stats=facts_in(row["stats"]),
    )


def _raw_columns(*names: str) -> list[ColumnElement[Any]]:
    """Columns of `claims` as they are stored, whatever their type."""
    return [literal_column(f"claims.{name}").label(name) for name in names]


def _spent(attempt: RowMapping, claim: Mapping[Any, Any]) -> Spent:
    of_attempt, of_claim = Reader(attempt), Reader(claim)
    refused = attempt["error_kind"] == ErrorKind.RATE_LIMITED and attempt["http_status"] is not None
    return Spent(
        of_attempt.text("carrier") or "",
        attempt["started_at"] or _UNREADABLE,
        of_attempt.whole("calls"),
        brought_proof=attempt["outcome"] == "success",
        was_too_many=refused,
        gave_up=of_claim.text("pod_stage") == Stage.GIVEN_UP,
        is_sample=facts_in(attempt["circumstances"]).get(SAMPLE) is True,
        amount=of_claim.amount("amount_requested"),
        currency=clean(of_claim.text("currency") or "", 8),
    )


def _attempt(row: RowMapping, catalog: Catalog) -> PastAttempt:
    read = Reader(row)
    key = read.text("carrier") or ""
    carrier = catalog.name_of(key, clean(key, 60))
    return PastAttempt(
        id=row["id"],
        claim_id=row["claim_id"],
        run_id=read.text("run_id") or "",
        worker=read.text("worker") or "",
        carrier=key,
        number=read.text("tracking_number") or "",
        retry=read.whole("turn"),
        started_at=read.moment("started_at") or _UNREADABLE,
        duration_s=_number(float, row["duration_s"]) or 0.0,
        calls=read.whole("calls"),
        outcome=read.text("outcome") or "",
        used=bool(_number(int, row["used"])),
        kind=read.text("error_kind"),
        message=read.text("message"),
        said=stored(read.text("error_key"), carrier, read.text("error_words")),
        http_status=_number(int, row["http_status"]),
        delivered_at=read.moment("delivered_at"),
        delivered_day=read.text("delivered_day"),
        signatory=read.text("signatory"),
        document_path=read.text("document_path"),
        document_sha256=read.text("document_sha256"),
        document_size=_number(int, row["document_size"]),
        document_type=read.text("document_type"),
        document_source=read.text("document_source"),
        is_last=facts_in(row["circumstances"]).get(LAST_ATTEMPT) is True,
        is_sample=facts_in(row["circumstances"]).get(SAMPLE) is True,
    )


def _change(row: RowMapping) -> PastChange:
    read = Reader(row)
    return PastChange(
        at=read.moment("at") or _UNREADABLE,
        what=clean(read.text("what") or "", 40),
        by=clean(read.text("by") or "", 60),
        details=facts_in(row["details"]),
    )


def _number(kind: Callable[[Any], _Number], value: Any) -> _Number | None:
    try:
        return None if value is None else kind(value)
    except (TypeError, ValueError, OverflowError):
        return None
