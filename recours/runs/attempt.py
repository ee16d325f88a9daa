"""Makes one attempt to fetch a claim's proof, from the API call to the stored document, in a thread of the engine."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from recours.core.carrier import CarrierSpec, Catalog
from recours.core.claim import Claim, Delivery
from recours.core.errors import TRAITS
from recours.core.evidence import Findings
from recours.core.outcome import (
    Case,
    Failure,
    Label,
    Outcome,
    RecoveredEvidence,
    Retrieved,
    StoredDocument,
    best_proof,
    delivery_to_record,
    make_outcome,
    record_of,
)
from recours.core.sentences import Sentence
from recours.core.text import clean
from recours.runs.lane import InternalError, describe_internal_error
from recours.runs.ports import CarrierAnswer, Clock, Dependencies, Reservation

if TYPE_CHECKING:
    from recours.evidence.store import DocumentStore

_LONGEST_NUMBER = 60


@dataclass(frozen=True)
class AttemptResult:
    """The result of an attempt. The evidence includes a proof if and only if the outcome is Retrieved."""

    claim: Claim
    fetched: CarrierAnswer
    started_at: datetime
    duration_s: float = 0.0
    evidence: tuple[StoredDocument, ...] = ()  # including rejected documents and tracking records
    internal_error: InternalError | None = None  # recours itself raised an exception during the fetch

    @property
    def outcome(self) -> Outcome:
        return self.fetched.outcome

    @property
    def findings(self) -> Findings | None:
        """What the proof of a successful attempt shows; None: no proof."""
        proof = best_proof(self.evidence)
        return proof.findings if proof else None

    @property
    def never_connected(self) -> bool:
        """Return whether every call failed to connect, so that the carrier received no request for the claim."""
        return isinstance(self.outcome, Failure) and not (self.outcome.connected or self.fetched.calls)


def known_failure(claim: Claim, catalog: Catalog) -> Failure | None:
    """Return the failure if it is known without a call (missing or malformed number, unsupported carrier), or None."""
    if claim.carrier is None:
        key = Sentence.CARRIER_UNSUPPORTED if claim.carrier_name else Sentence.CARRIER_MISSING
        message = f"The carrier {claim.carrier_name or '(none)'} is not supported; known: {', '.join(catalog.names)}"
        return Failure.of(key, claim.carrier_name, message=message)
    if claim.number is None:
        return Failure.of(Sentence.NUMBER_MISSING)
    return malformed(claim.number, catalog.specs[claim.carrier])


def malformed(number: str, spec: CarrierSpec) -> Failure | None:
    """Return the failure for a number that does not have the carrier's format, for which no call is made."""
    if spec.number_form.fullmatch(number):
        return None
    example = spec.number_example
    message = f'"{clean(number, _LONGEST_NUMBER)}" is not a {spec.name} tracking number (example: {example})'
    return Failure.of(Sentence.NUMBER_MALFORMED, spec.name, example, message=message)


def attempt(
    claim: Claim,
    known_delivery: Delivery | None,
    reservation: Reservation,
    answers: Iterator[CarrierAnswer],
    deps: Dependencies,
) -> AttemptResult | None:
    """Store the evidence of the carrier's answer about a claim, and return the result. None: the carrier was not asked.

    `known_delivery`: the delivery that the query contained, see `delivery_to_assume`. Raises RunError if evidence
    cannot be stored. Other exceptions propagate.
    """
    started_at = deps.clock.now()
    start = deps.clock.monotonic()
    recovered = _find_recovered(claim, deps.documents)
    if recovered.is_complete:
        reservation.release()
        return _end_by_documents(claim, recovered, started_at)
    fetched = next(answers, None)
    if fetched is None or not fetched.was_asked:
        return None
    is_assumed = known_delivery is not None and known_delivery.is_assumed
    outcome, evidence = _store(claim, fetched.outcome, recovered, deps.documents, is_assumed=is_assumed)
    if isinstance(outcome, Failure) and (delivery := delivery_to_record(claim, outcome)):
        record = Retrieved((record_of(claim, delivery),), delivery)
        evidence += deps.documents.store(_label(claim), record)
    account = claim.account if fetched.account is None else fetched.account
    fetched = replace(fetched, outcome=outcome, account=account)
    return AttemptResult(claim, fetched, started_at, deps.clock.monotonic() - start, tuple(evidence))


def result_of_internal_error(claim: Claim, error: Exception, clock: Clock) -> AttemptResult:
    """Return the result of an attempt in which recours itself failed; the caller logs the traceback."""
    message = f"Internal error ({type(error).__name__}); the log has its details"
    failure = Failure.of(Sentence.INTERNAL, message=message)
    return AttemptResult(
        claim, CarrierAnswer(failure), clock.now(), internal_error=describe_internal_error(error)
    )


def result_of_recovered(claim: Claim, documents: "DocumentStore", clock: Clock) -> AttemptResult | None:
    """Return the result for a proof that an earlier run had stored, but not recorded, when it died.

    No second call is made, although other documents of that answer may be missing. None: no proof was stored.
    """
    recovered = _find_recovered(claim, documents)
    return _end_by_documents(claim, recovered, clock.now()) if best_proof(recovered.documents) else None


def _find_recovered(claim: Claim, documents: "DocumentStore") -> RecoveredEvidence:
    return (
        documents.find(_label(claim)) if claim.state.interruptions and claim.number else RecoveredEvidence()
    )


def _end_by_documents(claim: Claim, recovered: RecoveredEvidence, at: datetime) -> AttemptResult:
    proof = best_proof(recovered.documents)
    outcome = Retrieved((), proof.delivery if proof else Delivery())
    return AttemptResult(claim, CarrierAnswer(outcome), at, evidence=recovered.documents)


def _label(claim: Claim) -> Label:
    return Label(claim.carrier or "", claim.id, claim.reference, claim.number or "", claim.client_text or "")


def _store(
    claim: Claim,
    outcome: Outcome,
    recovered: RecoveredEvidence,
    documents: "DocumentStore",
    *,
    is_assumed: bool,
) -> tuple[Outcome, list[StoredDocument]]:
    """Store an answer's evidence. Return the outcome and all evidence, including evidence from a dead run."""
    pieces = documents.store(_label(claim), outcome) if isinstance(outcome, Retrieved) else []
    is_stored = {document.sha256 for document in pieces}
    evidence = [*pieces, *(document for document in recovered.documents if document.sha256 not in is_stored)]
    if isinstance(outcome, Failure) and not TRAITS[outcome.kind].uses_attempt:
        return outcome, evidence
    if proof := best_proof(evidence):
        return Retrieved((), proof.delivery), evidence
    if isinstance(outcome, Failure):
        return outcome, evidence
    return make_outcome(outcome, Case(unusable=pieces[0].refused, is_assumed=is_assumed)), evidence
