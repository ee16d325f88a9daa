"""recours works on the tables that the recipes of docs/connect.md create."""

import enum
import sqlite3
import uuid
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from recours.database.border import POD_COLUMNS, TableNames
from recours.database.engine import Database
from tests.unit.manual.pages import blocks_of, section


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "service.db"


def recipe(heading: str, language: str) -> str:
    """The first code block of a section."""
    blocks = blocks_of("docs/connect.md", section("docs/connect.md", heading))
    return next(block.text for block in blocks if block.language == language)


def assert_works_on(path: Path, names: TableNames, updated: str) -> None:
    """`updated`: a query that returns the updated values of the claim."""
    database = Database(URL.create("sqlite", database=str(path)), names=names)
    border = database.border
    assert (border.faults, border.missing) == ([], [])
    with database.write() as connection:
        key = connection.scalar(select(border.key))
        values = border.parameters(key, {"pod_fetch_status": "success", "pod_url": "/a.pdf"})
        connection.execute(border.update(["pod_fetch_status", "pod_url"], if_unedited=False), values)
        assert connection.exec_driver_sql(updated).one() == ("success", "/a.pdf")
    database.close()


def test_the_model_of_sqlalchemy_has_all_that_recours_writes(path: Path) -> None:
    class Base(DeclarativeBase):
        pass

    facts: dict[str, Any] = {
        "Base": Base,
        "Carrier": enum.Enum("Carrier", ["CHRONOPOST"]),
        "ClaimStatus": enum.Enum("ClaimStatus", ["OPEN"]),
        "Mapped": Mapped,
        "datetime": datetime,
        "mapped_column": mapped_column,
        "uuid": uuid,
    }
    exec(recipe("With SQLAlchemy", "python"), facts)
    engine = create_engine(URL.create("sqlite", database=str(path)))
    Base.metadata.create_all(engine)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO claims (id, claim_reference, carrier, status) VALUES ('0f', 'C', 'CHRONOPOST', 'OPEN')"
        )
    assert_works_on(path, TableNames(), "SELECT pod_fetch_status, pod_url FROM claims")


def test_the_view_has_all_that_recours_writes_and_hands_updates_on(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(recipe("A view in place of the table", "sql"))
        connection.execute("INSERT INTO dossiers VALUES (1, 'D-1', 'open')")
        connection.execute(
            "INSERT INTO colis (dossier, suivi, transporteur) VALUES (1, 'XY001234567FR', 'Chronopost')"
        )
    assert_works_on(path, TableNames("pod_claims"), "SELECT pod_fetch_status, pod_url FROM colis")


def test_the_model_of_django_declares_all_that_recours_writes() -> None:
    declared = [
        line.split(" = ")[0].strip()
        for line in recipe("With Django", "python").splitlines()
        if " = models." in line
    ]
    assert declared == [*POD_COLUMNS]
