"""The chain of custody, as runs write it and `recours verify` reads it: whatever is touched afterwards is named."""

import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from recours.database.engine import Database
from recours.database.schema.inspection import look
from recours.sandbox import Scenario
from recours.wiring.mail import MailService
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.unit.manual.pages import text_of

RECORDS = "SELECT sequence, entry, previous, hash FROM recours_custody ORDER BY sequence"


@pytest.fixture
def stored(service: Service) -> Service:
    """Five claims with their documents."""
    for _ in range(5):
        service.add(Scenario.DELIVERED)
    assert service.run(concurrency=1).stats.success == 5
    return service


@pytest.fixture
def person(stored: Service, url: str) -> Person:
    return Person.of(stored, url)


def entries(service: Service) -> list[dict[str, Any]]:
    return [json.loads(entry) for _, entry, *_ in service.sql(RECORDS)]


def named(person: Person, *claims: str) -> list[tuple[str, int | None, str | None]]:
    """What is wrong: its kind, its first record, the claim."""
    done = person.types("verify", *claims, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == bool(found["breaches"]) == bool(found["first_breaches"])
    return [(one["kind"], one["first_record"], one["claim"]) for one in found["first_breaches"]]


def pods(service: Service) -> list[Path]:
    return [Path(path) for (path,) in service.sql("SELECT document_path FROM recours_attempts ORDER BY id")]


def test_a_record_says_what_came_when_and_by_which_call(stored: Service) -> None:
    found = entries(stored)
    assert [one["sequence"] for one in found] == [1, 2, 3, 4, 5]
    rows = stored.sql(
        "SELECT document_sha256, document_size, run_id, tracking_number FROM recours_attempts ORDER BY id"
    )
    assert [(one["sha256"], one["size"], one["run_id"], one["number"]) for one in found] == rows
    first = found[0]
    assert (first["what"], first["by"], first["reference"], first["carrier"], first["source"]) == (
        "stored", "pod_retry_scheduler", "CLM-0001", "chronopost", "chronopost searchPOD",
    )  # fmt: skip
    assert first["at"] >= first["called_at"]


def test_an_attempt_without_a_document_adds_nothing(service: Service) -> None:
    service.add(Scenario.UNKNOWN)
    service.run()
    assert entries(service) == []
    assert service.sql("SELECT sequence, hash FROM recours_custody_head") == [(0, "0" * 64)]


def test_all_is_well(stored: Service, person: Person) -> None:
    shown = person.does("verify")
    (last,) = stored.sql("SELECT hash FROM recours_custody WHERE sequence = 5")[0]
    assert f"The last record is 5, its hash {last}" in shown
    assert "Records: 5. Files: 5 files read, 0 erased by prune." in shown
    assert "Nothing was changed, deleted, inserted or reordered." in shown
    assert person.json("verify", "CLM-0002")["files"] == 1


def test_the_script_of_the_manual_verifies_the_chain_too(stored: Service) -> None:
    (script,) = re.findall(r"```python\n(import csv.*?)```", text_of("docs/evidence.md"), re.DOTALL)

    def verified() -> tuple[int, str]:
        table = io.StringIO()
        csv.writer(table).writerows(stored.sql(RECORDS))
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=table.getvalue(),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    (last,) = stored.sql("SELECT hash FROM recours_custody WHERE sequence = 5")[0]
    assert verified() == (0, f"5 records; the last hash is {last}\n")
    stored.sql("UPDATE recours_custody SET entry = replace(entry, 'CLM-0003', 'CLM-0007') WHERE sequence = 3")
    assert verified() == (1, "Record 3 is not as it was written.\n")


# What is done to the database, and what is named.
TOUCHED: dict[str, tuple[str, list[tuple[str, int | None, str | None]]]] = {
    "a record changed": (
        "UPDATE recours_custody SET entry = replace(entry, 'CLM-0003', 'CLM-0001') WHERE sequence = 3",
        [("record_changed", 3, "CLM-0001")],
    ),
    "a record deleted": (
        "DELETE FROM recours_custody WHERE sequence = 2",
        [("records_missing", 2, None), ("file_without_record", None, "CLM-0002")],
    ),
    "the last record deleted": (
        "DELETE FROM recours_custody WHERE sequence = 5",
        [("end_missing", 5, None), ("file_without_record", None, "CLM-0005")],
    ),
    "the head deleted": ("DELETE FROM recours_custody_head", [("head_missing", 5, None)]),
    "the head changed": ("UPDATE recours_custody_head SET hash = 'x'", [("end_differs", 5, None)]),
    "a piece's kind changed": (
        "UPDATE recours_evidence SET kind = 'photo' WHERE claim_id = 4",
        [("row_differs", 4, "CLM-0004")],
    ),
    "a piece deleted": ("DELETE FROM recours_evidence WHERE claim_id = 4", [("row_missing", 4, "CLM-0004")]),
    "a piece called refused": (
        "UPDATE recours_evidence SET refused = 'x' WHERE claim_id = 4",
        [("row_differs", 4, "CLM-0004")],
    ),
    "a row's size changed": (
        "UPDATE recours_attempts SET document_size = 7 WHERE claim_id = 4",
        [("row_differs", 4, "CLM-0004")],
    ),
    "a row's time changed": (
        "UPDATE recours_attempts SET started_at = '2020-01-01 00:00:00' WHERE claim_id = 4",
        [("row_differs", 4, "CLM-0004")],
    ),
    "a row's source changed": (
        "UPDATE recours_attempts SET document_source = 'by hand' WHERE claim_id = 4",
        [("row_differs", 4, "CLM-0004")],
    ),
}


@pytest.mark.parametrize("what", TOUCHED)
def test_whatever_is_done_to_the_database_is_named(stored: Service, person: Person, what: str) -> None:
    statement, expected = TOUCHED[what]
    stored.sql(statement)
    assert named(person) == expected


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def make_pipe(path: Path) -> None:
    """Who opens it to read waits for one who writes."""
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        (flip, "file_changed"),
        (Path.unlink, "file_missing"),
        (lambda path: path.write_bytes(path.read_bytes() + b"\n"), "file_changed"),
        (make_pipe, "file_unreadable"),
    ],
)
def test_whatever_is_done_to_a_file_is_named(
    stored: Service, person: Person, do: Callable[[Path], object], expected: str
) -> None:
    do(pods(stored)[2])
    assert named(person) == [(expected, 3, "CLM-0003")]
    assert named(person, "CLM-0003") == [(expected, 3, "CLM-0003")]
    assert named(person, "CLM-0001") == []
    assert str(pods(stored)[2]) in person.types("verify").stdout


