"""Carriers' proofs and pages, cell by cell: each is accepted and read correctly, or refused.

A section of `tests/corpus/layouts.txt` is a document: its name, carrier and number, then signatory, time and place,
or `hollow`, then the true fields of its `Reading`. Its rows consist of cells, each after its start position.
"""

from pathlib import Path

import pytest

from recours.core.evidence import Expected
from recours.evidence.appraisal import appraise_reading
from recours.evidence.reading import Cell, Reading, Row
from tests.rows import row

FILE = Path(__file__).parents[2] / "corpus/layouts.txt"
HOLLOW = "hollow"
DOCUMENTS = [part.split("\n") for part in FILE.read_text(encoding="utf-8").removeprefix("[").split("\n[")]


def cells(line: str) -> Row:
    parts = (part.partition(" ") for part in line.split(" | "))
    return tuple(Cell(text, float(at)) for at, _, text in parts)


@pytest.mark.parametrize("is_hollow", [False, True], ids=["proofs", "hollow"])
def test_a_layout_is_read_and_assessed_correctly(*, is_hollow: bool) -> None:
    documents = [each for each in DOCUMENTS if (f"| {HOLLOW}" in each[0]) is is_hollow]
    assert documents
    for head, *lines in documents:
        name, _, rest = head.partition("] ")
        subject, *facts = rest.split(" | ")
        carrier, number = subject.split(" ")
        count = 1 if is_hollow else 3
        flags = dict.fromkeys(" ".join(facts[count:]).split(), True)
        reading = Reading(tuple(cells(line) for line in lines if line), **flags)
        appraisal = appraise_reading(reading, Expected(carrier, number))
        with row(name):
            assert bool(appraisal.hollow) is is_hollow
            if not is_hollow:
                proof = appraisal.findings
                assert proof.number is True
                assert [proof.signatory or "-", proof.delivered or "-", proof.place or "-"] == facts[:3]
