"""`recours plan`: which claims will be tried when, when each backlog is empty, which claims pass their deadline before."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from recours.core.claim import Claim, Stage, deadline_end
from recours.core.evidence import evidence_end
from recours.core.pauses import Blocked, Refusal
from recours.core.policy import DUE_SLACK
from recours.core.quota import Usage
from recours.operations.forecast.coming import ComingRuns
from recours.operations.forecast.facts import (
    CarrierFacts,
    ForeseenRun,
    Rules,
    Sighted,
    coming_runs,
    last_run,
    stopped,
)
from recours.runs.lane import lane_key
from recours.runs.workers import BOTH_WORKERS

_A_DAY = timedelta(days=1)


class Outlook(Protocol):
    """Where the claims are read from, one after the other."""

    def claims(
        self,
        due_until: datetime,
        mended_after: datetime,
        max_retries: int,
        now: datetime,
    ) -> Iterator[Sighted]:
        """Every claim that a run up to then has to do with; also those whose retry is after `mended_after`."""

    def not_due(self, due_until: datetime, now: datetime, ends_until: datetime) -> Iterator[Claim]:
        """Claims that are due later, or that wait for a tracking number, and whose deadline or evidence may end in between."""


class Reason(StrEnum):
    """Why a claim passes its deadline, or loses its evidence, untried."""

    TURN = "turn"  # its next turn comes later
    NUMBER = "number"  # it has no tracking number
    QUOTA = "quota"  # its carrier is at its limit, or asked to wait
    RESERVED = "reserved"  # the calls that are left are kept for new claims, or for more urgent ones
    STOPPED = "stopped"  # the worker that would try it does not run
    CARRIER = "carrier"  # its carrier takes no calls: no credentials, refused, stopped
    BATCH = "batch"  # the batches are full of more urgent ones


@dataclass(frozen=True)
class Late:
    """A claim that passes its `response_deadline`, or loses its evidence, before it is tried. Moments are aware UTC."""

    claim_id: Any
    reference: str
    carrier: str  # its key; "": none that we know
    deadline: datetime  # the end of the day, or of the evidence
    reason: Reason
    next_at: datetime | None = None  # when it is tried after all, or is due, if that is known
    estimated: bool = (
        False  # the deadline lies beyond the horizon; by its place in the backlog, at the last day's pace
    )
    is_evidence: bool = False  # `deadline` is when its carrier has forgotten the parcel


@dataclass(frozen=True)
class CarrierPlan:
    """What is foreseen for one carrier. `due`: claims that a run would take now if the carrier took all."""

    key: str  # of the account
    name: str
    due: int
    tries: int  # within the horizon
    calls: int
    empty_at: (
        datetime | None
    )  # after which run nothing is due for the first time; None: not within the horizon
    left: int  # still due at the end of it
    late: int
    tries_a_day: float  # on its last day
    uses: Sequence[Usage] = ()
    closing: Refusal | None = None

    @property
    def days_left(self) -> float | None:
        """How many days beyond the horizon what is left lasts at that pace; None: nothing is left, or nothing moves."""
        return self.left / self.tries_a_day if self.left and self.tries_a_day else None


@dataclass(frozen=True)
class Plan:
    """What the coming runs will do, if no attempt brings a document."""

    made_at: datetime
    until: datetime
    max_retries: int
    batch_sizes: Mapping[str, int]
    carriers: Sequence[CarrierPlan]
    runs: Sequence[ForeseenRun]
    late: Sequence[Late]
    names: Mapping[str, str] = field(default_factory=dict)  # of carriers, by key
    stopped: Sequence[str] = ()  # workers that do not run any more: no run of theirs is foreseen
    by_fleet: bool = (
        False  # `runs`: the minutes at which long-lived workers do something, and every full hour
    )

    def as_json(self) -> dict[str, Any]:
        """The object of `--json`."""
        return {
            "made_at": self.made_at.isoformat(),
            "until": self.until.isoformat(),
            "max_retries": self.max_retries,
            "batch_sizes": dict(self.batch_sizes),
            "stopped_workers": list(self.stopped),
            "tries": self.tries,
            "carriers": [self._carrier_json(carrier) for carrier in self.carriers],
            "runs": [self._run_json(run) for run in self.runs],
            "late": [self._late_json(late) for late in self.late],
        }

    @property
    def tries(self) -> int:
        return sum(len(run.tries) for run in self.runs)

    def name(self, key: str) -> str:
        """A carrier's name for people."""
        return self.names.get(key, "") or "(not known)"

    def _run_json(self, run: ForeseenRun) -> dict[str, Any]:
        return {
            "at": run.at.isoformat(),
            "worker": run.worker,
            "tries": len(run.tries),
            "claims": [
                {
                    "claim": one.reference,
                    "carrier": one.carrier,
                    "turn": one.retry,
                    "calls": one.calls,
                    "last_attempt": one.is_last,
                }
                for one in run.tries
            ],
            "skipped_persistent": run.passed,
            "max_retries_reached": run.gave_up,
            "left_behind": {self.name(key): left.as_json() for key, left in run.left.items()},
            "due_after": {self.name(key): count for key, count in run.due.items()},
        }

    @staticmethod
    def _carrier_json(carrier: CarrierPlan) -> dict[str, Any]:
        closing = carrier.closing
        return {
            "carrier": carrier.key,
            "name": carrier.name,
            "due": carrier.due,
            "tries": carrier.tries,
            "calls": carrier.calls,
            "empty_at": carrier.empty_at.isoformat() if carrier.empty_at else None,
            "left": carrier.left,
            "days_left": round(carrier.days_left, 1) if carrier.days_left is not None else None,
            "late": carrier.late,
            "closed": closing.reason if closing else None,
            "closed_until": closing.until.isoformat() if closing and closing.until else None,
            "quotas": [
                {
                    "limit": str(use.limit),
                    "used": use.used,
                    "left": use.left,
                    "resets_at": use.resets_at.isoformat(),
                }
                for use in carrier.uses
            ],
        }

    @staticmethod
    def _late_json(late: Late) -> dict[str, Any]:
        return {
            "claim": late.reference,
            "carrier": late.carrier,
            "deadline": late.deadline.isoformat(),
            "evidence": late.is_evidence,
            "reason": late.reason,
            "estimated": late.estimated,
            "next_at": late.next_at.isoformat() if late.next_at else None,
        }


