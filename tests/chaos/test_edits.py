"""Six concurrent runs process claims while the service edits and locks its rows.

At the same time, runs are killed and the database server is restarted.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, Executable, create_engine, func, insert, select, text
from sqlalchemy.exc import OperationalError

from recours.database.border import Border
from recours.database.tables import DONE, claims, intake
from recours.sandbox import Parcel, Scenario
from tests.chaos.crowd import Crowd
from tests.chaos.world import Durable, World, world_in
from tests.conftest import SERVICE_CLAIMS, START, claim_row
from tests.postgres import Server
from tests.processes.forks import Forks
from tests.shops import SHOPS, Shops, account_of

pytestmark = pytest.mark.full(
    "edits, locks and kills at once: tests/contract/test_intake.py has one at a time"
)

STEPS = (
    (Scenario.DELIVERED,),
    (Scenario.UNKNOWN,),
    (Scenario.POD_LATE,),
    (Scenario.IN_TRANSIT, Scenario.DELIVERED),
)
LOCK_S = 2.5
WORKERS = ("pod_fetch_worker", "pod_retry_scheduler")
# Records leases that begin before the claim's previous lease has ended. Leases last ten minutes.
TWICE = """CREATE TABLE leased_twice (claim_id BIGINT);
    CREATE FUNCTION note_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.lease_token <> OLD.lease_token AND OLD.lease_until > NEW.lease_until - interval '10 minutes' THEN
            INSERT INTO leased_twice VALUES (NEW.claim_id);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER leased AFTER UPDATE ON recours_claims FOR EACH ROW EXECUTE FUNCTION note_lease()"""


@dataclass
class Editor:
    """The service's application, which edits claims at random and locks some of them for a while."""

    world: World
    luck: random.Random
    done: Counter[str] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        engine = create_engine(self.world.url)
        edits = [self._correct, self._move, self._pay, self._ask_again, self._lock]
        while not self.stop.wait(0.02):
            edit = self.luck.choice(edits)
            name = edit.__name__.strip("_")
            try:
                with engine.begin() as connection:
                    claim_id = connection.scalar(text("SELECT id FROM claims ORDER BY random() LIMIT 1"))
                    edit(partial(_execute, connection), claim_id)
            except OperationalError:  # the server is being restarted
                name = "lost"
            self.done[name] += 1
        engine.dispose()

    def _correct(self, execute: Callable[..., object], claim_id: int) -> None:
        number = f"XZ{self.luck.randrange(10**9):09}FR"
        self.world.box.parcels[number] = Parcel((Scenario.DELIVERED,))
        execute(
            "UPDATE claims SET tracking_number = :number WHERE id = :id AND pod_fetch_status <> 'success'",
            number=number,
            id=claim_id,
        )

    def _move(self, execute: Callable[..., object], claim_id: int) -> None:
        client = self.luck.choice(SHOPS)
        execute(
            "UPDATE claims SET client_id = :client WHERE id = :id AND pod_fetch_status <> 'success'",
            client=client,
            id=claim_id,
        )

    def _pay(self, execute: Callable[..., object], claim_id: int) -> None:
        execute(
            "UPDATE claims SET status = CASE status WHEN 'paid' THEN 'open' ELSE 'paid' END WHERE id = :id",
            id=claim_id,
        )

    def _ask_again(self, execute: Callable[..., object], claim_id: int) -> None:
        execute(
            "UPDATE claims SET pod_fetch_status = 'pending' WHERE id = :id AND pod_fetch_status = 'failed'",
            id=claim_id,
        )

    def _lock(self, execute: Callable[..., object], claim_id: int) -> None:
        execute("SELECT 1 FROM claims WHERE id = :id FOR UPDATE", id=claim_id)
        self.stop.wait(LOCK_S)


def _execute(connection: Connection, sql: str, **values: object) -> None:
    connection.execute(text(sql), values)


