"""A database whose schema a newer version of recours made: every command refuses it and changes nothing."""

from contextlib import closing

from sqlalchemy import inspect, make_url

from recours.database.engine import Database
from recours.sandbox import Scenario
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.processes.commands import worker

COMMANDS = (
    "status", "check --offline", "reopen CLM-0001 --yes", "prune --older-than 30d", "init-db", "init-db --sql", "backup",
)  # fmt: skip


def test_a_newer_database_is_reported_in_one_sentence_and_not_changed(
    service: Service, person: Person, url: str
) -> None:
    service.add(Scenario.DELIVERED)
    service.sql("UPDATE recours_schema_version SET version_num = '0002_next'")
    before = content(url)
    ended = {
        (name, *options): worker(name, *options, environment=person.environment, folder=person.folder)
        for name in ("pod_retry_scheduler", "pod_fetch_worker")
        for options in ((), ("--dry-run",))
    } | {(line,): person.types(*line.split()) for line in COMMANDS}
    for typed, done in ended.items():
        said = done.stdout + done.stderr
        assert done.returncode == 2, (typed, said)
        assert said.count("has the schema 0002_next of another version of recours") == 1, (typed, said)
        assert "Traceback" not in said
    assert content(url) == before


def content(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, and the tables' columns."""
    with closing(Database(make_url(url))) as database:
        found = inspect(database.engine)
        columns = {
            name: [column["name"] for column in found.get_columns(name)] for name in found.get_table_names()
        }
        with database.read() as connection:
            return {
                f"{name} ({', '.join(names)})": sorted(
                    map(tuple, connection.exec_driver_sql(f"SELECT * FROM {name}")), key=repr
                )
                for name, names in columns.items()
            }
