"""The token that processes share: one of them asks for it, and the database shows it to nobody without the key."""

import base64
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from recours.accounts.sealing import Seals
from recours.carriers.message import CarrierClient, Response
from recours.carriers.oauth import LEASE, TokenStore
from recours.carriers.registry import CATALOG
from recours.core.accounts import AccountKey
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.core.tokens import AccessToken, SharedToken
from recours.database.engine import Database
from recours.database.tokens import DatabaseTokens
from recours.memory.clock import SimulatedClock
from recours.settings.loading import load
from recours.wiring.carriers import accounts
from recours.wiring.tokens import token_sharing
from tests.conftest import environment_of
from tests.fakes.session import FakeSession
from tests.fakes.tokens import MemoryTokens

NOW = datetime(2026, 2, 2, 8, tzinfo=UTC)
TOKEN = AccessToken("eyJ0-secret", NOW + timedelta(hours=1))
NOTHING = SharedToken()
KEY, OTHER_KEY = (base64.urlsafe_b64encode(sign * 32).decode() for sign in (b"k", b"o"))
HOUSE, CLIENT = AccountKey("ups"), AccountKey("ups", 17)


def tokens_in(
    database: Database, account: AccountKey = HOUSE, key: str = KEY, credentials: str = "print"
) -> DatabaseTokens:
    return DatabaseTokens(database, account, Seals([key]), credentials)


def row(database: Database, account: AccountKey = HOUSE) -> Any:
    query = text("SELECT * FROM recours_account_state WHERE carrier = :carrier AND account_id = :account")
    with database.read() as connection:
        return connection.execute(query, account._asdict()).mappings().one()


def spoil(database: Database, **values: Any) -> None:
    changes = ", ".join(f"{name} = :{name}" for name in values)
    with database.write() as connection:
        connection.execute(text(f"UPDATE recours_account_state SET {changes}"), values)


def given(store: TokenStore, holder: str = "one", token: AccessToken = TOKEN) -> None:
    assert store.begin(holder, NOW + LEASE, store.load())
    store.put(holder, token)


@pytest.fixture(params=[tokens_in, lambda _: MemoryTokens()], ids=["stored", "in memory"])
def store(request: pytest.FixtureRequest, database: Database) -> TokenStore:
    """Each is held to the same."""
    made: TokenStore = request.param(database)
    return made


# ---------------------------------------------------------------- one asks


def test_a_token_is_stored_with_its_end(store: TokenStore) -> None:
    assert store.load() == NOTHING
    given(store)
    stored = store.load()
    assert (stored.token, stored.holder, stored.held_until, stored.failure) == (TOKEN, "one", None, None)


def test_while_one_asks_nobody_else_does_until_its_right_is_seen_to_be_over(store: TokenStore) -> None:
    assert store.begin("one", NOW + LEASE, NOTHING)
    assert not store.begin("two", NOW + LEASE, NOTHING)
    seen = store.load()
    assert (seen.token, seen.holder, seen.held_until) == (None, "one", NOW + LEASE)
    assert store.begin("two", NOW + 2 * LEASE, seen)  # the caller waited it out
    assert not store.begin("three", NOW + 2 * LEASE, seen)
    store.put("one", AccessToken("late", TOKEN.until))
    store.end("one", None)
    assert store.load() == replace(seen, holder="two", held_until=NOW + 2 * LEASE)
    store.put("two", TOKEN)
    assert store.load().token == TOKEN


def test_a_token_that_was_stored_meanwhile_is_not_forgotten(store: TokenStore) -> None:
    given(store)
    refused = store.load()
    given(store, "two", AccessToken("new", TOKEN.until))
    assert not store.begin("three", NOW + LEASE, refused)
    assert store.load().token == AccessToken("new", TOKEN.until)
    assert store.begin("three", NOW + LEASE, store.load())
    assert store.load().token is None


def test_one_that_ended_between_the_look_and_the_taking_over_is_not_taken_over(store: TokenStore) -> None:
    assert store.begin("one", NOW + LEASE, NOTHING)
    seen = store.load()
    store.put("one", TOKEN)
    assert not store.begin("two", NOW + LEASE, seen)
    assert store.load().token == TOKEN


