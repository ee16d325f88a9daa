"""Procrastinate's tables on PostgreSQL: missing ones are found, and the listed rights are what a worker needs."""

import asyncio
import time
from contextlib import closing

import procrastinate
import psycopg
import pytest
from procrastinate.schema import SchemaManager
from sqlalchemy import URL

from recours.database.engine import Database
from recours.database.schema.rights import Need, quoted
from recours.fleet import job_queue
from recours.fleet.job_queue import NEEDS, JobTables
from tests.postgres import execute


def plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def install(owner: URL) -> None:
    """Run `procrastinate schema --apply`."""
    with psycopg.connect(plain(owner)) as connection:
        connection.execute(SchemaManager.get_schema())


def look(url: URL) -> JobTables:
    with closing(Database(url)) as database:
        return job_queue.inspect_tables(database)


def test_a_database_without_the_tables_reports_them_as_missing(owner: URL) -> None:
    found = look(owner)
    assert found.present == found.missing_rights == ()
    assert {need.name for need in NEEDS} < set(found.missing)
    assert "procrastinate_fetch_job_v2" in found.missing


def test_the_installed_version_creates_every_table_it_needs(owner: URL) -> None:
    install(owner)
    assert look(owner) == JobTables(tuple(sorted(need.name for need in NEEDS)), ())


def test_a_schema_of_another_version_is_not_all_there(owner: URL) -> None:
    install(owner)
    execute(owner, "DROP FUNCTION procrastinate_fetch_job_v2", "DROP TABLE procrastinate_periodic_defers")
    assert look(owner).missing == ("procrastinate_fetch_job_v2", "procrastinate_periodic_defers")


def test_a_role_is_missing_rights_until_the_sql_is_run_and_works_then(owner: URL, role: str) -> None:
    install(owner)
    found = look(owner.set(username=role))
    assert found.missing == ()
    assert "SELECT on procrastinate_jobs" in found.missing_rights
    assert "USAGE on procrastinate_events" in found.missing_rights
    execute(owner, *found.granting)
    assert look(owner.set(username=role)).missing_rights == ()
    assert asyncio.run(work(plain(owner.set(username=role)))) == {"a job", "a tick"}


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.name)
def test_each_missing_right_is_named_with_its_grant(owner: URL, role: str, need: Need) -> None:
    install(owner)
    execute(owner, *look(owner.set(username=role)).granting)
    execute(owner, f"REVOKE DELETE ON {need.name} FROM {quoted(role)}")
    found = look(owner.set(username=role))
    assert found.missing_rights == (f"DELETE on {need.name}",)
    assert found.granting == (f"GRANT DELETE ON {need.name} TO {quoted(role)};",)


async def work(conninfo: str) -> set[str]:
    """The life of a worker with this user: jobs of two kinds, its heartbeat, and the jobs of dead workers."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo))
    done = set()

    @app.task(name="job")
    def job(said: str) -> None:
        done.add(said)

    @app.periodic(cron="* * * * *")
    @app.task(name="tick")
    def tick(timestamp: int) -> None:
        del timestamp
        done.add("a tick")

    async with app.open_async():
        await job.defer_async(said="a job")
        at = int(time.time())
        await app.job_manager.defer_periodic_job(tick.configure(task_kwargs={"timestamp": at}).job, "", at)
        await app.run_worker_async(wait=False, install_signal_handlers=False, delete_jobs="always")
        await app.job_manager.prune_stalled_workers(1)
        assert list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=1)) == []
    return done
