"""How a run starts: most of them find nothing to do, and should be over at once."""

import os
import subprocess
import sys
from pathlib import Path

from recours import launch

ROOT = Path(launch.ROOT)
# Needed to speak to a carrier, to send a mail, to check a document, to change a schema.
FOR_WORK = frozenset({
    "requests", "urllib3", "tenacity", "defusedxml",
    "jinja2", "smtplib", "email.policy", "email.mime",
    "pypdf",
    "alembic", "mako",
    "streamlit", "plotly", "pandas", "recours.application", "recours.dashboard",
    "rich", "recours.watching.pings", "recours.watching.progress",
    "recours.watching.textfile", "recours.desk.metrics",
    "recours.desk.weekly", "recours.database.weekly",
})  # fmt: skip

LAUNCHED = """
import gc
from recours import launch
from recours.cli import workers
workers.main = lambda name: print(name, gc.isenabled(), gc.get_freeze_count() > 0)
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


def test_what_only_work_needs_is_not_imported_by_a_run_with_nothing_to_do(url: str, tmp_path: Path) -> None:
    done = python(
        *("-X", "importtime", str(ROOT / "scripts" / "pod_retry_scheduler.py")),
        DATABASE_URL=url,
        RECOURS_LOG_DIR=str(tmp_path),
        RECOURS_POD_DIR=str(tmp_path),
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert "No failed PODs eligible for retry" in done.stderr
    assert imported >= {"recours.cli.workers", "sqlalchemy"}
    assert imported & FOR_WORK == set()


def test_garbage_is_collected_during_a_run_but_not_among_what_was_imported() -> None:
    assert python("-c", LAUNCHED).stdout == "a_worker True True\n"
