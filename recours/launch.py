"""Starts a worker with the Python that cron found, or re-runs it with the checkout's .venv if a package is missing.

Uses only the standard library and syntax of old Python versions, because any Python may run this file.
"""

import gc
import os
import sys
import time

from recours.host.installation import (
    INSTALL,
    OLDEST,
    ROOT,
    has_pip,
    how_to_install_again,
    is_checkout,
    own_python,
)

# Set in the environment of the re-run process until it has found the packages.
HANDED_OVER = "RECOURS_HANDED_OVER"
# Each required package and its minimum version. A test compares this list with pyproject.toml.
NEEDED = (
    ("sqlalchemy", (2, 1)),
    ("requests", (2, 32, 2)),
    ("tenacity", (9, 0)),
    ("python-dotenv", (1, 1)),
    ("click", (8, 5)),
    ("aiosmtplib", (5, 1)),
    ("alembic", (1, 16)),
    ("defusedxml", (0, 7, 1)),
    ("concurrent-log-handler", (0, 9, 31)),
    ("portalocker", (3, 0)),
    ("pypdfium2", (5, 0)),
    ("pillow", (12, 0)),
    ("urllib3", (2, 6)),
    ("jinja2", (3, 1)),
    ("babel", (2, 16)),
    ("tzdata", ()),
    ("fpdf2", (2, 8)),
    ("font-roboto", (0, 0, 1)),
)
_MOST_NAMED = 3


def main(worker: str) -> None:
    """Run a worker with this process's arguments. Never returns."""
    missing = missing_here()
    if missing and not _is_at_home():
        _hand_over(worker, missing)
    if missing:
        _refuse(_repair(missing), worker)
    os.environ.pop(HANDED_OVER, None)
    sys.path.insert(0, ROOT)
    # Imported modules are never freed, so garbage collection during imports and at exit is useless. It would take a
    # quarter of the time of a run with nothing to do.
    gc.disable()
    try:
        from recours.cli.workers import main as run
    except ImportError as error:
        _refuse(_repair(str(error)), worker)
    gc.freeze()
    gc.enable()
    sys.exit(run(worker))


def require_packages() -> None:
    """Exit with status 2 and an error message unless this Python has all required packages."""
    missing = missing_here()
    if missing:
        _refuse(_repair(missing))


def missing_here() -> "str | None":
    """Return which packages this Python is missing, as text; None: nothing is missing.

    An update may require packages or versions that an older .venv does not have. Many packages are imported only when
    needed, so without this check a run could fail in the middle of its work.
    """
    if sys.version_info < OLDEST:
        return "Python %d.%d or newer is needed" % OLDEST
    versions = _installed()
    missing = []
    old = []
    for name, oldest in NEEDED:
        version = versions.get(_plain(name))
        if not version:
            missing.append(name)
        elif _numbers(version)[: len(oldest)] < oldest:
            old.append(
                "%s is version %s instead of %s or newer" % (name, version, ".".join(map(str, oldest)))
            )
    if len(missing) > _MOST_NAMED:  # this Python was not set up for recours
        missing[_MOST_NAMED:] = ["%d more" % (len(missing) - _MOST_NAMED)]
    faults = ["the package %s is missing" % name for name in missing[:1]]
    if len(missing) > 1:
        faults = ["the packages %s and %s are missing" % (", ".join(missing[:-1]), missing[-1])]
    return ", ".join(faults + old) or None


def _installed() -> "dict[str, str]":
    """Return the version of each package, from the names of the metadata folders.

    Reading the metadata itself would take 65 ms, a fifth of a run with nothing to do; this takes half a millisecond.
    """
    versions: "dict[str, str]" = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:  # the entry is a zip file or does not exist
            continue
        for name in names:
            stem, _, kind = name.rpartition(".")
            if kind in ("dist-info", "egg-info"):
                title, _, version = stem.partition("-")
                versions.setdefault(_plain(title), version)
    return versions


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _numbers(version: str) -> "tuple[int, ...]":
    """Parse the numbers of a version: (2, 1, 0) for 2.1.0rc1."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def _is_at_home() -> bool:
    return os.path.realpath(sys.prefix) == os.path.realpath(os.path.join(ROOT, ".venv"))


def _hand_over(worker: str, missing: str) -> None:
    python = os.path.join(ROOT, own_python())
    why = "in this Python (%s) %s, and " % (sys.executable, missing)
    relative = os.path.relpath(python, ROOT)
    if not os.path.lexists(python):
        _refuse(_set_up(why + "there is no .venv"), worker)
    if not os.path.exists(python):
        _refuse(_set_up(why + relative + " points to a Python that no longer exists"), worker)
    if HANDED_OVER in os.environ:
        _refuse(_set_up(why + relative + " leads to it"), worker)
    os.environ[HANDED_OVER] = "1"
    command = [python, os.path.abspath(sys.argv[0])] + sys.argv[1:]
    if os.name == "nt":  # on Windows, exec returns to the scheduler before the run has ended
        import subprocess

        sys.exit(subprocess.call(command))
    os.execv(python, command)


def _repair(problem: str) -> str:
    """Return the error message for a Python whose packages do not match this version of the code."""
    if not is_checkout():
        return "recours is not set up (%s): %s." % (problem, how_to_install_again())
    if not _is_at_home():
        return _set_up(problem)
    if not has_pip():  # the Python that created this .venv was replaced
        return _set_up("in .venv " + problem)
    return "recours is not set up (in .venv %s): %s." % (problem, how_to_install_again())


def _set_up(problem: str) -> str:
    """Return the error message for a checkout without a usable .venv."""
    # Without --clear, an existing broken .venv would be kept.
    clear = "--clear " if os.path.lexists(os.path.join(ROOT, ".venv")) else ""
    facts = (problem, ROOT, clear, own_python(), INSTALL)
    return "recours is not set up (%s): in %s run 'python3 -m venv %s.venv', then '%s %s'." % facts


def _refuse(sentence: str, worker: "str | None" = None) -> None:
    """Print the error, write it to the worker's log, and exit with status 2."""
    if worker:
        _note_in_log(worker, sentence)
    if sys.stderr:  # None under pythonw
        sys.stderr.write(sentence + "\n")
    sys.exit(2)


def _note_in_log(worker: str, sentence: str) -> None:
    """Append a line to the worker's log, if possible, without importing the log modules."""
    home = os.environ.get("RECOURS_HOME") or ROOT
    folder = os.path.join(home, os.environ.get("RECOURS_LOG_DIR") or "logs")
    try:
        # If the file is created here, only its user may read it.
        handle = os.open(os.path.join(folder, worker + ".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(handle, "a", encoding="utf-8") as log:
            log.write(time.strftime("%Y-%m-%d %H:%M:%S - [ERROR] - __main__ - ") + sentence + "\n")
    except OSError:
        pass
