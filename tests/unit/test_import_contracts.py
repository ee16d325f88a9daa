"""The import contracts of pyproject.toml apply to modules that they do not name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checked files."""
    shutil.copytree(ROOT / "recours", tmp_path / "recours", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def broken_contracts(checkout: Path) -> str:
    """The tool's report of broken contracts; empty if all are kept."""
    done = subprocess.run(
        [str(LINT), "--no-cache"],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout), "COLUMNS": "200"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0 or "Broken contracts" in done.stdout, done.stdout + done.stderr
    return done.stdout.partition("Broken contracts")[2]


def test_shared_carrier_modules_may_be_imported(checkout: Path) -> None:
    (checkout / "recours/carriers/acme.py").write_text("from recours.carriers import client, message, soap\n")
    (checkout / "recours/sandbox/acme.py").write_text("from recours.sandbox import answers, soap\n")
    assert broken_contracts(checkout) == ""


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("carriers.acme", "carriers.gls"),
        ("carriers.gls", "carriers.acme"),
        ("carriers.acme", "carriers.registry"),
        ("carriers.acme", "carriers.queue"),  # the queue calls it, and it never bypasses the queue
        ("carriers.acme", "carriers.http"),
        ("carriers.queue", "carriers.acme"),
        ("sandbox.acme", "sandbox.gls"),
        ("sandbox.acme", "carriers.acme"),
    ],
)
def test_a_new_carrier_is_bound_without_being_named(checkout: Path, module: str, imported: str) -> None:
    for folder in ("carriers", "sandbox"):
        (checkout / "recours" / folder / "acme.py").write_text("")
    path = (checkout / "recours" / module.replace(".", "/")).with_suffix(".py")
    path.write_text(f"{path.read_text(encoding='utf-8')}\nimport recours.{imported}\n", encoding="utf-8")
    assert f"recours.{module} -> recours.{imported} (l." in broken_contracts(checkout)


def test_no_module_but_an_adapter_looks_at_the_services_tables(checkout: Path) -> None:
    path = checkout / "recours/bootstrap.py"
    path.write_text(f"{path.read_text(encoding='utf-8')}\nimport recours.database.border\n", encoding="utf-8")
    assert "recours.bootstrap -> recours.database.border" in broken_contracts(checkout)
