"""The rights that a run needs on a server: one list, for the SQL that is printed, the manual and the test that has no more."""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Connection, text

from recours.database.tables import VERSION_TABLE, metadata

ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")
# Of tables of whose rows a run needs fewer: no manifest is changed or deleted.
_FEWER = {"recours_manifests": ("SELECT", "INSERT")}
_SEQUENCE = "USAGE"
# How sentences about missing rights begin.
MISSING = "Missing database rights"
# PostgreSQL's code for a missing right.
NOT_ALLOWED = "42501"
_SHOWN = 4  # tables that a sentence names
# What no GRANT on a table allows: its owner may do it, or who may create in the schema.
_CHANGES_SCHEMA = re.compile(r"\s*(CREATE|ALTER|DROP)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Need:
    """What a run does with one table, view or sequence."""

    name: str
    rights: tuple[str, ...]
    of_service: bool = False
    optional: bool = False  # claims are fetched without; it is for mails
    in_form: bool = False  # it is not used unless it has all columns that are known
    numbered: bool = False  # new rows have a number of a sequence


NEEDS: tuple[Need, ...] = (
    Need("claims", ("SELECT", "UPDATE"), of_service=True),
    Need("clients", ("SELECT",), of_service=True, optional=True),
    Need("notifications", ("INSERT",), of_service=True, optional=True, in_form=True, numbered=True),
    Need("system_settings", ("SELECT",), of_service=True, optional=True, in_form=True),
    *(
        Need(name, _FEWER.get(name, ALL), numbered=table.autoincrement_column is not None)
        for name, table in metadata.tables.items()
        if name.startswith("recours_")
    ),
    Need("recours_documents", ("SELECT",)),
    Need(VERSION_TABLE, ("SELECT",)),
)


@dataclass(frozen=True)
class Right:
    """One right on one table, view or sequence."""

    on: str
    what: str
    need: Need

    @property
    def is_of_sequence(self) -> bool:
        return self.what == _SEQUENCE


# ---------------------------------------------------------------- what a database user has

# A right on some of the columns counts: a careful administrator may have granted no more than these.
_HAS = (
    "CASE WHEN wanted = 'DELETE' THEN has_table_privilege(to_regclass(name), 'DELETE')"
    " ELSE has_any_column_privilege(to_regclass(name), wanted) END"
)


@cache
def missing_as_text(needs: tuple[Need, ...] = NEEDS) -> str:
    """A scalar subquery of PostgreSQL's: `clients:SELECT,notifications:USAGE`; NULL where nothing is missing."""
    tables = ", ".join(f"('{need.name}', '{right}')" for need in needs for right in need.rights)
    numbered = ", ".join(f"('{need.name}')" for need in needs if need.numbered)
    in_form = (f"(name <> '{need.name}' OR {_has_form(need)})" for need in needs if need.in_form)
    formed = " AND ".join(("true", *in_form))
    return (
        "(SELECT string_agg(name || ':' || wanted, ',') FROM ("  # noqa: S608 (constants)
        f"SELECT name, wanted FROM (VALUES {tables}) AS needed (name, wanted) WHERE NOT {_HAS}"
        f" UNION ALL SELECT name, '{_SEQUENCE}' FROM (VALUES {numbered}) AS counted (name)"
        " WHERE to_regclass(name) IS NOT NULL"
        f" AND NOT has_sequence_privilege(pg_get_serial_sequence(name, 'id'), '{_SEQUENCE}')"
        f") AS missing WHERE {formed})"
    )


def _has_form(need: Need) -> str:
    columns = metadata.tables[need.name].columns.keys()
    names = ", ".join(f"'{name}'" for name in columns)
    return (
        f"(SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('{need.name}')"  # noqa: S608 (constants)
        f" AND NOT attisdropped AND attname IN ({names})) = {len(columns)}"
    )


def parse_missing(found: str | None, needs: Iterable[Need] = NEEDS) -> tuple[Right, ...]:
    by_name = {need.name: need for need in needs}
    pairs = (part.split(":") for part in (found or "").split(",") if part)
    return tuple(Right(name, what, by_name[name]) for name, what in pairs)


def missing_rights(connection: Connection, needs: tuple[Need, ...] = NEEDS) -> tuple[Right, ...]:
    return parse_missing(connection.scalar(text(f"SELECT {missing_as_text(needs)}")), needs)


# ---------------------------------------------------------------- granting


def grants(connection: Connection, rights: Iterable[Right], role: str) -> list[str]:
    """The statements that give a role these rights, without semicolons."""
    to = quoted(role)
    of_table: dict[str, list[str]] = {}
    sequences = []
    for right in rights:
        if not right.is_of_sequence:
            of_table.setdefault(right.on, []).append(right.what)
        elif sequence := sequence_of(connection, right.on):
            sequences.append(sequence)
    by_right: dict[str, list[str]] = {}
    for name, what in of_table.items():
        by_right.setdefault(", ".join(what), []).append(name)
    if sequences:
        by_right["USAGE"] = [f"SEQUENCE {', '.join(sequences)}"]
    return [f"GRANT {what} ON {', '.join(names)} TO {to}" for what, names in by_right.items()]


def sequence_of(connection: Connection, table: str) -> str | None:
    """The sequence that numbers a table's rows, as SQL; of a table that is still to be made, what it will be called."""
    there = connection.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": table})
    if not there:
        return f"{table}_id_seq"
    query = text("SELECT CAST(CAST(pg_get_serial_sequence(:name, 'id') AS regclass) AS text)")
    found: str | None = connection.scalar(query, {"name": table})
    return found


def all_rights(present: Iterable[str]) -> list[Right]:
    """Everything a run needs, on those of the service's tables that are present, and on all of recours's."""
    there = set(present)
    return rights_of(need for need in NEEDS if need.name in there or not need.of_service)


def rights_of(needs: Iterable[Need]) -> list[Right]:
    """What they come to, one by one."""
    return [
        Right(need.name, what, need)
        for need in needs
        for what in (*need.rights, *([_SEQUENCE] if need.numbered else []))
    ]


def schema_grant(connection: Connection, role: str) -> str:
    """The statement that lets a role look into the schema at all."""
    schema = connection.scalar(text("SELECT current_schema()")) or "public"
    return f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {quoted(role)}"


# ---------------------------------------------------------------- what is said


def sentence(rights: Sequence[Right]) -> str:
    """Which rights are missing, without what to do about it."""
    names = list(dict.fromkeys(right.on for right in rights))
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else "")
    what = "table" if len(names) == 1 else "tables"
    return f"{MISSING} ({what} {shown})"


