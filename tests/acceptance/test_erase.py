"""`recours erase` erases all data of a claim or client and nothing else, and no run restores it."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from recours.admin.actions import Actions
from recours.admin.results import TryLaterError
from recours.app import App, open_database
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.tables import metadata
from recours.runs.worker import PODFetchWorker
from recours.sandbox import Scenario
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.own_rows import put_account

SECRET = "Planted Person"
ADDRESS = "gone@shop.example"
# Columns of recours's tables with text from people and carriers about a claim.
TEXTS = {
    "recours_attempts": ("message", "error_words", "signatory"),
    "recours_evidence": ("signatory", "place", "source"),
    "recours_claims": ("error_words",),
}
JSONS = {"recours_evidence": "shown", "recours_events": "facts", "recours_changes": "details"}


@pytest.fixture
def service(mailing: Service) -> Service:
    """Two clients. 1 and 3 belong to the first, the others to the second; 1 and 2 have their POD, the others wait."""
    mailing.sql("INSERT INTO clients (id, email) VALUES (1, ?), (2, 'stays@shop.example')", ADDRESS)
    for number in (1, 2):
        mailing.add(Scenario.DELIVERED, client_id=number)
    for number in (1, 2):
        mailing.add(*(Scenario.UNKNOWN,) * 40, client_id=number)
    mailing.clock.advance(timedelta(hours=1))
    mailing.run(PODFetchWorker)
    mailing.run()
    mailing.sql("UPDATE claims SET carrier = 'UPS' WHERE id IN (3, 4)")
    mailing.run()
    plant(mailing)
    database = Database(mailing.settings.database_url)
    accounts = ClientAccounts(database)
    for number, sealed in ((1, SECRET), (2, "sealed")):
        put_account(accounts, number, "ups", sealed, "ann", mailing.clock.now())
    database.close()
    return mailing


def plant(service: Service, client: int = 1) -> None:
    """Write the secret into every place with data of a client's claims."""
    of_service = f"(SELECT id FROM claims WHERE client_id = {client})"
    of_client = f"WHERE claim_id IN {of_service}"
    for table, columns in TEXTS.items():
        values = ", ".join(f"{column} = '{SECRET}'" for column in columns)
        condition = "AND stage <> 'erased'" if table == "recours_claims" else ""
        service.sql(f"UPDATE {table} SET {values} {of_client} {condition}")
    for table, column in JSONS.items():
        service.sql(f"UPDATE {table} SET {column} = ? {of_client}", json.dumps({"who": SECRET}))
    service.sql(f"UPDATE recours_claims SET known_delivery = ? {of_client} AND stage <> 'erased'", delivery())
    of_delivery = "pod_delivery_person = ?, pod_fetch_error = ?"
    service.sql(f"UPDATE claims SET {of_delivery} WHERE client_id = {client}", SECRET, SECRET)
    of_mails = f"SELECT mail_id FROM recours_mail_events JOIN recours_events ON recours_events.id = event_id {of_client}"
    values = ", ".join(f"{column} = '{SECRET}'" for column in ("subject", "plain", "html", "error"))
    service.sql(
        f"UPDATE recours_mails SET {values} WHERE id IN ({of_mails}) OR (client_id = {client} AND recipient <> '')"
    )


def delivery() -> str:
    return json.dumps({"at": None, "signatory": SECRET, "day": None, "place": None, "label": None})


@pytest.fixture
def app(service: Service) -> Iterator[App]:
    app = open_database(service.settings)
    yield replace(app, clock=service.clock)
    app.database.close()


@pytest.fixture
def actions(app: App) -> Actions:
    return Actions(app, "ann")


def everything(service: Service) -> dict[str, str]:
    """All rows of all tables as text; for SQLite also the raw bytes of its files."""
    tables = [*metadata.tables, "claims", "clients"]
    rows = {table: "\n".join(map(str, service.sql(f"SELECT * FROM {table}"))) for table in tables}
    if service.settings.database_url.get_backend_name() == "sqlite":
        # In another process: SQLite loses its locks on a file that its own process closes.
        files = " ".join(map(str, service.folder.glob("claims.db*")))
        rows["file"] = subprocess.run(["cat", *files.split()], capture_output=True, check=True).stdout.decode(
            "latin-1"
        )
    return rows


def where(service: Service, text: str) -> list[str]:
    """Where the secret remains, in the database and in the document folder."""
    places = [name for name, content in everything(service).items() if text in content]
    files = [path for path in service.settings.pod_dir.rglob("*") if path.is_file()]
    return places + [path.name for path in files if text.encode() in path.read_bytes()]


