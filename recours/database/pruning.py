"""What is past its keeping time goes: documents, signatories, attempts, and the texts of events and mails.

The order within a part is what makes a crash harmless. The claims are leased first, so that no run fetches them. Then the
files go, and only then the rows that name them: a row is all that knows of a file, so a file whose row went first would
stay for ever. A prune that dies in between leaves rows whose files are gone; the next one finds
the same rows, counts a file that is gone as deleted, and goes on. A file that cannot be deleted keeps its row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
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
from recours.core.mail import MailState
from recours.database.border import Border
from recours.database.claim_rows import const, free, insert_rows
from recours.database.custody import note_erased
from recours.database.engine import Database
from recours.database.tables import (
    DONE,
    actions,
    at_stage,
    attempts,
    changes,
    claims,
    events,
    evidence,
    mail_events,
    mails,
)

_c, _a, _e, _m, _h, _v = claims.c, attempts.c, events.c, mails.c, changes.c, evidence.c
_LEASE = timedelta(minutes=10)
# Rows of one transaction: short enough that nobody waits long for the write lock.
_CHUNK = 200
# In the order of OldAttempt's fields, the last of which is `_is_shared`.
_OLD_ATTEMPT = (
    _a.id,
    _a.claim_id,
    _a.document_path,
    _a.document_sha256,
    func.coalesce(_a.document_size, 0),
)
_OLD_PIECE = (_v.id, _v.claim_id, _v.path, _v.sha256, _v.size)

_ENDED = tuple(
    state for state in MailState if state not in (MailState.READY, MailState.HELD, MailState.SENDING)
)
_OPEN_MAIL = exists(
    select(mail_events.c.mail_id)
    .join(mails, _m.id == mail_events.c.mail_id)
    .where(mail_events.c.event_id == _e.id, _m.state.not_in(_ENDED))
)
# Of the service, what names the document.
_OF_DOCUMENT = ("pod_url", "pod_delivery_person", "pod_signature_url")
_NO_EVIDENCE = delete(evidence).where(_v.claim_id == bindparam("of_claim"), _v.path == bindparam("path"))


@dataclass(frozen=True)
class OldAttempt:
    """An attempt past its keeping time, with its document."""

    id: int
    claim_id: Any
    document_path: str | None
    document_sha256: str | None
    document_size: int = 0
    is_shared: bool = False  # a later attempt brought the very same document: its file stays


@dataclass(frozen=True)
class Part:
    """Some of them, whose claims are leased."""

    attempts: Sequence[OldAttempt]
    last: int  # up to which attempt was looked


Erase = Callable[[str, str], str | None]  # a path and its SHA-256; why it could not be deleted


@dataclass
class Pruned:
    """What went, or would go; and what could not."""

    attempts: int = 0
    documents: int = 0
    size: int = 0  # of the documents, in bytes
    deliveries: int = 0  # claims that gave up, and still know who signed
    events: int = 0  # whose facts go
    mails: int = 0  # that ended, whose text goes
    # Of claims: edits, payments, what people decided; what they did to carriers, accounts and mails.
    changes: int = 0
    evidence: int = 0  # beside the documents of attempts: further pieces, refused ones, records
    left: dict[str, str] = field(default_factory=dict)  # files that could not be deleted, and why

    @property
    def is_empty(self) -> bool:
        parts = self.attempts, self.deliveries, self.events, self.mails, self.changes, self.evidence
        return not any(parts)


def prune(past: "DatabasePast", erase: Erase, before: datetime, now: Callable[[], datetime]) -> Pruned:
    """Delete all of it, a part at a time, so that runs go on meanwhile. Raises RunError."""
    done = Pruned()

    def forget_with_files(
        take: Callable[[datetime, datetime, int], Part | None],
        forget: Callable[[Part, Sequence[OldAttempt], datetime], None],
    ) -> int:
        count = 0
        last = 0
        while part := take(before, now(), last):
            last = part.last
            rows = [row for row in part.attempts if _erased(row, erase, done)]
            forget(part, rows, now())
            count += len(rows)
        return count

    done.attempts = forget_with_files(past.take, past.forget)
    done.evidence = forget_with_files(past.take_evidence, past.forget_evidence)
    done.deliveries = sum(_until_none(lambda: past.forget_deliveries(before, now())))
    done.events = sum(_until_none(lambda: past.forget_events(before)))
    done.mails = sum(_until_none(lambda: past.forget_mails(before)))
    done.changes = sum(_until_none(lambda: past.forget_changes(before)))
    return done


def _erased(attempt: OldAttempt, erase: Erase, done: Pruned) -> bool:
    """Delete the document of an attempt, or a piece of evidence; False if that could not be done."""
    path = attempt.document_path
    if path is None or attempt.is_shared:
        return True
    if why := erase(path, attempt.document_sha256 or ""):
        done.left[path] = why
        return False
    done.documents += 1
    done.size += attempt.document_size
    return True


def _until_none(do: Callable[[], int]) -> Iterator[int]:
    while count := do():
        yield count


# ---------------------------------------------------------------- the rows


@dataclass(frozen=True)
class DatabasePast:
    """What one database keeps of the time before. Each of these is one or two short transactions."""

    database: Database
    holder: str  # of the leases on claims
    by: str = "recours prune"  # who has it done

    def outlook(self, before: datetime, now: datetime) -> Pruned:
        """What would go."""
        border = self.database.border
        old = (
            select(func.count(), func.count(_a.document_path), func.coalesce(func.sum(_a.document_size), 0))
            .select_from(_with_claims(border, attempts))
            .where(_a.started_at < before, _is_over(border, now))
        )
        alone = ~exists(select(_a.id).where(_a.claim_id == _v.claim_id, _a.document_sha256 == _v.sha256))
        pieces = select(func.count()).select_from(_with_claims(border, evidence))
        pieces = pieces.where(*_old_evidence(before), _is_over(border, now), alone)
        rest = (
            (border.joined(), _deliveries(border, before, now)),
            (events, _facts(before)),
            (mails, _texts(before)),
            (changes, (_h.at < before,)),
            (actions, (actions.c.at < before,)),
        )
        with self.database.read() as connection:
            attempts_and_documents = connection.execute(old).one()
            counts = [
                connection.scalar(select(func.count()).select_from(table).where(*which)) or 0
                for table, which in rest
            ]
            counts[-2:] = [counts[-2] + counts[-1], connection.scalar(pieces) or 0]
        return Pruned(*attempts_and_documents, *counts)

    # ---------------------------------------------------------------- attempts and documents

    def take(self, before: datetime, now: datetime, last: int) -> Part | None:
        """The next attempts after `last` of claims that are not tried any more, which are leased; None: there are no more."""
        border = self.database.border
        query = (
            select(border.key, *_OLD_ATTEMPT, _is_shared(before))
            .select_from(_with_claims(border, attempts))
            .where(_a.id > last, _a.started_at < before, _is_over(border, now))
            .order_by(_a.id)
            .limit(_CHUNK)
        )
        return self._taken(query, now)

    def take_evidence(self, before: datetime, now: datetime, last: int) -> Part | None:
        """The same of pieces of evidence, of which attempts may know nothing."""
        border = self.database.border
        query = (
            select(border.key, *_OLD_PIECE)
            .select_from(_with_claims(border, evidence))
            .where(_v.id > last, *_old_evidence(before), _is_over(border, now))
            .order_by(_v.id)
            .limit(_CHUNK)
        )
        return self._taken(query, now)

    def _taken(self, query: Select[Any], now: datetime) -> Part | None:
        """What of a query's rows may go: their claims are leased."""
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        if not rows:
            return None
        # Those of them that are still not tried any more; what others have locked is left to them.
        border = self.database.border
        ids = {claim_id for claim_id, *_ in rows if claim_id is not None}
        over = (
            select(_c.claim_id)
            .select_from(border.joined())
            .where(_c.claim_id.in_(ids), _is_over(border, now))
        )
        over = over.order_by(_c.claim_id).with_for_update(skip_locked=True, of=claims)
        with self.database.write() as connection:
            # A lease is kept in our row, which a claim that is long done has no more.
            insert_rows(connection, [{"claim_id": claim_id, "stage": DONE} for claim_id in ids])
            leased = set(connection.scalars(over))
            values = {"lease_token": self.holder, "lease_until": now + _LEASE, "version": _c.version + 1}
            connection.execute(update(claims).where(_c.claim_id.in_(leased)).values(values))
        found = [OldAttempt(*facts) for claim_id, *facts in rows if claim_id is None or claim_id in leased]
        return Part(found, last=rows[-1][1])

    def forget(self, part: Part, gone: Sequence[OldAttempt], now: datetime) -> None:
        """Delete the attempts that are `gone`, say in their claims that there is no document, and release all claims.

        The next manifest says that their files were erased.
        """
        self._forget(attempts, part, gone, now)

    def forget_evidence(self, part: Part, gone: Sequence[OldAttempt], now: datetime) -> None:
        """The same of pieces of evidence."""
        self._forget(evidence, part, gone, now)

    def _forget(self, table: Table, part: Part, gone: Sequence[OldAttempt], now: datetime) -> None:
        erased = [
            attempt
            for attempt in sorted(gone, key=lambda attempt: (attempt.claim_id, attempt.id))
            if attempt.document_path is not None and not attempt.is_shared
        ]
        with self.database.write() as connection:
            paths = [{"of_claim": one.claim_id, "path": one.document_path} for one in erased]
            if paths:
                self._clear(connection, paths)
                connection.execute(_NO_EVIDENCE, paths)
            connection.execute(delete(table).where(table.c.id.in_([attempt.id for attempt in gone])))
            of_part = _c.claim_id.in_({attempt.claim_id for attempt in part.attempts})
            mine = of_part, _c.lease_token == self.holder
            # Rows that were made for the lease alone.
            connection.execute(delete(claims).where(*mine, at_stage(DONE), _c.seen_reference.is_(None)))
            released = {"lease_token": None, "lease_until": None, "version": _c.version + 1}
            connection.execute(update(claims).where(*mine).values(released))
            files = [(one.document_path or "", one.document_sha256 or "") for one in erased]
            note_erased(connection, list(dict.fromkeys(files)), self.by, now)

    def _clear(self, connection: Connection, paths: Sequence[dict[str, Any]]) -> None:
        """Say in claims whose document is one of these that there is none."""
        border, url = self.database.border, self.database.border.text("pod_url")
        named = select(border.key, url).where(border.key.in_({path["of_claim"] for path in paths}))
        urls = {row[0]: row[1] for row in connection.execute(named)}
        cleared = {
            path["of_claim"]: path["path"] for path in paths if urls.get(path["of_claim"]) == path["path"]
        }
        if not cleared:
            return
        statement = border.update(_OF_DOCUMENT, if_unedited=False).where(url == bindparam("path"))
        nothing = dict.fromkeys(_OF_DOCUMENT)
        rows = [border.parameters(claim_id, nothing) | {"path": path} for claim_id, path in cleared.items()]
        connection.execute(statement, rows)
        connection.execute(update(claims).where(_c.claim_id.in_(cleared)).values(known_delivery=None))

    # ---------------------------------------------------------------- what else names people

    def forget_deliveries(self, before: datetime, now: datetime) -> int:
        """Remove who signed from given-up claims; how many, 0 when there are no more. So do the others."""
        border = self.database.border
        some = select(_c.claim_id).select_from(border.joined()).where(*_deliveries(border, before, now))
        some = some.order_by(_c.claim_id).limit(_CHUNK).with_for_update(skip_locked=True, of=claims)
        with self.database.write() as connection:
            ids = list(connection.scalars(some))
            forgotten = {"known_delivery": None, "version": _c.version + 1}
            connection.execute(update(claims).where(_c.claim_id.in_(ids)).values(forgotten))
        return len(ids)

    def forget_events(self, before: datetime) -> int:
        """Empty the facts of what was told; the rest of an event stays, so that nothing is mailed twice."""
        return self._change(events, _facts(before), {"facts": {}})

    def forget_mails(self, before: datetime) -> int:
        return self._change(mails, _texts(before), {"plain": "", "html": ""})

    def forget_changes(self, before: datetime) -> int:
        return self._delete(changes, before) or self._delete(actions, before)

    def _delete(self, table: Table, before: datetime) -> int:
        some = select(table.c.id).where(table.c.at < before).order_by(table.c.at).limit(_CHUNK)
        with self.database.write() as connection:
            ids = list(connection.scalars(some.with_for_update(skip_locked=True)))
            if ids:
                connection.execute(delete(table).where(table.c.id.in_(ids)))
        return len(ids)

    def _change(self, table: Any, which: Sequence[ColumnElement[bool]], values: dict[str, Any]) -> int:
        some = select(table.c.id).where(*which).order_by(table.c.id).limit(_CHUNK)
        with self.database.write() as connection:
            ids = list(connection.scalars(some.with_for_update(skip_locked=True)))
            if ids:
                connection.execute(update(table).where(table.c.id.in_(ids)).values(values))
        return len(ids)


