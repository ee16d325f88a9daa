"""The previous state of this system lives three days, is upgraded in place, and lives three more as if nothing had been."""

import json
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BEFORE = "8a9680a"  # what was released last: later, each issue's predecessor

# Run with the code of either version, of which it takes the simulation too. The clock goes on where the other one left it.
_LIFE = """
import json, sys
from datetime import timedelta
from pathlib import Path
from recours.sandbox import Parcel, Sandbox, Scenario as S, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, Service
from tests.fakes.smtp import MailServer

folder, start, hours = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
clock = SimulatedClock(FAILED_AT + timedelta(minutes=1, hours=start))
ways = [S.SYSTEM_ERROR, S.NOT_OURS, S.DELIVERED, S.IN_TRANSIT]
with MailServer() as smtp, Sandbox(now=clock.now) as box:
    settings = smtp.settings | {"ADMIN_EMAIL": "boss@shop.example", "RECOURS_WEEKLY_REPORT": "false"}
    settings["RECOURS_POD_DIR"] = str(folder / "pods")
    service = Service(folder, box, clock, **settings)
    if start == 0:
        service.sql("INSERT INTO clients (id, email) VALUES (1, 'a@shop.example')")
        for way in ways:
            service.add(way, client_id=1)
        service.add(S.DELIVERED, client_id=1, pod_fetch_status="pending")
    else:
        for n, way in enumerate([*ways, S.DELIVERED], 1):
            box.parcels[f"XY{n:09d}FR"] = Parcel((way,))
    reports = service.run_hourly(hours, both=True)
    if start:
        box.parcels["XY000000004FR"] = Parcel((S.DELIVERED,))
        reports += service.run_hourly(40, both=True)
    found = {
        "faults": [report.fault for report in reports if report.exit_status],
        "remarks": list(service._opened.remarks),
        "mails": [[to, str(message["Subject"])] for to, message in smtp.taken],
        "hours": {n: service.hours_of_calls(n) for n in range(1, 6)},
        "attempts": service.sql("SELECT id, claim_id, turn, outcome, used FROM recours_attempts ORDER BY id"),
        "events": service.sql("SELECT id, event, claim_id, told FROM recours_events ORDER BY id"),
        "claims": service.sql("SELECT pod_fetch_status, pod_stage, pod_retry_count FROM claims ORDER BY id"),
    }
    service.close()
print("FOUND " + json.dumps(found))
"""


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The previous state's files."""
    archive = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"the history of this checkout does not reach {BEFORE} (a shallow clone?)")
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def live(code: Path, folder: Path, start: int, hours: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _LIFE, str(folder), str(start), str(hours)],
        cwd=code,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("FOUND "))
    found: dict[str, Any] = json.loads(line.removeprefix("FOUND "))
    return found


def test_nothing_is_asked_or_mailed_twice_and_no_attempt_is_lost(previous: Path, tmp_path: Path) -> None:
    before = live(previous, tmp_path, 0, 72)
    after = live(ROOT, tmp_path, 72, 72)
    assert before["faults"] == after["faults"] == []
    assert any("is now 0006" in remark for remark in after["remarks"])
    # What was on record is still, and stands before what came after.
    assert after["attempts"][: len(before["attempts"])] == before["attempts"]
    assert [row[0] for row in after["events"][: len(before["events"])]] == [
        row[0] for row in before["events"]
    ]
    # Each claim is asked for on the one timetable: no retry is repeated, none is left out.
    hours = {n: before["hours"][n] + after["hours"][n] for n in before["hours"]}
    assert hours["1"] == [1, 7, 31, 103]
    assert hours["2"] == [1]
    assert (len(before["hours"]["3"]), after["hours"]["3"]) == (1, [])
    assert (len(before["hours"]["5"]), after["hours"]["5"]) == (1, [])
    assert hours["4"] == [1, 7, 31, 103]
    assert [claim[:2] for claim in after["claims"]] == [
        ["failed", "given_up"],
        ["failed", "given_up"],
        ["success", None],
        ["failed", "given_up"],
        ["success", None],
    ]
    to_client = [subject for to, subject in before["mails"] + after["mails"] if to == "a@shop.example"]
    assert len(to_client) == len(set(to_client)) == 2  # a proof that came, a parcel that is not ours
    told = [(event, claim) for _, event, claim, _ in after["events"]]
    assert len(told) == len(set(told))
