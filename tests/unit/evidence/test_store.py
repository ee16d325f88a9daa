"""Evidence and its storage: only real documents, each complete, none overwritten, none lost."""

import hashlib
import io
import json
import os
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pypdf import PdfWriter
from pypdf.generic import NameObject, TextStringObject

from recours.core.claim import Claim, Delivery
from recours.core.errors import RunError
from recours.core.evidence import Appraisal, EvidenceKind, Expected, Findings
from recours.core.outcome import (
    Label,
    NotADocumentError,
    Piece,
    RecoveredEvidence,
    Retrieved,
    StoredDocument,
    best_proof,
    record_of,
)
from recours.evidence import appraisal as appraisal_module
from recours.evidence import store as store_module
from recours.evidence.appraisal import appraise_reading, read
from recours.evidence.kinds import SUFFIXES, kind_of
from recours.evidence.pdf_process import media_type_of
from recours.evidence.store import DocumentStore, erase
from recours.evidence.web_page import read_web_page
from recours.sandbox import documents as simulated

AT = datetime(2026, 2, 5, 9, 30, tzinfo=UTC)
DELIVERY = Delivery(AT, "DUPONT é")
LABEL = Label("chronopost", 7, "CLM-2024-001", "XY123456789FR")
SOURCE = "chronopost searchPOD"

PDF = simulated.proof_pdf("Chronopost", "XY123456789FR", "DUPONT", AT)
PNG = simulated.signature_png("XY123456789FR")
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(1, 200)) + b"\xff\xd9"
TIFF = b"II*\x00" + bytes(200)
ANOTHER_PDF = simulated.proof_pdf("Chronopost", "XY123456789FR", "MARTIN", AT)


def picture(kind: str, mode: str = "P", color: Any = "white", *, signed: bool = True, **more: Any) -> bytes:
    """A picture of a scribble on paper, or only of the paper."""
    image = Image.new(mode, (120, 60), color)
    if signed:
        ImageDraw.Draw(image).line((10, 50, 60, 5, 110, 45), fill="black", width=3)
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


GIF87 = picture("GIF", "L", 255)
GIF = picture("GIF", "L", 255, comment="signature")


def pdf_of(pages: int, password: str | None = None, **more: Any) -> bytes:
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(200, 200)
    if password is not None:
        writer.encrypt(password, **more)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


