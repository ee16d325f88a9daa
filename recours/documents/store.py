"""The folder of documents: each is written whole or not at all, never over another, with its facts beside it.

The facts (`NAME.json`) are written first. A document that a run stored before it died is thus found again with its
signatory and its time, and neither lost nor asked for again. They name all pieces of the answer: of one that is whole, no
call is needed. It is stored before it is appraised: that is slow, and what a carrier sent is paid for.
"""

import hashlib
import json
import os
import re
import stat
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC
from pathlib import Path

from recours.access import PRIVATE, Access
from recours.core.appraisal import EvidenceKind, Expected
from recours.core.claim import Delivery
from recours.core.custody import FileState
from recours.core.delivery_record import MEDIA_TYPE, shown_by_record
from recours.core.errors import RunError
from recours.core.outcome import (
    Kept,
    Label,
    NotADocumentError,
    Piece,
    Retrieved,
    StoredDocument,
    best_proof,
)
from recours.documents.appraisal import appraise
from recours.documents.by_hand import read_file
from recours.documents.kinds import SUFFIXES, kind_of

PARTS = ".parts"  # the folder of what is half written
REFUSED = "refused"  # the folder of what proves nothing
_SUFFIXES = SUFFIXES | {MEDIA_TYPE: ".record", "application/octet-stream": ".bin"}
_SWEPT_AFTER_S = 24 * 3600
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


class DocumentStore:
    def __init__(self, folder: Path, access: Access = PRIVATE) -> None:
        """`folder` is absolute; it is made when it is first needed. `access`: who may read what is stored."""
        self.folder = folder
        self._access = access
        self._parts = folder / PARTS

    def make_sure(self) -> None:
        try:
            self._access.make_folder(self.folder)
            self._access.try_out(self.folder)
            with tempfile.TemporaryFile(dir=self.folder) as trial:
                trial.write(b"\x00" * 64 * 1024)
                trial.flush()
                os.fsync(trial.fileno())
            # What runs that died had half written: no run takes a day.
            with suppress(FileNotFoundError):  # another run sweeps too
                for part in self._parts.glob("*"):
                    if time.time() - part.stat().st_mtime > _SWEPT_AFTER_S:
                        part.unlink()
        except OSError as error:
            raise self._fault(error) from error

    def store(self, label: Label, got: Retrieved) -> list[StoredDocument]:
        """Keep all pieces of what a carrier gave; their names outlast a power cut after `secure`. Raises RunError.

        Those that prove nothing say why, and lie in a folder of their own.
        """
        pieces: dict[str, Piece] = {}
        for piece in got.pieces:
            pieces.setdefault(hashlib.sha256(piece.content).hexdigest(), piece)
        named = [(self._named(label, piece, sha256, got), piece.content) for sha256, piece in pieces.items()]
        answer = [Path(document.path).name for document, _ in named]
        try:
            new = {document.path for document, _ in named if not Path(document.path).exists()}
            for document, content in named:
                self._keep(label, document, content, answer)
            stored = []
            for document, content in named:
                found = _appraised(label, document, content)
                # One that was there may have counted by the rules of its time: a record points to it.
                if found.refused and not document.refused and document.path in new:
                    found = self._set_apart(label, found, answer)
                elif not found.refused:  # perhaps it was, when the rules were others
                    apart = self.folder / REFUSED / label.carrier / Path(found.path).name
                    for file in (apart, _beside(apart)):
                        file.unlink(missing_ok=True)
                stored.append(found)
        except OSError as error:
            raise self._fault(error) from error
        return stored

    def _named(self, label: Label, piece: Piece, sha256: str, got: Retrieved) -> StoredDocument:
        """Where a piece is to lie. What is no document is refused at once."""
        media_type, refused = MEDIA_TYPE, None
        if piece.kind is not EvidenceKind.RECORD:
            try:
                media_type = kind_of(piece.content, html=piece.html)
            except NotADocumentError as why:
                media_type, refused = "application/octet-stream", str(why)
        folder = self.folder / REFUSED / label.carrier if refused else self.folder / label.carrier
        path = folder / f"{_stem(label)}_{sha256[:16]}{_SUFFIXES[media_type]}"
        size = len(piece.content)
        return StoredDocument(
            str(path), sha256, size, media_type, got.delivery, piece.source, piece.kind, refused=refused
        )

    def _keep(self, label: Label, document: StoredDocument, content: bytes, answer: Sequence[str]) -> None:
        path, facts = Path(document.path), _facts(label, document, answer)
        try:
            self._write(_beside(path), facts, durable=False)
        except FileNotFoundError:  # the carrier's first document
            self._access.make_folder(path.parent)
            self._access.make_folder(self._parts)
            self._write(_beside(path), facts, durable=False)
        self._write(path, content, durable=True)

    def _set_apart(self, label: Label, document: StoredDocument, answer: Sequence[str]) -> StoredDocument:
        """Move a piece that proves nothing. Its facts first: without them nobody finds it again."""
        place = Path(document.path)
        apart = self.folder / REFUSED / label.carrier / place.name
        moved = replace(document, path=str(apart))
        self._access.make_folder(apart.parent)
        self._write(_beside(apart), _facts(label, moved, answer), durable=False)
        place.replace(apart)
        _beside(place).unlink(missing_ok=True)
        return moved

    def secure(self, documents: Iterable[StoredDocument]) -> None:
        """See that the names of these outlast a power cut too: once for all of a folder. Raises RunError."""
        try:
            for folder in {Path(document.path).parent for document in documents}:
                sync_folder(folder)
        except OSError as error:
            raise self._fault(error) from error

    def find(self, label: Label) -> Kept:
        """What runs stored of this claim and number before they died, as far as it is whole, appraised anew.

        The facts beside it say whose it is. Its name does not: a reference may look like another claim's name.
        """
        folders = [self.folder / label.carrier, self.folder / REFUSED / label.carrier]
        found: dict[str, StoredDocument] = {}
        answers: set[tuple[str, ...]] = set()
        for folder in folders:
            for beside in sorted(folder.glob(f"*_{_of_claim(label)}_*.json")):
                name = beside.name.removesuffix(".json")
                try:
                    document, answer = _read(beside, label)
                    # A run may have died before it moved a piece to where its facts are.
                    path = next(place / name for place in folders if (place / name).exists())
                    content = read_file(path)
                except (
                    NotADocumentError,  # also a pipe, for whose writer nobody waits
                    OSError,
                    ValueError,
                    KeyError,
                    TypeError,
                    AttributeError,
                    OverflowError,
                    RecursionError,
                    StopIteration,
                ):
                    continue
                if _is_as_told(document, content):
                    found[name] = _appraised(label, replace(document, path=str(path)), content)
                    answers.add(answer)
        for answer in sorted(answers):
            pieces = [found.pop(name) for name in answer] if found.keys() >= set(answer) else []
            if best_proof(pieces):
                return Kept((*pieces, *found.values()), is_complete=True)
            found |= {Path(piece.path).name: piece for piece in pieces}
        return Kept(tuple(found.values()))

    def _write(self, path: Path, content: bytes, *, durable: bool) -> None:
        _write(self._parts, path, content, self._access, durable=durable)

    def _fault(self, error: OSError) -> RunError:
        return RunError(
            f"Documents cannot be stored in {self.folder}: {error.strerror or error}. "
            "No carrier is called before that is mended."
        )


