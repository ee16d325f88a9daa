"""The requests to DPD France, and the meaning of each answer. The client and the simulator list the sources."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from recours.carriers.answers import ParcelStatus
from recours.carriers.dpd import CODES, PROOFS, SPEC, Dpd, parse
from recours.carriers.message import Response
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Failure, Outcome, Piece, Retrieved
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.runs.attempt import malformed
from recours.sandbox import Scenario
from tests.carriers.table import Row, Table
from tests.fakes.answers import HOSTILE_XML, PDF, PNG, b64, canonical, envelope, xml, xml_text
from tests.fakes.checks import as_failure, result
from tests.fakes.session import FakeSession, fetched
from tests.fakes.simulated import SandboxSession, client_of

NUMBER = "12345678901234"
K = ErrorKind
SETTINGS = {
    "DPD_USER": "user",
    "DPD_PASSWORD": "pass",
    "DPD_CENTER_NUMBER": "77",
    "DPD_CUSTOMER_NUMBER": "12345",
    "DPD_DELIVERED_CODES": "40,400",
}
BMP = b"BM" + b"z" * 200  # not a document type that a proof may have
POD_SOURCE = "dpd GetShipmentTraceSingle POD"


def trace_response(result: str) -> Response:
    return xml(
        envelope(
            '<GetShipmentTraceSingleResponse xmlns="http://www.cargonet.software/"><GetShipmentTraceSingleResult>'
            f"{result}</GetShipmentTraceSingleResult></GetShipmentTraceSingleResponse>"
        )
    )


def a_trace(code: str, day: str = "05.10.2026", hour: str = "10:31:00", label: str = "Un statut") -> str:
    return (
        f"<clsTrace><ScanDate>{day}</ScanDate><ScanTime>{hour}</ScanTime><StatusNumber>{code}</StatusNumber>"
        f"<StatusDescription>{label}</StatusDescription><CenterName>LILLE</CenterName><Remark></Remark></clsTrace>"
    )


def an_image(content: bytes | str = PDF, kind: str = "POD") -> str:
    encoded = content if isinstance(content, str) else b64(content)
    return f"<Image><type>{kind}</type><image>{encoded}</image><date>05.10.2026</date><time>10:31:00</time></Image>"


def shipment(
    *traces: str, images: str = "", receiver: str = "DUPONT", delivered_on: str = "05.10.2026"
) -> Response:
    return trace_response(
        f"<ShipmentNumber>{NUMBER}</ShipmentNumber><DestinationCountry>F</DestinationCountry>"
        f"<DeliveryDate>{delivered_on}</DeliveryDate><Receiver>{receiver}</Receiver><Reference>CMD-1</Reference>"
        f"<Traces>{''.join(traces)}</Traces>{f'<images>{images}</images>' if images else ''}"
    )


def fault(error: str = "", text: str = "Permission denied", status: int = 500) -> Response:
    detail = f"<detail>{error}</detail>" if error else ""
    inside = f"<soap:Fault><faultcode>soap:Server</faultcode><faultstring>{text}</faultstring>{detail}</soap:Fault>"
    return xml(envelope(inside), status)


def an_error(code: str, message: str = "") -> str:
    return f"<Error><ErrorId>{code}</ErrorId><ErrorMessage>{message or code}</ErrorMessage></Error>"


PREPARED = a_trace("8", "02.10.2026", "07:04:45", "Colis en préparation")
HANDED_OVER = a_trace("40", label="Colis livré")
WITH_POD = shipment(PREPARED, HANDED_OVER, images=an_image())
AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)
KNOWN = Delivery(AT, "DUPONT")


def fetch(
    answer: Response | Failure, known: Delivery | None = None, **settings: str
) -> tuple[Outcome, FakeSession]:
    return fetched(Dpd(SETTINGS | settings), NUMBER, [answer], known)


def failure_of(answer: Response, known: Delivery | None = None) -> Failure:
    return as_failure(fetch(answer, known)[0])


# ---------------------------------------------------------------- requests

REQUEST = """
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
 <soap:Header><UserCredentials xmlns="http://www.cargonet.software/">
   <userid>user</userid><password>pass</password></UserCredentials></soap:Header>
 <soap:Body><GetShipmentTraceSingle xmlns="http://www.cargonet.software/"><request>
   <Customer><centernumber>77</centernumber><number>12345</number><countrycode>250</countrycode></Customer>
   <Language>FR</Language>
   <ShipmentNumber>12345678901234</ShipmentNumber>
   <ExpandContainerMode>MasterOnly</ExpandContainerMode>
   <GetImages>true</GetImages>
   <GetPhotos>false</GetPhotos><GetParsedInfo>false</GetParsedInfo><GetServices>false</GetServices>
 </request></GetShipmentTraceSingle></soap:Body>
