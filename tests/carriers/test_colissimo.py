"""The requests to Colissimo, and the meaning of each answer. The client and the simulator list the sources."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recours.carriers.answers import ParcelStatus
from recours.carriers.colissimo import (
    CODES,
    DOCUMENT_CODES,
    INNER_CODES,
    TIMELINE_CODES,
    Colissimo,
    Listed,
    parse_document,
)
from recours.carriers.colissimo import parse_documents as parse_documents_of
from recours.carriers.colissimo import parse_tracking as parse_tracking_of
from recours.carriers.message import Response
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Failure, Outcome, Piece, Retrieved
from recours.core.quota import Capability
from tests.carriers.table import Row, Table
from tests.fakes.answers import HOSTILE, PDF, PNG, raw
from tests.fakes.checks import as_failure
from tests.fakes.session import FakeSession, fetched
from tests.rows import row

NUMBER = "6A00000000017"
BY_PASSWORD = {"COLISSIMO_LOGIN": "100001", "COLISSIMO_PASSWORD": "s3cret"}
BY_KEY = {"COLISSIMO_API_KEY": "k3y"}
AT = datetime(2026, 10, 5, 8, 8, 43, tzinfo=UTC)
KNOWN = Delivery(AT)
SOURCE = "colissimo document"
K = ErrorKind


def response(tree: Any, status: int = 200) -> Response:
    return raw(json.dumps(tree), status, "application/json;charset=UTF-8")


def an_event(code: Any, date: Any = "2026-10-05T10:08:43.000", label: Any = "Un événement") -> dict[str, Any]:
    place = {"siteCode": "000001", "siteName": "LILLE PFC", "siteZipCode": "59000"}
    return {"date": date, "code": code, "labelLong": label, **place}


def a_step(number: Any, status: str, date: Any = None) -> dict[str, Any]:
    words = {"labelShort": f"Étape {number}", "labelLong": "", "countryCodeISO": "FR"}
    return {"stepId": number, **words, "status": f"STEP_STATUS_{status}", "date": date}


ON_ITS_WAY = (a_step(2, "ACTIVE", "2026-10-04T10:00:00.000"), a_step(5, "INACTIVE"))
ARRIVED = (a_step(4, "INACTIVE"), a_step(5, "ACTIVE", "2026-10-05T10:08:43.000"))


def tracked(*events: Any, steps: Sequence[Any] = ON_ITS_WAY, **more: Any) -> Response:
    consignee = {"name": "MARTIN", "firstName": "ALICE", "address": {"zipCode": "59000", "city": "LILLE"}}
    parcel = {
        "parcelNumber": NUMBER,
        "contractNumber": "100001",
        "statusDelivery": True,
        "consigneeInformation": consignee,
        "removalPoint": None,
        "service": {"deliveryChoice": ""},
        "step": list(steps),
        "event": list(events),
        **more,
    }
    return response({"lang": "fr_FR", "status": [{"code": "0", "message": "OK"}], "parcel": parcel})


def timeline_error(code: Any, message: Any = "Un message", status: int = 200) -> Response:
    tree = {"lang": "fr_FR", "status": [{"code": code, "message": message}], "parcel": None}
    return response(tree, status)


def an_entry(kind: Any = "SIGNATURE", **more: Any) -> dict[str, Any]:
    entry = {
        "url": "/document",
        "eventCode": "LIVCFM",
        "eventDate": "2026-10-05T10:08:43.000+0200",
        "eventSiteCode": "000001",
        "documentType": kind,
        "carrier": "COL",
        "path": f"/panama/2026/10/05/{kind}.pdf",
        "uuid": f"uuid-{kind}",
        "cab": NUMBER,
    }
    return entry | more


def listed(*entries: Any) -> Response:
    return response({"errorCode": "000", "errorLabel": "OK", "documents": list(entries)})


def refused(code: Any, label: str = "KO", *inner: Any, status: int = 404) -> Response:
    errors = [{"code": number, "message": "Un message"} for number in inner]
    return response({"errorCode": code, "errorLabel": label, **({"errors": errors} if inner else {})}, status)


def parse_tracking(answer: Response) -> Delivery | Failure:
    return parse_tracking_of(answer, NUMBER)


def parse_documents(answer: Response) -> list[Listed] | Failure:
    return parse_documents_of(answer, NUMBER)


DELIVERED = tracked(an_event("LIVCFM"), an_event("AARCFM", "2026-10-05T07:00:00.000"), steps=ARRIVED)
EARLY = "2026-10-01T10:00:00.000+0200"
LISTED = listed(an_entry())
DOCUMENT = raw(PDF, kind="application/pdf")
A_PROOF = Listed("/a", "uuid")


def fetch(
    *answers: Response | Failure, known: Delivery | None = None, settings: Mapping[str, str] = BY_PASSWORD
) -> tuple[Outcome, FakeSession]:
    return fetched(Colissimo(settings), NUMBER, answers, known)


def failure_of(*answers: Response | Failure, known: Delivery | None = None) -> Failure:
    failure = as_failure(fetch(*answers, known=known)[0])
    assert failure.http_status == getattr(answers[-1], "status", None)
    return failure


# ---------------------------------------------------------------- requests


@pytest.mark.parametrize(
    ("settings", "credential"),
    [
        (BY_PASSWORD, {"login": "100001", "password": "s3cret"}),
        (BY_KEY, {"apiKey": "k3y"}),
        (BY_PASSWORD | BY_KEY, {"login": "100001", "password": "s3cret"}),
        ({"COLISSIMO_LOGIN": "", "COLISSIMO_PASSWORD": "", **BY_KEY}, {"apiKey": "k3y"}),
    ],
)
def test_requests_match_the_documentation(settings: dict[str, str], credential: dict[str, str]) -> None:
    _, session = fetch(DELIVERED, LISTED, DOCUMENT, settings=settings)
    sent = [
        (what, r.method, r.path, dict(r.headers), json.loads(r.body or b"")) for what, r in session.requests
    ]
    accepts_json = {"Content-Type": "application/json", "Accept": "application/json"}
    shared = {"credential": credential, "cab": NUMBER, "lang": "fr_FR"}
    one = {"path": "/panama/2026/10/05/SIGNATURE.pdf", "uuid": "uuid-SIGNATURE"}
    timeline = "/tracking-timeline-ws/rest/tracking/timelineCompany"
    tracking = {**credential, "parcelNumber": NUMBER, "lang": "fr_FR"}
    assert sent == [
        (Capability.TRACKING, "POST", timeline, accepts_json, tracking),
        (Capability.POD, "POST", "/api-document/rest/documents", accepts_json, shared),
        (
            Capability.POD,
            "POST",
            "/api-document/rest/document",
            accepts_json | {"Accept": "*/*"},
            shared | one,
        ),
    ]


@pytest.mark.parametrize(
    ("entry", "path", "uuid"),
    [
        (an_entry(uuid=None), "/panama/2026/10/05/SIGNATURE.pdf", None),
        (an_entry(path=None), None, "uuid-SIGNATURE"),
        (an_entry(path=" "), None, "uuid-SIGNATURE"),
        (an_entry(path="http://elsewhere.invalid/"), "http://elsewhere.invalid/", "uuid-SIGNATURE"),
        (an_entry(path="../\ud800é\n"), "../\ud800é\n", "uuid-SIGNATURE"),
        (an_entry(path="p" * 100_000), None, "uuid-SIGNATURE"),
        (an_entry(path=7), None, "uuid-SIGNATURE"),
    ],
)
def test_the_path_of_a_document_is_only_a_request_parameter(
    entry: Any, path: str | None, uuid: str | None
) -> None:
    outcome, session = fetch(DELIVERED, listed(entry), DOCUMENT)
    assert isinstance(outcome, Retrieved)
    request = session.requests[2][1]
    assert (request.path, request.origin) == ("/api-document/rest/document", "")
    sent = json.loads(request.body or b"")
    assert (sent["path"], sent["uuid"]) == (path, uuid)


# ---------------------------------------------------------------- answers of the tracking

IN_BOTH_SHOP_MODULES = [
    *("LIVCFM", "LIVGAR", "LIVRTI", "LIVVOI", "LIVBPO", "LIVDIV", "LIVRCA", "LIVRCC", "LIVACC"),
    *("LIVBAL", "LIVCGA"),
]
P = ParcelStatus


def of_status(*statuses: ParcelStatus) -> list[str]:
    return sorted(code for code, status in CODES.items() if status in statuses)


def test_the_tables_have_these_codes() -> None:
    assert sorted(IN_BOTH_SHOP_MODULES) == of_status(P.DELIVERED)
    assert of_status(P.RETURNED) == ["LIVEXP", "LIVREO", "LIVVPC", "SCCEXP"]
    assert of_status(P.SEIZED, P.PROHIBITED) == ["DOUPRO", "RSTPRO", "SOLDDR"]
    assert of_status(P.ACCEPTED) == ["AECCOU", "AECPRE", "ECHCLI", "PCHCEI", "PCHCFM"]
    counted = [len(of_status(status)) for status in (P.GOING_BACK, P.ON_ITS_WAY, P.UNCLEAR)]
    assert (counted, len(CODES)) == ([44, 171, 98], 336)
    assert set(TIMELINE_CODES) == {"101", "103", "104", "105", "201", "202", "1000"}
    assert set(INNER_CODES) == {"144", "150", "153"}
    assert set(DOCUMENT_CODES) == {"001", "002", "003", "004", "005"}


# At least one code for each kind of label, classified by a person who read the label.
DECIDED = {
    "COMCFM": P.ON_ITS_WAY,  # announced
    "PCHCFM": P.ACCEPTED,  # "pris en charge par La Poste" in the older table
    "PCHTRI": P.ON_ITS_WAY,  # "en cours d'acheminement"
    "AARCFM": P.ON_ITS_WAY,  # "arrivé sur son site de distribution"
    "AARAVI": P.ON_ITS_WAY,  # "à disposition dans le point de retrait"
    "LIVRLI": P.ON_ITS_WAY,  # "arrivé au point de retrait"
    "DOUPAR": P.ON_ITS_WAY,  # "saisie partielle [...] remis en acheminement"
    "RENARV": P.ON_ITS_WAY,  # "le destinataire était absent"
    "RENACO": P.ON_ITS_WAY,  # "rééxpédié au domicile du destinataire"
    "ENEMQT": P.ON_ITS_WAY,  # "n'a pas pu être récupéré"
    "RENAVA": P.GOING_BACK,  # "retourné à l'expéditeur suite à un refus"
    "AACEDI": P.GOING_BACK,  # "sera retourné à l'expéditeur"
    "PABRET": P.GOING_BACK,  # "renvoyé à l'expéditeur"
    "RENEMB": P.GOING_BACK,  # "a été retourné à l'expéditeur en raison d'un embargo"
    "LIVEXP": P.RETURNED,  # "livré à l'expéditeur suite à un retour"
    "LIVVPC": P.RETURNED,  # "livré", to the mail-order sender
    "SCCEXP": P.RETURNED,  # "retourné à l'expéditeur avec un nouveau numéro"
    "RSTPRO": P.PROHIBITED,  # "le contenu [...] est prohibé, il ne pourra pas être livré"
    "SOLDDR": P.SEIZED,  # "saisi par les autorités douanières, il ne sera pas livré"
    "SCCDES": P.UNCLEAR,  # "avec un nouveau numéro"
    "SOLVOL": P.UNCLEAR,  # "a subi un incident"
    "LIVRDV": P.UNCLEAR,  # "livré", but the carrier's module does not count it as a delivery
    "IGNORE": P.UNCLEAR,  # a code without a label
}


def test_codes_mean_what_their_labels_say() -> None:
    assert {code: CODES[code] for code in DECIDED} == DECIDED


def test_the_last_step_means_delivered_regardless_of_the_events() -> None:
    for events in ([], [an_event("AARCFM", "2026-10-05T07:00:00.000")]):
        outcome, _ = fetch(tracked(*events, steps=ARRIVED), LISTED, DOCUMENT)
        assert outcome == Retrieved.single(PDF, KNOWN, SOURCE)
    text = [a_step("5", "ACTIVE", "2026-10-05T10:08:43.000")]
    assert parse_tracking(tracked(steps=text)) == KNOWN


@pytest.mark.parametrize("status", ["INACTIVE", "DISABLED"])
def test_an_inactive_last_step_does_not_mean_delivered(status: str) -> None:
    failure = parse_tracking(tracked(steps=[a_step(4, "ACTIVE"), a_step(5, status)]))
    assert isinstance(failure, Failure)
    assert failure.kind is K.NOT_DELIVERED_YET
    assert "Étape 4" in failure.message


@pytest.mark.parametrize("steps", [ON_ITS_WAY, ARRIVED], ids=["in transit", "arrived"])
def test_a_parcel_on_its_way_back_may_still_be_redirected(steps: Sequence[Any]) -> None:
    """The steps are ignored, because a completed last step would belong to the return."""
    before = an_event("AARCFM", "2026-10-01T00:00:00.000")
    for code in of_status(P.GOING_BACK):
        with row(code):
            failure = failure_of(tracked(an_event(code), before, steps=steps))
            assert (failure.kind, failure.unknown) == (K.NOT_DELIVERED_YET, None)
            assert failure.message == "The parcel has not been delivered yet (Un événement)"


@pytest.mark.parametrize("code", of_status(P.SEIZED, P.PROHIBITED))
def test_a_seized_or_prohibited_parcel_is_never_delivered(code: str) -> None:
    later = an_event("DSCCLO", "2026-10-09T00:00:00.000")
    failure = failure_of(tracked(later, an_event(code, label="Saisi par les douanes")))
    assert (failure.kind, failure.delivery) == (K.POD_NEVER_AVAILABLE, None)
    assert failure.message.startswith("Colissimo says that the ")
    assert failure.message.endswith(", so it will never be delivered (Saisi par les douanes)")


@pytest.mark.parametrize("product", ["DOM", "COM", "COLD"])
@pytest.mark.parametrize("place", ["parcel", "service"])
def test_a_product_without_signature_never_has_a_proof(product: str, place: str) -> None:
    named = {"productCode": product}
    more: dict[str, Any] = named if place == "parcel" else {"service": named}
    failure = failure_of(tracked(an_event("LIVCFM"), **more))
    assert (failure.kind, failure.delivery) == (K.POD_NEVER_AVAILABLE, KNOWN)
    assert "sent without signature" in failure.message
    assert failure_of(tracked(an_event("AARCFM"), **more)).kind is K.NOT_DELIVERED_YET


@pytest.mark.parametrize("product", ["DOS", "CDS", "COL", "XYZ", "", None, ["DOM"]])
def test_documents_of_other_products_are_requested(product: Any) -> None:
    outcome, _ = fetch(tracked(an_event("LIVCFM"), productCode=product), LISTED, DOCUMENT)
    assert outcome == Retrieved.single(PDF, KNOWN, SOURCE)


@pytest.mark.parametrize("code", of_status(P.RETURNED))
@pytest.mark.parametrize("steps", [ON_ITS_WAY, ARRIVED])
def test_a_parcel_back_at_its_sender_was_not_delivered(code: str, steps: Sequence[Any]) -> None:
    avised = an_event("RENAVI", "2026-10-01T09:00:00.000")
    failure = failure_of(tracked(an_event(code), avised, steps=steps))
    assert (failure.kind, failure.delivery) == (K.RETURNED_TO_SENDER, None)
    assert failure.message == "Colissimo says that the parcel was returned to the sender (Un événement)"


@pytest.mark.parametrize("back", ["LIVREO", "RENAVA"])
def test_a_return_takes_precedence_over_an_earlier_or_later_delivery(back: str) -> None:
    early, late = "2026-10-01T09:00:00.000", "2026-10-05T10:08:43.000"
    for turn in (1, -1):
        for first, second in ((back, "LIVCFM"), ("LIVCFM", back)):
            failure = failure_of(tracked(*[an_event(second, late), an_event(first, early)][::turn]))
            goes_back = (first, second) == ("LIVCFM", "RENAVA")
            assert failure.kind is (K.NOT_DELIVERED_YET if goes_back else K.RETURNED_TO_SENDER)
            assert failure.delivery is None


@pytest.mark.parametrize("code", of_status(P.ACCEPTED))
def test_a_delivery_before_the_acceptance_belongs_to_another_parcel(code: str) -> None:
    old = an_event("LIVCFM", "2026-09-05T10:08:43.000")
    accepted = an_event(code, "2026-10-01T10:08:43.000")
    assert failure_of(tracked(accepted, old)).kind is K.NOT_DELIVERED_YET
    assert parse_tracking(tracked(an_event("LIVCFM"), accepted, old)) == KNOWN
    returned = an_event("LIVEXP", "2026-09-09T10:08:43.000")
    assert parse_tracking(tracked(an_event("LIVCFM"), accepted, returned)) == KNOWN


def test_the_number_in_an_answer_may_be_missing_or_in_lower_case() -> None:
    assert parse_tracking(tracked(an_event("LIVCFM"), parcelNumber=None)) == KNOWN
    assert parse_tracking(tracked(an_event("LIVCFM"), parcelNumber=NUMBER.lower())) == KNOWN


def test_a_document_of_another_parcel_is_not_requested() -> None:
    """The mistake could not be detected later, because an image does not name the parcel."""
    other = an_entry("SIGNATURE", cab="6A00000000025")
    assert failure_of(DELIVERED, listed(other)).kind is K.BAD_RESPONSE
    outcome, session = fetch(DELIVERED, listed(other, an_entry("PHOTO")), DOCUMENT)
    assert isinstance(outcome, Retrieved)
    assert json.loads(session.requests[2][1].body or b"")["uuid"] == "uuid-PHOTO"


@pytest.mark.parametrize(
    ("date", "at"),
    [
        ("2026-10-05T10:08:43.000", AT),  # French summer time
        ("2026-01-05T10:08:43.000", datetime(2026, 1, 5, 9, 8, 43, tzinfo=UTC)),
        ("2026-10-05T10:08:43.000+0200", AT),
        ("2026-10-05T08:08:43Z", AT),
        ("2026-10-25T02:30:00.000", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # this hour occurs twice
        ("9999-12-31T23:59:59-14:00", None),
        ("0001-01-01T00:00:00.000", None),
        ("hier", None),
        (["2026"], None),
        (None, None),
    ],
)
def test_the_time_of_delivery(date: Any, at: datetime | None) -> None:
    for answer in (
        tracked(an_event("LIVCFM", date)),
        tracked(steps=[a_step(5, "ACTIVE", date)]),
        tracked(an_event("LIVCFM", None), steps=[a_step(5, "ACTIVE", date)]),
    ):
        delivery = parse_tracking(answer)
        assert delivery == Delivery(at)
        assert isinstance(delivery, Delivery)
        assert delivery.at is None or delivery.at.utcoffset() == timedelta()


def test_a_time_missing_in_the_tracking_is_from_the_document() -> None:
    undated = tracked(an_event("LIVCFM", None))
    outcome, session = fetch(undated, LISTED, DOCUMENT)
    assert outcome == Retrieved.single(PDF, KNOWN, SOURCE)
    assert session.known == KNOWN
    other = listed(an_entry(eventDate="2026-10-04T10:00:00.000+0200"))
    outcome, _ = fetch(DELIVERED, other, DOCUMENT)
    assert outcome == Retrieved.single(PDF, KNOWN, SOURCE)
    assert failure_of(undated, LISTED, refused("003")).delivery == KNOWN


def test_the_consignee_of_the_label_is_not_a_signatory() -> None:
    assert b"MARTIN" in DELIVERED.body
    assert parse_tracking(DELIVERED) == Delivery(AT, None)
    # A signatory that is already known is kept.
    outcome, _ = fetch(LISTED, DOCUMENT, known=Delivery(None, "DUPONT"))
    assert outcome == Retrieved.single(PDF, Delivery(AT, "DUPONT"), SOURCE)


TIMELINE_ROWS: list[tuple[Any, ErrorKind]] = [
    ("101", K.INVALID_TRACKING),
    ("105", K.NOT_FOUND),
    ("103", K.NOT_FOUND),
    ("104", K.ACCESS_DENIED),
    ("202", K.ACCOUNT_DENIED),
    ("201", K.AUTH_FAILED),
    ("1000", K.SERVER_ERROR),
    (105, K.NOT_FOUND),  # a number instead of a string
    ("77", K.BAD_RESPONSE),
]


@pytest.mark.parametrize("status", [200, 400, 404])
@pytest.mark.parametrize(("code", "kind"), TIMELINE_ROWS)
def test_codes_of_the_timeline(code: Any, kind: ErrorKind, status: int) -> None:
    failure = failure_of(timeline_error(code, status=status))
    assert failure.kind is kind
    assert "Colissimo" in failure.message
    assert failure.message.endswith((": Un message", f": Un message (HTTP {status})"))
    assert (failure.unknown is not None) is (code == "77")


@pytest.mark.parametrize(("code", "kind"), TIMELINE_ROWS)
def test_a_timeline_code_takes_precedence_over_the_http_status(code: Any, kind: ErrorKind) -> None:
    failure = failure_of(timeline_error(code, status=500))
    assert failure.kind is (K.SERVER_ERROR if code == "77" else kind)
    assert (failure.unknown is not None) is (code == "77")


@pytest.mark.parametrize(
    ("status", "kind"), [(404, K.BAD_RESPONSE), (500, K.SERVER_ERROR), (401, K.AUTH_FAILED)]
)
def test_a_valid_tracking_answer_needs_http_200(status: int, kind: ErrorKind) -> None:
    failure = failure_of(replace(DELIVERED, status=status))
    assert (failure.kind, failure.unknown) == (kind, None)


def test_the_text_of_a_refused_tracking_call_is_quoted_from_another_format() -> None:
    failure = failure_of(response({"error": "Bad Request", "message": "lang"}, 400))
    assert failure.message == "Colissimo could not read our request: lang"


def test_events_without_steps_are_enough() -> None:
    failure = failure_of(tracked(an_event("AARCFM"), steps=[]))
    assert failure.kind is K.NOT_DELIVERED_YET
    assert parse_tracking(tracked(an_event("LIVCFM"), steps=[])) == KNOWN


def test_without_events_the_last_active_step_says_where_the_parcel_is() -> None:
    steps = [a_step(1, "ACTIVE"), a_step(3, "ACTIVE") | {"labelLong": "Sur son site"}, a_step(4, "INACTIVE")]
    assert "(Sur son site)" in failure_of(tracked(steps=steps)).message


def test_an_event_without_a_time_keeps_its_place_in_the_list() -> None:
    failure = failure_of(tracked(an_event("AARCFM", label="Arrivé"), an_event("COMCFM", None, "Annoncé")))
    assert "(Arrivé)" in failure.message


# ---------------------------------------------------------------- answers with documents

DOCUMENT_ROWS: dict[str, Row] = {
    "005 / 150": (refused("005", "BODY INVALID", 150, status=400), K.INVALID_TRACKING),
    "005": (refused("005", "BODY INVALID", status=400), K.INVALID_TRACKING),
    "001 / 153": (refused("001", "CAB NOT FOUND", 153), K.NOT_FOUND),
    "001": (refused("001", "CAB NOT FOUND"), K.NOT_FOUND),
    "153": (refused("999", "KO", 153), K.NOT_FOUND),
    "002": (refused("002", "CAB OR UUID NOT FOUND"), K.NOT_FOUND),
    "999 / 144": (refused("999", "KO", 144), K.ACCESS_DENIED),
    "999 / 144 as a text": (refused("999", "KO", "144"), K.ACCESS_DENIED),
    "004": (refused("004", "CREDENTIAL INVALID"), K.AUTH_FAILED),
    "004 with 200": (refused("004", "CREDENTIAL INVALID", status=200), K.AUTH_FAILED),
    "004 with 403": (refused("004", "CREDENTIAL INVALID", status=403), K.AUTH_FAILED),
    "401": (raw("", 401), K.AUTH_FAILED),
    "401, words": (response({"error": "Unauthorized", "message": "no"}, 401), K.AUTH_FAILED),
    "403": (raw("", 403), K.ACCOUNT_DENIED),
    "003": (refused("003", "DOCUMENT NOT FOUND"), K.POD_NOT_AVAILABLE_YET),
    "003 with 200": (refused("003", "DOCUMENT NOT FOUND", status=200), K.POD_NOT_AVAILABLE_YET),
    "413": (raw("", 413), K.BAD_RESPONSE),
    "503": (raw("", 503), K.SERVER_ERROR),
    "500": (response({"error": "Internal Server Error", "message": "oh"}, 500), K.SERVER_ERROR),
    "502, a page": (raw("<html>Bad gateway</html>", 502), K.SERVER_ERROR),
    "400, words": (response({"error": "Bad Request", "message": "lang"}, 400), K.BAD_RESPONSE),
    "messages": (response({"messages": [{"id": "300", "messageContent": "no"}]}, 400), K.BAD_RESPONSE, "300"),
    "404, a page": (raw("<html/>", 404, "text/html"), K.BAD_RESPONSE),
    "000 with 404": (response({"errorCode": "000", "documents": [an_entry()]}, 404), K.BAD_RESPONSE),
}

CODES_OF_NO_TABLE: list[Any] = [
    (refused("999", "KO"), K.BAD_RESPONSE, "999"),
    (refused("999", "KO", 145), K.BAD_RESPONSE, "999 / 145"),
    (refused("777", "KO"), K.BAD_RESPONSE, "777"),
    (refused("777", "KO", status=500), K.SERVER_ERROR, "777"),
    (refused("999", "KO", 145, status=401), K.AUTH_FAILED, "999 / 145"),
    # The body is invalid for another reason than the number, which is our mistake.
    (refused("005", "BODY INVALID", 151, status=400), K.BAD_RESPONSE, "005 / 151"),
    (refused("001", "CAB NOT FOUND", 154), K.NOT_FOUND, "001 / 154"),
    (refused(7, "KO", status=200), K.BAD_RESPONSE, "7"),
    (response({"errors": [{"code": 145}]}, 404), K.BAD_RESPONSE, "none / 145"),
]


@pytest.mark.parametrize("status", [400, 413])
def test_an_unreadable_request_is_reported(status: int) -> None:
    failure = failure_of(raw("", status), known=KNOWN)
    assert failure.message == "Colissimo could not read our request"


def test_a_known_inner_code_takes_precedence() -> None:
    assert failure_of(refused("999", "KO", 1, 144), known=KNOWN).kind is K.ACCESS_DENIED


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refused("999", "KO", 144), "Un message"),
        (refused("003", "DOCUMENT NOT FOUND"), "DOCUMENT NOT FOUND"),
        (response({"error": "Bad Request", "message": "lang"}, 400), "lang"),
        (response({"error": "Bad Request"}, 400), "Bad Request"),
        (response({"messages": [{"id": "1", "messageContent": "Rien"}]}, 400), "Rien"),
    ],
)
def test_the_carriers_text_is_quoted_from_every_format(answer: Response, words: str) -> None:
    assert f": {words}" in failure_of(answer, known=KNOWN).message


WITHOUT_PROOF: list[list[Any]] = [
    [],
    [an_entry("LABEL"), an_entry("CN23"), an_entry("OTHER"), an_entry("C50")],
    [an_entry(path=None, uuid=None)],
    [an_entry(path="", uuid="  ")],
    [an_entry(path=["a"], uuid={"a": 1})],
    [an_entry("signature")],
    [an_entry(None)],
    [None, 7, "SIGNATURE", [an_entry()]],
]


@pytest.mark.parametrize("entries", WITHOUT_PROOF)
def test_a_list_without_a_usable_proof_means_not_yet(entries: list[Any]) -> None:
    failure = failure_of(DELIVERED, listed(*entries))
    assert (failure.kind, failure.delivery, failure.unknown) == (K.POD_NOT_AVAILABLE_YET, KNOWN, None)


@pytest.mark.parametrize("tree", [{"errorCode": "000"}, {"errorCode": "000", "documents": None}])
def test_a_missing_list_means_not_yet(tree: Any) -> None:
    assert failure_of(response(tree), known=KNOWN).kind is K.POD_NOT_AVAILABLE_YET


@pytest.mark.parametrize("documents", ["none", 7, True])
def test_an_invalid_list_cannot_be_read(documents: Any) -> None:
    answer = response({"errorCode": "000", "documents": documents})
    assert failure_of(answer, known=KNOWN).kind is K.BAD_RESPONSE


@pytest.mark.parametrize(
    ("entries", "uuid"),
    [
        ([an_entry("PHOTO"), an_entry("DELIVERY_CERTIFICATE"), an_entry("SIGNATURE")], "uuid-SIGNATURE"),
        ([an_entry("SIGNATURE"), an_entry("PHOTO"), an_entry("LABEL")], "uuid-SIGNATURE"),
        ([an_entry("PICTURE"), an_entry("DELIVERY_CERTIFICATE")], "uuid-DELIVERY_CERTIFICATE"),
        ([an_entry("LABEL"), an_entry("PHOTO")], "uuid-PHOTO"),
        ([an_entry("LABEL"), an_entry("PICTURE")], "uuid-PICTURE"),
        ([an_entry(path=None, uuid=None), an_entry("PHOTO")], "uuid-PHOTO"),
        ([an_entry(uuid="1", eventDate=EARLY), an_entry(uuid="2"), an_entry(uuid="3", eventDate=None)], "2"),
        # The type of a document is more important than its date.
        ([an_entry("PHOTO", eventDate="2026-10-09T10:00:00.000+0200"), an_entry()], "uuid-SIGNATURE"),
    ],
)
def test_the_best_proof_of_a_list_is_requested(entries: list[Any], uuid: str) -> None:
    found = parse_documents(listed(*entries))
    assert isinstance(found, list)
    assert found[0].uuid == uuid
    assert len({one.type for one in found}) == len(found)


def test_all_documents_of_a_list_are_fetched() -> None:
    entries = [an_entry("PHOTO"), an_entry("LABEL"), an_entry("SIGNATURE"), an_entry("SIGNATURE")]
    outcome, session = fetch(listed(*entries), DOCUMENT, raw(PNG, kind="image/png"), known=KNOWN)
    photo = Piece(PNG, SOURCE, EvidenceKind.PHOTO)
    assert outcome == Retrieved((Piece(PDF, SOURCE), photo), KNOWN)
    assert len(session.requests) == 3


@pytest.mark.parametrize("second", [raw(b"{}"), Failure(K.RATE_LIMITED, "Colissimo is at its limit")])
def test_a_document_is_kept_if_another_is_unavailable(second: Response | Failure) -> None:
    entries = [an_entry("PHOTO"), an_entry("SIGNATURE")]
    outcome, _ = fetch(listed(*entries), DOCUMENT, second, known=KNOWN)
    assert outcome == Retrieved.single(PDF, KNOWN, SOURCE)


def test_a_single_document_may_have_no_list() -> None:
    found = parse_documents(response({"errorCode": "000", "documents": an_entry()}))
    assert isinstance(found, list)
    assert found[0].at == AT


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PDF, "application/pdf"),
        (PNG, "image/png"),
        (b"\xff\xd8\xff" + b"x" * 200, "application/octet-stream"),
        (PDF, ""),
    ],
)
def test_the_bytes_are_returned_unchanged(content: bytes, kind: str) -> None:
    for answer in (raw(content, kind=kind), Response(200, {}, content)):
        assert parse_document(answer, KNOWN, A_PROOF) == Retrieved.single(content, KNOWN, SOURCE)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (raw(json.dumps({"errorCode": "003"}), kind="application/pdf"), K.POD_NOT_AVAILABLE_YET),
        (raw(' \r\n{"errorCode": "004"}', kind="application/pdf"), K.AUTH_FAILED),
        (raw('\ufeff{"errorCode": "004"}', kind="application/pdf"), K.AUTH_FAILED),
        (raw('{"errorCode": "000"}'), K.BAD_RESPONSE),
        (raw("[]", kind="application/pdf"), K.BAD_RESPONSE),
        (raw(PDF, kind="application/json"), K.BAD_RESPONSE),
        (raw("{" + "x" * 300, kind="application/pdf"), K.BAD_RESPONSE),
        (raw("<!DOCTYPE html><html>Maintenance</html>", kind="text/html"), K.BAD_RESPONSE),
        (raw("\n<html>Maintenance</html>", kind="application/pdf"), K.BAD_RESPONSE),
        (raw("Maintenance", kind="TEXT/HTML"), K.BAD_RESPONSE),
        (raw("", kind="application/pdf"), K.BAD_RESPONSE),
        (raw(" \n", kind="application/pdf"), K.BAD_RESPONSE),
        (raw(PDF, 500, "application/pdf"), K.SERVER_ERROR),
        (raw(PDF, 404, "application/pdf"), K.BAD_RESPONSE),
    ],
)
def test_answers_without_a_document_are_failures(answer: Response, kind: ErrorKind) -> None:
    failure = failure_of(LISTED, answer, known=KNOWN)
    assert (failure.kind, failure.delivery) == (kind, KNOWN)


# ---------------------------------------------------------------- invalid answers

BODIES: dict[str, Row] = {
    "a page that reports it": (raw("<!DOCTYPE html><html></html>", kind="text/html"), K.BAD_RESPONSE),
    "401": (raw("", 401), K.AUTH_FAILED),
    "403": (raw("", 403), K.ACCOUNT_DENIED),
}


@pytest.mark.parametrize(
    "parcel",
    [
        None,
        [],
        {},
        "x",
        {"step": [], "event": []},
        {"step": {"item": [1]}, "event": "LIVCFM"},
        {"event": [7]},
    ],
)
def test_a_tracking_answer_without_a_parcel_is_unreadable(parcel: Any) -> None:
    answer = response({"status": [{"code": "0"}], "parcel": parcel})
    assert failure_of(answer).kind is K.BAD_RESPONSE


def test_a_tracking_answer_without_a_status_code_is_unreadable() -> None:
    tree = json.loads(DELIVERED.body)
    statuses: list[Any] = [{}, [], [{"message": "OK"}], [[]], "0", None]
    for status in statuses:
        assert failure_of(response(tree | {"status": status})).kind is K.BAD_RESPONSE
    assert parse_tracking(response(tree | {"status": {"code": 0}})) == KNOWN


# ---------------------------------------------------------------- our account

ACCEPTED: list[Any] = [
    ([tracked(an_event("AARCFM"))], True),
    ([timeline_error("105")], True),
    ([timeline_error("104")], True),
    ([timeline_error("201")], False),
    ([timeline_error("1000")], False),
    ([timeline_error("77")], False),
    ([raw("<html/>")], False),
    ([raw("", 401)], False),
]

# ---------------------------------------------------------------- the table for test_rules.py

_CODES = {
    f"code {n}": (answer, meaning, f"the error code {seen} (HTTP {answer.status}")
    for n, (answer, meaning, seen) in enumerate(CODES_OF_NO_TABLE)
}
TABLE = Table(
    make=lambda: Colissimo(BY_PASSWORD),
    number=NUMBER,
    facts={
        "name": "Colissimo",
        "spellings": ("Colissimo International", "Colissimo France", "So Colissimo", "Coliposte"),
        "limits": {None: "1000/day@Europe/Paris"},
        "base_url": "https://ws.colissimo.fr",
        "credentials": (("COLISSIMO_LOGIN", "COLISSIMO_PASSWORD"), ("COLISSIMO_API_KEY",)),
        "calls": {Capability.TRACKING: 1, Capability.POD: 2},
    },
    answers=(DELIVERED, LISTED, DOCUMENT),
    known=KNOWN,
    proof=Retrieved.single(PDF, KNOWN, SOURCE),
    numbers="8R12345678901 0012345678901 EY123456785FR LL000000000FR 6A00000000000",
    no_numbers="6A0000000001 6A000000000170 AA00000000017 EY1234567890R E1123456785FR 6A0000000001X",
    # Only numbers of the postal union, here a published one, can have a wrong check digit.
    good_check_digits=[NUMBER, "6A00000000018", "0012345678901", "RR473124829FR"],
    bad_check_digits=[f"RR47312482{n}FR" for n in range(9)],
    errors=[BODIES, DOCUMENT_ROWS | _CODES | BODIES, DOCUMENT_ROWS | BODIES],
    accepted=ACCEPTED,
    accepted_known=[
        ([LISTED, DOCUMENT], True),
        ([LISTED, raw("", 500)], True),  # the list contained a proof
        ([refused("003")], True),
        ([refused("999", "KO", 144)], True),
        ([refused("004")], False),
        ([raw("", 500)], False),
    ],
    of_another=[
        tracked(an_event("LIVCFM"), parcelNumber="6A00000000025"),
        tracked(steps=ARRIVED, parcelNumber="1"),
    ],
    hostile=(
        [timeline_error("1000", HOSTILE)],
        [timeline_error(HOSTILE, HOSTILE)],
        [tracked(an_event("AARCFM", label=HOSTILE))],
        [tracked(an_event(HOSTILE, label=HOSTILE))],
        [tracked(an_event("LIVREO", label=HOSTILE))],
        [DELIVERED, refused(HOSTILE, HOSTILE, HOSTILE)],
        [DELIVERED, LISTED, response({"message": HOSTILE}, 500)],
        [DELIVERED, LISTED, response({"messages": [{"id": HOSTILE, "messageContent": HOSTILE}]}, 400)],
    ),
    whole=[refused("999", "KO", 144), refused("999", "KO", 144, status=200), tracked(an_event("AARCFM"))],
    nobody=(timeline_error("105"), K.NOT_FOUND),
    status=lambda code: tracked(an_event("COMCFM", "2026-10-01T00:00:00.000"), an_event(code)),
    delivered=IN_BOTH_SHOP_MODULES,
    not_delivered=of_status(P.ON_ITS_WAY, P.UNCLEAR),
    strange=["LIVXXX", "RENXYZ", "RSTXYZ", "livcfm", "7"],
)
