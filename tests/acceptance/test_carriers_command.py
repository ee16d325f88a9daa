"""`recours carriers`, run by a person who has just entered credentials for the first time."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recours.carriers.registry import CATALOG
from recours.database.schema.creation import create_file
from recours.sandbox import Parcel, Sandbox, Scenario
from tests.acceptance.person import Person, QuickPerson
from tests.planted import PASSWORD


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(now=lambda: datetime.now(UTC)) as box:
        nobodys = Parcel((Scenario.UNKNOWN,))
        box.parcels.update({spec.sample_number: nobodys for spec in CATALOG.specs.values()})
        yield box


@pytest.fixture
def person(box: Sandbox, tmp_path: Path) -> Person:
    create_file(tmp_path / "claims.db")
    return QuickPerson(tmp_path, f"sqlite:///{tmp_path / 'claims.db'}", box.environment())


def refusals(person: Person, key: str) -> tuple[int]:
    """The consecutive refusals that are stored for all processes."""
    query = "SELECT refusals FROM recours_account_state WHERE carrier = ?"
    with closing(sqlite3.connect(person.folder / "claims.db")) as connection:
        return tuple(connection.execute(query, (key,)).fetchone() or (0,))


# ---------------------------------------------------------------- the table


def test_the_table_shows_every_carrier_its_credentials_and_its_limits(person: Person, box: Sandbox) -> None:
    person.settings = box.environment("chronopost")
    done = person.types("carriers")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"Carrier +Credentials +Calls", lines[0])
    for spec in CATALOG.specs.values():
        assert any(line.startswith(spec.name) for line in lines), spec.name
    assert re.search(
        r"^Chronopost +the environment +0/100 per day, resets .* CES?T$", done.stdout, re.MULTILINE
    )
    assert re.search(
        r"^ +set COLISSIMO_LOGIN and COLISSIMO_PASSWORD, or COLISSIMO_API_KEY$", done.stdout, re.MULTILINE
    )
    assert re.search(
        r"^UPS +missing +token 0/20 per hour, resets .*; 0/200 per hour, resets .*$",
        done.stdout,
        re.MULTILINE,
    )
    assert box.calls == []


def test_the_table_shows_which_account_serves_which_claims(person: Person, box: Sandbox) -> None:
    both = person.types("carriers").stdout
    assert "DHL claims with a DHL Express number use the DHL Express account." in both
    assert "DHL Paket and DHL Parcel claims use the DHL Parcel DE account." in both
    assert "Colissimo claims" not in both
    person.settings = box.environment("laposte")
    alone = person.types("carriers").stdout
    assert "Colissimo claims use the La Poste account." in alone
    assert "DHL claims" not in alone


def test_the_table_counts_calls_and_shows_a_refusal(person: Person) -> None:
    person.types("carriers", "check", "UPS")
    person.types("carriers", "check", "Chronopost", CHRONOPOST_PASSWORD="wrong-one")
    shown = person.types("carriers", CHRONOPOST_PASSWORD="wrong-one").stdout
    assert re.search(r"^UPS .*token 1/20 per hour, resets .*; 2/200 per hour", shown, re.MULTILINE)
    assert re.search(r"^Chronopost .* 1/100 per day", shown, re.MULTILINE)
    assert re.search(
        r"^ +Chronopost rejects our credentials: .*; no call before .* CES?T$",
        shown,
        re.MULTILINE,
    )


def test_the_table_works_on_a_database_without_runs(person: Person) -> None:
    path = person.folder / "claims.db"
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE claims (id, claim_reference, carrier, tracking_number)")
    before = path.read_bytes()
    done = person.types("carriers")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Chronopost +the environment +100 per day$", done.stdout, re.MULTILINE)
    assert path.read_bytes() == before


# ---------------------------------------------------------------- check


def test_bad_credentials_are_reported_and_good_ones_end_the_pause(person: Person, box: Sandbox) -> None:
    person.settings = box.environment("ups")
    box.accounts = {"10000001": "changed"}
    done = person.types("carriers", "check", "UPS")
    assert (done.returncode, done.stdout) == (1, "")
    assert "UPS rejects our credentials" in done.stderr
    assert " from the environment.\nCorrect the UPS credentials" in done.stderr
    assert "UPS_CLIENT_ID" in done.stderr
    assert len(box.calls) == 1
    assert refusals(person, "ups") == (1,)
    # The carrier's side is fixed; the same credentials would not be tried for an hour.
    box.accounts = {"10000001": PASSWORD}
    repaired = person.types("carriers", "check", "UPS")
    assert repaired.returncode == 0, repaired.stderr
    said = "UPS accepts our credentials. The pause after the earlier rejection is over.\n"
    assert repaired.stdout == said
    assert refusals(person, "ups") == (0,)
    assert {call.carrier for call in box.calls} == {"ups"}


def test_credentials_that_cannot_be_tested_are_reported(person: Person, box: Sandbox) -> None:
    limited = box.example("ups", "21")
    done = person.types("carriers", "rehearse", "ups", "--tracking", limited)
    assert (done.returncode, "Read as rate_limited" in done.stdout) == (0, True)
    again = person.types("carriers", "check", "ups")
    assert (again.returncode, "could not be tested: UPS asks us to wait" in again.stderr) == (1, True)
    box.stop()
    dead = person.types("carriers", "check", "GLS")
    assert dead.returncode == 1
    assert "could not be tested: GLS could not be reached" in dead.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("check", "UPPS"), 2, "there is no carrier 'UPPS'. Did you mean UPS?"),
        (("rehearse", "ups", "--tracking", "12"), 2, '"12" is not a UPS tracking number (example: 1Z'),
    ],
)
def test_a_mistyped_command_gets_a_clear_error(
    person: Person, box: Sandbox, arguments: tuple[str, ...], status: int, says: str
) -> None:
    done = person.types("carriers", *arguments)
    assert done.returncode == status
    assert says in done.stderr
    assert box.calls == []


def test_missing_credentials_are_named(person: Person) -> None:
    person.settings = {}
    done = person.types("carriers", "check", "UPS")
    assert done.returncode == 2
    assert "UPS has no credentials: set UPS_CLIENT_ID and UPS_CLIENT_SECRET in the environment" in done.stderr
