"""The extra `fleet`: whether this Python has it, and how it gets it."""

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

PACKAGE = "procrastinate"
# As in pyproject.toml; a test compares them.
OLDEST, TOO_NEW = (3, 10), (4,)
REQUIREMENT = f"{PACKAGE}>={'.'.join(map(str, OLDEST))},<{'.'.join(map(str, TOO_NEW))}"


def found_version() -> str | None:
    """The version of Procrastinate that this Python has installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


def problem() -> str | None:
    """Why the extra cannot be used, without a full stop; None if it can."""
    found = found_version()
    if found is None:
        return "the package Procrastinate is not installed"
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if not OLDEST <= numbers < TOO_NEW:
        return f"Procrastinate {found} is installed, and recours needs {REQUIREMENT}"
    try:
        import_module(PACKAGE)
    except ImportError as error:
        return f"Procrastinate {found} cannot be imported: {error}"
    return None


def remedy() -> str:
    """The command that installs the extra for this Python."""
    return f'{sys.executable} -m pip install "{REQUIREMENT}" "psycopg[binary]>=3.2"'
