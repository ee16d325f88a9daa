"""The claims on paper, by what they wait for."""

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from recours.core.claim import Claim, FetchStatus, Stage, urgency
from recours.runs.lane import lane_key

_Ranked = tuple[datetime, Any, Claim]
_FIRST = datetime.min.replace(tzinfo=UTC)


class _Lane:
    """Claims of one carrier that are ready, the most urgent first."""

    def __init__(self) -> None:
        # By `urgency`: those whose rank is to come, and those that it has passed, without a real deadline and with one.
        self._tiers: tuple[list[_Ranked], ...] = ([], [], [])

    def __len__(self) -> int:
        return sum(map(len, self._tiers))

    def __iter__(self) -> Iterator[Claim]:
        return (claim for tier in self._tiers for _, _, claim in tier)

    def push(self, claim: Claim) -> None:
        heapq.heappush(self._tiers[0], (claim.state.rank_at or _FIRST, claim.id, claim))

    def first(self, now: datetime) -> tuple[int, datetime, Any] | None:
        """The place of the most urgent one."""
        tier = self._most_urgent(now)
        return None if tier is None else (tier, *self._tiers[tier][0][:2])

    def pop(self, now: datetime) -> Claim:
        return heapq.heappop(self._tiers[self._most_urgent(now) or 0])[2]

    def drop(self, is_over: Callable[[Claim], bool]) -> int:
        """Take away those that are over; how many."""
        before = len(self)
        for tier in self._tiers:
            tier[:] = [entry for entry in tier if not is_over(entry[2])]
            heapq.heapify(tier)
        return before - len(self)

    def _most_urgent(self, now: datetime) -> int | None:
        to_come = self._tiers[0]
        while to_come and to_come[0][0] < now:
            entry = heapq.heappop(to_come)
            heapq.heappush(self._tiers[max(urgency(entry[2].state, now)[0], 1)], entry)
        return next((tier for tier, claims in enumerate(self._tiers) if claims), None)


class Pool:
    """Claims that something will come of."""

    def __init__(self) -> None:
        """Begin without any."""
        self._ready: dict[Stage, dict[str, _Lane]] = {Stage.READY: {}, Stage.NEW: {}}
        self._waiting: list[_Ranked] = []
        self._settled: list[_Ranked] = []

    def put(self, claim: Claim) -> None:
        """Put a claim where its stage says; one that is done with, or waits for somebody, goes nowhere."""
        stage = claim.state.stage
        if stage in self._ready:
            self._ready[stage].setdefault(lane_key(claim), _Lane()).push(claim)
        elif stage in (Stage.WAITING, Stage.SETTLED):
            to = self._waiting if stage is Stage.WAITING else self._settled
            heapq.heappush(to, (claim.state.next_at or _FIRST, claim.id, claim))

    def stage_due(self, due_until: datetime) -> None:
        """Put the claims whose turn has come among the ready ones."""
        for claim in _popped(self._waiting, due_until):
            stage = Stage.READY if claim.fetch_status == FetchStatus.FAILED else Stage.NEW
            self.put(replace(claim, state=replace(claim.state, stage=stage)))

    def settled(self, due_until: datetime) -> Iterator[Claim]:
        """Take the settled claims whose turn has come."""
        return _popped(self._settled, due_until)

    def beyond(self, horizon: datetime) -> list[Claim]:
        """Take the claims whose turn lies after the horizon."""
        found = []
        for heap in (self._waiting, self._settled):
            found += [entry[2] for entry in heap if entry[0] > horizon]
            heap[:] = [entry for entry in heap if entry[0] <= horizon]
            heapq.heapify(heap)
        return found

    def drop(self, stage: Stage, is_over: Callable[[Claim], bool]) -> int:
        """Take the ready claims away that are over; how many."""
        return sum(lane.drop(is_over) for lane in self._ready[stage].values())

    def ready(self, stage: Stage) -> dict[str, int]:
        """How many claims of each lane are ready."""
        return {key: len(lane) for key, lane in self._ready[stage].items() if len(lane)}

    def due(self) -> Counter[str]:
        """How many claims of each lane are ready, of both workers."""
        return Counter(self.ready(Stage.READY)) + Counter(self.ready(Stage.NEW))

    def take(self, stage: Stage, lanes: Collection[str], most: int, now: datetime) -> list[Claim]:
        """Take up to `most` ready claims of these lanes, the most urgent first."""
        there = [lane for key in lanes if (lane := self._ready[stage].get(key))]
        taken: list[Claim] = []
        while len(taken) < most:
            places = [(place, lane) for lane in there if (place := lane.first(now))]
            if not places:
                break
            taken.append(min(places, key=lambda found: found[0])[1].pop(now))
        return taken

    def in_order(self, stage: Stage, key: str, now: datetime) -> Iterator[Claim]:
        """Take all ready claims of a lane, the most urgent first."""
        lane = self._ready[stage].get(key, _Lane())
        while len(lane):
            yield lane.pop(now)

    def left(self) -> Iterable[Claim]:
        """Every claim that is ready, or waits for its turn."""
        for lanes in self._ready.values():
            for lane in lanes.values():
                yield from lane
        yield from (claim for _, _, claim in self._waiting)


def _popped(heap: list[_Ranked], until: datetime) -> Iterator[Claim]:
    while heap and heap[0][0] <= until:
        yield heapq.heappop(heap)[2]
