"""The schema of version 0.2.0.

A new database is created as `recours.database.schema.creation` describes it, at the newest revision. Migrations only upgrade
older databases, and they only add: a change of the tables is made there and in a new migration.
"""

revision = "0001_own_tables"
down_revision = None


def upgrade() -> None:
    """Do nothing: no database has an older schema."""
