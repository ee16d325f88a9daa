"""Processes that share a token: who asks for a new one, who waits, and what becomes of one that is refused."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from recours.carriers.message import Request, Response
from recours.carriers.oauth import LEASE, Tokens, TokenStore
from recours.core.errors import ErrorKind, RunError
from recours.core.outcome import CallError, Failure, NoTokenError
from recours.core.quota import Capability
from recours.core.tokens import AccessToken, SharedToken
from recours.memory.clock import SimulatedClock
from tests.fakes.tokens import MemoryTokens, TokenCarrier, TokenSession, held_by

MINUTE = timedelta(minutes=1)
DOWN = Failure(ErrorKind.SERVER_ERROR, "UPS is unavailable (HTTP 500)", 500)


@dataclass
class Process:
    """A process with a token of the account, and a clock that is `ahead`."""

    tokens: Tokens
    session: TokenSession
    clock: SimulatedClock

    def track(self) -> str:
        """Make a call; returns the token that was accepted, or the status."""
        answer = self.tokens.call(Capability.TRACKING, Request("GET", "/"), self.session)
        return answer.body.decode() if answer.status == 200 else f"{answer.status}"

    def setup_calls(self) -> dict[Capability, int]:
        return self.tokens.setup_calls(self.session.now())


@dataclass
class World:
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    store: TokenStore = field(default_factory=MemoryTokens)
    meanwhile: Callable[[], None] = lambda: None  # what others do while a process waits
    waited_s: float = 0.0

    def __post_init__(self) -> None:
        self.carrier = TokenCarrier(self.clock.now)

    @property
    def memory(self) -> MemoryTokens:
        assert isinstance(self.store, MemoryTokens)
        return self.store

    def process(self, ahead: timedelta = timedelta()) -> Process:
        tokens = Tokens("UPS", Request("POST", "/token"))
        tokens.share(self.store, self.sleep)
        return Process(tokens, TokenSession(self.carrier, ahead), self.clock)

    def sleep(self, seconds: float) -> None:
        self.waited_s += seconds
        self.clock.sleep(seconds)
        self.meanwhile()


@pytest.fixture
def world() -> World:
    return World()


# ---------------------------------------------------------------- one asks


def test_a_token_of_another_process_is_used_without_a_call(world: World) -> None:
    assert world.process().track() == "t1"
    other = world.process()
    assert other.setup_calls() == {}
    assert (other.track(), other.tokens.secrets()) == ("t1", ("t1",))
    assert world.process().track() == "t1"  # without having looked before
    assert world.carrier.token_calls == 1


def test_a_token_is_asked_for_anew_only_when_it_ends(world: World) -> None:
    first, second = world.process(), world.process()
    for _ in range(180):  # three hours
        assert first.track() == second.track()
        world.clock.advance(MINUTE)
    assert world.carrier.token_calls == 4  # each is used for 58 minutes
    assert world.carrier.refused == 0


def test_the_store_is_read_once_a_run_and_when_the_token_ends(world: World) -> None:
    process = world.process()
    for _ in range(100):
        assert process.setup_calls() == {Capability.TOKEN: 1}
    assert world.memory.loads == 1
    process.track()
    loads = world.memory.loads
    for _ in range(100):
        assert (process.setup_calls(), process.track()) == ({}, "t1")
    assert world.memory.loads == loads
    other = world.process()
    for _ in range(100):
        assert other.setup_calls() == {}
    assert world.memory.loads == loads + 1
    world.clock.advance(58 * MINUTE)
    for _ in range(100):
        assert other.setup_calls() == {Capability.TOKEN: 1}
    assert world.memory.loads == loads + 2


def test_those_who_come_while_another_asks_wait_for_its_token(world: World) -> None:
    held_by(world.memory, "other", world.clock.now() + LEASE)

    def gets_it() -> None:
        if world.waited_s >= 2:
            world.carrier.until["theirs"] = world.clock.now() + timedelta(hours=1)
            world.memory.put("other", AccessToken("theirs", world.clock.now() + timedelta(minutes=58)))

    world.meanwhile = gets_it
    assert world.process().track() == "theirs"
    assert (world.carrier.token_calls, world.waited_s) == (0, 2)


def test_after_the_lease_of_one_that_was_killed_one_of_those_who_wait_asks(world: World) -> None:
    held_by(world.memory, "killed", world.clock.now() + LEASE)
    assert world.process().track() == "t1"
    assert (world.carrier.token_calls, world.waited_s) == (1, LEASE.total_seconds())
    world.memory.put("killed", AccessToken("late", world.clock.now() + MINUTE))  # it was not dead
    assert world.process().track() == "t1"


def test_of_those_who_waited_for_a_killed_one_only_the_first_asks(world: World) -> None:
    held_by(world.memory, "killed", world.clock.now() + LEASE)

    def takes_over() -> None:
        if world.waited_s == LEASE.total_seconds():
            assert world.memory.begin("next", world.clock.now() + LEASE, world.memory.stored)
        if world.waited_s == LEASE.total_seconds() + 1:
            world.carrier.until["theirs"] = world.clock.now() + timedelta(hours=1)
            world.memory.put("next", AccessToken("theirs", world.clock.now() + timedelta(minutes=58)))

    world.meanwhile = takes_over
    assert world.process().track() == "theirs"
    assert world.carrier.token_calls == 0


def test_a_lease_of_hours_ago_is_waited_for_by_nobody(world: World) -> None:
    held_by(world.memory, "killed", world.clock.now() - timedelta(hours=2))
    assert (world.process().track(), world.waited_s) == ("t1", 0)


# ---------------------------------------------------------------- it is given none


def test_a_failure_counts_for_those_who_waited_and_not_for_those_who_come_later(world: World) -> None:
    held_by(world.memory, "other", world.clock.now() + LEASE)
    world.meanwhile = lambda: world.memory.end("other", DOWN)
    process = world.process()
    with pytest.raises(NoTokenError) as failed:
        process.track()
    assert (failed.value.failure, world.carrier.token_calls) == (DOWN, 0)
    assert process.track() == "t1"
    assert world.carrier.token_calls == 1


def test_a_failure_of_its_own_ends_the_lease(world: World) -> None:
    world.carrier.refuses = DOWN
    with pytest.raises(CallError):
        world.process().track()
    assert (world.memory.stored.held_until, world.memory.stored.failure) == (None, DOWN)
    world.carrier.refuses = None
    assert (world.process().track(), world.waited_s) == ("t2", 0)


def test_a_run_that_is_stopped_while_it_asks_ends_the_lease_and_the_others_ask(world: World) -> None:
    class StoppedError(Exception):
        pass

    def stop(what: Capability, request: Request) -> Response:
        del what, request
        raise StoppedError

    stopped = world.process()
    stopped.session.call = stop
    with pytest.raises(StoppedError):
        stopped.track()
    assert (world.process().track(), world.waited_s) == ("t1", 0)


# ---------------------------------------------------------------- a token is refused


def test_a_token_that_the_carrier_revoked_is_renewed_once_for_all(world: World) -> None:
    processes = [world.process() for _ in range(5)]
    assert {process.track() for process in processes} == {"t1"}
    world.carrier.revoke()
    assert [process.track() for process in processes] == ["t2"] * 5
    assert world.carrier.token_calls == 2
    assert processes[1].tokens.secrets() == ("t2", "t1")


def test_a_new_process_that_is_given_a_revoked_token_asks_for_another(world: World) -> None:
    assert world.process().track() == "t1"
    world.carrier.revoke()
    assert world.process().track() == "t2"
    assert world.carrier.token_calls == 2


def test_another_s_token_that_is_refused_too_is_not_yet_a_refusal_of_the_account(world: World) -> None:
    first, second = world.process(), world.process()
    assert first.track() == second.track() == "t1"
    world.carrier.revoke()
    assert first.track() == "t2"
    world.carrier.revoke()
    assert second.track() == "t3"  # after t1, and t2 of the store


def test_a_call_for_which_no_token_is_good_costs_each_process_one_at_most(world: World) -> None:
    world.carrier.denied = frozenset({Capability.TRACKING})
    processes = [world.process() for _ in range(4)]
    for _ in range(3):
        assert [process.track() for process in processes] == ["401"] * 4
    assert world.carrier.token_calls == 1 + len(processes)


# ---------------------------------------------------------------- clocks, short lives, a store that is not to be trusted


@pytest.mark.parametrize("ahead", [-10 * MINUTE, 10 * MINUTE])
def test_by_a_clock_that_differs_by_minutes_a_lease_is_waited_for(world: World, ahead: timedelta) -> None:
    held_by(world.memory, "other", world.clock.now() + LEASE)
    process = world.process(ahead)

    def gets_it() -> None:
        if world.waited_s == 50:
            world.carrier.until["theirs"] = world.clock.now() + timedelta(hours=1)
            world.memory.put("other", AccessToken("theirs", world.clock.now() + timedelta(minutes=58)))

    world.meanwhile = gets_it
    assert process.track() == "theirs"
    assert world.carrier.token_calls == 0
    held_by(world.memory, "killed", world.clock.now() + LEASE)
    world.waited_s, world.meanwhile = 0, lambda: None
    assert world.process(ahead).track() == "t1"
    assert world.waited_s == LEASE.total_seconds()


@pytest.mark.parametrize("ahead", [-10 * MINUTE, 10 * MINUTE])
def test_with_tokens_of_five_seconds_and_clocks_that_differ_every_call_is_answered(
    world: World, ahead: timedelta
) -> None:
    world.carrier.life_s = 5
    processes = [world.process(), world.process(ahead), world.process()]
    for _ in range(60):
        for process in processes:
            assert process.track().startswith("t")
        world.clock.advance(timedelta(seconds=1))


def test_tokens_of_five_seconds_are_used_for_half_of_that_by_all(world: World) -> None:
    world.carrier.life_s = 5
    processes = [world.process() for _ in range(3)]
    for _ in range(120):
        assert len({process.track() for process in processes}) == 1
        world.clock.advance(timedelta(seconds=0.5))
    assert world.carrier.token_calls == 60 / 2.5
    assert world.carrier.refused == 0


@pytest.mark.parametrize(
    "until", [datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC), None], ids=str
)
def test_a_token_that_is_stored_with_an_end_that_no_token_has_is_not_used(
    world: World, until: datetime | None
) -> None:
    token = AccessToken("strange", until) if until else None
    world.memory.stored = SharedToken(token, "other", datetime(9999, 1, 1, tzinfo=UTC), sealed="strange")
    process = world.process()
    assert process.setup_calls() == {Capability.TOKEN: 1}
    assert (process.track(), world.waited_s) == ("t1", 0)


class Untrustworthy(MemoryTokens):
    """Says of each holder that it asks, and of each that it is another one."""

    def load(self) -> SharedToken:
        return SharedToken(holder=f"{next(self._versions)}", held_until=SimulatedClock().now())

    def begin(self, holder: str, until: datetime, seen: SharedToken) -> bool:
        del holder, until, seen
        return False


def test_a_store_that_never_gives_the_right_to_ask_is_not_waited_for_for_ever() -> None:
    world = World(store=Untrustworthy())
    process = world.process()
    assert [process.track() for _ in range(10)] == ["t1"] * 10
    assert world.waited_s == 300


class Away(MemoryTokens):
    """Cannot be reached from a time on."""

    is_away = False

    def load(self) -> SharedToken:
        self._require()
        return super().load()

    def put(self, holder: str, token: AccessToken) -> None:
        self._require()
        super().put(holder, token)

    def _require(self) -> None:
        if self.is_away:
            raise RunError("The database is away.")


def test_without_the_database_a_good_token_serves_and_no_new_one_is_asked_for(world: World) -> None:
    world.store = store = Away()
    process = world.process()
    assert process.track() == "t1"
    store.is_away = True
    assert (process.track(), process.setup_calls()) == ("t1", {})
    with pytest.raises(RunError):
        world.process().track()
    world.clock.advance(58 * MINUTE)
    for look in (process.track, process.setup_calls):
        with pytest.raises(RunError):
            look()
    assert world.carrier.token_calls == 1
    store.is_away = False
    assert process.track() == "t2"


def test_a_token_that_cannot_be_stored_is_used_by_the_process_that_was_given_it(world: World) -> None:
    class Full(MemoryTokens):
        def put(self, holder: str, token: AccessToken) -> None:
            del holder, token
            raise RunError("The disk is full.")

    world.store = Full()
    process = world.process()
    assert [process.track() for _ in range(3)] == ["t1"] * 3
    assert world.process().track() == "t2"  # when the lease of the first is over
    assert world.waited_s == LEASE.total_seconds()
