"""`recours verify`: the chain of custody, and the files, held against what was written when they came."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from recours.core.custody import (
    Breach,
    BreachKind,
    ChainCheck,
    FileCheck,
    FileRow,
    FileState,
    Head,
    Record,
    Stamp,
    shown_time,
)


class TokenError(Exception):
    """A timestamp does not prove what it should. The text says why, as a phrase."""


class Custody(Protocol):
    """The chain, and what the database says of the files, while others go on adding to both."""

    def head(self) -> Head | None:
        """What the chain ends with; None: that is not on record."""

    def records(self, after: int | None) -> Iterable[Record]:
        """The chain after that record (None: from its beginning), in its order."""

    def record(self, sequence: int) -> Record | None:
        """The record at that place."""

    def stamps(self) -> Sequence[Stamp]:
        """The timestamps of the chain, the oldest first."""

    def claims(self) -> Iterable[Sequence[int]]:
        """The ids of all claims that have records or files, some at a time."""

    def of_claims(self, ids: Collection[int]) -> Mapping[int, tuple[Sequence[Record], Sequence[FileRow]]]:
        """The records and the files of these claims, by their ids."""


@dataclass
class Verification:
    """What is wrong is found by `breaches`, in one pass; the counts are complete when it has ended."""

    custody: Custody
    chain: ChainCheck = field(default_factory=ChainCheck)
    files: int = 0
    erased: int = 0
    timestamps: int = 0
    stamp: Stamp | None = None  # the last one that is good: up to its record the chain was there then

    def breaches(
        self,
        examine: Callable[[str, int | None], FileState],
        claims: Sequence[int] | None = None,
        verify_token: Callable[[Stamp], datetime] | None = None,
    ) -> Iterator[Breach]:
        """Everything that is wrong: the links of the whole chain, and the files of these claims (None: of all).

        `verify_token` returns the token's own time and raises TokenError; None: timestamps are not verified.
        """
        yield from self._chain()
        if verify_token:
            yield from self._stamps(verify_token)
        for ids in [claims] if claims is not None else self.custody.claims():
            yield from self._files(ids, examine)

    def _chain(self) -> Iterator[Breach]:
        while True:
            count = self.chain.count
            for record in self.custody.records(self.chain.last.sequence if self.chain.last else None):
                yield from self.chain.add(record)
            head = self.custody.head()
            is_behind = head is not None and head.sequence > (
                self.chain.last.sequence if self.chain.last else 0
            )
            if not is_behind or self.chain.count == count:  # else records were added while these were read
                yield from self.chain.end(head)
                return

    def _stamps(self, verify_token: Callable[[Stamp], datetime]) -> Iterator[Breach]:
        for stamp in self.custody.stamps():
            self.timestamps += 1
            record = self.custody.record(stamp.sequence)
            try:
                made_at = verify_token(stamp)
            except TokenError as error:
                yield Breach(BreachKind.BAD_TOKEN, stamp.sequence, stamp.sequence, f"{stamp.day}: {error}")
                continue
            if made_at.replace(microsecond=0) != stamp.stamped_at.replace(microsecond=0):
                differs = f"{stamp.day}: it was made at {shown_time(made_at)}, not at the time beside it"
                yield Breach(BreachKind.BAD_TOKEN, stamp.sequence, stamp.sequence, differs)
            elif record is None or record.hash != stamp.hash:
                yield Breach(BreachKind.NOT_STAMPED, stamp.sequence, stamp.sequence, stamp.day)
            else:
                self.stamp = stamp

    def _files(self, ids: Sequence[int], examine: Callable[[str, int | None], FileState]) -> Iterator[Breach]:
        for claim_id, (records, rows) in self.custody.of_claims(ids).items():
            check = FileCheck(examine)
            breaches = list(check.check(records, rows))
            if breaches:  # it may have been recorded, or erased, between the reads
                check = FileCheck(examine)
                breaches = list(check.check(*self.custody.of_claims([claim_id])[claim_id]))
            self.files += check.files
            self.erased += check.erased
            yield from breaches

    def as_json(self) -> dict[str, Any]:
        last = self.chain.last
        return {
            "records": self.chain.count,
            "files": self.files,
            "erased": self.erased,
            "timestamps": self.timestamps,
            "stamped": {"sequence": stamp.sequence, "at": shown_time(stamp.stamped_at), "url": stamp.url}
            if (stamp := self.stamp)
            else None,
            "last_record": {"sequence": last.sequence, "hash": last.hash} if last else None,
        }


# ---------------------------------------------------------------- what is said

_ASK_WHO = "Find out who can write to the database, and compare it with a backup."
_RESTORE = "Restore it from a backup, and find out who can write to the folder."
_REPLACE = f"Move it away. {_RESTORE}"
_K = BreachKind
# What is wrong, and what to do. `{records}`: "record 5", or "records 5 to 9"; `{is_}`: the verb that goes with it.
_SENTENCES: Mapping[BreachKind, tuple[str, str]] = {
    _K.CHANGED: ("{records} {is_} changed: {detail} no longer fit the rest of it.", _ASK_WHO),
    _K.REPLACED: ("one of {records} was replaced: the second does not follow from the first.", _ASK_WHO),
    _K.INSERTED: ("{records} {is_} inserted.", _ASK_WHO),
    _K.MISSING: ("{records} {is_} deleted.", _ASK_WHO),
    _K.MOVED: ("record {detail} stands in the place of {records}.", _ASK_WHO),
    _K.END_MISSING: ("{records} at the end of the chain {is_} deleted.", _ASK_WHO),
    _K.BEYOND_END: (
        "{records} {is_} inserted after the end, or recours_custody_head was set back.",
        _ASK_WHO,
    ),
    _K.END_DIFFERS: ("{records}, the last one, or recours_custody_head was changed: they differ.", _ASK_WHO),
    _K.HEAD_MISSING: (
        "the table recours_custody_head has no row, so records may be missing after {records}.",
        "No document can be recorded until the row is put back: see docs/evidence.md.",
    ),
    _K.NO_RECORD: (
        "{path} has no record, though its run kept the chain: its row was inserted or changed.",
        _ASK_WHO,
    ),
    _K.ROW_DIFFERS: ("{detail} of {path} in the database is not what {records} says.", _ASK_WHO),
    _K.ROW_MISSING: ("recours_evidence does not name the file of {records} any more ({detail}).", _ASK_WHO),
    _K.NOT_STAMPED: ("{records} is not the one that was stamped on {detail}.", _ASK_WHO),
    _K.BAD_TOKEN: ("the timestamp of {records} proves nothing ({detail}).", _ASK_WHO),
    _K.FILE_MISSING: ("the file {path} is missing.", _RESTORE),
    _K.FILE_CHANGED: ("the file {path} was changed: its SHA-256 is not the recorded one.", _REPLACE),
    _K.FILE_UNREADABLE: (
        "the file {path} cannot be read ({detail}).",
        "Give this user the right to read it.",
    ),
}


def sentence(breach: Breach) -> str:
    """What is wrong, where, and what to do."""
    what, remedy = _SENTENCES[breach.kind]
    if breach.first == breach.last:
        records, is_ = f"record {breach.first}", "was"
    else:
        records, is_ = f"records {breach.first} to {breach.last}", "were"
    said = what.format(records=records, is_=is_, detail=breach.detail, path=breach.path)
    return f"{breach.claim}: {said} {remedy}" if breach.claim else f"{said[0].upper()}{said[1:]} {remedy}"


def breach_as_json(breach: Breach) -> dict[str, Any]:
    return {
        "kind": breach.kind,
        "first_record": breach.first,
        "last_record": breach.last,
        "claim": breach.claim,
        "file": breach.path,
        "text": sentence(breach),
    }
