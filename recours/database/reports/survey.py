"""Claims looked at without changing anything, whatever the state of the schema: for `--dry-run` and `recours plan`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, false, null, or_, select, true

from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage
from recours.database.engine import Database
from recours.database.lenient_reader import read_claim
from recours.database.predicates import at_stage, const, edited, still_ours
from recours.database.rows import free, raw_columns, readable_columns
from recours.database.schema.inspection import Schema
from recours.database.schema.upgrade import reach_of_next_run
from recours.database.tables import claims
from recours.operations.forecast.facts import Sighted

_c = claims.c
_STATUSES = (FetchStatus.FAILED, FetchStatus.PENDING, FetchStatus.FETCHING)
_A_DAY = timedelta(days=1)


def survey(
    database: Database,
    schema: Schema,
    catalog: Catalog,
    due_until: datetime,
    max_retries: int,
    now: datetime,
    mended_after: datetime | None = None,
    *,
    unnumbered: bool = False,
) -> Iterator[Sighted]:
    """Every claim that runs have to do with whose turns come up to `due_until`, row by row.

    `mended_after`: turns after this moment are those of no timetable, and are recomputed by a run. `unnumbered`: those
    too that wait for their tracking number.
    """
    reach = reach_of_next_run(database, schema)
    if schema.is_current:
        columns = readable_columns(schema.columns)
        is_edited = edited(with_deadline="response_deadline" in schema.columns)
        wanted = _of_a_run(due_until, max_retries, is_edited, mended_after)
        if unnumbered:
            wanted = or_(wanted, and_(at_stage(Stage.UNNUMBERED), still_ours()))
        wanted = and_(wanted, reach.rows())
        held: ColumnElement[bool] = ~free(now)
        leased_until: ColumnElement[Any] = _c.pod_lease_until
    else:
        columns = raw_columns(schema.columns)
        if "pod_fetch_status" not in schema.columns:
            return
        wanted = _c.pod_fetch_status.in_([const(status) for status in _STATUSES])
        is_edited, held, leased_until = true(), false(), null()
    looked_at = (is_edited.label("edited"), held.label("held"), leased_until.label("held_until"))
    query = select(*columns, *looked_at).where(wanted)
    with database.read() as connection:
        for row in connection.execution_options(yield_per=1000).execute(query).mappings():
            until = row["held_until"] if row["held"] else None
            yield Sighted(read_claim(row, catalog), edited=bool(row["edited"]), leased_until=until)


def _of_a_run(
    due_until: datetime, max_retries: int, is_edited: ColumnElement[bool], mended_after: datetime | None
) -> ColumnElement[bool]:
    retry_comes = _c.pod_next_retry_at <= due_until
    if mended_after is not None:
        retry_comes = or_(retry_comes, _c.pod_next_retry_at > mended_after)
    at_a_stage = or_(
        is_edited,
        at_stage(Stage.READY),
        at_stage(Stage.NEW),
        at_stage(Stage.SHELVED),
        and_(or_(at_stage(Stage.WAITING), at_stage(Stage.SETTLED)), retry_comes),
        and_(at_stage(Stage.GIVEN_UP), _c.pod_retry_count < max_retries, _c.pod_expired_at.is_(None)),
    )
    return and_(still_ours(), at_a_stage)


@dataclass(frozen=True)
class DatabaseOutlook:
    """The claims that a plan is made of (see `recours.operations.plan.Outlook`): of a database whose schema is current."""

    database: Database
    schema: Schema
    catalog: Catalog

    def claims(
        self, due_until: datetime, mended_after: datetime, max_retries: int, now: datetime
    ) -> Iterator[Sighted]:
        """Every claim that a run up to then has to do with."""
        return survey(
            self.database, self.schema, self.catalog, due_until, max_retries, now, mended_after=mended_after
        )

    def not_due(self, due_until: datetime, now: datetime, deadlines_until: datetime) -> Iterator[Claim]:
        if "response_deadline" not in self.schema.columns:
            return
        days = (now - _A_DAY).date(), (deadlines_until + _A_DAY).date()
        waits = or_(
            and_(at_stage(Stage.WAITING), _c.pod_next_retry_at > due_until), at_stage(Stage.UNNUMBERED)
        )
        reach = reach_of_next_run(self.database, self.schema)
        query = select(*readable_columns(self.schema.columns)).where(
            still_ours(), waits, _c.response_deadline.between(*days), reach.rows()
        )
        with self.database.read() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query).mappings():
                yield read_claim(row, self.catalog)
