"""Manifests, written at the end of each run and timestamped, and `recours verify`, which goes by them."""

import errno
import hashlib
import os
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from recours.access import Access, read_regular
from recours.core.custody import (
    NOTHING_BEFORE,
    Manifest,
    ManifestContent,
    ManifestFile,
    manifest_file,
    read_manifest,
)
from recours.core.errors import RunError
from recours.core.text import plural
from recours.database.custody import DatabaseCustody, EvidenceFile
from recours.database.engine import Database
from recours.documents.store import PARTS, examine, is_inside, sync_folder
from recours.logs import run_log
from recours.runs.ports import Clock
from recours.settings.model import Settings

_LARGEST_MANIFEST = 64 * 1024 * 1024
_LARGEST_TOKEN = 64 * 1024
_LET_READ = "Give this user the right to read it."

# ---------------------------------------------------------------- writing


def write_manifests(
    settings: Settings,
    database: Database,
    run_id: str,
    clock: Clock,
    go_on: Callable[[], bool] = lambda: False,
) -> None:
    """Name the files that no manifest names yet, and have the newest manifest timestamped. What fails is a WARNING.

    `run_id`: the run's, or the command's name. `go_on`: whether there is time for another manifest.
    """
    custody = DatabaseCustody(database, settings.pod_dir)
    write = partial(_write, settings.pod_dir, settings.access)
    try:
        while result := custody.add(run_id, clock.now(), write):
            manifest, count = result
            run_log().info(
                f"Manifest {manifest.number:06} of {plural(count, 'file')}: sha256 {manifest.sha256}"
            )
            if not go_on():
                break
    except (OSError, OverflowError, RunError) as error:
        reason = getattr(error, "strerror", None) or error
        run_log().warning(
            f"No manifest could be written in {settings.pod_dir}: {reason}. The next run tries again"
        )
        return
    if settings.tsa_url:
        _stamp(settings, custody, write)


def _write(folder: Path, access: Access, name: str, content: bytes) -> str:
    """Write a file below the folder, whole or not at all; its name and content outlast a power cut. Raises OSError."""
    path, part = folder / name, folder / PARTS / f"{os.getpid()}-{Path(name).name}"
    access.make_folder(part.parent)
    access.make_folder(path.parent)
    with open(part, "wb", opener=access.opener) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    for parent in Path(name).parents:
        sync_folder(folder / parent)
    return hashlib.sha256(content).hexdigest()


def _stamp(settings: Settings, custody: DatabaseCustody, write: Callable[[str, bytes], str]) -> None:
    """Have the newest manifest stamped, if it is not: by what it says of the one before, the stamp is for all of them."""
    from recours.timestamps import (  # noqa: PLC0415 (brings the HTTP library)
        TokenError,
        read_roots,
        request_token,
        verify_token,
    )

    manifest = None
    try:
        manifest = custody.last()
        if manifest is None or manifest.stamped_at:
            return
        roots = read_roots(settings.tsa_certificate)
        content = _content(settings.pod_dir, manifest.name, _LARGEST_MANIFEST)
        token = request_token(settings.tsa_url, content)
        stamped_at = verify_token(token, content, roots)
        write(manifest.token_name, token)
        custody.set_stamp(manifest, stamped_at)
    except (OSError, RunError, TokenError) as error:
        number = f"{manifest.number:06} " if manifest else ""
        run_log().warning(
            f"No timestamp of manifest {number}from {urlsplit(settings.tsa_url).hostname}: {error}. "
            "The next run tries again"
        )


# ---------------------------------------------------------------- verifying


_ASK_WHO = "Find out who can write to the database, and compare it with a backup."
_RESTORE = "Restore it from a backup, and find out who can write to the folder."
_REPLACE = f"its SHA-256 is not the recorded one. Move it away. {_RESTORE}"

# When a token stamped a content. Raises TokenError.
VerifyToken = Callable[[bytes, bytes], datetime]


@dataclass(frozen=True)
class CustodyProblem:
    """One thing that is wrong. `kind`: a word for programs; `text`: what it is, and what to do."""

    kind: str
    text: str
    manifest: int | None = None
    claim: str | None = None
    file: str | None = None


