"""An update of the code requires a package that the checkout's .venv does not have yet."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from sqlalchemy import URL

from recours.database.engine import Database
from recours.database.schema.creation import create_file
from recours.sandbox import Sandbox
from tests.conftest import add_claims
from tests.fakes.checkout import bare_python, copy_of_checkout, give_stale_packages

SCRIPTS = ("scripts/pod_retry_scheduler.py", "scripts/pod_fetch_worker.py")
INSTALL = ".venv/bin/python -m pip install --require-hashes -r requirements.txt"


class World:
    """A checkout with a stale .venv, two due claims and a carrier that would answer."""

    def __init__(self, folder: Path, box: Sandbox) -> None:
        self.checkout = copy_of_checkout(folder / "checkout")
        self.box = box
        self.path = folder / "claims.db"
        create_file(self.path)
        database = Database(URL.create("sqlite", database=str(self.path)))
        add_claims(database, [{}, {"pod_fetch_status": "pending", "pod_fetch_error": None}])
        database.close()

    def start(self, *command: str, python: str = ".venv/bin/python") -> "subprocess.CompletedProcess[str]":
        account, password = next(iter(self.box.accounts.items()))
        environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_PATH": str(self.path),
            "CHRONOPOST_BASE_URL": self.box.url,
            "CHRONOPOST_ACCOUNT": account,
            "CHRONOPOST_PASSWORD": password,
        }
        return subprocess.run(
            [python, *command],
            cwd=self.checkout,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )

    def log(self, script: str) -> str:
        return (self.checkout / "logs" / f"{Path(script).stem}.log").read_text(encoding="utf-8")

    def attempts(self) -> list[object]:
        database = Database(URL.create("sqlite", database=str(self.path)))
        with database.read() as connection:
            rows = [*connection.exec_driver_sql("SELECT pod_retry_count FROM claims")]
            rows += connection.exec_driver_sql("SELECT id FROM recours_attempts")
        database.close()
        return [value for (value,) in rows]


@pytest.fixture
def world(tmp_path: Path) -> "Callable[..., World]":
    def make(box: Sandbox, *, missing: str = "", older: "Mapping[str, str]" = {}) -> World:  # noqa: B006 (not changed)
        world = World(tmp_path, box)
        bare_python(world.checkout / ".venv")
        give_stale_packages(world.checkout / ".venv", missing=missing, older=older)
        return world

    return make


@pytest.mark.sample("more cases of the same test, each around processes")
# Most of them are imported only for a carrier call, a document check or an email.
@pytest.mark.parametrize("missing", ["pypdfium2", "defusedxml", "jinja2", "urllib3", "click"])
def test_no_claim_is_attempted_while_a_package_is_missing(world: Callable[..., World], missing: str) -> None:
    with Sandbox() as box:
        stale = world(box, missing=missing)
        for script in SCRIPTS:
            done = stale.start(script)
            said = f"recours is not set up (in .venv the package {missing} is missing): in {stale.checkout} run '{INSTALL}'.\n"
            assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
            assert stale.log(script).endswith(f" - [ERROR] - __main__ - {said}")
        assert (stale.attempts(), box.calls) == ([0, 0], [])


def test_an_outdated_package_is_reported(world: Callable[..., World]) -> None:
    with Sandbox() as box:
        stale = world(box, missing="pypdfium2", older={"jinja2": "2.11.3", "defusedxml": "0.7.0rc1"})
        done = stale.start(SCRIPTS[0])
        said = (
            "(in .venv the package pypdfium2 is missing, defusedxml is version 0.7.0rc1 instead of 0.7.1 or newer, "
            "jinja2 is version 2.11.3 instead of 3.1 or newer)"
        )
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
        assert (stale.attempts(), box.calls) == ([0, 0], [])
