"""`APIRequestQueue` makes every call to a carrier if the quota allows, or else says when a call will be possible.

The database counts the calls of each account, so both workers and all machines share exact counts.
"""

import threading
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from recours.carriers.account_gate import AccountGate, NotPresentedError, Turns, WaitingReservation
from recours.carriers.client import Client
from recours.carriers.message import CarrierSession
from recours.carriers.reservation import Account, CalledOffError, QuotaReservation
from recours.core.accounts import DEFAULT_ACCOUNT, carrier_of
from recours.core.claim import Delivery
from recours.core.errors import KNOWS_PARCEL, NO_DOCUMENT_KINDS, REFUSED_KINDS, TRAITS, ErrorKind, RunError
from recours.core.outcome import (
    CallError,
    Case,
    Failure,
    NoTokenError,
    Outcome,
    Retrieved,
    make_outcome,
    refusal_text,
)
from recours.core.pauses import DEFERRAL, SAME_CLAIM_AFTER, Blame, Blocked, Refusal, pause_until
from recours.core.quota import CallBudget, Capability, Exhausted, QuotaRequest, kept_for_others, kept_until
from recours.core.sentences import Sentence
from recours.core.text import Minute, Redactor, plural
from recours.database.quota import QuotaTables
from recours.runs.log import log
from recours.runs.ports import CarrierAnswer, Clock, ParcelQuery, Reservation

if TYPE_CHECKING:
    from recours.carriers.http import HttpSession

# If a fetch with the default account fails in one of these ways, the denial of the client's account still applies.
_NO_ACCESS_KINDS = REFUSED_KINDS | {ErrorKind.ACCESS_DENIED, ErrorKind.NOT_FOUND}

# Each round may drop some fetches because of another limit, while other processes take and return units.
_MAX_ROUNDS = 8


# The results by tracking number.
Tracking = Mapping[str, Delivery | Failure]
Numbers = tuple[str, ...]

Ask = Callable[[Client, CarrierSession], Outcome]
MayContinue = Callable[[], bool]


# ---------------------------------------------------------------- one request about a parcel


@dataclass
class _Fetch:
    """The fetch of one claim with one account, and a count of its calls."""

    key: str
    reservation: Reservation
    delivery: Delivery | None = None  # known from an answer to another account
    calls: int = 0  # calls sent
    unsent: int = 0
    accepted: bool = False  # whether an answer that is not a refusal showed that our account is accepted

    def count(self, session: "HttpSession", *, accepted: bool = False) -> None:
        self.calls += session.calls
        self.unsent += session.unsent
        self.accepted = self.accepted or accepted


class _Answer(NamedTuple):
    """The result of one request to a carrier."""

    outcome: Outcome  # as returned by the client; `make_outcome` converts it to the claim's outcome
    delivery: Delivery | None = None
    retry_at: datetime | None = None  # when the account or the carrier may be called again
    accepted: frozenset[Capability] = frozenset()  # our account's rights, as shown by the answers
    last: Capability = Capability.TRACKING  # the right that the last call used
    # Whether our credentials were sent. Another fetch may close the account while the call waits.
    presented: bool = True

    @property
    def refusal(self) -> Failure | None:
        """The failure, if our account was refused; otherwise None."""
        if self.presented and isinstance(self.outcome, Failure) and self.outcome.kind in REFUSED_KINDS:
            return self.outcome
        return None

    @property
    def shows_account(self) -> bool:
        """Return whether the carrier accepts our account. A denial for the sample number (not ours) shows that too."""
        return bool(self.accepted) or self.outcome.kind is ErrorKind.ACCESS_DENIED

    @property
    def is_proof_of_rights(self) -> bool:
        """Return whether the answer has data about a parcel, which proves that the account may use the service."""
        tells_of_delivery = isinstance(self.outcome, Retrieved) or self.delivery is not None
        return bool(self.accepted) and (tells_of_delivery or self.outcome.kind in KNOWS_PARCEL)

    @property
    def grants_documents(self) -> bool:
        """Return whether the answer to a document call shows that the account has the right to documents."""
        is_grant = isinstance(self.outcome, Retrieved) or self.outcome.kind in NO_DOCUMENT_KINDS
        return is_grant and self.last is Capability.POD and Capability.POD in self.accepted


