"""Answers that look like a delivery and are none of the claim's parcel, or look like none and are: one run of the scheduler."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from recours.database.engine import Database
from recours.database.tables import attempts
from recours.sandbox import Parcel, Sandbox, SimulatedClock
from recours.sandbox.answers import Answer, Question, SimulatedCarrier
from recours.sandbox.scenarios import Override, ParcelState
from recours.settings.model import Settings
from tests.conftest import START
from tests.one_run import run_once
from tests.own_rows import joined_rows

# The simulated parcels are delivered a day and two hours before; what is later than that is after their delivery.
LATER = START - timedelta(hours=1)
ISO, ZONE = LATER.isoformat(timespec="seconds"), "+00:00"
OLD = START - timedelta(days=60)

Change = Callable[[Any, str], Any]  # of the tree of an answer about this number; what it returns is the tree


def event(carrier: str, code: str, words: str = "Un événement", at: datetime = LATER) -> Any:
    """An event in the carrier's form."""
    iso = at.isoformat(timespec="seconds")
    forms: dict[str, Any] = {
        "colissimo": {"date": iso, "code": code, "labelLong": words},
        "laposte": {"date": iso, "code": code, "label": words},
        "ups": {
            "gmtDate": f"{at:%Y%m%d}",
            "gmtTime": f"{at:%H:%M:%S}",
            "status": {"statusCode": code, "description": words},
        },
        "dhl_express": {
            "date": f"{at:%Y-%m-%d}",
            "time": f"{at:%H:%M:%S}",
            "GMTOffset": "+00:00",
            "typeCode": code,
            "description": words,
        },
        "dhl": {"timestamp": iso, "statusCode": code, "description": words},
        "fedex": {"date": iso, "derivedStatusCode": code, "eventDescription": words},
        "gls": {"code": code, "description": words, "eventDateTime": iso},
        "dpd": f"<clsTrace><ScanDate>{at:%d.%m.%Y}</ScanDate><ScanTime>{at:%H:%M:%S}</ScanTime>"
        f"<StatusNumber>{code}</StatusNumber><StatusDescription>{words}</StatusDescription></clsTrace>",
        "chronopost": f"<events><code>{code}</code><eventDate>{iso}</eventDate><eventLabel>{words}</eventLabel></events>",
        "mondial_relay": f"<ret_WSI2_sub_TracingColisDetaille><Libelle>{words}</Libelle><Date>{at:%d/%m/%y}</Date>"
        f"<Heure>{at:%H:%M}</Heure></ret_WSI2_sub_TracingColisDetaille>",
    }
    return forms[carrier]


PATHS: dict[str, tuple[str | int, ...]] = {
    "colissimo": ("parcel",),
    "laposte": ("shipment",),
    "ups": ("trackResponse", "shipment", 0, "package", 0),
    "dhl_express": ("shipments", 0),
    "dhl": ("shipments", 0),
    "fedex": ("output", "completeTrackResults", 0, "trackResults", 0),
    "gls": ("parcels", 0),
}
EVENTS = {"colissimo": "event", "laposte": "event", "ups": "activity", "fedex": "scanEvents"}
# After which the carrier's XML has one more event.
LAST_IN_XML = {
    "chronopost": "</events>",
    "dpd": "</clsTrace>",
    "mondial_relay": "</ret_WSI2_sub_TracingColisDetaille>",
}


def parcel_of(tree: Any, carrier: str) -> Any:
    for step in PATHS[carrier]:
        tree = tree[step]
    return tree


def after(carrier: str, code: str, words: str = "Un événement", at: datetime = LATER, **facts: Any) -> Change:
    """One more event, and other facts of the parcel."""

    def change(tree: Any, _: str) -> Any:
        if carrier in LAST_IN_XML:
            head, last, rest = tree.rpartition(LAST_IN_XML[carrier])
            return head + last + event(carrier, code, words, at) + rest
        parcel = parcel_of(tree, carrier)
        events = parcel[EVENTS.get(carrier, "events")]
        place = len(events) if carrier == "dhl_express" else 0  # the others list the newest first
        events.insert(place, event(carrier, code, words, at))
        parcel.update(facts)
        return tree

    return change


def set_to(carrier: str, **facts: Any) -> Change:
    """Other facts of the parcel."""

    def change(tree: Any, _: str) -> Any:
        parcel_of(tree, carrier).update(facts)
        return tree

    return change


def twice(carrier: str, **facts: Any) -> Change:
    """An old delivery with the same number before the parcel that has it now, which is on its way."""

    def change(tree: Any, _: str) -> Any:
        *path, place = PATHS[carrier]
        parcels = tree
        for step in path:
            parcels = parcels[step]
        newer = json.loads(json.dumps(parcels[place]))
        newer[EVENTS.get(carrier, "events")] = [event(carrier, facts.pop("code", ""))]
        parcels.append(newer | facts)
        return tree

    return change


