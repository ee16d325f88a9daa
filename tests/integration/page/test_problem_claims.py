"""Each problem that counts claims links to a list of exactly these claims."""

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from sqlalchemy import insert, update

from recours.accounts.sealing import Seals
from recours.app import open_app
from recours.carriers.registry import CATALOG
from recours.core.accounts import owner_of
from recours.core.errors import ErrorKind
from recours.core.pauses import AccountState
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.database.tables import attempts, evidence, intake
from recours.reporting.problems import OF_CLAIMS, Problem, ProblemKind
from recours.reporting.snapshot import Reports
from recours.settings.loading import load_at_home
from tests import planted
from tests.conftest import SERVICE_CLIENTS, add_claims
from tests.contract.test_claims import POLICY
from tests.fakes.intake import take_in
from tests.integration.page.conftest import PageClient
from tests.integration.page.test_claims import references
from tests.keys import new_key
from tests.own_rows import put_account, set_own

K = ProblemKind
DAY = timedelta(days=1)
CLIENT_KEY = "chronopost#1"


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def world(database: Database, now: datetime) -> Database:
    """Claims of the default account, a client's account, an unknown carrier, one without credentials, and no client."""
    soon, later = (now + 2 * DAY).date(), (now + 60 * DAY).date()
    lately = {"updated_at": now, "created_at": now - DAY, "response_deadline": later}
    rows: dict[str, dict[str, Any]] = {
        "HOUSE-SOON": {"response_deadline": soon},
        "HOUSE": {},
        "CLIENT": {},
        "DONE": {"pod_fetch_status": "success"},
        "GAVE-UP": {},
        "UPS-OLD": {
            "carrier": "UPS",
            "tracking_number": "1Z999AA10123456784",
            "client_id": 2,
            "created_at": now - 115 * DAY,
        },
        "UPS-GAVE-UP": {"carrier": "UPS", "tracking_number": "1Z999AA10123456784"},
        "PIGEON": {"carrier": "Pigeon Post"},
        "PIGEON-GAVE-UP": {"carrier": "Pigeon Post"},
        "NOBODYS": {"pod_fetch_status": None, "pod_fetch_error": None},
        "NUMBERLESS": {"pod_fetch_status": None, "pod_fetch_error": None, "tracking_number": " "},
        "PAID": {"pod_fetch_status": None, "pod_fetch_error": None, "status": "paid"},
    }
    with database.write() as connection:
        for number in (1, 2):
            connection.execute(insert(SERVICE_CLIENTS).values(id=number, email=f"shop{number}@example.com"))
    add_claims(database, [lately | row | {"claim_reference": name} for name, row in rows.items()])
    policy = replace(POLICY, evidence_days=CATALOG.evidence_days)
    take_in(database, CATALOG, now, policy)
    add_claims(database, [lately | {"claim_reference": "UNSEEN"}])
    for name in ("GAVE-UP", "UPS-GAVE-UP", "PIGEON-GAVE-UP"):
        set_own(database, name, stage="given_up")
    set_own(database, "CLIENT", lane=CLIENT_KEY)
    return database


@pytest.fixture
def problems(environment: dict[str, str]) -> Callable[[ProblemKind], list[Problem]]:
    def of_kind(kind: ProblemKind) -> list[Problem]:
        app = open_app(load_at_home(environment, CATALOG))
        with closing(app.database):
            return Reports(app).problems_of(kind)

    return of_kind


@dataclass
class Begin:
    """Functions that cause each problem."""

    database: Database
    page: PageClient
    environment: dict[str, str]
    now: datetime

    def nothing(self) -> None:
        """The problem exists from the beginning."""

    def pause(self) -> None:
        assert self.page.post("/carriers/pause", {"carrier": "chronopost", "back": "/"}).status == 200

    def reject(self, key: str = "chronopost", kind: ErrorKind = ErrorKind.AUTH_FAILED) -> None:
        state = AccountState(refusals=1, refused_until=self.now + DAY / 24, refusal="no", kind=kind)
        QuotaTables(self.database).set_account_state(key, state)

    def deny(self) -> None:
        self.reject(kind=ErrorKind.ACCOUNT_DENIED)

    def open_account(self) -> None:
        key = new_key()
        given = {"CHRONOPOST_ACCOUNT": "20000002", "CHRONOPOST_PASSWORD": planted.PASSWORD}
        sealed = Seals([key]).seal(given, owner_of(1, "chronopost"))
        assert put_account(ClientAccounts(self.database), 1, "chronopost", sealed, "lea", self.now) == 1
        self.environment["RECOURS_ACCOUNTS_KEY"] = key

    def reject_account(self) -> None:
        self.open_account()
        self.reject(CLIENT_KEY)

    def lose_key(self) -> None:
        self.open_account()
        del self.environment["RECOURS_ACCOUNTS_KEY"]

    def give_no_answer(self) -> None:
        row: dict[str, Any] = {
            "claim_id": 1, "run_id": "r", "worker": "w", "carrier": "chronopost", "tracking_number": "X", "turn": 1,
            "duration_s": 1.0, "calls": 1, "outcome": "failed", "used": True, "error_kind": "timeout",
        }  # fmt: skip
        with self.database.write() as connection:
            for claim_id in range(1, 6):
                at = self.now - claim_id * DAY / 24
                connection.execute(insert(attempts).values(row | {"started_at": at, "claim_id": claim_id}))

    def fall_behind(self) -> None:
        """Two claims, one call a day, and both deadlines before the second retry."""
        self.environment["QUOTA_CHRONOPOST_TRACKING"] = "1/day"
        for name in OF_HOUSE:
            set_own(self.database, name, stage="ready", rank_at=self.now + 1.2 * DAY, rank_is_deadline=1)

    def settle(self) -> None:
        set_own(self.database, "HOUSE", stage="settled", kind=ErrorKind.INVALID_TRACKING)
        set_own(self.database, "GAVE-UP", kind=ErrorKind.NOT_FOUND)
        set_own(self.database, "UPS-GAVE-UP", kind=ErrorKind.TIMEOUT)

    def refuse_documents(self) -> None:
        row: dict[str, Any] = {
            "carrier": "chronopost", "tracking_number": "X", "kind": "letter", "source": "s", "obtained_at": self.now,
            "path": "/pods/a.pdf", "sha256": "a", "size": 1, "media_type": "text/html", "refused": "it is blank", "shown": {},
        }  # fmt: skip
        with self.database.write() as connection:
            for claim_id in (1, 2, 3, 5, 8, 10):
                connection.execute(insert(evidence).values(row | {"claim_id": claim_id}))

    def leave_undecided(self) -> None:
        with self.database.write() as connection:
            connection.execute(update(intake).values(decided=False, status_column_added=False))


