"""Evidence and where it is kept: only real documents, each whole, none over another, none lost."""

import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfWriter
from pypdf.generic import NameObject, TextStringObject

from recours.core.claim import Delivery
from recours.core.outcome import Retrieved
from recours.documents import store as store_module
from recours.documents.evidence import SUFFIXES, media_type_of
from recours.documents.store import DocumentStore
from recours.runs.ports import Label, NotADocument, RunFault
from recours.sandbox import documents as simulated

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 2, 5, 9, 30, tzinfo=UTC)
DELIVERY = Delivery(AT, "DUPONT é")
LABEL = Label("chronopost", 7, "CLM-2024-001", "XY123456789FR")
SOURCE = "chronopost searchPOD"

PDF = simulated.proof_pdf("Chronopost", "XY123456789FR", "DUPONT", AT)
PNG = simulated.signature_png("XY123456789FR")
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(1, 200)) + b"\xff\xd9"
TIFF = b"II*\x00" + bytes(200)


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
        (b"Document indisponible. " * 10, "neither PDF, PNG, JPEG nor TIFF"),
        (b"<html><body>maintenance</body></html>" * 5, "neither PDF"),
        (b"\n\n" + PDF, "neither PDF"),
        (b"GIF89a" + bytes(200), "neither PDF"),
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
    with pytest.raises(NotADocument) as caught:
        media_type_of(content)
    assert why in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("size", [64, 200, 1000, 1500])
def test_no_beginning_of_a_png_passes(size: int) -> None:
    assert size < len(PNG)
    with pytest.raises(NotADocument):
        media_type_of(PNG[:size])


def test_a_pdf_that_anyone_may_open_counts() -> None:
    """Encrypted with an empty password, as printers do it to forbid changes."""
    assert media_type_of(pdf_of(1, "", owner_password="owner", algorithm="RC4-128")) == "application/pdf"


