"""Reading and validating all the settings at once."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from recours.access import Access
from recours.core.carrier import CarrierSpec, Catalog, Option
from recours.core.policy import Backoff, Policy, faults_of
from recours.core.quota import Capability, Limit, parse_limits
from recours.core.text import is_text
from recours.database.engine import SECRET_QUERY
from recours.home import SETTING as HOME
from recours.home import NoHomeError, find_home
from recours.settings.model import (
    SETTINGS,
    Credentials,
    HttpLimits,
    MailSettings,
    MonitoringSettings,
    Setting,
    Settings,
    SettingsError,
    rows_of,
)
from recours.settings.sources import ENVIRONMENT, FoundSettings, Value, find
from recours.settings.values import HOST, fault_of, in_folder, is_loopback

# A part of a check's URL as long as that is its key.
_KEY_LENGTH = 16

EMBEDDED = "data/recours.db"


def load(
    root: Path, environment: Mapping[str, str], catalog: Catalog, *, database_url: str | None = None
) -> Settings:
    """Read and validate every setting. Raises SettingsError with all that is wrong, never with a secret."""
    found = find(root, environment)
    read = _Reading(found, root, catalog)
    settings = read.settings(database_url)
    if found.faults:
        raise SettingsError(found.faults)
    return settings


def home_of(environment: Mapping[str, str]) -> Path:
    """Where this installation keeps its files. Raises SettingsError."""
    try:
        return find_home(environment)
    except NoHomeError as error:
        raise SettingsError([str(error)]) from error


def load_at_home(
    environment: Mapping[str, str], catalog: Catalog, *, database_url: str | None = None
) -> Settings:
    """`load` with the files of this installation. Raises SettingsError."""
    return load(home_of(environment), environment, catalog, database_url=database_url)


def log_dir_of(root: Path, environment: Mapping[str, str]) -> Path:
    """The folder of the logs, also where other settings are at fault: the log must be able to say so."""
    return cast("Path", _alone(rows_of(Settings)["log_dir"], root, environment))


def access_of(root: Path, environment: Mapping[str, str]) -> Access:
    """Who may read the logs, also where other settings are at fault."""
    return cast("Access", _alone(rows_of(Settings)["access"], root, environment))


def ping_url_of(root: Path, environment: Mapping[str, str]) -> str:
    """The check that runs ping, also where other settings are at fault; "": none, or it is itself at fault."""
    return str(_alone(rows_of(MonitoringSettings)["ping_url"], root, environment))


def _alone(row: Setting, root: Path, environment: Mapping[str, str]) -> Any:
    value = find(root, environment).get(row.name)
    try:
        return row.parse(value.text if value else row.default, root)
    except ValueError:
        return row.parse(row.default, root)


def _missing(spec: CarrierSpec, present: Collection[str]) -> str:
    """The missing settings: those of the set that was begun, or of each set if none was."""
    begun = [names for names in spec.credentials if set(names) & set(present)]
    wanted = [[name for name in names if name not in present] for names in begun or spec.credentials]
    return ", or ".join(" and ".join(names) for names in wanted)


class _Reading:
    """Turns texts into settings; a fault is noted and a default stands in, so that all faults are found at once."""

    def __init__(self, found: FoundSettings, root: Path, catalog: Catalog) -> None:
        self.found = found
        self.root = root
        self.catalog = catalog
        self.rows = {row.name: row for row in SETTINGS}
        self.warnings: list[str] = []

    def settings(self, database_url: str | None) -> Settings:
        self._check_names()
        url, embedded = self._database(database_url)
        policy = self._policy()
        credentials = {key: self._credentials(spec) for key, spec in self.catalog.specs.items()}
        secrets = self._every_credential()
        if password := self.found.get("SMTP_PASSWORD"):
            secrets.append(password.text)
        watch = MonitoringSettings(**self._fields(MonitoringSettings))
        secrets += [part for part in urlsplit(watch.ping_url).path.split("/") if len(part) >= _KEY_LENGTH]
        if page := self.found.get("RECOURS_DASHBOARD_PASSWORD_HASH"):
            secrets.append(page.text)
        if url.password:
            secrets.append(str(url.password))
        secrets += [str(url.query[name]) for name in SECRET_QUERY if name in url.query]
        return Settings(
            root=self.root,
            database_url=url,
            database_is_embedded=embedded,
            policy=policy,
            limits={key: self._limits(spec) for key, spec in self.catalog.specs.items()},
            credentials=credentials,
            base_urls={key: self._base_url(spec) for key, spec in self.catalog.specs.items()},
            http=HttpLimits(**self._fields(HttpLimits)),
            mail=self._mail(),
            watch=watch,
            secrets=tuple(secrets),
            warnings=tuple(self.warnings),
            **self._fields(Settings),
        )

    # ---------------------------------------------------------------- groups of settings

    def _check_names(self) -> None:
        """A misspelt name must not go unnoticed: a quota that is not applied burns calls."""
        for name, values in self.found.values.items():
            for value in values:
                if not is_text(value.text) and name in self._known_names():
                    self._fault(f"{name} in {value.source} is not UTF-8 text.")
        known = self._known_names()
        for name, values in self.found.values.items():
            if name in known or not name.startswith(("RECOURS_", "QUOTA_")):
                continue
            if name == HOME and values[0].source == ENVIRONMENT:  # it says where the other sources are
                continue
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            sentence = f"{name} in {values[0].source} is not a setting.{hint}"
            if name.startswith("QUOTA_"):
                self.found.faults.append(sentence)
            else:
                self.warnings.append(sentence)

    def _known_names(self) -> set[str]:
        own = {
            name
            for spec in self.catalog.specs.values()
            for name in (
                *spec.credential_names,
                *(option.name for option in spec.options),
                spec.base_url_setting,
            )
        }
        return {*self.rows, *self._quota_names, *own}

    @cached_property
    def _quota_names(self) -> dict[str, tuple[CarrierSpec, Capability | None]]:
        names: dict[str, tuple[CarrierSpec, Capability | None]] = {}
        for spec in self.catalog.specs.values():
            names[f"QUOTA_{spec.prefix}"] = (spec, None)
            limited = {what for what in (*spec.calls, *spec.limits) if what is not None}
            names |= {f"QUOTA_{spec.prefix}_{what}": (spec, what) for what in sorted(limited)}
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
        try:
            return URL.create("sqlite", database=str(in_folder(path, self.root)))
        except ValueError as error:
            self._fault(f"The path of the database: {error}.")
            return self._sqlite(EMBEDDED)

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
            url = url.set(drivername="postgresql+psycopg")
            if fault := fault_of(url):
                self._fault(f"{named}{value.source} {fault}.")
            return url
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
        waits = self._read("RECOURS_BACKOFF_HOURS")
        slack = timedelta(minutes=self._read("RECOURS_DUE_SLACK_MINUTES"))
        if faults := faults_of(waits, slack):
            self._fault(f"RECOURS_BACKOFF_HOURS and RECOURS_DUE_SLACK_MINUTES: {'; '.join(faults)}.")
            waits, slack = Backoff().waits, Backoff().slack
        return Policy(
            zone=self._read("RECOURS_TIMEZONE"),
            backoff=Backoff(waits, slack),
            skip_claim_statuses=self._read("RECOURS_SKIP_CLAIM_STATUSES"),
            expire_after=self._read("RECOURS_EXPIRE_DAYS"),
            patience=self._read("RECOURS_POD_PATIENCE_DAYS"),
            tell_persistent_at_once=self._read("RECOURS_NOTIFY_PERSISTENT") == "at-once",
            tell_temporary=self._read("RECOURS_NOTIFY_TEMPORARY"),
        )

    def _mail(self) -> MailSettings:
        found = self._fields(MailSettings)
        return MailSettings(**found | {"sender": found["sender"] or found["user"]})

    def _limits(self, spec: CarrierSpec) -> tuple[Limit, ...]:
        limits: list[Limit] = []
        for name, (of, what) in self._quota_names.items():
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
        for limit in limits:
            most = limit.units(spec.most_calls)
            if not limit.window.is_short and limit.number < most:
                token = ", one of them for a token" if most > limit.units(dict(spec.calls)) else ""
                raise ValueError(
                    f"'{limit}' can never be enough for one claim, which needs up to {most} calls{token}"
                )
        return limits

    def _every_credential(self) -> list[str]:
        """What must never be shown: also what is set, but not used."""
        names = {name for spec in self.catalog.specs.values() for name in spec.credential_names}
        return [value.text for name in sorted(names) for value in self.found.values.get(name, ())]

    def _credentials(self, spec: CarrierSpec) -> Credentials:
        found: dict[str, Value] = {}
        for name in spec.credential_names:
            value = self.found.get(name)
            if value is None:
                continue
            found[name] = value
            if any(ord(c) < ord(" ") for c in value.text):
                self._fault(f"{name} in {value.source} holds a line break or another control character.")
            for other in self.found.differing(name):
                self.warnings.append(
                    f"{name} differs between {value.source} and {other.source}; the one in {value.source} holds."
                )
        complete = next((names for names in spec.credentials if found.keys() >= set(names)), None)
        used = {name: found[name] for name in complete or found}
        return Credentials(
            {name: value.text for name, value in used.items()},
            {name: value.source for name, value in used.items()},
            "" if complete else _missing(spec, found.keys()),
            {option.name: self._option(option) for option in spec.options},
        )

    def _option(self, option: Option) -> str:
        value = self.found.get(option.name)
        if value is None:
            return option.default
        if not option.form.fullmatch(value.text):
            self._fault(f"{option.name} in {value.source} must be {option.words}.")
        return value.text

    def _base_url(self, spec: CarrierSpec) -> str:
        value = self.found.get(spec.base_url_setting)
        if value is None:
            return spec.base_url
        try:
            parts = urlsplit(value.text)
            _ = parts.port
        except ValueError:
            self._fault(f"{spec.base_url_setting} in {value.source} is not a URL.")
            return spec.base_url
        host = parts.hostname or ""
        extra = parts.query or parts.fragment or "@" in parts.netloc
        if parts.scheme not in ("https", "http") or extra or not HOST.fullmatch(host):
            self._fault(
                f"{spec.base_url_setting} in {value.source} must be of the form https://host or https://host:port."
            )
        elif parts.path not in ("", "/"):
            self._fault(
                f"{spec.base_url_setting} in {value.source} must not have a path: the paths are the carrier's own."
            )
        elif parts.scheme == "http" and not is_loopback(host):
            self._fault(
                f"{spec.base_url_setting} in {value.source} must begin with https: plain http is for loopback only."
            )
        return value.text.rstrip("/")

    # ---------------------------------------------------------------- one setting

    def _read(self, name: str) -> Any:
        value, row = self.found.get(name), self.rows[name]
        if value is not None:
            try:
                return row.parse(value.text, self.root)
            except ValueError as error:
                self._fault(f"{name} in {value.source}: {error}.")
        return row.parse(row.default, self.root)

    def _fields(self, part: type) -> dict[str, Any]:
        """The fields of this part of the model that are settings."""
        return {name: self._read(row.name) for name, row in rows_of(part).items()}

    def _fault(self, sentence: str) -> None:
        self.found.faults.append(sentence)
