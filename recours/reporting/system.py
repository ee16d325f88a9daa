"""Whether the system works, at a glance: what `recours status`, the page and the weekly report show.

Pure: what was read, what the queue knows of each carrier, and the time come in.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from recours.accounts.health import AccountHealth, ListedAccount
from recours.core.accounts import ServiceClient, carrier_of
from recours.core.claim import Claim
from recours.core.custody import Manifest
from recours.core.mail import OPEN_STATES, MailState, week_label
from recours.core.pauses import CLOCKS_DIFFER, Refusal, Stop
from recours.core.quota import Usage
from recours.reporting.figures import OverlongBacklog, Rate, Stake, ToCorrect
from recours.reporting.records import GAVE_UP, Backlog, Differences, Run, Tally, by_carrier, iso
from recours.runs.ports import ATTACHED
from recours.runs.summary import MOST_NOT_ENROLLED
from recours.runs.worker import LATE_AFTER, STOPPED
from recours.runs.workers import WORKERS

# How often a worker looks for what is due, and how many claims it then takes at a time.
TICK = timedelta(minutes=1)
SLICE = 50
# As long as the first look at millions of rows may take.
SILENT_AFTER = timedelta(minutes=10)
# Records that are read: those of some hundred processes, or of a day. Afterwards a worker that stands still is overdue.
MOST_RECORDS = 300
SINCE = timedelta(days=1)
# Latest runs of each worker, to find some that never ended.
RECENT_RUNS = 20

# Of a process's record: who it is, when it last looked for what is due, and whether it ended in order.
_PROCESS = "process"
_TICKED_AT = "ticked_at"
_STOPPED = "stopped"


def next_tick(at: datetime) -> datetime:
    """When long-lived workers look for what is due, at this time or next."""
    return first_full(at, TICK)


def first_full(at: datetime, unit: timedelta) -> datetime:
    """The first full minute, or hour, that is not before then."""
    return at + (datetime.min.replace(tzinfo=UTC) - at) % unit


@dataclass(frozen=True)
class FleetStatus:
    """A fleet that works, or did lately."""

    ticked_at: datetime  # when one of its workers last looked for what is due, or the first of them began
    is_silent: bool  # none does any more, and nothing else does the work as it should

    def as_json(self) -> dict[str, Any]:
        return {"ticked_at": self.ticked_at.isoformat(), "silent": self.is_silent}


def of_last_day(runs: Sequence[Run], now: datetime) -> list[Run]:
    """Those by which it is seen whether a fleet works."""
    return [
        run for run in runs if run.worker in WORKERS and now - SINCE <= run.started_at <= now + CLOCKS_DIFFER
    ][:MOST_RECORDS]


def signs(process: str, ticked_at: datetime | None, *, stopped: bool) -> dict[str, Any]:
    """What a process adds to its record, to be found by `fleet_status`."""
    return {_PROCESS: process, _TICKED_AT: iso(ticked_at), _STOPPED: stopped}


def fleet_status(runs: Sequence[Run], now: datetime) -> FleetStatus | None:
    """What the latest runs say of a fleet; None if they are those of cron alone."""
    of_fleet = [run for run in runs if is_of_fleet(run)]
    if not of_fleet:
        return None
    ticks = [datetime.fromisoformat(at) for run in of_fleet if (at := run.stats[_TICKED_AT])]
    ticked_at = max(ticks, default=min(run.started_at for run in of_fleet))
    is_silent = now - ticked_at > SILENT_AFTER
    if is_silent and not _died(of_fleet, ticked_at):
        # They were stopped. That is in order where cron goes on with the work.
        is_silent = not any(run.started_at > ticked_at for run in runs if not is_of_fleet(run))
    return FleetStatus(ticked_at, is_silent)


def is_by_fleet(runs: Sequence[Run], now: datetime) -> bool:
    """Tell whether long-lived workers do the work, or are to go on with it: nothing has taken their place."""
    fleet = fleet_status(runs, now)
    return fleet is not None and (
        now - fleet.ticked_at <= SILENT_AFTER
        or not any(run.started_at > fleet.ticked_at for run in runs if not is_of_fleet(run))
    )


def is_of_fleet(run: Run) -> bool:
    """Tell whether it is the record of a long-lived worker's hour."""
    return _TICKED_AT in run.stats


def _died(of_fleet: Sequence[Run], ticked_at: datetime) -> bool:
    """Tell whether a process that was there at the last tick did not end in order."""
    newest = {}
    for run in sorted(of_fleet, key=lambda run: run.started_at):
        newest[str(run.stats.get(_PROCESS))] = run
    return any(
        run.stats.get(_STOPPED) is not True and (run.ended_at or run.started_at) >= ticked_at - SILENT_AFTER
        for run in newest.values()
    )


