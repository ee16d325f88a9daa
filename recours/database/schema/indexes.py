"""The one index on the service's table of claims: on PostgreSQL built beside everybody's reading and writing.

That cannot be done in a transaction, and waits for every other one that is open: hence one process at a time, by a lease
and not by a lock. Nothing depends on the index but how soon a run finds pending claims.
"""

import uuid
from datetime import timedelta

from sqlalchemy import text

from recours.database.border import INDEX
from recours.database.engine import Database, DatabaseError
from recours.database.named_leases import lease_name, release_name
from recours.runs.ports import Clock

# How the remark begins that someone should read.
MISSING = "Missing index on claims"

_BUILDING = "index on claims"
# As long as a statement may last: then whoever builds has ended, or died.
_LEASE = timedelta(hours=1)
_OWNS = text("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(:table)")
# A builder that died leaves an index that is kept up to date and never used.
_LEFT_BEHIND = text(
    "SELECT CAST(CAST(indexrelid AS regclass) AS text) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE indrelid = to_regclass(:table) AND relname = :name AND NOT (indisvalid AND indisready)"
)


def may_build(database: Database) -> bool:
    """Tell whether this user owns the table, as is needed to build an index on it. Raises DatabaseError."""
    if database.is_sqlite:
        return True
    return bool(database.scalar(_OWNS, {"table": database.border.table}))


def build_missing(database: Database, clock: Clock) -> list[str]:
    """Build it if it is missing; what to say about it."""
    holder = uuid.uuid4().hex
    try:
        if not lease_name(database, _BUILDING, holder, clock.now() + _LEASE, clock.now()):
            return [
                f"Another run builds the index {INDEX}, or died while it did: this one goes on without, more slowly"
            ]
        try:
            return _build(database)
        finally:
            release_name(database, _BUILDING, holder)
    except DatabaseError as fault:
        how = "" if fault.is_of_rights else " To build it, run 'recours init-db'."  # else the fault says it
        return [f"{MISSING} ({INDEX}); runs find pending claims more slowly without it: {fault}{how}"]


def _build(database: Database) -> list[str]:
    database.look_again()  # the process before may have built it
    border = database.border
    if border.index is None or border.has_index:
        return []
    with database.write() if database.is_sqlite else database.outside_transactions() as connection:
        if not database.is_sqlite:
            for name in connection.scalars(_LEFT_BEHIND, {"table": border.table, "name": INDEX}).all():
                connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        connection.exec_driver_sql(border.index)
    database.look_again()
    return [f"Built on {border.table}: {INDEX}"]
