"""One claim on the dashboard: its state and the reason, its proof and evidence, its history, and possible actions."""

import io
import re
import time
import zipfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, text

from recours.carriers.registry import CATALOG
from recours.core.claim import Stage
from recours.core.localized import Localized
from recours.core.pauses import Stop
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.database.tables import evidence
from recours.sandbox.documents import broken_pdf, proof_pdf, signature_png
from tests.conftest import START, add_claims
from tests.contract.test_claims import POLICY
from tests.fakes.intake import take_in
from tests.integration.page.conftest import AT, PageClient, Shown
from tests.own_rows import set_assessed, set_own, set_service

NUMBER = "XY000000000FR"
PROOF = proof_pdf("Chronopost", NUMBER, "DUPONT", START - timedelta(days=1))
WEB_PAGE = f"""<!doctype html><html><body><script>document.title = "run"</script><h1>Proof of delivery</h1>
<table><tr><td>Tracking number</td><td>{NUMBER}</td></tr><tr><td>Received by</td><td>DUPONT</td></tr>
<tr><td>Delivered on</td><td>01/02/2026 10:31</td></tr></table></body></html>""".encode()
CLAIM = "/claim?reference=CLM-00000"


@pytest.fixture(autouse=True)
def _claims(database: Database) -> None:
    add_claims(
        database, [{}, {"claim_reference": "CLM-<b>1", "pod_fetch_error": "<script>alert(1)</script>"}]
    )


def attach(page: PageClient, content: bytes, name: str = "proof.pdf", **fields: str) -> Shown:
    sent = {"reference": "CLM-00000", "back": CLAIM, **fields}
    files = {"file": (name, content, "application/octet-stream")}
    return Shown(page.client.post("/claim/attach", data=sent, files=files, headers={"Origin": AT}))


def changed(database: Database, **values: Any) -> None:
    set_service(database, "CLM-00000", **values)


def assessed(database: Database, **values: Any) -> None:
    """The state after a run that assessed the service's current values."""
    take_in(database, CATALOG, START, POLICY)
    set_own(database, "CLM-00000", **values)


def documents_of(shown: Shown) -> list[str]:
    """The addresses of documents that the page shows or offers."""
    found = re.findall(r'(?:src|href)="(/document[^"]*)"', shown.html)
    return [address.replace("&amp;", "&") for address in found]


# ---------------------------------------------------------------- where it stands


def test_a_claim_shows_its_client_amount_and_deadline(page: PageClient, database: Database) -> None:
    changed(database, response_deadline=START.date() + timedelta(days=3))
    text = page.get(CLAIM).text
    for fact in ("CLM-00000", "Chronopost", NUMBER, "O-0", "€10.00", "lost parcel", "5 Feb 2026", "number"):
        assert fact in text
    # The sentence of `claim_status`.
    assert "CLM-00000 is new or was edited. The next run will assess it." in text


def test_a_paused_carrier_is_why_a_claim_waits(page: PageClient, database: Database) -> None:
    assessed(database, stage=Stage.READY)
    QuotaTables(database).stop("chronopost", Stop(datetime.now(UTC), "by anna: strike"), "anna", "strike")
    text = page.get(CLAIM).text
    assert "is blocked until someone acts: Chronopost was paused manually" in text
    assert 'by anna ("strike").' in text
    assert "Resume Chronopost" in text
    until = datetime.now(UTC) + timedelta(hours=1)
    QuotaTables(database).stop("chronopost", Stop(datetime.now(UTC), "by anna", until), "anna")
    text = page.get(CLAIM).text
    assert f"Paused until {Localized('en', ZoneInfo('Europe/Paris')).minute(until)} by anna." in text
    assert "is waiting until" in text


