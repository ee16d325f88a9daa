"""What the settings mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import URL

from recours.access import Access
from recours.core.adoption import EnrollNew
from recours.core.password import PasswordHash
from recours.core.policy import Policy
from recours.core.quota import Limit


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
