"""The engine in one thread: what the threads do together, in an order that is the same each time."""

import threading
from typing import Any

import pytest

from recours.runs.single_thread import SingleThreadEngine
from recours.runs.worker import Worker
from tests.fakes.world import World


@pytest.fixture
def world() -> World:
    """Claims of two carriers, those of one more urgent than those of the other; each at its limit soon."""
    world = World()
    world.many_failed(4)
    for place in range(4):
        world.failed(f"DHL-{place}", f"{place:010}", carrier="DHL Express")
    world.queue.limits |= {"chronopost": 4, "dhl_express": 3}
    return world


def scheduler(world: World, **options: Any) -> Worker:
    worker = world.scheduler(**options)
    worker.engine = SingleThreadEngine
    return worker


def attempted(world: World) -> list[str]:
    return [attempt.claim.reference for attempt in world.table.attempts]


def test_one_at_a_time_it_takes_the_most_urgent_ones(world: World) -> None:
    scheduler(world, concurrency=1).run()
    assert attempted(world) == ["CLM-01", "CLM-02", "CLM-03", "DHL-0", "DHL-1", "DHL-2"]


def test_several_at_once_it_takes_turns_as_threads_do_whose_calls_last_equally_long(world: World) -> None:
    threads = set()
    world.queue.during = lambda _: threads.add(threading.get_ident())
    report = scheduler(world, concurrency=3, carrier_concurrency=2).run()
    assert attempted(world) == ["CLM-01", "DHL-0", "CLM-02", "DHL-1", "DHL-2", "CLM-03"]
    assert (report.stats.success, report.stats.skipped_rate_limit) == (6, 2)
    assert threads == {threading.get_ident()}


def test_what_is_leased_when_the_time_is_over_goes_back(world: World) -> None:
    world.queue.during = lambda _: world.clock.sleep(4000)
    report = scheduler(world, concurrency=3).run()
    assert report.stats.success == 1
    assert all(row.token is None for row in world.table.rows.values())


def test_a_mistake_is_no_answer(world: World) -> None:
    world.queue.answers["XY000000001FR"] = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        scheduler(world).run()
