"""`APIRequestQueue`, the only way to a carrier: it grants calls, or says when one will be free.

Both workers and every machine share it exactly, since its counts live in the database.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from recours.carriers.account import Account
from recours.carriers.client import knowing
from recours.carriers.grant import QueueGrant
from recours.carriers.ledger import LEASE, Ledger
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import CallFailed, Failure, Outcome, Retrieved
from recours.core.pauses import AccountState, CarrierState, Stop, lasts, next_try_after_refusals, pause_until
from recours.core.quota import Calls, Shortage, Use, Want, kept_for_new_claims, kept_until
from recours.core.redact import Redactor
from recours.runs.ports import Blocked, CarrierClient, Clock, Fetched, Grant, Line, Refusal, RunFault
from recours.runs.summary import LocalTime, minute

_OF_THE_NUMBER = frozenset({ErrorKind.NOT_FOUND, ErrorKind.INVALID_TRACKING})

# Each limit may allow fewer of the fetches, and others take and give back in between.
_MOST_TRIES = 8


class APIRequestQueue:
    """Grants calls to carriers, makes them, and remembers for all processes what the carriers ask for."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        ledger: Ledger,
        clock: Clock,
        *,
        slack: timedelta = timedelta(minutes=5),
        redact: Redactor | None = None,
        local: LocalTime = lambda moment: moment,
    ) -> None:
        """`slack`: how early a due try counts as due. `local` turns a moment into local time, for people."""
        self._accounts = accounts
        self._ledger = ledger
        self._clock = clock
        self._slack = slack
        self._redact = redact or Redactor(())
        self._local = local
        self._trying_again: dict[str, AccountState] = {}
        self._accepted: set[str] = set()

    # ---------------------------------------------------------------- granting

    def reserve(
        self, carrier: str, fetches: Sequence[Calls], *, spare: float = 0.0
    ) -> tuple[list[Grant], Refusal | None]:
        """Hold the units of as many fetches as can be had, in their order, and say why not for the rest.

        `spare`: the part of a day's quota that is left to new claims.
        """
        if refusal := self.closed(carrier):
            return [], refusal
        wanted = self._with_opening(carrier, fetches)
        for _ in range(_MOST_TRIES):
            held = self._hold(carrier, wanted, spare) if wanted else []
            if not isinstance(held, Shortage):
                return held, refusal
            fitting = held.fitting(wanted)
            if len(fitting) < len(wanted):  # else units came back in between: the same again
                refusal = self._at_limit(carrier, held, wanted[len(fitting)], spare)
            wanted = fitting
        return [], Refusal(
            Blocked.RATE_LIMIT, f"{self._name(carrier)} is asked by many at once", passing=True
        )

    def _with_opening(self, carrier: str, fetches: Sequence[Calls]) -> list[Calls]:
        """The fetches; the first one also with the calls that must come before all, such as that for a token."""
        opening = self.opening(carrier)
        if not fetches or not opening:
            return list(fetches)
        first = {what: fetches[0].get(what, 0) + opening.get(what, 0) for what in (*fetches[0], *opening)}
        return [first, *fetches[1:]]

    def _hold(self, carrier: str, fetches: Sequence[Calls], spare: float) -> list[Grant] | Shortage:
        account, now = self._accounts[carrier], self._clock.now()
        wants = [
            Want(limit, units, kept_for_new_claims(limit, spare, now))
            for limit in account.long_limits
            if (units := sum(limit.units(calls) for calls in fetches))
        ]
        held = self._ledger.reserve(wants, now, now + LEASE)
        if isinstance(held, Shortage):
            return held
        return [
            QueueGrant(self._ledger, self._clock, account, {h: h.limit.units(calls) for h in held})
            for calls in fetches
        ]

    def _at_limit(self, carrier: str, short: Shortage, calls: Calls, spare: float) -> Refusal:
        """The refusal of a fetch; it passes if the units that others hold would be enough."""
        limit, needed, now = short.limit, short.limit.units(calls), self._clock.now()
        kept = kept_for_new_claims(limit, spare, now)
        if short.at_best < needed <= short.at_best + kept:
            reason = f"{self._name(carrier)} has only calls left that are kept for new claims ({limit})"
            return Refusal(Blocked.RATE_LIMIT, reason, kept_until(limit, now))
        reason = f"{self._name(carrier)} is at its limit ({limit})"
        return Refusal(Blocked.RATE_LIMIT, reason, short.resets_at, passing=short.passes(needed))

    def _name(self, carrier: str) -> str:
        return self._accounts[carrier].spec.name

    def closed(self, carrier: str) -> Refusal | None:
        """Why the carrier can take no call at all now, whatever its quota."""
        state, now = self._ledger.carrier_state(carrier), self._clock.now()
        return (
            self._stopped(carrier, state)
            or self.unconfigured(carrier)
            or self._paused(carrier, state, now)
            or self._account_closed(carrier, state.account, now)
        )

    def _account_closed(self, carrier: str, account: AccountState, now: datetime) -> Refusal | None:
        """Why our account is not presented now: it was refused, and neither changed nor waited long enough."""
        if account.refusals == 0 or carrier in self._trying_again:
            return None
        if self._has_new_credentials(carrier, account):
            self._ledger.set_account_state(carrier, AccountState())
            return None
        if not lasts(account.refused_until, now) and self._ledger.try_again(carrier, now, now + LEASE):
            self._trying_again[carrier] = account
            return None
        return self._refused(carrier, account)

    def would_refuse(self, carrier: str) -> Refusal | None:
        """Like `closed`, and a used-up quota too; looks only, and takes no try that is due."""
        for refusal in self.closings(carrier):
            return refusal
        for use in self.use(carrier):
            if not use.limit.window.is_short and not use.left:
                reason = f"{self._name(carrier)} is at its limit ({use.limit})"
                return Refusal(Blocked.RATE_LIMIT, reason, use.resets_at)
        return None

    def closings(self, carrier: str) -> list[Refusal]:
        """Every reason for which the carrier takes no call now, whatever its quota; looks only, like `would_refuse`."""
        now, state = self._clock.now(), self._ledger.carrier_state(carrier)
        account = state.account
        waits = account.refusals and lasts(account.refused_until, now)
        refused = waits and not self._has_new_credentials(carrier, account)
        of_account = (
            self._paused(carrier, state, now),
            self._refused(carrier, account) if refused else None,
        )
        missing = self.unconfigured(carrier)
        found = self._stopped(carrier, state), *((missing,) if missing else of_account)
        return [refusal for refusal in found if refusal]

    def opening(self, carrier: str) -> Calls:
        """The calls that the first fetch of a run needs before its own, such as that for a token."""
        client = self._accounts[carrier].client
        return client.opening(self._clock.now()) if client else {}

    def _stopped(self, carrier: str, state: CarrierState) -> Refusal | None:
        """Nobody is told by mail: whoever stopped it knows."""
        if state.stopped is None:
            return None
        return Refusal(Blocked.CARRIER, stop_words(self._accounts[carrier].spec, state.stopped, self._local))

    def _paused(self, carrier: str, state: CarrierState, now: datetime) -> Refusal | None:
        if not lasts(state.paused_until, now):
            return None
        reason = state.reason or f"{self._name(carrier)} asked us to wait"
        return Refusal(Blocked.RATE_LIMIT, reason, state.paused_until)

    def _refused(self, carrier: str, account: AccountState) -> Refusal:
        reason = account.refusal or f"{self._name(carrier)} refused our account"
        return Refusal(Blocked.CARRIER, reason, account.refused_until, kind=account.kind)

    def unconfigured(self, carrier: str) -> Refusal | None:
        """A refusal if the carrier's credentials are missing."""
        account = self._accounts[carrier]
        if account.client is not None:
            return None
        reason = f"{account.spec.name} has no credentials: set {account.missing}"
        return Refusal(Blocked.CARRIER, reason, kind=ErrorKind.NOT_CONFIGURED)

    def _has_new_credentials(self, carrier: str, state: AccountState) -> bool:
        if state.salt is None:
            return False
        return print_of(self._accounts[carrier].credentials, state.salt) != state.credentials_print

    # ---------------------------------------------------------------- calling

    def fetch(self, grant: Grant, carrier: str, number: str, known: Delivery | None) -> Fetched:
        """Ask the carrier, each call out of the grant, which is settled. Raises what is our own fault only."""
        return self._asked(carrier, grant, number, lambda client, line: client.fetch(number, known, line))

    def present(self, carrier: str, number: str | None = None) -> Fetched | Refusal:
        """Present our account now, even if it was refused before, and lift the refusal if it is accepted.

        It asks about `number`, or about one that is nobody's. A pause, whoever asked for it, and limits hold.
        """
        state, now = self._ledger.carrier_state(carrier), self._clock.now()
        if refusal := (
            self._stopped(carrier, state) or self.unconfigured(carrier) or self._paused(carrier, state, now)
        ):
            return refusal
        if state.account.refusals:
            self._trying_again[carrier] = state.account
        spec = self._accounts[carrier].spec
        grants, refused = self.reserve(carrier, [spec.calls_for(None)])
        if refused:
            return refused
        return self._asked(
            carrier,
            grants[0],
            number or spec.sample_number,
            lambda client, line: client.fetch(number, None, line) if number else client.present(line),
        )

    def _asked(
        self, carrier: str, grant: Grant, number: str, ask: Callable[[CarrierClient, Line], Outcome]
    ) -> Fetched:
        account = self._accounts[carrier]
        if account.client is None:
            raise RuntimeError(f"{carrier} was asked without credentials")
        line = account.open_line(grant)
        try:
            outcome = ask(account.client, line)
        except CallFailed as failed:
            outcome = failed.failure
        finally:
            with suppress(RunFault):  # what came is paid for; the units come back when the run leaves
                grant.settle()
        if line.accepted:
            # Nor is a proof lost because the account's good name could not be written: the next answer brings it again.
            with suppress(RunFault) if isinstance(outcome, Retrieved) else nullcontext():
                self._account_accepted(carrier)
        outcome = self._redacted(knowing(outcome, line.delivery), account.client)
        if isinstance(outcome, Failure):
            outcome = self._remembered(carrier, _doubted(outcome, account.spec, number))
        return Fetched(outcome, line.calls, line.unsent)

    def _redacted(self, outcome: Outcome, client: CarrierClient) -> Outcome:
        """The outcome without secrets in any of the texts that came from the carrier."""
        tokens = Redactor(client.secrets())

        def harmless(text: str) -> str:
            return tokens(self._redact(text))

        def signed(delivery: Delivery) -> Delivery:
            return replace(
                delivery,
                signatory=delivery.signatory and harmless(delivery.signatory),
                unknown=delivery.unknown and harmless(delivery.unknown),
            )

        if isinstance(outcome, Retrieved):
            return replace(outcome, delivery=signed(outcome.delivery), source=harmless(outcome.source))
        delivery = outcome.delivery and signed(outcome.delivery)
        unknown = outcome.unknown and harmless(outcome.unknown)
        return replace(outcome, message=harmless(outcome.message), delivery=delivery, unknown=unknown)

    def _remembered(self, carrier: str, failure: Failure) -> Failure:
        """What of a failure concerns every claim of the carrier is made known to all processes."""
        by_carrier = failure.http_status is not None  # else by a limit of ours
        if by_carrier and (failure.kind is ErrorKind.RATE_LIMITED or failure.retry_at is not None):
            now = self._clock.now()
            until = pause_until(failure.retry_at, now)
            self._ledger.pause(carrier, until, failure.message, now)
            return replace(failure, retry_at=until)
        if failure.kind is ErrorKind.AUTH_FAILED:
            source = self._accounts[carrier].source
            failure = replace(failure, message=f"{failure.message} (credentials from {source})")
            return replace(failure, retry_at=self._account_refused(carrier, failure.message))
        return failure

    def _account_refused(self, carrier: str, message: str) -> datetime:
        before = self._trying_again.pop(carrier, None) or AccountState()
        refusals, now = before.refusals + 1, self._clock.now()
        until = next_try_after_refusals(refusals, now, self._slack)
        salt = secrets.token_hex(16)
        state = AccountState(
            refusals=refusals,
            refused_until=until,
            refusal=message,
            salt=salt,
            credentials_print=print_of(self._accounts[carrier].credentials, salt),
        )
        self._ledger.set_account_state(carrier, state)
        return until

    def _account_accepted(self, carrier: str) -> None:
        self._accepted.add(carrier)
        if carrier in self._trying_again:
            self._ledger.set_account_state(carrier, AccountState())
            self._trying_again.pop(carrier, None)

    def accepted(self, carrier: str) -> bool:
        """Tell whether a call of this run that presented our account was accepted."""
        return carrier in self._accepted

    # ---------------------------------------------------------------- the end, and looking

    def leave(self) -> None:
        """The run ends: what it still holds is given back, tries that were not made are left to the next run."""
        for carrier, state in self._trying_again.items():
            self._ledger.set_account_state(carrier, state)
        self._trying_again.clear()
        self._ledger.leave()
        self._ledger.forget_short_windows(self._clock.now())

    # ---------------------------------------------------------------- what a person may do

    def stopped(self, carrier: str) -> Stop | None:
        """That a person stopped the carrier."""
        return self._ledger.carrier_state(carrier).stopped

    def rejected(self, carrier: str) -> Refusal | None:
        """That our account was refused and not accepted since, also if it may be tried again now; looks only."""
        account = self._ledger.carrier_state(carrier).account
        if not account.refusals or self.unconfigured(carrier) or self._has_new_credentials(carrier, account):
            return None
        return self._refused(carrier, account)

    def stop(self, carrier: str, why: str) -> Stop:
        """Stop the carrier for all processes, until it is taken up again; `why`: who does, and their words."""
        self._ledger.stop(carrier, Stop(self._clock.now(), why))
        return self._ledger.carrier_state(carrier).stopped or Stop(self._clock.now(), why)

    def take_up(self, carrier: str) -> Stop | None:
        """Take the carrier up again; returns the stop that this ended, None if there was none."""
        return self._ledger.take_up(carrier)

    def use(self, carrier: str) -> list[Use]:
        """How far the carrier's limits are used: those for one capability first, the longest window last."""
        limits = sorted(
            self._accounts[carrier].limits,
            key=lambda limit: (limit.capability is None, limit.window.seconds or 10**9),
        )
        return self._ledger.uses(limits, self._clock.now())


def _doubted(failure: Failure, spec: CarrierSpec, number: str) -> Failure:
    """A failure about the number; with the likely reason if its check digit does not fit."""
    if failure.kind not in _OF_THE_NUMBER or not spec.is_doubtful(number):
        return failure
    return replace(failure, message=f"{failure.message} (its check digit does not fit: is it mistyped?)")


def stop_words(spec: CarrierSpec, stop: Stop, local: LocalTime) -> str:
    """That a person stopped the carrier, who, when and why; and how it is taken up again."""
    by = f" {stop.why}" if stop.why else ""
    return f"{spec.name} was paused on {minute(stop.at, local)}{by} ('recours resume {spec.key}' ends that)"


def print_of(credentials: Sequence[str], salt: str) -> str:
    """A fingerprint by which a change of credentials is noticed.

    Slow on purpose: a six-digit password must not be found by trying all of them against the database.
    """
    import hashlib  # noqa: PLC0415 (needed only when an account was refused)

    secret = "\x00".join(credentials).encode()
    return hashlib.scrypt(secret, salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=16).hex()
