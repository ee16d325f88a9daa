"""Decisions about due claims: what to do next, and what a carrier's answer changes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from recours.core.assessment import ABANDONED_AFTER
from recours.core.carrier import CarrierSpec
from recours.core.claim import Claim, Delivery, FetchStatus, Stage, State, deadline_end
from recours.core.errors import TRAITS, Actor, ErrorKind, is_persistent
from recours.core.evidence import Findings
from recours.core.last_attempt import (
    attempts_except_last,
    awaits_last_attempt,
    has_last_attempt_left,
    last_attempt_due,
    last_attempt_made_at,
    next_retry_due,
    repeated_at,
    set_next_attempt,
)
from recours.core.mail import Event, EventName
from recours.core.order import mark_asked, rank_failed, rerank
from recours.core.outcome import Failure, Retrieved
from recours.core.policy import Policy
from recours.core.quota import CallBudget
from recours.core.sentences import LONGEST_MESSAGE, Sentence, SentenceParts, facts_of
from recours.core.text import clean, plural

# A claim is not fetched again after this many runs in a row died while fetching it.
MOST_INTERRUPTIONS = 3


@dataclass(frozen=True)
class Decision:
    """The changes to record after an attempt, or after a retry that was skipped."""

    state: State
    fetch_status: FetchStatus
    error: str | None = None  # for the log
    kind: ErrorKind | None = None
    events: tuple[Event, ...] = ()
    uses_attempt: bool = True
    gave_up: bool = False
    # False: leave status and error in the service's columns unchanged.
    updates_service: bool = True
    explanation: SentenceParts | None = None  # the same error, to be rendered in the reader's language


class Action(StrEnum):
    """What to do with a due claim."""

    CALL = "call"
    PASS = "pass"  # noqa: S105 (not a password: the retry is skipped)
    GIVE_UP = "give_up"
    SHELVE = "shelve"
    WAIT = "wait"
    FAIL = "fail"


def next_action(claim: Claim, now: datetime, policy: Policy, *, by_name: bool = False) -> Action:
    """Decide what to do with a due claim, or with a claim that someone requested by its reference (`by_name`)."""
    if policy.sets_aside(claim):
        return Action.SHELVE
    if by_name:
        return Action.CALL
    if claim.fetch_status == FetchStatus.FETCHING and abandoned_at(claim, now) > now:
        return Action.WAIT
    if claim.state.interruptions >= MOST_INTERRUPTIONS:
        return Action.FAIL
    is_used_up = not claim.is_pending and claim.state.retries_used >= policy.max_retries
    if is_used_up and not has_last_attempt_left(claim, now, policy):
        return Action.GIVE_UP
    settled = not claim.is_pending and claim.state.stage is Stage.SETTLED
    return Action.PASS if settled else Action.CALL


def delivery_to_assume(claim: Claim, spec: CarrierSpec, policy: Policy) -> Delivery | None:
    """Return the delivery that a fetch starts from; None if the parcel is tracked first.

    With `document_first`, a new claim's parcel is assumed to be delivered although nothing is known yet.
    """
    delivery = claim.state.delivery
    form = spec.untracked_form if spec.key in policy.document_first else None
    if delivery is None and claim.is_pending and form and form.fullmatch(claim.number or ""):
        return Delivery(is_assumed=True)
    return delivery


def calls_of_others(spec: CarrierSpec, stage: Stage, count: int, policy: Policy) -> CallBudget:
    """Return the calls that a worker keeps for the other worker's `count` more urgent claims at this stage."""
    is_document_first = stage is Stage.NEW and spec.key in policy.document_first
    calls = spec.calls_for(Delivery() if is_document_first else None)
    return {kind: count * number for kind, number in calls.items()} if count else {}


def abandoned_at(claim: Claim, now: datetime) -> datetime:
    """Return when a claim that other software is fetching counts as abandoned.

    Without a plausible `updated_at`, the time set by the first assessment applies.
    """
    if claim.updated_at is not None and claim.updated_at <= now:
        return claim.updated_at + ABANDONED_AFTER
    return claim.state.next_at or now


