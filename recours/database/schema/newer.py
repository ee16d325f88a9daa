"""A database that a newer version of recours made: what this one does not know is left alone, and counted."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Table, and_, func, select

from recours.core.events import EventName
from recours.core.mail import MailKind, MailState
from recours.core.text import plural
from recours.database.engine import Database
from recours.database.predicates import const, is_ours, known
from recours.database.schema.inspection import HEAD, Schema
from recours.database.tables import claims, events, mails

# How the remark begins.
NEWER = "Schema of a newer version"
# Counted no further than that: it is a remark, and claims are many.
_MOST = 10_000
_OPEN = (MailState.READY, MailState.HELD, MailState.SENDING)


def known_event() -> ColumnElement[bool]:
    """Events whose name this version knows."""
    return events.c.event.in_([const(name) for name in EventName])


def known_mail() -> ColumnElement[bool]:
    """Mails whose kind this version knows."""
    return mails.c.kind.in_([const(kind) for kind in MailKind])


def count_unknown(database: Database) -> dict[str, int]:
    """How many claims, events and mails have a stage, kind or name that this version does not know, counted up to _MOST."""
    left: list[tuple[str, Table, ColumnElement[bool]]] = [
        ("claim", claims, and_(is_ours(), ~known())),
        ("event", events, and_(events.c.told.is_(None), ~known_event())),
        ("mail", mails, and_(mails.c.state.in_([const(state) for state in _OPEN]), ~known_mail())),
    ]
    counts = {}
    with database.read() as connection:
        for what, table, unknown in left:
            some = select(func.count()).select_from(select(table.c.id).where(unknown).limit(_MOST).subquery())
            counts[what] = connection.scalar(some) or 0
    return counts


def remarks_on(database: Database, schema: Schema) -> list[str]:
    """What to say of a newer version's schema; nothing of any other. Raises DatabaseFault."""
    if not schema.is_of_newer_version:
        return []
    return [newer_words(schema, count_unknown(database))]


def newer_words(schema: Schema, counts: Mapping[str, int]) -> str:
    """What to say of a newer version's schema, and of what is left alone in it."""
    counted = [
        f"{plural(number, what)}{' or more' if number == _MOST else ''}" for what, number in counts.items()
    ]
    return (
        f"{NEWER}: the database has {schema.version}, this version knows {HEAD} and may go on working. Left alone, with "
        f"a stage, kind or name that it does not know: {', '.join(counted)}. Update this checkout"
    )
