"""OAuth 2.0 tokens. All threads of a process share one token. If a call rejects the token, recours renews it once."""

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

# Tokens are renewed early so that none expires during a call.
_EARLY = timedelta(minutes=2)
_USUAL_LIFE_S = 3600
_LONGEST_LIFE = timedelta(days=1)
_REFUSALS = frozenset({400, 401, 403})  # of a token call, which concerns no parcel
# UPS also answers token calls with this text if the credentials are correct.
_BLOCKED = "blocked merchant"

_Use = tuple[str, Capability]  # a token and the capability it is used for


@dataclass(frozen=True, kw_only=True)
class TokenService:
    """How to request a carrier's tokens and how its calls send them."""

    path: str
    origin: str = ""  # https://host, if it is not the carrier's base URL
    has_account_in_form: bool = False  # otherwise Basic authentication is used
    # The setting with the refresh token that the account's owner obtained; empty if the carrier needs no refresh token.
    refresh_token: str = ""
    header: str = "Authorization"
    scheme: str = "Bearer "
    # The HTTP statuses with which a call rejects its token.
    refusals: frozenset[int] = frozenset({HTTPStatus.UNAUTHORIZED})

    def request(self, settings: Mapping[str, str], user: str, password: str) -> Request:
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
    until: datetime  # when to renew the token, some time before it expires

    def serves(self, now: datetime, refused: _Use | None = None) -> bool:
        """Return whether the token is still valid and is not the token that a call rejected (`refused`)."""
        return now < self.until and (refused is None or refused[0] != self.text)


@dataclass(eq=False)
class Tokens:
    """The token of one account, shared by all threads of a process."""

    _name: str  # the carrier's name
    _service: TokenService
    _request: Request  # the request for a token
    _token: AccessToken | None = field(default=None, repr=False)
    # Newest first. Calls with older tokens may still be in progress.
    _recent: deque[str] = field(default_factory=partial(deque, maxlen=4), repr=False)
    _finished_calls: int = 0  # successful and failed token calls
    _failed: Failure | None = None  # the failure of the last token call
    # Tokens that replaced a rejected token. Each is removed once a call with the same capability accepts it.
    _refused_renewals: set[_Use] = field(default_factory=set, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def setup_calls(self, now: datetime) -> dict[Capability, int]:
        """The token call, if the next fetch needs one."""
        is_valid = self._token is not None and self._token.serves(now)
        return {} if is_valid else {Capability.TOKEN: 1}

    def secrets(self) -> tuple[str, ...]:
        """The tokens that answers may repeat: the current one and its predecessors."""
        return tuple(self._recent)

    def call(self, capability: Capability, request: Request, session: CarrierSession) -> Response:
        """Send a request with the token, and again with a new token if the first is rejected. Raises CallError.

        If a new token is rejected too, the token is not the reason. In that case, no more tokens are fetched for that
        capability until the new token expires.
        """
        use = self._current(session), capability
        answer = self._send(use, request, session)
        while answer.status in self._service.refusals and use not in self._refused_renewals:
            use = self._current(session, refused=use), capability
            answer = self._send(use, request, session)
        return answer

    def _send(self, use: _Use, request: Request, session: CarrierSession) -> Response:
        token, capability = use
        headers = {**request.headers, self._service.header: f"{self._service.scheme}{token}"}
        answer: Response = session.call(capability, replace(request, headers=headers))
        if answer.status not in self._service.refusals:
            self._refused_renewals.discard(use)
        return answer

    def _current(self, session: CarrierSession, refused: _Use | None = None) -> str:
        """A token other than the rejected token. One of the waiting threads fetches it for all of them."""
        finished_calls = self._finished_calls
        with self._lock:
            if self._token is not None and self._token.serves(session.now(), refused):
                return self._token.text
            if self._finished_calls != finished_calls and self._failed is not None:
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
                self._finished_calls += 1
            if refused is not None:
                self._refused_renewals.add((self._token.text, refused[1]))
            return self._token.text


# ---------------------------------------------------------------- the call for a token


def basic_auth(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def parse_token(name: str, answer: Response) -> tuple[str, timedelta]:
    """The token and its lifetime. Raises CallError.

    `expires_in` is a number at FedEx and a text at UPS and GLS.
    """
    tree = json_api.tree(answer.body)
    if answer.status in _REFUSALS:
        places = ("errors.message", "response.errors.message", "error_description", "error")
        carrier_text = clean(json_api.first_text(tree, *places) or "")
        is_blocked = answer.status == HTTPStatus.FORBIDDEN and _BLOCKED in carrier_text.lower()
        key = Sentence.SERVICE_DENIED if is_blocked else Sentence.CREDENTIALS_REJECTED
        raise CallError(failure_of(name, key, answer, carrier_text or None))
    token = json_api.text(tree, "access_token") if answer.is_ok else None
    if token is None or not token.isascii() or not token.isprintable() or " " in token:
        raise CallError(unreadable(name, answer))
    life = json_api.text(tree, "expires_in") or ""
    is_number = life.isascii() and life.isdigit() and len(life) < 10  # noqa: PLR2004 (more digits cannot be a lifetime)
    return token, min(timedelta(seconds=int(life) if is_number else _USUAL_LIFE_S), _LONGEST_LIFE)
