"""The state of the system, as shown by `recours status`, the dashboard and the weekly report.

All functions are pure: the records, the state of each carrier and the time are parameters.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from recours.accounts.health import AccountHealth, ListedAccount
from recours.core.accounts import ServiceClient, carrier_of
from recours.core.carrier import fold
from recours.core.claim import DUE, IN_PROGRESS, Claim, Delivery, Stage
from recours.core.errors import ErrorKind, is_persistent
from recours.core.evidence import Manifest
from recours.core.mail import OPEN_STATES, MailState
from recours.core.pauses import CLOCKS_DIFFER, Refusal, Stop
from recours.core.quota import CallBudget, Capability, Limit, Usage, Window
from recours.reporting.records import COUNTED_UP_TO, iso
from recours.runs.ports import ATTACHED
from recours.runs.summary import MOST_NOT_ENROLLED
from recours.runs.worker import LATE_AFTER, STOPPED, WORKERS

_HOUR_S = 3600

# ---------------------------------------------------------------- counts


@dataclass(frozen=True)
class Run:
    """A run of a worker. `ended_at`: None if the run is in progress or was killed. `stats`: its `--json` object."""

    id: str
    worker: str
    started_at: datetime
    ended_at: datetime | None = None
    exit_status: int | None = None
    stats: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tally:
    """The number of attempts (or given-up claims) of one day that share these values.

    `retry`: 0 for the fetch worker. `kind`: the kind of the error; None on success.
    """

    day: date
    carrier: str  # its key, or the carrier name in the claim
    retry: int
    outcome: str  # success, failed, left, attached; or GAVE_UP
    kind: str | None
    count: int


# The outcome of given-up claims in a tally. No attempt has this outcome.
GAVE_UP = "given_up"


@dataclass(frozen=True)
class Backlog:
    """The open claims of an account (or, after merging, of a carrier) by stage. The key is "" for unknown carriers.

    `unassessed`: failed or pending claims that the next run assesses. `oldest`: when the oldest claim in progress
    failed, or was created. `to_correct`: claims that need correction. `counted_up_to`: the limit of each count.
    """

    carrier: str
    stages: Mapping[Stage, int]
    oldest: datetime | None = None
    unassessed: int = 0
    counted_up_to: int = COUNTED_UP_TO
    to_correct: int = 0

    @property
    def due(self) -> int:
        """Claims that a run of either worker would fetch now."""
        return self.capped(sum(self.stages.get(stage, 0) for stage in DUE))

    @property
    def counts(self) -> dict[str, int]:
        """The number of claims at each stage, due, to correct, and not assessed, by JSON key."""
        stages = {stage.value: self.stages.get(stage, 0) for stage in Stage}
        return {"due": self.due, **stages, "to_correct": self.to_correct, "unjudged": self.unassessed}

    @property
    def in_progress(self) -> int:
        """Claims for which a call is still planned."""
        return self.capped(self.unassessed + sum(self.stages.get(stage, 0) for stage in IN_PROGRESS))

    def capped(self, number: int) -> int:
        """Cap a sum at the limit of the counts, so that the sum is displayed as "or more" like its parts."""
        return min(number, self.counted_up_to)


def merge_backlogs(backlogs: Iterable[Backlog]) -> list[Backlog]:
    """Merge backlogs with the same key."""
    merged: dict[str, Backlog] = {}
    for backlog in backlogs:
        other = merged.get(backlog.carrier)
        if other is None:
            merged[backlog.carrier] = backlog
            continue
        stages = Counter(other.stages) + Counter(backlog.stages)
        merged[backlog.carrier] = replace(
            other,
            stages={stage: other.capped(count) for stage, count in stages.items()},
            oldest=min(filter(None, (other.oldest, backlog.oldest)), default=None),
            unassessed=other.capped(other.unassessed + backlog.unassessed),
            to_correct=other.to_correct + backlog.to_correct,
        )
    return list(merged.values())


# A result that is missing from the service's table for longer is reported. Each run writes missing results.
OWED_LONG = timedelta(hours=1)


@dataclass(frozen=True)
class Differences:
    """Differences between recours's rows and the service's; both counts are normally 0."""

    repaired: int = 0  # rows of recours with a difference that was found only by the sweep over all claims
    owed: int = 0  # claims whose result has been missing from the service's table for more than OWED_LONG


@dataclass(frozen=True)
class MoneyInDispute:
    """Sums by currency; "" for an unknown currency. `is_more`: not all claims are included."""

    amounts: Mapping[str, float] = field(default_factory=dict)
    is_more: bool = False


# Stages in which no further calls are made unless somebody acts, for example corrects the claim.
ENDED = (Stage.SETTLED, Stage.GIVEN_UP)
CORRECTABLE = frozenset(kind for kind in ErrorKind if is_persistent(kind, last_retry=True))


class ToCorrect(NamedTuple):
    """A claim of a known carrier that needs correction before further calls, and can still be corrected in time.

    `deadline`: as in the service's table; "": none.
    """

    id: Any
    lane: str
    reference: str
    deadline: str


@dataclass(frozen=True)
class Rate:
    """Closed claims and attempts, excluding proofs that a person attached.

    `success`: proofs, each counted as one claim and one attempt. `given_up`: claims. `failed`: attempts. `left`:
    attempts that were deferred, for example at a rate limit; they are not retries and count in neither rate.
    """

    success: int = 0
    failed: int = 0
    left: int = 0
    given_up: int = 0

    @property
    def closed(self) -> int:
        return self.success + self.given_up

    @property
    def percent(self) -> float | None:
        """Proofs per hundred closed claims, with one decimal; None if no claim was closed."""
        return round(100 * self.success / self.closed, 1) if self.closed else None

    @property
    def percent_of_attempts(self) -> float | None:
        attempts = self.success + self.failed
        return round(100 * self.success / attempts, 1) if attempts else None

    def __add__(self, other: "Rate") -> "Rate":
        return Rate(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"success_rate": self.percent, "attempt_success_rate": self.percent_of_attempts}


class InLine(NamedTuple):
    """A due claim. `rank_at`: the sort key of due claims."""

    id: Any
    rank_at: datetime
    is_deadline: bool
    stage: Stage


@dataclass(frozen=True)
class OverlongBacklog:
    """An account's backlog in which claims are attempted after their deadlines, at the pace of the quota."""

    due: int
    days: int  # until the last claim is attempted
    pace: int  # claims per day
    late: Sequence[Any]  # ids of the claims that miss their deadline
    late_soon: Sequence[Any]  # of these, the ids with a deadline within a week


