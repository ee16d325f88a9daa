"""How long a server of a database is waited for, and what tells that it will not answer any more.

A server that is busy and one that fell silent look alike from here: a proxy that froze, a firewall that drops packets.
So a second connection is asked for after a while. A server that gives one is busy; another is silent.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True)
class Waits:
    """Seconds."""

    statement: float = 40.0  # for one statement; longer than a lock is waited for
    long_statement: float = 3600.0  # for one that goes through a whole table, or builds an index
    connect: float = 20.0  # for a connection, at each of the server's addresses
    quiet: float = 10.0  # then a second connection is asked for, and again as often
    hurried: float = 1.0  # the same when the run is to end
    answer: float = 5.0  # for that one
    silence: float = (
        20.0  # so long a server that fell silent is not tried again: what is left of a run ends at once
    )


class Patience:
    """Of one process with one server. Threads share it: the silence that one of them met holds for all."""

    def __init__(
        self,
        answers: Callable[[], bool],
        waits: Waits = Waits(),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`answers` asks for a second connection, for `waits.answer` at most. `clock`: seconds that never go back."""
        self.waits = waits
        self._answers = answers
        self._clock = clock
        self._asking = threading.Lock()
        self._asked_at = float("-inf")
        self._silent_at = float("-inf")
        self.in_doubt = False  # the last statement had no answer
        self.hurried = False  # the run is to end
        self._long = threading.local()

    @property
    def statement_s(self) -> float:
        """How long a statement of this thread may last."""
        return self.waits.long_statement if getattr(self._long, "depth", 0) else self.waits.statement

    @contextmanager
    def long(self) -> Iterator[None]:
        """Statements of this thread may last long meanwhile, as long as the server is there."""
        self._long.depth = getattr(self._long, "depth", 0) + 1
        try:
            yield
        finally:
            self._long.depth -= 1

    def hurry(self) -> None:
        """The run is to end: find out soon whether the server is there. Good for a signal's handler."""
        self.hurried = True

    def begin(self) -> "ServerWait":
        """A statement is sent now."""
        longest = self.waits.answer if self.in_doubt else self.statement_s
        return ServerWait(self, longest, self.waits.quiet, self.believe)

    def begin_connecting(self) -> "ServerWait":
        """A connection is asked for now; how long it may take is the driver's to count."""
        return ServerWait(self, float("inf"), float("inf"))

    def is_silent(self) -> bool:
        """Tell whether the server fell silent a moment ago."""
        return self._clock() - self._silent_at < self.waits.silence

    def fell_silent(self) -> None:
        """It gave no connection, or twice in a row no answer."""
        self._silent_at = self._clock()

    def doubt(self) -> None:
        """A statement had no answer in all its time: the connection may be broken, or the server silent behind a proxy.

        The next one finds out, and is waited for as long as a connection.
        """
        if self.in_doubt:
            self.fell_silent()
        self.in_doubt = True

    def believe(self) -> None:
        """A statement was answered."""
        self.in_doubt = False

    def answered(self) -> None:
        """It is there (again)."""
        self._silent_at = float("-inf")

    def ask(self, since: float) -> None:
        """Find out whether the server is there, unless a thread has since that moment."""
        with self._asking:
            if self._asked_at >= since:
                return
            if self._answers():
                self.answered()
            else:
                self.fell_silent()
            self._asked_at = self._clock()

    def now(self) -> float:
        return self._clock()


class ServerWait:
    """One wait for the server."""

    def __init__(
        self,
        patience: Patience,
        longest_s: float,
        quiet_s: float,
        answered: Callable[[], None] = lambda: None,
    ) -> None:
        """Begins now. `answered`: to be called when it is over because an answer came."""
        self.was_answered = answered
        self._patience = patience
        self._since = self._asked_at = patience.now()
        self._longest_s = longest_s
        self._quiet_s = quiet_s

    def why_end(self) -> str | None:
        """Why not to wait any longer, in words; None: wait on. To be asked several times a second."""
        patience, now = self._patience, self._patience.now()
        if now - self._since >= self._longest_s:
            patience.doubt()
            return self.words()
        quiet_s = min(self._quiet_s, patience.waits.hurried) if patience.hurried else self._quiet_s
        if now - self._asked_at >= quiet_s:
            self._asked_at = now
            patience.ask(now)
        return self.words() if patience.is_silent() else None

    def words(self) -> str:
        """What to say of a server that is not waited for any longer."""
        waited = round(self._patience.now() - self._since)
        so_long = f" (waited {waited} s)" if waited else ""
        return f"it does not answer{so_long}. Check the server, and the network and any proxy in between."
