"""Where the parts are put together, and nowhere else."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from logging import Handler, StreamHandler
from random import random
from typing import TYPE_CHECKING, Any

from recours.carriers.account import Account, CarrierLine
from recours.carriers.queue import APIRequestQueue
from recours.carriers.registry import CATALOG, CLIENTS
from recours.core.carrier import CarrierSpec, Catalog
from recours.core.errors import Actor
from recours.core.events import Event, EventName
from recours.core.mail import MailState, is_address, reported_week, week_label
from recours.core.policy import Policy
from recours.core.redact import Redactor
from recours.core.text import plural
from recours.database.claims import ClaimRepository
from recours.database.clock import SystemClock, clock_offset
from recours.database.create import create_file
from recours.database.engine import Database, DatabaseFault
from recours.database.journal import RunJournal
from recours.database.mailbox import Mailbox
from recours.database.quota import QuotaLedger
from recours.database.records import DatabaseRecords
from recours.database.reopening import GivenUpClaims
from recours.database.schema import Schema, look, require_claims
from recours.database.upgrade import NOT_DONE, bring_up_to_date
from recours.database.upkeep import ClaimUpkeep
from recours.desk.overview import CarrierNow, Overview, overview
from recours.desk.records import Records
from recours.documents.store import DocumentStore
from recours.logs import file_of, lines_together, local, run_log
from recours.runs.fetch import PODFetchWorker
from recours.runs.ports import CarrierClient, Clock, Grant, Refusal, RunFault, Surroundings, Watcher
from recours.runs.retry import PODRetryScheduler
from recours.runs.source import no_such_claim
from recours.runs.worker import Options, Worker
from recours.settings.model import HttpLimits, Settings
from recours.watching.watchers import Watchers

if TYPE_CHECKING:
    from recours.carriers.http import Http
    from recours.desk.forecast.facts import Assumption, CarrierFacts
    from recours.desk.plan import Plan
    from recours.notifications.manager import NotificationManager
    from recours.notifications.render import Letterhead
    from recours.notifications.sender import EmailSender
    from recours.notifications.smtp import SmtpSettings

# To find the schedule by, runs that were started by hand among them.
_RUNS_LOOKED_AT = 50

CREATED = "created with its whole schema"
# How often each worker is to run.
SCHEDULES = {worker.name: worker.schedule for worker in (PODFetchWorker, PODRetryScheduler)}


# Clocks that are kept right differ by less.
CLOCKS_AGREE = timedelta(seconds=5)
_CLOCKS_DIFFER = "The clock of this machine is"
# How the remarks on an opened database begin that someone should read.
TO_BE_READ = (*NOT_DONE, _CLOCKS_DIFFER)


@dataclass(frozen=True)
class Opened:
    """A database that a run can work with."""

    database: Database
    schema: Schema
    remarks: tuple[str, ...]  # what was done to it, for the log
    clock_offset: timedelta = timedelta(0)  # its clock minus this machine's

    @property
    def clock(self) -> SystemClock:
        """The time, by the database's clock."""
        return SystemClock(self.clock_offset)


def open_database(settings: Settings) -> Opened:
    """Connect, create the embedded database if it is not there yet, bring the schema up to date.

    Raises DatabaseFault.
    """
    remarks = []
    if settings.database_is_embedded and create_embedded(settings):
        remarks.append(f"{settings.database_url.database} was {CREATED}")
    database = connect(settings)
    schema = look(database)
    require_claims(database, schema)
    offset = clock_offset(database)
    schema, done = bring_up_to_date(database, schema, SystemClock(offset))
    return Opened(database, schema, (*remarks, *done, *clock_remarks(offset)), offset)


