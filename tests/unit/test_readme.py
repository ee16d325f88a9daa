"""The README, .env.example and CHANGELOG say what the code says."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recours import __version__
from recours.carriers.registry import CATALOG
from recours.cli import workers
from recours.cli.console import DONE, FAILED, USAGE
from recours.core.claim import Stage
from recours.core.errors import TRAITS, ErrorKind
from recours.core.policy import DEFAULT_WAITS
from recours.core.quota import Capability
from recours.database.schema.upgrade import create_file
from recours.database.tables import (
    GUIDE_COLUMNS,
    OWN_CLAIM_COLUMNS,
    SERVICE_POD_COLUMNS,
    VERSION_TABLE,
    metadata,
)
from recours.home import SETTING as HOME
from recours.operations.schedule import WORKERS
from recours.runs.summary import Report, Stats
from recours.settings.loading import load
from recours.settings.model import SETTINGS
from recours.settings.sources import SECRETS_SETTING
from tests.reference import credentials_of, settings_of

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
PROSE = re.sub(r"^ *```.*?^ *```$", "", README, flags=re.DOTALL | re.MULTILINE)


def section(title: str) -> str:
    """What stands below a heading, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#|\Z)", README, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[2]


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a section, without their heads, without backticks."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines]
    rules = [n for n, line in enumerate(lines) if set(line) <= set("|-")]
    return [row for n, row in enumerate(cells) if n not in rules and n + 1 not in rules]


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", README, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def general_settings() -> dict[str, str]:
    """Settings that are not the same for every carrier, with their defaults."""
    options = {option.name: option.default for spec in CATALOG.specs.values() for option in spec.options}
    return {setting.name: setting.default for setting in SETTINGS} | options


def all_settings() -> dict[str, str]:
    """Every name that a person may set, with its default."""
    names = general_settings()
    for spec in CATALOG.specs.values():
        names |= settings_of(spec)
    return names


# ---------------------------------------------------------------- options and settings


@pytest.mark.parametrize("script", ["pod_retry_scheduler", "pod_fetch_worker"])
def test_the_help_is_what_the_script_prints(script: str) -> None:
    shown = re.search(rf"<!-- help: {script} -->\n```text\n(.*?)```", README, re.DOTALL)
    command = [sys.executable, str(ROOT / "scripts" / f"{script}.py"), "--help"]
    printed = subprocess.run(
        command, env=os.environ | {"COLUMNS": "100"}, capture_output=True, encoding="utf-8", check=True
    )
    assert shown
    assert shown[1] == printed.stdout


def test_every_option_has_its_row_and_every_row_is_an_option() -> None:
    described = {
        name for row in rows(section("Options")) for name in re.findall(r"--[a-z-]+|-[a-z](?=,)", row[0])
    }
    there = {
        name for worker in WORKERS for parameter in workers._command(worker).params for name in parameter.opts
    }
    assert described == there | {"--help", "-h"}


def test_every_setting_has_its_row_and_every_row_is_a_setting() -> None:
    described = [row for row in rows(section("Settings")) if len(row) == 3]
    told = {name: "" if default == "none" else default for name, default, _ in described}
    assert told == general_settings()
    of_each = {row[0] for row in rows(section("Settings")) if len(row) == 2}
    assert of_each <= set(all_settings())
    kinds = {re.sub(r"^QUOTA_[A-Z]+|^[A-Z]+(?=_BASE|_DOCUMENT)", "", name) for name in of_each}
    assert kinds == {"_BASE_URL", "_DOCUMENT_FIRST", "", *(f"_{what}" for what in Capability)}


def test_every_carrier_has_its_rows() -> None:
    tables = rows(section("Carriers"))
    told = {row[0]: tuple(row[1:]) for row in tables if len(row) == 4}
    assert told == {
        spec.name: (credentials_of(spec).replace("`", ""), spec.base_url, spec.limits.get(None, ""))
        for spec in CATALOG.specs.values()
    }
    assert [row[0] for row in tables if len(row) == 2] == sorted(told)


def example_lines() -> Iterator[tuple[str, str]]:
    for line in EXAMPLE.splitlines():
        assert not line or line.startswith("#"), f"{line} is in force in the example"
        if found := re.fullmatch(r"#([A-Z][A-Z0-9_]*)=(.*)", line):
            yield found[1], found[2]


def test_the_example_has_every_setting_once_with_its_default() -> None:
    lines = list(example_lines())
    of_containers = {
        name: ""
        for path in (ROOT / "deploy").glob("compose*.yaml")
        for name in re.findall(r"\$\{(\w+)", path.read_text(encoding="utf-8"))
    }
    assert dict(lines) == all_settings() | of_containers
    assert len(lines) == len(dict(lines))


def test_the_example_uncommented_means_the_defaults(tmp_path: Path) -> None:
    untouched = load(tmp_path, {}, CATALOG)
    values = dict(example_lines())
    secrets = tmp_path / values[SECRETS_SETTING]
    secrets.parent.mkdir()
    secrets.touch()
    (tmp_path / ".env").write_text(
        "".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8"
    )
    assert load(tmp_path, {}, CATALOG) == untouched


def test_no_setting_is_spoken_of_that_is_none() -> None:
    prefixes = "|".join(spec.prefix for spec in CATALOG.specs.values())
    spoken_of = set(re.findall(rf"\b(?:RECOURS|QUOTA|DATABASE|{prefixes})_[A-Z_]*[A-Z]\b", README))
    assert spoken_of <= {*all_settings(), HOME, *(spec.prefix for spec in CATALOG.specs.values())}


# ---------------------------------------------------------------- tables of the code


