"""Rows that another program holds while a run looks for them: PostgreSQL passes them over, and the run has to say so."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, make_url, text

from recours.database.engine import Database
from recours.database.maintenance import ClaimMaintenance
from recours.runs.fetch import PODFetchWorker
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, Service
from tests.conftest import Kind

S = Scenario
HOUR = timedelta(hours=1)


class Waiting(SimulatedClock):
    """Does something when a run waits."""

    on_sleep: Callable[[], None] = staticmethod(lambda: None)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.on_sleep()


@pytest.fixture
def clock() -> Waiting:
    return Waiting(FAILED_AT + 2 * HOUR)


@pytest.fixture
def service(
    kinds: Callable[[str], Kind], tmp_path: Path, clock: Waiting, caplog: pytest.LogCaptureFixture
) -> Iterator[Service]:
    caplog.set_level(logging.INFO, logger="__main__")
    kind = kinds("postgresql")
    url = kind.ready(tmp_path)
    with Sandbox(now=clock.now) as box:
        shown = url.render_as_string(hide_password=False)
        with closing(Service(tmp_path, box, clock, url=shown)) as service:
            yield service
    kind.drop(url)


@pytest.fixture
def other(service: Service) -> Iterator[Connection]:
    """Another program's connection, in a transaction of its own."""
    database = Database(make_url(service.environment["DATABASE_URL"]))
    with ExitStack() as stack:
        stack.callback(database.close)
        connection = stack.enter_context(database.engine.connect())
        connection.exec_driver_sql("BEGIN")
        yield connection
        connection.exec_driver_sql("ROLLBACK")


def hold(other: Connection, *claims: int) -> None:
    marks = ", ".join(map(str, claims))
    other.execute(text(f"SELECT id FROM claims WHERE id IN ({marks}) FOR UPDATE")).all()


def _begin_anew(other: Connection) -> None:
    other.exec_driver_sql("ROLLBACK; BEGIN")


NOTHING = ("No failed PODs eligible for retry", "No pending PODs to fetch")


