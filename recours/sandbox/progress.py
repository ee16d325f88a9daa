"""How far each parcel has got in its script."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from recours.sandbox.scenarios import DELIVERED_BY_TRACKING, SLOW_ANSWERS, Parcel, Scenario


@dataclass(frozen=True)
class Turn:
    """All that an answer to one call depends on, beside the call. Moments are aware UTC, in whole seconds."""

    scenario: Scenario
    parcel: Parcel
    tries: int  # steps used up before this call
    first_seen: datetime
    delivered_at: datetime


@dataclass
class _Progress:
    script: Parcel
    first_seen: datetime
    used: int = 0
    delivered_at: datetime | None = None
    # A slow answer went out: a POD call shows that the client waited for it, a tracking call that it gave up.
    maybe_given_up: bool = False


class Ledger:
    """The parcels' progress. Not thread-safe: the sandbox holds its lock around every turn."""

    def __init__(self) -> None:
        self._progress: dict[str, _Progress] = {}

    def turn(
        self,
        number: str,
        script: Parcel,
        now: datetime,
        *,
        tracking: bool,
        goes_on: Collection[Scenario],
        refused: bool,
    ) -> Turn:
        """Say what the call gets and use up the step.

        `goes_on`: in these scenarios nothing is used up, since the call that follows does: such as the POD call after a
        tracking call that answers "delivered". `refused` means a wrong password, which stands above the script.
        Another script object for the number begins anew.
        """
        moment = now.replace(microsecond=0)
        progress = self._progress.get(number)
        if progress is None or progress.script is not script:
            progress = self._progress[number] = _Progress(script, moment)
        if tracking and progress.maybe_given_up:
            progress.used += 1
        step = script.steps[min(progress.used, len(script.steps) - 1)]
        scenario = Scenario.AUTH_REFUSED if refused else step
        delivered = not refused and (step in DELIVERED_BY_TRACKING or step in SLOW_ANSWERS)
        turn = Turn(
            scenario,
            script,
            progress.used,
            progress.first_seen,
            progress.delivered_at or moment + script.delivered_after,
        )
        if delivered:
            progress.delivered_at = turn.delivered_at
        progress.maybe_given_up = tracking and step in SLOW_ANSWERS and step in goes_on
        if refused or step not in goes_on:
            progress.used += 1
        return turn
