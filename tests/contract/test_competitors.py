"""The claims that runs may take before another one, read from a real database of either kind: bounded, and it is said."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from recours.carriers.registry import CATALOG
from recours.database.engine import Database
from recours.database.reports import competitors
from recours.database.reports.competitors import DatabaseCompetitors
from recours.database.schema.inspection import look
from recours.operations.forecast.place import Competitors
from tests.contract.test_claims import NOW, Run

LATER = NOW + timedelta(hours=48)


def read(database: Database, *, with_others: bool = True) -> Competitors:
    reader = DatabaseCompetitors(database, look(database), CATALOG)
    return reader.of("chronopost", NOW, LATER, with_others=with_others)


def names(found: Competitors) -> list[str]:
    return [one.claim.reference for one in found.claims]


@pytest.fixture
def due(database: Database, add_claims: Callable[..., None]) -> Database:
    """Three claims of one carrier and three of another that are due, and one that comes due tomorrow."""
    ups = {"carrier": "UPS", "tracking_number": "1Z999AA10123456784"}
    failed = [{"updated_at": NOW - timedelta(hours=9 - n)} for n in range(3)]
    add_claims(database, [*failed, *(ups | one for one in failed), {"updated_at": NOW}])
    Run(database).keep()
    return database


def test_all_are_read_where_there_are_few(due: Database) -> None:
    found = read(due)
    assert names(found) == [f"CLM-0000{n}" for n in range(7)]
    assert (found.last_read, found.known_until) == ([], None)
    assert names(read(due, with_others=False)) == [f"CLM-0000{n}" for n in (0, 1, 2, 6)]


def test_where_no_batch_is_shared_no_other_lane_is_simulated(
    due: Database, add_claims: Callable[..., None]
) -> None:
    ups = {"carrier": "UPS", "tracking_number": "1Z999AA10123456784"}
    add_claims(due, [ups | {"claim_reference": "CLM-WAITS", "updated_at": NOW}])
    Run(due).keep()
    add_claims(due, [ups | {"claim_reference": "CLM-NEW"}, {"claim_reference": "CLM-OWN"}])
    others = {"CLM-WAITS", "CLM-NEW"}
    assert {*names(read(due))} & {*others, "CLM-OWN"} == {*others, "CLM-OWN"}
    assert names(read(due, with_others=False)) == [*(f"CLM-0000{n}" for n in (0, 1, 2, 6)), "CLM-OWN"]


def test_of_more_the_most_urgent_are_read_and_the_last_of_them_is_told(
    due: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(competitors, "MOST_BEFORE", 1)
    monkeypatch.setattr(competitors, "_MOST_OF_OTHERS", 1)
    found = read(due)
    assert names(found) == ["CLM-00000", "CLM-00001", "CLM-00003", "CLM-00006"]
    assert [claim.reference for claim in found.last_read] == ["CLM-00001", "CLM-00003"]
    assert found.known_until is None


def test_it_is_known_until_when_what_comes_due_was_read(
    due: Database, add_claims: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(competitors, "_MOST_WAITING", 1)
    assert read(due).known_until == NOW + timedelta(hours=1)
    add_claims(due, [{"claim_reference": "CLM-NEW"}])
    monkeypatch.setattr(competitors, "_MOST_EDITED", 1)
    assert read(due).known_until == NOW
