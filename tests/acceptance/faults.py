"""Faults of the environment, each injected around the real processes and undone afterwards.

A fault is a function that takes an `Installation` and changes it, or yields while it lasts.
"""

import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import make_url, text

from recours.database.engine import Database
from tests.acceptance.simulation import Service
from tests.fakes.checkout import ROOT
from tests.fakes.disk import Disk
from tests.fakes.rights import unprivileged
from tests.needs import program
from tests.postgres import free_port

LONGEST_S = 150


@dataclass
class Installation:
    """A service with due claims, and how its worker is started. A fault changes any of it."""

    service: Service
    url: str
    environment: dict[str, str]
    limits: str = ""  # of the shell that starts it, such as `ulimit -n 9`
    options: tuple[str, ...] = ()
    modes_bind: bool = False  # even if the tests are root's
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

    def run(self, worker: str = "pod_retry_scheduler") -> subprocess.CompletedProcess[str]:
        """Start the worker as a scheduler does, from nothing."""
        script = ROOT / "scripts" / f"{worker}.py"
        command = [sys.executable, str(script), *self.options]
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
        """Change what a file's mode allows, until the fault is undone; root is bound by it too."""
        before = path.stat().st_mode
        path.chmod(mode)
        self.undo.append(lambda: path.chmod(before))
        self.modes_bind = True

    def admin(self, *statements: str) -> None:
        """What the database's administrator does."""
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


def fault(name: str, kinds: tuple[dict[str, Inject], ...] = (ON_SQLITE,)) -> Callable[[Inject], Inject]:
    """Register a fault; on PostgreSQL too only where the database plays a part in it."""

    def register(inject: Inject) -> Inject:
        for kind in kinds:
            kind[name] = inject
        return inject

    return register


@contextmanager
def injected(inject: Inject, installation: Installation) -> Iterator[None]:
    """While it lasts."""
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


# ---------------------------------------------------------------- the installation


@fault("a setting that is none")
def _bad_setting(installation: Installation) -> None:
    installation.environment["QUOTA_CHRONOPOST"] = "a lot"


@fault("a secrets file that is cut off")
def _broken_secrets(installation: Installation) -> None:
    file = installation.folder / "secrets.toml"
    file.write_text('[chronopost]\naccount = "100')
    installation.environment["RECOURS_SECRETS_FILE"] = str(file)


@fault("a secrets file that may not be read")
def _closed_secrets(installation: Installation) -> None:
    file = installation.folder / "secrets.toml"
    file.write_text('[chronopost]\naccount = "10000001"\n')
    installation.mode(file, 0o000)
    installation.environment["RECOURS_SECRETS_FILE"] = str(file)


@fault("hardly any file may be open")
def _few_files(installation: Installation) -> None:
    installation.limits = "ulimit -n 12"


@fault("hardly any memory")
def _little_memory(installation: Installation) -> None:
    installation.limits = "ulimit -v 120000"


# ---------------------------------------------------------------- folders and disks


@fault("a log that may not be written")
def _read_only_log(installation: Installation) -> None:
    installation.logs.mkdir()
    log = installation.logs / "pod_retry_scheduler.log"
    log.write_text("")
    installation.mode(log, 0o444)
    installation.mode(installation.logs, 0o555)


@fault("a file in place of the log folder")
def _log_is_file(installation: Installation) -> None:
    installation.logs.write_text("")
    installation.undo.append(installation.logs.unlink)


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


@fault("a full disk for documents")
def _full_documents(installation: Installation) -> Iterator[None]:
    disk = Disk(installation.folder / "disk", kilobytes=2048)
    installation.environment["RECOURS_POD_DIR"] = str(disk.folder / "pods")
    disk.fill()
    yield
    disk.close()


@fault("a full disk for the log")
def _full_log(installation: Installation) -> Iterator[None]:
    disk = Disk(installation.logs, kilobytes=256)
    disk.fill()
    yield
    disk.close()


