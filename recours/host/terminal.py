"""What a terminal shows: lines that are as long as it is wide, and broken between words alone."""

import re
import shutil
import unicodedata
from typing import TextIO

from recours.host.installation import COMMANDS

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
# What a text hangs below on its further lines: an indentation, a mark, a word that a gap sets apart.
_HEAD = re.compile(r"^\s*[!→-] |^\s+|\s{2,}")
# A command at the end of a line, which is to be copied.
_COMMAND = re.compile(rf"\S*\brecours (?:{'|'.join(COMMANDS)})\b[^.,;:()']*$")
_WIDE = frozenset({"W", "F"})  # of East Asian width, which emoji have too


def width_of(stream: TextIO) -> int | None:
    """How many signs a line has room for; None: it is no terminal, and lines may be of any length."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def signs(text: str) -> int:
    """How wide a text is shown, apart from its colors."""
    return sum(1 + (unicodedata.east_asian_width(sign) in _WIDE) for sign in _COLOR.sub("", text))


def wrapped(line: str, width: int) -> str:
    """A line in several, none longer than `width`; a longer word, such as a path, stands alone and whole.

    A command at its end is not broken either, if it fits on a line.
    """
    if signs(line) <= width:
        return line
    heads = [match.end() for match in _HEAD.finditer(line) if signs(line[: match.end()]) <= width // 2]
    begin = max(heads, default=0)
    margin = " " * signs(line[:begin])
    text = line[begin:]
    words = text.split(" ")
    command = _COMMAND.search(text)
    if command and signs(margin + command[0]) <= width:
        words = [*text[: command.start()].split(), command[0]]
    lines = [line[:begin] + words[0]]
    for word in words[1:]:
        if signs(f"{lines[-1]} {word}") > width:
            lines.append(margin + word)
        else:
            lines[-1] += f" {word}"
    return "\n".join(line.rstrip() for line in lines)
