"""What needs a person, read out of the database: see `recours.operations.problem_facts`."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, Text, cast, func, or_, select

from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage
from recours.core.mail import MailState
from recours.database.engine import Database
from recours.database.lenient_reader import read_claims
from recours.database.predicates import at_stage, const
from recours.database.reach import EVERYTHING, Reach
from recours.database.reports.backlog import not_done
from recours.database.rows import readable_columns, unedited
from recours.database.tables import attempts, claims, mails
from recours.operations.problem_facts import MAIL_WAITS, UNDECIDED_FOR, Pile

_a, _c, _m = attempts.c, claims.c, mails.c
# Mails and attempts that one look goes through at most.
_MOST = 5_000
# Claims of one sort near their deadline that are looked at: of more there is no need to know how many.
_MOST_CLAIMS = 2_000
# A day more on both sides: the zone of deadlines is looked at by the rules.
_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class DatabaseTroubles:
    """One database whose schema is current."""

    database: Database
    catalog: Catalog
    columns: frozenset[str]  # those that `claims` has
    redact: Callable[[str], str] = str
    reach: Reach = EVERYTHING  # of the runs: what they leave alone is not theirs to try

    # ---------------------------------------------------------------- mails

    def mail_piles(self, now: datetime) -> Mapping[MailState, Pile]:
        """Mails that are held, that wait for longer than MAIL_WAITS, and that were left undecided lately."""
        newest = select(_m.state, _m.ended_at).order_by(_m.id.desc()).limit(_MOST).subquery().c
        queries = {
            MailState.READY: _pile(_m.created_at).where(
                _m.state == const(MailState.READY), _m.created_at < now - MAIL_WAITS
            ),
            MailState.HELD: _pile(_m.created_at).where(_m.state == const(MailState.HELD)),
            MailState.UNDECIDED: _pile(newest.ended_at).where(
                newest.state == const(MailState.UNDECIDED), newest.ended_at >= now - UNDECIDED_FOR
            ),
        }
        with self.database.read() as connection:
            found = {state: connection.execute(query).one() for state, query in queries.items()}
        return {state: Pile(count, since) for state, (count, since) in found.items() if count}

    # ---------------------------------------------------------------- attempts

    def streak_since(self, carrier: str, kinds: Collection[str], since: datetime) -> datetime | None:
        """When the first of the latest attempts began that all ended with one of these kinds."""
        query = (
            select(_a.started_at, _a.error_kind)
            .where(_a.carrier == carrier, _a.started_at >= since)
            .where(or_(_a.calls > 0, _a.error_kind.in_(kinds)))  # else the carrier had no say in it
            .order_by(_a.started_at.desc())
            .limit(_MOST)
        )
        first = None
        with self.database.read() as connection:
            for started_at, kind in connection.execute(query):
                if kind not in kinds:
                    break
                first = started_at
        return first

    # ---------------------------------------------------------------- claims

    def near_deadline(self, now: datetime, until: datetime, closed: Collection[str]) -> Sequence[Claim]:
        """Claims whose real deadline is in this time and that may not be tried before it, the nearest first."""
        found: list[Claim] = []
        if "response_deadline" not in self.columns:
            return found
        with self.database.read() as connection:
            for query in self._near(now, until, closed):
                found += read_claims(connection.execute(query), self.catalog, self.redact)
        return sorted(found, key=lambda claim: (str(claim.deadline), claim.reference))

    def _near(self, now: datetime, until: datetime, closed: Collection[str]) -> Iterator[Select[Any]]:
        """A look for each index that can answer; what it yields is looked at again by the rules."""
        to_come = _c.pod_rank_is_deadline == 1, _c.pod_rank_at >= now
        for key in sorted(closed):
            of_key = _c.pod_carrier_key == key
            for where in (
                (at_stage(Stage.READY), of_key, *to_come),
                (at_stage(Stage.NEW), of_key, *to_come),
                (at_stage(Stage.NEW), of_key, _c.pod_rank_is_deadline == 0),  # ranked by an older version
            ):
                yield self._of(*where, now=now, until=until, order=(_c.pod_rank_at,))
        # The latest next tries are the likeliest to come after a deadline.
        latest = (_c.pod_next_retry_at.desc(),)
        yield self._of(at_stage(Stage.WAITING), now=now, until=until, order=latest)
        known = _c.pod_carrier_key.in_(["", *sorted(self.catalog.specs)])
        yield self._of(not_done, known, at_stage(Stage.UNNUMBERED), now=now, until=until)

    def _of(self, *where: Any, now: datetime, until: datetime, order: tuple[Any, ...] = ()) -> Select[Any]:
        some = select(_c.id).where(*where, self.reach.rows()).order_by(*order).limit(_MOST_CLAIMS)
        day = cast(_c.response_deadline, Text)
        first, last = ((at + way).date().isoformat() for at, way in ((now, -_A_DAY), (until, _A_DAY)))
        return select(*readable_columns(self.columns)).where(
            _c.id.in_(select(some.subquery().c.id)), day >= first, day < f"{last}~", unedited()
        )


def _pile(moment: Any) -> Select[Any]:
    return select(func.count(), func.min(moment))