def usual_calls(calls: CallBudget, delivery: Delivery | None) -> CallBudget:
    """The calls of a fetch that finds no proof. No document is requested for a parcel that has not been delivered."""
    return calls if delivery else {Capability.TRACKING: calls.get(Capability.TRACKING, 0)}


def counted_by_hour(limit: Limit) -> Limit:
    """Convert a limit per second or minute to an hourly limit, because runs wait for short windows to end."""
    if not limit.window.is_short:
        return limit
    number = limit.number * _HOUR_S // limit.window.seconds
    return limit._replace(number=number, window=Window(_HOUR_S))


# ---------------------------------------------------------------- the fleet

# How often a worker looks for due claims, and how many it leases at a time.
TICK = timedelta(minutes=1)
SLICE = 50
# Workers that have not looked for longer are reported. The first query over millions of rows may take this long.
SILENT_AFTER = timedelta(minutes=10)
# How many run records are read, and how old they may be. After a day, a stalled worker counts as overdue.
MOST_RECORDS = 300
SINCE = timedelta(days=1)
# How many of each worker's latest runs are read to find runs that never ended.
RECENT_RUNS = 20

# Keys of a process's record: its id, when it last looked for due claims, and whether it was stopped cleanly.
_PROCESS = "process"
_TICKED_AT = "ticked_at"
_STOPPED = "stopped"


def next_tick(at: datetime) -> datetime:
    """The next full minute (or `at` itself), when long-lived workers check for due claims."""
    return at + (datetime.min.replace(tzinfo=UTC) - at) % TICK


