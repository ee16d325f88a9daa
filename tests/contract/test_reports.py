"""The views of claims are the same for any kind of schema."""

from datetime import UTC, datetime, timedelta

import pytest

from recours.carriers.registry import CATALOG
from recours.core.claim import Stage
from recours.database.schema.inspection import inspect_schema
from recours.reporting.reader import DatabaseRecords, most_urgent_claims, survey
from recours.reporting.records import ClaimFilter, ProblemClaims, Sort
from recours.reporting.system import Backlog, MoneyInDispute
from recours.reporting.system_reader import SystemReader
from tests.contract.test_border import NUMBER, prepare
from tests.contract.test_claims import POLICY
from tests.fakes.intake import take_in
from tests.fakes.schemas import Application
from tests.rows import row

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def filled(application: Application) -> Application:
    """Four claims: new, failed, fetched, and not enrolled; each a day younger than the previous one."""
    prepare(application.database)
    for n, status in enumerate(("pending", "failed", "success"), 1):
        application.add(
            n, tracking_number=NUMBER, pod_fetch_status=status, created_at=f"2026-01-0{n} 08:00:00"
        )
    application.change(2, response_deadline="2026-02-04")
    application.add(4, carrier="UPS", created_at="2026-01-04 08:00:00")
    take_in(application.database, CATALOG, NOW, POLICY)
    return application


# Each with the numbers of its claims, newest first.
FILTERS = [
    (ClaimFilter(), "4321"),
    (ClaimFilter(statuses=["success", ""]), "43"),
    (ClaimFilter(stages=[Stage.NEW]), "1"),
    (ClaimFilter(stages=[Stage.NEW, Stage.READY, Stage.WAITING]), "21"),
    (ClaimFilter(carriers=["dpd"]), "321"),
    (ClaimFilter(carriers=["ups"], statuses=[""]), "4"),
    (ClaimFilter(text="clm-3"), "3"),
    (ClaimFilter(text=NUMBER[2:9]), "321"),
    (ClaimFilter(text="Shop2@"), "2"),
    (ClaimFilter(text="clm", stages=[Stage.NEW]), "1"),
    (ClaimFilter(problem_claims=ProblemClaims(["dpd"])), "21"),
]


@pytest.mark.sample(
    "other kinds of schema: tests/contract/test_border.py reads and writes each of them", every=3
)
def test_lists_are_filtered_searched_and_sorted(filled: Application) -> None:
    records = DatabaseRecords(filled.database, CATALOG)
    for criteria, numbers in FILTERS:
        with row(str(criteria)):
            page = records.page(criteria, 9)
            newest = [f"CLM-{n}" for n in numbers]
            assert ([one.claim.reference for one in page.claims], page.count) == (newest, len(newest))
            assert sorted(one.claim.reference for one in records.each_claim(criteria)) == newest[::-1]
            assert records.matching(criteria).references == newest
            of_client = ClaimFilter(clients=[str(page.claims[0].claim.client_id)])
            assert [one.claim.reference for one in records.claims(of_client, 9)] == newest[:1]
    for sort in Sort:
        assert len(records.claims(ClaimFilter(), 9, sort=sort)) == 4


@pytest.mark.sample(
    "other kinds of schema: tests/contract/test_border.py reads and writes each of them", every=3
)
def test_open_claims_are_counted_and_planned(filled: Application) -> None:
    database, schema = filled.database, inspect_schema(filled.database)
    [backlog] = [one for one in SystemReader(database, CATALOG).backlogs(NOW + DAY) if one.carrier == "dpd"]
    assert backlog == Backlog("dpd", backlog.stages, backlog.oldest)
    assert sum(backlog.stages.values()) == backlog.due == 2
    assert SystemReader(database, CATALOG).money_in_dispute([ProblemClaims(["dpd"])]) == [
        MoneyInDispute({"": 21.0})
    ]
    assert [claim.reference for claim in most_urgent_claims(database, CATALOG, "dpd", 9, NOW)][:1] == [
        "CLM-1"
    ]
    system = SystemReader(database, CATALOG)
    first, second = sorted(map(str, system.clients_of(["dpd"])["dpd"]))
    assert (len(first), first != second) == (len(second), True)
    near = system.near_deadline(NOW, NOW + 7 * DAY, ["dpd"])
    assert [claim.reference for claim in near] == ["CLM-2"]

    def planned() -> dict[str, bool]:
        found = survey(database, schema, CATALOG, NOW + DAY, 4, NOW)
        return {each.claim.reference: each.edited for each in found}

    assert planned() == {"CLM-1": False, "CLM-2": False}
    filled.change(2, carrier="UPS")
    filled.add(5, tracking_number=NUMBER, pod_fetch_status="pending")
    assert planned() == {"CLM-1": False, "CLM-2": True} | (
        {"CLM-5": True} if database.border.key_is_number or database.border.has_index else {}
    )


def test_before_the_first_run_claims_are_read_without_recours_tables(application: Application) -> None:
    status = {"pod_fetch_status": "pending"} if application.kind.has_pod_columns else {}
    application.add(1, tracking_number=NUMBER, **status)
    database = application.database
    found = survey(database, inspect_schema(database), CATALOG, NOW, 4, NOW)
    read = [(each.claim.reference, each.edited, each.leased) for each in found]
    assert read == [("CLM-1", True, False)] * len(status)