@fault("a full disk for the database")
def _full_database(installation: Installation) -> Iterator[None]:
    disk = Disk(installation.folder / "disk", kilobytes=4096)
    copy = Path(shutil.copy(installation.database_file, disk.folder / "claims.db"))
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    installation.environment["DATABASE_URL"] = f"sqlite:///{copy}"
    disk.fill()
    yield
    with closing(sqlite3.connect(copy)) as connection:
        lost = "SELECT count(*) FROM claims WHERE pod_retry_count > 0 OR pod_fetch_status NOT IN ('failed', 'pending')"
        assert connection.execute(lost).fetchone() == (0,)
    disk.close()


# ---------------------------------------------------------------- the database


@fault("a database file that is not there")
def _deleted_database(installation: Installation) -> None:
    installation.environment["DATABASE_URL"] = f"sqlite:///{installation.folder}/gone.db"


@fault("a database of another program")
def _foreign_database(installation: Installation) -> None:
    other = installation.folder / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")
    installation.environment["DATABASE_URL"] = f"sqlite:///{other}"


@fault("a database file that is garbage")
def _garbage_database(installation: Installation) -> None:
    garbage = installation.folder / "garbage.db"
    garbage.write_bytes(b"\x5a" * 8192)
    installation.environment["DATABASE_URL"] = f"sqlite:///{garbage}"


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


@fault("a server that is down", (ON_POSTGRESQL,))
def _server_down(installation: Installation) -> None:
    url = make_url(installation.url).set(port=free_port())
    installation.environment["DATABASE_URL"] = url.render_as_string(hide_password=False)


@fault("a database that was renamed", (ON_POSTGRESQL,))
def _no_such_database(installation: Installation) -> None:
    url = make_url(installation.url).set(database="gone")
    installation.environment["DATABASE_URL"] = url.render_as_string(hide_password=False)


@fault("a database that takes no writes", (ON_POSTGRESQL,))
def _read_only_server(installation: Installation) -> Iterator[None]:
    _as_role(installation)
    installation.admin("ALTER ROLE worker SET default_transaction_read_only = on")
    yield
    _drop_role(installation)


@fault("a server that is silent", (ON_POSTGRESQL,))
def _silent_server(installation: Installation) -> Iterator[None]:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as silent:
        url = make_url(installation.url).set(port=silent.getsockname()[1])
        installation.environment["DATABASE_URL"] = url.render_as_string(hide_password=False)
        yield


@fault("a role that may not connect any more", (ON_POSTGRESQL,))
def _no_connections_left(installation: Installation) -> Iterator[None]:
    _as_role(installation)
    installation.admin("ALTER ROLE worker CONNECTION LIMIT 0")
    yield
    _drop_role(installation)


@fault("a grant on claims that was revoked", (ON_POSTGRESQL,))
def _no_claims(installation: Installation) -> Iterator[None]:
    _as_role(installation)
    installation.admin("REVOKE UPDATE ON claims FROM worker")
    yield
    _drop_role(installation)


@fault("a grant on the attempts that was revoked", (ON_POSTGRESQL,))
def _no_attempts(installation: Installation) -> Iterator[None]:
    _as_role(installation)
    installation.admin("REVOKE INSERT ON recours_attempts FROM worker")
    yield
    _drop_role(installation)


@fault("rows that the service has locked", (ON_POSTGRESQL,))
def _locked_rows(installation: Installation) -> Iterator[None]:
    database = Database(make_url(installation.url))
    with database.write() as connection:
        connection.execute(text("SELECT id FROM claims FOR UPDATE"))
        yield
    database.close()


@fault("a table that the service has locked", (ON_POSTGRESQL,))
def _locked_table(installation: Installation) -> Iterator[None]:
    database = Database(make_url(installation.url))
    with database.write() as connection:
        connection.execute(text("LOCK TABLE claims IN ACCESS EXCLUSIVE MODE"))
        yield
    database.close()


