"""Actions on claims and carriers: `recours reopen`, `pause` and `resume`, with real runs before and after."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recours.runs.worker import PODFetchWorker
from recours.sandbox import Scenario
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service

FOREVER = (Scenario.UNKNOWN,) * 40


def give_up(service: Service) -> None:
    """Run at each retry until every claim has its POD or is given up."""
    for hours in (1, 6, 24, 72):
        service.clock.advance(timedelta(hours=hours))
        service.run()


def rows(service: Service, columns: str) -> list[tuple[Any, ...]]:
    """All claims with their rows in recours's tables."""
    return service.sql(f"SELECT {columns} FROM claims LEFT JOIN recours_claims ON claim_id = id ORDER BY id")


def events_and_mails(service: Service) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    events = service.sql("SELECT event, claim_id, carrier, tracking_number FROM recours_events ORDER BY id")
    return events, service.sql("SELECT kind, recipient FROM recours_mails ORDER BY id")


# ---------------------------------------------------------------- reopen


def test_reopened_claims_start_over_without_a_second_final_email(service: Service, person: Person) -> None:
    service.sql("INSERT INTO clients (id, email, company_name) VALUES (1, 'shop@shop.example', 'Shop')")
    service.add(*FOREVER, client_id=1)
    service.add(*FOREVER, client_id=1)
    give_up(service)
    assert rows(service, "stage, pod_retry_count") == [("given_up", 4)] * 2
    notified = events_and_mails(service)
    assert [kind for kind, _ in notified[1]].count("pod_failed") == 1  # one email for both

    service.wait_until_today()
    said = person.does("reopen", "CLM-0001")
    assert said == "CLM-0001 reopened: the next run asks the carrier.\n"
    calls = len(service.box.calls)
    service.run(PODFetchWorker)  # either worker has made it ready
    assert rows(service, "stage, pod_retry_count") == [("ready", 0), ("given_up", 4)]
    report = service.run()
    assert (report.stats.failed, len(service.box.calls) - calls) == (1, 1)
    assert rows(service, "pod_retry_count")[0] == (1,)
    give_up(service)
    assert rows(service, "stage, pod_retry_count") == [("given_up", 4)] * 2
    assert events_and_mails(service) == notified  # nothing was sent a second time


@pytest.fixture
def mixed(service: Service) -> Service:
    """1 given up, 2 with a POD, 3 waiting, 4 given up and paid, 5 given up and leased, 6 new, 7 `manual`, 8 given up."""
    for number in (1, 2, 4, 5, 8):
        service.count = number - 1
        service.add(*((Scenario.DELIVERED,) if number == 2 else FOREVER))
    give_up(service)
    service.count = 2
    service.add(*FOREVER, failed_at=service.clock.now() - timedelta(hours=2))
    service.run()
    service.sql("UPDATE claims SET status = 'paid' WHERE claim_reference = 'CLM-0004'")
    until = datetime.now(UTC) + timedelta(minutes=9)
    of_claim = "(SELECT id FROM claims WHERE claim_reference = 'CLM-0005')"
    held = f"UPDATE recours_claims SET lease_token = 'x', lease_until = ? WHERE claim_id = {of_claim}"
    service.sql(held, f"{until:%Y-%m-%d %H:%M:%S}.000000")
    service.count = 5
    service.add(*FOREVER, pod_fetch_status="pending")
    service.add(*FOREVER, pod_fetch_status="manual")
    return service


CANNOT = [
    ("CLM-0002", r"CLM-0002 already has its proof of delivery; nothing was done\."),
    ("CLM-0003", r"CLM-0003 is not given up\. Run 'recours why CLM-0003' to see its status\."),
    ("CLM-0004", r"CLM-0004 has the status 'paid': claims with this status are not fetched"),
    ("CLM-0005", r"CLM-0005 is being fetched by another run right now; try again in a minute\."),
    ("CLM-0006", r"CLM-0006 is not given up"),
    ("CLM-0007", r"CLM-0007 is not given up"),
    ("CLM-0O01", r"There is no claim 'CLM-0O01'\. Did you mean CLM-00\d\d\?"),
    ("no\nsuch", r"There is no claim 'no\\x0asuch'\."),
    ("\udcff", r"There is no claim"),
]


