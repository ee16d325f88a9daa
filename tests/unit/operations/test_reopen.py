"""Why a claim cannot start over."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from recours.core.claim import Claim, FetchStatus, Snapshot, Stage, State
from recours.core.policy import Policy
from recours.operations.position import Position, Standing, Why
from recours.operations.reopen import why_not

AT = datetime(2026, 2, 2, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "its next try is on 2 Feb 2026, 09:00 CET"),
        ("fr", "son prochain essai est prévu le 2 févr. 2026, 09:00 CET"),
    ],
)
def test_the_next_try_is_named_in_the_reader_s_zone(language: str, said: str) -> None:
    state = State(stage=Stage.WAITING, next_at=AT)
    seen = Snapshot(FetchStatus.FAILED, None, "", 0)
    claim = Claim(1, "CLM-1", fetch_status=FetchStatus.FAILED, state=state, assessed=seen)
    where = Position(Standing.WAITING, state, Why.BY_BACKOFF, AT)
    refused = why_not(claim, where, Policy(zone=ZoneInfo("Europe/Paris")))
    assert refused
    assert said in refused.sentence(language)
