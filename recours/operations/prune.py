"""What is past its keeping time goes: documents, signatories, attempts, and the texts of events and mails.

The order within a part is what makes a crash harmless. The claims are leased first, so that no run fetches them. Then the
files go, and only then the rows that name them: a row is all that knows of a file, so a file whose row went first would
stay for ever. A prune that dies in between leaves rows whose files are gone; the next one finds
the same rows, counts a file that is gone as deleted, and goes on. A file that cannot be deleted keeps its row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class CarrierShare:
    """What of one carrier would go. `carrier`: its key, or the name that the claims had."""

    carrier: str
    attempts: int
    documents: int
    size: int  # of the documents, in bytes
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True)
class PruneForecast:
    """What would go."""

    shares: Sequence[CarrierShare] = ()
    deliveries: int = 0  # claims that gave up, and still know who signed
    events: int = 0  # whose facts go
    mails: int = 0  # that ended, whose text goes
    changes: int = (
        0  # of claims: edits, payments, what people decided; what they did to carriers, accounts and mails
    )
    evidence: int = 0  # beside the documents of attempts: further pieces, refused ones, records

    @property
    def is_empty(self) -> bool:
        rest = self.deliveries, self.events, self.mails, self.changes, self.evidence
        return not (self.shares or any(rest))


@dataclass(frozen=True)
class OldAttempt:
    """An attempt past its keeping time, with its document."""

    id: int
    claim_id: Any
    document_path: str | None
    document_sha256: str | None
    document_size: int = 0
    is_shared: bool = False  # a later attempt brought the very same document: its file stays


@dataclass(frozen=True)
class Part:
    """Some of them, whose claims are leased."""

    attempts: Sequence[OldAttempt]
    last: int  # up to which attempt was looked


class Past(Protocol):
    """What the database keeps of the time before. Each of these is one or two short transactions."""

    def outlook(self, before: datetime, now: datetime) -> PruneForecast:
        """What would go."""

    def take(self, before: datetime, now: datetime, last: int) -> Part | None:
        """The next attempts after `last` of claims that are not tried any more, which are leased; None: there are no more."""

    def take_evidence(self, before: datetime, now: datetime, last: int) -> Part | None:
        """The same of pieces of evidence, of which attempts may know nothing."""

    def forget_evidence(self, part: Part, gone: Sequence[OldAttempt], now: datetime) -> None:
        """Delete the pieces that are `gone`, and release all claims."""

    def forget(self, part: Part, gone: Sequence[OldAttempt], now: datetime) -> None:
        """Delete the attempts that are `gone`, say in their claims that there is no document, and release all claims.

        The next manifest says that their files were erased.
        """

    def forget_deliveries(self, before: datetime, now: datetime) -> int:
        """Have claims that gave up not know any more who signed; how many, 0 when there are no more."""

    def forget_events(self, before: datetime) -> int:
        """Empty the facts of events; how many, 0 when there are no more."""

    def forget_mails(self, before: datetime) -> int:
        """Empty the text of mails that ended; how many, 0 when there are no more."""

    def forget_changes(self, before: datetime) -> int:
        """Delete what happened to claims, and what people did; how many, 0 when there are no more."""


Erase = Callable[[str, str], str | None]  # a path and its SHA-256; why it could not be deleted


@dataclass
class Pruned:
    """What went, and what could not."""

    attempts: int = 0
    documents: int = 0
    size: int = 0  # bytes
    deliveries: int = 0
    events: int = 0
    mails: int = 0
    changes: int = 0
    evidence: int = 0
    left: dict[str, str] = field(default_factory=dict)  # files that could not be deleted, and why


def prune(past: Past, erase: Erase, before: datetime, now: Callable[[], datetime]) -> Pruned:
    """Have all of it go, a part at a time, so that runs go on meanwhile. Raises RunError."""
    done = Pruned()

    last = 0
    while part := past.take(before, now(), last):
        last = part.last
        gone = [attempt for attempt in part.attempts if _erased(attempt, erase, done)]
        past.forget(part, gone, now())
        done.attempts += len(gone)
    last = 0
    while part := past.take_evidence(before, now(), last):
        last = part.last
        gone = [piece for piece in part.attempts if _erased(piece, erase, done)]
        past.forget_evidence(part, gone, now())
        done.evidence += len(gone)
    done.deliveries = sum(_until_none(lambda: past.forget_deliveries(before, now())))
    done.events = sum(_until_none(lambda: past.forget_events(before)))
    done.mails = sum(_until_none(lambda: past.forget_mails(before)))
    done.changes = sum(_until_none(lambda: past.forget_changes(before)))
    return done


def _erased(attempt: OldAttempt, erase: Erase, done: Pruned) -> bool:
    """Delete the document of an attempt, or a piece of evidence; False if that could not be done."""
    path = attempt.document_path
    if path is None or attempt.is_shared:
        return True
    if why := erase(path, attempt.document_sha256 or ""):
        done.left[path] = why
        return False
    done.documents += 1
    done.size += attempt.document_size
    return True


def _until_none(do: Callable[[], int]) -> Iterator[int]:
    while count := do():
        yield count
