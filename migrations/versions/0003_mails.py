"""Mails, and which events are still to be told.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today. Events that
were written before there were mails are not told any more: nobody wants last month's.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0003"
down_revision = "0002"

COLUMN = "ALTER TABLE recours_events ADD COLUMN told TEXT"
MAILS = """
    CREATE TABLE IF NOT EXISTS recours_mails (
        id {id},
        message_id VARCHAR(120) NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        client_id BIGINT,
        recipient TEXT NOT NULL,
        language VARCHAR(8) NOT NULL,
        subject TEXT NOT NULL,
        plain TEXT NOT NULL,
        html TEXT NOT NULL,
        state TEXT NOT NULL,
        run_id VARCHAR(32) NOT NULL,
        created_at TIMESTAMP NOT NULL,
        tries INTEGER NOT NULL,
        holder VARCHAR(40),
        held_until TIMESTAMP,
        error TEXT,
        ended_at TIMESTAMP
    )
"""
REST = [
    """CREATE TABLE IF NOT EXISTS recours_mail_events (
        mail_id INTEGER NOT NULL, event_id INTEGER NOT NULL, PRIMARY KEY (event_id, mail_id))""",
    "CREATE INDEX IF NOT EXISTS ix_recours_mail_events_mail ON recours_mail_events (mail_id)",
    "CREATE INDEX IF NOT EXISTS ix_recours_events_untold ON recours_events (audience, claim_id) WHERE told IS NULL",
    "CREATE INDEX IF NOT EXISTS ix_recours_mails_open ON recours_mails (id)"
    " WHERE state IN ('ready', 'held', 'sending')",
]


def upgrade() -> None:
    """Add what is missing."""
    connection = op.get_bind()
    there = {column["name"] for column in inspect(connection).get_columns("recours_events")}
    for statement in statements(set(), connection.dialect.name):
        if statement != COLUMN or "told" not in there:
            op.execute(statement)
    if "told" not in there:
        op.execute("UPDATE recours_events SET told = 'before there were mails'")


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL, whatever the claims table has."""
    del columns
    serial = "SERIAL PRIMARY KEY" if dialect == "postgresql" else "INTEGER PRIMARY KEY"
    return [COLUMN, MAILS.format(id=serial), *REST]
