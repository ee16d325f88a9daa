"""Every setting that a person may make, and what it means. A row here is all that a new setting needs.

The carriers' own settings are in their specs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from recours.access import SETTING as SHARED_GROUP
from recours.access import Access
from recours.core.mail import LANGUAGES
from recours.core.password import PasswordHash, read_hash
from recours.core.policy import EnrollNew, Policy
from recours.core.quota import Limit
from recours.settings.sources import SECRETS_SETTING
from recours.settings.values import (
    address,
    between,
    days,
    group,
    hours,
    in_folder,
    line,
    megabytes,
    metrics_file,
    none_or_at_least,
    one_of,
    ping_url,
    statuses,
    then,
    web_page,
    whole,
    yes_or_no,
    zone,
)

# Days. The weekly report looks back that far, and a quota window may be a month.
_LEAST_KEPT = 62


class SettingsError(Exception):
    """The settings cannot be used."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Setting:
    """A setting: its name, its default as text, what makes a value of a text, and what it is for.

    `parse` takes the text and the folder where relative paths begin; it raises ValueError with a phrase.
    """

    name: str
    default: str
    parse: Callable[[str, Path], Any]
    meaning: str


def _row(name: str, default: str, parse: Callable[[str], Any], meaning: str) -> Setting:
    return Setting(name, default, lambda text, _: parse(text), meaning)


def _set_by(
    name: str, default: str, parse: Callable[[str], Any], meaning: str, *, secret: bool = False
) -> Any:
    """A field of the model that is one setting."""
    return field(repr=not secret, metadata={"setting": _row(name, default, parse, meaning)})


def _path_set_by(name: str, default: str, parse: Callable[[str, Path], Any], meaning: str) -> Any:
    return field(metadata={"setting": Setting(name, default, parse, meaning)})


def rows_of(model: type) -> dict[str, Setting]:
    """The settings that are fields of a part of the model, by the fields' names."""
    return {each.name: each.metadata["setting"] for each in fields(model) if each.metadata}


# ---------------------------------------------------------------- settings that are more, or less, than a field

OTHERS = (
    _row("DATABASE_URL", "", str, "the database as a SQLAlchemy URL: sqlite:///path or postgresql://user:password@host/name"),
    _row("DATABASE_PATH", "", str, "an SQLite file, as in the service's own configuration; used if DATABASE_URL is not set"),
    _row(SECRETS_SETTING, ".streamlit/secrets.toml", str, "a TOML file with credentials: a section a carrier, or flat keys"),
    _row("RECOURS_BACKOFF_HOURS", "1,6,24,72", hours, "hours to wait before attempts 1, 2, 3, …; the last is repeated"),
    _row("RECOURS_DUE_SLACK_MINUTES", "5", between(0, 24 * 60), "how early a turn counts as come; less than the first wait"),
    _row("RECOURS_TIMEZONE", "Europe/Paris", zone, "where the days of deadlines end"),
    _row("RECOURS_SKIP_CLAIM_STATUSES", "paid", statuses, "claims with one of these statuses are not fetched"),
    _row("RECOURS_EXPIRE_DAYS", "30", days(whole(0, 3650)), "days after its response_deadline on which a claim is given up, 0: never"),
    _row("RECOURS_POD_PATIENCE_DAYS", "14", days(whole(1, 365)), "a POD missing so long after the delivery is not expected any more"),
    _row("RECOURS_NOTIFY_PERSISTENT", "last-turn", one_of("last-turn", "at-once"), "when a persistent error is reported: last-turn or at-once"),
    _row("RECOURS_NOTIFY_TEMPORARY", "false", yes_or_no, "tell clients too when a temporary error outlasted every attempt"),
)  # fmt: skip


# ---------------------------------------------------------------- the model


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

    connect_s: float = _set_by(
        "RECOURS_CONNECT_TIMEOUT", "10", between(0.05, 120), "seconds to wait for a connection to a carrier"
    )
    read_s: float = _set_by(
        "RECOURS_READ_TIMEOUT", "30", between(0.05, 120), "seconds to wait for the next piece of an answer"
    )
    deadline_s: float = _set_by("RECOURS_CALL_DEADLINE", "60", between(0.1, 240), "seconds a whole answer may take")  # fmt: skip


