"""Views of the system need as many statements with 60 client accounts as with 12."""

import base64
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, make_url

from recours.accounts.health import AccountHealth
from recours.accounts.sealing import Seals
from recours.app import App
from recours.carriers.registry import CATALOG
from recours.core.accounts import owner_of
from recours.core.errors import ErrorKind
from recours.core.pauses import AccountState
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.maintenance import ClaimMaintenance
from recours.database.quota import QuotaTables
from recours.database.schema.inspection import inspect_schema
from recours.reporting.claim_reports import explanation_of, plan_for
from recours.reporting.plan import is_in_line
from recours.reporting.snapshot import Reports
from recours.sandbox import SimulatedClock
from recours.settings.loading import load
from tests.conftest import SERVICE_CLIENTS, add_claims, environment_of
from tests.contract.test_claims import NOW, POLICY
from tests.fakes.intake import take_in
from tests.own_rows import statements_of

KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
CREDENTIALS = {"CHRONOPOST_ACCOUNT": "20000002", "CHRONOPOST_PASSWORD": "S3cret-of-the-shop"}
FEW, MANY = 12, 60
DUE = 9  # clients with due claims: few enough for `recours why` to simulate the runs


def with_accounts(count: int, url: str, folder: Path, due: int = DUE) -> App:
    """Each client has an account, every third a rejected one, and a claim: the first `due` clients a due one."""
    database = Database(make_url(url))
    with database.write() as connection:
        rows = [{"id": client, "email": f"shop{client}@example.com"} for client in range(1, count + 1)]
        connection.execute(insert(SERVICE_CLIENTS), rows)
    stored, seals = ClientAccounts(database), Seals([KEY])
    sealed = [
        (client, "chronopost", seals.seal(CREDENTIALS, owner_of(client, "chronopost")), None)
        for client in range(1, count + 1)
    ]
    stored.put_all(sealed, "lea", NOW)
    quota = QuotaTables(database)
    refused = AccountState(1, NOW + timedelta(hours=6), "refused", ErrorKind.AUTH_FAILED)
    for account in stored.all():
        if account.client_id % 3 == 0:
            quota.set_account_state(account.key, refused)
    failed_at = [
        NOW - (timedelta(days=2) if client <= due else timedelta()) for client in range(1, count + 1)
    ]
    add_claims(
        database,
        [
            {"carrier": "Chronopost", "client_id": client, "updated_at": at, "response_deadline": None}
            for client, at in enumerate(failed_at, 1)
        ],
    )
    settings = load(
        folder, environment_of(url, "http://127.0.0.1:1") | {"RECOURS_ACCOUNTS_KEY": KEY}, CATALOG
    )
    app = App(settings, database, inspect_schema(database), SimulatedClock(NOW))
    take_in(database, app.catalog, NOW, POLICY)
    ClaimMaintenance(database, app.catalog, "slice").stage_due(POLICY.due_until(NOW))
    return app


def overview(app: App) -> None:
    seen = Reports(app).overview()
    count = len(app.clients.all())
    assert sum(one.health is AccountHealth.REFUSED for one in seen.accounts) == count // 3
    assert sum(account["due"] for account in seen.as_json()["accounts"]) == DUE
    assert {backlog.carrier for backlog in seen.backlogs} >= {f"chronopost#{n}" for n in range(1, count)}


def why(app: App) -> None:
    found = explanation_of(app, "CLM-00000")
    assert found
    assert is_in_line(found.position)  # the search skipped it, and it is next


def plan(app: App) -> None:
    assert plan_for(app, timedelta(hours=3)).as_json()


@pytest.mark.parametrize("read", [overview, why, plan])
def test_statements_do_not_grow_with_accounts(read: Callable[[App], None], kind: Any, tmp_path: Path) -> None:
    counts = []
    for count in (FEW, MANY):
        (folder := tmp_path / str(count)).mkdir()
        url = kind.ready(folder)
        app = with_accounts(count, url.render_as_string(hide_password=False), folder)
        with statements_of(app.database) as seen:
            read(app)
        counts.append(len(seen))
        app.database.close()
        kind.drop(url)
    assert counts[0] == counts[1]
