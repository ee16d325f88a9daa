"""The verdict reports exactly what a person named who assessed each world by its facts alone; on both databases."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from recours.app import App
from recours.carriers import account_gate
from recours.carriers.registry import CATALOG
from recours.core.accounts import DEFAULT_ACCOUNT
from recours.core.errors import OUTAGE_KINDS, ErrorKind
from recours.core.translations import LANGUAGES
from recours.database.engine import Database
from recours.database.schema.inspection import inspect_schema
from recours.database.tables import account_state, actions, attempts, runs
from recours.reporting.problems import VerdictSentences, verdict
from recours.reporting.snapshot import Reports
from recours.runs.worker import WORKERS
from recours.sandbox import SimulatedClock
from recours.settings.loading import load
from tests.conftest import add_claims, environment_of
from tests.fakes.intake import take_in
from tests.own_rows import set_own
from tests.worlds import WORLDS, Answers, Check, World

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ACCOUNTS = {"UPS_CLIENT_ID": "u", "UPS_CLIENT_SECRET": "s", "COLISSIMO_API_KEY": "k"}
NUMBERS = {"ups": "1Z999AA1{:010d}", "colissimo": "6A{:011d}", "chronopost": "XY{:09d}FR"}


def operations_of(database: Database, folder: Path, world: World) -> App:
    environment = environment_of(str(database.url), "http://127.0.0.1:1") | ACCOUNTS | world.settings
    settings = load(folder, environment, CATALOG)
    return App(settings, database, inspect_schema(database), SimulatedClock(NOW))


def fill(database: Database, world: World, app: App) -> None:
    rows: list[dict[str, Any]] = []
    columns: list[dict[str, Any]] = []
    for group in world.claims:
        due = None if group.deadline_days is None else (NOW + group.deadline_days * DAY).date()
        for _ in range(group.count):
            name = f"CLM-{len(rows)}"
            number = NUMBERS[group.carrier].format(len(rows))
            rows.append(
                {
                    "claim_reference": name, "carrier": group.carrier, "tracking_number": number,
                    "created_at": NOW - 3 * DAY, "updated_at": NOW - HOUR, "response_deadline": due,
                    "amount_requested": group.amount,
                }
            )  # fmt: skip
            columns.append(group.columns | {"next_at": NOW + 5 * HOUR})
    add_claims(database, rows)
    take_in(database, app.catalog, NOW - HOUR, app.settings.policy)
    for row, own in zip(rows, columns, strict=True):
        set_own(database, row["claim_reference"], **own)
    with database.write() as connection:
        for answers in world.answers:
            for hours in answers.hours:
                for parcel in answers.parcels:
                    connection.execute(insert(attempts).values(attempt(answers, parcel, hours)))
        for check in world.checks:
            connection.execute(insert(actions).values(action(check)))
        for worker, exit_status in zip(WORKERS, (int(world.failed_run), 0), strict=True):
            run = {"id": worker, "worker": worker, "started_at": NOW - HOUR / 4, "ended_at": NOW - HOUR / 5}
            connection.execute(insert(runs).values(run | {"exit_status": exit_status}))
        if world.refused:
            credentials = tuple(app.settings.credentials[world.refused].values.values())
            refusal = {
                "carrier": world.refused, "account_id": DEFAULT_ACCOUNT, "refusals": 2, "refused_until": NOW + 2 * HOUR,
                "refusal": "Invalid Password", "refusal_kind": ErrorKind.AUTH_FAILED, "credentials_salt": "ab" * 16,
                "credentials_print": account_gate.fingerprint(credentials, "ab" * 16),
            }  # fmt: skip
            connection.execute(insert(account_state).values(refusal))


def attempt(answers: Answers, parcel: int, hours: float) -> dict[str, Any]:
    used = answers.calls > 0
    failed = "failed" if used else "left"
    return {
        "claim_id": parcel, "run_id": "r", "worker": "w", "carrier": answers.carrier, "tracking_number": "X", "turn": 1,
        "started_at": NOW - hours * HOUR, "duration_s": 1.0, "calls": answers.calls, "used": used,
        "outcome": failed if answers.kind else "success", "error_kind": answers.kind, "http_status": answers.http_status,
    }  # fmt: skip


def action(check: Check) -> dict[str, Any]:
    details = {"verdict": check.verdict, "kind": check.kind}
    at = NOW - check.hours * HOUR
    return {"at": at, "by": "anna", "what": "checked", "subject": check.carrier, "details": details}


@pytest.mark.parametrize("name", WORLDS)
def test_the_verdict_is_the_assessment(name: str, database: Database, tmp_path: Path) -> None:
    world = WORLDS[name]
    app = operations_of(database, tmp_path, world)
    fill(database, world, app)
    seen = Reports(app).overview()
    found = verdict(seen)
    of_runs = {"run_failed"}
    named = {(p.kind.value, "" if p.kind in of_runs else p.carrier, p.count) for p in found.problems}
    assert named == world.assessment, world.story
    for kind, money in world.money.items():
        (problem,) = (problem for problem in found.problems if problem.kind == kind)
        assert sum(problem.money.amounts.values()) == money
    for language in LANGUAGES:
        told = VerdictSentences(language)
        for problem in found.problems:
            assert "{" not in told.sentence(problem, NOW) + told.remedy(problem, NOW)
    out = {carrier for kind, carrier, _ in world.assessment if kind == "outage"}
    assert {carrier.key for carrier in seen.carriers if carrier.unavailable_since} == out
    to_correct = sum(count for kind, _, count in world.assessment if kind == "to_correct")
    assert sum(backlog.to_correct for backlog in seen.backlogs) == to_correct


def test_every_kind_of_failure_is_in_a_simulated_world() -> None:
    kinds = {answers.kind for world in WORLDS.values() for answers in world.answers}
    assert kinds >= OUTAGE_KINDS
