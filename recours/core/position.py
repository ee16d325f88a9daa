"""The status of a claim for display: its stage, when and why its next attempt is due, and who can act.

Used wherever a claim is shown: `recours why`, `claim_status()`, the dashboard, the weekly report, `recours status`
and `--dry-run`. Runs apply the same rules of `recours.core`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from recours.core.assessment import is_due, state_for_next_run
from recours.core.claim import DUE, IN_PROGRESS, Claim, FetchStatus, Stage, State, deadline_end
from recours.core.decision import abandoned_at
from recours.core.errors import TRAITS, Actor, ErrorKind
from recours.core.last_attempt import awaits_last_attempt, has_last_attempt_left
from recours.core.order import is_expired
from recours.core.pauses import Blocked, Refusal
from recours.core.policy import Policy, evidence_end
from recours.core.sentences import classify


class Standing(StrEnum):
    """The status of a claim for display: its stage, or a condition that takes precedence."""

    FETCHED = "fetched"  # it has its POD
    IN_HAND = "in_hand"  # a run is fetching it
    NOT_SEEN = "not_seen"  # new or edited: the next run assesses it
    LEFT_ALONE = "left_alone"  # the service requested no POD, or handles the claim itself
    ERASED = "erased"
    UNNUMBERED = Stage.UNNUMBERED
    NEW = Stage.NEW
    WAITING = Stage.WAITING
    READY = Stage.READY
    SETTLED = Stage.SETTLED
    SHELVED = Stage.SHELVED
    GIVEN_UP = Stage.GIVEN_UP


class Why(StrEnum):
    """The reason for the time of a claim's next attempt, or for having no next attempt."""

    BY_BACKOFF = "by_backoff"  # its next attempt is scheduled
    DUE = "due"  # the next run of the scheduler fetches it
    NEW = "new"  # the next run of the fetch worker fetches it
    NOT_ASKED = "not_asked"  # the next run records, without a call, what is missing
    OTHERS = "others"  # another program marked it as being fetched
    CLOSED = "closed"  # its carrier cannot be called until `next_at`
    # Claims without a next attempt.
    BLOCKED = "blocked"  # its carrier cannot be called until someone acts
    IN_HAND = "in_hand"
    HAS_POD = "has_pod"
    LEFT_ALONE = "left_alone"
    ERASED = "erased"
    SHELVED = "shelved"
    UNNUMBERED = "unnumbered"
    SETTLED = "settled"
    ENDING = "ending"  # all its retries are used, so it is given up once due
    EXPIRING = "expiring"  # its deadline passed long ago, so it is given up once due
    GIVEN_UP = "given_up"


class Closing(StrEnum):
    """Why a carrier cannot be called, for display."""

    STOPPED = "stopped"  # by a person
    REJECTED = "rejected"  # it rejects our credentials
    DENIED = "denied"  # it accepts our credentials but does not allow this service
    UNCONFIGURED = "unconfigured"
    LIMIT = "limit"  # a quota is used up, or the carrier asked us to wait


def closing_of(refusal: Refusal) -> Closing:
    """Return why the carrier cannot be called, for display."""
    of_account = {
        ErrorKind.AUTH_FAILED: Closing.REJECTED,
        ErrorKind.ACCOUNT_DENIED: Closing.DENIED,
        ErrorKind.NOT_CONFIGURED: Closing.UNCONFIGURED,
    }
    if refusal.kind in of_account:
        return of_account[refusal.kind]
    return Closing.STOPPED if refusal.why is Blocked.CARRIER else Closing.LIMIT


@dataclass(frozen=True)
class Evidence:
    """When the carrier deletes the parcel's data at the latest (aware UTC).

    `counts`: the time matters, as it precedes the deadline of a claim with a planned call or passed without a proof.
    """

    ends_at: datetime
    is_over: bool
    counts: bool


