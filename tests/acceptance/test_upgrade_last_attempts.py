"""Last attempts before a deadline, where the version before knew none."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.database.lenient_reader import as_moment
from recours.sandbox import Scenario
from tests.acceptance.versions_before import FROM_HISTORY, RETRIES, ROOT, Life, Predecessor
from tests.conftest import START

pytestmark = FROM_HISTORY
_S = Scenario
# Hours after the installation; at the last two, the last attempt is due and the deadline ends.
_UPGRADED, _TURNED_ON, _LAST, _END = 48, 120, 177, 207
# Around each retry of claims that failed at the installation or at the upgrade, and of new ones an hour later.
_RETRIED = {begins + retry + near for begins in (0, _UPGRADED) for retry in RETRIES for near in (-1, 0, 1)}
_HOURS = _RETRIED | {_TURNED_ON, _TURNED_ON + 1, _LAST - 1, _LAST, _LAST + 1, _END}


def test_the_upgrade_changes_nothing_until_last_attempts_are_turned_on(
    life: Life, predecessor: Predecessor
) -> None:
    """Claims with a deadline; some fail before the upgrade, some after it."""
    service, hour = life.service, timedelta(hours=1)
    deadline = (START + timedelta(days=8)).date()
    service.sql("UPDATE claims SET response_deadline = ?", deadline.isoformat())
    life.live(predecessor.root, 2, only=_HOURS)
    late = service.clock.now()
    for _ in range(3):
        service.add(_S.IN_TRANSIT, failed_at=late, response_deadline=deadline.isoformat())
    life.live(ROOT, 3, only=_HOURS)
    assert service.sql("SELECT count(*) FROM claims WHERE pod_last_attempt_at IS NOT NULL") == [(0,)]
    life.environment["RECOURS_LAST_ATTEMPT_HOURS"] = "30"
    life.live(ROOT, 4, only=_HOURS)
    assert set(life.statuses) == {0}, life.said[-20:]

    end = datetime.combine(deadline + timedelta(days=1), time(), ZoneInfo("Europe/Paris"))
    last = 0
    for number, reference, failed_at in service.sql(
        "SELECT tracking_number, claim_reference, created_at FROM claims ORDER BY id"
    ):
        began = as_moment(failed_at)
        assert began is not None
        calls = sorted({call.at for call in service.box.calls_for(number)})
        made = [at for at in calls if abs(at - (end - 30 * hour)) < hour / 2]
        hours = sorted({round((at - began) / hour) for at in calls if at not in made})
        new = " pending " in reference
        asked = [at - 1 for at in hours] if new else hours
        assert asked == list(RETRIES[not new :][: len(asked)]), (reference, hours)
        assert not made or reference.startswith("CLM-"), "given up before it was turned on"
        last += bool(made)
    assert last == 3
    told = [line for line in life.said if "and a last attempt" in line]
    assert len(told) == 3


def test_the_version_before_works_on_beside_and_knows_no_last_attempt(
    life: Life, predecessor: Predecessor
) -> None:
    service = life.service
    # Versions before 0006 refuse a newer schema by design, so that there is nothing to work on beside.
    if not predecessor.may_go_on:
        pytest.skip("a version with an older schema refuses this one")
    # The test is about versions without last attempts; another predecessor of the list is one.
    if predecessor.knows("0007_last_attempt"):
        pytest.skip("this version knows last attempts")
    deadline = (START + timedelta(days=9)).date().isoformat()
    service.sql("DELETE FROM claims")
    failed_at = START - timedelta(hours=72)
    used: dict[str, Any] = {"pod_retry_count": 3, "pod_last_retry_at": f"{failed_at:%Y-%m-%d %H:%M:%S}"}
    service.add(_S.IN_TRANSIT, failed_at=failed_at, response_deadline=deadline, **used)
    life.environment["RECOURS_LAST_ATTEMPT_HOURS"] = "30"
    every_third = range(0, 24 * 10, 3)
    life.live(ROOT, 1, only=every_third)
    waits = "SELECT pod_stage, pod_retry_count FROM claims WHERE pod_last_attempt_at = pod_next_retry_at"
    assert service.sql(waits) == [("waiting", 4)]
    life.live(
        predecessor.root, 4, only=every_third
    )  # to it, such a claim waits for a retry that there is not
    assert service.sql("SELECT pod_stage, pod_retry_count FROM claims") == [("given_up", 4)]
    life.live(ROOT, 5, only=every_third)
    assert set(life.statuses) == {0}, life.said[-20:]
    [(number, stage)] = service.sql("SELECT tracking_number, pod_stage FROM claims")
    assert stage == "given_up"
    assert len({call.at for call in service.box.calls_for(number)}) == 1
    assert sum("FINAL FAILURE" in line for line in life.said) == 1
