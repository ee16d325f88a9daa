"""What a database holds of what a run needs: found out by one small query where it is all there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, inspect, text

from recours.core.text import clean
from recours.database.engine import Database, DatabaseError
from recours.database.schema.definition import ADDED_COLUMNS, index_names
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
    MONEY_COLUMNS,
    NEEDED_CLAIM_COLUMNS,
    OPTIONAL_CLAIM_COLUMNS,
    ORDER_COLUMNS,
    VERSION_TABLE,
)

# The revision in migrations/versions. A test holds it to what Alembic says.
HEAD = "0001_initial"

_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 (a constant)
_OF_POSTGRES = (
    "coalesce((SELECT string_agg(relname, ',') FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"  # noqa: S608 (constants)
    " WHERE indrelid = to_regclass('claims') AND indisvalid AND indisready), '') AS indexes,"
    f" {missing_as_text()} AS missing"
)
_VERSION_AND = f"SELECT (SELECT version_num FROM {VERSION_TABLE}) AS version,"  # noqa: S608 (a constant)
# An administrator may have granted single columns, before these were read.
_SHOWN_ONLY = (*MONEY_COLUMNS, *ORDER_COLUMNS, *CUSTOMER_COLUMNS)
_MAY_BE_READ = f"attname NOT IN ({', '.join(map(repr, _SHOWN_ONLY))}) OR has_column_privilege(attrelid, attnum, 'SELECT')"
_CURRENT = {
    "sqlite": text(
        f"{_VERSION_AND} (SELECT group_concat(name) FROM pragma_table_info('claims')) AS columns, NULL AS indexes,"  # noqa: S608 (same)
        " NULL AS missing"
    ),
    "postgresql": text(
        f"{_VERSION_AND} (SELECT string_agg(attname, ',') FROM pg_attribute WHERE attrelid = to_regclass('claims')"  # noqa: S608 (same)
        f" AND attnum > 0 AND NOT attisdropped AND ({_MAY_BE_READ})) AS columns, {_OF_POSTGRES}"
    ),
}


class SchemaError(DatabaseError):
    """The database has a schema that this version cannot work with: a person has to decide what becomes of it."""

    needs_person = True


@dataclass(frozen=True)
class Schema:
    """What a database holds of what a run needs."""

    version: str | None  # None: recours never touched it
    columns: frozenset[str]  # of `claims`; empty: no such table
    # PostgreSQL's alone, where they are built after the rest, and a builder may die: a run does without, slowly.
    missing_indexes: frozenset[str] = frozenset()
    missing_rights: tuple[Right, ...] = ()  # of PostgreSQL's user

    @property
    def is_current(self) -> bool:
        """Tell whether a run can work with it as it is."""
        return self.version == HEAD and not self.missing_columns

    @property
    def missing_columns(self) -> list[str]:
        """The columns of `claims` that the first run adds."""
        return [name for name in ADDED_COLUMNS if name not in self.columns]


def look(database: Database) -> Schema:
    """What the database holds. One small query where its schema is current. Raises DatabaseError."""
    try:
        with database.read() as connection:
            version, columns, *rest = connection.execute(_CURRENT[connection.dialect.name]).one()
        return _schema(version, (columns or "").split(","), *rest)
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
    version = connection.scalar(_VERSION) if VERSION_TABLE in tables else None
    columns = [column["name"] for column in found.get_columns("claims")] if "claims" in tables else []
    is_sqlite = connection.dialect.name == "sqlite"
    rest = [None, None] if is_sqlite else connection.execute(text(f"SELECT {_OF_POSTGRES}")).one()
    return _schema(version, columns, *rest)


def _schema(version: str | None, columns: Iterable[str], indexes: str | None, missing: str | None) -> Schema:
    """`indexes`: those on `claims` that are valid; None: it is SQLite, which has them as soon as the columns."""
    there = frozenset(columns) - {""}
    missing_indexes: frozenset[str] = frozenset()
    if indexes is not None:
        missing_indexes = index_names(there).difference(indexes.split(","))
    return Schema(version, there, missing_indexes, parse_missing(missing))


def for_new_claims(schema: Schema, *, is_sqlite: bool) -> Schema:
    """What the schema will be once `init-db` has made the table of claims."""
    columns = (*NEEDED_CLAIM_COLUMNS, *OPTIONAL_CLAIM_COLUMNS)
    schema_of_claims = _schema(schema.version, columns, None if is_sqlite else "", None)
    return replace(schema, columns=schema_of_claims.columns, missing_indexes=schema_of_claims.missing_indexes)


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
            f"The database {database.safe_url} has no table 'claims'. If this is the right database, "
            "'recours init-db' creates the tables; otherwise correct DATABASE_URL or DATABASE_PATH."
        )
    absent = [name for name in NEEDED_CLAIM_COLUMNS if name not in schema.columns]
    if absent:
        raise DatabaseError(
            f"The table 'claims' of {database.safe_url} has no column(s) {', '.join(absent)}; "
            "without them no claim can be fetched. Is this the claims service's database?"
        )
    require_version(database, schema)


def require_version(database: Database, schema: Schema) -> None:
    """See that no other version of recours made the schema: nothing is upgraded yet. Raises SchemaError."""
    if schema.version not in (None, HEAD):
        raise SchemaError(
            f"The database {database.safe_url} has the schema {clean(schema.version, 40)} of another version of recours, and "
            f"this one knows only {HEAD}. Use that version; or back the database up, drop what recours added (the tables "
            "and views recours_*, the indexes ix_claims_pod_*, and those columns pod_* of claims that are not the "
            "service's), and run 'recours init-db'."
        )
