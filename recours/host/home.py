"""The home of this installation: the folder with settings, logs, documents and the embedded database."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from recours.host.files import exists
from recours.host.installation import is_checkout

SETTING = "RECOURS_HOME"
# The folder that contains the package: a checkout, or site-packages. recours never writes to site-packages.
CODE = Path(__file__).resolve().parents[2]
# A file in each home that is not a checkout. It tells commands that the working directory is a home.
MARK = ".recours-home"
_MARK_TEXT = "recours stores its files in this folder. Delete this file only together with them.\n"


class NoHomeError(Exception):
    """No home was found. The message says what to do."""


def migrations() -> Path:
    """The folder of Alembic's scripts: next to the package in a checkout, inside the package in an installed copy."""
    installed = CODE / "recours" / "_migrations"
    return installed if installed.is_dir() else CODE / "migrations"


def find_home(environment: Mapping[str, str]) -> Path:
    """RECOURS_HOME, or else the checkout, or else the working directory if it contains MARK. Raises NoHomeError."""
    if named := environment.get(SETTING):
        home = Path(named).expanduser()
        if not home.is_absolute():
            raise NoHomeError(f"{SETTING} must be an absolute path, not {named!r}.")
        try:
            is_there = exists(home) and home.is_dir()
        except OSError as error:
            raise NoHomeError(
                f"{SETTING} is set to a folder that cannot be accessed: {error.strerror or error}."
            ) from error
        if not is_there:
            raise NoHomeError(
                f"{SETTING} is set to {home}, which does not exist. 'recours init-db' creates it."
            )
        return home
    if is_checkout():
        return CODE
    folder = Path.cwd()
    with suppress(OSError):  # a folder that this user may not read is not a home
        if (folder / MARK).is_file():
            return folder
    raise NoHomeError(
        f"{folder} is not a recours folder. Change to the folder where you ran 'recours init-db', set {SETTING} to it, or "
        f"run 'recours init-db' to create one here."
    )


def make_home(environment: Mapping[str, str]) -> Path:
    """Find the home, or else make RECOURS_HOME or the working directory the home. Raises NoHomeError."""
    try:
        return find_home(environment)
    except NoHomeError:
        named = environment.get(SETTING)
        home = Path(named).expanduser() if named else Path.cwd()
        if not home.is_absolute():
            raise
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / MARK).write_text(_MARK_TEXT, encoding="utf-8")
    except OSError as error:
        raise NoHomeError(
            f"recours cannot store its files in {home}: {error.strerror or error}. Set {SETTING} to a folder that you may "
            "write to."
        ) from error
    return home
