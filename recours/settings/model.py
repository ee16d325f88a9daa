"""All settings, each with its name, default, parser and description.

To add a setting, add a row here. The carriers' settings are in their specs.
"""

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import URL

from recours.core.carrier import CarrierSpec
from recours.core.mail import is_address
from recours.core.password import PasswordHash, read_hash
from recours.core.policy import EnrollNew, Policy, faults_of
from recours.core.quota import Limit
from recours.core.text import Redactor, enumeration, is_one_line, nearest
from recours.core.translations import LANGUAGES
from recours.database.border import COLUMNS, USUAL_NAMES, TableNames
from recours.host.files import SETTING as SHARED_GROUP
from recours.host.files import Access
from recours.settings.sources import DEFAULT_SECRETS, SECRETS_SETTING, Value

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+")
_KEY_BYTES = 32


class SettingsError(Exception):
    """The settings are invalid."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


# ---------------------------------------------------------------- parsers


def between(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise ValueError(f"'{text[:40]}' is not a number from {low:g} to {high:g}")
        return number

    return parse


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not low <= int(text.lstrip("0")[:9] or "0") <= high:
            raise ValueError(f"'{text[:40]}' is not a whole number from {low} to {high}")
        return int(text)

    return parse


def waits(text: str) -> tuple[timedelta, ...]:
    """Parse comma-separated hours that are valid as a backoff."""
    parse = between(-1e6, 1e6)
    try:
        result = tuple(timedelta(hours=parse(part.strip())) for part in text.split(","))
    except ValueError:
        raise ValueError(f"'{text[:40]}' is not a list of hours, such as 1,6,24,72") from None
    if faults := faults_of(result):
        raise ValueError(f"'{text[:40]}' is not valid: {'; '.join(faults)}")
    return result


def zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{text[:40]}' is not a time zone; example: Europe/Paris") from None


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"'{text[:40]}' is not valid; use one of {', '.join(choices)}")
        return text.lower()

    return parse


def yes_or_no(text: str) -> bool:
    if text.lower() in ("true", "yes", "1", "on"):
        return True
    if text.lower() in ("false", "no", "0", "off"):
        return False
    raise ValueError(f"'{text[:40]}' is not valid; use true or false")


def then(parse: Callable[[str], Any], make: Callable[[Any], Any]) -> Callable[[str], Any]:
    """A parser that converts the result of `parse` with `make`."""
    return lambda text: make(parse(text))


def hours_or_never(low: int, high: int) -> Callable[[str], timedelta | None]:
    """A parser for a whole number of hours in this range. 0 is parsed as None, which means never."""
    within = whole(low, high)

    def parse(text: str) -> timedelta | None:
        try:
            return None if text.strip() == "0" else timedelta(hours=within(text))
        except ValueError as error:
            raise ValueError(f"{error}, or 0") from error

    return parse


def path(text: str) -> Path:
    """Parse a path. The caller resolves a relative path against the home folder."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"'{text[:40]}' names the home folder of an unknown user") from None


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, without a DNS query."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address(text: str) -> str:
    """Parse one plain email address, or an empty text."""
    if text and not is_address(text):
        raise ValueError("it must be one email address, such as someone@example.com")
    return text


def line(text: str) -> str:
    if not is_one_line(text):
        raise ValueError("it must not contain a line break or another control character")
    return text


def matching(pattern: str, description: str) -> Callable[[str], str]:
    """A parser for an empty text or a text that matches the pattern. `description` completes the error "is not …"."""

    def parse(text: str) -> str:
        if text and not re.fullmatch(pattern, text):
            raise ValueError(f"'{text[:40]}' is not {description}")
        return text

    return parse


group = matching(r"[A-Za-z_][\w.@ -]{0,99}[$]?", "the name of a group")
header_name = matching(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}", "the name of a header")


def networks(text: str) -> tuple[Network, ...]:
    """Parse comma-separated IP addresses or networks such as 10.0.0.0/8."""
    result = []
    for part in names(text):
        try:
            result.append(ipaddress.ip_network(part))
        except ValueError:
            raise ValueError(f"'{part[:40]}' is not an IP address or a network such as 10.0.0.0/8") from None
    return tuple(result)


