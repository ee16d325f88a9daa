"""What the operator's desk needs: carriers that a person has stopped; runs, attempts and claims found without a scan.

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
INDEXES = [
    "CREATE INDEX IF NOT EXISTS ix_recours_runs_day ON recours_runs (started_at)",
    "CREATE INDEX IF NOT EXISTS ix_recours_attempts_day"
    " ON recours_attempts (started_at, carrier, turn, outcome, error_kind)",
]

# What claims are alike in, as one text: `chronopost/failed/waiting`. Foreign text is cut, since PostgreSQL would refuse a
# row whose index entry is too long.
GROUP = (
    "coalesce(pod_carrier_key, '') || '/' || coalesce(substr(pod_fetch_status, 1, 40), '') || '/'"
    " || coalesce(pod_stage, '')"
)
CLAIM_INDEXES = {
    "ix_claims_pod_group": f"(({GROUP}), id)",
    "ix_claims_pod_backlog": (
        "(pod_carrier_key, pod_stage, pod_failed_at) WHERE pod_fetch_status IN ('fetching', 'pending', 'failed')"
    ),
    # What a person types the beginning of. Sorted byte by byte, whatever the database's language.
    "ix_claims_pod_reference": "((upper(substr(claim_reference, 1, 60))){collation})",
    "ix_claims_pod_number": "((upper(substr(replace(tracking_number, ' ', ''), 1, 60))){collation})",
}


def upgrade() -> None:
    """Add what is missing; on PostgreSQL without the indexes on claims, which no transaction can build beside others."""
    connection = op.get_bind()
    there = {column["name"] for column in inspect(connection).get_columns("recours_carriers")}
    for name, statement in COLUMNS.items():
        if name not in there:
            op.execute(statement)
    for statement in (*INDEXES, *claim_indexes(set(), connection.dialect.name).values()):
        if "CONCURRENTLY" not in statement:
            op.execute(statement)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL, whatever the claims table has."""
    return [*COLUMNS.values(), *INDEXES, *claim_indexes(columns, dialect).values()]


def claim_indexes(columns: set[str], dialect: str) -> dict[str, str]:
    """The indexes on claims, by name."""
    del columns
    create = "CREATE INDEX CONCURRENTLY" if dialect == "postgresql" else "CREATE INDEX"
    collation = ' COLLATE "C"' if dialect == "postgresql" else ""
    return {
        name: f"{create} IF NOT EXISTS {name} ON claims {what.format(collation=collation)}"
        for name, what in CLAIM_INDEXES.items()
    }