def test_no_claim_is_reopened_if_one_cannot_be_reopened(mixed: Service, person: Person) -> None:
    before = rows(mixed, "*")
    for reference, says in CANNOT:
        done = person.types("reopen", "CLM-0001", reference, "CLM-0008")
        assert (done.returncode, done.stdout) == (2, ""), reference
        assert re.search(rf"^Error: {says}", done.stderr, re.MULTILINE), done.stderr
        assert rows(mixed, "*") == before
    done = person.types("reopen", "CLM-0002", "CLM-0004", "CLM-0006", "CLM-0001")
    assert [line[:15] for line in done.stderr.splitlines()] == [f"Error: CLM-000{n}" for n in (2, 4, 6)]
    dry = person.does("reopen", "CLM-0001", "CLM-0008", "--dry-run")
    assert dry.endswith("Dry run: 2 claims would be reopened; nothing was changed.\n")
    assert rows(mixed, "*") == before
    person.does("reopen", "CLM-0001")
    mixed.sql("UPDATE claims SET pod_retry_count = 0 WHERE claim_reference = 'CLM-0008'")  # by the service
    done = person.types("reopen", "CLM-0001", "CLM-0008")
    assert done.returncode == 2
    assert "CLM-0001 has not used any retries yet, so there is nothing to restart." in done.stderr
    assert "CLM-0008 was already reopened or corrected; the next run assesses it again." in done.stderr


def test_reopening_by_carrier_shows_the_claims_and_asks_for_confirmation(
    mixed: Service, person: Person
) -> None:
    before = rows(mixed, "*")
    shown = person.types("reopen", "--carrier", "chronopost", answers="n\n")
    assert shown.returncode == 0
    assert re.search(r"^  Chronopost +2$", shown.stdout, re.MULTILINE)
    assert "Skipped: 1 claim (being fetched by a run)." in shown.stdout
    assert "Skipped: 1 claim (status 'paid': claims with this status are not fetched)." in shown.stdout
    assert "Reopen 2 claims? [y/N]" in shown.stderr
    assert "Nothing was changed." in shown.stderr
    assert rows(mixed, "*") == before

    unasked = person.types("reopen", "--carrier", "Chronopost")
    assert unasked.returncode == 2
    assert "repeat the command with --yes" in unasked.stderr
    assert rows(mixed, "*") == before

    done = person.does("reopen", "--carrier", "Chronopost", answers="y\n")
    assert "2 claims reopened" in done
    counts = dict(rows(mixed, "claim_reference, pod_retry_count"))
    assert [counts[f"CLM-000{n}"] for n in (1, 4, 5, 8)] == [0, 4, 4, 0]
    again = person.types("reopen", "--carrier", "Chronopost", "--yes")
    assert (again.returncode, "No matching claims were given up." in again.stdout) == (0, True)


