"""Parsing a JSON answer takes a small part of a call's time, and no more memory than the size of the answer."""

import json
import time
import tracemalloc
from collections.abc import Callable

import pytest

from recours.carriers import gls, json_api, ups
from recours.carriers.http import LARGEST_ANSWER
from recours.core.claim import Delivery
from tests.fakes.answers import response

SIZE = LARGEST_ANSWER
MOST_S = 5.0

HOSTILE = {
    "empty lists": b"[" + b"[]," * (SIZE // 3) + b"0]",
    "empty objects": b"[" + b"{}," * (SIZE // 3) + b"0]",
    "numbers": b"[" + b"1," * (SIZE // 2) + b"0]",
    "names": b'{"a":0' + b',"a":0' * (SIZE // 6) + b"}",
    "nesting without an end": b"[" * SIZE,
    "lists in UTF-16": ("[" + "[]," * (SIZE // 6) + "0]").encode("utf-16"),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_costs_little(body: bytes) -> None:
    since = time.process_time()
    tracemalloc.start()
    try:
        assert json_api.tree(body) is None
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.process_time() - since < MOST_S
    assert most < len(body)


def ups_answer(length: int) -> object:
    empty: list[object] = [{}] * length
    package = {"trackingNumber": "1Z5R89390357567127", "currentStatus": {"type": "D"}, "activity": empty}
    return {"trackResponse": {"shipment": {"package": package | {"packageAddress": empty}}}}


def gls_answer(length: int) -> object:
    parcels = [{"requested": "ZX00AAAA", "unitno": str(n), "status": "INTRANSIT"} for n in range(length)]
    newest = {"statusDateTime": "2026-10-05T10:31:00+0200", "events": [{}] * length}
    return {"parcels": [parcels[0] | newest, *parcels[1:]]}


@pytest.mark.parametrize(
    "read",
    [
        lambda: ups.parse(response(ups_answer(3000)), "1Z5R89390357567127", Delivery()),
        lambda: gls.parse_tracking(response(gls_answer(8000)), ["ZX00AAAA"]),
    ],
    ids=["ups", "gls"],
)
def test_one_long_list_is_not_read_again_for_each_item_of_another(read: Callable[[], object]) -> None:
    since = time.process_time()
    assert read()
    assert time.process_time() - since < 2


def test_a_document_of_the_largest_size_is_read() -> None:
    document = "QUJD" * (15 * 1024 * 1024 // 4)
    assert json_api.text(json_api.tree(json.dumps({"pod": [document]}).encode()), "pod", 0) == document


def test_a_long_list_of_events_is_read() -> None:
    event = {
        "code": "TA",
        "label": "En cours de livraison, à Lyon",
        "place": {"city": "LYON", "country": None},
    }
    assert (
        len(json_api.items(json_api.tree(json.dumps({"events": [event] * 5000}).encode()), "events")) == 5000
    )
