"""What is needed to speak to one carrier."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.quota import Capability, Limit
from recours.runs.ports import CarrierClient, CarrierSession, Reservation


class CarrierConnection(CarrierSession, Protocol):
    """A line that counts what went over it."""

    calls: int  # that were sent, as far as can be known
    unsent: int  # that could not connect
    accepted: bool  # our account, by an answer
    delivery: Delivery | None  # of the parcel, as far as it was learnt
    last: Capability | None  # what the last call was for


@dataclass(frozen=True)
class Account:
    """What is needed to speak to one carrier."""

    spec: CarrierSpec
    limits: tuple[Limit, ...]
    client: CarrierClient | None  # None: credentials are missing
    open_session: Callable[[Reservation], CarrierConnection]  # a line for one fetch
    credentials: tuple[str, ...] = field(repr=False)
    source: str = ""  # where the credentials come from
    missing: str = ""  # the missing settings, in words

    @property
    def long_limits(self) -> list[Limit]:
        """Limits whose units are held before a fetch begins."""
        return [limit for limit in self.limits if not limit.window.is_short]

    @property
    def short_limits(self) -> list[Limit]:
        """Limits that are waited out before each call."""
        return [limit for limit in self.limits if limit.window.is_short]
