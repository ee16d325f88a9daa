"""An installation that lived for days on the version before is upgraded in place, and lives on.

Nothing is asked or mailed twice, no attempt is lost. The version before is taken out of the repository's history.
"""

import json
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.carriers.registry import CATALOG
from recours.database.lenient_reader import as_moment
from recours.fleet.jobs import WorkerLane
from recours.fleet.station import Station
from recours.runs.retry import PODRetryScheduler
from recours.runs.worker import Options
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from recours.settings.loading import load
from recours.wiring.databases import open_database
from recours.wiring.workers import make_worker
from tests.acceptance.simulation import Service
from tests.conftest import KINDS, START, Kind
from tests.fakes.smtp import MailServer
from tests.needs import missing

pytestmark = pytest.mark.full(
    "the version before is taken out of the history: tests/contract/test_schema.py has older schemas"
)

ROOT = Path(__file__).resolve().parents[2]
# Versions that installations run, and whether their schema is an older one.
PREDECESSORS = {
    "8a9680a413980cd38c28bdf7fe34a842054c98ea": True,
    "bee2461d8fa8227a58005004697338841d2d3460": True,
    "725d44cd79bcb48af836e177fe9b4e382ffd7706": True,
}
_DRIVER = Path(__file__).with_name("upgrade_driver.py")
_PARTS = ("recours", "migrations", "pyproject.toml")
_DAYS = 3

_S = Scenario
_STORIES: dict[str, tuple[Scenario, ...]] = {
    "delivered at once": (_S.DELIVERED,),
    "delivered on the way": (_S.IN_TRANSIT, _S.IN_TRANSIT, _S.DELIVERED),
    "delivered after the upgrade": (_S.IN_TRANSIT, _S.IN_TRANSIT, _S.IN_TRANSIT, _S.DELIVERED),
    "never delivered": (_S.IN_TRANSIT,),
    "unknown": (_S.UNKNOWN,),
    "not ours": (_S.NOT_OURS,),
    "never a proof": (_S.POD_NEVER,),
    "garbage": (_S.HTML, _S.BROKEN_PDF, _S.DELIVERED),
}
_CARRIERS = ("chronopost", "colissimo", "ups", "fedex")
# When a claim's turns come, in hours after its failure; the fetch worker's attempt stands at its beginning.
_RETRIES = (0, 1, 7, 31, 103)


@dataclass
class Life:
    """An installation whose code may be replaced, and what its runs said."""

    service: Service
    post: MailServer
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def live(self, root: Path, days: int) -> None:
        """Run both workers hourly on the code of this checkout."""
        clock = self.service.clock
        with driver(root, self.environment) as ask:
            for _ in range(24 * days):
                clock.advance(timedelta(hours=1))
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
    has_older_schema: bool

    @property
    def may_go_on(self) -> bool:
        """Tell whether it may work on a database that was upgraded: it knows 0006, the oldest schema that allows that."""
        return self.root.joinpath("migrations/versions/0006_border.py").exists()


@pytest.fixture(scope="session", params=PREDECESSORS, ids=lambda commit: commit[:7])
def predecessor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Predecessor:
    folder = tmp_path_factory.mktemp("predecessor")
    archive = ["git", "archive", request.param, *_PARTS]
    made = subprocess.run(archive, cwd=ROOT, capture_output=True, check=False)
    if made.returncode:
        missing("the repository's history is not here: git fetch --unshallow")
    subprocess.run(["tar", "-x"], cwd=folder, input=made.stdout, check=True)
    return Predecessor(folder, PREDECESSORS[request.param])


@pytest.fixture(params=KINDS)
def life(
    request: pytest.FixtureRequest, kinds: Callable[[str], Kind], predecessor: Predecessor, tmp_path: Path
) -> Iterator[Life]:
    with installed(kinds(request.param), predecessor, tmp_path) as life:
        yield life


@contextmanager
def installed(kind: Kind, predecessor: Predecessor, folder: Path) -> Iterator[Life]:
    """As the version before made it, with a client and claims of every kind."""
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
        fill(service)
        yield Life(service, post, environment)
        service.close()
    kind.drop(url)


def fill(service: Service) -> None:
    """Failed and new claims, at several carriers, of each kind."""
    service.sql(
        "INSERT INTO clients (id, email, full_name, company_name, is_active, notification_preferences)"
        " VALUES (1, 'shop@example.com', 'A', 'B', ?, ?)",
        True,
        '{"language": "en"}',
    )
    for place, carrier in enumerate(_CARRIERS):
        for n, (name, story) in enumerate(_STORIES.items()):
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