def _as_role(installation: Installation) -> None:
    """A user of its own for the worker, who may do everything that a run does."""
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


# ---------------------------------------------------------------- the network and the carrier


@fault("a name that does not resolve")
def _no_dns(installation: Installation) -> None:
    installation.environment["CHRONOPOST_BASE_URL"] = "https://carrier.invalid"


@fault("a carrier that cannot be reached")
def _no_network(installation: Installation) -> None:
    installation.environment["CHRONOPOST_BASE_URL"] = f"http://127.0.0.1:{free_port()}"


@fault("a proxy that is not there")
def _no_proxy(installation: Installation) -> None:
    installation.environment |= {
        "HTTPS_PROXY": f"http://127.0.0.1:{free_port()}",
        "CHRONOPOST_BASE_URL": "https://carrier.invalid",
    }


@fault("a store of certificates that is not there")
def _no_certificates(installation: Installation) -> Iterator[None]:
    installation.environment["REQUESTS_CA_BUNDLE"] = "/nowhere/certificates.pem"
    yield from _server_with_certificate(installation, days=2)


@fault("a certificate that has expired")
def _expired_certificate(installation: Installation) -> Iterator[None]:
    yield from _server_with_certificate(installation, days=-1)


def _server_with_certificate(installation: Installation, days: int) -> Iterator[None]:
    """A carrier that speaks TLS with a certificate of its own; nobody gets further than that."""
    key, file = installation.folder / "key.pem", installation.folder / "certificate.pem"
    made = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(file), "-subj", "/CN=localhost"]
    dates = (
        ["-not_before", "20240101000000Z", "-not_after", "20240201000000Z"] if days < 0 else ["-days", "2"]
    )
    command = [
        program("openssl", "openssl"),
        "req",
        "-x509",
        *made,
        *dates,
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file, key)
    if days < 0:
        installation.environment["REQUESTS_CA_BUNDLE"] = str(file)

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                taken, _ = listener.accept()
                with suppress(OSError), context.wrap_socket(taken, server_side=True) as secure:
                    secure.recv(1)

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        installation.environment["CHRONOPOST_BASE_URL"] = f"https://127.0.0.1:{listener.getsockname()[1]}"
        yield
        listener.shutdown(socket.SHUT_RDWR)


@fault("a password that was changed")
def _changed_password(installation: Installation) -> None:
    installation.environment["CHRONOPOST_PASSWORD"] = "000000"


@fault("credentials that are missing")
def _no_credentials(installation: Installation) -> None:
    del installation.environment["CHRONOPOST_PASSWORD"]


@fault("a mail server that is silent")
def _silent_mail_server(installation: Installation) -> Iterator[None]:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        _mail_through(installation, silent.getsockname()[1])
        yield


@fault("a mail server that is down")
def _no_mail_server(installation: Installation) -> None:
    _mail_through(installation, free_port())


def _mail_through(installation: Installation, port: int) -> None:
    """Somebody is to be told: the password is wrong."""
    _changed_password(installation)
    installation.environment |= {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(port),
        "SMTP_SECURITY": "none",
        "SMTP_FROM": "service@shop.example",
        "ADMIN_EMAIL": "operator@shop.example",
    }


_AHEAD = """
import datetime
import time

AHEAD = datetime.timedelta(days=3500)
real, real_time = datetime.datetime, time.time


class Kind(type(real)):
    def __instancecheck__(cls, value):
        return isinstance(value, real)


class Ahead(real, metaclass=Kind):
    @classmethod
    def now(cls, tz=None):
        return real.now(tz) + AHEAD


datetime.datetime = Ahead
time.time = lambda: real_time() + AHEAD.total_seconds()
"""


@fault("a clock in 2036", (ON_SQLITE, ON_POSTGRESQL))
def _clock_ahead(installation: Installation) -> None:
    """Every Python that is started believes it."""
    site = installation.folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_AHEAD)
    installation.environment["PYTHONPATH"] = str(site)
