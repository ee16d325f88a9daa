"""In which order due claims are asked about, and which of them expire instead. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta

from recours.core.claim import NEVER, Claim, State, deadline_end
from recours.core.policy import Policy, evidence_end

# A claim without a response_deadline is ranked as if it had this long: from its failure, or from its creation.
VIRTUAL_DEADLINE = timedelta(days=14)

# A due claim's place in the order, the least first: its tier, and its rank there.
Urgency = tuple[int, datetime]
# The tier of claims whose real deadline, or whose evidence, is over.
LAST = 2


def urgency(state: State, now: datetime) -> Urgency:
    """A due claim's place in the order, the least first.

    A call is worth most for a claim that can still win: those whose real deadline or whose evidence is over come last, and
    one without a deadline, once the days that it is given are over, comes between the two.
    """
    at = state.rank_at or now
    if at >= now:
        return 0, at
    return (LAST if state.rank_is_deadline else 1), at


def comes_last(state: State, now: datetime) -> bool:
    """Tell whether a due claim is taken after all that can still win: its real deadline, or its evidence, is past."""
    return urgency(state, now)[0] == LAST


def rank(claim: Claim, state: State, since: datetime, now: datetime, policy: Policy) -> tuple[datetime, bool]:
    """What a claim is ordered by among the due ones, and whether nothing can be won after that.

    It is the end of its deadline or of its evidence, whichever comes first. A claim without a deadline has 14 days from
    `since`, its failure or its creation; once they are over, its evidence counts.
    """
    forgotten_at = evidence_end(claim, state, policy)
    if claim.deadline is not None:
        end = deadline_end(claim.deadline, policy.zone)
        return min(end, forgotten_at or end), True
    at = since + VIRTUAL_DEADLINE
    if forgotten_at is None or now <= at < forgotten_at:
        return at, False
    return forgotten_at, True


def ranked(claim: Claim, state: State, now: datetime, policy: Policy) -> State:
    """Give the state of a claim that failed its place in the order of due claims; it failed now at the latest."""
    return _ranked_since(claim, state, min(state.failed_at or now, now), now, policy)


def ranked_anew(claim: Claim, now: datetime, policy: Policy) -> State:
    """The state of a claim in the order of now: time or an answer has moved its place."""
    place = ranked_pending if claim.is_pending else ranked
    state = place(claim, claim.state, now, policy)
    return asked_about(claim, state, policy) if state.was_asked else state


def ranked_pending(claim: Claim, state: State, now: datetime, policy: Policy) -> State:
    """The same of a claim that is pending; a creation that lies in the future is taken for now."""
    return _ranked_since(claim, state, min(claim.created_at or now, now), now, policy)


def _ranked_since(claim: Claim, state: State, since: datetime, now: datetime, policy: Policy) -> State:
    at, is_deadline = rank(claim, state, since, now, policy)
    return replace(state, rank_at=at, rank_is_deadline=is_deadline)


# ---------------------------------------------------------------- expiry


def asked_about(claim: Claim, state: State, policy: Policy) -> State:
    """The state once the carrier was asked about the claim: it may expire from now on, see `is_expired`."""
    return replace(state, expire_from=expires_from(claim, state.since, policy))


def expires_from(claim: Claim, since: datetime | None, policy: Policy) -> datetime:
    """By its own deadline alone: when exactly its evidence ends, nobody knows."""
    if claim.deadline is None:
        return NEVER
    end = deadline_end(claim.deadline, policy.zone)
    return max(end, since or end)


def is_expired(state: State, now: datetime, policy: Policy) -> bool:
    """Tell whether a due claim is given up instead, since its deadline has long passed.

    One that its carrier was never asked about is asked once first; so is one that a run died with, which may have
    stored its proof.
    """
    since = state.expire_from
    if since is None or policy.expire_after is None or not state.rank_is_deadline or state.interruptions:
        return False
    return max(since, policy.adopted_at or since) <= now - policy.expire_after
