"""Accounts of clients in the secrets file, on both kinds of database: added once by a run, and what is said of the others."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event, insert, text

from recours.carriers.registry import CATALOG
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.tables import clients
from recours.memory.clock import SimulatedClock
from recours.settings.loading import load
from recours.settings.model import Settings
from recours.wiring.carriers import accounts, redactor
from recours.wiring.databases import TO_BE_READ, open_database
from recours.wiring.file_accounts import enter_file_accounts
from tests.conftest import START, environment_of
from tests.planted import MARK

SECRET = f"{MARK}-of-shop-1"
SECTION = f'[clients."shop1@example.com".chronopost]\naccount = "20000001"\npassword = "{SECRET}"\n'


@pytest.fixture
def stored(database: Database) -> ClientAccounts:
    with database.write() as connection:
        for number, email in enumerate(
            ("Shop1@example.com", "shop2@example.com", "twice@example.com", "Twice@example.com"), 1
        ):
            connection.execute(insert(clients).values({"id": number, "email": email}))
    return ClientAccounts(database)


@pytest.fixture
def settings(tmp_path: Path, url: str) -> Callable[[str], Settings]:
    """`settings(toml)`: with this secrets file."""

    def read(toml: str) -> Settings:
        (tmp_path / ".streamlit").mkdir(exist_ok=True)
        (tmp_path / ".streamlit/secrets.toml").write_text(toml, encoding="utf-8")
        return load(tmp_path, environment_of(url, "http://127.0.0.1:1"), CATALOG)

    return read


def said(settings: Settings) -> list[tuple[str, bool]]:
    """What a run says of accounts as it opens the database, and whether someone should read it."""
    opened = open_database(settings)
    opened.database.close()
    return [(line, line.startswith(TO_BE_READ)) for line in opened.remarks if "secrets file" in line]


def test_a_run_adds_the_account_once(stored: ClientAccounts, settings: Callable[[str], Settings]) -> None:
    found = settings(SECTION)
    assert said(found) == [
        (
            'An account was added from the secrets file: [clients."shop1@example.com".chronopost] (Chronopost)',
            False,
        )
    ]
    (account,) = stored.all()
    assert (account.client_id, account.carrier, account.added_by) == (1, "chronopost", "secrets file")
    assert (account.has_credentials, account.limits) == (False, None)
    assert said(found) == []
    assert stored.all() == [account]


def test_it_is_opened_with_what_the_file_holds(
    stored: ClientAccounts, settings: Callable[[str], Settings], clock: SimulatedClock
) -> None:
    found = settings(SECTION)
    said(found)
    key = stored.all()[0].key
    account = accounts(found, clock, lambda: 0.0, database=stored.database)[key]
    assert (account.credentials, account.source, account.missing) == (
        ("20000001", SECRET),
        ".streamlit/secrets.toml",
        "",
    )
    assert SECRET not in redactor(found)(f"{SECRET} 20000001:{SECRET}")


def test_on_a_machine_without_the_section_it_is_closed(
    stored: ClientAccounts, settings: Callable[[str], Settings], clock: SimulatedClock
) -> None:
    said(settings(SECTION))
    elsewhere = settings("")
    assert said(elsewhere) == []
    account = accounts(elsewhere, clock, lambda: 0.0, database=stored.database)[stored.all()[0].key]
    assert account.client is None
    assert account.missing.startswith("no account and password in [clients.")
    assert account.missing.endswith(".chronopost] of this machine's secrets file")


@pytest.mark.parametrize(
    ("address", "why"),
    [("nobody@example.com", "no client has"), ("twice@example.com", "several clients have")],
)
def test_an_address_that_names_no_client_stops_no_other(
    address: str, why: str, stored: ClientAccounts, settings: Callable[[str], Settings]
) -> None:
    found = settings(SECTION.replace("shop1@example.com", address) + SECTION)
    for _ in range(2):  # each run says so
        line, is_to_be_read = said(found)[0]
        assert line == (
            f'Not used from the secrets file: [clients."{address}".chronopost] (Chronopost): in the table clients, {why} '
            "this address."
        )
        assert is_to_be_read
    assert [account.client_id for account in stored.all()] == [1]


def test_sealed_credentials_win(stored: ClientAccounts, settings: Callable[[str], Settings]) -> None:
    stored.put(1, "chronopost", "sealed", "lea", START)
    ((line, is_to_be_read),) = said(settings(SECTION))
    assert "the database has credentials too, and those win. Delete the section." in line
    assert is_to_be_read
    assert stored.sealed() == {stored.all()[0].id: "sealed"}


def test_one_that_was_disabled_stays_so(stored: ClientAccounts, settings: Callable[[str], Settings]) -> None:
    said(settings(SECTION))
    stored.disable(stored.all()[0], "lea", "a dispute", START)
    assert said(settings(SECTION)) == []
    assert stored.directory() == {}


def test_one_that_was_removed_comes_back_as_long_as_its_section_is_there(
    stored: ClientAccounts, settings: Callable[[str], Settings]
) -> None:
    said(settings(SECTION))
    (account,) = stored.all()
    stored.remove(account, "lea", START)
    assert said(settings("")) == []
    assert stored.all() == []
    assert len(said(settings(SECTION))) == 1
    assert stored.all()[0].id == account.id


def test_without_sections_the_database_is_not_asked(
    stored: ClientAccounts, settings: Callable[[str], Settings], clock: SimulatedClock
) -> None:
    found, asked = settings(""), []
    event.listen(
        stored.database.engine, "before_cursor_execute", lambda *statement: asked.append(statement[2])
    )
    assert enter_file_accounts(found, stored.database, clock) == []
    assert asked == []


def test_clients_that_cannot_be_read_stop_no_run(
    stored: ClientAccounts, settings: Callable[[str], Settings]
) -> None:
    with stored.database.write() as connection:
        connection.execute(text("ALTER TABLE clients RENAME COLUMN email TO address"))
    ((line, is_to_be_read),) = said(settings(SECTION))
    assert line.startswith("Not used from the secrets file: accounts of clients: ")
    assert is_to_be_read


FOREIGN = SECTION.replace("shop1", "shop2").replace("20000001", "20000002")


def missing(settings: Settings, stored: ClientAccounts, number: int) -> str:
    opened = accounts(settings, SimulatedClock(START), lambda: 0.0, database=stored.database)
    return opened[f"chronopost#{number}"].missing


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE clients SET email = 'SHOP2@example.com' WHERE id = 1", "added from the section of shop1@"),
        ("UPDATE clients SET email = 'SHOP1@example.com' WHERE id = 2", "several clients have the address"),
        ("DELETE FROM clients WHERE id = 1", "is now not known"),
    ],
)
def test_an_address_that_changed_opens_no_other_section(
    change: str, why: str, stored: ClientAccounts, settings: Callable[[str], Settings]
) -> None:
    found = settings(SECTION + FOREIGN)
    said(found)
    (number,) = (row.id for row in stored.all() if row.client_id == 1)
    assert missing(found, stored, number) == ""
    with stored.database.write() as connection:
        connection.execute(text(change))
    said(found)
    assert why in missing(found, stored, number)


def test_a_section_is_not_entered_for_a_client_that_took_over_its_address(
    stored: ClientAccounts, settings: Callable[[str], Settings]
) -> None:
    found = settings(SECTION)
    said(found)
    with stored.database.write() as connection:
        connection.execute(text("UPDATE clients SET email = 'moved@example.com' WHERE id = 1"))
        connection.execute(text("UPDATE clients SET email = 'shop1@example.com' WHERE id = 2"))
    ((line, is_to_be_read),) = said(found)
    assert line.endswith(
        "it was added for client 1, and client 2 has this address now. If it is right, "
        "'recours accounts remove 1 chronopost'."
    )
    assert is_to_be_read
    (row,) = stored.all()
    assert row.client_id == 1
    stored.remove(row, "lea", START)
    said(found)
    assert [(row.client_id, row.section) for row in stored.all()] == [(2, "shop1@example.com")]


def test_an_incomplete_section_takes_no_claims_from_the_house(
    stored: ClientAccounts, settings: Callable[[str], Settings]
) -> None:
    assert said(settings(SECTION.replace("password", "#"))) == []
    assert stored.all() == []
    assert len(said(settings(SECTION))) == 1
