"""A due claim's place in line: the run that tries it is the one that was foreseen, on each database."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.core.localized import Localized
from recours.operations.explain import Explanation
from recours.operations.place import Place
from recours.operations.results import ClaimStatus, ResultSentences
from recours.sandbox import Scenario, SimulatedClock
from recours.wiring import one_claim
from recours.wiring.one_claim import explanation_of, status_of
from recours.wiring.operations import Operations, open_operations
from recours.wiring.plan import rules_for
from tests.acceptance.simulation import FAILED_AT, Service
from tests.acceptance.test_plan import TIGHT, Fleet, Started, at, fill, run_for

pytestmark = pytest.mark.full(
    "places after days of runs: tests/unit/operations/test_forecast.py has the forecast"
)

S = Scenario
ENGLISH, FRENCH = (Localized(language, ZoneInfo("Europe/Paris")) for language in ("en", "fr"))
HOUR = timedelta(hours=1)
# As cron starts them, one call at a time.
USUAL = Started(retry=30, fetch=50, concurrency=1)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(FAILED_AT)


@pytest.fixture(autouse=True)
def _one_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `USUAL` runs do it: with several, it depends on the machine which claims get the last units of a quota."""
    monkeypatch.setattr(one_claim, "rules_for", partial(rules_for, concurrency=1))


def operations_of(service: Service) -> Operations:
    return replace(open_operations(service.settings), clock=service.clock)


def explained(service: Service, *references: str) -> dict[str, Explanation]:
    operations = operations_of(service)
    with closing(operations.database):
        found = [explanation_of(operations, reference) for reference in references]
        return {one.claim.reference: one for one in found if one}


def told(service: Service, reference: str, language: str) -> ClaimStatus:
    operations = operations_of(service)
    with closing(operations.database):
        listed = operations.records.find(reference)
        assert listed
        return status_of(operations, listed, ResultSentences(language, operations.settings.policy.zone))


def references(service: Service) -> list[str]:
    return [reference for (reference,) in service.sql("SELECT claim_reference FROM claims ORDER BY id")]


def places(service: Service, every: int = 1) -> dict[str, Place]:
    """Of every so many of the claims, those that stand in line: each has a simulation of its own."""
    found = explained(service, *references(service)[::every])
    return {reference: one.facts.place for reference, one in found.items() if one.facts.place}


def tried_by(service: Service, since: datetime) -> dict[str, datetime]:
    """When the run began, to the minute, that made the first attempt at each claim."""
    rows = service.sql(
        "SELECT c.claim_reference, r.started_at FROM recours_attempts a JOIN claims c ON c.id = a.claim_id"
        " JOIN recours_runs r ON r.id = a.run_id WHERE a.started_at >= ? AND a.used ORDER BY a.id DESC",
        at(since),
    )
    return {reference: _to_the_minute(began) for reference, began in rows}


def _to_the_minute(value: Any) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found.replace(second=0, microsecond=0, tzinfo=UTC)


# ---------------------------------------------------------------- foreseen, and done


def test_each_claim_is_tried_by_the_run_that_was_foreseen(service: Service) -> None:
    service.environment |= TIGHT
    fill(service, "Chronopost", "FedEx", "UPS", "DHL Express")
    run_for(service, 3, USUAL)
    since, found = service.clock.now(), places(service, every=5)
    run_for(service, 48, USUAL)
    done = tried_by(service, since)
    foreseen = {reference: place.expected_at for reference, place in found.items()}
    assert foreseen == {reference: done.get(reference) for reference in foreseen}
    assert {place.is_far for place in found.values()} == {True, False}
    assert all(place.is_far == (place.expected_at is None) for place in found.values())


def test_the_first_run_that_may_ask_takes_it(service: Service) -> None:
    claims = [
        service.add(S.IN_TRANSIT, failed_at=FAILED_AT - timedelta(hours=2, minutes=7 * n)) for n in range(5)
    ]
    service.clock.advance(HOUR / 2)
    found = places(service)
    assert len(found) == len(claims)
    assert all(place.is_next and not place.makes_wait for place in found.values())
    assert [place.before for _, place in sorted(found.items())] == [4, 3, 2, 1, 0], (
        "the first to fail comes first"
    )


