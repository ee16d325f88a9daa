"""The last attempt: one more for a claim with a real deadline, some hours before the end of that day.

`RECOURS_LAST_ATTEMPT_HOURS` says how long before; 0, the default, means none. One is set when the backoff is used up by a
temporary answer, or when its next retry would come later than 6 h before the end of the deadline. Its time must be at
least 6 h away. A persistent answer sets none, nor does `not_found`: the client must hear of these while something can
still be done. Claims without a deadline have none.

Each number has at most one for each deadline. It uses no retry, and the retries after it come when they would have come
anyway. The claim is given up after it, if the backoff is used up.

`State.last_attempt_at` is its time. While it waits, `State.next_at` is the same. Afterwards the column keeps when it was
made, which is never later than the time it was set for: so a second one is not set. A changed deadline, a corrected
number, and a claim that a person starts afresh empty the column. The time that was set stays when the setting changes.
Other cases:

- A raised `--max-retries`: retries that come before the last attempt are made first; their answers set it again.
- A lowered one: claims above the limit are given up when they are due, as always; a last attempt that is set is made.
- Turned on: a waiting claim has one set at its next answer. Claims that gave up before stay given up.
- Turned off: none is made any more. The next run gives such a claim up, or its retries go on.
- Too late: once the deadline is over, a claim without retries is given up instead.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from recours.core.claim import Claim, Stage, State, deadline_end
from recours.core.errors import is_persistent
from recours.core.policy import Policy

# It is no nearer than this to the answer before it, and a retry this near to the deadline's end comes too late.
LEAST_APART = timedelta(hours=6)


def awaits_last_attempt(state: State) -> bool:
    """Tell whether the next attempt at the claim is its last attempt."""
    return state.last_attempt_at is not None and state.last_attempt_at == state.next_at


def is_last_attempt(claim: Claim, policy: Policy) -> bool:
    """Tell whether the attempt whose time has come is the last attempt, so that it uses no retry."""
    return policy.last_attempt is not None and awaits_last_attempt(claim.state)


def is_in_time(claim: Claim, now: datetime, policy: Policy) -> bool:
    """Tell whether the last attempt that a claim waits for can still come before the end of its deadline."""
    if claim.deadline is None or not is_last_attempt(claim, policy):
        return False
    return now < deadline_end(claim.deadline, policy.zone)


def made_at(state: State, now: datetime) -> datetime | None:
    """When the last attempt for the present number and deadline was made; None: it was not."""
    at = state.last_attempt_at
    return None if at is None or at > now or awaits_last_attempt(state) else at


def last_attempt_due(
    claim: Claim, state: State, retry_at: datetime, now: datetime, policy: Policy
) -> datetime | None:
    """When the last attempt is to be made, by the answer that `state` has; None: none is set.

    `retry_at`: when the next retry comes; it does not count if all of them are used.
    """
    if policy.last_attempt is None or claim.deadline is None or made_at(state, now):
        return None
    if state.kind is None or is_persistent(state.kind, last_retry=True):
        return None
    end = deadline_end(claim.deadline, policy.zone)
    if end <= now:  # perhaps in the year 1, before which there is no time
        return None
    if state.retries_used < policy.max_retries and retry_at <= end - LEAST_APART:
        return None
    at = end - policy.last_attempt
    return at if at - now >= LEAST_APART else None


def with_next_attempt(claim: Claim, state: State, retry_at: datetime, now: datetime, policy: Policy) -> State:
    """The state with its next attempt: the last attempt if one is set, else the retry."""
    at = last_attempt_due(claim, state, retry_at, now, policy)
    return replace(state, next_at=at or retry_at, last_attempt_at=at or made_at(state, now))


def backoff_goes_on(state: State, now: datetime, policy: Policy) -> datetime:
    """When the next retry comes, counted from the last one or from the failure; now if there is none."""
    if state.retries_used >= policy.max_retries:
        return now
    since = state.last_retry_at if state.retries_used else state.failed_at
    return policy.backoff.next_retry(state.retries_used, since if since and since <= now else now)


# What the manual recommends, and what is foreseen where it is turned off.
RECOMMENDED = timedelta(hours=30)


def gave_up_without(claim: Claim, since: datetime, policy: Policy) -> bool:
    """Tell whether a claim gave up since then, at a time when a last attempt could still have been set."""
    state, at = claim.state, claim.state.last_retry_at
    if state.stage is not Stage.GIVEN_UP or state.expired_at or at is None or at < since:
        return False
    turned_on = replace(policy, last_attempt=RECOMMENDED, max_retries=0)
    return last_attempt_due(claim, replace(state, last_attempt_at=None), at, at, turned_on) is not None


def last_attempt_text(claim: Claim, state: State, policy: Policy, shown: str) -> str:
    """`one last attempt on 3 Feb 2026, 18:00 CET, 30 h before the deadline`. `shown`: its time, as its reader has it."""
    text = f"one last attempt on {shown}"
    if claim.deadline is None or state.last_attempt_at is None:
        return text
    hours = (deadline_end(claim.deadline, policy.zone) - state.last_attempt_at) / timedelta(hours=1)
    return f"{text}, {round(hours)} h before the deadline" if hours > 0 else f"{text}, after the deadline"


def redated(claim: Claim, state: State, now: datetime, policy: Policy) -> State:
    """The state under a changed deadline, which has a last attempt of its own."""
    waited = awaits_last_attempt(state)
    state = replace(state, last_attempt_at=None)
    if state.stage not in (Stage.WAITING, Stage.READY) or state.next_at is None:
        return state
    retry_at = backoff_goes_on(state, now, policy) if waited else state.next_at
    moved = with_next_attempt(claim, state, retry_at, now, policy)
    return replace(moved, stage=Stage.WAITING) if waited or awaits_last_attempt(moved) else moved


def recalled(state: State, now: datetime, policy: Policy) -> State:
    """The state of a claim; one that waits for its last attempt waits for its next retry instead, if that comes first.

    So it is under a raised limit. Where the setting was turned off, no last attempt is made.
    """
    at = state.last_attempt_at
    if at is None or not awaits_last_attempt(state):
        return state
    retry_at = backoff_goes_on(state, now, policy)
    has_earlier_retry = state.retries_used < policy.max_retries and retry_at < at
    if policy.last_attempt is not None and not (has_earlier_retry and state.stage is Stage.WAITING):
        return state
    return replace(state, stage=Stage.WAITING, next_at=retry_at, last_attempt_at=None)


@dataclass(frozen=True)
class Recall:
    """The claims that `recalled` changes, for those who look for them among many: see `recall_at`."""

    all: bool
    max_retries: int
    # By retries used, the latest time of the last one whose successor is due; the last of these for all further counts.
    since: tuple[datetime, ...]

    def takes(self, state: State) -> bool:
        """Tell whether a claim in this state is to be recalled."""
        if not awaits_last_attempt(state) or state.stage not in (Stage.WAITING, Stage.READY):
            return False
        used, last = state.retries_used, state.last_retry_at if state.retries_used else state.failed_at
        if self.all or state.stage is Stage.READY or used >= self.max_retries or last is None:
            return self.all
        return last <= self.since[min(used, len(self.since) - 1)]


def recall_at(now: datetime, policy: Policy) -> Recall:
    """Which claims are to be recalled: all, or those that have a retry due before their last attempt."""
    due_until = policy.backoff.due_until(now)
    since = tuple(due_until - wait for wait in policy.backoff.waits[: policy.max_retries])
    return Recall(policy.last_attempt is None, policy.max_retries, since)
