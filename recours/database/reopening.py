"""Claims that gave up, found and set back: see `recours.operations.reopen`."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select, update

from recours.core.claim import Claim, Stage
from recours.database.claims import ClaimRepository
from recours.database.lenient_reader import read_claim
from recours.database.predicates import at_stage
from recours.database.rows import free, is_failed, readable_columns, unedited
from recours.database.tables import claims

_c = claims.c
# Rows of one transaction: short enough that nobody waits long for the write lock.
_CHUNK = 500
# One that expired may have used no turn: what it was assessed on is then one more.
_AFRESH = {"pod_retry_count": 0, "pod_seen_count": case((_c.pod_retry_count > 0, _c.pod_seen_count), else_=1)}


@dataclass(frozen=True)
class GivenUpClaims:
    """The claims of one database that gave up."""

    repository: ClaimRepository

    def given_up(
        self, carriers: Collection[str], since: datetime | None, now: datetime
    ) -> Iterator[list[tuple[Claim, bool]]]:
        wanted = [at_stage(Stage.GIVEN_UP), *_reopenable()]
        if carriers:
            wanted.append(_c.pod_carrier_key.in_(sorted(carriers)))
        if since is not None:
            wanted.append(func.coalesce(_c.pod_expired_at, _c.pod_last_retry_at) >= since)
        columns = [*readable_columns(self.repository.columns), case((free(now), 0), else_=1).label("held")]
        query = part = select(*columns).where(*wanted).order_by(_c.id).limit(_CHUNK)
        while True:
            with self.repository.database.read() as connection:
                rows = connection.execute(query).mappings().all()
            catalog, redact = self.repository.catalog, self.repository.redact
            if rows:
                yield [(read_claim(row, catalog, redact), bool(row["held"])) for row in rows]
            if len(rows) < _CHUNK:
                return
            query = part.where(_c.id > rows[-1]["id"])

    def start_afresh(self, found: Sequence[Claim], now: datetime, *, all_or_none: bool) -> set[Any]:
        """Set their counts to 0, due now; returns the ids of those that were still given up, and held by no run."""
        still = _c.id.in_([claim.id for claim in found]), at_stage(Stage.GIVEN_UP), free(now), *_reopenable()
        # In one order, and without waiting for rows that others have locked: such a claim is not given up any more.
        locked = select(_c.id).where(*still).order_by(_c.id).with_for_update(skip_locked=True)
        with self.repository.database.write() as connection:
            ids = list(connection.scalars(locked))
            if all_or_none and len(ids) < len(found):
                return set()
            # The count alone has the next run assess them afresh; the rest is what it will find, for those who count now.
            values = {**_AFRESH, "pod_stage": Stage.WAITING, "pod_next_retry_at": now}
            connection.execute(update(claims).where(_c.id.in_(ids)).values(values))
        return set(ids)


def _reopenable() -> tuple[ColumnElement[bool], ...]:
    """Failed ones that nobody has set back or corrected yet: those are assessed again anyway."""
    return is_failed(), unedited(), or_(_c.pod_retry_count > 0, _c.pod_expired_at.is_not(None))
