"""`recours check`: everything that runs depend on, looked at; each ok, or what to do."""

import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import TZPATH

import click

from recours.carriers.registry import CATALOG
from recours.cli import schedule
from recours.cli.console import harmless
from recours.cli.desk import DONE, FAILED, ROOT, USAGE, database_option, json_option, tell_json
from recours.core.mail import MailState
from recours.core.redact import Redactor
from recours.core.text import clean
from recours.database.clock import SystemClock, clock_offset
from recours.database.engine import Database, DatabaseFault
from recours.database.schema import HEAD, Schema, look, require_claims
from recours.desk import checks
from recours.desk.checks import Finding, State
from recours.desk.overview import Overview
from recours.desk.schedule import WORKERS, Entry, ScheduleFault
from recours.logs import local
from recours.machine.files import free_bytes, mode_of, size_of, trouble_with
from recours.settings.loading import load
from recours.settings.model import Settings, SettingsFault
from recours.settings.sources import SECRETS_SETTING, find, process_environment
from recours.wiring import CLOCKS_AGREE, Desk, PostOffice, connect, desk_over, redactor

if TYPE_CHECKING:
    from recours.notifications.smtp import SmtpSettings

_SMTP_TIMEOUT_S = 10.0
_LONGEST = 1000
_COLOURS = {State.OK: "green", State.REMARK: "yellow", State.FAULT: "red"}


class Bench:
    """What is looked at. The database is tried once: what it says the first time holds for all."""

    def __init__(self, settings: Settings, *, offline: bool) -> None:
        """Connects nowhere yet."""
        self.settings = settings
        self.offline = offline
        self._looked: tuple[Database, Schema] | DatabaseFault | None = None
        self._overview: Overview | DatabaseFault | None = None

    def database(self) -> tuple[Database, Schema]:
        """The database and what it holds. Raises DatabaseFault."""
        if self._looked is None:
            try:
                database = connect(self.settings)
                schema = look(database)
                require_claims(database, schema)
                self._looked = database, schema
            except DatabaseFault as error:
                self._looked = error
        if isinstance(self._looked, DatabaseFault):
            raise self._looked
        return self._looked

    def desk(self) -> Desk | None:
        """The desk; None as long as the schema is not current. Raises DatabaseFault."""
        database, schema = self.database()
        if not schema.is_current:
            return None
        return desk_over(self.settings, database, schema.columns, SystemClock(clock_offset(database)))

    def overview(self) -> Overview | None:
        """The state of the system; None as long as it is not known (the check of the database says why)."""
        try:
            return self.read()
        except DatabaseFault:
            return None

    def read(self) -> Overview | None:
        """The state of the system; None as long as there is none to be read. Raises DatabaseFault."""
        if self._overview is None and not self.is_new():
            try:
                desk = self.desk()
                self._overview = desk.overview(days=1) if desk else None
            except DatabaseFault as error:
                self._overview = error
        if isinstance(self._overview, DatabaseFault):
            raise self._overview
        return self._overview

    def is_new(self) -> bool:
        """Tell whether the embedded database is still to be made."""
        path = Path(self.settings.database_url.database or "")
        return self.settings.database_is_embedded and not path.exists()


# ---------------------------------------------------------------- the checks


def _settings(bench: Bench) -> Iterator[Finding]:
    if not bench.settings.warnings:
        yield checks.ok("settings", "all of them can be used")
    for warning in bench.settings.warnings:
        yield checks.remark("settings", warning, "see README, Settings")


def _database(bench: Bench) -> Iterator[Finding]:
    embedded = bench.settings.database_is_embedded
    named = "set DATABASE_PATH or DATABASE_URL in .env, if your claims are elsewhere"
    if bench.is_new():
        path = bench.settings.database_url.database
        yield checks.remark("database", f"none is set; the first run makes its own, {path}", named)
        return
    try:
        database, schema = bench.database()
    except DatabaseFault as error:
        yield checks.fault("database", str(error), "see README, Connect your database")
        return
    if embedded:
        yield checks.remark("database", f"none is set: the embedded one is used, {database.shown}", named)
    else:
        yield checks.ok("database", f"{database.shown} can be reached")
    yield _schema(schema)
    try:
        if (desk := bench.desk()) and bench.read():
            yield checks.ok("claims", f"{desk.claims.count()} can be read")
    except DatabaseFault as error:
        yield checks.fault("claims", str(error), "see README, Connect your database, Rights")