</soap:Envelope>
"""


def test_the_request_is_that_of_the_service() -> None:
    _, session = fetch(WITH_POD)
    ((what, request),) = session.requests
    assert what is Capability.TRACKING
    assert (request.method, request.path) == ("POST", "/trace-service/Webtrace_Service.asmx")
    assert dict(request.headers) == {
        "Content-Type": "text/xml; charset=utf-8",
        "SOAPAction": '"http://www.cargonet.software/GetShipmentTraceSingle"',
        "Connection": "close",
    }
    assert canonical(request.body) == canonical(REQUEST)
    assert SPEC.base_url == "https://webtrace.dpd.fr"


def test_the_check_character_is_not_sent() -> None:
    session = FakeSession([WITH_POD])
    Dpd(SETTINGS).fetch(NUMBER + "K", None, session)
    assert canonical(session.requests[0][1].body) == canonical(REQUEST)


@pytest.mark.wrong_requests("a center number with characters to be escaped")
def test_credentials_are_escaped() -> None:
    _, session = fetch(WITH_POD, DPD_USER="a&b", DPD_PASSWORD="</password><x>é\"'", DPD_CENTER_NUMBER="<77>")
    expected = (
        REQUEST.replace(">user<", ">a&amp;b<")
        .replace(">pass<", ">&lt;/password&gt;&lt;x&gt;é\"'<")
        .replace(">77<", ">&lt;77&gt;<")
    )
    assert canonical(session.requests[0][1].body) == canonical(expected)


# ---------------------------------------------------------------- the status


def test_only_the_latest_code_is_reported() -> None:
    early, late = a_trace("13", "01.10.2026"), a_trace("30", "04.10.2026")
    for traces in ([early, late], [late, early]):
        assert failure_of(shipment(*traces)).unknown is None
    late = a_trace("23", "04.10.2026")
    for traces in ([early, late], [late, early]):
        failure = failure_of(shipment(*traces))
        assert failure.unknown is not None
        assert "23" in failure.unknown


def test_the_last_of_several_traces_of_the_same_time_counts() -> None:
    assert failure_of(shipment(a_trace("13"), a_trace("30"))).unknown is None
    assert failure_of(shipment(a_trace("30"), a_trace("13"))).unknown is not None


def test_a_trace_without_a_code_is_not_a_delivery() -> None:
    failure = failure_of(shipment("<clsTrace/>"))
    assert (failure.kind, failure.unknown) == (K.NOT_DELIVERED_YET, None)


def test_the_codes_that_mean_delivered_can_be_set() -> None:
    outcome, _ = fetch(shipment(a_trace("13"), images=an_image()), DPD_DELIVERED_CODES="13,40")
    assert isinstance(outcome, Retrieved)
    outcome, _ = fetch(shipment(a_trace("400"), images=an_image()), DPD_DELIVERED_CODES="13,40")
    assert isinstance(outcome, Failure)
    assert outcome.kind is K.NOT_DELIVERED_YET
    (option,) = SPEC.options
    assert (option.name, option.default) == ("DPD_DELIVERED_CODES", "40,400")
    assert all(option.form.fullmatch(text) for text in ("40", "40,400", "1,22,333,4444,55555"))
    assert not any(option.form.fullmatch(text) for text in ("", "40,", ",40", "40 400", "x", "123456", "٤٠"))


@pytest.mark.parametrize(
    "answer",
    [
        trace_response(""),
        trace_response(f"<ShipmentNumber>{NUMBER}</ShipmentNumber>"),
        trace_response("<Traces/>"),
        shipment(),
        shipment(images=an_image()),
        xml(envelope('<GetShipmentTraceSingleResponse xmlns="http://www.cargonet.software/"/>')),
    ],
    ids=["empty", "number only", "no trace", "no clsTrace", "an image, no trace", "no result"],
)
def test_an_answer_without_traces_means_that_the_number_is_unknown(answer: Response) -> None:
    failure = failure_of(answer)
    assert (failure.kind, failure.http_status) == (K.NOT_FOUND, 200)
    assert failure.message == "DPD does not recognize this tracking number"


TIMES: list[Any] = [
    ("05.10.2026", "10:31:00", AT),
    ("05.10.2026", "10:31", AT),
    ("05/10/26", "10:31:00", AT),
    ("2026-10-05", "10:31:00", AT),
    ("2026-10-05T00:00:00", "10:31:00.123", AT),
    ("05.01.2026", "10:31:00", datetime(2026, 1, 5, 9, 31, tzinfo=UTC)),
    # Without a readable time, midnight in France on the day of the trace, or else of the delivery.
    ("05.10.2026", "", datetime(2026, 10, 4, 22, tzinfo=UTC)),
    ("", "", datetime(2026, 10, 6, 22, tzinfo=UTC)),
    ("hier", "10:31:00", datetime(2026, 10, 6, 22, tzinfo=UTC)),
    ("31.02.2026", "10:31:00", datetime(2026, 10, 6, 22, tzinfo=UTC)),
    ("05.10.2026", "25:61:00", datetime(2026, 10, 6, 22, tzinfo=UTC)),
    ("0001-01-01", "00:00:00", datetime(2026, 10, 6, 22, tzinfo=UTC)),
]


def test_the_time_of_the_latest_delivery_counts_regardless_of_the_order() -> None:
    early, late = a_trace("400", "04.10.2026"), a_trace("40", "05.10.2026")
    after = a_trace("89", "06.10.2026")
    for traces in ([early, late, after], [after, late, early], [late, after, early]):
        outcome, _ = fetch(shipment(*traces, images=an_image()))
        assert outcome == Retrieved.single(PDF, KNOWN, POD_SOURCE)


@pytest.mark.parametrize(
    ("told", "is_return"),
    [
        ("<IsRetour>true</IsRetour>", True),
        ("<IsRetour>1</IsRetour>", True),
        ("<IsRetour>false</IsRetour><RetourType>Refus</RetourType>", True),
        ("<IsRetour>false</IsRetour>", False),
        ("<IsRetour>false</IsRetour><RetourType>None</RetourType>", False),
        # "Prepared" only means that the parcel contains a return label.
        ("<IsRetour>false</IsRetour><RetourType>Prepared</RetourType>", False),
    ],
)
def test_the_delivery_of_a_return_is_to_the_sender(told: str, *, is_return: bool) -> None:
    answer = shipment(PREPARED, HANDED_OVER, images=an_image())
    marked = replace(answer, body=answer.body.replace(b"<Traces>", told.encode() + b"<Traces>"))
    outcome, _ = fetch(marked)
    if is_return:
        assert as_failure(outcome).kind is K.RETURNED_TO_SENDER
    else:
        assert isinstance(outcome, Retrieved)


def test_a_return_in_a_label_overrides_the_delivery_of_the_same_parcel() -> None:
    back = a_trace("89", "03.10.2026", label="Retour à l'expéditeur demandé")
    outcome, _ = fetch(shipment(PREPARED, back, HANDED_OVER, images=an_image()))
    assert as_failure(outcome).kind is K.RETURNED_TO_SENDER
    to_sender = a_trace("40", label="Colis livré à l'expéditeur")
    assert failure_of(shipment(PREPARED, to_sender)).kind is K.RETURNED_TO_SENDER
    over = a_trace("40", "03.10.2026", "12:00:00", label="Colis livré à l'expéditeur")
    taken = a_trace("10", "04.10.2026", label="Colis pris en charge")
    assert isinstance(fetch(shipment(back, over, taken, HANDED_OVER, images=an_image()))[0], Retrieved)
    refused_after = a_trace("89", "06.10.2026", label="Retour à l'expéditeur")
    assert failure_of(shipment(HANDED_OVER, refused_after)).kind is K.NOT_DELIVERED_YET


def test_a_delivery_without_any_date() -> None:
    answer = shipment(a_trace("40", "", ""), images=an_image(), delivered_on="", receiver="")
    assert fetch(answer)[0] == Retrieved.single(PDF, Delivery(), POD_SOURCE)


SIGNATORIES: list[Any] = [("X" * 500, "X" * 99 + "…")]


# ---------------------------------------------------------------- known deliveries


def test_a_failure_after_the_delivery_includes_the_delivery() -> None:
    assert failure_of(shipment(HANDED_OVER)).delivery == KNOWN
    assert failure_of(shipment(HANDED_OVER, images=an_image("JVB*"))).delivery == KNOWN
    assert failure_of(shipment(HANDED_OVER), Delivery(AT.replace(day=1), "MARTIN")).delivery == KNOWN


# ---------------------------------------------------------------- errors

ERRORS: dict[str, Row] = {
    "PermissionDenied": (fault(an_error("PermissionDenied", "Permission denied")), K.AUTH_FAILED),
    "IpPermissionDenied": (fault(an_error("IpPermissionDenied")), K.ACCOUNT_DENIED),
    "CustomerPermissionDenied": (fault(an_error("CustomerPermissionDenied")), K.ACCOUNT_DENIED),
    "invalid number": (fault(an_error("InvalidInput", "Invalid parcel number")), K.INVALID_TRACKING),
    "invalid shipment": (fault(an_error("InvalidShipmentNumber", "x")), K.INVALID_TRACKING),
    "numéro invalide": (fault(an_error("InvalidInput", "Numéro non valide")), K.INVALID_TRACKING),
    "parcel": (fault(an_error("InvalidInput", "No such parcel")), K.INVALID_TRACKING),
    "tracking": (fault(an_error("InvalidTracking")), K.INVALID_TRACKING),
    "barcode": (fault(an_error("InvalidBarcode")), K.INVALID_TRACKING),
    "number": (fault(an_error("InvalidInput", "The number is wrong")), K.INVALID_TRACKING),
    "envoi": (fault(an_error("InvalidInput", "Envoi non valide")), K.INVALID_TRACKING),
    "suivi": (fault(an_error("InvalidInput", "Suivi non valide")), K.INVALID_TRACKING),
    "colis": (fault(an_error("InvalidInput", "COLIS non valide")), K.INVALID_TRACKING),
    "expédition": (fault(an_error("InvalidInput", "Expédition non valide")), K.INVALID_TRACKING),
    "invalid, of nothing": (fault(an_error("InvalidInput", "Invalid input")), K.BAD_RESPONSE),
    "invalid weight": (fault(an_error("InvalidWeight", "Invalid parcel weight")), K.BAD_RESPONSE),
    "invalid customer": (fault(an_error("InvalidInput", "Invalid customer number")), K.BAD_RESPONSE),
    "invalid centre": (fault(an_error("InvalidInput", "Numéro de centre non valide")), K.BAD_RESPONSE),
    "a document that is an error": (xml(an_error("PermissionDenied"), 500), K.AUTH_FAILED),
    "the same, HTTP 200": (xml(an_error("PermissionDenied")), K.AUTH_FAILED),
    "in a namespace": (
        fault('<e:Error xmlns:e="urn:x"><e:ErrorId>IpPermissionDenied</e:ErrorId></e:Error>'),
        K.ACCOUNT_DENIED,
    ),
    "fault, HTTP 200": (fault(an_error("PermissionDenied"), status=200), K.AUTH_FAILED),
    "fault without an error": (fault(), K.SERVER_ERROR),
    "fault without an id": (fault("<Error><ErrorMessage>x</ErrorMessage></Error>"), K.SERVER_ERROR),
    "unknown error": (fault(an_error("OtherTrouble", "Something")), K.BAD_RESPONSE, "OtherTrouble"),
}


def test_an_error_is_quoted_and_an_unknown_one_is_reported() -> None:
    failure = failure_of(fault(an_error("PermissionDenied", "Mot de passe incorrect")))
    assert failure.message == "DPD rejects our credentials: Mot de passe incorrect"
    failure = failure_of(fault(an_error("OtherTrouble", "Something")))
    for text in (failure.message, failure.unknown or ""):
        assert all(part in text for part in ("error code OtherTrouble", "HTTP 500", ": Something"))
    failure = failure_of(fault(an_error("InvalidInput", "Invalid input")))
    assert failure.message == "DPD could not read our request: Invalid input"
    assert failure.unknown is None
    assert failure_of(fault("<Error><ErrorId>InvalidInput</ErrorId></Error>")).message.endswith(
        ": InvalidInput"
    )
    failure = failure_of(fault(an_error("InvalidInput", "No such parcel")))
    assert failure.message == "DPD rejects this tracking number as invalid: No such parcel"
    assert failure_of(fault(an_error("IpPermissionDenied", "No"))).message.startswith(
        "DPD does not accept calls from"
    )
    assert failure_of(fault(an_error("CustomerPermissionDenied", "No"))).message.startswith(
        "DPD does not let our account use this service (it has no access with"
    )
    assert failure_of(fault()).message == "DPD is unavailable (HTTP 500): Permission denied"


ACCEPTED: list[Any] = [
    (WITH_POD, True),
    (shipment(PREPARED), True),
    (shipment(HANDED_OVER), True),
    (trace_response(""), True),
    (fault(an_error("InvalidInput", "Invalid parcel number")), True),
    (fault(an_error("PermissionDenied")), False),
    # Errors about our account.
    (fault(an_error("IpPermissionDenied")), False),
    (fault(an_error("CustomerPermissionDenied")), False),
    (fault(), False),
    (xml("<html/>"), False),
]


# ---------------------------------------------------------------- the document


@pytest.mark.parametrize(
    ("images", "content", "kind"),
    [
        (an_image(), PDF, "POD"),
        (an_image(PNG), PNG, "POD"),
        (an_image(PNG, "DeliverySignature") + an_image(PDF), PDF, "POD"),
        (an_image(PNG, "DeliveryShop") + an_image(PDF, "DeliverySignature"), PDF, "DeliverySignature"),
        (an_image(PNG, "PickupSignature") + an_image(PDF, "DeliveryShop"), PDF, "DeliveryShop"),
        (an_image("") + an_image(PNG, "DeliverySignature"), PNG, "DeliverySignature"),
        (an_image("JVB*") + an_image(PNG, "DeliverySignature"), PNG, "DeliverySignature"),
        (an_image("JVB*") + an_image(PDF), PDF, "POD"),
        (an_image(BMP) + an_image(PNG, "DeliverySignature"), PNG, "DeliverySignature"),
        (an_image(BMP) + an_image("JVB*") + an_image(PDF, "DeliveryShop"), PDF, "DeliveryShop"),
        (an_image("JVB*") + an_image(BMP, "DeliverySignature"), BMP, "DeliverySignature"),  # refused later
        (an_image(PDF) + an_image(PNG), PDF, "POD"),
    ],
)
def test_the_best_image_that_can_be_read_is_the_proof(images: str, content: bytes, kind: str) -> None:
    outcome, _ = fetch(shipment(HANDED_OVER, images=images))
    assert isinstance(outcome, Retrieved)
    assert outcome.best == Piece(content, f"dpd GetShipmentTraceSingle {kind}", PROOFS[kind])
    assert outcome.delivery == KNOWN
    assert list(PROOFS) == ["POD", "DeliverySignature", "DeliveryShop"]


def test_all_images_of_a_delivery_are_kept() -> None:
    images = an_image(PNG, "DeliverySignature") + an_image(PNG, "PickupSignature") + an_image(PDF)
    outcome, _ = fetch(shipment(HANDED_OVER, images=images))
    assert isinstance(outcome, Retrieved)
    assert [(one.content, one.kind) for one in outcome.pieces] == [
        (PDF, EvidenceKind.LETTER),
        (PNG, EvidenceKind.SIGNATURE),
    ]


@pytest.mark.parametrize(
    "images",
    [
        "",
        "<Image/>",
        an_image(""),
        an_image(" "),
        an_image(PDF, "POA"),
        an_image(PDF, "PickupSignature"),
        an_image(PDF, "pod"),
        an_image(PDF, ""),
        f"<Image><image>{b64(PDF)}</image></Image>",
    ],
)
def test_delivered_without_a_usable_image_is_not_a_proof_yet(images: str) -> None:
    failure = failure_of(shipment(HANDED_OVER, images=images))
    assert failure == Failure.of(Sentence.PROOF_PENDING, "DPD", None, 200, delivery=KNOWN)
    assert failure.message == "The parcel was delivered, but DPD has no proof of delivery yet"


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("number", "sent"),
    [
        ("09980000020033F", "09980000020033"),  # the last character is a check character
        ("008182709980000020033350276C", "09980000020033"),  # a label's barcode
        ("25012345678901234", "12345678901234"),  # 250 is the country number
        ("12345678901234", "12345678901234"),
        ("250123456789012", "25012345678901"),  # 250 is part of the number
        ("25012345678901", "25012345678901"),
    ],
)
def test_the_fourteen_digits_of_any_number_format_are_sent(number: str, sent: str) -> None:
    assert malformed(number, SPEC) is None
    assert not SPEC.is_doubtful(number) or number == "250123456789012"
    _, session = fetched(Dpd(SETTINGS), number, [WITH_POD])
    ((_, request),) = session.requests
    assert f"<ShipmentNumber>{sent}</ShipmentNumber>".encode() in (request.body or b"")


# ---------------------------------------------------------------- hostile answers


@pytest.mark.parametrize(
    "body",
    [
        "<a>" * 100_000 + "</a>" * 100_000,
        envelope("<soap:Fault>" + "<detail>" * 50_000 + "</detail>" * 50_000 + "</soap:Fault>"),
        envelope("<GetShipmentTraceSingleResponse/>" * 1000),
        "<Error/>",
        "<Envelope/>",
        envelope("<GetShipmentTraceSingleResponse><GetShipmentTraceSingleResult><Traces><clsTrace><a/></clsTrace>"
                 "</Traces></GetShipmentTraceSingleResult></GetShipmentTraceSingleResponse>"),
    ],
)  # fmt: skip
def test_unexpected_trees_raise_no_error(body: str) -> None:
    assert isinstance(parse(xml(body), {"40"}, Delivery()), Failure)


# ---------------------------------------------------------------- the simulated carrier


def test_an_account_or_ip_address_without_access_is_account_denied() -> None:
    session = SandboxSession(client_of("dpd"), NUMBER, Scenario.ACCOUNT_DENIED)
    failures = [as_failure(session.fetch()) for _ in range(2)]
    assert {failure.kind for failure in failures} == {K.ACCOUNT_DENIED}
    assert ["IP address" in failure.message for failure in failures] == [True, False]
    assert not session.accepted


def test_a_winter_day_is_a_winter_day() -> None:
    session = SandboxSession(client_of("dpd"), NUMBER, at=datetime(2026, 12, 24, 10, 0, tzinfo=UTC))
    outcome = session.fetch()
    assert isinstance(outcome, Retrieved)
    assert outcome.delivery.at == datetime(2026, 12, 23, 8, 0, tzinfo=UTC)


EMPTY = pytest.mark.wrong_requests("a setting that is empty")


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        pytest.param({"DPD_PASSWORD": ""}, K.AUTH_FAILED, marks=EMPTY),
        ({"DPD_CENTER_NUMBER": "78"}, K.ACCOUNT_DENIED),
        ({"DPD_CUSTOMER_NUMBER": "54321"}, K.ACCOUNT_DENIED),
        pytest.param({"DPD_CUSTOMER_NUMBER": ""}, K.ACCOUNT_DENIED, marks=EMPTY),
    ],
)
def test_wrong_credentials_at_the_simulated_service(wrong: dict[str, str], kind: ErrorKind) -> None:
    session = SandboxSession(
        Dpd(dict(client_of("dpd").settings) | wrong), NUMBER, lenient=kind is K.ACCOUNT_DENIED
    )
    assert result(session.fetch()) is kind
    assert not session.accepted


# ---------------------------------------------------------------- the table for test_rules.py

_SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def proved(*traces: str, **more: str) -> Response:
    return shipment(*traces, images=an_image(), **more)


TABLE = Table(
    make=lambda: Dpd(SETTINGS),
    number=NUMBER,
    facts={
        "name": "DPD",
        "spellings": ("DPD France", "DPD Predict", "DPD Classic"),
        "limits": {None: "1000/day@Europe/Paris"},
        "credentials": (("DPD_USER", "DPD_PASSWORD", "DPD_CENTER_NUMBER", "DPD_CUSTOMER_NUMBER"),),
        "base_url": "https://webtrace.dpd.fr",
        "calls": {Capability.TRACKING: 1},
        "sample_number": "0" * 14,
        "tracks_always": True,
    },
    answers=(WITH_POD,),
    known=KNOWN,
    proof=Retrieved.single(PDF, KNOWN, POD_SOURCE),
    numbers=f"123456789012345 12345678901234Z {'0' * 14}",
    no_numbers=(
        "2501234567890123456 25112345678901234 008182709980000020033350276 008182709980000020033350276CC "
        "0081827X9980000020033350276C XY123456789FR 1234567890123A 1234567890123 1234567890123412 "
        "12345678901234a"
    ),
    # A published number with its check character.
    good_check_digits=["15502370264989N", "15502370264989"],
    bad_check_digits=[
        *(f"15502370264989{sign}" for sign in _SIGNS if sign != "N"),
        "008182709980000020033350276D",
    ],
    errors=[ERRORS],
    make_answer=xml,
    accepted=ACCEPTED,
    accepted_known=ACCEPTED,
    hostile=(
        fault(an_error("PermissionDenied", HOSTILE_XML)),
        fault(an_error("CustomerPermissionDenied", HOSTILE_XML)),
        fault(an_error("InvalidInput", HOSTILE_XML)),
        fault(an_error("InvalidInput", HOSTILE_XML + " colis")),
        fault(an_error(HOSTILE_XML, HOSTILE_XML)),
        fault(text=HOSTILE_XML),
        shipment(a_trace(HOSTILE_XML, label=HOSTILE_XML)),
    ),
    whole=[fault(an_error("InvalidInput")), xml(an_error("PermissionDenied"))],
    nobody=(trace_response(""), K.NOT_FOUND),
    status=lambda code: proved(PREPARED, a_trace(code)),
    label="Un statut",
    delivered=["40", "400"],
    not_delivered=sorted(code for code, status in CODES.items() if status is not ParcelStatus.RETURNED),
    strange=["13", "23", "50", "4", "4000", "abc", "-1"],
    times=[(proved(a_trace("40", day, hour), delivered_on="07.10.2026"), at) for day, hour, at in TIMES],
    signed=lambda name: proved(HANDED_OVER, receiver=xml_text(name)),
    signatories=[(proved(HANDED_OVER, receiver=receiver), signatory) for receiver, signatory in SIGNATORIES],
    encoded=lambda encoded: shipment(HANDED_OVER, images=an_image(encoded)),
    bare=proved(a_trace("40", "", ""), delivered_on="", receiver=""),
    nameless=proved(HANDED_OVER, receiver=""),
)
