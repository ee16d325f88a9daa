"""Everything that recours keeps beside the service's own tables, as `recours.database.schema.creation` describes it.

Until the first release nothing is upgraded, so this follows the definition. The release writes its SQL out here in full,
since a migration must do tomorrow what it did today; from then on, changes are migrations of their own, which only add.
"""

from alembic import context, op

from recours.database.schema.creation import statements

revision = "0001_own_tables"
down_revision = None


def upgrade() -> None:
    """Add what is missing, but the index on claims, which no transaction of PostgreSQL's can build beside others."""
    for statement in statements(context.config.attributes["border"]):
        op.execute(statement)
