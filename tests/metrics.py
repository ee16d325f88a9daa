"""`make metrics`: measure the size and layout of the project, and compare it with the commit BASE if set.

The path of a result is traced in a real run of the fetch worker over one claim with a proof. It consists of our
functions that start between the script's first line and the statement that records the attempt. A reader has to read
their lines to understand a result.

A slice is traced over one failed claim that is due again and whose parcel is still in transit. It consists of our
functions that start in any thread while the retry scheduler is in `Worker.slice`, and the maximum call depth of a
thread. Functions are those with a `def`, including methods and properties. Comprehensions, lambdas, and the bodies of
classes and imported modules are counted separately.

A view is a command or a page of the dashboard, with 40 claims of all carriers after a run. It is shown twice in one
process, and the second time its statements and started functions are counted.
"""

import argparse
import ast
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from recours.carriers.registry import CATALOG
from recours.sandbox import Parcel, Sandbox, Scenario
from tests import old_words
from tests.at_commit import ROOT, checkout, name_of

Function = ast.FunctionDef | ast.AsyncFunctionDef
# Patterns counted per 1,000 lines, with their maximum.
STYLE = {
    "participles as names": 3,
    "tuple assignments": 3,
    "comprehensions": None,
    "conditional expressions": None,
}
_OF_ONE_DATABASE = ("sqlalchemy.dialects", "psycopg", "sqlite3")


class Code:
    """The Python files below one folder."""

    def __init__(self, folder: Path) -> None:
        """Read all files."""
        self.folder = folder
        texts = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))}
        self.lines = {path.relative_to(folder): text.count("\n") for path, text in texts.items()}
        self.trees = {path.relative_to(folder): ast.parse(text) for path, text in texts.items()}

    def lines_by_folder(self) -> dict[str, int]:
        """The number of lines in each subfolder, and in the files at the top."""
        found: Counter[str] = Counter()
        for path, lines in self.lines.items():
            found[f"{path.parts[0]}/" if len(path.parts) > 1 else "files at the top"] += lines
        return dict(found)

    @cached_property
    def functions(self) -> list[tuple[int, str]]:
        """The length in lines and the name of each function, the shortest first."""
        found = [
            ((node.end_lineno or node.lineno) - node.lineno + 1, f"{path}: {node.name}")
            for path, tree in self.trees.items()
            for node in ast.walk(tree)
            if isinstance(node, Function)
        ]
        return sorted(found)

    @cached_property
    def style(self) -> dict[str, float]:
        """How often patterns of dense or translated code occur per 1,000 lines."""
        counts = dict.fromkeys(STYLE, 0)
        nodes = [node for tree in self.trees.values() for node in ast.walk(tree)]
        for node in nodes:
            match node:
                case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                    counts["participles as names"] += name.lstrip("_") in old_words.PARTICIPLES
                case ast.Assign(targets=[ast.Tuple(), *_], value=ast.Tuple()):
                    counts["tuple assignments"] += 1
                case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                    counts["comprehensions"] += 1
                case ast.IfExp():
                    counts["conditional expressions"] += 1
        lines = sum(self.lines.values())
        return {title: 1000 * count / lines for title, count in counts.items()}

    def modules_with_a_dialect(self) -> list[Path]:
        """Modules that contain a dialect's name as a string, or import something specific to one database."""
        return [path for path, tree in self.trees.items() if any(map(_names_dialect, ast.walk(tree)))]


def _names_dialect(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=str(text)):
            return re.fullmatch(r"(sqlite|postgresql)(\+\w+)?", text) is not None
        case ast.Import(names=[alias, *_]):
            return alias.name.startswith(_OF_ONE_DATABASE)
        case ast.ImportFrom(module=str(name)):
            return name.startswith(_OF_ONE_DATABASE)
    return False


# ---------------------------------------------------------------- the path of a result

# Runs a script, and prints which of our functions had started when the first attempt was recorded.
_WATCHED = """
import atexit, json, os, runpy, sys, threading
script, result = sys.argv[1:3]
ours = os.path.join(os.path.dirname(os.path.dirname(script)), "recours") + os.sep
begun, done = set(), []

def watch(frame, event, argument):
    code = frame.f_code
    if event != "call" or done:
        return
    if code.co_filename.startswith(ours):
        begun.add((code.co_filename, code.co_firstlineno))
    elif code.co_name.startswith("do_execute") and "INSERT INTO recours_attempts" in str(frame.f_locals.get("statement")):
        done.append(True)
        with open(result, "w") as file:
            json.dump(sorted(begun), file)

threading.setprofile(watch)
sys.setprofile(watch)
sys.argv = [script]
runpy.run_path(script, run_name="__main__")
"""


