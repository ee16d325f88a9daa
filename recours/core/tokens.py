"""The tokens that some carriers give for an account's credentials, and what processes know of the one that they share."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from recours.core.outcome import Failure

LONGEST_LIFE = timedelta(days=1)


@dataclass(frozen=True)
class AccessToken:
    text: str = field(repr=False)
    until: datetime  # when it is to be renewed: a while before its end

    def is_good(self, now: datetime) -> bool:
        """Tell whether to use it. One that seems to hold longer than any was dated by a clock that was wrong."""
        return now < self.until <= now + LONGEST_LIFE


@dataclass(frozen=True)
class SharedToken:
    """What is stored of an account's token."""

    token: AccessToken | None = None  # None: there is none that this process can use
    holder: str | None = None  # who asks for a new one, or was the last to
    held_until: datetime | None = None  # None: no one asks
    failure: Failure | None = field(default=None, repr=False)  # how it ended for the last holder, if badly
    sealed: str | None = field(default=None, repr=False)  # token or failure as they are stored