def pass_retry(claim: Claim, now: datetime, policy: Policy) -> Decision:
    """Skip a retry of a settled claim, without a call: schedule the next retry, or give up."""
    retries_used = claim.state.retries_used + 1
    state = replace(
        claim.state, stage=Stage.SETTLED, retries_used=retries_used, last_retry_at=now, interruptions=0
    )
    return _after_retry(claim, state, now, policy)


def give_up(claim: Claim, now: datetime, policy: Policy) -> Decision:
    """Give up on a claim without a call: `--max-retries` was lowered, or its last attempt would be too late."""
    state = replace(claim.state, last_attempt_at=last_attempt_made_at(claim.state, now), interruptions=0)
    return _after_retry(claim, state, now, policy)


def expire(claim: Claim, now: datetime, policy: Policy) -> Decision | None:
    """Give up on a claim whose deadline passed long ago (`is_expired`), with an event for the operator.

    Return None if the claim's status says that a POD is no longer needed.
    """
    if policy.sets_aside(claim):
        return None
    state = replace(
        claim.state,
        stage=Stage.GIVEN_UP,
        next_at=None,
        failed_at=claim.state.failed_at or now,
        expired_at=now,
        interruptions=0,
        last_attempt_at=last_attempt_made_at(claim.state, now),
    )
    days = policy.expire_after.days if policy.expire_after else 0
    error = f"Given up: the claim's response deadline, {claim.deadline}, passed more than {plural(days, 'day')} ago"
    if claim.error_text:
        error += f" (last answer: {claim.last_error})"
    explanation = SentenceParts(Sentence.EXPIRED, words=clean(claim.error_text or "", LONGEST_MESSAGE))
    facts = _facts(claim, state, None) | {"deadline": str(claim.deadline), "days": days}
    event = _event(claim, EventName.EXPIRED, Actor.OPERATOR, facts)
    return Decision(
        state, FetchStatus.FAILED, error, state.kind, (event,), gave_up=True, explanation=explanation
    )


def decide(
    claim: Claim, failure: Failure, now: datetime, policy: Policy, *, by_name: bool = False
) -> Decision:
    """Decide what a failed attempt changes.

    `by_name`: someone requested this claim by its reference, so retry count, next attempt and stage do not change.
    """
    delivery = failure.delivery or claim.state.delivery
    again_at = None if by_name else repeated_at(claim, failure, now, policy)
    if again_at or not TRAITS[failure.kind].uses_attempt:
        state = _with_delivery(claim, delivery, now, policy)
        if again_at is None and failure.claim_only and not by_name:
            again_at = failure.retry_at
        if again_at:
            state = defer(claim, state, again_at, now, policy)
        return Decision(
            state=state,
            fetch_status=FetchStatus.PENDING if claim.is_pending else FetchStatus.FAILED,
            kind=failure.kind,
            uses_attempt=False,
        )
    if by_name:
        state = _with_delivery(claim, delivery, now, policy)
        return _after_requested_fetch(claim, failure, mark_asked(claim, state, policy))
    attempts = claim.state.attempts + 1
    state = replace(claim.state, kind=failure.kind, delivery=delivery, interruptions=0, attempts=attempts)
    state = mark_asked(claim, state, policy)
    if claim.fetch_status != FetchStatus.FAILED:
        state = replace(state, stage=Stage.WAITING, retries_used=0, last_retry_at=None, failed_at=now)
        return _between_retries(claim, state, now, policy, failure)
    state = replace(state, stage=Stage.SETTLED if is_persistent(failure.kind) else Stage.WAITING)
    if awaits_last_attempt(claim.state):
        return _after_last_attempt(claim, state, now, policy, failure)
    state = replace(state, last_retry_at=now, retries_used=claim.state.retries_used + 1)
    return _after_retry(claim, state, now, policy, failure)


