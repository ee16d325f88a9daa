"""What passes between the sandbox and a simulated carrier, and the answers that are the same for all of them."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import cache
from typing import Protocol

from recours.sandbox.progress import Turn
from recours.sandbox.scenarios import Scenario

GZIP_BOMB_SIZE = 100_000_000  # bytes, unpacked
ELSEWHERE = "http://127.0.0.2:9/elsewhere"  # the target of REDIRECT: loopback, the discard port


class Manner(Enum):
    """How an answer is put on the wire."""

    PLAIN = auto()
    SLOW = auto()  # late
    DRIP = auto()  # the body one byte at a time
    DRIP_HEADERS = auto()  # the header one byte at a time
    TRUNCATED = auto()  # half of the body, then the end of the connection
    RESET = auto()  # no answer, the connection is reset
    PADDED = auto()  # followed by 30 MB of blanks


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. Its length and connection headers are the wire's business."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain;charset=UTF-8"
    headers: tuple[tuple[str, str], ...] = ()
    manner: Manner = Manner.PLAIN


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came. `path` is without the query, the names of `headers` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Question:
    """A request as a carrier understood it."""

    operation: str
    number: str
    tracking: bool  # False: it asks for the POD
    account: str = ""
    password: str = field(default="", repr=False)
    needs_account: bool = False
    language: str = ""
    wants_pdf: bool = True  # False: an image


class NotUnderstoodError(Exception):
    """A request that breaks the carrier's rules, with the answer it gets."""

    def __init__(self, answer: Answer) -> None:
        """Carry the answer."""
        super().__init__(answer.body.decode("utf-8", "replace"))
        self.answer = answer


class SimulatedCarrier(Protocol):
    """What the sandbox asks of each carrier. Both methods are pure."""

    @property
    def key(self) -> str:
        """The carrier's canonical name, as in the database."""

    def owns(self, path: str) -> bool:
        """Whether this path is the carrier's."""

    def read(self, request: HttpRequest) -> Question:
        """Understand a request. Raises NotUnderstoodError."""

    def answer(self, question: Question, turn: Turn) -> Answer:
        """Answer in the carrier's own form. What `ready_made` and `disturbed` cover counts as DELIVERED here."""


def ready_made(turn: Turn) -> Answer | None:
    """The answer that comes from in front of the carrier's service and looks the same for all; None if there is none."""
    if turn.scenario is Scenario.RATE_LIMITED:
        wait = turn.parcel.retry_after
        return Answer(429, b"Too many requests", headers=() if wait is None else (("Retry-After", wait),))
    if turn.scenario is Scenario.GZIP_BOMB:
        return Answer(200, _gzip_bomb(), "text/xml;charset=UTF-8", (("Content-Encoding", "gzip"),))
    return _READY_MADE.get(turn.scenario)


def disturbed(answer: Answer, scenario: Scenario) -> Answer:
    """The carrier's answer, to be sent in the manner of the scenario."""
    return replace(answer, manner=_MANNERS.get(scenario, Manner.PLAIN))


def hostile_text(password: str) -> str:
    """An error message that forges a log line, drives the terminal, holds a script and repeats the password."""
    return (
        "Erreur\r\n2026-02-06 14:00:00 - [INFO] - __main__ - "
        "✅ SUCCESS: POD fetched for CLM-EVIL after 1 attempts\r\n"
        f"\x1b[2J\x1b[31m<script>alert(1)</script> password={password}"
    )


def _page(status: int, title: str, text: str) -> Answer:
    body = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>"
    return Answer(status, body.encode(), "text/html;charset=UTF-8")


@cache
def _gzip_bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)  # 31: with a gzip header
    block = bytes(1_000_000)
    return b"".join(packer.compress(block) for _ in range(GZIP_BOMB_SIZE // len(block))) + packer.flush()


_READY_MADE = {
    Scenario.HTML: _page(200, "Maintenance", "Nos services sont momentanément indisponibles."),
    Scenario.MAINTENANCE: _page(503, "Service indisponible", "Maintenance en cours."),
    Scenario.BAD_GATEWAY: _page(502, "502 Bad Gateway", "The upstream server did not answer."),
    Scenario.EMPTY: Answer(200, b"", "text/xml;charset=UTF-8"),
    Scenario.REDIRECT: Answer(302, headers=(("Location", ELSEWHERE),)),
    Scenario.RESET: Answer(200, manner=Manner.RESET),
}

_MANNERS = {
    Scenario.SLOW: Manner.SLOW,
    Scenario.DRIP: Manner.DRIP,
    Scenario.DRIP_HEADERS: Manner.DRIP_HEADERS,
    Scenario.TRUNCATED: Manner.TRUNCATED,
    Scenario.OVERSIZED: Manner.PADDED,
}
