"""What a run had in force, for those who want to learn from it.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today. Version 0006
and later may go on working on a database of this one: their runs leave the column empty.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0009"
down_revision = "0008"

TABLE, COLUMN = "recours_runs", "circumstances"


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
