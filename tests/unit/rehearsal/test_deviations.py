"""An answer held against a table: what is named, and what is not."""

import json
from typing import Any

import pytest

from recours.carriers.message import Response
from recours.rehearsal.deviations import examine
from recours.rehearsal.forms import (
    DOCUMENT,
    FLAG,
    LOCAL_TIME,
    ONE_OF,
    TEXT,
    TIME,
    WHOLE,
    Either,
    Operation,
    code,
    open_code,
    soap_operation,
)

PDF = "JVBERi0xLjQK"
FORM = {
    "code": code({"A1", "B2"}),
    "events": [{"at": TIME, "kind?": open_code("X")}],
    "notes?": [TEXT, ...],
    "count?": WHOLE,
    "done?": FLAG,
    "proof?": DOCUMENT,
    "alerts?": Either([TEXT, ...], TEXT),
    "left?": TEXT,
    "right?": TEXT,
    ONE_OF: "left right",
}
SOUND: dict[str, Any] = {
    "code": "A1",
    "events": [{"at": "2026-10-05T10:31:00+02:00", "kind": "Y"}],
    "notes": [],
    "count": 3,
    "done": True,
    "proof": PDF,
    "alerts": "none",
    "left": "",
}


def found(tree: Any, status: int = 200, content_type: str = "application/json;charset=UTF-8") -> list[str]:
    operation = Operation("parcels", "/parcels", FORM, {"message": TEXT}, frozenset({404}))
    body = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return list(examine(Response(status, {"Content-Type": content_type}, body), operation).deviations)


def test_a_sound_answer_has_none() -> None:
    assert found(SOUND) == []
    assert found({"message": "unknown"}, 404) == []
    assert found(SOUND | {"alerts": ["one"], "proof": "", "count": None}) == []


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"code": "C3"}, 'code is "C3", which is in no table'),
        ({"code": 7}, "code is a whole number, documented is a code"),
        ({"code": None}, "code is null"),
        ({"events": []}, "events is an empty list, documented is at least one entry"),
        ({"events": {"at": "2026-10-05T10:31:00Z"}}, "events is an object, documented is a list"),
        (
            {"events": [{"at": "05/10/2026"}]},
            'events[].at is "05/10/2026", documented is a time with an offset',
        ),
        ({"events": [{}]}, "events[].at is missing"),
        ({"events": ["x"]}, "events[] is a text, documented is an object"),
        ({"notes": "x"}, "notes is a text, documented is a list"),
        ({"count": "3"}, "count is a text, documented is a whole number"),
        ({"count": True}, "count is true or false, documented is a whole number"),
        ({"done": "yes"}, "done is a text, documented is true or false"),
        ({"proof": "*"}, "proof is not strict base64"),
        ({"proof": "AAAA"}, "proof is a document of unknown format, it begins with 00 00 00"),
        ({"alerts": 7}, "alerts is a whole number, documented is a text"),
        ({"left": None}, "the answer has none of left, right"),
    ],
)
def test_a_changed_field_is_named(changed: dict[str, Any], named: str) -> None:
    assert found(SOUND | changed) == [named]


def test_what_is_wrong_many_times_is_named_once_with_its_number() -> None:
    operation = Operation("parcels", "/parcels", [{"at": LOCAL_TIME}])
    answer = Response(200, {"Content-Type": "application/json"}, b'[{"at": "x"}, {"at": "x"}, {}]')
    assert dict(examine(answer, operation).deviations) == {
        '[].at is "x", documented is a time without an offset': 2,
        "[].at is missing": 1,
    }


@pytest.mark.parametrize(
    ("tree", "status", "content_type", "named"),
    [
        (SOUND, 418, "application/json", ["HTTP 418 is in no table", "message is missing"]),
        (SOUND, 200, "text/html", ['Content-Type is "text/html", documented is application/json']),
        (SOUND, 200, "", ["Content-Type is missing, documented is application/json"]),
        ({"data": SOUND}, 200, "application/json", ['the answer lies in an extra envelope "data"']),
        ([SOUND], 200, "application/json", ["the answer is a list, documented is an object"]),
        (b"<html>", 200, "application/json", ["the body is not JSON"]),
        (b" ", 200, "application/json", ["the body is empty"]),
        (b"<html>", 503, "text/html", []),
        (b"slow down", 429, "text/plain", []),
    ],
)
def test_a_changed_answer_is_named(tree: Any, status: int, content_type: str, named: list[str]) -> None:
    assert found(tree, status, content_type) == named


def test_fields_without_documentation_are_no_deviations() -> None:
    operation = Operation("parcels", "/parcels", {"a": {"b?": TEXT}})
    answer = Response(200, {"Content-Type": "application/json"}, b'{"a": {"c": 1}, "d\\u001b[2J": 2}')
    seen = examine(answer, operation)
    assert list(seen.deviations) == []
    assert list(seen.undocumented) == ["a.c", "d\\x1b[2J"]


@pytest.mark.parametrize(
    ("inside", "named"),
    [
        ("<status>1</status><event><at>x</at></event><event/>", []),
        ("<status>1</status>", []),
        ("<status>one</status>", ['traceResponse.status is "one", documented is a whole number']),
        (
            "<status>1</status><status>2</status>",
            ["traceResponse.status is a list, documented is a whole number"],
        ),
        ("<status><a/></status>", ["traceResponse.status is an object, documented is a whole number"]),
        ("", ["traceResponse.status is missing"]),
    ],
)
def test_elements_of_xml_are_fields(inside: str, named: list[str]) -> None:
    operation = soap_operation("trace", "/", {"status": WHOLE, "event?": [{"at?": TEXT}, ...]})
    body = f'<s:Envelope xmlns:s="x"><s:Body><traceResponse>{inside}</traceResponse></s:Body></s:Envelope>'
    answer = Response(200, {"Content-Type": "text/xml"}, body.encode())
    assert list(examine(answer, operation).deviations) == named
