"""Claims whose retries other software used up are taken over beside the service, which may be at work on them."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from recours.database.engine import Database
from tests.contract.test_claims import NOW, Run, edit, rows

EXHAUSTED = {"pod_retry_count": 4}


def adopted(database: Database) -> list[int]:
    return [
        row["id"] for row in rows(database, "SELECT id FROM claims WHERE pod_stage = 'given_up' ORDER BY id")
    ]


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)  # on SQLite who writes has the whole database
def test_what_the_service_has_locked_is_passed_over_and_adopted_later(
    database: Database, url: str, add_claims: Callable[..., None]
) -> None:
    add_claims(database, [EXHAUSTED] * 5)
    service = Database(database.url)
    with service.write() as connection:
        connection.execute(text("SELECT id FROM claims WHERE id IN (1, 3) FOR UPDATE")).all()
        assert list(Run(database).maintenance.adopt_exhausted(4, NOW)) == [3]
        assert adopted(database) == [2, 4, 5]
    service.close()
    assert list(Run(database).maintenance.adopt_exhausted(4, NOW)) == [2]
    assert adopted(database) == [1, 2, 3, 4, 5]


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
    assessed = "pod_stage, pod_carrier_key, pod_error_kind, pod_rank_is_deadline, pod_interruptions"
    assessed_on = "pod_seen_status, pod_seen_number, pod_seen_carrier, pod_seen_count"
    query = f"SELECT {assessed}, {assessed_on}, pod_retry_count FROM claims ORDER BY id"
    run = Run(database)
    assert sum(run.maintenance.adopt_exhausted(4, NOW)) == len(every)
    at_once = rows(database, query)
    forgotten = ", ".join(f"{name} = NULL" for name in f"{assessed}, {assessed_on}".split(", "))
    edit(database, f"UPDATE claims SET {forgotten}")
    run.keep()
    assert rows(database, query) == at_once
