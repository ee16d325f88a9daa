"""What a claim's evidence shows and whether it proves the delivery, for `recours why`, the dashboard and JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from recours.core.claim import Delivery
from recours.core.disputes import DisputeVerdict, findings_text, support, verdict_sentence
from recours.core.evidence import DocumentFlaw, EvidenceKind, Findings
from recours.core.localized import Localized
from recours.core.outcome import BY_HAND, PROOF_KINDS, RecordedEvidence
from recours.core.text import clean
from recours.core.translations import N_, translate
from recours.reporting.labels import person_named
from recours.reporting.records import iso

KIND_NAMES = {
    EvidenceKind.LETTER: N_("proof of delivery"),
    EvidenceKind.SIGNATURE: N_("signature"),
    EvidenceKind.PHOTO: N_("photo"),
    EvidenceKind.RECORD: N_("tracking record"),
}


@dataclass(frozen=True)
class ClaimEvidence:
    """A claim's evidence, oldest first. `dispute`: its `dispute_type`; "": not known."""

    pieces: Sequence[RecordedEvidence] = ()
    dispute: str = ""

    @property
    def verdict(self) -> DisputeVerdict | None:
        """Whether the evidence proves the delivery; None if evidence, content or dispute is unknown."""
        if not self.pieces or not self.dispute:
            return None
        good = [piece for piece in self.pieces if piece.refused is None]
        tracked = (piece.delivery for piece in good if piece.by is None)
        delivery = next((record for record in tracked if record.signatory or record.latest), None)
        documents = (piece for piece in good if piece.kind is not EvidenceKind.RECORD)
        return support(self.dispute, [piece.findings for piece in documents], delivery)

    def best_first(self, pod_url: str | None) -> list[RecordedEvidence]:
        """The accepted pieces: first the claim's proof (`pod_url`), then the others by kind."""
        order = (*PROOF_KINDS, EvidenceKind.RECORD)
        good = [piece for piece in self.pieces if piece.refused is None]
        return sorted(good, key=lambda piece: (piece.path != pod_url, order.index(piece.kind)))

    def verdict_text(self, language: str) -> str:
        """The verdict as a sentence; "" without a verdict."""
        verdict = self.verdict
        return f"{verdict_sentence(language, self.dispute, verdict)}." if verdict else ""

    def support_json(self) -> dict[str, Any]:
        verdict = self.verdict
        return {
            "dispute_type": self.dispute or None,
            "support": verdict.support if verdict else None,
            "support_missing": list(verdict.missing) if verdict else [],
        }


class ShownDelivery(NamedTuple):
    """A delivery as stated by a document, or else by tracking or the person who attached it. None: unknown."""

    at: str | None  # an ISO date or time; a time without an offset is local to the place of delivery
    signatory: str | None
    place: str | None

    @classmethod
    def of(cls, findings: Findings, delivery: Delivery) -> "ShownDelivery":
        at = delivery.at or delivery.day
        return cls(
            findings.delivered or iso(at),
            findings.signatory or delivery.signatory,
            findings.place or delivery.place,
        )


def piece_json(piece: RecordedEvidence) -> dict[str, Any]:
    return {
        "kind": piece.kind,
        "source": piece.source,
        "by": piece.by,
        "obtained_at": piece.obtained_at.isoformat(),
        "path": piece.path,
        "sha256": piece.sha256,
        "size": piece.size,
        "media_type": piece.media_type,
        "refused": piece.refused,
        "shown": piece.findings._asdict(),
        "signatory": piece.delivery.signatory,
        "delivered_at": iso(piece.delivery.at),
        "delivered_day": iso(piece.delivery.day),
        "place": piece.delivery.place,
    }


def source_text(piece: RecordedEvidence, language: str) -> str:
    """The source of a piece: a carrier's call, or the person who attached it."""
    if not piece.by:
        return clean(piece.source, 60)
    return f"{source_name(language, BY_HAND)}, {person_named(language, piece.by)}"


def source_name(language: str, source: str) -> str:
    return translate(language, "by hand") if source == BY_HAND else clean(source, 60)


def piece_text(piece: RecordedEvidence, texts: Localized) -> str:
    """What a piece shows, as a phrase: "signed by DUPONT on 5 Oct 2026, 10:31, Lille; shows the tracking number"."""
    if piece.refused:
        reason = DocumentFlaw.translated(texts.language, piece.refused)
        return texts("refused as a proof: {reason}", reason=reason)
    if piece.by is None:
        return findings_text(piece.findings, piece.delivery, texts)
    return findings_text(piece.findings, None, texts) + _entered(piece, piece.findings, texts)


def _entered(piece: RecordedEvidence, findings: Findings, texts: Localized) -> str:
    """The signatory and time entered by the person who attached the file, unless the file shows them."""
    delivery = piece.delivery
    entries = []
    if delivery.signatory and findings.signatory != delivery.signatory:
        entries.append(delivery.signatory)
    at = delivery.at or delivery.day
    if at and not findings.delivered:
        entries.append(texts.printed_time(at.isoformat()))
    if not entries:
        return ""
    return texts(
        "; entered by {by}: {what}", by=person_named(texts.language, piece.by or ""), what=", ".join(entries)
    )
