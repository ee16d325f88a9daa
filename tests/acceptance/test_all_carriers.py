"""One run over claims of all carriers; half of the carriers have problems, each a different one."""

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path

import pytest

from recours.carriers.registry import CATALOG
from recours.runs.leasing import thread_count
from recours.runs.worker import PODFetchWorker
from recours.sandbox import Sandbox, Scenario, SimulatedClock
from recours.settings.model import HttpLimits
from tests.acceptance.simulation import JOINED, Service
from tests.fakes.hostile import AnyStep, Attack

S = Scenario
EACH = 50
UNDER_WAY = (
    thread_count(4) - 1
)  # claims in progress besides the one that reveals an outage, at the default of four calls
OUT_OF_ORDER: dict[str, AnyStep] = {
    "chronopost": S.MAINTENANCE,
    "dhl_express": Attack.SLOW,
    "gls": S.DELIVERED,
}
WITHOUT_DOCUMENTS = {key for key, spec in CATALOG.specs.items() if not spec.issues_documents}
WELL = {*CATALOG.specs} - {*OUT_OF_ORDER} - WITHOUT_DOCUMENTS - {"ups", "dhl"}


def closed_port() -> int:
    """A port without a listener."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    clock = SimulatedClock()
    with Sandbox(now=clock.now) as box:
        service = Service(
            tmp_path,
            box,
            clock,
            UPS_CLIENT_SECRET="mistyped",
            GLS_BASE_URL=f"http://127.0.0.1:{closed_port()}",
        )
        service.http = HttpLimits(read_s=4)
        yield service
        service.close()


def add_claims(service: Service) -> None:
    for _ in range(EACH):
        for key, spec in CATALOG.specs.items():
            scenario = {**OUT_OF_ORDER, "dhl": S.RATE_LIMITED}.get(key, S.DELIVERED)
            service.add(scenario, carrier=spec.name)


def by_carrier(service: Service, what: str) -> dict[str, int]:
    rows = service.sql(f"SELECT lane, count(*) FROM {JOINED} WHERE {what} GROUP BY 1")
    return dict(rows)


def test_a_failing_carrier_does_not_affect_the_others(service: Service) -> None:
    add_claims(service)
    report = service.run(batch_size=10_000)
    calls = Counter(call.carrier for call in service.box.calls)

    # The healthy carriers: every document is stored, and no call was repeated.
    assert by_carrier(service, "pod_fetch_status = 'success'") == dict.fromkeys(WELL, EACH)
    assert calls["colissimo"] == 3 * EACH
    assert (
        calls["fedex"] == 1 + ceil(EACH / 30) + EACH
    )  # one token, one tracking call for 30 parcels, one document call each
    assert calls["dpd"] == EACH
    # Carriers without documents report this once per claim.
    never = by_carrier(service, "kind = 'pod_never_available'")
    assert never == dict.fromkeys(WITHOUT_DOCUMENTS, EACH)
    assert (calls["laposte"], calls["mondial_relay"]) == (
        ceil(EACH / 10),
        EACH,
    )  # La Poste tracks ten parcels with one call

    # A rejected account and a rate limit cost one call each and no attempt. An unreachable carrier costs no attempt
    # either.
    assert (calls["ups"], calls["dhl"]) == (1, 1)
    used = by_carrier(service, "pod_retry_count > 0 AND pod_fetch_status = 'failed'")
    assert used == dict.fromkeys(WITHOUT_DOCUMENTS, EACH) | {"chronopost": 3, "dhl_express": 3}
    # An outage costs the three attempts that revealed it and the calls in progress. One call is repeated where that
    # may help.
    assert 3 <= calls["chronopost"] <= 2 * (3 + UNDER_WAY)
    assert 3 <= calls["dhl_express"] <= 3 + UNDER_WAY
    assert calls["gls"] == 0

    stats = report.stats
    assert (stats.success, stats.failed) == (len(WELL) * EACH, len(WITHOUT_DOCUMENTS) * EACH + 6)
    assert stats.skipped_rate_limit == EACH
    assert stats.skipped_carrier == EACH + 2 * (EACH - 3) + EACH
    assert report.exit_status == 0


@pytest.mark.parametrize(
    "carrier", [spec.key for spec in CATALOG.specs.values() if spec.numbers_per_call > 1]
)
def test_an_outage_uses_one_attempt_however_many_claims_share_a_call(carrier: str, tmp_path: Path) -> None:
    clock = SimulatedClock()
    with Sandbox(now=clock.now) as box:
        service = Service(tmp_path, box, clock)
        for _ in range(EACH):
            service.add(S.MAINTENANCE, carrier=CATALOG.specs[carrier].name)
        report = service.run(batch_size=EACH, concurrency=1)
        assert (report.stats.failed, report.stats.skipped_carrier) == (1, EACH - 1)
        assert by_carrier(service, "pod_retry_count > 0") == {carrier: 1}
        service.close()


NEW = {"pod_fetch_status": "pending", "pod_fetch_error": None}


def test_amazon_delivery_facts_are_stored_with_a_photo_and_without_one(
    make: Callable[..., Service],
) -> None:
    service = make()
    for scenario in (S.DELIVERED, S.POD_NEVER):
        service.add(scenario, carrier="Amazon Shipping", **NEW)
    service.run(PODFetchWorker)
    look = "SELECT kind, media_type, signatory, place, path FROM recours_evidence ORDER BY claim_id"
    photo, record = service.sql(look)
    place = "59000 LILLE FR (50.62925, 3.05726)"
    assert photo[:4] == ("photo", "image/jpeg", "DUPONT", place)
    assert record[:4] == ("record", "application/json", "DUPONT", place)
    facts = json.loads(Path(record[4]).read_text(encoding="utf-8"))
    assert (facts["status"], facts["place"]) == ("Delivered, Signed", place)
