"""Files of whole runs are private to their user, or to a configured group; `check` reports others."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from recours.database.engine import Database
from recours.sandbox import Sandbox
from tests.conftest import add_claims
from tests.fakes.checkout import bare_python, copy_of_checkout, give_packages
from tests.needs import missing

GROUP = "daemon"


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A checkout in a folder that everyone may enter, like a clone with the usual umask."""
    above = Path(tempfile.mkdtemp())
    above.chmod(0o755)
    folder = copy_of_checkout(above / "checkout")
    shutil.copy(Path(__file__).resolve().parents[2] / "requirements.txt", folder)
    (folder / "logs").chmod(0o755)
    bare_python(folder / ".venv")
    give_packages(folder / ".venv")
    yield folder
    shutil.rmtree(above)


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox() as box:
        yield box


def start(checkout: Path, box: Sandbox, *command: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    account, password = next(iter(box.accounts.items()))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(checkout.parent),
        "CHRONOPOST_BASE_URL": box.url,
        "CHRONOPOST_ACCOUNT": account,
        "CHRONOPOST_PASSWORD": password,
    } | settings
    return subprocess.run(
        [".venv/bin/python", *command],
        cwd=checkout,
        env=environment,
        umask=0o022,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def modes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): f"{stat.S_IMODE(path.stat().st_mode):o}"
        for path in folder.rglob("*")
        if path.name != ".gitkeep"
    }


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize(("group", "file", "below"), [("", "600", "700"), (GROUP, "640", "2750")])
def test_runs_create_no_world_readable_file(
    checkout: Path, box: Sandbox, group: str, file: str, below: str
) -> None:
    if group and os.geteuid():
        missing("only root may give files to any group")
    settings = {"RECOURS_SHARED_GROUP": group}
    assert start(checkout, box, "-m", "recours", "init-db", **settings).returncode == 0
    database = Database(URL.create("sqlite", database=str(checkout / "data" / "recours.db")))
    add_claims(database, [{}, {"pod_fetch_status": "pending", "pod_fetch_error": None}])
    database.close()
    for script in ("scripts/pod_retry_scheduler.py", "scripts/pod_fetch_worker.py"):
        done = start(checkout, box, script, **settings)
        assert (done.returncode, "✅ SUCCESS" in done.stderr) == (0, True), done.stderr
    found = modes(checkout / "data") | modes(checkout / "logs")
    folders = {name for name in found if (checkout / "data" / name).is_dir()}
    assert {name.count("/") for name in folders if name.startswith("pods/chronopost")} == {1, 2, 3}
    assert {found[name] for name in folders} == {below}
    assert len([name for name in found if name.endswith(".pdf")]) == 2
    assert {mode for name, mode in found.items() if name not in folders} == {file}, found


@pytest.mark.full("whom files are for, once more: others of this file")
def test_crons_copy_of_the_log_is_created_before_the_shell_creates_it(checkout: Path, box: Sandbox) -> None:
    program = checkout.parent / "crontab"
    saved = checkout.parent / "kept"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = - ] && cat > {saved}; [ "$1" != -l ] || cat {saved}\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    saved.touch()
    path = f"{checkout.parent}:{os.environ['PATH']}"
    done = start(checkout, box, "-m", "recours", "schedule", "install", "--yes", PATH=path)
    assert done.returncode == 0, done.stderr
    logs = dict.fromkeys(("cron.log", "pod_fetch_worker.log", "pod_retry_scheduler.log"), "600")
    assert modes(checkout / "logs") == logs
    (checkout / "logs" / "cron.log").unlink()
    saved.write_text("", encoding="utf-8")
    program.write_text('#!/bin/sh\n[ "$1" = -l ]\n', encoding="utf-8")
    refused = start(checkout, box, "-m", "recours", "schedule", "install", "--yes", PATH=path)
    assert (refused.returncode, modes(checkout / "logs")) == (1, logs)
