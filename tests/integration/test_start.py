"""The start of a run: most runs find nothing to do and should end at once."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recours.host import installation
from tests.processes.commands import FROM_NOTHING, run

ROOT = Path(installation.ROOT)
WORKERS = [ROOT / "scripts" / name for name in ("pod_fetch_worker.py", "pod_retry_scheduler.py")]
# Modules for carrier calls, emails, document checks, schema changes or notifications, with all
# their submodules. SQLAlchemy itself loads asyncio.
FOR_WORK = (
    "requests", "urllib3", "tenacity", "defusedxml", "recours.carriers.http",
    "jinja2", "babel", "aiosmtplib", "email.policy", "email.mime", "recours.mail.manager",
    "recours.mail.render", "recours.mail.smtp", "recours.mail.sender", "recours.mail.subjects", "recours.mail.weekly",
    "pypdfium2", "PIL", "cryptography", "recours.evidence.appraisal", "recours.evidence.pdf_process",
    "recours.evidence.phrases",
    "alembic", "mako",
    "starlette", "uvicorn", "recours.api", "recours.dashboard",
    "recours.monitoring", "recours.scheduling.systems",
    "recours.reporting", "recours.scheduling.jobs", "recours.core.position",
    "recours.admin", "recours.runs.eligibility", "recours.runs.attempt", "recours.runs.engine",
    "html",
)  # fmt: skip

LAUNCHED = """
import gc
import os
import pytest

from recours import launch
from tests.processes.commands import FROM_NOTHING, run
from recours.cli import workers
workers.main = lambda name: print(name, gc.isenabled(), gc.get_freeze_count() > 0, launch.HANDED_OVER in os.environ)
launch.main("a_worker")
"""


def python(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"} | settings,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("script", WORKERS, ids=lambda script: script.stem)
def test_an_idle_run_does_not_import_modules_that_only_work_needs(
    script: Path, url: str, tmp_path: Path
) -> None:
    done = python(
        *("-X", "importtime", str(script)),
        DATABASE_URL=url,
        RECOURS_LOG_DIR=str(tmp_path),
        RECOURS_POD_DIR=str(tmp_path),
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert "Total processed: 0" in done.stderr
    assert imported >= {"recours.cli.workers", "sqlalchemy"}
    other = "postgresql" if url.startswith("sqlite") else "sqlite"
    unneeded = (*FOR_WORK, f"sqlalchemy.dialects.{other}")
    assert [name for name in imported if f"{name}.".startswith(tuple(f"{each}." for each in unneeded))] == []


def test_garbage_is_collected_during_a_run_but_not_among_what_was_imported() -> None:
    assert python("-c", LAUNCHED).stdout == "a_worker True True False\n"


def test_a_script_that_a_run_starts_may_hand_over_again() -> None:
    assert python("-c", LAUNCHED, RECOURS_HANDED_OVER="1").stdout == "a_worker True True False\n"


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_run_without_a_console_is_a_whole_run(closed: str, url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": url, "RECOURS_LOG_DIR": str(tmp_path), "RECOURS_POD_DIR": str(tmp_path)}
    script = str(ROOT / "scripts" / "pod_retry_scheduler.py")
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, script, "--json"],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "No failed PODs eligible" in (tmp_path / "pod_retry_scheduler.log").read_text(encoding="utf-8")


@pytest.mark.sample("more cases of the same test, each around processes", every=3)
@pytest.mark.skipif(FROM_NOTHING, reason="forking is impossible here, or disabled")
@pytest.mark.parametrize(
    "command",
    [
        ["-m", "recours", "--version"],
        ["-m", "recours", "status", "--json"],
        ["-m", "recours", "why", "CLM-é"],
        ["-m", "recours", "frobnicate"],
        [str(ROOT / "scripts" / "pod_retry_scheduler.py"), "--batch-size", "0"],
        [str(ROOT / "scripts" / "pod_fetch_worker.py"), "--json"],
    ],
    ids=lambda command: command[-1],
)
def test_a_process_that_the_tests_fork_prints_what_one_does_that_is_started(
    command: list[str], url: str, tmp_path: Path
) -> None:
    environment = {"DATABASE_URL": url, "RECOURS_LOG_DIR": str(tmp_path), "RECOURS_POD_DIR": str(tmp_path)}

    def printed(*, from_nothing: bool) -> tuple[int, list[str]]:
        done = run(command, environment, ROOT, from_nothing=from_nothing)
        texts = [done.stdout, done.stderr]
        for log in tmp_path.glob("*.log"):
            texts.append(log.read_text(encoding="utf-8"))
            log.unlink()
        return done.returncode, [re.sub(r"[0-9a-f]{32}|[0-9.]+", "N", text) for text in texts]

    assert printed(from_nothing=False) == printed(from_nothing=True)
