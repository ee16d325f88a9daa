"""What a list of claims is searched, filtered and sorted by, on SQLite in an index of its own.

A pass over the index takes a third of one over the table, whose rows are as wide as the service makes them. On PostgreSQL
several processes share a pass over the table, and an index would refuse rows with longer texts than it holds.

Written out in full, not taken from the tables of the code: a migration must do tomorrow what it did today. Any version may
go on working on a database of this one.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0015"
down_revision = "0014"

# Of each line the first column that the service's table has; what it has none of is left out.
COLUMNS = (
    ("claim_reference",),
    ("tracking_number",),
    ("order_number", "order_reference", "order_id"),
    ("customer_name", "recipient_name", "customer_email", "recipient_email"),
    ("client_id",),
    ("carrier",),
    ("amount_requested",),
    ("response_deadline",),
    ("created_at",),
    ("pod_fetch_status",),
    ("pod_stage",),
    ("pod_carrier_key",),
    ("pod_error_kind",),
    ("pod_next_retry_at",),
)


def upgrade() -> None:
    """Build the index, if it is missing."""
    connection = op.get_bind()
    columns = {column["name"] for column in inspect(connection).get_columns("claims")}
    for statement in statements(columns, connection.dialect.name):
        op.execute(statement)


def statements(columns: set[str], dialect: str) -> list[str]:
    """The SQL for a database whose claims table has these columns, beside those of recours."""
    if dialect != "sqlite":
        return []
    there = (
        next((name for name in names if name in columns or name.startswith("pod_")), None)
        for names in COLUMNS
    )
    keys = ", ".join(name for name in there if name)
    return [f"CREATE INDEX IF NOT EXISTS ix_claims_pod_search ON claims ({keys})"]
