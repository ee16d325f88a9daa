"""Why a claim stands where it does, in plain sentences: what `recours why` and the page's timeline show.

Pure: the claim, what was recorded of it, what the queue knows of its carrier, and the moment come in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage, State, deadline_end
from recours.core.classify import classify
from recours.core.decision import MOST_INTERRUPTIONS
from recours.core.errors import TRAITS, Actor, ErrorKind
from recours.core.judgement import found_by_next_run
from recours.core.policy import Policy
from recours.core.text import clean, plural
from recours.desk.advice import ADVICE, WHO_CAN_ACT
from recours.desk.records import ListedClaim, Message, PastAttempt
from recours.runs.ports import Blocked, Refusal
from recours.runs.summary import LocalTime, minute

_OF_FAILED = (Stage.WAITING, Stage.READY, Stage.SETTLED)


@dataclass(frozen=True)
class Facts:
    """What is known of a claim beside its row."""

    attempts: Sequence[PastAttempt] = ()
    messages: Sequence[Message] = ()
    held_until: datetime | None = None  # by a run
    refusal: Refusal | None = None  # why its carrier could take no call now


@dataclass(frozen=True)
class Explanation:
    """Where a claim stands. Sentences are for people; moments are aware UTC."""

    listed: ListedClaim
    carrier: str  # its name for people
    state: State  # as the next run would find it
    facts: Facts
    standing: tuple[str, ...]
    next_at: datetime | None = None  # of the next try; None: there is none
    next_why: str = ""
    kind: ErrorKind | None = None  # what stands in the way
    actor: Actor | None = None  # who can do something about it; None: nothing is in the way
    advice: tuple[str, ...] = ()

    @property
    def claim(self) -> Claim:
        """The row, as it stands."""
        return self.listed.claim

    def as_json(self) -> dict[str, Any]:
        """The object of `recours why --json`."""
        claim, state = self.claim, self.state
        return {
            "claim": claim.reference,
            "carrier": self.carrier,
            "tracking_number": claim.number,
            "status": claim.claim_status,
            "response_deadline": claim.deadline.isoformat() if claim.deadline else None,
            "pod_fetch_status": claim.fetch_status,
            "pod_url": self.listed.pod_url,
            "pod_fetched_at": _iso(self.listed.fetched_at),
            "signatory": self.listed.signatory,
            "stage": state.stage,
            "turns_used": state.turns_used,
            "standing": list(self.standing),
            "next_try": _iso(self.next_at),
            "next_why": self.next_why or None,
            "held_until": _iso(self.facts.held_until),
            "error_kind": self.kind,
            "who_can_act": self.actor,
            "advice": list(self.advice),
            "unreadable": list(claim.unreadable),
            "attempts": [attempt_json(attempt) for attempt in self.facts.attempts],
            "messages": [message_json(message) for message in self.facts.messages],
        }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def attempt_json(attempt: PastAttempt) -> dict[str, Any]:
    """An attempt for programs."""
    return {
        "started_at": attempt.started_at.isoformat(),
        "worker": attempt.worker,
        "run_id": attempt.run_id,
        "turn": attempt.turn,
        "carrier": attempt.carrier,
        "tracking_number": attempt.number,
        "outcome": attempt.outcome,
        "used": attempt.used,
        "error_kind": attempt.kind,
        "message": attempt.message,
        "http_status": attempt.http_status,
        "calls": attempt.calls,
        "duration_s": round(attempt.duration_s, 3),
        "delivered_at": _iso(attempt.delivered_at),
        "signatory": attempt.signatory,
        "document_path": attempt.document_path,
        "document_sha256": attempt.document_sha256,
        "document_size": attempt.document_size,
        "document_type": attempt.document_type,
        "document_source": attempt.document_source,
        "delivered_day": attempt.delivered_day,
    }


def message_json(message: Message) -> dict[str, Any]:
    """Something that was to be told, for programs."""
    return {
        "event": message.event,
        "audience": message.audience,
        "written_at": message.written_at.isoformat(),
        "told": message.told,
        "mail": message.mail_state,
        "recipient": message.recipient,
        "ended_at": _iso(message.ended_at),
    }


# ---------------------------------------------------------------- the explanation


@dataclass(frozen=True)
class _Case:
    """A claim that is being explained."""

    claim: Claim
    state: State
    facts: Facts
    carrier: str
    now: datetime
    policy: Policy
    local: LocalTime
    catalog: Catalog

    def at(self, moment: datetime | None) -> str:
        return minute(moment, self.local)

    @property
    def is_due(self) -> bool:
        """Tell whether the next run of the scheduler takes its turn."""
        return self.state.next_at is None or self.state.next_at <= self.policy.timetable.due_until(self.now)

    @property
    def kind(self) -> ErrorKind | None:
        """What the last failure was; of a claim that we never tried, what its text says."""
        if self.state.kind or self.claim.fetch_status != FetchStatus.FAILED or not self.claim.error_text:
            return self.state.kind
        return classify(self.claim.error_text)


def explain(
    listed: ListedClaim,
    facts: Facts,
    catalog: Catalog,
    policy: Policy,
    now: datetime,
    local: LocalTime,
) -> Explanation:
    """Say why a claim stands where it does, what comes next, and who could do what."""
    claim = listed.claim
    case = _Case(
        claim=claim,
        state=found_by_next_run(claim, now, policy),
        facts=facts,
        carrier=catalog.name_of(claim.carrier, claim.carrier_name),
        now=now,
        policy=policy,
        local=local,
        catalog=catalog,
    )
    next_at, next_why = _next(case)
    kind, advice = _advice(case)
    return Explanation(
        listed=listed,
        carrier=case.carrier,
        state=case.state,
        facts=facts,
        standing=(*_seen(case), _where(case, listed), *_beside(case)),
        next_at=next_at,
        next_why=next_why,
        kind=kind,
        actor=_actor(case, kind, advice),
        advice=tuple(advice),
    )


def _seen(case: _Case) -> list[str]:
    """What of the row a run has not seen yet."""
    claim, judged = case.claim, case.claim.judged
    if not claim.is_ours or not claim.is_edited:
        return []
    if judged is None:
        return ["No run has looked at it yet; the next one would find what follows."]
    changes = []
    if judged.number != claim.number:
        changes.append(f"tracking number was {judged.number or 'missing'}, is {claim.number or 'missing'}")
    if judged.carrier != (claim.carrier or ""):
        before = case.catalog.name_of(judged.carrier, "none that we know")
        changes.append(f"carrier's account was that of {before}, is {case.carrier or 'missing'}")
    if judged.fetch_status != claim.fetch_status:
        changes.append(f"pod_fetch_status was '{clean(judged.fetch_status, 30)}', is '{claim.fetch_status}'")
    if judged.turns_used != claim.turns_counted:
        changes.append(f"count of turns was {judged.turns_used}, is {claim.turns_counted}")
    what = "; its ".join(changes)
    return [f"It was corrected since a run last looked: its {what}. The next run judges it anew."]


def _where(case: _Case, listed: ListedClaim) -> str:
    """The one sentence that says where it stands."""
    claim, state = case.claim, case.state
    if claim.fetch_status == FetchStatus.SUCCESS:
        signed = f", signed by {clean(listed.signatory, 100)}" if listed.signatory else ""
        return f"Its POD is there, since {case.at(listed.fetched_at)}: {clean(listed.pod_url or 'no path is on record')}{signed}."
    if not claim.is_ours:
        status = f"is '{clean(claim.fetch_status, 30)}'" if claim.fetch_status else "is empty"
        return f"Its pod_fetch_status {status}: no run looks at such a claim."
    if state.stage is Stage.SHELVED:
        return f"It is set aside: its status is '{clean(claim.claim_status, 30)}', and such claims are not fetched."
    if claim.is_pending:
        return _where_pending(case)
    return _where_failed(case)


def _where_pending(case: _Case) -> str:
    if case.state.stage is Stage.UNNUMBERED:
        return "It is new and has no tracking number: it waits for one."
    if case.claim.fetch_status == FetchStatus.FETCHING:
        return (
            f"Another program says that it is fetching it. If it still does at {case.at(case.state.next_at)}, "
            "the fetch worker takes it."
        )
    return "It is new: the fetch worker asks the carrier at its next run."


def _where_failed(case: _Case) -> str:
    state, most = case.state, case.policy.max_retries
    used = f"{plural(state.turns_used, 'turn')} of {most} used"
    if state.expired_at:
        return (
            f"It was given up on {case.at(state.expired_at)}, after {plural(state.turns_used, 'turn')}: its "
            f"response_deadline, {case.claim.deadline}, had long passed (RECOURS_EXPIRE_DAYS)."
        )
    if state.stage is Stage.GIVEN_UP:
        return f"It has given up, after {plural(state.turns_used, 'turn')}: no run tries it any more."
    if state.turns_used >= most:
        return f"All of its turns are used ({state.turns_used} of {most}): the next run of the scheduler gives it up."
    if state.stage is Stage.SETTLED:
        return (
            f"Its error is settled: the carrier is not asked again, its turns pass without a call ({used}); "
            "at the last one whoever can act is told, once, and it gives up."
        )
    if state.stage is Stage.READY or case.is_due:
        return f"It is due: turn {state.turns_used + 1} of {most} has come."
    return f"It waits for turn {state.turns_used + 1} of {most}."


def _beside(case: _Case) -> list[str]:
    """What else holds it up, or should be known."""
    claim, found = case.claim, []
    if case.facts.held_until:
        found.append(
            f"A run has it in hand at this moment. Should that run be dead, it is free at {case.at(case.facts.held_until)}."
        )
    if _may_be_called(case) and case.facts.refusal:
        found.append(f"{case.carrier} takes no call now: {case.facts.refusal.reason}.")
    if claim.is_ours and case.state.interruptions:
        times = plural(case.state.interruptions, "run")
        end = (
            "it is not asked about a further time; the next run counts that as a failure of ours"
            if case.state.interruptions >= MOST_INTERRUPTIONS
            else "it goes on by its timetable"
        )
        found.append(f"{times} in a row died with it in hand: {end}.")
    if claim.deadline and _may_be_called(case) and deadline_end(claim.deadline, case.policy.zone) < case.now:
        found.append(f"Its response_deadline, {claim.deadline}, is past: it is asked about after all others.")
    if claim.unreadable:
        columns = ", ".join(claim.unreadable)
        found.append(f"The value of {columns} cannot be read; it is treated as unknown.")
    return found


def _may_be_called(case: _Case) -> bool:
    """Tell whether a call for it is still to come."""
    state = case.state
    if not case.claim.is_ours or case.claim.carrier is None:
        return False
    if case.claim.is_pending:
        return state.stage in (Stage.NEW, Stage.WAITING)
    return state.stage in (Stage.READY, Stage.WAITING) and state.turns_used < case.policy.max_retries


# ---------------------------------------------------------------- the next try


def _next(case: _Case) -> tuple[datetime | None, str]:
    """When the next try or turn comes, and why then."""
    if not case.claim.is_ours or case.state.stage in (
        Stage.SHELVED,
        Stage.GIVEN_UP,
        Stage.UNNUMBERED,
        None,
    ):
        return None, ""
    at, why = _by_timetable(case)
    refusal = case.facts.refusal
    if not _may_be_called(case) or refusal is None:
        return at, why
    if refusal.until is None:
        return None, f"not before someone acts: {refusal.reason}"
    return (refusal.until, refusal.reason) if refusal.until > at else (at, why)


def _by_timetable(case: _Case) -> tuple[datetime, str]:
    state = case.state
    if case.claim.is_pending:
        is_anothers = case.claim.fetch_status == FetchStatus.FETCHING
        if is_anothers and state.next_at and state.next_at > case.now:
            return state.next_at, "another program's fetching counts as given up then"
        return case.now, "new claims are taken by each run of the fetch worker"
    if state.stage is Stage.READY or case.is_due:
        return case.now, "due claims are taken by each run of the scheduler, the nearest deadline first"
    wait = case.policy.timetable.wait(state.turns_used + 1)
    since = "the attempt before" if state.turns_used else "the failure"
    hours = f"{wait.total_seconds() / 3600:g} h"
    passes = "; this turn passes without a call" if state.stage is Stage.SETTLED else ""
    return state.next_at or case.now, f"turn {state.turns_used + 1} comes {hours} after {since}{passes}"


# ---------------------------------------------------------------- who can do what


def _advice(case: _Case) -> tuple[ErrorKind | None, list[str]]:
    """What stands in the way, and what a person could do."""
    return _advice_on_rest(case) or _advice_on_try(case)


def _advice_on_rest(case: _Case) -> tuple[ErrorKind | None, list[str]] | None:
    """The same of a claim that no run tries as it stands; None: one does."""
    claim, state = case.claim, case.state
    if claim.fetch_status == FetchStatus.SUCCESS:
        return None, []
    if not claim.is_ours:
        return None, [f"To have its POD fetched: recours enroll {claim.reference}", _again(claim)]
    if state.expired_at:
        return None, [f"If its proof is still wanted, have it start afresh: recours reopen {claim.reference}"]
    if state.stage is Stage.SHELVED:
        return None, [_IF_SET_ASIDE]
    if state.stage is Stage.UNNUMBERED:
        return ErrorKind.INVALID_TRACKING, ["Enter its tracking number: the next run takes it up."]
    return None


def _advice_on_try(case: _Case) -> tuple[ErrorKind | None, list[str]]:
    claim, refusal = case.claim, case.facts.refusal
    if refusal and _may_be_called(case) and _is_stopped(refusal):
        return case.kind, [f"Take {case.carrier} up again: recours resume {claim.carrier}"]
    kind = _in_the_way(case)
    return (None, []) if kind is None else (kind, _against(kind, case, _again(claim)))


def _again(claim: Claim) -> str:
    return f"To try it at once: python scripts/pod_retry_scheduler.py --claim {claim.reference}"


_IF_SET_ASIDE = (
    "Nothing, if that is right. Else correct its status: the next run takes it up. The setting RECOURS_SKIP_CLAIM_STATUSES "
    "says which ones are set aside."
)


def _is_stopped(refusal: Refusal) -> bool:
    """Tell whether a person has stopped the carrier: it is nobody's fault."""
    return refusal.why is Blocked.CARRIER and refusal.kind is ErrorKind.RATE_LIMITED


