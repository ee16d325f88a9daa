"""The week in figures, for the operator's report: facts only, kept as JSON and rendered in any language."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from recours.core.carrier import Catalog
from recours.core.claim import Claim
from recours.core.custody import Head
from recours.core.disputes import Missing
from recours.core.last_attempt import awaits_last_attempt, made_at
from recours.core.mail import week_label
from recours.core.quota import Limit
from recours.core.text import clean
from recours.operations.evidence import ClaimEvidence
from recours.operations.position import NEAR
from recours.operations.problems import Problem, ProblemKind
from recours.operations.records import Records, Run, Tally, iso
from recours.operations.returns import MOST_ATTEMPTS, call_returns, high_limits
from recours.operations.status import CarrierNow, Rate, WithoutLastAttempt, of_attempts, rates
from recours.runs.worker import LATE_AFTER, STOPPED

WEEKS_BEFORE = 4
_WEEK = timedelta(days=7)
_MOST_RUNS = 20_000
_NAMED = 10  # claims of one sort; the rest is counted
_MOST_ERRORS = 12
# A kind of error at a carrier recurs if it came so often.
_RECURS = 2


class WeekRecords(Protocol):
    def given_up(self, since: datetime, until: datetime) -> list[Claim]:
        """Claims whose last retry was then and that have given up since, the latest first."""

    def near_deadline(self, since: datetime, until: datetime, zone: ZoneInfo) -> list[Claim]:
        """Claims that wait for their POD and whose real deadline is then, the nearest first."""

    def taken(self, limits: Sequence[Limit], since: datetime, until: datetime) -> dict[str, list[int]]:
        """Calls taken of each of these limits, by its key, in each window that began then."""


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
        return self.before(-1).start

    @property
    def days(self) -> list[date]:
        return [self.monday + timedelta(days=n) for n in range(7)]

    def before(self, count: int) -> "Week":
        """The week so many weeks before."""
        return Week(self.monday - count * _WEEK, self.zone)


@dataclass(frozen=True)
class Sources:
    """Where a report is drawn from."""

    records: Records
    week: WeekRecords
    carriers: Sequence[CarrierNow]
    schedules: Mapping[str, timedelta]  # of each worker, by its name
    catalog: Catalog
    problems: Sequence[Problem] = ()  # what needs a person now
    without_last_attempt: WithoutLastAttempt = field(default_factory=WithoutLastAttempt)
    custody: Head | None = None  # the end of the chain of custody


def report(week: Week, now: datetime, sources: Sources) -> dict[str, Any]:
    """The facts of a week, and what needs a person now. Read by the templates of the mail."""
    weeks = [week.before(back) for back in range(WEEKS_BEFORE, -1, -1)]
    tallies = {each.label: sources.records.tallies(each.days, week.zone) for each in weeks}
    runs = sources.records.runs(since=week.before(WEEKS_BEFORE).start, most=_MOST_RUNS)
    return {
        "week": week.label,
        "from": week.days[0].isoformat(),
        "to": week.days[-1].isoformat(),
        "weeks": [_rate(each, tallies[each.label]) for each in weeks],
        "workers": [_worker(name, runs, week, now, every) for name, every in sources.schedules.items()],
        "errors": _errors(tallies[week.label], tallies[week.before(1).label], sources.catalog),
        "usage": [row for carrier in sources.carriers for row in _usage(carrier, sources, week)],
        **_returns(sources, week),
        "given_up": _claims(sources.week.given_up(week.start, week.end), sources.catalog, now),
        "unproven": _claims(_unproven(sources.records, week.start, week.end), sources.catalog, now),
        "deadlines": _claims(sources.week.near_deadline(now, now + NEAR, week.zone), sources.catalog, now),
        "at": now.isoformat(),
        "problems": [problem.as_facts() for problem in sources.problems],
        "custody": {"sequence": end.sequence, "hash": end.hash} if (end := sources.custody) else None,
        "without_last_attempt": sources.without_last_attempt.claims,
        "without_last_attempt_is_more": sources.without_last_attempt.is_more,
    }


def _unproven(records: Records, since: datetime, until: datetime) -> list[Claim]:
    """Claims whose evidence, of which some came then, does not prove the delivery in their dispute, though it could."""
    return [
        listed.claim
        for listed, pieces in records.with_evidence(since, until)
        if listed.pod_url and _is_short(ClaimEvidence(pieces, listed.dispute))
    ]


def _is_short(evidence: ClaimEvidence) -> bool:
    """False where only the parcel's condition is missing: no proof of delivery shows it, so there is nothing to do."""
    verdict = evidence.verdict
    return evidence.proves is False and verdict is not None and verdict.missing != (Missing.CONDITION,)


