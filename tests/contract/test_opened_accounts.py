"""Client accounts as a process opens them, on both databases: few, late, and again after a change."""

import base64
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from recours.accounts.opened import OpenedAccounts, make_catalog, open_accounts
from recours.accounts.sealing import Seals
from recours.carriers.registry import CATALOG
from recours.core.accounts import DEFAULT_ACCOUNT, AccountKey, owner_of
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.sandbox import SimulatedClock
from recours.settings.loading import load
from recours.settings.model import Settings, redactor
from tests.conftest import SERVICE_CLIENTS, START, environment_of
from tests.own_rows import put_account, statements_of
from tests.planted import MARK

KEY, OTHER_KEY = (base64.urlsafe_b64encode(sign * 32).decode() for sign in (b"k", b"o"))
LATER = START + timedelta(hours=1)
CREDENTIALS = {"CHRONOPOST_ACCOUNT": "20000002", "CHRONOPOST_PASSWORD": f"{MARK}-of-the-shop"}


@pytest.fixture
def store(database: Database) -> ClientAccounts:
    with database.write() as connection:
        for number in (1, 2, 3):
            row = {"id": number, "email": f"shop{number}@example.com"}
            connection.execute(insert(SERVICE_CLIENTS).values(row))
    return ClientAccounts(database)


@pytest.fixture
def settings(tmp_path: Path, url: str) -> Callable[..., Settings]:
    def settings(key: str = KEY) -> Settings:
        named = {"RECOURS_ACCOUNTS_KEY": key} if key else {}
        return load(tmp_path, environment_of(url, "http://127.0.0.1:1") | named, CATALOG)

    return settings


def add(
    store: ClientAccounts,
    client: int,
    values: dict[str, str] | None = None,
    at: datetime = START,
    **more: Any,
) -> str:
    sealed = Seals([KEY]).seal(values or CREDENTIALS, owner_of(client, "chronopost"))
    number = put_account(store, client, "chronopost", sealed, "lea", at, **more)
    return str(AccountKey("chronopost", number or 0))


def opened_by(settings: Settings, database: Database) -> OpenedAccounts:
    return open_accounts(settings, SimulatedClock(START), lambda: 0.0, database=database)


