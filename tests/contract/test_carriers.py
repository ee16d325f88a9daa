"""The contract of every carrier, over a real socket, with the real queue and its quota.

Every carrier in the registry is included automatically. Its peculiarities are in `tests/carriers/cases.py`; the
results of all scenarios are in `tests/carriers/test_simulated.py`.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recours.accounts.opened import make_queue
from recours.carriers.message import Response
from recours.carriers.queue import APIRequestQueue
from recours.carriers.registry import CATALOG
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Outcome, Retrieved
from recours.core.pauses import Blocked
from recours.core.quota import Capability
from recours.database.engine import Database
from recours.runs.ports import CarrierAnswer
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.sandbox.answers import Answer, HttpRequest
from recours.settings.loading import load
from tests.carriers.cases import CASES
from tests.fakes.answers import envelope, response, xml
from tests.fakes.hostile import AnyStep, Attack
from tests.planted import PASSWORD
from tests.units import fetch_one, sent_and_held

S = Scenario
CARRIERS = sorted(CATALOG.specs)
DELIVERED_AT = datetime(2026, 2, 1, 6, 0, tzinfo=UTC)


class Tampered(Sandbox):
    """A sandbox whose requests can be watched and whose answers can be changed."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.before: Callable[[HttpRequest], Answer | None] = lambda _request: None
        self.rewrite: Callable[[bytes], bytes] = lambda body: body

    def answer(self, request: HttpRequest) -> Answer:
        if answer := self.before(request):
            return answer
        answer = super().answer(request)
        return replace(answer, body=self.rewrite(answer.body))


@dataclass
class CarrierSetup:
    """One carrier behind the real queue, on a real database, against the sandbox."""

    carrier: str
    database: Database
    folder: Path
    box: "Tampered"
    clock: SimulatedClock

    def __post_init__(self) -> None:
        self.cases = CASES[self.carrier]
        self.spec = CATALOG.specs[self.carrier]
        self.numbers = 0
        self.queue = self.new_queue()

    def new_queue(self, **settings: str) -> APIRequestQueue:
        """The queue of another process."""
        found = load(self.folder, self.box.environment() | settings, CATALOG)
        return make_queue(found, self.database, self.clock, lambda: 0.5)

    def number(self, *steps: AnyStep) -> str:
        self.numbers += 1
        number = self.box.example(self.carrier, "99", self.numbers)
        self.box.parcels[number] = Parcel(steps)
        return number

    def fetch(
        self, number: str, known: Delivery | None = None, queue: APIRequestQueue | None = None
    ) -> CarrierAnswer:
        queue = queue or self.queue
        (reservation,) = self.reserved(1, known, queue)
        return fetch_one(queue, reservation, self.carrier, number, known)

    def reserved(
        self, fetches: int, known: Delivery | None = None, queue: APIRequestQueue | None = None
    ) -> list[Any]:
        """The units that this many fetches may need; after the reservation, a pause of the account does not matter."""
        wants = [CATALOG.specs[self.carrier].calls_for(known)] * fetches
        reservations, refusal = (queue or self.queue).reserve(self.carrier, wants)
        assert refusal is None, refusal
        return list(reservations)

    def outcome(self, *steps: AnyStep) -> Outcome:
        return self.fetch(self.number(*steps)).outcome

    def failure(self, *steps: AnyStep) -> Failure:
        outcome = self.outcome(*steps)
        assert isinstance(outcome, Failure), outcome
        assert outcome.message.isprintable()
        return outcome

    @property
    def app(self) -> list[str]:
        """The operations that were called."""
        return [call.operation for call in self.box.calls]

    def used(self) -> int:
        """Used units of the carrier's longest window."""
        counts = sent_and_held(self.queue, self.carrier)
        assert all(held == 0 for _, held in counts)
        return counts[-1][0]


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def setup(carrier: str, database: Database, tmp_path: Path, clock: SimulatedClock) -> Iterator[CarrierSetup]:
    with Tampered(now=clock.now) as box:
        setup = CarrierSetup(carrier, database, tmp_path, box, clock)
        yield setup
        # Every call used its unit, and no unit was used without a call.
        short = CATALOG.specs[carrier].limits[None]
        if "day" in short or "hour" in short:
            assert setup.used() == len(box.calls)


