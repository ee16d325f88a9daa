"""The service restores an older copy of its table, or drops columns: recours writes its results again.

Nothing is fetched twice.
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from recours.core.claim import Stage
from recours.core.decision import succeed
from recours.core.outcome import StoredDocument
from recours.database.border import INDEX, POD_COLUMNS
from recours.database.engine import Database, DatabaseError
from recours.database.schema.creation import bring_up_to_date, complete
from recours.database.schema.inspection import inspect_schema
from tests.contract.test_changes import changes
from tests.contract.test_claims import NOW, SUCCESS, TIMED_OUT, Run, attempt_at, edit, rows
from tests.own_rows import joined_row, joined_rows

HOUR = timedelta(hours=1)
OLDER = "pod_fetch_status = 'failed', pod_url = NULL, pod_fetched_at = NULL, pod_delivery_person = NULL"


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Run:
    """A run that has just fetched the proof of the first of two claims."""
    run = Run(database)
    run.add([{"pod_retry_count": 1, "updated_at": NOW - 12 * HOUR}] * 2)
    claim = next(claim for claim in run.take() if claim.id == 1)
    proof = tmp_path / "proof.pdf"
    proof.write_bytes(b"%PDF")
    document = StoredDocument(str(proof), "0" * 64, 4, "application/pdf", SUCCESS.delivery, "letter")
    decision = succeed(claim, SUCCESS, NOW)
    attempt = replace(attempt_at(claim, decision, None, document), retry=2)
    assert run.claims.record([(attempt, decision)], run.lease(), NOW)
    return run


def test_a_proof_missing_from_an_older_row_is_written_again(run: Run) -> None:
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


@pytest.mark.parametrize("is_forgotten", [False, True])
@pytest.mark.parametrize("as_script", [False, True])
def test_dropped_columns_are_filled_again(run: Run, *, is_forgotten: bool, as_script: bool) -> None:
    """`is_forgotten`: recours's row of the finished claim was deleted, as runs do after 30 days."""
    failing = run.claims.find("CLM-00001")
    assert failing
    assert run.record(failing, TIMED_OUT)
    if is_forgotten:
        edit(run.database, "DELETE FROM recours_claims WHERE stage = 'done'")
    before = joined_rows(run.database)
    with run.database.write() as connection:
        connection.exec_driver_sql(f"DROP INDEX {INDEX}")
        for column in POD_COLUMNS:
            connection.exec_driver_sql(f"ALTER TABLE claims DROP COLUMN {column}")
    run.database.reinspect()
    with pytest.raises(DatabaseError, match="recours init-db") as raised:
        bring_up_to_date(run.database, inspect_schema(run.database))
    if as_script:
        with run.database.outside_transactions() as connection:
            for statement in raised.value.details:
                connection.exec_driver_sql(statement)
        run.database.reinspect()
    else:
        assert any("Restored columns of claims" in remark for remark in complete(run.database))
    for row, restored in zip(before, joined_rows(run.database), strict=True):
        fetched_at = restored.pop("pod_fetched_at")
        assert (fetched_at and fetched_at.replace(microsecond=0)) == row.pop("pod_fetched_at")
        assert restored == row
    run.keep(NOW + HOUR)
    assert run.take(now=NOW + HOUR) == []
    assert changes(run.database) == []
