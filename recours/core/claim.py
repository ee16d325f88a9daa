"""A claim, and the state of fetching its proof of delivery."""

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

# Carriers reuse numbers after a year or more. A delivery this long before order and claim belongs to another parcel.
REUSED_AFTER = timedelta(days=120)
# Earlier times are placeholders, such as 0001-01-01 or 1970-01-01.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# A time that is never reached.
NEVER = datetime.max.replace(tzinfo=UTC)


class FetchStatus(StrEnum):
    """The values of `claims.pod_fetch_status`, which the claims service also writes."""

    PENDING = "pending"
    FETCHING = "fetching"  # written by other software only
    FAILED = "failed"
    SUCCESS = "success"


# The status of excluded claims. The claims service uses it too.
MANUAL = "manual"


class Stage(StrEnum):
    """The stage of a claim for which a worker is responsible (`recours_claims.stage`)."""

    UNNUMBERED = "unnumbered"  # pending, waits for a tracking number
    NEW = "new"  # pending, ready for the fetch worker
    WAITING = "waiting"  # its next retry is scheduled
    READY = "ready"  # its retry is due; the scheduler may call the carrier
    SETTLED = "settled"  # needs correction: a persistent error was confirmed, so its retries are skipped
    SHELVED = "shelved"  # its claim status excludes it from fetching (paid)
    GIVEN_UP = "given_up"  # all retries used


# Runs fetch claims at these stages.
DUE = (Stage.NEW, Stage.READY)
# Claims at these stages will be fetched, now or later.
IN_PROGRESS = (*DUE, Stage.WAITING)


@dataclass(frozen=True)
class Delivery:
    """The known facts of a parcel's delivery. `at` is aware.

    `day`: the day at the place of delivery, set if the carrier gives only a date, or a local time in a country with
    several time zones. Then `at` is None, and the delivery is shown without a time.
    """

    at: datetime | None = None
    signatory: str | None = None
    day: date | None = None
    # An unknown code in the carrier's answer. Like `Failure.unknown`, it is logged but never stored.
    unknown: str | None = field(default=None, compare=False)
    # The carrier's fields that distinguish parcels with the same number, for the next call; never stored.
    hints: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    # No delivery is known, but the document is requested anyway.
    is_assumed: bool = field(default=False, compare=False)
    # The place (perhaps the delivering depot) and the status, as the carrier names them; ignored in comparisons.
    place: str | None = field(default=None, compare=False)
    label: str | None = field(default=None, compare=False)

    @property
    def latest(self) -> datetime | None:
        """The latest possible time of the delivery; for a day, its end in the westernmost time zone (UTC-12)."""
        if self.at is not None or self.day is None:
            return self.at
        try:
            return datetime.combine(self.day + timedelta(days=1), time(12), UTC)
        except OverflowError:  # the year 9999
            return NEVER

    def as_json(self) -> dict[str, str | None]:
        """Return the stored form; `from_json` is the inverse."""
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
        """Return this delivery with missing facts taken from an earlier delivery."""
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
    """The state of a claim that recours stores in its own table. Datetimes are aware UTC."""

    stage: Stage | None = None
    retries_used: int = 0  # pod_retry_count; does not include the fetch worker's attempt
    # The number of attempts shown to people: the first fetch, retries with a call, and the last attempt.
    attempts: int = 0
    last_retry_at: datetime | None = None
    next_at: datetime | None = None
    failed_at: datetime | None = None  # the time of the failure that started the backoff
    kind: ErrorKind | None = None
    delivery: Delivery | None = None  # learned by an earlier attempt with the same number
    rank_at: datetime | None = None  # the time by which due claims are ordered
    # True: `rank_at` is the deadline or the end of the evidence, after which the claim cannot be won.
    rank_is_deadline: bool = False
    interruptions: int = 0  # how many runs in a row died while fetching this claim
    # The latest of the claim's known times of creation, enrollment and reopening.
    since: datetime | None = None
    expire_from: datetime | None = (
        None  # when the period until expiry starts; None: the carrier was not asked
    )
    expired_at: datetime | None = None  # when recours gave up because the deadline had long passed
    # When the last attempt is planned or was made, see core.last_attempt.
    last_attempt_at: datetime | None = None
    # The account that worked and is used from now on. None: the client's own account, or else the default account.
    account: int | None = None
    goes_alone: bool = False  # its number made a shared call fail, so it is fetched alone

    @property
    def was_asked(self) -> bool:
        """Return whether the carrier was asked about the claim after the time in `since`."""
        return self.expire_from is not None