def _is_shared(before: datetime) -> ColumnElement[bool]:
    """Attempts whose very document a later one brought too, as its proof or beside that."""
    later = attempts.alias("later").c
    alike = later.claim_id == _a.claim_id, later.document_path == _a.document_path
    beside = _v.claim_id == _a.claim_id, _v.path == _a.document_path, _v.obtained_at >= before
    return or_(exists(select(later.id).where(*alike, later.started_at >= before)), exists().where(*beside))


def _old_evidence(before: datetime) -> tuple[ColumnElement[bool], ...]:
    """Pieces that no later attempt brought too."""
    alike = _a.claim_id == _v.claim_id, _a.document_path == _v.path
    return _v.obtained_at < before, ~exists(select(_a.id).where(*alike, _a.started_at >= before))


def _with_claims(border: Border, table: Table) -> FromClause:
    """Rows of it, each with its claim and ours of that."""
    of_service = table.outerjoin(border.claims, border.key == table.c.claim_id)
    return of_service.outerjoin(claims, _c.claim_id == table.c.claim_id)


def _is_over(border: Border, now: datetime) -> ColumnElement[bool]:
    """Claims that no run has leased and that are not tried any more; or that the service has deleted."""
    is_left_alone = border.is_worked_on.is_not(true())
    return or_(border.key.is_(None), and_(free(now), or_(is_left_alone, _has_ended(border))))


def _has_ended(border: Border) -> ColumnElement[bool]:
    """One that was set back or corrected since it was given up is about to be tried."""
    return and_(at_stage(Stage.GIVEN_UP, Stage.SHELVED), ~border.is_edited, _c.to_assess == 0)


def _deliveries(border: Border, before: datetime, now: datetime) -> tuple[ColumnElement[bool], ...]:
    last = func.coalesce(_c.last_retry_at, _c.failed_at, _c.rank_at)
    return _has_ended(border), free(now), _c.known_delivery.is_not(None), last < before


def _facts(before: datetime) -> tuple[ColumnElement[bool], ...]:
    """Of events that were told, or not to be told, by mails that ended."""
    return _e.created_at < before, _e.told.is_not(None), cast(_e.facts, Text) != const("{}"), ~_OPEN_MAIL


def _texts(before: datetime) -> tuple[ColumnElement[bool], ...]:
    return _m.state.in_(_ENDED), _m.ended_at < before, or_(_m.plain != const(""), _m.html != const(""))
