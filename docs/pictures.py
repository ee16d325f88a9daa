"""`make pictures`: take the manual's screenshots of the dashboard and the terminal, with the claims of `recours demo`.

The simulated time of the demo ends now, so that the dashboard and the commands show its events as recent. The package
`recours` never imports this module.
"""

import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path

from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from rich.text import Text

from recours.cli import demo
from recours.sandbox import Sandbox
from tests.processes.page import CHROMIUM, QUIET, SLOW_MS, Service

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "images"
# After three days some claims have their POD, some are waiting, and some will never get a POD.
_DAYS = 3
_LARGEST = 200_000  # maximum size of a picture in bytes
_COLUMNS, _MOST_LINES = 118, 34
# Replaces this machine's folders in the screenshots.
_SHOWN_FOLDER = "/srv/recours"
_NEW = """
    INSERT INTO claims (claim_reference, client_id, order_id, carrier, dispute_type, amount_requested, status,
        response_deadline, tracking_number, created_at, updated_at, pod_fetch_status)
    VALUES (?, ?, ?, ?, 'lost', ?, 'submitted', ?, ?, ?, ?, 'pending')
"""


def main() -> None:
    """Take all screenshots."""
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        _service(Path(folder)) as service,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        _take_page(browser, service)
        _take_terminal(browser, service, "status")
        _take_terminal(browser, service, "why", _one(service, _WAITING))
        browser.close()


# ---------------------------------------------------------------- data


@contextmanager
def _service(folder: Path) -> Iterator[Service]:
    """The dashboard and its database, after the demo and one run of each worker."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    demo.BEGINS, demo.DAYS = now - timedelta(days=_DAYS), _DAYS
    os.environ["RECOURS_HOME"] = str(folder)
    result = CliRunner().invoke(demo.command)
    del os.environ["RECOURS_HOME"]
    if result.exception:
        raise result.exception
    (database,) = (folder / demo.FOLDER).rglob("*.db")
    shutil.copy(database, folder / "claims.db")
    with Sandbox(now=lambda: datetime.now(UTC)) as box:
        quota = {"QUOTA_CHRONOPOST": "100/day", "RECOURS_POD_DIR": str(folder / demo.FOLDER / "pods")}
        service = Service(folder, box, settings={**box.environment(), **quota})
        _add_new_claims(service)
        service.run("pod_fetch_worker")
        service.run("pod_retry_scheduler")
        service.start()
        try:
            yield service
        finally:
            service.stop()


def _add_new_claims(service: Service) -> None:
    """Claims of three carriers, and claims of an unknown carrier: a problem that the overview shows first."""
    now = datetime.now(UTC)
    carriers = [("chronopost", "Chronopost"), ("ups", "UPS"), ("gls", "GLS")]
    unknown = range(112, 115)
    with closing(sqlite3.connect(service.path)) as connection:
        for place in (*range(100, 112), *unknown):
            key, name = carriers[place % 3]
            number = service.box.example(key, "10" if place % 4 == 0 else "00", place)
            if place in unknown:
                name = "Hermes"
                number = f"HM{place}"
            row = (
                f"CLM-2026-{place}", place % 4 + 1, f"ORD-{place}", name, 20.0 + place,
                f"{now + timedelta(days=place % 9 + 5):%Y-%m-%d}", number, f"{now:%Y-%m-%d %H:%M:%S}",
                f"{now:%Y-%m-%d %H:%M:%S}",
            )  # fmt: skip
            connection.execute(_NEW, row)
        connection.commit()


# ---------------------------------------------------------------- dashboard


def _take_page(browser: Browser, service: Service) -> None:
    for name, path, width, height in (
        ("overview", "/", 1280, 930),
        ("claims", "/claims?sort=deadline", 1280, 770),
        ("claim", f"/claim?reference={_one(service, _FETCHED)}", 1280, 1100),
        ("carriers", "/carriers", 1280, 640),
        ("phone", "/", 390, 760),
    ):
        page = _opened(browser, width, height)
        page.goto(f"{service.url}{path}")
        expect(page.locator("main h1").first).to_be_visible()
        page.wait_for_load_state("networkidle")  # the pages of a document are rendered
        _keep(page.screenshot(), name)
        page.context.close()


# Informative claims: one whose POD needed several attempts, and one that is still waiting.
_FETCHED = "pod_fetch_status = 'success' ORDER BY pod_retry_count DESC, id"
_WAITING = "stage = 'waiting' ORDER BY pod_retry_count DESC, response_deadline IS NULL, id"


def _one(service: Service, condition: str) -> str:
    """The reference of the first claim that meets the condition."""
    claims = "claims LEFT JOIN recours_claims ON claim_id = id"
    (reference,) = service.one(f"SELECT claim_reference FROM {claims} WHERE {condition} LIMIT 1")  # noqa: S608 (constants)
    return str(reference)


def _opened(browser: Browser, width: int, height: int, scale: float = 1) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale="en-GB",
        color_scheme="light",
        device_scale_factor=scale,
    )
    context.set_default_timeout(SLOW_MS)
    expect.set_options(timeout=SLOW_MS)
    return context.new_page()


def _keep(picture: bytes, name: str) -> None:
    """Write the picture as a PNG with 128 colors. Raises ValueError if the file is too large."""
    path = FOLDER / f"{name}.png"
    Image.open(BytesIO(picture)).convert("RGB").quantize(128).save(path, optimize=True)
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path} has {path.stat().st_size} bytes; the maximum is {_LARGEST}")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} KB")  # noqa: T201 (progress output)


# ---------------------------------------------------------------- terminal


def _take_terminal(browser: Browser, service: Service, *arguments: str) -> None:
    text = _typed(service, *arguments)
    for folder in (service.folder, ROOT):
        text = text.replace(str(folder), _SHOWN_FOLDER)
    drawn = text.splitlines()
    lines = [f"$ recours {' '.join(arguments)}", *_whole_tables(drawn)]
    console = Console(
        record=True, width=_COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.from_ansi("\n".join(lines)), soft_wrap=True)
    html = console.export_html(theme=DEFAULT_TERMINAL_THEME, inline_styles=True, code_format=_FORM)
    page = _opened(browser, 100, 100, scale=1.6)
    page.set_content(html)
    _keep(page.locator("pre").screenshot(), arguments[0])
    page.context.close()


def _whole_tables(lines: list[str]) -> list[str]:
    """The first lines, up to the end of a complete table."""
    if len(lines) <= _MOST_LINES:
        return lines
    ends = [place for place in range(1, _MOST_LINES) if not lines[place].startswith("  ")]
    return [*lines[: max(ends)], "…"]


_FORM = """<pre style="font: 15px/1.25 'DejaVu Sans Mono', monospace; display: inline-block; margin: 0; padding: 12px;
    background: {background}; color: {foreground}">{code}</pre>"""


def _typed(service: Service, *arguments: str) -> str:
    """The output of a command on a terminal."""
    mine, its = pty.openpty()
    environment = service.environment | {
        "COLUMNS": str(_COLUMNS), "LINES": "60", "TERM": "xterm-256color", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    process = subprocess.Popen(  # noqa: S603 (our own)
        [sys.executable, "-m", "recours", *arguments],
        cwd=service.folder, env=environment, stdin=subprocess.DEVNULL, stdout=its, stderr=its,
    )  # fmt: skip
    os.close(its)
    pieces = []
    while piece := _read(mine):
        pieces.append(piece)
    os.close(mine)
    process.wait()
    text = b"".join(pieces).decode("utf-8")
    return re.sub(r"\r\n?", "\n", text)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the other end of the terminal is closed
        return b""


if __name__ == "__main__":
    main()
