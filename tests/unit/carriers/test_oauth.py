"""An account's token: how long it is used, and the result of a failed token call.

`tests/contract/test_carriers.py` covers threads that share a token, and the renewal of a refused one.
"""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from recours.carriers.message import Request, Response
from recours.carriers.oauth import Tokens, TokenService
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import CallError, Failure, NoTokenError
from recours.core.quota import Capability
from recours.sandbox import SimulatedClock

DOWN = Failure(ErrorKind.SERVER_ERROR, "UPS is unavailable (HTTP 500)", 500)
THREADS = 4


@dataclass
class TokenCarrier:
    """A carrier that issues tokens and answers calls with a valid token; also the session of these calls."""

    clock: SimulatedClock = field(default_factory=SimulatedClock)
    life_s: int = 3600
    refuses: Failure | None = None  # the results of token calls
    answers_after_s: float = 0.0
    until: dict[str, datetime] = field(default_factory=dict)  # of each issued token
    token_calls: int = 0

    def __post_init__(self) -> None:
        self.tokens = Tokens("UPS", TokenService(path="/token"), Request("POST", "/token"))

    def track(self) -> str:
        """Make a call; returns the token that was accepted."""
        answer = self.tokens.call(Capability.TRACKING, Request("GET", "/"), self)
        assert answer.status == 200
        return answer.body.decode()

    def now(self) -> datetime:
        return self.clock.now()

    def call(self, what: Capability, request: Request) -> Response:
        if what is Capability.TOKEN:
            self.token_calls += 1
            threading.Event().wait(self.answers_after_s)
            if self.refuses:
                raise CallError(self.refuses)
            token = f"t{self.token_calls}"
            self.until[token] = self.now() + timedelta(seconds=self.life_s)
            return Response(200, {}, json.dumps({"access_token": token, "expires_in": self.life_s}).encode())
        token = request.headers["Authorization"].removeprefix("Bearer ")
        is_good = token in self.until and self.now() < self.until[token]
        return Response(200 if is_good else 401, {}, token.encode())

    # A token call uses none of these methods.

    def pause(self) -> None:
        raise AssertionError

    def delivery_known(self, delivery: Delivery) -> None:
        raise AssertionError(delivery)

    def credentials_accepted(self) -> None:
        raise AssertionError


@pytest.fixture
def carrier() -> TokenCarrier:
    return TokenCarrier()


def test_a_failure_counts_for_the_threads_that_waited_and_not_for_later_calls(carrier: TokenCarrier) -> None:
    carrier.refuses, carrier.answers_after_s = DOWN, 0.2
    start = threading.Barrier(THREADS)

    def failure(_: int) -> type[Exception]:
        start.wait(60)
        with pytest.raises(CallError) as raised:
            carrier.track()
        assert raised.value.failure == DOWN
        return raised.type

    with ThreadPoolExecutor(THREADS) as threads:
        failures = list(threads.map(failure, range(THREADS)))
    assert (failures.count(CallError), failures.count(NoTokenError)) == (1, THREADS - 1)
    assert carrier.token_calls == 1
    carrier.refuses = None
    assert carrier.track() == "t2"


@pytest.mark.parametrize(("life_s", "used_for_s"), [(3600, 3480), (5, 2.5)])
def test_a_token_is_renewed_before_it_ends(carrier: TokenCarrier, life_s: int, used_for_s: float) -> None:
    carrier.life_s = life_s
    for number in range(1, 4):
        assert carrier.track() == f"t{number}"
        carrier.clock.advance(timedelta(seconds=used_for_s - 0.1))
        assert carrier.track() == f"t{number}"
        carrier.clock.advance(timedelta(seconds=0.1))


def test_answers_may_repeat_the_previous_token(carrier: TokenCarrier) -> None:
    carrier.track()
    carrier.until.clear()
    carrier.track()
    assert carrier.tokens.secrets() == ("t2", "t1")
