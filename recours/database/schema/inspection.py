"""Checks whether a database has everything that a run needs, with few statements if nothing is missing."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, inspect, text

from recours.core.text import clean
from recours.database.border import Border
from recours.database.engine import Database, DatabaseError
from recours.database.schema.restoration import as_script
from recours.database.schema.rights import (
    Right,
    as_lines,
    grants,
    how_to_get_sql,
    missing_rights,
    needs_of,
    sentence,
)
from recours.database.tables import VERSION_TABLE

# The revisions in migrations/versions, oldest first; a test compares them with Alembic's.
REVISIONS = ("0001_own_tables",)
HEAD = REVISIONS[-1]

_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 (a constant)


class SchemaError(DatabaseError):
    """This version of recours cannot work with the schema of the database. The operator must decide what to do."""

    needs_person = True


class Schema(NamedTuple):
    """The existing version and the missing parts of recours's schema in a database."""

    version: str | None  # None: recours never changed this database
    missing_columns: tuple[str, ...] = ()  # of the service's table of claims; the first run adds them
    lacks_index: bool = False  # without the index on the service's table, runs are slower
    missing_rights: tuple[Right, ...] = ()  # of the PostgreSQL user

    @property
    def is_current(self) -> bool:
        return self.version == HEAD and not self.missing_columns

    @property
    def has_dropped_columns(self) -> bool:
        """Return whether columns were dropped after recours added them. Only `init-db` adds these columns again."""
        return self.version == HEAD and bool(self.missing_columns)


def inspect_schema(database: Database) -> Schema:
    """Inspect the database. Raises DatabaseError."""
    border = database.border
    try:
        with database.read() as connection:
            return _schema(connection, border, connection.scalar(_VERSION))
    except DatabaseError as fault:
        if fault.is_lock_timeout:
            raise
        if fault.is_permission_error:  # only on PostgreSQL
            require_rights(database)
        # The version table is probably missing. If the cause is another error, the next queries raise it.
        with database.read() as connection:
            return inspect_all(database, connection)


def inspect_all(database: Database, connection: Connection) -> Schema:
    """Inspect the whole database, including the service's tables again, even if parts are missing."""
    database.reinspect(connection)
    return _schema(connection, database.border, version_of(connection))


def version_of(connection: Connection) -> str | None:
    """The version of recours's schema; None: recours never changed this database."""
    return connection.scalar(_VERSION) if inspect(connection).has_table(VERSION_TABLE) else None


def _schema(connection: Connection, border: Border, version: str | None) -> Schema:
    lacks_index = border.index is not None and not border.has_index
    rights = missing_rights(connection, needs_of(border)) if border.dialect.has_rights else ()
    return Schema(version, tuple(border.missing), lacks_index, rights)


def require_rights(database: Database, rights: Sequence[Right] | None = None) -> None:
    """Raise DatabaseError with the SQL to grant missing rights. `rights`: the missing rights; None: look them up."""
    if rights is None:
        with database.read() as connection:
            rights = missing_rights(connection, needs_of(database.border))
    if rights:
        user = database.scalar(text("SELECT current_user"))
        raise DatabaseError(f"{sentence(rights)}: {how_to_get_sql(user)}", granting(database, rights))


def rights_remarks(database: Database, schema: Schema) -> list[str]:
    """Remarks about missing rights without which emails are not sent or not copied to the service's table."""
    missing = [right for right in schema.missing_rights if right.need.optional]
    if not missing:
        return []
    return [f"{sentence(missing)}. Ask your administrator to run: {' '.join(granting(database, missing))}"]


def granting(database: Database, rights: Sequence[Right]) -> list[str]:
    """The SQL that grants these rights to the current user. Raises DatabaseError."""
    with database.read() as connection:
        user = connection.scalar(text("SELECT current_user"))
        return as_lines(grants(connection, rights, user))


def require_claims(database: Database, schema: Schema) -> None:
    """Raise DatabaseError unless there is a table of claims that recours can work on."""
    faults = database.border.faults
    if not database.border.is_there:
        raise DatabaseError(
            f"The database {database.safe_url} has no table '{database.border.claims.name}'. If this is the right database, "
            "create the tables with 'recours init-db', or set RECOURS_CLAIMS_TABLE to the name of the service's table. "
            "Otherwise correct DATABASE_URL or DATABASE_PATH."
        )
    if faults:
        raise DatabaseError(
            f"The claims of {database.safe_url} cannot be used: {'; '.join(faults)}. Nothing was changed. If columns have "
            "other names, set RECOURS_CLAIMS_COLUMNS."
        )
    require_version(database, schema)


def dropped_columns(database: Database, schema: Schema) -> DatabaseError:
    """The error for dropped columns, with the SQL that adds them again."""
    missing = ", ".join(schema.missing_columns)
    return DatabaseError(
        f"The schema of {database.safe_url} is {schema.version}, but {database.border.table} has no {missing}. Restore "
        "a backup, or run 'recours init-db', which adds the columns again and fills them from recours's own tables.",
        as_script(database.border),
    )


def require_version(database: Database, schema: Schema) -> None:
    """Check that this version of recours knows the schema. Raises SchemaError."""
    if schema.version not in (None, *REVISIONS):
        raise SchemaError(
            f"The database {database.safe_url} has the schema {clean(schema.version, 40)} of another version of recours; "
            f"this version knows the schemas up to {HEAD}. Install the version that upgraded the database, or restore a "
            "backup made before the upgrade."
        )
