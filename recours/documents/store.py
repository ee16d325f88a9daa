"""The folder of documents: each is written whole or not at all, never over another, with its facts beside it.

The facts (`NAME.json`) are written first. A document that a run stored before it died is thus found again with its
signatory and its time, and neither lost nor asked for again. It is stored before it is appraised: that is slow, and what a
carrier sent is paid for.
"""

import hashlib
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from recours.access import PRIVATE, Access
from recours.core.claim import Delivery
from recours.core.errors import RunError
from recours.core.outcome import Label, NotADocumentError, Retrieved, StoredDocument
from recours.documents.evidence import SUFFIXES, appraise, kind_of

PARTS = ".parts"  # the folder of what is half written
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

    def store(self, label: Label, got: Retrieved) -> StoredDocument:
        """Keep what a carrier gave if it proves something; its name outlasts a power cut after `secure`.

        Raises NotADocumentError, RunError.
        """
        content, media_type = got.content, kind_of(got.content, html=got.html)
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.folder / label.carrier / f"{_stem(label)}_{sha256[:16]}{SUFFIXES[media_type]}"
        document = StoredDocument(str(path), sha256, len(content), media_type, got.delivery, got.source)
        was_there = path.exists()
        try:
            try:
                self._write(path, label, document, content)
            except FileNotFoundError:  # the carrier's first document
                self._access.make_folder(path.parent)
                self._access.make_folder(self._parts)
                self._write(path, label, document, content)
            try:
                appraise(content, media_type)
            except NotADocumentError:
                if not was_there:  # it first, so that no facts are without a document that was good
                    path.unlink(missing_ok=True)
                    _beside(path).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._fault(error) from error
        return document

    def _write(self, path: Path, label: Label, document: StoredDocument, content: bytes) -> None:
        _write(self._parts, _beside(path), _facts(label, document), self._access, durable=False)
        _write(self._parts, path, content, self._access, durable=True)

    def secure(self, documents: Iterable[StoredDocument]) -> None:
        """See that the names of these outlast a power cut too: once for all of a folder. Raises RunError."""
        try:
            for folder in {Path(document.path).parent for document in documents}:
                sync_folder(folder)
        except OSError as error:
            raise self._fault(error) from error

    def find(self, label: Label) -> StoredDocument | None:
        """A document of this claim and number that a run stored before it died, if it is whole and proves something.

        The facts beside it say whose it is. Its name does not: a reference may look like another claim's name.
        """
        folder = self.folder / label.carrier
        for beside in sorted(folder.glob(f"*_{_of_claim(label)}_*.json")):
            path = beside.with_name(beside.name.removesuffix(".json"))
            try:
                document = _read(beside, label)
                content = path.read_bytes()
            except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
            with suppress(NotADocumentError):
                if hashlib.sha256(content).hexdigest() == document.sha256:
                    appraise(content, document.media_type)
                    return replace(document, path=str(path))
        return None

    def _fault(self, error: OSError) -> RunError:
        return RunError(
            f"Documents cannot be stored in {self.folder}: {error.strerror or error}. "
            "No carrier is called before that is mended."
        )


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


def _facts(label: Label, document: StoredDocument) -> bytes:
    """What is known of a document, without its path: the folder may be moved."""
    delivery = document.delivery
    facts = {
        **_owner(label),
        "sha256": document.sha256,
        "size": document.size,
        "media_type": document.media_type,
        "delivery": {
            "at": delivery.at.isoformat() if delivery.at else None,
            "signatory": delivery.signatory,
            "day": delivery.day.isoformat() if delivery.day else None,
        },
        "source": document.source,
    }
    return json.dumps(facts).encode()


def _read(beside: Path, label: Label) -> StoredDocument:
    """A document by its facts. Raises ValueError if they are another claim's or number's, KeyError if they do not say."""
    facts = json.loads(beside.read_bytes())
    owner = _owner(label)
    if {name: facts.pop(name) for name in owner} != owner:
        raise ValueError("the facts of another claim")
    told = facts.pop("delivery")
    at = datetime.fromisoformat(told["at"]) if told["at"] else None
    day = date.fromisoformat(told["day"]) if told.get("day") else None
    return StoredDocument(path="", delivery=Delivery(at, told["signatory"], day), **facts)


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


# ---------------------------------------------------------------- documents past their keeping time


def erase(path: str, sha256: str) -> str | None:
    """Delete a document and its facts; why that could not be done, as a phrase. What is gone already counts as deleted.

    The document first: without it the facts are of no use to anybody, and a prune that died in between is repeated.
    """
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
