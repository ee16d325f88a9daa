"""Reads all settings and validates them together."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from recours.core.carrier import CarrierSpec, Catalog
from recours.core.policy import Policy
from recours.core.quota import Capability, Limit
from recours.core.text import is_one_line, is_text, nearest
from recours.database.border import TableNames
from recours.database.dialect import DIALECTS, is_file, url_of_file
from recours.database.engine import SECRET_QUERY
from recours.host.home import SETTING as HOME
from recours.host.home import NoHomeError, find_home
from recours.settings.model import (
    CLAIMS_COLUMNS,
    CLAIMS_TABLE,
    POLICY,
    SETTINGS,
    Credentials,
    MailSettings,
    MonitoringSettings,
    Setting,
    Settings,
    SettingsError,
    base_url,
    credentials_of,
    rows_of,
    split_keys,
    yes_or_no,
)
from recours.settings.model import path as parse_path
from recours.settings.sources import ENVIRONMENT, find

# Secret settings of which only a part is secret, or which contain several secrets.
_PARTLY_SECRET = {"DATABASE_URL", "RECOURS_PING_URL", "RECOURS_ACCOUNTS_KEY"}
# In the path of a check's URL, a segment with at least this many characters is the check's key.
_KEY_LENGTH = 16

EMBEDDED = "data/recours.db"


def load(
    root: Path, environment: Mapping[str, str], catalog: Catalog, *, database_url: str | None = None
) -> Settings:
    """Read and validate every setting. Raises SettingsError with all errors, none of which contains a secret."""
    reading = _Reading(root, environment, catalog)
    settings = reading.settings(database_url)
    if reading.sources.faults:
        raise SettingsError(reading.sources.faults)
    return settings


def home_of(environment: Mapping[str, str]) -> Path:
    """This installation's home folder. Raises SettingsError."""
    try:
        return find_home(environment)
    except NoHomeError as error:
        raise SettingsError([str(error)]) from error


def load_at_home(
    environment: Mapping[str, str], catalog: Catalog, *, database_url: str | None = None
) -> Settings:
    """Call `load` with the files in this installation's home folder. Raises SettingsError."""
    return load(home_of(environment), environment, catalog, database_url=database_url)


def load_one(name: str, root: Path, environment: Mapping[str, str]) -> Any:
    """The value of one setting, or its default if the value is invalid. Other settings may be invalid."""
    return _Reading(root, environment, Catalog(())).value(SETTINGS[name])


