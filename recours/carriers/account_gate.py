"""Decides whether an account can be called now. Pauses by the carrier or a person, refusals and limits can prevent it.

Fetches take turns here, so that a wrong password costs one refused call, no matter how many claims are fetched at the
same time. Until an answer in this run shows that the carrier accepts our account, calls that send its credentials are
made for one claim at a time. Document calls are also made for one claim at a time until the account is known to have
the right to documents. Calls without credentials, such as the tracking calls of some carriers, do not wait.
"""

import secrets
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain, islice
from typing import Any

from recours.carriers.reservation import Account
from recours.core.accounts import account_name, carrier_of
from recours.core.actions import join_author
from recours.core.errors import ErrorKind
from recours.core.outcome import CallError, Failure
from recours.core.pauses import (
    AccountState,
    AccountStatus,
    Blame,
    Blocked,
    CarrierState,
    DocumentRight,
    Refusal,
    Stop,
    blame,
    blame_after_check,
    lasts,
    next_try_after_refusals,
)
from recours.core.policy import DUE_SLACK
from recours.core.quota import CallBudget, Capability, Limit, Usage
from recours.core.sentences import Sentence, carrier_message, sentence
from recours.core.text import Minute
from recours.database.quota import QuotaTables
from recours.runs.ports import Clock, Reservation

# How long a run reserves the next attempt with a refused account. If it dies, another run makes the attempt later.
_ATTEMPT_TIME = timedelta(minutes=10)


