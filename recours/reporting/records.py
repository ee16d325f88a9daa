"""Runs, attempts, backlogs and claims as they were recorded; `recours.reporting.reader` reads them.

Reads are answered by an index of recours's own tables and count no further than their caller wants, however many claims
there are; but those that go through all of them (`each_…`), and lists that only the service's table can answer: what it
says of claims is searched, filtered and sorted in one pass.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from recours.core.accounts import carrier_of
from recours.core.claim import DUE, IN_PROGRESS, Claim, Stage
from recours.core.mail import MailState
from recours.core.sentences import SentenceParts
from recours.reporting.figures import Concerned, InLine
from recours.runs.ports import ATTACHED, LONGEST_LEASE


def iso(at: date | None) -> str | None:
    """A date or a datetime as JSON has it."""
    return at.isoformat() if at else None


@dataclass(frozen=True)
class Run:
    """A run of a worker. `ended_at` is None while it is under way, or if it died; `stats` is its `--json` object."""

    id: str
    worker: str
    started_at: datetime
    ended_at: datetime | None = None
    exit_status: int | None = None
    stats: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tally:
    """Attempts of one day that are alike, or claims that were given up, counted.

    `retry` 0 is the fetch worker's; `kind`: the error's, None on success.
    """

    day: date
    carrier: str  # its key, or the name that the claim had
    retry: int
    outcome: str  # success, failed, left, attached; or GAVE_UP
    kind: str | None
    count: int


# The outcome in a tally of claims that were given up, which is no attempt's.
GAVE_UP = "given_up"


# A backlog is counted so far; a number that has reached it means "so many, or more".
COUNTED_UP_TO = 10_000


@dataclass(frozen=True)
class Backlog:
    """The claims of one account (its key; "": of no carrier that we know) that are not done, counted by stage.

    Of all accounts of a carrier where they were put together (see `by_carrier`).
    `unassessed`: failed or pending claims that no run has assessed yet; the next one does. `oldest`: since when the
    oldest of those that are still tried has failed, or is new. `to_correct`: at whichever stage. `counted_up_to`: no
    number is counted further.
    """

    carrier: str
    stages: Mapping[Stage, int]
    oldest: datetime | None = None
    unassessed: int = 0
    counted_up_to: int = COUNTED_UP_TO
    to_correct: int = 0

    @property
    def due(self) -> int:
        """Claims that a run would take now: of the scheduler and of the fetch worker."""
        return self.capped(sum(self.stages.get(stage, 0) for stage in DUE))

    @property
    def counts(self) -> dict[str, int]:
        """Claims by stage, and those that are due, to correct or not assessed, by the names that programs have for them."""
        stages = {stage.value: self.stages.get(stage, 0) for stage in Stage}
        return {"due": self.due, **stages, "to_correct": self.to_correct, "unjudged": self.unassessed}

    @property
    def in_progress(self) -> int:
        """Claims for which a call is still to come."""
        return self.capped(self.unassessed + sum(self.stages.get(stage, 0) for stage in IN_PROGRESS))

    def capped(self, number: int) -> int:
        """A sum, which means "or more" as soon as one of its parts does."""
        return min(number, self.counted_up_to)


def by_carrier(backlogs: Sequence[Backlog]) -> list[Backlog]:
    """The same, with the accounts of each carrier together under its key."""
    return _by_key(replace(backlog, carrier=carrier_of(backlog.carrier)) for backlog in backlogs)


def with_lines(backlogs: Sequence[Backlog], lines: Mapping[str, Sequence[InLine]]) -> list[Backlog]:
    """The same, with due claims that no run has assessed yet (by account) at the stages that they will have."""
    of_lines = [Backlog(key, Counter(entry.stage for entry in line)) for key, line in lines.items()]
    return _by_key([*backlogs, *of_lines])


def _by_key(backlogs: Iterable[Backlog]) -> list[Backlog]:
    backlogs_by_key: dict[str, Backlog] = {}
    for backlog in backlogs:
        key = backlog.carrier
        backlogs_by_key[key] = _together(backlogs_by_key[key], backlog) if key in backlogs_by_key else backlog
    return list(backlogs_by_key.values())


def _together(first: Backlog, second: Backlog) -> Backlog:
    oldest = [at for at in (first.oldest, second.oldest) if at]
    stages = {
        stage: first.capped(first.stages.get(stage, 0) + second.stages.get(stage, 0))
        for stage in {**first.stages, **second.stages}
    }
    unassessed = first.capped(first.unassessed + second.unassessed)
    to_correct = first.to_correct + second.to_correct
    return Backlog(
        first.carrier, stages, min(oldest, default=None), unassessed, first.counted_up_to, to_correct
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
    account: int | None = None  # the number of the client's account that was asked last; None: the house's

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


@dataclass(frozen=True)
class ClaimFilter:
    """Which claims a list shows; an empty field leaves all.

    `statuses`: of pod_fetch_status; `carriers`: keys; `clients`: ids, as text; `kinds`: of errors. In each of them, ""
    is for claims that have none. `text`: what stands anywhere in the reference, the tracking number, the order or the
    customer, in whatever case; blanks in a number are not counted. `concerned`: those that a problem is about; None: all.
    A claim that recours keeps nothing of belongs to the carrier that the service names. Waiting claims whose retry comes by
    `due_until` are ready ones, as in a backlog.
    """

    statuses: Collection[str] = ()
    stages: Collection[Stage] = ()
    carriers: Collection[str] = ()
    text: str = ""
    clients: Collection[str] = ()
    kinds: Collection[str] = ()
    concerned: Concerned | None = None
    due_until: datetime | None = field(default=None, compare=False)


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
    client: str = ""  # the address of the service's client whose claim it is; read for pages of a list only

    def leased_until(self, now: datetime) -> datetime | None:
        """When the lease ends that a run has on it now; None: none has."""
        end = self.lease_end
        return end if end and now < end <= now + LONGEST_LEASE else None


@dataclass(frozen=True)
class ClaimPage:
    """A part of a list of claims. `count`: of all that match, counted up to COUNTED_UP_TO + 1."""

    claims: list[ListedClaim]
    count: int


# The service is told what it could not be told at once by the next run, at the latest.
OWED_LONG = timedelta(hours=1)


@dataclass(frozen=True)
class Differences:
    """How recours's rows and the service's do not agree; both counts are 0 at rest."""

    repaired: int = 0  # rows of ours that only the sweep over all claims found to differ
    owed: int = 0  # claims of which the service has not been told something for more than OWED_LONG


@dataclass(frozen=True)
class Matching:
    """The references of claims that match a filter, and how many more do."""

    references: list[str]
    more: int = 0