def test_due_claims_that_are_locked_are_no_idle_system(
    service: Service, other: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    claims = [service.add(S.DELIVERED) for _ in range(6)]
    hold(other, *claims)
    report = service.run()
    assert report.exit_status == 1
    assert report.fault is not None
    assert report.fault.startswith("6 claims are locked by another program")
    assert "6 claims are locked by another program; trying once more" in caplog.messages
    assert "⚠️ Skipped (locked by another program): 6" in caplog.messages
    assert report.as_json()["skipped_locked"] == 6
    assert not set(NOTHING) & set(caplog.messages)
    assert service.box.calls == []
    other.exec_driver_sql("ROLLBACK; BEGIN")
    assert service.run().stats.success == 6


def test_a_run_with_nothing_else_to_do_waits_for_those_that_bring_the_rows_up_to_date(
    service: Service, other: Connection, clock: Waiting
) -> None:
    """As a long-lived worker's tick does with many rows in one transaction, or another entry of cron."""
    claims = [service.add(S.DELIVERED) for _ in range(3)]
    hold(other, *claims)
    begun = clock.now()
    clock.on_sleep = lambda: _begin_anew(other) if clock.now() - begun > timedelta(seconds=20) else None
    report = service.run()
    assert (report.exit_status, report.stats.success) == (0, 3)


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("kind", ["new", "waiting"])
def test_what_is_unlocked_meanwhile_is_fetched_by_the_same_run(
    service: Service, other: Connection, clock: Waiting, kind: str
) -> None:
    claims = [service.add(S.DELIVERED) for _ in range(3)]
    if kind == "waiting":  # assessed by an earlier run, and due by now
        service.sql("UPDATE claims SET updated_at = ?", f"{clock.now():%Y-%m-%d %H:%M:%S}")
        service.run()
        service.clock.advance(HOUR)
    assert service.sql("SELECT DISTINCT pod_stage FROM claims") == [
        ({"new": None, "waiting": "waiting"}[kind],)
    ]
    hold(other, *claims)
    slept: list[float] = []

    def after_a_while() -> None:
        slept.append(1)
        if len(slept) == 3:
            other.exec_driver_sql("ROLLBACK; BEGIN")

    clock.on_sleep = after_a_while
    report = service.run()
    assert (report.exit_status, report.stats.success, report.stats.skipped_locked) == (0, 3, 0)


def test_rows_that_other_runs_lock_by_turns_are_no_fault(
    service: Service, other: Connection, clock: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when several runs assess a thousand new claims each: every look finds some locked, but never for long."""
    claims = [service.add(S.DELIVERED) for _ in range(3)]
    hold(other, *claims)
    clock.on_sleep = partial(_begin_anew, other)
    looks: list[int] = []
    usual = ClaimMaintenance.is_behind

    def is_behind(*given: Any) -> bool:
        looks.append(1)
        if len(looks) == 2:  # after the wait
            hold(other, *claims)
        return usual(*given)

    monkeypatch.setattr(ClaimMaintenance, "is_behind", is_behind)
    report = service.run()
    assert (report.exit_status, report.fault, report.stats.skipped_locked) == (0, None, 0)
    assert len(looks) == 2


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("moment", ["at once", "while it is counted"])
def test_what_was_locked_only_while_the_run_looked_is_fetched_by_the_same_run(
    service: Service,
    other: Connection,
    clock: Waiting,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """As when both workers start in the same minute: each passes over what the other has in its hands."""
    claims = [service.add(S.DELIVERED, pod_fetch_status="pending") for _ in range(3)]
    hold(other, *claims)
    where, what = {
        "at once": (ClaimMaintenance, "assess_edited"),
        "while it is counted": (ClaimMaintenance, "passed_over"),
    }[moment]
    usual = getattr(where, what)

    def and_then_free(*given: Any) -> Any:
        done = usual(*given)
        done = list(done) if what == "assess_edited" else done
        other.exec_driver_sql("ROLLBACK; BEGIN")
        return done

    monkeypatch.setattr(where, what, and_then_free)
    slept: list[float] = []
    clock.on_sleep = lambda: slept.append(1)
    report = service.run(PODFetchWorker)
    assert (report.exit_status, report.stats.success, report.stats.skipped_locked) == (0, 3, 0)
    assert not set(NOTHING) & set(caplog.messages)
    assert slept == []  # nobody held them any more


def test_what_was_locked_and_needs_nothing_now_is_no_silence(
    service: Service, other: Connection, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = service.add(S.DELIVERED, pod_fetch_status="pending")
    hold(other, claim)
    usual = ClaimMaintenance.passed_over

    def and_then_paid(*given: Any) -> set[Any]:
        found = usual(*given)
        other.exec_driver_sql("UPDATE claims SET status = 'paid'; COMMIT; BEGIN")
        return found

    monkeypatch.setattr(ClaimMaintenance, "passed_over", and_then_paid)
    assert service.run(PODFetchWorker).exit_status == 0
    assert caplog.messages.count("No pending PODs to fetch") == 1


def test_ready_claims_that_are_found_and_cannot_be_taken_are_explained(
    service: Service, other: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    password = service.environment.pop("CHRONOPOST_PASSWORD")
    claims = [service.add(S.DELIVERED) for _ in range(6)]
    service.run()
    service.environment["CHRONOPOST_PASSWORD"] = password
    service.sql("UPDATE recours_accounts SET configured = TRUE")  # or they would be assessed again
    assert service.sql("SELECT DISTINCT pod_stage FROM claims") == [("ready",)]
    hold(other, *claims[:4])
    caplog.clear()
    report = service.run()
    assert "Found 6 claim(s) to retry" in caplog.messages
    assert (report.exit_status, report.stats.success, report.stats.skipped_locked) == (0, 2, 4)
    assert "4 claims are locked by another program; trying once more" in caplog.messages
    assert any(line.startswith("⚠️ 4 claims are locked by another program") for line in caplog.messages)


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("others", [0, 1])
def test_settled_claims_whose_turn_passes_are_counted_too(
    service: Service, other: Connection, caplog: pytest.LogCaptureFixture, others: int
) -> None:
    claims = [service.add(S.NOT_OURS) for _ in range(3)]
    service.run()
    assert service.sql("SELECT DISTINCT pod_stage FROM claims") == [("settled",)]
    service.clock.advance(7 * HOUR)
    hold(other, *claims[others:])
    caplog.clear()
    report = service.run()
    locked = f"{3 - others} claims are locked by another program"
    assert (report.exit_status, report.stats.skipped_locked) == (0 if others else 1, 3 - others)
    assert report.stats.skipped_persistent == others
    assert f"{locked}; trying once more" in caplog.messages
    other.exec_driver_sql("ROLLBACK; BEGIN")
    assert service.run().stats.skipped_persistent == 3 - others


def test_a_new_claim_that_is_locked_is_told_too(
    service: Service, other: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    claim = service.add(S.DELIVERED, pod_fetch_status="pending")
    hold(other, claim)
    report = service.run(PODFetchWorker)
    assert report.exit_status == 1
    assert "1 claim is locked by another program; trying once more" in caplog.messages
    assert not set(NOTHING) & set(caplog.messages)


def test_a_run_that_is_not_in_anybody_s_way_waits_for_nothing(service: Service, clock: Waiting) -> None:
    for _ in range(3):
        service.add(S.DELIVERED)
    slept: list[float] = []
    clock.on_sleep = lambda: slept.append(1)
    assert service.run().stats.success == 3
    service.run()
    assert slept == []
