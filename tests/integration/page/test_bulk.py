"""Claims from a file on the dashboard: a preview, a confirmation, and a result for every line."""

import re
from html import unescape

import pytest
from sqlalchemy import select

from recours.admin.claim_file import LARGEST
from recours.database.engine import Database
from tests.conftest import SERVICE_CLAIMS, add_claims
from tests.integration.page.conftest import AT, PageClient, Shown

THREE = "CLM-00000;XY000000091FR\nCLM-00001;12\n<b>no</b>;XY000000092FR\nCLM-00002;XY000000093FR;UPS & Co\n"


@pytest.fixture(autouse=True)
def claims(database: Database) -> None:
    add_claims(database, [{}] * 3)


def preview(page: PageClient, content: str | bytes, action: str = "correct") -> Shown:
    fields = {"action": action, "back": "/claims/file"}
    files = {"file": ("corrections.csv", content)}
    headers = {"Origin": AT}
    return Shown(page.client.post("/claims/preview", data=fields, files=files, headers=headers))


def confirm(page: PageClient, shown: Shown, **fields: str) -> Shown:
    """Submit the form of the preview."""
    form = shown.html.split('action="/claims/apply"')[1].split("</form>")[0]
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form)
    return page.post("/claims/apply", {name: unescape(value) for name, value in hidden} | fields)


def values(database: Database, column: str = "tracking_number") -> list[str]:
    query = select(SERVICE_CLAIMS.c[column]).order_by(SERVICE_CLAIMS.c.id)
    return list(database.scalars(query))


def test_a_preview_is_shown_before_the_confirmation(page: PageClient, database: Database) -> None:
    assert 'href="/claims/file"' in page.get("/claims").html
    assert "Preview" in page.get("/claims/file").text
    before = values(database)
    shown = preview(page, THREE)
    assert shown.status == 200
    assert "4 lines: 1 can be done, 0 unchanged, 3 not possible. Nothing was changed." in shown.text
    assert f"1 CLM-00000 {before[0]}, Chronopost XY000000091FR, Chronopost CLM-00000 corrected" in shown.text
    assert '2 CLM-00001 "12" is not a Chronopost tracking number' in shown.text
    assert "3 <b>no</b> There is no claim '<b>no</b>'." in shown.text
    assert "<b>no</b>" not in shown.html
    assert "There is no carrier 'UPS & Co'" in shown.text
    assert values(database) == before
    done = confirm(page, shown)
    assert "4 lines: 1 done, 0 unchanged, 3 not possible." in done.text
    assert 'Line 2: "12" is not a Chronopost tracking number' in done.text
    assert values(database) == ["XY000000091FR", *before[1:]]
    assert "4 lines: 0 done, 1 unchanged, 3 not possible." in confirm(page, shown).text


def test_claims_are_excluded_with_a_reason_and_reopened(page: PageClient, database: Database) -> None:
    shown = preview(page, "CLM-00000\nCLM-00001", "exclude")
    assert "2 can be done" in shown.text
    assert "Enter a reason; it is recorded with the change." in confirm(page, shown).text
    assert "2 lines: 2 done" in confirm(page, shown, why="settled").text
    assert values(database, "pod_fetch_status") == ["manual", "manual", "failed"]
    again = preview(page, "CLM-00001", "reopen")
    assert "CLM-00001 is not given up" in again.text
    assert "/claims/apply" not in again.html


def test_a_large_file_is_confirmed_and_one_too_large_refused(page: PageClient, database: Database) -> None:
    rows = [f"CLM-{n:05};XY{n + 500:09}FR;{'é' * 300}" for n in range(3000)]
    shown = preview(page, "\n".join(["claim;number;note", *rows]))
    assert "3000 lines: 3 can be done, 0 unchanged, 2997 not possible." in shown.text
    assert "3000 lines: 3 done" in confirm(page, shown).text
    assert values(database)[2] == "XY000000502FR"
    assert "larger than 2 MB. Split it" in preview(page, b"x" * (LARGEST + 1)).text
    assert preview(page, b"x" * (LARGEST + 3_000_000)).status == 413


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"CLM-1;\0", "Save it as CSV"), (b"", "contains no claims"), (b"A;1\n" * 5002, "Split it")],
)
def test_an_invalid_file_is_refused(page: PageClient, content: bytes, says: str) -> None:
    assert says in preview(page, content).text


def test_forged_forms_are_rejected(page: PageClient) -> None:
    assert preview(page, THREE, "delete").status == 404
    assert page.post("/claims/apply", {"action": "delete", "rows": THREE}).status == 404
    assert "Select a file first." in page.post("/claims/preview", {"back": "/claims/file"}).text
    assert (
        "contains no claims" in page.post("/claims/apply", {"action": "correct", "back": "/claims/file"}).text
    )
