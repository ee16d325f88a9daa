"""Evidence that vanishes: some carriers forget a parcel after so many days, and no call gets its proof then."""

from datetime import datetime, timedelta

from recours.core.claim import EARLIEST, Claim, State
from recours.core.policy import Policy


def evidence_end(claim: Claim, state: State, policy: Policy) -> datetime | None:
    """When (UTC) the claim's carrier has forgotten the parcel at the latest; None: it is not known to forget any.

    Carriers count from days of their own, such as the pick-up. Nobody tells that day; but the parcel was picked up before
    it was delivered, and before anybody claimed anything.
    """
    days = policy.evidence_days.get(claim.carrier or "")
    delivered_at = state.delivery.latest if state.delivery else None
    known = [at for at in (claim.created_at, delivered_at) if at is not None and at >= EARLIEST]
    if days is None or not known:
        return None
    try:
        return min(known) + timedelta(days=days)
    except OverflowError:  # the year 9999
        return None
