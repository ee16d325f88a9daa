"""What a run had in force, and what happened to claims beside their attempts, for those who want to learn from it.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today. Version 0006
and later may go on working on a database of this one: their runs leave both empty.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0009"
down_revision = "0008"

COLUMN = "ALTER TABLE recours_runs ADD COLUMN circumstances JSON"
CHANGES = """CREATE TABLE IF NOT EXISTS recours_changes (
    id {id},
    claim_id BIGINT NOT NULL,
    at TIMESTAMP NOT NULL,
    what TEXT NOT NULL,
    "by" TEXT NOT NULL,
    details JSON NOT NULL
)"""
INDEXES = [
    "CREATE INDEX IF NOT EXISTS ix_recours_changes_claim ON recours_changes (claim_id, id)",
    "CREATE INDEX IF NOT EXISTS ix_recours_changes_at ON recours_changes (at)",
]


def upgrade() -> None:
    """Add what is missing."""
    connection = op.get_bind()
    there = {column["name"] for column in inspect(connection).get_columns("recours_runs")}
    for statement in statements(set(), connection.dialect.name):
        if statement != COLUMN or "circumstances" not in there:
            op.execute(statement)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL, whatever columns the claims table has."""
    del columns
    serial = "BIGSERIAL PRIMARY KEY" if dialect == "postgresql" else "INTEGER PRIMARY KEY"
    return [COLUMN, CHANGES.format(id=serial), *INDEXES]