def test_edits_locks_kills_and_restarts_leave_every_row_consistent(
    server: Server, forks: Forks, tmp_path: Path, *, is_long: bool
) -> None:
    restarts, seconds, count = (5, 15.0, 1500) if is_long else (1, 3.0, 150)
    luck = random.Random(20261129)
    with world_in(tmp_path / "world", Durable(server), forks) as world:
        world.box.latency = 0.03
        shops = Shops(world.database, world.box)
        world.settings |= shops.settings
        add_claims(world, count)
        with world.database.write() as connection:
            connection.exec_driver_sql(TWICE)
        editors = [Editor(world, random.Random(luck.random())) for _ in range(2)]
        threads = [threading.Thread(target=editor.work) for editor in editors]
        for thread in threads:
            thread.start()
        crowd = Crowd(world, ("--batch-size", "20", "--concurrency", "2"), 6, WORKERS)
        disturb = partial(_disturb, server=server, luck=luck, restarts=restarts, seconds=seconds)
        try:
            for hour in range(4):  # each round begins after the end of the previous round's leases
                crowd.work(START + hour * timedelta(hours=7), disturb)
        finally:
            for editor in editors:
                editor.stop.set()
            for thread in threads:
                thread.join()
        # By now, edits have stopped and all leases have ended.
        at_last = START + timedelta(hours=29)
        for worker in WORKERS:
            ran = world.run(at_last, "--batch-size", "10000", worker=worker)
            assert ran.status == 0, ran.output[-3000:]
        faults = faults_of(world)
        edits = [editor.done for editor in editors]
        print(f"runs {crowd.statuses}; edits {edits}; {len(world.box.calls)} calls; {faults}")
        assert not any(faults.values()), faults
        assert set(crowd.statuses) <= {0, 1, -9}
        crowd.check_complaints()
        world.check_nothing_is_leased(since=at_last)
        world.check_quota()
        shops.check_counts(killed=True)
        world.check_custody()


def add_claims(world: World, count: int) -> None:
    """Add claims, half of them new and half of them failed."""
    with world.database.write() as connection:
        for n in range(count):
            row = claim_row(n) | {"client_id": SHOPS[n % len(SHOPS)], "status": "open"}
            if n % 2:
                row |= {"pod_fetch_status": "pending", "pod_fetch_error": None}
            world.box.parcels[row["tracking_number"]] = Parcel(STEPS[n % len(STEPS)])
            connection.execute(insert(SERVICE_CLAIMS).values(row))


def _disturb(crowd: Crowd, server: Server, luck: random.Random, restarts: int, seconds: float) -> None:
    """Kill runs at random, and restart the server every `seconds` seconds."""
    for _ in range(restarts):
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            crowd.fill()
            time.sleep(luck.uniform(0.1, 0.6))  # real time, because the runs are real processes
            if luck.random() < 0.1:
                crowd.kill_one(luck)
        crowd.restart(server, luck.choice(["stop", "kill"]), luck)


def faults_of(world: World) -> dict[str, int]:
    """The number of inconsistent rows or proofs of each kind, all of which must be 0."""
    with world.database.read() as connection:
        border = Border(connection)
        joined = select(func.count()).select_from(border.joined())
        counts: dict[str, Executable] = {
            "leased twice": text("SELECT count(*) FROM leased_twice"),
            "differ": joined.where(border.differs, claims.c.stage != DONE),
            "owed": joined.where(claims.c.owed_since.is_not(None)),
            "repaired": select(intake.c.repaired),
            "proofs of a corrected number": text(
                "SELECT count(*) FROM claims JOIN recours_attempts a ON a.document_path = claims.pod_url"
                " WHERE claims.pod_fetch_status = 'success' AND a.tracking_number <> claims.tracking_number"
            ),
        }
        faults = {name: int(connection.scalar(query) or 0) for name, query in counts.items()}
    callers = {(call.number, call.account) for call in world.box.calls if call.operation == "searchPOD"}
    fetched = [row for row in world.claims() if row["pod_fetch_status"] == "success"]
    own = [row for row in fetched if (row["tracking_number"], account_of(row["client_id"])) in callers]
    return faults | {"proofs by a former client's account": len(fetched) - len(own)}