def how_to_get_sql(role: str | None) -> str:
    """What to do, in one line of a log, where SQL is many: it could not be copied without what begins each line there."""
    to = f" --grant-to {shlex.quote(role)}" if role else ""
    return f"ask your administrator to run the SQL printed by: recours init-db --sql{to}"


def explain_refusal(said: str, user: str | None, statement: str = "") -> str | None:
    """A server's refusal, in whatever language, as a sentence with the SQL to run; None if it names nothing that recours needs.

    `said`: its first line, as the others repeat the statement. `statement`: what was refused.
    """
    to = quoted(user) if user else "<the user of the job>"
    if is_change_of_schema(statement):
        return f"{MISSING} ({refused_change(said, statement)}). Ask your administrator to run what 'recours init-db --sql' prints."
    words = set(re.findall(r"\w+", said))
    for need in sorted(NEEDS, key=lambda need: -len(need.name)):
        sequence = f"{need.name}_id_seq"
        if need.name in words:
            what, grant = f"table {need.name}", f"{', '.join(need.rights)} ON {need.name}"
        elif sequence in words:
            what, grant = f"sequence {sequence}", f"{_SEQUENCE} ON SEQUENCE {sequence}"
        else:
            continue
        return f"{MISSING} ({what}). Ask your administrator to run: GRANT {grant} TO {to};"
    return None


def refused_change(said: str, statement: str) -> str:
    """The right that a refused change of the schema needs. `said`: the first line of the server's refusal."""
    name = said.rsplit(maxsplit=1)[-1].strip("\"'«»„“”")  # in most languages it ends in the name
    is_table = name in re.findall(r"\w+", statement)  # statements name no schema
    return f"ownership of table {name}" if is_table else f"CREATE on schema {name}"


def is_change_of_schema(statement: str) -> bool:
    return _CHANGES_SCHEMA.match(statement) is not None


def quoted(role: str) -> str:
    """A name as SQL, whatever its signs."""
    doubled = role.replace('"', '""')
    return f'"{doubled}"'
