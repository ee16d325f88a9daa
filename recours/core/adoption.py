"""Which claims recours works on by itself: those that are new since a database was adopted, where nobody else says so."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

# What the service writes as a time may be that of its own zone, without saying so.
_ZONES = timedelta(days=1)
# A creation that lies further ahead than clocks differ says nothing.
_CLOCKS = timedelta(hours=1)


class EnrollNew(StrEnum):
    """`RECOURS_ENROLL_NEW`."""

    AUTO = "auto"  # only where recours added the column, so that the service cannot say `pending`
    TRUE = "true"
    FALSE = "false"


@dataclass(frozen=True)
class Adoption:
    """When recours first worked on a database (aware UTC), and what there was then."""

    at: datetime
    highest_claim_id: int | None  # None: there was no claim
    status_column_added: bool  # pod_fetch_status was added by recours
    decided: bool  # a person enrolled older claims, or there was nothing to decide

    def enrolls_new(self, setting: EnrollNew) -> bool:
        """Tell whether new claims are enrolled without being asked for."""
        return setting is EnrollNew.TRUE or (setting is EnrollNew.AUTO and self.status_column_added)

    def is_undecided(self, setting: EnrollNew) -> bool:
        """Tell whether somebody has still to say what becomes of the claims that are not enrolled."""
        return not self.decided and setting is not EnrollNew.FALSE

    def is_new(self, claim_id: Any, created_at: datetime | None, now: datetime) -> bool:
        """Tell whether this claim is newer than the adoption.

        By its creation. Where that is unknown (None), or lies in the future, a higher id decides; and one that is higher
        outweighs a creation of the same day, which may have been written in another time zone.
        """
        is_higher = self.highest_claim_id is None or claim_id > self.highest_claim_id
        if created_at is None or created_at > now + _CLOCKS:
            return is_higher
        return created_at > self.at or (is_higher and created_at > self.at - _ZONES)
