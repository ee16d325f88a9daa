"""A plan is made once for all visitors who ask within a while."""

import threading
from datetime import timedelta

from recours.dashboard.views.forecast import LatestPlan
from recours.operations.plan import Plan, make_plan
from recours.sandbox import SimulatedClock
from tests.fakes.planned import NOW, terms


def new_plan() -> Plan:
    return make_plan([], {}, terms(), NOW, NOW + timedelta(hours=1))


def test_it_is_made_again_after_a_while_and_for_another_database() -> None:
    clock = SimulatedClock()
    latest = LatestPlan(clock.monotonic)
    first = latest.get("a", new_plan)
    clock.sleep(59)
    assert latest.get("a", new_plan) is first
    clock.sleep(1)
    second = latest.get("a", new_plan)
    assert second is not first
    assert latest.get("b", new_plan) is not second


def test_who_asks_meanwhile_waits() -> None:
    latest = LatestPlan()
    begun = threading.Event()
    go_on = threading.Event()
    made = list[Plan]()
    answers = list[Plan]()

    def make() -> Plan:
        begun.set()
        assert go_on.wait(10)
        made.append(new_plan())
        return made[-1]

    others = [threading.Thread(target=lambda: answers.append(latest.get("a", make))) for _ in range(3)]
    for other in others:
        other.start()
    assert begun.wait(10)
    go_on.set()
    for other in others:
        other.join(10)
    assert answers == made * 3
