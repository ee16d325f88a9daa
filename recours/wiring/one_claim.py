"""One claim as a person sees it, over a database: where it stands, why, and the day before which its turn does not come."""

from dataclasses import replace
from datetime import date

from recours.core.claim import Claim, tidy_number
from recours.core.policy import DEFAULT_MAX_RETRIES, Policy
from recours.core.position import Position, position
from recours.reporting.evidence import ClaimEvidence
from recours.reporting.explain import Explanation, Facts, explain
from recours.reporting.place import day_in_line, stands_in_line
from recours.reporting.plan import as_planned
from recours.reporting.records import ClaimFilter, ListedClaim
from recours.reporting.survey import most_urgent_claims
from recours.runs.source import can_be_reference
from recours.wiring.operations import Operations
from recours.wiring.plan import accounts_now, terms_now

_MOST_FOUND = 20  # claims that hold what was typed
_IN_LINE = 1000  # claims of an account that may go before one


def explanation_of(
    operations: Operations,
    reference: str,
    max_retries: int = DEFAULT_MAX_RETRIES,
    *,
    language: str = "en",
) -> Explanation | None:
    """Where the claim of this reference stands, and why; None: there is none. Raises DatabaseError."""
    listed = operations.records.find(reference) if can_be_reference(reference) else None
    if listed is None:
        return None
    claim, now = listed.claim, operations.clock.now()
    policy = replace(operations.settings.policy, max_retries=max_retries)
    refusal, leased_until = operations.refusal_of(claim), listed.leased_until(now)
    where = position(claim, now, policy, refusal=refusal, leased=leased_until is not None)
    may_have_account = bool(operations.catalog.of_clients) and claim.client_id is not None
    facts = Facts(
        attempts=operations.records.attempts(claim.id),
        messages=operations.records.messages(claim.id),
        changes=operations.records.changes(claim.id),
        evidence=evidence_of(operations, listed),
        asked=operations.claims.times_asked(claim),
        leased_until=leased_until,
        refusal=refusal,
        client=operations.client_named(claim) if may_have_account else "",
        not_before=_not_before(operations, claim, where, policy),
    )
    by_fleet = operations.is_by_fleet
    return explain(listed, facts, operations.catalog, policy, now, by_fleet=by_fleet, language=language)


def references_of(operations: Operations, typed: str) -> list[str]:
    """The claim of this reference, or else up to a few that have this tracking number or order. Raises DatabaseError."""
    if not can_be_reference(typed):
        return []
    if operations.records.find(typed):
        return [typed]
    listed = operations.records.claims(ClaimFilter(text=typed), _MOST_FOUND)
    number, order = tidy_number(typed), typed.strip()
    return [each.claim.reference for each in listed if each.claim.number == number or each.order == order]


def evidence_of(operations: Operations, listed: ListedClaim | None) -> ClaimEvidence:
    """All evidence of a claim that is on record; None: it is gone. Raises DatabaseError."""
    if listed is None:
        return ClaimEvidence()
    pieces = operations.records.evidence(listed.claim.id)
    return ClaimEvidence(pieces, listed.dispute)


def _not_before(operations: Operations, claim: Claim, where: Position, policy: Policy) -> date | None:
    """The day before which its turn does not come; None: it does not wait for others."""
    if not stands_in_line(where):
        return None
    now = operations.clock.now()
    key = claim.account_key
    others = most_urgent_claims(operations.database, operations.catalog, key, _IN_LINE, now)
    planned = (
        as_planned(other, now, policy) for other in {other.id: other for other in (*others, claim)}.values()
    )
    account = accounts_now(operations, [key])[key]
    terms = terms_now(operations, policy)
    return day_in_line(claim.id, where, [other for other in planned if other], account, terms, now)
