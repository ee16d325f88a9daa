"""Answers that look like a delivery and are none of the claim's parcel, through whole runs of the scheduler."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from recours.database.engine import Database
from recours.sandbox import Sandbox, SimulatedClock
from recours.sandbox.answers import Answer, HttpRequest
from recours.settings.model import Settings
from tests.one_run import run_once
from tests.own_rows import joined_rows

AT = "2026-01-30T10:31:00"
SIGNED = {"proofOfDelivery": {"timestamp": AT, "signed": {"name": "DUPONT"}}}


def dhl(number: str, *events: tuple[str, str], flag: bool = False) -> Any:
    listed = [
        {"statusCode": code, "description": words, "timestamp": f"2026-01-2{n}T09:00:00"}
        for n, (code, words) in enumerate(events)
    ]
    status = {"statusCode": "delivered", "description": "Livré", "timestamp": AT}
    shipment = {"id": number, "status": status, "returnFlag": flag, "details": SIGNED, "events": listed[::-1]}
    return {"shipments": [shipment]}


def gls(requested: str, status: str, unitno: str) -> dict[str, Any]:
    return {"requested": requested, "unitno": unitno, "status": status, "statusDateTime": f"{AT}+0100"}


CASES: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "a return in words": (
        "dhl",
        lambda number: dhl(number, ("transit", "En cours"), ("transit", "Retour à l'expéditeur")),
        "returned_to_sender",
    ),
    "a return by its flag": ("dhl", lambda number: dhl(number, flag=True), "returned_to_sender"),
    "another shipment": ("dhl", lambda _: dhl("JJD9999999999"), "bad_response"),
    "another parcel": ("gls", lambda _: {"parcels": [gls("99999999999", "DELIVERED", "9")]}, "bad_response"),
    "a part": (
        "gls",
        lambda number: {
            "parcels": [gls(number, "DELIVERED", "90000000001"), gls(number, "INDELIVERY", "90000000002")]
        },
        "not_delivered_yet",
    ),
}


@pytest.mark.parametrize(("carrier", "body_of", "error"), CASES.values(), ids=CASES.keys())
def test_a_delivery_that_is_not_the_claims_is_no_success(
    database: Database,
    url: str,
    sandbox: Sandbox,
    clock: SimulatedClock,
    settings_of: Callable[..., Settings],
    add_claims: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    carrier: str,
    body_of: Callable[[str], Any],
    error: str,
) -> None:
    number = sandbox.example(carrier, "00", 1)
    add_claims(database, [{"carrier": carrier, "tracking_number": number}])
    answer = sandbox.answer

    def tracked(request: HttpRequest) -> Answer:
        usual = answer(request)
        is_tracking = "/track" in request.path and "farm" not in request.path
        body = json.dumps(body_of(number)).encode()
        return Answer(200, body, "application/json") if is_tracking else usual

    monkeypatch.setattr(sandbox, "answer", tracked)
    run_once(settings_of(url, sandbox, **sandbox.environment(carrier)), clock)
    (claim,) = joined_rows(database)
    assert (claim["kind"], claim["pod_fetch_status"], claim["pod_url"]) == (error, "failed", None)
    assert claim["known_delivery"] is None
