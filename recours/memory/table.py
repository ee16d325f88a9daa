"""The table of claims in memory: what the service wrote, and what recours left beside it.

It knows which rows are at which stage and when they are due: a run that has little to do looks at few of them.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from recours.core.accounts import HOUSE
from recours.core.claim import Claim, FetchStatus, Snapshot, Stage, State, urgency
from recours.core.last_attempt import awaits_last_attempt
from recours.core.mail import Event

if TYPE_CHECKING:
    from recours.core.outcome import StoredDocument
    from recours.runs.ports import Attempt

_TO_ASSESS = (FetchStatus.FAILED, FetchStatus.PENDING, FetchStatus.FETCHING)
_TIMED = (Stage.WAITING, Stage.SETTLED)
_READY = (Stage.READY, Stage.NEW)
_FIRST = datetime.min.replace(tzinfo=UTC)

_Place = tuple[Stage | None, Hashable]  # the stage, and the group of its rows


class ClaimRow:
    """One claim, with what it was assessed on, who leases it, and its document. The table notes each change."""

    __slots__ = (
        "_claim",
        "_table",
        "_until",
        "carrier_key",
        "document",
        "place",
        "queued",
        "seen_deadline",
        "seen_name",
        "token",
    )

    def __init__(self, claim: Claim, table: "ClaimTable") -> None:
        """A row that no run has seen."""
        self._table = table
        # What of the service's values when the claim was assessed is not in its `assessed`: of the carrier, the name.
        self.seen_name: str | None = None
        self.seen_deadline: date | None = None
        self.carrier_key = ""
        self.token: str | None = None
        self._until: datetime | None = None
        self.document: StoredDocument | None = None
        self.place: _Place | None = None
        self.queued: _Queued | None = None  # its entry in the table's queues
        self.claim = claim

    @property
    def claim(self) -> Claim:
        return self._claim

    @claim.setter
    def claim(self, claim: Claim) -> None:
        self._claim = claim
        self._table.note(self)

    @property
    def until(self) -> datetime | None:
        """The end of its lease."""
        return self._until

    @until.setter
    def until(self, until: datetime | None) -> None:
        self._until = until
        self._table.note_lease(self)

    def is_free(self, now: datetime) -> bool:
        return self._until is None or self._until <= now

    def is_unedited(self) -> bool:
        claim, seen = self._claim, self._claim.assessed
        if seen is None or self.seen_name != claim.carrier_name:
            return False
        were = seen.fetch_status, seen.number, seen.retries_used
        return were == (claim.fetch_status, claim.number, claim.retries_counted)

    def is_edited(self) -> bool:
        claim, state = self._claim, self._claim.state
        differs = not self.is_unedited() or self.seen_deadline != claim.deadline
        return claim.fetch_status in _TO_ASSESS and (state.stage is None or state.rank_at is None or differs)

    def can_be_taken(self, now: datetime) -> bool:
        return self.is_free(now) and self.is_unedited()

    def release(self) -> None:
        self.token = self.until = None

    def write(self, state: State, **columns: Any) -> None:
        """Store recours's part of the claim, and these columns of the service; what is written is then what it was assessed on."""
        claim, seen, retries = self._claim, self._claim.assessed, state.retries_used
        if seen:
            status = columns.get("fetch_status", seen.fetch_status)
            account = claim.key_with(state)
            seen = replace(seen, fetch_status=status, account=account, retries_used=retries)
        self._write(state, assessed=seen, **columns)

    def write_assessed(self, state: State, **columns: Any) -> None:
        """The same, of a claim that was assessed on its present values and on these, which are written too."""
        claim, retries = self._claim, state.retries_used
        self.seen_name, self.seen_deadline = claim.carrier_name, claim.deadline
        status = columns.get("fetch_status", claim.fetch_status)
        assessed = Snapshot(status, claim.number, claim.key_with(state), retries, claim.deadline)
        self._write(state, assessed=assessed, **columns)

    def _write(self, state: State, **columns: Any) -> None:
        claim = self._claim
        self.carrier_key = claim.key_with(state)
        account = HOUSE if state.account == HOUSE else claim.account
        self.claim = replace(
            claim, state=state, account=account, retries_counted=state.retries_used, **columns
        )


