"""Sessions with the simulated carriers, called directly instead of through a server, and their scenarios' results."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from recours.carriers.client import Client
from recours.carriers.message import Request, Response
from recours.carriers.registry import CATALOG, CLIENTS
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import CallError, Failure, Outcome
from recours.core.quota import Capability
from recours.sandbox import Parcel, Sandbox, Scenario
from recours.sandbox.answers import (
    Answer,
    HttpRequest,
)
from recours.sandbox.server import NOT_KNOWN
from tests.fakes.hostile import AnyStep, Attack, reset, truncated
from tests.fakes.session import NOW, FakeSession
from tests.schemas.plugin import check_sent

ACCOUNT, PASSWORD = "10000001", "123456"
DELIVERED_AT = datetime(2026, 10, 5, 8, 0, tzinfo=UTC)  # 26 hours before NOW
PDF_TYPE, PNG_TYPE, GIF_TYPE = "application/pdf", "image/png", "image/gif"
NO_DOCUMENT = "bytes that are no document"

# The result of each scenario at most carriers: the kind of the failure, or the type of the document.
USUAL: dict[AnyStep, ErrorKind | str] = {
    Scenario.DELIVERED: PDF_TYPE,
    Scenario.DELIVERED_PNG: PNG_TYPE,
    Scenario.DELIVERED_NO_SIGNATORY: PDF_TYPE,
    Scenario.IN_TRANSIT: ErrorKind.NOT_DELIVERED_YET,
    Scenario.UNKNOWN: ErrorKind.NOT_FOUND,
    Scenario.POD_LATE: ErrorKind.POD_NOT_AVAILABLE_YET,
    Scenario.POD_NEVER: ErrorKind.POD_NOT_AVAILABLE_YET,
    Scenario.POD_NONE: ErrorKind.POD_NOT_AVAILABLE_YET,
    Scenario.POD_UNSAID: ErrorKind.POD_NOT_AVAILABLE_YET,
    Scenario.NOT_OURS: ErrorKind.ACCESS_DENIED,
    Scenario.AUTH_REFUSED: ErrorKind.AUTH_FAILED,
    Scenario.SYSTEM_ERROR: ErrorKind.SERVER_ERROR,
    Scenario.RATE_LIMITED: ErrorKind.RATE_LIMITED,
    Scenario.FAULT_CLIENT: ErrorKind.BAD_RESPONSE,
    Scenario.FAULT_SERVER: ErrorKind.SERVER_ERROR,
    Scenario.HTML: ErrorKind.BAD_RESPONSE,
    Scenario.MAINTENANCE: ErrorKind.SERVER_ERROR,
    Scenario.BAD_GATEWAY: ErrorKind.SERVER_ERROR,
    Scenario.BAD_BASE64: ErrorKind.BAD_RESPONSE,
    Scenario.NOT_A_DOCUMENT: NO_DOCUMENT,
    Scenario.EMPTY_POD: ErrorKind.POD_NOT_AVAILABLE_YET,
    Scenario.BROKEN_PDF: NO_DOCUMENT,
    Scenario.HOLLOW_POD: NO_DOCUMENT,
    Scenario.EMPTY: ErrorKind.BAD_RESPONSE,
    Attack.TRUNCATED: ErrorKind.BAD_RESPONSE,
    Attack.INVALID_UTF8: ErrorKind.BAD_RESPONSE,
    Attack.WRONG_TYPE: ErrorKind.BAD_RESPONSE,
    Attack.DTD_BOMB: ErrorKind.BAD_RESPONSE,
    Attack.REDIRECT: ErrorKind.BAD_RESPONSE,
    Attack.SLOW: PDF_TYPE,
    Attack.DRIP: PDF_TYPE,
    Attack.DRIP_HEADERS: PDF_TYPE,
    Attack.RESET: ErrorKind.NETWORK,
    Attack.OVERSIZED: PDF_TYPE,
    Attack.GZIP_BOMB: ErrorKind.BAD_RESPONSE,
    Attack.HOSTILE_TEXT: ErrorKind.SERVER_ERROR,
    Scenario.RETURNED_TO_SENDER: ErrorKind.RETURNED_TO_SENDER,
    Scenario.ACCOUNT_DENIED: ErrorKind.ACCOUNT_DENIED,
    Scenario.DELIVERED_GIF: GIF_TYPE,
    Scenario.POD_IMAGE_ONLY: PDF_TYPE,
    Scenario.FULL_EVIDENCE: PDF_TYPE,
    Scenario.PARTLY_HOLLOW: NO_DOCUMENT,  # the result for the first part
}


# At carriers without documents, these results mean only that the parcel is delivered.
_ABOUT_DOCUMENTS = (PDF_TYPE, PNG_TYPE, GIF_TYPE, NO_DOCUMENT, ErrorKind.POD_NOT_AVAILABLE_YET)
DELIVERED_ALIKE = {scenario for scenario, came in USUAL.items() if came in _ABOUT_DOCUMENTS} | {
    Scenario.BAD_BASE64
}
USUAL_STATUS = USUAL | dict.fromkeys(DELIVERED_ALIKE, ErrorKind.POD_NEVER_AVAILABLE)


def quiet_sandbox() -> Sandbox:
    """A sandbox that does not listen, because tests call it directly."""
    box = Sandbox(now=lambda: NOW, port=9)
    box.accounts = {ACCOUNT: PASSWORD}
    return box


def client_of(carrier: str) -> Client:
    """A client with the sandbox's credentials."""
    options = {option.name: option.default for option in CATALOG.specs[carrier].options}
    return CLIENTS[carrier](options | quiet_sandbox().environment(carrier))