@pytest.mark.parametrize(
    "failure",
    [
        Failure.of(Sentence.CREDENTIALS_REJECTED, "UPS", "ClientId is Invalid", 401),
        Failure(ErrorKind.RATE_LIMITED, "UPS asked us to wait", 429, retry_at=NOW + LEASE, alone=True),
        Failure(ErrorKind.NETWORK, "UPS could not be reached", connected=False),
    ],
    ids=lambda failure: failure.kind,
)
def test_how_it_ended_is_known_to_those_who_waited(store: TokenStore, failure: Failure) -> None:
    assert store.begin("one", NOW + LEASE, NOTHING)
    store.end("one", failure)
    stored = store.load()
    assert (stored.token, stored.holder, stored.held_until, stored.failure) == (None, "one", None, failure)
    assert store.begin("two", NOW + LEASE, stored)
    assert store.load().failure is None


def test_one_that_was_stopped_leaves_the_right_to_anybody(store: TokenStore) -> None:
    assert store.begin("one", NOW + LEASE, NOTHING)
    store.end("one", None)
    assert (store.load().held_until, store.load().failure) == (None, None)
    assert store.begin("two", NOW + LEASE, store.load())


def test_of_many_threads_one_gets_the_right(store: TokenStore) -> None:
    given(store)
    seen, start = store.load(), threading.Barrier(8)

    def begin(number: int) -> bool:
        start.wait(60)
        return store.begin(f"{number}", NOW + LEASE, seen)

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(begin, range(8))) == [False] * 7 + [True]


# ---------------------------------------------------------------- for whom it is


def test_each_account_has_its_own_and_what_else_is_known_of_it_stays(database: Database) -> None:
    given(tokens_in(database))
    spoil(database, paused_until="2026-02-02 09:00:00", refusals=3, refusal="Invalid Password")
    before = row(database)
    client = tokens_in(database, CLIENT)
    assert client.load() == NOTHING
    given(client, "two", AccessToken("of a client", TOKEN.until))
    given(tokens_in(database), "three")
    assert tokens_in(database).load().token == TOKEN
    assert client.load().token == AccessToken("of a client", TOKEN.until)
    kept = ("paused_until", "refusals", "refusal")
    assert [row(database)[name] for name in kept] == [before[name] for name in kept]
    assert row(database, CLIENT)["refusals"] == 0


def of_other_credentials(database: Database) -> DatabaseTokens:
    return tokens_in(database, credentials="another print")


def of_another_key(database: Database) -> DatabaseTokens:
    return tokens_in(database, key=OTHER_KEY)


@pytest.mark.parametrize("other", [of_other_credentials, of_another_key])
@pytest.mark.parametrize(
    "failure", [None, Failure(ErrorKind.AUTH_FAILED, "UPS rejects our credentials", 401)]
)
def test_what_is_of_other_credentials_or_another_key_is_as_none_and_is_replaced(
    database: Database, other: Callable[[Database], DatabaseTokens], failure: Failure | None
) -> None:
    given(tokens_in(database))
    if failure:
        assert tokens_in(database).begin("two", NOW + LEASE, tokens_in(database).load())
        tokens_in(database).end("two", failure)
    assert (other(database).load().token, other(database).load().failure) == (None, None)
    given(other(database), "three", AccessToken("new", TOKEN.until))
    assert other(database).load().token == AccessToken("new", TOKEN.until)
    assert tokens_in(database).load().token is None


def test_a_token_that_was_copied_to_another_account_is_as_none(database: Database) -> None:
    given(tokens_in(database))
    client = tokens_in(database, CLIENT)
    given(client, "two", AccessToken("of a client", TOKEN.until))
    spoil(database, token=row(database)["token"], token_until=row(database)["token_until"])
    assert tokens_in(database).load().token == TOKEN
    assert client.load().token is None


def test_a_key_that_is_being_replaced_still_opens(database: Database) -> None:
    given(tokens_in(database, key=OTHER_KEY))
    assert replace(tokens_in(database), seals=Seals([KEY, OTHER_KEY])).load().token == TOKEN


@pytest.mark.parametrize("failure", [None, Failure(ErrorKind.AUTH_FAILED, "eyJ0-secret is no token", 401)])
def test_the_database_tells_nothing_without_the_key(database: Database, failure: Failure | None) -> None:
    store = tokens_in(database, credentials="print-of-credentials")
    given(store)
    if failure:
        assert store.begin("two", NOW + LEASE, store.load())
        store.end("two", failure)
    assert not [value for value in row(database).values() if "secret" in f"{value}" or "print" in f"{value}"]
    assert not any(secret in f"{store!r} {store.load()!r}" for secret in ("eyJ0", "print-of", KEY))


