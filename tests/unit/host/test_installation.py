"""Commands in hints work where they are read."""

import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from recours.cli.main import _COMMANDS
from recours.host.installation import COMMANDS, pasteable, program

SCRIPT = Path(sysconfig.get_path("scripts")) / "recours"


def test_every_subcommand_is_known() -> None:
    assert sorted(COMMANDS) == sorted(_COMMANDS)


@pytest.fixture
def _not_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


@pytest.mark.usefixtures("_not_on_the_path")
class TestNotOnThePath:
    def test_in_the_checkout_the_path_is_relative_to_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(SCRIPT.parents[2])
        assert program() == str(SCRIPT.relative_to(SCRIPT.parents[2]))

    def test_elsewhere_the_whole_path_is_typed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        assert program() == shlex.quote(str(SCRIPT))

    def test_without_the_script_python_starts_the_package(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / name))
        assert program() == f"{shlex.quote(sys.executable)} -m recours"

    def test_a_pasted_command_runs(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for folder in (tmp_path, SCRIPT.parents[2]):
            monkeypatch.chdir(folder)
            _, command = pasteable("Look at it: recours status --help").split(": ")
            done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
            assert "Usage: recours status" in done.stdout

    def test_every_command_of_a_sentence_is_one_that_can_be_typed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(SCRIPT.parents[2])
        typed = program()
        said = "'recours init-db', then: recours carriers check UPS (« recours why CLM-1 »). The table recours_mails of recours"
        assert pasteable(said) == (
            f"'{typed} init-db', then: {typed} carriers check UPS (« {typed} why CLM-1 »). The table recours_mails of recours"
        )


def test_a_program_on_the_path_is_shown_by_its_name() -> None:
    assert program() == "recours"


def test_another_program_with_that_name_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "recours"
    other.write_text("#!/bin/sh\n", encoding="utf-8")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() != "recours"
