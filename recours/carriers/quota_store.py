"""What the queue needs of the place where its counts live: `recours.database.quota` is one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from recours.core.pauses import AccountState, CarrierState, Stop
from recours.core.quota import Exhausted, Limit, QuotaRequest, Reserved, Usage

# What is held longer than this without a sign of life is given back.
LEASE = timedelta(minutes=10)


class QuotaStore(Protocol):
    """Where the counts live."""

    def reserve(
        self, requests: Sequence[QuotaRequest], now: datetime, expires_at: datetime
    ) -> list[Reserved] | Exhausted:
        """Hold all that is wanted, or nothing. Units of a short window are used at once."""

    def consume(self, held: Reserved, expires_at: datetime) -> bool:
        """Turn a held unit into a used one; False if it is not held any more."""

    def give_back(self, held: Reserved, *, kept: int = 0, used: int = 0) -> None:
        """Give back units that were certainly not sent: `kept` ones, or used ones."""

    def leave(self) -> None:
        """Give back all that this holder still holds."""

    def uses(self, limits: Sequence[Limit], now: datetime) -> list[Usage]:
        """How far these limits are used."""

    def carrier_state(self, carrier: str) -> CarrierState:
        """What all processes know of a carrier."""

    def pause(self, carrier: str, until: datetime, reason: str, now: datetime) -> None:
        """The carrier asked to wait; a longer wait that stands already is kept, unless no pause can last so long."""

    def stop(self, carrier: str, stop: Stop) -> None:
        """A person stops the carrier; a later stop replaces an earlier one's words, not its moment."""

    def take_up(self, carrier: str) -> Stop | None:
        """A person takes the carrier up again; returns the stop that this ended, None if there was none."""

    def set_account_state(self, carrier: str, state: AccountState) -> None:
        """Remember refusals of our account, or that there are none."""

    def try_again(self, carrier: str, now: datetime, until: datetime) -> bool:
        """Take the one try that is due after a refusal; False if another process has it."""

    def forget_short_windows(self, now: datetime) -> None:
        """Delete the counts of short windows that are over."""
