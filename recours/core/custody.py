"""The chain of custody: what happened to each file of evidence, in records of which each holds the hash of the one before.

A record's text is JSON with a fixed form (`text_of`); its hash is SHA-256 over the hash before, a line break and that text
(`hash_of`). docs/evidence.md has a script that computes it again without recours.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

VERSION = 1  # of the form of a record's text
NOTHING_BEFORE = "0" * 64  # what the first record holds as the hash of the one before


class CustodyEvent(StrEnum):
    """What happened to a file. The values are stored."""

    STORED = "stored"  # it came from a carrier, or a run that died had stored it
    REFUSED = "refused"  # it came from a carrier, and proves nothing
    ATTACHED = "attached"  # a person attached it
    ERASED = "erased"  # it was deleted at the end of its keeping time


@dataclass(frozen=True)
class CustodyEntry:
    """What a record says. `by`: the worker, or a person's name. `called_at`: when the attempt began that brought the file."""

    what: CustodyEvent
    at: datetime
    by: str
    claim_id: int
    reference: str
    carrier: str
    number: str
    sha256: str
    size: int  # bytes
    media_type: str | None = None
    kind: str | None = None  # of evidence
    source: str | None = None  # which call of which carrier; or "by hand"
    run_id: str | None = None
    called_at: datetime | None = None


