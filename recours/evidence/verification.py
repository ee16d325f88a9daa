"""The checks of `recours verify`: verifies manifests and the files that they list, and reappraises proofs."""

import errno
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from recours.core.errors import RunError
from recours.core.evidence import (
    ERASED,
    NOTHING_BEFORE,
    PREVIOUS,
    EvidenceKind,
    Expected,
    Manifest,
    digest_of,
)
from recours.core.outcome import NotADocumentError
from recours.core.text import plural
from recours.database.evidence import DatabaseCustody
from recours.evidence.appraisal import appraise
from recours.evidence.store import is_inside, stored_files
from recours.host.files import exists, read_regular

_LARGEST = 64 * 1024 * 1024  # bytes; documents and manifests are smaller
_ASK_WHO = "Find out who can write to the database, and compare it with a backup."
_RESTORE = "Restore it from a backup, and find out who can write to the folder."


@dataclass
class Verification:
    """Verifies all manifests, and the files of the claims `claim_ids` (empty: all claims).

    `report`: called for each problem, with a text that says what is wrong and what to do. `roots`: root certificates of
    trusted timestamp authorities; empty: do not verify the signatures of timestamps.
    """

    custody: DatabaseCustody
    report: Callable[[str], None]
    roots: Sequence[Any] = ()
    claim_ids: Collection[Any] = ()
    files: int = 0
    pending: int = 0  # files that the next manifest will list
    last: Manifest | None = None
    stamp: tuple[Manifest, datetime] | None = None  # manifest and time of the newest valid timestamp
    _lines_without_row: dict[str, str] = field(default_factory=dict)  # by SHA-256

    def run(self) -> None:
        """Run all checks. Raises DatabaseError."""
        previous = Manifest(0, "", NOTHING_BEFORE)
        while manifest := self.custody.after(previous.number):
            lines = self._lines(manifest, previous)
            if stamped_at := self._stamped_at(manifest):
                self.stamp = manifest, stamped_at
            self._verify_rows(manifest.number, lines)
            self.last = previous = manifest
        self._verify_rows(None, set())
        for difference in self.custody.differences(self.claim_ids):
            self.report(f"{difference} {_ASK_WHO}")
        if self.claim_ids:
            return
        if self._lines_without_row:
            example = next(iter(self._lines_without_row.values()))
            self.report(
                f"No row exists for {plural(len(self._lines_without_row), 'file')} listed in manifests, such as {example}: rows were deleted or "
                f"changed. {_ASK_WHO}"
            )
        named = set(map(hash, self.custody.named_paths()))
        for file in stored_files(self.custody.folder):
            if hash(str(file)) not in named:
                self.report(
                    f"No row exists for the file {file}: the file was added, or its row was deleted. Move the file out of the folder. {_ASK_WHO}"
                )

    def _lines(self, manifest: Manifest, previous: Manifest) -> set[str] | None:
        """Verify a manifest and the previous timestamp. Return its other lines, or None if the manifest was changed."""
        number = manifest.number
        content = self._verify_file(manifest.name, manifest.sha256, f"Manifest {number}")
        lines = None if content is None else set(content.decode("utf-8", "replace").split("\n"))
        if number != previous.number + 1 or (lines and f"{PREVIOUS}{previous.sha256}" not in lines):
            self.report(
                f"Manifest {number} does not follow manifest {previous.number}: one was replaced or deleted. {_ASK_WHO}"
            )
        if lines is None:
            return None
        tokens = {line for line in lines if line.endswith(f"  {previous.token_name}")}
        for line in tokens:
            label = f"The timestamp of manifest {previous.number}"
            self._verify_file(previous.token_name, digest_of(line), label)
        return lines - tokens

    def _stamped_at(self, manifest: Manifest) -> datetime | None:
        from recours.evidence.timestamps import verify_token  # noqa: PLC0415 (imports the HTTP library)

        try:
            if not exists(self.custody.folder / manifest.token_name):
                return None
            token, content = (
                read_stored(self.custody.folder, manifest.token_name),
                read_stored(self.custody.folder, manifest.name),
            )
            return verify_token(token, content, self.roots)
        except (OSError, RunError) as error:
            self.report(
                f"The timestamp of manifest {manifest.number} proves nothing ({error}). If it was changed, restore it from a "
                "backup."
            )
            return None

    def _verify_rows(self, manifest: int | None, lines: set[str] | None) -> None:
        """Compare the rows of a manifest (None: rows in no manifest) with its lines (None: it was changed).

        A later manifest lists a file again if recours has erased or moved the file, or changed its row.
        """
        of_rows: set[str] = set()
        for row in self.custody.rows(manifest, self.claim_ids):
            of_rows.add(row.line)
            if row.manifest is not None and lines is not None:
                problem = (
                    f"{row.label} no manifest matches the row of {row.path}: the row was added or changed."
                )
                if row.line in lines:
                    problem = f"{row.label} the row of {row.path} differs from its manifest: it was changed."
                if not {row.line, row.record} <= lines:
                    self.report(f"{problem} {_ASK_WHO}")
            if not row.line.startswith(ERASED):
                self.files += 1
                self.pending += row.manifest is None
                self._verify_file(row.path, row.sha256, f"{row.label} the file {row.path}")
        named = {line for line in lines or () if line.startswith(ERASED) or not line.startswith("#")} - {""}
        for line in of_rows | {line for line in named if line.startswith(ERASED)}:
            self._lines_without_row.pop(digest_of(line), None)
        self._lines_without_row |= {digest_of(line): line for line in named - of_rows}

    def _verify_file(self, name: str, sha256: str, label: str) -> bytes | None:
        """Return the content of a file if it has this SHA-256. Otherwise, report the problem and return None."""
        try:
            content = read_stored(self.custody.folder, name)
        except (FileNotFoundError, NotADirectoryError):
            self.report(f"{label} is missing. {_RESTORE}")
        except OSError as error:
            self.report(
                f"{label} cannot be read ({error.strerror}). Correct RECOURS_POD_DIR, or give this user read permission."
            )
        else:
            if hashlib.sha256(content).hexdigest() == sha256:
                return content
            self.report(
                f"{label} was changed: its SHA-256 differs from the recorded one. Move it out of the folder. {_RESTORE}"
            )
        return None


def read_stored(folder: Path, name: str) -> bytes:
    """Read a file in the folder of documents. `name`: as stored in the database. Raises OSError."""
    place = folder / name
    if not is_inside(folder, str(place)):
        raise OSError(errno.EINVAL, f"it is outside {folder}")
    if not place.is_relative_to(folder) or place.resolve() != folder.resolve() / place.relative_to(folder):
        raise OSError(errno.EINVAL, "its path contains a link")
    return read_regular(place, _LARGEST)


def reappraise(custody: DatabaseCustody, claim_ids: Collection[Any] = ()) -> Iterator[str | None]:
    """Appraise each accepted proof of these claims (empty: all) again. Raises DatabaseError.

    Yields, for each proof, a sentence that says why it would be refused today, or None if it is still accepted.
    """
    for reference, path, media_type, carrier, number, kind in custody.proofs(claim_ids):
        try:
            content = read_stored(custody.folder, path)
            hollow = appraise(content, media_type, Expected(carrier, number, EvidenceKind(kind))).hollow
        except (OSError, NotADocumentError) as why:
            hollow = getattr(why, "strerror", None) or str(why)
        yield f"{reference}: {path} would be refused today: {hollow}." if hollow else None
