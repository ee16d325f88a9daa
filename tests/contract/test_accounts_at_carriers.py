"""Several accounts at one carrier: each gets its own answers, and problems of one account do not affect others.

Over a real socket, with the real queue and its quota. Every carrier in the registry is included automatically.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from recours.accounts.opened import make_queue, open_accounts
from recours.carriers.registry import CATALOG
from recours.carriers.reservation import Account
from recours.core.accounts import AccountKey
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Outcome, Retrieved
from recours.core.quota import Capability, Limit, Window
from recours.database.engine import Database
from recours.runs.ports import CarrierAnswer, ParcelQuery
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.settings.loading import load
from tests.carriers.cases import CASES
from tests.planted import PASSWORD

S = Scenario
CARRIERS = sorted(CATALOG.specs)
# The default account and two clients' accounts, as the carriers know them.
DEFAULT_ACCOUNT, FIRST, SECOND = "10000001", "10000002", "10000003"
PASSWORDS = {DEFAULT_ACCOUNT: PASSWORD, FIRST: "222222", SECOND: "333333"}
AMPLE = 1000


@dataclass
class Several:
    """Three accounts at one carrier behind one queue, on a real database, against the sandbox."""

    carrier: str
    database: Database
    folder: Path
    box: Sandbox
    clock: SimulatedClock

    def __post_init__(self) -> None:
        self.cases = CASES[self.carrier]
        self.spec = CATALOG.specs[self.carrier]
        self.keys = {
            name: str(AccountKey(self.carrier, number)) for number, name in enumerate(self.box.accounts)
        }
        # recours's view, regardless of their state at the carrier.
        self.credentials = {name: self.box.credentials(self.carrier, name) for name in self.box.accounts}
        self.numbers = 0
        kept = {key: self._account(name, key) for name, key in self.keys.items()}
        settings = load(self.folder, {}, CATALOG)
        self.queue = make_queue(settings, self.database, self.clock, lambda: 0.5, kept)

    def _account(self, name: str, key: str) -> Account:
        given = self.box.environment(self.carrier) | self.credentials[name]
        account = open_accounts(load(self.folder, given, CATALOG), self.clock, lambda: 0.5)[self.carrier]
        limits = [Limit(key, AMPLE, Window(3600))]
        if Capability.TOKEN in self.spec.limits:
            limits.append(Limit(key, AMPLE, Window(3600), Capability.TOKEN))
        return replace(account, limits=tuple(limits))

    def parcel_of(self, owner: str, *steps: Scenario) -> str:
        self.numbers += 1
        number = self.box.example(self.carrier, "99", self.numbers)
        self.box.parcels[number] = Parcel(steps or (S.DELIVERED,), owner=owner)
        return number

    def fetch(self, name: str, number: str) -> CarrierAnswer:
        (reservation,), refusal = self.queue.reserve(self.keys[name], [self.spec.calls_for(None)])
        assert refusal is None, refusal
        (fetched,) = self.queue.fetch_bundle([reservation], self.keys[name], [ParcelQuery(number, None)])
        return fetched

    def ask(self, name: str, number: str) -> Outcome:
        return self.fetch(name, number).outcome

    def gets_its_own(self, name: str) -> None:
        """Check that the account is open and receives its own parcel's proof."""
        assert self.queue.closed(self.keys[name]) is None
        self.is_brought(self.ask(name, self.parcel_of(name)))

    def is_brought(self, outcome: Outcome) -> None:
        if self.spec.issues_documents:
            assert isinstance(outcome, Retrieved), outcome
        else:
            assert isinstance(outcome, Failure)
            assert (outcome.kind, outcome.delivery is None) == (ErrorKind.POD_NEVER_AVAILABLE, False)

    def callers(self) -> set[str]:
        """The accounts used by calls since the last check; some calls do not show theirs."""
        callers = {call.account for call in self.box.calls} - {""}
        self.box.calls.clear()
        return callers


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def several(carrier: str, database: Database, tmp_path: Path, clock: SimulatedClock) -> Iterator[Several]:
    with Sandbox(now=clock.now) as box:
        box.accounts = dict(PASSWORDS)
        yield Several(carrier, database, tmp_path, box, clock)


