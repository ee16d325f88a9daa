"""The end of an attempt: decided, recorded and logged."""

import logging
from dataclasses import replace

import pytest

from recours.core.decision import give_up
from recours.runs.recorder import Recorder
from recours.runs.summary import Stats
from tests.fakes.world import World, local


@pytest.fixture
def world() -> World:
    return World()


def recorder(world: World, stats: Stats) -> Recorder:
    return Recorder(world.deps(), stats, "run-1", local, by_name=False, token="run-1")


def test_giving_up_on_a_claim_edited_in_the_meantime_is_not_reported(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="__main__")
    world.failed("CLM-1", retries_counted=5)
    claim = world.table["CLM-1"]
    stats = Stats()
    recorder(world, stats).give_up(claim, give_up(claim, world.now, world.policy))
    assert (stats, caplog.messages, world.table.notices) == (Stats(), [], [])


@pytest.mark.parametrize(("text", "shown"), [("bad\nnews", "bad\\x0anews"), ("x" * 400, "x" * 299 + "…")])
def test_a_foreign_text_cannot_forge_a_line(
    world: World, caplog: pytest.LogCaptureFixture, text: str, shown: str
) -> None:
    world.failed("CLM-1", retries_counted=5, error_text=text)
    claim = world.table["CLM-1"]
    stats = Stats()
    claim = replace(claim, state=replace(claim.state, retries_used=5, attempts=5))
    decision = give_up(claim, world.now, world.policy)
    recorder(world, stats).log_skipped(claim, decision)
    assert caplog.messages == [f"🛑 FINAL FAILURE: CLM-1 gave up after 5 attempts - {shown}"]
    assert (stats.skipped_persistent, stats.max_retries_reached) == (1, 1)