def _schema(schema: Schema) -> Finding:
    if schema.is_current:
        if schema.lacking_indexes:
            lacking = ", ".join(sorted(schema.lacking_indexes))
            return checks.remark(
                "schema", f"{HEAD}, but runs are slower without {lacking}", "the next run builds them"
            )
        return checks.ok("schema", f"{HEAD}, which is current")
    columns = ", ".join(schema.missing_columns) or "only tables of ours"
    return checks.remark(
        "schema",
        f"{schema.version or 'untouched'}: the first run is to come, and will add to claims: {columns}",
        "look before: python3 scripts/pod_retry_scheduler.py --dry-run; then run it, or recours init-db",
    )


def _credentials(bench: Bench) -> Iterator[Finding]:
    overview = bench.overview()
    waiting = (
        {backlog.carrier: checks.waiting(backlog) for backlog in overview.backlogs} if overview else None
    )
    refusals = {carrier.key: carrier.refusal for carrier in overview.carriers} if overview else {}
    for key, spec in sorted(CATALOG.specs.items(), key=lambda item: item[1].name.casefold()):
        found = bench.settings.credentials[key]
        account = checks.CarrierAccount(
            spec.name,
            found.source,
            found.missing,
            None if waiting is None else waiting.get(key, 0),
            refusals.get(key),
        )
        yield checks.credentials(account, local)


def _secret_files() -> Iterator[Finding]:
    found = find(ROOT, process_environment())
    named = found.get(SECRETS_SETTING)
    for shown in (".env", named.text if named else ".streamlit/secrets.toml"):
        path = ROOT / shown
        if path.exists():
            yield checks.secret_file(shown, mode_of(path))


def _mail(bench: Bench) -> Iterator[Finding]:
    overview = bench.overview()
    mails = overview.mails if overview else {}
    server = _server(bench)
    trouble = None
    if server and not bench.offline:
        trouble = _tried(server)
    yield checks.mail(
        checks.MailFacts(
            f"{server.host}:{server.port} ({server.security})" if server else "",
            server.sender if server else "",
            trouble,
            mails.get(MailState.READY, 0),
        )
    )
    yield from checks.held(mails.get(MailState.HELD, 0))
    yield from checks.admin(bench.settings.mail.admin, bench.settings.mail.redirect)


def _server(bench: Bench) -> "SmtpSettings | None":
    """The mail server: the service's own settings come first, as far as its database can be read."""
    try:
        desk = None if bench.is_new() else bench.desk()
    except DatabaseFault:
        desk = None
    if desk:
        return PostOffice(bench.settings, desk.database, desk.columns, desk.clock, "check").server()
    from recours.notifications.smtp import SmtpSettings  # noqa: PLC0415 (smtplib is needed by this look alone)

    mail = bench.settings.mail
    if not mail.host:
        return None
    return SmtpSettings(mail.host, mail.port, mail.security, mail.user, mail.sender, mail.password)


def _tried(server: "SmtpSettings") -> str:
    from recours.notifications.smtp import ServerFault, SmtpLine  # noqa: PLC0415 (as above)

    try:
        with SmtpLine(server, _SMTP_TIMEOUT_S) as line:
            line.log_in()
    except ServerFault as error:
        return str(error)
    return ""


def _folders(bench: Bench) -> Iterator[Finding]:
    settings = bench.settings
    for what, path, need, reason in _wanted_room(bench):
        free = free_bytes(path)
        yield checks.folder(
            checks.Folder(what, str(path), path.is_dir(), trouble_with(path), free, need, reason)
        )
    most = settings.log_max_bytes * settings.log_files
    yield checks.copied_log("logs/cron.log", size_of(ROOT / "logs" / "cron.log"), most)


def _wanted_room(bench: Bench) -> Iterator[tuple[str, Path, int, str]]:
    """Folders, the bytes that they may want of a sudden, and why."""
    settings = bench.settings
    from recours.carriers.http import LARGEST_ANSWER  # noqa: PLC0415 (the HTTP library is needed by this look alone)

    at_once = 2 * settings.carrier_concurrency * len(WORKERS)
    yield (
        "documents",
        settings.pod_dir,
        at_once * LARGEST_ANSWER,
        f"both workers may store {at_once} answers of {LARGEST_ANSWER // checks.MB} MB at the same time",
    )
    logs = [settings.log_dir / f"{name}.log" for name in (*WORKERS, "email_sender")]
    most = len(logs) * settings.log_max_bytes * (settings.log_files + 1)
    there = sum(size_of(path) for log in logs for path in log.parent.glob(f"{log.name}*"))
    yield "logs", settings.log_dir, max(most - there, 0), "so far may they grow before old ones are deleted"
    if settings.database_url.get_backend_name() == "sqlite":
        path = Path(settings.database_url.database or "")
        yield (
            "database",
            path.parent,
            64 * checks.MB + size_of(path),
            "its write-ahead log, and the copy that is made of it before its schema changes",
        )


