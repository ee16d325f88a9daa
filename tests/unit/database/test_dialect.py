"""The differences between the two databases are in one place."""

import re
from pathlib import Path

from recours import database

FOLDER = Path(database.__file__).parent


def test_no_other_module_tells_the_databases_apart() -> None:
    names = re.compile(r"\"sqlite|\"postgresql|sqlite3|psycopg|sqlalchemy\.dialects")
    modules = {path.name for path in FOLDER.rglob("*.py") if names.search(path.read_text(encoding="utf-8"))}
    assert modules == {"dialect.py", "postgres.py"}
