"""`recours plan` against what the real workers then do, run by run, with the clock passed in.

Where a run's batch is smaller than what is due of several carriers, which claims get in at its edge depends on who
answers first: such runs are made one call at a time here.
"""

from collections import deque
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from recours.core.pauses import Blocked
from recours.fleet.jobs import WorkerLane
from recours.fleet.station import Station
from recours.operations.forecast.facts import ForeseenRun
from recours.operations.plan import Plan
from recours.runs.fetch import PODFetchWorker
from recours.runs.retry import PODRetryScheduler
from recours.runs.worker import Worker
from recours.sandbox import Parcel, Scenario, SimulatedClock
from recours.wiring.databases import open_database
from recours.wiring.one_claim import explanation_of
from recours.wiring.operations import open_operations
from recours.wiring.plan import plan_for
from tests.acceptance.simulation import FAILED_AT, Service

S = Scenario
HOUR = timedelta(hours=1)
RETRY, FETCH = PODRetryScheduler.name, PODFetchWorker.name


@dataclass(frozen=True)
class Started:
    """How the workers are started."""

    retry: int = 500
    fetch: int = 500
    concurrency: int = 8
    max_retries: int = 4


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(FAILED_AT)


# ---------------------------------------------------------------- what is foreseen, and what is done


def plan(service: Service, hours: int, started: Started) -> Plan:
    operations = replace(open_operations(service.settings), clock=service.clock)
    with closing(operations.database):
        return plan_for(
            operations,
            timedelta(hours=hours),
            max_retries=started.max_retries,
            batch_sizes={RETRY: started.retry, FETCH: started.fetch},
            concurrency=started.concurrency,
        )


def run_for(
    service: Service,
    hours: int,
    started: Started,
    kinds: tuple[type[Worker], ...] = (PODFetchWorker, PODRetryScheduler),
) -> dict[str, dict[str, Any]]:
    """Both workers as cron starts them: every half hour, and on the hour. By moment and worker: what each run did."""
    clock, done = service.clock, {}
    end = clock.now() + timedelta(hours=hours)
    coming = clock.now().replace(minute=0, second=0, microsecond=0)
    options = {"concurrency": started.concurrency, "max_retries": started.max_retries}
    while (coming := coming + HOUR / 2) <= end:
        if coming < clock.now():
            continue
        for kind in kinds:
            if coming.minute and kind is PODRetryScheduler:
                continue
            clock.advance(max(coming - clock.now(), timedelta()))
            batch = started.retry if kind is PODRetryScheduler else started.fetch
            report = service.run(kind, batch_size=batch, **options)
            counts = report.as_json()
            done[f"{coming:%d %H:%M} {kind.name}"] = {
                "tries": attempts(service, report.run_id, started.max_retries),
                "passed": counts["skipped_persistent"],
                "gave_up": counts["max_retries_reached"],
                "rate_limit": counts["skipped_rate_limit"],
                "reserved": counts["skipped_reserved"],
                "carrier": counts["skipped_carrier"],
            }
    return done


def attempts(service: Service, run_id: str, max_retries: int) -> list[tuple[Any, ...]]:
    """Claim, turn and calls of each attempt, as they were made. A row that only says that a claim gave up is none: no call was made."""
    return service.sql(
        "SELECT c.claim_reference, a.turn, a.calls FROM recours_attempts a JOIN claims c ON c.id = a.claim_id"
        " WHERE a.run_id = ? AND a.used AND (a.turn <= ? OR a.calls > 0 OR a.http_status IS NOT NULL) ORDER BY a.id",
        run_id,
        max_retries,
    )


def left_behind(run: ForeseenRun, why: str) -> int:
    return sum(left.count for left in run.left.values() if left.as_json()["why"] == why)


def foreseen(made: Plan) -> dict[str, dict[str, Any]]:
    return {
        f"{run.at:%d %H:%M} {run.worker}": {
            "tries": [(one.reference, one.retry, one.calls) for one in run.tries],
            "passed": run.passed,
            "gave_up": run.gave_up,
            "rate_limit": left_behind(run, "rate_limit"),
            "reserved": left_behind(run, "reserved"),
            "carrier": left_behind(run, "carrier"),
        }
        for run in made.runs
    }


