"""One HTTP call against misbehaving servers on real sockets: limited in time, size and repeats."""

import errno
import gc
import gzip
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from recours.carriers.chronopost import SPEC, Chronopost, tracking_request
from recours.carriers.http import (
    LARGEST_ANSWER,
    BrokenAnswerError,
    Http,
    HttpSession,
    NotSentError,
    TimedOutError,
    UnacceptableAnswerError,
)
from recours.carriers.message import Request
from recours.carriers.queue import APIRequestQueue
from recours.carriers.reservation import Account
from recours.core.errors import ErrorKind, RunError
from recours.core.outcome import Failure, Retrieved
from recours.core.quota import Capability, parse_limits
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.runs.ports import CarrierAnswer
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from tests.fakes.hostile import AnyStep, Attack, Pace
from tests.needs import program
from tests.planted import PASSWORD
from tests.postgres import wait_until
from tests.units import fetch_one, sent_and_held

NUMBER = "XY991234567FR"
MB = 1024 * 1024
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ASK = Request("POST", "/ask", {"Content-Type": "text/xml"}, b"<question/>")


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the machine's own proxy settings."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


# ---------------------------------------------------------------- servers


@dataclass
class Server:
    """Accepts connections on loopback, calls `behave` for each, and stores the received requests."""

    behave: Callable[["Server", socket.socket], None]
    wrap: Callable[[socket.socket], socket.socket] = lambda connection: connection
    received: list[bytes] = field(default_factory=list)
    connections: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        _, *serving = self._threads
        return sum(thread.is_alive() for thread in serving)

    def _accept(self) -> None:
        while not self.stopped.is_set():
            with suppress(OSError):
                connection, _ = self._listening.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with suppress(OSError), connection:
            self._open.append(connection)
            wrapped = self.wrap(connection)
            with wrapped:
                self._open.append(wrapped)
                self.behave(self, wrapped)

    def read_request(self, connection: socket.socket) -> bool:
        """Read one request with its body; False at the end of the connection."""
        got = b""
        while b"\r\n\r\n" not in got:
            piece = connection.recv(65536)
            if not piece:
                return False
            got += piece
        head, _, body = got.partition(b"\r\n\r\n")
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            ),
            0,
        )
        while len(body) < length:
            body += connection.recv(65536)
        self.received.append(head + b"\r\n\r\n" + body)
        return True


def says(*answers: bytes) -> Callable[[Server, socket.socket], None]:
    """Answer each request of a connection with the next of these, then close it."""

    def behave(server: Server, connection: socket.socket) -> None:
        for answer in answers:
            if not server.read_request(connection):
                return
            connection.sendall(answer)

    return behave


def keeps(server: Server, connection: socket.socket) -> None:
    """Answer every request, and keep the connection open."""
    while server.read_request(connection):
        connection.sendall(ANSWER)


