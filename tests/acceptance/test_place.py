"""The position of a due claim, in both languages and as JSON, on each database."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from recours.app import open_app
from recours.core.localized import Localized
from recours.reporting.claim_reports import explanation_of
from recours.sandbox import Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, Service

ENGLISH, FRENCH = (Localized(language, ZoneInfo("Europe/Paris")) for language in ("en", "fr"))
A_DAY = timedelta(days=1)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(FAILED_AT)


def test_the_estimated_day_is_shown_in_both_languages_and_as_json(service: Service) -> None:
    service.environment["QUOTA_CHRONOPOST"] = "2/day@UTC"
    last = f"{FAILED_AT - timedelta(hours=80):%Y-%m-%d %H:%M:%S}"
    for n in range(4):
        failed_at = FAILED_AT - timedelta(hours=200, minutes=-7 * n)
        service.add(Scenario.IN_TRANSIT, failed_at=failed_at, pod_retry_count=3, pod_last_retry_at=last)
    service.run_hourly(1)
    app = replace(open_app(service.settings), clock=service.clock)
    with closing(app.database):
        places = [explanation_of(app, f"CLM-000{n}") for n in range(1, 5)]
        third, in_french = (explanation_of(app, "CLM-0003", language=it) for it in ("en", "fr"))
        assert third
        assert in_french
        english, french = third.status, in_french.status
    days = [None, *((FAILED_AT + n * A_DAY).date() for n in (1, 2, 3))]
    assert [found and found.as_json()["not_before"] for found in places] == [
        day and day.isoformat() for day in days
    ]
    assert english.not_before == days[2]
    assert english.sentence.endswith(
        f"The claim will not be attempted before {ENGLISH.weekday(days[2])} (estimate)."
    )
    assert french.sentence.endswith(
        f"Elle ne sera pas traitée avant le {FRENCH.weekday(days[2])} (estimation)."
    )
