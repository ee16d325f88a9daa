"""`recours prune` deletes expired data, files first, during runs; the next prune completes one that was killed."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, make_url

from recours.database.engine import Database
from recours.database.pruning import OldData, OldFile, prune
from recours.evidence.store import erase
from recours.runs.worker import PODFetchWorker
from recours.sandbox import Scenario
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service

FOREVER = (Scenario.UNKNOWN,) * 40
BETWEEN = datetime(2026, 3, 1, tzinfo=UTC)  # the old claims end in February, the new ones in March
OLDER = ("--older-than", "2026-03-01T00:00+00:00")
STATE = "claim_reference, pod_fetch_status, stage, pod_retry_count, pod_fetched_at"
PERSONAL = "pod_url, pod_delivery_person, pod_signature_url, known_delivery"


def run_retries(service: Service) -> None:
    for hours in (1, 6, 24, 72):
        service.clock.advance(timedelta(hours=hours))
        service.run()


@pytest.fixture
def years(service: Service) -> Service:
    """1 has its POD since February, 2 was given up then, 3 has its POD since March, 4 is leased, 5 waits since then."""
    service.sql("INSERT INTO clients (id, email) VALUES (1, 'shop@shop.example')")
    service.add(Scenario.DELIVERED, client_id=1)
    service.add(*(Scenario.POD_LATE,) * 40, client_id=1)
    service.count = 3
    service.add(Scenario.DELIVERED, client_id=1)
    run_retries(service)
    service.count = 4
    service.add(*FOREVER, client_id=1, failed_at=service.clock.now())
    service.clock.advance(timedelta(hours=1))
    service.run()
    service.sql(
        "UPDATE claims SET pod_signature_url = 'https://shop.example/sig.png' WHERE claim_reference = 'CLM-0001'"
    )
    until = f"{datetime.now(UTC) + timedelta(minutes=9):%Y-%m-%d %H:%M:%S}.000000"
    service.sql(
        "UPDATE recours_claims SET lease_token = 'x', lease_until = ?"
        " WHERE claim_id = (SELECT id FROM claims WHERE claim_reference = 'CLM-0004')",
        until,
    )
    service.clock.advance(timedelta(days=40))
    service.count = 2
    service.add(Scenario.DELIVERED, client_id=1, pod_fetch_status="pending")
    service.run(PODFetchWorker)
    return service


def of(service: Service, columns: str, number: int) -> tuple[Any, ...]:
    query = (
        f"SELECT {columns} FROM claims LEFT JOIN recours_claims ON claim_id = id WHERE claim_reference = ?"
    )
    return service.sql(query, f"CLM-000{number}")[0]


def attempts_of(service: Service) -> dict[str, int]:
    query = (
        "SELECT claim_reference, count(a.id) FROM claims LEFT JOIN recours_attempts a ON a.claim_id = claims.id"
        " GROUP BY claim_reference"
    )
    return {str(reference): int(count) for reference, count in service.sql(query)}


def documents_of(service: Service) -> list[Path]:
    found = service.sql(
        "SELECT document_path FROM recours_attempts WHERE document_path IS NOT NULL ORDER BY claim_id, id"
    )
    return [Path(path) for (path,) in found]


def files(service: Service) -> set[Path]:
    return {path for path in (service.folder / "data" / "pods" / "chronopost").rglob("*") if path.is_file()}


def everything(service: Service) -> list[list[tuple[Any, ...]]]:
    tables = ("claims", "recours_attempts", "recours_events", "recours_mails")
    return [service.sql(f"SELECT * FROM {table} ORDER BY id") for table in tables]


# ---------------------------------------------------------------- what goes, and what stays


def test_expired_changes_are_deleted_in_portions(service: Service, person: Person) -> None:
    insert = "INSERT INTO recours_changes (claim_id, at, what, by, details) VALUES (?, ?, 'edited', 'service', '{}')"
    for n in range(450):
        service.sql(insert, n, "2026-02-20 09:00:00" if n % 10 else "2026-03-02 09:00:00")
    assert "450" not in person.does("prune", *OLDER, "--dry-run")
    assert "405 changes to claims" in person.does("prune", *OLDER, "--dry-run")
    done = person.json("prune", *OLDER, "--yes")
    assert (done["found"]["changes"], done["deleted"]["changes"]) == (405, 405)
    assert service.sql("SELECT count(*), min(at) >= '2026-03-01' FROM recours_changes") == [(45, True)]
    assert "Nothing is older" in person.does("prune", *OLDER, "--yes")


def test_only_expired_data_is_deleted(years: Service, person: Person) -> None:
    before = {number: of(years, f"{STATE}, {PERSONAL}", number) for number in (3, 4, 5)}
    old, new, held = documents_of(years)[0], of(years, "pod_url", 3)[0], of(years, "pod_url", 4)[0]
    known = [of(years, STATE, number) for number in (1, 2)]
    assert of(years, "known_delivery", 2) != (None,)
    counts = attempts_of(years)
    shown = person.does("prune", *OLDER, "--dry-run")
    assert "To be deleted, older than " in shown
    assert "5 attempts, 1 document (" in shown
    notes = years.folder / "data" / "pods" / ".parts"
    assert list(notes.iterdir()) == []
    # The state after a run that was killed when it had recorded the document.
    (notes / f"{old.name.rpartition('_')[0]}.jsonl").write_text(hashlib.sha256(old.read_bytes()).hexdigest())
    done = person.json("prune", *OLDER, "--yes")
    assert done["found"] == done["deleted"]
    assert {key: done["deleted"][key] for key in ("attempts", "documents", "deliveries")} == {
        "attempts": 5, "documents": 1, "deliveries": 1,
    }  # fmt: skip
    assert not old.exists()
    assert list(notes.iterdir()) == []
    assert {Path(new), Path(held)} == files(years)
    assert of(years, PERSONAL, 1) == (None,) * 4
    assert of(years, "known_delivery", 2) == (None,)
    assert [of(years, STATE, number) for number in (1, 2)] == known  # they are unchanged
    assert {number: of(years, f"{STATE}, {PERSONAL}", number) for number in (3, 4, 5)} == before
    assert attempts_of(years) == counts | {"CLM-0001": 0, "CLM-0002": 0}
    assert years.sql("SELECT count(*) FROM recours_claims WHERE lease_token IS NOT NULL") == [(1,)]
    assert person.json("prune", *OLDER, "--yes")["deleted"]["attempts"] == 0


def test_evidence_without_an_attempt_is_deleted_too(service: Service, person: Person) -> None:
    """UPS: a refused page, a signature and a photo. Mondial Relay: a tracking record of a claim that is given up."""
    service.add(Scenario.PARTLY_HOLLOW, carrier="UPS")
    service.add(Scenario.HOLLOW_POD, carrier="Mondial Relay")
    run_retries(service)
    query = "SELECT kind, path, refused IS NOT NULL FROM recours_evidence ORDER BY kind"
    rows = service.sql(query)
    assert [(kind, bool(refused)) for kind, _, refused in rows] == [
        ("letter", True),
        ("photo", False),
        ("record", False),
        ("signature", False),
    ]
    assert all(Path(path).exists() for _, path, _ in rows)
    service.clock.advance(timedelta(days=40))
    assert "3 files of further evidence" in person.does("prune", *OLDER, "--dry-run")
    done = person.json("prune", *OLDER, "--yes")
    assert (done["found"]["evidence"], done["deleted"]["evidence"], done["deleted"]["documents"]) == (3, 3, 4)
    assert service.sql(query) == []
    assert not [path for _, path, _ in rows if Path(path).exists()]
    assert "Nothing is older" in person.does("prune", *OLDER, "--yes")


def test_why_mentions_that_old_attempts_may_have_been_deleted(years: Service, person: Person) -> None:
    assert "History\n" in person.does("why", "CLM-0001")
    person.does("prune", *OLDER, "--yes")
    said = person.does("why", "CLM-0001").splitlines()
    assert "No attempts recorded ('recours prune' deletes old ones)." in said


def test_reported_events_lose_their_facts_and_are_not_reported_again(
    service: Service, person: Person
) -> None:
    service.sql("INSERT INTO clients (id, email) VALUES (1, 'shop@shop.example')")
    service.add(Scenario.DELIVERED, client_id=1)
    service.add(*FOREVER, client_id=1)
    run_retries(service)
    kinds = "SELECT kind FROM recours_mails ORDER BY id"
    assert service.sql(kinds) == [("pod_retrieved",), ("pod_failed",)]
    service.sql("UPDATE recours_mails SET state = 'sent', ended_at = created_at WHERE kind = 'pod_retrieved'")
    done = person.json("prune", *OLDER, "--yes")["deleted"]
    assert done["mails"] == 1
    texts = service.sql("SELECT kind, plain <> '', html <> '' FROM recours_mails ORDER BY id")
    assert [tuple(map(bool, row[1:])) for row in texts] == [
        (False, False),
        (True, True),
    ]  # one remains to be deleted
    facts = service.sql("SELECT event, facts FROM recours_events ORDER BY id")
    emptied = {event: content in ("{}", {}) for event, content in facts}
    assert (emptied["pod_retrieved"], emptied["pod_failed"]) == (True, False)

    service.sql("UPDATE recours_mails SET state = 'sent', ended_at = created_at WHERE kind = 'pod_failed'")
    assert person.json("prune", *OLDER, "--yes")["deleted"]["mails"] == 1
    service.wait_until_today()
    person.does("reopen", "CLM-0002")
    run_retries(service)
    assert of(service, "stage", 2) == ("given_up",)
    assert service.sql("SELECT count(*) FROM recours_events WHERE event = 'pod_failed'") == [(1,)]
    assert service.sql(kinds) == [("pod_retrieved",), ("pod_failed",)]  # no second final email


# ---------------------------------------------------------------- shown and asked


def test_prune_asks_for_confirmation(years: Service, person: Person) -> None:
    before = everything(years), files(years)
    shown = person.types("prune", *OLDER, answers="n\n")
    assert shown.returncode == 0
    assert "To be deleted, older than " in shown.stdout
    assert "Delete permanently? [y/N]" in shown.stderr
    assert "Nothing was deleted." in shown.stderr
    unasked = person.types("prune", *OLDER)
    assert (unasked.returncode, "repeat the command with --yes" in unasked.stderr) == (2, True)
    assert "5 attempts" in unasked.stdout
    dry = person.json("prune", *OLDER, "--dry-run")
    assert (dry["found"]["attempts"], dry["deleted"]["attempts"]) == (5, 0)
    assert (everything(years), files(years)) == before
    done = person.does("prune", *OLDER, answers="y\n")
    assert "Deleted: 5 attempts, 1 document (" in done


@pytest.mark.sample("more cases of the same test, each around processes", every=3)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--older-than", "0"), "'0' is not valid; give a number of days (90), a date"),
        (("--older-than", "٩٠"), "is not valid; give a number of days"),
        (("--older-than", "2999-01-01"), "must not be in the future"),
    ],
)
def test_typing_errors_are_explained(typist: Person, arguments: tuple[str, ...], says: str) -> None:
    done = typist.types("prune", *arguments, "--yes")
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


# ---------------------------------------------------------------- what cannot be deleted


def test_a_file_that_cannot_be_deleted_is_reported_and_its_record_kept_until_it_can(
    years: Service, person: Person
) -> None:
    path = documents_of(years)[0]
    content = path.read_bytes()
    path.unlink()
    path.mkdir()  # a file that the user may not delete
    personal = of(years, PERSONAL, 1)
    done = person.types("prune", *OLDER, "--yes")
    assert done.returncode == 1
    assert f"WARNING: Cannot delete {path}: " in done.stderr
    assert "Its record is kept." in done.stderr
    assert (of(years, PERSONAL, 1), attempts_of(years)["CLM-0001"]) == (personal, 1)
    assert attempts_of(years)["CLM-0002"] == 0  # the others were deleted
    path.rmdir()
    path.write_bytes(content)
    person.does("prune", *OLDER, "--yes")
    assert not path.exists()
    assert (of(years, PERSONAL, 1), attempts_of(years)["CLM-0001"]) == ((None,) * 4, 0)


def test_files_on_an_unmounted_share_do_not_count_as_deleted(years: Service, person: Person) -> None:
    folder = years.folder / "data" / "pods" / "chronopost"
    folder.rename(folder.with_name("away"))
    done = person.types("prune", *OLDER, "--yes")
    assert done.returncode == 1
    assert f"the folder {documents_of(years)[0].parent} does not exist. Its record is kept." in done.stderr
    assert attempts_of(years)["CLM-0001"] == 1


def test_a_run_deletes_no_file_outside_the_folder_of_documents(service: Service) -> None:
    service.add(Scenario.DELIVERED, pod_fetch_status="pending")
    service.run(PODFetchWorker)
    thesis = service.folder / f"thesis_{'a' * 16}.pdf"
    thesis.write_text("years of work")
    columns = "claim_id, carrier, tracking_number, kind, source, obtained_at, size, media_type, shown"
    service.sql(
        f"INSERT INTO recours_evidence ({columns}, path, sha256, refused)"
        f" SELECT {columns}, ?, ?, 'blank' FROM recours_evidence",
        str(thesis),
        "a" * 64,
    )
    service.clock.advance(timedelta(days=100))
    for _ in range(2):  # expired data is counted from the previous run on
        service.run()
    assert thesis.read_text() == "years of work"
    assert service.sql("SELECT count(*) FROM recours_evidence WHERE refused IS NOT NULL") == [(1,)]


# ---------------------------------------------------------------- deaths


def erase_of(service: Service) -> Callable[[str, str], str | None]:
    return partial(erase, service.settings.pod_dir)


class Death(BaseException):
    """The end of the process at this point."""


class Mortal(OldData):
    """A prune that is killed before or after the n-th changing step."""

    def __init__(self, database: Database, holder: str, steps: int) -> None:
        super().__init__(database, holder)
        self.__dict__["left"] = steps

    def step(self) -> None:
        if self.__dict__["left"] == 0:
            raise Death
        self.__dict__["left"] -= 1

    def lease(
        self, table: Table, cutoff: datetime, now: datetime, last: int
    ) -> tuple[list[OldFile], int] | None:
        part = super().lease(table, cutoff, now, last)
        self.step()
        return part

    def forget(self, table: Table, files: Sequence[OldFile], gone: Sequence[OldFile], now: datetime) -> None:
        self.step()
        super().forget(table, files, gone, now)
        self.step()

    def erase(self, path: str, sha256: str) -> str | None:
        self.step()
        found = erase(Path(path).parents[3], path, sha256)
        self.step()
        return found


@pytest.mark.full("deaths at every statement of recours prune")
def test_a_prune_killed_at_any_statement_is_completed_by_the_next_one(
    service: Service, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recours.database.pruning._CHUNK", 2)
    database = Database(make_url(url))
    now = datetime(2026, 6, 1, tzinfo=UTC)
    deaths = 0
    while True:
        for _ in range(3):
            service.add(Scenario.DELIVERED, pod_fetch_status="pending")
        assert service.run(PODFetchWorker).stats.success == 3
        mortal = Mortal(database, f"death-{deaths}", deaths)
        try:
            prune(mortal, mortal.erase, BETWEEN, repeat(now).__next__)
            break
        except Death:
            deaths += 1
        assert files(service) <= {*documents_of(service)}  # no unrecorded file remains
        pointing = service.sql("SELECT count(*) FROM claims WHERE pod_url IS NOT NULL")
        assert pointing == [(len(documents_of(service)),)]
        now += timedelta(minutes=11)  # until then the claims are leased
        prune(OldData(database, f"after-{deaths}"), erase_of(service), BETWEEN, repeat(now).__next__)
        assert (documents_of(service), files(service)) == ([], set())
        assert service.sql("SELECT count(*) FROM recours_claims WHERE lease_token IS NOT NULL") == [(0,)]
        assert service.sql("SELECT count(*) FROM claims WHERE pod_url IS NOT NULL") == [(0,)]
    database.close()
    assert deaths > 8