def drips(before: bytes, endless: bytes, every: float = 0.02) -> Callable[[Server, socket.socket], None]:
    """Send an endless response without long pauses."""

    def behave(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(before)
        while not server.stopped.wait(every):
            connection.sendall(endless)

    return behave


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun <= seconds


@contextmanager
def memory_at_most(size: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] <= size
    finally:
        tracemalloc.stop()


def scripted(sandbox: Sandbox, *steps: AnyStep, **named: Any) -> Request:
    sandbox.parcels[NUMBER] = Parcel(steps, **named)
    return tracking_request(NUMBER)


# ---------------------------------------------------------------- the sandbox's misbehaviours

SLOW_ONES = [Attack.SLOW, Attack.DRIP, Attack.DRIP_HEADERS]


@pytest.mark.sample("more cases of the same test, each of which waits", every=2)
@pytest.mark.parametrize("scenario", SLOW_ONES)
@pytest.mark.parametrize(("read_s", "deadline_s"), [(5, 0.5), (0.3, 5)], ids=["deadline", "read"])
def test_slow_answers_end_by_the_deadline(
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    scenario: AnyStep,
    read_s: float,
    deadline_s: float,
) -> None:
    monkeypatch.setattr(Pace, "drip", 0.05 if read_s > deadline_s else 1.0)
    request = scripted(sandbox, scenario)
    with at_most(4), pytest.raises(TimedOutError):  # the other limit would take 5
        Http(sandbox.url, 5, read_s, deadline_s).send(request)
    wait_until(lambda: bool(sandbox.calls), "the server, in its own thread, has not read the question")
    assert len(sandbox.calls) == 1


@pytest.mark.parametrize("scenario", [Attack.OVERSIZED, Attack.GZIP_BOMB])
def test_memory_stays_bounded(sandbox: Sandbox, scenario: AnyStep) -> None:
    http = Http(sandbox.url, 5, 5, 20)
    with pytest.raises(UnacceptableAnswerError):  # the sandbox builds its bomb at the first request
        http.send(scripted(sandbox, scenario))
    with (
        memory_at_most(LARGEST_ANSWER + 8 * MB),
        pytest.raises(UnacceptableAnswerError, match="more than 20 MB"),
    ):
        http.send(scripted(sandbox, scenario))


def test_right_answers_come_whole(sandbox: Sandbox) -> None:
    answer = Http(sandbox.url, 5, 5, 5).send(scripted(sandbox, Scenario.DELIVERED))
    assert answer.status == 200
    assert answer.body.endswith(b"</soap:Envelope>")
    assert answer.headers["content-TYPE"].startswith("text/xml")


# ---------------------------------------------------------------- servers that are worse


def packed(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(MB)) for _ in range(size // MB)) + packer.flush()


def answer_of(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_bomb_in_a_bomb() -> None:
    bomb = answer_of(gzip.compress(packed(100 * MB)), "Content-Encoding: gzip, gzip")
    with Server(says(bomb)) as server:
        http = Http(server.url, 5, 5, 20)
        with memory_at_most(LARGEST_ANSWER + 8 * MB), pytest.raises(UnacceptableAnswerError):
            http.send(ASK)


def test_an_answer_just_within_the_cap_is_whole() -> None:
    body = b"x" * LARGEST_ANSWER
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
        len(body),
        body,
    )
    with Server(says(answer_of(body), chunked)) as server:
        http = Http(server.url, 5, 5, 20)
        assert http.send(ASK).body == body
        assert http.send(ASK).body == body
        assert server.connections == 1


@pytest.mark.sample("more cases of the same test, each of which waits", every=3)
@pytest.mark.parametrize(
    ("before", "endless"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff;", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packed(MB)[:8], b"\x00"),
    ],
    ids=["chunks", "chunk-size", "no-length", "headers", "hints", "gzip"],
)
def test_no_endless_answer_outlives_the_deadline(before: bytes, endless: bytes) -> None:
    with (
        Server(drips(before, endless)) as server,
        at_most(4),
        pytest.raises((TimedOutError, BrokenAnswerError, UnacceptableAnswerError)) as fault,
    ):
        Http(server.url, 5, 5, 0.6).send(ASK)
    assert server.connections == 1
    assert fault.type is not NotSentError


def says_nothing(server: Server, _connection: socket.socket) -> None:
    server.stopped.wait(10)


def test_a_server_that_accepts_and_says_nothing_is_left_by_the_deadline() -> None:
    with (
        Server(says_nothing) as server,
        at_most(4),
        pytest.raises(TimedOutError),
    ):
        Http(server.url, 5, 5, 0.5).send(ASK)
    assert server.connections == 1


@pytest.mark.sample("more cases of the same test, each of which waits", every=3)
@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"no http at all\r\n\r\n", BrokenAnswerError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", BrokenAnswerError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", BrokenAnswerError),
        (answer_of(b"this is not gzip", "Content-Encoding: gzip"), UnacceptableAnswerError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", BrokenAnswerError),
        (
            b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n",
            UnacceptableAnswerError,
        ),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", UnacceptableAnswerError),
    ],
    ids=["no-http", "short", "size", "gzip", "header", "307", "304"],
)
def test_invalid_answers(answer: bytes, fault: type[Exception]) -> None:
    with Server(says(answer)) as server:
        with pytest.raises(fault):
            Http(server.url, 5, 5, 5).send(ASK)
        assert (server.connections, len(server.received)) == (1, 1)


