"""Rehearsals with simulated carriers, in no time and without a network: what came, how it was read, and the recording."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from requests.structures import CaseInsensitiveDict

from recours.carriers.http import BrokenAnswerError, HttpError, TimedOutError, UnacceptableAnswerError
from recours.carriers.message import Request, Response
from recours.carriers.registry import CATALOG, CLIENTS
from recours.core.outcome import Outcome
from recours.core.text import Redactor
from recours.rehearsal.deviations import Comparison, examine
from recours.rehearsal.recording import Classification, Exchange, Recording
from recours.rehearsal.redaction import documented, operation_of, redacted
from recours.rehearsal.replay import classify, fetched
from recours.sandbox import Parcel, Sandbox, Scenario
from recours.sandbox.answers import Answer, Manner
from tests.fakes.simulated import ACCOUNT, PASSWORD, as_received, as_response, quiet_sandbox

_BREAKS: dict[Manner, type[HttpError]] = {
    Manner.RESET: BrokenAnswerError,
    Manner.TRUNCATED: BrokenAnswerError,
    Manner.DRIP: TimedOutError,
    Manner.DRIP_HEADERS: TimedOutError,
    Manner.PADDED: UnacceptableAnswerError,
}

Tamper = Callable[[Response], Response]


@dataclass
class SimulatedSender:
    """Calls a sandbox as `Http` calls a server."""

    box: Sandbox
    tamper: Tamper

    def __post_init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def send(self, request: Request) -> Response:
        answer = self.box.answer(as_received(request))
        if error := self._error(answer):
            self.exchanges.append(Exchange(request, error=error.__name__))
            raise error("broke")
        came = as_response(answer)
        response = self.tamper(replace(came, headers=CaseInsensitiveDict(came.headers)))
        self.exchanges.append(Exchange(request, response))
        return response

    @staticmethod
    def _error(answer: Answer) -> type[HttpError] | None:
        is_unacceptable = 300 <= answer.status < 400 or ("Content-Encoding", "gzip") in answer.headers
        return UnacceptableAnswerError if is_unacceptable else _BREAKS.get(answer.manner)


@dataclass(frozen=True)
class Rehearsed:
    outcome: Outcome
    classification: Classification
    exchanges: list[Exchange]
    recording: Recording

    @property
    def findings(self) -> list[Comparison]:
        """Of every answer."""
        found = []
        for exchange in self.exchanges:
            operation = operation_of(documented(self.recording.carrier), exchange.request)
            assert operation, exchange.request
            if exchange.answer:
                found.append(examine(exchange.answer, operation))
        return found

    @property
    def deviations(self) -> list[str]:
        return [deviation for found in self.findings for deviation in found.deviations]

    @property
    def undocumented(self) -> list[str]:
        return [field for found in self.findings for field in found.undocumented]


def rehearsed(
    carrier: str,
    scenario: Scenario,
    *,
    tries: int = 1,
    tamper: Tamper = lambda response: response,
    salt: bytes = b"salt",
    number: str = "",
    account: tuple[str, str] = (ACCOUNT, PASSWORD),
) -> Rehearsed:
    """One rehearsal, the last of so many tries."""
    box = quiet_sandbox()
    box.accounts = dict([account])
    number = number or box.example(carrier, "99")
    box.parcels[number] = Parcel((scenario,))
    options = {option.name: option.default for option in CATALOG.specs[carrier].options}
    settings = options | box.environment(carrier)
    for _ in range(tries):
        client = CLIENTS[carrier](settings)
        sender = SimulatedSender(box, tamper)
        outcome = fetched(client, number, sender).outcome
    classification, _ = classify(outcome, carrier, number)
    fetch = Recording(carrier, number, options, classification, ())
    hides = Redactor((*account, *client.secrets()))
    return Rehearsed(
        outcome, classification, sender.exchanges, redacted(fetch, sender.exchanges, salt, hides)
    )
