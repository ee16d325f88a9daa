"""Claims use the account of their client, on both databases, even if accounts change during runs."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from recours.core.accounts import DEFAULT_ACCOUNT, carrier_of
from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage
from recours.core.decision import Decision, decide, succeed
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.database.claims import ClaimRepository
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.maintenance import ClaimMaintenance
from recours.reporting.reader import DatabaseRecords
from recours.reporting.records import ClaimFilter
from recours.reporting.system_reader import SystemReader
from recours.runs.ports import Attempt, Lease
from tests.conftest import SERVICE_CLAIMS, SERVICE_CLIENTS, add_claims
from tests.contract.test_claims import CATALOG, NOW, POLICY, SUCCESS, edit, rows
from tests.fakes.intake import take_in
from tests.own_rows import joined_rows, put_account

SHOP, OTHER = 1, 2
DENIED = Failure(ErrorKind.ACCESS_DENIED, "Another customer's parcel", http_status=403)
NO_UNITS = Failure(ErrorKind.RATE_LIMITED, "The default account is at its limit", claim_only=True)
LATER = NOW + timedelta(minutes=1)
# The ids of a client's claims at the first carrier.
OF_SHOP = f"SELECT id FROM claims WHERE client_id = {SHOP} AND carrier = 'Chronopost'"


@dataclass
class Run:
    """A run of a worker with its view of the accounts at its start."""

    database: Database
    catalog: Catalog
    token: str = "run-1"

    def __post_init__(self) -> None:
        self.claims = ClaimRepository(self.database, self.catalog, self.token, "pod_retry_scheduler")
        self.maintenance = ClaimMaintenance(self.database, self.catalog, self.token)

    def keep(self, now: datetime = NOW) -> list[str]:
        changed = self.maintenance.repair_keys()
        take_in(self.database, self.catalog, now, POLICY)
        self.maintenance.stage_due(POLICY.due_until(now))
        return changed

    def ready(self) -> dict[str, int]:
        return {key: found.claims for key, found in self.claims.ready_by_carrier(Stage.READY, NOW).items()}

    def take(self, *lanes: str) -> list[Claim]:
        return self.claims.lease(Stage.READY, lanes, 1000, self.lease, NOW)

    def put_back(self, taken: list[Claim]) -> None:
        self.claims.release([(claim, claim.state) for claim in taken], self.lease)

    def record(self, claim: Claim, outcome: Any, *, asked: int, remember: int | None = None) -> None:
        failure = outcome if isinstance(outcome, Failure) else None
        decision = decide(claim, failure, NOW, POLICY) if failure else succeed(claim, outcome, NOW)
        decision = decision if remember is None else remembered(decision, remember)
        word = "failed" if failure else "success"
        attempt = Attempt(claim, 1, NOW, 0.5, 1, word, decision.uses_attempt, failure, account=asked)
        assert self.claims.record([(attempt, decision)], self.lease, NOW) == [True]

    @property
    def lease(self) -> Lease:
        return Lease(self.token, NOW + timedelta(minutes=10))


def remembered(decision: Decision, account: int) -> Decision:
    return replace(decision, state=replace(decision.state, account=account))


@pytest.fixture
def accounts(database: Database) -> ClientAccounts:
    with database.write() as connection:
        for number in (SHOP, OTHER):
            connection.execute(insert(SERVICE_CLIENTS).values(id=number, email=f"shop{number}@example.com"))
    return ClientAccounts(database)


def begin(
    database: Database,
    token: str = "run-1",
    of_clients: Mapping[Any, Mapping[str, int]] | None = None,
    configured: tuple[str, ...] = ("chronopost", "other"),
) -> Run:
    """A run that starts now. `of_clients` replaces the accounts that it would read."""
    known = ClientAccounts(database).directory() if of_clients is None else of_clients
    return Run(database, CATALOG.with_accounts(configured, known), token)


@pytest.fixture(autouse=True)
def _claims(database: Database, accounts: ClientAccounts) -> None:
    """Two claims of each client at a carrier, and one at another, all due."""
    add_claims(
        database,
        [
            {"client_id": client, "carrier": carrier, "updated_at": NOW - timedelta(days=1)}
            for client in (SHOP, OTHER)
            for carrier in ("Chronopost", "Chronopost", "Other Carrier")
        ],
    )
    begin(database).keep()


def add(
    accounts: ClientAccounts, client: int, carrier: str = "chronopost", at: datetime = NOW, **more: Any
) -> int:
    number = put_account(accounts, client, carrier, "sealed", "lea", at, **more)
    assert number
    return number


def states(database: Database, client: int = SHOP) -> list[tuple[Any, ...]]:
    """Key, account and retry count of a client's claims at the first carrier."""
    of_client = joined_rows(database, SERVICE_CLAIMS.c.client_id == client)[:2]
    return [(row["lane"], row["account_id"], row["pod_retry_count"]) for row in of_client]


