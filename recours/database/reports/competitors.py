"""The claims that runs may take before a given one, read by their indexes: the cost does not grow with the backlog."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage
from recours.database.engine import Database
from recours.database.predicates import at_stage, edited, still_ours
from recours.database.ready_claims import carrier_keys, leasable_ids, named_lanes
from recours.database.reports.survey import sighted, sighted_columns
from recours.database.rows import moments
from recours.database.schema.inspection import Schema
from recours.database.tables import claims
from recours.operations.forecast.facts import Sighted
from recours.operations.forecast.place import Competitors
from recours.operations.place import MOST_BEFORE
from recours.runs.lane import lane_key

_c = claims.c

# Claims of each other lane, and other lanes, that share the batches of both workers.
_MOST_OF_OTHERS, _MOST_LANES = 300, 20
# Claims that no run has assessed as they are now, and claims that come due.
_MOST_EDITED, _MOST_WAITING = 1000, 2000
_STAGES = (Stage.NEW, Stage.READY)


@dataclass(frozen=True)
class DatabaseCompetitors:
    """Those in one database whose schema is current."""

    database: Database
    schema: Schema
    catalog: Catalog

    def of(self, lane: str, now: datetime, due_until: datetime, *, with_others: bool) -> Competitors:
        """Those of a claim in this lane; claims of other lanes if they share a batch. `due_until`: what comes due up to then."""
        found: list[Sighted] = []
        last_read: list[Claim] = []
        known_until: datetime | None = None
        with self.database.read() as connection:
            for stage in _STAGES:
                others = self._others(connection, stage, lane) if with_others else []
                if (
                    len(others) > _MOST_LANES
                ):  # no time can be given: what other claims cost would be for nothing
                    known_until, with_others, others = now, False, []
                for key in (lane, *others):
                    most = MOST_BEFORE + 1 if key == lane else _MOST_OF_OTHERS
                    ready = self._read(connection, self._ready(connection, stage, key, most, now), now)
                    last_read += [ready[-1].claim] if len(ready) == most else []
                    found += ready
            waiting = self._read(connection, connection.scalars(self._waiting(due_until)), now)
            changed = self._read(connection, connection.scalars(self._edited()), now)
        if len(waiting) == _MOST_WAITING:
            last = max(one.claim.state.next_at or now for one in waiting)
            known_until = min(known_until or last, last)
        if len(changed) == _MOST_EDITED:
            known_until = now
        by_id = {
            one.claim.id: one
            for one in (*found, *waiting, *changed)
            if with_others or lane_key(one.claim) == lane  # else each that comes due costs a simulated minute
        }
        # In the order of a plan: it decides where lanes are as urgent as each other.
        return Competitors([by_id[claim_id] for claim_id in sorted(by_id)], last_read, known_until)

    @staticmethod
    def _others(connection: Connection, stage: Stage, lane: str) -> list[str]:
        keys = connection.scalars(carrier_keys(stage).limit(_MOST_LANES + 2))
        return [key for key in keys if key not in (None, lane)]

    def _ready(
        self, connection: Connection, stage: Stage, lane: str, most: int, now: datetime
    ) -> Iterable[Any]:
        """The ids of the most urgent ones of a lane."""
        is_sqlite = self.database.is_sqlite
        query = leasable_ids(stage, is_sqlite=is_sqlite, locks=False)
        parameters = {"most": most, **moments(now, ""), **named_lanes([lane], is_sqlite=is_sqlite)}
        return connection.scalars(query, parameters)

    def _waiting(self, due_until: datetime) -> Select[Any]:
        """The ids of those that come due, the next ones first."""
        comes = at_stage(Stage.WAITING), _c.pod_next_retry_at <= due_until, still_ours()
        return select(_c.id).where(*comes).order_by(_c.pod_next_retry_at).limit(_MOST_WAITING)

    def _edited(self) -> Select[Any]:
        is_edited = edited(with_deadline="response_deadline" in self.schema.columns)
        return select(_c.id).where(is_edited).order_by(_c.id).limit(_MOST_EDITED)

    def _read(self, connection: Connection, ids: Iterable[Any], now: datetime) -> list[Sighted]:
        """The claims of these ids, in this order."""
        places = {claim_id: place for place, claim_id in enumerate(ids)}
        query = select(*sighted_columns(self.schema, now)).where(_c.id.in_(list(places)))
        found = [sighted(row, self.catalog) for row in connection.execute(query).mappings()]
        return sorted(found, key=lambda one: places[one.claim.id])
