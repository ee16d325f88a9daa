"""Evidence and where it is kept: only real documents, each whole, none over another, none lost."""

import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pypdf import PdfWriter
from pypdf.generic import NameObject, TextStringObject

from recours.core.appraisal import Appraisal, EvidenceKind, Expected, Shown
from recours.core.claim import Claim, Delivery
from recours.core.delivery_record import record_of
from recours.core.errors import RunError
from recours.core.outcome import Kept, Label, NotADocumentError, Piece, Retrieved, StoredDocument, best_proof
from recours.documents import picture as picture_module
from recours.documents import store as store_module
from recours.documents.appraisal import appraise, appraise_reading
from recours.documents.kinds import SUFFIXES, kind_of, media_type_of
from recours.documents.pdf import read_pdf
from recours.documents.pdf_file import open_pdf
from recours.documents.store import DocumentStore
from recours.documents.web_page import read_web_page
from recours.sandbox import documents as simulated
from tests.fakes.examples import MODEST

ROOT = Path(__file__).resolve().parents[3]
AT = datetime(2026, 2, 5, 9, 30, tzinfo=UTC)
DELIVERY = Delivery(AT, "DUPONT é")
LABEL = Label("chronopost", 7, "CLM-2024-001", "XY123456789FR")
SOURCE = "chronopost searchPOD"

PDF = simulated.proof_pdf("Chronopost", "XY123456789FR", "DUPONT", AT)
PNG = simulated.signature_png("XY123456789FR")
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(1, 200)) + b"\xff\xd9"
TIFF = b"II*\x00" + bytes(200)
ANOTHER_PDF = simulated.proof_pdf("Chronopost", "XY123456789FR", "MARTIN", AT)


