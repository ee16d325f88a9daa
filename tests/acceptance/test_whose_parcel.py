"""Whose parcel a carrier tells of: real runs against carriers that give a number anew."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from recours.carriers.registry import CATALOG
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, JOINED, Service, services

S = Scenario
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CARRIERS = {key: spec.name for key, spec in CATALOG.specs.items()}


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(FAILED_AT + 2 * HOUR)


@pytest.fixture
def make(tmp_path: Path, sandbox: Sandbox, clock: SimulatedClock) -> Iterator[Callable[..., Service]]:
    """`make(**settings)`: the service, with these settings."""
    with services(tmp_path, sandbox, clock) as make:
        yield make


# The operations that tell of a delivery.
TRACKING = {
    "chronopost": "trackSkybillV2",
    "colissimo": "timelineCompany",
    "laposte": "idships",
    "ups": "details",
    "dhl_express": "tracking",
    "dhl": "shipments",
    "fedex": "trackingnumbers",
    "dpd": "GetShipmentTraceSingle",
    "gls": "trackids",
    "mondial_relay": "WSI2_TracingColisDetaille",
}


def test_a_delivery_long_before_the_claim_is_another_parcels(
    make: Callable[..., Service], sandbox: Sandbox
) -> None:
    service = make()
    numbers = {carrier: sandbox.example(carrier, "99", n) for n, carrier in enumerate(CARRIERS)}
    for carrier, number in numbers.items():
        sandbox.parcels[number] = Parcel((S.DELIVERED,), delivered_after=-121 * DAY)
        service.add(carrier=CARRIERS[carrier], number=number)
    service.run()
    day = (FAILED_AT - 121 * DAY + 2 * HOUR).date()
    text = "ne connaît sous ce numéro qu'un colis livré bien avant cette commande"
    rows = service.sql(f"SELECT carrier, pod_fetch_status, kind, pod_fetch_error FROM {JOINED} ORDER BY id")
    assert rows == [(name, "failed", "not_found", f"{name} {text} : « {day} »") for name in CARRIERS.values()]
    for carrier, number in numbers.items():
        operations = {call.operation for call in sandbox.calls_for(number)}
        assert operations == {TRACKING[carrier]}, "no document of another parcel is asked for"


def test_the_day_of_the_order_goes_before_that_of_the_claim(
    make: Callable[..., Service], sandbox: Sandbox
) -> None:
    service = make()
    # The day of the order, the age of the claim in days, and whether a delivery 130 days ago can be its own.
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
