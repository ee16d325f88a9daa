"""The schema of the database, and its migrations by way of Alembic: loaded only where a schema is not current."""

from typing import Any

from sqlalchemy import Connection

from recours.home import migrations


def migrate(connection: Connection) -> None:
    """Run the migrations in the transaction of this connection."""
    from alembic import command  # noqa: PLC0415 (slow to import, and rarely needed)

    config = _alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def revisions(since: str) -> list[Any]:
    """The migrations after that one, or after `base`, the oldest first."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 (slow to import, and rarely needed)

    script = ScriptDirectory.from_config(_alembic_config())
    return list(reversed(list(script.iterate_revisions("head", since))))


def _alembic_config() -> Any:
    from alembic.config import Config  # noqa: PLC0415 (slow to import, and rarely needed)

    config = Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    return config
