"""Invented words that names must no longer contain, with their replacements. A test checks the names.

The table is `tests/old_words.txt`. `python -m tests.old_words` prints how often each word still occurs in a name below
`recours/`. With `trim`, it removes the entries of the table's lists that no name contains. Stored values and output for
programs may have any name.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from docs import reference_pages
from tests.phrases import section

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "recours"
TABLE = ROOT / "tests" / "old_words.txt"


WORDS, NAMES, MODULES = section(TABLE, "words"), section(TABLE, "names"), section(TABLE, "modules")
PARTICIPLES = frozenset(section(TABLE, "participles"))
STILL_TO_BE_RENAMED = section(TABLE, "still to be renamed").keys()
STILL_SEVERAL_CLASSES = section(TABLE, "still several classes").keys()


def names(package: Path) -> Iterator[tuple[str, Path]]:
    """The names of the files and of everything that they define, in the form of `NAMES`, with the file."""
    for path in sorted(package.rglob("*.py")):
        yield path.stem if path.stem != "__init__" else path.parent.name, path
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        methods = {id(each): f"{one.name}." for one in classes for each in one.body}
        for node in ast.walk(tree):
            if name := _defined_name(node):
                yield methods.get(id(node), "") + name, path


def _defined_name(node: ast.AST) -> str | None:
    """The name that a syntax node defines, or None."""
    match node:
        case ast.FunctionDef():
            return f"{node.name}()"
        case ast.ClassDef():
            return node.name
        case ast.Name(ctx=ast.Store()):
            return node.id
        case ast.Attribute(ctx=ast.Store()):
            return node.attr
        case ast.arg():
            return node.arg
    return None


def old_words_in(name: str) -> Iterator[str]:
    """The old words in the table that match a name."""
    words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", _own(name))}
    yield from words & WORDS.keys()
    yield from (old for old in NAMES if fnmatchcase(name, old))


def _own(name: str) -> str:
    """The name without its class."""
    return name.rpartition(".")[2].removesuffix("()")


def stored_names() -> frozenset[str]:
    """Names of columns, JSON keys and stored values, which variables and enumerations may also have."""
    columns = (name for table in reference_pages.tables().values() for name in table)
    values = (value for of_column in reference_pages.stored_values().values() for value in of_column)
    keys = (key for meanings in reference_pages.MEANINGS["json"].values() for key in meanings)
    return frozenset(re.split(r"\W+", name.removesuffix("[]"))[-1] for name in (*columns, *values, *keys))


@cache
def occurrences(package: Path = PACKAGE) -> dict[str, list[str]]:
    """The old words that still occur, each with the names that contain it and their files."""
    stored = stored_names()
    places: dict[str, list[str]] = {}
    for name, path in names(package):
        own = _own(name)
        if own not in stored and not (own.isupper() and own.lower() in stored):
            for old in old_words_in(name):
                places.setdefault(old, []).append(f"{name} ({path.relative_to(package)})")
    for path in sorted(package.rglob("*")):
        if path.stem in MODULES and path.suffix in ("", ".py"):
            places.setdefault(f"module {path.stem}", []).append(str(path.relative_to(package)))
    return places


def several_classes() -> set[str]:
    """Names that more than one public class has."""
    defined = Counter(
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    # A carrier's client and its simulator may have the same name.
    clients, simulators = (
        {path.stem for path in (PACKAGE / name).glob("*.py")} for name in ("carriers", "sandbox")
    )
    carriers = {name.replace("_", "") for name in clients & simulators}
    return {name for name, count in defined.items() if count > 1 and name.lower() not in carriers}


def trim() -> None:
    """Remove the entries of the table's lists that no name contains."""
    text = TABLE.read_text(encoding="utf-8")
    table, mark, lists = text.partition("\n[still to be renamed]\n")
    done = (STILL_TO_BE_RENAMED - occurrences().keys()) | (STILL_SEVERAL_CLASSES - several_classes())
    kept = [line for line in lists.splitlines(keepends=True) if line.strip() not in done]
    TABLE.write_text(table + mark + "".join(kept), encoding="utf-8")


def main() -> None:
    """Print how often each old word occurs, the most frequent first."""
    if sys.argv[1:] == ["trim"]:
        trim()
        return
    counted = sorted(((len(names), old) for old, names in occurrences().items()), reverse=True)
    for count, old in counted:
        new = WORDS.get(old) or NAMES.get(old) or MODULES[old.removeprefix("module ")]
        print(f"{count:>5}  {old:<24} → {new}")
    print(
        f"{sum(count for count, _ in counted):>5}  in all; names of several classes: {', '.join(sorted(several_classes()))}"
    )


if __name__ == "__main__":
    main()
