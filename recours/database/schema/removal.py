"""Removes recours's tables, columns and indexes from a database."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, inspect, select

from recours.database.border import INDEX
from recours.database.claim_rows import free
from recours.database.engine import Database, DatabaseError
from recours.database.schema.creation import change_exclusively
from recours.database.schema.inspection import HEAD, inspect_schema
from recours.database.schema.rights import MISSING
from recours.database.tables import VERSION_TABLE, claims, intake, metadata, runs
from recours.runs.ports import Clock

# An unfinished run that began longer ago than this has died.
_LONGEST_RUN = timedelta(hours=1)
# Tables that only earlier versions of recours created. The columns below were added to the table of claims by these
# versions, never by the service.
_EARLIER_TABLES = (
    "recours_adoption",
    "recours_custody",
    "recours_custody_head",
    "recours_exclusions",
    "recours_timestamps",
)
_EARLIER_INDEXES = "ix_claims_pod_"
EARLIER_COLUMNS = (
    "pod_account_id", "pod_attempts", "pod_carrier_key", "pod_error_key", "pod_error_kind", "pod_error_words",
    "pod_expire_from", "pod_expired_at", "pod_failed_at", "pod_interruptions", "pod_known_delivery",
    "pod_last_attempt_at", "pod_lease_token", "pod_lease_until", "pod_next_retry_at", "pod_rank_at",
    "pod_rank_is_deadline", "pod_seen_carrier", "pod_seen_count", "pod_seen_deadline", "pod_seen_number",
    "pod_seen_status", "pod_since", "pod_stage",
)  # fmt: skip


@dataclass(frozen=True)
class Removal:
    """The tables, indexes and columns that can be dropped, and the statements that drop them."""

    tables: tuple[str, ...]
    indexes: tuple[str, ...]  # on the service's table
    columns: tuple[str, ...]  # added to the service's table by recours
    statements: tuple[str, ...]  # columns are dropped only on request


def find_removal(database: Database, *, with_columns: bool) -> Removal:
    """Find what recours added to this database. Raises DatabaseError."""
    border = database.border
    with database.read() as connection:
        inspector = inspect(connection)
        present = {*inspector.get_table_names()}
        views = {*inspector.get_view_names()}
        on_claims = []
        if border.is_there and not border.is_view:
            on_claims = inspector.get_indexes(border.claims.name, border.claims.schema)
        columns_added: list[str] = []
        if intake.name in present:
            columns_added = connection.scalar(select(intake.c.columns_added)) or []
    names = [str(index["name"]) for index in on_claims]
    indexes = [name for name in names if name == INDEX or name.startswith(_EARLIER_INDEXES)]
    own_tables = (*metadata.tables, *_EARLIER_TABLES, VERSION_TABLE)
    tables = [name for name in own_tables if name in present]
    columns = [name for name in (*columns_added, *EARLIER_COLUMNS) if border.has(name)]
    schema = f"{border.claims.schema}." if border.claims.schema else ""
    return Removal(
        tuple(tables),
        tuple(indexes),
        tuple(columns),
        (
            *(["DROP VIEW recours_documents"] if "recours_documents" in views else []),
            *(f"DROP INDEX {schema}{name}" for name in indexes),
            *(border.removals(columns) if with_columns and not border.is_view else []),
            *(f"DROP TABLE {name}" for name in tables),
        ),
    )


def remove(database: Database, removal: Removal, clock: Clock) -> None:
    """Drop everything in one transaction. Raises DatabaseError."""

    def drop(connection: Connection) -> None:
        for statement in removal.statements:
            connection.exec_driver_sql(statement)

    try:
        change_exclusively(database, drop, clock)
    except DatabaseError as fault:
        if not fault.is_permission_error:
            raise
        raise DatabaseError(
            f"{MISSING} ({fault.message}): ask the owner of the tables to run the SQL printed by: recours uninstall --sql. "
            "Nothing was changed."
        ) from fault
    finally:
        database.reinspect()


def work_in_progress(database: Database, now: datetime) -> str:
    """The numbers of leased claims and unfinished runs as text; "" if there are none. Raises DatabaseError."""
    if inspect_schema(database).version != HEAD:
        return ""  # no run works on a database without the current schema
    with database.read() as connection:
        leases = select(func.count()).where(claims.c.lease_token.is_not(None), ~free(now))
        leased = connection.scalar(leases) or 0
        recent = runs.c.started_at > now - _LONGEST_RUN
        unfinished = connection.scalar(select(func.count()).where(runs.c.ended_at.is_(None), recent)) or 0
    if not leased and not unfinished:
        return ""
    return f"claims being fetched: {leased}, unfinished runs: {unfinished}"