def assert_foreseen(made: Plan, done: dict[str, dict[str, Any]], *, in_order: bool = False) -> None:
    """Run by run, so that the first run that differs is shown; `in_order`: attempts too, as one thread makes them."""
    said = foreseen(made)
    assert list(said) == list(done)
    for run, did in done.items():
        if not in_order:
            for one in (did, said[run]):
                one["tries"] = sorted(one["tries"])
        assert said[run] == did, run


def count_of(made: Plan) -> int:
    return sum(len(run.tries) for run in made.runs)


# ---------------------------------------------------------------- claims


def day(offset: int) -> str:
    return (FAILED_AT + timedelta(days=offset)).date().isoformat()


def at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def fill(service: Service, *carriers: str) -> None:
    """Claims of every kind. Each has a place of its own in the order, which is thus the same on every database."""
    place = 0
    for carrier in carriers:
        for _ in range(14):  # failed, at several moments
            place += 1
            failed_at = FAILED_AT - timedelta(minutes=7 * place)
            service.add(S.IN_TRANSIT, carrier=carrier, failed_at=failed_at)
        for days in (-400, -3, 0, 1, 2, 5, 9, 14, 60):  # with deadlines past, near and far
            place += 1
            failed_at = FAILED_AT - timedelta(minutes=7 * place)
            service.add(S.IN_TRANSIT, carrier=carrier, failed_at=failed_at, response_deadline=day(days))
        for retries in range(4):  # at all turns, by other software
            place += 1
            last = FAILED_AT - timedelta(hours=5 * retries, minutes=place)
            columns: dict[str, Any] = {"pod_retry_count": retries, "pod_last_retry_at": at(last)}
            service.add(S.IN_TRANSIT, carrier=carrier, failed_at=last, **columns)
        for _ in range(6):
            place += 1
            pending(service, place, carrier)


def pending(service: Service, place: int, carrier: str, **columns: Any) -> int:
    created_at = at(FAILED_AT - timedelta(minutes=3 * place))
    new = {"pod_fetch_status": "pending", "pod_fetch_error": None, "created_at": created_at}
    return service.add(S.IN_TRANSIT, carrier=carrier, response_deadline=day(100 + place), **new | columns)


def oddities(service: Service) -> None:
    """Claims that cost no call, that nobody fetches, or that other software has in hand."""
    service.add(number="malformed", failed_at=FAILED_AT - timedelta(minutes=1))
    service.add(carrier="No Such Carrier", failed_at=FAILED_AT - timedelta(minutes=2))
    service.add(S.IN_TRANSIT, status="paid", failed_at=FAILED_AT - timedelta(minutes=3))
    service.add(pod_fetch_status="pending", tracking_number=None)
    for minutes in (300, 27):  # abandoned long ago, and three minutes after the next run
        since = at(FAILED_AT - timedelta(minutes=minutes))
        pending(service, minutes, "Chronopost", pod_fetch_status="fetching", updated_at=since)
    service.environment["DPD_PASSWORD"] = ""
    service.add(S.IN_TRANSIT, carrier="DPD", failed_at=FAILED_AT - timedelta(minutes=4))


def disturb(service: Service) -> None:
    """What others have done since the last run: edits, and a run that has leased claims and may have died."""
    settled = "SELECT id FROM claims WHERE pod_stage = 'settled' ORDER BY id"
    waiting = "SELECT id FROM claims WHERE pod_stage = 'waiting' AND carrier = 'FedEx' ORDER BY id"
    given_up = "SELECT id FROM claims WHERE pod_stage = 'given_up' ORDER BY id"
    ready = "SELECT id FROM claims WHERE pod_stage = 'ready' ORDER BY id"
    number = service.box.example("chronopost", "99", 900)
    service.box.parcels[number] = Parcel((S.IN_TRANSIT,))
    service.clock.advance(timedelta(minutes=20))
    until = service.clock.now() + timedelta(minutes=45)
    for which, values in (
        (settled, {"tracking_number": number}),
        (waiting, {"response_deadline": day(1), "pod_retry_count": 0}),
        (given_up, {"pod_retry_count": 0}),
        (ready, {"pod_lease_token": "another run", "pod_lease_until": at(until), "pod_interruptions": 1}),
    ):
        (claim, *_) = service.sql(which)[0]
        columns = ", ".join(f"{column} = ?" for column in values)
        service.sql(f"UPDATE claims SET {columns} WHERE id = ?", *values.values(), claim)


# ---------------------------------------------------------------- the same claims at the same hours

