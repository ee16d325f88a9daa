"""Claims that gave up, chosen to be asked about once more, on both kinds of database."""

import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, text

from recours.carriers.registry import CATALOG
from recours.database.engine import Database
from recours.database.samples import DatabaseSamples
from recours.database.schema.inspection import look
from recours.database.tables import attempts
from recours.runs.ports import Lease
from tests.conftest import SERVICE_CLAIMS, claim_row

NOW = datetime(2026, 2, 6, 22, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SINCE = NOW - 120 * DAY
TEN_MINUTES = timedelta(minutes=10)


@pytest.fixture
def samples(database: Database) -> DatabaseSamples:
    return DatabaseSamples(database, CATALOG, look(database).columns, random=Random(7))


def gave_up(number: int, **columns: Any) -> dict[str, Any]:
    """A claim that used its four retries."""
    row = claim_row(number) | {"id": number, "pod_retry_count": 4}
    seen = {
        "pod_seen_status": "failed",
        "pod_seen_number": row["tracking_number"],
        "pod_seen_carrier": "Chronopost",
        "pod_seen_count": 4,
    }
    own = {"pod_stage": "given_up", "pod_carrier_key": "chronopost", "pod_lease_until": None}
    return row | seen | own | columns


def attempt(claim: int, at: datetime, outcome: str = "failed", **columns: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "claim_id": claim, "run_id": "r", "worker": "w", "carrier": "chronopost", "tracking_number": "N", "turn": 4,
        "started_at": at, "duration_s": 1.0, "calls": 1, "outcome": outcome, "used": outcome == "failed",
        "circumstances": None,
    }  # fmt: skip
    return row | columns


def sample(claim: int, at: datetime, outcome: str = "sampled", **columns: Any) -> dict[str, Any]:
    return attempt(claim, at, outcome, used=False, circumstances={"sample": True}, **columns)


def add(database: Database, claims: Sequence[dict[str, Any]], made: Sequence[dict[str, Any]] = ()) -> None:
    """Claims, each with a failed attempt of yesterday, and these attempts."""
    failed = [attempt(claim["id"], NOW - DAY) for claim in claims]
    with database.write() as connection:
        connection.execute(insert(SERVICE_CLAIMS), list(claims))
        connection.execute(insert(attempts), [*failed, *made])


def chosen(samples: DatabaseSamples, most: int = 10, carrier: str = "chronopost") -> list[int]:
    return [claim.id for claim in samples.choose(carrier, most, lambda _: True, SINCE, NOW)]


# ---------------------------------------------------------------- which claims


def test_claims_that_gave_up_are_found_with_all_that_is_known(samples: DatabaseSamples) -> None:
    add(samples.database, [gave_up(1, pod_error_kind="not_found")])
    (claim,) = samples.choose("chronopost", 5, lambda _: True, SINCE, NOW)
    assert (claim.reference, claim.carrier, claim.state.kind) == ("CLM-00001", "chronopost", "not_found")
    assert not claim.is_edited


@pytest.mark.parametrize(
    "columns",
    [
        {"pod_stage": "waiting"},
        {"pod_stage": "shelved"},
        {"pod_fetch_status": "manual"},
        {"pod_fetch_status": "success", "pod_seen_status": "success"},
        {"tracking_number": "XY009999999FR"},
        {"carrier": "UPS"},
        {"pod_retry_count": 0},
        {"pod_carrier_key": "ups"},
        {"pod_lease_until": NOW + timedelta(minutes=5)},
    ],
)
def test_what_others_work_on_or_corrected_is_left_alone(
    samples: DatabaseSamples, columns: dict[str, Any]
) -> None:
    add(samples.database, [gave_up(1, **columns)])
    add(samples.database, [gave_up(2)])
    assert chosen(samples) == [2]


@pytest.mark.parametrize(
    "made",
    [
        attempt(1, NOW - 121 * DAY),
        attempt(1, NOW - DAY, carrier="ups"),
        sample(1, NOW - DAY),  # else a claim would be sampled for ever
        attempt(1, NOW - DAY, "left"),
    ],
)
def test_only_claims_that_the_carrier_was_asked_about_lately(
    samples: DatabaseSamples, made: dict[str, Any]
) -> None:
    with samples.database.write() as connection:
        connection.execute(insert(SERVICE_CLAIMS), [gave_up(1)])
        connection.execute(insert(attempts), [made])
    assert chosen(samples) == []


def test_only_claims_that_fit(samples: DatabaseSamples) -> None:
    add(samples.database, [gave_up(number) for number in (1, 2, 3)])
    found = samples.choose("chronopost", 5, lambda claim: claim.id == 2, SINCE, NOW)
    assert [claim.id for claim in found] == [2]


# ---------------------------------------------------------------- leased


MINE = Lease("run-1", NOW + TEN_MINUTES)


def row_of(database: Database, claim: int) -> dict[str, Any]:
    with database.read() as connection:
        found = connection.execute(text("SELECT * FROM claims WHERE id = :claim"), {"claim": claim})
        return dict(found.mappings().one())


def test_a_claim_is_leased_as_it_is(samples: DatabaseSamples) -> None:
    add(samples.database, [gave_up(1, pod_interruptions=1), gave_up(2, pod_interruptions=0)])
    before, other = row_of(samples.database, 1), row_of(samples.database, 2)
    claim, _ = sorted(samples.choose("chronopost", 2, lambda _: True, SINCE, NOW), key=lambda one: one.id)
    leased = samples.lease(claim, MINE, NOW)
    assert leased
    assert leased.state.interruptions == 1
    changed = {"pod_lease_token": "run-1", "pod_interruptions": 2}
    after = row_of(samples.database, 1)
    assert after.pop("pod_lease_until") is not None
    before.pop("pod_lease_until")
    assert after == before | changed
    assert row_of(samples.database, 2) == other
    assert samples.lease(claim, Lease("run-2", NOW + TEN_MINUTES), NOW) is None


@pytest.mark.parametrize(
    "change",
    [
        "pod_retry_count = 0, pod_stage = 'waiting'",  # reopened
        "pod_stage = 'ready'",  # by a higher limit
        "pod_retry_count = 0",
        "tracking_number = 'XY009999999FR'",
        "pod_fetch_status = 'success', pod_seen_status = 'success'",
    ],
)
def test_what_became_of_a_claim_since_it_was_chosen_holds(samples: DatabaseSamples, change: str) -> None:
    add(samples.database, [gave_up(1)])
    (claim,) = samples.choose("chronopost", 1, lambda _: True, SINCE, NOW)
    with samples.database.write() as connection:
        connection.execute(text(f"UPDATE claims SET {change}"))
    before = row_of(samples.database, 1)
    assert samples.lease(claim, MINE, NOW) is None
    assert row_of(samples.database, 1) == before


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)  # SQLite locks the whole database
def test_a_claim_that_another_program_locks_is_passed_over(samples: DatabaseSamples) -> None:
    add(samples.database, [gave_up(1)])
    (claim,) = samples.choose("chronopost", 1, lambda _: True, SINCE, NOW)
    with samples.database.write() as connection:
        connection.execute(text("UPDATE claims SET pod_fetch_error = 'x'"))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(samples.lease, claim, MINE, NOW).result(timeout=3) is None
    assert samples.lease(claim, MINE, NOW)


