"""Claims looked through for a plan, and for what may need a person; nothing is changed."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    cast,
    false,
    func,
    or_,
    select,
    true,
)

from recours.core.accounts import carrier_of
from recours.core.carrier import Catalog
from recours.core.claim import Claim, FetchStatus, Stage
from recours.core.errors import REFUSED_KINDS
from recours.core.mail import MailState
from recours.database.engine import Database
from recours.database.claim_reader import read_claim, read_claims
from recours.database.predicates import (
    at_stage,
    awaits_retry,
    const,
    edited,
    is_ours,
    of_carriers,
    still_ours,
)
from recours.database.ready_claims import lanes_of_parameter, leasable_ids, named_lanes, of_each_lane
from recours.database.rows import free, moments, raw_columns, readable_columns, unedited
from recours.database.schema.inspection import Schema
from recours.database.tables import attempts, claims, events, mails, quota
from recours.operations.status import MAIL_WAITS, UNDECIDED_FOR, Pile

_a, _c, _e, _m, _q = attempts.c, claims.c, events.c, mails.c, quota.c
_A_DAY = timedelta(days=1)
_AT_ONCE = 1000  # rows in memory

# ---------------------------------------------------------------- for a plan, and a dry run

_STATUSES = (FetchStatus.FAILED, FetchStatus.PENDING, FetchStatus.FETCHING)


@dataclass(frozen=True)
class SurveyedClaim:
    """A claim as it was read. `edited`: the next run assesses it first. `leased`: a run has it in hand."""

    claim: Claim
    edited: bool
    leased: bool


def survey(
    database: Database, schema: Schema, catalog: Catalog, due_until: datetime, max_retries: int, now: datetime
) -> Iterator[SurveyedClaim]:
    """Every claim that runs have to do with whose retries come up to `due_until`, row by row, whatever the schema."""
    if schema.is_current:
        is_edited = edited(with_deadline="response_deadline" in schema.columns)
        is_leased = ~free(now)
        columns = readable_columns(schema.columns)
        where = _of_a_run(due_until, max_retries, is_edited)
    elif "pod_fetch_status" in schema.columns:
        is_edited = true()
        is_leased = false()
        columns = raw_columns(schema.columns)
        where = _c.pod_fetch_status.in_([const(status) for status in _STATUSES])
    else:
        return
    query = select(*columns, is_edited.label("edited"), is_leased.label("leased")).where(where)
    with database.read() as connection:
        result = connection.execution_options(yield_per=_AT_ONCE).execute(query)
        names = tuple(result.keys())
        for values in result:
            row = dict(zip(names, values, strict=True))  # SQLAlchemy's rows are slow to be asked by a name
            yield SurveyedClaim(read_claim(row, catalog), bool(row["edited"]), bool(row["leased"]))


def most_urgent_claims(
    database: Database, schema: Schema, catalog: Catalog, lane: str, most: int, now: datetime
) -> list[Claim]:
    """The most urgent ready claims of an account, up to `most` of each worker, by their index."""
    parameters = {"most": most, **moments(now, ""), **named_lanes([lane], is_sqlite=database.is_sqlite)}
    with database.read() as connection:
        ids = [
            claim_id
            for stage in (Stage.NEW, Stage.READY)
            for claim_id in connection.scalars(
                leasable_ids(stage, is_sqlite=database.is_sqlite, locks=False), parameters
            )
        ]
        query = select(*readable_columns(schema.columns)).where(_c.id.in_(ids))
        return read_claims(connection.execute(query), catalog)


def _of_a_run(due_until: datetime, max_retries: int, is_edited: ColumnElement[bool]) -> ColumnElement[bool]:
    retry_comes = _c.pod_next_retry_at <= due_until
    at_a_stage = or_(
        is_edited,
        at_stage(Stage.READY),
        at_stage(Stage.NEW),
        at_stage(Stage.SHELVED),
        at_stage(Stage.UNNUMBERED),
        and_(or_(at_stage(Stage.WAITING), at_stage(Stage.SETTLED)), retry_comes),
        and_(at_stage(Stage.GIVEN_UP), _c.pod_retry_count < max_retries, _c.pod_expired_at.is_(None)),
    )
    return and_(still_ours(), at_a_stage)


def _deadline_between(since: datetime, until: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Claims whose deadline is then, a day more on both sides: the zone of deadlines is looked at by the rules."""
    day = cast(_c.response_deadline, Text)
    return day >= (since - _A_DAY).date().isoformat(), day < f"{(until + _A_DAY).date().isoformat()}~"


def _evidence_may_end(catalog: Catalog, since: datetime, until: datetime) -> ColumnElement[bool]:
    """Claims that are ranked by what ends then; and those that wait for a number, which have a place only once they get it."""
    ranked = and_(_c.pod_rank_is_deadline == 1, _c.pod_rank_at >= since, _c.pod_rank_at <= until)
    unnumbered = and_(at_stage(Stage.UNNUMBERED), of_carriers(catalog.evidence_days))
    return or_(ranked, unnumbered)


# ---------------------------------------------------------------- what may need a person

# Mails and attempts that one look goes through at most.
_MOST = 5_000
# Claims of one sort near their deadline that are looked at: of more there is no need to know how many.
_MOST_CLAIMS = 2_000


