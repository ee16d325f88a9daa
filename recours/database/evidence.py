"""Stores evidence, and the manifests that list the files of evidence: see `recours.core.evidence`.

Evidence is written in the same transaction as the attempt that fetched it.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    Table,
    Text,
    and_,
    cast,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    union_all,
    update,
)

from recours.core.claim import Claim, FetchStatus
from recours.core.evidence import (
    ERASED,
    NOTHING_BEFORE,
    Manifest,
    manifest_line,
    manifest_name,
    manifest_text,
    record_line,
)
from recours.core.outcome import PROOF_KINDS, StoredDocument
from recours.core.text import clean
from recours.database.claim_rows import delivery_columns
from recours.database.dialect import Dialect, dialect_of
from recours.database.engine import Database
from recours.database.tables import attempts, claims, erasures, evidence, manifests, runs
from recours.runs.ports import ATTACHED

_a, _c, _v, _e, _m = attempts.c, claims.c, evidence.c, erasures.c, manifests.c
_KEY = ("claim_id", "sha256")
LONGEST_NUMBER = 60
_PORTION = 100  # the maximum number of files that one run deletes


def evidence_rows(
    claim: Claim,
    documents: Iterable[StoredDocument],
    obtained_at: datetime,
    *,
    run_id: str | None = None,
    by: str | None = None,
) -> list[dict[str, Any]]:
    """Rows for evidence. `run_id`: the run that fetched it; `by`: the person who attached it."""
    return [
        {
            "claim_id": claim.id,
            "carrier": claim.carrier or claim.carrier_name,
            "tracking_number": clean(claim.number or "", LONGEST_NUMBER),
            "kind": document.kind,
            "source": document.source,
            "obtained_at": obtained_at,
            "run_id": None if by else run_id,
            "path": document.path,
            "sha256": document.sha256,
            "size": document.size,
            "media_type": document.media_type,
            "refused": document.refused,
            "shown": document.findings._asdict(),
            **delivery_columns(document.delivery),
            "place": document.delivery.place,
            "by": by,
        }
        for document in documents
    ]


def add_evidence(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert evidence. If a document was obtained before, its row is updated instead, with the latest time."""
    if rows:
        connection.execute(_insert(dialect_of(connection)), rows)


def forget_refused(
    database: Database, cutoff: datetime, erase: Callable[[str, str], str | None], now: datetime
) -> int:
    """Delete up to `_PORTION` rejected files obtained before `cutoff`. Return their number. Raises DatabaseError.

    A file that an attempt names was accepted earlier, and is kept. A file that cannot be deleted keeps its row.
    """
    counted = exists().where(_a.claim_id == _v.claim_id, _a.document_path == _v.path)
    is_old = _v.refused.is_not(None), _v.obtained_at < cutoff
    # Files are chosen at random, so that files that cannot be deleted do not block the others.
    old_files = select(_v.id, _v.path, _v.sha256).where(*is_old, ~counted)
    portion = database.all(old_files.order_by(func.random()).limit(_PORTION))
    erased = [row.id for row in portion if erase(row.path, row.sha256) is None]
    if not erased:
        return 0
    forget = delete(evidence).where(_v.id.in_(erased), *is_old).returning(_v.path, _v.sha256)
    with database.write() as connection:
        files = [(row.path, row.sha256) for row in connection.execute(forget)]
        note_erased(connection, files, "90 days", now)
    return len(files)


@cache
def _insert(dialect: Dialect) -> Any:
    statement = dialect.insert(evidence)
    new_values = {
        column.name: statement.excluded[column.name]
        for column in evidence.columns
        if column.name not in ("id", *_KEY)  # sets `manifest_id` to NULL, as the manifest lists old values
    }
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_=new_values)


PORTION = 10_000  # the maximum number of files in one manifest
_LOCK = text(f"SELECT pg_advisory_xact_lock({0x6D616E6966657374})")
MANIFEST = select(_m.id, cast(_m.path, Text), cast(_m.sha256, Text))
_LAST = MANIFEST.order_by(_m.id.desc()).limit(1)
_HAS_UNNAMED = select(or_(*(exists().where(column.is_(None)) for column in (_v.manifest_id, _e.manifest_id))))
RUNS_KEPT = timedelta(days=400)  # also for quota windows
# Columns that a manifest's record of a row omits: ids of the database, and values that the line already contains.
_NOT_RECORDED = ("id", "path", "sha256", "manifest_id")
_AT_ONCE = 1000  # rows in memory


