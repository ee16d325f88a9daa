"""What a claim's evidence shows and how far it carries the dispute, for `recours why`, the page and JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from recours.core.appraisal import EvidenceKind, Shown
from recours.core.disputes import DisputeVerdict, support, told, verdict_sentence
from recours.core.localized import Localized
from recours.core.outcome import BY_HAND, KeptEvidence
from recours.core.recorded_phrases import DocumentFlaw
from recours.core.text import by_language, clean
from recours.reporting.records import iso

KIND_NAMES = by_language(
    {
        EvidenceKind.LETTER: ("letter", "lettre"),
        EvidenceKind.SIGNATURE: ("signature", "signature"),
        EvidenceKind.PHOTO: ("photo", "photo"),
        EvidenceKind.RECORD: ("tracking record", "relevé du suivi"),
    }
)
_TEXTS: dict[str, dict[str, str]] = by_language(
    {
        "refused": ("refused as a proof: {reason}", "refusé comme preuve : {reason}"),
        "entered": ("; {by} entered: {what}", " ; saisi par {by} : {what}"),
        "by_hand": ("by hand", "à la main"),
    }
)


@dataclass(frozen=True)
class ClaimEvidence:
    """The pieces of a claim's evidence, the oldest first. `dispute`: its `dispute_type`; "": not known."""

    pieces: Sequence[KeptEvidence] = ()
    dispute: str = ""

    @property
    def verdict(self) -> DisputeVerdict | None:
        """How far it carries the dispute; None: there is none, or it is not known what is disputed, or what it shows."""
        if not self.pieces or not self.dispute:
            return None
        good = [piece for piece in self.pieces if piece.refused is None]
        tracked = (piece.delivery for piece in good if piece.by is None)
        delivery = next((known for known in tracked if known.signatory or known.latest), None)
        documents = (piece for piece in good if piece.kind is not EvidenceKind.RECORD)
        return support(self.dispute, [piece.shown for piece in documents], delivery)

    def verdict_text(self, language: str) -> str:
        """The same as a sentence; "": nothing can be said."""
        verdict = self.verdict
        return f"{verdict_sentence(language, self.dispute, verdict)}." if verdict else ""

    def support_json(self) -> dict[str, Any]:
        verdict = self.verdict
        return {
            "dispute_type": self.dispute or None,
            "support": verdict.support if verdict else None,
            "support_missing": list(verdict.missing) if verdict else [],
        }


def piece_json(piece: KeptEvidence) -> dict[str, Any]:
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
        "shown": asdict(piece.shown),
        "signatory": piece.delivery.signatory,
        "delivered_at": iso(piece.delivery.at),
        "delivered_day": iso(piece.delivery.day),
        "place": piece.delivery.place,
    }


def source_text(piece: KeptEvidence, language: str) -> str:
    """Where it is from: a carrier's call, or the person who attached it."""
    return f"{source_name(language, BY_HAND)}, {clean(piece.by, 60)}" if piece.by else clean(piece.source, 60)


def source_name(language: str, source: str) -> str:
    return _TEXTS[language]["by_hand"] if source == BY_HAND else clean(source, 60)


def piece_text(piece: KeptEvidence, reader: Localized) -> str:
    """What it shows, as a phrase: "signed by DUPONT on 5 Oct 2026, 10:31, Lille; the number is on it"."""
    if piece.refused:
        reason = DocumentFlaw.translated(reader.language, piece.refused)
        return _TEXTS[reader.language]["refused"].format(reason=reason)
    if piece.by is None:
        return told(piece.shown, piece.delivery, reader)
    return told(piece.shown, None, reader) + _entered(piece, piece.shown, reader)


def _entered(piece: KeptEvidence, shown: Shown, reader: Localized) -> str:
    """What the person who attached it said, where the file does not show it."""
    delivery, what = piece.delivery, []
    if delivery.signatory and shown.signatory != delivery.signatory:
        what.append(delivery.signatory)
    at = delivery.at or delivery.day
    if at and not shown.delivered:
        what.append(reader.printed(at.isoformat()))
    entered = _TEXTS[reader.language]["entered"]
    return entered.format(by=clean(piece.by, 60), what=", ".join(what)) if what else ""
