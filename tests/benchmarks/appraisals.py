"""What the appraisal of a PDF costs, in turns with an earlier commit: all CPU, that of the process that reads PDFs included."""

import base64
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.at_commit import ROOT, checkout
from tests.benchmarks.fixtures import cpu_of_children
from tests.benchmarks.rows import Row
from tests.corpus.documents import documents
from tests.corpus.templates import TEMPLATES

BASE = "12f7b14"  # read PDFs with pypdf and an interpreter of its own
_EACH = 6  # documents of a template
_TURNS = 3
_APPRAISE = """
import base64, json, sys
from recours.core.appraisal import EvidenceKind, Expected
from recours.documents.appraisal import appraise
for line in sys.stdin:
    content, carrier, number, kind = json.loads(line)
    appraise(base64.b64decode(content), "application/pdf", Expected(carrier, number, EvidenceKind(kind)))
"""


def rows() -> Iterator[Row]:
    """Milliseconds of both versions for each document, and those that the first one of a run takes beside that."""
    lines = _corpus()
    with checkout(BASE) as base:
        turns = [(_milliseconds(base, lines), _milliseconds(ROOT, lines)) for _ in range(_TURNS)]
    for place, words in enumerate(
        ("CPU of the appraisal of a PDF", "the same, once a run for the first PDF")
    ):
        before, here = (statistics.median(turn[side][place] for turn in turns) for side in (0, 1))
        yield Row(f"{words}, ms", here)
        yield Row(f"{words}, against {BASE}", here / before, 0.7 if place == 0 else None)


def _corpus() -> list[str]:
    """The PDFs of tests/corpus, a line of JSON for each."""
    pdfs = [
        document
        for template in TEMPLATES
        for document in documents(template, _EACH)
        if document.media_type == "application/pdf"
    ]
    return [
        json.dumps((base64.b64encode(pdf.content).decode(), pdf.carrier, pdf.number, pdf.kind))
        for pdf in pdfs
    ]


def _milliseconds(root: Path, lines: list[str]) -> tuple[float, float]:
    nothing, first, every = (_cpu_s(root, lines[:count]) for count in (0, 1, len(lines)))
    each = (every - first) / (len(lines) - 1)
    return 1000 * each, 1000 * (first - nothing - each)


def _cpu_s(root: Path, lines: list[str]) -> float:
    before = cpu_of_children()
    subprocess.run(
        [sys.executable, "-c", _APPRAISE],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        input="\n".join(lines),
        text=True,
        check=True,
    )
    return cpu_of_children() - before
