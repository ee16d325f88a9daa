"""`recours status`, `why` and `export` after real runs against simulated carriers."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from recours.core.localized import Localized
from recours.runs.worker import PODFetchWorker
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service

ROOT = Path(__file__).resolve().parents[2]
FOREVER = (Scenario.UNKNOWN,) * 40
HOUR = timedelta(hours=1)
PARIS = ZoneInfo("Europe/Paris")
ENGLISH = Localized("en", PARIS)


@pytest.fixture
def clock() -> SimulatedClock:
    """The real time at first, which typed commands use."""
    return SimulatedClock(datetime.now(UTC))


def line_of(shown: str, begin: str) -> list[str]:
    """The cells of the first row with this beginning."""
    row = next(line for line in shown.splitlines() if line.strip().startswith(begin))
    return re.split(r"\s{2,}", row.strip())


def section(shown: str, title: str) -> str:
    """A table by its title; its lines are indented in a pipe."""
    found = re.search(rf"^{re.escape(title)}\n((?:  .*\n)+)", shown, re.MULTILINE)
    assert found, shown
    return found[1]


def earlier(service: Service, **span: int) -> datetime:
    """Move the next runs into the past by this time; return when they take place."""
    service.clock = SimulatedClock(now_minus(**span))
    return service.clock.now()


def now_minus(**span: int) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


# ---------------------------------------------------------------- status


def test_status_shows_runs_rates_and_backlog(service: Service, person: Person) -> None:
    long_ago = now_minus(days=2)
    service.add(Scenario.DELIVERED, failed_at=long_ago)
    service.add(*FOREVER, failed_at=long_ago)
    service.add(*FOREVER, failed_at=now_minus(minutes=5))
    service.add(*FOREVER, failed_at=long_ago, pod_fetch_status="pending", tracking_number=None)
    service.run(PODFetchWorker)
    service.run()
    service.add(*FOREVER, failed_at=long_ago)  # that no run has seen yet
    shown = person.does("status")
    assert "! " not in shown
    assert line_of(shown, "pod_retry_scheduler")[2:] == ["0 s", "1", "1", "fine"]
    backlog = section(shown, "Backlog")
    assert line_of(backlog, "Chronopost")[1:8] == ["0", "2", "0", "0", "0", "1", "0"]
    assert line_of(backlog, "unknown carrier")[1:6] == ["0", "0", "0", "0", "1"]
    of_carrier = ["Chronopost", "1", "0", "100.0%", "1", "0", "50.0%"]
    assert line_of(section(shown, "By carrier"), "Chronopost") == of_carrier
    assert line_of(section(shown, "Errors"), "not_found") == ["not_found", "1"]
    assert shown.splitlines()[-1] == "Emails: 0 waiting, 0 held"

    found = person.json("status", "--days", "2")
    assert [worker["health"] for worker in found["workers"]] == ["fine", "fine"]
    assert found["workers"][1]["runs"][0]["stats"]["success"] == 1
    assert list(found["success"]["by_day"]) == sorted(found["success"]["by_day"])
    assert len(found["success"]["by_day"]) == 2
    counts = {"success": 1, "given_up": 0, "failed": 1, "left": 0}
    assert found["success"]["all"] == counts | {"success_rate": 100.0, "attempt_success_rate": 50.0}
    assert found["success"]["by_turn"]["1"]["success"] == 1
    assert found["success"]["errors"] == {"not_found": 1}
    quotas = {carrier["key"]: carrier["quotas"] for carrier in found["carriers"]}
    assert quotas["chronopost"][0]["used"] == 3
    assert {b["carrier"]: b["waiting"] for b in found["backlogs"]} == {None: 0, "chronopost": 2}


def test_status_check_has_an_exit_status_for_monitoring(service: Service, person: Person) -> None:
    service.add(*FOREVER, failed_at=now_minus(minutes=5))
    service.run(PODFetchWorker)
    service.run()
    healthy = person.types("status", "--check")
    assert (healthy.returncode, healthy.stderr) == (0, "")
    assert healthy.stdout == "All is well: 0 proofs today, 1 claim in progress, nothing blocked.\n"
    person.does("pause", "Chronopost", "--why", "works")
    paused = person.types("status", "--check")
    assert paused.returncode == 1
    verdict, problem, remedy = paused.stdout.splitlines()
    assert verdict == "1 problem needs your attention: Chronopost is paused."
    assert re.fullmatch(
        r"! Chronopost has been paused since \d\d:\d\d \w+ \(by .*: \"works\"\)\. 1 claim blocked\.", problem
    )
    assert remedy == "  → recours resume chronopost"
    as_json = person.types("status", "--check", "--json")
    assert as_json.returncode == 1
    assert set(json.loads(as_json.stdout)) == {"at", "verdict", "problems"}
    assert person.types("status", "--check", "--days", "0").returncode == 2
    person.does("resume", "Chronopost")
    assert person.types("status", "--check").returncode == 0


def test_a_console_without_some_characters_causes_no_failure(service: Service, person: Person) -> None:
    service.add(*FOREVER, failed_at=now_minus(days=2), carrier="Délai dépassé 🛑")
    environment = person.environment | {"PYTHONIOENCODING": "cp1252", "LC_ALL": "C"}
    for arguments in (["status"], ["why", "CLM-0001"]):
        command = [sys.executable, "-m", "recours", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, check=False, timeout=60
        )
        assert (done.returncode, done.stderr) == (0, b"")
    assert "Délai dépassé ?".encode("cp1252") in done.stdout


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("arguments", [["status"], ["export", "claims"]])
def test_a_closed_pipe_is_not_an_error(service: Service, person: Person, arguments: list[str]) -> None:
    for _ in range(3):
        service.add(failed_at=now_minus(days=2))
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "recours", *arguments],
            cwd=ROOT, env=person.environment, stdout=gone, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode in (0, 1, -signal.SIGPIPE)


# ---------------------------------------------------------------- why


def test_why_shows_the_history_of_a_claim(service: Service, person: Person) -> None:
    started = earlier(service, hours=2)
    service.add(
        *FOREVER, failed_at=now_minus(days=2), response_deadline=f"{started + timedelta(days=20):%Y-%m-%d}"
    )
    service.run()
    shown = person.does("why", "CLM-0001")
    next_at = (started + 6 * HOUR).astimezone(PARIS)
    assert shown.startswith("CLM-0001: Chronopost, XY000000001FR, deadline: ")
    assert (
        f"CLM-0001 is waiting for its next attempt on {ENGLISH.minute(next_at)}. Last result: Chronopost does not recognize this tracking number"
        in shown
    )
    assert "Retries used: 1 of 4" in shown
    assert "Who can act: the client" in shown
    assert "Compare the tracking number and the carrier with the client's documents" in shown
    assert "To fetch the proof now: recours retry --claim CLM-0001" in shown
    attempt = line_of(section(shown, "History"), ENGLISH.minute(started))
    assert attempt[1] == "Number unknown to the carrier"
    assert attempt[2].endswith("Retry 1 · Chronopost · XY000000001FR · 1 call, 0 s"), attempt

    found = person.json("why", "CLM-0001")
    assert (found["stage"], found["turns_used"], found["error_kind"]) == ("waiting", 1, "not_found")
    assert found["who_can_act"] == "client"
    assert datetime.fromisoformat(found["next_try"]) == (started + 6 * HOUR)
    assert [(a["turn"], a["outcome"], a["http_status"]) for a in found["attempts"]] == [(1, "failed", 200)]


def test_why_accepts_a_tracking_number_or_an_order_number(service: Service, person: Person) -> None:
    ago = now_minus(days=2)
    service.add(*FOREVER, failed_at=ago, number="XY000000001FR", order_id="1007")
    for number in ("XY000000002FR", "XY000000003FR"):
        service.add(*FOREVER, failed_at=ago, number=number, order_id="1008")
    for typed in ("CLM-0001", "xy 000 000 001 fr", "1007"):
        assert person.json("why", typed)["claim"] == "CLM-0001"
    done = person.types("why", "1008")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2, "Error: Invalid value for CLAIM: several claims match: CLM-0002, CLM-0003.",
    )  # fmt: skip
    for count in range(21):
        service.add(failed_at=ago, number=f"XY1007000{count:02}FR")
    assert (
        person.json("why", "1007")["claim"] == "CLM-0001"
    )  # even among many claims that match the typed text
    assert person.types("why", "100").returncode == 2


# ---------------------------------------------------------------- export


def test_claims_are_exported_for_a_spreadsheet(service: Service, person: Person) -> None:
    service.sql("INSERT INTO clients (id, email) VALUES (7, 'shop@shop.example')")
    service.add(
        Scenario.DELIVERED, failed_at=now_minus(days=2), client_id=7, order_id="O-1", amount_requested=129.9,
        dispute_type="lost",
    )  # fmt: skip
    for text in ("=1+2", "+cmd", "-1", "@SUM(A1)", 'a,b"c\nd', "Délai 🛑"):
        service.add(*FOREVER, failed_at=now_minus(minutes=2), order_id=text)
    service.run()
    target = person.folder / "claims.csv"
    assert person.does("export", "claims", "-o", str(target)) == ""
    raw = target.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfclaim,client,order,customer,carrier,")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert [row["claim"] for row in rows] == [f"CLM-{n:04d}" for n in range(1, 8)]
    assert [row["order"] for row in rows[1:]] == [
        "'=1+2",
        "'+cmd",
        "'-1",
        "'@SUM(A1)",
        'a,b"c\\x0ad',
        "Délai 🛑",
    ]
    proven, *unproven = rows
    assert (proven["client"], proven["order"], proven["amount"], proven["currency"]) == (
        "shop@shop.example", "O-1", "129.90", "EUR",
    )  # fmt: skip
    assert (proven["stage"], proven["attempts"], proven["calls"]) == ("fetched", "1", "2")
    assert proven["verdict"] == "These documents prove delivery in a dispute about a lost parcel."
    assert proven["pod_url"].endswith(".pdf")
    assert proven["signatory"]
    assert proven["delivered_at"]
    assert {row["stage"] for row in unproven} == {"waiting"}
    french = person.does("export", "claims", "--excel-fr", "--columns", "amount,stage, verdict")
    assert french.splitlines()[:2] == [
        "\ufeffamount;stage;verdict",
        "129,90;fetched;Ces documents prouvent la livraison en cas de litige pour colis perdu.",
    ]
    to_stdout = subprocess.run(
        [sys.executable, "-m", "recours", "export", "claims"],
        cwd=ROOT, env=person.environment | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert to_stdout.stdout == raw


def test_claims_are_exported_as_they_are_filtered(service: Service, person: Person) -> None:
    service.sql("INSERT INTO clients (id, email) VALUES (7, 'shop@shop.example')")
    service.add(*FOREVER, failed_at=now_minus(minutes=2))
    service.add(*FOREVER, failed_at=now_minus(days=2), client_id=7)
    service.add(*FOREVER, failed_at=now_minus(minutes=2), carrier="UPS")
    service.run()

    def exported(*arguments: str) -> list[str]:
        return [row["claim"] for row in json.loads(person.does("export", "claims", "--json", *arguments))]

    assert exported("--carrier", "chronopost", "--stage", "waiting") == ["CLM-0001", "CLM-0002"]
    assert exported("--carrier", "UPS", "--carrier", "dhl") == ["CLM-0003"]
    assert exported("--carrier", "Chrono-PÔST") == ["CLM-0001", "CLM-0002"]
    assert exported("--from", "1d") == ["CLM-0001", "CLM-0003"]
    assert exported("--to", f"{now_minus(days=1):%Y-%m-%d}") == ["CLM-0002"]
    assert exported("--client", "7") == ["CLM-0002"]
    assert exported("--stage", "given_up") == []
    assert person.types("export", "claims", "--json", "--carrier", "Pigeon").returncode == 2


def test_an_export_overwrites_no_file(typist: Person) -> None:
    target = typist.folder / "out.csv"
    target.write_text("mine")
    done = typist.types("export", "claims", "-o", str(target))
    assert done.returncode == 2
    assert "already exists." in done.stderr
    assert target.read_text() == "mine"
    gone = typist.types("export", "claims", "-o", str(typist.folder / "nowhere" / "out.csv"))
    assert gone.returncode == 1
    assert "Cannot write" in gone.stderr
    assert [path.name for path in typist.folder.glob("*out.csv*")] == ["out.csv"]


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [["export", "claims"], ["status"], ["--help"]], ids=" ".join)
def test_a_full_disk_is_reported(typist: Person, arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "recours", *arguments],
            cwd=ROOT, env=typist.environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize(("arguments", "status"), [(["status"], 0), (["why", "CLM-1"], 2)])
def test_a_missing_console_causes_no_failure(typist: Person, arguments: list[str], status: int) -> None:
    """For example under pythonw, or in a job with closed streams."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&- 2>&-', "sh", sys.executable, "-m", "recours", *arguments],
        cwd=ROOT, env=typist.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == status, done.stderr


