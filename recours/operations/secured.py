"""What comes of the work, week by week: the proofs that came, the money they secure, and how many attempts brought one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from recours.operations.records import Tally
from recours.operations.status import Rate, rates
from recours.operations.weekly import Week


@dataclass(frozen=True)
class SecuredProofs:
    """Claims whose proof came, fetched or attached, and their amounts in dispute, by currency."""

    count: int
    amounts: Mapping[str, float]


@dataclass(frozen=True)
class WeekResult:
    week: Week
    proofs: SecuredProofs
    rate: Rate  # of attempts


@dataclass(frozen=True)
class Results:
    """Of some weeks, the oldest first."""

    weeks: Sequence[WeekResult]

    @property
    def proofs(self) -> SecuredProofs:
        """Those of all weeks; a claim of which proofs came in several weeks counts in each."""
        amounts: Counter[str] = Counter()
        for result in self.weeks:
            amounts.update(result.proofs.amounts)
        sums = {currency: round(total, 2) for currency, total in sorted(amounts.items())}
        return SecuredProofs(sum(result.proofs.count for result in self.weeks), sums)

    @property
    def rate(self) -> Rate:
        return sum((result.rate for result in self.weeks), Rate())

    def as_json(self) -> dict[str, Any]:
        return {
            "weeks": [
                {"monday": result.week.monday.isoformat(), **_as_json(result.proofs, result.rate)}
                for result in self.weeks
            ],
            "all_weeks": _as_json(self.proofs, self.rate),
        }


def _as_json(proofs: SecuredProofs, rate: Rate) -> dict[str, Any]:
    return {"proofs": proofs.count, "secured": dict(proofs.amounts), **rate.as_json()}


class ProofRecords(Protocol):
    def tallies(self, days: Sequence[date], zone: ZoneInfo) -> list[Tally]:
        """See `recours.operations.records.Records`."""

    def proofs(self, since: datetime, until: datetime) -> SecuredProofs:
        """Those that came in this time; a claim of which several came counts once."""


def results_by_week(records: ProofRecords, today: date, zone: ZoneInfo, count: int) -> Results:
    """Those of the last weeks, the one of today last."""
    monday = today - timedelta(days=today.weekday())
    weeks = [Week(monday, zone).before(back) for back in range(count - 1, -1, -1)]
    return Results(
        [
            WeekResult(
                week,
                records.proofs(week.start, week.end),
                sum(rates(records.tallies(week.days, zone), by=lambda tally: tally.day).values(), Rate()),
            )
            for week in weeks
        ]
    )
