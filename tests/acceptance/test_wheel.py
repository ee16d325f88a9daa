"""An installed wheel without a checkout and scripts; nothing is ever written beside the package."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zipfile import ZipFile

import pytest

from tests.fakes.checkout import ROOT, bare_python, give_packages
from tests.postgres import _other_user

_SOURCES = ("recours", "migrations", "pyproject.toml", "LICENSE")
# A crontab program with a file.
_CRONTAB = """#!/bin/sh
if [ "$1" = -l ]; then cat {file} 2>/dev/null || {{ echo "no crontab for me" >&2; exit 1; }}; else cat > {file}; fi
"""


def build(folder: Path) -> Path:
    """The wheel, built from a copy, so that building leaves nothing in the checkout."""
    source = folder / "source"
    source.mkdir()
    for name in _SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "wheel", *offline, "-w", folder, source], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    shutil.rmtree(source)
    return wheel


def install(wheel: Path, environment: Path) -> None:
    """Install without dependencies."""
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
    options = ["-q", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*pip, "install", *options, wheel], check=True)


class Copy:
    """`recours` in its own environment, used by someone with read-only access."""

    def __init__(self, folder: Path) -> None:
        self.environment = folder / "environment"
        bare_python(self.environment)
        give_packages(self.environment)
        self.wheel = build(folder)
        install(self.wheel, self.environment)
        self.crontab = folder / "crontab.txt"
        self.programs = folder / "programs"
        self.programs.mkdir()
        (self.programs / "crontab").write_text(_CRONTAB.format(file=self.crontab), encoding="utf-8")
        (self.programs / "crontab").chmod(0o755)
        subprocess.run(["chmod", "-R", "a-w,a+rX", self.environment], check=True)
        self.place = folder / "place"
        self.place.mkdir()
        self.user = self._reader(folder)
        self.before = self.contents()

    def _reader(self, folder: Path) -> dict[str, Any]:
        """Another user for whom the copy is read-only; our own user if the other could not even start Python."""
        other = _other_user()
        if other:
            for path in (folder, self.place):
                os.chown(path, other["user"], other["group"])
            python = [str(self.environment / "bin" / "recours"), "--version"]
            try:
                works = subprocess.run(python, check=False, capture_output=True, **other).returncode == 0
            except OSError:
                works = False
            if not works:
                for path in (folder, self.place):
                    os.chown(path, 0, 0)
                other = {}
        return other

    def contents(self) -> dict[str, tuple[int, int]]:
        """Every file of the environment, with its size and time."""
        files = [path for path in self.environment.rglob("*") if path.is_file() and not path.is_symlink()]
        return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}

    def folder(self) -> Path:
        """A new folder of the reader."""
        new_folder = Path(tempfile.mkdtemp(dir=self.place))
        if self.user:
            os.chown(new_folder, self.user["user"], self.user["group"])
        return new_folder

    def __call__(
        self, *words: str, folder: Path | None = None, settings: Mapping[str, str] = MappingProxyType({})
    ) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        path = f"{self.programs}:{self.environment / 'bin'}:/usr/bin:/bin"
        return subprocess.run(
            [str(self.environment / "bin" / "recours"), *words],
            cwd=folder or self.place,
            env={"PATH": path, "HOME": str(self.place.parent), **settings},
            capture_output=True,
            text=True,
            check=False,
            **self.user,
        )


@pytest.fixture(scope="module")
def copy() -> Iterator[Copy]:
    with tempfile.TemporaryDirectory(prefix="recours-wheel-") as folder:
        Path(folder).chmod(0o755)
        new_folder = Copy(Path(folder))
        yield new_folder
        assert new_folder.contents() == new_folder.before, "something was written beside the package"
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)


@pytest.fixture(scope="module")
def home(copy: Copy) -> Path:
    """A home created by `recours init-db`."""
    home = copy.place / "home"
    new_folder = copy("init-db", settings={"RECOURS_HOME": str(home)})
    sentence = f"Created {home}/data/recours.db with its whole schema.\n"
    assert (new_folder.returncode, new_folder.stdout) == (0, sentence), new_folder.stderr
    return home


WITHOUT_HOME = [
    ("status",),
    ("fetch",),
    ("retry", "--json"),
    ("check",),
    ("backup",),
    ("schedule", "install"),
]


@pytest.mark.full("the wheel's copy of what is shown of a checkout: one test makes a home with it")
@pytest.mark.parametrize("words", WITHOUT_HOME)
def test_without_a_home_every_command_gives_advice_and_creates_nothing(
    copy: Copy, words: tuple[str, ...]
) -> None:
    empty = copy.folder()
    done = copy(*words, folder=empty)
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "RECOURS_HOME" in said
    assert "'recours init-db'" in said
    assert "Traceback" not in said
    assert list(empty.iterdir()) == []


@pytest.mark.full("the wheel's copy of what is shown of a checkout: one test makes a home with it")
@pytest.mark.parametrize(
    ("home", "words"), [("relative", "must be an absolute path"), ("/no/such/folder", "does not exist")]
)
def test_an_invalid_home_is_rejected(copy: Copy, home: str, words: str) -> None:
    done = copy("status", settings={"RECOURS_HOME": home})
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_the_package_has_every_file_of_the_checkout(copy: Copy) -> None:
    files = [path for path in (ROOT / "recours").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    names = {path.relative_to(ROOT).as_posix() for path in files}
    assert names - set(ZipFile(copy.wheel).namelist()) == set()


def test_the_page_on_pypi_has_no_relative_links(copy: Copy) -> None:
    with ZipFile(copy.wheel) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        page = wheel.read(name).decode("utf-8").partition("\n\n")[2]
    assert "pip install recours" in page
    assert re.findall(r"\]\((?!https://)[^)]*\)", page) == []


def test_a_home_is_found_from_everywhere(copy: Copy, home: Path) -> None:
    for where, settings in ((home, {}), (Path("/"), {"RECOURS_HOME": str(home)})):
        done = copy("fetch", folder=where, settings=settings)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len((home / "logs" / "pod_fetch_worker.log").read_text(encoding="utf-8").split("Starting")) == 3
    checked = copy("check", "--offline", folder=home)
    assert "problem  database" not in checked.stdout


@pytest.mark.full("the wheel's copy of what is shown of a checkout: one test makes a home with it")
def test_missing_packages_are_reported_with_the_install_command(copy: Copy, tmp_path: Path) -> None:
    """The message does not use a name on PyPI, where another project may own it."""
    environment = tmp_path / "environment"
    bare_python(environment)
    install(copy.wheel, environment)
    program = [str(environment / "bin" / "recours"), "status"]
    done = subprocess.run(program, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("recours is not set up (the packages sqlalchemy, requests")
    assert done.stderr.endswith(" are missing): reinstall recours from the same source.\n")
