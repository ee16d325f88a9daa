"""An estimate of when claims are attempted, and of whether the quotas are sufficient.

Upcoming runs are simulated with the open claims, the schedule and the quotas. Decisions about claims use the rules of
`recours.core`. Every attempt is assumed to return no document. The functions do no I/O.

This module also previews the next run, and estimates the earliest day of a claim's attempt. The estimate uses only
claims of the same account, because claims of other accounts can only cause a further delay.
"""

from bisect import insort
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from heapq import heapify, heappop, heappush, nsmallest
from itertools import islice, takewhile
from math import inf
from operator import itemgetter
from typing import Any

from recours.core.assessment import assess, repair_time, state_for_next_run
from recours.core.carrier import CarrierSpec, Catalog
from recours.core.claim import DUE, IN_PROGRESS, Claim, Delivery, Stage, State
from recours.core.decision import (
    Action,
    abandoned_at,
    calls_of_others,
    decide,
    defer,
    delivery_to_assume,
    next_action,
)
from recours.core.errors import REFUSED_KINDS, ErrorKind
from recours.core.localized import Localized
from recours.core.order import is_expired, rerank, urgency
from recours.core.outcome import Failure
from recours.core.pauses import Refusal
from recours.core.policy import Policy
from recours.core.position import Closing, Position, Why, closing_of, position
from recours.core.quota import CallBudget, Limit, Usage, kept_for_others
from recours.core.translations import N_
from recours.reporting.records import iso
from recours.reporting.system import counted_by_hour, usual_calls
from recours.runs.attempt import known_failure
from recours.runs.leasing import MOST_DEADLINES, may_share
from recours.runs.worker import WORKERS, Worker, has_run_lately

_A_DAY = timedelta(days=1)
# Long-lived workers look every minute; for a plan of days, steps of a quarter of an hour are enough.
_FLEET_STEP = timedelta(minutes=15)
_ASSUMED = Failure(ErrorKind.NOT_DELIVERED_YET, "assumed by the plan")


@dataclass(frozen=True)
class AccountFacts:
    """The current state of the account that serves a claim. `spec`: None if the carrier is unknown."""

    name: str
    spec: CarrierSpec | None = None
    uses: Sequence[Usage] = ()
    closing: Refusal | None = None  # why the account cannot be called, other than a used-up quota
    documents_until: datetime | None = None  # until then, only tracking calls work
    setup_calls: CallBudget = field(default_factory=dict)  # needed before the first call of a run
    asks_alone: bool = False  # make one call at a time until the first answer


@dataclass(frozen=True)
class Terms:
    """The parameters of upcoming runs. `last_runs`: the start of each worker's last run, by its name."""

    policy: Policy
    catalog: Catalog
    batch_sizes: Mapping[str, int]  # by worker
    last_runs: Mapping[str, datetime] = field(default_factory=dict)
    by_fleet: bool = False  # long-lived workers do the work
    concurrency: int = 8  # calls at once
    carrier_concurrency: int = 4  # to one account

    def stopped(self, now: datetime) -> list[str]:
        """The workers that missed runs while the other worker runs. If none runs, the machine was probably off."""
        runs = {
            worker.name: has_run_lately(self.last_runs.get(worker.name), worker.schedule, now)
            for worker in WORKERS.values()
        }
        is_partial = any(runs.values()) and not self.by_fleet
        # `last_runs` includes runs for named claims, which have no schedule.
        return [
            name
            for name, is_on_time in runs.items()
            if is_partial and name in self.last_runs and not is_on_time
        ]


