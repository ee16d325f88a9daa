"""Assesses claims: computes a claim's state from its row if the claim is new or other software edited the row."""

from dataclasses import replace
from datetime import datetime, timedelta

from recours.core.claim import Claim, FetchStatus, Stage, State, deadline_end
from recours.core.errors import ErrorKind, is_persistent
from recours.core.last_attempt import awaits_last_attempt
from recours.core.order import expires_from, rank_failed, rank_pending
from recours.core.policy import Policy
from recours.core.sentences import classify

# A claim that other software set to `fetching` counts as pending after this time.
ABANDONED_AFTER = timedelta(hours=1)

_WORKED_ON = frozenset({FetchStatus.PENDING, FetchStatus.FETCHING, FetchStatus.FAILED})
_OF_FAILED = frozenset({Stage.WAITING, Stage.READY, Stage.SETTLED, Stage.GIVEN_UP})


def assess(claim: Claim, now: datetime, policy: Policy) -> State:
    """Return the state of a claim that is new to recours, or that other software has edited since.

    A corrected number or carrier, a reset retry count or a different account restarts the claim, which is then due now.
    Switching to a default account that has worked for the claim does not restart it.
    """
    state = _assess_pending(claim, now, policy) if claim.is_pending else _assess_failed(claim, now, policy)
    since, was_asked = _since(claim, now)
    expire_from = expires_from(claim, since, policy) if was_asked else None
    is_corrected = _is_corrected(claim)
    account = None if is_corrected else claim.state.account
    goes_alone = claim.state.goes_alone and not is_corrected
    state = replace(state, since=since, expire_from=expire_from, account=account, goes_alone=goes_alone)
    return replace(state, stage=Stage.SHELVED) if policy.sets_aside(claim) else state


def _since(claim: Claim, now: datetime) -> tuple[datetime | None, bool]:
    """Return when recours began to handle the claim, and whether the carrier was asked since then."""
    assessed = claim.assessed
    if assessed is None:
        times = [at for at in (claim.created_at, claim.state.since) if at is not None and at <= now]
        return max(times, default=now), False
    is_back = assessed.fetch_status not in _WORKED_ON or (
        claim.is_pending and assessed.fetch_status == FetchStatus.FAILED
    )
    if is_back or _is_corrected(claim) or claim.retries_counted < assessed.retries_used:
        return now, False
    return claim.state.since, claim.state.was_asked


def _assess_pending(claim: Claim, now: datetime, policy: Policy) -> State:
    state = State(
        stage=Stage.NEW if claim.number else Stage.UNNUMBERED,
        delivery=None if _is_corrected(claim) else claim.state.delivery,
        interruptions=claim.state.interruptions,
    )
    state = rank_pending(claim, state, now, policy)
    if claim.number is None or claim.fetch_status != FetchStatus.FETCHING:
        return state
    # Other software is fetching the claim. Keep the recorded state in case it finds no proof.
    state_on_record = state if _is_corrected(claim) else claim.state
    since = min(claim.updated_at or now, now)
    return replace(
        state_on_record,
        stage=Stage.WAITING,
        next_at=since + ABANDONED_AFTER,
        rank_at=state.rank_at,
        rank_is_deadline=state.rank_is_deadline,
    )


def _assess_failed(claim: Claim, now: datetime, policy: Policy) -> State:
    assessed = claim.assessed
    if assessed is None:
        state = _adopt(claim, now, policy)
    elif _is_corrected(claim) or claim.retries_counted < assessed.retries_used:
        state = State(stage=Stage.WAITING, next_at=now, failed_at=now)
        if not _is_corrected(claim):
            state = replace(state, delivery=claim.state.delivery)
    elif assessed.fetch_status == FetchStatus.FETCHING and claim.state.failed_at:
        state = _after_others(claim.state, now, policy)
    elif assessed.fetch_status != FetchStatus.FAILED:
        fresh = replace(claim, retries_counted=0, state=State(delivery=claim.state.delivery))
        state = _adopt(fresh, now, policy)
    elif _is_extended(claim, now, policy):
        state = reschedule(
            replace(claim.state, stage=_stage_between_retries(claim.state), expired_at=None), now, policy
        )
    else:
        attempts = max(claim.state.attempts, claim.retries_counted)
        resumed = replace(claim.state, retries_used=claim.retries_counted, attempts=attempts)
        state = _resume(resumed, now, policy)
    return rank_failed(claim, state, now, policy)


def _is_extended(claim: Claim, now: datetime, policy: Policy) -> bool:
    """Return whether an expired claim now has a future deadline, or no deadline."""
    if claim.state.expired_at is None:
        return False
    return claim.deadline is None or deadline_end(claim.deadline, policy.zone) >= now


def _is_corrected(claim: Claim) -> bool:
    """Return whether the number, carrier, account or client has changed since the last assessment."""
    assessed = claim.assessed
    if assessed is None:
        return False
    identity = assessed.number, assessed.account, assessed.client
    return identity != (claim.number, claim.account_key, claim.client_text)


