"""The commands of the README's "Get started", typed in an empty folder, on tables created by SQLAlchemy."""

import enum
import os
import re
import shutil
import stat
import subprocess
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import URL, String, create_engine, func
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from recours.sandbox import Sandbox
from tests.conftest import Kind
from tests.fakes.checkout import ROOT, bare_python, copy_of_checkout, give_packages
from tests.fakes.cron import new_machine

README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## Get started\n")[2].partition("\n## ")[0]
FIRST, FOR_REAL = re.findall(r"```bash\n(.*?)```", SECTION, re.DOTALL)
(CREDENTIALS,) = re.findall(r"```ini\n(.*?)```", SECTION, re.DOTALL)


class Carrier(enum.Enum):
    CHRONOPOST = "Chronopost"
    UPS = "UPS"


class ClaimStatus(enum.Enum):
    OPEN = "open"
    PAID = "paid"


class Base(DeclarativeBase):
    pass


class Claim(Base):
    """A service's model without knowledge of recours: on PostgreSQL with its own enums and UUIDs."""

    __tablename__ = "claims"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    claim_reference: Mapped[str] = mapped_column(String(20), unique=True)
    carrier: Mapped[Carrier]
    status: Mapped[ClaimStatus]
    tracking_number: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


CLAIMS = 3


def make_claims(url: URL) -> None:
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add_all(
            Claim(
                claim_reference=f"CLM-2024-00{n}",
                carrier=Carrier.CHRONOPOST,
                status=ClaimStatus.OPEN,
                tracking_number=f"XY12345678{n}FR",
            )
            for n in range(CLAIMS)
        )
    engine.dispose()


def output_of(block: str, checkout: Path) -> str:
    """The output of a block typed into a new terminal. Each command must succeed."""
    names = ("RECOURS_", "DATABASE_", "CHRONOPOST_", "PYTHON")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    done = subprocess.run(
        ["bash", "-ec", f"trap 'kill $(jobs -p) 2>&- || :' EXIT\n{block}"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        umask=0o022,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


FROM_NOTHING = pytest.mark.full("installs every package from nothing, which takes a minute")
ON_POSTGRES = pytest.mark.full("on PostgreSQL too: the contract tests run on both databases")


@pytest.mark.parametrize(
    ("database", "has_packages"),
    [
        ("sqlite", True),
        pytest.param("postgresql", True, marks=ON_POSTGRES),
        pytest.param("sqlite", False, marks=FROM_NOTHING),
    ],
)
def test_the_first_block_ends_with_a_proof_and_the_second_with_a_schedule(
    kinds: Callable[[str], Kind], tmp_path: Path, sandbox: Sandbox, database: str, *, has_packages: bool
) -> None:
    checkout = copy_of_checkout(tmp_path / "Recours_Ecommerce")
    for name in ("Makefile", "LICENSE", "requirements.txt"):
        shutil.copy(ROOT / name, checkout)
    first = FIRST
    if has_packages:  # the packages of these tests: pip finds them and downloads nothing
        bare_python(checkout / ".venv")
        give_packages(checkout / ".venv")
        assert first.startswith("make demo\n")
        first = first.replace("make demo\n", "make .venv/ready\n")  # test_commands.py covers the demo
    url = kinds(database).empty(tmp_path)
    make_claims(url)
    setting = "DATABASE_PATH=../claims.db"
    if database == "postgresql":  # as in the README
        assert setting in first
        first = first.replace(setting, f"DATABASE_URL={url.render_as_string(hide_password=False)}")
    proofs = [line for line in output_of(first, checkout).splitlines() if line.endswith(".pdf")]
    assert len(proofs) == CLAIMS
    assert all((checkout / proof).read_bytes().startswith(b"%PDF-") for proof in proofs)
    assert stat.S_IMODE((checkout / ".env").stat().st_mode) == 0o600

    with (checkout / ".env").open("a", encoding="utf-8") as settings:
        settings.write(CREDENTIALS)
    sandbox.accounts = {"10000001": "123456"}
    machine = new_machine(tmp_path / "machine")
    done = machine.run("bash", "-ec", FOR_REAL, cwd=checkout, CHRONOPOST_BASE_URL=sandbox.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {call.account for call in sandbox.calls} == {"10000001"}
    lines = [line for line in machine.crontab().splitlines() if "scripts/pod_" in line]
    assert [line.split(" cd ")[0] for line in lines] == ["*/30 * * * *", "0 * * * *"]
    (tail,) = re.findall(r"^tail .*", README, re.MULTILINE)
    assert machine.run(*tail.split(), cwd=checkout).returncode == 0
    kinds(database).drop(url)


def test_the_tutorial_writes_proofs_to_the_shops_own_table(tmp_path: Path) -> None:
    tutorial = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    commands = re.findall(r"```bash\n(.*?)```", tutorial, re.DOTALL)
    assert len("".join(commands).splitlines()) <= 10
    (settings,) = re.findall(r"```ini\n(.*?)```", tutorial, re.DOTALL)
    checkout = copy_of_checkout(tmp_path / "Recours_Ecommerce")
    shutil.copytree(ROOT / "docs" / "examples", checkout / "docs" / "examples")
    for name in ("Makefile", "LICENSE", "requirements.txt"):
        shutil.copy(ROOT / name, checkout)
    (checkout / ".env").write_text(settings, encoding="utf-8")
    bare_python(checkout / ".venv")
    give_packages(checkout / ".venv")
    block = "".join(commands).replace("make demo\n", "make .venv/ready\n")  # test_commands.py covers the demo
    output = output_of(block, checkout)
    proofs = re.findall(r"^D-100\d success DUPONT (.*\.pdf)$", output, re.MULTILINE)
    assert len(proofs) == 3
    assert all(Path(proof).read_bytes().startswith(b"%PDF-") for proof in proofs)
