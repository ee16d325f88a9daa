"""Orders due claims, and decides which claims expire instead."""

from dataclasses import replace
from datetime import datetime, timedelta

from recours.core.claim import NEVER, Claim, State, deadline_end
from recours.core.policy import Policy, evidence_end

# The assumed deadline of a claim without response_deadline, counted from its failure or its creation.
VIRTUAL_DEADLINE = timedelta(days=14)

# The sort key of a due claim, lowest first: its tier, and its rank within the tier.
Urgency = tuple[int, datetime]
# The tier of claims whose real deadline has passed or whose evidence has expired.
LAST = 2


def urgency(state: State, now: datetime) -> Urgency:
    """Return the sort key of a due claim, lowest first.

    Claims that can still be won rank first, because calls are worth most for them. Claims whose assumed deadline has
    passed rank second. Claims whose real deadline has passed or whose evidence has expired rank last.
    """
    at = state.rank_at or now
    if at >= now:
        return 0, at
    return (LAST if state.rank_is_deadline else 1), at


def ranks_last(state: State, now: datetime) -> bool:
    """Return whether a due claim ranks behind all claims that can still be won."""
    return urgency(state, now)[0] == LAST


def rank(claim: Claim, state: State, since: datetime, now: datetime, policy: Policy) -> tuple[datetime, bool]:
    """Return the time by which a due claim is ranked, and whether the claim can no longer be won after that time.

    The time is the end of the deadline or of the evidence, whichever is earlier. Without a deadline, 14 days after
    `since` (the failure or the creation) is assumed. Once that time has passed, only the end of the evidence counts.
    """
    forgotten_at = evidence_end(claim, state, policy)
    if claim.deadline is not None:
        end = deadline_end(claim.deadline, policy.zone)
        return min(end, forgotten_at or end), True
    at = since + VIRTUAL_DEADLINE
    if forgotten_at is None or now <= at < forgotten_at:
        return at, False
    return forgotten_at, True


def rank_failed(claim: Claim, state: State, now: datetime, policy: Policy) -> State:
    """Return the state of a failed claim with its rank. A failure time in the future counts as now."""
    return _ranked_since(claim, state, min(state.failed_at or now, now), now, policy)


def rerank(claim: Claim, now: datetime, policy: Policy) -> State:
    """Return the claim's state with its rank recomputed for now."""
    place = rank_pending if claim.is_pending else rank_failed
    state = place(claim, claim.state, now, policy)
    return mark_asked(claim, state, policy) if state.was_asked else state


def rank_pending(claim: Claim, state: State, now: datetime, policy: Policy) -> State:
    """Return the state of a pending claim with its rank. A creation time in the future counts as now."""
    return _ranked_since(claim, state, min(claim.created_at or now, now), now, policy)


def _ranked_since(claim: Claim, state: State, since: datetime, now: datetime, policy: Policy) -> State:
    at, is_deadline = rank(claim, state, since, now, policy)
    return replace(state, rank_at=at, rank_is_deadline=is_deadline)


# ---------------------------------------------------------------- expiry


def mark_asked(claim: Claim, state: State, policy: Policy) -> State:
    """Return the state after the carrier was asked. From then on, the claim may expire (see `is_expired`)."""
    return replace(state, expire_from=expires_from(claim, state.since, policy))


def expires_from(claim: Claim, since: datetime | None, policy: Policy) -> datetime:
    """Return when the claim may expire. Only its deadline counts: how long carriers keep evidence is an estimate."""
    if claim.deadline is None:
        return NEVER
    end = deadline_end(claim.deadline, policy.zone)
    return max(end, since or end)


def is_expired(state: State, now: datetime, policy: Policy) -> bool:
    """Return whether recours gives up on a due claim because its deadline passed long ago.

    If the carrier was never asked, or a run died while fetching the claim (and may have stored its proof), recours asks
    the carrier once before it gives up.
    """
    since = state.expire_from
    if since is None or policy.expire_after is None or not state.rank_is_deadline or state.interruptions:
        return False
    return max(since, policy.adopted_at or since) <= now - policy.expire_after