@dataclass(eq=False)
class Refusals:
    """Records refusals and acceptances of our accounts in this run and shares them with all processes. Thread-safe."""

    _accounts: Mapping[str, Account]
    _quota: QuotaTables
    _clock: Clock
    _trying_again: dict[str, AccountState] = field(default_factory=dict)
    _accepted: dict[str, set[Capability]] = field(default_factory=dict)
    _proven: set[str] = field(default_factory=set)
    _grants_documents: set[str] = field(default_factory=set)  # known from an answer or a person
    _documents_received: set[str] = field(default_factory=set)  # accounts, in this run
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # ---------------------------------------------------------------- before a call

    def must_wait(self, key: str, state: AccountState) -> bool:
        """Return whether the account was refused, its credentials are unchanged, and the wait is not over.

        Once the wait is over, this method reserves the next attempt with the account for this run.
        """
        if state.refusals == 0:
            return False
        with self._lock:
            # Another thread may have reserved the attempt in the meantime, or seen the account accepted.
            if key in self._trying_again:
                return False
            state = self._quota.carrier_state(key).account
            if state.refusals == 0:
                return False
            if self.has_new_credentials(key, state):
                self._quota.set_account_state(key, AccountState())
                return False
            now = self._clock.now()
            if not lasts(state.refused_until, now) and self._quota.try_again(key, now, now + _ATTEMPT_TIME):
                self._trying_again[key] = state
                return False
            return True

    def has_new_credentials(self, key: str, state: AccountState) -> bool:
        if state.salt is None:
            return False
        return fingerprint(self._accounts[key].credentials, state.salt) != state.credentials_print

    def try_now(self, key: str, state: AccountState) -> None:
        """Allow calls with a refused account now, at a person's request."""
        if state.refusals:
            self._trying_again[key] = state

    def awaits_check(self, key: str, claims: Collection[Any]) -> AccountState | None:
        """Return the earlier refusal if the credentials must be checked before these claims are fetched; else None.

        The claim whose call was refused must not test the account again. After a refused check, a new check is needed.
        """
        state = self._trying_again.get(key)
        return state if state and (state.claim is None or state.claim in claims) else None

    def is_tried_again(self, key: str) -> bool:
        return key in self._trying_again

    # ---------------------------------------------------------------- after a call

    def blame(
        self, key: str, kind: ErrorKind, claim: Any, capability: Capability, accepted: Collection[Capability]
    ) -> Blame:
        """The cause of a refusal; UNCLEAR if only a check can tell. `accepted`: the rights shown by earlier calls."""
        by_it = self._closed_by(key, claim)
        kinds = self._accepted.get(key, set()).union(accepted)
        return blame(kind, capability, accepted=kinds, proven=key in self._proven, closed_by_it=by_it)

    def blame_after_check(
        self, key: str, claim: Any, capability: Capability, *, accepted: bool, refused: bool
    ) -> Blame:
        """The cause of a refusal, after a check with the sample number."""
        by_it = self._closed_by(key, claim)
        return blame_after_check(capability, accepted=accepted, refused=refused, closed_by_it=by_it)

    def _closed_by(self, key: str, claim: Any) -> bool:
        state = self._trying_again.get(key) or self._quota.carrier_state(key).account
        return claim is not None and state.claim == claim

    def note_refused(self, key: str, kind: ErrorKind, reason: str, claim: Any) -> datetime:
        """Close the account for all processes, and return the time of the next attempt. `claim`: see `AccountState`."""
        with self._lock:
            if (earlier := self._trying_again.pop(key, None)) is None:
                earlier = self._quota.carrier_state(key).account
                if lasts(earlier.refused_until, self._clock.now()) and earlier.refused_until:
                    return earlier.refused_until  # a concurrent call has already closed the account
                earlier = AccountState()
            refusals = earlier.refusals + 1
            salt = secrets.token_hex(16)
            until = next_try_after_refusals(refusals, self._clock.now())
            state = AccountState(
                refusals=refusals,
                refused_until=until,
                refusal=reason,
                salt=salt,
                credentials_print=fingerprint(self._accounts[key].credentials, salt),
                kind=kind,
                claim=claim,
            )
            self._quota.set_account_state(key, state)
            return until

    def note_accepted(self, key: str, accepted: Collection[Capability], *, proven: bool) -> None:
        """Record that calls with our credentials were accepted. `proven`: the account may use the service.

        Lifts an earlier refusal. A refusal that denied a right is lifted only if `proven`.
        """
        with self._lock:
            self._accepted.setdefault(key, set()).update(accepted)
            if proven:
                self._proven.add(key)
            earlier = self._trying_again.get(key)
            if earlier and (proven or earlier.kind is not ErrorKind.ACCOUNT_DENIED):
                self._quota.set_account_state(key, AccountState(claim=earlier.claim))
                self._trying_again.pop(key, None)

    def accepted(self, key: str) -> bool:
        return key in self._accepted

    # ---------------------------------------------------------------- the right to documents

    def documents(self, key: str) -> DocumentRight:
        return self._quota.carrier_state(key).documents

    def grants_documents(self, key: str) -> bool:
        """Return whether the account is known to have the right to documents."""
        if key not in self._grants_documents and self.documents(key).is_proven(self._clock.now()):
            self._grants_documents.add(key)
        return key in self._grants_documents

    def count_document_call(self, key: str, has_requested: bool) -> bool:
        """Count a document call of an account that may lack the right to documents.

        Returns False if the call must not be made now. `has_requested`: the fetch has already requested a document.
        """
        while True:
            right = self.documents(key)
            now = self._clock.now()
            if right.is_paused(now) and not has_requested:
                return False
            if self._quota.set_documents(key, right.after_call(now), right):
                return True

    def note_documents_refused(self, key: str, words: str) -> bool:
        """Record that an account that can track was denied a document; return False if the parcel is the reason."""
        right = self.documents(key)
        if right.is_proven(self._clock.now()):
            return False
        self._grants_documents.discard(key)
        self._quota.set_documents(key, right.after_refusal(self._clock.now(), words))
        return True

    def note_documents_granted(self, key: str, *, with_document: bool) -> None:
        """Record that an answer or a person showed the right to documents. `with_document`: the answer had one."""
        if key in self._documents_received:
            return
        right = self.documents(key)
        changed = right.after_document(self._clock.now()) if with_document else right.after_grant()
        if changed != right:
            self._quota.set_documents(key, changed)
        self._grants_documents.add(key)
        if with_document:
            self._documents_received.add(key)

    def leave(self) -> None:
        for key, state in self._trying_again.items():
            self._quota.set_account_state(key, state)
        self._trying_again.clear()