def test_a_file_that_was_replaced_with_its_row_is_named(stored: Service, person: Person) -> None:
    path = pods(stored)[2]
    path.write_bytes(b"%PDF-1.4 another one")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    stored.sql(
        "UPDATE recours_attempts SET document_sha256 = ?, document_size = 20 WHERE claim_id = 3", digest
    )
    stored.sql("UPDATE recours_evidence SET sha256 = ?, size = 20 WHERE claim_id = 3", digest)
    assert named(person) == [("file_without_record", None, "CLM-0003"), ("row_missing", 3, "CLM-0003")]


def test_rows_that_were_deleted_are_named(stored: Service, person: Person) -> None:
    stored.sql("DELETE FROM recours_attempts WHERE claim_id = 4")
    stored.sql("DELETE FROM recours_evidence WHERE claim_id = 4")
    assert named(person) == [("row_missing", 4, "CLM-0004")]


def test_erased_files_are_not_missed_and_the_chain_says_who_erased_them(
    stored: Service, person: Person
) -> None:
    stored.clock.advance(timedelta(days=100))
    stored.add(Scenario.DELIVERED)
    stored.run()
    day = (stored.clock.now() - timedelta(days=1)).isoformat()
    assert "5" in person.does("prune", "--older-than", day, "--yes")
    assert named(person) == []
    found = person.json("verify")
    assert (found["records"], found["files"], found["erased"]) == (11, 1, 5)
    last = entries(stored)[-1]
    assert (last["what"], last["reference"], last["sha256"]) == (
        "erased",
        "CLM-0005",
        entries(stored)[4]["sha256"],
    )
    assert last["by"] not in ("", "recours prune")


