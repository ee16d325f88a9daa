"""The page, driven in a real browser: what the operator sees, and what the buttons do to the database."""

import os
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright
from sqlalchemy import insert, make_url

from recours.core.password import hash_of
from recours.database.engine import Database
from recours.database.schema.upgrade import create_file
from recours.sandbox import Sandbox
from tests.conftest import SERVICE_CLAIMS, claim_row

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
ELSEWHERE = "pods.example"  # a name that somebody else's server gives this machine
SLOW_MS = 30_000  # what a busy machine may take; nothing waits so long that does not fail
PASSWORD = "une phrase de passe"
FULL = pytest.mark.full("the page in a browser: tests of its views and parts show it without one")
pytestmark = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"Chromium is not installed ({CHROMIUM})")


@dataclass
class Service:
    """A database, carriers on loopback, and the page as its operator starts it."""

    folder: Path
    box: Sandbox
    port: int = 0
    process: subprocess.Popen[str] | None = None
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.folder / "claims.db"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TZ", "HOME") if name in os.environ}
        return {
            **kept,
            "PYTHONIOENCODING": "utf-8",
            "DATABASE_PATH": str(self.path),
            "RECOURS_LOG_DIR": str(self.folder / "logs"),
            "RECOURS_POD_DIR": str(self.folder / "pods"),
            "RECOURS_LANGUAGE": "en",
            "RECOURS_CONNECT_TIMEOUT": "2",
            **self.box.environment("chronopost", "ups"),
            **self.settings,
        }

    def add(self, *rows: dict[str, Any]) -> None:
        database = Database(make_url(f"sqlite:///{self.path}"))
        with database.write() as connection:
            for n, row in enumerate(rows):
                connection.execute(insert(SERVICE_CLAIMS).values(claim_row(n) | row))
        database.close()

    def run(self, script: str, *arguments: str) -> None:
        command = [sys.executable, str(ROOT / "scripts" / f"{script}.py"), *arguments]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=120)

    def one(self, sql: str, *values: Any) -> Any:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql, values).fetchone()

    def content(self) -> list[str]:
        """Every row of every table."""
        with closing(sqlite3.connect(self.path)) as connection:
            return list(connection.iterdump())

    def start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "recours", "dashboard", "--port", str(self.port)],
            cwd=self.folder,
            env=self.environment | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        while True:
            assert self.process.poll() is None, self.process.communicate()[0]
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5) as answer:
                if answer.status == 200:
                    return

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.communicate(timeout=30)


def rows() -> Iterator[dict[str, Any]]:
    """Claims of every kind."""
    now = datetime.now(UTC)
    due, later = now - timedelta(hours=3), now - timedelta(minutes=2)
    for n, (digits, when) in enumerate(
        [
            ("00", due),
            ("04", due),
            ("10", due),
            ("13", due),
            ("11", due),
            ("00", later),
            ("10", later),
            ("00", later),
        ]
    ):
        yield {
            "claim_reference": f"CLM-2026-{n:03}",
            "tracking_number": f"XY{digits}{n:07}FR",
            "created_at": when,
            "updated_at": when,
        }
    yield {
        "claim_reference": "NEW-1",
        "tracking_number": None,
        "pod_fetch_status": "pending",
        "pod_fetch_error": None,
    }
    yield {
        "claim_reference": "=HYPERLINK(1)",
        "carrier": "Hermes",
        "updated_at": later,
        "pod_fetch_error": "**no** <b>",
    }
    yield {
        "claim_reference": "ELSE-1",
        "pod_fetch_status": "success",
        "pod_url": "/etc/hostname",
        "pod_fetch_error": None,
    }


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("page")
    create_file(folder / "claims.db")
    with Sandbox(now=lambda: datetime.now(UTC)) as box:
        service = Service(folder, box)
        ups = {"claim_reference": "UPS-1", "carrier": "UPS", "tracking_number": box.example("ups", "00")}
        service.add(*rows(), ups | {"updated_at": datetime.now(UTC) - timedelta(hours=2)})
        service.run("pod_retry_scheduler")
        service.run("pod_fetch_worker")
        service.start()
        yield service
        service.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        names = f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, names])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    """A visitor with a desktop; whatever the page asks of anybody but its own server is a failure."""
    yield from visited(browser, service, 1280)


