"""What calls to carriers bring: proofs, and the money that they secure.

Pure: the latest attempts come in.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recours.operations.stakes import stake_of

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
    return [
        CallReturn(
            carrier,
            calls=sum(one.calls for one in of_carrier),
            proofs=sum(one.brought_proof for one in of_carrier),
            secured=stake_of((one.currency, one.amount) for one in of_carrier if one.brought_proof).amounts,
        )
        for carrier, of_carrier in sorted(by_carrier.items())
        if any(one.calls for one in of_carrier)
    ]


def secured_by(returns: Iterable[CallReturn]) -> Mapping[str, float]:
    """The amounts in dispute of all claims with a proof, by currency."""
    return stake_of(pair for one in returns for pair in one.secured.items()).amounts
