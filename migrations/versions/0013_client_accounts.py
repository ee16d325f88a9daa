"""Accounts of clients at carriers, what is known of each account, and which one served a claim and an attempt.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today. What was known
of the house's accounts is copied; `recours_carriers` keeps it for version 0012, which may go on working on a database of
this one while no client has an account.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0013"
down_revision = "0012"

CLAIM_COLUMN = "pod_account_id"
ATTEMPTS, ATTEMPT_COLUMN = "recours_attempts", "account_id"
ACCOUNTS = """CREATE TABLE IF NOT EXISTS recours_client_accounts (
    id {id},
    client_id BIGINT NOT NULL,
    carrier VARCHAR(40) NOT NULL,
    credentials TEXT,
    section TEXT,
    limits JSON,
    added_at TIMESTAMP NOT NULL,
    added_by TEXT NOT NULL,
    changed_at TIMESTAMP NOT NULL,
    disabled_at TIMESTAMP,
    disabled_why TEXT,
    removed_at TIMESTAMP,
    is_applied BOOLEAN NOT NULL,
    CONSTRAINT uq_recours_client_accounts UNIQUE (client_id, carrier)
)"""
STATE = """CREATE TABLE IF NOT EXISTS recours_account_state (
    carrier VARCHAR(40) NOT NULL,
    account_id BIGINT NOT NULL,
    paused_until TIMESTAMP,
    reason TEXT,
    refusals INTEGER NOT NULL,
    refused_until TIMESTAMP,
    refusal TEXT,
    refusal_kind TEXT,
    refused_claim BIGINT,
    credentials_salt VARCHAR(32),
    credentials_print VARCHAR(64),
    token TEXT,
    token_until TIMESTAMP,
    token_holder VARCHAR(40),
    token_held_until TIMESTAMP,
    PRIMARY KEY (carrier, account_id)
)"""
OF_HOUSE = """INSERT INTO recours_account_state
    (carrier, account_id, refusals, refused_until, refusal, refusal_kind, refused_claim, credentials_salt, credentials_print)
    SELECT carrier, 0, refusals, refused_until, refusal, refusal_kind, refused_claim, credentials_salt, credentials_print
    FROM recours_carriers WHERE NOT EXISTS (SELECT 1 FROM recours_account_state)"""


def upgrade() -> None:
    """Add what is missing."""
    connection = op.get_bind()
    found = inspect(connection)
    columns = {column["name"] for column in found.get_columns("claims")}
    has_column = ATTEMPT_COLUMN in {column["name"] for column in found.get_columns(ATTEMPTS)}
    for statement in statements(columns, connection.dialect.name):
        if not (has_column and ATTEMPTS in statement):
            op.execute(statement)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL for a database whose claims table has these columns."""
    serial = "BIGSERIAL PRIMARY KEY" if dialect == "postgresql" else "INTEGER PRIMARY KEY"
    of_claims = [] if CLAIM_COLUMN in columns else [f"ALTER TABLE claims ADD COLUMN {CLAIM_COLUMN} BIGINT"]
    return [
        *of_claims,
        f"ALTER TABLE {ATTEMPTS} ADD COLUMN {ATTEMPT_COLUMN} BIGINT",
        ACCOUNTS.format(id=serial),
        STATE,
        OF_HOUSE,
    ]
