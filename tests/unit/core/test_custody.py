import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recours.core.custody import (
    Breach,
    BreachKind,
    ChainCheck,
    CustodyEntry,
    CustodyEvent,
    FileCheck,
    FileRow,
    FileState,
    Head,
    Record,
    hash_of,
    links,
    shown_time,
    text_of,
)


def check_chain(records: Iterable[Record], head: Head | None) -> Iterator[Breach]:
    """All that is wrong with a chain, in its order."""
    check = ChainCheck()
    for record in records:
        yield from check.add(record)
    yield from check.end(head)


COUNT = 10_000
AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)
# Where a change is made: at both ends, beside them, and within.
PLACES = (1, 2, 5_000, COUNT)


def entry(n: int, **changes: Any) -> CustodyEntry:
    made = CustodyEntry(
        CustodyEvent.STORED,
        AT + timedelta(minutes=n),
        "pod_retry_scheduler",
        n,
        f"CLM-{n:05}",
        "chronopost",
        f"XY{n:09}FR",
        f"{n:064x}",
        1000 + n,
        "application/pdf",
        "letter",
        "chronopost searchPOD",
        "0" * 32,
        AT + timedelta(minutes=n, seconds=-3),
    )
    return replace(made, **changes)


CHAIN = links(Head(), (entry(n) for n in range(1, COUNT + 1)))
HEAD = Head(COUNT, CHAIN[-1].hash)


def with_record(place: int, record: Record) -> list[Record]:
    return [*CHAIN[: place - 1], record, *CHAIN[place:]]


def renumbered(records: list[Record]) -> list[Record]:
    return [replace(record, sequence=n) for n, record in enumerate(records, 1)]


def forged(place: int, **changes: Any) -> Record:
    """A record written anew, whose hash fits its text."""
    before = CHAIN[place - 2].hash if place > 1 else Head().hash
    text = text_of(place, entry(place, **changes))
    return Record(place, place, text, before, hash_of(before, text))


def only(breaches: Iterator[Breach]) -> tuple[BreachKind, int | None, int | None]:
    (breach,) = breaches
    return breach.kind, breach.first, breach.last


def test_an_untouched_chain_has_no_fault() -> None:
    assert not list(check_chain(CHAIN, HEAD))
    assert not list(check_chain([], Head()))


def test_the_form_of_a_record_is_fixed() -> None:
    """docs/evidence.md describes it: what was written by this version must be verified by every later one."""
    record = CHAIN[0]
    assert record.text == (
        '{"at":"2026-10-05T08:32:00.000000Z","by":"pod_retry_scheduler","called_at":"2026-10-05T08:31:57.000000Z",'
        '"carrier":"chronopost","claim_id":1,"kind":"letter","media_type":"application/pdf","number":"XY000000001FR",'
        f'"reference":"CLM-00001","run_id":"{"0" * 32}","sequence":1,"sha256":"{1:064x}","size":1001,'
        '"source":"chronopost searchPOD","version":1,"what":"stored"}'
    )
    assert record.hash == "4889d33f13880a7beb51b19c27fc76b3aaa56470dba01efcdc2eb6af00c0bc59"
    assert record.previous == "0" * 64


@pytest.mark.parametrize("place", PLACES)
def test_each_changed_fact_of_a_record_is_located(place: int) -> None:
    record = CHAIN[place - 1]
    facts = json.loads(record.text)
    for name in facts:
        text = json.dumps(facts | {name: "7"}, sort_keys=True, separators=(",", ":"))
        breaches = check_chain(with_record(place, replace(record, text=text)), HEAD)
        assert only(breaches) == (BreachKind.CHANGED, place, place), name


@pytest.mark.parametrize("place", [1, COUNT])
@pytest.mark.parametrize("text", ["", "[]", "null", "{", "\ud800", "[" * 100_000])
def test_a_text_that_is_none_is_located(place: int, text: str) -> None:
    breaches = check_chain(with_record(place, replace(CHAIN[place - 1], text=text)), HEAD)
    assert only(breaches) == (BreachKind.CHANGED, place, place)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "changes", [{"claim_id": 99_999}, {"previous": "f" * 64}, {"hash": "f" * 64}, {"hash": ""}]
)
def test_each_changed_column_is_located(place: int, changes: dict[str, Any]) -> None:
    breaches = check_chain(with_record(place, replace(CHAIN[place - 1], **changes)), HEAD)
    assert only(breaches) == (BreachKind.CHANGED, place, place)


