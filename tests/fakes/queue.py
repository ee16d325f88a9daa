"""`APIRequestQueue` in memory with scripted answers, limits and refusals. It is thread-safe."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from recours.core.accounts import AccountKey, carrier_of
from recours.core.carrier import Catalog
from recours.core.claim import Delivery
from recours.core.errors import REFUSED_KINDS, ErrorKind
from recours.core.outcome import Failure, Outcome, Retrieved
from recours.core.pauses import Blocked, Refusal, pause_until
from recours.core.quota import Capability, Limit, Usage, Window
from recours.runs.ports import CarrierAnswer, Clock, ParcelQuery, Reservation
from tests.fakes.documents import PDF

DELIVERY = Delivery(datetime(2026, 2, 1, 9, 30, tzinfo=UTC), "M. Durand")
GOT = Retrieved.single(PDF, DELIVERY, "chronopost searchPOD")
_SHOW_OUR_ACCOUNT = (
    ErrorKind.POD_NEVER_AVAILABLE,
    ErrorKind.POD_NOT_AVAILABLE_YET,
    ErrorKind.ACCESS_DENIED,
)


@dataclass
class FakeReservation:
    """Units reserved for one fetch. Unused units are returned."""

    queue: "FakeQueue"
    carrier: str
    units: int

    def consume(self, what: Capability) -> None:
        del what
        self.units -= 1
        self.queue.held[self.carrier] -= 1
        self.queue.used[self.carrier] += 1

    def called(self) -> None:
        pass

    def refund(self) -> None:
        self.queue.used[self.carrier] -= 1

    def release(self) -> None:
        self.queue.held[self.carrier] -= self.units
        self.units = 0


@dataclass
class FakeQueue:
    """Grants up to `limits` calls per carrier, and returns the `answers` for a number in order."""

    clock: Clock
    catalog: Catalog
    limits: dict[str, int] = field(default_factory=lambda: {"chronopost": 100, "dhl_express": 250})
    resets_at: datetime = datetime(2026, 2, 3, tzinfo=UTC)
    answers: dict[str, list[Outcome | Exception]] = field(default_factory=lambda: defaultdict(list))
    refusals: dict[str, Refusal] = field(default_factory=dict)
    held_by_others: Counter[str] = field(default_factory=Counter)  # number of further temporary refusals
    during: Callable[[str], None] = lambda _: None
    used: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    fetches: list[tuple[str, Delivery | None]] = field(default_factory=list)  # number and known delivery
    urgent: list[dict[Capability, int]] = field(
        default_factory=list
    )  # the `urgent` argument of each call to `reserve`: units left to others
    together: Counter[str] = field(default_factory=Counter)  # maximum number of concurrent fetches by carrier
    left: bool = False
    without_documents: dict[str, Refusal] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)  # carriers paused by a person, with the reason
    _under_way: Counter[str] = field(default_factory=Counter)
    _accepted: set[str] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def reserve(
        self,
        key: str,
        fetches: Sequence[dict[Capability, int]],
        *,
        urgent: dict[Capability, int] | None = None,
        may_continue: Callable[[], bool] = lambda: True,
    ) -> tuple[list[Reservation], Refusal | None]:
        del may_continue  # this queue never waits
        carrier = key
        with self._lock:
            self.urgent.append(urgent or {})
            if refusal := self.closed(carrier):
                return [], refusal
            reason = f"{self.catalog.name_of(carrier)} is at its limit"
            if self.held_by_others[carrier] > 0:
                self.held_by_others[carrier] -= 1
                return [], Refusal(Blocked.RATE_LIMIT, reason, self.resets_at, passing=True)
            reservations: list[Reservation] = []
            for calls in fetches:
                units = sum(calls.values())
                if self.used[carrier] + self.held[carrier] + units > self.limits[carrier]:
                    passing = self.held[carrier] > 0
                    return reservations, Refusal(Blocked.RATE_LIMIT, reason, self.resets_at, passing=passing)
                self.held[carrier] += units
                reservations.append(FakeReservation(self, carrier, units))
            return reservations, None

    def stop(self, carrier: str, why: str) -> None:
        self.stopped[carrier] = why

    def resume(self, carrier: str) -> None:
        self.stopped.pop(carrier, None)

    def client_of(self, key: str) -> str:
        return f"client-{AccountKey.parse(key).account}@shop.example" if "#" in key else ""

    def closed(self, key: str) -> Refusal | None:
        carrier = key
        if carrier_of(carrier) in self.stopped:
            name = self.catalog.name_of(carrier)
            return Refusal(Blocked.CARRIER, f"{name} was paused {self.stopped[carrier_of(carrier)]}")
        refusal = self.refusals.get(carrier)
        over = refusal is not None and refusal.until is not None and refusal.until <= self.clock.now()
        return None if over else refusal

    def fetch(
        self, reservation: Reservation, carrier: str, number: str, known: Delivery | None, claim: Any = None
    ) -> CarrierAnswer:
        del claim
        with self._lock:
            self.fetches.append((number, known))
            self._under_way[carrier] += 1
            self.together[carrier] = max(self.together[carrier], self._under_way[carrier])
        try:
            self.during(number)
            with self._lock:
                return self._answer(reservation, carrier, number)
        finally:
            with self._lock:
                reservation.release()
                self._under_way[carrier] -= 1

    def fetch_bundle(
        self,
        reservations: Sequence[Reservation],
        key: str,
        asked: Sequence[ParcelQuery],
        may_continue: Callable[[], bool] = lambda: True,
    ) -> Generator[CarrierAnswer, None, None]:
        """Fetch each parcel with separate calls, without a shared tracking call."""
        del may_continue
        for reservation, one in zip(reservations, asked, strict=True):
            yield self.fetch(reservation, key, one.number, one.delivery, one.claim)

    def _answer(self, reservation: Reservation, carrier: str, number: str) -> CarrierAnswer:
        script = self.answers[number]
        answer = script.pop(0) if script else GOT
        if isinstance(answer, Exception):
            raise answer
        reservation.consume(Capability.POD)
        if isinstance(answer, Retrieved):
            self._accepted.add(carrier)
            return CarrierAnswer(answer, 1, 0, accepted=True)
        if not answer.connected:
            reservation.refund()
            return CarrierAnswer(answer, 0, 1)
        shown = answer.kind in _SHOW_OUR_ACCOUNT
        return CarrierAnswer(self._with_account(carrier, answer), 1, 0, accepted=shown)

    def _with_account(self, carrier: str, failure: Failure) -> Failure:
        now = self.clock.now()
        if failure.kind in _SHOW_OUR_ACCOUNT:
            self._accepted.add(carrier)
        if failure.kind is ErrorKind.RATE_LIMITED:
            until = pause_until(failure.retry_at, now)
            self.refusals[carrier] = Refusal(Blocked.RATE_LIMIT, failure.message, until)
            return replace(failure, retry_at=until)
        if failure.kind in REFUSED_KINDS and not failure.claim_only:
            until = now + timedelta(hours=1)
            self.refusals[carrier] = Refusal(Blocked.CARRIER, failure.message, until, kind=failure.kind)
            return replace(failure, retry_at=until)
        return failure

    def documents(self, key: str) -> Refusal | None:
        return self.without_documents.get(key)

    def asks_alone(self, key: str) -> bool:
        with self._lock:
            return key not in self._accepted

    def leave(self) -> None:
        self.left = True

    def usage(self, key: str) -> list[Usage]:
        limit = Limit(key, self.limits[key], Window(0, "UTC"))
        return [Usage(limit, self.used[key] + self.held[key], self.resets_at)]

    def usages(self, keys: Collection[str]) -> dict[str, list[Usage]]:
        return {key: self.usage(key) for key in keys}
