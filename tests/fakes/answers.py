"""Carriers' answers for tests of clients: handwritten, damaged, with wrong types, with hostile texts."""

import base64
import json
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import replace
from random import Random
from typing import Any
from xml.etree.ElementTree import canonicalize
from xml.sax.saxutils import escape

from recours.carriers.message import Response
from recours.core.errors import ErrorKind

PDF = b"%PDF-1.4\n" + b"x" * 200
PNG = b"\x89PNG\r\n\x1a\n" + b"y" * 200

_FORGED = "2026-02-06 14:00:00 - [INFO] - __main__ - SUCCESS "
HOSTILE = f"x\r\n{_FORGED}\x1b[31m\x9b31m\u202e\ud800" + "y" * 5000
HOSTILE_XML = f"x&#13;&#10;{_FORGED}&#155;31m\u202e" + "y" * 5000

# Values of every type, to replace values of another type.
ODD: tuple[Any, ...] = (
    *(None, True, 0, 7, -1, 10**30, float("nan"), float("inf")),
    *("", "\ud800", "\ud800\x00", [], {}, [[]], [{}], [None], {"item": []}),
)


def raw(body: bytes | str, status: int = 200, kind: str = "application/json") -> Response:
    content = body.encode() if isinstance(body, str) else body
    return Response(status, {"Content-Type": kind}, content)


def response(tree: Any, status: int = 200) -> Response:
    """An answer with the tree as JSON."""
    return raw(json.dumps(tree), status)


def xml(text: bytes | str, status: int = 200) -> Response:
    return raw(text, status, "text/xml; charset=utf-8")


def envelope(inside: str) -> str:
    """The elements, wrapped in a SOAP envelope and body."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        f"{inside}</soap:Body></soap:Envelope>"
    )


def xml_text(text: str) -> str:
    """The text, escaped for an XML element."""
    return escape(text, {"\n": "&#10;"})


def canonical(text: bytes | str | None) -> str:
    """XML in canonical form."""
    string = text.decode() if isinstance(text, bytes) else text or ""
    return str(canonicalize(string.strip(), strip_text=True, rewrite_prefixes=True))


def no_answers(made: Callable[..., Response] = raw) -> dict[str, tuple[Response, ErrorKind]]:
    """Answers that no carrier should give, with the expected kind. `made` builds an answer from a body and a status."""
    page = "<!DOCTYPE html><html><p>Maintenance</html>"
    bodies: dict[str, bytes | str] = {
        "empty": "",
        "blank": " \n",
        "a page": page,
        "a page in XML": "<html/>",
        "XML": "<a/>",
        "a text": '"OK"',
        "null": "null",
        "NaN": "NaN",
        "true": "true",
        "a number": "7",
        "a large number": "9" * 5000,
        "a list": "[]",
        "an empty object": "{}",
        "another shape": '{"livres": [{"id": 7}]}',
        "too deep": b"[" * 200_000 + b"]" * 200_000,
        "deep and broken": b'{"a":' * 100_000,
        "a huge number in a tree": b'{"errorCode": ' + b"9" * 10_000 + b"}",
        "no UTF-8": '{"status": "Livré"}'.encode("latin-1"),
    }
    outages = {"a page": page, "a page in XML": "<html/>", "empty": "", "words": "upstream"}
    return {
        **{name: (made(body, 200), ErrorKind.BAD_RESPONSE) for name, body in bodies.items()},
        **{
            f"{status}, {name}": (made(body, status), ErrorKind.SERVER_ERROR)
            for status in (500, 502, 503, 504)
            for name, body in outages.items()
        },
        "302": (made("", 302), ErrorKind.BAD_RESPONSE),
    }


def no_envelopes(right: bytes) -> dict[str, tuple[Response, ErrorKind]]:
    """Answers that no SOAP service should give, with their kind. Some only have an invalid beginning."""
    body = right.partition(b"?>")[2]
    declared = (
        b"<!DOCTYPE a>",
        b"<!DOCTYPE a [<!ENTITY code 'D'>]>",
        b"<!DOCTYPE a [<!ENTITY code SYSTEM 'file:///etc/hostname'>]>",
        b"<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/a.dtd'>",
    )
    bodies: dict[str, bytes | str] = {
        "no envelope": "<catalogue/>",
        "no body": '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"/>',
        "an empty body": envelope(""),
        "another operation": envelope("<isAliveResponse/>"),
        "no UTF-8": envelope("Livré").encode("latin-1"),
        "an unknown encoding": b'<?xml version="1.0" encoding="x-y"?><a/>',
        "an entity": b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + envelope("&b;").partition("?>")[2].encode(),
        **{f"a DTD, {n}": one + body for n, one in enumerate(declared)},
        "a DTD whose entity is used": declared[1] + body.replace(b">D<", b">&code;<"),
    }
    return {
        **{name: (xml(body), ErrorKind.BAD_RESPONSE) for name, body in bodies.items()},
        "a page in XML, 404": (xml("<html/>", 404), ErrorKind.BAD_RESPONSE),
        "a fault of nobody": (xml(envelope("<soap:Fault/>"), 500), ErrorKind.SERVER_ERROR),
    }


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def in_lines(encoded: str, width: int = 76, end: str = "\r\n") -> str:
    """The base64 text with line breaks, as mail programs write it."""
    return end.join(encoded[n : n + width] for n in range(0, len(encoded), width))


def damaged(*wholes: Response) -> Iterator[Response]:
    """Many copies of each answer with random bytes changed, removed and added. The copies are reproducible."""
    chance = Random(20261005)
    for whole in wholes:
        for _ in range(300):
            body = bytearray(whole.body)
            for _ in range(chance.randint(1, 4)):
                place = chance.randrange(len(body))
                body[place : place + chance.randint(0, 30)] = chance.randbytes(chance.randint(0, 3))
            yield replace(whole, body=bytes(body))


def replaced(whole: Response, odd: Any) -> Iterator[Response]:
    """Copies of the JSON answer in which one part of the tree is replaced by the odd value, for each part."""
    for tree in _replaced(json.loads(whole.body), odd):
        yield replace(whole, body=json.dumps(tree).encode())


def _replaced(tree: Any, odd: Any) -> Iterator[Any]:
    yield odd
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, part in parts:
        for other in _replaced(part, odd):
            changed = copy(tree)
            changed[key] = other
            yield changed
