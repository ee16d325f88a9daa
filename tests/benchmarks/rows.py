"""The output of the benchmarks: rows with a value and its bound, and the load of the machine."""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_Key = TypeVar("_Key")


@dataclass(frozen=True)
class Row:
    """A value with its maximum or minimum. A bound of None means that there is no bound."""

    words: str
    value: float | None  # None if this machine cannot measure it
    bound: float | None = None
    at_least: bool = False

    @property
    def is_kept(self) -> bool:
        if self.bound is None or self.value is None:
            return True
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        value = "not measured" if self.value is None else f"{self.value:,.2f}"
        line = f"{self.words:<62} {value:>12}"
        if self.bound is not None:
            line += f"  (at {'least' if self.at_least else 'most'} {self.bound:g})"
        return line if self.is_kept else f"{line} NOT MET"


Part = Callable[[], Iterator[Row]]


def measure(parts: Mapping[str, Part], names: list[str]) -> int:
    """Print the rows of these parts, or of all parts. Return the exit status, 1 if a bound is exceeded."""
    if unknown := [name for name in names if name not in parts]:
        print(f"No part {', '.join(unknown)}. There are: {', '.join(parts)}.")
        return 2
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}", flush=True)
    missed: list[str] = []
    for name in names or parts:
        started = time.perf_counter()
        print(f"\n{name}: {conditions()}", flush=True)
        for row in parts[name]():
            print(row, flush=True)
            missed += [] if row.is_kept else [row.words]
        print(f"({time.perf_counter() - started:.0f} s, {conditions()})", flush=True)
    print(f"\nNot met: {'; '.join(missed)}." if missed else "\nAll bounds are kept.")
    return int(bool(missed))


def conditions() -> str:
    """The current load of this machine and the latency of its disk."""
    return f"load {os.getloadavg()[0]:.1f}, fsync {fsync_ms(Path(tempfile.gettempdir())):.1f} ms"


def fsync_ms(folder: Path) -> float:
    """Milliseconds to sync 8 KB to disk, the median of twenty measurements."""
    durations = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(20):
            started = time.perf_counter()
            file.write(bytes(8192))
            file.flush()
            os.fsync(file.fileno())
            durations.append(1000 * (time.perf_counter() - started))
    return statistics.median(durations)


def least_in_turns(
    works: Mapping[_Key, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[_Key, float]:
    """The minimum seconds of each function in alternating rounds. Other load can only increase the time."""
    durations: dict[_Key, list[float]] = {key: [] for key in works}
    for _ in range(rounds):
        for key, work in works.items():
            started = clock()
            work()
            durations[key].append(clock() - started)
    return {key: min(times) for key, times in durations.items()}
