"""Claims looked at without changing anything, whatever the state of the schema: for `--dry-run`."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, and_, false, or_, select

from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage
from recours.database.conditions import at_stage, const, edited
from recours.database.engine import Database
from recours.database.foreign import read_claim
from recours.database.rows import free, raw_columns, readable_columns
from recours.database.schema import Schema
from recours.database.tables import claims

_c = claims.c
_STATUSES = (FetchStatus.FAILED, FetchStatus.PENDING, FetchStatus.FETCHING)


def survey(
    database: Database, schema: Schema, catalog: Catalog, due_until: datetime, max_retries: int, now: datetime
) -> Iterator[tuple[Claim, bool]]:
    """Every claim that a run would have to do with now, and whether another run holds it."""
    if schema.is_current:
        columns = readable_columns(schema.columns)
        with_deadline = "response_deadline" in schema.columns
        wanted = _of_a_run(due_until, max_retries, with_deadline=with_deadline)
        held: ColumnElement[bool] = ~free(now)
    else:
        columns = raw_columns(schema.columns)
        if "pod_fetch_status" not in schema.columns:
            return
        wanted = _c.pod_fetch_status.in_([const(status) for status in _STATUSES])
        held = false()
    query = select(*columns, held.label("held")).where(wanted)
    with database.read() as connection:
        for row in connection.execution_options(yield_per=1000).execute(query).mappings():
            yield read_claim(row, catalog), bool(row["held"])


def _of_a_run(due_until: datetime, max_retries: int, *, with_deadline: bool) -> ColumnElement[bool]:
    turn_has_come = _c.pod_next_retry_at <= due_until
    return or_(
        edited(with_deadline=with_deadline),
        at_stage(Stage.READY),
        at_stage(Stage.NEW),
        at_stage(Stage.SHELVED),
        and_(or_(at_stage(Stage.WAITING), at_stage(Stage.SETTLED)), turn_has_come),
        and_(at_stage(Stage.GIVEN_UP), _c.pod_retry_count < max_retries),
    )
