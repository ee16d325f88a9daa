"""The schema of the database, and its migrations by way of Alembic: loaded only where a schema is not current."""

from sqlalchemy import Connection

from recours.database.border import Border
from recours.home import migrations


def migrate(connection: Connection, border: Border) -> None:
    """Run the migrations in the transaction of this connection. `border`: the service's tables as they are before."""
    from alembic import command  # noqa: PLC0415 (slow to import, and rarely needed)
    from alembic.config import Config  # noqa: PLC0415 (same)

    config = Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["border"] = border
    command.upgrade(config, "head")
