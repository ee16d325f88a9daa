"""Fixtures for several folders of tests: databases of every kind, claims in them, and the settings of a run."""

import gc
import os
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import (
    URL,
    Boolean,
    Column,
    Date,
    Float,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    insert,
    make_url,
    text,
)

from recours.carriers.registry import CATALOG
from recours.database.dialect import KEY
from recours.database.engine import Database
from recours.database.schema.creation import complete, create_file
from recours.database.tables import Utc
from recours.sandbox import Sandbox, SimulatedClock
from recours.settings.loading import load
from recours.settings.model import Settings
from tests import compiled, own_settings, planted
from tests.fakes.schemas import SCHEMAS, SCHEMAS_OF_BOTH, Application
from tests.long_form import IS_LONG
from tests.postgres import Server, named_server, role_without_rights
from tests.processes import commands

pytest_plugins = ["tests.budget", "tests.selection", "tests.schemas.plugin", "tests.searched"]
pytest.register_assert_rewrite("tests.chaos", "tests.shops")  # so that failures show the compared values

START = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)  # a Monday; the simulated clock starts at the same time


def pytest_xdist_auto_num_workers() -> int:
    """Use two processes per processor. With 1.5, a sixth of the time is unused while tests wait for other processes."""
    return 2 * (os.cpu_count() or 1)


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Run the tests in a copy if the checkout has settings that could affect them. See `tests.own_settings`."""
    if not own_settings.settings_files():
        return None
    return own_settings.run_without(config.invocation_params.args, config.invocation_params.dir)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without garbage collection. Tests live to the end, and scanning them would double the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _processes() -> Iterator[None]:
    os.environ["PATH"] = f"{commands.folder_of_recours()}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    yield
    commands.end()


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> Iterator[None]:
    with compiled.once():
        yield


class Databases(Protocol):
    """Creates databases. The `folder` arguments are empty folders for one database each."""

    def ready(self, folder: Path) -> URL:
        """A new database with the whole schema."""

    def drop(self, url: URL) -> None:
        """Drop a database, even if others are connected to it."""


class Kind(Databases, Protocol):
    """Creates and copies databases of one kind."""

    def empty(self, folder: Path) -> URL:
        """A new database without any table."""

    def copy(self, url: URL, folder: Path) -> URL:
        """A copy of a database that nobody is connected to."""

    def close(self) -> None:
        """Release the resources of this kind, such as a server."""


class Sqlite:
    """Files in write-ahead mode, as the service and `init-db` create them."""

    def __init__(self, folder: Path) -> None:
        path = folder / "template.db"
        create_file(path)
        self._template = URL.create("sqlite", database=str(path))

    def empty(self, folder: Path) -> URL:
        with closing(sqlite3.connect(folder / "claims.db")) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        return URL.create("sqlite", database=str(folder / "claims.db"))

    def ready(self, folder: Path) -> URL:
        return self.copy(self._template, folder)

    def copy(self, url: URL, folder: Path) -> URL:
        shutil.copyfile(str(url.database), folder / "claims.db")
        return URL.create("sqlite", database=str(folder / "claims.db"))

    def drop(self, url: URL) -> None:
        pass  # pytest deletes the folder

    def close(self) -> None:
        pass


class Postgres:
    """Databases of a server that the tests start, each created for one test."""

    def __init__(self, folder: Path) -> None:
        del folder
        self._server = None
        if (admin := named_server()) is None:
            self._server = Server(in_memory=True)
            self._server.start()
            admin = self._server.url()
        self._admin = create_engine(admin, isolation_level="AUTOCOMMIT")
        with self._admin.connect() as connection:
            version = connection.dialect.server_version_info or (0,)
        # The other strategy logs every page, which would take two thirds of the time to create and drop a database.
        self._strategy = "STRATEGY file_copy" if version >= (15,) else ""
        self._template = self._create("template0")
        database = Database(self._template)
        complete(database)
        database.close()

    def _create(self, template: str) -> URL:
        name = f"recours_test_{uuid.uuid4().hex}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {self._strategy}')
        return self._admin.url.set(database=name)

    def _execute(self, statement: str) -> None:
        with (
            self._admin.connect() as connection
        ):  # a kept connection, because a new connection costs as much as a new database
            connection.execute(text(statement))

    def empty(self, folder: Path) -> URL:
        del folder
        return self._create("template0")

    def ready(self, folder: Path) -> URL:
        return self.copy(self._template, folder)

    def copy(self, url: URL, folder: Path) -> URL:
        del folder
        return self._create(str(url.database))

    def drop(self, url: URL) -> None:
        self._execute(f'DROP DATABASE "{url.database}" WITH (FORCE)')

    def close(self) -> None:
        """Stop the server."""
        self._admin.dispose()
        if self._server:
            planted.search(self._server.folder)
            self._server.remove()


# To run every test on another kind of database, add an entry.
KINDS: dict[str, Callable[[Path], Kind]] = {"sqlite": Sqlite, "postgresql": Postgres}


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Kind]]:
    made: dict[str, Kind] = {}

    def kind(name: str) -> Kind:
        if name not in made:
            made[name] = KINDS[name](tmp_path_factory.mktemp(name))
        return made[name]

    yield kind
    for each in made.values():
        each.close()


_first, *_others = KINDS
_ON_OTHERS = pytest.mark.full("on PostgreSQL too: the contract tests run on both databases")


@pytest.fixture(params=[_first, *(pytest.param(name, marks=_ON_OTHERS) for name in _others)])
def kind(request: pytest.FixtureRequest, kinds: Callable[[str], Kind]) -> Kind:
    return kinds(request.param)


@pytest.fixture
def empty_url(kind: Kind, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    url = kind.empty(tmp_path)
    yield url.render_as_string(hide_password=False)
    kind.drop(url)


@pytest.fixture
def url(kind: Kind, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with the whole schema."""
    url = kind.ready(tmp_path)
    yield url.render_as_string(hide_password=False)
    kind.drop(url)


