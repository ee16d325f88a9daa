"""`APIRequestQueue`, the only way to a carrier: it grants calls, or says when one will be free.

Both workers and every machine share it exactly, since its counts live in the database. Its unit is the account: `key` is that
of an account, see `recours.core.accounts`.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from recours.carriers.bundle import Bundle, Numbers, Tracking
from recours.carriers.client import KNOWS_PARCEL, Client, with_delivery
from recours.carriers.message import CarrierSession
from recours.carriers.refusals import (
    DocumentCalls,
    FirstAnswer,
    NotPresentedError,
    Refusals,
    WaitingReservation,
)
from recours.carriers.reservation import Account, CalledOffError, QuotaReservation
from recours.core.accounts import HOUSE, account_name, carrier_of
from recours.core.actions import authored
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.errors import NO_DOCUMENT_KINDS, REFUSED_KINDS, TRAITS, ErrorKind, RunError
from recours.core.outcome import CallError, Failure, NoTokenError, Outcome, Retrieved
from recours.core.pauses import (
    PUT_OFF,
    SAME_CLAIM_AFTER,
    AccountState,
    Blame,
    Blocked,
    CarrierState,
    DocumentRight,
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
    kept_for_others,
    kept_until,
)
from recours.core.sentences import MISTYPED, OF_CLIENT, Said, Sentence, carrier_message, sentence
from recours.core.text import Minute, Redactor, plural
from recours.database.quota import QuotaTables
from recours.runs.log import log
from recours.runs.ports import Asked, Clock, Fetched, Reservation

if TYPE_CHECKING:
    from recours.carriers.http import HttpSession

_OF_THE_NUMBER = frozenset({ErrorKind.NOT_FOUND, ErrorKind.INVALID_TRACKING})

# Answers to the house's account after which the denial to the client's stands.
_SEES_NOTHING = REFUSED_KINDS | {ErrorKind.ACCESS_DENIED, ErrorKind.NOT_FOUND}

# Each limit may allow fewer of the fetches, and others take and give back in between.
_MOST_TRIES = 8


Ask = Callable[[Client, CarrierSession], Outcome]


@dataclass
class _Fetch:
    """What is asked for one claim with one account, and what it took."""

    key: str
    reservation: Reservation
    calls: int = 0  # that were sent
    unsent: int = 0
    accepted: bool = False  # an answer showed that our account is good, unless it was a refusal

    def count(self, session: "HttpSession", *, accepted: bool = False) -> None:
        self.calls += session.calls
        self.unsent += session.unsent
        self.accepted = self.accepted or accepted


@dataclass(frozen=True)
class _Answer:
    """How one question to a carrier ended, its outcome without secrets."""

    outcome: Outcome
    accepted: frozenset[Capability] = frozenset()  # the rights for which answers have accepted our account
    last: Capability = Capability.TRACKING  # the right that the last call was for
    presented: bool = True  # False: while a call waited to present our account, another's answer closed it

    @property
    def refused(self) -> bool:
        """Tell whether our account was."""
        return self.presented and isinstance(self.outcome, Failure) and self.outcome.kind in REFUSED_KINDS

    @property
    def is_proof_of_rights(self) -> bool:
        """Tell whether it is what only an account gets that may use the service: it tells of a parcel."""
        outcome = self.outcome
        tells_of_parcel = (
            isinstance(outcome, Retrieved) or outcome.delivery is not None or outcome.kind in KNOWS_PARCEL
        )
        return tells_of_parcel and bool(self.accepted)

    @property
    def grants_documents(self) -> bool:
        """Tell whether a document call was answered as for an account that has the right to documents."""
        is_grant = isinstance(self.outcome, Retrieved) or self.outcome.kind in NO_DOCUMENT_KINDS
        return is_grant and self.last is Capability.POD and Capability.POD in self.accepted


class APIRequestQueue:
    """Grants calls to carriers, makes them, and remembers for all processes what the carriers ask for."""

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
        """`accounts`: by their keys; a client's may be made when it is first asked for, and they are never all gone through.

        `minute`: a time as people have it, with its zone. `concurrency`: how many calls may be under way at once;
        `carrier_concurrency`: with one account; None: any number.
        """
        self._accounts = accounts
        self._quota = quota
        self._clock = clock
        self._redact = redact or Redactor(())
        self._minute = minute
        self._refusals = Refusals(accounts, quota, clock)
        self._first_answers: dict[str, FirstAnswer] = {}
        self._document_calls: dict[str, DocumentCalls] = {}
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
        go_on: Callable[[], bool] = lambda: True,
    ) -> tuple[list[Reservation], Refusal | None]:
        """Take the units of as many fetches as can be had, in their order, and say why not for the rest.

        Of a day's quota the `urgent` calls are left to the other worker, see `kept_for_others`.
        `go_on` is asked while a call waits for a short window: if it says no, the call is not made.
        """
        urgent = urgent or {}
        if refusal := self.closed(key):
            return [], refusal
        budgets = list(fetches)
        if budgets and (setup_calls := self.setup_calls(key)):
            # The calls before all fetches, such as that for a token, are counted with the first one.
            budgets[0] = dict(Counter(budgets[0]) + Counter(setup_calls))
        for _ in range(_MOST_TRIES):
            reserved = self._reserve_units(key, budgets, urgent, go_on) if budgets else []
            if not isinstance(reserved, Exhausted):
                return reserved, refusal
            fitting = reserved.fitting(budgets)
            if len(fitting) < len(budgets):  # else units came back in between: the same again
                refusal = self._at_limit(key, reserved, budgets[len(fitting)], urgent)
            budgets = fitting
        return [], Refusal(Blocked.RATE_LIMIT, f"{self._name(key)} is asked by many at once", passing=True)

    def _reserve_units(
        self, key: str, fetches: Sequence[CallBudget], urgent: CallBudget, go_on: Callable[[], bool]
    ) -> list[Reservation] | Exhausted:
        account, now = self._accounts[key], self._clock.now()
        requests = [
            QuotaRequest(limit, units, kept_for_others(limit, urgent, now))
            for limit in account.limits
            if not limit.window.is_short and (units := sum(limit.units(calls) for calls in fetches))
        ]
        reserved = self._quota.reserve(requests, now)
        if isinstance(reserved, Exhausted):
            return reserved
        slots = self._slots_for(key)
        return [
            QuotaReservation(
                self._quota,
                self._clock,
                account,
                {each: each.limit.units(calls) for each in reserved},
                go_on,
                slots,
            )
            for calls in fetches
        ]

    def _slots_for(self, key: str) -> Sequence[threading.Semaphore]:
        """What bounds the calls under way with an account."""
        slots = [self._slots] if self._slots else []
        if self._carrier_concurrency:
            fresh = threading.Semaphore(self._carrier_concurrency)
            slots.insert(0, self._slots_of.setdefault(key, fresh))
        return slots

    def _at_limit(self, key: str, short: Exhausted, calls: CallBudget, urgent: CallBudget) -> Refusal:
        """The refusal of a fetch; it passes if the units that this run holds would be enough."""
        limit, needed, now = short.limit, short.limit.units(calls), self._clock.now()
        kept = kept_for_others(limit, urgent, now)
        if short.at_best < needed <= short.at_best + kept:
            reason = f"{self._name(key)} has only calls left that are kept for more urgent claims ({limit})"
            return Refusal(Blocked.RATE_LIMIT, reason, kept_until(limit, now), reserved=True)
        return self._limit_reached(key, limit, short.resets_at, passing=short.at_best >= needed)

    def _limit_reached(self, key: str, limit: Limit, until: datetime, *, passing: bool = False) -> Refusal:
        reason = f"{self._name(key)} is at its limit ({limit})"
        said = self._said(key, Sentence.LIMIT_REACHED)
        return Refusal(Blocked.RATE_LIMIT, reason, until, passing=passing, said=said)

    def _name(self, key: str) -> str:
        return self._accounts[key].name

    def _said(self, key: str, what: Sentence, words: str = "") -> Said:
        """A sentence about an account."""
        account = self._accounts[key]
        return Said(what, account.spec.name, words, account.whose)

    def client_of(self, key: str) -> str:
        """The address of the client whose account it is; "": it is the house's."""
        return self._accounts[key].whose

    def closed(self, key: str) -> Refusal | None:
        """Why the account can take no call at all now, whatever its quota."""
        state, now = self._quota.carrier_state(key), self._clock.now()
        return (
            self._stopped(key, state)
            or self.unconfigured(key)
            or self._paused(key, state, now)
            # Our account was refused, and neither changed nor waited long enough.
            or (
                self._refused(key, state.account) if self._refusals.keeps_closed(key, state.account) else None
            )
        )

    def would_refuse(self, key: str, *, for_document: bool = False) -> Refusal | None:
        """Like `closed`, and a used-up quota too; looks only, and takes no try that is due.

        `for_document`: of a claim for which only the document is missing.
        """
        for refusal in self._closings(key, self._quota.carrier_state(key)):
            return refusal
        for use in self.usage(key):
            if not use.limit.window.is_short and not use.left:
                return self._limit_reached(key, use.limit, use.resets_at)
        return self.documents(key) if for_document else None

    def closings_of(self, keys: Collection[str]) -> dict[str, list[Refusal]]:
        """Every reason for which these accounts take no call now, whatever their quota; looks only, like `would_refuse`."""
        return {key: self._closings(key, state) for key, state in self._quota.carrier_states(keys).items()}

    def _closings(self, key: str, state: CarrierState) -> list[Refusal]:
        now, account = self._clock.now(), state.account
        waits = account.refusals and lasts(account.refused_until, now)
        refused = waits and not self._refusals.has_new_credentials(key, account)
        of_account = self._paused(key, state, now), self._refused(key, account) if refused else None
        missing = self.unconfigured(key)
        refusals = self._stopped(key, state), *((missing,) if missing else of_account)
        return [refusal for refusal in refusals if refusal]

    def setup_calls(self, key: str) -> CallBudget:
        """The calls that the first fetch of a run needs before its own, such as that for a token."""
        client = self._accounts[key].client
        return client.setup_calls(self._clock.now()) if client else {}

    def _stopped(self, key: str, state: CarrierState) -> Refusal | None:
        """No mail is sent: the person who stopped it knows."""
        stop = state.stopped or state.own_stop
        if stop is None:
            return None
        label = "" if state.stopped else self.client_of(key)
        reason = stop_message(self._accounts[key].spec, stop, self._minute(stop.at), label)
        return Refusal(Blocked.CARRIER, reason, stopped=True)

    def _paused(self, key: str, state: CarrierState, now: datetime) -> Refusal | None:
        if not (pause := state.pause_at(now)):
            return None
        reason = pause.reason or f"{self._name(key)} asked us to wait"
        return Refusal(Blocked.RATE_LIMIT, reason, pause.until)

    def _refused(self, key: str, account: AccountState) -> Refusal:
        is_denied = account.kind is ErrorKind.ACCOUNT_DENIED
        what = Sentence.SERVICE_DENIED if is_denied else Sentence.CREDENTIALS_REJECTED
        reason = account.refusal or sentence("en", self._said(key, Sentence.CREDENTIALS_REJECTED))
        said = self._said(key, what, carrier_message(reason))
        return Refusal(Blocked.CARRIER, reason, account.refused_until, kind=account.kind, said=said)

    def unconfigured(self, key: str) -> Refusal | None:
        """A refusal if the account's credentials are missing, or cannot be opened."""
        account = self._accounts[key]
        if account.client is not None:
            return None
        said = self._said(key, Sentence.NOT_CONFIGURED, account.missing)
        reason = f"{account.spec.name} has no credentials: set {account.missing}"
        if account.whose:
            reason = f"The {account.spec.name} account of {account.whose} cannot be used: {account.missing}"
        return Refusal(Blocked.CARRIER, reason, kind=ErrorKind.NOT_CONFIGURED, said=said)

    # ---------------------------------------------------------------- calling

    def fetch(
        self, reservation: Reservation, key: str, number: str, known: Delivery | None, claim: Any = None
    ) -> Fetched:
        """Ask the carrier about one claim, with no other account than this one. See `fetch_bundle`."""
        with closing(self._bundle([reservation], key, [Asked(number, known, claim)])) as fetched:
            return next(fetched)

    def fetch_bundle(
        self,
        reservations: Sequence[Reservation],
        key: str,
        asked: Sequence[Asked],
        go_on: Callable[[], bool] = lambda: True,
    ) -> Generator[Fetched, None, None]:
        """Ask the carrier about several claims, one grant each, at most as many as it tracks with one call.

        Yields one answer for each, in their order, as soon as it is known. A grant is settled with its claim's answer;
        all are when the iterator is closed. What the carrier asks for or refuses then holds for the rest of the bundle,
        which is called for no more. It ends before the claim whose first call `go_on` (see `reserve`) called off.
        Where our account is refused, one more call may tell whose that is. About a parcel that is denied to a client's
        account the house's is asked as well, with units of its own, as long as `go_on` says so.
        Raises what is recours's own fault only: the rest was not asked about.
        """
        most = self._accounts[key].spec.numbers_per_call
        if len(asked) > most:
            raise ValueError(f"{key} tracks {most} numbers with one call, not {len(asked)}")
        at_house = partial(self._at_house, key, go_on) if carrier_of(key) != key else None
        return self._bundle(reservations, key, asked, at_house, go_on)

    def _bundle(
        self,
        reservations: Sequence[Reservation],
        key: str,
        asked: Sequence[Asked],
        at_house: Callable[[Asked, Fetched, Failure], Fetched] | None = None,
        go_on: Callable[[], bool] = lambda: True,
    ) -> Generator[Fetched, None, None]:
        """`at_house`: asks the house's account about a parcel that is denied to this one."""
        bundle = Bundle(asked)
        try:
            for place, (reserved, parcel) in enumerate(zip(reservations, asked, strict=True)):
                with self._after_first_answer(key, reserved) as reservation:
                    fetch = _Fetch(key, reservation)
                    unchecked = self._checked_before(fetch, bundle) if place == 0 else None
                    outcome = unchecked or self._outcome(fetch, parcel, bundle, go_on)
                outcome = self._of_whose(key, outcome)
                fetched = Fetched(
                    outcome,
                    fetch.calls,
                    fetch.unsent,
                    accepted=fetch.accepted,
                    asked=fetch.calls + fetch.unsent > 0 or not bundle.is_skipped(parcel),
                    upsets=parcel.known is None and parcel.number in bundle.upsetting,
                    shows_outage=bundle.outage is not None and fetch.calls > 1,
                )
                self._settle([reserved])
                if at_house and isinstance(outcome, Failure) and outcome.kind is ErrorKind.ACCESS_DENIED:
                    fetched = at_house(parcel, fetched, outcome)
                bundle.note_outcome(fetched.outcome)
                yield fetched
        except CalledOffError:
            return
        finally:
            self._settle(reservations)

    def _of_whose(self, key: str, outcome: Outcome) -> Outcome:
        """The outcome, whose sentence says our account or contract only where it is the house's."""
        if not (self._accounts[key].whose and isinstance(outcome, Failure)):
            return outcome
        said = outcome.said
        if said is None or said.key not in OF_CLIENT:
            return outcome
        of_client = replace(said, key=OF_CLIENT[said.key])
        ours, theirs = (sentence("en", replace(each, words="")) for each in (said, of_client))
        return replace(outcome, message=outcome.message.replace(ours, theirs), said=of_client)

    def _at_house(
        self, key: str, go_on: Callable[[], bool], parcel: Asked, denied: Fetched, denial: Failure
    ) -> Fetched:
        """Ask the house's account about a parcel that was denied to a client's, if it has calls now; none is waited for.

        If it has none now, no attempt is used, and the claim is asked with it from now on. So it is if its answer was none
        about the parcel. The denial stands where the house's account is not to be used, or does not see the parcel either.
        """
        house, known = carrier_of(key), denial.delivery or parcel.known
        calls = self._accounts[house].spec.calls_for(known)
        reservations, refusal = self.reserve(house, [calls], go_on=go_on)
        if refusal and refusal.why is Blocked.CARRIER:
            return denied
        fetched = None
        if reservations:
            with closing(self._bundle(reservations, house, [replace(parcel, known=known)])) as answers:
                fetched = next(answers, None)  # None: the run ends while the call waits for a short window
        answer = fetched.outcome if fetched else None
        if isinstance(answer, Failure) and answer.kind in _SEES_NOTHING:
            outcome, remember = denied.outcome, None
        elif answer is None or (isinstance(answer, Failure) and answer.kind is ErrorKind.RATE_LIMITED):
            outcome, remember = self._left_to_house(key, denial), HOUSE
        else:
            outcome, remember = with_delivery(answer, denial.delivery), HOUSE
        if fetched is None:
            return replace(denied, outcome=outcome, remember=remember)
        return replace(
            denied,
            outcome=outcome,
            calls=denied.calls + fetched.calls,
            unsent=denied.unsent + fetched.unsent,
            account=HOUSE,
            remember=remember,
        )

    def _left_to_house(self, key: str, denial: Failure) -> Failure:
        """The parcel is denied to a client's account, and the house's has no call for it now."""
        message = (
            f"{self._name(key)} denied this parcel, and our own account takes no call now; it is asked next"
        )
        name = self._name(carrier_of(key))
        left = Failure.of(Sentence.LIMIT_REACHED, name, message=message, delivery=denial.delivery)
        return replace(left, alone=True)

    @contextmanager
    def _after_first_answer(self, key: str, reservation: Reservation) -> Iterator[Reservation]:
        """A reservation whose calls that present our account wait until the first answer about it is known."""
        refusals, documents = self._refusals, None
        first = FirstAnswer(partial(refusals.accepted, key), partial(self.closed, key))
        first = self._first_answers.setdefault(key, first)
        if self._has_document_right(key):
            documents = DocumentCalls(
                partial(refusals.grants_documents, key),
                partial(refusals.count_document_call, key),
                partial(self._without_documents, key),
            )
            documents = self._document_calls.setdefault(key, documents)
        waiting = WaitingReservation(reservation, first, partial(self._presents_account, key), documents)
        try:
            yield waiting
        finally:
            waiting.answered()

    def _presents_account(self, key: str, what: Capability) -> bool:
        client = self._accounts[key].client
        return what is not Capability.TRACKING or client is None or client.tracking_shows_account

    def _has_document_right(self, key: str) -> bool:
        """Tell whether the right to documents is another one than that to track: the tracking tells nothing of it."""
        return self._presents_account(key, Capability.TRACKING)

    def _right(self, key: str, what: Capability | None) -> Capability:
        """The right that a call is made with: one for all, where the tracking presents no account."""
        has_one = what is Capability.POD and not self._has_document_right(key)
        return Capability.TRACKING if has_one or what is None else what

    def _without_documents(self, key: str, refused: Failure | None = None) -> Failure:
        """Why no document is asked for now; `refused`: because of this answer, whose claim is not the next to ask for."""
        refusal = self.documents(key) or self._documents_refusal(key, DocumentRight())
        at = refusal.until
        if refused is not None:
            at = self._clock.now() + SAME_CLAIM_AFTER
        status, delivery = (refused.http_status, refused.delivery) if refused else (None, None)
        return Failure(
            refusal.kind,
            refusal.reason,
            status,
            retry_at=at,
            delivery=delivery,
            alone=True,
            said=refusal.said,
        )

    def documents(self, key: str) -> Refusal | None:
        """Why the account gets no documents, `until` when no more are asked for, `since` when; None: it may get them."""
        right = self._refusals.documents(key)
        return self._documents_refusal(key, right) if right.refused_at else None

    def _documents_refusal(self, key: str, right: DocumentRight) -> Refusal:
        explanation = self._said(key, Sentence.DOCUMENTS_DENIED, right.words or "")
        return Refusal(
            Blocked.CARRIER,
            sentence("en", explanation),
            self._refusals.next_document_at(right),
            kind=ErrorKind.ACCOUNT_DENIED,
            said=explanation,
            since=right.refused_at,
        )

    @staticmethod
    def _settle(reservations: Sequence[Reservation]) -> None:
        for reservation in reservations:
            reservation.release()

    def _outcome(self, fetch: _Fetch, parcel: Asked, bundle: Bundle, go_on: Callable[[], bool]) -> Outcome:
        """The outcome of one claim of a bundle. The first claim that needs shared calls makes them, as long as `go_on` says so."""
        has_shared = False
        while go_on() and (numbers := bundle.next_call(parcel)):
            self._track(fetch, numbers, bundle)
            has_shared = True
        if has_shared:
            self._mention_failures(fetch.key, bundle)
        if failure := bundle.answer_without_call(parcel):
            return failure
        tracking = bundle.tracking_of(parcel)

        def ask(client: Client, session: CarrierSession) -> Outcome:
            if tracking is None:
                return client.fetch(parcel.number, parcel.known, session)
            return client.fetch_tracked(parcel.number, tracking, session)

        answer = self._ask(fetch, ask, parcel.earliest)
        return self._meant(fetch, parcel.number, answer, parcel.claim)

    def _track(self, fetch: _Fetch, numbers: Numbers, bundle: Bundle) -> None:
        """Make a call that claims of a bundle share."""
        key = fetch.key
        client, session = self._line(fetch)
        session.repeats = False  # the calls about its halves repeat it
        answer: Tracking | Failure | None
        try:
            answer = client.track_many(numbers, session)
        except CallError as failed:
            answer = _failure(failed, session)
        except (RunError, ImportError, CalledOffError):
            raise
        except Exception:  # the parcel that causes it is asked about in its turn, and causes it again
            log.exception(f"{self._name(key)}: an internal error in a call about several parcels")
            answer = None
        finally:
            fetch.count(session)
        if isinstance(answer, Failure):
            answer = cast("Failure", self._redacted(answer, client))
        if isinstance(answer, Failure) and answer.kind in REFUSED_KINDS:
            refused = _Answer(answer, last=self._right(key, session.last))
            blamed, _ = self._blamed(fetch, answer.kind, refused, None)
            if blamed is Blame.ACCOUNT:
                bundle.closed = self._closing(key, refused, None)
            answer = None
        bundle.note_tracking(numbers, answer)

    def _mention_failures(self, key: str, bundle: Bundle) -> None:
        """A carrier that does not take several numbers after all would else go unnoticed: it only costs more calls."""
        name, parcels = self._name(key), plural(len(bundle.numbers), "parcel")
        if upsetting := len(bundle.upsetting):
            why = f" ({bundle.failure.message})" if bundle.failure else ""
            log.warning(
                f"{name} failed on a call about {parcels}{why}: it was asked about fewer at once, "
                f"and is asked about {upsetting} of them alone from now on"
            )
        elif unanswered := len(bundle.unanswered):
            log.warning(
                f"{name} said nothing about {unanswered} of {parcels} in one call: each is asked about singly"
            )

    def check_credentials(self, key: str, number: str | None = None) -> Fetched | Refusal:
        """Present our account now, even if it was refused before, and lift the refusal if it is accepted.

        It asks about `number`, or about the sample number. Pauses of the carrier and of a person, and limits, hold.
        """
        state, now = self._quota.carrier_state(key), self._clock.now()
        if refusal := (self._stopped(key, state) or self.unconfigured(key) or self._paused(key, state, now)):
            return refusal
        self._refusals.try_now(key, state.account)
        spec = self._accounts[key].spec
        reservations, refused = self.reserve(key, [spec.calls_for(None)])
        if refused:
            return refused
        if number:
            fetched = self.fetch(reservations[0], key, number, None)
        else:
            fetched = self._check_credentials_alone(key, reservations[0])
        if fetched.accepted:  # whatever it was refused for: a person looks after it
            self._refusals.note_accepted(key, (), proven=True)
            self._refusals.note_documents_granted(key, came=False)
        return fetched

    def _check_credentials_alone(self, key: str, reservation: Reservation) -> Fetched:
        fetch = _Fetch(key, reservation)
        try:
            check = self._check(fetch)
            outcome = self._closing(key, check, None) if check.refused else check.outcome
            return Fetched(outcome, fetch.calls, fetch.unsent, accepted=fetch.accepted)
        finally:
            self._settle([reservation])

    def _ask(self, fetch: _Fetch, ask: Ask, earliest: datetime | None = None) -> _Answer:
        """Put one question, and note what it took. `earliest`: see `Asked`."""
        client, session = self._line(fetch)
        session.earliest = earliest
        presented = True
        try:
            outcome = ask(client, session)
            if outcome.delivery:
                session.delivery_known(outcome.delivery)
        except CallError as failed:
            outcome, presented = _failure(failed, session), not isinstance(failed, NotPresentedError)
        outcome = self._redacted(with_delivery(outcome, session.delivery), client)
        accepted = frozenset(self._right(fetch.key, what) for what in session.accepted)
        answer = _Answer(outcome, accepted, self._right(fetch.key, session.last), presented)
        fetch.count(session, accepted=bool(accepted) and not answer.refused)
        return answer

    def _line(self, fetch: _Fetch) -> "tuple[Client, HttpSession]":
        account = self._accounts[fetch.key]
        if account.client is None:
            raise RuntimeError(f"{fetch.key} was asked without credentials")
        return account.client, account.open_session(fetch.reservation)

    # ---------------------------------------------------------------- our account refused

    def _checked_before(self, fetch: _Fetch, bundle: Bundle) -> Failure | None:
        """Where our account is tried again, and one of these claims may not be tried with: a check goes before them.

        A failure if the account is not accepted: they are not asked about.
        """
        key = fetch.key
        awaited = (self._refusals.awaits_check(key, parcel.claim) for parcel in bundle.asked)
        before = next(filter(None, awaited), None)
        if before is None:
            return None
        check = self._check(fetch)
        if isinstance(check.outcome, Retrieved) or _knows_us(check):
            return None
        if check.refused:
            return self._closing(key, check, None)
        if not TRAITS[check.outcome.kind].uses_attempt:
            return check.outcome
        words = check.outcome.said.words if check.outcome.said else ""
        said = self._said(key, Sentence.CREDENTIALS_UNCHECKED, words)
        message = f"{sentence('en', replace(said, words=''))}: {check.outcome.message}"
        return Failure(before.kind, message, check.outcome.http_status, said=said)

    def _check(self, fetch: _Fetch) -> _Answer:
        """Present our account with the sample number, out of the reservation, or of more units if there are any."""
        check = self._ask(fetch, lambda client, session: client.check_credentials(session))
        if check.refused:
            return check
        sample = self._accounts[fetch.key].spec.sample_number
        return replace(check, outcome=self._remembered(fetch.key, check, sample))

    def _meant(self, fetch: _Fetch, number: str, answer: _Answer, claim: Any) -> Outcome:
        """What an answer about a parcel means: a refusal may be the parcel's alone."""
        key, failure = fetch.key, answer.outcome
        if not answer.refused or isinstance(failure, Retrieved):
            return self._remembered(key, answer, number)
        blamed, closed_by = self._blamed(fetch, failure.kind, answer, claim)
        if blamed is Blame.ACCOUNT:
            return self._closing(key, answer, closed_by)
        if answer.accepted:  # by another call of the same fetch
            self._refusals.note_accepted(key, answer.accepted, proven=False)
        words = failure.said.words if failure.said else ""
        if blamed is Blame.DOCUMENTS and self._refusals.note_documents_refused(key, words):
            return self._without_documents(key, failure)
        if blamed is Blame.CLAIM_LATER:
            message = (
                f"{failure.message} (for this parcel alone: {self._accounts[key].spec.name} gives others)"
            )
            return replace(failure, message=message, retry_at=self._clock.now() + PUT_OFF, alone=True)
        denial = Failure.of(Sentence.PARCEL_DENIED, self._accounts[key].spec.name, words or None)
        return replace(failure, kind=denial.kind, message=denial.message, said=denial.said, retry_at=None)

    def _blamed(self, fetch: _Fetch, kind: ErrorKind, answer: _Answer, claim: Any) -> tuple[Blame, Any]:
        """What is to blame for a refusal, and the claim to close the account with, if it closes; a check decides where it is unclear.

        `claim`: None: the call was about several.
        """
        blamed = self._refusals.blame(fetch.key, kind, claim, answer.last, answer.accepted)
        if blamed is not Blame.UNCLEAR:
            return blamed, claim
        check = self._check(fetch)
        blamed = self._refusals.blame_after_check(
            fetch.key, claim, answer.last, accepted=_knows_us(check), refused=check.refused
        )
        return blamed, None if check.refused else claim

    def _closing(self, key: str, answer: _Answer, claim: Any) -> Failure:
        """Our account was refused: it is closed for all processes. `claim`: whose call was; None: the sample number's."""
        if isinstance(answer.outcome, Retrieved):
            raise TypeError("a document is no refusal")
        account, failure = self._accounts[key], answer.outcome
        if account.whose and failure.said:
            said = replace(failure.said, client=account.whose)
            failure = replace(failure, message=sentence("en", said), said=said)
        failure = replace(failure, message=f"{failure.message} (credentials from {account.source})")
        return replace(failure, retry_at=self._refusals.note_refused(key, failure, claim))

    def _redacted(self, outcome: Outcome, client: Client) -> Outcome:
        """The outcome without secrets in any of the texts that came from the carrier."""
        tokens = Redactor(client.secrets())

        def harmless(text: str) -> str:
            return tokens(self._redact(text))

        def signed(delivery: Delivery) -> Delivery:
            names = ("signatory", "unknown", "place", "label")
            texts: dict[str, Any] = {
                name: harmless(text) for name in names if (text := getattr(delivery, name))
            }
            return replace(delivery, **texts)

        if isinstance(outcome, Retrieved):
            pieces = tuple(replace(piece, source=harmless(piece.source)) for piece in outcome.pieces)
            return replace(outcome, pieces=pieces, delivery=signed(outcome.delivery))
        delivery = outcome.delivery and signed(outcome.delivery)
        unknown = outcome.unknown and harmless(outcome.unknown)
        said = outcome.said and replace(outcome.said, words=harmless(outcome.said.words))
        return replace(
            outcome, message=harmless(outcome.message), delivery=delivery, unknown=unknown, said=said
        )

    def _remembered(self, key: str, answer: _Answer, number: str) -> Outcome:
        """What of an answer concerns every claim of the carrier is made known to all processes."""
        outcome = answer.outcome
        # Nor is a proof lost because the account's good name could not be written: the next answer brings it again.
        with suppress(RunError) if isinstance(outcome, Retrieved) else nullcontext():
            if answer.accepted:
                self._refusals.note_accepted(key, answer.accepted, proven=answer.is_proof_of_rights)
            if answer.grants_documents:
                self._refusals.note_documents_granted(key, came=isinstance(outcome, Retrieved))
        if isinstance(outcome, Retrieved):
            return outcome
        failure = _doubted(outcome, self._accounts[key].spec, number)
        by_carrier = failure.http_status is not None  # else by a limit of recours's own
        if by_carrier and (failure.kind is ErrorKind.RATE_LIMITED or failure.retry_at is not None):
            now = self._clock.now()
            until = pause_until(failure.retry_at, now)
            if failure.kind is ErrorKind.RATE_LIMITED:
                self._quota.pause(key, until, failure.message, now)
            else:  # unavailable, whichever account asks
                self._quota.pause_carrier(carrier_of(key), until, failure.message, now)
            return replace(failure, retry_at=until)
        return failure

    def asks_alone(self, key: str) -> bool:
        """Tell whether one fetch at a time is to begin: it presents our account, which no answer has accepted in this run."""
        by_first_call = self._presents_account(key, Capability.TRACKING)
        is_tried_again = self._refusals.is_tried_again(key)  # with a check before the first call
        return (by_first_call or is_tried_again) and not self._refusals.accepted(key)

    # ---------------------------------------------------------------- the end, and looking

    def leave(self) -> None:
        """The run ends: what it still holds is given back, tries that were not made are left to the next run."""
        self._refusals.leave()
        self._quota.leave()
        self._quota.forget_short_windows(self._clock.now())

    # ---------------------------------------------------------------- what a person may do

    def stopped(self, key: str) -> Stop | None:
        """That a person stopped the carrier, or this account of a client."""
        state = self._quota.carrier_state(key)
        return state.stopped if carrier_of(key) == key else state.own_stop

    def rejected(self, key: str) -> Refusal | None:
        """That our account, or its right to documents, was refused and not accepted since; looks only.

        Also if it may be tried again now.
        """
        account = self._quota.carrier_state(key).account
        if self.unconfigured(key):
            return None
        if not account.refusals or self._refusals.has_new_credentials(key, account):
            return self.documents(key)
        return self._refused(key, account)

    def stop(self, key: str, by: str, why: str = "") -> Stop:
        """Stop the carrier, or a client's account there, for all processes, until it is resumed. `by`: the person; `why`: their words."""
        stop = Stop(self._clock.now(), authored(by, why))
        self._quota.stop(key, stop, by, why)
        return self.stopped(key) or stop

    def take_up(self, key: str, by: str) -> Stop | None:
        """Take it up again; returns the stop that this ended, None if there was none."""
        return self._quota.take_up(key, by, self._clock.now())

    def usage(self, key: str) -> list[Usage]:
        """How far the account's limits are used: those for one capability first, the longest window last."""
        return self.usages([key])[key]

    def usages(self, keys: Collection[str]) -> dict[str, list[Usage]]:
        limits = {key: _in_order(self._accounts[key].limits) for key in keys}
        together = [limit for of_one in limits.values() for limit in of_one]
        uses = iter(self._quota.uses(together, self._clock.now()) if together else ())
        return {key: list(islice(uses, len(of_one))) for key, of_one in limits.items()}


