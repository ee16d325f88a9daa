"""The service restores an older copy of its table: recours writes its results again, and fetches nothing twice."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from recours.core.claim import Stage
from recours.core.decision import succeed
from recours.core.outcome import StoredDocument
from recours.database.engine import Database
from tests.contract.test_changes import changes
from tests.contract.test_claims import NOW, SUCCESS, Run, attempt_at, edit, rows
from tests.own_rows import joined_row

HOUR = timedelta(hours=1)
OLDER = "pod_fetch_status = 'failed', pod_url = NULL, pod_fetched_at = NULL, pod_delivery_person = NULL"


@pytest.fixture
def run(database: Database, tmp_path: Path, add_claims: Callable[..., None]) -> Run:
    """A run that has just fetched the proof of the first of two claims."""
    run = Run(database)
    add_claims(database, [{"pod_retry_count": 1, "updated_at": NOW - 12 * HOUR}] * 2)
    run.keep()
    claim = next(claim for claim in run.take() if claim.id == 1)
    proof = tmp_path / "proof.pdf"
    proof.write_bytes(b"%PDF")
    document = StoredDocument(str(proof), "0" * 64, 4, "application/pdf", SUCCESS.delivery, "letter")
    decision = succeed(claim, SUCCESS, NOW)
    assert run.claims.record([(attempt_at(claim, decision, None, document), decision)], run.lease(), NOW)
    return run


def test_a_proof_that_an_older_row_does_not_know_is_reported_again(run: Run) -> None:
    fetched = joined_row(run.database, "CLM-00000")
    assert fetched["pod_fetch_status"] == "success"
    edit(run.database, f"UPDATE claims SET {OLDER}, pod_retry_count = 0 WHERE id = 1")
    run.keep(NOW + HOUR)
    again = joined_row(run.database, "CLM-00000")
    told = [name for name in fetched if name.startswith(("pod_", "seen_"))]
    assert {name: again[name] for name in told} == {name: fetched[name] for name in told}
    assert (again["stage"], again["owed_since"]) == ("done", None)
    assert changes(run.database) == []


@pytest.mark.parametrize(
    "edited",
    [
        "pod_fetch_status = 'pending'",
        f"{OLDER}, tracking_number = 'XY000000099FR'",
        f"{OLDER}, carrier = 'Other Carrier'",
        f"{OLDER}, claim_reference = 'CLM-00000b'",
    ],
)
def test_a_restarted_or_corrected_claim_is_fetched_again(run: Run, edited: str) -> None:
    edit(run.database, f"UPDATE claims SET {edited} WHERE id = 1")
    run.keep(NOW + HOUR)
    [row] = rows(run.database, "SELECT stage, owed FROM recours_claims WHERE claim_id = 1")
    assert row["stage"] in (Stage.NEW, Stage.READY, Stage.WAITING)
    assert row["owed"] is None


def test_a_proof_whose_file_is_gone_is_fetched_again(run: Run, tmp_path: Path) -> None:
    (tmp_path / "proof.pdf").unlink()
    edit(run.database, f"UPDATE claims SET {OLDER} WHERE id = 1")
    run.keep(NOW + HOUR)
    assert joined_row(run.database, "CLM-00000")["stage"] == "ready"
