"""Claims whose retries other software used up are taken over beside the service, which may be at work on them."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from recours.database.border import SEEN
from recours.database.engine import Database
from tests.contract.test_claims import CATALOG, NOW, POLICY, Run, edit, rows
from tests.fakes.intake import intake_of

EXHAUSTED = {"pod_retry_count": 4}


def adopt(database: Database) -> int:
    return sum(intake_of(database, CATALOG, POLICY, NOW).adopt_exhausted(NOW))


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)  # on SQLite who writes has the whole database
def test_what_the_service_has_locked_is_adopted_beside_it(
    database: Database, add_claims: Callable[..., None]
) -> None:
    add_claims(database, [EXHAUSTED] * 5)
    service = Database(database.url)
    with service.write() as connection:
        connection.execute(text("SELECT id FROM claims WHERE id IN (1, 3) FOR UPDATE")).all()
        assert adopt(database) == 5
    service.close()
    assert adopt(database) == 0, "once"


def test_claims_of_many_kinds_become_what_judging_them_one_by_one_makes_of_them(
    database: Database, add_claims: Callable[..., None]
) -> None:
    carriers = ["Chronopost", "other", "Pigeon", ""]
    errors = [
        "Timeout",
        "Invalid tracking number",
        None,
        "HTTP 503 for XY123456789FR",
        'a "quoted", {odd} \\ text',
    ]
    numbers = ["XY1", "  ", None]
    every = [
        EXHAUSTED | {"carrier": carrier, "pod_fetch_error": error, "tracking_number": number}
        for carrier in carriers
        for error in errors
        for number in numbers
    ]
    add_claims(database, [row | {"claim_reference": f"{n}"} for n, row in enumerate(every)])
    assessed = (
        "claim_id, stage, lane, kind, rank_is_deadline, interruptions, retries_used, attempts, to_assess"
    )
    query = f"SELECT {assessed}, {', '.join(SEEN)} FROM recours_claims ORDER BY claim_id"
    assert adopt(database) == len(every)
    at_once = rows(database, query)
    edit(database, "DELETE FROM recours_claims")
    Run(database).keep()
    assert rows(database, query) == at_once
