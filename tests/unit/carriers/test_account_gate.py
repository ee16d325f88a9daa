"""Calls with our credentials wait for the first answer about the account; other calls do not."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from recours.carriers.account_gate import NotPresentedError, Turns, WaitingReservation
from recours.core.errors import ErrorKind
from recours.core.pauses import Blocked, Refusal
from recours.core.quota import Capability

UNTIL = datetime(2026, 2, 2, 9, tzinfo=UTC)
REFUSAL = Refusal(Blocked.CARRIER, "rejects our credentials", UNTIL, kind=ErrorKind.AUTH_FAILED)


@dataclass
class Account:
    """An account whose tracking call sends no credentials, and the calls that were made."""

    is_accepted: bool = False
    refusal: Refusal | None = None
    used: list[Capability] = field(default_factory=list)
    has_document_right: bool = False

    def __post_init__(self) -> None:
        itself = cast("Any", self)
        self.refusals = itself
        self.turns = Turns(itself, "chronopost", itself)

    def presents(self, what: Capability) -> bool:
        return what is Capability.POD

    def accepted(self, key: str) -> bool:
        del key
        return self.is_accepted

    def closed(self, key: str) -> Refusal | None:
        del key
        return self.refusal

    def fetch(self) -> WaitingReservation:
        return WaitingReservation(self, self.turns)

    def consume(self, what: Capability) -> None:
        self.used.append(what)

    def called(self) -> None:
        pass

    def refund(self) -> None:
        self.used.pop()

    def release(self) -> None:
        pass


@dataclass
class Waiting:
    """A second fetch before its document call, in its own thread."""

    reservation: WaitingReservation
    refused: NotPresentedError | None = None

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._use)
        self.thread.start()
        time.sleep(0.05)

    def _use(self) -> None:
        try:
            self.reservation.consume(Capability.POD)
        except NotPresentedError as error:
            self.refused = error
        self.reservation.answered()


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def first(account: Account) -> WaitingReservation:
    """The fetch whose call is in progress."""
    reservation = account.fetch()
    reservation.consume(Capability.POD)
    return reservation


@pytest.fixture
def second(account: Account, first: WaitingReservation) -> Iterator[Waiting]:
    waiting = Waiting(account.fetch())
    assert (account.used, waiting.thread.is_alive()) == ([Capability.POD], True)
    yield waiting
    first.answered()
    waiting.thread.join(5)
    assert not account.turns.first.locked()


def test_a_second_call_starts_when_the_first_is_answered(
    account: Account, first: WaitingReservation, second: Waiting
) -> None:
    """With any answer, even one that reveals nothing about the account."""
    first.answered()
    second.thread.join(5)
    assert (len(account.used), second.refused) == (2, None)


def test_the_second_call_is_not_made_if_the_first_was_rejected(
    account: Account, first: WaitingReservation, second: Waiting
) -> None:
    account.refusal = REFUSAL
    first.answered()
    second.thread.join(5)
    assert second.refused is not None
    failure = second.refused.failure
    assert (failure.kind, failure.message, failure.retry_at) == (ErrorKind.AUTH_FAILED, REFUSAL.reason, UNTIL)
    assert account.used == [Capability.POD]


def test_a_call_without_credentials_does_not_wait(account: Account, second: Waiting) -> None:
    account.fetch().consume(Capability.TRACKING)
    assert account.used == [Capability.POD, Capability.TRACKING]
    assert second.thread.is_alive()


def test_nobody_waits_once_the_account_is_accepted(account: Account) -> None:
    account.is_accepted = True
    for reservation in (account.fetch(), account.fetch()):
        reservation.consume(Capability.POD)
    assert account.used == [Capability.POD] * 2


def test_a_fetch_does_not_wait_for_itself(account: Account) -> None:
    reservation = account.fetch()
    reservation.consume(Capability.POD)
    reservation.consume(Capability.POD)
    reservation.answered()
    assert not account.turns.first.locked()


def test_no_call_is_made_after_an_answer_closed_the_account(
    account: Account, first: WaitingReservation
) -> None:
    """For example the call of a fetch that was tracking its parcel, and therefore did not wait."""
    later = account.fetch()
    account.refusal = REFUSAL
    first.answered()
    with pytest.raises(NotPresentedError):
        later.consume(Capability.POD)
    later.answered()
    assert account.used == [Capability.POD]
    assert not account.turns.first.locked()


def test_the_first_call_does_not_wait(account: Account) -> None:
    """Even if the account was refused, because this call is the attempt that is due."""
    account.refusal = REFUSAL
    account.fetch().consume(Capability.POD)
    assert account.used == [Capability.POD]