def test_an_unknown_claim_is_not_found(page: PageClient) -> None:
    shown = page.get("/claim?reference=CLM-0000")
    assert (shown.status, "There is no claim 'CLM-0000'. Did you mean CLM-00000?" in shown.text) == (
        404,
        True,
    )
    for reference in ("", "%00", "%ED%A0%80", "x" * 5000):
        assert page.get(f"/claim?reference={reference}").status == 404


def test_external_text_is_escaped(page: PageClient) -> None:
    shown = page.get("/claim?reference=CLM-%3Cb%3E1")
    assert "CLM-<b>1" in shown.text.replace("&lt;", "<")
    assert "<b>1" not in shown.html
    assert "<script>alert" not in shown.html


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        ("/?claim=CLM-00000", "/claim?reference=CLM-00000"),
        ("/find?text=+clm-00000+", "/claim?reference=CLM-00000"),
        ("/find?text=XY0+%25", "/claims?text=XY0+%25"),
        ("/find?text=%00", "/claims?text=%00"),
        ("/find", "/claims"),
    ],
)
def test_an_exact_reference_leads_to_its_claim(page: PageClient, address: str, leads_to: str) -> None:
    page.client.follow_redirects = False
    assert page.get(address).response.headers["location"] == leads_to


# ---------------------------------------------------------------- the proof


def test_a_pdf_is_drawn_and_can_be_saved(page: PageClient) -> None:
    shown = attach(page, PROOF, signed_by="", at="2026-02-01")
    assert "CLM-00000: proof of delivery attached." in shown.text
    assert "signed by DUPONT" in shown.text
    assert re.search(r"Proof attached \S.* CET · the operator signed by DUPONT", shown.text)
    saved, drawn = documents_of(shown)
    picture = page.get(drawn).response
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    assert picture.content.startswith(b"\x89PNG")
    file = page.get(saved).response
    assert file.content == PROOF
    assert file.headers["content-disposition"].startswith("attachment; filename*=UTF-8''CLM-00000")


def test_a_document_is_sent_so_that_nothing_in_it_comes_alive(page: PageClient) -> None:
    shown = attach(page, WEB_PAGE, "proof.html")
    frame = re.search(r"<iframe[^>]*>", shown.html)
    assert frame is not None
    assert 'sandbox="allow-same-origin"' in frame[0]
    for address in documents_of(shown):
        headers = page.get(address).response.headers
        policy = headers["content-security-policy"]
        assert policy.startswith("sandbox allow-same-origin; default-src 'none';")
        assert "script" not in policy
        assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("SAMEORIGIN", "nosniff")


