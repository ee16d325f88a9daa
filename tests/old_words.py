"""Words of the project's own that names had, and what the field says. A test sees that they do not come back.

The table is `tests/old_words.txt`; `python -m tests.old_words` prints how often each word is still in a name below
`recours/`, and with `trim` takes off the table's lists what no name has any more. What is stored, or printed for programs, may have any name.
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
    """Each name that a file has or gives to something, as `NAMES` has them, and the file."""
    for path in sorted(package.rglob("*.py")):
        yield path.stem if path.stem != "__init__" else path.parent.name, path
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        methods = {id(each): f"{one.name}." for one in classes for each in one.body}
        for node in ast.walk(tree):
            if name := _given_by(node):
                yield methods.get(id(node), "") + name, path


def _given_by(node: ast.AST) -> str | None:
    """The name that a part of a program gives to something; None if it gives none."""
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
    """The rows of the tables that a name falls under."""
    words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", _own(name))}
    yield from words & WORDS.keys()
    yield from (old for old in NAMES if fnmatchcase(name, old))


def _own(name: str) -> str:
    """Without the class before it."""
    return name.rpartition(".")[2].removesuffix("()")


def stored_names() -> frozenset[str]:
    """Names of columns, of JSON keys and of stored values: variables and enumerations may be called as they are."""
    columns = (name for table in reference_pages.tables().values() for name in table)
    values = (value for of_column in reference_pages.stored_values().values() for value in of_column)
    keys = (key for meanings in reference_pages.MEANINGS["json"].values() for key in meanings)
    return frozenset(re.split(r"\W+", name.removesuffix("[]"))[-1] for name in (*columns, *values, *keys))


@cache
def found(package: Path = PACKAGE) -> dict[str, list[str]]:
    """The old words that are there, each with the names that have it and their files."""
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
    """Names of public classes that are there more than once."""
    defined = Counter(
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    # A carrier's client and its simulator are called alike on purpose.
    clients, simulators = (
        {path.stem for path in (PACKAGE / name).glob("*.py")} for name in ("carriers", "sandbox")
    )
    carriers = {name.replace("_", "") for name in clients & simulators}
    return {name for name, count in defined.items() if count > 1 and name.lower() not in carriers}


def trim() -> None:
    """Take off the lists what no name has any more."""
    text = TABLE.read_text(encoding="utf-8")
    table, mark, lists = text.partition("\n[still to be renamed]\n")
    done = (STILL_TO_BE_RENAMED - found().keys()) | (STILL_SEVERAL_CLASSES - several_classes())
    kept = [line for line in lists.splitlines(keepends=True) if line.strip() not in done]
    TABLE.write_text(table + mark + "".join(kept), encoding="utf-8")


def main() -> None:
    """How often each old word is there, the most frequent first."""
    if sys.argv[1:] == ["trim"]:
        trim()
        return
    counted = sorted(((len(names), old) for old, names in found().items()), reverse=True)
    for count, old in counted:
        new = WORDS.get(old) or NAMES.get(old) or MODULES[old.removeprefix("module ")]
        print(f"{count:>5}  {old:<24} → {new}")
    print(
        f"{sum(count for count, _ in counted):>5}  in all; names of several classes: {', '.join(sorted(several_classes()))}"
    )


if __name__ == "__main__":
    main()
