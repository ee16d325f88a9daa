"""The scenarios that a simulated carrier can play, with the same names for all carriers, and the simulated clock."""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from recours.sandbox.answers import Answer, Question, SimulatedCarrier


class Scenario(StrEnum):
    """The carrier's behavior in one attempt to fetch a POD, with the two digits that choose it and a description."""

    digits: str
    story: str

    def __new__(cls, value: str, digits: str, story: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.digits = digits
        member.story = story
        return member

    # 0: successful
    DELIVERED = "delivered", "00", "delivered and signed for, the POD is a PDF"
    DELIVERED_PNG = "delivered_png", "04", "delivered and signed for, the POD is always a PNG"
    DELIVERED_NO_SIGNATORY = "delivered_no_signatory", "05", "delivered without a name, the POD is a PDF"
    # 1: a clear answer without a POD
    IN_TRANSIT = "in_transit", "10", "on its way, not delivered"
    UNKNOWN = "unknown", "11", "the carrier does not know the parcel"
    POD_LATE = "pod_late", "12", "delivered, the POD is not available yet"
    POD_NEVER = "pod_never", "13", "delivered, sent without a signature, so there will be no POD"
    POD_NONE = "pod_none", "14", "delivered, no POD online for this shipment"
    POD_UNSAID = "pod_unsaid", "15", "delivered, no POD, and no reason given"
    NOT_OURS = "not_ours", "16", "delivered, the POD call says that the parcel belongs to another customer"
    AUTH_REFUSED = "auth_refused", "17", "delivered, the POD call rejects any password"
    RETURNED_TO_SENDER = "returned_to_sender", "18", "back at its sender, in some answers as a delivery"
    ACCOUNT_DENIED = "account_denied", "19", "our account has no permission, regardless of the parcel"
    # 2: the carrier has a problem
    SYSTEM_ERROR = "system_error", "20", "the carrier's own error message"
    RATE_LIMITED = "rate_limited", "21", "too many calls (HTTP 429)"
    FAULT_CLIENT = "fault_client", "22", "a fault that blames the request (HTTP 500)"
    FAULT_SERVER = "fault_server", "23", "a fault that blames the carrier (HTTP 500)"
    HTML = "html", "24", "a web page instead of an answer (HTTP 200)"
    MAINTENANCE = "maintenance", "25", "a maintenance page (HTTP 503)"
    BAD_GATEWAY = "bad_gateway", "26", "a bad gateway (HTTP 502)"
    EMPTY = "empty", "27", "an empty answer (HTTP 200)"
    # 3: the document is not valid
    BAD_BASE64 = "bad_base64", "30", "delivered, the POD field cannot be decoded"
    NOT_A_DOCUMENT = "not_a_document", "31", "delivered, the POD decodes to plain text"
    EMPTY_POD = "empty_pod", "32", "delivered, a POD is announced, but its field is empty"
    BROKEN_PDF = "broken_pdf", "33", "delivered, the POD starts like a PDF but cannot be opened"
    HOLLOW_POD = "hollow_pod", "34", "delivered, the POD is blank or says that no POD exists"
    # 6: successful, with a less common document
    DELIVERED_GIF = "delivered_gif", "60", "delivered and signed for, the POD is always a GIF"
    POD_IMAGE_ONLY = "pod_image_only", "61", "delivered and signed for, an image instead of the PDF"
    FULL_EVIDENCE = "full_evidence", "62", "delivered and signed for, with all evidence the carrier has"
    PARTLY_HOLLOW = "partly_hollow", "63", "delivered and signed for, only the letter shows nothing"


_Item = TypeVar("_Item")
Event: TypeAlias = tuple[Any, ...]  # the carrier's facts about the event, and its time before the last event
_S = Scenario

# Scenarios whose content does not start like a document.
NO_DOCUMENT = frozenset({_S.BAD_BASE64, _S.NOT_A_DOCUMENT, _S.EMPTY_POD})
# Scenarios with every piece that the carrier can provide.
ALL_PIECES = frozenset({_S.FULL_EVIDENCE, _S.PARTLY_HOLLOW})

# Scenarios in which the call after the tracking call lists a document that can be requested.
DOCUMENT_IS_THERE = frozenset(scenario for scenario in Scenario if scenario.digits[0] in "036")
NO_DOCUMENT_IS_THERE = frozenset({_S.POD_LATE, _S.POD_NEVER, _S.POD_NONE, _S.POD_UNSAID})
# Scenarios in which the tracking call says "delivered", and the POD call has the scenario's answer.
DELIVERED_BY_TRACKING = DOCUMENT_IS_THERE | NO_DOCUMENT_IS_THERE | {_S.NOT_OURS, _S.AUTH_REFUSED}

# Scenarios in which other accounts get no proof and, at some carriers, no tracking of a parcel that has an owner.
PROOF = DELIVERED_BY_TRACKING - {_S.AUTH_REFUSED}
WHEREABOUTS = frozenset({_S.IN_TRANSIT, _S.RETURNED_TO_SENDER})


# A step that answers instead of the carrier, such as an attack in the tests. The state's scenario is then DELIVERED.
Override: TypeAlias = Callable[["SimulatedCarrier", "Question", "ParcelState"], "Answer"]
Behavior: TypeAlias = Scenario | Override


@dataclass(frozen=True)
class Parcel:
    """A parcel's script: one scenario per attempt, the last of which repeats forever. See `ScriptProgress`.

    `delivered_after` is counted from the first answer that says "delivered", so it is negative for a delivery in the
    past. `retry_after` is the Retry-After header of RATE_LIMITED (seconds or an HTTP date), or None. `owner` is the
    account that sent the parcel; other accounts get the answer for another customer's parcel. If None, any account may
    ask about it.
    """

    steps: tuple[Behavior, ...]
    signatory: str = "DUPONT"
    delivered_after: timedelta = timedelta(hours=-26)
    retry_after: str | None = "120"
    owner: str | None = None

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("a parcel needs at least one step")


_CHANGING: dict[str, tuple[Scenario, ...]] = {
    "01": (_S.IN_TRANSIT, _S.DELIVERED),
    "02": (_S.IN_TRANSIT, _S.IN_TRANSIT, _S.DELIVERED),
    "03": (_S.IN_TRANSIT, _S.IN_TRANSIT, _S.IN_TRANSIT, _S.DELIVERED),
    "06": (_S.IN_TRANSIT, _S.POD_LATE, _S.DELIVERED),
    "07": (_S.MAINTENANCE, _S.DELIVERED),
    "08": (_S.RATE_LIMITED, _S.DELIVERED),
}
# The default scripts, by two digits of the number.
BY_DIGITS = dict(sorted(({scenario.digits: (scenario,) for scenario in Scenario} | _CHANGING).items()))


@cache
def parcel_for(digits: str) -> Parcel:
    """The default script for these digits of a number, or UNKNOWN if `BY_DIGITS` has none."""
    return Parcel(BY_DIGITS.get(digits, (Scenario.UNKNOWN,)))


def scenario_table() -> list[tuple[str, str]]:
    """The table's rows: two digits, and a description of their scenarios."""
    return [(digits, _story(steps)) for digits, steps in BY_DIGITS.items()]


def _story(steps: tuple[Scenario, ...]) -> str:
    """A description of a script, such as `attempts 1 to 2: on its way; from attempt 3: delivered`."""
    if len(steps) == 1:
        return steps[0].story
    parts = []
    first = 1
    for scenario, run in groupby(steps[:-1]):
        last = first + len(list(run)) - 1
        when = f"attempt {first}" if first == last else f"attempts {first} to {last}"
        parts.append(f"{when}: {scenario.story}")
        first = last + 1
    return "; ".join([*parts, f"from attempt {len(steps)}: {steps[-1].story}"])


# ---------------------------------------------------------------- the progress of each parcel in its script


@dataclass(frozen=True)
class ParcelState:
    """Everything besides the call that determines the answer. Times are aware UTC, in whole seconds."""

    scenario: Scenario
    parcel: Parcel
    attempts: int  # steps used up before this call
    first_seen: datetime
    delivered_at: datetime
    override: Override | None = None  # answers instead of the scenario

    @property
    def is_delivered(self) -> bool:
        """Return whether the parcel has arrived somewhere, which is true in all scenarios except IN_TRANSIT."""
        return self.scenario is not Scenario.IN_TRANSIT

    def alternate(self, items: Sequence[_Item]) -> _Item:
        """The item for this attempt. Each attempt gets the next item, and the first one again after the last."""
        return items[self.attempts % len(items)]

    def history(
        self, on_the_way: Sequence[Event], arrival: Event, end_of_return: Sequence[Event], *not_yet: Event
    ) -> list[Event]:
        """The events of the parcel, oldest first, with absolute times.

        If the parcel has not arrived, its last event is one of `not_yet`, a different one at each attempt.
        """
        events = [*on_the_way]
        if self.scenario is Scenario.RETURNED_TO_SENDER:
            events += end_of_return
        elif self.is_delivered:
            events.append(arrival)
        elif not_yet:
            events[-1] = self.alternate(not_yet)
        return [(*texts, self.last_at - age) for *texts, age in events]

    @property
    def last_at(self) -> datetime:
        return self.delivered_at if self.is_delivered else self.first_seen


@dataclass
class _Progress:
    script: Parcel
    first_seen: datetime
    steps_used: int = 0
    delivered_at: datetime | None = None


@dataclass(eq=False)
class ScriptProgress:
    """The progress of the parcels. Not thread-safe: the sandbox holds its lock during every call."""

    _progress: dict[str, _Progress] = field(default_factory=dict)

    def next_state(
        self,
        number: str,
        script: Parcel,
        now: datetime,
        *,
        continues_in: Collection[Scenario],
        refused: bool,
        hidden: Collection[Scenario] | None = None,
    ) -> ParcelState:
        """Return the state for a call and use up the step.

        `continues_in`: scenarios in which this call does not use up the step, because another call follows that does, such
        as the POD call after a tracking call that answers "delivered". `refused`: the password is wrong, which
        overrides the script. `hidden`: None if the owner's account calls; otherwise the scenarios in which the account
        gets NOT_OURS, without using up a step. A number starts over when its script is replaced by another object.
        """
        at = now.replace(microsecond=0)
        progress = self._progress.get(number)
        if progress is None or progress.script is not script:
            progress = self._progress[number] = _Progress(script, at)
        step = script.steps[min(progress.steps_used, len(script.steps) - 1)]
        if hidden and step in hidden:
            step = Scenario.NOT_OURS
        delivered = not refused and step in DELIVERED_BY_TRACKING
        played = Scenario.AUTH_REFUSED if refused else step
        state = ParcelState(
            played if isinstance(played, Scenario) else Scenario.DELIVERED,
            script,
            progress.steps_used,
            progress.first_seen,
            progress.delivered_at or at + script.delivered_after,
            None if isinstance(played, Scenario) else played,
        )
        if delivered:
            progress.delivered_at = state.delivered_at
        if hidden is None and (refused or step not in continues_in):
            progress.steps_used += 1
        return state


def french_time(at: datetime) -> datetime:
    """A time in French local time."""
    return at.astimezone(ZoneInfo("Europe/Paris"))


# ---------------------------------------------------------------- simulated time


_START = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)  # a Monday


class SimulatedClock:
    """A clock for the demo and the tests, whose wall-clock and monotonic times move together. Thread-safe."""

    def __init__(self, start: datetime = _START) -> None:
        if start.tzinfo is None:
            raise ValueError("a simulated clock starts at an aware datetime")
        self._start = start.astimezone(UTC)
        self._passed = timedelta()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._start + self._passed

    def monotonic(self) -> float:
        with self._lock:
            return self._passed.total_seconds()

    def sleep(self, seconds: float) -> None:
        """Advance by this many seconds and return immediately. The times of several sleeping threads add up."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, duration: timedelta) -> None:
        """Advance the clock. Raises ValueError for a negative duration, because monotonic time never goes back."""
        if duration < timedelta():
            raise ValueError("a simulated clock cannot go back")
        with self._lock:
            self._passed += duration
