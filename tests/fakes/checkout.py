"""A checkout of its own for a test: no `.env`, no logs and no schedule of a developer play a part."""

import shutil
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_of_checkout(folder: Path) -> Path:
    """What a clone would hold, without a `.venv`."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("recours", "scripts", "migrations"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "logs").mkdir()
    shutil.copy(ROOT / "logs" / ".gitkeep", folder / "logs")
    return folder


def bare_python(folder: Path) -> Path:
    """A Python without any package, like the one that cron finds."""
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python3"


def give_packages(environment: Path) -> None:
    """Let a bare environment see the packages that these tests run with; not the project itself."""
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
