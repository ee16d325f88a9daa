"""SOAP 1.1, document/literal, like Apache CXF and ASP.NET (ASMX); shared by the simulated SOAP carriers."""

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from recours.sandbox.answers import Answer, BadRequestError, HttpRequest, Question, SimulatedCarrier
from recours.sandbox.scenarios import ParcelState, Scenario

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
CONTENT_TYPE = "text/xml;charset=UTF-8"

# Characters that XML 1.0 cannot contain, not even as a character reference.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# The elements in the order of the schema: names, or names with their content. An optional name ends with ?.
Form = Sequence["str | tuple[str, Form]"]


@dataclass(frozen=True)
class SoapReader:
    """Parses the requests of one service. `refuse` creates the service's refusal for a reason.

    In CXF, only the operation's element is in the namespace. In ASMX, all elements are, and the SOAPAction names the
    operation. Real services accept some requests that are refused here (CXF: a missing optional parameter or another
    media type; ASMX: misplaced elements), because the sandbox follows the documentation strictly.
    """

    namespace: str
    operations: Mapping[str, Form]
    refuse: Callable[[str], BadRequestError]
    header: Form = ()
    asmx: bool = True

    def read(self, request: HttpRequest) -> tuple[str, dict[str, str], dict[str, str]]:
        """The operation, its parameters and the header's values, with paths such as `request/Customer/number`.

        Raises BadRequestError.
        """
        if request.method != "POST":
            raise BadRequestError(Answer(405, b"Use POST", headers=(("Allow", "POST"),)))
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/xml":
            raise self.refuse("the Content-Type must be text/xml")
        if "soapaction" not in request.headers:
            raise self.refuse("the SOAPAction header is missing")
        header, body = self._parts(parse(request.body, self.refuse))
        if len(body) != 1:
            raise self.refuse("a Body must contain one call")
        operation = self._operation(body[0], request.headers["soapaction"])
        values = dict(self._values(header, self.header)) if header is not None and self.header else {}
        return operation, dict(self._values(body[0], self.operations[operation])), values

    def _parts(self, root: "Element") -> "tuple[Element | None, Element]":
        """The Header, if any, and the Body."""
        if root.tag != f"{{{ENVELOPE}}}Envelope":
            raise self.refuse(f"unexpected element {root.tag}")
        parts = list(root)
        header = parts.pop(0) if parts and parts[0].tag == f"{{{ENVELOPE}}}Header" else None
        if [part.tag for part in parts] != [f"{{{ENVELOPE}}}Body"]:
            raise self.refuse("an envelope must contain one Body")
        return header, parts[0]

    def _operation(self, call: "Element", action: str) -> str:
        name = next((name for name in self.operations if call.tag == f"{{{self.namespace}}}{name}"), None)
        if name is None:
            raise self.refuse(f"unexpected element {call.tag}")
        if self.asmx and action.strip('"') != self.namespace + name:
            raise self.refuse(f"the SOAPAction {action} is not that of {name}")
        return name

    def _values(self, parent: "Element", form: Form, path: str = "") -> Iterable[tuple[str, str]]:
        """The paths and the texts of the elements in `parent`, which must have this form."""
        elements_left = list(parent)
        for field in form:
            name, inner = (field, None) if isinstance(field, str) else field
            needed, name = not name.endswith("?"), name.rstrip("?")
            tag = f"{{{self.namespace}}}{name}" if self.asmx else name
            if not elements_left or elements_left[0].tag != tag:
                if needed:
                    raise self.refuse(f"expected the element {tag} here")
                continue
            element = elements_left.pop(0)
            if inner is not None:
                yield from self._values(element, inner, f"{path}{name}/")
            elif len(element):
                raise self.refuse("a parameter must not contain an element")
            else:
                yield f"{path}{name}", element.text or ""
        if elements_left:
            raise self.refuse(f"unexpected element {elements_left[0].tag}")


def parse(body: bytes, refuse: Callable[[str], BadRequestError]) -> "Element":
    """The root element. Raises the error that `refuse` makes from a reason."""
    from defusedxml.ElementTree import ParseError, fromstring  # noqa: PLC0415 (only for the simulator's server)

    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:  # bad XML, a DTD, an unknown encoding
        raise refuse(str(error)) from None
    return root


def fault(code: str, reason: str, detail: str = "") -> Answer:
    """HTTP 500 with a soap:Fault. `detail` is XML."""
    inside = f"<faultcode>{code}</faultcode><faultstring>{escaped(reason)}</faultstring>"
    if detail:
        inside += f"<detail>{detail}</detail>"
    return Answer(500, envelope(f"<soap:Fault>{inside}</soap:Fault>"), CONTENT_TYPE)


def envelope(content: str) -> bytes:
    return f'<soap:Envelope xmlns:soap="{ENVELOPE}"><soap:Body>{content}</soap:Body></soap:Envelope>'.encode()


def escaped(text: str, *, quote: bool = False) -> str:
    """Escape text for an element or (`quote`) an attribute. Parsing restores it, except for forbidden characters.

    Terminal escape sequences (ESC and a bracket) become the character U+009B; other forbidden characters are dropped.
    """
    valid = _NOT_XML.sub("", text.replace("\x1b[", "\x9b"))
    text = html.escape(valid, quote=quote).replace("\r", "&#13;")  # a bare CR would be parsed as a line feed
    # In an attribute, line feeds and tabs would be parsed as spaces.
    return text.replace("\n", "&#10;").replace("\t", "&#9;") if quote else text


def elements(fields: Iterable[tuple[str, str | int | bool]]) -> str:
    return "".join(element(name, value) for name, value in fields)


def element(name: str, value: str | int | bool) -> str:
    """`<name>value</name>`, with booleans as true and false."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escaped(text)}</{name}>"


def with_attributes(name: str, attributes: Mapping[str, str], content: str = "") -> str:
    """`<name key="value">content</name>`."""
    pairs = (f' {key}="{escaped(value, quote=True)}"' for key, value in attributes.items())
    return f"<{name}{''.join(pairs)}>{content}</{name}>"


class SoapCarrier(SimulatedCarrier):
    faults: ClassVar[Mapping[Scenario, str]]  # the text of the fault, by scenario

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        """The fault, if the scenario is a fault. FAULT_CLIENT blames the request; any other fault blames the server."""
        del question
        if state.scenario not in self.faults:
            return None
        code = "soap:Client" if state.scenario is Scenario.FAULT_CLIENT else "soap:Server"
        return fault(code, self.faults[state.scenario])


def response(operation: str, namespace: str, result: str) -> Answer:
    """A good answer in ASMX's format, with all elements in the namespace."""
    inside = f"<{operation}Result>{result}</{operation}Result>"
    body = envelope(f'<{operation}Response xmlns="{namespace}">{inside}</{operation}Response>')
    return Answer(200, body, CONTENT_TYPE)
