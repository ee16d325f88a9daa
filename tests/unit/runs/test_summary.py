"""A run's results, counted and reported in the guide's form."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.core.quota import Capability, Limit, Usage, Window
from recours.core.text import format_minute, format_span
from recours.runs.ports import Waiting
from recours.runs.summary import Report, Stats, usage_line, waiting_line, worth_showing
from tests.fakes.world import local

MIDNIGHT = datetime(2026, 2, 6, 23, tzinfo=UTC)


def report(**more: Any) -> Report:
    stats = Stats(3, 2, 4, 5, 6, 1)
    return Report("pod_retry_scheduler", "run-1", MIDNIGHT, 9.4456, stats, **more)  # keywords


def test_the_summary_is_the_guide_s() -> None:
    assert report().lines() == [
        "Duration: 9.45s",
        "Total processed: 5",
        "✅ Success: 3",
        "❌ Failed: 2",
        "⏭️ Skipped (persistent): 4",
        "⚠️ Skipped (rate limit): 5",
        "⚠️ Skipped (carrier): 6",
        "🛑 Max retries reached: 1",
        "Success rate: 60.0%",
    ]


def test_counts_beyond_the_guide_are_reported_only_if_not_zero() -> None:
    more = replace(report(), stats=Stats(3, 2, 4, 5, 6, 1, 7, 8))
    assert [line for line in more.lines() if line not in report().lines()] == [
        "⚠️ Skipped (kept for other claims): 7",
        "Last attempts: 8",
    ]
    assert (more.as_json()["skipped_reserved"], more.as_json()["last_attempts"]) == (7, 8)


def test_clients_accounts_are_listed_apart_from_the_default_account() -> None:
    def uses(key: str, used: int) -> list[Usage]:
        return [Usage(Limit(key, 100, Window(0, "UTC")), used, MIDNIGHT)]

    made = report()
    assert "accounts" not in made.as_json()
    made.add_usage({key: uses(key, n) for n, key in enumerate(("ups", "ups#17", "ups#9"))}, CATALOG)
    found = made.as_json()
    assert {name: use["used"] for name, use in found["api_usage"].items()} == {"UPS": 0}
    assert {key: use["used"] for key, use in found["accounts"].items()} == {"ups#17": 1, "ups#9": 2}


def test_the_json_has_the_specified_keys_in_their_order() -> None:
    day, second = Window(0, "Europe/Paris"), Window(1)
    uses = [
        Usage(Limit("chronopost", 2, second), 1, MIDNIGHT),
        Usage(Limit("chronopost", 100, day), 5, MIDNIGHT),
    ]
    found = report(usage={"Chronopost": uses, "UPS": []}).as_json()
    assert found == {
        "worker": "pod_retry_scheduler",
        "run_id": "run-1",
        "started_at": "2026-02-06T23:00:00+00:00",
        "duration_s": 9.45,
        "total": 5,
        "success": 3,
        "failed": 2,
        "skipped_persistent": 4,
        "skipped_rate_limit": 5,
        "skipped_carrier": 6,
        "max_retries_reached": 1,
        "skipped_reserved": 0,
        "success_rate": 60.0,
        "api_usage": {
            "Chronopost": {"used": 5, "limit": 100, "window": "day", "resets_at": "2026-02-06T23:00:00+00:00"}
        },
    }
    assert " ".join(found) == (
        "worker run_id started_at duration_s total success failed skipped_persistent skipped_rate_limit "
        "skipped_carrier max_retries_reached skipped_reserved success_rate api_usage"
    )


@pytest.mark.parametrize(
    ("success", "failed", "rate"), [(0, 0, 0.0), (1, 2, 33.3), (2, 1, 66.7), (4, 0, 100.0), (0, 4, 0.0)]
)
def test_the_success_rate_is_a_percentage_with_one_decimal(success: int, failed: int, rate: float) -> None:
    assert Stats(success, failed).success_rate == rate
    assert Stats(success, failed).total == success + failed


minute = partial(format_minute, local=local)


def test_the_usage_of_a_carrier_in_local_time() -> None:
    day = Usage(Limit("chronopost", 100, Window(0, "Europe/Paris")), 5, MIDNIGHT)
    assert usage_line("Chronopost", day, minute) == "Chronopost: 5/100 per day, resets 2026-02-07 00:00"
    tokens = Usage(Limit("ups", 20, Window(3600), Capability.TOKEN), 1, MIDNIGHT)
    assert usage_line("UPS", tokens, minute) == "UPS TOKEN: 1/20 per hour, resets 2026-02-07 00:00"


def test_times_are_shown_to_the_minute() -> None:
    assert format_minute(MIDNIGHT + timedelta(seconds=59), local) == "2026-02-07 00:00"
    assert format_minute(None, local) == "an unknown time"


@pytest.mark.parametrize(
    ("waiting", "line"),
    [
        (Waiting(0, None), "No failed claims are waiting for a retry"),
        (Waiting(1, MIDNIGHT), "1 failed claim is waiting for a retry, the earliest at 2026-02-07 00:00"),
        (Waiting(7, MIDNIGHT), "7 failed claims are waiting for a retry, the earliest at 2026-02-07 00:00"),
        (Waiting(2, None), "2 failed claims are waiting for a retry, the earliest at an unknown time"),
    ],
)
def test_how_many_wait_and_until_when(waiting: Waiting, line: str) -> None:
    assert waiting_line(waiting, local) == line


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (0.5, "30 min"),
        (0.75, "45 min"),
        (1, "1 h"),
        (5.2, "5 h"),
        (47, "47 h"),
        (48, "2 days"),
        (168, "7 days"),
    ],
)
def test_spans_are_formatted(hours: float, words: str) -> None:
    assert format_span(timedelta(hours=hours)) == words


def test_short_windows_are_reported_only_where_there_are_no_longer_ones() -> None:
    second = Usage(Limit("dhl", 1, Window(1)), calls=1, resets_at=MIDNIGHT)
    day = Usage(Limit("dhl", 250, Window(0, "UTC")), calls=7, resets_at=MIDNIGHT)
    assert worth_showing([second, day]) == [day]
    assert worth_showing([second]) == [second]
    assert usage_line("La Poste", second, minute) == "La Poste: 1/1 per second"
    assert usage_line("DHL", day, minute) == "DHL: 7/250 per day, resets 2026-02-07 00:00"
