"""What a person's command writes to claims of the service: only to rows that nobody else holds, and assessed at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, case, select, update

from recours.core.changes import ChangeKind, ClaimChange
from recours.core.claim import Claim
from recours.database.border import Border
from recours.database.changes import note
from recours.database.claim_rows import free, read_claims, reading_all
from recours.database.intake import Assessor
from recours.database.tables import claims
from recours.operations.refusals import ClaimRefusal, ClaimsRefusedError
from recours.runs.source import is_as_found

if TYPE_CHECKING:
    from recours.operations.correct import Correction

_c = claims.c
# What the service's row says of a claim that starts over.
STARTED_OVER = {"pod_retry_count": 0, "pod_last_retry_at": None}


def require_room(border: Border, values: Mapping[str, str]) -> None:
    """Raises ClaimsRefusedError if a column of the service cannot hold the text that is meant for it."""
    for name, value in values.items():
        if not border.takes(name, value):
            facts = {"column": border.column(name).name, "type": border.type_of(name), "text": value}
            raise ClaimsRefusedError(ClaimRefusal("no_room", facts))


def locked(
    assessor: Assessor, connection: Connection, ids: Sequence[Any], now: datetime
) -> list[tuple[Claim, bool]]:
    """These claims, each with whether a run has leased it; without those that somebody else has locked.

    Nobody writes, leases or releases them until the transaction ends.
    """
    border = assessor.database.border
    locked_ids = list(connection.scalars(border.lock(ids)))
    ours = select(_c.claim_id, case((free(now), 0), else_=1)).where(_c.claim_id.in_(locked_ids))
    in_order = ours.order_by(_c.claim_id).with_for_update()
    leased = {claim_id for claim_id, is_leased in connection.execute(in_order) if is_leased}
    return [(claim, claim.id in leased) for claim in _read(assessor, connection, locked_ids)]


def _read(assessor: Assessor, connection: Connection, ids: Sequence[Any]) -> list[Claim]:
    border = assessor.database.border
    rows = connection.execute(reading_all(border, border.key.in_(ids)))
    return read_claims(rows, assessor.catalog, assessor.redact)


def write_claims(
    assessor: Assessor,
    connection: Connection,
    before: Sequence[Claim],
    values: Mapping[str, Any],
    now: datetime,
) -> list[Claim]:
    """Give claims, as `locked` reads them, these values in the service's row, and assess them; returns what they are then.

    What the service did to them before is noted as its edit; what is written here is not.
    """
    border, ids = assessor.database.border, [claim.id for claim in before]
    if not ids:
        return []
    statement = border.update(values, if_unedited=False)
    connection.execute(statement, [border.parameters(claim_id, values) for claim_id in ids])
    assessor.take(connection, ids, now, before={claim.id: claim for claim in before})
    return _read(assessor, connection, ids)


@dataclass(frozen=True)
class ClaimCorrections:
    """Corrections of a claim's number or carrier in one database: see `recours.operations.correct`."""

    assessor: Assessor

    def correct(self, original: Claim, correction: "Correction", by: str, now: datetime) -> Claim | None:
        """The claim as it is now; None if a run holds it, or it was changed since it was read.

        It is assessed at once, so that no run takes the correction for an edit of the service's. Raises DatabaseError;
        ClaimsRefusedError if the service's columns have no room for it.
        """
        database = self.assessor.database
        values = {"tracking_number": correction.number, "carrier": correction.carrier}
        written: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
        require_room(database.border, written)
        if original.is_ours:
            written |= STARTED_OVER
        with database.write() as connection:
            free = [
                claim
                for claim, is_leased in locked(self.assessor, connection, [original.id], now)
                if not is_leased and is_as_found(claim, original)
            ]
            changed = write_claims(self.assessor, connection, free, written, now)
            # What is known of a claim that nobody works on was of another parcel.
            left_alone = _c.claim_id.in_([claim.id for claim in changed if not claim.is_ours])
            forgotten = {"account_id": None, "known_delivery": None}
            connection.execute(update(claims).where(left_alone).values(forgotten))
            details = [
                (claim.id, ClaimChange(ChangeKind.CORRECTED, correction.details(claim))) for claim in free
            ]
            note(connection, details, by, now)
        return next(iter(changed), None)
