"""What is said on the console: never with a secret, never in a forged line, and never a reason for a run to break."""

import json
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import click

from recours.core.redact import MASK
from recours.core.text import clean

_LONGEST = 2000
_CANNOT_DRAW = ("dumb", "unknown")
_PASSWORD_IN_URL = re.compile(r"(://[^:/@\s]*:)[^@\s]*@")


def make_tolerant() -> None:
    """A sign that the console cannot show is replaced."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def is_watched(environment: Mapping[str, str]) -> bool:
    """Tell whether somebody looks at stderr, on a terminal that can draw."""
    return sys.stderr.isatty() and environment.get("TERM", "").lower() not in _CANNOT_DRAW


def harmless(sentence: str) -> str:
    """A sentence that may repeat what someone typed or set, fit to be shown."""
    return clean(_PASSWORD_IN_URL.sub(rf"\1{MASK}@", sentence), _LONGEST)


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


def flushed(status: int) -> int:
    """The exit status; 1 if the console did not take all that was said, instead of Python's own complaint."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or 1
            give_up_on(stream)
    return status


def give_up_on(stream: TextIO) -> None:
    """Lose what is left in its buffer: it would be tried again, and fail again, when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
