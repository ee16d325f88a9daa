"""The last attempt: one more for a claim with a real deadline, some hours before the end of that day.

It is set when a temporary answer uses up the backoff, or when the next retry would come later than 6 h before the end of
the deadline, and not for `not_found`: the client must hear of that while something can still be done. Each number has at
most one, which uses no retry. After a fault of the carrier or of the network it is made again an hour later.

`State.last_attempt_at` is its time. While it waits, `State.next_at` is the same. Afterwards the column keeps when it was
made, so that no second one is set. The time stays, whatever becomes of the setting, the deadline or `--max-retries`.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from recours.core.claim import Claim, State, deadline_end
from recours.core.errors import OUTAGE_KINDS, ErrorKind, is_persistent
from recours.core.outcome import Failure
from recours.core.policy import Policy

# It is no nearer than this to the answer before it, and a retry this near to the deadline's end comes too late.
LEAST_APART = timedelta(hours=6)
# What of the carrier or of the network is at fault, as opposed to an answer about the parcel.
_FAULTS = OUTAGE_KINDS | {ErrorKind.BAD_RESPONSE}
# So long after a fault it is made again.
_AGAIN_AFTER = timedelta(hours=1)


def awaits_last_attempt(state: State) -> bool:
    """Tell whether the next attempt at the claim is its last attempt."""
    return state.last_attempt_at is not None and state.last_attempt_at == state.next_at


def is_in_time(claim: Claim, now: datetime, policy: Policy) -> bool:
    """Tell whether the last attempt that a claim waits for can still come before the end of its deadline."""
    if claim.deadline is None or not awaits_last_attempt(claim.state):
        return False
    return now < deadline_end(claim.deadline, policy.zone)


def made_at(state: State, now: datetime) -> datetime | None:
    """When the last attempt for the present number was made; None: it was not."""
    at = state.last_attempt_at
    return None if at is None or at > now or awaits_last_attempt(state) else at


def attempts_beside_last(state: State) -> int:
    """How many attempts a claim that gave up had before its last one, or in all if that was not made."""
    return state.attempts - (state.last_attempt_at is not None)


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


def set_next_attempt(claim: Claim, state: State, retry_at: datetime, now: datetime, policy: Policy) -> State:
    """The state with its next attempt: the last attempt if one is set, else the retry."""
    at = last_attempt_due(claim, state, retry_at, now, policy)
    return replace(state, next_at=at or retry_at, last_attempt_at=at or made_at(state, now))


def repeated_at(claim: Claim, failure: Failure, now: datetime, policy: Policy) -> datetime | None:
    """When the last attempt that met this failure is made again; None: it was made, or no time is left for another."""
    if claim.deadline is None or failure.kind not in _FAULTS or not awaits_last_attempt(claim.state):
        return None
    at = max(now + _AGAIN_AFTER, failure.retry_at or now)
    return at if at < deadline_end(claim.deadline, policy.zone) else None


def backoff_goes_on(state: State, now: datetime, policy: Policy) -> datetime:
    """When the next retry comes, counted from the last one or from the failure; now if there is none."""
    if state.retries_used >= policy.max_retries:
        return now
    since = state.last_retry_at if state.retries_used else state.failed_at
    return policy.next_retry(state.retries_used, since if since and since <= now else now)


def last_attempt_text(claim: Claim, state: State, policy: Policy, time_text: str) -> str:
    """`one last attempt on 3 Feb 2026, 18:00 CET, 30 h before the deadline`. `time_text`: its time, as its reader has it."""
    text = f"one last attempt on {time_text}"
    if claim.deadline is None or state.last_attempt_at is None:
        return text
    hours = (deadline_end(claim.deadline, policy.zone) - state.last_attempt_at) / timedelta(hours=1)
    return f"{text}, {round(hours)} h before the deadline" if hours > 0 else f"{text}, after the deadline"