@dataclass(frozen=True)
class FleetStatus:
    """A fleet that is working or worked within the last day."""

    ticked_at: datetime  # when a worker last looked for due claims, or the first worker started
    is_silent: bool  # no worker looks for due claims anymore, and nothing replaces the fleet
    is_replaced: bool = False  # no worker looks for due claims anymore, but cron starts the runs

    def as_json(self) -> dict[str, Any]:
        return {"ticked_at": self.ticked_at.isoformat(), "silent": self.is_silent}


def signs(process: str, ticked_at: datetime | None, *, stopped: bool) -> dict[str, Any]:
    """The entries that a process adds to its record, so that `fleet_status` recognizes the process."""
    return {_PROCESS: process, _TICKED_AT: iso(ticked_at), _STOPPED: stopped}


def fleet_status(runs: Sequence[Run], now: datetime) -> FleetStatus | None:
    """The state of the fleet according to the last day's runs; None if cron started all of them."""
    runs = [
        run for run in runs if run.worker in WORKERS and now - SINCE <= run.started_at <= now + CLOCKS_DIFFER
    ][:MOST_RECORDS]
    of_fleet = [run for run in runs if _TICKED_AT in run.stats]
    if not of_fleet:
        return None
    ticks = [datetime.fromisoformat(at) for run in of_fleet if (at := run.stats[_TICKED_AT])]
    ticked_at = max(ticks, default=min(run.started_at for run in of_fleet))
    is_stalled = now - ticked_at > SILENT_AFTER
    cron_continues = any(run.started_at > ticked_at for run in runs if _TICKED_AT not in run.stats)
    # If the workers were stopped cleanly, cron has replaced them on purpose.
    is_silent = is_stalled and (not cron_continues or _died(of_fleet, ticked_at))
    return FleetStatus(ticked_at, is_silent, is_replaced=is_stalled and cron_continues)


def is_by_fleet(runs: Sequence[Run], now: datetime) -> bool:
    """Return whether long-lived workers do the work, or should do so because nothing has replaced them."""
    fleet = fleet_status(runs, now)
    return fleet is not None and not fleet.is_replaced


def is_of_fleet(run: Run) -> bool:
    """Return whether the run is the record of one hour of a long-lived worker."""
    return _TICKED_AT in run.stats


def _died(of_fleet: Sequence[Run], ticked_at: datetime) -> bool:
    """Return whether a process that was running at the last tick did not stop cleanly."""
    newest = {}
    for run in sorted(of_fleet, key=lambda run: run.started_at):
        newest[str(run.stats.get(_PROCESS))] = run
    return any(
        run.stats.get(_STOPPED) is not True and (run.ended_at or run.started_at) >= ticked_at - SILENT_AFTER
        for run in newest.values()
    )


# By then, three hourly runs have tried to send the email.
MAIL_OVERDUE_AFTER = timedelta(hours=3)
# After this time, it makes no sense to ask a recipient whether an email arrived.
UNDECIDED_FOR = timedelta(days=7)
# A client whose account has been rejected for this long may need a phone call.
REFUSED_LONG = timedelta(days=7)


@dataclass(frozen=True)
class Pile:
    """The number of emails in a state, and the time of the oldest (aware UTC). `overdue`: see MAIL_OVERDUE_AFTER."""

    count: int = 0
    since: datetime | None = None
    overdue: int = 0


class RefusedPiece(NamedTuple):
    """A refused document."""

    claim_id: Any
    path: str
    obtained_at: datetime


@dataclass(frozen=True)
class ProblemFacts:
    """Facts about possible problems.

    `streaks`, `account_streaks`: when the carrier began to reject every call with an account. `streaks`: default
    accounts, by carrier key. `account_streaks`: clients' accounts, by account number.
    """

    streaks: Mapping[str, datetime] = field(default_factory=dict)
    late: Sequence[Claim] = ()  # see `is_late`; nearest deadline first
    to_correct: Sequence[ToCorrect] = ()  # nearest deadline first
    backlogs: Mapping[str, OverlongBacklog] = field(default_factory=dict)  # by account
    expiring: Sequence[
        tuple[datetime, Claim]
    ] = ()  # claims whose evidence expires before an attempt, and when it expires
    account_streaks: Mapping[int, datetime] = field(default_factory=dict)
    # Documents refused within a day for parcels without a proof, by the carrier's key.
    refused: Mapping[str, Sequence[RefusedPiece]] = field(default_factory=dict)
    # Clients with claims but without any account for them, by the carrier's key; most claims first.
    without_account: Mapping[str, Sequence[ServiceClient]] = field(default_factory=dict)


