"""`APIRequestQueue`, the only way to a carrier: it grants calls, or says when one will be free.

Both workers and every machine share it exactly, since its counts live in the database.
"""

from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from recours.carriers.bundle import Bundle
from recours.carriers.client import with_delivery
from recours.carriers.message import CarrierClient, CarrierSession
from recours.carriers.refusals import FirstAnswer, NotPresentedError, Refusals, WaitingReservation
from recours.carriers.reservation import (
    LEASE,
    Account,
    CalledOffError,
    CarrierConnection,
    QuotaReservation,
    QuotaStore,
)
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.errors import NO_DOCUMENT_KINDS, REFUSED_KINDS, TRAITS, ErrorKind, RunError
from recours.core.outcome import CallError, Failure, Outcome, Retrieved
from recours.core.pauses import (
    PUT_OFF,
    AccountState,
    Blame,
    Blocked,
    CarrierState,
    Refusal,
    Stop,
    lasts,
    pause_until,
)
from recours.core.quota import (
    CallBudget,
    Capability,
    Exhausted,
    Limit,
    QuotaRequest,
    Usage,
    kept_for_new_claims,
    kept_for_others,
    kept_until,
)
from recours.core.sentences import MISTYPED, Said, Sentence, carrier_message
from recours.core.text import LocalTime, Redactor, format_minute, plural
from recours.runs.log import log
from recours.runs.ports import Asked, Clock, Fetched, Reservation, Tracked

_OF_THE_NUMBER = frozenset({ErrorKind.NOT_FOUND, ErrorKind.INVALID_TRACKING})

_NO_DOCUMENT = Failure.of(Sentence.PROOF_PENDING)

# Each limit may allow fewer of the fetches, and others take and give back in between.
_MOST_TRIES = 8


Ask = Callable[[CarrierClient, CarrierSession], Outcome]
_LeftToOthers = Callable[..., int]  # of a limit, at a time


@dataclass(frozen=True)
class _Count:
    """What one question to a carrier took, and whether the answer showed that our account is good."""

    kinds: Counter[Capability]  # of calls that were sent
    unsent: int
    accepted: bool = False


@dataclass(frozen=True)
class _Answer:
    """How one question to a carrier ended, its outcome without secrets."""

    outcome: Outcome
    accepted: bool = False  # our account, by an answer
    last: Capability | None = None  # what the last call was for
    presented: bool = True  # False: while a call waited to present our account, another's answer closed it

    @property
    def refused(self) -> bool:
        """Tell whether our account was."""
        return self.presented and isinstance(self.outcome, Failure) and self.outcome.kind in REFUSED_KINDS

    @property
    def proven(self) -> bool:
        """Tell whether it shows that our account has the right to documents."""
        if isinstance(self.outcome, Retrieved):
            return True
        return self.accepted and self.outcome.kind in NO_DOCUMENT_KINDS


