"""The chain of custody in the database: see `recours.core.custody`."""

from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Table,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    union,
    update,
)

from recours.core.custody import CustodyEntry, FileRow, Head, Record, Stamp, links, shown_time
from recours.core.errors import RunError
from recours.database.engine import Database
from recours.database.event_outbox import insert_into
from recours.database.named_leases import lease_name, release_name
from recours.database.tables import attempts, claims, custody, custody_head, evidence, timestamps

_a, _k, _h, _t = attempts.c, custody.c, custody_head.c, timestamps.c
_AT_ONCE = 500
_LAST = 2**63 - 1  # of what a database can count
_HEAD = select(_h.sequence, _h.hash).where(_h.id == 1)
_LOCKED_HEAD = _HEAD.with_for_update()
_ADD = insert(custody)
_MOVE = update(custody_head).where(_h.id == 1)
# Both in one statement, which SQLite cannot: one way to the server and back.
_ADD_AND_MOVE = text(
    "WITH moved AS (UPDATE recours_custody_head SET sequence = :sequence, hash = :hash WHERE id = 1) "
    "INSERT INTO recours_custody (sequence, claim_id, entry, previous, hash) "
    "VALUES (:sequence, :claim_id, :entry, :previous, :hash)"
)
_STAMPING = "timestamp of the chain of custody"
_UNREADABLE = datetime(1970, 1, 1, tzinfo=UTC)
_STAMP = (_t.day, _t.sequence, _t.hash, _t.nonce, _t.token, _t.stamped_at, _t.url)
_RECORD = (_k.sequence, _k.claim_id, _k.entry, _k.previous, _k.hash)


def append(connection: Connection, entries: Sequence[CustodyEntry]) -> None:
    """Add records to the chain, as the last statements of a transaction that does what they say.

    Until it ends, all others that add records wait: so nothing is locked after the chain's head that others may hold.
    """
    if not entries:
        return
    head = connection.execute(_LOCKED_HEAD).first()
    if head is None:
        raise RunError(
            "The table recours_custody_head has no row, so that no document can be recorded: somebody deleted it. "
            "'recours verify' shows the last record; see docs/evidence.md for how to put the row back."
        )
    if not isinstance(head.sequence, int) or head.sequence > _LAST - len(entries):
        raise RunError(
            "The table recours_custody_head was changed, so that no document can be recorded: its sequence is no place in "
            "the chain. 'recours verify' shows the last record; see docs/evidence.md for how to put the row back."
        )
    added = [
        {
            "sequence": record.sequence,
            "claim_id": record.claim_id,
            "entry": record.text,
            "previous": record.previous,
            "hash": record.hash,
        }
        for record in links(Head(*head), entries)
    ]
    if connection.dialect.name == "sqlite":
        connection.execute(_ADD, added)
        connection.execute(_MOVE, {name: added[-1][name] for name in ("sequence", "hash")})
    else:
        connection.execute(_ADD_AND_MOVE, added)


@dataclass(frozen=True)
class DatabaseCustody:
    """The chain of one database, and the files that its rows name, to be verified: see `recours.operations.verify`."""

    database: Database

    def head(self) -> Head | None:
        with self.database.read() as connection:
            row = connection.execute(_HEAD).first()
        return Head(*row) if row else None

    def end(self) -> tuple[Head | None, int]:
        """The same, with the place of the last record, as they are at one time; 0: there is none."""
        last = select(func.coalesce(func.max(_k.sequence), 0)).scalar_subquery()
        row = select(last, _h.sequence, _h.hash).select_from(
            select(literal(1).label("id")).subquery("one").outerjoin(custody_head, _h.id == 1)
        )
        with self.database.read() as connection:
            place, sequence, digest = connection.execute(row).one()
        return (None if sequence is None else Head(sequence, digest)), place

    def records(self, after: int | None) -> Iterator[Record]:
        """The chain after that record (None: from its beginning), a part at a time in memory."""
        while True:
            query = select(*_RECORD).order_by(_k.sequence).limit(_AT_ONCE)
            with self.database.read() as connection:
                rows = connection.execute(query if after is None else query.where(_k.sequence > after)).all()
            yield from (Record(*row) for row in rows)
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1].sequence

    def record(self, sequence: int) -> Record | None:
        with self.database.read() as connection:
            row = connection.execute(select(*_RECORD).where(_k.sequence == sequence)).first()
        return Record(*row) if row else None

    def claims(self) -> Iterator[Sequence[int]]:
        """The ids of all claims that have records or files, some at a time."""
        with_file = _a.document_sha256.is_not(None)
        queries = [select(_k.claim_id), select(_a.claim_id).where(with_file), select(evidence.c.claim_id)]
        while True:
            parts = [query.distinct().order_by("claim_id").limit(_AT_ONCE).subquery() for query in queries]
            both = union(*(select(part.c.claim_id) for part in parts)).subquery()
            first = select(both.c.claim_id).order_by(both.c.claim_id).limit(_AT_ONCE)
            with self.database.read() as connection:
                ids = list(connection.scalars(first))
            if not ids:
                return
            yield ids
            queries = [
                select(_k.claim_id).where(_k.claim_id > ids[-1]),
                select(_a.claim_id).where(with_file, _a.claim_id > ids[-1]),
                select(evidence.c.claim_id).where(evidence.c.claim_id > ids[-1]),
            ]

    def of_claims(self, ids: Collection[int]) -> dict[int, tuple[list[Record], list[FileRow]]]:
        """The records and the files of these claims, by their ids."""
        found: dict[int, tuple[list[Record], list[FileRow]]] = {claim_id: ([], []) for claim_id in ids}
        records = select(*_RECORD).where(_k.claim_id.in_(ids)).order_by(_k.sequence)
        with self.database.read() as connection:
            for sequence, claim_id, *rest in connection.execute(records):
                found[claim_id][0].append(Record(sequence, claim_id, *rest))
            for query in (_of_attempts(), _of_pieces()):
                for row in connection.execute(query, {"of_claims": ids}).mappings():
                    found[row["claim_id"]][1].append(_file_row(row))
        return found

    def stamps(self) -> list[Stamp]:
        """What a time-stamping authority confirmed, the oldest first; a token that cannot be read is empty."""
        query = select(*_STAMP).order_by(_t.day)
        with self.database.read() as connection:
            return [_stamp(*row) for row in connection.execute(query)]


