"""Claims whose parcels are tracked with one call: what that call told, and what is still to be asked about alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Outcome
from recours.runs.ports import Asked

Tracked = Mapping[str, Delivery | Failure]

# How a call about several numbers fails if one of them is refused: alone, the others are not.
_OF_ONE_NUMBER = frozenset({ErrorKind.INVALID_TRACKING, ErrorKind.NOT_FOUND, ErrorKind.ACCESS_DENIED})
# How it fails if one of them upsets the service, or if the service is down. Gateways speak of the service only.
_UNCLEAR = frozenset({ErrorKind.BAD_RESPONSE, ErrorKind.SERVER_ERROR})
_OF_GATEWAYS = frozenset({502, 503, 504})
# So many claims in a row that fail alone as all did together: the service is down.
_ALIKE = 2


@dataclass
class Bundle:
    """What is known about several claims of one carrier while they are asked about, one after another."""

    asked: Sequence[Asked]
    tracked: Tracked | None = None  # by the call that they share; None: before it
    closed: Failure | None = None  # the answer after which the carrier is not called any more
    _spoilt: Failure | None = None  # how the shared call failed, by one number's doing or the carrier's
    _alike: int = 0  # claims in a row that failed like that alone

    @property
    def numbers(self) -> list[str]:
        """The numbers to track, each once."""
        return list(dict.fromkeys(one.number for one in self.asked if one.known is None))

    @property
    def untold(self) -> list[str]:
        """The numbers that are to be asked about alone, as the shared call told nothing about them."""
        if self.tracked is None or self.closed is not None:
            return []
        return [number for number in self.numbers if number not in self.tracked]

    def is_to_track(self, one: Asked) -> bool:
        """Tell whether the shared call is to be made now, for this claim and others."""
        if one.known is not None or self.tracked is not None or self.closed is not None:
            return False
        return sum(other.known is None for other in self.asked) > 1

    def learn(self, found: Tracked | Failure) -> None:
        """Take the answer of the shared call. What may be one number's doing has each asked about alone."""
        if not isinstance(found, Failure):
            self.tracked = found
        elif found.kind in _OF_ONE_NUMBER:
            self.tracked = {}
        elif found.kind in _UNCLEAR and found.http_status not in _OF_GATEWAYS:
            self.tracked, self._spoilt = {}, found
        else:
            self.tracked = dict.fromkeys(self.numbers, found)

    def told(self, one: Asked) -> Delivery | Failure | None:
        """What the shared call told about a claim's parcel; None: it is to be asked about alone."""
        if one.known is not None or self.tracked is None:
            return None
        if self._spoilt and self._alike >= _ALIKE:
            return self._spoilt
        return self.tracked.get(one.number)

    def uncalled(self, one: Asked) -> Failure | None:
        """The answer of a claim that needs another call, if the carrier is not called any more."""
        told = self.told(one)
        is_answered = isinstance(told, Failure) and not told.closes_carrier
        if self.closed is None or is_answered:
            return None
        return replace(self.closed, delivery=told if isinstance(told, Delivery) else one.known)

    def hear(self, outcome: Outcome) -> None:
        """Learn from a claim's outcome what holds for the claims after it."""
        failure = outcome if isinstance(outcome, Failure) else None
        if failure and failure.closes_carrier:
            self.closed = failure
        if self._spoilt and failure and failure.delivery is None and failure.kind is self._spoilt.kind:
            self._alike += 1
        else:
            self._spoilt = None
