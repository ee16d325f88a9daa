"""Reopens claims that were given up or settled: count 0, due at the very next run, through the same queue and mails.

What is done to a claim is what a person may do by hand: its count is set to 0. It is assessed at once by the rule for that
(`recours.core.assessment.assess`). A final mail about the same number is not sent a second time: its event is unique.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from recours.core.claim import Claim, FetchStatus, Stage
from recours.core.errors import ErrorKind
from recours.core.policy import Policy
from recours.core.text import clean
from recours.operations.position import Position, Why
from recours.operations.refusals import ClaimRefusal, not_wanted
from recours.runs.source import Unfit


@dataclass(frozen=True)
class ReopenCriteria:
    """Which claims are asked for: those that gave up, or whose carrier's answer was final."""

    carriers: Collection[str] = ()  # or accounts, by their keys; none: of all
    since: datetime | None = None  # their last retry was since then
    error: ErrorKind | None = None  # of this answer; None: whatever it was, of those that gave up


@dataclass
class Selection:
    """What was asked for by carrier or time: how many of each carrier may start over, and how many may not, and why."""

    open: Counter[str] = field(default_factory=Counter)  # by carrier's key ("": of none that is known)
    left: Counter[str] = field(default_factory=Counter)  # by why


def look_over(parts: Iterable[list[tuple[Claim, bool]]], policy: Policy) -> Selection:
    """What `Actions.reopen_all` would do with these claims; each with whether a run is fetching it."""
    selection = Selection()
    for part in parts:
        for claim, is_leased in part:
            if policy.sets_aside(claim):
                status = clean(claim.claim_status, 30)
                selection.left[f"status '{status}': such claims are not fetched"] += 1
            elif is_leased:
                selection.left["being fetched by a run"] += 1
            else:
                selection.open[claim.carrier or ""] += 1
    return selection


def why_not(claim: Claim, where: Position, policy: Policy) -> ClaimRefusal | None:
    """Why a claim cannot start over; None if it can."""
    if claim.fetch_status == FetchStatus.SUCCESS:
        return ClaimRefusal.of(claim, Unfit.HAS_POD)
    if policy.sets_aside(claim):
        return not_wanted(claim)
    if where.why is Why.IN_HAND:
        return ClaimRefusal.of(claim, Unfit.LEASED)
    if claim.fetch_status == FetchStatus.FAILED and claim.is_edited:
        return ClaimRefusal.of(claim, "reopened")
    if claim.fetch_status == FetchStatus.FAILED and claim.state.stage is Stage.GIVEN_UP:
        return None
    return ClaimRefusal.of(claim, "not_given_up")