def picture(kind: str, mode: str = "P", colour: Any = "white", *, signed: bool = True, **more: Any) -> bytes:
    """A picture of a scribble on paper, or of the paper alone."""
    image = Image.new(mode, (120, 60), colour)
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
def test_a_document_is_one(content: bytes, kind: str) -> None:
    assert media_type_of(content) == kind
    assert kind in SUFFIXES


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "only 0 bytes"),
        (b"%PDF-", "only 5 bytes"),
        (PNG[:63], "only 63 bytes"),
        (b"Document indisponible. " * 10, "neither PDF, PNG, JPEG, GIF nor TIFF"),
        (b"<html><body>maintenance</body></html>" * 5, "neither PDF"),
        (b"\n\n" + PDF, "neither PDF"),
        (b"GIF88a" + bytes(200), "neither PDF"),
        (GIF[:-2], "cut off"),
        (bytes(1000), "neither PDF"),
        (PNG[: len(PNG) // 2], "cut off"),
        (PNG[:-8], "cut off"),
        (JPEG[:-2], "cut off"),
        (PDF[: len(PDF) // 3], "the PDF"),
        (simulated.broken_pdf(), "the PDF cannot be opened"),
        (b"%PDF-1.4\n" + b"x" * 100, "the PDF cannot be opened"),
        (pdf_of(0), "the PDF has no page"),
        (pdf_of(1, "secret", algorithm="RC4-128"), "the PDF cannot be opened"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_told_why(content: bytes, why: str) -> None:
    with pytest.raises(NotADocumentError) as caught:
        media_type_of(content)
    assert why in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("size", [64, 200, 1000, 1500])
def test_no_beginning_of_a_png_passes(size: int) -> None:
    assert size < len(PNG)
    with pytest.raises(NotADocumentError):
        media_type_of(PNG[:size])


def test_a_pdf_that_anyone_may_open_counts() -> None:
    """Encrypted with an empty password, as printers do it to forbid changes."""
    assert media_type_of(pdf_of(1, "", owner_password="owner", algorithm="RC4-128")) == "application/pdf"


def encrypted(algorithm: str, writer: PdfWriter | None = None) -> bytes:
    """With an empty password. Its language is a text of the catalog, which is read before the pages are."""
    writer = writer or PdfWriter()
    writer.add_blank_page(200, 200)
    writer.root_object[NameObject("/Lang")] = TextStringObject("fr-FR")
    writer.encrypt("", owner_password="owner", algorithm=algorithm)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_a_pdf_that_is_encrypted_as_today_counts(algorithm: str) -> None:
    assert media_type_of(encrypted(algorithm)) == "application/pdf"


BARE = """
import sys
sys.modules["cryptography"] = sys.modules["Crypto"] = None
from recours.documents.kinds import media_type_of
print(media_type_of(sys.stdin.buffer.read()))
"""


@pytest.mark.parametrize("algorithm", ["AES-128", "AES-256"])
def test_where_the_library_for_encryption_is_missing_no_document_is_lost(algorithm: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE], cwd=ROOT, input=encrypted(algorithm), capture_output=True, check=False
    )
    assert (done.stdout.decode().strip(), done.stderr.decode()) == ("application/pdf", "")


HALF_LOADED = """
import sys
from recours.documents.kinds import media_type_of

class NoMemory:
    def find_spec(self, name, path=None, target=None):
        if name == "pypdf.generic":
            raise MemoryError

sys.meta_path.insert(0, NoMemory())
content = sys.stdin.buffer.read()
for _ in range(2):
    try:
        media_type_of(content)
    except ImportError as error:
        print(error)
"""


def test_a_library_that_could_not_be_loaded_is_no_fault_of_a_document() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HALF_LOADED], cwd=ROOT, input=pdf_of(1), capture_output=True, check=False
    )
    assert done.stdout.decode().splitlines() == ["pypdf cannot be loaded (MemoryError: )"] * 2, done.stderr


def test_a_pdf_that_grows_without_end_is_no_harm() -> None:
    """Its object stream unpacks to thirty megabytes."""
    bomb = zlib.compress(bytes(30_000_000), 9)
    head = (
        b"%%PDF-1.5\n1 0 obj\n<< /Type /XRef /Size 9 /W [1 1 1] /Filter /FlateDecode /Length %d >>\nstream\n"
        % len(bomb)
    )
    file = head + bomb + b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n"
    with pytest.raises(NotADocumentError):
        media_type_of(file)


def test_a_damaged_pdf_says_nothing_on_its_own(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(NotADocumentError):
        media_type_of(simulated.broken_pdf())
    assert caplog.records == []


# ---------------------------------------------------------------- what proves nothing


FORM = (
    b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /A 5 0 R >> >> /Length 20 >>\n"
    b"stream\n/A Do /A Do /A Do  \nendstream"
)


def drawn(content: bytes, *things: bytes, more: bytes = b"") -> bytes:
    """A PDF of one page on which this is drawn; `things`: what it calls A, B ..."""
    things = things or (FORM,)
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


def white(width: int, height: int) -> bytes:
    """A white image inside a PDF."""
    packed = zlib.compress(b"\xff" * (width * height), 9)
    head = (
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8"
    )
    form = b" /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream"
    return head % (width, height) + form % (len(packed), packed)


def scanned(*, signed: bool) -> bytes:
    return picture("PDF", "RGB", signed=signed)


def page(body: str) -> bytes:
    return f"<!DOCTYPE html><html><head><title>POD</title></head><body>{body}</body></html>".encode()


LETTER = (
    "Dear Customer, the following is the proof-of-delivery for tracking number 123456789012. Delivered on 05/10/2026 "
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
    "two images of nothing": (drawn(b"/A Do /B Do", white(90, 90), white(9, 9)), "it is blank"),
    "a white PNG": (picture("PNG", "RGB", signed=False), "it is blank"),
    "a black PNG": (picture("PNG", "L", 0, signed=False), "it is blank"),
    "a transparent PNG": (picture("PNG", "RGBA", (0, 0, 0, 0), signed=False), "it is blank"),
    "a white PNG of two colours": (picture("PNG", "1", 1, signed=False), "it is blank"),
    "a white GIF": (picture("GIF", "L", 255, signed=False), "it is blank"),
    "a white TIFF": (picture("TIFF", "1", 1, signed=False, compression="group4"), "it is blank"),
    "nearly white paper": (picture("JPEG", "RGB", (250, 251, 249), signed=False), "it is blank"),
    "an empty web page": (page("<p>&nbsp;</p><img src='./ups_logo.gif'>"), "it is blank"),
    "a web page that only runs": (page("<script>document.write('Delivered on')</script>"), "it is blank"),
    "not available": (
        page("<h1>Proof of <b>delivery</b> is not available</h1>"),
        'it says that there is none ("proof of delivery is not available")',
    ),
    "not available, in a PDF": (
        drawn(b"BT /F 12 Tf 10 10 Td (Le document est indisponible.) Tj ET"),
        'it says that there is none ("document est indisponible")',
    ),
    "not available, under a logo": (
        drawn(LOGO + b"BT /F 12 Tf 10 10 Td (Document) Tj ( indisponible) Tj ET " + LOGO),
        'it says that there is none ("document indisponible")',
    ),
    "not found, in French": (
        page("Aucune preuve de livraison n\u2019a \u00e9t\u00e9 trouv\u00e9e"),
        "there is none",
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
    "a drawing": drawn(b"0 0 m 9 9 l S"),
    "a drawing of many lines": drawn(LOGO),
    "a note on the page": drawn(b"", more=b"/Annots [<< /Type /Annot /Subtype /Stamp >>]"),
    "a picture in a page": page("<img src='data:image/png;base64,iVBORw0K'>"),
    "an error in a letter": page("Delivered on 5 Oct 2026 to error 404 Ltd. Signed by DUPONT"),
    # What cannot be read counts: a person can look at it.
    "letters of a font that says not which": drawn(b"BT /F 12 Tf 9 9 Td <00350036> Tj ET").replace(
        b"/Subtype /Type1", b"/Subtype /Type0 /Encoding /Identity-H"
    ),
    "a picture that does not open": JPEG,
    "a form that draws itself for ever": drawn(b"/A Do"),
    "a PDF that is encrypted": encrypted("AES-256", PdfWriter(clone_from=io.BytesIO(PDF))),
    "pictures larger than anybody would look at": drawn(b"/A Do /B Do", white(5000, 5000), white(5000, 5000)),
    "more than anybody would read": drawn(b"0 0 m 1 1 l n " * 100_000),
}


def kind(content: bytes) -> str:
    return kind_of(content, html=True)


@pytest.mark.parametrize("name", HOLLOW)
def test_a_hollow_document_proves_nothing(name: str, store: DocumentStore) -> None:
    content, why = HOLLOW[name]
    refused = stored(store, LABEL, Retrieved.single(content, DELIVERY, SOURCE, html=True))
    assert why in (refused.refused or "")
    assert Path(refused.path).parent == store.folder / "refused" / "chronopost"
    assert Path(refused.path).read_bytes() == content
    assert len(files(store)) == 2  # nothing stays where good ones lie
    assert found_by(store, LABEL) is None


def test_an_image_that_is_drawn_thousands_of_times_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty kilobytes may hold one of 40 million pixels: drawn 80,000 times it would be unpacked for hours."""
    unpacked: list[Any] = []
    look_at = picture_module.look_at

    def counted(image: Image.Image) -> Any:
        unpacked.append(image)
        return look_at(image)

    monkeypatch.setattr(picture_module, "look_at", counted)
    found = appraise(drawn(b"/A Do\n" * 500, white(90, 90)), "application/pdf", Expected("", ""))
    assert found.hollow == "it is blank"
    assert len(unpacked) == 1


@pytest.mark.parametrize("name", PROVING)
def test_what_may_prove_something_is_kept(name: str, store: DocumentStore) -> None:
    kept = stored(store, LABEL, Retrieved.single(PROVING[name], DELIVERY, SOURCE, html=True))
    assert Path(kept.path).read_bytes() == PROVING[name]
    assert kept.media_type == kind(PROVING[name])


@settings(MODEST)
@given(
    parts=st.lists(
        st.sampled_from([b"BT /F 9 Tf (12 34 l) Tj ET\n", b"BT /F 9 Tf 1 0 0 1 9 9 Tm (A b) Tj ET\n", LOGO]),
        max_size=6,
    )
)
def test_a_drawing_changes_no_text(parts: list[bytes]) -> None:
    texts = [part for part in parts if part != LOGO]
    assert read_pdf(open_pdf(drawn(b"".join(parts)))).text == read_pdf(open_pdf(drawn(b"".join(texts)))).text


@pytest.mark.sample("more drawings that have no end")
@pytest.mark.parametrize(
    "drawing", [b"1" * 400_000, b"1 " + b" " * 400_000, b"1 2 " * 100_000, b"0 0 l " * 7 + b"1 " * 200_000]
)
def test_numbers_without_end_are_read_in_one_pass(drawing: bytes) -> None:
    """Begun anew at each of them, the search for drawings would take minutes."""
    assert not read_pdf(open_pdf(drawn(drawing))).text


@given(page=st.text(st.sampled_from("<>!-/= \"'abscriptnome"), max_size=200))
def test_any_page_is_read(page: str) -> None:
    assert isinstance(
        appraise_reading(read_web_page(page.encode()), Expected("ups", "1Z5R89390357567127")), Appraisal
    )


def test_a_page_of_open_tags_is_read_in_one_pass() -> None:
    """Each of them looked for to the end of the page again would be minutes."""
    assert read_web_page(b"<!--" * 250_000 + b"<script" * 250_000).text == ""


# ---------------------------------------------------------------- the store


def stored(store: DocumentStore, label: Label, got: Retrieved) -> StoredDocument:
    """The only piece of an answer, kept."""
    (document,) = store.store(label, got)
    return document


def found_by(store: DocumentStore, label: Label) -> StoredDocument | None:
    """The proof that needs no call any more, if there is one."""
    kept = store.find(label)
    assert kept.is_complete is (best_proof(kept.documents) is not None)
    return kept.documents[0] if kept.is_complete else None


@pytest.fixture
def store(tmp_path: Path) -> DocumentStore:
    return DocumentStore(tmp_path / "data" / "pods")


def no_space(_handle: int) -> None:
    raise OSError(28, "No space left on device")


def files(store: DocumentStore) -> list[str]:
    return sorted(str(p.relative_to(store.folder)) for p in store.folder.rglob("*") if p.is_file())


def test_a_document_is_kept_as_it_came(store: DocumentStore) -> None:
    kept = stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    path = Path(kept.path)
    assert path.is_absolute()
    assert path.read_bytes() == PDF
    assert path.parent == store.folder / "chronopost"
    assert path.name.startswith("CLM-2024-001_7_XY123456789FR_")
    assert path.suffix == ".pdf"
    assert (kept.sha256, kept.size, kept.media_type) == (
        hashlib.sha256(PDF).hexdigest(),
        len(PDF),
        "application/pdf",
    )
    assert (kept.delivery, kept.source) == (DELIVERY, SOURCE)


@pytest.mark.parametrize(
    ("content", "suffix"), [(PDF, ".pdf"), (PNG, ".png"), (JPEG, ".jpg"), (TIFF, ".tif")]
)
def test_the_name_tells_the_kind(content: bytes, suffix: str, store: DocumentStore) -> None:
    assert stored(store, LABEL, Retrieved.single(content, DELIVERY, SOURCE)).path.endswith(suffix)


def test_what_is_no_document_is_kept_apart(store: DocumentStore) -> None:
    refused = stored(store, LABEL, Retrieved.single(b"no document at all" * 10, DELIVERY, SOURCE))
    assert (refused.media_type, refused.refused) == (
        "application/octet-stream",
        "it is neither PDF, PNG, JPEG, GIF nor TIFF",
    )
    assert Path(refused.path).parent == store.folder / "refused" / "chronopost"
    assert Path(refused.path).suffix == ".bin"
    assert found_by(store, LABEL) is None


@pytest.mark.parametrize("fault", [MemoryError, ImportError])
def test_a_fault_of_the_machine_is_not_the_documents(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise fault

    monkeypatch.setattr(pypdf, "PdfReader", fail)
    with pytest.raises(fault):
        stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    assert [name for name in files(store) if name.endswith(".pdf")]  # it is paid for, so it stays


def test_the_same_again_is_the_same_file(store: DocumentStore) -> None:
    assert stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE)) == stored(
        store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE)
    )
    assert len(files(store)) == 2  # the document and its facts


def test_another_document_is_never_written_over_the_first(store: DocumentStore) -> None:
    first = stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    second = stored(store, LABEL, Retrieved.single(ANOTHER_PDF, DELIVERY, SOURCE))
    assert first.path != second.path
    assert Path(first.path).read_bytes() == PDF


def test_claims_whose_references_look_alike_have_files_of_their_own(store: DocumentStore) -> None:
    first = stored(store, Label("chronopost", 1, "A/B", "N"), Retrieved.single(PDF, DELIVERY, SOURCE))
    second = stored(store, Label("chronopost", 2, "A B", "N"), Retrieved.single(PDF, DELIVERY, SOURCE))
    assert first.path != second.path


def test_half_a_document_is_never_left(store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", no_space)
        with pytest.raises(RunError, match=r"Documents cannot be stored in .*: No space left on device"):
            stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    assert [name for name in files(store) if not name.endswith(".json")] == []
    assert found_by(store, LABEL) is None
    kept = stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))  # once there is room again
    assert found_by(store, LABEL) == kept


def test_a_run_that_dies_on_the_way_leaves_no_half_document(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    assert [name for name in files(store) if not name.endswith(".json")] == []
    assert found_by(store, LABEL) is None


def test_names_are_secured_once_for_each_folder(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(store_module, "sync_folder", synced.append)
    labels = [LABEL, Label("chronopost", 8, "B", "N"), Label("ups", 9, "C", "N")]
    documents = [stored(store, label, Retrieved.single(PDF, DELIVERY, SOURCE)) for label in labels]
    assert synced == []
    store.secure(documents)
    assert sorted(synced) == [store.folder / "chronopost", store.folder / "ups"]


def test_a_name_that_cannot_be_secured_is_the_runs_fault(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(RunError, match="No space left on device"):
        store.secure([kept])


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
def test_a_name_is_made_by_us(text: str, part: str, store: DocumentStore, tmp_path: Path) -> None:
    facts: dict[str, Any] = {"carrier": "chronopost", "claim_id": 7, "reference": "R", "number": "N"} | {
        part: text
    }
    label = Label(**facts)
    path = Path(stored(store, label, Retrieved.single(PDF, DELIVERY, SOURCE)).path)
    assert path.parent == store.folder / "chronopost"
    assert path.name.isascii()
    assert path.name.isprintable()
    assert len(path.name) < 200
    assert not set(path.name) & set('\\/:*?"<>|[]{}$% ')
    assert path.is_file()
    assert [p for p in tmp_path.rglob("*") if p.is_file() and store.folder not in p.parents] == []
    found = found_by(store, label)
    assert found is not None
    assert found.path == str(path)


# ---------------------------------------------------------------- found again after a crash


def test_a_document_is_found_again_with_its_facts(store: DocumentStore) -> None:
    assert found_by(store, LABEL) is None
    kept = stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    assert found_by(store, LABEL) == kept
    assert found_by(DocumentStore(store.folder), LABEL) == kept


def test_a_document_without_time_and_signatory_is_found_too(store: DocumentStore) -> None:
    for delivery in (Delivery(None, None), Delivery(None, "DUPONT", date(2026, 10, 5))):
        kept = stored(store, LABEL, Retrieved.single(PDF, delivery, SOURCE))
        assert found_by(store, LABEL) == kept


def test_another_claim_or_number_finds_nothing(store: DocumentStore) -> None:
    stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    for other in (
        Label("chronopost", 8, LABEL.reference, LABEL.number),
        Label("chronopost", 7, LABEL.reference, "XY999999999FR"),
        Label("ups", 7, LABEL.reference, LABEL.number),
        Label("chronopost", 7, "CLM-2024", LABEL.number),
    ):
        assert found_by(store, other) is None


def test_a_folder_that_was_moved_is_no_harm(store: DocumentStore, tmp_path: Path) -> None:
    kept = stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    moved = store.folder.rename(tmp_path / "moved")
    found = found_by(DocumentStore(moved), LABEL)
    assert found is not None
    assert Path(found.path).read_bytes() == PDF
    assert found.sha256 == kept.sha256


@pytest.mark.parametrize("left", [None, PDF[:-1], b"", b"x" * len(PDF)])
def test_a_document_that_is_not_whole_is_not_found(left: bytes | None, store: DocumentStore) -> None:
    path = Path(stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE)).path)
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    assert found_by(store, LABEL) is None
    assert found_by(store, LABEL) is None
    again = stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    assert found_by(store, LABEL) == again
    assert Path(again.path).read_bytes() == PDF


OWNER = {"claim_id": "7", "reference": LABEL.reference, "number": LABEL.number}


def facts_of(delivery: Any, **more: Any) -> str:
    whole = {
        "sha256": hashlib.sha256(PDF).hexdigest(),
        "size": len(PDF),
        "media_type": "application/pdf",
        "source": "",
        "kind": "letter",
        "refused": None,
        "answer": [],
    }
    return json.dumps(OWNER | whole | {"delivery": delivery} | more)


@pytest.mark.parametrize(
    "facts",
    [
        None, b"", b"\xff\xfe{", "[]", "null", "7", '"text"', "{}", "[" * 100_000,
        facts_of(None),
        facts_of([]),
        facts_of({"at": 5, "signatory": None}),
        facts_of({"at": "x", "signatory": None}),
        facts_of({"at": None}),
        facts_of({"at": None, "signatory": ""}, frob=1),
        facts_of({"at": None, "signatory": ""}, sha256=7),
        facts_of({"at": None, "signatory": ""}, claim_id="8"),
        facts_of({"at": None, "signatory": ""}, number="XY999999999FR"),
        facts_of({"at": None, "signatory": ""}, reference=None),
        facts_of({"at": "0001-01-01T00:00:00+14:00", "signatory": ""}),
        facts_of({"at": None, "signatory": ""}, size="many"),
        facts_of({"at": None, "signatory": ""}, size=10**30),
        facts_of({"at": None, "signatory": ""}, source=["a"]),
        facts_of({"at": None, "signatory": ""}, source="a\0"),
        facts_of({"at": None, "signatory": ""}, media_type="image/webp"),
        facts_of({"at": None, "signatory": ""}, refused={"a": 1}),
    ],
    ids=lambda facts: str(facts)[:30],
)  # fmt: skip
def test_facts_that_cannot_be_read_are_none(facts: bytes | str | None, store: DocumentStore) -> None:
    path = Path(stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE)).path)
    beside = path.with_name(path.name + ".json")
    beside.unlink()
    if facts is not None:
        beside.write_bytes(facts if isinstance(facts, bytes) else facts.encode())
    assert found_by(store, LABEL) is None
    again = stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    assert found_by(store, LABEL) == again


def test_facts_that_name_a_piece_twice_are_read(store: DocumentStore) -> None:
    path = Path(stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE)).path)
    twice = facts_of({"at": None, "signatory": "A\0B"}, answer=[path.name] * 2)
    path.with_name(path.name + ".json").write_text(twice)
    kept = store.find(LABEL)
    assert kept.is_complete
    assert [piece.delivery.signatory for piece in kept.documents] == ["A\\x00B"]


def test_a_page_that_its_facts_call_an_image_is_not_taken_for_a_scan(store: DocumentStore) -> None:
    content = b"<html><body><p>Please log in to see this proof of delivery</p></body></html>"
    path = (
        store.folder / "chronopost" / f"CLM_7_{LABEL.number}_{hashlib.sha256(content).hexdigest()[:16]}.png"
    )
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    facts = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "media_type": "image/png"}
    path.with_name(path.name + ".json").write_text(facts_of({"at": None, "signatory": ""}, **facts))
    assert store.find(LABEL).documents == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
@pytest.mark.parametrize("ending", ["", ".json"])
def test_nobody_waits_for_a_pipe_in_a_documents_place(store: DocumentStore, ending: str) -> None:
    path = stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE)).path + ending
    Path(path).unlink()
    os.mkfifo(path)
    assert store.find(LABEL).documents == ()


def test_a_reference_like_another_claims_name_adopts_nothing(store: DocumentStore) -> None:
    """The name of its file begins as that of the other's would."""
    stored(store, Label("chronopost", 2, "CLM_1_N_x", "M"), Retrieved.single(PDF, DELIVERY, SOURCE))
    stored(store, Label("chronopost", "1_N_2", "CLM", "M"), Retrieved.single(PDF, DELIVERY, SOURCE))
    assert found_by(store, Label("chronopost", 1, "CLM", "N")) is None
    assert found_by(store, Label("chronopost", "1_N", "CLM", "2_M")) is None


def test_a_file_whose_facts_do_not_name_its_owner_is_not_adopted(store: DocumentStore) -> None:
    beside = Path(stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE)).path + ".json")
    facts = json.loads(beside.read_text())
    beside.write_text(json.dumps({name: value for name, value in facts.items() if name not in OWNER}))
    assert found_by(store, LABEL) is None


def test_a_document_is_on_disk_before_it_is_appraised(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a carrier sent is paid for: a run that dies over a slow look at it leaves it to the next one."""

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store_module, "appraise", killed)
        with pytest.raises(KeyboardInterrupt):
            stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    found = found_by(store, LABEL)
    assert found is not None
    assert Path(found.path).read_bytes() == PDF


def test_what_a_run_stored_and_did_not_appraise_is_appraised_by_the_next(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(store_module, "appraise", lambda *_: Appraisal(Shown()))
        stored(store, LABEL, Retrieved.single(pdf_of(1), DELIVERY, SOURCE))
    assert found_by(store, LABEL) is None


def test_a_document_that_counted_once_is_not_deleted_by_a_second_look(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record may point to it."""
    with monkeypatch.context() as patched:
        patched.setattr(store_module, "appraise", lambda *_: Appraisal(Shown()))
        path = Path(stored(store, LABEL, Retrieved.single(pdf_of(1), DELIVERY, SOURCE)).path)
    again = stored(store, LABEL, Retrieved.single(pdf_of(1), DELIVERY, SOURCE))
    assert again.refused == "it is blank"
    assert again.path == str(path)
    assert path.read_bytes() == pdf_of(1)


def test_a_spoilt_document_does_not_hide_a_good_one(store: DocumentStore) -> None:
    first = Path(stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE)).path)
    second = stored(store, LABEL, Retrieved.single(ANOTHER_PDF, DELIVERY, SOURCE))
    first.write_bytes(b"")
    assert found_by(store, LABEL) == second


# ---------------------------------------------------------------- a folder that takes nothing


def test_a_folder_is_made_and_left_clean(store: DocumentStore) -> None:
    store.make_sure()
    assert store.folder.is_dir()
    assert files(store) == []


@pytest.mark.parametrize("use", ["make_sure", "store"])
def test_a_file_in_place_of_the_folder(use: str, store: DocumentStore) -> None:
    store.folder.parent.mkdir(parents=True)
    store.folder.write_text("")
    with pytest.raises(
        RunError, match=r"Documents cannot be stored in .*No carrier is called before that is mended"
    ):
        store.make_sure() if use == "make_sure" else stored(
            store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE)
        )


