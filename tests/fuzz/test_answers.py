"""A client returns an outcome for any bytes in an answer: never another exception, never a harmful text.

The answers are those of the simulated carriers in all their scenarios, damaged at random. `make fuzz` tries 20,000
per carrier; RECOURS_FUZZ_EXAMPLES changes this.
"""

import os
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recours.carriers.message import Request, Response
from recours.carriers.registry import CATALOG
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import CallError, Failure, Retrieved
from recours.core.quota import Capability
from recours.sandbox import Scenario
from tests.fakes.examples import FEWER
from tests.fakes.hostile import EVERY_STEP, AnyStep, Attack
from tests.fakes.simulated import SimulatedSession, client_of, quiet_sandbox
from tests.fuzz.spoiling import spoilt

EXAMPLES = int(os.environ.get("RECOURS_FUZZ_EXAMPLES", "100" if FEWER else "300"))
KNOWN = Delivery(datetime(2026, 10, 5, 8, 31, tzinfo=UTC), "DUPONT")
STATUSES = (200, 200, 200, 200, 201, 204, 400, 401, 403, 404, 405, 413, 422, 490, 500, 503, 599)
MOST_CALLS = 12
# Bodies with extreme size or depth have their own tests; here they would only cost time.
SCENARIOS = [s for s in EVERY_STEP if s not in (Attack.GZIP_BOMB, Attack.DTD_BOMB, Attack.OVERSIZED)]


class SpoilingSession(SimulatedSession):
    """Damages the simulated carrier's answers at random."""

    def __init__(self, carrier: str, scenario: AnyStep, chance: Random) -> None:
        super().__init__(carrier, scenario)
        self.chance = chance
        self.calls = 0

    def delivery_known(self, delivery: Delivery) -> None:
        check_delivery(delivery)

    def call(self, what: Capability, request: Request) -> Response:
        self.calls += 1
        assert self.calls <= MOST_CALLS, "it would ask for ever"
        answer, chance = super().call(what, request), self.chance
        if what is Capability.TOKEN and chance.random() < 0.9:
            return answer
        status = chance.choice(STATUSES) if chance.random() < 0.2 else answer.status
        headers = {
            name: spoilt(value.encode(), chance).decode("latin-1") for name, value in answer.headers.items()
        }
        return Response(status, headers, spoilt(answer.body, chance))


def check_delivery(delivery: Delivery | None) -> None:
    if delivery is None:
        return
    assert delivery.at is None or delivery.at.tzinfo is not None
    assert delivery.signatory is None or (delivery.signatory.isprintable() and len(delivery.signatory) <= 100)


def check(outcome: object) -> None:
    """Check the rules for every outcome."""
    assert isinstance(outcome, Retrieved | Failure)
    check_delivery(outcome.delivery)
    if isinstance(outcome, Retrieved):
        assert outcome.pieces
        assert all(isinstance(piece.content, bytes) for piece in outcome.pieces)
        return
    assert outcome.kind in ErrorKind
    for text in (outcome.message, outcome.unknown or ""):
        assert text.isprintable()
        assert len(text) <= 500
        text.encode()


@pytest.mark.sample("spoilt answers of the other carriers", every=3)
@pytest.mark.parametrize("carrier", sorted(CATALOG.specs))
def test_any_answer_leads_to_an_outcome(carrier: str) -> None:
    number = CATALOG.specs[carrier].sample_number

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(
        scenario=st.sampled_from(SCENARIOS),
        chance=st.randoms(use_true_random=False),
        known=st.sampled_from([None, None, Delivery(), KNOWN]),
    )
    def holds(scenario: AnyStep, chance: Random, known: Delivery | None) -> None:
        session = SpoilingSession(carrier, scenario, chance)
        try:
            outcome = client_of(carrier).fetch(number, known, session)
        except CallError as failed:  # of a token
            outcome = failed.failure
        check(outcome)

    holds()


@pytest.mark.parametrize(
    "carrier", sorted(k for k, spec in CATALOG.specs.items() if spec.numbers_per_call > 1)
)
def test_an_answer_about_several_parcels_concerns_only_these(carrier: str) -> None:
    box = quiet_sandbox()
    numbers = [
        CATALOG.specs[carrier].sample_number,
        box.example(carrier, "00", 1),
        box.example(carrier, "10", 2),
    ]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(scenario=st.sampled_from(SCENARIOS), chance=st.randoms(use_true_random=False))
    def holds(scenario: AnyStep, chance: Random) -> None:
        session = SpoilingSession(carrier, scenario, chance)
        try:
            found = client_of(carrier).track_many(numbers, session)
        except CallError as failed:  # of a token
            found = failed.failure
        if isinstance(found, Failure):
            check(found)
            return
        assert set(found) <= set(numbers)
        for one in found.values():
            check(one) if isinstance(one, Failure) else check_delivery(one)

    holds()


@pytest.mark.parametrize("carrier", sorted(CATALOG.specs))
def test_unmodified_answers_are_understood(carrier: str) -> None:
    """Otherwise the answers above would only be refusals of our requests."""
    spec = CATALOG.specs[carrier]
    number = spec.sample_number
    kinds = set()
    for scenario in (Scenario.DELIVERED, Scenario.IN_TRANSIT, Scenario.UNKNOWN):
        outcome = client_of(carrier).fetch(number, None, SimulatedSession(carrier, scenario))
        kinds.add("retrieved" if isinstance(outcome, Retrieved) else outcome.kind)
    first = "retrieved" if spec.issues_documents else ErrorKind.POD_NEVER_AVAILABLE
    assert kinds == {first, ErrorKind.NOT_DELIVERED_YET, ErrorKind.NOT_FOUND}
