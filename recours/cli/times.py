"""Moments in the past on the command line: a date, a date with a time, or how long ago."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import click

_AGO = re.compile(r"(\d{1,6})\s*([dh])", re.IGNORECASE)
_DAYS = re.compile(r"\d{1,6}")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1)}
_LONGEST = timedelta(days=36500)


def past_moment(*, bare_days: bool = False) -> Callable[[object], datetime | timedelta]:
    """The type of an option: `2026-02-03`, `2026-02-03 14:00`, `3d`, `12h`; without an offset in this machine's time.

    Gives a datetime (aware UTC) or a timedelta back from now: `moment_of` makes a moment of either.
    `bare_days`: a number alone is that many days.
    """

    def parse(value: object) -> datetime | timedelta:
        text = str(value).strip()
        found: datetime | timedelta | None = (_ago(text, bare_days) if text.isascii() else None) or _at(text)
        if found is None or (isinstance(found, timedelta) and not timedelta() < found <= _LONGEST):
            days = "a number of days (90), " if bare_days else ""
            raise click.BadParameter(
                f"'{text[:40]}' is neither {days}a date (2026-02-03, 2026-02-03T14:00) nor a time back from now "
                "(3d, 12h)."
            )
        return found

    return parse


def _ago(text: str, bare_days: bool) -> timedelta | None:
    if bare_days and _DAYS.fullmatch(text):
        return timedelta(days=int(text))
    found = _AGO.fullmatch(text)
    return int(found[1]) * _UNITS[found[2].lower()] if found else None


def _at(text: str) -> datetime | None:
    try:
        if len(text) == len("2026-02-03"):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day).astimezone(UTC)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def moment_of(given: datetime | timedelta, now: datetime, option: str) -> datetime:
    """The moment that was meant. Raises click.BadParameter if it is not past."""
    moment = now - given if isinstance(given, timedelta) else given
    if moment > now:
        raise click.BadParameter("the moment must not lie in the future.", param_hint=option)
    return moment
