"""Run the tests in a copy of the checkout without its `.env` and secrets.

Many tests start the real scripts, which read the settings in their own checkout. A setting to prevent this would be a
risk, because an operator could set it by mistake. The tests run copies of the scripts instead.
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
# Files that are not copied: the settings, and the files of runs and tools.
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


def settings_files(root: Path = ROOT) -> list[str]:
    """The settings files that the checkout has."""
    return [name for name in SETTINGS if os.path.lexists(root / name)]


def copy(folder: Path, root: Path = ROOT) -> Path:
    """Copy the files that a clone has, and link to this checkout's .venv."""

    def ignored(place: str, names: list[str]) -> set[str]:
        if Path(place) == root:
            return {*_LEFT_OUT} & {*names}
        return {name for name in names if name != ".gitkeep"} if Path(place) == root / "logs" else set()

    shutil.copytree(root, folder, ignore=ignored, symlinks=True)
    if (root / ".git").is_dir():  # tests that start from an earlier commit need the history
        (folder / ".git").write_text(f"gitdir: {root / '.git'}\n", encoding="utf-8")
    elif (root / ".git").is_file():
        shutil.copy(root / ".git", folder / ".git")
    if (root / ".venv").exists():
        (folder / ".venv").symlink_to((root / ".venv").resolve())
    return folder


def in_copy(argument: str, root: Path, place: Path) -> str:
    """The argument, with the checkout's path replaced by the copy's path."""
    return re.sub(rf"{re.escape(str(root))}(?=/|$)", lambda _: str(place), argument)


def run_without(arguments: Sequence[str], started_in: Path, root: Path = ROOT) -> int:
    """Run pytest with this command line in a copy, and return its exit status."""
    with tempfile.TemporaryDirectory(prefix="recours-tests-") as folder:
        place = copy(Path(folder).resolve() / "checkout", root)
        inside = started_in.relative_to(root) if started_in.is_relative_to(root) else Path()
        command = [in_copy(argument, root, place) for argument in arguments]
        print(
            f"This checkout has {' and '.join(settings_files(root))}: the tests run in a copy without, {place}.",
            flush=True,
        )
        return subprocess.run(
            [sys.executable, "-m", "pytest", *command],
            cwd=place / inside,
            env=os.environ | {"PYTHONPATH": str(place)},
            check=False,
        ).returncode