_Key = TypeVar("_Key")

# Three hourly runs have tried to send a mail that waits so long.
MAIL_WAITS = timedelta(hours=3)
# As long as a recipient may still be asked whether a mail arrived.
UNDECIDED_FOR = timedelta(days=7)
# A client who has not corrected their account for so long may need a call.
REFUSED_LONG = timedelta(days=7)


@dataclass(frozen=True)
class Pile:
    """How many mails there are of a state, and since when the oldest is there (aware UTC). `overdue`: see MAIL_WAITS."""

    count: int = 0
    since: datetime | None = None
    overdue: int = 0


class RefusedPiece(NamedTuple):
    """A document that was refused."""

    claim_id: Any
    path: str
    obtained_at: datetime


@dataclass(frozen=True)
class Troubles:
    """What was read.

    Since when a carrier gave no other answer than a refusal of the account: `streaks`, of the house's accounts by the
    carrier's key; `account_streaks`, of clients' accounts by their numbers.
    """

    streaks: Mapping[str, datetime] = field(default_factory=dict)
    late: Sequence[Claim] = ()  # see `is_late`; the nearest deadline first
    to_correct: Sequence[ToCorrect] = ()  # the nearest deadline first
    backlogs: Mapping[str, OverlongBacklog] = field(default_factory=dict)  # by account
    forgotten: Sequence[tuple[datetime, Claim]] = ()  # whose evidence ends before they are tried; and when
    account_streaks: Mapping[int, datetime] = field(default_factory=dict)
    # Documents of a day that were refused, of parcels that have no proof; by their carrier's key.
    refused: Mapping[str, Sequence[RefusedPiece]] = field(default_factory=dict)
    # The clients who have claims at a carrier, by its key, where nobody has an account for them; most claims first.
    without_account: Mapping[str, Sequence[ServiceClient]] = field(default_factory=dict)


class Health(StrEnum):
    FINE = "fine"
    RUNNING = "running"  # the last run has begun and is not over
    FAILED = "failed"  # the last run ended with a status that says so
    OVERDUE = "overdue"
    NEVER_RAN = "never_ran"


@dataclass(frozen=True)
class WorkerStatus:
    """The last runs of one worker, the newest first. `unended`: began long ago and never ended: they were killed.

    `ahead`: began in the future, by a clock that was wrong: they say nothing of how it does.
    """

    worker: str
    schedule: timedelta
    health: Health
    runs: Sequence[Run] = ()
    unended: Sequence[Run] = ()
    ahead: Sequence[Run] = ()

    @property
    def last(self) -> Run | None:
        return self.runs[0] if self.runs else None

    @property
    def failed(self) -> Run | None:
        """The newest run that is over, if it failed. One that was stopped, by a person or the machine, did not."""
        over = next((run for run in self.runs if run.exit_status is not None), None)
        return over if over and 0 < (over.exit_status or 0) <= STOPPED else None

    @property
    def largest_batch(self) -> int:
        """The most claims that a run tries, as far as its latest runs show."""
        usual = WORKERS[self.worker].usual_batch
        return max([usual, *(int(run.stats.get("total", 0)) for run in self.runs)])

    def as_json(self) -> dict[str, Any]:
        return {
            "worker": self.worker,
            "schedule_minutes": round(self.schedule.total_seconds() / 60),
            "health": self.health,
            "runs": [
                {
                    "run_id": run.id,
                    "worker": run.worker,
                    "started_at": run.started_at.isoformat(),
                    "ended_at": iso(run.ended_at),
                    "exit_status": run.exit_status,
                    "stats": dict(run.stats),  # what its own `--json` printed
                }
                for run in self.runs
            ],
            "never_ended": [run.id for run in self.unended],
            "in_the_future": [run.id for run in self.ahead],
        }


def worker_status(worker: str, schedule: timedelta, runs: Sequence[Run], now: datetime) -> WorkerStatus:
    """`runs`: the latest of all workers, the newest first."""
    late = LATE_AFTER * schedule
    of_worker = [run for run in runs if run.worker == worker]
    ahead = [run for run in of_worker if run.started_at - now > CLOCKS_DIFFER]
    runs = of_worker[len(ahead) :][:RECENT_RUNS]
    unended = [run for run in runs if run.ended_at is None and now - run.started_at > late]
    if not runs:
        return WorkerStatus(worker, schedule, Health.NEVER_RAN, ahead=ahead)
    if now - runs[0].started_at > late:
        health = Health.OVERDUE
    else:
        health = Health.RUNNING if runs[0].ended_at is None else Health.FINE
    status = WorkerStatus(worker, schedule, health, runs, unended, ahead)
    return replace(status, health=Health.FAILED) if health is Health.FINE and status.failed else status


