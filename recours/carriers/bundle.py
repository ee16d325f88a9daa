"""Claims of one carrier that share a tracking call: what it answered, and which claims are still asked about singly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Outcome
from recours.runs.ports import Asked

# By number.
Tracking = Mapping[str, Delivery | Failure]

# How a call about several numbers fails if the carrier refuses one of them: the others are good, asked about singly.
_OF_ONE_NUMBER = frozenset({ErrorKind.INVALID_TRACKING, ErrorKind.NOT_FOUND, ErrorKind.ACCESS_DENIED})
# Any other failure may come from one number that upsets the service, or from a service that is down. After so many
# single calls in a row that fail as the shared one did, it counts as down: three failures in a row are an outage.
_MOST_SAME_FAILURES = 2


@dataclass
class Bundle:
    """What is known about the claims while they are asked about, one after another."""

    asked: Sequence[Asked]
    tracking: Tracking | None = None  # the shared call's answer; None: it was not made yet
    closed: Failure | None = None  # the answer after which the carrier is not called any more
    _failed_call: Failure | None = None  # the shared call, by one number's doing or the carrier's
    _same_failures: int = 0  # of single calls in a row

    @property
    def numbers(self) -> list[str]:
        """The numbers to track, each once."""
        return list(dict.fromkeys(one.number for one in self.asked if one.known is None))

    @property
    def unanswered(self) -> list[str]:
        """The numbers that are asked about singly, as the shared call answered nothing about them."""
        if self.tracking is None or self.closed is not None:
            return []
        return [number for number in self.numbers if number not in self.tracking]

    def needs_shared_call(self, one: Asked) -> bool:
        """Tell whether this claim and others are to be tracked, and were not yet."""
        if one.known is not None or self.tracking is not None or self.closed is not None:
            return False
        return sum(other.known is None for other in self.asked) > 1

    def note_tracking(self, found: Tracking | Failure) -> None:
        """Take the answer of the shared call. If one number may be why it failed, each is asked about singly."""
        if not isinstance(found, Failure):
            self.tracking = found
        elif found.closes_carrier:
            self.tracking = dict.fromkeys(self.numbers, found)
        else:
            self.tracking = {}
            self._failed_call = None if found.kind in _OF_ONE_NUMBER else found
            if not found.connected:  # which is no number's doing
                self._same_failures = _MOST_SAME_FAILURES

    def tracking_of(self, one: Asked) -> Delivery | Failure | None:
        """The shared call's answer about a claim's parcel; None: it is asked about singly."""
        if one.known is not None or self.tracking is None:
            return None
        return self._failed_call if self.is_down else self.tracking.get(one.number)

    @property
    def is_down(self) -> bool:
        """Tell whether the shared call failed, and the carrier is why: nothing more is asked."""
        return self._failed_call is not None and self._same_failures >= _MOST_SAME_FAILURES

    def answer_without_call(self, one: Asked) -> Failure | None:
        """The answer of a claim that needs another call, if the carrier is not called any more."""
        found = self.tracking_of(one)
        is_complete = isinstance(found, Failure) and not found.closes_carrier
        if self.closed is None or is_complete:
            return None
        return replace(self.closed, delivery=found if isinstance(found, Delivery) else one.known)

    def note_outcome(self, outcome: Outcome) -> None:
        """Learn from a claim's outcome what holds for the claims after it."""
        failure = outcome if isinstance(outcome, Failure) else None
        if failure and failure.closes_carrier:
            self.closed = failure
        if (
            self._failed_call
            and failure
            and failure.delivery is None
            and failure.kind is self._failed_call.kind
        ):
            self._same_failures += 1
        else:
            self._failed_call = None
