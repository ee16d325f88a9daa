"""The outcome of a fetch (evidence, or a failure with its sentence), and stored evidence."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, overload

from recours.core.claim import Claim, Delivery
from recours.core.errors import ABOUT_PARCEL, CLOSING_KINDS, ErrorKind
from recours.core.evidence import EvidenceKind, Findings
from recours.core.pauses import Blame, Refusal
from recours.core.sentences import (
    LONGEST_MESSAGE,
    LONGEST_NAME,
    MISTYPED,
    OF_CLIENT,
    Sentence,
    SentenceParts,
    kind_of,
    sentence,
)
from recours.core.text import clean


@dataclass(frozen=True)
class Piece:
    """A piece of evidence as received, not examined yet."""

    content: bytes = field(repr=False)
    source: str  # the carrier and call that returned it, as recorded
    kind: EvidenceKind = EvidenceKind.LETTER
    html: bool = False  # web pages are accepted


@dataclass(frozen=True)
class Retrieved:
    """The outcome of a call that returned evidence. `pieces`: best first."""

    # Attributes of a failure, so that all outcomes have them.
    kind: ClassVar[None] = None
    retry_at: ClassVar[None] = None
    closes_carrier: ClassVar[bool] = False

    pieces: tuple[Piece, ...]
    delivery: Delivery
    is_accepted: bool = False  # accepted by a person, regardless of the examination

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
        """Return this outcome with the evidence of another call added, if there is any."""
        return replace(self, pieces=self.pieces + (other.pieces if isinstance(other, Retrieved) else ()))


@dataclass(frozen=True)
class Failure:
    """The outcome if the carrier returned no evidence, or was not asked. `message`: the English sentence for the log.

    A failure from a carrier's API client may contain secrets and does not name the account; `make_outcome` creates the
    final failure.
    """

    kind: ErrorKind
    message: str
    http_status: int | None = None
    # The time (aware UTC) until which the carrier asked us to wait, if any.
    retry_at: datetime | None = None
    # The delivery, if this fetch learned of it, so that it need not be requested again.
    delivery: Delivery | None = None
    # A code from the carrier that recours does not know, with its context, for the log.
    unknown: str | None = None
    # False only if no connection was made, so that certainly no data was sent.
    connected: bool = True
    resolved: bool = True  # False only if the host name of the carrier could not be resolved
    # Only this claim cannot be fetched now; the account may fetch other claims.
    claim_only: bool = False
    # The sentence that people read, in their language.
    explanation: SentenceParts | None = None

    @property
    def closes_carrier(self) -> bool:
        """Return whether the carrier must not be called again in this run, for any claim."""
        return not self.claim_only and (self.kind in CLOSING_KINDS or self.retry_at is not None)

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
        """Create a failure with this sentence. `words`: the carrier's own text. `facts`: other fields of the failure.

        The log shows the sentence with `detail` appended, or `message` instead. Neither changes what people must do.
        """
        explanation = SentenceParts(
            key, clean(carrier, LONGEST_NAME), clean(words, LONGEST_MESSAGE) if words else ""
        )
        in_log = message or sentence("en", explanation, detail)
        return cls(kind_of(key), in_log, http_status, explanation=explanation, **facts)


Outcome = Retrieved | Failure


def unknown_of(outcome: Outcome) -> list[str]:
    """Return the unknown codes in an outcome, without duplicates."""
    failure_code = outcome.unknown if isinstance(outcome, Failure) else None
    delivery_code = outcome.delivery.unknown if outcome.delivery else None
    return list(dict.fromkeys(code for code in (failure_code, delivery_code) if code))


class CallError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class NoTokenError(CallError):
    """Raised if a call is not made because another thread could not get the required token."""


_HEAD = 4096  # bytes of a page that are examined

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
    """Return a document's media type by its first bytes; None: unknown. `html`: accept web pages."""
    if html and _PAGE_START.match(content[:_HEAD]):
        return "text/html"
    return next((kind for start, kind in _SIGNATURES if content.startswith(start)), None)


class NotADocumentError(Exception):
    """Raised if a file's content is not a document. The message is a phrase that says why."""


BY_HAND = "by hand"  # the source of a file that a person attached


@dataclass(frozen=True)
class StoredDocument:
    """A stored piece of evidence."""

    path: str  # absolute
    sha256: str
    size: int  # bytes
    media_type: str
    delivery: Delivery  # the delivery according to sources other than the document
    source: str
    kind: EvidenceKind = EvidenceKind.LETTER
    findings: Findings = field(default_factory=Findings)
    refused: str | None = None  # why the document was rejected, as a phrase; None: it was not


