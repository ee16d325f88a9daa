"""Every message in the index of messages exists in the code."""

import ast
import re
from collections.abc import Sequence
from functools import cache

from tests.unit.manual.pages import ROOT, code_in_prose, text_of

PAGE = "docs/messages.md"
OF_CLICK = {"No such option '--batch'"}
# The minimum share of a message that is fixed text. The rest is variable: a name, a number, a plural.
MOST = 0.5


def words_of(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[\w✅❌⏭🛑⏸]+", re.sub(r"\{\w+\}", "", text)))


@cache
def texts_of_the_code() -> list[tuple[str, ...]]:
    """The words of every text in the code, except docstrings."""
    found = set()
    for path in (ROOT / "recours").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                found.add(words_of(node.value))
            elif isinstance(node, ast.JoinedStr):
                parts = [str(part.value) for part in node.values if isinstance(part, ast.Constant)]
                found.add(words_of(" ".join(parts)))
    return list(found)


def in_common(message: Sequence[str], text: Sequence[str]) -> int:
    """The number of words of the message that the text contains in the same order."""
    longest = [0] * (len(message) + 1)
    for word in text:
        for place in range(len(message), 0, -1):
            if message[place - 1] == word:
                longest[place] = max(longest[place], longest[place - 1] + 1)
        for place in range(1, len(message) + 1):
            longest[place] = max(longest[place], longest[place - 1])
    return longest[-1]


def first_cells() -> list[str]:
    """The messages, quoted in the first column of the tables."""
    rows = [line.split(" | ")[0] for line in text_of(PAGE).splitlines() if line.startswith("| `")]
    return [message for row in rows for message in code_in_prose(row)]


def is_said(message: str) -> bool:
    """Return whether each sentence of a message is in a text of the code, apart from variable parts."""
    return all(map(_is_said, filter(None, map(words_of, re.split(r"[.:;?] ", message)))))


def _is_said(words: tuple[str, ...]) -> bool:
    likely = (text for text in texts_of_the_code() if len({*words} & {*text}) >= MOST * len({*words}))
    return any(in_common(words, text) >= MOST * len(words) for text in likely)


def test_every_listed_message_occurs_in_the_code() -> None:
    assert [message for message in first_cells() if message not in OF_CLICK and not is_said(message)] == []


def test_a_message_that_does_not_occur_in_the_code_is_found() -> None:
    assert len(first_cells()) > 50
    assert is_said("No failed PODs eligible for retry")
    assert not is_said("A pigeon lost … near Lyon")
