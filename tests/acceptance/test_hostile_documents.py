"""Runs with a carrier that sends harmful PDFs, or with a damaged PDF process."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from recours.evidence import pdf_child, pdf_process
from recours.evidence.pdf_process import PdfProcess
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from recours.sandbox import documents as simulated
from tests.acceptance.simulation import Service, services
from tests.fakes.hostile_pdfs import HOSTILE

KILLED = "import os; os.write(1, bytes(5)); os.kill(os.getpid(), 9)"


@pytest.fixture
def service(
    tmp_path: Path, sandbox: Sandbox, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    process = PdfProcess()
    monkeypatch.setattr(pdf_process, "_process", process)
    with services(tmp_path, sandbox, clock) as make:
        yield make()
    process.end()


def send(
    service: Service, documents: dict[int, Callable[[], bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set the carrier's proofs for the claims."""
    rows = service.sql("SELECT id, tracking_number FROM claims")
    sent = {number: documents[claim] for claim, number in rows if claim in documents}
    proof_pdf = simulated.proof_pdf

    def proof(carrier: str, number: str, signatory: str, at: datetime) -> bytes:
        return sent[number]() if number in sent else proof_pdf(carrier, number, signatory, at)

    monkeypatch.setattr(simulated, "proof_pdf", proof)


def test_a_hostile_document_affects_only_its_own_claim(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a page of two gigabytes", "ten thousand pages", "pages that hold themselves")
    hostile = {service.add(Scenario.DELIVERED): HOSTILE[name] for name in names}
    (opening,) = (claim for claim, proof in hostile.items() if proof is HOSTILE["ten thousand pages"])
    good = [service.add(Scenario.DELIVERED) for _ in range(3)]
    send(service, hostile, monkeypatch)
    report = service.run(concurrency=4)
    assert report.exit_status == 0
    rows = service.sql(
        "SELECT claim_id, shown FROM recours_evidence WHERE kind = 'letter' AND refused IS NULL"
    )
    assert {claim for claim, _ in rows} == {opening, *good}
    assert {claim for claim, shown in rows if json.loads(shown).get("signatory")} == {*good}


def test_a_process_that_is_killed_each_time_does_not_count_as_an_attempt_and_loses_no_document(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = [service.add(Scenario.DELIVERED) for _ in range(3)]
    pictures = [service.add(Scenario.DELIVERED_PNG, carrier="Colissimo") for _ in range(2)]
    child = tmp_path / "child.py"
    child.write_text(KILLED)
    with monkeypatch.context() as patched:
        patched.setattr(pdf_child, "__file__", str(child))
        report = service.run()
    assert (report.exit_status, report.stats.success) == (1, len(pictures))
    assert service.sql("SELECT count(*) FROM recours_attempts WHERE used AND outcome <> 'success'") == [(0,)]
    assert service.sql("SELECT sum(pod_retry_count) FROM claims WHERE carrier = 'Chronopost'") == [(0,)]
    assert list(service.settings.pod_dir.rglob("*.pdf"))  # it cost a call, so it is kept
    assert service.run().stats.success == len(claims)
