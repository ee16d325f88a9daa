"""Faults of the environment, each around a real process: none is silent, and none costs a claim an attempt.

A run with a fault exits with a status other than 0, or its log reports the problem; afterwards `recours status
--check` reports it
too. A fault is a function that takes an `Installation` and changes it, or yields while the fault lasts. Faults of
settings and
answers are in test_bad_input.py, full disks in tests/chaos/test_full_disk.py.
"""

import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from recours.database.engine import Database
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.person import Person
from tests.acceptance.simulation import Service
from tests.conftest import Kind
from tests.fakes.checkout import ROOT
from tests.fakes.rights import unprivileged
from tests.postgres import free_port

LONGEST_S = 150


@dataclass
class Installation:
    """A service with due claims and the way its worker is started. A fault changes any of these."""

    service: Service
    url: str
    environment: dict[str, str]
    limits: str = ""  # for the shell that starts it, such as `ulimit -n 9`
    modes_bind: bool = False  # even if root runs the tests
    undo: list[Callable[[], object]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.service.folder

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def pods(self) -> Path:
        return Path(self.environment["RECOURS_POD_DIR"])

    @property
    def database_file(self) -> Path:
        return Path(str(make_url(self.url).database))

    def run(self) -> subprocess.CompletedProcess[str]:
        """Start the worker from scratch, as a scheduler does."""
        command = [sys.executable, str(ROOT / "scripts" / "pod_retry_scheduler.py")]
        if self.limits:
            command = ["/bin/sh", "-c", f'{self.limits}; exec "$@"', "sh", *command]
        return subprocess.run(
            unprivileged(command) if self.modes_bind else command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=LONGEST_S,
        )

    def mode(self, path: Path, mode: int) -> None:
        """Change the mode of a file until the fault is undone; it applies to root too."""
        before = path.stat().st_mode
        path.chmod(mode)
        self.undo.append(lambda: path.chmod(before))
        self.modes_bind = True

    def admin(self, *statements: str) -> None:
        """Run a statement as the database's administrator."""
        database = Database(make_url(self.url))
        try:
            with database.outside_transactions() as connection:
                for statement in statements:
                    connection.execute(text(statement))
        finally:
            database.close()


Inject = Callable[[Installation], "Iterator[None] | None"]
ON_SQLITE: dict[str, Inject] = {}
ON_POSTGRESQL: dict[str, Inject] = {}


def fault(name: str, kind: dict[str, Inject] = ON_SQLITE) -> Callable[[Inject], Inject]:
    """Register a fault; on PostgreSQL only if the fault involves the database."""

    def register(inject: Inject) -> Inject:
        kind[name] = inject
        return inject

    return register


@contextmanager
def injected(inject: Inject, installation: Installation) -> Iterator[None]:
    """Context manager: the fault while it lasts."""
    lasting = inject(installation)
    if lasting is not None:
        next(lasting)
    try:
        yield
    finally:
        if lasting is not None:
            with suppress(StopIteration):
                next(lasting)
        while installation.undo:
            installation.undo.pop()()


@fault("a secrets file that may not be read")
def _closed_secrets(installation: Installation) -> None:
    file = installation.folder / "secrets.toml"
    file.write_text('[chronopost]\naccount = "10000001"\n')
    installation.mode(file, 0o000)
    installation.environment["RECOURS_SECRETS_FILE"] = str(file)


@fault("hardly any file may be open")
def _few_open_files(installation: Installation) -> None:
    installation.limits = "ulimit -n 12"


@fault("hardly any memory")
def _little_memory(installation: Installation) -> None:
    # Enough to start, and too little for the imports of a run. With some more, CPython itself may crash in a thread.
    installation.limits = "ulimit -v 70000"


@fault("a log that may not be written")
def _read_only_log(installation: Installation) -> None:
    installation.logs.mkdir()
    log = installation.logs / "pod_retry_scheduler.log"
    log.write_text("")
    installation.mode(log, 0o444)
    installation.mode(installation.logs, 0o555)


@fault("a document folder that may not be written")
def _read_only_documents(installation: Installation) -> None:
    installation.pods.mkdir(parents=True)
    installation.mode(installation.pods, 0o555)


@fault("a document folder that was deleted, in a folder that may not be written")
def _deleted_documents(installation: Installation) -> None:
    parent = installation.folder / "share"
    parent.mkdir()
    installation.environment["RECOURS_POD_DIR"] = str(parent / "pods")
    installation.mode(parent, 0o555)


@fault("a database of another program")
def _foreign_database(installation: Installation) -> None:
    other = installation.folder / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")
    installation.environment["DATABASE_URL"] = f"sqlite:///{other}"


@fault("a database file that may not be written")
def _read_only_database(installation: Installation) -> None:
    place = installation.folder / "place"
    place.mkdir()
    with closing(sqlite3.connect(installation.database_file)) as connection:
        connection.execute("VACUUM INTO ?", (str(place / "claims.db"),))
    installation.environment["DATABASE_URL"] = f"sqlite:///{place / 'claims.db'}"
    installation.mode(place / "claims.db", 0o444)
    installation.mode(place, 0o555)


@fault("another program's lock on the database")
def _locked_database(installation: Installation) -> Iterator[None]:
    with closing(sqlite3.connect(installation.database_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@fault("a server that is down", ON_POSTGRESQL)
def _server_down(installation: Installation) -> None:
    url = make_url(installation.url).set(port=free_port())
    installation.environment["DATABASE_URL"] = url.render_as_string(hide_password=False)


@fault("a database that was renamed", ON_POSTGRESQL)
def _no_such_database(installation: Installation) -> None:
    url = make_url(installation.url).set(database="gone")
    installation.environment["DATABASE_URL"] = url.render_as_string(hide_password=False)


@fault("a database that takes no writes", ON_POSTGRESQL)
def _read_only_server(installation: Installation) -> Iterator[None]:
    _as_role(installation)
    installation.admin("ALTER ROLE worker SET default_transaction_read_only = on")
    yield
    _drop_role(installation)


@fault("a server that is silent", ON_POSTGRESQL)
def _silent_server(installation: Installation) -> Iterator[None]:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as silent:
        url = make_url(installation.url).set(port=silent.getsockname()[1])
        installation.environment["DATABASE_URL"] = url.render_as_string(hide_password=False)
        yield


@fault("a role that may not connect any more", ON_POSTGRESQL)
def _no_connections_left(installation: Installation) -> Iterator[None]:
    _as_role(installation)
    installation.admin("ALTER ROLE worker CONNECTION LIMIT 0")
    yield
    _drop_role(installation)


@fault("a grant on claims that was revoked", ON_POSTGRESQL)
def _no_claims(installation: Installation) -> Iterator[None]:
    _as_role(installation)
    installation.admin("REVOKE UPDATE ON claims FROM worker")
    yield
    _drop_role(installation)


@fault("a grant on the attempts that was revoked", ON_POSTGRESQL)
def _no_attempts(installation: Installation) -> Iterator[None]:
    _as_role(installation)
    installation.admin("REVOKE INSERT ON recours_attempts FROM worker")
    yield
    _drop_role(installation)


@fault("rows that the service has locked", ON_POSTGRESQL)
def _locked_rows(installation: Installation) -> Iterator[None]:
    database = Database(make_url(installation.url))
    with database.write() as connection:
        connection.execute(text("SELECT id FROM claims FOR UPDATE"))
        yield
    database.close()


@fault("a table that the service has locked", ON_POSTGRESQL)
def _locked_table(installation: Installation) -> Iterator[None]:
    database = Database(make_url(installation.url))
    with database.write() as connection:
        connection.execute(text("LOCK TABLE claims IN ACCESS EXCLUSIVE MODE"))
        yield
    database.close()


def _as_role(installation: Installation) -> None:
    """A separate database user for the worker, with every right that a run needs."""
    installation.admin(
        "DROP ROLE IF EXISTS worker",
        "CREATE ROLE worker LOGIN",
        "GRANT USAGE ON SCHEMA public TO worker",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO worker",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO worker",
    )
    url = make_url(installation.url).set(username="worker")
    installation.environment["DATABASE_URL"] = url.render_as_string(hide_password=False)


def _drop_role(installation: Installation) -> None:
    installation.admin("DROP OWNED BY worker", "DROP ROLE worker")


@fault("a store of certificates that is not there")
def _no_certificates(installation: Installation) -> Iterator[None]:
    installation.environment["REQUESTS_CA_BUNDLE"] = "/nowhere/certificates.pem"
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        installation.environment["CHRONOPOST_BASE_URL"] = f"https://127.0.0.1:{listener.getsockname()[1]}"
        yield


@fault("a mail server that is silent")
def _silent_mail_server(installation: Installation) -> Iterator[None]:
    """A notification is due, because the password is wrong."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        installation.environment |= {
            "CHRONOPOST_PASSWORD": "000000",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(silent.getsockname()[1]),
            "SMTP_SECURITY": "none",
            "SMTP_FROM": "service@shop.example",
            "ADMIN_EMAIL": "operator@shop.example",
        }
        yield


_CLAIMS = 4
OWN_ERROR = re.compile("internal error")
_PROBLEM = re.compile(r" - \[(WARNING|ERROR)\] - .*", re.MULTILINE)


@pytest.fixture
def installed(
    request: pytest.FixtureRequest,
    kinds: Callable[[str], Kind],
    tmp_path: Path,
    sandbox: Sandbox,
    clock: SimulatedClock,
) -> Iterator[Installation]:
    """An installation with due claims, all of which a healthy run would fetch."""
    kind = kinds(request.param)
    url = kind.ready(tmp_path)
    shown = url.render_as_string(hide_password=False)
    service = Service(tmp_path, sandbox, clock, url=shown)
    for _ in range(_CLAIMS):
        service.add(Scenario.DELIVERED)
    person = Person.of(service, shown)
    yield Installation(service, shown, person.environment)
    service.close()
    kind.drop(url)


WAITS = pytest.mark.full("faults that a run waits half a minute for")
LONG = ("a server that is silent", "a mail server that is silent", "another program's lock on the database")


def cases() -> Iterator[object]:
    for kind, faults in (("sqlite", ON_SQLITE), ("postgresql", ON_POSTGRESQL)):
        for name, inject in faults.items():
            yield pytest.param(kind, inject, id=f"{name}, {kind}", marks=[WAITS] * (name in LONG))


def fetched(installation: Installation) -> int:
    query = "SELECT count(*) FROM claims WHERE pod_fetch_status = 'success'"
    return int(installation.service.sql(query)[0][0])


@pytest.mark.sample("more cases of the same test, each around processes", every=3)
@pytest.mark.parametrize(("installed", "inject"), list(cases()), indirect=["installed"])
def test_no_fault_is_silent_or_costs_an_attempt(installed: Installation, inject: Inject) -> None:
    with injected(inject, installed):
        done = installed.run()
    said, all_fetched = done.stdout + done.stderr, fetched(installed) == _CLAIMS
    assert "Traceback" not in said or OWN_ERROR.search(said), said
    assert not OWN_ERROR.search(said) or done.returncode == 1, said
    assert all_fetched or "No failed PODs eligible for retry" not in said, said
    assert all_fetched or done.returncode or _PROBLEM.search(done.stderr), said
    assert_nothing_is_used_up(installed)
    healthy = Person.of(installed.service, installed.url)
    checked = healthy.types("status", "--check")
    assert all_fetched or checked.returncode == 1, checked.stdout


def assert_nothing_is_used_up(installation: Installation) -> None:
    sql = installation.service.sql
    used = "SELECT count(*) FROM recours_attempts WHERE used AND outcome <> 'success'"
    assert sql(used) == [(0,)]
    spent = "SELECT claim_reference FROM claims WHERE pod_fetch_status <> 'success' AND pod_retry_count <> 0"
    assert sql(spent) == []
    assert sql("SELECT count(*) FROM recours_claims WHERE stage IN ('settled', 'given_up')") == [(0,)]
