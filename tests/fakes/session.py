"""A session for a carrier's client that stores the requests and returns scripted answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from recours.carriers.client import Client
from recours.carriers.message import Request, Response
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import CallError, Failure, Outcome
from recours.core.quota import Capability
from tests.schemas.plugin import check_sent

NOW = datetime(2026, 10, 6, 10, 0, tzinfo=UTC)


@dataclass
class FakeSession:
    """Answers each call with the next answer, or raises it if it is a failure.

    `client`: if this client understands an answer as a request to wait, the call fails as in a real session.
    `checks_requests`: whether to check requests against the carrier's schema. Tests with many answers skip this check.
    """

    answers: Sequence[Response | Failure]
    client: Client | None = None
    requests: list[tuple[Capability, Request]] = field(default_factory=list)
    accepted: bool = False
    known: Delivery | None = None
    pauses: int = 0
    at: datetime = NOW
    checks_requests: bool = True

    def now(self) -> datetime:
        return self.at

    def pause(self) -> None:
        self.pauses += 1

    def call(self, what: Capability, request: Request) -> Response:
        answer = self.answers[len(self.requests)]
        self.requests.append((what, request))
        if self.checks_requests:
            check_sent(request, self.client.spec.key if self.client else None)
        if isinstance(answer, Failure):
            raise CallError(answer)
        if self.client and (wait := self.client.wait_asked(what, answer, self.at)):
            raise CallError(Failure(ErrorKind.RATE_LIMITED, "wait", answer.status, retry_at=wait.until))
        return answer

    def delivery_known(self, delivery: Delivery) -> None:
        self.known = delivery

    def credentials_accepted(self) -> None:
        self.accepted = True


def fetched(
    client: Client, number: str, answers: Sequence[Response | Failure], known: Delivery | None = None
) -> tuple[Outcome, FakeSession]:
    """A client's outcome for these answers, all of which it must use, and the session.

    Like the queue, adds the delivery known so far to a CallError.
    """
    line = FakeSession(answers, client)
    try:
        outcome = client.fetch(number, known, line)
    except CallError as failed:
        raise CallError(replace(failed.failure, delivery=line.known)) from failed
    assert len(line.requests) == len(answers)
    return outcome, line
