"""The dashboard in Chromium, over one database with claims of every kind that is restored for each test."""

import base64
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request as Sent
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright
from sqlalchemy import insert, make_url, update

from recours.accounts.sealing import SETTING, Seals
from recours.core.accounts import owner_of
from recours.core.mail import MailKind, MailState, MailTrouble
from recours.core.pauses import Stop
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.database.schema.creation import create_file
from recours.database.tables import account_state, client_accounts, mails
from recours.sandbox import Sandbox
from tests.conftest import SERVICE_CLIENTS
from tests.needs import missing
from tests.own_rows import put_account
from tests.processes.page import CHROMIUM, QUIET, SLOW_MS, Service, rows

WIDTHS = (390, 768, 1280)
HEIGHT = 900
SCHEMES = ("light", "dark")
LANGUAGES = ("en", "fr")
ELSEWHERE = "pods.example"  # a name that another server uses for this machine
NUMBER = "XY100009001FR"  # of a parcel in transit
CLIENT = 900  # ids of clients with accounts and without claims start here
SEALING_KEY = base64.urlsafe_b64encode(b"a key for tests of this length..").decode()
HOSTILE = "<script>window.seen=1</script><img src=x onerror='window.seen=1'>\"'"


def given_up(n: int, number: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "claim_reference": f"GONE-{n}", "carrier": "UPS", "tracking_number": number, "pod_retry_count": 4,
        "created_at": now - timedelta(days=9), "updated_at": now - timedelta(days=1),
        "lane": "ups", "stage": "given_up", "retries_used": 4, "kind": "timeout", "written_at": now,
    }  # fmt: skip


@dataclass
class World:
    """The dashboard's service, and the initial state of the database."""

    service: Service
    kept: Path

    def restore(self) -> None:
        with (
            closing(sqlite3.connect(self.kept)) as kept,
            closing(sqlite3.connect(self.service.path)) as used,
        ):
            kept.backup(used)

    def post(self, path: str, **fields: str) -> None:
        """Do an action before a test, like the dashboard's forms."""
        content = urlencode({"back": "/static/icon.svg", **fields}).encode()
        headers = {"Origin": self.service.url}
        with urlopen(Sent(self.service.url + path, content, headers), timeout=60):
            pass


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("page")
    create_file(folder / "claims.db")
    with Sandbox(now=lambda: datetime.now(UTC)) as box:
        service = Service(folder, box, settings={"RECOURS_TIMEZONE": "Europe/Paris", SETTING: SEALING_KEY})
        ups = {"claim_reference": "UPS-1", "carrier": "UPS", "tracking_number": box.example("ups", "00")}
        service.add(*rows(), ups | {"updated_at": datetime.now(UTC) - timedelta(hours=2)})
        service.run("pod_retry_scheduler")
        service.run("pod_fetch_worker")
        service.add(*(given_up(n, box.example("ups", "10", n)) for n in range(1, 4)), *_hostile_rows(folder))
        _add_mails_and_accounts(service)
        with (
            closing(sqlite3.connect(service.path)) as used,
            closing(sqlite3.connect(folder / "kept.db")) as kept,
        ):
            used.backup(kept)
        service.start()
        yield World(service, folder / "kept.db")
        service.stop()


