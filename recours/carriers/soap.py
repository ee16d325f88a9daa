"""XML and SOAP 1.1: builds requests as bytes and parses answers into elements without namespaces."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from recours.carriers.answers import unreadable
from recours.carriers.message import Response
from recours.core.outcome import Failure
from recours.core.text import ATTRIBUTE_MARKUP, MARKUP

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

# The value of a field is a text or nested fields.
Fields = Sequence[tuple[str, "str | Fields"]]


def envelope(body: str, header: str = "") -> bytes:
    """A SOAP envelope with these elements (see `element`) as its Body and Header."""
    head = f"<soapenv:Header>{header}</soapenv:Header>" if header else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
        f"{head}<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def element(name: str, namespace: str, fields: Fields, *, qualified: bool) -> str:
    """An element in a namespace, with these fields in order. `qualified`: the fields are in the namespace too."""
    if qualified:
        return f'<{name} xmlns="{namespace}">{_inside(fields)}</{name}>'
    return f'<q:{name} xmlns:q="{namespace}">{_inside(fields)}</q:{name}>'


def _inside(content: "str | Fields") -> str:
    if isinstance(content, str):
        return content.translate(MARKUP)
    return "".join(f"<{name}>{_inside(inner)}</{name}>" for name, inner in content)


def empty_element(name: str, attributes: Mapping[str, str]) -> str:
    """An element with attributes and no content."""
    pairs = (f' {key}="{value.translate(ATTRIBUTE_MARKUP)}"' for key, value in attributes.items())
    return f"<{name}{''.join(pairs)}/>"


def read(name: str, answer: Response) -> "ET.Element | Failure":
    """The root element of the answer, or a failure if the answer is not XML. `name`: the carrier's name."""
    root = parse(answer.body)
    return unreadable(name, answer) if root is None else root


# Answers above these limits are not parsed. Real answers have a few hundred elements, ten levels and a few attributes.
# A larger answer may be an attempt to exhaust our memory: an element takes a hundred times the memory of its four bytes
# in the answer.
MAX_TAGS = 40_000  # including comments and processing instructions
MAX_ATTRIBUTES = 40_000
MAX_DEPTH = 100  # levels
# The encodings in which each markup character is the single byte that is counted below.
_ENCODINGS = frozenset({"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252"})


def parse(body: bytes) -> Any:
    """The root element of an answer, with tag names without prefixes.

    None if the answer is malformed, has a DTD or exceeds the limits above.
    """
    if body.count(b"<") > MAX_TAGS or body.count(b"=") > MAX_ATTRIBUTES:
        return None
    tree = _Tree()
    try:
        tree.parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError):
        return None
    return tree.builder.close()


class _Tree:
    """Builds the tree of a document without a DTD.

    Namespaces are not resolved, because otherwise each element would repeat its namespace, perhaps megabytes long.
    """

    def __init__(self) -> None:
        from xml.etree import ElementTree as ET  # noqa: PLC0415 (imported only for the first answer)

        self.builder = ET.TreeBuilder()
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.XmlDeclHandler = self._declaration
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self.builder.data
        self._depth = 0

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding and encoding.lower() not in _ENCODINGS:
            raise ValueError("unsupported encoding")

    def _doctype(self, *_declared: object) -> None:
        """Reject a DTD, the only place where entities can be declared."""
        raise ValueError("DTDs are not allowed")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        self.builder.start(name.rpartition(":")[2], attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.builder.end(name.rpartition(":")[2])


def listed(element: Any, name: str, items: str) -> list[Any]:
    """The children named `items` of the first child named `name`."""
    part = child(element, name)
    return children(part, items) if part is not None else []


def children(element: Any, name: str) -> list[Any]:
    return [child for child in element if child.tag == name]


def child(element: Any, name: str) -> Any | None:
    return next(iter(children(element, name)), None)


def text(element: Any, name: str) -> str | None:
    """The stripped text of the first child with that name, or None if there is no text."""
    part = child(element, name)
    return (part.text or "").strip() or None if part is not None else None


def attribute(element: Any, name: str) -> str | None:
    """The stripped value of an attribute, or None if it is missing or empty."""
    return (element.get(name) or "").strip() or None


def body_of(root: Any) -> Any | None:
    """The content of an envelope's Body: the response or a Fault."""
    part = child(root, "Body") if root.tag == "Envelope" else None
    return next(iter(part), None) if part is not None else None


def result_of(
    name: str, answer: Response, operation: str, result: str, read_fault: Callable[[Any], Failure]
) -> Any | Failure:
    """The element named `result` in the response to an operation, or a failure. `name`: the carrier's name."""
    root = read(name, answer)
    if isinstance(root, Failure):
        return root
    body = body_of(root)
    if body is not None and body.tag == "Fault":
        return read_fault(body)
    is_response = body is not None and body.tag == f"{operation}Response"
    element = child(body, result) if is_response else None
    return unreadable(name, answer) if element is None else element


def blames_request(fault: Any) -> bool:
    """Return whether a Fault means that the request is wrong; otherwise, the server failed (inferred)."""
    return (text(fault, "faultcode") or "").rpartition(":")[2] == "Client"
