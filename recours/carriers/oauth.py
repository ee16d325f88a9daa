"""OAuth2: one token for all threads of a process, fetched once, and renewed once when it is refused."""

import base64
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from urllib.parse import urlencode

from recours.carriers import json_api
from recours.carriers.answers import failure_of, unreadable
from recours.carriers.message import CarrierSession, Request, Response
from recours.core.outcome import CallError, Failure, NoTokenError
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.core.text import clean

# A token is renewed before its end, so that none ends under way.
_EARLY = timedelta(minutes=2)
_USUAL_LIFE_S = 3600
_LONGEST_LIFE = timedelta(days=1)
_REFUSALS = frozenset({400, 401, 403})  # of the token call: it speaks of no parcel
# What UPS says, of this call too, to an account whose credentials are right.
_BLOCKED = "blocked merchant"

_Use = tuple[str, Capability]  # a token, and the kind of call that it goes with


@dataclass(frozen=True, kw_only=True)
class TokenService:
    """Where a carrier gives tokens, for what, and how its calls show them."""

    path: str
    origin: str = ""  # https://host, where that is not the carrier's base URL
    has_account_in_form: bool = False  # else it goes by Basic authentication
    # The setting that holds one, which the account's owner got; "": the account alone is enough.
    refresh_token: str = ""
    header: str = "Authorization"
    scheme: str = "Bearer "
    # The statuses of a call whose token is not good.
    refusals: frozenset[int] = frozenset({HTTPStatus.UNAUTHORIZED})

    def request(self, settings: Mapping[str, str], user: str, password: str) -> Request:
        """The request for a token."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        fields = {"grant_type": "client_credentials"}
        if self.refresh_token:
            fields = {"grant_type": "refresh_token", "refresh_token": settings[self.refresh_token]}
        if self.has_account_in_form:
            fields |= {"client_id": user, "client_secret": password}
        else:
            headers["Authorization"] = basic_auth(user, password)
        return Request("POST", self.path, headers, urlencode(fields).encode(), self.origin)


@dataclass(frozen=True)
class AccessToken:
    text: str = field(repr=False)
    until: datetime  # when it is to be renewed: a while before its end

    def serves(self, now: datetime, refused: _Use | None = None) -> bool:
        """Tell whether it still holds, and is not the one that a call refused."""
        return now < self.until and (refused is None or refused[0] != self.text)


@dataclass(eq=False)
class Tokens:
    """The token of one account, for all threads of a process."""

    _name: str  # the carrier's
    _service: TokenService
    _request: Request  # for a token
    _token: AccessToken | None = field(default=None, repr=False)
    # The newest first: calls with older ones may be under way.
    _recent: deque[str] = field(default_factory=partial(deque, maxlen=4), repr=False)
    _tries: int = 0  # token calls that ended, well or not
    _failed: Failure | None = None  # how the last one ended
    # Tokens with the call for whose refusal they were fetched, until such a call accepts them.
    _in_vain: set[_Use] = field(default_factory=set, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def setup_calls(self, now: datetime) -> dict[Capability, int]:
        """The token call that the next fetch needs, if it does."""
        is_valid = self._token is not None and self._token.serves(now)
        return {} if is_valid else {Capability.TOKEN: 1}

    def secrets(self) -> tuple[str, ...]:
        """The tokens that answers may repeat: the one in use, and those before."""
        return tuple(self._recent)

    def call(self, capability: Capability, request: Request, session: CarrierSession) -> Response:
        """Send a request with the token; with another one if that is refused. Raises CallError.

        A call that refused a new token too has another reason: while that one holds, it brings no more of them.
        """
        use = self._current(session), capability
        answer = self._send(use, request, session)
        while answer.status in self._service.refusals and use not in self._in_vain:
            use = self._current(session, refused=use), capability
            answer = self._send(use, request, session)
        return answer

    def _send(self, use: _Use, request: Request, session: CarrierSession) -> Response:
        token, capability = use
        headers = {**request.headers, self._service.header: f"{self._service.scheme}{token}"}
        answer: Response = session.call(capability, replace(request, headers=headers))
        if answer.status not in self._service.refusals:
            self._in_vain.discard(use)
        return answer

    def _current(self, session: CarrierSession, refused: _Use | None = None) -> str:
        """A token other than one that a call refused. Of the threads that need one, one asks; the others share what comes of it."""
        tries = self._tries
        with self._lock:
            if self._token is not None and self._token.serves(session.now(), refused):
                return self._token.text
            if self._tries != tries and self._failed is not None:
                raise NoTokenError(self._failed)
            self._token = self._failed = None
            try:
                text, life = parse_token(self._name, session.call(Capability.TOKEN, self._request))
                self._recent.appendleft(text)
                self._token = AccessToken(text, session.now() + max(life - _EARLY, life / 2))
            except CallError as error:
                self._failed = error.failure
                raise
            finally:
                self._tries += 1
            if refused is not None:
                self._in_vain.add((self._token.text, refused[1]))
            return self._token.text


# ---------------------------------------------------------------- the call for a token


def basic_auth(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def parse_token(name: str, answer: Response) -> tuple[str, timedelta]:
    """The token and how long it holds. Raises CallError.

    `expires_in` is a number at FedEx, a text at UPS and GLS.
    """
    tree = json_api.tree(answer.body)
    if answer.status in _REFUSALS:
        # In whichever of the usual places.
        places = ("errors.message", "response.errors.message", "error_description", "error")
        carrier_text = clean(json_api.first_text(tree, *places) or "")
        is_blocked = answer.status == HTTPStatus.FORBIDDEN and _BLOCKED in carrier_text.lower()
        key = Sentence.SERVICE_DENIED if is_blocked else Sentence.CREDENTIALS_REJECTED
        raise CallError(failure_of(name, key, answer, carrier_text or None))
    token = json_api.text(tree, "access_token") if answer.is_ok else None
    if token is None or not token.isascii() or not token.isprintable() or " " in token:
        raise CallError(unreadable(name, answer))
    life = json_api.text(tree, "expires_in") or ""
    is_number = life.isascii() and life.isdigit() and len(life) < 10  # noqa: PLR2004 (no more digits than seconds have)
    return token, min(timedelta(seconds=int(life) if is_number else _USUAL_LIFE_S), _LONGEST_LIFE)
