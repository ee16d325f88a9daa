"""A claim's life: assessed, retried when due, and decided by an answer."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.core.assessment import ABANDONED_AFTER, assess, reschedule, revive
from recours.core.claim import Claim, Delivery, FetchStatus, Snapshot, Stage, State
from recours.core.decision import (
    MOST_INTERRUPTIONS,
    Action,
    Decision,
    decide,
    delivery_to_assume,
    give_up,
    next_action,
    pass_retry,
    succeed,
)
from recours.core.errors import TRAITS, ErrorKind
from recours.core.outcome import Failure, Retrieved
from recours.core.policy import Policy
from tests.fakes.carriers import CHRONOPOST

NOW = datetime(2026, 2, 6, 14, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FORTNIGHT = timedelta(days=14)
POLICY = Policy(ZoneInfo("Europe/Paris"))
DELIVERED = Delivery(NOW - timedelta(days=2), "Mme Martin")

PERSISTENT = [kind for kind in ErrorKind if TRAITS[kind].persistent]
USES_NO_ATTEMPT = [kind for kind in ErrorKind if not TRAITS[kind].uses_attempt]
TEMPORARY = [kind for kind in ErrorKind if not TRAITS[kind].persistent and TRAITS[kind].uses_attempt]


def claim(status: str | None = "failed", **columns: Any) -> Claim:
    """A claim as the service wrote it, never assessed by recours."""
    usual = {"carrier_name": "Chronopost", "carrier": "chronopost", "number": "XY123456789FR"}
    return Claim(7, "CLM-7", **(usual | {"fetch_status": status} | columns))


def assessed(row: Claim, **edits: Any) -> Claim:
    """The same claim after an assessment of its current values, then edited by others."""
    snapshot = Snapshot(row.fetch_status, row.number, row.carrier or "", row.retries_counted)
    return replace(row, assessed=snapshot, **edits)


def at_retry(retries: int, stage: Stage = Stage.READY, **more: Any) -> Claim:
    """A failed and assessed claim that has used this many retries and whose next one is due."""
    columns = {name: more.pop(name) for name in list(more) if name in Claim.__dataclass_fields__}
    state = State(
        stage=stage,
        retries_used=retries,
        attempts=retries + 1,
        last_retry_at=NOW - 30 * HOUR if retries else None,
        next_at=NOW,
        failed_at=NOW - 60 * HOUR,
        **more,
    )
    return assessed(claim(retries_counted=retries, state=state, **columns))


def failing(kind: ErrorKind, message: str = "the carrier's words", **more: Any) -> Failure:
    return Failure(kind, message, **more)


def notifications(decision: Decision) -> list[tuple[str, str]]:
    return [(event.name.value, event.audience.value) for event in decision.events]


# ---------------------------------------------------------------- the first assessment of a failure


def test_the_first_wait_counts_from_the_time_of_failure() -> None:
    state = assess(claim(updated_at=NOW - HOUR / 2, created_at=NOW - 9 * HOUR), NOW, POLICY)
    assert state.stage is Stage.WAITING
    assert state.failed_at == NOW - HOUR / 2
    assert state.next_at == NOW + HOUR / 2
    assert state.retries_used == 0
    assert state.last_retry_at is None


@pytest.mark.parametrize(
    ("columns", "failed_at", "next_at"),
    [
        ({"created_at": NOW - 9 * HOUR}, NOW - 9 * HOUR, NOW - 8 * HOUR),
        ({}, NOW, NOW + HOUR),
        ({"updated_at": NOW + 50 * HOUR}, NOW, NOW + HOUR),  # never later than recours first sees it
        ({"created_at": NOW + 50 * HOUR}, NOW, NOW + HOUR),
        # Garbage: due now.
        ({"created_at": NOW - 9 * HOUR, "unreadable": ("updated_at",)}, NOW, NOW),
        ({"unreadable": ("created_at",)}, NOW, NOW),
        ({"updated_at": NOW - 2 * HOUR, "unreadable": ("created_at",)}, NOW - 2 * HOUR, NOW - HOUR),
        ({"updated_at": NOW - 2 * HOUR, "unreadable": ("amount",)}, NOW - 2 * HOUR, NOW - HOUR),
    ],
)
def test_the_time_of_failure_is_read_from_the_row(
    columns: dict[str, Any], failed_at: datetime, next_at: datetime
) -> None:
    state = assess(claim(**columns), NOW, POLICY)
    assert (state.failed_at, state.next_at) == (failed_at, next_at)


def test_the_text_of_a_foreign_failure_is_classified() -> None:
    assert assess(claim(error_text="Colis introuvable"), NOW, POLICY).kind is ErrorKind.NOT_FOUND
    assert assess(claim(error_text=None), NOW, POLICY).kind is ErrorKind.SERVER_ERROR


def test_a_failed_claim_without_a_number_has_an_invalid_number() -> None:
    state = assess(claim(number=None, error_text="API timeout"), NOW, POLICY)
    assert (state.stage, state.kind) == (Stage.WAITING, ErrorKind.INVALID_TRACKING)


def test_retries_that_another_software_counted_are_adopted() -> None:
    foreign = claim(retries_counted=2, state=State(last_retry_at=NOW - 5 * HOUR), updated_at=NOW - 90 * HOUR)
    state = assess(foreign, NOW, POLICY)
    assert state.retries_used == 2
    assert state.last_retry_at == NOW - 5 * HOUR
    assert state.next_at == NOW - 5 * HOUR + 24 * HOUR
    assert state.failed_at == NOW - 90 * HOUR


@pytest.mark.parametrize("last", [None, NOW + HOUR])
def test_without_a_plausible_last_retry_the_backoff_counts_from_the_failure(last: datetime | None) -> None:
    foreign = claim(retries_counted=1, state=State(last_retry_at=last), updated_at=NOW - 2 * HOUR)
    state = assess(foreign, NOW, POLICY)
    assert state.next_at == NOW + 4 * HOUR
    assert state.last_retry_at is None


def test_a_last_retry_at_this_moment_is_plausible() -> None:
    state = assess(
        claim(retries_counted=1, state=State(last_retry_at=NOW), updated_at=NOW - HOUR), NOW, POLICY
    )
    assert (state.last_retry_at, state.next_at) == (NOW, NOW + 6 * HOUR)


def test_without_retries_the_time_of_the_last_retry_is_ignored() -> None:
    foreign = claim(state=State(last_retry_at=NOW - HOUR / 4), updated_at=NOW - 3 * HOUR)
    assert assess(foreign, NOW, POLICY).next_at == NOW - 2 * HOUR


def test_a_claim_is_ranked_by_its_deadline_or_14_days_after_its_failure() -> None:
    with_deadline = assess(claim(deadline=date(2026, 2, 10)), NOW, POLICY)
    assert with_deadline.rank_at == datetime(2026, 2, 10, 23, tzinfo=UTC)
    assert with_deadline.rank_is_deadline
    without = assess(claim(updated_at=NOW - HOUR), NOW, POLICY)
    assert without.rank_at == NOW - HOUR + timedelta(days=14)
    assert not without.rank_is_deadline


# ---------------------------------------------------------------- pending claims


def test_a_pending_claim_is_ready_for_the_fetch_worker() -> None:
    state = assess(claim("pending", created_at=NOW - HOUR), NOW, POLICY)
    assert (state.stage, state.next_at) == (Stage.NEW, None)


@pytest.mark.parametrize(
    ("columns", "rank_at", "is_deadline"),
    [
        ({"created_at": NOW - HOUR}, NOW - HOUR + FORTNIGHT, False),
        ({}, NOW + FORTNIGHT, False),
        ({"created_at": NOW + 900 * HOUR}, NOW + FORTNIGHT, False),  # a wrong clock
        (
            {"created_at": NOW - HOUR, "deadline": date(2026, 2, 9)},
            datetime(2026, 2, 9, 23, tzinfo=UTC),
            True,
        ),
    ],
)
def test_a_pending_claim_is_ranked_by_its_deadline_like_a_failed_one(
    columns: dict[str, Any], rank_at: datetime, is_deadline: bool
) -> None:
    state = assess(claim("pending", **columns), NOW, POLICY)
    assert (state.rank_at, state.rank_is_deadline) == (rank_at, is_deadline)


@pytest.mark.parametrize("status", ["pending", "fetching"])
def test_a_pending_claim_waits_for_its_number(status: str) -> None:
    state = assess(claim(status, number=None, updated_at=NOW - 9 * HOUR), NOW, POLICY)
    assert (state.stage, state.next_at) == (Stage.UNNUMBERED, None)


@pytest.mark.parametrize(
    ("updated_at", "next_at"),
    [
        (NOW - 3 * HOUR, NOW - 2 * HOUR),
        (NOW - HOUR / 4, NOW + 3 * HOUR / 4),
        (None, NOW + HOUR),
        (NOW + 9 * HOUR, NOW + HOUR),
    ],
)
def test_a_claim_that_others_are_fetching_counts_as_pending_after_an_hour(
    updated_at: datetime | None, next_at: datetime
) -> None:
    state = assess(claim("fetching", updated_at=updated_at), NOW, POLICY)
    assert (state.stage, state.next_at) == (Stage.WAITING, next_at)


def test_a_claim_that_others_are_fetching_is_ranked_like_a_pending_claim() -> None:
    by_deadline = at_retry(1, kind=ErrorKind.TIMEOUT, rank_at=NOW + HOUR, rank_is_deadline=True)
    trying = replace(by_deadline, fetch_status="fetching", created_at=NOW - 9 * HOUR)
    state = assess(trying, NOW, POLICY)
    assert (state.rank_at, state.rank_is_deadline) == (NOW - 9 * HOUR + FORTNIGHT, False)


def test_known_facts_of_a_pending_claim_are_kept_until_its_number_is_corrected() -> None:
    knowing = assessed(claim("pending", state=State(delivery=DELIVERED, interruptions=2)))
    assert assess(knowing, NOW, POLICY).delivery == DELIVERED
    assert assess(knowing, NOW, POLICY).interruptions == 2
    assert assess(replace(knowing, number="XY999999999FR"), NOW, POLICY).delivery is None


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_a_number_that_made_a_shared_call_fail_is_fetched_alone_until_it_is_corrected(status: str) -> None:
    alone = assessed(claim(status, state=State(goes_alone=True)))
    assert assess(alone, NOW, POLICY).goes_alone
    assert not assess(replace(alone, number="XY999999999FR"), NOW, POLICY).goes_alone


# ---------------------------------------------------------------- set aside


@pytest.mark.parametrize("status", ["paid", "PAID", " Paid "])
@pytest.mark.parametrize("fetch_status", ["failed", "pending"])
def test_a_paid_claim_is_set_aside(status: str, fetch_status: str) -> None:
    paid = claim(fetch_status, claim_status=status, updated_at=NOW - HOUR)
    assert assess(paid, NOW, POLICY).stage is Stage.SHELVED
    assert next_action(paid, NOW, POLICY) is Action.SHELVE
    assert next_action(paid, NOW, POLICY, by_name=True) is Action.SHELVE


@pytest.mark.parametrize("status", [None, "", "submitted", "unpaid"])
def test_a_claim_of_another_status_is_not_set_aside(status: str | None) -> None:
    assert assess(claim(claim_status=status), NOW, POLICY).stage is Stage.WAITING
    assert not POLICY.sets_aside(claim(claim_status=status))


def test_the_statuses_of_claims_to_set_aside_are_configurable() -> None:
    policy = replace(POLICY, skip_claim_statuses=frozenset({"rejected", "paid"}))
    assert policy.sets_aside(claim(claim_status="Rejected"))
    assert not replace(POLICY, skip_claim_statuses=frozenset()).sets_aside(claim(claim_status="paid"))


# ---------------------------------------------------------------- rows that others edited


@pytest.mark.parametrize("stage", [Stage.WAITING, Stage.READY, Stage.SETTLED, Stage.GIVEN_UP])
@pytest.mark.parametrize("edit", [{"number": "XY999999999FR"}, {"carrier": "dhl_express"}, {"number": None}])
def test_a_corrected_claim_starts_over_and_is_due_now(stage: Stage, edit: dict[str, Any]) -> None:
    row = replace(at_retry(3, stage, kind=ErrorKind.INVALID_TRACKING, delivery=DELIVERED), **edit)
    state = assess(row, NOW, POLICY)
    assert (state.stage, state.retries_used, state.next_at, state.failed_at) == (Stage.WAITING, 0, NOW, NOW)
    assert state.delivery is None
    assert state.kind is None
    assert state.rank_at == NOW + timedelta(days=14)


@pytest.mark.parametrize("count", [0, 2])
def test_a_manually_reset_count_starts_over_and_keeps_the_known_delivery(count: int) -> None:
    row = replace(
        at_retry(3, Stage.GIVEN_UP, kind=ErrorKind.NOT_FOUND, delivery=DELIVERED), retries_counted=count
    )
    state = assess(row, NOW, POLICY)
    assert (state.stage, state.retries_used, state.next_at) == (Stage.WAITING, 0, NOW)
    assert state.delivery == DELIVERED


def test_a_manually_raised_count_is_adopted() -> None:
    state = assess(replace(at_retry(1), retries_counted=3), NOW, POLICY)
    assert (state.stage, state.retries_used, state.next_at) == (Stage.READY, 3, NOW)


def test_an_edit_that_is_not_a_correction_does_not_postpone_the_next_retry() -> None:
    before = at_retry(2, kind=ErrorKind.TIMEOUT)
    state = assess(replace(before, updated_at=NOW, deadline=date(2026, 2, 7)), NOW, POLICY)
    assert replace(state, rank_at=None, rank_is_deadline=False) == before.state
    assert state.rank_at == datetime(2026, 2, 7, 23, tzinfo=UTC)
    assert state.rank_is_deadline


def test_an_edit_of_a_claim_of_an_unsupported_carrier_is_not_a_correction() -> None:
    before = at_retry(2, carrier=None, carrier_name="Heppner")
    assert assess(replace(before, deadline=date(2026, 2, 7)), NOW, POLICY).retries_used == 2


@pytest.mark.parametrize(("retries", "stage"), [(3, Stage.WAITING), (4, Stage.GIVEN_UP)])
def test_a_failure_written_by_others_neither_ends_nor_resumes_a_claim(retries: int, stage: Stage) -> None:
    before = at_retry(retries, stage, kind=ErrorKind.TIMEOUT)
    trying = replace(before, fetch_status="fetching", updated_at=NOW - HOUR)
    meanwhile = assessed(replace(trying, state=assess(trying, NOW, POLICY)))
    state = assess(replace(meanwhile, fetch_status="failed", updated_at=NOW), NOW, POLICY)
    assert (state.stage, state.retries_used) == (stage, retries)
    assert (state.next_at is None) is (stage is Stage.GIVEN_UP)


def test_a_failure_written_over_another_status_is_new() -> None:
    before = State(stage=Stage.NEW, delivery=DELIVERED, retries_used=2, last_retry_at=NOW - HOUR)
    pending = assessed(claim("pending", state=before))
    failed = replace(
        pending, fetch_status="failed", updated_at=NOW - HOUR, retries_counted=2, error_text="404"
    )
    state = assess(failed, NOW, POLICY)
    assert (state.stage, state.retries_used, state.next_at) == (Stage.WAITING, 0, NOW)
    assert state.kind is ErrorKind.NOT_FOUND
    assert (state.delivery, state.last_retry_at) == (DELIVERED, None)


@pytest.mark.parametrize(
    ("retries", "kind", "stage"),
    [
        (2, ErrorKind.INVALID_TRACKING, Stage.SETTLED),
        (1, ErrorKind.INVALID_TRACKING, Stage.SETTLED),
        (0, ErrorKind.INVALID_TRACKING, Stage.WAITING),
        (2, ErrorKind.NOT_FOUND, Stage.WAITING),
        (2, None, Stage.WAITING),
    ],
)
def test_a_claim_that_is_no_longer_set_aside_resumes_at_its_previous_stage(
    retries: int, kind: ErrorKind | None, stage: Stage
) -> None:
    state = assess(at_retry(retries, Stage.SHELVED, kind=kind), NOW, POLICY)
    assert (state.stage, state.retries_used, state.next_at) == (stage, retries, NOW)


def test_a_missing_time_is_computed_from_the_last_retry() -> None:
    row = at_retry(1, Stage.WAITING)
    lost = replace(row, state=replace(row.state, next_at=None))
    assert assess(lost, NOW, POLICY).next_at == NOW - 30 * HOUR + 6 * HOUR


def test_a_missing_time_of_failure_is_now() -> None:
    row = at_retry(1, Stage.WAITING)
    assert assess(replace(row, state=replace(row.state, failed_at=None)), NOW, POLICY).failed_at == NOW


# ---------------------------------------------------------------- impossible times, raised limits


@pytest.mark.parametrize(
    ("state", "next_at", "failed_at"),
    [
        (
            State(retries_used=1, last_retry_at=NOW - HOUR, failed_at=NOW - 3 * HOUR),
            NOW + 5 * HOUR,
            NOW - 3 * HOUR,
        ),
        (
            State(retries_used=0, last_retry_at=NOW - HOUR, failed_at=NOW - HOUR / 2),
            NOW + HOUR / 2,
            NOW - HOUR / 2,
        ),
        (State(retries_used=1, last_retry_at=NOW + HOUR, failed_at=NOW + HOUR), NOW + 6 * HOUR, NOW),
        (State(retries_used=2, last_retry_at=None, failed_at=None), NOW + 24 * HOUR, NOW),
        (State(retries_used=1, last_retry_at=NOW - HOUR, failed_at=NOW), NOW + 5 * HOUR, NOW),
        (State(retries_used=0, failed_at=NOW), NOW + HOUR, NOW),
        (State(retries_used=1, last_retry_at=NOW, failed_at=NOW + HOUR), NOW + 6 * HOUR, NOW),
    ],
)
def test_an_impossible_time_is_recomputed(state: State, next_at: datetime, failed_at: datetime) -> None:
    repaired = reschedule(state, NOW, POLICY)
    assert (repaired.next_at, repaired.failed_at) == (next_at, failed_at)


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        (ErrorKind.INVALID_TRACKING, Stage.SETTLED),
        (ErrorKind.NOT_FOUND, Stage.WAITING),
        (ErrorKind.TIMEOUT, Stage.WAITING),
    ],
)
def test_a_given_up_claim_is_retried_under_a_higher_limit(kind: ErrorKind, stage: Stage) -> None:
    state = revive(at_retry(4, Stage.GIVEN_UP, kind=kind), NOW, POLICY)
    assert (state.stage, state.retries_used, state.next_at) == (stage, 4, NOW + 42 * HOUR)
    assert state.rank_at == NOW - 60 * HOUR + timedelta(days=14)


# ---------------------------------------------------------------- due claims


@pytest.mark.parametrize(
    ("retries", "max_retries", "stage", "action"),
    [
        (0, 4, Stage.READY, Action.CALL),
        (3, 4, Stage.READY, Action.CALL),
        (4, 4, Stage.READY, Action.GIVE_UP),
        (5, 4, Stage.READY, Action.GIVE_UP),
        (1, 1, Stage.READY, Action.GIVE_UP),
        (1, 4, Stage.SETTLED, Action.PASS),
        (4, 4, Stage.SETTLED, Action.GIVE_UP),
    ],
)
def test_the_next_action_depends_on_the_retries_used_and_the_stage(
    retries: int, max_retries: int, stage: Stage, action: Action
) -> None:
    assert next_action(at_retry(retries, stage), NOW, replace(POLICY, max_retries=max_retries)) is action


def test_a_claim_requested_by_name_is_fetched_regardless_of_its_retry() -> None:
    for row in (at_retry(9, Stage.GIVEN_UP), at_retry(1, Stage.SETTLED), claim("fetching", updated_at=NOW)):
        assert next_action(row, NOW, POLICY, by_name=True) is Action.CALL


def test_a_pending_claim_is_called_regardless_of_its_count() -> None:
    assert next_action(claim("pending", state=State(retries_used=9)), NOW, POLICY) is Action.CALL


@pytest.mark.parametrize(("interruptions", "action"), [(2, Action.CALL), (3, Action.FAIL), (4, Action.FAIL)])
def test_a_claim_is_not_fetched_again_after_three_runs_died_fetching_it(
    interruptions: int, action: Action
) -> None:
    assert MOST_INTERRUPTIONS == 3
    assert next_action(at_retry(0, interruptions=interruptions), NOW, POLICY) is action
    assert next_action(at_retry(0, interruptions=interruptions), NOW, POLICY, by_name=True) is Action.CALL


@pytest.mark.parametrize(
    ("age", "action"), [(HOUR / 2, Action.WAIT), (HOUR, Action.CALL), (3 * HOUR, Action.CALL)]
)
def test_a_claim_that_others_are_fetching_is_left_to_them_for_an_hour(age: timedelta, action: Action) -> None:
    since = NOW - age
    row = claim("fetching", updated_at=since)
    assert next_action(replace(row, state=assess(row, since, POLICY)), NOW, POLICY) is action


@pytest.mark.parametrize("updated_at", [None, NOW + 90 * HOUR])
def test_a_claim_that_others_are_fetching_since_an_unknown_time_is_fetched_in_the_end(
    updated_at: datetime | None,
) -> None:
    row = claim("fetching", updated_at=updated_at)
    row = replace(row, state=assess(row, NOW, POLICY))
    assert next_action(row, NOW, POLICY) is Action.WAIT
    assert next_action(row, NOW + ABANDONED_AFTER, POLICY) is Action.CALL


def test_the_start_time_in_the_row_takes_precedence_over_the_first_assessment() -> None:
    row = claim("fetching", updated_at=NOW, state=State(next_at=NOW - HOUR))
    assert next_action(row, NOW, POLICY) is Action.WAIT


# ---------------------------------------------------------------- a temporary failure


@pytest.mark.parametrize("kind", TEMPORARY)
@pytest.mark.parametrize(("retries", "hours"), [(0, 6), (1, 24), (2, 72)])
def test_a_temporary_failure_waits_for_the_next_retry(kind: ErrorKind, retries: int, hours: int) -> None:
    decision = decide(at_retry(retries, interruptions=2), failing(kind), NOW, POLICY)
    state = decision.state
    assert (state.stage, state.retries_used, state.next_at) == (
        Stage.WAITING,
        retries + 1,
        NOW + hours * HOUR,
    )
    assert (state.last_retry_at, state.kind, state.interruptions) == (NOW, kind, 0)
    assert state.failed_at == NOW - 60 * HOUR
    assert (decision.fetch_status, decision.error) == (FetchStatus.FAILED, "the carrier's words")
    assert (decision.kind, decision.uses_attempt, decision.gave_up) == (kind, True, False)
    assert notifications(decision) == []


@pytest.mark.parametrize("kind", [kind for kind in TEMPORARY if kind is not ErrorKind.NOT_FOUND])
def test_a_temporary_failure_at_the_last_retry_is_reported_to_the_operator_only(kind: ErrorKind) -> None:
    decision = decide(at_retry(3), failing(kind), NOW, POLICY)
    assert (decision.gave_up, decision.uses_attempt, decision.kind) == (True, True, kind)
    assert (decision.state.stage, decision.state.retries_used, decision.state.next_at) == (
        Stage.GIVEN_UP,
        4,
        None,
    )
    assert (decision.state.last_retry_at, decision.error) == (NOW, "the carrier's words")
    assert decision.fetch_status is FetchStatus.FAILED
    assert notifications(decision) == [("gave_up", "operator")]


def test_the_client_is_notified_of_temporary_failures_only_if_configured() -> None:
    policy = replace(POLICY, notify_temporary=True)
    assert notifications(decide(at_retry(3), failing(ErrorKind.TIMEOUT), NOW, policy)) == [
        ("pod_failed", "client"),
        ("gave_up", "operator"),
    ]
    assert notifications(decide(at_retry(2), failing(ErrorKind.TIMEOUT), NOW, policy)) == []


def test_an_unknown_number_is_persistent_only_at_the_last_retry() -> None:
    assert notifications(decide(at_retry(2), failing(ErrorKind.NOT_FOUND), NOW, POLICY)) == []
    last = decide(at_retry(3), failing(ErrorKind.NOT_FOUND), NOW, POLICY)
    assert notifications(last) == [("pod_failed", "client"), ("gave_up", "operator")]


def test_the_facts_of_a_given_up_claim() -> None:
    row = at_retry(3, deadline=date(2026, 2, 9))
    event = decide(row, failing(ErrorKind.NOT_FOUND), NOW, POLICY).events[0]
    assert (event.carrier, event.number) == ("chronopost", "XY123456789FR")
    assert event.facts == {
        "reference": "CLM-7",
        "kind": ErrorKind.NOT_FOUND,
        "error": "the carrier's words",
        "deadline": "2026-02-09",
        "attempts": 5,
        "final": True,
    }


def test_without_a_recorded_error_no_error_is_invented() -> None:
    assert (
        pass_retry(at_retry(3, Stage.SETTLED, kind=ErrorKind.NOT_FOUND), NOW, POLICY).events[0].facts["error"]
        == ""
    )


def test_a_claim_without_a_time_of_failure_is_ranked_from_now() -> None:
    lost = at_retry(1)
    lost = replace(lost, state=replace(lost.state, failed_at=None, interruptions=2))
    low = replace(POLICY, max_retries=1)
    decisions = (
        decide(lost, failing(ErrorKind.TIMEOUT), NOW, POLICY),
        decide(lost, failing(ErrorKind.TIMEOUT), NOW, low),
        pass_retry(lost, NOW, POLICY),
        give_up(lost, NOW, low),
    )
    assert {decision.state.rank_at for decision in decisions} == {NOW + timedelta(days=14)}
    assert {decision.state.interruptions for decision in decisions} == {0}


def test_a_given_up_claim_keeps_its_rank() -> None:
    state = decide(at_retry(3, deadline=date(2026, 2, 9)), failing(ErrorKind.TIMEOUT), NOW, POLICY).state
    assert (state.rank_at, state.rank_is_deadline) == (datetime(2026, 2, 9, 23, tzinfo=UTC), True)


# ---------------------------------------------------------------- rate limits, rejected accounts


@pytest.mark.parametrize("kind", USES_NO_ATTEMPT)
@pytest.mark.parametrize("retries", [0, 3, 7])
@pytest.mark.parametrize("by_name", [False, True])
def test_a_rate_limit_uses_no_attempt(kind: ErrorKind, retries: int, by_name: bool) -> None:
    row = at_retry(retries, interruptions=1, kind=ErrorKind.TIMEOUT)
    decision = decide(row, failing(kind), NOW, POLICY, by_name=by_name)
    assert decision.state == row.state
    assert (decision.uses_attempt, decision.gave_up, decision.events) == (False, False, ())
    assert (decision.fetch_status, decision.kind, decision.error) == (FetchStatus.FAILED, kind, None)


def test_a_pending_claim_that_must_wait_stays_pending() -> None:
    row = assessed(claim("pending", state=State(stage=Stage.NEW)))
    assert decide(row, failing(ErrorKind.RATE_LIMITED), NOW, POLICY).fetch_status is FetchStatus.PENDING


def test_a_rate_limit_keeps_the_known_delivery() -> None:
    decision = decide(at_retry(1), failing(ErrorKind.RATE_LIMITED, delivery=DELIVERED), NOW, POLICY)
    assert decision.state.delivery == DELIVERED


# ---------------------------------------------------------------- persistent errors


@pytest.mark.parametrize("kind", PERSISTENT)
def test_a_persistent_answer_to_a_retry_settles_it(kind: ErrorKind) -> None:
    decision = decide(at_retry(0), failing(kind), NOW, POLICY)
    assert (decision.state.stage, decision.state.retries_used) == (Stage.SETTLED, 1)
    assert decision.state.next_at == NOW + 6 * HOUR
    assert notifications(decision) == []


@pytest.mark.parametrize("kind", PERSISTENT)
def test_the_person_who_can_act_is_notified_at_the_last_retry(kind: ErrorKind) -> None:
    who = "operator" if kind is ErrorKind.UNSUPPORTED_CARRIER else "client"
    settled = at_retry(3, Stage.SETTLED, kind=kind, error_text="the service's words")
    decision = pass_retry(settled, NOW, POLICY)
    assert (decision.gave_up, decision.state.stage, decision.state.retries_used) == (True, Stage.GIVEN_UP, 4)
    assert notifications(decision) == [("pod_failed", who), ("gave_up", "operator")]
    assert decision.events[0].facts["error"] == "the service's words"
    assert decision.events[0].facts["final"] is True


def test_a_settled_claim_skips_its_retries_before_the_last() -> None:
    decision = pass_retry(at_retry(1, Stage.SETTLED, kind=ErrorKind.ACCESS_DENIED), NOW, POLICY)
    state = decision.state
    assert (state.stage, state.retries_used, state.last_retry_at) == (Stage.SETTLED, 2, NOW)
    assert state.next_at == NOW + 24 * HOUR
    assert (notifications(decision), decision.gave_up) == ([], False)
    assert decision.kind is ErrorKind.ACCESS_DENIED


def test_a_persistent_answer_to_the_first_fetch_does_not_settle_the_claim() -> None:
    row = assessed(claim("pending", state=State(stage=Stage.NEW, retries_used=3, interruptions=2)))
    decision = decide(row, failing(ErrorKind.INVALID_TRACKING), NOW, POLICY)
    state = decision.state
    assert (state.stage, state.retries_used, state.next_at) == (Stage.WAITING, 0, NOW + HOUR)
    assert (state.failed_at, state.last_retry_at, state.interruptions) == (NOW, None, 0)
    assert (decision.fetch_status, notifications(decision)) == (FetchStatus.FAILED, [])
    assert decision.error == "the carrier's words"


@pytest.mark.parametrize(
    ("deadline", "early"),
    [
        # The last retry is due in 6 + 24 + 72 h: on the 10th at 21:00 in Paris.
        (date(2026, 2, 9), True),
        (date(2026, 2, 10), False),
        (date(2026, 1, 1), True),
        (None, False),
    ],
)
def test_an_error_is_reported_at_once_if_the_deadline_is_before_the_last_retry(
    deadline: date | None, early: bool
) -> None:
    decision = decide(at_retry(0, deadline=deadline), failing(ErrorKind.INVALID_TRACKING), NOW, POLICY)
    assert notifications(decision) == ([("pod_failed", "client")] if early else [])
    assert not decision.gave_up
    assert all(event.facts["final"] is False for event in decision.events)


@pytest.mark.parametrize(("later", "early"), [(timedelta(hours=3), False), (timedelta(hours=3.5), True)])
def test_the_deadline_s_day_ends_in_the_settings_zone(later: timedelta, early: bool) -> None:
    """The 10th ends at 23:00 UTC; the last retry is due at this time, or half an hour later."""
    row = at_retry(0, deadline=date(2026, 2, 10))
    decision = decide(row, failing(ErrorKind.INVALID_TRACKING), NOW + later, POLICY)
    assert bool(notifications(decision)) is early


def test_a_temporary_failure_is_not_reported_earlier_because_of_the_deadline() -> None:
    policy = replace(POLICY, notify_persistent_at_once=True)
    row = at_retry(0, deadline=date(2026, 1, 1))
    assert notifications(decide(row, failing(ErrorKind.NOT_FOUND), NOW, policy)) == []


def test_persistent_errors_can_be_reported_at_once() -> None:
    policy = replace(POLICY, notify_persistent_at_once=True)
    decision = decide(at_retry(0), failing(ErrorKind.UNSUPPORTED_CARRIER), NOW, policy)
    assert notifications(decision) == [("pod_failed", "operator")]
    assert decision.events[0].facts == {
        "reference": "CLM-7",
        "kind": ErrorKind.UNSUPPORTED_CARRIER,
        "error": "the carrier's words",
        "attempts": 2,
        "final": False,
    }


def test_an_event_about_an_unsupported_carrier_contains_its_name_in_the_row() -> None:
    row = at_retry(3, carrier=None, carrier_name="Heppner", number=None)
    event = decide(row, failing(ErrorKind.UNSUPPORTED_CARRIER), NOW, POLICY).events[0]
    assert (event.carrier, event.number) == ("Heppner", "")


# ---------------------------------------------------------------- a lowered limit


@pytest.mark.parametrize(
    ("stage", "kind", "events"),
    [
        (Stage.READY, ErrorKind.TIMEOUT, [("gave_up", "operator")]),
        (Stage.READY, ErrorKind.NOT_FOUND, [("pod_failed", "client"), ("gave_up", "operator")]),
        (Stage.SETTLED, ErrorKind.INVALID_TRACKING, [("pod_failed", "client"), ("gave_up", "operator")]),
        (Stage.READY, None, [("gave_up", "operator")]),
        (Stage.SETTLED, None, [("pod_failed", "operator"), ("gave_up", "operator")]),
    ],
)
def test_a_claim_beyond_a_lowered_limit_is_given_up_without_a_call(
    stage: Stage, kind: ErrorKind | None, events: list[tuple[str, str]]
) -> None:
    row = at_retry(3, stage, kind=kind, error_text="the previous text")
    decision = give_up(row, NOW, replace(POLICY, max_retries=2))
    assert (decision.gave_up, decision.state.retries_used) == (True, 3)
    assert (decision.state.stage, decision.state.next_at) == (Stage.GIVEN_UP, None)
    assert decision.state.last_retry_at == NOW - 30 * HOUR
    assert notifications(decision) == events
    assert decision.events[-1].facts["error"] == "the previous text"
    assert decision.kind is (kind or ErrorKind.INTERNAL_ERROR)


# ---------------------------------------------------------------- requested by its reference


@pytest.mark.parametrize("stage", [Stage.WAITING, Stage.READY, Stage.SETTLED, Stage.GIVEN_UP, Stage.NEW])
@pytest.mark.parametrize("kind", [ErrorKind.TIMEOUT, ErrorKind.ACCESS_DENIED, ErrorKind.NOT_FOUND])
@pytest.mark.parametrize("retries", [0, 3, 4])
def test_a_failed_manual_fetch_does_not_change_the_backoff(
    stage: Stage, kind: ErrorKind, retries: int
) -> None:
    before = at_retry(retries, stage)
    decision = decide(before, failing(kind), NOW, POLICY, by_name=True)
    assert decision.state.was_asked  # and was not before
    learnt = replace(decision.state, kind=before.state.kind, delivery=before.state.delivery, expire_from=None)
    assert learnt == before.state
    assert (decision.events, decision.gave_up, decision.uses_attempt) == ((), False, True)


@pytest.mark.parametrize("status", ["pending", None, "manual", "not_available"])
def test_a_failed_manual_fetch_does_not_fail_the_claim(status: str | None) -> None:
    decision = decide(claim(status), failing(ErrorKind.TIMEOUT), NOW, POLICY, by_name=True)
    assert not decision.updates_service


@pytest.mark.parametrize("stage", [Stage.SETTLED, Stage.GIVEN_UP])
def test_a_temporary_error_does_not_replace_a_persistent_one(stage: Stage) -> None:
    before = at_retry(4, stage, kind=ErrorKind.ACCESS_DENIED)
    passing = decide(before, failing(ErrorKind.TIMEOUT), NOW, POLICY, by_name=True)
    assert (passing.state.kind, passing.updates_service) == (ErrorKind.ACCESS_DENIED, False)
    lasting = decide(before, failing(ErrorKind.INVALID_TRACKING), NOW, POLICY, by_name=True)
    assert (lasting.state.kind, lasting.updates_service) == (ErrorKind.INVALID_TRACKING, True)


# ---------------------------------------------------------------- deliveries


@pytest.mark.parametrize("days", [1, 15, 120])
def test_recours_waits_for_a_proof_regardless_of_the_delivery_date(days: int) -> None:
    """Claims are often filed weeks later, and carriers retrieve old proofs from an archive on the first request."""
    row = at_retry(0, delivery=Delivery(NOW - timedelta(days=days)))
    decision = decide(row, failing(ErrorKind.POD_NOT_AVAILABLE_YET), NOW, POLICY)
    assert (decision.kind, decision.state.stage) == (ErrorKind.POD_NOT_AVAILABLE_YET, Stage.WAITING)


def test_a_new_delivery_replaces_the_known_one() -> None:
    row = at_retry(0, delivery=Delivery(NOW - timedelta(days=40)))
    fresh = failing(ErrorKind.POD_NOT_AVAILABLE_YET, delivery=Delivery(NOW - HOUR))
    assert decide(row, fresh, NOW, POLICY).state.delivery == Delivery(NOW - HOUR)


def test_a_delivery_day_ends_in_the_westernmost_time_zone() -> None:
    latest = datetime(2026, 1, 11, 12, tzinfo=UTC)  # midnight at UTC-12
    assert Delivery(day=date(2026, 1, 10)).latest == latest


def test_the_last_day_of_the_calendar_has_an_end_too() -> None:
    assert Delivery(day=date.max).latest == datetime.max.replace(tzinfo=UTC)


def test_missing_delivery_facts_are_completed_from_known_ones() -> None:
    day = NOW.date()
    assert Delivery(day=day).completed_by(Delivery(NOW, "A")) == Delivery(None, "A", day)
    assert Delivery(NOW).completed_by(Delivery(None, "A", day)) == Delivery(NOW, "A")
    assert Delivery().completed_by(Delivery(None, "A", day)) == Delivery(None, "A", day)
    assert Delivery().completed_by(Delivery(NOW, "A")) == Delivery(NOW, "A")


# ---------------------------------------------------------------- success


def test_a_retrieved_proof_closes_the_claim_and_notifies_the_client() -> None:
    decision = succeed(at_retry(1), Retrieved.single(b"%PDF", DELIVERED, "chronopost searchPOD"), NOW)
    state = State(retries_used=2, attempts=3, last_retry_at=NOW, delivery=DELIVERED)
    assert (decision.state, decision.fetch_status) == (state, FetchStatus.SUCCESS)
    assert (decision.error, decision.kind, decision.uses_attempt, decision.gave_up) == (
        None,
        None,
        True,
        False,
    )
    assert notifications(decision) == [("pod_retrieved", "client")]
    assert decision.events[0].facts == {
        "reference": "CLM-7",
        "attempts": 3,
        "signatory": DELIVERED.signatory,
        "delivered_at": DELIVERED.at.isoformat() if DELIVERED.at else None,
    }


def test_a_delivery_without_a_time_is_reported_with_its_day() -> None:
    retrieved = Retrieved.single(b"%PDF", Delivery(day=date(2026, 10, 5)), "ups track")
    facts = succeed(at_retry(1), retrieved, NOW).events[0].facts
    assert (facts["delivered_at"], facts["delivered_day"]) == (None, "2026-10-05")


@pytest.mark.parametrize("status", ["pending", "fetching", None])
def test_a_successful_first_fetch_notifies_nobody(status: str | None) -> None:
    row = replace(at_retry(1), fetch_status=status)
    decision = succeed(row, Retrieved.single(b"%PDF", DELIVERED, "x"), NOW)
    assert decision.state == State(attempts=row.state.attempts + 1, delivery=DELIVERED)
    assert notifications(decision) == []


# ---------------------------------------------------------------- other waits


def test_the_policy_s_backoff_is_used_throughout() -> None:
    policy = replace(POLICY, waits=(2 * HOUR, 3 * HOUR), max_retries=9)
    assert assess(claim(updated_at=NOW), NOW, policy).next_at == NOW + 2 * HOUR
    assert decide(at_retry(0), failing(ErrorKind.TIMEOUT), NOW, policy).state.next_at == NOW + 3 * HOUR
    assert pass_retry(at_retry(5, Stage.SETTLED), NOW, policy).state.next_at == NOW + 3 * HOUR


# ---------------------------------------------------------------- the document before the tracking

UNTRACKED = replace(CHRONOPOST, untracked_form=CHRONOPOST.number_form)
FIRST = replace(POLICY, document_first=frozenset({"chronopost"}))


@pytest.mark.parametrize(
    ("row", "policy", "is_assumed"),
    [
        (claim("pending"), FIRST, True),
        (claim("fetching"), FIRST, True),
        (claim("pending"), POLICY, False),
        (claim("failed"), FIRST, False),
        (claim("pending", state=State(delivery=DELIVERED)), FIRST, False),
        (claim("pending"), replace(POLICY, document_first=frozenset({"ups"})), False),
    ],
    ids=["new", "abandoned", "off", "failed", "known", "another carrier"],
)
def test_only_a_first_fetch_asks_for_the_document_before_tracking(
    row: Claim, policy: Policy, *, is_assumed: bool
) -> None:
    delivery = delivery_to_assume(row, UNTRACKED, policy)
    assert (delivery is not None and delivery.is_assumed) == is_assumed
    if not is_assumed:
        assert delivery is row.state.delivery


def test_a_claim_whose_number_cannot_be_used_directly_is_tracked_first() -> None:
    pieces = replace(CHRONOPOST, untracked_form=re.compile("[0-9]+"))
    assert delivery_to_assume(claim("pending"), pieces, FIRST) is None
    assert delivery_to_assume(claim("pending", number="123"), pieces, FIRST) is not None
    assert delivery_to_assume(claim("pending", number=None), pieces, FIRST) is None
