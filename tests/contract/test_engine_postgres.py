"""What PostgreSQL's own ways of waiting and failing mean for whoever reads and writes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from recours.database.engine import Database, DatabaseFault
from recours.database.schema import look
from tests.conftest import Kind
from tests.contract.test_claims import Run


@pytest.fixture
def server_url(kinds: Callable[[str], Kind], tmp_path: Path) -> Iterator[URL]:
    kind = kinds("postgresql")
    url = kind.ready(tmp_path)
    yield url
    kind.drop(url)


LOOKS: dict[str, Callable[[Database], Any]] = {
    "claims": lambda database: Run(database).claims.count(),
    "recours_schema_version": look,
}


@pytest.mark.parametrize("table", LOOKS)
def test_whoever_reads_a_table_that_somebody_is_changing_does_not_wait_for_ever(
    server_url: URL, table: str
) -> None:
    service, hasty = Database(server_url), Database(server_url, lock_wait_s=0.1)
    with ThreadPoolExecutor(1) as pool, service.write() as migration:
        migration.exec_driver_sql(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        looking = pool.submit(LOOKS[table], hasty)
        try:
            with pytest.raises(DatabaseFault, match="lock timeout"):
                looking.result(20)
        finally:
            migration.rollback()
    hasty.close()
    service.close()
