"""What calls to carriers bring: calls for each proof, the money it secures, calls spent in vain.

Pure: the latest attempts come in.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# So many attempts say enough, and are read in no time.
MOST_ATTEMPTS = 5_000


@dataclass(frozen=True)
class Spent:
    """One attempt, and the claim that it was about, as it is now."""

    carrier: str  # its key, or the name that the claim had
    calls: int
    brought_proof: bool
    gave_up: bool  # the claim did, since
    amount: float = 0.0  # in dispute; 0: unknown
    currency: str = ""


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
