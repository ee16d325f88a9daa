"""PDFs that somebody else made, drawn within limits."""

import zlib
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from recours.dashboard import pdf_pages
from recours.dashboard.pdf_pages import NotDrawnError, draw_page
from recours.sandbox.documents import broken_pdf, proof_pdf

PROOF = proof_pdf("UPS", "1Z999AA10123456784", "DUPONT", datetime(2026, 2, 1, tzinfo=UTC))


def pdf(size: bytes, drawn: bytes = b"0 0 m 90 90 l S") -> bytes:
    """One page of this size, in points."""
    content = zlib.compress(drawn)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %s] /Contents 4 0 R >>" % size,
        b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % (number, each) for number, each in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer << /Root 1 0 R >>\n%%EOF\n"


@pytest.mark.parametrize("size", [b"595 842", b"14400 14400", b"1 14400", b"14400 1"])
def test_a_page_of_any_size_is_a_picture_that_fits(size: bytes) -> None:
    width, height = Image.open(BytesIO(draw_page(pdf(size), 1))).size
    assert width <= 1241
    assert height <= 5001


def test_the_page_is_drawn_as_it_is() -> None:
    picture = Image.open(BytesIO(draw_page(PROOF, 1))).convert("L")
    assert picture.size[0] in (1240, 1241)
    dark = sum(picture.histogram()[:128])
    assert 2000 < dark < picture.size[0] * picture.size[1] / 5  # text and a signature on white


@pytest.mark.parametrize("content", [b"", b"no PDF", broken_pdf(), PROOF[:900]])
def test_what_is_no_pdf_is_not_drawn(content: bytes) -> None:
    with pytest.raises(NotDrawnError):
        draw_page(content, 1)


def test_a_page_that_is_not_there_is_not_drawn() -> None:
    with pytest.raises(NotDrawnError):
        draw_page(PROOF, 2)


def test_one_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_pages, "_LONGEST_S", 1)
    endless = pdf(b"595 842", b"0 0 m 595 842 l 10 5 300 400 500 20 c S\n" * 700_000)
    with pytest.raises(NotDrawnError):
        draw_page(endless, 1)


def test_the_process_sees_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pypdfium2.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert draw_page(PROOF, 1).startswith(b"\x89PNG")
