"""The record of what people do (`recours_actions`): written with what it records, in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Text, insert, select, type_coerce

from recours.core.actions import OperatorAction, PastAction
from recours.core.text import clean
from recours.database.claim_reader import Reader, facts_in
from recours.database.engine import Database
from recours.database.tables import actions

_a = actions.c
_INSERT = insert(actions)
_UNREADABLE = datetime(1970, 1, 1, tzinfo=UTC)  # when others have spoilt the time


def note_action(connection: Connection, action: OperatorAction, now: datetime) -> None:
    connection.execute(_INSERT, vars(action) | {"at": now, "details": dict(action.details)})


@dataclass(frozen=True)
class ActionLog:
    """The actions of one database. All methods raise DatabaseError."""

    database: Database

    def note(self, action: OperatorAction, now: datetime) -> None:
        """Record what no other table shows, such as a check of credentials."""
        with self.database.write() as connection:
            note_action(connection, action, now)

    def latest(self, subjects: Sequence[str] = (), most: int = 50) -> list[PastAction]:
        """The last ones, the latest first; with these subjects, if any are named."""
        raw = [type_coerce(column, Text).label(column.name) for column in actions.columns]
        query = select(*raw).order_by(_a.id.desc()).limit(most)
        if subjects:
            query = query.where(_a.subject.in_(subjects))
        with self.database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            PastAction(
                read.moment("at") or _UNREADABLE,
                clean(read.text("what") or "", 40),
                clean(read.text("subject") or "", 60),
                clean(read.text("by") or "", 100),
                facts_in(row["details"]),
            )
            for row in rows
            for read in [Reader(row)]
        ]
