"""Claims of one carrier that share a tracking call: what it answered, and how a number that makes it fail is singled out.

A call that fails is made again about each half of its numbers, and so on: of thirty numbers one takes eleven calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from recours.core.claim import Delivery
from recours.core.errors import OUTAGE_KINDS, TRAITS, ErrorKind
from recours.core.outcome import Failure, Outcome
from recours.runs.ports import Asked

# By number.
Tracking = Mapping[str, Delivery | Failure]
Numbers = tuple[str, ...]

# How a call about several numbers fails if the carrier refuses one of them. Any other failure may come from one number that
# upsets the service, or from a service that is down.
_OF_ONE_NUMBER = frozenset({ErrorKind.INVALID_TRACKING, ErrorKind.NOT_FOUND, ErrorKind.ACCESS_DENIED})
# A single bad number never makes three calls in a row fail: its group, one half, and then the other is answered. After these,
# one number is asked about alone.
_OF_SEVERAL = 3


@dataclass
class Bundle:
    """What is known about the claims while they are asked about, one after another."""

    asked: Sequence[Asked]
    tracking: dict[str, Delivery | Failure] = field(default_factory=dict)  # what shared calls answered
    closed: Failure | None = None  # the answer after which the carrier is not called any more
    outage: Failure | None = None  # how the carrier fails whatever it is asked about: nothing more is asked
    _calls: list[Numbers] = field(init=False)  # shared ones to be made, in their order
    _failed: dict[Numbers, Failure | None] = field(default_factory=dict)
    _failures_in_a_row: int = 0  # that are alike
    _last_failure: Failure | None = None
    _has_answered: bool = False  # one of the shared calls

    def __post_init__(self) -> None:
        self._calls = [self.numbers] if sum(one.known is None for one in self.asked) > 1 else []

    @property
    def numbers(self) -> Numbers:
        """The numbers to track, each once."""
        return tuple(dict.fromkeys(one.number for one in self.asked if one.known is None))

    # ---------------------------------------------------------------- the shared calls

    def next_call(self, one: Asked) -> Numbers:
        """The numbers of a call to be made before this claim is asked about; none: there is no such call."""
        if one.known is not None or self.closed or not self._calls:
            return ()
        numbers = self._calls.pop(0)
        if self._failures_in_a_row >= self._tolerance and len(numbers) > 1:
            self._calls.insert(0, numbers[1:])
            return numbers[:1]
        return numbers

    def note_tracking(self, numbers: Numbers, answer: Tracking | Failure | None) -> None:
        """Take the answer of a call about these numbers; a number that it leaves out is asked about in its claim's turn.

        None: it failed in a way that only a claim's own turn can explain.
        """
        if not (answer is None or isinstance(answer, Failure)):
            self.tracking |= answer
            self._has_answered = True
            self._failures_in_a_row = 0
        elif answer and (answer.closes_carrier or not TRAITS[answer.kind].uses_attempt):
            self.tracking |= dict.fromkeys(sum(self._calls, numbers), answer)
            self._calls.clear()
        else:
            self._note_failure(numbers, answer)

    def _note_failure(self, numbers: Numbers, failure: Failure | None) -> None:
        self._failed[numbers] = failure
        if not _are_alike(failure, self._last_failure):
            self._failures_in_a_row = 0
        self._last_failure = failure
        self._failures_in_a_row += 1
        is_single = len(numbers) == 1
        if is_single and failure:
            self.tracking[numbers[0]] = failure
        if failure and not failure.connected:  # which is no number's doing
            self.outage = failure
        elif is_single and failure and self._failures_in_a_row > self._tolerance:
            # Of that kind, most numbers are bad, or several are too many for the carrier.
            self.outage = None if failure.kind in _OF_ONE_NUMBER else failure
        elif failure or self._failures_in_a_row < self._tolerance:
            self._calls += [half for half in _halves(numbers) if failure or len(half) > 1]
            return
        self._calls.clear()

    @property
    def _tolerance(self) -> int:
        """How many failures in a row may be those of a few numbers: of more, if the carrier has answered a moment ago."""
        return 2 * _OF_SEVERAL if self._has_answered else _OF_SEVERAL

    @property
    def unanswered(self) -> list[str]:
        """The numbers that are asked about in their claims' turns, as no shared call told anything about them."""
        left = self.closed or self.outage
        return [] if left else [number for number in self.numbers if number not in self.tracking]

    @property
    def failure(self) -> Failure | None:
        """How the call about all numbers failed, if a failure tells that."""
        return self._failed.get(self.numbers)

    @property
    def upsetting(self) -> set[str]:
        """The numbers that make calls about several fail: those that fail alone, or what a call that failed comes down to."""
        if self.outage:
            return set()
        found = {numbers[0] for numbers in self._failed if len(numbers) == 1}
        for numbers in self._failed:
            if not any(set(numbers) > set(fewer) for fewer in self._failed):
                found |= {half[0] for half in _halves(numbers) if len(half) == 1}
        return found

    # ---------------------------------------------------------------- a claim's turn

    def tracking_of(self, one: Asked) -> Delivery | Failure | None:
        """A shared call's answer about a claim's parcel; None: it is asked about in its turn."""
        return self.tracking.get(one.number, self.outage) if one.known is None else None

    def is_left(self, one: Asked) -> bool:
        """Tell whether nothing was asked about this claim, as the carrier is down."""
        return self.outage is not None and one.known is None and one.number not in self.tracking

    def answer_without_call(self, one: Asked) -> Failure | None:
        """The answer of a claim that needs another call, if the carrier is not called any more."""
        found = self.tracking_of(one)
        is_complete = isinstance(found, Failure) and not found.closes_carrier
        if self.closed is None or is_complete:
            return None
        return replace(self.closed, delivery=found if isinstance(found, Delivery) else one.known)

    def note_outcome(self, outcome: Outcome) -> None:
        """Learn from a claim's outcome what holds for the claims after it."""
        if isinstance(outcome, Failure) and outcome.closes_carrier:
            self.closed = outcome


def _are_alike(failure: Failure | None, other: Failure | None) -> bool:
    if failure is None or other is None:
        return failure is other
    return failure.kind is other.kind or OUTAGE_KINDS.issuperset({failure.kind, other.kind})


def _halves(numbers: Numbers) -> list[Numbers]:
    """The larger one first; of one number none."""
    middle = (len(numbers) + 1) // 2
    return [numbers[:middle], numbers[middle:]] if len(numbers) > 1 else []
