"""What the operator's desk reads, out of the database: see `recours.desk.records`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, Select, Text, func, or_, select, type_coerce

from recours.core.carrier import Catalog
from recours.core.claim import Stage
from recours.database.claims import carrier_keys
from recours.database.conditions import at_stage
from recours.database.engine import Database
from recours.database.foreign import Reader, read_claim
from recours.database.rows import free, readable_columns
from recours.database.tables import attempts, claims, events, mail_events, mails, runs
from recours.desk.records import (
    Backlog,
    ClaimFilter,
    ListedClaim,
    Message,
    PastAttempt,
    Run,
    Tally,
)

_c, _a = claims.c, attempts.c
_AT_ONCE = 1000
_TRIED = (Stage.NEW, Stage.READY, Stage.WAITING, Stage.SETTLED)


@dataclass(frozen=True)
class DatabaseRecords:
    """Records of one database whose schema is current."""

    database: Database
    catalog: Catalog
    columns: frozenset[str]  # those that `claims` has
    redact: Callable[[str], str] = str

    # ---------------------------------------------------------------- runs and attempts

    def runs(self, worker: str | None = None, since: datetime | None = None, most: int = 50) -> list[Run]:
        """The latest runs, the newest first."""
        query = select(runs).order_by(runs.c.started_at.desc()).limit(most)
        if worker is not None:
            query = query.where(runs.c.worker == worker)
        if since is not None:
            query = query.where(runs.c.started_at >= since)
        with self.database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [Run(**{**row, "stats": row["stats"] or {}}) for row in rows]

    def tallies(self, days: Sequence[date], zone: ZoneInfo) -> list[Tally]:
        """Attempts of these days (as they fall in `zone`), counted."""
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

    def attempts(self, claim_id: Any) -> list[PastAttempt]:
        """All attempts at a claim, the oldest first."""
        query = select(attempts).where(_a.claim_id == claim_id).order_by(_a.id)
        with self.database.read() as connection:
            return [_attempt(row) for row in connection.execute(query)]

    def each_attempt(self, since: datetime | None = None) -> Iterator[tuple[str, PastAttempt]]:
        """Every attempt with its claim's reference, the oldest first; a part at a time in memory."""
        query = (
            select(_c.claim_reference, attempts)
            .join(claims, _c.id == _a.claim_id, isouter=True)
            .order_by(_a.id)
        )
        if since is not None:
            query = query.where(_a.started_at >= since)
        last = 0
        while True:
            # In parts, each a short look: no transaction is open while somebody reads what was printed.
            with self.database.read() as connection:
                rows = connection.execute(query.where(_a.id > last).limit(_AT_ONCE)).all()
            for row in rows:
                yield row.claim_reference or f"#{row.claim_id}", _attempt(row)
            if len(rows) < _AT_ONCE:
                return
            last = rows[-1].id

    # ---------------------------------------------------------------- claims

    def backlogs(self) -> list[Backlog]:
        """What is not done, by carrier."""
        stages: dict[str, dict[Stage, int]] = {}
        oldest: dict[str, datetime] = {}
        with self.database.read() as connection:
            for stage in Stage:
                keys = [key for key in connection.scalars(carrier_keys(stage)) if key is not None]
                for key in map(str, keys):
                    of_carrier = at_stage(stage), _c.pod_carrier_key == key
                    count = (
                        connection.scalar(select(func.count()).select_from(claims).where(*of_carrier)) or 0
                    )
                    if not count:
                        continue
                    stages.setdefault(key, {})[stage] = count
                    if stage in _TRIED and (since := self._oldest(connection.scalar, of_carrier)):
                        oldest[key] = min(since, oldest.get(key, since))
        return [Backlog(key, counts, oldest.get(key)) for key, counts in sorted(stages.items())]

    def _oldest(
        self, scalar: Callable[[Select[Any]], Any], which: Sequence[ColumnElement[bool]]
    ) -> datetime | None:
        since = func.min(
            func.coalesce(type_coerce(_c.pod_failed_at, Text), type_coerce(_c.pod_rank_at, Text))
        )
        return Reader({"since": scalar(select(since).where(*which))}).moment("since")

    def find(self, reference: str) -> ListedClaim | None:
        """One claim."""
        with self.database.read() as connection:
            row = connection.execute(self._listed().where(_c.claim_reference == reference)).first()
        return self._read(row) if row else None

    def held_until(self, claim_id: Any, now: datetime) -> datetime | None:
        """Until when a run holds the claim; None: no run does."""
        with self.database.read() as connection:
            return connection.scalar(select(_c.pod_lease_until).where(_c.id == claim_id, ~free(now)))

    def claims(self, wanted: ClaimFilter, most: int, *, skip: int = 0) -> list[ListedClaim]:
        """Claims, the newest first."""
        query = (
            self._listed().where(*self._conditions(wanted)).order_by(_c.id.desc()).limit(most).offset(skip)
        )
        with self.database.read() as connection:
            return [self._read(row) for row in connection.execute(query)]

    def count(self, wanted: ClaimFilter, most: int) -> int:
        """How many claims there are of these, counted up to `most`."""
        some = select(_c.id).where(*self._conditions(wanted)).limit(most)
        with self.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(some.subquery())) or 0

    def _listed(self) -> Select[Any]:
        pod = [
            type_coerce(column, Text).label(column.name)
            for column in (_c.pod_url, _c.pod_fetched_at, _c.pod_delivery_person)
        ]
        there = readable_columns(self.columns)
        return select(*there, *(column for column in pod if column.name not in {c.name for c in there}))

    def _conditions(self, wanted: ClaimFilter) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if wanted.statuses:
            found.append(_c.pod_fetch_status.in_(wanted.statuses))
        if wanted.stages:
            found.append(or_(*(at_stage(stage) for stage in wanted.stages)))
        if wanted.carriers:
            found.append(_c.pod_carrier_key.in_(wanted.carriers))
        if text := wanted.text.strip():
            found.append(
                or_(
                    *(
                        column.icontains(text, autoescape=True)
                        for column in (_c.claim_reference, _c.tracking_number)
                    )
                )
            )
        return found

    def _read(self, row: Row[Any]) -> ListedClaim:
        values = row._mapping  # noqa: SLF001 (SQLAlchemy's public name for it)
        read = Reader(values)
        return ListedClaim(
            read_claim(values, self.catalog, self.redact),
            read.text("pod_url"),
            read.moment("pod_fetched_at"),
            read.text("pod_delivery_person"),
        )

    # ---------------------------------------------------------------- telling people

    def messages(self, claim_id: Any) -> list[Message]:
        """What was to be told about a claim, the oldest first."""
        query = (
            select(
                events.c.event,
                events.c.audience,
                events.c.created_at,
                events.c.told,
                mails.c.state,
                mails.c.recipient,
                mails.c.ended_at,
            )
            .join(mail_events, mail_events.c.event_id == events.c.id, isouter=True)
            .join(mails, mails.c.id == mail_events.c.mail_id, isouter=True)
            .where(events.c.claim_id == claim_id)
            .order_by(events.c.id)
        )
        with self.database.read() as connection:
            return [Message(*row) for row in connection.execute(query)]


def _attempt(row: Row[Any]) -> PastAttempt:
    return PastAttempt(
        id=row.id,
        claim_id=row.claim_id,
        run_id=row.run_id,
        worker=row.worker,
        carrier=row.carrier,
        number=row.tracking_number,
        turn=row.turn,
        started_at=row.started_at,
        duration_s=row.duration_s,
        calls=row.calls,
        outcome=row.outcome,
        used=bool(row.used),
        kind=row.error_kind,
        message=row.message,
        http_status=row.http_status,
        delivered_at=row.delivered_at,
        signatory=row.signatory,
        document_path=row.document_path,
        document_sha256=row.document_sha256,
        document_size=row.document_size,
        document_type=row.document_type,
        document_source=row.document_source,
    )
