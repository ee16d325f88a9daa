"""Pauses: how long a carrier or account gets no calls because of a rate limit, a rejected account or a person."""

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
# The clocks of machines differ by less than this. Times further in the future come from a wrong clock.
CLOCKS_DIFFER = timedelta(hours=1)
# A pause that ends later than this was set by a wrong clock too.
FURTHEST_END = LONGEST_PAUSE + CLOCKS_DIFFER
_AFTER_REFUSALS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))


def pause_until(requested_until: datetime | None, now: datetime) -> datetime:
    """Return when calls resume to a carrier that asked us to wait until `requested_until` (None: it named no time)."""
    if requested_until is None:
        return now + UNNAMED_PAUSE
    return min(max(requested_until, now), now + LONGEST_PAUSE)


def lasts(until: datetime | None, now: datetime) -> bool:
    """Return whether a pause or a refusal that ends at `until` is still in effect."""
    return until is not None and now < until <= now + FURTHEST_END


def next_try_after_refusals(refusals: int, now: datetime) -> datetime:
    """Return when to retry our account after `refusals` consecutive refusals (at least 1): in 1 h, in 6 h, then daily.

    Retries are due slightly early, because an hourly run never starts on the exact second.
    """
    return now + _AFTER_REFUSALS[min(max(refusals, 1), len(_AFTER_REFUSALS)) - 1] - DUE_SLACK


class AccountState(NamedTuple):
    """The refusals of an account, shared by all processes."""

    refusals: int = 0  # in a row
    refused_until: datetime | None = None
    refusal: str | None = None  # the carrier's text, sanitized
    # A fingerprint of the refused credentials, to notice when they are changed.
    salt: str | None = None
    credentials_print: str | None = None
    kind: ErrorKind = ErrorKind.AUTH_FAILED  # of the refusal: one of REFUSED_KINDS
    # The claim whose call was refused last; None if the call was for the sample number. Kept after an acceptance.
    claim: Any = None


# How long a fetched document proves the account's right to documents.
_PROVEN_FOR = timedelta(days=30)
_RECORDED_AGAIN_AFTER = timedelta(days=1)
# While documents are refused, four calls a day are made, each for a different claim.
_BETWEEN_CALLS = timedelta(hours=6)
SAME_CLAIM_AFTER = LONGEST_PAUSE


@dataclass(frozen=True)
class DocumentRight:
    """An account's right to documents, shared by all processes. Datetimes are aware UTC.

    At many carriers, tracking and documents are separate rights. A refused document call after accepted tracking is
    attributed to the account until a document has been fetched. After that, it is attributed to the parcel.
    """

    fetched_at: datetime | None = None  # when a document was fetched, to the day
    refused_at: datetime | None = None  # when documents were first refused; None: they are not refused
    next_call_at: datetime | None = None  # earliest next document call while the right is unclear
    words: str | None = None  # the carrier's text, sanitized

    def is_proven(self, now: datetime) -> bool:
        """Return whether a recently fetched document proves the right."""
        return self.fetched_at is not None and now - self.fetched_at < _PROVEN_FOR

    def is_paused(self, now: datetime) -> bool:
        """Return whether document calls are paused now."""
        return self.refused_at is not None and lasts(self.next_call_at, now)

    def after_call(self, now: datetime) -> Self:
        """Return the state after a document call while the right is unclear."""
        earliest = self.next_call_at if self.next_call_at and lasts(self.next_call_at, now) else now
        return replace(self, next_call_at=min(earliest + _BETWEEN_CALLS, now + LONGEST_PAUSE))

    def after_refusal(self, now: datetime, words: str) -> Self:
        counted = self if lasts(self.next_call_at, now) else self.after_call(now)
        return replace(counted, refused_at=self.refused_at or now, words=words)

    def after_grant(self) -> Self:
        """Return the state after an answer or a person indicated the right. The next calls show whether it exists."""
        return replace(self, refused_at=None, next_call_at=None, words=None)

    def after_document(self, now: datetime) -> Self:
        """Return the state after a fetched document, which is recorded once a day."""
        is_new = self.fetched_at is None or now - self.fetched_at >= _RECORDED_AGAIN_AFTER
        return replace(self.after_grant(), fetched_at=now if is_new else self.fetched_at)


class Stop(NamedTuple):
    """A person's pause of a carrier, in effect in all processes. `until`: aware UTC; None: until someone resumes it."""

    at: datetime
    why: str | None = None  # author and reason
    until: datetime | None = None

    def is_in_effect(self, now: datetime) -> bool:
        return self.until is None or now < self.until


class Pause(NamedTuple):
    """The time until which a carrier cannot be called, or an account cannot be used."""

    until: datetime
    reason: str | None = None


