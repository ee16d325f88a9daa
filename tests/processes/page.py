"""The dashboard as its operator starts it, with a database and carriers on loopback, for browser tests."""

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

from sqlalchemy import insert, make_url

from recours.database.engine import Database
from recours.database.tables import claims
from recours.sandbox import Sandbox
from tests.conftest import SERVICE_CLAIMS, claim_row
from tests.own_rows import set_assessed

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
SLOW_MS = 30_000  # timeout of waits, long enough for a busy machine; only failures take this long


@dataclass
class Service:
    """A database, carriers on loopback, and the dashboard as its operator starts it."""

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
            **self.box.environment("chronopost", "ups"),
            **self.settings,
        }

    def add(self, *rows: dict[str, Any]) -> None:
        """Add claims of the service. Columns of `recours_claims` are written as if a run had assessed the claim."""
        database = Database(make_url(f"sqlite:///{self.path}"))
        with database.write() as connection:
            for n, row in enumerate(rows):
                values = {name: value for name, value in row.items() if name in SERVICE_CLAIMS.c}
                connection.execute(insert(SERVICE_CLAIMS).values(claim_row(n) | values))
        for n, row in enumerate(rows):
            if own := {name: value for name, value in row.items() if name in claims.c}:
                set_assessed(database, (claim_row(n) | row)["claim_reference"], **own)
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
            with (
                suppress(OSError),
                urllib.request.urlopen(f"{self.url}/static/page.css", timeout=5) as answer,
            ):
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
