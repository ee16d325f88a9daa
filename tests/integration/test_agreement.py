"""All views of a claim agree: every stage at every state of a carrier, on both databases.

The expectations are in the tables below. `why`, `claim_status()`, the dashboard, the weekly report, `status`, `check`
and `--dry-run` must all agree with them.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

import recours
from recours.accounts.opened import make_queue
from recours.app import App, open_app
from recours.carriers.account_gate import fingerprint
from recours.carriers.registry import CATALOG
from recours.cli.status import _show_explanation
from recours.core.accounts import DEFAULT_ACCOUNT
from recours.core.claim import Stage
from recours.core.errors import Actor, ErrorKind
from recours.core.position import Why
from recours.core.quota import Limit
from recours.dashboard.claims import Row
from recours.database.engine import Database
from recours.database.tables import account_state, mails, quota
from recours.mail.service import MailService
from recours.reporting.claim_reports import explanation_of
from recours.reporting.problems import ProblemKind, VerdictSentences, verdict
from recours.reporting.snapshot import Reports
from recours.runs.eligibility import why_not_reopen
from recours.sandbox import Sandbox
from recours.settings.loading import load
from tests.conftest import SERVICE_CLAIMS
from tests.fakes.intake import take_in
from tests.own_rows import set_own, set_service
from tests.processes.commands import Done, worker
from tests.processes.commands import recours as typed

HOUR = timedelta(hours=1)
S = recours.Standing


@dataclass(frozen=True)
class Carrier:
    """A carrier's state: since when it takes no call, until when, who has to act, and the problem."""

    key: str
    until: str | None = None  # "": until someone acts
    actor: Actor | None = None
    problem: ProblemKind | None = None


CARRIERS = {
    "ok": Carrier("chronopost"),
    "paused by the carrier": Carrier("ups", until="3h"),
    "stopped by a person": Carrier("dhl", "", Actor.OPERATOR, ProblemKind.CARRIER_PAUSED),
    "auth_failed": Carrier("fedex", "2h", Actor.OPERATOR, ProblemKind.CREDENTIALS_REJECTED),
    "account_denied": Carrier("gls", "2h", Actor.OPERATOR, ProblemKind.ACCOUNT_DENIED),
    "not configured": Carrier("dpd", "", Actor.OPERATOR, ProblemKind.NOT_CONFIGURED),
    "at its limit": Carrier("colissimo", until="window"),
    "unknown": Carrier(""),
}


@dataclass(frozen=True)
class Case:
    """A claim at a stage. `base`: its next attempt from now on if its carrier accepts calls; None: none."""

    standing: recours.Standing
    base: timedelta | None
    actor: Actor | None
    columns: dict[str, Any]
    status: str = "failed"
    number: bool = True
    of_row: dict[str, Any] | None = None


TRIED = {"kind": ErrorKind.NOT_FOUND, "retries_used": 1}
STAGES = {
    "new": Case(S.NEW, timedelta(), None, {}, "pending"),
    "no number": Case(S.UNNUMBERED, None, Actor.CLIENT, {}, "pending", number=False),
    "waiting": Case(S.WAITING, 5 * HOUR, Actor.CLIENT, {**TRIED, "stage": "waiting", "in": 5 * HOUR}),
    "its time has come": Case(S.READY, timedelta(), Actor.CLIENT, {**TRIED, "stage": "waiting", "in": -HOUR}),
    "ready": Case(S.READY, timedelta(), Actor.CLIENT, {**TRIED, "stage": "ready", "in": -HOUR}),
    "settled": Case(
        S.SETTLED,
        None,
        Actor.CLIENT,
        {**TRIED, "stage": "settled", "in": 5 * HOUR, "kind": ErrorKind.POD_NEVER_AVAILABLE},
    ),
    "given up": Case(
        S.GIVEN_UP,
        None,
        Actor.OPERATOR,
        {"stage": "given_up", "kind": ErrorKind.TIMEOUT, "retries_used": 4},
    ),
    "paid": Case(S.SHELVED, None, Actor.OPERATOR, {}, of_row={"status": "paid"}),
    "fetched": Case(S.FETCHED, None, None, {}, "success"),
    "by hand": Case(S.LEFT_ALONE, None, Actor.OPERATOR, {}, "manual"),
}  # fmt: skip
ASKS = {"new", "waiting", "its time has come", "ready"}
NEAR = {"new", "waiting"}  # those with a deadline in three days


