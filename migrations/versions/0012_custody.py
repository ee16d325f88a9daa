"""The chain of custody, what it ends with, and the timestamps of its days.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today. Version 0006
and later may go on working on a database of this one: the documents that they store have no record in the chain.
"""

from alembic import op

revision = "0012"
down_revision = "0011"

STATEMENTS = [
    """CREATE TABLE IF NOT EXISTS recours_custody (
        sequence {number} NOT NULL PRIMARY KEY,
        claim_id BIGINT NOT NULL,
        entry TEXT NOT NULL,
        previous VARCHAR(64) NOT NULL UNIQUE,
        hash VARCHAR(64) NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS ix_recours_custody_claim ON recours_custody (claim_id, sequence)",
    """CREATE TABLE IF NOT EXISTS recours_custody_head (
        id INTEGER PRIMARY KEY,
        sequence BIGINT NOT NULL,
        hash VARCHAR(64) NOT NULL
    )""",
    f"INSERT INTO recours_custody_head (id, sequence, hash) SELECT 1, 0, '{'0' * 64}'"  # noqa: S608 (constants)
    " WHERE NOT EXISTS (SELECT 1 FROM recours_custody_head)",
    """CREATE TABLE IF NOT EXISTS recours_timestamps (
        day VARCHAR(10) NOT NULL PRIMARY KEY,
        sequence BIGINT NOT NULL,
        hash VARCHAR(64) NOT NULL,
        nonce VARCHAR(40) NOT NULL,
        token TEXT NOT NULL,
        stamped_at TIMESTAMP NOT NULL,
        url TEXT NOT NULL
    )""",
]


def upgrade() -> None:
    """Add what is missing."""
    for statement in statements(set(), op.get_bind().dialect.name):
        op.execute(statement)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL, whatever columns the claims table has."""
    del columns
    number = "BIGINT" if dialect == "postgresql" else "INTEGER"  # SQLite's is as wide, and the row's own
    return [statement.format(number=number) for statement in STATEMENTS]
