"""The table of claims: its address defines the view, and actions apply to the selected claims."""

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select, text, update

from recours.database.engine import Database
from recours.database.tables import changes
from tests.conftest import SERVICE_CLAIMS, add_claims
from tests.integration.page.conftest import PageClient, Shown
from tests.own_rows import set_service

_CLIENT = text(
    "INSERT INTO clients (id, email, full_name, company_name, is_active) VALUES (:id, :email, 'A', 'B', :active)"
)


def references(shown: Shown) -> list[str]:
    """The references of the rows, from the top."""
    return re.findall(r'<a href="/claim\?reference=[^"]*">([^<]*)</a>', shown.html)


@pytest.fixture
def sixty(database: Database) -> None:
    now = datetime.now(UTC)
    rows: list[dict[str, Any]] = [
        {"amount_requested": n, "updated_at": now - timedelta(minutes=n), "client_id": n % 3}
        for n in range(60)
    ]
    rows[7] |= {"carrier": "UPS", "tracking_number": "1Z00XYZ00000001096"}
    rows[8] |= {"pod_fetch_status": "pending", "pod_fetch_error": None}
    with database.write() as connection:
        for number in range(3):
            client = {"id": number, "email": f"shop{number}@example.com", "active": True}
            connection.execute(_CLIENT, client)
    add_claims(database, rows)


@pytest.mark.usefixtures("sixty")
def test_the_address_says_what_is_shown(page: PageClient) -> None:
    newest = page.get("/claims")
    assert (newest.status, len(references(newest))) == (200, 50)
    assert references(newest)[0] == "CLM-00059"
    assert "1–50 of 60" in newest.text
    assert references(page.get("/claims?page=2")) == [f"CLM-{n:05}" for n in range(9, -1, -1)]
    assert references(page.get("/claims?sort=amount&order=desc"))[:2] == ["CLM-00059", "CLM-00058"]
    assert references(page.get("/claims?sort=amount"))[:2] == ["CLM-00000", "CLM-00001"]
    assert references(page.get("/claims?status=pending")) == ["CLM-00008"]
    assert references(page.get("/claims?text=xyz 0000")) == ["CLM-00007"]
    assert references(page.get("/claims?text=m-0001&client=2"))[:2] == ["CLM-00017", "CLM-00014"]
    assert references(page.get("/claims?text=" + "a" * 5000)) == []


@pytest.mark.usefixtures("sixty")
def test_the_same_address_is_the_same_view_for_everybody(visitor: Callable[..., PageClient]) -> None:
    address = "/claims?stage=ready&sort=deadline&order=desc&text=CLM"
    assert visitor().get(address).html == visitor().get(address).html


@pytest.mark.usefixtures("sixty")
@pytest.mark.parametrize(
    ("address", "remark"),
    [
        ("/claims?carrier=nobody", "Ignored 'nobody', which is not a value of the filter 'Carrier'."),
        ("/claims?kind=%3Cb%3E", "Ignored '<b>'"),
        ("/claims?sort=color&order=up&page=0", ""),
        ("/claims?page=000001" + "9" * 5000, ""),
        ("/claims?page=%D9%A3", ""),
        ("/claims?text=%00%ED%A0%80", ""),
    ],
)
def test_invalid_values_in_an_address_are_ignored_with_a_remark(
    page: PageClient, address: str, remark: str
) -> None:
    shown = page.get(address)
    assert shown.status == 200
    assert remark in shown.text
    assert "<b>" not in shown.html


@pytest.mark.usefixtures("sixty")
def test_an_empty_list_leads_back_to_all(page: PageClient) -> None:
    shown = page.get("/claims?text=nothing of the kind")
    assert "No matching claims. Clear all filters" in shown.text
    assert "/claims/do" not in shown.html


@pytest.mark.usefixtures("sixty")
def test_a_column_sorts_and_reports_it(page: PageClient) -> None:
    shown = page.get("/claims?status=failed&sort=deadline")
    assert shown.html.count("aria-sort") == 1
    assert 'aria-sort="ascending"' in shown.html
    assert 'href="/claims?status=failed&amp;sort=deadline&amp;order=desc"' in shown.html
    assert 'aria-sort="descending"' in page.get("/claims?sort=deadline&order=desc").html


@pytest.mark.usefixtures("sixty")
def test_filters_searches_and_pages_keep_the_sort_order(page: PageClient) -> None:
    html = page.get("/claims?sort=amount&order=desc&status=failed").html
    form = html.partition('class="filters" role="search"')[2].partition("</form>")[0]
    assert '<input type="hidden" name="sort" value="amount">' in form
    assert '<input type="hidden" name="order" value="desc">' in form
    assert 'rel="next" href="/claims?sort=amount&amp;order=desc&amp;status=failed&amp;page=2"' in html
    assert 'href="/claims?sort=amount&amp;order=desc&amp;status=failed&amp;client=1"' in html


