"""One account of a carrier in one run: whether it takes calls, how many are in progress, why it was closed."""

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

# This many failures of the carrier itself in a row, without another answer in between, count as an outage.
OUTAGE_AFTER = 3
# If an account is denied this many parcels in one run, the account may be the cause: the operator is notified.
MANY_DENIED = 5
# This many exceptions in a row in the same place mean a broken installation; fewer may be due to unusual claims.
SAME_MISTAKES = 3
# The most lanes that one lease query covers. With no more lanes than this, no head has to be read again.
LANES_AT_ONCE = 16


@dataclass(frozen=True)
class Mistake:
    """An exception that recours itself raised in a fetch, and where.

    `remedy`: what to do, if the exception tells; None: unknown. `of_any_claim`: every claim would have raised it.
    """

    message: str
    place: str
    remedy: str | None = None
    of_any_claim: bool = False


def describe_mistake(error: Exception) -> Mistake:
    """Describe an exception, with the line that raised it."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    message = f"{type(error).__name__}: {error}" if isinstance(error, ImportError) else type(error).__name__
    is_any = isinstance(error, ImportError) or _lacks_files(error)
    return Mistake(message, f"{type(error).__name__} {place}", _remedy_of(error), of_any_claim=is_any)


def _remedy_of(error: Exception) -> str | None:
    """Return what to do about a fault of the machine; None for other faults. One huge answer may exhaust memory too."""
    causes = (error, error.__cause__)
    # CPython raises SystemError where C code that ran out of memory did not say so.
    if any(isinstance(cause, MemoryError | SystemError) for cause in causes):
        return "This machine has too little memory for a run; '--concurrency 1' needs the least"
    if _lacks_files(error):
        return f"This machine is out of file descriptors or memory. {RAISE_FILE_LIMIT}"
    if any(isinstance(cause, ImportError) for cause in causes):
        return f"Packages are missing or incompatible: {how_to_install_again()}"
    return None


def _lacks_files(error: Exception) -> bool:
    causes = (error, error.__cause__)
    return any(isinstance(cause, OSError) and cause.errno in MACHINE_FAULTS for cause in causes)


@dataclass
class Mistakes:
    """The internal errors of a lane, by claim id; recorded once it is clear whether the claim or the run is at fault."""

    waiting: list[Any] = field(default_factory=list)  # in a row, in the same place, not recorded yet
    # Claims whose answers are recorded without using an attempt.
    excused: set[Any] = field(default_factory=set)
    is_run_at_fault: bool = False
    _place: str = ""
    _of_any_claim: bool = False

    @property
    def ranks_last(self) -> bool:
        """Return whether the excused claims are ranked last, so that they do not block the carrier's other claims in every run.

        They keep their rank if a package is missing, because the claims did not cause this failure.
        """
        return self.is_run_at_fault and not self._of_any_claim

    def note(self, claim_id: Any, mistake: Mistake | None) -> int:
        """Register an answer (None) or an internal error.

        If this error shows that the run itself is at fault, return the number of excused claims; else 0.
        Claims that leave `waiting` may be recorded.
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
                self.excuse()
                return len(self.excused)
        return 0

    def excuse(self) -> None:
        """Excuse the claims that wait, because the run is at fault."""
        self.excused.update(self.waiting)
        self.waiting.clear()


@dataclass
class Outage:
    """A carrier's own failures in one run. Whichever account they occur on, they close all lanes of the carrier."""

    failures_in_a_row: int = 0
    refusal: Refusal | None = None


