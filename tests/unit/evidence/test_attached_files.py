"""Reading a file that a person attaches."""

import tracemalloc
from pathlib import Path

import pytest

from recours.core.evidence import Expected
from recours.core.outcome import NotADocumentError
from recours.evidence.attached_files import LARGEST_MB, appraise_file, read_file
from recours.sandbox.documents import signature_png

CONTENT = signature_png("x")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "proof.png"
    path.write_bytes(CONTENT)
    return path


def test_a_file_is_read_unchanged(path: Path) -> None:
    assert read_file(path) == CONTENT
    assert appraise_file(read_file(path), Expected("ups", "1Z999AA10123456784")).hollow is None


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.pdf"
    with large.open("wb") as file:
        file.truncate(LARGEST_MB * 1024 * 1024 + 1)
    tracemalloc.start()
    with pytest.raises(NotADocumentError, match=f"it is larger than {LARGEST_MB} MB"):
        read_file(large)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    with large.open("r+b") as file:
        file.truncate(LARGEST_MB * 1024 * 1024)
    assert len(read_file(large)) == LARGEST_MB * 1024 * 1024


@pytest.mark.parametrize("name", ["nowhere.png", "a\0b", "x" * 5000])
def test_a_file_that_cannot_be_opened_is_rejected(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotADocumentError, match="it cannot be read "):
        read_file(tmp_path / name)
