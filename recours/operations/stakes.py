"""The money in dispute of claims: what is at stake while a problem lasts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recours.core.claim import IN_PROGRESS, Stage


@dataclass(frozen=True)
class Stake:
    """Sums by currency; "" if the service's table does not name it. `is_more`: not all claims were added up."""

    amounts: Mapping[str, float] = field(default_factory=dict)
    is_more: bool = False


@dataclass(frozen=True)
class Concerned:
    """The claims that a problem is about: those of accounts at these stages, or those with these ids.

    `accounts`: keys; "" for the claims of no carrier that is known. Without an account, those that nobody has assessed
    are not among them.
    """

    accounts: Sequence[str] = ()
    stages: Sequence[Stage] = IN_PROGRESS
    ids: Sequence[Any] = ()


def together(concerned: Sequence[Concerned]) -> Concerned:
    """The claims of several problems of one kind, which look at the same stages."""
    return Concerned(
        [key for one in concerned for key in one.accounts],
        concerned[0].stages if concerned else IN_PROGRESS,
        [claim_id for one in concerned for claim_id in one.ids],
    )


def stake_of(amounts: Iterable[tuple[str, float]], *, is_more: bool = False) -> Stake:
    """The sums of these, each with its currency; amounts of 0 are unknown ones."""
    sums: dict[str, float] = defaultdict(float)
    for currency, amount in amounts:
        if amount:
            sums[currency] += amount
    return Stake({currency: round(total, 2) for currency, total in sorted(sums.items())}, is_more)
