"""The record of runs and of quota windows, kept as long as a setting says, and removed by the runs in small portions.

Ten years of it would have each run look through millions of rows. Attempts, documents and mails are not among it: they
go by `recours prune`, when a person says so.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, delete, select

from recours.database.engine import Database
from recours.database.tables import quota, quota_shares, runs

# Rows of a run: few enough that nobody waits for the write lock, and many times what runs add.
RUNS, WINDOWS = 500, 50
# A record goes on after what is too old. Where it does not, the clock is wrong, or nothing ran for that long.
_GOES_ON_WITHIN = timedelta(days=31)

_q, _s = quota.c, quota_shares.c
_OLD_RUNS = (
    select(runs.c.id).where(runs.c.started_at < bindparam("before")).order_by(runs.c.started_at).limit(RUNS)
)
_NEXT_RUN = (
    select(runs.c.id)
    .where(runs.c.started_at >= bindparam("before"), runs.c.started_at < bindparam("until"))
    .limit(1)
)
_OLD_WINDOWS = (
    select(_q.limit_key.label("of_limit"), _q.window_start.label("of_window"))
    .where(_q.window_end < bindparam("before"))
    .order_by(_q.window_end)
    .limit(WINDOWS)
)
_FORGET_RUNS = delete(runs).where(runs.c.id.in_(bindparam("of_runs", expanding=True)))
_FORGET_SHARES, _FORGET_WINDOW = (
    delete(table).where(
        and_(
            table.c.limit_key == bindparam("of_limit"),
            table.c.window_start == bindparam("of_window", type_=table.c.window_start.type),
        )
    )
    for table in (quota_shares, quota)
)


def forget_old(database: Database, before: datetime) -> int:
    """Delete a portion of what ended before then; how many runs and windows that were. Raises DatabaseFault.

    Nothing, if no run is on record soon after: runs with a clock far ahead would take the record of years with them, and
    today's counts of calls.
    """
    with database.read() as connection:  # most runs find nothing, and write nothing
        ids = list(connection.scalars(_OLD_RUNS, {"before": before}))
        windows = [dict(row) for row in connection.execute(_OLD_WINDOWS, {"before": before}).mappings()]
        if (ids or windows) and not _goes_on(connection, before):
            return 0
    if ids or windows:
        with database.write() as connection:
            if ids:
                connection.execute(_FORGET_RUNS, {"of_runs": ids})
            if windows:
                connection.execute(_FORGET_SHARES, windows)
                connection.execute(_FORGET_WINDOW, windows)
    return len(ids) + len(windows)


def _goes_on(connection: Connection, before: datetime) -> bool:
    return connection.scalar(_NEXT_RUN, {"before": before, "until": before + _GOES_ON_WITHIN}) is not None
