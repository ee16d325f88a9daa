"""The last attempt: an extra attempt for a claim with a real deadline, some hours before the end of the deadline day.

It is scheduled when a temporary error uses up the retries, or when the next retry would be less than 6 h before the end
of the deadline. It is not scheduled after `not_found`, because the client must be notified while they can still act.
Each number has at most one last attempt, which does not count as a retry. If the carrier or the network fails, the last
attempt is repeated an hour later.

`State.last_attempt_at` is the time of the last attempt. It equals `State.next_at` until the attempt is made, and is
kept afterward, so that no second last attempt is scheduled. Changes of the setting, the deadline or `--max-retries` do
not affect a scheduled last attempt.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from recours.core.claim import Claim, State, deadline_end
from recours.core.errors import OUTAGE_KINDS, ErrorKind, is_persistent
from recours.core.outcome import Failure
from recours.core.policy import Policy

# The minimum time from the previous answer to the last attempt, and from a retry to the end of the deadline.
LEAST_APART = timedelta(hours=6)
# Faults of the carrier or the network, as opposed to answers about the parcel.
_FAULTS = OUTAGE_KINDS | {ErrorKind.BAD_RESPONSE}
# The wait before the last attempt is repeated after a fault.
_AGAIN_AFTER = timedelta(hours=1)


def awaits_last_attempt(state: State) -> bool:
    """Return whether the claim's next attempt is its last attempt."""
    return state.last_attempt_at is not None and state.last_attempt_at == state.next_at


def has_last_attempt_left(claim: Claim, now: datetime, policy: Policy) -> bool:
    """Return whether the claim still awaits its last attempt, and its deadline has not passed."""
    if claim.deadline is None or not awaits_last_attempt(claim.state):
        return False
    return now < deadline_end(claim.deadline, policy.zone)


def last_attempt_made_at(state: State, now: datetime) -> datetime | None:
    """Return when the last attempt for the current number was made; None: it was not made yet."""
    at = state.last_attempt_at
    return None if at is None or at > now or awaits_last_attempt(state) else at


def attempts_except_last(state: State) -> int:
    """Return the number of attempts of a given-up claim, not counting its last attempt."""
    return state.attempts - (state.last_attempt_at is not None)


def last_attempt_due(
    claim: Claim, state: State, retry_at: datetime, now: datetime, policy: Policy
) -> datetime | None:
    """Return when to make the last attempt after the answer in `state`; None: no last attempt is made.

    `retry_at`: the next retry; ignored if all retries are used.
    """
    if policy.last_attempt is None or claim.deadline is None or last_attempt_made_at(state, now):
        return None
    if state.kind is None or is_persistent(state.kind, last_retry=True):
        return None
    end = deadline_end(claim.deadline, policy.zone)
    if end <= now:  # subtracting from a deadline in the year 1 would overflow
        return None
    if state.retries_used < policy.max_retries and retry_at <= end - LEAST_APART:
        return None
    at = end - policy.last_attempt
    return at if at - now >= LEAST_APART else None


def set_next_attempt(claim: Claim, state: State, retry_at: datetime, now: datetime, policy: Policy) -> State:
    """Return the state with its next attempt: the last attempt if one is due, otherwise the retry."""
    at = last_attempt_due(claim, state, retry_at, now, policy)
    return replace(state, next_at=at or retry_at, last_attempt_at=at or last_attempt_made_at(state, now))


def repeated_at(claim: Claim, failure: Failure, now: datetime, policy: Policy) -> datetime | None:
    """Return when to repeat the last attempt after this failure; None: the failure counts, or no time is left."""
    if claim.deadline is None or failure.kind not in _FAULTS or not awaits_last_attempt(claim.state):
        return None
    at = max(now + _AGAIN_AFTER, failure.retry_at or now)
    return at if at < deadline_end(claim.deadline, policy.zone) else None


def next_retry_due(state: State, now: datetime, policy: Policy) -> datetime:
    """Return when the next retry is due, counted from the last retry or the failure. Return now if no retry is left."""
    if state.retries_used >= policy.max_retries:
        return now
    since = state.last_retry_at if state.retries_used else state.failed_at
    return policy.next_retry(state.retries_used, since if since and since <= now else now)


def last_attempt_text(claim: Claim, state: State, policy: Policy, time_text: str) -> str:
    """Return `one last attempt on 3 Feb 2026, 18:00 CET, 30 h before the deadline`. `time_text`: the formatted time."""
    text = f"one last attempt on {time_text}"
    if claim.deadline is None or state.last_attempt_at is None:
        return text
    hours = (deadline_end(claim.deadline, policy.zone) - state.last_attempt_at) / timedelta(hours=1)
    return f"{text}, {round(hours)} h before the deadline" if hours > 0 else f"{text}, after the deadline"
