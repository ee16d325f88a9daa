"""What the retry system needs beside the service's own tables.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today.
Columns and tables that are there already are left as they are. But for one thing: keys of the service are BIGINT since
0006, and what older versions made narrower is widened by recours.database.schema.large_tables.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0001"
down_revision = None

CLAIM_COLUMNS = {
    # the service's own, which old databases lack
    "pod_fetch_status": "TEXT",
    "pod_url": "TEXT",
    "pod_fetched_at": "TIMESTAMP",
    "pod_fetch_error": "TEXT",
    "pod_delivery_person": "TEXT",
    "pod_signature_url": "TEXT",
    # the guide's
    "pod_retry_count": "INTEGER DEFAULT 0",
    "pod_last_retry_at": "TIMESTAMP",
    # ours
    "pod_stage": "TEXT",
    "pod_carrier_key": "TEXT",
    "pod_next_retry_at": "TIMESTAMP",
    "pod_failed_at": "TIMESTAMP",
    "pod_error_kind": "TEXT",
    "pod_known_delivery": "TEXT",
    "pod_rank_at": "TIMESTAMP",
    "pod_rank_is_deadline": "INTEGER",
    "pod_interruptions": "INTEGER",
    "pod_lease_token": "TEXT",
    "pod_lease_until": "TIMESTAMP",
    "pod_seen_status": "TEXT",
    "pod_seen_number": "TEXT",
    "pod_seen_carrier": "TEXT",
    "pod_seen_count": "INTEGER",
    "pod_seen_deadline": "DATE",
}

TABLES = {
    "recours_runs": """
        id VARCHAR(32) PRIMARY KEY,
        worker TEXT NOT NULL,
        started_at TIMESTAMP NOT NULL,
        ended_at TIMESTAMP,
        exit_status INTEGER,
        stats JSON
    """,
    "recours_attempts": """
        id {id},
        claim_id BIGINT NOT NULL,
        run_id VARCHAR(32) NOT NULL,
        worker TEXT NOT NULL,
        carrier TEXT NOT NULL,
        tracking_number TEXT NOT NULL,
        turn INTEGER NOT NULL,
        started_at TIMESTAMP NOT NULL,
        duration_s FLOAT NOT NULL,
        calls INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        used BOOLEAN NOT NULL,
        error_kind TEXT,
        message TEXT,
        http_status INTEGER,
        delivered_at TIMESTAMP,
        signatory TEXT,
        document_path TEXT,
        document_sha256 VARCHAR(64),
        document_size INTEGER,
        document_type TEXT,
        document_source TEXT
    """,
    "recours_carriers": """
        carrier VARCHAR(40) PRIMARY KEY,
        paused_until TIMESTAMP,
        reason TEXT,
        refusals INTEGER NOT NULL,
        refused_until TIMESTAMP,
        refusal TEXT,
        credentials_salt VARCHAR(32),
        credentials_print VARCHAR(64)
    """,
    "recours_quota": """
        limit_key VARCHAR(80) NOT NULL,
        window_start TIMESTAMP NOT NULL,
        window_end TIMESTAMP NOT NULL,
        taken INTEGER NOT NULL,
        PRIMARY KEY (limit_key, window_start)
    """,
    "recours_quota_shares": """
        limit_key VARCHAR(80) NOT NULL,
        window_start TIMESTAMP NOT NULL,
        holder VARCHAR(40) NOT NULL,
        used INTEGER NOT NULL,
        held INTEGER NOT NULL,
        expires_at TIMESTAMP NOT NULL,
        PRIMARY KEY (limit_key, window_start, holder)
    """,
    "recours_events": """
        id {id},
        event TEXT NOT NULL,
        audience TEXT NOT NULL,
        claim_id BIGINT NOT NULL,
        carrier TEXT NOT NULL,
        tracking_number TEXT NOT NULL,
        run_id VARCHAR(32) NOT NULL,
        created_at TIMESTAMP NOT NULL,
        facts JSON NOT NULL,
        CONSTRAINT uq_recours_events UNIQUE (claim_id, event, carrier, tracking_number)
    """,
}

EDITED = """
    pod_fetch_status IN ('failed', 'pending', 'fetching') AND (
        pod_stage IS NULL
        OR pod_stage NOT IN ('unnumbered', 'new', 'waiting', 'ready', 'settled', 'shelved', 'given_up')
        OR (pod_stage IN ('waiting', 'settled') AND pod_next_retry_at IS NULL)
        OR pod_carrier_key IS NULL
        OR pod_rank_at IS NULL
        OR pod_rank_is_deadline IS NULL
        OR pod_rank_is_deadline NOT IN (0, 1)
        OR pod_seen_status {differs} pod_fetch_status
        OR pod_seen_number {differs} tracking_number
        OR pod_seen_carrier {differs} carrier
        OR pod_seen_count {differs} pod_retry_count{deadline}
    )
