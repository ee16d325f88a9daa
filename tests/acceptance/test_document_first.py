"""With `document first`, a new claim's document is requested before its parcel is tracked."""

from collections.abc import Callable
from typing import Any

import pytest

from recours.runs.worker import PODFetchWorker
from recours.sandbox import Scenario
from tests.acceptance.simulation import JOINED, Service

S = Scenario
NEW: dict[str, Any] = {"pod_fetch_status": "pending", "pod_fetch_error": None}


def calls(service: Service, claim: int) -> list[str]:
    """The calls to its carrier, in order."""
    ((number,),) = service.sql("SELECT tracking_number FROM claims WHERE id = ?", claim)
    return [call.operation for call in service.box.calls_for(number)]


def test_an_available_document_costs_one_call(make: Callable[..., Service]) -> None:
    service = make(CHRONOPOST_DOCUMENT_FIRST="true", DHL_EXPRESS_DOCUMENT_FIRST="true")
    available = [service.add(S.DELIVERED, carrier=name, **NEW) for name in ("Chronopost", "DHL Express")]
    tracked = service.add(S.DELIVERED, carrier="Colissimo", **NEW)
    service.run(PODFetchWorker)
    assert service.sql("SELECT DISTINCT pod_fetch_status FROM claims") == [("success",)]
    assert [len(calls(service, claim)) for claim in available] == [1, 1]
    assert len(calls(service, tracked)) == 3
    used = service.sql("SELECT carrier, calls FROM recours_attempts WHERE claim_id <= 2 ORDER BY carrier")
    assert used == [("chronopost", 1), ("dhl_express", 1)]


@pytest.mark.parametrize("scenario", [S.IN_TRANSIT, S.POD_LATE])
def test_after_a_refusal_the_next_attempt_tracks_the_parcel(
    make: Callable[..., Service], scenario: Scenario
) -> None:
    service = make(CHRONOPOST_DOCUMENT_FIRST="true")
    claim = service.add(scenario, **NEW)
    service.run(PODFetchWorker)
    look = f"SELECT pod_fetch_status, stage, kind, error_key, known_delivery FROM {JOINED}"
    assert service.sql(look) == [("failed", "waiting", "pod_not_available_yet", "proof_untracked", None)]
    assert calls(service, claim) == ["searchPOD"]
    service.run_hourly(2)
    assert calls(service, claim)[1] == "trackSkybillV2"
    ((kind,),) = service.sql("SELECT kind FROM recours_claims")
    assert kind == {S.IN_TRANSIT: "not_delivered_yet"}.get(scenario, "pod_not_available_yet")
