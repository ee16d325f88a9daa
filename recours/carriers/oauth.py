"""OAuth2 client credentials: one token for all threads of a process, or for all processes that share a store of them.

It is fetched once, and renewed once when it is refused.
"""

import base64
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from recours.carriers import json_api
from recours.carriers.message import CarrierSession, Request, Response
from recours.carriers.outcomes import meant, unreadable
from recours.core.errors import RunError
from recours.core.outcome import CallError, Failure, NoTokenError
from recours.core.pauses import CLOCKS_DIFFER
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.core.text import clean
from recours.core.tokens import LONGEST_LIFE, AccessToken, SharedToken

# A token is renewed before its end, so that none ends under way.
_EARLY = timedelta(minutes=2)
_USUAL_LIFE_S = 3600
_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403
_REFUSALS = frozenset({400, 401, 403})  # of the token call: it speaks of no parcel
# What UPS says, of this call too, to an account whose credentials are right.
BLOCKED = "blocked merchant"

# Longer than almost every token call: then the process that asks counts as dead, and another one asks.
LEASE = timedelta(seconds=60)
_POLL_S = 0.5  # how often those who wait for its token look
_LONGEST_WAIT_S = 300.0  # while one process after the other dies of it, or the store is not to be trusted
# Without a good token in the store, how long until a fetch looks there again before it reserves a call for one.
_LOOK_AGAIN = timedelta(minutes=1)

_Use = tuple[str, Capability]  # a token, and the kind of call that it goes with


# ---------------------------------------------------------------- where processes share a token


class TokenStore(Protocol):
    """Where processes share the token of one account: `recours.database.tokens` is such a place. All raise RunError."""

    def load(self) -> SharedToken:
        """What is stored now."""

    def begin(self, holder: str, until: datetime, seen: SharedToken) -> bool:
        """Let `holder` ask for a new token, and forget the old one; False if something has changed since it was `seen`.

        `holder`: a text that no one else has held it by.
        """

    def put(self, holder: str, token: AccessToken) -> None:
        """What the holder was given. Nothing happens if another one has taken over."""

    def end(self, holder: str, failure: Failure | None) -> None:
        """The holder was given none. Nothing happens if another one has taken over."""


class Unshared:
    """No store: each process has a token of its own."""

    def load(self) -> SharedToken:
        return SharedToken()

    def begin(self, holder: str, until: datetime, seen: SharedToken) -> bool:
        del holder, until, seen
        return True

    def put(self, holder: str, token: AccessToken) -> None:
        pass

    def end(self, holder: str, failure: Failure | None) -> None:
        pass


# ---------------------------------------------------------------- the token of an account