def _with_delivery(claim: Claim, delivery: Delivery | None, now: datetime, policy: Policy) -> State:
    """Return the claim's state with this delivery, which may change the claim's rank."""
    if delivery == claim.state.delivery:
        return replace(claim.state, delivery=delivery)  # equal deliveries may have different hints
    informed = replace(claim, state=replace(claim.state, delivery=delivery))
    return rerank(informed, now, policy)


def defer(claim: Claim, state: State, until: datetime, now: datetime, policy: Policy) -> State:
    """Defer the claim without using a retry, at most for the longest wait of the backoff."""
    until = min(until, policy.horizon(now))
    last_attempt_at = until if awaits_last_attempt(state) else state.last_attempt_at
    state = replace(state, stage=Stage.WAITING, next_at=until, last_attempt_at=last_attempt_at)
    return mark_asked(claim, replace(state, interruptions=0), policy)


def _after_requested_fetch(claim: Claim, failure: Failure, state: State) -> Decision:
    """Record a failure that does not change the backoff. The service sees it only if the claim had failed before.

    A temporary error does not replace a persistent error, which explains why the carrier is no longer called.
    """
    state = replace(state, interruptions=0)
    decision = replace(_failure_decision(state, failure), kind=failure.kind)
    over = claim.state.stage in (Stage.SETTLED, Stage.GIVEN_UP)
    stands = over and claim.state.kind is not None and is_persistent(claim.state.kind)
    if claim.fetch_status == FetchStatus.FAILED and (not stands or is_persistent(failure.kind)):
        return replace(decision, state=replace(state, kind=failure.kind))
    status = FetchStatus.PENDING if claim.is_pending else FetchStatus.FAILED
    return replace(decision, fetch_status=status, updates_service=False)


def succeed(claim: Claim, retrieved: Retrieved, now: datetime, findings: Findings | None = None) -> Decision:
    """Record a fetched document and its `findings`. The client is notified if the claim had failed before."""
    attempts = claim.state.attempts + 1
    state = State(attempts=attempts, delivery=retrieved.delivery, account=claim.state.account)
    if claim.fetch_status != FetchStatus.FAILED:
        return Decision(state, FetchStatus.SUCCESS)
    state = replace(state, retries_used=claim.state.retries_used + 1, last_retry_at=now)
    event = _retrieved_event(claim, retrieved.delivery, findings, {"attempts": attempts})
    return Decision(state, FetchStatus.SUCCESS, events=(event,))


def attach(claim: Claim, delivery: Delivery, findings: Findings) -> Decision:
    """Record a proof that a person attached, without using a retry. The client is notified if the claim had failed."""
    state = State(
        retries_used=claim.retries_counted,
        attempts=claim.state.attempts,
        last_retry_at=claim.state.last_retry_at,
        delivery=delivery,
        account=claim.state.account,
    )
    decision = Decision(state, FetchStatus.SUCCESS, uses_attempt=False)
    if claim.fetch_status != FetchStatus.FAILED:
        return decision
    return replace(decision, events=(_retrieved_event(claim, delivery, findings, {"by_hand": True}),))


def attach_additional(claim: Claim) -> Decision:
    """Record further evidence that a person attached. The claim keeps its proof."""
    return Decision(claim.state, FetchStatus.SUCCESS, uses_attempt=False)


def _retrieved_event(
    claim: Claim, delivery: Delivery, findings: Findings | None, how: Mapping[str, Any]
) -> Event:
    facts = {"reference": claim.reference, **how, "signatory": delivery.signatory}
    facts["delivered_at"] = delivery.at.isoformat() if delivery.at else None
    if delivery.day:
        facts["delivered_day"] = delivery.day.isoformat()
    if findings:
        facts["shown"] = findings._asdict()
    return _event(claim, EventName.POD_RETRIEVED, Actor.CLIENT, facts)