class APIRequestQueue:
    """Grants calls to carriers, makes them, and remembers for all processes what the carriers ask for."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        quota: QuotaStore,
        clock: Clock,
        *,
        slack: timedelta = timedelta(minutes=5),
        redact: Redactor | None = None,
        local: LocalTime = lambda at: at,
    ) -> None:
        """`slack`: how early a due try counts as due. `local` turns UTC into local time, for people."""
        self._accounts = accounts
        self._quota = quota
        self._clock = clock
        self._redact = redact or Redactor(())
        self._local = local
        self._refusals = Refusals(accounts, quota, clock, slack)
        self._first_answers = {
            key: FirstAnswer(partial(self._refusals.accepted, key), partial(self.closed, key))
            for key in accounts
        }

    # ---------------------------------------------------------------- granting

    def reserve(
        self,
        carrier: str,
        fetches: Sequence[CallBudget],
        *,
        headroom: float = 0.0,
        urgent: CallBudget | None = None,
        go_on: Callable[[], bool] = lambda: True,
    ) -> tuple[list[Reservation], Refusal | None]:
        """See `Queue`."""
        left_to_others = partial(kept_for_others, share=headroom, urgent=urgent or {})
        if refusal := self.closed(carrier):
            return [], refusal
        wanted = self._with_setup_calls(carrier, fetches)
        for _ in range(_MOST_TRIES):
            reserved = self._reserve_units(carrier, wanted, left_to_others, go_on) if wanted else []
            if not isinstance(reserved, Exhausted):
                return reserved, refusal
            fitting = reserved.fitting(wanted)
            if len(fitting) < len(wanted):  # else units came back in between: the same again
                refusal = self._at_limit(carrier, reserved, wanted[len(fitting)], headroom, left_to_others)
            wanted = fitting
        return [], Refusal(
            Blocked.RATE_LIMIT, f"{self._name(carrier)} is asked by many at once", passing=True
        )

    def _with_setup_calls(self, carrier: str, fetches: Sequence[CallBudget]) -> list[CallBudget]:
        """The fetches; the first one also with the calls that must come before all, such as that for a token."""
        setup_calls = self.setup_calls(carrier)
        if not fetches or not setup_calls:
            return list(fetches)
        first = {
            what: fetches[0].get(what, 0) + setup_calls.get(what, 0) for what in (*fetches[0], *setup_calls)
        }
        return [first, *fetches[1:]]

    def _reserve_units(
        self,
        carrier: str,
        fetches: Sequence[CallBudget],
        left_to_others: _LeftToOthers,
        go_on: Callable[[], bool],
    ) -> list[Reservation] | Exhausted:
        account, now = self._accounts[carrier], self._clock.now()
        requests = [
            QuotaRequest(limit, units, left_to_others(limit, now=now))
            for limit in account.long_limits
            if (units := sum(limit.units(calls) for calls in fetches))
        ]
        reserved = self._quota.reserve(requests, now, now + LEASE)
        if isinstance(reserved, Exhausted):
            return reserved
        return [
            QuotaReservation(
                self._quota, self._clock, account, {one: one.limit.units(calls) for one in reserved}, go_on
            )
            for calls in fetches
        ]

    def _at_limit(
        self,
        carrier: str,
        short: Exhausted,
        calls: CallBudget,
        headroom: float,
        left_to_others: _LeftToOthers,
    ) -> Refusal:
        """The refusal of a fetch; it passes if the units that others hold would be enough."""
        limit, needed, now = short.limit, short.limit.units(calls), self._clock.now()
        kept = left_to_others(limit, now=now)
        if short.is_for_others(needed, kept):
            whose = "new" if kept == kept_for_new_claims(limit, headroom, now) else "more urgent"
            reason = f"{self._name(carrier)} has only calls left that are kept for {whose} claims ({limit})"
            return Refusal(Blocked.RATE_LIMIT, reason, kept_until(limit, now), reserved=True)
        reason = f"{self._name(carrier)} is at its limit ({limit})"
        said = Said(Sentence.LIMIT_REACHED, self._name(carrier))
        passing = short.passes(needed)
        return Refusal(Blocked.RATE_LIMIT, reason, short.resets_at, passing=passing, said=said)

    def _name(self, carrier: str) -> str:
        return self._accounts[carrier].spec.name

    def closed(self, carrier: str) -> Refusal | None:
        """Why the carrier can take no call at all now, whatever its quota."""
        state, now = self._quota.carrier_state(carrier), self._clock.now()
        return (
            self._stopped(carrier, state)
            or self.unconfigured(carrier)
            or self._paused(carrier, state, now)
            # Our account was refused, and neither changed nor waited long enough.
            or (
                self._refused(carrier, state.account)
                if self._refusals.keeps_closed(carrier, state.account)
                else None
            )
        )

    def would_refuse(self, carrier: str) -> Refusal | None:
        """Like `closed`, and a used-up quota too; looks only, and takes no try that is due."""
        for refusal in self.closings(carrier):
            return refusal
        for use in self.usage(carrier):
            if not use.limit.window.is_short and not use.left:
                reason = f"{self._name(carrier)} is at its limit ({use.limit})"
                said = Said(Sentence.LIMIT_REACHED, self._name(carrier))
                return Refusal(Blocked.RATE_LIMIT, reason, use.resets_at, said=said)
        return None

    def closings(self, carrier: str) -> list[Refusal]:
        """Every reason for which the carrier takes no call now, whatever its quota; looks only, like `would_refuse`."""
        now, state = self._clock.now(), self._quota.carrier_state(carrier)
        account = state.account
        waits = account.refusals and lasts(account.refused_until, now)
        refused = waits and not self._refusals.has_new_credentials(carrier, account)
        of_account = (
            self._paused(carrier, state, now),
            self._refused(carrier, account) if refused else None,
        )
        missing = self.unconfigured(carrier)
        found = self._stopped(carrier, state), *((missing,) if missing else of_account)
        return [refusal for refusal in found if refusal]

    def setup_calls(self, carrier: str) -> CallBudget:
        """The calls that the first fetch of a run needs before its own, such as that for a token."""
        client = self._accounts[carrier].client
        return client.setup_calls(self._clock.now()) if client else {}

    def _stopped(self, carrier: str, state: CarrierState) -> Refusal | None:
        """No mail is sent: the person who stopped it knows."""
        if state.stopped is None:
            return None
        reason = stop_message(self._accounts[carrier].spec, state.stopped, self._local)
        return Refusal(Blocked.CARRIER, reason, stopped=True)

    def _paused(self, carrier: str, state: CarrierState, now: datetime) -> Refusal | None:
        if not lasts(state.paused_until, now):
            return None
        reason = state.reason or f"{self._name(carrier)} asked us to wait"
        return Refusal(Blocked.RATE_LIMIT, reason, state.paused_until)

    def _refused(self, carrier: str, account: AccountState) -> Refusal:
        reason = account.refusal or f"{self._name(carrier)} rejects our credentials"
        is_denied = account.kind is ErrorKind.ACCOUNT_DENIED
        key = Sentence.SERVICE_DENIED if is_denied else Sentence.CREDENTIALS_REJECTED
        said = Said(key, self._name(carrier), carrier_message(reason))
        return Refusal(Blocked.CARRIER, reason, account.refused_until, kind=account.kind, said=said)

    def unconfigured(self, carrier: str) -> Refusal | None:
        """A refusal if the carrier's credentials are missing."""
        account = self._accounts[carrier]
        if account.client is not None:
            return None
        reason = f"{account.spec.name} has no credentials: set {account.missing}"
        said = Said(Sentence.NOT_CONFIGURED, account.spec.name, account.missing)
        return Refusal(Blocked.CARRIER, reason, kind=ErrorKind.NOT_CONFIGURED, said=said)

    # ---------------------------------------------------------------- calling

    def fetch(
        self, reservation: Reservation, carrier: str, number: str, known: Delivery | None, claim: Any = None
    ) -> Fetched:
        """Ask the carrier about one claim. See `fetch_bundle`."""
        with closing(self._bundle([reservation], carrier, [Asked(number, known, claim)])) as fetched:
            return next(fetched)

    def fetch_bundle(
        self, reservations: Sequence[Reservation], carrier: str, asked: Sequence[Asked]
    ) -> Generator[Fetched, None, None]:
        """See `Queue`. Where our account is refused, one more call may tell whose that is."""
        most = self._accounts[carrier].spec.numbers_per_call
        if len(asked) > most:
            raise ValueError(f"{carrier} tracks {most} numbers with one call, not {len(asked)}")
        return self._bundle(reservations, carrier, asked)

    def _bundle(
        self, reservations: Sequence[Reservation], carrier: str, asked: Sequence[Asked]
    ) -> Generator[Fetched, None, None]:
        bundle = Bundle(asked)
        try:
            for place, (reserved, one) in enumerate(zip(reservations, asked, strict=True)):
                counts: list[_Count] = []
                with self._after_first_answer(carrier, reserved) as reservation:
                    unchecked = (
                        self._checked_before(carrier, reservation, bundle, counts) if place == 0 else None
                    )
                    outcome = unchecked or self._outcome(carrier, reservation, one, bundle, counts)
                fetched = _fetched(outcome, counts)
                if bundle.is_down and one.known is None and not fetched.calls + fetched.unsent:
                    fetched = replace(fetched, asked=False)
                bundle.note_outcome(outcome)
                self._settle([reserved])
                yield fetched
        except CalledOffError:
            return
        finally:
            self._settle(reservations)

    @contextmanager
    def _after_first_answer(self, carrier: str, reservation: Reservation) -> Iterator[Reservation]:
        """A reservation whose calls that present our account wait until the first answer about it is known."""
        waiting = WaitingReservation(
            reservation, self._first_answers[carrier], partial(self._presents_account, carrier)
        )
        try:
            yield waiting
        finally:
            waiting.answered()

    def _presents_account(self, carrier: str, what: Capability) -> bool:
        client = self._accounts[carrier].client
        return what is not Capability.TRACKING or client is None or client.tracking_shows_account

    @staticmethod
    def _settle(reservations: Sequence[Reservation]) -> None:
        for reservation in reservations:
            with suppress(RunError):  # what came is paid for; the units come back when the run leaves
                reservation.release()

    def _outcome(
        self, carrier: str, reservation: Reservation, one: Asked, bundle: Bundle, counts: list[_Count]
    ) -> Outcome:
        """How asking about one claim of a bundle ends; the first that needs the shared call makes it."""
        if bundle.needs_shared_call(one):
            self._track(carrier, reservation, bundle, counts)
        if failure := bundle.answer_without_call(one):
            return failure
        tracking = bundle.tracking_of(one)

        def ask(client: CarrierClient, session: CarrierSession) -> Outcome:
            if tracking is None:
                return client.fetch(one.number, one.known, session)
            return client.fetch_tracked(one.number, tracking, session)

        answer = self._ask(carrier, reservation, ask, counts)
        return self._meant(carrier, reservation, one.number, answer, one.claim, counts)

    def _track(self, carrier: str, reservation: Reservation, bundle: Bundle, counts: list[_Count]) -> None:
        """Make the call that the claims of a bundle share."""
        client, session = self._line(carrier, reservation)
        found: Mapping[str, Delivery | Failure] | Failure
        try:
            found = client.track_many(bundle.numbers, session)
        except CallError as failed:
            found = failed.failure
        except (RunError, ImportError, CalledOffError):
            raise
        except Exception:  # the parcel that causes it is asked about singly, and causes it again
            log.exception(f"{self._name(carrier)}: an internal error in a call about several parcels")
            found = {}
        finally:
            counts.append(_Count(session.kinds, session.unsent))
        failure = self._redacted(found, client) if isinstance(found, Failure) else None
        if isinstance(failure, Failure) and failure.kind in REFUSED_KINDS:
            whole = _Answer(failure, last=session.last)
            if self._is_account_at_fault(carrier, reservation, whole, counts):
                bundle.closed = self._closing(carrier, whole, None)
            found = {}
        bundle.note_tracking(found)
        self._mention_unanswered(carrier, bundle, failure)

    def track(self, reservation: Reservation, carrier: str, number: str, claim: Any) -> Tracked:
        """See `Queue`."""
        client, session = self._line(carrier, reservation)
        found: Delivery | Failure | None
        try:
            answer = client.track_many([number], session)
            found = answer if isinstance(answer, Failure) else answer.get(number)
        except CallError as failed:
            found = failed.failure
        finally:
            self._settle([reservation])
        if found is None:
            found = Failure.of(Sentence.ANSWER_UNREADABLE, self._name(carrier))
        if isinstance(found, Delivery):
            # As beside a refusal, for texts without secrets: there is no document here.
            shown = self._redacted(replace(_NO_DOCUMENT, delivery=found), client)
            return Tracked(shown.delivery or found, session.calls)
        counts: list[_Count] = []
        told = _Answer(self._redacted(found, client), session.accepted, session.last)
        failure = self._meant(carrier, reservation, number, told, claim, counts)
        if isinstance(failure, Retrieved):
            raise TypeError("a call for the tracking brings no document")
        return Tracked(failure, session.calls + sum(count.kinds.total() for count in counts))

    def _mention_unanswered(self, carrier: str, bundle: Bundle, failure: Outcome | None) -> None:
        """A carrier that does not take several numbers after all would else go unnoticed: it only costs more calls."""
        if unanswered := len(bundle.unanswered):
            why = f" ({failure.message})" if isinstance(failure, Failure) else ""
            log.warning(
                f"{self._name(carrier)} said nothing about {unanswered} of {plural(len(bundle.numbers), 'parcel')} "
                f"in one call{why}: each is asked about singly"
            )

    def check_credentials(self, carrier: str, number: str | None = None) -> Fetched | Refusal:
        """Present our account now, even if it was refused before, and lift the refusal if it is accepted.

        It asks about `number`, or about the sample number. Pauses of the carrier and of a person, and limits, hold.
        """
        state, now = self._quota.carrier_state(carrier), self._clock.now()
        if refusal := (
            self._stopped(carrier, state) or self.unconfigured(carrier) or self._paused(carrier, state, now)
        ):
            return refusal
        self._refusals.try_now(carrier, state.account)
        spec = self._accounts[carrier].spec
        reservations, refused = self.reserve(carrier, [spec.calls_for(None)])
        if refused:
            return refused
        if number:
            fetched = self.fetch(reservations[0], carrier, number, None)
        else:
            fetched = self._check_credentials_alone(carrier, reservations[0], spec.sample_number)
        if fetched.accepted:  # whatever it was refused for: a person looks after it
            self._refusals.note_accepted(carrier, proven=True)
        return fetched

    def _check_credentials_alone(self, carrier: str, reservation: Reservation, number: str) -> Fetched:
        counts: list[_Count] = []
        try:
            answer = self._ask(
                carrier, reservation, lambda client, session: client.check_credentials(session), counts
            )
            failure = self._closing(carrier, answer, None) if answer.refused else None
            return _fetched(failure or self._remembered(carrier, answer, number), counts)
        finally:
            self._settle([reservation])

    def _ask(self, carrier: str, reservation: Reservation, ask: Ask, counts: list[_Count]) -> _Answer:
        """Put one question, and note what it took."""
        client, session = self._line(carrier, reservation)
        presented = True
        try:
            found = ask(client, session)
        except CallError as failed:
            found, presented = failed.failure, not isinstance(failed, NotPresentedError)
        outcome = self._redacted(with_delivery(found, session.delivery), client)
        answer = _Answer(outcome, session.accepted, session.last, presented)
        counts.append(_Count(session.kinds, session.unsent, session.accepted and not answer.refused))
        return answer

    def _line(self, carrier: str, reservation: Reservation) -> tuple[CarrierClient, CarrierConnection]:
        account = self._accounts[carrier]
        if account.client is None:
            raise RuntimeError(f"{carrier} was asked without credentials")
        return account.client, account.open_session(reservation)

    # ---------------------------------------------------------------- our account refused

    def _checked_before(
        self, carrier: str, reservation: Reservation, bundle: Bundle, counts: list[_Count]
    ) -> Failure | None:
        """Where our account is tried again, and one of these claims may not be tried with: a check goes before them.

        A failure if the account is not accepted: they are not asked about.
        """
        awaited = (self._refusals.awaits_check(carrier, one.claim) for one in bundle.asked)
        before = next(filter(None, awaited), None)
        if before is None:
            return None
        check = self._check(carrier, reservation, counts)
        if isinstance(check.outcome, Retrieved) or _knows_us(check):
            return None
        if check.refused:
            return self._closing(carrier, check, None)
        if not TRAITS[check.outcome.kind].uses_attempt:
            return check.outcome
        name, said = self._name(carrier), check.outcome.said
        message = f"{name} did not say whether it accepts our account again: {check.outcome.message}"
        told = Failure.of(
            Sentence.CREDENTIALS_UNCHECKED,
            name,
            said.words if said else None,
            check.outcome.http_status,
            message=message,
        )
        return replace(told, kind=before.kind)

    def _check(self, carrier: str, reservation: Reservation, counts: list[_Count]) -> _Answer:
        """Present our account with the sample number, out of the reservation, or of more units if there are any."""
        check = self._ask(
            carrier, reservation, lambda client, session: client.check_credentials(session), counts
        )
        if check.refused:
            return check
        return replace(
            check, outcome=self._remembered(carrier, check, self._accounts[carrier].spec.sample_number)
        )

    def _meant(
        self,
        carrier: str,
        reservation: Reservation,
        number: str,
        answer: _Answer,
        claim: Any,
        counts: list[_Count],
    ) -> Outcome:
        """What an answer about a parcel means: a refusal may be the parcel's alone."""
        failure = answer.outcome
        if not answer.refused or isinstance(failure, Retrieved):
            return self._remembered(carrier, answer, number)
        blamed = self._refusals.blame(
            carrier, failure.kind, claim, last=answer.last, accepted=answer.accepted
        )
        closed_by = claim
        if blamed is Blame.UNCLEAR:
            check = self._check(carrier, reservation, counts)
            blamed = self._refusals.blame_after_check(
                carrier, claim, accepted=_knows_us(check), refused=check.refused
            )
            closed_by = None if check.refused else claim
        if blamed is Blame.ACCOUNT:
            return self._closing(carrier, answer, closed_by)
        if answer.accepted:  # by another call of the same fetch
            self._refusals.note_accepted(carrier, proven=False)
        name = self._name(carrier)
        if blamed is Blame.CLAIM_LATER:
            message = f"{failure.message} (for this parcel alone: {name} gives others)"
            return replace(failure, message=message, retry_at=self._clock.now() + PUT_OFF, alone=True)
        said = failure.said.words if failure.said else None
        told = Failure.of(Sentence.PARCEL_DENIED, name, said)
        return replace(failure, kind=told.kind, message=told.message, said=told.said, retry_at=None)

    def _is_account_at_fault(
        self, carrier: str, reservation: Reservation, answer: _Answer, counts: list[_Count]
    ) -> bool:
        """Tell whether a refusal of a call about several parcels is the account's; else it is one of the parcels'."""
        if isinstance(answer.outcome, Retrieved):
            return False
        kind = answer.outcome.kind
        blamed = self._refusals.blame(carrier, kind, None, last=answer.last, accepted=False)
        if blamed is Blame.UNCLEAR:
            check = self._check(carrier, reservation, counts)
            blamed = self._refusals.blame_after_check(
                carrier, None, accepted=_knows_us(check), refused=check.refused
            )
        return blamed is Blame.ACCOUNT

    def _closing(self, carrier: str, answer: _Answer, claim: Any) -> Failure:
        """Our account was refused: it is closed for all processes. `claim`: whose call was; None: the sample number's."""
        if isinstance(answer.outcome, Retrieved):
            raise TypeError("a document is no refusal")
        source = self._accounts[carrier].source
        failure = replace(answer.outcome, message=f"{answer.outcome.message} (credentials from {source})")
        return replace(failure, retry_at=self._refusals.note_refused(carrier, failure, claim))

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
        said = outcome.said and replace(outcome.said, words=harmless(outcome.said.words))
        return replace(
            outcome, message=harmless(outcome.message), delivery=delivery, unknown=unknown, said=said
        )

    def _remembered(self, carrier: str, answer: _Answer, number: str) -> Outcome:
        """What of an answer concerns every claim of the carrier is made known to all processes."""
        outcome = answer.outcome
        if isinstance(outcome, Retrieved):
            self._refusals.note_document(carrier)
        if answer.accepted:
            # Nor is a proof lost because the account's good name could not be written: the next answer brings it again.
            with suppress(RunError) if isinstance(outcome, Retrieved) else nullcontext():
                has_documents = Capability.POD in self._accounts[carrier].spec.calls
                self._refusals.note_accepted(carrier, proven=answer.proven or not has_documents)
        if isinstance(outcome, Retrieved):
            return outcome
        failure = _doubted(outcome, self._accounts[carrier].spec, number)
        by_carrier = failure.http_status is not None  # else by a limit of recours's own
        if by_carrier and (failure.kind is ErrorKind.RATE_LIMITED or failure.retry_at is not None):
            now = self._clock.now()
            until = pause_until(failure.retry_at, now)
            self._quota.pause(carrier, until, failure.message, now)
            return replace(failure, retry_at=until)
        return failure

    def asks_alone(self, carrier: str) -> bool:
        """Tell whether one fetch at a time is to begin: it presents our account, which no answer has accepted in this run."""
        by_first_call = self._presents_account(carrier, Capability.TRACKING)
        is_tried_again = self._refusals.is_tried_again(carrier)  # with a check before the first call
        return (by_first_call or is_tried_again) and not self._refusals.accepted(carrier)

    # ---------------------------------------------------------------- the end, and looking

    def leave(self) -> None:
        """The run ends: what it still holds is given back, tries that were not made are left to the next run."""
        self._refusals.leave()
        self._quota.leave()
        self._quota.forget_short_windows(self._clock.now())

    # ---------------------------------------------------------------- what a person may do

    def stopped(self, carrier: str) -> Stop | None:
        """That a person stopped the carrier."""
        return self._quota.carrier_state(carrier).stopped

    def rejected(self, carrier: str) -> Refusal | None:
        """That our account was refused and not accepted since, also if it may be tried again now; looks only."""
        account = self._quota.carrier_state(carrier).account
        if (
            not account.refusals
            or self.unconfigured(carrier)
            or self._refusals.has_new_credentials(carrier, account)
        ):
            return None
        return self._refused(carrier, account)

    def stop(self, carrier: str, why: str) -> Stop:
        """Stop the carrier for all processes, until it is resumed; `why`: who does, and their words."""
        self._quota.stop(carrier, Stop(self._clock.now(), why))
        return self._quota.carrier_state(carrier).stopped or Stop(self._clock.now(), why)

    def take_up(self, carrier: str) -> Stop | None:
        """Take the carrier up again; returns the stop that this ended, None if there was none."""
        return self._quota.take_up(carrier)

    def usage(self, carrier: str) -> list[Usage]:
        """How far the carrier's limits are used: those for one capability first, the longest window last."""
        return self.usages([carrier])[carrier]

    def usages(self, carriers: Collection[str]) -> dict[str, list[Usage]]:
        """The same of several carriers, in one read."""
        limits = {key: _in_order(self._accounts[key].limits) for key in carriers}
        together = [limit for of_one in limits.values() for limit in of_one]
        uses = iter(self._quota.uses(together, self._clock.now()) if together else ())
        return {key: list(islice(uses, len(of_one))) for key, of_one in limits.items()}


