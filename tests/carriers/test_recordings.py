"""Recorded answers are still read as they were when they were recorded.

All came from the simulators, with made-up values, as no carrier has been met yet.
"""

from pathlib import Path

import pytest

from recours.carriers.registry import CATALOG
from recours.wiring.recording import kind_of, load, read_again

FILES = sorted(Path(__file__).with_name("recordings").glob("*.json"))


def test_every_carrier_has_a_recording() -> None:
    assert {load(path).carrier for path in FILES} == set(CATALOG.specs)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recording_is_read_as_it_was(path: Path) -> None:
    recording = load(path)
    assert kind_of(read_again(recording)) == recording.kind
