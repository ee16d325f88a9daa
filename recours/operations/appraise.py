"""Documents that an older version stored, examined by the rules of today: what each shows, and whether it proves anything.

In portions, each recorded at once: an appraisal that is stopped goes on where it was, and what has a row is not read again.
One that proves nothing stays where it is, and so does the claim's `pod_url`, until a person reopens the claim.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Protocol

from recours.core.appraisal import Appraisal, EvidenceKind, Expected, Shown
from recours.core.claim import Delivery
from recours.core.outcome import NotADocumentError, StoredDocument

MOST_NAMED = 1000  # documents that need a person; the rest is counted


@dataclass(frozen=True)
class OldDocument:
    """A document that an attempt names, and of which nothing else is on record."""

    claim_id: Any
    reference: str  # "": the service has deleted the claim
    carrier: str
    number: str
    path: str
    sha256: str
    size: int
    media_type: str
    source: str
    run_id: str
    obtained_at: datetime
    delivery: Delivery

    def stored(self, found: Appraisal) -> StoredDocument:
        return StoredDocument(
            self.path,
            self.sha256,
            self.size,
            self.media_type,
            self.delivery,
            self.source,
            EvidenceKind.LETTER,
            found.shown,
            found.hollow,
        )


class Flaw(StrEnum):
    """Why a person has to see to a document."""

    HOLLOW = "hollow"  # it proves nothing
    CHANGED = "changed"  # it is not what was stored
    UNREADABLE = "unreadable"  # it is missing, or cannot be read


@dataclass(frozen=True)
class FlawedDocument:
    document: OldDocument
    flaw: Flaw
    reason: str = ""


class Unexamined(Protocol):
    """The documents of a database of which nothing is on record but their attempt."""

    def portions(self, claims: Collection[Any] | None) -> Iterator[Sequence[OldDocument]]:
        """All of these claims, a portion at a time in memory; None: of all claims."""

    def adopt(self, examined: Sequence[tuple[OldDocument, StoredDocument]], who: str, now: datetime) -> None:
        """Record them as evidence, and in the chain of custody."""


@dataclass
class Appraised:
    """What was found. `examined`: how many could be, hollow ones among them."""

    examined: int = 0
    flaws: Counter[Flaw] = field(default_factory=Counter)
    flawed: list[FlawedDocument] = field(default_factory=list)  # the first MOST_NAMED

    def add(self, document: OldDocument, flaw: Flaw, reason: str) -> None:
        self.flaws[flaw] += 1
        if len(self.flawed) < MOST_NAMED:
            self.flawed.append(FlawedDocument(document, flaw, reason))


Read = Callable[[str], bytes]  # raises NotADocumentError
Appraise = Callable[[bytes, Expected], Appraisal]  # the same


def appraise(
    unexamined: Unexamined,
    claims: Collection[Any] | None,
    read: Read,
    appraise_one: Appraise,
    who: str,
    clock: Callable[[], datetime],
    *,
    dry_run: bool,
) -> Appraised:
    """Examine the documents of these claims (None: of all) of which it is not known what they show."""
    done = Appraised()
    for portion in unexamined.portions(claims):
        found = [(document, _examine(document, read, appraise_one, done)) for document in portion]
        examined = [(document, document.stored(appraisal)) for document, appraisal in found if appraisal]
        done.examined += len(examined)
        if examined and not dry_run:
            unexamined.adopt(examined, who, clock())
    return done


def _examine(document: OldDocument, read: Read, appraise_one: Appraise, done: Appraised) -> Appraisal | None:
    """None: there is nothing to examine."""
    try:
        content = read(document.path)
    except NotADocumentError as why:
        done.add(document, Flaw.UNREADABLE, str(why))
        return None
    if sha256(content).hexdigest() != document.sha256:
        done.add(document, Flaw.CHANGED, "its SHA-256 is not the one that was recorded")
        return None
    try:
        found = appraise_one(content, Expected(document.carrier, document.number))
    except NotADocumentError as why:
        found = Appraisal(Shown(), str(why))
    if found.hollow:
        done.add(document, Flaw.HOLLOW, found.hollow)
    return found