def lost_its_proof(claim: Claim) -> bool:
    """Return whether the row of a claim with a POD requests another fetch, although nothing was corrected."""
    had_pod = claim.assessed is not None and claim.assessed.fetch_status == FetchStatus.SUCCESS
    return had_pod and claim.is_ours and not _is_corrected(claim)


def _adopt(claim: Claim, now: datetime, policy: Policy) -> State:
    """Return the state of a claim whose failure other software wrote."""
    kind = classify(claim.error_text) if claim.number else ErrorKind.INVALID_TRACKING
    failed_at = _time_of_failure(claim, now)
    last = claim.state.last_retry_at
    retries = claim.retries_counted
    since = last if retries and last and last <= now else failed_at
    is_over = retries >= policy.max_retries  # other software used the retries, so no email is sent
    next_at = policy.next_retry(retries, since) if since else now
    return State(
        stage=Stage.GIVEN_UP if is_over else Stage.WAITING,
        retries_used=retries,
        attempts=retries,  # the best estimate
        last_retry_at=last if last and last <= now else None,
        next_at=None if is_over else next_at,
        failed_at=failed_at or now,
        kind=kind,
        delivery=claim.state.delivery,
    )


def _time_of_failure(claim: Claim, now: datetime) -> datetime | None:
    """Return the row's time of failure, capped at now; None if it is unreadable, which makes the claim due now."""
    if claim.updated_at is None and "updated_at" in claim.unreadable:
        return None
    if claim.updated_at is None and claim.created_at is None:
        return None if "created_at" in claim.unreadable else now
    return min(claim.updated_at or claim.created_at or now, now)


def _resume(state: State, now: datetime, policy: Policy) -> State:
    """Keep the backoff of a claim that was not corrected, and fill in a missing stage or time."""
    if state.stage not in _OF_FAILED:
        state = replace(state, stage=_stage_between_retries(state))
    if state.next_at is None:
        return reschedule(state, now, policy)
    return replace(state, failed_at=state.failed_at or now)


def _after_others(state: State, now: datetime, policy: Policy) -> State:
    """Continue the backoff, or give up, after a failed attempt by other software."""
    awaited = state.last_attempt_at and state.last_attempt_at > now
    if state.retries_used >= policy.max_retries and not awaited:
        return replace(state, stage=Stage.GIVEN_UP, next_at=None)
    return reschedule(replace(state, stage=_stage_between_retries(state)), now, policy)


def _stage_between_retries(state: State) -> Stage:
    settled = state.retries_used > 0 and state.kind is not None and is_persistent(state.kind)
    return Stage.SETTLED if settled else Stage.WAITING


def reschedule(state: State, now: datetime, policy: Policy) -> State:
    """Recompute the time of the next retry from the last retry or failure. A planned last attempt keeps its time."""
    since = state.last_retry_at if state.retries_used else state.failed_at
    since = since if since and since <= now else now
    next_at = policy.next_retry(state.retries_used, since)
    failed_at = state.failed_at if state.failed_at and state.failed_at <= now else since
    if state.last_attempt_at and state.last_attempt_at > now:
        next_at = state.last_attempt_at
    return replace(state, next_at=next_at, failed_at=failed_at)


def repair_time(claim: Claim, now: datetime, policy: Policy) -> State:
    """Return the claim's state, with the next retry recomputed if its time is later than any wait allows."""
    state = claim.state
    is_impossible = state.next_at is not None and state.next_at > policy.horizon(now)
    return reschedule(state, now, policy) if is_impossible and not awaits_last_attempt(state) else state


def revive(claim: Claim, now: datetime, policy: Policy) -> State:
    """Resume a claim that recours gave up on when `--max-retries` was lower."""
    state = reschedule(replace(claim.state, stage=_stage_between_retries(claim.state)), now, policy)
    return rank_failed(claim, state, now, policy)


def state_for_next_run(claim: Claim, now: datetime, policy: Policy) -> State:
    """Return the state in which the next run would find the claim, assessed in memory if the claim is new or edited."""
    state = claim.state
    if not claim.is_ours:
        return state
    is_unshelved = state.stage is Stage.SHELVED and not policy.sets_aside(claim)
    if state.stage is None or claim.is_edited or is_unshelved:
        return assess(claim, now, policy)
    if can_revive(state, policy):
        return revive(claim, now, policy)
    return replace(state, stage=Stage.SHELVED) if policy.sets_aside(claim) else state


def can_revive(state: State, policy: Policy) -> bool:
    """Return whether to resume a claim that recours gave up on when `--max-retries` was lower."""
    gave_up = state.stage is Stage.GIVEN_UP and state.expired_at is None
    return gave_up and state.retries_used < policy.max_retries


def is_due(state: State, now: datetime, policy: Policy) -> bool:
    """Return whether the next retry of a waiting or settled claim is due."""
    return state.next_at is None or state.next_at <= policy.due_until(now)
