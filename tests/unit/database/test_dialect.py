"""What the two kinds of database say differently is in one place."""

import re
from pathlib import Path

from recours import database

FOLDER = Path(database.__file__).parent
# What makes an engine, a type of a column, a new file.
OTHERS = {"engine.py", "tables.py", "creation.py"}


def test_no_other_module_tells_the_databases_apart() -> None:
    names = re.compile(r"is_sqlite|\"sqlite|\"postgresql|sqlalchemy\.dialects")
    modules = {path.name for path in FOLDER.rglob("*.py") if names.search(path.read_text(encoding="utf-8"))}
    assert modules - OTHERS == {"dialect.py"}