def _add_mails_and_accounts(service: Service) -> None:
    """Emails and client accounts in every state that needs an action. The clients have no claims."""
    database, now = Database(make_url(f"sqlite:///{service.path}")), datetime.now(UTC)
    named = {CLIENT + n: f"boutique{n}@shop.example" for n in range(1, 5)}
    states = {
        MailState.HELD: None,
        MailState.SENT: None,
        MailState.FAILED: MailTrouble.REFUSES_RECIPIENT.text(said="550 no such user"),
        MailState.READY: MailTrouble.UNUSABLE.text(where="mx.example:25", said="Connection refused"),
    }
    with database.write() as connection:
        connection.execute(
            insert(SERVICE_CLIENTS), [{"id": number, "email": email} for number, email in named.items()]
        )
        connection.execute(
            insert(mails),
            [
                {
                    "id": n, "message_id": f"<{n}@x>", "kind": MailKind.POD_FAILED, "recipient": f"boutique{n}@shop.example",
                    "language": "fr", "subject": f"Preuve introuvable : CLM-2026-{n:03}", "plain": "Bonjour", "html": "<p>Bonjour</p>",
                    "state": state, "run_id": "r", "created_at": now - timedelta(hours=n), "tries": int(error is not None),
                    "error": error, "ended_at": now if state in (MailState.SENT, MailState.FAILED) else None,
                }
                for n, (state, error) in enumerate(states.items(), 1)
            ],
        )  # fmt: skip
    store, seals = ClientAccounts(database), Seals([SEALING_KEY])
    for number in named:
        owner = owner_of(number, "chronopost")
        sealed = seals.seal({"CHRONOPOST_ACCOUNT": f"2000{number}", "CHRONOPOST_PASSWORD": "x"}, owner)
        put_account(store, number, "chronopost", sealed, "anna", now)
    _, paused, refused, spoilt = store.all()
    QuotaTables(database).stop(paused.key, Stop(now, "by Marie: unpaid invoice"), "Marie", "unpaid invoice")
    with database.write() as connection:
        refusal = f"Chronopost rejects the credentials of {named[refused.client_id]}: Invalid Password (credentials from the database)"
        state = {
            "refusals": 1,
            "refusal": refusal,
            "refusal_kind": "auth_failed",
            "refused_until": now + timedelta(hours=1),
        }
        connection.execute(insert(account_state).values(carrier="chronopost", account_id=refused.id, **state))
        sealed_no_more = update(client_accounts).where(client_accounts.c.id == spoilt.id)
        connection.execute(sealed_no_more.values(credentials="nothing that this key opens"))
    database.close()


def _hostile_rows(folder: Path) -> list[dict[str, Any]]:
    """Claims whose texts and documents contain scripts."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg" onload="top.seen=1"><script>top.seen=1</script></svg>'
    script = "<script>top.seen=1;document.getElementById('p').textContent='loud'</script>"
    away = f"http://{ELSEWHERE}/"
    html = (
        f"<!doctype html><html><head><meta http-equiv='refresh' content='0;url={away}refresh'></head><body onload='top.seen=1'>"
        f"<p id='p'>quiet</p>{script}<img src='{away}img' onerror='top.seen=1'><style>@import url('{away}css')</style>"
        f"<iframe src='{away}frame'></iframe><a href='{away}away' target='_top'>away</a>{svg}"
        f"<form action='{away}form'><button>send</button></form></body></html>"
    )
    files = {"hostile.html": html, "hostile.svg": svg}
    (folder / "pods" / "ups").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / "pods" / "ups" / name).write_text(content)
    done = {"pod_fetch_status": "success", "pod_fetch_error": None, "carrier": "UPS"}
    return [
        *(
            done | {"claim_reference": f"EVIL-{n}", "pod_url": str(folder / "pods" / "ups" / name),
                    "pod_delivery_person": HOSTILE}
            for n, name in enumerate(files, 1)
        ),
        {"claim_reference": f"EVIL-{HOSTILE}", "tracking_number": HOSTILE, "pod_fetch_error": HOSTILE},
    ]  # fmt: skip


@pytest.fixture
def world(_built: World) -> World:
    _built.restore()
    return _built


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for one file: while Playwright is open, no other test of this process can run an event loop."""
    if not Path(CHROMIUM).exists():
        missing(f"Chromium is not installed ({CHROMIUM}): apt-get install chromium")
    with sync_playwright() as playwright:
        names = f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, names])
        yield browser
        browser.close()


@dataclass
class Visitors:
    """Opens the dashboard on several screens; any request to another server is a failure."""

    browser: Browser
    world: World
    contexts: list[BrowserContext] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def __call__(
        self, width: int = 1280, language: str = "en", scheme: Any = "light", path: str = "/", at: str = ""
    ) -> Page:
        at = at or self.world.service.url
        context = self.browser.new_context(
            viewport={"width": width, "height": HEIGHT}, color_scheme=scheme, reduced_motion="reduce"
        )
        self.contexts.append(context)
        context.set_default_timeout(SLOW_MS)
        expect.set_options(timeout=SLOW_MS)
        context.add_cookies([{"name": "recours_language", "value": language, "url": at}])
        page = context.new_page()

        def note(request: Request) -> None:
            if not request.url.startswith((at, "data:", "blob:", "about:")) and request.failure != "csp":
                self.elsewhere.append(request.url)

        page.on("requestfinished", note)
        page.on("requestfailed", note)
        page.goto(at + path)
        return page


@pytest.fixture
def visit(browser: Browser, world: World) -> Iterator[Callable[..., Page]]:
    """`visit(width, language, scheme, path)`."""
    visitors = Visitors(browser, world)
    yield visitors
    for context in visitors.contexts:
        context.close()
    assert visitors.elsewhere == []
