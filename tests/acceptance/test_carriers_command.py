"""`recours carriers`, started as a person starts it who has just typed credentials for the first time."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recours.carriers.registry import CATALOG
from recours.database.schema.creation import create_file
from recours.sandbox import Parcel, Sandbox, Scenario
from tests.planted import PASSWORD
from tests.processes.commands import Done, recours

CARRIERS = sorted(CATALOG.specs)


@dataclass
class Operations:
    """Where the person sits: a database, credentials, and carriers on loopback."""

    folder: Path
    box: Sandbox
    settings: dict[str, str] = field(default_factory=dict)

    def carriers(self, *arguments: str, **settings: str) -> Done:
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TZ") if name in os.environ}
        environment = {
            **kept,
            "PYTHONIOENCODING": "utf-8",
            "DATABASE_PATH": str(self.folder / "claims.db"),
            "RECOURS_LOG_DIR": str(self.folder / "logs"),
            **self.settings,
            **settings,
        }
        done = recours("carriers", *arguments, environment=environment)
        assert "Traceback" not in done.stderr
        # The digits of the example are those of Chronopost's simulated password.
        assert PASSWORD not in (done.stdout + done.stderr).replace(CATALOG.specs["ups"].number_example, "")
        return done

    def account(self, key: str) -> tuple[int, str | None]:
        """Refusals in a row and until when, as all processes know them."""
        wanted = "SELECT refusals, refused_until FROM recours_account_state WHERE carrier = ?"
        with closing(sqlite3.connect(self.folder / "claims.db")) as connection:
            return tuple(connection.execute(wanted, (key,)).fetchone() or (0, None))


@pytest.fixture
def operations(tmp_path: Path) -> Iterator[Operations]:
    create_file(tmp_path / "claims.db")
    with Sandbox(now=lambda: datetime.now(UTC)) as box:
        nobodys = Parcel((Scenario.UNKNOWN,))
        box.parcels.update({spec.sample_number: nobodys for spec in CATALOG.specs.values()})
        yield Operations(tmp_path, box, box.environment())


# ---------------------------------------------------------------- the table


def test_the_table_shows_every_carrier_its_credentials_and_its_limits(operations: Operations) -> None:
    operations.settings = operations.box.environment("chronopost")
    done = operations.carriers()
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
    assert operations.box.calls == []


def test_the_table_says_whose_account_serves_whose_claims(operations: Operations) -> None:
    both = operations.carriers().stdout
    assert "DHL claims with a DHL Express number use the DHL Express account." in both
    assert "Colissimo claims" not in both
    operations.settings = operations.box.environment("laposte")
    alone = operations.carriers().stdout
    assert "Colissimo claims use the La Poste account." in alone
    assert "DHL claims" not in alone


def test_the_table_counts_calls_and_tells_a_refusal(operations: Operations) -> None:
    operations.carriers("check", "UPS")
    operations.carriers("check", "Chronopost", CHRONOPOST_PASSWORD="wrong-one")
    shown = operations.carriers(CHRONOPOST_PASSWORD="wrong-one").stdout
    assert re.search(r"^UPS .*token 1/20 per hour, resets .*; 2/200 per hour", shown, re.MULTILINE)
    assert re.search(r"^Chronopost .* 1/100 per day", shown, re.MULTILINE)
    assert re.search(
        r"^ +Chronopost rejects our credentials: .*; not asked before .* CES?T$",
        shown,
        re.MULTILINE,
    )


@pytest.mark.parametrize("database", ["missing", "without our tables"])
def test_the_table_on_a_database_that_no_run_has_seen(operations: Operations, database: str) -> None:
    path = operations.folder / "claims.db"
    path.unlink()
    if database == "missing":
        done = operations.carriers()
        assert done.returncode == 1
        assert "There is no database file" in done.stderr
        return
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE claims (id, claim_reference, carrier, tracking_number)")
    before = path.read_bytes()
    done = operations.carriers()
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Chronopost +the environment +100 per day$", done.stdout, re.MULTILINE)
    assert path.read_bytes() == before


# ---------------------------------------------------------------- check


@pytest.mark.sample("the command for each carrier: tests/contract/test_carriers.py asks each")
@pytest.mark.parametrize("key", CARRIERS)
def test_good_credentials_are_accepted(operations: Operations, key: str) -> None:
    spec = CATALOG.specs[key]
    operations.settings = operations.box.environment(key)
    done = operations.carriers("check", spec.name)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout == f"{spec.name} accepts our credentials.\n"
    asked = [call for call in operations.box.calls if call.operation != "token"]
    assert len(asked) == 1
    assert all(call.carrier == key for call in operations.box.calls)


@pytest.mark.sample("the command for each carrier: tests/contract/test_carriers.py asks each")
@pytest.mark.parametrize("key", CARRIERS)
def test_bad_credentials_are_told_and_good_ones_lift_the_pause(operations: Operations, key: str) -> None:
    spec = CATALOG.specs[key]
    operations.settings = operations.box.environment(key)
    operations.box.accounts = {"10000001": "changed"}
    done = operations.carriers("check", spec.name)
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"{spec.name} rejects our credentials" in done.stderr
    assert f", from the environment.\nCorrect the credentials of {spec.name}" in done.stderr
    assert any(name in done.stderr for name in spec.credential_names)
    assert len(operations.box.calls) == 1
    assert operations.account(key)[0] == 1
    # The carrier's side is mended; the same credentials would not be tried before an hour has passed.
    operations.box.accounts = {"10000001": PASSWORD}
    repaired = operations.carriers("check", spec.name)
    assert repaired.returncode == 0, repaired.stderr
    assert repaired.stdout.endswith("The pause that a refusal had left is lifted.\n")
    assert operations.account(key) == (0, None)


def test_what_cannot_be_tried_is_told(operations: Operations) -> None:
    limited = operations.box.example("ups", "21")
    done = operations.carriers("rehearse", "ups", "--tracking", limited)
    assert (done.returncode, "Read as rate_limited" in done.stdout) == (0, True)
    again = operations.carriers("check", "ups")
    assert (again.returncode, "could not be tried: UPS asks us to wait" in again.stderr) == (1, True)
    operations.box.stop()
    dead = operations.carriers("check", "GLS")
    assert dead.returncode == 1
    assert "could not be tried: GLS could not be reached" in dead.stderr


def test_the_limits_hold_for_a_check_too(operations: Operations) -> None:
    few = {"QUOTA_MONDIAL_RELAY": "1/day"}
    assert operations.carriers("check", "Mondial Relay", **few).returncode == 0
    done = operations.carriers("check", "Mondial Relay", **few)
    assert (
        done.returncode,
        "could not be tried: Mondial Relay is at its limit (1 per day)" in done.stderr,
    ) == (
        1,
        True,
    )
    assert len(operations.box.calls) == 1


@pytest.mark.sample("more cases of the same test, each around processes", every=3)
@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("check", "UPPS"), 2, "there is no carrier 'UPPS'. Did you mean UPS?"),
        (("check", "zzzz"), 2, "there is no carrier 'zzzz'. Known: "),
        (("check",), 2, "Missing argument 'NAME'"),
        (("rehearse", "ups", "--tracking", "12"), 2, '"12" is not a UPS tracking number (example: 1Z'),
        (("rehearse", "ups", "--tracking", ""), 2, '"" is not a UPS tracking number (example: 1Z'),
        (("chek", "ups"), 2, "No such command 'chek'"),
    ],
)
def test_what_was_mistyped_gets_a_sentence(
    operations: Operations, arguments: tuple[str, ...], status: int, says: str
) -> None:
    done = operations.carriers(*arguments)
    assert done.returncode == status
    assert says in done.stderr
    assert operations.box.calls == []


def test_missing_credentials_are_named(operations: Operations) -> None:
    operations.settings = {}
    done = operations.carriers("check", "UPS")
    assert done.returncode == 2
    assert "UPS has no credentials: set UPS_CLIENT_ID and UPS_CLIENT_SECRET in the environment" in done.stderr


def test_settings_at_fault_are_told(operations: Operations) -> None:
    done = operations.carriers(QUOTA_UPS="many")
    assert done.returncode == 2
    assert "QUOTA_UPS in the environment" in done.stderr
