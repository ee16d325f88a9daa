"""A week of both workers with one poisoned claim at each carrier: every other claim fares as if it were not there."""

from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.runs.workers import PODFetchWorker, PODRetryScheduler
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, JOINED, Service
from tests.conftest import START
from tests.fakes.hostile import AnyStep, Attack

pytestmark = pytest.mark.full(
    "a week of runs for each poison: tests/acceptance/test_all_carriers.py has a run"
)

_S = Scenario
_AMPLE = 500
_DAYS = 6  # after a first one of twelve hours, in which most happens
# How healthy parcels fare, at every carrier.
_STORIES = (
    (_S.DELIVERED,),
    (_S.IN_TRANSIT, _S.DELIVERED),
    (_S.MAINTENANCE, _S.POD_LATE, _S.DELIVERED),
    (_S.UNKNOWN,),
)
# What a carrier answers about the one parcel, whenever it is asked about it: of each way that an answer can be bad, one.
_POISONS = (_S.AUTH_REFUSED, _S.SYSTEM_ERROR, Attack.DTD_BOMB, Attack.RESET, _S.BROKEN_PDF)
_MORE_POISONS = (
    _S.FAULT_SERVER,
    Attack.HOSTILE_TEXT,
    _S.HTML,
    _S.EMPTY,
    Attack.TRUNCATED,
    Attack.WRONG_TYPE,
    Attack.INVALID_UTF8,
)
_REST = pytest.mark.full("more of each way that an answer can be bad")


def week(poison: AnyStep | None) -> dict[str, Any]:
    """What became of the healthy claims, and when they were asked about, in hours."""
    clock = SimulatedClock(START)
    with TemporaryDirectory() as folder, Sandbox(now=clock.now) as box:
        service = Service(Path(folder), box, clock)
        try:
            healthy = _claims(service)
            if poison:
                _poison(service, poison)
            for hours in (*[1] * 12, *[6] * 4 * _DAYS):
                clock.advance(timedelta(hours=hours))
                service.run(PODFetchWorker, batch_size=_AMPLE)
                service.run(PODRetryScheduler, batch_size=_AMPLE)
            return {name: _fate(service, claim, number) for name, (claim, number) in healthy.items()}
        finally:
            service.close()


def _claims(service: Service) -> dict[str, tuple[int, str]]:
    """New ones and failed ones, by their carrier and story."""
    found = {}
    for place, key in enumerate(CATALOG.specs):
        for n, story in enumerate(_STORIES):
            for status in ("failed", "pending"):
                number = service.box.example(key, "99", 10 * n + place + 1000 * (status == "pending"))
                name = f"{key}, {status}, {'/'.join(story)}"
                claim = service.add(*story, carrier=key, number=number, pod_fetch_status=status)
                found[name] = (claim, number)
    return found


def _poison(service: Service, poison: AnyStep) -> None:
    """The most urgent claims of all: the oldest, with the nearest deadline."""
    old, soon = FAILED_AT - timedelta(days=2), (FAILED_AT + timedelta(days=9)).date()
    for key in CATALOG.specs:
        for status, serial in (("failed", 9001), ("pending", 9002)):
            number = service.box.example(key, "99", serial)
            more = {"failed_at": old, "response_deadline": soon.isoformat(), "pod_fetch_status": status}
            service.add(poison, carrier=key, number=number, **more)


def _fate(service: Service, claim: int, number: str) -> tuple[Any, ...]:
    row = service.sql(
        f"SELECT pod_fetch_status, pod_retry_count, stage, kind FROM {JOINED} WHERE id = ?", claim
    )
    asked = {round((call.at - START) / timedelta(minutes=30)) for call in service.box.calls_for(number)}
    return *row[0], sorted(asked)


@cache
def undisturbed() -> dict[str, Any]:
    return week(None)


@pytest.mark.parametrize(
    "poison", [*_POISONS, *(pytest.param(poison, marks=_REST) for poison in _MORE_POISONS)]
)
def test_one_poisoned_claim_at_each_carrier_stops_no_other(poison: AnyStep) -> None:
    wanted = undisturbed()
    assert {fate[0] for fate in wanted.values()} == {"success", "failed"}
    found = week(poison)
    changed = {name: (fate, found[name]) for name, fate in wanted.items() if found[name] != fate}
    assert changed == {}
