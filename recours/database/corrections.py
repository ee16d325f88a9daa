"""A person corrects a claim's tracking number or its carrier: see `recours.operations.correct`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import update

from recours.core.changes import ChangeKind, ClaimChange
from recours.core.claim import Claim
from recours.database.by_person import STARTED_OVER, locked, require_room, write_claims
from recours.database.changes import note
from recours.database.intake import Assessor
from recours.database.tables import claims
from recours.operations.correct import Correction
from recours.runs.source import is_as_found

_c = claims.c


@dataclass(frozen=True)
class ClaimCorrections:
    """Corrections of the claims of one database."""

    assessor: Assessor

    def correct(self, found: Claim, correction: Correction, by: str, now: datetime) -> Claim | None:
        """The claim as it is now; None if a run holds it, or it was changed since it was `found`.

        It is assessed at once, so that no run takes the correction for an edit of the service's. Raises DatabaseError;
        ClaimsRefusedError if the service's columns have no room for it.
        """
        database = self.assessor.database
        values = {"tracking_number": correction.number, "carrier": correction.carrier}
        written: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
        require_room(database.border, written)
        if found.is_ours:
            written |= STARTED_OVER
        with database.write() as connection:
            free = [
                claim
                for claim, is_leased in locked(self.assessor, connection, [found.id], now)
                if not is_leased and is_as_found(claim, found)
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