def rates(tallies: Iterable[Tally], by: Callable[[Tally], _Key]) -> dict[_Key, Rate]:
    rates_by_key: dict[_Key, Rate] = {}
    for tally in of_attempts(tallies):
        key = by(tally)
        field_name = tally.outcome if tally.outcome in _COUNTED_APART else "left"
        rates_by_key[key] = rates_by_key.get(key, Rate()) + Rate(**{field_name: tally.count})
    return rates_by_key


_COUNTED_APART = ("success", "failed", GAVE_UP)


def of_attempts(tallies: Iterable[Tally]) -> list[Tally]:
    """Without what a person attached."""
    return [tally for tally in tallies if tally.outcome != ATTACHED]


def days_until(last: date, count: int) -> list[date]:
    """So many days, the last of them included, in their order."""
    return [last - timedelta(days=back) for back in range(count - 1, -1, -1)]


@dataclass(frozen=True)
class Success:
    """What claims and attempts came to, over some days. Every day is there; carriers, retries and kinds that occurred."""

    by_day: Mapping[date, Rate]
    by_carrier: Mapping[str, Rate]  # by its key, or the name that the claim had
    by_retry: Mapping[int, Rate]  # 0: the fetch worker's; of attempts alone
    errors: Mapping[str, int]  # by kind, the most frequent first

    @property
    def all(self) -> Rate:
        return sum(self.by_day.values(), Rate())

    def as_json(self) -> dict[str, Any]:
        return {
            "all": self.all.as_json(),
            "by_day": {day.isoformat(): rate.as_json() for day, rate in self.by_day.items()},
            "by_carrier": {key: rate.as_json() for key, rate in self.by_carrier.items()},
            "by_turn": {str(retry): rate.as_json() for retry, rate in self.by_retry.items()},
            "errors": dict(self.errors),
        }


def success_of(tallies: Sequence[Tally], days: Sequence[date]) -> Success:
    errors: Counter[str] = Counter()
    for tally in of_attempts(tallies):
        if tally.kind and tally.outcome != GAVE_UP:
            errors[tally.kind] += tally.count
    by_day = rates(tallies, by=lambda tally: tally.day)
    attempted = [tally for tally in tallies if tally.outcome != GAVE_UP]
    return Success(
        by_day={day: by_day.get(day, Rate()) for day in days},
        by_carrier=dict(sorted(rates(tallies, by=lambda tally: tally.carrier).items())),
        by_retry=dict(sorted(rates(attempted, by=lambda tally: tally.retry).items())),
        errors=dict(sorted(errors.items(), key=lambda kind: (-kind[1], kind[0]))),
    )


@dataclass(frozen=True)
class CarrierNow:
    """What the queue knows of a carrier. `refusal`: why it could take no call at this moment, and until when."""

    key: str
    name: str
    configured: bool
    uses: Sequence[Usage] = ()
    refusal: Refusal | None = None
    # Its account was refused, and not accepted since, also if it is tried again now.
    rejected: Refusal | None = None
    documents: Refusal | None = None  # why it gives none for now, while it tracks
    stopped: Stop | None = None  # by a person
    unavailable_since: datetime | None = None  # see `recours.reporting.figures`; None: it is available
    source: str = ""  # where its credentials come from
    missing: str = ""  # which of its settings are not set

    def as_json(self) -> dict[str, Any]:
        quotas = [
            {
                "capability": use.limit.capability,
                "limit": use.limit.number,
                "window": use.limit.window.label,
                "used": use.calls,
                "left": use.remaining,
                "resets_at": use.resets_at.isoformat(),
            }
            for use in self.uses
        ]
        closed = self.refusal and {
            "why": self.refusal.why,
            "kind": self.refusal.kind,
            "reason": self.refusal.reason,
            "until": iso(self.refusal.until),
        }
        return {
            "carrier": self.name,
            "key": self.key,
            "configured": self.configured,
            "quotas": quotas,
            "closed": closed,
            "unavailable_since": iso(self.unavailable_since),
        }


def _backlog_json(backlog: Backlog) -> dict[str, Any]:
    return {
        "carrier": backlog.carrier or None,
        **backlog.counts,
        "counted_up_to": backlog.counted_up_to,
        "oldest": iso(backlog.oldest),
    }