def names(text: str) -> tuple[str, ...]:
    """Parse comma-separated names."""
    return tuple(part.strip() for part in line(text).split(",") if part.strip())


def table_name(text: str) -> str:
    """Parse a table name, optionally with its schema: `app.claims`."""
    parts = line(text).split(".")
    if not all(parts) or len(parts) > 2:  # noqa: PLR2004 (a schema and a table)
        raise ValueError(f"'{text[:40]}' is not a table name; examples: claims, app.claims")
    return text


def column_names(text: str) -> Mapping[str, str]:
    """Parse a comma-separated map from recours's column names to the service's, such as `carrier:transporteur`."""
    result: dict[str, str] = {}
    for part in names(text):
        column, _, name = (piece.strip() for piece in part.partition(":"))
        if column not in COLUMNS:
            near = nearest(column, COLUMNS)
            hint = f"Did you mean {near}? " if near else ""
            raise ValueError(
                f"recours does not use a column '{column[:40]}'. {hint}Its columns: {', '.join(COLUMNS)}"
            )
        if not name:
            raise ValueError(f"the name of your column {column} is missing; write {column}:name")
        if column in result:
            raise ValueError(f"it names {column} twice")
        result[column] = name
    return result


def web_page(text: str) -> str:
    """Parse a URL that contains {reference}, or an empty text."""
    if text and not (text.startswith(("https://", "http://")) and "{reference}" in line(text)):
        raise ValueError("it must begin with https:// and contain {reference}")
    return text


def web_address(text: str, form: str) -> SplitResult:
    """Validate a URL that recours will call, and return its parts. `form`: the expected form, for errors."""
    try:
        parts = urlsplit(line(text))
        host = parts.hostname or ""
        parts.port  # noqa: B018 (raises ValueError)
    except ValueError:
        raise ValueError("it is not a URL") from None
    if parts.scheme not in ("https", "http") or "@" in parts.netloc or not _HOST.fullmatch(host):
        raise ValueError(f"it must be of the form {form}")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("it must begin with https; plain http is allowed for loopback only")
    return parts


def base_url(text: str) -> str:
    """Parse a URL that consists of scheme, host and optional port."""
    form = "https://host or https://host:port"
    parts = web_address(text, form)
    if parts.query or parts.fragment:
        raise ValueError(f"it must be of the form {form}")
    if parts.path not in ("", "/"):
        raise ValueError("it must not have a path; recours adds the carrier's paths")
    return text.rstrip("/")


def _require_plain(url: str) -> None:
    if "#" in url or not url.isascii() or " " in url:
        raise ValueError("it must not contain #, spaces or other characters that are not allowed in a URL")


def check_url(text: str) -> str:
    """Parse the URL of a check, or an empty text. The path may contain {worker}. Errors do not quote the secret URL."""
    if not text:
        return text
    if not web_address(text, "https://host/check").path.strip("/"):
        raise ValueError("it must name a check: https://host/check")
    _require_plain(text)
    if set("{}") & set(text.replace("{worker}", "")):
        raise ValueError("it must not contain braces except in {worker}")
    return text


def authority_url(text: str) -> str:
    """Parse the URL of a timestamping authority, or an empty text. Plain HTTP is safe, because answers are signed."""
    if not text:
        return text
    web_address(re.sub(r"^http:", "https:", text), "http://host/path or https://host/path")
    _require_plain(text)
    return text


def split_keys(text: str) -> tuple[str, ...]:
    """Split a text at commas and spaces."""
    return tuple(part for part in re.split(r"[,\s]+", text) if part)


def sealing_keys(text: str) -> tuple[str, ...]:
    """Parse comma-separated Fernet keys. The first key encrypts, and any key decrypts. Errors never quote a key."""
    keys = split_keys(text)
    for number, key in enumerate(keys, 1):
        try:
            is_key = key.isascii() and len(base64.b64decode(key, altchars=b"-_", validate=True)) == _KEY_BYTES
        except ValueError:
            is_key = False
        if not is_key:
            raise ValueError(
                f"key {number} of {len(keys)} is not a valid key; docs/accounts.md explains how to create a key"
            )
    return keys


