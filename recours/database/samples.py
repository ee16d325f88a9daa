"""Claims that gave up, chosen to be asked about once more: see `recours.runs.sampling`."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from sqlalchemy import Connection, Text, case, false, func, select, true, type_coerce

from recours.core.carrier import Catalog
from recours.core.claim import Claim, Stage
from recours.database.claims import leasing
from recours.database.engine import Database
from recours.database.lenient_reader import facts_in, read_claims
from recours.database.named_leases import lease_name, release_name
from recours.database.predicates import at_stage, const, of_carriers
from recours.database.rows import free, is_failed, moments, readable_columns, unedited
from recours.database.tables import SAMPLE, attempts, claims
from recours.runs.ports import SAMPLED, Lease

_a, _c = attempts.c, claims.c
# So many attempts are looked at, however many claims gave up: enough to choose from.
_MOST_ATTEMPTS = 1000
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class DatabaseSamples:
    """Those of one database. See `Samples`."""

    database: Database
    catalog: Catalog
    columns: frozenset[str]  # those that `claims` has
    redact: Callable[[str], str] = str
    random: Random = field(default_factory=Random)

    def lease_carrier(self, carrier: str, lease: Lease, now: datetime) -> bool:
        return lease_name(self.database, _name(carrier), lease.token, lease.until, now)

    def release_carrier(self, carrier: str, lease: Lease) -> None:
        release_name(self.database, _name(carrier), lease.token)

    def made(self, carrier: str, since: datetime) -> int:
        """See `Samples`. The circumstances tell one that brought a proof from other successes."""
        kinds = _a.outcome.in_([const(SAMPLED), const("success")])
        made = select(_a.outcome, type_coerce(_a.circumstances, Text)).where(
            _a.started_at >= since, _a.carrier == carrier, kinds, _a.used.is_(False)
        )
        with self.database.read() as connection:
            rows = connection.execute(made).all()
        return sum(outcome == SAMPLED or facts_in(about).get(SAMPLE) is True for outcome, about in rows)

    def choose(
        self, carrier: str, most: int, fits: Callable[[Claim], bool], since: datetime, now: datetime
    ) -> list[Claim]:
        """See `Samples`. Found by their attempts from a random time on, which an index has in order of time."""
        with self.database.read() as connection:
            ids = self._tried(connection, carrier, since, now)
            found = self._gave_up(connection, carrier, ids, now) if ids else []
            last = _last_samples(connection, [claim.id for claim in found], since) if found else {}
        fitting = [claim for claim in found if fits(claim)]
        self.random.shuffle(fitting)
        fitting.sort(key=lambda claim: last.get(claim.id, _NEVER))
        return fitting[:most]

    def lease(self, claim: Claim, lease: Lease, now: datetime) -> Claim | None:
        """See `Samples`. One that another program locks is passed over: it is not worth waiting for."""
        unlocked = select(_c.id).where(_c.id == claim.id).with_for_update(skip_locked=True)
        statement = leasing(self.columns).where(_c.id.in_(unlocked), at_stage(Stage.GIVEN_UP), is_failed())
        values = {"of_claims": [claim.id], "until": lease.until, **moments(now, lease.token)}
        with self.database.write() as connection:
            leased = read_claims(connection.execute(statement, values), self.catalog, self.redact)
        return next(iter(leased), None)

    def _tried(self, connection: Connection, carrier: str, since: datetime, now: datetime) -> Sequence[Any]:
        """The ids of claims with an attempt of this carrier, from a random time on, and then from the beginning."""
        middle = since + self.random.random() * (now - since)
        found: list[Any] = []
        for start, end in ((middle, now), (since, middle)):
            tried = (
                select(_a.claim_id)
                .where(_a.started_at >= start, _a.started_at < end)
                .where(_a.carrier == carrier, _a.outcome == const("failed"))
                .order_by(_a.started_at)
                .limit(_MOST_ATTEMPTS - len(found))
            )
            found += connection.scalars(tried)
            if len(found) == _MOST_ATTEMPTS:
                break
        return list(dict.fromkeys(found))

    def _gave_up(
        self, connection: Connection, carrier: str, ids: Collection[Any], now: datetime
    ) -> list[Claim]:
        """Those of these claims that gave up and that no run has leased or may retry now."""
        # As a CASE: the index of all that gave up is as long as there are such claims.
        has_stage = case((at_stage(Stage.GIVEN_UP), true()), else_=false())
        sound = (
            has_stage,
            is_failed(),
            of_carriers([carrier]),
            unedited(),
            free(now),
        )
        query = select(*readable_columns(self.columns)).where(_c.id.in_(ids), *sound)
        return read_claims(connection.execute(query), self.catalog, self.redact)


def _last_samples(connection: Connection, ids: Collection[Any], since: datetime) -> dict[Any, datetime]:
    """When each of these claims was last sampled; one is not in it that was not since then."""
    latest = select(_a.claim_id, func.max(_a.started_at, type_=_a.started_at.type)).where(
        _a.claim_id.in_(ids), _a.started_at >= since, _a.outcome == const(SAMPLED)
    )
    rows = connection.execute(latest.group_by(_a.claim_id)).all()
    return {claim_id: at or _NEVER for claim_id, at in rows}


def _name(carrier: str) -> str:
    """What the carrier's samples are leased by."""
    return f"samples of {carrier}"
