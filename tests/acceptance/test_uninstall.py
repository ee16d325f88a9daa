"""`recours uninstall` restores the service's tables to their state before the installation."""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import inspect, make_url

from recours.database.border import INDEX, POD_COLUMNS
from recours.database.engine import Database
from recours.database.schema.removal import EARLIER_COLUMNS
from recours.sandbox import Scenario
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.fakes.schemas import SCHEMAS, Application
from tests.own_rows import set_own
from tests.postgres import programs, role_without_rights
from tests.processes.commands import worker


@pytest.fixture(params=["without POD columns", "native enums, UUID", "other names", "view"])
def application(request: pytest.FixtureRequest, empty_url: str) -> Iterator[Application]:
    """The application of a service with two claims, before recours is installed."""
    schema = SCHEMAS[request.param]
    with closing(Database(make_url(empty_url), names=schema.names)) as database:
        application = Application(schema, database)
        application.create()
        for n in (1, 2):
            application.add(n, tracking_number="12345678901234")
        yield application


def dump(database: Database) -> str:
    """All definitions and rows."""
    if database.path:
        with closing(sqlite3.connect(database.path)) as connection:
            return "\n".join(connection.iterdump())
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(
        [programs("pg_dump"), url], capture_output=True, check=True, encoding="utf-8", timeout=60
    )
    of_each_dump = ("\\restrict", "\\unrestrict")  # with its own key
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(of_each_dump))


@pytest.mark.sample("more cases of the same test, each around processes", every=3)
@pytest.mark.parametrize("as_sql", [False, True], ids=["", "by its SQL"])
def test_the_database_is_restored_byte_for_byte(
    application: Application, empty_url: str, tmp_path: Path, *, as_sql: bool
) -> None:
    keeper, database = Person(tmp_path, empty_url, application.kind.settings), application.database
    before = dump(database)
    done = worker("pod_retry_scheduler", environment=keeper.environment, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert dump(database) != before
    if as_sql:
        with database.write() as connection:
            for line in keeper.does("uninstall", "--columns", "--sql").splitlines():
                connection.exec_driver_sql(line)
    else:
        said = keeper.does("uninstall", "--columns", "--yes")
        assert said.endswith("Removed.\n")
        assert f"Documents ({tmp_path / 'data' / 'pods'}), logs and .env stay." in said
    assert dump(database) == before
    assert "contains nothing that recours created" in keeper.does("uninstall", "--columns")


def test_uninstall_lists_what_it_drops_and_asks_for_confirmation(
    service: Service, person: Person, url: str
) -> None:
    with closing(Database(make_url(url))) as database:
        before = dump(database)
        done = person.types("uninstall", answers="n\n")
        assert "Nothing was changed." in done.stderr
        assert dump(database) == before
        said = person.does("uninstall", answers="y\n")
        assert "  tables: recours_claims, recours_intake, " in said
        assert f"  indexes on claims: {INDEX}\n" in said
        assert f"stay (drop them with --columns): {', '.join(POD_COLUMNS)}.\n" in said
        names = inspect(database.engine).get_table_names()
    assert not [name for name in names if name.startswith("recours")]
    service.add(Scenario.DELIVERED)
    assert service.run().fault is None  # everything is created again


def test_uninstall_stops_if_a_run_is_in_progress(service: Service, person: Person, url: str) -> None:
    service.add(Scenario.DELIVERED)
    service.run()
    with closing(Database(make_url(url))) as database:
        until = datetime.now(UTC) + timedelta(minutes=5)
        set_own(database, "CLM-0001", lease_token="a run", lease_until=until)
        before = dump(database)
        done = person.types("uninstall", "--yes")
        assert done.returncode == 1
        assert "A run is in progress" in done.stderr
        assert "claims being fetched: 1" in done.stderr
        assert dump(database) == before


def test_objects_of_earlier_schema_versions_are_dropped(service: Service, person: Person, url: str) -> None:
    for name in EARLIER_COLUMNS:
        service.sql(f"ALTER TABLE claims ADD COLUMN {name} TEXT")
    service.sql("CREATE INDEX ix_claims_pod_ready ON claims (pod_carrier_key) WHERE pod_stage = 'ready'")
    service.sql("CREATE TABLE recours_adoption (id INTEGER)")
    service.sql("UPDATE recours_schema_version SET version_num = '0015'")
    person.does("uninstall", "--columns", "--yes")
    with closing(Database(make_url(url))) as database:
        inspector = inspect(database.engine)
        assert not [column for column in inspector.get_columns("claims") if "pod_" in column["name"]]
        assert not [index for index in inspector.get_indexes("claims") if "pod" in str(index["name"])]
        assert not [name for name in inspector.get_table_names() if name.startswith("recours")]


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
def test_a_role_without_the_right_to_drop_tables_gets_advice(
    service: Service, person: Person, url: str
) -> None:
    owner = make_url(url)
    with role_without_rights(owner, "Job") as role:
        person.does("init-db", "--grant-to", role)
        url_of_role = owner.set(username=role).render_as_string(hide_password=False)
        done = person.types("uninstall", "--yes", "--database-url", url_of_role)
    assert done.returncode == 1
    assert "ask the owner of the tables to run the SQL printed by: recours uninstall --sql" in done.stderr
