"""The fork server's job for `tests.processes.commands`: `recours`, or a worker's script."""

import os
import pkgutil
import runpy
import signal
import sys
import time
from importlib import import_module
from types import ModuleType
from typing import Any

import recours
from tests import compiled

# Not imported: the dashboard needs additional packages, and the others are programs.
_LEFT_OUT = ("recours.dashboard", "recours.__main__", "recours.launch")
_IMPORTED_WHEN_NEEDED = (
    "alembic.command",
    "babel.dates",
    "babel.numbers",
    "defusedxml.ElementTree",
    "jinja2",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
)


def _import_all(package: ModuleType) -> None:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.startswith(_LEFT_OUT):
            import_module(found.name)
    for name in _IMPORTED_WHEN_NEEDED:
        import_module(name)


_import_all(recours)
compiled.share_usual()


def run(job: dict[str, Any]) -> int:
    """Act as a new Python process with this command line, and return its exit status."""
    os.environ.clear()
    os.environ.update(job["environment"])
    time.tzset()
    os.chdir(job["folder"])
    signal.alarm(job["seconds"])
    first, *arguments = job["command"]
    try:
        if first == "-m":
            sys.argv = arguments
            runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        else:
            sys.argv = job["command"]
            runpy.run_path(first, run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
