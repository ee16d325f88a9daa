"""An installation that lives on the code of versions before this one, and of this one."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import portalocker
import pytest

from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import Service
from tests.conftest import START, Kind
from tests.fakes.smtp import MailServer
from tests.needs import missing

ROOT = Path(__file__).resolve().parents[2]
FROM_HISTORY = pytest.mark.full(
    "the version before is taken out of the history: tests/contract/test_schema.py has older schemas"
)
# Versions that installations run.
PREDECESSORS = (
    "8a9680a413980cd38c28bdf7fe34a842054c98ea",
    "bee2461d8fa8227a58005004697338841d2d3460",
    "725d44cd79bcb48af836e177fe9b4e382ffd7706",
    "250c04b6cb1b0bee2204675c524e6da34bc47c92",
)
# It keeps one document of an answer, without a chain of custody, knows no accounts but those in the settings, and does not
# record what people do to carriers.
LAST = PREDECESSORS[-1]
_DRIVER = Path(__file__).with_name("upgrade_driver.py")
_PARTS = ("recours", "migrations", "pyproject.toml")
DAYS = 3

_S = Scenario
STORIES: dict[str, tuple[Scenario, ...]] = {
    "delivered at once": (_S.DELIVERED,),
    "delivered on the way": (_S.IN_TRANSIT, _S.IN_TRANSIT, _S.DELIVERED),
    "delivered after the upgrade": (_S.IN_TRANSIT, _S.IN_TRANSIT, _S.IN_TRANSIT, _S.DELIVERED),
    "never delivered": (_S.IN_TRANSIT,),
    "unknown": (_S.UNKNOWN,),
    "not ours": (_S.NOT_OURS,),
    "never a proof": (_S.POD_NEVER,),
    "garbage": (_S.HTML, _S.BROKEN_PDF, _S.DELIVERED),
}
CARRIERS = ("chronopost", "colissimo", "ups", "fedex")
# Hours after the installation: those when claims are due with some around them, the first ones after an upgrade, and two of
# each day at which nothing is.
HOURS = frozenset(
    {1, 2, 3, 7, 8, 9, 31, 32, 33, 73, 74, 75, 103, 104, 105, *range(12, 24 * 2 * DAYS + 1, 12)}
)
# When a claim's turns come, in hours after its failure; the fetch worker's attempt stands at its beginning.
RETRIES = (0, 1, 7, 31, 103)


@dataclass
class Life:
    """An installation whose code may be replaced, and what its runs said."""

    service: Service
    post: MailServer
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def live(self, root: Path, days: int, *, only: Container[int] | None = None) -> None:
        """Run both workers on the code of this checkout: hourly, or `only` in these hours after the installation."""
        clock = self.service.clock
        with driver(root, self.environment) as ask:
            for _ in range(24 * days):
                clock.advance(timedelta(hours=1))
                if only is not None and round((clock.now() - START) / timedelta(hours=1)) not in only:
                    continue
                for worker in ("pod_fetch_worker", "pod_retry_scheduler"):
                    answer = ask(f"{worker} {clock.now().isoformat()}")
                    self.said += answer["said"]
                    self.statuses.append(answer["status"])


@contextmanager
def driver(root: Path, environment: dict[str, str]) -> Iterator[Callable[[str], Any]]:
    """A process that runs workers of the code of this checkout."""
    process = subprocess.Popen(
        [sys.executable, str(_DRIVER)],
        cwd=root,
        env=environment | {"PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr

    def ask(line: str) -> Any:
        assert process.stdin
        assert process.stdout
        print(line, file=process.stdin, flush=True)
        answer = process.stdout.readline()
        assert answer, process.communicate()[1]
        return json.loads(answer)

    try:
        yield ask
    finally:
        process.communicate(timeout=60)


@dataclass(frozen=True)
class Predecessor:
    """The code of a version before."""

    root: Path

    @property
    def has_older_schema(self) -> bool:
        return _migrations(self.root) < _migrations(ROOT)

    @property
    def may_go_on(self) -> bool:
        """Tell whether it may work on a database that was upgraded: it knows the oldest schema that allows that."""
        return self.knows("0006_border")

    def knows(self, migration: str) -> bool:
        return f"{migration}.py" in _migrations(self.root)


def _migrations(root: Path) -> set[str]:
    return {path.name for path in (root / "migrations" / "versions").glob("*.py")}


def checkout_of(commit: str, folder: Path) -> Predecessor:
    """The version's code, taken out of the history once for all that share this folder."""
    root = folder / f"predecessor-{commit[:7]}"
    with portalocker.Lock(folder / f"{root.name}.lock", timeout=60):
        if not root.exists():
            made = subprocess.run(
                ["git", "archive", commit, *_PARTS], cwd=ROOT, capture_output=True, check=False
            )
            if made.returncode:
                missing("the repository's history is not here: git fetch --unshallow")
            root.mkdir()
            subprocess.run(["tar", "-x"], cwd=root, input=made.stdout, check=True)
    return Predecessor(root)