def _after_retry(
    claim: Claim, state: State, now: datetime, policy: Policy, failure: Failure | None = None
) -> Decision:
    """Use up a retry: give up after the last one, otherwise schedule the next attempt."""
    is_over = state.retries_used >= policy.max_retries
    if not is_over or (failure and last_attempt_due(claim, state, now, now, policy)):
        return _between_retries(claim, state, now, policy, failure)
    kind = state.kind or ErrorKind.INTERNAL_ERROR
    persistent = state.stage is Stage.SETTLED or is_persistent(kind, last_retry=True)
    facts = _facts(claim, state, failure) | {"final": True}
    events = [_event(claim, EventName.GAVE_UP, Actor.OPERATOR, facts)]
    if recipient := _whom_to_notify(kind, policy, persistent=persistent):
        events.insert(0, _event(claim, EventName.POD_FAILED, recipient, facts))
    state = rank_failed(claim, replace(state, stage=Stage.GIVEN_UP, next_at=None), now, policy)
    return replace(_failure_decision(state, failure), kind=kind, events=tuple(events), gave_up=True)


def _after_last_attempt(
    claim: Claim, state: State, now: datetime, policy: Policy, failure: Failure
) -> Decision:
    """Give up, or continue with the remaining retries. The last attempt does not count as a retry."""
    state = replace(state, next_at=None, last_attempt_at=min(now, state.last_attempt_at or now))
    if state.retries_used >= policy.max_retries:
        return _after_retry(claim, replace(state, last_retry_at=now), now, policy, failure)
    return _between_retries(claim, state, now, policy, failure, next_retry_due(state, now, policy))


def _between_retries(
    claim: Claim,
    state: State,
    now: datetime,
    policy: Policy,
    failure: Failure | None,
    retry_at: datetime | None = None,
) -> Decision:
    """Schedule the next attempt. `retry_at`: when the next retry is due; None: after the usual wait from now."""
    retry_at = retry_at or policy.next_retry(state.retries_used, now)
    state = rank_failed(claim, set_next_attempt(claim, state, retry_at, now, policy), now, policy)
    decision = _failure_decision(state, failure)
    if state.stage is Stage.SETTLED and _is_notified_early(claim, state, policy):
        recipient = _whom_to_notify(state.kind or ErrorKind.INTERNAL_ERROR, policy, persistent=True)
        facts = _facts(claim, state, failure) | {"final": False}
        if recipient:
            return replace(decision, events=(_event(claim, EventName.POD_FAILED, recipient, facts),))
    return decision


def _failure_decision(state: State, failure: Failure | None) -> Decision:
    """Record a failure. `failure`: None if no call was made."""
    if failure is None:
        return Decision(state, FetchStatus.FAILED, kind=state.kind)
    return Decision(state, FetchStatus.FAILED, failure.message, state.kind, explanation=failure.explanation)


def _is_notified_early(claim: Claim, state: State, policy: Policy) -> bool:
    """Return whether to notify before the last retry: by setting, or because the deadline ends before that retry."""
    if policy.notify_persistent_at_once:
        return True
    if claim.deadline is None or state.next_at is None:
        return False
    last = policy.last_retry(state.retries_used, state.next_at)
    return deadline_end(claim.deadline, policy.zone) < last


def _whom_to_notify(kind: ErrorKind, policy: Policy, *, persistent: bool) -> Actor | None:
    if not persistent:
        return Actor.CLIENT if policy.notify_temporary else None
    actor = TRAITS[kind].actor
    return actor if actor in (Actor.CLIENT, Actor.OPERATOR) else None


def _facts(claim: Claim, state: State, failure: Failure | None) -> dict[str, Any]:
    return {
        "reference": claim.reference,
        "kind": state.kind,
        "error": failure.message if failure else claim.last_error,
        "attempts": attempts_except_last(state),
        **({"deadline": claim.deadline.isoformat()} if claim.deadline else {}),
        **({"last_attempt": True} if state.last_attempt_at else {}),
        **facts_of(failure.explanation if failure else claim.explanation),
    }


def _event(claim: Claim, name: EventName, audience: Actor, facts: Mapping[str, Any]) -> Event:
    return Event(name, audience, claim.carrier or claim.carrier_name, claim.number or "", facts)
