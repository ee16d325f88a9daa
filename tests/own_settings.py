"""A checkout that is in use: its `.env` and its secrets are not the tests' business, so these run in a copy without them.

Many tests start the real scripts, which read the settings beside them. Nothing but the place that they are started in can
keep them from that, and no setting should: a person could make it by mistake.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = (".env", ".streamlit/secrets.toml")
# Beside the settings: what runs and tools leave behind.
_LEFT_OUT = (
    ".env",
    ".streamlit",
    ".git",
    ".venv",
    "data",
    "mutants",
    ".hypothesis",
    ".mypy_cache",
    ".ruff_cache",
)


def found(root: Path = ROOT) -> list[str]:
    """Which files with settings the checkout has."""
    return [name for name in SETTINGS if os.path.lexists(root / name)]


def copy(folder: Path, root: Path = ROOT) -> Path:
    """What a clone would hold, with the packages of this one's .venv."""

    def ignored(place: str, names: list[str]) -> set[str]:
        if Path(place) == root:
            return {*_LEFT_OUT} & {*names}
        return {name for name in names if name != ".gitkeep"} if Path(place) == root / "logs" else set()

    shutil.copytree(root, folder, ignore=ignored, symlinks=True)
    if (root / ".git").is_dir():  # the history, for the tests that start from an earlier state
        (folder / ".git").write_text(f"gitdir: {root / '.git'}\n", encoding="utf-8")
    elif (root / ".git").is_file():
        shutil.copy(root / ".git", folder / ".git")
    if (root / ".venv").exists():
        (folder / ".venv").symlink_to((root / ".venv").resolve())
    return folder


def in_copy(argument: str, root: Path, place: Path) -> str:
    """An argument that names the checkout or what is in it, for the copy; one that begins like it is another place."""
    return re.sub(rf"{re.escape(str(root))}(?=/|$)", lambda _: str(place), argument)


def run_without(arguments: Sequence[str], started_in: Path, root: Path = ROOT) -> int:
    """Run pytest with this command line in a copy; returns its exit status."""
    with tempfile.TemporaryDirectory(prefix="recours-tests-") as folder:
        place = copy(Path(folder).resolve() / "checkout", root)
        inside = started_in.relative_to(root) if started_in.is_relative_to(root) else Path()
        command = [in_copy(argument, root, place) for argument in arguments]
        print(
            f"This checkout has {' and '.join(found(root))}: the tests run in a copy without, {place}.",
            flush=True,
        )
        return subprocess.run(
            [sys.executable, "-m", "pytest", *command],
            cwd=place / inside,
            env=os.environ | {"PYTHONPATH": str(place)},
            check=False,
        ).returncode