def _in_the_way(case: _Case) -> ErrorKind | None:
    if case.claim.carrier is None:
        return ErrorKind.UNSUPPORTED_CARRIER
    refusal = case.facts.refusal if _may_be_called(case) else None
    return refusal.kind if refusal and TRAITS[refusal.kind].actor is Actor.OPERATOR else case.kind


def _against(kind: ErrorKind, case: _Case, again: str) -> list[str]:
    state, claim = case.state, case.claim
    advice = ADVICE[kind].format(carrier=case.carrier or "the carrier")
    if state.stage is Stage.GIVEN_UP:
        passed = "It had its time, and is not asked about any more by itself."
        afresh = f"To have it start afresh: recours reopen {claim.reference}"
        return [passed if _passes_by_itself(kind) else advice, afresh]
    is_closed = _may_be_called(case) and case.facts.refusal
    return [advice, again] if state.stage in _OF_FAILED and not is_closed else [advice]


def _passes_by_itself(kind: ErrorKind) -> bool:
    return TRAITS[kind].actor in (Actor.CARRIER, Actor.NOBODY)


def _actor(case: _Case, kind: ErrorKind | None, advice: Sequence[str]) -> Actor | None:
    refusal = case.facts.refusal
    if refusal and _may_be_called(case) and _is_stopped(refusal):
        return Actor.OPERATOR
    if kind is None:
        return Actor.OPERATOR if advice else None
    has_given_up = case.state.stage is Stage.GIVEN_UP and _passes_by_itself(kind)
    return Actor.OPERATOR if has_given_up else TRAITS[kind].actor


def who_can_act(actor: Actor | None) -> str:
    """Who can act, in a sentence; nothing if nothing is in the way."""
    return WHO_CAN_ACT[actor] if actor else ""
