"""What an attempt may teach some day: its kinds of calls, and the claim's deadline, amount, client and age at that moment.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today. Version 0007
may go on working on a database of this one: its attempts leave the column empty.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0008"
down_revision = "0007"

TABLE, COLUMN = "recours_attempts", "circumstances"


def upgrade() -> None:
    """Add the column, if it is missing."""
    connection = op.get_bind()
    if COLUMN not in {column["name"] for column in inspect(connection).get_columns(TABLE)}:
        for statement in statements(set(), connection.dialect.name):
            op.execute(statement)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL, whatever columns the claims table has."""
    del columns, dialect
    return [f"ALTER TABLE {TABLE} ADD COLUMN {COLUMN} JSON"]
