"""Wraps lines between words, to the width of the terminal."""

import re
import shutil
import unicodedata
from typing import TextIO

from recours.host.installation import COMMANDS

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
# Continuation lines are indented by the width of this match: an indentation, a mark, or the text before a column gap.
_HEAD = re.compile(r"^\s*[!→-] |^\s+|\s{2,}")
# A `recours` command at the end of a line, for users to copy.
_COMMAND = re.compile(rf"\S*\brecours (?:{'|'.join(COMMANDS)})\b[^.,;:()']*$")
_WIDE = frozenset({"W", "F"})  # East Asian width classes, which include emoji


def width_of(stream: TextIO) -> int | None:
    """The width of the terminal in columns, or None if the stream is not a terminal."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def display_width(text: str) -> int:
    """The displayed width of a text in columns, without its color codes."""
    return sum(1 + (unicodedata.east_asian_width(char) in _WIDE) for char in _COLOR.sub("", text))


def wrapped(line: str, width: int) -> str:
    """Wrap a line to `width`. Words longer than that, such as paths, are not broken but start a new line.

    A command at the end of the line stays on one line if it fits.
    """
    if display_width(line) <= width:
        return line
    heads = [head.end() for head in _HEAD.finditer(line) if display_width(line[: head.end()]) <= width // 2]
    begin = max(heads, default=0)
    margin = " " * display_width(line[:begin])
    text = line[begin:]
    words = text.split(" ")
    command = _COMMAND.search(text)
    if command and display_width(margin + command[0]) <= width:
        words = [*text[: command.start()].split(), command[0]]
    lines = [line[:begin] + words[0]]
    for word in words[1:]:
        if display_width(f"{lines[-1]} {word}") > width:
            lines.append(margin + word)
        else:
            lines[-1] += f" {word}"
    return "\n".join(line.rstrip() for line in lines)
