"""A claim's number, the end of its deadline, its owner, and the stored facts of its delivery."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from recours.core.claim import Claim, Delivery, deadline_end, tidy_number

PARIS = ZoneInfo("Europe/Paris")
AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (None, None),
        ("", None),
        (" \t\n", None),
        ("\u00a0\u202f", None),
        ("xy123456789fr", "XY123456789FR"),
        (" XY 123 456 789 FR\n", "XY123456789FR"),
        ("XY\u00a0123\u202f456789FR", "XY123456789FR"),
        (1234567890, "1234567890"),
        (0, "0"),
    ],
)
def test_a_number_is_read_as_people_write_it(raw: object, number: str | None) -> None:
    assert tidy_number(raw) == number


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (date(2026, 2, 6), datetime(2026, 2, 6, 23, tzinfo=UTC)),
        (date(2026, 7, 14), datetime(2026, 7, 14, 22, tzinfo=UTC)),
        # The days on which the clocks change: summer time begins, and ends.
        (date(2026, 3, 28), datetime(2026, 3, 28, 23, tzinfo=UTC)),
        (date(2026, 3, 29), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        (date(2026, 10, 24), datetime(2026, 10, 24, 22, tzinfo=UTC)),
        (date(2026, 10, 25), datetime(2026, 10, 25, 23, tzinfo=UTC)),
    ],
)
def test_a_deadline_counts_to_the_end_of_its_day_in_paris(day: date, end: datetime) -> None:
    assert deadline_end(day, PARIS) == end
    assert deadline_end(day, PARIS).tzinfo == UTC


def test_the_last_day_of_the_year_9999_has_an_end() -> None:
    assert deadline_end(date.max, PARIS) == datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "pending"),
    [("pending", True), ("fetching", True), ("failed", False), ("success", False), (None, False)],
)
def test_a_claim_is_pending_until_its_first_fetch_ends(status: str | None, pending: bool) -> None:
    assert Claim(1, "CLM-1", fetch_status=status).is_pending == pending


@pytest.mark.parametrize(
    "delivery",
    [
        Delivery(),
        Delivery(AT, "DUPONT", place="LILLE, FRONT DOOR", label="Livré"),
        Delivery(None, None, date(2026, 10, 5), place="LILLE"),
    ],
)
def test_a_stored_delivery_is_read_again(delivery: Delivery) -> None:
    result = Delivery.from_json(delivery.as_json())
    assert (result, result.place, result.label) == (delivery, delivery.place, delivery.label)


def test_an_earlier_place_and_status_complete_a_delivery() -> None:
    result = Delivery(AT).completed_by(Delivery(None, "DUPONT", place="LILLE", label="Livré"))
    assert (result.signatory, result.place, result.label) == ("DUPONT", "LILLE", "Livré")
