"""Attacks: answers of a broken or hostile server. Each is a step of a simulated parcel's scenario."""

import gzip
import json
import os
import re
import socket
import struct
from dataclasses import replace
from enum import StrEnum, auto
from threading import Event
from typing import TypeAlias

from recours.sandbox import Scenario
from recours.sandbox.answers import Answer, Question, SimulatedCarrier, key_of
from recours.sandbox.json_api import CONTENT_TYPE as JSON
from recours.sandbox.scenarios import ParcelState
from recours.sandbox.server import head_of
from recours.sandbox.soap import CONTENT_TYPE as XML
from recours.sandbox.soap import escaped

PADDING = 30_000_000  # bytes of white space after an oversized answer
ELSEWHERE = "http://127.0.0.2:9/elsewhere"  # the target of REDIRECT: loopback, the discard port
_BLOCK = 50_000
_NESTED = 200_000  # deeper than a recursive parser can handle
_LAUGHS = 9  # levels, each ten times as long as the previous one: the last is a billion laughs long


class Pace:
    """Delays in seconds. Tests change them."""

    late = 5.0  # the delay before a SLOW answer
    drip = 1.0  # between two bytes


class Attack(StrEnum):
    """An attack as a step of a parcel, instead of a scenario."""

    TRUNCATED = auto()  # half of the body, then the end of the connection
    RESET = auto()  # no answer, the connection is reset
    SLOW = auto()  # a good answer after a delay
    DRIP = auto()  # the body, one byte at a time
    DRIP_HEADERS = auto()  # headers and body, one byte at a time
    OVERSIZED = auto()  # a good answer followed by 30 MB of white space
    GZIP_BOMB = auto()  # a small answer that unpacks to 100 MB
    REDIRECT = auto()  # a redirect to another host
    INVALID_UTF8 = auto()  # Latin-1, which old services declare as UTF-8
    WRONG_TYPE = auto()  # alternates: another structure, or the right structure with values of other types
    DTD_BOMB = auto()  # grows to gigabytes when parsed (billion laughs), or is nested too deeply
    HOSTILE_TEXT = auto()  # an error message that forges log lines and repeats the password

    def __call__(self, carrier: SimulatedCarrier, question: Question, state: ParcelState) -> Answer:
        """See `Override`."""
        if self in _READY_MADE:
            return _READY_MADE[self]
        if self is Attack.HOSTILE_TEXT:
            error = carrier.answer(question, replace(state, scenario=Scenario.SYSTEM_ERROR))
            return _hostile(error, _secret_of(carrier, question))
        good = carrier.answer(question, state)
        if self in SENDERS:
            return replace(good, sender=SENDERS[self])
        if "xml" in good.content_type:
            return self._spoilt_xml(good, state)
        return self._spoilt_json(good, state) if "json" in good.content_type else good

    def _spoilt_xml(self, good: Answer, state: ParcelState) -> Answer:
        if self is Attack.INVALID_UTF8:  # the invalid bytes are in the first text
            return replace(good, body=good.body.replace(b"</", b"Livr\xe9</", 1))
        if self is Attack.DTD_BOMB:
            entities = ['<!ENTITY laugh0 "lol">']
            entities += [f'<!ENTITY laugh{n} "{f"&laugh{n - 1};" * 10}">' for n in range(1, _LAUGHS + 1)]
            head = f'<?xml version="1.0"?><!DOCTYPE bomb [{"".join(entities)}]>'.encode()
            return replace(good, body=head + good.body.replace(b"</", f"&laugh{_LAUGHS};</".encode(), 1))
        if state.attempts % 2 == 0:
            return Answer(200, b'<?xml version="1.0"?><catalogue><livre id="7"/></catalogue>', XML)
        # The last of these numbers becomes a word.
        number = rb'(?s)(.*(?:<(?:errorCode|StatusNumber|STAT)>| code="))[^<"]*'
        body = re.sub(number, rb"\1abc", good.body, count=1)
        assert body != good.body, "no known field holds a number"
        return replace(good, body=body)

    def _spoilt_json(self, good: Answer, state: ParcelState) -> Answer:
        if self is Attack.INVALID_UTF8:
            return Answer(good.status, good.body[:-1] + b', "label": "Livr\xe9"}', JSON)
        if self is Attack.DTD_BOMB:
            return Answer(200, b"[" * _NESTED + b"]" * _NESTED, JSON)
        tree = {"livres": [{"id": 7}]} if state.attempts % 2 == 0 else retyped(json.loads(good.body))
        return Answer(200, json.dumps(tree).encode(), JSON)


