"""The partitions of `recours_attempts` on PostgreSQL, as far as there are any: a month each, and one for what no other takes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from recours.core.text import plural
from recours.database.engine import Database
from recours.database.schema.rights import quoted
from recours.database.tables import attempts

TABLE = attempts.name
MONTHS_AHEAD = 24
# With fewer, it is time for 'recours init-db'.
FEW = 2
# How remarks begin that someone should read.
BY_MONTH = f"{TABLE} by month"
REFUSED = "an 'init-db' was ended before it was done, and attempts of later months would be refused"
# A constraint by which PostgreSQL knows, without looking, that a table has no rows of some months: see `by_month`.
PROOF = f"{TABLE}_proof"

_EVER, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_FORM = text(f"SELECT relkind FROM pg_class WHERE oid = to_regclass('{TABLE}')")  # noqa: S608 (a constant)
_OF_TABLE = f"SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('{TABLE}')"  # noqa: S608 (same)
_PARTITIONS = text(
    "SELECT CAST(CAST(oid AS regclass) AS text), pg_get_expr(relpartbound, oid),"  # noqa: S608 (constants)
    f" has_table_privilege(oid, 'TRUNCATE') FROM pg_class WHERE oid IN ({_OF_TABLE}) ORDER BY 1"
)
_BOUND = re.compile(r"FROM \((?:'(?P<first>[^']+)'|MINVALUE)\) TO \((?:'(?P<end>[^']+)'|MAXVALUE)\)")
_ROLE = "CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE CAST(CAST(grantee AS regrole) AS text) END"
_RIGHTS = text(
    f"SELECT DISTINCT privilege_type AS what, {_ROLE} AS role FROM pg_class, aclexplode(relacl)"  # noqa: S608 (constants)
    f" WHERE grantee <> relowner AND (oid = to_regclass('{TABLE}') AND privilege_type = 'SELECT'"
    f" OR (oid = to_regclass('{TABLE}') OR oid IN ({_OF_TABLE})) AND privilege_type = 'TRUNCATE') ORDER BY 1, 2"
)
_GRANTS = text(
    f"SELECT {_ROLE} AS role, privilege_type AS what, NULL AS of_column, is_grantable"  # noqa: S608 (constants)
    f" FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = to_regclass('{TABLE}') AND grantee <> relowner"
    f" UNION ALL SELECT {_ROLE}, privilege_type, attname, is_grantable"
    " FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid, aclexplode(attacl)"
    f" WHERE attrelid = to_regclass('{TABLE}') AND NOT attisdropped AND grantee <> relowner ORDER BY 1, 2, 3"
)
_PROVEN = text(
    f"SELECT CAST(CAST(conrelid AS regclass) AS text) FROM pg_constraint WHERE conname = '{PROOF}'"  # noqa: S608 (a constant)
)


@dataclass(frozen=True)
class Month:
    """A month of UTC, or all the time up to one."""

    first: datetime | None  # None: from the beginning of time
    end: datetime  # which is not in it

    @property
    def partition(self) -> str:
        """The name that its partition is given."""
        return f"{TABLE}_{self.first:%Y_%m}" if self.first else f"{TABLE}_before_{self.end:%Y_%m}"

    @property
    def bound(self) -> str:
        """The values that its partition takes, as SQL."""
        first = f"'{self.first:%Y-%m-%d}'" if self.first else "MINVALUE"
        return f"FOR VALUES FROM ({first}) TO ('{self.end:%Y-%m-%d}')"

    def overlaps(self, other: "Month") -> bool:
        return (self.first or _EVER) < other.end and (other.first or _EVER) < self.end


@dataclass(frozen=True)
class Partition:
    """A partition that is there."""

    name: str  # as SQL
    month: Month | None  # None: it takes what no other does
    may_be_emptied: bool  # by this user, at once


def is_by_month(connection: Connection) -> bool:
    """Tell whether the table has partitions."""
    return connection.dialect.name == "postgresql" and connection.scalar(_FORM) == "p"


def partitions_of(connection: Connection) -> list[Partition]:
    """The partitions; none where the table is one as of old."""
    if connection.dialect.name != "postgresql":
        return []
    return [Partition(name, _month_of(bound), may) for name, bound, may in connection.execute(_PARTITIONS)]


def _month_of(bound: str) -> Month | None:
    if not (found := _BOUND.search(bound)):
        return None
    first, end = (_utc(found[name]) if found[name] else None for name in ("first", "end"))
    return Month(first, end or NEVER)


def _utc(stored: str) -> datetime:
    """The column holds UTC without saying so."""
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)


def left_proofs(connection: Connection) -> Sequence[str]:
    """Tables that kept their proof, since the process that needed it was killed. They would refuse rows of months to come."""
    return connection.scalars(_PROVEN).all()


# ---------------------------------------------------------------- months


def beginning(at: datetime, later: int = 0) -> datetime:
    """The first of the month of that time, or of a later one."""
    at = at.astimezone(UTC)
    year, month = divmod(at.year * 12 + at.month - 1 + later, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def months_from(first: datetime, now: datetime) -> list[Month]:
    """The months from that one to the last that is wanted."""
    wanted = (beginning(now, later) for later in range(MONTHS_AHEAD + 1))
    return [Month(month, beginning(month, 1)) for month in wanted if month >= first]


def without_partition(months: Iterable[Month], partitions: Sequence[Partition]) -> list[Month]:
    taken = [partition.month for partition in partitions if partition.month]
    return [month for month in months if not any(month.overlaps(other) for other in taken)]


def months_ahead(partitions: Sequence[Partition], now: datetime) -> int:
    """How many of the wanted months after this one have a partition."""
    to_come = months_from(beginning(now, 1), now)
    return len(to_come) - len(without_partition(to_come, partitions))


@dataclass(frozen=True)
class Readiness:
    """How a database is prepared for the months to come."""

    ahead: int | None = None  # months after this one that have a partition; None: the table has none
    refuses: bool = False  # see `left_proofs`

    @property
    def remarks(self) -> list[str]:
        """What to say of it in the log of a run."""
        found = [REFUSED] if self.refuses else []
        if self.ahead is not None and self.ahead < FEW:
            found.append(few_ahead(self.ahead))
        return [f"{BY_MONTH}: {remark}. Run 'recours init-db'" for remark in found]


def few_ahead(count: int) -> str:
    return f"{plural(count, 'month')} ahead; attempts of later ones are kept together, and deleted row by row"


def readiness(database: Database, now: datetime) -> Readiness:
    """How it is prepared. Raises DatabaseError."""
    if database.is_sqlite:
        return Readiness()
    with database.read() as connection:
        partitions = partitions_of(connection)
        return Readiness(months_ahead(partitions, now) if partitions else None, bool(left_proofs(connection)))


# ---------------------------------------------------------------- rights


def grants_on_table(connection: Connection) -> list[str]:
    """The statements that give others the rights that they have on the table."""
    return [
        f"GRANT {row.what}{f' ({quoted(row.of_column)})' if row.of_column else ''} ON {TABLE} TO {row.role}"
        f"{' WITH GRANT OPTION' if row.is_grantable else ''}"
        for row in connection.execute(_GRANTS)
    ]


def rights_on_partitions(
    connection: Connection, months: Sequence[str], other: str | None = None
) -> list[str]:
    """The statements that give others what they need of new partitions: `other` is none of a month.

    pg_dump reads each partition by itself. Who may empty a month may empty these too.
    """
    names = {"SELECT": [*months, *([other] if other else [])], "TRUNCATE": months}
    return [
        f"GRANT {row.what} ON {', '.join(names[row.what])} TO {row.role}"
        for row in connection.execute(_RIGHTS)
        if names[row.what]
    ]
