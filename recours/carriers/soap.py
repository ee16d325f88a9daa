"""SOAP 1.1: a request as bytes, an answer as elements without their namespaces."""

import html
from collections.abc import Sequence
from typing import Any

# A field is a text, or fields of its own.
Fields = Sequence[tuple[str, "str | Fields"]]


class NotXml(ValueError):  # noqa: N818 (a finding about bytes)
    """The bytes are no XML that is accepted: not well-formed, or with a DTD or entities."""


def envelope(body: str, header: str = "") -> bytes:
    """A request: what `element` made, in the Body of an envelope, and in its Header."""
    head = f"<soapenv:Header>{header}</soapenv:Header>" if header else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
        f"{head}<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def element(name: str, namespace: str, fields: Fields, *, qualified: bool) -> str:
    """An element of the namespace with these fields in the given order; `qualified`: they are of it too."""
    inner = _inside(fields)
    if qualified:
        return f'<{name} xmlns="{namespace}">{inner}</{name}>'
    return f'<q:{name} xmlns:q="{namespace}">{inner}</q:{name}>'


def _inside(content: "str | Fields") -> str:
    if isinstance(content, str):
        return html.escape(content, quote=False)
    return "".join(f"<{name}>{_inside(inner)}</{name}>" for name, inner in content)


def parse(body: bytes) -> Any:
    """The root element of an answer. Raises NotXml."""
    from defusedxml import ElementTree  # noqa: PLC0415 (imported when the first answer comes)
    from defusedxml.common import DefusedXmlException  # noqa: PLC0415

    try:
        return ElementTree.fromstring(body, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise NotXml(type(error).__name__) from error


def local(element: Any) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def children(element: Any, name: str) -> list[Any]:
    """The children of that name, whatever their namespace."""
    return [child for child in element if local(child) == name]


def child(element: Any, name: str) -> Any | None:
    """The first child of that name."""
    return next(iter(children(element, name)), None)


def text(element: Any, name: str) -> str | None:
    """The text of the first child of that name, without blanks around it; None if there is none, or it is empty."""
    found = child(element, name)
    return (found.text or "").strip() or None if found is not None else None


def body_of(root: Any) -> Any | None:
    """What the Body of an envelope holds: the response, or a Fault."""
    found = child(root, "Body") if local(root) == "Envelope" else None
    return next(iter(found), None) if found is not None else None