def _appraised(label: Label, document: StoredDocument, content: bytes) -> StoredDocument:
    """With what the document shows, and why it proves nothing, if it does not."""
    if document.kind is EvidenceKind.RECORD:
        return replace(document, shown=shown_by_record(document.delivery))
    if document.refused:
        return document
    try:
        expected = Expected(label.carrier, label.number, document.kind)
        found = appraise(content, document.media_type, expected)
    except NotADocumentError as why:
        return replace(document, refused=str(why))
    return replace(document, shown=found.shown, refused=found.hollow)


def _stem(label: Label) -> str:
    """Made by us: of a foreign reference only letters, digits, - and _ are kept. The claim's id tells it from others."""
    reference = _UNSAFE.sub("-", label.reference).strip("-")[:60]
    return f"{reference}_{_of_claim(label)}"


def _of_claim(label: Label) -> str:
    number = _UNSAFE.sub("-", label.number)[:40]
    claim_id = _UNSAFE.sub("-", str(label.claim_id))[:40]
    return f"{claim_id}_{number}"


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _owner(label: Label) -> dict[str, str]:
    """Whose document it is: by this alone a later run adopts it."""
    return {"claim_id": str(label.claim_id), "reference": label.reference, "number": label.number}


def _facts(label: Label, document: StoredDocument, answer: Sequence[str]) -> bytes:
    """What is known of a document, without its path: the folder may be moved. `answer`: the names of all its pieces."""
    facts = {
        **_owner(label),
        "sha256": document.sha256,
        "size": document.size,
        "media_type": document.media_type,
        "delivery": document.delivery.as_json(),
        "source": document.source,
        "kind": document.kind,
        "refused": document.refused,
        "answer": list(answer),
    }
    return json.dumps(facts).encode()