def test_long_lived_workers_take_it_in_the_minute_that_was_foreseen(service: Service) -> None:
    service.environment |= TIGHT
    fill(service, "UPS", "DHL Express")
    with closing(Fleet(service)) as fleet:
        fleet.work_for(5)
        found = places(service, every=4)
        done: dict[str, str] = {}
        for minute, tries in fleet.work_for(2 * 60).items():
            done |= {reference: minute[:8] for reference, *_ in tries if reference not in done}
    foreseen = {name: f"{place.expected_at:%d %H:%M}" for name, place in found.items() if place.expected_at}
    soon = {name: minute for name, minute in foreseen.items() if minute <= max(done.values())}
    assert len(soon) > 2
    assert soon == {name: done.get(name) for name in soon}


# ---------------------------------------------------------------- what is said


def at_its_limit(service: Service) -> list[str]:
    """Four claims at their last retry, of which the limit allows one a day."""
    service.environment["QUOTA_CHRONOPOST"] = "2/day@UTC"
    last = at(FAILED_AT - timedelta(hours=80))
    for n in range(4):
        failed_at = FAILED_AT - timedelta(hours=200, minutes=-7 * n)
        service.add(S.IN_TRANSIT, failed_at=failed_at, pod_retry_count=3, pod_last_retry_at=last)
    run_for(service, 1, USUAL)
    return references(service)


def test_the_place_is_told_in_both_languages_and_as_json(service: Service) -> None:
    first, second, third, fourth = at_its_limit(service)
    found = explained(service, first, second, third, fourth)
    assert found[first].facts.place is None
    assert found[first].as_json()["claims_before"] is None
    tomorrow = FAILED_AT.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    assert [found[one].as_json()["claims_before"] for one in (second, third, fourth)] == [0, 1, 2]
    assert found[second].as_json()["expected_at"] == tomorrow.isoformat()
    assert found[third].as_json()["expected_at"] == (tomorrow + timedelta(days=1)).isoformat()
    assert found[fourth].as_json()["expected_at"] is None
    assert (
        f"No claim goes before it; at this pace its turn comes tomorrow at about {hour_of(tomorrow)}."
        in found[second].status.sentence
    )
    later = tomorrow + timedelta(days=1)
    assert (
        f"1 claim goes before it; at this pace its turn comes on {ENGLISH.day(later)} at about {hour_of(later)}."
    ) in found[third].status.sentence
    assert (
        "2 claims go before it; at this pace its turn does not come within 2 days."
        in found[fourth].status.sentence
    )

    status = told(service, fourth, "fr")
    assert (status.claims_before, status.expected_at) == (2, None)
    assert status.sentence.endswith(
        "2 réclamations passent avant elle ; à ce rythme, son tour ne viendra pas avant 2 jours."
    )
    assert told(service, third, "fr").sentence.endswith(
        f"1 réclamation passe avant elle ; à ce rythme, son tour viendra le {FRENCH.day(later)} vers "
        f"{FRENCH.time(later)}."
    )
    assert told(service, second, "en").sentence.startswith(f"{second} is due and waits for its turn: ")


def test_one_that_waits_for_an_open_carrier_is_not_said_to_be_taken_by_the_next_run(service: Service) -> None:
    for n in range(3):
        service.add(S.IN_TRANSIT, failed_at=FAILED_AT - timedelta(hours=9, minutes=-7 * n))
    for n in range(31):
        service.add(S.IN_TRANSIT, carrier="UPS", failed_at=FAILED_AT - timedelta(hours=20, minutes=n))
    status = told(service, "CLM-0003", "en")
    assert status.claims_before == 2
    assert status.expected_at is not None
    assert status.sentence.startswith("CLM-0003 is new or was corrected")
    assert status.sentence.endswith(
        f"; at this pace its turn comes today at about {hour_of(status.expected_at)}."
    )
    assert status.expected_at == FAILED_AT.replace(hour=8, minute=0, second=0)


def hour_of(moment: datetime) -> str:
    return ENGLISH.time(moment)