OF_HOUSE = {"HOUSE-SOON", "HOUSE"}
OF_ALL = OF_HOUSE | {"CLIENT"}
CASES: dict[ProblemKind, tuple[Callable[[Begin], None], set[str]]] = {
    K.CREDENTIALS_REJECTED: (Begin.reject, OF_HOUSE),
    K.ACCOUNT_DENIED: (Begin.deny, OF_HOUSE),
    K.NOT_CONFIGURED: (Begin.nothing, {"UPS-OLD"}),
    K.NO_ACCOUNT: (Begin.open_account, {"UPS-OLD"}),
    K.ACCOUNTS_REFUSED: (Begin.reject_account, {"CLIENT"}),
    K.ACCOUNTS_UNUSABLE: (Begin.lose_key, {"CLIENT"}),
    K.CARRIER_PAUSED: (Begin.pause, OF_ALL),
    K.OUTAGE: (Begin.give_no_answer, OF_ALL),
    K.BACKLOG: (Begin.fall_behind, OF_HOUSE),
    K.UNKNOWN_CARRIER: (Begin.nothing, {"PIGEON"}),
    K.TO_CORRECT: (Begin.settle, {"HOUSE", "GAVE-UP"}),
    K.DEADLINES: (Begin.pause, {"HOUSE-SOON"}),
    K.EVIDENCE: (Begin.nothing, {"UPS-OLD"}),
    K.REFUSED_DOCUMENTS: (Begin.refuse_documents, OF_ALL | {"GAVE-UP", "PIGEON", "NOBODYS"}),
    K.NOT_ENROLLED: (Begin.leave_undecided, {"NOBODYS"}),
}


def test_every_kind_that_counts_claims_is_tried() -> None:
    assert set(CASES) == OF_CLAIMS


@pytest.mark.parametrize("problem_kind", CASES)
def test_the_list_has_exactly_the_claims_that_the_problem_counts(
    world: Database,
    page: PageClient,
    environment: dict[str, str],
    problems: Callable[[ProblemKind], list[Problem]],
    problem_kind: ProblemKind,
    now: datetime,
) -> None:
    begin, expected = CASES[problem_kind]
    begin(Begin(world, page, environment, now))
    (problem,) = problems(problem_kind)
    (address,) = set(re.findall(rf'href="(/claims\?problem={problem_kind}[^"]*)"', page.get("/").html))
    shown = page.get(unescape(address))
    assert problem.count == len(expected)
    assert set(references(shown)) == expected
    assert f"Claims {len(expected)} " in shown.text
    exported = page.get(unescape(address).replace("/claims?", "/claims.csv?"))
    assert exported.html.count("\n") == len(expected) + 1


@pytest.mark.usefixtures("world")
def test_the_list_says_which_problem_it_is_about_and_leads_back_to_all(page: PageClient) -> None:
    shown = page.get("/claims?problem=unknown_carrier&stage=waiting")
    assert "1 claim names a carrier that recours does not know. Also show other claims" in shown.text
    assert 'href="/claims?stage=waiting"' in shown.html
    assert 'type="hidden" name="problem" value="unknown_carrier"' in shown.html
    assert references(page.get("/claims?problem=not_configured&carrier=chronopost")) == []


@pytest.mark.usefixtures("world")
def test_a_problem_that_is_over_has_no_claims(page: PageClient) -> None:
    shown = page.get("/claims?problem=carrier_paused&carrier=chronopost")
    assert references(shown) == []
    assert "The problem that these claims had is resolved." in shown.text


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("name", ["never_ran", "nothing"])
def test_no_list_is_about_what_counts_no_claims(page: PageClient, name: str) -> None:
    shown = page.get(f"/claims?problem={name}")
    assert f"Ignored '{name}', which is not a value of the filter 'Problem'." in shown.text
    assert len(references(shown)) == 13


@pytest.mark.usefixtures("world")
def test_all_that_match_are_those_of_the_problem(page: PageClient) -> None:
    fields = {
        "all": "yes",
        "query": "problem=unknown_carrier",
        "back": "/claims",
        "do": "exclude",
        "why": "a test",
    }
    assert "PIGEON excluded: recours no longer works on it." in page.post("/claims/do", fields).text
    assert references(page.get("/claims?status=manual")) == ["PIGEON"]
