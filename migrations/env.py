"""Runs the migrations on the connection it is handed, in that connection's transaction."""

from alembic import context

from recours.database.tables import VERSION_TABLE

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("The migrations are run by 'recours init-db' or by the first run, not by alembic alone.")

context.configure(connection=connection, version_table=VERSION_TABLE)
context.run_migrations()
