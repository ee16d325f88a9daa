"""When the last attempt at a claim is, or was; waiting claims found by whether that is what they wait for.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today. Version 0006
may go on working on a database of this one: it gives up a claim that waits for its last attempt.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0007"
down_revision = "0006"

COLUMN = "pod_last_attempt_at"
CLAIM_INDEXES = {
    "ix_claims_pod_last_attempt": (
        "(pod_retry_count) WHERE pod_stage IN ('waiting', 'ready') AND pod_last_attempt_at = pod_next_retry_at"
    ),
    "ix_claims_pod_backoff": (
        "(pod_next_retry_at) WHERE CASE WHEN pod_stage = 'waiting'"
        " THEN pod_last_attempt_at {differs} pod_next_retry_at ELSE {never} END{is_true}"
    ),
}

# As the queries are written for each.
POSTGRESQL = {"differs": "IS DISTINCT FROM", "never": "false", "is_true": ""}
SQLITE = {"differs": "IS NOT", "never": "0", "is_true": " = 1"}


def upgrade() -> None:
    """Add what is missing; on PostgreSQL without the indexes on claims, which no transaction can build beside others."""
    connection = op.get_bind()
    columns = {column["name"] for column in inspect(connection).get_columns("claims")}
    for statement in statements(columns, connection.dialect.name):
        if "CONCURRENTLY" not in statement:
            op.execute(statement)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL for a database whose claims table has these columns."""
    added = [] if COLUMN in columns else [f"ALTER TABLE claims ADD COLUMN {COLUMN} TIMESTAMP"]
    return [*added, *claim_indexes(columns, dialect).values()]


def claim_indexes(columns: set[str], dialect: str) -> dict[str, str]:
    """The indexes on claims, by name."""
    del columns
    create = "CREATE INDEX CONCURRENTLY" if dialect == "postgresql" else "CREATE INDEX"
    forms = POSTGRESQL if dialect == "postgresql" else SQLITE
    return {
        name: f"{create} IF NOT EXISTS {name} ON claims {what.format(**forms)}"
        for name, what in CLAIM_INDEXES.items()
    }