class _Queued(NamedTuple):
    """A row by its time: that of its next retry, or its rank. The entry counts as long as the row has no newer one."""

    at: datetime
    claim_id: Any
    serial: int
    row: ClaimRow
    state: State

    @property
    def is_latest(self) -> bool:
        return self.row.queued is self


class _Urgent:
    """The rows of one lane that are ready, the most urgent first. The ranks of some pass while they wait."""

    def __init__(self) -> None:
        # By `urgency`: those whose rank is to come, and those that it has passed, without a real deadline and with one.
        self._tiers: tuple[list[_Queued], ...] = ([], [], [])

    def push(self, entry: _Queued) -> None:
        heappush(self._tiers[0], entry)

    def pop(self, tier: int) -> _Queued:
        return heappop(self._tiers[tier])

    def overdue(self, now: datetime) -> list[ClaimRow]:
        """Those without a real deadline whose rank has passed."""
        self.first(now)  # puts each into its tier
        return [entry.row for entry in self._tiers[1] if entry.is_latest]

    def before(self, at: datetime) -> list[ClaimRow]:
        return [entry.row for tier in self._tiers for entry in tier if entry.at <= at and entry.is_latest]

    def first(self, now: datetime) -> tuple[int, datetime, Any] | None:
        """The place of the most urgent row in the order: its tier, its rank, its id."""
        to_come = self._tiers[0]
        while to_come and to_come[0].at < now:
            entry = heappop(to_come)
            heappush(self._tiers[max(urgency(entry.state, now)[0], 1)], entry)
        for place, tier in enumerate(self._tiers):
            while tier and not tier[0].is_latest:
                heappop(tier)
            if tier:
                return place, *tier[0][:2]
        return None


