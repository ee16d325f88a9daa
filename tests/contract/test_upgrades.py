"""Upgrades of the schema: from each released version, and by a migration that is not written yet."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, inspect, select

from recours.database.engine import Database, DatabaseError
from recours.database.schema import creation, inspection
from recours.database.schema.creation import complete, sql_of_additions
from recours.database.schema.inspection import inspect_schema
from recours.database.tables import carriers
from recours.host.home import migrations
from tests.conftest import Kind

SCHEMAS = Path(__file__).resolve().parents[1] / "schemas" / "database"
NEXT = """
from alembic import op

revision = "0002_next"
down_revision = "0001_own_tables"


def upgrade() -> None:
    op.execute("ALTER TABLE recours_runs ADD COLUMN host TEXT")
"""


@pytest.fixture(params=["0.2.0"])
def released(request: pytest.FixtureRequest, kind: Kind, tmp_path: Path) -> Iterator[Database]:
    """A database of that version, created from the output of its `recours init-db --sql`."""
    url = kind.empty(tmp_path)
    script = SCHEMAS / f"{request.param}.{url.get_backend_name()}.sql"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in script.read_text(encoding="utf-8").splitlines():
            connection.exec_driver_sql(statement)
    engine.dispose()
    with closing(Database(url)) as database:
        yield database
    kind.drop(url)


@pytest.fixture
def _next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A future version of recours with another migration."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations(), folder)
    (folder / "versions" / "0002_next.py").write_text(NEXT, encoding="utf-8")
    monkeypatch.setattr(creation, "migrations", lambda: folder)
    monkeypatch.setattr(inspection, "REVISIONS", (*inspection.REVISIONS, "0002_next"))
    monkeypatch.setattr(inspection, "HEAD", "0002_next")
    monkeypatch.setattr(creation, "HEAD", "0002_next")


def layout(database: Database) -> dict[str, list[str]]:
    """The columns and indexes of each table."""
    facts = inspect(database.engine)
    return {
        table: sorted(
            [
                *(
                    f"{column['name']} {column['type']} {column['nullable']}"
                    for column in facts.get_columns(table)
                ),
                *(f"index {index['name']} {index['column_names']}" for index in facts.get_indexes(table)),
            ]
        )
        for table in facts.get_table_names()
    }


def test_an_upgraded_database_is_like_a_new_one(released: Database, database: Database) -> None:
    """If it fails, a table has changed since that release: write a migration that adds the same."""
    complete(released)
    assert layout(released) == layout(database)


@pytest.mark.usefixtures("_next_version")
def test_a_migration_upgrades_a_database_with_its_rows(released: Database) -> None:
    with released.write() as connection:
        connection.execute(insert(carriers).values(carrier="ups"))
    remarks = complete(released)
    assert "is now 0002_next" in remarks[-1]
    assert inspect_schema(released).is_current
    assert "host TEXT True" in layout(released)["recours_runs"]
    assert released.scalar(select(carriers.c.carrier)) == "ups"
    assert complete(released) == []


@pytest.mark.usefixtures("_next_version")
def test_an_administrator_gets_the_sql_of_an_upgrade(released: Database) -> None:
    sql = sql_of_additions(released, inspect_schema(released))
    assert "ALTER TABLE recours_runs ADD COLUMN host TEXT;" in sql
    assert "host TEXT True" not in layout(released)["recours_runs"]
    with released.write() as connection:
        for line in sql:
            if line and not line.startswith("--"):
                connection.exec_driver_sql(line)
    assert inspect_schema(released).is_current


def test_the_schema_of_a_newer_version_is_refused(released: Database) -> None:
    with released.write() as connection:
        connection.exec_driver_sql("UPDATE recours_schema_version SET version_num = '0002_next'")
    with pytest.raises(DatabaseError, match="has the schema 0002_next of another version"):
        complete(released)
