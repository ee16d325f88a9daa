"""A separate checkout for a test, without a developer's `.env`, logs and schedule."""

import shutil
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parents[2]


def copy_of_checkout(folder: Path) -> Path:
    """Copy the files that a clone has, without a `.venv`.

    Bytecode is copied too. Otherwise the first process of each copy would compile all imported modules.
    """
    ignored = shutil.ignore_patterns("*.pyc.*")  # files that another process is writing
    for name in ("recours", "scripts", "migrations"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "logs").mkdir()
    shutil.copy(ROOT / "logs" / ".gitkeep", folder / "logs")
    return folder


def bare_python(folder: Path) -> Path:
    """A Python without packages, like the one that cron finds."""
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python3"


def give_packages(environment: Path) -> None:
    """Give a bare environment the packages of these tests, without the project itself."""
    (_site(environment) / "packages.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")


def give_stale_packages(
    environment: Path, *, missing: str = "", older: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Give it the packages as before an update: without `missing`, and with these versions of the `older` packages."""
    for there in Path(sysconfig.get_path("purelib")).iterdir():
        distribution = there.name.partition("-")[0].partition(".")[0].lower()
        if distribution == missing or there.name.startswith("__editable__") or there.suffix == ".pth":
            continue
        is_named = there.suffix == ".dist-info" and distribution in older
        name = f"{distribution}-{older[distribution]}.dist-info" if is_named else there.name
        (_site(environment) / name).symlink_to(there)


def _site(environment: Path) -> Path:
    (site,) = environment.glob("lib/python*/site-packages")
    return site
