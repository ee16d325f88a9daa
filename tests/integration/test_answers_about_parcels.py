"""Answers that look like a delivery and are none of the claim's parcel, through whole runs of the scheduler."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.database.engine import Database
from recours.runs.retry import PODRetryScheduler
from recours.runs.worker import Options
from recours.sandbox import Sandbox, SimulatedClock
from recours.sandbox.answers import Answer, HttpRequest
from recours.settings.loading import load
from recours.wiring.databases import open_database
from recours.wiring.workers import make_worker
from tests.own_rows import joined_rows

AT = "2026-01-30T10:31:00"
SIGNED = {"proofOfDelivery": {"timestamp": AT, "signed": {"name": "DUPONT"}}}


def dhl(number: str, *events: tuple[str, str], flag: bool = False) -> Any:
    told = [
        {"statusCode": code, "description": words, "timestamp": f"2026-01-2{n}T09:00:00"}
        for n, (code, words) in enumerate(events)
    ]
    status = {"statusCode": "delivered", "description": "Livré", "timestamp": AT}
    shipment = {"id": number, "status": status, "returnFlag": flag, "details": SIGNED, "events": told[::-1]}
    return {"shipments": [shipment]}


def gls(requested: str, status: str, unitno: str) -> dict[str, Any]:
    return {"requested": requested, "unitno": unitno, "status": status, "statusDateTime": f"{AT}+0100"}


CASES: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "a return in words": (
        "dhl",
        lambda n: dhl(n, ("transit", "En cours"), ("transit", "Retour à l'expéditeur")),
        "returned_to_sender",
    ),
    "a return by its flag": ("dhl", lambda n: dhl(n, flag=True), "returned_to_sender"),
    "another shipment": ("dhl", lambda _: dhl("JJD9999999999"), "bad_response"),
    "another parcel": ("gls", lambda _: {"parcels": [gls("99999999999", "DELIVERED", "9")]}, "bad_response"),
    "a part": (
        "gls",
        lambda n: {"parcels": [gls(n, "DELIVERED", "90000000001"), gls(n, "INDELIVERY", "90000000002")]},
        "not_delivered_yet",
    ),
}


@pytest.mark.parametrize(("carrier", "told", "error"), CASES.values(), ids=CASES.keys())
def test_a_delivery_that_is_not_the_claims_is_no_success(
    database: Database,
    url: str,
    sandbox: Sandbox,
    clock: SimulatedClock,
    tmp_path: Path,
    add_claims: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    carrier: str,
    told: Callable[[str], Any],
    error: str,
) -> None:
    number = sandbox.example(carrier, "00", 1)
    add_claims(database, [{"carrier": carrier, "tracking_number": number}])
    answer = sandbox.answer

    def recorded(request: HttpRequest) -> Answer:
        usual = answer(request)
        is_tracking = "/track" in request.path and "farm" not in request.path
        body = json.dumps(told(number)).encode()
        return Answer(200, body, "application/json") if is_tracking else usual

    monkeypatch.setattr(sandbox, "answer", recorded)
    settings = load(tmp_path, {"DATABASE_URL": url} | sandbox.environment(carrier), CATALOG)
    opened = open_database(settings)
    try:
        options = Options(batch_size=5, concurrency=1)
        make_worker(PODRetryScheduler, settings, opened, options, clock=clock).run()
    finally:
        opened.database.close()
    (claim,) = joined_rows(database)
    assert (claim["kind"], claim["pod_fetch_status"], claim["pod_url"]) == (error, "failed", None)
    assert claim["known_delivery"] is None
