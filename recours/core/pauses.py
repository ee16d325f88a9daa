"""How long a carrier or an account there is left alone: it asked to wait, refused the account, or a person stopped it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Self

from recours.core.errors import ErrorKind
from recours.core.policy import DUE_SLACK
from recours.core.quota import Capability, Usage
from recours.core.sentences import SentenceParts

LONGEST_PAUSE = timedelta(hours=24)
UNNAMED_PAUSE = timedelta(minutes=60)
# Clocks of machines differ by less. What is dated later than that from now was left by a clock that was wrong.
CLOCKS_DIFFER = timedelta(hours=1)
# And so was what ends later than this.
FURTHEST_END = LONGEST_PAUSE + CLOCKS_DIFFER
_AFTER_REFUSALS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))


def pause_until(requested_until: datetime | None, now: datetime) -> datetime:
    """Until when a carrier is left alone that asked to wait until `requested_until` (None: it named no time)."""
    if requested_until is None:
        return now + UNNAMED_PAUSE
    return min(max(requested_until, now), now + LONGEST_PAUSE)


def lasts(until: datetime | None, now: datetime) -> bool:
    """Tell whether a pause or a refusal that ends at `until` still holds."""
    return until is not None and now < until <= now + FURTHEST_END


def next_try_after_refusals(refusals: int, now: datetime) -> datetime:
    """When our account is presented again after `refusals` (at least 1) in a row: 1 h, 6 h, then daily.

    Less the slack of a retry: an hourly run is never on the second.
    """
    return now + _AFTER_REFUSALS[min(max(refusals, 1), len(_AFTER_REFUSALS)) - 1] - DUE_SLACK


class AccountState(NamedTuple):
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


# A document that came tells so long that the account may fetch documents.
_TELLS_FOR = timedelta(days=30)
_NOTED_AGAIN_AFTER = timedelta(days=1)
# While documents are refused: four calls a day, each for another claim.
_BETWEEN_CALLS = timedelta(hours=6)
SAME_CLAIM_AFTER = LONGEST_PAUSE


@dataclass(frozen=True)
class DocumentRight:
    """An account's right to documents, beside that to track: what all processes know of it. Datetimes are aware UTC.

    At many carriers they are two rights. A document call that is refused after the tracking was accepted is the account's
    trouble, until a document has come: then it is the parcel's.
    """

    came_at: datetime | None = None  # when a document came, to the day
    refused_at: datetime | None = None  # since when it is refused; None: it is not
    next_call_at: datetime | None = None  # of the calls since the last answer that granted it
    words: str | None = None  # the carrier's, harmless

    def is_shown(self, now: datetime) -> bool:
        """Tell whether a document has shown that the account has it."""
        return self.came_at is not None and now - self.came_at < _TELLS_FOR

    def is_paused(self, now: datetime) -> bool:
        """Tell whether no document may be asked for now."""
        return self.refused_at is not None and lasts(self.next_call_at, now)

    def after_call(self, now: datetime) -> Self:
        """A document is asked for, while nobody knows whether it is granted."""
        earliest = self.next_call_at if self.next_call_at and lasts(self.next_call_at, now) else now
        return replace(self, next_call_at=min(earliest + _BETWEEN_CALLS, now + LONGEST_PAUSE))

    def after_refusal(self, now: datetime, words: str) -> Self:
        counted = self if lasts(self.next_call_at, now) else self.after_call(now)
        return replace(counted, refused_at=self.refused_at or now, words=words)

    def after_grant(self) -> Self:
        """An answer, or a person, has it that documents may be asked for: those that will be tell whether that is so."""
        return replace(self, refused_at=None, next_call_at=None, words=None)

    def after_document(self, now: datetime) -> Self:
        """A document came. Not each one is written down: the day is enough."""
        is_new = self.came_at is None or now - self.came_at >= _NOTED_AGAIN_AFTER
        return replace(self.after_grant(), came_at=now if is_new else self.came_at)


class Stop(NamedTuple):
    """A person stopped a carrier for all processes: `until` (aware UTC) a time, or until someone takes it up again (None)."""

    at: datetime
    why: str | None = None  # who did, and their words
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        return self.until is None or now < self.until


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
    documents: DocumentRight = field(default_factory=DocumentRight)  # this account's

    def at(self, now: datetime) -> Self:
        """The same without the stops that are over."""
        stopped = self.stopped if self.stopped and self.stopped.holds(now) else None
        own_stop = self.own_stop if self.own_stop and self.own_stop.holds(now) else None
        return replace(self, stopped=stopped, own_stop=own_stop)

    def pause_at(self, now: datetime) -> Pause | None:
        """The pause that lasts longest of those that hold now."""
        pauses = [pause for pause in (self.outage, self.pause) if pause and lasts(pause.until, now)]
        return max(pauses, default=None, key=lambda pause: pause.until)


# ---------------------------------------------------------------- whose a refusal is
# A carrier may answer a question about one parcel as if our account were wrong. Taken at its word, one such parcel would
# close the carrier to all the others.


# When a claim is asked about again whose refusal says nothing about the account.
PUT_OFF = timedelta(hours=6)


class Blame(StrEnum):
    ACCOUNT = "account"
    CLAIM = "claim"  # it counts as access_denied
    CLAIM_LATER = "claim_later"  # no attempt is used; the claim is tried again later
    DOCUMENTS = "documents"  # the account's right to documents, until one has come: then the claim
    UNCLEAR = "unclear"  # a check with the sample number tells


def blame(
    kind: ErrorKind, call: Capability, *, accepted: Collection[Capability], proven: bool, closed_by_it: bool
) -> Blame:
    """Whose a refusal (one of REFUSED_KINDS) is, before any check.

    `call`: for which right the refused call was made. `accepted`: for which ones an answer of this run has shown that the
    carrier accepts our account; it counts for these alone. `proven`: one has shown that our account may use the service.
    `closed_by_it`: this claim is the one that closed the account the last time.
    """
    if call is Capability.TOKEN:  # it speaks of no parcel
        return Blame.ACCOUNT
    if call is Capability.POD and (accepted or kind is ErrorKind.ACCOUNT_DENIED):
        return Blame.DOCUMENTS
    if kind is ErrorKind.ACCOUNT_DENIED:  # credentials that are accepted tell nothing about rights
        return Blame.CLAIM_LATER if proven or closed_by_it else Blame.ACCOUNT
    return Blame.CLAIM if call in accepted else Blame.UNCLEAR


def blame_after_check(call: Capability, *, accepted: bool, refused: bool, closed_by_it: bool) -> Blame:
    """Whose it is after a check with the sample number; one that could not be made is neither accepted nor refused."""
    if accepted or (closed_by_it and not refused):  # no claim closes an account twice in a row
        return Blame.DOCUMENTS if call is Capability.POD else Blame.CLAIM
    return Blame.ACCOUNT


class Blocked(StrEnum):
    """Why a carrier can take no call now."""

    RATE_LIMIT = "rate_limit"
    CARRIER = "carrier"


class Refusal(NamedTuple):
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
    since: datetime | None = None  # aware UTC, where it is known
    # What the reason is made of, to be rendered in the language of its reader; None: only the English text.
    explanation: SentenceParts | None = None


class AccountStatus(NamedTuple):
    """An account at a carrier, as its state and its quota were read. To read them takes no try that is due."""

    uses: Sequence[Usage] = ()  # of the limits for one capability first, of the longest window last
    closings: Sequence[Refusal] = ()  # every reason for which it takes no call, whatever its quota
    at_limit: Refusal | None = None  # its quota is used up
    rejected: Refusal | None = None  # it, or its right to documents, was refused and not accepted since
    documents: Refusal | None = None  # why it gets no documents, and since when
    documents_until: datetime | None = None  # it is asked for none before
    stopped: Stop | None = None  # the carrier, or this account of a client, by a person

    @property
    def refusal(self) -> Refusal | None:
        """Why it could take no call."""
        return next(iter(self.closings), self.at_limit)

    def refusal_for(self, *, document: bool) -> Refusal | None:
        """The same for one claim; `document`: only its document is missing."""
        return self.refusal or (self.documents if document else None)
