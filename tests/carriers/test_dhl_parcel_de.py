"""The requests to DHL Parcel DE, and the meaning of each answer. The client and the simulator list the sources."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from xml.etree.ElementTree import fromstring

import pytest

from recours.carriers.answers import ParcelStatus
from recours.carriers.dhl_parcel_de import EVENTS, DhlParcelDe, parse_tracking
from recours.carriers.message import Response
from recours.carriers.registry import CATALOG
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Piece, Retrieved
from recours.core.quota import Capability
from recours.core.text import Redactor
from recours.sandbox.documents import signature_gif
from recours.sandbox.soap import with_attributes
from tests.carriers.table import Row, Table
from tests.fakes.answers import HOSTILE, response, xml
from tests.fakes.checks import as_failure
from tests.fakes.session import fetched

K = ErrorKind
NUMBER = "00340434161094015902"
PASSWORD = "&<>\"ü+/';%s"
SETTINGS = {
    "DHL_PARCEL_DE_API_KEY": "key",
    "DHL_PARCEL_DE_API_SECRET": "secret",
    "DHL_PARCEL_DE_USER": "zt12345",
    "DHL_PARCEL_DE_PASSWORD": PASSWORD,
}
AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)
TEXT = "The shipment has been successfully delivered"
KNOWN = Delivery(AT, "DUPONT", place="Bonn", label=f"{TEXT}: neighbor")
GIF = signature_gif("x")
SOURCE = "dhl_parcel_de d-get-signature"


def data(name: str, *inside: str, **attributes: str) -> str:
    named = {key.replace("_", "-"): value for key, value in attributes.items()}
    return with_attributes("data", {"name": name, **named}, "".join(inside))


def root(name: str, *inside: str, code: str = "0", **attributes: str) -> Response:
    return xml(data(name, *inside, code=code, request_id="x", **attributes))


def event(
    standard: str = "ZU",
    at: str = "05.10.2026 10:31",
    ice: str = "",
    ric: str = "",
    text: str = TEXT,
    **attributes: str,
) -> str:
    codes = {"ice": ice, "ric": ric, "standard_event_code": standard}
    place = {"event_location": "Bonn", "event_country": "Germany"}
    return data(
        "piece-event",
        event_timestamp=at,
        event_status=text,
        **{**codes, **place, "ruecksendung": "false"} | attributes,
    )


def parcel(*events: str, number: str = NUMBER, **attributes: str) -> str:
    usual = {
        "error_status": "0",
        "piece_identifier": number.removeprefix("00"),
        "piece_code": number,
        "searched_piece_code": number,
        "status_timestamp": "05.10.2026 10:31",
        "status": TEXT,
        "recipient_name": "DUPONT",
        "pan_recipient_name": "MARTIN",
        "recipient_id": "4",
        "recipient_id_text": "neighbor",
        "delivery_event_flag": "1",
        "dest_country": "DE",
        "ruecksendung": "false",
    }
    return data("piece-shipment", data("piece-event-list", *events), **usual | attributes)


def tracked(*parcels: str) -> Response:
    return root("piece-shipment-list", *parcels)


def error(code: str, text: str = "An error") -> Response:
    return root("piece-shipment-list", code=code, error=text)


def signed(*images: str, **attributes: str) -> Response:
    usual = {"searched_piece_code": NUMBER, "event_date": "05.10.2026", "mime_type": "image/gif"}
    pieces = (data("signature", image=image, **usual | attributes) for image in images)
    return root("signature-list", *pieces)


PICKED_UP = event("AE", "03.10.2026 14:00", "PCKDU", "PUBCR", "The shipment has been picked up")
HANDED_OVER = event("ZU", "05.10.2026 10:31", "DLVRD", "NGHBR")
DELIVERED = tracked(parcel(PICKED_UP, HANDED_OVER))
SIGNED = signed(GIF.hex())
RETRIEVED = Retrieved.single(GIF, KNOWN, SOURCE, kind=EvidenceKind.SIGNATURE)


def of(*answers: Response, known: Delivery | None = None) -> Any:
    return fetched(DhlParcelDe(SETTINGS), NUMBER, answers, known)[0]


# ---------------------------------------------------------------- requests


def attributes_of(path: str) -> dict[str, str]:
    address, _, query = path.partition("?")
    assert address == "/parcel/de/tracking/v0/shipments"
    ((name, (text,)),) = parse_qs(query, strict_parsing=True).items()
    assert name == "xml"
    element = fromstring(text.encode())
    assert (element.tag, len(element)) == ("data", 0)
    return dict(element.attrib)


def test_both_requests_are_an_element_in_the_query_with_two_pairs_of_credentials() -> None:
    outcome, session = fetched(DhlParcelDe(SETTINGS), NUMBER, [DELIVERED, SIGNED])
    assert outcome == RETRIEVED
    (tracking, first), (proof, second) = session.requests
    assert (tracking, proof) == (Capability.TRACKING, Capability.POD)
    for request, operation in ((first, "d-get-piece-detail"), (second, "d-get-signature")):
        assert (request.method, request.body) == ("GET", None)
        assert dict(request.headers) == {
            "Authorization": "Basic a2V5OnNlY3JldA==",
            "Accept": "application/xml",
        }
        assert attributes_of(request.path) == {
            "appname": "zt12345",
            "password": PASSWORD,
            "request": operation,
            "language-code": "en",
            "piece-code": NUMBER,
        }


def test_a_password_in_the_query_is_never_shown() -> None:
    secret = f"hunter2{PASSWORD}x"
    client = DhlParcelDe(SETTINGS | {"DHL_PARCEL_DE_PASSWORD": secret})
    _, session = fetched(client, NUMBER, [DELIVERED, SIGNED])
    for _, request in session.requests:
        assert "hunter2" in request.path
        assert "hunter2" not in repr(request)
        assert "hunter2" not in Redactor([secret])(f"GET https://api-eu.dhl.com{request.path} failed")
        assert "piece-code" in Redactor([secret])(request.path)


# ---------------------------------------------------------------- whose account


@pytest.mark.parametrize(
    ("name", "number", "accounts", "key"),
    [
        ("DHL Paket", NUMBER, {"dhl", "dhl_parcel_de"}, "dhl_parcel_de"),
        ("DHL Parcel", NUMBER, {"dhl_parcel_de"}, "dhl_parcel_de"),
        ("DHL Parcel", NUMBER, {"dhl"}, "dhl"),
        ("DHL Parcel DE", NUMBER, {"dhl", "dhl_express"}, "dhl"),
        ("DHL Paket", "1234567891", {"dhl", "dhl_express"}, "dhl_express"),
        ("DHL Paket", "1234567891", {"dhl_express", "dhl_parcel_de"}, "dhl_express"),
        ("DHL", NUMBER, {"dhl", "dhl_parcel_de"}, "dhl"),
        ("DHL", NUMBER, {"dhl_parcel_de"}, "dhl"),
        ("DHL Paket", NUMBER, set(), "dhl"),
        ("dhl-parcel", NUMBER, {"dhl_express"}, "dhl"),
    ],
)
def test_other_accounts_of_dhl_serve_its_claims(name: str, number: str, accounts: set[str], key: str) -> None:
    catalog = CATALOG.with_accounts(accounts)
    assert catalog.resolve(name, number) == key
    assert key in catalog.keys_of(name)


def test_only_claims_that_name_this_carrier_have_its_key() -> None:
    catalog = CATALOG.with_accounts({"dhl", "dhl_parcel_de"})
    assert (catalog.keys_of("DHL"), catalog.keys_of("dhl paket")) == (("dhl",), ("dhl_parcel_de",))


# ---------------------------------------------------------------- the status

DELIVERIES = "ACCDM ACCPK ACCPT AGENT DIDLV FAMLY NGHBR OTHER PCKAD PKBOX POBOX SECPL SERPT SPOUS WINPL"
OTHER_EVENTS: list[tuple[str, str, str, ErrorKind]] = [
    ("ZU", "DLVRD", "ACCSI", K.NOT_DELIVERED_YET),  # incomplete
    ("ZU", "DLVRD", "HNDTC", K.NOT_DELIVERED_YET),  # handed to another carrier
    ("ZU", "DLVRD", "CUSTM", K.NOT_DELIVERED_YET),  # handed to customs
    ("ZU", "MVARR", "NRQRD", K.NOT_DELIVERED_YET),  # a vehicle arrived
    ("ZU", "DSPSD", "NTCLM", K.POD_NEVER_AVAILABLE),  # "delivered", and destroyed
    ("BV", "DSPSD", "DMGPC", K.POD_NEVER_AVAILABLE),
    ("BV", "CNFSC", "LEGAT", K.POD_NEVER_AVAILABLE),
    ("BV", "CANCL", "NRQRD", K.POD_NEVER_AVAILABLE),
    ("ZF", "CNRFC", "SERPT", K.NOT_DELIVERED_YET),
    ("LA", "HLDCC", "LDPCK", K.NOT_DELIVERED_YET),
    ("GT", "DLVRD", "CODRP", K.NOT_DELIVERED_YET),
    ("DD", "STORN", "NRQRD", K.NOT_DELIVERED_YET),
]


def test_deliveries_are_recognized_by_the_carriers_table() -> None:
    for ric in DELIVERIES.split():
        assert of(tracked(parcel(event("ZU", ice="DLVRD", ric=ric))), SIGNED) == RETRIEVED, ric
    for standard, ice, ric, kind in OTHER_EVENTS:
        assert as_failure(of(tracked(parcel(event(standard, ice=ice, ric=ric))))).kind is kind, (ice, ric)


def test_payments_and_messages_after_a_delivery_change_nothing() -> None:
    later = [
        event("GT", "09.10.2026 10:00", "DLVRD", "CODRP", "The amount has been transferred"),
        event("DD", "09.10.2026 11:00", "ADVIS", "MSGST", "A message has been sent"),
    ]
    assert of(tracked(parcel(PICKED_UP, HANDED_OVER, *later)), SIGNED) == RETRIEVED


def test_a_revoked_delivery_is_not_a_delivery() -> None:
    undone = event("DD", "05.10.2026 10:35", "STORN", "NRQRD", "The event was deleted by the driver")
    failure = as_failure(of(tracked(parcel(PICKED_UP, HANDED_OVER, undone, delivery_event_flag="0"))))
    assert failure.kind is K.NOT_DELIVERED_YET


@pytest.mark.parametrize(
    "answer",
    [
        tracked(parcel(PICKED_UP, event("ZN", "04.10.2026 09:00", "RETRN", "NTCCN"), HANDED_OVER)),
        tracked(parcel(PICKED_UP, event("PO", "04.10.2026 09:00", "OFWRD", "RTSCR"), HANDED_OVER)),
        tracked(parcel(PICKED_UP, event("BV", "04.10.2026 09:00", "EXPHD", "RTTSP"), HANDED_OVER)),
        tracked(parcel(PICKED_UP, HANDED_OVER, ruecksendung="true")),
        tracked(
            parcel(
                PICKED_UP, event("PO", "04.10.2026 09:00", text="Rücksendung an den Absender"), HANDED_OVER
            )
        ),
    ],
)
def test_the_delivery_of_a_return_is_to_the_sender(answer: Response) -> None:
    assert as_failure(of(answer)).kind is K.RETURNED_TO_SENDER


def test_the_newest_of_several_parcels_with_the_number_counts() -> None:
    old = parcel(event(at="05.10.2024 10:31"), recipient_name="ROUX")
    for parcels in ([old, parcel(HANDED_OVER)], [parcel(HANDED_OVER), old]):
        assert of(tracked(*parcels), SIGNED) == RETRIEVED
    under_way = parcel(PICKED_UP, delivery_event_flag="0", recipient_name="")
    assert as_failure(of(tracked(old, under_way))).kind is K.NOT_DELIVERED_YET


def test_a_parcel_without_events_has_its_status() -> None:
    status = parcel(ice="DLVRD", ric="NGHBR", standard_event_code="ZU", event_location="Bonn")
    assert of(tracked(status), SIGNED) == RETRIEVED
    lists_beside = data("pieceshipment", piece_code=NUMBER, standard_event_code="PO", delivery_event_flag="0")
    assert as_failure(of(tracked(lists_beside))).kind is K.NOT_DELIVERED_YET


def test_a_parcel_of_a_shared_call_may_be_an_error() -> None:
    numbers = [NUMBER, "00340434161094022115", "00340434161094027318"]
    wrong = [
        parcel(number=number, error_status=code, status="")
        for number, code in zip(numbers[1:], ("100", "77"), strict=True)
    ]
    results = parse_tracking(tracked(parcel(HANDED_OVER), *wrong), numbers)
    assert isinstance(results, dict)
    assert results[NUMBER] == KNOWN
    assert as_failure(results[numbers[1]]).kind is K.NOT_FOUND
    assert "the error code 77" in (as_failure(results[numbers[2]]).unknown or "")


def test_one_unknown_number_of_a_shared_call_is_not_an_error_of_the_others() -> None:
    other = "00340434161094022115"
    unknown = data("piece-shipment", searched_piece_code=other, piece_code=other, piece_status="100")
    answer = root("piece-shipment-list", parcel(HANDED_OVER), unknown, code="100", error="No data found")
    results = parse_tracking(answer, [NUMBER, other])
    assert isinstance(results, dict)
    assert (results[NUMBER], as_failure(results[other]).kind) == (KNOWN, K.NOT_FOUND)


# ---------------------------------------------------------------- the signature


def test_no_signature_is_requested_for_a_parcel_to_another_country() -> None:
    assert of(tracked(parcel(HANDED_OVER, dest_country="de")), SIGNED) == RETRIEVED
    failure = as_failure(of(tracked(parcel(HANDED_OVER, dest_country="FR"))))
    assert (failure.kind, failure.delivery) == (K.POD_NEVER_AVAILABLE, KNOWN)
    assert "only for parcels to Germany" in failure.message


@pytest.mark.parametrize("text", ["4749", "47 49\n46", GIF.hex().upper(), f"\t{GIF.hex()} "])
def test_hexadecimal_digits_are_read_in_any_case_and_in_lines(text: str) -> None:
    content = bytes.fromhex("".join(text.split()))
    assert of(signed(text), known=KNOWN) == Retrieved.single(
        content, KNOWN, SOURCE, kind=EvidenceKind.SIGNATURE
    )


@pytest.mark.parametrize("text", ["474", "R0lGODlh", "0x47", "٤٧", "é"])
def test_a_proof_that_is_not_hexadecimal_is_a_bad_response(text: str) -> None:
    failure = as_failure(of(signed(text), known=KNOWN))
    assert (failure.kind, failure.delivery) == (K.BAD_RESPONSE, KNOWN)
    assert failure.message == "DHL Parcel DE sent a proof that is not valid hex"


def test_all_signatures_are_kept() -> None:
    others = signature_gif("y")
    outcome = of(signed(GIF.hex(), "4", others.hex()), known=KNOWN)
    assert outcome.pieces == tuple(Piece(image, SOURCE, EvidenceKind.SIGNATURE) for image in (GIF, others))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (signed(), K.POD_NOT_AVAILABLE_YET),
        (signed(""), K.POD_NOT_AVAILABLE_YET),
        (signed(GIF.hex(), searched_piece_code="00340434161094022115"), K.BAD_RESPONSE),
        (
            signed(GIF.hex(), event_date="05.10.2024"),
            K.BAD_RESPONSE,
        ),  # events of an earlier parcel with the same number
        (DELIVERED, K.POD_NOT_AVAILABLE_YET),
    ],
)
def test_answers_without_a_signature_of_this_delivery_are_failures(answer: Response, kind: ErrorKind) -> None:
    failure = as_failure(of(answer, known=KNOWN))
    assert (failure.kind, failure.delivery) == (kind, KNOWN)


# ---------------------------------------------------------------- errors


def test_an_error_is_quoted() -> None:
    failure = as_failure(of(error("5", "Login failed")))
    assert failure.message == "DHL Parcel DE rejects our credentials: Login failed"
    assert as_failure(of(error("6"))).message == (
        "DHL Parcel DE rejects our credentials (too many failed logins): An error"
    )
    assert as_failure(of(error("63"), known=KNOWN)).message == (
        "DHL Parcel DE is unavailable (its signature archive does not respond): An error"
    )


def gateway(status: int, detail: str = "Refused") -> Response:
    return response({"status": status, "title": "x", "detail": detail}, status)


ERRORS: dict[str, Row] = {
    **{code: (error(code), K.SERVER_ERROR) for code in ("-1000", "-2", "-1", "63")},
    **{code: (error(code), K.BAD_RESPONSE) for code in ("-3", "45", "58", "59", "60")},
    "5": (error("5"), K.AUTH_FAILED),
    "6": (error("6"), K.AUTH_FAILED),
    "41": (error("41"), K.INVALID_TRACKING),
    "62": (error("62"), K.ACCOUNT_DENIED),
    "64": (error("64"), K.INVALID_TRACKING),
    "unknown": (error("77"), K.BAD_RESPONSE, "the error code 77"),
    "gateway, 400": (gateway(400), K.BAD_RESPONSE),
    "gateway, 401": (gateway(401), K.AUTH_FAILED),
    "gateway, 403": (gateway(403), K.ACCOUNT_DENIED),
    "gateway, 500": (gateway(500), K.SERVER_ERROR),
    "without a code": (xml(data("piece-shipment-list")), K.BAD_RESPONSE),
}

STANDARD_EVENTS = "AA AE AN BV DD EE ES GT LA NB PO VA ZF ZN ZO ZU"


def test_the_table_of_events_has_every_standard_event() -> None:
    assert " ".join(sorted(code for code in EVENTS if len(code) == 2)) == STANDARD_EVENTS
    assert [code for code, status in EVENTS.items() if status is ParcelStatus.DELIVERED] == ["ZU"]


NO_DATA = ("100", "200", "57", "61")

TABLE = Table(
    make=lambda: DhlParcelDe(SETTINGS),
    number=NUMBER,
    facts={
        "name": "DHL Parcel DE",
        "limits": {None: "1000/day@Europe/Berlin,3/second"},
        "credentials": (tuple(SETTINGS),),
        "base_url": "https://api-eu.dhl.com",
        "calls": {Capability.TRACKING: 1, Capability.POD: 1},
        "numbers_per_call": 20,
    },
    answers=(DELIVERED, SIGNED),
    known=KNOWN,
    proof=RETRIEVED,
    numbers="JJD000390007882823472 JVGL0999999990 RR123456785DE 1234567890123456",
    no_numbers=f"1234567890 12345678901 JJD-0001 3SBCC000123456 {'1' * 21}",
    good_check_digits=["563102430313", NUMBER, "JJD1410302937991", "1234567890123456"],
    bad_check_digits=["563102430314", "00340434161094015903", "RR123456789DE"],
    errors=[
        ERRORS | {code: (error(code), K.NOT_FOUND) for code in NO_DATA},
        ERRORS | {code: (error(code), K.POD_NOT_AVAILABLE_YET) for code in NO_DATA},
    ],
    accepted=[
        ((DELIVERED, SIGNED), True),
        (error("100"), True),
        (error("41"), True),
        (error("5"), False),
        (error("62"), False),
        (gateway(401), False),
        (gateway(500), False),
    ],
    accepted_known=[(error("100"), True), (error("62"), False), (error("63"), False)],
    of_another=[tracked(parcel(HANDED_OVER, number="00340434161094022115"))],
    of_several=lambda numbers: tracked(
        *(parcel(PICKED_UP, number=n, delivery_event_flag="0") for n in numbers)
    ),
    hostile=[
        error("77", HOSTILE),
        root("piece-shipment-list", code=HOSTILE, error=HOSTILE),
        tracked(parcel(event(HOSTILE, ice=HOSTILE, text=HOSTILE))),
        tracked(parcel(number=NUMBER, error_status=HOSTILE, status=HOSTILE)),
        (DELIVERED, error("63", HOSTILE)),
    ],
    whole=[error("100"), gateway(401)],
    nobody=(error("100"), K.NOT_FOUND),
    status=lambda code: tracked(parcel(event(code, text="Un événement"))),
    delivered=["ZU"],
    not_delivered=STANDARD_EVENTS.removesuffix(" ZU").split(),
    strange=["ZZ", "zu"],
    times=[
        (tracked(parcel(event(at="05.01.2026 10:31"))), datetime(2026, 1, 5, 9, 31, tzinfo=UTC)),
        (tracked(parcel(event(at="05.10.2026 10:31:30"))), AT.replace(second=30)),
        (tracked(parcel(event(at="hier"))), None),
        (tracked(parcel(event(at=""), status_timestamp="")), None),
    ],
    signed=lambda name: tracked(parcel(HANDED_OVER, recipient_name=name)),
    signatories=[(tracked(parcel(HANDED_OVER, recipient_name="X" * 500)), "X" * 99 + "…")],
)
