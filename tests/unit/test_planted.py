"""The search finds a secret in every place, and the tests that wrote it fail."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from tests.planted import MARK, leaks_in
from tests.postgres import execute, programs, running

pytestmark = pytest.mark.full("our own tools: every test looks for secrets by them")

ROOT = Path(__file__).resolve().parents[2]
SECRET = f"pa'ss \"é\\/{MARK}&<"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Outside of these tests' files, which are searched too."""
    with TemporaryDirectory() as place:
        yield Path(place)


def basic(user: str) -> bytes:
    return base64.b64encode(f"{user}:{SECRET}".encode())


@pytest.mark.parametrize(
    "form",
    [
        SECRET.encode(),
        basic("user"),
        basic("users"),
        basic("a user"),
        base64.urlsafe_b64encode(SECRET.encode()),
        quote(SECRET, safe="").encode(),
        json.dumps(SECRET).encode(),
        SECRET.encode("utf-16-le"),
        SECRET.encode().hex().encode(),
        b"-".join((b"Bearer sandbox", b"ups", b"17")),
    ],
    ids=[
        "plain",
        "basic",
        "basic, shifted",
        "basic, shifted twice",
        "base64",
        "URL",
        "JSON",
        "UTF-16",
        "hex",
        "token",
    ],
)
def test_a_secret_is_found_in_each_form(form: bytes, folder: Path) -> None:
    (folder / "deep" / "down").mkdir(parents=True)
    (folder / "deep/down/x.log").write_bytes(
        form if form.startswith(b"\x1f\x8b") else b"x" * 40_000 + form + b"y"
    )
    assert list(leaks_in(folder)) == [str(folder / "deep/down/x.log")]


def test_a_secret_is_found_in_a_dump_though_that_is_packed(folder: Path) -> None:
    with running() as server:  # the files of the shared one are searched too
        target = server.url()
        execute(target, "CREATE TABLE clients (secret text)", f"INSERT INTO clients VALUES ('{MARK}')")
        place = target.set(drivername="postgresql").render_as_string()
        dump = [str(programs("pg_dump")), "--format=custom", f"--file={folder}/claims.dump", place]
        subprocess.run(dump, check=True)
    assert MARK.encode() not in (folder / "claims.dump").read_bytes()
    assert list(leaks_in(folder)) == [str(folder / "claims.dump")]


def test_files_that_hold_secrets_are_no_leak(folder: Path) -> None:
    (folder / "credentials").mkdir()
    for name in (".env", "secrets.toml", "shop.secret", "credentials/smtp_password"):
        (folder / name).write_text(SECRET)
    (folder / "harmless.log").write_text(f"{MARK[:-1]} sandbox-chronopost-1")
    assert list(leaks_in(folder)) == []


TEST = """
import os, sys
from pathlib import Path

from tests.planted import PASSWORD

def test_it(tmp_path: Path):
    {does}
"""


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("(tmp_path / 'run.log').write_text(f'password={PASSWORD}')", "run.log"),
        ("print(PASSWORD)", "the output of "),
        ("os.write(2, PASSWORD.encode())", "the output of "),
        ("(tmp_path / '.env').write_text(PASSWORD)", ""),
    ],
    ids=["a file", "stdout", "stderr", "a holder"],
)
@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "1"), id="xdist")])
def test_tests_that_leak_fail(does: str, said: str, workers: tuple[str, ...], folder: Path) -> None:
    (folder / "test_leak.py").write_text(TEST.format(does=does))
    command = ["-m", "pytest", "-p", "tests.searched", "-p", "no:cacheprovider", f"--basetemp={folder}/tests"]
    done = subprocess.run(
        [sys.executable, *command, *workers, f"--rootdir={folder}", str(folder / "test_leak.py")],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (1 if said else 0), done.stdout
    assert ("Secrets of the tests were written to:" in done.stdout) == bool(said)
    assert said in done.stdout
