"""The record of what people do (`recours_actions`): written with what it records, in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from recours.core.actions import OperatorAction, PastAction
from recours.core.text import clean
from recours.database.engine import Database
from recours.database.tables import actions

_a = actions.c
_INSERT = insert(actions)


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
        query = select(_a.at, _a.what, _a.subject, _a.by, _a.details).order_by(_a.id.desc()).limit(most)
        if subjects:
            query = query.where(_a.subject.in_(subjects))
        return [
            PastAction(row.at, clean(row.what, 40), clean(row.subject, 60), clean(row.by, 100), row.details)
            for row in self.database.all(query)
        ]
