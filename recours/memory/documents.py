"""The store of proofs, in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from recours.core.outcome import Label, NotADocumentError, Retrieved, StoredDocument

PDF = b"%PDF-1.4 signed"


@dataclass
class MemoryDocuments:
    """Documents by their label; anything that begins like a PDF is one."""

    stored: dict[Label, StoredDocument] = field(default_factory=dict)
    secured: list[str] = field(default_factory=list)  # paths that outlast a power cut

    def make_sure(self) -> None:
        pass  # there is always room

    def store(self, label: Label, got: Retrieved) -> StoredDocument:
        content = got.content
        if not content.startswith(b"%PDF"):
            raise NotADocumentError("it does not begin like one")
        digest = sha256(content).hexdigest()
        path = f"/pods/{label.reference}_{label.number}.pdf"
        document = StoredDocument(path, digest, len(content), "application/pdf", got.delivery, got.source)
        self.stored[label] = document
        return document

    def secure(self, documents: Iterable[StoredDocument]) -> None:
        self.secured += [document.path for document in documents]

    def find(self, label: Label) -> StoredDocument | None:
        return self.stored.get(label)