def prom_file(text: str) -> Path | None:
    """Parse the path of a file for node_exporter, or an empty text."""
    if text and not text.endswith(".prom"):
        raise ValueError("its name must end in .prom; node_exporter ignores other files")
    return path(line(text)) if text else None


# ---------------------------------------------------------------- the rows


class Setting(NamedTuple):
    """One setting. `parse` converts its text to a value, or raises ValueError with a phrase that explains the error."""

    name: str
    default: str  # the text to parse if the setting is not set
    parse: Callable[[str], Any]
    meaning: str = ""
    is_secret: bool = False


def _setting(
    name: str, default: str, parse: Callable[[str], Any], meaning: str, *, secret: bool = False
) -> Any:
    return field(repr=not secret, metadata={"setting": Setting(name, default, parse, meaning, secret)})


def rows_of(model: type) -> dict[str, Setting]:
    return {row.name: row.metadata["setting"] for row in fields(model) if row.metadata}


# ---------------------------------------------------------------- settings that are not fields of the model

# The settings of the policy, by the name of its field.
POLICY = {
    "waits": Setting("RECOURS_BACKOFF_HOURS", "1,6,24,72", waits, "hours to wait before retry 1, 2, 3, …; further retries repeat the last wait"),
    "zone": Setting("RECOURS_TIMEZONE", "Europe/Paris", zone, "the time zone of response deadlines and of times that people read"),
    "skip_claim_statuses": Setting("RECOURS_SKIP_CLAIM_STATUSES", "paid", then(names, lambda parts: frozenset(map(str.lower, parts))), "claims with one of these statuses are not fetched"),
    "expire_after": Setting("RECOURS_EXPIRE_DAYS", "30", then(whole(0, 3650), lambda number: timedelta(days=number) or None), "days after its response_deadline when recours gives up on a claim; 0 disables this"),
    "last_attempt": Setting("RECOURS_LAST_ATTEMPT_HOURS", "0", hours_or_never(6, 720), "hours before the end of its response_deadline when a claim gets one last attempt; 0 disables this"),
    "notify_persistent_at_once": Setting("RECOURS_NOTIFY_PERSISTENT", "last-turn", then(one_of("last-turn", "at-once"), lambda text: text == "at-once"), "when a persistent error is reported: last-turn or at-once"),
    "notify_temporary": Setting("RECOURS_NOTIFY_TEMPORARY", "false", yes_or_no, "whether clients are also notified of a temporary error that outlasts all retries"),
}  # fmt: skip
CLAIMS_TABLE = Setting(
    "RECOURS_CLAIMS_TABLE",
    USUAL_NAMES.claims,
    table_name,
    "the table or view with your service's claims, with an optional schema: app.claims",
)
CLAIMS_COLUMNS = Setting(
    "RECOURS_CLAIMS_COLUMNS",
    "",
    column_names,
    "columns of that table with other names, separated by commas: tracking_number:suivi,carrier:transporteur",
)
GENERAL = (
    Setting("DATABASE_URL", "", str, "the database as a SQLAlchemy URL: sqlite:///path or postgresql://user:password@host/name", is_secret=True),
    Setting("DATABASE_PATH", "", str, "the path of an SQLite database, used if DATABASE_URL is not set"),
    CLAIMS_TABLE,
    CLAIMS_COLUMNS,
    Setting(SECRETS_SETTING, DEFAULT_SECRETS, str, "a TOML file with credentials, in a section per carrier or as flat keys"),
    *POLICY.values(),
)  # fmt: skip


# ---------------------------------------------------------------- the model


