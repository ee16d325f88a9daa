"""A claim as the rules see it, and the state of its proof of delivery."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from recours.core.accounts import DEFAULT_ACCOUNT, AccountKey
from recours.core.errors import ErrorKind
from recours.core.sentences import SentenceParts, sentence
from recours.core.text import clean

# Carriers reuse numbers after a year or more. A delivery that long before the order and the claim is another parcel's.
REUSED_AFTER = timedelta(days=120)
# An earlier time is a placeholder of some program, such as 0001-01-01 or 1970-01-01.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# A time that does not come.
NEVER = datetime.max.replace(tzinfo=UTC)


class FetchStatus(StrEnum):
    """`claims.pod_fetch_status`, a column that the service's own application writes too."""

    PENDING = "pending"
    FETCHING = "fetching"  # written by other software only
    FAILED = "failed"
    SUCCESS = "success"


# The status of claims that a person took out of all work; the service knows it too.
MANUAL = "manual"


class Stage(StrEnum):
    """Where a claim stands (`recours_claims.stage`), while a worker is for it."""

    UNNUMBERED = "unnumbered"  # pending, without a tracking number: waits for one
    NEW = "new"  # pending, ready for the fetch worker
    WAITING = "waiting"  # its next retry has a time
    READY = "ready"  # its retry is due, the scheduler may call the carrier
    SETTLED = "settled"  # a persistent error was confirmed: its retries pass without a call
    SHELVED = "shelved"  # its claim status says that no POD is wanted (paid)
    GIVEN_UP = "given_up"  # all retries used


# Runs take them now.
DUE = (Stage.NEW, Stage.READY)
# A call for them is still to come.
IN_PROGRESS = (*DUE, Stage.WAITING)


@dataclass(frozen=True)
class Delivery:
    """What is known of a parcel's delivery. `at` is aware.

    `day`: the day at the place of delivery, where the carrier tells no time that can be placed: without a time of day,
    or in the local time of a country with several. It is then shown without a time; `at` is None.
    """

    at: datetime | None = None
    signatory: str | None = None
    day: date | None = None
    # What the answer held that no table here knows; logged like that of a failure, and never stored.
    unknown: str | None = field(default=None, compare=False)
    # The carrier's own fields that tell the parcel from others of its number: for its next call, and never stored.
    hints: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    # Nobody knows of a delivery: the document is asked for all the same.
    is_assumed: bool = field(default=False, compare=False)
    # As the carrier names them, and no part of what tells one delivery from another: where it was made, which may be the
    # depot that made it, and its status.
    place: str | None = field(default=None, compare=False)
    label: str | None = field(default=None, compare=False)

    @property
    def latest(self) -> datetime | None:
        """The latest time at which it can have been: for a day, its end in the last zone on earth (UTC-12)."""
        if self.at is not None or self.day is None:
            return self.at
        try:
            return datetime.combine(self.day + timedelta(days=1), time(12), UTC)
        except OverflowError:  # the year 9999
            return NEVER

    def as_json(self) -> dict[str, str | None]:
        """What is stored of it; `from_json` is the inverse."""
        return {
            "at": self.at.isoformat() if self.at else None,
            "signatory": self.signatory,
            "day": self.day.isoformat() if self.day else None,
            "place": self.place,
            "label": self.label,
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, str | None]) -> "Delivery":
        at, day = facts["at"], facts["day"]
        return cls(
            datetime.fromisoformat(at) if at else None,
            facts["signatory"],
            date.fromisoformat(day) if day else None,
            place=facts["place"],
            label=facts["label"],
        )

    def completed_by(self, earlier: "Delivery") -> "Delivery":
        """The same, with what is missing taken from what was known before."""
        at = self.at or (earlier.at if self.day is None else None)
        day = None if at else self.day or earlier.day
        return Delivery(
            at,
            self.signatory or earlier.signatory,
            day,
            self.unknown or earlier.unknown,
            self.hints or earlier.hints,
            place=self.place or earlier.place,
            label=self.label or earlier.label,
        )


@dataclass(frozen=True, slots=True)
class State:
    """What recours stores about a claim in columns of its own. Datetimes are aware UTC."""

    stage: Stage | None = None
    retries_used: int = 0  # pod_retry_count; the fetch worker's attempt is not among them
    # Attempts made: the first fetch, retries with a call, the last attempt. This is the number shown to people.
    attempts: int = 0
    last_retry_at: datetime | None = None
    next_at: datetime | None = None
    failed_at: datetime | None = None  # the time of failure, fixed when first seen
    kind: ErrorKind | None = None
    delivery: Delivery | None = None  # learnt by an earlier attempt with the same number
    rank_at: datetime | None = None  # the order among claims that are due
    rank_is_deadline: bool = False  # nothing can be won after it: the deadline, or the end of the evidence
    interruptions: int = 0  # how often in a row a run died while it fetched this claim
    # The latest of its creation, its enrollment and its reopening, as far as known.
    since: datetime | None = None
    expire_from: datetime | None = None  # when the time begins after which it expires; None: not asked since
    expired_at: datetime | None = None  # given up since its deadline had long passed
    last_attempt_at: datetime | None = None  # set for then, or made then: see core.last_attempt
    # Of the claim's carrier: which account worked, and is asked from now on; None: the client's, else the default account.
    account: int | None = None
    goes_alone: bool = False  # its number made a shared call fail: it is asked about alone from now on

    @property
    def was_asked(self) -> bool:
        """Return whether the carrier was asked about it since `since`."""
        return self.expire_from is not None


