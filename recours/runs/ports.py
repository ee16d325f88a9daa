"""What a run needs from the outside: each of these is implemented at an edge, and some by a fake in the tests."""

from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from recours.core.accounts import HOUSE
from recours.core.claim import Claim, Delivery, Urgency
from recours.core.errors import RunError
from recours.core.outcome import Failure, Kept, Label, Outcome, Retrieved, StoredDocument, best_proof
from recours.core.pauses import Refusal
from recours.core.policy import Policy
from recours.core.quota import CallBudget, Capability, Usage

if TYPE_CHECKING:  # a class with one implementation has no port
    from recours.database.claims import ClaimRepository
    from recours.database.enrolment import ClaimEnrolment
    from recours.database.intake import ClaimIntake
    from recours.database.journal import RunJournal
    from recours.database.maintenance import ClaimMaintenance


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

    `written`: the ids of the claims whose attempt was, each with what `ClaimRepository.record` tells of it.
    """

    def __init__(self, fault: RunError, written: Mapping[Any, bool]) -> None:
        """`fault`: the first that kept one from being recorded."""
        super().__init__(str(fault), fault.details)
        self.written = dict(written)


class Documents(Protocol):
    """The store of proofs."""

    def make_sure(self) -> None:
        """See that a document could be stored now. Raises RunError."""

    def store(self, label: Label, got: Retrieved) -> list[StoredDocument]:
        """Keep and appraise all pieces of an answer, each content once, in their order. Raises RunError."""

    def secure(self, documents: Iterable[StoredDocument]) -> None:
        """See that they outlast a power cut: before they are recorded. Raises RunError."""

    def find(self, label: Label) -> Kept:
        """What runs stored of this claim and number before they died."""

    def discard_notes(self, documents: Iterable[StoredDocument]) -> None:
        """Forget how to find these: they are on record, and all else that was stored of their claims."""


class Reservation(Protocol):
    """Units of quota reserved for one fetch."""

    def consume(self, what: Capability) -> None:
        """Turn a reserved unit into a used one, just before the call. Waits out short windows. Raises CallError."""

    def refund(self, what: Capability) -> None:
        """Give back the unit of a call of which certainly nothing was sent."""

    def release(self) -> None:
        """Give back what is still reserved."""


@dataclass(frozen=True)
class Asked:
    """What a carrier is asked about: one parcel, for one claim."""

    number: str
    known: Delivery | None  # not to be asked again
    claim: Any = None  # its id
    earliest: datetime | None = None  # a delivery before it is another parcel's; None: unknown


@dataclass(frozen=True)
class Fetched:
    """How asking a carrier ended.

    In a bundle, shared calls are counted with the first claim that needed them. The outcome of a claim without a call of its own
    comes from a shared call: it is no new sign of an outage. Whether it could connect, only the outcome tells.
    """

    outcome: Outcome
    calls: int  # sent, as far as can be known
    unsent: int  # that could not connect: certainly nothing was sent
    accepted: bool = False  # an answer showed that the carrier accepts our account
    asked: bool = True  # False: the shared calls failed, and nothing was asked about this claim
    upsets: bool = False  # its number makes a shared call fail
    shows_outage: bool = (
        False  # shared calls and one about a single number failed in a row: the carrier is down
    )
    account: int | None = None  # whose answer it is, if not the lane's
    remember: int | None = None  # the account that the claim is asked with from now on


class Queue(Protocol):
    """The only way to a carrier: `APIRequestQueue`. `key` is an account's, see `recours.core.accounts`."""

    def client_of(self, key: str) -> str:
        """The address of the client whose account it is; "": it is the house's."""

    def reserve(
        self,
        key: str,
        fetches: Sequence[dict[Capability, int]],
        *,
        urgent: CallBudget | None = None,
        go_on: Callable[[], bool] = lambda: True,
    ) -> tuple[list[Reservation], Refusal | None]:
        """Hold the units of as many fetches as can be had, in their order, and say why not for the rest.

        Of a day's quota the `urgent` calls are left to the other worker, see `kept_for_others`.
        `go_on` is asked while a call waits for a short window: if it says no, the call is not made.
        """

    def documents(self, key: str) -> Refusal | None:
        """Why the account gets no documents, `until` when no more are asked for, `since` when; None: it may get them."""

    def closed(self, key: str) -> Refusal | None:
        """Why the account can take no call at all now, whatever its quota."""

    def fetch_bundle(
        self,
        reservations: Sequence[Reservation],
        key: str,
        asked: Sequence[Asked],
        go_on: Callable[[], bool] = lambda: True,
    ) -> Generator[Fetched, None, None]:
        """Ask the carrier about several claims, one grant each, at most as many as it tracks with one call.

        Yields one answer for each, in their order, as soon as it is known. A grant is settled with its claim's answer;
        all are when the iterator is closed. What the carrier asks for or refuses then holds for the rest of the bundle,
        which is called for no more. It ends before the claim whose first call `go_on` (see `reserve`) called off.
        About a parcel that is denied to a client's account the house's is asked as well, with units of its own, as long as
        `go_on` says so.
        Raises what is recours's own fault only: the rest was not asked about.
        """

    def asks_alone(self, key: str) -> bool:
        """Tell whether one fetch at a time is to begin: it presents our account, which no answer has accepted in this run."""

    def leave(self) -> None:
        """The run ends: nothing of it stays reserved."""

    def usages(self, keys: Collection[str]) -> dict[str, list[Usage]]:
        """How far the limits of these accounts are used, each one's longest window last."""


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
    used: bool
    failure: Failure | None = None
    evidence: tuple[StoredDocument, ...] = ()  # refused pieces and records among it
    is_last: bool = False  # the claim's last attempt before its deadline, which is no retry
    by: str | None = None  # who attached the evidence; None: a run obtained it
    why: str | None = None  # they accepted it though it is refused, for this reason
    is_beside: bool = False  # the claim keeps the proof that it has
    account: int = HOUSE  # the number of the one that was asked last

    @classmethod
    def by_person(cls, claim: Claim, document: StoredDocument, at: datetime, **facts: Any) -> "Attempt":
        """By which a piece that a person has is evidence of the claim."""
        return cls(claim, 0, at, 0.0, 0, ATTACHED, used=False, evidence=(document,), **facts)

    @property
    def document(self) -> StoredDocument | None:
        """The proof that made it a success."""
        return None if self.is_beside else best_proof(self.evidence)


