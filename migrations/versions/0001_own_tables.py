"""The schema of version 0.2.0.

`recours.database.schema.creation` creates new databases at the newest revision. Migrations upgrade older databases, and
only add to them. Every change to the tables is made both in that module and in a new migration.
"""

revision = "0001_own_tables"
down_revision = None


def upgrade() -> None:
    """Do nothing: no database has an older schema."""
