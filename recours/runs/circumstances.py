"""What was in force while a run lasted, carrier by carrier: the record that rules may learn from some day.

It is stored with the run, in `recours_runs.circumstances`, and holds no secret and nothing about a client.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from recours.core.pauses import Refusal
from recours.core.policy import Policy
from recours.core.quota import Limit, Usage
from recours.core.sentences import Sentence
from recours.runs.lane import Lane
from recours.runs.ports import Ready

# The record stays small, whatever a run meets.
MOST_CARRIERS = 100
MOST_CLOSURES = 20  # of a carrier, the last ones

_HOUR = timedelta(hours=1)


def in_force(policy: Policy, **options: float) -> dict[str, Any]:
    """The rules' settings, and the run's own. `_h`: in hours."""
    return {
        "waits_h": [wait / _HOUR for wait in policy.backoff.waits],
        "max_retries": policy.max_retries,
        "last_attempt_h": policy.last_attempt and policy.last_attempt / _HOUR,
        "expire_days": policy.expire_after and policy.expire_after.days,
        "document_first": sorted(policy.document_first),
        **options,
    }


class Closure(NamedTuple):
    """A carrier took no more calls."""

    kind: str
    since: datetime
    until: datetime | None  # None: the refusal named no time

    def as_json(self) -> dict[str, Any]:
        until = self.until.isoformat() if self.until else None
        return {"kind": self.kind, "since": self.since.isoformat(), "until": until}


def closing_kind(refusal: Refusal) -> str:
    """Who closed the carrier: `stopped` (a person), `kept_for_others`, `own_limit`, or the kind of the carrier's error."""
    if refusal.stopped:
        return "stopped"
    if refusal.reserved:
        return "kept_for_others"
    is_own_limit = refusal.said is not None and refusal.said.key == Sentence.LIMIT_REACHED
    return "own_limit" if is_own_limit else refusal.kind.value


@dataclass
class MetCarrier:
    """A carrier that a run met."""

    due: int = 0
    asked: int = 0
    closures: list[Closure] = field(default_factory=list)

    def close(self, closure: Closure) -> None:
        """Note a closure; several workers may meet the same one."""
        known = {(one.kind, one.until) for one in self.closures}
        if closure.until is None or (closure.kind, closure.until) not in known:
            self.closures = [*self.closures, closure][-MOST_CLOSURES:]

    def as_json(self, uses: Iterable[Usage]) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "limits": {_name_of(use.limit): {"used": use.used, "reserved": use.reserved} for use in uses},
            "due": self.due,
            "asked": self.asked,
        }
        return facts | ({"closed": [one.as_json() for one in self.closures]} if self.closures else {})


def _name_of(limit: Limit) -> str:
    """`250/day@UTC`, `20/3600s TOKEN`."""
    what = f" {limit.capability}" if limit.capability else ""
    return f"{limit.number}/{limit.window.key}{what}"


@dataclass
class Circumstances:
    """What was in force in one run, or in several that share a record. Used by one thread at a time."""

    policy: Mapping[str, Any] = field(default_factory=dict)  # see `in_force`; empty: that of what is added
    met: dict[str, MetCarrier] = field(default_factory=dict)  # by the carriers' keys

    @property
    def closed(self) -> set[str]:
        """The keys of the carriers that took no more calls."""
        return {key for key, met in self.met.items() if met.closures}

    def found(self, ready: Mapping[str, Ready]) -> None:
        """Note how many claims are due, as far as they were counted."""
        for key, lane in ready.items():
            if met := self._of(key):
                met.due = max(met.due, lane.claims)

    def ended(self, lanes: Iterable[Lane]) -> None:
        """Note what became of these lanes."""
        for lane in lanes:
            if met := self._of(lane.key):
                met.asked += lane.asked
                if lane.refusal and lane.closed_at:
                    met.close(Closure(closing_kind(lane.refusal), lane.closed_at, lane.refusal.until))

    def add(self, other: "Circumstances") -> None:
        """Add what another run met: claims asked about are summed; of the due ones the most at a time is kept."""
        self.policy = self.policy or other.policy
        for key, theirs in other.met.items():
            if met := self._of(key):
                met.due = max(met.due, theirs.due)
                met.asked += theirs.asked
                for closure in theirs.closures:
                    met.close(closure)

    def _of(self, key: str) -> MetCarrier | None:
        """None: there are too many, or it is the lane of claims whose carrier is not known."""
        if key and key not in self.met and len(self.met) < MOST_CARRIERS:
            self.met[key] = MetCarrier()
        return self.met.get(key)

    def as_json(self, usage: Mapping[str, Sequence[Usage]]) -> dict[str, Any]:
        """`usage`: of the limits, by carriers' keys, where it is known."""
        carriers = {key: met.as_json(usage.get(key, ())) for key, met in sorted(self.met.items())}
        return {"policy": self.policy, "carriers": carriers}
