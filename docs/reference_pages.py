"""Generate the pages of `docs/reference` from the code: settings, commands, JSON, database, exit statuses and log.

`make reference` writes them, and `make check` fails if a committed page is out of date. Texts that the code does not
contain come from `meanings.toml`. The package `recours` never imports this module.
"""

import ast
import re
import sqlite3
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import click
from sqlalchemy import URL

from recours.carriers.registry import CATALOG
from recours.cli import workers
from recours.cli.main import recours
from recours.core.actions import MAILS, SERVICE, ActionKind, ChangeKind
from recours.core.claim import MANUAL, FetchStatus, Stage
from recours.core.errors import Actor, ErrorKind
from recours.core.evidence import EvidenceKind
from recours.core.mail import LAPSED, EventName, MailKind, MailState
from recours.core.sentences import Sentence, SentenceParts, kind_of, sentence
from recours.database.border import NEEDED, NOTIFICATION_COLUMNS, OPTIONAL, POD_COLUMNS, SETTING_COLUMNS
from recours.database.engine import Database
from recours.database.schema.creation import create_file
from recours.database.schema.rights import Need, needs_of
from recours.database.tables import DONE, ERASED, NOT_ENROLLED, metadata
from recours.host.home import SETTING as HOME
from recours.reporting.problems import PROBLEMS
from recours.runs.summary import Report, Stats
from recours.runs.worker import WORKERS
from recours.settings.model import (
    GENERAL,
    MailSettings,
    MonitoringSettings,
    Setting,
    Settings,
    rows_of,
)
from tests.reference import settings_of

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
MEANINGS: dict[str, Any] = tomllib.loads((ROOT / "docs" / "meanings.toml").read_text(encoding="utf-8"))
_NOTE = "<!-- Generated from the code and docs/meanings.toml. Do not edit: run `make reference`. -->"
_WIDTH = 100


def pages() -> dict[str, str]:
    """The text of each page by the page's name."""
    return {
        "settings": settings_page(),
        "commands": commands_page(),
        "json": json_page(),
        "database": database_page(),
        "exit-statuses": exit_statuses_page(),
        "log": log_page(),
    }


def main() -> None:
    """Write the pages; with `--check`, exit with an error if a page in the folder is out of date."""
    generated = {FOLDER / f"{name}.md": text for name, text in pages().items()}
    if "--check" in sys.argv:
        present = {path: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
        changed = {path.name for path, _ in generated.items() ^ present.items()}
        if changed:
            sys.exit(
                f"Out of date in docs/reference: {', '.join(sorted(changed))}. Run 'make reference' and commit the result."
            )
        return
    for path, text in generated.items():
        path.write_text(text, encoding="utf-8")


# ---------------------------------------------------------------- Markdown


def _page(title: str, purpose: str, *parts: str) -> str:
    return "\n\n".join([_NOTE, f"# {title}", purpose, *parts]) + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells)


def _code(text: str) -> str:
    return f"`{text}`" if text and "`" not in text else text


def _sentence(text: str) -> str:
    """A phrase of the code as a sentence."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "…")) else ".")


# ---------------------------------------------------------------- settings


_HOME_MEANING = (
    "The folder where an installed copy keeps its files. It is set in the environment, never in `.env`. A checkout needs "
    "none: it keeps them itself."
)
_QUOTAS = (
    "A limit is written `number/window`: `100/day@Europe/Paris`, `20/hour`, `1/s`, `4/10s`. Several are separated by commas, "
    "and a call needs room in each. Empty: no limit. How to choose one: [Carriers](../carriers.md)."
)


def settings_page() -> str:
    groups = {
        "Database, credentials and waits": GENERAL,
        "Mail": tuple(rows_of(MailSettings).values()),
        "Monitoring": tuple(rows_of(MonitoringSettings).values()),
        "Runs, files and the page": tuple(rows_of(Settings).values()),
    }
    count = sum(map(len, groups.values())) + 1  # RECOURS_HOME
    return _page(
        "Settings",
        f"Every setting with its default: {count}, and those of the carriers. Set it in the environment or in `.env`; the environment wins. If the column is "
        "empty, there is no default. Secrets can be kept in a separate TOML file: "
        "[where settings come from](../carriers.md#where-settings-come-from).",
        *(f"## {title}\n\n{_settings_table(rows)}" for title, rows in groups.items()),
        f"## Where files are\n\n{_settings_table([Setting(HOME, '', str, _HOME_MEANING)])}",
        "## Carriers",
        "Credentials have no default: a carrier without them gets no call. `_BASE_URL` is for the carrier's test system or "
        "a simulation.",
        *(_carrier_settings(key) for key in sorted(CATALOG.specs)),
        f"## Quotas\n\n{_QUOTAS}",
        _table(("setting", "default"), sorted(_quota_rows())),
    )


def _settings_table(rows: Iterable[Setting]) -> str:
    cells = [
        (
            _code(row.name),
            _code(row.default),
            _sentence(row.meaning) + (" A secret." if row.is_secret else ""),
        )
        for row in rows
    ]
    return _table(("setting", "default", "meaning"), cells)


def _carrier_settings(key: str) -> str:
    spec = CATALOG.specs[key]
    options = {option.name: option.description for option in spec.options}
    meanings = {
        **{name: options.get(name, "A credential.") for name in settings_of(spec)},
        spec.base_url_setting: "Where its calls go: scheme and host.",
        spec.document_first_setting: "Ask for the document without tracking the parcel first.",
    }
    rows = [
        (_code(name), _code(default), _sentence(meanings[name]))
        for name, default in settings_of(spec).items()
        if not name.startswith("QUOTA_")
    ]
    return f"### {spec.name}\n\n{_table(('setting', 'default', 'meaning'), rows)}"


def _quota_rows() -> Iterator[tuple[str, str]]:
    for spec in CATALOG.specs.values():
        for name, default in settings_of(spec).items():
            if name.startswith("QUOTA_"):
                yield _code(name), _code(default)


# ---------------------------------------------------------------- commands


_GROUPS = {
    "The workers": ("pod_fetch_worker.py", "pod_retry_scheduler.py", "recours worker"),
    "See how it works": (
        "recours status",
        "recours why",
        "recours plan",
        "recours check",
        "recours export",
        "recours dashboard",
    ),
    "Act": (
        "recours accounts",
        "recours enroll",
        "recours correct",
        "recours attach",
        "recours detach",
        "recours dossier",
        "recours exclude",
        "recours reopen",
        "recours pause",
        "recours resume",
        "recours carriers",
        "recours mail",
    ),
    "Install and keep": (
        "recours init-db",
        "recours uninstall",
        "recours schedule",
        "recours backup",
        "recours restore",
        "recours prune",
        "recours erase",
        "recours verify",
    ),
    "Try out": ("recours demo", "recours sandbox"),
}
# The whole command line of these is that of a worker.
_WORKERS_AGAIN = {"recours fetch": "pod_fetch_worker.py", "recours retry": "pod_retry_scheduler.py"}


def commands() -> dict[str, click.Command]:
    """Each command as it is typed, without the path of its program."""
    found = dict(_below(recours, "recours"))
    return found | {f"{name}.py": workers._command(name) for name in WORKERS}  # noqa: SLF001 (it has no other door)


def _below(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            if below is not None:
                yield from _below(below, f"{name} {each}")


def commands_page() -> str:
    found = commands()
    parts = []
    for title, names in _GROUPS.items():
        parts.append(f"## {title}")
        parts += [
            _command_part(name, command)
            for first in names
            for name, command in found.items()
            if name == first or name.startswith(f"{first} ")
        ]
    again = (
        f"`{name}` takes the options of [`{worker}`](#{worker.replace('.', '')})."
        for name, worker in _WORKERS_AGAIN.items()
    )
    return _page(
        "Commands",
        "Every command with its own `--help`. In a checkout, type `.venv/bin/recours`; the workers are `scripts/….py`.",
        "## Shell completion",
        "Add this line to `~/.bashrc`. For zsh or fish, write `zsh_source` or `fish_source`.",
        '```bash\neval "$(_RECOURS_COMPLETE=bash_source recours)"\n```',
        *parts,
        "## In an installed copy",
        "An installed copy has no scripts. " + " ".join(again),
        _command_part("recours", found["recours"]),
    )


def _command_part(name: str, command: click.Command) -> str:
    shown = f"python3 scripts/{name}" if name.endswith(".py") else name
    context = click.Context(
        command,
        info_name=shown,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        help_option_names=["-h", "--help"],
    )
    statuses = MEANINGS["exit_statuses_of_commands"].get(name)
    after = [f"Exit status {statuses}"] if statuses else []
    return "\n\n".join([f"### {name}", f"```text\n{command.get_help(context)}\n```", *after])


# ---------------------------------------------------------------- JSON


def meaning_of(command: str, key: str) -> str:
    """What a key means; "": nothing is said of it."""
    of_run = "workers[].runs[].stats."
    if command == "recours status" and key.startswith(of_run):
        command, key = "pod_retry_scheduler.py", key.removeprefix(of_run)
    meanings = MEANINGS["json"].get(command, {})
    return str(meanings.get(key) or meanings.get(alike(key), ""))


def alike(key: str) -> str:
    """One key for several that mean the same: `success.by_day.*.failed` is a `success.*.failed`."""
    return re.sub(r"^success\.(?:all|by_\w+(?:\.\*)?)\.(?=\w)", "success.*.", key)


def json_page() -> str:
    parts = []
    for command, meanings in MEANINGS["json"].items():
        name, _, option = command.partition(" --")
        option = f" --{option}" if option else ""
        rows = [(_code(key), meaning) for key, meaning in meanings.items()]
        parts.append(f"## {name}{option} --json\n\n{_table(('key', 'meaning'), rows)}")
    return _page(
        "JSON",
        "The keys of everything that `--json` prints: one object, or for `recours export claims` a list. "
        "Times are ISO 8601 with an offset. `pod_fetch_worker.py` prints the same keys as `pod_retry_scheduler.py`.",
        "`[]` stands for each item of a list, and `.*` for a name, such as a carrier's. A summary has "
        "`last_attempts` too where it is not 0.",
        *parts,
    )


# ---------------------------------------------------------------- database


@cache
def columns_in_database() -> dict[str, dict[str, str]]:
    """Each table and view of a new database, with its columns and their types."""
    with tempfile.TemporaryDirectory() as folder:
        create_file(Path(folder) / "new.db")
        with closing(sqlite3.connect(Path(folder) / "new.db")) as connection:
            names = [
                name
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
                )
            ]
            return {
                name: {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({name})")}
                for name in names
            }


def tables() -> dict[str, list[str]]:
    """Each table and view that recours reads or writes, with the columns that it knows."""
    present = columns_in_database()
    named = {name: [column.name for column in table.columns] for name, table in metadata.tables.items()}
    of_service = {
        "claims": [*NEEDED, *OPTIONAL, *POD_COLUMNS],
        "clients": [name for name in present["clients"] if name != "created_at"],
        "notifications": [*NOTIFICATION_COLUMNS],
        "system_settings": [*SETTING_COLUMNS],
    }
    views = {name: list(columns) for name, columns in present.items() if name.startswith("recours_")}
    return dict(sorted({**of_service, **named, **views}.items()))


def stored_values() -> dict[str, list[str]]:
    """By column: the values that are stored in it."""
    values: dict[str, Iterable[str]] = {
        "claims.pod_fetch_status": [*FetchStatus, MANUAL],
        "recours_claims.stage": [*Stage, DONE, NOT_ENROLLED, ERASED],
        "recours_claims.kind": ErrorKind,
        "recours_claims.error_key": Sentence,
        "recours_attempts.error_kind": ErrorKind,
        "recours_attempts.error_key": Sentence,
        "recours_attempts.outcome": ("failed", "left", "success"),
        "recours_changes.what": ChangeKind,
        "recours_changes.by": [SERVICE],
        "recours_actions.what": ActionKind,
        "recours_actions.subject": [MAILS],
        "recours_evidence.kind": EvidenceKind,
        "recours_events.event": EventName,
        "recours_events.audience": Actor,
        "recours_events.told": [LAPSED],
        "recours_mails.kind": MailKind,
        "recours_mails.state": MailState,
        "recours_runs.worker": WORKERS,
    }
    return {column: sorted(of_column) for column, of_column in values.items()}


def database_page() -> str:
    own = [name for name in tables() if name.startswith("recours_")]
    service = [name for name in tables() if not name.startswith("recours_")]
    values = [
        (_code(column), ", ".join(map(_code, of_column)))
        for column, of_column in sorted(stored_values().items())
    ]
    return _page(
        "Database",
        "The tables and columns that recours reads and writes, and the rights it needs. How to connect your database: "
        "[Connect your database](../connect.md).",
        "All times are UTC. The types are those of SQLite; PostgreSQL has the same under its own names. Claim ids may be 64 "
        "bits wide.",
        "## The service's tables",
        *map(_table_part, service),
        "## Tables of recours",
        *map(_table_part, own),
        "## Stored values",
        _table(("column", "values"), values),
        "## Rights on PostgreSQL",
        "`recours init-db --grant-to ROLE` grants them. Without the rights marked as optional, claims are fetched and no "
        "mail is written.",
        _table(("table", "rights", ""), _rights_rows()),
        "Tables that number their rows need `USAGE` on the sequence too. To use the schema at all, the role needs `USAGE` "
        "on it.",
    )


def _table_part(name: str) -> str:
    meanings, types = MEANINGS["columns"].get(name, {}), columns_in_database().get(name, {})
    rows = [
        (_code(column), types.get(column, "").lower(), meanings.get(column, "")) for column in tables()[name]
    ]
    head = ("column", "type", "meaning")
    return f"### {name}\n\n{MEANINGS['tables'].get(name, '')}\n\n{_table(head, rows)}"


@cache
def needs() -> tuple[Need, ...]:
    """What runs need on a database that has all of the service's tables."""
    with tempfile.TemporaryDirectory() as folder:
        create_file(Path(folder) / "new.db")
        database = Database(URL.create("sqlite", database=f"{folder}/new.db"))
        try:
            return needs_of(database.border)
        finally:
            database.close()


def _rights_rows() -> Iterator[tuple[str, str, str]]:
    for need in needs():
        notes = ["optional: for mails" if need.optional else "", "and its sequence" if need.numbered else ""]
        yield _code(need.name), ", ".join(map(_code, need.rights)), "; ".join(filter(None, notes))


# ---------------------------------------------------------------- exit statuses


def exit_statuses_page() -> str:
    general = [(number, text) for number, text in MEANINGS["exit_statuses"].items()]
    of_commands = [
        (_code(command), text) for command, text in sorted(MEANINGS["exit_statuses_of_commands"].items())
    ]
    return _page(
        "Exit statuses",
        "What a command's exit status means. The sentence that explains a 1 or a 2 is on stderr and, for a worker, also in "
        "its log.",
        _table(("status", "meaning"), general),
        "A worker that another signal stops ends with 128 plus the signal's number. A claim that gave up is no failure: the "
        "run that gave it up ends with 0.",
        "## Of single commands",
        "In addition to the above:",
        _table(("command", "status"), of_commands),
    )


# ---------------------------------------------------------------- log


_LEVELS = {"info": "INFO", "warning": "WARNING", "error": "ERROR", "exception": "ERROR"}
_CHECKS = {"remark": "note", "fault": "problem"}
# Packages whose sentences are neither logged nor printed by a command.
_SILENT = ("dashboard", "sandbox", "memory")
# What a carrier's answer could not be read for, and the like: part of another sentence, not one.
_FRAGMENT = re.compile(r"[a-z].*[^.]|.*\battribute .*", re.DOTALL)


def log_page() -> str:
    summary = [
        (_code(line), _code(key), _sentence(meaning), watch)
        for line, (key, meaning, watch) in MEANINGS["summary"].items()
    ]
    sentences = [
        (_code(key.value), kind_of(key).value, _said("en", key), _said("fr", key)) for key in sorted(Sentence)
    ]
    return _page(
        "Log",
        "The lines of `logs/pod_fetch_worker.log` and `logs/pod_retry_scheduler.log`, which are also on stderr. Times are "
        "this machine's.",
        "```text\n2026-02-06 14:00:01 - [INFO] - __main__ - Found 5 claim(s) to retry\n```",
        "`WARNING` is worth a look. `ERROR` means that something ended: a claim gave up, or the run failed. Files rotate at "
        "`RECOURS_LOG_MAX_MB`, and ten old ones are kept. `logs/email_sender.log` has a line for each mail.",
        "## Summary of a run",
        "At its end a run logs these lines; `--json` prints the same figures. Every run's figures are kept in "
        "`recours_runs`. For each carrier that was called a line follows: "
        "`Chronopost: 5/100 per day, resets 2026-02-07 00:00`.",
        _table(("line", "key", "what it counts", "watch for"), summary),
        "## Errors of claims",
        "`pod_fetch_error` is one of these sentences, in the language of `RECOURS_LANGUAGE`; the log has the English one. The "
        "carrier's own text may follow. What each kind means: [Retries](../retries.md).",
        _table(("key", "kind", "English", "French"), sentences),
        "## Problems",
        "What `recours status` lists, and the command that it names.",
        _table(("problem", "what to do"), sorted(_problem_rows())),
        "## Messages",
        "Other lines of the log (`INFO`, `WARNING`, `ERROR`), errors of commands (`error`), and what `recours check` says "
        "(`note`, `problem`), in alphabetical order. `…` stands for what differs. What to do about the frequent ones: "
        "[Troubleshooting](../troubleshooting.md).",
        _table(("level", "message"), [(level, _code(text)) for text, level in sorted(messages().items())]),
    )


def _problem_rows() -> Iterator[tuple[str, str]]:
    for text in PROBLEMS.values():
        one = text.sentence if isinstance(text.sentence, str) else text.sentence.one
        yield _code(_open(one)), _code(_open(text.remedy))


def _open(form: str) -> str:
    """A form with `…` for its markers."""
    return re.sub(r"\{\w+\}", "…", form)


def fullest_report() -> Report:
    """A run's report with every line and key that there can be."""
    everything = Stats(skipped_reserved=1, last_attempts=1)
    return Report("worker", "id", datetime(2026, 2, 6, tzinfo=UTC), 1.0, everything)


def summary_lines() -> list[str]:
    """How the lines of a run's summary begin, without the signs before them."""
    return [re.sub(r"^[^A-Z]*", "", line.partition(":")[0]) for line in fullest_report().lines()]


def _said(language: str, key: Sentence) -> str:
    return sentence(language, SentenceParts(key, "CARRIER")).replace("CARRIER", "…")


@cache
def messages() -> Mapping[str, str]:
    """What the code logs, raises as an error for people, or finds in a check: each text with its level."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "recours").rglob("*.py")):
        if path.relative_to(ROOT / "recours").parts[0] in _SILENT:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for level, text in _said_by(node) if isinstance(node, ast.Call) else ():
                if re.search(r"[a-z]{3} ?\W*[a-z]{2}", text):
                    found.setdefault(text, level)
    return found


def _said_by(call: ast.Call) -> Iterator[tuple[str, str]]:
    """The level and the text of what a call says, if it says something."""
    texts = [_text_of(argument) for argument in call.args]
    match call.func, texts:
        case ast.Attribute(value=ast.Name(id=owner), attr=name), [text, *_] if owner.endswith("log"):
            if name in _LEVELS:
                yield _LEVELS[name], text
        case ast.Name(id=name), [_, text, *_] if name in _CHECKS:
            yield _CHECKS[name], text
        case ast.Name(id=name) | ast.Attribute(attr=name), [text, *_] if (
            name.endswith("Error") or name == "say_error"
        ):
            if not _FRAGMENT.fullmatch(text):
                yield "error", text


def _text_of(node: ast.expr) -> str:
    """A text of the code, with `…` for what is only known when it runs."""
    match node:
        case ast.Constant(value=str(text)):
            return _one_line(text)
        case ast.JoinedStr(values=parts):
            return _one_line("".join(_text_of(part) for part in parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text_of(left) + _text_of(right)
    return "…"


def _one_line(text: str) -> str:
    return " ".join(text.split("\n"))


if __name__ == "__main__":
    main()