class ClaimTable:
    """All rows, the attempts at them, and the events to be told, each at most once."""

    def __init__(self) -> None:
        """Without a row."""
        self.rows: dict[Any, ClaimRow] = {}
        self.attempts: list[Attempt] = []
        self.events: dict[tuple[Any, ...], Event] = {}
        self.edited: dict[Any, ClaimRow] = {}
        self.leased: dict[Any, ClaimRow] = {}
        self._places: dict[_Place, dict[Any, ClaimRow]] = {}
        self._serial = count()
        self._timed: dict[Stage, list[_Queued]] = {stage: [] for stage in _TIMED}
        self._latest: dict[Stage, datetime] = dict.fromkeys(_TIMED, _FIRST)
        self._urgent: dict[_Place, _Urgent] = {}

    # ---------------------------------------------------------------- rows

    def load(self, claim: Claim, *, edited: bool, leased_until: datetime | None = None) -> ClaimRow:
        """A row as it was read from a database. `edited`: it is not what it was assessed on."""
        row = self.rows[claim.id] = ClaimRow(claim, self)
        if not edited:
            row.carrier_key = claim.account_key
            row.seen_name, row.seen_deadline = claim.carrier_name, claim.deadline
            self.note(row)
        row.until = leased_until
        return row

    def at(self, *stages: Stage) -> Iterator[ClaimRow]:
        """The rows at these stages."""
        for (stage, _), rows in self._places.items():
            if stage in stages:
                yield from rows.values()

    def by_group(self, stage: Stage) -> dict[Any, Collection[ClaimRow]]:
        """The rows at a stage by what runs look for there; see `_group`."""
        return {key: rows.values() for (of, key), rows in self._places.items() if of is stage and rows}

    def due(self, stage: Stage, until: datetime) -> list[ClaimRow]:
        """The waiting or settled rows whose next retry comes up to then, in this order."""
        timed, found = self._timed[stage], []
        while timed and timed[0].at <= until:
            entry = heappop(timed)
            if entry.is_latest:
                found.append(entry)
        for entry in found:  # until they are in another state
            heappush(timed, entry)
        return [entry.row for entry in found]

    def next_due(self, after: datetime) -> datetime | None:
        """When the first retry comes that comes after then."""
        found = []
        for timed in self._timed.values():
            passed = []
            while timed and (timed[0].at <= after or not timed[0].is_latest):
                entry = heappop(timed)
                passed += [entry] if entry.is_latest else []
            found += [timed[0].at] if timed else []
            for entry in passed:
                heappush(timed, entry)
        return min(found, default=None)

    def beyond(self, horizon: datetime) -> list[ClaimRow]:
        """The waiting and settled rows whose next retry comes after then; a last attempt is none."""
        found = []
        for stage, timed in self._timed.items():
            if self._latest[stage] > horizon:
                timed[:] = [entry for entry in timed if entry.is_latest]
                heapify(timed)
                retries = [entry for entry in timed if not awaits_last_attempt(entry.state)]
                self._latest[stage] = max((entry.at for entry in retries), default=_FIRST)
                found += [entry.row for entry in retries if entry.at > horizon]
        return found

    def ranked_before(self, stage: Stage, at: datetime) -> list[ClaimRow]:
        """The ready rows whose rank lies at or before then."""
        return [row for (of, _), urgent in self._urgent.items() if of is stage for row in urgent.before(at)]

    def overdue(self, stage: Stage, lanes: Collection[str], now: datetime) -> list[ClaimRow]:
        """The ready rows of these lanes without a real deadline whose rank has passed."""
        there = (urgent for lane in lanes if (urgent := self._urgent.get((stage, lane))))
        return [row for urgent in there for row in urgent.overdue(now)]

    def most_urgent(self, stage: Stage, lanes: Collection[str], most: int, now: datetime) -> list[ClaimRow]:
        """Up to so many ready rows of these lanes that can be taken, the most urgent first."""
        there = [urgent for lane in lanes if (urgent := self._urgent.get((stage, lane)))]
        looked_at: list[tuple[_Urgent, _Queued]] = []
        found: list[ClaimRow] = []
        while len(found) < most:
            heads = [(head, urgent) for urgent in there if (head := urgent.first(now))]
            if not heads:
                break
            head, urgent = min(heads, key=lambda one: one[0])
            entry = urgent.pop(head[0])
            looked_at.append((urgent, entry))
            found += [entry.row] if entry.row.can_be_taken(now) else []
        for urgent, entry in looked_at:  # until they are in another state
            urgent.push(entry)
        return found

    # ---------------------------------------------------------------- what becomes of them

    def note(self, row: ClaimRow) -> None:
        """A row was changed."""
        claim = row.claim
        stage = claim.state.stage
        place = stage, _group(row, stage)
        if place != row.place:
            if row.place is not None:
                del self._places[row.place][claim.id]
            self._places.setdefault(place, {})[claim.id] = row
            row.place, row.queued = place, None
        if row.queued is None or row.queued.state is not claim.state:
            row.queued = self._enqueued(row, place)
        if row.is_edited():
            self.edited[claim.id] = row
        else:
            self.edited.pop(claim.id, None)

    def note_lease(self, row: ClaimRow) -> None:
        """A row was leased, or let go."""
        if row.until is None:
            self.leased.pop(row.claim.id, None)
        else:
            self.leased[row.claim.id] = row

    def _enqueued(self, row: ClaimRow, place: _Place) -> _Queued | None:
        state = row.claim.state
        if state.stage in _TIMED and state.next_at is not None:
            entry = _Queued(state.next_at, row.claim.id, next(self._serial), row, state)
            heappush(self._timed[state.stage], entry)
            if not awaits_last_attempt(state):
                self._latest[state.stage] = max(self._latest[state.stage], state.next_at)
            return entry
        if state.stage in _READY:
            entry = _Queued(state.rank_at or _FIRST, row.claim.id, next(self._serial), row, state)
            self._urgent.setdefault(place, _Urgent()).push(entry)
            return entry
        return None

    def emit(self, claim_id: Any, events: Iterable[Event]) -> None:
        for event in events:
            self.events.setdefault((claim_id, event.name, event.carrier, event.number), event)


def _group(row: ClaimRow, stage: Stage | None) -> Hashable:
    """What runs look for among the rows of a stage."""
    claim = row.claim
    if stage in _READY:
        return row.carrier_key
    if stage is Stage.SHELVED:
        return (claim.claim_status or "").strip().lower(), claim.is_pending
    if stage is Stage.GIVEN_UP:
        return claim.retries_counted, claim.is_ours and claim.state.expired_at is None
    return None