def test_a_full_disk_is_seen_before_any_call(store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(RunError, match="No space left on device"):
        store.make_sure()


def test_a_png_is_built_of_chunks_that_end() -> None:
    """The sign that a picture is whole is the last chunk's, not just any bytes of that name."""
    assert PNG.endswith(struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND")))


def test_what_a_run_that_died_had_half_written_is_swept_a_day_later(
    store: DocumentStore, tmp_path: Path
) -> None:
    parts = store.folder / ".parts"
    parts.mkdir(parents=True)
    old, fresh = parts / "1-1-old.pdf", parts / "1-1-fresh.pdf"
    for part in (old, fresh):
        part.write_bytes(b"%PDF")
    day_ago = fresh.stat().st_mtime - 25 * 3600
    os.utime(old, (day_ago, day_ago))
    store.make_sure()
    assert [path.name for path in parts.iterdir()] == [fresh.name]


# ---------------------------------------------------------------- all pieces of an answer


A_LETTER = Piece(PDF, "ups track")
SIGNATURE = Piece(PNG, "ups track", EvidenceKind.SIGNATURE)
HOLLOW_PAGE = Piece(pdf_of(1), "ups track")
NO_DOCUMENT = Piece(b"Document indisponible. " * 10, "ups track")


def test_all_pieces_are_kept_each_content_once(store: DocumentStore) -> None:
    documents = store.store(LABEL, Retrieved((A_LETTER, SIGNATURE, A_LETTER), DELIVERY))
    assert [(one.kind, Path(one.path).read_bytes()) for one in documents] == [
        (EvidenceKind.LETTER, PDF),
        (EvidenceKind.SIGNATURE, PNG),
    ]
    assert store.find(LABEL) == Kept(tuple(documents), is_complete=True)


@pytest.mark.parametrize(
    "pieces",
    [
        (A_LETTER, HOLLOW_PAGE, NO_DOCUMENT),
        (NO_DOCUMENT, HOLLOW_PAGE, A_LETTER),
        (HOLLOW_PAGE, NO_DOCUMENT, A_LETTER),
    ],
)
def test_a_piece_that_proves_nothing_lies_apart_from_a_good_one(
    pieces: tuple[Piece, ...], store: DocumentStore
) -> None:
    documents = store.store(LABEL, Retrieved(pieces, DELIVERY))
    for piece, document in zip(pieces, documents, strict=True):
        is_good = piece is A_LETTER
        assert (document.refused is None) is is_good
        folder = store.folder if is_good else store.folder / "refused"
        assert Path(document.path).parent == folder / "chronopost"
        assert Path(document.path).read_bytes() == piece.content
    assert best_proof(documents) == documents[pieces.index(A_LETTER)]
    assert store.find(LABEL) == Kept(tuple(documents), is_complete=True)


def test_a_letter_goes_before_a_signature_alone(store: DocumentStore) -> None:
    signature, letter = store.store(LABEL, Retrieved((SIGNATURE, A_LETTER), DELIVERY))
    assert best_proof([signature, letter]) == letter
    assert best_proof([signature]) == signature


def test_what_proves_nothing_is_found_again_too(store: DocumentStore) -> None:
    documents = store.store(LABEL, Retrieved((HOLLOW_PAGE, NO_DOCUMENT), DELIVERY))
    found = store.find(LABEL)
    assert not found.is_complete
    assert sorted(one.path for one in found.documents) == sorted(one.path for one in documents)


@pytest.mark.parametrize("lost", [0, 1])
def test_an_answer_of_which_a_piece_is_missing_is_not_complete(lost: int, store: DocumentStore) -> None:
    documents = store.store(LABEL, Retrieved((A_LETTER, SIGNATURE), DELIVERY))
    Path(documents[lost].path).unlink()
    left = documents[1 - lost]
    assert store.find(LABEL) == Kept((left,))
    assert store.store(LABEL, Retrieved((A_LETTER, SIGNATURE), DELIVERY)) == documents
    assert store.find(LABEL).is_complete


@pytest.mark.parametrize("dies_at", ["before it is moved", "after it is moved"])
def test_a_run_that_dies_while_it_sets_a_piece_apart_loses_nothing(
    dies_at: str, store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file, unlink = Path.replace, Path.unlink

    def replaced(path: Path, target: Path) -> Path:
        is_move = path.parent.name == "chronopost" and target.parent.parent.name == "refused"
        if is_move and dies_at == "before it is moved":
            raise KeyboardInterrupt
        return replace_file(path, target)

    def unlinked(path: Path, **named: Any) -> None:
        if path.parent.name == "chronopost" and dies_at == "after it is moved":
            raise KeyboardInterrupt
        unlink(path, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replaced)
        patched.setattr(Path, "unlink", unlinked)
        with pytest.raises(KeyboardInterrupt):
            store.store(LABEL, Retrieved((HOLLOW_PAGE, A_LETTER), DELIVERY))
    found = store.find(LABEL)
    assert found.is_complete
    assert [(one.refused, Path(one.path).read_bytes()) for one in found.documents] == [
        ("it is blank", HOLLOW_PAGE.content),
        (None, PDF),
    ]


def test_a_record_is_kept_and_proves_nothing_alone(store: DocumentStore) -> None:
    claim = Claim(id=7, reference="CLM-2024-001", carrier="laposte", number="XY123456789FR")
    delivery = replace(DELIVERY, place="LILLE", label="Votre colis est livré.")
    got = Retrieved((record_of(claim, delivery),), delivery)
    kept = stored(store, LABEL, got)
    assert json.loads(Path(kept.path).read_bytes()) == {
        "carrier": "laposte",
        "delivered_at": "2026-02-05T09:30:00+00:00",
        "delivered_day": None,
        "place": "LILLE",
        "reference": "CLM-2024-001",
        "signatory": "DUPONT é",
        "status": "Votre colis est livré.",
        "tracking_number": "XY123456789FR",
    }
    assert (kept.kind, kept.media_type, kept.refused) == (EvidenceKind.RECORD, "application/json", None)
    assert kept.shown == Shown(
        is_readable=True,
        number=True,
        signatory="DUPONT é",
        delivered="2026-02-05T09:30:00+00:00",
        place="LILLE",
    )
    assert best_proof([kept]) is None
    found = store.find(LABEL)
    assert found == Kept((kept,))
    assert found.documents[0].delivery.place == "LILLE"


def test_a_piece_that_better_rules_accept_leaves_nothing_among_the_refused(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row names one file: nobody would ever delete the other."""
    with monkeypatch.context() as patched:
        patched.setattr(store_module, "appraise", lambda *_: Appraisal(Shown(), "it is blank"))
        refused = stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    assert Path(refused.path).exists()
    kept = stored(store, LABEL, Retrieved.single(PDF, DELIVERY, SOURCE))
    assert kept.refused is None
    assert files(store) == sorted(f"chronopost/{Path(kept.path).name}{end}" for end in ("", ".json"))
