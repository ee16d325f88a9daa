"""Manifests: written at the end of each run and timestamped, and verified with the files that they name."""

import errno
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recours.access import read_regular
from recours.core.appraisal import EvidenceKind, Expected
from recours.core.custody import (
    ERASED,
    NOTHING_BEFORE,
    PREVIOUS,
    Manifest,
    digest_of,
)
from recours.core.errors import RunError
from recours.core.outcome import NotADocumentError
from recours.core.text import plural
from recours.database.custody import DatabaseCustody, EvidenceFile
from recours.database.engine import Database
from recours.documents.appraisal import appraise
from recours.documents.store import DocumentStore, is_inside, stored_files, sync_folder
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
    """Verify all manifests, and the files of these claims (none named: of all), with what is shown of them. Raises DatabaseError.

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
        _verify_tokens(folder, previous, lines or set(), report)
        _verify_rows(custody, manifest.number, lines, rowless, summary, report, claim_ids)
        summary.last = previous = manifest
    _verify_rows(custody, None, None, rowless, summary, report, claim_ids)
    if rowless and not claim_ids:
        example = next(iter(rowless.values()))
        report(
            f"No row names {plural(len(rowless), 'file')} of manifests, such as {example}: rows were deleted or changed. "
            f"{_ASK_WHO}"
        )
    _verify_shown(custody, report, claim_ids)
    if not claim_ids:
        _verify_folder(custody, report)
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


def _verify_tokens(folder: Path, previous: Manifest, lines: set[str], report: Report) -> None:
    """That of the manifest before, if these lines name it. They are left without it."""
    for line in [
        line for line in lines if line.endswith(f"  {previous.token_name}") and not line.startswith("#")
    ]:
        lines.remove(line)
        label = f"The timestamp of manifest {previous.number}"
        _verify_file(folder, previous.token_name, digest_of(line), label, report)


def _verify_rows(
    custody: DatabaseCustody,
    manifest: int | None,
    lines: set[str] | None,
    rowless: dict[str, str],
    summary: CustodySummary,
    report: Report,
    claim_ids: Collection[Any],
) -> None:
    """The rows of one manifest; `lines`: its own; None: they are not known, or it is none (`manifest` None).

    A later manifest names a file again that was erased or moved, or of whose row something was written.
    """
    of_rows: set[str] = set()
    for row in custody.files(manifest, claim_ids):
        summary.files += 1
        summary.pending += row.manifest is None
        of_rows.add(row.line)
        if row.manifest is not None:
            _verify_record(row, row.line, f"{row.label}:", lines if manifest else set(), report)
        _verify_file(custody.folder, row.path, row.sha256, f"{row.label}: the file {row.path}", report)
    for row in () if claim_ids else custody.erased(manifest):
        of_rows.add(f"{ERASED}{row.line}")
        if row.manifest is not None:
            _verify_record(
                row, f"{ERASED}{row.line}", "Of an erased file", lines if manifest else set(), report
            )
    for line in of_rows | {line for line in lines or () if line.startswith(ERASED)}:
        rowless.pop(digest_of(line), None)
    files = {line for line in lines or () if line and (not line.startswith("#") or line.startswith(ERASED))}
    rowless |= {digest_of(line): line for line in files - of_rows}


def _verify_record(row: EvidenceFile, line: str, label: str, lines: set[str] | None, report: Report) -> None:
    if lines is None:
        return
    if line not in lines:
        report(
            f"{label} no manifest names {row.path} as its row does: the row was added or changed. {_ASK_WHO}"
        )
    elif row.record not in lines:
        report(f"{label} the row of {row.path} does not say what it said: it was changed. {_ASK_WHO}")


def _verify_shown(custody: DatabaseCustody, report: Report, claim_ids: Collection[Any]) -> None:
    """What the service and the page show of the files."""
    for path in custody.without_origin(claim_ids):
        report(f"No run and no person is on record that brought {path}: its row was added. {_ASK_WHO}")
    for claim in custody.without_document(claim_ids):
        report(f"id {claim}: an attempt that fetched a proof names none: its row was changed. {_ASK_WHO}")
    for proof in custody.shown_proofs(claim_ids):
        if not proof.names_it:
            of_record = f", and {proof.path} is on record" if proof.path else ", and nothing is on record"
            report(
                f"{proof.reference}: its pod_url names {proof.pod_url or 'nothing'}{of_record}. {_ASK_WHO}"
            )
        if proof.path and not proof.names_signatory:
            report(f"{proof.reference}: its pod_delivery_person is not who signed {proof.path}. {_ASK_WHO}")
        if not proof.agrees:
            report(f"{proof.reference}: the attempt and the evidence do not agree on its proof. {_ASK_WHO}")


def _verify_folder(custody: DatabaseCustody, report: Report) -> None:
    """Files that no row names, and rows of files that are said to be erased."""
    for path in custody.not_erased():
        report(f"{path} is said to be erased, and its row is there: one of both was added. {_ASK_WHO}")
    named = set(map(hash, custody.named_paths()))
    for file in stored_files(custody.folder):
        if hash(str(file)) not in named:
            report(
                f"No row names the file {file}: it was added, or its row deleted. Move it away. {_ASK_WHO}"
            )


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
    place = folder / name
    if not is_inside(folder, str(place)):
        raise OSError(errno.EINVAL, f"it is outside {folder}")
    is_direct = place.is_relative_to(folder) and place.resolve() == folder.resolve() / place.relative_to(
        folder
    )
    if not is_direct:
        raise OSError(errno.EINVAL, "it is reached by a link")
    return read_regular(folder / name, _LARGEST)


# ---------------------------------------------------------------- by the present rules


def appraised_anew(custody: DatabaseCustody, claim_ids: Collection[Any] = ()) -> Iterator[str | None]:
    """For each proof of these claims (none named: of all) that runs accepted: why it would be refused today; None: it would not.

    Raises DatabaseError.
    """
    for reference, path, media_type, carrier, number, kind in custody.proofs(claim_ids):
        try:
            content = _content(custody.folder, path)
            found = appraise(content, media_type, Expected(carrier, number, EvidenceKind(kind)))
        except (OSError, NotADocumentError) as why:
            hollow: str | None = getattr(why, "strerror", None) or str(why)
        else:
            hollow = found.hollow
        yield f"{reference}: {path} would be refused today: {hollow}." if hollow else None
