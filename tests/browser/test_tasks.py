"""The operator's tasks in a browser: the clicks and seconds for each, with the mouse and with keys alone."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.conftest import CLIENT, HEIGHT, LANGUAGES, NUMBER, SCHEMES, WIDTHS, World

# Colors do not change clicks: one language is tested light, the other dark.
_KINDS = [
    (width, language, scheme) for width in WIDTHS for language, scheme in zip(LANGUAGES, SCHEMES, strict=True)
]
_SHORT = (390, "fr", "dark")  # the smallest screen, and the longer texts
_FULL = pytest.mark.full("every task at every width, in both languages; one of them stands for all")
KINDS = [pytest.param(*kind, marks=() if kind == _SHORT else _FULL) for kind in _KINDS]
every_kind = pytest.mark.parametrize(("width", "language", "scheme"), KINDS)
# Names of controls, in English and French.
CLAIMS, CARRIERS = {"en": "Claims", "fr": "Réclamations"}, {"en": "Carriers", "fr": "Transporteurs"}
RETRY = {"en": "Retry now", "fr": "Relancer"}


@dataclass
class Counted:
    """A user who clicks and types. Typing is free; the key that submits a form counts as a click."""

    page: Page
    clicks: int = 0
    began: float = field(default_factory=time.monotonic)

    def click(self, control: Locator, *modifiers: Literal["Shift"]) -> None:
        control.click(modifiers=modifiers)
        self.clicks += 1

    def find(self, text: str) -> None:
        """Type it into the search field of the header."""
        self.page.locator("#find").focus()
        self.send(text)

    def send(self, text: str) -> None:
        """Replace the selected text, and press the key that submits it."""
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")
        self.clicks += 1

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


def _busy() -> float:
    """How many processes compete for each processor: the bounds in seconds are for an idle machine."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    """The cost of each task; printed at the end."""
    lines: list[str] = []
    yield lines
    print("\n".join(["", "task                           width language scheme clicks seconds", *lines]))


@pytest.fixture
def somebody(
    visit: Callable[..., Page], request: pytest.FixtureRequest, table: list[str]
) -> Iterator[Callable[..., Counted]]:
    opened: list[tuple[Counted, tuple[object, ...]]] = []

    def make(*kind: object) -> Counted:
        opened.append((Counted(visit(*kind)), kind))
        return opened[-1][0]

    yield make
    name = request.function.__name__.removeprefix("test_")
    for one, (width, language, scheme) in opened:
        table.append(f"{name:30} {width:>5} {language:8} {scheme:6} {one.clicks:>6} {one.seconds:7.1f}")


@every_kind
def test_is_all_well(somebody: Callable[..., Counted], width: int, language: str, scheme: str) -> None:
    one = somebody(width, language, scheme)
    verdict = one.page.locator(".verdict")
    words = {"en": "need you", "fr": "demandent votre attention"}
    expect(verdict).to_contain_text(words[language])
    box = verdict.bounding_box()
    assert box
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= HEIGHT
    assert one.clicks == one.page.evaluate("scrollY") == 0


@every_kind
def test_why_does_it_wait(
    somebody: Callable[..., Counted], world: World, width: int, language: str, scheme: str
) -> None:
    world.post("/carriers/pause", carrier="chronopost", why="strike")
    one = somebody(width, language, scheme)
    one.find("CLM-2026-002")
    why = {"en": "paused", "fr": "en pause"}  # not the carrier's last message about its parcel
    expect(one.page.locator(".claim-head > p").first).to_contain_text(why[language])
    assert one.clicks <= 2


@every_kind
def test_retry_these_five(
    somebody: Callable[..., Counted], world: World, width: int, language: str, scheme: str
) -> None:
    one = somebody(width, language, scheme)
    one.click(one.page.get_by_role("link", name=CLAIMS[language], exact=True))
    five = [f"CLM-2026-{n:03}" for n in (3, 4, 5, 6, 7)]
    one.click(one.page.locator(f"input[name=reference][value='{five[-1]}']"))
    one.click(one.page.locator(f"input[name=reference][value='{five[0]}']"), "Shift")
    one.click(one.page.get_by_role("button", name=RETRY[language], exact=True))
    expect(one.page.locator("#notice li")).to_have_count(5)
    assert one.clicks <= 4
    assert one.seconds <= 5 * _busy()
    for reference in five:
        expect(one.page.locator("#notice")).to_contain_text(reference)
    assert world.service.one(
        "SELECT count(*) FROM recours_attempts JOIN claims ON claims.id = claim_id"
        f" WHERE claim_reference IN ({','.join('?' * 5)}) AND run_id = (SELECT run_id FROM recours_attempts ORDER BY id DESC)",
        *five,
    ) == (5,)


@every_kind
def test_retry_all_that_gave_up_at_ups(
    somebody: Callable[..., Counted], width: int, language: str, scheme: str
) -> None:
    one = somebody(width, language, scheme)
    one.click(one.page.get_by_role("link", name=CARRIERS[language], exact=True))
    one.click(one.page.locator("#ups a[href*='stage=given_up']"))
    one.click(one.page.locator("[data-chooses-all]"))
    one.click(one.page.get_by_role("button", name=RETRY[language], exact=True))
    expect(one.page.locator("#notice li")).to_have_count(3)
    assert one.clicks <= 4
    for n in (1, 2, 3):
        expect(one.page.locator("#notice")).to_contain_text(f"GONE-{n}")


@every_kind
def test_show_the_proof(somebody: Callable[..., Counted], width: int, language: str, scheme: str) -> None:
    one = somebody(width, language, scheme)
    one.find("CLM-2026-000")
    proof = one.page.locator("#proof img").first
    expect(proof).to_be_visible()
    expect(proof).to_have_js_property("complete", True)
    assert proof.evaluate("picture => picture.naturalWidth") > 100
    box = proof.bounding_box()
    assert box
    assert box["y"] < HEIGHT  # its beginning is visible
    assert one.clicks <= 2


@every_kind
def test_correct_a_number(
    somebody: Callable[..., Counted], world: World, width: int, language: str, scheme: str
) -> None:
    one = somebody(width, language, scheme)
    one.find("CLM-2026-004")
    one.click(one.page.locator("[data-opens=correct]"))
    expect(one.page.locator("#new-number")).to_be_focused()
    one.send(NUMBER)
    expect(one.page.locator("#notice.good")).to_contain_text("CLM-2026-004")
    expect(one.page.locator("dl.facts")).to_contain_text(NUMBER)
    assert one.clicks <= 3
    assert world.service.one("SELECT tracking_number FROM claims WHERE claim_reference = 'CLM-2026-004'") == (
        NUMBER,
    )


@every_kind
def test_export_a_month_for_the_accountant(
    somebody: Callable[..., Counted], world: World, width: int, language: str, scheme: str
) -> None:
    one = somebody(width, language, scheme)
    one.click(one.page.get_by_role("link", name=CLAIMS[language], exact=True))
    one.click(one.page.locator("a[href*='from=']").first)  # this month
    with one.page.expect_download() as download:
        one.click(one.page.locator("a[href*='claims.csv']"))
    assert one.clicks <= 3
    today = datetime.now(ZoneInfo("Europe/Paris"))
    month = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    (claims,) = world.service.one(
        f"SELECT count(*) FROM claims WHERE created_at >= '{month:%Y-%m-%d %H:%M:%S}'"
    )
    assert len(download.value.path().read_text(encoding="utf-8").splitlines()) == claims + 1


@every_kind
def test_list_all_of_a_stage_at_a_carrier(
    somebody: Callable[..., Counted], width: int, language: str, scheme: str
) -> None:
    one = somebody(width, language, scheme)
    one.click(one.page.get_by_role("link", name=CARRIERS[language], exact=True))
    one.click(one.page.locator("#ups a[href*='stage=given_up']"))
    expect(one.page.locator("table.claims tbody tr")).to_have_count(3)
    assert one.clicks <= 3


@every_kind
def test_download_a_dossier(somebody: Callable[..., Counted], width: int, language: str, scheme: str) -> None:
    one = somebody(width, language, scheme)
    one.find("CLM-2026-000")
    with one.page.expect_download() as download:
        one.click(one.page.locator("a[href^='/dossier']"))
    assert download.value.suggested_filename == "dossier-CLM-2026-000.zip"
    assert one.clicks <= 2


@every_kind
def test_erase_a_client(
    somebody: Callable[..., Counted], world: World, width: int, language: str, scheme: str
) -> None:
    with closing(sqlite3.connect(world.service.path)) as database, database:
        database.execute(
            "UPDATE claims SET client_id = ? WHERE claim_reference = 'CLM-2026-000'", (CLIENT + 1,)
        )
    one = somebody(width, language, scheme)
    one.find("CLM-2026-000")
    one.click(one.page.locator("dl.facts a[href*='client=']"))
    one.click(one.page.locator("a[href^='/erase']"))
    one.click(one.page.locator("[action='/erase/do'] button.danger"))
    erased = {"en": "1 claim, 1 document", "fr": "1 réclamation, 1 document"}
    expect(one.page.locator("#notice.good")).to_contain_text(erased[language])
    assert one.clicks <= 4
    assert world.service.one(
        "SELECT count(*) FROM recours_evidence JOIN claims ON claims.id = claim_id WHERE claim_reference = 'CLM-2026-000'"
    ) == (0,)


@every_kind
def test_pause_chronopost(
    somebody: Callable[..., Counted], world: World, width: int, language: str, scheme: str
) -> None:
    one = somebody(width, language, scheme)
    one.click(one.page.get_by_role("link", name=CARRIERS[language], exact=True))
    one.click(one.page.locator("[data-opens=pause-chronopost]"))
    one.click(one.page.locator("#pause-chronopost button.main"))
    expect(one.page.locator("#chronopost [action='/carriers/resume']")).to_be_visible()
    assert one.clicks <= 3
    assert world.service.one(
        "SELECT count(*) FROM recours_actions WHERE what = 'paused' AND subject = 'chronopost'"
    ) == (1,)


@every_kind
def test_correct_three_hundred(
    somebody: Callable[..., Counted], world: World, width: int, language: str, scheme: str
) -> None:
    world.service.add(
        *({"claim_reference": f"BULK-{n}", "tracking_number": f"XY{n:09}FR"} for n in range(300))
    )
    one = somebody(width, language, scheme)
    one.click(one.page.get_by_role("link", name=CLAIMS[language], exact=True))
    one.click(one.page.locator("a[href='/claims/file']"))
    content = "\n".join(f"BULK-{n};XY{n + 500:09}FR" for n in range(300)).encode()
    with one.page.expect_file_chooser() as chooser:
        one.click(one.page.locator("#file"))
    chooser.value.set_files({"name": "corrections.csv", "mimeType": "text/csv", "buffer": content})
    one.click(one.page.locator("[action='/claims/apply'] button.main"))
    expect(one.page.locator("#notice.good")).to_contain_text("300")
    assert one.clicks <= 4
    assert one.seconds <= 10 * _busy()
    assert world.service.one(
        "SELECT count(*) FROM claims WHERE claim_reference LIKE 'BULK-%' AND tracking_number >= 'XY000000500FR'"
    ) == (300,)


def test_claims_from_a_file_need_no_javascript(world: World, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{world.service.url}/claims/file")
    page.select_option("#action", "exclude")
    page.set_input_files("#file", {"name": "x.csv", "mimeType": "text/csv", "buffer": b"CLM-2026-004"})
    page.locator("main form button.main").click()
    page.fill("#why", "settled")
    page.locator("[action='/claims/apply'] button.main").click()
    expect(page.locator("#notice.good")).to_be_visible()
    context.close()
    assert world.service.one(
        "SELECT pod_fetch_status FROM claims WHERE claim_reference = 'CLM-2026-004'"
    ) == ("manual",)


def test_no_click_is_lost_while_the_script_loads(visit: Callable[..., Page], world: World) -> None:
    page = visit(path="/carriers")

    def late(route: Route) -> None:
        page.wait_for_timeout(500)  # milliseconds, of a slow connection
        route.continue_()

    page.route("**/static/page.js", late)
    page.goto(f"{world.service.url}/claim?reference=CLM-2026-004", wait_until="commit")
    page.locator("[data-opens=correct]").click()
    expect(page.locator("#new-number")).to_be_focused()


# ---------------------------------------------------------------- a command that is to be typed on a machine


@pytest.fixture
def overview(world: World, visit: Callable[..., Page]) -> Page:
    """No worker has run yet."""
    with closing(sqlite3.connect(world.service.path)) as database, database:
        database.execute("DELETE FROM recours_runs")
    return visit(390, "fr")


def test_a_command_is_copied(overview: Page) -> None:
    overview.context.grant_permissions(["clipboard-read", "clipboard-write"])
    overview.get_by_role("button", name="Copier").first.click()
    expect(overview.get_by_role("button", name="Copié")).to_have_count(1)
    assert overview.evaluate("navigator.clipboard.readText()") == "recours check"


def test_the_command_is_selected_if_the_browser_forbids_copying(overview: Page) -> None:
    overview.evaluate("delete Navigator.prototype.clipboard")
    button = overview.get_by_role("button", name="Copier").first
    button.click()
    assert overview.evaluate("getSelection().toString()") == "recours check"
    expect(button).to_have_text("Copier")