@dataclass(frozen=True)
class Overview:
    """The state of the system at a time."""

    at: datetime
    workers: Sequence[WorkerStatus]
    success: Success
    backlogs: Sequence[Backlog]  # by account
    carriers: Sequence[CarrierNow]
    recent: Sequence[Tally] = ()  # attempts of today and yesterday
    runs: Sequence[Run] = ()  # the latest, the newest first
    accounts: Sequence[ListedAccount] = ()  # those of clients
    mails: Mapping[MailState, Pile] = field(default_factory=dict)
    troubles: Troubles = field(default_factory=Troubles)
    undecided: Sequence[Any] = ()  # the ids of open claims with a number that a person has not decided on yet
    differences: Differences = field(default_factory=Differences)
    fleet: FleetStatus | None = None  # None: cron alone does the work
    # What the claims of each problem are about, by its kind and carrier.
    stakes: Mapping[tuple[str, str], Stake] = field(default_factory=dict)

    @property
    def not_enrolled(self) -> int:
        """How many a person has not decided on yet, up to MOST_NOT_ENROLLED."""
        return min(len(self.undecided), MOST_NOT_ENROLLED)

    @property
    def open_mails(self) -> dict[MailState, int]:
        """How many mails are not ended, by their states."""
        return {state: pile.count for state, pile in self.mails.items() if state in OPEN_STATES}

    @property
    def backlogs_by_carrier(self) -> list[Backlog]:
        return by_carrier(self.backlogs)

    @property
    def blocked(self) -> int:
        """Claims in progress whose account takes no call now, or whose carrier is unavailable."""
        closed = {carrier.key for carrier in self.carriers if carrier.refusal}
        closed |= {listed.account.key for listed in self.accounts if listed.health is not AccountHealth.OPEN}
        out = {carrier.key for carrier in self.carriers if carrier.unavailable_since}
        return sum(
            backlog.in_progress
            for backlog in self.backlogs
            if backlog.carrier in closed or carrier_of(backlog.carrier) in out
        )

    def as_json(self) -> dict[str, Any]:
        """The object of `recours status --json`."""
        return {
            "at": self.at.isoformat(),
            "workers": [worker.as_json() for worker in self.workers],
            "success": self.success.as_json(),
            "backlogs": [_backlog_json(backlog) for backlog in self.backlogs_by_carrier],
            "carriers": [carrier.as_json() for carrier in self.carriers],
            **self._accounts_json(),
            "not_enrolled": self.not_enrolled,
            "mails": {state.value: count for state, count in self.open_mails.items()},
            "differences": asdict(self.differences),
            "fleet": self.fleet and self.fleet.as_json(),
        }

    def _accounts_json(self) -> dict[str, Any]:
        """Nothing for an installation whose clients have no accounts."""
        due = Counter({backlog.carrier: backlog.due for backlog in self.backlogs})
        accounts = [account_json(listed) | {"due": due[listed.account.key]} for listed in self.accounts]
        return {"accounts": accounts} if accounts else {}


def account_json(listed: ListedAccount) -> dict[str, Any]:
    """A client's account for programs."""
    client_id = listed.client.id
    return {
        "account": listed.account.id,
        "carrier": listed.account.carrier,
        "client_id": client_id if isinstance(client_id, int) else str(client_id),
        "client": listed.client.email or None,
        "health": listed.health,
        "why": listed.why,
        "until": iso(listed.until),
    }


_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Week:
    """A week, from its Monday on, in a time zone."""

    monday: date
    zone: ZoneInfo

    @property
    def label(self) -> str:
        """`2026-W06`."""
        return week_label(self.monday)

    @property
    def start(self) -> datetime:
        return datetime.combine(self.monday, time(), self.zone).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it, aware UTC."""
        return self.weeks_ago(-1).start

    @property
    def days(self) -> list[date]:
        return [self.monday + timedelta(days=n) for n in range(7)]

    def weeks_ago(self, count: int) -> "Week":
        """The week so many weeks before."""
        return Week(self.monday - count * _WEEK, self.zone)


@dataclass(frozen=True)
class WeekReport:
    """What came of a week, and how things stand now."""

    week: Week
    now: Overview
    success: Success
    previous: Rate  # of the week before
    # The money in dispute of claims whose proofs were fetched in it, by currency.
    secured: Mapping[str, float] = field(default_factory=dict)
    has_run: bool = True  # in the week, or before it
    manifest: Manifest | None = None  # the last one

    @property
    def has_something_to_tell(self) -> bool:
        """False of a database in which nothing had happened yet: nobody wants a report about nothing."""
        return self.has_run or self.success.all != Rate()
