"""Which carriers there were credentials for, so that a run notices when that changes.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table."""
    for statement in statements(set(), op.get_bind().dialect.name):
        op.execute(statement)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL, whatever the claims table has."""
    del columns, dialect
    return [
        "CREATE TABLE IF NOT EXISTS recours_accounts "
        "(carrier VARCHAR(40) PRIMARY KEY, configured BOOLEAN NOT NULL)"
    ]
