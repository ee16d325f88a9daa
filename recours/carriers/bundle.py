"""Claims of one carrier that share a tracking call: what it answered, and how a number that makes it fail is singled out.

A call that fails is made again about each half of its numbers, and so on: of thirty numbers one takes eleven calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recours.core.claim import Delivery
from recours.core.errors import TRAITS, ErrorKind
from recours.core.outcome import Failure, Outcome
from recours.runs.ports import Asked

# By number.
Tracking = Mapping[str, Delivery | Failure]
Numbers = tuple[str, ...]

# How a call about several numbers fails if the carrier refuses one of them. Any other failure may come from one number that
# upsets the service, or from a service that is down.
_OF_ONE_NUMBER = frozenset({ErrorKind.INVALID_TRACKING, ErrorKind.NOT_FOUND, ErrorKind.ACCESS_DENIED})
# So many shared calls in a row may fail before one number is asked about alone; if that call fails too, the carrier is down.
# One bad number makes two calls in a row fail at most: the next one is about the other half. Several bad ones make more fail,
# but then the carrier has answered about other numbers.
_FAILURES = 3
_FAILURES_AFTER_AN_ANSWER = 6


@dataclass
class Bundle:
    """What is known about the claims while they are asked about, one after another."""

    asked: Sequence[Asked]
    tracking: dict[str, Delivery | Failure] = field(default_factory=dict)  # what shared calls answered
    closed: Failure | None = None  # the answer after which the carrier is not called any more
    outage: Failure | None = None  # how the carrier fails whatever it is asked about: nothing more is asked
    _calls: list[Numbers] = field(init=False)  # shared ones to be made, in their order
    _failed: dict[Numbers, Failure | None] = field(default_factory=dict)  # shared calls
    _failures_left: int = _FAILURES  # before one number is asked about alone

    def __post_init__(self) -> None:
        self._calls = [self.numbers] if sum(parcel.known is None for parcel in self.asked) > 1 else []

    @property
    def numbers(self) -> Numbers:
        """The numbers to track, each once."""
        return tuple(dict.fromkeys(parcel.number for parcel in self.asked if parcel.known is None))

    # ---------------------------------------------------------------- the shared calls

    def next_call(self, parcel: Asked) -> Numbers:
        """The numbers of a call to be made before this claim is asked about; none: there is no such call."""
        if parcel.known is not None or self.closed or not self._calls:
            return ()
        numbers = self._calls.pop(0)
        if self._failures_left > 0 or len(numbers) == 1:
            return numbers
        self._calls.insert(0, numbers[1:])
        return numbers[:1]

    def note_tracking(self, numbers: Numbers, answer: Tracking | Failure | None) -> None:
        """Take the answer of a call about these numbers; a number that it leaves out is asked about in its claim's turn.

        None: it failed in a way that only a claim's own turn can explain.
        """
        if not (answer is None or isinstance(answer, Failure)):
            self.tracking |= answer
            self._failures_left = _FAILURES_AFTER_AN_ANSWER
        elif answer and (answer.closes_carrier or not TRAITS[answer.kind].uses_attempt):
            self.tracking |= dict.fromkeys(sum(self._calls, numbers), answer)
            self._calls.clear()
        else:
            self._note_failure(numbers, answer)

    def _note_failure(self, numbers: Numbers, failure: Failure | None) -> None:
        self._failed[numbers] = failure
        self._failures_left -= 1
        if failure and len(numbers) == 1:
            self.tracking[numbers[0]] = failure
        could_not_connect = failure is not None and not failure.connected  # which is no number's doing
        # An internal error ends the bundle: asking about single numbers would only repeat it.
        are_too_many = self._failures_left < 0 or (failure is None and self._failures_left == 0)
        if could_not_connect or are_too_many:
            self._calls.clear()
            # Failures of one number: most numbers are bad, or the carrier does not take several.
            is_outage = failure is not None and failure.kind not in _OF_ONE_NUMBER
            self.outage = failure if is_outage else None
        else:
            self._calls += [half for half in _halves(numbers) if failure or len(half) > 1]

    @property
    def unanswered(self) -> list[str]:
        """The numbers that are asked about in their claims' turns, as no shared call answered about them."""
        if self.closed or self.outage:
            return []
        return [number for number in self.numbers if number not in self.tracking]

    @property
    def failure(self) -> Failure | None:
        """Why the call about all numbers failed; None if it did not, or if an internal error ended it."""
        return self._failed.get(self.numbers)

    @property
    def upsetting(self) -> set[str]:
        """The numbers that make shared calls fail: those that fail alone, and both of two that fail only together."""
        if self.outage or not self._failed:
            return set()
        groups = [set(numbers) for numbers in self._failed]
        smallest = [numbers for numbers in self._failed if not any(group < set(numbers) for group in groups)]
        parts = [part for numbers in smallest for part in _halves(numbers) or [numbers]]
        return {part[0] for part in parts if len(part) == 1}

    # ---------------------------------------------------------------- a claim's turn

    def tracking_of(self, parcel: Asked) -> Delivery | Failure | None:
        """A shared call's answer about a claim's parcel; None: it is asked about in its turn."""
        return self.tracking.get(parcel.number, self.outage) if parcel.known is None else None

    def is_skipped(self, parcel: Asked) -> bool:
        """Tell whether nothing was asked about this claim, as the carrier is down."""
        return self.outage is not None and parcel.known is None and parcel.number not in self.tracking

    def closed_for(self, parcel: Asked) -> Failure | None:
        """Why a claim that needs another call gets none: the carrier is not called any more. None: it gets one, or needs none."""
        result = self.tracking_of(parcel)
        is_complete = isinstance(result, Failure) and not result.closes_carrier
        return None if is_complete else self.closed

    def note_outcome(self, outcome: Outcome) -> None:
        """Learn from a claim's outcome what holds for the claims after it."""
        if isinstance(outcome, Failure) and outcome.closes_carrier:
            self.closed = outcome


def _halves(numbers: Numbers) -> list[Numbers]:
    """The larger one first; of one number none."""
    middle = (len(numbers) + 1) // 2
    return [numbers[:middle], numbers[middle:]] if len(numbers) > 1 else []
