"""Claims recorded with a document by 32 clients at once on PostgreSQL, in turns with an earlier commit.

Both versions record the same claims, each client on a connection of its own, on a server that waits for the disk.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg

from tests.at_commit import ROOT, checkout
from tests.benchmarks.fixtures import add_failed, numbers, plain
from tests.benchmarks.rows import Row
from tests.long_form import IS_LONG
from tests.postgres import Server, execute, running

BASE = "12f7b14"  # recorded one claim at a time: each locked the last link of the chain of custody until its commit
_PROCESSES = 4
_CLIENTS = 8  # threads of each process
_CLAIMS = 50  # of each client
_TURNS = 9 if IS_LONG else 5
_CLIENT = Path(__file__).with_name("recording_client.py")
_WAITS = """
    SELECT wait_event_type IS NOT DISTINCT FROM 'Lock' FROM pg_stat_activity
    WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()
"""


def rows() -> Iterator[Row]:
    """Claims a second of both versions, and how many of their transactions wait for another's lock."""
    rates: dict[str, list[float]] = {"base": [], "here": []}
    waits: dict[str, Counter[bool]] = {"base": Counter(), "here": Counter()}
    with checkout(BASE) as base, running(durable=True) as server:
        for turn in range(_TURNS):
            for version, root in (("base", base), ("here", ROOT)):
                rates[version].append(_rate(server, root, f"{version}_{turn}", waits[version]))
    of_base, of_here = statistics.median(rates["base"]), statistics.median(rates["here"])
    for version, words in (("base", f"at {BASE}"), ("here", "here")):
        yield Row(
            f"32 clients on PostgreSQL: claims recorded a second {words}", statistics.median(rates[version])
        )
        locked = waits[version][True] / max(waits[version].total(), 1)
        yield Row("  share of transactions under way that wait for a lock", locked)
    yield Row(f"  here / at {BASE}", of_here / of_base, 3.0, at_least=True)


def _rate(server: Server, root: Path, name: str, waits: Counter[bool]) -> float:
    """Claims a second of the version whose code is at `root`, on a new database. Counts in `waits` who waits for a lock."""
    execute(server.url(), f"CREATE DATABASE {name}")
    url = server.url(name)
    address = url.render_as_string(hide_password=False)
    claims = _PROCESSES * _CLIENTS * _CLAIMS
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        settings = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(root),
            "RECOURS_HOME": home,
            "DATABASE_URL": address,
        }
        subprocess.run(
            [sys.executable, "-m", "recours", "init-db"],
            cwd=root,
            env=settings,
            check=True,
            capture_output=True,
        )
        add_failed(url, numbers(claims))
        processes = []
        for place in range(_PROCESSES):
            shares = [str(number) for number in (place * _CLIENTS * _CLAIMS, _CLIENTS, _CLAIMS)]
            command = [sys.executable, str(_CLIENT), address, *shares]
            process = subprocess.Popen(
                command, cwd=root, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            processes.append(stack.enter_context(process))
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        with psycopg.connect(plain(url), autocommit=True) as connection:
            while any(process.poll() is None for process in processes):
                waits.update(bool(row[0]) for row in connection.execute(_WAITS))
                time.sleep(0.1)
        times: list[list[float]] = [json.loads(process.communicate()[0]) for process in processes]
    return claims / (max(ended for _, ended in times) - min(begun for begun, _ in times))
