"""What a database holds of what a run needs: found out by one small query where it is all there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, inspect, text

from recours.core.text import clean
from recours.database.engine import Database, DatabaseError
from recours.database.schema.rights import (
    Right,
    grants,
    how_to_get_sql,
    missing_as_text,
    missing_rights,
    parse_missing,
    sentence,
)
from recours.database.tables import (
    CUSTOMER_COLUMNS,
    GUIDE_COLUMNS,
    KEY,
    MONEY_COLUMNS,
    NEEDED_CLAIM_COLUMNS,
    OPTIONAL_CLAIM_COLUMNS,
    ORDER_COLUMNS,
    OWN_CLAIM_COLUMNS,
    SERVICE_POD_COLUMNS,
    VERSION_TABLE,
    metadata,
)

# The newest revision in migrations/versions. A test holds it to what Alembic says.
HEAD = "0015"
KNOWN = (*(f"{number:04}" for number in range(1, 15)), HEAD)

# The indexes of the migrations on `claims`. A test holds them to what is there after an upgrade.
_INDEXES = (
    "ix_claims_pod_backlog",
    "ix_claims_pod_backoff",
    "ix_claims_pod_edited",
    "ix_claims_pod_expiring",
    "ix_claims_pod_given_up",
    "ix_claims_pod_group",
    "ix_claims_pod_last_attempt",
    "ix_claims_pod_new",
    "ix_claims_pod_number",
    "ix_claims_pod_ready",
    "ix_claims_pod_reference",
    "ix_claims_pod_settled",
    "ix_claims_pod_unenrolled",
    "ix_claims_pod_waiting",
)
_INDEX_ON_STATUS = "ix_claims_pod_shelved"

# Columns of recours's tables that hold keys of the service: made with 32 bits by older versions.
_KEYS = ", ".join(
    f"('{table.name}', '{column.name}')"
    for table in metadata.tables.values()
    if table.name.startswith("recours_")
    for column in table.columns
    if column.type is KEY and column.name != "id"
)
_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 (a constant)
_OLDEST = text(f"SELECT oldest FROM {VERSION_TABLE}")  # noqa: S608 (a constant)
_NARROW_KEYS = (
    f"SELECT string_agg(name || '.' || attname, ',') FROM (VALUES {_KEYS}) AS held (name, key)"  # noqa: S608 (constants)
    " JOIN pg_attribute ON attrelid = to_regclass(name) AND attname = key"
    " WHERE atttypid = CAST('integer' AS regtype)"
)
_OF_POSTGRES = (
    "coalesce((SELECT string_agg(relname, ',') FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"  # noqa: S608 (constants)
    " WHERE indrelid = to_regclass('claims') AND indisvalid AND indisready), '') AS indexes,"
    f" ({_NARROW_KEYS}) AS narrow, {missing_as_text()} AS missing"
)
_VERSIONS = f"SELECT (SELECT version_num FROM {VERSION_TABLE}) AS version, (SELECT oldest FROM {VERSION_TABLE}) AS oldest,"  # noqa: S608 (constants)
# An administrator may have granted single columns, before these were read.
_SHOWN_ONLY = (*MONEY_COLUMNS, *ORDER_COLUMNS, *CUSTOMER_COLUMNS)
_MAY_BE_READ = f"attname NOT IN ({', '.join(map(repr, _SHOWN_ONLY))}) OR has_column_privilege(attrelid, attnum, 'SELECT')"
_CURRENT = {
    "sqlite": text(
        f"{_VERSIONS} (SELECT group_concat(name) FROM pragma_table_info('claims')) AS columns, NULL AS indexes,"  # noqa: S608 (same)
        " NULL AS narrow, NULL AS missing"
    ),
    "postgresql": text(
        f"{_VERSIONS} (SELECT string_agg(attname, ',') FROM pg_attribute WHERE attrelid = to_regclass('claims')"  # noqa: S608 (same)
        f" AND attnum > 0 AND NOT attisdropped AND ({_MAY_BE_READ})) AS columns, {_OF_POSTGRES}"
    ),
}


@dataclass(frozen=True)
class Schema:
    """What a database holds of what a run needs."""

    version: str | None  # None: recours never touched it
    columns: frozenset[str]  # of `claims`; empty: no such table
    # PostgreSQL's alone, where they are built after the rest, and a builder may die: a run does without, slowly.
    missing_indexes: frozenset[str] = frozenset()
    oldest: str | None = (
        None  # the oldest version of recours that may work on it, by its HEAD; None: see `version`
    )
    narrow_keys: frozenset[str] = frozenset()  # `table.column`: PostgreSQL's 32 bits for a key of the service
    missing_rights: tuple[Right, ...] = ()  # of PostgreSQL's user

    @property
    def is_current(self) -> bool:
        """Tell whether a run can work with it as it is."""
        return (self.version == HEAD or self.is_of_newer_version) and not self.missing_columns

    @property
    def is_of_newer_version(self) -> bool:
        """Tell whether a newer version of recours made it, and says that this one may still work on it."""
        return self.version is not None and self.oldest is not None and self.oldest <= HEAD < self.version

    @property
    def missing_columns(self) -> list[str]:
        """The columns of `claims` that an upgrade would add."""
        wanted = (*SERVICE_POD_COLUMNS, *GUIDE_COLUMNS, *OWN_CLAIM_COLUMNS)
        return [name for name in wanted if name not in self.columns]


def look(database: Database) -> Schema:
    """What the database holds. One small query where its schema is current. Raises DatabaseError."""
    try:
        with database.read() as connection:
            version, oldest, columns, *rest = connection.execute(_CURRENT[connection.dialect.name]).one()
        return _schema(version, oldest, (columns or "").split(","), *rest)
    except DatabaseError as fault:
        if fault.is_of_lock:
            raise
        if fault.is_of_rights:  # PostgreSQL's alone
            require_rights(database)
        # No version table, most likely; if it is something else, looking closer says what.
        with database.read() as connection:
            return look_closer(connection)


def look_closer(connection: Connection) -> Schema:
    """What the database holds, whatever is missing."""
    found = inspect(connection)
    tables = set(found.get_table_names())
    version = oldest = None
    if VERSION_TABLE in tables:
        version = connection.scalar(_VERSION)
        if "oldest" in {column["name"] for column in found.get_columns(VERSION_TABLE)}:
            oldest = connection.scalar(_OLDEST)
    columns = [column["name"] for column in found.get_columns("claims")] if "claims" in tables else []
    is_sqlite = connection.dialect.name == "sqlite"
    rest = [None] if is_sqlite else connection.execute(text(f"SELECT {_OF_POSTGRES}")).one()
    return _schema(version, oldest, columns, *rest)


def _schema(
    version: str | None,
    oldest: str | None,
    columns: Iterable[str],
    indexes: str | None,
    narrow: str | None = None,
    missing: str | None = None,
) -> Schema:
    """`indexes`: those on `claims` that are valid; None: it is SQLite, which has them as soon as the columns."""
    there = frozenset(columns) - {""}
    wanted = {*_INDEXES, *([_INDEX_ON_STATUS] if "status" in there else [])}
    missing_indexes = frozenset() if indexes is None else frozenset(wanted.difference(indexes.split(",")))
    narrow_keys = frozenset((narrow or "").split(",")) - {""}
    return Schema(version, there, missing_indexes, oldest, narrow_keys, parse_missing(missing))


def for_new_claims(schema: Schema, *, is_sqlite: bool) -> Schema:
    """What the schema will be once `init-db` has made the table of claims."""
    columns = (*NEEDED_CLAIM_COLUMNS, *OPTIONAL_CLAIM_COLUMNS)
    made = _schema(schema.version, schema.oldest, columns, None if is_sqlite else "")
    return replace(schema, columns=made.columns, missing_indexes=made.missing_indexes)


def require_rights(database: Database, rights: Sequence[Right] | None = None) -> None:
    """Raise DatabaseError with the SQL that grants what is missing, unless nothing is. `rights`: None looks for them."""
    if rights is None:
        with database.read() as connection:
            rights = missing_rights(connection)
    if rights:
        with database.read() as connection:
            user = connection.scalar(text("SELECT current_user"))
        raise DatabaseError(f"{sentence(rights)}: {how_to_get_sql(user)}", granting(database, rights))


def rights_remarks(database: Database, schema: Schema) -> list[str]:
    """What to say of rights without which claims are fetched all the same, and mails are not sent or not copied."""
    missing = [right for right in schema.missing_rights if right.need.optional]
    if not missing:
        return []
    return [f"{sentence(missing)}. Ask your administrator to run: {' '.join(granting(database, missing))}"]


def granting(database: Database, rights: Sequence[Right]) -> list[str]:
    """The SQL that gives the user of the database these rights. Raises DatabaseError."""
    with database.read() as connection:
        user = connection.scalar(text("SELECT current_user"))
        return [f"{statement};" for statement in grants(connection, rights, user)]


def require_claims(database: Database, schema: Schema) -> None:
    """See that there is a claims table to work on. Raises DatabaseError."""
    if not schema.columns:
        raise DatabaseError(
            f"The database {database.shown} has no table 'claims'. If this is the right database, "
            "'recours init-db' creates the tables; otherwise correct DATABASE_URL or DATABASE_PATH."
        )
    absent = [name for name in NEEDED_CLAIM_COLUMNS if name not in schema.columns]
    if absent:
        raise DatabaseError(
            f"The table 'claims' of {database.shown} has no column(s) {', '.join(absent)}; "
            "without them no claim can be fetched. Is this the claims service's database?"
        )
    if schema.version is not None and schema.version not in KNOWN and not schema.is_of_newer_version:
        found = clean(schema.version, 40)
        raise DatabaseError(
            f"The database {database.shown} was brought to schema {found} by a newer version of recours; "
            f"this one knows {HEAD}. Update this checkout."
            if schema.version > HEAD
            else f"The database {database.shown} says that its schema is {found}, which no version of recours made; "
            f"correct the table {VERSION_TABLE}, or restore a back-up."
        )
