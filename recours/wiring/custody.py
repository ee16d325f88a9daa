"""Manifests: written at the end of each run and timestamped, and verified with the files that they name."""

import errno
import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recours.access import read_regular
from recours.core.custody import (
    ERASED,
    NOTHING_BEFORE,
    PREVIOUS,
    Manifest,
    digest_of,
    manifest_line,
)
from recours.core.errors import RunError
from recours.core.text import plural
from recours.database.custody import DatabaseCustody, EvidenceFile
from recours.database.engine import Database
from recours.documents.store import DocumentStore, is_inside, sync_folder
from recours.logs import run_log
from recours.runs.ports import Clock
from recours.settings.model import Settings

_LARGEST = 64 * 1024 * 1024  # bytes; documents and manifests have less

# ---------------------------------------------------------------- writing


def write_manifests(settings: Settings, database: Database, run_id: str, clock: Clock) -> None:
    """Name the files that no manifest names yet, and have the newest manifest timestamped. What fails is a WARNING.

    `run_id`: the run's, or the command's name.
    """
    custody = DatabaseCustody(database, settings.pod_dir)
    write = partial(_write, DocumentStore(settings.pod_dir, settings.access))
    try:
        while result := custody.add(run_id, clock.now(), write):
            manifest, count = result
            run_log().info(
                f"Manifest {manifest.number:06} of {plural(count, 'file')}: sha256 {manifest.sha256}"
            )
    except (OSError, OverflowError, RunError) as error:
        reason = getattr(error, "strerror", None) or error
        run_log().warning(
            f"No manifest could be written in {settings.pod_dir}: {reason}. The next run tries again"
        )
        return
    if settings.tsa_url:
        _stamp(settings, custody, write)


def _write(store: DocumentStore, name: str, content: bytes) -> None:
    """Write a file below the folder; its name outlasts a power cut. Raises OSError."""
    store.write(store.folder / name, content, durable=True)
    for parent in Path(name).parents:
        sync_folder(store.folder / parent)


def _stamp(settings: Settings, custody: DatabaseCustody, write: Callable[[str, bytes], None]) -> None:
    """Have the newest manifest stamped, if it is not: by what it says of the one before, the stamp is for all of them."""
    from recours import timestamps  # noqa: PLC0415 (brings the HTTP library)

    manifest = None
    try:
        manifest = custody.last()
        if manifest is None or (settings.pod_dir / manifest.token_name).exists():
            return
        roots = timestamps.read_roots(settings.tsa_certificate)
        content = _content(settings.pod_dir, manifest.name)
        token = timestamps.request_token(settings.tsa_url, content)
        timestamps.verify_token(token, content, roots)
        write(manifest.token_name, token)
    except (OSError, RunError) as error:
        number = f"{manifest.number:06} " if manifest else ""
        run_log().warning(
            f"No timestamp of manifest {number}from {urlsplit(settings.tsa_url).hostname}: {error}. "
            "The next run tries again"
        )


# ---------------------------------------------------------------- verifying

_ASK_WHO = "Find out who can write to the database, and compare it with a backup."
_RESTORE = "Restore it from a backup, and find out who can write to the folder."

Report = Callable[[str], None]  # takes a problem: what is wrong, and what to do


@dataclass
class CustodySummary:
    """`pending`: files that the next manifest will name; `stamp`: the newest good timestamp, and what it stamped."""

    files: int = 0
    pending: int = 0
    last: Manifest | None = None
    stamp: tuple[Manifest, datetime] | None = None


