"""A file of claims from spreadsheets and other sources: each line is read independently, or reported."""

import pytest

from recours.admin.claim_file import LARGEST, read_claim_file
from recours.runs.refusals import ClaimsRefusedError

MOST = 5
ROW = ("CLM-1", "XY1", None)


def read(content: str | bytes, *, needs_values: bool = True) -> list[tuple[str, str | None, str | None]]:
    content = content if isinstance(content, bytes) else content.encode()
    rows = read_claim_file(content, MOST, needs_values=needs_values)
    assert all(row.fault is None for row in rows), rows
    return [(row.reference, row.number, row.carrier) for row in rows]


def faults(content: str) -> dict[int, str]:
    rows = read_claim_file(content.encode(), MOST, needs_values=True)
    return {row.line: row.fault.sentence() for row in rows if row.fault}


@pytest.mark.parametrize(
    "content",
    [
        "CLM-1;XY1", "CLM-1,XY1\r\n", "CLM-1\tXY1\n", "\ufeffCLM-1;XY1", " CLM-1 ; XY1 ;\n\n;;\n", '"CLM-1";"XY1"',
        "reference;number\nCLM-1;XY1", "Claim,Status,Carrier,Tracking_number\nCLM-1,open,,XY1", "\n\nNuméro;Réclamation\nXY1;CLM-1",
        "réclamation;numéro\nCLM-1;XY1".encode("cp1252"), "CLM-1;XY1\r", "\ufeff\ufeffCLM-1;XY1", "Re\u0301clamation;Nume\u0301ro\nCLM-1;XY1",
    ],
)  # fmt: skip
def test_spreadsheet_formats_are_read(content: str | bytes) -> None:
    assert read(content) == [ROW]


def test_the_carrier_column_is_optional() -> None:
    assert read("A;1;DHL\nB;;Colis Privé\nC;3".encode("cp1252")) == [
        ("A", "1", "DHL"),
        ("B", None, "Colis Privé"),
        ("C", "3", None),
    ]
    assert read("A\nB", needs_values=False) == [("A", None, None), ("B", None, None)]


def test_a_bad_line_is_reported_and_the_others_are_read() -> None:
    assert faults('CLM-1;XY1\n"CLM-2;XY2\nCLM-3\n;XY4\nCLM-5;XY5;UPS;more') == {
        2: "This line cannot be read: a quotation mark is missing, or there are more cells than columns.",
        3: "CLM-3: the line has neither a tracking number nor a carrier.",
        4: "This line has no claim reference.",
        5: "This line cannot be read: a quotation mark is missing, or there are more cells than columns.",
    }


def test_a_repeated_claim_is_reported() -> None:
    assert faults("A;1\nB;2\nA;1\nB;3") == {
        2: "B has different values on lines 2, 4. Correct the file.",
        3: "A is already on line 1.",
        4: "B has different values on lines 2, 4. Correct the file.",
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"CLM-1;" + b"x" * LARGEST, "larger than 2 MB. Split it"),
        (b"A;1\n" * (MOST + 2), "more than 5 rows. Split it"),
        (b"CLM-1;XY\0", "Save it as CSV"),
        ("CLM-1;XY1".encode("utf-16"), "Save it as CSV"),
        (b"PK\x03\x04\x81\x8d\x00", "Save it as CSV"),
        (b"CLM-1;\x81\xff", "Save it as CSV"),
        (b"", "contains no claims"),
        (b"\n \n;;\n", "contains no claims"),
        (b"reference;number\n", "contains no claims"),
    ],
)
def test_an_invalid_file_is_rejected(content: bytes, says: str) -> None:
    with pytest.raises(ClaimsRefusedError, match=says):
        read_claim_file(content, MOST, needs_values=True)


def test_hostile_lines_are_read_like_any_line() -> None:
    wide = "CLM-1" + ";x" * 100_000
    rows = read_claim_file(
        f"=1+2;@SUM(A1)\n{wide}\nCLM-2;{'x' * 200_000}\n".encode(), MOST, needs_values=True
    )
    assert [(row.line, row.reference, row.fault is None) for row in rows] == [
        (1, "=1+2", True), (2, "", False), (3, "", False),
    ]  # fmt: skip
