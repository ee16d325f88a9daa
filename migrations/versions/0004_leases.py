"""What one process at a time does outside any transaction, and until when.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table."""
    for statement in statements(set(), op.get_bind().dialect.name):
        op.execute(statement)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL, whatever the claims table has."""
    del columns, dialect
    return [
        "CREATE TABLE IF NOT EXISTS recours_leases "
        "(name VARCHAR(40) PRIMARY KEY, holder VARCHAR(40) NOT NULL, held_until TIMESTAMP NOT NULL)"
    ]
