"""The service's claims in any schema: read as text, compared, and updated with results."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ColumnElement, inspect, make_url, select

from recours.carriers.registry import CATALOG
from recours.core.claim import Claim, Stage, State
from recours.database.border import INDEX, POD_COLUMNS, Border
from recours.database.claim_rows import assessed_values, insert_rows, project, read_claims, reading_all
from recours.database.engine import Database
from recours.database.schema.creation import bring_up_to_date
from recours.database.schema.inspection import inspect_schema
from tests.conftest import Kind
from tests.fakes.schemas import SCHEMAS, Application

NOW = datetime(2026, 2, 2, 8, 0, tzinfo=UTC)
NUMBER, OTHER_NUMBER = "12345678901234", "99999999999999"
ERROR = "DPD answered with an error of its own (HTTP 500), again"
FAILED = {
    "pod_fetch_status": "failed",
    "pod_fetch_error": ERROR,
    "pod_retry_count": 1,
    "pod_last_retry_at": NOW,
}
SUCCESS = {
    "pod_fetch_status": "success",
    "pod_fetch_error": None,
    "pod_url": "/pods/a.pdf",
    "pod_fetched_at": NOW,
    "pod_delivery_person": None,
}


@pytest.fixture
def ready(application: Application) -> Application:
    """A database with all additions of recours, and a failed claim."""
    prepare(application.database)
    application.add(1, tracking_number=NUMBER, pod_fetch_status="failed", response_deadline="2026-03-01")
    return application


def prepare(database: Database) -> None:
    """Prepare the database like a first run."""
    bring_up_to_date(database, inspect_schema(database))
    database.reinspect()


def read(service: Application) -> Claim:
    with service.database.read() as connection:
        (claim,) = read_claims(connection.execute(reading_all(service.database.border)), CATALOG)
    return claim


def assess(service: Application) -> None:
    """Assess the claim like a run that has just read it."""
    claim = read(service)
    with service.database.write() as connection:
        values = assessed_values(claim, State(stage=Stage.READY), NOW)
        insert_rows(connection, [{"claim_id": claim.id, **values}])


def holds(service: Application, condition: ColumnElement[bool]) -> bool:
    """Whether this condition is true of the claim."""
    with service.database.read() as connection:
        return bool(
            connection.execute(select(condition).select_from(service.database.border.joined())).scalar()
        )


def test_a_statement_survives_a_new_inspection_of_unchanged_tables(
    ready: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread may build a statement while another thread reads the tables again."""
    monkeypatch.setattr("recours.database.engine.Border", Border)  # tests share borders of identical tables
    assess(ready)
    ready.database.reinspect()
    condition = ready.database.border.text("tracking_number") == NUMBER
    with ready.database.read() as connection:
        ready.database.reinspect(connection)
    assert holds(ready, condition)


def test_values_of_every_type_are_read(ready: Application) -> None:
    ready.change(1, pod_fetch_error="Timeout")
    claim = read(ready)
    assert (claim.reference, claim.carrier_name, claim.number) == ("CLM-1", "DPD", NUMBER)
    assert (claim.claim_status, claim.fetch_status, claim.error_text) == ("open", "failed", "Timeout")
    assert (claim.deadline, claim.amount, claim.retries_counted) == (date(2026, 3, 1), Decimal("10.5"), 0)
    assert claim.unreadable == ()
    assert all(text is None or isinstance(text, str) for text in claim.texts)


def test_an_assessed_claim_differs_only_after_an_edit(ready: Application) -> None:
    assess(ready)
    border = ready.database.border
    assert not holds(ready, border.differs)
    edits: list[tuple[dict[str, Any], bool]] = [
        ({"tracking_number": OTHER_NUMBER}, True),
        ({"carrier": "UPS"}, True),
        ({"pod_fetch_status": "pending"}, True),
        ({"client_id": ready.kind.key(2)}, True),
        ({"status": "paid"}, False),
        ({"response_deadline": "2026-03-02"}, False),
    ]
    before = ready.row(1)
    for columns, is_edited in edits:
        ready.change(1, **columns)
        assert holds(ready, border.differs), columns
        assert holds(ready, border.is_edited) == is_edited, columns
        ready.change(1, **{name: before[name] for name in columns})
        assert not holds(ready, border.differs), columns