@dataclass(frozen=True)
class MailSettings:
    """How mail is written and sent. "": not set."""

    # fmt: off
    host: str = _set_by("SMTP_HOST", "", line, "the mail server; without it mails wait")
    port: int = _set_by("SMTP_PORT", "587", whole(1, 65535), "its port")
    security: str = _set_by("SMTP_SECURITY", "starttls", one_of("starttls", "tls", "none"), "starttls, tls, or none")
    user: str = _set_by("SMTP_USER", "", line, "the login there, if it wants one")
    password: str = _set_by("SMTP_PASSWORD", "", line, "its password", secret=True)
    sender: str = _set_by("SMTP_FROM", "", address, "the address that mail comes from; without it SMTP_USER")
    admin: str = _set_by("ADMIN_EMAIL", "", address, "the operator's address; without it a WARNING says what there was to tell")
    language: str = _set_by("RECOURS_LANGUAGE", "fr", one_of(*LANGUAGES), "the language of pod_fetch_error, and of mails to readers who chose none: fr or en")
    a_minute: int = _set_by("RECOURS_MAIL_RATE", "0", whole(0, 10_000), "mails a minute at most; 0: as fast as it goes")
    send_limit: int = _set_by("RECOURS_MAIL_BRAKE", "50", whole(0, 1_000_000), "more mails to clients in one run than this are held until 'recours mail release'")
    redirect: str = _set_by("RECOURS_MAIL_REDIRECT", "", address, "an address that all mail goes to instead, for trials")
    service: str = _set_by("RECOURS_SERVICE_NAME", "", line, "how mails are signed")
    reply_to: str = _set_by("RECOURS_REPLY_TO", "", address, "where answers to mails go")
    claim_url: str = _set_by("RECOURS_CLAIM_URL", "", web_page, "the page of a claim, with {reference} in it")
    weekly_report: bool = _set_by("RECOURS_WEEKLY_REPORT", "true", yes_or_no, "a report to ADMIN_EMAIL every Monday after 8:00")
    # fmt: on


@dataclass(frozen=True)
class MonitoringSettings:
    """What watches runs, beside the people who read mail."""

    # fmt: off
    # With {worker}, or not; "": none. A secret: those who know it can ping.
    ping_url: str = _set_by("RECOURS_PING_URL", "", ping_url, "a check of healthchecks that is pinged at each run's start and end; {worker} in it is the worker's name", secret=True)
    metrics_file: Path | None = _path_set_by("RECOURS_METRICS_FILE", "", metrics_file, "a file for node_exporter's textfile collector, rewritten by each run; its name ends in .prom")
    # fmt: on


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
    http: HttpLimits
    mail: MailSettings
    watch: MonitoringSettings
    secrets: tuple[str, ...] = field(repr=False)
    warnings: tuple[str, ...]
    # fmt: off
    enroll_new: EnrollNew = _set_by("RECOURS_ENROLL_NEW", "auto", then(one_of(*EnrollNew), EnrollNew), "whether new claims without a pod_fetch_status are fetched: auto (if recours added that column), true or false")
    pending_share: float = _set_by("RECOURS_PENDING_SHARE", "0.25", between(0, 0.9), "part of a day's quota left to new claims until 16:00, 0 to 0.9")
    carrier_concurrency: int = _set_by("RECOURS_CARRIER_CONCURRENCY", "4", whole(1, 64), "calls of a process under way to one carrier, 1 to 64")
    pod_dir: Path = _path_set_by("RECOURS_POD_DIR", "data/pods", in_folder, "the folder of the documents")
    log_dir: Path = _path_set_by("RECOURS_LOG_DIR", "logs", in_folder, "the folder of the logs")
    # To what is made in these folders, and to the embedded database.
    access: Access = _set_by(SHARED_GROUP, "", then(group, Access), "a group that may read documents, logs and the embedded database; without it only the user of the jobs may")
    log_max_bytes: int = _set_by("RECOURS_LOG_MAX_MB", "5", megabytes(0.01, 1000), "a log file is put aside at this size")
    log_files: int = _set_by("RECOURS_LOG_FILES", "10", whole(1, 1000), "how many log files put aside are kept")
    keep_runs: timedelta | None = _set_by("RECOURS_KEEP_RUNS_DAYS", "400", days(none_or_at_least(_LEAST_KEPT, 36_500)), "days that the record of runs and quota windows is kept, 0: for ever")
    dashboard_password: PasswordHash | None = _set_by("RECOURS_DASHBOARD_PASSWORD_HASH", "", read_hash, "the page's password, as 'recours dashboard --hash-password' prints it")
    # fmt: on

    @property
    def configured(self) -> frozenset[str]:
        """The keys of the carriers that there are credentials for."""
        return frozenset(key for key, found in self.credentials.items() if not found.missing)


SETTINGS = (
    *OTHERS,
    *(
        row
        for part in (HttpLimits, MailSettings, MonitoringSettings, Settings)
        for row in rows_of(part).values()
    ),
)