def rows_of(service: Service, client: int) -> list[Any]:
    """All rows about a client's claims and its account, and the service's rows of them."""
    ids = f"(SELECT id FROM claims WHERE client_id = {client})"
    tables = [table.name for table in metadata.sorted_tables if "claim_id" in table.c]
    return [
        *(service.sql(f"SELECT * FROM {name} WHERE claim_id IN {ids} ORDER BY 1, 2") for name in tables),
        service.sql("SELECT * FROM recours_mails WHERE client_id = ? ORDER BY id", client),
        service.sql("SELECT * FROM recours_client_accounts WHERE client_id = ?", client),
        service.sql("SELECT * FROM claims WHERE client_id = ? ORDER BY id", client),
    ]


def files_of(service: Service, client: int) -> list[Path]:
    paths = service.sql(
        "SELECT path FROM recours_evidence JOIN claims ON claim_id = claims.id WHERE client_id = ?", client
    )
    return [Path(path) for (path,) in paths]


# ---------------------------------------------------------------- what goes, and what stays


def test_no_data_of_an_erased_client_remains(service: Service, person: Person) -> None:
    assert {"recours_attempts", "recours_evidence", "recours_mails"} <= set(where(service, SECRET))
    copied = "language, html, state, run_id, created_at, tries"
    service.sql(
        f"INSERT INTO recours_mails (message_id, recipient, kind, subject, plain, {copied})"
        f" SELECT 'x', 'boss@shop.example', 'operator_summary', 's', ?, {copied} FROM recours_mails WHERE client_id = 1",
        f"The account of {ADDRESS} is refused. {SECRET}",
    )
    service.sql(
        "INSERT INTO recours_events (event, audience, carrier, tracking_number, run_id, created_at, facts)"
        " VALUES ('weekly_report', 'operator', '', '2026-W05', '', '2026-02-02', ?)",
        json.dumps({"plain": f"No work is done with 1 client account ({ADDRESS})."}),
    )
    before, files, others = rows_of(service, 2), files_of(service, 1), files_of(service, 2)
    assert files
    shown = person.does("erase", "--client", ADDRESS, "--dry-run")
    assert "To be erased permanently: 2 claims, " in shown
    assert where(service, SECRET)
    said = person.does("erase", "--client", ADDRESS, "--yes")
    assert f"Erased: 2 claims, {len(files)} document, " in said
    assert ", 1 carrier account." in said
    assert "Not erased: backups, logs" in said
    assert where(service, SECRET) == []
    assert where(service, ADDRESS) in (["clients"], ["clients", "file"])  # the service's own
    shown = person.does("erase", "--client", ADDRESS, "--dry-run")
    assert "To be erased permanently: 2 claims." in shown
    assert not [path for path in files if path.exists()]
    assert (rows_of(service, 2), all(path.exists() for path in others)) == (before, True)


def test_another_client_with_the_same_address_keeps_all_data(service: Service, actions: Actions) -> None:
    service.sql("UPDATE clients SET email = ? WHERE id = 2", ADDRESS.upper())
    service.sql("UPDATE recours_mails SET recipient = ? WHERE client_id = 2", ADDRESS)
    service.sql("UPDATE recours_client_accounts SET client_address = ? WHERE client_id = 2", ADDRESS)
    before = rows_of(service, 2)
    actions.erase(client="1")
    assert rows_of(service, 2) == before
    assert where(service, SECRET) == []


def test_an_address_that_no_client_has_any_more_is_erased(service: Service, actions: Actions) -> None:
    service.sql("UPDATE clients SET email = 'new@shop.example' WHERE id = 1")
    assert actions.erase(client=ADDRESS)[0].sentence == "Erased: 1 email, 1 carrier account."
    assert ADDRESS not in everything(service)["recours_mails"]


def test_an_address_is_erased_after_its_claims(service: Service, actions: Actions) -> None:
    actions.erase(["CLM-0001", "CLM-0003"])
    service.sql("DELETE FROM recours_client_accounts")
    service.sql("UPDATE clients SET email = 'new@shop.example' WHERE id = 1")
    assert "To be erased permanently: nothing." in actions.erase(client=ADDRESS, dry_run=True)[0].sentence
    actions.erase(client=ADDRESS)
    assert ADDRESS not in everything(service)["recours_mails"]


def test_an_erased_claim_is_shown_as_erased_everywhere(
    service: Service, person: Person, actions: Actions
) -> None:
    person.does("erase", "CLM-0001", "--yes")
    columns = (
        "pod_fetch_status, pod_url, pod_fetched_at, pod_fetch_error, pod_delivery_person, pod_retry_count"
    )
    assert service.sql(f"SELECT {columns} FROM claims WHERE id = 1") == [(None,) * 5 + (0,)]
    assert "CLM-0001 was erased on " in person.does("why", "CLM-0001")
    for command in ("reopen", "enroll", "correct --carrier UPS", "detach", "dossier"):
        done = person.types(*command.split(" ", 1)[:1], "CLM-0001", *command.split(" ")[1:])
        assert (done.returncode, "CLM-0001 was erased on 20" in done.stderr) == (2, True), done.stderr
    fetched = person.types("retry", "--claim", "CLM-0001")
    assert "CLM-0001 was erased on 20" in fetched.stderr
    verified = person.does("verify")
    assert "1 file erased, the last on 20" in verified
    assert "No evidence was changed, deleted or added." in verified


