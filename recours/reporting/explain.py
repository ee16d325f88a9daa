"""Explains the state of a claim in sentences, for `recours why`, the dashboard and the API.

The functions do no I/O: the claim, its records, the state of its carrier and the time are parameters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from recours.core.accounts import DEFAULT_ACCOUNT
from recours.core.carrier import Catalog
from recours.core.claim import Claim
from recours.core.order import ranks_last
from recours.core.pauses import Refusal
from recours.core.policy import DUE_SLACK, Policy
from recours.core.position import Position, Why, position
from recours.core.text import clean
from recours.core.translations import N_, translate
from recours.reporting.advice import advice, possible_actions
from recours.reporting.claim_status import ClaimStatus, StatusSentences
from recours.reporting.evidence import ClaimEvidence, piece_json
from recours.reporting.labels import reason_of
from recours.reporting.records import ListedClaim, Message, PastAttempt, PastChange, iso
from recours.reporting.system import next_tick


@dataclass(frozen=True)
class Facts:
    """Facts about a claim that are not in its row."""

    attempts: Sequence[PastAttempt] = ()
    messages: Sequence[Message] = ()
    changes: Sequence[PastChange] = ()
    leased_until: datetime | None = None  # the end of a run's lease
    refusal: Refusal | None = None  # why its carrier cannot be called now
    not_before: date | None = None  # the earliest day of its next attempt; None: no other claims delay it
    evidence: ClaimEvidence = field(default_factory=ClaimEvidence)
    client: str = ""  # the client's display name; "": no client, or no client has an account of its own
    times_asked: int = 0  # how often its carrier was asked


@dataclass(frozen=True)
class Explanation:
    """The state of a claim. Sentences are for display; datetimes are aware UTC.

    `notes`: other obstacles and facts.
    """

    listed: ListedClaim
    carrier: str  # its display name
    position: Position
    facts: Facts
    status: ClaimStatus
    notes: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    zone: tzinfo = UTC  # the time zone of displayed times

    @property
    def claim(self) -> Claim:
        return self.listed.claim

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentence about the claim's state, then the notes."""
        return self.status.sentence, *self.notes

    def as_json(self) -> dict[str, Any]:
        claim = self.claim
        state = self.position.state
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
            "stage": self.position.stage,
            "turns_used": state.retries_used,
            "last_attempt_at": iso(state.last_attempt_at),
            "standing": list(self.sentences),
            "next_try": iso(self.position.next_at),
            "held_until": iso(self.facts.leased_until),
            "not_before": iso(self.facts.not_before),
            "error_kind": state.kind or self.position.kind,
            "who_can_act": self.position.actor,
            "advice": list(self.advice),
            "unreadable": list(claim.unreadable),
            **self.facts.evidence.support_json(),
            "evidence": [piece_json(piece) for piece in self.facts.evidence.pieces],
            "attempts": [attempt_json(attempt) for attempt in self.facts.attempts],
            "messages": [message_json(message) for message in self.facts.messages],
            "changes": [vars(change) | {"at": change.at.isoformat()} for change in self.facts.changes],
            **({"account": claim.account_key or None} if self.facts.client else {}),
        }


_RENAMED = {"retry": "turn", "number": "tracking_number", "kind": "error_kind"}
_INTERNAL = {"id", "claim_id", "explanation", "account"}


def attempt_json(attempt: PastAttempt) -> dict[str, Any]:
    fields = vars(attempt).items()
    facts = {_RENAMED.get(name, name): value for name, value in fields if name not in _INTERNAL}
    return facts | {
        "started_at": attempt.started_at.isoformat(),
        "error_key": attempt.explanation.key if attempt.explanation else None,
        "error_words": (attempt.explanation.words or None) if attempt.explanation else None,
        "duration_s": round(attempt.duration_s, 3),
        "delivered_at": iso(attempt.delivered_at),
        "signatory": attempt.signed_by,
        **({"account": attempt.account} if attempt.account else {}),
    }


def message_json(message: Message) -> dict[str, Any]:
    facts = {"mail" if name == "mail_state" else name: value for name, value in vars(message).items()}
    return facts | {"written_at": message.written_at.isoformat(), "ended_at": iso(message.ended_at)}


_NOTES = {
    "own": N_("recours asks {carrier} with {client}'s account."),
    "no_account": N_("{client} has no account with {carrier}, and there is no default account."),
    "denied": N_(
        "{carrier} denied {client}'s account access to the parcel, so recours now asks with the default "
        "account."
    ),
    "default": N_(
        "recours asks {carrier} with the default account because {client} has no account in use with "
        "{carrier}."
    ),
    "deaths": N_("Consecutive runs that died while fetching this claim: {count}."),
    "last": N_("Claims that can still be won are attempted before this claim."),
    "unreadable": N_("The value of {columns} cannot be read; it is treated as unknown."),
}


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
    """Explain the state of a claim. `by_fleet`: the work is done by workers that look for due claims every minute."""
    claim = listed.claim
    where = position(claim, now, policy, refusal=facts.refusal, leased=facts.leased_until is not None)
    if by_fleet and where.next_at:
        early = DUE_SLACK if where.why is Why.BY_BACKOFF else timedelta()
        where = replace(where, next_at=next_tick(max(where.next_at - early, now)))
    carrier = catalog.name_of(claim.carrier, claim.carrier_name)
    possible = possible_actions(claim, where, catalog, policy)
    if facts.refusal:
        possible -= {"fetch"}
    status = StatusSentences(language, policy.zone).status(
        listed,
        where,
        carrier=carrier,
        asked_count=facts.times_asked,
        not_before=facts.not_before,
        now=now,
        evidence=facts.evidence,
    )
    names = {"carrier": carrier, "client": facts.client, "count": where.state.interruptions}
    names |= {"columns": ", ".join(claim.unreadable)}
    notes = [
        translate(language, _NOTES[key]).format(**names) for key in _notes(claim, where, facts, catalog, now)
    ]
    if where.refusal:
        reason = clean(reason_of(language, where.refusal, carrier), 500).rstrip(".")
        if reason not in status.sentence:
            notes.insert(0, f"{reason[:1].upper()}{reason[1:]}.")
    return Explanation(
        listed=listed,
        carrier=carrier,
        position=where,
        facts=facts,
        status=status,
        notes=tuple(notes),
        advice=advice(language, claim, where, carrier, facts.client, possible),
        zone=policy.zone,
    )


def _notes(claim: Claim, where: Position, facts: Facts, catalog: Catalog, now: datetime) -> Iterator[str]:
    """The keys of the notes that apply to the claim."""
    if facts.client and claim.is_ours and claim.carrier is not None:
        yield _account(claim, claim.carrier, where, catalog)
    if claim.is_ours and where.state.interruptions:
        yield "deaths"
    if where.asks and ranks_last(where.state, now):
        yield "last"
    if claim.unreadable:
        yield "unreadable"


def _account(claim: Claim, carrier: str, where: Position, catalog: Catalog) -> str:
    """The key of the note about the account that serves the claim."""
    if claim.account != DEFAULT_ACCOUNT:
        return "own"
    if carrier not in catalog.configured:
        return "no_account"
    accounts = catalog.client_accounts.get(claim.client_id, {})
    return "denied" if where.state.account == DEFAULT_ACCOUNT and carrier in accounts else "default"