@pytest.fixture
def unsealed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The owners whose credentials were decrypted."""
    owners: list[str] = []
    really = Seals.open

    def note(self: Seals, text: str, owner: str = "") -> dict[str, str]:
        owners.append(owner)
        return really(self, text, owner)

    monkeypatch.setattr(Seals, "open", note)
    return owners


def test_an_account_is_opened_when_it_is_first_asked_for(
    store: ClientAccounts, settings: Callable[..., Settings], unsealed: list[str]
) -> None:
    keys = [add(store, client) for client in (1, 2, 3)]
    there = opened_by(settings(), store.database)
    numbers = {AccountKey.parse(key).account for key in keys}
    assert {of_client["chronopost"] for of_client in there.client_accounts.values()} == numbers
    assert all(key in there for key in keys)
    assert list(there) == list(CATALOG.specs), "going through them gives the default accounts"
    assert unsealed == []
    account = there[keys[1]]
    assert account is there[keys[1]]
    assert unsealed == ["2/chronopost"]
    assert account.client_address == "shop2@example.com"
    assert account.client
    assert account.credentials == tuple(CREDENTIALS.values())
    assert {limit.carrier for limit in account.limits} == {keys[1]}
    assert there["chronopost"].client_address == ""


def test_secrets_of_an_account_are_redacted_like_those_of_the_settings(
    store: ClientAccounts, settings: Callable[..., Settings]
) -> None:
    password = uuid.uuid4().hex
    key, found = add(store, 1, CREDENTIALS | {"CHRONOPOST_PASSWORD": password}), settings()
    redact = redactor(found)  # for example a log that was opened before the account
    assert redact(password) == password
    assert opened_by(found, store.database)[key].client
    assert redact(f"sent {password}, and 20000002:{password}") == "sent ***, and ***"


@pytest.mark.parametrize(
    ("key", "more", "missing"),
    [
        (OTHER_KEY, {}, "does not decrypt the credentials"),
        ("", {}, "encrypted, and RECOURS_ACCOUNTS_KEY is not set"),
        (KEY, {"limits": {"": "1/day"}}, "limits are invalid"),
        (KEY, {"values": {"CHRONOPOST_ACCOUNT": "20000002"}}, "CHRONOPOST_PASSWORD"),
    ],
)
def test_an_account_that_cannot_be_opened_is_closed_with_the_reason(
    store: ClientAccounts, settings: Callable[..., Settings], key: str, more: dict[str, Any], missing: str
) -> None:
    number = add(store, 1, **more)
    there = opened_by(settings(key), store.database)
    assert there[number].client is None
    assert missing in there[number].missing
    assert there["chronopost"].client, "the default account goes on"


def test_an_account_whose_client_changed_is_closed_until_a_person_confirms_it(
    store: ClientAccounts, settings: Callable[..., Settings], unsealed: list[str]
) -> None:
    key = add(store, 1)
    with store.database.write() as connection:
        connection.execute(
            update(SERVICE_CLIENTS).where(SERVICE_CLIENTS.c.id == 1).values(email="new@example.com")
        )
    there = opened_by(settings(), store.database)
    there.settle_moved(START)
    assert (there.client_accounts, there[key].client, unsealed) == ({}, None, [])
    assert (
        "had shop1@example.com when the account was added and now has new@example.com" in there[key].missing
    )
    store.confirm(store.all()[0], "lea", START)
    there.refresh()
    assert there[key].client
    assert there.client_accounts == {1: {"chronopost": AccountKey.parse(key).account}}


@pytest.mark.parametrize("key", ["chronopost#0", "chronopost#x", "nobody#1", "nobody", ""])
def test_invalid_account_keys_are_not_found(
    store: ClientAccounts, settings: Callable[..., Settings], key: str
) -> None:
    there = opened_by(settings(), store.database)
    assert key not in there
    with pytest.raises(KeyError):
        there[key]


def test_a_long_lived_process_notices_changes(
    store: ClientAccounts, settings: Callable[..., Settings], unsealed: list[str]
) -> None:
    first, second = add(store, 1), add(store, 2)
    there = opened_by(settings(), store.database)
    assert there.refresh()
    assert not there.refresh(), "nothing was changed"
    kept, changed = there[first], there[second]
    values = CREDENTIALS | {"CHRONOPOST_PASSWORD": "another one"}
    assert add(store, 2, values, LATER, replace=True) == second
    third = add(store, 3, at=LATER)
    assert there.refresh()
    assert there[first] is kept, "its tokens and connections are kept"
    assert there[second] is not changed
    assert there[second].credentials[1] == "another one"
    assert there[third].client
    assert unsealed == [f"{client}/chronopost" for client in (1, 2, 2, 3)]
    (account,) = store.all([3])
    store.remove(account, "lea", LATER)
    assert there.refresh()
    assert there[third].client is None
    assert (
        make_catalog(settings(), there.client_accounts).account_for(3, "chronopost", None) == DEFAULT_ACCOUNT
    )


def test_an_account_that_is_removed_is_closed(
    store: ClientAccounts, settings: Callable[..., Settings]
) -> None:
    key = add(store, 1)
    there = opened_by(settings(), store.database)
    (row,) = store.all()
    store.remove(row, "lea", START)
    assert there[key].client is None
    assert "removed" in there[key].missing


def test_without_accounts_only_one_statement_runs(
    store: ClientAccounts, settings: Callable[..., Settings]
) -> None:
    assert store.database.border.has_client_column("email")  # one query for all
    with statements_of(store.database) as seen:
        there = opened_by(settings(), store.database)
        for _ in range(3):
            make_catalog(settings(), there.client_accounts)
            assert there["chronopost"].client
    assert len(seen) == 1
