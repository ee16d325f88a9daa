"""Redaction by allow-list: a recording is built anew, out of what may be in it.

That is: documented names, known codes, HTTP statuses, the phrases that tables match, and made-up values for the rest (see
`made_up`). Headers are left out but for those that are read.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from recours.carriers import json_api, soap
from recours.carriers.message import Request, Response
from recours.carriers.registry import CATALOG, CLIENTS
from recours.core.outcome import begins_as
from recours.core.text import Redactor
from recours.rehearsal.documented.registry import DOCUMENTED
from recours.rehearsal.forms import Documented, Either, Form, Holds, Leaf, Operation, field_form, inner_form
from recours.rehearsal.made_up import LONGEST, MadeUp, made_up_number
from recours.rehearsal.recording import Exchange, Recorded, Recording

_MEDIA_TYPES = frozenset(
    {
        "application/json", "application/problem+json", "application/xml", "text/xml", "text/html", "text/plain",
        "application/pdf", "image/png", "image/jpeg", "image/gif", "image/tiff", "application/octet-stream",
    }
)  # fmt: skip
# What is kept of a tree: real answers have less.
_MOST_ENTRIES = 500  # of a list
_MOST_VALUES = 20_000  # of a recording
_DEEPEST = 50  # levels


def documented(carrier: str) -> Documented:
    """What the carrier documents; nothing, of one that has no table."""
    return DOCUMENTED.get(carrier, Documented(()))


def redacted(
    fetch: Recording, exchanges: Sequence[Exchange], salt: bytes, hides: Redactor | None = None
) -> Recording:
    """What may be kept of a fetch, whose number is the real one and whose calls are these.

    `hides` knows the secrets of the settings; `salt` is not to be kept.
    """
    return _redacted(fetch, lambda redaction: list(map(redaction.call, exchanges)), salt, hides)


def redacted_again(recording: Recording, salt: bytes) -> Recording:
    """A recording that may come from anybody, for a repository: without its requests."""
    operations = {operation.name: operation for operation in documented(recording.carrier).operations}

    def again(redaction: _Redaction) -> list[Recorded]:
        calls = []
        for call in recording.calls:
            operation = operations.get(call.operation)
            told = {"error": call.error} if call.error else redaction.answer(call.response, operation)
            calls.append(Recorded(operation.name if operation else "", told))
        return calls

    return _redacted(replace(recording, recorded_at=""), again, salt, None)


def _redacted(
    fetch: Recording,
    make_calls: "_MakeCalls",
    salt: bytes,
    hides: Redactor | None,
) -> Recording:
    spec = CATALOG.specs[fetch.carrier]
    number = made_up_number(fetch.number, spec, salt)
    numbers = {fetch.number: number, spec.sample_number: spec.sample_number}
    values = MadeUp(salt, numbers, CLIENTS[fetch.carrier].phrases, hides)
    redaction = _Redaction(values, documented(fetch.carrier))
    redaction.all(make_calls)  # to know the times of day
    values.settle_clock()
    return replace(fetch, number=number, calls=redaction.all(make_calls))


_MakeCalls: TypeAlias = "Callable[[_Redaction], list[Recorded]]"


class _Redaction:
    def __init__(self, values: MadeUp, tables: Documented) -> None:
        self._values = values
        self._tables = tables
        self._left = _MOST_VALUES

    def all(self, make_calls: "_MakeCalls") -> list[Recorded]:
        self._left = _MOST_VALUES
        return make_calls(self)

    def call(self, exchange: Exchange) -> Recorded:
        """A call with what came of it."""
        operation = operation_of(self._tables, exchange.request)
        told = (
            {"error": exchange.error} if exchange.answer is None else self.answer(exchange.answer, operation)
        )
        return Recorded(operation.name if operation else "", told, self._request(exchange.request, operation))

    # ---------------------------------------------------------------- requests: their names are recours's own

    def _request(self, request: Request, operation: Operation | None) -> dict[str, Any]:
        path, _, query = request.path.partition("?")
        is_own = operation is not None and not request.origin  # not where a carrier's link leads
        own = set(re.findall(r"[\w.-]+", operation.path)) if operation and is_own else set()
        steps = [step if step in own else self._text(step) for step in path.split("/")]
        told: dict[str, Any] = {
            "method": request.method,
            "path": "/".join(steps),
            "headers": sorted(request.headers),
        }
        if is_own and query:
            told["query"] = {
                name: self._text(value) for name, value in parse_qsl(query, keep_blank_values=True)
            }
        if request.body:
            told["body"] = self._own_body(request.body)
        return told

    def _own_body(self, body: bytes) -> Any:
        if (tree := json_api.tree(body)) is not None:
            return self._tree(tree, None, is_own=True)
        try:
            return self._xml(soap.parse(body), None, is_own=True)
        except soap.NotXmlError:
            return {
                name: self._text(value) for name, value in parse_qsl(body.decode(), keep_blank_values=True)
            }

    # ---------------------------------------------------------------- answers

    def answer(self, answer: Response, operation: Operation | None) -> dict[str, Any]:
        """Status, headers and body."""
        told = {"status": answer.status, "headers": self._headers(answer, operation)}
        form = operation.form_of(answer.status) if operation else None
        if isinstance(form, Leaf) and begins_as(answer.body, html=form.is_html):
            return told | {"base64": self._document(answer.body)}
        form = _any_form(operation)
        if operation and operation.is_xml:
            try:
                root = soap.parse(answer.body)
                return told | {"text": self._xml(root, field_form(form, root.tag))}
            except soap.NotXmlError:
                pass
        elif (tree := json_api.tree(answer.body)) is not None:
            return told | {"json": self._tree(tree, form)}
        if begins_as(answer.body):
            return told | {"base64": self._document(answer.body)}
        return told | self._unread(answer.body)

    def _document(self, content: bytes) -> str:
        return base64.b64encode(self._values.document(content)).decode()

    def _unread(self, body: bytes) -> dict[str, str]:
        """A body that is no tree stays none: bytes that are no UTF-8 stay that too."""
        try:
            return {"text": self._text(body.decode())}
        except UnicodeDecodeError:
            scrambled = self._values.scrambled(body[:LONGEST].decode("ascii", "ignore"))
            return {"base64": base64.b64encode(scrambled.encode() + b"\xff").decode()}

    def _headers(self, answer: Response, operation: Operation | None) -> dict[str, str]:
        """Those that are read: what the body is, how long to wait, and those of the operation."""
        kept: dict[str, str] = {}
        media_type = (answer.headers.get("Content-Type") or "").partition(";")[0].strip()
        if media_type:
            own = operation.media_types if operation else ()
            is_known = media_type.lower() in _MEDIA_TYPES or media_type in own
            kept["Content-Type"] = media_type if is_known else self._text(media_type)
        if waits := answer.headers.get("Retry-After"):
            kept["Retry-After"] = _wait(waits)
        for name, leaf in (operation.headers if operation else {}).items():
            if value := answer.headers.get(name):
                kept[name] = self._leaf(value, leaf)
        return kept

    def _tree(self, value: Any, form: Form | None, *, is_own: bool = False, depth: int = 0) -> Any:
        if depth > _DEEPEST:
            return None
        if isinstance(form, Either):
            form = form.of(value)
        if isinstance(form, list) != isinstance(value, list):  # one entry for a list, or a list for one
            form = inner_form(form) if isinstance(form, list) else [form]
        if isinstance(value, dict):
            return {
                name if is_own else self._name(name): self._tree(
                    inner, field_form(form, name), is_own=is_own, depth=depth + 1
                )
                for name, inner in value.items()
            }
        if isinstance(value, list):
            inner = inner_form(form)
            return [self._tree(each, inner, is_own=is_own, depth=depth + 1) for each in value[:_MOST_ENTRIES]]
        return self._leaf(value, form if isinstance(form, Leaf) else None)

    def _leaf(self, value: Any, leaf: Leaf | None) -> Any:
        """A value of the same type."""
        values, holds = self._values, leaf.holds if leaf else Holds.TEXT
        self._left -= 1
        if value is None or isinstance(value, bool):
            return value
        if self._left < 0:
            return None
        if isinstance(value, float):
            return 1.5
        if leaf and holds is Holds.CODE:
            made = values.code(str(value), leaf.known or ())
            return int(made) if isinstance(value, int) and made.lstrip("-").isdigit() else made
        if isinstance(value, int):
            return values.whole(value)
        makers = {Holds.TIME: values.time, Holds.DOCUMENT: values.encoded}
        return makers.get(holds, values.text)(value)

    def _xml(self, element: Any, form: Form | None, *, is_own: bool = False) -> str:
        """An element as text, without namespaces and attributes, which no client reads."""
        name = element.tag if is_own else self._name(element.tag)
        text = self._leaf((element.text or "").strip(), form if isinstance(form, Leaf) else None)
        inside = [escape(text or "")]
        for child in element[:_MOST_ENTRIES]:
            inner = field_form(form, child.tag)
            inside.append(
                self._xml(child, inner_form(inner) if isinstance(inner, list) else inner, is_own=is_own)
            )
        return f"<{name}>{''.join(inside)}</{name}>"

    def _name(self, name: str) -> str:
        return name if name in self._tables.names else self._values.scrambled(name[:LONGEST])

    def _text(self, text: str) -> str:
        return self._values.text(text)


def _any_form(operation: Operation | None) -> Form | None:
    """The form of all answers of an operation in one: an error may come with any HTTP status."""
    forms = (
        [form for form in (operation.bad, operation.good) if isinstance(form, Mapping)] if operation else []
    )
    return {name: inner for form in forms for name, inner in form.items()} or None


def _wait(text: str) -> str:
    """How long a carrier asks to wait: seconds, or longer than a run waits."""
    return "5" if text.isascii() and text.isdigit() and int(text[:9]) <= 10 else "3600"  # noqa: PLR2004 (see HttpSession)


def operation_of(tables: Documented, request: Request) -> Operation | None:
    """The operation of a request. One that leads elsewhere follows a carrier's link, to a document."""
    body = (request.body or b"").decode("utf-8", "replace")
    if request.origin:
        return next((one for one in tables.operations if one.is_document), None)
    return tables.operation_of(request.path.partition("?")[0], body)
