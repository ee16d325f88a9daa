"""What others rely on: `tests/frozen.txt` lists it, and all of it is still there.

What is new is added to the list; nothing is ever taken from it. Options, settings, columns, stored values, JSON keys and
exit statuses are the whole of what there is. Of the sentences of the log only those that the list has are frozen.
"""

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest

from recours.carriers.registry import CATALOG
from recours.cli import workers
from recours.cli.console import DONE, FAILED, USAGE
from recours.cli.main import recours as recours_command
from recours.core.actions import MAILS, SERVICE, ActionKind
from recours.core.appraisal import EvidenceKind
from recours.core.changes import ChangeKind
from recours.core.claim import FetchStatus, Stage
from recours.core.custody import CustodyEvent
from recours.core.errors import Actor, ErrorKind
from recours.core.mail import LAPSED, EventName, MailKind, MailState
from recours.core.sentences import Sentence
from recours.database.schema.upgrade import create_file
from recours.home import SETTING as HOME
from recours.operations.enroll import MANUAL
from recours.operations.schedule import WORKERS
from recours.runs.worker import STOPPED
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.sandbox.documents import signature_png
from recours.settings.loading import load
from recours.settings.model import SETTINGS
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.conftest import Kind
from tests.processes.commands import worker
from tests.reference import settings_of

LIST = Path(__file__).resolve().parents[1] / "frozen.txt"
SCHEDULER, FETCHER = "pod_retry_scheduler", "pod_fetch_worker"


def frozen(section: str) -> set[str]:
    """The lines of a section of the list."""
    text = LIST.read_text(encoding="utf-8")
    found = re.search(rf"^\[{re.escape(section)}\]\n(.*?)(?=^\[|\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, section
    return {line for line in found[1].splitlines() if line}


def compare(section: str, present: set[str]) -> None:
    """Hold what there is against the list."""
    gone, new = sorted(frozen(section) - present), sorted(present - frozen(section))
    assert not gone, f"Others rely on what is gone, so it has to come back ({section}): {', '.join(gone)}"
    assert not new, "Once it is out, others rely on it. If so it shall be, add to [{}] of {}:\n{}".format(
        section, LIST.name, "\n".join(new)
    )


# ---------------------------------------------------------------- options, settings


def commands() -> Iterator[tuple[str, click.Command]]:
    """Each command as it is typed."""
    yield from _below(recours_command, "recours")
    for name in WORKERS:
        yield f"{name}.py", workers._command(name)


def _below(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            assert below is not None
            yield from _below(below, f"{name} {each}")


def test_options() -> None:
    present = {name for name, _ in commands()}
    for name, command in commands():
        for parameter in command.params:
            names = parameter.opts if isinstance(parameter, click.Option) else [parameter.human_readable_name]
            present |= {f"{name} {each}" for each in (*names, *parameter.secondary_opts)}
    compare("options", present)


def test_settings() -> None:
    of_carriers = {name for spec in CATALOG.specs.values() for name in settings_of(spec)}
    compare("settings", {HOME, *(setting.name for setting in SETTINGS)} | of_carriers)


def test_exit_statuses() -> None:
    statuses = {"done": DONE, "failed": FAILED, "usage": USAGE}
    present = {f"{who}: {what} {n}" for who in ("recours", "worker") for what, n in statuses.items()}
    compare("exit statuses", present | {f"worker: stopped {STOPPED} + the signal's number"})


# ---------------------------------------------------------------- the database


def test_columns(tmp_path: Path) -> None:
    create_file(tmp_path / "new.db")
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
            )
        ]
        present = {
            f"{table}.{column}"
            for table in tables
            for _, column, *_ in connection.execute(f"PRAGMA table_info({table})")
            if table.startswith("recours_") or (table == "claims" and column.startswith("pod_"))
        }
    compare("columns", present)


