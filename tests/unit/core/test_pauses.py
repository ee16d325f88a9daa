"""How long a carrier is paused."""

from datetime import UTC, datetime, timedelta

import pytest

from recours.core.pauses import AccountState, CarrierState, lasts, next_try_after_refusals, pause_until

NOW = datetime(2026, 2, 6, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("requested", "minutes"),
    [
        (None, 60),
        (timedelta(seconds=30), 0.5),
        (timedelta(hours=5), 300),
        (timedelta(hours=24), 1440),
        (timedelta(hours=25), 1440),
        (timedelta(days=4000), 1440),
        (timedelta(hours=-3), 0),
    ],
)
def test_a_carrier_is_paused_as_long_as_it_asks_and_at_most_a_day(
    requested: timedelta | None, minutes: float
) -> None:
    until = pause_until(NOW + requested if requested is not None else None, NOW)
    assert until == NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize(("refusals", "hours"), [(0, 1), (1, 1), (2, 6), (3, 24), (4, 24), (50, 24)])
def test_a_refused_account_is_tried_again_after_1_h_then_6_h_then_daily(refusals: int, hours: int) -> None:
    assert next_try_after_refusals(refusals, NOW) == NOW + timedelta(hours=hours) - timedelta(minutes=5)


def test_the_default_carrier_state_has_no_pause_or_fault() -> None:
    assert CarrierState() == CarrierState(None, None, None, AccountState(0, None, None, None, None))


@pytest.mark.parametrize(
    ("ends_in", "holds"),
    [
        (None, False),
        (timedelta(), False),
        (timedelta(seconds=1), True),
        (timedelta(hours=24), True),
        (timedelta(hours=24, minutes=10), True),  # set by a machine whose clock is a little ahead
        (timedelta(days=2), False),
        (timedelta(days=1400), False),
    ],
)
def test_a_pause_that_has_ended_or_ends_too_late_is_ignored(ends_in: timedelta | None, holds: bool) -> None:
    assert lasts(NOW + ends_in if ends_in is not None else None, NOW) is holds
