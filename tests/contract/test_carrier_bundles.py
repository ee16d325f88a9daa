"""Carriers that track many numbers with one call: real clients and the real queue, against simulated carriers.

The result of a claim in a bundle is the same as alone, regardless of the others, and each call uses its unit of
quota.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recours.accounts.opened import make_queue
from recours.carriers.http import (
    BrokenAnswerError,
    HttpSession,
    TimedOutError,
    UnacceptableAnswerError,
)
from recours.carriers.message import Request, Response
from recours.carriers.queue import APIRequestQueue, _Fetch
from recours.carriers.registry import CATALOG
from recours.carriers.reservation import Account
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.core.quota import Capability, parse_limits
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.runs.ports import CarrierAnswer, ParcelQuery
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.settings.loading import load
from tests.carriers.cases import CASES
from tests.conftest import Kind
from tests.fakes import hostile
from tests.fakes.hostile import EVERY_STEP, AnyStep, Attack
from tests.fakes.simulated import ACCOUNT, PASSWORD, as_received, as_response, client_of
from tests.long_form import IS_LONG
from tests.schemas.plugin import check_sent
from tests.units import sent_and_held

S, K = Scenario, ErrorKind
CARRIERS = [key for key, spec in CATALOG.specs.items() if spec.numbers_per_call > 1]

EXAMPLES = 500 if IS_LONG else 25

# Scenarios of one parcel that may make the whole call fail or its answer unreadable.
UPSETTING = [
    *(S.HTML, S.EMPTY, S.FAULT_CLIENT, S.FAULT_SERVER, S.SYSTEM_ERROR, S.MAINTENANCE, S.BAD_GATEWAY),
    *Attack,
]
# The others concern one parcel, except for parcels of another account.
OF_ONE = [one for one in S if one not in [*UPSETTING, S.RATE_LIMITED, S.ACCOUNT_DENIED]]


class Wires:
    """Replaces `Http`: calls the sandbox directly, and treats the connection as the scenario demands."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box

    def send(self, request: Request) -> Response:
        check_sent(request)
        answer = self.box.answer(as_received(request))
        if answer.sender in (hostile.reset, hostile.truncated):
            raise BrokenAnswerError("broke the connection")
        if answer.sender in (hostile.slow, hostile.drip, hostile.drip_headers):
            raise TimedOutError("did not answer in time")
        if (
            answer.sender is hostile.oversized
            or answer.status == 302
            or ("Content-Encoding", "gzip") in answer.headers
        ):
            raise UnacceptableAnswerError("sent what no carrier should send")
        return as_response(answer)


@dataclass
class Run:
    """A separate run: the account's state is unknown, there is no token, every parcel is at its first step."""

    carrier: str
    database: Database
    clock: SimulatedClock
    limit: str = "1000000/day@UTC"

    def __post_init__(self) -> None:
        self.spec = CATALOG.specs[self.carrier]
        self.box = Sandbox(now=self.clock.now, port=9)
        self.box.accounts = {ACCOUNT: PASSWORD}
        client, wires = client_of(self.carrier), Wires(self.box)
        http: Any = wires
        limits = (
            *parse_limits(self.limit, self.carrier, None, "UTC"),
            *parse_limits("1000000/day@UTC", self.carrier, Capability.TOKEN, "UTC"),
        )
        account = Account(
            spec=self.spec,
            limits=limits,
            make_client=lambda: client,
            open_session=lambda reservation, client: HttpSession(
                self.spec.name, reservation, http, self.clock, lambda: 0.0, client.wait_asked
            ),
            credentials=("x",),
        )
        self.queue = APIRequestQueue({self.carrier: account}, QuotaTables(self.database), self.clock)

    @property
    def used(self) -> int:
        """Used units of the carrier's own limit."""
        return sent_and_held(self.queue, self.carrier)[-1][0]

    @property
    def held(self) -> int:
        """Reserved units of all limits."""
        return sum(held for _, held in sent_and_held(self.queue, self.carrier))

    @property
    def tracking(self) -> list[str]:
        """The numbers of each tracking call."""
        operation = CASES[self.carrier].until_tracked[-1]
        return [call.number for call in self.box.calls if call.operation == operation]

    def number(self, *steps: AnyStep, serial: int | None = None) -> str:
        """The number of a parcel with this scenario, by default always the same."""
        number = self.box.example(
            self.carrier, "99", EVERY_STEP.index(steps[0]) if serial is None else serial
        )
        self.box.parcels[number] = Parcel(steps)
        return number

    def fetch(self, *asked: ParcelQuery) -> list[CarrierAnswer]:
        grants, refusal = self.queue.reserve(
            self.carrier, self.spec.calls_for_bundle([one.delivery for one in asked])
        )
        assert refusal is None, refusal
        used, calls = self.used, len(self.box.calls)
        fetched = list(self.queue.fetch_bundle(grants, self.carrier, asked))
        assert self.used - used == sum(one.calls for one in fetched) == len(self.box.calls) - calls
        assert self.held == 0
        return fetched

    def fetch_all(self, *scenarios: AnyStep) -> list[CarrierAnswer]:
        numbers = [self.number(scenario, serial=serial) for serial, scenario in enumerate(scenarios)]
        return self.fetch(*(ParcelQuery(number, None, serial) for serial, number in enumerate(numbers)))