@pytest.fixture
def phone(browser: Browser, service: Service) -> Iterator[Page]:
    yield from visited(browser, service, 390)


def visited(browser: Browser, service: Service, width: int) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, locale="en-GB", accept_downloads=True
    )
    context.set_default_timeout(SLOW_MS)
    expect.set_options(timeout=SLOW_MS)
    page = context.new_page()
    elsewhere: list[str] = []

    def note(request: Request) -> None:
        if is_elsewhere(request.url, service) and request.failure != "csp":  # that one was not sent
            elsewhere.append(request.url)

    page.on("requestfinished", note)
    page.on("requestfailed", note)
    page.goto(service.url)
    yield page
    context.close()
    assert elsewhere == []


def is_elsewhere(url: str, service: Service) -> bool:
    return not url.startswith((service.url, service.url.replace("http", "ws", 1), "data:", "blob:", "about:"))


def open_claims(page: Page, **filters: str) -> None:
    page.get_by_test_id("stButtonGroup").get_by_text("Claims", exact=True).click()
    expect(page.get_by_role("button", name="Export as CSV")).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    if text := filters.get("text"):
        box = page.get_by_label("Reference or number begins with")
        box.fill(text)
        box.press("Enter")


def open_claim(page: Page, service: Service, reference: str) -> None:
    page.goto(f"{service.url}/?claim={reference}")
    expect(page.get_by_text("Timeline")).to_be_visible()


def row_of(page: Page, reference: str) -> Any:
    return page.get_by_role("checkbox", name=reference, exact=True)


def click_box(page: Page, reference: str) -> None:
    # Its label, as people do: the box itself is hidden behind a drawn one.
    page.get_by_test_id("stCheckbox").locator("label").filter(has=row_of(page, reference)).click()


# ---------------------------------------------------------------- looking


def test_the_overview_shows_how_the_system_does(page: Page) -> None:
    expect(page.get_by_text("1 thing needs you: claims of an unknown carrier.")).to_be_visible()
    expect(page.get_by_text("1 claim names a carrier that recours does not know.")).to_be_visible()
    cards = page.get_by_test_id("stMetric")
    expect(cards.filter(has_text="Success rate")).to_contain_text("50.0%")
    expect(cards.filter(has_text="Fetched")).to_contain_text("3")
    expect(cards.filter(has_text="Given up")).to_contain_text("0")
    expect(page.get_by_text("Retry scheduler – OK")).to_be_visible()
    expect(page.get_by_text("Fetch worker – OK")).to_be_visible()
    for title in ("Success by day", "Success by carrier", "Success by attempt", "Errors by kind", "Calls used",
                  "Backlog by carrier"):  # fmt: skip
        box = page.get_by_test_id("stVerticalBlock").filter(has_text=title).last
        expect(box.locator(".main-svg").first).to_be_attached()
    expect(page.locator(".ytick", has_text="not delivered yet")).to_be_attached()
    expect(page.locator(".ytick", has_text="Chronopost  8 / 100")).to_be_attached()
    page.get_by_text("Show the forecast").click()
    expect(page.get_by_text("What is still due after each run")).to_be_visible()


