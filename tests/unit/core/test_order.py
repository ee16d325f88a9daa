"""A claim's place in the order of due claims: by its deadline, and by the end of its evidence."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.core.assessment import assess
from recours.core.claim import NEVER, Claim, Delivery, Snapshot, Stage, State, deadline_end
from recours.core.decision import decide
from recours.core.errors import ErrorKind
from recours.core.order import is_expired, mark_asked, rank, ranks_last, rerank, urgency
from recours.core.outcome import Failure
from recours.core.policy import Policy

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 2, 6, 14, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY = Policy(PARIS, evidence_days={"ups": 120})
SOON, LATER = date(2026, 2, 10), date(2026, 3, 10)
SOON_ENDS, LATER_ENDS = deadline_end(SOON, PARIS), deadline_end(LATER, PARIS)


def ups(status: str = "failed", **columns: Any) -> Claim:
    values: dict[str, Any] = {"carrier": "ups", "number": "1Z999AA10123456784", "updated_at": NOW} | columns
    return Claim(1, "CLM-1", fetch_status=status, **values)


def created(days_ago: float) -> datetime:
    return NOW - days_ago * DAY


@pytest.mark.parametrize(
    ("columns", "place"),
    [
        ({"deadline": SOON}, (SOON_ENDS, True)),
        ({}, (NOW + 14 * DAY, False)),
        # Its evidence ends first.
        ({"deadline": LATER, "created_at": created(110)}, (NOW + 10 * DAY, True)),
        ({"created_at": created(110)}, (NOW + 10 * DAY, True)),
        # Its evidence ends later.
        ({"deadline": SOON, "created_at": created(110)}, (SOON_ENDS, True)),
        ({"created_at": created(100)}, (NOW + 14 * DAY, False)),
        # Its evidence is over.
        ({"deadline": LATER, "created_at": created(130)}, (NOW - 10 * DAY, True)),
        ({"created_at": created(130)}, (NOW - 10 * DAY, True)),
        # Another carrier keeps all known data.
        ({"carrier": "gls", "created_at": created(130)}, (NOW + 14 * DAY, False)),
    ],
)
def test_a_claim_is_ranked_by_what_expires_first(
    columns: dict[str, Any], place: tuple[datetime, bool]
) -> None:
    claim = ups(**columns)
    assert rank(claim, claim.state, NOW, NOW, POLICY) == place


def test_after_14_days_a_claim_without_a_deadline_is_ranked_by_its_evidence() -> None:
    claim = ups(created_at=created(60))
    assert rank(claim, claim.state, NOW - 14 * DAY, NOW, POLICY) == (NOW, False)
    late = NOW + HOUR
    assert rank(claim, claim.state, NOW - 14 * DAY, late, POLICY) == (NOW + 60 * DAY, True)
    unknown = ups(carrier="gls", created_at=created(60))
    assert rank(unknown, unknown.state, NOW - 14 * DAY, late, POLICY) == (NOW, False)


@pytest.mark.parametrize("status", ["failed", "pending"])
def test_a_claim_with_expired_evidence_ranks_after_all_that_can_still_be_won(status: str) -> None:
    forgotten = assess(ups(status, created_at=created(130), deadline=LATER), NOW, POLICY)
    undated = assess(ups(status, created_at=created(130)), NOW, POLICY)
    can_win = [
        assess(ups(status, created_at=created(60), updated_at=created(50)), NOW, POLICY),
        assess(ups(status, created_at=created(60), updated_at=created(50), carrier="gls"), NOW, POLICY),
        assess(ups(status, created_at=created(119)), NOW, POLICY),
    ]
    last = max(urgency(state, NOW) for state in can_win)
    assert min(urgency(state, NOW) for state in (forgotten, undated)) > last
    assert ranks_last(forgotten, NOW)
    assert not ranks_last(forgotten, NOW - 11 * DAY)


def test_a_new_delivery_date_moves_the_end_of_the_evidence() -> None:
    claim = ups(created_at=created(100), deadline=LATER)
    state = assess(claim, NOW, POLICY)
    assert state.rank_at == NOW + 20 * DAY
    claim = replace(claim, state=state)
    delivery = Delivery(created(115))
    for kind in (ErrorKind.POD_NOT_AVAILABLE_YET, ErrorKind.RATE_LIMITED):
        for by_hand in (False, True):
            learnt = decide(claim, Failure(kind, "", delivery=delivery), NOW, POLICY, by_name=by_hand).state
            assert (learnt.rank_at, learnt.rank_is_deadline) == (NOW + 5 * DAY, True), (kind, by_hand)
    nothing_new = decide(claim, Failure(ErrorKind.TIMEOUT, ""), NOW, POLICY).state
    assert nothing_new.rank_at == NOW + 20 * DAY


def test_a_corrected_number_discards_the_known_delivery() -> None:
    known = State(delivery=Delivery(created(115)))
    same = Snapshot("pending", "1Z999AA10123456784", "ups", 0)
    claim = ups("pending", created_at=created(112), state=known, assessed=same)
    assert assess(claim, NOW, POLICY).rank_at == NOW + 5 * DAY
    corrected = replace(claim, number="1Z999AA10123456775")
    assert assess(corrected, NOW, POLICY).rank_at == NOW + 8 * DAY


@pytest.mark.parametrize("stage", [Stage.READY, Stage.WAITING])
def test_a_claim_expires_by_its_deadline_alone(stage: Stage) -> None:
    claim = ups(created_at=created(150), deadline=LATER)
    state = mark_asked(claim, replace(assess(claim, NOW, POLICY), stage=stage), POLICY)
    assert (state.rank_at, state.expire_from) == (NOW - 30 * DAY, LATER_ENDS)
    assert not is_expired(state, LATER_ENDS + 30 * DAY - HOUR, POLICY)
    assert is_expired(state, LATER_ENDS + 30 * DAY, POLICY)


def test_a_claim_without_a_deadline_never_expires() -> None:
    claim = ups(created_at=created(150))
    state = mark_asked(claim, assess(claim, NOW, POLICY), POLICY)
    assert (state.rank_is_deadline, state.expire_from) == (True, NEVER)
    assert not is_expired(state, NOW + 3650 * DAY, POLICY)


def test_a_place_stored_by_an_older_version_is_read() -> None:
    claim = ups(created_at=created(110), deadline=LATER)
    ranked = replace(
        claim, state=State(Stage.READY, failed_at=NOW, rank_at=LATER_ENDS, rank_is_deadline=True)
    )
    assert rerank(ranked, NOW, POLICY) == replace(ranked.state, rank_at=NOW + 10 * DAY)
    asked_claim = replace(ranked, state=replace(ranked.state, expire_from=NEVER))
    assert rerank(asked_claim, NOW, POLICY).expire_from == LATER_ENDS


def test_a_failure_in_the_future_counts_as_now() -> None:
    """A wrong clock or another program may write any time; 14 days after the year 9999 do not exist."""
    claim = Claim(1, "CLM-1", carrier="ups", fetch_status="failed", state=State(Stage.READY, failed_at=NEVER))
    assert rerank(claim, NOW, POLICY).rank_at == NOW + 14 * DAY
