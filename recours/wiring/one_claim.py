"""One claim as a person sees it, over a database: where it stands, why, and what its place is among the others."""

from dataclasses import replace

from recours.core.claim import Claim
from recours.core.policy import DEFAULT_MAX_RETRIES, Policy
from recours.core.text import is_text
from recours.database.reports.competitors import DatabaseCompetitors
from recours.logs import local
from recours.operations.explain import Explanation, Facts, explain
from recours.operations.forecast.place import place_of
from recours.operations.place import AHEAD, Place, has_place
from recours.operations.position import Position, position
from recours.operations.records import ListedClaim
from recours.operations.results import ClaimStatus, ResultSentences
from recours.runs.lane import lane_key
from recours.wiring.operations import Operations
from recours.wiring.plan import rules_for, scope_of


def explanation_of(
    operations: Operations, reference: str, max_retries: int = DEFAULT_MAX_RETRIES
) -> Explanation | None:
    """Where the claim of this reference stands, and why; None: there is none. Raises DatabaseError."""
    listed = operations.records.find(reference) if is_text(reference) else None
    if listed is None:
        return None
    claim, now = listed.claim, operations.clock.now()
    policy = replace(operations.settings.policy, max_retries=max_retries)
    facts = Facts(
        attempts=operations.records.attempts(claim.id),
        messages=operations.records.messages(claim.id),
        changes=operations.records.changes(claim.id),
        leased_until=listed.leased_until(now),
        refusal=operations.queue().would_refuse(claim.carrier) if claim.carrier else None,
    )
    where = position(claim, now, policy, refusal=facts.refusal, leased=facts.leased_until is not None)
    facts = replace(facts, place=_place(operations, claim, where, policy))
    return explain(listed, facts, operations.catalog, policy, now, local, by_fleet=operations.is_by_fleet)


def status_of(operations: Operations, listed: ListedClaim, sentences: ResultSentences) -> ClaimStatus:
    """Where a claim stands, told. Raises DatabaseError."""
    claim, now = listed.claim, operations.clock.now()
    where = operations.position(claim, listed.leased_until(now))
    return sentences.status(
        listed,
        where,
        carrier=operations.catalog.name_of(claim.carrier, claim.carrier_name),
        asked=operations.claims.times_asked(claim),
        place=_place(operations, claim, where, operations.settings.policy),
        now=now,
    )


def _place(operations: Operations, claim: Claim, where: Position, policy: Policy) -> Place | None:
    """Its place among the claims of its carrier; None: it does not stand in line."""
    if not has_place(where):
        return None
    asked = scope_of(operations, AHEAD)
    rules, _ = rules_for(operations, max_retries=policy.max_retries)
    competitors = DatabaseCompetitors(operations.database, operations.schema, operations.catalog)
    found = competitors.of(
        lane_key(claim),
        asked.now,
        policy.backoff.due_until(asked.now + AHEAD),
        with_others=not asked.by_fleet,
    )
    return place_of(claim, where, found, rules, asked)
