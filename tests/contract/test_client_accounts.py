"""Client accounts, on both databases: stored once, changes recorded, never half done."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, make_url, text

from recours.accounts.sealing import Seals
from recours.core.accounts import ClientAccount, ServiceClient
from recours.core.pauses import AccountState, CarrierState, Pause, Stop
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database, DatabaseError
from recours.database.quota import QuotaTables
from recours.database.schema.creation import complete
from recours.database.tables import account_state, carriers
from tests.conftest import SERVICE_CLIENTS, add_claims
from tests.keys import new_key
from tests.own_rows import actions_of, put_account

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = NOW + HOUR


@pytest.fixture
def accounts(database: Database) -> ClientAccounts:
    with database.write() as connection:
        for number in (1, 2, 3):
            row = {"id": number, "email": f"Shop{number}@example.com"}
            connection.execute(insert(SERVICE_CLIENTS).values(row))
    return ClientAccounts(database)


def row_of(accounts: ClientAccounts, number: int) -> dict[str, Any]:
    with accounts.database.read() as connection:
        wanted = text("SELECT * FROM recours_client_accounts WHERE id = :id")
        return dict(connection.execute(wanted, {"id": number}).mappings().one())


def applied(accounts: ClientAccounts) -> None:
    """Apply the changes like the next run."""
    with accounts.database.write() as connection:
        connection.execute(text("UPDATE recours_client_accounts SET is_applied = :yes"), {"yes": True})


def add(accounts: ClientAccounts, client: Any, carrier: str = "chronopost", **more: Any) -> ClientAccount:
    number = put_account(accounts, client, carrier, f"sealed-{client}", "lea", NOW, **more)
    return next(account for account in accounts.all() if account.id == number)


def test_an_account_is_read_as_it_was_added(accounts: ClientAccounts) -> None:
    account = add(accounts, 1, limits={"": "50/day", "POD": "20/hour"})
    expected = ClientAccount(
        account.id,
        1,
        "chronopost",
        {"": "50/day", "POD": "20/hour"},
        NOW,
        "lea",
        NOW,
        "shop1@example.com",
        email="Shop1@example.com",
    )
    assert account == expected
    assert accounts.all() == [expected]
    assert accounts.sealed() == accounts.sealed([account.id]) == {account.id: "sealed-1"}
    assert not row_of(accounts, account.id)["is_applied"]


def test_the_first_number_is_not_the_default_accounts(accounts: ClientAccounts) -> None:
    assert add(accounts, 1).id > 0


def test_an_account_without_limits_has_the_carriers_limits(accounts: ClientAccounts) -> None:
    account = add(accounts, 1)
    assert account.limits is None
    assert row_of(accounts, account.id)["limits"] is None


def test_accounts_are_found_by_client_and_carrier(accounts: ClientAccounts) -> None:
    for client, carrier in ((2, "ups"), (1, "ups"), (1, "chronopost")):
        add(accounts, client, carrier)
    found = [(account.client_id, account.carrier) for account in accounts.all()]
    assert found == [(1, "chronopost"), (1, "ups"), (2, "ups")]
    assert [account.client_id for account in accounts.all([2])] == [2]
    assert [account.client_id for account in accounts.all(of_carriers=["ups"])] == [1, 2]
    assert accounts.all([2], ["chronopost"]) == []


def test_a_second_account_of_the_same_kind_changes_nothing(accounts: ClientAccounts) -> None:
    first = add(accounts, 1)
    assert put_account(accounts, 1, "chronopost", "other", "max", LATER) is None
    assert accounts.all() == [first]
    assert accounts.sealed() == {first.id: "sealed-1"}


def test_replaced_credentials_keep_number_and_limits(accounts: ClientAccounts) -> None:
    first = add(accounts, 1, limits={"": "50/day"})
    applied(accounts)
    assert put_account(accounts, 1, "chronopost", "other", "max", LATER, replace=True) == first.id
    (account,) = accounts.all()
    assert (account.limits, account.added_by, account.changed_at) == ({"": "50/day"}, "max", LATER)
    assert accounts.sealed() == {first.id: "other"}
    assert not row_of(accounts, first.id)["is_applied"]


def test_only_the_number_of_a_removed_account_remains(accounts: ClientAccounts) -> None:
    account = add(accounts, 1, limits={"": "50/day"})
    assert accounts.remove(account, "lea", LATER)
    assert accounts.all() == []
    assert accounts.directory() == {}
    assert accounts.sealed() == {}
    row = row_of(accounts, account.id)
    assert (row["credentials"], row["limits"]) == (None, None)
    assert not row["is_applied"]
    assert accounts.set_limits(account, {"": "1/day"}, "lea", LATER) is False
    assert accounts.remove(account, "lea", LATER) is False


def test_an_account_added_again_has_only_its_old_number(accounts: ClientAccounts) -> None:
    account = add(accounts, 1, limits={"": "50/day"})
    accounts.remove(account, "lea", NOW)
    assert put_account(accounts, 1, "chronopost", "other", "max", LATER) == account.id
    (back,) = accounts.all()
    assert (back.limits, back.added_at, back.added_by) == (None, LATER, "max")


def test_limits_are_set_and_removed(accounts: ClientAccounts) -> None:
    account = add(accounts, 1)
    applied(accounts)
    assert accounts.set_limits(account, {"": "50/day"}, "lea", LATER)
    assert accounts.all()[0].limits == {"": "50/day"}
    assert accounts.set_limits(account, None, "lea", LATER)
    assert accounts.all()[0].limits is None
    assert row_of(accounts, account.id)["limits"] is None
    assert row_of(accounts, account.id)["is_applied"]  # each claim has the same account as before


def test_the_state_of_an_account_combines_its_own_and_its_carriers(accounts: ClientAccounts) -> None:
    first, second = add(accounts, 1), add(accounts, 2)
    keys = [first.key, second.key]
    states = QuotaTables(accounts.database).carrier_states
    assert states(keys) == {first.key: CarrierState(), second.key: CarrierState()}
    with accounts.database.write() as connection:
        outage = {"carrier": "chronopost", "paused_until": LATER, "reason": "an outage"}
        connection.execute(insert(carriers).values(outage | {"stopped_at": NOW, "stopped_why": "by lea"}))
        row = {"carrier": "chronopost", "account_id": first.id, "refusals": 2, "refused_until": LATER}
        more = {"refusal": "Invalid Password", "paused_until": LATER + HOUR, "reason": "slow down"}
        connection.execute(insert(account_state).values(row | more))
    refused = AccountState(2, LATER, "Invalid Password")
    assert states(keys) == {
        first.key: CarrierState(
            Pause(LATER, "an outage"), Stop(NOW, "by lea"), Pause(LATER + HOUR, "slow down"), refused
        ),
        second.key: CarrierState(Pause(LATER, "an outage"), Stop(NOW, "by lea")),
    }
    # Other credentials were not rejected yet
    put_account(accounts, 1, "chronopost", "other", "max", LATER, replace=True)
    assert states(keys)[first.key].account == AccountState()


# ---------------------------------------------------------------- many at once


def test_concurrent_additions_of_an_account_create_one(accounts: ClientAccounts) -> None:
    def try_to(number: int) -> int | None:
        return put_account(accounts, 1, "chronopost", f"by-{number}", "lea", NOW)

    with ThreadPoolExecutor(4) as pool:
        numbers = [number for number in pool.map(try_to, range(8)) if number is not None]
    assert len(numbers) == len(accounts.all()) == 1


def test_several_accounts_are_added_all_or_none(accounts: ClientAccounts) -> None:
    rows = [(1, "ups", "one", None), (2, "ups", "two", {"": "9/day"}), (3, "ups", "three", None)]
    add(accounts, 3, "ups")
    assert accounts.put_all(rows, "lea", NOW) == 2
    assert [account.client_id for account in accounts.all()] == [3]
    assert accounts.put_all(rows[:2], "lea", NOW) is None
    assert [(account.client_id, account.limits) for account in accounts.all()] == [
        (1, None),
        (2, {"": "9/day"}),
        (3, None),
    ]


# ---------------------------------------------------------------- clients


@pytest.mark.parametrize("named", [2, "2", " 2 ", "shop2@example.com", "SHOP2@EXAMPLE.COM"])
def test_a_client_is_found_by_number_or_address(accounts: ClientAccounts, named: str | int) -> None:
    assert accounts.client_of(named) == [ServiceClient(2, "Shop2@example.com")]


@pytest.mark.parametrize("named", ["", "9", "nobody@example.com", "9" * 30, "-1", "2.0", "²", "' OR 1=1 --"])
def test_an_unknown_client_is_not_found(accounts: ClientAccounts, named: str) -> None:
    assert accounts.client_of(named) == []


def test_addresses_are_read_for_many_at_once(accounts: ClientAccounts) -> None:
    assert accounts.emails([1, 3, 99]) == {1: "Shop1@example.com", 3: "Shop3@example.com"}
    assert accounts.emails([]) == {}


# ---------------------------------------------------------------- databases that no run has worked on


def test_a_database_without_the_tables_has_no_accounts(empty_url: str) -> None:
    database = Database(make_url(empty_url))
    try:
        accounts = ClientAccounts(database)
        assert accounts.all() == []
        assert accounts.directory() == {}
        assert accounts.sealed() == {}
        assert accounts.emails([1]) == {}
        assert accounts.client_of("1") == []
    finally:
        database.close()


def test_other_faults_of_the_database_are_raised(accounts: ClientAccounts) -> None:
    with accounts.database.write() as connection:
        connection.execute(text("ALTER TABLE recours_client_accounts RENAME COLUMN carrier TO carriers"))
    with pytest.raises(DatabaseError):
        accounts.all()


@pytest.mark.parametrize("named", ["7" * 5000, 10**30, "\ud800", "\ud800@example.com"])
def test_no_client_has_a_name_like_this(accounts: ClientAccounts, named: str | int) -> None:
    assert accounts.client_of(named) == []


# ---------------------------------------------------------------- ids of any type


OF_ANY_TYPE = {
    "bigint": ("BIGINT", 2**40, "1099511627776"),
    "text": ("VARCHAR(40)", "shop/2", "shop/2"),
    "uuid": ("CHAR(32)", "a" * 32, UUID("a" * 32)),
    "native uuid": ("UUID", UUID("a" * 32), str(UUID("a" * 32))),
}


@pytest.mark.parametrize(
    ("kind", "key"),
    [*product(("sqlite",), ("bigint", "text", "uuid")), *product(("postgresql",), OF_ANY_TYPE)],
    indirect=["kind"],
)
def test_clients_have_ids_of_any_type(empty_url: str, key: str) -> None:
    sql_type, client_id, named = OF_ANY_TYPE[key]
    database = Database(make_url(empty_url))
    with database.write() as connection:
        for table in (
            f"clients (id {sql_type} PRIMARY KEY, email TEXT)",
            f"claims (id {sql_type} PRIMARY KEY, claim_reference TEXT, carrier TEXT, tracking_number TEXT, client_id {sql_type})",
        ):
            connection.execute(text(f"CREATE TABLE {table}"))
        row = text("INSERT INTO clients VALUES (:id, 'Shop2@example.com')")
        connection.execute(row, {"id": client_id})
    complete(database)
    accounts = ClientAccounts(database)
    account = add(accounts, client_id)
    assert accounts.client_of(named) == accounts.client_of("shop2@example.com") == [account.client]
    assert account.client == ServiceClient(client_id, "Shop2@example.com")
    assert accounts.emails([client_id]) == {client_id: "Shop2@example.com"}
    assert accounts.directory() == {client_id: {"chronopost": account.id}}
    sealed = Seals([new_key()]).seal({"account": "1"}, account.owner)
    assert put_account(accounts, client_id, "chronopost", sealed, "lea", LATER, replace=True) == account.id
    database.close()


# ---------------------------------------------------------------- clients with another address


def change_clients(accounts: ClientAccounts, sql: str) -> None:
    with accounts.database.write() as connection:
        connection.execute(text(sql))


MOVES = {
    "another address": "UPDATE clients SET email = 'new@example.com' WHERE id = 1",
    "no address": "UPDATE clients SET email = '' WHERE id = 1",
    "gone": "DELETE FROM clients WHERE id = 1",
}


@pytest.mark.parametrize("move", MOVES)
def test_an_account_of_a_client_who_moved_is_not_used(
    accounts: ClientAccounts, move: str, caplog: pytest.LogCaptureFixture
) -> None:
    moved, other = add(accounts, 1), add(accounts, 2)
    change_clients(accounts, MOVES[move])
    assert accounts.directory() == {2: {"chronopost": other.id}}
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    for part in (
        f"Account chronopost#{moved.id} is not used",
        "shop1@example.com",
        "recours accounts confirm 1",
        "recours accounts remove 1 chronopost",
    ):
        assert part in record.getMessage()


@pytest.mark.parametrize("email", ["SHOP1@EXAMPLE.COM", " shop1@example.com "])
def test_another_spelling_of_an_address_is_the_same_address(accounts: ClientAccounts, email: str) -> None:
    account = add(accounts, 1)
    change_clients(accounts, f"UPDATE clients SET email = '{email}' WHERE id = 1")
    assert accounts.directory() == {1: {"chronopost": account.id}}


def test_claims_follow_a_client_who_moved_or_returned(
    accounts: ClientAccounts,
) -> None:
    account = add(accounts, 1)
    applied(accounts)
    version = accounts.version()
    accounts.settle_moved(LATER)
    assert (accounts.version(), row_of(accounts, account.id)["is_applied"]) == (version, True)
    change_clients(accounts, MOVES["another address"])
    accounts.settle_moved(LATER)
    assert accounts.version() != version
    row = row_of(accounts, account.id)
    assert row["moved_at"]
    assert not row["is_applied"]
    applied(accounts)
    change_clients(accounts, "UPDATE clients SET email = 'shop1@example.com' WHERE id = 1")
    accounts.settle_moved(LATER + HOUR)
    row = row_of(accounts, account.id)
    assert row["moved_at"] is None
    assert not row["is_applied"]
    assert accounts.directory() == {1: {"chronopost": account.id}}


def test_a_person_confirms_that_it_is_the_same_client(accounts: ClientAccounts) -> None:
    account = add(accounts, 1)
    change_clients(accounts, MOVES["another address"])
    accounts.settle_moved(LATER)
    applied(accounts)
    (moved,) = accounts.all()
    assert moved.is_moved
    assert accounts.confirm(moved, "lea", LATER)
    assert accounts.directory() == {1: {"chronopost": account.id}}
    assert not row_of(accounts, account.id)["is_applied"]
    assert actions_of(accounts.database)[-1].kind == "confirmed"


def test_new_credentials_belong_to_the_current_client(accounts: ClientAccounts) -> None:
    account = add(accounts, 1)
    change_clients(accounts, MOVES["another address"])
    accounts.settle_moved(LATER)
    assert put_account(accounts, 1, "chronopost", "sealed", "lea", LATER, replace=True) == account.id
    assert accounts.directory() == {1: {"chronopost": account.id}}


def test_without_addresses_the_id_alone_decides(accounts: ClientAccounts) -> None:
    account = add(accounts, 1)
    change_clients(accounts, "ALTER TABLE clients RENAME COLUMN email TO address")
    accounts.database.reinspect()
    accounts.settle_moved(LATER)
    assert accounts.directory() == {1: {"chronopost": account.id}}
    assert accounts.all()[0].client.display_name == "client 1"


def test_without_a_table_of_clients_a_client_has_the_id_of_its_claims(accounts: ClientAccounts) -> None:
    add_claims(accounts.database, [{"client_id": 1}, {"client_id": 1}, {"client_id": None}])
    change_clients(accounts, "ALTER TABLE clients RENAME TO customers")
    accounts.database.reinspect()
    assert accounts.client_of("1") == [ServiceClient(1, "")]
    assert accounts.client_of("2") == accounts.client_of("shop1@example.com") == []
    assert accounts.emails([1]) == {}
    account = add(accounts, 1)
    assert accounts.directory() == {1: {"chronopost": account.id}}