# ---------------------------------------------------------------- evidence


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PDF, "application/pdf"),
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (TIFF, "image/tiff"),
        (b"MM\x00*" + bytes(200), "image/tiff"),
        (GIF + bytes(40), "image/gif"),
        (GIF87, "image/gif"),
        (PNG + b"\r\n" * 100, "image/png"),
        (JPEG + b"\x00" * 100, "image/jpeg"),
        (pdf_of(3), "application/pdf"),
        (PDF + b"\n" * 500, "application/pdf"),
    ],
)
def test_a_document_is_recognized(content: bytes, kind: str) -> None:
    assert media_type_of(content) == kind
    assert kind in SUFFIXES


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "only 0 bytes"),
        (b"%PDF-", "only 5 bytes"),
        (PNG[:63], "only 63 bytes"),
        (b"Document indisponible. " * 10, "not a PDF, PNG, JPEG, GIF or TIFF"),
        (b"<html><body>maintenance</body></html>" * 5, "not a PDF"),
        (b"\n\n" + PDF, "not a PDF"),
        (b"GIF88a" + bytes(200), "not a PDF"),
        (GIF[:-2], "incomplete"),
        (bytes(1000), "not a PDF"),
        (PNG[: len(PNG) // 2], "incomplete"),
        (PNG[:-8], "incomplete"),
        (JPEG[:-2], "incomplete"),
        (PDF[: len(PDF) // 3], "the PDF"),
        (simulated.broken_pdf(), "the PDF cannot be opened"),
        (b"%PDF-1.4\n" + b"x" * 100, "the PDF cannot be opened"),
        (pdf_of(0), "the PDF has no pages"),
        (pdf_of(1, "secret", algorithm="RC4-128"), "the PDF cannot be opened"),
    ],
)  # fmt: skip
def test_an_invalid_document_is_rejected_with_the_reason(content: bytes, why: str) -> None:
    with pytest.raises(NotADocumentError) as caught:
        media_type_of(content)
    assert why in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("size", [64, 200, 1000, 1500])
def test_no_beginning_of_a_png_passes(size: int) -> None:
    assert size < len(PNG)
    with pytest.raises(NotADocumentError):
        media_type_of(PNG[:size])


def test_a_pdf_with_an_empty_password_is_a_document() -> None:
    """Encrypted with an empty password, as printers do to forbid changes."""
    assert media_type_of(pdf_of(1, "", owner_password="owner", algorithm="RC4-128")) == "application/pdf"


def encrypted(algorithm: str, writer: PdfWriter | None = None) -> bytes:
    """Encrypted with an empty password. Its language is a text of the catalog, which is read before the pages."""
    writer = writer or PdfWriter()
    writer.add_blank_page(200, 200)
    writer.root_object[NameObject("/Lang")] = TextStringObject("fr-FR")
    writer.encrypt("", owner_password="owner", algorithm=algorithm)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_a_pdf_with_current_encryption_is_a_document(algorithm: str) -> None:
    assert media_type_of(encrypted(algorithm)) == "application/pdf"


def test_a_pdf_that_expands_without_end_is_harmless() -> None:
    """Its object stream unpacks to thirty megabytes."""
    bomb = zlib.compress(bytes(30_000_000), 9)
    head = (
        b"%%PDF-1.5\n1 0 obj\n<< /Type /XRef /Size 9 /W [1 1 1] /Filter /FlateDecode /Length %d >>\nstream\n"
        % len(bomb)
    )
    file = head + bomb + b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n"
    with pytest.raises(NotADocumentError):
        media_type_of(file)


def test_a_damaged_pdf_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(NotADocumentError):
        media_type_of(simulated.broken_pdf())
    assert caplog.records == []


# ---------------------------------------------------------------- what proves nothing


def drawn(content: bytes, *things: bytes, more: bytes = b"") -> bytes:
    """A PDF with one page on which this is drawn; `things`: its names A, B ..."""
    names = b" ".join(b"/%c %d 0 R" % (65 + place, 5 + place) for place in range(len(things)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R " + more + b" /Resources "
        b"<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> /XObject << "
        + names
        + b" >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        *things,
    ]
    file, starts = b"%PDF-1.4\n", []
    for number, thing in enumerate(objects, 1):
        starts.append(b"%010d 00000 n \n" % len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, thing)
    size = len(objects) + 1
    table = b"xref\n0 %d\n0000000000 65535 f \n" % size + b"".join(starts)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(file))
    return file + table + end


def gray(width: int, height: int, levels: bytes = b"\xff", more: bytes = b"") -> bytes:
    """An image inside a PDF; by default it is white."""
    packed = zlib.compress(levels * (width * height // len(levels)), 9)
    head = (
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8"
    )
    form = b" %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream"
    return head % (width, height) + form % (more, len(packed), packed)


def masked(*, signed: bool) -> bytes:
    """A black image, visible only where its mask permits."""
    mask = Image.new("L", (120, 60))
    if signed:
        ImageDraw.Draw(mask).line((10, 50, 60, 5, 110, 45), fill=255, width=3)
    image = gray(120, 60, b"\0", b"/SMask 6 0 R")
    return drawn(b"120 0 0 60 90 90 cm /A Do", image, gray(120, 60, mask.tobytes()))


def scanned(*, signed: bool) -> bytes:
    return picture("PDF", "RGB", signed=signed)


def page(body: str) -> bytes:
    return f"<!DOCTYPE html><html><head><title>POD</title></head><body>{body}</body></html>".encode()


LETTER = (
    "Dear Customer, the following is the proof-of-delivery for tracking number XY123456789FR. Delivered on 05/10/2026 "
    "10:31. Proof-of-delivery details appear below; however, no signature is available because none was required."
)
LOGO = b"q 0.5 w 10 10 m " + b"12.5 -3 l 1 2 3 4 5 6 c\n" * 50 + b"h S Q\n"
HOLLOW = {
    "a blank page": (pdf_of(1), "it is blank"),
    "three blank pages": (pdf_of(3), "it is blank"),
    "blanks as text": (drawn(b"BT /F 12 Tf 10 10 Td (    ) Tj ET"), "it is blank"),
    "white paint on white paper": (
        drawn(b"1 1 1 rg 0 0 300 200 re f q 0 g Q 1 g 0 0 9 9 re f"),
        "it is blank",
    ),
    "a link to nowhere": (drawn(b"", more=b"/Annots [<< /Type /Annot /Subtype /Link >>]"), "it is blank"),
    "a scan of nothing": (scanned(signed=False), "it is blank"),
    "a signature that its mask hides": (masked(signed=False), "it is blank"),
    "two images of nothing": (drawn(b"/A Do /B Do", gray(90, 90), gray(9, 9)), "it is blank"),
    "a white PNG": (picture("PNG", "RGB", signed=False), "it is blank"),
    "a black PNG": (picture("PNG", "L", 0, signed=False), "it is blank"),
    "a transparent PNG": (picture("PNG", "RGBA", (0, 0, 0, 0), signed=False), "it is blank"),
    "a white PNG of two colors": (picture("PNG", "1", 1, signed=False), "it is blank"),
    "a white GIF": (picture("GIF", "L", 255, signed=False), "it is blank"),
    "a white TIFF": (picture("TIFF", "1", 1, signed=False, compression="group4"), "it is blank"),
    "nearly white paper": (picture("JPEG", "RGB", (250, 251, 249), signed=False), "it is blank"),
    "a picture that does not open": (JPEG, "it cannot be decoded completely"),
    "a nearly empty TIFF": (TIFF, "it cannot be decoded completely"),
    "white pictures larger than are looked at": (
        drawn(b"/A Do /B Do", gray(5000, 5000), gray(5000, 5000)),
        "it is blank",
    ),
    "more than anybody would read": (
        drawn(b"BT /F 9 Tf 9 9 Td (" + b"more and " * 3000 + b") Tj ET"),
        "it cannot be decoded completely",
    ),
    "another parcel's letter": (
        page(LETTER.replace("XY123456789FR", "AB987654321FR")),
        "it shows another parcel's number (AB987654321FR)",
    ),
    "another carrier's letter": (
        page(LETTER.replace("tracking number XY123456789FR", "your Mondial Relay parcel")),
        "it is from another carrier (MONDIAL RELAY)",
    ),
    "an empty web page": (page("<p>&nbsp;</p><img src='./ups_logo.gif'>"), "it is blank"),
    "a web page that only runs": (page("<script>document.write('Delivered on')</script>"), "it is blank"),
    "not available": (
        page("<h1>Proof of <b>delivery</b> is not available</h1>"),
        'it says that no proof is available ("proof of delivery is not available")',
    ),
    "not available, in a PDF": (
        drawn(b"BT /F 12 Tf 10 10 Td (Le document est indisponible.) Tj ET"),
        'it says that no proof is available ("document est indisponible")',
    ),
    "not available, under a logo": (
        drawn(LOGO + b"BT /F 12 Tf 10 10 Td (Document) Tj ( indisponible) Tj ET " + LOGO),
        'it says that no proof is available ("document indisponible")',
    ),
    "not found, in French": (
        page("Aucune preuve de livraison n\u2019a \u00e9t\u00e9 trouv\u00e9e"),
        "no proof is available",
    ),
    "a login page": (page("<form>Login <input name=p type='password'></form>"), "it is a login page"),
    "an error page": (
        page("<h1>500 Internal Server Error</h1>"),
        'it is an error page ("500 internal server error")',
    ),
    "a session that ended": (
        page("Votre session a expir\u00e9. Veuillez vous connecter."),
        "it is an error page",
    ),
}
PROVING = {
    "a letter": page(LETTER),
    "a letter under an open head": f"<HTML><HEAD><TITLE>POD</TITLE><BODY><IMG SRC=./logo.gif><P>{LETTER}".encode(),
    "a letter in tags that look like hidden ones": page(f"<titlebar>{LETTER}</titlebar>"),
    "a letter in a PDF": drawn(b"BT /F 9 Tf 9 9 Td (" + LETTER.encode() + b") Tj ET"),
    "a simulated proof": PDF,
    "a signature": PNG,
    "a signature in a GIF": GIF,
    "a fax": picture("TIFF", "1", 1, compression="group4"),
    "a signature on nothing": picture("PNG", "RGBA", (0, 0, 0, 0)),
    "a scan": scanned(signed=True),
    "a signature that its mask shows": masked(signed=True),
    "a drawing": drawn(b"0 0 m 9 9 l S"),
    "a drawing of many lines": drawn(LOGO),
    "a note on the page": drawn(b"", more=b"/Annots [<< /Type /Annot /Subtype /Stamp >>]"),
    "a picture in a page": page("<img src='data:image/png;base64,iVBORw0K'>"),
    "an error in a letter": page("XY123456789FR: delivered on 5 Oct 2026 to error 404 Ltd. Signed by DUPONT"),
    # An unreadable file counts if it opens: a person can look at it.
    "letters of a font that says not which": drawn(b"BT /F 12 Tf 9 9 Td <00350036> Tj ET").replace(
        b"/Subtype /Type1",
        b"/Subtype /Type0 /Encoding /Identity-H /DescendantFonts [<< /Type /Font /Subtype /CIDFontType2 "
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>]",
    ),
    "a PDF that is encrypted": encrypted("AES-256", PdfWriter(clone_from=io.BytesIO(PDF))),
    "a picture larger than is looked at": drawn(
        b"300 0 0 200 0 0 cm /A Do", gray(7000, 7000, b"\xff" * 3500 + b"\0" * 3500)
    ),
}


def kind(content: bytes) -> str:
    return kind_of(content, html=True)


@pytest.mark.parametrize("name", HOLLOW)
def test_a_hollow_document_proves_nothing(name: str, store: DocumentStore) -> None:
    content, why = HOLLOW[name]
    refused = keep(store, LABEL, Retrieved.single(content, DELIVERY, SOURCE, html=True))
    assert why in (refused.refused or "")
    assert Path(refused.path).is_relative_to(store.folder / "refused" / "chronopost")
    assert Path(refused.path).read_bytes() == content
    assert len(files(store)) == 1  # nothing remains in the folder of good documents
    assert found_by(store, LABEL) is None


@pytest.mark.parametrize("name", PROVING)
def test_possible_proofs_are_stored(name: str, store: DocumentStore) -> None:
    document = keep(store, LABEL, Retrieved.single(PROVING[name], DELIVERY, SOURCE, html=True))
    assert document.refused is None
    assert Path(document.path).read_bytes() == PROVING[name]
    assert document.media_type == kind(PROVING[name])


@given(page=st.text(st.sampled_from("<>!-/= \"'abscriptnome"), max_size=200))
def test_every_page_can_be_read(page: str) -> None:
    assert isinstance(
        appraise_reading(read_web_page(page.encode()), Expected("ups", "1Z5R89390357567127")), Appraisal
    )


def test_a_page_of_open_tags_is_read_in_one_pass() -> None:
    """Searching for the end of each tag again would take minutes."""
    assert read_web_page(b"<!--" * 250_000 + b"<script" * 250_000).text == ""


def test_hidden_text_does_not_count_at_any_depth() -> None:
    page = b"<div hidden>Delivered</div>"
    for depth in (10, 1_000):
        assert read_web_page(b"<div>" * depth + page).text == ""


@pytest.mark.parametrize("name", ["late", "other"])
def test_hidden_text_does_not_count_after_many_rules(name: str) -> None:
    """With too many rules for one name, the rules are not examined, and so the page is not either."""
    rules = "".join(f".late.no{number}, .no{number} {{ color: red }}\n" for number in range(2_000))
    page = f"<style>{rules}.{name} {{ display: none }}</style><div class='{name}'>Delivered</div>"
    assert not read(page.encode(), "text/html").text


@pytest.mark.parametrize(
    ("rule", "is_hidden"),
    [
        ("/* a < b */ .late {}", True),
        ("<!-- .late {} -->", True),
        ("@charset 'utf-8'; p.late {}", True),
        ("@media screen {{ *.late {} }}", True),
        ("@supports (display: block) {{ .late {} }}", True),
        ("body > div .late {}", True),
        (".closed .late {}", False),
        ("@media print {{ .late {} }}", False),
        ("@media (max-width: 600px) {{ .late {} }}", False),
    ],
)
def test_text_is_hidden_by_rules_for_screens(rule: str, is_hidden: bool) -> None:
    style = rule.format("{ display: none ! important }")
    page = f"<style>{style}</style><div><p class='late'>Delivered</p></div>"
    assert read_web_page(page.encode()).text == ("" if is_hidden else "Delivered")


# ---------------------------------------------------------------- the store


PROOF = Retrieved.single(PDF, DELIVERY, SOURCE)
OTHER = Label("chronopost", 8, "B", "XY123456789FR")
A_LETTER = Piece(PDF, "ups track")
SIGNATURE = Piece(PNG, "ups track", EvidenceKind.SIGNATURE)
HOLLOW_PAGE = Piece(pdf_of(1), "ups track")
NO_DOCUMENT = Piece(b"Document indisponible. " * 10, "ups track")


def keep(store: DocumentStore, label: Label, retrieved: Retrieved) -> StoredDocument:
    """The only part of an answer."""
    (document,) = store.store(label, retrieved)
    return document


def found_by(store: DocumentStore, label: Label) -> StoredDocument | None:
    """The proof that needs no more calls, if there is one."""
    answer = store.find(label)
    assert answer.is_complete is (best_proof(answer.documents) is not None)
    return answer.documents[0] if answer.is_complete else None


@pytest.fixture
def store(tmp_path: Path) -> DocumentStore:
    return DocumentStore(tmp_path / "data" / "pods")


def no_space(_handle: int) -> None:
    raise OSError(28, "No space left on device")


def killed(*_arguments: Any) -> None:
    raise KeyboardInterrupt


def files(store: DocumentStore) -> list[Path]:
    """All files except notes and incomplete ones."""
    paths = (path for path in store.folder.rglob("*") if path.is_file())
    return [path for path in paths if ".parts" not in path.parts]


def note(store: DocumentStore) -> Path:
    """The only note."""
    (path,) = (store.folder / ".parts").iterdir()
    return path


@pytest.mark.parametrize(
    ("content", "suffix"),
    [(PDF, ".pdf"), (PNG, ".png"), (picture("JPEG", "L", 255), ".jpg"), (picture("TIFF", "L", 255), ".tif")],
)
def test_a_document_is_stored_unchanged(content: bytes, suffix: str, store: DocumentStore) -> None:
    document = keep(store, LABEL, Retrieved.single(content, DELIVERY, SOURCE))
    digest = hashlib.sha256(content).hexdigest()
    name = f"CLM-2024-001_7_XY123456789FR_{digest[:16]}{suffix}"
    assert document.path == str(store.folder / "chronopost" / digest[:2] / digest[2:4] / name)
    assert Path(document.path).read_bytes() == content
    assert (document.sha256, document.size, document.delivery, document.source) == (
        digest,
        len(content),
        DELIVERY,
        SOURCE,
    )


def test_an_invalid_document_is_stored_separately(store: DocumentStore) -> None:
    refused = keep(store, LABEL, Retrieved.single(b"no document at all" * 10, DELIVERY, SOURCE))
    why = "it is not a PDF, PNG, JPEG, GIF or TIFF file"
    assert (refused.media_type, refused.refused) == ("application/octet-stream", why)
    assert Path(refused.path).parents[2] == store.folder / "refused" / "chronopost"
    assert Path(refused.path).suffix == ".bin"
    assert found_by(store, LABEL) is None


@pytest.mark.parametrize("fault", [MemoryError, ImportError])
def test_a_fault_of_the_machine_is_not_attributed_to_the_document(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise fault

    monkeypatch.setattr(appraisal_module, "appraise", fail)
    with pytest.raises(fault):
        keep(store, LABEL, PROOF)
    assert [path.suffix for path in files(store)] == [".pdf"]  # it cost a call, so it is kept


def test_each_content_of_each_claim_has_one_file(store: DocumentStore) -> None:
    first = keep(store, LABEL, PROOF)
    assert keep(store, LABEL, PROOF) == first
    assert len(note(store).read_bytes().splitlines()) == len(files(store)) == 1
    keep(store, LABEL, Retrieved.single(ANOTHER_PDF, DELIVERY, SOURCE))
    keep(store, Label("chronopost", 8, "A/B", "N"), PROOF)
    keep(store, Label("chronopost", 9, "A B", "N"), PROOF)
    assert len(files(store)) == 4
    assert Path(first.path).read_bytes() == PDF


def test_file_names_and_new_folders_are_made_durable(
    store: DocumentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(store_module, "sync_folder", synced.append)
    document = keep(store, LABEL, PROOF)
    assert synced == []
    store.make_durable([document])
    leaf = Path(document.path).parent
    above = [leaf.parent, leaf.parent.parent, store.folder, tmp_path / "data", tmp_path]
    assert synced[0] == leaf
    assert sorted(synced[1:], reverse=True) == above
    synced.clear()
    store.make_durable([document, keep(store, OTHER, PROOF)])
    assert synced == [leaf]


# ---------------------------------------------------------------- names from hostile references

HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "..\\..\\windows\\system32",
    "a\x00b",
    "x" * 5000,
    "é€漢字",
    "",
    "   ",
    "CON",
    "-rf",
    "a\nb\r\x1b[2J",
    "a*?[!x]",
    "{0}%s$HOME",
    ".",
    "..",
    "\u202ecod.exe",
    "\udcff",
]


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text)[:20] for text in HOSTILE])
@pytest.mark.parametrize("part", ["reference", "number", "claim_id"])
def test_file_names_are_built_from_safe_characters(
    text: str, part: str, store: DocumentStore, tmp_path: Path
) -> None:
    facts: dict[str, Any] = {"carrier": "chronopost", "claim_id": 7, "reference": "R", "number": "N"} | {
        part: text
    }
    label = Label(**facts)
    path = Path(keep(store, label, Retrieved((SIGNATURE,), DELIVERY)).path)
    assert path.parents[2] == store.folder / "chronopost"
    for file in (path, note(store)):
        assert file.name.isascii()
        assert file.name.isprintable()
        assert len(file.name) < 200
        assert not set(file.name) & set('\\/:*?"<>|[]{}$% ')
    assert path.is_file()
    assert [p for p in tmp_path.rglob("*") if p.is_file() and store.folder not in p.parents] == []
    result = found_by(store, label)
    assert result is not None
    assert result.path == str(path)


# ---------------------------------------------------------------- found again after a crash


@pytest.mark.parametrize(
    "delivery", [DELIVERY, Delivery(None, None), Delivery(None, "DUPONT", date(2026, 10, 5), place="LILLE")]
)
def test_a_document_is_found_again_with_its_facts(
    delivery: Delivery, store: DocumentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without listing a folder, and also after the folder was moved."""
    document = keep(store, LABEL, Retrieved.single(PDF, delivery, SOURCE))
    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, killed)
    assert found_by(store, LABEL) == document
    moved = DocumentStore(store.folder.rename(tmp_path / "moved"))
    path = moved.folder / Path(document.path).relative_to(store.folder)
    assert found_by(moved, LABEL) == replace(document, path=str(path))


@pytest.mark.parametrize(
    ("present", "other"),
    [
        (LABEL, replace(LABEL, claim_id=8)),
        (LABEL, replace(LABEL, number="XY999999999FR")),
        (LABEL, replace(LABEL, carrier="ups")),
        (replace(LABEL, client="1"), replace(LABEL, client="2")),
        (LABEL, replace(LABEL, reference="CLM-2024")),
        # The identical part of their file names.
        (Label("chronopost", 7, "A/B", "N"), Label("chronopost", 7, "A B", "N")),
        (Label("chronopost", "1_N_2", "CLM", "M"), Label("chronopost", "1_N", "CLM", "2_M")),
    ],
)
def test_another_claim_number_or_client_finds_nothing(
    present: Label, other: Label, store: DocumentStore
) -> None:
    keep(store, present, Retrieved((SIGNATURE,), DELIVERY))
    assert found_by(store, other) is None
    proof = simulated.proof_pdf("Chronopost", other.number, "MARTIN", AT)
    keep(store, other, Retrieved.single(proof, DELIVERY, SOURCE))
    assert [found_by(store, label) is not None for label in (present, other)] == [True, True]


@pytest.mark.parametrize(
    ("is_note", "content"),
    [
        *((False, content) for content in (None, PDF[:-1], b"", b"x" * len(PDF))),
        # As after a power failure.
        *((True, content) for content in (None, b"", bytes(100), b'{"owner": ["chron')),
    ],
)
def test_incomplete_files_are_not_found(
    content: bytes | None, store: DocumentStore, *, is_note: bool
) -> None:
    document = keep(store, LABEL, PROOF)
    path = note(store) if is_note else Path(document.path)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert found_by(store, LABEL) is None
    assert keep(store, LABEL, PROOF) == document
    assert found_by(store, LABEL) == document
    assert Path(document.path).read_bytes() == PDF


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
@pytest.mark.parametrize("is_note", [False, True])
def test_a_pipe_in_place_of_a_file_does_not_block(store: DocumentStore, *, is_note: bool) -> None:
    document = keep(store, LABEL, PROOF)
    path = note(store) if is_note else Path(document.path)
    path.unlink()
    os.mkfifo(path)
    assert store.find(LABEL).documents == ()


def test_notes_of_recorded_documents_are_deleted(store: DocumentStore) -> None:
    other = keep(store, OTHER, PROOF)
    documents = store.store(LABEL, Retrieved((A_LETTER, SIGNATURE), DELIVERY))
    store.discard_notes(documents)
    store.discard_notes(documents)
    assert note(store).name == "B_8_XY123456789FR.jsonl"
    assert store.find(LABEL) == RecoveredEvidence()
    assert len(files(store)) == 3
    store.discard_notes([other])
    assert list((store.folder / ".parts").iterdir()) == []


def test_a_document_is_erased_with_the_note_that_names_it(store: DocumentStore) -> None:
    """A note about another document is kept: a run may still have to find it."""
    old = keep(store, LABEL, PROOF)
    store.discard_notes([old])
    other = keep(store, LABEL, Retrieved.single(ANOTHER_PDF, DELIVERY, SOURCE))
    assert erase(store.folder, old.path, old.sha256) is None
    assert found_by(store, LABEL) == other
    assert erase(store.folder, other.path, other.sha256) is None
    assert files(store) == list((store.folder / ".parts").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("report_2026.pdf", "2026"),
        ("report_.pdf", ""),
        (f"ups/aa/aa/report_{'a' * 16}.pdf", "a" * 16),
        (f"report_{'a' * 16}.pdf", "a" * 64),
        (f"ups/ab/aa/report_{'a' * 16}.pdf", "a" * 64),
        (f"../report_{'a' * 16}.pdf", "a" * 64),
        (f"../aa/aa/report_{'a' * 16}.pdf", "a" * 64),
        (f"ups/../../aa/aa/report_{'a' * 16}.pdf", "a" * 64),
    ],
)
def test_a_file_that_recours_did_not_name_is_never_deleted(
    store: DocumentStore, name: str, sha256: str
) -> None:
    """Regardless of the path and SHA-256 in a row."""
    place = store.folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"of other software")
    assert erase(store.folder, str(place), sha256)
    assert place.read_bytes() == b"of other software"


def test_a_document_is_on_disk_before_it_is_appraised(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cost a call: if a run is killed during a slow appraisal, the next run finds the document."""
    with monkeypatch.context() as patched:
        patched.setattr(appraisal_module, "appraise", killed)
        for retrieved in (PROOF, Retrieved((HOLLOW_PAGE,), DELIVERY)):
            with pytest.raises(KeyboardInterrupt):
                keep(store, LABEL, retrieved)
    answer = store.find(LABEL)
    assert answer.is_complete
    assert [(Path(one.path).read_bytes(), one.refused) for one in answer.documents] == [
        (PDF, None),
        (HOLLOW_PAGE.content, "it is blank"),
    ]


def test_an_accepted_document_is_not_deleted_by_a_second_appraisal(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row may refer to it."""
    with monkeypatch.context() as patched:
        patched.setattr(appraisal_module, "appraise", lambda *_: Appraisal(Findings()))
        path = Path(keep(store, LABEL, Retrieved((HOLLOW_PAGE,), DELIVERY)).path)
    stored = keep(store, LABEL, Retrieved((HOLLOW_PAGE,), DELIVERY))
    assert (stored.refused, stored.path) == ("it is blank", str(path))
    assert path.read_bytes() == HOLLOW_PAGE.content


def test_a_piece_accepted_under_newer_rules_is_removed_from_the_refused(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row names one file: nobody would ever delete the other."""
    with monkeypatch.context() as patched:
        patched.setattr(appraisal_module, "appraise", lambda *_: Appraisal(Findings(), "it is blank"))
        refused = keep(store, LABEL, PROOF)
    assert files(store) == [Path(refused.path)]
    document = keep(store, LABEL, PROOF)
    assert document.refused is None
    assert files(store) == [Path(document.path)]


# ---------------------------------------------------------------- a folder that takes nothing


@pytest.mark.parametrize("use", ["prepare", "store"])
def test_a_file_in_place_of_the_folder_is_reported(use: str, store: DocumentStore) -> None:
    store.folder.parent.mkdir(parents=True)
    store.folder.write_text("")
    with pytest.raises(
        RunError, match=r"Documents cannot be stored in .*No carrier is called until this is fixed"
    ):
        store.prepare() if use == "prepare" else keep(store, LABEL, PROOF)


def test_a_full_disk_fails_the_run(store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    document = keep(store, OTHER, PROOF)
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", no_space)
        for use in (store.prepare, lambda: keep(store, LABEL, PROOF), lambda: store.make_durable([document])):
            with pytest.raises(RunError, match=r"Documents cannot be stored in .*: No space left on device"):
                use()
    assert files(store) == [Path(document.path)]
    assert found_by(store, LABEL) is None
    stored = keep(store, LABEL, PROOF)  # once there is free space again
    assert found_by(store, LABEL) == stored


def test_a_run_that_dies_leaves_no_partial_document(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        keep(store, LABEL, PROOF)
    assert files(store) == []
    assert found_by(store, LABEL) is None


@pytest.mark.parametrize(("suffix", "days"), [(".pdf.part", 1), (".jsonl.part", 1), (".jsonl", 90)])
def test_old_unfinished_files_of_killed_runs_are_deleted(
    store: DocumentStore, suffix: str, days: int
) -> None:
    parts = store.folder / ".parts"
    parts.mkdir(parents=True)
    old, fresh = parts / f"old{suffix}", parts / f"fresh{suffix}"
    for part, hours in ((old, 24 * days + 1), (fresh, 24 * days - 1)):
        part.write_bytes(b"%PDF")
        modified_at = part.stat().st_mtime - 3600 * hours
        os.utime(part, (modified_at, modified_at))
    store.prepare()
    assert [path.name for path in parts.iterdir()] == [fresh.name]


# ---------------------------------------------------------------- all pieces of an answer


@pytest.mark.parametrize(
    ("pieces", "best"),
    [
        ((A_LETTER, SIGNATURE), 0),
        ((SIGNATURE, A_LETTER), 1),
        ((SIGNATURE,), 0),
        ((A_LETTER, HOLLOW_PAGE, NO_DOCUMENT), 0),
        ((NO_DOCUMENT, HOLLOW_PAGE, A_LETTER), 2),
        ((HOLLOW_PAGE, NO_DOCUMENT, A_LETTER), 2),
        ((HOLLOW_PAGE, NO_DOCUMENT), None),
    ],
)
def test_all_pieces_are_stored_and_equal_content_once(
    pieces: tuple[Piece, ...], best: int | None, store: DocumentStore
) -> None:
    """A letter is ranked before a signature alone; files that prove nothing are stored separately."""
    documents = store.store(LABEL, Retrieved((*pieces, pieces[0]), DELIVERY))
    for piece, document in zip(pieces, documents, strict=True):
        is_good = piece in (A_LETTER, SIGNATURE)
        assert (document.kind, document.refused is None) == (piece.kind, is_good)
        folder = store.folder if is_good else store.folder / "refused"
        assert Path(document.path).parents[2] == folder / "chronopost"
        assert Path(document.path).read_bytes() == piece.content
    assert best_proof(documents) == (None if best is None else documents[best])
    assert store.find(LABEL) == RecoveredEvidence(tuple(documents), is_complete=best is not None)


@pytest.mark.parametrize("lost", [0, 1])
def test_an_answer_of_which_a_piece_is_missing_is_not_complete(lost: int, store: DocumentStore) -> None:
    documents = store.store(LABEL, Retrieved((A_LETTER, SIGNATURE), DELIVERY))
    Path(documents[lost].path).write_bytes(b"")
    remaining = documents[1 - lost]
    assert store.find(LABEL) == RecoveredEvidence((remaining,))
    other = keep(store, LABEL, Retrieved.single(ANOTHER_PDF, DELIVERY, SOURCE))
    assert store.find(LABEL) == RecoveredEvidence((other, remaining), is_complete=True)
    assert store.store(LABEL, Retrieved((A_LETTER, SIGNATURE), DELIVERY)) == documents
    assert store.find(LABEL) == RecoveredEvidence((*documents, other), is_complete=True)


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_run_that_dies_while_it_moves_a_refused_piece_loses_nothing(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch, *, is_moved: bool
) -> None:
    replace_file = Path.replace

    def dying(path: Path, target: Path) -> Path:
        is_move = ".parts" not in path.parts
        if not is_move or is_moved:
            replace_file(path, target)
        if is_move:
            raise KeyboardInterrupt
        return target

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            store.store(LABEL, Retrieved((HOLLOW_PAGE, A_LETTER), DELIVERY))
    result = store.find(LABEL)
    assert result.is_complete
    assert [(one.refused, Path(one.path).read_bytes()) for one in result.documents] == [
        ("it is blank", HOLLOW_PAGE.content),
        (None, PDF),
    ]


def test_a_record_is_stored_but_proves_nothing_alone(store: DocumentStore) -> None:
    claim = Claim(id=7, reference="CLM-2024-001", carrier="laposte", number="XY123456789FR")
    delivery = replace(DELIVERY, place="LILLE", label="Votre colis est livré.")
    retrieved = Retrieved((record_of(claim, delivery),), delivery)
    document = keep(store, LABEL, retrieved)
    assert json.loads(Path(document.path).read_bytes()) == {
        "carrier": "laposte",
        "delivered_at": "2026-02-05T09:30:00+00:00",
        "delivered_day": None,
        "place": "LILLE",
        "reference": "CLM-2024-001",
        "signatory": "DUPONT é",
        "status": "Votre colis est livré.",
        "tracking_number": "XY123456789FR",
    }
    assert (document.kind, document.media_type, document.refused) == (
        EvidenceKind.RECORD,
        "application/json",
        None,
    )
    assert document.findings == Findings(
        is_readable=True,
        number=True,
        signatory="DUPONT é",
        delivered="2026-02-05T09:30:00+00:00",
        place="LILLE",
    )
    assert best_proof([document]) is None
    result = store.find(LABEL)
    assert result == RecoveredEvidence((document,))
    assert result.documents[0].delivery.place == "LILLE"