WITH_TOKENS = pytest.mark.parametrize("carrier", [key for key in CARRIERS if CASES[key].has_tokens])
# Their answer about another account's parcel reveals the owner.
SAY_WHOSE = [
    key for key in CARRIERS if CASES[key].not_ours in (ErrorKind.ACCESS_DENIED, ErrorKind.ACCOUNT_DENIED)
]


def kind_of_others(several: Several) -> ErrorKind:
    """The kind of error for another customer's parcel, for an account that has received documents."""
    return ErrorKind.ACCESS_DENIED if several.carrier in SAY_WHOSE else several.cases.not_ours


# ---------------------------------------------------------------- parcels


@pytest.mark.parametrize(("asks", "owner"), [(DEFAULT_ACCOUNT, FIRST), (SECOND, FIRST)])
def test_a_parcel_of_another_account_gets_the_public_answer(several: Several, asks: str, owner: str) -> None:
    several.gets_its_own(asks)  # otherwise it might be refused all documents
    number = several.parcel_of(owner)
    outcome = several.ask(asks, number)
    assert isinstance(outcome, Failure), outcome
    assert outcome.kind is kind_of_others(several)
    assert several.queue.closed(several.keys[asks]) is None
    several.callers()
    several.is_brought(several.ask(owner, number))


@pytest.mark.parametrize("carrier", ["colissimo", "dpd", "mondial_relay"])
def test_some_carriers_show_the_location_only_to_the_owner(several: Several) -> None:
    number = several.parcel_of(FIRST, S.IN_TRANSIT)
    kinds = [several.ask(name, number) for name in (SECOND, FIRST)]
    others = several.cases.not_ours
    assert [kind.kind for kind in kinds if isinstance(kind, Failure)] == [others, ErrorKind.NOT_DELIVERED_YET]


@pytest.mark.parametrize("carrier", [key for key in CARRIERS if CATALOG.specs[key].numbers_per_call > 1])
def test_a_shared_call_distinguishes_parcels_of_other_accounts(several: Several) -> None:
    numbers = [several.parcel_of(owner) for owner in (FIRST, SECOND, FIRST)]
    key = several.keys[FIRST]
    reservations, _ = several.queue.reserve(key, [several.spec.calls_for(None)] * len(numbers))
    asked = [ParcelQuery(number, None) for number in numbers]
    mine, others, mine_too = [one.outcome for one in several.queue.fetch_bundle(reservations, key, asked)]
    several.is_brought(mine)
    several.is_brought(mine_too)
    assert isinstance(others, Failure)
    assert others.kind is kind_of_others(several)
    assert several.callers() == ({FIRST, DEFAULT_ACCOUNT} if several.carrier in SAY_WHOSE else {FIRST})


# ---------------------------------------------------------------- the default account, where a client's account was denied


@pytest.mark.parametrize("carrier", SAY_WHOSE)
def test_the_default_account_is_asked_within_the_same_fetch_and_remembered(several: Several) -> None:
    several.gets_its_own(FIRST)
    several.callers()
    before = len(several.box.calls)
    fetched = several.fetch(FIRST, several.parcel_of(DEFAULT_ACCOUNT))
    several.is_brought(fetched.outcome)
    assert (fetched.remember, fetched.account) == (0, 0)
    in_order = [call.account for call in several.box.calls[before:] if call.account]
    assert in_order == sorted(in_order, reverse=True), "first the client's account, then the default account"
    assert several.callers() == {FIRST, DEFAULT_ACCOUNT}


@pytest.mark.parametrize("carrier", [key for key in CARRIERS if key not in SAY_WHOSE])
def test_the_default_account_is_not_used_if_the_answer_does_not_name_an_owner(
    several: Several,
) -> None:
    several.ask(FIRST, several.parcel_of(DEFAULT_ACCOUNT))
    assert several.callers() == {FIRST}


# ---------------------------------------------------------------- credentials and tokens


@WITH_TOKENS
def test_a_rejected_token_is_renewed_only_for_its_account(several: Several) -> None:
    for name in PASSWORDS:
        several.gets_its_own(name)
    several.callers()
    refused = [token for token, given in several.box.tokens.items() if given.account == FIRST]
    for token in refused:
        del several.box.tokens[token]
    for name in PASSWORDS:
        several.gets_its_own(name)
    assert [call.account for call in several.box.calls if call.operation == "token"] == [FIRST]