AnyStep: TypeAlias = Scenario | Attack
EVERY_STEP: list[AnyStep] = [*Scenario, *Attack]


def retyped(tree: object) -> object:
    """The tree with the same names and every value replaced by a value of another type."""
    if isinstance(tree, dict):
        return {name: retyped(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return {"item": [retyped(value) for value in tree]}
    return 7 if isinstance(tree, str) else [tree]


def _secret_of(carrier: SimulatedCarrier, question: Question) -> str:
    """The secret in a request. For Mondial Relay, whose key is not sent, this is the signature."""
    if len(carrier.credentials) == 1 or question.details.get("by") == "key":
        return key_of(question.account, question.password)
    return question.bearer or question.details.get("security") or question.password


def _hostile(error: Answer, secret: str) -> Answer:
    """An error whose message forges a log line, controls the terminal, contains a script and repeats a secret."""
    text = (
        "Erreur\r\n2026-02-06 14:00:00 - [INFO] - __main__ - "
        "✅ SUCCESS: POD fetched for CLM-EVIL after 1 attempts\r\n"
        f"\x1b[2J\x1b[31m<script>alert(1)</script> password={secret}"
    )
    in_json, in_xml = json.dumps(text, ensure_ascii=False)[1:-1].encode(), escaped(text).encode()
    body = re.sub(
        rb'("(?:message|detail|errorMessage|returnMessage)": ")[^"]*', lambda m: m[1] + in_json, error.body
    )
    body = re.sub(
        rb'(<(?:errorMessage|faultstring|Libelle01)>| error=")[^<"]*', lambda m: m[1] + in_xml, body
    )
    latin = text.encode("latin-1", "ignore").decode("latin-1")
    in_header = "".join(sign if sign.isprintable() else " " for sign in latin)
    headers = tuple((name, in_header if name == "message" else value) for name, value in error.headers)
    assert (body, headers) != (error.body, error.headers), "no known field holds the message"
    return replace(error, body=body, headers=headers)


# ---------------------------------------------------------------- attacks on the connection


def reset(answer: Answer, connection: socket.socket, stopping: Event) -> None:
    """Close the connection immediately, so that the client gets a reset."""
    del answer, stopping
    # The option is two shorts on Windows and two ints elsewhere.
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    socket.close(connection.detach())  # closes it even though the server still has open files for it


def truncated(answer: Answer, connection: socket.socket, stopping: Event) -> None:
    del stopping
    body = answer.body
    connection.sendall(head_of(answer, len(body), last=True) + body[: len(body) // 2])


def slow(answer: Answer, connection: socket.socket, stopping: Event) -> None:
    if not stopping.wait(Pace.late):
        connection.sendall(head_of(answer, len(answer.body), last=True) + answer.body)


def drip(answer: Answer, connection: socket.socket, stopping: Event) -> None:
    _drip(head_of(answer, len(answer.body), last=True), answer.body, connection, stopping)


def drip_headers(answer: Answer, connection: socket.socket, stopping: Event) -> None:
    _drip(b"", head_of(answer, len(answer.body), last=True) + answer.body, connection, stopping)


def _drip(at_once: bytes, rest: bytes, connection: socket.socket, stopping: Event) -> None:
    connection.sendall(at_once)
    for n in range(len(rest)):
        connection.sendall(rest[n : n + 1])
        if stopping.wait(Pace.drip):
            return


def oversized(answer: Answer, connection: socket.socket, stopping: Event) -> None:
    del stopping
    connection.sendall(head_of(answer, len(answer.body) + PADDING, last=True) + answer.body)
    for _ in range(PADDING // _BLOCK):
        connection.sendall(b" " * _BLOCK)


SENDERS = {
    Attack.TRUNCATED: truncated,
    Attack.SLOW: slow,
    Attack.DRIP: drip,
    Attack.DRIP_HEADERS: drip_headers,
    Attack.OVERSIZED: oversized,
}
_READY_MADE = {
    Attack.RESET: Answer(200, sender=reset),
    Attack.REDIRECT: Answer(302, headers=(("Location", ELSEWHERE),)),
    # A gzip file may have many members. Repeating one member is faster than compressing 100 MB.
    Attack.GZIP_BOMB: Answer(
        200, gzip.compress(bytes(1_000_000)) * 100, XML, (("Content-Encoding", "gzip"),)
    ),
}