@dataclass(frozen=True)
class Credentials:
    """A carrier's credentials: the first complete set, or else all values that are set. They are never shown."""

    values: Mapping[str, str] = field(repr=False)
    sources: Mapping[str, str]
    missing: str  # the missing settings, for display; empty if none are missing
    options: Mapping[str, str] = field(default_factory=dict)  # the carrier's other settings

    @property
    def source(self) -> str:
        """Where the credentials come from, for display."""
        return enumeration(dict.fromkeys(self.sources.values()) or ("nowhere",))

    def pairs(self) -> list[str]:
        """Every pair of these secrets, joined with a colon as in an Authorization header."""
        texts = list(self.values.values())
        return [f"{first}:{second}" for first in texts for second in texts if first != second]


def credentials_of(spec: CarrierSpec, values: Mapping[str, Value], options: Mapping[str, str]) -> Credentials:
    """The first set of the spec that is complete in `values`, or else all of `values`."""
    complete = spec.complete_credentials(values.keys())
    chosen = {name: values[name] for name in complete or values}
    return Credentials(
        {name: value.text for name, value in chosen.items()},
        {name: value.source for name, value in chosen.items()},
        "" if complete else ", or ".join(map(enumeration, spec.missing_credentials(values.keys()))),
        options,
    )


@dataclass(frozen=True)
class HttpLimits:
    """Timeouts of a call to a carrier, in seconds."""

    connect_s: float = 10.0
    read_s: float = 30.0  # between two pieces of an answer
    deadline_s: float = 60.0  # for the whole call; shorter than a renewed lease


@dataclass(frozen=True)
class MailSettings:
    """Settings for the contents and the delivery of emails. An empty text means not set."""

    # fmt: off
    host: str = _setting("SMTP_HOST", "", line, "the mail server; without it, emails wait")
    port: int = _setting("SMTP_PORT", "587", whole(1, 65535), "the port of the mail server")
    security: str = _setting("SMTP_SECURITY", "starttls", one_of("starttls", "tls", "none"), "encryption of the connection to the mail server: starttls, tls or none")
    user: str = _setting("SMTP_USER", "", line, "the login, if the mail server requires one")
    password: str = _setting("SMTP_PASSWORD", "", line, "the password of the login", secret=True)
    sender: str = _setting("SMTP_FROM", "", address, "the sender's address; SMTP_USER if it is not set")
    admin: str = _setting("ADMIN_EMAIL", "", address, "the operator's address; without it, operator emails are logged as a WARNING")
    language: str = _setting("RECOURS_LANGUAGE", "fr", one_of(*LANGUAGES), "the language of pod_fetch_error, and of emails unless a client chose another one: fr or en")
    send_limit: int = _setting("RECOURS_MAIL_BRAKE", "50", whole(0, 1_000_000), "the maximum number of emails to clients per run; if there are more, all of them wait for 'recours mail release'")
    redirect: str = _setting("RECOURS_MAIL_REDIRECT", "", address, "an address that receives all emails instead of their recipients, for tests")
    service: str = _setting("RECOURS_SERVICE_NAME", "", line, "the signature of emails")
    reply_to: str = _setting("RECOURS_REPLY_TO", "", address, "the address for replies to emails")
    claim_url: str = _setting("RECOURS_CLAIM_URL", "", web_page, "the URL of a claim's page, with {reference}; without it, emails have the proofs attached, up to 2 MB")
    weekly_report: bool = _setting("RECOURS_WEEKLY_REPORT", "true", yes_or_no, "whether ADMIN_EMAIL gets a report every Monday after 8:00")
    # fmt: on


@dataclass(frozen=True)
class MonitoringSettings:
    """Settings for the monitoring of runs by other systems."""

    # fmt: off
    # Secret, because anyone who knows the URL can ping. Empty: no pings.
    ping_url: str = _setting("RECOURS_PING_URL", "", check_url, "the URL of a healthchecks check, pinged at the start and end of each run; {worker} is replaced by the worker's name", secret=True)
    metrics_file: Path | None = _setting("RECOURS_METRICS_FILE", "", prom_file, "a metrics file for node_exporter's textfile collector, rewritten by each run; the name must end in .prom")
    # fmt: on