def test_stored_values(tmp_path: Path) -> None:
    limits = load(tmp_path, {}, CATALOG).limits
    stored: dict[str, Any] = {
        "claims.pod_fetch_status": [*FetchStatus, MANUAL],
        "claims.pod_stage": Stage,
        "claims.pod_carrier_key": CATALOG.specs,
        "recours_attempts.error_kind": ErrorKind,
        "recours_attempts.error_key": Sentence,
        "recours_changes.what": ChangeKind,
        "recours_changes.by": [SERVICE],
        "recours_actions.what": ActionKind,
        "recours_actions.subject": [MAILS],
        "recours_evidence.kind": EvidenceKind,
        "recours_events.event": EventName,
        "recours_events.audience": Actor,
        "recours_events.told": [LAPSED],
        "recours_mails.kind": MailKind,
        "recours_mails.state": MailState,
        "recours_quota.limit_key": [limit.key for of_one in limits.values() for limit in of_one],
        "recours_custody.entry.what": CustodyEvent,
        "recours_runs.worker": WORKERS,
    }
    compare("stored values", {f"{column}: {value}" for column, values in stored.items() for value in values})


# ---------------------------------------------------------------- what is printed and logged


@pytest.fixture
def clock() -> SimulatedClock:
    """The real time: what is typed goes by it."""
    return SimulatedClock(datetime.now(UTC))


@pytest.fixture
def service(
    tmp_path: Path, sandbox: Sandbox, clock: SimulatedClock, kinds: Callable[[str], Kind]
) -> Iterator[Service]:
    """Claims of every kind that a run tells apart, all due."""
    url = kinds("sqlite").ready(tmp_path).render_as_string()
    service = Service(tmp_path, sandbox, clock, url=url, QUOTA_CHRONOPOST="100/day", SMTP_HOST="")
    for step, retries, carrier in (
        (Scenario.DELIVERED, 0, "Chronopost"),
        (Scenario.DELIVERED, 1, "Chronopost"),
        (Scenario.IN_TRANSIT, 0, "Chronopost"),
        (Scenario.IN_TRANSIT, 3, "Chronopost"),
        (Scenario.RATE_LIMITED, 0, "UPS"),
        (Scenario.DELIVERED, 0, "Pigeon Post"),
    ):
        service.add(step, carrier=carrier, pod_retry_count=retries, failed_at=clock.now() - timedelta(days=9))
    (of_ups,) = service.sql("SELECT tracking_number FROM claims WHERE carrier = 'UPS'")[0]
    service.box.parcels[of_ups] = Parcel((Scenario.RATE_LIMITED,), retry_after="3600")
    yield service
    service.close()


@pytest.fixture
def person(service: Service) -> Person:
    """With a crontab that is nobody's."""
    folder = service.folder / "bin"
    folder.mkdir()
    (folder / "crontab").write_text(CRONTAB.format(folder / "tab"))
    (folder / "crontab").chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return Person(service.folder, service.environment["DATABASE_URL"], {**service.environment, "PATH": path})


CRONTAB = """#!/bin/sh
if [ "$1" = -l ]; then cat '{0}' 2>/dev/null || {{ echo 'no crontab for root' >&2; exit 1; }}; else cat > '{0}'; fi
"""

WORDS = {
    "n": r"\d+",
    "reference": r"CLM-\d+",
    "carrier": r"[A-Z][\w ]+",
    "text": r"\S.*",
    "minute": r"\d{4}-\d\d-\d\d \d\d:\d\d",
    "second": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "decimal": r"\d+\.\d+",
}


def test_lines_of_the_log(person: Person) -> None:
    logged = ""
    for carriers in ((), ("--carrier", "Chronopost")):  # at the second run nothing of it is due
        done = worker(SCHEDULER, *carriers, environment=person.environment, folder=person.folder)
        assert done.returncode == 0, done.stderr
        logged += done.stderr
    gone = [line for line in frozen("log") if not re.search(form_of(line), logged, re.MULTILINE)]
    assert not gone, f"People and programs look for lines that are gone: {gone}. The log:\n{logged}"


def test_outcomes_of_attempts(person: Person, service: Service) -> None:
    worker(SCHEDULER, environment=person.environment, folder=person.folder)
    found = service.sql("SELECT DISTINCT outcome FROM recours_attempts")
    compare("stored outcomes of attempts", {outcome for (outcome,) in found})


