"""Runs commands of people and of cron, each in its own process until it ends.

The processes are forked from a server with all imports, because starting Python and importing would be most of the
tests' cost. Without fork, and with RECOURS_LONG=1, each process starts from scratch. The tests of the guide, of whole
runs and of starting always start processes from scratch.
"""

import atexit
import fcntl
import os
import pty
import shutil
import struct
import subprocess
import sys
import sysconfig
import tempfile
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from tests.long_form import IS_LONG
from tests.planted import check_output
from tests.processes.forks import ROOT, Forks

FROM_NOTHING = not hasattr(os, "fork") or IS_LONG
_LONGEST_S = 120

Done = subprocess.CompletedProcess[str]


def recours(
    *arguments: str, environment: Mapping[str, str], folder: Path = ROOT, keyboard: str = os.devnull
) -> Done:
    """Run `python -m recours …`. `keyboard`: the path of its standard input, such as a terminal."""
    return run(["-m", "recours", *arguments], environment, folder, keyboard)


def worker(name: str, *options: str, environment: Mapping[str, str], folder: Path) -> Done:
    """Run a worker's script from another folder, as cron does."""
    return run([str(ROOT / "scripts" / f"{name}.py"), *options], environment, folder)


def run(
    command: list[str],
    environment: Mapping[str, str],
    folder: Path,
    keyboard: str = os.devnull,
    *,
    from_nothing: bool = FROM_NOTHING,
) -> Done:
    """Run Python with this command line and only this environment."""
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


@contextmanager
def terminal(width: int = 80) -> Iterator[tuple[TextIO, list[bytes]]]:
    """A terminal to write to, and the output that it received."""
    screen, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("4H", 50, width, 0, 0))
    pieces: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(screen, pieces))
    reader.start()
    try:
        with os.fdopen(side, "w", encoding="utf-8") as stream:
            yield stream, pieces
    finally:
        reader.join()
        os.close(screen)


def _read_all(screen: int, pieces: list[bytes]) -> None:
    """Read until the other side is closed, which Linux reports as an error."""
    with suppress(OSError):
        while piece := os.read(screen, 65536):
            pieces.append(piece)


def on_terminal(*arguments: str, environment: Mapping[str, str], width: int, seconds: int) -> str:
    """The output of `recours …` on a terminal. The command is interrupted after this many seconds."""
    with terminal(width) as (screen, pieces):
        command = ["timeout", "-s", "INT", str(seconds), sys.executable, "-m", "recours", *arguments]
        given = {"PATH": f"{folder_of_recours()}{os.pathsep}{os.defpath}", **environment}
        subprocess.run(command, cwd=ROOT, env=given, stdout=screen, stderr=screen, check=False)
    return b"".join(pieces).decode().replace("\r\n", "\n")


@cache
def folder_of_recours() -> str:
    """A folder for PATH with only `recours`, so that hints show `recours` and not a path of this machine."""
    folder = tempfile.mkdtemp(prefix="recours-on-path-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (Path(folder) / "recours").symlink_to(Path(sysconfig.get_path("scripts")) / "recours")
    return folder


@cache
def _server() -> Forks:
    """The fork server, shared by all tests of this process."""
    return Forks("tests.processes.child")


def end() -> None:
    """Stop the fork server."""
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