@dataclass(frozen=True, kw_only=True)
class RecordedEvidence(StoredDocument):
    """A piece of evidence as recorded in the database."""

    claim_id: Any
    carrier: str
    number: str
    obtained_at: datetime
    run_id: str | None = None
    by: str | None = None  # the person who attached it


# The kinds that make an attempt a success, best first. Tracking records are not proofs, as recours writes them itself.
PROOF_KINDS = (EvidenceKind.LETTER, EvidenceKind.SIGNATURE, EvidenceKind.PHOTO)


def best_proof(documents: Iterable[StoredDocument]) -> StoredDocument | None:
    """Return the best of the accepted documents: a letter, else a signature, else a photo; None if there is none."""
    proofs = (document for document in documents if document.refused is None and document.kind in PROOF_KINDS)
    return min(proofs, key=lambda document: PROOF_KINDS.index(document.kind), default=None)


class RecoveredEvidence(NamedTuple):
    """Evidence that dead runs stored for a claim. `is_complete`: it is a whole answer and starts with a proof."""

    documents: tuple[StoredDocument, ...] = ()
    is_complete: bool = False


@dataclass(frozen=True)
class Label:
    """The values that make up a stored document's name and identify the document later."""

    carrier: str
    claim_id: Any
    reference: str
    number: str
    client: str = ""  # the client's key in the claims service; a document is only found for the same client


# ---------------------------------------------------------------- from answers to outcomes
# A carrier's API client parses the answer. `make_outcome` adds what that client does not know: which account was used,
# which parcel the answer is about, what caused a rejection, and how long to wait. The result is final.


_OF_THE_NUMBER = frozenset({ErrorKind.NOT_FOUND, ErrorKind.INVALID_TRACKING})

# Errors that a carrier may return for any parcel without a document, whether it was delivered or not.
_SHOWS_NOTHING_UNTRACKED = (ABOUT_PARCEL | {ErrorKind.ACCESS_DENIED}) - {ErrorKind.POD_NEVER_AVAILABLE}


@dataclass(frozen=True)
class Case:
    """The context of a call, without the carrier's answer."""

    carrier: str = ""  # the carrier's name
    client: str = ""  # the address of the client whose account was used; "": the default account
    source: str = ""  # where the account's credentials come from
    mask: Callable[[str], str] = str  # hides secrets in the carrier's texts
    delivery: Delivery | None = None  # if this fetch learned of it
    is_assumed: bool = False  # the document was requested before the parcel was tracked
    is_mistyped: bool = False  # the number's check digit is wrong
    retry_at: datetime | None = None  # until when no calls are made for the claim, account or carrier
    blame: Blame | None = None  # what caused a rejection of our account; None: it was not rejected
    documents: Refusal | None = None  # why the account gets no documents, if that is the cause
    # The kind of the account's earlier rejection, if a check could not show whether it still applies.
    unchecked: ErrorKind | None = None
    unusable: str | None = None  # why the document proves nothing; None: it is a proof


class _Statement(NamedTuple):
    kind: ErrorKind
    message: str  # for the log
    explanation: SentenceParts | None


@overload
def make_outcome(answer: Failure, case: Case) -> Failure: ...
@overload
def make_outcome(answer: Outcome, case: Case) -> Outcome: ...
def make_outcome(answer: Outcome, case: Case) -> Outcome:
    """Return the final outcome in this context. `answer`: from the API client, or why no call was made."""
    if isinstance(answer, Failure):
        return _failure(answer, case)
    if case.unusable is None:
        pieces = tuple(replace(piece, source=case.mask(piece.source)) for piece in answer.pieces)
        return replace(answer, pieces=pieces, delivery=_mask_delivery(answer.delivery, case.mask))
    message = f"The carrier sent an invalid document as the proof: {case.unusable}"
    facts = Failure.of(Sentence.PROOF_UNUSABLE, message=message)
    return _failure(facts, replace(case, delivery=answer.delivery))


def refusal_text(answer: Failure, case: Case) -> str:
    """Return the sentence about our account, with the carrier's text and the source of the credentials."""
    text = case.mask(answer.message)
    if case.client and answer.explanation:
        words = case.mask(answer.explanation.words)
        text = sentence("en", replace(answer.explanation, words=words, client=case.client))
    return f"{text} (credentials from {case.source})"


