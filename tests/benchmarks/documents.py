"""The time to store the last of 100,000 documents, relative to the first documents of another store.

The documents are tracking records, which are not appraised, so only the store and the disk are measured.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from unittest.mock import patch

from recours.core.claim import Delivery
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Label, Retrieved
from recours.evidence.store import DocumentStore
from tests.benchmarks.fixtures import new_folder
from tests.benchmarks.rows import Row
from tests.long_form import IS_LONG

_COUNT = 1_000_000 if IS_LONG else 100_000
_PORTION = 2_000  # number of timed documents
_CONTENT = b"proof of delivery " * 1_000


def rows() -> Iterator[Row]:
    """The median times of the last documents and of a new store's first documents, alternating for equal disk load."""
    folder = new_folder()
    full, new = DocumentStore(folder / "full"), DocumentStore(folder / "new")
    with patch("os.fsync"):
        for n in range(_COUNT - _PORTION):
            _seconds(full, n)
    os.sync()
    last, first = [], []
    for n in range(_COUNT - _PORTION, _COUNT):
        last.append(_seconds(full, n))
        first.append(_seconds(new, n))
    of_last, of_first = statistics.median(last), statistics.median(first)
    file_system = subprocess.run(
        ["df", "--output=fstype", folder], check=True, capture_output=True, text=True
    )
    yield Row(
        f"to keep one of the first {_PORTION:,} documents on {file_system.stdout.split()[-1]}, ms",
        1000 * of_first,
    )
    yield Row(f"  the last {_PORTION:,} of {_COUNT:,} / the first", of_last / of_first, 1.2)


def _seconds(store: DocumentStore, n: int) -> float:
    """The seconds that the steps of a run for one claim take."""
    label = Label("chronopost", n, f"CLM-{n:07d}", f"XY{n:09d}FR")
    content = b"%d " % n + _CONTENT
    retrieved = Retrieved.single(content, Delivery(signatory="DUPONT"), "tracking", kind=EvidenceKind.RECORD)
    started = time.perf_counter()
    store.find(label)
    documents = store.store(label, retrieved)
    store.make_durable(documents)
    store.discard_notes(documents)
    return time.perf_counter() - started
