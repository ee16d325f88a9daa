"""A carrier as `recours plan` assumes it: it answers immediately without a document, and each call uses quota."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from recours.accounts.opened import OpenedAccounts
from recours.carriers.client import Client
from recours.carriers.message import CarrierSession, Request, Response, Wait
from recours.carriers.reservation import Account
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Outcome
from recours.core.quota import CallBudget, Capability
from recours.runs.ports import Clock, Reservation

_SOURCE = "as the plan assumes"
_ANY = Request("GET", "/")
_CALL_S = 0.5


class AssumedClient(Client):
    """A carrier's client with assumed answers. It makes the same calls as the client `real`."""

    def __init__(self, spec: CarrierSpec, real: Client) -> None:
        """No token is cached yet, as in a new process."""
        self._spec = spec
        self._real = real
        self._has_token = False
        self.tracking_shows_account = real.tracking_shows_account

    def setup_calls(self, now: datetime) -> CallBudget:
        return {} if self._has_token else self._real.setup_calls(now)

    def fetch(self, number: str, known: Delivery | None, session: CarrierSession) -> Outcome:
        tracked = known or self.track(number, session)
        if known and self._spec.tracks_always:
            self._call(Capability.TRACKING, session)
        return self.fetch_tracked(number, tracked, session)

    def track_many(self, numbers: Sequence[str], session: CarrierSession) -> Mapping[str, Delivery | Failure]:
        return dict.fromkeys(numbers, self.track(numbers[0], session))

    def fetch_tracked(self, number: str, tracked: Delivery | Failure, session: CarrierSession) -> Outcome:
        return tracked if isinstance(tracked, Failure) else self.fetch_proof(number, tracked, session)

    def check_credentials(self, session: CarrierSession) -> Outcome:
        self._call(Capability.TRACKING if self.tracking_shows_account else Capability.POD, session)
        return Failure(ErrorKind.NOT_FOUND, _SOURCE)

    def wait_asked(self, what: Capability, answer: Response, now: datetime) -> Wait | None:
        del what, answer, now
        return None

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Failure:
        del number
        if not self._spec.issues_documents:
            return Failure(ErrorKind.POD_NEVER_AVAILABLE, _SOURCE, delivery=delivery)
        self._call(Capability.POD, session)
        return Failure(ErrorKind.POD_NOT_AVAILABLE_YET, _SOURCE)

    def track(self, number: str, session: CarrierSession) -> Failure:
        del number
        self._call(Capability.TRACKING, session)
        return Failure(ErrorKind.NOT_DELIVERED_YET, _SOURCE)

    def _call(self, what: Capability, session: CarrierSession) -> None:
        """Make all calls of this kind that a fetch may need, after the token call. Raises CallError."""
        most = self._spec.calls.get(what, 0)
        setup = self.setup_calls(session.now()) if most else {}
        for one in (*setup, *(what for _ in range(most))):
            session.call(one, _ANY)
        self._has_token = self._has_token or bool(setup)
        if what is not Capability.TRACKING or self.tracking_shows_account:
            session.credentials_accepted()


@dataclass
class AssumedSession:
    """A session whose calls use units of quota and take `seconds` of the clock's time each."""

    reservation: Reservation
    clock: Clock
    seconds: float = 0.0
    calls: int = 0
    unsent: int = 0
    accepted: set[Capability] = field(default_factory=set)
    delivery: Delivery | None = None
    last: Capability | None = None
    repeats: bool = True
    earliest: datetime | None = None

    def now(self) -> datetime:
        return self.clock.now()

    def call(self, what: Capability, request: Request) -> Response:
        del request
        self.last = what
        self.reservation.consume(what)
        self.clock.sleep(self.seconds)
        self.reservation.called()
        self.calls += 1
        return Response(200, {}, b"")

    def pause(self) -> None:
        """Do nothing, because no call is repeated."""

    def delivery_known(self, delivery: Delivery) -> None:
        self.delivery = delivery

    def credentials_accepted(self) -> None:
        self.accepted.add(self.last or Capability.TRACKING)


class AssumedAccounts(Mapping[str, Account]):
    """Accounts at carriers that answer immediately without a document. The clients are new, as in a new process."""

    def __init__(self, real: OpenedAccounts, clock: Clock) -> None:
        self._real, self._clock = real, clock
        self._assumed: dict[str, Account] = {}

    def __getitem__(self, key: str) -> Account:
        if key not in self._assumed:
            self._assumed[key] = assumed_account(self._real[key], self._clock)
        return self._assumed[key]

    def __contains__(self, key: object) -> bool:
        return key in self._real

    def __iter__(self) -> Iterator[str]:
        return iter(self._real)

    def __len__(self) -> int:
        return len(self._real)

    @property
    def client_accounts(self) -> Mapping[Any, Mapping[str, int]]:
        return self._real.client_accounts

    def open_all(self, keys: Iterable[str]) -> None:
        self._real.open_all(keys)


def assumed_account(account: Account, clock: Clock) -> Account:
    """The account at a carrier that answers immediately without a document."""
    return replace(
        account,
        make_client=lambda: AssumedClient(account.spec, account.make_client()),
        open_session=lambda reservation, _: cast("Any", AssumedSession(reservation, clock, _CALL_S)),
    )