# ---------------------------------------------------------------- our account


def test_bad_credentials_cost_a_call_and_a_check_and_are_remembered(setup: CarrierSetup) -> None:
    setup.box.accounts = {"10000001": "another"}
    good = setup.box.environment()
    setup.box.accounts = {"10000001": PASSWORD}
    queue = setup.new_queue(**good)
    known = Delivery(DELIVERED_AT) if setup.carrier == "chronopost" else None
    fetched = setup.fetch(setup.number(S.DELIVERED), known, queue)
    outcome = fetched.outcome
    assert isinstance(outcome, Failure)
    assert (outcome.kind, fetched.accepted) == (ErrorKind.AUTH_FAILED, False)
    assert "another" not in outcome.message
    assert "credentials from the environment" in outcome.message
    spec = setup.spec
    if Capability.TOKEN in spec.limits:  # a token is for all parcels: its refusal concerns the account
        assert [call.operation for call in setup.box.calls] == ["token"]
    else:
        assert [call.number == spec.sample_number for call in setup.box.calls] == [False, True]
    refusal = queue.closed(setup.carrier)
    assert refusal is not None
    assert (refusal.why, refusal.kind) == (Blocked.CARRIER, ErrorKind.AUTH_FAILED)
    assert setup.queue.closed(setup.carrier) is None  # with the right ones it is open at once
    queue.leave()


# ---------------------------------------------------------------- the carrier's trouble


def test_hostile_text_forges_no_line_and_repeats_no_secret(setup: CarrierSetup) -> None:
    failure = setup.failure(Attack.HOSTILE_TEXT)
    secrets = [*setup.box.tokens, PASSWORD]
    assert not any(secret in failure.message for secret in secrets)
    assert len(failure.message) < 500


@pytest.mark.parametrize(
    ("carrier", "answer", "said"),
    [
        (
            "chronopost",
            xml(
                envelope(
                    f"<soap:Fault><faultstring>password:\n\t{PASSWORD} refused</faultstring></soap:Fault>"
                ),
                500,
            ),
            r"password:\x0a\x09*** refused",
        ),
        (
            "fedex",
            response({"errors": [{"message": f"bad form: client_secret%3D{PASSWORD}%26x"}]}, 401),
            "client_secret%3D***%26x",
        ),
    ],
)
def test_a_secret_that_is_quoted_after_an_escape_is_masked(
    setup: CarrierSetup, answer: Response, said: str
) -> None:
    def before(_request: HttpRequest) -> Answer:
        setup.box.record_unknown(setup.carrier)
        return Answer(answer.status, answer.body, answer.headers["Content-Type"])

    setup.box.before = before
    assert said in setup.failure(S.DELIVERED).message


@pytest.mark.parametrize("carrier", ["chronopost"])
@pytest.mark.parametrize("scenario", [S.DELIVERED, S.POD_LATE])
def test_a_signatory_repeats_no_secret(setup: CarrierSetup, scenario: AnyStep) -> None:
    number = setup.number(scenario)
    setup.box.parcels[number] = Parcel((scenario,), signatory=f"DUPONT {PASSWORD}")
    outcome = setup.fetch(number).outcome
    assert outcome.delivery is not None
    assert outcome.delivery.signatory == "DUPONT ***"


@pytest.mark.parametrize("carrier", ["dhl_express"])
def test_the_source_of_a_document_repeats_no_secret(setup: CarrierSetup) -> None:
    setup.box.rewrite = lambda body: body.replace(
        b'"encodingFormat": "PDF"', f'"encodingFormat": "{PASSWORD}"'.encode()
    )
    outcome = setup.outcome(S.DELIVERED)
    assert isinstance(outcome, Retrieved)
    # Where the message is cut, the password is cut too
    assert outcome.best.source == "dhl_express proof-of-delivery ***…"


