"""Parses times that people type."""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_SPAN = re.compile(r"(\d{1,6})\s*([dh])", re.IGNORECASE | re.ASCII)
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1)}
EXAMPLES = "18:00, 'tomorrow 8:00', '2026-12-02 8:00', 3h, 2d"  # of future times
_FARTHEST = timedelta(days=366)
_TOMORROW = "tomorrow"
_CLOCK = re.compile(
    rf"(?:({_TOMORROW}|\d{{4}}-\d\d-\d\d)[\sT]+)?(\d{{1,2}}):(\d\d)", re.IGNORECASE | re.ASCII
)


def read_span(text: str) -> timedelta | None:
    """Parse `3d` or `12h`; None: invalid."""
    match = _SPAN.fullmatch(text)
    return int(match[1]) * _UNITS[match[2].lower()] if match else None


def time_ahead(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """Parse `3h`, `18:00`, `tomorrow 8:00` or `2026-12-02 8:00` in `zone` as a time (aware UTC) within a year.

    None: invalid.
    """
    text = text.strip()
    try:
        span = read_span(text)
        at = now + span if span else _time_at(text, now.astimezone(zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if now < at <= now + _FARTHEST else None


def _time_at(text: str, now: datetime) -> datetime:
    """Parse a time. `now`: in the zone that applies if the text has none. Raises ValueError."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)
    day = now.date()
    if match[1] and match[1].lower() == _TOMORROW:
        day += timedelta(days=1)
    elif match[1]:
        day = date.fromisoformat(match[1])
    return datetime.combine(day, time(int(match[2]), int(match[3])), now.tzinfo)
