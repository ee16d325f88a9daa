"""Runs of both workers over a database, carriers, documents and a clock in memory."""

import logging
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest

from recours.core.claim import Stage, State
from recours.core.errors import ErrorKind, RunError
from recours.core.outcome import Failure
from recours.core.pauses import Blocked, Refusal
from recours.core.quota import Capability
from recours.runs.refusals import UnfitClaimsError
from recours.runs.summary import Report
from recours.runs.worker import Options, Worker
from tests.fakes.carriers import CATALOG
from tests.fakes.world import World, local

HOUR = timedelta(hours=1)
RULE = "=" * 70
N = "XY000000001FR"
BOTH = {Capability.TRACKING: 1, Capability.POD: 1}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="__main__")


def log_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The run's own lines, with the level of those that are not INFO."""
    assert {record.name for record in caplog.records} <= {"__main__"}
    return [
        record.getMessage()
        if record.levelno == logging.INFO
        else f"[{record.levelname}] {record.getMessage()}"
        for record in caplog.records
    ]


def counts(report: Report) -> dict[str, int]:
    """The counts that are not zero."""
    keys = ("total", "success", "failed", "skipped_persistent", "skipped_rate_limit", "skipped_carrier",
            "skipped_reserved")  # fmt: skip
    found = report.as_json()
    return {key: found[key] for key in (*keys, "max_retries_reached") if found[key]}


# ---------------------------------------------------------------- the log, literally