# ---------------------------------------------------------------- tokens


def tokens_asked(box: Sandbox) -> int:
    return sum(call.operation == "token" for call in box.calls)


WITH_TOKENS = pytest.mark.parametrize("carrier", [key for key in CARRIERS if CASES[key].has_tokens])


@pytest.mark.parametrize("carrier", ["fedex", "gls"])
@pytest.mark.parametrize(
    "refusal", [Answer(401, b"{}"), Answer(500), Answer(200, b"<html/>")], ids=["401", "500", "page"]
)
def test_a_renewal_that_fails_forgets_no_delivery(setup: CarrierSetup, refusal: Answer) -> None:
    """The document call refuses a token that tracking accepted, and there is no new token."""

    def before(request: HttpRequest) -> Answer | None:
        if "parceldetails" in request.path or "documents" in request.path:
            setup.box.tokens.clear()
        if "token" not in request.path or not tokens_asked(setup.box):
            return None
        setup.box.record_unknown(setup.carrier)
        return refusal

    setup.box.before = before
    failure = setup.failure(S.DELIVERED)
    assert failure.delivery is not None
    assert failure.delivery.at is not None
    assert failure.delivery.at.replace(second=0) == DELIVERED_AT


@pytest.mark.parametrize("carrier", ["gls"])
def test_no_token_is_renewed_if_a_new_one_is_rejected_too(setup: CarrierSetup) -> None:
    """ShipIT refuses the token that tracking accepts, and will refuse each new token too."""
    known = Delivery(DELIVERED_AT)
    held: list[tuple[Any, Delivery | None]] = [(reservation, None) for reservation in setup.reserved(25)]
    held += [(reservation, known) for reservation in setup.reserved(25, known)]
    last = setup.reserved(1)[0]
    for reservation, delivery in held:
        outcome = fetch_one(setup.queue, reservation, "gls", setup.number(S.ACCOUNT_DENIED), delivery).outcome
        assert isinstance(outcome, Failure)
        assert outcome.kind is ErrorKind.ACCOUNT_DENIED
    assert tokens_asked(setup.box) == 2
    # A token that is really invalid is renewed nevertheless.
    setup.box.tokens.clear()
    fetch_one(setup.queue, last, "gls", setup.number(S.DELIVERED), None)
    assert tokens_asked(setup.box) == 3


@pytest.mark.parametrize("carrier", ["gls"])
def test_concurrently_rejected_threads_do_not_renew_either(setup: CarrierSetup) -> None:
    setup.box.latency = 0.01
    held = [(reservation, setup.number(S.ACCOUNT_DENIED)) for reservation in setup.reserved(48)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(
            pool.map(lambda each: fetch_one(setup.queue, each[0], "gls", each[1], None).outcome, held)
        )
    assert {one.kind for one in outcomes if isinstance(one, Failure)} == {ErrorKind.ACCOUNT_DENIED}
    assert tokens_asked(setup.box) == 2


@WITH_TOKENS
def test_tokens_have_a_limit_of_their_own(setup: CarrierSetup, clock: SimulatedClock) -> None:
    queue = setup.new_queue(**{f"QUOTA_{setup.carrier.upper()}_TOKEN": "1/hour"})
    setup.fetch(setup.number(S.DELIVERED), queue=queue)
    setup.box.tokens.clear()
    outcome = setup.fetch(setup.number(S.DELIVERED), queue=queue).outcome
    queue.leave()
    assert isinstance(outcome, Failure)
    assert outcome.kind is ErrorKind.RATE_LIMITED
    assert tokens_asked(setup.box) == 1


@WITH_TOKENS
def test_threads_share_one_token(setup: CarrierSetup) -> None:
    setup.box.latency = 0.05
    numbers = [setup.number(S.DELIVERED) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda number: setup.fetch(number).outcome, numbers))
    assert all(isinstance(outcome, Retrieved) for outcome in outcomes)
    assert tokens_asked(setup.box) == 1
