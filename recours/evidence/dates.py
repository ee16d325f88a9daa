"""Printed dates and times in the languages of `recours.evidence.phrases`."""

import re
from datetime import date, datetime, time

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan janvier janv januar enero ene gennaio gen januari",
            "february feb fevrier fevr februar febrero febbraio februari",
            "march mar mars marz mrz marzo maart mrt",
            "april apr avril avr abril abr aprile",
            "may mai mayo maggio mag mei",
            "june jun juin juni junio giugno giu",
            "july jul juillet juil juli julio luglio lug",
            "august aug aout agosto ago augustus",
            "september sep sept septembre septiembre settembre set",
            "october oct octobre oktober okt octubre ottobre ott",
            "november nov novembre noviembre",
            "december dec decembre dezember dez diciembre dic dicembre",
        ),
        1,
    )
    for name in names.split()
}
MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATE = re.compile(
    r"(?<![\d/.-])(?:(?P<iso>\d{4})-(?P<iso_month>\d\d)-(?P<iso_day>\d\d)"
    r"|(?P<first>\d\d?)(?P<sign>[/.-])(?P<second>\d\d?)(?P=sign)(?P<year>\d{4}|\d\d)(?!\d)"
    rf"|(?P<day>\d\d?)(?:er|st|nd|rd|th|\.)?[ -](?:of |de )?(?P<month>{MONTH})\.?,?[ -](?:de |del )?(?P<of>\d{{4}}|\d\d(?!\d| ?[:.h]))"
    rf"|(?=[adefgjmnos])\b(?P<american>{MONTH})\.? (?P<american_day>\d\d?)(?:st|nd|rd|th)?,? (?P<american_of>\d{{4}}))"
)
_TIME = re.compile(
    r"(?<![\d:.])(?P<hour>\d\d?)(?: ?(?P<sign>[:h.]|uhr) ?(?P<minute>\d\d))?(?::\d\d)?(?![\d/])"
    r" ?(?P<half>[ap]\.?m\b\.?)?(?P<whole> ?(?:h|heures?|uhr|uur|hrs?)\b)?"
)
_BEFORE = re.compile(
    r"(?<![\d:.])(\d\d?) ?[:h] ?(\d\d)(?::\d\d)?(?: uhr)?[ ,]*(?:le|on|am|el|il|op)?[ ,a-z]{0,12}$"
)
_BETWEEN = re.compile(
    r"[\s,T(\-–|:/]*(?:(?:a las|alle(?: ore)?|ore|om|a|at|um|@|the|vers|heure|time|uhrzeit)\b)?[\s:(]*",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    r"[\W_]*(?:(?:le|on|am|el|il|op) )?(?:[a-z]{2,10}(?:day|di|tag|dag|och|es|ado|ato|ingo|ica|\.),? )?"
)
_DIGIT = re.compile("[0-9]")
_CENTURY = 2000


def read_date(folded: str, *, month_may_be_first: bool) -> tuple[str, int] | None:
    """Return the first date in a text in ISO format, with the time beside it if any, and the index where it ends.

    `month_may_be_first`: ignore a date such as 05/10/2026, unless it is clear which number is the month.
    """
    for match in _DATE.finditer(folded):
        at = read_time(folded[match.end() : match.end() + 40])
        day = _day(match, month_may_be_first=month_may_be_first, has_half=bool(at and at[2]))
        if day is None:
            continue
        if at is not None:
            return datetime.combine(day, at[0]).isoformat(timespec="minutes"), match.end() + at[1]
        earlier = _BEFORE.search(folded, max(0, match.start() - 25), match.start())
        if earlier and int(earlier[1]) < 24 and int(earlier[2]) < 60:  # noqa: PLR2004 (hours and minutes)
            return f"{day.isoformat()}T{int(earlier[1]):02}:{earlier[2]}", match.end()
        return day.isoformat(), match.end()
    return None


def dates_in(folded: str) -> set[str]:
    """Return the distinct dates in a text, as printed."""
    return {match[0] for match in _DATE.finditer(folded)}


def has_date(folded: str) -> bool:
    return _DIGIT.search(folded) is not None and _DATE.search(folded) is not None


def begins_with_date(folded: str) -> bool:
    """Return whether a line begins with a date, with or without a day of the week."""
    begins = _BEGINS.match(folded)
    return begins is not None and _DATE.match(folded, begins.end()) is not None


def _day(match: re.Match[str], *, month_may_be_first: bool, has_half: bool) -> date | None:
    """Return the day of a match, or None if it is invalid or ambiguous."""
    if match["iso"]:
        year, month, day = match["iso"], match["iso_month"], match["iso_day"]
    elif match["month"]:
        year, month, day = match["of"], _MONTHS[match["month"]], match["day"]
    elif match["american"]:
        year, month, day = match["american_of"], _MONTHS[match["american"]], match["american_day"]
    else:
        year, month, day = match["year"], match["second"], match["first"]
        if month_may_be_first and match["sign"] == "/":
            if has_half or int(month) > 12:  # noqa: PLR2004 (months)
                month, day = day, month
            elif int(day) <= 12 and day != month:  # noqa: PLR2004
                return None
    try:
        return date(int(year) + (_CENTURY if len(year) == 2 else 0), int(month), int(day))  # noqa: PLR2004
    except ValueError:
        return None


def read_time(folded: str) -> tuple[time, int, bool] | None:
    """Return the time of day at the start of a text, the index where it ends, and whether it has am or pm."""
    between = _BETWEEN.match(folded)
    start = between.end() if between else 0
    match = _TIME.match(folded, start)
    if match is None or not (match["minute"] or match["whole"] or match["half"]):
        return None
    hour = int(match["hour"])
    minute = int(match["minute"] or 0)
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].startswith("p") else 0)
    try:
        return time(hour, minute), match.end(), bool(match["half"])
    except ValueError:
        return None
