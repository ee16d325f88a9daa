"""The rows of runs that are dated in the future: see `recours.operations.future_runs`."""

from datetime import datetime

from sqlalchemy import delete, func, select

from recours.database.engine import Database
from recours.database.tables import runs
from recours.operations.future_runs import RunDates

_began = runs.c.started_at


def run_dates(database: Database, future: datetime) -> RunDates:
    """How the runs are dated; those after `future` count as ahead. Raises DatabaseFault."""
    dates = select(func.count(), func.min(_began), func.max(_began))
    with database.read() as connection:
        ahead = connection.execute(dates.where(_began > future)).one()
        others = connection.execute(dates.where(_began <= future)).one()
    return RunDates(ahead[0], ahead[1], ahead[2], others[0], others[2])


def forget_future_runs(database: Database, future: datetime) -> int:
    """Delete the runs that are dated after `future`; how many that were. Raises DatabaseFault."""
    with database.write() as connection:
        return connection.execute(delete(runs).where(_began > future)).rowcount
