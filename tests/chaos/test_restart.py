"""PostgreSQL is stopped or killed and restarted while four schedulers or a fleet use it."""

import random
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from recours.core.decision import MOST_INTERRUPTIONS
from recours.database.engine import Database
from recours.database.tables import attempts, claims
from recours.sandbox import Sandbox, Scenario
from tests.chaos.crowd import Crowd
from tests.chaos.fleet_crew import SLICES, UNRECORDED
from tests.chaos.world import Durable, Row, world_in
from tests.conftest import SERVICE_CLAIMS, START
from tests.own_rows import joined_rows
from tests.postgres import Server
from tests.processes.forks import Forks
from tests.processes_of_fleet import add_failed, environment, fleet, recours, tick, wait_for

pytestmark = pytest.mark.full(
    "kills and restarts: tests/chaos/test_enumerated.py and test_clock.py show some of them"
)

THRICE = "Plusieurs exécutions consécutives se sont interrompues pendant le traitement de cette réclamation"
ARGUMENTS = ("--batch-size", "8", "--concurrency", "2")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_ends_runs_and_loses_nothing(
    server: Server, forks: Forks, tmp_path: Path, how: str, *, is_long: bool
) -> None:
    restarts, claims = (20, 1500) if is_long else (2, 120)
    luck = random.Random(7)
    with world_in(tmp_path / "world", Durable(server), forks) as world:
        world.box.latency = 0.03
        world.add([(Scenario.DELIVERED,), (Scenario.UNKNOWN,)][n % 2] for n in range(claims))
        crowd = Crowd(world, ARGUMENTS)
        for n in range(restarts):
            again = partial(Crowd.restart, server=server, how=how, luck=luck)
            crowd.work(START + n * timedelta(minutes=15), again)
        ran = world.run(START + restarts * timedelta(minutes=15), "--batch-size", "10000")
        assert ran.status == 0, ran.output[-2000:]
        print(f"{restarts} times {how}: {crowd.statuses}")
        assert not crowd.paid_twice
        assert set(crowd.statuses) == {0, 1}
        crowd.check_complaints()
        assert all(row["pod_retry_count"] for row in world.claims())
        assert [
            f for row in world.claims() for f in _unexplained_internal_errors(row, crowd.complaints)
        ] == []
        world.check_claims()
        world.check_nothing_is_leased()
        world.check_quota()


def _unexplained_internal_errors(claim: Row, outputs: list[str]) -> Iterator[str]:
    """Yield the claim's internal error, unless restarts ended three runs that had the claim in progress."""
    if claim["kind"] != "internal_error":
        return
    had_it = sum(f" for {claim['claim_reference']} (" in output for output in outputs)
    if (claim["pod_fetch_error"], had_it >= MOST_INTERRUPTIONS) != (THRICE, True):
        yield f"{claim['claim_reference']}: {claim['pod_fetch_error']}; leased by {had_it} runs that ended"


# ---------------------------------------------------------------- a fleet


WORKS_AGAIN_WITHIN_S = 10.0


@pytest.mark.parametrize(("how", "claims"), [("stop", 300), ("kill", 300), ("kill", 50)])
def test_a_fleet_works_again_within_ten_seconds(
    server: Server, tmp_path: Path, how: str, claims: int, *, is_long: bool
) -> None:
    """With 300 claims, further slices wait in the queue. With 50, only the slice that the restart ended does."""
    restarts, workers, luck = 5 if is_long else 2, 2, random.Random(11)
    url = Durable(server).ready(tmp_path)
    with closing(Database(url)) as database, Sandbox(latency=0.1) as box:
        variables = environment(url.render_as_string(hide_password=False), box, tmp_path)
        recours(variables, "init-db", "--fleet")
        with fleet(variables, workers, "--concurrency", "8") as started:
            took = []
            for n in range(restarts):
                began = datetime.now(UTC)
                add_failed(database, box, range(n * claims, (n + 1) * claims))
                tick(database)
                wait_for(lambda: _attempts(database, since=began) >= 10, 60)  # noqa: B023 (called at once)
                getattr(server, how)()
                time.sleep(luck.uniform(0.0, 2.0))
                server.start()
                back = datetime.now(UTC)
                took.append(wait_for(lambda: _attempts(database, since=back) > 0, 60))  # noqa: B023 (same)
                wait_for(lambda: _unprocessed(database) == 0, 120)
            ended = [worker.stop() for worker in started]
        print(f"{how}, {claims} claims: seconds until the next attempt {[round(one, 2) for one in took]}")
        assert max(took) <= WORKS_AGAIN_WITHIN_S
        assert [status for status, _ in ended] == [0] * workers, ended
        assert not any("Traceback" in log for _, log in ended), ended
        query = text("SELECT count(*) FROM recours_claims WHERE lease_token IS NOT NULL")
        with database.read() as connection:
            still_leased = connection.scalar(query) or 0
        assert still_leased <= restarts * workers * SLICES * UNRECORDED, (
            "claims in progress wait for the end of their leases"
        )


def _attempts(database: Database, since: datetime) -> int:
    """The number of attempts that began after `since`."""
    query = select(func.count()).select_from(attempts).where(attempts.c.started_at >= since)
    with database.read() as connection:
        return int(connection.scalar(query) or 0)


def _unprocessed(database: Database) -> int:
    """The number of claims without an attempt and without a lease."""
    rows = joined_rows(
        database, SERVICE_CLAIMS.c.pod_fetch_status == "failed", claims.c.lease_token.is_(None)
    )
    return len(rows)
