"""Checkouts of other commits, to compare two versions of the project."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A temporary checkout of `commit` that uses the packages of this checkout's .venv."""
    with tempfile.TemporaryDirectory(prefix="recours-at-commit-") as folder:
        place = Path(folder) / "checkout"
        _git("worktree", "add", "--quiet", "--detach", str(place), commit)
        try:
            (place / ".venv").symlink_to(ROOT / ".venv")
            yield place
        finally:
            _git("worktree", "remove", "--force", str(place))


def name_of(commit: str) -> str:
    """The short name of a commit, for a column heading."""
    return _git("rev-parse", "--short", commit)


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()