# Each is used up in some window: days of two zones, hours, and both at once; with tokens beside them at two carriers.
TIGHT = {
    "QUOTA_CHRONOPOST": "23/day@Europe/Paris",
    "QUOTA_FEDEX": "19/day@UTC",
    "QUOTA_UPS": "4/hour",
    "QUOTA_DHL_EXPRESS": "40/day@Europe/Paris,9/hour",
}
CARRIERS = ("Chronopost", "FedEx", "UPS", "DHL Express")


@pytest.mark.full("days of simulated runs against the forecast: others of this file are planned and run too")
def test_from_claims_that_no_run_has_seen_yet(service: Service) -> None:
    service.environment |= TIGHT
    fill(service, *CARRIERS)
    oddities(service)
    # One thread: with several, it depends on the machine which claims get the last units of a quota.
    started = Started(concurrency=1)
    made = plan(service, 48, started)
    assert_foreseen(made, run_for(service, 48, started))
    assert count_of(made) > 100
    assert any(run.left for run in made.runs)


@pytest.mark.full("days of simulated runs against the forecast: others of this file are planned and run too")
def test_from_the_middle_of_things(service: Service) -> None:
    """After half a day of runs: claims at all turns, settled ones, deliveries that are known, a carrier that is paused."""
    fill(service, *CARRIERS)
    oddities(service)
    service.add(S.IN_TRANSIT, carrier="GLS")
    operations = open_operations(service.settings)
    with closing(operations.database):
        operations.queue().stop("gls", "lea", "holidays")
    for place in range(4):
        failed_at = FAILED_AT - timedelta(minutes=500 + place)
        service.add(S.POD_NEVER, failed_at=failed_at)
        for carrier in ("Chronopost", "FedEx"):
            number = service.sql(
                "SELECT tracking_number FROM claims WHERE id = ?",
                service.add(S.POD_LATE, carrier=carrier, failed_at=failed_at - HOUR),
            )[0][0]
            delivered = timedelta(days=-12 - place % 2, hours=-13)
            service.box.parcels[number] = Parcel((S.POD_LATE,), delivered_after=delivered)
    run_for(service, 13, Started())
    waits = service.add(carrier="DHL Express", failed_at=FAILED_AT + 11 * HOUR)
    [(number,)] = service.sql("SELECT tracking_number FROM claims WHERE id = ?", waits)
    service.box.parcels[number] = Parcel((S.RATE_LIMITED, S.IN_TRANSIT), retry_after=str(7 * 3600))
    run_for(service, 1, Started())
    service.environment |= TIGHT | {"QUOTA_CHRONOPOST": "55/day@Europe/Paris"}
    # One thread: with several, it depends on the machine which claims get the last units of a quota.
    started = Started(concurrency=1)
    made = plan(service, 48, started)
    assert_foreseen(made, run_for(service, 48, started))
    [dhl] = [carrier for carrier in made.carriers if carrier.key == "dhl_express"]
    assert dhl.closing is not None
    assert dhl.closing.why is Blocked.RATE_LIMIT
    assert sum(run.passed for run in made.runs) >= 4


@pytest.mark.full("days of simulated runs against the forecast: others of this file are planned and run too")
def test_batches_smaller_than_the_backlog_of_several_carriers(service: Service) -> None:
    fill(service, "Chronopost", "DHL Express", "Mondial Relay")
    oddities(service)
    started = Started(retry=7, fetch=3, concurrency=1)
    made = plan(service, 48, started)
    assert_foreseen(made, run_for(service, 48, started), in_order=True)
    full = [run for run in made.runs if run.worker == RETRY and len(run.tries) == 7]
    assert len(full) > 5


@pytest.mark.sample("days of simulated runs against the forecast: one of these is planned and run")
def test_edits_leases_and_shared_calls(service: Service) -> None:
    """One thread makes its attempts in an order that is foreseen too, and waits as long for limits of a minute."""
    started = Started(retry=9, fetch=3, concurrency=1)
    service.environment |= {
        "QUOTA_FEDEX": "20/day",
        "QUOTA_GLS": "5/hour",
        "QUOTA_CHRONOPOST": "40/day,3/minute",
    }
    fill(service, "FedEx", "Chronopost", "GLS")
    service.add(number="malformed", response_deadline=day(1))
    service.add(S.IN_TRANSIT, pod_retry_count=4)
    run_for(service, 9, started)
    disturb(service)
    made = plan(service, 30, started)
    assert_foreseen(made, run_for(service, 30, started), in_order=True)
    calls = [one.calls for run in made.runs for one in run.tries if one.carrier == "fedex"]
    assert calls.count(0) > 3
    assert any(run.left for run in made.runs)