def form_of(line: str) -> str:
    """The lines of which this is one, `{n}` and the like standing for what differs."""
    parts = re.split(r"\{(\w+)\}", line)
    return f"^{''.join(WORDS[part] if n % 2 else re.escape(part) for n, part in enumerate(parts))}$"


# Each command that has --json, as it is typed here; those that take one are given a claim, a carrier or a folder.
TYPED = (
    "accounts list",
    "enroll --dry-run --yes",
    f"carriers reclassify {LIST.parent}/carriers/recordings/ups-success.json",
    "status --days 1 --weeks 1",
    "status --check",
    "attach CLM-0003 {folder}/proof.png",
    "why CLM-0001",
    "why CLM-0003",
    "correct CLM-0006 --carrier Chronopost",
    "plan --hours 8",
    "check --offline",
    "export --what claims",
    "export --what attempts",
    "export --what evidence",
    "exclude CLM-0005 --why damaged",
    "enroll CLM-0005",
    "why CLM-0005",
    "reopen CLM-0004 --yes",
    "pause DHL --why works",
    "resume DHL",
    "carriers",
    "prune --older-than 30d --dry-run",
    "backup {folder}/backup",
    "restore {backup} --check",
    "schedule install --system crontab --yes",
    "schedule show --system crontab",
    "schedule remove --system crontab --yes",
    "appraise",
    "verify",
)
# Of a client without claims; its credentials stand in a secrets file.
ACCOUNT = """INSERT INTO recours_client_accounts
    (client_id, carrier, limits, added_at, added_by, changed_at, is_applied)
    VALUES (999, 'ups', '{"": "50/day"}', '2026-11-27 09:00:00', 'lea', '2026-11-27 09:00:00', TRUE)"""
# Objects whose keys are no fixed names, by the names of what holds them.
OPEN = {"api_usage", "by_carrier", "by_day", "by_turn", "due_after", "errors", "left_behind", "limits"}


def test_keys_of_json(person: Person, service: Service) -> None:
    present: set[str] = set()
    for options in (["--dry-run"], []):
        done = worker(SCHEDULER, "--json", *options, environment=person.environment, folder=person.folder)
        present |= {
            f"{SCHEDULER}.py {' '.join(options)}".strip() + f": {key}"
            for key in keys_of(json.loads(done.stdout))
        }
    typed = set()
    service.sql(ACCOUNT)
    (person.folder / "proof.png").write_bytes(signature_png("x"))
    for line in TYPED:
        made = next(iter((person.folder / "backup").glob("*")), "")
        words = line.format(folder=person.folder, backup=made).split()
        name = max((name for name in with_json() if f"recours {line} ".startswith(f"{name} ")), key=len)
        typed.add(name)
        if line == "verify":  # which names something only if something is wrong
            shutil.rmtree(person.environment["RECOURS_POD_DIR"])
        if line == "appraise":  # the same
            service.sql("DELETE FROM recours_evidence")
            for document in Path(person.environment["RECOURS_POD_DIR"]).rglob("*.pdf"):
                document.write_bytes(b"changed")
        done = person.types(*words, "--json")
        assert done.stdout, (line, done.stderr)
        present |= {f"{name}: {key}" for key in keys_of(json.loads(done.stdout))}
    assert typed == with_json()
    compare("JSON keys", present)


def with_json() -> set[str]:
    """The commands that have --json."""
    return {
        name
        for name, command in commands()
        if name.startswith("recours ") and any("--json" in parameter.opts for parameter in command.params)
    }


def keys_of(tree: Any, path: str = "") -> Iterator[str]:
    """Each key with those above it; what is in a list is one."""
    if isinstance(tree, list):
        for each in tree:
            yield from keys_of(each, f"{path}[]")
    elif isinstance(tree, dict):
        is_open = path.rpartition(".")[2] in OPEN
        for key, value in tree.items():
            here = f"{path}.{'*' if is_open else key}".lstrip(".")
            yield here
            yield from keys_of(value, here)
