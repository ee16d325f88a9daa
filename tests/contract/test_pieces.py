"""The rows of evidence, on real databases: written with the attempt, each part once."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select, text

from recours.core.claim import Claim, Delivery, Stage
from recours.core.decision import attach, decide, succeed
from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind, Findings
from recours.core.outcome import Failure, RecordedEvidence, Retrieved, StoredDocument
from recours.database.by_person import GivenUpClaims
from recours.database.engine import Database
from recours.database.erasing import ClaimErasure, Erased
from recours.database.evidence import add_evidence, evidence_rows, forget_refused
from recours.database.pruning import OldData, prune
from recours.database.tables import claims
from recours.reporting.reader import DatabaseRecords
from recours.runs.ports import ATTACHED, Attempt
from tests.conftest import add_claims
from tests.contract.test_claims import CATALOG, NOW, POLICY, Run, edit, rows
from tests.fakes.intake import assessor_of
from tests.own_rows import joined_row, joined_rows, set_own

DELIVERY = Delivery(NOW - timedelta(days=1), "DUPONT", place="LILLE")
SHOWN = Findings(is_readable=True, number=True, signatory="DUPONT", delivered="2026-02-01", place="LILLE")
LETTER = StoredDocument("/pods/a.pdf", "a" * 64, 99, "application/pdf", DELIVERY, "ups track", findings=SHOWN)
SIGNATURE = replace(
    LETTER, path="/pods/b.png", sha256="b" * 64, kind=EvidenceKind.SIGNATURE, findings=Findings()
)
BLANK = replace(
    LETTER, path="/pods/refused/c.pdf", sha256="c" * 64, refused="it is blank", findings=Findings()
)
LATER = NOW + timedelta(days=1)


@pytest.fixture
def run(database: Database) -> Run:
    add_claims(database, [{}])
    run = Run(database)
    run.keep()
    return run


def read(run: Run, claim_id: Any = 1) -> list[RecordedEvidence]:
    return DatabaseRecords(run.database, CATALOG).evidence(claim_id)


def record(run: Run, claim: Claim, *evidence: StoredDocument, failure: Failure | None = None) -> None:
    if failure:
        decision = decide(claim, failure, NOW, POLICY)
    else:
        decision = succeed(claim, Retrieved((), DELIVERY), NOW)
    outcome = "failed" if failure else "success"
    attempt = Attempt(claim, 1, NOW, 0.5, 2, outcome, decision.uses_attempt, failure, evidence)
    assert run.claims.record([(attempt, decision)], run.lease(), NOW) == [True]


def test_every_piece_has_a_row_and_the_attempt_has_the_best(run: Run) -> None:
    (claim,) = run.take()
    record(run, claim, SIGNATURE, BLANK, LETTER)
    assert read(run) == [
        RecordedEvidence(
            claim_id=claim.id,
            carrier="chronopost",
            number=claim.number or "",
            kind=document.kind,
            source="ups track",
            obtained_at=NOW,
            path=document.path,
            sha256=document.sha256,
            size=99,
            media_type="application/pdf",
            run_id="run-1",
            refused=document.refused,
            findings=document.findings,
            delivery=DELIVERY,
        )
        for document in (SIGNATURE, BLANK, LETTER)
    ]
    assert read(run)[0].delivery.place == "LILLE"
    (attempt,) = rows(run.database, "SELECT document_path FROM recours_attempts")
    (row,) = rows(run.database, "SELECT pod_url FROM claims")
    (document,) = rows(run.database, "SELECT path FROM recours_documents")
    assert attempt["document_path"] == row["pod_url"] == document["path"] == LETTER.path


def test_evidence_of_an_attempt_that_failed_is_kept(run: Run) -> None:
    (claim,) = run.take()
    record(run, claim, BLANK, failure=Failure(ErrorKind.BAD_RESPONSE, "it is blank"))
    assert [piece.refused for piece in read(run)] == ["it is blank"]
    (attempt,) = rows(run.database, "SELECT document_path FROM recours_attempts")
    assert attempt["document_path"] is None


def test_nothing_is_attached_to_a_claim_edited_in_the_meantime(run: Run) -> None:
    """The person is asked to retry, and must not then get the message that the claim already has this file."""
    (claim,) = run.take()
    with run.database.write() as connection:
        connection.execute(text("UPDATE claims SET tracking_number = 'XY000000001FR'"))
    attempt = Attempt(claim, 0, NOW, 0.0, 0, ATTACHED, uses_attempt=False, evidence=(LETTER,), by="Anna")
    assert run.claims.record([(attempt, attach(claim, DELIVERY, SHOWN))], run.lease(), NOW) == [False]
    assert read(run) == []
    for table in ("recours_attempts", "recours_changes"):
        assert rows(run.database, f"SELECT * FROM {table}") == []
    row = joined_row(run.database, claim.reference)
    assert (row["pod_url"], row["lease_token"]) == (None, None)


def test_a_document_obtained_again_has_one_row_with_the_latest_facts(run: Run) -> None:
    (claim,) = run.take()
    for at, document in ((NOW, BLANK), (LATER, replace(BLANK, refused=None, path="/pods/c.pdf"))):
        with run.database.write() as connection:
            add_evidence(connection, evidence_rows(claim, [document], at, run_id="run-2"))
    (piece,) = read(run)
    assert (piece.obtained_at, piece.refused, piece.path) == (LATER, None, "/pods/c.pdf")


def test_the_same_file_of_another_claim_has_a_row_of_its_own(run: Run) -> None:
    (claim,) = run.take()
    with run.database.write() as connection:
        for n in (1, 2):
            add_evidence(connection, evidence_rows(replace(claim, id=n), [LETTER], NOW, by="Anne"))
    assert [len(read(run, n)) for n in (1, 2, 3)] == [1, 1, 0]
    assert read(run)[0].by == "Anne"


def test_rejected_files_are_deleted_in_portions_after_their_retention(run: Run) -> None:
    (claim,) = run.take()
    others = [replace(BLANK, path=f"/pods/refused/{n}.pdf", sha256=f"{n:064d}") for n in range(150)]
    stuck = replace(BLANK, path="/pods/refused/stuck.pdf", sha256="d" * 64)
    record(run, claim, LETTER, SIGNATURE, *others, stuck)
    erased: list[str] = []

    def erase(path: str, sha256: str) -> str | None:
        if path == stuck.path:
            return "Permission denied"
        erased.append(path)
        return None

    assert forget_refused(run.database, NOW, erase, LATER) == 0
    done = [forget_refused(run.database, LATER, erase, LATER) for _ in range(3)]
    assert (sum(done), max(done) <= 100, done[2]) == (150, True, 0)
    assert sorted(erased) == sorted(one.path for one in others)
    assert [piece.path for piece in read(run)] == [LETTER.path, SIGNATURE.path, stuck.path]


def test_undeletable_files_do_not_block_the_deletion_of_others(run: Run) -> None:
    (claim,) = run.take()
    pieces = [replace(BLANK, path=f"/pods/refused/{n}.pdf", sha256=f"{n:064d}") for n in range(130)]
    record(run, claim, LETTER, *pieces)
    may_go = {piece.path for piece in pieces[120:]}

    def erase(path: str, _: str) -> str | None:
        return None if path in may_go else "Permission denied"

    assert sum(forget_refused(run.database, LATER, erase, LATER) for _ in range(30)) == 10


def test_a_document_obtained_again_during_its_deletion_is_not_recorded_as_erased(run: Run) -> None:
    (claim,) = run.take()
    record(run, claim, LETTER, BLANK)

    def erase(*_: str) -> None:
        with run.database.write() as connection:
            add_evidence(connection, evidence_rows(claim, [BLANK], LATER))

    assert forget_refused(run.database, LATER, erase, LATER) == 0
    assert rows(run.database, "SELECT * FROM recours_erasures") == []


def test_prune_keeps_a_file_that_was_obtained_again(run: Run) -> None:
    (claim,) = run.take()
    record(run, claim, LETTER)
    with run.database.write() as connection:
        add_evidence(connection, evidence_rows(claim, [LETTER], LATER))
    erased: list[str] = []
    past = OldData(run.database, "prune")
    done = prune(past, lambda path, _: erased.append(path), LATER, lambda: LATER)
    assert (done.attempts, erased, [piece.path for piece in read(run)]) == (1, [], [LETTER.path])
    prune(past, lambda path, _: erased.append(path), LATER + timedelta(days=1), lambda: LATER)
    assert (erased, read(run)) == ([LETTER.path], [])


def test_files_of_an_erased_claim_are_deleted_while_its_row_is_locked(run: Run) -> None:
    (claim,) = run.take()
    record(run, claim, LETTER, BLANK)
    calls = count()
    with ExitStack() as others:

        def now() -> datetime:
            if next(calls) == 1 and not run.database.is_sqlite:  # which has one lock for all
                connection = others.enter_context(run.database.write())
                connection.execute(select(claims.c.claim_id).with_for_update())
            return LATER

        assert ClaimErasure(run.database).erase([claim.id], lambda *_: None, now, Erased()) == {claim.id}
    assert read(run) == []


def test_a_rejected_file_that_was_once_accepted_is_kept(run: Run) -> None:
    """The attempt and the claim name it: other rules applied when it was received."""
    (claim,) = run.take()
    record(run, claim, LETTER)
    with run.database.write() as connection:
        add_evidence(connection, evidence_rows(claim, [replace(LETTER, refused="it is blank")], NOW))
    assert forget_refused(run.database, LATER, lambda *_: None, LATER) == 0


def test_a_leased_claim_is_not_reopened(run: Run) -> None:
    run.add([{"claim_reference": "CLM-2"}])
    edit(run.database, "UPDATE claims SET pod_retry_count = 4")
    for reference in ("CLM-00000", "CLM-2"):
        set_own(run.database, reference, retries_used=4, seen_count="4", stage=Stage.GIVEN_UP)
    found = [one for one in map(run.claims.find, ("CLM-00000", "CLM-2")) if one]
    set_own(run.database, "CLM-00000", lease_token="x", lease_until=NOW + timedelta(minutes=9))
    given_up = GivenUpClaims(assessor_of(run.database, CATALOG, POLICY))
    assert given_up.start_over(found, "ann", NOW) == {2}
    set_own(run.database, "CLM-00000", lease_token=None, lease_until=None)
    assert given_up.start_over(found, "ann", NOW) == {1}
    for row in joined_rows(run.database):
        assert (row["pod_fetch_status"], row["pod_retry_count"], row["stage"]) == ("failed", 0, "waiting")


def test_a_dispute_is_read_without_blanks_and_capitals(run: Run) -> None:
    with run.database.write() as connection:
        connection.execute(text("UPDATE claims SET dispute_type = '  Lost\t' WHERE id = 1"))
    listed = DatabaseRecords(run.database, CATALOG).find("CLM-00000")
    assert listed is not None
    assert listed.dispute == "lost"