@pytest.mark.usefixtures("sixty")
def test_claims_are_filtered_by_deadline_and_by_dispute(page: PageClient, database: Database) -> None:
    today = datetime.now(UTC).date()
    for number, days in ((1, -1), (2, 2), (3, 6)):
        set_service(database, f"CLM-{number:05}", response_deadline=today + timedelta(days))
    set_service(database, "CLM-00004", dispute_type="damaged")
    assert references(page.get("/claims?deadline=passed")) == ["CLM-00001"]
    assert references(page.get("/claims?deadline=3")) == ["CLM-00002"]
    assert references(page.get("/claims?deadline=7&sort=deadline")) == ["CLM-00002", "CLM-00003"]
    assert "1–50 of 57" in page.get("/claims?deadline=none").text
    assert references(page.get("/claims?dispute=damaged")) == ["CLM-00004"]
    assert references(page.get("/claims?dispute=none")) == []


@pytest.mark.usefixtures("sixty")
def test_a_client_is_shown_by_name_with_the_address_below(page: PageClient, database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE clients SET company_name = 'La Boutique' WHERE id = 1"))
        connection.execute(text("UPDATE clients SET company_name = NULL, full_name = NULL WHERE id = 2"))
    shown = page.get("/claims?sort=reference")
    assert "La Boutique shop1@example.com" in shown.text
    assert 'title="shop2@example.com">shop2@example.com</a></div>' in shown.html
    assert "Client La Boutique · shop1@example.com" in page.get("/claim?reference=CLM-00001").text


@pytest.mark.usefixtures("sixty")
def test_several_values_of_a_link_stay_when_another_filter_is_chosen(page: PageClient) -> None:
    shown = page.get("/claims?status=failed&status=pending")
    assert '<option value="failed,pending" selected>several</option>' in shown.html
    assert references(page.get("/claims?status=failed,pending&carrier=ups")) == ["CLM-00007"]


@pytest.mark.usefixtures("sixty")
def test_chosen_claims_are_excluded_and_enrolled_and_it_is_kept_who_did(
    page: PageClient, database: Database
) -> None:
    chosen = {"reference": ["CLM-00001", "CLM-00002"], "back": "/claims?page=2"}
    shown = page.post("/claims/do", chosen | {"do": "exclude", "why": "a test"})
    assert shown.response.url.path == "/claims"
    assert "Done for 2 of 2 claims." in shown.text
    with database.read() as connection:
        statuses = connection.scalars(
            select(SERVICE_CLAIMS.c.pod_fetch_status).order_by(SERVICE_CLAIMS.c.id)
        ).all()
        by = connection.scalars(select(changes.c.by).where(changes.c.what == "excluded")).all()
    assert [n for n, status in enumerate(statuses) if status == "manual"] == [1, 2]
    assert by == ["operator", "operator"]
    shown = page.post("/claims/do", chosen | {"do": "enroll"})
    assert "Done for 2 of 2 claims." in shown.text


@pytest.mark.usefixtures("sixty")
def test_all_that_match_are_those_of_the_address_on_every_page(page: PageClient, database: Database) -> None:
    fields = {"all": "yes", "query": "text=CLM-0000", "back": "/claims", "do": "exclude", "why": "a test"}
    assert "Done for 10 of 10 claims." in page.post("/claims/do", fields).text
    with database.read() as connection:
        manual = SERVICE_CLAIMS.c.pod_fetch_status == "manual"
        excluded = select(SERVICE_CLAIMS.c.claim_reference).where(manual)
        assert {name[:9] for name in connection.scalars(excluded)} == {f"CLM-0000{n}" for n in range(10)}


@pytest.mark.usefixtures("sixty")
def test_without_a_choice_nothing_is_done(page: PageClient) -> None:
    assert "Select claims first" in page.post("/claims/do", {"do": "reopen", "back": "/claims"}).text
    assert page.post("/claims/do", {"do": "delete", "reference": "CLM-00001", "back": "/"}).status == 404


@pytest.mark.usefixtures("sixty")
def test_a_fetch_is_in_progress_until_its_result_is_there(page: PageClient) -> None:
    page.post("/carriers/pause", {"carrier": "chronopost", "back": "/carriers"})
    shown = page.post(
        "/claims/do", {"do": "fetch", "reference": ["CLM-00001", "CLM-00002"], "back": "/claims"}
    )
    key = shown.response.url.params["notice"]
    while "data-under-way" in (state := page.get(f"/notice?key={key}")).html:
        assert state.status == 200
    assert "0 of 2 proofs fetched" in page.get(f"/claims?notice={key}").text
    assert page.get("/notice?key=another").status == 404


@pytest.mark.usefixtures("sixty")
def test_all_that_match_are_fetched_as_many_as_of_any_other_action(
    page: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recours.dashboard.claims.MOST_CLAIMS", 20)
    monkeypatch.setattr("recours.admin.fetch._CLAIMS_PER_RUN", 8)
    page.post("/carriers/pause", {"carrier": "chronopost", "back": "/carriers"})
    fields = {"do": "fetch", "all": "yes", "query": "status=failed", "back": "/claims"}
    key = page.post("/claims/do", fields).response.url.params["notice"]
    while "data-under-way" in page.get(f"/notice?key={key}").html:
        pass
    text = page.get(f"/claims?notice={key}").text
    assert "0 of 20 proofs fetched" in text
    assert re.search(r"\d\d more claims match but were not processed", text)


@pytest.mark.usefixtures("sixty")
def test_the_export_contains_the_claims_shown(page: PageClient) -> None:
    shown = page.get("/claims.csv?sort=amount&order=desc&status=failed")
    assert shown.response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(shown.response.content.decode("utf-8-sig"))))
    assert [row["claim"] for row in rows][:2] == ["CLM-00059", "CLM-00058"]
    assert len(rows) == 59
    assert (rows[0]["client"], rows[0]["amount"]) == ("shop2@example.com", "59.00")
    page.client.cookies.set("recours_language", "fr")
    assert ";59,00;EUR;" in page.get("/claims.csv?text=CLM-00059").html


