"""Calls that present our account, as long as nothing tells that the carrier accepts it: one claim's at a time.

A wrong password costs one refused call then, however many claims are fetched at once. Calls that present no account, such as
the tracking of some carriers, do not wait.
"""

import threading
from collections.abc import Callable

from recours.core.outcome import CallError, Failure
from recours.core.pauses import Refusal
from recours.core.quota import Capability
from recours.runs.ports import Reservation


class NotPresentedError(CallError):
    """The call was not made: another's answer closed the account meanwhile."""


class FirstAnswer:
    """The first answer about our account at one carrier in this run. Shared by the run's threads."""

    def __init__(self, accepted: Callable[[], bool], closed: Callable[[], Refusal | None]) -> None:
        """`accepted`: an answer has shown that the account is good; `closed`: why it takes no call now."""
        self.accepted = accepted
        self.closed = closed
        self.lock = threading.Lock()  # held by the one fetch that presents the account
        self.fetches = 0  # that presented it, and are over: each may have closed the account


class WaitingReservation:
    """A reservation whose calls that present our account wait for the first answer. Used by one thread."""

    def __init__(
        self, reservation: Reservation, first: FirstAnswer, presents: Callable[[Capability], bool]
    ) -> None:
        """`presents` tells whether a call for this presents our account."""
        self._reservation = reservation
        self._first = first
        self._presents = presents
        self._is_first = False
        self._over_before = first.fetches

    def consume(self, what: Capability) -> None:
        """As the reservation's; waits before it, if need be. Raises CallError."""
        if self._presents(what) and not self._is_first:
            self._wait()
        self._reservation.consume(what)

    def _wait(self) -> None:
        first = self._first
        if first.accepted():
            return
        first.lock.acquire()
        self._is_first = True
        if first.fetches == self._over_before:
            return
        if first.accepted():
            self.answered()
        elif refusal := first.closed():
            failure = Failure(refusal.kind, refusal.reason, retry_at=refusal.until, said=refusal.said)
            raise NotPresentedError(failure)

    def answered(self) -> None:
        """The fetch is over, and what its answers tell is known: others need not wait any more."""
        if self._is_first:
            self._is_first = False
            self._first.fetches += 1
            self._first.lock.release()

    def refund(self, what: Capability) -> None:
        """As the reservation's."""
        self._reservation.refund(what)

    def release(self) -> None:
        """As the reservation's."""
        self._reservation.release()
