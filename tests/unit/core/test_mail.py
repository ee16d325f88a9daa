"""The recipients and times of emails."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from recours.core.claim import Claim
from recours.core.mail import (
    EventName,
    Frequency,
    MailKind,
    OutboxEvent,
    Preferences,
    Reasons,
    digest_due,
    fault_key,
    is_address,
    is_still_valid,
    key_of,
    parse_preferences,
    reported_week,
    summary_due,
    week_label,
)

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("text", "preferences"),
    [
        (None, Preferences()),
        ("", Preferences()),
        ("{}", Preferences()),
        ('{"pod_failed": false}', Preferences(pod_failed=False, account_refused=False)),
        ('{"pod_failed": false, "account_refused": true}', Preferences(pod_failed=False)),
        ('{"account_refused": false}', Preferences(account_refused=False)),
        ('{"pod_retrieved": "false", "frequency": "Daily"}', Preferences(pod_retrieved=False, frequency=Frequency.DAILY)),
        ('{"frequency": "weekly", "language": "EN", "other": [1]}', Preferences(frequency=Frequency.WEEKLY, language="en")),
        ('{"pod_failed": null, "language": null}', Preferences()),
    ],
)  # fmt: skip
def test_preferences(text: str | None, preferences: Preferences) -> None:
    assert parse_preferences(text, "fr") == (preferences, None)
    assert preferences.wants(MailKind.POD_FAILED) is preferences.pod_failed
    assert preferences.wants(MailKind.OPERATOR_SUMMARY)


@pytest.mark.parametrize(
    "text", ["{", "[]", '"fr"', "7", "[" * 100_000, '{"frequency": "hourly"}', '{"language": ["fr"]}', '{"pod_failed": 7}']
)  # fmt: skip
def test_unreadable_preferences_count_as_missing(text: str) -> None:
    preferences, fault = parse_preferences(text, "en")
    assert preferences == Preferences(language="en")
    assert fault is not None
    assert fault.startswith("notification_preferences")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


@pytest.mark.parametrize(
    ("frequency", "written", "not_yet", "due"),
    [
        (Frequency.DAILY, "2026-02-03 07:59", "2026-02-03 07:59", "2026-02-03 08:00"),
        (Frequency.DAILY, "2026-02-03 08:00", "2026-02-04 07:59", "2026-02-04 08:00"),
        (
            Frequency.DAILY,
            "2026-03-28 12:00",
            "2026-03-29 07:59",
            "2026-03-29 08:00",
        ),  # the clock changes that night
        (Frequency.WEEKLY, "2026-02-02 07:00", "2026-02-02 07:30", "2026-02-02 08:00"),  # a Monday
        (Frequency.WEEKLY, "2026-02-02 09:00", "2026-02-09 07:59", "2026-02-09 08:00"),
        (Frequency.WEEKLY, "2026-02-08 23:00", "2026-02-08 23:30", "2026-02-12 15:00"),
    ],
)
def test_digests_fall_due_at_eight(frequency: Frequency, written: str, not_yet: str, due: str) -> None:
    assert not digest_due(at(written), frequency, at(not_yet), PARIS)
    assert digest_due(at(written), frequency, at(due), PARIS)
    assert digest_due(at(written), Frequency.IMMEDIATE, at(not_yet), PARIS)


@pytest.mark.parametrize(
    "text", ["a@shop.example", "A.b+c_d'e@sub.shop-1.example", "x" * 64 + "@shop.example"]
)
def test_addresses(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        None, "", "a", "a@b", "@shop.example", "a@shop.example\r\nBcc: b@shop.example", "a@shop.example\n", "a b@shop.example",
        "a@shop.example,b@shop.example", "A <a@shop.example>", "a@-shop.example", "é@shop.example", "a@shop.exämple",
        "x" * 65 + "@shop.example", "a@" + "b" * 250 + ".example", "a@[127.0.0.1]", '"a"@shop.example',
    ],
)  # fmt: skip
def test_invalid_addresses_are_rejected(text: str | None) -> None:
    assert not is_address(text)


NOW = Claim(7, "CLM-1", number="N1", carrier="ups", fetch_status="failed", claim_status="submitted")


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        (NOW, True),
        (None, False),
        (replace(NOW, number="N2"), False),
        (replace(NOW, number=None), False),
        (replace(NOW, carrier="gls"), False),
        (replace(NOW, fetch_status="success"), False),
        (replace(NOW, claim_status=" Paid "), False),
    ],
)
def test_a_failure_is_reported_only_while_it_persists(claim: Claim | None, holds: bool) -> None:
    written = datetime(2026, 2, 2, tzinfo=UTC) - timedelta(hours=1)
    failed = OutboxEvent(1, EventName.POD_FAILED, 7, "ups", "N1", written)
    reasons = Reasons({7: claim} if claim else {})
    assert is_still_valid(failed, reasons, frozenset({"paid"})) is holds
    retrieved = OutboxEvent(2, EventName.POD_RETRIEVED, 7, "ups", "N1", written)
    assert is_still_valid(retrieved, reasons, frozenset({"paid"}))


LONG = "HTTPS://TRACK.EXAMPLE/" + "X" * 60


@pytest.mark.parametrize(
    "text", ["", "XY1", "XY1\u200b", "Heppner ", "X" * 60, "X" * 61, LONG, "\u200b" * 30]
)
def test_a_key_is_short_and_its_own_key_is_equal(text: str) -> None:
    assert len(key_of(text)) <= 60
    assert key_of(text).isprintable()
    assert key_of(key_of(text)) == key_of(text)


def test_long_texts_with_the_same_beginning_have_different_keys() -> None:
    keys = {key_of(text) for text in (LONG, LONG + "Y", LONG + "Z", "X" * 60, "X" * 61, "X" * 62)}
    assert len(keys) == 6


@pytest.mark.parametrize(
    ("now", "zone", "week"),
    [
        ("2026-02-09 06:59:59", "Europe/Paris", "2026-W05"),
        ("2026-02-09 07:00:00", "Europe/Paris", "2026-W06"),
        ("2026-02-15 23:30:00", "Europe/Paris", "2026-W06"),
        ("2026-02-09 12:59:59", "America/New_York", "2026-W05"),
        ("2026-02-09 13:00:00", "America/New_York", "2026-W06"),
        # the clock is set forward on Sunday the 29th, and back on Sunday, October 25
        ("2026-03-30 05:59:59", "Europe/Paris", "2026-W12"),
        ("2026-03-30 06:00:00", "Europe/Paris", "2026-W13"),
        ("2026-10-26 06:59:59", "Europe/Paris", "2026-W42"),
        ("2026-10-26 07:00:00", "Europe/Paris", "2026-W43"),
        # a year of 53 weeks
        ("2027-01-04 07:00:00", "Europe/Paris", "2026-W53"),
        ("2027-01-11 07:00:00", "Europe/Paris", "2027-W01"),
    ],
)
def test_the_week_that_is_to_be_reported(now: str, zone: str, week: str) -> None:
    monday = reported_week(datetime.fromisoformat(now).replace(tzinfo=UTC), ZoneInfo(zone))
    assert monday.weekday() == 0
    assert week_label(monday) == week


# ---------------------------------------------------------------- one mail a day to the operator


def in_paris(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        (None, "2026-02-02 03:00", True),
        ("2026-02-02 03:00", "2026-02-02 23:59", False),
        ("2026-02-02 23:30", "2026-02-03 00:05", False),
        ("2026-02-02 23:30", "2026-02-03 07:59", False),
        ("2026-02-02 23:30", "2026-02-03 08:00", True),
        ("2026-02-02 09:00", "2026-02-04 00:00", True),
        ("2026-02-02 09:00", "2026-02-02 08:58", False),  # two machines whose clocks differ
        ("2030-01-01 00:00", "2026-02-02 03:00", True),  # written by a wrong clock
    ],
)
def test_the_operators_email_comes_once_a_day(last: str | None, now: str, due: bool) -> None:
    assert summary_due(in_paris(last) if last else None, in_paris(now), PARIS) is due


def test_a_problem_is_the_same_regardless_of_day_and_client_account() -> None:
    def trouble(name: EventName, carrier: str, kind: str = "auth_failed", day: str = "2026-02-02") -> object:
        return fault_key(
            OutboxEvent(1, name, None, carrier, day, in_paris(day), {"kind": kind, "error": day})
        )

    fault = EventName.ACCOUNT_FAULT
    assert trouble(fault, "ups") == trouble(fault, "ups", day="2026-02-03")
    assert trouble(fault, "ups#4") == trouble(fault, "ups#5")
    kinds = [
        trouble(fault, "ups"),
        trouble(fault, "ups#4"),
        trouble(fault, "dhl"),
        trouble(fault, "ups", "account_denied"),
        trouble(EventName.RUN_FAULT, "ups"),
    ]
    assert len(set(kinds)) == len(kinds)
    assert trouble(EventName.GAVE_UP, "ups", "not_found") is None
