"""Console input and output. Output contains no secrets or forged lines, and a failing console never breaks a run."""

import getpass
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, TypeVar, overload

import click

from recours.core.actions import SOMEONE
from recours.core.errors import RunError
from recours.core.text import MASK, clean
from recours.core.times import read_span
from recours.host.installation import pasteable
from recours.host.terminal import display_width, width_of, wrapped
from recours.settings.model import whole

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Value = TypeVar("_Value")

# Exit statuses.
DONE = 0
FAILED = 1
USAGE = 2

URL_WARNING = "Every user of this machine can see the password in --database-url (with ps). Set DATABASE_URL in .env instead."
_LONGEST = 2000
_PASSWORD_IN_URL = re.compile(r"(://[^:/@\s]*:)[^@\s]*@")


def status_of(fault: RunError) -> int:
    """The exit status of a command that ends with this error."""
    return USAGE if fault.needs_person else FAILED


def make_tolerant() -> None:
    """Replace characters that the console cannot show; without a console (pythonw), discard all output."""
    sys.stdout = sys.stdout or _null_stream()
    sys.stderr = sys.stderr or _null_stream()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _null_stream() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def harmless(sentence: str) -> str:
    """A sentence that may quote user input, cleaned for display."""
    return clean(_PASSWORD_IN_URL.sub(rf"\1{MASK}@", sentence), _LONGEST)


def echo(text: str, *, err: bool = False) -> None:
    """Print a text. On a terminal, lines wrap between words, and colors are kept unless NO_COLOR is set."""
    if width := width_of(sys.stderr if err else sys.stdout):
        text = "\n".join(wrapped(line, width) for line in text.split("\n"))
    click.echo(text, err=err, color=False if os.environ.get("NO_COLOR") else None)


def colored_verdict(sentence: str, *, is_good: bool) -> str:
    """The sentence in green or red."""
    return click.style(sentence, fg="green" if is_good else "red")


def say_warning(sentence: str) -> None:
    echo(f"WARNING: {pasteable(harmless(sentence))}", err=True)


def say_error(sentence: str) -> None:
    echo(f"Error: {pasteable(harmless(sentence))}", err=True)


def person() -> str:
    """The operator's name, which is the user name on this machine."""
    try:
        return clean(getpass.getuser(), 60)
    except (OSError, KeyError, ImportError):  # a user without a name, as in some containers
        return SOMEONE


