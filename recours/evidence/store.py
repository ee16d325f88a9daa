"""The folder of documents. A file `CARRIER/ab/cd/NAME` is written completely or not at all, and is never replaced.

A note (`.parts/NAME.jsonl`) lists documents of a claim that are stored but not in the database yet. It is written
before the documents. If the run dies, the next run finds the documents there, with their signatory and time, and does
not request them again. Each line of a note lists all pieces of one answer. If all pieces exist, no call is needed. The
note is deleted once its data is in the database. A document is stored before it is appraised, because the appraisal is
slow and the carrier's call has been paid for.
"""

import hashlib
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from recours.core.claim import Delivery
from recours.core.errors import RunError
from recours.core.evidence import FOLDER as MANIFESTS
from recours.core.evidence import EvidenceKind, Expected
from recours.core.outcome import (
    MEDIA_TYPE,
    Label,
    NotADocumentError,
    Piece,
    RecoveredEvidence,
    Retrieved,
    StoredDocument,
    best_proof,
    record_findings,
)
from recours.evidence.kinds import SUFFIXES, kind_of
from recours.host.files import PRIVATE, Access, exists, read_regular

PARTS = ".parts"  # the folder for partially written files and notes
REFUSED = "refused"  # the folder for documents that prove nothing
_SUFFIXES = SUFFIXES | {MEDIA_TYPE: ".record", "application/octet-stream": ".bin"}
_NOTE = ".jsonl"
_NOTE_FIELDS = ("sha256", "size", "media_type", "source", "kind", "refused")
_DAY_S = 24 * 3600
_NOTES_KEPT_S = 90 * _DAY_S  # by then, a run has used the note, or no run ever will
_DIGEST_LENGTH = 64
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