def test_no_run_processes_an_erased_claim(service: Service, actions: Actions) -> None:
    actions.erase(["CLM-0001", "CLM-0003"])
    before = rows_of(service, 1)
    for status in (None, "pending", "failed"):
        service.sql("UPDATE claims SET pod_fetch_status = ? WHERE id IN (1, 3)", status)
        for _ in range(2):
            service.clock.advance(timedelta(days=3))
            service.run(PODFetchWorker)
            service.run()
        assert rows_of(service, 1)[:-3] == before[:-3]
    # Once the service has deleted the claim, another claim may get its key.
    service.sql("UPDATE claims SET claim_reference = 'CLM-NEW', pod_fetch_status = 'pending' WHERE id = 1")
    service.run(PODFetchWorker)
    assert service.sql("SELECT pod_fetch_status FROM claims WHERE id = 1") == [("success",)]


def test_a_claim_in_use_by_a_run_is_reported_and_not_erased(service: Service, actions: Actions) -> None:
    until = f"{service.clock.now() + timedelta(minutes=5):%Y-%m-%d %H:%M:%S}"
    service.sql("UPDATE recours_claims SET lease_token = 'run', lease_until = ? WHERE claim_id = 3", until)
    results = actions.erase(client=ADDRESS)
    assert "Erased: 1 claim," in results[0].sentence
    assert results[-1].sentence.startswith("CLM-0003 is in use by a run or by the service right now")
    assert service.sql("SELECT stage FROM recours_claims WHERE claim_id IN (1, 3) ORDER BY 1") == [
        ("erased",),
        ("settled",),
    ]
    service.clock.advance(timedelta(minutes=6))
    assert all(result.is_done for result in actions.erase(client=ADDRESS))
    assert where(service, SECRET) == []


def test_a_claim_that_the_service_database_rejects_is_reported_and_not_erased(
    service: Service, actions: Actions
) -> None:
    """Claim 3 has no document: no other claim of the client may lose its own."""
    service.sql("CREATE UNIQUE INDEX rule ON claims (client_id) WHERE id IN (1, 3) AND pod_url IS NULL")
    results = actions.erase(client=ADDRESS)
    assert "Erased: 1 claim," in results[0].sentence
    assert results[-1].sentence.startswith("CLM-0001 was not erased: the service's database rejected")
    assert len(files_of(service, 1)) == 1
    service.sql("DROP INDEX rule")
    assert all(result.is_done for result in actions.erase(client=ADDRESS))
    assert where(service, SECRET) == []


def test_all_claims_that_had_a_reference_are_erased(service: Service, actions: Actions) -> None:
    service.sql("DELETE FROM claims WHERE id = 3")
    service.sql("UPDATE recours_claims SET seen_reference = 'CLM-0001' WHERE claim_id = 3")
    assert "Erased: 2 claims," in actions.erase(["CLM-0001"])[0].sentence
    assert service.sql("SELECT count(*) FROM recours_claims WHERE stage = 'erased'") == [(2,)]


def test_files_of_a_killed_run_are_erased(service: Service, actions: Actions) -> None:
    (path,) = files_of(service, 1)
    stem = path.name.rpartition("_")[0]
    note = service.settings.pod_dir / ".parts" / f"{stem}.jsonl"
    digest = service.sql("SELECT sha256 FROM recours_evidence WHERE claim_id = 1")[0][0]
    pieces = [{"sha256": digest}]
    note.write_text(
        json.dumps({"owner": ["chronopost", "1"], "delivery": {"signatory": SECRET}, "pieces": pieces})
    )
    service.sql("DELETE FROM recours_evidence WHERE claim_id = 1")
    service.sql("DELETE FROM recours_attempts WHERE claim_id = 1")
    half_written = note.with_name(f"77-77-{path.name}.part")
    half_written.write_text(SECRET)
    others = note.with_name(note.name.replace("CLM-0001_1_", "CLM_1_55_"))
    others.write_text(note.read_text().replace('"1"', '"55"'))
    actions.erase(["CLM-0001"])
    assert [file for file in (note, path, half_written) if file.exists()] == []
    assert others.exists()


