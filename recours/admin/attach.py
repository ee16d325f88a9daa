"""Attaches proofs that a person provides, for example from a carrier's portal. Attached proofs count like fetched ones.

The claim is leased as for a fetch, so that no run works on it. The file is stored before it is recorded. If the process
dies in between, nothing is lost: the person still has the file, and the next run on the claim finds the stored copy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from recours.core.claim import EARLIEST, Claim, Delivery, FetchStatus
from recours.core.decision import attach as attached
from recours.core.decision import attach_additional
from recours.core.evidence import Appraisal, DocumentFlaw, EvidenceKind, Expected, Findings
from recours.core.outcome import (
    BY_HAND,
    PROOF_KINDS,
    Label,
    NotADocumentError,
    RecordedEvidence,
    Retrieved,
    StoredDocument,
)
from recours.core.policy import Policy
from recours.core.text import clean
from recours.core.translations import N_
from recours.reporting.records import ListedClaim
from recours.runs.ports import Attempt, Lease
from recours.runs.refusals import ClaimRefusal, ClaimsRefusedError, Unfit, UnfitClaimsError
from recours.runs.source import named_state

if TYPE_CHECKING:
    from recours.database.claims import ClaimRepository
    from recours.evidence.store import DocumentStore
    from recours.reporting.reader import DatabaseRecords

LONGEST_NAME = 100  # characters, of a signatory
_LEASE = timedelta(minutes=10)
# Earlier deliveries are implausible: claims against a carrier lapse after a year (Code de commerce, L133-6).
_LONGEST_BEFORE = timedelta(days=366)
_NO_CARRIER = "other"  # the document folder of unknown carriers


class NotAttachedError(ClaimsRefusedError):
    """The file or its details are not accepted. `why`: the key of the sentence."""

    def __init__(self, why: str, **facts: str) -> None:
        super().__init__(REFUSED[why].format(**facts))
        self.why = why
        self.facts = facts


REFUSED: dict[str, str] = {
    "file": N_("{file} cannot be attached: {reason}."),
    "hollow": N_("{file} cannot be attached to {reference}: it is not accepted as a proof ({reason})."),
    "no_piece": N_("{reference} has no proof to detach."),
    "known": N_("{reference} already has this file ({source}); nothing was changed."),
    "no_number": N_(
        "{reference} has no tracking number to check the proof against: enter it in the claim first."
    ),
    "changed": N_("{reference} was changed in the meantime; nothing was attached. Try again."),
    "future": N_("The delivery cannot have been on {at}: that date is in the future."),
    "too_early": N_(
        "The delivery of {reference} cannot have been on {at}: the claim was created on {created}, more than "
        "a year later."
    ),
    "before_all": N_("The delivery cannot have been on {at}: that date is before 2000."),
    "signatory": N_("The name of the signatory is empty."),
    "kind": N_("An attached file must be a letter, a signature or a photo, not '{kind}'."),
}


@dataclass(frozen=True)
class Attachment:
    """`at`: the delivery time, by default in RECOURS_TIMEZONE. `anyway`: why to accept a refused file, or ""."""

    name: str  # the file name, for display
    content: bytes
    by: str  # the person
    kind: EvidenceKind = EvidenceKind.LETTER
    signed_by: str | None = None
    at: date | None = None
    anyway: str = ""


@dataclass(frozen=True)
class Attacher:
    """Attaches files. `appraise` raises NotADocumentError; `token`: the unique token of the lease."""

    records: "DatabaseRecords"
    claims: "ClaimRepository"
    documents: "DocumentStore"
    appraise: Callable[[bytes, Expected], Appraisal]
    policy: Policy
    token: str

    def attach(
        self, listed: ListedClaim, attachment: Attachment, now: datetime
    ) -> tuple[StoredDocument, str]:
        """Store a file as evidence of a claim, and return the document and the claim's `pod_url`.

        Raises NotAttachedError; UnfitClaimsError if a run is fetching the claim; RunError.
        """
        claim = listed.claim
        pieces = self.records.evidence(claim.id)
        digest = sha256(attachment.content).hexdigest()
        duplicate = next((piece for piece in pieces if piece.sha256 == digest), None)
        findings = self._findings(attachment, claim, duplicate)
        delivery = _delivery(attachment, claim, findings, self.policy, now)
        if claim.fetch_status != FetchStatus.SUCCESS:
            claim = replace(claim, state=named_state(claim, self.policy, now))
        lease = Lease(self.token, now + _LEASE)
        leased = self.claims.lease_named(claim, lease, now)
        if leased is None and self.claims.is_leased(claim, now):
            raise UnfitClaimsError(ClaimRefusal(Unfit.LEASED, claim.reference))
        if leased is None:
            raise NotAttachedError("changed", reference=claim.reference)
        try:
            document = self._stored(attachment, claim, delivery, duplicate)
            is_pod = _becomes_pod(document, now, listed, pieces)
            why = attachment.anyway or None
            attempt = Attempt.by_person(
                leased, document, now, by=attachment.by, why=why, is_additional=not is_pod
            )
            decision = attached(leased, delivery, document.findings) if is_pod else attach_additional(leased)
            (is_recorded,) = self.claims.record([(attempt, decision)], lease, now)
        except BaseException:
            self.claims.release([(leased, leased.state)], lease)
            raise
        if not is_recorded:
            raise NotAttachedError("changed", reference=claim.reference)
        self.documents.discard_notes([document])
        return document, document.path if is_pod else listed.pod_url or ""

    def _findings(self, attachment: Attachment, claim: Claim, piece: RecordedEvidence | None) -> Findings:
        """Return what the file shows. Raises NotAttachedError if it proves nothing or is attached already."""
        if attachment.kind not in PROOF_KINDS:
            raise NotAttachedError("kind", kind=attachment.kind)
        if claim.number is None:
            raise NotAttachedError("no_number", reference=claim.reference)
        if piece and piece.refused is None:
            raise NotAttachedError("known", reference=claim.reference, source=piece.source)
        expected = Expected(claim.carrier or "", claim.number, attachment.kind)
        try:
            appraisal = self.appraise(attachment.content, expected)
        except NotADocumentError as why:
            if attachment.anyway:
                return Findings()
            raise NotAttachedError("file", file=clean(attachment.name), reason=str(why)) from why
        # Unlike a carrier's answer, a file is linked to the parcel only by its contents.
        is_foreign = appraisal.findings.number is False
        hollow = appraisal.hollow or (DocumentFlaw.WITHOUT_NUMBER.text() if is_foreign else None)
        if hollow and not attachment.anyway:
            raise _hollow(attachment, claim, hollow)
        return appraisal.findings

    def _stored(
        self, attachment: Attachment, claim: Claim, delivery: Delivery, piece: RecordedEvidence | None
    ) -> StoredDocument:
        label = Label(
            claim.carrier or _NO_CARRIER,
            claim.id,
            claim.reference,
            claim.number or "",
            claim.client_text or "",
        )
        # A file that was refused earlier keeps its source.
        source = piece.source if piece else BY_HAND
        retrieved = Retrieved.single(attachment.content, delivery, source, html=True, kind=attachment.kind)
        (document,) = self.documents.store(label, replace(retrieved, is_accepted=bool(attachment.anyway)))
        if document.refused:
            raise _hollow(attachment, claim, document.refused)
        self.documents.make_durable([document])
        return document


def _hollow(attachment: Attachment, claim: Claim, reason: str) -> NotAttachedError:
    return NotAttachedError("hollow", file=clean(attachment.name), reference=claim.reference, reason=reason)


def _delivery(
    attachment: Attachment, claim: Claim, findings: Findings, policy: Policy, now: datetime
) -> Delivery:
    """Return the delivery as entered by the person. Missing facts come from the file, or else from tracking."""
    signatory = (
        attachment.signed_by if attachment.signed_by is None else clean(attachment.signed_by, LONGEST_NAME)
    )
    if signatory == "":
        raise NotAttachedError("signatory")
    at = None
    day = attachment.at
    if isinstance(attachment.at, datetime):
        at = attachment.at if attachment.at.tzinfo else attachment.at.replace(tzinfo=policy.zone)
        day = None
    if attachment.at:
        _check_time(at or attachment.at, claim, policy, now)
    else:
        # Only the day is used, because the time zone of the place of delivery is unknown.
        day = date.fromisoformat(findings.delivered[:10]) if findings.delivered else None
        day = None if day and day > now.astimezone(policy.zone).date() else day
    stated = Delivery(at, signatory or findings.signatory, day, place=findings.place)
    recorded = claim.state.delivery
    return stated.completed_by(recorded) if recorded and not recorded.is_assumed else stated


def _check_time(at: date, claim: Claim, policy: Policy, now: datetime) -> None:
    """Raise NotAttachedError if the delivery time is impossible. `at`: a day or an aware time."""
    if at.year < EARLIEST.year:
        raise NotAttachedError("before_all", at=at.isoformat())
    if (at > now) if isinstance(at, datetime) else (at > now.astimezone(policy.zone).date()):
        raise NotAttachedError("future", at=at.isoformat())
    day = at.astimezone(policy.zone).date() if isinstance(at, datetime) else at
    created = claim.created_at.astimezone(policy.zone).date() if claim.created_at else None
    if created and created - day > _LONGEST_BEFORE:
        raise NotAttachedError(
            "too_early", reference=claim.reference, at=day.isoformat(), created=created.isoformat()
        )


def _becomes_pod(
    document: StoredDocument, now: datetime, listed: ListedClaim, pieces: Sequence[RecordedEvidence]
) -> bool:
    """Return whether the file becomes the claim's POD: the claim has no POD yet, or a weaker one."""
    if listed.claim.fetch_status != FetchStatus.SUCCESS or not listed.pod_url:
        return True
    present = next((piece for piece in pieces if piece.path == listed.pod_url), None)
    if present is None:
        return False
    return _order(document, now) < _order(present, present.obtained_at)