@dataclass(frozen=True)
class PlanScope:
    """What is asked of a plan."""

    horizon: timedelta
    now: datetime
    begun: Mapping[str, Sequence[datetime]]  # by worker, when its last runs began, the newest first
    by_fleet: bool = False  # long-lived workers do the work, whatever cron's entries do beside them


def make_plan(outlook: Outlook, carriers: Mapping[str, CarrierFacts], rules: Rules, asked: PlanScope) -> Plan:
    """Let the coming runs happen in memory."""
    return _Maker(outlook, carriers, rules, asked).make()


# ---------------------------------------------------------------- how it is made


@dataclass(frozen=True)
class _End:
    at: datetime
    is_evidence: bool = False


@dataclass
class _Dated:
    """A claim whose deadline, or the end of whose evidence, lies within the horizon."""

    claim_id: Any
    reference: str
    carrier: str
    stage: Stage  # of whose run it is
    deadline: datetime
    next_at: datetime | None = None
    tried_at: datetime | None = None
    unnumbered: bool = False
    is_evidence: bool = False


class _Maker:
    def __init__(
        self, outlook: Outlook, carriers: Mapping[str, CarrierFacts], rules: Rules, asked: PlanScope
    ) -> None:
        self.outlook, self.carriers, self.rules, self.asked = outlook, carriers, rules, asked
        self.now, self.until = asked.now, asked.now + asked.horizon
        self.stopped = [] if asked.by_fleet else stopped(asked.begun, asked.now)
        self.dated: dict[Any, _Dated] = {}
        self.runs: list[ForeseenRun] = []
        self.tries: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.last_day: Counter[tuple[str, bool]] = (
            Counter()
        )  # tries, by carrier and whether they are first ones

    def make(self) -> Plan:
        policy = self.rules.policy
        coming = [] if self.asked.by_fleet else coming_runs(self.asked.begun, self.now, self.until)
        due_until = policy.backoff.due_until(self.until)
        horizon = policy.backoff.horizon(coming[0].at if coming else self.now)
        claims = self.outlook.claims(due_until, horizon, policy.max_retries, self.now)
        last_runs = {
            worker.name: at for worker in BOTH_WORKERS if (at := last_run(self.asked.begun, worker, self.now))
        }
        runs = ComingRuns(self._noted(claims), self.rules, self.now, last_runs)
        due_now = runs.due()
        for run in runs.ticks(self.until) if self.asked.by_fleet else map(runs.run, coming):
            self._take_in(run)
        late = self._late(runs, due_until)
        lanes = {*self.tries, *due_now, *(one.carrier for one in late)}
        names = {key: self.rules.name_of(key) for key in {*self.rules.catalog.specs, *lanes}}
        return Plan(
            made_at=self.now,
            until=self.until,
            max_retries=policy.max_retries,
            batch_sizes=self.rules.batch_sizes,
            carriers=self._carriers(due_now, Counter(one.carrier for one in late)),
            runs=self.runs,
            late=late,
            names=names,
            stopped=tuple(worker.name for worker in self.stopped),
            by_fleet=self.asked.by_fleet,
        )

    def _noted(self, found: Iterable[Sighted]) -> Iterator[Sighted]:
        for sighted in found:
            self._note(sighted.claim)
            yield sighted

    def _note(self, claim: Claim) -> None:
        end = self._end(claim)
        if end and end.at <= self.until:
            self.dated[claim.id] = _Dated(
                claim_id=claim.id,
                reference=claim.reference,
                carrier=lane_key(claim),
                stage=Stage.NEW if claim.is_pending else Stage.READY,
                deadline=end.at,
                next_at=claim.state.next_at if claim.state.stage is Stage.WAITING else None,
                unnumbered=claim.is_pending and claim.number is None,
                is_evidence=end.is_evidence,
            )

    def _take_in(self, run: ForeseenRun) -> None:
        for one in run.tries:
            self.tries[one.carrier] += 1
            self.calls[one.carrier] += one.calls
            self.last_day[one.carrier, one.retry == 0] += run.at > self.until - _A_DAY
            if (dated := self.dated.get(one.claim_id)) and dated.tried_at is None:
                dated.tried_at = run.at
        self.runs.append(run)

    # ---------------------------------------------------------------- carriers

    def _carriers(self, due_now: Counter[str], late: Counter[str]) -> list[CarrierPlan]:
        keys = sorted({*due_now, *self.tries, *late, *(key for run in self.runs for key in run.due)})
        return [self._carrier(key, due_now[key], late[key]) for key in keys]

    def _carrier(self, key: str, due: int, late: int) -> CarrierPlan:
        facts = self.carriers.get(key)
        had_any = due > 0
        empty_at = None
        for run in self.runs:
            if had_any and not run.due.get(key):
                empty_at = run.at
                break
            had_any = had_any or bool(run.due.get(key))
        return CarrierPlan(
            key=key,
            name=self.rules.name_of(key),
            due=due,
            tries=self.tries[key],
            calls=self.calls[key],
            empty_at=empty_at,
            left=self.runs[-1].due.get(key, 0) if self.runs else due,
            late=late,
            tries_a_day=self._pace(key, Stage.NEW) + self._pace(key, Stage.READY),
            uses=facts.uses if facts else (),
            closing=facts.closing if facts else None,
        )

    def _pace(self, key: str, stage: Stage) -> float:
        """Tries a day, on the last day."""
        return self.last_day[key, stage is Stage.NEW] / (min(self.asked.horizon, _A_DAY) / _A_DAY)

    # ---------------------------------------------------------------- deadlines, and evidence that vanishes

    def _late(self, runs: ComingRuns, due_until: datetime) -> list[Late]:
        """Claims whose deadline or evidence ends before they are tried, the nearest first."""
        read = set(self.dated)
        for claim in self.outlook.not_due(due_until, self.now, self.until):
            if claim.id not in read:
                self._note(claim)
        still_there = {claim.id for claim in runs.left() if claim.id in self.dated}
        found = [
            self._late_one(dated)
            for dated in self.dated.values()
            if (dated.tried_at is None or dated.tried_at > dated.deadline)
            and (dated.tried_at or dated.claim_id in still_there or dated.claim_id not in read)
        ]
        found += self._later(runs)
        return sorted(found, key=lambda late: (late.deadline, late.reference))

    def _later(self, runs: ComingRuns) -> Iterator[Late]:
        """Claims in what is left of a backlog whose deadlines come before they are tried, at the pace of the last day."""
        for stage in (Stage.NEW, Stage.READY):
            for key, backlog in runs.backlogs(stage):
                if not (pace := self._pace(key, stage)):
                    continue
                for place, claim in enumerate(backlog):
                    about = self.until + (place + 1) / pace * _A_DAY
                    end = self._end(claim)
                    if end and self.until < end.at < about:
                        reason = self._left_behind(key, stage, self.until) or Reason.BATCH
                        yield Late(
                            claim_id=claim.id,
                            reference=claim.reference,
                            carrier=key,
                            deadline=end.at,
                            reason=reason,
                            next_at=about,
                            estimated=True,
                            is_evidence=end.is_evidence,
                        )

    def _end(self, claim: Claim) -> _End | None:
        """What ends first of a claim's deadline and evidence, of what is not over yet."""
        policy = self.rules.policy
        ends = []
        if claim.deadline:
            ends.append(_End(deadline_end(claim.deadline, policy.zone)))
        if forgotten_at := evidence_end(claim, claim.state, policy):
            ends.append(_End(forgotten_at, is_evidence=True))
        return min((end for end in ends if end.at > self.now), key=lambda end: end.at, default=None)

    def _late_one(self, dated: _Dated) -> Late:
        return Late(
            claim_id=dated.claim_id,
            reference=dated.reference,
            carrier=dated.carrier,
            deadline=dated.deadline,
            reason=self._reason(dated),
            next_at=dated.tried_at
            or (dated.next_at if dated.next_at and dated.next_at > dated.deadline else None),
            is_evidence=dated.is_evidence,
        )

    def _reason(self, dated: _Dated) -> Reason:
        if dated.unnumbered:
            return Reason.NUMBER
        if dated.next_at and dated.next_at - DUE_SLACK > dated.deadline:
            return Reason.TURN
        if any(worker.stage is dated.stage for worker in self.stopped):
            return Reason.STOPPED
        if not any(run.at < dated.deadline for run in self._runs_of(dated.stage)):
            return Reason.TURN
        return self._left_behind(dated.carrier, dated.stage, dated.deadline) or Reason.BATCH

    def _runs_of(self, stage: Stage) -> list[ForeseenRun]:
        names = {worker.name for worker in BOTH_WORKERS if worker.stage is stage}
        return [run for run in self.runs if run.worker in names]

    def _left_behind(self, key: str, stage: Stage, before: datetime) -> Reason | None:
        """Why the last run before then took no more claims of the carrier; None: it did."""
        last = [run for run in self._runs_of(stage) if run.at < before][-1:]
        left = last[0].left.get(key) if last else None
        if left is None:
            return None
        if left.reserved:
            return Reason.RESERVED
        return Reason.QUOTA if left.why is Blocked.RATE_LIMIT else Reason.CARRIER