def test_claims_are_filtered_searched_and_opened(page: Page) -> None:
    open_claims(page)
    expect(page.get_by_text("12 claims")).to_be_visible()
    page.get_by_label("Status").click()
    page.get_by_role("option", name="success", exact=True).click()
    expect(page.get_by_text("4 claims")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_label("Reference or number begins with").fill("ups")
    page.get_by_label("Reference or number begins with").press("Enter")
    expect(page.get_by_text("1 claim", exact=True)).to_be_visible()
    opens = page.get_by_test_id("stBaseButton-secondary").filter(has_text="Open")
    expect(opens).to_have_count(1)
    opens.click()
    expect(page.get_by_text("UPS-1: the proof of delivery was fetched")).to_be_visible()
    page.get_by_role("button", name="Back to the claims").click()
    expect(page.get_by_text("1 claim", exact=True)).to_be_visible()  # the filter is still what it was


@FULL
def test_foreign_text_is_shown_as_it_is_written(page: Page) -> None:
    open_claims(page, text="=")
    # While the list is drawn anew, a claim may stand there twice.
    expect(page.get_by_role("checkbox")).to_have_count(1)
    expect(row_of(page, "=HYPERLINK(1)")).to_be_visible()
    expect(page.get_by_text('Hermes · carrier unavailable: "**no** <b>"')).to_be_visible()


def test_a_pdf_an_image_and_a_web_page_are_shown(page: Page, service: Service) -> None:
    open_claim(page, service, "CLM-2026-000")
    expect(page.locator("canvas").first).to_be_visible()  # drawn by pdf.js
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.path().read_bytes().startswith(b"%PDF-")
    open_claim(page, service, "CLM-2026-001")
    image = page.get_by_role("img", name="Proof of delivery")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.naturalWidth") > 0
    open_claim(page, service, "UPS-1")
    shown = page.frame_locator("iframe").first.frame_locator('iframe[sandbox=""]')
    expect(shown.get_by_text("This notice serves as proof of delivery")).to_be_visible()


def test_a_hostile_web_page_runs_no_script_loads_nothing_and_leads_nowhere(
    page: Page, service: Service
) -> None:
    hostile = service.folder / "pods" / "ups" / "hostile.html"
    hostile.write_text(
        "<!doctype html><html><body><p id='p'>quiet</p>"
        f"<script>document.getElementById('p').textContent='loud'</script><img src='{service.box.url}/img'>"
        f"<style>@import url('{service.box.url}/css')</style><a href='{service.box.url}/away'>away</a>"
        f"<meta http-equiv='refresh' content='0;url={service.box.url}/refresh'></body></html>"
    )
    service.add({
        "claim_reference": "EVIL-1", "carrier": "UPS", "pod_fetch_status": "success", "pod_url": str(hostile),
        "pod_fetch_error": None,
    })  # fmt: skip
    before = len(service.box.calls)
    open_claim(page, service, "EVIL-1")
    shown = page.frame_locator("iframe").first.frame_locator('iframe[sandbox=""]')
    expect(shown.get_by_text("quiet")).to_be_visible()
    shown.get_by_text("away").click()
    open_claim(page, service, "CLM-2026-000")
    expect(page.locator("canvas").first).to_be_visible()
    assert len(service.box.calls) == before


@FULL
def test_a_document_outside_the_folder_is_not_opened(page: Page, service: Service) -> None:
    open_claim(page, service, "ELSE-1")
    expect(page.get_by_text("stored by other software and is not opened here")).to_be_visible()
    expect(page.get_by_text("/etc/hostname")).to_be_visible()
    expect(page.get_by_role("button", name="Download")).to_have_count(0)


@FULL
def test_an_unknown_claim_gets_the_nearest_one(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/?claim=CLM-2026-0O7")
    expect(page.get_by_text("There is no claim 'CLM-2026-0O7'. Did you mean CLM-2026-007?")).to_be_visible()


def test_the_language_is_switched(page: Page) -> None:
    page.get_by_text("Français").click()
    expect(page.get_by_text("Preuves de livraison")).to_be_visible()
    expect(page.get_by_test_id("stMetric").filter(has_text="Taux de réussite")).to_be_visible()
    page.get_by_text("Réclamations", exact=True).click()
    expect(page.get_by_text("à corriger", exact=True)).to_be_visible()
    page.get_by_text("English").click()
    expect(page.get_by_text("needs a correction", exact=True)).to_be_visible()


def test_on_a_phone_nothing_is_wider_than_the_screen(phone: Page, service: Service) -> None:
    expect(phone.get_by_test_id("stMetric").first).to_be_visible()
    for text in ("Success by day", "Runs"):
        expect(phone.get_by_text(text, exact=True)).to_be_attached()
    assert too_wide(phone) == []
    open_claims(phone)
    assert too_wide(phone) == []
    open_claim(phone, service, "CLM-2026-003")
    expect(phone.get_by_role("button", name="Fetch now")).to_be_visible()
    assert too_wide(phone) == []


def too_wide(page: Page) -> list[str]:
    """What of the page sticks out on the right, beside what scrolls by itself."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('[data-testid=stMain] *')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('[data-testid=stDataFrame]'))
            .map(e => e.tagName + ' ' + (e.textContent || '').slice(0, 40))"""
    )
    return found


# ---------------------------------------------------------------- acting


def test_fetch_now_that_fails_and_that_succeeds(page: Page, service: Service) -> None:
    open_claim(page, service, "CLM-2026-006")
    page.get_by_role("button", name="Fetch now").click()
    expect(page.get_by_text("CLM-2026-006: no proof of delivery (not delivered yet)")).to_be_visible()
    assert service.one("SELECT pod_fetch_status FROM claims WHERE claim_reference = 'CLM-2026-006'") == (
        "failed",
    )
    open_claim(page, service, "CLM-2026-005")
    page.get_by_role("button", name="Fetch now").click()
    expect(
        page.get_by_text("CLM-2026-005: the proof of delivery is there, signed by DUPONT.")
    ).to_be_visible()
    expect(page.get_by_role("button", name="Fetch now")).to_have_count(0)
    expect(page.locator("canvas").first).to_be_visible()
    expect(page.get_by_text("the proof was fetched")).to_be_visible()
    status, path = service.one(
        "SELECT pod_fetch_status, pod_url FROM claims WHERE claim_reference = 'CLM-2026-005'"
    )
    assert status == "success"
    assert Path(path).read_bytes().startswith(b"%PDF-")
    assert (
        "SUCCESS: POD fetched for CLM-2026-005"
        in (service.folder / "logs" / "pod_retry_scheduler.log").read_text()
    )


def test_several_claims_are_chosen_and_retried(page: Page, service: Service) -> None:
    open_claims(page)
    for reference in ("CLM-2026-007", "CLM-2026-002", "UPS-1"):
        click_box(page, reference)
        expect(row_of(page, reference)).to_be_checked()
    page.get_by_role("button", name="Retry selected (3)").click()
    expect(page.get_by_text("1 of 3 fetched")).to_be_visible()
    expect(
        page.get_by_text("CLM-2026-007: the proof of delivery is there, signed by DUPONT.")
    ).to_be_visible()
    expect(page.get_by_text("CLM-2026-002: no proof of delivery (not delivered yet)")).to_be_visible()
    expect(page.get_by_text("UPS-1 already has its proof of delivery; nothing was fetched.")).to_be_visible()
    expect(page.get_by_role("button", name="Retry selected", exact=True)).to_be_disabled()
    fetched = "SELECT count(*) FROM recours_attempts a JOIN claims c ON c.id = a.claim_id WHERE c.claim_reference = ?"
    assert service.one(f"{fetched} AND a.outcome = 'success'", "CLM-2026-007") == (1,)
    assert service.one(f"{fetched} AND a.outcome = 'success'", "UPS-1") == (1,)


@FULL
def test_all_on_the_page_are_ticked_and_one_is_cleared_again(page: Page) -> None:
    open_claims(page, text="CLM-2026")
    expect(page.get_by_role("checkbox")).to_have_count(8)
    page.get_by_role("button", name="All on this page").click()
    expect(page.get_by_role("button", name="Retry selected (8)")).to_be_visible()
    for n in range(8):
        expect(row_of(page, f"CLM-2026-{n:03}")).to_be_checked()
    click_box(page, "CLM-2026-005")
    expect(page.get_by_role("button", name="Retry selected (7)")).to_be_visible()
    expect(row_of(page, "CLM-2026-005")).not_to_be_checked()


@FULL
def test_the_export_has_what_the_filter_shows_and_no_formula(page: Page) -> None:
    open_claims(page, text="=")
    expect(page.get_by_role("checkbox")).to_have_count(1)  # the last that is drawn of the new list
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("claim,carrier,tracking_number,")
    assert lines[1].startswith("'=HYPERLINK(1),Hermes,")


@FULL
def test_looking_changes_nothing(page: Page, service: Service) -> None:
    before = service.content()
    expect(page.get_by_test_id("stMetric").first).to_be_visible()
    open_claims(page, text="CLM")
    open_claim(page, service, "CLM-2026-002")
    assert service.content() == before


@FULL
def test_a_database_that_goes_and_comes_back(page: Page, service: Service) -> None:
    expect(page.get_by_test_id("stMetric").first).to_be_visible()
    away = service.path.with_suffix(".away")
    service.path.rename(away)
    try:
        page.get_by_role("button", name="Refresh").click()
        expect(page.get_by_text("The database cannot be used at the moment.")).to_be_visible()
        expect(page.get_by_text("There is no database file")).to_be_visible()
        expect(page.get_by_test_id("stMetric")).to_have_count(0)
    finally:
        away.rename(service.path)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_test_id("stMetric").first).to_be_visible()


