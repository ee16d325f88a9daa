"""A publishable report of a rehearsal: how the fields of the answers differ from the documented ones, without values.

Anything that a carrier sends may name a person, a place or a parcel, even a JSON key, a code or a URL path. So the
report contains only names that also occur in the simulated carrier's answers, and codes from the tables of the client,
in fields where the simulation has such codes.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from sys import modules
from typing import Any

from requests.structures import CaseInsensitiveDict

from recours.admin.rehearsal import Recording, Unlimited, answer_of, read_again
from recours.carriers import json_api, soap
from recours.carriers.http import HttpError, HttpSession
from recours.carriers.message import Request, Response
from recours.carriers.registry import CATALOG, CLIENTS
from recours.core.outcome import CallError, begins_as
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.sandbox.answers import HttpRequest

_OF_A_CODE = re.compile(r"(?:code|type|status|statusnumber|stat|error)(?:\[\])?$", re.IGNORECASE)
_ORIGIN = re.compile(r"https?://[^/?]*")
_ITEM = "[]"  # stands for a list item in a path
_TYPES: Mapping[type, str] = {
    bool: "true or false", int: "number", float: "number", dict: "object", list: "list", type(None): "null",
}  # fmt: skip
_CHARACTER_CLASSES = (
    (re.compile(r"[^\W\d_]+"), "A"),
    (re.compile(r"\d+"), "9"),
    (re.compile(r"-+"), "-"),
    (re.compile(r"(?:[^\w-]|_)+"), "."),
)
_LONGEST_FORM = 8
_MOST_FORMS = 5
_EXPLANATION = (
    "No values of the answers. ?: a name that recours does not know. A, 9, - and . stand for any number of letters, "
    "digits, hyphens and other characters."
)
_FACTS = {"at": "time", "day": "day", "signatory": "signatory", "place": "place"}


def shared_report(recording: Recording, version: str) -> str:
    """Return the text for a public issue. `version`: the version of recours."""
    documented = _documented(recording.carrier)
    delivery = read_again(recording).delivery
    facts = [text for name, text in _FACTS.items() if delivery and getattr(delivery, name)]
    lines = [
        f"recours {version}, {CATALOG.name_of(recording.carrier)}: read as {recording.kind}",
        f"What was read of the delivery: {', '.join(facts) or 'nothing'}",
        _EXPLANATION,
    ]
    for number, call in enumerate(recording.calls, 1):
        request = call["request"]
        lines += ["", f"{number}. {request['method']} {documented.shown_path(request['path'])}"]
        answer = answer_of(call)
        if isinstance(answer, HttpError):
            lines.append(type(answer).__name__)
        else:
            lines += _answer_lines(answer, documented)
    return "\n".join([*lines, ""])


def _answer_lines(answer: Response, documented: "_Documented") -> Iterator[str]:
    forms: defaultdict[str, set[str]] = defaultdict(set)
    for field_name, value in documented.fields(answer):
        forms[field_name].add(documented.form(field_name, value))
    content = begins_as(answer.body, html=True)
    if content is None:
        content = "nothing that can be read" if _tree(answer.body) is None else "fields"
    yield f"HTTP {answer.status}, {content}"
    for field_name, values in sorted(forms.items()):
        yield f"  {field_name}: {', '.join(sorted(values)[:_MOST_FORMS])}"
    closest = max(documented.answers, key=lambda fields: (len(fields & forms.keys()), -len(fields)))
    if (missing := closest - forms.keys()) and missing != closest:
        yield f"  documented, but missing: {', '.join(sorted(missing))}"


def _tree(body: bytes) -> Any:
    tree = json_api.tree(body)
    if tree is not None:
        return tree
    root = soap.parse(body)
    return None if root is None else _of_elements([root])


def _of_elements(elements: Iterable[Any]) -> dict[str, Any]:
    """Convert XML elements to JSON: repeated names become lists, attributes become fields next to their element."""
    fields: defaultdict[str, list[Any]] = defaultdict(list)
    for element in elements:
        fields[element.tag].append(_of_elements(element) or (element.text or "").strip() or None)
        for name, value in element.attrib.items():
            if not name.startswith("xmlns"):
                fields[f"{element.tag}@{name}"].append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each leaf value with the names on its path; `_ITEM` stands for a list item."""
    if isinstance(tree, dict) and tree:
        for name, value in tree.items():
            yield from _leaves(value, (*path, name))
    elif isinstance(tree, list) and tree:
        for value in tree:
            yield from _leaves(value, (*path, _ITEM))
    elif path:
        yield path, tree