def test_a_month_is_shown_in_the_zone_of_its_reader(page: PageClient, database: Database) -> None:
    """In Paris, a month begins an hour before it does in UTC."""
    times = ["2026-01-31 22:59:59", "2026-01-31 23:00:00", "2026-02-28 22:59:59", "2026-02-28 23:00:00"]
    add_claims(database, [{"created_at": datetime.fromisoformat(f"{at}+00:00")} for at in times])
    february = "from=2026-02-01&to=2026-02-28"
    assert references(page.get(f"/claims?{february}")) == ["CLM-00002", "CLM-00001"]
    assert page.get(f"/claims.csv?{february}").html.count("CLM-") == 2
    assert references(page.get("/claims?from=2026-03-01")) == ["CLM-00003"]
    assert references(page.get("/claims?to=2026-01-31")) == ["CLM-00000"]


@pytest.mark.usefixtures("sixty")
def test_an_invalid_day_is_named(page: PageClient) -> None:
    shown = page.get("/claims?from=1-1-26&to=0001-01-01")
    assert "Ignored '1-1-26', which is not a value of the filter 'date'." in shown.text
    assert "Ignored '0001-01-01', which is not a value of the filter 'date'." in shown.text
    assert len(references(shown)) == 50


def test_foreign_text_is_no_markup(page: PageClient, database: Database) -> None:
    add_claims(database, [{"claim_reference": "<script>x()</script>&\"'", "carrier": "<b>Hermes</b>"}])
    with database.write() as connection:
        connection.execute(update(SERVICE_CLAIMS).values(pod_fetch_error="<img src=x onerror=x()>"))
    shown = page.get("/claims")
    assert "<script>x()" not in shown.html
    assert "<b>" not in shown.html
    assert "<img" not in shown.html
    assert "&lt;script&gt;x()&lt;/script&gt;" in shown.html


# ---------------------------------------------------------------- what others wrote


def test_no_character_that_hides_or_turns_others_is_shown(page: PageClient, database: Database) -> None:
    """A right-to-left override shows `fdp.exe` as `exe.pdf`; an escape can control a terminal."""
    turned = "\u202e\u2066\u200b\x1b[2J"
    texts = (
        "claim_reference",
        "carrier",
        "order_id",
        "tracking_number",
        "dispute_type",
        "pod_fetch_error",
        "pod_delivery_person",
    )
    add_claims(database, [dict.fromkeys(texts, f"CLM-1{turned}") | {"pod_url": f"/etc/{turned}"}])
    assert r"CLM-1\u202e\u2066\u200b\x1b[2J" in page.get("/claims").text
    for path in ("/", "/claims", f"/claims?text={quote(turned)}", f"/claims?client={quote(turned)}",
                 f"/claim?reference={quote('CLM-1' + turned)}", f"/claim?reference={quote('CLM-1[2J')}",
                 f"/carriers?accounts={quote(turned)}", f"/find?text={quote(turned)}"):  # fmt: skip
        shown = page.get(path)
        assert not set(turned[:4]) & set(shown.text), path