@dataclass(frozen=True)
class Record:
    """A link of the chain, as it is stored. `claim_id` repeats what the text says, to be found by."""

    sequence: int
    claim_id: int
    text: str
    previous: str
    hash: str

    def content(self) -> dict[str, Any]:
        """What the text says; empty if it is not of the form."""
        try:
            found = json.loads(self.text)
        except (ValueError, TypeError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Head:
    """What the chain ends with."""

    sequence: int = 0
    hash: str = NOTHING_BEFORE


def text_of(sequence: int, entry: CustodyEntry) -> str:
    """The text of a record: JSON in ASCII, keys sorted, no blanks, what is not known left out; times in UTC with microseconds."""
    facts = {name: value for name, value in vars(entry).items() if value is not None}
    for name in ("at", "called_at"):
        if name in facts:
            facts[name] = shown_time(facts[name])
    return json.dumps(
        {"version": VERSION, "sequence": sequence, **facts}, sort_keys=True, separators=(",", ":")
    )


def shown_time(at: datetime) -> str:
    """`2026-10-05T08:31:00.000000Z`."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def hash_of(previous: str, text: str) -> str:
    return hashlib.sha256(f"{previous}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()


def links(head: Head, entries: Iterable[CustodyEntry]) -> list[Record]:
    """The records that these entries add to a chain."""
    added: list[Record] = []
    for entry in entries:
        text = text_of(head.sequence + 1, entry)
        record = Record(head.sequence + 1, entry.claim_id, text, head.hash, hash_of(head.hash, text))
        added.append(record)
        head = Head(record.sequence, record.hash)
    return added


@dataclass(frozen=True)
class Stamp:
    """A third party's word that a record was there at a time. `day`: an ISO date; `token`: RFC 3161's answer."""

    day: str
    sequence: int
    hash: str
    nonce: int
    token: bytes
    stamped_at: datetime
    url: str


# ---------------------------------------------------------------- is the chain as it was written?


class BreachKind(StrEnum):
    """What is wrong with the chain, or with a file of it. The values are in the JSON of `recours verify`."""

    CHANGED = "record_changed"
    REPLACED = "record_replaced"
    INSERTED = "record_inserted"
    MISSING = "records_missing"
    MOVED = "record_moved"
    END_MISSING = "end_missing"
    BEYOND_END = "records_beyond_end"
    END_DIFFERS = "end_differs"
    HEAD_MISSING = "head_missing"
    NO_RECORD = "file_without_record"
    ROW_DIFFERS = "row_differs"
    ROW_MISSING = "row_missing"
    FILE_MISSING = "file_missing"
    FILE_CHANGED = "file_changed"
    FILE_UNREADABLE = "file_unreadable"
    NOT_STAMPED = "not_as_stamped"
    BAD_TOKEN = "bad_timestamp"  # noqa: S105 (the name of a breach)


@dataclass(frozen=True)
class Breach:
    """One thing that is wrong. `first` and `last`: the records that it is about; `detail`: what differs, or why."""

    kind: BreachKind
    first: int | None = None
    last: int | None = None
    detail: str = ""
    claim: str | None = None  # its reference, or `id 12` where it is not known
    path: str | None = None


@dataclass
class ChainCheck:
    """Takes a chain's records in their order, one after the other, and names what is wrong with each.

    A record whose text, link and hash fit each other is as it was written, unless its hash was computed anew: then the
    record after it does not follow, or the end differs.
    """

    count: int = 0
    last: Record | None = None
    _number: int = 0  # which one the last record is by its own text
    _follow: frozenset[str] = frozenset({NOTHING_BEFORE})  # hashes that the next record may hold
    _before_last: str = ""
    _offset: int = 0  # how far the last record stands from its own place
    _is_doubtful: bool = False  # something was wrong with the last record: its link to the next is not judged

    def add(self, record: Record) -> Iterator[Breach]:
        self.count += 1
        if record.sequence < 1:
            yield Breach(BreachKind.INSERTED, record.sequence, record.sequence)
            return
        content, computed = record.content(), hash_of(record.previous, record.text)
        number, claim = content.get("sequence"), content.get("reference")
        changed = _what_changed(record, content, computed)
        follows = record.previous in self._follow
        place = self.last.sequence + 1 if self.last else 1
        is_gap, was_doubtful = record.sequence > place, self._is_doubtful
        self._is_doubtful = False
        if is_gap:
            yield Breach(BreachKind.MISSING, place, record.sequence - 1)
        if changed or not isinstance(number, int):
            yield Breach(BreachKind.CHANGED, record.sequence, record.sequence, changed or "text", claim)
            self._is_doubtful = True
        elif not was_doubtful and self._was_inserted(record):
            yield Breach(BreachKind.INSERTED, place - 1, place - 1)
            self._offset = record.sequence - number
        elif record.sequence - number not in (0, self._offset):
            yield Breach(BreachKind.MOVED, record.sequence, record.sequence, str(number), claim)
            self._offset = record.sequence - number
            self._is_doubtful = True
        elif not (follows or is_gap or was_doubtful):
            yield Breach(BreachKind.REPLACED, place - 1, record.sequence)
        self._before_last = self.last.hash if self.last else NOTHING_BEFORE
        self._follow = frozenset({record.hash, computed})
        self._number = number if isinstance(number, int) else record.sequence
        self.last = record

    def _was_inserted(self, record: Record) -> bool:
        """Tell whether the last record was put between the one before it and this one."""
        return self.last is not None and record.previous == self._before_last != self.last.hash

    def end(self, head: Head | None) -> Iterator[Breach]:
        """What is wrong with the end. `head`: what the database says it is."""
        last = self.last.sequence if self.last else 0
        if head is None:
            yield Breach(BreachKind.HEAD_MISSING, last, last)
        elif head.sequence > max(last, self._number):
            yield Breach(BreachKind.END_MISSING, last + 1, head.sequence)
        elif head.sequence < min(last, self._number):
            yield Breach(BreachKind.BEYOND_END, head.sequence + 1, last)
        elif head.hash not in self._follow and not self._is_doubtful:
            yield Breach(BreachKind.END_DIFFERS, last, last)


def _what_changed(record: Record, content: dict[str, Any], computed: str) -> str:
    """Which part of a record does not fit the others; "": all do."""
    if computed != record.hash:
        return "text, link or hash"
    return "" if content.get("claim_id") == record.claim_id else "claim_id"


# ---------------------------------------------------------------- are the files what the records say?


@dataclass(frozen=True)
class FileRow:
    """A file as the database has it now, beside the chain."""

    claim: str  # the claim's reference, or `id 12` if the service has deleted it
    path: str
    sha256: str
    facts: Mapping[str, Any]  # by the keys of a record's text: what the row says
    is_refused: bool | None = (
        None  # whether a piece of evidence proves nothing; None: an attempt names it, no piece
    )


@dataclass(frozen=True)
class FileState:
    """What a file is now. `trouble`: why that could not be read."""

    sha256: str = ""
    size: int = 0
    is_there: bool = True
    trouble: str = ""


@dataclass
class FileCheck:
    """Holds the files of claims against the records. `examine` reads a file, and not to its end if the size differs."""

    examine: Callable[[str, int | None], FileState]
    files: int = 0
    erased: int = 0

    def check(self, records: Sequence[Record], rows: Sequence[FileRow]) -> Iterator[Breach]:
        """What is wrong with one claim's files. `records`: of the claim, in their order."""
        kept = [(record.sequence, content) for record in records if (content := record.content())]
        erased = {_digest(content): n for n, content in kept if content.get("what") == CustodyEvent.ERASED}
        of_file: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        for n, content in kept:
            if content.get("what") != CustodyEvent.ERASED:
                of_file.setdefault(_digest(content), []).append((n, content))
        # An attempt and a piece may both name a file.
        unrecorded = {row.path: row for row in rows if row.sha256 not in of_file}
        for row in unrecorded.values():
            yield Breach(BreachKind.NO_RECORD, claim=row.claim, path=row.path)
        for row in rows:
            if row.sha256 in of_file:
                yield from self._check_row(row, of_file[row.sha256])
        there = {
            row.sha256 for row in rows if row.is_refused is not None
        }  # each record was written with a piece
        for sha256, recorded in of_file.items():
            last, content = recorded[-1]
            if sha256 in erased and erased[sha256] > last:
                self.erased += 1
            elif sha256 not in there:
                claim = str(content.get("reference", ""))
                yield Breach(BreachKind.ROW_MISSING, last, last, f"SHA-256 {sha256[:16]}…", claim)
        yield from self._check_files(rows, kept)

    def _check_row(self, row: FileRow, recorded: Collection[tuple[int, dict[str, Any]]]) -> Iterator[Breach]:
        last, differing = min(
            ((n, _differing(row, content)) for n, content in recorded), key=lambda found: len(found[1])
        )
        if differing:
            yield Breach(BreachKind.ROW_DIFFERS, last, last, ", ".join(differing), row.claim, row.path)

    def _check_files(
        self, rows: Sequence[FileRow], kept: Sequence[tuple[int, dict[str, Any]]]
    ) -> Iterator[Breach]:
        for row in {(row.path, row.sha256): row for row in rows}.values():
            self.files += 1
            found = self.examine(row.path, row.facts.get("size"))
            places = [n for n, content in kept if _digest(content) == row.sha256]
            place = places[-1] if places else None
            about = {"claim": row.claim, "path": row.path}
            if not found.is_there:
                yield Breach(BreachKind.FILE_MISSING, place, place, **about)
            elif found.trouble:
                yield Breach(BreachKind.FILE_UNREADABLE, place, place, found.trouble, **about)
            elif found.sha256 != row.sha256:
                yield Breach(BreachKind.FILE_CHANGED, place, place, **about)


def _digest(content: dict[str, Any]) -> str:
    return str(content.get("sha256", ""))


def _differing(row: FileRow, content: dict[str, Any]) -> list[str]:
    """Which facts of a row are not as they were recorded."""
    differing = [name for name, value in row.facts.items() if name in content and content[name] != value]
    was_refused = {CustodyEvent.REFUSED: True, CustodyEvent.STORED: False, CustodyEvent.ATTACHED: False}
    if row.is_refused not in (None, was_refused.get(content.get("what", ""), row.is_refused)):
        differing.append("refused")
    return differing
