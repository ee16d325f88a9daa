"""What people do beside the version that does not record it: a person works with either on one database."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from recours.database.engine import Database
from recours.database.schema.inspection import look
from recours.wiring.actions import correct_claim
from recours.wiring.operations import operations_over
from tests.acceptance.test_changes import changes
from tests.acceptance.versions_before import FROM_HISTORY, LAST, ROOT, Life, Predecessor

pytestmark = [
    FROM_HISTORY,
    pytest.mark.parametrize("predecessor", [LAST], indirect=True, ids=lambda commit: commit[:7]),
]


def does(life: Life, root: Path, *words: str) -> str:
    """What the command of this checkout says."""
    environment = life.environment | {"PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "recours", *words]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def recorded(life: Life) -> list[tuple[str, str]]:
    return [tuple(row) for row in life.service.sql("SELECT what, subject FROM recours_actions ORDER BY id")]


def test_a_pause_of_either_version_holds_for_both(life: Life, predecessor: Predecessor) -> None:
    before = predecessor.root
    life.live(before, 1, only={1})
    does(life, before, "pause", "UPS", "--why", "strike")
    life.live(ROOT, 1, only={25})
    assert recorded(life) == []
    assert "strike" in does(life, ROOT, "carriers")
    does(life, ROOT, "resume", "UPS")
    does(life, ROOT, "pause", "FedEx", "--why", "works")
    asked = len(life.service.box.calls)
    life.live(before, 1, only={49})
    assert {call.carrier for call in life.service.box.calls[asked:]} >= {"ups"}
    assert "fedex" not in {call.carrier for call in life.service.box.calls[asked:]}
    does(life, before, "resume", "FedEx")
    assert recorded(life) == [("resumed", "ups"), ("paused", "fedex")]
    assert set(life.statuses) == {0}, life.said[-20:]


def test_a_correction_is_no_edit_for_the_version_before(life: Life, predecessor: Predecessor) -> None:
    service, before = life.service, predecessor.root
    life.live(before, 1, only={1})
    life.live(ROOT, 1, only={25})
    ((claim, reference),) = service.sql(
        "SELECT id, claim_reference FROM claims WHERE claim_reference = 'chronopost failed unknown'"
    )
    with closing(Database(service.settings.database_url)) as database:
        operations = operations_over(service.settings, database, look(database), service.clock)
        correct_claim(operations, reference, "XY000000099FR", None, "anna")
    life.live(before, 1, only={49})
    assert set(life.statuses) == {0}, life.said[-20:]
    assert [(of, what) for of, what, *_ in changes(service)] == [(claim, "corrected")]
    assert service.box.calls_for("XY000000099FR")
    assert json.loads(does(life, before, "why", reference, "--json"))["changes"][0]["what"] == "corrected"
