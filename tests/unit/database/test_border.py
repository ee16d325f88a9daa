"""The border's handling of columns whose types a database does not know."""

from sqlalchemy import create_engine, select
from sqlalchemy.pool import NullPool

from recours.database.border import INDEX, Border

KEY = "6f1c8a52e7b04d6f9a3b5c2d1e0f4a7b"


def test_a_key_of_a_type_unknown_to_sqlite_is_read_unchanged() -> None:
    with create_engine("sqlite://", poolclass=NullPool).connect() as connection:
        columns = "id UUID PRIMARY KEY, claim_reference TEXT, carrier TEXT, tracking_number TEXT"
        connection.exec_driver_sql(f"CREATE TABLE claims ({columns})")
        connection.exec_driver_sql("INSERT INTO claims (id) VALUES (?)", (KEY,))
        border = Border(connection)
        assert border.own_types["CLAIM_KEY"] == "NUMERIC"
        assert connection.scalar(select(border.key).where(border.key == KEY)) == KEY


def test_the_description_changes_with_the_tables() -> None:
    with create_engine("sqlite://", poolclass=NullPool).connect() as connection:
        connection.exec_driver_sql("CREATE TABLE claims (id INTEGER PRIMARY KEY, carrier TEXT)")
        before = Border(connection).description
        assert Border(connection).description == before
        for change in (
            "ALTER TABLE claims ADD COLUMN tracking_number TEXT",
            "CREATE TABLE clients (id INTEGER PRIMARY KEY)",
            f"CREATE INDEX {INDEX} ON claims (id)",
        ):
            connection.exec_driver_sql(change)
            assert Border(connection).description != before
            before = Border(connection).description
