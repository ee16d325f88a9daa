"""Erasing on the dashboard: a claim, or a client in four clicks from the overview; only for operators."""

import re
import time
from collections.abc import Callable

import pytest

from recours.database.engine import Database
from tests.conftest import add_claims
from tests.integration.page.conftest import PageClient
from tests.own_rows import set_service

CLAIM = "/claim?reference=CLM-00000"


@pytest.fixture(autouse=True)
def _claims(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO clients (id, email) VALUES (1, 'gone@shop.example')")
    add_claims(database, [{"client_id": 1}, {"client_id": 1}, {}])


def confirm(page: PageClient, link: str) -> str:
    """Follow the link and press the button; return the final message."""
    shown = page.get(link)
    assert "To be erased permanently" in shown.text
    fields = dict(re.findall(r'name="(back|reference|client)" value="([^"]*)"', shown.html))
    notice = page.post("/erase/do", {name: value.replace("&amp;", "&") for name, value in fields.items()})
    for _ in range(100):
        if "Erased: " in notice.text:
            break
        time.sleep(0.05)
        notice = page.get(notice.response.url.raw_path.decode())
    return notice.text


def erasing_link(html: str) -> str:
    (link,) = re.findall(r'href="(/erase[^"]*)"', html)
    return str(link).replace("&amp;", "&")


def test_a_client_is_erased_from_the_list_of_its_claims(page: PageClient) -> None:
    claims = page.get("/claims")
    (of_client,) = set(re.findall(r'href="(/claims\?client=1[^"]*)"', claims.html))
    said = confirm(page, erasing_link(page.get(of_client).html))
    assert "Erased: 2 claims" in said
    assert "Not erased: backups" in said
    erased = page.get("/claim?reference=CLM-00001").text
    assert "CLM-00001 was erased on" in erased
    assert "by the operator." in erased


def test_a_claim_is_erased_and_offers_nothing_then(page: PageClient, database: Database) -> None:
    set_service(database, "CLM-00000", pod_fetch_error="the neighbour's name")
    assert "Erased: 1 claim" in confirm(page, erasing_link(page.get(CLAIM).html))
    shown = page.get(CLAIM)
    assert "was erased on" in shown.text
    assert "neighbour" not in shown.text
    assert "/erase" not in shown.html
    assert 'action="/claim/' not in shown.html
    refused = page.post(
        "/claim/correct", {"reference": "CLM-00000", "number": "XY000000009FR", "back": CLAIM}
    )
    assert "CLM-00000 was erased on 20" in refused.text


def test_an_address_that_names_nothing_erases_nothing(page: PageClient) -> None:
    assert page.get("/erase").status == 404


def test_who_may_only_look_erases_nothing(
    visitor: Callable[..., PageClient], environment: dict[str, str]
) -> None:
    environment |= {
        "RECOURS_PAGE_USER_HEADER": "X-User",
        "RECOURS_PAGE_PROXIES": "10.0.0.1",
        "RECOURS_PAGE_OPERATORS": "ann",
    }
    page = visitor("10.0.0.1")
    assert "/erase" not in page.get(CLAIM, x_user="bob").html
    assert page.post("/erase/do", {"reference": "CLM-00000"}, x_user="bob").status == 403
    assert "CLM-00000 was erased" not in page.get(CLAIM, x_user="bob").text
