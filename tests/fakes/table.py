"""The table of claims in memory: what the service wrote, and what we left beside it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Snapshot, Stage, State
from recours.core.mail import Event
from recours.runs.ports import Attempt, StoredDocument

_TO_ASSESS = (FetchStatus.FAILED, FetchStatus.PENDING, FetchStatus.FETCHING)
Seen = tuple[str | None, str | None, str, int]


@dataclass
class Row:
    """One claim, with what it was assessed on, who holds it, and its document."""

    claim: Claim
    seen: Seen | None = None
    seen_deadline: date | None = None
    carrier_key: str = ""
    token: str | None = None
    until: datetime | None = None
    document: StoredDocument | None = None

    def is_free(self, now: datetime) -> bool:
        return self.until is None or self.until <= now

    def is_unedited(self) -> bool:
        return self.seen == _seen(self.claim)

    def is_edited(self) -> bool:
        claim, state = self.claim, self.claim.state
        differs = not self.is_unedited() or self.seen_deadline != claim.deadline
        return claim.fetch_status in _TO_ASSESS and (state.stage is None or state.rank_at is None or differs)

    def release(self) -> None:
        self.token = self.until = None

    def write(self, state: State) -> None:
        """Store our part of the claim; the count is then what it was assessed on."""
        self.claim = replace(self.claim, state=state, retries_counted=state.retries_used)
        self.carrier_key = self.claim.carrier or ""
        if self.seen:
            self.seen = (*self.seen[:3], state.retries_used)
        if self.claim.assessed:
            assessed = replace(self.claim.assessed, retries_used=state.retries_used)
            self.claim = replace(self.claim, assessed=assessed)

    def see(self) -> None:
        """Remember the service's values as those that the claim was assessed on."""
        claim = self.claim
        self.seen, self.seen_deadline = _seen(claim), claim.deadline
        status = claim.fetch_status
        assessed = (
            Snapshot(status, claim.number, claim.carrier or "", claim.retries_counted)
            if status is not None
            else None
        )
        self.claim = replace(claim, assessed=assessed)


@dataclass
class Table:
    """All rows, the attempts at them, and the events to be told, each at most once."""

    catalog: Catalog
    rows: dict[int, Row] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    events: dict[tuple[Any, ...], Event] = field(default_factory=dict)

    def add(self, reference: str, carrier: str = "Chronopost", **columns: Any) -> Claim:
        """A row as the service writes it."""
        number = len(self.rows) + 1
        claim = Claim(
            id=number,
            reference=reference,
            carrier_name=carrier,
            carrier=self.catalog.resolve(carrier),
            **columns,
        )
        state = replace(claim.state, retries_used=claim.retries_counted)
        self.rows[number] = Row(replace(claim, state=state))
        return self.rows[number].claim

    def edit(self, reference: str, **columns: Any) -> None:
        """What the service's application, or a person, changes in a row. `carrier`: its name."""
        row = self.row(reference)
        if (name := columns.pop("carrier", None)) is not None:
            columns |= {"carrier_name": name, "carrier": self.catalog.resolve(name)}
        if "turns_counted" in columns:  # one column, read twice
            columns["state"] = replace(row.claim.state, retries_used=columns["turns_counted"])
        row.claim = replace(row.claim, **columns)

    def row(self, reference: str) -> Row:
        return next(row for row in self.rows.values() if row.claim.reference == reference)

    def __getitem__(self, reference: str) -> Claim:
        return self.row(reference).claim

    def at(self, *stages: Stage) -> list[Row]:
        return [row for row in self.rows.values() if row.claim.state.stage in stages]

    def tell(self, claim_id: Any, events: Iterable[Event]) -> None:
        for event in events:
            self.events.setdefault((claim_id, event.name, event.carrier, event.number), event)

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """The events, as (name, audience, number)."""
        return [(event.name.value, event.audience.value, event.number) for event in self.events.values()]


def _seen(claim: Claim) -> Seen:
    return claim.fetch_status, claim.number, claim.carrier_name, claim.retries_counted
