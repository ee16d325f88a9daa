"""Why a claim stands where it does, in plain sentences: what `recours why` and the page's timeline show.

Pure: the claim, what was recorded of it, what the queue knows of its carrier, and the time come in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from recours.core.accounts import HOUSE, carrier_of
from recours.core.assessment import comes_last, is_due
from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage, State, deadline_end
from recours.core.decision import MOST_INTERRUPTIONS, abandoned_at
from recours.core.errors import Actor
from recours.core.last_attempt import attempts_beside_last, last_attempt_text, made_at
from recours.core.localized import Localized
from recours.core.pauses import Refusal
from recours.core.policy import DUE_SLACK, Policy
from recours.core.text import clean, plural
from recours.operations.advice import advice
from recours.operations.evidence import ClaimEvidence, piece_json
from recours.operations.fleet import next_tick
from recours.operations.labels import evidence_text, times_asked
from recours.operations.place import Place, place_text
from recours.operations.position import (
    Position,
    Standing,
    Why,
    position,
)
from recours.operations.records import ListedClaim, Message, PastAttempt, PastChange, iso

WHO_CAN_ACT = {
    Actor.CLIENT: "The client, or the person who corrects the claim for them.",
    Actor.OPERATOR: "The operator of recours.",
    Actor.CARRIER: "The carrier. Most of the time it passes by itself.",
    Actor.NOBODY: "Nothing to do: it is retried automatically.",
}


@dataclass(frozen=True)
class Facts:
    """What is known of a claim beside its row."""

    attempts: Sequence[PastAttempt] = ()
    messages: Sequence[Message] = ()
    changes: Sequence[PastChange] = ()
    leased_until: datetime | None = None  # by a run
    refusal: Refusal | None = None  # why its carrier could take no call now
    place: Place | None = None  # among the claims of its carrier; None: it does not stand in line
    evidence: ClaimEvidence = field(default_factory=ClaimEvidence)
    client: str = ""  # its client for people; "": no client has an account of its own

    @property
    def waits_for_others(self) -> bool:
        """Tell whether it has to wait for its turn, or may have to."""
        return self.place is not None and self.place.makes_wait


@dataclass(frozen=True)
class Explanation:
    """Where a claim stands. Sentences are for people; datetimes are aware UTC."""

    listed: ListedClaim
    carrier: str  # its name for people
    position: Position
    facts: Facts
    standing: tuple[str, ...]
    next_why: str = ""
    advice: tuple[str, ...] = ()
    by_fleet: bool = False  # its next try is at the time of its position, not by the first run from then on
    account: str = ""  # whose account serves it, for people; "": no client has an account of its own
    zone: tzinfo = UTC  # of the times in it for people

    @property
    def claim(self) -> Claim:
        return self.listed.claim

    def as_json(self) -> dict[str, Any]:
        claim, state, place = self.claim, self.position.state, self.facts.place
        evidence = self.position.evidence
        return {
            "claim": claim.reference,
            "carrier": self.carrier,
            "tracking_number": claim.number,
            "status": claim.claim_status,
            "response_deadline": iso(claim.deadline),
            "evidence_until": iso(evidence.ends_at if evidence else None),
            "pod_fetch_status": claim.fetch_status,
            "pod_url": self.listed.pod_url,
            "pod_fetched_at": iso(self.listed.fetched_at),
            "signatory": self.listed.signatory,
            "where": self.position.standing,
            "stage": state.stage,
            "turns_used": state.retries_used,
            "last_attempt_at": iso(state.last_attempt_at),
            "standing": list(self.standing),
            "next_try": iso(self.position.next_at),
            "next_why": self.next_why or None,
            "held_until": iso(self.facts.leased_until),
            "claims_before": place.before if place else None,
            "expected_at": iso(place.expected_at) if place else None,
            "error_kind": self.position.kind,
            "who_can_act": self.position.actor,
            "advice": list(self.advice),
            "unreadable": list(claim.unreadable),
            **self.facts.evidence.support_json(),
            "evidence": [piece_json(piece) for piece in self.facts.evidence.pieces],
            "attempts": [attempt_json(attempt) for attempt in self.facts.attempts],
            "messages": [message_json(message) for message in self.facts.messages],
            "changes": [vars(change) | {"at": change.at.isoformat()} for change in self.facts.changes],
            **({"account": claim.account_key or None} if self.account else {}),
        }


_RENAMED = {"retry": "turn", "number": "tracking_number", "kind": "error_kind"}
_INTERNAL = {"id", "claim_id", "said", "account"}


def attempt_json(attempt: PastAttempt) -> dict[str, Any]:
    fields = vars(attempt).items()
    facts = {_RENAMED.get(name, name): value for name, value in fields if name not in _INTERNAL}
    return facts | {
        "started_at": attempt.started_at.isoformat(),
        "error_key": attempt.said.key if attempt.said else None,
        "error_words": (attempt.said.words or None) if attempt.said else None,
        "duration_s": round(attempt.duration_s, 3),
        "delivered_at": iso(attempt.delivered_at),
        "signatory": attempt.signed_by,
        **({"account": attempt.account} if attempt.account else {}),
    }


def message_json(message: Message) -> dict[str, Any]:
    facts = {"mail" if name == "mail_state" else name: value for name, value in vars(message).items()}
    return facts | {"written_at": message.written_at.isoformat(), "ended_at": iso(message.ended_at)}


@dataclass(frozen=True)
class _Case:
    claim: Claim
    where: Position
    facts: Facts
    carrier: str
    now: datetime
    policy: Policy
    catalog: Catalog

    @property
    def texts(self) -> Localized:
        return Localized("en", self.policy.zone)

    @property
    def state(self) -> State:
        """As the next run finds it."""
        return self.where.state

    def shown(self, at: datetime | None) -> str:
        return self.texts.minute(at)


def explain(
    listed: ListedClaim,
    facts: Facts,
    catalog: Catalog,
    policy: Policy,
    now: datetime,
    *,
    by_fleet: bool = False,
    language: str = "en",
) -> Explanation:
    """`by_fleet`: long-lived workers look every minute for what is due. `language`: of the advice; the rest is English."""
    claim = listed.claim
    where = position(claim, now, policy, refusal=facts.refusal, leased=facts.leased_until is not None)
    if by_fleet and where.next_at:
        early = DUE_SLACK if where.why is Why.BY_BACKOFF else timedelta()
        where = replace(where, next_at=next_tick(max(where.next_at - early, now)))
    carrier = catalog.name_of(claim.carrier, claim.carrier_name)
    case = _Case(claim, where, facts, carrier, now, policy, catalog)
    return Explanation(
        listed=listed,
        carrier=carrier,
        position=where,
        facts=facts,
        standing=(*_unseen(case), _where(case, listed), *_beside(case)),
        next_why=_next_why(case),
        advice=advice(language, claim, where, carrier, facts.client),
        by_fleet=by_fleet,
        account=account_text(claim.account, facts.client) if facts.client else "",
        zone=policy.zone,
    )


def account_text(number: int, client: str) -> str:
    """Whose account that is, of two that serve a client's claims."""
    return f"the account of {client}" if number else "the house's account"


