"""What the weekly report reads beside the desk's records. Each of these goes through many rows: once a week."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, Text, cast, or_, select

from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage, deadline_end
from recours.core.quota import Limit
from recours.database.engine import Database
from recours.database.lenient_reader import read_claims
from recours.database.predicates import at_stage, still_ours
from recours.database.rows import readable_columns
from recours.database.tables import claims, mails, quota

_c, _m, _q = claims.c, mails.c, quota.c
_STILL_WAITING = (Stage.UNNUMBERED, Stage.NEW, Stage.READY, Stage.WAITING, Stage.SETTLED)
# No report needs to name or count more claims of one sort.
MOST = 10_000


@dataclass(frozen=True)
class DatabaseWeek:
    """One database whose schema is current."""

    database: Database
    catalog: Catalog
    columns: frozenset[str]  # those that `claims` has
    redact: Callable[[str], str] = str

    def given_up(self, since: datetime, until: datetime) -> list[Claim]:
        """Claims whose last turn was then and that have given up since, or that expired then, the latest first; no more than MOST."""
        # The service may have written any form of a time: the day narrows it down, then each is read by itself.
        day = (since - timedelta(days=1)).date().isoformat()
        from_day = or_(*(cast(column, Text) >= day for column in (_c.pod_last_retry_at, _c.pod_expired_at)))
        found = self._claims(
            self._listed().where(at_stage(Stage.GIVEN_UP), from_day, still_ours()).order_by(_c.id.desc())
        )
        ended = [(claim.state.expired_at or claim.state.last_retry_at, claim) for claim in found]
        of_week = [(at, claim) for at, claim in ended if at and since <= at < until]
        return [claim for _, claim in sorted(of_week, key=lambda pair: pair[0], reverse=True)]

    def near_deadline(self, since: datetime, until: datetime, zone: ZoneInfo) -> list[Claim]:
        """Claims that wait for their POD and whose real deadline is then, the nearest first; no more than MOST."""
        if "response_deadline" not in self.columns:
            return []
        # By the day itself: the place in the order is not every claim's deadline. Each is then read by itself.
        day, a_day = cast(_c.response_deadline, Text), timedelta(days=1)
        first, last = ((at + way).date().isoformat() for at, way in ((since, -a_day), (until, a_day)))
        waiting = or_(*(at_stage(stage) for stage in _STILL_WAITING))
        query = (
            self._listed().where(waiting, still_ours(), day >= first, day < f"{last}~").order_by(day, _c.id)
        )
        found = [
            (deadline_end(claim.deadline, zone), claim) for claim in self._claims(query) if claim.deadline
        ]
        return [claim for end, claim in found if since <= end < until]

    def taken(self, limits: Sequence[Limit], since: datetime, until: datetime) -> dict[str, list[int]]:
        """Calls taken of each of these limits, by its key, in each window that began then and in which there were any."""
        of_limits = _q.limit_key.in_([limit.key for limit in limits])
        query = select(_q.limit_key, _q.taken).where(
            of_limits, _q.window_start >= since, _q.window_start < until
        )
        found: dict[str, list[int]] = {limit.key: [] for limit in limits}
        with self.database.read() as connection:
            for key, taken in connection.execute(query.order_by(_q.window_start)):
                found[key].append(taken)
        return found

    def _listed(self) -> Select[tuple[object, ...]]:
        return select(*readable_columns(self.columns))

    def _claims(self, query: Select[tuple[object, ...]]) -> list[Claim]:
        with self.database.read() as connection:
            return read_claims(connection.execute(query.limit(MOST)), self.catalog, self.redact)
