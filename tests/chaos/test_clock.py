"""The clock is set back, changes to and from summer time, and passes midnight, when the quota's day ends."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from recours.app import open_database
from recours.bootstrap import make_worker
from recours.database.engine import Database
from recours.database.tables import attempts, quota
from recours.runs.worker import Options, PODRetryScheduler
from recours.sandbox import Parcel, Sandbox, Scenario
from recours.settings.model import Settings
from tests.conftest import add_claims
from tests.long_form import IS_LONG
from tests.own_rows import Row, joined_rows, set_own

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)
# A simulated clock can jump over midnight between the use of a unit and its call, which then arrives on the next
# day. With a real clock, the queue makes no call in the last second of a day.
ON_THE_WIRE = 1
# A fetch needs a unit for each of its two calls, so one unit may remain unused.
LEFT_OVER = 1
# The evenings before the clock changes, which happen at 01:00 UTC, and the evening of another day.
EVENINGS = {
    "to summer time": datetime(2026, 3, 28, 20, 30, tzinfo=UTC),
    "to winter time": datetime(2026, 10, 24, 20, 30, tzinfo=UTC),
    "no change": datetime(2026, 2, 3, 20, 30, tzinfo=UTC),
}


class SteppingClock:
    """A clock that tests can set forward and back. `steps`: changes by the number of the reading that they apply to."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.steps: dict[int, timedelta] = {}
        self._readings = 0
        self._passed = 0.0

    def now(self) -> datetime:
        self._readings += 1
        self.at += self.steps.pop(self._readings, timedelta())
        return self.at

    def step_in(self, readings: int, by: timedelta) -> None:
        """Change the time by `by` at the reading with this number from now."""
        self.steps[self._readings + readings] = by

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        self._passed += seconds
        self.at += timedelta(seconds=seconds)


@dataclass
class Machine:
    """A machine with its own clock that runs the scheduler."""

    settings: Callable[..., Settings]
    url: str
    database: Database
    clock: SteppingClock
    box: Sandbox
    quota: str

    def __post_init__(self) -> None:
        self.app = replace(open_database(self._settings()), clock=self.clock)

    def _settings(self) -> Settings:
        return self.settings(self.url, self.box, QUOTA_CHRONOPOST=self.quota)

    def run(self, batch: int = 30) -> None:
        """Run the scheduler at the current simulated time."""
        options = Options(batch_size=batch, concurrency=1)
        worker = make_worker(PODRetryScheduler, replace(self.app, settings=self._settings()), options)
        assert worker.run().fault is None

    def rows(self, table: Any) -> list[dict[str, Any]]:
        with self.database.read() as connection:
            return [dict(row) for row in connection.execute(select(table).order_by(table.c.id)).mappings()]

    def claims(self) -> list[Row]:
        return joined_rows(self.database)

    def calls_by_day(self) -> Counter[date]:
        return Counter(call.at.astimezone(PARIS).date() for call in self.box.calls)

    def used_units(self) -> list[int]:
        with self.database.read() as connection:
            return list(connection.scalars(select(quota.c.taken).order_by(quota.c.window_start)))

    def check_nothing_is_stuck(self) -> None:
        for row in self.claims():
            assert row["lease_until"] is None
            assert row["pod_fetch_status"] == "success" or row["stage"] == "given_up" or row["next_at"]
        used = Counter(row["claim_id"] for row in self.rows(attempts) if row["used"])
        assert [used[row["id"]] for row in self.claims()] == [row["pod_retry_count"] for row in self.claims()]


Machines = Callable[[datetime, str, list[Scenario]], Machine]


@pytest.fixture
def machine(
    settings_of: Callable[..., Settings],
    url: str,
    database: Database,
    sandbox: Sandbox,
) -> Iterator[Machines]:
    """`machine(at, quota, scenarios)`: a machine with a claim for each scenario, which failed 90 minutes ago."""

    machines: list[Machine] = []

    def make(at: datetime, quota: str, scenarios: list[Scenario]) -> Machine:
        clock = SteppingClock(at)
        sandbox._now = clock.now
        failed_at = {"updated_at": at - 1.5 * HOUR, "created_at": at - 48 * HOUR}
        rows: list[dict[str, Any]] = []
        for n, scenario in enumerate(scenarios):
            number = f"XY00{n:07d}FR"
            sandbox.parcels[number] = Parcel((scenario,))
            rows.append(failed_at | {"tracking_number": number})
        add_claims(database, rows)
        machines.append(Machine(settings_of, url, database, clock, sandbox, quota))
        return machines[-1]

    yield make
    for each in machines:
        each.app.database.close()


# ---------------------------------------------------------------- midnight and daylight saving time


@pytest.mark.sample("clocks on other days and at other moments")
@pytest.mark.parametrize("evening", EVENINGS)
def test_each_day_of_the_quotas_zone_has_its_calls_and_no_more(machine: Machines, evening: str) -> None:
    """Hourly runs over two midnights in Paris, with more claims than permitted calls."""
    box = machine(EVENINGS[evening], "8/day@Europe/Paris", [Scenario.UNKNOWN] * 40)
    runs = 31
    for _ in range(runs):
        box.run()
        box.clock.at += HOUR
    days = box.calls_by_day()
    assert len(days) == 3
    assert all(8 - LEFT_OVER <= calls <= 8 for calls in days.values()), days
    first_of_day = {
        day: min(c.at for c in box.box.calls if c.at.astimezone(PARIS).date() == day) for day in days
    }
    assert [moment.astimezone(PARIS).hour for moment in first_of_day.values()][1:] == [0, 0]
    box.check_nothing_is_stuck()