def _failure(answer: Failure, case: Case) -> Failure:
    kind, message, explanation = _statement(answer, case)
    if case.client and explanation and (of_client := OF_CLIENT.get(explanation.key)):
        of_ours = replace(explanation, words="")
        ours, theirs = sentence("en", of_ours), sentence("en", replace(of_ours, key=of_client))
        message = message.replace(ours, theirs)
        explanation = replace(explanation, key=of_client)
    claim_only = answer.claim_only or case.blame in (Blame.DOCUMENTS, Blame.CLAIM_LATER)
    delivery = case.delivery and _mask_delivery(case.delivery, case.mask)
    retry_at = case.retry_at
    if case.is_assumed:
        # If our account gets no documents, track the parcel instead of waiting for a document.
        delivery = None
        retry_at = None if claim_only else retry_at
        if kind in _SHOWS_NOTHING_UNTRACKED:
            kind = ErrorKind.POD_NOT_AVAILABLE_YET
            message = f"{message} (asked without tracking the parcel first)"
            explanation = explanation and replace(explanation, key=Sentence.PROOF_UNTRACKED)
    return replace(
        answer,
        kind=kind,
        message=message,
        explanation=explanation,
        retry_at=retry_at,
        delivery=delivery,
        connected=answer.connected or case.unchecked is not None,
        claim_only=claim_only,
        unknown=answer.unknown and case.mask(answer.unknown),
    )


def _statement(answer: Failure, case: Case) -> _Statement:
    """Return the statement about a failure, which may include the carrier's own text."""
    message = case.mask(answer.message)
    explanation = answer.explanation and replace(
        answer.explanation, words=case.mask(answer.explanation.words)
    )
    words = explanation.words if explanation else ""
    if case.unchecked:
        explanation = SentenceParts(Sentence.CREDENTIALS_UNCHECKED, case.carrier, words, case.client)
        return _Statement(
            case.unchecked, f"{sentence('en', replace(explanation, words=''))}: {message}", explanation
        )
    if case.blame is Blame.ACCOUNT:
        of_account = explanation and replace(explanation, client=case.client)
        return _Statement(answer.kind, refusal_text(answer, case), of_account)
    if case.documents:
        return _Statement(case.documents.kind, case.documents.reason, case.documents.explanation)
    if case.blame is Blame.CLAIM_LATER:
        message = f"{message} (only for this parcel: {case.carrier} returns others)"
    elif case.blame is not None:
        explanation = SentenceParts(Sentence.PARCEL_DENIED, case.carrier, words)
        return _Statement(kind_of(explanation.key), sentence("en", explanation), explanation)
    elif case.is_mistyped and answer.kind in _OF_THE_NUMBER:
        message = f"{message} (wrong check digit; the number may be mistyped)"
        explanation = explanation and replace(explanation, key=MISTYPED.get(explanation.key, explanation.key))
    return _Statement(answer.kind, message, explanation)


def _mask_delivery(delivery: Delivery, mask: Callable[[str], str]) -> Delivery:
    names = ("signatory", "unknown", "place", "label")
    texts: dict[str, Any] = {name: mask(text) for name in names if (text := getattr(delivery, name))}
    return replace(delivery, **texts)


# ---------------------------------------------------------------- a delivery without a document
# Some carriers issue no documents, or none for some parcels. recours then stores a record of the tracking data, which
# is evidence but does not make the claim a success.


MEDIA_TYPE = "application/json"


def delivery_to_record(claim: Claim, failure: Failure) -> Delivery | None:
    """Return the delivery to record; None: there may still be other evidence, or the day is unknown."""
    if failure.kind is not ErrorKind.POD_NEVER_AVAILABLE:
        return None
    delivery = failure.delivery or claim.state.delivery
    return delivery if delivery and delivery.latest and not delivery.is_assumed else None


def record_of(claim: Claim, delivery: Delivery) -> Piece:
    """Return the tracking record of a delivery. Equal facts give equal bytes (sorted keys, no whitespace, UTF-8)."""
    facts = {
        "carrier": claim.carrier,
        "reference": claim.reference,
        "tracking_number": claim.number,
        "status": delivery.label or "delivered",
        "delivered_at": delivery.at and delivery.at.isoformat(),
        "delivered_day": delivery.day and delivery.day.isoformat(),
        "place": delivery.place,
        "signatory": delivery.signatory,
    }
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Piece(text.encode(), f"{claim.carrier} tracking", EvidenceKind.RECORD)


def record_findings(delivery: Delivery) -> Findings:
    """Return the findings of a tracking record. The time is the carrier's, in UTC."""
    at = delivery.at or delivery.day
    return Findings(
        is_readable=True,
        number=True,
        signatory=delivery.signatory,
        delivered=at.isoformat() if at else None,
        place=delivery.place,
    )
