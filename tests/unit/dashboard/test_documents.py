"""Documents of claims: no file outside the folder is opened, and invalid files are reported."""

from pathlib import Path

import pytest

from recours.dashboard.documents import LARGEST, Absent, Document, NoDocument, read_document

PNG = b"\x89PNG\r\n\x1a\n" + bytes(80) + b"IEND\xaeB`\x82"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pods" / "ups").mkdir(parents=True)
    (tmp_path / "pods" / "ups" / "a.png").write_bytes(PNG)
    (tmp_path / "pods-of-others").mkdir()
    (tmp_path / "pods-of-others" / "a.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    return tmp_path / "pods"


def test_a_document_in_the_folder_is_read(folder: Path) -> None:
    assert read_document(str(folder / "ups" / "a.png"), folder) == Document("a.png", "image/png", PNG)


@pytest.mark.parametrize(
    "where",
    [
        "{folder}/../secret.png",
        "{folder}/ups/../../secret.png",
        "{folder}-of-others/a.png",
        "{folder}/link.png",
        "ups/a.png",
        "/etc/passwd",
        "https://example.com/a.png",
        "file:///etc/passwd",
        "\\\\server\\share\\a.png",
        "",
        ".",
    ],
)
def test_files_outside_the_folder_are_not_opened(folder: Path, where: str) -> None:
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    found = read_document(where.format(folder=folder), folder)
    assert isinstance(found, NoDocument)
    assert found.why is Absent.ELSEWHERE


def test_missing_and_invalid_documents_are_reported(folder: Path) -> None:
    def why(name: str, content: bytes | None) -> Absent:
        if content is not None:
            (folder / name).write_bytes(content)
        found = read_document(str(folder / name), folder)
        assert isinstance(found, NoDocument)
        return found.why

    assert why("none.png", None) is Absent.MISSING
    assert why("ups", None) is Absent.MISSING
    assert why("cut.png", PNG[:70]) is Absent.NO_DOCUMENT
    assert (
        why("page.png", b"<html>" + bytes(100)) is Absent.NO_DOCUMENT
    )  # a page only if recours stored it as one
    assert (
        why("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + bytes(100))
        is Absent.NO_DOCUMENT
    )
    assert why("large.png", PNG[:-8] + bytes(LARGEST) + PNG[-8:]) is Absent.TOO_LARGE
    assert why("\0.png", None) is Absent.ELSEWHERE
