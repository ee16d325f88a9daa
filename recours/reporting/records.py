"""Claims, their attempts, changes and mails as they were recorded; `recours.reporting.reader` reads them.

Reads are answered by an index of recours's own tables and count no further than their caller wants, however many claims
there are; but those that go through all of them (`each_…`), and lists that only the service's table can answer: what it
says of claims is searched, filtered and sorted in one pass.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from recours.core.claim import IN_PROGRESS, Claim, Stage
from recours.core.mail import MailState
from recours.core.sentences import SentenceParts
from recours.runs.ports import ATTACHED, LONGEST_LEASE

# A backlog is counted so far; a number that has reached it means "so many, or more".
COUNTED_UP_TO = 10_000


def iso(at: date | None) -> str | None:
    """A date or a datetime as JSON has it."""
    return at.isoformat() if at else None


@dataclass(frozen=True)
class Concerned:
    """The claims that a problem is about: those of accounts at these stages, or those with these ids.

    `accounts`: keys; "" for the claims of no carrier that is known. Without an account, those that nobody has assessed
    are not among them.
    """

    accounts: Sequence[str] = ()
    stages: Sequence[Stage] = IN_PROGRESS
    ids: Sequence[Any] = ()


def together(concerned: Sequence[Concerned]) -> Concerned:
    """The claims of several problems of one kind, which look at the same stages."""
    return Concerned(
        [key for part in concerned for key in part.accounts],
        concerned[0].stages if concerned else IN_PROGRESS,
        [claim_id for part in concerned for claim_id in part.ids],
    )


@dataclass(frozen=True)
class PastAttempt:
    """An attempt, as it was recorded. `duration_s` in seconds, datetimes aware UTC."""

    id: int
    claim_id: Any
    run_id: str
    worker: str
    carrier: str
    number: str
    retry: int
    started_at: datetime
    duration_s: float
    calls: int
    outcome: str  # success, failed, left
    used: bool
    kind: str | None = None
    message: str | None = None  # in English, as in the log
    explanation: SentenceParts | None = None  # the same for people; None: it has no sentence
    http_status: int | None = None
    delivered_at: datetime | None = None
    delivered_day: str | None = None  # an ISO date, where the carrier gave no time
    signatory: str | None = None
    document_path: str | None = None
    document_sha256: str | None = None
    document_size: int | None = None
    document_type: str | None = None
    document_source: str | None = None
    is_last: bool = False  # the last attempt before the deadline, beside the retries
    account: int | None = None  # the number of the client's that was asked last; None: the default account

    @property
    def signed_by(self) -> str | None:
        """Who signed, of an attempt that brought the proof. What tracking says beside a refusal is no signature."""
        return self.signatory if self.outcome in ("success", ATTACHED) else None


@dataclass(frozen=True)
class Message:
    """An event about a claim, and whether its reader was notified."""

    event: str
    audience: str
    written_at: datetime
    told: str | None  # None: not yet; `mail`, or why not
    mail_state: str | None = None
    recipient: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class ListedMail:
    """A mail in a list. Datetimes are aware UTC."""

    number: int
    kind: str
    recipient: str
    subject: str
    state: MailState | str  # a text that another program wrote
    written_at: datetime
    ended_at: datetime | None
    tries: int
    error: str | None


@dataclass(frozen=True)
class WrittenMail:
    """A mail with what it says."""

    listed: ListedMail
    language: str
    plain: str
    html: str


@dataclass(frozen=True)
class PastChange:
    """What happened to a claim beside its attempts. `details`: of an edit, old and new values; see `recours.core.actions`."""

    at: datetime
    what: str
    by: str  # a person's name, or "service"
    details: Mapping[str, Any] = field(default_factory=dict)


class DeadlineRange(StrEnum):
    """When a claim's deadline is, by its day; a number is of days to come, today's deadlines among them."""

    PASSED = "passed"
    IN_3_DAYS = "3"
    IN_7_DAYS = "7"


@dataclass(frozen=True)
class ClaimFilter:
    """Which claims a list shows; an empty field leaves all.

    `statuses`: of pod_fetch_status; `carriers`: keys; `clients`: ids, as text; `kinds`: of errors; `disputes`: types;
    `deadlines`: values of DeadlineRange, as of `today`. In each of them, "" is for claims that have none. `text`: what
    stands anywhere in the reference, the tracking number, the order or the customer, in whatever case; names of customers
    and clients also with or without accents; blanks in a number are not counted. `concerned`: those that a problem is about; None: all. A claim that recours
    keeps nothing of belongs to the carrier that the service names. Waiting claims whose retry comes by `due_until` are ready
    ones, as in a backlog. `created_from`, `created_until`: aware; of that time, or before it. Claims whose creation is not
    known are in no such time.
    """

    statuses: Collection[str] = ()
    stages: Collection[Stage] = ()
    carriers: Collection[str] = ()
    text: str = ""
    clients: Collection[str] = ()
    kinds: Collection[str] = ()
    disputes: Collection[str] = ()
    deadlines: Collection[str] = ()
    concerned: Concerned | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    due_until: datetime | None = field(default=None, compare=False)
    today: date = field(default=date.max, compare=False)


ALL_CLAIMS = ClaimFilter()


class Sort(StrEnum):
    """What a list of claims is sorted by. Claims of which it is not known come last, in both directions."""

    REFERENCE = "reference"
    AMOUNT = "amount"
    DEADLINE = "deadline"
    AGE = "age"  # the youngest first
    STAGE = "stage"  # from new to given up, then the fetched ones
    NEXT_TRY = "next_try"  # those that are due first


@dataclass(frozen=True)
class ListedClaim:
    """A claim in a list, with where its POD lies, and who signed. `lease_end`: of the last run that leased it."""

    claim: Claim
    pod_url: str | None = None
    fetched_at: datetime | None = None
    signatory: str | None = None
    lease_end: datetime | None = None
    dispute: str = ""  # its `dispute_type`, lower case; "": the service's table does not say
    # As the service's table has them; "": it does not.
    currency: str = ""
    order: str = ""
    customer: str = ""  # who was to receive the parcel
    # The address and the name of the service's client whose claim it is; read for lists only.
    client: str = ""
    client_name: str = ""

    def leased_until(self, now: datetime) -> datetime | None:
        """When the lease ends that a run has on it now; None: none has."""
        end = self.lease_end
        return end if end and now < end <= now + LONGEST_LEASE else None


class Effort(NamedTuple):
    """What a claim has cost, as far as it is on record."""

    attempts: int = 0
    calls: int = 0


@dataclass(frozen=True)
class ClaimPage:
    """A part of a list of claims. `count`: of all that match, counted up to COUNTED_UP_TO + 1."""

    claims: list[ListedClaim]
    count: int


@dataclass(frozen=True)
class Matching:
    """The references of claims that match a filter, and how many more do."""

    references: list[str]
    more: int = 0
