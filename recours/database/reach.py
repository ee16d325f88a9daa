"""Which claims a run may work on at all, whatever their stage, and what is left alone: see `Reach`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, func, select, true

from recours.core.events import EventName
from recours.core.mail import MailKind, MailState
from recours.core.text import plural
from recours.database.engine import Database, DatabaseError
from recours.database.predicates import const, is_ours, known
from recours.database.schema.inspection import HEAD, Schema
from recours.database.schema.widening import HIGHEST_NARROW, TOO_LARGE, count_beyond, is_large, left_narrow
from recours.database.tables import claims, events, mails
from recours.operations.records import LeftAlone

# ---------------------------------------------------------------- a database that a newer version made
# What this version does not know is left alone, and counted.


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


# ---------------------------------------------------------------- the reach of a run


@dataclass(frozen=True)
class Reach:
    """The rows of `claims` that our tables can hold and this version knows. Without limits on almost every database."""

    only_known: bool = False  # a newer version works on this database too
    highest_id: int | None = None  # our tables hold keys of 32 bits

    def rows(self) -> ColumnElement[bool]:
        """The condition on a row."""
        return _rows(self)

    def require(self, claim_id: Any) -> None:
        """See that a claim that somebody asked for is within reach. Raises DatabaseFault."""
        if self.highest_id is not None and claim_id > self.highest_id:
            raise DatabaseError(
                f"Claim {claim_id} cannot be recorded yet: the recours_ tables hold ids up to {self.highest_id}. Run "
                "'recours init-db' as their owner; nothing was fetched."
            )


@cache
def _rows(reach: Reach) -> ColumnElement[bool]:
    limits = [known()] if reach.only_known else []
    if reach.highest_id is not None:
        limits.append(claims.c.id <= reach.highest_id)
    return and_(true(), *limits)


EVERYTHING = Reach()


def reach_of(schema: Schema) -> Reach:
    """What a run may work on in a database of this schema."""
    return Reach(schema.is_of_newer_version, HIGHEST_NARROW if schema.narrow_keys else None)


# ---------------------------------------------------------------- what the next run leaves alone


def reach_of_next_run(database: Database, schema: Schema) -> Reach:
    """Which claims the next run may work on: it first widens tables that are small. Raises DatabaseFault."""
    reach = reach_of(schema)
    if reach.highest_id is None:
        return reach
    with database.read() as connection:
        is_narrow = is_large(connection, schema)
    return reach if is_narrow else replace(reach, highest_id=None)


def left_alone(database: Database, schema: Schema) -> LeftAlone:
    """What is beyond that reach, in the words of a run's log. Raises DatabaseFault."""
    reach, count, remarks = reach_of_next_run(database, schema), 0, []
    if reach.only_known:
        counts = count_unknown(database)
        count += counts["claim"]
        remarks.append(newer_words(schema, counts))
    if reach.highest_id is not None:
        count += count_beyond(database)
        remarks += left_narrow(database, schema, TOO_LARGE)
    return LeftAlone(count, tuple(remarks))
