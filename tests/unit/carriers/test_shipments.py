"""Which parcel an answer is about: the rule that all carriers share."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recours.carriers.answers import Handover, Scan, Shipment, group_by_number, handover, same_number
from recours.carriers.answers import ParcelStatus as P
from recours.carriers.message import Response
from recours.core.errors import ErrorKind as K
from recours.core.outcome import Failure

NUMBER = "6A00000000017"
START = datetime(2026, 10, 1, 9, tzinfo=UTC)
ANSWER = Response(200, {}, b"")
TABLE = {status.name: status for status in P}


def scans(*told: Any, dated: bool = True) -> tuple[Scan, ...]:
    """A day apart: statuses, or days in between."""
    found, at = [], START
    for each in told:
        if isinstance(each, int):
            at += timedelta(days=each)
            continue
        found.append(
            Scan(status=each, at=at if dated else None, code=each.name if each else "?", label="Un événement")
        )
        at += timedelta(days=1)
    return tuple(found)


def judged(*shipments: Shipment) -> Handover | Failure:
    return handover("Carrier", NUMBER, shipments, ANSWER, TABLE)


def kind_of(*told: Any, dated: bool = True, **more: Any) -> K | None:
    """None: the recipient has it."""
    found = judged(Shipment(scans=scans(*told, dated=dated), **more))
    return found.kind if isinstance(found, Failure) else None


WAYS: list[tuple[tuple[Any, ...], K | None]] = [
    ((), K.NOT_DELIVERED_YET),
    ((None,), K.NOT_DELIVERED_YET),
    ((P.ACCEPTED, P.ON_ITS_WAY), K.NOT_DELIVERED_YET),
    ((P.ACCEPTED, P.ON_ITS_WAY, P.DELIVERED), None),
    ((P.DELIVERED, P.UNCLEAR, P.ON_ITS_WAY), None),
    ((P.AT_A_POINT,), K.NOT_DELIVERED_YET),
    # If the parcel turns back, the owner of the signature is unknown.
    ((P.GOING_BACK, P.ON_ITS_WAY), K.NOT_DELIVERED_YET),
    ((P.GOING_BACK, P.ON_ITS_WAY, P.DELIVERED), K.RETURNED_TO_SENDER),
    ((P.DELIVERED, P.GOING_BACK), K.NOT_DELIVERED_YET),
    ((P.DELIVERED, P.GOING_BACK, P.DELIVERED), K.RETURNED_TO_SENDER),
    ((P.GOING_BACK, P.ACCEPTED, P.DELIVERED), K.RETURNED_TO_SENDER),  # the way back may be handed over again
    ((P.RETURNED,), K.RETURNED_TO_SENDER),
    ((P.RETURNED, P.DELIVERED), K.RETURNED_TO_SENDER),
    ((P.DELIVERED, P.RETURNED), K.RETURNED_TO_SENDER),
    # Parts.
    ((P.DELIVERED, P.PART_DELIVERED), K.NOT_DELIVERED_YET),
    ((P.PART_DELIVERED, P.DELIVERED), None),
    # The end.
    ((P.DESTROYED, P.ON_ITS_WAY), K.POD_NEVER_AVAILABLE),
    ((P.SEIZED,), K.POD_NEVER_AVAILABLE),
    ((P.PROHIBITED, P.UNCLEAR), K.POD_NEVER_AVAILABLE),
    ((P.CANCELLED,), K.POD_NEVER_AVAILABLE),
    ((P.CANCELLED, P.ON_ITS_WAY), K.NOT_DELIVERED_YET),
    # A reused number.
    ((P.DELIVERED, P.ACCEPTED), K.NOT_DELIVERED_YET),
    ((P.DELIVERED, P.ACCEPTED, P.DELIVERED), None),
    ((P.RETURNED, P.ACCEPTED, P.DELIVERED), None),
    ((P.GOING_BACK, P.RETURNED, P.ACCEPTED, P.ON_ITS_WAY), K.NOT_DELIVERED_YET),
    ((P.CANCELLED, P.ACCEPTED, P.DELIVERED), None),
]


@pytest.mark.parametrize(("told", "kind"), WAYS)
def test_where_a_parcel_is(told: tuple[Any, ...], kind: K | None) -> None:
    assert kind_of(*told) is kind
    assert kind_of(*told, dated=False) is kind
    # Times are more important than the order of the list.
    found = judged(Shipment(scans=scans(*told)[::-1]))
    assert (found.kind if isinstance(found, Failure) else None) is kind


GAPS: list[tuple[tuple[Any, ...], K | None]] = [
    ((P.DELIVERED, 119, P.ON_ITS_WAY), None),
    ((P.DELIVERED, 120, P.ON_ITS_WAY), K.NOT_DELIVERED_YET),
    ((P.DELIVERED, 400, P.AT_A_POINT), K.NOT_DELIVERED_YET),
    ((P.DELIVERED, 400, P.UNCLEAR), None),  # a file about it
    ((P.GOING_BACK, 400, P.ON_ITS_WAY, P.DELIVERED), None),
    ((P.ON_ITS_WAY, 400, P.DELIVERED), None),
]


@pytest.mark.parametrize(("told", "kind"), GAPS)
def test_a_parcel_that_moves_after_months_of_silence_is_another_parcel(
    told: tuple[Any, ...], kind: K | None
) -> None:
    assert kind_of(*told) is kind


PRESENT: list[tuple[P | None, tuple[Any, ...], bool, K | None]] = [
    (P.DELIVERED, (), False, None),
    (P.DELIVERED, (P.ACCEPTED, P.ON_ITS_WAY), False, None),
    (P.DELIVERED, (P.GOING_BACK,), False, K.RETURNED_TO_SENDER),
    (P.DELIVERED, (P.DELIVERED,), True, K.RETURNED_TO_SENDER),
    (P.ON_ITS_WAY, (P.DELIVERED,), False, K.NOT_DELIVERED_YET),
    # It belongs to the previous parcel.
    (P.DELIVERED, (P.DELIVERED, P.ACCEPTED), False, K.NOT_DELIVERED_YET),
    (P.DELIVERED, (P.GOING_BACK, P.RETURNED, P.ACCEPTED, P.DELIVERED), False, None),
]


@pytest.mark.parametrize(("present", "told", "is_return", "kind"), PRESENT)
def test_the_present_status_takes_precedence_over_the_events(
    present: P | None, told: tuple[Any, ...], *, is_return: bool, kind: K | None
) -> None:
    assert kind_of(*told, present=Scan(status=present, label="Maintenant"), is_return=is_return) is kind


def test_the_scans_of_another_parcel_do_not_show_the_delivery() -> None:
    old, _, first, second = told = scans(P.DELIVERED, P.ACCEPTED, P.DELIVERED, P.DELIVERED)
    found = judged(Shipment(scans=told, body="ours"))
    assert isinstance(found, Handover)
    assert (found.scan, found.scans, found.shipment.body) == (second, [second, first], "ours")
    assert old not in found.scans
    present = Scan(status=P.DELIVERED)
    found = judged(Shipment(present=present))
    assert isinstance(found, Handover)
    assert (found.scan, found.scans) == (present, [present])


def test_an_unknown_code_of_a_parcel_on_its_way_is_reported() -> None:
    found = judged(Shipment(scans=scans(P.ON_ITS_WAY, None)))
    assert isinstance(found, Failure)
    assert found.unknown == "the event code ? (Un événement)"


# ---------------------------------------------------------------- whose parcel


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (NUMBER, True),
        (NUMBER.lower(), True),
        (" 6A 0000 0000 017\t", True),
        (f"00{NUMBER}", True),
        ("6A00000000018", False),
        ("6A000000000171", False),
        ("", False),
    ],
)
def test_one_number_may_be_written_in_several_ways(other: str, *, is_same: bool) -> None:
    assert same_number(NUMBER, other) is same_number(other, NUMBER) is is_same


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("12345678901234", True),
        ("12345678901234B", False),
        ("1234567890123", False),
        ("12345678901235", False),
    ],
)
def test_geoposts_check_character_may_be_left_out(other: str, *, is_same: bool) -> None:
    assert same_number("12345678901234A", other) is same_number(other, "12345678901234a") is is_same


def of(*numbers: str, told: tuple[Any, ...] = (P.DELIVERED,), days: int = 0) -> Shipment:
    return Shipment(numbers=numbers, scans=scans(days, *told))


def test_an_answer_about_other_parcels_is_a_bad_response() -> None:
    for shipments in ([of("1")], [of("1"), of("2", "3")], []):
        found = judged(*shipments)
        assert isinstance(found, Failure)
        assert (found.kind, found.delivery) == (K.BAD_RESPONSE, None)
        assert found.message == "Carrier answered about a different parcel"


def test_a_parcel_with_one_of_several_numbers_or_none_is_ours() -> None:
    for shipments in ([of("1", NUMBER)], [of(NUMBER.lower())], [of()], [of("1"), of()]):
        assert isinstance(judged(*shipments), Handover)


def test_the_newest_parcel_with_the_number_counts() -> None:
    new, old = of(NUMBER, told=(P.ON_ITS_WAY,), days=500), of(NUMBER)
    nameless = of(told=(P.DELIVERED,), days=900)
    for shipments in ([old, new], [new, old], [nameless, old, new]):
        assert isinstance(judged(*shipments), Failure)
    present = Shipment(numbers=(NUMBER,), present=Scan(status=P.GOING_BACK, at=START + timedelta(days=700)))
    found = judged(new, present, old)
    assert isinstance(found, Failure)
    assert found.kind is K.NOT_DELIVERED_YET


@pytest.mark.parametrize(
    ("numbers", "items", "found"),
    [
        (["A1", "B2"], ["A1", "B2", "A1"], {"A1": [0, 2], "B2": [1]}),
        (["A1", "B2"], ["a1 ", "0B2"], {"A1": [0], "B2": [1]}),
        (["A1", "B2"], ["C3", ""], {}),
        (["A1"], [""], {"A1": [0]}),
        (["A1"], ["C3"], {}),  # the only one, and another parcel's
        (["01", "001"], ["1", "01"], {"01": [1]}),  # the owner of the first is unknown
        (["12345678901234"], ["12345678901234A"], {"12345678901234": [0]}),
        (["12345678901234A"], ["12345678901234"], {"12345678901234A": [0]}),
        (["12345678901234A"], ["12345678901234B"], {}),
    ],
)
def test_items_are_found_by_their_numbers(
    numbers: list[str], items: list[str], found: dict[str, list[int]]
) -> None:
    told = group_by_number(numbers, enumerate(items), lambda item: [None, item[1]])
    assert {number: [place for place, _ in about] for number, about in told.items()} == found
