"""What commands share that do what the page does too: see `recours.wiring.actions`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from recours.cli.console import FAILED, USAGE, harmless, person, say_error
from recours.cli.operations import with_operations
from recours.core.errors import RunError
from recours.installation import pasteable
from recours.operations.actions import ActionResult
from recours.operations.results import RecoursError
from recours.wiring.actions import Actions
from recours.wiring.operations import Operations


@contextmanager
def with_actions(database_url: str | None) -> Iterator[Actions]:
    """What a person does on the configured database; see `acting`."""
    with with_operations(database_url) as operations, acting(operations) as actions:
        yield actions


@contextmanager
def acting(operations: Operations) -> Iterator[Actions]:
    """What a person does; why something cannot be done becomes a sentence, and ends the process.

    A fault on the way is raised as it is: all commands tell it alike.
    """
    try:
        yield Actions(operations, person())
    except RecoursError as error:
        if isinstance(error.__cause__, RunError):
            raise error.__cause__ from None
        _refuse(str(error).splitlines())


def say(result: ActionResult) -> None:
    """What was done; what was not ends the process."""
    if not result.is_done:
        say_error(harmless(result.sentence))
        raise SystemExit(FAILED)
    click.echo(pasteable(harmless(result.sentence)))


def require_all(results: Sequence[ActionResult]) -> list[str]:
    """The subjects, if it can be done with all of them; else why not ends the process."""
    if refused := [result.sentence for result in results if not result.is_done]:
        _refuse(refused)
    return [result.subject for result in results]


def say_each(results: Sequence[ActionResult]) -> None:
    """What was done with each of several claims; what was not ends the process."""
    for result in results:
        if not result.is_done:
            say_error(harmless(result.sentence))
        else:
            click.echo(harmless(result.sentence))
    if not all(result.is_done for result in results):
        raise SystemExit(FAILED)


def _refuse(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        say_error(harmless(sentence))
    raise SystemExit(USAGE)