@lru_cache(maxsize=1000)
def fingerprint(credentials: tuple[str, ...], salt: str) -> str:
    """A fingerprint of the credentials, for detecting changes.

    The hash is slow on purpose, so that a six-digit password cannot be found by trying all of them. The result is
    cached because a plan or a long-lived worker needs the fingerprint in every run while an account is closed.
    """
    import hashlib  # noqa: PLC0415 (needed only if an account was refused)

    secret = "\x00".join(credentials).encode()
    return hashlib.scrypt(secret, salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=16).hex()


# ---------------------------------------------------------------- the gate


class AccountGate:
    """The state of the accounts, shared by all processes. For account keys, see `recours.core.accounts`."""

    def __init__(
        self, accounts: Mapping[str, Account], quota: QuotaTables, clock: Clock, minute: Minute = str
    ) -> None:
        """`accounts`: by key; never iterated, because a client's account may be created on first use.

        `minute`: formats a time with its zone for display.
        """
        self._accounts = accounts
        self._quota = quota
        self._clock = clock
        self._minute = minute
        self.refusals = Refusals(accounts, quota, clock)

    # ---------------------------------------------------------------- before calls

    def closed(self, key: str) -> Refusal | None:
        """Why the account cannot be called now, quota aside. Reserves a refused account's next attempt if it is due."""
        state = self.state(key)
        if refusal := (self._stopped(key, state) or self.unconfigured(key) or self._paused(key, state)):
            return refusal
        return self._refused(key, state.account) if self.refusals.must_wait(key, state.account) else None

    def state(self, key: str) -> CarrierState:
        """What all processes know about an account and its carrier now."""
        return self._quota.carrier_state(key).at(self._clock.now())

    def documents(self, key: str) -> Refusal | None:
        """Why no documents are requested with the account, with `since` and `until` set; None if they are."""
        right = self.refusals.documents(key)
        return self._documents_refusal(key, right) if right.refused_at else None

    def why_no_documents(self, key: str) -> Refusal:
        """Why no document is requested now although the account can track."""
        return self._documents_refusal(key, self.refusals.documents(key))

    def asks_alone(self, key: str) -> bool:
        """Return whether to start one fetch at a time, because this run has no answer yet that accepts our account."""
        if self.refusals.accepted(key):
            return False
        # The credentials of a refused account are checked before its next call.
        return self._accounts[key].presents(Capability.TRACKING) or self.refusals.is_tried_again(key)

    def client_of(self, key: str) -> str:
        """The address of the client that the account belongs to; empty for the default account."""
        return self._accounts[key].client_address

    def setup_calls(self, key: str) -> CallBudget:
        """The setup calls before the first fetch of a run, such as a token call."""
        client = self._accounts[key].client
        return client.setup_calls(self._clock.now()) if client else {}

    # ---------------------------------------------------------------- read-only status

    def status(self, key: str) -> AccountStatus:
        """The status of an account now. Raises DatabaseError."""
        return self._status(key, self.state(key), self.usages([key])[key])

    def statuses(self, keys: Collection[str]) -> dict[str, AccountStatus]:
        """The status of several accounts, with as many queries as for one. Raises DatabaseError."""
        states = self._quota.carrier_states(keys)
        usages = self.usages(keys)
        now = self._clock.now()
        return {key: self._status(key, states[key].at(now), usages[key]) for key in keys}

    def _status(self, key: str, state: CarrierState, uses: Sequence[Usage]) -> AccountStatus:
        account = state.account
        right = state.documents
        used_up = next((use for use in uses if not use.limit.window.is_short and not use.remaining), None)
        documents = self._documents_refusal(key, right) if right.refused_at else None
        is_refused = account.refusals and not self.refusals.has_new_credentials(key, account)
        rejected = self._refused(key, account) if is_refused else documents
        return AccountStatus(
            uses=uses,
            closings=self._closings(key, state),
            at_limit=self._limit_reached(key, used_up.limit, used_up.resets_at) if used_up else None,
            rejected=None if self.unconfigured(key) else rejected,
            documents=documents,
            documents_until=right.next_call_at if right.is_paused(self._clock.now()) else None,
            stopped=state.stopped if carrier_of(key) == key else state.own_stop,
        )

    def _closings(self, key: str, state: CarrierState) -> list[Refusal]:
        account = state.account
        refusals = [self._stopped(key, state)]
        if missing := self.unconfigured(key):
            refusals.append(missing)
        else:
            refusals.append(self._paused(key, state))
            waits = account.refusals and lasts(account.refused_until, self._clock.now())
            if waits and not self.refusals.has_new_credentials(key, account):
                refusals.append(self._refused(key, account))
        return [refusal for refusal in refusals if refusal]

    def usages(self, keys: Collection[str]) -> dict[str, list[Usage]]:
        """The usage of each account's limits: limits of a single capability first, then by length of the window."""
        limits: dict[str, list[Limit]] = {}
        for key in keys:
            limits[key] = sorted(
                self._accounts[key].limits,
                key=lambda limit: (limit.capability is None, limit.window.seconds or 10**9),
            )
        together = list(chain(*limits.values()))
        uses = iter(self._quota.uses(together, self._clock.now()) if together else ())
        return {key: list(islice(uses, len(limits_of_one))) for key, limits_of_one in limits.items()}

    # ---------------------------------------------------------------- pausing by a person

    def stop(self, key: str, by: str, why: str = "", until: datetime | None = None) -> Stop:
        """Pause a carrier, or a client's account at a carrier, for all processes, until `until` or a manual resume.

        `by`: the person; `why`: the reason they give.
        """
        stop = Stop(self._clock.now(), join_author(by, why), until)
        self._quota.stop(key, stop, by, why)
        return self.status(key).stopped or stop

    def resume(self, key: str, by: str) -> Stop | None:
        """Resume the carrier or account. Return the pause that ended, or None if there was none."""
        return self._quota.resume(key, by, self._clock.now())

    # ---------------------------------------------------------------- the reasons

    def _stopped(self, key: str, state: CarrierState) -> Refusal | None:
        """The refusal if a person paused the account. It sends no operator email, because a person already knows."""
        stop = state.stopped or state.own_stop
        if stop is None:
            return None
        spec = self._accounts[key].spec
        client = "" if state.stopped else self.client_of(key)
        by = f" {stop.why}" if stop.why else ""
        resume = f"recours resume {spec.key}" + (f' --account "{client}"' if client else "")
        name = account_name(spec.name, client)
        paused = f"was paused on {self._minute(stop.at)}"
        if stop.until:
            paused = f"is paused until {self._minute(stop.until)}"
        reason = f"{name} {paused}{by} ('{resume}' resumes it)"
        return Refusal(Blocked.CARRIER, reason, stop.until, stopped=True)

    def unconfigured(self, key: str) -> Refusal | None:
        """A refusal if the account's credentials are missing or cannot be decrypted."""
        account = self._accounts[key]
        if not account.missing:
            return None
        explanation = account.explain(Sentence.NOT_CONFIGURED, account.missing)
        reason = f"{account.spec.name} has no credentials: set {account.missing}"
        if account.client_address:
            reason = f"The {account.spec.name} account of {account.client_address} cannot be used: {account.missing}"
        return Refusal(Blocked.CARRIER, reason, kind=ErrorKind.NOT_CONFIGURED, explanation=explanation)

    def _paused(self, key: str, state: CarrierState) -> Refusal | None:
        if not (pause := state.pause_at(self._clock.now())):
            return None
        reason = pause.reason or f"{self._accounts[key].name} asked us to wait"
        return Refusal(Blocked.RATE_LIMIT, reason, pause.until)

    def _refused(self, key: str, state: AccountState) -> Refusal:
        account = self._accounts[key]
        is_denied = state.kind is ErrorKind.ACCOUNT_DENIED
        reason = state.refusal or sentence("en", account.explain(Sentence.CREDENTIALS_REJECTED))
        key_of_sentence = Sentence.SERVICE_DENIED if is_denied else Sentence.CREDENTIALS_REJECTED
        explanation = account.explain(key_of_sentence, carrier_message(reason))
        return Refusal(Blocked.CARRIER, reason, state.refused_until, kind=state.kind, explanation=explanation)

    def _documents_refusal(self, key: str, right: DocumentRight) -> Refusal:
        explanation = self._accounts[key].explain(Sentence.DOCUMENTS_DENIED, right.words or "")
        return Refusal(
            Blocked.CARRIER,
            sentence("en", explanation),
            # Claims that wait for the right to documents become due slightly before this time.
            (right.next_call_at or self._clock.now()) + DUE_SLACK,
            kind=ErrorKind.ACCOUNT_DENIED,
            explanation=explanation,
            since=right.refused_at,
        )

    def _limit_reached(self, key: str, limit: Limit, until: datetime, *, passing: bool = False) -> Refusal:
        account = self._accounts[key]
        reason = f"{account.name} is at its limit ({limit})"
        explanation = account.explain(Sentence.LIMIT_REACHED)
        return Refusal(Blocked.RATE_LIMIT, reason, until, passing=passing, explanation=explanation)


