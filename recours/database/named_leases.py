"""Work that one process at a time does, whichever machine it runs on: leased by a name, until it is done or the lease ends."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, or_

from recours.core.pauses import FURTHEST_END
from recours.database.engine import Database
from recours.database.event_outbox import insert_into
from recours.database.tables import leases


def is_over(until: ColumnElement[Any], now: datetime) -> ColumnElement[bool]:
    """A lease or a pause that is over; also one that a wrong clock set to last longer than any can."""
    return or_(until <= now, until > now + FURTHEST_END)


def lease_name(database: Database, name: str, holder: str, until: datetime, now: datetime) -> bool:
    """Tell whether `holder` may do this work until then: no other process does, or the one that did has died."""
    with database.write() as connection:
        leased = insert_into(leases, connection.dialect.name).values(
            name=name, holder=holder, held_until=until
        )
        leased = leased.on_conflict_do_update(
            index_elements=[leases.c.name],
            set_={"holder": leased.excluded.holder, "held_until": leased.excluded.held_until},
            where=is_over(leases.c.held_until, now),
        )
        return connection.scalar(leased.returning(leases.c.name)) is not None


def release_name(database: Database, name: str, holder: str) -> None:
    """The work is done; nothing happens if another process has leased it since."""
    with database.write() as connection:
        connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))