@dataclass
class Lane:
    """One account in one run. The key "" stands for claims without a known carrier, which need no call."""

    key: str
    name: str  # the carrier's
    client: str = ""  # the email address of the client that owns the account; "": the default account
    outage: Outage = field(default_factory=Outage)  # shared by the lanes of the carrier
    in_flight: int = 0  # bundles being fetched
    denied: int = 0  # parcels denied in this run
    documents: Refusal | None = None  # why the account gets no documents, although it may track parcels
    refusal: Refusal | None = None
    closes: bool = False  # a thread received an answer after which the carrier gets no more calls
    drained: bool = False  # no ready claim was left at the last lease
    not_before: float = 0.0  # monotonic seconds: until then, others may return the last reserved units
    waits_since: float | None = None
    mistakes: Mistakes = field(default_factory=Mistakes)
    # The deadlines of the other worker's ready claims, and when they were read (monotonic seconds).
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
        """Lease no claim of this lane before `until`; it has been waiting since `since` (both monotonic seconds)."""
        self.waits_since, self.not_before, self.drained = since, until, False

    @property
    def denials(self) -> Refusal | None:
        """The warning about many parcels denied to this account, or None. Denials do not close the lane."""
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
        """Register an answer, and return a refusal if the answer closed the lane.

        `called`: a call was made for this claim alone. If not, the answer is from a shared call and does not count
        again toward an outage. `shows_outage`: several calls in a row failed.
        """
        kind = outcome.kind
        self.denied += kind is ErrorKind.ACCESS_DENIED
        if kind not in OUTAGE_KINDS:
            self.outage.failures_in_a_row = 0
        elif called:
            self.outage.failures_in_a_row += OUTAGE_AFTER if shows_outage else 1
        if not isinstance(outcome, Failure) or outcome.claim_only:
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
        """Return whether a failure belongs to an outage for which the carrier was closed during the call."""
        return outcome.kind in OUTAGE_KINDS and self.outage.refusal is not None

    def count_unreachable(self, outcome: Outcome) -> None:
        """Count the lane's due claims as skipped for the carrier, since no connection could be made."""
        if self.refusal is None and isinstance(outcome, Failure):
            self.refusal = Refusal(Blocked.CARRIER, outcome.message, kind=outcome.kind)

    def _closing(self, failure: Failure) -> Refusal | None:
        if failure.kind is ErrorKind.RATE_LIMITED:
            return Refusal(
                Blocked.RATE_LIMIT, failure.message, failure.retry_at, explanation=failure.explanation
            )
        if (
            failure.kind in REFUSED_KINDS or failure.retry_at
        ):  # retry_at: the carrier is unavailable until then
            return Refusal(
                Blocked.CARRIER,
                failure.message,
                failure.retry_at,
                kind=failure.kind,
                explanation=failure.explanation,
            )
        if self.outage.failures_in_a_row >= OUTAGE_AFTER:
            reason = f"{self.name} failed {OUTAGE_AFTER} times in a row; its other claims are deferred"
            return Refusal(Blocked.CARRIER, reason, kind=failure.kind)
        return None


@dataclass(eq=False)
class LeasedClaim:
    """A claim that the run is about to fetch, or whose answer is not recorded yet."""

    claim: Claim
    lane: Lane
    reservation: Reservation
    until: datetime
    delivery: Delivery | None  # known or assumed: the document is requested without tracking the parcel first


def _is_of_account(failure: Failure) -> bool:
    """Return whether a failure that closes a lane concerns only this account of the carrier."""
    return failure.kind in REFUSED_KINDS or failure.kind is ErrorKind.RATE_LIMITED


class LaneOrder:
    """The keys of lanes with ready claims, by urgency, so that a lease query covers a few lanes and not thousands.

    The head of a lane is the place of its most urgent claim. The n most urgent claims are always in the n lanes with
    the most urgent heads. After a lease, the new head of a lane cannot be more urgent than the last claim leased, so
    that place is used as an estimate; heads are read again only when too few of the lanes queried have exact heads. A
    head may be too early because other runs lease claims and ranks change: then the query finds nothing and the head is
    read again. A head may be too late only because a claim became ready since. That claim is leased in order if its
    lane is queried anyway, otherwise in the next slice.
    """

    def __init__(self, ready: Mapping[str, Ready]) -> None:
        self._heads = {key: lane.head for key, lane in ready.items()}
        self._sorted = sorted((head, key) for key, head in self._heads.items())
        self._is_long = len(self._heads) > LANES_AT_ONCE
        self._outdated: set[str] = set()

    def __iter__(self) -> Iterator[str]:
        """Yield the keys in order. No key may be moved during the iteration."""
        for _, key in self._sorted:
            yield key

    def leased(self, keys: Collection[str], last: Urgency | None) -> None:
        """Register that claims of these lanes were leased, up to the place `last` (None: all their ready claims)."""
        if self._is_long:
            for key in keys:
                if (head := self._heads.get(key)) is not None and (last is None or head <= last):
                    self.move(key, last or head)
                    self._outdated.add(key)

    def suffices(self, keys: Collection[str], count: int) -> bool:
        """Return whether these lanes, the first in the order, are certain to contain the `count` most urgent claims."""
        return len(keys) - len(self._outdated.intersection(keys)) >= count

    def take_outdated(self) -> list[str]:
        """Return the lanes whose heads must be read again, and mark them as read."""
        outdated = sorted(self._outdated)
        self._outdated = set()
        return outdated

    def returned(self, key: str, place: Urgency) -> None:
        """Register that a claim with this urgency is ready in the lane again."""
        self.move(key, min(self._heads.get(key, place), place))

    def move(self, key: str, head: Urgency | None) -> None:
        """Set the place of the lane's most urgent claim; None: the lane has no claim to lease."""
        if (old := self._heads.pop(key, None)) is not None:
            del self._sorted[bisect_left(self._sorted, (old, key))]
        if head is None:
            self._outdated.discard(key)
        else:
            self._heads[key] = head
            insort(self._sorted, (head, key))
