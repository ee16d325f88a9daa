"""Two hosts, each with several processes and threads, on one database: one call for a token an account and token's life."""

import base64
import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import random
from typing import Any

import pytest
from sqlalchemy import insert, make_url, text

from recours.accounts.sealing import Seals
from recours.carriers.http import Sender
from recours.carriers.message import Request, Response
from recours.carriers.registry import CATALOG
from recours.core.accounts import AccountKey, owner_of
from recours.core.outcome import Retrieved
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database, SystemClock
from recours.database.tables import clients
from recours.sandbox import Parcel, Sandbox, Scenario
from recours.settings.loading import load
from recours.wiring.carriers import accounts, make_queue
from tests.conftest import SERVICE_CLAIMS, claim_row

pytestmark = pytest.mark.full(
    "many processes at once: tests/unit/carriers/test_oauth.py has them one after the other"
)

ROOT = Path(__file__).resolve().parents[2]
SPAWN = multiprocessing.get_context("spawn")
KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
CARRIERS = ("ups", "fedex", "gls")
NAMES = {"ups": "UPS", "fedex": "FedEx", "gls": "GLS"}
HOSTS = ("one", "two")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(now=lambda: datetime.now(UTC), latency=0.02) as box:
        box.accounts["20000002"] = "of-a-client"
        yield box


def environment(url: str, sandbox: Sandbox, host: Path) -> dict[str, str]:
    return {
        **sandbox.environment(*CARRIERS),
        **{f"QUOTA_{carrier.upper()}": "100000/day" for carrier in CARRIERS},
        "DATABASE_URL": url,
        "RECOURS_ACCOUNTS_KEY": KEY,
        "RECOURS_LOG_DIR": str(host / "logs"),
        "RECOURS_POD_DIR": str(host / "pods"),
    }


def token_calls(sandbox: Sandbox) -> Counter[str]:
    return Counter(call.carrier for call in sandbox.calls if call.operation == "token")


def used_for_tokens(database: Database) -> Counter[str]:
    """Units of the limits of calls for tokens."""
    query = "SELECT limit_key, used FROM recours_quota_shares WHERE limit_key LIKE '%TOKEN%' AND used > 0"
    used: Counter[str] = Counter()
    with database.read() as connection:
        for key, units in connection.execute(text(query)):
            used[key.partition("/")[0]] += units
    return used


# ---------------------------------------------------------------- runs


def fill(database: Database, sandbox: Sandbox, serials: range) -> None:
    """Claims of every carrier, each of a parcel that is delivered."""
    at = datetime.now(UTC) - timedelta(hours=2)
    rows = [
        claim_row(100_000 * place + serial)
        | {"carrier": NAMES[carrier], "created_at": at, "updated_at": at}
        | {"tracking_number": sandbox.example(carrier, "00", serial)}
        for place, carrier in enumerate(CARRIERS)
        for serial in serials
    ]
    with database.write() as connection:
        connection.execute(insert(SERVICE_CLAIMS), rows)
    for row in rows:
        sandbox.parcels[row["tracking_number"]] = Parcel((Scenario.DELIVERED,))


def run_on_both_hosts(url: str, sandbox: Sandbox, folder: Path, processes: int) -> list[dict[str, Any]]:
    """So many runs on each host, all at once; returns their reports."""
    command = [
        sys.executable,
        str(ROOT / "scripts/pod_retry_scheduler.py"),
        "--json",
        "--batch-size",
        "10000",
    ]
    started = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(url, sandbox, folder / host) | {"PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for host in HOSTS
        for _ in range(processes)
    ]
    ended = [(process, *process.communicate(timeout=300)) for process in started]
    assert {process.returncode for process, _, _ in ended} == {0}, "\n".join(log for *_, log in ended)
    return [json.loads(report) for _, report, _ in ended]


