"""What an attempt ended with, and the first thing that tells a document from what is none."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from recours.core.appraisal import EvidenceKind, Shown
from recours.core.claim import Delivery
from recours.core.errors import REFUSED_KINDS, ErrorKind
from recours.core.sentences import LONGEST_MESSAGE, LONGEST_NAME, Said, Sentence, kind_of, sentence
from recours.core.text import clean


@dataclass(frozen=True)
class Piece:
    """A piece of evidence as it came. Whether it shows anything is for the appraisal to say."""

    content: bytes = field(repr=False)
    source: str  # which call of which carrier, for the record
    kind: EvidenceKind = EvidenceKind.LETTER
    html: bool = False  # it may be a web page


@dataclass(frozen=True)
class Retrieved:
    """The carrier gave evidence: its pieces, the best first."""

    pieces: tuple[Piece, ...]
    delivery: Delivery
    is_accepted: bool = False  # a person vouches for them, whatever the appraisal says

    @classmethod
    def single(
        cls,
        content: bytes,
        delivery: Delivery,
        source: str,
        *,
        html: bool = False,
        kind: EvidenceKind = EvidenceKind.LETTER,
    ) -> "Retrieved":
        return cls((Piece(content, source, kind, html),), delivery)

    @property
    def best(self) -> Piece:
        return self.pieces[0]

    def with_pieces_of(self, other: "Outcome | None") -> "Retrieved":
        """The same and what another call brought, if it brought anything."""
        return replace(self, pieces=self.pieces + (other.pieces if isinstance(other, Retrieved) else ()))


@dataclass(frozen=True)
class Failure:
    """The carrier gave none, or was not asked. `message` is the English sentence of the log.

    As a carrier's client tells it, it may hold secrets and says nothing of the account: `make_outcome` makes the one that
    counts.
    """

    kind: ErrorKind
    message: str
    http_status: int | None = None
    # When asked to wait, not before this time (aware UTC); None if the carrier named none.
    retry_at: datetime | None = None
    # Learnt on the way: not to be asked again.
    delivery: Delivery | None = None
    # A code of the carrier's that our tables do not have, with what was seen beside it: to be logged.
    unknown: str | None = None
    # False only if no connection could be made at all: certainly nothing was sent.
    connected: bool = True
    resolved: bool = True  # False only if the name of the carrier's server could not be resolved
    # A refusal of the account that is this claim's alone: others may be asked about.
    alone: bool = False
    # What people read, in their language.
    said: Said | None = None

    @property
    def closes_carrier(self) -> bool:
        """Tell whether the carrier is not to be called again in this run, whatever the claim."""
        is_closing = self.kind in REFUSED_KINDS or self.kind is ErrorKind.RATE_LIMITED
        return not self.alone and (is_closing or self.retry_at is not None)

    @classmethod
    def of(
        cls,
        key: Sentence,
        carrier: str = "",
        words: str | None = None,
        http_status: int | None = None,
        *,
        detail: str = "",
        message: str | None = None,
        **facts: Any,
    ) -> "Failure":
        """A failure that this sentence tells of. `words`: the carrier's own.

        The log has the sentence with a `detail`, or a `message` in its place: what nobody would act on differently.
        `facts`: other fields of the failure.
        """
        said = Said(key, clean(carrier, LONGEST_NAME), clean(words, LONGEST_MESSAGE) if words else "")
        in_log = message or sentence("en", said, detail)
        return cls(kind_of(key), in_log, http_status, said=said, **facts)


Outcome = Retrieved | Failure


def unknown_of(outcome: Outcome) -> list[str]:
    """What an outcome tells of that no table here knows, each once."""
    of_failure = outcome.unknown if isinstance(outcome, Failure) else None
    of_delivery = outcome.delivery.unknown if outcome.delivery else None
    return list(dict.fromkeys(seen for seen in (of_failure, of_delivery) if seen))


class CallError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class NoTokenError(CallError):
    """The call was not made: another thread asked for the token that it needs, and was given none."""


# ---------------------------------------------------------------- what bytes begin as

_HEAD = 4096  # bytes: what of a page is looked at

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"GIF87a", "image/gif"),  # signatures of UPS and DHL Parcel (two public sources)
    (b"GIF89a", "image/gif"),
)
_PAGE_START = re.compile(
    rb"(\xef\xbb\xbf)?\s*(<!doctype\s+html|<html|<!--.*?-->\s*<html)[\s>]", re.IGNORECASE | re.DOTALL
)


def begins_as(content: bytes, *, html: bool = False) -> str | None:
    """The media type of a document that begins so, None if none does; `html`: a web page is one too."""
    if html and _PAGE_START.match(content[:_HEAD]):
        return "text/html"
    return next((kind for start, kind in _SIGNATURES if content.startswith(start)), None)


# ---------------------------------------------------------------- documents


class NotADocumentError(Exception):
    """What a carrier sent as a document is none. The text says why."""


BY_HAND = "by hand"  # the source of a file that a person attached


@dataclass(frozen=True)
class StoredDocument:
    """Where a piece of evidence lies, and what it is."""

    path: str  # absolute
    sha256: str
    size: int  # bytes
    media_type: str
    delivery: Delivery  # what is known of the delivery beside it
    source: str
    kind: EvidenceKind = EvidenceKind.LETTER
    shown: Shown = field(default_factory=Shown)
    refused: str | None = None  # why it proves nothing, as a phrase; None: it may prove something


# What makes an attempt a success, the better first. A record does not: recours wrote it.
PROOF_KINDS = (EvidenceKind.LETTER, EvidenceKind.SIGNATURE, EvidenceKind.PHOTO)


def best_proof(stored: Iterable[StoredDocument]) -> StoredDocument | None:
    """The one that makes an attempt a success: a letter before a signature or a photo alone, else as they were listed."""
    proofs = (one for one in stored if one.refused is None and one.kind in PROOF_KINDS)
    return min(proofs, key=lambda one: PROOF_KINDS.index(one.kind), default=None)


@dataclass(frozen=True)
class Kept:
    """What runs that died had stored of a claim. `is_complete`: all of an answer that proves something, which comes first."""

    documents: tuple[StoredDocument, ...] = ()
    is_complete: bool = False


@dataclass(frozen=True)
class Label:
    """What a stored document's name is made of, and what it is found by again."""

    carrier: str
    claim_id: Any
    reference: str
    number: str
    client: str = ""  # the service's key of the client: a document is found again only for the same one
