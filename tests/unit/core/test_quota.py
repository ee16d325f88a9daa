"""Limits in their written form, and the windows in which they count."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recours.core.quota import Capability, Limit, Usage, Window, kept_for_others, parse_limits
from tests.fakes.examples import MODEST

PARIS = "Europe/Paris"


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


# ---------------------------------------------------------------- calendar days


@pytest.mark.parametrize(
    ("zone", "moment", "start", "hours"),
    [
        (PARIS, utc(2026, 2, 6, 14), utc(2026, 2, 5, 23), 24),
        (PARIS, utc(2026, 7, 6, 22), utc(2026, 7, 6, 22), 24),
        (PARIS, utc(2026, 7, 6, 21, 59, 59), utc(2026, 7, 5, 22), 24),
        # Summer time begins: a day of 23 hours. It ends: one of 25.
        (PARIS, utc(2026, 3, 29, 12), utc(2026, 3, 28, 23), 23),
        (PARIS, utc(2026, 3, 29, 22), utc(2026, 3, 29, 22), 24),
        (PARIS, utc(2026, 10, 25, 0, 30), utc(2026, 10, 24, 22), 25),
        (PARIS, utc(2026, 10, 25, 22, 59), utc(2026, 10, 24, 22), 25),
        (PARIS, utc(2026, 10, 25, 23), utc(2026, 10, 25, 23), 24),
        ("UTC", utc(2026, 3, 29, 12), utc(2026, 3, 29), 24),
        ("Asia/Kolkata", utc(2026, 2, 6, 18, 30), utc(2026, 2, 6, 18, 30), 24),
        # Clocks that change at midnight: Cairo's day begins at 01:00, Havana has midnight twice.
        ("Africa/Cairo", utc(2026, 4, 24, 9), utc(2026, 4, 23, 22), 23),
        ("America/Havana", utc(2026, 11, 1, 4, 30), utc(2026, 11, 1, 4), 25),
        ("America/Havana", utc(2026, 11, 1, 5, 30), utc(2026, 11, 1, 4), 25),
        # Samoa skipped December 30, 2011.
        ("Pacific/Apia", utc(2011, 12, 30, 9), utc(2011, 12, 29, 10), 24),
        ("Pacific/Apia", utc(2011, 12, 30, 10), utc(2011, 12, 30, 10), 24),
    ],
)
def test_a_day_is_the_calendar_day_of_its_zone(
    zone: str, moment: datetime, start: datetime, hours: int
) -> None:
    assert Window(0, zone).around(moment) == (start, start + timedelta(hours=hours))


ZONES = (
    PARIS,
    "UTC",
    "Africa/Cairo",
    "America/Havana",
    "America/Santiago",
    "America/New_York",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (UTC is added)
WINDOWS = st.builds(Window, st.just(0), st.sampled_from(ZONES)) | st.builds(
    Window, st.integers(1, 7200), st.just("UTC")
)


@MODEST
@given(WINDOWS, MOMENTS)
def test_every_moment_is_in_one_window_and_windows_have_no_gaps(window: Window, moment: datetime) -> None:
    start, end = window.around(moment)
    assert start <= moment < end
    assert window.around(start) == (start, end)
    assert window.around(end - timedelta(microseconds=1)) == (start, end)
    assert window.around(end)[0] == end


# ---------------------------------------------------------------- seconds


@pytest.mark.parametrize(
    ("seconds", "start"),
    [(1, utc(2026, 2, 6, 14, 7, 38)), (10, utc(2026, 2, 6, 14, 7, 30)), (3600, utc(2026, 2, 6, 14))],
)
def test_a_window_of_seconds_is_aligned(seconds: int, start: datetime) -> None:
    moment = datetime(2026, 2, 6, 14, 7, 38, 900_000, tzinfo=UTC)
    assert Window(seconds).around(moment) == (start, start + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("seconds", "short", "label", "key"),
    [
        (0, False, "day", "day@Europe/Paris"),
        (1, True, "second", "1s"),
        (10, True, "10 seconds", "10s"),
        (60, True, "minute", "60s"),
        (61, False, "61 seconds", "61s"),
        (3600, False, "hour", "3600s"),
    ],
)
def test_window_labels_and_keys(seconds: int, short: bool, label: str, key: str) -> None:
    window = Window(seconds, PARIS)
    assert (window.is_short, window.label, window.key) == (short, label, key)


# ---------------------------------------------------------------- limits as they are written


def parsed(text: str) -> list[tuple[int, Window]]:
    return [(limit.number, limit.window) for limit in parse_limits(text, "ups", None, PARIS)]


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("100/day", [(100, Window(0, PARIS))]),
        ("250/day@UTC,1/second", [(250, Window(0, "UTC")), (1, Window(1))]),
        ("1000/day@UTC, 1400/10seconds", [(1000, Window(0, "UTC")), (1400, Window(10))]),
        ("200/hour", [(200, Window(3600))]),
        ("20/minute", [(20, Window(60))]),
        ("20 / Minutes", [(20, Window(60))]),
        ("5/1second", [(5, Window(1))]),
        ("1000000000/DAY@Europe/Paris", [(1_000_000_000, Window(0, PARIS))]),
        ("7/day@Etc/GMT+5", [(7, Window(0, "Etc/GMT+5"))]),
        ("7/day@Etc/GMT-14", [(7, Window(0, "Etc/GMT-14"))]),
    ],
)
def test_a_limit_is_read(text: str, limits: list[tuple[int, Window]]) -> None:
    assert parsed(text) == limits


def test_a_limit_belongs_to_its_carrier_and_capability() -> None:
    (limit,) = parse_limits("100/day", "chronopost", Capability.POD, "UTC")
    assert (limit.carrier, limit.capability) == ("chronopost", Capability.POD)
    (short,) = parse_limits("2/second", "chronopost", Capability.TOKEN, "UTC")
    assert (short.carrier, short.capability) == ("chronopost", Capability.TOKEN)


FORM = "is not a limit; examples: 100/day, 250/day@UTC, 200/hour, 1400/10seconds"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", f"'' {FORM}"),
        ("lots", f"'lots' {FORM}"),
        ("100", f"'100' {FORM}"),
        ("-5/day", f"'-5/day' {FORM}"),
        ("100/week", f"'100/week' {FORM}"),
        ("١٠٠/day", f"'١٠٠/day' {FORM}"),
        ("100/day,", f"'' {FORM}"),
        ("x" * 50, f"'{'x' * 40}' {FORM}"),
        ("0/day", "the number of calls in '0/day' must be from 1 to 1000000000"),
        ("1000000001/day", "the number of calls in '1000000001/day' must be from 1 to 1000000000"),
        ("5/2days", "'5/2days': a number (1 or more) is allowed only before 'seconds', as in 1400/10seconds"),
        ("5/1hour", "'5/1hour': a number (1 or more) is allowed only before 'seconds', as in 1400/10seconds"),
        (
            "5/0seconds",
            "'5/0seconds': a number (1 or more) is allowed only before 'seconds', as in 1400/10seconds",
        ),
        ("5/hour@UTC", "'5/hour@UTC': only a limit per day can have a time zone"),
        ("5/day@Mars/Olympus", "'Mars/Olympus' is not a time zone; examples: Europe/Paris, UTC"),
        ("5/day@" + "z" * 50, f"'{'z' * 40}' is not a time zone; examples: Europe/Paris, UTC"),
        ("5/day@/etc/passwd", "'/etc/passwd' is not a time zone; examples: Europe/Paris, UTC"),
        ("5/hour,6/hour", "it has the same window twice"),
        ("5/minute,6/60seconds", "it has the same window twice"),
        ("5/day,6/day@Europe/Paris", "it has the same window twice"),
    ],
)
def test_an_invalid_limit_is_rejected_with_the_reason(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        parsed(text)
    assert str(refused.value) == sentence


# ---------------------------------------------------------------- counting


@pytest.mark.parametrize(
    ("capability", "calls", "units"),
    [
        (None, {Capability.TRACKING: 1, Capability.POD: 2}, 3),
        (Capability.POD, {Capability.TRACKING: 1, Capability.POD: 2}, 2),
        (Capability.TOKEN, {Capability.TRACKING: 1, Capability.POD: 2}, 0),
        (None, {}, 0),
    ],
)
def test_the_units_that_calls_take(
    capability: Capability | None, calls: dict[Capability, int], units: int
) -> None:
    assert Limit("ups", 10, Window(), capability).units(calls) == units


def test_limit_labels_and_keys() -> None:
    assert str(Limit("ups", 200, Window(3600))) == "200 per hour"
    assert Limit("ups", 200, Window(3600)).key == "ups/*/3600s"
    assert Limit("ups", 200, Window(0, PARIS), Capability.POD).key == "ups/POD/day@Europe/Paris"


def test_another_number_in_the_same_window_is_the_same_window() -> None:
    windows = (Window(0, PARIS), Window(60))
    assert all(Limit("ups", 5, window).key == Limit("ups", 6, window).key for window in windows)
    keys = [Limit("ups", 5, window, what).key for window, what in itertools.product(windows, Capability)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(("used", "left"), [(0, 10), (5, 5), (10, 0), (13, 0)])
def test_the_remaining_quota_is_never_negative(used: int, left: int) -> None:
    assert Usage(Limit("ups", 10, Window()), used, utc(2026, 1, 1)).remaining == left


# ---------------------------------------------------------------- left to the other worker


@pytest.mark.parametrize(
    ("calls", "moment", "expected"),
    [
        (30, utc(2026, 2, 6, 8), 30),
        (0, utc(2026, 2, 6, 8), 0),
        (76, utc(2026, 2, 6, 8), 75),
        (500, utc(2026, 2, 6, 8), 75),
        # 16:00 in Paris is 15:00 UTC in winter, 14:00 in summer.
        (30, utc(2026, 2, 6, 14, 59), 30),
        (30, utc(2026, 2, 6, 15), 0),
        (30, utc(2026, 7, 6, 13, 59), 30),
        (30, utc(2026, 7, 6, 14), 0),
        (30, utc(2026, 7, 6, 22), 30),
    ],
)
def test_calls_are_kept_for_more_urgent_claims_until_four_oclock(
    calls: int, moment: datetime, expected: int
) -> None:
    """But never more than three quarters of the day's calls."""
    urgent = {Capability.TRACKING: calls - calls // 2, Capability.POD: calls // 2}
    limit = Limit("chronopost", 100, Window(0, PARIS))
    assert kept_for_others(limit, urgent, moment) == expected
    of_documents = limit._replace(capability=Capability.POD)
    assert kept_for_others(of_documents, urgent, moment) == (min(calls // 2, 75) if expected else 0)


def test_no_calls_of_other_windows_are_kept() -> None:
    assert kept_for_others(Limit("ups", 200, Window(3600)), {Capability.POD: 9}, utc(2026, 2, 6, 8)) == 0


def test_the_only_call_of_a_day_is_not_kept() -> None:
    limit = Limit("chronopost", 1, Window(0, PARIS))
    assert kept_for_others(limit, {Capability.POD: 9}, utc(2026, 2, 6, 8)) == 0
