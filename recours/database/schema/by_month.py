"""`recours_attempts` by month, on PostgreSQL: old ones go by TRUNCATE and DROP then, not row by row.

`recours init-db` makes and keeps the partitions. A run works with either form and changes neither, since that locks the
table. What there is becomes the first partition as it is: no row is rewritten, no index built. Numbers go on coming from
the table's one sequence, and each partition has a primary key on them of its own: PostgreSQL has none across partitions
that does not hold the time too.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from recours.core.text import plural
from recours.database.engine import Database, DatabaseError
from recours.database.schema.alone import alone
from recours.database.schema.large_tables import VIEW, view_made_anew
from recours.database.schema.partitions import (
    BY_MONTH,
    NEVER,
    PROOF,
    TABLE,
    Month,
    beginning,
    grants_on_table,
    is_by_month,
    left_proofs,
    months_from,
    partitions_of,
    rights_on_partitions,
    without_partition,
)
from recours.database.schema.rights import quoted, sequence_of
from recours.database.tables import attempts
from recours.runs.ports import Clock

_DEFAULT = f"{TABLE}_default"
# PostgreSQL looks for rows itself in a table of up to so many bytes, while everybody waits. In others that is done before.
_LARGE = 64 * 2**20
# The proof of it refuses rows of some months. Should a process be killed that has one, there is time to drop it.
_PROOF_LASTS = timedelta(days=28)
# Rows that are moved while everybody waits.
_MOST_MOVED = 10_000

_INDEXES = sorted(attempts.indexes, key=lambda index: str(index.name))
_IS_THERE = text(f"SELECT to_regclass('{TABLE}')")
_SIZE = text("SELECT coalesce(pg_relation_size(to_regclass(:name)), 0)")
_PLACE = text(
    "SELECT rolname AS owner, nspname AS schema, rolname = current_user AS is_mine"  # noqa: S608 (a constant)
    " FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    f" WHERE pg_class.oid = to_regclass('{TABLE}')"
)
# What others have put on the table stays with what is a partition then, and goes on without the rows to come.
_OF_OTHERS = text(
    "SELECT string_agg(DISTINCT what, ', ' ORDER BY what) FROM ("  # noqa: S608 (constants)
    "SELECT 'view ' || pg_class.relname AS what FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid"
    " JOIN pg_class ON pg_class.oid = ev_class WHERE classid = CAST('pg_rewrite' AS regclass)"
    f" AND refobjid IN (to_regclass('{TABLE}'), to_regclass('{VIEW}'))"
    f" AND ev_class IS DISTINCT FROM to_regclass('{VIEW}')"
    f" UNION SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = to_regclass('{TABLE}') AND NOT tgisinternal"
    f" UNION SELECT 'foreign key ' || conname FROM pg_constraint WHERE confrelid = to_regclass('{TABLE}')"
    f" UNION SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = to_regclass('{TABLE}')"
    " UNION SELECT 'publication ' || pubname FROM pg_publication_rel JOIN pg_publication ON pg_publication.oid = prpubid"
    f" WHERE prrelid = to_regclass('{TABLE}')) AS found"
)


@dataclass(frozen=True)
class Change:
    """What one transaction does."""

    statements: Sequence[str] = ()
    remarks: Sequence[str] = ()  # on what it does, and on what it leaves
    months: Sequence[Month] = ()  # that have a partition then, beside those that have one
    proof: tuple[str, str] | None = None  # a table, and what is to be known before of all its rows


def keep_by_month(database: Database, clock: Clock) -> list[str]:
    """Have the attempts by month, the months to come included and no past one that is empty; what to say about it."""
    if database.is_sqlite:
        return []
    try:
        with database.long():
            _drop_proofs(database, clock)
            return [*_do(database, clock, _conversion), *_do(database, clock, _renewal)]
    except DatabaseError as fault:
        return [_left(f"another program holds {TABLE}" if fault.is_of_lock else str(fault).rstrip("."))]


def sql_of_months(connection: Connection, now: datetime) -> tuple[list[str], list[str]]:
    """What `keep_by_month` would run; and the partitions that are, or would be, a month's."""
    change = (_renewal if is_by_month(connection) else _conversion)(connection, now)
    there = [partition.name for partition in partitions_of(connection) if partition.month]
    names = [*there, *(month.partition for month in change.months)]
    if not change.statements:
        return [], names
    proving = _proving(*change.proof) if change.proof else ()
    return [*proving, "BEGIN", "SET LOCAL lock_timeout = '2s'", *change.statements, "COMMIT"], names


def _left(why: str) -> str:
    return (
        f"{BY_MONTH}: left as it is ({why}). Runs go on with it, and 'recours prune' deletes row by row. Run 'recours "
        "init-db' again when that has changed"
    )


# ---------------------------------------------------------------- one change made


