"""Client accounts at the queue: each has its own state, and the default account is the fallback."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from recours.carriers.chronopost import SPEC, Chronopost
from recours.carriers.http import Http, HttpSession
from recours.carriers.queue import APIRequestQueue
from recours.carriers.reservation import Account
from recours.core.accounts import DEFAULT_ACCOUNT
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Retrieved
from recours.core.pauses import Blocked
from recours.core.quota import Capability, parse_limits
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.runs.ports import CarrierAnswer, ParcelQuery
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.sandbox.answers import Answer, Question, SimulatedCarrier
from recours.sandbox.scenarios import ParcelState
from tests.units import sent_and_held

NOW = datetime(2026, 2, 2, 8, tzinfo=UTC)
BOTH = {Capability.TRACKING: 1, Capability.POD: 1}
NUMBER = "XY001234567FR"
OF_DEFAULT = "10000001"
SHOPS = ("20000001", "20000002", "20000003", "20000004", "20000005")
KEYS = tuple(f"chronopost#{place}" for place, _ in enumerate(SHOPS, 1))


class Accounts(dict[str, Account]):
    """The default account and clients' accounts, each created on first use."""

    def __init__(self, make: Callable[[str], Account]) -> None:
        super().__init__({"chronopost": make("chronopost")})
        self._make = make

    def __missing__(self, key: str) -> Account:
        return self.setdefault(key, self._make(key))


@dataclass
class Scene:
    """A carrier with default accounts and accounts of five shops."""

    box: Sandbox
    clock: SimulatedClock
    store: QuotaTables
    limits: dict[str, str] = field(default_factory=dict)  # by key; others have 100 a day
    # From the settings, where they are not the account's
    passwords: dict[str, str] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)

    def queue(self) -> APIRequestQueue:
        self.accounts = Accounts(self._account)
        return APIRequestQueue(self.accounts, self.store, self.clock)

    def _account(self, key: str) -> Account:
        number = int(key.partition("#")[2] or 0)
        account = SHOPS[number - 1] if number else OF_DEFAULT
        given = dict(self.box.credentials("chronopost", account))
        given["CHRONOPOST_PASSWORD"] = self.passwords.get(key, given["CHRONOPOST_PASSWORD"])
        real = Chronopost(given)
        http = Http(self.box.url, 5, 5, 5)
        return Account(
            spec=SPEC,
            limits=parse_limits(self.limits.get(key, "100/day"), key, None, "UTC"),
            make_client=lambda: real,
            open_session=lambda reservation, client: HttpSession(
                SPEC.name, reservation, http, self.clock, lambda: 0.0, client.wait_asked
            ),
            credentials=(given["CHRONOPOST_ACCOUNT"], given["CHRONOPOST_PASSWORD"]),
            source="the database",
            missing=self.unusable.get(key, ""),
            client_address=f"shop-{number}@example.com" if number else "",
        )

    def parcel(self, number: str, owner: str | None, scenario: Scenario = Scenario.DELIVERED) -> str:
        self.box.parcels[number] = Parcel((scenario,), owner=owner)
        return number

    def asked_with(self) -> list[str]:
        """The accounts used by document calls."""
        return [call.account for call in self.box.calls if call.account]

    def used(self, queue: APIRequestQueue) -> dict[str, tuple[int, int]]:
        """Used and reserved units of each opened account."""
        return {key: counts for key in self.accounts for counts in sent_and_held(queue, key)}


@pytest.fixture
def store(database: Database) -> QuotaTables:
    return QuotaTables(database)


@pytest.fixture
def scene(store: QuotaTables) -> Iterator[Scene]:
    clock = SimulatedClock(NOW)
    with Sandbox(now=clock.now) as box:
        box.accounts = {OF_DEFAULT: "123456"} | {shop: f"{place}23456" for place, shop in enumerate(SHOPS, 2)}
        yield Scene(box, clock, store)


def fetch(
    queue: APIRequestQueue, key: str, number: str = NUMBER, known: Delivery | None = None
) -> CarrierAnswer:
    reservations, refusal = queue.reserve(key, [SPEC.calls_for(known)])
    assert refusal is None, refusal
    with closing(queue.fetch_bundle(reservations, key, [ParcelQuery(number, known, 7)])) as answers:
        return next(answers)