# Runs a script, and prints our functions and other code that started during its slice, and the maximum depth.
_SLICED = """
import inspect, json, os, runpy, sys, threading
script, result = sys.argv[1:3]
ours = os.path.join(os.path.dirname(os.path.dirname(script)), "recours") + os.sep
begun, others, depth, slices = set(), set(), 0, []

def is_function(code):
    # The body of a module or class is not optimized.
    return bool(code.co_flags & inspect.CO_OPTIMIZED) and not code.co_name.startswith("<")

def watch(frame, event, argument):
    global depth
    code = frame.f_code
    if not code.co_filename.startswith(ours):
        return
    if code.co_name == "slice" and code.co_filename.endswith(os.path.join("runs", "worker.py")):
        if event == "call":
            slices.append(frame)
        elif event == "return":
            slices.pop()
            with open(result, "w") as file:
                json.dump([sorted(begun), len(others), depth], file)
    elif event == "call" and slices and not is_function(code):
        others.add((code.co_filename, code.co_firstlineno, code.co_name))
    elif event == "call" and slices:
        begun.add((code.co_filename, code.co_firstlineno))
        inside = 0
        while frame is not None and frame is not slices[0]:
            inside += frame.f_code.co_filename.startswith(ours) and is_function(frame.f_code)
            frame = frame.f_back
        depth = max(depth, inside)

threading.setprofile(watch)
sys.setprofile(watch)
sys.argv = [script]
runpy.run_path(script, run_name="__main__")
"""


# Shows a view twice, and prints the statements and our started functions of the second time.
_VIEWED = """
import json, os, sys, threading
from click.testing import CliRunner
from sqlalchemy import Engine, event
from starlette.testclient import TestClient
from recours.cli.main import recours
from recours.dashboard.app import make_app
root, result, *arguments = sys.argv[1:]
ours = os.path.join(root, "recours") + os.sep
begun, statements = set(), []

def watch(frame, event, argument):
    code = frame.f_code
    if event == "call" and code.co_filename.startswith(ours) and not code.co_name.startswith("<"):
        begun.add((code.co_filename, code.co_firstlineno))

def show():
    if arguments == ["/"]:
        with TestClient(make_app(os.environ), "http://127.0.0.1:8501", client=("127.0.0.1", 50000)) as page:
            assert page.get("/").status_code == 200
    else:
        done = CliRunner().invoke(recours, arguments)
        assert done.exit_code == 0, done.output

show()
event.listen(Engine, "before_cursor_execute", lambda *_: statements.append(1))
threading.setprofile(watch)
sys.setprofile(watch)
show()
sys.setprofile(None)
threading.setprofile(None)
with open(result, "w") as file:
    json.dump([sorted(begun), len(statements)], file)
"""
# The views, each with its maximum of statements, functions, files and folders.
VIEWS = {
    ("status",): (25, 200, 25, 6),
    ("/",): (25, 230, 30, 7),
    ("why", "CLM-1"): (25, None, None, None),
    ("carriers",): (25, None, None, None),
}


def views(root: Path) -> dict[str, str]:
    """The statements, functions, files and folders of each view, with their maximum."""
    measured = {}
    with tempfile.TemporaryDirectory() as name, Sandbox(now=lambda: datetime.now(UTC)) as box:
        environment = _environment(root, name, box.environment())
        _run(root, environment, "-m", "recours", "init-db")
        before = f"{datetime.now(UTC) - timedelta(hours=2):%Y-%m-%d %H:%M:%S}"
        keys = sorted(CATALOG.specs)
        for place in range(1, 41):
            key = keys[place % len(keys)]
            number = box.example(key, "99", place)
            box.parcels[number] = Parcel((Scenario.DELIVERED if place % 3 else Scenario.IN_TRANSIT,))
            _insert(name, f"CLM-{place}", CATALOG.specs[key].name, number, "failed", before)
        _run(root, environment, str(root / "scripts" / "pod_retry_scheduler.py"))
        for arguments, most in VIEWS.items():
            result = Path(name, "view.json")
            _run(root, environment, "-c", _VIEWED, str(root), str(result), *arguments)
            begun, statements = json.loads(result.read_text())
            files = {Path(file) for file, _ in begun}
            sizes = (statements, len(begun), len(files), len({file.parent for file in files}))
            names = ("statements", "functions", "files", "folders")
            for what, size, bound in zip(names, sizes, most, strict=True):
                label = (
                    f"view {' '.join(arguments)}: {what}"
                    if what == "statements"
                    else f"  {what} of {arguments[0]}"
                )
                measured[label] = f"{size}" if bound is None else f"{size} ({bound})"
    return measured


def way_of_a_result(root: Path) -> tuple[int, int, int]:
    """The lines, functions and modules between the start of the script and a recorded result."""
    return _size(_traced(root, _WATCHED, "pod_fetch_worker.py", Scenario.DELIVERED, "pending"))


def slice_of_a_failure(root: Path) -> dict[str, str]:
    """The number of functions and the depth of a slice over one failed claim, with their maximum."""
    begun, others, depth = _traced(root, _SLICED, "pod_retry_scheduler.py", Scenario.IN_TRANSIT, "failed")
    files = {Path(file) for file, _ in begun}
    return {
        "slice of a failed claim: functions": f"{len(begun)} (at most 300)",
        "  comprehensions, lambdas, bodies": f"{others}",
        "  files": f"{len(files)} (32)",
        "  folders": f"{len({file.parent for file in files})} (7)",
        "  depth": f"{depth} (18)",
    }


