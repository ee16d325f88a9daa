"""The sandbox: one HTTP server on loopback for all simulated carriers."""

import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from recours.sandbox.answers import (
    Answer,
    BadRequestError,
    GivesTokens,
    HttpRequest,
    Question,
    SimulatedCarrier,
    TracksSeveral,
)
from recours.sandbox.registry import SIMULATED
from recours.sandbox.scenarios import Behavior, Parcel, ParcelState, Scenario, ScriptProgress, parcel_for

_PHRASES = {status.value: status.phrase for status in HTTPStatus}  # some carriers use non-standard statuses


def head_of(answer: Answer, length: int, *, last: bool) -> bytes:
    """The status line and the headers, including the empty line."""
    lines = [
        f"HTTP/1.1 {answer.status} {_PHRASES.get(answer.status, 'Refused')}",
        "Server: recours-sandbox",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in answer.headers),
        *(["Connection: close"] if last else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


# ---------------------------------------------------------------- the server


HOST = "127.0.0.1"
DEFAULT_ACCOUNT = "10000001"
DEFAULT_PASSWORD = "123456"  # noqa: S105 (invented; only this sandbox accepts it)
NOT_KNOWN = "?"
_TOKEN_LIFE_S = 3600
_STOP_TIMEOUT_S = 2.0  # how long `stop` waits for connections to finish


@dataclass(frozen=True)
class Call:
    """A received call. A call that could not be parsed is NOT_KNOWN and has no scenario. Passwords are not stored.

    `at` is the time of receipt by the sandbox's clock. `account` belongs to the call's credentials or token, even if
    they are wrong; it is empty if the call has none. `number` is empty if the call is not about a parcel, such as a
    token call. `scenario` is the scenario that was played. It is AUTH_REFUSED, regardless of the script, if the account
    or the password was wrong. A call about several parcels has all numbers, separated by commas, and no scenario.
    """

    at: datetime
    carrier: str
    operation: str
    number: str
    account: str
    scenario: Behavior | None


@dataclass(frozen=True)
class Token:
    carrier: str
    account: str
    password: str = field(repr=False)
    until: datetime


class Sandbox:
    """The simulated carriers, running between `start` and `stop` or in a `with` block.

    `now` returns aware UTC datetimes. `latency` is in real seconds from a request to its answer, including the time to
    create the answer. Port 0 picks a free port, which the sandbox keeps. These attributes may be changed at any time:
    `parcels` (scripts by number), `default` (the script of all other numbers; None: their digits choose it), `accounts`
    (passwords by account, valid at every carrier), `without_documents` (carrier and account: the account may track, but
    its calls for documents are refused like a wrong password), `arrange` (reorders the items of an answer about several
    parcels), `tokens` (issued tokens; a deleted token is refused) and `latency`.
    """

    def __init__(
        self, now: Callable[[], datetime] = lambda: datetime.now(UTC), latency: float = 0.0, port: int = 0
    ) -> None:
        """Prepare the sandbox. It does not listen before `start`."""
        self.parcels: dict[str, Parcel] = {}
        self.default: Parcel | None = None
        self.accounts: dict[str, str] = {DEFAULT_ACCOUNT: DEFAULT_PASSWORD}
        self.without_documents: set[tuple[str, str]] = set()
        self.calls: list[Call] = []
        self.tokens: dict[str, Token] = {}
        self.latency = latency
        # Reversed, because carriers do not promise to keep the order of the request.
        self.arrange: Callable[[list[Any]], list[Any]] = lambda items: items[::-1]
        self._now = now
        self._port = port
        self._progress = ScriptProgress()
        self._lock = threading.Lock()
        self._server: _Server | None = None

    @staticmethod
    def on_request(request: HttpRequest) -> None:
        """Called with each request before it is answered. The tests check it against the carriers' schemas."""

    @property
    def url(self) -> str:
        """Scheme, host and port. Raises RuntimeError before the port is known."""
        if not self._port:
            raise RuntimeError("the sandbox has not been started")
        return f"http://{HOST}:{self._port}"

    def start(self) -> None:
        """Listen. Raises RuntimeError if the sandbox is already running, OSError if the port is taken."""
        if self._server is not None:
            raise RuntimeError("the sandbox is already running")
        self._server = _Server(self._port, self)
        self._port = self._server.server_port
        self._server.begin()

    def stop(self) -> None:
        """Stop and interrupt answers in progress. Recorded calls are kept. Do nothing if the sandbox is not running."""
        server, self._server = self._server, None
        if server is not None:
            server.end()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def calls_for(self, number: str) -> list[Call]:
        with self._lock:
            return [call for call in self.calls if number in call.number.split(",")]

    def answer(self, request: HttpRequest) -> Answer:
        """Record and answer a request, without the latency."""
        carrier = next((c for c in SIMULATED if c.owns(request.path)), None)
        if carrier is None:
            self.record_unknown()
            return Answer(404, b"No carrier is simulated at this path")
        try:
            question = carrier.read(request)
        except BadRequestError as refusal:
            self.record_unknown(carrier.key)
            return refusal.answer
        if question.is_token_request and isinstance(carrier, GivesTokens):
            return self._token(carrier, question)
        states = self._record(carrier, question)
        answers: list[Answer] = []
        for alone, state in states:
            override = state.override and state.override(carrier, alone, state)
            answers.append(override or carrier.answer(alone, state))
        if isinstance(carrier, TracksSeveral) and question.more_numbers:
            return self._together(carrier, answers)
        return answers[0]

    def _together(self, carrier: TracksSeveral, answers: list[Answer]) -> Answer:
        """One answer about several parcels. An answer that concerns the whole call is returned instead."""
        items: list[Any] = []
        for answer in answers:
            items_of_parcel = carrier.items_of(answer)
            if items_of_parcel is None:
                return answer
            items += items_of_parcel
        sender = next((answer.sender for answer in answers if answer.sender), None)
        return replace(carrier.joined(self.arrange(items)), sender=sender)

    def environment(self, *keys: str) -> dict[str, str]:
        """The settings that make clients use the simulated carriers: base URLs and the first account's credentials.

        `keys`: the carriers; empty means all.
        """
        account, settings = next(iter(self.accounts)), dict[str, str]()
        for carrier in SIMULATED:
            if not keys or carrier.key in keys:
                settings[f"{carrier.key.upper()}_BASE_URL"] = self.url
                settings |= self.credentials(carrier.key, account)
        return settings

    def credentials(self, carrier: str, account: str) -> dict[str, str]:
        """An account's credentials at a carrier, under the names of the default account's settings."""
        return self._carrier(carrier).settings(account, self.accounts[account])

    def example(self, carrier: str, digits: str, serial: int = 0) -> str:
        """A tracking number in the carrier's format whose two `digits` choose the scenario."""
        return self._carrier(carrier).example(digits, serial)

    def _carrier(self, key: str) -> SimulatedCarrier:
        return next(carrier for carrier in SIMULATED if carrier.key == key)

    def record_unknown(self, carrier: str = NOT_KNOWN) -> None:
        with self._lock:
            self.calls.append(Call(self._now(), carrier, NOT_KNOWN, NOT_KNOWN, "", None))

    def _token(self, carrier: GivesTokens, question: Question) -> Answer:
        """Issue a token that differs from all earlier ones, or refuse the request."""
        with self._lock:
            at, account = self._now(), self._account(carrier, question)
            scenario = Scenario.AUTH_REFUSED if account is None else None
            name = account or question.account
            self.calls.append(Call(at, carrier.key, question.operation, "", name, scenario))
            if account is None:
                return carrier.token(question, None, 0)
            token = f"sandbox-{carrier.key}-{len(self.calls)}"
            until = at + timedelta(seconds=_TOKEN_LIFE_S)
            self.tokens[token] = Token(carrier.key, account, question.password, until)
            return carrier.token(question, token, _TOKEN_LIFE_S)

    def _account(self, carrier: SimulatedCarrier, question: Question) -> str | None:
        """The account of a question. Empty if the call needs no credentials, None if the credentials are wrong."""
        if question.bearer:
            token = self.tokens.get(question.bearer)
            if token is None or token.carrier != carrier.key or token.until <= self._now():
                return None
            return token.account if self.accounts.get(token.account) == token.password else None
        if question.credentials is None:
            return ""
        accounts = self.accounts.items()
        return next(
            (name for name, password in accounts if carrier.has_credentials(question, name, password)), None
        )

    def _record(self, carrier: SimulatedCarrier, question: Question) -> list[tuple[Question, ParcelState]]:
        """Record the call. Return each of its parcels' question and state, as if each had been requested alone."""
        with self._lock:
            at, account = self._now(), self._account(carrier, question)
            if question.bearer in self.tokens:
                question = replace(question, token_account=self.tokens[question.bearer].account)
            numbers = (question.number, *question.more_numbers)
            states = [self._state(carrier, question, number, account, at) for number in numbers]
            scenario = None if question.more_numbers else states[0].override or states[0].scenario
            name = account or question.account
            self.calls.append(Call(at, carrier.key, question.operation, ",".join(numbers), name, scenario))
            return [
                (replace(question, number=number, more_numbers=()), state)
                for number, state in zip(numbers, states, strict=True)
            ]

    def _state(
        self, carrier: SimulatedCarrier, question: Question, number: str, account: str | None, at: datetime
    ) -> ParcelState:
        script = self.parcels.get(number) or self.default or parcel_for(carrier.digits_of(number))
        # A call without an account follows a link or requests public data.
        is_owner = not account or script.owner in (None, account)
        has_right = question.tracking or (carrier.key, account) not in self.without_documents
        return self._progress.next_state(
            f"{carrier.key}/{number}",
            script,
            at,
            continues_in=question.continues_in,
            refused=account is None or not has_right,
            hidden=None if is_owner else carrier.hides(question),
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    # On Windows, this option would let two programs share a port.
    allow_reuse_address = sys.platform != "win32"
    allow_reuse_port = False

    def __init__(self, port: int, box: Sandbox) -> None:
        self.box = box
        self.stopping = threading.Event()
        self._changed = threading.Condition()
        self._open: set[Any] = set()
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's method resolves our own host name, which can take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(self.server_address[1])

    def begin(self) -> None:
        self._loop = threading.Thread(target=self.serve_forever, args=(0.02,), name="sandbox", daemon=True)
        self._loop.start()

    def end(self) -> None:
        self.stopping.set()
        self.shutdown()
        self._loop.join()
        self.server_close()
        with self._changed:
            for connection in self._open:
                with suppress(OSError):  # the connection may already be closed
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, _STOP_TIMEOUT_S)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A connection closed by the client or by us is not an error.
        if not (self.stopping.is_set() or isinstance(sys.exception(), ConnectionError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        box, stopping = self.server.box, self.server.stopping
        due = time.monotonic() + box.latency
        answer = self._answer()
        if self.command == "HEAD":
            answer = replace(answer, body=b"")
        if stopping.wait(max(0.0, due - time.monotonic())):
            self.close_connection = True
        elif answer.sender:
            self.close_connection = True
            answer.sender(answer, self.connection, stopping)
        else:
            head = head_of(answer, len(answer.body), last=self.close_connection)
            self.connection.sendall(head + answer.body)

    def _answer(self) -> Answer:
        box = self.server.box
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True  # the start of the next request is unknown
            box.record_unknown()
            return Answer(411, b"Send a Content-Length")
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        request = HttpRequest(self.command, path, headers, body, query)
        box.on_request(request)
        return box.answer(request)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Print nothing, because calls are recorded."""