# ---------------------------------------------------------------- in which order


def test_the_choice_is_at_random(samples: DatabaseSamples) -> None:
    add(samples.database, [gave_up(number) for number in range(1, 9)])
    found = Counter(claim for _ in range(200) for claim in chosen(samples, 2))
    assert sorted(found) == list(range(1, 9))
    assert min(found.values()) > 20


@pytest.mark.parametrize("begin", [0.0, 0.5, 0.9999])
def test_wherever_the_look_begins_all_of_a_few_are_seen(
    samples: DatabaseSamples, begin: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples.random, "random", lambda: begin)
    add(samples.database, [gave_up(number) for number in (1, 2)], [attempt(1, NOW - 100 * DAY)])
    assert sorted(chosen(samples)) == [1, 2]


def test_what_was_never_sampled_comes_first_then_what_was_longest_ago(samples: DatabaseSamples) -> None:
    made = [
        sample(1, NOW - 2 * DAY),
        sample(2, NOW - 5 * DAY),
        sample(3, NOW - 3 * DAY),
        sample(2, NOW - DAY),
    ]
    add(samples.database, [gave_up(number) for number in (1, 2, 3, 4)], made)
    assert chosen(samples) == [4, 3, 1, 2]
    assert chosen(samples, 2) == [4, 3]