def has_something_to_tell(facts: Mapping[str, Any]) -> bool:
    """False for a database in which nothing has happened yet: nobody wants a report about nothing."""
    tried = any(week["success"] or week["failed"] or week["left"] for week in facts["weeks"])
    ran = any(worker["runs"] or worker["ran_before"] for worker in facts["workers"])
    return tried or ran


@dataclass(frozen=True)
class Hand:
    """Something that somebody should look at."""

    what: str  # the key of its text
    count: int  # of how many things it consists
    about: Mapping[str, Any]  # those of the facts that say more about it


def hands(facts: Mapping[str, Any]) -> list[Hand]:
    """What needs a person; it is counted, and listed, by this alone. Facts that an earlier version kept will do."""
    workers = [hand for worker in facts["workers"] for hand in _of_worker(worker)]
    # An earlier version did not count claims that are unproven.
    of_claims = [what for what in ("deadlines", "given_up", "unproven") if what in facts]
    claims = [Hand(what, facts[what]["count"], facts[what]) for what in of_claims]
    if "problems" not in facts:
        return [hand for hand in (*workers, *_of_earlier(facts), *claims) if hand.count]
    said = {(kind, hand.about["worker"]) for hand in workers for kind in _SAID_BY[hand.what]}
    problems = [
        Hand("problem", 1, kept)
        for kept in facts["problems"]
        if kept["kind"] in _KNOWN and (kept["kind"], kept["facts"].get("worker")) not in said
    ]
    return [*workers, *problems, *(hand for hand in claims if hand.count)]


# The report lists all claims near their deadline itself. Kinds of a later version are not shown.
_KNOWN = frozenset(ProblemKind) - {ProblemKind.DEADLINES}
# What a line about a worker's week says of the present, too.
_SAID_BY: Mapping[str, Collection[ProblemKind]] = {
    "did_not_run": (ProblemKind.NEVER_RAN, ProblemKind.OVERDUE),
    "runs_failed": (ProblemKind.RUN_FAILED,),
    "runs_died": (ProblemKind.RUNS_KILLED,),
}


def _of_earlier(facts: Mapping[str, Any]) -> list[Hand]:
    """Of facts as they were kept before there were problems."""
    closed = [Hand("closed", 1, carrier) for carrier in facts["closed"]]
    return [*closed, *(Hand(what, facts[what], {}) for what in ("held", "undecided", "waiting_mails"))]


def _of_worker(worker: Mapping[str, Any]) -> list[Hand]:
    if not worker["runs"]:
        return [Hand("did_not_run", 1, worker)]
    return [Hand(f"runs_{how}", 1, worker) for how in ("failed", "died") if worker.get(how)]


def hands_needed(facts: Mapping[str, Any]) -> int:
    return sum(hand.count for hand in hands(facts))


def _rate(week: Week, tallies: Sequence[Tally]) -> dict[str, Any]:
    rate = sum(rates(tallies, by=lambda tally: tally.day).values(), Rate())
    return {"week": week.label, "from": week.monday.isoformat(), **asdict(rate)}