class Tokens:
    """The token of one account."""

    def __init__(self, name: str, request: Request) -> None:
        """`request` asks the carrier `name` for a token."""
        self._name = name
        self._request = request
        self._store: TokenStore = Unshared()
        self._sleep: Callable[[float], None] = lambda _: None
        self._lock = threading.Lock()
        self._token: AccessToken | None = None
        self._seen: deque[str] = deque(maxlen=4)  # the newest first: calls with older ones may be under way
        self._tries = 0  # token calls of this process, or waits for another's, that ended, well or not
        self._failed: Failure | None = None  # how the last one ended
        self._looked_at: datetime | None = None  # when the store was last found to have none
        # Tokens with the call for whose refusal they were fetched, until such a call accepts them.
        self._in_vain: set[_Use] = set()

    def share(self, store: TokenStore, sleep: Callable[[float], None]) -> None:
        """Have all processes with this store use one token. `sleep` waits so many seconds."""
        self._store, self._sleep = store, sleep

    def setup_calls(self, now: datetime) -> dict[Capability, int]:
        """The token call that the next fetch needs, if it does."""
        is_there = (self._token is not None and self._token.is_good(now)) or self._is_in_store(now)
        return {} if is_there else {Capability.TOKEN: 1}

    def _is_in_store(self, now: datetime) -> bool:
        """Take the store's token, if it has a good one. It is asked seldom, since every few claims want to know."""
        has_looked = self._looked_at is not None and self._looked_at <= now < self._looked_at + _LOOK_AGAIN
        if has_looked or not self._lock.acquire(blocking=False):  # or a thread of this process is about it
            return False
        try:
            token = self._store.load().token
            if token is not None and token.is_good(now):
                self._take(token)
                return True
            self._looked_at = now
            return False
        finally:
            self._lock.release()

    def secrets(self) -> tuple[str, ...]:
        """The tokens that answers may repeat: the one in use, and those before."""
        return tuple(self._seen)

    def call(self, what: Capability, request: Request, session: CarrierSession) -> Response:
        """Send a request with the token; with another one if that is refused. Raises CallError.

        A call that refused a new token too has another reason: while that one holds, it brings no more of them. One that
        another process stored may be as old as the one that was refused, and be refused for that.
        """
        use = self._current(session), what
        answer = self._sent(use, request, session)
        while answer.status == _UNAUTHORIZED and use not in self._in_vain:
            use = self._current(session, refused=use), what
            answer = self._sent(use, request, session)
        return answer

    def _sent(self, use: _Use, request: Request, session: CarrierSession) -> Response:
        token, what = use
        headers = {**request.headers, "Authorization": f"Bearer {token}"}
        answer: Response = session.call(what, replace(request, headers=headers))
        if answer.status != _UNAUTHORIZED:
            self._in_vain.discard(use)
        return answer

    def _current(self, session: CarrierSession, refused: _Use | None = None) -> str:
        """A token other than one that a call refused. Of the threads that need one, one asks; the others share what comes of it."""
        seen = self._tries
        with self._lock:
            if self._token is not None and _serves(self._token, refused, session.now()):
                return self._token.text
            if self._tries != seen and self._failed is not None:
                raise NoTokenError(self._failed)
            self._token = self._failed = None
            try:
                return self._obtained(session, refused).text
            except CallError as error:
                self._failed = error.failure
                raise
            finally:
                self._tries += 1

    def _obtained(self, session: CarrierSession, refused: _Use | None) -> AccessToken:
        """What the store has, or else a new token: of the processes that need one, one asks too."""
        holder, waited_for, waited_s, waited_in_all_s = uuid.uuid4().hex, None, 0.0, 0.0
        while True:
            found, now = self._store.load(), session.now()
            if found.token is not None and _serves(found.token, refused, now):
                return self._take(found.token)
            if waited_for is not None and found.holder == waited_for and found.failure is not None:
                raise NoTokenError(found.failure)
            if found.holder != waited_for:
                waited_for, waited_s = found.holder, 0.0
            if not _is_held(found, now, waited_s) and self._store.begin(holder, now + LEASE, found):
                break
            if waited_in_all_s >= _LONGEST_WAIT_S:  # one call too many is better than none
                break
            self._sleep(_POLL_S)
            waited_s, waited_in_all_s = waited_s + _POLL_S, waited_in_all_s + _POLL_S
        token = self._fetched(session, holder)
        if refused is not None:
            self._in_vain.add((token.text, refused[1]))
        return token

    def _fetched(self, session: CarrierSession, holder: str) -> AccessToken:
        """A new token, which is the store's from now on."""
        try:
            text, life = parse_token(self._name, session.call(Capability.TOKEN, self._request))
        except BaseException as error:
            with suppress(RunError):  # then the others wait until the lease ends
                self._store.end(holder, error.failure if isinstance(error, CallError) else None)
            raise
        token = self._take(AccessToken(text, session.now() + max(life - _EARLY, life / 2)))
        with suppress(RunError):  # the next call finds out whether the database is away
            self._store.put(holder, token)
        return token

    def _take(self, token: AccessToken) -> AccessToken:
        self._seen.appendleft(token.text)
        self._token = token
        return token


def _is_held(found: SharedToken, now: datetime, waited_s: float) -> bool:
    """Tell whether another process asks, which has been waited for so long.

    The end of its lease is by its own clock: it tells only that a lease is long over.
    """
    is_new = found.held_until is not None and abs(found.held_until - now) < CLOCKS_DIFFER
    return is_new and waited_s < LEASE.total_seconds()


def _serves(token: AccessToken, refused: _Use | None, now: datetime) -> bool:
    """Tell whether a token is good, and not the one that a call refused."""
    return token.is_good(now) and (refused is None or refused[0] != token.text)


# ---------------------------------------------------------------- the call for a token


def token_request(path: str, fields: Mapping[str, str], basic: tuple[str, str] | None = None) -> Request:
    """A request for a token: form fields, and the credentials in them or as `basic` authentication."""
    from urllib.parse import urlencode  # noqa: PLC0415 (needed by carriers with tokens only)

    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if basic:
        headers["Authorization"] = basic_auth(*basic)
    return Request("POST", path, headers, urlencode(fields).encode())


def basic_auth(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def parse_token(name: str, answer: Response) -> tuple[str, timedelta]:
    """The token and how long it holds. Raises CallError.

    `expires_in` is a number at FedEx, a text at UPS and GLS.
    """
    tree = json_api.tree(answer.body)
    if answer.status in _REFUSALS:
        # In whichever of the usual places.
        first = json_api.at(json_api.items(tree, "errors") or json_api.items(tree, "response", "errors"), 0)
        said = clean(
            json_api.text(first, "message")
            or json_api.text(tree, "error_description")
            or json_api.text(tree, "error")
            or ""
        )
        is_blocked = answer.status == _FORBIDDEN and BLOCKED in said.lower()
        key = Sentence.SERVICE_DENIED if is_blocked else Sentence.CREDENTIALS_REJECTED
        raise CallError(meant(name, key, answer, said or None))
    token = json_api.text(tree, "access_token") if answer.status == _OK else None
    if token is None or not token.isascii() or not token.isprintable() or " " in token:
        raise CallError(unreadable(name, answer))
    life = json_api.text(tree, "expires_in") or ""
    is_number = life.isascii() and life.isdigit() and len(life) < 10  # noqa: PLR2004 (no more digits than seconds have)
    return token, min(timedelta(seconds=int(life) if is_number else _USUAL_LIFE_S), LONGEST_LIFE)