def test_a_truncated_gzip_answer_is_not_complete() -> None:
    with Server(says(answer_of(gzip.compress(b"<x/>" * 1000)[:-20], "Content-Encoding: gzip"))) as server:
        try:
            answer = Http(server.url, 5, 5, 5).send(ASK)
        except (BrokenAnswerError, UnacceptableAnswerError):
            return
        assert answer.body != b"<x/>" * 1000  # half of the response, which no parser accepts as XML
        assert not answer.body.startswith(b"<x/>" * 1000)


def test_hints_that_come_early_are_not_the_answer() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nContent-Length: 7\r\n\r\n"
    processing = b"HTTP/1.1 102 Processing\r\n\r\n"
    with Server(says(hints + ANSWER, processing + hints + ANSWER, ANSWER)) as server:
        http = Http(server.url, 5, 5, 5)
        answers = [http.send(ASK) for _ in range(3)]
        assert [(answer.status, answer.body) for answer in answers] == [(200, b"ok")] * 3
        assert "link" not in answers[0].headers
        assert server.connections == 1


def test_a_kept_connection_that_the_server_closed_is_not_a_fault() -> None:
    with Server(says(ANSWER)) as server:
        http = Http(server.url, 5, 5, 5)
        assert http.send(ASK).body == b"ok"
        time.sleep(0.1)  # the server closes in the meantime
        assert http.send(ASK).body == b"ok"
        assert (server.connections, len(server.received)) == (2, 2)


def test_a_request_that_goes_elsewhere_does_unless_the_base_url_was_replaced() -> None:
    with Server(says(ANSWER)) as carrier, Server(says(ANSWER)) as other:
        link = Request("GET", "/pod?id=1", origin=other.url)
        assert Http(carrier.url, 5, 5, 5).send(link).body == b"ok"
        assert ([len(carrier.received), len(other.received)], other.received[0][:10]) == (
            [0, 1],
            b"GET /pod?i",
        )
        Http(carrier.url, 5, 5, 5, replaced=True).send(link)
        assert [len(carrier.received), len(other.received)] == [1, 1]


def test_origins_asked_in_turns_keep_their_connections() -> None:
    with Server(keeps) as one, Server(keeps) as other:
        http = Http(one.url, 5, 5, 5)
        for _ in range(3):
            http.send(ASK)
            http.send(replace(ASK, origin=other.url))
        assert (one.connections, other.connections) == (1, 1)
        assert (len(one.received), len(other.received)) == (3, 3)


def test_hosts_that_are_always_new_do_not_keep_their_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(keeps) as server:
        address = socket.getaddrinfo("127.0.0.1", server.port, type=socket.SOCK_STREAM)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_named: address)
        http = Http(server.url, 5, 5, 5)
        for n in range(100):
            http.send(replace(ASK, origin=f"http://h{n}.example:{server.port}"))
        gc.collect()
        wait_until(lambda: server.open_connections < 50, "connections stay open", seconds=5)


def test_an_odd_header_has_no_url_logged(caplog: pytest.LogCaptureFixture) -> None:
    odd = b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"
    with Server(says(odd)) as server:
        Http(server.url, 5, 5, 5).send(Request("GET", "/?password=hunter2"))
    assert caplog.text == ""


def test_connections_outlast_the_threads_that_made_them() -> None:
    begin = threading.Barrier(3)

    def behave(server: Server, connection: socket.socket) -> None:
        while server.read_request(connection):
            begin.wait(10)  # three calls are in progress at once
            connection.sendall(ANSWER)

    with Server(behave) as server:
        http = Http(server.url, 5, 5, 5)
        for _ in range(4):
            with ThreadPoolExecutor(3) as pool:
                answers = [pool.submit(http.send, ASK) for _ in range(3)]
                assert [answer.result().body for answer in answers] == [b"ok"] * 3
        assert (server.connections, len(server.received)) == (3, 12)


