"""The meaning of an answer, combined with other known facts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Case, Failure, Retrieved, make_outcome, refusal_text
from recours.core.pauses import Blame, Blocked, Refusal
from recours.core.sentences import Sentence, SentenceParts

K = ErrorKind
AT = datetime(2026, 2, 3, tzinfo=UTC)
DELIVERY = Delivery(datetime(2026, 2, 1, 9, 30, tzinfo=UTC), "M. Durand")
OURS = Case(carrier="Chronopost", source=".env")
CLIENT = replace(OURS, client="a@b.example")
UNKNOWN = Failure.of(Sentence.NUMBER_UNKNOWN, "Chronopost", "inconnu", 404)
REJECTED = Failure.of(Sentence.CREDENTIALS_REJECTED, "Chronopost", "bad password", 401)


def test_an_outcome_combines_the_answer_with_known_facts() -> None:
    waiting = Failure.of(Sentence.TOO_MANY_CALLS, "Chronopost", None, 429, retry_at=AT)
    outcome = make_outcome(waiting, replace(OURS, retry_at=AT, delivery=DELIVERY))
    assert outcome == replace(waiting, delivery=DELIVERY)
    assert make_outcome(waiting, OURS).retry_at is None


def test_secrets_are_hidden_in_every_text_of_the_carrier() -> None:
    def mask(text: str) -> str:
        return text.replace("hunter2", "***")

    said = Failure.of(Sentence.CODE_UNKNOWN, "Chronopost", "7: hunter2", 400, unknown="7 (hunter2)")
    delivery = Delivery(signatory="hunter2", place="hunter2", label="hunter2", unknown="hunter2")
    case = replace(OURS, mask=mask, delivery=delivery)
    document = Retrieved.single(b"%PDF-", delivery, "searchPOD hunter2")
    texts = [repr(make_outcome(answer, case)) for answer in (said, document)]
    blamed = [make_outcome(said, replace(case, blame=blame)) for blame in (Blame.ACCOUNT, Blame.CLAIM)]
    for text in [*texts, *map(repr, blamed), refusal_text(said, replace(case, client="a@b.example"))]:
        assert "***" in text
        assert "hunter2" not in text


def test_a_doubtful_number_is_named_as_the_likely_reason() -> None:
    doubtful = make_outcome(UNKNOWN, replace(OURS, is_mistyped=True))
    assert doubtful.message == f"{UNKNOWN.message} (wrong check digit; the number may be mistyped)"
    assert doubtful.explanation == SentenceParts(Sentence.NUMBER_UNKNOWN_MISTYPED, "Chronopost", "inconnu")
    # A mistyped number does not matter.
    assert make_outcome(REJECTED, replace(OURS, is_mistyped=True)) == REJECTED


def test_a_refusal_of_the_account_names_the_source_of_its_credentials() -> None:
    case = replace(OURS, blame=Blame.ACCOUNT, retry_at=AT)
    ours = make_outcome(REJECTED, case)
    assert ours.message == "Chronopost rejects our credentials: bad password (credentials from .env)"
    assert (ours.kind, ours.explanation, ours.retry_at, ours.closes_carrier) == (
        K.AUTH_FAILED,
        REJECTED.explanation,
        AT,
        True,
    )
    assert ours.message == refusal_text(REJECTED, case)
    theirs = make_outcome(REJECTED, replace(case, client="a@b.example"))
    assert theirs.message.startswith("Chronopost rejects the credentials of a@b.example: bad password (")
    assert theirs.explanation == SentenceParts(
        Sentence.CREDENTIALS_REJECTED, "Chronopost", "bad password", "a@b.example"
    )


def test_a_refusal_may_concern_only_the_parcel() -> None:
    denied = make_outcome(REJECTED, replace(OURS, blame=Blame.CLAIM))
    assert denied.explanation == SentenceParts(Sentence.PARCEL_DENIED, "Chronopost", "bad password")
    assert (denied.kind, denied.http_status, denied.closes_carrier) == (K.ACCESS_DENIED, 401, False)
    to_client = make_outcome(REJECTED, replace(CLIENT, blame=Blame.CLAIM))
    assert to_client.explanation == SentenceParts(
        Sentence.PARCEL_DENIED_TO_CLIENT, "Chronopost", "bad password"
    )
    assert "our" not in to_client.message
    later = make_outcome(REJECTED, replace(OURS, blame=Blame.CLAIM_LATER, retry_at=AT))
    assert later.message.endswith("(only for this parcel: Chronopost returns others)")
    assert (later.kind, later.retry_at, later.claim_only) == (K.AUTH_FAILED, AT, True)


def test_an_account_without_documents_does_not_close_the_carrier() -> None:
    explanation = SentenceParts(Sentence.DOCUMENTS_DENIED, "Chronopost", "no contract")
    refusal = Refusal(
        Blocked.CARRIER, "gives it no documents", kind=K.ACCOUNT_DENIED, explanation=explanation
    )
    case = replace(OURS, blame=Blame.DOCUMENTS, documents=refusal, retry_at=AT, delivery=DELIVERY)
    outcome = make_outcome(REJECTED, case)
    assert (outcome.kind, outcome.message, outcome.explanation) == (
        K.ACCOUNT_DENIED,
        refusal.reason,
        explanation,
    )
    assert (outcome.retry_at, outcome.delivery, outcome.closes_carrier) == (AT, DELIVERY, False)


def test_an_inconclusive_check_keeps_the_refusal() -> None:
    down = Failure.of(Sentence.NO_ANSWER, "Chronopost", connected=False)
    outcome = make_outcome(down, replace(CLIENT, unchecked=K.ACCOUNT_DENIED))
    assert (outcome.kind, outcome.connected) == (K.ACCOUNT_DENIED, True)
    assert outcome.explanation == SentenceParts(
        Sentence.CREDENTIALS_UNCHECKED, "Chronopost", "", "a@b.example"
    )
    assert outcome.message.endswith(f"since: {down.message}")


@pytest.mark.parametrize("kind", ErrorKind)
def test_a_refused_document_shows_nothing_of_a_parcel_that_was_not_tracked(kind: ErrorKind) -> None:
    explanation = SentenceParts(Sentence.NUMBER_UNKNOWN, "Chronopost", "inconnu")
    answer = Failure(kind, "the carrier's words", explanation=explanation)
    outcome = make_outcome(answer, replace(OURS, delivery=Delivery(is_assumed=True), is_assumed=True))
    assert outcome.delivery is None
    of_the_parcel = {
        "invalid_tracking",
        "access_denied",
        "returned_to_sender",
        "not_found",
        "not_delivered_yet",
    }
    if kind in {*of_the_parcel, "pod_not_available_yet"}:
        assert outcome.kind is ErrorKind.POD_NOT_AVAILABLE_YET
        assert outcome.explanation == SentenceParts(Sentence.PROOF_UNTRACKED, "Chronopost", "inconnu")
        assert outcome.message.startswith("the carrier's words (")
    else:  # there will never be a proof, or the answer is not about the parcel
        assert (outcome.kind, outcome.message, outcome.explanation) == (
            kind,
            "the carrier's words",
            explanation,
        )


@pytest.mark.parametrize(("alone", "retry_at"), [(True, None), (False, AT)])
def test_a_parcel_that_was_not_tracked_does_not_wait_for_documents(
    alone: bool, retry_at: datetime | None
) -> None:
    answer = replace(REJECTED, claim_only=alone)
    assert make_outcome(answer, replace(OURS, is_assumed=True, retry_at=AT)).retry_at == retry_at


@pytest.mark.parametrize("is_assumed", [False, True])
def test_a_proof_that_is_not_a_document_is_a_failure(is_assumed: bool) -> None:
    document = Retrieved.single(b"oops", DELIVERY, "searchPOD")
    outcome = make_outcome(document, Case(unusable="is empty", is_assumed=is_assumed))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.delivery) == (K.BAD_RESPONSE, None if is_assumed else DELIVERY)
    assert outcome.message == "The carrier sent an invalid document as the proof: is empty"
