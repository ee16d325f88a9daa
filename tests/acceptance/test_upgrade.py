"""An installation that lived for days on the version before is upgraded in place, and lives on.

Nothing is asked or mailed twice, no attempt is lost. The version before is taken out of the repository's history.
"""

import subprocess
import sys

import pytest

from tests.acceptance.versions_before import (
    CARRIERS,
    DAYS,
    FROM_HISTORY,
    HOURS,
    ROOT,
    STORIES,
    Life,
    Predecessor,
    assert_none_is_lost,
    assert_nothing_is_done_twice,
    attempts,
    counts,
)

pytestmark = FROM_HISTORY


def test_an_upgrade_in_place_asks_and_mails_nothing_twice_and_loses_no_attempt(
    life: Life, predecessor: Predecessor
) -> None:
    service = life.service
    life.live(predecessor.root, DAYS, only=HOURS)
    assert set(life.statuses) == {0}, life.said[-20:]
    attempts_before, counts_before = attempts(service), counts(service)
    said_before, mailed_before = len(life.said), len(life.post.taken)
    life.live(ROOT, DAYS, only=HOURS)
    said = life.said[said_before:]
    assert set(life.statuses) == {0}, said[:40]

    assert len(attempts(service)) > len(attempts_before) > len(CARRIERS) * len(STORIES)
    assert len(life.post.taken) > mailed_before > 0
    assert_none_is_lost(service, attempts_before, counts_before)
    assert_nothing_is_done_twice(life)

    # What the upgrade changed is said once.
    assert sum("The schema of" in line for line in said) == predecessor.has_older_schema, said[:20]


@pytest.mark.parametrize("life", ["postgresql"], indirect=True)
def test_init_db_partitions_the_attempts_of_the_version_before_which_goes_on(
    life: Life, predecessor: Predecessor
) -> None:
    """The version before goes on only where it knows the schema."""
    service = life.service
    kind = "SELECT relkind = 'p' FROM pg_class WHERE oid = CAST('recours_attempts' AS regclass)"
    [(was_by_month,)] = service.sql(kind)
    life.live(predecessor.root, 1, only=HOURS)
    attempts_before, counts_before = attempts(service), counts(service)
    done = subprocess.run(
        [sys.executable, "-m", "recours", "init-db"],
        cwd=ROOT,
        env=life.environment | {"PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert ("recours_attempts is kept by month now" in done.stdout) is not was_by_month
    assert attempts(service) == attempts_before
    if predecessor.may_go_on:
        life.live(predecessor.root, 1, only=HOURS)
        assert len(attempts(service)) > len(attempts_before)
    life.live(ROOT, 1, only=HOURS)
    assert set(life.statuses) == {0}, life.said[-20:]
    assert len(attempts(service)) > len(attempts_before)
    assert_none_is_lost(service, attempts_before, counts_before)
    assert_nothing_is_done_twice(life)