@dataclass(frozen=True)
class DatabaseTroubles:
    """One database whose schema is current."""

    database: Database
    catalog: Catalog
    columns: frozenset[str]  # those that `claims` has
    redact: Callable[[str], str] = str

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

    def streak_since(
        self, carrier: str, kinds: Collection[str], since: datetime, *, of_house: bool = False
    ) -> datetime | None:
        """When the first of the latest attempts began that all ended with one of these kinds.

        `of_house`: of those that asked the house's account.
        """
        query = (
            select(_a.started_at, _a.error_kind)
            .where(_a.carrier == carrier, _a.started_at >= since)
            .where(or_(_a.calls > 0, _a.error_kind.in_(kinds)))  # else the carrier had no say in it
            .order_by(_a.started_at.desc())
            .limit(_MOST)
        )
        if of_house:
            query = query.where(_a.account_id.is_(None))
        first = None
        with self.database.read() as connection:
            for started_at, kind in connection.execute(query):
                if kind not in kinds:
                    break
                first = started_at
        return first

    def refused_since(self, accounts: Collection[int], since: datetime) -> dict[int, datetime]:
        """When the first of the latest attempts began that the carrier all refused, of each of these clients' accounts."""
        refused = _a.error_kind.in_(REFUSED_KINDS)
        query = (
            select(_a.account_id, _a.started_at, refused.label("refused"))
            .where(_a.account_id.in_(accounts), _a.started_at >= since, or_(_a.calls > 0, refused))
            .order_by(_a.started_at.desc())
            .limit(_MOST)
        )
        first: dict[int, datetime] = {}
        accepted = set()
        with self.database.read() as connection:
            for account, started_at, is_refused in connection.execute(query):
                if not is_refused:
                    accepted.add(account)
                elif account not in accepted:
                    first[account] = started_at
        return first

    def clients_of(self, key: str) -> list[Any]:
        """The clients of claims under this account's key for which a call is still to come, most claims first."""
        if "client_id" not in self.columns:
            return []
        to_come = or_(*(at_stage(stage) for stage in (Stage.NEW, Stage.READY, Stage.WAITING)))
        some = (
            select(_c.client_id)
            .where(is_ours(), _c.pod_carrier_key == key, to_come)
            .limit(_MOST)
            .subquery()
            .c
        )
        query = select(some.client_id).where(some.client_id.is_not(None)).group_by(some.client_id)
        with self.database.read() as connection:
            return list(connection.scalars(query.order_by(func.count().desc(), some.client_id)))

    def near_deadline(self, now: datetime, until: datetime, closed: Collection[str]) -> Sequence[Claim]:
        """Claims whose real deadline or evidence ends in this time and that may not be tried before it, the nearest first."""
        found: list[Claim] = []
        ends = _evidence_may_end(self.catalog, now, until)
        if "response_deadline" in self.columns:
            ends = or_(ends, and_(*_deadline_between(now, until)))
        with self.database.read() as connection:
            for some in self._near(now, closed):
                query = select(*readable_columns(self.columns)).where(
                    _c.id.in_(select(some.limit(_MOST_CLAIMS).subquery().c.id)),
                    ends,
                    unedited(),
                )
                found += read_claims(connection.execute(query), self.catalog, self.redact)
        return sorted(found, key=lambda claim: (str(claim.deadline), claim.reference))

    def _near(self, now: datetime, closed: Collection[str]) -> Iterator[Select[Any]]:
        """Ids by each index that can answer; what it yields is looked at again by the rules."""
        to_come = _c.pod_rank_is_deadline == 1, _c.pod_rank_at >= now
        over = _c.pod_rank_is_deadline == 1, _c.pod_rank_at < now
        of_clients = sorted(key for key in closed if carrier_of(key) != key)
        of_house = ([key] for key in sorted(closed) if key not in of_clients)
        for keys in (*of_house, *([of_clients] if of_clients else [])):
            yield self._first_of(keys, at_stage(Stage.READY), *to_come)
            yield self._first_of(keys, at_stage(Stage.NEW), *to_come)
            ranked_by_older_version = _c.pod_rank_is_deadline == 0
            yield self._first_of(keys, at_stage(Stage.NEW), ranked_by_older_version)
            if any(carrier_of(key) in self.catalog.evidence_days for key in keys):
                # Their evidence is over, but perhaps not their deadline.
                yield self._first_of(keys, at_stage(Stage.READY), *over, latest=True)
                yield self._first_of(keys, at_stage(Stage.NEW), *over, latest=True)
        # The latest next retries are the likeliest to come after a deadline.
        yield select(_c.id).where(awaits_retry()).order_by(_c.pod_next_retry_at.desc())
        known = of_carriers(["", *self.catalog.specs])
        yield select(_c.id).where(is_ours(), known, at_stage(Stage.UNNUMBERED))

    def _first_of(
        self, keys: Sequence[str], *where: ColumnElement[bool], latest: bool = False
    ) -> Select[Any]:
        """The ids of the first claims by rank under one of these accounts' keys; `latest`: of the last ones.

        Each account's are found by an index; those of all clients' accounts in one query.
        """
        order = _c.pod_rank_at.desc() if latest else _c.pod_rank_at
        if len(keys) == 1:
            return select(_c.id).where(_c.pod_carrier_key == keys[0], *where).order_by(order)
        is_sqlite = self.database.is_sqlite
        lanes = lanes_of_parameter(is_sqlite=is_sqlite)
        first = select(_c.id).where(_c.pod_carrier_key == lanes.c.carrier_key, *where).order_by(order)
        found = of_each_lane(
            lanes, first.add_columns(_c.pod_rank_at).limit(_MOST_CLAIMS), is_sqlite=is_sqlite
        )
        ranked = found.params(named_lanes(keys, is_sqlite=is_sqlite)).subquery()
        rank = ranked.c.pod_rank_at
        return select(ranked.c.id).order_by(rank.desc() if latest else rank)


def _pile(at: Any) -> Select[Any]:
    return select(func.count(), func.min(at))
