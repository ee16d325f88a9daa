"""Runs are killed at every statement and at every step of input and output, one run for each point."""

import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from recours.sandbox import Scenario
from tests.chaos.world import LEASE, World, world_in
from tests.conftest import START, Kind
from tests.processes.forks import Forks, forking

# The last parcel's answer changes. If a run received the first answer without recording it, the next answer counts.
STEPS = (
    (Scenario.DELIVERED,),
    (Scenario.UNKNOWN,),
    (Scenario.SYSTEM_ERROR,),
    (Scenario.IN_TRANSIT, Scenario.DELIVERED),
)
CHANGING = "CLM-00003"
ONE_AT_A_TIME = ("--concurrency", "1", "--max-retries", "2")
AFTER_THE_LEASE = START + LEASE + timedelta(minutes=1)
LAST_RETRY = START + timedelta(hours=7)
# The short form tests every 61st point of the run.
STRIDE = 61
BEFORE_A_CALL = ("fetch", "before a call")
STORED = ("fetch", "after a document's replace")  # occurs for the note, and then for the document

Point = tuple[str, int, str]


def _points(world: World) -> list[Point]:
    """Every boundary of an undisturbed run: the thread, the boundary's number in the thread, and its name."""
    names = world.folder / "names.json"
    ran = world.run(START, *ONE_AT_A_TIME, kill_at=None, names=str(names))
    assert ran.status == 0, ran.output
    count: dict[str, int] = {}
    points = []
    for thread, name in json.loads(names.read_text(encoding="utf-8")):
        count[thread] = count.get(thread, 0) + 1
        points.append((thread, count[thread], name))
    return points


Facts = dict[str, tuple[Any, ...]]


class Expected:
    """The expected state of the claims without kills: after one retry, and after the last retry."""

    def __init__(self, world: World) -> None:
        world.add(STEPS)
        self.points = _points(world)
        self.after_one = world.facts()
        assert world.run(AFTER_THE_LEASE, *ONE_AT_A_TIME).status == 0
        assert world.facts() == self.after_one
        assert world.run(LAST_RETRY, *ONE_AT_A_TIME).status == 0
        self.at_the_end = world.facts()
        self.check(self.at_the_end)

    def check(self, facts: Facts) -> None:
        """Check the final state: two claims with a proof, and two that were given up."""
        assert [fact[:3] for fact in facts.values()] == [
            ("success", "done", 1), ("failed", "given_up", 2), ("failed", "given_up", 2), ("success", "done", 2),
        ]  # fmt: skip


ON_POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.full("runs that are killed, on PostgreSQL too"))


@pytest.fixture(scope="module", params=("sqlite", ON_POSTGRESQL))
def kind_of_all(request: pytest.FixtureRequest, kinds: Any) -> Any:
    return kinds(request.param)


@pytest.fixture(scope="module")
def expected(kind_of_all: Kind, forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Expected]:
    folder = tmp_path_factory.mktemp("undisturbed") / "world"
    with world_in(folder, kind_of_all, forks) as world:
        yield Expected(world)


def test_the_points_cover_every_step(expected: Expected) -> None:
    names = " ".join(name for _, _, name in expected.points)
    for step in (
        "INSERT INTO recours_runs", "UPDATE claims", "INSERT INTO recours_attempts", "INSERT INTO recours_events",
        "INSERT INTO recours_quota ", "UPDATE recours_quota SET", "before commit", "after commit", "a call",
        "an answer", "between a document's halves", "fsync", "a document's replace", "a line of the log",
    ):  # fmt: skip
        assert step in names


@pytest.mark.full("kills at every boundary: others of this file kill at the dearest ones")
def test_a_run_killed_anywhere_loses_nothing(
    expected: Expected, kind_of_all: Kind, forks: Forks, tmp_path: Path, *, is_long: bool
) -> None:
    points = expected.points if is_long else expected.points[::STRIDE]

    def failure(n: int, forks: Forks) -> str:
        try:
            with world_in(tmp_path / str(n), kind_of_all, forks) as world:
                world.add(STEPS)
                _kill_and_recover(world, points[n], expected)
        except AssertionError as error:
            return f"{points[n]}: {str(error)[:600]}"
        return ""

    if is_long:
        with forking("tests.chaos.child") as more:
            failures = _shared_out(failure, len(points), [forks, more])
    else:
        failures = _shared_out(failure, len(points), [forks])
    print(f"killed at {len(points)} of {len(expected.points)} points")
    assert not failures, f"{len(failures)} of {len(points)}:\n" + "\n".join(failures[:20])


