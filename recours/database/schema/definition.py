"""The schema that recours needs beside the service's own tables, as SQL: for the migration, and for people to run.

The tables and columns are those of `recours.database.tables`; the indexes on `claims` and the view are here.
"""

from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Select, literal_column, make_url, select, text
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from recours.core.claim import Stage
from recours.database.predicates import (
    at_stage,
    awaits_retry,
    edited,
    expiring,
    is_ours,
)
from recours.database.tables import (
    CUSTOMER_COLUMNS,
    GUIDE_COLUMNS,
    ORDER_COLUMNS,
    OWN_CLAIM_COLUMNS,
    SERVICE_POD_COLUMNS,
    claims,
    metadata,
)

# The columns of `claims` that are added where they are missing.
ADDED_COLUMNS = (*SERVICE_POD_COLUMNS, *GUIDE_COLUMNS, *OWN_CLAIM_COLUMNS)

_DRIVERS = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}
_DOCUMENTS = """CREATE VIEW recours_documents AS
    SELECT id AS attempt_id, claim_id, run_id, carrier, tracking_number, started_at AS fetched_at, delivered_at,
        signatory, document_path AS path, document_sha256 AS sha256, document_size AS size,
        document_type AS media_type, document_source AS source
    FROM recours_attempts WHERE document_path IS NOT NULL"""


@cache
def _dialect(name: str) -> Dialect:
    return make_url(_DRIVERS[name]).get_dialect()()


def statements(columns: Collection[str], dialect: str) -> list[str]:
    """The SQL for a database whose claims table has these columns; what is there already is left as it is.

    On PostgreSQL without the indexes on claims: see `claim_indexes`.
    """
    of = _dialect(dialect)
    own = [table for name, table in metadata.tables.items() if name.startswith("recours_")]
    return [
        *(
            f"ALTER TABLE claims ADD COLUMN {CreateColumn(claims.c[name]).compile(dialect=of)}"
            for name in ADDED_COLUMNS
            if name not in columns
        ),
        *(str(CreateTable(table, if_not_exists=True).compile(dialect=of)).strip() for table in own),
        *(
            str(CreateIndex(index, if_not_exists=True).compile(dialect=of))
            for table in own
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ),
        "DROP VIEW IF EXISTS recours_documents",
        _DOCUMENTS,
        *(claim_indexes(columns, dialect).values() if dialect == "sqlite" else ()),
    ]


# ---------------------------------------------------------------- indexes on claims

_RANK = "(pod_carrier_key, pod_rank_is_deadline, pod_rank_at)"
# What claims are alike in, as one text: `chronopost/failed/waiting`. Foreign text is cut, here and below, since PostgreSQL
# would refuse a row whose index entry is too long.
_GROUP = (
    "coalesce(pod_carrier_key, '') || '/' || coalesce(substr(pod_fetch_status, 1, 40), '') || '/'"
    " || coalesce(pod_stage, '')"
)
_UNENROLLED = "coalesce(pod_fetch_status, '') = '' AND trim(tracking_number) <> ''"
_STATUS = "(coalesce(lower(substr(trim(status), 1, 40)), ''))"
# What a list of claims is searched, filtered and sorted by; of each kind, the first column that the service's table has.
_SEARCHED = (
    ("claim_reference",),
    ("tracking_number",),
    ORDER_COLUMNS,
    CUSTOMER_COLUMNS,
    ("client_id",),
    ("carrier",),
    ("amount_requested",),
    ("response_deadline",),
    ("created_at",),
    ("pod_fetch_status",),
    ("pod_stage",),
    ("pod_carrier_key",),
    ("pod_error_kind",),
    ("pod_next_retry_at",),
)


def claim_indexes(columns: Collection[str], dialect: str) -> dict[str, str]:
    """The SQL of each index on claims, by its name; some depend on which columns the service's table has.

    On PostgreSQL each is built beside everybody's reading and writing, outside a transaction.
    """
    is_postgres = dialect == "postgresql"
    create = "CREATE INDEX CONCURRENTLY" if is_postgres else "CREATE INDEX"
    indexes = {}
    for name, (what, where) in _indexes(columns, is_postgres=is_postgres).items():
        indexes[name] = f"{create} IF NOT EXISTS {name} ON claims {what}"
        if where is not None:
            query: Select[Any] = select(literal_column("1")).select_from(claims).where(where)
            condition = str(query.compile(dialect=_dialect(dialect))).partition("WHERE ")[2]
            indexes[name] += f" WHERE {condition.replace('claims.', '')}"
    return indexes


def index_names(columns: Collection[str]) -> frozenset[str]:
    """The names of the indexes on claims that PostgreSQL is to have."""
    return frozenset(_indexes(columns, is_postgres=True))


def _indexes(
    columns: Collection[str], *, is_postgres: bool
) -> dict[str, tuple[str, ColumnElement[bool] | None]]:
    """What each is of, and the condition of the rows in it, as the queries have it, for which it is; None: of all."""
    bytewise = ' COLLATE "C"' if is_postgres else ""  # whatever the database's language
    unenrolled = [name for name in ("created_at", "id") if name in columns]
    if "status" in columns:
        unenrolled.insert(0, _STATUS)
    indexes: dict[str, tuple[str, Any]] = {
        "ready": (_RANK, at_stage(Stage.READY)),
        "new": (_RANK, at_stage(Stage.NEW)),
        "waiting": ("(pod_next_retry_at)", at_stage(Stage.WAITING)),
        "settled": ("(pod_next_retry_at)", at_stage(Stage.SETTLED)),
        "given_up": ("(pod_retry_count)", at_stage(Stage.GIVEN_UP)),
        "backoff": ("(pod_next_retry_at)", awaits_retry()),
        "expiring": ("(pod_expire_from)", expiring()),
        "edited": ("(id)", edited(with_deadline="response_deadline" in columns)),
        "backlog": ("(pod_carrier_key, pod_stage, pod_failed_at)", is_ours()),
        "unenrolled": (f"({', '.join(unenrolled)})", text(_UNENROLLED)),
        "group": (f"(({_GROUP}), id)", None),
        # What a person types the beginning of.
        "reference": (f"((upper(substr(claim_reference, 1, 60))){bytewise})", None),
        "number": (f"((upper(substr(replace(tracking_number, ' ', ''), 1, 60))){bytewise})", None),
    }
    if "status" in columns:
        indexes["shelved"] = "(status)", at_stage(Stage.SHELVED)
    if not is_postgres:
        # A pass over this index takes SQLite a third of one over the table, whose rows are as wide as the service makes
        # them. On PostgreSQL several processes share a pass over the table.
        present = {*columns, *ADDED_COLUMNS}
        searched = (next((name for name in names if name in present), None) for names in _SEARCHED)
        indexes["search"] = f"({', '.join(filter(None, searched))})", None
    return {f"ix_claims_pod_{name}": index for name, index in indexes.items()}
