"""Deletes data past its retention period: documents, signatories, attempts, and the texts of events and emails.

The order within a batch makes a crash harmless. The claims are leased first, so that no run fetches them. Then the
files are deleted. Their rows are deleted last, because a file without a row would never be found again. If a prune dies
in between, rows without files remain. The next prune finds these rows and counts the missing files as deleted. If a
file cannot be deleted, its row is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    true,
    update,
)

from recours.core.claim import Stage
from recours.core.mail import OPEN_STATES, MailState
from recours.database.border import Border
from recours.database.claim_rows import const, free, in_batches, insert_rows
from recours.database.engine import Database
from recours.database.evidence import note_erased
from recours.database.tables import (
    DONE,
    actions,
    attempts,
    changes,
    claims,
    events,
    evidence,
    is_at_stage,
    mail_events,
    mails,
)

_c, _a, _e, _m, _v = claims.c, attempts.c, events.c, mails.c, evidence.c
_LEASE = timedelta(minutes=10)
# Rows per transaction. There are few, so that no process waits long for the write lock.
_CHUNK = 200
# In the order of the fields of OldFile, except its last field, `is_shared`.
_OLD_ATTEMPT = (_a.id, _a.claim_id, _a.document_path, _a.document_sha256, func.coalesce(_a.document_size, 0))
_OLD_PIECE = (_v.id, _v.claim_id, _v.path, _v.sha256, _v.size)

_ENDED = tuple(state for state in MailState if state not in OPEN_STATES)
_OPEN_MAIL = exists(
    select(mail_events.c.mail_id)
    .join(mails, _m.id == mail_events.c.mail_id)
    .where(mail_events.c.event_id == _e.id, _m.state.in_(OPEN_STATES))
)
# The service's columns that describe the document.
_OF_DOCUMENT = ("pod_url", "pod_delivery_person", "pod_signature_url")
NO_TEXT: dict[str, Any] = {"plain": "", "html": ""}
_NO_EVIDENCE = delete(evidence).where(_v.claim_id == bindparam("of_claim"), _v.path == bindparam("path"))


class OldFile(NamedTuple):
    """An attempt with its document, or a piece of evidence, whose retention period is over."""

    id: int
    claim_id: Any
    path: str | None
    sha256: str | None
    size: int = 0
    is_shared: bool = False  # a later attempt fetched the same document, so its file is kept


@dataclass(frozen=True)
class OldRows:
    """Rows whose retention period is over. `values`: the values that replace the old ones; None: delete the rows."""

    table: Table
    source: FromClause
    conditions: tuple[ColumnElement[bool], ...]
    values: dict[str, Any] | None = None


Erase = Callable[[str, str], str | None]  # path and SHA-256 → why the file could not be deleted


@dataclass
class Pruned:
    """Counts of data that was or would be deleted, and the files that could not be deleted."""

    attempts: int = 0
    documents: int = 0
    size: int = 0  # of the documents, in bytes
    deliveries: int = 0  # given up claims whose known signatory is deleted
    events: int = 0  # events whose facts are deleted
    mails: int = 0  # finished emails whose text is deleted
    # Edits, payments and decisions about claims, and people's actions on carriers, accounts and emails
    changes: int = 0
    # Evidence other than the documents of attempts: additional and rejected documents, tracking records
    evidence: int = 0
    undeleted: dict[str, str] = field(default_factory=dict)  # why each of these files could not be deleted

    @property
    def is_empty(self) -> bool:
        parts = self.attempts, self.deliveries, self.events, self.mails, self.changes, self.evidence
        return not any(parts)


def prune(past: "OldData", erase: Erase, cutoff: datetime, now: Callable[[], datetime]) -> Pruned:
    """Delete everything whose retention period is over, in batches that let runs continue. Raises RunError."""
    pruned = Pruned()
    counts: dict[str, Any] = {}
    for table in (attempts, evidence):
        count = last = 0
        while part := past.lease(table, cutoff, now(), last):
            files, last = part
            gone = [file for file in files if _erased(file, erase, pruned)]
            past.forget(table, files, gone, now())
            count += len(gone)
        counts["attempts" if table is attempts else "evidence"] = count
    for name, parts in past.old_rows(cutoff, now()).items():
        counts[name] = sum(map(past.forget_rows, parts))
    return replace(pruned, **counts)


def delete_all_files(
    past: "OldData", claim_ids: Sequence[Any], erase: Erase, now: Callable[[], datetime]
) -> dict[str, str]:
    """Delete all files of claims that no run works on. Return the files that could not be deleted, with the reasons."""
    pruned = Pruned()
    for table, columns in ((attempts, _OLD_ATTEMPT), (evidence, _OLD_PIECE)):
        query = select(*columns).where(table.c.claim_id.in_(claim_ids)).order_by(table.c.id)
        files = [OldFile(*row) for row in past.database.all(query)]
        for part in in_batches(files, _CHUNK):
            past.forget(table, part, [file for file in part if _erased(file, erase, pruned)], now())
    return pruned.undeleted


def _erased(file: OldFile, erase: Erase, pruned: Pruned) -> bool:
    """Delete the document of an attempt, or a piece of evidence, and return whether this succeeded."""
    if file.path is None or file.is_shared:
        return True
    if why := erase(file.path, file.sha256 or ""):
        pruned.undeleted[file.path] = why
        return False
    pruned.documents += 1
    pruned.size += file.size
    return True


@dataclass(frozen=True)
class OldData:
    """The old data of one database. The methods use short transactions."""

    database: Database
    holder: str  # of the leases on claims
    by: str = "recours prune"  # the command or person that deletes

    def outlook(self, cutoff: datetime, now: datetime) -> Pruned:
        border = self.database.border
        size = func.coalesce(func.sum(_a.document_size), 0)
        old_attempts = select(func.count(), func.count(_a.document_path), size)
        old_attempts = old_attempts.select_from(_join_claims(border, attempts))
        old_attempts = old_attempts.where(_a.started_at < cutoff, _is_over(border, now))
        alone = ~exists(select(_a.id).where(_a.claim_id == _v.claim_id, _a.document_sha256 == _v.sha256))
        are_old = *_old_evidence(cutoff), _is_over(border, now), alone
        pieces = OldRows(evidence, _join_claims(border, evidence), are_old)
        old_rows = self.old_rows(cutoff, now) | {"evidence": [pieces]}
        with self.database.read() as connection:
            attempts_and_documents = connection.execute(old_attempts).one()
            counts: dict[str, Any] = dict.fromkeys(old_rows, 0)
            for name, parts in old_rows.items():
                for old in parts:
                    query = select(func.count()).select_from(old.source).where(*old.conditions)
                    counts[name] += connection.scalar(query)
        return Pruned(*attempts_and_documents, **counts)

    def lease(
        self, table: Table, cutoff: datetime, now: datetime, last: int
    ) -> tuple[list[OldFile], int] | None:
        """Lease finished claims that have old rows after id `last`. Return these rows and the last id read, or None."""
        border = self.database.border
        if table is attempts:
            query = select(border.key, *_OLD_ATTEMPT, _is_shared(cutoff)).where(_a.started_at < cutoff)
        else:
            query = select(border.key, *_OLD_PIECE).where(*_old_evidence(cutoff))
        query = query.select_from(_join_claims(border, table)).where(table.c.id > last, _is_over(border, now))
        query = query.order_by(table.c.id).limit(_CHUNK)
        rows = self.database.all(query)
        if not rows:
            return None
        # Claims that are still finished. Claims that another process has locked are skipped.
        ids = {claim_id for claim_id, *_ in rows if claim_id is not None}
        still_over = select(_c.claim_id).select_from(border.joined())
        still_over = still_over.where(_c.claim_id.in_(ids), _is_over(border, now)).order_by(_c.claim_id)
        with self.database.write() as connection:
            # The lease is stored in our row of the claim. The rows of old claims may have been deleted.
            insert_rows(connection, [{"claim_id": claim_id, "stage": DONE} for claim_id in ids])
            leased = set(connection.scalars(still_over.with_for_update(skip_locked=True, of=claims)))
            values = {"lease_token": self.holder, "lease_until": now + _LEASE, "version": _c.version + 1}
            connection.execute(update(claims).where(_c.claim_id.in_(leased)).values(values))
        files = [OldFile(*facts) for claim_id, *facts in rows if claim_id is None or claim_id in leased]
        return files, rows[-1][1]

    def forget(self, table: Table, files: Sequence[OldFile], gone: Sequence[OldFile], now: datetime) -> None:
        """Delete the rows in `gone`, clear their documents in the claims, and release all leased claims.

        The next manifest will list the files of these rows as erased.
        """
        erased = [file for file in gone if file.path is not None and not file.is_shared]
        erased.sort(key=lambda file: (file.claim_id, file.id))
        with self.database.write() as connection:
            paths = [{"of_claim": file.claim_id, "path": file.path} for file in erased]
            if paths:
                self._clear(connection, paths)
                connection.execute(_NO_EVIDENCE, paths)
            connection.execute(delete(table).where(table.c.id.in_([file.id for file in gone])))
            ids = {file.claim_id for file in files}
            is_own = _c.claim_id.in_(ids), _c.lease_token == self.holder
            # These rows were created only for the lease.
            connection.execute(delete(claims).where(*is_own, is_at_stage(DONE), _c.seen_reference.is_(None)))
            released = {"lease_token": None, "lease_until": None, "version": _c.version + 1}
            connection.execute(update(claims).where(*is_own).values(released))
            names = [(file.path or "", file.sha256 or "") for file in erased]
            note_erased(connection, list(dict.fromkeys(names)), self.by, now)

    def _clear(self, connection: Connection, paths: Sequence[dict[str, Any]]) -> None:
        """Clear the document columns of claims that still refer to one of these paths."""
        border = self.database.border
        url = border.text("pod_url")
        named = select(border.key, url).where(border.key.in_({path["of_claim"] for path in paths}))
        urls = {row[0]: row[1] for row in connection.execute(named)}
        cleared = {
            path["of_claim"]: path["path"] for path in paths if urls.get(path["of_claim"]) == path["path"]
        }
        if not cleared:
            return
        statement = border.update(_OF_DOCUMENT, if_unedited=False).where(url == bindparam("path"))
        empty = dict.fromkeys(_OF_DOCUMENT)
        rows = [border.parameters(claim_id, empty) | {"path": path} for claim_id, path in cleared.items()]
        connection.execute(statement, rows)
        connection.execute(update(claims).where(_c.claim_id.in_(cleared)).values(known_delivery=None))

    def old_rows(self, cutoff: datetime, now: datetime) -> dict[str, list[OldRows]]:
        """Old rows of other tables, by field of `Pruned`. Events are only cleared, so that no email is sent twice."""
        border = self.database.border
        last = func.coalesce(_c.last_retry_at, _c.failed_at, _c.rank_at)
        signed = _has_ended(border), free(now), _c.known_delivery.is_not(None), last < cutoff
        unsigned = {"known_delivery": None, "version": _c.version + 1}
        # Events that an email reported or that were declined, unless the email is unfinished.
        facts = _e.created_at < cutoff, _e.told.is_not(None), cast(_e.facts, Text) != const("{}"), ~_OPEN_MAIL
        texts = _m.state.in_(_ENDED), _m.ended_at < cutoff, or_(_m.plain != const(""), _m.html != const(""))
        return {
            "deliveries": [OldRows(claims, border.joined(), signed, unsigned)],
            "events": [OldRows(events, events, facts, {"facts": {}})],
            "mails": [OldRows(mails, mails, texts, NO_TEXT)],
            "changes": [OldRows(table, table, (table.c.at < cutoff,)) for table in (changes, actions)],
        }

    def forget_rows(self, old: OldRows) -> int:
        """Delete or clear these rows in batches, and return how many there were."""
        (key,) = old.table.primary_key
        portion = select(key).select_from(old.source).where(*old.conditions).limit(_CHUNK)
        portion = portion.with_for_update(skip_locked=True, of=old.table)
        statement = delete(old.table) if old.values is None else update(old.table).values(old.values)
        count = 0
        while True:
            with self.database.write() as connection:
                ids = list(connection.scalars(portion))
                connection.execute(statement.where(key.in_(ids)))
            if not ids:
                return count
            count += len(ids)


def _is_shared(cutoff: datetime) -> ColumnElement[bool]:
    """Attempts whose document was fetched again since `cutoff`, as the proof or as additional evidence."""
    later = attempts.alias("later").c
    is_alike = later.claim_id == _a.claim_id, later.document_path == _a.document_path
    is_piece = _v.claim_id == _a.claim_id, _v.path == _a.document_path, _v.obtained_at >= cutoff
    return or_(
        exists(select(later.id).where(*is_alike, later.started_at >= cutoff)), exists().where(*is_piece)
    )


def _old_evidence(cutoff: datetime) -> tuple[ColumnElement[bool], ...]:
    """Evidence from before `cutoff` that no later attempt fetched again as its proof."""
    is_alike = _a.claim_id == _v.claim_id, _a.document_path == _v.path
    return _v.obtained_at < cutoff, ~exists(select(_a.id).where(*is_alike, _a.started_at >= cutoff))


def _join_claims(border: Border, table: Table) -> FromClause:
    """The rows of a table, joined with their claims and our rows."""
    of_service = table.outerjoin(border.claims, border.key == table.c.claim_id)
    return of_service.outerjoin(claims, _c.claim_id == table.c.claim_id)


def _is_over(border: Border, now: datetime) -> ColumnElement[bool]:
    """Unleased claims that are finished or that recours does not work on, and claims that the service has deleted."""
    is_left_alone = border.is_worked_on.is_not(true())
    return or_(border.key.is_(None), and_(free(now), or_(is_left_alone, _has_ended(border))))


def _has_ended(border: Border) -> ColumnElement[bool]:
    """Given up and shelved claims, except claims that were reset or corrected since."""
    return and_(is_at_stage(Stage.GIVEN_UP, Stage.SHELVED), ~border.is_edited, _c.to_assess == 0)
