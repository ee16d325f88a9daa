"""A store of one account's token in memory, for processes that are threads or take turns; and a carrier that gives tokens."""

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from recours.carriers.message import Request, Response
from recours.core.claim import Delivery
from recours.core.outcome import CallError, Failure
from recours.core.quota import Capability
from recours.core.tokens import AccessToken, SharedToken


@dataclass
class MemoryTokens:
    """See `TokenStore`."""

    stored: SharedToken = field(default_factory=SharedToken)
    loads: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _versions: "itertools.count[int]" = field(default_factory=itertools.count)

    def load(self) -> SharedToken:
        self.loads += 1
        return self.stored

    def begin(self, holder: str, until: datetime, seen: SharedToken) -> bool:
        with self._lock:
            if (self.stored.holder, self.stored.sealed) != (seen.holder, seen.sealed):
                return False
            self.stored = SharedToken(holder=holder, held_until=until)
            return True

    def put(self, holder: str, token: AccessToken) -> None:
        self._end(holder, token, None)

    def end(self, holder: str, failure: Failure | None) -> None:
        self._end(holder, None, failure)

    def _end(self, holder: str, token: AccessToken | None, failure: Failure | None) -> None:
        with self._lock:
            if self.stored.holder == holder:
                sealed = f"{next(self._versions)}" if token or failure else None
                self.stored = SharedToken(token, holder, None, failure, sealed)


@dataclass
class TokenCarrier:
    """Gives tokens that hold for `life_s` seconds by its own clock, and answers calls that show one."""

    now: Callable[[], datetime]
    life_s: int = 3600
    refuses: Failure | None = None  # how calls for a token end
    until: dict[str, datetime] = field(default_factory=dict)  # of each token that was given
    token_calls: int = 0
    denied: frozenset[Capability] = frozenset()  # calls for which no token is good
    refused: int = 0  # calls whose token was

    def answer(self, what: Capability, request: Request) -> Response:
        if what is Capability.TOKEN:
            self.token_calls += 1
            if self.refuses:
                raise CallError(self.refuses)
            token = f"t{self.token_calls}"
            self.until[token] = self.now() + timedelta(seconds=self.life_s)
            body = json.dumps({"access_token": token, "expires_in": self.life_s})
            return Response(200, {}, body.encode())
        token = request.headers["Authorization"].removeprefix("Bearer ")
        is_good = token in self.until and self.now() < self.until[token] and what not in self.denied
        self.refused += not is_good
        return Response(200 if is_good else 401, {}, token.encode())

    def revoke(self) -> None:
        """No token that was given is good any more."""
        self.until.clear()


@dataclass
class TokenSession:
    """A line to such a carrier, in a process whose clock is `ahead` of the carrier's."""

    carrier: TokenCarrier
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return self.carrier.now() + self.ahead

    def call(self, what: Capability, request: Request) -> Response:
        return self.carrier.answer(what, request)

    # A call for a token does none of these.

    def pause(self) -> None:
        raise AssertionError

    def delivery_known(self, delivery: Delivery) -> None:
        raise AssertionError(delivery)

    def credentials_accepted(self) -> None:
        raise AssertionError


def held_by(store: MemoryTokens, holder: str, until: datetime) -> None:
    """Another process asks for a token."""
    store.stored = replace(
        store.stored, token=None, holder=holder, held_until=until, failure=None, sealed=None
    )
