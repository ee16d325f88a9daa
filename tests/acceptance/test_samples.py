"""Claims that gave up are asked about once more with calls that nobody needs, where that is switched on."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from recours.operations.status import Rate
from recours.runs.fetch import PODFetchWorker
from recours.runs.ports import Lease
from recours.runs.recorder import Recorder
from recours.runs.retry import PODRetryScheduler
from recours.runs.summary import Report
from recours.runs.worker import Options, Worker
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from recours.wiring.databases import Opened, open_database
from recours.wiring.one_claim import explanation_of
from recours.wiring.operations import operations_over
from recours.wiring.plan import plan_for
from recours.wiring.workers import make_worker
from tests.acceptance.person import Person
from tests.acceptance.simulation import FAILED_AT, Service
from tests.fakes.smtp import MailServer, text_of

S = Scenario
EVENING = datetime(2026, 2, 6, 22, 30, tzinfo=UTC)  # the last two hours of the day, in Paris too
LATE = [S.POD_LATE] * 4  # one for each retry


@pytest.fixture
def service(url: str, tmp_path: Path, smtp: MailServer) -> Iterator[Service]:
    clock = SimulatedClock(FAILED_AT + timedelta(minutes=1))
    settings = smtp.settings | {"ADMIN_EMAIL": "boss@shop.example", "RECOURS_WEEKLY_REPORT": "false"}
    with (
        Sandbox(now=clock.now) as box,
        closing(Service(tmp_path, box, clock, url=url, **settings)) as service,
    ):
        service.sql("INSERT INTO clients (id, email) VALUES (1, 'a@shop.example')")
        yield service


def give_up(service: Service, then: datetime = EVENING) -> None:
    """Runs until all retries of what failed at the beginning are used."""
    service.run_on_turns(103)
    service.clock.advance(then - service.clock.now())


def sample(service: Service, a_day: str = "chronopost:5", **options: Any) -> Report:
    service.environment["RECOURS_SAMPLES"] = a_day
    return service.run(PODFetchWorker, **options)


@pytest.fixture
def opened(service: Service) -> Iterator[Opened]:
    """The service's database, as a run has it open."""
    opened = open_database(service.settings)
    with closing(opened.database):
        yield opened


def worker_of(service: Service, opened: Opened) -> Worker:
    return make_worker(PODFetchWorker, service.settings, opened, Options(50), clock=service.clock)


def row(service: Service, claim: int) -> tuple[Any, ...]:
    (found,) = service.sql("SELECT * FROM claims WHERE id = ?", claim)
    return found


def samples(service: Service) -> list[tuple[int, str, str | None]]:
    rows = service.sql(
        "SELECT claim_id, outcome, error_kind, used, circumstances FROM recours_attempts ORDER BY id"
    )
    made = [found for found in rows if "sample" in str(found[4])]
    assert not any(used for _, _, _, used, _ in made)
    return [(claim, outcome, kind) for claim, outcome, kind, _, _ in made]


def calls(service: Service, claim: int) -> int:
    ((number,),) = service.sql("SELECT tracking_number FROM claims WHERE id = ?", claim)
    return len(service.box.calls_for(number))


def test_a_proof_that_comes_late_is_found_and_mailed(service: Service, smtp: MailServer) -> None:
    claim = service.add(*LATE, S.DELIVERED, client_id=1)
    give_up(service)
    assert service.sql("SELECT pod_stage, pod_retry_count FROM claims") == [("given_up", 4)]
    smtp.taken.clear()
    report = sample(service)
    look = "SELECT pod_fetch_status, pod_stage, pod_retry_count, pod_fetch_error, pod_lease_token FROM claims"
    assert service.sql(look) == [("success", None, 4, None, None)]
    ((path, signatory),) = service.sql("SELECT pod_url, pod_delivery_person FROM claims")
    assert Path(path).read_bytes().startswith(b"%PDF-")
    assert signatory == "DUPONT"
    assert samples(service) == [(claim, "success", None)]
    assert service.sql("SELECT claim_id, path FROM recours_documents") == [(claim, path)]
    ((to, message),) = smtp.taken
    assert (to, "CLM-0001" in text_of(message)) == ("a@shop.example", True)
    assert (report.stats.samples, report.stats.sampled_proofs, report.stats.total) == (1, 1, 0)
    assert {"Samples: 1", "Proofs by samples: 1"} <= set(report.lines())
    assert [report.as_json()[key] for key in ("samples", "sampled_proofs")] == [1, 1]
    assert "Chronopost" in report.usage
    assert sample(service).stats.samples == 0


def test_an_answer_without_a_proof_changes_nothing(service: Service, smtp: MailServer) -> None:
    claim = service.add(S.POD_LATE, client_id=1)
    give_up(service)
    smtp.taken.clear()
    before, called = row(service, claim), calls(service, claim)
    assert sample(service).stats.samples == 1
    assert row(service, claim) == before
    assert calls(service, claim) > called
    assert samples(service) == [(claim, "sampled", "pod_not_available_yet")]
    assert smtp.taken == []
    assert service.sql("SELECT count(*) FROM recours_leases") == [(0,)]