class Erasure(NamedTuple):
    """When, and by whom, what recours had of a claim was erased."""

    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A row of `claims`, read. Values that could not be read are None and named in `unreadable`."""

    id: Any
    reference: str
    client_id: Any = None
    client_text: str | None = None  # the same as its database writes it
    carrier_name: str = ""  # as the service wrote it
    carrier: str | None = None  # its canonical key; None: no supported carrier
    account: int = DEFAULT_ACCOUNT  # the number of the account that serves it there
    number: str | None = None  # upper case, without blanks; None: no number
    fetch_status: str | None = None
    claim_status: str | None = None
    deadline: date | None = None
    ordered_at: datetime | None = None  # the customer's order
    created_at: datetime | None = None
    updated_at: datetime | None = None
    error_text: str | None = None
    explanation: SentenceParts | None = None  # its parts, if recours wrote that text
    amount: Decimal = Decimal(0)  # in dispute, as the service wrote it; 0: unknown
    retries_counted: int = 0  # pod_retry_count as it stands; NULL, negative and garbage are 0
    state: State = field(default_factory=State)
    # What the state was assessed on. None: never assessed.
    assessed: "Snapshot | None" = None
    erased: Erasure | None = None  # nothing is done with it any more
    unreadable: tuple[str, ...] = ()
    # The service's values as its database writes them, to see later whether it has changed them.
    texts: tuple[str | None, ...] = field(default=(), compare=False, repr=False)
    version: int = field(default=0, compare=False, repr=False)  # how often our row of it was written

    @property
    def last_error(self) -> str:
        """What the row says of its last failure, for the log: in English if recours wrote it; "": nothing."""
        return sentence("en", self.explanation) if self.explanation else clean(self.error_text or "")

    def earliest_delivery(self, now: datetime) -> datetime | None:
        """A delivery before this time is another parcel's. None: unknown, also if the claim's dates are in the future."""
        times = [at for at in (self.ordered_at, self.created_at) if at and EARLIEST <= at <= now]
        return min(times) - REUSED_AFTER if times else None

    @property
    def is_pending(self) -> bool:
        """Return whether it is the fetch worker's (an abandoned `fetching` counts as pending)."""
        return self.fetch_status in (FetchStatus.PENDING, FetchStatus.FETCHING)

    @property
    def is_ours(self) -> bool:
        """Return whether one of the workers is for it; any other status (`manual`) is not for them."""
        return self.erased is None and (self.is_pending or self.fetch_status == FetchStatus.FAILED)

    @property
    def account_key(self) -> str:
        """The key of the account that serves it; "": none, as its carrier is not supported."""
        return str(AccountKey(self.carrier, self.account)) if self.carrier else ""

    def key_with(self, state: State) -> str:
        """The key of the account that serves it in this state: the default account once that has worked for it."""
        return self.carrier or "" if state.account == DEFAULT_ACCOUNT else self.account_key

    @property
    def is_edited(self) -> bool:
        """Return whether the row is not what it was assessed on, or was never assessed."""
        return self.assessed != Snapshot(
            self.fetch_status, self.number, self.account_key, self.retries_counted, self.client_text
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The values of the service's columns at the last assessment, to notice corrections.

    `account`: the key of the account that served the claim then ("": none). Another one may serve it today, since
    credentials came or went, or a carrier is new: that starts a claim over like a correction.
    """

    fetch_status: str | None
    number: str | None
    account: str | None
    retries_used: int
    client: str | None = None  # the client's id, as a text
    # What the last attempt goes by. A changed one is no correction: the claim does not start over.
    deadline: date | None = field(default=None, compare=False)
    carrier_name: str = field(default="", compare=False)  # as the service wrote it


def attempt_name(claim: Claim, state: State, *, is_last: bool = False) -> str:
    """What the log calls an attempt at a claim in this state. A first fetch and a last attempt have no number."""
    if claim.is_pending:
        return "Fetch"
    return "Last attempt" if is_last else f"Retry #{state.retries_used + 1}"


def tidy_number(raw: object) -> str | None:
    """A tracking number in upper case without blanks; None if nothing is left."""
    return "".join(str(raw).split()).upper() or None if raw is not None else None


def deadline_end(deadline: date, zone: ZoneInfo) -> datetime:
    """When (UTC) a deadline day ends in `zone`."""
    try:
        return datetime.combine(deadline + timedelta(days=1), time(), zone).astimezone(UTC)
    except OverflowError:  # the year 9999
        return NEVER
