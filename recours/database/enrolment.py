"""Claims of which nobody has said that recours works on them: counted, enrolled, excluded.

Looked for by an index that holds no other claims (migrations/versions/0006_border.py), whose expressions are repeated
here word by word; a test asserts the plans.
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
    insert,
    literal,
    literal_column,
    null,
    select,
    text,
    true,
    type_coerce,
    update,
)

from recours.core.claim import Claim, FetchStatus, tidy_number
from recours.core.policy import Adoption, EnrollNew
from recours.database.engine import Database
from recours.database.event_outbox import insert_into
from recours.database.lenient_reader import Reader
from recours.database.schema.inspection import Schema
from recours.database.tables import adoption, claims, exclusions
from recours.operations.enroll import MANUAL, Candidate

# ---------------------------------------------------------------- when recours was adopted


_ROW = 1
_STATUS = "pod_fetch_status"


def adopt(connection: Connection, before: Schema, now: datetime) -> None:
    """Note what there is, once, in the transaction that has just brought the schema up to date.

    `before`: what the database held before that. One that an older version worked on is undecided: nobody knows any more
    who added the column.
    """
    added = _STATUS not in before.columns
    highest = connection.scalar(select(func.max(claims.c.id)))
    values = {
        "id": _ROW,
        "adopted_at": now,
        "highest_claim_id": highest,
        "status_column_added": added,
        "decided": _has_nothing_to_decide(before, has_claims=highest is not None),
        "ranked_up_to": None if before.version is None else 0,
    }
    connection.execute(insert_into(adoption, connection.dialect.name).values(values).on_conflict_do_nothing())


def _has_nothing_to_decide(before: Schema, *, has_claims: bool) -> bool:
    """Where the service has the column itself, it says which claims are to be worked on."""
    return before.version is None and (_STATUS in before.columns or not has_claims)


def sql_of_adoption(before: Schema, dialect: str) -> str:
    """The same for someone who brings the schema up to date by hand."""
    added = _STATUS not in before.columns
    decided = "false" if before.version else ("NOT EXISTS (SELECT 1 FROM claims)" if added else "true")
    ranked = "0" if before.version else "NULL"
    now = "CURRENT_TIMESTAMP AT TIME ZONE 'UTC'" if dialect == "postgresql" else "CURRENT_TIMESTAMP"
    return (
        "INSERT INTO recours_adoption (id, adopted_at, highest_claim_id, status_column_added, decided, ranked_up_to)"  # noqa: S608 (constants)
        f" SELECT {_ROW}, {now}, (SELECT max(id) FROM claims), {str(added).lower()}, {decided}, {ranked}"
        " WHERE NOT EXISTS (SELECT 1 FROM recours_adoption)"
    )


def read_adoption(connection: Connection) -> Adoption | None:
    """The row; None if somebody has removed it."""
    row = connection.execute(select(adoption).where(adoption.c.id == _ROW)).first()
    if row is None or row.adopted_at is None:
        return None
    return Adoption(row.adopted_at, row.highest_claim_id, row.status_column_added, row.decided)


def note_decision(connection: Connection) -> None:
    """A person has said what becomes of the claims that are not enrolled."""
    connection.execute(update(adoption).where(adoption.c.id == _ROW).values(decided=True))


def ranked_up_to(connection: Connection) -> int | None:
    """Up to which id claims of an older version were ranked again; None: all were."""
    return connection.scalar(select(adoption.c.ranked_up_to).where(adoption.c.id == _ROW))


def note_ranked(connection: Connection, up_to: int | None) -> None:
    """Claims up to this id have been ranked again; None: all."""
    connection.execute(update(adoption).where(adoption.c.id == _ROW).values(ranked_up_to=up_to))


# ---------------------------------------------------------------- claims that nobody has enrolled


_c, _x = claims.c, exclusions.c
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
        """When recours first worked on this database. Raises DatabaseError."""
        with self.database.read() as connection:
            return read_adoption(connection)

    # ---------------------------------------------------------------- how many

    def undecided(self, most: int, now: datetime) -> int:
        """How many open claims with a number are not enrolled, counted up to `most`; 0 once somebody has decided.

        Without those that the next run of the fetch worker enrols.
        """
        with self.database.read() as connection:
            adopted = read_adoption(connection)
            if adopted is not None and not adopted.is_undecided(self.setting):
                return 0
            new = self._new(connection, adopted, now) if adopted and adopted.enrolls_new(self.setting) else ()
            return max(self._count(connection, _unenrolled, most + len(new)) - len(new), 0)

    def to_be_undecided(self, most: int, *, is_new: bool) -> int:
        """The same of a database that no run of this version has worked on: what would be said then.

        `is_new`: nor has a run of any other. Then the service decides, if the column is its own.
        """
        has_status = "pod_fetch_status" in self.columns
        if self.setting is EnrollNew.FALSE or (is_new and has_status):
            return 0
        with self.database.read() as connection:
            return self._count(connection, _unenrolled if has_status else text(_HAS_NUMBER), most)

    def _count(self, connection: Connection, wanted: Any, most: int) -> int:
        counted = 0
        for group in self._open_groups(connection, wanted):
            some = (
                select(literal(1)).select_from(claims).where(wanted, *group).limit(most - counted).subquery()
            )
            counted += connection.scalar(select(func.count()).select_from(some)) or 0
            if counted >= most:
                break
        return counted

    def _open_groups(self, connection: Connection, wanted: Any) -> list[list[ColumnElement[bool]]]:
        """Conditions of the claim statuses that are of interest; each is found from the one before by one look."""
        if "status" not in self.columns:
            return [[]]
        first = select(_status).select_from(claims).where(wanted).order_by(_status).limit(1)
        found = select(first.scalar_subquery().label("status")).cte(recursive=True)
        after = select(_status).select_from(claims).where(wanted, _status > found.c.status)
        after_it = select(after.order_by(_status).limit(1).scalar_subquery())
        found = found.union_all(after_it.where(found.c.status.is_not(None)))
        there = connection.scalars(select(found.c.status).where(found.c.status.is_not(None)))
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
        ids = (
            claim_id
            for group in self._open_groups(connection, _unenrolled)
            for look in self._looks(connection, adopted, group)
            for claim_id in self._newer(connection, look, adopted, now)
        )
        return list(dict.fromkeys(ids))

    def _looks(
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
        return (connection.scalar(_TYPE_OF_CREATION) or "").startswith(
            ("timestamp", "date", "text", "character")
        )

    @staticmethod
    def _newer(connection: Connection, look: Select[Any], adopted: Adoption, now: datetime) -> Iterator[Any]:
        for row in connection.execution_options(yield_per=_AT_ONCE).execute(look).mappings():
            if adopted.is_new(row["id"], Reader(row).moment("created_at"), now):
                yield row["id"]

    # ---------------------------------------------------------------- those that a person chooses

    def candidates(self) -> Iterator[Candidate]:
        """Every claim with a number that is not enrolled, whatever its status, by its id; a part at a time in memory."""
        there = [
            name
            for name in ("id", "carrier", "tracking_number", "status", "created_at")
            if name in self.columns
        ]
        part = select(*(_c.id if name == "id" else type_coerce(_c[name], Text).label(name) for name in there))
        # As a CASE, so that they are read in the order of their ids, not sorted for every part.
        part = part.where(case((_unenrolled, true()), else_=false())).order_by(_c.id).limit(_AT_ONCE)
        query = part
        while True:
            with self.database.read() as connection:
                rows = connection.execute(query).mappings().all()
            yield from map(_candidate, rows)
            if len(rows) < _AT_ONCE:
                return
            query = part.where(_c.id > rows[-1]["id"])

    def enroll(self, ids: Sequence[Any], now: datetime) -> set[Any]:
        """Set these to `pending`; returns those that nobody has taken in between, or holds at this moment."""
        # In one order, and without waiting for rows that others have locked: the next run looks for it again.
        still = (
            select(_c.id).where(_c.id.in_(ids), _unenrolled).order_by(_c.id).with_for_update(skip_locked=True)
        )
        with self.database.write() as connection:
            found = list(connection.scalars(still))
            _set_pending(connection, found, now)
        return set(found)

    def note_decision(self) -> None:
        with self.database.write() as connection:
            note_decision(connection)

    # ---------------------------------------------------------------- by name

    def enroll_named(self, found: Sequence[Claim], who: str, now: datetime) -> bool:
        ids = [claim.id for claim in found]
        with self.database.write() as connection:
            if not self._are_as_found(connection, found):
                return False
            _set_pending(connection, ids, now)
            ended = update(exclusions).where(_x.claim_id.in_(ids), _x.ended_at.is_(None))
            connection.execute(ended.values(ended_at=now, ended_by=who))
        return True

    def exclude(self, found: Sequence[Claim], who: str, why: str, now: datetime) -> bool:
        rows = [
            {
                "claim_id": claim.id,
                "excluded_at": now,
                "excluded_by": who,
                "why": why,
                "previous_status": claim.fetch_status,
            }
            for claim in found
        ]
        with self.database.write() as connection:
            if not self._are_as_found(connection, found):
                return False
            ids = [claim.id for claim in found]
            connection.execute(update(claims).where(_c.id.in_(ids)).values(pod_fetch_status=MANUAL))
            connection.execute(insert(exclusions), rows)
        return True

    @staticmethod
    def _are_as_found(connection: Connection, found: Sequence[Claim]) -> bool:
        """Tell whether each still has the status that was read; nobody changes them until the transaction ends."""
        ids = [claim.id for claim in found]
        rows = connection.execute(
            select(_c.id, type_coerce(_c.pod_fetch_status, Text).label("status"))
            .where(_c.id.in_(ids))
            .order_by(_c.id)
            .with_for_update()
        )
        return {row.id: row.status for row in rows} == {claim.id: claim.fetch_status for claim in found}


def _set_pending(connection: Connection, ids: Sequence[Any], now: datetime) -> None:
    pending = {"pod_fetch_status": FetchStatus.PENDING, "pod_since": now}
    connection.execute(update(claims).where(_c.id.in_(ids)).values(pending))


def _candidate(row: Any) -> Candidate:
    read = Reader(row)
    return Candidate(
        id=row["id"],
        carrier_name=read.text("carrier") or "",
        number=tidy_number(read.text("tracking_number")),
        status=(read.text("status") or "").strip().lower(),
        created_at=read.moment("created_at"),
    )
