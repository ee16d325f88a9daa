"""How long recours waits for a server, on a simulated clock."""

from dataclasses import dataclass, field

import pytest

from recours.database.dialect import Waits
from recours.database.postgres import Patience

WAITS = Waits(statement=40, long_statement=3600, quiet=10, answer=5, silence=20)


@dataclass
class Server:
    """A server's reaction to a second connection."""

    answers: bool = True
    now: float = 1000.0
    asked: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.patience = Patience(self.ask, WAITS, lambda: self.now)

    def ask(self) -> bool:
        self.asked.append(self.now)
        self.now += 0.0 if self.answers else WAITS.answer
        return self.answers


@pytest.fixture
def server() -> Server:
    return Server()


def wait(server: Server, most_s: float = 10_000) -> tuple[float, str | None]:
    """How long one unanswered statement is waited for, and why the wait ends."""
    waiting, begun = server.patience.begin(), server.now
    while server.now - begun < most_s:
        if why := waiting.why_end():
            return server.now - begun, why
        server.now += 0.5
    return server.now - begun, None


def test_a_busy_server_is_waited_for_until_the_statement_timeout(server: Server) -> None:
    seconds, why = wait(server)
    assert seconds == WAITS.statement
    assert why
    assert why.startswith("it does not answer (waited 40 s)")
    assert len(server.asked) == 3


def test_a_server_that_connects_without_answering_is_waited_for_once(
    server: Server,
) -> None:
    assert wait(server)[0] == WAITS.statement
    assert wait(server)[0] == WAITS.answer
    assert wait(server)[0] == 0
    server.now += WAITS.silence
    assert wait(server)[0] == WAITS.answer
    server.now += WAITS.silence
    server.patience.in_doubt = False
    assert wait(server)[0] == WAITS.statement


def test_a_silent_server_is_noticed_by_a_second_connection(server: Server) -> None:
    server.answers = False
    assert wait(server)[0] == WAITS.quiet + WAITS.answer
    assert wait(server)[0] == 0
    server.now += WAITS.silence
    assert wait(server)[0] == WAITS.quiet + WAITS.answer


def test_a_long_statement_is_waited_for_while_the_server_responds(server: Server) -> None:
    with server.patience.long():
        assert server.patience.statement_s == WAITS.long_statement
        assert wait(server)[0] == WAITS.long_statement
        server.patience.in_doubt = False
        server.answers = False
        assert wait(server)[0] == WAITS.quiet + WAITS.answer
    assert server.patience.statement_s == WAITS.statement


def test_a_stopped_run_checks_the_server_at_once(
    server: Server,
) -> None:
    waiting = server.patience.begin()
    server.now += 2
    assert waiting.why_end() is None
    assert server.asked == []
    server.patience.hurried = True
    assert waiting.why_end() is None
    assert server.asked == [1002]
    assert wait(server)[0] == WAITS.statement  # from a server that is running
    server.answers = False
    server.patience.in_doubt = False
    assert wait(server)[0] == WAITS.hurried + WAITS.answer


def test_the_driver_limits_the_wait_for_a_connection_unless_the_server_is_silent(
    server: Server,
) -> None:
    waiting = server.patience.begin_connecting()
    server.now += 1000
    assert waiting.why_end() is None
    server.patience.note_connection(is_connected=False)
    assert waiting.why_end()
    server.patience.note_connection(is_connected=True)
    assert waiting.why_end() is None
