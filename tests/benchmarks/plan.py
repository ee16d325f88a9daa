"""What `recours plan --hours 48` needs over a hundred thousand ready claims: `python -m tests.benchmarks.plan [CLAIMS]`.

Seconds of the processor, and the most memory that the process takes.
"""

import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from recours.carriers.registry import CATALOG
from recours.database.schema.creation import create_file
from recours.sandbox import Sandbox
from recours.settings.loading import load
from recours.wiring.operations import open_operations
from recours.wiring.plan import plan_for
from tests.benchmarks.bench import NOW, ROOT, environment

BOUND_S, BOUND_MB = 10.0, 250.0
_INSERT = """
    INSERT INTO claims (claim_reference, tracking_number, carrier, created_at, updated_at, pod_fetch_status,
        pod_fetch_error, response_deadline, order_id, dispute_type, amount_requested)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'o', 'lost', 10)
"""
_CARRIERS = {"Chronopost": "XY{:09d}FR", "UPS": "1Z{:016d}", "FedEx": "{:012d}", "DHL Express": "{:010d}"}


def claims(count: int) -> Iterator[tuple[Any, ...]]:
    """Failed and new claims of four carriers, of the last thirty days; two of three have a deadline."""
    chance, carriers = Random(1), list(_CARRIERS.items())
    for n in range(count):
        carrier, form = carriers[n % len(carriers)]
        at = f"{NOW - timedelta(minutes=chance.randint(0, 43_200)):%Y-%m-%d %H:%M:%S}"
        status, error = ("failed", "API timeout") if n % 10 else ("pending", None)
        deadline = (NOW + timedelta(days=chance.randint(-5, 40))).date().isoformat() if n % 3 else None
        yield f"CLM-{n:07d}", form.format(n), carrier, at, at, status, error, deadline


def main(count: int) -> int:
    """Print the figures; 1 if they are beyond the bound."""
    with tempfile.TemporaryDirectory(prefix="recours-bench-") as name:
        folder = Path(name)
        create_file(folder / "bench.db")
        with closing(sqlite3.connect(folder / "bench.db")) as connection:
            connection.executemany(_INSERT, claims(count))
            connection.commit()
        box = Sandbox(now=lambda: datetime.now(UTC), port=9)
        operations = open_operations(load(ROOT, environment(folder) | box.environment(), CATALOG))
        with closing(operations.database):
            begun = time.process_time()
            plan = plan_for(operations, timedelta(hours=48))
            processor_s, peak_mb = time.process_time() - begun, _peak_mb()
    print(
        f"{count} claims, {plan.attempts} attempts, {len(plan.late)} late: "
        f"{processor_s:.1f} s of the processor (at most {BOUND_S:.0f}), {peak_mb:.0f} MB (at most {BOUND_MB:.0f})"
    )
    return int(processor_s > BOUND_S or peak_mb > BOUND_MB)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