def _do(
    database: Database, clock: Clock, change_of: Callable[[Connection, datetime], Change]
) -> Sequence[str]:
    """Make a change, if there is anything to change; what to say about it. Raises DatabaseError."""
    now = clock.now()

    def work(connection: Connection) -> Sequence[str]:
        change = change_of(connection, now)  # anew: another process may have done it meanwhile
        moved = sum(max(connection.exec_driver_sql(statement).rowcount, 0) for statement in change.statements)
        if moved:
            return [*change.remarks, f"{plural(moved, 'attempt')} moved to the months of their dates"]
        return change.remarks

    # What another process is about to drop cannot be looked at either.
    change = alone(database, lambda connection: change_of(connection, now), clock)
    if not change.statements:
        return change.remarks
    with _proof(database, clock, change.proof):
        return alone(database, work, clock)


@contextmanager
def _proof(database: Database, clock: Clock, wanted: tuple[str, str] | None) -> Iterator[None]:
    """Have PostgreSQL know meanwhile that a condition holds for all rows of a table: it looks while others write."""
    if wanted is None:
        yield
        return
    adding, looking = _proving(*wanted)
    alone(database, lambda connection: connection.exec_driver_sql(adding), clock)
    try:
        with database.write() as connection:
            connection.exec_driver_sql(looking)
        yield
    finally:
        _drop_proofs(database, clock)


def _proving(table: str, condition: str) -> tuple[str, str]:
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {PROOF} CHECK ({condition}) NOT VALID",
        f"ALTER TABLE {table} VALIDATE CONSTRAINT {PROOF}",
    )


def _drop_proofs(database: Database, clock: Clock) -> None:
    def work(connection: Connection) -> None:
        for table in left_proofs(connection):
            connection.exec_driver_sql(_dropping(table))

    alone(database, work, clock)


def _dropping(table: str) -> str:
    return f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {PROOF}"


def _in_its_place(connection: Connection) -> list[str]:
    """What an administrator makes belongs to the owner of the table, and lies where the table does."""
    if not (found := connection.execute(_PLACE).first()):
        return []  # it is still to be made, by this very user
    role = [] if found.is_mine else [f"SET LOCAL ROLE {quoted(found.owner)}"]
    return [*role, f"SET LOCAL search_path TO {quoted(found.schema)}"]


def _is_large(connection: Connection, table: str) -> bool:
    return (connection.scalar(_SIZE, {"name": table}) or 0) > _LARGE


def _first_provable(now: datetime) -> datetime:
    """The first month whose rows a proof may refuse for a while."""
    return beginning(now + _PROOF_LASTS, 1)


def _count(connection: Connection, table: str, month: Month) -> int:
    """How many rows of that month a table has, counted just beyond what may be moved."""
    rows = f"SELECT 1 FROM {table} WHERE {_within(month)} LIMIT {_MOST_MOVED + 1}"  # noqa: S608 (no text from outside)
    return connection.scalar(text(f"SELECT count(*) FROM ({rows}) AS found")) or 0  # noqa: S608 (same)


def _within(month: Month) -> str:
    since = f"started_at >= '{month.first:%Y-%m-%d}' AND " if month.first else ""
    return f"{since}started_at < '{month.end:%Y-%m-%d}'"


def _moving(source: str, condition: str, target: str) -> str:
    return (
        f"WITH moved AS (DELETE FROM {source} WHERE {condition} RETURNING *)"  # noqa: S608 (no text from outside)
        f" INSERT INTO {target} SELECT * FROM moved"
    )


# ---------------------------------------------------------------- one table becomes a partition


def _conversion(connection: Connection, now: datetime) -> Change:
    """What makes of one table, or of none yet, the first partition of another of its name."""
    if is_by_month(connection):
        return Change()
    # The view before the table, here and in what is run, as those who read it do: else two could wait for each other.
    dropping_view, making_view = view_made_anew(connection)
    is_large = _is_large(connection, TABLE)
    past = Month(None, _first_provable(now) if is_large else beginning(now, 1))
    if why := _obstacle(connection, past, is_large=is_large):
        return Change(remarks=[_left(why)])
    old, condition = past.partition, _within(past)
    months = months_from(past.end, now)
    statements = [
        *_in_its_place(connection),
        *dropping_view,
        f"ALTER TABLE {TABLE} RENAME TO {old}",
        *(
            f"ALTER INDEX IF EXISTS {index.name} RENAME TO {index.name}_{past.end:%Y_%m}"
            for index in _INDEXES
        ),
        f"CREATE TABLE {TABLE} (LIKE {old} INCLUDING DEFAULTS) PARTITION BY RANGE (started_at)",
        f"ALTER SEQUENCE {sequence_of(connection, TABLE)} OWNED BY {TABLE}.id",
        *(f"CREATE INDEX {index.name} ON {TABLE} ({', '.join(index.columns.keys())})" for index in _INDEXES),
        f"CREATE TABLE {_DEFAULT} PARTITION OF {TABLE} (PRIMARY KEY (id)) DEFAULT",
        *(
            f"CREATE TABLE {month.partition} PARTITION OF {TABLE} (PRIMARY KEY (id)) {month.bound}"
            for month in months
        ),
        *rights_on_partitions(connection, [month.partition for month in months], _DEFAULT),
        *([] if is_large else [_moving(old, f"NOT ({condition})", TABLE)]),
        f"ALTER TABLE {TABLE} ATTACH PARTITION {old} {past.bound}",
        *([_dropping(old)] if is_large else []),
        *making_view,
        *grants_on_table(connection),
    ]
    remark = f"{TABLE} is kept by month now; what there was is {old}, as it was"
    return Change(statements, [remark], [past, *months], (TABLE, condition) if is_large else None)