def _clock(bench: Bench) -> Iterator[Finding]:
    offset = None
    try:
        database = None if bench.is_new() else bench.database()[0]
        offset = None if database is None or database.is_sqlite else clock_offset(database)
    except DatabaseFault:  # which has a finding of its own
        pass
    overview = bench.overview()
    began = [run.started_at for worker in overview.workers for run in worker.runs[:1]] if overview else []
    yield checks.clock(offset, CLOCKS_AGREE, max(began, default=None), datetime.now(UTC), local)
    zone = bench.settings.policy.zone
    data = "the system's" if any(Path(path, zone.key).exists() for path in TZPATH) else "the package tzdata's"
    yield checks.ok("time zone data", f"{zone.key}: {data}")


def _schedule(bench: Bench | None) -> Iterator[Finding]:
    overview = bench.overview() if bench else None
    status = {worker.worker: worker for worker in overview.workers} if overview else {}
    entries: list[tuple[str, Entry]] = []
    for name in schedule.present():
        try:
            entries += [(name, entry) for entry in schedule.SYSTEMS[name]().entries()]
        except ScheduleFault as error:
            yield checks.remark("schedule", str(error), "recours schedule install --system …, by another one")
    for worker in WORKERS:
        ours = [(name, entry) for name, entry in entries if worker in entry.workers]
        yield from checks.schedule(worker, ours, status.get(worker), local)


def _programs() -> Iterator[Finding]:
    own = ROOT / ".venv"
    venv = str(own.resolve()) if own.is_dir() else None
    yield checks.python(platform.python_version(), str(Path(sys.prefix).resolve()), venv)
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    # Those with a condition behind a semicolon are not for every machine.
    pinned = dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)[ ]*\\?$", text, re.MULTILINE))
    found = {}
    for name in pinned:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    yield checks.packages(pinned, found)


# ---------------------------------------------------------------- all of them


_Look = Callable[[], Iterable[Finding]]


def _looks(bench: Bench) -> dict[str, _Look]:
    return {
        "settings": lambda: _settings(bench),
        "database": lambda: _database(bench),
        "schedule": lambda: _schedule(bench),
        "credentials": lambda: _credentials(bench),
        "permissions": _secret_files,
        "mail": lambda: _mail(bench),
        "folders": lambda: _folders(bench),
        "clock": lambda: _clock(bench),
        "programs": _programs,
    }


def _looks_without_settings(error: SettingsFault) -> dict[str, _Look]:
    return {
        "settings": lambda: [
            checks.fault("settings", words, "correct it: README, Settings") for words in error.faults
        ],
        "schedule": lambda: _schedule(None),
        "permissions": _secret_files,
        "programs": _programs,
    }


def _found(looks: dict[str, _Look]) -> Iterator[Finding]:
    for name, look_at in looks.items():
        try:
            yield from look_at()
        except Exception as error:  # noqa: BLE001 (one look that breaks must not hide the others)
            yield checks.fault(
                name,
                f"this look itself failed: {type(error).__name__}: {error}",
                "if the lines above do not explain it, report it (README, Support)",
            )


@click.command("check")
@database_option
@click.option("--offline", is_flag=True, help="Do not try the mail server.")
@json_option
def command(database_url: str | None, offline: bool, as_json: bool) -> None:
    """Look at everything that runs depend on. Each line is ok, or says what to do; no carrier is called."""
    redact: Callable[[str], str] = Redactor([])
    try:
        settings = load(ROOT, process_environment(), CATALOG, database_url=database_url)
    except SettingsFault as error:
        looks, faulty = _looks_without_settings(error), USAGE
    else:
        looks, faulty, redact = _looks(Bench(settings, offline=offline)), FAILED, redactor(settings)
    findings = []
    for raw in _found(looks):
        words, remedy = (clean(harmless(redact(text)), _LONGEST) for text in (raw.words, raw.remedy))
        findings.append(Finding(raw.name, raw.state, words, remedy))
        if not as_json:
            _show(findings[-1])
    states = [finding.state for finding in findings]
    status = faulty if State.FAULT in states else DONE
    if as_json:
        tell_json({"ok": status == DONE, "findings": [finding.as_json() for finding in findings]})
    else:
        faults, remarks = states.count(State.FAULT), states.count(State.REMARK)
        click.echo(f"\n{len(states)} looks: {faults} need a hand, {remarks} are worth knowing.")
    raise SystemExit(status)


def _show(finding: Finding) -> None:
    state = click.style(f"{finding.state:<6}", fg=_COLOURS[finding.state])
    click.echo(f"{state}  {finding.name}: {finding.words}")
    if finding.remedy:
        click.echo(f"        → {finding.remedy}")