def _unseen(case: _Case) -> list[str]:
    """What of the row no run has seen yet."""
    claim, assessed = case.claim, case.claim.assessed
    if not claim.is_ours or not claim.is_edited:
        return []
    if assessed is None:
        return ["No run has assessed it yet; this is what the next one will find."]
    changes = []
    if assessed.number != claim.number:
        changes.append(f"tracking number was {assessed.number or 'missing'}, is {claim.number or 'missing'}")
    if assessed.account != claim.account_key:
        changes.append(_account_changed(assessed.account or "", case))
    if assessed.fetch_status != claim.fetch_status:
        changes.append(
            f"pod_fetch_status was '{clean(assessed.fetch_status, 30)}', is '{claim.fetch_status}'"
        )
    if assessed.retries_used != claim.retries_counted:
        changes.append(f"count of retries was {assessed.retries_used}, is {claim.retries_counted}")
    what = "; its ".join(changes)
    return [f"It was corrected since a run last looked: its {what}. The next run assesses it again."]


def _account_changed(before: str, case: _Case) -> str:
    carrier = case.catalog.name_of(before, "none that is known")
    if not case.facts.client:
        return f"carrier's account was that of {carrier}, is {case.carrier or 'missing'}"
    was = account_text(int(before != carrier_of(before)), case.facts.client)
    now = account_text(case.claim.account, case.facts.client)
    at = f" at {case.carrier}" if case.carrier else ""
    return f"account was {was} at {carrier}, is {now}{at}"


