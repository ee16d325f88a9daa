"""One account of a carrier in one run: whether it takes calls, how many are in progress, and why it was closed."""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recours.core.accounts import account_name
from recours.core.claim import Claim, Delivery
from recours.core.errors import CLOSING_KINDS, MACHINE_FAULTS, OUTAGE_KINDS, RAISE_FILE_LIMIT, ErrorKind
from recours.core.order import Urgency
from recours.core.outcome import Failure, Outcome
from recours.core.pauses import Blocked, Refusal
from recours.core.sentences import Sentence, SentenceParts, sentence
from recours.host.installation import how_to_install_again
from recours.runs.ports import Ready, Reservation

# This many failures of the carrier itself in a row, without another answer in between, count as an outage.
OUTAGE_AFTER = 3
# If an account is denied this many parcels in one run, the account may be the cause, so the operator is notified.
MANY_DENIED = 5
# This many internal errors in a row in the same place mean a broken installation. Fewer may be due to unusual claims.
SAME_ERRORS = 3
# The most lanes that one lease query covers. If a run has at most this many lanes, their order is always exact.
LANES_AT_ONCE = 16


@dataclass(frozen=True)
class InternalError:
    """An exception that recours itself raised in a fetch."""

    message: str
    place: str  # the exception's class, and the line that raised it
    remedy: str | None = None  # what to do; None: unknown
    affects_every_claim: bool = False  # any other claim would have raised it too


def describe_internal_error(error: Exception) -> InternalError:
    """Describe an exception, with the line that raised it."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    message = f"{type(error).__name__}: {error}" if isinstance(error, ImportError) else type(error).__name__
    is_any = isinstance(error, ImportError) or _lacks_files(error)
    return InternalError(
        message, f"{type(error).__name__} {place}", _remedy_of(error), affects_every_claim=is_any
    )


def _remedy_of(error: Exception) -> str | None:
    """Return what to do if this machine caused the error; None for other errors."""
    causes = (error, error.__cause__)
    # One huge answer can exhaust the memory. CPython raises SystemError if C code does not report that.
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
class InternalErrors:
    """The ids of a lane's claims with internal errors, until it is clear whether the claims or the run are at fault."""

    unattributed: list[Any] = field(default_factory=list)  # in a row, in the same place, not recorded yet
    deferred: set[Any] = field(default_factory=set)  # the run is at fault, so no attempt is used
    is_run_at_fault: bool = False
    _place: str = ""
    _affects_every_claim: bool = False

    @property
    def ranks_last(self) -> bool:
        """Return whether to rank the deferred claims last, so that they do not block the carrier's other claims again.

        If every claim would have failed, for example because a package is missing, the claims keep their rank.
        """
        return self.is_run_at_fault and not self._affects_every_claim

    def observe(self, claim_id: Any, internal_error: InternalError | None) -> int:
        """Register an internal error (None: an answer). Claims that are no longer `unattributed` may be recorded.

        Return the number of deferred claims if this error shows that the run is at fault, otherwise 0.
        """
        if internal_error is None:
            self.unattributed.clear()
        elif self.is_run_at_fault:
            self.deferred.add(claim_id)
        else:
            if internal_error.place != self._place:
                self.unattributed.clear()
            self._place = internal_error.place
            self._affects_every_claim = internal_error.affects_every_claim
            self.unattributed.append(claim_id)
            if internal_error.remedy is not None or len(self.unattributed) >= SAME_ERRORS:
                self.is_run_at_fault = True
                self.defer_unattributed()
                return len(self.deferred)
        return 0

    def defer_unattributed(self) -> None:
        """Attribute the unattributed errors to the run, so that they do not count as attempts."""
        self.deferred.update(self.unattributed)
        self.unattributed.clear()


@dataclass
class Outage:
    """A carrier's own failures in one run. Several in a row close all lanes of the carrier, regardless of account."""

    failures_in_a_row: int = 0
    refusal: Refusal | None = None


