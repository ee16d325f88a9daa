"""Workers of a fleet are killed in the middle of their slices, one after the other: the next one goes on."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from recours.database.engine import Database
from recours.sandbox import Sandbox
from tests.conftest import Kind
from tests.processes_of_fleet import FleetWorker, add_failed, environment, recours, wait_for

pytestmark = pytest.mark.full("kills and restarts of a fleet: tests/acceptance/test_fleet.py stops one")

CHILD = ("tests/chaos/fleet_child.py",)  # in which leases and signs of life last seconds
CLAIMS, KILLS = 100, 3
# Claims that a worker of four threads may have had in hand: asked about, and not recorded.
UNRECORDED = 20
DEAD_JOBS = """SELECT count(*) FROM procrastinate_jobs AS job WHERE status = 'doing' AND NOT EXISTS (
    SELECT FROM procrastinate_workers AS worker WHERE worker.id = job.worker_id
    AND last_heartbeat > now() - interval '5 seconds')"""


def test_nothing_is_lost_and_a_claim_is_asked_twice_only_where_a_kill_left_no_record(
    kinds: Callable[[str], Kind], tmp_path: Path
) -> None:
    kind = kinds("postgresql")  # a fleet is for PostgreSQL alone
    url = kind.ready(tmp_path)
    with closing(Database(url)) as database, Sandbox(latency=0.1) as box:

        def count(query: str) -> int:
            with database.read() as connection:
                return int(connection.scalar(text(query)) or 0)

        def attempted() -> int:
            return count("SELECT count(DISTINCT claim_id) FROM recours_attempts")

        given = environment(url.render_as_string(hide_password=False), box, tmp_path)
        recours(given, "init-db", "--fleet")
        add_failed(database, box, range(CLAIMS))
        for n in range(1, KILLS + 1):
            with FleetWorker(given, "--concurrency", "4", program=CHILD) as worker:
                wait_for(lambda: attempted() >= 20 * n, 60, worker)  # noqa: B023 (called at once)
                worker.kill()
        with FleetWorker(given, "--concurrency", "4", program=CHILD) as worker:
            wait_for(lambda: attempted() == CLAIMS, 60, worker)
            wait_for(lambda: count(DEAD_JOBS) == 0, 60, worker)
            status, log = worker.stop()
        assert (status, "Traceback" in log) == (0, False), log
        assert count("SELECT count(*) FROM claims WHERE pod_fetch_status = 'success'") == CLAIMS
        assert count("SELECT count(*) FROM recours_attempts") == CLAIMS
        assert count("SELECT count(*) FROM recours_claims WHERE lease_token IS NOT NULL") == 0
        assert count("SELECT sum(taken) FROM recours_quota") >= len(box.calls)
        proofs = [call.number for call in box.calls if call.operation == "searchPOD"]
        assert len(proofs) - len(set(proofs)) <= KILLS * UNRECORDED
    kind.drop(url)