"""
RANK = "pod_carrier_key, pod_rank_is_deadline, pod_rank_at"
CLAIM_INDEXES = {
    "ix_claims_pod_ready": (RANK, "pod_stage = 'ready'"),
    "ix_claims_pod_new": (RANK, "pod_stage = 'new'"),
    "ix_claims_pod_waiting": ("pod_next_retry_at", "pod_stage = 'waiting'"),
    "ix_claims_pod_settled": ("pod_next_retry_at", "pod_stage = 'settled'"),
    "ix_claims_pod_given_up": ("pod_retry_count", "pod_stage = 'given_up'"),
}


VIEW = """
CREATE VIEW recours_documents AS
    SELECT id AS attempt_id, claim_id, run_id, carrier, tracking_number, started_at AS fetched_at, delivered_at,
        signatory, document_path AS path, document_sha256 AS sha256, document_size AS size,
        document_type AS media_type, document_source AS source
    FROM recours_attempts WHERE document_path IS NOT NULL
"""


def upgrade() -> None:
    """Add what is missing; on PostgreSQL without the indexes on claims, which no transaction can build beside others."""
    connection = op.get_bind()
    columns = {column["name"] for column in inspect(connection).get_columns("claims")}
    for statement in statements(columns, connection.dialect.name):
        if "CONCURRENTLY" not in statement:
            op.execute(statement)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL for a database whose claims table has these columns."""
    serial = "SERIAL PRIMARY KEY" if dialect == "postgresql" else "INTEGER PRIMARY KEY"
    return [
        *(
            f"ALTER TABLE claims ADD COLUMN {name} {kind}"
            for name, kind in CLAIM_COLUMNS.items()
            if name not in columns
        ),
        *(f"CREATE TABLE IF NOT EXISTS {name} ({body.format(id=serial)})" for name, body in TABLES.items()),
        *claim_indexes(columns, dialect).values(),
        "CREATE INDEX IF NOT EXISTS ix_recours_runs_worker ON recours_runs (worker, started_at)",
        "CREATE INDEX IF NOT EXISTS ix_recours_attempts_claim ON recours_attempts (claim_id, id)",
        "DROP VIEW IF EXISTS recours_documents",
        VIEW,
    ]


def claim_indexes(columns: set[str], dialect: str) -> dict[str, str]:
    """The indexes on claims, by name; two of them depend on what the service's table has."""
    differs = "IS DISTINCT FROM" if dialect == "postgresql" else "IS NOT"
    deadline = f" OR pod_seen_deadline {differs} response_deadline" if "response_deadline" in columns else ""
    wanted = CLAIM_INDEXES | {
        "ix_claims_pod_edited": ("id", EDITED.format(differs=differs, deadline=deadline))
    }
    if "status" in columns:
        wanted["ix_claims_pod_shelved"] = ("status", "pod_stage = 'shelved'")
    create = "CREATE INDEX CONCURRENTLY" if dialect == "postgresql" else "CREATE INDEX"
    return {
        name: f"{create} IF NOT EXISTS {name} ON claims ({keys}) WHERE {where}"
        for name, (keys, where) in wanted.items()
    }
