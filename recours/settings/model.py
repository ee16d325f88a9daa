"""What the settings mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from recours.core.carrier import CarrierSpec, Catalog
from recours.core.decision import Policy
from recours.core.quota import Capability, Limit, parse_limits
from recours.core.timetable import Timetable, faults_of
from recours.settings.sources import SECRETS_SETTING, Found, Value, find

T = TypeVar("T")

EMBEDDED = "data/recours.db"


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
    Setting("RECOURS_POD_PATIENCE_DAYS", "14", "a POD missing so long after the delivery is not expected any more"),
    Setting("RECOURS_NOTIFY_PERSISTENT", "last-turn", "when a persistent error is told: last-turn or at-once"),
    Setting("RECOURS_NOTIFY_TEMPORARY", "false", "tell clients too when a temporary error outlasted every attempt"),
    Setting("RECOURS_PENDING_SHARE", "0.25", "part of a day's quota left to new claims until 16:00, 0 to 0.9"),
    Setting("RECOURS_CARRIER_CONCURRENCY", "4", "calls of a process under way to one carrier, 1 to 64"),
    Setting("RECOURS_CONNECT_TIMEOUT", "10", "seconds to wait for a connection to a carrier"),
    Setting("RECOURS_READ_TIMEOUT", "30", "seconds to wait for the next piece of an answer"),
    Setting("RECOURS_CALL_DEADLINE", "60", "seconds a whole answer may take"),
    Setting("RECOURS_POD_DIR", "data/pods", "the folder of the documents"),
    Setting("RECOURS_LOG_DIR", "logs", "the folder of the logs"),
    Setting("RECOURS_LOG_MAX_MB", "5", "a log file is put aside at this size"),
    Setting("RECOURS_LOG_FILES", "10", "how many log files put aside are kept"),
)  # fmt: skip


class SettingsFault(Exception):  # noqa: N818 (it holds faults, a sentence each)
    """The settings cannot be used."""

    def __init__(self, faults: list[str]) -> None:
        """Keep the sentences."""
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Credentials:
    """A carrier's credentials as far as they are set. Never shown."""

    values: Mapping[str, str] = field(repr=False)
    sources: Mapping[str, str]
    missing: tuple[str, ...]

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
class Settings:
    """Everything that can be set, validated."""

    root: Path
    database_url: URL
    database_is_embedded: bool  # nothing named a database
    policy: Policy
    limits: Mapping[str, tuple[Limit, ...]]
    credentials: Mapping[str, Credentials]
    base_urls: Mapping[str, str]
    pending_share: float
    carrier_concurrency: int
    http: HttpLimits
    pod_dir: Path
    log_dir: Path
    log_max_bytes: int
    log_files: int
    secrets: tuple[str, ...] = field(repr=False)
    warnings: tuple[str, ...]


def load(
    root: Path, environment: Mapping[str, str], catalog: Catalog, *, database_url: str | None = None
) -> Settings:
    """Read and validate every setting. Raises SettingsFault with all that is wrong, never with a secret."""
    found = find(root, environment)
    read = _Reading(found, root, catalog)
    settings = read.settings(database_url)
    if found.faults:
        raise SettingsFault(found.faults)
    return settings


def log_dir_of(root: Path, environment: Mapping[str, str]) -> Path:
    """The folder of the logs, also where other settings are at fault: the log must be able to say so."""
    value = find(root, environment).get("RECOURS_LOG_DIR")
    return root / (value.text if value else "logs")