def use_retries(database: Database, count: int) -> None:
    """Use this many retries of each claim."""
    edit(database, "UPDATE claims SET pod_retry_count = :count", count=count)
    used = "UPDATE recours_claims SET retries_used = :count, seen_count = :text"
    edit(database, used, count=count, text=str(count))


def is_applied(database: Database) -> bool:
    return all(row["is_applied"] for row in rows(database, "SELECT is_applied FROM recours_client_accounts"))


def test_claims_follow_an_account_that_is_added_and_removed(
    database: Database, accounts: ClientAccounts
) -> None:
    use_retries(database, 2)
    number = add(accounts, SHOP)
    assert begin(database).keep() == ["chronopost"]
    key = f"chronopost#{number}"
    assert states(database) == [(key, None, 0)] * 2, "each starts over"
    assert states(database, OTHER) == [("chronopost", None, 2)] * 2
    assert begin(database).ready() == {key: 2, "chronopost": 2, "other": 2}
    assert is_applied(database)
    assert begin(database).keep() == [], "what was applied is not applied again"
    (account,) = accounts.all()
    accounts.remove(account, "lea", LATER)
    begin(database).keep()
    assert begin(database).ready() == {"chronopost": 4, "other": 2}


def test_a_run_for_some_carriers_takes_the_claims_of_all_their_accounts(accounts: ClientAccounts) -> None:
    number = add(accounts, SHOP)
    run = begin(accounts.database)
    run.keep()
    lanes = run.catalog.accounts_of(["chronopost"])
    found = run.claims.ready_by_carrier(Stage.READY, NOW, carriers=lanes)
    assert {key: ready.claims for key, ready in found.items()} == {f"chronopost#{number}": 2, "chronopost": 2}


def test_the_account_that_worked_is_remembered(database: Database, accounts: ClientAccounts) -> None:
    """Nothing starts over because of this, neither at the next run nor when the row is read for another reason."""
    number = add(accounts, SHOP)
    run = begin(database)
    run.keep()
    failed, left = run.take(f"chronopost#{number}")
    run.record(
        failed,
        Failure(ErrorKind.NOT_DELIVERED_YET, "on its way"),
        asked=DEFAULT_ACCOUNT,
        remember=DEFAULT_ACCOUNT,
    )
    run.record(left, NO_UNITS, asked=number, remember=DEFAULT_ACCOUNT)
    assert sorted(states(database)) == [
        ("chronopost", DEFAULT_ACCOUNT, 0),
        ("chronopost", DEFAULT_ACCOUNT, 1),
    ]
    assert begin(database).ready() == {"chronopost": 3, "other": 2}, (
        "the one without units at the default account waits for them"
    )
    # As after a change to another carrier's credentials
    edit(database, "UPDATE recours_claims SET to_assess = 1")
    begin(database).keep()
    again = begin(database, "run-2")
    assert sorted(states(database)) == [
        ("chronopost", DEFAULT_ACCOUNT, 0),
        ("chronopost", DEFAULT_ACCOUNT, 1),
    ]
    taken = {claim.reference: claim for claim in again.take("chronopost")}
    assert taken[left.reference].account_key == "chronopost"
    assert not taken[left.reference].is_edited
    again.put_back(list(taken.values()))
    assert sorted(states(database)) == [
        ("chronopost", DEFAULT_ACCOUNT, 0),
        ("chronopost", DEFAULT_ACCOUNT, 1),
    ]


