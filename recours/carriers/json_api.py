"""Reads and writes the carriers' JSON, including their errors."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from recours.carriers.message import Request, Response
from recours.core.text import plain

_MAX_DEPTH = 500  # levels: about half of what the json module can parse; real answers have fewer than twenty
# Answers with more values are not parsed. Real answers have a few thousand values. An empty list takes thirty times the
# memory of its three bytes, and while Python creates millions of lists, no other thread runs and no signal is handled.
MAX_VALUES = 200_000
_BEFORE_VALUES = (b"[", b"{", b",")  # also counts the few occurrences inside strings
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)


def tree(body: bytes) -> Any:
    """The parsed body, or None if it is malformed, nested too deeply or has too many values."""
    # Check the depth first: if parsing reached the recursion limit, other code running at that moment would fail too.
    if sum(map(body.count, _BEFORE_VALUES)) > MAX_VALUES or _is_too_deep(body):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _is_too_deep(body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= _MAX_DEPTH:
        return False
    depth = 0
    for token in _TOKENS.finditer(body):
        first = token[0][:1]
        if first in b"[{":
            depth += 1
            if depth > _MAX_DEPTH:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def post(path: str, content: Any, headers: Mapping[str, str] | None = None) -> Request:
    """A POST request with a JSON body. `headers` are added to the usual headers and may override them."""
    usual = {"Content-Type": "application/json", "Accept": "application/json"}
    return Request(
        "POST", path, usual | dict(headers or {}), json.dumps(content, separators=(",", ":")).encode()
    )


def at(tree: Any, *path: str | int) -> Any:
    """The value at the end of a path of keys and indexes, or None if the path does not exist."""
    for step in path:
        if isinstance(step, str):
            tree = tree.get(step) if isinstance(tree, dict) else None
        else:
            tree = tree[step] if isinstance(tree, list) and -len(tree) <= step < len(tree) else None
    return tree


def items(tree: Any, *path: str | int) -> list[Any]:
    """The list at the end of the path. A single object is returned as a list of one, anything else as an empty list."""
    value = at(tree, *path)
    if isinstance(value, dict):
        return [value]
    return value if isinstance(value, list) else []


def text(tree: Any, *path: str | int) -> str | None:
    """The stripped text or number at the end of the path, as text, or None."""
    value = at(tree, *path)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return value.strip() or None if isinstance(value, str) else None


def first_text(tree: Any, *paths: str) -> str | None:
    """The first text found at these paths, such as `errors.message`. Of a list, the first item is used."""
    for path in paths:
        value = tree
        for name in path.split("."):
            value = at(next(iter(items(value)), None), name)
        if result := text(value):
            return result
    return None


# ---------------------------------------------------------------- errors as application/problem+json


_READ_OF_TEXTS = 2000  # characters
_READ_OF_DETAILS = 20


class ProblemJson(NamedTuple):
    """The texts of an error. `text`: all texts, in lower case without accents, for searching."""

    carrier_text: str | None = None
    text: str = ""


def problem_of(answer: Response) -> ProblemJson:
    """Read an error. The result is empty if the answer is not an error in this format.

    Two fields are ignored: `instance` repeats the request, including all field names, and `status` (a text at MyDHL, a
    number at Unified) repeats the HTTP status.
    """
    problem = tree(answer.body)
    details = at(problem, "additionalDetails")
    more = details[:_READ_OF_DETAILS] if isinstance(details, list) else []
    parts = [*(text(problem, name) for name in ("detail", "message", "title")), *map(text, more)]
    texts = [carrier_text for carrier_text in parts if carrier_text]
    return ProblemJson(texts[0] if texts else None, plain(" ".join(texts)[:_READ_OF_TEXTS]))
