"""Moments in the past on the command line: a date, a date with a time, or how long ago."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

_AGO = re.compile(r"(\d{1,6})\s*([dh])", re.IGNORECASE)
_DAYS = re.compile(r"\d{1,6}")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1)}
_LONGEST = timedelta(days=36500)


class Moment(click.ParamType):  # type: ignore[type-arg]  # click 8.2, which we allow, takes no type argument here
    """`2026-02-03`, `2026-02-03 14:00`, `3d`, `12h`; without an offset in this machine's time.

    Gives a datetime (aware UTC) or a timedelta back from now: `moment_of` makes a moment of either.
    """

    name = "moment"

    def __init__(self, *, bare_days: bool = False) -> None:
        """`bare_days`: a number alone is that many days."""
        self._bare_days = bare_days

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta:
        """Parse what was typed."""
        if isinstance(value, datetime | timedelta):
            return value
        text = str(value).strip()
        found: datetime | timedelta | None = (self._ago(text) if text.isascii() else None) or _at(text)
        if found is None or (isinstance(found, timedelta) and not timedelta() < found <= _LONGEST):
            days = "a number of days (90), " if self._bare_days else ""
            self.fail(
                f"'{text[:40]}' is neither {days}a date (2026-02-03, 2026-02-03T14:00) nor a time back from now "
                "(3d, 12h).",
                param,
                ctx,
            )
        return found

    def _ago(self, text: str) -> timedelta | None:
        if self._bare_days and _DAYS.fullmatch(text):
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