@dataclass(frozen=True)
class Settings:
    root: Path
    database_url: URL
    database_is_embedded: bool  # no database is configured
    table_names: TableNames
    policy: Policy
    limits: Mapping[str, tuple[Limit, ...]]
    credentials: Mapping[str, Credentials]  # of the default accounts, by carrier key
    base_urls: Mapping[str, str]
    mail: MailSettings
    watch: MonitoringSettings
    secrets: tuple[str, ...] = field(repr=False)
    warnings: tuple[str, ...]
    # fmt: off
    enroll_new: EnrollNew = _setting("RECOURS_ENROLL_NEW", "auto", then(one_of(*EnrollNew), EnrollNew), "whether new claims without a pod_fetch_status are fetched: auto (if recours added that column), true or false")
    carrier_concurrency: int = _setting("RECOURS_CARRIER_CONCURRENCY", "4", whole(1, 64), "the maximum number of concurrent calls of one process to one carrier, 1 to 64")
    pod_dir: Path = _setting("RECOURS_POD_DIR", "data/pods", path, "the document folder")
    log_dir: Path = _setting("RECOURS_LOG_DIR", "logs", path, "the log folder")
    # Permissions of new files in these folders, and of the embedded database.
    access: Access = _setting(SHARED_GROUP, "", then(group, Access), "a group that may read documents, logs and the embedded database; without it, only the user that runs the workers may")
    log_max_bytes: int = _setting("RECOURS_LOG_MAX_MB", "5", then(between(0.01, 1000), lambda number: int(number * 2**20)), "the size in MB at which a log file is rotated")
    tsa_url: str = _setting("RECOURS_TSA_URL", "", authority_url, "a timestamping authority (RFC 3161) that confirms each run's manifest of documents")
    tsa_certificate: Path | None = _setting("RECOURS_TSA_CERT", "", then(line, lambda text: path(text) if text else None), "a PEM file with the authority's root certificate, which 'recours verify' uses to verify the timestamps")
    # The first key encrypts clients' credentials in the database; any key decrypts them.
    accounts_keys: tuple[str, ...] = _setting("RECOURS_ACCOUNTS_KEY", "", sealing_keys, "the key that encrypts clients' credentials in the database; older keys follow, separated by commas", secret=True)
    dashboard_password: PasswordHash | None = _setting("RECOURS_DASHBOARD_PASSWORD_HASH", "", read_hash, "the dashboard's password, as printed by 'recours dashboard --hash-password'", secret=True)
    dashboard_viewer_password: PasswordHash | None = _setting("RECOURS_DASHBOARD_VIEWER_PASSWORD_HASH", "", read_hash, "a second password with read-only access, printed by the same command", secret=True)
    page_user_header: str = _setting("RECOURS_PAGE_USER_HEADER", "", header_name, "the header with the user's name, set by a proxy, such as X-Forwarded-User; accepted only from RECOURS_PAGE_PROXIES")
    page_proxies: tuple[Network, ...] = _setting("RECOURS_PAGE_PROXIES", "", networks, "the addresses or networks of trusted proxies, separated by commas")
    page_operators: tuple[str, ...] = _setting("RECOURS_PAGE_OPERATORS", "", names, "the users who may act in the dashboard, by the names in the header, separated by commas; everyone else has read-only access")
    # fmt: on

    http: HttpLimits = HttpLimits()

    @property
    def configured(self) -> frozenset[str]:
        return frozenset(key for key, credentials in self.credentials.items() if not credentials.missing)


SETTINGS = {
    row.name: row
    for rows in (
        GENERAL,
        rows_of(MailSettings).values(),
        rows_of(MonitoringSettings).values(),
        rows_of(Settings).values(),
    )
    for row in rows
}


def redactor(settings: Settings) -> Redactor:
    """A redactor for all secrets in the settings, including pairs of secrets as in an Authorization header."""
    pairs = [pair for credentials in settings.credentials.values() for pair in credentials.pairs()]
    return _redactor_of(frozenset([*settings.secrets, *pairs]))


# Cached, because a run needs the redactor several times, and a long-lived worker needs it for each slice of work.
_redactor_of = lru_cache(maxsize=4)(Redactor)
