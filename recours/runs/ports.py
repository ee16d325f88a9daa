"""What a run needs from the outside: each of these is implemented at an edge, and some by a fake in the tests."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from recours.core.accounts import DEFAULT_ACCOUNT
from recours.core.claim import Claim, Delivery, Stage
from recours.core.errors import ErrorKind, RunError
from recours.core.order import Urgency
from recours.core.outcome import Failure, Outcome, StoredDocument, best_proof
from recours.core.policy import Policy
from recours.core.quota import Capability

if TYPE_CHECKING:  # a class with one implementation has no port
    from recours.carriers.queue import APIRequestQueue
    from recours.database.by_person import ClaimEnrollment
    from recours.database.claims import ClaimRepository
    from recours.database.intake import ClaimIntake
    from recours.database.journal import RunJournal
    from recours.database.maintenance import ClaimMaintenance
    from recours.evidence.store import DocumentStore


class Clock(Protocol):
    """The time, passed in."""

    def now(self) -> datetime:
        """Aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class NotRecordedError(RunError):
    """Of several attempts not all could be recorded.

    `recorded`: the ids of the claims whose attempt was, each with what `ClaimRepository.record` tells of it.
    """

    def __init__(self, fault: RunError, recorded: Mapping[Any, bool]) -> None:
        """`fault`: the first that kept one from being recorded."""
        super().__init__(str(fault), fault.details)
        self.recorded = dict(recorded)


class Reservation(Protocol):
    """Units of quota reserved for one fetch."""

    def consume(self, capability: Capability) -> None:
        """Take a reserved unit for the call that follows. Waits for other calls, and out short windows. Raises CallError."""

    def called(self) -> None:
        """The call is over: another may begin."""

    def refund(self) -> None:
        """Take back the unit of the last call: certainly nothing of it was sent."""

    def release(self) -> None:
        """Give back what is left over."""


class ParcelQuery(NamedTuple):
    """What a carrier is asked about: one parcel, for one claim."""

    number: str
    delivery: Delivery | None  # known, and not to be asked again
    claim: Any = None  # its id
    earliest: datetime | None = None  # a delivery before it is another parcel's; None: unknown


@dataclass(frozen=True)
class CarrierAnswer:
    """How asking a carrier ended.

    In a bundle, shared calls are counted with the first claim that needed them. The outcome of a claim without a call of its own
    comes from a shared call: it is no new sign of an outage. Whether it could connect, only the outcome tells.
    """

    outcome: Outcome
    calls: int = 0  # sent, as far as can be known
    unsent: int = 0  # that could not connect: certainly nothing was sent
    accepted: bool = False  # an answer showed that the carrier accepts our account
    was_asked: bool = True  # False: the shared calls failed, and nothing was asked about this claim
    upsets: bool = False  # its number makes a shared call fail
    shows_outage: bool = False  # shared calls and that about one number failed in a row: the carrier is down
    account: int | None = None  # whose answer it is, if not the lane's
    remember: int | None = None  # the account that the claim is asked with from now on


# Attempts end as success, failed or left. This is none: a person attached a proof.
ATTACHED = "attached"


@dataclass(frozen=True)
class Attempt:
    """One attempt, for the record."""

    claim: Claim
    retry: int
    started_at: datetime
    duration_s: float
    calls: int
    outcome: str  # success, failed, left, attached
    uses_attempt: bool
    failure: Failure | None = None
    evidence: tuple[StoredDocument, ...] = ()  # refused pieces and records among it
    is_last: bool = False  # the claim's last attempt before its deadline, which is no retry
    by: str | None = None  # who attached the evidence; None: a run obtained it
    why: str | None = None  # they accepted it though it is refused, for this reason
    is_beside: bool = False  # the claim keeps the proof that it has
    account: int = DEFAULT_ACCOUNT  # the number of the one that was asked last

    @classmethod
    def by_person(cls, claim: Claim, document: StoredDocument, at: datetime, **facts: Any) -> "Attempt":
        """By which a piece that a person has is evidence of the claim."""
        return cls(claim, 0, at, 0.0, 0, ATTACHED, uses_attempt=False, evidence=(document,), **facts)

    @property
    def document(self) -> StoredDocument | None:
        """The proof that made it a success."""
        return None if self.is_beside else best_proof(self.evidence)


class Lease(NamedTuple):
    """How a run holds claims: by a token, until then."""

    token: str
    until: datetime


# No lease is ever set for longer than this: one that ends later was left by a clock that was wrong.
LONGEST_LEASE = timedelta(hours=1)

# The claims of a database are counted up to this number.
CLAIMS_MOST = 100_000
# Claims that are set aside are counted up to this number.
SET_ASIDE_MOST = 10_000


class Limits(NamedTuple):
    """How much a run may do at once, and in all."""

    batch_size: int
    concurrency: int
    carrier_concurrency: int
    max_runtime: timedelta
    other_stage: Stage | None = None  # where the claims of the other worker are ready; None: it does not run


@dataclass(frozen=True)
class Waiting:
    """How many claims wait for a later retry, and when the first of these comes."""

    count: int
    first_at: datetime | None


class Ready(NamedTuple):
    """The claims of a lane that are ready and leased by no run."""

    claims: int  # as many as were counted, at least one
    head: Urgency  # the place of the most urgent one


@dataclass(eq=False)
class Dependencies:
    """All that a run works with."""

    clock: Clock
    claims: "ClaimRepository"
    intake: "ClaimIntake"
    maintenance: "ClaimMaintenance"
    journal: "RunJournal"
    queue: "APIRequestQueue"
    documents: "DocumentStore"
    policy: Policy
    # Mails what is due, as long as its argument answers True; None: this run mails nothing.
    send_mails: Callable[[Callable[[], bool]], None] | None = None
    enrollment: "ClaimEnrollment | None" = None
    closing_tasks: tuple[Callable[[], None], ...] = ()  # for the end of a run; each logs what fails
    # Notes what the operator is to hear of at once, after failures of these kinds.
    note_troubles: Callable[[Collection[ErrorKind]], None] = lambda _: None
