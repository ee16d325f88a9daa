"""Enrolment, expiry, exclusions, refused accounts, the day of a delivery, sentences of errors, and who may work beside.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0006"
down_revision = "0005"

# By table; columns that are there already are left as they are.
COLUMNS = {
    "recours_schema_version": {"oldest": "VARCHAR(32)"},
    "recours_carriers": {"refusal_kind": "TEXT", "refused_claim": "BIGINT"},
    "recours_attempts": {"delivered_day": "TEXT", "error_key": "TEXT", "error_words": "TEXT"},
}
CLAIM_COLUMNS = {
    "pod_since": "TIMESTAMP",
    "pod_expire_from": "TIMESTAMP",
    "pod_expired_at": "TIMESTAMP",
    "pod_error_key": "TEXT",
    "pod_error_words": "TEXT",
}
# Foreign text is cut, since PostgreSQL would refuse a row whose index entry is too long.
STATUS = "(coalesce(lower(substr(trim(status), 1, 40)), ''))"
CLAIM_INDEXES = {
    "ix_claims_pod_unenrolled": (
        "({keys}) WHERE coalesce(pod_fetch_status, '') = '' AND trim(tracking_number) <> ''"
    ),
    "ix_claims_pod_expiring": (
        "(pod_expire_from) WHERE pod_rank_is_deadline = 1 AND pod_stage IN ('new', 'ready')"
    ),
}
TABLES = [
    """CREATE TABLE IF NOT EXISTS recours_adoption (
        id INTEGER PRIMARY KEY,
        adopted_at TIMESTAMP NOT NULL,
        highest_claim_id BIGINT,
        status_column_added BOOLEAN NOT NULL,
        decided BOOLEAN NOT NULL,
        ranked_up_to BIGINT
    )""",
    """CREATE TABLE IF NOT EXISTS recours_exclusions (
        id {id},
        claim_id BIGINT NOT NULL,
        excluded_at TIMESTAMP NOT NULL,
        excluded_by TEXT NOT NULL,
        why TEXT NOT NULL,
        previous_status TEXT,
        ended_at TIMESTAMP,
        ended_by TEXT
    )""",
    "CREATE INDEX IF NOT EXISTS ix_recours_exclusions_claim ON recours_exclusions (claim_id, id)",
    # What a run holds, and which windows are over, found without reading years of either.
    "CREATE INDEX IF NOT EXISTS ix_recours_quota_shares_holder ON recours_quota_shares (holder)",
    "CREATE INDEX IF NOT EXISTS ix_recours_quota_end ON recours_quota (window_end)",
]


# The oldest version of recours, by its newest migration, that may go on working on a database of this one.
OLDEST = "UPDATE recours_schema_version SET oldest = '0006'"


def upgrade() -> None:
    """Add what is missing; on PostgreSQL without the indexes on claims, which no transaction can build beside others."""
    connection = op.get_bind()
    there = inspect(connection)
    for table, columns in COLUMNS.items():
        known = {column["name"] for column in there.get_columns(table)}
        for name, kind in columns.items():
            if name not in known:
                op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
    of_claims = {column["name"] for column in there.get_columns("claims")}
    for statement in (*_tables(connection.dialect.name), *_of_claims(of_claims, connection.dialect.name)):
        if "CONCURRENTLY" not in statement:
            op.execute(statement)
    op.execute(OLDEST)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL for a database whose claims table has these columns."""
    return [
        *(
            f"ALTER TABLE {table} ADD COLUMN {name} {kind}"
            for table, added in COLUMNS.items()
            for name, kind in added.items()
        ),
        *_tables(dialect),
        *_of_claims(columns, dialect),
    ]


def _tables(dialect: str) -> list[str]:
    serial = "BIGSERIAL PRIMARY KEY" if dialect == "postgresql" else "INTEGER PRIMARY KEY"
    return [statement.format(id=serial) for statement in TABLES]


def _of_claims(columns: set[str], dialect: str) -> list[str]:
    return [
        *(
            f"ALTER TABLE claims ADD COLUMN {name} {kind}"
            for name, kind in CLAIM_COLUMNS.items()
            if name not in columns
        ),
        *claim_indexes(columns, dialect).values(),
    ]


def claim_indexes(columns: set[str], dialect: str) -> dict[str, str]:
    """The indexes on claims, by name; one of them depends on what the service's table has."""
    keys = [name for name in ("created_at", "id") if name in columns]
    keys = [STATUS, *keys] if "status" in columns else keys
    create = "CREATE INDEX CONCURRENTLY" if dialect == "postgresql" else "CREATE INDEX"
    return {
        name: f"{create} IF NOT EXISTS {name} ON claims {what.format(keys=', '.join(keys))}"
        for name, what in CLAIM_INDEXES.items()
    }
