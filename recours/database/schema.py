"""What a database holds of what a run needs: found out by one small query where it is all there."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, text

from recours.core.text import clean
from recours.database.engine import Database, DatabaseFault
from recours.database.tables import (
    GUIDE_COLUMNS,
    NEEDED_CLAIM_COLUMNS,
    OWN_CLAIM_COLUMNS,
    SERVICE_POD_COLUMNS,
)

# The newest revision in migrations/versions. A test holds it to what Alembic says.
HEAD = "0006"
KNOWN = ("0001", "0002", "0003", "0004", "0005", HEAD)
VERSION_TABLE = "recours_schema_version"

# The indexes of the migrations on `claims`. A test holds them to what is there after an upgrade.
_INDEXES = (
    "ix_claims_pod_backlog",
    "ix_claims_pod_edited",
    "ix_claims_pod_expiring",
    "ix_claims_pod_given_up",
    "ix_claims_pod_group",
    "ix_claims_pod_new",
    "ix_claims_pod_number",
    "ix_claims_pod_ready",
    "ix_claims_pod_reference",
    "ix_claims_pod_settled",
    "ix_claims_pod_unenrolled",
    "ix_claims_pod_waiting",
)
_INDEX_ON_STATUS = "ix_claims_pod_shelved"

_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 (a constant)
_VALID_INDEXES = (
    "SELECT string_agg(relname, ',') FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE indrelid = to_regclass('claims') AND indisvalid AND indisready"
)
_CURRENT = {
    "sqlite": text(
        f"SELECT (SELECT version_num FROM {VERSION_TABLE}) AS version,"  # noqa: S608 (a constant)
        " (SELECT group_concat(name) FROM pragma_table_info('claims')) AS columns, NULL AS indexes"
    ),
    "postgresql": text(
        f"SELECT (SELECT version_num FROM {VERSION_TABLE}) AS version,"  # noqa: S608 (a constant)
        " (SELECT string_agg(attname, ',') FROM pg_attribute WHERE attrelid = to_regclass('claims')"
        f" AND attnum > 0 AND NOT attisdropped) AS columns, ({_VALID_INDEXES}) AS indexes"
    ),
}


@dataclass(frozen=True)
class Schema:
    """What a database holds of what a run needs."""

    version: str | None  # None: never touched by us
    columns: frozenset[str]  # of `claims`; empty: no such table
    # PostgreSQL's alone, where they are built after the rest, and a builder may die: a run does without, slowly.
    lacking_indexes: frozenset[str] = frozenset()

    @property
    def is_current(self) -> bool:
        """Tell whether a run can work with it as it is."""
        return self.version == HEAD and not self.missing_columns

    @property
    def missing_columns(self) -> list[str]:
        """The columns of `claims` that an upgrade would add."""
        wanted = (*SERVICE_POD_COLUMNS, *GUIDE_COLUMNS, *OWN_CLAIM_COLUMNS)
        return [name for name in wanted if name not in self.columns]


def look(database: Database) -> Schema:
    """What the database holds. One small query where its schema is current. Raises DatabaseFault."""
    try:
        with database.read() as connection:
            row = connection.execute(_CURRENT[connection.dialect.name]).one()
            columns = (row.columns or "").split(",")
            indexes = None if database.is_sqlite else (row.indexes or "").split(",")
            return _schema(row.version, columns, indexes)
    except DatabaseFault as fault:
        if fault.is_of_lock:
            raise
        # No version table, most likely; if it is something else, looking closer says what.
        with database.read() as connection:
            return look_closer(connection)


def look_closer(connection: Connection) -> Schema:
    """What the database holds, whatever lacks."""
    found = inspect(connection)
    tables = set(found.get_table_names())
    version = connection.scalar(_VERSION) if VERSION_TABLE in tables else None
    columns = [column["name"] for column in found.get_columns("claims")] if "claims" in tables else []
    if connection.dialect.name == "sqlite":
        return _schema(version, columns, None)
    return _schema(version, columns, (connection.scalar(text(_VALID_INDEXES)) or "").split(","))


def _schema(version: str | None, columns: Iterable[str], indexes: Iterable[str] | None) -> Schema:
    there = frozenset(columns) - {""}
    if indexes is None:
        return Schema(version, there)
    wanted = {*_INDEXES, _INDEX_ON_STATUS} if "status" in there else set(_INDEXES)
    return Schema(version, there, frozenset(wanted.difference(indexes)))


def require_claims(database: Database, schema: Schema) -> None:
    """See that there is a claims table to work on. Raises DatabaseFault."""
    if not schema.columns:
        raise DatabaseFault(
            f"The database {database.shown} has no table 'claims'. If this is the right database, "
            "'recours init-db' creates the tables; otherwise correct DATABASE_URL or DATABASE_PATH."
        )
    lacking = [name for name in NEEDED_CLAIM_COLUMNS if name not in schema.columns]
    if lacking:
        raise DatabaseFault(
            f"The table 'claims' of {database.shown} lacks the column(s) {', '.join(lacking)}; "
            "without them no claim can be fetched. Is this the claims service's database?"
        )
    if schema.version is not None and schema.version not in KNOWN:
        found = clean(schema.version, 40)
        raise DatabaseFault(
            f"The database {database.shown} was brought to schema {found} by a newer version of recours; "
            f"this one knows {HEAD}. Update this checkout."
            if schema.version > HEAD
            else f"The database {database.shown} says that its schema is {found}, which no version of recours made; "
            f"correct the table {VERSION_TABLE}, or restore a back-up."
        )
