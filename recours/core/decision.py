"""What becomes of a due claim: what to do with it, and what an answer means for it."""

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
    attempts_beside_last,
    awaits_last_attempt,
    backoff_goes_on,
    is_in_time,
    last_attempt_due,
    made_at,
    repeated_at,
    set_next_attempt,
)
from recours.core.mail import Event, EventName
from recours.core.order import asked_about, ranked, ranked_anew
from recours.core.outcome import Failure, Retrieved
from recours.core.policy import Policy
from recours.core.quota import CallBudget
from recours.core.sentences import LONGEST_MESSAGE, Sentence, SentenceParts, facts_of
from recours.core.text import clean, plural

# A claim that was being fetched this often in a row when its run died is not tried a further time.
MOST_INTERRUPTIONS = 3


@dataclass(frozen=True)
class Decision:
    """What to record of an attempt, or of a retry that passed without one."""

    state: State
    fetch_status: FetchStatus
    error: str | None = None  # for the log
    kind: ErrorKind | None = None
    events: tuple[Event, ...] = ()
    uses_attempt: bool = True
    gave_up: bool = False
    # False: status and error in the service's columns stay as they are.
    updates_service: bool = True
    explanation: SentenceParts | None = None  # the same error for people, in their language


class Action(StrEnum):
    """What to do with a due claim."""

    CALL = "call"
    PASS = "pass"  # noqa: S105 (not a password: the retry passes without a call)
    GIVE_UP = "give_up"
    SHELVE = "shelve"
    WAIT = "wait"
    FAIL = "fail"


def next_action(claim: Claim, now: datetime, policy: Policy, *, by_name: bool = False) -> Action:
    """What to do with a due claim, or with one that someone asked for `by_name`, by its reference."""
    if policy.sets_aside(claim):
        return Action.SHELVE
    if by_name:
        return Action.CALL
    if claim.fetch_status == FetchStatus.FETCHING and abandoned_at(claim, now) > now:
        return Action.WAIT
    if claim.state.interruptions >= MOST_INTERRUPTIONS:
        return Action.FAIL
    is_used_up = not claim.is_pending and claim.state.retries_used >= policy.max_retries
    if is_used_up and not is_in_time(claim, now, policy):
        return Action.GIVE_UP
    settled = not claim.is_pending and claim.state.stage is Stage.SETTLED
    return Action.PASS if settled else Action.CALL


def delivery_to_assume(claim: Claim, spec: CarrierSpec, policy: Policy) -> Delivery | None:
    """What a fetch goes by: the delivery that is known, or none, so that the parcel is tracked first.

    Where the document is asked for first, that of a new claim counts as delivered though nothing is known of it.
    """
    delivery = claim.state.delivery
    form = spec.untracked_form if spec.key in policy.document_first else None
    if delivery is None and claim.is_pending and form and form.fullmatch(claim.number or ""):
        return Delivery(is_assumed=True)
    return delivery


def calls_of_others(spec: CarrierSpec, stage: Stage, count: int, policy: Policy) -> CallBudget:
    """The calls that so many more urgent claims at a stage need, which a worker leaves to them."""
    is_document_first = stage is Stage.NEW and spec.key in policy.document_first
    calls = spec.calls_for(Delivery() if is_document_first else None)
    return {kind: count * number for kind, number in calls.items()} if count else {}


def abandoned_at(claim: Claim, now: datetime) -> datetime:
    """When a claim that other software is fetching counts as abandoned; if its row does not tell, as first assessed."""
    if claim.updated_at is not None and claim.updated_at <= now:
        return claim.updated_at + ABANDONED_AFTER
    return claim.state.next_at or now


def pass_retry(claim: Claim, now: datetime, policy: Policy) -> Decision:
    """A retry of a settled claim passes without a call: the next one gets its time, or the claim is given up."""
    retries_used = claim.state.retries_used + 1
    state = replace(
        claim.state, stage=Stage.SETTLED, retries_used=retries_used, last_retry_at=now, interruptions=0
    )
    return _after_retry(claim, state, now, policy)


def give_up(claim: Claim, now: datetime, policy: Policy) -> Decision:
    """Give a claim up without a call: `--max-retries` is lower than before, or its last attempt comes too late."""
    state = replace(claim.state, last_attempt_at=made_at(claim.state, now), interruptions=0)
    return _after_retry(claim, state, now, policy)