@dataclass(frozen=True)
class Position:
    """The status of a claim at a given time. Datetimes are aware UTC.

    `asks`: whether a call is still planned. `refusal`: why a planned call cannot be made now. `is_due`: whether a run
    that starts now would fetch the claim (if its carrier takes calls), skip its retry, or give up on it.
    """

    standing: Standing
    state: State  # as the next run finds it
    why: Why
    next_at: datetime | None = None  # the earliest time of the next attempt; None: there is none
    kind: ErrorKind | None = None  # the error that prevents the fetch
    actor: Actor | None = None  # who can act
    refusal: Refusal | None = None
    asks: bool = False
    is_due: bool = False
    is_last: bool = False  # the next attempt is the last one before its deadline
    stage: Stage | None = None  # as stored; ready if its retry is due and no run has updated it yet
    evidence: Evidence | None = None  # None: no end is known, or the claim has its POD

    @property
    def is_open(self) -> bool:
        """Return whether an attempt is still planned, or only a tracking number is missing."""
        return self.asks or self.why is Why.UNNUMBERED


def position(
    claim: Claim, now: datetime, policy: Policy, *, refusal: Refusal | None = None, leased: bool = False
) -> Position:
    """Return a claim's status. `refusal`: why its carrier cannot be called now. `leased`: a run is fetching it."""
    state = state_for_next_run(claim, now, policy)
    planned = _plan(claim, state, now, policy)
    expires = is_expired(state, planned[1], policy)
    has_attempts = _has_attempts(claim, state, planned[1], policy)
    can_be_asked = claim.is_ours and claim.carrier is not None and claim.number is not None
    asks = not expires and has_attempts and can_be_asked and state.stage in IN_PROGRESS
    closed = refusal if asks else None
    no_attempt = _why_no_attempt(claim, state, leased=leased, has_attempts=has_attempts)
    if expires:
        no_attempt = no_attempt or Why.EXPIRING
    why, next_at = (no_attempt, None) if no_attempt else _at_carrier(planned, closed)
    kind = _preventing_error(claim, state, closed)
    stage = _stage_now(claim, state, planned[0])
    is_due_now = _is_due(why, stage, state, now, policy)
    is_ready = claim.state.stage is Stage.WAITING and is_due(claim.state, now, policy)
    result = Position(
        standing=_standing(claim, why, stage, is_due=is_due_now),
        state=state,
        why=why,
        next_at=next_at,
        kind=kind,
        actor=_actor(why, kind, closed),
        refusal=closed,
        asks=asks,
        is_due=is_due_now,
        is_last=asks and awaits_last_attempt(state),
        stage=Stage.READY if is_ready else claim.state.stage,
    )
    return replace(result, evidence=_evidence(claim, result, now, policy))


def _evidence(claim: Claim, result: Position, now: datetime, policy: Policy) -> Evidence | None:
    ends_at = evidence_end(claim, result.state, policy)
    if ends_at is None or claim.fetch_status == FetchStatus.SUCCESS:
        return None
    is_over = ends_at <= now
    is_first = claim.deadline is None or ends_at < deadline_end(claim.deadline, policy.zone)
    is_wanted = result.why not in (Why.LEFT_ALONE, Why.ERASED, Why.SHELVED)
    return Evidence(ends_at, is_over, is_wanted if is_over else result.is_open and is_first)


def _has_attempts(claim: Claim, state: State, at: datetime, policy: Policy) -> bool:
    """Return whether the claim has a retry or its last attempt left. `at`: when its next attempt is due."""
    if claim.is_pending or state.retries_used < policy.max_retries:
        return True
    return has_last_attempt_left(replace(claim, state=state), at, policy)


_OVERRIDING_STANDINGS = {
    Why.HAS_POD: Standing.FETCHED,
    Why.IN_HAND: Standing.IN_HAND,
    Why.LEFT_ALONE: Standing.LEFT_ALONE,
    Why.ERASED: Standing.ERASED,
    Why.SHELVED: Standing.SHELVED,
}


def _standing(claim: Claim, why: Why, stage: Stage, *, is_due: bool) -> Standing:
    if why in _OVERRIDING_STANDINGS:
        return _OVERRIDING_STANDINGS[why]
    if claim.is_edited or claim.state.stage is None:
        return Standing.NOT_SEEN
    ends_now = is_due and why in (Why.ENDING, Why.EXPIRING)
    return Standing.GIVEN_UP if ends_now else Standing(stage)


