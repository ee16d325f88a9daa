"""Shared by the operator's commands: options, settings, the open database, and error messages."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from recours.admin.actions import ActionResult, Actions
from recours.admin.results import RecoursError
from recours.app import App, open_app
from recours.carriers.registry import CATALOG
from recours.cli.console import (
    FAILED,
    URL_WARNING,
    USAGE,
    CarrierName,
    echo,
    harmless,
    person,
    say_error,
    say_warning,
    status_of,
)
from recours.core.carrier import CarrierSpec
from recours.core.errors import RunError
from recours.core.localized import Localized
from recours.core.pauses import Refusal
from recours.fleet.job_queue import NoFleetError
from recours.host.files import publish, read_regular
from recours.host.home import NoHomeError
from recours.host.installation import pasteable
from recours.reporting.problems import Problem, VerdictSentences
from recours.runs.refusals import ClaimsRefusedError
from recours.settings.loading import has_password, home_of, load_at_home
from recours.settings.model import Settings, SettingsError

_Command = TypeVar("_Command", bound=Callable[..., Any])
STDIN = Path("-")


def database_option(command: _Command) -> _Command:
    """`--database-url`, with a warning if it contains a password."""

    def warned(_context: click.Context, _parameter: click.Parameter, url: str | None) -> str | None:
        if url and has_password(url):
            say_warning(URL_WARNING)
        return url

    return click.option(
        "--database-url", metavar="URL", callback=warned, help="Use this database, not the configured one."
    )(command)


def json_option(command: _Command) -> _Command:
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object on stdout, for programs."
    )(command)


def dry_run_option(text: str) -> Callable[[_Command], _Command]:
    return click.option("--dry-run", is_flag=True, help=text)


def yes_option(command: _Command) -> _Command:
    return click.option("--yes", is_flag=True, help="Do not ask for confirmation.")(command)


class Carrier(CarrierName):
    """Converts any of a carrier's names to its spec."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> CarrierSpec:
        key = CATALOG.resolve(super().convert(value, param, ctx))
        return CATALOG.specs[str(key)]


def home() -> Path:
    """The folder of this installation's files. If there is none, print why and end the process with status 2."""
    with report_faults():
        return home_of(os.environ)


def settings_for(database_url: str | None = None) -> Settings:
    with report_faults():
        return load_at_home(os.environ, CATALOG, database_url=database_url)


@contextmanager
def report_faults() -> Iterator[None]:
    """Print an error, one sentence per line, and end the process.

    The status is 2 if the operator must correct something first: settings, named claims, a missing home, a fleet on an
    unsuitable database, or the schema of another version. Otherwise the status is 1.
    """
    try:
        yield
    except RunError as error:
        say_fault(error)
        raise SystemExit(USAGE if isinstance(error, NoFleetError) else status_of(error)) from error
    except (SettingsError, NoHomeError, ClaimsRefusedError) as error:
        for line in error.faults if isinstance(error, SettingsError) else str(error).splitlines():
            say_error(line)
        raise SystemExit(USAGE) from error


def say_fault(fault: RunError) -> None:
    """Print the error, then the SQL that fixes it, ready to copy."""
    say_error(str(fault))
    for line in fault.details:
        click.echo(line, err=True)


@contextmanager
def with_app(database_url: str | None = None) -> Iterator[App]:
    """The app on the configured database, whose schema must be current. Opening it changes nothing."""
    settings = settings_for(database_url)
    with report_faults():
        app = open_app(settings)
        with closing(app.database):
            yield app


def confirmed(question: str, *, yes: bool, refused: str = "Nothing was changed.") -> bool:
    """Ask for confirmation unless `--yes` was given. `refused` is printed if the answer is no.

    Raises click.UsageError if there is no terminal.
    """
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(
            "No terminal is available to ask for confirmation. Nothing was changed; repeat the command with --yes."
        )
    is_confirmed = click.confirm(question, err=True)
    if not is_confirmed:
        echo(refused, err=True)
    return is_confirmed


def tell_json(content: Mapping[str, Any]) -> None:
    click.echo(json.dumps(content))


def show_problems(problems: Sequence[Problem], sentences: VerdictSentences, now: datetime) -> None:
    """Print each problem and what to do about it."""
    for problem in problems:
        echo(harmless(f"! {sentences.sentence(problem, now)}"))
        echo("  " + harmless(f"→ {sentences.remedy(problem, now)}"))


def refusal_text(refusal: Refusal, texts: Localized) -> str:
    """Why an account cannot be used, and until when."""
    until = f"; no call before {texts.minute(refusal.until)}" if refusal.until else ""
    return refusal.reason if refusal.stopped else f"{refusal.reason}{until}"


@contextmanager
def with_actions(database_url: str | None) -> Iterator[Actions]:
    """The operator's actions on the configured database; see `acting`."""
    with with_app(database_url) as app, acting(app) as actions:
        yield actions


@contextmanager
def acting(app: App) -> Iterator[Actions]:
    """The operator's actions. A refusal is printed and ends the process. A RunError is raised unchanged."""
    try:
        yield Actions(app, person())
    except RecoursError as error:
        if isinstance(error.__cause__, RunError):
            raise error.__cause__ from None
        _refuse(str(error).splitlines())


def say(*results: ActionResult) -> None:
    """Print the results. If anything failed, end the process with status 1."""
    for result in results:
        if result.is_done:
            echo(pasteable(harmless(result.sentence)))
        else:
            say_error(harmless(result.sentence))
    if not all(result.is_done for result in results):
        raise SystemExit(FAILED)


def require_all(results: Sequence[ActionResult]) -> list[str]:
    """Return the subjects if all actions are possible. Otherwise print why not and end the process."""
    if refused := [result.sentence for result in results if not result.is_done]:
        _refuse(refused)
    return [result.subject for result in results]


def _refuse(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        say_error(harmless(sentence))
    raise SystemExit(USAGE)


def content_of(file: Path, largest: int, option: str) -> bytes:
    """Read at most `largest` + 1 bytes, so that the caller can reject larger files. Raises click.BadParameter."""
    if file == STDIN:
        return sys.stdin.buffer.read(largest + 1) if sys.stdin else b""
    try:
        return read_regular(file, largest + 1)
    except OSError as error:
        raise click.BadParameter(f"{file}: {error.strerror}.", param_hint=option) from None


def write_new_file(pieces: Iterable[bytes], path: Path) -> None:
    """Write a file that only its owner may read. The file appears when it is complete. An error ends the command."""
    try:
        _write(pieces, path)
    except FileExistsError as error:
        raise click.BadParameter(f"{path} already exists.", param_hint="-o") from error
    except OSError as error:
        say_error(f"Cannot write {path}: {error.strerror or error}.")
        raise SystemExit(FAILED) from error


def _write(pieces: Iterable[bytes], path: Path) -> None:
    """Write a new file, which appears when it is complete. Raises OSError."""
    if path.exists():
        raise FileExistsError(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        if not publish(part, path):
            raise FileExistsError(path)
    finally:
        part.unlink(missing_ok=True)