def _worker(name: str, runs: Sequence[Run], week: Week, now: datetime, every: timedelta) -> dict[str, Any]:
    own = [run for run in runs if run.worker == name]
    of_week = [run for run in own if week.start <= run.started_at < week.end]
    ended = [run for run in of_week if run.ended_at is not None]
    stopped = sum(run.exit_status is not None and run.exit_status > STOPPED for run in ended)
    return {
        "worker": name,
        "runs": len(of_week),
        "failed": sum(run.exit_status != 0 for run in ended) - stopped,
        "stopped": stopped,  # by a person or the machine: in order
        "died": sum(run.ended_at is None and now - run.started_at > LATE_AFTER * every for run in of_week),
        "ran_before": any(run.started_at < week.start for run in own),
    }


def _errors(tallies: Sequence[Tally], before: Sequence[Tally], catalog: Catalog) -> list[dict[str, Any]]:
    """Kinds of error by carrier that came more than once, the most frequent first."""

    def counted(of: Sequence[Tally]) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for tally in of_attempts(of):
            if tally.kind:
                found[tally.kind, tally.carrier] += tally.count
        return found

    last_week = counted(before)
    recurring = [(key, count) for key, count in counted(tallies).items() if count >= _RECURS]
    recurring.sort(key=lambda pair: (-pair[1], pair[0]))
    return [
        {
            "kind": kind,
            "carrier": catalog.name_of(carrier, clean(carrier, 60)),
            "count": count,
            "before": last_week[kind, carrier],
        }
        for (kind, carrier), count in recurring[:_MOST_ERRORS]
    ]


def _usage(carrier: CarrierNow, sources: Sources, week: Week) -> list[dict[str, Any]]:
    """How far the longer limits of a carrier were used; those that were not used at all are left out.

    A window is used up when what is left would not have been enough for one more claim.
    """
    limits = [use.limit for use in carrier.uses if not use.limit.window.is_short]
    if not carrier.configured or not limits:
        return []
    taken = sources.week.taken(limits, week.start, week.end)
    a_claim = dict(sources.catalog.specs[carrier.key].calls)
    return [
        {
            "carrier": carrier.name,
            "calls": (limit.capability or "").lower(),
            "window": limit.window.label,
            "limit": limit.number,
            "used": sum(windows),
            "most": max(windows),  # in one window
            "full": sum(limit.number - calls < max(1, limit.units(a_claim)) for calls in windows),
        }
        for limit in limits
        if (windows := [calls for calls in taken[limit.key] if calls > 0])
    ]


def _returns(sources: Sources, week: Week) -> dict[str, Any]:
    """What the week's calls brought, by carrier, and the limits that are too high."""
    spent = sources.records.spent(week.start, week.end)
    since = spent[-1].started_at if len(spent) >= MOST_ATTEMPTS else week.start
    limits = [use.limit for carrier in sources.carriers for use in carrier.uses]
    return {
        "returns": [
            found.as_json() | {"carrier": sources.catalog.name_of(found.carrier, clean(found.carrier, 60))}
            for found in call_returns(spent)
        ],
        "high_limits": [
            found.as_json()
            | {"carrier": sources.catalog.name_of(found.limit.carrier), "setting": found.setting}
            for found in high_limits(spent, limits, since)
        ],
    }


def _claims(claims: Sequence[Claim], catalog: Catalog, now: datetime) -> dict[str, Any]:
    """The first of them. `last_attempt`: when the last attempt comes that is set, of one that waits for it."""
    return {
        "count": len(claims),
        "claims": [
            {
                "reference": clean(claim.reference, 100),
                "carrier": catalog.name_of(claim.carrier, clean(claim.carrier_name, 60)),
                "kind": claim.state.kind,
                "deadline": iso(claim.deadline),
                "last_attempt": iso(claim.state.last_attempt_at)
                if awaits_last_attempt(claim.state)
                else None,
                "last_attempt_made": made_at(claim.state, now) is not None,
            }
            for claim in claims[:_NAMED]
        ],
    }