@pytest.mark.parametrize("place", PLACES)
def test_a_record_that_was_written_anew_with_its_hash_is_located(place: int) -> None:
    breaches = check_chain(with_record(place, forged(place, sha256="e" * 64)), HEAD)
    expected = (
        (BreachKind.END_DIFFERS, COUNT, COUNT) if place == COUNT else (BreachKind.REPLACED, place, place + 1)
    )
    assert only(breaches) == expected


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("count", [1, 3])
def test_deleted_records_are_located(place: int, count: int) -> None:
    last = min(place + count - 1, COUNT)
    breaches = check_chain([*CHAIN[: place - 1], *CHAIN[last:]], HEAD)
    kind = BreachKind.END_MISSING if last == COUNT else BreachKind.MISSING
    assert only(breaches) == (kind, place, last)


def test_a_chain_of_which_all_is_deleted() -> None:
    assert only(check_chain([], HEAD)) == (BreachKind.END_MISSING, 1, COUNT)


@pytest.mark.parametrize("place", PLACES[:-1])
def test_a_deleted_record_is_located_though_the_others_were_renumbered(place: int) -> None:
    breaches = list(check_chain(renumbered([*CHAIN[: place - 1], *CHAIN[place:]]), HEAD))
    assert [(breach.kind, breach.first, breach.detail) for breach in breaches] == [
        (BreachKind.MOVED, place, str(place + 1))
    ]


@pytest.mark.parametrize("place", [*PLACES[1:], COUNT + 1])
def test_an_inserted_record_is_located(place: int) -> None:
    """Those after it had to make room."""
    breaches = check_chain(renumbered([*CHAIN[: place - 1], forged_at(place), *CHAIN[place - 1 :]]), HEAD)
    kind = BreachKind.BEYOND_END if place > COUNT else BreachKind.INSERTED
    assert only(breaches) == (kind, place, place)


def forged_at(place: int) -> Record:
    before, text = CHAIN[place - 2].hash, text_of(place, entry(place, sha256="e" * 64))
    return Record(place, place, text, before, hash_of(before, text))


@pytest.mark.parametrize("sequence", [0, -5])
def test_a_record_before_the_first_is_located(sequence: int) -> None:
    text = text_of(sequence, entry(1))
    before = Record(sequence, 1, text, "f" * 64, hash_of("f" * 64, text))
    assert only(check_chain([before, *CHAIN], HEAD)) == (BreachKind.INSERTED, sequence, sequence)


@pytest.mark.parametrize(("one", "other"), [(1, 2), (17, 18), (17, 5_000), (1, COUNT), (COUNT - 1, COUNT)])
def test_two_swapped_records_are_located(one: int, other: int) -> None:
    records = list(CHAIN)
    records[one - 1], records[other - 1] = records[other - 1], records[one - 1]
    breaches = list(check_chain(renumbered(records), HEAD))
    assert [(breach.kind, breach.first, breach.detail) for breach in breaches] == [
        (BreachKind.MOVED, one, str(other)),
        (BreachKind.MOVED, other, str(one)),
    ]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (None, (BreachKind.HEAD_MISSING, COUNT, COUNT)),
        (Head(COUNT + 3, "a" * 64), (BreachKind.END_MISSING, COUNT + 1, COUNT + 3)),
        (Head(COUNT - 2, CHAIN[COUNT - 3].hash), (BreachKind.BEYOND_END, COUNT - 1, COUNT)),
        (Head(COUNT, "a" * 64), (BreachKind.END_DIFFERS, COUNT, COUNT)),
    ],
)
def test_a_changed_head_is_located(head: Head | None, expected: tuple[BreachKind, int, int]) -> None:
    assert only(check_chain(CHAIN, head)) == expected