@pytest.mark.full("days of simulated runs against the forecast: others of this file are planned and run too")
def test_what_is_kept_for_new_claims_until_the_afternoon(service: Service) -> None:
    service.environment["QUOTA_CHRONOPOST"] = "16/day@Europe/Paris"
    for place in range(30):
        pending(service, place, "Chronopost")
        service.add(S.IN_TRANSIT, failed_at=FAILED_AT - timedelta(minutes=100 + place))
    service.clock.advance(20 * HOUR)
    started = Started(retry=5, fetch=2)
    made = plan(service, 26, started)
    assert_foreseen(made, run_for(service, 26, started))
    assert [run for run in made.runs if left_behind(run, "reserved")]


@pytest.mark.full("days of simulated runs against the forecast: others of this file are planned and run too")
def test_nothing_is_kept_for_a_fetch_worker_that_does_not_run(service: Service) -> None:
    service.environment["QUOTA_CHRONOPOST"] = "16/day@Europe/Paris"
    run_for(service, 4, Started())
    for place in range(30):
        pending(service, place, "Chronopost")
        service.add(S.IN_TRANSIT, failed_at=FAILED_AT - timedelta(minutes=100 + place))
    service.run_hourly(20)
    started = Started(retry=5, fetch=2)
    made = plan(service, 26, started)
    assert_foreseen(made, run_for(service, 26, started, kinds=(PODRetryScheduler,)))
    assert made.stopped == (FETCH,)
    assert [left_behind(run, "reserved") for run in made.runs] == [0] * len(made.runs)


def test_a_delivery_that_is_known_needs_a_single_call(service: Service) -> None:
    for place in range(5):
        service.add(S.POD_LATE, failed_at=FAILED_AT - timedelta(minutes=place))
    run_for(service, 1, Started())
    service.environment["QUOTA_CHRONOPOST"] = "13/day@Europe/Paris"  # of which ten are used
    made = plan(service, 30, Started())
    assert_foreseen(made, run_for(service, 30, Started()))
    assert [len(run.tries) for run in made.runs if run.tries] == [3, 2, 3]


@pytest.mark.full("days of simulated runs against the forecast: others of this file are planned and run too")
@pytest.mark.parametrize(("before", "then"), [(2, 4), (4, 2)], ids=["raised", "lowered"])
def test_another_limit_of_turns(service: Service, before: int, then: int) -> None:
    fill(service, "Chronopost")
    run_for(service, 9, Started(max_retries=before))
    started = Started(max_retries=then)
    made = plan(service, 30, started)
    assert_foreseen(made, run_for(service, 30, started))
    assert count_of(made) > 20 if then > before else sum(run.gave_up for run in made.runs) > 10


# ---------------------------------------------------------------- long-lived workers


class Fleet:
    """A long-lived worker that looks every minute for what is due, and does all of it at once."""

    def __init__(self, service: Service) -> None:
        """It begins now."""
        self._service = service
        self._station = Station(service.settings, open_database(service.settings), threads=1, clock=service.clock)  # fmt: skip
        self._waiting: deque[WorkerLane] = deque()

    def close(self) -> None:
        self._station.close()

    def _wake(self, lane: WorkerLane) -> None:
        if lane not in self._waiting:
            self._waiting.append(lane)

    def work_for(self, minutes: int) -> dict[str, list[tuple[Any, ...]]]:
        """By minute and worker: what was done."""
        clock, done = self._service.clock, dict[str, list[tuple[Any, ...]]]()
        end = clock.now() + timedelta(minutes=minutes)
        while (coming := clock.now().replace(second=0, microsecond=0) + timedelta(minutes=1)) <= end:
            clock.advance(coming - clock.now())
            self._station.tick(self._wake)
            while self._waiting:
                self._station.slice(self._waiting.popleft(), self._wake)
            if coming.minute % 5 == 0:
                self._station.sweep()
                self._station.keep_record()
            for worker, *tried in self._tries(coming):
                done.setdefault(f"{coming:%d %H:%M} {worker}", []).append(tuple(tried))
        return done

    def _tries(self, since: datetime) -> list[tuple[Any, ...]]:
        return self._service.sql(
            "SELECT a.worker, c.claim_reference, a.turn, a.calls FROM recours_attempts a JOIN claims c ON c.id = a.claim_id"
            " WHERE a.started_at >= ? AND a.used AND a.turn <= 4 ORDER BY a.worker, c.claim_reference",
            at(since),
        )