class _Reading:
    """Parses settings. An invalid setting is replaced with its default, so that one pass finds all errors."""

    def __init__(self, root: Path, environment: Mapping[str, str], catalog: Catalog) -> None:
        self.sources = find(root, environment)
        self.warnings = self.sources.warnings
        self.root = root
        self.catalog = catalog

    def settings(self, database_url: str | None) -> Settings:
        self._check_names()
        url, embedded = self._database(database_url)
        specs = self.catalog.specs.items()
        watch = MonitoringSettings(**self._fields(MonitoringSettings))
        mail = self._fields(MailSettings)
        return Settings(
            root=self.root,
            database_url=url,
            database_is_embedded=embedded,
            table_names=TableNames(self.value(CLAIMS_TABLE), self.value(CLAIMS_COLUMNS)),
            policy=self._policy(),
            limits={key: self._limits(spec) for key, spec in specs},
            credentials={key: self._credentials(spec) for key, spec in specs},
            base_urls={
                key: self.value(Setting(spec.base_url_setting, spec.base_url, base_url))
                for key, spec in specs
            },
            mail=MailSettings(**mail | {"sender": mail["sender"] or mail["user"]}),
            watch=watch,
            secrets=tuple(self._secrets(url, watch.ping_url)),
            **self._fields(Settings),
            warnings=tuple(self.warnings),
        )

    def _secrets(self, url: URL, ping_url: str) -> Iterator[str]:
        """All values that must never be shown, even if they are set but not used."""
        names = {name for spec in self.catalog.specs.values() for name in spec.credential_names}
        names |= {row.name for row in SETTINGS.values() if row.is_secret} - _PARTLY_SECRET
        for name in sorted(names):
            yield from (value.text for value in self.sources.values.get(name, ()))
        yield from (part for part in urlsplit(ping_url).path.split("/") if len(part) >= _KEY_LENGTH)
        for keys in self.sources.values.get("RECOURS_ACCOUNTS_KEY", ()):
            yield from split_keys(keys.text)
        if url.password:
            yield str(url.password)
        yield from (str(url.query[name]) for name in SECRET_QUERY if name in url.query)

    def value(self, row: Setting) -> Any:
        """The configured value, or the default. Relative paths start at the home folder."""
        source = self.sources.get(row.name)
        value = row.parse(row.default)
        if source:
            try:
                value = row.parse(source.text)
            except ValueError as error:
                fault = f"{row.name} in {source.source}: {error}."
                if row.name == "RECOURS_ACCOUNTS_KEY":  # default accounts work without a valid key
                    self.warnings.append(
                        f"{fault} Until you correct it, clients' own accounts cannot be used."
                    )
                else:
                    self.sources.faults.append(fault)
        return (self.root / value).absolute() if isinstance(value, Path) else value

    def _fields(self, part: type) -> dict[str, Any]:
        return {name: self.value(row) for name, row in rows_of(part).items()}

    # ---------------------------------------------------------------- groups of settings

    def _check_names(self) -> None:
        """Report unknown names. Otherwise, a misspelled quota would be ignored silently."""
        names = {*SETTINGS}
        for spec in self.catalog.specs.values():
            names |= {*spec.credential_names, spec.base_url_setting, *_quota_names(spec)}
            self._check_document_first(spec)
            names |= {option.name for option in spec.options}
        for name, values in self.sources.values.items():
            if name in names:
                for value in values:
                    if not is_text(value.text):
                        self.sources.faults.append(f"{name} in {value.source} is not UTF-8 text.")
                continue
            source = values[0].source
            if name == HOME and source == ENVIRONMENT:  # read earlier, to find the other sources
                continue
            remarks = self.sources.faults if name.startswith("QUOTA_") else self.warnings
            if name.startswith(("RECOURS_", "QUOTA_")):
                near = nearest(name, names)
                hint = f" Did you mean {near}?" if near else ""
                remarks.append(f"{name} in {source} is not a setting.{hint}")

    def _check_document_first(self, spec: CarrierSpec) -> None:
        value = self.sources.get(spec.document_first_setting)
        if value and not spec.untracked_form:
            self.warnings.append(
                f"{spec.document_first_setting} in {value.source} has no effect: {spec.name} parcels are always tracked first."
            )

    def _database(self, option: str | None) -> tuple[URL, bool]:
        """The URL of the database, and whether it is the embedded database."""
        if option is not None:
            return self._url("--database-url", option), False
        url = self.sources.get("DATABASE_URL")
        path = self.sources.get("DATABASE_PATH")
        if url and path:
            self.warnings.append(
                f"DATABASE_URL in {url.source} wins; DATABASE_PATH in {path.source} is not used."
            )
        if url:
            return self._url(f"DATABASE_URL in {url.source}", url.text), False
        return self._sqlite(path.text if path else EMBEDDED), path is None

    def _url(self, named: str, text: str) -> URL:
        try:
            url = _database_url(text)
        except ValueError as error:
            self.sources.faults.append(f"{named} {error}.")
            return self._sqlite(EMBEDDED)
        if is_file(url):
            return self._sqlite(str(url.database)).update_query_dict(dict(url.query))
        return url

    def _sqlite(self, text: str) -> URL:
        try:
            path = parse_path(text)
        except ValueError as error:
            self.sources.faults.append(f"The path of the database: {error}.")
            path = Path(EMBEDDED)
        return url_of_file((self.root / path).absolute())

    def _policy(self) -> Policy:
        rules = {name: self.value(row) for name, row in POLICY.items()}
        document_first = frozenset(
            spec.key
            for spec in self.catalog.specs.values()
            if spec.untracked_form and self.value(Setting(spec.document_first_setting, "false", yes_or_no))
        )
        return Policy(document_first=document_first, evidence_days=self.catalog.evidence_days, **rules)

    def _limits(self, spec: CarrierSpec) -> tuple[Limit, ...]:
        rows = (
            Setting(name, spec.limits.get(capability, ""), partial(spec.limits_of, capability))
            for name, capability in _quota_names(spec).items()
        )
        return tuple(limit for row in rows for limit in self.value(row))

    def _credentials(self, spec: CarrierSpec) -> Credentials:
        values = {name: value for name in spec.credential_names if (value := self.sources.get(name))}
        for name, value in values.items():
            if not is_one_line(value.text):
                self.sources.faults.append(
                    f"{name} in {value.source} contains a line break or another control character."
                )
            for other in self.sources.differing(name):
                self.warnings.append(
                    f"{name} differs between {value.source} and {other.source}; the one in {value.source} wins."
                )
        options = {
            option.name: self.value(Setting(option.name, option.default, option.parse))
            for option in spec.options
        }
        return credentials_of(spec, values, options)


