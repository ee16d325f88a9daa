"""`python -m tests.benchmarks.first_paint`: seconds until the page's verdict is seen, on 10,000 and on 1,000,000 claims and attempts.

From the navigation of a browser with an empty cache to a server that is warm; bound: 1.5 s on a machine that does nothing else.
By the browser's own clock, at the frame after it is there: Playwright looks only every half a second.
"""

import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import URL

from recours.database.schema.creation import create_file
from recours.sandbox import Sandbox
from tests.benchmarks.fixtures import add_large
from tests.benchmarks.looking import add_history
from tests.processes.page import CHROMIUM, QUIET, Service

ROUNDS = 9

_WATCH = """
const look = () => {
    const verdict = document.querySelector(".verdict");
    if (verdict && verdict.getBoundingClientRect().width) requestAnimationFrame(() => (window.seenAt = performance.now()));
    else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
# `wait_for_function` would be refused: it evaluates a text, which the page's policy forbids.
_SEEN = """() => new Promise((done) => {
    const look = () => (window.seenAt ? done(window.seenAt) : requestAnimationFrame(look));
    look();
})"""


def filled(folder: Path, count: int) -> Path:
    """A folder with a database of so many claims and attempts."""
    folder.mkdir()
    create_file(folder / "claims.db")
    add_history(add_large(URL.create("sqlite", database=str(folder / "claims.db")), count), count)
    return folder


def first_paint(browser: Browser, url: str) -> float:
    """Seconds of one visit."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(_WATCH)
    page.goto(url, wait_until="commit")
    taken = float(page.evaluate(_SEEN)) / 1000
    context.close()
    return taken


def main() -> None:
    """Print a line for each size."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(now=lambda: datetime.now(UTC)) as box,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        for count in (10_000, 1_000_000):
            service = Service(filled(Path(folder) / str(count), count), box)
            service.start()
            try:
                first_paint(browser, service.url)  # warms the server
                taken = [first_paint(browser, service.url) for _ in range(ROUNDS)]
            finally:
                service.stop()
            print(f"{count:>9} claims: median {statistics.median(taken):.2f} s, most {max(taken):.2f} s")
        browser.close()


if __name__ == "__main__":
    main()
