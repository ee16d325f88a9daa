"""Runs the migrations on the given connection, in that connection's transaction."""

from alembic import context

from recours.database.tables import VERSION_TABLE

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit(
        "Do not run alembic directly: 'recours init-db' or the first run applies the migrations."
    )

context.configure(connection=connection, version_table=VERSION_TABLE)
context.run_migrations()