def kind(fetched: CarrierAnswer) -> ErrorKind | None:
    return fetched.outcome.kind if isinstance(fetched.outcome, Failure) else None


# ---------------------------------------------------------------- alone with its troubles


def test_problems_of_one_account_do_not_affect_others(scene: Scene) -> None:
    wrong, full, paused = KEYS[:3]
    scene.passwords = {wrong: "999999"}
    scene.limits = {full: "2/day"}
    scene.unusable = {KEYS[4]: "its credentials are encrypted, and RECOURS_ACCOUNTS_KEY is not set"}
    queue = scene.queue()
    scene.store.pause(paused, NOW + timedelta(hours=1), "Chronopost asks us to wait", NOW)
    numbers = {key: scene.parcel(f"XY00000000{n}FR", SHOPS[n]) for n, key in enumerate(KEYS)}
    assert isinstance(fetch(queue, full, numbers[full]).outcome, Retrieved)
    refused = fetch(queue, wrong, numbers[wrong])
    assert kind(refused) is ErrorKind.AUTH_FAILED
    assert isinstance(refused.outcome, Failure)
    assert refused.outcome.explanation

    closed = {key: queue.closed(key) or queue.reserve(key, [BOTH])[1] for key in KEYS}
    reasons = {key: refusal.reason for key, refusal in closed.items() if refusal}
    assert reasons == {
        wrong: "Chronopost rejects the credentials of shop-1@example.com: "
        f"{refused.outcome.explanation.words} (credentials from the database)",
        full: "Chronopost (shop-2@example.com) is at its limit (2 per day)",
        paused: "Chronopost asks us to wait",
        KEYS[4]: "The Chronopost account of shop-5@example.com cannot be used: "
        "its credentials are encrypted, and RECOURS_ACCOUNTS_KEY is not set",
    }
    for key in ("chronopost", KEYS[3]):
        scene.parcel(NUMBER, None)
        assert isinstance(fetch(queue, key).outcome, Retrieved), key
        assert queue.closed(key) is None
    assert scene.used(queue)[full] == (2, 0)


def test_new_credentials_of_a_client_clear_only_its_own_refusal(scene: Scene) -> None:
    scene.passwords = {KEYS[0]: "999999", "chronopost": "999998"}
    run = scene.queue()
    scene.parcel(NUMBER, None)
    for key in (KEYS[0], "chronopost"):
        assert kind(fetch(run, key)) is ErrorKind.AUTH_FAILED
    del scene.passwords[KEYS[0]]
    later = scene.queue()
    assert later.closed(KEYS[0]) is None
    assert later.closed("chronopost") is not None
    assert isinstance(fetch(later, KEYS[0]).outcome, Retrieved)


def test_a_wait_applies_to_one_account_and_an_outage_to_all(scene: Scene) -> None:
    queue = scene.queue()
    scene.parcel(NUMBER, None, Scenario.RATE_LIMITED)
    assert kind(fetch(queue, KEYS[0])) is ErrorKind.RATE_LIMITED
    assert [queue.closed(key) is not None for key in ("chronopost", *KEYS)] == [False, True] + [False] * 4
    scene.store.pause_carrier("chronopost", NOW + timedelta(minutes=5), "Chronopost is unavailable", NOW)
    assert [queue.closed(key) is not None for key in ("chronopost", *KEYS)] == [True] * 6
    scene.clock.advance(timedelta(minutes=5))
    assert [queue.closed(key) for key in ("chronopost", *KEYS)] == [None] * 6


def test_accounts_are_opened_when_they_are_asked_for(scene: Scene) -> None:
    queue = scene.queue()
    assert set(scene.accounts) == {"chronopost"}
    queue.closed(KEYS[2])
    queue.leave()
    assert set(scene.accounts) == {"chronopost", KEYS[2]}


# ---------------------------------------------------------------- the default account helps out


