"""The store of proofs, in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from recours.core.appraisal import EvidenceKind
from recours.core.outcome import Kept, Label, Piece, Retrieved, StoredDocument, best_proof

PDF = b"%PDF-1.4 signed"


@dataclass
class MemoryDocuments:
    """Documents by their label; anything that begins like a PDF is one."""

    stored: dict[Label, list[StoredDocument]] = field(default_factory=dict)
    secured: list[str] = field(default_factory=list)  # paths that outlast a power cut

    def make_sure(self) -> None:
        pass  # there is always room

    def store(self, label: Label, got: Retrieved) -> list[StoredDocument]:
        stored = {
            document.sha256: document for document in (_document(label, one, got) for one in got.pieces)
        }
        self.stored[label] = list(stored.values())
        return self.stored[label]

    def secure(self, documents: Iterable[StoredDocument]) -> None:
        self.secured += [document.path for document in documents]

    def find(self, label: Label) -> Kept:
        stored = self.stored.get(label, [])
        return Kept(tuple(stored), is_complete=best_proof(stored) is not None)

    def discard_notes(self, documents: Iterable[StoredDocument]) -> None:
        pass  # there are none


def _document(label: Label, piece: Piece, got: Retrieved) -> StoredDocument:
    is_record = piece.kind is EvidenceKind.RECORD
    refused = None if is_record or piece.content.startswith(b"%PDF") else "it does not begin like one"
    suffix, media_type = ("record", "application/json") if is_record else ("pdf", "application/pdf")
    path = f"/pods/{label.reference}_{label.number}.{suffix}"
    digest, size = sha256(piece.content).hexdigest(), len(piece.content)
    return StoredDocument(
        path, digest, size, media_type, got.delivery, piece.source, piece.kind, refused=refused
    )
