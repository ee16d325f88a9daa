"""What the operator's desk needs: attempts found by their day, carriers that a person has stopped.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0005"
down_revision = "0004"

COLUMNS = {
    "stopped_at": "ALTER TABLE recours_carriers ADD COLUMN stopped_at TIMESTAMP",
    "stopped_why": "ALTER TABLE recours_carriers ADD COLUMN stopped_why TEXT",
}
INDEX = (
    "CREATE INDEX IF NOT EXISTS ix_recours_attempts_day"
    " ON recours_attempts (started_at, carrier, turn, outcome, error_kind)"
)


def upgrade() -> None:
    """Add what is missing."""
    there = {column["name"] for column in inspect(op.get_bind()).get_columns("recours_carriers")}
    for name, statement in COLUMNS.items():
        if name not in there:
            op.execute(statement)
    op.execute(INDEX)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL, whatever the claims table has."""
    del columns, dialect
    return [*COLUMNS.values(), INDEX]