def test_the_default_account_is_tried_for_a_parcel_denied_to_a_client(scene: Scene) -> None:
    queue = scene.queue()
    scene.parcel(NUMBER, OF_DEFAULT)
    fetched = fetch(queue, KEYS[0])
    assert isinstance(fetched.outcome, Retrieved)
    assert (fetched.remember, fetched.account) == (DEFAULT_ACCOUNT, DEFAULT_ACCOUNT)
    assert scene.asked_with()[-1] == OF_DEFAULT
    used = scene.used(queue)
    assert used["chronopost"][1] == used[KEYS[0]][1] == 0, "nothing stays held"
    assert used["chronopost"][0] + used[KEYS[0]][0] == fetched.calls


def test_an_answer_of_the_default_account_without_a_proof_counts_and_is_remembered(scene: Scene) -> None:
    queue = scene.queue()
    scene.parcel(NUMBER, OF_DEFAULT, Scenario.POD_LATE)
    fetched = fetch(queue, KEYS[0])
    assert kind(fetched) is ErrorKind.POD_NOT_AVAILABLE_YET
    assert (fetched.remember, fetched.account) == (DEFAULT_ACCOUNT, DEFAULT_ACCOUNT)
    assert fetched.outcome.delivery is not None, "the client's account has tracked it"


def test_a_parcel_denied_to_both_accounts_is_denied(scene: Scene) -> None:
    queue = scene.queue()
    scene.parcel(NUMBER, SHOPS[1])
    fetched = fetch(queue, KEYS[0])
    assert kind(fetched) is ErrorKind.ACCESS_DENIED
    assert (fetched.remember, fetched.account) == (None, DEFAULT_ACCOUNT)


def test_an_account_is_paused_separately(scene: Scene) -> None:
    queue = scene.queue()
    paused, other = KEYS[:2]
    queue.stop(paused, "lea", "unpaid")
    refusal = queue.closed(paused)
    assert refusal is not None
    assert refusal.stopped
    assert refusal.reason.endswith(
        "('recours resume chronopost --account \"shop-1@example.com\"' resumes it)"
    )
    assert [queue.closed(key) for key in (other, "chronopost")] == [None, None]
    queue.stop("chronopost", "lea")
    assert queue.resume(paused, "lea") is not None
    assert queue.closed(paused) is not None, "the carrier is paused for all"
    queue.resume("chronopost", "lea")
    assert queue.closed(paused) is None
    queue.stop(paused, "lea", until=scene.clock.now() + timedelta(hours=1))
    assert queue.closed(paused) is not None
    scene.clock.advance(timedelta(hours=1))
    assert [queue.closed(paused), queue.status(paused).stopped] == [None, None]


@pytest.mark.parametrize("why", ["no credentials", "refused"])
def test_a_denial_is_final_if_the_default_account_cannot_be_used(scene: Scene, why: str) -> None:
    if why == "no credentials":
        scene.unusable = {"chronopost": "CHRONOPOST_ACCOUNT"}
    if why == "refused":
        scene.passwords = {"chronopost": "999999"}
    queue = scene.queue()
    if why == "refused":
        scene.parcel("XY000000009FR", None)
        assert kind(fetch(queue, "chronopost", "XY000000009FR")) is ErrorKind.AUTH_FAILED
    scene.parcel(NUMBER, OF_DEFAULT)
    scene.box.calls.clear()
    fetched = fetch(queue, KEYS[0])
    assert kind(fetched) is ErrorKind.ACCESS_DENIED
    assert (fetched.remember, fetched.account) == (None, None)
    assert OF_DEFAULT not in scene.asked_with()


def house_waits(carrier: SimulatedCarrier, question: Question, state: ParcelState) -> Answer:
    """The default account is rate-limited, and all others report another customer's parcel."""
    scenario = Scenario.RATE_LIMITED if question.account == OF_DEFAULT else Scenario.NOT_OURS
    return carrier.answer(question, replace(state, scenario=scenario))


