"""One attempt at one claim, from the call to the stored document: what a thread of a run does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from recours.core.carrier import CarrierSpec, Catalog
from recours.core.claim import Claim, Delivery
from recours.core.decision import of_untracked
from recours.core.outcome import Failure, Label, NotADocumentError, Outcome, Retrieved, StoredDocument
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.core.text import clean
from recours.runs.doubts import Mistake, mistake_of
from recours.runs.ports import Clock, Documents, Fetched, Reservation

_LONGEST_NUMBER = 60


@dataclass(frozen=True)
class Ended:
    """How an attempt ended. `document` is there exactly if the outcome is Retrieved."""

    outcome: Outcome
    started_at: datetime
    duration_s: float
    calls: int = 0
    unsent: int = 0
    document: StoredDocument | None = None
    accepted: bool = False  # an answer showed that the carrier accepts our account
    kinds: Mapping[Capability, int] = field(default_factory=dict)  # of the calls
    mistake: Mistake | None = None  # of recours's own: an exception in the fetch

    @property
    def closes_carrier(self) -> bool:
        """Tell whether the carrier is not called any more in this run."""
        return isinstance(self.outcome, Failure) and self.outcome.closes_carrier

    @property
    def was_asked(self) -> bool:
        """Tell whether the carrier was asked: by a call for this claim, or by one that it shared with others."""
        return self.calls > 0 or (isinstance(self.outcome, Failure) and self.outcome.http_status is not None)

    @property
    def could_not_connect(self) -> bool:
        """Tell whether certainly nothing reached the carrier."""
        return isinstance(self.outcome, Failure) and not self.outcome.connected


def without_call(claim: Claim, catalog: Catalog) -> Failure | None:
    """The answer that needs no call: no number, one that cannot be one, no supported carrier; else None."""
    if claim.carrier is None:
        key = Sentence.CARRIER_UNSUPPORTED if claim.carrier_name else Sentence.CARRIER_MISSING
        message = f"The carrier {claim.carrier_name or '(none)'} is not supported; known: {', '.join(catalog.names)}"
        return Failure.of(key, claim.carrier_name, message=message)
    if claim.number is None:
        return Failure.of(Sentence.NUMBER_MISSING)
    return malformed(claim.number, catalog.specs[claim.carrier])


def malformed(number: str, spec: CarrierSpec) -> Failure | None:
    """No call is spent on a number that cannot be one of the carrier's."""
    if spec.number_form.fullmatch(number):
        return None
    example = spec.number_example
    message = f'"{clean(number, _LONGEST_NUMBER)}" is not a {spec.name} tracking number (example: {example})'
    return Failure.of(Sentence.NUMBER_MALFORMED, spec.name, example, message=message)


def attempt(
    claim: Claim,
    known: Delivery | None,
    reservation: Reservation,
    answers: Iterator[Fetched],
    documents: Documents,
    clock: Clock,
) -> Ended | None:
    """Take the carrier's answer about a claim and keep the document; None if it was not asked about this claim.

    `known`: what it was asked with, see `delivery_to_assume`. Raises RunError if it cannot be kept, and recours's own mistakes.
    """
    started_at, start = clock.now(), clock.monotonic()
    if kept := kept_already(claim, documents, clock):
        reservation.release()
        return kept
    fetched = next(answers, None)
    if fetched is None or not fetched.asked:
        return None
    outcome, document = _kept(fetched, _label(claim), documents)
    if isinstance(outcome, Failure) and known and known.is_assumed:
        outcome = of_untracked(outcome)
    duration_s = clock.monotonic() - start
    return Ended(
        outcome,
        started_at,
        duration_s,
        fetched.calls,
        fetched.unsent,
        document,
        accepted=fetched.accepted,
        kinds=fetched.kinds,
    )


def ended_by_mistake(error: Exception, clock: Clock) -> Ended:
    """How an attempt ends in which recours itself fails; the caller logs the traceback."""
    message = f"Internal error ({type(error).__name__}); the log has its details"
    failure = Failure.of(Sentence.INTERNAL, message=message)
    return Ended(failure, clock.now(), 0.0, mistake=mistake_of(error))


def kept_already(claim: Claim, documents: Documents, clock: Clock) -> Ended | None:
    """The proof that a run stored and died before it could record it: it is paid for already."""
    kept = documents.find(_label(claim)) if claim.state.interruptions and claim.number else None
    if kept is None:
        return None
    return Ended(Retrieved(b"", kept.delivery, kept.source), clock.now(), 0.0, document=kept)


def _label(claim: Claim) -> Label:
    return Label(claim.carrier or "", claim.id, claim.reference, claim.number or "")


def _kept(fetched: Fetched, label: Label, documents: Documents) -> tuple[Outcome, StoredDocument | None]:
    got = fetched.outcome
    if isinstance(got, Failure):
        return got, None
    try:
        return got, documents.store(label, got)
    except NotADocumentError as finding:
        message = f"What the carrier sent as a proof is no document: {finding}"
        return Failure.of(Sentence.PROOF_UNUSABLE, message=message, delivery=got.delivery), None
