"""The cost of `recours plan --hours 48` with a hundred thousand ready claims, including the start of the process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from recours.sandbox import Sandbox
from tests.at_commit import ROOT
from tests.benchmarks.fixtures import NOW, WITH_PEAK, cpu_of_children, environment, insert, new_sqlite
from tests.benchmarks.rows import Row

_COUNT = 100_000
_COLUMNS = (
    "claim_reference", "tracking_number", "carrier", "created_at", "updated_at", "pod_fetch_status", "pod_fetch_error",
    "response_deadline", "order_id", "dispute_type", "amount_requested",
)  # fmt: skip
_CARRIERS = {"Chronopost": "XY{:09d}FR", "UPS": "1Z{:016d}", "FedEx": "{:012d}", "DHL Express": "{:010d}"}


def _claims(count: int) -> Iterator[tuple[Any, ...]]:
    """Failed and new claims of four carriers, created in the last thirty days. Two of three have a deadline."""
    chance, carriers = Random(1), list(_CARRIERS.items())
    for n in range(count):
        carrier, form = carriers[n % len(carriers)]
        at = f"{NOW - timedelta(minutes=chance.randint(0, 43_200)):%Y-%m-%d %H:%M:%S}"
        status, error = ("failed", "API timeout") if n % 10 else ("pending", None)
        deadline = (NOW + timedelta(days=chance.randint(-5, 40))).date().isoformat() if n % 3 else None
        yield f"CLM-{n:07d}", form.format(n), carrier, at, at, status, error, deadline, "o", "lost", 10


def rows() -> Iterator[Row]:
    """The CPU seconds and the peak memory."""
    url = new_sqlite()
    insert(url, "claims", _COLUMNS, _claims(_COUNT))
    box = Sandbox(now=lambda: datetime.now(UTC), port=9)
    program = [sys.executable, "-c", WITH_PEAK, str(ROOT / "recours" / "__main__.py")]
    before = cpu_of_children()
    process = subprocess.run(
        [*program, "plan", "--hours", "48", "--json"],
        env=environment(Path(str(url.database)).parent, PYTHONPATH=str(ROOT)) | box.environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(process.stdout)["carriers"], process.stdout[:1000]
    yield Row(f"plan over {_COUNT:,} ready claims: CPU, s", cpu_of_children() - before, 10)
    yield Row("  the most memory, MB", int(process.stderr.split()[-1]) / 1024, 250)