@pytest.mark.parametrize("why", ["at its limit", "asked to wait", "asked to wait now"])
def test_no_attempt_is_used_while_the_default_account_has_no_call_left(scene: Scene, why: str) -> None:
    scene.limits = {"chronopost": "1/day"}
    queue = scene.queue()
    scene.parcel(NUMBER, OF_DEFAULT)
    if why == "asked to wait now":
        scene.box.parcels[NUMBER] = Parcel((house_waits,))
    if why == "at its limit":
        queue.reserve("chronopost", [{Capability.POD: 1}])
    if why == "asked to wait":
        scene.store.pause("chronopost", NOW + timedelta(hours=1), "Chronopost asks us to wait", NOW)
    before = scene.used(queue)["chronopost"]
    fetched = fetch(queue, KEYS[0])
    assert isinstance(fetched.outcome, Failure)
    assert (fetched.outcome.kind, fetched.outcome.claim_only) == (ErrorKind.RATE_LIMITED, True)
    assert not fetched.outcome.closes_carrier
    assert fetched.outcome.delivery is not None
    assert fetched.remember == DEFAULT_ACCOUNT
    assert queue.closed(KEYS[0]) is None
    if why == "asked to wait now":
        assert queue.closed("chronopost") is not None
    else:
        assert OF_DEFAULT not in scene.asked_with()
        assert scene.used(queue)["chronopost"] == before


def test_a_rejected_default_account_does_not_close_the_client_account(scene: Scene) -> None:
    scene.passwords = {"chronopost": "999999"}
    queue = scene.queue()
    scene.parcel(NUMBER, OF_DEFAULT)
    fetched = fetch(queue, KEYS[0])
    assert kind(fetched) is ErrorKind.ACCESS_DENIED
    assert isinstance(fetched.outcome, Failure)
    assert not fetched.outcome.closes_carrier
    refusal = queue.closed("chronopost")
    assert refusal is not None
    assert (refusal.why, refusal.kind) == (Blocked.CARRIER, ErrorKind.AUTH_FAILED)
    assert queue.closed(KEYS[0]) is None


def test_credentials_that_are_refused_do_not_fall_back(scene: Scene) -> None:
    scene.passwords = {KEYS[0]: "999999"}
    queue = scene.queue()
    scene.parcel(NUMBER, OF_DEFAULT)
    fetched = fetch(queue, KEYS[0])
    assert kind(fetched) is ErrorKind.AUTH_FAILED
    assert OF_DEFAULT not in scene.asked_with()


def test_a_check_asks_no_other_account(scene: Scene) -> None:
    queue = scene.queue()
    scene.parcel(NUMBER, OF_DEFAULT)
    checked = queue.check_credentials(KEYS[0], NUMBER)
    assert isinstance(checked, CarrierAnswer)
    assert kind(checked) is ErrorKind.ACCESS_DENIED
    assert OF_DEFAULT not in scene.asked_with()


def test_threads_of_a_run_keep_every_limit_without_waiting_for_each_other(
    database: Database, clock: SimulatedClock
) -> None:
    with Sandbox(now=clock.now) as box:
        box.accounts = {OF_DEFAULT: "123456"} | dict.fromkeys(SHOPS, "654321")
        scene = Scene(box, clock, QuotaTables(database), {"chronopost": "9/day", KEYS[0]: "4/day"})
        queue = scene.queue()
        numbers = [scene.parcel(f"XY0000000{n:02}FR", OF_DEFAULT) for n in range(20)]

        def ask(place: int) -> CarrierAnswer | None:
            key = KEYS[place % 5] if place % 2 else "chronopost"
            reservations, _ = queue.reserve(key, [BOTH])
            if not reservations:
                return None
            with closing(
                queue.fetch_bundle(reservations, key, [ParcelQuery(numbers[place], None, place)])
            ) as answers:
                return next(answers)

        with ThreadPoolExecutor(8) as pool:
            fetched = [one for one in pool.map(ask, range(20), timeout=60) if one]
        used = scene.used(queue)
    assert used["chronopost"][0] <= 9
    assert used[KEYS[0]][0] <= 4
    assert {held for _, held in used.values()} == {0}
    assert sum(taken for taken, _ in used.values()) == sum(one.calls for one in fetched)
    assert any(one.remember == DEFAULT_ACCOUNT for one in fetched)
