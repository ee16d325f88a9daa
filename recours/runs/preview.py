"""What a run would do with the claims there are, found out without changing any of them."""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from recours.core.assessment import as_next_run_finds, is_due, is_expired
from recours.core.claim import Claim, Stage, State, urgency
from recours.core.decision import Action, next_action
from recours.core.pauses import Refusal
from recours.core.policy import Policy
from recours.runs.lane import lane_key


@dataclass
class Preview:
    """What would be taken, in order, and why the rest waits."""

    taken: list[tuple[Claim, State]] = field(default_factory=list)
    beyond_batch: int = 0
    waiting: int = 0  # that were looked at: new, with a later retry
    passing: int = 0  # settled errors whose retry would pass without a call
    ending: int = 0  # claims that would give up without a call
    expiring: int = 0  # whose deadline has long passed
    shelved: int = 0
    unnumbered: int = 0  # new claims that wait for their tracking number
    leased: int = 0
    left_behind: Counter[str] = field(default_factory=Counter)  # by lane


def preview_named(claims: Iterable[Claim], closed: dict[str, Refusal]) -> Preview:
    """Claims that somebody asked for, whatever their backoff: a closed carrier is not asked for them either."""
    result = Preview()
    for claim in claims:
        if _is_left_behind(claim, closed):
            result.left_behind[lane_key(claim)] += 1
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
    """Sort claims as a run would, at most `batch_size` of them in memory."""
    result = Preview()
    best: list[tuple[tuple[int, float], int, Claim, State]] = []  # the least urgent first
    for place, (claim, leased) in enumerate(found):
        if not claim.is_ours:
            continue
        state = as_next_run_finds(claim, now, policy)
        if leased:
            result.leased += 1
        elif carriers and lane_key(claim) not in carriers:
            continue
        elif _is_ready(claim, state, stage, policy, now, result):
            if _is_left_behind(claim, closed):
                result.left_behind[lane_key(claim)] += 1
                continue
            heapq.heappush(best, (_urgency(state, now), -place, claim, state))
            if len(best) > batch_size:
                heapq.heappop(best)
                result.beyond_batch += 1
    result.taken = [
        (claim, state) for _, _, claim, state in sorted(best, key=lambda entry: entry[:2], reverse=True)
    ]
    return result


def _is_left_behind(claim: Claim, closed: dict[str, Refusal]) -> bool:
    """One without a number needs no call."""
    return lane_key(claim) in closed and claim.number is not None


def _is_ready(
    claim: Claim, state: State, stage: Stage, policy: Policy, now: datetime, result: Preview
) -> bool:
    """Tell whether a run would call for it; count it as what it is if not."""
    is_mine = claim.is_pending == (stage is Stage.NEW)
    if not is_mine:
        return False
    if state.stage is Stage.SHELVED:
        result.shelved += 1
    elif state.stage is Stage.UNNUMBERED:
        result.unnumbered += 1
    elif state.stage in (Stage.WAITING, Stage.SETTLED) and not is_due(state, now, policy):
        result.waiting += 1
    elif state.stage in (Stage.WAITING, Stage.READY, Stage.NEW, Stage.SETTLED):
        return _is_called(replace(claim, state=state), policy, now, result)
    return False


def _is_called(claim: Claim, policy: Policy, now: datetime, result: Preview) -> bool:
    if is_expired(claim.state, now, policy):
        result.expiring += 1
        return False
    what = next_action(claim, now, policy)
    result.passing += what is Action.PASS
    result.ending += what is Action.GIVE_UP
    return what in (Action.CALL, Action.FAIL)


def _urgency(state: State, now: datetime) -> tuple[int, float]:
    """The larger, the more urgent."""
    tier, at = urgency(state, now)
    return -tier, -at.timestamp()
