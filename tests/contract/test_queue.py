"""The queue and the quota store, on real databases: limits are never exceeded, and units are never lost."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from recours.carriers.chronopost import SPEC, Chronopost
from recours.carriers.http import Http, HttpSession
from recours.carriers.message import CarrierSession
from recours.carriers.queue import APIRequestQueue
from recours.carriers.reservation import Account
from recours.core.claim import Delivery
from recours.core.errors import ACCOUNT_KINDS, ErrorKind
from recours.core.outcome import CallError, Failure, NoTokenError, Outcome, Retrieved
from recours.core.pauses import AccountState, Blocked, DocumentRight, Pause, Refusal, Stop
from recours.core.quota import Capability, Exhausted, Limit, QuotaRequest, Reserved, parse_limits
from recours.core.sentences import Sentence, SentenceParts
from recours.database.engine import Database, DatabaseError
from recours.database.quota import QuotaTables
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.sandbox.answers import Answer, HttpRequest
from tests.fakes.hostile import Attack
from tests.own_rows import statements_of
from tests.planted import PASSWORD
from tests.units import fetch_one

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)  # 09:00 in Paris
BOTH = {Capability.TRACKING: 1, Capability.POD: 1}
POD_ONLY = {Capability.POD: 1}
TRACKING_ONLY = {Capability.TRACKING: 1}
NOWHERE = "http://127.0.0.1:9"
NUMBER = "XY001234567FR"


def limits_of(text: str, capability: Capability | None = None) -> tuple[Limit, ...]:
    return parse_limits(text, "chronopost", capability, "Europe/Paris")


def queue_on(
    database: Database,
    clock: SimulatedClock,
    limits: tuple[Limit, ...],
    *,
    base_url: str = NOWHERE,
    password: str = PASSWORD,
    client: type[Chronopost] = Chronopost,
    carrier_concurrency: int | None = None,
) -> APIRequestQueue:
    credentials = {"CHRONOPOST_ACCOUNT": "10000001", "CHRONOPOST_PASSWORD": password}
    http, asked = Http(base_url, 5, 5, 5), client(credentials)
    account = Account(
        spec=SPEC,
        limits=limits,
        make_client=lambda: asked,
        open_session=lambda reservation, client: HttpSession(
            SPEC.name, reservation, http, clock, lambda: 0.0, client.wait_asked
        ),
        credentials=tuple(credentials.values()),
        source="the environment",
    )
    quota = QuotaTables(database)
    return APIRequestQueue(
        {"chronopost": account}, quota, clock, concurrency=9, carrier_concurrency=carrier_concurrency
    )


@pytest.fixture
def queue(database: Database, clock: SimulatedClock) -> Callable[..., APIRequestQueue]:
    def make(limits: str = "100/day", **named: Any) -> APIRequestQueue:
        return queue_on(database, clock, limits_of(limits), **named)

    return make


def counts(queue: APIRequestQueue) -> list[int]:
    """Used units of every limit, the longest window last, after this run has returned unsent units."""
    queue._quota.settle()
    return [use.calls for use in queue.usages(["chronopost"])["chronopost"]]


# ---------------------------------------------------------------- many processes


def test_a_call_waits_out_the_last_moment_of_a_day(database: Database, clock: SimulatedClock) -> None:
    run = queue_on(database, clock, limits_of("100/day@UTC"))
    midnight = datetime(2026, 2, 3, tzinfo=UTC)
    clock.advance(midnight - timedelta(seconds=0.4) - clock.now())
    reservations, _ = run.reserve("chronopost", [BOTH])
    reservations[0].consume(Capability.TRACKING)
    assert clock.now() == midnight
    reservations[0].release()
    run.leave()
    (limit,) = parse_limits("100/day@UTC", "chronopost", None, "UTC")
    moments = (midnight - timedelta(minutes=10), midnight)
    assert [QuotaTables(database).uses([limit], at)[0].calls for at in moments] == [0, 1]


def test_concurrent_processes_count_a_document_call_once(database: Database, clock: SimulatedClock) -> None:
    quota = QuotaTables(database)
    unknown = DocumentRight()
    once = unknown.after_call(clock.now())
    assert quota.set_documents("chronopost", once, unknown)
    assert not quota.set_documents("chronopost", once.after_call(clock.now()), unknown)
    assert quota.carrier_state("chronopost").documents == once


def test_a_text_instead_of_a_count_is_read_like_by_a_reservation(
    database: Database, queue: Callable[..., APIRequestQueue]
) -> None:
    if not database.is_sqlite:
        return  # a column for numbers only
    run = queue("2/day")
    run.reserve("chronopost", [BOTH])[0][0].release()
    assert counts(run) == [0]
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE recours_quota SET taken = 'two'")
    assert counts(run) == [0]
    assert len(run.reserve("chronopost", [BOTH, BOTH])[0]) == 1


def test_units_reserved_by_a_dead_process_are_lost_until_the_window_ends(
    clock: SimulatedClock, queue: Callable[..., APIRequestQueue]
) -> None:
    """It may have sent them; nobody can know."""
    queue("2/day").reserve("chronopost", [BOTH])
    alive = queue("2/day")
    clock.advance(timedelta(hours=12))
    reservations, refusal = alive.reserve("chronopost", [BOTH])
    assert not reservations
    assert refusal is not None
    assert not refusal.passing
    assert counts(alive) == [2]
    clock.advance(timedelta(hours=12))
    reservations, refusal = alive.reserve("chronopost", [BOTH])
    assert (len(reservations), refusal) == (1, None)


def test_a_call_waits_while_the_maximum_number_of_calls_is_in_progress(
    queue: Callable[..., APIRequestQueue],
) -> None:
    run = queue("100/day", carrier_concurrency=1)
    (first, second), _ = run.reserve("chronopost", [BOTH, BOTH])
    first.consume(Capability.TRACKING)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.consume, Capability.TRACKING)
        with pytest.raises(TimeoutError):
            waiting.result(0.05)
        first.called()
        waiting.result(10)
    assert not run._slots_of["chronopost"].acquire(blocking=False)
    second.called()
    assert run._slots_of["chronopost"].acquire(blocking=False)


def test_a_rejected_call_delays_no_other(queue: Callable[..., APIRequestQueue]) -> None:
    run = queue("1/day", carrier_concurrency=1)
    (reservation,), _ = run.reserve("chronopost", [TRACKING_ONLY])
    reservation.consume(Capability.TRACKING)
    reservation.called()
    with pytest.raises(CallError):
        reservation.consume(Capability.TRACKING)
    assert run._slots_of["chronopost"].acquire(blocking=False)


# ---------------------------------------------------------------- what is granted


def test_units_are_reserved_from_every_limit_or_from_none(queue: Callable[..., APIRequestQueue]) -> None:
    both = queue("10/day,5/hour")
    reservations, refusal = both.reserve("chronopost", [BOTH] * 3)
    assert len(reservations) == 2
    assert refusal is not None
    assert (refusal.why, refusal.until) == (Blocked.RATE_LIMIT, NOW + timedelta(hours=1))
    assert counts(both) == [4, 4]


def test_a_refused_ledger_transaction_leaves_no_trace(database: Database) -> None:
    quota = QuotaTables(database)
    day, hour = limits_of("10/day,5/hour")
    short = quota.reserve([QuotaRequest(day, 6), QuotaRequest(hour, 6)], NOW)
    assert isinstance(short, Exhausted)
    assert (short.limit, short.available, short.at_best) == (hour, 5, 5)
    assert [use.calls for use in quota.uses([day, hour], NOW)] == [0, 0]


def test_a_limit_on_the_pod_counts_pod_calls_only(database: Database, clock: SimulatedClock) -> None:
    limits = (*limits_of("100/day"), *limits_of("2/day", Capability.POD))
    queue = queue_on(database, clock, limits)
    reservations, refusal = queue.reserve("chronopost", [BOTH, TRACKING_ONLY, BOTH, BOTH])
    assert len(reservations) == 3
    assert refusal is not None
    reservations[0].consume(Capability.TRACKING)
    reservations[0].consume(Capability.POD)
    assert counts(queue) == [2, 5]  # the carrier's own limit last
    more, _ = queue.reserve("chronopost", [TRACKING_ONLY])
    assert more


def test_a_call_that_one_limit_refuses_takes_nothing_of_the_others(
    database: Database, clock: SimulatedClock
) -> None:
    limits = (*limits_of("100/day"), *limits_of("1/day", Capability.POD))
    queue = queue_on(database, clock, limits)
    (reservation,), _ = queue.reserve("chronopost", [BOTH])
    for _ in range(2):
        reservation.consume(Capability.TRACKING)
    reservation.consume(Capability.POD)
    before = counts(queue)
    with pytest.raises(CallError):
        reservation.consume(Capability.POD)
    reservation.release()
    assert counts(queue) == before == [1, 3]


def test_a_unit_counts_from_its_reservation_and_unused_units_are_returned_once(
    queue: Callable[..., APIRequestQueue],
) -> None:
    run = queue("10/day")
    (reservation,), _ = run.reserve("chronopost", [BOTH])
    assert counts(run) == [2]
    reservation.consume(Capability.TRACKING)
    assert counts(run) == [2]
    for _ in range(2):
        reservation.release()
        assert counts(run) == [1]


def test_unused_units_are_returned_with_the_next_reservation(
    database: Database, queue: Callable[..., APIRequestQueue]
) -> None:
    run = queue("10/day")
    (reservation,), _ = run.reserve("chronopost", [BOTH])
    reservation.release()
    with statements_of(database) as seen:
        run.reserve("chronopost", [TRACKING_ONLY])
    assert [sql.split()[0] for sql, _ in seen if "recours_quota" in sql] == ["INSERT"]
    assert counts(run) == [1]


def test_a_refused_reservation_does_not_lose_unused_units(
    database: Database, queue: Callable[..., APIRequestQueue]
) -> None:
    run, other = queue("10/day,2/hour"), queue("10/day,2/hour")
    (reservation,), _ = run.reserve("chronopost", [BOTH])
    reservation.release()
    reservations, refusal = run.reserve("chronopost", [BOTH])
    assert (len(reservations), refusal) == (1, None)
    reservations[0].consume(Capability.TRACKING)
    reservations[0].release()
    assert run.reserve("chronopost", [BOTH])[0] == []
    assert len(other.reserve("chronopost", [TRACKING_ONLY])[0]) == 1


def test_a_refusal_due_to_units_that_this_run_holds_passes(queue: Callable[..., APIRequestQueue]) -> None:
    run, other = queue("2/day"), queue("2/day")
    (reservation,), _ = run.reserve("chronopost", [BOTH])
    for asked, is_passing in ((run, True), (other, False)):
        reservations, refusal = asked.reserve("chronopost", [BOTH])
        assert not reservations
        assert refusal is not None
        assert refusal.passing is is_passing
    reservation.release()
    reservations, refusal = run.reserve("chronopost", [BOTH])
    assert (len(reservations), refusal) == (1, None)


def test_a_refusal_that_reserved_units_could_not_resolve_is_not_passing(
    queue: Callable[..., APIRequestQueue],
) -> None:
    run = queue("3/day")
    (reservation, held), _ = run.reserve("chronopost", [BOTH, TRACKING_ONLY])
    reservation.consume(Capability.TRACKING)
    reservation.consume(Capability.POD)
    _, refusal = run.reserve("chronopost", [BOTH])  # 2 used, 1 reserved, 2 requested: never enough today
    assert refusal is not None
    assert not refusal.passing
    held.release()


def test_units_kept_for_urgent_claims_cannot_resolve_a_refusal(
    queue: Callable[..., APIRequestQueue],
) -> None:
    run = queue("8/day")
    reservations, _ = run.reserve("chronopost", [BOTH] * 3, urgent=BOTH)
    for reservation in reservations:
        reservation.consume(Capability.TRACKING)
        reservation.consume(Capability.POD)
    assert len(run.reserve("chronopost", [BOTH])[0]) == 1
    _, refusal = run.reserve("chronopost", [BOTH], urgent=BOTH)  # 6 used, and 2 are for others
    assert refusal is not None
    assert not refusal.passing


def test_a_used_up_limit_does_not_pass(queue: Callable[..., APIRequestQueue]) -> None:
    run = queue("2/day")
    (reservation,), _ = run.reserve("chronopost", [BOTH])
    reservation.consume(Capability.TRACKING)
    reservation.consume(Capability.POD)
    _, refusal = run.reserve("chronopost", [BOTH])
    assert refusal == Refusal(
        Blocked.RATE_LIMIT,
        "Chronopost is at its limit (2 per day)",
        datetime(2026, 2, 2, 23, tzinfo=UTC),
        passing=False,
        explanation=SentenceParts(Sentence.LIMIT_REACHED, "Chronopost"),
    )


class SettledMeanwhile(QuotaTables):
    """Another run returns its units between the refusal and the search for its cause."""

    others: ClassVar[list[QuotaTables]] = []

    def _exhausted(self, request: QuotaRequest, now: datetime) -> Exhausted:
        self.others[0].leave()
        return super()._exhausted(request, now)


def test_a_unit_that_comes_back_at_the_moment_of_the_refusal_is_not_lost(
    database: Database, clock: SimulatedClock, queue: Callable[..., APIRequestQueue]
) -> None:
    other, run = queue("2/day"), queue("2/day")
    other.reserve("chronopost", [BOTH])
    run._quota = SettledMeanwhile(database)
    SettledMeanwhile.others = [other._quota]
    reservations, refusal = run.reserve("chronopost", [BOTH])
    assert (len(reservations), refusal) == (1, None)


def test_units_of_calls_that_were_not_sent_are_available_to_the_fetch_again(
    queue: Callable[..., APIRequestQueue],
) -> None:
    run = queue("2/day,5/second")
    (reservation,), _ = run.reserve("chronopost", [BOTH])
    reservation.consume(Capability.TRACKING)
    assert counts(run) == [1, 2]
    for _ in range(2):
        reservation.refund()
        assert counts(run) == [0, 2]
    reservation.consume(Capability.TRACKING)
    reservation.consume(Capability.POD)
    assert counts(run) == [2, 2]
    reservation.refund()
    reservation.release()
    assert counts(run) == [1, 1]


def test_leaving_returns_reserved_units(queue: Callable[..., APIRequestQueue]) -> None:
    run, other = queue("10/day,8/hour"), queue("10/day,8/hour")
    reservations, _ = run.reserve("chronopost", [BOTH, BOTH])
    reservations[0].consume(Capability.TRACKING)
    other.reserve("chronopost", [BOTH])
    for _ in range(2):
        run.leave()
        assert counts(run) == [3, 3]


def test_a_repeated_call_takes_a_unit_more(queue: Callable[..., APIRequestQueue]) -> None:
    run = queue("3/day")
    (reservation,), _ = run.reserve("chronopost", [BOTH])
    for _ in range(2):
        reservation.consume(Capability.TRACKING)
    reservation.consume(Capability.POD)
    assert counts(run) == [3]
    with pytest.raises(CallError) as failed:
        reservation.consume(Capability.POD)
    assert failed.value.failure.kind is ErrorKind.RATE_LIMITED
    assert counts(run) == [3]


# ---------------------------------------------------------------- windows


def test_a_window_that_ends_between_reserve_and_use(
    database: Database, queue: Callable[..., APIRequestQueue]
) -> None:
    night = SimulatedClock(datetime(2026, 2, 2, 22, 59, tzinfo=UTC))  # 23:59 in Paris
    run = queue_on(database, night, limits_of("2/day"))
    (reservation,), _ = run.reserve("chronopost", [BOTH])
    night.advance(timedelta(minutes=2))
    reservation.consume(Capability.TRACKING)
    assert counts(run) == [1]
    yesterday = QuotaTables(database).uses(limits_of("2/day"), night.now() - timedelta(minutes=2))
    assert [use.calls for use in yesterday] == [0]
    reservation.consume(Capability.POD)
    assert counts(run) == [2]


def test_a_window_that_ends_and_a_new_one_that_is_full(database: Database) -> None:
    night = SimulatedClock(datetime(2026, 2, 2, 22, 59, tzinfo=UTC))
    run, other = (queue_on(database, night, limits_of("2/day")) for _ in range(2))
    (reservation,), _ = run.reserve("chronopost", [BOTH])
    night.advance(timedelta(minutes=2))
    other.reserve("chronopost", [BOTH])
    with pytest.raises(CallError) as failed:
        reservation.consume(Capability.TRACKING)
    failure = failed.value.failure
    assert failure.kind is ErrorKind.RATE_LIMITED
    assert failure.retry_at == datetime(2026, 2, 3, 23, tzinfo=UTC)


@pytest.mark.parametrize(("limit", "wait"), [("1/second", 1), ("1/10seconds", 10), ("1/minute", 60)])
def test_short_windows_are_waited_out_by_the_given_clock(
    database: Database, clock: SimulatedClock, limit: str, wait: int
) -> None:
    run = queue_on(database, clock, limits_of(f"{limit},100/day"))
    reservations, refusal = run.reserve("chronopost", [BOTH, BOTH])
    assert (len(reservations), refusal) == (2, None)
    begun = time.monotonic()
    for reservation in reservations:
        reservation.consume(Capability.TRACKING)
        reservation.consume(Capability.POD)
    assert clock.now() == NOW + timedelta(seconds=3 * wait)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("limits", "begins"),
    [
        ("1/second,3/10seconds", NOW),
        ("2/second,5/10seconds,7/minute", NOW),
        ("250/day@UTC,1/second", datetime(2026, 2, 2, 23, 59, 58, 400_000, tzinfo=UTC)),
        ("1/second,2/hour", datetime(2026, 2, 2, 8, 59, 59, 400_000, tzinfo=UTC)),
    ],
)
def test_no_limit_is_exceeded_in_any_of_its_windows(
    database: Database, limits: str, begins: datetime
) -> None:
    clock = SimulatedClock(begins)
    run = queue_on(database, clock, limits_of(limits))
    called: list[datetime] = []
    for _ in range(6):
        reservations, _ = run.reserve("chronopost", [TRACKING_ONLY])
        for reservation in reservations:
            reservation.consume(Capability.TRACKING)
            called.append(clock.now())
    assert len(called) >= 2
    for limit in limits_of(limits):
        in_window = Counter(limit.window.around(at) for at in called)
        assert max(in_window.values()) <= limit.number, (str(limit), called)
        assert [use.calls for use in QuotaTables(database).uses([limit], clock.now())] == [
            in_window[limit.window.around(clock.now())]
        ]


def test_a_second_that_ends_during_the_reservation_is_not_used_by_the_call(
    database: Database, clock: SimulatedClock
) -> None:
    class Slow(QuotaTables):
        def reserve(self, requests: Sequence[QuotaRequest], now: datetime) -> list[Reserved] | Exhausted:
            reserved = super().reserve(requests, now)
            if any(request.limit.window.seconds == 0 for request in requests):
                clock.advance(timedelta(seconds=0.7))
            return reserved

    clock.advance(timedelta(seconds=0.5))
    run = queue_on(database, clock, limits_of("10/day@UTC,1/second"))
    run._quota = Slow(database)
    reservations, _ = run.reserve("chronopost", [TRACKING_ONLY])
    called = []
    for _ in range(2):  # the second one needs another unit of the day
        reservations[0].consume(Capability.TRACKING)
        called.append(clock.now() - NOW)
    assert [at // timedelta(seconds=1) for at in called] == [1, 2]
    assert counts(run) == [1, 2]


def test_machines_with_limits_in_different_orders_do_not_deadlock(
    database: Database,
) -> None:
    day, hour = limits_of("100000/day,100000/hour")
    begin, got = threading.Barrier(2), []

    def reserve(limits: tuple[Limit, ...]) -> None:
        quota = QuotaTables(database)
        requests = [QuotaRequest(limit, 1) for limit in limits]
        for _ in range(100):
            begin.wait(60)
            held = quota.reserve(requests, NOW)
            got.append(isinstance(held, list) and [one.limit for one in held] == list(limits))

    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(reserve, (day, hour)), pool.submit(reserve, (hour, day))]:
            job.result()
    assert got == [True] * 200


def test_counts_of_short_windows_are_deleted_and_daily_counts_kept(
    database: Database, clock: SimulatedClock
) -> None:
    run = queue_on(database, clock, limits_of("5/second,100/day"))
    (reservation,), _ = run.reserve("chronopost", [BOTH])
    reservation.consume(Capability.TRACKING)
    clock.advance(timedelta(days=2))
    run.leave()
    before = QuotaTables(database).uses(limits_of("5/second,100/day"), NOW)
    assert [use.calls for use in before] == [0, 1]


# ---------------------------------------------------------------- pauses


def fetch(run: APIRequestQueue, number: str = NUMBER, known: Delivery | None = None) -> Any:
    reservations, refusal = run.reserve("chronopost", [BOTH])
    assert refusal is None
    return fetch_one(run, reservations[0], "chronopost", number, known)


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("120", timedelta(seconds=120)),
        (format_datetime(NOW + timedelta(minutes=30), usegmt=True), timedelta(minutes=30)),
        ("Mon, 02 Feb 2026 08:30:00 -0000", timedelta(minutes=30)),
        ("Mon, 02 Feb 2026 09:30:00 +0100", timedelta(minutes=30)),
        (None, timedelta(minutes=60)),
        ("soon", timedelta(minutes=60)),
        ("-5", timedelta(minutes=60)),
        ("999999999999", timedelta(hours=24)),
        (format_datetime(NOW + timedelta(days=3), usegmt=True), timedelta(hours=24)),
    ],
)
def test_retry_after_applies_to_all_runs(
    database: Database, clock: SimulatedClock, sandbox: Sandbox, header: str | None, pause: timedelta
) -> None:
    sandbox.parcels[NUMBER] = Parcel((Scenario.RATE_LIMITED,), retry_after=header)
    run, other = (queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url) for _ in range(2))
    fetched = fetch(run)
    assert isinstance(fetched.outcome, Failure)
    assert (fetched.outcome.kind, fetched.outcome.retry_at) == (ErrorKind.RATE_LIMITED, NOW + pause)
    assert len(sandbox.calls) == 1  # never repeated
    for queue in (run, other):
        refusal = queue.closed("chronopost")
        assert refusal is not None
        assert (refusal.why, refusal.until, refusal.passing) == (Blocked.RATE_LIMIT, NOW + pause, False)
    clock.advance(pause - timedelta(seconds=1))
    assert other.reserve("chronopost", [BOTH])[0] == []
    clock.advance(timedelta(seconds=1))
    assert other.closed("chronopost") is None


@pytest.mark.parametrize("header", ["0", format_datetime(NOW - timedelta(hours=1), usegmt=True)])
def test_an_expired_retry_after_pauses_no_run(
    database: Database, clock: SimulatedClock, sandbox: Sandbox, header: str
) -> None:
    sandbox.parcels[NUMBER] = Parcel((Scenario.RATE_LIMITED,), retry_after=header)
    run = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url)
    fetch(run)
    assert run.closed("chronopost") is None


def test_a_longer_pause_is_kept(database: Database) -> None:
    quota = QuotaTables(database)
    quota.pause("chronopost", NOW + timedelta(hours=5), "long", NOW)
    quota.pause("chronopost", NOW + timedelta(hours=1), "short", NOW)
    state = quota.carrier_state("chronopost")
    assert state.pause == Pause(NOW + timedelta(hours=5), "long")
    quota.pause("chronopost", NOW + timedelta(hours=6), "longer", NOW)
    assert quota.carrier_state("chronopost").pause == Pause(NOW + timedelta(hours=6), "longer")


def test_a_pause_set_by_a_clock_years_ahead_is_ignored(
    database: Database, clock: SimulatedClock, sandbox: Sandbox
) -> None:
    sandbox.parcels[NUMBER] = Parcel((Scenario.RATE_LIMITED,), retry_after="600")
    ahead = SimulatedClock(NOW + timedelta(days=4 * 365))
    fetch(queue_on(database, ahead, limits_of("100/day"), base_url=sandbox.url))
    run = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url)
    assert run.closed("chronopost") is None
    assert run.status("chronopost").refusal is None
    fetch(run)  # is rate-limited, today
    refusal = run.closed("chronopost")
    assert refusal is not None
    assert refusal.until == NOW + timedelta(minutes=10)


def test_an_account_rejected_by_a_clock_years_ahead_is_retried_at_once(
    database: Database, clock: SimulatedClock, sandbox: Sandbox
) -> None:
    ahead = SimulatedClock(NOW + timedelta(days=4 * 365))
    fetch(queue_on(database, ahead, limits_of("100/day"), base_url=sandbox.url, password="999999"))
    run, other = (
        queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url, password="999999")
        for _ in range(2)
    )
    assert run.status("chronopost").refusal is None
    assert run.closed("chronopost") is None
    assert other.closed("chronopost") is not None  # one of them tries


@pytest.mark.parametrize(
    ("header", "calls", "waited_s"),
    [("1800", 1, 0), ("11", 1, 0), ("10", 2, 10), ("0", 2, 0), ("soon", 2, 0), (None, 2, 0)],
)
def test_retry_after_of_a_gateway_applies_to_all_runs(
    database: Database, clock: SimulatedClock, header: str | None, calls: int, waited_s: int
) -> None:
    """A few seconds are waited for and close nothing."""

    class Down(Sandbox):
        def answer(self, request: HttpRequest) -> Answer:
            super().answer(request)
            return Answer(503, headers=(("Retry-After", header),) if header else ())

    with Down(now=clock.now) as box:
        run, other = (queue_on(database, clock, limits_of("100/day"), base_url=box.url) for _ in range(2))
        fetched = fetch(run)
    assert isinstance(fetched.outcome, Failure)
    assert (fetched.outcome.kind, len(box.calls)) == (ErrorKind.SERVER_ERROR, calls)
    for queue in (run, other):
        refusal = queue.closed("chronopost")
        assert (refusal and refusal.until) == (
            NOW + timedelta(seconds=int(header or 0)) if calls == 1 else None
        )
    assert clock.now() >= NOW + timedelta(seconds=waited_s)


# ---------------------------------------------------------------- a refused account


def refused_until(run: APIRequestQueue) -> datetime:
    refusal = run.closed("chronopost")
    assert refusal is not None
    assert (refusal.why, refusal.kind) == (Blocked.CARRIER, ErrorKind.AUTH_FAILED)
    assert refusal.until is not None
    return refusal.until


SLACK = timedelta(minutes=5)  # an hourly run never starts exactly on the second


def test_a_rejected_account_is_retried_after_1_h_6_h_then_daily(
    database: Database, clock: SimulatedClock, sandbox: Sandbox
) -> None:
    sandbox.accounts = {"10000001": "changed"}
    for hours in (1, 6, 24, 24, 24):
        run = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url)
        fetched = fetch(run)
        assert fetched.outcome.kind is ErrorKind.AUTH_FAILED
        assert "the environment" in fetched.outcome.message
        until = clock.now() + timedelta(hours=hours) - SLACK
        assert fetched.outcome.retry_at == until
        run.leave()
        following = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url)
        clock.advance(until - clock.now() - timedelta(seconds=1))
        assert refused_until(following) == until
        assert following.reserve("chronopost", [BOTH])[0] == []
        clock.advance(timedelta(seconds=1))
    sandbox.accounts = {"10000001": PASSWORD}
    run = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url)
    assert isinstance(fetch(run).outcome, Retrieved)
    run.leave()
    assert queue_on(database, clock, limits_of("100/day")).closed("chronopost") is None


def be_refused(database: Database, clock: SimulatedClock, sandbox: Sandbox) -> None:
    sandbox.accounts = {"10000001": "changed"}
    run = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url)
    assert fetch(run).outcome.kind is ErrorKind.AUTH_FAILED
    run.leave()
    clock.advance(timedelta(hours=1))


def test_a_thread_shares_the_attempt_that_another_thread_reserves(
    database: Database, clock: SimulatedClock, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_refused(database, clock, sandbox)
    run = queue_on(database, clock, limits_of("100/day"))
    answers: list[Refusal | None] = []
    other = threading.Thread(target=lambda: answers.append(run.closed("chronopost")))
    take = QuotaTables.try_again

    def take_while_looked_at(self: QuotaTables, *asked: Any) -> bool:
        taken = take(self, *asked)
        if other.ident is None:
            other.start()
            other.join(0.5)  # seconds; it waits for reserved units
        return taken

    monkeypatch.setattr(QuotaTables, "try_again", take_while_looked_at)
    assert run.closed("chronopost") is None
    other.join()
    assert answers == [None]


def test_a_thread_that_checked_before_the_acceptance_is_not_rejected(
    database: Database, clock: SimulatedClock, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_refused(database, clock, sandbox)
    sandbox.accounts = {"10000001": PASSWORD}
    run = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url)
    seen = QuotaTables(database).carrier_state("chronopost")
    assert isinstance(fetch(run).outcome, Retrieved)
    look, looks = QuotaTables.carrier_state, iter([seen])
    monkeypatch.setattr(QuotaTables, "carrier_state", lambda *asked: next(looks, None) or look(*asked))
    assert run.closed("chronopost") is None


class OfTokens(Chronopost):
    """Its calls need a token: another thread requests one, and our account is rejected."""

    def fetch(self, number: str, known: Delivery | None, session: CarrierSession) -> Outcome:
        if known is None:
            return super().fetch(number, known, session)
        raise NoTokenError(Failure.of(Sentence.CREDENTIALS_REJECTED, self.spec.name, None, 401))


def test_a_refused_token_that_another_thread_asked_for_closes_the_account_and_blames_no_parcel(
    database: Database, clock: SimulatedClock, sandbox: Sandbox
) -> None:
    run = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url, client=OfTokens)
    assert fetch(run).accepted
    under_way, _ = run.reserve("chronopost", [POD_ONLY, POD_ONLY])
    for reservation, number in zip(under_way, (NUMBER, "XY001234568FR"), strict=True):
        failure = fetch_one(run, reservation, "chronopost", number, Delivery()).outcome
        assert isinstance(failure, Failure)
        assert (failure.kind, failure.retry_at) == (ErrorKind.AUTH_FAILED, refused_until(run))
    assert run._quota.carrier_state("chronopost").account.refusals == 1


def test_new_credentials_clear_a_refusal_at_once(
    database: Database, clock: SimulatedClock, sandbox: Sandbox
) -> None:
    sandbox.accounts = {"10000001": "654321"}
    run = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url)
    fetch(run)
    same = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url)
    assert refused_until(same)
    new = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url, password="654321")
    assert new.closed("chronopost") is None
    assert isinstance(fetch(new).outcome, Retrieved)


def test_the_database_holds_no_password(
    database: Database, clock: SimulatedClock, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.parcels["XY991234567FR"] = Parcel((Attack.HOSTILE_TEXT,))
    secret = "731946"
    run = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url, password=secret)
    fetch(run)
    fetch(queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url, password=f"{secret}0"))
    database.close()
    for path in tmp_path.glob("claims.db*"):
        assert secret.encode() not in path.read_bytes()


def test_leaving_returns_an_attempt_that_was_not_made(
    database: Database, clock: SimulatedClock, sandbox: Sandbox
) -> None:
    be_refused(database, clock, sandbox)
    first, second = (queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url) for _ in range(2))
    assert first.closed("chronopost") is None
    assert refused_until(second)
    first.leave()
    assert second.closed("chronopost") is None
    assert fetch(second).outcome.kind is ErrorKind.AUTH_FAILED
    assert refused_until(first) == clock.now() + timedelta(hours=6) - SLACK


def test_reading_the_state_uses_no_attempt(
    database: Database, clock: SimulatedClock, sandbox: Sandbox
) -> None:
    be_refused(database, clock, sandbox)
    looking, run = (queue_on(database, clock, limits_of("100/day")) for _ in range(2))
    assert looking.status("chronopost").refusal is None
    assert run.closed("chronopost") is None


# ---------------------------------------------------------------- at the same time


def test_threads_of_a_run_are_granted_exactly_the_limit(database: Database, clock: SimulatedClock) -> None:
    run = queue_on(database, clock, limits_of("100/day"))
    got: list[int] = []

    def ask() -> None:
        for _ in range(20):
            reservations, _ = run.reserve("chronopost", [BOTH])
            for reservation in reservations:
                reservation.consume(Capability.TRACKING)
                reservation.called()
                reservation.release()
            got.append(len(reservations))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts(run) == [sum(got)]
    assert 99 <= sum(got) <= 100  # of two units that a fetch needs, the last one may be useless


# ---------------------------------------------------------------- the database fails


def test_a_fetched_proof_is_not_lost_if_the_quota_cannot_be_written(
    database: Database, clock: SimulatedClock, sandbox: Sandbox
) -> None:
    class GoneAway(QuotaTables):
        gone = False

        def settle(self) -> bool:
            self._look()
            return super().settle()

        def set_account_state(self, carrier: str, state: AccountState) -> None:
            self._look()
            super().set_account_state(carrier, state)

        def _look(self) -> None:
            if type(self).gone:
                raise DatabaseError("The database went away.")

    QuotaTables(database).set_account_state(
        "chronopost", AccountState(refusals=1, refused_until=NOW, claim=7)
    )
    run = queue_on(database, clock, limits_of("10/day"), base_url=sandbox.url)
    run._quota = run.refusals._quota = GoneAway(database)
    (reservation, other), _ = run.reserve("chronopost", [BOTH, BOTH])
    known = Delivery(NOW - timedelta(days=1), "DUPONT")
    GoneAway.gone = True
    assert isinstance(fetch_one(run, reservation, "chronopost", NUMBER, known).outcome, Retrieved)
    assert [use.calls for use in run.usages(["chronopost"])["chronopost"]] == [4]
    GoneAway.gone = False
    assert isinstance(fetch_one(run, other, "chronopost", NUMBER, known).outcome, Retrieved)
    assert run._quota.carrier_state("chronopost").account == AccountState(claim=7)
    run.leave()
    assert counts(run) == [2]
    assert run._quota.carrier_state("chronopost").account == AccountState(claim=7)


# ---------------------------------------------------------------- looking ahead, for a dry run


def test_the_status_reports_a_refusal_a_pause_and_an_exhausted_quota(
    database: Database, clock: SimulatedClock, sandbox: Sandbox
) -> None:
    looking = queue_on(database, clock, limits_of("2/day"))
    assert looking.status("chronopost").refusal is None
    fetch(queue_on(database, clock, limits_of("2/day"), base_url=sandbox.url))
    used_up = looking.status("chronopost").refusal
    assert used_up is not None
    assert (used_up.why, used_up.reason) == (Blocked.RATE_LIMIT, "Chronopost is at its limit (2 per day)")

    wider = queue_on(database, clock, limits_of("100/day"))
    sandbox.accounts = {"10000001": "changed"}
    fetch(queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url))
    refused = wider.status("chronopost").refusal
    assert refused is not None
    assert (refused.why, refused.kind) == (Blocked.CARRIER, ErrorKind.AUTH_FAILED)

    QuotaTables(database).pause("chronopost", clock.now() + timedelta(hours=2), "asked to wait", clock.now())
    paused = wider.status("chronopost").refusal
    assert paused is not None
    assert (paused.why, paused.reason) == (Blocked.RATE_LIMIT, "asked to wait")


def test_a_carrier_without_credentials_takes_no_call(database: Database, clock: SimulatedClock) -> None:
    run = queue_on(database, clock, limits_of("100/day"))
    account = replace(run._accounts["chronopost"], missing="CHRONOPOST_ACCOUNT and CHRONOPOST_PASSWORD")
    bare = APIRequestQueue({"chronopost": account}, QuotaTables(database), clock)
    for refusal in (
        bare.closed("chronopost"),
        bare.status("chronopost").refusal,
        bare.reserve("chronopost", [BOTH])[1],
    ):
        assert refusal is not None
        assert refusal.kind is ErrorKind.NOT_CONFIGURED
        assert (
            refusal.reason == "Chronopost has no credentials: set CHRONOPOST_ACCOUNT and CHRONOPOST_PASSWORD"
        )


def test_a_carrier_that_a_person_paused_takes_no_call_of_any_process(
    database: Database, clock: SimulatedClock, sandbox: Sandbox
) -> None:
    run, app = (queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url) for _ in range(2))
    reservations, _ = run.reserve("chronopost", [BOTH])
    stop = app.stop("chronopost", "alice", "contract talks")
    assert (stop.at, stop.why) == (NOW, "by alice: contract talks")
    fetch_one(run, reservations[0], "chronopost", NUMBER, None)  # fetches with reserved units are completed
    called = len(sandbox.calls)
    held, refusal = run.reserve("chronopost", [BOTH])
    assert held == []
    for said in (
        refusal,
        run.closed("chronopost"),
        run.status("chronopost").refusal,
        run.check_credentials("chronopost"),
    ):
        assert isinstance(said, Refusal)
        assert (said.why, said.until, said.passing) == (Blocked.CARRIER, None, False)
        assert said.kind not in ACCOUNT_KINDS  # which would cause an email to the operator
        words = "Chronopost was paused on 2026-02-02 08:00:00+00:00 by alice: contract talks"
        assert said.reason == f"{words} ('recours resume chronopost' resumes it)"
    assert len(sandbox.calls) == called
    assert counts(run) == [called]  # nothing was reserved for refused fetches


def test_a_pause_lasts_until_resumed_and_keeps_its_start(
    database: Database, clock: SimulatedClock, queue: Callable[..., APIRequestQueue]
) -> None:
    first, second = queue(), queue()
    assert first.resume("chronopost", "alice") is None
    assert first.status("chronopost").stopped is None
    first.stop("chronopost", "alice")
    clock.advance(timedelta(days=40))
    assert second.closed("chronopost") is not None
    assert second.stop("chronopost", "bob") == Stop(NOW, "by bob")
    assert first.resume("chronopost", "alice") == Stop(NOW, "by bob")
    assert second.closed("chronopost") is None
    assert len(second.reserve("chronopost", [BOTH])[0]) == 1


def test_a_pause_ends_on_time_and_a_later_pause_is_separate(
    database: Database, clock: SimulatedClock, queue: Callable[..., APIRequestQueue]
) -> None:
    first, second = queue(), queue()
    end = NOW + timedelta(days=3)
    first.stop("chronopost", "alice")
    first.stop("chronopost", "alice", "works", end)
    refusal = second.closed("chronopost")
    assert refusal is not None
    assert (refusal.until, refusal.stopped) == (end, True)
    words = "Chronopost is paused until 2026-02-05 08:00:00+00:00 by alice: works"
    assert refusal.reason == f"{words} ('recours resume chronopost' resumes it)"
    clock.advance(timedelta(days=3) - timedelta(seconds=1))
    assert second.statuses(["chronopost"])["chronopost"].stopped == Stop(NOW, "by alice: works", end)
    clock.advance(timedelta(seconds=1))
    assert second.closed("chronopost") is None
    assert second.status("chronopost").stopped is None
    assert len(second.reserve("chronopost", [BOTH])[0]) == 1
    assert second.resume("chronopost", "bob") is None  # nothing is left to end
    assert first.stop("chronopost", "bob") == Stop(end, "by bob")
    assert first.resume("chronopost", "bob") == Stop(end, "by bob")


def test_a_manual_pause_hides_neither_a_refusal_nor_the_carriers_wait(
    database: Database, clock: SimulatedClock, queue: Callable[..., APIRequestQueue]
) -> None:
    quota, run = QuotaTables(database), queue()
    refused = AccountState(refusals=2, refused_until=NOW, refusal="refused", salt="00" * 16)
    quota.set_account_state("chronopost", refused)
    quota.pause("chronopost", NOW + timedelta(hours=2), "asked to wait", NOW)
    run.stop("chronopost", "alice")
    assert "paused on" in str(run.closed("chronopost"))
    clock.advance(timedelta(hours=3))
    assert run.closed("chronopost") is not None
    assert quota.carrier_state("chronopost").account == refused  # the due retry was not used
    run.resume("chronopost", "alice")
    state = quota.carrier_state("chronopost")
    assert state.account == refused
    assert state.pause == Pause(NOW + timedelta(hours=2), "asked to wait")


def test_a_number_with_a_wrong_check_digit_is_reported_as_possibly_mistyped(
    database: Database, clock: SimulatedClock, sandbox: Sandbox
) -> None:
    run = queue_on(database, clock, limits_of("100/day"), base_url=sandbox.url)
    account = run._accounts["chronopost"]
    strict = replace(account.spec, check_digit_fits=lambda number: number.endswith("1FR"))
    run._accounts = {"chronopost": replace(account, spec=strict)}
    hint = " (wrong check digit; the number may be mistyped)"
    for number, doubted in (("XY110000001FR", False), ("XY110000002FR", True), ("XY100000002FR", False)):
        (reservation,), _ = run.reserve("chronopost", [BOTH])
        outcome = fetch_one(run, reservation, "chronopost", number, None).outcome
        assert isinstance(outcome, Failure)
        assert outcome.message.endswith(hint) is doubted
