"""Attacks on the dashboard in a browser: scripts in texts, other sites, guessed passwords, and foreign host names."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from tests.browser.conftest import ELSEWHERE, HOSTILE, World
from tests.processes.page import SLOW_MS

# ---------------------------------------------------------------- what they wrote


def unharmed(page: Page) -> bool:
    return page.evaluate("window.seen") is None


PATHS = ["/", "/claims", "/claims?text=%3Cscript%3Ewindow.seen%3D1%3C/script%3E", "/claims?client=%22onload=",
         "/claims?stage=%3Cimg src=x onerror=window.seen=1%3E", "/mails",
         "/carriers?accounts=%22%3E%3Cscript%3Ewindow.seen=1%3C/script%3E"]  # fmt: skip


def test_no_script_in_a_text_or_an_address_runs(visit: Callable[..., Page], world: World) -> None:
    page = visit()
    for path in PATHS:
        page.goto(world.service.url + path)
        page.wait_for_load_state("networkidle")
        assert unharmed(page), path
        assert page.locator("main script, main [onerror], main [onload]").count() == 0, path


def test_scripts_in_a_claim_are_shown_as_text(visit: Callable[..., Page]) -> None:
    page = visit(path="/claims?text=EVIL-%3C")
    page.get_by_role("link", name=f"EVIL-{HOSTILE}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"EVIL-{HOSTILE}")
    assert unharmed(page)


def test_no_script_in_a_document_runs(visit: Callable[..., Page], world: World) -> None:
    page = visit(path="/claim?reference=EVIL-1")
    page.wait_for_load_state("networkidle")
    assert unharmed(page)
    shown = page.frame_locator("#proof iframe")
    expect(shown.get_by_text("quiet")).to_be_visible()
    for trap in (shown.get_by_text("away"), shown.get_by_role("button", name="send")):
        trap.dispatch_event("click")
    for part in ("", "&shown=1"):  # even alone, at its own address
        with suppress(Error):  # a download opens no page
            page.goto(f"{world.service.url}/document?claim=EVIL-1{part}")
        assert page.evaluate("window.seen") is None
        assert page.evaluate("document.getElementById('p')?.textContent") != "loud"
    assert page.url.startswith(world.service.url)


def test_a_drawing_with_scripts_is_not_a_document(visit: Callable[..., Page], world: World) -> None:
    page = visit(path="/claim?reference=EVIL-2")
    expect(page.locator("#proof")).to_contain_text("The file is not a document")
    assert page.locator("#proof").locator("img, iframe, object, embed, a[download]").count() == 0
    for part in ("", "&shown=1"):
        answer = page.goto(f"{world.service.url}/document?claim=EVIL-2{part}")
        assert answer
        assert answer.status == 404
        assert unharmed(page)


# ---------------------------------------------------------------- other sites


@pytest.fixture
def stranger(world: World) -> Iterator[str]:
    """The address of a foreign site that frames the dashboard and has a form that pauses a carrier."""
    target = world.service.url
    content = f"""<!doctype html><title>a nice game</title><iframe src="{target}/"></iframe>
        <form method="post" action="{target}/carriers/pause"><input type="hidden" name="carrier" value="chronopost">
        <input type="hidden" name="back" value="/carriers"><button>play</button></form>""".encode()

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name is the library's)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    context.set_default_timeout(SLOW_MS)
    yield context
    context.close()


def test_another_site_cannot_frame_the_dashboard(context: BrowserContext, stranger: str) -> None:
    page = context.new_page()
    page.goto(stranger)
    page.wait_for_load_state("networkidle")
    (frame,) = page.frames[1:]
    assert frame.url.startswith("chrome-error:")
    assert "CLM-2026" not in frame.content()


def test_a_form_of_another_site_does_nothing(context: BrowserContext, stranger: str, world: World) -> None:
    before = world.service.content()
    page = context.new_page()
    page.goto(stranger)
    with page.expect_navigation() as led:
        page.get_by_role("button", name="play").click()
    assert led.value.status == 403
    expect(page.get_by_text("This request did not come from the dashboard.")).to_be_visible()
    assert world.service.content() == before


def test_nothing_is_shown_under_a_foreign_host_name(context: BrowserContext, world: World) -> None:
    """As requested by a foreign site that had the browser take 127.0.0.1 for its own server."""
    page = context.new_page()
    answer = page.goto(f"http://{ELSEWHERE}:{world.service.port}/claims")
    assert answer
    assert answer.status == 403
    assert "CLM-2026" not in page.content()