@dataclass(frozen=True)
class CarrierState:
    """Shared state of a carrier and of one account there."""

    outage: Pause | None = None  # announced by the carrier: applies to all accounts
    stopped: Stop | None = None  # all accounts
    pause: Pause | None = None  # the carrier asked this account to wait
    account: AccountState = field(default_factory=AccountState)
    own_stop: Stop | None = None  # only this client's account
    documents: DocumentRight = field(default_factory=DocumentRight)  # this account's

    def at(self, now: datetime) -> Self:
        """Return the state without expired stops."""
        stopped = self.stopped if self.stopped and self.stopped.is_in_effect(now) else None
        own_stop = self.own_stop if self.own_stop and self.own_stop.is_in_effect(now) else None
        return replace(self, stopped=stopped, own_stop=own_stop)

    def pause_at(self, now: datetime) -> Pause | None:
        """Return the pause in effect now that lasts longest."""
        pauses = [pause for pause in (self.outage, self.pause) if pause and lasts(pause.until, now)]
        return max(pauses, default=None, key=lambda pause: pause.until)


# ---------------------------------------------------------------- attribution of refusals
# A carrier may answer a call about one parcel as if our account were wrong. If recours believed every such answer, one
# parcel would block the carrier for all other claims.

# The wait before a claim is retried if the refusal of its call says nothing about the account.
DEFERRAL = timedelta(hours=6)


class Blame(StrEnum):
    ACCOUNT = "account"
    CLAIM = "claim"  # it counts as access_denied
    CLAIM_LATER = "claim_later"  # no attempt is used; the claim is tried again later
    DOCUMENTS = "documents"  # the account's right to documents, until one has been fetched; then the claim
    UNCLEAR = "unclear"  # decided by a check with the sample number


def blame(
    kind: ErrorKind, call: Capability, *, accepted: Collection[Capability], proven: bool, closed_by_it: bool
) -> Blame:
    """Return what a refusal (one of REFUSED_KINDS) is attributed to, before any check.

    `call`: the capability of the refused call. `accepted`: the capabilities for which answers of this run have shown
    that the carrier accepts our account. `proven`: an answer has shown that our account may use the service.
    `closed_by_it`: this claim caused the last refusal of the account.
    """
    if call is Capability.TOKEN:  # a token call is not about a parcel
        return Blame.ACCOUNT
    if call is Capability.POD and (accepted or kind is ErrorKind.ACCOUNT_DENIED):
        return Blame.DOCUMENTS
    if kind is ErrorKind.ACCOUNT_DENIED:  # accepted credentials say nothing about rights
        return Blame.CLAIM_LATER if proven or closed_by_it else Blame.ACCOUNT
    return Blame.CLAIM if call in accepted else Blame.UNCLEAR


def blame_after_check(call: Capability, *, accepted: bool, refused: bool, closed_by_it: bool) -> Blame:
    """Attribute a refusal after a check with the sample number. Without a check, `accepted` and `refused` are False."""
    if accepted or (closed_by_it and not refused):  # one claim must not close an account twice in a row
        return Blame.DOCUMENTS if call is Capability.POD else Blame.CLAIM
    return Blame.ACCOUNT


class Blocked(StrEnum):
    """Why a carrier cannot be called now."""

    RATE_LIMIT = "rate_limit"
    CARRIER = "carrier"


class Refusal(NamedTuple):
    """Why the queue makes no call. `until`: aware UTC; None: until someone acts, or until the next run."""

    why: Blocked
    reason: str  # a sentence for people
    until: datetime | None = None
    # The missing units are only reserved by other runs, which may release them within seconds.
    passing: bool = False
    kind: ErrorKind = ErrorKind.RATE_LIMITED
    # The remaining calls are reserved for new claims, or for more urgent ones.
    reserved: bool = False
    stopped: bool = False  # by a person
    since: datetime | None = None  # aware UTC, if known
    # The reason, to be rendered in the reader's language; None: only the English text.
    explanation: SentenceParts | None = None


class AccountStatus(NamedTuple):
    """The state and quota of an account at a carrier. Reading them does not count as using a refused account."""

    uses: Sequence[Usage] = ()  # limits of single capabilities first, the longest window last
    closings: Sequence[Refusal] = ()  # all reasons other than the quota why the account cannot be used
    at_limit: Refusal | None = None  # its quota is used up
    rejected: Refusal | None = None  # the last refusal of the account or of its documents, if still in effect
    documents: Refusal | None = None  # why the account gets no documents, and since when
    documents_until: datetime | None = None  # no document calls before this time
    stopped: Stop | None = None  # a person's pause of the carrier or of this client's account

    @property
    def refusal(self) -> Refusal | None:
        """Why the account cannot be used."""
        return next(iter(self.closings), self.at_limit)

    def refusal_for(self, *, document: bool) -> Refusal | None:
        """Return why no call is made for a claim; None: a call is made. `document`: only the document is missing."""
        return self.refusal or (self.documents if document else None)
