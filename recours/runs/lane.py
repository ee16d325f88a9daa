"""One account of a carrier in one run: whether it is open, how many calls are under way, what made it close."""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recours.core.accounts import account_name
from recours.core.claim import Claim, Delivery
from recours.core.errors import MACHINE_FAULTS, OUTAGE_KINDS, RAISE_FILE_LIMIT, REFUSED_KINDS, ErrorKind
from recours.core.order import Urgency
from recours.core.outcome import Failure, Outcome
from recours.core.pauses import Blocked, Refusal
from recours.core.sentences import Sentence, SentenceParts, sentence
from recours.host.installation import how_to_install_again
from recours.runs.ports import Ready, Reservation

# So many failures of the carrier itself in a row, without another answer between, are an outage.
OUTAGE_AFTER = 3
# So many parcels denied to an account in one run may be its fault: the operator is told.
MANY_DENIED = 5
# So many claims in a row that the program stumbles over in the same place are a broken installation; one is a strange claim.
SAME_MISTAKES = 3
# So many lanes are asked at once. If there are no more, all are asked each time, and no head has to be read again.
LANES_AT_ONCE = 16


@dataclass(frozen=True)
class Mistake:
    """An exception of recours's own in a fetch: which one, and where.

    `remedy`: known from the first one on; None: not known. `of_any_claim`: any other would have met it too.
    """

    message: str
    place: str
    remedy: str | None = None
    of_any_claim: bool = False


def mistake_of(error: Exception) -> Mistake:
    """What it was, and the line that raised it."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    message = f"{type(error).__name__}: {error}" if isinstance(error, ImportError) else type(error).__name__
    is_any = isinstance(error, ImportError) or _lacks_files(error)
    return Mistake(message, f"{type(error).__name__} {place}", _remedy_of(error), of_any_claim=is_any)


def _remedy_of(error: Exception) -> str | None:
    """For what is the machine's fault, though an answer that takes all its memory is one claim's."""
    causes = (error, error.__cause__)
    if any(isinstance(cause, MemoryError) for cause in causes):
        return "This machine has too little memory for a run; '--concurrency 1' needs the least"
    if _lacks_files(error):
        return f"This machine has no file or no memory left. {RAISE_FILE_LIMIT}"
    if any(isinstance(cause, ImportError) for cause in causes):
        return f"Packages are missing or do not fit: {how_to_install_again()}"
    return None


def _lacks_files(error: Exception) -> bool:
    causes = (error, error.__cause__)
    return any(isinstance(cause, OSError) and cause.errno in MACHINE_FAULTS for cause in causes)


@dataclass
class Mistakes:
    """The mistakes of a lane, by the ids of their claims. They are not recorded before it is known whose fault they are."""

    waiting: list[Any] = field(default_factory=list)  # in a row, in the same place
    # Whose answers are to be recorded without using an attempt.
    excused: set[Any] = field(default_factory=set)
    is_run_at_fault: bool = False
    _place: str = ""
    _of_any_claim: bool = False

    @property
    def puts_last(self) -> bool:
        """Tell whether the excused claims would else keep all others of the carrier from being asked about, run after run.

        Not where a package is missing: then it is none of these claims' doing.
        """
        return self.is_run_at_fault and not self._of_any_claim

    def note(self, claim_id: Any, mistake: Mistake | None) -> int:
        """Take an answer, or the mistake in its place; returns how many claims are excused if the run is at fault from now on.

        What does not wait any more may be recorded.
        """
        if mistake is None:
            self.waiting.clear()
        elif self.is_run_at_fault:
            self.excused.add(claim_id)
        else:
            if mistake.place != self._place:
                self.waiting.clear()
            self._place = mistake.place
            self._of_any_claim = mistake.of_any_claim
            self.waiting.append(claim_id)
            if mistake.remedy is not None or len(self.waiting) >= SAME_MISTAKES:
                self.is_run_at_fault = True
                self.excused.update(self.waiting)
                self.waiting.clear()
                return len(self.excused)
        return 0


@dataclass
class Outage:
    """What a run knows of a carrier's own failures: whichever of its accounts meets them, they close all its lanes."""

    failures_in_a_row: int = 0
    refusal: Refusal | None = None