@dataclass
class Lane:
    """One account in one run. The key "" stands for claims without a known carrier, which need no call."""

    key: str
    name: str  # the carrier's display name
    client: str = ""  # the email address of the client that owns the account; "": the default account
    outage: Outage = field(default_factory=Outage)  # shared by the lanes of the carrier
    in_flight: int = 0  # bundles being fetched
    denied_parcels: int = 0  # parcels denied in this run
    documents: Refusal | None = None  # why the account gets no documents, although it may track parcels
    refusal: Refusal | None = None
    must_close: bool = False  # a thread received an answer after which the carrier gets no more calls
    is_empty: bool = False  # no ready claim was left at the last lease
    not_before: float = 0.0  # monotonic seconds; until then, other runs may return reserved units
    waits_since: float | None = None
    internal_errors: InternalErrors = field(default_factory=InternalErrors)
    # The deadlines of the other worker's ready claims, and when they were read (monotonic seconds).
    deadlines: Sequence[datetime] = ()
    deadlines_read_at: float | None = None

    @property
    def account(self) -> str:
        return account_name(self.name, self.client)

    @property
    def is_closing(self) -> bool:
        return self.must_close or self.outage.refusal is not None

    @property
    def is_over(self) -> bool:
        return self.is_closing or self.refusal is not None or self.is_empty

    def is_open(self, monotonic: float) -> bool:
        return not self.is_over and monotonic >= self.not_before

    @property
    def waits(self) -> bool:
        return self.refusal is None and not self.is_empty and self.waits_since is not None

    def wait(self, since: float, until: float) -> None:
        """Lease no claim of this lane before `until`. The lane has waited since `since` (both monotonic seconds)."""
        self.waits_since, self.not_before, self.is_empty = since, until, False

    @property
    def denials(self) -> Refusal | None:
        """The warning about many parcels denied to this account, or None. Denials do not close the lane."""
        if self.denied_parcels < MANY_DENIED:
            return None
        description = SentenceParts(Sentence.PARCELS_DENIED, self.name, str(self.denied_parcels), self.client)
        return Refusal(
            Blocked.CARRIER,
            sentence("en", description),
            kind=ErrorKind.ACCESS_DENIED,
            explanation=description,
        )

    def observe(self, outcome: Outcome, *, called: bool = True, shows_outage: bool = False) -> Refusal | None:
        """Register an answer, and return a refusal if the answer closed the lane.

        `called`: a call was made for this claim alone. Otherwise the answer is from a shared call, which counts toward
        an outage only once. `shows_outage`: several calls in a row failed.
        """
        kind = outcome.kind
        self.denied_parcels += kind is ErrorKind.ACCESS_DENIED
        if kind not in OUTAGE_KINDS:
            self.outage.failures_in_a_row = 0
        elif called:
            self.outage.failures_in_a_row += OUTAGE_AFTER if shows_outage else 1
        if not isinstance(outcome, Failure) or outcome.claim_only:
            return None
        refusal = self._closing(outcome)
        if refusal is None:
            return None
        self.must_close = True
        if outcome.kind not in CLOSING_KINDS:  # the failure concerns all accounts of the carrier
            self.outage.refusal = self.outage.refusal or refusal
        if self.refusal:  # the lane is closed already
            return None
        self.refusal = refusal
        return refusal

    def repeats_outage(self, outcome: Outcome) -> bool:
        """Return whether a failure belongs to an outage that closed the carrier during the call."""
        return outcome.kind in OUTAGE_KINDS and self.outage.refusal is not None

    def count_unreachable(self, outcome: Outcome) -> None:
        """Close the lane after a failed connection, so that its due claims count as skipped because of the carrier."""
        if self.refusal is None and isinstance(outcome, Failure):
            self.refusal = Refusal(Blocked.CARRIER, outcome.message, kind=outcome.kind)

    def _closing(self, failure: Failure) -> Refusal | None:
        if failure.closes_carrier:
            why = Blocked.RATE_LIMIT if failure.kind is ErrorKind.RATE_LIMITED else Blocked.CARRIER
            return Refusal(
                why, failure.message, failure.retry_at, kind=failure.kind, explanation=failure.explanation
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


class LaneOrder:
    """The keys of lanes with ready claims, sorted by urgency, so that a lease query covers few lanes, not thousands.

    The head of a lane is the place of its most urgent claim. The n most urgent claims are always in the n lanes with
    the most urgent heads. After a lease, the new head of a lane cannot be more urgent than the last claim leased, so
    the place of that claim is used as an estimate. Heads are read again when too few of the queried lanes have exact
    heads. A head may be too early because another run leased the claim or its rank changed. In that case, the query
    finds nothing, and the head is read again. A head may be too late only if a claim became ready in the meantime. That
    claim is leased in order if its lane is queried anyway, otherwise in the next slice.
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

    def register_leased(self, keys: Collection[str], last: Urgency | None) -> None:
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

    def register_returned(self, key: str, place: Urgency) -> None:
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