def _where(case: _Case, listed: ListedClaim) -> str:
    claim, state = case.claim, case.state
    if claim.fetch_status == FetchStatus.SUCCESS:
        signed = f", signed by {clean(listed.signatory, 100)}" if listed.signatory else ""
        return f"POD fetched {case.shown(listed.fetched_at)}: {clean(listed.pod_url or 'no path is on record')}{signed}."
    if not claim.is_ours:
        status = f"is '{clean(claim.fetch_status, 30)}'" if claim.fetch_status else "is empty"
        return f"Its pod_fetch_status {status}: no run works on such a claim."
    if state.stage is Stage.SHELVED:
        return f"It is set aside: its status is '{clean(claim.claim_status, 30)}', and such claims are not fetched."
    if case.where.why is Why.EXPIRING:
        return (
            f"Its response_deadline, {claim.deadline}, passed long ago: at its next retry, it is given up without a call "
            "(RECOURS_EXPIRE_DAYS)."
        )
    if claim.is_pending:
        return _where_pending(case)
    return _where_at_last(case) if case.where.is_last else _where_failed(case)


def _where_pending(case: _Case) -> str:
    if case.where.why is Why.UNNUMBERED:
        return "It is new and has no tracking number: it waits for one."
    if case.claim.carrier is None:
        return (
            "It is new, and recours does not know its carrier: the next run of the fetch worker records that."
        )
    if case.claim.fetch_status == FetchStatus.FETCHING:
        abandoned = abandoned_at(replace(case.claim, state=case.state), case.now)
        return (
            f"Another program says that it is fetching it. If it still does at {case.shown(abandoned)}, "
            "the fetch worker takes it."
        )
    if case.where.standing is Standing.WAITING:
        at = case.shown(case.state.next_at)
        return f"It is new, and its fetch was postponed: the fetch worker asks the carrier again at {at}."
    if case.facts.waits_for_others:
        return "It is new: the fetch worker asks the carrier when its turn comes."
    return "It is new: the fetch worker asks the carrier at its next run."


def _where_failed(case: _Case) -> str:
    state, most = case.state, case.policy.max_retries
    used = f"{state.retries_used} of {most} retries"
    if state.expired_at:
        return (
            f"It was given up on {case.shown(state.expired_at)}, after {used}: its "
            f"response_deadline, {case.claim.deadline}, had long passed (RECOURS_EXPIRE_DAYS)."
        )
    if state.stage is Stage.GIVEN_UP:
        number = clean(case.claim.number or "", 60)  # its present one: attempts with another do not count
        asked = sum(attempt.was_asked and attempt.number == number for attempt in case.facts.attempts)
        made = f" after {plural(attempts_beside_last(state), 'attempt')}" if state.attempts else ""
        last = " and a last attempt before its deadline" if made_at(state, case.now) else ""
        return f"It was given up{made}{last}; {times_asked('en', asked)}. No run tries it again."
    if state.retries_used >= most:
        end = (
            "the next run of the scheduler gives it up"
            if case.where.is_due
            else f"at its next retry, on {case.shown(state.next_at)}, it is given up"
        )
        return f"All of its retries are used ({state.retries_used} of {most}): {end}."
    if state.stage is Stage.SETTLED:
        return (
            f"The carrier's answer is final: it is not asked again, and its retries pass without a call ({used} used). After the "
            "last one it is given up, and the client or the operator gets one mail."
        )
    if case.where.why is not Why.BY_BACKOFF and is_due(state, case.now, case.policy):
        return f"It is due: retry {state.retries_used + 1} of {most}."
    return f"It waits for retry {state.retries_used + 1} of {most}."


