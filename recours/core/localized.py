"""Formats numbers, money, dates, times and plurals in a language. Times are shown in one zone, with its name.

Babel does the formatting. It is imported on first use, because most runs display nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from recours.core.text import clean, zone_name
from recours.core.translations import translate, translations

if TYPE_CHECKING:
    from babel import Locale

# British forms: 24 hours and the day before the month.
_LOCALES = {"en": "en_GB", "fr": "fr_FR"}
_DAY = {"en": "d MMM y", "fr": "dd/MM/y"}
_SHORT_DAY = {"en": "d MMM", "fr": "dd/MM"}
_TIME = {"en": "HH:mm", "fr": "HH 'h' mm"}
_BEFORE_TIME = {"en": ", ", "fr": " 'à' "}
UNKNOWN = "–"
_MOST = Decimal(10) ** 15  # larger counts and amounts are capped
_DAYS_FROM = timedelta(hours=48)  # shorter spans are shown in hours
_LONGEST_SPAN = timedelta(days=366 * 1000)

PluralForm = Literal["one", "other"]


@cache
def _locale(language: str) -> "Locale":
    from babel import Locale  # noqa: PLC0415 (imported on first use)

    return Locale.parse(_LOCALES[language])


@dataclass(frozen=True)
class Localized:
    """Formats values for a reader. Missing values and non-numbers become a dash; nothing raises.

    `language`: en or fr. Datetimes are aware; all are shown in `zone`.
    """

    language: str
    zone: tzinfo = UTC

    def __call__(self, message: str, /, **facts: Any) -> str:
        """Translate a message and fill in its placeholders."""
        return translate(self.language, message).format(**facts)

    def number(self, number: float | Decimal | None, digits: int = 2) -> str:
        """Format a number such as `12,345.6`, with at most `digits` decimals."""
        from babel.numbers import format_decimal  # noqa: PLC0415

        value = _bounded(number, digits)
        if value is None:
            return UNKNOWN
        pattern = f"#,##0.{'#' * digits}" if digits else "#,##0"
        return format_decimal(value, pattern, locale=_locale(self.language))

    def money(self, amount: float | Decimal | None, currency: str | None, *, cents: bool = True) -> str:
        """Format an amount such as `€1,234.50` or `€1,235`. An unknown currency is appended unchanged."""
        from babel.numbers import format_currency, format_decimal  # noqa: PLC0415

        value, locale = _bounded(amount, 2 if cents else 0), _locale(self.language)
        if value is None:
            return UNKNOWN
        code = (currency or "").strip().upper()
        if code in locale.currencies:
            pattern = locale.currency_formats["standard"].pattern
            whole = None if cents else pattern.replace(".00", "")
            return format_currency(value, code, whole, locale=locale, currency_digits=cents)
        pattern = "#,##0.00" if cents else "#,##0"
        return f"{format_decimal(value, pattern, locale=locale)} {clean(currency or '', 10)}".rstrip()

    def sums(self, amounts: Mapping[str, float], *, cents: bool = True) -> str:
        """Format amounts in several currencies, joined by `+`; "" if there are none."""
        return " + ".join(self.money(amount, currency, cents=cents) for currency, amount in amounts.items())

    def percent(self, percent: float | None) -> str:
        """Format a percentage such as `66.7%`; `percent` is 0 to 100."""
        from babel.numbers import format_percent  # noqa: PLC0415

        value = _bounded(percent, 1)
        if value is None:
            return UNKNOWN
        pattern = _locale(self.language).percent_formats[None].pattern.replace("0", "0.#", 1)
        return format_percent(value / 100, pattern, locale=_locale(self.language))

    def plural(self, number: float) -> PluralForm:
        """Return the plural form for a number."""
        value = _bounded(number, 6)
        if value is None:
            return "other"
        # In English, Babel treats "1.0" as plural, but not "1". Its third form, for French millions, equals the second.
        form = _locale(self.language).plural_form(value.normalize() if value % 1 else int(value))
        return "one" if form == "one" else "other"

    def in_context(self, context: str, message: str, /, **facts: Any) -> str:
        """Translate a message in a context, for words with several meanings."""
        return translations(self.language).pgettext(context, message).format(**facts)

    def label(self, messages: Mapping[Any, str], value: str) -> str:
        """Return the label of a stored value. A value that this version does not know is shown unchanged."""
        return self(messages[value]) if value in messages else value

    def counted(self, singular: str, plural: str, count: float, /, **facts: Any) -> str:
        """Translate the message for a count. `{count}` is the formatted count, unless `facts` contains another."""
        form = translations(self.language).ngettext(singular, plural, 1 if self.plural(count) == "one" else 2)
        return form.format(**{"count": self.number(count)} | facts)

    def local(self, at: datetime) -> datetime:
        """Convert a time to the reader's zone."""
        try:
            return at.astimezone(self.zone)
        except (OverflowError, ValueError):  # on the first and last day of the range of datetime
            return at

    def is_same_day(self, at: datetime, other: datetime) -> bool:
        return self.local(at).date() == self.local(other).date()

    def zone_name(self, at: datetime) -> str:
        """Return the name of the zone at that time, such as `CET` or `CEST`."""
        return zone_name(self.local(at))

    def day(self, day: date | datetime | None) -> str:
        """Format a day: `26 Nov 2026`, `26/11/2026`. For a datetime, the day in the reader's zone."""
        return self._dated(day, _DAY[self.language])

    def short_day(self, day: date | datetime | None) -> str:
        """Format a day without its year: `26 Nov`, `26/11`."""
        return self._dated(day, _SHORT_DAY[self.language])

    def weekday(self, day: date | datetime | None) -> str:
        """Format a day in the near future: `Tuesday 1 December`."""
        return self._dated(day, "EEEE d MMMM")

    def month(self, day: date) -> str:
        """Format a month: `November 2026`."""
        return self._dated(day, "LLLL y")

    def time(self, at: datetime | None) -> str:
        """Format a time of day: `14:05 CET`, `14 h 05 CET`."""
        return f"{self._dated(at, _TIME[self.language])} {self.zone_name(at)}" if at else UNKNOWN

    def minute(self, at: datetime | None) -> str:
        """Format a time to the minute: `26 Nov 2026, 14:05 CET`, `26/11/2026 à 14 h 05 CET`."""
        return f"{self._dated(at, self._with_time(_DAY))} {self.zone_name(at)}" if at else UNKNOWN

    def printed_time(self, text: str) -> str:
        """Format an ISO date or time from a document. Only a time with an offset is converted to the reader's zone."""
        at = datetime.fromisoformat(text)
        if "T" not in text or at.tzinfo:
            return self.minute(at) if "T" in text else self.day(at.date())
        return self._dated(at.replace(tzinfo=self.zone), self._with_time(_DAY))

    def short_minute(self, at: datetime | None, now: datetime) -> str:
        """Format a time as briefly as possible, without the zone: `14:05`, `26 Nov, 14:05`, `26 Nov 2025, 14:05`."""
        if at and self.is_same_day(at, now):
            return self._dated(at, _TIME[self.language])
        is_this_year = at is not None and self.local(at).year == self.local(now).year
        return self._dated(at, self._with_time(_SHORT_DAY if is_this_year else _DAY))

    def age(self, span: timedelta | None) -> str:
        """Format a duration compactly: `5h`, `3d`, `3 j`. A negative duration is `0m`."""
        from babel.dates import format_timedelta  # noqa: PLC0415

        if span is None:
            return UNKNOWN
        span, unit = _in_one_unit(max(span, timedelta()))
        form: Literal["narrow", "short"] = "short" if self.language == "fr" else "narrow"
        return format_timedelta(span, unit, threshold=1e9, format=form, locale=_locale(self.language))

    def ago(self, at: datetime | None, now: datetime) -> str:
        """Format a time relative to now: `3 days ago`, `in 5 hours`."""
        from babel.dates import format_timedelta  # noqa: PLC0415

        if at is None:
            return UNKNOWN
        span, unit = _in_one_unit(at - now)
        locale = _locale(self.language)
        return format_timedelta(span, unit, threshold=1e9, add_direction=True, locale=locale)

    def _with_time(self, day: Mapping[str, str]) -> str:
        """Return the pattern for a day in this form and a time."""
        return f"{day[self.language]}{_BEFORE_TIME[self.language]}{_TIME[self.language]}"

    def _dated(self, at: date | None, pattern: str) -> str:
        from babel.dates import format_date, format_datetime  # noqa: PLC0415

        if at is None:
            return UNKNOWN
        locale, local = _locale(self.language), self.local(at) if isinstance(at, datetime) else at
        if self.language == "fr" and local.day == 1:
            pattern = pattern.replace("d ", "d'er' ")
        if not isinstance(local, datetime):
            return format_date(local, pattern, locale=locale)
        local = local.replace(tzinfo=None)  # already in the reader's zone
        return format_datetime(local, pattern, locale=locale)


