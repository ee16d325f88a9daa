"""Calls that nobody needs: for what is worth a call only where none is taken from a claim that is due, or will be."""

from datetime import datetime, timedelta

from recours.core.carrier import CarrierSpec
from recours.core.claim import Stage
from recours.core.quota import Usage
from recours.runs.ports import Dependencies

_LAST_HOURS = timedelta(hours=2)


def has_spare_calls(deps: Dependencies, key: str, spec: CarrierSpec, now: datetime) -> bool:
    """Tell whether an account (by its key) at this carrier has calls that are left over.

    It takes calls, none of its claims is due, and no day of its quota has more than two hours to come: in these few new
    claims come. Calls for the claims that become due before its windows end are not left over.
    """
    if deps.queue.closed(key):
        return False
    uses = [use for use in deps.queue.usage(key) if not use.limit.window.is_short]
    if any(use.limit.window.seconds == 0 and use.resets_at - now > _LAST_HOURS for use in uses):
        return False
    if any(deps.claims.ready_by_carrier(stage, now, 1, [key]) for stage in (Stage.NEW, Stage.READY)):
        return False
    return all(_leaves_enough(deps, key, spec, use) for use in uses)


def _leaves_enough(deps: Dependencies, key: str, spec: CarrierSpec, use: Usage) -> bool:
    """Tell whether one fetch more leaves the calls of this limit that claims need before its window ends."""
    a_fetch = use.limit.units(dict(spec.calls))
    if not a_fetch:
        return True
    fetches = use.left // a_fetch
    return deps.claims.coming_due(key, use.resets_at, fetches) < fetches
