"""The carriers of a run: which are open, how many of their claims are under way, what made one close."""

from dataclasses import dataclass, field

from recours.core.claim import Claim
from recours.core.errors import OUTAGE_KINDS, REFUSED_KINDS, ErrorKind
from recours.core.outcome import Failure, Outcome
from recours.runs.doubts import Doubts
from recours.runs.ports import Blocked, Refusal

# So many failures of the carrier itself in a row, without another answer between, are an outage.
OUTAGE_AFTER = 3

_CLOSING_KINDS = REFUSED_KINDS | {ErrorKind.RATE_LIMITED}


@dataclass
class Lane:
    """One carrier in one run. The key "" stands for claims of no carrier that we know: they need no call."""

    key: str
    name: str
    in_flight: int = 0
    begun: int = 0  # claims, in this run
    failures_in_a_row: int = 0
    refusal: Refusal | None = None
    closes: bool = (
        False  # an answer of the carrier was heard, by whatever thread, after which it is not asked
    )
    drained: bool = False  # no ready claim of it was left when last looked
    not_before: float = 0.0  # monotonic seconds: others hold the last units, and may give them back
    waits_since: float | None = None
    doubts: Doubts = field(default_factory=Doubts)

    def is_open(self, monotonic: float) -> bool:
        """Tell whether more of its claims may be taken."""
        return self.refusal is None and not self.drained and monotonic >= self.not_before

    @property
    def waits(self) -> bool:
        """Tell whether it only waits for units that others hold."""
        return self.refusal is None and not self.drained and self.waits_since is not None

    def wait(self, since: float, until: float) -> None:
        """Take no claim of it before `until`; it has waited since `since` (both monotonic seconds)."""
        self.waits_since, self.not_before, self.drained = since, until, False

    def learn(self, outcome: Outcome) -> None:
        """Learn in the thread that got an answer what must hold for all others at once."""
        if isinstance(outcome, Failure) and not outcome.alone:
            self.closes = self.closes or outcome.kind in _CLOSING_KINDS or outcome.retry_at is not None

    def note(self, outcome: Outcome) -> Refusal | None:
        """Learn from an answer; a refusal if it closed the lane now."""
        kind = outcome.kind if isinstance(outcome, Failure) else None
        self.failures_in_a_row = self.failures_in_a_row + 1 if kind in OUTAGE_KINDS else 0
        if self.refusal is None and isinstance(outcome, Failure) and not outcome.alone:
            self.refusal = self._closing(outcome)
            self.closes = self.closes or self.refusal is not None
            return self.refusal
        return None

    def _closing(self, failure: Failure) -> Refusal | None:
        if failure.kind is ErrorKind.RATE_LIMITED:
            return Refusal(Blocked.RATE_LIMIT, failure.message, failure.retry_at, said=failure.said)
        if failure.kind in REFUSED_KINDS:
            kind, said = failure.kind, failure.said
            return Refusal(Blocked.CARRIER, failure.message, failure.retry_at, kind=kind, said=said)
        if failure.retry_at:  # out of order, and it says for how long
            return Refusal(Blocked.CARRIER, failure.message, failure.retry_at, said=failure.said)
        if self.failures_in_a_row >= OUTAGE_AFTER:
            reason = f"{self.name} failed {OUTAGE_AFTER} times in a row; its other claims are left for the next run"
            return Refusal(Blocked.CARRIER, reason, kind=failure.kind)
        return None


def begun_ahead(concurrency: int, carrier_concurrency: int) -> int:
    """How many claims may be begun while all threads are busy, so that none waits for another to be begun.

    As many again as there are threads: then several answers can be recorded at once while no thread waits. The threads
    take them in turn, whosever they are: only where no carrier's own bound could be passed thereby. One thread is to
    do one thing after another.
    """
    return concurrency if 1 < concurrency <= carrier_concurrency else 0


def lane_key(claim: Claim) -> str:
    """The lane of a claim."""
    return claim.carrier or ""