def test_the_exit_statuses() -> None:
    told = [int(number) for row in rows(section("Exit statuses")) for number in row[0].split(",")]
    stopped = [128 + number for number in (signal.SIGINT, signal.SIGTERM)]
    assert told == [DONE, FAILED, USAGE, *stopped]


# Lines and keys that are there only if there is something to say are described too.
EVERYTHING = Stats(skipped_reserved=1, skipped_locked=1, last_attempts=1, samples=1, sampled_proofs=1)


def test_the_keys_of_json() -> None:
    report = Report("worker", "id", datetime(2026, 2, 6, tzinfo=UTC), 1.0, EVERYTHING)
    assert json.dumps(report.as_json())
    text = section("Success metrics")
    described = {row[1] for row in rows(text)}
    in_prose = set(re.findall(r"`(\w+)`", text.partition("prints these keys")[2].partition("With `")[0]))
    assert described | in_prose - {"recours_runs"} == set(report.as_json())


def test_the_summary_lines() -> None:
    report = Report("worker", "id", datetime(2026, 2, 6, tzinfo=UTC), 1.0, EVERYTHING)
    printed = {re.sub(r"^[^A-Z]*", "", line.partition(":")[0]) for line in report.lines()} - {"Duration"}
    assert {row[0] for row in rows(section("Success metrics"))} == printed


def test_the_kinds_of_error() -> None:
    told = {
        row[0]: (row[1].partition(",")[0], row[2], row[3]) for row in rows(section("What an answer means"))
    }
    traits = {
        kind.value: (
            "persistent" if of.persistent else "temporary",
            "yes" if of.uses_attempt else "no",
            of.actor,
        )
        for kind, of in TRAITS.items()
    }
    assert told == traits
    assert len(told) == len(ErrorKind)


def test_the_timetable() -> None:
    told = [[int(n) for n in re.findall(r"\d+", f"{row[1]} {row[2]}")] for row in rows(section("Timetable"))]
    hours = [wait // timedelta(hours=1) for wait in DEFAULT_WAITS]
    assert [row[0] for row in told] == hours
    assert [row[-1] for row in told] == [sum(hours[: n + 1]) for n in range(len(hours))]


def test_the_states() -> None:
    text = section("Timetable")
    assert [stage for stage in Stage if stage not in re.findall(r"\w+", text)] == []


def test_the_tables_and_columns() -> None:
    text = section("Database schema")
    named = set(re.findall(r"`(\w+)`", text))
    columns = {*SERVICE_POD_COLUMNS, *GUIDE_COLUMNS, *OWN_CLAIM_COLUMNS}
    tables = {name for name in metadata.tables if name.startswith("recours_")}
    assert {name for name in re.findall(r"\w+", text) if name.startswith("pod_")} == columns
    assert {name for name in named if name.startswith("recours_")} == {
        *tables,
        "recours_documents",
        VERSION_TABLE,
    }


def test_the_sql_can_be_run(tmp_path: Path) -> None:
    create_file(tmp_path / "new.db")
    queries = [text for text in blocks("sql") if not text.startswith("ALTER")]
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        for query in queries:
            connection.execute(query).fetchall()
    assert len(queries) == README.count("```sql") - 1


# ---------------------------------------------------------------- links, files, versions


def slug(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
def test_every_link_leads_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    anchors = {slug(heading) for heading in re.findall(r"^#+ (.+)$", README, re.MULTILINE)}
    targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)
    relative = [target for target in targets if not target.startswith("https://")]
    assert relative
    for target in relative:
        path, _, anchor = target.partition("#")
        assert not path or (ROOT / path).exists(), target
        assert not anchor or anchor in anchors, target


def test_every_file_named_is_there() -> None:
    made_by_runs = ("logs/", "data/", ".env", ".streamlit/", ".venv")
    top = {
        "scripts",
        "recours",
        "tests",
        "migrations",
        "requirements.txt",
        "pyproject.toml",
        "Makefile",
        ".env.example",
    }
    words = re.findall(r"(?<![\w/.\\-])((?:\.?[\w-]+[/\\])*\.?[\w-]+(?:\.\w+)+|[\w-]+/[\w/-]*)", README)
    paths = {word.replace("\\", "/") for word in words}
    named = {path for path in paths if path.split("/")[0] in top and not path.startswith(made_by_runs)}
    named -= {"recours.db"}
    assert {
        "scripts/pod_retry_scheduler.py",
        "tests/requirements.txt",
        "recours/carriers/registry.py",
    } <= named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_folder_of_the_package_is_described() -> None:
    described = {row[0] for row in rows(section("Project layout"))}
    folders = {f"recours/{path.parent.name}/" for path in (ROOT / "recours").glob("*/__init__.py")}
    assert folders <= described


def test_every_target_of_make_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake ([\w-]+)(?=`|   )", README))
    assert {"demo", "test"} <= targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_the_units_start_what_is_there() -> None:
    started = [line for text in blocks("ini") for line in text.splitlines() if line.startswith("ExecStart=")]
    assert [line.split()[-1] for line in started] == [
        "scripts/pod_retry_scheduler.py",
        "scripts/pod_fetch_worker.py",
    ]
    assert sum("Persistent=true" in text for text in blocks("ini")) == len(started)


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CHANGELOG.md",
        ".env.example",
        "tests/unit/test_readme.py",
        "tests/acceptance/test_guide.py",
    ],
)
def test_no_path_of_one_machine(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.~*\"}])/(?:work|root|home|Users|tmp|farm|opt)/", text) == []


def test_the_version() -> None:
    assert re.findall(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)[0] == __version__


def test_markers_of_code_are_balanced() -> None:
    assert len(re.findall(r"^ *```", README, re.MULTILINE)) % 2 == 0
    assert PROSE.count("`") % 2 == 0