# ---------------------------------------------------------------- bad input


@pytest.mark.sample("more cases of the same test, each around processes", every=4)
@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["status", "--days", "many"], 2, "'many' is not a whole number from 1 to 366."),
        (["status", "--database-url", "sqlite:///missing.db"], 1, "There is no database file"),
        (["why", "CLM-0010"], 2, "There is no claim 'CLM-0010'. Did you mean CLM-0001?"),
        (["why", "\udcff\udcfe"], 2, "There is no claim"),
        (["why", "a\nb"], 2, "There is no claim 'a\\x0ab'."),
        (["export", "claims", "--json", "--excel-fr"], 2, "--json and --excel-fr cannot be combined."),
        (["export", "claims", "--from", "2999-01-01"], 2, "the time must not be in the future."),
        (["export", "claims", "--to", "February"], 2, "'February' is not a date. Example: 2026-02-28."),
        (["export", "claims", "--columns", "claim,prix"], 2, "there is no column 'prix'. Columns: claim, client, order,"),
    ],
    ids=lambda value: " ".join(value)[:60].encode("ascii", "replace").decode() if isinstance(value, list) else None,
)  # fmt: skip
def test_a_mistyped_command_gets_a_clear_error(
    typist: Person, sandbox: Sandbox, clock: SimulatedClock, arguments: list[str], status: int, sentence: str
) -> None:
    service = Service(typist.folder, sandbox, clock, url=typist.url)
    service.add()
    service.close()
    done = typist.types(*arguments)
    assert done.returncode == status, done.stderr
    assert sentence in done.stderr
    assert done.stdout == ""


