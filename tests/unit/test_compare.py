"""What `make bench BASE=…` measures of a version."""

from pathlib import Path

import pytest

from tests.at_commit import ROOT
from tests.benchmarks.compare import Load, Version

pytestmark = pytest.mark.full("our own tools: a fault of theirs shows when they are used")


def test_a_run_is_timed(tmp_path: Path) -> None:
    load = Load(3, latency_s=0.1)
    version = Version(ROOT, tmp_path)
    version.run(load)
    assert version.seconds[load][0] >= load.ideal_s
    assert version.cpu_s[load][0] > 0
