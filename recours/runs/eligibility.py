"""Decides which claims a person may enroll, exclude, correct or reopen.

Each of these actions only does what the service could do itself, such as setting pod_fetch_status to `pending` or
`manual`. The claim is assessed immediately, so the next lease can pick it up.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recours.core.carrier import CarrierSpec, Catalog
from recours.core.claim import MANUAL, Claim, FetchStatus, Stage, tidy_number
from recours.core.errors import ErrorKind
from recours.core.policy import Policy
from recours.core.text import clean, is_text
from recours.runs.refusals import ClaimRefusal, ClaimsRefusedError, Unfit, refuse_unwanted

# Claims with one of these statuses are enrolled only on request: the client already has the money back.
LEFT_OUT = frozenset({"refunded"})


@dataclass(frozen=True)
class Candidate:
    """A claim that has a tracking number and is not enrolled. `status`: the claim status in lower case; "": none."""

    id: Any
    carrier_name: str
    number: str | None
    status: str
    created_at: datetime | None


@dataclass(frozen=True)
class EnrollCriteria:
    """The filters of an enrollment; an empty field matches every claim. `carriers`: keys; `statuses`: lower case."""

    carriers: Collection[str] = ()
    statuses: Collection[str] = ()
    since: datetime | None = None  # created at this time or later

    def why_not(self, candidate: Candidate, key: str, policy: Policy) -> str | None:
        """Return why a matching claim is not enrolled; None: it is enrolled; "": the claim does not match."""
        if (self.carriers and key not in self.carriers) or (
            self.statuses and candidate.status not in self.statuses
        ):
            return ""
        if candidate.status in policy.skip_claim_statuses:
            return f"status '{clean(candidate.status, 30)}': claims with this status are not fetched"
        if candidate.status in LEFT_OUT - set(self.statuses):
            return f"status '{candidate.status}'; to enroll them anyway: --status {candidate.status}"
        if self.since is None:
            return None
        if candidate.created_at is None:
            return "creation date unknown"
        return None if candidate.created_at >= self.since else ""


@dataclass
class EnrollmentCounts:
    """How many claims would be enrolled, by carrier key ("": unknown carrier) and status, and how many skipped."""

    open: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)  # the minimum needed, by carrier key
    skipped: Counter[str] = field(default_factory=Counter)  # by reason


def count_candidates(
    candidates: Iterable[Candidate], criteria: EnrollCriteria, policy: Policy, catalog: Catalog
) -> EnrollmentCounts:
    """Count the claims that `ClaimEnrollment.enroll_all` would enroll or skip."""
    counts = EnrollmentCounts()
    for candidate in candidates:
        key = catalog.resolve(candidate.carrier_name, candidate.number) or ""
        why = criteria.why_not(candidate, key, policy)
        if why:
            counts.skipped[why] += 1
        elif why is None:
            counts.open[key, candidate.status] += 1
            counts.calls[key] += sum(catalog.specs[key].calls.values()) if key in catalog.specs else 0
    return counts


def why_not_enroll(claim: Claim, policy: Policy) -> ClaimRefusal | None:
    if claim.fetch_status == FetchStatus.SUCCESS:
        return ClaimRefusal(Unfit.HAS_POD, claim.reference)
    if claim.fetch_status == FetchStatus.FAILED:
        return ClaimRefusal("has_failed", claim.reference)
    if claim.is_pending:
        return ClaimRefusal("is_pending", claim.reference)
    return refuse_unwanted(claim) if policy.sets_aside(claim) else None


def why_not_exclude(claim: Claim) -> ClaimRefusal | None:
    if claim.fetch_status == FetchStatus.SUCCESS:
        return ClaimRefusal(Unfit.HAS_POD, claim.reference)
    return ClaimRefusal("excluded", claim.reference) if claim.fetch_status == MANUAL else None


_LONGEST = 60  # the maximum length of a typed tracking number, in characters


@dataclass(frozen=True)
class Correction:
    """The new values; None: unchanged. `doubtful`: the check digit suggests that the number is mistyped."""

    number: str | None = None
    carrier: str | None = None
    doubtful: bool = False

    @property
    def values(self) -> dict[str, Any]:
        """The new values by the column names of the service's table."""
        values = {"tracking_number": self.number, "carrier": self.carrier}
        return {name: value for name, value in values.items() if value is not None}

    def details(self, claim: Claim) -> dict[str, Any]:
        """Return the old and the new value of each changed field."""
        values = {
            "number": (claim.number and clean(claim.number, _LONGEST), self.number),
            "carrier": (claim.carrier_name, self.carrier),
        }
        return {name: [old, new] for name, (old, new) in values.items() if new is not None}