def test_a_connection_is_not_used_again_after_a_fault() -> None:
    late = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"

    def behave(server: Server, connection: socket.socket) -> None:
        while server.read_request(connection):
            if len(server.received) == 1:
                server.stopped.wait(0.5)
                with suppress(OSError):
                    connection.sendall(late)
            else:
                connection.sendall(ANSWER)

    with Server(behave) as server:
        http = Http(server.url, 5, 0.2, 5)
        with pytest.raises(TimedOutError):
            http.send(ASK)
        assert http.send(ASK).body == b"ok"
        assert server.connections == 2


def test_only_the_given_request_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password of-a-file\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Server(says(ANSWER)) as server:
        Http(server.url, 5, 5, 5).send(ASK)
    (request,) = server.received
    assert request.startswith(b"POST /ask HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n<question/>")
    assert b"authorization" not in request.lower()
    assert b"of-a-file" not in request


def test_no_cookie_goes_back() -> None:
    def behave(server: Server, connection: socket.socket) -> None:
        while server.read_request(connection):
            who = server.received[-1].rpartition(b"\r\n\r\n")[2]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: who=%b\r\n\r\n" % who)

    def calls(http: Http, who: bytes) -> None:
        for _ in range(10):
            http.send(Request("POST", "/", {}, who))

    with Server(behave) as server:
        http = Http(server.url, 5, 5, 5)
        threads = [threading.Thread(target=calls, args=(http, b"t%d" % n)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.received) == 60
    assert not any(b"cookie" in request.lower() for request in server.received)


# ---------------------------------------------------------------- no connection


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_refused_connection_is_known_not_to_have_been_sent() -> None:
    with at_most(4), pytest.raises(NotSentError):
        Http(f"http://127.0.0.1:{free_port()}", 1, 1, 1).send(ASK)


def test_a_proxy_that_refuses_is_known_not_to_have_been_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(NotSentError):
        Http("http://carrier.invalid", 1, 1, 1).send(ASK)


def test_a_proxy_is_asked_for_the_whole_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(says(ANSWER)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        Http("http://carrier.invalid/test", 1, 1, 1).send(ASK)
    assert proxy.received[0].startswith(b"POST http://carrier.invalid/test/ask HTTP/1.1")


def test_an_address_that_no_proxy_serves_is_called_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(says(ANSWER)) as proxy, Server(says(ANSWER)) as other:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        http = Http("http://carrier.invalid", 1, 1, 1)
        http.send(replace(ASK, origin=other.url))
        http.send(ASK)
    assert other.received[0].startswith(b"POST /ask ")
    assert proxy.received[0].startswith(b"POST http://carrier.invalid/ask ")


@pytest.mark.parametrize("end", ["\n", "\r\n ", "\r "])
def test_a_header_of_two_lines_is_not_sent(end: str) -> None:
    with Server(says(ANSWER)) as server, pytest.raises(NotSentError):
        Http(server.url, 1, 1, 1).send(replace(ASK, headers={"Authorization": f"Bearer a{end}X-Forged: b"}))
    assert not server.received


def test_a_proxy_whose_answer_never_ends_is_left_by_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(drips(b"HTTP/1.1 200 Connection established\r\nX-Long: ", b"a")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        with at_most(5), pytest.raises(NotSentError):
            Http("https://carrier.invalid", 1, 1, 1).send(ASK)
    assert proxy.received[0].startswith(b"CONNECT carrier.invalid:443 ")


# ---------------------------------------------------------------- TLS


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1."""

    file: Path
    key: Path

    def wrap(self, connection: socket.socket) -> socket.socket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context.wrap_socket(connection, server_side=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    openssl = program("openssl", "openssl")
    folder = tmp_path_factory.mktemp("certificate")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    files = ["-out", str(made.file), "-keyout", str(made.key)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return made


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(
    certificate: Certificate,
) -> None:
    with (
        Server(says(ANSWER), certificate.wrap) as server,
        pytest.raises(NotSentError, match="an invalid certificate"),
    ):
        Http(f"https://127.0.0.1:{server.port}", 5, 5, 5).send(ASK)
    assert (server.connections, server.received) == (1, [])


def test_a_certificate_for_another_name_is_refused(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.file))
    with Server(says(ANSWER), certificate.wrap) as server, pytest.raises(NotSentError, match="certificate"):
        Http(f"https://localhost:{server.port}", 5, 5, 5).send(ASK)
    assert server.received == []


def test_a_certificate_that_the_machine_trusts_is_accepted(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.file))
    with Server(says(ANSWER, ANSWER), certificate.wrap) as server:
        http = Http(f"https://127.0.0.1:{server.port}", 5, 5, 5)
        assert http.send(ASK).body == b"ok"
        assert http.send(ASK).body == b"ok"
        assert server.connections == 1


def test_the_deadline_holds_over_tls(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.file))
    before = b"HTTP/1.1 200 OK\r\nX-Long: "
    with Server(drips(before, b"x"), certificate.wrap) as server, at_most(4), pytest.raises(TimedOutError):
        Http(f"https://127.0.0.1:{server.port}", 5, 5, 0.6).send(ASK)


def test_a_server_that_speaks_no_tls_ends_the_call(certificate: Certificate) -> None:
    del certificate
    with (
        Server(says(ANSWER)) as server,
        at_most(4),
        pytest.raises((NotSentError, BrokenAnswerError, TimedOutError)),
    ):
        Http(f"https://127.0.0.1:{server.port}", 0.5, 0.5, 1).send(ASK)


def test_a_handshake_that_never_ends_is_left_by_the_connect_time_out() -> None:
    with (
        Server(says_nothing) as server,
        at_most(4),
        pytest.raises((NotSentError, TimedOutError)),
    ):
        Http(f"https://127.0.0.1:{server.port}", 0.4, 5, 5).send(ASK)


def test_tls_that_breaks_after_the_request_counts_as_sent(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that was received may have counted: its unit must not be returned."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.file))

    def behave(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        with socket.socket(fileno=connection.detach()) as plain:
            plain.sendall(b"this is not a TLS record\r\n" * 10)
            server.stopped.wait(0.2)

    with Server(behave, certificate.wrap) as server:
        with pytest.raises(BrokenAnswerError):
            Http(f"https://127.0.0.1:{server.port}", 5, 5, 5).send(ASK)
        assert len(server.received) == 1


# ---------------------------------------------------------------- repeats, and the units they take


@dataclass
class ParcelQuery:
    """A queue, and the result of one call through it."""

    database: Database
    clock: SimulatedClock
    base_url: str
    limit: str = "100/day"
    patience_s: float = 1

    def __post_init__(self) -> None:
        credentials = {"CHRONOPOST_ACCOUNT": "10000001", "CHRONOPOST_PASSWORD": PASSWORD}
        clock, client = self.clock, Chronopost(credentials)
        http = Http(self.base_url, *[self.patience_s] * 3)
        account = Account(
            spec=SPEC,
            limits=parse_limits(self.limit, "chronopost", None, "Europe/Paris"),
            make_client=lambda: client,
            open_session=lambda reservation, client: HttpSession(
                SPEC.name, reservation, http, clock, lambda: 0.5, client.wait_asked
            ),
            credentials=tuple(credentials.values()),
            source="the environment",
        )
        self.queue = APIRequestQueue({"chronopost": account}, QuotaTables(self.database), clock)

    def fetch(self) -> CarrierAnswer:
        both = {Capability.TRACKING: 1, Capability.POD: 1}
        (reservation,), refusal = self.queue.reserve("chronopost", [both])
        assert refusal is None
        return fetch_one(self.queue, reservation, "chronopost", NUMBER, None)

    @property
    def units(self) -> tuple[int, int]:
        (counts,) = sent_and_held(self.queue, "chronopost")
        return counts


KINDS = {
    # temporary: repeated once
    Scenario.BAD_GATEWAY: (ErrorKind.SERVER_ERROR, 2),
    Attack.RESET: (ErrorKind.NETWORK, 2),
    Attack.TRUNCATED: (ErrorKind.NETWORK, 2),
    # not repeated
    Scenario.RATE_LIMITED: (ErrorKind.RATE_LIMITED, 1),
    Scenario.SYSTEM_ERROR: (ErrorKind.SERVER_ERROR, 1),
    Attack.INVALID_UTF8: (ErrorKind.BAD_RESPONSE, 1),
    Attack.REDIRECT: (ErrorKind.BAD_RESPONSE, 1),
    Attack.OVERSIZED: (ErrorKind.BAD_RESPONSE, 1),
    Attack.GZIP_BOMB: (ErrorKind.BAD_RESPONSE, 1),
    Attack.SLOW: (ErrorKind.TIMEOUT, 1),
}


@pytest.mark.sample("more cases of the same test, each of which waits", every=2)
@pytest.mark.parametrize(("scenario", "expected"), KINDS.items(), ids=list(KINDS))
def test_only_bad_gateways_and_network_failures_are_repeated_once(
    database: Database,
    clock: SimulatedClock,
    sandbox: Sandbox,
    scenario: AnyStep,
    expected: tuple[ErrorKind, int],
) -> None:
    kind, calls = expected
    scripted(sandbox, scenario)
    asked = ParcelQuery(database, clock, sandbox.url, patience_s=1 if scenario is Attack.SLOW else 10)
    begun = clock.now()
    fetched = asked.fetch()
    assert isinstance(fetched.outcome, Failure)
    assert fetched.outcome.kind is kind
    assert fetched.outcome.connected
    assert (fetched.calls, fetched.unsent, len(sandbox.calls)) == (calls, 0, calls)
    assert asked.units == (calls, 0)
    # Within seconds, and by the simulated clock.
    assert clock.now() - begun == timedelta(seconds=2 * (calls - 1))


def test_a_repeat_that_mends_it(database: Database, clock: SimulatedClock, sandbox: Sandbox) -> None:
    scripted(sandbox, Scenario.BAD_GATEWAY, Scenario.DELIVERED)
    asked = ParcelQuery(database, clock, sandbox.url)
    assert isinstance(asked.fetch().outcome, Retrieved)
    assert asked.units == (3, 0)
    assert [call.operation for call in sandbox.calls] == ["trackSkybillV2", "trackSkybillV2", "searchPOD"]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_gateways_are_asked_once_more(database: Database, clock: SimulatedClock, status: int) -> None:
    answer = b"HTTP/1.1 %d Gateway\r\nContent-Length: 0\r\n\r\n" % status
    with Server(says(answer, answer, answer)) as server:
        fetched = ParcelQuery(database, clock, server.url).fetch()
    assert isinstance(fetched.outcome, Failure)
    assert (fetched.outcome.kind, fetched.outcome.http_status) == (ErrorKind.SERVER_ERROR, status)
    assert len(server.received) == 2


@pytest.mark.sample("more cases of the same test, each of which waits", every=2)
@pytest.mark.parametrize("status", [401, 408, 425, 500])
def test_other_statuses_are_not_repeated(database: Database, clock: SimulatedClock, status: int) -> None:
    answer = b"HTTP/1.1 %d Something\r\nContent-Length: 0\r\n\r\n" % status
    with Server(says(answer, answer)) as server:
        ParcelQuery(database, clock, server.url).fetch()
    assert len(server.received) == 1


def test_a_connection_that_is_refused_gives_its_unit_back(database: Database, clock: SimulatedClock) -> None:
    asked = ParcelQuery(database, clock, f"http://127.0.0.1:{free_port()}")
    fetched = asked.fetch()
    assert isinstance(fetched.outcome, Failure)
    assert (fetched.outcome.kind, fetched.outcome.connected) == (ErrorKind.NETWORK, False)
    assert (fetched.calls, fetched.unsent) == (0, 2)
    assert asked.units == (0, 0)


def test_a_machine_without_files_is_at_fault_itself(
    database: Database, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoSocket(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(errno.EMFILE, f"Too many open files: {address}")

    with Server(says(ANSWER)) as server:
        asked = ParcelQuery(database, clock, server.url)
        with monkeypatch.context() as patched:
            patched.setattr(socket, "socket", NoSocket)
            with pytest.raises(RunError, match=r"out of file descriptors or memory\. Raise the limit"):
                asked.fetch()
        assert (asked.units, server.connections) == ((0, 0), 0)
