"""Shared assertions for the tests of all carriers."""

from recours.core.carrier import CarrierSpec
from recours.core.errors import ErrorKind
from recours.core.evidence import Expected
from recours.core.outcome import Failure, NotADocumentError, Outcome
from recours.evidence.appraisal import appraise
from recours.evidence.pdf_process import media_type_of
from recours.runs.attempt import malformed
from tests.fakes.simulated import NO_DOCUMENT


def as_failure(outcome: object) -> Failure:
    """The outcome, which must be a failure."""
    assert isinstance(outcome, Failure), outcome
    return outcome


def result(outcome: Outcome) -> ErrorKind | str:
    """The kind of a failure, the type of a document, or NO_DOCUMENT for other bytes."""
    if isinstance(outcome, Failure):
        return outcome.kind
    try:
        found = media_type_of(outcome.best.content, html=outcome.best.html)
        hollow = appraise(outcome.best.content, found, Expected("", "")).hollow
    except NotADocumentError:
        return NO_DOCUMENT
    return NO_DOCUMENT if hollow else found


def assert_harmless(*failures: Failure, most: int = 400) -> None:
    """Check that the failures' texts cannot forge a log line, control a terminal or fill a screen."""
    for failure in failures:
        for text in (failure.message, failure.unknown or ""):
            assert len(text) <= most
            assert text.isprintable()
            text.encode()


def assert_costs_no_call(number: str, spec: CarrierSpec) -> None:
    """Check that the number is rejected without a call, because it does not have the carrier's format."""
    failure = as_failure(malformed(number, spec))
    assert failure.kind is ErrorKind.INVALID_TRACKING
    assert f"is not a {spec.name} tracking number (example: {spec.number_example})" in failure.message
