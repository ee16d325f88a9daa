"""The operator's weekly report: a week's figures, beside what `recours status` says when it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from recours.core.custody import Manifest
from recours.core.mail import week_label
from recours.operations.figures import Rate
from recours.operations.status import Overview, Success

_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Week:
    """A week, from its Monday on, in a time zone."""

    monday: date
    zone: ZoneInfo

    @property
    def label(self) -> str:
        """`2026-W06`."""
        return week_label(self.monday)

    @property
    def start(self) -> datetime:
        return datetime.combine(self.monday, time(), self.zone).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it, aware UTC."""
        return self.before(-1).start

    @property
    def days(self) -> list[date]:
        return [self.monday + timedelta(days=n) for n in range(7)]

    def before(self, count: int) -> "Week":
        """The week so many weeks before."""
        return Week(self.monday - count * _WEEK, self.zone)


@dataclass(frozen=True)
class WeekReport:
    """What came of a week, and how things stand now."""

    week: Week
    now: Overview
    success: Success
    before: Rate  # of the week before
    # The money in dispute of claims whose proofs were fetched in it, by currency.
    secured: Mapping[str, float] = field(default_factory=dict)
    has_run: bool = True  # in the week, or before it
    manifest: Manifest | None = None  # the last one

    @property
    def has_something_to_tell(self) -> bool:
        """False of a database in which nothing had happened yet: nobody wants a report about nothing."""
        return self.has_run or self.success.all != Rate()
