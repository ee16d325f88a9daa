"""One account of a carrier in one run: whether it is open, how many calls are under way, what made it close."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from recours.core.accounts import account_name
from recours.core.claim import Claim, Delivery
from recours.core.errors import OUTAGE_KINDS, REFUSED_KINDS, ErrorKind
from recours.core.outcome import Failure, Outcome
from recours.core.pauses import Blocked, Refusal
from recours.core.sentences import Said, Sentence, sentence
from recours.runs.mistakes import Mistakes
from recours.runs.ports import Reservation

# So many failures of the carrier itself in a row, without another answer between, are an outage.
OUTAGE_AFTER = 3
# So many parcels denied to an account in one run may be its fault: the operator is told.
MANY_DENIED = 5


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
    client: str = ""  # the address of the one whose account it is; "": the house's
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
        description = Said(Sentence.PARCELS_DENIED, self.name, str(self.denied), self.client)
        return Refusal(
            Blocked.CARRIER, sentence("en", description), kind=ErrorKind.ACCESS_DENIED, said=description
        )

    def note(self, outcome: Outcome, *, called: bool = True, shows_outage: bool = False) -> Refusal | None:
        """Learn from an answer; a refusal if it closed the lane now.

        `called`: a call was tried for this claim alone; else another claim's brought the answer, which is no new sign of
        an outage. `shows_outage`: several calls in a row failed.
        """
        kind = outcome.kind if isinstance(outcome, Failure) else None
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
        is_outage = isinstance(outcome, Failure) and outcome.kind in OUTAGE_KINDS
        return is_outage and self.outage.refusal is not None

    def leave_unreachable(self, outcome: Outcome) -> None:
        """A claim of it is still due, as no connection was made: it is one of those that its carrier left behind."""
        if self.refusal is None and isinstance(outcome, Failure):
            self.refusal = Refusal(Blocked.CARRIER, outcome.message, kind=outcome.kind)

    def _closing(self, failure: Failure) -> Refusal | None:
        if failure.kind is ErrorKind.RATE_LIMITED:
            return Refusal(Blocked.RATE_LIMIT, failure.message, failure.retry_at, said=failure.said)
        if failure.kind in REFUSED_KINDS or failure.retry_at:  # or it is unavailable, and says for how long
            kind, said = failure.kind, failure.said
            return Refusal(Blocked.CARRIER, failure.message, failure.retry_at, kind=kind, said=said)
        if self.outage.failures_in_a_row >= OUTAGE_AFTER:
            reason = f"{self.name} failed {OUTAGE_AFTER} times in a row; its other claims are left for later"
            return Refusal(Blocked.CARRIER, reason, kind=failure.kind)
        return None


@dataclass(eq=False)
class Leased:
    """A claim that the run is about to ask about, or has an answer about that is not recorded yet."""

    claim: Claim
    lane: Lane
    reservation: Reservation
    until: datetime
    known: Delivery | None  # what the fetch goes by


def _is_of_account(failure: Failure) -> bool:
    """Tell whether a failure that closes a lane says nothing of the carrier's other accounts."""
    return failure.kind in REFUSED_KINDS or failure.kind is ErrorKind.RATE_LIMITED
