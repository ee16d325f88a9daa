"""Rehearsals: record the calls of one trial fetch, and replay a recording offline."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import random
from typing import Any

from requests.structures import CaseInsensitiveDict

from recours.accounts.opened import make_queue, open_accounts
from recours.app import App
from recours.carriers import http
from recours.carriers.client import Client, add_delivery
from recours.carriers.http import HttpError, HttpSession, Sender, UnacceptableAnswerError
from recours.carriers.message import Request, Response
from recours.carriers.registry import CATALOG, CLIENTS
from recours.core.outcome import CallError, Failure, Outcome
from recours.core.pauses import Refusal
from recours.core.quota import Capability
from recours.core.text import Redactor
from recours.host.files import PRIVATE, read_regular
from recours.sandbox.scenarios import SimulatedClock
from recours.settings.model import redactor

_TOKEN = re.compile(rb'"\w*token"\s*:\s*"([^"\\]+)"')
# Mondial Relay's signature is a hash, from which its short key could be guessed.
_SIGNATURE = re.compile(rb"<(?:\w+:)?Security>([^<]+)<")
# A signed link to an image in S3 gives access to the image without an account.
_SIGNED_LINK = re.compile(rb"X-Amz-(?:Signature|Security-Token|Credential)=([^&\"\\\s]+)")
_LARGEST = 100 * 1024 * 1024


@dataclass(frozen=True)
class Recording:
    """The recording of one fetch. `kind`: see `kind_of`. `options`: the carrier settings that its client needs.

    `calls`: each request with its answer, or with the name of the HttpError that was raised instead. Bytes of a body
    that are not valid UTF-8 are stored as lone surrogates (Python's `surrogateescape`).
    """

    carrier: str
    number: str
    options: Mapping[str, str]
    recorded_at: str  # an ISO time
    kind: str
    calls: Sequence[Mapping[str, Any]]

    def save(self, path: Path) -> None:
        """Write a new file that only this user may read, because it names people. Raises OSError."""
        with open(path, "x", encoding="utf-8", opener=PRIVATE.opener) as file:
            json.dump(asdict(self), file, indent=1)


def load(path: Path) -> Recording:
    """Load a recording. Raises OSError, or KeyError, TypeError, ValueError, AttributeError if it is not a recording."""
    recording = Recording(**json.loads(read_regular(path, _LARGEST)))
    _opened(recording)
    return recording


def kind_of(outcome: Outcome) -> str:
    """Return `success` or the kind of error."""
    return outcome.kind.value if isinstance(outcome, Failure) else "success"


@dataclass(frozen=True)
class _Recorder:
    """Records every call and its answer or error."""

    sender: Sender
    exchanges: list[tuple[Request, Response | HttpError]]

    def send(self, request: Request) -> Response:
        try:
            answer = self.sender.send(request)
        except HttpError as error:
            self.exchanges.append((request, error))
            raise
        self.exchanges.append((request, answer))
        return answer


def rehearse(app: App, carrier: str, number: str) -> tuple[Outcome, Recording, Redactor] | Refusal:
    """Fetch one number as a run would, or return the refusal. The recording contains no secrets. Raises RunError."""
    exchanges: list[tuple[Request, Response | HttpError]] = []
    opened = open_accounts(app.settings, app.clock, random, lambda sender: _Recorder(sender, exchanges))
    queue = make_queue(app.settings, app.database, app.clock, random, opened)
    try:
        fetched = queue.check_credentials(carrier, number)
    finally:
        queue.leave()
    if isinstance(fetched, Refusal):
        return fetched
    redact = redactor(app.settings)
    if client := opened[carrier].client:
        redact.add(client.secrets())
    for request, answer in exchanges:
        redact.add(text.decode() for text in _SIGNATURE.findall(request.body or b""))
        if isinstance(answer, Response):  # redact all its tokens, even if the client did not use them
            secrets = _TOKEN.findall(answer.body) + _SIGNED_LINK.findall(answer.body)
            redact.add(secret.decode("utf-8", "replace") for secret in secrets)
    recording = Recording(
        carrier,
        number,
        app.settings.credentials[carrier].options,
        app.clock.now().astimezone(UTC).isoformat(timespec="seconds"),
        kind_of(fetched.outcome),
        [_written(request, answer, redact) for request, answer in exchanges],
    )
    return fetched.outcome, recording, redact


def _written(request: Request, answer: Response | HttpError, redact: Redactor) -> dict[str, Any]:
    path = redact(request.origin + request.path)
    content = _content(request.headers, request.body or b"", redact)
    call: dict[str, Any] = {"request": {"method": request.method, "path": path, **content}}
    if isinstance(answer, HttpError):
        return call | {"error": type(answer).__name__}
    return call | {"status": answer.status, **_content(answer.headers, answer.body, redact)}


def _content(headers: Mapping[str, str], body: bytes, redact: Redactor) -> dict[str, Any]:
    text = redact(body.decode("utf-8", "surrogateescape"))
    return {"headers": {name: redact(value) for name, value in headers.items()}, "body": text}


def read_again(recording: Recording) -> Outcome:
    """Replay the recorded answers with the carrier's client, and return the outcome."""
    client, session = _opened(recording)
    try:
        return client.fetch(recording.number, None, session)
    except CallError as error:
        return add_delivery(error.failure, session.delivery)


def _opened(recording: Recording) -> tuple[Client, HttpSession]:
    """Return a client that receives the recorded answers. Raises KeyError, TypeError, ValueError, AttributeError."""
    spec = CATALOG.specs[recording.carrier]
    client = CLIENTS[spec.key](dict.fromkeys(spec.credentials[0], "***") | dict(recording.options))
    answers = _Answers([answer_of(call) for call in recording.calls])
    clock = SimulatedClock(datetime.fromisoformat(recording.recorded_at))
    return client, HttpSession(spec.name, Unlimited(), answers, clock, lambda: 0.0, client.wait_asked)


def answer_of(call: Mapping[str, Any]) -> Response | HttpError:
    if name := call.get("error"):
        error: HttpError = getattr(http, name)("gave the recorded error")
        return error
    headers = {name: str(value) for name, value in call["headers"].items()}
    content = call["body"].encode("utf-8", "surrogateescape")
    return Response(int(call["status"]), CaseInsensitiveDict(headers), content)


@dataclass(frozen=True)
class _Answers:
    """Returns the recorded answers in order, in place of `Http`."""

    remaining: list[Response | HttpError]

    def send(self, request: Request) -> Response:
        """Return the next answer, or raise the HttpError that was recorded instead."""
        del request
        if not self.remaining:
            raise UnacceptableAnswerError("has no further answer in the recording")
        answer = self.remaining.pop(0)
        if isinstance(answer, HttpError):
            raise answer
        return answer


class Unlimited:
    """A reservation without quotas."""

    def consume(self, capability: Capability) -> None:
        pass

    def called(self) -> None:
        pass

    def refund(self) -> None:
        pass

    def release(self) -> None:
        pass
