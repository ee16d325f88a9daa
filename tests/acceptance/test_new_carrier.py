"""A carrier needs four files and three names: a fictional carrier is added to a copy of the project.

Its client, simulator, request schema and table of answers are in `tests/carriers/new_carrier/`; it adds one row to
the table of cases.
"""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import own_settings

PARTS = Path(__file__).resolve().parents[1] / "carriers" / "new_carrier"
PACKAGES = {"carriers": ("client.py", "    Acme,\n"), "sandbox": ("simulator.py", "        Acme(),\n")}
ROW = """
CASES["acme"] = Cases(
    ("parcel", "proof"),
    otherwise={S.EMPTY_POD: K.BAD_RESPONSE},
    known_otherwise=dict.fromkeys((S.IN_TRANSIT, S.RETURNED_TO_SENDER), PDF_TYPE),  # it gives proofs of any parcel
    wrong_type=(K.NOT_DELIVERED_YET, K.BAD_RESPONSE),
    unknown_in=frozenset({Attack.WRONG_TYPE}),
    place=None,
    label="delivered",
)
"""
PRINTED = '    "": "', '    "acme": "acme express|acme",\n    "": "'
NUMBER = "AC0000000001"  # its digits mean: delivered at once


class Project:
    """A copy of the project with the carrier, for commands."""

    def __init__(self, root: Path, home: Path) -> None:
        """Add four files, three names and a row."""
        self.root, self.home = own_settings.copy(root), home
        for package, (part, entry) in PACKAGES.items():
            folder = root / "recours" / package
            (folder / "acme.py").write_bytes((PARTS / part).read_bytes())
            registry = folder / "registry.py"
            text = registry.read_text(encoding="utf-8")
            registry.write_text(registered(text, f"recours.{package}.acme", entry), encoding="utf-8")
        (root / "tests/schemas/acme.yaml").write_bytes((PARTS / "schema.yaml").read_bytes())
        (root / "tests/carriers/test_acme.py").write_bytes((PARTS / "table.py").read_bytes())
        names = root / "recours/evidence/carrier_names.py"
        text = names.read_text(encoding="utf-8")
        names.write_text(text.replace(*PRINTED), encoding="utf-8")
        with (root / "tests/carriers/cases.py").open("a", encoding="utf-8") as cases:
            cases.write(ROW)

    def types(self, *arguments: str, **settings: str) -> str:
        """The output of a Python with these arguments; it must succeed."""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.root),
            "RECOURS_HOME": str(self.home),
        }
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=environment | settings,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def registered(text: str, module: str, entry: str) -> str:
    """A registry with one more name: imported, and added at the end of its tuple."""
    name = entry.strip(" ,()\n")
    last = re.findall(r"^ +MondialRelay(?:\(\))?,\n", text, re.MULTILINE)[-1]
    first_import = text.index("from recours.")
    imported = f"{text[:first_import]}from {module} import {name}\n{text[first_import:]}"
    return imported.replace(last, last + entry)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("new") / "checkout", tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def settings(project: Project) -> Iterator[dict[str, str]]:
    """The settings that `recours sandbox` prints for the carrier, while it runs."""
    command = [sys.executable, "-u", "-m", "recours", "sandbox", "--port", "0", "--mail-port", "0"]
    environment = os.environ | {"PYTHONPATH": str(project.root)}
    with subprocess.Popen(
        command, cwd=project.root, env=environment, stdout=subprocess.PIPE, text=True
    ) as box:
        assert box.stdout is not None
        found: dict[str, str] = {}
        for line in box.stdout:
            found |= dict(re.findall(r"\b(ACME_\w+)=(\S+)", line))
            if {"ACME_KEY", "ACME_BASE_URL"} <= found.keys():
                break
        yield found | {"DATABASE_PATH": str(project.home / "claims.db")}
        box.kill()


def test_the_new_carrier_is_listed_with_its_settings(project: Project) -> None:
    listed = project.types("-m", "recours", "carriers", ACME_KEY="1-2", QUOTA_ACME_POD="7/hour")
    assert re.search(r"^Acme Express +the environment +300 per day; pod 7 per hour$", listed, re.MULTILINE), (
        listed
    )
    without = project.types("-m", "recours", "carriers")
    assert re.search(r"^Acme Express +missing .*\n +set ACME_KEY$", without, re.MULTILINE), without


def test_a_claim_of_the_new_carrier_is_fetched(project: Project, settings: dict[str, str]) -> None:
    project.types("-m", "recours", "init-db", **settings)
    with closing(sqlite3.connect(settings["DATABASE_PATH"])) as connection:
        connection.execute(
            "INSERT INTO claims (claim_reference, order_id, carrier, dispute_type, amount_requested, tracking_number,"
            " pod_fetch_status) VALUES ('CLM-1', 'o', 'ACME', 'lost', 10, ?, 'pending')",
            [NUMBER],
        )
        connection.commit()
        project.types("scripts/pod_fetch_worker.py", **settings)
        query = "SELECT pod_fetch_status, lane, pod_delivery_person, pod_url FROM claims JOIN recours_claims ON claim_id = id"
        status, key, person, url = connection.execute(query).fetchone()
    assert (status, key, person) == ("success", "acme", "DUPONT")
    assert Path(url).read_bytes().startswith(b"%PDF-")


@pytest.mark.full("our own tools: the suites of all carriers, around a process of pytest")
def test_the_suites_for_all_carriers_include_the_new_carrier(project: Project) -> None:
    suites = (
        "tests/carriers/test_simulated.py",
        "tests/carriers/test_rules.py",
        "tests/contract/test_carriers.py",
        "tests/fuzz/test_answers.py",
        "tests/carriers/test_requests.py",
    )
    project.types("-m", "tests.carriers.answers", "acme")
    done = project.types("-m", "pytest", "-k", "acme and not postgresql", *suites, RECOURS_FUZZ_EXAMPLES="20")
    passed = re.search(r"^(\d+) passed", done, re.MULTILINE)
    assert passed, done
    assert int(passed[1]) > 25


def test_the_new_carrier_keeps_the_import_contracts(project: Project) -> None:
    assert "0 broken" in project.types(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")


@pytest.mark.full("a new carrier in the texts: tests/unit/manual/test_facts.py compares them with every SPEC")
def test_the_example_and_the_manual_are_completed_from_its_spec(project: Project) -> None:
    project.types("-m", "tests.reference")
    assert "#ACME_KEY=\n" in (project.root / ".env.example").read_text(encoding="utf-8")
    assert "| Acme Express | `ACME_KEY` |" in (project.root / "docs/carriers.md").read_text(encoding="utf-8")
    about = "carrier or setting or example"
    project.types("-m", "pytest", "-k", about, "tests/unit/manual/test_facts.py")