# What a row says of a file, by the keys of a record's text.
def _of_attempts() -> Select[Any]:
    """The files that attempts name."""
    columns = {
        "path": _a.document_path,
        "sha256": _a.document_sha256,
        "size": _a.document_size,
        "media_type": _a.document_type,
        "source": _a.document_source,
        "called_at": _a.started_at,
    }
    return _files(attempts, columns).where(_a.document_sha256.is_not(None))


def _of_pieces() -> Select[Any]:
    names = ("path", "sha256", "size", "media_type", "source", "kind")
    is_refused = evidence.c.refused.is_not(None).label("is_refused")
    return _files(
        evidence,
        {name: evidence.c[name] for name in names} | {"at": evidence.c.obtained_at, "is_refused": is_refused},
    )


def _files(table: Table, columns: Mapping[str, ColumnElement[Any]]) -> Select[Any]:
    c = table.c
    return (
        select(
            c.claim_id,
            c.carrier,
            c.tracking_number.label("number"),
            c.run_id,
            *(column.label(name) for name, column in columns.items()),
            claims.c.claim_reference.label("reference"),
        )
        .outerjoin(claims, claims.c.id == c.claim_id)
        .where(c.claim_id.in_(bindparam("of_claims", expanding=True)))
        .order_by(c.id)
    )


def _file_row(row: RowMapping) -> FileRow:
    beside = ("claim_id", "reference", "path", "sha256", "is_refused")
    facts = {name: value for name, value in row.items() if name not in beside}
    facts |= {name: facts[name] and shown_time(facts[name]) for name in ("at", "called_at") if name in facts}
    return FileRow(
        row["reference"] or f"id {row['claim_id']}",
        row["path"] or "",
        row["sha256"],
        facts,
        row.get("is_refused"),
    )


def _stamp(
    day: str, sequence: int, digest: str, nonce: str, token: str, stamped_at: datetime | None, url: str
) -> Stamp:
    try:
        found, number = b64decode(token, validate=True), int(nonce)
    except ValueError:
        found, number = b"", 0
    return Stamp(day, sequence, digest, number, found, stamped_at or _UNREADABLE, url)


@dataclass(frozen=True)
class DatabaseTimestamps:
    """The timestamps of one database's chain: one a day, by one process at a time."""

    database: Database

    def to_be_stamped(self, day: str) -> Head | None:
        """The end of the chain, if it is not stamped yet and no stamp was made on that day.

        A stamp of a later day was made by a clock that was wrong: it ends nothing.
        """
        done = select(_t.day).where(or_(_t.day == day, _t.hash == bindparam("of_head"))).limit(1)
        with self.database.read() as connection:
            head = connection.execute(_HEAD).first()
            if head is None or head.sequence == 0:
                return None
            is_done = connection.execute(done, {"of_head": head.hash}).first() is not None
        return None if is_done else Head(*head)

    def lease(self, holder: str, until: datetime, now: datetime) -> bool:
        return lease_name(self.database, _STAMPING, holder, until, now)

    def release(self, holder: str) -> None:
        release_name(self.database, _STAMPING, holder)

    def add(self, stamp: Stamp) -> None:
        """Keep it, unless the day has one already."""
        row = {
            "day": stamp.day,
            "sequence": stamp.sequence,
            "hash": stamp.hash,
            "nonce": str(stamp.nonce),
            "token": b64encode(stamp.token).decode(),
            "stamped_at": stamp.stamped_at,
            "url": stamp.url,
        }
        with self.database.write() as connection:
            adding = insert_into(timestamps, connection.dialect.name).values(row)
            connection.execute(adding.on_conflict_do_nothing())