class CustodyRow(NamedTuple):
    """The row of a file or of an erased file. `label`: the claim, for display.

    `line`: the file as a manifest lists it. `record`: the other values of the row that the manifest protects.
    """

    path: str
    sha256: str
    manifest: Any
    label: str
    line: str
    record: str


def note_erased(connection: Connection, files: Sequence[tuple[str, str]], by: str, at: datetime) -> None:
    """Record erased files (path and SHA-256) for the next manifest, in the transaction that deletes their rows."""
    rows = [{"path": path, "sha256": sha256, "by": by, "erased_at": at} for path, sha256 in files]
    if rows:
        connection.execute(insert(erasures), rows)


@dataclass(eq=False)
class DatabaseCustody:
    """The manifests of one database. `folder`: the folder of documents."""

    database: Database
    folder: Path

    def add(
        self, run_id: str, now: datetime, write: Callable[[str, bytes], None]
    ) -> tuple[Manifest, int] | None:
        """List up to PORTION files without a manifest in a new manifest. Return the manifest and the number of files.

        If all files have a manifest, return None. `write` durably stores a manifest's content under a name. If the
        process dies after `write`, the stored manifest has no row, and the next manifest lists the same files. Raises
        DatabaseError, and the exceptions of `write`.
        """
        if not self.database.scalar(_HAS_UNNAMED):  # most runs store and erase no files
            return None
        with self.database.write(durable=True) as connection:
            if not self.database.dialect.has_one_writer:
                connection.execute(_LOCK)
            last = connection.execute(_LAST).first()
            number = last.id + 1 if last else 1
            files = self._assign(connection, evidence, number)
            rows = [*files, *self._assign(connection, erasures, number)]
            if not rows:
                return None
            previous = last.sha256 if last else NOTHING_BEFORE
            lines = [line for row in rows for line in (row.line, row.record)]
            if last:
                with suppress(OSError):  # a manifest may have no timestamp
                    name = Manifest(*last).token_name
                    token = (self.folder / name).read_bytes()
                    lines.insert(0, manifest_line(hashlib.sha256(token).hexdigest(), name, self.folder))
            content = manifest_text(number, run_id, now, previous, lines).encode()
            manifest = Manifest(
                number, manifest_name(number, run_id, now), hashlib.sha256(content).hexdigest()
            )
            write(manifest.name, content)
            row = {"id": number, "path": manifest.name, "sha256": manifest.sha256}
            connection.execute(insert(manifests), row | {"run_id": run_id, "written_at": now})
        return manifest, len(files)

    def _assign(self, connection: Connection, table: Table, number: int) -> list[CustodyRow]:
        """Assign rows without a manifest to this manifest. Rows that others have locked wait for the next manifest."""
        ids = select(table.c.id).where(table.c.manifest_id.is_(None)).order_by(table.c.id).limit(PORTION)
        statement = (
            update(table)
            .where(table.c.id.in_(ids.with_for_update(skip_locked=True).correlate(None)))
            .values(manifest_id=number)
            .returning(table.c.id, *self._columns(table))
        )
        rows = sorted(connection.execute(statement).all(), key=lambda row: row[0])
        return [self._row(table, *row[1:]) for row in rows]

    def _columns(self, table: Table) -> list[ColumnElement[Any]]:
        """The path, SHA-256 and manifest of a row, and the row's other values as `Dialect.exact` returns them."""
        exact_values = [
            self.database.dialect.exact(column) for column in table.c if column.name not in _NOT_RECORDED
        ]
        return [cast(table.c.path, Text), cast(table.c.sha256, Text), table.c.manifest_id, *exact_values]

    def _row(
        self, table: Table, path: str, sha256: str, manifest: Any, *exact_values: str | None, label: str = ""
    ) -> CustodyRow:
        line = manifest_line(sha256, path, self.folder)
        line = f"{ERASED}{line}" if table is erasures else line
        return CustodyRow(path, sha256, manifest, label, line, record_line(line, exact_values))

    def last(self) -> Manifest | None:
        return self._manifest(_LAST)

    def after(self, number: int) -> Manifest | None:
        return self._manifest(MANIFEST.where(_m.id > number).order_by(_m.id).limit(1))

    def manifests_of(self, digests: Collection[str]) -> set[int]:
        """The numbers of the manifests that list files with these SHA-256 values."""
        query = select(_v.manifest_id).where(_v.sha256.in_(digests), _v.manifest_id.is_not(None))
        return {number for (number,) in self._rows(query)}

    def erasures(self) -> tuple[int, datetime | None]:
        """The number of erased files, and the time of the last erasure."""
        ((count, last),) = self._rows(select(func.count(), func.max(_e.erased_at)))
        return count, last

    def _manifest(self, query: Select[Any]) -> Manifest | None:
        rows = self.database.all(query)
        return Manifest(*rows[0]) if rows else None

    def rows(self, manifest: int | None, claim_ids: Collection[Any] = ()) -> Iterator[CustodyRow]:
        """The rows that a manifest must list, for these claims, or without `claim_ids` for all claims and erased files.

        `manifest`: the manifest's number; None: return the rows whose manifest is not in the database.
        """
        border = self.database.border
        query = select(border.text("claim_reference"), cast(_v.claim_id, Text), *self._columns(evidence))
        query = query.outerjoin(border.claims, border.key == _v.claim_id).order_by(_v.id)
        query = query.where(_is_of(evidence, manifest), *_is_claim(_v.claim_id, claim_ids))
        # Read all rows first, because the caller reads files.
        for reference, claim_id, *row in list(self._rows(query)):
            yield self._row(evidence, *row, label=f"{reference or f'id {claim_id}'}:")
        if not claim_ids:
            query = select(*self._columns(erasures)).where(_is_of(erasures, manifest)).order_by(_e.id)
            for row in self._rows(query):
                yield self._row(erasures, *row, label="Erased file:")

    def _rows(self, query: Executable) -> Iterator[Any]:
        with self.database.read() as connection:
            yield from connection.execution_options(yield_per=_AT_ONCE).execute(query)

    # ---------------------------------------------------------------- other comparisons with the files

    def named_paths(self) -> Iterator[str]:
        """The paths of all files that are named in rows of attempts or evidence."""
        of_attempts = select(cast(_a.document_path, Text)).where(_a.document_path.is_not(None))
        return (path for (path,) in self._rows(union_all(of_attempts, select(cast(_v.path, Text)))))

    def differences(self, claim_ids: Collection[Any]) -> Iterator[str]:
        """One sentence for each contradiction between the rows about files of these claims (empty: all claims)."""
        for (path,) in self._rows(self._without_origin(claim_ids)):
            yield f"The row of {path} was inserted: no recorded run or person is its source."
        piece = and_(_v.claim_id == _a.claim_id, _v.sha256 == _a.document_sha256)
        is_taken_back = exists().where(piece, _v.refused.is_not(None))
        later = attempts.alias("later").c  # fetched again after it was withdrawn
        is_same = and_(later.claim_id == _a.claim_id, later.document_sha256 == _a.document_sha256)
        is_refetched = exists().where(is_same, later.document_path.is_not(None))
        has_no_path = _a.outcome == "success", _a.document_path.is_(None), ~is_taken_back, ~is_refetched
        query = select(cast(_a.claim_id, Text)).where(*has_no_path, *_is_claim(_a.claim_id, claim_ids))
        for (claim,) in self._rows(query):
            yield f"id {claim}: the row of a successful attempt was changed: it names no proof."
        yield from self._shown_otherwise(claim_ids)
        if not claim_ids:
            is_older = or_(
                _v.manifest_id < _e.manifest_id, and_(_e.manifest_id.is_(None), _v.manifest_id > 0)
            )
            is_erased = and_(_v.path == _e.path, _v.sha256 == _e.sha256, is_older)
            for (path,) in self._rows(select(cast(_e.path, Text)).join(evidence, is_erased)):
                yield f"{path} is recorded as erased but still has a row: one of the two was inserted."

    def _without_origin(self, claim_ids: Collection[Any]) -> Select[Any]:
        """Files without a recorded run or person. Runs are kept for a limited time, so older files are not checked."""
        with self.database.read() as connection:
            last = connection.scalar(select(func.max(runs.c.started_at)))
        of_run = exists().where(runs.c.id == _v.run_id)
        attached = exists().where(_a.claim_id == _v.claim_id, _a.outcome == ATTACHED)
        is_kept = _v.obtained_at >= last - RUNS_KEPT if last else _v.path.is_not(None)
        unknown = or_(and_(_v.by.is_(None), ~of_run, is_kept), and_(_v.by.is_not(None), ~attached))
        return select(cast(_v.path, Text)).where(unknown, *_is_claim(_v.claim_id, claim_ids))

    def _shown_otherwise(self, claim_ids: Collection[Any]) -> Iterator[str]:
        """Sentences about claims whose proof in the service's table differs from our records."""
        border = self.database.border
        latest = attempts.alias("latest").c
        last = select(func.max(latest.id)).where(
            latest.claim_id == border.key, latest.document_path.is_not(None)
        )
        url = border.text("pod_url")
        piece = and_(_v.claim_id == _a.claim_id, _v.sha256 == _a.document_sha256)
        rows = border.claims.outerjoin(attempts, _a.id == last.correlate(border.claims).scalar_subquery())
        rows = rows.outerjoin(evidence, piece).outerjoin(claims, _c.claim_id == border.key)
        columns = [border.text(name) for name in ("claim_reference", "pod_fetch_status", "pod_url")]
        columns += [border.text("pod_delivery_person"), cast(_v.path, Text), cast(_v.signatory, Text)]
        column_pairs = [(_a.signatory, _v.signatory), (_a.delivered_at, _v.delivered_at)]
        column_pairs += [(_a.delivered_day, _v.delivered_day), (_a.document_path, _v.path)]
        columns += [self.database.dialect.exact(column) for pair in column_pairs for column in pair]
        is_named = or_(_a.id.is_not(None), url.startswith(str(self.folder), autoescape=True))
        query = select(*columns).select_from(rows)
        query = query.where(is_named, _c.owed_since.is_(None), *_is_claim(border.key, claim_ids))
        for reference, status, pod_url, person, path, signatory, *pairs in self._rows(query):
            fitted = border.parameters(None, {"pod_url": path, "pod_delivery_person": signatory})
            # If the status is empty, the service has restarted the claim.
            is_shown = status == FetchStatus.SUCCESS
            if (pod_url or "") != (fitted.get("to_pod_url") or "") and (pod_url or is_shown):
                recorded = f"the recorded proof is {path}" if path else "no proof is recorded"
                yield f"{reference}: pod_url is {pod_url or 'empty'}, but {recorded}."
            signed_by = fitted.get("to_pod_delivery_person") or ""
            if path and (person or "") != signed_by and (person or is_shown):
                yield f"{reference}: pod_delivery_person is not the recorded signatory of {path}."
            if pairs[::2] != pairs[1::2]:
                yield f"{reference}: the attempt and the evidence name different proofs."

    def proofs(self, claim_ids: Collection[Any]) -> Iterator[Any]:
        """The accepted proofs of these claims (empty: all claims), except proofs that a person attached or accepted.

        Each row: reference, path, media type, carrier, number and kind.
        """
        border = self.database.border
        query = select(_v.id, border.text("claim_reference"), _v.path, _v.media_type, _v.carrier)
        query = query.add_columns(_v.tracking_number, _v.kind).order_by(_v.id).limit(_AT_ONCE)
        query = query.select_from(evidence.outerjoin(border.claims, border.key == _v.claim_id))
        counts = _v.refused.is_(None), _v.by.is_(None), _v.kind.in_(PROOF_KINDS)
        query = query.where(*counts, *_is_claim(_v.claim_id, claim_ids))
        last = 0
        # Rows are read in batches, so that no transaction is open while the caller reads files.
        while rows := list(self._rows(query.where(_v.id > last))):
            yield from (tuple(row[1:]) for row in rows)
            last = rows[-1][0]


def _is_of(table: Table, manifest: int | None) -> ColumnElement[bool]:
    """Rows that a manifest must list; None: rows whose manifest has no row in the database."""
    is_on_record = exists().where(_m.id == table.c.manifest_id, _m.id > 0)
    return ~is_on_record if manifest is None else table.c.manifest_id == manifest


def _is_claim(key: ColumnElement[Any], claim_ids: Collection[Any]) -> list[ColumnElement[bool]]:
    return [key.in_(claim_ids)] if claim_ids else []