# ---------------------------------------------------------------- the door


@pytest.fixture(scope="module")
def guarded(service: Service) -> Iterator[Service]:
    """The same with a password."""
    secret = str(hash_of(PASSWORD, bytes(range(16))))
    guarded = Service(service.folder, service.box, settings={"RECOURS_DASHBOARD_PASSWORD_HASH": secret})
    guarded.start()
    yield guarded
    guarded.stop()


@FULL
def test_the_wrong_password_shows_nothing_and_the_right_one_all(browser: Browser, guarded: Service) -> None:
    for page in visited(browser, guarded, 1280):
        page.goto(f"{guarded.url}/?claim=CLM-2026-000")
        box = page.get_by_label("Password", exact=True)
        slowed = page.get_by_text("Too many wrong passwords: try again in")
        for _ in range(10):
            box.fill("guess")
            page.get_by_role("button", name="Enter").click()
            with suppress(AssertionError):
                expect(slowed).to_be_visible(timeout=1000)
                break
        expect(slowed).to_be_visible()
        assert "CLM-2026-000" not in page.content()
    guarded.stop()
    guarded.start()
    for page in visited(browser, guarded, 1280):
        box = page.get_by_label("Password", exact=True)
        box.fill("guess")
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_text("That is not the password.")).to_be_visible()
        box.fill(PASSWORD)
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_test_id("stMetric").first).to_be_visible()


def test_by_another_name_nothing_is_shown_without_a_password(browser: Browser, service: Service) -> None:
    """As a stranger's web page would ask for it that had the browser take 127.0.0.1 for its own server."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://{ELSEWHERE}:{service.port}/?claim=CLM-2026-000")
    expect(page.get_by_text("Reached by this address, the page needs a password")).to_be_visible()
    assert "CLM-2026-000" not in page.inner_text("body")
    expect(page.get_by_text("Timeline")).to_have_count(0)
    context.close()


@FULL
def test_by_another_name_the_password_opens_it(browser: Browser, guarded: Service) -> None:
    """As through a proxy that passes on the name by which it was asked for."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://{ELSEWHERE}:{guarded.port}/")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_test_id("stMetric").first).to_be_visible()
    context.close()
