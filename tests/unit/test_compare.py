"""What `make bench BASE=…` measures of a version."""

from pathlib import Path

import pytest

from recours.sandbox import Scenario
from tests.benchmarks.compare import Load, Version

pytestmark = pytest.mark.full("our own tools: a fault of theirs shows when they are used")

ROOT = Path(__file__).resolve().parents[2]


def test_a_run_is_timed_and_its_calls_are_counted_without_those_for_tokens(tmp_path: Path) -> None:
    load = Load("ups", 3, Scenario.DELIVERED, calls_a_claim=1, latency_s=0.1, at_once=1)
    version = Version(ROOT, tmp_path)
    version.measure("ups", load)
    took = version.median("ups")
    assert took.calls == 3
    assert load.ideal_s <= took.calling_s <= took.seconds
