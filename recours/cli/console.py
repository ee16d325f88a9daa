"""What the console takes and shows: never a secret or a forged line, and never a reason for a run to break."""

import getpass
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, NamedTuple, TextIO, TypeVar, overload

import click

from recours.core.actions import SOMEONE
from recours.core.errors import RunError
from recours.core.text import MASK, clean
from recours.core.times import read_span
from recours.host.installation import pasteable

_Command = TypeVar("_Command", bound=Callable[..., Any])

# Exit statuses.
DONE = 0
FAILED = 1
USAGE = 2

SEEN_BY_ALL = "The password in --database-url is shown to everybody on this machine (ps). Set DATABASE_URL in .env instead."
_LONGEST = 2000
_PASSWORD_IN_URL = re.compile(r"(://[^:/@\s]*:)[^@\s]*@")


def status_of(fault: RunError) -> int:
    """The exit status of a command that ends with this fault."""
    return USAGE if fault.needs_person else FAILED


def make_tolerant() -> None:
    """A sign that the console cannot show is replaced; without a console (pythonw), output goes nowhere."""
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def harmless(sentence: str) -> str:
    """A sentence that may repeat what someone typed or set, fit to be shown."""
    return clean(_PASSWORD_IN_URL.sub(rf"\1{MASK}@", sentence), _LONGEST)


def say_warning(sentence: str) -> None:
    click.echo(f"WARNING: {pasteable(harmless(sentence))}", err=True)


def say_error(sentence: str) -> None:
    click.echo(f"Error: {pasteable(harmless(sentence))}", err=True)


def person() -> str:
    """Who types: the name of their account on this machine."""
    try:
        return clean(getpass.getuser(), 60)
    except (OSError, KeyError, ImportError):  # an account without a name, as in some containers
        return SOMEONE


def say_usage_error(error: click.UsageError) -> str:
    """What click says of a wrong command line, on stderr; returns the sentence."""
    if error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help' for help.\n", err=True)
    sentence = harmless(error.format_message())
    say_error(sentence)
    return sentence


def print_json(content: Mapping[str, Any]) -> str | None:
    """One object on stdout; a sentence if it could not be written there."""
    try:
        click.echo(json.dumps(content))
    except OSError as error:
        return f"The summary could not be written to stdout: {error.strerror or error}."
    return None


@contextmanager
def report_losses() -> Iterator[None]:
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
    """The exit status; 1 if the console did not take all output, instead of Python's own complaint."""
    has_lost = _has_lost()
    return status or int(has_lost)


def _has_lost() -> bool:
    """Tell whether the console did not take all output; what is left of it is lost."""
    lost = False
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            lost = True
            # Or it would be tried again, and fail again, when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return lost


_LONGEST_CELL = 200


class Table(NamedTuple):
    """A title, the heads of its columns and its rows. Columns named in `numbers` are ranged right."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[str] = frozenset()


def show(table: Table) -> None:
    """Print it on stdout. Nothing in a cell is taken as markup, and none can forge a line."""
    rows = [[clean(cell, _LONGEST_CELL) for cell in row] for row in table.rows]
    if sys.stdout.isatty():
        _show_rich(table, rows)
    else:
        _show_plain(table, rows)


def _show_rich(table: Table, rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 (not needed in a pipe)
    from rich.table import Table as RichTable  # noqa: PLC0415 (same)
    from rich.text import Text  # noqa: PLC0415 (same)

    drawn = RichTable(title=Text(table.title, style="bold"), title_justify="left")
    for name in table.columns:
        drawn.add_column(Text(name), justify="right" if name in table.numbers else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def _show_plain(table: Table, rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(table.columns, *rows, strict=True)]
    click.echo(table.title)
    for row in (table.columns, *rows):
        cells = [
            cell.rjust(width) if name in table.numbers else cell.ljust(width)
            for name, cell, width in zip(table.columns, row, widths, strict=True)
        ]
        click.echo(("  " + "  ".join(cells)).rstrip())


def number_option(
    name: str, low: int, high: int, default: int, text: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that takes a whole number from `low` to `high`; both are allowed."""
    kind = whole_number(low, high)
    return click.option(name, type=kind, default=default, show_default=True, metavar="N", help=text)