def _read(beside: Path, label: Label) -> tuple[StoredDocument, tuple[str, ...]]:
    """A document by its facts, and the names of all pieces of its answer.

    Raises ValueError, TypeError, AttributeError or OverflowError if they are another claim's or number's, or of another
    form than recours writes; KeyError if they do not say.
    """
    facts = json.loads(read_file(beside))
    owner = _owner(label)
    if {name: facts.pop(name) for name in owner} != owner:
        raise ValueError("the facts of another claim")
    answer = tuple(dict.fromkeys(map(str, facts.pop("answer"))))
    delivery = Delivery.from_json(facts.pop("delivery"))
    if delivery.at:
        delivery.at.astimezone(UTC)  # a database cannot keep what lies before the first year there
    kind = EvidenceKind(facts.pop("kind"))
    size, refused = facts.pop("size"), facts.pop("refused")
    texts = [facts[name] for name in ("sha256", "media_type", "source")] + ([refused] if refused else [])
    if type(size) is not int or not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise ValueError("facts that recours did not write")
    return StoredDocument(path="", size=size, delivery=delivery, kind=kind, refused=refused, **facts), answer


def _is_as_told(document: StoredDocument, content: bytes) -> bool:
    """Tell whether a file is what its facts say. What is of another kind would not be read, and count."""
    if hashlib.sha256(content).hexdigest() != document.sha256 or len(content) != document.size:
        return False
    if document.kind is EvidenceKind.RECORD or document.refused:
        return document.media_type in _SUFFIXES
    try:
        return kind_of(content, html=True) == document.media_type
    except NotADocumentError:
        return False


def _write(parts: Path, path: Path, content: bytes, access: Access, *, durable: bool) -> None:
    """Write a file whole or not at all: in the folder `parts` first. One of that name holds the same content, since its digest is in the name.

    `durable`: its content outlasts a power cut too, which takes some milliseconds. The facts need not: they serve a run that
    follows one that died, and are in the database from then on.
    """
    part = parts / f"{os.getpid()}-{threading.get_ident()}-{path.name}"
    try:
        # Unbuffered: else it is asked whether it is a terminal, and where it stands.
        with open(part, "wb", buffering=0, opener=access.opener) as file:
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]
            if durable:
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make the new name durable. Windows neither can nor needs to."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---------------------------------------------------------------- files that a row names


def is_inside(folder: Path, path: str) -> bool:
    """Tell whether a path from a row leads into the folder of documents, links followed.

    Other software can write rows: a file that lies elsewhere is neither read, copied nor deleted.
    """
    try:
        place = Path(path)
        return place.is_absolute() and place.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links; a NUL in the path
        return False


_BLOCK = 1024 * 1024


def examine(folder: Path, path: str, size: int | None) -> FileState:
    """The SHA-256 and size of a stored file; of another size than `size`, which is None if unknown, it is not read."""
    if not is_inside(folder, path):
        return FileState(trouble=f"it is outside {folder}")
    try:
        # Not blocked by a pipe that somebody put in its place.
        with open(
            path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
        ) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return FileState(trouble="it is no regular file")
            if size is not None and found.st_size != size:
                return FileState(size=found.st_size)
            digest = hashlib.sha256()
            while block := file.read(_BLOCK):
                digest.update(block)
            return FileState(digest.hexdigest(), found.st_size)
    except (FileNotFoundError, NotADirectoryError):
        return FileState(is_there=False)
    except (OSError, ValueError) as error:  # a path with a NUL
        return FileState(trouble=getattr(error, "strerror", None) or str(error))


def erase(folder: Path, path: str, sha256: str) -> str | None:
    """Delete a document and its facts; why that could not be done, as a phrase. What is gone already counts as deleted.

    The document first: without it the facts are of no use to anybody, and a prune that died in between is repeated.
    """
    if not is_inside(folder, path):
        return f"it is outside {folder}"
    place = Path(path)
    # Whatever a record says, only a file that recours named is deleted: its digest is in it.
    if not sha256 or f"_{sha256[:16]}." not in place.name:
        return "its name is none that recours gives"
    if not place.parent.is_dir():  # a share that is not mounted looks like this, and comes back
        return f"the folder {place.parent} is not there"
    for file in (place, place.with_name(f"{place.name}.json")):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            return f"{error.strerror or error}"
    return None
