"""A run over client accounts opens only those with due claims, by urgency, and records the account of each attempt."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from recours.accounts.sealing import Seals
from recours.core.accounts import owner_of
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.tables import attempts
from recours.runs.worker import Options
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from recours.settings.model import Settings
from tests.conftest import SERVICE_CLIENTS, START, add_claims
from tests.one_run import run_once
from tests.own_rows import put_account
from tests.planted import PASSWORD

KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
CREDENTIALS = {"CHRONOPOST_ACCOUNT": "10000001", "CHRONOPOST_PASSWORD": PASSWORD}
ACCOUNTS, WITH_CLAIMS = 20, 3


@pytest.fixture
def numbers(database: Database) -> list[int]:
    """The ids of the clients' accounts."""
    stored, found = ClientAccounts(database), []
    with database.write() as connection:
        rows = [{"id": n + 1, "email": f"shop{n}@example.com"} for n in range(ACCOUNTS)]
        connection.execute(insert(SERVICE_CLIENTS), rows)
    for client in range(1, ACCOUNTS + 1):
        sealed = Seals([KEY]).seal(CREDENTIALS, owner_of(client, "chronopost"))
        found.append(put_account(stored, client, "chronopost", sealed, "lea", START) or 0)
    return found


@pytest.fixture
def run(
    url: str, settings_of: Callable[..., Settings], sandbox: Sandbox, clock: SimulatedClock
) -> Callable[..., Any]:
    def run(**options: Any) -> Any:
        settings = settings_of(url, sandbox, RECOURS_ACCOUNTS_KEY=KEY)
        return run_once(settings, clock, options=Options(**{"batch_size": 50, "concurrency": 1} | options))

    return run


@contextmanager
def unsealings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    owners: list[str] = []
    really = Seals.open

    def note(self: Seals, text: str, owner: str = "") -> dict[str, str]:
        owners.append(owner)
        return really(self, text, owner)

    with monkeypatch.context() as patch:
        patch.setattr(Seals, "open", note)
        yield owners


def accounts_of_attempts(database: Database) -> list[tuple[int, int | None]]:
    """The claims and accounts of all attempts, in order."""
    query = select(attempts.c.claim_id, attempts.c.account_id).order_by(attempts.c.id)
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_a_run_opens_the_accounts_with_due_claims_and_asks_in_the_order_of_urgency(
    database: Database,
    sandbox: Sandbox,
    numbers: list[int],
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Deadlines alternate between clients, with claims of the default account in between."""
    of = [*range(1, WITH_CLAIMS + 1), None]
    rows = [
        {"client_id": of[n % len(of)], "response_deadline": (START + timedelta(days=9 - n // 2)).date()}
        for n in range(12)
    ]
    later = {"client_id": WITH_CLAIMS + 1, "updated_at": START - timedelta(minutes=5)}
    add_claims(database, [*rows, later])
    for n in range(len(rows) + 1):
        sandbox.parcels[f"XY00{n:07d}FR"] = Parcel((Scenario.DELIVERED,))
    with unsealings(monkeypatch) as owners:
        report = run()
    assert report.stats.success == len(rows)
    assert sorted(owners) == [f"{client}/chronopost" for client in range(1, WITH_CLAIMS + 1)]
    found = accounts_of_attempts(database)
    assert [account for _, account in found] == [
        numbers[row - 1] if (row := rows[claim - 1]["client_id"]) else None for claim, _ in found
    ]
    deadlines = [rows[claim - 1]["response_deadline"] for claim, _ in found]
    assert deadlines == sorted(deadlines)
