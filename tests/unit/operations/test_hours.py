"""A plan hour by hour: what its runs do in each hour of the clock, and what is still due at its end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from recours.operations.forecast.hours import by_hour
from tests.fakes.paper import NOW, claim
from tests.unit.operations.test_plan import ONE_TRY, of_chronopost, plan

PARIS = ZoneInfo("Europe/Paris")


def test_calls_and_what_is_due_of_each_hour() -> None:
    made = plan(*map(claim, range(9)), carriers=of_chronopost("3/hour"), policy=ONE_TRY)
    hours = by_hour(made, PARIS)
    assert hours[0].begins == NOW.replace(minute=0)
    assert len(hours) == 48 + bool(NOW.minute)
    assert sum(hour.tries for hour in hours) == made.tries == 9
    assert sum(hour.calls for hour in hours) == 9
    after = [hour for hour in hours if hour.begins > NOW]
    assert [hour.calls for hour in after[:5]] == [2, 2, 2, 2, 1]
    assert [dict(hour.due) for hour in after[:5]] == [{"chronopost": left} for left in (7, 5, 3, 1)] + [{}]
    assert hours[0].due == {"chronopost": 9}  # before the first run


def test_hours_go_on_where_the_clocks_are_set() -> None:
    made_at = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
    made = replace(plan(hours=1), made_at=made_at, until=made_at + timedelta(hours=5), runs=[])
    hours = by_hour(made, PARIS)
    assert [f"{hour.begins:%H %Z}" for hour in hours] == [
        "00 CEST",
        "01 CEST",
        "02 CEST",
        "02 CET",
        "03 CET",
        "04 CET",
    ]