def _quota_names(spec: CarrierSpec) -> dict[str, Capability | None]:
    """The names of a carrier's QUOTA_ settings, with the kind of call that each limits; None: any kind."""
    return {
        f"QUOTA_{spec.prefix}" + (f"_{capability}" if capability else ""): capability
        for capability in spec.limitable
    }


# ---------------------------------------------------------------- the URL of the database

# Matches user:password@ and ?password=. A password may contain any character except @.
_PASSWORD = re.compile(r"://[^:/@]*:[^@]+@|[?&](?:ssl)?password=[^&]")
_MAX_PORT = 65535
_WHOLE = re.compile(r"-?\d{1,9}")
_NAME = re.compile(r"[A-Za-z_]{1,40}")
# libpq's options with whole numbers. libpq would report an invalid number like an error of the server.
_NUMBERS = ("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
            "tcp_user_timeout", "sslcompression", "sslsni")  # fmt: skip


def has_password(url: str) -> bool:
    """Return whether a database URL seems to contain a password. The URL may be invalid."""
    return _PASSWORD.search(url) is not None


def _database_url(text: str) -> URL:
    """Parse a database URL. Raises ValueError; its text completes a sentence and contains no value from the URL."""
    if not is_one_line(text):
        raise ValueError("contains a line break or another control character")
    if text.startswith("postgres://"):
        text = "postgresql://" + text.removeprefix("postgres://")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(
            "is not a database URL; write sqlite:///path/to/file.db or postgresql://user:password@host/name"
        ) from None
    kind = url.get_backend_name()
    if kind not in DIALECTS:
        raise ValueError(f"names a {kind} database; only SQLite and PostgreSQL are supported")
    if not is_file(url):
        url = url.set(drivername=DIALECTS[kind].driver)
        _check_options(url)
    elif not url.database or url.database == ":memory:" or "mode=memory" in text:
        raise ValueError("names an in-memory database, which would lose all data. Name a file")
    return url


def _check_options(url: URL) -> None:
    """Raise ValueError if the options of this PostgreSQL URL are invalid."""
    try:
        _, options = url.get_dialect()().create_connect_args(url)
    except (ArgumentError, ValueError):
        raise ValueError(
            "has ports that do not match its hosts; give each host one port from 1 to 65535"
        ) from None
    ports = [port for port in str(options.get("port", "")).split(",") if port]
    if not all(port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= _MAX_PORT for port in ports):
        raise ValueError(f"has an invalid port; ports are numbers from 1 to {_MAX_PORT}")
    if twice := [name for name, value in options.items() if isinstance(value, tuple)]:
        raise ValueError(f"has the option {_shown(twice[0])} twice; remove one")
    for name in _NUMBERS:
        if name in url.query and not _WHOLE.fullmatch(str(options[name])):
            raise ValueError(f"has an option {name} that is not a whole number")
    try:
        from recours.database.postgres import option_names  # noqa: PLC0415 (needs the driver, which is an extra)
    except ImportError:  # the first connection reports the missing driver
        return
    keywords = option_names() if url.query else {*options}
    if unknown := [name for name in options if name not in keywords]:
        raise ValueError(f"has an option that PostgreSQL does not support: {_shown(unknown[0])}")


def _shown(name: str) -> str:
    return name if _NAME.fullmatch(name) else "its name is not a word"
