"""`recours appraise`: documents that an older version stored, by real commands on real databases."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recours.sandbox import Scenario
from recours.sandbox.documents import proof_pdf
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service

NUMBER = "XY009999999FR"
PAGE = (
    b"<!doctype html><html><body><h1>404 Not Found</h1><p>The document is not available.</p></body></html>"
    + b" " * 64
)
HOLLOW, CHANGED, GONE, GOOD = "CLM-0001", "CLM-0002", "CLM-0003", "CLM-0004"


@pytest.fixture
def older(service: Service) -> Service:
    """Four claims whose documents a version stored that kept no evidence."""
    good = proof_pdf("Chronopost", NUMBER, "DUPONT", datetime(2026, 2, 1, 9, tzinfo=UTC))
    folder = service.folder / "data" / "pods" / "chronopost"
    folder.mkdir(parents=True)
    for place, content in enumerate((PAGE, good + b"\n", good + b"\n\n", good), 1):
        digest = hashlib.sha256(content).hexdigest()
        path = (
            folder / f"CLM-000{place}_{place}_{NUMBER}_{digest[:16]}{'.html' if content == PAGE else '.pdf'}"
        )
        path.write_bytes(content)
        service.add(number=NUMBER, pod_fetch_status="success", pod_url=str(path), pod_seen_status="success", pod_seen_number=NUMBER,
                    pod_seen_carrier="Chronopost", pod_carrier_key="chronopost", pod_retry_count=0, pod_seen_count=0)  # fmt: skip
        service.sql(
            "INSERT INTO recours_attempts (claim_id, run_id, worker, carrier, tracking_number, turn, started_at, duration_s, "
            "calls, outcome, used, signatory, document_path, document_sha256, document_size, document_type, document_source) "
            "VALUES (?, 'r', 'pod_fetch_worker', 'chronopost', ?, 0, '2026-02-01 10:00:00', 1, 1, 'success', ?, 'DUPONT', ?, ?, "
            "?, 'application/pdf', 'chronopost searchPOD')",
            place, NUMBER, True, str(path), digest, len(content),
        )  # fmt: skip
    paths = [Path(path) for (path,) in service.sql("SELECT pod_url FROM claims ORDER BY id")]
    paths[1].write_bytes(b"changed")
    paths[2].unlink()
    return service


def test_each_document_is_examined_once_and_those_that_prove_nothing_are_named(
    person: Person, older: Service
) -> None:
    assert "not examined yet" in person.does("why", GOOD)
    assert "recours appraise CLM-0004" in person.does("why", GOOD)
    for options in (("--dry-run",), ()):
        done = person.types("appraise", *options)
        assert done.returncode == 1
        assert f"{HOLLOW}: " in done.stdout
        assert "proves nothing: it " in done.stdout
        assert f"{CHANGED}: " in done.stdout
        assert f"{GONE}: " in done.stdout
        assert "2 documents examined, 1 of which prove nothing." in done.stdout
    kept = older.sql("SELECT claim_id, refused IS NULL, run_id FROM recours_evidence ORDER BY claim_id")
    assert [(claim, bool(good), run) for claim, good, run in kept] == [(1, False, "r"), (4, True, "r")]
    assert [
        (entry.count('"what":"adopted"'),) for (entry,) in older.sql("SELECT entry FROM recours_custody")
    ] == [(1,), (1,)]
    assert older.sql(
        "SELECT count(*) FROM claims WHERE pod_fetch_status = 'success' AND pod_url IS NOT NULL"
    ) == [(4,)]
    again = person.types("appraise")
    assert (again.returncode, "0 documents examined" in again.stdout) == (1, True)
    assert person.types("appraise", GOOD).returncode == 0
    assert person.types("appraise", "CLM-9").returncode == 2
    assert "signed by " in person.does("why", GOOD)
    assert "refused as a proof: it " in person.does("why", HOLLOW)
    assert Path(older.sql("SELECT pod_url FROM claims WHERE id = 1")[0][0]).exists()


def test_a_claim_whose_pod_proves_nothing_is_fetched_again_if_a_person_says_so(
    person: Person, older: Service
) -> None:
    assert "has its POD" in person.types("reopen", HOLLOW).stderr
    person.types("appraise")
    assert "has its POD" in person.types("reopen", GOOD).stderr
    assert "its POD proves nothing" in person.does("reopen", HOLLOW)
    assert older.sql("SELECT pod_fetch_status, pod_url FROM claims WHERE id = 1") == [("failed", None)]
    older.box.parcels.clear()
    older.add(Scenario.DELIVERED, number=NUMBER, pod_fetch_status="manual")
    older.clock.advance(datetime.now(UTC) + timedelta(minutes=1) - older.clock.now())
    older.run_hourly(2)
    ((status, path, retries),) = older.sql(
        "SELECT pod_fetch_status, pod_url, pod_retry_count FROM claims WHERE id = 1"
    )
    assert (status, retries) == ("success", 1)
    assert Path(path).read_bytes() != PAGE
    assert older.sql("SELECT what FROM recours_changes WHERE claim_id = 1") == [("reopened",)]
    assert person.types("verify", HOLLOW).returncode == 0
