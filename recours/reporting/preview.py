"""What a run would do with the claims there are, found out without changing any of them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import nsmallest

from recours.core.claim import Claim, Stage, State, urgency
from recours.core.pauses import Refusal
from recours.core.policy import Policy
from recours.core.position import Position, Why, position

_TAKEN = (Why.DUE, Why.NEW, Why.NOT_ASKED)
_LEFT_BEHIND = (Why.CLOSED, Why.BLOCKED)
_WITHOUT_A_TIME = (Why.IN_HAND, Why.SHELVED, Why.UNNUMBERED, Why.GIVEN_UP)


@dataclass
class Preview:
    """What would be taken, in order, and why the rest waits.

    `taken`: each claim as the run would find it. `left_behind`: due claims whose carrier takes no call, by lane. `rest`: all
    others, those that are due by why they are not fetched, those that are not as BY_BACKOFF.
    """

    taken: list[tuple[Claim, State]] = field(default_factory=list)
    beyond_batch: int = 0
    left_behind: Counter[str] = field(default_factory=Counter)
    rest: Counter[Why] = field(default_factory=Counter)


def preview_named(claims: Iterable[Claim], closed: dict[str, Refusal]) -> Preview:
    """Claims that somebody asked for, whatever their backoff: a closed carrier is not asked for them either."""
    result = Preview()
    for claim in claims:
        if claim.account_key in closed and claim.number is not None:  # one without a number needs no call
            result.left_behind[claim.account_key] += 1
        else:
            result.taken.append((claim, claim.state))
    return result


def preview(
    found: Iterable[tuple[Claim, bool]],
    stage: Stage,
    batch_size: int,
    carriers: tuple[str, ...],
    closed: dict[str, Refusal],
    policy: Policy,
    now: datetime,
) -> Preview:
    """Sort claims as a run would, at most `batch_size` of them in memory. `found`: each with whether a run has leased it."""
    result, due = Preview(), 0

    def to_be_taken() -> Iterator[tuple[Claim, State]]:
        nonlocal due
        for claim, leased in found:
            if not _is_for(claim, stage, carriers):
                continue
            refusal = closed.get(claim.account_key)
            where = position(claim, now, policy, refusal=refusal, leased=leased)
            if where.why in _TAKEN:
                due += 1
                yield claim, where.state
            else:
                _count(claim, where, result)

    result.taken = nsmallest(batch_size, to_be_taken(), lambda one: (urgency(one[1], now), one[0].id))
    result.beyond_batch = due - len(result.taken)
    return result


def _is_for(claim: Claim, stage: Stage, carriers: tuple[str, ...]) -> bool:
    """Tell whether a claim is for the worker of this stage, and of these carriers (none named: of any)."""
    is_mine = claim.is_ours and claim.is_pending == (stage is Stage.NEW)
    return is_mine and (not carriers or claim.account_key in carriers)


def _count(claim: Claim, where: Position, result: Preview) -> None:
    """Count a claim that is not taken."""
    if where.is_due and where.why in _LEFT_BEHIND:
        result.left_behind[claim.account_key] += 1
    elif where.is_due or where.why in _WITHOUT_A_TIME:
        result.rest[where.why] += 1
    else:
        result.rest[Why.BY_BACKOFF] += 1
