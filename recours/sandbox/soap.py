"""SOAP 1.1, document/literal, as Apache CXF serves it: what the simulated SOAP carriers share."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from recours.sandbox.answers import Answer, HttpRequest, NotUnderstoodError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
CONTENT_TYPE = "text/xml;charset=UTF-8"

# What XML 1.0 cannot hold, not even as a character reference.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def read_call(
    request: HttpRequest, namespace: str, operations: Mapping[str, Sequence[str]]
) -> tuple[str, dict[str, str]]:
    """The operation called and its parameters.

    `operations` gives the parameters of each one in the order of the schema; all must be there, and only the
    operation's element is in the namespace. Raises NotUnderstoodError with a 405, or a soap:Client fault. A real CXF
    might forgive some of this (a missing optional parameter, the media type); here the facts are held to.
    """
    if request.method != "POST":
        raise NotUnderstoodError(Answer(405, b"Use POST", headers=(("Allow", "POST"),)))
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/xml":
        raise bad_request("the Content-Type must be text/xml")
    if "soapaction" not in request.headers:
        raise bad_request("the SOAPAction header is missing")
    call = _only_child(_body_of(_parsed(request.body)))
    operation = next((name for name in operations if call.tag == f"{{{namespace}}}{name}"), None)
    if operation is None:
        raise bad_request(f"unexpected element {call.tag}")
    return operation, _parameters(call, operations[operation])


def _parsed(body: bytes) -> "Element":
    from defusedxml.ElementTree import ParseError, fromstring  # noqa: PLC0415 (only the simulator's server needs it)

    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:  # bad XML, a DTD, an unknown encoding
        raise bad_request(str(error)) from None
    return root


def _body_of(root: "Element") -> "Element":
    if root.tag != f"{{{ENVELOPE}}}Envelope":
        raise bad_request(f"unexpected element {root.tag}")
    parts = list(root)
    if parts and parts[0].tag == f"{{{ENVELOPE}}}Header":
        parts = parts[1:]
    if [part.tag for part in parts] != [f"{{{ENVELOPE}}}Body"]:
        raise bad_request("an envelope holds one Body")
    return parts[0]


def _only_child(body: "Element") -> "Element":
    if len(body) != 1:
        raise bad_request("a Body holds one call")
    return body[0]


def _parameters(call: "Element", expected: Sequence[str]) -> dict[str, str]:
    found = [child.tag for child in call]
    if found != list(expected):
        raise bad_request(
            f"found elements {found}, expected {list(expected)} in this order, without a namespace"
        )
    if any(len(child) for child in call):
        raise bad_request("a parameter holds an element")
    return {child.tag: child.text or "" for child in call}


def bad_request(reason: str) -> NotUnderstoodError:
    """A refusal of the request, to be raised."""
    return NotUnderstoodError(fault("soap:Client", f"Unmarshalling Error: {reason}"))


def fault(code: str, reason: str) -> Answer:
    """HTTP 500 with a soap:Fault."""
    text = (
        f"<soap:Fault><faultcode>{code}</faultcode><faultstring>{escaped(reason)}</faultstring></soap:Fault>"
    )
    return Answer(500, envelope(text), CONTENT_TYPE)


def envelope(content: str) -> bytes:
    """The content in a SOAP body."""
    return f'<soap:Envelope xmlns:soap="{ENVELOPE}"><soap:Body>{content}</soap:Body></soap:Envelope>'.encode()


def escaped(text: str) -> str:
    """Text for an element, such that a parser gives it back exactly, but for what XML 1.0 cannot hold.

    Of that, the escape sequences of terminals (ESC and a bracket) are kept in their one-character form, U+009B;
    the rest is dropped.
    """
    kept = _NOT_XML.sub("", text.replace("\x1b[", "\x9b"))
    return html.escape(kept, quote=False).replace("\r", "&#13;")  # a bare CR would be read as a line feed


def element(name: str, value: str | int | bool) -> str:
    """`<name>value</name>`, booleans as true and false."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escaped(text)}</{name}>"
