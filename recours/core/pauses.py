"""How long a carrier or an account there is left alone: it asked to wait, refused the account, or a person stopped it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from recours.core.errors import ErrorKind
from recours.core.policy import DUE_SLACK
from recours.core.sentences import Said

LONGEST_PAUSE = timedelta(hours=24)
UNNAMED_PAUSE = timedelta(minutes=60)
# Clocks of machines differ by less. What is dated later than that from now was left by a clock that was wrong.
CLOCKS_DIFFER = timedelta(hours=1)
# And so was what ends later than this.
FURTHEST_END = LONGEST_PAUSE + CLOCKS_DIFFER
_AFTER_REFUSALS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))


def pause_until(asked: datetime | None, now: datetime) -> datetime:
    """Until when a carrier is left alone that asked to wait until `asked` (None: it named no time)."""
    if asked is None:
        return now + UNNAMED_PAUSE
    return min(max(asked, now), now + LONGEST_PAUSE)


def lasts(until: datetime | None, now: datetime) -> bool:
    """Tell whether a pause or a refusal that ends at `until` still holds."""
    return until is not None and now < until <= now + FURTHEST_END


def next_try_after_refusals(refusals: int, now: datetime) -> datetime:
    """When our account is presented again after `refusals` (at least 1) in a row: 1 h, 6 h, then daily.

    Less the slack of a retry: an hourly run is never on the second.
    """
    return now + _AFTER_REFUSALS[min(max(refusals, 1), len(_AFTER_REFUSALS)) - 1] - DUE_SLACK


@dataclass(frozen=True)
class AccountState:
    """What all processes know of refusals of an account."""

    refusals: int = 0  # in a row
    refused_until: datetime | None = None
    refusal: str | None = None  # the carrier's words, harmless
    # A fingerprint of the refused credentials, to notice that they were changed.
    salt: str | None = None
    credentials_print: str | None = None
    kind: ErrorKind = ErrorKind.AUTH_FAILED  # of the refusal: one of REFUSED_KINDS
    # Whose call was refused last; None: that for the sample number. Kept after an acceptance.
    claim: Any = None


@dataclass(frozen=True)
class Stop:
    """A person stopped a carrier for all processes, until someone takes it up again."""

    at: datetime
    why: str | None = None  # who did, and their words


class Pause(NamedTuple):
    """A carrier, or one account there, takes no calls until then."""

    until: datetime
    reason: str | None = None


@dataclass(frozen=True)
class CarrierState:
    """What all processes know of a carrier, and of one account there."""

    outage: Pause | None = None  # the carrier said for how long: it closes all accounts
    stopped: Stop | None = None  # all accounts
    pause: Pause | None = None  # the carrier asked this account to wait
    account: AccountState = field(default_factory=AccountState)
    own_stop: Stop | None = None  # this account of a client alone

    def pause_at(self, now: datetime) -> Pause | None:
        """The pause that lasts longest of those that hold now."""
        holding = [each for each in (self.outage, self.pause) if each and lasts(each.until, now)]
        return max(holding, default=None, key=lambda each: each.until)


# ---------------------------------------------------------------- whose a refusal is
# A carrier may answer a question about one parcel as if our account were wrong. Taken at its word, one such parcel would
# close the carrier to all the others.


# When a claim is asked about again whose refusal says nothing about the account.
PUT_OFF = timedelta(hours=6)


class Blame(StrEnum):
    ACCOUNT = "account"
    CLAIM = "claim"  # it counts as access_denied
    CLAIM_LATER = "claim_later"  # no attempt is used; the claim is tried again later
    UNCLEAR = "unclear"  # a check with the sample number tells


def blame(kind: ErrorKind, *, names_parcel: bool, accepted: bool, proven: bool, closed_by_it: bool) -> Blame:
    """Whose a refusal (one of REFUSED_KINDS) is, before any check.

    `names_parcel`: the refused call was about a parcel, not for a token. `accepted`: an answer of this run showed that
    the carrier takes our credentials. `proven`: a document came in this run, so that our account has all rights.
    `closed_by_it`: this claim is the one that closed the account the last time.
    """
    if not names_parcel:
        return Blame.ACCOUNT
    if kind is ErrorKind.ACCOUNT_DENIED:  # credentials that are accepted tell nothing about rights
        return Blame.CLAIM_LATER if proven or closed_by_it else Blame.ACCOUNT
    return Blame.CLAIM if accepted else Blame.UNCLEAR


def blame_after_check(*, accepted: bool, refused: bool, closed_by_it: bool) -> Blame:
    """Whose it is after a check with the sample number; one that could not be made is neither accepted nor refused."""
    if accepted or (closed_by_it and not refused):  # no claim closes an account twice in a row
        return Blame.CLAIM
    return Blame.ACCOUNT


class Blocked(StrEnum):
    """Why a carrier can take no call now."""

    RATE_LIMIT = "rate_limit"
    CARRIER = "carrier"


@dataclass(frozen=True)
class Refusal:
    """The queue's no. `until` is aware UTC; None: not before someone acts, or the next run."""

    why: Blocked
    reason: str  # for people
    until: datetime | None = None
    # Only units that others hold stand in the way: they may come back within seconds.
    passing: bool = False
    kind: ErrorKind = ErrorKind.RATE_LIMITED
    # The calls that are left are kept for new claims, or for more urgent ones.
    reserved: bool = False
    stopped: bool = False  # by a person
    # What the reason is made of, to be rendered in the language of its reader; None: only the English text.
    said: Said | None = None
