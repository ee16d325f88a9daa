"""Whose parcel a carrier tells of: real runs against carriers that answer about others, and give a number anew."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.sandbox.answers import Answer, Question, SimulatedCarrier
from recours.sandbox.scenarios import Override, ParcelState
from tests.acceptance.simulation import FAILED_AT, JOINED, Service, services

S = Scenario
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CARRIERS = {key: spec.name for key, spec in CATALOG.specs.items()}


def renamed(number: str, other: str) -> Override:
    """A delivered parcel whose answers tell another number."""

    def answer(carrier: SimulatedCarrier, question: Question, state: ParcelState) -> Answer:
        good = carrier.answer(question, state)
        is_text = not good.content_type.startswith(("image", "application/pdf"))
        return replace(good, body=good.body.replace(number.encode(), other.encode())) if is_text else good

    return answer


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(FAILED_AT + 2 * HOUR)


@pytest.fixture
def make(tmp_path: Path, sandbox: Sandbox, clock: SimulatedClock) -> Iterator[Callable[..., Service]]:
    """`make(**settings)`: the service, with these settings."""
    with services(tmp_path, sandbox, clock) as make:
        yield make


def outcome(service: Service) -> tuple[Any, ...]:
    """Status and kind of error of the only claim, and what its row says."""
    [told] = service.sql(f"SELECT pod_fetch_status, kind, pod_fetch_error FROM {JOINED}")
    return told


# ---------------------------------------------------------------- a number that was given anew


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_delivery_long_before_the_claim_is_another_parcels(
    carrier: str, make: Callable[..., Service], sandbox: Sandbox
) -> None:
    service = make()
    number = sandbox.example(carrier, "99", 7)
    sandbox.parcels[number] = Parcel((S.DELIVERED,), delivered_after=-121 * DAY)
    service.add(carrier=CARRIERS[carrier], number=number)
    service.run()
    status, kind, error = outcome(service)
    assert (status, kind) == ("failed", "not_found")
    day = (FAILED_AT - 121 * DAY + 2 * HOUR).date()
    known = f"{CARRIERS[carrier]} ne connaît sous ce numéro qu'un colis livré bien avant cette commande"
    assert error == f"{known} : « {day} »"
    documents = {call.operation for call in sandbox.calls_for(number)} - set(TRACKING[carrier])
    assert not documents, "no document of another parcel is asked for"


# The operations that tell of a delivery.
TRACKING = {
    "chronopost": ("trackSkybillV2",),
    "colissimo": ("timelineCompany",),
    "laposte": ("idships",),
    "ups": ("details",),
    "dhl_express": ("tracking",),
    "dhl": ("shipments",),
    "fedex": ("trackingnumbers",),
    "dpd": ("GetShipmentTraceSingle",),
    "gls": ("trackids",),
    "mondial_relay": ("WSI2_TracingColisDetaille",),
}


@pytest.mark.parametrize(
    ("ordered", "created", "is_ours"),
    [
        (None, 0, False),
        (None, -30, True),
        (-30, 0, True),
        (-5, 0, False),
        ("hier", -30, True),
        (-9999, 0, False),
    ],
)
def test_the_day_of_the_order_goes_before_that_of_the_claim(
    ordered: int | str | None, created: int, *, is_ours: bool, make: Callable[..., Service], sandbox: Sandbox
) -> None:
    service = make()
    number = sandbox.example("chronopost", "99", 7)
    sandbox.parcels[number] = Parcel((S.DELIVERED,), delivered_after=-130 * DAY)
    on = FAILED_AT + timedelta(days=ordered) if isinstance(ordered, int) and ordered > -5000 else None
    order_date = f"{on:%Y-%m-%d}" if on else "0001-01-01" if ordered == -9999 else ordered
    created_at = f"{FAILED_AT + timedelta(days=created):%Y-%m-%d %H:%M:%S}"
    service.add(number=number, order_date=order_date, created_at=created_at)
    service.run()
    assert outcome(service)[:2] == (("success", None) if is_ours else ("failed", "not_found"))


# ---------------------------------------------------------------- answers about another parcel

# Of these the answer tells the number.
NUMBERED = ("chronopost", "colissimo", "laposte", "ups", "dhl_express", "fedex")


@pytest.mark.parametrize("carrier", NUMBERED)
def test_an_answer_about_another_parcel_is_no_proof(
    carrier: str, make: Callable[..., Service], sandbox: Sandbox
) -> None:
    service = make()
    number, other = (sandbox.example(carrier, "99", serial) for serial in (7, 8))
    sandbox.parcels[number] = Parcel((renamed(number, other),))
    service.add(carrier=CARRIERS[carrier], number=number)
    service.run()
    status, kind, _ = outcome(service)
    assert (status, kind) == ("failed", "bad_response")
    assert service.sql("SELECT message FROM recours_attempts WHERE message LIKE '%another parcel%'")


@pytest.mark.parametrize("carrier", NUMBERED)
def test_a_parcel_that_turned_back_before_its_delivery_is_its_senders(
    carrier: str, make: Callable[..., Service]
) -> None:
    service = make()
    service.add(S.RETURNED_TO_SENDER, carrier=CARRIERS[carrier])
    service.run()
    assert outcome(service)[:2] == ("failed", "returned_to_sender")
