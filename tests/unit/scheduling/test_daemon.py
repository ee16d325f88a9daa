"""Whether a cron daemon runs: what /proc says of processes, and where it says nothing."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recours.scheduling.crontab import cron_runs

Made = Callable[..., bool | None]


@pytest.fixture
def runs(tmp_path: Path) -> Made:
    """`runs("systemd", "cron")`: what is found where these processes run, the first of them as number 1."""

    def made(*names: str) -> bool | None:
        for number, name in enumerate(names, start=1):
            process = tmp_path / "proc" / str(number)
            process.mkdir(parents=True)
            (process / "comm").write_text(name + "\n")
        (tmp_path / "proc" / "9999").mkdir(parents=True)  # ended between two looks
        (tmp_path / "proc" / "self").mkdir()
        return cron_runs(tmp_path / "proc", tmp_path / "generator")

    return made


@pytest.mark.parametrize("name", ["cron", "crond", "fcron"])
def test_a_daemon_by_any_of_its_names(runs: Made, name: str) -> None:
    assert runs("systemd", "bash", name) is True


@pytest.mark.parametrize("name", ["crontab", "cronolog", "anacron", "chronyd"])
def test_what_only_sounds_like_one(runs: Made, name: str) -> None:
    assert runs("systemd", name) is False


def test_processes_of_others_are_hidden(runs: Made) -> None:
    assert runs() is None


def test_another_system(runs: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert runs("launchd") is None


def test_lines_that_systemd_makes_timers_of(runs: Made, tmp_path: Path) -> None:
    (tmp_path / "generator").mkdir()
    (tmp_path / "generator" / "cron-root-0.timer").touch()
    assert runs("systemd") is True