# ---------------------------------------------------------------- documented names


@dataclass(frozen=True)
class _Documented:
    """Names from the simulated carrier's answers and codes from the client's tables, which may be published."""

    box: Sandbox
    codes: frozenset[str]
    names: set[str] = field(default_factory=lambda: {_ITEM})
    headers: set[str] = field(default_factory=set)
    steps: set[str] = field(default_factory=set)  # path segments of calls
    answers: list[set[str]] = field(default_factory=list)  # the fields of each answer
    coded: set[str] = field(default_factory=set)  # fields that contain codes

    def send(self, request: Request) -> Response:
        """Return the simulated carrier's answer and collect its names."""
        path, _, query = request.path.partition("?")
        headers = {name.lower(): value for name, value in request.headers.items()}
        simulated = self.box.answer(HttpRequest(request.method, path, headers, request.body or b"", query))
        answer = Response(
            simulated.status,
            CaseInsensitiveDict([*simulated.headers, ("Content-Type", simulated.content_type)]),
            simulated.body,
        )
        self.steps.update(path.split("/"))
        self.names.update(*(path for path, _ in _leaves(_tree(answer.body))))
        self.headers.update(name.lower() for name in answer.headers)
        fields = list(self.fields(answer))
        self.answers.append({field_name for field_name, _ in fields})
        self.coded.update(
            name for name, value in fields if str(value) in self.codes and _OF_A_CODE.search(name)
        )
        return answer

    def fields(self, answer: Response) -> Iterator[tuple[str, Any]]:
        """Yield each field of an answer: its publishable name, and its value, which must not be published."""
        for path, value in _leaves(_tree(answer.body)):
            names = (name if name in self.names else "?" for name in path)
            yield ".".join(names).replace(f".{_ITEM}", _ITEM), value
        for name, value in answer.headers.items():
            if name.lower() in self.headers:
                yield f"header {name.lower()}", value

    def shown_path(self, path: str) -> str:
        path = _ORIGIN.sub("", path).partition("?")[0]
        return "/".join(step if step in self.steps else "?" for step in path.split("/"))

    def form(self, field_name: str, value: Any) -> str:
        """Return a known code as it is, otherwise the type, and for short texts the character classes."""
        if field_name in self.coded and str(value) in self.codes:
            return f"code {value}"
        if not isinstance(value, str):
            return _TYPES[type(value)]
        form = value
        for characters, symbol in _CHARACTER_CLASSES:
            form = characters.sub(symbol, form)
        return f"text {form}".rstrip() if len(form) <= _LONGEST_FORM else "text"


def _documented(carrier: str) -> _Documented:
    """Collect names and codes from simulated fetches of parcels in every scenario."""
    client_type = CLIENTS[carrier]
    spec = client_type.spec
    clock = SimulatedClock()
    box = Sandbox(clock.now)
    settings = box.credentials(carrier, next(iter(box.accounts)))
    settings |= {option.name: option.default for option in spec.options}
    codes = {code for option in spec.options for code in option.default.split(",")}
    for name, value in vars(modules[client_type.__module__]).items():
        if isinstance(value, Mapping) and not name.startswith("__"):
            codes.update(map(str, value))
        elif isinstance(value, str):
            codes.add(value)
    documented = _Documented(box, frozenset(codes))
    for scenario in Scenario:
        box.default = Parcel((scenario,))
        client = client_type(settings)
        session = HttpSession(spec.name, Unlimited(), documented, clock, lambda: 0.0, client.wait_asked)
        with suppress(CallError):
            client.fetch(spec.number_example, None, session)
    documented.steps.discard(spec.number_example)
    return documented