class Erasure(NamedTuple):
    """When and by whom a claim's data was erased."""

    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A row of `claims` as read. Unreadable values are None and named in `unreadable`."""

    id: Any
    reference: str
    client_id: Any = None
    client_text: str | None = None  # the client's id as the database shows it
    carrier_name: str = ""  # as the service wrote it
    carrier: str | None = None  # the canonical key; None: not a supported carrier
    account: int = DEFAULT_ACCOUNT  # the number of the carrier's account that serves the claim
    number: str | None = None  # upper case, without spaces; None: no number
    fetch_status: str | None = None
    claim_status: str | None = None
    deadline: date | None = None
    ordered_at: datetime | None = None  # when the goods were ordered
    created_at: datetime | None = None
    updated_at: datetime | None = None
    error_text: str | None = None
    explanation: SentenceParts | None = None  # the parts of `error_text`, if recours wrote it
    amount: Decimal = Decimal(0)  # in dispute, as the service wrote it; 0: unknown
    retries_counted: int = 0  # the current pod_retry_count; NULL, negative and unreadable values are 0
    state: State = field(default_factory=State)
    # The values on which the state is based. None: never assessed.
    assessed: "Snapshot | None" = None
    erased: Erasure | None = None  # erased claims are never processed again
    unreadable: tuple[str, ...] = ()
    # The service's values as its database shows them, to detect edits.
    texts: tuple[str | None, ...] = field(default=(), compare=False, repr=False)
    version: int = field(default=0, compare=False, repr=False)  # the number of writes to our row

    @property
    def last_error(self) -> str:
        """The row's last failure for the log, in English if recours wrote it; "" if there is none."""
        return sentence("en", self.explanation) if self.explanation else clean(self.error_text or "")

    def earliest_delivery(self, now: datetime) -> datetime | None:
        """Return the time before which a delivery belongs to another parcel; None: unknown."""
        times = [
            at for at in (self.ordered_at, self.created_at) if at and EARLIEST <= at <= now
        ]  # ignore placeholders and future times
        return min(times) - REUSED_AFTER if times else None

    @property
    def is_pending(self) -> bool:
        """Return whether the fetch worker is responsible for the claim. An abandoned `fetching` counts as pending."""
        return self.fetch_status in (FetchStatus.PENDING, FetchStatus.FETCHING)

    @property
    def is_ours(self) -> bool:
        """Return whether a worker is responsible for the claim. With a status such as `manual`, no worker is."""
        return self.erased is None and (self.is_pending or self.fetch_status == FetchStatus.FAILED)

    @property
    def account_key(self) -> str:
        """The key of the account that serves the claim; "": none, because the carrier is not supported."""
        return str(AccountKey(self.carrier, self.account)) if self.carrier else ""

    def key_with(self, state: State) -> str:
        """Return the key of the account for this state: the default account if it worked, else the claim's account."""
        return self.carrier or "" if state.account == DEFAULT_ACCOUNT else self.account_key

    @property
    def is_edited(self) -> bool:
        """Return whether the row was edited since its last assessment, or was never assessed."""
        return self.assessed != Snapshot(
            self.fetch_status, self.number, self.account_key, self.retries_counted, self.client_text
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The values of the service's columns at the last assessment, to detect corrections.

    `account`: the key of the account that served the claim then ("": none). If another account serves it today, because
    credentials were added or removed or a carrier is new, the claim restarts as after a correction.
    """

    fetch_status: str | None
    number: str | None
    account: str | None
    retries_used: int
    client: str | None = None  # the client's id as text
    # Stored because the last attempt depends on it. A changed deadline is not a correction and restarts nothing.
    deadline: date | None = field(default=None, compare=False)
    carrier_name: str = field(default="", compare=False)  # as the service wrote it


def attempt_name(claim: Claim, state: State, *, is_last: bool = False) -> str:
    """Return the name of an attempt in the log. First fetches and last attempts have no number."""
    if claim.is_pending:
        return "Fetch"
    return "Last attempt" if is_last else f"Retry #{state.retries_used + 1}"


def tidy_number(raw: object) -> str | None:
    """Return the tracking number in upper case without whitespace; None if nothing is left."""
    return "".join(str(raw).split()).upper() or None if raw is not None else None


def deadline_end(deadline: date, zone: ZoneInfo) -> datetime:
    """Return the end (UTC) of a deadline day in `zone`."""
    try:
        return datetime.combine(deadline + timedelta(days=1), time(), zone).astimezone(UTC)
    except OverflowError:  # the year 9999
        return NEVER