READERS = [["status"], ["why", "CLM-1"], ["export", "claims"], ["plan"]]


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_a_database_without_claims_is_reported_and_unchanged(
    empty_url: str, tmp_path: Path, arguments: list[str]
) -> None:
    person = Person(tmp_path, empty_url)
    empty = person.types(*arguments)
    assert empty.returncode == 1
    assert "has no table 'claims'" in empty.stderr


@pytest.mark.sample("more cases of the same test, each around processes")
@pytest.mark.parametrize("arguments", READERS, ids=" ".join)
def test_an_outdated_database_is_reported(service: Service, person: Person, arguments: list[str]) -> None:
    service.sql("DROP TABLE recours_schema_version")
    done = person.types(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        "is not up to date. A run of either worker upgrades the schema, and so does 'recours init-db'."
        in done.stderr
    )


# ---------------------------------------------------------------- the last attempt before a deadline


def test_why_and_status_announce_a_last_attempt(service: Service, person: Person) -> None:
    """First it is off and recours gives up on a claim. Then another claim waits for its last attempt."""
    last = earlier(service, hours=1) - 72 * HOUR
    used: dict[str, Any] = {"pod_retry_count": 3, "pod_last_retry_at": f"{last:%Y-%m-%d %H:%M:%S}"}
    used |= {"response_deadline": (last + timedelta(days=15)).date().isoformat(), "failed_at": last}
    service.add(Scenario.IN_TRANSIT, **used)
    service.run()
    service.environment["RECOURS_LAST_ATTEMPT_HOURS"] = "30"
    service.add(Scenario.IN_TRANSIT, **used)
    service.run()
    why = person.does("why", "CLM-0002")
    assert "CLM-0002 is waiting until " in why
    assert " for one last attempt before its deadline." in why