class DocumentStore:
    def __init__(self, folder: Path, access: Access = PRIVATE) -> None:
        """`folder`: an absolute path; created when first needed. `access`: who may read the stored files."""
        self.folder = folder
        self._access = access
        self._parts = folder / PARTS
        self._new_folders: set[Path] = set()  # folders that might not survive a power failure yet

    def prepare(self) -> None:
        """Check that documents can be stored, and delete old notes and partial files. Raises RunError."""
        try:
            self._access.make_folder(self.folder)
            self._access.try_out(self.folder)
            with tempfile.TemporaryFile(dir=self.folder) as trial:
                trial.write(b"\x00" * 64 * 1024)
                trial.flush()
                os.fsync(trial.fileno())
            # A partial file older than a day belongs to a run that died, because no run takes a day.
            with suppress(FileNotFoundError):  # another run may delete the same files
                for part in self._parts.glob("*"):
                    limit_s = _NOTES_KEPT_S if part.suffix == _NOTE else _DAY_S
                    if time.time() - part.stat().st_mtime > limit_s:
                        part.unlink()
        except OSError as error:
            raise self._storage_error(error) from error

    def store(self, label: Label, retrieved: Retrieved) -> list[StoredDocument]:
        """Store all pieces of a carrier's answer. Raises RunError. Call `make_durable` afterwards.

        Pieces that prove nothing are stored in a separate folder, and returned with the reason.
        """
        pieces: dict[str, Piece] = {}
        for piece in retrieved.pieces:
            pieces.setdefault(hashlib.sha256(piece.content).hexdigest(), piece)
        named = [
            (self._with_path(label, piece, sha256, retrieved), piece.content)
            for sha256, piece in pieces.items()
        ]
        try:
            self._note(label, retrieved.delivery, [document for document, _ in named])
            new = {document.path for document, _ in named if not exists(Path(document.path))}
            for document, content in named:
                self.write(Path(document.path), content, durable=True)
            documents = []
            for document, content in named:
                result = _appraise(label, document, content)
                result = replace(result, refused=None) if retrieved.is_accepted else result
                refused_path = self._place(label, document.sha256, document.media_type, refused=True)
                # Move only new documents. A row may refer to an older file that was accepted under earlier rules.
                if result.refused and not document.refused and document.path in new:
                    self._make_folder(refused_path.parent)
                    Path(document.path).replace(refused_path)
                    result = replace(result, path=str(refused_path))
                elif not result.refused:  # earlier rules may have refused the document
                    refused_path.unlink(missing_ok=True)
                documents.append(result)
        except OSError as error:
            raise self._storage_error(error) from error
        return documents

    def refuse(self, path: Path) -> Path:
        """Copy a proof to the refused documents. Return the path of the copy, or of the proof if copying fails."""
        refused_path = self.folder / REFUSED / path.relative_to(self.folder)
        try:
            self.write(refused_path, read_regular(path), durable=True)
            sync_folder(refused_path.parent)
        except OSError:
            return path
        return refused_path

    def _with_path(self, label: Label, piece: Piece, sha256: str, retrieved: Retrieved) -> StoredDocument:
        """Return a piece with its path. Pieces other than records are refused immediately unless they are documents."""
        media_type = MEDIA_TYPE
        refused = None
        if piece.kind is not EvidenceKind.RECORD:
            try:
                media_type = kind_of(piece.content, html=piece.html)
            except NotADocumentError as why:
                media_type = "application/octet-stream"
                refused = None if retrieved.is_accepted else str(why)
        path = self._place(label, sha256, media_type, refused=refused is not None)
        size = len(piece.content)
        return StoredDocument(
            str(path), sha256, size, media_type, retrieved.delivery, piece.source, piece.kind, refused=refused
        )

    def _place(self, label: Label, sha256: str, media_type: str, *, refused: bool) -> Path:
        """Return a document's path, in folders by digest. A single folder is full at about three million files."""
        folder = self.folder / REFUSED if refused else self.folder
        name = f"{_stem(label)}_{sha256[:16]}{_SUFFIXES[media_type]}"
        return folder / label.carrier / sha256[:2] / sha256[2:4] / name

    def make_durable(self, documents: Iterable[StoredDocument]) -> None:
        """Make the names of these documents and of their new folders survive a power failure. Raises RunError."""
        try:
            for folder in {Path(document.path).parent for document in documents}:
                sync_folder(folder)
                for new_folder in self._new_folders.intersection((folder, *folder.parents)):
                    sync_folder(new_folder.parent)
                    self._new_folders.discard(new_folder)
        except OSError as error:
            raise self._storage_error(error) from error

    def _note(self, label: Label, delivery: Delivery, answer: Iterable[StoredDocument]) -> None:
        """Add an answer to its note. The note contains no paths, because the folder may be moved."""
        pieces = [{name: getattr(document, name) for name in _NOTE_FIELDS} for document in answer]
        facts = {"owner": _owner(label), "delivery": delivery.as_json(), "pieces": pieces}
        line = json.dumps(facts).encode()
        path = self._parts / f"{_stem(label)}{_NOTE}"
        present = _lines(path)
        if line not in present:
            self.write(path, b"\n".join((*present, line)), durable=False)

    def find(self, label: Label) -> RecoveredEvidence:
        """Find and reappraise complete documents that runs stored for this claim and number before the runs died."""
        documents: dict[str, StoredDocument] = {}
        complete: list[str] = []
        for line in _lines(self._parts / f"{_stem(label)}{_NOTE}"):
            answer = _answer(line, label)
            pieces = {
                piece.sha256: piece for document in answer if (piece := self._reappraise(label, document))
            }
            documents |= pieces
            if len(pieces) == len(answer) and best_proof(pieces.values()):
                complete = complete or list(pieces)
        remaining = [piece for sha256, piece in documents.items() if sha256 not in complete]
        return RecoveredEvidence(
            (*(documents[sha256] for sha256 in complete), *remaining), is_complete=bool(complete)
        )

    def _reappraise(self, label: Label, document: StoredDocument) -> StoredDocument | None:
        """Appraise a document again; None if it is missing or incomplete. Its run may have died before moving it."""
        for refused in (False, True):
            path = self._place(label, document.sha256, document.media_type, refused=refused)
            try:
                content = read_regular(path, document.size + 1)
            except OSError:  # if both fail, the carrier is called again
                continue
            if hashlib.sha256(content).hexdigest() == document.sha256:
                return _appraise(label, replace(document, path=str(path)), content)
        return None

    def discard_notes(self, documents: Iterable[StoredDocument]) -> None:
        """Delete the notes of these documents, because the database now contains all documents in the notes."""
        for path in {_note_of(self.folder, Path(document.path)) for document in documents}:
            with suppress(OSError):  # an old note does no harm, and `prepare` deletes it later
                path.unlink(missing_ok=True)

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            self._new_folders.update(path for path in (folder, *folder.parents) if not path.exists())
            self._access.make_folder(folder)

    def write(self, path: Path, content: bytes, *, durable: bool) -> None:
        """Write a file completely or not at all. Names contain a digest, so an existing file is identical.

        `durable`: make the content survive a power failure too, which takes a few milliseconds. Notes are not durable,
        because they are needed only if a run dies.
        """
        self._make_folder(self._parts)
        self._make_folder(path.parent)
        part = self._parts / f"{os.getpid()}-{threading.get_ident()}-{path.name}.part"
        try:
            # Unbuffered, because buffering would add two system calls (isatty and lseek).
            with open(part, "wb", buffering=0, opener=self._access.opener) as file:
                remaining = memoryview(content)
                while remaining:
                    remaining = remaining[file.write(remaining) :]
                if durable:
                    os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def _storage_error(self, error: OSError) -> RunError:
        return RunError(
            f"Documents cannot be stored in {self.folder}: {error.strerror or error}. "
            "No carrier is called until this is fixed."
        )


