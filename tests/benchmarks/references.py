"""The references of `bench_yield`: the guide's table in order of arrival, and an oracle that knows the future.

Both are independent implementations that share no rule with the product.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from heapq import heappop, heappush

from recours.core.errors import ErrorKind
from tests.benchmarks.population import QUOTAS, START, ZONE, Case, Population

HALF_HOUR = timedelta(minutes=30)


@dataclass
class Harvest:
    """The proofs and calls of a strategy for a population."""

    fetched: dict[int, datetime] = field(default_factory=dict)  # the time of each proof by claim id
    first_calls: dict[int, datetime] = field(default_factory=dict)  # time of the first call by claim id
    calls_of: Counter[int] = field(default_factory=Counter)  # number of calls by claim id

    def note(self, claim_id: int, at: datetime, calls: int, *, proof: bool) -> None:
        """Record an attempt at a claim."""
        self.calls_of[claim_id] += calls
        if calls:
            self.first_calls.setdefault(claim_id, at)
        if proof:
            self.fetched[claim_id] = at

    @property
    def calls(self) -> int:
        return self.calls_of.total()

    @property
    def wasted(self) -> int:
        """Calls for claims without a proof."""
        return sum(calls for claim_id, calls in self.calls_of.items() if claim_id not in self.fetched)

    def in_time(self, population: Population) -> list[Case]:
        """The claims whose proof was obtained before their deadline, without claims that have no deadline."""
        return [
            case
            for case in population.cases
            if case.ends and case.id in self.fetched and self.fetched[case.id] < case.ends
        ]


def run_times(population: Population) -> Iterator[tuple[datetime, bool]]:
    """The start times of the fetch worker every half hour, and whether a run of the scheduler follows."""
    at = START
    while at <= population.ends:
        yield at, at.minute == 0
        at += HALF_HOUR


def day_of(at: datetime) -> date:
    """The day of a carrier's quota."""
    return at.astimezone(ZONE).date()


# ---------------------------------------------------------------- the guide

_WAITS = [timedelta(hours=hours) for hours in (1, 6, 24, 72)]
SLACK = timedelta(minutes=5)
_BATCHES = {"fetch": 50, "retry": 30}
_PERSISTENT = frozenset(
    {ErrorKind.INVALID_TRACKING, ErrorKind.POD_NEVER_AVAILABLE, ErrorKind.RETURNED_TO_SENDER}
)


class Guide:
    """Both workers exactly as the guide describes them: four retries after 1, 6, 24 and 72 hours, in order of arrival.

    As in recours, a delivered parcel is not tracked again, an invalid number causes no call, and a claim is deferred
    while the daily quota of its carrier is exhausted.
    """

    def __init__(self, population: Population) -> None:
        self._population = population
        self._arriving = list(reversed(population.cases))
        self._pending: list[Case] = []
        self._waiting: list[tuple[datetime, int, Case]] = []
        self._due: list[tuple[int, Case]] = []  # in order of arrival
        self._retries: Counter[int] = Counter()
        self._delivered: set[int] = set()
        self._first_request: dict[int, datetime] = {}  # time of the first document call by claim id
        self._used: Counter[tuple[str, date]] = Counter()
        self._harvest = Harvest()

    def run(self) -> Harvest:
        for at, is_full_hour in run_times(self._population):
            self._fetch(at)
            if is_full_hour:
                self._retry(at)
        return self._harvest

    def _fetch(self, at: datetime) -> None:
        while self._arriving and self._arriving[-1].created_at <= at:
            self._pending.append(self._arriving.pop())
        remaining, done = _BATCHES["fetch"], set[int]()
        for case in self._pending:
            if remaining and self._has_calls_for(case, at):
                remaining -= 1
                done.add(case.id)
                if self._ask(case, at):
                    heappush(self._waiting, (at + _WAITS[0], case.id, case))
        self._pending = [case for case in self._pending if case.id not in done]

    def _retry(self, at: datetime) -> None:
        while self._waiting and self._waiting[0][0] <= at + SLACK:
            _, place, case = heappop(self._waiting)
            heappush(self._due, (place, case))
        remaining, passed_over = _BATCHES["retry"], []
        while self._due and remaining:
            place, case = heappop(self._due)
            if not self._has_calls_for(case, at):
                passed_over.append((place, case))
                continue
            remaining -= 1
            kind = self._ask(case, at)
            self._retries[case.id] = used = self._retries[case.id] + 1
            if kind and kind not in _PERSISTENT and used < len(_WAITS):
                heappush(self._waiting, (at + _WAITS[used], case.id, case))
        for one in passed_over:
            heappush(self._due, one)

    def _has_calls_for(self, case: Case, at: datetime) -> bool:
        calls = (1 if case.id in self._delivered else 2) if case.can_be_called else 0
        return self._used[case.carrier, day_of(at)] + calls <= QUOTAS[case.carrier]

    def _ask(self, case: Case, at: datetime) -> ErrorKind | None:
        """The failure of a fetch, or None for a document."""
        if not case.can_be_called:
            return ErrorKind.INVALID_TRACKING
        if case.id not in self._delivered:
            if kind := self._call(case, at) or case.tracked(at):
                return kind
            self._delivered.add(case.id)
        kind = self._call(case, at) or case.proved(at, self._first_request.setdefault(case.id, at))
        if kind is None:
            self._harvest.note(case.id, at, 0, proof=True)
        return kind

    def _call(self, case: Case, at: datetime) -> ErrorKind | None:
        """Make a call. Return the carrier's own error during an outage, or else None."""
        self._used[case.carrier, day_of(at)] += 1
        self._harvest.note(case.id, at, 1, proof=False)
        return ErrorKind.SERVER_ERROR if self._population.is_down(case.carrier, at) else None


# ---------------------------------------------------------------- the oracle

_Proof = tuple[date, int, datetime]  # the deadline, the claim's id, and when its proof is available


def oracle(population: Population) -> Harvest:
    """The maximum number of proofs before their deadlines that the quotas allow.

    It requests each document with a single call once it is available, unless it would be late or the claim has no
    deadline. Each day, claims with the nearest deadline are first. If all jobs cost the same and can be done on any day
    of an interval, no other order completes more jobs (Glover, 1967).
    """
    harvest = Harvest()
    for carrier, quota in QUOTAS.items():
        appearing: dict[date, list[_Proof]] = defaultdict(list)
        for case in population.cases:
            if case.carrier == carrier and case.proof_at and case.deadline:
                at = population.up_from(carrier, max(case.proof_at, case.created_at))
                appearing[day_of(at)].append((case.deadline, case.id, at))
        _spend(appearing, quota, day_of(population.ends), harvest)
    return harvest


def _spend(appearing: Mapping[date, list[_Proof]], quota: int, last: date, harvest: Harvest) -> None:
    """Use a carrier's calls, up to the last day, for the proofs that appear."""
    available_proofs: list[_Proof] = []
    day = day_of(START)
    while day <= last:
        for proof in appearing.get(day, ()):
            heappush(available_proofs, proof)
        remaining = quota
        while available_proofs and remaining:
            deadline, case_id, at = heappop(available_proofs)
            if deadline >= day:
                midnight = datetime.combine(day, time(), ZONE).astimezone(UTC)
                harvest.note(case_id, max(at, midnight), 1, proof=True)
                remaining -= 1
        day += timedelta(days=1)
