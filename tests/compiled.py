"""SQL that was compiled for one test is compiled for all.

Each test opens databases of its own, and each database would compile every statement anew: a fifth of what tests with
databases cost. Databases of one kind and version have the same SQL.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine

import recours.database.engine


class _Shared(dict[Any, Any]):
    """For SQLAlchemy's option `compiled_cache`: its keys begin with the dialect, which each engine has one of."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_of_any_engine(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_of_any_engine(key), compiled)


def _of_any_engine(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    return (dialect.name, dialect.driver, dialect.server_version_info, *statement)


@contextmanager
def once() -> Iterator[None]:
    """Engines that recours opens share what was compiled."""
    shared = _Shared()

    def create_engine(*arguments: Any, **options: Any) -> Engine:
        engine = sqlalchemy.create_engine(*arguments, **options)
        engine.update_execution_options(compiled_cache=shared)
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recours.database.engine, "create_engine", create_engine)
        yield