def say_usage_error(error: click.UsageError) -> str:
    """Print click's usage error on stderr; return its sentence."""
    if error.ctx is not None:
        echo(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help' for help.\n", err=True)
    # click lists choices on separate lines: a line break there would be escaped.
    sentence = harmless(error.format_message().replace("\n\t", " "))
    say_error(sentence)
    return sentence


def print_json(content: Mapping[str, Any]) -> str | None:
    """Print one object on stdout; return an error sentence if that fails."""
    try:
        click.echo(json.dumps(content))
    except OSError as error:
        return f"Could not write the summary to stdout: {error.strerror or error}."
    return None


@contextmanager
def report_losses() -> Iterator[None]:
    """Report output that could not be written, and end the process with status 1."""
    try:
        yield
    except OSError as error:
        # An unbuffered console has lost its output already. Errors about other files have a file name.
        if not _has_lost() and error.filename is not None:
            raise
        say_error(f"Could not write the output to stdout: {error.strerror or error}.")
        raise SystemExit(1) from error


def flushed(status: int) -> int:
    """The exit status, or 1 if output was lost. Flushing here prevents Python's own error message at exit."""
    has_lost = _has_lost()
    return status or int(has_lost)


def _has_lost() -> bool:
    """Return whether output could not be flushed. Such output is discarded."""
    lost = False
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            lost = True
            # Otherwise Python would flush again at exit, and fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return lost


_LONGEST_CELL = 500
_GAP = "  "
_NARROWEST = 12  # minimum width of a text column, in characters


class Table(NamedTuple):
    """A title, column headings and rows. Columns named in `numbers` are right-aligned."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[str] = frozenset()


def show(table: Table) -> None:
    """Print a table on stdout: in columns, or row by row on a narrow terminal. No cell can forge a line."""
    rows = [table.columns, *([clean(cell, _LONGEST_CELL) for cell in row] for row in table.rows)]
    width = width_of(sys.stdout)
    widths = _column_widths(rows, width)
    echo(click.style(table.title, bold=True))
    for line in _columns(table, rows, widths) if widths else _blocks(table, rows):
        echo(line)


def _column_widths(rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """Column widths that fit the terminal. Headings wrap before cells, the widest first.

    An empty list means that the columns do not fit without breaking a word.
    """
    widths = []
    narrowest = []
    of_cells = []
    for head, *cells in zip(*rows, strict=True):
        words = [display_width(word) for text in (head, *cells) for word in text.split()]
        of_cells.append(max(map(display_width, cells), default=0))
        narrowest.append(max(min(_NARROWEST, of_cells[-1]), *words))
        widths.append(max(display_width(head), of_cells[-1]))
    room = width - len(_GAP) * len(widths) if width else sum(widths)
    if sum(narrowest) > room:
        return []
    while sum(widths) > room:
        shrinkable = [place for place, least in enumerate(narrowest) if widths[place] > least]
        widths[max(shrinkable, key=lambda place: (widths[place] > of_cells[place], widths[place]))] -= 1
    return widths


def _columns(table: Table, rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    for row in rows:
        cells = [wrapped(cell, width).split("\n") for cell, width in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            line = ""
            for name, part, width in zip(table.columns, parts, widths, strict=True):
                blanks = " " * (width - display_width(part))
                line += _GAP + (blanks + part if name in table.numbers else part + blanks)
            yield line.rstrip()


def _blocks(table: Table, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Each row as a block of lines that begins with its first cell. The numbers of a row share a line."""
    for row in rows[1:]:
        (head, first), *others = [(name, cell) for name, cell in zip(table.columns, row, strict=True) if cell]
        yield f"{_GAP}{head} {first}" if head in table.numbers else f"{_GAP}{first}"
        numbers = [f"{name}: {cell}" for name, cell in others if name in table.numbers]
        texts = [f"{name}: {cell}" for name, cell in others if name not in table.numbers]
        yield from (f"{_GAP * 2}{line}" for line in filter(None, [", ".join(numbers), *texts]))


def number_option(
    name: str, low: int, high: int, default: int, text: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that accepts a whole number from `low` to `high`, inclusive."""
    kind = as_setting(whole(low, high))
    return click.option(name, type=kind, default=default, show_default=True, metavar="N", help=text)


def verbose_option(command: _Command) -> _Command:
    text = "Also log each claim's calls and quota units."
    return click.option("-v", "--verbose", is_flag=True, help=text)(command)


class CarrierName(click.ParamType[Any]):
    """Accepts any of a carrier's names, unchanged. Tab completes the keys, which contain no spaces."""

    name = "carrier"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from recours.carriers.registry import CATALOG  # noqa: PLC0415 (not needed by --help)

        if not CATALOG.keys_of(value):
            self.fail(CATALOG.no_such(value), param, ctx)
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem  # noqa: PLC0415 (needed by the Tab key alone)

        from recours.carriers.registry import CATALOG  # noqa: PLC0415 (as above)

        del ctx, param
        typed = incomplete.lower()
        return [
            CompletionItem(key, help=spec.name)
            for key, spec in CATALOG.specs.items()
            if key.startswith(typed)
        ]


def carriers_option(command: _Command) -> _Command:
    """`--carrier`, with any of its names; repeatable."""
    text = "Limit to claims of this carrier; repeatable."
    return click.option(
        "--carrier", "carriers", metavar="NAME", multiple=True, type=CarrierName(), help=text
    )(command)


def as_setting(parse: Callable[[str], _Value]) -> Callable[[object], _Value]:
    """An option type whose values are parsed like those of a setting."""

    def convert(value: object) -> _Value:
        try:
            return parse(str(value).strip())
        except ValueError as error:
            raise click.BadParameter(f"{error}.") from None

    return convert


def a_day(value: object) -> date:
    """Parse a date such as `2026-02-28`."""
    text = str(value).strip()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"'{text[:40]}' is not a date. Example: 2026-02-28.") from None


_DAYS = re.compile(r"\d{1,6}")
_LONGEST_AGO = timedelta(days=36500)


def past_time(*, bare_days: bool = False) -> Callable[[object], datetime | timedelta]:
    """A parser for a time such as `2026-02-03`, or an age such as `3d` or `12h` (with `bare_days` also `90`)."""

    def parse(value: object) -> datetime | timedelta:
        text = str(value).strip()
        time: datetime | timedelta | None = (_ago(text, bare_days) if text.isascii() else None) or _at(text)
        if time is None or (isinstance(time, timedelta) and not timedelta() < time <= _LONGEST_AGO):
            days = "a number of days (90), " if bare_days else ""
            raise click.BadParameter(
                f"'{text[:40]}' is not valid; give {days}a date (2026-02-03, 2026-02-03T14:00) or an age (3d, 12h)."
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
    """The time in UTC; a value without an offset is in `zone`. Raises click.BadParameter if it is in the future."""
    if value is None:
        return None
    try:
        at = now - value if isinstance(value, timedelta) else value
        at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError as error:
        raise click.BadParameter("this time does not exist.", param_hint=option) from error
    if at > now:
        raise click.BadParameter("the time must not be in the future.", param_hint=option)
    return at
