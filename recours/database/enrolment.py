"""What a person decides on claims: enrolled, excluded, reopened; and new ones, which are enrolled by themselves.

Claims that nobody has enrolled are looked for by an index that holds no others (recours/database/schema/definition.py),
whose expressions are repeated here word by word; a test asserts the plans.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    case,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    text,
    true,
    type_coerce,
    update,
)

from recours.core.changes import ChangeKind, ClaimChange
from recours.core.claim import Claim, FetchStatus, Stage, tidy_number
from recours.core.policy import Adoption, EnrollNew
from recours.database.adoption import read_adoption
from recours.database.changes import note
from recours.database.claims import ClaimRepository
from recours.database.engine import Database
from recours.database.claim_reader import Reader, read_claim
from recours.database.predicates import at_stage, of_carriers
from recours.database.rows import distinct_by_index, free, in_parts, is_failed, readable_columns, unedited
from recours.database.tables import adoption, claims
from recours.operations.enroll import MANUAL, Candidate
from recours.operations.reopen import ReopenCriteria

_c = claims.c
# Rows of one transaction: short enough that nobody waits long for the write lock.
CHUNK = 500
_AT_ONCE = 2000
_A_DAY = timedelta(days=1)
# No claim was made before: what sorts lower is no time, or of a clock that was not set.
_NO_TIME = "1980-01-01"

_TYPE_OF_CREATION = text(
    "SELECT format_type(atttypid, NULL) FROM pg_attribute"
    " WHERE attrelid = to_regclass('claims') AND attname = 'created_at' AND NOT attisdropped"
)
_HAS_NUMBER = "trim(tracking_number) <> ''"
_unenrolled = text(f"coalesce(pod_fetch_status, '') = '' AND {_HAS_NUMBER}")
_status: ColumnElement[str] = literal_column("(coalesce(lower(substr(trim(status), 1, 40)), ''))", Text)


@dataclass(frozen=True)
class ClaimEnrolment:
    """The claims of one database. `columns`: those that `claims` has; `skip`: claim statuses (lower case) of no interest."""

    database: Database
    columns: frozenset[str]
    skip: Collection[str] = ()
    setting: EnrollNew = EnrollNew.AUTO

    def adoption(self) -> Adoption | None:
        with self.database.read() as connection:
            return read_adoption(connection)

    def note_decision(self) -> None:
        with self.database.write() as connection:
            connection.execute(update(adoption).where(adoption.c.id == 1).values(decided=True))

    # ---------------------------------------------------------------- how many

    def undecided(self, most: int, now: datetime) -> int:
        """How many open claims with a number are not enrolled, counted up to `most`; 0 once somebody has decided.

        Without those that the next run of the fetch worker enrols.
        """
        with self.database.read() as connection:
            new = self._new_if_undecided(connection, now)
            if new is None:
                return 0
            return max(self._count(connection, _unenrolled, most + len(new)) - len(new), 0)

    def undecided_ids(self, most: int, now: datetime) -> list[Any]:
        """The ids of up to `most` of these."""
        with self.database.read() as connection:
            new = self._new_if_undecided(connection, now)
            found: list[Any] = []
            for group in self._open_groups(connection, _unenrolled) if new is not None else ():
                some = select(_c.id).where(_unenrolled, *group).limit(most + len(new or ()) - len(found))
                found += connection.scalars(some)
        return [claim_id for claim_id in found if claim_id not in set(new or ())][:most]

    def _new_if_undecided(self, connection: Connection, now: datetime) -> list[Any] | None:
        """Those that the next run of the fetch worker enrols; None: somebody has decided."""
        adopted = read_adoption(connection)
        if adopted is not None and not adopted.is_undecided(self.setting):
            return None
        return self._new(connection, adopted, now) if adopted and adopted.enrolls_new(self.setting) else []

    def to_be_undecided(self, most: int) -> int:
        """The same of a database that no run has worked on: what would be said then."""
        if self.setting is EnrollNew.FALSE or "pod_fetch_status" in self.columns:
            return 0  # where the column is the service's, the service decides
        with self.database.read() as connection:
            return self._count(connection, text(_HAS_NUMBER), most)

    def _count(self, connection: Connection, wanted: Any, most: int) -> int:
        counted = 0
        for group in self._open_groups(connection, wanted):
            some = select(literal(1)).select_from(claims).where(wanted, *group).limit(most - counted)
            counted += connection.scalar(select(func.count()).select_from(some.subquery())) or 0
            if counted >= most:
                break
        return counted

    def _open_groups(self, connection: Connection, wanted: Any) -> list[list[ColumnElement[bool]]]:
        """Conditions of the claim statuses that are of interest."""
        if "status" not in self.columns:
            return [[]]
        there = connection.scalars(distinct_by_index(_status, wanted))
        return [[_status == status] for status in there if status.strip().lower() not in self.skip]

    # ---------------------------------------------------------------- new ones

    def enroll_new(self, now: datetime) -> int:
        """Set the claims to `pending` that are new since the adoption; how many. Raises DatabaseError."""
        ids = self._to_be_enrolled(now)
        parts = (ids[at : at + CHUNK] for at in range(0, len(ids), CHUNK))
        return sum(len(self.enroll(part, now)) for part in parts)

    def count_new(self, now: datetime) -> int:
        """How many the next run of the fetch worker sets to `pending`. Raises DatabaseError."""
        return len(self._to_be_enrolled(now))

    def _to_be_enrolled(self, now: datetime) -> list[Any]:
        with self.database.read() as connection:
            adopted = read_adoption(connection)
            if adopted is None or not adopted.enrolls_new(self.setting):
                return []
            return self._new(connection, adopted, now)

    def _new(self, connection: Connection, adopted: Adoption, now: datetime) -> list[Any]:
        ids: dict[Any, None] = {}
        streamed = connection.execution_options(yield_per=_AT_ONCE)
        for group in self._open_groups(connection, _unenrolled):
            for query in self._stretches(connection, adopted, group):
                for row in streamed.execute(query).mappings():
                    if adopted.is_new(row["id"], Reader(row).moment("created_at"), now):
                        ids[row["id"]] = None
        return list(ids)

    def _stretches(
        self, connection: Connection, adopted: Adoption, group: Sequence[ColumnElement[bool]]
    ) -> list[Select[Any]]:
        """Every claim that may be new, by stretches of the index; each is read, and assessed by itself."""
        highest = adopted.highest_claim_id
        is_higher = [] if highest is None else [_c.id > highest]
        if not self._knows_creation(connection):
            return [select(_c.id, null().label("created_at")).where(_unenrolled, *group, *is_higher)]
        made: ColumnElement[Any] = literal_column("created_at")
        # A day before, since a time may be of any zone. Written into the SQL: it takes the type that the column has.
        day = (adopted.at - _A_DAY).date().isoformat()
        stretches = [
            [made >= literal_column(f"'{day}'")],
            [made.is_(None), *is_higher],
            [made < literal_column(f"'{_NO_TIME}'"), *is_higher],
        ]
        looked_at = (_c.id, type_coerce(_c.created_at, Text).label("created_at"))
        return [select(*looked_at).where(_unenrolled, *group, *stretch) for stretch in stretches]

    def _knows_creation(self, connection: Connection) -> bool:
        """Tell whether there is a column that can be compared with a date: PostgreSQL refuses to compare numbers."""
        if "created_at" not in self.columns or self.database.is_sqlite:
            return "created_at" in self.columns
        kind = connection.scalar(_TYPE_OF_CREATION) or ""
        return kind.startswith(("timestamp", "date", "text", "character"))

    # ---------------------------------------------------------------- those that a person chooses

    def candidates(self) -> Iterator[Candidate]:
        names = ("carrier", "tracking_number", "status", "created_at")
        there = [type_coerce(_c[name], Text).label(name) for name in names if name in self.columns]
        # As a CASE, so that they are read in the order of their ids, not sorted for every part.
        unenrolled = case((_unenrolled, true()), else_=false())
        for rows in in_parts(self.database, select(_c.id, *there).where(unenrolled), _c.id, _AT_ONCE):
            for row in rows:
                read = Reader(row)
                yield Candidate(
                    id=row["id"],
                    carrier_name=read.text("carrier") or "",
                    number=tidy_number(read.text("tracking_number")),
                    status=(read.text("status") or "").strip().lower(),
                    created_at=read.moment("created_at"),
                )

    def enroll(self, ids: Sequence[Any], now: datetime) -> set[Any]:
        """Set these to `pending`; returns those that nobody has taken in between, or locks now."""
        # In one order, and without waiting for rows that others have locked: the next run looks for it again.
        still = (
            select(_c.id).where(_c.id.in_(ids), _unenrolled).order_by(_c.id).with_for_update(skip_locked=True)
        )
        with self.database.write() as connection:
            found = list(connection.scalars(still))
            _set_pending(connection, found, now)
        return set(found)

    def enroll_named(self, found: Sequence[Claim], who: str, now: datetime) -> bool:
        ids = [claim.id for claim in found]
        with self.database.write() as connection:
            if not _are_as_found(connection, found):
                return False
            _set_pending(connection, ids, now)
            note(connection, [(claim.id, ClaimChange(ChangeKind.ENROLLED)) for claim in found], who, now)
        return True

    def exclude(self, found: Sequence[Claim], who: str, why: str, now: datetime) -> bool:
        with self.database.write() as connection:
            if not _are_as_found(connection, found):
                return False
            ids = [claim.id for claim in found]
            connection.execute(update(claims).where(_c.id.in_(ids)).values(pod_fetch_status=MANUAL))
            note(
                connection,
                [(claim.id, ClaimChange(ChangeKind.EXCLUDED, {"why": why})) for claim in found],
                who,
                now,
            )
        return True


def _are_as_found(connection: Connection, found: Sequence[Claim]) -> bool:
    """Tell whether each still has the status that was read; nobody changes them until the transaction ends."""
    of_it = _c.id, type_coerce(_c.pod_fetch_status, Text).label("status")
    query = select(*of_it).where(_c.id.in_([claim.id for claim in found])).order_by(_c.id).with_for_update()
    rows = connection.execute(query)
    return {row.id: row.status for row in rows} == {claim.id: claim.fetch_status for claim in found}


def _set_pending(connection: Connection, ids: Sequence[Any], now: datetime) -> None:
    pending = {"pod_fetch_status": FetchStatus.PENDING, "pod_since": now}
    connection.execute(update(claims).where(_c.id.in_(ids)).values(pending))


# ---------------------------------------------------------------- claims that gave up


# One that expired may have used no retry: what it was assessed on is then one more.
_AFRESH = {"pod_retry_count": 0, "pod_seen_count": case((_c.pod_retry_count > 0, _c.pod_seen_count), else_=1)}


@dataclass(frozen=True)
class GivenUpClaims:
    """The claims of one database that gave up: see `recours.operations.reopen`."""

    repository: ClaimRepository

    def given_up(self, criteria: ReopenCriteria, now: datetime) -> Iterator[list[tuple[Claim, bool]]]:
        such = [at_stage(Stage.GIVEN_UP), *_reopenable()]
        if criteria.error is not None:
            such = [_is_over(), _c.pod_error_kind == criteria.error, *_reopenable()]
        if criteria.carriers:
            such.append(of_carriers(criteria.carriers))
        if criteria.since is not None:
            such.append(func.coalesce(_c.pod_expired_at, _c.pod_last_retry_at) >= criteria.since)
        of = self.repository
        columns = [*readable_columns(of.columns), case((free(now), 0), else_=1).label("is_leased")]
        for rows in in_parts(of.database, select(*columns).where(*such), _c.id, CHUNK):
            if rows:
                yield [(read_claim(row, of.catalog, of.redact), bool(row["is_leased"])) for row in rows]

    def start_over(self, claims_: Sequence[Claim], who: str, now: datetime) -> set[Any]:
        # In one order, and without waiting for rows that others have locked: such a claim is not as it was any more.
        these = select(_c.id).where(_c.id.in_([claim.id for claim in claims_]), free(now)).order_by(_c.id)
        these = these.with_for_update(skip_locked=True)
        with self.repository.database.write() as connection:
            given_up = list(connection.scalars(these.where(_is_over(), *_reopenable())))
            # The count alone has the next run assess them again; the rest is what it will find, for those who count now.
            values = {**_AFRESH, "pod_stage": Stage.WAITING, "pod_next_retry_at": now}
            connection.execute(update(claims).where(_c.id.in_(given_up)).values(values))
            note(
                connection, [(claim_id, ClaimChange(ChangeKind.REOPENED)) for claim_id in given_up], who, now
            )
        return set(given_up)


def _is_over() -> ColumnElement[bool]:
    """Those that are not asked about any more."""
    return or_(at_stage(Stage.GIVEN_UP), at_stage(Stage.SETTLED))


def _reopenable() -> tuple[ColumnElement[bool], ...]:
    """Failed ones that nobody has set back or corrected yet: those are assessed again anyway."""
    return is_failed(), unedited(), or_(_c.pod_retry_count > 0, _c.pod_expired_at.is_not(None))
