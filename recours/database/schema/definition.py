"""The schema that recours needs beside the service's own tables, as SQL: for the migration, and for people to run.

The tables and their indexes are those of `recours.database.tables`; the view is here.
"""

from functools import cache

from sqlalchemy import Dialect, make_url
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from recours.database.border import Border
from recours.database.tables import metadata

_DRIVERS = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}
_DOCUMENTS = """CREATE VIEW recours_documents AS
    SELECT id AS attempt_id, claim_id, run_id, carrier, tracking_number, started_at AS fetched_at, delivered_at,
        signatory, document_path AS path, document_sha256 AS sha256, document_size AS size,
        document_type AS media_type, document_source AS source
    FROM recours_attempts WHERE document_path IS NOT NULL"""


@cache
def _dialect(name: str) -> Dialect:
    return make_url(_DRIVERS[name]).get_dialect()()


def statements(border: Border, dialect: str) -> list[str]:
    """The SQL for a database whose claims are these; what is there already is left as it is.

    Without the index on the service's table: see `recours.database.schema.indexes`.
    """
    tables = metadata.tables.values()
    indexes = [
        index for table in tables for index in sorted(table.indexes, key=lambda index: str(index.name))
    ]
    for index in indexes:
        options = index.dialect_options[dialect]
        options.update({name: index.info[name] for name in options if name in index.info})
    return [
        *border.additions(),
        *(_compiled(CreateTable(table, if_not_exists=True), border, dialect) for table in tables),
        *(_compiled(CreateIndex(index, if_not_exists=True), border, dialect) for index in indexes),
        "DROP VIEW IF EXISTS recours_documents",
        _DOCUMENTS,
    ]


def _compiled(statement: ExecutableDDLElement, border: Border, dialect: str) -> str:
    """As SQL, with the types that the service's keys have."""
    sql = str(statement.compile(dialect=_dialect(dialect))).strip()
    for placeholder, key_type in border.own_types.items():
        sql = sql.replace(f" {placeholder}", f" {key_type}")
    return sql