def encrypted(algorithm: str) -> bytes:
    """With an empty password. Its language is a text of the catalog, which is read before the pages are."""
    writer = PdfWriter()
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
from recours.documents.evidence import media_type_of
print(media_type_of(sys.stdin.buffer.read()))
"""


@pytest.mark.parametrize("algorithm", ["AES-128", "AES-256"])
def test_where_the_library_for_encryption_is_missing_no_document_is_lost(algorithm: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE], cwd=ROOT, input=encrypted(algorithm), capture_output=True, check=False
    )
    assert (done.stdout.decode().strip(), done.stderr.decode()) == ("application/pdf", "")


def test_a_pdf_that_grows_without_end_is_no_harm() -> None:
    """Its object stream unpacks to thirty megabytes."""
    bomb = zlib.compress(bytes(30_000_000), 9)
    head = (
        b"%%PDF-1.5\n1 0 obj\n<< /Type /XRef /Size 9 /W [1 1 1] /Filter /FlateDecode /Length %d >>\nstream\n"
        % len(bomb)
    )
    file = head + bomb + b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n"
    with pytest.raises(NotADocument):
        media_type_of(file)


def test_a_damaged_pdf_says_nothing_on_its_own(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(NotADocument):
        media_type_of(simulated.broken_pdf())
    assert caplog.records == []


# ---------------------------------------------------------------- the store


@pytest.fixture
def store(tmp_path: Path) -> DocumentStore:
    return DocumentStore(tmp_path / "data" / "pods")


def no_space(_handle: int) -> None:
    raise OSError(28, "No space left on device")


def files(store: DocumentStore) -> list[str]:
    return sorted(str(p.relative_to(store.folder)) for p in store.folder.rglob("*") if p.is_file())


def test_a_document_is_kept_as_it_came(store: DocumentStore) -> None:
    kept = store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE))
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
    assert store.store(LABEL, Retrieved(content, DELIVERY, SOURCE)).path.endswith(suffix)


def test_what_is_no_document_leaves_nothing(store: DocumentStore) -> None:
    with pytest.raises(NotADocument):
        store.store(LABEL, Retrieved(b"no document at all" * 10, DELIVERY, SOURCE))
    assert files(store) == []


def test_the_same_again_is_the_same_file(store: DocumentStore) -> None:
    assert store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE)) == store.store(
        LABEL, Retrieved(PDF, DELIVERY, SOURCE)
    )
    assert len(files(store)) == 2  # the document and its facts


def test_another_document_is_never_written_over_the_first(store: DocumentStore) -> None:
    first = store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE))
    second = store.store(LABEL, Retrieved(pdf_of(2), DELIVERY, SOURCE))
    assert first.path != second.path
    assert Path(first.path).read_bytes() == PDF


def test_claims_whose_references_look_alike_have_files_of_their_own(store: DocumentStore) -> None:
    first = store.store(Label("chronopost", 1, "A/B", "N"), Retrieved(PDF, DELIVERY, SOURCE))
    second = store.store(Label("chronopost", 2, "A B", "N"), Retrieved(PDF, DELIVERY, SOURCE))
    assert first.path != second.path


def test_half_a_document_is_never_left(store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(store_module.os, "fsync", no_space)
        with pytest.raises(RunFault, match=r"Documents cannot be stored in .*: No space left on device"):
            store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE))
    assert [name for name in files(store) if not name.endswith(".json")] == []
    assert store.find(LABEL) is None
    kept = store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE))  # once there is room again
    assert store.find(LABEL) == kept


def test_a_run_that_dies_on_the_way_leaves_no_half_document(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store_module.os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE))
    assert [name for name in files(store) if not name.endswith(".json")] == []
    assert store.find(LABEL) is None


def test_names_are_secured_once_for_each_folder(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(store_module, "sync_folder", synced.append)
    labels = [LABEL, Label("chronopost", 8, "B", "N"), Label("ups", 9, "C", "N")]
    stored = [store.store(label, Retrieved(PDF, DELIVERY, SOURCE)) for label in labels]
    assert synced == []
    store.secure(stored)
    assert sorted(synced) == [store.folder / "chronopost", store.folder / "ups"]


def test_a_name_that_cannot_be_secured_is_the_runs_fault(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE))
    monkeypatch.setattr(store_module.os, "fsync", no_space)
    with pytest.raises(RunFault, match="No space left on device"):
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
    path = Path(store.store(label, Retrieved(PDF, DELIVERY, SOURCE)).path)
    assert path.parent == store.folder / "chronopost"
    assert path.name.isascii()
    assert path.name.isprintable()
    assert len(path.name) < 200
    assert not set(path.name) & set('\\/:*?"<>|[]{}$% ')
    assert path.is_file()
    assert [p for p in tmp_path.rglob("*") if p.is_file() and store.folder not in p.parents] == []
    found = store.find(label)
    assert found is not None
    assert found.path == str(path)


# ---------------------------------------------------------------- found again after a crash


def test_a_document_is_found_again_with_its_facts(store: DocumentStore) -> None:
    assert store.find(LABEL) is None
    kept = store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE))
    assert store.find(LABEL) == kept
    assert DocumentStore(store.folder).find(LABEL) == kept


def test_a_document_without_time_and_signatory_is_found_too(store: DocumentStore) -> None:
    kept = store.store(LABEL, Retrieved(PDF, Delivery(None, None), SOURCE))
    assert store.find(LABEL) == kept


def test_another_claim_or_number_finds_nothing(store: DocumentStore) -> None:
    store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE))
    for other in (
        Label("chronopost", 8, LABEL.reference, LABEL.number),
        Label("chronopost", 7, LABEL.reference, "XY999999999FR"),
        Label("ups", 7, LABEL.reference, LABEL.number),
        Label("chronopost", 7, "CLM-2024", LABEL.number),
    ):
        assert store.find(other) is None


def test_a_folder_that_was_moved_is_no_harm(store: DocumentStore, tmp_path: Path) -> None:
    kept = store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE))
    moved = store.folder.rename(tmp_path / "moved")
    found = DocumentStore(moved).find(LABEL)
    assert found is not None
    assert Path(found.path).read_bytes() == PDF
    assert found.sha256 == kept.sha256


@pytest.mark.parametrize("left", [None, PDF[:-1], b"", b"x" * len(PDF)])
def test_a_document_that_is_not_whole_is_not_found(left: bytes | None, store: DocumentStore) -> None:
    path = Path(store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE)).path)
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    assert store.find(LABEL) is None
    assert store.find(LABEL) is None
    again = store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE))
    assert store.find(LABEL) == again
    assert Path(again.path).read_bytes() == PDF


def facts_of(delivery: Any, **more: Any) -> str:
    whole = {
        "sha256": hashlib.sha256(PDF).hexdigest(),
        "size": len(PDF),
        "media_type": "application/pdf",
        "source": "",
    }
    return json.dumps(whole | {"delivery": delivery} | more)


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
    ],
    ids=lambda facts: str(facts)[:30],
)  # fmt: skip
def test_facts_that_cannot_be_read_are_none(facts: bytes | str | None, store: DocumentStore) -> None:
    path = Path(store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE)).path)
    beside = path.with_name(path.name + ".json")
    beside.unlink()
    if facts is not None:
        beside.write_bytes(facts if isinstance(facts, bytes) else facts.encode())
    assert store.find(LABEL) is None
    again = store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE))
    assert store.find(LABEL) == again


def test_a_spoilt_document_does_not_hide_a_good_one(store: DocumentStore) -> None:
    first = Path(store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE)).path)
    second = store.store(LABEL, Retrieved(pdf_of(2), DELIVERY, SOURCE))
    first.write_bytes(b"")
    assert store.find(LABEL) == second


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
        RunFault, match=r"Documents cannot be stored in .*No carrier is called before that is mended"
    ):
        store.make_sure() if use == "make_sure" else store.store(LABEL, Retrieved(PDF, DELIVERY, SOURCE))


def test_a_full_disk_is_seen_before_any_call(store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module.os, "fsync", no_space)
    with pytest.raises(RunFault, match="No space left on device"):
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