class _Reading:
    """Turns texts into settings; a fault is noted and a default stands in, so that all faults are found at once."""

    def __init__(self, found: Found, root: Path, catalog: Catalog) -> None:
        self.found = found
        self.root = root
        self.catalog = catalog
        self.defaults = {setting.name: setting.default for setting in SETTINGS}
        self.warnings: list[str] = []

    def settings(self, database_url: str | None) -> Settings:
        self._check_names()
        url, embedded = self._database(database_url)
        policy = self._policy()
        credentials = {key: self._credentials(spec) for key, spec in self.catalog.specs.items()}
        secrets = [text for creds in credentials.values() for text in creds.values.values()]
        if url.password:
            secrets.append(str(url.password))
        return Settings(
            root=self.root,
            database_url=url,
            database_is_embedded=embedded,
            policy=policy,
            limits={key: self._limits(spec) for key, spec in self.catalog.specs.items()},
            credentials=credentials,
            base_urls={key: self._base_url(spec) for key, spec in self.catalog.specs.items()},
            pending_share=self._read("RECOURS_PENDING_SHARE", _between(0, 0.9)),
            carrier_concurrency=int(self._read("RECOURS_CARRIER_CONCURRENCY", _whole(1, 64))),
            http=HttpLimits(
                self._read("RECOURS_CONNECT_TIMEOUT", _between(0.05, 120)),
                self._read("RECOURS_READ_TIMEOUT", _between(0.05, 120)),
                self._read("RECOURS_CALL_DEADLINE", _between(0.1, 240)),
            ),
            pod_dir=self._folder("RECOURS_POD_DIR"),
            log_dir=self._folder("RECOURS_LOG_DIR"),
            log_max_bytes=int(self._read("RECOURS_LOG_MAX_MB", _between(0.01, 1000)) * 1024 * 1024),
            log_files=int(self._read("RECOURS_LOG_FILES", _whole(1, 1000))),
            secrets=tuple(secrets),
            warnings=tuple(self.warnings),
        )

    # ---------------------------------------------------------------- groups of settings

    def _check_names(self) -> None:
        """A misspelt name must not go unnoticed: a quota that is not applied burns calls."""
        known = {setting.name for setting in SETTINGS} | set(self._quota_names())
        for name, values in self.found.values.items():
            if name in known or not name.startswith(("RECOURS_", "QUOTA_")):
                continue
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            sentence = f"{name} in {values[0].source} is not a setting.{hint}"
            if name.startswith("QUOTA_"):
                self.found.faults.append(sentence)
            else:
                self.warnings.append(sentence)

    def _quota_names(self) -> dict[str, tuple[CarrierSpec, Capability | None]]:
        names: dict[str, tuple[CarrierSpec, Capability | None]] = {}
        for spec in self.catalog.specs.values():
            names[f"QUOTA_{spec.prefix}"] = (spec, None)
            names |= {f"QUOTA_{spec.prefix}_{what}": (spec, what) for what in spec.calls}
        return names

    def _database(self, option: str | None) -> tuple[URL, bool]:
        if option is not None:
            return self._url(Value(option, "--database-url")), False
        url, path = self.found.get("DATABASE_URL"), self.found.get("DATABASE_PATH")
        if url and path:
            self.warnings.append(
                f"DATABASE_URL in {url.source} holds; DATABASE_PATH in {path.source} is not used."
            )
        if url:
            return self._url(url, "DATABASE_URL in "), False
        if path:
            return self._sqlite(path.text), False
        return self._sqlite(EMBEDDED), True

    def _sqlite(self, path: str) -> URL:
        return URL.create("sqlite", database=str((self.root / Path(path).expanduser()).absolute()))

    def _url(self, value: Value, named: str = "") -> URL:
        text = value.text
        if text.startswith("postgres://"):
            text = "postgresql://" + text.removeprefix("postgres://")
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            self._fault(f"{named}{value.source} is not a database URL; write sqlite:///path/to/file.db or "
                        "postgresql://user:password@host/name.")  # fmt: skip
            return self._sqlite(EMBEDDED)
        kind = url.get_backend_name()
        if kind == "postgresql":
            return url.set(drivername="postgresql+psycopg")
        if kind != "sqlite":
            self._fault(
                f"{named}{value.source} names a {kind} database; only SQLite and PostgreSQL are supported."
            )
            return self._sqlite(EMBEDDED)
        if not url.database or url.database == ":memory:" or "mode=memory" in text:
            self._fault(
                f"{named}{value.source} names a database in memory; it would forget everything. Name a file."
            )
            return self._sqlite(EMBEDDED)
        return self._sqlite(url.database).update_query_dict(dict(url.query))

    def _policy(self) -> Policy:
        hours = self._read("RECOURS_BACKOFF_HOURS", _hours)
        slack = timedelta(minutes=self._read("RECOURS_DUE_SLACK_MINUTES", _between(0, 24 * 60)))
        if faults := faults_of(hours, slack):
            self._fault(f"RECOURS_BACKOFF_HOURS and RECOURS_DUE_SLACK_MINUTES: {'; '.join(faults)}.")
            hours, slack = Timetable().waits, Timetable().slack
        return Policy(
            zone=self._read("RECOURS_TIMEZONE", _zone),
            timetable=Timetable(hours, slack),
            skip_claim_statuses=self._read("RECOURS_SKIP_CLAIM_STATUSES", _statuses),
            patience=timedelta(days=self._read("RECOURS_POD_PATIENCE_DAYS", _whole(1, 365))),
            tell_persistent_at_once=self._read("RECOURS_NOTIFY_PERSISTENT", _one_of("last-turn", "at-once"))
            == "at-once",
            tell_temporary=self._read("RECOURS_NOTIFY_TEMPORARY", _yes_or_no),
        )

    def _limits(self, spec: CarrierSpec) -> tuple[Limit, ...]:
        limits: list[Limit] = []
        for name, (of, what) in self._quota_names().items():
            if of is not spec:
                continue
            default = spec.limits.get(what)
            value = self.found.get(name)
            text = value.text if value else default
            if text is None:
                continue
            try:
                limits += self._parsed_limits(text, spec, what)
            except ValueError as error:
                source = value.source if value else "its default"
                self._fault(f"{name} in {source}: {error}.")
        return tuple(limits)

    def _parsed_limits(self, text: str, spec: CarrierSpec, what: Capability | None) -> tuple[Limit, ...]:
        usual = spec.limits.get(what) or spec.limits.get(None, "")
        zone = usual.rpartition("@")[2].split(",")[0] if "@" in usual else "UTC"
        limits = parse_limits(text, spec.key, what, zone)
        most = sum(spec.calls.values()) if what is None else spec.calls.get(what, 1)
        for limit in limits:
            if not limit.window.is_short and limit.number < most:
                raise ValueError(
                    f"'{limit}' can never be enough for one claim, which needs up to {most} calls"
                )
        return limits

    def _credentials(self, spec: CarrierSpec) -> Credentials:
        values: dict[str, str] = {}
        sources: dict[str, str] = {}
        for name in spec.credentials:
            value = self.found.get(name)
            if value is None:
                continue
            values[name], sources[name] = value.text, value.source
            if any(ord(c) < ord(" ") for c in value.text):
                self._fault(f"{name} in {value.source} holds a line break or another control character.")
            for other in self.found.differing(name):
                self.warnings.append(
                    f"{name} differs between {value.source} and {other.source}; the one in {value.source} holds."
                )
        return Credentials(values, sources, tuple(name for name in spec.credentials if name not in values))

    def _base_url(self, spec: CarrierSpec) -> str:
        value = self.found.get(spec.base_url_setting)
        if value is None:
            return spec.base_url
        try:
            parts = urlsplit(value.text)
            loopback = parts.hostname in ("localhost", "::1") or (parts.hostname or "").startswith("127.")
            _ = parts.port
        except ValueError:
            self._fault(f"{spec.base_url_setting} in {value.source} is not a URL.")
            return spec.base_url
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query:
            self._fault(
                f"{spec.base_url_setting} in {value.source} must be of the form https://host or https://host:port."
            )
        elif parts.path not in ("", "/"):
            self._fault(
                f"{spec.base_url_setting} in {value.source} must not have a path: the paths are the carrier's own."
            )
        elif parts.scheme == "http" and not loopback:
            self._fault(
                f"{spec.base_url_setting} in {value.source} must begin with https: plain http is for loopback only."
            )
        return value.text.rstrip("/")

    # ---------------------------------------------------------------- one setting

    def _read(self, name: str, parse: Callable[[str], T]) -> T:
        value = self.found.get(name)
        if value is not None:
            try:
                return parse(value.text)
            except ValueError as error:
                self._fault(f"{name} in {value.source}: {error}.")
        return parse(self.defaults[name])

    def _folder(self, name: str) -> Path:
        return (self.root / Path(self._read(name, str)).expanduser()).absolute()

    def _fault(self, sentence: str) -> None:
        self.found.faults.append(sentence)


# ---------------------------------------------------------------- one value


def _between(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise ValueError(f"'{text[:40]}' is not a number from {low:g} to {high:g}")
        return number

    return parse


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not low <= int(text[:9]) <= high:
            raise ValueError(f"'{text[:40]}' is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _hours(text: str) -> tuple[timedelta, ...]:
    one = _between(-1e6, 1e6)
    return tuple(timedelta(hours=one(part.strip())) for part in text.split(","))


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{text[:40]}' is not a time zone; write for example Europe/Paris") from None


def _statuses(text: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"'{text[:40]}' is none of {', '.join(words)}")
        return text.lower()

    return parse


def _yes_or_no(text: str) -> bool:
    words = {
        "true": True,
        "yes": True,
        "1": True,
        "on": True,
        "false": False,
        "no": False,
        "0": False,
        "off": False,
    }
    if text.lower() not in words:
        raise ValueError(f"'{text[:40]}' is neither true nor false")
    return words[text.lower()]
