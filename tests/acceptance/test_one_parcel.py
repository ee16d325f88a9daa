"""A problem of one parcel is distinguished from one of the account: real runs against carriers that confuse them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from recours.carriers.chronopost import SPEC
from recours.carriers.registry import CATALOG
from recours.runs.worker import PODFetchWorker
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from tests.acceptance.simulation import JOINED, Service

S = Scenario
HOUR = timedelta(hours=1)


def first(service: Service, *steps: Scenario, **columns: Any) -> int:
    """The most urgent claim of all."""
    return service.add(*steps, response_deadline="2026-02-03", **columns)


def checks(sandbox: Sandbox) -> int:
    """How often the sample number was requested."""
    return sum(call.number == SPEC.sample_number for call in sandbox.calls)


def used(service: Service) -> list[int]:
    """The claims that lost an attempt without a result."""
    rows = service.sql(
        "SELECT DISTINCT claim_id FROM recours_attempts WHERE used AND outcome = 'failed' ORDER BY 1"
    )
    return [claim for (claim,) in rows]


def account(service: Service) -> list[tuple[Any, ...]]:
    return service.sql("SELECT refusals, refusal_kind, refused_claim FROM recours_account_state")


def notices(service: Service) -> list[tuple[Any, ...]]:
    """The notifications to operator and clients, except about received proofs."""
    return service.sql(
        "SELECT event, audience, carrier FROM recours_events WHERE event <> 'pod_retrieved' ORDER BY carrier"
    )


# ---------------------------------------------------------------- credentials refused for one parcel


def test_a_parcel_whose_calls_reject_the_password_pauses_nothing(
    make: Callable[..., Service], sandbox: Sandbox
) -> None:
    service = make()
    poisoned = first(service, S.AUTH_REFUSED, pod_fetch_status="pending")
    for _ in range(8):
        service.add(S.DELIVERED, pod_fetch_status="pending")
    report = service.run(
        PODFetchWorker, concurrency=1
    )  # otherwise another parcel's document may be received first
    assert (report.stats.success, report.stats.failed, report.stats.skipped_carrier) == (8, 1, 0)
    assert (used(service), checks(sandbox)) == ([poisoned], 1)
    [(kind, error)] = service.sql(f"SELECT kind, pod_fetch_error FROM {JOINED} WHERE id = ?", poisoned)
    assert kind == "access_denied"
    assert error.startswith("Chronopost accepte notre compte, mais refuse l'accès à ce colis : ")
    assert (account(service), notices(service)) == ([], [])


def test_a_wrong_password_gets_one_call_after_each_pause(
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
    """How many calls used our account."""
    return sum(call.operation == "searchPOD" for call in sandbox.calls)


# ---------------------------------------------------------------- an account without a right


def test_real_answers_about_a_missing_account_right_settle_no_claim(
    make: Callable[..., Service], sandbox: Sandbox
) -> None:
    service = make(RECOURS_NOTIFY_PERSISTENT="at-once")
    # Chronopost has no such answer, and GLS refuses only documents.
    specs = [spec for spec in CATALOG.specs.values() if spec.key not in ("chronopost", "gls")]
    for place in range(40):
        service.add(S.ACCOUNT_DENIED, carrier=specs[place % len(specs)].name)
    report = service.run(batch_size=100)
    assert (report.stats.total, report.stats.skipped_carrier, report.exit_status) == (0, 40, 0)
    assert (used(service), [row[0] for row in notices(service)]) == ([], ["account_fault"] * len(specs))
    callers: dict[str, set[str]] = {}
    for call in sandbox.calls:
        # If one call tracks several parcels, the first of them continues.
        callers.setdefault(call.carrier, set()).update({call.number.partition(",")[0]} - {""})
    assert {carrier: len(numbers) for carrier, numbers in callers.items()} == {spec.key: 1 for spec in specs}