# ---------------------------------------------------------------- claims that share a tracking call

# Failures of a shared call if the carrier rejects one of its numbers. Any other failure means that one number makes the
# service fail, or that the service is down.
_NUMBER_KINDS = frozenset({ErrorKind.INVALID_TRACKING, ErrorKind.NOT_FOUND, ErrorKind.ACCESS_DENIED})
# After this many failed shared calls in a row, one number is tracked alone. If that call fails too, the carrier is
# down. One bad number makes at most two calls in a row fail, because the next call is about the other half. With
# several bad numbers, more calls fail, but the carrier also answers about other numbers.
_FAILURES = 3
_FAILURES_AFTER_AN_ANSWER = 6


@dataclass
class Bundle:
    """Claims of one carrier that share tracking calls, and the results so far. Claims are processed one by one.

    A failed call is repeated for each half of its numbers, then for each quarter, and so on. Finding one bad number
    among thirty takes eleven calls.
    """

    parcels: Sequence[ParcelQuery]
    tracking: dict[str, Delivery | Failure] = field(default_factory=dict)  # results of shared calls
    closed: Failure | None = None  # the answer after which the carrier is no longer called
    outage: Failure | None = None  # the failure of every number, after which no more calls are made
    _calls: list[Numbers] = field(init=False)  # shared calls still to be made, in order
    _failed: dict[Numbers, Failure | None] = field(default_factory=dict)  # failed shared calls
    _failures_left: int = _FAILURES  # failed calls until one number is tracked alone

    def __post_init__(self) -> None:
        self._calls = [self.numbers] if sum(parcel.delivery is None for parcel in self.parcels) > 1 else []

    @property
    def numbers(self) -> Numbers:
        """The numbers to track, without duplicates."""
        return tuple(dict.fromkeys(parcel.number for parcel in self.parcels if parcel.delivery is None))

    # ---------------------------------------------------------------- the shared calls

    def next_call(self, parcel: ParcelQuery) -> Numbers:
        """The numbers of the shared call to make before this claim is processed; empty if no call is needed."""
        if parcel.delivery is not None or self.closed or not self._calls:
            return ()
        numbers = self._calls.pop(0)
        if self._failures_left > 0 or len(numbers) == 1:
            return numbers
        self._calls.insert(0, numbers[1:])
        return numbers[:1]

    def note_tracking(self, numbers: Numbers, answer: Tracking | Failure | None) -> None:
        """Record the answer to a shared call about these numbers.

        Numbers missing from the answer are tracked individually with their claims. `answer` is None after an internal
        error or a refusal, which only calls about single claims can explain.
        """
        if not (answer is None or isinstance(answer, Failure)):
            self.tracking |= answer
            self._failures_left = _FAILURES_AFTER_AN_ANSWER
        elif answer and (answer.closes_carrier or not TRAITS[answer.kind].uses_attempt):
            self.tracking |= dict.fromkeys(sum(self._calls, numbers), answer)
            self._calls.clear()
        else:
            self._note_failure(numbers, answer)

    def _note_failure(self, numbers: Numbers, failure: Failure | None) -> None:
        self._failed[numbers] = failure
        self._failures_left -= 1
        if failure and len(numbers) == 1:
            self.tracking[numbers[0]] = failure
        could_not_connect = failure is not None and not failure.connected  # no number can cause this
        # Repeated internal errors end the shared calls, because calls about single numbers would fail the same way.
        are_too_many = self._failures_left < 0 or (failure is None and self._failures_left == 0)
        if could_not_connect or are_too_many:
            self._calls.clear()
            # If the carrier rejects numbers, it is not down: most numbers are bad, or it accepts only one per call.
            is_outage = failure is not None and failure.kind not in _NUMBER_KINDS
            self.outage = failure if is_outage else None
        else:
            self._calls += [half for half in _halves(numbers) if failure or len(half) > 1]

    @property
    def unanswered(self) -> list[str]:
        """The numbers that no shared call answered. They are tracked individually with their claims."""
        if self.closed or self.outage:
            return []
        return [number for number in self.numbers if number not in self.tracking]

    @property
    def failure(self) -> Failure | None:
        """Why the call about all numbers failed, or None if it succeeded or had an internal error or a refusal."""
        return self._failed.get(self.numbers)

    @property
    def bad_numbers(self) -> set[str]:
        """The numbers that make shared calls fail, either individually or in combination with a second number."""
        if self.outage or not self._failed:
            return set()
        groups = [set(numbers) for numbers in self._failed]
        smallest = [numbers for numbers in self._failed if not any(group < set(numbers) for group in groups)]
        parts = [part for numbers in smallest for part in _halves(numbers) or [numbers]]
        return {part[0] for part in parts if len(part) == 1}

    # ---------------------------------------------------------------- the claims, one by one

    def tracking_of(self, parcel: ParcelQuery) -> Delivery | Failure | None:
        """The result of the shared calls for a claim's parcel, or None if the parcel needs its own call."""
        return self.tracking.get(parcel.number, self.outage) if parcel.delivery is None else None

    def is_skipped(self, parcel: ParcelQuery) -> bool:
        """Return whether no call was made for this claim because the carrier is down."""
        return self.outage is not None and parcel.delivery is None and parcel.number not in self.tracking

    def closed_for(self, parcel: ParcelQuery) -> Failure | None:
        """Return why the carrier is no longer called, or None if the claim needs no further call or may make one."""
        result = self.tracking_of(parcel)
        is_complete = isinstance(result, Failure) and not result.closes_carrier
        return None if is_complete else self.closed