def _in_order(limits: Iterable[Limit]) -> list[Limit]:
    """Those for one capability first, the longest window last."""
    return sorted(limits, key=lambda limit: (limit.capability is None, limit.window.seconds or 10**9))


def _fetched(outcome: Outcome, counts: Sequence[_Count]) -> Fetched:
    """The outcome with all calls that it took; whether any answer but a refusal showed that our account is good."""
    kinds = sum((count.kinds for count in counts), Counter[Capability]())
    accepted = any(count.accepted for count in counts)
    return Fetched(
        outcome, kinds.total(), sum(count.unsent for count in counts), accepted=accepted, kinds=kinds
    )


def _knows_us(check: _Answer) -> bool:
    """Tell whether the carrier accepts our account: also if it denies the sample number, which is not ours."""
    denied = isinstance(check.outcome, Failure) and check.outcome.kind is ErrorKind.ACCESS_DENIED
    return check.accepted or denied


def _doubted(failure: Failure, spec: CarrierSpec, number: str) -> Failure:
    """A failure about the number; with the likely reason if its check digit does not fit."""
    if failure.kind not in _OF_THE_NUMBER or not spec.is_doubtful(number):
        return failure
    message = f"{failure.message} (its check digit does not fit: is it mistyped?)"
    said = failure.said and replace(failure.said, key=MISTYPED.get(failure.said.key, failure.said.key))
    return replace(failure, message=message, said=said)


def stop_message(spec: CarrierSpec, stop: Stop, local: LocalTime) -> str:
    """That a person stopped the carrier, who, when and why; and how it is resumed."""
    by = f" {stop.why}" if stop.why else ""
    return f"{spec.name} was paused on {format_minute(stop.at, local)}{by} ('recours resume {spec.key}' ends that)"