@dataclass(frozen=True)
class Lease:
    """How a run holds claims: by a token, until then."""

    token: str
    until: datetime


# No lease is ever set for longer than this: one that ends later was left by a clock that was wrong.
LONGEST_LEASE = timedelta(hours=1)

# The claims of a database are counted up to this number.
CLAIMS_MOST = 100_000
# Claims that are set aside are counted up to this number.
SET_ASIDE_MOST = 10_000


@dataclass(frozen=True)
class Waiting:
    """How many claims wait for a later retry, and when the first of these comes."""

    count: int
    first_at: datetime | None


class Ready(NamedTuple):
    """The claims of a lane that are ready and leased by no run."""

    claims: int  # as many as were counted, at least one
    head: Urgency  # the place of the most urgent one


@dataclass(frozen=True)
class Dependencies:
    """All that a run works with."""

    clock: Clock
    claims: "ClaimRepository"
    intake: "ClaimIntake"
    maintenance: "ClaimMaintenance"
    journal: "RunJournal"
    queue: Queue
    documents: Documents
    policy: Policy
    # Mails what is due, as long as its argument answers True; None: this run mails nothing.
    send_mails: Callable[[Callable[[], bool]], None] | None = None
    enrolment: "ClaimEnrolment | None" = None
    write_manifests: Callable[[], None] = lambda: None  # names new files in a manifest; what fails is logged
