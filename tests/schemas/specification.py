"""What the carriers' published specifications say of requests: each request that recours sends must keep to it.

One YAML file a carrier, with an entry for each operation; one XSD more for each SOAP service. `docs/develop/add-a-carrier.md`
says how they are written. Nothing of `recours` is used here, so that a mistake cannot cancel itself out.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl
from xml.etree.ElementTree import Element

import yaml
from defusedxml.ElementTree import ParseError, fromstring
from jsonschema import Draft202012Validator
from xmlschema import XMLSchema

FOLDER = Path(__file__).parent
_NAMESPACE = re.compile(r"\{[^}]*\}")
_ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"

# Headers of HTTP itself, which any request may have.
_OF_HTTP = frozenset({"accept", "accept-encoding", "connection", "content-length", "host", "user-agent"})


@dataclass(frozen=True)
class Sent:
    """A request on its way. `path`: with the query.

    `origin`: where it goes, if that is not the carrier's base URL; None where that cannot be seen, as by a server.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    origin: str | None = None


# Regular expressions by the names of the parts that they describe; a name with ? after it may be missing.
Patterns = Mapping[str, str]


@dataclass(frozen=True)
class Operation:
    """One call of a carrier's interface, as a file describes it. Raises TypeError if an entry has an unknown key."""

    carrier: str
    name: str
    source: str
    version: str
    method: str
    path: str
    headers: Patterns = field(default_factory=dict)
    query: Patterns | str = field(default_factory=dict)  # or "anything"
    origin: str = ""
    form: Patterns | None = None
    json: Mapping[str, Any] | None = None
    soap: Mapping[str, str] | None = None
    # The attributes of the one element in the query's parameter `xml`, where that is a request; `request` names the operation.
    xml: Patterns | None = None

    def is_called_by(self, sent: Sent) -> bool:
        return (
            sent.method == self.method
            and re.fullmatch(self.path, sent.path.partition("?")[0]) is not None
            and (sent.origin is None or re.fullmatch(self.origin, sent.origin) is not None)
            and (self.soap is None or _called(sent.body) in ("", self.soap["body"]))
            and (self.xml is None or _attributes(sent).get("request") in (None, self.name))
        )

    def faults(self, sent: Sent) -> Iterator[str]:
        names = {name.rstrip("?").lower(): name.rstrip("?") for name in self.headers}
        lower = [(name.lower(), value) for name, value in sent.headers.items()]
        headers = [(names.get(n, n), value) for n, value in lower if n in names or n not in _OF_HTTP]
        yield from _unlike("header", headers, self.headers)
        if isinstance(self.query, Mapping):
            yield from _unlike("query parameter", _pairs(sent.path.partition("?")[2]), self.query)
        if self.xml is not None:
            yield from _unlike("attribute", list(_attributes(sent).items()), self.xml)
        if self.form is not None:
            yield from _unlike("form field", _pairs(sent.body.decode("utf-8", "replace")), self.form)
        elif self.json is not None:
            yield from self._faults_of_json(sent.body)
        elif self.soap is not None:
            yield from self._faults_of_soap(self.soap, sent.body)
        elif sent.body:
            yield "it has a body"

    def _faults_of_json(self, body: bytes) -> Iterator[str]:
        try:
            tree = json.loads(body)
        except (ValueError, RecursionError):
            yield "the body is no JSON"
            return
        for error in self._validator.iter_errors(tree):
            inner = "; or ".join(each.message for each in error.context)
            yield f"{error.json_path}: {inner or error.message}"

    @cached_property
    def _validator(self) -> Any:
        return Draft202012Validator(self.json)

    def _faults_of_soap(self, parts: Mapping[str, str], body: bytes) -> Iterator[str]:
        root = _xml(body)
        if root is None or root.tag != f"{_ENVELOPE}Envelope":
            yield "the body is no SOAP envelope"
            return
        expected = {part.capitalize(): name for part, name in parts.items()}
        found = {part.tag.removeprefix(_ENVELOPE): list(part) for part in root}
        if list(found) != list(expected) or len(root) != len(found):
            yield f"the envelope has {list(found)}, not {list(expected)}"
        schema = _xsd(self.carrier)
        for part, name in expected.items():
            blocks = found.get(part, [])
            tags = [block.tag for block in blocks]
            if tags != [f"{{{schema.target_namespace}}}{name}"]:
                yield f"the {part} has {tags}, not one {name}"
            for block in blocks:
                yield from (_NAMESPACE.sub("", f"{e.path}: {e.reason}") for e in schema.iter_errors(block))


def _pairs(text: str) -> list[tuple[str, str]]:
    """The names and values of a query or a form."""
    return parse_qsl(text, keep_blank_values=True)


def _unlike(what: str, found: Sequence[tuple[str, str]], forms: Patterns) -> Iterator[str]:
    """What is missing, unknown, there twice, or not of its form."""
    known = {name.rstrip("?"): form for name, form in forms.items()}
    times = Counter(name for name, _ in found)
    yield from (
        f"the {what} {name} is missing" for name in forms if not name.endswith("?") and not times[name]
    )
    yield from (f"the {what} {name} is there {n} times" for name, n in times.items() if n > 1)
    for name, value in found:
        if name not in known:
            yield f"the {what} {name} is unknown"
        elif not re.fullmatch(known[name], value):
            yield f"the {what} {name} is {value!r}, not of the form {known[name]}"


def _xml(body: bytes) -> Element | None:
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, ValueError, LookupError):  # bad XML, a DTD, an unknown encoding
        return None
    return root


def _attributes(sent: Sent) -> Mapping[str, str]:
    """Those of the element in the query's parameter `xml`; none if it is no lone element called `data`."""
    (text, *_) = parse_qs(sent.path.partition("?")[2]).get("xml", [""])
    root = _xml(text.encode())
    return root.attrib if root is not None and root.tag == "data" and not len(root) else {}


def _called(body: bytes) -> str:
    """The local name of the element in the Body, which is the operation's; empty if there is none."""
    root = _xml(body)
    first = root.find(f"{_ENVELOPE}Body/*") if root is not None else None
    return "" if first is None else first.tag.rpartition("}")[2]


@cache
def _xsd(carrier: str) -> XMLSchema:
    return XMLSchema(FOLDER / f"{carrier}.xsd")


@cache
def app() -> tuple[Operation, ...]:
    """All of them, of every carrier that has a file."""
    return tuple(
        Operation(path.stem, name, **entry)
        for path in sorted(FOLDER.glob("*.yaml"))
        for name, entry in yaml.safe_load(path.read_text(encoding="utf-8")).items()
    )


def operation_of(sent: Sent, carrier: str | None = None) -> Operation | None:
    """The operation that a request calls; `carrier`: of this one only."""
    candidates = (one for one in app() if carrier in (None, one.carrier))
    return next((one for one in candidates if one.is_called_by(sent)), None)


def faults_of(sent: Sent, carrier: str | None = None) -> list[str]:
    """In which ways a request departs from the specification: sentences that name carrier, operation and source."""
    operation = operation_of(sent, carrier)
    if operation is None:
        address = (sent.origin or "") + sent.path.partition("?")[0]
        return [f"{sent.method} {address} calls no operation of {carrier or 'any carrier'}"]
    of = f"{operation.carrier} {operation.name}"
    return [f"{of}: {fault} (by {operation.source}; {operation.version})" for fault in operation.faults(sent)]
