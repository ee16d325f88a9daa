"""`recours dossier`: the ZIP for a mediator. The cover page is read as text, and the files are verified."""

import hashlib
import io
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pypdfium2
import pytest

from recours.carriers.registry import CATALOG
from recours.sandbox import Scenario
from recours.sandbox.documents import proof_pdf
from tests.acceptance.person import Person, QuickPerson
from tests.acceptance.simulation import Service
from tests.fakes.tsa import NEEDS_OPENSSL, authority_in
from tests.rows import row

DISPUTES = ("lost", "late_delivery", "invalid_pod", "damaged", "unheard_of")


@pytest.fixture
def quick(service: Service, url: str) -> Person:
    return QuickPerson.of(service, url)


def dossier_of(person: Person, reference: str, language: str = "en") -> dict[str, bytes]:
    """The files of a claim's dossier, after a check of their sums."""
    path = person.folder / f"{reference}-{language}.zip"
    person.does("dossier", reference, "--language", language, "-o", str(path))
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    sums = files.pop("SHA256SUMS").decode().splitlines()
    assert sums == [f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in files.items()]
    return files


def text_of(pdf: bytes) -> str:
    pages = pypdfium2.PdfDocument(io.BytesIO(pdf))
    return " ".join(" ".join(page.get_textpage().get_text_range().split()) for page in pages)


def test_a_mediator_reads_who_received_the_parcel_when_and_what_is_missing(
    service: Service, quick: Person
) -> None:
    issuing = [spec for spec in CATALOG.specs.values() if spec.issues_documents]
    for number, spec in enumerate(issuing):
        dispute = DISPUTES[number % len(DISPUTES)]
        service.add(Scenario.DELIVERED, carrier=spec.name, dispute_type=dispute, order_id=f"ORDER-{number}")
    assert service.run().stats.success == len(issuing)
    for number, spec in enumerate(issuing):
        reference = f"CLM-{number + 1:04d}"
        with row(spec.name, DISPUTES[number % len(DISPUTES)]):
            files = dossier_of(quick, reference)
            (document,) = [content for name, content in files.items() if name.startswith("1-")]
            ((path,),) = service.sql("SELECT pod_url FROM claims WHERE claim_reference = ?", reference)
            assert document == Path(path).read_bytes()
            cover = text_of(files["cover-page.pdf"])
            for fact in (
                reference,
                spec.name,
                f"ORDER-{number}",
                "Received by: DUPONT",
                "Delivered on: 1 Feb 2026",
            ):
                assert fact in cover, fact
            assert "the contents of the parcel" in cover
            assert ("the promised delivery date" in cover) is (
                DISPUTES[number % len(DISPUTES)] == "late_delivery"
            )
            if DISPUTES[number % len(DISPUTES)] == "damaged":
                assert "are not enough: no document shows the parcel's condition" in cover
    french = text_of(dossier_of(quick, "CLM-0001", "fr")["page-de-garde.pdf"])
    assert "Ces documents prouvent la livraison en cas de litige pour colis perdu." in french
    assert "Reçu par : DUPONT" in french


def test_a_mediator_reads_what_the_carrier_answered_before(service: Service, quick: Person) -> None:
    service.add(Scenario.IN_TRANSIT, Scenario.DELIVERED, carrier="UPS")
    service.run()
    service.run_hourly(7)
    cover = text_of(dossier_of(quick, "CLM-0001")["cover-page.pdf"])
    assert "The carrier's answers • 2 Feb 2026, 09:00 CET: The parcel has not been delivered yet" in cover
    assert "Signature: yes, see document 2" in cover


def test_a_dossier_is_refused_where_the_evidence_is_missing_or_was_changed(
    service: Service, quick: Person
) -> None:
    service.add(Scenario.DELIVERED)
    service.add(Scenario.IN_TRANSIT)
    service.run()
    ((path,),) = service.sql("SELECT pod_url FROM claims WHERE claim_reference = 'CLM-0001'")
    Path(path).write_bytes(b"%PDF-1.4 forged")
    for reference, reason in {
        "CLM-0001": "is missing or was changed, so no dossier was created",
        "CLM-0002": "There is no proof of delivery for CLM-0002 yet",
        "CLM-9999": "There is no claim 'CLM-9999'",
    }.items():
        done = quick.types("dossier", reference, "-o", str(service.folder / "refused.zip"))
        assert done.returncode != 0
        assert reason in done.stderr
    assert not (service.folder / "refused.zip").exists()


def test_control_characters_from_the_service_are_shown_escaped(service: Service, quick: Person) -> None:
    service.add(Scenario.DELIVERED, order_id="<b>O-1</b>\u202e\x07")
    service.run()
    assert r"<b>O-1</b>\u202e\x07" in text_of(dossier_of(quick, "CLM-0001")["cover-page.pdf"])


def test_a_number_with_a_slash_creates_no_folder(service: Service, quick: Person) -> None:
    number = "AB/../1234"
    service.add(carrier="Relais Colis", number=number)
    proof = service.folder / "proof.pdf"
    proof.write_bytes(proof_pdf("Relais Colis", number, "DUPONT", service.clock.now() - timedelta(days=1)))
    service.run()
    quick.does("attach", "CLM-0001", str(proof))
    assert "1-proof-of-delivery-AB-1234.pdf" in dossier_of(quick, "CLM-0001")


def test_an_existing_file_is_not_overwritten(service: Service, quick: Person) -> None:
    service.add(Scenario.DELIVERED)
    service.run()
    path = service.folder / "mine.zip"
    path.write_text("mine")
    done = quick.types("dossier", "CLM-0001", "-o", str(path))
    assert (done.returncode, path.read_text()) == (2, "mine")
    assert "already exists" in done.stderr


@NEEDS_OPENSSL
def test_the_timestamp_that_covers_the_proof_is_in_the_dossier(
    service: Service, quick: Person, stack: ExitStack
) -> None:
    service.add(Scenario.DELIVERED)
    service.run()
    assert not [name for name in dossier_of(quick, "CLM-0001") if name.startswith("manifests/")]
    authority = stack.enter_context(authority_in(service.folder / "authority"))
    root = authority.folder / "root.pem"
    service.environment |= {"RECOURS_TSA_URL": authority.url, "RECOURS_TSA_CERT": str(root)}
    service.add(Scenario.DELIVERED)
    service.run()
    files = dossier_of(QuickPerson.of(service, quick.url), "CLM-0001", "fr")
    (token,) = [name for name in files if name.endswith(".tsr")]
    manifests = sorted(name for name in files if name.endswith(".txt") and name.startswith("manifests/"))
    assert len(manifests) == 2  # the first names the proof, the second the first
    proof = next(content for name, content in files.items() if name.startswith("1-"))
    assert hashlib.sha256(proof).hexdigest() in files[manifests[0]].decode()
    assert f"# previous {hashlib.sha256(files[manifests[0]]).hexdigest()}" in files[manifests[1]].decode()
    folder = service.folder / "unpacked"
    folder.mkdir()
    (folder / "stamp.tsr").write_bytes(files[token])
    (folder / "manifest.txt").write_bytes(files[manifests[1]])
    command = ["openssl", "ts", "-verify", "-data", "manifest.txt", "-in", "stamp.tsr", "-CAfile", str(root)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout + done.stderr


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack
