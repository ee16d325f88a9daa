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


def _meanings() -> dict[str, Any]:
    """The content of meanings.toml. In its JSON keys, `+` is replaced by all keys of the named part."""
    meanings = tomllib.loads((ROOT / "docs" / "meanings.toml").read_text(encoding="utf-8"))
    for command, keys in meanings["json"].items():
        expanded: dict[str, str] = {}
        for key, text in keys.items():
            part = meanings["json_parts"][text] if key.endswith("+") else {"": text}
            expanded |= {key.removesuffix("+") + name: meaning for name, meaning in part.items()}
        meanings["json"][command] = expanded
    return meanings


MEANINGS = _meanings()
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
    """Write the pages. With `--check`, exit with an error if a page in the folder is out of date."""
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
    """The phrase with a capital letter and a period."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "…")) else ".")


# ---------------------------------------------------------------- settings


_HOME_MEANING = (
    "The folder for the files of an installed package. Set it in the environment, never in `.env`. A checkout does not need "
    "this setting, because it contains its files."
)
_QUOTAS = (
    "The format of a limit is `number/window`: `100/day@Europe/Paris`, `20/hour`, `1/s`, `4/10s`. Separate several limits with commas; "
    "each call counts against all of them. Empty means no limit. To choose a quota, see [Carriers](../carriers.md)."
)


def settings_page() -> str:
    groups = {
        "Database, credentials and waits": GENERAL,
        "Email": tuple(rows_of(MailSettings).values()),
        "Monitoring": tuple(rows_of(MonitoringSettings).values()),
        "Runs, files and the dashboard": tuple(rows_of(Settings).values()),
    }
    count = sum(map(len, groups.values())) + 1  # plus RECOURS_HOME
    return _page(
        "Settings",
        f"The {count} general settings and those of each carrier, with their defaults. Set them in the environment or in `.env`; the environment wins. An "
        "empty cell means no default. Secrets can be stored in a separate TOML file: see "
        "[where settings come from](../carriers.md#where-settings-come-from).",
        *(f"## {title}\n\n{_settings_table(rows)}" for title, rows in groups.items()),
        f"## File locations\n\n{_settings_table([Setting(HOME, '', str, _HOME_MEANING)])}",
        "## Carriers",
        "Credentials have no default: recours does not call a carrier without credentials. Use `_BASE_URL` for the carrier's "
        "test system or a simulation.",
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
        spec.base_url_setting: "The scheme and host for API calls.",
        spec.document_first_setting: "Whether to request the document without tracking the parcel first.",
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
    "Workers": ("pod_fetch_worker.py", "pod_retry_scheduler.py", "recours worker"),
    "Status and reports": (
        "recours status",
        "recours why",
        "recours plan",
        "recours check",
        "recours export",
        "recours dashboard",
    ),
    "Claims, carriers and emails": (
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
    "Installation and maintenance": (
        "recours init-db",
        "recours uninstall",
        "recours schedule",
        "recours backup",
        "recours restore",
        "recours prune",
        "recours erase",
        "recours verify",
    ),
    "Demo and simulation": ("recours demo", "recours sandbox"),
}
# Commands with the same options as a script.
_SCRIPT_OF = {"recours fetch": "pod_fetch_worker.py", "recours retry": "pod_retry_scheduler.py"}


def commands() -> dict[str, click.Command]:
    """Each command by its full name, such as `recours carriers check`."""
    found = dict(_below(recours, "recours"))
    return found | {f"{name}.py": workers._command(name) for name in WORKERS}  # noqa: SLF001 (there is no public function)


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
    aliases = (
        f"`{name}` takes the options of [`{worker}`](#{worker.replace('.', '')})."
        for name, worker in _SCRIPT_OF.items()
    )
    return _page(
        "Commands",
        "The `--help` of every command. In a checkout, type `.venv/bin/recours`; the workers are `scripts/….py`.",
        "## Shell completion",
        "Add this line to `~/.bashrc`. For zsh or fish, replace `bash_source` with `zsh_source` or `fish_source`.",
        '```bash\neval "$(_RECOURS_COMPLETE=bash_source recours)"\n```',
        *parts,
        "## In an installed package",
        "An installed package has no scripts. " + " ".join(aliases),
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
    """The meaning of a key, or "" if `meanings.toml` has none."""
    of_run = "workers[].runs[].stats."
    if command == "recours status" and key.startswith(of_run):
        command, key = "pod_retry_scheduler.py", key.removeprefix(of_run)
    meanings = MEANINGS["json"].get(command, {})
    return str(meanings.get(key) or meanings.get(shared_key(key), ""))


def shared_key(key: str) -> str:
    """The key that documents all keys with its meaning, such as `success.*.failed` for `success.by_day.*.failed`."""
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
        "All keys that `--json` prints. The output is one object, or for `recours export claims` a list. "
        "Times are ISO 8601 with an offset. `pod_fetch_worker.py` prints the same keys as `pod_retry_scheduler.py`.",
        "`[]` stands for each item of a list, and `.*` for a name, such as a carrier's. A summary also has "
        "`last_attempts` if it is not 0.",
        *parts,
    )


# ---------------------------------------------------------------- database


@cache
def columns_in_database() -> dict[str, dict[str, str]]:
    """The columns of each table and view of a new database, with their types."""
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
    """The columns that recours uses of each table and view."""
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
    """The possible values of each column with fixed values."""
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
        "The tables and columns that recours reads and writes, and the permissions it needs. To connect your database, see "
        "[Connect your database](../connect.md).",
        "All times are UTC. The types are those of SQLite; PostgreSQL uses its equivalents. Claim ids have up to 64 bits.",
        "## Tables of the claims service",
        *map(_table_part, service),
        "## Tables of recours",
        *map(_table_part, own),
        "## Stored values",
        _table(("column", "values"), values),
        "## Permissions on PostgreSQL",
        "`recours init-db --grant-to ROLE` grants these permissions. Without the optional ones, recours fetches claims but sends no "
        "emails.",
        _table(("table", "permissions", ""), _rights_rows()),
        "Tables with generated ids also need `USAGE` on the sequence. The role needs `USAGE` on the schema.",
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
    """The permissions that runs need if the claims service has all tables."""
    with tempfile.TemporaryDirectory() as folder:
        create_file(Path(folder) / "new.db")
        database = Database(URL.create("sqlite", database=f"{folder}/new.db"))
        try:
            return needs_of(database.border)
        finally:
            database.close()


def _rights_rows() -> Iterator[tuple[str, str, str]]:
    for need in needs():
        notes = ["optional: for emails" if need.optional else "", "and its sequence" if need.numbered else ""]
        yield _code(need.name), ", ".join(map(_code, need.rights)), "; ".join(filter(None, notes))


# ---------------------------------------------------------------- exit statuses


def exit_statuses_page() -> str:
    general = [(number, text) for number, text in MEANINGS["exit_statuses"].items()]
    of_commands = [
        (_code(command), text) for command, text in sorted(MEANINGS["exit_statuses_of_commands"].items())
    ]
    return _page(
        "Exit statuses",
        "The meaning of each exit status. With status 1 or 2, the explanation is on stderr and, for a worker, also in "
        "its log.",
        _table(("status", "meaning"), general),
        "A worker that is stopped by another signal ends with 128 plus the signal's number. Giving up on a claim is not a failure: "
        "the run ends with 0.",
        "## Statuses of single commands",
        "In addition to the statuses above:",
        _table(("command", "status"), of_commands),
    )


# ---------------------------------------------------------------- log


_LEVELS = {"info": "INFO", "warning": "WARNING", "error": "ERROR", "exception": "ERROR"}
_CHECKS = {"remark": "note", "fault": "problem"}
# Packages whose texts are neither logged nor printed by a command.
_EXCLUDED = ("dashboard", "sandbox", "memory")
# Fragments that become part of another sentence, such as why an answer could not be parsed.
_FRAGMENT = re.compile(r"[a-z].*[^.]|.*\battribute .*", re.DOTALL)


def log_page() -> str:
    summary = [
        (_code(line), _code(key), _sentence(meaning), watch)
        for line, (key, meaning, watch) in MEANINGS["summary"].items()
    ]
    sentences = [
        (_code(key.value), kind_of(key).value, _error_text("en", key), _error_text("fr", key))
        for key in sorted(Sentence)
    ]
    return _page(
        "Log",
        "The lines of `logs/pod_fetch_worker.log` and `logs/pod_retry_scheduler.log`, which are also printed on stderr. Times are "
        "in the machine's time zone.",
        "```text\n2026-02-06 14:00:01 - [INFO] - __main__ - Found 5 claim(s) to retry\n```",
        "A `WARNING` may need your attention. An `ERROR` is final: recours gave up on a claim, or the run failed. Files rotate at "
        "`RECOURS_LOG_MAX_MB`, and ten old files are kept. `logs/email_sender.log` has a line for each email.",
        "## Summary of a run",
        "Each run logs these lines at the end; `--json` prints the same figures, and the table `recours_runs` stores them. "
        "A line for each carrier that was called follows: "
        "`Chronopost: 5/100 per day, resets 2026-02-07 00:00`.",
        _table(("line", "key", "meaning", "watch for"), summary),
        "## Errors of claims",
        "`pod_fetch_error` is one of these sentences, in the language of `RECOURS_LANGUAGE`; the log uses English. The "
        "carrier's own text may follow. For the meaning of each kind see [Retries](../retries.md).",
        _table(("key", "kind", "English", "French"), sentences),
        "## Problems",
        "The problems that `recours status` reports, each with a command that helps.",
        _table(("problem", "what to do"), sorted(_problem_rows())),
        "## Messages",
        "Other log messages (`INFO`, `WARNING`, `ERROR`), errors of commands (`error`), and results of `recours check` "
        "(`note`, `problem`), in alphabetical order. `…` stands for variable text. For frequent messages, see "
        "[Troubleshooting](../troubleshooting.md).",
        _table(("level", "message"), [(level, _code(text)) for text, level in sorted(messages().items())]),
    )


def _problem_rows() -> Iterator[tuple[str, str]]:
    for text in PROBLEMS.values():
        one = text.sentence if isinstance(text.sentence, str) else text.sentence.one
        yield _code(_with_ellipses(one)), _code(_with_ellipses(text.remedy))


def _with_ellipses(form: str) -> str:
    """The template with `…` for its placeholders."""
    return re.sub(r"(\{\w+\}|%s|…)+", "…", form)


def fullest_report() -> Report:
    """A run's report with every possible line and key."""
    everything = Stats(skipped_reserved=1, last_attempts=1)
    return Report("worker", "id", datetime(2026, 2, 6, tzinfo=UTC), 1.0, everything)


def summary_lines() -> list[str]:
    """The names of the lines of a run's summary, without emoji."""
    return [re.sub(r"^[^A-Z]*", "", line.partition(":")[0]) for line in fullest_report().lines()]


def _error_text(language: str, key: Sentence) -> str:
    return sentence(language, SentenceParts(key, "CARRIER")).replace("CARRIER", "…")


@cache
def messages() -> Mapping[str, str]:
    """The texts that the code logs, raises as errors for people, or reports in checks, each with its level."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "recours").rglob("*.py")):
        if path.relative_to(ROOT / "recours").parts[0] in _EXCLUDED:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for level, text in _messages_of(node) if isinstance(node, ast.Call) else ():
                if re.search(r"[a-z]{3} ?\W*[a-z]{2}|FAILED", text):
                    found.setdefault(text, level)
    return found


def _messages_of(call: ast.Call) -> Iterator[tuple[str, str]]:
    """The level and the text of a call that logs, raises or reports a message."""
    texts = [_with_ellipses(_text_of(argument)) for argument in call.args]
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
    """A text in the code, with `…` for values that are known only at run time."""
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
