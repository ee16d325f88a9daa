"""The number of calls needed to isolate the numbers that make a shared call fail."""

from collections.abc import Collection
from itertools import combinations

import pytest

from recours.carriers.queue import Bundle
from recours.core.outcome import Failure
from recours.core.sentences import Sentence
from recours.runs.ports import ParcelQuery

DOWN = Failure.of(Sentence.UNAVAILABLE, "Listed", None, 500)
SILENT = Failure.of(Sentence.NO_ANSWER, "Listed")
REJECTED = Failure.of(Sentence.NUMBER_REJECTED, "Listed", None, 400)
ON_ITS_WAY = Failure.of(Sentence.NOT_DELIVERED, "Listed")
THIRTY = [str(n) for n in range(30)]


def calls_of(
    bad: Collection[str], failure: Failure = DOWN, *, alone: bool = True
) -> tuple[list[int], Bundle]:
    """The sizes of the calls about thirty numbers; `alone`: whether a bad number also fails alone."""
    bundle = Bundle([ParcelQuery(number, None) for number in THIRTY])
    sizes = []
    while numbers := bundle.next_call(bundle.parcels[0]):
        sizes.append(len(numbers))
        fails = any(number in bad for number in numbers) and (alone or len(numbers) > 1)
        bundle.note_tracking(numbers, failure if fails else dict.fromkeys(numbers, ON_ITS_WAY))
    return sizes, bundle


@pytest.mark.parametrize("failure", [DOWN, REJECTED])
def test_one_number_of_thirty_takes_eleven_calls_at_most(failure: Failure) -> None:
    for bad in THIRTY:
        sizes, bundle = calls_of([bad], failure)
        assert len(sizes) <= 11
        assert (bundle.bad_numbers, bundle.outage, bundle.unanswered) == ({bad}, None, [])


def test_at_most_two_numbers_are_isolated_for_one_bad_number() -> None:
    for bad in THIRTY:
        sizes, bundle = calls_of([bad], alone=False)
        assert len(sizes) <= 11
        assert bad in bundle.bad_numbers
        assert len(bundle.bad_numbers) <= 2


def test_two_bad_numbers_are_an_outage_only_if_the_first_one_fails_alone() -> None:
    for pair in combinations(THIRTY, 2):
        sizes, bundle = calls_of(pair)
        if bundle.outage:
            assert (sizes, "0" in pair) == ([30, 15, 15, 1], True)
        else:
            assert bundle.bad_numbers == set(pair)
            assert len(sizes) <= 22


def test_a_carrier_that_is_down_takes_four_calls() -> None:
    sizes, bundle = calls_of(THIRTY)
    assert (sizes, bundle.outage, bundle.bad_numbers) == ([30, 15, 15, 1], DOWN, set())


def test_failures_of_several_kinds_in_a_row_are_an_outage_too() -> None:
    bundle = Bundle([ParcelQuery(number, None) for number in THIRTY])
    for failure in (REJECTED, DOWN, SILENT, DOWN):
        bundle.note_tracking(bundle.next_call(bundle.parcels[0]), failure)
    assert (bundle.next_call(bundle.parcels[0]), bundle.outage) == ((), DOWN)


def test_if_every_number_is_rejected_the_rest_is_tracked_alone() -> None:
    sizes, bundle = calls_of(THIRTY, REJECTED)
    assert (sizes, bundle.outage, len(bundle.unanswered)) == ([30, 15, 15, 1], None, 29)