def expire(claim: Claim, now: datetime, policy: Policy) -> Decision | None:
    """Give up a claim whose deadline has long passed (`is_expired`), with an event for the operator.

    None: its status says that no POD is wanted; no event.
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
        last_attempt_at=made_at(claim.state, now),
    )
    days = policy.expire_after.days if policy.expire_after else 0
    error = f"Given up: its response deadline, {claim.deadline}, passed more than {plural(days, 'day')} ago"
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
    """What a failed attempt means for the claim.

    `by_name`: someone asked for this claim by its reference; count, next try and stage stay as they were.
    """
    delivery = failure.delivery or claim.state.delivery
    again_at = None if by_name else repeated_at(claim, failure, now, policy)
    if again_at or not TRAITS[failure.kind].uses_attempt:
        state = _with_delivery(claim, delivery, now, policy)
        if again_at is None and failure.alone and not by_name:
            again_at = failure.retry_at
        if again_at:
            state = put_off(claim, state, again_at, now, policy)
        return Decision(
            state=state,
            fetch_status=FetchStatus.PENDING if claim.is_pending else FetchStatus.FAILED,
            kind=failure.kind,
            uses_attempt=False,
        )
    if by_name:
        state = _with_delivery(claim, delivery, now, policy)
        return _tried_by_hand(claim, failure, asked_about(claim, state, policy))
    attempts = claim.state.attempts + 1
    state = replace(claim.state, kind=failure.kind, delivery=delivery, interruptions=0, attempts=attempts)
    state = asked_about(claim, state, policy)
    if claim.fetch_status != FetchStatus.FAILED:
        state = replace(state, stage=Stage.WAITING, retries_used=0, last_retry_at=None, failed_at=now)
        return _between_retries(claim, state, now, policy, failure)
    state = replace(state, stage=Stage.SETTLED if is_persistent(failure.kind) else Stage.WAITING)
    if awaits_last_attempt(claim.state):
        return _after_last_attempt(claim, state, now, policy, failure)
    state = replace(state, last_retry_at=now, retries_used=claim.state.retries_used + 1)
    return _after_retry(claim, state, now, policy, failure)


def _with_delivery(claim: Claim, delivery: Delivery | None, now: datetime, policy: Policy) -> State:
    """The claim's state with what is known of the delivery now: its evidence may end sooner."""
    if delivery == claim.state.delivery:
        return replace(claim.state, delivery=delivery)  # perhaps with other hints
    learnt = replace(claim, state=replace(claim.state, delivery=delivery))
    return ranked_anew(learnt, now, policy)


def put_off(claim: Claim, state: State, until: datetime, now: datetime, policy: Policy) -> State:
    """The claim waits, and its retry is not used up; never longer than the longest wait of the backoff."""
    until = min(until, policy.horizon(now))
    last_attempt_at = until if awaits_last_attempt(state) else state.last_attempt_at
    state = replace(state, stage=Stage.WAITING, next_at=until, last_attempt_at=last_attempt_at)
    return asked_about(claim, replace(state, interruptions=0), policy)


def _tried_by_hand(claim: Claim, failure: Failure, state: State) -> Decision:
    """A failure that leaves the backoff as it is. The service reads the last failure, if there was one.

    A persistent error stands, though, for why the claim is no longer asked about: a passing trouble does not replace it.
    """
    state = replace(state, interruptions=0)
    decision = replace(_failed(state, failure), kind=failure.kind)
    over = claim.state.stage in (Stage.SETTLED, Stage.GIVEN_UP)
    stands = over and claim.state.kind is not None and is_persistent(claim.state.kind)
    if claim.fetch_status == FetchStatus.FAILED and (not stands or is_persistent(failure.kind)):
        return replace(decision, state=replace(state, kind=failure.kind))
    status = FetchStatus.PENDING if claim.is_pending else FetchStatus.FAILED
    return replace(decision, fetch_status=status, updates_service=False)


def succeed(claim: Claim, retrieved: Retrieved, now: datetime, findings: Findings | None = None) -> Decision:
    """A checked document is there, which shows this. The client is notified if it took a retry."""
    attempts = claim.state.attempts + 1
    state = State(attempts=attempts, delivery=retrieved.delivery, account=claim.state.account)
    if claim.fetch_status != FetchStatus.FAILED:
        return Decision(state, FetchStatus.SUCCESS)
    state = replace(state, retries_used=claim.state.retries_used + 1, last_retry_at=now)
    event = _retrieved(claim, retrieved.delivery, findings, {"attempts": attempts})
    return Decision(state, FetchStatus.SUCCESS, events=(event,))


