"""Runs at carriers that track many parcels with one call, some of which make it fail: the number of calls needed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from recours.carriers.registry import CATALOG
from recours.database.engine import Database
from recours.database.schema import inspection
from recours.database.tables import claims
from recours.runs.worker import Options
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.sandbox.answers import Answer, HttpRequest
from recours.settings.loading import load
from tests.conftest import START, add_claims
from tests.one_run import run_once
from tests.own_rows import joined_rows

ROOT = Path(inspection.__file__).parents[3]
CARRIERS = [key for key, spec in CATALOG.specs.items() if spec.numbers_per_call > 1]


@dataclass
class Shop:
    """Failed claims of one carrier, as many as it tracks with one call, and runs of the scheduler."""

    database: Database
    url: str
    sandbox: Sandbox
    clock: SimulatedClock
    folder: Path
    carrier: str

    def __post_init__(self) -> None:
        self.size = CATALOG.specs[self.carrier].numbers_per_call
        self.numbers = [self.sandbox.example(self.carrier, "10", n) for n in range(self.size)]
        self.at = START

    def rows(self) -> list[dict[str, Any]]:
        day = (START + timedelta(days=90)).date()
        return [
            {"carrier": self.carrier, "tracking_number": number, "response_deadline": day}
            for number in self.numbers
        ]

    def poison(self, places: Sequence[int]) -> None:
        """Have a gateway fail every call about any of these numbers."""
        for place in places:
            self.sandbox.parcels[self.numbers[place]] = Parcel((Scenario.BAD_GATEWAY,))

    def run(self, more: dict[str, str] | None = None) -> list[str]:
        """Run the scheduler now; return the numbers of each tracking call. All claims are due again at the next run."""
        first = len(self.sandbox.calls)
        settings = load(self.folder, self.environment() | (more or {}), CATALOG)
        run_once(settings, self.clock, options=Options(batch_size=self.size, concurrency=1))
        self.clock.advance(timedelta(days=1))
        return self.tracking_calls(first)

    def environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.url,
            "RECOURS_LAST_ATTEMPT_HOURS": "0",
            "RECOURS_POD_DIR": str(self.folder / "pods"),
            "RECOURS_LOG_DIR": str(self.folder / "logs"),
            **self.sandbox.environment(self.carrier),
        }

    def tracking_calls(self, first: int = 0) -> list[str]:
        """The numbers of each tracking call, from this call on."""
        return [call.number for call in self.sandbox.calls[first:] if call.operation != "token"]

    def by_number(self) -> dict[str, dict[str, Any]]:
        return {row["tracking_number"]: row for row in joined_rows(self.database)}

    def alone(self) -> set[str]:
        return {number for number, row in self.by_number().items() if row["goes_alone"]}


@pytest.fixture(params=CARRIERS)
def shop(
    request: pytest.FixtureRequest,
    database: Database,
    url: str,
    sandbox: Sandbox,
    clock: SimulatedClock,
    tmp_path: Path,
) -> Shop:
    shop = Shop(database, url, sandbox, clock, tmp_path, request.param)
    add_claims(database, shop.rows())
    return shop


def test_a_number_that_makes_calls_fail_is_singled_out_once(shop: Shop) -> None:
    place = shop.size * 2 // 3
    shop.poison([place])
    poison = shop.numbers[place]
    assert len(shop.run()) <= 11
    assert shop.alone() == {poison}
    failed = {number for number, row in shop.by_number().items() if row["kind"] != "not_delivered_yet"}
    assert failed == {poison}
    for _ in range(2):
        commas = sorted(numbers.count(",") for numbers in shop.run())
        assert commas == [0, 0, shop.size - 2]  # one call is a repeat


@pytest.mark.sample("the same kill with other carriers")
def test_a_run_that_is_killed_between_halves_leaves_claims_and_quota_in_order(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.poison([0])
    answer, killed = shop.sandbox.answer, threading.Event()

    def kill_at_third(request: HttpRequest) -> Answer:
        if len(shop.tracking_calls()) == 2 and not killed.is_set():
            killed.set()
            process.kill()
        return answer(request)

    monkeypatch.setattr(shop.sandbox, "answer", kill_at_third)
    command = [sys.executable, str(ROOT / "scripts" / "pod_retry_scheduler.py")]
    process = subprocess.Popen(command, env=os.environ | shop.environment(), cwd=shop.folder)
    assert process.wait(timeout=60) == -signal.SIGKILL
    assert killed.is_set()
    assert not shop.alone()
    assert {row["pod_retry_count"] for row in shop.by_number().values()} == {0}
    with shop.database.write() as connection:
        connection.execute(update(claims).values(lease_until=START))
    process = subprocess.Popen(command, env=os.environ | shop.environment(), cwd=shop.folder)
    assert process.wait(timeout=120) == 0
    # It is unknown which of them killed the run, so each is tracked alone once.
    assert {row["pod_retry_count"] for row in shop.by_number().values()} == {1}
    assert len(shop.tracking_calls()) <= 3 + shop.size + 1  # one is a repeat
