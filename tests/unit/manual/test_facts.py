"""Facts in the manual, .env.example and CHANGELOG agree with the code, where they are not generated."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from docs.reference_pages import needs
from recours import __version__
from recours.carriers.registry import CATALOG
from recours.core.claim import Stage
from recours.core.errors import TRAITS, ErrorKind
from recours.core.policy import DEFAULT_WAITS
from recours.core.quota import Capability
from recours.database.border import CORRECTED, POD_COLUMNS
from recours.database.schema.creation import create_file
from recours.host.home import SETTING as HOME
from recours.settings.loading import load
from recours.settings.model import SETTINGS
from recours.settings.sources import SECRETS_SETTING
from tests.reference import credentials_of, settings_of
from tests.unit.manual.pages import ROOT, blocks, everything, rows, section, text_of

EXAMPLE = text_of(".env.example")
CHANGELOG = text_of("CHANGELOG.md")


def general_settings() -> dict[str, str]:
    """The general settings and the options of carriers, with their defaults."""
    options = {option.name: option.default for spec in CATALOG.specs.values() for option in spec.options}
    return {setting.name: setting.default for setting in SETTINGS.values()} | options


def all_settings() -> dict[str, str]:
    """Every setting with its default."""
    names = general_settings()
    for spec in CATALOG.specs.values():
        names |= settings_of(spec)
    return names


# ---------------------------------------------------------------- settings and carriers


def test_every_carrier_has_its_rows() -> None:
    tables = rows(section("docs/carriers.md", "Carriers"))
    documented = {row[0]: tuple(row[1:]) for row in tables if len(row) == 4}
    assert documented == {
        spec.name: (credentials_of(spec).replace("`", ""), spec.base_url, spec.limits.get(None, ""))
        for spec in CATALOG.specs.values()
    }
    assert [row[0] for row in tables if len(row) == 2] == sorted(documented)
    live = rows(section("docs/carriers.md", "Report what a live service answers"))
    assert {row[0]: row[2] == "no document exists" for row in live} == {
        spec.name: not spec.issues_documents for spec in CATALOG.specs.values()
    }


def test_every_setting_in_the_table_of_others_has_its_default() -> None:
    documented = {row[0]: row[1] for row in rows(section("docs/carriers.md", "Other settings"))}
    options = {option.name for spec in CATALOG.specs.values() for option in spec.options}
    assert options <= documented.keys()
    assert {name: value for name, value in documented.items() if name in general_settings()} == {
        name: value for name, value in general_settings().items() if name in documented
    }


def test_every_kind_of_call_that_a_quota_may_have_is_described() -> None:
    described = {row[0] for row in rows(section("docs/carriers.md", "Quotas")) if row[0].startswith("QUOTA_")}
    assert described <= all_settings().keys()
    assert {re.sub(r"^QUOTA_[A-Z]+", "", name) for name in described} == {
        "",
        *(f"_{what}" for what in Capability),
    }


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


def test_the_example_says_what_the_field_says() -> None:
    """`last-turn` is a value."""
    comments = [line for line in EXAMPLE.splitlines() if line.startswith("# ")]
    assert comments
    assert [
        line for line in comments if re.search(r"(?<![\w-])(turns?|timetable|watched|README)\b", line)
    ] == []


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


# Of the tests and of shells alone. ACME is the carrier that the page on adding one makes up.
_OF_TESTS = {"RECOURS_LONG", "RECOURS_FUZZ_EXAMPLES", "RECOURS_TEST_POSTGRES_URL", "_RECOURS_COMPLETE"}


def test_every_mentioned_setting_exists() -> None:
    prefixes = "|".join(spec.prefix for spec in CATALOG.specs.values())
    form = rf"(?<!\w)(?:RECOURS|QUOTA|DATABASE|SMTP|ADMIN|{prefixes})_[A-Z_]*[A-Z]\b"
    mentioned = {name for name in re.findall(form, everything()) if "ACME" not in name}
    known = {*all_settings(), HOME, *_OF_TESTS, *(spec.prefix for spec in CATALOG.specs.values())}
    assert mentioned - known == set()


# ---------------------------------------------------------------- tables of the code


def test_the_kinds_of_error() -> None:
    documented = {
        row[0]: (row[1].partition(",")[0], row[2], row[3])
        for row in rows(section("docs/retries.md", "What an answer means"))
    }
    traits = {
        kind.value: (
            "persistent" if of.persistent else "temporary",
            "yes" if of.uses_attempt else "no",
            of.actor,
        )
        for kind, of in TRAITS.items()
    }
    assert documented == traits
    assert len(documented) == len(ErrorKind)


def test_the_waits() -> None:
    table = rows(section("docs/retries.md", "The waits"))
    documented = [[int(n) for n in re.findall(r"\d+", f"{row[1]} {row[2]}")] for row in table]
    hours = [wait // timedelta(hours=1) for wait in DEFAULT_WAITS]
    assert [row[0] for row in documented] == hours
    assert [row[-1] for row in documented] == [sum(hours[: n + 1]) for n in range(len(hours))]


def test_the_states() -> None:
    text = text_of("docs/retries.md")
    assert [stage for stage in Stage if stage not in re.findall(r"\w+", text)] == []


# These change a database that is there already, or are PostgreSQL's.
_NOT_TO_BE_RUN = ("ALTER", "GRANT", "REVOKE", "CREATE", "UPDATE", "DELETE")


def test_the_sql_can_be_run(tmp_path: Path) -> None:
    create_file(tmp_path / "new.db")
    run = 0
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        for block in blocks("sql"):
            if not block.text.startswith(_NOT_TO_BE_RUN):
                for query in filter(str.strip, block.text.split(";\n")):
                    connection.execute(query).fetchall()
                    run += 1
    assert run


def test_the_grants_by_hand_are_what_a_run_needs() -> None:
    """Every run fails if its role was granted permissions from an incomplete list."""
    granted: dict[str, set[str]] = {}
    form = r"GRANT ([A-Z, ]+?)(?: \(([\w,\s]+)\))? ON\s+(?:SEQUENCE\s+)?([\w,\s]+?)\s+TO"
    for rights, columns, names in re.findall(form, section("docs/connect.md", "Rights on PostgreSQL")):
        for name in names.split(","):
            granted.setdefault(name.strip(), set()).update(re.findall("[A-Z]+", rights))
        if columns:
            assert [column.strip() for column in columns.split(",")] == [*POD_COLUMNS, *CORRECTED]
    sequences = {f"{need.name}_id_seq": {"USAGE"} for need in needs() if need.numbered}
    del granted["SCHEMA public"]
    assert granted == {need.name: {*need.rights} for need in needs()} | sequences


def test_every_folder_of_the_package_is_described() -> None:
    text = text_of("docs/develop/architecture.md")
    folders = {f"recours/{path.parent.name}/" for path in (ROOT / "recours").glob("*/__init__.py")}
    assert folders <= {row[0] for row in rows(text)}


def test_buttons_are_named_as_on_the_dashboard() -> None:
    labels = re.findall(r'^msgid "(.+)"$', text_of("recours/locale/fr/LC_MESSAGES/recours.po"), re.MULTILINE)
    named = re.findall(r"(?:button|[Pp]ress|[Uu]se)\s+[*`]([A-Z][a-z][^*`]+)[*`]", everything())
    assert "Fetch now" in named
    assert set(named) - set(labels) == set()


@pytest.mark.parametrize("name", ["CHANGELOG.md", ".env.example", "tests/acceptance/test_guide.py"])
def test_no_path_of_one_machine(name: str) -> None:
    assert re.findall(r"(?<![\w.~*\"}])/(?:work|root|home|Users|tmp|farm|opt)/", text_of(name)) == []


def test_the_version() -> None:
    assert re.findall(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)[0] == __version__
