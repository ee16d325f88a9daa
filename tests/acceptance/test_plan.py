"""`recours plan` against what the real workers then do, hour by hour, with the clock passed in."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from simulation import FAILED_AT, Service

from recours.desk.forecast.facts import Assumption
from recours.desk.plan import Plan
from recours.runs.fetch import PODFetchWorker
from recours.runs.retry import PODRetryScheduler
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from recours.wiring import open_desk, plan_for

S = Scenario
HOUR = timedelta(hours=1)
RETRY, FETCH = PODRetryScheduler.name, PODFetchWorker.name

# Small enough that each is used up in some window: days of two zones, an hour, and tokens beside it.
QUOTAS = {
    "QUOTA_CHRONOPOST": "23/day@Europe/Paris",
    "QUOTA_FEDEX": "19/day@UTC",
    "QUOTA_UPS": "4/hour",
    "QUOTA_DHL_EXPRESS": "40/day@Europe/Paris,9/hour",
}
CARRIERS = ("Chronopost", "FedEx", "UPS", "DHL Express")


@dataclass(frozen=True)
class Batches:
    """How the workers are started."""

    retry: int = 30
    fetch: int = 50
    concurrency: int = 8


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(FAILED_AT)


@pytest.fixture
def box(clock: SimulatedClock) -> Iterator[Sandbox]:
    with Sandbox(now=clock.now) as sandbox:
        yield sandbox


@pytest.fixture
def service(url: str, tmp_path: Path, box: Sandbox, clock: SimulatedClock) -> Iterator[Service]:
    with closing(Service(tmp_path, box, clock, url=url, **QUOTAS)) as made:
        yield made


def day(offset: int) -> str:
    return (FAILED_AT + timedelta(days=offset)).date().isoformat()


def at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def fill(service: Service, *answers: Scenario) -> None:
    """Claims of every kind. Each has a place of its own in the order, which is thus the same on every database."""
    place = 0
    for carrier in CARRIERS:
        for _ in range(14):  # failed, at several moments
            place += 1
            failed_at = FAILED_AT - timedelta(minutes=7 * place)
            service.add(*answers, carrier=carrier, failed_at=failed_at)
        for n in range(9):  # with deadlines near, far and past
            place += 1
            deadline = day((-3, 0, 1, 2, 5, 9, 14, 20, 30)[n] - 400 * (n == 0) + 50 * (n > 6))
            failed_at = FAILED_AT - timedelta(minutes=7 * place)
            service.add(*answers, carrier=carrier, failed_at=failed_at, response_deadline=deadline)
        for turns in range(4):  # at all turns, by other software
            place += 1
            last = FAILED_AT - timedelta(hours=5 * turns, minutes=place)
            columns = {"pod_retry_count": turns, "pod_last_retry_at": at(last)}
            service.add(*answers, carrier=carrier, failed_at=last, **columns)
        for _ in range(6):  # new
            place += 1
            created_at = at(FAILED_AT - timedelta(minutes=3 * place))
            columns = {"pod_fetch_status": "pending", "pod_fetch_error": None, "created_at": created_at}
            service.add(*answers, carrier=carrier, response_deadline=day(100 + place), **columns)
    oddities(service, *answers)


def oddities(service: Service, *answers: Scenario) -> None:
    early = at(FAILED_AT - timedelta(days=1))
    service.add(number="malformed", failed_at=FAILED_AT - timedelta(minutes=1))
    service.add(carrier="No Such Carrier", failed_at=FAILED_AT - timedelta(minutes=2))
    service.add(*answers, status="paid", failed_at=FAILED_AT - timedelta(minutes=3))
    service.add(pod_fetch_status="pending", tracking_number=None)
    # Set by other software: abandoned long ago, and not yet.
    for minutes in (300, 21):
        since = at(FAILED_AT - timedelta(minutes=minutes))
        service.add(*answers, pod_fetch_status="fetching", created_at=early, updated_at=since)
    # Nobody's account: no credentials, and paused by the carrier.
    service.environment["DPD_PASSWORD"] = ""
    service.add(*answers, carrier="DPD", failed_at=FAILED_AT - timedelta(minutes=4))


def plan(
    service: Service, hours: int, batches: Batches, assumption: Assumption, max_retries: int = 4
) -> Plan:
    with closing(open_desk(service.settings).database) as _:
        desk = replace(open_desk(service.settings), clock=service.clock)
        with closing(desk.database):
            return plan_for(
                desk,
                timedelta(hours=hours),
                assumption=assumption,
                max_retries=max_retries,
                batch_sizes={RETRY: batches.retry, FETCH: batches.fetch},
                concurrency=batches.concurrency,
            )


def run_for(service: Service, hours: int, batches: Batches, max_retries: int = 4) -> None:
    """Both workers as cron starts them: on the hour, and every half hour."""
    clock = service.clock
    end = clock.now() + timedelta(hours=hours)
    coming = clock.now().replace(minute=0, second=0, microsecond=0)
    while (coming := coming + HOUR / 2) <= end:
        if coming < clock.now():
            continue
        clock.advance(coming - clock.now())
        service.run(PODFetchWorker, batch_size=batches.fetch, concurrency=batches.concurrency)
        if coming.minute == 0:
            service.run(
                batch_size=batches.retry,
                concurrency=batches.concurrency,
                pending_share=0.25,
                max_retries=max_retries,
            )


Tried = set[tuple[str, str, str, int, int]]


def foreseen(made: Plan) -> Tried:
    return {
        (f"{run.at:%d %H:%M}", run.worker, one.reference, one.turn, one.calls)
        for run in made.runs
        for one in run.tries
    }


def really(service: Service, since: datetime, max_retries: int = 4) -> Tried:
    """Every attempt since then by its run's moment. A row that only says that a claim gave up is none."""
    rows = service.sql(
        "SELECT r.started_at, a.worker, c.claim_reference, a.turn, a.calls FROM recours_attempts a"
        " JOIN recours_runs r ON r.id = a.run_id JOIN claims c ON c.id = a.claim_id"
        " WHERE a.used AND a.turn <= ?",
        max_retries,
    )
    found = [(datetime.fromisoformat(str(row[0])), *row[1:]) for row in rows]
    since = since.replace(tzinfo=None)
    return {
        (f"{started:%d %H:%M}", *rest) for started, *rest in found if started.replace(tzinfo=None) >= since
    }


ANSWERS = {Assumption.FAILURE: (S.IN_TRANSIT,), Assumption.SUCCESS: (S.DELIVERED,)}


@pytest.mark.parametrize("assumption", list(Assumption))
@pytest.mark.parametrize("batches", [Batches(retry=500)], ids=["all that is due"])
def test_the_real_workers_do_in_the_next_48_hours_what_the_plan_says(
    service: Service, batches: Batches, assumption: Assumption
) -> None:
    fill(service, *ANSWERS[assumption])
    made_at = service.clock.now()
    made = plan(service, 48, batches, assumption)
    run_for(service, 48, batches)
    assert foreseen(made) == really(service, made_at)
    assert len(foreseen(made)) > 100