def test_any_single_change_at_any_place_is_located_beside_it() -> None:
    chance = random.Random(23)
    changes: list[Callable[[int], list[Record]]] = [
        lambda n: with_record(n, replace(CHAIN[n - 1], text=CHAIN[n - 1].text.replace("stored", "erased"))),
        lambda n: with_record(n, forged(n, size=1)),
        lambda n: [*CHAIN[: n - 1], *CHAIN[n:]],
    ]
    for change in changes:
        for _ in range(10):
            place = chance.randrange(1, COUNT + 1)
            (breach,) = check_chain(change(place), HEAD)
            assert breach.first == place


# ---------------------------------------------------------------- files


def row(*, sha256: str = entry(1).sha256, **changes: Any) -> FileRow:
    of = entry(1)
    facts = {
        "size": of.size, "media_type": of.media_type, "source": of.source, "carrier": of.carrier, "number": of.number,
        "run_id": of.run_id, "called_at": shown_time(AT + timedelta(seconds=57)), "kind": of.kind,
    }  # fmt: skip
    return FileRow(of.reference, "/pods/1.pdf", sha256, facts | changes, is_refused=False)


def as_stored(path: str, size: int | None) -> FileState:
    return FileState(entry(1).sha256, 1001)


def checked(
    records: list[Record], rows: list[FileRow], examine: Callable[[str, int | None], FileState] = as_stored
) -> tuple[list[BreachKind], FileCheck]:
    check = FileCheck(examine)
    return [breach.kind for breach in check.check(records, rows)], check


def test_a_file_that_is_as_it_was_recorded() -> None:
    breaches, check = checked(CHAIN[:1], [row()])
    assert not breaches
    assert (check.files, check.erased) == (1, 0)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (FileState("b" * 64, 1001), BreachKind.FILE_CHANGED),
        (FileState("", 7), BreachKind.FILE_CHANGED),
        (FileState(is_there=False), BreachKind.FILE_MISSING),
        (FileState(trouble="Permission denied"), BreachKind.FILE_UNREADABLE),
    ],
)
def test_a_file_that_is_not(found: FileState, expected: BreachKind) -> None:
    (breach,) = FileCheck(lambda *_: found).check(CHAIN[:1], [row()])
    assert (breach.kind, breach.first, breach.claim, breach.path) == (expected, 1, "CLM-00001", "/pods/1.pdf")


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 1002}, {"media_type": "text/html"}, {"source": "by hand"}, {"carrier": "ups"}, {"number": "X"},
        {"run_id": "1" * 32}, {"called_at": shown_time(AT)}, {"called_at": None}, {"size": None}, {"kind": "photo"},
    ],
)  # fmt: skip
def test_a_row_that_says_otherwise_than_the_record(changes: dict[str, Any]) -> None:
    (breach,) = FileCheck(as_stored).check(CHAIN[:1], [row(**changes)])
    assert (breach.kind, breach.first, breach.detail) == (BreachKind.ROW_DIFFERS, 1, next(iter(changes)))


def test_a_file_that_was_replaced_with_its_row() -> None:
    breaches, _ = checked(CHAIN[:1], [row(sha256="b" * 64)], lambda *_: FileState("b" * 64, 1001))
    assert breaches == [BreachKind.NO_RECORD, BreachKind.ROW_MISSING]


def test_a_row_that_was_deleted() -> None:
    assert checked(CHAIN[:1], [])[0] == [BreachKind.ROW_MISSING]


def test_a_file_without_a_record() -> None:
    assert checked([], [row()])[0] == [BreachKind.NO_RECORD]


def test_an_erased_file_is_not_missed_until_it_is_stored_again() -> None:
    stored, gone, again = entry(1), entry(1, what=CustodyEvent.ERASED), entry(1)
    breaches, check = checked(links(Head(), [stored, gone]), [])
    assert (breaches, check.erased) == ([], 1)
    assert checked(links(Head(), [stored, gone, again]), [])[0] == [BreachKind.ROW_MISSING]
    assert checked(links(Head(), [stored, gone, again]), [row()])[0] == []


def test_the_same_document_that_came_twice() -> None:
    """By two runs: each row is held against its own record."""
    twice = links(Head(), [entry(1), entry(1, run_id="1" * 32)])
    assert checked(twice, [row(), row(run_id="1" * 32)])[0] == []
    assert checked(twice, [row(), row(run_id="2" * 32)])[0] == [BreachKind.ROW_DIFFERS]