@lru_cache(maxsize=5000)
def simulated(carrier: str, scenario: AnyStep, call: tuple[Any, ...]) -> Answer:
    """The simulated carrier's answer to a call."""
    box = quiet_sandbox()
    number = CATALOG.specs[carrier].sample_number
    method, target, headers, body = call
    sent = dict(headers)
    client = client_of(carrier)
    service = client.token_service
    header = service.header.lower() if service else ""
    if service and client._tokens and header in sent and sent[header].startswith(service.scheme):
        box.answer(as_received(client._tokens._request))
        sent[header] = f"{service.scheme}{next(iter(box.tokens), 'none')}"
    for name in (number, number[:14], number[:8], number[2:10]):  # some requests have only a part of it
        box.parcels[name] = Parcel((scenario,))
    path, _, query = target.partition("?")
    return box.answer(HttpRequest(method, path, sent, body, query))


def as_received(request: Request) -> HttpRequest:
    """The request as a server receives it."""
    path, _, query = request.path.partition("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HttpRequest(request.method, path, headers, request.body or b"", query)


def as_response(answer: Answer) -> Response:
    """The answer as a client receives it."""
    headers = dict(answer.headers) | {"Content-Type": answer.content_type}
    return Response(answer.status, headers, answer.body)


class SimulatedSession:
    """Answers like the simulated carrier in one scenario, about the carrier's sample number."""

    def __init__(self, carrier: str, scenario: AnyStep) -> None:
        self.carrier, self.scenario = carrier, scenario

    def now(self) -> datetime:
        return NOW

    def pause(self) -> None:
        pass

    def delivery_known(self, delivery: Delivery) -> None:
        pass

    def credentials_accepted(self) -> None:
        pass

    def call(self, what: Capability, request: Request) -> Response:
        del what
        check_sent(request, self.carrier)
        received = as_received(request)
        target, headers = f"{received.path}?{received.query}", tuple(sorted(received.headers.items()))
        answer = simulated(self.carrier, self.scenario, (received.method, target, headers, received.body))
        return as_response(answer)


class SandboxSession(FakeSession):
    """A session with a stateful sandbox: a parcel's scenario continues from fetch to fetch, and tokens stay valid.

    `client` calls about `number`. Attacks on the connection reset it or cut it off. A request that violates the
    carrier's rules is refused if `lenient`, and otherwise fails the test. `script`: the parcel's scenario.
    """

    def __init__(
        self,
        client: Client,
        number: str,
        *steps: AnyStep,
        at: datetime = NOW,
        lenient: bool = False,
        **script: Any,
    ) -> None:
        super().__init__([], client, at=at)
        self.asking, self.number, self.lenient = client, number, lenient
        self.box = Sandbox(now=self.now, port=9)
        self.box.accounts = {ACCOUNT: PASSWORD}
        self.box.parcels[number] = Parcel(steps or (Scenario.DELIVERED,), **script)

    @property
    def operations(self) -> list[str]:
        """The operations called, in the carrier's names."""
        return [call.operation for call in self.box.calls]

    def fetch(self, known: Delivery | None = None) -> Outcome:
        """The client's outcome, which may also be a failed call."""
        try:
            return self.asking.fetch(self.number, known, self)
        except CallError as failed:
            return failed.failure

    def call(self, what: Capability, request: Request) -> Response:
        answer = self.answered(request)
        self.answers = [*self.answers, self._arrived(answer)]
        return super().call(what, request)

    def answered(self, request: Request) -> Answer:
        answer = self.box.answer(as_received(request))
        call = self.box.calls[-1]
        assert call.carrier == self.asking.spec.key
        assert self.lenient or call.operation != NOT_KNOWN, answer
        return answer

    def _arrived(self, answer: Answer) -> Response | Failure:
        whole = as_response(answer)
        if answer.sender is reset:
            return Failure(ErrorKind.NETWORK, "the connection was reset")
        if answer.sender is truncated:
            return replace(whole, body=whole.body[: len(whole.body) // 2])
        return whole