@pytest.fixture
def owner(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[URL]:
    """The URL of a database without tables. On PostgreSQL, it connects as the administrator."""
    url = kinds("postgresql").empty(tmp_path)
    yield url
    kinds("postgresql").drop(url)


@pytest.fixture
def role(owner: URL) -> Iterator[str]:
    with role_without_rights(owner, "Worker") as name:
        yield name


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(make_url(url))
    yield database
    database.close()


@pytest.fixture(params=SCHEMAS_OF_BOTH)
def application(
    request: pytest.FixtureRequest, kinds: Callable[[str], Kind], tmp_path: Path
) -> Iterator[Application]:
    """A service's application that has created its tables, before recours is installed."""
    name, dialect = request.param
    kind, schema = kinds(dialect), SCHEMAS[name]
    url = kind.empty(tmp_path)
    database = Database(url, names=schema.names)
    application = Application(schema, database)
    application.create()
    yield application
    database.close()
    kind.drop(url)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture
def sandbox(clock: SimulatedClock) -> Iterator[Sandbox]:
    with Sandbox(now=clock.now) as box:
        yield box


@pytest.fixture
def repeats() -> Callable[[int, int], range]:
    """`repeats(short, long)`: a range of `short` repeats, or of `long` repeats with RECOURS_LONG=1."""
    return lambda short, long: range(long if IS_LONG else short)


# The service's tables as `init-db` creates them, for tests that do not need another schema.
_SERVICE = MetaData()
SERVICE_CLAIMS = Table(
    "claims",
    _SERVICE,
    Column("id", KEY, primary_key=True),
    Column("claim_reference", Text),
    Column("client_id", Integer),
    Column("order_id", Text),
    Column("carrier", Text),
    Column("dispute_type", Text),
    Column("amount_requested", Float),
    Column("status", Text),
    Column("response_deadline", Date),
    Column("tracking_number", Text),
    Column("created_at", Utc),
    Column("updated_at", Utc),
    Column("pod_fetch_status", Text),
    Column("pod_url", Text),
    Column("pod_fetched_at", Utc),
    Column("pod_fetch_error", Text),
    Column("pod_delivery_person", Text),
    Column("pod_signature_url", Text),
    Column("pod_retry_count", Integer, server_default=text("0")),
    Column("pod_last_retry_at", Utc),
)
SERVICE_CLIENTS = Table(
    "clients",
    _SERVICE,
    Column("id", KEY, primary_key=True),
    Column("email", Text),
    Column("full_name", Text),
    Column("company_name", Text),
    Column("is_active", Boolean),
    Column("notification_preferences", Text),
)


def claim_row(n: int) -> dict[str, Any]:
    """A failed claim whose first retry is due at START. Its parcel is delivered in the sandbox."""
    return {
        "claim_reference": f"CLM-{n:05d}",
        "order_id": f"O-{n}",
        "carrier": "Chronopost",
        "dispute_type": "lost",
        "amount_requested": 10.0,
        "tracking_number": f"XY00{n:07d}FR",
        "pod_fetch_status": "failed",
        "pod_fetch_error": "Timeout",
        "created_at": START - timedelta(days=2),
        "updated_at": START - timedelta(hours=2),
    }


def add_claims(database: Database, rows: Iterable[dict[str, Any]]) -> None:
    """Add claims to the service's table. Each row contains the differences from `claim_row`."""
    with database.write() as connection:
        for n, row in enumerate(rows):
            connection.execute(insert(SERVICE_CLAIMS).values(claim_row(n) | row))


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., Settings]:
    """`settings_of(url, sandbox, **more)`: the settings of a run that calls the sandbox, with a separate folder."""

    def settings(url: str, sandbox: Sandbox, **more: str) -> Settings:
        return load(tmp_path, environment_of(url, sandbox.url) | more, CATALOG)

    return settings


def environment_of(url: str, base_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": url,
        "CHRONOPOST_ACCOUNT": "10000001",
        "CHRONOPOST_PASSWORD": planted.PASSWORD,
        "CHRONOPOST_BASE_URL": base_url,
        "QUOTA_CHRONOPOST": "100000/day",
    }
