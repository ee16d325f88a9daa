"""OAuth2 client credentials: one token for all threads of a process, fetched once and renewed once when it is refused."""

import base64
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from recours.carriers import json_api
from recours.carriers.message import CarrierSession, Request, Response
from recours.carriers.outcomes import meant, unreadable
from recours.core.outcome import CallError, Failure
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.core.text import clean

# A token is renewed before its end, so that none ends under way.
_EARLY = timedelta(minutes=2)
_USUAL_LIFE_S = 3600
_LONGEST_LIFE_S = 86_400
_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403
_REFUSALS = frozenset({400, 401, 403})  # of the token call: it speaks of no parcel
# What UPS says, of this call too, to an account whose credentials are right.
_BLOCKED = "blocked merchant"

_Use = tuple[str, Capability]  # a token, and the kind of call that it goes with


class Tokens:
    """The token of one account."""

    def __init__(self, name: str, request: Request) -> None:
        """`request` asks the carrier `name` for a token."""
        self._name = name
        self._request = request
        self._lock = threading.Lock()
        self._token: str | None = None
        self._before: str | None = None
        self._until: datetime | None = None
        self._tries = 0  # token calls that ended, well or not
        self._failed: Failure | None = None  # how the last one ended
        # Tokens with the call for whose refusal they were fetched, until such a call accepts them.
        self._in_vain: set[_Use] = set()

    def setup_calls(self, now: datetime) -> dict[Capability, int]:
        """The token call that the next fetch needs, if it does."""
        return {} if self._is_good(now) else {Capability.TOKEN: 1}

    def secrets(self) -> tuple[str, ...]:
        """The tokens that answers may repeat: the one in use, and the one before."""
        return tuple(token for token in (self._token, self._before) if token)

    def call(self, what: Capability, request: Request, session: CarrierSession) -> Response:
        """Send a request with the token; with a new one if that is refused, once. Raises CallError.

        A call that refused a new token too has another reason: while that one holds, it brings no more of them.
        """
        use = self._current(session), what
        answer = self._sent(use, request, session)
        if answer.status != _UNAUTHORIZED or use in self._in_vain:
            return answer
        return self._sent((self._current(session, refused=use), what), request, session)

    def _sent(self, use: _Use, request: Request, session: CarrierSession) -> Response:
        token, what = use
        headers = {**request.headers, "Authorization": f"Bearer {token}"}
        answer: Response = session.call(what, replace(request, headers=headers))
        if answer.status != _UNAUTHORIZED:
            self._in_vain.discard(use)
        return answer

    def _is_good(self, now: datetime) -> bool:
        return self._token is not None and self._until is not None and now < self._until

    def _current(self, session: CarrierSession, refused: _Use | None = None) -> str:
        """A token other than one that a call refused. Of the threads that need one, one asks; the others share what comes of it."""
        seen = self._tries
        with self._lock:
            is_refused = refused is not None and self._token == refused[0]
            if self._token is not None and not is_refused and self._is_good(session.now()):
                return self._token
            if self._tries != seen and self._failed is not None:
                raise CallError(self._failed)
            self._token, self._before = None, self._token or self._before
            token = self._fetched(session)
            if refused is not None:
                self._in_vain.add((token, refused[1]))
            return token

    def _fetched(self, session: CarrierSession) -> str:
        try:
            token, life = parse_token(self._name, session.call(Capability.TOKEN, self._request))
        except CallError as error:
            self._failed = error.failure
            raise
        finally:
            self._tries += 1
        self._failed, self._token, self._until = None, token, session.now() + max(life - _EARLY, life / 2)
        return token


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
        is_blocked = answer.status == _FORBIDDEN and _BLOCKED in said.lower()
        key = Sentence.SERVICE_DENIED if is_blocked else Sentence.CREDENTIALS_REJECTED
        raise CallError(meant(name, key, answer, said or None))
    token = json_api.text(tree, "access_token") if answer.status == _OK else None
    if token is None or not token.isascii() or not token.isprintable() or " " in token:
        raise CallError(unreadable(name, answer))
    life = json_api.text(tree, "expires_in") or ""
    is_number = life.isascii() and life.isdigit() and len(life) < 10  # noqa: PLR2004 (no more digits than seconds have)
    return token, timedelta(seconds=min(int(life) if is_number else _USUAL_LIFE_S, _LONGEST_LIFE_S))