def proof_to_detach(
    listed: ListedClaim, pieces: Sequence[RecordedEvidence], chosen: str
) -> tuple[RecordedEvidence, RecordedEvidence | None]:
    """Return the proof with this path or SHA-256 ("": the POD), and the best of the others. Raises NotAttachedError."""
    proofs = [piece for piece in pieces if piece.refused is None and piece.kind in PROOF_KINDS]
    names = (chosen or listed.pod_url,)
    piece = next((piece for piece in proofs if piece.path in names or piece.sha256 in names), None)
    if piece is None:
        raise NotAttachedError("no_piece", reference=listed.claim.reference)
    proofs.remove(piece)
    return piece, min(proofs, key=lambda proof: _order(proof, proof.obtained_at), default=None)


def _order(piece: StoredDocument, at: datetime) -> tuple[int, bool, bool, float]:
    """Return the sort key of a piece of evidence, best first. `at`: when the piece was obtained.

    Order of kinds: letters, signatures, photos. Within a kind: signed, then the carrier's, then the latest pieces.
    """
    is_signed = bool(piece.delivery.signatory or piece.findings.signatory or piece.findings.has_signature)
    place = PROOF_KINDS.index(piece.kind) if piece.kind in PROOF_KINDS else len(PROOF_KINDS)
    return place, not is_signed, piece.source == BY_HAND, -at.timestamp()
