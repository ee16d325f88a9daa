"""HTTP calls with limits, and the session in which a client makes the calls of a fetch.

A call has timeouts, a deadline and a size limit for the whole answer, and follows no redirects. The HTTP libraries must
not repeat calls, because each call first consumes a unit of the carrier's quota, which only the session can do.
"""

import http.client
import io
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import check_header_validity, default_headers, get_environ_proxies
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import DecodeError, HTTPError, NameResolutionError, ProtocolError

from recours.carriers.answers import french_day, unavailable
from recours.carriers.message import Request, Response, Wait
from recours.core.claim import Delivery
from recours.core.errors import MACHINE_FAULTS, RAISE_FILE_LIMIT, RunError
from recours.core.outcome import CallError, Failure
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.runs.ports import Clock, Reservation

LARGEST_ANSWER = 20 * 1024 * 1024  # bytes, after decompression
_PIECE = 64 * 1024
_CONNECTIONS = 100  # open connections to keep: more than any run uses for one carrier at the same time
_MAX_ORIGINS = 20
_HEADERS = dict(default_headers())

# For malformed headers, urllib3 logs the URL, whose query may contain a password or a signature.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class HttpError(Exception):
    """A call that returned nothing to parse. Its message completes a sentence that starts with the carrier's name."""

    key: Sentence


class NotSentError(HttpError):
    """The connection failed, so nothing was sent."""

    key = Sentence.UNREACHABLE


class UnresolvedError(NotSentError):
    """The carrier's host name could not be resolved."""


class MachineError(NotSentError):
    """This machine has too few file descriptors or too little memory to connect. The carrier is not at fault."""


class UntrustedServerError(NotSentError):
    key = Sentence.BAD_CERTIFICATE


class TimedOutError(HttpError):
    key = Sentence.NO_ANSWER


class BrokenAnswerError(HttpError):
    """The connection broke before the whole answer was read."""

    key = Sentence.CONNECTION_BROKEN


class UnacceptableAnswerError(HttpError):
    """An answer that is too large, cannot be decompressed, or is a redirect."""

    key = Sentence.ANSWER_UNREADABLE


class Sender(Protocol):
    """Sends requests: `Http`, or a substitute in tests and simulations."""

    def send(self, request: Request) -> Response:
        """Send the request once. Raises HttpError."""


class Http:
    """Makes calls to one base URL. Each call in progress has its own connection. No cookies are stored."""

    def __init__(
        self, base_url: str, connect_s: float, read_s: float, deadline_s: float, *, replaced: bool = False
    ) -> None:
        """Connect on the first call. Times are in seconds. `replaced`: send every request to `base_url`."""
        self.base_url = base_url
        self._replaced = replaced
        self._timeout = urllib3.Timeout(connect=connect_s, read=read_s)
        self._deadline_s = deadline_s
        self._adapter = _Adapter(pool_maxsize=_CONNECTIONS, max_retries=0)
        self._verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        self._routes: dict[str, _Route] = {}  # by origin

    def send(self, request: Request) -> Response:
        """Send the request once. Raises NotSentError, TimedOutError, BrokenAnswerError or UnacceptableAnswerError."""
        _call.deadline = deadline = time.monotonic() + self._deadline_s
        _call.connected = False
        origin = self.base_url if self._replaced or not request.origin else request.origin
        if len(self._routes) > _MAX_ORIGINS:
            # Links in answers may name more and more hosts, and a connection to each host would stay open.
            self._routes.clear()
        try:
            for header in request.headers.items():
                # http.client itself accepts values with several lines if the later lines are indented.
                check_header_validity(header)
            route = self._routes.get(origin) or self._routes.setdefault(origin, self._route_to(origin))
            # The pool is used directly because a requests session stores cookies and reads passwords from .netrc.
            answer = route.pool.urlopen(
                request.method,
                route.prefix + request.path,
                request.body,
                _HEADERS | dict(request.headers),
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=self._timeout,
                preload_content=False,
            )
            with closing(answer):
                if 300 <= answer.status < 400:  # noqa: PLR2004 (redirects)
                    raise UnacceptableAnswerError("answered with a redirect, which is not followed")
                return Response(answer.status, answer.headers, _read_body(answer, deadline))
        except (HTTPError, OSError, ValueError, http.client.HTTPException) as error:
            raise _translated(error, connected=_call.connected) from error

    def _route_to(self, origin: str) -> "_Route":
        adapter: Any = self._adapter  # only partly typed
        prepared = requests.Request("GET", origin).prepare()
        proxies = get_environ_proxies(origin)
        pool = adapter.get_connection_with_tls_context(prepared, self._verify, proxies)
        adapter.cert_verify(pool, origin, self._verify, None)
        return _Route(pool, adapter.request_url(prepared, proxies).rstrip("/"))


