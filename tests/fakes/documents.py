"""A document store in memory. It accepts any content that begins like a PDF."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from recours.core.errors import RunError
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Label, Piece, RecoveredEvidence, Retrieved, StoredDocument, best_proof

PDF = b"%PDF-1.4 signed"


@dataclass
class FakeDocuments:
    """Documents by label, on a disk that may be full."""

    stored: dict[Label, list[StoredDocument]] = field(default_factory=dict)
    secured: list[str] = field(default_factory=list)  # paths that survive a power failure
    on_record: list[str] = field(default_factory=list)  # paths whose note was deleted
    full: str | None = None  # the reason why no document can be stored

    def prepare(self) -> None:
        if self.full:
            raise RunError(self.full)

    def store(self, label: Label, got: Retrieved) -> list[StoredDocument]:
        self.prepare()
        documents = (_document(label, piece, got) for piece in got.pieces)
        self.stored[label] = list({document.sha256: document for document in documents}.values())
        return self.stored[label]

    def make_durable(self, documents: Iterable[StoredDocument]) -> None:
        self.secured += [document.path for document in documents]

    def find(self, label: Label) -> RecoveredEvidence:
        stored = self.stored.get(label, [])
        return RecoveredEvidence(tuple(stored), is_complete=best_proof(stored) is not None)

    def discard_notes(self, documents: Iterable[StoredDocument]) -> None:
        self.on_record += [document.path for document in documents]


def _document(label: Label, piece: Piece, got: Retrieved) -> StoredDocument:
    is_record = piece.kind is EvidenceKind.RECORD
    refused = None if is_record or piece.content.startswith(b"%PDF") else "it does not begin like one"
    suffix, media_type = ("record", "application/json") if is_record else ("pdf", "application/pdf")
    path = f"/pods/{label.reference}_{label.number}.{suffix}"
    digest, size = sha256(piece.content).hexdigest(), len(piece.content)
    return StoredDocument(
        path, digest, size, media_type, got.delivery, piece.source, piece.kind, refused=refused
    )
