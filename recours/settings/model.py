"""What the settings mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import URL

from recours.access import SETTING as SHARED_GROUP
from recours.access import Access
from recours.core.password import PasswordHash
from recours.core.policy import EnrollNew, Policy
from recours.core.quota import Limit
from recours.settings.sources import SECRETS_SETTING


@dataclass(frozen=True)
class Setting:
    """A setting that a person may make: its name, its default as text, and what it is for."""

    name: str
    default: str
    meaning: str


SETTINGS = (
    Setting("DATABASE_URL", "", "the database as a SQLAlchemy URL: sqlite:///path or postgresql://user:password@host/name"),
    Setting("DATABASE_PATH", "", "an SQLite file, as in the service's own configuration; used if DATABASE_URL is not set"),
    Setting(SECRETS_SETTING, ".streamlit/secrets.toml", "a TOML file with credentials: a section a carrier, or flat keys"),
    Setting("RECOURS_BACKOFF_HOURS", "1,6,24,72", "hours to wait before attempts 1, 2, 3, …; the last is repeated"),
    Setting("RECOURS_DUE_SLACK_MINUTES", "5", "how early a turn counts as come; less than the first wait"),
    Setting("RECOURS_TIMEZONE", "Europe/Paris", "where the days of deadlines end"),
    Setting("RECOURS_SKIP_CLAIM_STATUSES", "paid", "claims with one of these statuses are not fetched"),
    Setting("RECOURS_ENROLL_NEW", "auto", "whether new claims without a pod_fetch_status are fetched: auto (if recours added that column), true or false"),
    Setting("RECOURS_EXPIRE_DAYS", "30", "days after its response_deadline on which a claim is given up, 0: never"),
    Setting("RECOURS_POD_PATIENCE_DAYS", "14", "a POD missing so long after the delivery is not expected any more"),
    Setting("RECOURS_NOTIFY_PERSISTENT", "last-turn", "when a persistent error is reported: last-turn or at-once"),
    Setting("RECOURS_NOTIFY_TEMPORARY", "false", "tell clients too when a temporary error outlasted every attempt"),
    Setting("RECOURS_PENDING_SHARE", "0.25", "part of a day's quota left to new claims until 16:00, 0 to 0.9"),
    Setting("RECOURS_CARRIER_CONCURRENCY", "4", "calls of a process under way to one carrier, 1 to 64"),
    Setting("RECOURS_CONNECT_TIMEOUT", "10", "seconds to wait for a connection to a carrier"),
    Setting("RECOURS_READ_TIMEOUT", "30", "seconds to wait for the next piece of an answer"),
    Setting("RECOURS_CALL_DEADLINE", "60", "seconds a whole answer may take"),
    Setting("RECOURS_POD_DIR", "data/pods", "the folder of the documents"),
    Setting("RECOURS_LOG_DIR", "logs", "the folder of the logs"),
    Setting(SHARED_GROUP, "", "a group that may read documents, logs and the embedded database; without it only the user of the jobs may"),
    Setting("RECOURS_LOG_MAX_MB", "5", "a log file is put aside at this size"),
    Setting("RECOURS_LANGUAGE", "fr", "the language of pod_fetch_error, and of mails to readers who chose none: fr or en"),
    Setting("ADMIN_EMAIL", "", "the operator's address; without it a WARNING says what there was to tell"),
    Setting("SMTP_HOST", "", "the mail server; without it mails wait"),
    Setting("SMTP_PORT", "587", "its port"),
    Setting("SMTP_SECURITY", "starttls", "starttls, tls, or none"),
    Setting("SMTP_USER", "", "the login there, if it wants one"),
    Setting("SMTP_PASSWORD", "", "its password"),
    Setting("SMTP_FROM", "", "the address that mail comes from; without it SMTP_USER"),
    Setting("RECOURS_MAIL_RATE", "0", "mails a minute at most; 0: as fast as it goes"),
    Setting("RECOURS_MAIL_BRAKE", "50", "more mails to clients in one run than this are held until 'recours mail release'"),
    Setting("RECOURS_MAIL_REDIRECT", "", "an address that all mail goes to instead, for trials"),
    Setting("RECOURS_SERVICE_NAME", "", "how mails are signed"),
    Setting("RECOURS_REPLY_TO", "", "where answers to mails go"),
    Setting("RECOURS_CLAIM_URL", "", "the page of a claim, with {reference} in it"),
    Setting("RECOURS_WEEKLY_REPORT", "true", "a report to ADMIN_EMAIL every Monday after 8:00"),
    Setting("RECOURS_PING_URL", "", "a check of healthchecks that is pinged at each run's start and end; {worker} in it is the worker's name"),
    Setting("RECOURS_METRICS_FILE", "", "a file for node_exporter's textfile collector, rewritten by each run; its name ends in .prom"),
    Setting("RECOURS_DASHBOARD_PASSWORD_HASH", "", "the page's password, as 'recours dashboard --hash-password' prints it"),
    Setting("RECOURS_LOG_FILES", "10", "how many log files put aside are kept"),
    Setting("RECOURS_KEEP_RUNS_DAYS", "400", "days that the record of runs and quota windows is kept, 0: for ever"),
)  # fmt: skip


class SettingsError(Exception):
    """The settings cannot be used."""

    def __init__(self, faults: list[str]) -> None:
        """Keep the sentences."""
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Credentials:
    """A carrier's credentials: the first complete set of those that its spec names, else what there is. Never shown."""

    values: Mapping[str, str] = field(repr=False)
    sources: Mapping[str, str]
    missing: str  # the missing settings, in words; "": none
    options: Mapping[str, str] = field(default_factory=dict)  # the carrier's other settings

    @property
    def source(self) -> str:
        """Where they come from, for people."""
        return " and ".join(dict.fromkeys(self.sources.values())) or "nowhere"


@dataclass(frozen=True)
class HttpLimits:
    """How long a call to a carrier may take, in seconds."""

    connect_s: float
    read_s: float
    deadline_s: float


@dataclass(frozen=True)
class MailSettings:
    """How mail is written and sent. "": not set."""

    host: str
    port: int
    security: str  # starttls, tls, none
    user: str
    password: str = field(repr=False)
    sender: str
    admin: str
    language: str
    a_minute: int
    send_limit: int
    redirect: str
    service: str
    reply_to: str
    claim_url: str
    weekly_report: bool


@dataclass(frozen=True)
class MonitoringSettings:
    """What watches runs, beside the people who read mail."""

    ping_url: str = field(repr=False)  # with {worker}, or not; "": none. A secret: those who know it can ping
    metrics_file: Path | None


@dataclass(frozen=True)
class Settings:
    """Everything that can be set, validated."""

    root: Path
    database_url: URL
    database_is_embedded: bool  # nothing named a database
    policy: Policy
    limits: Mapping[str, tuple[Limit, ...]]
    credentials: Mapping[str, Credentials]
    base_urls: Mapping[str, str]
    enroll_new: EnrollNew
    pending_share: float
    carrier_concurrency: int
    http: HttpLimits
    mail: MailSettings
    watch: MonitoringSettings
    pod_dir: Path
    log_dir: Path
    log_max_bytes: int
    log_files: int
    access: Access  # to what is made in these folders, and to the embedded database
    keep_runs: timedelta | None  # the record of runs and quota windows; None: for ever
    dashboard_password: PasswordHash | None
    secrets: tuple[str, ...] = field(repr=False)
    warnings: tuple[str, ...]

    @property
    def configured(self) -> frozenset[str]:
        """The keys of the carriers that there are credentials for."""
        return frozenset(key for key, found in self.credentials.items() if not found.missing)
