"""`recours init-db --fleet` creates the job queue's tables once, or prints the SQL for an administrator."""

import os
import subprocess
from contextlib import closing

from sqlalchemy import URL

from recours.database.engine import Database
from recours.fleet.job_queue import JobTables, inspect_tables
from tests.postgres import execute, programs
from tests.processes import commands


def init_db(url: URL, *options: str) -> commands.Done:
    variables = {"DATABASE_URL": url.render_as_string(hide_password=False), "PATH": os.environ["PATH"]}
    return commands.recours("init-db", "--fleet", *options, environment=variables)


def tables(url: URL) -> JobTables:
    with closing(Database(url)) as database:
        return inspect_tables(database)


def test_fleet_tables_are_created_once_and_a_worker_has_its_rights(owner: URL, role: str) -> None:
    assert "the job queue tables were created" in init_db(owner).stdout
    again = init_db(owner, "--grant-to", role)
    assert (again.returncode, again.stderr) == (0, "")
    assert "the schema is already up to date" in again.stdout
    assert "created" not in again.stdout
    found = tables(owner.set(username=role))
    assert (found.missing, found.missing_rights) == ((), ())


def test_the_printed_sql_creates_everything_and_grants_the_rights(owner: URL, role: str) -> None:
    psql(owner, init_db(owner, "--grant-to", role, "--sql").stdout)
    found = tables(owner.set(username=role))
    assert (found.missing, found.missing_rights) == ((), ())
    assert "the schema is already up to date" in init_db(owner).stdout


def psql(owner: URL, sql: str) -> None:
    """Run the SQL statement by statement like psql: some statements are not allowed in a transaction."""
    conninfo = owner.set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(
        [programs("psql"), "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--quiet", conninfo],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_tables_of_an_older_version_need_the_queues_own_migrations(owner: URL) -> None:
    init_db(owner)
    execute(owner, "DROP FUNCTION procrastinate_fetch_job_v2")
    refused = init_db(owner)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert (
        "belong to another version of Procrastinate (missing: procrastinate_fetch_job_v2). " in refused.stderr
    )
    assert "https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html" in refused.stderr