def coming_runs(terms: Terms, now: datetime, until: datetime) -> list[tuple[datetime, type[Worker]]]:
    """The upcoming runs: each worker's last run plus multiples of its schedule, or else full or half hours."""
    runs = []
    stopped = terms.stopped(now)
    for worker in WORKERS.values():
        step = _FLEET_STEP if terms.by_fleet else worker.schedule
        since = terms.last_runs.get(worker.name, datetime.fromtimestamp(0, UTC))
        at = since + max(-((since - now) // step), 1) * step
        while at <= until and worker.name not in stopped:
            runs.append((at, worker))
            at += step
    return sorted(runs, key=itemgetter(0))


def planned_claim(claim: Claim, now: datetime, policy: Policy, *, edited: bool = False) -> Claim | None:
    """An open claim in the state that the next run gives it, without its texts; None if no run will attempt it.

    `edited`: the claim has changed since its last assessment.
    """
    state = assess(claim, now, policy) if edited else state_for_next_run(claim, now, policy)
    if not claim.is_ours or state.stage not in IN_PROGRESS:
        return None
    state = repair_time(replace(claim, state=state), now, policy)
    return replace(claim, state=state, carrier_name="", error_text=None, explanation=None, assessed=None)


# ---------------------------------------------------------------- the plan


@dataclass(frozen=True)
class CarrierPlan:
    """The forecast for one account."""

    key: str
    due: int  # claims that a run would attempt now if the carrier accepted all calls
    attempts: int
    calls: int
    left: int  # claims still due at the end of the plan
    # The first day that ends without due claims; None: no claim is due now, or there is no such day.
    empty_on: date | None
    # Days until the `left` claims are attempted at the last day's pace; None: `left` is 0 or does not shrink.
    days_left: float | None


@dataclass(frozen=True)
class Day:
    """The runs of one day, by account. `due`: claims still due at the end of the day."""

    on: date
    attempts: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    due: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Plan:
    """The upcoming runs if no attempt returns a document. Days are in `RECOURS_TIMEZONE`."""

    made_at: datetime
    until: datetime
    accounts: Mapping[str, AccountFacts]  # by key
    carriers: Sequence[CarrierPlan]
    days: Sequence[Day]
    stopped: Sequence[str]  # workers that no longer run

    @property
    def attempts(self) -> int:
        return sum(day.attempts.total() for day in self.days)

    def as_json(self) -> dict[str, Any]:
        carriers = []
        for carrier in self.carriers:
            account = self.accounts[carrier.key]
            facts = {name: value for name, value in vars(carrier).items() if name != "key"}
            carriers.append(
                facts
                | {
                    "carrier": carrier.key,
                    "name": account.name,
                    "empty_on": iso(carrier.empty_on),
                    "closed": account.closing.reason if account.closing else None,
                }
            )
        days = [
            {
                "date": day.on.isoformat(),
                "attempts": day.attempts.total(),
                "calls": day.calls.total(),
                "due_after": {carrier.key: day.due[carrier.key] for carrier in self.carriers},
            }
            for day in self.days
        ]
        return {
            "made_at": self.made_at.isoformat(),
            "until": self.until.isoformat(),
            "stopped_workers": list(self.stopped),
            "attempts": self.attempts,
            "carriers": carriers,
            "days": days,
        }


def make_plan(
    claims: Sequence[Claim],
    accounts: Mapping[str, AccountFacts],
    terms: Terms,
    now: datetime,
    until: datetime,
) -> Plan:
    """The plan for open claims (from `planned_claim`). `accounts`: the accounts of all these claims, by key."""
    simulation = Simulation(claims, accounts, terms, now, until)
    due = simulation.due()
    for at, worker in coming_runs(terms, now, until):
        simulation.run(worker, at)
    days = simulation.days()
    due_after = simulation.due()
    attempts: Counter[str] = sum((day.attempts for day in days), Counter())
    calls: Counter[str] = sum((day.calls for day in days), Counter())
    carriers = []
    for key in sorted({*due, *attempts, *due_after}):
        pace = sum(simulation.pace(stage, key) for stage in DUE)
        empty_on = next((day.on for day in days if due[key] and not day.due[key]), None)
        days_left = round(due_after[key] / pace, 1) if due_after[key] and pace else None
        carriers.append(
            CarrierPlan(key, due[key], attempts[key], calls[key], due_after[key], empty_on, days_left)
        )
    return Plan(now, until, accounts, carriers, days, terms.stopped(now))


# ---------------------------------------------------------------- the runs

# A ready claim with its sort key, which sorts the most urgent claim last: tier, rank and index, all three negated.
_Entry = tuple[int, float, int, Claim]


class _Quota:
    """A limit, and the units used in the current window."""

    def __init__(self, use: Usage) -> None:
        self.limit = counted_by_hour(use.limit)
        self._used = use.calls
        self._ends_at = use.resets_at

    def remaining(self, now: datetime) -> int:
        if now >= self._ends_at:
            self._used = 0
            self._ends_at = self.limit.window.around(now)[1]
        return self.limit.number - self._used

    def use(self, calls: CallBudget, sign: int = 1) -> None:
        self._used += sign * self.limit.units(calls)


@dataclass
class _Run:
    """A run in progress. Accounts are identified by their keys."""

    worker: type[Worker]
    now: datetime
    room: float  # remaining places in its batch
    rivals: Mapping[str, list[_Entry]]  # the ready claims of the other worker, if it runs
    called: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    refusing: set[str] = field(default_factory=set)  # accounts that accept no more calls


@dataclass
class Simulation:
    """A simulation of upcoming runs on open claims (from `planned_claim`). `accounts`: by key, for all claims."""

    claims: Sequence[Claim]
    accounts: Mapping[str, AccountFacts]
    terms: Terms
    now: datetime
    until: datetime

    def __post_init__(self) -> None:
        """Queue the claims, before any run is simulated."""
        self._policy = self.terms.policy
        self._waiting: list[tuple[float, int, Claim]] = []
        self._ready: dict[Stage, dict[str, list[_Entry]]] = {Stage.NEW: {}, Stage.READY: {}}
        self._quotas = {key: [_Quota(use) for use in account.uses] for key, account in self.accounts.items()}
        self._last_runs = dict(self.terms.last_runs)
        self._days = [Day(self._date(self.now))]
        self._last_day: Counter[tuple[Stage, str]] = Counter()  # attempts on that day
        self.first_attempts: dict[int, datetime] = {}  # by the index of the claim
        for place, claim in enumerate(self.claims):
            if claim.state.stage is Stage.WAITING:
                self._wait(claim, place, claim.state.next_at or self.now)
            else:
                self._make_ready(claim, place, self.now)
        self._advance(self.now)

    def due(self) -> Counter[str]:
        """The number of due claims of each account."""
        due: Counter[str] = Counter()
        for lines in self._ready.values():
            due.update({key: len(line) for key, line in lines.items() if line})
        return due

    def run(self, worker: type[Worker], now: datetime) -> None:
        self._begin_day(self._date(now))
        self._advance(now)
        lines = self._ready[worker.stage]
        other = self._last_runs.get(worker.other.name)
        does_other_run = self.terms.by_fleet or has_run_lately(other, worker.other.schedule, now)
        batch = inf if self.terms.by_fleet else self.terms.batch_sizes[worker.name]
        run = _Run(worker, now, batch, self._ready[worker.other.stage] if does_other_run else {})
        heads = [_head(key, line) for key, line in lines.items() if line]
        heapify(heads)
        queued = {key for *_, key in heads}
        under_way: deque[tuple[str, CallBudget]] = deque()  # bundles are answered in starting order
        while under_way or (heads and run.room > 0):
            if not heads or run.room <= 0 or len(under_way) == self.terms.concurrency:
                key, unused = under_way.popleft()
                for quota in self._quotas[key]:
                    quota.use(unused, -1)
                spec = self.accounts[key].spec
                # The answer to a call about several parcels does not show whether the account is accepted.
                if spec and spec.numbers_per_call == 1:
                    run.answered.add(key)
            else:
                *_, key = heappop(heads)
                queued.discard(key)
                reserved = None if self._is_closed(key, now) else self._try_bundle(run, key, lines[key])
                if reserved is not None:
                    under_way.append((key, reserved))
                elif all(other != key for other, _ in under_way):
                    run.refusing.add(key)
                else:  # retry once a call in progress releases its unused units
                    continue
            is_alone = self.accounts[key].asks_alone and key not in run.answered
            room = 1 if is_alone else self.terms.carrier_concurrency
            has_room = sum(other == key for other, _ in under_way) < room
            if has_room and lines[key] and key not in queued and key not in run.refusing:
                heappush(heads, _head(key, lines[key]))
                queued.add(key)
        self._last_runs[worker.name] = now

    def _is_closed(self, key: str, now: datetime) -> bool:
        closing = self.accounts[key].closing
        if closing is None:
            return False
        opens_at = reopens_at(closing)
        return opens_at is None or opens_at > now

    def _try_bundle(self, run: _Run, key: str, line: list[_Entry]) -> CallBudget | None:
        """Attempt the most urgent claim, together with claims that share its call.

        Return the calls that were reserved but not made, or None if the account accepts no more calls.
        """
        account = self.accounts[key]
        bundle = self._bundle(run, account, line)
        if not bundle:
            return {}
        deliveries = [self._delivery(account, claim) for _, claim in bundle]
        budgets = account.spec.calls_for_bundle(deliveries) if account.spec else []
        reserved = Counter({} if key in run.called else account.setup_calls)
        calls_made = Counter(reserved)
        for number, (delivery, calls) in enumerate(zip(deliveries, budgets, strict=True)):
            place, claim = bundle[number]
            if self._is_refused(run, key, claim, reserved + Counter(calls)):
                for later_place, later in bundle[number:]:
                    self._make_ready(later, later_place, run.now)
                if not number:
                    return None
                break
            reserved += Counter(calls)
            calls_made += Counter(usual_calls(calls, delivery))
            self._attempt(run, place, claim, _ASSUMED)
        run.called.add(key)
        for quota in self._quotas[key]:
            quota.use(reserved)
        self._days[-1].calls[key] += calls_made.total()
        return reserved - calls_made

    def _bundle(self, run: _Run, account: AccountFacts, line: list[_Entry]) -> list[tuple[int, Claim]]:
        """The most urgent claim and the claims that share its call, each with its index; empty if no call is needed."""
        bundle: list[tuple[int, Claim]] = []
        fetched_alone: list[_Entry] = []  # returned to the queue after this bundle
        size = 1.0
        while line and len(bundle) < size:
            entry = line.pop()
            *_, place, claim = entry
            if bundle and not may_share(claim.state):
                fetched_alone.append(entry)
            elif self._needs_call(run, account, -place, claim):
                bundle.append((-place, claim))
                if account.spec and len(bundle) == 1 and may_share(claim.state) and not claim.state.delivery:
                    size = min(account.spec.numbers_per_call, run.room)
            elif not bundle:
                break
        line += reversed(fetched_alone)
        return bundle

    def _needs_call(self, run: _Run, account: AccountFacts, place: int, claim: Claim) -> bool:
        """Return whether a ready claim needs a call. If not, decide what happens to the claim."""
        now = run.now
        until = account.documents_until
        action = next_action(claim, now, self._policy)
        if is_expired(claim.state, now, self._policy) or action in (Action.GIVE_UP, Action.SHELVE):
            return False
        if action is Action.WAIT:
            self._wait(claim, place, abandoned_at(claim, now))
        elif failure := known_failure(claim, self.terms.catalog):
            self._attempt(run, place, claim, failure)
        elif until and claim.state.delivery and self._policy.due_until(now) < until:
            state = defer(claim, claim.state, until, now, self._policy)
            self._wait(replace(claim, state=state), place, until)
        else:
            return True
        return False

    def _delivery(self, account: AccountFacts, claim: Claim) -> Delivery | None:
        if account.spec is None or account.documents_until:
            return claim.state.delivery
        return delivery_to_assume(claim, account.spec, self._policy)

    def _is_refused(self, run: _Run, key: str, claim: Claim, calls: CallBudget) -> bool:
        """Return whether the quota is used up or reserved for more urgent claims of the other worker."""
        rivals = run.rivals.get(key, [])
        now = run.now
        for quota in self._quotas[key]:
            units = quota.limit.units(calls)
            free = quota.remaining(now) - units
            if units and free < 0:
                return True
            # There may be thousands of rivals, so their deadlines are only checked if they could change the result.
            if units and free < self._reserved_units(run, key, quota.limit, len(rivals)):
                urgency_of_claim = _entry(claim, 0, now)[:2]
                ahead = islice(takewhile(lambda other: other[0] == 0, reversed(rivals)), MOST_DEADLINES)
                nearer = sum(
                    other.state.rank_is_deadline for *place, _, other in ahead if (*place,) > urgency_of_claim
                )
                if free < self._reserved_units(run, key, quota.limit, nearer):
                    return True
        return False

    def _reserved_units(self, run: _Run, key: str, limit: Limit, count: int) -> int:
        spec = self.accounts[key].spec
        urgent = calls_of_others(spec, run.worker.other.stage, count, self._policy) if spec else {}
        return kept_for_others(limit, urgent, run.now)

    def _attempt(self, run: _Run, place: int, claim: Claim, failure: Failure) -> None:
        key = claim.account_key
        run.room -= 1
        self._days[-1].attempts[key] += 1
        self._last_day[run.worker.stage, key] += run.now > self.until - _A_DAY
        self.first_attempts.setdefault(place, run.now)
        decision = decide(claim, failure, run.now, self._policy)
        if decision.state.stage is Stage.WAITING and decision.state.next_at:
            claim_after = replace(claim, state=decision.state, fetch_status=decision.fetch_status)
            self._wait(claim_after, place, decision.state.next_at)

    # ---------------------------------------------------------------- between runs

    def _wait(self, claim: Claim, place: int, until: datetime) -> None:
        heappush(self._waiting, (until.timestamp(), place, claim))

    def _make_ready(self, claim: Claim, place: int, now: datetime) -> None:
        line = self._ready[_stage(claim)].setdefault(claim.account_key, [])
        insort(line, _entry(claim, place, now))

    def _advance(self, now: datetime) -> None:
        """Make due claims ready, and update the rank of claims whose rank time has passed."""
        due_until = self._policy.due_until(now).timestamp()
        while self._waiting and self._waiting[0][0] <= due_until:
            _, place, claim = heappop(self._waiting)
            self._make_ready(claim, place, now)
        for line in (line for lines in self._ready.values() for line in lines.values()):
            while line and line[-1][0] == 0 and -line[-1][1] < now.timestamp():
                *_, place, claim = line.pop()
                self._make_ready(replace(claim, state=rerank(claim, now, self._policy)), -place, now)

    def _date(self, at: datetime) -> date:
        return at.astimezone(self._policy.zone).date()

    def _begin_day(self, day: date) -> None:
        while self._days[-1].on < day:
            self._days[-1].due.update(self.due())
            self._days.append(Day(self._days[-1].on + _A_DAY))

    # ---------------------------------------------------------------- the end

    def days(self) -> list[Day]:
        """All days of the plan. Call this after the last run."""
        self._begin_day(self._date(self.until))
        self._days[-1].due.update(self.due())
        return self._days

    def pace(self, stage: Stage, key: str) -> float:
        """Attempts per day on the last day."""
        return self._last_day[stage, key] / (min(self.until - self.now, _A_DAY) / _A_DAY)


def reopens_at(closing: Refusal) -> datetime | None:
    """When an account can be used again without action by a person; None if a person must act."""
    return None if closing.kind in REFUSED_KINDS else closing.until


def _stage(claim: Claim) -> Stage:
    """The stage of the claim once it is ready."""
    return Stage.NEW if claim.is_pending else Stage.READY


def _entry(claim: Claim, place: int, now: datetime) -> _Entry:
    tier, at = urgency(claim.state, now)
    return -tier, -at.timestamp(), -place, claim


def _head(key: str, line: list[_Entry]) -> tuple[int, float, int, str]:
    """The sort key of a queue: the queue with the most urgent claim first."""
    tier, rank, place, _ = line[-1]
    return -tier, -rank, -place, key


# ---------------------------------------------------------------- the earliest day of a due claim's attempt

# How many days are simulated to find the attempt.
AHEAD = timedelta(days=14)


def day_in_line(
    claim_id: Any,
    where: Position,
    claims: Sequence[Claim],
    account: AccountFacts,
    terms: Terms,
    now: datetime,
) -> date | None:
    """The earliest day on which a run attempts a due claim.

    None if the claim is attempted in the first run that may call its carrier, or if its worker does not run. `claims`:
    the claim and the most urgent claims of its account, from `planned_claim`.
    """
    claims = sorted(claims, key=lambda claim: claim.id)
    number = next(number for number, claim in enumerate(claims) if claim.id == claim_id)
    stage = _stage(claims[number])
    opens_at = max(where.next_at or now, now)
    until = now + AHEAD
    runs = coming_runs(terms, now, until)
    if all(worker.stage is not stage for _, worker in runs):
        return None
    simulation = Simulation(claims, {claims[number].account_key: account}, terms, now, until)
    runs_before = 0
    for at, worker in runs:
        simulation.run(worker, at)
        if number in simulation.first_attempts:
            if not runs_before:
                return None
            until = at
            break
        runs_before += worker.stage is stage and at >= opens_at
    return until.astimezone(terms.policy.zone).date()


def is_in_line(where: Position) -> bool:
    """Return whether a claim is due and its carrier can be called, now or later without action by a person."""
    takes_calls = where.refusal is None or closing_of(where.refusal) is Closing.LIMIT
    is_open = where.why in (Why.NEW, Why.DUE) or (where.why is Why.CLOSED and takes_calls)
    return where.is_due and where.asks and is_open


# Today, tomorrow, another day.
_SENTENCES = (
    N_("The claim may be attempted today (estimate)."),
    N_("The claim will not be attempted before tomorrow (estimate)."),
    N_("The claim will not be attempted before {day} (estimate)."),
)


def day_in_line_text(texts: Localized, not_before: date, now: datetime) -> str:
    days = (not_before - texts.local(now).date()).days
    return texts(_SENTENCES[min(max(days, 0), 2)], day=texts.weekday(not_before))


# ---------------------------------------------------------------- what one run would do now

_WOULD_FETCH = (Why.DUE, Why.NEW, Why.NOT_ASKED)
_CANNOT_CALL = (Why.CLOSED, Why.BLOCKED)
_NO_NEXT_ATTEMPT = (Why.IN_HAND, Why.SHELVED, Why.UNNUMBERED, Why.GIVEN_UP)


@dataclass
class Preview:
    """The claims that a run would fetch, in order, and why the other claims wait.

    `batch`: each claim as the run would find it. `left_behind`: the number of due claims whose carrier cannot be
    called, by account key. `waiting`: the number of other claims by reason; BY_BACKOFF for claims that are not due.
    """

    batch: list[tuple[Claim, State]] = field(default_factory=list)
    beyond_batch: int = 0
    left_behind: Counter[str] = field(default_factory=Counter)
    waiting: Counter[Why] = field(default_factory=Counter)


def preview_named(claims: Iterable[Claim], closed: dict[str, Refusal]) -> Preview:
    """Preview a run for requested claims. The run ignores their backoff, and skips claims of closed accounts."""
    result = Preview()
    for claim in claims:
        if claim.account_key in closed and claim.number is not None:  # without a number, no call is needed
            result.left_behind[claim.account_key] += 1
        else:
            result.batch.append((claim, claim.state))
    return result


def preview(
    claims: Iterable[tuple[Claim, bool]],
    stage: Stage,
    batch_size: int,
    carriers: tuple[str, ...],
    closed: dict[str, Refusal],
    policy: Policy,
    now: datetime,
) -> Preview:
    """Preview a run, with at most `batch_size` claims in memory. `claims`: each claim, and whether it is leased."""
    result = Preview()
    due = 0

    def batch() -> Iterator[tuple[Claim, State]]:
        nonlocal due
        for claim, leased in claims:
            is_of_carriers = not carriers or claim.account_key in carriers
            if not claim.is_ours or _stage(claim) is not stage or not is_of_carriers:
                continue
            where = position(claim, now, policy, refusal=closed.get(claim.account_key), leased=leased)
            if where.why in _WOULD_FETCH:
                due += 1
                yield claim, where.state
            elif where.is_due and where.why in _CANNOT_CALL:
                result.left_behind[claim.account_key] += 1
            elif where.is_due or where.why in _NO_NEXT_ATTEMPT:
                result.waiting[where.why] += 1
            else:
                result.waiting[Why.BY_BACKOFF] += 1

    result.batch = nsmallest(batch_size, batch(), lambda pair: (urgency(pair[1], now), pair[0].id))
    result.beyond_batch = due - len(result.batch)
    return result