@dataclass(frozen=True)
class Desk:
    """What the operator's desk works with."""

    settings: Settings
    database: Database
    columns: frozenset[str]  # of `claims`
    clock: Clock
    catalog: Catalog
    records: Records
    claims: ClaimRepository

    def queue(self, holder: str = "desk") -> APIRequestQueue:
        """The queue: to be looked at, or to call with."""
        return make_queue(self.settings, self.database, self.settings.policy, self.clock, random, holder)

    @property
    def given_up(self) -> GivenUpClaims:
        """The claims that gave up."""
        return GivenUpClaims(self.claims)

    def carriers_now(self) -> list[CarrierNow]:
        """What the queue knows of each carrier at this moment. Calls nobody."""
        queue = self.queue()
        return [
            CarrierNow(
                key=key,
                name=spec.name,
                configured=key in self.catalog.configured,
                uses=queue.use(key),
                refusal=queue.would_refuse(key),
            )
            for key, spec in self.catalog.specs.items()
        ]

    def overview(self, days: int = 7, *, exact: bool = False) -> Overview:
        """The state of the system, with what became of the attempts of so many days. Raises DatabaseFault."""
        now, policy = self.clock.now(), self.settings.policy
        return overview(
            self.records,
            self.carriers_now(),
            SCHEDULES,
            now=now,
            due_until=policy.timetable.due_until(now),
            zone=policy.zone,
            days=days,
            exact=exact,
        )

    def no_such_claim(self, reference: str) -> str:
        """What to say of a reference that is none, with the nearest one."""
        return no_such_claim(self.claims, reference)


def open_desk(settings: Settings) -> Desk:
    """The desk over a database whose schema is current. Changes nothing. Raises DatabaseFault."""
    database = connect(settings)
    try:
        schema = _current_schema(database)
        clock = clock_of(database)
    except DatabaseFault:
        database.close()
        raise
    return desk_over(settings, database, schema.columns, clock)


def desk_over(settings: Settings, database: Database, columns: frozenset[str], clock: Clock) -> Desk:
    """The desk over a database that is open already."""
    catalog, redact = catalog_of(settings), redactor(settings)
    return Desk(
        settings=settings,
        database=database,
        columns=columns,
        clock=clock,
        catalog=catalog,
        records=DatabaseRecords(database, catalog, columns, redact),
        claims=ClaimRepository(database, catalog, columns, "", "desk", redact),
    )


def _current_schema(database: Database) -> Schema:
    schema = look(database)
    require_claims(database, schema)
    if not schema.is_current:
        raise DatabaseFault(
            f"The schema of {database.shown} is not current: a run of either worker brings it up to date, or "
            "'recours init-db'."
        )
    return schema


def plan_for(
    desk: Desk,
    horizon: timedelta,
    *,
    assumption: "Assumption | None" = None,
    max_retries: int | None = None,
    batch_sizes: Mapping[str, int] | None = None,
    concurrency: int | None = None,
    most_listed: int | None = 10_000,
) -> "Plan":
    """What the runs of both workers will do up to `horizon` from now, on paper. Raises DatabaseFault.

    What is None is taken to be as the workers have it by themselves; `batch_sizes` by worker; of the single tries at
    most `most_listed` are in the plan (None: all), the rest is counted.
    """
    from recours.database.survey import DatabaseOutlook  # noqa: PLC0415 (no run looks ahead)
    from recours.desk.forecast.facts import WORKERS, Assumption, Rules  # noqa: PLC0415 (same)
    from recours.desk.plan import Question, make_plan  # noqa: PLC0415 (same)

    settings, now = desk.settings, desk.clock.now()
    policy = settings.policy if max_retries is None else replace(settings.policy, max_retries=max_retries)
    rules = Rules(
        policy=policy,
        catalog=desk.catalog,
        batch_sizes={worker.name: worker.usual_batch for worker in WORKERS} | dict(batch_sizes or {}),
        assumption=assumption or Assumption.FAILURE,
        concurrency=concurrency or Options(batch_size=0).concurrency,
        carrier_concurrency=settings.carrier_concurrency,
        pending_share=settings.pending_share,
    )
    begun = {
        worker.name: [run.started_at for run in desk.records.runs(worker.name, most=_RUNS_LOOKED_AT)]
        for worker in WORKERS
    }
    outlook = DatabaseOutlook(desk.database, look(desk.database), desk.catalog)
    return make_plan(outlook, _carrier_facts(desk), rules, Question(horizon, now, begun, most_listed))


def _carrier_facts(desk: Desk) -> "dict[str, CarrierFacts]":
    from recours.desk.forecast.facts import CarrierFacts  # noqa: PLC0415 (see above)

    queue = desk.queue()
    return {
        key: CarrierFacts(
            spec=spec,
            uses=[use for use in queue.use(key) if not use.limit.window.is_short],
            closings=queue.closings(key),
            opening=queue.opening(key),
        )
        for key, spec in desk.catalog.specs.items()
    }


