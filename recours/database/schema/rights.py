"""The database rights that a run needs. The printed SQL, the manual and the check for missing rights use this list."""

import shlex
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from recours.database.border import CORRECTED, POD_COLUMNS, Border
from recours.database.tables import VERSION_TABLE, metadata

ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")
# Tables on which a run needs fewer rights: manifests are never changed or deleted.
_FEWER = {"recours_manifests": ("SELECT", "INSERT")}
USAGE = "USAGE"  # on a sequence
# The beginning of sentences about missing rights.
MISSING = "Missing database rights"
# PostgreSQL's error code for a missing right.
NOT_ALLOWED = "42501"
_SHOWN = 4  # the maximum number of tables that a sentence names


class Need(NamedTuple):
    """The rights that a run needs on one table, view or sequence."""

    name: str  # quoted for SQL
    rights: tuple[str, ...]
    optional: bool = False  # needed only for emails
    numbered: bool = False  # new rows get a number from a sequence
    columns: tuple[str, ...] = ()  # quoted for SQL: the only columns that are updated


class Right(NamedTuple):
    """One right on one table, view, column or sequence."""

    on: str
    privilege: str
    need: Need
    column: str | None = None  # None: on the whole object


# The rights on recours's own tables.
OWN: tuple[Need, ...] = (
    *(
        Need(name, _FEWER.get(name, ALL), numbered=table.autoincrement_column is not None)
        for name, table in metadata.tables.items()
    ),
    Need("recours_documents", ("SELECT",)),
    Need(VERSION_TABLE, ("SELECT",)),
)


def needs_of(border: Border, new_tables: Collection[str] = ()) -> tuple[Need, ...]:
    """The rights that a run needs on the existing tables. `new_tables`: tables of the service to be created first."""
    pod_columns = tuple(border.quoted(name) for name in POD_COLUMNS)
    further = {*border.hidden, *new_tables}
    needs = [Need(border.table, ("SELECT", "UPDATE"), columns=pod_columns)]
    if border.has_clients or "clients" in further:
        needs.append(Need("clients", ("SELECT",), optional=True))
    if border.has_notifications or "notifications" in further:
        needs.append(Need("notifications", ("INSERT",), optional=True, numbered=True))
    if border.has_settings or "system_settings" in further:
        needs.append(Need("system_settings", ("SELECT",), optional=True))
    return (*needs, *OWN)


def correction(border: Border) -> Need:
    """The additional rights of `recours correct`, which no run needs."""
    return Need(border.table, ("UPDATE",), columns=tuple(border.quoted(name) for name in CORRECTED))


def rights_of(needs: Iterable[Need]) -> list[Right]:
    """The individual rights that make up these needs."""
    rights = []
    for need in needs:
        for privilege in (*need.rights, *([USAGE] if need.numbered else [])):
            columns = need.columns if privilege == "UPDATE" and need.columns else (None,)
            rights += [Right(need.name, privilege, need, column) for column in columns]
    return rights


# A right on some columns counts as a right on the table, because an administrator may have granted only the necessary
# columns. Rights on tables that do not exist are not reported as missing.
_MISSING = text(
    """SELECT n FROM unnest(CAST(:names AS text[]), CAST(:rights AS text[]), CAST(:columns AS text[]))
        WITH ORDINALITY AS needed (name, what, of_column, n) WHERE NOT CASE
    WHEN to_regclass(name) IS NULL THEN true
    WHEN what = 'USAGE' THEN has_sequence_privilege(pg_get_serial_sequence(name, 'id'), what)
    WHEN what = 'DELETE' THEN has_table_privilege(to_regclass(name), what)
    WHEN of_column IS NULL THEN has_any_column_privilege(to_regclass(name), what)
    ELSE (SELECT has_column_privilege(attrelid, attnum, what) FROM pg_attribute WHERE attrelid = to_regclass(name)
        AND attname = (parse_ident(of_column))[1] AND NOT attisdropped) END
    ORDER BY n"""
)


def missing_rights(connection: Connection, needs: Iterable[Need]) -> tuple[Right, ...]:
    rights = rights_of(needs)
    lists = {
        "names": [right.on for right in rights],
        "rights": [right.privilege for right in rights],
        "columns": [right.column for right in rights],
    }
    return tuple(rights[n - 1] for n in connection.scalars(_MISSING, lists))


def grants(connection: Connection, rights: Iterable[Right], role: str) -> list[str]:
    """The statements, without semicolons, that grant a role these rights."""
    of_table: dict[str, list[str]] = {}
    of_column: dict[tuple[str, str], list[str]] = {}
    sequences = []
    for right in rights:
        if right.column is not None:
            of_column.setdefault((right.on, right.privilege), []).append(right.column)
        elif right.privilege != USAGE:
            of_table.setdefault(right.on, []).append(right.privilege)
        elif sequence := sequence_of(connection, right.on):
            sequences.append(sequence)
    by_right: dict[str, list[str]] = {}
    for name, privileges in of_table.items():
        by_right.setdefault(", ".join(privileges), []).append(name)
    for (name, privilege), columns in of_column.items():
        by_right[f"{privilege} ({', '.join(columns)})"] = [name]
    if sequences:
        by_right["USAGE"] = [f"SEQUENCE {', '.join(sequences)}"]
    return [
        f"GRANT {privileges} ON {', '.join(names)} TO {quoted(role)}"
        for privileges, names in by_right.items()
    ]


def sequence_of(connection: Connection, table: str) -> str | None:
    """The name of the sequence that numbers the rows of an existing or future table, quoted for SQL."""
    exists = connection.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": table})
    if not exists:
        return f"{table}_id_seq"
    query = text("SELECT CAST(CAST(pg_get_serial_sequence(:name, 'id') AS regclass) AS text)")
    sequence: str | None = connection.scalar(query, {"name": table})
    return sequence


def schema_grant(connection: Connection, role: str) -> str:
    schema = connection.scalar(text("SELECT current_schema()")) or "public"
    return f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {quoted(role)}"


def sentence(rights: Sequence[Right]) -> str:
    """A sentence that lists the missing rights, without the remedy."""
    names = list(dict.fromkeys(right.on for right in rights))
    objects = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else "")
    noun = "table" if len(names) == 1 else "tables"
    return f"{MISSING} ({noun} {objects})"


def named(rights: Iterable[Right]) -> list[str]:
    """Each right as text, such as `SELECT on clients`. Rights on columns are grouped."""
    columns: dict[str, list[str]] = {}
    for right in rights:
        names = [right.column] if right.column else []
        columns.setdefault(f"{right.privilege} on {right.on}", []).extend(names)
    return [name + (f" ({', '.join(columns_)})" if columns_ else "") for name, columns_ in columns.items()]


def how_to_get_sql(role: str | None) -> str:
    """The remedy, in one line, because SQL of several lines is hard to copy from a log with line prefixes."""
    to = f" --grant-to {shlex.quote(role)}" if role else ""
    return f"ask your administrator to run the SQL printed by: recours init-db --sql{to}"


def quoted(role: str) -> str:
    """A name, which may contain any characters, quoted for SQL."""
    doubled = role.replace('"', '""')
    return f'"{doubled}"'


def as_lines(statements: Iterable[str]) -> list[str]:
    """Statements for display, one per line."""
    return [f"{' '.join(statement.split())};" for statement in statements]