def test_samples_are_shown_apart(service: Service, url: str, opened: Opened) -> None:
    service.add(S.POD_LATE)
    found = service.add(*LATE, S.DELIVERED)
    give_up(service)
    sample(service)
    person = Person.of(service, url)
    *_, made = person.json("why", "CLM-0001")["attempts"]
    assert (made["outcome"], made["turn"], made["used"], made["is_sample"]) == ("sampled", 4, False, True)
    assert "sample" in person.does("why", "CLM-0001")
    *_, made = person.json("why", f"CLM-{found:04}")["attempts"]
    assert (made["outcome"], made["is_sample"]) == ("success", True)
    service.clock.advance(timedelta(minutes=1))
    operations = operations_over(service.settings, opened.database, opened.schema, service.clock)
    why = explanation_of(operations, "CLM-0001")
    assert why
    assert "unless as a sample with calls that no claim needs (RECOURS_SAMPLES)" in why.standing[0]
    seen = operations.overview_with_returns(days=5)
    (returns,) = seen.returns
    assert (returns.of_samples, returns.in_vain, returns.proofs) == (2, 5, 1)
    assert seen.success.by_retry[4] == Rate(success=1, failed=2)


def test_a_plan_foresees_none(service: Service, opened: Opened) -> None:
    service.add(S.POD_LATE)
    give_up(service)
    service.add(S.POD_LATE, failed_at=EVENING)
    for kind in (PODFetchWorker, PODRetryScheduler):
        service.run(kind)
    plans = []
    for a_day in ("", "chronopost:5"):
        service.environment["RECOURS_SAMPLES"] = a_day
        operations = operations_over(service.settings, opened.database, opened.schema, service.clock)
        plans.append(plan_for(operations, timedelta(hours=48)).as_json())
    assert plans[0] == plans[1]
    assert {one["claim"] for run in plans[0]["runs"] for one in run["claims"]} == {"CLM-0002"}


def test_no_query_is_made_by_default(service: Service, opened: Opened) -> None:
    service.add(S.POD_LATE)
    give_up(service)
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        worker_of(service, opened).run()
        by_default = len(seen)
        service.environment["RECOURS_SAMPLES"] = "ups:1"
        worker_of(service, opened).run()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert "recours_leases" not in "".join(seen[:by_default])
    assert "recours_leases" in "".join(seen[by_default:])
    assert samples(service) == []


def test_so_many_a_day_and_no_claim_twice_before_the_others(service: Service) -> None:
    claims = [service.add(S.POD_LATE) for _ in range(4)]
    give_up(service)
    assert sample(service, "chronopost:2").stats.samples == 2
    service.clock.advance(timedelta(minutes=20))
    assert sample(service, "chronopost:2").stats.samples == 0
    assert sample(service, "chronopost:3").stats.samples == 1
    service.clock.advance(timedelta(days=1))
    assert sample(service, "chronopost:1").stats.samples == 1
    assert sorted(claim for claim, _, _ in samples(service)) == claims


def test_a_proof_counts_among_the_samples_of_its_day(service: Service) -> None:
    for _ in range(3):
        service.add(*LATE, S.DELIVERED)
    give_up(service)
    assert [sample(service, "chronopost:2").stats.samples for _ in range(2)] == [2, 0]


@pytest.mark.parametrize(
    ("error", "count"),
    [
        ("access_denied", 0),
        ("invalid_tracking", 0),
        ("unsupported_carrier", 0),
        ("pod_never_available", 1),
        ("not_found", 1),
        ("timeout", 1),
    ],
)
def test_some_answers_are_believed(service: Service, error: str, count: int) -> None:
    service.add(S.POD_LATE)
    give_up(service)
    service.sql("UPDATE claims SET pod_error_kind = ?", error)
    assert sample(service).stats.samples == count


@pytest.mark.parametrize(
    "change",
    [
        "status = 'paid'",
        "pod_fetch_status = 'manual'",
        "tracking_number = 'XY000000077FR'",
        "carrier = 'Pigeon'",
        "pod_lease_token = 'somebody', pod_lease_until = '2026-02-06 22:35:00'",
        "pod_interruptions = 3",
    ],
)
def test_claims_that_are_not_to_be_asked_about(service: Service, opened: Opened, change: str) -> None:
    claim = service.add(S.POD_LATE)
    give_up(service)
    service.sql(f"UPDATE claims SET {change}")
    called = calls(service, claim)
    service.environment["RECOURS_SAMPLES"] = "chronopost:5"
    worker = worker_of(service, opened)
    worker.open()
    worker.tidy()
    assert samples(service) == []
    assert calls(service, claim) == called