def _bounded(number: float | Decimal | None, digits: int) -> Decimal | None:
    """Cap the number and round it to `digits` decimals; None if it is not a number."""
    if number is None:
        return None
    try:
        value = Decimal(str(number))
        if value.is_nan():
            return None
        value = min(max(value, -_MOST), _MOST)
        return value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    except (InvalidOperation, ValueError):  # such as an int with thousands of digits
        return None


def _in_one_unit(span: timedelta) -> tuple[timedelta, Literal["minute", "hour", "day"]]:
    span = min(max(span, -_LONGEST_SPAN), _LONGEST_SPAN)
    if abs(span) >= _DAYS_FROM:
        return timedelta(days=round(span / timedelta(days=1))), "day"
    if abs(span) >= timedelta(hours=1):
        return timedelta(hours=round(span / timedelta(hours=1))), "hour"
    return timedelta(minutes=round(span / timedelta(minutes=1))), "minute"


# French spaces that must not break: before a colon and similar marks, inside quotation marks, before a unit.
_FIXED = "\N{NO-BREAK SPACE}"
_NARROW = "\N{NARROW NO-BREAK SPACE}"
# Group 1: elements whose content must not change, and any other tag. Everything else is prose.
_PARTS = re.compile(r"(<(pre|option|textarea|script|style)\b.*?</\2>|<[^>]*>)|[^<]+", re.DOTALL)
_WIDE = re.compile(r"(?<=\S) (?=[:»])|(?<=«) |(?<=\d) (?=(?:h|s|Mo)\b)|(?<=\d h) (?=\d)")
_THIN = re.compile(r"(?<=\S) (?=[;!?])")


def typeset(text: str, language: str) -> str:
    """Replace spaces in a French page or email with non-breaking spaces where needed."""
    if language != "fr":
        return text
    return _PARTS.sub(
        lambda part: part[0] if part[1] else _THIN.sub(_NARROW, _WIDE.sub(_FIXED, part[0])), text
    )
