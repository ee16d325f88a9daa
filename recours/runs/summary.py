"""Counts what a run did, and writes the summary in the guide's words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from recours.core.accounts import carrier_of
from recours.core.carrier import Catalog
from recours.core.quota import Limit, Usage
from recours.core.text import LocalTime, Minute, format_minute
from recours.runs.ports import Waiting


@dataclass
class Stats:
    """Counts of one run. `failed`: claims for which an attempt was used without success."""

    success: int = 0
    failed: int = 0
    skipped_persistent: int = 0
    skipped_rate_limit: int = 0
    skipped_carrier: int = 0
    max_retries_reached: int = 0
    skipped_reserved: int = 0  # due claims deferred because calls are kept for new or more urgent claims
    last_attempts: int = 0  # before a deadline; each also counts as success or failed

    @property
    def total(self) -> int:
        return self.success + self.failed

    @property
    def success_rate(self) -> float:
        """In percent, with one decimal; 0.0 if there were no attempts."""
        return round(100 * self.success / self.total, 1) if self.total else 0.0


@dataclass(frozen=True)
class Report:
    """What a run did."""

    worker: str
    run_id: str
    started_at: datetime
    duration_s: float
    stats: Stats
    usage: dict[str, list[Usage]] = field(default_factory=dict)  # of our own accounts, by carrier name
    account_usage: dict[str, list[Usage]] = field(default_factory=dict)  # of clients' accounts, by key
    exit_status: int = 0
    fault: str | None = None  # why the run itself failed

    def add_usage(self, usage: Mapping[str, list[Usage]], catalog: Catalog) -> None:
        """Add the usage of the accounts that were called, by key."""
        for key in sorted(usage):
            if key == carrier_of(key):
                self.usage[catalog.name_of(key)] = usage[key]
            else:
                self.account_usage[key] = usage[key]

    def as_json(self) -> dict[str, Any]:
        """Return the object for `--json`. Usage is given for each carrier's longest window."""
        counts = asdict(self.stats)
        if not self.stats.last_attempts:
            del counts["last_attempts"]  # only present if there were any
        return {
            "worker": self.worker,
            "run_id": self.run_id,
            "started_at": self.started_at.isoformat(),
            "duration_s": round(self.duration_s, 2),
            "total": self.stats.total,
            **counts,
            "success_rate": self.stats.success_rate,
            "api_usage": _longest(self.usage),
            **({"accounts": accounts} if (accounts := _longest(self.account_usage)) else {}),
        }

    def lines(self) -> list[str]:
        stats = self.stats
        return [
            f"Duration: {self.duration_s:.2f}s",
            f"Total processed: {stats.total}",
            f"✅ Success: {stats.success}",
            f"❌ Failed: {stats.failed}",
            f"⏭️ Skipped (persistent): {stats.skipped_persistent}",
            f"⚠️ Skipped (rate limit): {stats.skipped_rate_limit}",
            *_if_any("⚠️ Skipped (kept for other claims)", stats.skipped_reserved),
            f"⚠️ Skipped (carrier): {stats.skipped_carrier}",
            *_if_any("Last attempts", stats.last_attempts),
            f"🛑 Max retries reached: {stats.max_retries_reached}",
            f"Success rate: {stats.success_rate:.1f}%",
        ]

    def summary(self, local: LocalTime) -> list[str]:
        """Return the lines of the summary, with the quota usage of our own accounts."""
        minute = partial(format_minute, local=local)
        uses = [(name, use) for name, uses in self.usage.items() for use in worth_showing(uses)]
        return [*self.lines(), *(usage_line(name, use, minute) for name, use in uses)]


def _if_any(label: str, count: int) -> list[str]:
    """Return an extra line, which the guide's summary does not have, if the count is not 0."""
    return [f"{label}: {count}"] if count else []


def _longest(usage: dict[str, list[Usage]]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "used": uses[-1].calls,
            "limit": uses[-1].limit.number,
            "window": uses[-1].limit.window.label,
            "resets_at": uses[-1].resets_at.isoformat(),
        }
        for name, uses in usage.items()
        if uses
    }


def usage_line(name: str, use: Usage, minute: Minute) -> str:
    """Return a line such as `Chronopost: 5/100 per day, resets 2026-02-07 00:00`."""
    suffix = f" {use.limit.capability}" if use.limit.capability else ""
    return f"{name}{suffix}: {usage_text(use, minute)}"


def usage_text(use: Usage, minute: Minute) -> str:
    """Return a text such as `5/100 per day, resets 2026-02-07 00:00`."""
    text = f"{use.calls}/{use.limit.number} per {use.limit.window.label}"
    return text if use.limit.window.is_short else f"{text}, resets {minute(use.resets_at)}"


def named_usage(use: Usage, minute: Minute) -> str:
    """Return a text such as `token 1/20 per hour, resets 2026-02-06 15:00`, for lists of a carrier's limits."""
    return f"{purpose(use.limit)}{usage_text(use, minute)}"


def purpose(limit: Limit) -> str:
    """Return a prefix such as `token `, or "" for a limit of all calls."""
    return f"{limit.capability.lower()} " if limit.capability else ""


def worth_showing(uses: Sequence[Usage]) -> Sequence[Usage]:
    """Return the usage of long windows. If there is none, return that of short windows, which is soon outdated."""
    return [use for use in uses if not use.limit.window.is_short] or uses


def waiting_line(waiting: Waiting, local: LocalTime) -> str:
    if not waiting.count:
        return "No failed claims are waiting for a retry"
    claims = "1 failed claim is" if waiting.count == 1 else f"{waiting.count} failed claims are"
    return f"{claims} waiting for a retry, the earliest at {format_minute(waiting.first_at, local)}"


# Claims are counted up to this number, shown as "10000 or more".
MOST_NOT_ENROLLED = 10_000


def not_enrolled_warning(count: int) -> str:
    """Return the warning about claims that nobody has enrolled or decided to leave out; "" if there are none."""
    if not count:
        return ""
    number = f"{MOST_NOT_ENROLLED} or more" if count >= MOST_NOT_ENROLLED else str(count)
    subject = "claim with a tracking number is" if count == 1 else "claims with a tracking number are"
    return (
        f"{number} open {subject} not enrolled, so no POD is fetched for {'it' if count == 1 else 'them'}. "
        "To enroll claims: recours enroll. To leave them all out: set RECOURS_ENROLL_NEW=false."
    )
