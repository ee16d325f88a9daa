"""Whether some long-lived worker still looks for what is due, as all of them should by turns, every minute.

Their records say when each last did: one that works beside others may do so rarely. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from recours.operations.records import Run, iso

# How often a worker looks for what is due, and how many claims it then takes at a time.
TICK, SLICE = timedelta(minutes=1), 50
# As long as the first look at millions of rows may take.
SILENT_AFTER = timedelta(minutes=10)
# Records that are read: those of some hundred processes, or of a day. Afterwards a worker that stands still is overdue.
MOST_RECORDS, SINCE = 300, timedelta(days=1)

# Of a process's record: who it is, when it last looked for what is due, and whether it ended in order.
PROCESS, TICKED_AT, STOPPED = "process", "ticked_at", "stopped"


def next_tick(at: datetime) -> datetime:
    """When long-lived workers look for what is due, at this time or next."""
    return first_full(at, TICK)


def first_full(at: datetime, unit: timedelta) -> datetime:
    """The first full minute, or hour, that is not before then."""
    return at + (datetime.min.replace(tzinfo=UTC) - at) % unit


@dataclass(frozen=True)
class FleetStatus:
    """A fleet that works, or did lately."""

    ticked_at: datetime  # when one of its workers last looked for what is due, or the first of them began
    is_silent: bool  # none does any more, and nothing else does the work as it should

    def as_json(self) -> dict[str, Any]:
        return {"ticked_at": self.ticked_at.isoformat(), "silent": self.is_silent}


def signs(process: str, ticked_at: datetime | None, *, stopped: bool) -> dict[str, Any]:
    """What a process adds to its record, to be found by `fleet_status`."""
    return {PROCESS: process, TICKED_AT: iso(ticked_at), STOPPED: stopped}


def fleet_status(runs: Sequence[Run], now: datetime) -> FleetStatus | None:
    """What the latest runs say of a fleet; None if they are those of cron alone."""
    of_fleet = [run for run in runs if is_of_fleet(run)]
    if not of_fleet:
        return None
    ticks = [datetime.fromisoformat(at) for run in of_fleet if (at := run.stats[TICKED_AT])]
    ticked_at = max(ticks, default=min(run.started_at for run in of_fleet))
    is_silent = now - ticked_at > SILENT_AFTER
    if is_silent and not _died(of_fleet, ticked_at):
        # They were stopped. That is in order where cron goes on with the work.
        is_silent = not any(run.started_at > ticked_at for run in runs if not is_of_fleet(run))
    return FleetStatus(ticked_at, is_silent)


def is_by_fleet(runs: Sequence[Run], now: datetime) -> bool:
    """Tell whether long-lived workers do the work, or are to go on with it: nothing has taken their place."""
    found = fleet_status(runs, now)
    return found is not None and (
        now - found.ticked_at <= SILENT_AFTER
        or not any(run.started_at > found.ticked_at for run in runs if not is_of_fleet(run))
    )


def is_of_fleet(run: Run) -> bool:
    """Tell whether it is the record of a long-lived worker's hour."""
    return TICKED_AT in run.stats


def _died(of_fleet: Sequence[Run], ticked_at: datetime) -> bool:
    """Tell whether a process that was there at the last tick did not end in order."""
    newest = {}
    for run in sorted(of_fleet, key=lambda run: run.started_at):
        newest[str(run.stats.get(PROCESS))] = run
    return any(
        run.stats.get(STOPPED) is not True and (run.ended_at or run.started_at) >= ticked_at - SILENT_AFTER
        for run in newest.values()
    )