@pytest.fixture
def kind(kinds: Callable[[str], Kind]) -> Kind:
    """One database is enough: other tests cover the contract of the quota store."""
    return kinds("sqlite")


@pytest.fixture(params=CARRIERS)
def run(request: pytest.FixtureRequest, database: Database, clock: SimulatedClock) -> Run:
    return Run(request.param, database, clock)


def comparable(fetched: CarrierAnswer) -> Any:
    """The comparable part of an outcome. Texts may come from another step of the scenario."""
    outcome = fetched.outcome
    if not isinstance(outcome, Failure):
        return outcome
    counted = outcome.kind, outcome.http_status, outcome.delivery, outcome.claim_only
    if outcome.kind is K.BAD_RESPONSE:  # an attack in two steps is unreadable in two ways
        return counted
    return *counted, outcome.explanation and outcome.explanation.key, outcome.unknown


def kinds(fetched: Sequence[CarrierAnswer]) -> list[ErrorKind | None]:
    return [one.outcome.kind if isinstance(one.outcome, Failure) else None for one in fetched]


# ---------------------------------------------------------------- as alone

Mix = list[tuple[Scenario, bool]]  # and whether the delivery is known


@st.composite
def mixes(draw: st.DrawFn, most: int) -> Mix:
    """Any parcels, of which at most one disturbs a call about several."""
    ones = st.tuples(st.sampled_from(OF_ONE), st.sampled_from([False, False, True]))
    mix = draw(st.lists(ones, min_size=1, max_size=most - 1))
    if draw(st.booleans()):
        # A refusal of one number and a number that crashes the service, in one call, look like an outage.
        mix = [one for one in mix if one[0] is not S.AUTH_REFUSED]
        mix.insert(draw(st.integers(0, len(mix))), (draw(st.sampled_from(UPSETTING)), False))
    return mix