# ---------------------------------------------------------------- what others wrote


@pytest.mark.parametrize(
    "spoilt",
    [
        {"token": ""},
        {"token": "gAAAA"},
        {"token": "\N{SNOWMAN}" * 5000},
        {"token": Seals([KEY]).seal({}, "token ups print")},
        {"token": Seals([KEY]).seal({"token": "eyJ0"}, "")},
        {"token": Seals([KEY]).seal({"kind": "a newer one", "message": "", "http_status": ""}, "token ups print")},
        {"token_until": None},
        {"token_holder": None},
        {"token_holder": "somebody"},
        {"token_held_until": "9999-12-31 00:00:00"},
    ],
    ids=lambda spoilt: next(iter(spoilt)),
)  # fmt: skip
def test_what_others_wrote_is_replaced(database: Database, spoilt: dict[str, Any]) -> None:
    store = tokens_in(database)
    given(store)
    spoil(database, **spoilt)
    given(store, "two", AccessToken("new", TOKEN.until))
    assert store.load().token == AccessToken("new", TOKEN.until)


def test_times_that_are_none_are_replaced_too(database: Database) -> None:
    store = tokens_in(database)
    given(store)
    until, held_until = ("yesterday", "soon") if database.is_sqlite else ("infinity", "-infinity")
    spoil(database, token_until=until, token_held_until=held_until)
    assert (store.load().token, store.load().held_until) == (None, None)
    given(store, "two")
    assert store.load().token == TOKEN


# ---------------------------------------------------------------- the carriers of a run

UPS = {"UPS_CLIENT_ID": "cid", "UPS_CLIENT_SECRET": "old-secret", "UPS_BASE_URL": "http://127.0.0.1:1"}
GIVEN = Response(200, {}, json.dumps({"access_token": "tok", "expires_in": "14399"}).encode())
UNKNOWN = Response(404, {}, b"{}")


@pytest.mark.parametrize(
    ("named", "shares_tokens", "calls"),
    [
        ({}, True, {}),
        ({"UPS_CLIENT_SECRET": "new-secret"}, True, {Capability.TOKEN: 1}),
        ({"UPS_BASE_URL": "http://127.0.0.1:2"}, True, {Capability.TOKEN: 1}),
        ({"RECOURS_ACCOUNTS_KEY": OTHER_KEY}, True, {Capability.TOKEN: 1}),
        ({"RECOURS_ACCOUNTS_KEY": ""}, True, {Capability.TOKEN: 1}),
        ({}, False, {Capability.TOKEN: 1}),
    ],
    ids=["same", "other secret", "other address", "other key", "no key", "check of credentials"],
)
def test_the_token_of_the_house_is_shared_by_those_with_its_credentials_and_the_key(
    database: Database,
    url: str,
    tmp_path: Path,
    named: dict[str, str],
    shares_tokens: bool,
    calls: dict[Capability, int],
) -> None:
    usual = environment_of(url, "http://127.0.0.1:1") | UPS | {"RECOURS_ACCOUNTS_KEY": KEY}

    def client_of(named: dict[str, str], *, shares_tokens: bool = True) -> CarrierClient:
        settings, clock = load(tmp_path, usual | named, CATALOG), SimulatedClock(NOW)
        kept = accounts(settings, clock, lambda: 0.0, database=database, shares_tokens=shares_tokens)
        client = kept["ups"].client
        assert client
        return client

    client_of({}).check_credentials(FakeSession([GIVEN, UNKNOWN], at=NOW))
    assert client_of(named, shares_tokens=shares_tokens).setup_calls(NOW) == calls


def test_without_the_package_that_seals_each_process_has_a_token_of_its_own(
    database: Database, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recours.wiring.tokens.is_installed", lambda: False)
    settings = load(
        tmp_path, environment_of(url, "http://127.0.0.1:1") | {"RECOURS_ACCOUNTS_KEY": KEY}, CATALOG
    )
    assert token_sharing(settings, database, SimulatedClock(NOW)) is None
