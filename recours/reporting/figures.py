"""What is counted and said of claims and carriers, defined once for all who show it.

Status, page, weekly report, mails, metrics, exports and plan use these; docs/develop/glossary.md says the same in words. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate, takewhile
from math import ceil
from operator import attrgetter
from typing import Any, NamedTuple

from recours.core.carrier import CarrierSpec
from recours.core.claim import IN_PROGRESS, Claim, Delivery, Stage, deadline_end
from recours.core.errors import ErrorKind, is_persistent
from recours.core.policy import Policy
from recours.core.position import Position, Why, position
from recours.core.quota import CallBudget, Capability, Limit, Window


@dataclass(frozen=True)
class Stake:
    """Sums by currency; "" if the service's table does not name it. `is_more`: not all claims were added up."""

    amounts: Mapping[str, float] = field(default_factory=dict)
    is_more: bool = False


@dataclass(frozen=True)
class Concerned:
    """The claims that a problem is about: those of accounts at these stages, or those with these ids.

    `accounts`: keys; "" for the claims of no carrier that is known. Without an account, those that nobody has assessed
    are not among them.
    """

    accounts: Sequence[str] = ()
    stages: Sequence[Stage] = IN_PROGRESS
    ids: Sequence[Any] = ()


def together(concerned: Sequence[Concerned]) -> Concerned:
    """The claims of several problems of one kind, which look at the same stages."""
    return Concerned(
        [key for part in concerned for key in part.accounts],
        concerned[0].stages if concerned else IN_PROGRESS,
        [claim_id for part in concerned for claim_id in part.ids],
    )


def stake_of(amounts: Iterable[tuple[str, float]], *, is_more: bool = False) -> Stake:
    """The sums of these, each with its currency; amounts of 0 are unknown ones."""
    sums: dict[str, float] = defaultdict(float)
    for currency, amount in amounts:
        if amount:
            sums[currency] += amount
    return Stake({currency: round(total, 2) for currency, total in sorted(sums.items())}, is_more)


_A_DAY = timedelta(days=1)
_HOUR_S = 3600

# ---------------------------------------------------------------- where claims stand

# No call for them is to come unless somebody acts; of these, errors that a correction ends are to correct.
ENDED = (Stage.SETTLED, Stage.GIVEN_UP)
CORRECTABLE = frozenset(kind for kind in ErrorKind if is_persistent(kind, last_retry=True))


class ToCorrect(NamedTuple):
    """A claim for which no call is made until somebody corrects it, while that is still of use.

    Not one whose carrier is unknown, which is a matter of its own.
    `deadline`: as the service's table has it; "": it has none.
    """

    id: Any
    lane: str
    reference: str
    deadline: str


# ---------------------------------------------------------------- late

# How far ahead deadlines are looked at.
NEAR = timedelta(days=7)
_NO_PROOF_IS_DUE = (Why.HAS_POD, Why.IN_HAND, Why.LEFT_ALONE, Why.SHELVED)


def is_late(claim: Claim, where: Position, now: datetime, policy: Policy) -> bool:
    """Tell whether a claim passes its deadline within a week without being tried before, whatever its stage."""
    if claim.deadline is None or where.why in _NO_PROOF_IS_DUE:
        return False
    return _passes(where, deadline_end(claim.deadline, policy.zone), now)


def loses_evidence(where: Position, now: datetime) -> bool:
    """Tell whether a claim's evidence ends within a week, and before its deadline, without it being tried before."""
    evidence = where.evidence
    if evidence is None or not evidence.counts or not where.is_open:
        return False
    return where.why is not Why.IN_HAND and _passes(where, evidence.ends_at, now)


def _passes(where: Position, end: datetime, now: datetime) -> bool:
    return now < end <= now + NEAR and (where.next_at is None or where.next_at >= end)


# ---------------------------------------------------------------- unavailable


class FetchAnswer(NamedTuple):
    """What came of one fetch at a carrier. `is_failure`: of its service, not about the parcel."""

    at: datetime
    claim_id: Any
    is_failure: bool
    is_connected: bool


class Check(NamedTuple):
    """A check of credentials; `is_failure` as above."""

    at: datetime
    is_failure: bool


# Fewer parcels may be what the carrier stumbles over.
SEVERAL_PARCELS = 5
# The next runs try again.
OUTAGE_LASTS = timedelta(hours=1)


def unavailable_since(answers: Sequence[FetchAnswer], check: Check | None, now: datetime) -> datetime | None:
    """Since when a carrier's service has given no answer for parcels in general; None: it is not known to be unavailable.

    Several parcels show that, a connection that cannot be made, or a check that fails. An answer about any parcel, or to a
    check, ends it. `answers`: the newest first; `check`: the latest.
    """
    answered_at = check.at if check and not check.is_failure else None
    streak = list(
        takewhile(lambda answer: answer.is_failure and (not answered_at or answer.at > answered_at), answers)
    )
    unreachable = list(takewhile(lambda answer: not answer.is_connected, streak))
    is_general = len({answer.claim_id for answer in streak if answer.is_connected}) >= SEVERAL_PARCELS
    signs = [answer.at for answer in (streak if is_general else unreachable)]
    has_answered = answers and not answers[0].is_failure and check and answers[0].at > check.at
    if check and check.is_failure and not has_answered:
        signs = [check.at, *(answer.at for answer in streak)]
    if not signs or now - max(signs) > _A_DAY or now - min(signs) < OUTAGE_LASTS:
        return None
    return min(signs)