def _appraise(label: Label, document: StoredDocument, content: bytes) -> StoredDocument:
    """Add the findings to a document, and the reason if the document proves nothing."""
    if document.kind is EvidenceKind.RECORD:
        return replace(document, findings=record_findings(document.delivery))
    if document.refused:
        return document
    from recours.evidence.appraisal import appraise  # noqa: PLC0415 (it has many patterns, and most runs store nothing)

    try:
        expected = Expected(label.carrier, label.number, document.kind)
        appraisal = appraise(content, document.media_type, expected)
    except NotADocumentError as why:
        return replace(document, refused=str(why))
    return replace(document, findings=appraisal.findings, refused=appraisal.hollow)


def _stem(label: Label) -> str:
    """Return the start of a claim's file names: the reference, the claim's unique ID and the number, made safe."""
    reference = _UNSAFE.sub("-", label.reference).strip("-")[:60]
    number = _UNSAFE.sub("-", label.number)[:40]
    return f"{reference}_{_safe_id(label.claim_id)}_{number}"


def _safe_id(claim_id: Any) -> str:
    return _UNSAFE.sub("-", str(claim_id))[:40]


def _note_of(folder: Path, document: Path) -> Path:
    """Return the note of a document's claim. The document's name begins with the note's name."""
    return folder / PARTS / f"{document.name.rpartition('_')[0]}{_NOTE}"


def _lines(note: Path) -> list[bytes]:
    """Return the lines of a note, one per answer. A missing or unreadable note has no lines."""
    try:
        return read_regular(note).splitlines()
    except OSError:
        return []


def _owner(label: Label) -> list[str]:
    """Return values that identify the claim of an answer. The file name alone may belong to several claims."""
    return [label.carrier, str(label.claim_id), label.reference, label.number, label.client]


def _answer(line: bytes, label: Label) -> list[StoredDocument]:
    """Return the pieces of an answer, without paths. A truncated line, or one for another claim or number, has none."""
    facts = _facts(line)
    if facts is None or facts["owner"] != _owner(label):
        return []
    delivery = Delivery.from_json(facts["delivery"])
    pieces = (piece | {"kind": EvidenceKind(piece["kind"])} for piece in facts["pieces"])
    return [StoredDocument(path="", delivery=delivery, **piece) for piece in pieces]


def _facts(line: bytes) -> dict[str, Any] | None:
    """Return the parsed line of a note, or None if a power failure truncated the line."""
    try:
        facts: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return facts


def erase_unrecorded(folder: Path, claim_id: Any) -> Iterator[tuple[str, str]]:
    """Delete a claim's documents that have no row, because a run died. Yield each remaining file with the reason."""
    for note in (folder / PARTS).glob(f"*_{_safe_id(claim_id)}_*{_NOTE}"):
        answers = [facts for line in _lines(note) if (facts := _facts(line))]
        of_claim = [facts for facts in answers if facts["owner"][1] == str(claim_id)]
        digests = (piece["sha256"] for facts in of_claim for piece in facts["pieces"])
        names = [f"*/{digest[:2]}/{digest[2:4]}/{note.stem}_{digest[:16]}.*" for digest in digests]
        files = [file for top in (folder, folder / REFUSED) for name in names for file in top.glob(name)]
        half_written = note.parent.glob(f"*-{note.stem}_*.part")
        for file in (*files, *half_written, note) if of_claim else ():
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                yield str(file), f"{error.strerror or error}"


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power failure. Windows neither supports nor needs this."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_inside(folder: Path, path: str) -> bool:
    """Return whether a path from a row is inside the folder of documents, after following links.

    Other software can write rows, so recours does not read, copy or delete a file outside the folder.
    """
    try:
        place = Path(path)
        return place.is_absolute() and place.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, or a null character in the path
        return False


def stored_files(folder: Path) -> Iterator[Path]:
    """Yield all files of evidence, except files in notes, which are not in the database yet."""
    for place in folder.rglob("*"):
        top = place.relative_to(folder).parts[0]
        if top in (PARTS, MANIFESTS) or (place.is_dir() and not place.is_symlink()):
            continue
        digest = place.stem.rpartition("_")[2].encode()
        if not any(digest in line for line in _lines(_note_of(folder, place))):
            yield place


def erase(folder: Path, path: str, sha256: str) -> str | None:
    """Delete a document and its note. If this fails, return a phrase that says why.

    A missing document counts as deleted. The document is deleted before the note. If a prune dies in between, the next
    prune deletes the note.
    """
    if not is_inside(folder, path):
        return f"it is outside {folder}"
    place = Path(path)
    # Regardless of the row, delete only a file that recours has named. Its path and name contain the digest.
    is_ours = place.parent.parts[-2:] == (sha256[:2], sha256[2:4]) and f"_{sha256[:16]}." in place.name
    if len(sha256) != _DIGEST_LENGTH or not is_ours:
        return "its name is not in recours's format"
    if not place.parent.is_dir():  # the folder may be a share that is currently not mounted
        return f"the folder {place.parent} does not exist"
    note = _note_of(folder, place)
    is_named = sha256.encode() in b"".join(_lines(note))
    for file in (place, note) if is_named else (place,):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            return f"{error.strerror or error}"
    return None
