"""What is known of an account at one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from recours.core.pauses import Refusal, Stop
from recours.core.quota import Usage


@dataclass(frozen=True)
class AccountStatus:
    """An account at a carrier, as its state and its quota were read. To read them takes no try that is due."""

    uses: Sequence[Usage] = ()  # of the limits for one capability first, of the longest window last
    closings: Sequence[Refusal] = ()  # every reason for which it takes no call, whatever its quota
    at_limit: Refusal | None = None  # its quota is used up
    rejected: Refusal | None = None  # it, or its right to documents, was refused and not accepted since
    documents: Refusal | None = None  # why it gets no documents, and since when
    documents_until: datetime | None = None  # it is asked for none before
    stopped: Stop | None = None  # the carrier, or this account of a client, by a person

    @property
    def refusal(self) -> Refusal | None:
        """Why it could take no call."""
        return next(iter(self.closings), self.at_limit)

    def refusal_for(self, *, document: bool) -> Refusal | None:
        """The same for one claim; `document`: only its document is missing."""
        return self.refusal or (self.documents if document else None)
