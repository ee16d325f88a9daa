"""Numbers, money, dates, times and plurals in both languages, with any input."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recours.core.localized import UNKNOWN, Localized
from recours.core.text import zone_name

PARIS = ZoneInfo("Europe/Paris")
EN, FR = Localized("en", PARIS), Localized("fr", PARIS)
NOW = datetime(2026, 11, 26, 13, 5, tzinfo=UTC)
NARROW, FIXED = "\u202f", "\u00a0"  # the spaces between thousands, and before a unit


@pytest.mark.parametrize(
    ("number", "english", "french"),
    [
        (0, "0", "0"),
        (1234567, "1,234,567", f"1{NARROW}234{NARROW}567"),
        (-1234.5, "-1,234.5", f"-1{NARROW}234,5"),
        (Decimal("12.345"), "12.34", "12,34"),
    ],
)
def test_a_number_is_written_as_the_language_does(number: float, english: str, french: str) -> None:
    assert (EN.number(number), FR.number(number)) == (english, french)


@pytest.mark.parametrize(
    "nothing", [None, float("nan"), Decimal("sNaN"), 10**5000], ids=["missing", "nan", "signaling", "endless"]
)
def test_an_unknown_number_is_shown_as_a_dash(nothing: float | None) -> None:
    for texts in (EN, FR):
        formatted = {texts.number(nothing), texts.money(nothing, "EUR"), texts.percent(nothing)}
        assert formatted == {UNKNOWN}


@pytest.mark.parametrize("huge", [1e300, float("inf"), Decimal(10) ** 400])
def test_a_huge_number_is_cut(huge: float) -> None:
    assert EN.number(huge) == "1,000,000,000,000,000"
    assert EN.number(-huge) == "-1,000,000,000,000,000"


@pytest.mark.parametrize(
    ("amount", "currency", "english", "french"),
    [
        (1234.5, "EUR", "€1,234.50", f"1{NARROW}234,50{FIXED}€"),
        (3, " eur ", "€3.00", f"3,00{FIXED}€"),
        (7, "JPY", "JP¥7", f"7{FIXED}JPY"),
        (5, "", "5.00", "5,00"),
        (5, None, "5.00", "5,00"),
        (5, "points", "5.00 points", "5,00 points"),
        (5, "<b>\n" * 9, "5.00 <b>\\x0a<b…", "5,00 <b>\\x0a<b…"),
    ],
)
def test_money_has_its_currency(amount: float, currency: str | None, english: str, french: str) -> None:
    assert (EN.money(amount, currency), FR.money(amount, currency)) == (english, french)


@pytest.mark.parametrize(
    ("percent", "english", "french"),
    [(0, "0%", f"0{FIXED}%"), (66.66, "66.7%", f"66,7{FIXED}%"), (100, "100%", f"100{FIXED}%")],
)
def test_a_percentage_has_one_decimal_at_most(percent: float, english: str, french: str) -> None:
    assert (EN.percent(percent), FR.percent(percent)) == (english, french)


@pytest.mark.parametrize(
    ("number", "english", "french"),
    [(0, "other", "one"), (1, "one", "one"), (1.5, "other", "one"), (2, "other", "other"), (10**6, "other", "other"),
     (float("nan"), "other", "other")],
)  # fmt: skip
def test_each_language_has_its_plural(number: float, english: str, french: str) -> None:
    assert (EN.plural(number), FR.plural(number)) == (english, french)


def test_a_text_about_a_count_shows_it_as_the_language_does() -> None:
    forms = ("{count} claim of {carrier}", "{count} claims of {carrier}")
    assert EN.counted(*forms, 1, carrier="UPS") == "1 claim of UPS"
    assert EN.counted(*forms, 12345, carrier="UPS") == "12,345 claims of UPS"
    assert FR.counted("{count} attempt", "{count} attempts", 0) == "0 tentative"
    assert FR.counted("{count} attempt", "{count} attempts", 2000) == f"2{NARROW}000 tentatives"
    assert EN.counted(*forms, 10000, carrier="UPS", count="10,000+") == "10,000+ claims of UPS"


# ---------------------------------------------------------------- times


def test_a_time_names_its_zone() -> None:
    assert EN.minute(NOW) == "26 Nov 2026, 14:05 CET"
    assert FR.minute(NOW) == "26/11/2026 à 14 h 05 CET"
    assert FR.time(NOW) == "14 h 05 CET"
    assert FR.minute(NOW - timedelta(days=150)) == "29/06/2026 à 15 h 05 CEST"


def test_an_hour_that_comes_twice_is_distinguished_by_its_zone() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert EN.minute(first) == "25 Oct 2026, 02:30 CEST"
    assert EN.minute(first + timedelta(hours=1)) == "25 Oct 2026, 02:30 CET"


@pytest.mark.parametrize(
    ("zone", "named"),
    [("UTC", "UTC"), ("America/New_York", "EST"), ("Asia/Kolkata", "IST"), ("America/Sao_Paulo", "UTC-03:00"),
     ("Pacific/Chatham", "UTC+13:45"), ("Etc/GMT+12", "UTC-12:00")],
)  # fmt: skip
def test_a_zone_without_a_name_is_named_by_its_offset(zone: str, named: str) -> None:
    assert Localized("fr", ZoneInfo(zone)).zone_name(NOW) == named
    assert zone_name(NOW.astimezone(ZoneInfo(zone))) == named


def test_a_day_is_that_of_the_readers_zone() -> None:
    late = datetime(2026, 5, 1, 22, 30, tzinfo=UTC)
    assert (EN.day(late), FR.day(late)) == ("2 May 2026", "02/05/2026")
    assert FR.day(date(2026, 5, 1)) == "01/05/2026"


def test_times_in_a_table_omit_the_current_day_and_year() -> None:
    assert EN.short_minute(NOW - timedelta(hours=2), NOW) == "12:05"
    assert EN.short_minute(NOW - timedelta(days=1), NOW) == "25 Nov, 14:05"
    assert EN.short_minute(NOW - timedelta(days=366), NOW) == "25 Nov 2025, 14:05"
    assert FR.short_minute(NOW - timedelta(days=1), NOW) == "25/11 à 14 h 05"


@pytest.mark.parametrize(
    ("span", "short"),
    [
        (timedelta(minutes=1), "1m"),
        (timedelta(hours=5), "5h"),
        (timedelta(hours=47), "47h"),
        (timedelta(days=2), "2d"),
        (timedelta(days=400), "400d"),
    ],
)
def test_a_span_has_one_unit(span: timedelta, short: str) -> None:
    assert EN.age(span) == short


def test_past_and_future_times_are_relative() -> None:
    assert EN.ago(NOW - timedelta(days=3), NOW) == "3 days ago"
    assert FR.ago(NOW - timedelta(days=3), NOW) == "il y a 3 jours"
    assert FR.ago(NOW + timedelta(hours=5), NOW) == "dans 5 heures"
    assert FR.age(-timedelta(hours=5)) == f"0{FIXED}min"


def test_a_missing_time_is_a_dash() -> None:
    for texts in (EN, FR):
        formatted = {texts.day(None), texts.minute(None), texts.time(None), texts.short_minute(None, NOW)}
        assert formatted | {texts.age(None), texts.ago(None, NOW)} == {UNKNOWN}


@given(st.datetimes(), st.timedeltas(), st.sampled_from(["UTC", "Pacific/Kiritimati", "Etc/GMT+12"]))
def test_every_time_and_every_span_becomes_a_text(at: datetime, span: timedelta, zone: str) -> None:
    aware = at.replace(tzinfo=UTC)
    for language in ("en", "fr"):
        texts = Localized(language, ZoneInfo(zone))
        times = (texts.minute(aware), texts.short_minute(aware, NOW), texts.day(aware), texts.time(aware))
        assert all((*times, texts.age(span), texts.ago(aware, NOW)))