# ---------------------------------------------------------------- success


@dataclass(frozen=True)
class Rate:
    """Claims that were closed, and attempts. A proof that a person attached is none of them.

    `success`: proofs, each of one claim and of one attempt; `given_up`: claims. `failed`: attempts. `left`: attempts that
    used no retry, such as at a limit of the carrier's; they are outside both rates.
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
        """Success: proofs in a hundred closed claims, one decimal; None: none was closed."""
        return _percent(self.success, self.closed)

    @property
    def percent_of_attempts(self) -> float | None:
        return _percent(self.success, self.success + self.failed)

    def __add__(self, other: "Rate") -> "Rate":
        return Rate(
            self.success + other.success,
            self.failed + other.failed,
            self.left + other.left,
            self.given_up + other.given_up,
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"success_rate": self.percent, "attempt_success_rate": self.percent_of_attempts}


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


# ---------------------------------------------------------------- backlog


class InLine(NamedTuple):
    """A due claim. `rank_at`: by which due claims are tried."""

    id: Any
    rank_at: datetime
    is_deadline: bool
    stage: Stage


@dataclass(frozen=True)
class OverlongBacklog:
    """Due claims of one account whose deadlines pass before their turn comes, at the pace that its quota allows."""

    due: int
    days: int  # until the last one's turn
    pace: int  # claims a day
    late: Sequence[Any]  # the ids of the claims that are too late
    late_soon: Sequence[Any]  # those of them that are late within a week


def usual_calls(calls: CallBudget, delivery: Delivery | None) -> CallBudget:
    """The calls that a fetch makes if it brings no proof: of a parcel that is not delivered no document is asked for."""
    return calls if delivery else {Capability.TRACKING: calls.get(Capability.TRACKING, 0)}


class Pace(NamedTuple):
    """How many claims a day an account's narrowest limit lets through.

    `keeps`: each worker leaves calls within it to the other one's more urgent claims.
    """

    claims: float
    keeps: bool


def daily_pace(limits: Iterable[Limit], spec: CarrierSpec) -> Pace | None:
    """At which pace these limits let claims through; None: none of them limits claims."""
    paces = [Pace(claims, not limit.window.seconds) for limit in limits if (claims := _pace_of(limit, spec))]
    return min(paces, default=None)


def _pace_of(limit: Limit, spec: CarrierSpec) -> float | None:
    limit = counted_by_hour(limit)
    bundle = spec.calls_for_bundle([None] * spec.numbers_per_call)
    units_per_call = sum(limit.units(usual_calls(calls, None)) for calls in bundle)
    if not units_per_call:
        return None
    # A fetch begins only while its document could be had too; where little is left, fewer parcels share a call.
    reserved = list(accumulate(limit.units(calls) for calls in bundle))
    units_left = limit.number - (limit.units({Capability.TOKEN: 1}) if Capability.TOKEN in spec.limits else 0)
    full = max((units_left - reserved[-1]) // units_per_call + 1, 0)
    claims = full * len(bundle)
    units_left -= full * units_per_call
    while units_left >= reserved[0]:
        claims += sum(units <= units_left for units in reserved)
        units_left -= units_per_call
    window_s = limit.window.seconds or _A_DAY.total_seconds()
    return max(claims, 1) * _A_DAY.total_seconds() / window_s


def counted_by_hour(limit: Limit) -> Limit:
    """A limit of seconds or of a minute, which runs wait out, as one of an hour; any other one as it is."""
    if not limit.window.is_short:
        return limit
    number = limit.number * _HOUR_S // limit.window.seconds
    return limit._replace(number=number, window=Window(_HOUR_S))


def in_line(claims: Iterable[Claim], now: datetime, policy: Policy) -> dict[str, list[InLine]]:
    """Those of these claims, which no run has assessed yet, that will be due and whose ranks are to come, by account."""
    lines = defaultdict[str, list[InLine]](list)
    for claim in claims:
        where = position(claim, now, policy)
        rank_at = where.state.rank_at
        if where.why in (Why.NEW, Why.DUE) and rank_at and rank_at >= now:
            stage = Stage.NEW if claim.is_pending else Stage.READY
            lines[claim.account_key].append(InLine(claim.id, rank_at, where.state.rank_is_deadline, stage))
    return lines


def overlong_backlog(
    pace: Pace, due: int, line: Sequence[InLine], now: datetime, opens_at: datetime | None = None
) -> OverlongBacklog | None:
    """The backlog of so many due claims, if deadlines fall within it; else None.

    `line`: those whose ranks are to come. `opens_at`: when the account takes calls again; None: it does now.
    """
    in_order = sorted(line, key=attrgetter("rank_at"))
    if not pace.keeps:  # the fetch worker, which runs more often, takes all calls
        in_order.sort(key=lambda entry: entry.stage is not Stage.NEW)
    begins_at = opens_at or now
    turns = [(entry, begins_at + (place + 1) / pace.claims * _A_DAY) for place, entry in enumerate(in_order)]
    late = [entry for entry, at in turns if entry.is_deadline and entry.rank_at < at]
    if not late:
        return None
    soon = [entry.id for entry in late if entry.rank_at <= now + NEAR]
    days = ceil(due / pace.claims)
    return OverlongBacklog(due, days, max(int(pace.claims), 1), [entry.id for entry in late], soon)