@dataclass
class World:
    """A database with a claim of each kind, and the views of it."""

    app: App
    environment: dict[str, str]
    now: datetime
    folder: Path

    def types(self, *arguments: str) -> Done:
        done = typed(*arguments, environment=self.environment)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def next_of(self, state: str, stage: str) -> datetime | None:
        """When the claim is tried next."""
        case, carrier = STAGES[stage], CARRIERS[state]
        if case.base is None:
            return None
        at = self.now + case.base
        if carrier.until is None:
            return at
        return max(at, self.until(carrier)) if carrier.until else None

    def until(self, carrier: Carrier) -> datetime:
        if carrier.until == "window":
            _, ends = self.limit(carrier.key).window.around(self.now)
            return ends
        return self.now + int((carrier.until or "0").rstrip("h")) * HOUR

    def limit(self, key: str) -> Limit:
        return self.app.settings.limits[key][-1]


def reference(state: str, stage: str) -> str:
    return f"{state}/{stage}".replace(" ", "_")


@pytest.fixture
def world(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in [name for name in os.environ if name.startswith(("RECOURS_", "DATABASE_", "SMTP_"))]:
        if not name.startswith("RECOURS_TEST_"):
            monkeypatch.delenv(name)
    with Sandbox(now=lambda: datetime.now(UTC)) as box:
        given = {
            name: value
            for name, value in box.environment().items()
            if not (name.startswith("DPD_") and not name.endswith("_URL"))
        } | {
            "DATABASE_URL": url,
            "RECOURS_LANGUAGE": "en",
            "RECOURS_LOG_DIR": str(tmp_path / "logs"),
            "RECOURS_POD_DIR": str(tmp_path / "pods"),
            "QUOTA_COLISSIMO": "3/day",
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        app = open_app(load(tmp_path, given, CATALOG))
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TZ") if name in os.environ}
        world = World(app, kept | given | {"PYTHONIOENCODING": "utf-8"}, datetime.now(UTC), tmp_path)
        _fill(world, box)
        yield world
        app.database.close()


def _fill(world: World, box: Sandbox) -> None:
    database, now = world.app.database, world.now
    with database.write() as connection:
        for n, (state, stage) in enumerate((s, t) for s in CARRIERS for t in STAGES):
            _add(connection, n, state, stage, now, box)
    take_in(database, world.app.catalog, now, world.app.settings.policy)
    for state in CARRIERS:
        for stage, case in STAGES.items():
            values = dict(case.columns)
            if "in" in values:
                values["next_at"] = now + values.pop("in")
            if values:
                count = values["retries_used"]
                set_service(database, reference(state, stage), pod_retry_count=count)
                set_own(database, reference(state, stage), **values, seen_count=str(count))
    _close(world)


def _add(connection: Any, n: int, state: str, stage: str, now: datetime, box: Sandbox) -> None:
    case, key = STAGES[stage], CARRIERS[state].key
    row = {
        "claim_reference": reference(state, stage),
        "carrier": CATALOG.specs[key].name if key else "Heppner",
        "tracking_number": (box.example(key, "99", n) if key else f"H{n}") if case.number else None,
        "pod_fetch_status": case.status,
        "pod_fetch_error": "Timeout" if case.status == "failed" else None,
        "created_at": now - timedelta(days=2),
        "updated_at": now - timedelta(days=2),
        "pod_retry_count": 0,
        "response_deadline": (now + timedelta(days=3)).date() if stage in NEAR else None,
    } | (case.of_row or {})
    names = ["order_id", "dispute_type", "amount_requested"]
    connection.execute(insert(SERVICE_CLAIMS).values(row | dict(zip(names, ("o", "lost", 1.0), strict=True))))


def _close(world: World) -> None:
    """Put the carriers into their states."""
    app, now = world.app, world.now
    queue = make_queue(
        app.settings,
        app.database,
        app.clock,
        lambda: 0.0,
    )
    queue.stop("dhl", "anna", "works")
    limit = world.limit("colissimo")
    start, end = limit.window.around(now)
    with app.database.write() as connection:
        window = {"limit_key": limit.key, "window_start": start, "window_end": end, "taken": 3}
        connection.execute(insert(quota).values(window))
        pause = {
            "carrier": "ups",
            "account_id": DEFAULT_ACCOUNT,
            "refusals": 0,
            "paused_until": now + 3 * HOUR,
            "reason": "UPS asked us to wait",
        }
        connection.execute(insert(account_state).values(pause))
        for key, kind, said in (
            (
                "fedex",
                "auth_failed",
                "FedEx rejects our credentials: Invalid Password (credentials from .env)",
            ),
            ("gls", "account_denied", "GLS does not let our account use this service"),
        ):
            salt = "00" * 16
            credentials = tuple(app.settings.credentials[key].values.values())
            values = {
                "carrier": key,
                "account_id": DEFAULT_ACCOUNT,
                "refusals": 1,
                "refused_until": now + 2 * HOUR,
                "refusal": said,
                "refusal_kind": kind,
                "credentials_salt": salt,
                "credentials_print": fingerprint(credentials, salt),
            }
            connection.execute(insert(account_state).values(values))


def is_about(found: datetime | None, wanted: datetime | None) -> bool:
    """Whether two times are the same, allowing for the few seconds between two views."""
    if found is None or wanted is None:
        return found is wanted
    return abs(found - wanted) < timedelta(minutes=2)


EACH = [(state, stage) for state in CARRIERS for stage in STAGES]


def expected_actor(state: str, stage: str) -> Actor | None:
    case, carrier = STAGES[stage], CARRIERS[state]
    if state == "unknown" and stage in ASKS | {"settled", "given up"}:
        return Actor.OPERATOR
    return carrier.actor if stage in ASKS and carrier.actor else case.actor


@pytest.mark.full("each stage with each state of a carrier: others of this file compare some")
def test_every_claim_stands_in_one_place_for_all(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    listed = {one.claim.reference: one for one in Reports(world.app).records.each_claim()}
    positions = Reports(world.app).positions([*listed.values()])
    exported = {
        row["claim"]: row["next_try"] for row in json.loads(world.types("export", "claims", "--json").stdout)
    }
    for state, stage in EACH:
        name, case, next_at = reference(state, stage), STAGES[stage], world.next_of(state, stage)
        where = f"{name}, next {next_at}"

        found = explanation_of(world.app, name)
        assert found is not None
        why = found.as_json()
        told = datetime.fromisoformat(why["next_try"]) if why["next_try"] else None
        assert (why["where"], is_about(told, next_at)) == (case.standing, True), (where, why)
        assert why["who_can_act"] == expected_actor(state, stage), (where, why)
        _show_explanation(found, world.app.catalog, "en", 4)
        status = recours.claim_status(name)
        assert f"\n  {status.sentence}\n" in capsys.readouterr().out, where
        assert status.stage == case.standing, where
        assert is_about(status.next_try_at, next_at), (where, status)
        assert status.actor == expected_actor(state, stage), (where, status)
        later = next_at is not None and next_at > world.now + timedelta(minutes=5)
        assert bool(re.search(r"\d \w+ \d{4}, \d\d:\d\d", status.sentence)) is later or stage == "fetched", (
            where,
            status.sentence,
        )
        if stage in ASKS and CARRIERS[state].until == "":
            assert "until someone acts" in status.sentence, (where, status.sentence)
        for language in ("en", "fr"):
            sentence = recours.claim_status(name, language=language).sentence
            assert "{" not in sentence

        cell = datetime.fromisoformat(exported[name]) if exported[name] else None
        assert is_about(cell, next_at), (where, exported[name])

        is_leased = positions[listed[name].claim.id].why is Why.IN_HAND
        refused = why_not_reopen(listed[name].claim, world.app.settings.policy, is_leased=is_leased)
        assert (refused is None) is (stage == "given up"), (where, refused)

        page = positions[listed[name].claim.id]
        assert (page.standing, is_about(page.next_at, next_at)) == (case.standing, True), where
        row = Row(listed[name], page, "X", "")
        assert (row.next_at is not None) is (later and stage in ASKS), where


def test_everybody_counts_the_same_and_sees_the_same_problems(world: World) -> None:
    seen = Reports(world.app).overview()
    found = verdict(seen)
    asks = len(ASKS)
    expected = {(c.problem, c.key, asks) for c in CARRIERS.values() if c.problem}
    of_carriers = {(p.kind, p.carrier, p.count) for p in found.problems if p.carrier}
    assert of_carriers == expected
    others = Counter(p.kind for p in found.problems if not p.carrier)
    assert others == {
        ProblemKind.NEVER_RAN: 2,
        ProblemKind.UNKNOWN_CARRIER: 1,
        ProblemKind.TO_CORRECT: 1,
        ProblemKind.DEADLINES: 1,
    }
    (to_correct,) = (p for p in found.problems if p.kind is ProblemKind.TO_CORRECT)
    assert to_correct.count == len(CARRIERS) - 1  # each known carrier has a claim that needs correction
    (late,) = (p for p in found.problems if p.kind is ProblemKind.DEADLINES)
    blocked = [carrier for carrier in CARRIERS.values() if carrier.until == ""]
    assert late.count == len(NEAR) * len(blocked)
    assert found.in_progress == asks * len(CARRIERS)
    assert found.blocked == asks * sum(c.until is not None for c in CARRIERS.values())

    backlogs = {backlog.carrier: backlog for backlog in seen.backlogs}
    for carrier in CARRIERS.values():
        backlog = backlogs[carrier.key]
        assert backlog.to_correct == (carrier.key != "")
        counts = {stage: backlog.stages.get(stage, 0) for stage in Stage}
        assert counts == {
            Stage.UNNUMBERED: 1, Stage.NEW: 1, Stage.WAITING: 1, Stage.READY: 2, Stage.SETTLED: 1,
            Stage.SHELVED: 1, Stage.GIVEN_UP: 1,
        }, carrier  # fmt: skip

    status = world.types("status", "--json")
    assert status.returncode == 0, status.stderr
    printed = json.loads(status.stdout)
    told = VerdictSentences("en", world.app.settings.policy.zone)
    assert printed["verdict"] == told.verdict(found)
    assert [p["sentence"] for p in printed["problems"]] == [
        told.sentence(p, found.at) for p in found.problems
    ]
    checked = world.types("status", "--check")
    assert checked.returncode == 1
    assert [line[2:] for line in checked.stdout.splitlines() if line.startswith("! ")] == [
        p["sentence"] for p in printed["problems"]
    ]


def test_check_and_weekly_report_name_the_same_problems(world: World) -> None:
    found = verdict(Reports(world.app).overview())
    told = VerdictSentences("en", world.app.settings.policy.zone)
    check = world.types("check", "--offline", "--json")
    assert check.returncode == 1
    faults = " ".join(f["words"] for f in json.loads(check.stdout)["findings"] if f["state"] == "fault")
    for problem in found.problems:
        is_new = problem.kind is ProblemKind.NEVER_RAN
        assert ("has never run" if is_new else told.sentence(problem, found.at)) in faults

    app = world.app
    office = MailService(app.settings, app.database, app.schema, app.clock, "r")
    text = office.rendered(office.report((world.now - timedelta(days=7)).date()), "en").plain
    for problem in found.problems:
        assert told.sentence(problem, found.at) in text, text


def test_a_dry_run_takes_what_all_say_comes_next(world: World) -> None:
    stages = {"pod_retry_scheduler": ("its time has come", "ready"), "pod_fetch_worker": ("new",)}
    for name, due in stages.items():
        done = worker(name, "--dry-run", "--json", environment=world.environment, folder=world.folder)
        assert done.returncode == 0, done.stderr
        printed = json.loads(done.stdout.splitlines()[-1])
        open_now = [state for state, carrier in CARRIERS.items() if carrier.until is None]
        assert set(printed["would_take"]) == {reference(state, stage) for state in open_now for stage in due}
        assert printed["left_behind"] == {
            CATALOG.name_of(carrier.key): len(due)
            for carrier in CARRIERS.values()
            if carrier.until is not None
        }


# ---------------------------------------------------------------- cases that contradicted each other


def test_a_claim_that_a_run_is_fetching_is_shown_so_by_all(world: World, database: Database) -> None:
    name = reference("ok", "ready")
    set_own(database, name, lease_token="run-1", lease_until=datetime.now(UTC) + timedelta(minutes=10))
    listed = Reports(world.app).records.find(name)
    found = explanation_of(world.app, name)
    assert listed is not None
    assert found is not None
    assert found.position.standing is recours.claim_status(name).stage is S.IN_HAND
    assert Reports(world.app).positions([listed]) == {listed.claim.id: found.position}
    exported = {
        row["claim"]: row["next_try"] for row in json.loads(world.types("export", "claims", "--json").stdout)
    }
    assert exported[name] is None
    for worker_name, held in {"pod_retry_scheduler": 1, "pod_fetch_worker": 0}.items():
        done = worker(worker_name, "--dry-run", "--json", environment=world.environment, folder=world.folder)
        assert json.loads(done.stdout.splitlines()[-1])["held"] == held


def test_mails_that_wait_for_a_dead_server_are_a_problem_for_all(world: World, database: Database) -> None:
    texts = dict.fromkeys(("subject", "plain", "html"), "x")
    for n, hours in enumerate((30, 29, 1)):
        row = {
            "message_id": f"<{n}>", "kind": "pod_failed", "recipient": "a@b.example", "language": "en",
            "state": "ready", "run_id": "r", "created_at": world.now - hours * HOUR, "tries": 0,
        }  # fmt: skip
        with database.write() as connection:
            connection.execute(insert(mails).values(row | texts))
    shown = world.types("status", "--check").stdout
    assert "! 2 emails have been waiting for the mail server since " in shown
    found = json.loads(world.types("status", "--json", "--check").stdout)["problems"]
    (waiting,) = (problem for problem in found if problem["kind"] == "mails_waiting")
    assert is_about(datetime.fromisoformat(waiting["since"]), world.now - 30 * HOUR)
    findings = json.loads(world.types("check", "--offline", "--json").stdout)["findings"]
    assert any(f["state"] == "fault" and waiting["sentence"] == f["words"] for f in findings)
