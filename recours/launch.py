"""Starts a worker by whatever Python cron found, handing over to the checkout's .venv if that one lacks something.

Standard library only, and nothing that an old Python cannot read: this file runs before anything is known.
"""

import gc
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST = (3, 11)
# In the environment of a process that was handed over to, as long as it has not found the packages.
HANDED_OVER = "RECOURS_HANDED_OVER"
# Distribution, oldest version that is known to work. A test holds this to pyproject.toml.
NEEDED = (
    ("sqlalchemy", (2, 1)),
    ("requests", (2, 32)),
    ("tenacity", (9, 0)),
    ("python-dotenv", (1, 1)),
    ("click", (8, 2)),
    ("alembic", (1, 16)),
    ("defusedxml", (0, 7)),
    ("concurrent-log-handler", (0, 9)),
    ("pypdf", (6, 0)),
    ("pillow", (12, 0)),
    ("urllib3", (2, 6)),
    ("rich", (14, 0)),
    ("tzdata", (2024,)),
)


def main(worker: str) -> None:
    """Run a worker with this process's arguments; does not return."""
    venv = os.path.join(ROOT, ".venv")
    at_home = os.path.realpath(sys.prefix) == os.path.realpath(venv)
    lacking = None if at_home else _lacking()
    if lacking:
        _hand_over(worker, venv, lacking)
    os.environ.pop(HANDED_OVER, None)
    sys.path.insert(0, ROOT)
    # What is imported stays until the end. Looking through it for garbage, now and once more at exit, would be
    # a quarter of the time of a run with nothing to do.
    gc.disable()
    try:
        from recours.cli.workers import main as run
    except ImportError as error:
        _explain(worker, str(error))
    gc.freeze()
    gc.enable()
    sys.exit(run(worker))


def _lacking() -> "str | None":
    """What this Python lacks, in words; None if nothing."""
    if sys.version_info < OLDEST:
        return "Python %d.%d or newer" % OLDEST
    from importlib.metadata import PackageNotFoundError, version

    for name, oldest in NEEDED:
        try:
            found = tuple(int(part) for part in version(name).split(".")[: len(oldest)] if part.isdigit())
        except PackageNotFoundError:
            return name
        if found < oldest:
            return "a newer " + name
    return None


def _hand_over(worker: str, venv: str, lacking: str) -> None:
    python = os.path.join(venv, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
    why = "this Python (%s) lacks %s, and " % (sys.executable, lacking)
    shown = os.path.relpath(python, ROOT)
    if not os.path.lexists(python):
        _explain(worker, why + "there is no .venv")
    if not os.path.exists(python):
        _explain(worker, why + shown + " leads to a Python that is not there any more")
    if HANDED_OVER in os.environ:
        _explain(worker, why + shown + " leads to it")
    os.environ[HANDED_OVER] = "1"
    command = [python, os.path.abspath(sys.argv[0])] + sys.argv[1:]
    if os.name == "nt":  # there, exec returns to the scheduler before the run has ended
        import subprocess

        sys.exit(subprocess.call(command))
    os.execv(python, command)


def _explain(worker: str, problem: str) -> None:
    python = os.path.join(".venv", *(("Scripts", "python") if os.name == "nt" else ("bin", "python")))
    # What is there may lead nowhere, and would be kept.
    clear = "--clear " if os.path.lexists(os.path.join(ROOT, ".venv")) else ""
    sentence = (
        "recours is not set up (%s): in %s run 'python3 -m venv %s.venv', then "
        "'%s -m pip install --require-hashes -r requirements.txt'." % (problem, ROOT, clear, python)
    )
    _note_in_log(worker, sentence)
    if sys.stderr:  # there is none under pythonw
        sys.stderr.write(sentence + "\n")
    sys.exit(2)


def _note_in_log(worker: str, sentence: str) -> None:
    """Without what the log of a run needs; as a line of it, where one can be written."""
    folder = os.path.join(ROOT, os.environ.get("RECOURS_LOG_DIR") or "logs")
    try:
        with open(os.path.join(folder, worker + ".log"), "a", encoding="utf-8") as log:
            log.write(time.strftime("%Y-%m-%d %H:%M:%S - [ERROR] - __main__ - ") + sentence + "\n")
    except OSError:
        pass