def _in_order(limits: Iterable[Limit]) -> list[Limit]:
    """Those for one capability first, the longest window last."""
    return sorted(limits, key=lambda limit: (limit.capability is None, limit.window.seconds or 10**9))


def _failure(error: CallError, session: "HttpSession") -> Failure:
    """Of a call. Where another one asked for the token that it needs, its refusal speaks of no parcel either."""
    if isinstance(error, NoTokenError):
        session.last = Capability.TOKEN
    return error.failure


def _knows_us(check: _Answer) -> bool:
    """Tell whether the carrier accepts our account: also if it denies the sample number, which is not ours."""
    denied = isinstance(check.outcome, Failure) and check.outcome.kind is ErrorKind.ACCESS_DENIED
    return bool(check.accepted) or denied


def _doubted(failure: Failure, spec: CarrierSpec, number: str) -> Failure:
    """A failure about the number; with the likely reason if its check digit does not fit."""
    if failure.kind not in _OF_THE_NUMBER or not spec.is_doubtful(number):
        return failure
    message = f"{failure.message} (its check digit does not fit: is it mistyped?)"
    said = failure.said and replace(failure.said, key=MISTYPED.get(failure.said.key, failure.said.key))
    return replace(failure, message=message, said=said)


def stop_message(spec: CarrierSpec, stop: Stop, at: str, client: str = "") -> str:
    """That a person stopped the carrier, or the `client`'s account there: who, when (`at`) and why; and how it is resumed."""
    by = f" {stop.why}" if stop.why else ""
    of_client = f' --account "{client}"' if client else ""
    name = account_name(spec.name, client)
    return f"{name} was paused on {at}{by} ('recours resume {spec.key}{of_client}' ends that)"