@dataclass(frozen=True)
class _Route:
    """The connections to an origin, or to the proxy for this origin in the environment."""

    pool: HTTPConnectionPool
    prefix: str  # to precede each path: the path of the base URL, or the whole origin if there is a proxy


def _read_body(raw: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """Read the decompressed body piece by piece, within the deadline and the size limit."""
    pieces: list[bytes] = []
    size = 0
    while piece := raw.read1(_PIECE, decode_content=True):
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise UnacceptableAnswerError(f"sent more than {LARGEST_ANSWER // (1024 * 1024)} MB")
        if time.monotonic() > deadline:
            raise TimedOutError("did not finish its answer in time")
        pieces.append(piece)
    return b"".join(pieces)


def _translated(error: Exception, *, connected: bool) -> HttpError:
    """Translate a library's exception into one that says whether the request was sent."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in chain)

    if not connected:
        return _not_sent(chain)
    if has(TimeoutError, urllib3.exceptions.TimeoutError):
        return TimedOutError("did not answer in time")
    if has(DecodeError):
        return UnacceptableAnswerError("sent an answer that cannot be decompressed")
    if has(ProtocolError, OSError, http.client.HTTPException):
        return BrokenAnswerError("closed the connection before its answer was complete")
    return UnacceptableAnswerError(f"could not be called ({type(error).__name__})")


def _not_sent(chain: Sequence[BaseException]) -> NotSentError:
    """The exception that explains why no connection could be made. `chain`: the original exception and its causes."""
    if any(isinstance(cause, OSError) and cause.errno in MACHINE_FAULTS for cause in chain):
        return MachineError("could not be reached because this machine is out of file descriptors or memory")
    if any("CERTIFICATE" in str(cause).upper() for cause in chain):
        return UntrustedServerError("presented an invalid certificate, so nothing was sent")
    is_unresolved = any(isinstance(cause, NameResolutionError) for cause in chain)
    kind = UnresolvedError if is_unresolved else NotSentError
    return kind("could not be reached: the connection failed")


# ---------------------------------------------------------------- one deadline for headers and body

# Per thread: the deadline of the current call (monotonic seconds), and whether its connection is established.
_call = threading.local()


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket with the remaining time as the timeout of each read.

    requests restarts its timeout for every piece, so a server that sends one byte per second could keep a call going
    forever.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline
        self._piece_s = sock.gettimeout()

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the stream from which http.client reads the answer."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the call's deadline has passed")
        if self._piece_s is None or seconds < self._piece_s:
            self._socket.settimeout(seconds)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer that must arrive before the call's deadline. This includes a proxy's answer to CONNECT."""

    def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
        timed: Any = _DeadlineReader(sock, _call.deadline)  # only makefile() is used
        super().__init__(timed, *args, **named)

    def begin(self) -> None:
        """Read the status and headers after all interim answers. http.client itself skips only those with 100."""
        super().begin()
        while 100 < self.status < 200:  # noqa: PLR2004 (early hints and other interim answers)
            unread: Any = None
            self.headers = self.msg = unread
            super().begin()


class _WatchedHttp(HTTPConnection):
    """A connection that records when it is established, because from then on data may have been sent."""

    response_class = _TimedResponse
    _gathered: list[bytes] | None = None

    def connect(self) -> None:
        super().connect()
        _call.connected = True

    def request(self, *args: Any, **named: Any) -> None:
        """Send head and body together, so that a killed process never leaves half a request."""
        _call.connected = _call.connected or self.sock is not None
        pieces: list[bytes] = []
        self._gathered = pieces
        try:
            super().request(*args, **named)
        finally:
            self._gathered = None
        self.send(b"".join(pieces))

    def send(self, data: Any) -> None:
        if self._gathered is None:
            super().send(data)
        else:
            self._gathered.append(data)


class _WatchedHttps(_WatchedHttp, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHttp


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHttps


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class _Adapter(HTTPAdapter):
    """An adapter of `requests` that uses our own connection classes, both directly and through a proxy."""

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **named: Any) -> Any:
        manager = super().proxy_manager_for(*args, **named)
        manager.pool_classes_by_scheme = _POOLS
        return manager


# ---------------------------------------------------------------- the calls of a fetch

# A failed call is repeated once, a few seconds later. Longer failures are left to the claim's backoff (hours to days).
_MAX_SENDS = 2
_LONGEST_PAUSE_S = 4.0
# If a gateway asks for a longer wait than this, the call is not repeated, and no run calls the carrier until then.
_LONGEST_ASKED_S = 10.0
_OK = 200
_PASSING_STATUSES = frozenset({502, 503, 504})


class _PassingError(Exception):
    """A failure that a repeated call may not have. `wait_s`: the minimum wait before the repeat."""

    def __init__(self, failure: Failure, wait_s: float = 0.0) -> None:
        self.failure = failure
        self.wait_s = wait_s


@dataclass(eq=False)
class HttpSession:
    _name: str  # the carrier's name
    _reservation: Reservation
    _http: Sender
    _clock: Clock
    _jitter: Callable[[], float]  # returns a random number from 0 to 1
    _wait_asked: Callable[[Capability, Response, datetime], Wait | None]  # the wait that an answer asks for
    calls: int = 0  # calls that were sent, as far as is known
    unsent: int = 0  # calls that could not connect
    accepted: set[Capability] = field(default_factory=set)  # capabilities that the carrier accepted
    delivery: Delivery | None = None  # the parcel's delivery, once known
    last: Capability | None = None  # the purpose of the last call
    earliest: datetime | None = None  # a delivery before this time belongs to another parcel
    repeats: bool = True  # whether to repeat a sent call once if the network or a gateway fails

    def delivery_known(self, delivery: Delivery) -> None:
        at = delivery.latest
        if at and self.earliest and at < self.earliest:
            # The status is 200, because the answer itself was valid.
            raise CallError(Failure.of(Sentence.NUMBER_REUSED, self._name, french_day(at), _OK))
        self.delivery = delivery

    def credentials_accepted(self) -> None:
        # Without a call by this fetch, the answer is from a tracking call that several fetches share.
        self.accepted.add(self.last or Capability.TRACKING)

    def now(self) -> datetime:
        return self._clock.now()

    def pause(self) -> None:
        self._clock.sleep(self._jitter() * _LONGEST_PAUSE_S)

    def call(self, capability: Capability, request: Request) -> Response:
        """Send the request, and repeat it once if the network or a gateway fails (see `repeats`). Raises CallError."""
        repeated = Retrying(
            stop=stop_after_attempt(_MAX_SENDS),
            wait=self._wait_s,
            retry=retry_if_exception_type(_PassingError),
            sleep=self._clock.sleep,
            reraise=True,
        )
        failed: list[Failure] = []
        try:
            return repeated(self._once, capability, request, failed)
        except _PassingError as error:
            raise CallError(error.failure) from error

    def _wait_s(self, state: RetryCallState) -> float:
        failed = state.outcome.exception() if state.outcome else None
        least = failed.wait_s if isinstance(failed, _PassingError) else 0.0
        return max(self._jitter() * _LONGEST_PAUSE_S, least)

    def _once(self, capability: Capability, request: Request, failed: list[Failure]) -> Response:
        self.last = capability
        try:
            self._reservation.consume(capability)
        except CallError:
            if failed:  # no unit is left for a repeat, so report the first failure
                raise CallError(failed[-1]) from None
            raise
        try:
            answer = self._http.send(request)
        except HttpError as fault:
            raise self._failed(fault, failed) from fault
        finally:
            self._reservation.called()
        self.calls += 1
        if wait := self._wait_asked(capability, answer, self._clock.now()):
            retry_at = parse_retry_after(answer.headers.get("Retry-After"), self._clock.now()) or wait.until
            status = answer.status
            detail = f"HTTP {status}"
            raise CallError(
                Failure.of(
                    Sentence.TOO_MANY_CALLS, self._name, None, status, detail=detail, retry_at=retry_at
                )
            )
        if answer.status in _PASSING_STATUSES:
            raise self._unavailable(answer, failed)
        return answer

    def _unavailable(self, answer: Response, failed: list[Failure]) -> Exception:
        now = self._clock.now()
        retry_at = parse_retry_after(answer.headers.get("Retry-After"), now)
        wait_s = (retry_at - now).total_seconds() if retry_at else 0.0
        is_short = wait_s <= _LONGEST_ASKED_S
        failure = replace(unavailable(self._name, answer), retry_at=None if is_short else retry_at)
        failed.append(failure)
        return _PassingError(failure, wait_s) if is_short and self.repeats else CallError(failure)

    def _failed(self, fault: HttpError, failed: list[Failure]) -> Exception:
        is_sent = not isinstance(fault, NotSentError)
        if is_sent:
            self.calls += 1
        else:
            self.unsent += 1
            self._reservation.refund()
        is_resolved = not isinstance(fault, UnresolvedError)
        message = f"{self._name} {fault}"
        failure = Failure.of(fault.key, self._name, message=message, connected=is_sent, resolved=is_resolved)
        failed.append(failure)
        if isinstance(fault, MachineError):
            return RunError(f"{message}. {RAISE_FILE_LIMIT}")
        passing = isinstance(fault, NotSentError) or (self.repeats and isinstance(fault, BrokenAnswerError))
        return _PassingError(failure) if passing else CallError(failure)


def parse_retry_after(text: str | None, now: datetime) -> datetime | None:
    """The time in a Retry-After header (seconds or an HTTP date), or None if it cannot be read."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return now + timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        at = parsedate_to_datetime(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