def test_evidence_that_is_gone_is_not_asked_for(service: Service) -> None:
    """UPS forgets a parcel after 120 days; of Chronopost nobody knows."""
    ups, chronopost = (service.add(S.POD_LATE, carrier=name) for name in ("UPS", "Chronopost"))
    give_up(service)
    service.sql("UPDATE claims SET created_at = ?", f"{EVENING - timedelta(days=121):%Y-%m-%d %H:%M:%S}")
    assert sample(service, "chronopost:5,ups:5").stats.samples == 1
    assert [claim for claim, _, _ in samples(service)] == [chronopost]
    service.sql("UPDATE claims SET created_at = ?", f"{EVENING - timedelta(days=119):%Y-%m-%d %H:%M:%S}")
    sample(service, "ups:5")
    assert [claim for claim, _, _ in samples(service)] == [chronopost, ups]


def test_claims_that_were_asked_about_long_ago_are_left_alone(service: Service) -> None:
    service.add(S.POD_LATE)
    give_up(service)
    service.clock.advance(timedelta(days=121))
    assert sample(service).stats.samples == 0


def test_none_is_made_while_more_claims_may_come(service: Service) -> None:
    service.environment["QUOTA_CHRONOPOST"] = "10/day@Europe/Paris"
    service.add(S.POD_LATE)
    give_up(service, EVENING - timedelta(hours=2))  # 21:30 in Paris
    assert sample(service).stats.samples == 0
    service.clock.advance(timedelta(minutes=30))
    assert sample(service).stats.samples == 1


def test_no_call_is_taken_from_others(service: Service) -> None:
    service.environment["QUOTA_CHRONOPOST"] = "14/day@Europe/Paris"
    claim = service.add(S.POD_LATE)
    give_up(service)
    called = calls(service, claim)
    for _ in range(2):
        service.add(S.DELIVERED, pod_fetch_status="pending", pod_fetch_error=None)
    sample(service, batch_size=1)
    assert calls(service, claim) == called  # one is still due
    sample(service)
    assert calls(service, claim) == called + 1  # the delivery is known: the document alone is asked for


def test_a_used_up_quota_leaves_the_claim_as_it_was(service: Service) -> None:
    claim = service.add(S.POD_LATE)
    give_up(service)
    service.environment["QUOTA_CHRONOPOST"] = "5/day@Europe/Paris"  # one was made today
    for _ in range(2):
        service.add(S.DELIVERED, pod_fetch_status="pending", pod_fetch_error=None)
    before = row(service, claim)
    report = sample(service)
    assert (report.exit_status, report.stats.success, samples(service)) == (0, 2, [])
    assert row(service, claim) == before


@pytest.mark.parametrize(
    ("scenario", "error"), [(S.RATE_LIMITED, "rate_limited"), (S.BAD_GATEWAY, "server_error")]
)
def test_a_carrier_that_refuses_is_asked_no_more(service: Service, scenario: Scenario, error: str) -> None:
    for _ in range(3):
        service.add(*LATE, scenario)
    give_up(service)
    assert sample(service).stats.samples == 1
    ((claim, *answer),) = samples(service)
    assert answer == ["sampled", error]
    look = "SELECT pod_stage, pod_retry_count FROM claims WHERE id = ?"
    assert service.sql(look, claim) == [("given_up", 4)]
    assert sample(service).stats.samples == (scenario is S.BAD_GATEWAY)  # a pause holds for all runs


def test_a_refused_account_is_presented_no_more(service: Service) -> None:
    for _ in range(3):
        service.add(S.POD_LATE)
    give_up(service)
    service.environment["CHRONOPOST_PASSWORD"] = "wrong"
    assert [sample(service).stats.samples for _ in range(2)] == [1, 0]
    assert [kind for _, _, kind in samples(service)] == ["auth_failed"]


def test_runs_at_the_same_time_make_no_more_samples(service: Service, opened: Opened) -> None:
    for _ in range(3):
        service.add(S.POD_LATE)
    give_up(service)
    now = service.clock.now()
    lease = Lease("another run", now + timedelta(minutes=10))
    others = worker_of(service, opened).deps.samples
    assert others
    assert others.lease_carrier("chronopost", lease, now)
    assert sample(service, "chronopost:2").stats.samples == 0
    service.clock.advance(timedelta(minutes=10))  # it died: what it leased is free
    assert sample(service, "chronopost:2").stats.samples == 2


def test_a_run_that_dies_leaves_a_lease_and_its_proof_is_found(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = service.add(*LATE, S.DELIVERED)
    give_up(service)
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "conclude_sample", lambda *_: 1 // 0)  # the document is stored by then
        with pytest.raises(ZeroDivisionError):
            sample(service)
    service.start_anew()
    called = calls(service, claim)
    look = "SELECT pod_fetch_status, pod_stage, pod_retry_count, pod_lease_until IS NULL FROM claims"
    assert service.sql(look) == [("failed", "given_up", 4, False)]
    assert sample(service).stats.samples == 0
    service.clock.advance(timedelta(minutes=11))
    assert sample(service).stats.sampled_proofs == 1
    assert service.sql(look) == [("success", None, 4, True)]
    assert calls(service, claim) == called
