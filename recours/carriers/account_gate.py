"""Whether an account takes calls now, and why not: a person stopped it, it is paused, refused, or at its limit."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice

from recours.carriers.refusals import Refusals
from recours.carriers.reservation import Account
from recours.core.account_status import AccountStatus
from recours.core.accounts import account_name, carrier_of
from recours.core.actions import authored
from recours.core.errors import ErrorKind
from recours.core.pauses import (
    AccountState,
    Blocked,
    CarrierState,
    DocumentRight,
    Refusal,
    Stop,
    lasts,
)
from recours.core.quota import CallBudget, Capability, Limit, Usage
from recours.core.sentences import Sentence, carrier_message, sentence
from recours.core.text import Minute
from recours.database.quota import QuotaTables
from recours.runs.ports import Clock


class AccountGate:
    """What all processes know of the accounts. A `key` is that of an account, see `recours.core.accounts`."""

    def __init__(
        self, accounts: Mapping[str, Account], quota: QuotaTables, clock: Clock, minute: Minute = str
    ) -> None:
        """`accounts`: by their keys; a client's may be made when it is first asked for, and they are never all gone through.

        `minute`: a time as people have it, with its zone.
        """
        self._accounts = accounts
        self._quota = quota
        self._clock = clock
        self._minute = minute
        self.refusals = Refusals(accounts, quota, clock)

    # ---------------------------------------------------------------- before calls

    def closed(self, key: str) -> Refusal | None:
        """Why the account can take no call at all now, whatever its quota; a try of a refused one that is due is this run's."""
        state = self._quota.carrier_state(key)
        if refusal := (self._stopped(key, state) or self.unconfigured(key) or self._paused(key, state)):
            return refusal
        return self._refused(key, state.account) if self.refusals.keeps_closed(key, state.account) else None

    def documents(self, key: str) -> Refusal | None:
        """Why the account gets no documents, `until` when no more are asked for, `since` when; None: it may get them."""
        right = self.refusals.documents(key)
        return self._documents_refusal(key, right) if right.refused_at else None

    def why_no_documents(self, key: str) -> Refusal:
        """Why no document is asked for now, though the account may track."""
        return self._documents_refusal(key, self.refusals.documents(key))

    def asks_alone(self, key: str) -> bool:
        """Tell whether one fetch at a time is to begin: it presents our account, which no answer has accepted in this run."""
        if self.refusals.accepted(key):
            return False
        # One that is tried again is presented by a check before the first call.
        return self._accounts[key].presents(Capability.TRACKING) or self.refusals.is_tried_again(key)

    def client_of(self, key: str) -> str:
        """The address of the client whose account it is; "": it is the house's."""
        return self._accounts[key].client_address

    def setup_calls(self, key: str) -> CallBudget:
        """The calls that the first fetch of a run needs before its own, such as that for a token."""
        client = self._accounts[key].client
        return client.setup_calls(self._clock.now()) if client else {}

    # ---------------------------------------------------------------- looking only

    def status(self, key: str) -> AccountStatus:
        """What is known of an account now. Raises DatabaseError."""
        return self._status(key, self._quota.carrier_state(key), self.usages([key])[key])

    def statuses(self, keys: Collection[str]) -> dict[str, AccountStatus]:
        """The same of several accounts, in as many reads as for one. Raises DatabaseError."""
        states, usages = self._quota.carrier_states(keys), self.usages(keys)
        return {key: self._status(key, states[key], usages[key]) for key in keys}

    def _status(self, key: str, state: CarrierState, uses: Sequence[Usage]) -> AccountStatus:
        account, right = state.account, state.documents
        used_up = next((use for use in uses if not use.limit.window.is_short and not use.left), None)
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
        """How far the limits of these accounts are used: those for one capability first, the longest window last."""
        limits = {key: _in_order(self._accounts[key].limits) for key in keys}
        together = [limit for of_one in limits.values() for limit in of_one]
        uses = iter(self._quota.uses(together, self._clock.now()) if together else ())
        return {key: list(islice(uses, len(of_one))) for key, of_one in limits.items()}

    # ---------------------------------------------------------------- what a person may do

    def stop(self, key: str, by: str, why: str = "") -> Stop:
        """Stop the carrier, or a client's account there, for all processes, until it is resumed. `by`: the person; `why`: their words."""
        stop = Stop(self._clock.now(), authored(by, why))
        self._quota.stop(key, stop, by, why)
        return self.status(key).stopped or stop

    def take_up(self, key: str, by: str) -> Stop | None:
        """Take it up again; returns the stop that this ended, None if there was none."""
        return self._quota.take_up(key, by, self._clock.now())

    # ---------------------------------------------------------------- the reasons

    def _stopped(self, key: str, state: CarrierState) -> Refusal | None:
        """No mail is sent: the person who stopped it knows."""
        stop = state.stopped or state.own_stop
        if stop is None:
            return None
        spec = self._accounts[key].spec
        client = "" if state.stopped else self.client_of(key)
        by = f" {stop.why}" if stop.why else ""
        resume = f"recours resume {spec.key}" + (f' --account "{client}"' if client else "")
        name = account_name(spec.name, client)
        reason = f"{name} was paused on {self._minute(stop.at)}{by} ('{resume}' ends that)"
        return Refusal(Blocked.CARRIER, reason, stopped=True)

    def unconfigured(self, key: str) -> Refusal | None:
        """A refusal if the account's credentials are missing, or cannot be opened."""
        account = self._accounts[key]
        if account.client is not None:
            return None
        explanation = account.says(Sentence.NOT_CONFIGURED, account.missing)
        reason = f"{account.spec.name} has no credentials: set {account.missing}"
        if account.client_address:
            reason = f"The {account.spec.name} account of {account.client_address} cannot be used: {account.missing}"
        return Refusal(Blocked.CARRIER, reason, kind=ErrorKind.NOT_CONFIGURED, said=explanation)

    def _paused(self, key: str, state: CarrierState) -> Refusal | None:
        if not (pause := state.pause_at(self._clock.now())):
            return None
        reason = pause.reason or f"{self._accounts[key].name} asked us to wait"
        return Refusal(Blocked.RATE_LIMIT, reason, pause.until)

    def _refused(self, key: str, state: AccountState) -> Refusal:
        account = self._accounts[key]
        is_denied = state.kind is ErrorKind.ACCOUNT_DENIED
        reason = state.refusal or sentence("en", account.says(Sentence.CREDENTIALS_REJECTED))
        what = Sentence.SERVICE_DENIED if is_denied else Sentence.CREDENTIALS_REJECTED
        explanation = account.says(what, carrier_message(reason))
        return Refusal(Blocked.CARRIER, reason, state.refused_until, kind=state.kind, said=explanation)

    def _documents_refusal(self, key: str, right: DocumentRight) -> Refusal:
        explanation = self._accounts[key].says(Sentence.DOCUMENTS_DENIED, right.words or "")
        return Refusal(
            Blocked.CARRIER,
            sentence("en", explanation),
            self.refusals.next_document_at(right),
            kind=ErrorKind.ACCOUNT_DENIED,
            said=explanation,
            since=right.refused_at,
        )

    def _limit_reached(self, key: str, limit: Limit, until: datetime, *, passing: bool = False) -> Refusal:
        account = self._accounts[key]
        reason = f"{account.name} is at its limit ({limit})"
        explanation = account.says(Sentence.LIMIT_REACHED)
        return Refusal(Blocked.RATE_LIMIT, reason, until, passing=passing, said=explanation)


def _in_order(limits: Iterable[Limit]) -> list[Limit]:
    """Those for one capability first, the longest window last."""
    return sorted(limits, key=lambda limit: (limit.capability is None, limit.window.seconds or 10**9))
