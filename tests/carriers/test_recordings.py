"""Recorded answers are still read as they were when they were recorded. `recours carriers fixture` adds a file.

Those that are named after `success` or `pod_never_available` alone came from the simulators, as no carrier has been met yet.
"""

from pathlib import Path

import pytest

from recours.rehearsal.documented.registry import DOCUMENTED
from recours.rehearsal.recording import load
from recours.rehearsal.replay import read_again

FILES = sorted(Path(__file__).with_name("recordings").glob("*.json"))


def test_every_carrier_that_has_a_table_has_a_recording() -> None:
    assert {path.stem.partition("-")[0] for path in FILES} == set(DOCUMENTED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recording_is_read_as_it_was(path: Path) -> None:
    recording = load(path)
    assert read_again(recording) == recording.classification
