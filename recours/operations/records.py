"""Runs, attempts, backlogs and claims as they were recorded; `recours.database.reports.records` reads them.

No read costs more because there are more claims, but those that go through all of them (`each_…`): each is answered by
an index, and counts no further than its caller wants.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from recours.core.claim import Claim, Stage
from recours.core.mail import MailState
from recours.core.sentences import Said
from recours.operations.returns import Spent
from recours.runs.ports import LONGEST_LEASE


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
    """Attempts of one day that are alike, counted. `turn` 0 is the fetch worker's, `kind` the error's, None on success."""

    day: date
    carrier: str  # its key, or the name that the claim had
    retry: int
    outcome: str  # success, failed, left, tracked, sampled
    kind: str | None
    count: int


# A backlog is counted so far; a number that has reached it means "so many, or more".
COUNTED_UP_TO = 10_000


@dataclass(frozen=True)
class Backlog:
    """The claims of one carrier (its key; "": of none that we know) that are not done, counted by stage.

    `unassessed`: failed or pending claims that no run has assessed yet; the next one does. `oldest`: since when the
    oldest of those that are still tried has failed, or is new. `counted_up_to`: no number is counted further.
    """

    carrier: str
    stages: Mapping[Stage, int]
    oldest: datetime | None = None
    unassessed: int = 0
    counted_up_to: int | None = COUNTED_UP_TO

    @property
    def due(self) -> int:
        """Claims that a run would take now: of the scheduler and of the fetch worker."""
        return self.capped(self.stages.get(Stage.READY, 0) + self.stages.get(Stage.NEW, 0))

    @property
    def to_come(self) -> int:
        """Claims for which a call is still to come."""
        stages = (Stage.NEW, Stage.READY, Stage.WAITING)
        return self.capped(self.unassessed + sum(self.stages.get(stage, 0) for stage in stages))

    @property
    def is_tried(self) -> bool:
        return self.to_come > 0

    def capped(self, number: int) -> int:
        """A sum, which means "or more" as soon as one of its parts does."""
        return number if self.counted_up_to is None else min(number, self.counted_up_to)


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
    outcome: str  # success, failed, left, tracked, sampled
    used: bool
    kind: str | None = None
    message: str | None = None  # in English, as in the log
    said: Said | None = None  # the same for people; None: by an older version
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
    is_sample: bool = False  # of a claim that had given up

    @property
    def was_asked(self) -> bool:
        """Tell whether the carrier was asked: by a call for this claim, or by one that it shared with others."""
        return self.calls > 0 or self.http_status is not None

    @property
    def signed_by(self) -> str | None:
        """Who signed, of an attempt that brought the proof. What tracking says beside a refusal is no signature."""
        return self.signatory if self.outcome == "success" else None


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
class PastChange:
    """What happened to a claim beside its attempts. `details`: of an edit, old and new values; see `recours.core.changes`."""

    at: datetime
    what: str
    by: str  # a person's name, or "service"
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClaimFilter:
    """Which claims a list shows; an empty field leaves all.

    `statuses`: of pod_fetch_status, "" for none; `carriers`: keys, "" for none that is known; `text`: what a reference
    or tracking number begins with, in whatever case, blanks not counted.
    """

    statuses: Collection[str] = ()
    stages: Collection[Stage] = ()
    carriers: Collection[str] = ()
    text: str = ""


@dataclass(frozen=True)
class ListedClaim:
    """A claim in a list, with where its POD lies, and who signed. `lease_end`: of the last run that leased it."""

    claim: Claim
    pod_url: str | None = None
    fetched_at: datetime | None = None
    signatory: str | None = None
    lease_end: datetime | None = None

    def leased_until(self, now: datetime) -> datetime | None:
        """When the lease ends that a run has on it now; None: none has."""
        end = self.lease_end
        return end if end and now < end <= now + LONGEST_LEASE else None


@dataclass(frozen=True)
class LeftAlone:
    """Claims that no run of this version works on, counted. `remarks`: what a run's log says of them, and why."""

    claims: int = 0
    remarks: tuple[str, ...] = ()


class Records(Protocol):
    """What the state of the system and the weekly report are drawn from."""

    def runs(
        self,
        worker: str | None = None,
        since: datetime | None = None,
        most: int = 50,
        until: datetime | None = None,
    ) -> list[Run]:
        """The latest runs, the newest first; of those that began up to `until` if it is given."""

    def tallies(self, days: Sequence[date], zone: ZoneInfo) -> list[Tally]:
        """Attempts of these days (as they fall in `zone`), counted."""

    def spent(self, since: datetime, until: datetime) -> list[Spent]:
        """The latest attempts of that time, the newest first, up to MOST_ATTEMPTS."""

    def backlogs(self, due_until: datetime | None = None, most: int | None = COUNTED_UP_TO) -> list[Backlog]:
        """What is not done, by carrier; each stage counted up to `most` (None: all of it, which takes its time).

        Waiting claims whose retry comes by `due_until`, which no run has made ready yet, are counted as ready.
        """

    def mails(self) -> Mapping[MailState, int]:
        """How many mails are not ended: ready, held, or being sent."""