def test_a_new_number_or_new_credentials_clear_the_remembered_account(
    database: Database, accounts: ClientAccounts
) -> None:
    number = add(accounts, SHOP)
    run = begin(database)
    run.keep()
    key = f"chronopost#{number}"
    for claim in run.take(key):
        run.record(claim, NO_UNITS, asked=number, remember=DEFAULT_ACCOUNT)
    edit(
        database,
        "UPDATE claims SET tracking_number = 'XY009999999FR' WHERE id = (SELECT min(id) FROM claims)",
    )
    begin(database).keep()
    assert states(database) == [(key, None, 0), ("chronopost", DEFAULT_ACCOUNT, 0)]
    assert add(accounts, SHOP, at=LATER, replace=True) == number
    begin(database).keep()
    assert states(database) == [(key, None, 0)] * 2


def test_other_credentials_of_the_same_account_change_no_claim_that_has_it(
    database: Database, accounts: ClientAccounts
) -> None:
    number = add(accounts, SHOP)
    begin(database).keep()
    use_retries(database, 2)
    add(accounts, SHOP, at=LATER, replace=True)
    begin(database).keep()
    assert states(database) == [(f"chronopost#{number}", None, 2)] * 2
    assert is_applied(database)


def test_a_run_that_began_before_an_account_was_added_leaves_its_claims_alone(
    database: Database, accounts: ClientAccounts
) -> None:
    older = begin(database, "older")
    number = add(accounts, SHOP)
    assert older.keep() == []
    assert not is_applied(database), "it is left to a run that knows of it"
    begin(database).keep()
    key = f"chronopost#{number}"
    taken = older.take(key)
    assert [claim.account_key for claim in taken] == [key] * 2
    older.put_back(taken)
    older.keep()
    assert states(database) == [(key, None, 0)] * 2
    assert begin(database).ready()[key] == 2


def test_claims_in_a_lane_without_an_account_are_found_again(
    database: Database, accounts: ClientAccounts
) -> None:
    number = add(accounts, SHOP)
    begin(database).keep()
    (account,) = accounts.all()
    older = begin(database, "older")
    taken = older.take(f"chronopost#{number}")
    accounts.remove(account, "lea", LATER)
    begin(database).keep()
    older.put_back(taken)
    assert begin(database).ready() == {"chronopost": 2, "other": 2}, "they are to be assessed again"
    begin(database).keep()
    assert begin(database).ready() == {"chronopost": 4, "other": 2}


def test_claims_leave_the_account_of_a_client_who_moved_until_it_is_confirmed(
    database: Database, accounts: ClientAccounts
) -> None:
    number = add(accounts, SHOP)
    begin(database).keep()
    edit(database, f"UPDATE clients SET email = 'new@example.com' WHERE id = {SHOP}")
    accounts.settle_moved(LATER)
    begin(database).keep()
    assert begin(database).ready() == {"chronopost": 4, "other": 2}
    accounts.confirm(accounts.all()[0], "lea", LATER)
    begin(database).keep()
    assert begin(database).ready() == {f"chronopost#{number}": 2, "chronopost": 2, "other": 2}


def test_claims_of_a_default_account_without_credentials_move_to_their_clients_account(
    database: Database, accounts: ClientAccounts
) -> None:
    number = add(accounts, SHOP)
    begin(database, configured=()).keep()
    # A run without this information assessed them just before.
    edit(
        database,
        f"UPDATE recours_claims SET lane = 'chronopost' WHERE claim_id IN ({OF_SHOP})",
    )
    run = begin(database, configured=())
    run.keep()
    assert run.ready() == {f"chronopost#{number}": 2, "chronopost": 2, "other": 2}