def test_without_its_head_nothing_is_recorded_and_the_reason_is_said(stored: Service, person: Person) -> None:
    """The next run with the row put back records what was stored meanwhile."""
    stored.sql("DELETE FROM recours_custody_head")
    stored.add(Scenario.DELIVERED)
    report = stored.run()
    assert report.exit_status == 1
    assert "recours_custody_head has no row" in str(report.fault)
    (put_back,) = re.findall(r"```sql\n(.*?);\n```", text_of("docs/evidence.md"), re.DOTALL)
    stored.sql(put_back)
    stored.clock.advance(timedelta(hours=2))
    assert stored.run().stats.success == 1
    assert named(person) == []


def test_an_end_beyond_all_numbers_is_said_and_ends_no_run(stored: Service, person: Person) -> None:
    stored.sql("UPDATE recours_custody_head SET sequence = 9223372036854775807")
    stored.add(Scenario.DELIVERED)
    assert stored.run().exit_status
    assert named(person) == [("end_missing", 6, None)]


def test_a_claim_that_is_none_is_an_error_of_usage(person: Person) -> None:
    done = person.types("verify", "CLM-9999")
    assert done.returncode == 2
    assert "CLM-9999" in done.stderr


def test_check_compares_the_last_record_with_the_end(stored: Service, person: Person) -> None:
    def result() -> tuple[str, str]:
        found = json.loads(person.types("check", "--offline", "--json").stdout)["findings"]
        (one,) = [each for each in found if each["name"] == "chain of custody"]
        return one["state"], one["words"]

    assert result() == ("ok", "5 records; recours verify reads them all")
    stored.sql("DELETE FROM recours_custody WHERE sequence = 5")
    assert result() == ("fault", "its end should be record 5, and the last one there is 4")
    stored.sql("DELETE FROM recours_custody_head")
    assert result() == ("fault", "its end is not on record, and the last one there is 4")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_weekly_report_has_the_last_hash(stored: Service, url: str, language: str) -> None:
    (last,) = stored.sql("SELECT hash FROM recours_custody WHERE sequence = 5")[0]
    with closing(Database(make_url(url))) as database:
        mails = MailService(stored.settings, database, look(database), stored.clock, "a test")
        mail = mails.rendered(mails.report(date(2026, 1, 26)), language)
    assert last in mail.plain
    assert last in mail.html


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_backup_has_the_chain_and_what_is_restored_is_verified(
    stored: Service, person: Person, tmp_path: Path
) -> None:
    person.does("backup", str(tmp_path / "backups"))
    (made,) = (tmp_path / "backups").iterdir()
    first, *others = pods(stored)
    flip(first)
    for path in others:
        path.unlink()
    stored.sql("DELETE FROM recours_custody WHERE sequence > 2")
    assert len(named(person)) > 5
    person.does("restore", str(made))
    assert named(person) == [("file_changed", 1, "CLM-0001")]  # nothing that is there is overwritten
    first.unlink()
    person.does("restore", str(made))
    assert named(person) == []
    assert person.json("verify")["records"] == 5


def test_several_breaches_are_counted_in_plain_english(stored: Service, person: Person) -> None:
    stored.sql("DELETE FROM recours_custody WHERE sequence = 3")
    stored.sql("DELETE FROM recours_custody_head")
    said = person.types("verify").stdout
    assert "3 breaches found." in said
    assert "The table recours_custody_head has no row" in said
