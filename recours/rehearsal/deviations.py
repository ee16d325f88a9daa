"""Where an answer is not as documented. What else it holds is listed too, and is no deviation."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recours.carriers import json_api, outcomes, soap
from recours.carriers.message import Response
from recours.core.outcome import begins_as
from recours.core.text import clean
from recours.rehearsal.forms import ONE_OF, Either, Form, Holds, Leaf, Operation, field_form, inner_form

_LONGEST_VALUE = 60  # signs
_READ_BY_STATUS = frozenset({429, 502, 503, 504})  # whatever their bodies are
_AROUND = "Envelope.Body."
_KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


@dataclass
class Comparison:
    """What one answer showed. Places are paths such as `events[].code`, each with how often it was so."""

    deviations: Counter[str] = field(default_factory=Counter)
    undocumented: Counter[str] = field(default_factory=Counter)

    def note(self, where: str, problem: str) -> None:
        self.deviations[f"{where.removeprefix(_AROUND) or 'the answer'} {problem}"] += 1


def examine(answer: Response, operation: Operation) -> Comparison:
    """Hold an answer against its documented form."""
    found = Comparison()
    if not operation.knows(answer.status):
        found.note(f"HTTP {answer.status}", "is in no table")
    if answer.status in _READ_BY_STATUS:
        return found
    for name, leaf in operation.headers.items():
        _leaf(answer.headers.get(name) or "", leaf, f"header {name}", found, is_xml=True)
    form = operation.form_of(answer.status)
    if form is None:
        return found
    if isinstance(form, Leaf):
        if begins_as(answer.body, html=form.is_html) is None:
            found.note("the body", _unknown_document(answer.body))
        return found
    _media_type(answer, operation, found)
    tree = tree_of(answer, operation)
    if tree is None:
        what = "XML" if operation.is_xml else "JSON"
        found.note("the body", f"is not {what}" if answer.body.strip() else "is empty")
    else:
        _see(_unwrapped(tree, form, found), form, "", found, is_xml=operation.is_xml)
    return found


def _media_type(answer: Response, operation: Operation, found: Comparison) -> None:
    told = (answer.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if told not in map(str.lower, operation.media_types):
        shown = _shown(told) if told else "missing"
        found.note("Content-Type", f"is {shown}, documented is {' or '.join(operation.media_types)}")


def tree_of(answer: Response, operation: Operation) -> Any | None:
    """The values of an answer as JSON has them; None if its body cannot be read."""
    if not operation.is_xml:
        return json_api.tree(answer.body)
    try:
        root = soap.parse(answer.body)
    except soap.NotXmlError:
        return None
    return {root.tag: _plain(root, field_form(operation.form_of(answer.status), root.tag))}


def _plain(element: Any, form: Form | None) -> Any:
    """An element as a text, or as an object of its elements; a list where several have one name, or may have."""
    if not len(element):
        return (element.text or "").strip() if not isinstance(form, Mapping) else {}
    fields: dict[str, Any] = {}
    for child in element:
        wanted = field_form(form, child.tag)
        value = _plain(child, inner_form(wanted) if isinstance(wanted, list) else wanted)
        if child.tag in fields and isinstance(fields[child.tag], list):
            fields[child.tag].append(value)
        elif child.tag in fields:
            fields[child.tag] = [fields[child.tag], value]
        else:
            fields[child.tag] = [value] if isinstance(wanted, list) else value
    return fields


def _unwrapped(tree: Any, form: Form, found: Comparison) -> Any:
    """The answer without an envelope that is not documented."""
    if isinstance(form, Mapping) and isinstance(tree, dict) and len(tree) == 1:
        (name, inside), names = next(iter(tree.items())), {each.rstrip("?") for each in form}
        if name not in names and isinstance(inside, dict) and names & inside.keys():
            found.note("", f"lies in an extra envelope {_shown(name)}")
            return inside
    return tree


def _see(value: Any, form: Form, where: str, found: Comparison, *, is_xml: bool) -> None:
    if isinstance(form, Either):
        _see(value, form.of(value), where, found, is_xml=is_xml)
    elif isinstance(form, Leaf):
        _leaf(value, form, where, found, is_xml=is_xml)
    elif isinstance(form, list):
        _list(value, form, where, found, is_xml=is_xml)
    else:
        _object(value, form, where, found, is_xml=is_xml)


def _list(value: Any, form: list[Any], where: str, found: Comparison, *, is_xml: bool) -> None:
    if not isinstance(value, list):
        found.note(where, f"is {_kind(value)}, documented is a list")
        value = [value] if isinstance(value, dict) else []
    elif not value and len(form) == 1:
        found.note(where, "is an empty list, documented is at least one entry")
    for each in value:
        _see(each, form[0], f"{where}[]", found, is_xml=is_xml)


def _object(value: Any, form: Mapping[str, Any], where: str, found: Comparison, *, is_xml: bool) -> None:
    if not isinstance(value, dict):
        found.note(where, f"is {_kind(value)}, documented is an object")
        return
    place = f"{where}." if where else ""
    for name, inner in value.items():
        wanted = field_form(form, name)
        if wanted is None:
            found.undocumented[f"{place}{clean(name, _LONGEST_VALUE)}".removeprefix(_AROUND)] += 1
        elif inner is not None:
            _see(inner, wanted, f"{place}{name}", found, is_xml=is_xml)
    for name in form:
        if name != ONE_OF and not name.endswith("?") and value.get(name) is None:
            found.note(f"{place}{name}", "is null" if name in value else "is missing")
    if ONE_OF in form and not any(value.get(name) is not None for name in form[ONE_OF].split()):
        found.note(where, f"has none of {', '.join(form[ONE_OF].split())}")


def _leaf(value: Any, leaf: Leaf, where: str, found: Comparison, *, is_xml: bool) -> None:
    if not isinstance(value, str) if is_xml else type(value) not in leaf.types:
        found.note(where, f"is {_kind(value)}, documented is {leaf.what}")
        return
    text = str(value)
    if leaf.form and not leaf.form.fullmatch(text) and (text or leaf.holds is not Holds.TIME):
        found.note(where, f"is {_shown(text)}, documented is {leaf.what}")
    elif text and leaf.known is not None and leaf.is_closed and text not in leaf.known:
        found.note(where, f"is {_shown(text)}, which is in no table")
    elif text and leaf.holds is Holds.DOCUMENT:
        content = outcomes.decoded(text)
        if content is None:
            found.note(where, "is not strict base64")
        elif begins_as(content, html=leaf.is_html) is None:
            found.note(where, _unknown_document(content))


def _unknown_document(content: bytes) -> str:
    return f"is a document of unknown format, it begins with {content[:8].hex(' ') or 'nothing'}"


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def _shown(text: str) -> str:
    return f'"{clean(text, _LONGEST_VALUE)}"'
