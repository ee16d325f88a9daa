"""What `make test` leaves out is listed with its reason, whatever number of processes the tests run in."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full("our own tools: a fault of theirs shows when they are used")

TESTS = """
import pytest

def test_always(): pass

@pytest.mark.full("the long way round")
@pytest.mark.parametrize("n", range(3))
def test_at_length(n): assert n < 2

@pytest.mark.sample("one of a kind")
@pytest.mark.parametrize("n", "ab")
def test_like_others(n): assert n == "a"

@pytest.mark.sample("some of many", every=2)
@pytest.mark.parametrize("n", range(5))
def test_one_of_many(n): assert n % 2 == 0

def test_elsewhere(): pytest.importorskip("no_such_package", reason="no such program")
"""


def run(folder: Path, text: str, *options: str) -> str:
    (folder / "test_some.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "tests.selection", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(
        [*command, "--rootdir", folder, *options, folder / "test_some.py"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("processes", ["0", "2"])
def test_what_is_left_out_is_listed_by_its_reason(processes: str, tmp_path: Path) -> None:
    printed = run(tmp_path, TESTS, "-m", "not full", "-n", processes)
    assert "     3 left to make test-full: the long way round" in printed
    assert "     1 left to make test-full: one of a kind" in printed
    assert "     2 left to make test-full: some of many" in printed
    assert "     1 skipped: no such program" in printed
    assert "5 passed, 1 skipped" in printed


def test_the_rest_is_what_was_left_out(tmp_path: Path) -> None:
    printed = run(tmp_path, TESTS, "-m", "full", "-n", "0")
    assert "4 failed, 2 passed, 6 deselected" in printed
    assert "not run" not in printed


def test_nothing_is_left_out_without_a_reason(tmp_path: Path) -> None:
    for reason, mark in (("the long way round", "full"), ("one of a kind", "sample")):
        printed = run(tmp_path, TESTS.replace(f'"{reason}"', ""), "-n", "0")
        assert f": mark.{mark} needs a reason" in printed
