"""Which claims that gave up may be sampled, and what a sample means for them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.core.claim import Claim, Delivery, FetchStatus, Snapshot, Stage, State
from recours.core.errors import ErrorKind
from recours.core.mail import EventName
from recours.core.outcome import Failure, Retrieved
from recours.core.policy import Policy
from recours.core.samples import after_sample, may_be_sampled

NOW = datetime(2026, 2, 6, 14, 0, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = Policy(ZoneInfo("Europe/Paris"), evidence_days={"ups": 120})
STATE = State(
    Stage.GIVEN_UP, 4, NOW - DAY, failed_at=NOW - 5 * DAY, kind=ErrorKind.NOT_DELIVERED_YET, interruptions=1
)
NUMBER = "1Z999AA10123456784"
CLAIM = Claim(
    1, "CLM-1", carrier_name="UPS", carrier="ups", number=NUMBER, fetch_status=FetchStatus.FAILED,
    created_at=NOW - 10 * DAY, retries_counted=4, state=STATE, assessed=Snapshot("failed", NUMBER, "ups", 4),
)  # fmt: skip
BELIEVED = {ErrorKind.ACCESS_DENIED, ErrorKind.INVALID_TRACKING, ErrorKind.UNSUPPORTED_CARRIER}


@pytest.mark.parametrize("kind", [*ErrorKind, None])
def test_three_answers_are_believed(kind: ErrorKind | None) -> None:
    claim = replace(CLAIM, state=replace(STATE, kind=kind))
    assert may_be_sampled(claim, NOW, POLICY) is (kind not in BELIEVED)


@pytest.mark.parametrize("stage", Stage)
def test_only_what_gave_up_is_sampled(stage: Stage) -> None:
    claim = replace(CLAIM, state=replace(STATE, stage=stage))
    assert may_be_sampled(claim, NOW, POLICY) is (stage is Stage.GIVEN_UP)


@pytest.mark.parametrize(
    "changes",
    [
        {"claim_status": "paid"},
        {"fetch_status": "manual"},
        {"fetch_status": "success"},
        {"number": None, "assessed": Snapshot("failed", None, "ups", 4)},
        {"number": "1Z999AA10123456785"},
        {"retries_counted": 0},
        {"state": replace(STATE, interruptions=3)},
        {"created_at": NOW - 120 * DAY},
        {"state": replace(STATE, delivery=Delivery(NOW - 120 * DAY))},
    ],
)
def test_what_speaks_against_it(changes: dict[str, Any]) -> None:
    assert may_be_sampled(CLAIM, NOW, POLICY)
    assert not may_be_sampled(replace(CLAIM, **changes), NOW, POLICY)


def test_where_no_carrier_is_known_to_forget_parcels_the_evidence_exists() -> None:
    old = replace(CLAIM, created_at=NOW - 400 * DAY)
    assert may_be_sampled(old, NOW, replace(POLICY, evidence_days={}))
    assert may_be_sampled(replace(CLAIM, created_at=None), NOW, POLICY)


def test_a_proof_counts_and_no_retry_is_used() -> None:
    got = Retrieved.single(b"%PDF", Delivery(NOW - DAY, "DUPONT"), "ups")
    found = after_sample(CLAIM, got, NOW)
    assert found.fetch_status == FetchStatus.SUCCESS
    assert (found.state.stage, found.state.retries_used, found.uses_attempt) == (None, 4, False)
    (event,) = found.events
    assert (event.name, event.number, event.facts["attempts"]) == (EventName.POD_RETRIEVED, NUMBER, 5)


def test_another_answer_leaves_the_claim_as_it_was() -> None:
    failure = Failure(ErrorKind.POD_NEVER_AVAILABLE, "Never", delivery=Delivery(NOW))
    found = after_sample(CLAIM, failure, NOW)
    assert found.state == replace(STATE, interruptions=0)
    assert (found.fetch_status, found.events, found.uses_attempt) == (FetchStatus.FAILED, (), False)
