"""Searches recours's texts for phrases to avoid, and prints the words to use instead. Part of `make check`.

`python -m tests.phrases` searches the code (docstrings, comments, string literals), the manual and the French texts for the
patterns of `tests/phrases.txt`, and prints file, line, phrase and replacement. Paths as arguments limit the search.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "phrases.txt"
# The guide is fixed. Corpus, recordings, schemas and the tables of labels and phrases are data. The other files quote the phrases.
SKIPPED = (
    "docs/guide.md", "docs/develop/style.md", "tests/corpus/", "tests/carriers/recordings/", "tests/carriers/published_numbers.txt",
    "tests/schemas/", "tests/phrases", "tests/old_words", "tests/unit/test_phrases.py", "recours/evidence/labels.py", "recours/evidence/phrases.py", "LICENSE", "requirements.txt",
    "tests/requirements.txt",
)  # fmt: skip
# Pages about the words themselves.
ABOUT_WORDS = ("docs/develop/glossary.md", "docs/develop/rules.md", "docs/develop/tests.md")
SUFFIXES = {
    ".py",
    ".md",
    ".html",
    ".j2",
    ".po",
    ".toml",
    ".yaml",
    ".yml",
    ".js",
    ".css",
    ".example",
    ".service",
    ".timer",
    "",
}

_COMMENT_OR_STRING = re.compile(
    r"#(?P<comment>[^\n]*)"
    r'|(?<=\n)(?P<indent> *)"""(?P<docstring>(?:[^\\]|\\.)*?)"""'
    r'|[rbfu]{0,2}(?:"""(?P<long>(?:[^\\]|\\.)*?)"""|"(?P<string>(?:[^"\\\n]|\\.)*)"|\'(?P<single>(?:[^\'\\\n]|\\.)*)\')',
    re.IGNORECASE | re.DOTALL,
)
_PO_ENTRY = re.compile(r'^(msgid|msgid_plural|msgstr(?:\[\d\])?|msgctxt) ((?:"[^\n]*"\n?)+)', re.MULTILINE)


@dataclass(frozen=True)
class Phrase:
    """A pattern of the list and the words to use instead."""

    pattern: re.Pattern[str]
    instead: str


@dataclass(frozen=True)
class Match:
    """A phrase in a text."""

    line: int
    text: str
    instead: str


def section(table: Path, title: str) -> dict[str, str]:
    """A section of a table with lines of the form "old = new"."""
    text = table.read_text(encoding="utf-8").partition(f"\n[{title}]\n")[2].partition("\n[")[0]
    lines = [line.partition(" = ") for line in text.splitlines() if line and not line.startswith("#")]
    return {old: new for old, _, new in lines}


@cache
def phrases(title: str) -> tuple[Phrase, ...]:
    """The patterns of a section of the list. A space in a pattern matches any white space."""
    return tuple(Phrase(_pattern(old), new) for old, new in section(LIST, title).items())


def _pattern(phrase: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{phrase})(?!\w)".replace(" ", r"\s+"))


def matches(text: str, *titles: str) -> Iterator[Match]:
    """The phrases of these sections in a text."""
    text = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    for kept in phrases("kept"):
        text = kept.pattern.sub(lambda match: "\n" * match[0].count("\n"), text)
    for title in titles:
        for phrase in phrases(title):
            for match in phrase.pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                yield Match(line, " ".join(match[0].split()), phrase.instead)


def in_file(path: Path) -> list[Match]:
    """The phrases in a file of the repository, by line."""
    name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    parts: list[tuple[str, tuple[str, ...]]] = []
    if path.suffix == ".py":
        code = ("everywhere", "code") if name.startswith("recours/") else ("everywhere",)
        parts.append((comments_and_strings(text), code))
    elif path.suffix == ".po":
        parts += [
            (messages(text, "msgid"), ("everywhere", "users", "operators")),
            (messages(text, "msgstr"), ("french",)),
        ]
    elif name.startswith("docs/fr/"):
        parts.append((text, ("french",)))
    elif path.suffix == ".md" and name not in ABOUT_WORDS:
        develop = name.startswith(("docs/develop/", "docs/decisions/"))
        parts.append((text, ("everywhere", "users") if develop else ("everywhere", "users", "operators")))
    else:
        parts.append((text, ("everywhere",)))
    found = {match for part, titles in parts for match in matches(part, *titles)}
    return sorted(found, key=lambda match: (match.line, match.text))


def comments_and_strings(code: str) -> str:
    """The comments, docstrings and string literals of a module, on their original lines.

    A pilcrow marks the start of a docstring. A NUL character separates texts with code between them, so no phrase spans both.
    """
    pieces, end = [], 0
    for match in _COMMENT_OR_STRING.finditer(code):
        between = code[end : match.start()]
        pieces.append(
            "\n" * between.count("\n") if not between.strip() else "\0" + "\n" * between.count("\n")
        )
        pieces.append(
            ("\N{PILCROW SIGN}" if match["docstring"] else " ") + (match[match.lastgroup or 0] or "") + " "
        )
        end = match.end()
    return "".join(pieces).replace("\\n", "  ")


def messages(catalog: str, field: str) -> str:
    """The English (msgid) or French (msgstr) texts of a catalog, on their original lines."""
    pieces, end = [], 0
    for match in _PO_ENTRY.finditer(catalog):
        pieces.append("\n" * catalog.count("\n", end, match.start()))
        if match[1].startswith(field):
            pieces.append("\0" + match[2].replace('"', " ").replace("\\n", "  "))
        else:
            pieces.append("\n" * match[2].count("\n"))
        end = match.end()
    return "".join(pieces)


def searched(arguments: list[str]) -> list[Path]:
    """The repository's files to search, limited to the paths in `arguments`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *arguments]
    names = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, encoding="utf-8"
    ).stdout.splitlines()
    paths = [ROOT / name for name in names if not name.startswith(SKIPPED)]
    return [path for path in paths if path.suffix in SUFFIXES and path.is_file()]


def main() -> int:
    """Print the phrases found. Return the exit status, 1 if a file contains a phrase."""
    count = 0
    for path in searched(sys.argv[1:]):
        for match in in_file(path):
            count += 1
            print(f"{path.relative_to(ROOT)}:{match.line}: “{match.text}” → {match.instead}")
    if count:
        print(f"{count} phrases. tests/phrases.txt is the list; docs/develop/style.md has the rules.")
    return int(bool(count))


if __name__ == "__main__":
    sys.exit(main())
