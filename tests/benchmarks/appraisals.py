"""The cost of appraising a PDF: the CPU time, including the PDF process."""

import base64
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

from tests.at_commit import ROOT
from tests.benchmarks.fixtures import cpu_of_children
from tests.benchmarks.rows import Row
from tests.corpus import first

_TURNS = 3
_APPRAISE = """
import base64, json, sys
from recours.core.evidence import EvidenceKind, Expected
from recours.evidence.appraisal import appraise
for line in sys.stdin:
    content, carrier, number, kind = json.loads(line)
    appraise(base64.b64decode(content), "application/pdf", Expected(carrier, number, EvidenceKind(kind)))
"""


def rows() -> Iterator[Row]:
    """Milliseconds per document, and the additional time for the first document of a run."""
    lines = _corpus()
    turns = [_milliseconds(lines) for _ in range(_TURNS)]
    each, more = (statistics.median(column) for column in zip(*turns, strict=True))
    yield Row("CPU of the appraisal of a PDF, ms", each)
    yield Row("the same, once a run for the first PDF, ms", more)


def _corpus() -> list[str]:
    """The PDFs of the first corpus, as one line of JSON each."""
    pdfs = [document for document in first.documents() if document.media_type == "application/pdf"]
    return [
        json.dumps((base64.b64encode(pdf.content).decode(), pdf.carrier, pdf.number, pdf.kind))
        for pdf in pdfs
    ]


def _milliseconds(lines: list[str]) -> tuple[float, float]:
    nothing, first, every = (_cpu_s(lines[:count]) for count in (0, 1, len(lines)))
    each = (every - first) / (len(lines) - 1)
    return 1000 * each, 1000 * (first - nothing - each)


def _cpu_s(lines: list[str]) -> float:
    before = cpu_of_children()
    subprocess.run(
        [sys.executable, "-c", _APPRAISE],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        input="\n".join(lines),
        text=True,
        check=True,
    )
    return cpu_of_children() - before
