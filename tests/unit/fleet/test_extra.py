"""Whether this Python has the extra `fleet`, according to the installed packages."""

import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from recours.fleet import job_queue

ROOT = Path(__file__).resolve().parents[3]


def installed(monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    """Simulate an installed package in that version; None: not installed."""

    def installed_version(name: str) -> str:
        if version is None:
            raise PackageNotFoundError(name)
        return version

    monkeypatch.setattr(job_queue, "version", installed_version)


def test_required_packages_match_the_declared_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["optional-dependencies"]["fleet"]
    assert declared[0] == job_queue.REQUIREMENT
    assert all(f'"{need}"' in job_queue.remedy() for need in declared)


def test_the_installed_version_can_be_used() -> None:
    assert job_queue.problem() is None


@pytest.mark.parametrize("version", ["3.10.0", "3.99.1"])
def test_versions_that_can_be_used(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    installed(monkeypatch, version)
    assert job_queue.problem() is None


@pytest.mark.parametrize("version", ["2.15.1", "3.9.4", "4.0.0"])
def test_versions_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    installed(monkeypatch, version)
    assert (
        job_queue.problem()
        == f"Procrastinate {version} is installed, but recours needs procrastinate>=3.10,<4"
    )


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, None)
    assert job_queue.problem() == "the package Procrastinate is not installed"


def test_a_package_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "procrastinate", None)
    problem = job_queue.problem()
    assert problem is not None
    assert "cannot be imported: " in problem
