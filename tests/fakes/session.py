"""A session for a carrier's client: requests are stored, answers are scripted."""

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
    """Answers each call with the next answer, or fails with it.

    `client`: an answer that its client reads as a request to wait fails as in a real session. `checks_requests`:
    against the carrier's schema; without it, many answers to the same requests cost less.
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
    """A client's outcome for these answers, each of which it must have requested, and the session.

    Raises CallError with the delivery known by then: the queue adds it.
    """
    line = FakeSession(answers, client)
    try:
        outcome = client.fetch(number, known, line)
    except CallError as failed:
        raise CallError(replace(failed.failure, delivery=line.known)) from failed
    assert len(line.requests) == len(answers)
    return outcome, line