def clock_remarks(offset: timedelta) -> list[str]:
    """What to say about a database's clock that is this much ahead of ours."""
    if abs(offset) <= CLOCKS_AGREE:
        return []
    apart = f"{abs(offset).total_seconds():.0f} s {'behind' if offset > timedelta(0) else 'ahead of'}"
    return [
        f"{_CLOCKS_DIFFER} {apart} the database's, by which this run goes: see to the time synchronisation (NTP) of "
        "both. Only the log keeps this machine's time"
    ]


def clock_of(database: Database) -> SystemClock:
    """The time, by the database's clock. Raises DatabaseFault."""
    return SystemClock(clock_offset(database))


def create_embedded(settings: Settings) -> bool:
    """Create the embedded database; False if it is there."""
    path = Database(settings.database_url).path
    return path is not None and not path.exists() and create_file(path)


def connect(settings: Settings) -> Database:
    """The database that the settings name. Raises DatabaseFault if its file is missing, or its driver."""
    try:
        database = Database(settings.database_url)
    except ModuleNotFoundError as error:
        raise DatabaseFault(
            f"PostgreSQL needs the package {error.name}: install it with pip install 'recours[postgres]'."
        ) from error
    try:
        missing = database.path is not None and not database.path.exists()
    except OSError as error:
        raise DatabaseFault(
            f"The database {database.shown} cannot be opened ({error.strerror}); "
            "check that the file exists and that this user may read and write it."
        ) from error
    if missing:
        raise DatabaseFault(
            f"There is no database file {database.path}. Correct DATABASE_PATH or DATABASE_URL; "
            "or create it with 'recours init-db'."
        )
    return database


def catalog_of(settings: Settings) -> Catalog:
    """The carriers there are, and whose account serves whose claims with these credentials."""
    return CATALOG.with_accounts(settings.configured)


def redactor(settings: Settings) -> Redactor:
    """Knows every secret of the settings, and what an Authorization header makes of two of them."""
    pairs = []
    for credentials in settings.credentials.values():
        texts = list(credentials.values.values())
        pairs += [f"{one}:{other}" for one in texts for other in texts if one != other]
    return Redactor([*settings.secrets, *pairs])


def make_worker(
    kind: type[Worker],
    settings: Settings,
    opened: Opened,
    options: Options,
    *,
    max_retries: int = 4,
    clock: Clock | None = None,
    jitter: Callable[[], float] = random,
    run_id: str | None = None,
    mails: bool = True,
    watcher: Watcher | None = None,
) -> Worker:
    """A worker, ready to run once.

    `run_id`: 32 hex digits that no other run has. `mails`: False leaves what there is to tell to the next run.
    """
    clock = clock or opened.clock
    run_id = run_id or uuid.uuid4().hex
    policy = replace(settings.policy, max_retries=max_retries)
    database, columns, redact = opened.database, opened.schema.columns, redactor(settings)
    catalog = catalog_of(settings)
    around = Surroundings(
        clock=clock,
        claims=ClaimRepository(database, catalog, columns, run_id, kind.name, redact),
        upkeep=ClaimUpkeep(database, catalog, columns, run_id, redact),
        journal=RunJournal(database),
        queue=make_queue(settings, database, policy, clock, jitter, run_id),
        documents=DocumentStore(settings.pod_dir),
        policy=policy,
        lines_together=lines_together,
        post=PostOffice(settings, database, columns, clock, run_id) if mails else None,
        watcher=watcher,
    )
    options = replace(
        options,
        carrier_concurrency=settings.carrier_concurrency,
        pending_share=settings.pending_share,
    )
    return kind(around, catalog, options, run_id, local)


def make_watchers(settings: Settings, worker: str, run_id: str, console: Handler | None = None) -> Watchers:
    """Whoever watches a run of this worker. `console`: the log's handler on a terminal where somebody looks on.

    What each takes is loaded only if there is one: many runs are watched by nobody.
    """
    found: list[Watcher] = []
    if isinstance(console, StreamHandler):
        from recours.watching.progress import ProgressBar  # noqa: PLC0415 (see above)

        found.append(ProgressBar(console))
    if url := settings.watch.ping_url:
        found.append(make_pings(url, worker, run_id, redactor(settings)))
    return Watchers(found)


def make_pings(url: str, worker: str, run_id: str, redact: Callable[[str], str] = str) -> Watcher:
    """Who tells a check."""
    from recours.watching.pings import Pings  # noqa: PLC0415 (brings the HTTP library)

    return Pings(url, worker, run_id, redact)


