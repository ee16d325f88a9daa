"""The generated reference is complete and has a sentence about each item."""

import json
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docs import reference_pages
from docs.reference_pages import MEANINGS, tables
from recours.carriers.registry import CATALOG
from recours.cli.console import DONE, FAILED, USAGE
from recours.core.sentences import Sentence
from recours.host.home import SETTING as HOME
from recours.reporting.problems import ProblemKind
from recours.runs.worker import STOPPED
from recours.settings.model import SETTINGS
from tests.reference import settings_of


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference_pages.pages()


def first_cells(text: str) -> list[str]:
    """The texts in backticks in the first column of the tables."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def test_every_setting_once_with_its_default(pages: dict[str, str]) -> None:
    defaults = {setting.name: setting.default for setting in SETTINGS.values()}
    for spec in CATALOG.specs.values():
        defaults |= settings_of(spec)
    shown = re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)? *\|", pages["settings"], re.MULTILINE)
    assert dict(shown) == defaults | {HOME: ""}
    assert len(shown) == len(dict(shown))


def parts_of(page: str) -> dict[str, str]:
    """The text below each heading of a command."""
    parts = re.split(r"^### (.+)\n", page, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_command_with_all_its_options(pages: dict[str, str]) -> None:
    found, shown = reference_pages.commands(), parts_of(pages["commands"])
    assert set(found) == set(shown) | {"recours fetch", "recours retry"}
    for name, text in shown.items():
        for parameter in found[name].params:
            if isinstance(parameter, click.Option):
                assert all(each in text for each in (*parameter.opts, *parameter.secondary_opts)), (
                    name,
                    parameter,
                )


def test_no_meaning_is_left_over() -> None:
    columns = {(table, column) for table, names in tables().items() for column in names}
    assert {(table, column) for table, names in MEANINGS["columns"].items() for column in names} == columns
    assert set(MEANINGS["tables"]) == set(tables())
    assert set(MEANINGS["exit_statuses_of_commands"]) - {"recours status --check"} <= set(
        reference_pages.commands()
    )


def test_every_table_and_column(pages: dict[str, str]) -> None:
    for table, columns in tables().items():
        part = pages["database"].partition(f"\n### {table}\n")[2].partition("\n#")[0]
        assert first_cells(part) == columns


def test_every_stored_value(pages: dict[str, str]) -> None:
    for column, values in reference_pages.stored_values().items():
        (row,) = re.findall(rf"^\| `{re.escape(column)}` \| (.*) \|$", pages["database"], re.MULTILINE)
        assert re.findall(r"`([^`]*)`", row) == values


def test_every_exit_status(pages: dict[str, str]) -> None:
    stopped = [STOPPED + number for number in (signal.SIGINT, signal.SIGTERM)]
    shown = [int(number) for number in re.findall(r"^\| (\d+) \|", pages["exit-statuses"], re.MULTILINE)]
    assert shown == [DONE, FAILED, USAGE, *stopped]


def test_every_line_of_the_summary_with_its_key() -> None:
    lines, report = reference_pages.summary_lines(), reference_pages.fullest_report()
    assert set(MEANINGS["summary"]) == set(lines)
    keys = {key for key, *_ in MEANINGS["summary"].values()}
    assert keys | {"worker", "run_id", "started_at", "api_usage"} == set(report.as_json())
    assert json.dumps(report.as_json())


def test_every_sentence_about_a_claim(pages: dict[str, str]) -> None:
    assert set(Sentence) <= set(first_cells(pages["log"]))


def known_messages() -> Iterator[tuple[str, str]]:
    yield "INFO", "Found … claim(s) to retry"
    yield "WARNING", "Neither DATABASE_URL nor DATABASE_PATH is set; using the embedded database …"
    yield "ERROR", "The run failed with an internal error"
    yield (
        "error",
        "There is no database file …. Correct DATABASE_PATH or DATABASE_URL, or create the database with 'recours init-db'.",
    )
    yield "problem", "not scheduled for this user on this machine"


def test_messages_of_the_code(pages: dict[str, str]) -> None:
    for level, text in known_messages():
        assert f"| {level} | `{text}` |" in pages["log"]
    assert not re.search(r"%s|……|\{\w+\}", pages["log"])
    problems = pages["log"].partition("## Problems")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\| `", problems, re.MULTILINE)) == len(ProblemKind)


def test_no_page_shows_a_path_of_the_machine_that_made_it(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        assert str(reference_pages.ROOT) not in text, name


def test_a_page_that_is_out_of_date_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_pages, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["reference_pages"])
    reference_pages.main()
    monkeypatch.setattr(sys, "argv", ["reference_pages", "--check"])
    reference_pages.main()
    (tmp_path / "log.md").write_text("# Log\n", encoding="utf-8")
    (tmp_path / "gone.md").touch()
    with pytest.raises(SystemExit, match=r"docs/reference: gone\.md, log\.md\. Run 'make reference'"):
        reference_pages.main()


def test_no_page_depends_on_the_terminal(pages: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert reference_pages.pages() == pages
