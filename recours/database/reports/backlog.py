"""What is not done, counted by carrier and stage: by an index that holds nothing else (migrations/versions/0005_desk.py).

The condition is that of the index, word by word, so that SQLite knows it for the same.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    cast,
    func,
    literal,
    or_,
    select,
    text,
    type_coerce,
    union_all,
)

from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage
from recours.core.mail import MailState
from recours.database.engine import Database
from recours.database.lenient_reader import Reader, read_claims
from recours.database.predicates import EVERYTHING, Reach, at_stage, const, still_ours
from recours.database.reports.claim_search import Group
from recours.database.rows import readable_columns, unedited
from recours.database.tables import attempts, claims, mails
from recours.operations.status import MAIL_WAITS, UNDECIDED_FOR, Pile

_c = claims.c
not_done = text("pod_fetch_status IN ('fetching', 'pending', 'failed')")
_OURS = frozenset({FetchStatus.FAILED, FetchStatus.PENDING, FetchStatus.FETCHING})
_STAGES = frozenset(Stage)
_FAILED = (Stage.WAITING, Stage.READY, Stage.SETTLED)
# Counted under this: claims at no stage that we know.
UNASSESSED = ""
# The most parts of one UNION: SQLite takes no more than 500.
_PARTS = 100


def backlog_counts(
    connection: Connection, there: Iterable[Group], most: int | None, reach: Reach = EVERYTHING
) -> dict[str, Counter[str]]:
    """How many claims of each carrier's key ("": of none) are at each stage, each counted up to `most`."""
    wanted = dict.fromkeys((group.key, group.stage) for group in there if group.status in _OURS)
    counts: dict[str, Counter[str]] = {}
    parts = [
        _count(key, stage, [*where, reach.rows()], most)
        for key, stage in wanted
        for where in _conditions(key, stage)
    ]
    for at in range(0, len(parts), _PARTS):
        for key, stage, count in connection.execute(union_all(*parts[at : at + _PARTS])):
            counts.setdefault(key, Counter())[stage if stage in _STAGES else UNASSESSED] += count
    return counts


def _count(key: str, stage: str, where: Collection[ColumnElement[bool]], most: int | None) -> Select[Any]:
    some = select(literal(1)).select_from(claims).where(not_done, *where).limit(most).subquery()
    counted = select(func.count()).select_from(some).scalar_subquery()
    return select(literal(key, Text), literal(stage, Text), counted)


def _conditions(key: str, stage: str) -> list[list[ColumnElement[bool]]]:
    """NULL and an empty text are one group: each is looked for in its own place of the index."""
    keys = [_c.pod_carrier_key == key, *([_c.pod_carrier_key.is_(None)] if key == "" else [])]
    stages = [_c.pod_stage == stage, *([_c.pod_stage.is_(None)] if stage == "" else [])]
    return [[of_key, of_stage] for of_key in keys for of_stage in stages]


def retries_come(
    connection: Connection, due_until: datetime, most: int | None, reach: Reach = EVERYTHING
) -> Counter[str]:
    """Waiting claims whose turn has come, by carrier's key, up to `most` in all."""
    come = (
        select(_c.pod_carrier_key)
        .where(at_stage(Stage.WAITING), _c.pod_next_retry_at <= due_until, still_ours(), reach.rows())
        .order_by(_c.pod_next_retry_at)
        .limit(most)
    )
    return Counter(key or "" for (key,) in connection.execute(come))


def oldest_failures(
    connection: Connection, keys: Iterable[str], *, has_creation: bool, reach: Reach = EVERYTHING
) -> dict[str, datetime]:
    """Since when the oldest claim of each carrier that is still tried has failed, or is new.

    `has_creation`: `claims` has the column created_at.
    """
    parts = [look for key in keys for look in _oldest(key, reach, has_creation=has_creation)]
    found: dict[str, datetime] = {}
    for at in range(0, len(parts), _PARTS):
        for row in connection.execute(union_all(*parts[at : at + _PARTS])).mappings():
            if since := Reader(row).moment("since"):
                found[row["key"]] = min(since, found.get(row["key"], since))
    return found


def _oldest(key: str, reach: Reach, *, has_creation: bool) -> list[Select[Any]]:
    """A look into an index for each stage. Of new claims, the one with the least id is taken for the oldest."""
    failed = [
        _first(
            key,
            _c.pod_failed_at,
            not_done,
            _c.pod_stage == stage,
            _c.pod_failed_at.is_not(None),
            reach.rows(),
        )
        for stage in _FAILED
    ]
    if not has_creation:
        return failed
    group = Group(f"{key}/{FetchStatus.PENDING}/{Stage.NEW}")
    return [*failed, _first_of(key, _c.created_at, _c.id, group.condition, reach.rows())]


def _first(key: str, moment: Any, *where: Any) -> Select[Any]:
    return _first_of(key, moment, moment, _c.pod_carrier_key == key, *where)


def _first_of(key: str, moment: Any, order: Any, *where: Any) -> Select[Any]:
    look = select(literal(key, Text).label("key"), type_coerce(moment, Text).label("since"))
    return select(look.where(*where).order_by(order).limit(1).subquery())


# ---------------------------------------------------------------- what may need a person


_a, _m = attempts.c, mails.c
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
