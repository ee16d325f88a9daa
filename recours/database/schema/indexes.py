"""The indexes on the service's table of claims, on PostgreSQL: built beside everybody's reading and writing.

That cannot be done in a transaction, and waits for every other one that is open: hence one process at a time, by a lease
and not by a lock. Nothing depends on the indexes but how long a run takes.
"""

import uuid
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from recours.database.engine import Database, DatabaseError, explain
from recours.database.named_leases import lease_name, release_name
from recours.database.schema.definition import claim_indexes
from recours.database.schema.inspection import Schema, look
from recours.runs.ports import Clock

# How the remark begins that someone should read.
MISSING = "Missing indexes on claims"

_BUILDING = "indexes on claims"
# As long as a statement may last: then whoever builds has ended, or died.
_LEASE = timedelta(hours=1)
_LEFT_BEHIND = text(
    "SELECT CAST(CAST(indexrelid AS regclass) AS text) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE indrelid = to_regclass('claims') AND relname = :name AND NOT (indisvalid AND indisready)"
)


def missing_statements(schema: Schema) -> dict[str, str]:
    """How each missing index is built, by its name."""
    every = claim_indexes(schema.columns, "postgresql")
    return {name: statement for name, statement in every.items() if name in schema.missing_indexes}


def build_missing(database: Database, schema: Schema, clock: Clock) -> list[str]:
    """Build what is missing; what to say about it."""
    holder = uuid.uuid4().hex
    try:
        if not lease_name(database, _BUILDING, holder, clock.now() + _LEASE, clock.now()):
            return [
                "Another run builds the indexes on claims, or died while it did: this one goes on without, more slowly"
            ]
        try:
            return _build(database)
        finally:
            release_name(database, _BUILDING, holder)
    except DatabaseError as fault:
        return [_not_built(sorted(schema.missing_indexes), fault)]


def _build(database: Database) -> list[str]:
    statements = missing_statements(look(database))  # the process before may have built some
    faults: dict[str, DatabaseError] = {}
    with database.outside_transactions() as connection:
        for name, statement in statements.items():
            try:
                # A builder that died leaves an index that is kept up to date and never used.
                for left in connection.scalars(_LEFT_BEHIND, {"name": name}).all():
                    connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {left}")
                connection.exec_driver_sql(statement)
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise
                # What keeps one from being built, such as a value that is too long for it, need not keep the others.
                faults[name] = DatabaseError(explain(error, database.safe_url))
    built = [name for name in statements if name not in faults]
    remarks = [f"Built on claims: {', '.join(built)}"] if built else []
    return [*remarks, *([_not_built(faults, next(iter(faults.values())))] if faults else [])]


def _not_built(names: Iterable[str], fault: DatabaseError) -> str:
    return (
        f"{MISSING} ({', '.join(names)}); the run is slower without them: {fault} To build them, run 'recours init-db' as the "
        "owner of claims, or the SQL that 'recours init-db --sql' prints, outside a transaction."
    )