def verify(
    custody: DatabaseCustody, report: Report, roots: Sequence[Any] = (), claim_ids: Collection[Any] = ()
) -> CustodySummary:
    """Verify all manifests, and the files of these claims (none named: of all). Raises DatabaseError.

    `roots`: certificates of the authorities whose timestamps are good; none: their signatures are not verified.
    """
    folder = custody.folder
    summary = CustodySummary()
    previous = Manifest(0, "", NOTHING_BEFORE)
    rowless: dict[str, str] = {}  # lines that no row has, by their SHA-256
    while manifest := custody.after(previous.number):
        lines = _manifest_lines(folder, manifest, previous, report)
        if stamped_at := _verify_stamp(folder, manifest, roots, report):
            summary.stamp = manifest, stamped_at
        rows = custody.files(manifest.number, claim_ids)
        _compare(rowless, _verify_rows(folder, rows, lines, report), lines or set())
        summary.files += len(rows)
        summary.last = previous = manifest
    rows = custody.files(None, claim_ids)
    _compare(rowless, _verify_rows(folder, rows, set(), report), set(custody.new_erasures()))
    if rowless and not claim_ids:
        example = next(iter(rowless.values()))
        report(
            f"No row names {plural(len(rowless), 'file')} of manifests, such as {example}: rows were deleted or changed. "
            f"{_ASK_WHO}"
        )
    summary.files += len(rows)
    summary.pending = sum(row.manifest is None for row in rows)
    return summary


def _manifest_lines(folder: Path, manifest: Manifest, previous: Manifest, report: Report) -> set[str] | None:
    """None: it is not as it was written."""
    number = manifest.number
    content = _verify_file(folder, manifest.name, manifest.sha256, f"Manifest {number}", report)
    lines = None if content is None else set(content.decode("utf-8", "replace").split("\n"))
    if number != previous.number + 1 or (lines and f"{PREVIOUS}{previous.sha256}" not in lines):
        report(
            f"Manifest {number} does not follow manifest {previous.number}: one was replaced or deleted. {_ASK_WHO}"
        )
    return lines


def _verify_stamp(folder: Path, manifest: Manifest, roots: Sequence[Any], report: Report) -> datetime | None:
    from recours.timestamps import verify_token  # noqa: PLC0415 (brings the HTTP library)

    try:
        if not (folder / manifest.token_name).exists():
            return None
        return verify_token(_content(folder, manifest.token_name), _content(folder, manifest.name), roots)
    except (OSError, RunError) as error:
        report(
            f"The timestamp of manifest {manifest.number} proves nothing ({error}). If it was changed, restore it from a "
            "backup."
        )
        return None


def _verify_rows(
    folder: Path, rows: Iterable[EvidenceFile], lines: set[str] | None, report: Report
) -> set[str]:
    """Returns the lines of the rows. `lines`: of their manifest; None: they are not known."""
    of_rows: set[str] = set()
    for row in rows:
        claim = row.reference or f"id {row.claim_id}"
        line = manifest_line(row.sha256, row.path, folder)
        of_rows.add(line)
        if row.manifest is not None and lines is not None and line not in lines:
            report(
                f"{claim}: no manifest names {row.path} as its row does: the row was added or changed. {_ASK_WHO}"
            )
        _verify_file(folder, row.path, row.sha256, f"{claim}: the file {row.path}", report)
    return of_rows


def _compare(rowless: dict[str, str], of_rows: set[str], lines: set[str]) -> None:
    """Add the lines that no row has. A later manifest names a file again that was erased or moved."""
    for line in of_rows | {line for line in lines if line.startswith(ERASED)}:
        rowless.pop(digest_of(line), None)
    files = {line for line in lines if line and not line.startswith("#")}
    rowless |= {digest_of(line): line for line in files - of_rows}


def _verify_file(folder: Path, name: str, sha256: str, label: str, report: Report) -> bytes | None:
    """Its content, if it has this SHA-256."""
    try:
        content = _content(folder, name)
    except (FileNotFoundError, NotADirectoryError):
        report(f"{label} is missing. {_RESTORE}")
    except OSError as error:
        report(
            f"{label} cannot be read ({error.strerror}). Correct RECOURS_POD_DIR, or give this user the right to read it."
        )
    else:
        if hashlib.sha256(content).hexdigest() == sha256:
            return content
        report(f"{label} was changed: its SHA-256 is not the recorded one. Move it away. {_RESTORE}")
    return None


def _content(folder: Path, name: str) -> bytes:
    """A file of the folder: its name is that of a row. Raises OSError."""
    if not is_inside(folder, str(folder / name)):
        raise OSError(errno.EINVAL, f"it is outside {folder}")
    return read_regular(folder / name, _LARGEST)
