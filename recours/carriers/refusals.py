"""Refusals of our accounts: what one run learns of them, and what it leaves to all processes."""

import secrets
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from recours.carriers.reservation import Account
from recours.core.errors import ErrorKind
from recours.core.pauses import (
    AccountState,
    Blame,
    DocumentRight,
    blame,
    blame_after_check,
    lasts,
    next_try_after_refusals,
)
from recours.core.policy import DUE_SLACK
from recours.core.quota import Capability
from recours.database.quota import QuotaTables
from recours.runs.ports import Clock

# For so long the one try of an account that was refused is a run's: it may die.
_TRY = timedelta(minutes=10)


@dataclass(eq=False)
class Refusals:
    """Refusals of our accounts. Safe for the threads of a run."""

    _accounts: Mapping[str, Account]
    _quota: QuotaTables
    _clock: Clock
    _trying_again: dict[str, AccountState] = field(default_factory=dict)
    _accepted: dict[str, set[Capability]] = field(default_factory=dict)
    _proven: set[str] = field(default_factory=set)
    _grants_documents: set[str] = field(default_factory=set)  # by an answer of this run, or a person
    _documents_came: set[str] = field(default_factory=set)  # in this run
    _lock: threading.RLock = field(default_factory=threading.RLock)

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
            if not lasts(state.refused_until, now) and self._quota.try_again(key, now, now + _TRY):
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

    def awaits_check(self, key: str, claims: Collection[Any]) -> AccountState | None:
        """The refusal after which the account is tried again, if one of these claims is not the one to try it with.

        It was this very claim's call that was refused; or that for the sample number, and then one call is enough again.
        """
        state = self._trying_again.get(key)
        return state if state and (state.claim is None or state.claim in claims) else None

    def is_tried_again(self, key: str) -> bool:
        return key in self._trying_again

    # ---------------------------------------------------------------- after a call

    def blame(
        self, key: str, kind: ErrorKind, claim: Any, what: Capability, accepted: Collection[Capability]
    ) -> Blame:
        """Whose a refusal is, as far as it is known without a check. `accepted`: by earlier calls of the same fetch."""
        by_it = self._closed_by(key, claim)
        kinds = self._accepted.get(key, set()).union(accepted)
        return blame(kind, what, accepted=kinds, proven=key in self._proven, closed_by_it=by_it)

    def blame_after_check(
        self, key: str, claim: Any, what: Capability, *, accepted: bool, refused: bool
    ) -> Blame:
        """Whose it is after a check with the sample number."""
        by_it = self._closed_by(key, claim)
        return blame_after_check(what, accepted=accepted, refused=refused, closed_by_it=by_it)

    def _closed_by(self, key: str, claim: Any) -> bool:
        state = self._trying_again.get(key) or self._quota.carrier_state(key).account
        return claim is not None and state.claim == claim

    def note_refused(self, key: str, kind: ErrorKind, reason: str, claim: Any) -> datetime:
        """The account is closed for all processes; returns until when. `claim`: whose call was refused, see `AccountState`."""
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
                refusal=reason,
                salt=salt,
                credentials_print=print_of(self._accounts[key].credentials, salt),
                kind=kind,
                claim=claim,
            )
            self._quota.set_account_state(key, state)
            return until

    def note_accepted(self, key: str, accepted: Collection[Capability], *, proven: bool) -> None:
        """Calls that presented our account were accepted. `proven`: it may use the service.

        A refusal is lifted, unless it was for a right and this answer shows none.
        """
        with self._lock:
            self._accepted.setdefault(key, set()).update(accepted)
            if proven:
                self._proven.add(key)
            before = self._trying_again.get(key)
            if before and (proven or before.kind is not ErrorKind.ACCOUNT_DENIED):
                self._quota.set_account_state(key, AccountState(claim=before.claim))
                self._trying_again.pop(key, None)

    def accepted(self, key: str) -> bool:
        return key in self._accepted

    # ---------------------------------------------------------------- the right to documents

    def documents(self, key: str) -> DocumentRight:
        return self._quota.carrier_state(key).documents

    def grants_documents(self, key: str) -> bool:
        """Tell whether the account may ask for documents, as far as anybody knows."""
        if key not in self._grants_documents and self.documents(key).is_shown(self._clock.now()):
            self._grants_documents.add(key)
        return key in self._grants_documents

    def count_document_call(self, key: str, goes_on: bool) -> bool:
        """Count a document call of an account that may have no right to it; False if it is not to be made now.

        `goes_on`: the fetch has asked for a document already.
        """
        while True:
            right, now = self.documents(key), self._clock.now()
            if right.is_paused(now) and not goes_on:
                return False
            if self._quota.set_documents(key, right.after_call(now), right):
                return True

    def note_documents_refused(self, key: str, words: str) -> bool:
        """A document call was refused to an account that may track; False if it has had documents: then it is the parcel's."""
        right, now = self.documents(key), self._clock.now()
        if right.is_shown(now):
            return False
        self._grants_documents.discard(key)
        self._quota.set_documents(key, right.after_refusal(now, words))
        return True

    def note_documents_granted(self, key: str, *, came: bool) -> None:
        """An answer of the document call, or a person, has it that the account may ask. `came`: so does a document."""
        if key in self._documents_came:
            return
        before = self.documents(key)
        after = before.after_document(self._clock.now()) if came else before.after_grant()
        if after != before:
            self._quota.set_documents(key, after)
        self._grants_documents.add(key)
        if came:
            self._documents_came.add(key)

    def next_document_at(self, right: DocumentRight) -> datetime:
        """When claims that wait for the right to documents are tried: they count as due a little earlier."""
        return (right.next_call_at or self._clock.now()) + DUE_SLACK

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
