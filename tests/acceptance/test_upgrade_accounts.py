"""The version before clients had accounts is upgraded, or works on beside this one."""

import pytest

from recours.sandbox.server import DEFAULT_ACCOUNT
from tests.acceptance.versions_before import (
    CARRIERS,
    FROM_HISTORY,
    LAST,
    ROOT,
    Life,
    Predecessor,
    assert_nothing_is_done_twice,
    attempts,
)

pytestmark = [
    FROM_HISTORY,
    pytest.mark.parametrize("predecessor", [LAST], indirect=True, ids=lambda commit: commit[:7]),
]
# Hours after the installation: claims are due, or an account is tried once more.
_REFUSED = (31, 32, 40)
_CLOSED, _OPEN = (49, 55, 62), (73, 74)


def test_refusals_and_pauses_hold_after_the_upgrade(life: Life, predecessor: Predecessor) -> None:
    service, box = life.service, life.service.box
    life.live(predecessor.root, 1, only={1, 2, 7, 8})
    accounts, box.accounts = box.accounts, {DEFAULT_ACCOUNT: "not the house's"}
    life.live(predecessor.root, 1, only=_REFUSED)
    service.sql(
        "UPDATE recours_carriers SET stopped_at = ?, stopped_why = 'strike' WHERE carrier = 'fedex'",
        f"{service.clock.now():%Y-%m-%d %H:%M:%S}",
    )
    known = "SELECT carrier, refusals, refused_until, refusal, refusal_kind FROM {} WHERE refusals > 0 ORDER BY carrier"
    refused = service.sql(known.format("recours_carriers"))
    assert {(carrier, refusals) for carrier, refusals, *_ in refused} == {(name, 3) for name in CARRIERS}

    box.accounts = accounts
    before = len(box.calls)
    life.live(ROOT, 1, only=_CLOSED)
    assert len(box.calls) == before
    assert service.sql(known.format("recours_account_state")) == refused
    life.live(ROOT, 1, only=_OPEN)
    assert {call.carrier for call in box.calls[before:]} == {*CARRIERS} - {"fedex"}
    assert {carrier for carrier, *_ in service.sql(known.format("recours_account_state"))} == {"fedex"}
    assert set(life.statuses) == {0}, life.said[-20:]


def test_the_version_before_asks_with_the_account_of_the_house_for_clients_that_have_their_own(
    life: Life, predecessor: Predecessor
) -> None:
    """It knows no others: see "Two versions on one database" in docs/connect.md."""
    service = life.service
    life.live(ROOT, 1)
    service.sql(
        "INSERT INTO recours_client_accounts (id, client_id, carrier, added_at, added_by, changed_at, is_applied)"
        " VALUES (17, 1, 'chronopost', ?, 'operator', ?, ?)",
        *("2026-02-02 10:00:00", "2026-02-02 10:00:00", True),
    )
    service.sql("UPDATE claims SET pod_carrier_key = 'chronopost#17' WHERE carrier = 'chronopost'")
    attempts_before = attempts(service)
    life.live(predecessor.root, 2)
    assert set(life.statuses) == {0}, life.said[-20:]
    asked = [call.account for call in service.box.calls if call.carrier == "chronopost" and call.account]
    assert set(asked) == {DEFAULT_ACCOUNT}
    assert len(attempts(service)) > len(attempts_before)
    assert_nothing_is_done_twice(life)
