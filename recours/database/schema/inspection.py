"""What a database holds of what a run needs: found out by few statements where it is all there."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, inspect, text

from recours.core.text import clean
from recours.database.border import Border
from recours.database.engine import Database, DatabaseError
from recours.database.schema.rights import Right, grants, how_to_get_sql, missing_rights, needs_of, sentence
from recours.database.tables import VERSION_TABLE

# The revisions in migrations/versions, the oldest first. A test holds them to what Alembic says.
REVISIONS = ("0001_own_tables",)
HEAD = REVISIONS[-1]

_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 (a constant)


class SchemaError(DatabaseError):
    """The database has a schema that this version cannot work with: a person has to decide what becomes of it."""

    needs_person = True


class Schema(NamedTuple):
    """What a database holds of what a run needs, beside what its border says."""

    version: str | None  # None: recours never touched it
    missing_columns: tuple[str, ...] = ()  # of the service's claims: the first run adds them
    lacks_index: bool = False  # the one on the service's table, which a run does without, more slowly
    missing_rights: tuple[Right, ...] = ()  # of PostgreSQL's user

    @property
    def is_current(self) -> bool:
        return self.version == HEAD and not self.missing_columns


def look(database: Database) -> Schema:
    """What the database holds. Raises DatabaseError."""
    border = database.border
    try:
        with database.read() as connection:
            return _schema(connection, border, connection.scalar(_VERSION))
    except DatabaseError as fault:
        if fault.is_of_lock:
            raise
        if fault.is_of_rights:  # PostgreSQL's alone
            require_rights(database)
        # No version table, most likely; if it is something else, looking closer says what.
        with database.read() as connection:
            return look_closer(database, connection)


def look_closer(database: Database, connection: Connection) -> Schema:
    """What the database holds, whatever is missing; the service's tables are looked at again, too."""
    database.look_again(connection)
    return _schema(connection, database.border, version_of(connection))


def version_of(connection: Connection) -> str | None:
    """That of the schema that recours made; None: it never touched the database."""
    return connection.scalar(_VERSION) if inspect(connection).has_table(VERSION_TABLE) else None


def _schema(connection: Connection, border: Border, version: str | None) -> Schema:
    lacks_index = border.index is not None and not border.has_index
    rights = missing_rights(connection, needs_of(border)) if border.dialect.has_rights else ()
    return Schema(version, tuple(border.missing), lacks_index, rights)


def require_rights(database: Database, rights: Sequence[Right] | None = None) -> None:
    """Raise DatabaseError with the SQL that grants what is missing, unless nothing is. `rights`: None looks for them."""
    if rights is None:
        with database.read() as connection:
            rights = missing_rights(connection, needs_of(database.border))
    if rights:
        user = database.scalar(text("SELECT current_user"))
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
    """See that there are claims which can be worked on. Raises DatabaseError."""
    faults = database.border.faults
    if not database.border.is_there:
        raise DatabaseError(
            f"The database {database.safe_url} has no table '{database.border.claims.name}'. If this is the right database, "
            "'recours init-db' creates the tables, or RECOURS_CLAIMS_TABLE says what the service calls its own; otherwise "
            "correct DATABASE_URL or DATABASE_PATH."
        )
    if faults:
        raise DatabaseError(
            f"The claims of {database.safe_url} cannot be worked on: {'; '.join(faults)}. Nothing was changed. If columns have "
            "other names, RECOURS_CLAIMS_COLUMNS says which."
        )
    require_version(database, schema)


def require_version(database: Database, schema: Schema) -> None:
    """Check that this version of recours knows the schema. Raises SchemaError."""
    if schema.version not in (None, *REVISIONS):
        raise SchemaError(
            f"The database {database.safe_url} has the schema {clean(schema.version, 40)} of another version of recours, and "
            f"this one knows only schemas up to {HEAD}. Install that version again, or restore a backup made before the upgrade."
        )
