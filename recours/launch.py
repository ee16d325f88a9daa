"""Starts a worker by whatever Python cron found, handing over to the checkout's .venv if that one lacks something.

Standard library only, and nothing that an old Python cannot read: this file runs before anything is known.
"""

import gc
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST = (3, 11)
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
        _hand_over(venv, lacking)
    sys.path.insert(0, ROOT)
    # What is imported stays until the end. Looking through it for garbage, now and once more at exit, would be
    # a quarter of the time of a run with nothing to do.
    gc.disable()
    try:
        from recours.cli.workers import main as run
    except ImportError as error:
        _explain(str(error))
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


def _hand_over(venv: str, lacking: str) -> None:
    python = os.path.join(venv, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
    if not os.path.exists(python):
        _explain("this Python (%s) lacks %s, and there is no .venv" % (sys.executable, lacking))
    command = [python, os.path.abspath(sys.argv[0])] + sys.argv[1:]
    if os.name == "nt":  # there, exec returns to the scheduler before the run has ended
        import subprocess

        sys.exit(subprocess.call(command))
    os.execv(python, command)


def _explain(problem: str) -> None:
    python = os.path.join(".venv", *(("Scripts", "python") if os.name == "nt" else ("bin", "python")))
    sys.stderr.write(
        "recours is not set up (%s): in %s run 'python3 -m venv .venv', then "
        "'%s -m pip install --require-hashes -r requirements.txt'.\n" % (problem, ROOT, python)
    )
    sys.exit(2)