def test_a_tracking_record_is_shown_line_by_line_with_no_sign_that_turns_others(
    page: PageClient, database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "pods" / "record.json"
    path.parent.mkdir()
    path.write_bytes(content := '{"place": "LYON\u202e", "by": "<b>DUPONT"}'.encode())
    row = {
        "claim_id": 1, "carrier": "chronopost", "tracking_number": NUMBER, "kind": "record", "source": "tracking",
        "obtained_at": START, "path": str(path), "sha256": sha256(content).hexdigest(), "size": len(content),
        "media_type": "application/json", "shown": {},
    }  # fmt: skip
    with database.write() as connection:
        connection.execute(insert(evidence).values(row))
    changed(database, pod_url=str(path), pod_fetch_status="success")
    shown = page.get(CLAIM)
    assert (
        "{\n  &#34;place&#34;: &#34;LYON\\u202e&#34;,\n  &#34;by&#34;: &#34;&lt;b&gt;DUPONT&#34;\n}"
        in shown.html
    )
    assert "\u202e" not in shown.text


@pytest.mark.parametrize(
    ("name", "saved_as"),
    [
        ("proof\u202efdp.exe", "proof%5Cu202efdp.pdf"),  # which would be shown as proofexe.pdf
        ("x\r\nSet-Cookie: a=b.hta", "x%5Cx0d%5Cx0aSet-Cookie%3A%20a%3Db.pdf"),
    ],
)
def test_a_document_is_saved_by_a_name_that_is_harmless(
    page: PageClient, database: Database, tmp_path: Path, name: str, saved_as: str
) -> None:
    path = tmp_path / "pods" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(PROOF)
    changed(database, pod_url=str(path), pod_fetch_status="success")
    headers = page.get("/document?claim=CLM-00000").response.headers
    assert headers["content-disposition"] == f"attachment; filename*=UTF-8''{saved_as}"
    assert "set-cookie" not in headers


def test_each_piece_of_evidence_can_be_shown(page: PageClient) -> None:
    attach(page, PROOF)
    shown = attach(page, signature_png("a"), "signature.png", kind="signature")
    assert "attached as further evidence" in shown.text
    (other,) = re.findall(r'href="(/claim\?[^"]*piece=[^"]*)#proof"', shown.html)
    shown = page.get(other.replace("&amp;", "&"))
    assert "<h2>Signature</h2>" in shown.html
    _, picture = documents_of(shown)
    assert page.get(picture).response.headers["content-type"] == "image/png"
    assert page.get(picture).response.headers["content-disposition"] == "inline"


def test_a_file_changed_since_it_was_stored_is_reported(page: PageClient, tmp_path: Path) -> None:
    attach(page, PROOF)
    (stored,) = tmp_path.rglob("*.pdf")
    stored.chmod(0o600)
    stored.write_bytes(proof_pdf("Chronopost", NUMBER, "SOMEBODY ELSE", START))
    assert "has changed since it was stored" in page.get(CLAIM).text


def test_the_signatory_of_a_proof_fetched_by_other_software_is_shown(
    page: PageClient, database: Database
) -> None:
    changed(database, pod_fetch_status="success", pod_url="/elsewhere.pdf", pod_delivery_person="Mme ROUX")
    assert "Signed by Mme ROUX" in page.get(CLAIM).text
    changed(database, pod_fetch_status="failed")
    assert "Mme ROUX" not in page.get(CLAIM).text


@pytest.mark.parametrize("place", ["/etc/hostname", "https://elsewhere.example/pod.pdf"])
def test_documents_of_other_software_are_shown_as_text_and_never_opened(
    page: PageClient, database: Database, place: str
) -> None:
    changed(database, pod_fetch_status="success", pod_url=place)
    shown = page.get(CLAIM)
    assert "Other software stored this document, so it is not opened here" in shown.text
    assert documents_of(shown) == []
    assert page.get("/document?claim=CLM-00000").status == 404


def test_a_file_that_is_no_document_gives_a_sentence(
    page: PageClient, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "pods").mkdir(exist_ok=True)
    (tmp_path / "pods" / "pod.pdf").write_bytes(broken_pdf())
    changed(database, pod_fetch_status="success", pod_url=str(tmp_path / "pods" / "pod.pdf"))
    shown = page.get(CLAIM)
    assert (shown.status, "The file is not a document" in shown.text) == (200, True)


@pytest.mark.parametrize("number", ["0", "2", "²", "0001" + "9" * 5000])
def test_an_unknown_page_of_a_document_is_not_found(page: PageClient, number: str) -> None:
    attach(page, PROOF)
    assert page.get(f"/document?claim=CLM-00000&page={number}").status in (404, 422)


# ---------------------------------------------------------------- what happened


def test_an_action_is_in_the_history_with_its_author_and_time(page: PageClient) -> None:
    shown = page.post(
        "/claims/do", {"do": "exclude", "reference": "CLM-00000", "why": "paid <twice>", "back": CLAIM}
    )
    assert "CLM-00000 excluded: recours no longer works on it." in shown.text
    history = shown.text.partition("History")[2]
    for fact in ("Excluded", "operator", "'paid <twice>'"):
        assert fact in history


# ---------------------------------------------------------------- what can be done


@pytest.mark.parametrize(
    ("service", "own", "button"),
    [
        ({}, {"stage": Stage.WAITING, "kind": "timeout"}, "Fetch now"),
        ({"tracking_number": "TRACK1"}, {"stage": Stage.READY}, "Correct …"),
        ({"tracking_number": None}, {"stage": Stage.UNNUMBERED}, "Correct …"),
        ({"carrier": "Hermes"}, {"stage": Stage.READY}, "Correct …"),
        ({}, {"stage": Stage.SETTLED, "kind": "invalid_tracking"}, "Correct …"),
        ({}, {"stage": Stage.SETTLED, "kind": "pod_never_available"}, "Attach a file …"),
        ({}, {"stage": Stage.WAITING, "kind": "not_found"}, "Fetch now"),
        (
            {"pod_retry_count": 4},
            {"stage": Stage.GIVEN_UP, "retries_used": 4, "kind": "not_found"},
            "Correct …",
        ),
        (
            {"pod_retry_count": 4},
            {"stage": Stage.GIVEN_UP, "retries_used": 4, "kind": "timeout"},
            "Fetch now",
        ),
        ({"pod_fetch_status": "manual"}, {}, "Enroll"),
    ],
)
def test_the_main_button_depends_on_the_claim(
    page: PageClient, database: Database, service: dict[str, Any], own: dict[str, Any], button: str
) -> None:
    changed(database, **{"order_id": "O-1", **service})
    set_assessed(database, "CLM-00000", lane="chronopost", **own)
    assert main_buttons(page.get(CLAIM)) == [button]


def test_a_claim_of_a_paused_carrier_needs_it_resumed_and_one_with_a_proof_nothing(
    page: PageClient, database: Database
) -> None:
    assessed(database, stage=Stage.READY)
    QuotaTables(database).stop("chronopost", Stop(datetime.now(UTC), "by anna"), "anna", "")
    assert main_buttons(page.get(CLAIM)) == ["Resume Chronopost"]
    changed(database, pod_fetch_status="success")
    assert main_buttons(page.get(CLAIM)) == []


def main_buttons(shown: Shown) -> list[str]:
    """The main buttons of the actions; the main button is first."""
    actions = shown.html.partition('class="row actions"')[2].partition("<dialog")[0]
    labels = re.findall(r"<button([^>]*)>(?:<svg.*?</svg>)?([^<]*)", actions)
    main = [label for attributes, label in labels if 'class="main"' in attributes]
    assert main in ([], [labels[0][1]])
    return main


def test_a_number_is_corrected(page: PageClient, database: Database) -> None:
    shown = page.post(
        "/claim/correct", {"reference": "CLM-00000", "number": "XY999999999FR", "carrier": "", "back": CLAIM}
    )
    assert "CLM-00000 corrected: the next run starts over." in shown.text
    assert "tracking number XY000000000FR → XY999999999FR" in shown.text
    with database.read() as connection:
        corrected = connection.scalar(text("SELECT tracking_number FROM claims ORDER BY id"))
        assert corrected == "XY999999999FR"
    shown = page.post("/claim/correct", {"reference": "CLM-00000", "number": "nonsense", "back": CLAIM})
    assert '<section class="notice bad"' in shown.html


def test_a_given_up_claim_can_be_reopened(page: PageClient, database: Database) -> None:
    assert "Reopen" not in page.get(CLAIM).text
    assessed(database, stage=Stage.GIVEN_UP, retries_used=4, seen_count="4")
    changed(database, pod_retry_count=4)
    assert "Reopen" in page.get(CLAIM).text
    shown = page.post("/claims/do", {"do": "reopen", "reference": "CLM-00000", "back": CLAIM})
    assert "CLM-00000 reopened: the next run asks the carrier." in shown.text


def test_an_excluded_claim_is_enrolled_again(page: PageClient) -> None:
    page.post("/claims/do", {"do": "exclude", "reference": "CLM-00000", "why": "a mistake", "back": CLAIM})
    shown = page.get(CLAIM)
    assert "Enroll" in shown.text
    assert 'value="exclude"' not in shown.html
    shown = page.post("/claims/do", {"do": "enroll", "reference": "CLM-00000", "back": CLAIM})
    assert "CLM-00000 enrolled" in shown.text


def test_a_notice_is_updated_until_the_fetch_ends(page: PageClient) -> None:
    attach(page, PROOF)
    shown = page.post("/claims/do", {"do": "fetch", "reference": "CLM-00000", "back": CLAIM})
    key = shown.response.url.params["notice"]
    for _ in range(300):
        shown = page.get(f"/notice?key={key}")
        if "data-under-way" not in shown.html:
            break
        assert "The carrier is asked" in shown.text
        time.sleep(0.1)
    assert shown.text == "CLM-00000 already has its proof of delivery; nothing was done."


@pytest.mark.parametrize(
    ("content", "name", "fields", "sentence"),
    [
        (PROOF, "", {}, "Select a file first."),
        (b"MZ" * 500, "proof.exe", {}, "proof.exe cannot be attached: it is not an HTML"),
        (PROOF + bytes(20 * 1024 * 1024), "proof.pdf", {}, "proof.pdf is larger than 20 MB."),
        (PROOF, "proof.pdf", {"at": "yesterday"}, "'yesterday' is not a date."),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_taken_is_refused_with_a_sentence(
    page: PageClient, tmp_path: Path, content: bytes, name: str, fields: dict[str, str], sentence: str
) -> None:
    shown = attach(page, content, name, **fields)
    assert sentence in shown.text
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix == ".pdf"]


def test_a_body_that_does_not_end_is_refused(page: PageClient) -> None:
    assert attach(page, bytes(23 * 1024 * 1024)).status == 413


def test_a_french_reader_reads_french(page: PageClient) -> None:
    page.post("/language", {"language": "fr", "back": "/"})
    shown = attach(page, PROOF)
    for phrase in (
        "preuve de livraison jointe",
        "Éléments de preuve",
        "Historique",
        "Preuve de livraison",
        "colis perdu",
    ):
        assert phrase in shown.text


# ---------------------------------------------------------------- a way back


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Detach", "the proof was detached", "took it back", "Accept as proof", "proof of delivery attached", "Enter a reason")),
        ("fr", ("Retirer", "la preuve est retirée", "refusé comme preuve : retiré par", "Accepter comme preuve", "preuve de livraison jointe", "Indiquez un motif")),
    ],
)  # fmt: skip
def test_a_proof_is_detached_and_a_rejected_file_accepted(
    page: PageClient, language: str, words: tuple[str, ...]
) -> None:
    detach, detached, refused, accept, accepted, no_reason = words
    page.post("/language", {"language": language, "back": "/"})
    shown = attach(page, PROOF)
    assert detach in shown.html
    assert accept not in shown.html
    sent = {"reference": "CLM-00000", "back": CLAIM, "piece": sha256(PROOF).hexdigest(), "why": "of another"}
    shown = page.post("/claim/detach", sent)
    assert detached in shown.text
    assert refused in shown.text
    assert accept in shown.html
    assert no_reason in page.post("/claim/accept", {**sent, "why": " "}).text
    shown = page.post("/claim/accept", sent)
    assert accepted in shown.text
    assert detach in shown.html
    assert page.post("/claim/accept", {**sent, "piece": "a" * 64}).status == 200


def test_the_dossier_of_a_claim_with_a_proof_is_downloaded(page: PageClient) -> None:
    assert "/dossier" not in page.get(CLAIM).html
    assert page.get("/dossier?claim=CLM-00000").status >= 400
    attach(page, PROOF)
    assert 'href="/dossier?claim=CLM-00000"' in page.get(CLAIM).html
    response = page.get("/dossier?claim=CLM-00000").response
    assert response.headers["content-disposition"] == 'attachment; filename="dossier-CLM-00000.zip"'
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert PROOF in [archive.read(name) for name in archive.namelist()]
