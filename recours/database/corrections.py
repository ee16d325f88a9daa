"""A person corrects a claim's tracking number or its carrier: see `recours.operations.correct`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from recours.core.changes import ChangeKind, ClaimChange
from recours.core.claim import Claim, State
from recours.database.changes import note, note_assessed
from recours.database.claims import ClaimRepository
from recours.database.claim_reader import read_claim
from recours.database.rows import free, readable_columns, seen_values, state_values
from recours.database.tables import claims
from recours.operations.correct import Correction
from recours.runs.source import is_as_found

_c = claims.c


@dataclass(frozen=True)
class ClaimCorrections:
    """Corrections of the claims of one database."""

    repository: ClaimRepository

    def correct(
        self, found: Claim, correction: Correction, by: str, assess: Callable[[Claim], State], now: datetime
    ) -> Claim | None:
        """The claim as it is now; None if a run holds it, or it was changed since it was `found`. Raises DatabaseError.

        It is assessed at once, so that no run takes the correction for an edit of the service's.
        """
        of = self.repository
        this = update(claims).where(_c.id == found.id)
        row_of_it = select(*readable_columns(of.columns)).where(_c.id == found.id, free(now))
        with of.database.write() as connection:

            def read() -> Claim | None:
                row = connection.execute(row_of_it.with_for_update()).mappings().first()
                return read_claim(row, of.catalog, of.redact) if row else None

            before = read()
            if before is None or not is_as_found(before, found):
                return None
            values = {"tracking_number": correction.number, "carrier": correction.carrier}
            written: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
            if "updated_at" in of.columns:
                written["updated_at"] = now.replace(microsecond=0)
            connection.execute(this.values(written))
            after = read()
            if after is None:
                raise RuntimeError(f"{found.reference} went away while its row was locked")
            if after.is_ours:
                state = assess(after)
                seen = seen_values(has_deadline="response_deadline" in of.columns)
                connection.execute(this.values(seen | state_values(after, state)))
                note_assessed(connection, [(before, state)], now)
            elif after.assessed is not None:  # it starts over once it is enrolled
                forgotten = {
                    "pod_carrier_key": after.account_key,
                    "pod_account_id": None,
                    "pod_known_delivery": None,
                }
                seen = {"pod_seen_number": _c.tracking_number, "pod_seen_carrier": _c.carrier}
                connection.execute(this.values(seen | forgotten))
            changed = correction.details(before)
            note(connection, [(found.id, ClaimChange(ChangeKind.CORRECTED, changed))], by, now)
        return after