def _where_at_last(case: _Case) -> str:
    used = f"{case.state.retries_used} of {case.policy.max_retries} retries"
    if is_due(case.state, case.now, case.policy):
        return f"It is due for its last attempt before the deadline ({used} used)."
    return f"It waits for {last_attempt_text(case.claim, case.state, case.policy, case.shown(case.state.last_attempt_at))} ({used} used)."


def _beside(case: _Case) -> list[str]:
    """What else holds it up, or should be known."""
    claim, found = case.claim, _account(case)
    if case.facts.leased_until:
        found.append(
            f"A run is fetching it at this moment. If that run died, others may take it from {case.shown(case.facts.leased_until)} on."
        )
    if case.where.refusal:
        found.append(f"{case.carrier} takes no call now: {case.where.refusal.reason}.")
    if case.facts.place and (text := place_text(case.texts, case.facts.place, case.now)):
        found.append(text)
    if claim.is_ours and case.state.interruptions:
        found.append(_after_deaths(case))
    if (evidence := case.where.evidence) and evidence.counts:
        found.append(evidence_text(case.texts, evidence, case.carrier))
    if case.where.asks and comes_last(case.state, case.now):
        found.append(_why_last(case))
    if claim.unreadable:
        columns = ", ".join(claim.unreadable)
        found.append(f"The value of {columns} cannot be read; it is treated as unknown.")
    return found


def _account(case: _Case) -> list[str]:
    """Whose account serves it; nothing where no client has one."""
    claim, client = case.claim, case.facts.client
    if not client or not claim.is_ours or claim.carrier is None:
        return []
    if claim.account != HOUSE:
        return [f"{case.carrier} is asked with the account of {client}."]
    if claim.carrier not in case.catalog.configured:
        return [f"There is no account at {case.carrier} for {client}, nor one for all clients."]
    own = case.catalog.of_clients.get(claim.client_id, {})
    if case.state.account == HOUSE and claim.carrier in own:
        return [
            f"{case.carrier} denied the parcel to the account of {client}, so it is asked with the house's account from then on."
        ]
    return [f"{case.carrier} is asked with the house's account: {client} has none in use there."]


def _after_deaths(case: _Case) -> str:
    times = case.state.interruptions
    if case.state.stage is Stage.GIVEN_UP:  # somebody asked for it
        end = "it stays given up"
    elif times >= MOST_INTERRUPTIONS:
        end = "the next run does not ask again, and records an internal error"
    else:
        end = "it goes on by its backoff"
    return f"{plural(times, 'run')} in a row died while fetching it: {end}."


def _why_last(case: _Case) -> str:
    deadline = case.claim.deadline
    if deadline and deadline_end(deadline, case.policy.zone) <= case.now:
        return f"Its response_deadline, {deadline}, is past: it is asked about after all others."
    return "It is asked about after all others."


# ---------------------------------------------------------------- the next try


def _next_why(case: _Case) -> str:
    """Why the next try comes when it does, or why none comes though one might be expected; "": nothing to say."""
    where, state = case.where, case.state
    if where.refusal and where.why is Why.BLOCKED:
        return f"not before someone acts: {where.refusal.reason}"
    if where.refusal and where.why is Why.CLOSED:
        return where.refusal.reason
    if where.why is Why.SETTLED:
        return f"none: its retries pass without a call, the next one at {case.shown(state.next_at)}"
    return _by_backoff(case) if where.why is Why.BY_BACKOFF else _WHY.get(where.why, "")


def _by_backoff(case: _Case) -> str:
    if case.claim.is_pending:
        return "its fetch was postponed until then"
    if case.where.is_last:
        return "one last attempt before its deadline (RECOURS_LAST_ATTEMPT_HOURS)"
    retries = case.state.retries_used
    wait = case.policy.backoff.wait(retries + 1)
    since = "the previous attempt" if retries else "the failure"
    return f"retry {retries + 1} comes {wait.total_seconds() / 3600:g} h after {since}"


_WHY = {
    Why.DUE: "each run of the scheduler takes due claims, the nearest deadline first",
    Why.NEW: "each run of the fetch worker takes new claims",
    Why.NOT_ASKED: "the next run records what is missing; no carrier is called",
    Why.OTHERS: "another program's fetching counts as given up then",
    Why.IN_HAND: "a run is fetching it now",
}
