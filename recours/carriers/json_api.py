"""JSON of carriers, read and written; errors among it."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from recours.carriers.message import Request, Response
from recours.core.text import plain

_DEEPEST = 500  # levels: about half of what json reads; no carrier's answer has twenty
# What is parsed of an answer. Real ones have some thousand values; an empty list costs thirty times the three bytes that
# it is sent in, and while millions of them are made no other thread of the run goes on, nor is a signal heard.
MOST_VALUES = 200_000
_BEFORE_VALUES = (b"[", b"{", b",")  # also in texts, where they are few
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)


def tree(body: bytes) -> Any:
    """The tree of an answer; None if it is not well-formed, nested too deeply, or of more values than any answer needs."""
    # Looked at first: at the bottom of a recursion that fails, whatever else Python does just then fails with it.
    if sum(map(body.count, _BEFORE_VALUES)) > MOST_VALUES or _is_too_deep(body):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _is_too_deep(body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= _DEEPEST:
        return False
    depth = 0
    for token in _TOKENS.finditer(body):
        first = token[0][:1]
        if first in b"[{":
            depth += 1
            if depth > _DEEPEST:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def post(path: str, content: Any, headers: Mapping[str, str] | None = None) -> Request:
    """A POST of JSON; more headers, or others, as given."""
    usual = {"Content-Type": "application/json", "Accept": "application/json"}
    return Request(
        "POST", path, usual | dict(headers or {}), json.dumps(content, separators=(",", ":")).encode()
    )


def at(tree: Any, *path: str | int) -> Any:
    """What lies at the end of the path of names and places; None if the way does not exist, whatever lies in it."""
    for step in path:
        if isinstance(step, str):
            tree = tree.get(step) if isinstance(tree, dict) else None
        else:
            tree = tree[step] if isinstance(tree, list) and -len(tree) <= step < len(tree) else None
    return tree


def items(tree: Any, *path: str | int) -> list[Any]:
    """The list at the end of the path; a single object counts as a list of one; else none."""
    value = at(tree, *path)
    if isinstance(value, dict):
        return [value]
    return value if isinstance(value, list) else []


def text(tree: Any, *path: str | int) -> str | None:
    """The text at the end of the path without blanks around it, or a number as text; None if there is none."""
    value = at(tree, *path)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return value.strip() or None if isinstance(value, str) else None


def first_text(tree: Any, *paths: str) -> str | None:
    """The first text at one of these paths, such as `errors.message`, if any; of a list the first item counts."""
    for path in paths:
        value = tree
        for name in path.split("."):
            value = at(next(iter(items(value)), None), name)
        if result := text(value):
            return result
    return None


# ---------------------------------------------------------------- errors as application/problem+json


_READ_OF_TEXTS = 2000  # signs
_READ_OF_DETAILS = 20


class ProblemJson(NamedTuple):
    """What an error says. `text`: all of it in lower case without accents, to look for what it is about."""

    carrier_text: str | None = None
    text: str = ""


def problem_of(answer: Response) -> ProblemJson:
    """Read an error; nothing is said by an answer that is none.

    Not read: `instance`, which repeats the request and so names every field of it, and `status`, which is a text at
    MyDHL and a number at Unified, and tells nothing that HTTP does not.
    """
    problem = tree(answer.body)
    details = at(problem, "additionalDetails")
    more = details[:_READ_OF_DETAILS] if isinstance(details, list) else []
    parts = [text(problem, name) for name in ("detail", "message", "title")] + [
        text(detail) for detail in more
    ]
    texts = [carrier_text for carrier_text in parts if carrier_text]
    return ProblemJson(texts[0] if texts else None, plain(" ".join(texts)[:_READ_OF_TEXTS]))
