"""What calls to carriers bring: proofs, and the money that they secure.

Pure: the latest attempts come in.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# So many attempts say enough, and are read in no time.
MOST_ATTEMPTS = 5_000


@dataclass(frozen=True)
class Spent:
    """One attempt, and the claim that it was about, as it is now."""

    carrier: str  # its key, or the name that the claim had
    calls: int
    brought_proof: bool
    amount: float = 0.0  # in dispute; 0: unknown
    currency: str = ""


@dataclass(frozen=True)
class CallReturn:
    """What the calls to one carrier brought."""

    carrier: str
    calls: int
    proofs: int
    secured: Mapping[str, float]  # amounts in dispute of the claims with a proof, by currency


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
        secured={currency: round(total, 2) for currency, total in sorted(secured.items())},
    )
