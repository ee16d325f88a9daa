"""The schema that recours needs beside the service's own tables, as SQL: for the migration, and for people to run.

The tables and columns are those of `recours.database.tables`; the indexes on `claims` and the view are here.
"""

from collections.abc import Collection

from sqlalchemy import make_url
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from recours.core.claim import Stage
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
_HEAD_OF_CUSTODY = (
    f"INSERT INTO recours_custody_head (id, sequence, hash) SELECT 1, 0, '{'0' * 64}'"  # noqa: S608 (constants)
    " WHERE NOT EXISTS (SELECT 1 FROM recours_custody_head)"
)


def statements(columns: Collection[str], dialect: str) -> list[str]:
    """The SQL for a database whose claims table has these columns; what is there already is left as it is.

    On PostgreSQL without the indexes on claims: see `claim_indexes`.
    """
    of = make_url(_DRIVERS[dialect]).get_dialect()()
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
        _HEAD_OF_CUSTODY,
        "DROP VIEW IF EXISTS recours_documents",
        _DOCUMENTS,
        *(claim_indexes(columns, dialect).values() if dialect == "sqlite" else ()),
    ]


# ---------------------------------------------------------------- indexes on claims

# How SQLite writes what is written here as PostgreSQL does.
_IN_SQLITE = (
    (' COLLATE "C"', ""),
    ("IS DISTINCT FROM", "IS NOT"),
    ("ELSE false END", "ELSE 0 END = 1"),
)
_STAGES = ", ".join(f"'{stage}'" for stage in Stage)
_RANK = "(pod_carrier_key, pod_rank_is_deadline, pod_rank_at)"
# What claims are alike in, as one text: `chronopost/failed/waiting`. Foreign text is cut, here and below, since PostgreSQL
# would refuse a row whose index entry is too long.
_GROUP = (
    "coalesce(pod_carrier_key, '') || '/' || coalesce(substr(pod_fetch_status, 1, 40), '') || '/'"
    " || coalesce(pod_stage, '')"
)
_STATUS = "(coalesce(lower(substr(trim(status), 1, 40)), ''))"
_BY_NAME = {
    "ix_claims_pod_ready": f"{_RANK} WHERE pod_stage = 'ready'",
    "ix_claims_pod_new": f"{_RANK} WHERE pod_stage = 'new'",
    "ix_claims_pod_waiting": "(pod_next_retry_at) WHERE pod_stage = 'waiting'",
    "ix_claims_pod_settled": "(pod_next_retry_at) WHERE pod_stage = 'settled'",
    "ix_claims_pod_given_up": "(pod_retry_count) WHERE pod_stage = 'given_up'",
    "ix_claims_pod_backoff": (
        "(pod_next_retry_at) WHERE CASE WHEN pod_stage = 'waiting'"
        " THEN pod_last_attempt_at IS DISTINCT FROM pod_next_retry_at ELSE false END"
    ),
    "ix_claims_pod_expiring": (
        "(pod_expire_from) WHERE pod_rank_is_deadline = 1 AND pod_stage IN ('new', 'ready')"
    ),
    "ix_claims_pod_group": f"(({_GROUP}), id)",
    "ix_claims_pod_backlog": (
        "(pod_carrier_key, pod_stage, pod_failed_at) WHERE pod_fetch_status IN ('fetching', 'pending', 'failed')"
    ),
    # What a person types the beginning of. Sorted byte by byte, whatever the database's language.
    "ix_claims_pod_reference": '((upper(substr(claim_reference, 1, 60))) COLLATE "C")',
    "ix_claims_pod_number": "((upper(substr(replace(tracking_number, ' ', ''), 1, 60))) COLLATE \"C\")",
}


def claim_indexes(columns: Collection[str], dialect: str) -> dict[str, str]:
    """The SQL of each index on claims, by its name; some depend on which columns the service's table has.

    On PostgreSQL each is built beside everybody's reading and writing, outside a transaction.
    """
    is_postgres = dialect == "postgresql"
    indexes = {**_BY_NAME, "ix_claims_pod_edited": f"(id) WHERE {_edited(columns)}"}
    keys = [name for name in ("created_at", "id") if name in columns]
    if "status" in columns:
        indexes["ix_claims_pod_shelved"] = "(status) WHERE pod_stage = 'shelved'"
        keys = [_STATUS, *keys]
    indexes["ix_claims_pod_unenrolled"] = (
        f"({', '.join(keys)}) WHERE coalesce(pod_fetch_status, '') = '' AND trim(tracking_number) <> ''"
    )
    if not is_postgres:
        indexes["ix_claims_pod_search"] = f"({', '.join(_searched(columns))})"
    create = "CREATE INDEX CONCURRENTLY" if is_postgres else "CREATE INDEX"
    made = {name: f"{create} IF NOT EXISTS {name} ON claims {what}" for name, what in indexes.items()}
    return made if is_postgres else {name: _for_sqlite(sql) for name, sql in made.items()}


def _for_sqlite(sql: str) -> str:
    for written, instead in _IN_SQLITE:
        sql = sql.replace(written, instead)
    return sql


def _edited(columns: Collection[str]) -> str:
    """The condition of `recours.database.predicates.edited`."""
    deadline = (
        " OR pod_seen_deadline IS DISTINCT FROM response_deadline" if "response_deadline" in columns else ""
    )
    return (
        "pod_fetch_status IN ('failed', 'pending', 'fetching') AND (pod_stage IS NULL"
        f" OR pod_stage NOT IN ({_STAGES})"
        " OR (pod_stage IN ('waiting', 'settled') AND pod_next_retry_at IS NULL)"
        " OR pod_carrier_key IS NULL OR pod_rank_at IS NULL OR pod_rank_is_deadline IS NULL"
        " OR pod_rank_is_deadline NOT IN (0, 1)"
        " OR pod_seen_status IS DISTINCT FROM pod_fetch_status"
        " OR pod_seen_number IS DISTINCT FROM tracking_number"
        " OR pod_seen_carrier IS DISTINCT FROM carrier"
        f" OR pod_seen_count IS DISTINCT FROM pod_retry_count{deadline})"
    )


def _searched(columns: Collection[str]) -> list[str]:
    """What a list of claims is searched, filtered and sorted by; of each kind, the first column that there is.

    A pass over this index takes SQLite a third of one over the table, whose rows are as wide as the service makes them. On
    PostgreSQL several processes share a pass over the table, and an index would refuse rows with longer texts than it holds.
    """
    kinds = (
        ("claim_reference",),
        ("tracking_number",),
        ORDER_COLUMNS,
        CUSTOMER_COLUMNS,
        *(
            (name,)
            for name in ("client_id", "carrier", "amount_requested", "response_deadline", "created_at")
        ),
        *(
            (name,)
            for name in (
                "pod_fetch_status",
                "pod_stage",
                "pod_carrier_key",
                "pod_error_kind",
                "pod_next_retry_at",
            )
        ),
    )
    there = {*columns, *ADDED_COLUMNS}
    return [found for names in kinds if (found := next((name for name in names if name in there), None))]
