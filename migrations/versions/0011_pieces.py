"""Every piece of evidence has a row: what it is, where it lies, what it shows, and why it was refused, if it was.

`recours_attempts.document_…` go on naming the best piece, and the view `recours_documents` keeps its columns. So version
0010 may go on working on a database of this one: of what it fetches the attempt alone knows, as of what was fetched before.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

EVIDENCE = """CREATE TABLE IF NOT EXISTS recours_evidence (
    id {id},
    claim_id BIGINT NOT NULL,
    carrier TEXT NOT NULL,
    tracking_number TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    obtained_at TIMESTAMP NOT NULL,
    run_id VARCHAR(32),
    path TEXT NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    size INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    refused TEXT,
    shown JSON NOT NULL,
    signatory TEXT,
    delivered_at TIMESTAMP,
    delivered_day TEXT,
    place TEXT,
    "by" TEXT,
    CONSTRAINT uq_recours_evidence UNIQUE (claim_id, sha256)
)"""
REFUSED = (
    "CREATE INDEX IF NOT EXISTS ix_recours_evidence_refused ON recours_evidence (obtained_at) "
    "WHERE refused IS NOT NULL"
)


def upgrade() -> None:
    """Add what is missing."""
    for statement in statements(set(), op.get_bind().dialect.name):
        op.execute(statement)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL, whatever columns the claims table has."""
    del columns
    serial = "BIGSERIAL PRIMARY KEY" if dialect == "postgresql" else "INTEGER PRIMARY KEY"
    return [EVIDENCE.format(id=serial), REFUSED]