@dataclass
class Verification:
    """Holds files, rows and manifests against each other. The counts are complete when `problems` has ended."""

    custody: DatabaseCustody
    verify_token: VerifyToken | None = None  # None: timestamps are not verified
    manifests: int = 0
    files: int = 0
    pending: int = 0  # files that the next manifest will name
    erased: int = 0
    stamp_count: int = 0
    last: Manifest | None = None
    stamp: tuple[Manifest, datetime] | None = None  # the newest good stamp, and its time

    def problems(self, claim_ids: Collection[int] = ()) -> Iterator[CustodyProblem]:
        """What is wrong with the manifests, and with the files of these claims (none named: of all). Raises DatabaseError."""
        for manifest in self.custody.manifests():
            previous = self.last or Manifest(0, "", NOTHING_BEFORE)
            self.last = manifest
            self.manifests += 1
            number = manifest.number
            if number != previous.number + 1:
                text = f"The row of manifest {previous.number + 1} was deleted. {_ASK_WHO}"
                yield CustodyProblem("row_missing", text, previous.number + 1)
            content = yield from self._manifest(manifest)
            if content and content.previous != previous.sha256:
                text = f"Manifest {number}, or the one before it, was replaced: they do not follow each other. {_ASK_WHO}"
                yield CustodyProblem("manifest_replaced", text, number)
            rows = self.custody.files(number, claim_ids)
            rest = yield from self._rows(rows, number, content.files if content else None)
            if content and not claim_ids:
                yield from self._rest(number, rest, content.erasures)
        for row in self.custody.files(None, claim_ids):
            self.pending += 1
            yield from self._file(row)
        yield from self._rows(self.custody.orphans(claim_ids), None, ())

    def _manifest(self, manifest: Manifest) -> Generator[CustodyProblem, None, ManifestContent | None]:
        """What a manifest says, if it is as it was written."""
        number, name, folder = manifest.number, manifest.name, self.custody.folder
        of = f"The file {name} of manifest {number}"
        try:
            content = _content(folder, name, _LARGEST_MANIFEST)
        except (FileNotFoundError, NotADirectoryError):
            yield CustodyProblem("file_missing", f"{of} is missing. {_RESTORE}", number, file=name)
            return None
        except OSError as error:
            text = f"{of} cannot be read ({error.strerror}). {_LET_READ}"
            yield CustodyProblem("file_unreadable", text, number, file=name)
            return None
        if hashlib.sha256(content).hexdigest() != manifest.sha256:
            yield CustodyProblem("file_changed", f"{of} was changed: {_REPLACE}", number, file=name)
            return None
        if self.verify_token and (manifest.stamped_at or (folder / manifest.token_name).exists()):
            yield from self._token(manifest, content, self.verify_token)
        return read_manifest(content)

    def _token(self, manifest: Manifest, content: bytes, verify: VerifyToken) -> Iterator[CustodyProblem]:
        from recours.timestamps import TokenError  # noqa: PLC0415 (brings the HTTP library)

        self.stamp_count += 1
        try:
            token = _content(self.custody.folder, manifest.token_name, _LARGEST_TOKEN)
            self.stamp = manifest, verify(token, content)
        except (OSError, TokenError) as error:
            text = f"The timestamp of manifest {manifest.number} proves nothing ({error}). {_RESTORE}"
            yield CustodyProblem("bad_timestamp", text, manifest.number, file=manifest.token_name)

    def _rows(
        self, rows: Iterable[EvidenceFile], manifest: int | None, named: Collection[ManifestFile] | None
    ) -> Generator[CustodyProblem, None, set[ManifestFile]]:
        """Verify the rows of a manifest and their files. `named`: what it names; None: that is not known. Returns what no row names."""
        rest = set(named or ())
        for row in rows:
            file = manifest_file(row.sha256, row.path, self.custody.folder)
            rest.discard(file)
            if named is not None and file not in named:
                text = f"{row.claim}: no manifest names {row.path} as its row does: the row was added or changed. {_ASK_WHO}"
                yield CustodyProblem("row_not_named", text, manifest, row.claim, row.path)
            yield from self._file(row)
        return rest

    def _rest(
        self, manifest: int, rest: set[ManifestFile], erased: Collection[ManifestFile]
    ) -> Iterator[CustodyProblem]:
        """`rest`: what a manifest names, and no row does; `erased`: what it says was erased."""
        for file in sorted(rest - self.custody.erased_or_moved(rest)):
            text = f"Manifest {manifest} names {file.name}, and no row does: it was deleted or changed. {_ASK_WHO}"
            yield CustodyProblem("row_missing", text, manifest, file=file.name)
        for file in self.custody.erasures(manifest):
            self.erased += 1
            if file not in erased:
                text = f"recours_erasures has {file.name}, and manifest {manifest} does not: it was added or changed. {_ASK_WHO}"
                yield CustodyProblem("row_not_named", text, manifest, file=file.name)

    def _file(self, row: EvidenceFile) -> Iterator[CustodyProblem]:
        self.files += 1
        state = examine(self.custody.folder, row.path, row.size)
        of = f"{row.claim}: the file {row.path}"
        if not state.is_there:
            if self.custody.has(row):  # else it was erased meanwhile
                yield CustodyProblem(
                    "file_missing", f"{of} is missing. {_RESTORE}", None, row.claim, row.path
                )
        elif state.trouble:
            text = f"{of} cannot be read ({state.trouble}). {_LET_READ}"
            yield CustodyProblem("file_unreadable", text, None, row.claim, row.path)
        elif state.sha256 != row.sha256:
            yield CustodyProblem("file_changed", f"{of} was changed: {_REPLACE}", None, row.claim, row.path)


def _content(folder: Path, name: str, most: int) -> bytes:
    """A file below the folder: its name is that of a row. Raises OSError."""
    if not is_inside(folder, str(folder / name)):
        raise OSError(errno.EINVAL, f"it is outside {folder}")
    return read_regular(folder / name, most)