def replaced(*texts: tuple[str, str]) -> Change:
    """Other texts in XML."""

    def change(tree: Any, _: str) -> Any:
        for old, new in texts:
            assert old in tree
            tree = tree.replace(old, new)
        return tree

    return change


def gls_parts(tree: Any, number: str) -> Any:
    del tree
    part = {"requested": number, "statusDateTime": ISO}
    states = ("90000000001", "DELIVERED"), ("90000000002", "INDELIVERY")
    return {"parcels": [part | {"unitno": unit, "status": status} for unit, status in states]}


def error_of_laposte(code: int) -> Change:
    return lambda _, number: {"returnCode": code, "returnMessage": "Pas encore disponible", "idShip": number}


def ups_delivered_by(name: str) -> Change:
    def change(tree: Any, _: str) -> Any:
        parcel_of(tree, "ups")["deliveryInformation"]["receivedBy"] = name
        return tree

    return change


def numbered(carrier: str, name: str, text: Callable[[str], str]) -> Change:
    """The number of the parcel in the answer, written in another way."""

    def change(tree: Any, number: str) -> Any:
        parcel_of(tree, carrier)[name] = text(number)
        return tree

    return change


def another(number: str) -> str:
    return f"{number[:4]}{'9' * (len(number) - 4)}"


UNDER_WAY: dict[str, Any] = {"status": {"statusCode": "transit", "description": "En cours", "timestamp": ISO}}
BACK = "Retour à l'expéditeur"
DELIVERED, NOT_YET, RETURNED = None, "not_delivered_yet", "returned_to_sender"

