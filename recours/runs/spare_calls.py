"""Calls that nobody needs: for what is worth a call only where none is taken from a claim that is due."""

from datetime import datetime, timedelta

from recours.core.claim import Stage
from recours.runs.ports import Dependencies

_LAST_HOURS = timedelta(hours=2)


def has_spare_calls(deps: Dependencies, key: str, now: datetime) -> bool:
    """Tell whether the carrier has calls that are left over.

    It takes calls, none of its claims is due, and no day of its quota has more than two hours to come: in these few claims
    come that may need the calls.
    """
    if deps.queue.closed(key):
        return False
    limits = [use.limit for use in deps.queue.usage(key)]
    if any(limit.window.seconds == 0 and limit.window.around(now)[1] - now > _LAST_HOURS for limit in limits):
        return False
    return not any(deps.claims.ready_by_carrier(stage, now, 1, [key]) for stage in (Stage.NEW, Stage.READY))
