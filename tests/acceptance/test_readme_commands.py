"""The README's six commands, from nothing to a scheduled system, as they are typed in an empty folder."""

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from recours.database.schema.creation import create_file
from recours.sandbox import Sandbox
from tests.fakes.checkout import ROOT, copy_of_checkout
from tests.fakes.cron import machine_of_its_own
from tests.needs import program

README = (ROOT / "README.md").read_text(encoding="utf-8")
_CLAIM = """
INSERT INTO claims (claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number, pod_fetch_status)
VALUES ('CLM-2024-001', 'ORDER-1', 'Chronopost', 'lost', 50, 'XY001234567FR', 'pending')
"""


def six_commands() -> list[str]:
    section = README.partition("## From nothing to a scheduled system\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    return str(block).splitlines()


@pytest.mark.full("installs every package from nothing, which takes a minute")
def test_six_commands_lead_from_nothing_to_a_scheduled_system(tmp_path: Path, sandbox: Sandbox) -> None:
    """Only the carrier's address is the test's: its simulated one, with the README's account."""
    sandbox.accounts = {"10000001": "123456"}
    program("crontab", "cron")
    checkout = copy_of_checkout(tmp_path / "Recours_Ecommerce")
    for name in ("Makefile", "README.md", "LICENSE", "requirements.txt"):
        shutil.copy(ROOT / name, checkout)
    create_file(tmp_path / "claims.db")
    with closing(sqlite3.connect(tmp_path / "claims.db")) as connection, connection:
        connection.execute(_CLAIM)
    machine = machine_of_its_own(tmp_path / "machine")
    commands = six_commands()
    assert len(commands) == 6
    for command in commands:
        done = machine.run("bash", "-c", command, cwd=checkout, CHRONOPOST_BASE_URL=sandbox.url)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    with closing(sqlite3.connect(tmp_path / "claims.db")) as connection:
        query = "SELECT pod_fetch_status, pod_url FROM claims WHERE claim_reference = 'CLM-2024-001'"
        status, stored = connection.execute(query).fetchone()
    assert status == "success"
    assert Path(stored).read_bytes().startswith(b"%PDF-")
    lines = [line for line in machine.crontab().splitlines() if "scripts/pod_" in line]
    assert [line.split(" cd ")[0] for line in lines] == ["*/30 * * * *", "0 * * * *"]
    shown = machine.run(".venv/bin/recours", "schedule", "show", cwd=checkout)
    assert shown.returncode == 0, shown.stdout + shown.stderr


def test_the_commands_are_six() -> None:
    assert len(six_commands()) == 6
    assert subprocess.run(["bash", "-n", "-c", "\n".join(six_commands())], check=True).returncode == 0
