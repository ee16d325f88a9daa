"""One parcel is not the account, nor an account one parcel: real runs against carriers that mix them up."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from recours.carriers.chronopost import SPEC, Chronopost
from recours.carriers.dhl import Dhl
from recours.carriers.registry import CATALOG
from recours.carriers.ups import Ups
from recours.cli.carriers import command
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.runs.workers import PODFetchWorker
from recours.sandbox import Parcel, Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import FAILED_AT, JOINED, Service

S = Scenario
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(FAILED_AT + 2 * HOUR)


def first(service: Service, *steps: Scenario, **columns: Any) -> int:
    """A claim that is the most urgent of all."""
    return service.add(*steps, response_deadline="2026-02-03", **columns)


def checks(sandbox: Sandbox) -> int:
    """How often the sample number was asked about."""
    return sum(call.number == SPEC.sample_number for call in sandbox.calls)


def used(service: Service) -> list[int]:
    """The claims of which an attempt was used up in vain."""
    rows = service.sql(
        "SELECT DISTINCT claim_id FROM recours_attempts WHERE used AND outcome = 'failed' ORDER BY 1"
    )
    return [claim for (claim,) in rows]


def account(service: Service) -> list[tuple[Any, ...]]:
    return service.sql("SELECT refusals, refusal_kind, refused_claim FROM recours_account_state")


def told(service: Service) -> list[tuple[Any, ...]]:
    """What the operator and clients are told of, but for proofs that came."""
    return service.sql(
        "SELECT event, audience, carrier FROM recours_events WHERE event <> 'pod_retrieved' ORDER BY carrier"
    )


def statuses(service: Service) -> dict[str, int]:
    return dict(service.sql("SELECT pod_fetch_status, count(*) FROM claims GROUP BY 1"))


# ---------------------------------------------------------------- credentials refused for one parcel


def test_a_parcel_for_which_the_password_is_refused_closes_nothing(
    make: Callable[..., Service], sandbox: Sandbox
) -> None:
    service = make()
    poisoned = first(service, S.AUTH_REFUSED, pod_fetch_status="pending")
    for _ in range(8):
        service.add(S.DELIVERED, pod_fetch_status="pending")
    report = service.run(PODFetchWorker, concurrency=1)  # else another parcel's document may come first
    assert (report.stats.success, report.stats.failed, report.stats.skipped_carrier) == (8, 1, 0)
    assert (used(service), checks(sandbox)) == ([poisoned], 1)
    [(kind, error)] = service.sql(f"SELECT kind, pod_fetch_error FROM {JOINED} WHERE id = ?", poisoned)
    assert (kind, error.startswith("Accès refusé à ce colis : ")) == ("access_denied", True)
    assert (account(service), told(service)) == ([], [])


def test_an_acceptance_earlier_in_the_run_saves_the_check(
    make: Callable[..., Service], sandbox: Sandbox
) -> None:
    service = make()
    first(service, S.DELIVERED)
    poisoned = service.add(S.AUTH_REFUSED)
    assert service.run(concurrency=1).stats.success == 1
    assert (used(service), checks(sandbox)) == ([poisoned], 0)


def test_an_acceptance_by_an_earlier_run_counts_for_nothing(
    make: Callable[..., Service], sandbox: Sandbox
) -> None:
    service = make()
    first(service, S.DELIVERED)
    service.run()
    sandbox.accounts = {"10000001": "changed"}
    service.add(S.DELIVERED)
    service.run()
    assert (checks(sandbox), used(service), account(service)) == (1, [], [(1, "auth_failed", None)])


def test_without_a_call_for_the_check_it_is_the_account_but_never_twice_by_the_same_claim(
    make: Callable[..., Service], sandbox: Sandbox, clock: SimulatedClock
) -> None:
    service = make(QUOTA_CHRONOPOST="2/day")
    poisoned = first(service, S.AUTH_REFUSED)
    service.run()
    assert (checks(sandbox), used(service)) == (0, [])
    assert account(service) == [(1, "auth_failed", poisoned)]
    for _ in range(6):
        service.add(S.DELIVERED)
    service.environment["QUOTA_CHRONOPOST"] = "100/day"
    clock.advance(HOUR)
    asked = len(sandbox.calls)
    report = service.run()
    assert sandbox.calls[asked].number == SPEC.sample_number, (
        "the refused claim is not what tries the account"
    )
    assert (report.stats.success, used(service)) == (6, [poisoned])
    assert account(service) == [(0, None, poisoned)]


def test_where_no_call_is_ever_left_for_a_check_one_claim_does_not_close_the_account_again(
    make: Callable[..., Service], clock: SimulatedClock
) -> None:
    service = make(QUOTA_CHRONOPOST="2/day")
    poisoned = first(service, S.AUTH_REFUSED)
    service.run()
    service.sql("UPDATE recours_account_state SET refusals = 0, refused_until = NULL")  # accepted meanwhile
    service.sql("UPDATE recours_quota SET taken = 1")  # one call is left, and it is known to be delivered
    clock.advance(HOUR)
    service.run()
    assert used(service) == [poisoned]
    assert account(service)[0][0] == 0


def test_a_wrong_password_is_tried_with_one_call_after_each_pause(
    make: Callable[..., Service], sandbox: Sandbox, clock: SimulatedClock
) -> None:
    service = make(CHRONOPOST_PASSWORD="000000")
    for _ in range(5):
        service.add(S.DELIVERED)
    service.run()
    calls = [_presented(sandbox)]
    for wait in (1, 6, 24):
        clock.advance(wait * HOUR)
        service.run()
        calls.append(_presented(sandbox) - sum(calls))
    assert calls == [2, 1, 1, 1]  # the first time with a check
    assert len(sandbox.calls) - sum(calls) <= 5, "no parcel is tracked twice, which needs no password"
    assert (used(service), account(service)) == ([], [(4, "auth_failed", None)])


def _presented(sandbox: Sandbox) -> int:
    """How many calls presented our account."""
    return sum(call.operation == "searchPOD" for call in sandbox.calls)


# ---------------------------------------------------------------- an account without a right


def without_right(monkeypatch: pytest.MonkeyPatch, *, numbers: frozenset[str] | None = None) -> None:
    """The carriers know our account, and deny it what is asked (None: about every number)."""
    calls = (
        (Chronopost, "fetch_proof"),
        (Chronopost, "check_credentials"),
        (Ups, "fetch_proof"),
        (Ups, "track"),
        (Dhl, "track"),
    )
    for client, call in calls:
        really = getattr(client, call)

        def denied(self: Any, *asked: Any, really: Any = really) -> Any:
            answer = really(self, *asked)
            if numbers is not None and asked[0] not in numbers:
                return answer
            return Failure(ErrorKind.ACCOUNT_DENIED, f"{self.spec.name} denies our account a right", 403)

        monkeypatch.setattr(client, call, denied)


def test_an_account_that_lacks_a_right_costs_one_call_a_carrier_and_no_attempt(
    make: Callable[..., Service], sandbox: Sandbox, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_right(monkeypatch)
    service = make(RECOURS_NOTIFY_PERSISTENT="at-once")
    carriers = ("Chronopost", "UPS", "DHL")
    for place in range(40):
        service.add(S.DELIVERED, carrier=carriers[place % 3], response_deadline="2026-02-03")
    report = service.run(batch_size=40)
    assert (report.stats.total, report.stats.skipped_carrier, report.exit_status) == (0, 40, 0)
    asked = Counter((call.carrier, call.operation) for call in sandbox.calls)
    at_once = 4 + 2  # calls, and fetches that wait meanwhile
    assert asked.pop(("chronopost", "trackSkybillV2")) <= at_once  # which presents no account
    assert max(asked.values()) == 1, "one claim's calls for each carrier"
    assert {carrier for carrier, _ in asked} == {"chronopost", "dhl", "ups"}
    assert used(service) == []
    assert told(service) == [("account_fault", "operator", key) for key in ("chronopost", "dhl", "ups")]
    kinds = service.sql("SELECT carrier, refusals, refusal_kind FROM recours_account_state ORDER BY carrier")
    assert kinds == [(key, 1, "account_denied") for key in ("chronopost", "dhl", "ups")]
    # All processes leave it alone for an hour, then six; each time one claim is asked about.
    calls = len(sandbox.calls)
    service.run(batch_size=40)
    assert len(sandbox.calls) == calls
    clock.advance(HOUR)
    service.run(batch_size=40)
    refusals = service.sql("SELECT refusals FROM recours_account_state ORDER BY carrier")
    assert refusals == [(2,), (2,), (2,)]
    assert used(service) == []
    assert service.sql("SELECT count(*) FROM recours_mails WHERE client_id IS NOT NULL") == [(0,)]
    # The right is granted: the next try that is due fetches all of them.
    monkeypatch.undo()
    clock.advance(7 * HOUR)
    assert service.run(batch_size=40).stats.success == 40


def test_what_the_real_carriers_say_of_a_missing_right_settles_no_claim(
    make: Callable[..., Service], sandbox: Sandbox
) -> None:
    service = make(RECOURS_NOTIFY_PERSISTENT="at-once")
    # Chronopost has no such answer, and GLS refuses documents alone.
    specs = [spec for spec in CATALOG.specs.values() if spec.key not in ("chronopost", "gls")]
    for place in range(40):
        service.add(S.ACCOUNT_DENIED, carrier=specs[place % len(specs)].name)
    report = service.run(batch_size=100)
    assert (report.stats.total, report.stats.skipped_carrier, report.exit_status) == (0, 40, 0)
    assert (used(service), [row[0] for row in told(service)]) == ([], ["account_fault"] * len(specs))
    asked: dict[str, set[str]] = {}
    for call in sandbox.calls:
        # Where a call tracks several parcels, the first of them is the one that goes on.
        asked.setdefault(call.carrier, set()).update({call.number.partition(",")[0]} - {""})
    assert {carrier: len(numbers) for carrier, numbers in asked.items()} == {spec.key: 1 for spec in specs}


def test_one_claim_for_which_a_right_is_denied_closes_the_account_once_at_most(
    make: Callable[..., Service], clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make()
    poisoned = first(service, S.DELIVERED)
    [(number,)] = service.sql("SELECT tracking_number FROM claims")
    without_right(monkeypatch, numbers=frozenset({number}))
    for _ in range(5):
        service.add(S.DELIVERED)
    service.run(batch_size=3, concurrency=1)
    assert account(service) == [(1, "account_denied", poisoned)]
    clock.advance(HOUR)
    assert service.run().stats.success == 5
    assert used(service) == []
    for _ in range(5):
        service.add(S.DELIVERED)
    clock.advance(HOUR)
    assert service.run().stats.success == 5
    assert service.sql("SELECT pod_fetch_status, pod_retry_count FROM claims WHERE id = ?", poisoned) == [
        ("failed", 0)
    ]


def test_carriers_check_tells_that_the_account_is_denied_and_lifts_the_refusal_once_it_is_not(
    make: Callable[..., Service], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = make(RECOURS_LOG_DIR=str(tmp_path / "logs"))
    service.add(S.DELIVERED, carrier="UPS")
    sandbox.parcels[CATALOG.specs["ups"].sample_number] = Parcel((S.UNKNOWN,))
    with monkeypatch.context() as denying:
        without_right(denying)
        service.run()
        denied = typed(service, monkeypatch, "check", "UPS")
    assert denied.exit_code == 1
    assert "UPS denies our account a right (credentials from the environment)" in denied.output
    assert "Ask UPS to enable it" in denied.output
    [(refusals, kind)] = service.sql("SELECT refusals, refusal_kind FROM recours_account_state")
    assert (refusals, kind) == (2, "account_denied"), "it stays closed"
    shown = typed(service, monkeypatch)
    assert "UPS denies our account a right" in shown.output
    granted = typed(service, monkeypatch, "check", "UPS")
    assert granted.exit_code == 0, granted.output
    assert "The pause that a refusal had left is lifted." in granted.output
    assert service.sql("SELECT refusals FROM recours_account_state") == [(0,)]


def typed(service: Service, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    """`recours carriers` in this process, where a carrier's client can be replaced."""
    with monkeypatch.context() as settings:
        for name, value in service.environment.items():
            settings.setenv(name, value)
        return CliRunner().invoke(command, list(words))
