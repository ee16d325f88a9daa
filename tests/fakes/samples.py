"""The choice of claims that gave up, in memory, beside the table of claims."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from recours.core.claim import Claim, Stage
from recours.memory.table import ClaimTable
from recours.runs.ports import Lease


@dataclass
class MemorySamples:
    """The oldest come first. `others`: carriers whose samples another run makes."""

    table: ClaimTable
    others: set[str] = field(default_factory=set)
    leased: set[str] = field(default_factory=set)

    def lease_carrier(self, carrier: str, lease: Lease, now: datetime) -> bool:
        del lease, now
        self.leased.add(carrier)
        return carrier not in self.others

    def release_carrier(self, carrier: str, lease: Lease) -> None:
        del lease
        self.leased.remove(carrier)

    def made(self, carrier: str, since: datetime) -> int:
        made = [one for one in self.table.attempts if one.is_sample and one.started_at >= since]
        return sum(one.claim.carrier == carrier for one in made)

    def choose(
        self, carrier: str, most: int, fits: Callable[[Claim], bool], since: datetime, now: datetime
    ) -> list[Claim]:
        del since
        rows = [row for row in self.table.at(Stage.GIVEN_UP) if row.can_be_taken(now)]
        return [row.claim for row in rows if row.claim.carrier == carrier and fits(row.claim)][:most]

    def lease(self, claim: Claim, lease: Lease, now: datetime) -> Claim | None:
        row = self.table.rows[claim.id]
        if row.claim.state.stage is not Stage.GIVEN_UP or not row.can_be_taken(now):
            return None
        row.token, row.until = lease.token, lease.until
        return row.claim
