"""Claims whose parcels one call tracks, behind the real queue on a real database; the carrier is scripted."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from recours.carriers.client import Client
from recours.carriers.queue import APIRequestQueue
from recours.carriers.reservation import Account
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import CallError, Failure, Outcome, Retrieved
from recours.core.quota import Capability, parse_limits
from recours.core.sentences import Sentence
from recours.database.engine import Database, DatabaseError
from recours.database.quota import QuotaTables
from recours.runs.ports import CarrierAnswer, ParcelQuery, Reservation
from recours.sandbox import SimulatedClock
from tests.conftest import START
from tests.fakes.documents import PDF
from tests.units import sent_and_held

C, K = Capability, ErrorKind
SPEC = CarrierSpec(
    key="listed",
    name="Listed",
    limits={None: "100/day@UTC"},
    credentials=(("LISTED_KEY",),),
    base_url="https://listed.invalid",
    number_form=re.compile("[A-Z]"),
    number_example="1",
    sample_number="0",
    calls={C.TRACKING: 1, C.POD: 1},
    numbers_per_call=5,
)
DELIVERY = Delivery(START - timedelta(days=1), "DUPONT")
POD = Retrieved.single(PDF, DELIVERY, "listed")
ON_ITS_WAY = Failure.of(Sentence.NOT_DELIVERED, "Listed")
UNKNOWN = Failure.of(Sentence.NUMBER_UNKNOWN, "Listed", None, 404)
PENDING = Failure.of(Sentence.PROOF_PENDING, "Listed", None, 200)
REFUSED = Failure.of(Sentence.CREDENTIALS_REJECTED, "Listed", None, 401)
DENIED = Failure.of(Sentence.SERVICE_DENIED, "Listed", None, 403)
TOO_MANY = replace(
    Failure.of(Sentence.TOO_MANY_CALLS, "Listed", None, 429), retry_at=START + timedelta(hours=2)
)

SILENT = Failure.of(Sentence.NO_ANSWER, "Listed")
RESET = Failure.of(Sentence.CONNECTION_BROKEN, "Listed")
BROKEN = Failure.of(Sentence.UNAVAILABLE, "Listed", None, 500)
GATEWAY = Failure.of(Sentence.UNAVAILABLE, "Listed", None, 503)
UNREADABLE = Failure.of(Sentence.ANSWER_UNREADABLE, "Listed", None, 200)
BAD_REQUEST = Failure.of(Sentence.NUMBER_REJECTED, "Listed", None, 400)
UNREACHABLE = replace(Failure.of(Sentence.UNREACHABLE, "Listed"), connected=False)

Answer = Delivery | Failure | Retrieved | Exception


@dataclass
class Script(Client):
    """Answers about numbers from tables; stores its calls.

    `whole`: how a call about several numbers fails, by the first of its numbers found here. A call about a number
    whose answer is an outage fails as a whole, too.
    """

    tracking: dict[str, Answer] = field(default_factory=dict)
    proofs: dict[str, Answer] = field(default_factory=dict)
    whole: dict[str, Failure | Exception] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    during: Callable[[], object] = lambda: None  # called while a call is in progress

    spec = SPEC

    def track(self, number: str, line: Any) -> Delivery | Failure:
        found: Delivery | Failure = self._called(
            line, C.TRACKING, number, self.tracking.get(number, ON_ITS_WAY)
        )
        return found

    def track_many(self, numbers: Sequence[str], line: Any) -> Mapping[str, Delivery | Failure] | Failure:
        if len(numbers) == 1:
            found = self.track(numbers[0], line)
            is_whole = isinstance(found, Failure) and found.kind in (K.SERVER_ERROR, K.BAD_RESPONSE)
            return found if is_whole and isinstance(found, Failure) else {numbers[0]: found}
        spoilt = next((self.whole[number] for number in numbers if number in self.whole), None)
        self._called(line, C.TRACKING, ",".join(numbers), spoilt or ON_ITS_WAY)
        if isinstance(spoilt, Failure):
            return spoilt
        answers = {number: self.tracking.get(number, ON_ITS_WAY) for number in numbers}
        return {
            number: answer
            for number, answer in answers.items()
            if number not in self.left_out and isinstance(answer, Delivery | Failure)
        }

    def fetch_proof(self, number: str, delivery: Delivery, line: Any) -> Outcome:
        found: Retrieved | Failure = self._called(line, C.POD, number, self.proofs.get(number, POD))
        return replace(found, delivery=delivery)

    def _called(self, line: Any, what: Capability, words: str, answer: Any) -> Any:
        self.asked.append(f"{what.lower()} {words}")
        line.call(what, answer)
        return answer


@dataclass
class ScriptLine:
    """Counts like a real session; an answer that is an outage fails the call, as in a real one."""

    reservation: Reservation
    clock: SimulatedClock
    script: Script
    calls: int = 0
    unsent: int = 0
    accepted: set[Capability] = field(default_factory=set)
    delivery: Delivery | None = None
    last: Capability | None = None
    earliest: datetime | None = None
    repeats: bool = True

    def now(self) -> datetime:
        return self.clock.now()

    def pause(self) -> None:
        raise AssertionError("nothing is repeated here")

    def delivery_known(self, delivery: Delivery) -> None:
        self.delivery = delivery

    def credentials_accepted(self) -> None:
        self.accepted.add(self.last or Capability.TRACKING)

    def call(self, what: Capability, answer: Any) -> None:
        self.last = what
        self.reservation.consume(what)
        if isinstance(answer, Failure) and not answer.connected:
            self.unsent += 1
            self.reservation.refund()
            raise CallError(answer)
        self.calls += 1
        self.script.during()
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Failure) and answer.kind in (K.TIMEOUT, K.NETWORK, K.RATE_LIMITED):
            raise CallError(answer)


class Bundles:
    """A queue with the script as its only carrier."""

    def __init__(self, database: Database, clock: SimulatedClock, limits: str = "100/day@UTC") -> None:
        self.clock, self.script = clock, Script()
        opens: Any = lambda reservation, _: ScriptLine(reservation, clock, self.script)  # noqa: E731 (what it says is a script)
        account = Account(
            spec=SPEC,
            limits=parse_limits(limits, "listed", None, "UTC"),
            make_client=lambda: self.script,
            open_session=opens,
            credentials=("key",),
            source="the environment",
        )
        self.quota = QuotaTables(database)
        self.queue = APIRequestQueue({"listed": account}, self.quota, clock)

    def reserved(self, asked: Sequence[ParcelQuery]) -> list[Reservation]:
        grants, refusal = self.queue.reserve("listed", SPEC.calls_for_bundle([one.delivery for one in asked]))
        assert refusal is None, refusal
        return grants

    def fetch(self, *asked: str | ParcelQuery) -> list[CarrierAnswer]:
        """The answer for each claim; a letter stands for a claim with an unknown delivery and this id."""
        bundle = [ParcelQuery(one, None, ord(one)) if isinstance(one, str) else one for one in asked]
        return list(self.queue.fetch_bundle(self.reserved(bundle), "listed", bundle))

    def counts(self) -> tuple[int, int]:
        """(used, held)."""
        (counts,) = sent_and_held(self.queue, "listed")
        return counts


@pytest.fixture
def bundles(database: Database, clock: SimulatedClock) -> Bundles:
    return Bundles(database, clock)


@pytest.fixture
def bundles_of(database: Database, clock: SimulatedClock) -> Callable[[str], Bundles]:
    return lambda limits: Bundles(database, clock, limits)


def kinds(fetched: Sequence[CarrierAnswer]) -> list[ErrorKind | None]:
    return [one.outcome.kind if isinstance(one.outcome, Failure) else None for one in fetched]


def failure(fetched: CarrierAnswer) -> Failure:
    assert isinstance(fetched.outcome, Failure), fetched
    return fetched.outcome


# ---------------------------------------------------------------- one call for all


def test_only_the_first_claim_that_is_to_be_tracked_reserves_the_tracking() -> None:
    both, pod = {C.TRACKING: 1, C.POD: 1}, {C.POD: 1}
    assert SPEC.calls_for_bundle([]) == []
    assert SPEC.calls_for_bundle([DELIVERY, None, DELIVERY, None]) == [pod, both, pod, pod]
    assert SPEC.calls_for_bundle([DELIVERY]) == [pod]
    assert SPEC.calls_for_bundle([None] * 6) == [both, pod, pod, pod, pod, both]
    assert replace(SPEC, numbers_per_call=1).calls_for_bundle([None, DELIVERY, None]) == [both, pod, both]


def test_a_bundle_shares_one_tracking_call_and_its_unit(
    bundles: Bundles, caplog: pytest.LogCaptureFixture
) -> None:
    bundles.script.tracking |= {"B": DELIVERY, "C": UNKNOWN, "E": DELIVERY}
    bundles.script.proofs["E"] = PENDING
    fetched = bundles.fetch("A", "B", "C", ParcelQuery("D", DELIVERY, 4), "E")
    assert kinds(fetched) == [K.NOT_DELIVERED_YET, None, K.NOT_FOUND, None, K.POD_NOT_AVAILABLE_YET]
    assert [one.calls for one in fetched] == [1, 1, 0, 1, 1]
    assert all(one.accepted for one in fetched)
    assert failure(fetched[4]).delivery == DELIVERY
    assert bundles.script.asked == ["tracking A,B,C,E", "pod B", "pod D", "pod E"]
    assert bundles.counts() == (4, 0)
    assert not caplog.records


def test_two_claims_about_the_same_parcel_are_tracked_once(bundles: Bundles) -> None:
    bundles.script.tracking["A"] = DELIVERY
    assert kinds(bundles.fetch("A", "B", "A")) == [None, K.NOT_DELIVERED_YET, None]
    assert kinds(bundles.fetch("A", "A")) == [None, None]
    assert bundles.script.asked == ["tracking A,B", "pod A", "pod A", "tracking A", "pod A", "pod A"]


def test_a_bundle_with_one_parcel_to_track_makes_a_single_call(bundles: Bundles) -> None:
    bundles.script.whole["A"] = BROKEN
    assert kinds(bundles.fetch(ParcelQuery("B", DELIVERY), "A")) == [None, K.NOT_DELIVERED_YET]
    assert bundles.script.asked == ["pod B", "tracking A"]


def test_answers_arrive_one_by_one_and_settle_their_units(bundles: Bundles) -> None:
    bundles.script.tracking["A"] = DELIVERY
    asked = [ParcelQuery(number, None) for number in "ABC"]
    with closing_bundle(bundles, asked) as answers:
        assert bundles.counts() == (0, 4)
        next(answers)
        assert bundles.script.asked == ["tracking A,B,C", "pod A"]
        assert bundles.counts() == (2, 2)
        next(answers)
        assert bundles.counts() == (2, 1)
    assert bundles.counts() == (2, 0)


def closing_bundle(bundles: Bundles, asked: Sequence[ParcelQuery]) -> Any:
    answers: Any = bundles.queue.fetch_bundle(bundles.reserved(asked), "listed", asked)
    return closing(answers)


def test_a_call_waiting_for_a_window_is_canceled_when_the_run_ends(
    bundles_of: Callable[[str], Bundles],
) -> None:
    """The result of an earlier call is kept. The claims after it are not called for."""
    bundles = bundles_of("1/minute,100/day@UTC")
    bundles.script.tracking = dict.fromkeys("ABC", DELIVERY)
    ends = bundles.clock.now() + timedelta(seconds=30)

    def fetched() -> list[CarrierAnswer]:
        needed = SPEC.calls_for_bundle([None] * 3)
        grants, _ = bundles.queue.reserve("listed", needed, may_continue=lambda: bundles.clock.now() < ends)
        return list(
            bundles.queue.fetch_bundle(grants, "listed", [ParcelQuery(number, None) for number in "ABC"])
        )

    (first,) = fetched()
    assert (failure(first).kind, failure(first).delivery, first.calls) == (K.RATE_LIMITED, DELIVERY, 1)
    assert not failure(first).closes_carrier
    assert fetched() == []
    assert bundles.clock.now() == ends
    assert sent_and_held(bundles.queue, "listed") == [(1, 0), (1, 0)]


def test_no_call_begins_after_the_run_was_stopped(bundles: Bundles) -> None:
    called: list[int] = []
    bundles.script.tracking = {"A": DELIVERY}
    bundles.script.during = lambda: called.append(1)
    grants, _ = bundles.queue.reserve(
        "listed", SPEC.calls_for_bundle([None]), may_continue=lambda: not called
    )
    (fetched,) = bundles.queue.fetch_bundle(grants, "listed", [ParcelQuery("A", None)])
    assert (failure(fetched).kind, failure(fetched).delivery, fetched.calls) == (K.RATE_LIMITED, DELIVERY, 1)
    assert not failure(fetched).closes_carrier
    assert bundles.counts() == (1, 0)


# ---------------------------------------------------------------- what the whole call suffers


@pytest.mark.parametrize("whole", [SILENT, GATEWAY, UNREADABLE, BROKEN, RESET])
def test_an_unavailable_carrier_is_not_called_for_every_number(bundles: Bundles, whole: Failure) -> None:
    bundles.script.whole = dict.fromkeys("ABCDE", whole)
    bundles.script.tracking = dict.fromkeys("ABCDE", whole)
    fetched = bundles.fetch(*"ABCDE")
    assert bundles.script.asked == [f"tracking {numbers}" for numbers in ("A,B,C,D,E", "A,B,C", "D,E", "A")]
    assert kinds(fetched) == [whole.kind] * 5
    assert [(one.calls, one.was_asked, one.shows_outage, one.fails_bundles) for one in fetched] == [
        (4, True, True, False),
        *[(0, False, False, False)] * 4,
    ]
    assert bundles.counts() == (4, 0)


def test_an_outage_with_an_end_answers_the_whole_bundle(bundles: Bundles) -> None:
    bundles.script.whole["C"] = replace(GATEWAY, retry_at=START + timedelta(hours=2))
    fetched = bundles.fetch("A", "B", "C")
    assert kinds(fetched) == [K.SERVER_ERROR] * 3
    assert [one.calls for one in fetched] == [1, 0, 0]
    assert bundles.counts() == (1, 0)


def test_a_call_that_could_not_connect_uses_no_unit(bundles: Bundles) -> None:
    bundles.script.whole["A"] = UNREACHABLE
    fetched = bundles.fetch("A", "B")
    assert [(one.calls, one.unsent, failure(one).connected) for one in fetched] == [
        (0, 1, False),
        (0, 0, False),
    ]
    assert bundles.counts() == (0, 0)


def test_a_rate_limit_applies_to_the_whole_bundle(bundles: Bundles) -> None:
    bundles.script.whole["B"] = TOO_MANY
    fetched = bundles.fetch(ParcelQuery("A", DELIVERY), "B", ParcelQuery("C", DELIVERY), "D")
    assert kinds(fetched) == [None, *[K.RATE_LIMITED] * 3]
    assert {failure(one).retry_at for one in fetched[1:]} == {TOO_MANY.retry_at}
    assert [one.calls for one in fetched] == [1, 1, 0, 0]
    assert failure(fetched[2]).delivery == DELIVERY
    assert bundles.script.asked == ["pod A", "tracking B,D"]
    refusal = bundles.queue.closed("listed")
    assert refusal is not None
    assert refusal.until == TOO_MANY.retry_at


def test_a_later_rate_limit_keeps_the_deliveries_from_the_shared_call(bundles: Bundles) -> None:
    bundles.script.tracking |= {"A": DELIVERY, "C": DELIVERY}
    bundles.script.proofs["A"] = TOO_MANY
    fetched = bundles.fetch("A", "B", "C", ParcelQuery("D", None))
    assert kinds(fetched) == [K.RATE_LIMITED, K.NOT_DELIVERED_YET, K.RATE_LIMITED, K.NOT_DELIVERED_YET]
    assert [failure(one).delivery for one in fetched] == [DELIVERY, None, DELIVERY, None]
    assert bundles.script.asked == ["tracking A,B,C,D", "pod A"]
    assert bundles.counts() == (2, 0)


# ---------------------------------------------------------------- what one number does


@pytest.mark.parametrize("whole", [BAD_REQUEST, UNKNOWN, UNREADABLE, BROKEN, GATEWAY, SILENT, RESET])
@pytest.mark.parametrize("is_bad_alone", [True, False])
def test_a_number_that_breaks_a_shared_call_affects_no_other(
    bundles: Bundles, whole: Failure, caplog: pytest.LogCaptureFixture, *, is_bad_alone: bool
) -> None:
    bundles.script.whole["C"] = whole
    bundles.script.tracking |= {"C": whole if is_bad_alone else ON_ITS_WAY, "D": DELIVERY}
    fetched = bundles.fetch("A", "B", "C", "D")
    alone = whole.kind if is_bad_alone else K.NOT_DELIVERED_YET
    assert kinds(fetched) == [K.NOT_DELIVERED_YET, K.NOT_DELIVERED_YET, alone, None]
    assert [one.calls for one in fetched] == [5, 0, 0, 1]
    assert bundles.counts() == (6, 0)
    # Their own answers do not always distinguish the two cases.
    is_told = is_bad_alone and whole not in (BAD_REQUEST, UNKNOWN)
    assert [one.fails_bundles for one in fetched] == [False, False, True, not is_told]
    assert caplog.messages == [
        f"Listed failed on a call about 4 parcels ({whole.message}). Smaller calls were made instead, "
        f"and {1 if is_told else 2} of these parcels will be tracked one by one from now on"
    ]


def test_an_error_about_one_parcel_affects_no_other(
    bundles: Bundles, caplog: pytest.LogCaptureFixture
) -> None:
    bundles.script.whole["C"] = KeyError("strange")
    fetched = bundles.fetch("A", "B", "C", "D")
    assert kinds(fetched) == [K.NOT_DELIVERED_YET] * 4
    assert [(one.calls, one.fails_bundles) for one in fetched] == [
        (3, False),
        (0, False),
        (1, True),
        (1, True),
    ]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "WARNING"]


def test_an_error_about_every_parcel_soon_leads_to_single_calls(bundles: Bundles) -> None:
    bundles.script.whole = dict.fromkeys("ABCDE", KeyError("strange"))
    bundles.script.tracking["A"] = KeyError("strange")
    with pytest.raises(KeyError):
        bundles.fetch(*"ABCDE")
    assert [len(one.split(",")) for one in bundles.script.asked] == [5, 3, 2, 1]


def test_if_most_numbers_are_bad_the_others_are_called_one_by_one(bundles: Bundles) -> None:
    bundles.script.whole = dict.fromkeys("ABCDE", BAD_REQUEST)
    bundles.script.tracking = dict.fromkeys("ABCDE", BAD_REQUEST)
    fetched = bundles.fetch(*"ABCDE")
    assert kinds(fetched) == [K.INVALID_TRACKING] * 5
    assert sum(one.calls for one in fetched) <= 9
    assert not any(one.shows_outage for one in fetched)


def test_no_bundle_is_halved_after_the_run_was_stopped(bundles: Bundles) -> None:
    bundles.script.whole["A"] = BROKEN
    asked = [ParcelQuery(number, None) for number in "ABCD"]
    answers = bundles.queue.fetch_bundle(
        bundles.reserved(asked), "listed", asked, lambda: len(bundles.script.asked) < 2
    )
    assert kinds([next(answers)]) == [K.NOT_DELIVERED_YET]
    answers.close()
    assert bundles.script.asked == ["tracking A,B,C,D", "tracking A,B", "tracking A"]
    assert bundles.counts() == (3, 0)


def test_unanswered_numbers_wait_if_no_unit_is_left(
    bundles_of: Callable[[str], Bundles],
) -> None:
    bundles = bundles_of("4/day@UTC")
    bundles.script.whole["C"] = BROKEN
    grants, _ = bundles.queue.reserve("listed", [{C.TRACKING: 1}, {}, {}, {}])
    asked = [ParcelQuery(number, None) for number in "ABCD"]
    bundles.script.tracking["C"] = BROKEN
    fetched = list(bundles.queue.fetch_bundle(grants, "listed", asked))
    assert kinds(fetched) == [K.NOT_DELIVERED_YET, K.NOT_DELIVERED_YET, K.SERVER_ERROR, K.RATE_LIMITED]
    assert bundles.counts() == (4, 0)


def test_a_number_missing_in_the_answer_is_tracked_alone(
    bundles: Bundles, caplog: pytest.LogCaptureFixture
) -> None:
    bundles.script.left_out = {"B"}
    bundles.script.tracking["B"] = DELIVERY
    assert kinds(bundles.fetch("A", "B", "C")) == [K.NOT_DELIVERED_YET, None, K.NOT_DELIVERED_YET]
    assert bundles.script.asked == ["tracking A,B,C", "tracking B", "pod B"]
    assert caplog.messages == [
        "Listed did not answer for 1 of 3 parcels in one call; the unanswered parcels are tracked one by one"
    ]


def test_a_single_call_takes_a_unit_only_if_one_is_left(
    bundles_of: Callable[[str], Bundles],
) -> None:
    bundles = bundles_of("3/day@UTC")
    bundles.script.left_out = {"B"}
    bundles.script.tracking["B"] = DELIVERY
    fetched = bundles.fetch("A", "B")
    assert kinds(fetched) == [K.NOT_DELIVERED_YET, None]  # by the unit that A returned
    assert bundles.counts() == (3, 0)
    bundles.clock.advance(timedelta(days=1))
    bundles.script.tracking["A"] = DELIVERY
    fetched = bundles.fetch("A", "B")
    assert kinds(fetched) == [None, K.RATE_LIMITED]
    assert failure(fetched[1]).delivery == DELIVERY
    assert bundles.counts() == (3, 0)


def test_unreadable_proofs_do_not_mean_that_tracking_is_down(bundles: Bundles) -> None:
    bundles.script.whole["A"] = UNREADABLE
    bundles.script.tracking = dict.fromkeys("ABC", DELIVERY)
    bundles.script.proofs = dict.fromkeys("AB", UNREADABLE)
    assert kinds(bundles.fetch(*"ABC")) == [K.BAD_RESPONSE, K.BAD_RESPONSE, None]


def test_an_error_in_a_single_call_ends_the_bundle_and_returns_units(bundles: Bundles) -> None:
    bundles.script.whole["B"] = bundles.script.tracking["B"] = KeyError("strange")
    asked = [ParcelQuery(number, None) for number in "ABC"]
    answers = bundles.queue.fetch_bundle(bundles.reserved(asked), "listed", asked)
    assert kinds([next(answers)]) == [K.NOT_DELIVERED_YET]
    with pytest.raises(KeyError):
        next(answers)
    assert bundles.script.asked == [f"tracking {numbers}" for numbers in ("A,B,C", "A,B", "A", "B")]
    assert bundles.counts() == (4, 0)


@pytest.mark.parametrize("ours", [DatabaseError("gone"), ImportError("no package")])
def test_a_fault_of_our_own_ends_the_bundle_at_once(bundles: Bundles, ours: Exception) -> None:
    bundles.script.whole["B"] = ours
    with pytest.raises(type(ours)):
        bundles.fetch("A", "B", "C")
    assert len(bundles.script.asked) == 1


# ---------------------------------------------------------------- our account


def test_a_rejected_account_closes_after_one_check(bundles: Bundles) -> None:
    bundles.script.whole["A"] = bundles.script.tracking["0"] = REFUSED
    fetched = bundles.fetch("A", "B", "C")
    assert kinds(fetched) == [K.AUTH_FAILED] * 3
    assert [one.calls for one in fetched] == [2, 0, 0]
    assert bundles.script.asked == ["tracking A,B,C", "tracking 0"]
    assert not any(failure(one).claim_only or one.accepted for one in fetched)
    state = bundles.quota.carrier_state("listed").account
    assert (state.refusals, state.claim) == (1, None)
    assert {failure(one).retry_at for one in fetched} == {state.refused_until}


def test_one_rejected_parcel_does_not_close_the_account(bundles: Bundles) -> None:
    bundles.script.whole["B"] = bundles.script.tracking["B"] = REFUSED
    bundles.script.tracking |= {"0": UNKNOWN, "C": DELIVERY}
    fetched = bundles.fetch("A", "B", "C")
    assert kinds(fetched) == [K.NOT_DELIVERED_YET, K.ACCESS_DENIED, None]
    assert bundles.script.asked == [
        "tracking A,B,C",
        "tracking 0",
        "tracking A,B",
        "tracking A",
        "tracking B",
        "tracking C",
        "pod C",
    ]
    assert bundles.quota.carrier_state("listed").account.refusals == 0


def test_an_account_without_the_right_to_documents_stays_open(bundles: Bundles) -> None:
    bundles.script.tracking |= {"A": DELIVERY, "C": DELIVERY}
    bundles.script.proofs["A"] = DENIED
    fetched = bundles.fetch("A", "B", "C")
    assert kinds(fetched) == [K.ACCOUNT_DENIED, K.NOT_DELIVERED_YET, K.ACCOUNT_DENIED]
    assert failure(fetched[2]).delivery == DELIVERY
    assert [one.calls for one in fetched] == [2, 0, 0]
    assert bundles.quota.carrier_state("listed").account.refusals == 0


@pytest.mark.parametrize("refused", ["bundle", "claim"])
@pytest.mark.parametrize("accepted", [True, False])
def test_a_retried_account_is_checked_before_the_claim_that_closed_it(
    database: Database, bundles: Bundles, refused: str, *, accepted: bool
) -> None:
    script = bundles.script
    script.tracking = dict.fromkeys("A0", REFUSED)
    script.whole["A"] = REFUSED
    bundles.fetch(*("AB" if refused == "bundle" else "A"))
    bundles.queue.leave()
    bundles.clock.advance(timedelta(hours=1))
    again = Bundles(database, bundles.clock)
    again.script.tracking |= {"0": UNKNOWN if accepted else REFUSED, "B": DELIVERY}
    fetched = again.fetch("C", "A", "B")
    if accepted:
        assert kinds(fetched) == [K.NOT_DELIVERED_YET, K.NOT_DELIVERED_YET, None]
        assert again.script.asked == ["tracking 0", "tracking C,A,B", "pod B"]
        assert again.quota.carrier_state("listed").account.refusals == 0
    else:
        assert kinds(fetched) == [K.AUTH_FAILED] * 3
        assert again.script.asked == ["tracking 0"]
        assert again.quota.carrier_state("listed").account.refusals == 2


def test_a_bundle_without_the_claim_that_closed_the_account_retries_the_account(
    database: Database, bundles: Bundles
) -> None:
    bundles.script.tracking = dict.fromkeys("A0", REFUSED)
    bundles.script.tracking["0"] = UNREADABLE  # so that the refusal is about A
    bundles.fetch("A")
    bundles.queue.leave()
    assert bundles.quota.carrier_state("listed").account.claim == ord("A")
    bundles.clock.advance(timedelta(hours=1))
    again = Bundles(database, bundles.clock)
    again.script.tracking["B"] = DELIVERY
    assert kinds(again.fetch("B", "C")) == [None, K.NOT_DELIVERED_YET]
    assert again.script.asked == ["tracking B,C", "pod B"]