def _traced(root: Path, code: str, script: str, scenario: Scenario, status: str) -> Any:
    """The output of a tracing program for a script's run over one claim with this status."""
    with tempfile.TemporaryDirectory() as name, Sandbox(now=lambda: datetime.now(UTC)) as box:
        environment = _environment(root, name, box.environment("chronopost"))
        _run(root, environment, "-m", "recours", "init-db")
        number = box.example("chronopost", "99")
        box.parcels[number] = Parcel((scenario,))
        before = f"{datetime.now(UTC) - timedelta(hours=2):%Y-%m-%d %H:%M:%S}"
        _insert(name, "CLM-1", "Chronopost", number, status, before)
        result = Path(name, "begun.json")
        _run(root, environment, "-c", code, str(root / "scripts" / script), str(result))
        return json.loads(result.read_text())


def _environment(root: Path, folder: str, of_carriers: Mapping[str, str]) -> dict[str, str]:
    """The environment of an installation whose RECOURS_HOME is this folder."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(root),
        "DATABASE_PATH": str(Path(folder, "claims.db")),
        "RECOURS_HOME": folder,
        "RECOURS_LOG_DIR": folder,
        "RECOURS_POD_DIR": folder,
        **of_carriers,
    }


def _insert(folder: str, reference: str, carrier: str, number: str, status: str, at: str) -> None:
    """Add a claim to the database of an installation."""
    with closing(sqlite3.connect(Path(folder, "claims.db"))) as connection:
        connection.execute(
            "INSERT INTO claims (claim_reference, order_id, carrier, dispute_type, amount_requested,"
            " tracking_number, pod_fetch_status, pod_fetch_error, created_at, updated_at)"
            " VALUES (?, 'o', ?, 'lost', 10, ?, ?, 'API timeout', ?, ?)",
            [reference, carrier, number, status, at, at],
        )
        connection.commit()


def _size(traced: Iterable[tuple[str, int]]) -> tuple[int, int, int]:
    """The size of the functions that start at these lines. A nested function is part of the outer function."""
    begun = {(Path(file), line) for file, line in traced}
    lines = functions = 0
    files = {file for file, _ in begun}
    for file in files:
        read: set[int] = set()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                if (file, first) in begun:
                    functions += 1
                    read |= {*range(first, (node.end_lineno or first) + 1)}
        lines += len(read)
    return lines, functions, len(files)


def _run(root: Path, environment: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=root, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} of {root} failed:\n{done.stderr}")


# ---------------------------------------------------------------- the table


def measures(root: Path) -> dict[str, str]:
    """All measurements by name."""
    code, tests = Code(root / "recours"), Code(root / "tests")
    lengths = [lines for lines, _ in code.functions]
    longest, where = code.functions[-1]
    lines, functions, modules = way_of_a_result(root)
    found = {
        "modules": f"{len(code.lines):,}",
        "lines": f"{sum(code.lines.values()):,}",
        **{f"  {folder}": f"{count:,}" for folder, count in sorted(code.lines_by_folder().items())},
        "functions": f"{len(lengths):,}",
        "  lines, median": f"{statistics.median(lengths):.0f}",
        "  lines, 90 of 100 at most": f"{statistics.quantiles(lengths, n=10)[-1]:.0f}",
        "  lines, longest": f"{longest} ({where.rpartition(' ')[2]})",
    }
    found["script to recorded result: lines"] = f"{lines:,}"
    found["  functions in modules"] = f"{functions} in {modules}"
    found |= slice_of_a_failure(root)
    found |= views(root)
    for title, most in STYLE.items():
        bound = f" ({most})" if most else ""
        found[f"{title} per 1,000"] = f"{code.style[title]:.1f}{bound}"
    found["modules that name a dialect"] = f"{len(code.modules_with_a_dialect())} (2)"
    found["old words in names"] = f"{sum(map(len, old_words.occurrences(root / 'recours').values())):,}"
    found["lines of tests"] = f"{sum(tests.lines.values()):,}"
    return found


def rows_of(columns: Iterable[Iterable[str]]) -> list[str]:
    """The row names of all columns. A name that is missing in earlier columns is inserted after its predecessor."""
    names: list[str] = []
    for column in columns:
        place = 0
        for name in column:
            if name not in names:
                names.insert(place, name)
            place = names.index(name) + 1
    return names


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make metrics")
    parser.add_argument("--base", metavar="COMMIT", help="measure this commit too, beside what is here")
    options = parser.parse_args()
    with ExitStack() as stack:
        places = {"here": ROOT}
        if options.base:
            places = {name_of(options.base): stack.enter_context(checkout(options.base)), **places}
        columns = [measures(place) for place in places.values()]
    names = rows_of(columns)
    width = 4 + max(len(value) for column in columns for value in column.values())
    for title, *values in [["", *places], *([name, *(c.get(name, "-") for c in columns)] for name in names)]:
        print(f"{title:<34}" + "".join(f"{value:>{width}}" for value in values))


if __name__ == "__main__":
    main()
