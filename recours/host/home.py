"""Where this installation keeps its files: settings, logs, documents and the embedded database."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from recours.host.installation import is_checkout

SETTING = "RECOURS_HOME"
# The folder that holds the package: a checkout, or site-packages, where nothing is ever written.
CODE = Path(__file__).resolve().parents[2]
# Lies in a home that is no checkout, so that commands find their files in the folder they are typed in.
MARK = ".recours-home"
_MARK_TEXT = "recours keeps its files in this folder. Delete this file only together with them.\n"


class NoHomeError(Exception):
    """There is no home yet; the text is a sentence that says what to do."""


def migrations() -> Path:
    """The folder of Alembic's scripts: beside the package in a checkout, within it in an installed copy."""
    installed = CODE / "recours" / "_migrations"
    return installed if installed.is_dir() else CODE / "migrations"


def find_home(environment: Mapping[str, str]) -> Path:
    """RECOURS_HOME, else the checkout, else the working directory if it is marked. Raises NoHomeError."""
    if named := environment.get(SETTING):
        home = Path(named).expanduser()
        if not home.is_absolute():
            raise NoHomeError(f"{SETTING} must be an absolute path, not {named!r}.")
        try:
            is_there = home.is_dir()
        except OSError as error:
            raise NoHomeError(
                f"{SETTING} names a folder that cannot be used: {error.strerror or error}."
            ) from error
        if not is_there:
            raise NoHomeError(f"{SETTING} names {home}, which does not exist: 'recours init-db' creates it.")
        return home
    if is_checkout():
        return CODE
    folder = Path.cwd()
    with suppress(OSError):  # a folder that this user may not read is not this user's home
        if (folder / MARK).is_file():
            return folder
    raise NoHomeError(
        f"{folder} is no folder of recours: change to the one where you ran 'recours init-db', name it in {SETTING}, or "
        f"run 'recours init-db' to keep recours's files here."
    )


def make_home(environment: Mapping[str, str]) -> Path:
    """The home; if there is none, RECOURS_HOME or the working directory becomes it. Raises NoHomeError."""
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
            f"recours cannot keep its files in {home}: {error.strerror or error}. Name a folder that you may write in "
            f"{SETTING}."
        ) from error
    return home
