"""`recours carriers rehearse` and `reclassify`, run from a shell against simulated carriers."""

import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from recours.carriers.registry import CATALOG
from recours.database.schema.creation import create_file
from recours.sandbox import Parcel, Sandbox, Scenario
from tests import planted
from tests.acceptance.person import QuickPerson
from tests.processes.commands import Done

ACCOUNT = "10000001"
SIGNATURE = "0123456789abcdef0123456789abcdef"  # of links


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(now=lambda: datetime.now(UTC)) as box:
        box.accounts = {ACCOUNT: planted.PASSWORD}
        yield box


@pytest.fixture
def carriers(box: Sandbox, tmp_path: Path) -> Callable[..., Done]:
    """`recours carriers …` in a home with a database and credentials for the sandbox."""
    create_file(tmp_path / "claims.db")
    settings = {"RECOURS_HOME": str(tmp_path)} | box.environment()
    return partial(QuickPerson(tmp_path, f"sqlite:///{tmp_path / 'claims.db'}", settings).types, "carriers")


# Carriers with credentials in bodies, in headers, and also in the query; one whose answers
# contain tokens and client ids, and one whose answers also contain signed links.
@pytest.mark.parametrize("carrier", ["chronopost", "dhl_express", "dhl_parcel_de", "ups", "amazon_shipping"])
def test_a_fetch_is_recorded_without_credentials_and_replayed(
    carrier: str, box: Sandbox, carriers: Callable[..., Done], tmp_path: Path
) -> None:
    number, name = box.example(carrier, "99"), CATALOG.specs[carrier].name
    box.parcels[number] = Parcel((Scenario.DELIVERED,))
    done = carriers("rehearse", name, "--tracking", number)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": HTTP 200\n") == len(box.calls)
    assert f"Read as success: {number}: document available, " in done.stdout

    (path,) = (tmp_path / "data" / "recordings").iterdir()
    assert re.fullmatch(carrier + r"-\d{8}T\d{6}Z\.json", path.name)
    if os.name != "nt":
        assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text(encoding="utf-8")
    assert not planted.is_in(text.encode())
    assert ACCOUNT not in text
    assert SIGNATURE not in text + done.stdout
    assert "***" in text
    calls = json.loads(text)["calls"]
    assert [call["status"] for call in calls] == [200] * len(box.calls)
    with closing(sqlite3.connect(tmp_path / "claims.db")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM recours_attempts").fetchone() == (0,)

    box.stop()
    again = carriers("reclassify", str(path))
    assert (again.returncode, again.stderr) == (0, "")
    assert f"{name}: read as success: {number}: document available, " in again.stdout

    path.write_text(text.replace('"kind": "success"', '"kind": "not_found"'), encoding="utf-8")
    changed = carriers("reclassify", str(path))
    assert changed.returncode == 1
    assert changed.stderr == "Error: This result differs from the recorded result, not_found.\n"
    path.write_text(text[:-3], encoding="utf-8")
    broken = carriers("reclassify", str(path))
    assert (broken.returncode, broken.stdout) == (2, "")
    assert broken.stderr.startswith(f"Error: {path} is not a readable recording")


def test_a_password_that_every_encoding_changes_is_not_recorded(
    box: Sandbox, carriers: Callable[..., Done], tmp_path: Path
) -> None:
    box.accounts[ACCOUNT] = f"&<>\"ü+/'{planted.PASSWORD}'/+ü\"><&"
    settings = box.credentials("dhl_parcel_de", ACCOUNT)
    number = box.example("dhl_parcel_de", "00")
    done = carriers("rehearse", "DHL Parcel DE", "--tracking", number, **settings)
    assert done.returncode == 0, done.stderr
    assert [call.account for call in box.calls] == [ACCOUNT] * 2
    (path,) = (tmp_path / "data" / "recordings").iterdir()
    assert not planted.is_in(path.read_bytes() + f"{done.stdout}{done.stderr}".encode())
    assert "password%3D%22***%22" in path.read_text(encoding="utf-8")


def test_a_signature_is_not_recorded(box: Sandbox, carriers: Callable[..., Done], tmp_path: Path) -> None:
    result = carriers("rehearse", "Mondial Relay", "--tracking", box.example("mondial_relay", "00"))
    assert result.returncode == 0, result.stderr
    (path,) = (tmp_path / "data" / "recordings").iterdir()
    text = path.read_text(encoding="utf-8")
    assert "Security>***<" in text
    assert not re.search(r"\b[0-9A-F]{32}\b", text)


def test_a_report_to_share_has_fields_and_no_values(
    box: Sandbox, carriers: Callable[..., Done], tmp_path: Path
) -> None:
    number = box.example("ups", "00")
    result = carriers("rehearse", "UPS", "--tracking", number, "--share")
    assert result.returncode == 0, result.stderr
    (report,) = (tmp_path / "data" / "recordings").glob("ups-*-share.txt")
    assert result.stdout.endswith(f"Report to share, once you have read it: {report}\n")
    text = report.read_text(encoding="utf-8")
    assert "trackResponse.shipment[].package[].currentStatus.statusCode: code 011\n" in text
    assert not [
        value for value in (number, number[2:12], ACCOUNT, "DUPONT", "Lyon") if value.lower() in text.lower()
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes among its files")
def test_a_pipe_is_not_a_recording(carriers: Callable[..., Done], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = carriers("reclassify", str(tmp_path / "pipe"))
    assert (result.returncode, result.stdout) == (2, "")
    assert "it is a pipe or a device; name a regular file" in result.stderr


def test_units_are_used_and_an_unavailable_carrier_is_not_called(
    box: Sandbox, carriers: Callable[..., Done], tmp_path: Path
) -> None:
    number = box.example("ups", "00")
    missing = carriers("rehearse", "UPS", "--tracking", number, UPS_CLIENT_ID="")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "UPS has no credentials: set UPS_CLIENT_ID" in missing.stderr
    assert carriers("rehearse", "UPS", "--tracking", number, QUOTA_UPS="2/hour").returncode == 0
    calls = len(box.calls)
    used_up = carriers("rehearse", "UPS", "--tracking", number, QUOTA_UPS="2/hour")
    assert (used_up.returncode, used_up.stdout) == (1, "")
    assert used_up.stderr.startswith("Error: No call was made: UPS is at its limit (2 per hour)")
    assert len(box.calls) == calls
    assert len(list((tmp_path / "data" / "recordings").iterdir())) == 1
