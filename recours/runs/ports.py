"""Protocols and value types between the code of a run and its adapters."""

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

if TYPE_CHECKING:  # classes with one implementation need no protocol
    from recours.carriers.queue import APIRequestQueue
    from recours.database.by_person import ClaimEnrollment
    from recours.database.claims import ClaimRepository
    from recours.database.intake import ClaimIntake
    from recours.database.journal import RunJournal
    from recours.database.maintenance import ClaimMaintenance
    from recours.evidence.store import DocumentStore


class Clock(Protocol):
    """A clock that tests can replace."""

    def now(self) -> datetime:
        """Return the current time, timezone-aware, in UTC."""

    def monotonic(self) -> float:
        """Return the seconds of a clock that never goes backward."""

    def sleep(self, seconds: float) -> None: ...


class NotRecordedError(RunError):
    """Raised if some attempts of a group could not be recorded.

    `recorded`: the ids of the claims whose attempts were recorded, each with the result of `ClaimRepository.record`.
    """

    def __init__(self, fault: RunError, recorded: Mapping[Any, bool]) -> None:
        """`fault`: the first error."""
        super().__init__(str(fault), fault.details)
        self.recorded = dict(recorded)


class Reservation(Protocol):
    """Units of quota reserved for one fetch."""

    def consume(self, capability: Capability) -> None:
        """Wait for other calls and for short windows, then use a reserved unit for the next call. Raises CallError."""

    def called(self) -> None:
        """Register the end of the call, so that another may begin."""

    def refund(self) -> None:
        """Give back the unit of the last call, which certainly sent nothing."""

    def release(self) -> None:
        """Give back all unused units."""


class ParcelQuery(NamedTuple):
    """A query to a carrier about one parcel, for one claim."""

    number: str
    delivery: Delivery | None  # already known, so the carrier is not asked for it
    claim: Any = None  # the claim's id
    earliest: datetime | None = None  # an earlier delivery belongs to another parcel; None: unknown


@dataclass(frozen=True)
class CarrierAnswer:
    """A carrier's answer about one claim.

    In a bundle, shared calls are counted with the first claim that needed them. If a claim had no call of its own,
    `outcome` is the outcome of the shared call, which counts toward an outage only once.
    """

    outcome: Outcome
    calls: int = 0  # calls sent, as far as known
    unsent: int = 0  # calls that could not connect: certainly nothing was sent
    accepted: bool = False  # an answer showed that the carrier accepts our account
    was_asked: bool = True  # False: the shared calls failed before this claim was included
    fails_bundles: bool = False  # the number makes shared calls fail
    shows_outage: bool = (
        False  # shared calls and a call about one number failed in a row: the carrier is down
    )
    account: int | None = None  # the account that answered, if it is not the lane's account
    remember: int | None = None  # the account to use for this claim from now on


# The outcome of an attempt in which a person attached a proof. The outcome of a fetch is success, failed or left.
ATTACHED = "attached"


@dataclass(frozen=True)
class Attempt:
    """One attempt, as it is recorded."""

    claim: Claim
    retry: int
    started_at: datetime
    duration_s: float
    calls: int
    outcome: str  # success, failed, left, attached
    uses_attempt: bool
    failure: Failure | None = None
    evidence: tuple[StoredDocument, ...] = ()  # including rejected documents and tracking records
    is_last: bool = False  # the claim's last attempt before its deadline, which is no retry
    by: str | None = None  # the person who attached the evidence; None: a run fetched it
    why: str | None = None  # the person's reason for accepting a document that recours rejects
    is_additional: bool = False  # the claim keeps its current proof
    account: int = DEFAULT_ACCOUNT  # the number of the account that was used last

    @classmethod
    def by_person(cls, claim: Claim, document: StoredDocument, at: datetime, **facts: Any) -> "Attempt":
        """Return an attempt that records a document attached by a person."""
        return cls(claim, 0, at, 0.0, 0, ATTACHED, uses_attempt=False, evidence=(document,), **facts)

    @property
    def document(self) -> StoredDocument | None:
        """The proof that made the attempt a success, if any."""
        return None if self.is_additional else best_proof(self.evidence)


class Lease(NamedTuple):
    """A run's exclusive right to claims: its token, and when the right expires."""

    token: str
    until: datetime


# No lease is longer than this. A lease that ends later was written by a machine with a wrong clock.
LONGEST_LEASE = timedelta(hours=1)

# Claims are counted up to this number.
CLAIMS_MOST = 100_000
# Claims that their own status excludes from fetching are counted up to this number.
SET_ASIDE_MOST = 10_000


class Limits(NamedTuple):
    """How many claims a run may fetch, how many at the same time, and for how long."""

    batch_size: int
    concurrency: int
    carrier_concurrency: int
    max_runtime: timedelta
    other_stage: Stage | None = None  # of the other worker's ready claims; None: that worker is not running


@dataclass(frozen=True)
class Waiting:
    """How many claims wait for a retry, and the time of the first retry."""

    count: int
    first_at: datetime | None


class Ready(NamedTuple):
    """The ready claims of a lane that no run has leased."""

    claims: int  # counted up to a limit; at least one
    head: Urgency  # the place of the most urgent claim


@dataclass(eq=False)
class Dependencies:
    """The adapters and services that a run uses."""

    clock: Clock
    claims: "ClaimRepository"
    intake: "ClaimIntake"
    maintenance: "ClaimMaintenance"
    journal: "RunJournal"
    queue: "APIRequestQueue"
    documents: "DocumentStore"
    policy: Policy
    # Sends the emails that are due, while its argument returns True; None: this run sends no emails.
    send_mails: Callable[[Callable[[], bool]], None] | None = None
    enrollment: "ClaimEnrollment | None" = None
    closing_tasks: tuple[Callable[[], None], ...] = ()  # run at the end; each logs its own failures
    # After failures of these kinds, records problems that the operator must learn of immediately.
    report_problems: Callable[[Collection[ErrorKind]], None] = lambda _: None