def test_an_upgrade_in_place_asks_and_mails_nothing_twice_and_loses_no_attempt(
    life: Life, predecessor: Predecessor
) -> None:
    service = life.service
    life.live(predecessor.root, _DAYS)
    assert set(life.statuses) == {0}, life.said[-20:]
    attempts_before, counts_before = attempts(service), counts(service)
    said_before, mailed_before = len(life.said), len(life.post.taken)
    life.live(ROOT, _DAYS)
    said = life.said[said_before:]
    assert set(life.statuses) == {0}, said[:40]

    assert len(attempts(service)) > len(attempts_before) > len(_CARRIERS) * len(_STORIES)
    assert len(life.post.taken) > mailed_before > 0
    assert_none_is_lost(service, attempts_before, counts_before)
    assert_nothing_is_done_twice(life)

    # What the upgrade changed is said once.
    assert sum("The schema of" in line for line in said) == predecessor.has_older_schema, said[:20]


@pytest.mark.parametrize("life", ["postgresql"], indirect=True)
def test_init_db_partitions_the_attempts_of_the_version_before_which_goes_on(
    life: Life, predecessor: Predecessor
) -> None:
    """The version before goes on only where it knows the schema."""
    service = life.service
    life.live(predecessor.root, 1)
    attempts_before, counts_before = attempts(service), counts(service)
    done = subprocess.run(
        [sys.executable, "-m", "recours", "init-db"],
        cwd=ROOT,
        env=life.environment | {"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert "recours_attempts is kept by month now" in done.stdout
    assert attempts(service) == attempts_before
    if predecessor.may_go_on:
        life.live(predecessor.root, 1)
        assert len(attempts(service)) > len(attempts_before)
    life.live(ROOT, 1)
    assert set(life.statuses) == {0}, life.said[-20:]
    assert len(attempts(service)) > len(attempts_before)
    assert_none_is_lost(service, attempts_before, counts_before)
    assert_nothing_is_done_twice(life)


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
        assert asked == list(_RETRIES[not new :][: len(asked)]), (reference, hours)

    taken = life.post.taken
    identities = Counter(message["Message-ID"] for _, message in taken)
    assert {name: n for name, n in identities.items() if n > 1} == {}
    told = Counter(
        (recipient, reference, message["Subject"].split(":")[0])
        for recipient, message in taken
        for (reference,) in service.sql("SELECT claim_reference FROM claims")
        if (body := message.get_body(("plain",))) and reference in body.get_content()
    )
    assert {one: n for one, n in told.items() if n > 1} == {}
    assert service.sql("SELECT count(*) FROM recours_events WHERE told IS NULL") == [(0,)]


# ---------------------------------------------------------------- to long-lived workers


def test_after_an_upgrade_long_lived_workers_go_on_as_cron_would(
    kinds: Callable[[str], Kind], predecessor: Predecessor, tmp_path: Path
) -> None:
    """Two of them, and an entry of cron that was left: the rows are those that cron alone leaves."""
    with ExitStack() as lives:
        by_cron, by_fleet = (
            lives.enter_context(installed(kinds("postgresql"), predecessor, _made(tmp_path / name)))
            for name in ("cron", "fleet")
        )
        for life in (by_cron, by_fleet):
            life.live(predecessor.root, _DAYS)
        attempts_before, counts_before = attempts(by_fleet.service), counts(by_fleet.service)
        by_cron.live(ROOT, _DAYS)
        subprocess.run(
            [sys.executable, "-m", "recours", "init-db", "--fleet"],
            cwd=tmp_path,
            env=by_fleet.environment | {"PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        )
        done = live_with_a_fleet(by_fleet, _DAYS)
        assert all(done.values()), "one of them did nothing"
        assert len(attempts(by_fleet.service)) > len(attempts_before)
        assert_none_is_lost(by_fleet.service, attempts_before, counts_before)
        assert_nothing_is_done_twice(by_fleet)
        of_fleet, of_cron = left(by_fleet.service), left(by_cron.service)
        for rows in of_fleet:
            differ = sorted(map(str, set(of_fleet[rows]) ^ set(of_cron[rows])))
            assert not differ, "\n".join([rows, *differ])
        assert of_fleet == of_cron


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def live_with_a_fleet(life: Life, days: int) -> dict[str, int]:
    """Two stations and an entry of cron, by turns the first of an hour; how much each did."""
    clock, waiting = life.service.clock, deque[WorkerLane]()
    settings = load(life.service.folder, life.environment, CATALOG)
    stations = [Station(settings, open_database(settings), clock=clock) for _ in range(2)]
    by_cron = 0

    def wake(lane: WorkerLane) -> None:
        if lane not in waiting:
            waiting.append(lane)

    def cron() -> int:
        opened = open_database(settings)
        with closing(opened.database):
            worker = make_worker(PODRetryScheduler, settings, opened, Options(batch_size=4), clock=clock)
            return worker.run().stats.total

    for hour in range(24 * days):
        clock.advance(timedelta(hours=1))
        by_cron += cron() if hour % 2 else 0
        stations[hour % 3 % 2].tick(wake)
        turn = hour
        while waiting:
            turn += 1
            stations[turn % 2].slice(waiting.popleft(), wake)
        by_cron += 0 if hour % 2 else cron()
        for station in stations:
            station.sweep()
            station.keep_record()
    done = {f"station {n}": station.facts().get("slice", 0) for n, station in enumerate(stations)}
    for station in stations:
        assert station.fault is None
        station.close()
    return done | {"cron": by_cron}


def left(service: Service) -> dict[str, list[tuple[Any, ...]]]:
    """What does not say which worker it was, how long it took, or for which claim a shared call is counted."""
    return {
        name: service.sql(query)
        for name, query in {
            "claims": "SELECT claim_reference, pod_fetch_status, pod_retry_count, pod_stage, pod_next_retry_at, pod_error_kind,"
            " pod_error_key, pod_delivery_person FROM claims ORDER BY id",
            "attempts": "SELECT claim_id, turn, outcome, error_kind, used, started_at FROM recours_attempts"
            " ORDER BY claim_id, started_at",
            "events": "SELECT claim_id, event, audience, carrier, tracking_number, told FROM recours_events"
            " WHERE claim_id IS NOT NULL ORDER BY claim_id, event",
            "held": "SELECT held FROM recours_quota_shares WHERE held > 0",
        }.items()
    }


def test_the_upgrade_changes_nothing_until_last_attempts_are_turned_on(
    life: Life, predecessor: Predecessor
) -> None:
    """Claims with a deadline; some fail before the upgrade, some after it."""
    service, hour = life.service, timedelta(hours=1)
    deadline = (START + timedelta(days=8)).date()
    service.sql("UPDATE claims SET response_deadline = ?", deadline.isoformat())
    life.live(predecessor.root, 2)
    late = service.clock.now()
    for _ in range(3):
        service.add(_S.IN_TRANSIT, failed_at=late, response_deadline=deadline.isoformat())
    life.live(ROOT, 3)
    assert service.sql("SELECT count(*) FROM claims WHERE pod_last_attempt_at IS NOT NULL") == [(0,)]
    life.environment["RECOURS_LAST_ATTEMPT_HOURS"] = "30"
    life.live(ROOT, 4)
    assert set(life.statuses) == {0}, life.said[-20:]

    end = datetime.combine(deadline + timedelta(days=1), time(), ZoneInfo("Europe/Paris"))
    last = 0
    for number, reference, failed_at in service.sql(
        "SELECT tracking_number, claim_reference, created_at FROM claims ORDER BY id"
    ):
        began = as_moment(failed_at)
        assert began is not None
        calls = sorted({call.at for call in service.box.calls_for(number)})
        made = [at for at in calls if abs(at - (end - 30 * hour)) < hour / 2]
        hours = sorted({round((at - began) / hour) for at in calls if at not in made})
        new = " pending " in reference
        asked = [at - 1 for at in hours] if new else hours
        assert asked == list(_RETRIES[not new :][: len(asked)]), (reference, hours)
        assert not made or reference.startswith("CLM-"), "given up before it was turned on"
        last += bool(made)
    assert last == 3
    told = [line for line in life.said if "and a last attempt" in line]
    assert len(told) == 3


def test_the_version_before_works_on_beside_and_knows_no_last_attempt(
    life: Life, predecessor: Predecessor
) -> None:
    service = life.service
    if not predecessor.may_go_on:
        # The other predecessors are tested: this one was never meant to work beside.
        pytest.skip("a version with an older schema refuses this one")
    deadline = (START + timedelta(days=9)).date().isoformat()
    service.sql("DELETE FROM claims")
    failed_at = START - timedelta(hours=72)
    used: dict[str, Any] = {"pod_retry_count": 3, "pod_last_retry_at": f"{failed_at:%Y-%m-%d %H:%M:%S}"}
    service.add(_S.IN_TRANSIT, failed_at=failed_at, response_deadline=deadline, **used)
    life.environment["RECOURS_LAST_ATTEMPT_HOURS"] = "30"
    life.live(ROOT, 1)
    waits = "SELECT pod_stage, pod_retry_count FROM claims WHERE pod_last_attempt_at = pod_next_retry_at"
    assert service.sql(waits) == [("waiting", 4)]
    life.live(predecessor.root, 4)  # to it, such a claim waits for a retry that there is not
    assert service.sql("SELECT pod_stage, pod_retry_count FROM claims") == [("given_up", 4)]
    life.live(ROOT, 5)
    assert set(life.statuses) == {0}, life.said[-20:]
    [(number, stage)] = service.sql("SELECT tracking_number, pod_stage FROM claims")
    assert stage == "given_up"
    assert len({call.at for call in service.box.calls_for(number)}) == 1
    assert sum("FINAL FAILURE" in line for line in life.said) == 1