# ---------------------------------------------------------------- turns


class NotPresentedError(CallError):
    """No call was made, because another fetch closed the account, or stopped its document calls (`of_document`)."""

    def __init__(self, refusal: Refusal, *, of_document: bool = False) -> None:
        failure = Failure(refusal.kind, refusal.reason, None, refusal.until, claim_only=of_document)
        super().__init__(replace(failure, explanation=refusal.explanation))


@dataclass(eq=False)
class Turns:
    """The locks and counters that let this run's threads use one account in turn."""

    gate: AccountGate
    key: str
    account: Account
    first: threading.Lock = field(default_factory=threading.Lock)  # held to send credentials
    fetches: int = 0  # finished fetches that sent the credentials: any of them may have closed the account
    documents: threading.Lock = field(default_factory=threading.Lock)  # held to request a document


@dataclass(eq=False)
class WaitingReservation:
    """A reservation whose calls wait for the fetch's turn. For use by one thread."""

    _reservation: Reservation
    _turns: Turns
    _is_first: bool = False
    _requests_document: bool = False

    def __post_init__(self) -> None:
        self._finished_before = self._turns.fetches

    def consume(self, capability: Capability) -> None:
        """Wait for the fetch's turn if necessary, then consume a unit of the reservation. Raises CallError."""
        account = self._turns.account
        if account.presents(capability) and not self._is_first:
            self._wait()
        if capability is Capability.POD and account.has_document_right:
            self._wait_for_documents()
        self._reservation.consume(capability)

    def _wait(self) -> None:
        turns = self._turns
        if turns.gate.refusals.accepted(turns.key):
            return
        turns.first.acquire()
        self._is_first = True
        if turns.fetches == self._finished_before:
            return
        if turns.gate.refusals.accepted(turns.key):
            self.answered()
        elif refusal := turns.gate.closed(turns.key):
            raise NotPresentedError(refusal)

    def _wait_for_documents(self) -> None:
        key = self._turns.key
        refusals = self._turns.gate.refusals
        if refusals.grants_documents(key):
            return
        has_requested = self._requests_document
        if not has_requested:
            self._turns.documents.acquire()
            self._requests_document = True
        if not refusals.grants_documents(key) and not refusals.count_document_call(key, has_requested):
            raise NotPresentedError(self._turns.gate.why_no_documents(key), of_document=True)

    def answered(self) -> None:
        """Let other fetches continue, now that this fetch is over and its answers are recorded."""
        if self._requests_document:
            self._requests_document = False
            self._turns.documents.release()
        if self._is_first:
            self._is_first = False
            self._turns.fetches += 1
            self._turns.first.release()

    def called(self) -> None:
        self._reservation.called()

    def refund(self) -> None:
        self._reservation.refund()

    def release(self) -> None:
        self._reservation.release()