def test_the_log_of_the_scheduler_matches_the_guide(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for place, retries in enumerate((1, 0, 3), 1):
        number = f"XY00000000{place}FR"
        state = State(last_retry_at=world.now - 80 * HOUR)
        world.failed(
            f"CLM-2024-00{place}",
            number,
            retries_counted=retries,
            state=state,
            updated_at=world.now - 90 * HOUR,
            deadline=date(2026, 3, place),
        )
    world.queue.answers["XY000000002FR"] = [Failure(ErrorKind.TIMEOUT, "Chronopost did not answer in time")]
    world.queue.answers["XY000000003FR"] = [Failure(ErrorKind.SERVER_ERROR, "Chronopost is unavailable")]
    worker = world.scheduler(30, concurrency=1)
    worker.log_header(30, 4)
    report = worker.run()
    lines = log_of(caplog)
    assert lines[:5] == [
        RULE,
        "POD AUTO-RETRY SCHEDULER - Starting",
        "Batch size: 30 | Max retries: 4",
        RULE,
        "Found 3 claim(s) to retry",
    ]
    assert [[line for line in lines if f"-00{place}" in line] for place in (1, 2, 3)] == [
        [
            "[1] Retry #2 for CLM-2024-001 (Chronopost)",
            "✅ SUCCESS: POD fetched for CLM-2024-001 after 2 attempts",
        ],
        [
            "[2] Retry #1 for CLM-2024-002 (Chronopost)",
            "[WARNING] ❌ FAILED: CLM-2024-002 - Chronopost did not answer in time; next try 2026-02-02 15:00",
        ],
        [
            "[3] Retry #4 for CLM-2024-003 (Chronopost)",
            "[ERROR] 🛑 FINAL FAILURE: CLM-2024-003 gave up after 4 attempts - Chronopost is unavailable",
        ],
    ]
    assert lines[11:] == [
        "Duration: 0.00s",
        "Total processed: 3",
        "✅ Success: 1",
        "❌ Failed: 2",
        "⏭️ Skipped (persistent): 0",
        "⚠️ Skipped (rate limit): 0",
        "⚠️ Skipped (carrier): 0",
        "🛑 Max retries reached: 1",
        "Success rate: 33.3%",
        "Chronopost: 3/100 per day, resets 2026-02-03 01:00",
    ]
    assert (report.exit_status, report.fault) == (0, None)


def test_the_log_of_the_fetch_worker_matches_the_guide(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.pending("CLM-1")
    worker = world.fetch_worker()
    worker.log_header(50, 4)
    worker.run()
    assert log_of(caplog)[:7] == [
        RULE,
        "POD FETCH WORKER - Starting",
        "Batch size: 50",
        RULE,
        "Found 1 claim(s) to fetch",
        "[1] Fetch for CLM-1 (Chronopost)",
        "✅ SUCCESS: POD fetched for CLM-1",
    ]


def test_one_attempt_is_logged_in_the_singular(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.failed("CLM-1")
    world.retry()
    assert "✅ SUCCESS: POD fetched for CLM-1 after 1 attempt" in log_of(caplog)


def test_a_run_with_nothing_due_logs_how_many_claims_wait(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    report = world.retry()
    assert log_of(caplog)[:2] == [
        "No failed PODs eligible for retry",
        "No failed claims are waiting for a retry",
    ]
    assert (counts(report), report.as_json()["success_rate"], report.usage) == ({}, 0.0, {})
    world.failed("CLM-1", updated_at=world.now)
    caplog.clear()
    world.retry()
    assert log_of(caplog)[:2] == [
        "No failed PODs eligible for retry",
        "1 failed claim is waiting for a retry, the earliest at 2026-02-02 10:00",
    ]
    world.failed("CLM-2", updated_at=world.now)
    caplog.clear()
    world.retry()
    assert "2 failed claims are waiting for a retry, the earliest at 2026-02-02 10:00" in log_of(caplog)


def test_a_run_without_pending_claims_logs_this(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.fetch()
    assert log_of(caplog)[0] == "No pending PODs to fetch"


def test_the_json_of_a_run(world: World) -> None:
    world.failed("CLM-1")
    assert world.retry().as_json() == {
        "worker": "pod_retry_scheduler",
        "run_id": "run-1",
        "started_at": "2026-02-02T08:00:00+00:00",
        "duration_s": 0.0,
        "total": 1,
        "success": 1,
        "failed": 0,
        "skipped_persistent": 0,
        "skipped_rate_limit": 0,
        "skipped_carrier": 0,
        "max_retries_reached": 0,
        "skipped_reserved": 0,
        "success_rate": 100.0,
        "api_usage": {
            "Chronopost": {"used": 1, "limit": 100, "window": "day", "resets_at": "2026-02-03T00:00:00+00:00"}
        },
    }
    run = world.journal.runs["run-1"]
    assert (run["worker"], run["exit_status"], run["stats"]["success"]) == ("pod_retry_scheduler", 0, 1)
    assert world.queue.left


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (3, None),
        (
            4,
            "[WARNING] The last run began 4 h ago, at 2026-02-02 09:00; runs are due every hour. "
            "Was the machine off, or is the schedule disabled?",
        ),
        (
            72,
            "[WARNING] The last run began 3 days ago, at 2026-02-02 09:00; runs are due every hour. "
            "Was the machine off, or is the schedule disabled?",
        ),
    ],
)
def test_a_gap_of_more_than_three_times_the_schedule_is_logged(
    world: World, caplog: pytest.LogCaptureFixture, hours: int, words: str | None
) -> None:
    world.retry()
    caplog.clear()
    world.clock.advance(hours * HOUR)
    world.fetch()  # the other worker's runs do not count
    world.retry()
    assert [line for line in log_of(caplog) if "last run" in line] == ([words] if words else [])


def test_the_fetch_worker_s_gap_is_shorter(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.fetch()
    world.clock.advance(timedelta(minutes=91))
    world.fetch()
    assert (
        "[WARNING] The last run began 2 h ago, at 2026-02-02 09:00; runs are due every 30 min. "
        "Was the machine off, or is the schedule disabled?"
    ) in log_of(caplog)


# ---------------------------------------------------------------- the life of a claim


def test_a_persistent_error_is_confirmed_once_then_retries_are_skipped(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    words = "The parcel does not belong to our contract"
    world.pending("CLM-1")
    world.queue.answers[N] = [Failure(ErrorKind.ACCESS_DENIED, words)] * 9
    world.fetch()
    passed = 0

    def run() -> None:
        nonlocal passed
        passed += world.retry().stats.skipped_persistent

    world.each_hour(120, run)
    assert world.called_numbers == [N, N]
    assert passed == 3
    lines = [line for line in log_of(caplog) if "CLM-1 " in line]
    assert lines == [
        "[1] Fetch for CLM-1 (Chronopost)",
        f"[WARNING] ❌ FAILED: CLM-1 - {words}; next try 2026-02-02 10:00",
        "[1] Retry #1 for CLM-1 (Chronopost)",
        f"[WARNING] ❌ FAILED: CLM-1 - {words}; no further call until it is corrected",
        f"⏭️ SKIPPED: CLM-1 - {words} (persistent, retry 2 of 4)",
        f"⏭️ SKIPPED: CLM-1 - {words} (persistent, retry 3 of 4)",
        f"[ERROR] 🛑 FINAL FAILURE: CLM-1 gave up after 2 attempts - {words} (the carrier was asked 2 times)",
    ]
    assert world.table.notices == [("pod_failed", "client", N), ("gave_up", "operator", N)]


def test_attempts_are_counted_as_people_count_with_the_first_fetch(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.pending("CLM-1")
    world.queue.answers[N] = [Failure(ErrorKind.NOT_DELIVERED_YET, "on its way")]
    world.fetch()
    assert world.table["CLM-1"].state.attempts == 1
    world.clock.advance(HOUR)
    world.retry()
    assert "✅ SUCCESS: POD fetched for CLM-1 after 2 attempts" in log_of(caplog)
    assert [event.facts["attempts"] for event in world.table.events] == [2]
    assert (world.table["CLM-1"].state.attempts, world.table["CLM-1"].retries_counted) == (2, 1)


def tried_before(world: World, retries: int, error: str | None = "API timeout") -> None:
    """A claim that recours has had for long, with a due retry."""
    world.failed("CLM-1", retries_counted=retries, updated_at=world.now - 90 * HOUR, error_text=error)
    failed_at = world.now - 200 * HOUR
    state = State(Stage.READY, retries, attempts=retries, failed_at=failed_at, rank_at=world.now)
    world.table.assess("CLM-1", state)


def test_a_lowered_limit_ends_a_claim_at_its_next_retry_without_a_call(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    tried_before(world, 3)
    report = world.retry(policy={"max_retries": 2})
    assert (counts(report), world.called_numbers) == ({"max_retries_reached": 1}, [])
    assert "[ERROR] 🛑 FINAL FAILURE: CLM-1 gave up after 3 attempts - API timeout" in log_of(caplog)
    assert world.table["CLM-1"].error_text == "API timeout"


def test_a_claim_given_up_without_a_recorded_error_says_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    tried_before(world, 9, error=None)
    world.retry()
    assert "[ERROR] 🛑 FINAL FAILURE: CLM-1 gave up after 9 attempts - no answer recorded" in log_of(caplog)


def test_the_wait_of_a_claim_that_others_retried_counts_from_their_retry(world: World) -> None:
    last = world.now - 5 * HOUR
    world.failed("CLM-1", updated_at=world.now - 90 * HOUR, retries_counted=1, pod_last_retry_at=last)
    assert world.retry().stats.total == 0
    world.clock.advance(HOUR)
    assert world.retry().stats.total == 1


def test_a_claim_exhausted_by_others_is_given_up_without_notification(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.failed("CLM-1", retries_counted=4, updated_at=world.now - 90 * HOUR)
    assert counts(world.retry()) == {}
    assert world.table["CLM-1"].state.stage is Stage.GIVEN_UP
    assert (world.called_numbers, world.table.notices, world.claims.attempts) == ([], [], [])
    assert any("1 claim had no retries left when recours was installed" in line for line in log_of(caplog))
    # Once corrected, it starts over like any other.
    world.table.edit("CLM-1", number="XY000000002FR")
    assert counts(world.retry()) == {"total": 1, "success": 1}


def test_a_claim_paid_before_its_retry_is_set_aside(world: World) -> None:
    world.failed("CLM-1", updated_at=world.now)
    world.failed("CLM-2")
    world.queue.answers[N] = [Failure(ErrorKind.ACCESS_DENIED, "not ours")]
    world.retry(carriers=("chronopost",))
    world.table.edit("CLM-1", claim_status="paid")
    world.table.edit("CLM-2", claim_status="paid")
    world.clock.advance(8 * HOUR)
    assert (counts(world.retry()), len(world.called_numbers)) == ({}, 1)
    assert world.table["CLM-1"].state.stage is Stage.SHELVED
    assert world.table["CLM-2"].state.stage is Stage.SHELVED


def test_a_time_that_matches_no_backoff_is_recomputed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.failed("CLM-1", updated_at=world.now)
    world.retry()
    far = datetime(2099, 1, 1, tzinfo=UTC)
    world.table.assess("CLM-1", State(Stage.WAITING, next_at=far, rank_at=world.now))
    world.retry()
    assert (
        "[WARNING] CLM-1: its next attempt (2099-01-01 01:00) does not match the backoff, so the time was recalculated"
    ) in log_of(caplog)
    assert world.table["CLM-1"].state.next_at == world.now + HOUR


def test_values_that_cannot_be_read_are_reported_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.failed("CLM-1")
    world.table.spoil("CLM-1", "updated_at", "response_deadline")
    world.failed("CLM-2", "XY000000002FR")
    world.retry(carriers=("dhl_express",))
    world.retry(carriers=("dhl_express",))
    remarks = [line for line in log_of(caplog) if "cannot" in line]
    assert remarks == [
        "[WARNING] CLM-1: cannot read the value of response_deadline, updated_at; it is treated as unknown"
    ]


def test_at_most_twenty_unreadable_values_are_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for place in range(23):
        world.failed(f"CLM-{place}")
        world.table.spoil(f"CLM-{place}", "created_at")
    world.retry(carriers=("dhl_express",))
    remarks = [line for line in log_of(caplog) if "cannot" in line]
    assert len(remarks) == 21
    assert remarks[-1] == "[WARNING] 3 more claims have values that cannot be read"


# ---------------------------------------------------------------- claims that need no call


def test_a_claim_without_a_valid_number_or_carrier_costs_no_call(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.failed("CLM-1", number=None)
    world.failed("CLM-2", number="123")
    world.failed("CLM-3", carrier="Heppner")
    world.failed("CLM-4", carrier="")
    report = world.retry()
    assert (counts(report), world.called_numbers) == ({"total": 4, "failed": 4}, [])
    warnings = sorted(line.split(" - ")[1].split(";")[0] for line in log_of(caplog) if "FAILED" in line)
    assert warnings == [
        '"123" is not a Chronopost tracking number (example: XY123456789FR)',
        "The carrier (none) is not supported",
        "The carrier Heppner is not supported",
        "The claim has no tracking number",
    ]
    assert {world.table[f"CLM-{place}"].state.stage for place in (1, 2, 3, 4)} == {Stage.SETTLED}
    assert any(line.endswith("Retry #1 for CLM-3 (Heppner)") for line in log_of(caplog))
    assert world.queue.used["chronopost"] == world.queue.held["chronopost"] == 0


# ---------------------------------------------------------------- asked for by reference


def test_a_given_up_claim_is_fetched_on_request(world: World) -> None:
    world.failed("CLM-1", retries_counted=4, updated_at=world.now - 90 * HOUR)
    world.failed("CLM-2", "XY000000002FR", updated_at=world.now)
    world.retry()
    assert world.table["CLM-1"].state.stage is Stage.GIVEN_UP
    assert counts(world.retry(1, claims=("CLM-1",))) == {"total": 1, "success": 1}
    assert world.called_numbers == [N]


def test_a_given_up_claim_stays_given_up_if_a_requested_attempt_fails(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.failed("CLM-1", retries_counted=4, updated_at=world.now - 90 * HOUR)
    world.retry()
    assert world.table["CLM-1"].state.stage is Stage.GIVEN_UP
    told = len(world.table.events)
    world.queue.answers[N] = [Failure(ErrorKind.TIMEOUT, "no answer")] * 9
    world.retry(claims=("CLM-1",))
    after = world.table["CLM-1"]
    assert (after.state.stage, after.retries_counted, after.state.next_at) == (Stage.GIVEN_UP, 4, None)
    assert (after.error_text, len(world.table.events)) == ("no answer", told)
    assert "❌ FAILED: CLM-1 - no answer; still given up" in caplog.messages
    world.clock.advance(200 * HOUR)
    world.retry()
    assert world.called_numbers == [N], "the fetch by hand was the only one"


def test_any_claim_can_be_requested(world: World) -> None:
    world.table.add("CLM-1", number=N)  # the service never requested its POD
    world.pending("CLM-2", "XY000000002FR")
    world.failed("CLM-3", "XY000000003FR", updated_at=world.now)
    report = world.retry(claims=("CLM-1", "CLM-2", "CLM-3", "CLM-1"))
    assert counts(report) == {"total": 3, "success": 3}


def test_more_claims_than_a_slice_can_be_requested(world: World) -> None:
    world.many_failed(12)
    references = tuple(f"CLM-{place:02}" for place in range(1, 13))
    assert counts(world.retry(1, claims=references, concurrency=5)) == {"total": 12, "success": 12}


def test_each_claim_that_cannot_be_requested_is_rejected_with_a_reason(world: World) -> None:
    world.failed("CLM-2024-001")
    world.failed("CLM-2024-002", claim_status="paid")
    world.failed("CLM-2024-003")
    world.table.add("CLM-2024-004", fetch_status="success")
    world.table.lease("CLM-2024-003", world.now + HOUR)
    asked = ("CLM-2024-0O1", "zzz", "CLM-2024-002", "CLM-2024-003", "CLM-2024-004", "CLM-2024-001")
    with pytest.raises(UnfitClaimsError) as refused:
        world.retry(claims=asked)
    assert str(refused.value).splitlines() == [
        "There is no claim 'CLM-2024-0O1'. Did you mean CLM-2024-001?",
        "There is no claim 'zzz'.",
        "CLM-2024-002 has the status 'paid': claims with this status are not fetched (RECOURS_SKIP_CLAIM_STATUSES).",
        "CLM-2024-003 is being fetched by another run right now; try again in a minute.",
        "CLM-2024-004 already has its proof of delivery; nothing was done.",
    ]
    assert (world.called_numbers, world.journal.runs) == ([], {})


# ---------------------------------------------------------------- what makes a run fail


def test_a_run_ends_before_the_first_call_if_documents_cannot_be_stored(world: World) -> None:
    world.failed("CLM-1")
    world.documents.full = "The disk is full."
    report = world.retry()
    assert (report.exit_status, report.fault, world.called_numbers) == (1, "The disk is full.", [])
    assert world.journal.runs["run-1"]["exit_status"] == 1


def test_with_nothing_to_fetch_the_folder_is_not_checked(world: World) -> None:
    world.documents.full = "The disk is full."
    assert world.retry().exit_status == 0


def test_a_journal_that_cannot_be_begun_ends_the_run_at_once(world: World) -> None:
    world.journal.broken = "The database is read-only."
    with pytest.raises(RunError, match="read-only"):
        world.retry()


def test_a_database_failure_during_the_run_is_in_the_report(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.many_failed(20)
    world.queue.during = lambda _: setattr(world.claims, "broken", "The database went away.")
    report = world.retry(concurrency=1)
    assert (report.exit_status, report.fault) == (1, "The database went away.")
    assert counts(report) == {}
    assert "Total processed: 0" in log_of(caplog)
    assert len(world.called_numbers) <= 8  # the answers that are recorded together
    # The remaining leases expire, and no attempt was used.
    world.claims.broken, world.queue.during = None, lambda _: None
    world.clock.advance(timedelta(minutes=11))
    assert counts(world.retry()) == {"total": 20, "success": 20}


def test_a_document_is_recorded_only_after_it_is_durable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_documents: object) -> None:
        raise RunError("The disk is broken.")

    world.failed("CLM-1")
    with monkeypatch.context() as patched:
        patched.setattr(world.documents, "make_durable", broken)
        report = world.retry()
    assert (report.exit_status, report.fault, world.claims.attempts) == (1, "The disk is broken.", [])
    assert world.documents.on_record == []
    world.clock.advance(timedelta(minutes=11))
    assert counts(world.retry()) == {"total": 1, "success": 1}
    assert len(world.called_numbers) == 1  # it was stored, and costs no second call
    paths = [document.path for (document,) in world.documents.stored.values()]
    assert world.documents.secured == world.documents.on_record == paths


def test_a_run_s_end_that_cannot_be_written_is_a_fault(world: World) -> None:
    world.failed("CLM-1")
    world.queue.during = lambda _: setattr(world.journal, "broken", "The database went away.")
    report = world.retry()
    assert (report.exit_status, report.fault) == (1, "The database went away.")
    assert counts(report) == {"total": 1, "success": 1}


def test_a_worker_must_implement_the_abstract_methods() -> None:
    with pytest.raises(TypeError, match="log_due"):
        cast("Any", Worker)(World().deps(), CATALOG, Options(1), "run", local)


# ---------------------------------------------------------------- carriers that are left out


def test_only_the_requested_carriers_are_called(world: World) -> None:
    world.failed("CLM-1")
    world.failed("CLM-2", "1234567890", carrier="DHL Express")
    report = world.retry(carriers=("dhl_express",))
    assert (counts(report), world.called_numbers) == ({"total": 1, "success": 1}, ["1234567890"])
    assert list(report.usage) == ["DHL Express"]


def test_a_carrier_at_its_limit_is_skipped_and_the_others_are_not(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.many_failed(5)
    world.failed("CLM-9", "1234567890", carrier="DHL Express")
    world.queue.limits["chronopost"] = 5  # a fetch reserves two units and uses one
    report = world.retry(concurrency=1)
    assert counts(report) == {"total": 5, "success": 5, "skipped_rate_limit": 1}
    assert "[WARNING] ⚠️ Skipped until 2026-02-03 01:00: Chronopost is at its limit" in log_of(caplog)
    assert world.table["CLM-05"].state.stage is Stage.READY
    assert world.queue.held["chronopost"] == 0


def test_a_carrier_that_is_closed_from_the_start_is_not_called(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.many_failed(2)
    reason = "Chronopost has no credentials: set CHRONOPOST_ACCOUNT"
    world.queue.refusals["chronopost"] = Refusal(Blocked.CARRIER, reason, kind=ErrorKind.NOT_CONFIGURED)
    report = world.retry()
    assert (counts(report), world.called_numbers) == ({"skipped_carrier": 2}, [])
    assert f"[WARNING] ⚠️ Skipped: {reason}" in log_of(caplog)
    (event,) = world.journal.events
    assert (event.name, event.audience, event.carrier, event.number) == (
        "account_fault",
        "operator",
        "chronopost",
        "2026-02-02",
    )
    assert event.facts == {"carrier": "Chronopost", "kind": "not_configured", "error": reason}
    assert report.exit_status == 0


def test_a_rejected_account_is_reported_to_the_operator_once_a_day(world: World) -> None:
    world.failed("CLM-1")
    world.queue.refusals["chronopost"] = Refusal(Blocked.CARRIER, "refused", kind=ErrorKind.AUTH_FAILED)
    world.each_hour(30, world.retry)
    assert [event.number for event in world.journal.events] == ["2026-02-02", "2026-02-03"]


def test_the_day_of_an_account_fault_is_that_of_the_settings_zone(world: World) -> None:
    world.failed("CLM-1")
    world.queue.refusals["chronopost"] = Refusal(Blocked.CARRIER, "refused", kind=ErrorKind.AUTH_FAILED)
    world.clock.advance(timedelta(hours=15, minutes=30))  # 00:30 in Paris
    world.retry()
    assert [event.number for event in world.journal.events] == ["2026-02-03"]


def test_a_pause_is_not_an_account_fault(world: World) -> None:
    world.failed("CLM-1")
    world.queue.refusals["chronopost"] = Refusal(Blocked.RATE_LIMIT, "asked to wait", world.now + HOUR)
    assert counts(world.retry()) == {"skipped_rate_limit": 1}
    assert world.journal.events == []
    world.clock.advance(HOUR)
    assert counts(world.retry()) == {"total": 1, "success": 1}


@pytest.mark.parametrize(
    ("since", "left"),
    [(None, {}), (timedelta(minutes=89), BOTH), (timedelta(minutes=91), {}), (timedelta(days=30), {})],
)
def test_no_calls_are_kept_for_a_worker_that_does_not_run(
    world: World, since: timedelta | None, left: dict[Capability, int]
) -> None:
    if since is not None:
        world.fetch()
        world.clock.advance(since)
    world.failed("CLM-1")
    world.pending("CLM-2", "XY000000002FR", deadline=world.now.date() + timedelta(days=3))
    world.retry()
    assert world.queue.urgent == [left]


def test_claims_deferred_for_other_claims_are_counted_apart(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.many_failed(3)
    kept = Refusal(Blocked.RATE_LIMIT, "only calls for others are left", world.now + HOUR, reserved=True)
    world.queue.refusals["chronopost"] = kept
    report = world.retry()
    assert counts(report) == {"skipped_reserved": 3}
    assert report.as_json()["skipped_rate_limit"] == 0
    assert "⚠️ Skipped (kept for other claims): 3" in caplog.messages
    world.queue.refusals.clear()
    caplog.clear()
    world.retry()
    assert not any("kept for" in line for line in caplog.messages), "the guide's summary"


# ---------------------------------------------------------------- claims whose own status sets them aside


def test_each_run_logs_how_many_claims_are_not_fetched_for_their_status(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.failed("CLM-1", claim_status="paid")
    world.failed("CLM-2", "XY000000002FR", claim_status=" Paid ")
    world.pending("CLM-3", "XY000000003FR", claim_status="paid")
    skipped = "failed claims not retried: status 'paid' (RECOURS_SKIP_CLAIM_STATUSES)"
    for _ in range(2):
        caplog.clear()
        world.retry()
        assert f"2 {skipped}" in caplog.messages
    caplog.clear()
    world.fetch()
    assert "1 new claim not fetched: status 'paid' (RECOURS_SKIP_CLAIM_STATUSES)" in caplog.messages
    world.table.edit("CLM-2", claim_status="rejected")
    caplog.clear()
    world.retry()
    one = "1 failed claim not retried: status 'paid' (RECOURS_SKIP_CLAIM_STATUSES)"
    assert one in caplog.messages
    assert not any("not retried" in line for line in caplog.messages if line != one)


# ---------------------------------------------------------------- a worker that is kept


def test_a_run_may_be_done_in_slices(world: World) -> None:
    numbers = world.many_failed(5)
    world.failed("DHL-1", "1234567890", carrier="DHL Express", deadline=date(2030, 1, 1))
    # Otherwise DHL Express is called while Chronopost's first answer is awaited.
    worker = world.scheduler(concurrency=1)
    worker.open()
    worker.maintain()
    worker.slice(limit=2)
    assert world.called_numbers == numbers[:2]
    worker.slice(("dhl_express",))
    assert world.called_numbers[2:] == ["1234567890"]
    assert world.journal.runs["run-1"].get("exit_status") is None
    worker.slice()
    report = worker.close()
    assert (report.stats.success, report.exit_status) == (6, 0)
    assert world.journal.runs["run-1"]["stats"]["success"] == 6
    assert not any(world.queue.held.values())


def test_a_slice_reports_carriers_that_closed(world: World) -> None:
    world.many_failed(3)
    worker = world.scheduler()
    worker.open()
    worker.maintain()
    world.queue.stop("chronopost", "by alice")
    worker.slice()
    assert (set(worker.refusals), world.called_numbers) == ({"chronopost"}, [])
    world.queue.resume("chronopost")
    worker.slice()
    assert (worker.refusals, len(world.called_numbers)) == ({}, 3)


def test_a_slice_starts_no_claims_after_its_time(world: World) -> None:
    world.many_failed(4)
    worker = world.scheduler(concurrency=1)
    worker.open()
    worker.maintain()
    world.queue.during = lambda _: world.clock.advance(timedelta(minutes=2))
    worker.slice(longest=timedelta(minutes=3))
    assert len(world.called_numbers) == 2
    worker.slice(longest=timedelta(minutes=3))
    assert len(world.called_numbers) == 4


def test_a_fault_ends_a_slice_and_releases_its_claims(world: World) -> None:
    world.many_failed(2)
    worker = world.scheduler()
    worker.open()
    worker.maintain()
    world.documents.full = "The disk is full."
    with pytest.raises(RunError, match="full"):
        worker.slice()
    assert world.queue.left
