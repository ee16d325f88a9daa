"""The pages of the manual: README.md, docs/, and the generated reference."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from docs import reference_pages

ROOT = Path(__file__).resolve().parents[3]
_FENCE = re.compile(r"^( *)```([\w+-]*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


@cache
def written() -> dict[str, str]:
    """The handwritten pages by path."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    names = {path.relative_to(ROOT).as_posix(): path for path in found}
    return {
        name: path.read_text(encoding="utf-8")
        for name, path in names.items()
        if not name.startswith(("docs/_build/", "docs/reference/"))
    }


@cache
def generated() -> dict[str, str]:
    """The pages of the reference by path, as generated from the current code."""
    return {f"docs/reference/{name}.md": text for name, text in reference_pages.pages().items()}


@cache
def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def everything() -> str:
    """All handwritten pages as one text."""
    return "\n".join(written().values())


# ---------------------------------------------------------------- parts of a page


@dataclass(frozen=True)
class Block:
    """A code block of a page, with its language."""

    page: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """All code blocks in these languages."""
    return [
        block
        for name, text in written().items()
        for block in blocks_of(name, text)
        if block.language in languages
    ]


def blocks_of(name: str, text: str) -> Iterator[Block]:
    for indent, language, content in _FENCE.findall(text):
        yield Block(name, language, re.sub(rf"^{indent}", "", content, flags=re.MULTILINE))


def without_blocks(text: str) -> str:
    return _FENCE.sub("", text)


def prose(text: str) -> str:
    """The text without code, link targets and comments."""
    text = re.sub(r"<!--.*?-->", "", without_blocks(text), flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "…", text, flags=re.DOTALL))


def code_in_prose(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", without_blocks(text))


def section(name: str, title: str) -> str:
    """The text below a heading, up to the next heading of any level."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#|\Z)", text_of(name), re.DOTALL | re.MULTILINE)
    assert found, f"{name} has no section {title}"
    return found[2]


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a section, without table heads and backticks."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines]
    rules = [n for n, line in enumerate(lines) if set(line) <= set("|- ")]
    return [row for n, row in enumerate(cells) if n not in rules and n + 1 not in rules]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, in the form that GitHub and MyST use."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", without_blocks(text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(next(name for n in range(99) if (name := f"{slug}-{n}" if n else slug) not in found))
    return found


def links(text: str) -> list[str]:
    """The targets of a page's links and images."""
    text = re.sub(r"`[^`]*`", "", without_blocks(text))
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)
