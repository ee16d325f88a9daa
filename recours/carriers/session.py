"""How a carrier's client speaks to it: each call takes its unit of quota first, and is repeated only where that helps."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from recours.carriers.http import (
    BrokenAnswerError,
    Http,
    HttpError,
    NotSentError,
    TimedOutError,
    UnacceptableAnswerError,
    UntrustedServerError,
)
from recours.carriers.message import Request, Response
from recours.carriers.outcomes import out_of_order
from recours.core.claim import Delivery
from recours.core.outcome import CallError, Failure
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.runs.ports import Clock, Reservation, Wait

# One repeat, a few seconds later: hours and days belong to the timetable.
TRIES = 2
_LONGEST_PAUSE_S = 4.0
# A gateway that asks for no more than this is waited for by the repeat; one that asks for more is left alone by all.
_LONGEST_ASKED_S = 10.0
_PASSING_STATUSES = frozenset({502, 503, 504})

_SENTENCES: dict[type[HttpError], Sentence] = {
    NotSentError: Sentence.UNREACHABLE,
    UntrustedServerError: Sentence.BAD_CERTIFICATE,
    BrokenAnswerError: Sentence.CONNECTION_BROKEN,
    TimedOutError: Sentence.NO_ANSWER,
    UnacceptableAnswerError: Sentence.ANSWER_UNREADABLE,
}


class _PassingError(Exception):
    """A failure that a repeat within seconds may mend. `wait_s`: the least that it is to come after."""

    def __init__(self, failure: Failure, wait_s: float = 0.0) -> None:
        self.failure = failure
        self.wait_s = wait_s


WaitAsked = Callable[[Capability, Response, datetime], Wait | None]


class HttpSession:
    """The calls of one fetch."""

    def __init__(
        self,
        name: str,
        reservation: Reservation,
        http: Http,
        clock: Clock,
        jitter: Callable[[], float],
        wait_asked: WaitAsked,
    ) -> None:
        """`jitter`: a number from 0 to 1, a fresh one each time. `wait_asked`: by which sign the carrier asks to wait."""
        self._name = name
        self._wait_asked = wait_asked
        self._reservation = reservation
        self._http = http
        self._clock = clock
        self._jitter = jitter
        self.calls = 0  # that were sent, as far as can be known
        self.unsent = 0  # that could not connect
        self.accepted = False  # our account, by an answer
        self.delivery: Delivery | None = None  # of the parcel, as far as it was learnt
        self.last: Capability | None = None  # what the last call was for

    def delivery_known(self, delivery: Delivery) -> None:
        """The parcel is delivered: whatever fails from here on, that is kept."""
        self.delivery = delivery

    def credentials_accepted(self) -> None:
        """An answer showed that our account is good."""
        self.accepted = True

    def now(self) -> datetime:
        return self._clock.now()

    def pause(self) -> None:
        self._clock.sleep(self._jitter() * _LONGEST_PAUSE_S)

    def call(self, what: Capability, request: Request) -> Response:
        """Send the request, once more if the network or a gateway failed. Raises CallError."""
        repeated = Retrying(
            stop=stop_after_attempt(TRIES),
            wait=self._wait_s,
            retry=retry_if_exception_type(_PassingError),
            sleep=self._clock.sleep,
            reraise=True,
        )
        failed: list[Failure] = []
        try:
            return repeated(self._once, what, request, failed)
        except _PassingError as error:
            raise CallError(error.failure) from error

    def _wait_s(self, state: RetryCallState) -> float:
        failed = state.outcome.exception() if state.outcome else None
        least = failed.wait_s if isinstance(failed, _PassingError) else 0.0
        return max(self._jitter() * _LONGEST_PAUSE_S, least)

    def _once(self, what: Capability, request: Request, failed: list[Failure]) -> Response:
        self.last = what
        try:
            self._reservation.consume(what)
        except CallError:
            if failed:  # no unit for a repeat: the first failure stands
                raise CallError(failed[-1]) from None
            raise
        try:
            answer = self._http.send(request)
        except HttpError as fault:
            raise self._failed(fault, what, failed) from fault
        self.calls += 1
        if wait := self._wait_asked(what, answer, self._clock.now()):
            raise CallError(self._asked_to_wait(answer, wait))
        if answer.status in _PASSING_STATUSES:
            raise self._out_of_order(answer, failed)
        return answer

    def _out_of_order(self, answer: Response, failed: list[Failure]) -> Exception:
        now = self._clock.now()
        asked = parse_retry_after(answer.headers.get("Retry-After"), now)
        wait_s = (asked - now).total_seconds() if asked else 0.0
        is_short = wait_s <= _LONGEST_ASKED_S
        failure = replace(out_of_order(self._name, answer), retry_at=None if is_short else asked)
        failed.append(failure)
        return _PassingError(failure, wait_s) if is_short else CallError(failure)

    def _failed(self, fault: HttpError, what: Capability, failed: list[Failure]) -> Exception:
        sent = not isinstance(fault, NotSentError)
        if sent:
            self.calls += 1
        else:
            self.unsent += 1
            self._reservation.refund(what)
        told = Failure.of(_SENTENCES[type(fault)], self._name, message=f"{self._name} {fault}")
        failure = replace(told, connected=sent)
        failed.append(failure)
        passing = isinstance(fault, NotSentError | BrokenAnswerError)
        return _PassingError(failure) if passing else CallError(failure)

    def _asked_to_wait(self, answer: Response, wait: Wait) -> Failure:
        retry_at = parse_retry_after(answer.headers.get("Retry-After"), self._clock.now()) or wait.until
        detail = f"HTTP {answer.status}"
        failure = Failure.of(Sentence.TOO_MANY_CALLS, self._name, None, answer.status, detail=detail)
        return replace(failure, retry_at=retry_at)


def parse_retry_after(text: str | None, now: datetime) -> datetime | None:
    """Seconds, or an HTTP date; None if the carrier named no time that can be read."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return now + timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        at = parsedate_to_datetime(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