def correction_of(
    claim: Claim, number: str | None, carrier: str | None, catalog: Catalog, spellings: Sequence[str] = ()
) -> Correction:
    """Return the correction that gives a claim this number and carrier (by any name). Raises ClaimsRefusedError.

    `spellings`: the carrier names that the service's column accepts; empty: it accepts any name.
    """
    name = claim.carrier_name
    if carrier is not None and carrier != name:
        name = _carrier_name(claim, carrier, catalog, spellings)
    typed = claim.number if number is None else _number(number)
    if (typed, name) == (claim.number, claim.carrier_name):
        raise ClaimsRefusedError(ClaimRefusal("no_correction", claim.reference))
    if claim.fetch_status == FetchStatus.SUCCESS:
        raise ClaimsRefusedError(ClaimRefusal(Unfit.HAS_POD, claim.reference))
    served_by = catalog.resolve(name, typed, claim.client_id)
    spec = catalog.specs[served_by] if served_by else None
    if spec and typed and not spec.number_form.fullmatch(typed):
        raise ClaimsRefusedError(_not_of(typed, spec))
    return Correction(
        number=typed if typed != claim.number else None,
        carrier=name if name != claim.carrier_name else None,
        doubtful=bool(spec and typed and spec.is_doubtful(typed)),
    )


def _carrier_name(claim: Claim, typed: str, catalog: Catalog, spellings: Sequence[str]) -> str:
    """Return the carrier's name in an accepted spelling; the claim's own spelling if it already names this carrier."""
    of_all = catalog.with_accounts(())
    key = of_all.resolve(typed) if isinstance(typed, str) else None
    if key is None:
        facts = {"carrier": clean(typed, 60), "known": ", ".join(catalog.names)}
        raise ClaimsRefusedError(ClaimRefusal("no_carrier", facts=facts))
    if of_all.resolve(claim.carrier_name) == key:
        return claim.carrier_name
    return next((word for word in spellings if of_all.resolve(word) == key), of_all.specs[key].name)


def _number(typed: str) -> str:
    number = tidy_number(typed) if is_text(typed) and "\0" not in typed else None
    if number is None or len(number) > _LONGEST:
        raise ClaimsRefusedError(ClaimRefusal("no_number", facts={"longest": str(_LONGEST)}))
    return number


def _not_of(number: str, spec: CarrierSpec) -> ClaimRefusal:
    facts = {"number": clean(number, _LONGEST), "carrier": spec.name, "example": spec.number_example}
    return ClaimRefusal("not_of_carrier", facts=facts)


@dataclass(frozen=True)
class ReopenCriteria:
    """The filters for reopening claims that were given up, or whose carrier's answer was final."""

    carriers: Collection[str] = ()  # keys of carriers or accounts; empty: all
    since: datetime | None = None  # only claims whose last retry was at this time or later
    error: ErrorKind | None = None  # only claims with this kind of error; None: all claims that were given up


@dataclass
class Selection:
    """How many of the matching claims can be reopened, and how many cannot."""

    open: Counter[str] = field(default_factory=Counter)  # by carrier key ("": unknown carrier)
    skipped: Counter[str] = field(default_factory=Counter)  # by reason


def count_given_up(parts: Iterable[list[tuple[Claim, bool]]], policy: Policy) -> Selection:
    """Count the claims that `Actions.reopen_all` would reopen or skip. `parts`: batches of (claim, is leased)."""
    selection = Selection()
    for part in parts:
        for claim, is_leased in part:
            if policy.sets_aside(claim):
                status = clean(claim.claim_status, 30)
                selection.skipped[f"status '{status}': claims with this status are not fetched"] += 1
            elif is_leased:
                selection.skipped["being fetched by a run"] += 1
            else:
                selection.open[claim.carrier or ""] += 1
    return selection


def why_not_reopen(claim: Claim, policy: Policy, *, is_leased: bool) -> ClaimRefusal | None:
    """Return why a claim cannot be reopened; None if it can. `is_leased`: a run is fetching it."""
    if claim.fetch_status == FetchStatus.SUCCESS:
        return ClaimRefusal(Unfit.HAS_POD, claim.reference)
    if policy.sets_aside(claim):
        return refuse_unwanted(claim)
    if is_leased:
        return ClaimRefusal(Unfit.LEASED, claim.reference)
    if claim.fetch_status == FetchStatus.FAILED and claim.is_edited:
        return ClaimRefusal("reopened", claim.reference)
    if claim.fetch_status == FetchStatus.FAILED and claim.state.stage is Stage.GIVEN_UP:
        return None
    is_unused = claim.fetch_status == FetchStatus.FAILED and not claim.state.retries_used
    return ClaimRefusal("no_retry_used" if is_unused else "not_given_up", claim.reference)