def verbose_option(command: _Command) -> _Command:
    text = "Log each claim's calls and units of quota too."
    return click.option("-v", "--verbose", is_flag=True, help=text)(command)


def carriers_option(command: _Command) -> _Command:
    """`--carrier`, by any of its names; repeatable."""
    text = "Only claims of this carrier; repeatable."
    return click.option(
        "--carrier", "carriers", metavar="NAME", multiple=True, callback=known_carriers, help=text
    )(command)


def known_carriers(
    context: click.Context, parameter: click.Parameter, names: str | tuple[str, ...] | None
) -> str | tuple[str, ...] | None:
    """Callback of an option that names one carrier or several: the names as typed, if they are carriers'."""
    from recours.carriers.registry import CATALOG  # noqa: PLC0415 (not needed by --help)

    for name in (names,) if isinstance(names, str) else names or ():
        if not CATALOG.keys_of(name):
            raise click.BadParameter(CATALOG.no_such(name), context, parameter)
    return names


def whole_number(low: int, high: int) -> Callable[[object], int]:
    """A whole number from `low` to `high`; both are allowed."""

    def parse(value: object) -> int:
        text = str(value).strip()
        if not (text.isascii() and text.isdigit()) or not low <= int(text[:12]) <= high:
            raise click.BadParameter(f"'{text[:40]}' is not a whole number from {low} to {high}.")
        return int(text)

    return parse


def minutes(high: float) -> Callable[[object], float]:
    """A number of minutes, more than none, up to `high`, which is allowed."""

    def parse(value: object) -> float:
        text = str(value)
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not 0 < number <= high:
            raise click.BadParameter(f"'{text[:40]}' is not a number of minutes above 0 and up to {high:g}.")
        return number

    return parse


def a_day(value: object) -> date:
    """A date such as `2026-02-28`."""
    text = str(value).strip()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"'{text[:40]}' is not a date (2026-02-28).") from None


_DAYS = re.compile(r"\d{1,6}")
_LONGEST_AGO = timedelta(days=36500)


def past_time(*, bare_days: bool = False) -> Callable[[object], datetime | timedelta]:
    """An option such as `2026-02-03`, `3d` or `12h`, and `90` with `bare_days`: a datetime, or a timedelta back."""

    def parse(value: object) -> datetime | timedelta:
        text = str(value).strip()
        time: datetime | timedelta | None = (_ago(text, bare_days) if text.isascii() else None) or _at(text)
        if time is None or (isinstance(time, timedelta) and not timedelta() < time <= _LONGEST_AGO):
            days = "a number of days (90), " if bare_days else ""
            raise click.BadParameter(
                f"'{text[:40]}' is neither {days}a date (2026-02-03, 2026-02-03T14:00) nor a time back from now "
                "(3d, 12h)."
            )
        return time

    return parse


def _ago(text: str, bare_days: bool) -> timedelta | None:
    if bare_days and _DAYS.fullmatch(text):
        return timedelta(days=int(text))
    return read_span(text)


def _at(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


@overload
def time_of(value: datetime | timedelta, now: datetime, zone: tzinfo, option: str) -> datetime: ...
@overload
def time_of(value: None, now: datetime, zone: tzinfo, option: str) -> None: ...
def time_of(value: datetime | timedelta | None, now: datetime, zone: tzinfo, option: str) -> datetime | None:
    """The time that was meant (aware UTC), typed in `zone` if without an offset. Raises click.BadParameter if it is not past."""
    if value is None:
        return None
    try:
        at = now - value if isinstance(value, timedelta) else value
        at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as error:
        raise click.BadParameter("there is no such time.", param_hint=option) from error
    if at > now:
        raise click.BadParameter("the time must not lie in the future.", param_hint=option)
    return at
