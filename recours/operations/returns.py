"""What calls to carriers bring: calls for each proof, the money it secures, calls spent in vain, limits that are too high.

Pure: the latest attempts come in.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recours.core.accounts import HOUSE, AccountKey
from recours.core.quota import Limit

# So many attempts say enough, and are read in no time.
MOST_ATTEMPTS = 5_000
# One early refusal may be a bad day of the carrier's.
_WINDOWS = 2


@dataclass(frozen=True)
class Spent:
    """One attempt, and the claim that it was about, as it is now."""

    carrier: str  # its key, or the name that the claim had
    started_at: datetime
    calls: int
    brought_proof: bool
    was_too_many: bool  # the carrier itself took no more calls
    gave_up: bool  # the claim did, since
    amount: float = 0.0  # in dispute; 0: unknown
    currency: str = ""
    account: int = HOUSE  # whose answer it was

    @property
    def account_key(self) -> str:
        return str(AccountKey(self.carrier, self.account))


@dataclass(frozen=True)
class CallReturn:
    """What the calls to one carrier brought."""

    carrier: str
    calls: int
    proofs: int
    in_vain: int  # of these calls: about claims that gave up
    secured: Mapping[str, float]  # amounts in dispute of the claims with a proof, by currency

    @property
    def calls_per_proof(self) -> float | None:
        return round(self.calls / self.proofs, 1) if self.proofs else None

    def as_json(self) -> dict[str, Any]:
        return {
            "carrier": self.carrier,
            "calls": self.calls,
            "proofs": self.proofs,
            "calls_per_proof": self.calls_per_proof,
            "calls_in_vain": self.in_vain,
            "secured": dict(self.secured),
        }


@dataclass(frozen=True)
class HighLimit:
    """A limit that lets more calls out than its carrier takes."""

    limit: Limit
    windows: int  # in which the carrier refused calls before the limit was reached, to the end of the window
    least: int  # calls that it had taken by then

    @property
    def setting(self) -> str:
        """What to write instead; at least one call, for a limit of none is none."""
        window = self.limit.window
        unit = f"day@{window.zone}" if window.label == "day" else window.label.replace(" ", "")
        return f"QUOTA_{self.limit.carrier.upper()}={max(self.least, 1)}/{unit}"

    def as_json(self) -> dict[str, Any]:
        return {
            "carrier": self.limit.carrier,
            "limit": self.limit.number,
            "window": self.limit.window.label,
            "refused_in": self.windows,
            "refused_after": self.least,
        }


def call_returns(spent: Iterable[Spent]) -> list[CallReturn]:
    """What came of attempts, by carrier; of carriers that were not called at all: nothing."""
    by_carrier: dict[str, list[Spent]] = defaultdict(list)
    for one in spent:
        by_carrier[one.carrier].append(one)
    returns = (_return_of(carrier, of_carrier) for carrier, of_carrier in sorted(by_carrier.items()))
    return [found for found in returns if found.calls]


def _return_of(carrier: str, spent: Sequence[Spent]) -> CallReturn:
    secured: dict[str, float] = defaultdict(float)
    for one in spent:
        if one.brought_proof and one.amount:
            secured[one.currency] += one.amount
    return CallReturn(
        carrier,
        calls=sum(one.calls for one in spent),
        proofs=sum(one.brought_proof for one in spent),
        in_vain=sum(one.calls for one in spent if one.gave_up),
        secured={currency: round(total, 2) for currency, total in sorted(secured.items())},
    )


def high_limits(spent: Sequence[Spent], limits: Iterable[Limit], since: datetime) -> list[HighLimit]:
    """The limits that are higher than what their carriers take; `since`: all attempts from then on are among these.

    A carrier that takes calls again within the window has another limit, of a shorter one.
    """
    found = []
    for limit in limits:
        if limit.window.is_short or limit.capability is not None:
            continue
        refused_after = [
            taken
            for taken in _taken_before_refusals(
                [one for one in spent if one.account_key == limit.carrier], limit, since
            )
            if taken < limit.number
        ]
        if len(refused_after) >= _WINDOWS:
            found.append(HighLimit(limit, len(refused_after), min(refused_after)))
    return found


def _taken_before_refusals(spent: Sequence[Spent], limit: Limit, since: datetime) -> Iterator[int]:
    """Of each window that ended with refusals: the calls that were taken before."""
    windows: dict[datetime, list[Spent]] = defaultdict(list)
    for one in sorted(spent, key=lambda one: one.started_at):
        windows[limit.window.around(one.started_at)[0]].append(one)
    for start, of_window in windows.items():
        first = next((place for place, one in enumerate(of_window) if one.was_too_many), None)
        if first is None or start < since:
            continue
        if all(one.was_too_many or not one.calls for one in of_window[first:]):
            yield sum(one.calls for one in of_window[:first])