def test_an_email_about_several_claims_is_erased_and_a_new_one_reports_the_others(
    service: Service, actions: Actions
) -> None:
    service.sql("UPDATE recours_mails SET state = 'ready', ended_at = NULL WHERE client_id = 1")
    ((mail, mailed),) = service.sql(
        "SELECT mail_id, event_id FROM recours_mail_events JOIN recours_events ON recours_events.id = event_id"
        " WHERE claim_id = 1"
    )
    service.sql(
        "UPDATE recours_events SET claim_id = 4 WHERE id = (SELECT max(id) FROM recours_events WHERE id <> ?)",
        mailed,
    )
    ((other,),) = service.sql("SELECT max(id) FROM recours_events WHERE id <> ?", mailed)
    service.sql("UPDATE recours_events SET told = 'mail' WHERE id = ?", other)
    service.sql("DELETE FROM recours_mail_events WHERE event_id = ?", other)
    service.sql("INSERT INTO recours_mail_events (mail_id, event_id) VALUES (?, ?)", mail, other)
    actions.erase(["CLM-0001"])
    assert service.sql("SELECT state, plain, subject FROM recours_mails WHERE id = ?", mail) == [
        ("cancelled", "", "")
    ]
    assert service.sql("SELECT told FROM recours_events WHERE id = ?", other) == [(None,)]


def test_remaining_data_of_deleted_claims_is_reported_and_erased(service: Service, person: Person) -> None:
    assert "ok       deleted claims: none of their data is kept" in person.types("check", "--offline").stdout
    service.sql("DELETE FROM notifications")
    service.sql("DELETE FROM claims WHERE id IN (1, 2, 3)")
    assert "Erased: 1 claim" in person.does("erase", "CLM-0003", "--yes")
    checked = person.types("check", "--offline").stdout
    assert "2 attempts and 2 files of deleted or erased claims are still kept" in checked
    assert "recours erase --deleted" in checked
    files = [Path(path) for (path,) in service.sql("SELECT path FROM recours_evidence")]
    assert "Erased: 2 claims, 2 documents" in person.does("erase", "--deleted", "--yes")
    assert not [path for path in files if path.exists()]
    said = person.does("erase", "--deleted")  # asks nothing, although there is no --yes
    assert said.startswith("To be erased permanently: nothing.\n")
    assert "ok       deleted claims" in person.types("check", "--offline").stdout
    service.run(PODFetchWorker)
    assert service.sql("SELECT stage FROM recours_claims WHERE claim_id = 3") == [("erased",)]


def test_erase_asks_for_confirmation(service: Service, person: Person) -> None:
    before = everything(service)
    shown = person.types("erase", "CLM-0001", answers="n\n")
    assert "Erase permanently? [y/N]" in shown.stderr
    assert "Nothing was erased." in shown.stderr
    for arguments, says in (
        (("CLM-0001",), "repeat the command with --yes"),
        ((), "Give exactly one of these: claims, --client, --deleted."),
        (("CLM-0001", "--deleted", "--yes"), "Give exactly one of these: claims, --client, --deleted."),
        (("CLM-9", "--yes"), "There is no claim 'CLM-9'."),
        (("--client", "", "--yes"), "There is no client"),
        (("--client", "99", "--yes"), "There is no client 99"),
        (("--client", "mistyped@shop.example", "--yes"), "There is no client mistyped@shop.example"),
    ):
        done = person.types("erase", *arguments)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    assert everything(service) == before


# ---------------------------------------------------------------- deaths


class Death(BaseException):
    """The end of the process at this point."""


@pytest.mark.full("deaths at every statement of recours erase")
def test_an_erasure_killed_anywhere_is_completed_by_the_next_one(
    service: Service, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths = 0
    remaining = -1

    def step(*_: Any) -> None:
        nonlocal remaining
        remaining -= 1
        if remaining == -1:
            raise Death

    def unlink(path: Path, *, missing_ok: bool = False) -> None:
        step()
        original(path, missing_ok=missing_ok)
        step()

    original = Path.unlink
    event.listen(app.database.engine, "before_cursor_execute", step)
    while True:
        service.add(Scenario.DELIVERED, client_id=1, failed_at=service.clock.now())
        service.clock.advance(timedelta(hours=2))
        service.run()
        plant(service)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", unlink)
            remaining = deaths
            try:
                Actions(app, "ann").erase(client=ADDRESS)
                break
            except (Death, TryLaterError):  # in a durable transaction, SQLAlchemy closes the connection first
                deaths += 1
            remaining = -1
        service.run(PODFetchWorker)
        service.clock.advance(timedelta(minutes=11))
        assert all(result.is_done for result in Actions(app, "ann").erase(client=ADDRESS))
        assert where(service, SECRET) == []
        assert files_of(service, 1) == []
    assert deaths > 20
