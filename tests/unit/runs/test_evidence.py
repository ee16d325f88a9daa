"""What an attempt records of an answer, and of documents that a killed run had stored."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recours.carriers.answers import PARIS
from recours.core.claim import Claim, Delivery, FetchStatus, State
from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Failure, Label, Outcome, Piece, Retrieved, StoredDocument
from recours.core.policy import Policy
from recours.evidence.store import DocumentStore
from recours.runs.attempt import AttemptResult, attempt, result_of_recovered
from recours.runs.ports import CarrierAnswer
from recours.sandbox import SimulatedClock
from recours.sandbox import documents as simulated

NUMBER = "1Z5R89390357567127"
CLOCK = SimulatedClock()
AT = CLOCK.now() - timedelta(days=1)
DELIVERY = Delivery(AT, "DUPONT", place="LILLE")
LETTER = Piece(simulated.proof_pdf("UPS", NUMBER, "DUPONT", AT), "ups track")
OTHER = Piece(simulated.proof_pdf("UPS", NUMBER, "MARTIN", AT), "ups track")
SIGNATURE = Piece(simulated.signature_png(NUMBER), "ups track", EvidenceKind.SIGNATURE)
NOTHING = Piece(b"Document indisponible. " * 10, "ups track")
BUSY = Failure(ErrorKind.SERVER_ERROR, "UPS is unavailable (HTTP 503)", 503)
WAIT = Failure(ErrorKind.RATE_LIMITED, "UPS asks us to wait", 429)
LABEL = Label("ups", 1, "CLM-1", NUMBER)


@pytest.fixture
def store(tmp_path: Path) -> DocumentStore:
    return DocumentStore(tmp_path)


def claim_of(interruptions: int = 0, delivery: Delivery | None = None) -> Claim:
    state = State(interruptions=interruptions, delivery=delivery)
    return Claim(
        id=1, reference="CLM-1", carrier="ups", number=NUMBER, fetch_status=FetchStatus.FAILED, state=state
    )


def ended(store: DocumentStore, outcome: Outcome, claim: Claim) -> tuple[AttemptResult, bool]:
    """The result of the attempt, and whether the carrier was called."""
    answers = iter([CarrierAnswer(outcome, 1, 0)])
    reservation: Any = SimpleNamespace(release=lambda: None)
    deps: Any = SimpleNamespace(documents=store, clock=CLOCK, policy=Policy(PARIS))
    result = attempt(claim, None, reservation, answers, deps)
    assert result is not None
    return result, next(answers, None) is None


def dead_run_stored(store: DocumentStore, *pieces: Piece, lost: int | None = None) -> list[StoredDocument]:
    """`lost`: a part that it did not store in time."""
    documents = store.store(LABEL, Retrieved(pieces, DELIVERY))
    if lost is not None:
        Path(documents.pop(lost).path).unlink()
    return documents


def contents(result: AttemptResult) -> list[bytes]:
    return [Path(piece.path).read_bytes() for piece in result.evidence]


def test_all_pieces_of_an_answer_are_recorded(store: DocumentStore) -> None:
    result, was_asked = ended(store, Retrieved((LETTER, SIGNATURE, NOTHING), DELIVERY), claim_of())
    assert was_asked
    assert isinstance(result.outcome, Retrieved)
    assert [piece.refused is None for piece in result.evidence] == [True, True, False]


def test_one_good_piece_makes_a_success(store: DocumentStore) -> None:
    result, _ = ended(store, Retrieved((NOTHING, SIGNATURE), DELIVERY), claim_of())
    assert result.outcome == Retrieved((), DELIVERY)


def test_a_complete_recovered_answer_needs_no_call(store: DocumentStore) -> None:
    dead_run_stored(store, LETTER, SIGNATURE)
    result, was_asked = ended(store, BUSY, claim_of(interruptions=1))
    assert not was_asked
    assert result.outcome == Retrieved((), DELIVERY)
    assert contents(result) == [LETTER.content, SIGNATURE.content]


@pytest.mark.parametrize("lost", [0, 1])
def test_an_incomplete_answer_is_requested_again(lost: int, store: DocumentStore) -> None:
    dead_run_stored(store, LETTER, SIGNATURE, lost=lost)
    result, _ = ended(store, Retrieved((LETTER, SIGNATURE), DELIVERY), claim_of(interruptions=1))
    assert result.fetched.calls == 1
    assert contents(result) == [LETTER.content, SIGNATURE.content]


def test_pieces_that_the_second_answer_does_not_have_are_not_lost(store: DocumentStore) -> None:
    dead_run_stored(store, LETTER, SIGNATURE, lost=1)
    result, _ = ended(store, Retrieved((OTHER, SIGNATURE), DELIVERY), claim_of(interruptions=1))
    assert contents(result) == [OTHER.content, SIGNATURE.content, LETTER.content]


def test_recovered_evidence_is_used_if_the_carrier_returns_no_more(store: DocumentStore) -> None:
    dead_run_stored(store, LETTER, SIGNATURE, lost=1)
    result, _ = ended(store, BUSY, claim_of(interruptions=1))
    assert result.outcome == Retrieved((), DELIVERY)
    assert contents(result) == [LETTER.content]


def test_a_rate_limit_applies_even_if_evidence_was_recovered(store: DocumentStore) -> None:
    """The claim is unchanged, and the next attempt finds the stored parts again."""
    dead_run_stored(store, LETTER, SIGNATURE, lost=1)
    result, _ = ended(store, WAIT, claim_of(interruptions=1))
    assert result.outcome == WAIT


def test_after_three_killed_runs_recovered_evidence_is_used_without_a_call(store: DocumentStore) -> None:
    assert result_of_recovered(claim_of(interruptions=3), store, CLOCK) is None
    dead_run_stored(store, NOTHING, SIGNATURE, lost=1)
    assert result_of_recovered(claim_of(interruptions=3), store, CLOCK) is None
    dead_run_stored(store, LETTER, SIGNATURE, lost=1)
    result = result_of_recovered(claim_of(interruptions=3), store, CLOCK)
    assert result is not None
    assert LETTER.content in contents(result)


# ---------------------------------------------------------------- the record of a delivery


NEVER = Failure(ErrorKind.POD_NEVER_AVAILABLE, "no proofs", delivery=DELIVERY)
NOT_YET = Failure(ErrorKind.POD_NOT_AVAILABLE_YET, "none yet", delivery=DELIVERY)


@pytest.mark.parametrize(
    ("failure", "known", "is_recorded"),
    [
        (NEVER, None, True),
        (Failure(ErrorKind.POD_NEVER_AVAILABLE, "no proofs"), DELIVERY, True),
        (Failure(ErrorKind.POD_NEVER_AVAILABLE, "no proofs", delivery=Delivery(day=AT.date())), None, True),
        (Failure(ErrorKind.POD_NEVER_AVAILABLE, "no proofs"), None, False),
        (Failure(ErrorKind.POD_NEVER_AVAILABLE, "no proofs", delivery=Delivery(None, "DUPONT")), None, False),
        (Failure(ErrorKind.POD_NEVER_AVAILABLE, "x", delivery=Delivery(AT, is_assumed=True)), None, False),
        (NOT_YET, None, False),
        (Failure(ErrorKind.NOT_DELIVERED_YET, "on its way"), DELIVERY, False),
    ],
)
def test_a_tracking_record_is_stored_if_no_document_will_be_available(
    failure: Failure, known: Delivery | None, store: DocumentStore, *, is_recorded: bool
) -> None:
    result, _ = ended(store, failure, claim_of(delivery=known))
    assert result.outcome == failure  # it remains a failure
    assert [piece.kind for piece in result.evidence] == [EvidenceKind.RECORD] * is_recorded


def test_the_same_delivery_has_one_record(store: DocumentStore) -> None:
    first, second = (ended(store, NEVER, claim_of())[0] for _ in range(2))
    assert first.evidence == second.evidence
    assert len(list(store.folder.rglob("*.record"))) == 1