def _halves(numbers: Numbers) -> list[Numbers]:
    """The two halves, the larger half first; an empty list for a single number."""
    middle = (len(numbers) + 1) // 2
    return [numbers[:middle], numbers[middle:]] if len(numbers) > 1 else []


# ---------------------------------------------------------------- the queue


class APIRequestQueue(AccountGate):
    """Grants and makes calls to carriers. If a carrier asks us to wait, the pause applies to all processes."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        quota: QuotaTables,
        clock: Clock,
        *,
        redact: Redactor | None = None,
        minute: Minute = str,
        concurrency: int | None = None,
        carrier_concurrency: int | None = None,
    ) -> None:
        """`concurrency`: maximum calls in progress; `carrier_concurrency`: the same per account. None: no limit."""
        super().__init__(accounts, quota, clock, minute)
        self._redact = redact or Redactor(())
        self._turns: dict[str, Turns] = {}  # by account
        self._slots = threading.Semaphore(concurrency) if concurrency else None
        self._slots_of: dict[str, threading.Semaphore] = {}  # by account
        self._carrier_concurrency = carrier_concurrency

    # ---------------------------------------------------------------- granting

    def reserve(
        self,
        key: str,
        fetches: Sequence[CallBudget],
        *,
        urgent: CallBudget | None = None,
        may_continue: MayContinue = lambda: True,
    ) -> tuple[list[Reservation], Refusal | None]:
        """Reserve units for as many of the fetches as possible, in order, and return why the others get none.

        Part of a day's quota is kept for the `urgent` calls of the other worker; see `kept_for_others`.
        `may_continue` is called while a call waits for a short window. If it returns False, the call is not made.
        """
        urgent = urgent or {}
        if refusal := self.closed(key):
            return [], refusal
        budgets = list(fetches)
        if budgets and (setup_calls := self.setup_calls(key)):
            # Setup calls, such as the token call, are added to the first fetch.
            budgets[0] = dict(Counter(budgets[0]) + Counter(setup_calls))
        for _ in range(_MAX_ROUNDS):
            reserved = self._reserve_units(key, budgets, urgent, may_continue) if budgets else []
            if not isinstance(reserved, Exhausted):
                return reserved, refusal
            fitting = reserved.fitting(budgets)
            if len(fitting) < len(
                budgets
            ):  # otherwise units were returned in the meantime, so the next round succeeds
                refusal = self._refuse_at_limit(key, reserved, budgets[len(fitting)], urgent)
            budgets = fitting
        reason = f"{self._accounts[key].name} is being called by many runs at once"
        return [], Refusal(Blocked.RATE_LIMIT, reason, passing=True)

    def _reserve_units(
        self, key: str, fetches: Sequence[CallBudget], urgent: CallBudget, may_continue: MayContinue
    ) -> list[Reservation] | Exhausted:
        account = self._accounts[key]
        now = self._clock.now()
        requests: list[QuotaRequest] = []
        for limit in account.limits:
            units = sum(limit.units(calls) for calls in fetches)
            if units and not limit.window.is_short:
                requests.append(QuotaRequest(limit, units, kept_for_others(limit, urgent, now)))
        reserved = self._quota.reserve(requests, now)
        if isinstance(reserved, Exhausted):
            return reserved
        slots = [self._slots] if self._slots else []
        if self._carrier_concurrency:
            fresh = threading.Semaphore(self._carrier_concurrency)
            slots.insert(0, self._slots_of.setdefault(key, fresh))
        reservations: list[Reservation] = []
        for calls in fetches:
            units_of = {window: window.limit.units(calls) for window in reserved}
            reservations.append(
                QuotaReservation(self._quota, self._clock, account, units_of, may_continue, slots)
            )
        return reservations

    def _refuse_at_limit(self, key: str, short: Exhausted, calls: CallBudget, urgent: CallBudget) -> Refusal:
        """The refusal of a fetch. It is temporary if this run's own reserved units would be enough, once returned."""
        limit = short.limit
        needed = limit.units(calls)
        now = self._clock.now()
        for_others = kept_for_others(limit, urgent, now)
        if short.at_best < needed <= short.at_best + for_others:
            name = self._accounts[key].name
            reason = f"{name} has calls left only for more urgent claims ({limit})"
            return Refusal(Blocked.RATE_LIMIT, reason, kept_until(limit, now), reserved=True)
        return self._limit_reached(key, limit, short.resets_at, passing=short.at_best >= needed)

    def leave(self) -> None:
        """Return the run's reserved units, and leave its unused attempts with refused accounts to the next run."""
        self.refusals.leave()
        self._quota.leave()
        self._quota.forget_short_windows(self._clock.now())

    # ---------------------------------------------------------------- calls about claims

    def fetch_bundle(
        self,
        reservations: Sequence[Reservation],
        key: str,
        parcels: Sequence[ParcelQuery],
        may_continue: MayContinue = lambda: True,
    ) -> Generator[CarrierAnswer, None, None]:
        """Fetch several claims, one reservation each, and at most as many as the carrier can track with one call.

        Yields one answer per claim, in order, as soon as it is known. Each reservation is released after its claim's
        answer, and all of them when the iterator is closed. If the carrier asks us to wait or rejects our account, no
        more calls are made for the remaining claims, and their answers have the same reason. If `may_continue` (see
        `reserve`) stops a claim's first call, the bundle ends before that claim. If our account is refused, one more
        call may test whether the account or the parcel is the reason. If a client's account is denied a parcel, the
        default account is used too, with its own units, as long as `may_continue` returns True. Raises only internal
        errors of recours; the remaining claims are then not processed.
        """
        bundle = Bundle(parcels)
        try:
            for reservation, parcel in zip(reservations, parcels, strict=True):
                fetched = self._fetch_one(_Fetch(key, reservation), parcel, bundle, may_continue)
                outcome = fetched.outcome
                if outcome.kind is ErrorKind.ACCESS_DENIED and carrier_of(key) != key:
                    fetched = self._ask_default_account(key, parcel, fetched, may_continue)
                    outcome = fetched.outcome
                if isinstance(outcome, Failure) and outcome.closes_carrier:
                    bundle.closed = outcome
                yield fetched
        except CalledOffError:
            return
        finally:
            for reservation in reservations:
                reservation.release()

    def _fetch_one(
        self, fetch: _Fetch, parcel: ParcelQuery, bundle: Bundle, may_continue: MayContinue = lambda: True
    ) -> CarrierAnswer:
        """Process one claim of a bundle. The first claim that needs the shared calls makes them."""
        key = fetch.key
        turns = self._turns.setdefault(key, Turns(self, key, self._accounts[key]))
        fetch.reservation = waiting = WaitingReservation(fetch.reservation, turns)
        try:
            outcome = self._checked_before(fetch, bundle) if parcel is bundle.parcels[0] else None
            outcome = outcome or self._outcome(fetch, parcel, bundle, may_continue)
        finally:
            waiting.answered()
            waiting.release()
        return CarrierAnswer(
            outcome,
            fetch.calls,
            fetch.unsent,
            accepted=fetch.accepted,
            was_asked=fetch.calls + fetch.unsent > 0 or not bundle.is_skipped(parcel),
            fails_bundles=parcel.delivery is None and parcel.number in bundle.bad_numbers,
            shows_outage=bundle.outage is not None and fetch.calls > 1,
        )

    def _outcome(
        self, fetch: _Fetch, parcel: ParcelQuery, bundle: Bundle, may_continue: MayContinue
    ) -> Outcome:
        has_shared = False
        while may_continue() and (numbers := bundle.next_call(parcel)):
            self._track(fetch, numbers, bundle)
            has_shared = True
        if has_shared:
            self._log_failures(fetch.key, bundle)
        tracking = bundle.tracking_of(parcel)
        if closed := bundle.closed_for(parcel):
            delivery = tracking if isinstance(tracking, Delivery) else parcel.delivery
            answer = _Answer(closed, delivery, closed.retry_at)
            return make_outcome(closed, self._case(fetch.key, answer, parcel))

        def ask(client: Client, session: CarrierSession) -> Outcome:
            if tracking is None:
                return client.fetch(parcel.number, parcel.delivery, session)
            return client.fetch_tracked(parcel.number, tracking, session)

        answer = self._ask(fetch, ask, parcel.earliest)
        if answer.refusal:
            case = self._refused_case(fetch, answer, answer.refusal, parcel)
        else:
            case = self._case(fetch.key, self._noted(fetch.key, answer), parcel)
        return make_outcome(answer.outcome, case)

    def _ask(self, fetch: _Fetch, ask: Ask, earliest: datetime | None = None) -> _Answer:
        """Make one request and record its calls. `earliest`: see `ParcelQuery`."""
        client, session = self._open_session(fetch)
        session.earliest = earliest
        session.delivery = fetch.delivery
        presented = True
        try:
            outcome = ask(client, session)
            if outcome.delivery:
                session.delivery_known(outcome.delivery)
        except CallError as failed:
            outcome = _failure(failed, session)
            presented = not isinstance(failed, NotPresentedError)
        account = self._accounts[fetch.key]
        answer = _Answer(
            outcome,
            outcome.delivery or session.delivery,
            outcome.retry_at,
            frozenset(map(account.right, session.accepted)),
            account.right(session.last),
            presented,
        )
        fetch.count(session, accepted=bool(answer.accepted) and not answer.refusal)
        return answer

    def _open_session(self, fetch: _Fetch) -> "tuple[Client, HttpSession]":
        account = self._accounts[fetch.key]
        if account.client is None:
            raise RuntimeError(f"{fetch.key} was called without credentials")
        return account.client, account.open_session(fetch.reservation, account.client)

    def _case(self, key: str, answer: _Answer, parcel: ParcelQuery) -> Case:
        """The context of a request about a parcel, from which `make_outcome` explains the answer."""
        account = self._accounts[key]
        return Case(
            carrier=account.spec.name,
            client=account.client_address,
            source=account.source,
            mask=self._mask(key),
            delivery=answer.delivery,
            is_assumed=parcel.delivery is not None and parcel.delivery.is_assumed,
            is_mistyped=account.spec.is_doubtful(parcel.number),
            retry_at=answer.retry_at,
        )

    def _mask(self, key: str) -> Callable[[str], str]:
        """A function that redacts this account's secrets, which an answer may repeat."""
        client = self._accounts[key].client
        tokens = client.secrets() if client else ()
        if not tokens:
            return self._redact
        redact_tokens = Redactor(tokens)
        return lambda text: redact_tokens(self._redact(text))

    def _noted(self, key: str, answer: _Answer) -> _Answer:
        """Store the effects of an answer on all claims of the carrier, for all processes. Return the updated answer."""
        outcome = answer.outcome
        # Do not lose a proof if the acceptance cannot be stored: the next answer will show the acceptance again.
        with suppress(RunError) if isinstance(outcome, Retrieved) else nullcontext():
            if answer.accepted:
                self.refusals.note_accepted(key, answer.accepted, proven=answer.is_proof_of_rights)
            if answer.grants_documents:
                self.refusals.note_documents_granted(key, with_document=isinstance(outcome, Retrieved))
        if isinstance(outcome, Retrieved) or outcome.http_status is None:  # our own quota
            return answer
        if outcome.kind is not ErrorKind.RATE_LIMITED and outcome.retry_at is None:
            return answer
        now = self._clock.now()
        until = pause_until(outcome.retry_at, now)
        reason = self._mask(key)(outcome.message)
        if outcome.kind is ErrorKind.RATE_LIMITED:
            self._quota.pause(key, until, reason, now)
        else:  # unavailable for every account
            self._quota.pause_carrier(carrier_of(key), until, reason, now)
        return answer._replace(retry_at=until)

    # ---------------------------------------------------------------- calls that several claims share

    def _track(self, fetch: _Fetch, numbers: Numbers, bundle: Bundle) -> None:
        """Make a shared call for claims of a bundle."""
        key = fetch.key
        client, session = self._open_session(fetch)
        session.repeats = False  # a failed call is repeated as calls about its halves
        answer: Tracking | Failure | None
        try:
            answer = client.track_many(numbers, session)
        except CallError as failed:
            answer = _failure(failed, session)
        except (RunError, ImportError, CalledOffError):
            raise
        except Exception:  # the parcel that causes the error raises it again in its own call
            name = self._accounts[key].name
            log.exception(f"{name}: an internal error in a call about several parcels")
            answer = None
        finally:
            fetch.count(session)
        if isinstance(answer, Failure) and answer.kind in REFUSED_KINDS:
            refused = _Answer(answer, last=self._accounts[key].right(session.last))
            blamed, _ = self._blamed(fetch, refused, answer.kind, None)
            if blamed is Blame.ACCOUNT:
                case = self._case(key, refused, bundle.parcels[0])
                bundle.closed = make_outcome(answer, self._closing(key, answer, case, None))
            answer = None
        bundle.note_tracking(numbers, answer)

    def _log_failures(self, key: str, bundle: Bundle) -> None:
        """Log failed shared calls. Otherwise, a carrier that always rejects them would waste calls unnoticed."""
        name = self._accounts[key].name
        parcels = plural(len(bundle.numbers), "parcel")
        if bad_numbers := len(bundle.bad_numbers):
            why = f" ({self._mask(key)(bundle.failure.message)})" if bundle.failure else ""
            log.warning(
                f"{name} failed on a call about {parcels}{why}. Smaller calls were made instead, "
                f"and {bad_numbers} of these parcels will be tracked one by one from now on"
            )
        elif unanswered := len(bundle.unanswered):
            log.warning(
                f"{name} did not answer for {unanswered} of {parcels} in one call; the unanswered parcels are tracked one by one"
            )

    # ---------------------------------------------------------------- parcels that a client's account may not see

    def _ask_default_account(
        self, key: str, parcel: ParcelQuery, denied: CarrierAnswer, may_continue: MayContinue
    ) -> CarrierAnswer:
        """Use the default account for a parcel that a client's account was denied, if its quota has calls left.

        If no call is left, or the carrier asks us to wait, no attempt is used. The claim is fetched with the default
        account from now on. The denial remains if the default account must not be used or is denied the parcel too.
        """
        default = carrier_of(key)
        delivery = denied.outcome.delivery
        parcel = parcel._replace(delivery=delivery or parcel.delivery)
        calls = self._accounts[default].spec.calls_for(parcel.delivery)
        reservations, refusal = self.reserve(default, [calls], may_continue=may_continue)
        if refusal and refusal.why is Blocked.CARRIER:
            return denied
        fetched = None
        with suppress(CalledOffError):  # raised if the run ends while the call waits for a short window
            for reservation in reservations:
                fetched = self._fetch_one(_Fetch(default, reservation, delivery), parcel, Bundle([parcel]))
        outcome = fetched.outcome if fetched else None
        remember: int | None = DEFAULT_ACCOUNT
        if outcome and outcome.kind in _NO_ACCESS_KINDS:
            outcome = denied.outcome
            remember = None
        elif outcome is None or outcome.kind is ErrorKind.RATE_LIMITED:
            name = self._accounts[key].name
            message = f"{name} denied this parcel, and our own account can take no call now; recours will use it next"
            carrier = self._accounts[default].name
            limit = Failure.of(Sentence.LIMIT_REACHED, carrier, message=message, claim_only=True)
            outcome = make_outcome(limit, self._case(default, _Answer(limit, delivery), parcel))
        if fetched is None:
            return replace(denied, outcome=outcome, remember=remember)
        return replace(
            denied,
            outcome=outcome,
            calls=denied.calls + fetched.calls,
            unsent=denied.unsent + fetched.unsent,
            account=DEFAULT_ACCOUNT,
            remember=remember,
        )

    # ---------------------------------------------------------------- refusals of our account

    def check_credentials(self, key: str, number: str | None = None) -> CarrierAnswer | Refusal:
        """Test our account now, even if it was refused before. If it is accepted, lift the refusal.

        The call is about `number`, or else about the sample number. Limits, and pauses by the carrier or a person,
        still apply.
        """
        state = self.state(key)
        if refusal := (self._stopped(key, state) or self.unconfigured(key) or self._paused(key, state)):
            return refusal
        self.refusals.try_now(key, state.account)
        spec = self._accounts[key].spec
        reservations, refused = self.reserve(key, [spec.calls_for(None)])
        if refused:
            return refused
        fetch = _Fetch(key, reservations[0])
        if number:
            parcel = ParcelQuery(number, None)
            fetched = self._fetch_one(fetch, parcel, Bundle([parcel]))
        else:
            try:
                check = self._check(fetch)
                outcome = make_outcome(check.outcome, self._case_of_check(key, check))
            finally:
                fetch.reservation.release()
            fetched = CarrierAnswer(outcome, fetch.calls, fetch.unsent, accepted=fetch.accepted)
        if fetched.accepted:  # lift any refusal, even about rights, because a person asked for this test
            self.refusals.note_accepted(key, (), proven=True)
            self.refusals.note_documents_granted(key, with_document=False)
        return fetched

    def _check(self, fetch: _Fetch) -> _Answer:
        """Test our account with the sample number. Uses the reservation's units, or other available units."""
        check = self._ask(fetch, lambda client, session: client.check_credentials(session))
        return check if check.refusal else self._noted(fetch.key, check)

    def _case_of_check(self, key: str, check: _Answer) -> Case:
        """The context of a check's answer. If the check was refused, close our account for all processes."""
        case = self._case(key, check, ParcelQuery(self._accounts[key].spec.sample_number, None))
        return self._closing(key, check.refusal, case, None) if check.refusal else case

    def _checked_before(self, fetch: _Fetch, bundle: Bundle) -> Outcome | None:
        """Check the credentials if these claims must not be used to test a refused account; see `awaits_check`.

        Returns a failure if the account is not accepted; the claims are then not fetched.
        """
        key = fetch.key
        earlier = self.refusals.awaits_check(key, {parcel.claim for parcel in bundle.parcels})
        if earlier is None:
            return None
        check = self._check(fetch)
        if isinstance(check.outcome, Retrieved) or check.shows_account:
            return None
        case = replace(self._case_of_check(key, check), delivery=None)
        if TRAITS[check.outcome.kind].uses_attempt:
            case = replace(case, unchecked=earlier.kind, retry_at=None)
        return make_outcome(check.outcome, case)

    def _refused_case(self, fetch: _Fetch, answer: _Answer, failure: Failure, parcel: ParcelQuery) -> Case:
        """Decide whether a refusal concerns our account or only the parcel. Return the context with this decision."""
        key = fetch.key
        case = self._case(key, answer, parcel)
        blamed, closed_by = self._blamed(fetch, answer, failure.kind, parcel.claim)
        if blamed is Blame.ACCOUNT:
            return self._closing(key, failure, case, closed_by)
        if answer.accepted:  # shown by another call of the same fetch
            self.refusals.note_accepted(key, answer.accepted, proven=False)
        words = case.mask(failure.explanation.words) if failure.explanation else ""
        now = self._clock.now()
        if blamed is Blame.DOCUMENTS and self.refusals.note_documents_refused(key, words):
            # The next document call is made for another claim.
            refusal = self.why_no_documents(key)
            return replace(case, blame=blamed, documents=refusal, retry_at=now + SAME_CLAIM_AFTER)
        if blamed is Blame.CLAIM_LATER:
            return replace(case, blame=blamed, retry_at=now + DEFERRAL)
        return replace(case, blame=Blame.CLAIM, retry_at=None)

    def _blamed(self, fetch: _Fetch, answer: _Answer, kind: ErrorKind, claim: Any) -> tuple[Blame, Any]:
        """The cause of a refusal, and the claim to store as its origin if the account is closed.

        Checks the credentials if the cause is unclear. `claim`: None if the call was about several claims.
        """
        blamed = self.refusals.blame(fetch.key, kind, claim, answer.last, answer.accepted)
        if blamed is not Blame.UNCLEAR:
            return blamed, claim
        check = self._check(fetch)
        is_refused = check.refusal is not None
        blamed = self.refusals.blame_after_check(
            fetch.key, claim, answer.last, accepted=check.shows_account, refused=is_refused
        )
        return blamed, None if check.refusal else claim

    def _closing(self, key: str, failure: Failure, case: Case, claim: Any) -> Case:
        """Close our account for all processes. `claim`: the claim whose call was refused; None: several, or a check."""
        reason = refusal_text(failure, case)
        until = self.refusals.note_refused(key, failure.kind, reason, claim)
        return replace(case, blame=Blame.ACCOUNT, retry_at=until)


def _failure(error: CallError, session: "HttpSession") -> Failure:
    """The failure of a call. If another fetch's token call failed, it becomes the session's last call."""
    if isinstance(error, NoTokenError):
        session.last = Capability.TOKEN
    return error.failure
