"""The manual's page about `--json` describes exactly the keys that the commands print."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from docs.reference_pages import MEANINGS, commands, meaning_of, shared_key
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.sandbox.documents import signature_png
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.conftest import Kind
from tests.processes.commands import worker

pytestmark = pytest.mark.full("the manual: a key that it does not tell harms nobody at once")

SCHEDULER = "pod_retry_scheduler"


@pytest.fixture
def service(tmp_path: Path, sandbox: Sandbox, kinds: Callable[[str], Kind]) -> Iterator[Service]:
    """Due claims of every kind that a run distinguishes."""
    clock = SimulatedClock(datetime.now(UTC))
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


CRONTAB = """#!/bin/sh
if [ "$1" = -l ]; then cat '{0}' 2>/dev/null || {{ echo 'no crontab for root' >&2; exit 1; }}; else cat > '{0}'; fi
"""


@pytest.fixture
def person(service: Service) -> Person:
    """A person with an empty crontab."""
    folder = service.folder / "bin"
    folder.mkdir()
    (folder / "crontab").write_text(CRONTAB.format(folder / "tab"))
    (folder / "crontab").chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return Person(service.folder, service.environment["DATABASE_URL"], {**service.environment, "PATH": path})


# Each command with --json, and the commands that produce data for it; `{}` stands for a claim, a carrier or a folder.
TYPED = (
    "accounts list",
    "status --days 1",
    "status --check",
    "attach CLM-0003 {folder}/proof.png",
    "why CLM-0001",
    "why CLM-0003",
    "correct CLM-0006 --carrier Chronopost",
    "detach CLM-0003",
    "plan --hours 8",
    "check --offline",
    "export claims",
    "exclude CLM-0005 --why damaged",
    "enroll CLM-0005",
    "why CLM-0005",
    "reopen CLM-0004 --yes",
    "pause DHL --why works",
    "carriers",
    "resume DHL",
    "prune --older-than 30d --dry-run",
    "backup {folder}/backup",
    "verify",
)
# For a client with claims at other carriers.
ACCOUNT = """INSERT INTO recours_client_accounts
    (client_id, carrier, limits, added_at, added_by, changed_at, is_applied)
    VALUES (999, 'ups', '{"": "50/day"}', '2026-11-27 09:00:00', 'lea', '2026-11-27 09:00:00', TRUE)"""
# Objects without fixed keys, by the name of their parent.
OPEN = {"api_usage", "by_carrier", "by_day", "by_turn", "due_after", "errors", "left_behind", "limits"}


def test_exactly_the_printed_keys_are_documented(person: Person, service: Service) -> None:
    printed: set[tuple[str, str]] = set()
    for name, options in ((f"{SCHEDULER}.py --dry-run", ["--dry-run"]), (f"{SCHEDULER}.py", [])):
        done = worker(SCHEDULER, "--json", *options, environment=person.environment, folder=person.folder)
        printed |= {(name, key) for key in keys_of(json.loads(done.stdout))}
    printed_keys = set()
    service.sql(ACCOUNT)
    service.sql("UPDATE claims SET client_id = 999 WHERE id = 1")
    (person.folder / "proof.png").write_bytes(signature_png("x"))
    for line in TYPED:
        words = line.format(folder=person.folder).split()
        name = max(
            (name for name in with_json() if f"recours {line} ".startswith(f"{name} ")), key=len, default=""
        )
        if not name:
            assert person.types(*words).returncode == 0, line
            continue
        printed_keys.add(name)
        if line == "verify":  # present only if there is a problem
            shutil.rmtree(person.environment["RECOURS_POD_DIR"])
        done = person.types(*words, "--json")
        assert done.stdout, (line, done.stderr)
        printed |= {(name, key) for key in keys_of(json.loads(done.stdout))}
    assert printed_keys == with_json()
    holders = {(name, f"{part}.*") for name, key in printed for part in key.split(".*.")[:-1]}
    untold = {(name, key) for name, key in printed - holders if not meaning_of(name, key)}
    assert not untold, f"docs/meanings.toml has no sentence about {sorted(untold)}"
    documented_keys = {(command, key) for command, meanings in MEANINGS["json"].items() for key in meanings}
    left_over = documented_keys - {(name, shared_key(key)) for name, key in printed}
    assert not left_over, f"docs/meanings.toml tells keys that are not printed: {sorted(left_over)}"


def with_json() -> set[str]:
    """The commands with --json."""
    return {
        name
        for name, command in commands().items()
        if name.startswith("recours ") and any("--json" in parameter.opts for parameter in command.params)
    } - {"recours fetch", "recours retry"}


def keys_of(tree: Any, path: str = "") -> Iterator[str]:
    """Each key with its parents; items of a list count as one."""
    if isinstance(tree, list):
        for each in tree:
            yield from keys_of(each, f"{path}[]")
    elif isinstance(tree, dict):
        is_open = path.rpartition(".")[2] in OPEN
        for key, value in tree.items():
            here = f"{path}.{'*' if is_open else key}".lstrip(".")
            yield here
            yield from keys_of(value, here)
