"""The sources of a run's claims: the due claims, or claims that a person named."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from recours.core.assessment import assess
from recours.core.claim import Claim, FetchStatus, Stage, State
from recours.core.order import Urgency, urgency
from recours.core.policy import Policy
from recours.core.text import is_text, nearest
from recours.runs.ports import Lease, Ready
from recours.runs.refusals import ClaimRefusal, Unfit, UnfitClaimsError, refuse_unwanted, why_erased

if TYPE_CHECKING:
    from recours.database.claims import ClaimRepository

# In characters. Nobody types a longer reference, and a database may reject a query for references similar to it.
_LONGEST_REFERENCE = 1000


@dataclass(eq=False)
class DueClaims:
    """The due claims of one worker's stage, limited to some accounts (empty: all)."""

    _claims: "ClaimRepository"
    _stage: Stage
    _lanes: Collection[str] = ()

    def ready(self, now: datetime, limit: int | None = None, lanes: Collection[str] = ()) -> dict[str, Ready]:
        """Return what can be leased in each of these lanes (empty: all), see `ClaimRepository.ready_by_carrier`."""
        return self._claims.ready_by_carrier(self._stage, now, limit, lanes or self._lanes)

    def lease(
        self, lanes: Collection[str], limit: int, lease: Lease, now: datetime, *, unnumbered: bool = False
    ) -> list[Claim]:
        """Lease up to `limit` claims, most urgent first. Fewer are leased only if there are no more.

        `unnumbered`: only claims without a tracking number.
        """
        if unnumbered and self._stage is Stage.NEW:
            return []  # pending claims without a number have a stage of their own
        return self._claims.lease(self._stage, lanes, limit, lease, now, unnumbered=unnumbered)

    def release(self, claims: Sequence[Claim], lease: Lease) -> None:
        self._claims.release([(claim, claim.state) for claim in claims], lease)


@dataclass(eq=False)
class NamedClaims:
    """Claims that a person named. They are fetched regardless of their backoff."""

    _repository: "ClaimRepository"
    _claims: list[Claim]  # as `find_named` returns them

    def ready(self, now: datetime, limit: int | None = None, lanes: Collection[str] = ()) -> dict[str, Ready]:
        del limit
        claims = [claim for claim in self._claims if not lanes or claim.account_key in lanes]
        heads: dict[str, Urgency] = {}
        for claim in claims:
            place = urgency(claim.state, now)
            heads[claim.account_key] = min(heads.get(claim.account_key, place), place)
        counts = Counter(claim.account_key for claim in claims)
        return {key: Ready(counts[key], head) for key, head in heads.items()}

    def lease(
        self, lanes: Collection[str], limit: int, lease: Lease, now: datetime, *, unnumbered: bool = False
    ) -> list[Claim]:
        leased_claims: list[Claim] = []
        claims = [claim for claim in self._claims if claim.number is None] if unnumbered else self._claims
        for claim in [claim for claim in claims if claim.account_key in lanes]:
            if len(leased_claims) == limit:
                break
            self._claims.remove(claim)
            if leased := self._repository.lease_named(claim, lease, now):
                leased_claims.append(leased)
        return leased_claims

    def release(self, claims: Sequence[Claim], lease: Lease) -> None:
        self._repository.release([(claim, claim.state) for claim in claims], lease)
        self._claims += claims


Source = DueClaims | NamedClaims


def can_be_reference(value: object) -> bool:
    """Return whether a value can be a claim's reference. PostgreSQL cannot store NUL."""
    return (
        isinstance(value, str) and is_text(value) and "\0" not in value and len(value) <= _LONGEST_REFERENCE
    )


def find_named(
    claims: "ClaimRepository", references: Sequence[str], policy: Policy, now: datetime
) -> list[Claim]:
    """Find and assess the claims with these references. Raises UnfitClaimsError if any of them cannot be fetched."""
    named = []
    refusals = []
    for reference in dict.fromkeys(references):
        claim = claims.find(reference) if is_text(reference) else None
        if claim is None:
            refusals.append(unknown_claim(claims, reference))
        elif refusal := _why_unfit(claims, claim, policy, now):
            refusals.append(replace(refusal, reference=reference))
        else:
            named.append(replace(claim, state=named_state(claim, policy, now)))
    if refusals:
        raise UnfitClaimsError(*refusals)
    return named


def is_unchanged(claim: Claim, original: Claim) -> bool:
    """Return whether a claim has not changed since it was found: no run fetched its POD, and nobody edited it."""
    values = (original.fetch_status, original.number, original.carrier_name, original.erased)
    return (claim.fetch_status, claim.number, claim.carrier_name, claim.erased) == values


def named_state(claim: Claim, policy: Policy, now: datetime) -> State:
    """Return the state of a named claim. If it is not enrolled, it is assessed like a failed claim and has no stage."""
    if claim.is_pending or claim.fetch_status == FetchStatus.FAILED:
        return assess(claim, now, policy) if claim.is_edited else claim.state
    return replace(assess(replace(claim, fetch_status=FetchStatus.FAILED), now, policy), stage=None)


def _why_unfit(claims: "ClaimRepository", claim: Claim, policy: Policy, now: datetime) -> ClaimRefusal | None:
    if refusal := why_erased(claim):
        return refusal
    if claim.fetch_status == FetchStatus.SUCCESS:
        return ClaimRefusal(Unfit.HAS_POD, claim.reference)
    if policy.sets_aside(claim):
        return refuse_unwanted(claim)
    return ClaimRefusal(Unfit.LEASED, claim.reference) if claims.is_leased(claim, now) else None


def unknown_claim(claims: "ClaimRepository", reference: str) -> ClaimRefusal:
    """Return the refusal of an unknown reference. It suggests the most similar reference."""
    likely = claims.references_like(reference) if can_be_reference(reference) else []
    return ClaimRefusal(Unfit.UNKNOWN, reference, nearest(reference, likely, cutoff=0.5) or "")