@pytest.mark.parametrize("told", [FAILED, SUCCESS], ids=["failed", "success"])
def test_results_fit_the_column_types_of_the_service(ready: Application, told: dict[str, Any]) -> None:
    assess(ready)
    claim, border = read(ready), ready.database.border
    before = ready.row(1)
    with ready.database.write() as connection:
        assert project(connection, border, {claim.id: told}) == 1
    row = ready.row(1)
    lengths = {"VARCHAR(30) NOT NULL": 30}
    error = told["pod_fetch_error"] or (None if ready.kind is not SCHEMAS["Django"] else "")
    length = lengths.get(str(ready.kind.columns.get("pod_fetch_error")))
    assert row["pod_fetch_error"] == (error[:length] if error else error)
    assert row["pod_fetch_status"] == told["pod_fetch_status"]
    for name in ("pod_last_retry_at", "pod_fetched_at"):
        if name in told:
            assert str(row[name]).startswith("2026-02-02 08:00:00"), name
    others = {name: value for name, value in row.items() if name not in told}
    assert others == {name: before[name] for name in others}


def test_no_result_is_written_to_an_edited_claim(ready: Application) -> None:
    assess(ready)
    claim = read(ready)
    ready.change(1, tracking_number=OTHER_NUMBER)
    before = ready.row(1)
    with ready.database.write() as connection:
        assert project(connection, ready.database.border, {claim.id: FAILED}) == 0
    assert ready.row(1) == before


def test_at_most_eight_columns_and_one_index_are_added_and_removed(application: Application) -> None:
    with application.database.read() as connection:
        columns, indexes = application.columns(connection), application.indexes(connection)
    border = application.database.border
    assert border.faults == []
    missing = border.missing
    prepare(application.database)
    border = application.database.border
    assert (border.faults, border.missing) == ([], [])
    with application.database.read() as connection:
        added = application.columns(connection).keys() - columns.keys()
        added_indexes = application.indexes(connection) - indexes
        key = {column["name"]: column["type"] for column in inspect(connection).get_columns("recours_claims")}
        theirs = border.key.type
    assert added == {application.kind.names.columns.get(name, name) for name in missing}
    assert len(added) <= len(POD_COLUMNS) == 8
    assert added_indexes == (set() if application.kind.is_view else {INDEX})
    assert type(key["claim_id"]).__name__ in (type(theirs).__name__, "TEXT", "BIGINT")
    with application.database.write() as connection:
        for statement in border.removals(missing):
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS {INDEX}")
            connection.exec_driver_sql(statement)
    with application.database.read() as connection:
        assert application.columns(connection) == columns


# ---------------------------------------------------------------- what makes it impossible


def faults_of(url: Any, *statements: str) -> list[str]:
    database = Database(url)
    with database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        faults = Border(connection).faults
    database.close()
    return faults


NEEDED = "id INTEGER PRIMARY KEY, claim_reference TEXT, carrier TEXT"


@pytest.mark.parametrize(
    ("statements", "fault"),
    [
        ((), "there is no table 'claims'"),
        ((f"CREATE TABLE claims ({NEEDED})",), "'claims' has no column 'tracking_number'"),
        (
            (
                f"CREATE TABLE c ({NEEDED}, tracking_number TEXT, pod_fetch_status TEXT)",
                "CREATE VIEW claims AS SELECT * FROM c",
            ),
            "'claims' is a view, to which recours adds nothing, without pod_url, pod_fetched_at",
        ),
    ],
)
def test_an_unusable_schema_is_explained_in_a_sentence(
    empty_url: str, statements: tuple[str, ...], fault: str
) -> None:
    (sentence,) = faults_of(make_url(empty_url), *statements)
    assert sentence.startswith(fault)


@pytest.mark.full("an enum, on PostgreSQL")
def test_an_enum_without_required_values_is_a_fault(kinds: Callable[[str], Kind], tmp_path: Path) -> None:
    kind = kinds("postgresql")
    url = kind.empty(tmp_path)
    (sentence,) = faults_of(
        url,
        "CREATE TYPE pod_status AS ENUM ('pending', 'success')",
        f"CREATE TABLE claims ({NEEDED}, tracking_number TEXT, pod_fetch_status pod_status)",
    )
    assert sentence == "pod_fetch_status has the type pod_status without the value 'failed'"
    kind.drop(url)