def test_runs_of_two_hosts_ask_for_one_token_of_each_carrier(
    database: Database, url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    for part in range(2):  # the second finds a good token
        fill(database, sandbox, range(40 * part, 40 * part + 40))
        reports = run_on_both_hosts(url, sandbox, tmp_path, 2)
        assert sum(report["success"] for report in reports) == 40 * len(CARRIERS)
        assert token_calls(sandbox) == dict.fromkeys(CARRIERS, 1)
        assert used_for_tokens(database) == dict.fromkeys(CARRIERS, 1)
    with database.read() as connection:
        assert connection.scalar(text("SELECT coalesce(sum(held), 0) FROM recours_quota_shares")) == 0
        assert "sandbox-" not in f"{connection.execute(text('SELECT * FROM recours_account_state')).all()}"


# ---------------------------------------------------------------- kills

LIFE_S = 5  # of a token, so that it is used for half of that
LEASE_S = 6
SECONDS = 16


@dataclass(frozen=True)
class Killing:
    """From a time on, kills its process where it would receive a token."""

    sender: Sender
    dies_at: float

    def send(self, request: Request) -> Response:
        answer = self.sender.send(request)
        if "/oauth" in request.path and time.time() > self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


def ask(
    url: str, named: dict[str, str], folder: str, numbers: dict[str, str], dies_after_s: float, start: Any
) -> None:
    """Fetch by several threads all the time, as runs do. `numbers`: of a parcel, by the account's key."""
    settings, clock, database = load(Path(folder), named, CATALOG), SystemClock(), Database(make_url(url))
    start.wait(60)
    dies = time.time() + dies_after_s
    ends = math.inf if dies < math.inf else time.time() + SECONDS
    opened = accounts(settings, clock, random, lambda one: Killing(one, dies), database, shares_tokens=True)
    kept = {key: opened[key] for key in numbers}
    queue = make_queue(settings, database, settings.policy, clock, random, f"{os.getpid()}", kept)
    outcomes: Counter[str] = Counter()

    def fetch(key: str) -> None:
        reservations, refusal = queue.reserve(key, [kept[key].spec.calls_for(None)])
        outcome = refusal or queue.fetch(reservations[0], key, numbers[key], None).outcome
        outcomes["retrieved" if isinstance(outcome, Retrieved) else f"{outcome}"] += 1

    def fetch_all_the_time(key: str) -> None:
        while time.time() < ends:
            fetch(key)
            time.sleep(0.1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recours.carriers.oauth.LEASE", timedelta(seconds=LEASE_S))
        for key in numbers:  # until an answer has accepted the account, one begins at a time
            fetch(key)
        with ThreadPoolExecutor(2 * len(numbers)) as threads:
            list(threads.map(fetch_all_the_time, [*numbers] * 2))
    queue.leave()
    database.close()
    (Path(folder) / f"{os.getpid()}.json").write_text(json.dumps(outcomes))


def test_with_processes_that_die_while_they_ask_no_token_is_asked_for_before_its_time(
    database: Database, url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.token_seconds = LIFE_S
    sandbox.accounts["20000002"] = "of-a-client"
    with database.write() as connection:
        connection.execute(insert(clients).values(id=1, email="shop@example.com"))
    credentials = {"UPS_CLIENT_ID": "20000002", "UPS_CLIENT_SECRET": "of-a-client"}
    sealed = Seals([KEY]).seal(credentials, owner_of(1, "ups"))
    now = datetime.now(UTC)
    number = ClientAccounts(database).put(1, "ups", sealed, "lea", now, limits={"": "100000/day"})
    numbers = {key: sandbox.example(key, "00") for key in CARRIERS}
    numbers[f"{AccountKey('ups', number or 0)}"] = sandbox.example("ups", "00", 1)
    for one in numbers.values():
        sandbox.parcels[one] = Parcel((Scenario.DELIVERED,))

    dying_after_s = [1.0, 4.0, *[math.inf] * 4]
    start, jobs = SPAWN.Barrier(len(dying_after_s)), []
    for place, dies_after_s in enumerate(dying_after_s):
        host = tmp_path / HOSTS[place % 2]
        host.mkdir(exist_ok=True)
        named = environment(url, sandbox, host)
        jobs.append(SPAWN.Process(target=ask, args=(url, named, str(host), numbers, dies_after_s, start)))
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(120)
    assert [job.exitcode for job in jobs] == [-signal.SIGKILL] * 2 + [0] * 4

    outcomes: Counter[str] = Counter()
    for path in tmp_path.rglob("*.json"):
        outcomes += Counter(json.loads(path.read_text()))
    assert list(outcomes) == ["retrieved"]
    asked = defaultdict(list)
    for call in sandbox.calls:
        if call.operation == "token":
            asked[call.carrier, call.account].append(call.at)
    assert len(asked) == len(numbers)
    for times in asked.values():
        assert min(after - before for before, after in pairwise(times)) > timedelta(seconds=LIFE_S / 2 - 0.1)
    assert used_for_tokens(database).total() == token_calls(sandbox).total()
