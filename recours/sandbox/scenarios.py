"""What a simulated carrier does with a parcel, in names that hold for every carrier; and the clock of the simulation."""

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
    """How the carrier behaves at one try to fetch a POD: two digits that choose it, and that in plain English."""

    digits: str
    story: str

    def __new__(cls, value: str, digits: str, story: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.digits = digits
        member.story = story
        return member

    # 0: it ends well
    DELIVERED = "delivered", "00", "delivered and signed for, the POD is a PDF"
    DELIVERED_PNG = "delivered_png", "04", "delivered and signed for, the POD is a PNG whatever is asked for"
    DELIVERED_NO_SIGNATORY = "delivered_no_signatory", "05", "delivered, no name is given, the POD is a PDF"
    # 1: a clear answer, no POD
    IN_TRANSIT = "in_transit", "10", "on its way, not delivered"
    UNKNOWN = "unknown", "11", "the carrier knows no such parcel"
    POD_LATE = "pod_late", "12", "delivered, the POD is not there yet"
    POD_NEVER = "pod_never", "13", "delivered, sent without signature: there will be no POD"
    POD_NONE = "pod_none", "14", "delivered, no POD online for this shipment"
    POD_UNSAID = "pod_unsaid", "15", "delivered, no POD, and no reason given"
    NOT_OURS = "not_ours", "16", "delivered, the POD call says the parcel is another customer's"
    AUTH_REFUSED = "auth_refused", "17", "delivered, the POD call refuses the password, whatever it is"
    RETURNED_TO_SENDER = (
        "returned_to_sender",
        "18",
        "back at its sender, in some answers with a delivery there",
    )
    ACCOUNT_DENIED = "account_denied", "19", "our account does not have the right, whatever the parcel"
    # 2: the carrier is in trouble
    SYSTEM_ERROR = "system_error", "20", "the carrier's own error message"
    RATE_LIMITED = "rate_limited", "21", "too many calls (HTTP 429)"
    FAULT_CLIENT = "fault_client", "22", "a fault that blames the request (HTTP 500)"
    FAULT_SERVER = "fault_server", "23", "a fault that blames the carrier (HTTP 500)"
    HTML = "html", "24", "a web page in place of an answer (HTTP 200)"
    MAINTENANCE = "maintenance", "25", "a maintenance page (HTTP 503)"
    BAD_GATEWAY = "bad_gateway", "26", "a bad gateway (HTTP 502)"
    EMPTY = "empty", "27", "an empty answer (HTTP 200)"
    # 3: the document is no document
    BAD_BASE64 = "bad_base64", "30", "delivered, the POD field does not decode"
    NOT_A_DOCUMENT = "not_a_document", "31", "delivered, the POD decodes to plain text"
    EMPTY_POD = "empty_pod", "32", "delivered, a POD is announced and its field is empty"
    BROKEN_PDF = "broken_pdf", "33", "delivered, the POD begins like a PDF and cannot be opened"
    HOLLOW_POD = (
        "hollow_pod",
        "34",
        "delivered, the POD opens and shows nothing: a blank page, or one that says that there is none",
    )
    # 6: it ends well, with a rarer document
    DELIVERED_GIF = "delivered_gif", "60", "delivered and signed for, the POD is a GIF whatever is asked for"
    POD_IMAGE_ONLY = (
        "pod_image_only",
        "61",
        "delivered and signed for; where either can be asked for, there is no PDF but an image of the signature",
    )
    FULL_EVIDENCE = (
        "full_evidence",
        "62",
        "delivered and signed for; every piece of evidence is there that the carrier may give: letters, signature, photo",
    )
    PARTLY_HOLLOW = (
        "partly_hollow",
        "63",
        "delivered and signed for; the letter opens and shows nothing, the other pieces of evidence do",
    )


_Item = TypeVar("_Item")
Event: TypeAlias = tuple[Any, ...]  # what a carrier tells of it, and how long before the last one it was
_S = Scenario

# What comes does not even begin like a document.
NO_DOCUMENT = frozenset({_S.BAD_BASE64, _S.NOT_A_DOCUMENT, _S.EMPTY_POD})
# Every piece is there that the carrier may give.
ALL_PIECES = frozenset({_S.FULL_EVIDENCE, _S.PARTLY_HOLLOW})

# The call after the tracking lists documents, and one is there to be asked for.
DOCUMENT_IS_THERE = frozenset(scenario for scenario in Scenario if scenario.digits[0] in "036")
NO_DOCUMENT_IS_THERE = frozenset({_S.POD_LATE, _S.POD_NEVER, _S.POD_NONE, _S.POD_UNSAID})
# The tracking call says "delivered"; what the scenario is about happens at the POD call.
DELIVERED_BY_TRACKING = DOCUMENT_IS_THERE | NO_DOCUMENT_IS_THERE | {_S.NOT_OURS, _S.AUTH_REFUSED}

# Of a parcel with an owner, what no other account gets: the proof, and where the carrier keeps that too, its whereabouts.
PROOF = DELIVERED_BY_TRACKING - {_S.AUTH_REFUSED}
WHEREABOUTS = frozenset({_S.IN_TRANSIT, _S.RETURNED_TO_SENDER})


# A step that answers in the carrier's place, such as an attack of the tests. In the state the scenario is DELIVERED.
Override: TypeAlias = Callable[["SimulatedCarrier", "Question", "ParcelState"], "Answer"]
Behavior: TypeAlias = Scenario | Override


@dataclass(frozen=True)
class Parcel:
    """A parcel's script: one scenario a try, the last one for ever. How far it has got is kept elsewhere.

    `delivered_after` is counted from the first answer that says "delivered", so it is negative for a delivery
    in the past. `retry_after` is the Retry-After header of RATE_LIMITED (seconds or an HTTP date), None for none.
    `owner` is the account that sent it: to others it is another customer's parcel. None: every account may ask about it.
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
# What happens to a number that nobody scripted, by two of its digits.
BY_DIGITS = dict(sorted(({scenario.digits: (scenario,) for scenario in Scenario} | _CHANGING).items()))


@cache
def parcel_for(digits: str) -> Parcel:
    """The script of a number that nobody scripted, by the digits in it that choose: by `BY_DIGITS`, else UNKNOWN."""
    return Parcel(BY_DIGITS.get(digits, (Scenario.UNKNOWN,)))


def scenario_table() -> list[tuple[str, str]]:
    """Rows of (two digits, what happens to a parcel whose number has them, in plain words)."""
    return [(digits, _story(steps)) for digits, steps in BY_DIGITS.items()]


def _story(steps: tuple[Scenario, ...]) -> str:
    """`tries 1 to 2: on its way; from try 3: delivered`, shortened."""
    if len(steps) == 1:
        return steps[0].story
    parts = []
    first = 1
    for scenario, run in groupby(steps[:-1]):
        last = first + len(list(run)) - 1
        when = f"try {first}" if first == last else f"tries {first} to {last}"
        parts.append(f"{when}: {scenario.story}")
        first = last + 1
    return "; ".join([*parts, f"from try {len(steps)}: {steps[-1].story}"])


# ---------------------------------------------------------------- how far each parcel has got in its script


@dataclass(frozen=True)
class ParcelState:
    """All that an answer to one call depends on, beside the call. Times are aware UTC, in whole seconds."""

    scenario: Scenario
    parcel: Parcel
    tries: int  # steps used up before this call
    first_seen: datetime
    delivered_at: datetime
    override: Override | None = None  # what answers in the scenario's place

    @property
    def is_delivered(self) -> bool:
        """Tell whether the parcel has arrived somewhere: IN_TRANSIT is the one scenario in which it has not."""
        return self.scenario is not Scenario.IN_TRANSIT

    def alternate(self, items: Sequence[_Item]) -> _Item:
        """Another one at each try."""
        return items[self.tries % len(items)]

    def history(
        self, on_the_way: Sequence[Event], arrival: Event, end_of_return: Sequence[Event], *not_yet: Event
    ) -> list[Event]:
        """The events of the parcel, the oldest first, with their times in the place of their ages.

        One that has not arrived shows in turn the events `not_yet`, in the place of the last one on the way.
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
    """The parcels' progress. Not thread-safe: the sandbox holds its lock around every call."""

    _progress: dict[str, _Progress] = field(default_factory=dict)

    def next_state(
        self,
        number: str,
        script: Parcel,
        now: datetime,
        *,
        goes_on: Collection[Scenario],
        refused: bool,
        hidden: Collection[Scenario] | None = None,
    ) -> ParcelState:
        """Say what the call gets and use up the step.

        `goes_on`: in these scenarios nothing is used up, since the call that follows does: such as the POD call after a
        tracking call that answers "delivered". `refused` means a wrong password, which stands above the script. `hidden`:
        another account than the owner's asks, which gets NOT_OURS in these scenarios; it uses up nothing. None: the owner.
        Another script object for the number begins anew.
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
        if hidden is None and (refused or step not in goes_on):
            progress.steps_used += 1
        return state


def french_time(at: datetime) -> datetime:
    """A time as clocks in France show it."""
    return at.astimezone(ZoneInfo("Europe/Paris"))


# ---------------------------------------------------------------- time that moves only when told to


_START = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)  # a Monday


class SimulatedClock:
    """Time for the demo and the tests: the wall clock and the monotonic one move together. Thread-safe."""

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
        """Advance by so many seconds and return at once. Sleeps of several threads add up."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, duration: timedelta) -> None:
        """Move on. Raises ValueError for a negative duration: monotonic time never goes back."""
        if duration < timedelta():
            raise ValueError("a simulated clock does not go back")
        with self._lock:
            self._passed += duration