def _stage_now(claim: Claim, state: State, planned: Why) -> Stage:
    """Return the stage. A claim whose retry is due is ready, even if no run has updated it yet."""
    if state.stage not in (Stage.WAITING, Stage.NEW):
        return state.stage or Stage.WAITING
    if planned in (Why.BY_BACKOFF, Why.OTHERS):
        return Stage.WAITING
    return Stage.NEW if claim.is_pending else Stage.READY


def _is_due(why: Why, stage: Stage, state: State, now: datetime, policy: Policy) -> bool:
    """Return whether a run that starts now handles a claim at this stage."""
    if why in (Why.HAS_POD, Why.IN_HAND, Why.LEFT_ALONE, Why.ERASED):
        return False
    return stage in DUE or (stage is Stage.SETTLED and is_due(state, now, policy))


def _plan(claim: Claim, state: State, now: datetime, policy: Policy) -> tuple[Why, datetime]:
    """Return why and when the next attempt is due according to the claim's own state."""
    if claim.fetch_status == FetchStatus.FETCHING:
        abandoned = abandoned_at(replace(claim, state=state), now)
        if abandoned > now:
            return Why.OTHERS, abandoned
    if state.stage is Stage.WAITING and not is_due(state, now, policy):
        return Why.BY_BACKOFF, state.next_at or now
    can_be_asked = claim.carrier and (claim.is_pending or claim.number)
    if not can_be_asked:
        return Why.NOT_ASKED, now
    return (Why.NEW if claim.is_pending else Why.DUE), now


def _at_carrier(planned: tuple[Why, datetime], refusal: Refusal | None) -> tuple[Why, datetime | None]:
    """Return `planned`, or why the carrier cannot be called at that time, and until when (None: unknown)."""
    if refusal is None:
        return planned
    if refusal.until is None:
        return Why.BLOCKED, None
    return (Why.CLOSED, refusal.until) if refusal.until > planned[1] else planned


def _why_no_attempt(claim: Claim, state: State, *, leased: bool, has_attempts: bool) -> Why | None:
    if claim.erased:
        return Why.ERASED
    if claim.fetch_status == FetchStatus.SUCCESS:
        return Why.HAS_POD
    if leased or not claim.is_ours:
        return Why.IN_HAND if leased else Why.LEFT_ALONE
    if state.stage in _ENDS:
        return _ENDS[state.stage]
    if not has_attempts:
        return Why.ENDING
    return Why.SETTLED if state.stage is Stage.SETTLED and not claim.is_pending else None


_ENDS = {Stage.SHELVED: Why.SHELVED, Stage.UNNUMBERED: Why.UNNUMBERED, Stage.GIVEN_UP: Why.GIVEN_UP}


def _preventing_error(claim: Claim, state: State, refusal: Refusal | None) -> ErrorKind | None:
    if not claim.is_ours or state.stage is Stage.SHELVED:
        return None
    if claim.number is None:
        return ErrorKind.INVALID_TRACKING
    if claim.carrier is None:
        return ErrorKind.UNSUPPORTED_CARRIER
    if refusal and TRAITS[refusal.kind].actor is Actor.OPERATOR:
        return refusal.kind
    if state.kind or claim.fetch_status != FetchStatus.FAILED or not claim.error_text:
        return state.kind
    return classify(claim.error_text)


def _actor(why: Why, kind: ErrorKind | None, refusal: Refusal | None) -> Actor | None:
    if why in (Why.LEFT_ALONE, Why.SHELVED):
        return Actor.OPERATOR
    if refusal and closing_of(refusal) is Closing.STOPPED:
        return Actor.OPERATOR
    if kind is None:
        return None
    return Actor.OPERATOR if why is Why.GIVEN_UP and resolves_itself(kind) else TRAITS[kind].actor


def resolves_itself(kind: ErrorKind) -> bool:
    """Return whether the error resolves itself, with time or because the carrier fixes it."""
    return TRAITS[kind].actor in (Actor.CARRIER, Actor.NOBODY)
