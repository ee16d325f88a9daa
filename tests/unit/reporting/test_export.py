"""Exported claims: file formats, and protection from formulas in spreadsheets."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from recours.carriers.registry import CATALOG
from recours.core.claim import Claim, Delivery, Stage, State
from recours.core.evidence import Findings
from recours.core.localized import Localized
from recours.core.policy import Policy
from recours.core.position import position
from recours.core.sentences import Sentence, SentenceParts
from recours.reporting.evidence import ClaimEvidence
from recours.reporting.export import EXCEL_FR, PLAIN, ExportedClaim, Form, csv_pieces, json_pieces
from recours.reporting.records import Effort, ListedClaim
from tests.unit.reporting.test_evidence import LETTER

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
POLICY = Policy(zone=ZoneInfo("Europe/Paris"))
CLAIM = Claim(
    1, "CLM-1", carrier="chronopost", number="XY1FR", fetch_status="failed", claim_status="a\nb", client_text="7",
    deadline=date(2026, 2, 3), amount=Decimal("1234.5"), error_text="…", created_at=NOW,
    explanation=SentenceParts(Sentence.NUMBER_UNKNOWN, "Chronopost"), state=State(Stage.GIVEN_UP),
)  # fmt: skip


def row(claim: Claim, form: Form = PLAIN, evidence: ClaimEvidence = ClaimEvidence()) -> dict[str, object]:  # noqa: B008 (it is frozen)
    exported = ExportedClaim(ListedClaim(claim), position(claim, NOW, POLICY), evidence, Effort(2, 5))
    return exported.row(CATALOG, Localized(form.language, POLICY.zone), form)


FORMS = [
    (PLAIN, "2026-02-03", "2026-02-02T09:00:00+01:00", "1234.50", "2026-02-01T10:31:00", "does not recognize this tracking"),
    (EXCEL_FR, "03/02/2026", "02/02/2026 09:00", "1234,50", "01/02/2026 10:31", "Numéro de suivi inconnu"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "day", "minute", "amount", "local", "error"), FORMS)
def test_a_row_has_the_dates_amounts_and_language_of_its_file(
    form: Form, day: str, minute: str, amount: str, local: str, error: str
) -> None:
    shown = replace(LETTER, findings=Findings(delivered="2026-02-01T10:31", signatory="DUPONT", number=True))
    cells = row(CLAIM, form, ClaimEvidence([shown], "lost"))
    assert (cells["status"], cells["client"], cells["attempts"], cells["calls"]) == ("a\\x0ab", "7", 2, 5)
    assert (cells["deadline"], cells["created_at"], cells["amount"]) == (day, minute, amount)
    assert (cells["delivered_at"], cells["signatory"], cells["support"]) == (local, "DUPONT", "proves")
    assert error in str(cells["error"])


def test_without_a_proof_the_delivery_comes_from_tracking() -> None:
    tracked = replace(CLAIM, state=State(Stage.WAITING, delivery=Delivery(None, "MARTIN", date(2026, 2, 1))))
    cells = row(tracked)
    assert (cells["delivered_at"], cells["signatory"], cells["verdict"]) == ("2026-02-01", "MARTIN", "")


def test_cells_are_never_formulas() -> None:
    rows = [
        {"a": text, "b": 1.5} for text in ("=1", "+1", "-1", "@x", "\t=1", "  =1", "'=1", "1-1", "", None)
    ]
    text = "".join(csv_pieces(rows, ("a", "b")))
    assert text.startswith("\ufeffa,b\r\n")
    cells = [line.split(",")[0] for line in text.split("\r\n")[1:-1]]
    assert cells == ["'=1", "'+1", "'-1", "'@x", "'\t=1", "'  =1", "'=1", "1-1", "", ""]
    assert "1.5" in text


def test_formulas_are_escaped_in_any_width_and_after_any_separator() -> None:
    """Read with another separator than it was written with, one cell becomes several."""
    before = ["", " ", "\u3000", "x;", 'x";', "x; ", "x;y;", "x,", 'x",', "x, "]
    for sign, start, delimiter in product("=+-@＝＋－＠﹦﹢﹣﹫", before, ",;"):
        text = "".join(csv_pieces([{"n": 1, "text": f"{start}{sign}cmd()"}], ("n", "text"), delimiter))
        for between in ",;":
            read = csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=between)
            cells = [cell for line in read for cell in line]
            assert not [cell for cell in cells if cell.strip().strip('"').startswith(sign)]


def test_pieces_are_streamed() -> None:
    rows = ({"a": "x" * 100, "n": n} for n in range(5000))
    pieces = list(csv_pieces(rows, ("a", "n")))
    assert len(pieces) > 5
    assert max(map(len, pieces)) < 70_000
    assert "".join(pieces).count("\r\n") == 5001


def test_json_is_one_array_with_any_content() -> None:
    assert "".join(json_pieces([])) == "[]\n"
    assert "".join(json_pieces([{"a": "É"}, {"a": None}])) == '[\n{"a": "É"},\n{"a": null}\n]\n'
