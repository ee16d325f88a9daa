"""What commands share that do what the page does too: see `recours.wiring.actions`."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from recours.cli.console import FAILED, USAGE, harmless, say_error
from recours.cli.operations import person, with_operations
from recours.operations.actions import ActionResult, CorrectRequestError
from recours.operations.results import CorrectAccountError, RecoursError
from recours.wiring.actions import Actions


@contextmanager
def with_actions(database_url: str | None) -> Iterator[Actions]:
    """What a person does; why something cannot be done becomes a sentence, and ends the process."""
    with with_operations(database_url) as operations:
        try:
            yield Actions(operations, person())
        except RecoursError as error:
            say_error(harmless(str(error)))
            to_be_corrected = isinstance(error, (CorrectRequestError, CorrectAccountError))
            raise SystemExit(USAGE if to_be_corrected else FAILED) from error


def say(result: ActionResult) -> None:
    """What was done; what was not ends the process."""
    if not result.is_done:
        say_error(harmless(result.sentence))
        raise SystemExit(FAILED)
    click.echo(harmless(result.sentence))