@dataclass
class Lane:
    """One account in one run. The key "" stands for claims of no carrier that we know: they need no call."""

    key: str
    name: str  # the carrier's
    client: str = ""  # the address of the one whose account it is; "": the default account
    outage: Outage = field(default_factory=Outage)  # shared by the lanes of the carrier
    in_flight: int = 0  # bundles that are being fetched
    denied: int = 0  # parcels, in this run
    documents: Refusal | None = None  # why the account gets none, though it may track
    refusal: Refusal | None = None
    closes: bool = False  # some thread heard an answer after which the carrier is not asked
    drained: bool = False  # no ready claim of it was left when last looked
    not_before: float = 0.0  # monotonic seconds: others hold the last units, and may give them back
    waits_since: float | None = None
    mistakes: Mistakes = field(default_factory=Mistakes)
    # Of claims of the other worker that are ready: the ends of their deadlines, and when they were read (monotonic seconds).
    deadlines: Sequence[datetime] = ()
    deadlines_read_at: float | None = None

    @property
    def account(self) -> str:
        return account_name(self.name, self.client)

    @property
    def is_closing(self) -> bool:
        return self.closes or self.outage.refusal is not None

    @property
    def is_over(self) -> bool:
        return self.is_closing or self.refusal is not None or self.drained

    def is_open(self, monotonic: float) -> bool:
        return not self.is_over and monotonic >= self.not_before

    @property
    def waits(self) -> bool:
        return self.refusal is None and not self.drained and self.waits_since is not None

    def wait(self, since: float, until: float) -> None:
        """Lease no claim of it before `until`; it has waited since `since` (both monotonic seconds)."""
        self.waits_since, self.not_before, self.drained = since, until, False

    @property
    def denials(self) -> Refusal | None:
        """What to tell of the parcels that the carrier denied to this account, if they are many. It closes nothing."""
        if self.denied < MANY_DENIED:
            return None
        description = SentenceParts(Sentence.PARCELS_DENIED, self.name, str(self.denied), self.client)
        return Refusal(
            Blocked.CARRIER,
            sentence("en", description),
            kind=ErrorKind.ACCESS_DENIED,
            explanation=description,
        )

    def note(self, outcome: Outcome, *, called: bool = True, shows_outage: bool = False) -> Refusal | None:
        """Learn from an answer; a refusal if it closed the lane now.

        `called`: a call was tried for this claim alone; else another claim's brought the answer, which is no new sign of
        an outage. `shows_outage`: several calls in a row failed.
        """
        kind = outcome.kind
        self.denied += kind is ErrorKind.ACCESS_DENIED
        if kind not in OUTAGE_KINDS:
            self.outage.failures_in_a_row = 0
        elif called:
            self.outage.failures_in_a_row += OUTAGE_AFTER if shows_outage else 1
        if not isinstance(outcome, Failure) or outcome.alone:
            return None
        refusal = self._closing(outcome)
        if refusal is None:
            return None
        self.closes = True
        if not _is_of_account(outcome):
            self.outage.refusal = self.outage.refusal or refusal
        if self.refusal:  # it is closed already
            return None
        self.refusal = refusal
        return refusal

    def repeats_outage(self, outcome: Outcome) -> bool:
        """Tell whether a failure is no news: the carrier was closed for it while the call was under way."""
        return outcome.kind in OUTAGE_KINDS and self.outage.refusal is not None

    def leave_unreachable(self, outcome: Outcome) -> None:
        """A claim of it is still due, as no connection was made: it is one of those that its carrier left behind."""
        if self.refusal is None and isinstance(outcome, Failure):
            self.refusal = Refusal(Blocked.CARRIER, outcome.message, kind=outcome.kind)

    def _closing(self, failure: Failure) -> Refusal | None:
        if failure.kind is ErrorKind.RATE_LIMITED:
            return Refusal(
                Blocked.RATE_LIMIT, failure.message, failure.retry_at, explanation=failure.explanation
            )
        if failure.kind in REFUSED_KINDS or failure.retry_at:  # or it is unavailable, and says for how long
            return Refusal(
                Blocked.CARRIER,
                failure.message,
                failure.retry_at,
                kind=failure.kind,
                explanation=failure.explanation,
            )
        if self.outage.failures_in_a_row >= OUTAGE_AFTER:
            reason = f"{self.name} failed {OUTAGE_AFTER} times in a row; its other claims are left for later"
            return Refusal(Blocked.CARRIER, reason, kind=failure.kind)
        return None


@dataclass(eq=False)
class LeasedClaim:
    """A claim that the run is about to ask about, or has an answer about that is not recorded yet."""

    claim: Claim
    lane: Lane
    reservation: Reservation
    until: datetime
    delivery: Delivery | None  # what the fetch goes by


def _is_of_account(failure: Failure) -> bool:
    """Tell whether a failure that closes a lane says nothing of the carrier's other accounts."""
    return failure.kind in REFUSED_KINDS or failure.kind is ErrorKind.RATE_LIMITED


class LaneOrder:
    """The keys of lanes with claims to lease, that with the most urgent one first: of thousands, a few are asked for each bundle.

    The most urgent claims, however many, lie in at most as many lanes: those with the most urgent heads. After a bundle,
    the head of a lane that was asked comes no earlier than the last claim of the bundle: that place stands for it, and it is
    read again only when too few of the lanes asked have a head that was read. A head may also be too urgent since other
    runs lease claims and ranks pass: then the lane is asked in vain and its head read again. It may be too late only where a
    claim has become ready since: that claim keeps the order if its lane is asked anyway, else from the next slice on.
    """

    def __init__(self, ready: Mapping[str, Ready]) -> None:
        self._heads = {key: lane.head for key, lane in ready.items()}
        self._sorted = sorted((head, key) for key, head in self._heads.items())
        self._is_long = len(self._heads) > LANES_AT_ONCE
        self._outdated: set[str] = set()

    def __iter__(self) -> Iterator[str]:
        """The keys in their order; none may be moved meanwhile."""
        for _, key in self._sorted:
            yield key

    def leased(self, keys: Collection[str], last: Urgency | None) -> None:
        """These lanes were asked, and gave their claims up to the place `last`; None: all that they had."""
        if self._is_long:
            for key in keys:
                if (head := self._heads.get(key)) is not None and (last is None or head <= last):
                    self.move(key, last or head)
                    self._outdated.add(key)

    def suffices(self, keys: Collection[str], count: int) -> bool:
        """Tell whether the `count` most urgent claims lie in these lanes, which are the first in the order."""
        return len(keys) - len(self._outdated.intersection(keys)) >= count

    def take_outdated(self) -> list[str]:
        """The lanes whose heads must be read again; they count as read."""
        outdated = sorted(self._outdated)
        self._outdated = set()
        return outdated

    def returned(self, key: str, place: Urgency) -> None:
        """A claim with this place is ready in the lane again."""
        self.move(key, min(self._heads.get(key, place), place))

    def move(self, key: str, head: Urgency | None) -> None:
        """The lane's most urgent claim has this place; None: nothing is to be leased there."""
        if (old := self._heads.pop(key, None)) is not None:
            del self._sorted[bisect_left(self._sorted, (old, key))]
        if head is None:
            self._outdated.discard(key)
        else:
            self._heads[key] = head
            insort(self._sorted, (head, key))