def attach(claim: Claim, delivery: Delivery, findings: Findings) -> Decision:
    """A person attached a proof: no retry is counted, and the client is notified if the claim had failed."""
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
    return replace(decision, events=(_retrieved(claim, delivery, findings, {"by_hand": True}),))


def attach_beside(claim: Claim) -> Decision:
    """A person attached further evidence: the claim keeps the proof that it has."""
    return Decision(claim.state, FetchStatus.SUCCESS, uses_attempt=False)


def _retrieved(claim: Claim, delivery: Delivery, findings: Findings | None, how: Mapping[str, Any]) -> Event:
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
    """A retry is used: after the last one the claim is given up, else the next attempt gets its time."""
    is_over = state.retries_used >= policy.max_retries
    if not is_over or (failure and last_attempt_due(claim, state, now, now, policy)):
        return _between_retries(claim, state, now, policy, failure)
    kind = state.kind or ErrorKind.INTERNAL_ERROR
    persistent = state.stage is Stage.SETTLED or is_persistent(kind, last_retry=True)
    facts = _facts(claim, state, failure) | {"final": True}
    events = [_event(claim, EventName.GAVE_UP, Actor.OPERATOR, facts)]
    if recipient := _whom_to_notify(kind, policy, persistent=persistent):
        events.insert(0, _event(claim, EventName.POD_FAILED, recipient, facts))
    state = ranked(claim, replace(state, stage=Stage.GIVEN_UP, next_at=None), now, policy)
    return replace(_failed(state, failure), kind=kind, events=tuple(events), gave_up=True)


def _after_last_attempt(
    claim: Claim, state: State, now: datetime, policy: Policy, failure: Failure
) -> Decision:
    """The claim is given up, or its retries go on as they were: the last attempt is none of them."""
    state = replace(state, next_at=None, last_attempt_at=min(now, state.last_attempt_at or now))
    if state.retries_used >= policy.max_retries:
        return _after_retry(claim, replace(state, last_retry_at=now), now, policy, failure)
    return _between_retries(claim, state, now, policy, failure, backoff_goes_on(state, now, policy))


def _between_retries(
    claim: Claim,
    state: State,
    now: datetime,
    policy: Policy,
    failure: Failure | None,
    retry_at: datetime | None = None,
) -> Decision:
    """`retry_at`: when the next retry comes; None: counted from now."""
    retry_at = retry_at or policy.next_retry(state.retries_used, now)
    state = ranked(claim, set_next_attempt(claim, state, retry_at, now, policy), now, policy)
    decision = _failed(state, failure)
    if state.stage is Stage.SETTLED and _is_notified_early(claim, state, policy):
        recipient = _whom_to_notify(state.kind or ErrorKind.INTERNAL_ERROR, policy, persistent=True)
        facts = _facts(claim, state, failure) | {"final": False}
        if recipient:
            return replace(decision, events=(_event(claim, EventName.POD_FAILED, recipient, facts),))
    return decision


def _failed(state: State, failure: Failure | None) -> Decision:
    """`failure`: None where no call was made."""
    if failure is None:
        return Decision(state, FetchStatus.FAILED, kind=state.kind)
    return Decision(state, FetchStatus.FAILED, failure.message, state.kind, explanation=failure.explanation)


def _is_notified_early(claim: Claim, state: State, policy: Policy) -> bool:
    """Tell whether a notice after the last retry would be too late, or is not wanted."""
    if policy.tell_persistent_at_once:
        return True
    if claim.deadline is None or state.next_at is None:
        return False
    last = policy.last_retry(state.retries_used, state.next_at)
    return deadline_end(claim.deadline, policy.zone) < last


def _whom_to_notify(kind: ErrorKind, policy: Policy, *, persistent: bool) -> Actor | None:
    if not persistent:
        return Actor.CLIENT if policy.tell_temporary else None
    actor = TRAITS[kind].actor
    return actor if actor in (Actor.CLIENT, Actor.OPERATOR) else None


def _facts(claim: Claim, state: State, failure: Failure | None) -> dict[str, Any]:
    return {
        "reference": claim.reference,
        "kind": state.kind,
        "error": failure.message if failure else claim.last_error,
        "attempts": attempts_beside_last(state),
        **({"last_attempt": True} if state.last_attempt_at else {}),
        **facts_of(failure.explanation if failure else claim.explanation),
    }


def _event(claim: Claim, name: EventName, audience: Actor, facts: Mapping[str, Any]) -> Event:
    return Event(name, audience, claim.carrier or claim.carrier_name, claim.number or "", facts)
