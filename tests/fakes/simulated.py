"""A line behind which the simulated carrier answers at once, without a server."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from recours.carriers.client import Client
from recours.carriers.message import Request, Response
from recours.carriers.registry import CATALOG, CLIENTS
from recours.core.claim import Delivery
from recours.core.quota import Capability
from recours.sandbox import Parcel, Sandbox, Scenario
from recours.sandbox.answers import Answer, HttpRequest

NOW = datetime(2026, 10, 6, 10, 0, tzinfo=UTC)


def quiet_sandbox() -> Sandbox:
    """One that listens nowhere, and is asked directly."""
    return Sandbox(now=lambda: NOW, port=9)


def client_of(carrier: str) -> Client:
    """A client with the sandbox's credentials."""
    options = {option.name: option.default for option in CATALOG.specs[carrier].options}
    return CLIENTS[carrier](options | quiet_sandbox().environment(carrier))


@lru_cache(maxsize=5000)
def simulated(carrier: str, scenario: Scenario, call: tuple[Any, ...]) -> Answer:
    """What the simulated carrier answers; asked once for each call."""
    box = quiet_sandbox()
    number = CATALOG.specs[carrier].sample_number
    method, target, headers, body = call
    sent = dict(headers)
    if sent.get("authorization", "").startswith("Bearer "):
        box.answer(as_received(client_of(carrier)._tokens._request))  # type: ignore[attr-defined]  # it has some
        sent["authorization"] = f"Bearer {next(iter(box.tokens), 'none')}"
    for name in (number, number[:14], number[:8], number[2:10]):  # some carriers are sent a part of it
        box.parcels[name] = Parcel((scenario,))
    path, _, query = target.partition("?")
    return box.answer(HttpRequest(method, path, sent, body, query))


def as_received(request: Request) -> HttpRequest:
    """The request as a server sees it."""
    path, _, query = request.path.partition("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HttpRequest(request.method, path, headers, request.body or b"", query)


class SimulatedLine:
    """Answers as the simulated carrier does in one scenario, about the carrier's sample number."""

    def __init__(self, carrier: str, scenario: Scenario) -> None:
        self.carrier, self.scenario = carrier, scenario

    def now(self) -> datetime:
        return NOW

    def pause(self) -> None:
        pass

    def learnt(self, delivery: Delivery) -> None:
        pass

    def credentials_accepted(self) -> None:
        pass

    def call(self, what: Capability, request: Request) -> Response:
        del what
        received = as_received(request)
        target, headers = f"{received.path}?{received.query}", tuple(sorted(received.headers.items()))
        answer = simulated(self.carrier, self.scenario, (received.method, target, headers, received.body))
        return Response(
            answer.status, dict(answer.headers) | {"Content-Type": answer.content_type}, answer.body
        )