def leave_metrics(settings: Settings, opened: Opened, run_id: str) -> None:
    """Rewrite the file of metrics, if the settings name one, from what is on record. What fails is a WARNING."""
    path = settings.watch.metrics_file
    if path is None:
        return
    from recours.desk.metrics import metrics  # noqa: PLC0415 (see above)
    from recours.watching.textfile import exposition, replace_file  # noqa: PLC0415 (see above)

    desk = desk_over(settings, opened.database, opened.schema.columns, opened.clock)
    try:
        now = desk.overview(days=1)
        well = {name: run for name in SCHEDULES if (run := desk.records.last_success(name))}
        replace_file(path, exposition(metrics(now, well)), run_id)
    except (RunFault, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        run_log().warning(f"The metrics could not be written to {path}: {reason}")
    except Exception:  # noqa: BLE001 (a mistake of ours in what only looks on must not end the run)
        run_log().exception("The metrics could not be written: an error of ours; the run goes on")


def make_queue(
    settings: Settings,
    database: Database,
    policy: Policy,
    clock: Clock,
    jitter: Callable[[], float],
    holder: str,
) -> APIRequestQueue:
    """The queue, for one run."""
    return APIRequestQueue(
        accounts(settings, clock, jitter),
        QuotaLedger(database, holder),
        clock,
        slack=policy.timetable.slack,
        redact=redactor(settings),
        local=local,
    )


def closed_carriers(settings: Settings, database: Database, clock: Clock) -> dict[str, Refusal]:
    """The carriers that could take no call now, and why; found out without taking a try that is due."""
    queue = make_queue(settings, database, settings.policy, clock, random, "preview")
    closed = {key: queue.would_refuse(key) for key in CATALOG.specs}
    return {key: refusal for key, refusal in closed.items() if refusal}


def accounts(settings: Settings, clock: Clock, jitter: Callable[[], float]) -> Mapping[str, Account]:
    """What is needed to speak to each carrier."""
    found = {}
    for key, spec in CATALOG.specs.items():
        credentials = settings.credentials[key]
        given = {**credentials.values, **credentials.options}
        client = CLIENTS[key](given) if not credentials.missing else None
        found[key] = Account(
            spec=spec,
            limits=settings.limits[key],
            client=client,
            open_line=_Lines(spec, client, settings.base_urls[key], settings.http, clock, jitter),
            credentials=tuple(credentials.values.values()),
            source=credentials.source,
            missing=credentials.missing,
        )
    return found


class _Lines:
    """Opens lines to one carrier. The HTTP library is loaded when the first one is opened: many runs call nobody."""

    def __init__(
        self,
        spec: CarrierSpec,
        client: CarrierClient | None,
        base_url: str,
        limits: HttpLimits,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._spec = spec
        self._client = client
        self._base_url = base_url
        self._limits = limits
        self._clock = clock
        self._jitter = jitter

    def __call__(self, grant: Grant) -> CarrierLine:
        from recours.carriers.line import HttpLine  # noqa: PLC0415 (see above)

        if self._client is None:
            raise RuntimeError(f"{self._spec.key} was asked without credentials")
        name, asked = self._spec.name, self._client.wait_asked
        return HttpLine(name, grant, self._http, self._clock, self._jitter, asked)

    @cached_property
    def _http(self) -> "Http":
        from recours.carriers.http import Http  # noqa: PLC0415 (see above)

        limits, replaced = self._limits, self._base_url != self._spec.base_url
        return Http(self._base_url, limits.connect_s, limits.read_s, limits.deadline_s, replaced=replaced)


class PostOffice:
    """Tells people by mail. What that takes is loaded when there is something to tell: many runs tell nobody."""

    def __init__(
        self, settings: Settings, database: Database, columns: frozenset[str], clock: Clock, run_id: str
    ) -> None:
        """`columns`: those of `claims`."""
        self._settings = settings
        self.clock = clock
        self.mailbox = Mailbox(database, catalog_of(settings), columns, run_id)

    def tell(self, go_on: Callable[[], bool]) -> None:
        """Render what is to be told and send what is ready, as long as `go_on` says so.

        Raises RunFault; a mail server's fault is logged.
        """
        if not go_on():
            return
        self._write_report()
        if not self.mailbox.has_work():
            return
        self.manager().render_due()
        if server := self.server():
            with self.log():
                self.sender(server).send_all(go_on)
        elif waiting := self.mailbox.count(MailState.READY):
            run_log().warning(
                f"{plural(waiting, 'mail')} cannot be sent: no SMTP_HOST is set, nor smtp_host in system_settings"
            )

    def _write_report(self) -> None:
        """Have the week told that is over, if nobody has had it told yet: its event is unique. Raises RunFault."""
        mail, zone = self._settings.mail, self._settings.policy.zone
        if not (mail.weekly_report and mail.admin):
            return
        monday = reported_week(self.clock.now(), zone)
        label = week_label(monday)
        if self.mailbox.is_written(EventName.WEEKLY_REPORT, label):
            return
        from recours.desk.weekly import has_something_to_tell  # noqa: PLC0415 (needed once a week)

        try:
            facts = self.week(monday)
        except RunFault:
            raise
        except Exception:  # noqa: BLE001 (a report that cannot be made must not keep back the other mails)
            run_log().exception("The weekly report cannot be made: an error of ours")
            return
        declined = None if has_something_to_tell(facts) else "nothing had happened yet"
        event = Event(EventName.WEEKLY_REPORT, Actor.OPERATOR, "", label, facts)
        self.mailbox.put(event, self.clock.now(), declined)

    def week(self, monday: date) -> dict[str, Any]:
        """The facts of the week that began on that Monday. Raises RunFault."""
        from recours.database.weekly import DatabaseWeek  # noqa: PLC0415 (needed once a week)
        from recours.desk.weekly import Sources, Week, report  # noqa: PLC0415 (see above)

        settings, database, columns = self._settings, self.mailbox.database, self.mailbox.columns
        desk = desk_over(settings, database, columns, self.clock)
        sources = Sources(
            desk.records,
            DatabaseWeek(database, desk.catalog, columns, redactor(settings)),
            desk.carriers_now(),
            SCHEDULES,
            desk.catalog,
        )
        return report(Week(monday, settings.policy.zone), self.clock.now(), sources)

    def manager(self) -> "NotificationManager":
        """Who decides and renders."""
        from recours.notifications.manager import Habits, NotificationManager  # noqa: PLC0415 (see above)

        mail, policy = self._settings.mail, self._settings.policy
        habits = Habits(mail.language, policy.zone, self.letterhead(), mail.brake, mail.admin)
        return NotificationManager(
            self.mailbox, habits, self.mailbox.catalog, self.clock, lambda: uuid.uuid4().hex
        )

    def letterhead(self) -> "Letterhead":
        """What every mail shows of the service."""
        from recours.notifications.render import Letterhead  # noqa: PLC0415 (see above)

        mail = self._settings.mail
        return Letterhead(mail.service, mail.claim_url, self._settings.policy.zone)

    def server(self) -> "SmtpSettings | None":
        """How the mail server is reached: the service's own settings come first; None: no host is set anywhere."""
        from recours.notifications.smtp import SmtpSettings  # noqa: PLC0415 (see above)

        mail, of_service = self._settings.mail, self.mailbox.service_settings()
        host = of_service.get("smtp_host") or mail.host
        if not host:
            return None
        port, security = of_service.get("smtp_port", ""), of_service.get("smtp_security", "").lower()
        user = of_service.get("smtp_user") or mail.user
        return SmtpSettings(
            host=host,
            port=int(port) if port.isascii() and port.isdigit() and len(port) < 6 else mail.port,  # noqa: PLR2004 (the digits of a port)
            security=security if security in ("starttls", "tls", "none") else mail.security,
            user=user,
            sender=next(filter(is_address, (of_service.get("smtp_from"), mail.sender)), None) or user,
            password=mail.password,
        )

    def sender(self, server: "SmtpSettings") -> "EmailSender":
        """Who sends."""
        from recours.notifications.sender import EmailSender, Envelope  # noqa: PLC0415 (see above)
        from recours.notifications.smtp import SmtpLine  # noqa: PLC0415 (see above)

        mail = self._settings.mail
        envelope = Envelope(server.sender, mail.reply_to, mail.redirect, mail.a_minute)
        skipped = frozenset(self._settings.policy.skip_claim_statuses)
        return EmailSender(self.mailbox, lambda: SmtpLine(server), envelope, self.clock, skipped)

    def log(self) -> AbstractContextManager[None]:
        """The sender's own log, while it is open."""
        settings = self._settings
        return file_of(
            "email_sender",
            settings.log_dir / "email_sender.log",
            max_bytes=settings.log_max_bytes,
            files=settings.log_files,
            redact=redactor(settings),
            now=self.clock.now,
        )
