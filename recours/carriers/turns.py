"""Fetches that take turns, so that a wrong password costs one refused call, however many claims are fetched at once.

Until an answer of this run tells that the carrier accepts our account, the calls that present it go one claim's at a time. So
do calls for documents, while it is not known whether the account has the right to them. Calls that present no account, such
as the tracking of some carriers, do not wait.
"""

import threading
from dataclasses import dataclass, field

from recours.carriers.account_gate import AccountGate
from recours.carriers.reservation import Account
from recours.core.outcome import CallError, Failure
from recours.core.pauses import Refusal
from recours.core.quota import Capability
from recours.runs.ports import Reservation


class NotPresentedError(CallError):
    """The call was not made: another's answer closed the account meanwhile, or its right to documents (`of_document`)."""

    def __init__(self, refusal: Refusal, *, of_document: bool = False) -> None:
        kind, reason, at = refusal.kind, refusal.reason, refusal.until
        super().__init__(Failure(kind, reason, retry_at=at, alone=of_document, said=refusal.said))


@dataclass(eq=False)
class Turns:
    """Those of one account in this run. Shared by the run's threads."""

    gate: AccountGate
    key: str
    account: Account
    first: threading.Lock = field(default_factory=threading.Lock)  # of the fetch that presents the account
    fetches: int = 0  # that presented it, and are over: each may have closed the account
    documents: threading.Lock = field(default_factory=threading.Lock)  # of the fetch that asks for a document


@dataclass(eq=False)
class WaitingReservation:
    """A reservation whose calls wait for the fetch's turn. Used by one thread."""

    _reservation: Reservation
    _turns: Turns
    _is_first: bool = False
    _asks_document: bool = False

    def __post_init__(self) -> None:
        self._over_before = self._turns.fetches

    def consume(self, what: Capability) -> None:
        """As the reservation's; waits before it, if need be. Raises CallError."""
        account = self._turns.account
        if account.presents(what) and not self._is_first:
            self._wait()
        if what is Capability.POD and account.has_document_right:
            self._wait_for_documents()
        self._reservation.consume(what)

    def _wait(self) -> None:
        turns = self._turns
        if turns.gate.refusals.accepted(turns.key):
            return
        turns.first.acquire()
        self._is_first = True
        if turns.fetches == self._over_before:
            return
        if turns.gate.refusals.accepted(turns.key):
            self.answered()
        elif refusal := turns.gate.closed(turns.key):
            raise NotPresentedError(refusal)

    def _wait_for_documents(self) -> None:
        key, refusals = self._turns.key, self._turns.gate.refusals
        if refusals.grants_documents(key):
            return
        goes_on = self._asks_document
        if not goes_on:
            self._turns.documents.acquire()
            self._asks_document = True
        if not refusals.grants_documents(key) and not refusals.count_document_call(key, goes_on):
            raise NotPresentedError(self._turns.gate.why_no_documents(key), of_document=True)

    def answered(self) -> None:
        """The fetch is over, and what its answers tell is known: others need not wait any more."""
        if self._asks_document:
            self._asks_document = False
            self._turns.documents.release()
        if self._is_first:
            self._is_first = False
            self._turns.fetches += 1
            self._turns.first.release()

    def called(self) -> None:
        """As the reservation's."""
        self._reservation.called()

    def refund(self) -> None:
        """As the reservation's."""
        self._reservation.refund()

    def release(self) -> None:
        """As the reservation's."""
        self._reservation.release()