def _shared_out(case: Callable[[int, Forks], str], count: int, servers: list[Forks]) -> list[str]:
    """The results of all cases, shared out among the fork servers."""

    def share(first: int) -> list[str]:
        return [case(n, servers[first]) for n in range(first, count, len(servers))]

    with ThreadPoolExecutor(len(servers)) as pool:
        return [found for part in pool.map(share, range(len(servers))) for found in part if found]


def _kill_and_recover(world: World, point: Point, expected: Expected) -> None:
    thread, place, _ = point
    ran = world.run(START, *ONE_AT_A_TIME, kill_at=[thread, place])
    assert ran.status == -signal.SIGKILL, f"the run never came there: {ran}"
    stored, calls = world.documents(), world.proof_requests()

    ran = world.run(AFTER_THE_LEASE, *ONE_AT_A_TIME)
    assert ran.status == 0, ran.output
    _check(world, expected.after_one)

    assert world.run(LAST_RETRY, *ONE_AT_A_TIME).status == 0
    _check(world, expected.at_the_end)
    for number in stored:
        assert world.proof_requests()[number] == calls[number], f"{number}: its document was paid for twice"


def _check(world: World, expected: Facts) -> None:
    facts = world.facts()
    if _has_unrecorded_answers(world):
        # The first recorded attempt received the second answer.
        assert facts.pop(CHANGING)[:3] == ("success", "done", 1)
        expected = {name: fact for name, fact in expected.items() if name != CHANGING}
    assert facts == expected
    world.check_claims()
    world.check_nothing_is_leased()
    world.check_quota()


def _has_unrecorded_answers(world: World) -> bool:
    """Whether the carrier answered more often about the changing parcel than attempts are recorded."""
    claim = world.claims()[-1]
    calls = sum(call.operation == "trackSkybillV2" for call in world.box.calls_for(claim["tracking_number"]))
    return bool(calls > sum(row["calls"] > 0 for row in world.attempts()[claim["id"]]))


@pytest.mark.sample("interrupted less often")
@pytest.mark.parametrize("deaths", [3, 1, 2])
def test_interruptions_are_counted_and_the_third_in_a_row_ends_the_attempt(
    expected: Expected, kind_of_all: Kind, forks: Forks, tmp_path: Path, deaths: int
) -> None:
    first_call = next(place for thread, place, name in expected.points if (thread, name) == BEFORE_A_CALL)
    with world_in(tmp_path / "world", kind_of_all, forks) as world:
        world.add([(Scenario.DELIVERED,)])
        for n in range(deaths):
            at = START + n * (LEASE + timedelta(minutes=1))
            ran = world.run(at, *ONE_AT_A_TIME, kill_at=["fetch", first_call])
            assert ran.status == -signal.SIGKILL, ran
            assert [row["interruptions"] for row in world.claims()] == [n + 1]
            assert not world.attempts()
        assert world.run(at + LEASE + timedelta(minutes=1), *ONE_AT_A_TIME).status == 0
        (claim,) = world.claims()
        (tried,) = world.attempts()[claim["id"]]
        ended = (tried["turn"], tried["outcome"], bool(tried["used"]), tried["error_kind"])
        assert ended == ((1, "success", True, None) if deaths < 3 else (1, "failed", True, "internal_error"))
        assert claim["interruptions"] == 0
        world.check_claims()
        world.check_nothing_is_leased()


def test_a_document_of_an_attempt_interrupted_three_times_costs_no_second_call(
    expected: Expected, kind_of_all: Kind, forks: Forks, tmp_path: Path
) -> None:
    stored = [place for thread, place, name in expected.points if (thread, name) == STORED][1]
    with world_in(tmp_path / "world", kind_of_all, forks) as world:
        world.add([(Scenario.DELIVERED,)])
        at = START
        for place in (stored, 1, 1):
            assert world.run(at, *ONE_AT_A_TIME, kill_at=["fetch", place]).status == -signal.SIGKILL
            assert len(world.documents()) == 1
            at += LEASE + timedelta(minutes=1)
        for _ in range(2):
            assert world.run(at, *ONE_AT_A_TIME).status == 0
            at += timedelta(hours=7)
        assert [row["pod_fetch_status"] for row in world.claims()] == ["success"]
        assert list(world.proof_requests().values()) == [1]
        world.check_claims()