def _obstacle(connection: Connection, past: Month, *, is_large: bool) -> str | None:
    """Why the table stays one; None: nothing keeps it from becoming a partition."""
    if of_others := connection.scalar(_OF_OTHERS):
        return f"it has the {of_others}, which would see nothing of the months to come: drop it, and make it anew afterwards"
    if connection.scalar(_IS_THERE) is None:
        return None
    ahead = _count(connection, TABLE, Month(past.end, NEVER))
    if ahead > (0 if is_large else _MOST_MOVED):
        return (
            f"{plural(ahead, 'attempt')}{' or more' if ahead > _MOST_MOVED else ''} dated {past.end:%Y-%m-%d} or later: "
            "a clock was wrong, or is. Correct started_at"
        )
    return None


# ---------------------------------------------------------------- months come and go


def _renewal(connection: Connection, now: datetime) -> Change:
    """What adds the months that are to come, and drops past ones that are empty."""
    if not is_by_month(connection):
        return Change()
    partitions = partitions_of(connection)
    others = next((partition.name for partition in partitions if partition.month is None), None)
    missing = without_partition(months_from(beginning(now), now), partitions)
    added = [month for month in missing if others is None or _may_leave(connection, others, month, now)]
    empty = [
        partition.name
        for partition in partitions
        if partition.month and partition.month.end <= beginning(now) and _is_empty(connection, partition.name)
    ]
    remarks = []
    if added:
        remarks.append(f"Months added to {TABLE}: {added[0].first:%Y-%m} to {added[-1].first:%Y-%m}")
    if empty:
        remarks.append(f"Empty months dropped: {', '.join(empty)}")
    if left := [f"{month.first:%Y-%m}" for month in missing if month not in added]:
        remarks.append(
            f"{BY_MONTH}: {others} has too many attempts of {', '.join(left)} to move them. They stay there, and are "
            "deleted row by row"
        )
    if not (added or empty):
        return Change(remarks=remarks)
    proof = None
    if added and others and _is_large(connection, others):
        proof = others, " AND ".join(f"NOT ({_within(month)})" for month in added)
    statements = [
        *_in_its_place(connection),
        # All at once: a lock that grew could meet another one that does.
        f"LOCK TABLE ONLY {', ONLY '.join([TABLE, *([others] if others else [])])} IN ACCESS EXCLUSIVE MODE",
        *(statement for month in added for statement in _adding(month, others)),
        *rights_on_partitions(connection, [month.partition for month in added]),
        *map(_dropping_if_empty, empty),
        *([_dropping(proof[0])] if proof else []),
    ]
    return Change(statements, remarks, added, proof)


def _may_leave(connection: Connection, others: str, month: Month, now: datetime) -> bool:
    """Tell whether the rows of a month, if there are any, may be taken out of the partition that takes all others'."""
    count = _count(connection, others, month)
    if _is_large(connection, others):  # then it is to be proven that there are none
        return not count and month.first is not None and month.first >= _first_provable(now)
    return count <= _MOST_MOVED


def _adding(month: Month, others: str | None) -> list[str]:
    """PostgreSQL adds no partition for rows that another one has: it is filled before."""
    name = month.partition
    return [
        f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS, PRIMARY KEY (id))",
        *([_moving(others, _within(month), name)] if others else []),
        f"ALTER TABLE {TABLE} ATTACH PARTITION {name} {month.bound}",
    ]


def _is_empty(connection: Connection, partition: str) -> bool:
    return not connection.scalar(text(f"SELECT EXISTS (SELECT 1 FROM {partition})"))  # noqa: S608 (a name of the catalogue)


def _dropping_if_empty(partition: str) -> str:
    """Rows that came meanwhile stay."""
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM {partition}) THEN DROP TABLE {partition}; END IF; END $$"  # noqa: S608 (same)
    )