def test_among_very_many_few_rows_are_read_and_no_claim_is_out_of_reach(
    samples: DatabaseSamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recours.database.samples._MOST_ATTEMPTS", 50)
    count = 4000
    with samples.database.write() as connection:
        connection.execute(insert(SERVICE_CLAIMS), [gave_up(number) for number in range(1, count + 1)])
        spread = [attempt(n, SINCE + n * (NOW - SINCE) / (count + 1)) for n in range(1, count + 1)]
        connection.execute(insert(attempts), spread)
        if not samples.database.is_sqlite:
            connection.exec_driver_sql("ANALYZE claims, recours_attempts")
    seen: list[tuple[str, Any]] = []
    listener = ("before_cursor_execute", lambda _c, _k, sql, values, *_: seen.append((sql, values)))
    event.listen(Engine, *listener)
    try:
        found = [claim for _ in range(40) for claim in chosen(samples, 5)]
    finally:
        event.remove(Engine, *listener)
    quarters = Counter((claim - 1) * 4 // count for claim in found)
    assert sorted(quarters) == [0, 1, 2, 3]
    looks = [(sql, values) for sql, values in seen if "FROM claims" in sql or "LIMIT" in sql]
    assert len(looks) >= 80
    for sql, values in looks[:4]:
        shown = plan(samples.database, sql, values)
        assert not re.search(r"Seq Scan|SCAN (claims|recours_attempts)$", shown, re.MULTILINE), shown
        assert "ix_claims_pod_given_up" not in shown, shown


def plan(database: Database, sql: str, values: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.read() as connection:
        return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {sql}", values))


# ---------------------------------------------------------------- how many a day


def test_the_samples_of_a_day_are_counted(samples: DatabaseSamples) -> None:
    made = [
        sample(1, NOW - HOUR),
        sample(2, NOW - 2 * HOUR, "success"),
        sample(3, NOW - 2 * HOUR),
        sample(4, NOW - 3 * HOUR),  # before
        sample(5, NOW - HOUR, carrier="ups"),
        attempt(6, NOW - HOUR),
        attempt(7, NOW - HOUR, "success", used=True),
        attempt(8, NOW - HOUR, "success", used=False),  # of a claim that was edited meanwhile
        attempt(9, NOW - HOUR, "tracked", used=False),
    ]
    with samples.database.write() as connection:
        connection.execute(insert(attempts), made)
    assert samples.made("chronopost", NOW - 2 * HOUR) == 3
    assert samples.made("ups", NOW - 2 * HOUR) == 1
    assert samples.made("chronopost", NOW) == 0


def test_circumstances_that_somebody_spoilt_are_no_samples(samples: DatabaseSamples) -> None:
    spoilt = "{" if samples.database.is_sqlite else '"{"'  # a server takes nothing that is not JSON
    with samples.database.write() as connection:
        connection.execute(insert(attempts), [sample(1, NOW, "success"), sample(2, NOW, "success")])
        spoil = text("UPDATE recours_attempts SET circumstances = :spoilt WHERE claim_id = 1")
        connection.execute(spoil, {"spoilt": spoilt})
    assert samples.made("chronopost", NOW) == 1


# ---------------------------------------------------------------- one run at a time


def test_one_run_at_a_time_samples_a_carrier(samples: DatabaseSamples) -> None:
    mine, others = (Lease(token, NOW + TEN_MINUTES) for token in ("run-1", "run-2"))
    assert samples.lease_carrier("chronopost", mine, NOW)
    assert not samples.lease_carrier("chronopost", others, NOW)
    assert samples.lease_carrier("ups", others, NOW)
    samples.release_carrier("chronopost", others)
    assert not samples.lease_carrier("chronopost", others, NOW)
    samples.release_carrier("chronopost", mine)
    assert samples.lease_carrier("chronopost", others, NOW)


def test_the_lease_of_a_run_that_died_runs_out(samples: DatabaseSamples) -> None:
    mine, others = Lease("run-1", NOW + TEN_MINUTES), Lease("run-2", NOW + 2 * TEN_MINUTES)
    assert samples.lease_carrier("chronopost", mine, NOW)
    assert not samples.lease_carrier("chronopost", others, NOW + TEN_MINUTES - timedelta(seconds=1))
    assert samples.lease_carrier("chronopost", others, NOW + TEN_MINUTES)
    samples.release_carrier("chronopost", mine)  # it lived after all: the lease is not its own any more
    assert not samples.lease_carrier("chronopost", mine, NOW + TEN_MINUTES)


def test_of_runs_in_the_same_instant_one_has_the_lease(samples: DatabaseSamples) -> None:
    def lease(number: int) -> bool:
        return samples.lease_carrier("chronopost", Lease(f"run-{number}", NOW + TEN_MINUTES), NOW)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(lease, range(6))) == 1
