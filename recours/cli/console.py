"""What is said on the console: never with a secret, never in a forged line, and never a reason for a run to break."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from recours.core.text import MASK, clean

SEEN_BY_ALL = "The password in --database-url is shown to everybody on this machine (ps). Set DATABASE_URL in .env instead."
_LONGEST = 2000
_CANNOT_DRAW = ("dumb", "unknown")
_PASSWORD_IN_URL = re.compile(r"(://[^:/@\s]*:)[^@\s]*@")


def make_tolerant() -> None:
    """A sign that the console cannot show is replaced, and one that is not there (pythonw) takes what is said."""
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def is_watched(environment: Mapping[str, str]) -> bool:
    """Tell whether somebody looks at stderr, on a terminal that can draw."""
    return sys.stderr.isatty() and environment.get("TERM", "").lower() not in _CANNOT_DRAW


def harmless(sentence: str) -> str:
    """A sentence that may repeat what someone typed or set, fit to be shown."""
    return clean(_PASSWORD_IN_URL.sub(rf"\1{MASK}@", sentence), _LONGEST)


def as_typed(path: Path) -> str:
    """A path as a word of a command line that can be copied."""
    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))


def say_warning(sentence: str) -> None:
    """One line on stderr."""
    click.echo(f"WARNING: {harmless(sentence)}", err=True)


def say_error(sentence: str) -> None:
    """One line on stderr."""
    click.echo(f"Error: {harmless(sentence)}", err=True)


def say_usage_error(error: click.UsageError) -> str:
    """What click says of a wrong command line, on stderr; returns the sentence."""
    if error.ctx is not None:
        click.echo(error.ctx.get_usage(), err=True)
        click.echo(f"Try '{error.ctx.command_path} --help' for help.\n", err=True)
    say_error(error.format_message())
    return harmless(error.format_message())


def print_json(content: Mapping[str, Any]) -> str | None:
    """One object on stdout; a sentence if it could not be written there."""
    try:
        click.echo(json.dumps(content))
    except OSError as error:
        return f"The summary could not be written to stdout: {error.strerror or error}."
    return None


@contextmanager
def losses_told() -> Iterator[None]:
    """Output that the console does not take is reported in a sentence, and ends the process with status 1."""
    try:
        yield
    except OSError as error:
        # An unbuffered console keeps nothing that could be lost now; of other files an error has the name.
        if not _has_lost() and error.filename is not None:
            raise
        say_error(f"The answer could not be written to stdout: {error.strerror or error}.")
        raise SystemExit(1) from error


def flushed(status: int) -> int:
    """The exit status; 1 if the console did not take all that was said, instead of Python's own complaint."""
    lost = _has_lost()
    return status or int(lost)


def _has_lost() -> bool:
    """Tell whether the console did not take all that was said; what is left of that is lost."""
    lost = False
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            lost = True
            # Or it would be tried again, and fail again, when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return lost
