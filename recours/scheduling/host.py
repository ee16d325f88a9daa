"""Programs of this machine, run and listened to; its files: whether there is room for them."""

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recours.access import environment_of_others, read_regular
from recours.core.text import clean

_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Done:
    """How a program ended, and what it said."""

    status: int
    out: bytes
    err: str

    @property
    def complaint(self) -> str:
        """In one line."""
        lines = (self.err or self.out.decode(errors="replace")).strip().splitlines()
        return clean("; ".join(lines) or f"exit status {self.status}")


# Raises OSError.
Run = Callable[[Sequence[str], bytes], Done]


def run(command: Sequence[str], content: bytes = b"") -> Done:
    """Run a program that is found on the PATH, with `content` on its stdin. Its messages are English.

    Debian's `crontab -l` leaves out what it takes for its own header, unless told otherwise.
    """
    try:
        done = subprocess.run(  # noqa: S603 (no shell; the words are ours, what a person typed has been parsed)
            command,
            input=content,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
            env=environment_of_others() | {"LC_ALL": "C", "CRONTAB_NOHEADER": "N"},
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"it did not end within {_TIMEOUT_S:.0f} s") from error
    return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


# ---------------------------------------------------------------- files and folders


def mode_of(path: Path) -> int | None:
    """Who may do what with a file, as in stat(2); None on Windows, where that says nothing. Raises OSError."""
    return None if os.name == "nt" else stat.S_IMODE(path.stat().st_mode)


def trouble_with(folder: Path, kept: Iterable[Path] = ()) -> str | None:
    """Why no file can be written in a folder; None if one can. A missing folder is not made.

    `kept`: what runs go on writing to in it, where it is there: it may be another user's, though the folder is not.
    """
    try:
        if folder.is_dir():
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"recours")
                file.flush()
            for path in filter(os.path.lexists, kept):
                if not os.access(path, os.W_OK | os.X_OK if path.is_dir() else os.W_OK):
                    return f"this user may not write {path}"
            return None
        there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        if not there.is_dir():
            return f"{there} is not a folder"
        if os.access(there, os.W_OK | os.X_OK):
            return None
    except OSError as error:
        return error.strerror or str(error)
    return "is not there and cannot be made by this user"


# What an installer writes: the interpreter; or, where a kernel could not take its path, sh and a line for sh.
_INTERPRETER = re.compile(rb'#!(?:/bin/sh\n\'{3}exec\' "?(/[^"\n]+?)"? "\$0"|(/\S+))')
_LONGEST_INTERPRETER = 5000


def interpreter_of(program: str) -> str:
    """The absolute path of what runs a script, by its first lines; "" if it names none or cannot be read."""
    try:
        match = _INTERPRETER.match(read_regular(Path(program), _LONGEST_INTERPRETER))
    except OSError:
        return ""
    return os.fsdecode(match[1] or match[2]) if match else ""


def free_bytes(folder: Path) -> int | None:
    """The room on its disk, for this user; None if that cannot be known."""
    try:
        there = next((path for path in (folder, *folder.parents) if path.is_dir()), folder)
        return shutil.disk_usage(there).free
    except OSError:
        return None
