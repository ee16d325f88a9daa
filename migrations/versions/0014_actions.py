"""What people did to carriers, accounts and mails. What they did to claims is in `recours_changes`.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today. Version 0013 may
go on working on a database of this one: what people do with it is not recorded here.
"""

from alembic import op

revision = "0014"
down_revision = "0013"

ACTIONS = """CREATE TABLE IF NOT EXISTS recours_actions (
    id {id},
    at TIMESTAMP NOT NULL,
    "by" TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    details JSON NOT NULL
)"""
INDEXES = [
    "CREATE INDEX IF NOT EXISTS ix_recours_actions_subject ON recours_actions (subject, id)",
    "CREATE INDEX IF NOT EXISTS ix_recours_actions_at ON recours_actions (at)",
]


def upgrade() -> None:
    """Add what is missing."""
    for statement in statements(set(), op.get_bind().dialect.name):
        op.execute(statement)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL, whatever columns the claims table has."""
    del columns
    serial = "BIGSERIAL PRIMARY KEY" if dialect == "postgresql" else "INTEGER PRIMARY KEY"
    return [ACTIONS.format(id=serial), *INDEXES]
