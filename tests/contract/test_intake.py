"""The service's claims are taken in, whatever its application did to them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text

from recours.carriers.registry import CATALOG
from recours.core.assessment import assess
from recours.core.claim import Claim
from recours.core.policy import Policy
from recours.database.engine import Database
from recours.database.intake import Assessor, ClaimIntake
from recours.database.tables import claims
from recours.sandbox import SimulatedClock
from tests.conftest import START

POLICY = Policy(ZoneInfo("Europe/Paris"))
NOW = START


@dataclass
class Runs:
    """Intakes of one database, one after the other."""

    database: Database
    now: Any = NOW

    @property
    def intake(self) -> ClaimIntake:
        assessor = Assessor(self.database, CATALOG, partial(assess, policy=POLICY))
        return ClaimIntake(
            assessor, POLICY.skip_claim_statuses, POLICY.max_retries, "run", SimulatedClock(self.now)
        )

    def take_in(self, *, after: timedelta = timedelta(0)) -> list[Claim]:
        self.now += after
        taken = list(self.intake.run(self.now))
        list(self.intake.adopt_exhausted(self.now))
        return taken


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database)


def edit(database: Database, statement: str, **values: Any) -> None:
    with database.write() as connection:
        connection.execute(text(statement), values)


def ours(database: Database) -> dict[Any, Any]:
    with database.read() as connection:
        return {row.claim_id: row for row in connection.execute(select(claims))}


def stages(database: Database) -> dict[Any, str]:
    return {claim_id: row.stage for claim_id, row in ours(database).items()}


def test_first_round(runs: Runs, database: Database, add_claims: Callable[..., None]) -> None:
    add_claims(
        database,
        [
            {},
            {"pod_fetch_status": "pending"},
            {"pod_fetch_status": None},
            {"pod_fetch_status": ""},
            {"pod_fetch_status": "success"},
            {"pod_fetch_status": None, "tracking_number": " "},
            {"pod_fetch_status": None, "status": "paid"},
            {"status": "Paid"},
            {"pod_retry_count": 4},
        ],
    )
    runs.take_in()
    assert stages(database) == {
        1: "waiting",
        2: "new",
        3: "not_enrolled",
        4: "not_enrolled",
        8: "shelved",
        9: "given_up",
    }
    assert runs.take_in() == []