def test_since_selects_claims_whose_last_retry_was_later(service: Service, person: Person) -> None:
    service.add(*FOREVER)
    give_up(service)
    split = service.clock.now() + timedelta(hours=1)
    service.add(*FOREVER, failed_at=split)
    service.add(*FOREVER, carrier="UPS", failed_at=split)
    service.clock.advance(timedelta(hours=1))
    give_up(service)
    assert rows(service, "stage") == [("given_up",)] * 3
    utc = f"{split:%Y-%m-%dT%H:%M}+00:00"
    assert "2 claims would be reopened" in person.does("reopen", "--since", utc, "--dry-run")
    assert "1 claim reopened" in person.does("reopen", "--since", utc, "--carrier", "chronopost", "--yes")
    assert rows(service, "stage") == [("given_up",), ("waiting",), ("given_up",)]
    assert "0 claims would be reopened" in person.does("reopen", "--since", "1h", "--dry-run")
    assert "2 claims would be reopened" in person.does("reopen", "--since", "2026-02-01", "--dry-run")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("reopen",), "Give exactly one of these: claims, --csv, or a selection with --carrier,"),
        (("reopen", "--since", "999999d"), "is not valid; give a date"),
        (("pause", "Chronpost"), "there is no carrier 'Chronpost'. Did you mean Chronopost?"),
    ],
)
def test_a_mistyped_command_gets_a_clear_error(typist: Person, arguments: tuple[str, ...], says: str) -> None:
    done = typist.types(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


# ---------------------------------------------------------------- pause and resume


def test_a_paused_carrier_is_not_called_until_it_is_resumed(service: Service, person: Person) -> None:
    service.add(Scenario.DELIVERED)
    service.add(Scenario.DELIVERED, pod_fetch_status="pending")
    service.add(Scenario.DELIVERED, carrier="UPS")
    said = person.does("pause", "chronopost", "--why", "contract\ntalks")
    assert said == "Chronopost is paused until someone resumes it. Claims stay due, and no attempt is used.\n"
    before = rows(service, "pod_fetch_status, pod_retry_count")[:2]
    reports = [service.run(), service.run(PODFetchWorker), service.run(claims=("CLM-0001",))]
    assert [report.stats.skipped_carrier for report in reports] == [1, 1, 1]
    assert [report.exit_status for report in reports] == [0, 0, 0]
    assert {call.carrier for call in service.box.calls} == {"ups"}
    assert rows(service, "pod_fetch_status, pod_retry_count")[:2] == before
    assert service.sql("SELECT count(*) FROM recours_events WHERE event = 'account_fault'") == [(0,)]
    assert service.sql("SELECT DISTINCT carrier FROM recours_attempts") == [("ups",)]
    assert "Chronopost was paused on" in person.does("carriers")
    check = person.types("carriers", "check", "Chronopost")
    assert (check.returncode, "could not be tested: Chronopost was paused on" in check.stderr) == (1, True)

    assert person.does("resume", "Chronopost") == "Chronopost resumed: the next run calls it.\n"
    assert person.does("resume", "Chronopost") == "Chronopost was not paused; nothing was changed.\n"
    assert "paused" not in person.does("carriers")
    service.clock.advance(timedelta(hours=1))
    assert (service.run().stats.success, service.run(PODFetchWorker).stats.success) == (1, 1)


def test_a_pause_with_an_end_ends_automatically(service: Service, person: Person) -> None:
    service.add(Scenario.DELIVERED)
    service.wait_until_today()
    said = person.does("pause", "chronopost", "--until", "2h", "--why", "works")
    until = re.search("is paused until (.*)[.] Claims", said)
    assert until
    for view in ("status", "carriers", "plan", "why CLM-0001"):
        assert f"Chronopost is paused until {until[1]} by" in person.does(*view.split())
    assert "needs you" not in person.does("status")
    assert service.run().stats.skipped_carrier == 1
    again = person.does("pause", "chronopost", "--until", "tomorrow 8:00")
    assert again.endswith("It was already paused: the new reason and end replace the previous ones.\n")
    person.does("pause", "chronopost")
    assert person.json("plan")["attempts"] == 0
    person.does("pause", "chronopost", "--until", "3h")
    assert person.json("plan")["attempts"] > 0
    service.clock.advance(timedelta(hours=4))
    assert service.run().stats.success == 1


@pytest.mark.parametrize("until", ["yesterday", "2026-02-02 8:00", "0h"])
def test_a_pause_until_a_time_in_the_past_is_rejected(typist: Person, until: str) -> None:
    done = typist.types("pause", "chronopost", "--until", until)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        f"Error: '{until}' is not a time within the next year. Examples: 18:00, 'tomorrow 8:00',"
        in done.stderr
    )


def test_missing_credentials_are_reported_in_addition_to_a_pause(person: Person) -> None:
    bare = {"UPS_CLIENT_ID": "", "UPS_CLIENT_SECRET": ""}
    assert "UPS has no credentials: set UPS_CLIENT_ID and UPS_CLIENT_SECRET" in person.does(
        "resume", "UPS", **bare
    )
    person.does("pause", "UPS", **bare)
    table = person.does("carriers", **bare)
    assert re.search(r"set UPS_CLIENT_ID and UPS_CLIENT_SECRET\n +UPS was paused on", table)


def test_pausing_dhl_mentions_claims_fetched_from_dhl_express(person: Person) -> None:
    said = person.does("pause", "DHL")
    assert "Its claims that are fetched from DHL Express are not paused." in said
