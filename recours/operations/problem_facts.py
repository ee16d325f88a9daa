"""What is read to tell whether something needs a person, beside runs, backlogs and carriers. Pure data and a port.

`recours.database.reports.problems` reads it. Each look is bounded: none costs more because there are more claims.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from recours.core.claim import Claim
from recours.core.mail import MailState
from recours.operations.records import Tally

# Three hourly runs have tried to send a mail that waits so long.
MAIL_WAITS = timedelta(hours=3)
# So long somebody may still want to ask whether a mail arrived.
UNDECIDED_FOR = timedelta(days=7)
# A carrier that nobody got an answer from for so long: more than a night's maintenance.
OUTAGE_LASTS = timedelta(days=1)


@dataclass(frozen=True)
class Pile:
    """Things of one sort: how many, and since when the oldest is there (aware UTC)."""

    count: int = 0
    since: datetime | None = None


@dataclass(frozen=True)
class Troubles:
    """What was read. `streaks`: since when a carrier gave no other answer than a refusal of our account, or none at all."""

    mails: Mapping[MailState, Pile] = field(default_factory=dict)
    streaks: Mapping[str, datetime] = field(default_factory=dict)  # by the carrier's key
    recent: Sequence[Tally] = ()  # attempts of today and yesterday
    late: Sequence[Claim] = ()  # that pass their deadline before they are tried, the nearest deadline first


class TroubleRecords(Protocol):
    """Where it is read."""

    def mail_piles(self, now: datetime) -> Mapping[MailState, Pile]:
        """Mails that are held, that wait for longer than MAIL_WAITS, and that were left undecided lately."""

    def streak_since(self, carrier: str, kinds: Collection[str], since: datetime) -> datetime | None:
        """When the first of the latest attempts began that all ended with one of these kinds.

        Nothing before `since` is looked at. None: the latest attempt ended otherwise, or there is none.
        """

    def near_deadline(self, now: datetime, until: datetime, closed: Collection[str]) -> Sequence[Claim]:
        """Claims whose real deadline is in this time and that may not be tried before it, the nearest first.

        Due ones of the carriers that are `closed`, waiting ones, and new ones without a number; no more than some.
        """
