"""Reuses SQL that was compiled for one test in all other tests.

Each test opens its own databases, and each database would compile every statement again. This would be a fifth of the
cost of database tests. Databases of the same kind and version have the same SQL.
"""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine

import recours.database.engine
from recours.database.border import USUAL_NAMES, Border, TableNames
from recours.reporting.snapshot import Reports
from recours.runs.worker import PODFetchWorker, PODRetryScheduler
from recours.sandbox import Sandbox, Scenario, SimulatedClock


class _Shared(dict[Any, Any]):
    """A `compiled_cache` for several engines. SQLAlchemy's keys begin with a dialect that belongs to one engine."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_of_any_engine(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_of_any_engine(key), compiled)


def _of_any_engine(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    return (dialect.name, dialect.driver, dialect.server_version_info, *statement)


@contextmanager
def once() -> Iterator[None]:
    """Share compiled SQL between all engines that recours opens in the block."""
    share()
    yield
    vars(recours.database.engine)["create_engine"] = sqlalchemy.create_engine
    vars(recours.database.engine)["Border"] = Border


def share() -> None:
    """Share compiled SQL from now on, including in processes forked from this one."""
    shared = _Shared()

    def create_engine(*arguments: Any, **options: Any) -> Engine:
        engine = sqlalchemy.create_engine(*arguments, **options)
        engine.update_execution_options(compiled_cache=shared)
        return engine

    vars(recours.database.engine)["create_engine"] = create_engine
    vars(recours.database.engine)["Border"] = _of_like_tables()


def _of_like_tables() -> Callable[..., Border]:
    """Reuse one border for all databases with the same service tables, so that its SQL is compiled only once."""
    known: dict[Any, Border] = {}

    def border(connection: Connection, names: TableNames = USUAL_NAMES) -> Border:
        new = Border(connection, names)
        return known.setdefault((new.dialect.name, names, new.description), new)

    return border


def share_usual() -> None:
    """Like `share`, and compile in advance the SQL that runs and `recours status` use on SQLite."""
    # Imported here, because most tests do not need these modules and should not fail with them.
    from recours.app import open_app  # noqa: PLC0415 (see above)
    from tests.acceptance.simulation import FAILED_AT, Service  # noqa: PLC0415 (see above)

    share()
    logging.disable()
    with tempfile.TemporaryDirectory() as folder, Sandbox(now=lambda: FAILED_AT) as box:
        service = Service(Path(folder), box, SimulatedClock(FAILED_AT))
        for answer in (Scenario.DELIVERED, Scenario.IN_TRANSIT):
            service.add(answer, failed_at=FAILED_AT - timedelta(hours=2))
        for worker in (PODFetchWorker, PODRetryScheduler):
            service.run(worker)
        with closing((app := open_app(service.settings)).database):
            Reports(app).overview(days=7)
        service.close()
    logging.disable(logging.NOTSET)