def foreseen_tries(made: Plan) -> dict[str, list[tuple[Any, ...]]]:
    return {
        f"{run.at:%d %H:%M} {run.worker}": sorted((one.reference, one.retry, one.calls) for one in run.tries)
        for run in made.runs
        if run.tries
    }


@pytest.mark.full("days of simulated runs against the forecast: others of this file are planned and run too")
def test_what_long_lived_workers_do_is_foreseen_to_the_minute(service: Service) -> None:
    service.environment |= TIGHT | {"QUOTA_CHRONOPOST": "70/day@Europe/Paris"}
    fill(service, "Chronopost", "UPS", "DHL Express")
    oddities(service)
    with closing(Fleet(service)) as fleet:
        fleet.work_for(5)
        for place in range(60, 70):  # these come while it works
            pending(service, place, "Chronopost")
        made = plan(service, 3, Started(concurrency=1))
        assert foreseen_tries(made) == fleet.work_for(3 * 60)
    assert made.by_fleet
    minutes = {run.at.minute for run in made.runs if run.tries}
    assert len(minutes) > 10, "cron would be there on the hour and the half hour alone"
    assert any(run.left for run in made.runs)


@pytest.mark.full("days of simulated runs against the forecast: others of this file are planned and run too")
def test_why_agrees_with_what_long_lived_workers_do(service: Service) -> None:
    claims = [service.add(S.IN_TRANSIT, failed_at=FAILED_AT - timedelta(minutes=7 * n)) for n in range(1, 6)]
    with closing(Fleet(service)) as fleet:
        fleet.work_for(5)
        operations = replace(open_operations(service.settings), clock=service.clock)
        with closing(operations.database):
            found = [explanation_of(operations, f"CLM-{claim:04d}") for claim in claims]
        said = {one.claim.reference: f"{one.position.next_at:%d %H:%M} {RETRY}" for one in found if one}
        done = fleet.work_for(60)
    assert len(said) == len(claims)
    assert said == {tried[0]: minute for minute, tries in reversed(done.items()) for tried in tries}


@pytest.mark.full("days of simulated runs against the forecast: others of this file are planned and run too")
def test_after_long_lived_workers_cron_goes_on(service: Service) -> None:
    """They were stopped for good: the plan is that of cron, whose times their records say nothing of."""
    service.add(S.IN_TRANSIT)
    with closing(Fleet(service)) as fleet:
        fleet.work_for(5)
        fleet._station.stop()
    service.clock.advance(timedelta(minutes=15))
    run_for(service, 1, Started())
    made = plan(service, 3, Started())
    assert not made.by_fleet
    assert {run.at.minute for run in made.runs} == {0, 30}


def near_deadlines(service: Service) -> None:
    """Claims whose retries are used up, or nearly, some days before their deadline."""
    place = 0
    for retries, wait in ((2, 24), (3, 72)):
        for days in (1, 2, 3, 4, 9):
            for carrier in (
                "Chronopost",
                "Colissimo",
            ):  # no call of theirs is shared: places in the order may be
                place += 1
                last = FAILED_AT - timedelta(hours=wait, minutes=7 * place)
                columns: dict[str, Any] = {"pod_retry_count": retries, "pod_last_retry_at": at(last)}
                service.add(
                    S.IN_TRANSIT, carrier=carrier, failed_at=last, response_deadline=day(days), **columns
                )


@pytest.mark.full("days of simulated runs against the forecast: others of this file are planned and run too")
def test_last_attempts_before_deadlines(service: Service) -> None:
    service.environment |= {"RECOURS_LAST_ATTEMPT_HOURS": "30"}
    near_deadlines(service)
    run_for(service, 3, Started())
    changed = (
        "SELECT id FROM claims WHERE pod_last_attempt_at IS NOT NULL AND carrier = 'Chronopost' ORDER BY id"
    )
    (first, *_) = service.sql(changed)[0]
    service.sql("UPDATE claims SET response_deadline = ? WHERE id = ?", day(4), first)
    made = plan(service, 70, Started())
    assert_foreseen(made, run_for(service, 70, Started()))
    assert sum(one.is_last for run in made.runs for one in run.tries) >= 6
