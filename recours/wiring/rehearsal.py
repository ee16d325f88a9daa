"""One fetch that is a rehearsal: through the one queue, with units of quota, and beside all claims."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from random import random

from recours.carriers.http import HttpError, Sender
from recours.carriers.message import Request, Response
from recours.core.carrier import CarrierSpec
from recours.core.outcome import Outcome
from recours.core.pauses import Refusal
from recours.core.text import Redactor
from recours.database.engine import Database
from recours.rehearsal.deviations import Comparison, examine
from recours.rehearsal.recording import Exchange, Recording
from recours.rehearsal.redaction import documented, operation_of, redacted
from recours.rehearsal.replay import ExaminedPiece, classify, read_again
from recours.runs.ports import Clock
from recours.settings.model import Settings
from recours.wiring.carriers import accounts, make_queue


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal showed.

    `calls`: each with the name of its operation, and with a comparison if an answer came. `pieces`: what came as
    evidence. `hides` takes secrets out of whatever is shown of it.
    """

    outcome: Outcome
    pieces: list[ExaminedPiece]
    calls: list[tuple[str, Exchange, Comparison | None]]
    recording: Recording
    is_read_alike: bool  # the recording, as the carrier's answers were
    hides: Redactor


@dataclass(frozen=True)
class _Watched:
    """Notes every call, and what came of it."""

    sender: Sender
    note: Callable[[Exchange], None]

    def send(self, request: Request) -> Response:
        try:
            answer = self.sender.send(request)
        except HttpError as error:
            self.note(Exchange(request, error=type(error).__name__, why=str(error)))
            raise
        self.note(Exchange(request, answer))
        return answer


def rehearse(
    settings: Settings, database: Database, clock: Clock, spec: CarrierSpec, number: str
) -> Rehearsal | Refusal:
    """Ask about one number as a run would, or say why the carrier takes no call now. Raises RunError."""
    exchanges: list[Exchange] = []
    kept = accounts(settings, clock, random, lambda sender: _Watched(sender, exchanges.append))
    queue = make_queue(settings, database, settings.policy, clock, random, uuid.uuid4().hex, kept)
    try:
        fetched = queue.check_credentials(spec.key, number)
    finally:
        queue.leave()
    if isinstance(fetched, Refusal):
        return fetched
    client = kept[spec.key].client
    tokens = client.secrets() if client else ()
    hides = Redactor((*settings.secrets, *tokens))
    options = {option.name: settings.credentials[spec.key].options[option.name] for option in spec.options}
    classification, pieces = classify(fetched.outcome, spec.key, number)
    at = clock.now().isoformat(timespec="seconds")
    fetch = Recording(spec.key, number, options, classification, (), at)
    recording = redacted(fetch, exchanges, secrets.token_bytes(32), hides)
    return Rehearsal(
        fetched.outcome,
        pieces,
        [_seen(spec.key, exchange) for exchange in exchanges],
        recording,
        read_again(recording) == classification,
        hides,
    )


def _seen(carrier: str, exchange: Exchange) -> tuple[str, Exchange, Comparison | None]:
    operation = operation_of(documented(carrier), exchange.request)
    if operation is None:
        return "", exchange, None
    return operation.name, exchange, examine(exchange.answer, operation) if exchange.answer else None
