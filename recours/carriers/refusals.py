"""Refusals of our accounts: what one run learns of them, and what it leaves to all processes."""

import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from recours.carriers.reservation import LEASE, Account, QuotaStore
from recours.core.errors import ErrorKind
from recours.core.outcome import CallError, Failure
from recours.core.pauses import (
    AccountState,
    Blame,
    Refusal,
    blame,
    blame_after_check,
    lasts,
    next_try_after_refusals,
)
from recours.core.quota import Capability
from recours.runs.ports import Clock, Reservation


class Refusals:
    """Refusals of our accounts. Safe for the threads of a run."""

    def __init__(self, accounts: Mapping[str, Account], quota: QuotaStore, clock: Clock) -> None:
        self._accounts = accounts
        self._quota = quota
        self._clock = clock
        self._trying_again: dict[str, AccountState] = {}
        self._accepted: set[str] = set()
        self._proven: set[str] = set()
        self._lock = threading.RLock()

    # ---------------------------------------------------------------- before a call

    def keeps_closed(self, key: str, state: AccountState) -> bool:
        """Tell whether the account was refused, and has neither changed nor waited long enough.

        If it has waited long enough, the one try that is due is this run's from here on.
        """
        if state.refusals == 0:
            return False
        with self._lock:
            # Since the state was read, another call of this run may have taken the try that is due, or been accepted.
            if key in self._trying_again:
                return False
            state = self._quota.carrier_state(key).account
            if state.refusals == 0:
                return False
            if self.has_new_credentials(key, state):
                self._quota.set_account_state(key, AccountState())
                return False
            now = self._clock.now()
            if not lasts(state.refused_until, now) and self._quota.try_again(key, now, now + LEASE):
                self._trying_again[key] = state
                return False
            return True

    def has_new_credentials(self, key: str, state: AccountState) -> bool:
        if state.salt is None:
            return False
        return print_of(self._accounts[key].credentials, state.salt) != state.credentials_print

    def try_now(self, key: str, state: AccountState) -> None:
        """Present the account although it stands refused: a person asked for it."""
        if state.refusals:
            self._trying_again[key] = state

    def awaits_check(self, key: str, claim: Any) -> AccountState | None:
        """The refusal after which the account is tried again, if this claim is not the one to try it with.

        It was this very claim's call that was refused; or that for the sample number, and then one call is enough again.
        """
        state = self._trying_again.get(key)
        return state if state and state.claim in (None, claim) else None

    def is_tried_again(self, key: str) -> bool:
        return key in self._trying_again

    # ---------------------------------------------------------------- after a call

    def blame(
        self, key: str, kind: ErrorKind, claim: Any, *, last: Capability | None, accepted: bool
    ) -> Blame:
        """Whose a refusal is, as far as it is known without a check. `accepted`: by an earlier call of the same fetch."""
        return blame(
            kind,
            names_parcel=last is not Capability.TOKEN,
            accepted=accepted or key in self._accepted,
            proven=key in self._proven,
            closed_by_it=self._closed_by(key, claim),
        )

    def blame_after_check(self, key: str, claim: Any, *, accepted: bool, refused: bool) -> Blame:
        """Whose it is after a check with the sample number."""
        by_it = self._closed_by(key, claim)
        return blame_after_check(accepted=accepted, refused=refused, closed_by_it=by_it)

    def _closed_by(self, key: str, claim: Any) -> bool:
        state = self._trying_again.get(key) or self._quota.carrier_state(key).account
        return claim is not None and state.claim == claim

    def note_refused(self, key: str, failure: Failure, claim: Any) -> datetime:
        """The account is closed for all processes; returns until when."""
        with self._lock:
            if (before := self._trying_again.pop(key, None)) is None:
                before = self._quota.carrier_state(key).account
                if lasts(before.refused_until, self._clock.now()) and before.refused_until:
                    return before.refused_until  # by another call that was under way at the same time
                before = AccountState()
            refusals, salt = before.refusals + 1, secrets.token_hex(16)
            until = next_try_after_refusals(refusals, self._clock.now())
            state = AccountState(
                refusals=refusals,
                refused_until=until,
                refusal=failure.message,
                salt=salt,
                credentials_print=print_of(self._accounts[key].credentials, salt),
                kind=failure.kind,
                claim=claim,
            )
            self._quota.set_account_state(key, state)
            return until

    def note_accepted(self, key: str, *, proven: bool) -> None:
        """A call that presented our account was accepted. `proven`: it shows that the account has all rights.

        A refusal is lifted, unless it was for a right and this answer needed none.
        """
        with self._lock:
            self._accepted.add(key)
            before = self._trying_again.get(key)
            if before and (proven or before.kind is not ErrorKind.ACCOUNT_DENIED):
                self._quota.set_account_state(key, AccountState(claim=before.claim))
                self._trying_again.pop(key, None)

    def note_document(self, key: str) -> None:
        self._proven.add(key)

    def accepted(self, key: str) -> bool:
        return key in self._accepted

    def leave(self) -> None:
        """Tries that were not made are left to the next run."""
        for key, state in self._trying_again.items():
            self._quota.set_account_state(key, state)
        self._trying_again.clear()


@lru_cache(maxsize=1000)
def print_of(credentials: tuple[str, ...], salt: str) -> str:
    """A fingerprint by which a change of credentials is noticed.

    Slow on purpose: a six-digit password must not be found by trying all of them against the database. So it is
    computed once, not for each of the runs that a plan or a long-lived worker makes while an account is closed.
    """
    import hashlib  # noqa: PLC0415 (needed only when an account was refused)

    secret = "\x00".join(credentials).encode()
    return hashlib.scrypt(secret, salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=16).hex()


# ---------------------------------------------------------------- before the first answer


class NotPresentedError(CallError):
    """The call was not made: another's answer closed the account meanwhile."""


class FirstAnswer:
    """The first answer about our account at one carrier in this run. Shared by the run's threads.

    Until it tells that the carrier accepts the account, the calls that present it go one claim's at a time: a wrong password
    costs one refused call then, however many claims are fetched at once. Calls that present no account, such as the tracking
    of some carriers, do not wait.
    """

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
