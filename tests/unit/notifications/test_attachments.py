"""Which files a mail brings along, whatever the database says of them."""

from base64 import encodebytes

import pytest

from recours.core.mail import Proof
from recours.notifications.attachments import LARGEST, attach, encoded_size


def proof(reference: str, size: int, path: str = "", media_type: str = "application/pdf") -> Proof:
    return Proof(reference, path or f"/pods/ups/{reference}.pdf", "", size, media_type)


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 1000, 3_000_001])
def test_the_encoded_size_is_that_of_the_wire(size: int) -> None:
    assert encoded_size(size) == len(encodebytes(bytes(size)).replace(b"\n", b"\r\n"))


def test_what_fits_is_attached_and_the_rest_is_named_once() -> None:
    contents = {"CLM-1": 3_000_000, "CLM-2": 2_000_000, "CLM-3": 500_000}
    proofs = [proof(name, size) for name, size in contents.items()] + [
        proof("CLM-2", 2_000_000, "/pods/ups/b.pdf")
    ]
    found = attach(proofs, lambda one: bytes(contents[one.reference]))
    assert [file.name for file in found.files] == ["CLM-1.pdf", "CLM-3.pdf"]
    assert found.too_large == ("CLM-2",)
    assert found.without_files().too_large == ("CLM-1", "CLM-3", "CLM-2")


@pytest.mark.parametrize("said", [-(10**9), 1])
def test_a_file_that_is_larger_than_it_is_said_to_be_is_too_large(said: int) -> None:
    found = attach(
        [proof("CLM-1", said), proof("CLM-2", 9)], lambda one: bytes(LARGEST if one.size == said else 9)
    )
    assert ([file.name for file in found.files], found.too_large) == (["CLM-2.pdf"], ("CLM-1",))


def test_names_and_types_forge_no_header() -> None:
    hostile = [
        proof("CLM-1", 9, '/pods/a\r\nBcc: evil@x"; name=.pdf', "text/html\r\nBcc: evil@x"),
        proof("CLM-2", 9, "/pods/ups/é\u202e.pdf", "../x"),
    ]
    files = attach(hostile, lambda _: b"123456789").files
    assert [file.media_type for file in files] == ["application/octet-stream"] * 2
    assert all(file.name.isascii() and file.name.isprintable() and " " not in file.name for file in files)