@contextmanager
def installed(
    kind: Kind, predecessor: Predecessor, folder: Path, fill: Callable[[Service], None] | None = None
) -> Iterator[Life]:
    """As the version before made it. `fill` adds clients and claims; None: a client and claims of every kind."""
    url, clock = kind.empty(folder), SimulatedClock(START)
    shown = url.render_as_string(hide_password=False)
    with MailServer() as post, Sandbox(now=clock.now) as sandbox:
        service = Service(folder, sandbox, clock, url=shown)
        environment = service.environment | post.settings
        environment |= {
            "ADMIN_EMAIL": "operator@shop.example",
            "RECOURS_POD_DIR": str(folder / "pods"),
            "RECOURS_LOG_DIR": str(folder / "logs"),
            "RECOURS_LANGUAGE": "en",
        }
        subprocess.run(
            [sys.executable, "-m", "recours", "init-db", "--database-url", shown],
            cwd=predecessor.root,
            env=environment | {"PYTHONPATH": str(predecessor.root)},
            check=True,
            capture_output=True,
        )
        (fill or with_claims_of_every_kind)(service)
        yield Life(service, post, environment)
        service.close()
    kind.drop(url)


def with_claims_of_every_kind(service: Service) -> None:
    """Failed and new claims, at several carriers, of each kind."""
    service.sql(
        "INSERT INTO clients (id, email, full_name, company_name, is_active, notification_preferences)"
        " VALUES (1, 'shop@example.com', 'A', 'B', ?, ?)",
        True,
        '{"language": "en"}',
    )
    for place, carrier in enumerate(CARRIERS):
        for n, (name, story) in enumerate(STORIES.items()):
            for status in ("failed", "pending"):
                number = service.box.example(carrier, "99", 100 * n + place + 10 * (status == "pending"))
                reference = f"{carrier} {status} {name}"
                more = {"client_id": 1, "claim_reference": reference, "failed_at": START}
                service.add(*story, carrier=carrier, number=number, pod_fetch_status=status, **more)


def attempts(service: Service) -> dict[int, tuple[Any, ...]]:
    rows = service.sql("SELECT id, claim_id, turn, outcome, error_kind, calls FROM recours_attempts")
    return {row[0]: row[1:] for row in rows}


def counts(service: Service) -> dict[str, int]:
    rows = service.sql("SELECT claim_reference, coalesce(pod_retry_count, 0) FROM claims")
    return {reference: int(count) for reference, count in rows}


def assert_none_is_lost(
    service: Service, attempts_before: dict[int, tuple[Any, ...]], counts_before: dict[str, int]
) -> None:
    assert attempts(service).items() >= attempts_before.items()
    counts_now = counts(service)
    assert {name: count for name, count in counts_before.items() if counts_now[name] < count} == {}


def assert_nothing_is_done_twice(life: Life) -> None:
    """Each claim is asked about only when its turn comes; nothing is mailed twice, and everything is mailed."""
    service = life.service
    for number, reference in service.sql("SELECT tracking_number, claim_reference FROM claims"):
        hours = sorted(
            {round((call.at - START) / timedelta(hours=1)) for call in service.box.calls_for(number)}
        )
        new = " pending " in reference
        asked = [hour - 1 for hour in hours] if new else hours
        assert asked == list(RETRIES[not new :][: len(asked)]), (reference, hours)

    taken = life.post.taken
    identities = Counter(message["Message-ID"] for _, message in taken)
    assert {name: n for name, n in identities.items() if n > 1} == {}
    told = Counter(
        (recipient, reference, body.get_content().splitlines()[2])  # how it begins after the greeting
        for recipient, message in taken
        for (reference,) in service.sql("SELECT claim_reference FROM claims")
        if (body := message.get_body(("plain",))) and reference in body.get_content()
    )
    assert {one: n for one, n in told.items() if n > 1} == {}
    # The operator gets one mail a day; what came after it waits for the next.
    untold = service.sql("SELECT audience, created_at FROM recours_events WHERE told IS NULL")
    yesterday = f"{service.clock.now() - timedelta(days=1):%Y-%m-%d %H:%M:%S}"
    assert [(audience, at) for audience, at in untold if audience != "operator" or str(at) < yesterday] == []