@pytest.mark.parametrize(
    "columns",
    [
        {"account_id": 99},
        {"account_id": -1},
        {"lane": "chronopost#x"},
        {"lane": "chronopost#999"},
        {"lane": "#5"},
        {"lane": "nobody#5"},
        {"lane": "chronopost#"},
    ],
)
def test_the_clients_account_is_found_for_any_type_of_id(
    database: Database, accounts: ClientAccounts, columns: dict[str, Any]
) -> None:
    number = add(accounts, SHOP)
    begin(database).keep()
    ((name, value),) = columns.items()
    edit(
        database,
        f"UPDATE recours_claims SET {name} = :value WHERE claim_id IN ({OF_SHOP})",
        value=value,
    )
    begin(database).keep()
    key = f"chronopost#{number}"
    run = begin(database)
    taken = [
        claim for claim in run.take(*run.ready()) if (claim.client_id, claim.carrier) == (SHOP, "chronopost")
    ]
    assert [claim.account_key for claim in taken] == [key] * 2


def test_no_claim_is_served_by_another_clients_account(database: Database, accounts: ClientAccounts) -> None:
    number = add(accounts, SHOP)
    begin(database).keep()
    of_other = "claim_id IN (SELECT id FROM claims WHERE client_id = 2)"
    edit(database, f"UPDATE recours_claims SET lane = :key WHERE {of_other}", key=f"chronopost#{number}")
    edit(database, "UPDATE claims SET client_id = 2 WHERE client_id = 1")  # the service moved them
    run = begin(database)
    run.keep()
    taken = run.take(*run.ready())
    assert {carrier_of(claim.account_key) for claim in taken} == {claim.account_key for claim in taken}


def test_two_concurrent_runs_apply_changes_once(database: Database, accounts: ClientAccounts) -> None:
    numbers = [add(accounts, SHOP), add(accounts, OTHER), add(accounts, SHOP, "other")]
    runs = [begin(database, f"run-{n}") for n in range(4)]
    failed: list[Exception] = []

    def keep(run: Run) -> None:
        try:
            run.keep()
        except Exception as error:  # noqa: BLE001 (told by the assertion)
            failed.append(error)

    threads = [threading.Thread(target=keep, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert is_applied(database)
    first, second, third = numbers
    expected = {f"chronopost#{first}": 2, f"chronopost#{second}": 2, f"other#{third}": 1, "other": 1}
    assert begin(database).ready() == expected


def test_attempts_record_the_account_that_was_used(database: Database, accounts: ClientAccounts) -> None:
    number = add(accounts, SHOP)
    run = begin(database)
    run.keep()
    first, second = run.take(f"chronopost#{number}")
    run.record(first, DENIED, asked=number)
    run.record(second, SUCCESS, asked=DEFAULT_ACCOUNT, remember=DEFAULT_ACCOUNT)
    assert [
        row["account_id"] for row in rows(database, "SELECT account_id FROM recours_attempts ORDER BY id")
    ] == [
        number,
        None,
    ]
    assert states(database)[1][:2] == ("chronopost", DEFAULT_ACCOUNT), "if reopened, it is asked with that"


def test_claims_are_counted_by_carrier_whichever_account_serves_them(
    database: Database, accounts: ClientAccounts
) -> None:
    add(accounts, SHOP)
    run = begin(database)
    run.keep()
    records = DatabaseRecords(database, run.catalog)
    counts: Counter[str] = Counter()
    for backlog in SystemReader(database, run.catalog).backlogs():
        counts[carrier_of(backlog.carrier)] += sum(backlog.stages.values())
    assert counts == {"chronopost": 4, "other": 2}
    assert len(records.page(ClaimFilter(carriers=("chronopost",)), 10).claims) == 4
