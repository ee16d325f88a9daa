"""Who may see the dashboard and who may act, and rules for every response."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert
from starlette.responses import Response
from starlette.testclient import TestClient

from recours.core.password import hash_of
from recours.dashboard import app
from recours.dashboard.app import GET_ROUTES, POST_ROUTES
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from tests.conftest import SERVICE_CLIENTS, add_claims
from tests.integration.page.conftest import AT, PageClient
from tests.keys import page_hash
from tests.own_rows import put_account
from tests.rows import row

PASSWORD = "une phrase de passe"
Visitors = Callable[..., PageClient]
pytestmark = pytest.mark.usefixtures("database")


def test_a_visitor_on_this_machine_sees_everything(page: PageClient) -> None:
    shown = page.get("/")
    assert shown.status == 200
    assert "operator" in shown.text
    assert "Times are in the Europe/Paris time zone." in shown.text
    assert "Log out" not in shown.text


def test_without_a_password_others_see_nothing(visitor: Visitors) -> None:
    for peer, headers in (
        ("127.0.0.1", {"Host": "pods.example"}),
        ("127.0.0.1", {"X_Forwarded_For": "192.168.1.20"}),
        (
            "192.168.1.20",
            {"Host": "127.0.0.1:8501"},
        ),  # the password was removed while the dashboard was running
    ):
        shown = visitor(peer).get("/", **headers)
        assert (shown.status, "requires a password" in shown.text) == (403, True)
        assert "claims in progress" not in shown.text


def test_the_password_opens_the_page_and_another_one_closes_it(
    page: PageClient, environment: dict[str, str]
) -> None:
    environment["RECOURS_DASHBOARD_PASSWORD_HASH"] = page_hash(PASSWORD)
    shown = page.get("/?days=30")
    assert (shown.status, "Password" in shown.text) == (401, True)
    assert 'value="/?days=30"' in shown.html  # their destination after the login
    shown = page.post("/enter", {"password": "a guess", "back": "/"})
    assert (shown.status, "Wrong password." in shown.text) == (403, True)
    assert page.get("/").status == 401
    shown = page.post("/enter", {"password": PASSWORD, "back": "/?days=30"})
    assert (shown.status, shown.response.url.query) == (200, b"days=30")
    assert page.get("/").status == 200
    environment["RECOURS_DASHBOARD_PASSWORD_HASH"] = page_hash("une autre phrase")
    assert page.get("/").status == 401


def test_leaving_forgets_the_session(page: PageClient, environment: dict[str, str]) -> None:
    environment["RECOURS_DASHBOARD_PASSWORD_HASH"] = page_hash(PASSWORD)
    shown = page.post("/enter", {"password": PASSWORD, "back": "/"})
    assert (shown.status, "Log out" in shown.text) == (200, True)
    copied = dict(page.client.cookies)
    page.post("/leave")
    assert page.get("/").status == 401
    page.client.cookies.update(copied)
    assert page.get("/").status == 401
    page.client.cookies.clear()
    page.post("/enter", {"password": PASSWORD, "back": "/"})
    assert page.get("/").status == 200


def test_one_password_for_operators_and_viewers_opens_nothing(
    page: PageClient, environment: dict[str, str]
) -> None:
    environment["RECOURS_DASHBOARD_PASSWORD_HASH"] = page_hash(PASSWORD)
    environment["RECOURS_DASHBOARD_VIEWER_PASSWORD_HASH"] = str(hash_of(PASSWORD, bytes(15) + b"1"))
    shown = page.post("/enter", {"password": PASSWORD, "back": "/"})
    assert (shown.status, "Change RECOURS_DASHBOARD_VIEWER_PASSWORD_HASH" in shown.text) == (403, True)
    assert page.get("/").status == 401


def test_a_session_is_not_one_that_the_visitor_chose(page: PageClient, environment: dict[str, str]) -> None:
    environment["RECOURS_DASHBOARD_PASSWORD_HASH"] = page_hash(PASSWORD)
    page.client.cookies.set("recours_session", "chosen-by-somebody-else")
    assert page.get("/").status == 401
    page.client.cookies.clear()
    page.post("/enter", {"password": PASSWORD, "back": "/"})
    cookie = next(cookie for cookie in page.client.cookies.jar if cookie.name == "recours_session")
    assert cookie.value != "chosen-by-somebody-else"
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert not cookie.secure  # over plain HTTP the cookie would never be returned


def test_guesses_take_longer_and_longer(page: PageClient, environment: dict[str, str]) -> None:
    environment["RECOURS_DASHBOARD_PASSWORD_HASH"] = page_hash(PASSWORD)
    statuses = [page.post("/enter", {"password": f"guess {n}", "back": "/"}).status for n in range(5)]
    assert statuses == [403, 403, 403, 429, 429]
    assert (
        page.post("/enter", {"password": PASSWORD, "back": "/"}).status == 429
    )  # not even with the right password


def test_nobody_is_led_elsewhere(page: PageClient, environment: dict[str, str]) -> None:
    environment["RECOURS_DASHBOARD_PASSWORD_HASH"] = page_hash(PASSWORD)
    page.client.follow_redirects = False
    for back in ("//elsewhere.example/", "https://elsewhere.example/", "/\\elsewhere", "x", ""):
        shown = page.post("/enter", {"password": PASSWORD, "back": back})
        assert (shown.status, shown.response.headers["location"]) == (303, "/"), back
        shown = page.post("/language", {"language": "fr", "back": back})
        assert (shown.status, shown.response.headers["location"]) == (303, "/"), back


# These connections continue after the response.
_GO_ON = {"/carriers/check", "/mails/test"}


def test_nothing_that_is_done_leads_elsewhere(page: PageClient) -> None:
    page.client.follow_redirects = False
    fields = {"carrier": "gls", "do": "reopen", "action": "reopen", "reference": "CLM-1"}
    fields |= {"back": "//elsewhere.example/"}
    for path in sorted(POST_ROUTES.keys() - _GO_ON):
        shown = page.post(path, fields)
        assert shown.status == 303, path
        assert shown.response.headers["location"].partition("?notice=")[0] in ("/", "/carriers"), path


def test_a_page_that_there_is_not_leads_nowhere_else(page: PageClient) -> None:
    for path in ("//elsewhere.example/", "//elsewhere.example", "///elsewhere.example/x"):
        answer = page.client.get(httpx2.URL(AT, raw_path=path.encode()))
        assert (answer.status_code, "This page does not exist." in answer.text) == (404, True), path
        assert 'href="/"' in answer.text
        assert "elsewhere" not in answer.text


def test_a_page_that_there_is_not_leads_back_to_the_overview(page: PageClient) -> None:
    shown = page.get("/account?number=")
    assert shown.status == 404
    assert '<p><a href="/">Overview</a></p>' in shown.html
    assert "Try again" not in shown.text


# ---------------------------------------------------------------- people whom a proxy signed in


@pytest.fixture
def behind_proxy(environment: dict[str, str]) -> None:
    environment |= {
        "RECOURS_PAGE_USER_HEADER": "X-Forwarded-User",
        "RECOURS_PAGE_PROXIES": "10.0.0.5",
        "RECOURS_PAGE_OPERATORS": "anna, jean",
    }


@pytest.mark.usefixtures("behind_proxy")
def test_operators_and_viewers_are_named_by_the_proxy(visitor: Visitors) -> None:
    proxy = visitor("10.0.0.5")
    for name, may in (
        ("anna", "can make changes"),
        ("zoe", "read-only access"),
        ("Anna", "read-only access"),
    ):
        shown = proxy.get("/", X_Forwarded_User=name, X_Forwarded_For="192.168.1.20", Host="pods.example")
        assert (shown.status, name in shown.text, may in shown.html) == (200, True, True)
    assert proxy.get("/").status == 403  # it did not identify itself


@pytest.mark.usefixtures("behind_proxy")
@pytest.mark.parametrize("peer", ["10.0.0.6", "127.0.0.1", "::1", "testclient"])
def test_a_forged_name_from_an_address_that_is_not_a_proxy_gives_no_rights(
    visitor: Visitors, environment: dict[str, str], peer: str
) -> None:
    forged = {"X_Forwarded_User": "anna", "X_Forwarded_For": "10.0.0.5", "Forwarded": "for=10.0.0.5"}
    assert visitor(peer).get("/", **forged).status == 403
    environment["RECOURS_DASHBOARD_PASSWORD_HASH"] = page_hash(PASSWORD)
    shown = visitor(peer).get("/", **forged)
    assert (shown.status, "anna" in shown.text) == (401, False)


@pytest.mark.usefixtures("behind_proxy")
def test_a_name_beside_that_of_the_proxy_gives_no_rights(visitor: Visitors) -> None:
    twice = [("X-Forwarded-User", "anna"), ("X-Forwarded-User", "zoe")]
    proxy = visitor("10.0.0.5").client
    assert proxy.post("/mails/release", headers=[*twice, ("Origin", AT)]).status_code == 403


@pytest.mark.usefixtures("behind_proxy")
def test_an_address_beside_that_of_the_proxy_gives_no_more_guesses(
    visitor: Visitors, environment: dict[str, str]
) -> None:
    environment["RECOURS_DASHBOARD_PASSWORD_HASH"] = page_hash(PASSWORD)
    proxy, statuses = visitor("10.0.0.5").client, []
    for n in range(4):
        seen = [("X-Forwarded-For", f"10.1.1.{n}"), ("X-Forwarded-For", "192.168.1.20")]
        answer = proxy.post("/enter", data={"password": "a guess"}, headers=[*seen, ("Origin", AT)])
        statuses.append(answer.status_code)
    assert statuses == [403, 403, 403, 429]


@pytest.fixture(params=["proxy", "password"])
def viewer(visitor: Visitors, environment: dict[str, str], request: pytest.FixtureRequest) -> PageClient:
    """A visitor with read-only access."""
    if request.param == "proxy":
        request.getfixturevalue("behind_proxy")
        page = visitor("10.0.0.5")
        page.client.headers["X-Forwarded-User"] = "zoe"
    else:
        environment["RECOURS_DASHBOARD_PASSWORD_HASH"] = page_hash(PASSWORD)
        environment["RECOURS_DASHBOARD_VIEWER_PASSWORD_HASH"] = page_hash("regarder seulement")
        page = visitor("192.168.1.20")
        page.post("/enter", {"password": "regarder seulement", "back": "/"})
    return page


def test_a_viewer_can_do_nothing_and_is_offered_nothing(viewer: PageClient, database: Database) -> None:
    add_claims(database, [{}])
    with database.write() as connection:
        connection.execute(insert(SERVICE_CLIENTS).values(id=5, email="shop@shop.example"))
    put_account(ClientAccounts(database), 5, "chronopost", "sealed", "zoe", datetime.now(UTC))
    for path in sorted(POST_ROUTES):
        shown = viewer.post(path)
        assert (
            shown.status,
            "You have read-only access. Ask an operator to make this change." in shown.text,
        ) == (
            403,
            True,
        ), path
    of_claim = "/claim?reference=CLM-00000", "/erase?reference=CLM-00000"
    for path in ("/", "/claims", "/claims/file", *of_claim, "/carriers", "/account?number=1", "/mails"):
        shown = viewer.get(path)
        assert (shown.status, "read-only access" in shown.html) == (200, True), path
        offered = set(re.findall(r'action="(/[^"]*)"', shown.html))
        assert offered <= {"/find", "/language", "/leave", "/claims", "/claims/do", "/carriers#accounts"}, (
            path
        )
        assert not [sign for sign in ('name="do"', 'type="checkbox"') if sign in shown.html], path


# ---------------------------------------------------------------- how much of what is sent is read

BEGINNING = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
PIECE = bytes(10_000)


def flood(
    client: PageClient, path: str, headers: dict[str, str] | None = None, *, stops: bool = False
) -> tuple[int, int]:
    """Send an endless form in chunks; return the status of the response and the number of bytes accepted until then.

    `stops`: nothing is sent after the beginning.
    """
    endless, statuses, taken = chain([BEGINNING], repeat(PIECE)), [], 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        if stops and taken:
            await asyncio.Event().wait()
        piece = next(endless)
        taken += len(piece)
        return {"type": "http.request", "body": piece, "more_body": True}

    async def send(message: Any) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    sent = {
        "Host": "127.0.0.1:8501",
        "Origin": AT,
        "Content-Type": "multipart/form-data; boundary=x",
        **(headers or {}),
    }
    scope = {
        "type": "http", "method": "POST", "scheme": "http", "path": path, "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": (client.peer, 50000),
    }  # fmt: skip

    async def answered() -> None:
        async with asyncio.timeout(30):
            await client.client.app(scope, receive, send)

    asyncio.run(answered())
    return statuses[0], taken


@pytest.mark.usefixtures("behind_proxy")
def test_the_body_of_a_request_by_a_viewer_is_not_read(visitor: Visitors) -> None:
    for path in sorted(POST_ROUTES):
        assert flood(visitor("10.0.0.5"), path, {"X-Forwarded-User": "zoe"}) == (403, 0), path
        assert flood(visitor("10.0.0.6"), path, {"X-Forwarded-User": "anna"}) == (403, 0), path


def test_the_body_of_a_request_without_the_password_is_not_read(
    page: PageClient, environment: dict[str, str]
) -> None:
    environment["RECOURS_DASHBOARD_PASSWORD_HASH"] = page_hash(PASSWORD)
    for path in sorted(POST_ROUTES):
        assert flood(page, path) == (401, 0), path


_MOST_READ = {"/claim/attach": 23_000_000, "/claims/preview": 4_200_000, "/claims/apply": 6_500_000}


def test_no_more_is_read_than_the_form_may_have(page: PageClient, environment: dict[str, str]) -> None:
    for path in ("/language", *sorted(POST_ROUTES), "/enter"):
        if path == "/enter":
            environment["RECOURS_DASHBOARD_PASSWORD_HASH"] = page_hash(PASSWORD)
        most = _MOST_READ.get(path, 110_000)
        status, taken = flood(page, path)
        assert (status in (400, 413), taken <= most) == (True, True), path
        assert flood(page, path, {"Content-Length": "23000000"}) == (413, 0), path


@pytest.mark.parametrize("path", ["/claims/do", "/claim/attach"])
def test_a_form_that_stops_in_the_middle_is_not_waited_for(
    page: PageClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(app, "_FORM_TIMEOUT_S", 0.0)
    monkeypatch.setattr(app, "_SLOWEST_UPLOAD", 10**12)
    assert flood(page, path, stops=True) == (408, len(BEGINNING))


def test_an_address_is_no_longer_than_any_needs_to_be(page: PageClient) -> None:
    assert page.get(f"/claims?text={'x' * 7000}").status == 200
    shown = page.get(f"/claims?{'a&' * 30_000}")
    assert (shown.status, shown.html) == (414, "")


# ---------------------------------------------------------------- what holds for every answer


ELSEWHERE = (
    "null",
    "http://elsewhere.example",
    "http://127.0.0.1:9999",
    "http://127.0.0.1:8501.evil",
    "http://[",
)


def test_a_post_from_elsewhere_is_refused(page: PageClient) -> None:
    for path in ("/enter", "/leave", "/language", *sorted(POST_ROUTES)):
        for headers in ({}, *({"Origin": origin} for origin in ELSEWHERE)):
            answer = page.client.post(path, data={"language": "fr"}, headers=headers)
            assert answer.status_code == 403, (path, headers)


def test_every_answer_refuses_frames_and_foreign_scripts(page: PageClient) -> None:
    for path in (*sorted(GET_ROUTES), "/static/page.css", "/nowhere"):
        with row(path):
            headers = page.get(path).response.headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors" in policy
            assert "unsafe" not in policy.partition("script-src")[2].partition(";")[0]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"


def test_a_fault_that_nobody_foresaw_tells_nothing_and_is_kept_nowhere(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_visit: object) -> Response:
        raise RuntimeError("/home/anna/claims.db")

    monkeypatch.setitem(app.GET_ROUTES, "/mails", fail)
    client = TestClient(
        app.make_app(environment), AT, raise_server_exceptions=False, client=("127.0.0.1", 50000)
    )
    answer = client.get("/mails")
    assert (answer.status_code, "anna" in answer.text) == (500, False)
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_pages_reject_post_and_actions_reject_get(page: PageClient) -> None:
    assert {page.post(path).status for path in GET_ROUTES} == {405}
    assert {page.get(path).status for path in POST_ROUTES if path not in GET_ROUTES} <= {405}


def test_a_database_that_is_gone_is_a_sentence_and_comes_back(
    page: PageClient, environment: dict[str, str], database: Database
) -> None:
    there, environment["DATABASE_URL"] = environment["DATABASE_URL"], "sqlite:////nowhere/claims.db"
    shown = page.get("/")
    assert (shown.status, "is not available right now" in shown.text) == (503, True)
    environment["DATABASE_URL"] = there
    assert page.get("/").status == 200


def test_settings_at_fault_are_shown_at_this_machine_alone(
    page: PageClient, visitor: Visitors, environment: dict[str, str]
) -> None:
    environment["RECOURS_BACKOFF_HOURS"] = "soon"
    shown = page.get("/")
    assert (shown.status, "RECOURS_BACKOFF_HOURS" in shown.text) == (503, True)
    shown = visitor("192.168.1.20").get("/", Host="pods.example")
    assert (shown.status, "RECOURS_BACKOFF_HOURS" in shown.text) == (503, False)


def test_the_language_is_that_of_the_browser_until_another_one_is_chosen(page: PageClient) -> None:
    french = {"Accept_Language": "fr-CH, fr;q=0.9, en;q=0.8"}
    assert "Vue d'ensemble" in page.get("/", **french).text
    assert "Cette page n'existe pas." in page.get("/nowhere", **french).text
    page.post("/language", {"language": "en", "back": "/"})
    assert "Overview" in page.get("/", **french).text


def test_the_language_is_kept(page: PageClient) -> None:
    assert "Overview" in page.get("/").text
    assert "Vue d'ensemble" in page.post("/language", {"language": "fr", "back": "/"}).text
    assert "Vue d'ensemble" in page.get("/").text
    assert "Vue d'ensemble" in page.post("/language", {"language": "xx", "back": "/"}).text
