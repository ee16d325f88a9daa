"""Which parcel a carrier's answer is about: real runs against carriers that reuse numbers."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, JOINED, Service, services

S = Scenario
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def make(tmp_path: Path, sandbox: Sandbox, clock: SimulatedClock) -> Iterator[Callable[..., Service]]:
    """Factory of services: `make(**settings)`."""
    with services(tmp_path, sandbox, clock) as make:
        yield make


def test_the_day_of_the_order_is_used_before_that_of_the_claim(
    make: Callable[..., Service], sandbox: Sandbox
) -> None:
    service = make()
    # Day of the order, age of the claim in days, and whether a delivery 130 days ago can belong to it.
    cases = [
        (None, 0, False),
        (None, 30, True),
        (f"{FAILED_AT - 30 * DAY:%Y-%m-%d}", 0, True),
        (f"{FAILED_AT - 5 * DAY:%Y-%m-%d}", 0, False),
        ("hier", 30, True),
        ("0001-01-01", 0, False),
    ]
    for serial, (order_date, age, _) in enumerate(cases):
        number = sandbox.example("chronopost", "99", serial)
        sandbox.parcels[number] = Parcel((S.DELIVERED,), delivered_after=-130 * DAY)
        service.add(
            number=number, order_date=order_date, created_at=f"{FAILED_AT - age * DAY:%Y-%m-%d %H:%M:%S}"
        )
    service.run()
    rows = service.sql(f"SELECT pod_fetch_status, kind FROM {JOINED} ORDER BY id")
    assert rows == [("success", None) if is_own else ("failed", "not_found") for _, _, is_own in cases]
    for serial, (_, _, is_own) in enumerate(cases):
        calls = sandbox.calls_for(sandbox.example("chronopost", "99", serial))
        assert len(calls) == (2 if is_own else 1), "no document of another parcel is asked for"
