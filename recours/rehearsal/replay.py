"""Reads a recording again: through the real queue and the carrier's real client, without network, clock and database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from recours.carriers import http
from recours.carriers.client import Client
from recours.carriers.http import HttpError, HttpSession, Sender
from recours.carriers.message import Request, Response
from recours.carriers.queue import APIRequestQueue
from recours.carriers.registry import CATALOG, CLIENTS
from recours.carriers.reservation import Account, CarrierConnection
from recours.core.appraisal import Expected
from recours.core.errors import ErrorKind
from recours.core.outcome import CallError, Failure, NotADocumentError, Outcome, Piece
from recours.core.pauses import Refusal
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.documents.appraisal import appraise
from recours.documents.kinds import kind_of
from recours.memory.clock import SimulatedClock
from recours.memory.quota import MemoryQuota
from recours.rehearsal.recording import Classification, Recorded, Recording
from recours.runs.ports import Fetched, Reservation

SUCCESS = "success"


@dataclass(frozen=True)
class ExaminedPiece:
    """A piece of evidence as a run would take it. `refused`: why it would not be kept as evidence; "": it would be."""

    piece: Piece
    media_type: str = ""
    refused: str = ""


def classify(outcome: Outcome, carrier: str, number: str) -> tuple[Classification, list[ExaminedPiece]]:
    """What recours makes of an outcome, and of each piece of evidence."""
    if isinstance(outcome, Failure):
        return Classification(outcome.kind.value, outcome.delivery is not None), []
    pieces = [_examined(piece, Expected(carrier, number, piece.kind)) for piece in outcome.pieces]
    kept = [one.media_type for one in pieces if not one.refused]
    kind = SUCCESS if kept else ErrorKind.BAD_RESPONSE.value
    return Classification(kind, is_delivered=True, document=", ".join(kept)), pieces


def _examined(piece: Piece, expected: Expected) -> ExaminedPiece:
    try:
        media_type = kind_of(piece.content, html=piece.html)
        hollow = appraise(piece.content, media_type, expected).hollow
    except NotADocumentError as finding:
        return ExaminedPiece(piece, refused=str(finding))
    return ExaminedPiece(piece, media_type, hollow or "")


def read_again(recording: Recording) -> Classification:
    """What this version of recours makes of a recording."""
    spec = CATALOG.specs[recording.carrier]
    credentials = dict.fromkeys(spec.credentials[0], "made-up")
    answers = _Answers(recording.calls)
    client = CLIENTS[recording.carrier](credentials | dict(recording.options))
    outcome = fetched(client, recording.number, answers, lambda: not answers.are_over).outcome
    return classify(outcome, recording.carrier, recording.number)[0]


def fetched(
    client: Client, number: str, sender: Sender, has_calls_left: Callable[[], bool] = lambda: True
) -> Fetched:
    """One fetch through a queue of its own, in no time. `has_calls_left`: else the quota is used up."""
    spec, clock = client.spec, SimulatedClock()

    def open_session(reservation: Reservation) -> CarrierConnection:
        limited = _Limited(reservation, has_calls_left)
        return HttpSession(spec.name, limited, sender, clock, lambda: 0.0, client.wait_asked)

    account = Account(spec, (), client, open_session, credentials=())
    queue = APIRequestQueue({spec.key: account}, MemoryQuota((), clock.now(), {}), clock)
    answer = queue.check_credentials(spec.key, number)
    if isinstance(answer, Refusal):
        raise TypeError("a queue of its own refuses nothing")
    return answer


class _Answers:
    """The recorded answers, in order, in place of `Http`."""

    def __init__(self, calls: Sequence[Recorded]) -> None:
        self._calls = list(calls)

    @property
    def are_over(self) -> bool:
        return not self._calls

    def send(self, request: Request) -> Response:
        """Raises the HttpError that came in place of an answer."""
        del request
        call = self._calls.pop(0)
        if call.error:
            error: type[HttpError] = getattr(http, call.error)  # one of `recording.ERRORS`
            raise error("gave the recorded error")
        return call.response


class _Limited:
    """A reservation that ends with the recorded calls: the quota had no more."""

    def __init__(self, reservation: Reservation, has_calls_left: Callable[[], bool]) -> None:
        self._reservation = reservation
        self._has_calls_left = has_calls_left

    def consume(self, what: Capability) -> None:
        if not self._has_calls_left():
            failure = Failure.of(Sentence.LIMIT_REACHED, "The recording")
            raise CallError(replace(failure, alone=True))
        self._reservation.consume(what)

    def refund(self, what: Capability) -> None:
        self._reservation.refund(what)

    def release(self) -> None:
        self._reservation.release()
