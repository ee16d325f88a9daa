"""`recours check`: checks everything that the workers depend on, and shows how to fix each problem.

This module gathers the facts; `recours.reporting.checks` assesses them.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from recours.app import CLOCKS_AGREE, App, connect, needs_creation, read_clock
from recours.carriers.registry import CATALOG
from recours.cli import schedule
from recours.cli.common import database_option, home, json_option, tell_json
from recours.cli.console import DONE, FAILED, USAGE, colored_verdict, echo, harmless, status_of
from recours.core.localized import Localized
from recours.core.mail import MailState
from recours.core.text import Redactor, clean, plural
from recours.database.border import INDEX
from recours.database.dialect import files_of_sqlite, is_file
from recours.database.engine import Database, DatabaseError, clock_offset
from recours.database.erasing import ClaimErasure
from recours.database.schema.inspection import (
    HEAD,
    Schema,
    dropped_columns,
    granting,
    inspect_schema,
    require_claims,
)
from recours.database.schema.rights import named
from recours.evidence.store import PARTS
from recours.evidence.store import REFUSED as REFUSED_FOLDER
from recours.fleet import LOG_NAME, job_queue
from recours.host.files import SETTING as SHARED_GROUP
from recours.host.files import entries_of, free_bytes, mode_of, open_to_all, size_of, trouble_with
from recours.host.installation import pasteable
from recours.host.logs import FILES_KEPT, files_of
from recours.mail.service import MailService, mail_server
from recours.reporting import checks
from recours.reporting.checks import CheckResult, CheckState, fault, ok, remark
from recours.reporting.problems import VerdictSentences, verdict
from recours.reporting.snapshot import Reports
from recours.reporting.system import Overview
from recours.runs.ports import CLAIMS_MOST
from recours.runs.worker import WORKERS
from recours.scheduling.jobs import Entry, ScheduleError
from recours.settings.loading import load_at_home
from recours.settings.model import Settings, SettingsError, redactor
from recours.settings.sources import SECRETS_SETTING, find

if TYPE_CHECKING:
    from recours.mail.smtp import SmtpSettings

Check = Callable[[], Iterable[CheckResult]]

_LONGEST = 1000
_SMTP_TIMEOUT_S = 10.0
# The stored names of the states differ from the words in the output.
_LABELS = {CheckState.OK: "ok", CheckState.REMARK: "note", CheckState.FAULT: "problem"}
_COLORS = {CheckState.OK: "green", CheckState.REMARK: "yellow", CheckState.FAULT: "red"}


@click.command("check")
@database_option
@click.option(
    "--offline", is_flag=True, help="Contact neither the mail server nor the RECOURS_PING_URL server."
)
@json_option
def command(database_url: str | None, offline: bool, as_json: bool) -> None:
    """Check everything that the workers depend on, and say how to fix each problem. No carrier is called."""
    redact = Redactor([])
    try:
        settings = load_at_home(os.environ, CATALOG, database_url=database_url)
    except SettingsError as error:
        checks = _checks_without_settings(error)
        faulty = USAGE
    else:
        context = CheckContext(settings, offline=offline)
        checks = _checks(context)
        faulty = context.faulty
        redact = redactor(settings)
    results = []
    for raw in _results_of(checks):
        text, remedy = (pasteable(clean(harmless(redact(part)), _LONGEST)) for part in (raw.text, raw.remedy))
        results.append(CheckResult(raw.name, raw.state, text, remedy))
        if not as_json:
            state = click.style(f"{_LABELS[raw.state]:<7}", fg=_COLORS[raw.state])
            echo(f"{state}  {raw.name}: {text}" + (f"\n         → {remedy}" if remedy else ""))
    states = [result.state for result in results]
    status = faulty if CheckState.FAULT in states else DONE
    if as_json:
        tell_json({"ok": status == DONE, "findings": [result.as_json() for result in results]})
    else:
        problems = plural(states.count(CheckState.FAULT), "problem")
        notes = plural(states.count(CheckState.REMARK), "note")
        sentence = f"{plural(len(states), 'check')}: {problems}, {notes}."
        echo(f"\n{colored_verdict(sentence, is_good=status == DONE)}")
    raise SystemExit(status)


def _results_of(checks: dict[str, Check]) -> Iterator[CheckResult]:
    for name, check in checks.items():
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001 (one failing check must not hide the others)
            yield fault(
                name,
                f"the check itself failed with {type(error).__name__}: {error}",
                "if the lines above do not explain the error, report it (README.md, Support)",
            )


@dataclass
class _DatabaseFacts:
    """Facts about the database; None: unknown."""

    is_new: bool = False  # the embedded database does not exist yet
    database: Database | None = None
    schema: Schema | None = None
    app: App | None = None  # also None if the schema is not current
    claims: int = 0  # counted up to CLAIMS_MOST
    overview: Overview | None = None
    fault: DatabaseError | None = None  # why the database cannot be used
    claims_fault: DatabaseError | None = None  # why the claims cannot be read


class CheckContext:
    """The facts that the checks share. The database is contacted only once."""

    def __init__(self, settings: Settings, *, offline: bool) -> None:
        """Prepare the checks without opening a connection."""
        self.settings = settings
        self.offline = offline
        self.texts = Localized("en", settings.policy.zone)

    @property
    def faulty(self) -> int:
        """The exit status of a check that found a problem."""
        return status_of(self.facts.fault) if self.facts.fault else FAILED

    @cached_property
    def facts(self) -> _DatabaseFacts:
        facts = _DatabaseFacts()
        try:
            facts.is_new = needs_creation(self.settings)
            if facts.is_new:
                return facts
            database = connect(self.settings)
            click.get_current_context().call_on_close(database.close)
            schema = inspect_schema(database)
            require_claims(database, schema)
        except DatabaseError as error:
            facts.fault = error
            return facts
        facts.database = database
        facts.schema = schema
        try:
            if schema.is_current:
                app = App(self.settings, database, schema, read_clock(database))
                facts.overview = Reports(app).overview(days=1)
                facts.claims = app.claims.count()
                facts.app = app
        except DatabaseError as error:
            facts.claims_fault = error
        return facts


def _checks(context: CheckContext) -> dict[str, Check]:
    return {
        "settings": partial(_settings, context),
        "database": partial(_database, context),
        "schedule": partial(_schedule, context),
        "fleet": partial(_fleet, context),
        "credentials": partial(_credentials, context),
        "problems": partial(_problems, context),
        "deleted claims": partial(_deleted_claims, context),
        "permissions": _secret_files,
        "private files": partial(_private_files, context),
        "mail": partial(_mail, context),
        "folders": partial(_folders, context),
        "watchers": partial(_observers, context),
        "clock": partial(_clock, context),
    }


def _checks_without_settings(error: SettingsError) -> dict[str, Check]:
    """The errors in the settings, then the checks that need no settings."""
    return {
        "settings": lambda: [
            fault("settings", text, "correct the setting; .env.example lists all settings")
            for text in error.faults
        ],
        "schedule": partial(_schedule, None),
        "permissions": _secret_files,
    }


def _settings(context: CheckContext) -> Iterator[CheckResult]:
    if not context.settings.warnings:
        yield ok("settings", "all are valid")
    for warning in context.settings.warnings:
        yield remark("settings", warning, "see .env.example")


def _database(context: CheckContext) -> Iterator[CheckResult]:
    named = "if your claims are in another database, set DATABASE_PATH or DATABASE_URL in .env"
    facts = context.facts
    database = context.facts.database
    schema = context.facts.schema
    if facts.fault:
        yield _database_fault("database", facts.fault)
    if facts.is_new:
        path = context.settings.database_url.database
        yield remark("database", f"no database is configured; the first run creates {path}", named)
    if database is None or schema is None:
        return
    if context.settings.database_is_embedded:
        text = f"no database is configured; runs use the embedded one, {database.safe_url}"
        yield remark("database", text, named)
    else:
        yield ok("database", f"connected to {database.safe_url}")
    yield _schema(database, schema)
    if not database.is_sqlite:
        yield from _rights(database, schema)
    if facts.app:
        count = facts.claims
        yield ok("claims", f"{count}{' or more' if count == CLAIMS_MOST else ''} readable")
    elif facts.claims_fault and all(right.need.optional for right in schema.missing_rights):
        yield _database_fault("claims", facts.claims_fault)


def _database_fault(name: str, error: DatabaseError) -> CheckResult:
    return fault(name, str(error), checks.granting(error.details) if error.details else "see docs/connect.md")


def _schema(database: Database, schema: Schema) -> CheckResult:
    if schema.has_dropped_columns:
        return _database_fault("schema", dropped_columns(database, schema))
    if not schema.is_current:
        columns = ", ".join(schema.missing_columns) or "none"
        return remark(
            "schema",
            f"{schema.version or 'not created yet'}; the first run will add these columns to {database.border.table}: {columns}",
            "preview with recours retry --dry-run, then start a run or recours init-db",
        )
    if schema.lacks_index:
        return remark(
            "schema",
            f"{HEAD}; the index {INDEX} is missing, so runs find pending claims more slowly",
            "to create the index, run recours init-db as the owner of the table",
        )
    return ok("schema", f"{HEAD}, up to date")


def _rights(database: Database, schema: Schema) -> Iterator[CheckResult]:
    """Check the rights on existing tables. The user who creates a missing table has all rights on it."""
    if not schema.missing_rights:
        yield ok(checks.RIGHTS, "all rights that runs need are granted")
    for optional in (False, True):
        if missing := [right for right in schema.missing_rights if right.need.optional is optional]:
            sql = granting(database, missing)
            yield checks.rights(named(missing), sql, optional=optional)


def _credentials(context: CheckContext) -> Iterator[CheckResult]:
    for key, spec in sorted(CATALOG.specs.items(), key=lambda item: item[1].name.casefold()):
        credentials = context.settings.credentials[key]
        yield checks.credentials(spec.name, credentials.source, credentials.missing)


def _problems(context: CheckContext) -> Iterator[CheckResult]:
    if overview := context.facts.overview:
        yield from checks.problems(verdict(overview), VerdictSentences("en", context.settings.policy.zone))


def _deleted_claims(context: CheckContext) -> Iterator[CheckResult]:
    if app := context.facts.app:
        yield checks.deleted_claims(*ClaimErasure(app.database).count_left())


def _secret_files() -> Iterator[CheckResult]:
    root = home()
    named = find(root, os.environ).get(SECRETS_SETTING)
    for name in (".env", named.text if named else ".streamlit/secrets.toml"):
        path = root / name
        if path.exists():
            yield checks.secret_file(name, mode_of(path))


def _private_files(context: CheckContext) -> Iterator[CheckResult]:
    """Check the permissions of the files that recours writes. A database file of the service is not checked."""
    settings = context.settings
    places = {"documents": settings.pod_dir, "logs": settings.log_dir}
    if settings.database_is_embedded:
        places["database"] = Path(settings.database_url.database or "")
    for label, place in places.items():
        name = f"permissions of the {label}"
        if readable := open_to_all(place):
            remedy = f"run chmod -R o-rwx {place}; if another user's program reads these files, also set {SHARED_GROUP}"
            yield remark(name, f"every user of this machine can read {readable}", remedy)
        else:
            yield ok(name, f"{place} is not world-readable")
    if group := settings.access.group:
        try:
            with TemporaryDirectory() as folder:
                settings.access.try_out(Path(folder))
            yield ok(SHARED_GROUP, group)
        except OSError as error:
            remedy = f"add the user of the jobs to the group (usermod -aG {group} USER), or set another group"
            yield fault(SHARED_GROUP, error.strerror or str(error), remedy)


def _mail(context: CheckContext) -> Iterator[CheckResult]:
    overview = context.facts.overview
    mails = overview.open_mails if overview else {}
    server = _server(context)
    yield checks.mail(
        f"{server.host}:{server.port} ({server.security})" if server else "",
        server.sender if server else "",
        _trouble_with_server(server) if server and not context.offline else None,
        mails.get(MailState.READY, 0),
    )
    mail = context.settings.mail
    if mail.admin:
        yield ok("ADMIN_EMAIL", mail.admin)
    else:
        yield remark("ADMIN_EMAIL", "not set, so no operator emails are sent", "set ADMIN_EMAIL in .env")
    if mail.redirect:
        remedy = "remove the setting from .env after testing"
        yield remark("RECOURS_MAIL_REDIRECT", f"all emails go to {mail.redirect}", remedy)


def _server(context: CheckContext) -> "SmtpSettings | None":
    """The mail server's settings. Readable settings in the service's database take precedence."""
    app = context.facts.app
    if app is None:
        return mail_server(context.settings.mail, {})
    return MailService(context.settings, app.database, app.schema, app.clock, "check").server()


def _trouble_with_server(server: "SmtpSettings") -> str:
    from recours.mail.smtp import MailServerError, SmtpConnection  # noqa: PLC0415 (needed by this check alone)

    try:
        with SmtpConnection(server, _SMTP_TIMEOUT_S) as connection:
            connection.log_in()
    except MailServerError as error:
        return str(error)
    return ""


def _folders(context: CheckContext) -> Iterator[CheckResult]:
    settings = context.settings
    carriers = [
        top / name for top in (settings.pod_dir, settings.pod_dir / REFUSED_FOLDER) for name in CATALOG.specs
    ]
    subfolders = [settings.pod_dir / PARTS, settings.pod_dir / REFUSED_FOLDER, *carriers]
    yield _folder(
        "documents",
        settings.pod_dir,
        subfolders + [folder for carrier in carriers for folder in entries_of(carrier)],
    )
    logs = [settings.log_dir / f"{name}.log" for name in (*WORKERS, "email_sender", LOG_NAME)]
    yield _folder("logs", settings.log_dir, [file for log in logs for file in files_of(log)])
    if is_file(settings.database_url):
        path = Path(settings.database_url.database or "")
        # Space for the copy that recours makes before it changes the schema.
        yield _folder("database", path.parent, files_of_sqlite(path), size_of(path))
    cron_log = home() / "logs" / "cron.log"
    yield checks.copied_log("logs/cron.log", size_of(cron_log), settings.log_max_bytes * FILES_KEPT)


def _folder(label: str, path: Path, written_to: Collection[Path], more: int = 0) -> CheckResult:
    """Check a folder that runs write to. `written_to`: existing files that runs change; `more`: extra bytes."""
    trouble = trouble_with(path, written_to)
    is_there = not trouble and path.is_dir()
    return checks.folder(label, str(path), trouble, free_bytes(path), is_there=is_there, more=more)


def _observers(context: CheckContext) -> Iterator[CheckResult]:
    """Check the configured monitoring without showing the URL, which is a secret."""
    watch = context.settings.watch
    if watch.ping_url:
        from recours.monitoring import healthchecks  # noqa: PLC0415 (the HTTP library, as above)

        name = "RECOURS_PING_URL"
        host = urlsplit(watch.ping_url).hostname or ""
        if context.offline:
            yield ok(name, f"{host} was not contacted (--offline)")
        elif ping_fault := healthchecks.trouble_with(watch.ping_url):
            yield fault(
                name, f"{host} {ping_fault}", "correct the URL in .env, or check this machine's network"
            )
        else:
            yield ok(name, f"{host} answers; the next run shows whether the check exists")
    if watch.metrics_file:
        path = watch.metrics_file.parent
        is_there = path.is_dir()
        trouble = trouble_with(path) if is_there else "does not exist, and runs do not create it"
        # Free space is not checked: the file has a few kilobytes and may be on a small in-memory file system.
        yield checks.folder("metrics", str(path), trouble, None, is_there=is_there)


def _clock(context: CheckContext) -> Iterator[CheckResult]:
    database = context.facts.database
    offset = clock_offset(database) if database and not database.is_sqlite else None
    yield checks.clock(offset, CLOCKS_AGREE, datetime.now(UTC), context.texts)


def _schedule(context: CheckContext | None) -> Iterator[CheckResult]:
    overview = context.facts.overview if context else None
    status = {worker.worker: worker for worker in overview.workers} if overview else {}
    entries: list[Entry] = []
    try:
        entries = schedule.crontab().entries()
    except ScheduleError as error:
        yield remark("schedule", str(error), "see docs/schedule.md")
    texts = context.texts if context else Localized("en")
    for worker in WORKERS:
        own = [entry for entry in entries if worker in entry.workers]
        yield from checks.schedule(worker, own, status.get(worker), texts)


def _fleet(context: CheckContext) -> Iterator[CheckResult]:
    """Check what `recours worker` needs, if the database was prepared for a fleet."""
    database = context.facts.database
    if database is None or database.is_sqlite:
        return
    try:
        queue = job_queue.inspect_tables(database)
    except DatabaseError as error:
        yield fault(checks.FLEET, str(error), "see docs/several-machines.md")
        return
    if not queue.present:
        return
    if problem := job_queue.problem():
        yield fault(checks.FLEET, problem, job_queue.remedy())
    yield checks.fleet(job_queue.found_version(), queue.missing, queue.missing_rights, queue.granting)
