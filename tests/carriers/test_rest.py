"""Parsing any JSON answer takes a small part of a call's time, and no more memory than the answer's size."""

import json
import time
import tracemalloc

import pytest

from recours.carriers import json_api
from recours.carriers.http import LARGEST_ANSWER

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
