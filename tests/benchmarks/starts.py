"""The cost of a run without any due claim among forty, for both workers on both databases."""

import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from tests.at_commit import ROOT
from tests.benchmarks.beside import old_claims
from tests.benchmarks.fixtures import add_kept, environment, kinds, new_folder, timed
from tests.benchmarks.rows import Row

CLAIMS = 40
ROUNDS = 15
SCRIPTS = [ROOT / "scripts" / f"{name}.py" for name in ("pod_fetch_worker", "pod_retry_scheduler")]
_ORM = [sys.executable, "-c", "import sqlalchemy.orm"]
# PostgreSQL has no bound, because of the cost of its driver and connection.
_BOUNDS = {"SQLite": 1.15}
_MEMORY_MB = {"SQLite": 50}

# Prints the number of statements of a script, and its peak memory in KB (Linux only).
_WATCHED = """
import runpy, sys
from sqlalchemy import Engine, event
statements = []
event.listen(Engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    peaks = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print(len(statements), peaks[0], file=sys.stderr)
"""


def rows() -> Iterator[Row]:
    """The statements, the memory, and the CPU time relative to an import of SQLAlchemy's ORM, measured alternately."""
    with kinds() as new:
        for kind, new_url in new.items():
            url = add_kept(new_url(), partial(old_claims, CLAIMS))
            settings = environment(new_folder(), DATABASE_URL=url.render_as_string(hide_password=False))
            for script in SCRIPTS:
                words = f"{kind}: {script.stem}, nothing due"
                yield Row(
                    f"{words}: CPU / import sqlalchemy.orm", _ratio(script, settings), _BOUNDS.get(kind)
                )
                if platform.system() != "Linux":
                    continue
                statements, peak = _watched(script, settings)
                yield Row("  statements", statements)
                yield Row("  memory, MB", peak / 1024, _MEMORY_MB.get(kind))


def _ratio(script: Path, settings: Mapping[str, str]) -> float:
    """The ratio of the median CPU times. Medians, because other load rarely affects both equally."""
    run = [sys.executable, str(script)]
    _cpu_of(run, settings)  # the first run does the intake and compiles the bytecode
    pairs = [(_cpu_of(run, settings), _cpu_of(_ORM, settings)) for _ in range(ROUNDS)]
    ours, orm = (statistics.median(column) for column in zip(*pairs, strict=True))
    return float(ours / orm)


def _cpu_of(command: list[str], settings: Mapping[str, str]) -> float:
    before = _cpu_of_children()
    timed(command, dict(settings))
    return _cpu_of_children() - before


def _cpu_of_children() -> float:
    """CPU seconds. Not from `os.times`, which only counts hundredths."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return float(usage.ru_utime + usage.ru_stime)


def _watched(script: Path, settings: Mapping[str, str]) -> tuple[int, int]:
    command = [sys.executable, "-c", _WATCHED, str(script)]
    process = subprocess.run(command, env=settings, check=True, capture_output=True, text=True)
    statements, peak = process.stderr.split()[-2:]
    return int(statements), int(peak)