class Health(StrEnum):
    FINE = "fine"
    RUNNING = "running"  # the last run is in progress
    FAILED = "failed"  # the last run ended with a status that means failure
    OVERDUE = "overdue"
    NEVER_RAN = "never_ran"


@dataclass(frozen=True)
class WorkerStatus:
    """The last runs of one worker, newest first. `unended`: old runs that never ended because they were killed.

    `ahead`: runs dated in the future by a wrong clock, which say nothing about the worker's health.
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
        """The newest completed run if it failed, else None. Runs stopped by a person or the machine did not fail."""
        over = next((run for run in self.runs if run.exit_status is not None), None)
        return over if over and 0 < (over.exit_status or 0) <= STOPPED else None

    @property
    def largest_batch(self) -> int:
        """The largest number of claims that its latest runs attempted."""
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
                    "stats": dict(run.stats),  # the same as the run's own `--json` output
                }
                for run in self.runs
            ],
            "never_ended": [run.id for run in self.unended],
            "in_the_future": [run.id for run in self.ahead],
        }


def worker_status(worker: str, schedule: timedelta, runs: Sequence[Run], now: datetime) -> WorkerStatus:
    """The status of a worker. `runs`: the latest runs of all workers, newest first."""
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


def days_until(last: date, count: int) -> list[date]:
    """The `count` days up to and including `last`, in order."""
    return [last - timedelta(days=back) for back in range(count - 1, -1, -1)]


@dataclass(frozen=True)
class Success:
    """Success rates over some days. Every day is included; carriers, retries and kinds only if they occurred."""

    by_day: Mapping[date, Rate]
    by_carrier: Mapping[str, Rate]  # by key, or by the name in the claim
    by_retry: Mapping[int, Rate]  # 0: the fetch worker; attempts only
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


def success_of(tallies: Iterable[Tally], days: Sequence[date]) -> Success:
    """Success rates of these tallies, excluding proofs that a person attached."""
    by_day: dict[date, Rate] = {}
    by_carrier: dict[str, Rate] = {}
    names: dict[str, str] = {}  # carrier names, each in one spelling
    by_retry: dict[int, Rate] = {}
    errors: Counter[str] = Counter()
    for tally in tallies:
        if tally.outcome == ATTACHED:
            continue
        has_own_count = tally.outcome in ("success", "failed", GAVE_UP)
        rate = Rate(**{tally.outcome if has_own_count else "left": tally.count})
        by_day[tally.day] = by_day.get(tally.day, Rate()) + rate
        carrier = names.setdefault(fold(tally.carrier), tally.carrier)
        by_carrier[carrier] = by_carrier.get(carrier, Rate()) + rate
        if tally.outcome != GAVE_UP:
            by_retry[tally.retry] = by_retry.get(tally.retry, Rate()) + rate
            if tally.kind:
                errors[tally.kind] += tally.count
    return Success(
        by_day={day: by_day.get(day, Rate()) for day in days},
        by_carrier=dict(sorted(by_carrier.items())),
        by_retry=dict(sorted(by_retry.items())),
        errors=dict(sorted(errors.items(), key=lambda kind: (-kind[1], kind[0]))),
    )


@dataclass(frozen=True)
class CarrierNow:
    """The current state of a carrier. `refusal`: why it cannot be called now, and until when."""

    key: str
    name: str
    configured: bool
    uses: Sequence[Usage] = ()
    refusal: Refusal | None = None
    # The rejection of its account, unless the carrier accepted the account later; set even if calls are allowed again.
    rejected: Refusal | None = None
    documents: Refusal | None = None  # why only tracking works for now
    stopped: Stop | None = None  # the pause set by a person
    unavailable_since: datetime | None = None  # see `unavailable_since`; None: it is available
    source: str = ""  # where its credentials come from
    missing: str = ""  # its missing settings

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


@dataclass(frozen=True)
class Overview:
    """The state of the system at a time."""

    at: datetime
    workers: Sequence[WorkerStatus]
    success: Success
    backlogs: Sequence[Backlog]  # by account
    carriers: Sequence[CarrierNow]
    recent: Sequence[Tally] = ()  # attempts of today and yesterday
    runs: Sequence[Run] = ()  # the latest runs, newest first
    accounts: Sequence[ListedAccount] = ()  # clients' accounts
    mails: Mapping[MailState, Pile] = field(default_factory=dict)
    problem_facts: ProblemFacts = field(default_factory=ProblemFacts)
    undecided: Sequence[Any] = ()  # ids of open claims with a number that nobody has enrolled or excluded yet
    differences: Differences = field(default_factory=Differences)
    fleet: FleetStatus | None = None  # None: cron starts all runs
    # The money in dispute of each problem, by its kind and carrier.
    money: Mapping[tuple[str, str], MoneyInDispute] = field(default_factory=dict)

    @property
    def not_enrolled(self) -> int:
        """The number of undecided claims, up to MOST_NOT_ENROLLED."""
        return min(len(self.undecided), MOST_NOT_ENROLLED)

    @property
    def open_mails(self) -> dict[MailState, int]:
        """The number of open emails by state."""
        return {state: pile.count for state, pile in self.mails.items() if state in OPEN_STATES}

    @property
    def backlogs_by_carrier(self) -> list[Backlog]:
        return merge_backlogs(
            replace(backlog, carrier=carrier_of(backlog.carrier)) for backlog in self.backlogs
        )

    @property
    def blocked(self) -> int:
        """Claims in progress whose account cannot be used now, or whose carrier is unavailable."""
        closed = {carrier.key for carrier in self.carriers if carrier.refusal}
        closed |= {listed.account.key for listed in self.accounts if listed.health is not AccountHealth.OPEN}
        out = {carrier.key for carrier in self.carriers if carrier.unavailable_since}
        return sum(
            backlog.in_progress
            for backlog in self.backlogs
            if backlog.carrier in closed or carrier_of(backlog.carrier) in out
        )

    def as_json(self) -> dict[str, Any]:
        """The JSON object for `recours status --json`, without accounts if no client has an account."""
        due = Counter({backlog.carrier: backlog.due for backlog in self.backlogs})
        accounts = [account_json(listed) | {"due": due[listed.account.key]} for listed in self.accounts]
        backlogs = [
            {
                "carrier": backlog.carrier or None,
                **backlog.counts,
                "counted_up_to": backlog.counted_up_to,
                "oldest": iso(backlog.oldest),
            }
            for backlog in self.backlogs_by_carrier
        ]
        return {
            "at": self.at.isoformat(),
            "workers": [worker.as_json() for worker in self.workers],
            "success": self.success.as_json(),
            "backlogs": backlogs,
            "carriers": [carrier.as_json() for carrier in self.carriers],
            **({"accounts": accounts} if accounts else {}),
            "not_enrolled": self.not_enrolled,
            "mails": {state.value: count for state, count in self.open_mails.items()},
            "differences": asdict(self.differences),
            "fleet": self.fleet and self.fleet.as_json(),
        }


def account_json(listed: ListedAccount) -> dict[str, Any]:
    """A client's account as JSON."""
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


@dataclass(frozen=True)
class WeekReport:
    """The results of a week, and the current state."""

    monday: date
    now: Overview
    success: Success
    previous: Rate  # the rate of the week before
    # The money in dispute of claims whose proofs were fetched in the week, by currency.
    secured: Mapping[str, float] = field(default_factory=dict)
    has_run: bool = True  # whether a run started during the week or before
    manifest: Manifest | None = None  # the latest one

    @property
    def has_something_to_tell(self) -> bool:
        """Return whether any run or attempt has been recorded. If not, no report is sent."""
        return self.has_run or self.success.all != Rate()
