"""What a forecast starts from, and what it says."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from recours.core.accounts import account_name
from recours.core.carrier import Catalog
from recours.core.claim import Claim
from recours.core.pauses import Blocked, Refusal
from recours.core.policy import Policy
from recours.core.quota import Usage
from recours.runs.ports import Clock, Queue
from recours.runs.worker import Worker, has_run_lately
from recours.runs.workers import BOTH_WORKERS


@dataclass(frozen=True)
class CarrierFacts:
    """What is known of a carrier now."""

    uses: Sequence[Usage] = ()  # of the limits that are not waited out
    closing: Refusal | None = None  # what keeps it closed, whatever its quota


class AssumedQueue(Queue, Protocol):
    """A queue at whose other end every call is assumed to fail."""

    def would_refuse(self, key: str) -> Refusal | None:
        """Why it would take no call of the carrier now."""


@dataclass(frozen=True)
class Rules:
    """How the runs go about it. `queue`: makes that of one run, with the counts that those before it left."""

    policy: Policy
    catalog: Catalog
    queue: Callable[[Clock], AssumedQueue]
    batch_sizes: Mapping[str, int]  # by worker
    concurrency: int = 8
    carrier_concurrency: int = 4
    clients: Mapping[str, str] = field(default_factory=dict)  # whose accounts are, by key: their addresses

    def name_of(self, key: str) -> str:
        """An account's name for people; the number of one whose client is not known."""
        client = self.clients.get(key, "")
        return account_name(self.catalog.name_of(key), client) if client else self.catalog.label_of(key)


@dataclass(frozen=True)
class Sighted:
    """A claim as it was read. `edited`: the next run assesses it first. `leased_until`: a run has leased it until then."""

    claim: Claim
    edited: bool = False
    leased_until: datetime | None = None


@dataclass(frozen=True)
class ComingRun:
    """A run to come."""

    at: datetime
    worker: type[Worker]


@dataclass(frozen=True)
class ForeseenAttempt:
    """A claim that a run deals with. `retry` 0 is the fetch worker's; `calls` 0: it needs none, such as a number that is none."""

    claim_id: Any
    reference: str
    carrier: str  # its key; "": none that we know
    retry: int
    calls: int
    is_last: bool = False  # before its deadline, beside its retries


@dataclass(frozen=True)
class Left:
    """Due claims of one carrier that a run leaves behind, since it takes no more calls."""

    count: int
    why: Blocked
    reason: str
    reserved: bool = False  # the calls that are left are kept for new claims, or for more urgent ones

    def as_json(self) -> dict[str, Any]:
        """For programs; the words are those of a run's own counts."""
        return {"count": self.count, "why": "reserved" if self.reserved else self.why}


@dataclass(frozen=True)
class ForeseenRun:
    """What a run will do. By carriers' keys; `due` counts what is still due after it, of both workers."""

    at: datetime
    worker: str
    tries: Sequence[ForeseenAttempt] = ()
    passed: int = 0  # retries of settled claims
    gave_up: int = 0
    left: Mapping[str, Left] = field(default_factory=dict)
    due: Mapping[str, int] = field(default_factory=dict)


def last_run(begun: Mapping[str, Sequence[datetime]], worker: type[Worker], now: datetime) -> datetime | None:
    """When the worker's last run began, of those up to now."""
    return max((at for at in begun.get(worker.name, ()) if at <= now), default=None)


def stopped(begun: Mapping[str, Sequence[datetime]], now: datetime) -> list[type[Worker]]:
    """The workers that used to run and do not any more, while another one does.

    If none does, the machine was off: all of them are taken to go on.
    """
    lasts = {worker: last_run(begun, worker, now) for worker in BOTH_WORKERS}
    runs = {worker: has_run_lately(last, worker.schedule, now) for worker, last in lasts.items()}
    return (
        [worker for worker, last in lasts.items() if last and not runs[worker]] if any(runs.values()) else []
    )


# A run that lies a whole number of schedules after an earlier one, give or take this, was started by the schedule.
_ON_SCHEDULE = timedelta(minutes=3)


def coming_runs(
    begun: Mapping[str, Sequence[datetime]],
    now: datetime,
    until: datetime,
    workers: Collection[type[Worker]] = BOTH_WORKERS,
) -> list[ComingRun]:
    """The runs to come: of each worker its last one plus its schedule, again and again.

    `begun`: when its last runs began, the newest first. Without any, the next ones are on the full hour, or half hour.
    """
    found = []
    for worker in workers:
        if worker in stopped(begun, now):
            continue
        at = _next_run(_last_on_schedule(begun.get(worker.name, ()), worker.schedule), worker.schedule, now)
        while at <= until:
            found.append(ComingRun(at, worker))
            at += worker.schedule
    return sorted(found, key=lambda run: run.at)


def _last_on_schedule(begun: Sequence[datetime], schedule: timedelta) -> datetime | None:
    """The newest run that the schedule started: one that somebody started by hand in between does not move it."""
    for place, one in enumerate(begun):
        for earlier in begun[place + 1 :]:
            off = (one - earlier + _ON_SCHEDULE) % schedule
            if off <= 2 * _ON_SCHEDULE and one - earlier > _ON_SCHEDULE:
                return one
    return begun[0] if begun else None


def _next_run(last: datetime | None, schedule: timedelta, now: datetime) -> datetime:
    """The first moment of the schedule that is not before `now`; missed ones are over."""
    since = last if last is not None and last <= now else datetime.fromtimestamp(0, now.tzinfo)
    missed = -((since - now) // schedule)
    return since + max(missed, 1) * schedule
