"""Recorded claims, attempts, changes and emails; `recours.reporting.reader` reads them.

Queries use an index of recours's own tables and count only up to the caller's limit, however many claims there are. Two
exceptions: functions named `each_…` read all claims, and lists that depend on columns of the service are searched,
filtered and sorted in one pass over the service's table.
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

# Backlogs are counted up to this limit; a count that reaches it means "this many or more".
COUNTED_UP_TO = 10_000


def iso(at: date | None) -> str | None:
    """A date or datetime in ISO form, for JSON."""
    return at.isoformat() if at else None


@dataclass(frozen=True)
class ProblemClaims:
    """The claims that a problem is about: claims of these accounts at these stages, or claims with these ids.

    `accounts`: keys; "" for claims of unknown carriers. Claims that no run has assessed yet belong to no account, so they
    are not included.
    """

    accounts: Sequence[str] = ()
    stages: Sequence[Stage] = IN_PROGRESS
    ids: Sequence[Any] = ()


def merge_problem_claims(parts: Sequence[ProblemClaims]) -> ProblemClaims:
    """Merge the claims of several problems of one kind. Problems of one kind have the same stages."""
    return ProblemClaims(
        [key for part in parts for key in part.accounts],
        parts[0].stages if parts else IN_PROGRESS,
        [claim_id for part in parts for claim_id in part.ids],
    )


@dataclass(frozen=True)
class PastAttempt:
    """A recorded attempt. `duration_s` in seconds; datetimes are aware UTC."""

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
    explanation: SentenceParts | None = None  # the message as a translatable sentence, if possible
    http_status: int | None = None
    delivered_at: datetime | None = None
    delivered_day: str | None = None  # an ISO date, if the carrier gave no time
    signatory: str | None = None
    document_path: str | None = None
    document_sha256: str | None = None
    document_size: int | None = None
    document_type: str | None = None
    document_source: str | None = None
    is_last: bool = False  # the last attempt before the deadline, which is not a retry
    account: int | None = None  # the id of the client account used last; None: the default account

    @property
    def signed_by(self) -> str | None:
        """The signatory if the attempt fetched the proof. A name in tracking alone is not a signature."""
        return self.signatory if self.outcome in ("success", ATTACHED) else None


@dataclass(frozen=True)
class Message:
    """An event about a claim, and whether its recipient was notified."""

    event: str
    audience: str
    written_at: datetime
    told: str | None  # None: not notified yet; `mail`: by email; otherwise why the recipient is not notified
    mail_state: str | None = None
    recipient: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class ListedMail:
    """An email in a list. Datetimes are aware UTC."""

    number: int
    kind: str
    recipient: str
    subject: str
    state: MailState | str  # a string: an unknown state, written by a later version
    written_at: datetime
    ended_at: datetime | None
    tries: int
    error: str | None


@dataclass(frozen=True)
class WrittenMail:
    """An email with its content."""

    listed: ListedMail
    language: str
    plain: str
    html: str


@dataclass(frozen=True)
class PastChange:
    """A change to a claim. `details`: the old and new values of an edit; see `recours.core.actions`."""

    at: datetime
    what: str
    by: str  # a person's name, or "service"
    details: Mapping[str, Any] = field(default_factory=dict)


class DeadlineRange(StrEnum):
    """Ranges of deadlines by day. A number N means the next N days, including today."""

    PASSED = "passed"
    IN_3_DAYS = "3"
    IN_7_DAYS = "7"


@dataclass(frozen=True)
class ClaimFilter:
    """The filter of a list of claims; an empty field does not filter.

    `statuses`: values of pod_fetch_status; `carriers`: keys; `clients`: ids, as text; `kinds`: kinds of error; `disputes`:
    dispute types; `deadlines`: values of DeadlineRange, as of `today`. In these, "" selects claims without a value.
    `text`: a part of the reference, tracking number, order, customer or client, ignoring case; accents are ignored in
    names, and spaces in tracking numbers. `problem_claims`: the claims of a problem; None: all. A claim without a row of
    recours belongs to the carrier that the service names. Waiting claims whose retry is due by `due_until` count as
    ready, as in a backlog. `created_from` (inclusive) and `created_until` (exclusive) are aware; both exclude claims of
    unknown creation time.
    """

    statuses: Collection[str] = ()
    stages: Collection[Stage] = ()
    carriers: Collection[str] = ()
    text: str = ""
    clients: Collection[str] = ()
    kinds: Collection[str] = ()
    disputes: Collection[str] = ()
    deadlines: Collection[str] = ()
    problem_claims: ProblemClaims | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    due_until: datetime | None = field(default=None, compare=False)
    today: date = field(default=date.max, compare=False)


ALL_CLAIMS = ClaimFilter()


class Sort(StrEnum):
    """The sort key of a list of claims. Claims without a value are last in both directions."""

    REFERENCE = "reference"
    AMOUNT = "amount"
    DEADLINE = "deadline"
    AGE = "age"  # the youngest first
    STAGE = "stage"  # from new to given up, then fetched
    NEXT_TRY = "next_try"  # due claims first


@dataclass(frozen=True)
class ListedClaim:
    """A claim in a list, with its POD and signatory. `lease_end`: the end of its last lease."""

    claim: Claim
    pod_url: str | None = None
    fetched_at: datetime | None = None
    signatory: str | None = None
    lease_end: datetime | None = None
    dispute: str = ""  # its `dispute_type` in lower case; "": not known
    # From the service's table; "": not known.
    currency: str = ""
    order: str = ""
    customer: str = ""  # the recipient of the parcel
    # The email address and name of the claim's client; read for lists only.
    client: str = ""
    client_name: str = ""

    def leased_until(self, now: datetime) -> datetime | None:
        """The end of the current lease; None: not leased."""
        end = self.lease_end
        return end if end and now < end <= now + LONGEST_LEASE else None


class Effort(NamedTuple):
    """The numbers of recorded attempts and calls for a claim."""

    attempts: int = 0
    calls: int = 0


@dataclass(frozen=True)
class ClaimPage:
    """A page of a list of claims. `count`: all matching claims, counted up to COUNTED_UP_TO + 1."""

    claims: list[ListedClaim]
    count: int


@dataclass(frozen=True)
class Matching:
    """The references of matching claims, and the number of further matches."""

    references: list[str]
    more: int = 0