# What the answer is, of which carrier, how it differs from that about a delivered parcel, the kind of error.
CASES: dict[str, tuple[str, Change, str | None]] = {
    # The number was given to another parcel after the delivery.
    "accepted again": ("colissimo", after("colissimo", "PCHCFM"), NOT_YET),
    "accepted again by the post": ("laposte", after("laposte", "PC1"), NOT_YET),
    "picked up again": ("dhl_express", after("dhl_express", "PU"), NOT_YET),
    "announced again": ("dhl", after("dhl", "pre-transit", **UNDER_WAY), NOT_YET),
    "scanned anew": ("chronopost", after("chronopost", "PC"), NOT_YET),
    "taken in anew": ("dpd", after("dpd", "10"), NOT_YET),
    "sent anew": ("mondial_relay", after("mondial_relay", "", "Prise en charge"), NOT_YET),
    "a pick-up after it": (
        "fedex",
        after("fedex", "PU", latestStatusDetail={"code": "PU"}, dateAndTimes=[]),
        NOT_YET,
    ),
    "a drop-off after it": ("ups", after("ups", "038", currentStatus={"code": "038"}), NOT_YET),
    "two shipments": ("dhl", twice("dhl", code="transit", **UNDER_WAY), NOT_YET),
    "two waybills": ("dhl_express", twice("dhl_express", code="PU"), NOT_YET),
    "two packages": ("ups", twice("ups", code="005", currentStatus={"code": "005"}), NOT_YET),
    "two results": (
        "fedex",
        twice("fedex", code="IT", latestStatusDetail={"code": "IT"}, dateAndTimes=[]),
        NOT_YET,
    ),
    "two parcels": ("gls", twice("gls", status="INTRANSIT", statusDateTime=ISO), NOT_YET),
    # The parcel is going, or has gone, back to its sender.
    "a return in words": (
        "dhl",
        after("dhl", "transit", BACK, START - timedelta(days=2)),
        RETURNED,
    ),
    "a return by its flag": ("dhl", set_to("dhl", returnFlag=True), RETURNED),
    "refused, then handed over": ("colissimo", after("colissimo", "RENAVA", at=OLD), RETURNED),
    "back by the post": ("laposte", set_to("laposte", contextData={"isParcelBack": True}), RETURNED),
    "a return to shipper": ("fedex", after("fedex", "RS", at=START - timedelta(days=2)), RETURNED),
    "a return of Mail Innovations": (
        "ups",
        after("ups", "EJ", at=START - timedelta(days=2)),
        RETURNED,
    ),
    "a delivery refused before": (
        "dhl_express",
        after("dhl_express", "RD", at=START - timedelta(days=2)),
        RETURNED,
    ),
    "a delivery refused after it": ("dhl_express", after("dhl_express", "RD"), NOT_YET),
    "sent back, then delivered": (
        "chronopost",
        after("chronopost", "R", at=START - timedelta(days=2)),
        RETURNED,
    ),
    "a return that is marked": (
        "dpd",
        replaced(("<Receiver>", "<IsRetour>true</IsRetour><Receiver>")),
        RETURNED,
    ),
    "a kind of return": (
        "dpd",
        replaced(("<Receiver>", "<RetourType>Refused</RetourType><Receiver>")),
        RETURNED,
    ),
    "back in words": ("gls", after("gls", "", BACK, START - timedelta(days=2)), RETURNED),
    "back at a relay": (
        "mondial_relay",
        replaced(("livré au destinataire", "retourné à l'expéditeur")),
        RETURNED,
    ),
    # A part, or another parcel.
    "a part": ("gls", gls_parts, NOT_YET),
    "pieces are missing": ("dhl_express", after("dhl_express", "PD"), NOT_YET),
    "another shipment": ("dhl", set_to("dhl", id="JJD9999999999"), "bad_response"),
    "another parcel": ("gls", set_to("gls", requested="99999999999", unitno="99999999998"), "bad_response"),
    "another colissimo": ("colissimo", numbered("colissimo", "parcelNumber", another), "bad_response"),
    "another letter": ("laposte", numbered("laposte", "idShip", another), "bad_response"),
    "another package": ("ups", numbered("ups", "trackingNumber", another), "bad_response"),
    "another waybill": (
        "dhl_express",
        numbered("dhl_express", "shipmentTrackingNumber", another),
        "bad_response",
    ),
    "another result": (
        "fedex",
        lambda tree, number: json.loads(json.dumps(tree).replace(number, another(number))),
        "bad_response",
    ),
    "another skybill": (
        "chronopost",
        lambda tree, number: tree.replace(number, another(number)),
        "bad_response",
    ),
    # The same parcel, though its number is written in another way.
    "in lower case": ("ups", numbered("ups", "trackingNumber", str.lower), DELIVERED),
    "with zeros in front": (
        "dhl_express",
        numbered("dhl_express", "shipmentTrackingNumber", "00{}".format),
        DELIVERED,
    ),
    "in groups": (
        "colissimo",
        numbered("colissimo", "parcelNumber", lambda text: f"{text[:2]} {text[2:]}"),
        DELIVERED,
    ),
    "a piece of freight": (
        "dhl",
        lambda tree, number: set_to(
            "dhl",
            id="JKG-HI-1",
            service="freight",
            details=parcel_of(tree, "dhl")["details"] | {"pieceIds": [f"00{number}"]},
        )(tree, number),
        DELIVERED,
    ),
    # Answers that tell of no parcel yet.
    "104": ("laposte", error_of_laposte(104), "not_found"),
    "105": ("laposte", error_of_laposte(105), "not_found"),
    "109": ("laposte", error_of_laposte(109), "not_found"),
    "an unknown number": ("mondial_relay", replaced(("<STAT>82</STAT>", "<STAT>99</STAT>")), "not_found"),
    # A delivery that nobody signed for.
    "left at the door": ("ups", ups_delivered_by("DRIVER RELEASE"), DELIVERED),
    "no signature": ("ups", ups_delivered_by("Signature not required."), DELIVERED),
}


def answering(change: Change, number: str) -> Override:
    def answer(carrier: SimulatedCarrier, question: Question, state: ParcelState) -> Answer:
        usual = carrier.answer(question, state)
        if not question.tracking:
            return usual
        text = usual.body.decode()
        is_json = text.startswith("{")
        changed = change(json.loads(text) if is_json else text, number)
        return replace(usual, body=(json.dumps(changed) if is_json else changed).encode())

    return answer


def test_a_delivery_counts_if_it_is_the_claims_own(
    database: Database,
    url: str,
    sandbox: Sandbox,
    clock: SimulatedClock,
    settings_of: Callable[..., Settings],
    add_claims: Callable[..., None],
) -> None:
    rows = []
    for serial, (carrier, change, _) in enumerate(CASES.values()):
        number = sandbox.example(carrier, "00", serial)
        sandbox.parcels[number] = Parcel((answering(change, number),))
        rows.append({"carrier": carrier, "tracking_number": number})
    add_claims(database, rows)
    run_once(settings_of(url, sandbox, **sandbox.environment()), clock)
    results = joined_rows(database)
    kinds = {name: row["kind"] for name, row in zip(CASES, results, strict=True)}
    assert kinds == {name: kind for name, (_, _, kind) in CASES.items()}
    for row in results:
        is_success = row["kind"] is None
        assert (row["pod_url"] is not None, row["pod_fetch_status"] == "success") == (is_success, is_success)
        assert is_success or row["known_delivery"] is None
    with database.read() as connection:
        assert set(connection.scalars(select(attempts.c.signatory))) == {None, "DUPONT"}
