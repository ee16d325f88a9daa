"""Errors as DHL's services tell them: JSON of the type `application/problem+json`."""

from dataclasses import dataclass
from typing import Any

from recours.carriers import json_api
from recours.carriers.message import Response
from recours.core.text import plain

_READ_OF_TEXTS = 2000  # signs
_READ_OF_DETAILS = 20


@dataclass(frozen=True)
class Problem:
    """What an error says. `words`: all of it in lower case without accents, to look for what it is about."""

    said: str | None = None
    words: str = ""


def problem_of(answer: Response) -> Problem:
    """Read an error; nothing is said by an answer that is none.

    Not read: `instance`, which repeats the request and so names every field of it, and `status`, which is a text at
    MyDHL and a number at Unified, and tells nothing that HTTP does not.
    """
    try:
        tree = json_api.parse(answer.body)
    except json_api.NotJsonError:
        return Problem()
    told = {name: json_api.text(tree, name) for name in ("detail", "message", "title")}
    more = [json_api.text(each) for each in _listed(tree, "additionalDetails")]
    texts = [text for text in (*told.values(), *more) if text]
    return Problem(texts[0] if texts else None, plain(" ".join(texts)[:_READ_OF_TEXTS]))


def _listed(tree: Any, name: str) -> list[Any]:
    found = json_api.at(tree, name)
    return found[:_READ_OF_DETAILS] if isinstance(found, list) else []
