"""The extra `fleet`: whether this Python has it, how it gets it, and the job queue that needs it."""

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from recours.fleet.jobs import NoFleetError
from recours.settings.model import Settings

if TYPE_CHECKING:
    from recours.fleet.procrastinate_queue import ProcrastinateQueue

PACKAGE = "procrastinate"
# As in pyproject.toml; a test compares them.
OLDEST, TOO_NEW = (3, 10), (4,)
REQUIREMENT = f"{PACKAGE}>={'.'.join(map(str, OLDEST))},<{'.'.join(map(str, TOO_NEW))}"


def found_version() -> str | None:
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


def open_queue(settings: Settings) -> "ProcrastinateQueue":
    """The one of these settings; connects nowhere yet. Raises NoFleetError on SQLite, or without the extra."""
    if settings.database_url.get_backend_name() == "sqlite":
        raise NoFleetError(
            "Long-lived workers and their job queue need PostgreSQL: set DATABASE_URL. On SQLite the two workers that cron "
            "starts do all the work."
        )
    if why := problem():
        raise NoFleetError(
            f"Long-lived workers and their job queue need the extra 'fleet': {why}. Install it: {remedy()}"
        )
    from recours.fleet.procrastinate_queue import ProcrastinateQueue  # noqa: PLC0415 (an extra)

    return ProcrastinateQueue(settings.database_url)