@pytest.mark.parametrize("carrier", CARRIERS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_bundled_claim_has_the_same_result_as_a_single_claim(
    database: Database, clock: SimulatedClock, carrier: str, data: st.DataObject
) -> None:
    mix = data.draw(mixes(min(CATALOG.specs[carrier].numbers_per_call, 10)))
    run = Run(carrier, database, clock)
    assert [comparable(one) for one in run.fetch(*asked_of(run, mix))] == [
        alone(carrier, database, clock, one) for one in mix
    ]


def asked_of(run: Run, mix: Mix) -> list[ParcelQuery]:
    known = Delivery(run.clock.now(), "DUPONT")
    return [
        ParcelQuery(run.number(scenario), known if is_known else None, n)
        for n, (scenario, is_known) in enumerate(mix)
    ]


_ALONE: dict[Any, Any] = {}


def alone(carrier: str, database: Database, clock: SimulatedClock, one: tuple[Scenario, bool]) -> Any:
    key = carrier, *one
    if key not in _ALONE:
        run = Run(carrier, database, clock)
        (fetched,) = run.fetch(*asked_of(run, [one]))
        _ALONE[key] = comparable(fetched)
    return _ALONE[key]


def test_a_known_delivery_is_tracked_by_no_carrier_that_shares_calls() -> None:
    assert {key for key in CARRIERS if CATALOG.specs[key].tracks_always} == set()
    assert set(CARRIERS) == {"dhl_parcel_de", "fedex", "gls", "laposte"}


def test_good_parcels_share_one_call(run: Run) -> None:
    scenarios = [S.IN_TRANSIT, S.DELIVERED, S.UNKNOWN, S.RETURNED_TO_SENDER, S.DELIVERED, S.IN_TRANSIT]
    fetched = run.fetch_all(*scenarios)
    assert [len(numbers.split(",")) for numbers in run.tracking] == [len(scenarios)]
    assert (kinds(fetched)[0], kinds(fetched)[5]) == (K.NOT_DELIVERED_YET, K.NOT_DELIVERED_YET)
    assert (fetched[2].calls, fetched[5].calls) == (0, 0)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_bundle_goes_over_http_as_one_call(
    database: Database, clock: SimulatedClock, sandbox: Sandbox, tmp_path: Path, carrier: str
) -> None:
    found, spec = load(tmp_path, sandbox.environment(carrier), CATALOG), CATALOG.specs[carrier]
    queue = make_queue(found, database, clock, lambda: 0.5)
    asked = [
        ParcelQuery(sandbox.example(carrier, "10", serial), None, serial)
        for serial in range(spec.numbers_per_call)
    ]
    grants, _ = queue.reserve(carrier, spec.calls_for_bundle([None] * len(asked)))
    fetched = list(queue.fetch_bundle(grants, carrier, asked))
    assert kinds(fetched) == [K.NOT_DELIVERED_YET] * len(asked)
    assert sandbox.calls[-1].number == ",".join(one.number for one in asked)
    assert len(sandbox.calls) == fetched[0].calls <= 2


@pytest.mark.wrong_requests("more numbers than a call may be about")
def test_a_bundle_above_the_limit_of_a_call_is_rejected(run: Run) -> None:
    numbers = [run.number(S.IN_TRANSIT, serial=n) for n in range(run.spec.numbers_per_call + 1)]
    (reservation,), _ = run.queue.reserve(run.carrier, [{Capability.TRACKING: 1}])
    client, line = run.queue._open_session(_Fetch(run.carrier, reservation))
    found = client.track_many(numbers, line)
    assert isinstance(found, Failure)
    kind = K.INVALID_TRACKING if run.carrier == "laposte" else K.BAD_RESPONSE
    assert (found.kind, found.http_status, found.unknown) == (kind, 400, None)
    reservation.release()


# ---------------------------------------------------------------- answers that nobody should trust


def renamed(item: Any, number: str, other: str) -> Any:
    return json.loads(json.dumps(item).replace(number, other))


def strangers(run: Run, items: list[Any]) -> list[Any]:
    """With unrequested parcels before the others."""
    asked = run.tracking[-1].split(",") if run.tracking else []
    number = run.box.example(run.carrier, "00", 4242)
    return [*(renamed(item, each, number) for item in items for each in asked), *items]


def among_others(items: list[Any]) -> list[Any]:
    """Among items that are not parcels, in JSON or in XML."""
    if all(isinstance(item, str) for item in items):
        return ["<x/>", "x", "<data/>", *items, f"<x>{''.join(items)}</x>", '<data name="piece-shipment"/>']
    return [None, 7, "x", [], {}, *items, [items], {"x": items}]


ARRANGED: dict[str, Callable[[Run, list[Any]], list[Any]]] = {
    "in order": lambda _, items: items,
    "twice": lambda _, items: [*items, *items[::-1]],
    "with strangers": strangers,
    "with other things": lambda _, items: among_others(items),
    "one left out": lambda _, items: items[1:],
    "all left out": lambda _, items: items[:0],
    "all but one left out": lambda _, items: items[:1],
}


@pytest.mark.parametrize("arrange", ARRANGED.values(), ids=ARRANGED.keys())
def test_each_claim_has_its_own_answer_in_any_bundle(
    run: Run, arrange: Callable[[Run, list[Any]], list[Any]]
) -> None:
    mix = [
        (scenario, False)
        for scenario in (S.IN_TRANSIT, S.DELIVERED, S.UNKNOWN, S.POD_LATE, S.RETURNED_TO_SENDER)
    ]
    run.box.arrange = lambda items: arrange(run, items)
    fetched = run.fetch(*asked_of(run, mix))
    assert [comparable(one) for one in fetched] == [
        alone(run.carrier, run.database, run.clock, one) for one in mix
    ]
    # All, one half, the other half, and each.
    assert len(run.tracking) <= 3 + len(mix)


def test_an_answer_about_other_parcels_is_ignored(run: Run) -> None:
    """Each is tracked alone, where the carrier's only answer counts regardless of the number in it."""
    other = run.box.example(run.carrier, "00", 4242)
    run.box.arrange = lambda items: [
        renamed(item, n, other) for item in items for n in run.tracking[-1].split(",")
    ]
    mix = [(S.DELIVERED, False), (S.IN_TRANSIT, False), (S.UNKNOWN, False)]
    fetched = run.fetch(*asked_of(run, mix))
    assert [comparable(one) for one in fetched] == [
        alone(run.carrier, run.database, run.clock, one) for one in mix
    ]


def test_numbers_are_compared_regardless_of_case(run: Run) -> None:
    run.box.arrange = lambda items: [with_small_numbers(item) for item in items]
    fetched = run.fetch_all(S.IN_TRANSIT, S.IN_TRANSIT, S.UNKNOWN)
    assert kinds(fetched) == [K.NOT_DELIVERED_YET, K.NOT_DELIVERED_YET, K.NOT_FOUND]
    assert len(run.tracking) == 1


def with_small_numbers(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    return {
        name: value.lower()
        if name in ("trackingNumber", "requested", "unitno", "idShip")
        else with_small_numbers(value)
        for name, value in item.items()
    }


# ---------------------------------------------------------------- few calls are left


@pytest.mark.parametrize("carrier", CARRIERS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), limit=st.integers(3, 12))
def test_no_bundle_makes_more_calls_than_are_left(
    database: Database, clock: SimulatedClock, carrier: str, data: st.DataObject, limit: int
) -> None:
    mix = data.draw(mixes(min(CATALOG.specs[carrier].numbers_per_call, 10)))
    # If no call is left for a check, a refusal is attributed to the account.
    mix = [one for one in mix if one[0] is not S.AUTH_REFUSED]
    clock.advance(timedelta(days=1))
    run = Run(carrier, database, clock, f"{limit}/day@UTC")
    asked = asked_of(run, mix)
    grants, _ = run.queue.reserve(carrier, run.spec.calls_for_bundle([one.delivery for one in asked]))
    fetched = list(run.queue.fetch_bundle(grants, carrier, asked[: len(grants)]))
    assert sum(one.calls for one in fetched) == len(run.box.calls) == run.used <= limit
    assert run.held == 0
    for one, ended in zip(mix, fetched, strict=False):
        assert kinds([ended])[0] in (K.RATE_LIMITED, kind_alone(carrier, database, clock, one))


def kind_alone(carrier: str, database: Database, clock: SimulatedClock, one: tuple[Scenario, bool]) -> Any:
    ended = alone(carrier, database, clock, one)
    return ended[0] if isinstance(ended, tuple) else None
