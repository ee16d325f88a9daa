"""PostgreSQL's own programs, ended when the server falls silent: a backup must not hang for ever.

A large dump may take hours, so what counts is progress: the file that grows, or a server that works for the program. After
a while without either, the server is asked over a second connection. One that gives none is silent. One that waits for the
program, while the program waits for it, has lost the connection in between; that takes longer to be certain of.
"""

import os
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import Any

from sqlalchemy import text

from recours.database.engine import Database, DatabaseError
from recours.database.patience import Waits

_POLL_S = 0.2
# Asking must not hang either.
_ASKING = Waits(statement=10.0, connect=10.0, quiet=5.0)
_HAS_COPY_PROGRESS = 14  # PostgreSQL's version
_COPIED = "(SELECT sum(bytes_processed) FROM pg_stat_progress_copy WHERE pid = a.pid)"
_SESSIONS = (
    "SELECT state = 'active' AND wait_event_type IS DISTINCT FROM 'Client' AS works,"
    " CAST(query_start AS text) AS began, {copied} AS copied"
    " FROM pg_stat_activity AS a WHERE application_name = :name"
)


@dataclass(frozen=True)
class Deadlines:
    """Seconds without progress. `quiet`: then the server is asked; `stuck`: then it is not waited for, though it answers."""

    quiet: float = 30.0
    stuck: float = 600.0


@dataclass
class Watch:
    """What tells whether a program that works on a database makes progress."""

    database: Database
    major: int  # of the server
    file: Path | None = None  # that the program writes
    deadlines: Deadlines = field(default_factory=Deadlines)
    clock: Callable[[], float] = monotonic
    name: str = field(default_factory=lambda: f"recours {uuid.uuid4().hex[:12]}")  # of the program's session

    def __post_init__(self) -> None:
        """It begins now."""
        self._progress_at = self._looked_at = self.clock()
        self._size = -1
        self._session: object = None

    def why_end(self) -> str | None:
        """Why the program is to be ended; None: it is not. To be asked several times a second."""
        now = self.clock()
        size = self.file.stat().st_size if self.file and self.file.exists() else 0
        if size != self._size:
            self._size, self._progress_at, self._looked_at = size, now, now
        if now - self._looked_at < self.deadlines.quiet:
            return None
        try:
            session = self._look()
        except DatabaseError as fault:
            if not fault.was_answered:
                return f"the server does not answer any more ({fault.words})"
            session = None  # it is there, and has no connection to spare
        self._looked_at = self.clock()
        if session is _WORKS or session != self._session:
            self._session, self._progress_at = session, self._looked_at
        waited = self._looked_at - self._progress_at
        if waited < self.deadlines.stuck:
            return None
        return f"nothing came from the server for {round(waited)} s, though it answers others"

    def _look(self) -> object:
        """What the server says of the program's sessions: _WORKS, or what changes with their progress."""
        copied = _COPIED if self.major >= _HAS_COPY_PROGRESS else "NULL"
        asked = Database(self.database.url, waits=_ASKING)
        try:
            with asked.read() as connection:
                rows = connection.execute(text(_SESSIONS.format(copied=copied)), {"name": self.name}).all()
        finally:
            asked.close()
        return _WORKS if any(row.works for row in rows) else [tuple(row) for row in rows]


_WORKS = object()


def run_watched(
    command: Sequence[str | Path], environment: Mapping[str, str], watch: Watch
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, or end it when `watch` says so: its complaint is then why. Raises OSError."""
    # A file takes what it says: a pipe that nobody empties meanwhile could fill up.
    with TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process: subprocess.Popen[Any] = subprocess.Popen(  # noqa: S603 (the caller's program and arguments)
            command,
            env={**os.environ, **environment, "PGAPPNAME": watch.name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        try:
            why = _wait(process, watch)
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        return subprocess.CompletedProcess(command, process.returncode, "", why or said.read())


def _wait(process: "subprocess.Popen[Any]", watch: Watch) -> str | None:
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_S)
        if process.returncode is not None:
            return None
        if why := watch.why_end():
            return why