@pytest.mark.sample("clocks on other days and at other moments")
@pytest.mark.parametrize("evening", EVENINGS)
def test_a_day_may_end_during_a_run(machine: Machines, evening: str) -> None:
    """Calls after midnight count for the new day, even if their units were reserved before midnight."""
    midnight = (EVENINGS[evening].astimezone(PARIS).date() + timedelta(days=1)).isoformat()
    end = datetime.fromisoformat(midnight).replace(tzinfo=PARIS).astimezone(UTC)
    box = machine(end - timedelta(seconds=1), "20/day@Europe/Paris", [Scenario.DELIVERED] * 30)
    box.clock.step_in(80, timedelta(seconds=2))
    box.run()
    days = box.calls_by_day()
    assert len(days) == 2, "the run did not pass midnight"
    assert max(days.values()) <= 20 + ON_THE_WIRE
    box.clock.at += HOUR
    box.run()
    assert 20 - LEFT_OVER <= list(box.calls_by_day().values())[1] <= 20 + ON_THE_WIRE
    assert max(box.used_units()) <= 20
    box.check_nothing_is_stuck()


@pytest.mark.sample("clocks on other days and at other moments")
@pytest.mark.parametrize("evening", EVENINGS)
def test_the_backoff_counts_elapsed_hours(machine: Machines, evening: str) -> None:
    start = EVENINGS[evening]
    box = machine(start, "1000/day@Europe/Paris", [Scenario.IN_TRANSIT])
    for hour in (0, 5, 6, 29, 30, 101, 102, 200):
        box.clock.at = start + hour * HOUR
        box.run()
    call_hours = [round((call.at - start) / HOUR) for call in box.box.calls]
    assert call_hours == [0, 6, 30, 102]
    assert [row["stage"] for row in box.claims()] == ["given_up"]
    box.check_nothing_is_stuck()


# ---------------------------------------------------------------- the clock is set back


def _half_past_midnight_in_paris() -> datetime:
    return datetime(2026, 2, 3, 23, 30, tzinfo=UTC)


@pytest.mark.sample("clocks on other days and at other moments")
@pytest.mark.parametrize("readings", [28, None, *(range(4, 100, 6) if IS_LONG else (10, 46))])
def test_a_clock_set_back_over_midnight_keeps_each_days_quota(
    machine: Machines, readings: int | None
) -> None:
    """The clock is set back between two runs or during a run. Each day keeps its quota, by the machine's clock."""
    box = machine(_half_past_midnight_in_paris(), "12/day@Europe/Paris", [Scenario.DELIVERED] * 40)
    if readings is None:
        box.run()
        box.clock.at -= HOUR
    else:
        box.clock.step_in(readings, -HOUR)
        box.run()
        assert not box.clock.steps, "the run did not last so long"
    for _ in range(6):
        box.clock.at += HOUR / 2
        box.run()
    days = box.calls_by_day()
    late = 0 if readings is None else ON_THE_WIRE
    assert max(days.values()) <= 12 + late
    assert max(box.used_units()) <= 12
    assert days[date(2026, 2, 4)] >= 12 - LEFT_OVER - late
    box.check_nothing_is_stuck()
    for _ in range(8):
        box.clock.at += 24 * HOUR
        box.run(batch=100)
    assert max(box.calls_by_day().values()) <= 12 + late
    assert {row["pod_fetch_status"] for row in box.claims()} == {"success"}
    assert Counter(row["outcome"] for row in box.rows(attempts) if row["used"]) == {"success": 40}


def _leased_claim(machine: Machines, start: datetime, lease: timedelta) -> Machine:
    """A machine with a claim whose lease is left from a killed run."""
    box = machine(start, "1000/day@Europe/Paris", [Scenario.DELIVERED])
    (claim,) = box.claims()
    set_own(box.database, claim["claim_reference"], lease_token="dead", lease_until=start + lease)
    return box


def test_a_lease_ends_by_a_clock_that_was_set_back(machine: Machines) -> None:
    """Setting the clock back by half an hour extends the lease by half an hour and no more."""
    start = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
    box = _leased_claim(machine, start, timedelta(minutes=10))
    for minutes, status in ((-30, "failed"), (0, "failed"), (9, "failed"), (11, "success")):
        box.clock.at = start + timedelta(minutes=minutes)
        box.run()
        assert [row["pod_fetch_status"] for row in box.claims()] == [status], minutes
    box.check_nothing_is_stuck()


def test_a_lease_extended_by_a_wrong_clock_blocks_nothing(machine: Machines) -> None:
    start = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
    box = _leased_claim(machine, start, timedelta(days=365))
    box.run()
    assert [row["pod_fetch_status"] for row in box.claims()] == ["success"]
    box.check_nothing_is_stuck()


def test_a_retry_scheduled_by_a_wrong_clock_is_still_made(machine: Machines) -> None:
    """During one run the clock was a year ahead."""
    start = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
    box = machine(start, "1000/day@Europe/Paris", [Scenario.IN_TRANSIT])
    box.clock.at = start + timedelta(days=365)
    box.run()
    box.clock.at = start
    for _ in range(9):
        box.run()
        box.clock.at += 24 * HOUR
    assert [row["stage"] for row in box.claims()] == ["given_up"]
    box.check_nothing_is_stuck()
