"""A process of a fleet while another version upgrades the database."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL, text

from recours.database.engine import Database
from recours.fleet import process as process_module
from recours.fleet.process import Process
from recours.fleet.procrastinate_queue import ProcrastinateQueue
from recours.fleet.station import Station
from recours.fleet.tables import create_tables
from recours.sandbox import Sandbox
from recours.settings.model import Settings
from recours.wiring.databases import open_database
from tests.conftest import Kind
from tests.processes_of_fleet import add_failed, add_jobs, wait_for


@pytest.fixture
def url(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[URL]:
    """A service's database, with the tables of the job queue."""
    kind = kinds("postgresql")
    url = kind.ready(tmp_path)
    with closing(Database(url)) as database:
        create_tables(database, ProcrastinateQueue.schema())
    yield url
    kind.drop(url)


def test_a_process_finishes_its_calls_and_ends_once_another_version_has_upgraded_the_database(
    url: URL,
    settings_of: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """systemd then starts the version that is installed: the unit has Restart=always. What only that knows, it finds."""
    caplog.set_level(logging.INFO, logger="__main__")
    monkeypatch.setattr(process_module, "_RECORD_EVERY_S", 0.2)
    with closing(Database(url)) as database, Sandbox() as sandbox:
        sandbox.latency = 0.2
        add_failed(database, sandbox, range(60))
        add_jobs(database, "recours_now", "recours.weigh", {"parcel": 1})
        unknown = {"worker": "pod_weigh_worker", "carrier": "chronopost"}
        add_jobs(database, "recours_chronopost", "recours.slice", unknown)
        settings = settings_of(url.render_as_string(hide_password=False), sandbox)
        opened = open_database(settings)
        station = Station(settings, opened)
        process = Process(station, opened.clock, ProcrastinateQueue(url), slots=2)
        thread = threading.Thread(target=process.run, args=(0,), daemon=True)
        thread.start()
        wait_for(lambda: len(sandbox.calls) > 8, 20)
        with database.write() as connection:
            connection.execute(text("UPDATE recours_schema_version SET version_num = '0999'"))
        thread.join(timeout=20)
        assert not thread.is_alive()
        assert "this process ends, to be started anew" in caplog.text
        assert station.fault is None

        def one(query: str) -> int:
            with database.read() as connection:
                return int(connection.scalar(text(query)) or 0)

        fetched = one("SELECT count(*) FROM claims WHERE pod_fetch_status = 'success'")
        assert 0 < fetched < 60, "it was over before the upgrade"
        assert len(sandbox.calls) == 2 * fetched, "what was begun was finished"
        assert one("SELECT count(*) FROM claims WHERE pod_lease_token IS NOT NULL") == 0
        assert one("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'") == 0
        assert (
            one(
                "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'recours.weigh' AND status = 'todo'"
            )
            == 1
        )
