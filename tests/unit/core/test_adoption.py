"""Which claims count as new since the adoption of a database."""

from datetime import UTC, datetime, timedelta

import pytest

from recours.core.policy import Adoption, EnrollNew

AT = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
NOW = AT + timedelta(days=20)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def adoption(highest: int | None = 100, *, added: bool = True, decided: bool = False) -> Adoption:
    return Adoption(AT, highest, added, decided)


@pytest.mark.parametrize(
    ("claim_id", "created_at", "is_new"),
    [
        (101, AT + HOUR, True),
        (99, AT + HOUR, True),  # ids that do not increase
        (100, AT - HOUR, False),
        (101, AT - HOUR, True),  # written in a time zone behind UTC
        (101, AT - 2 * DAY, False),  # an old claim that was imported later
        (99, AT, False),
        (101, None, True),  # no creation time, or an unreadable one
        (100, None, False),
        (101, NOW + 2 * DAY, True),  # a creation time in the future has no meaning
        (100, NOW + 2 * DAY, False),
        (None, AT + HOUR, True),  # ids that are not numbers
        (None, AT - HOUR, False),
        (None, None, False),
    ],
)
def test_the_creation_time_decides_and_if_unknown_the_id(
    claim_id: int | None, created_at: datetime | None, is_new: bool
) -> None:
    assert adoption().is_new(claim_id, created_at, NOW) is is_new


def test_if_there_was_no_claim_at_adoption_every_claim_is_new() -> None:
    assert adoption(None).is_new(1, None, NOW)


@pytest.mark.parametrize(
    ("setting", "added", "enrolls"),
    [
        (EnrollNew.AUTO, True, True),
        (EnrollNew.AUTO, False, False),
        (EnrollNew.TRUE, False, True),
        (EnrollNew.FALSE, True, False),
    ],
)
def test_new_claims_are_enrolled_if_the_service_cannot_request_it(
    setting: EnrollNew, added: bool, enrolls: bool
) -> None:
    assert adoption(added=added).enrolls_new(setting) is enrolls


def test_adoption_is_undecided_until_a_person_decides() -> None:
    assert adoption().is_undecided(EnrollNew.AUTO)
    assert adoption().is_undecided(EnrollNew.TRUE)
    assert not adoption().is_undecided(EnrollNew.FALSE)
    assert not adoption(decided=True).is_undecided(EnrollNew.AUTO)
