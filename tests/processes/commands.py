"""What a person types and cron starts, each in a process of its own, waited for.

Forked from a server that has everything imported already, since a start of Python with its imports would be most of what
the tests cost. Where nothing can be forked, and with RECOURS_LONG=1, each is started from nothing; the tests of the guide,
of whole runs and of starting always do that.
"""

import atexit
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.long_form import IS_LONG
from tests.planted import check_output
from tests.processes.forks import ROOT, Forks

FROM_NOTHING = not hasattr(os, "fork") or IS_LONG
_LONGEST_S = 120

Done = subprocess.CompletedProcess[str]


def recours(
    *arguments: str, environment: Mapping[str, str], folder: Path = ROOT, keyboard: str = os.devnull
) -> Done:
    """`python -m recours …`. `keyboard`: what it reads, such as a terminal's path."""
    return run(["-m", "recours", *arguments], environment, folder, keyboard)


def worker(name: str, *options: str, environment: Mapping[str, str], folder: Path) -> Done:
    """A worker's script, as cron starts it: from another folder."""
    return run([str(ROOT / "scripts" / f"{name}.py"), *options], environment, folder)


def run(
    command: list[str],
    environment: Mapping[str, str],
    folder: Path,
    keyboard: str = os.devnull,
    *,
    from_nothing: bool = FROM_NOTHING,
) -> Done:
    """Python with this command line, and nothing but this environment."""
    with tempfile.TemporaryDirectory() as outputs:
        streams = {"stdin": keyboard, "stdout": f"{outputs}/stdout", "stderr": f"{outputs}/stderr"}
        given = {"PATH": f"{folder_of_recours()}{os.pathsep}{os.defpath}", **environment}
        job: dict[str, Any] = {"command": command, "environment": given, "folder": str(folder)}
        job |= streams
        if from_nothing:
            status = _started(**job)
        else:
            status = _server().wait(_server().fork(job | {"seconds": _LONGEST_S}))
        printed = [Path(streams[name]).read_bytes() for name in ("stdout", "stderr")]
    check_output(" ".join(command), *printed)
    return Done(command, status, *(text.decode() for text in printed))


@cache
def folder_of_recours() -> str:
    """A folder for the PATH that holds `recours` and nothing else, so that hints name it and no path of this machine."""
    folder = tempfile.mkdtemp(prefix="recours-on-path-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (Path(folder) / "recours").symlink_to(Path(sysconfig.get_path("scripts")) / "recours")
    return folder


@cache
def _server() -> Forks:
    """For all tests of this process."""
    return Forks("tests.processes.child")


def end() -> None:
    """Nothing more is started."""
    if _server.cache_info().currsize:
        _server().close()
        _server.cache_clear()


def _started(
    command: list[str], environment: dict[str, str], folder: str, stdin: str, stdout: str, stderr: str
) -> int:
    with Path(stdin).open() as keyboard, Path(stdout).open("wb") as out, Path(stderr).open("wb") as err:
        return subprocess.run(
            [sys.executable, *command],
            cwd=folder,
            env=environment,
            stdin=keyboard,
            stdout=out,
            stderr=err,
            check=False,
            timeout=_LONGEST_S,
        ).returncode
