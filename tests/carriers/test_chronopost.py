"""The requests to Chronopost, and the meaning of each answer. The client and the simulator list the sources."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recours.carriers.answers import PARIS
from recours.carriers.chronopost import Chronopost
from recours.carriers.message import Response
from recours.core.claim import Claim, Delivery
from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind
from recours.core.outcome import CallError, Failure, Retrieved
from recours.core.policy import Policy
from recours.core.quota import Capability
from recours.evidence.store import DocumentStore
from recours.runs.attempt import attempt, known_failure
from recours.runs.ports import CarrierAnswer
from recours.sandbox import SimulatedClock
from tests.carriers.table import Row, Table
from tests.fakes.answers import HOSTILE_XML, PDF, canonical, envelope, xml_text
from tests.fakes.answers import xml as response
from tests.fakes.session import FakeSession

NUMBER = "XY123456789FR"
K = ErrorKind
CREDENTIALS = {"CHRONOPOST_ACCOUNT": "10000001", "CHRONOPOST_PASSWORD": "123456"}


def tracked(inside: str) -> Response:
    return response(
        envelope(
            '<ns2:trackSkybillV2Response xmlns:ns2="http://cxf.tracking.soap.chronopost.fr/">'
            f"<return>{inside}</return></ns2:trackSkybillV2Response>"
        )
    )


def proved(inside: str) -> Response:
    return response(
        envelope(
            '<ns2:searchPODResponse xmlns:ns2="http://cxf.tracking.soap.chronopost.fr/">'
            f"<return>{inside}</return></ns2:searchPODResponse>"
        )
    )


def fault(code: str, text: str = "Unmarshalling Error: unexpected element") -> Response:
    inside = f"<soap:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring></soap:Fault>"
    return response(envelope(inside), 500)


def an_event(code: str, date: str = "2026-10-05T10:31:00+02:00", more: str = "") -> str:
    return (
        f"<events><code>{code}</code><eventDate>{date}</eventDate><eventLabel>Un événement</eventLabel>"
        "<highPriority>true</highPriority><NPC>ZZ</NPC><officeLabel>LILLE CHRONOPOST</officeLabel>"
        f"<zipCode>59000</zipCode>{more}</events>"
    )


def signed_by(name: str, label: str = "Nom du réceptionnaire") -> str:
    return f"<infoCompList><name>{label}</name><value>{name}</value></infoCompList>"


def with_events(*events: str) -> Response:
    listed = "".join(events) + f"<skybillNumber>{NUMBER}</skybillNumber>"
    return tracked(f"<errorCode>0</errorCode><listEventInfoComp>{listed}</listEventInfoComp>")


IN_TRANSIT = an_event("TA", "2026-10-05T07:12:00+02:00")
DELIVERED = with_events(IN_TRANSIT, an_event("D", more=signed_by("DUPONT")))
AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)
KNOWN = Delivery(AT, "DUPONT")
WITH_POD = proved(
    "<errorCode>0</errorCode><formatPOD>PDF</formatPOD>"
    f"<pod>{base64.b64encode(PDF).decode()}</pod><podPresente>true</podPresente><statusCode>5</statusCode>"
)

# ---------------------------------------------------------------- requests

TRACKING_REQUEST = """
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
                  xmlns:cxf="http://cxf.tracking.soap.chronopost.fr/">
  <soapenv:Body>
    <cxf:trackSkybillV2>
      <language>fr_FR</language>
      <skybillNumber>XY123456789FR</skybillNumber>
    </cxf:trackSkybillV2>
  </soapenv:Body>
</soapenv:Envelope>
"""
POD_REQUEST = """
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
                  xmlns:cxf="http://cxf.tracking.soap.chronopost.fr/">
  <soapenv:Body>
    <cxf:searchPOD>
      <accountNumber>10000001</accountNumber>
      <password>123456</password>
      <language>fr_FR</language>
      <skybillNumber>XY123456789FR</skybillNumber>
      <pdf>true</pdf>
    </cxf:searchPOD>
  </soapenv:Body>
</soapenv:Envelope>
"""


def test_requests_match_the_documentation() -> None:
    _, session = fetch(DELIVERED, WITH_POD)
    (first, tracking), (second, pod) = session.requests
    assert (first, second) == (Capability.TRACKING, Capability.POD)
    assert canonical(tracking.body or b"") == canonical(TRACKING_REQUEST)
    assert canonical(pod.body or b"") == canonical(POD_REQUEST)
    for request in (tracking, pod):
        assert (request.method, request.path) == ("POST", "/tracking-cxf/TrackingServiceWS")
        assert dict(request.headers) == {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        assert (request.body or b"").startswith(b"<?xml")


def test_credentials_are_escaped() -> None:
    hostile = {"CHRONOPOST_ACCOUNT": "1&2", "CHRONOPOST_PASSWORD": "</password><language>é\"'"}
    session = FakeSession([WITH_POD])
    Chronopost(hostile).fetch(NUMBER, KNOWN, session)
    sent = canonical(session.requests[0][1].body or b"")
    expected = POD_REQUEST.replace("10000001", "1&amp;2").replace(
        "123456<", "&lt;/password&gt;&lt;language&gt;é&quot;&apos;<"
    )
    assert sent == canonical(expected)


# ---------------------------------------------------------------- answers of the tracking

OTHER_CODES = [
    *("B", "MD", "IP", "RB", "P"),  # close to a delivery
    *("DC", "DB", "DV", "DY", "PC", "PE", "SC", "EC", "TS", "TI", "TO", "TP", "AT", "SD", "ED"),
    *("TA", "LR", "J", "X", "CL"),
    *("N", "NA", "CO", "RC", "PA", "AV", "IV", "IN", "NL", "PR", "DO", "DF", "EJ"),  # exceptions
    *("AB", "T", "TT", "EI", "A2", "IS", "IA", "EA", "SJ", "SK", "SM", "O"),  # only in two public clients
]

# ---------------------------------------------------------------- returned, destroyed and canceled parcels

EARLY, NOON, EVENING = "2026-10-05T09:00:00+02:00", "2026-10-05T12:00:00+02:00", "2026-10-05T19:00:00+02:00"


@pytest.mark.parametrize("code", ["R", "Q"])
@pytest.mark.parametrize("arrived", ["D", "D1", "RI", "U", "IM"])
def test_a_delivery_after_a_return_is_to_the_sender(code: str, arrived: str) -> None:
    events = [
        an_event(code, EARLY),
        an_event("TA", NOON),
        an_event(arrived, EVENING, signed_by("EXPEDITEUR")),
    ]
    for listed in (events, events[::-1]):
        failure = failure_of(with_events(*listed))
        assert (failure.kind, failure.delivery) == (K.RETURNED_TO_SENDER, None)
        assert failure.message == (
            "Chronopost says that the parcel was turned back before it was delivered, so it went to the sender (Un événement)"
        )


@pytest.mark.parametrize("code", ["R", "Q"])
@pytest.mark.parametrize("after", [[], [an_event("SC", NOON)], [an_event("ZZ", NOON)]])
def test_a_parcel_on_its_way_back_may_still_be_redirected(code: str, after: list[str]) -> None:
    failure = failure_of(with_events(IN_TRANSIT, an_event(code, EARLY), *after))
    assert failure.kind is K.NOT_DELIVERED_YET
    assert failure.message == "The parcel has not been delivered yet (Un événement)"
    assert (failure.unknown is not None) is ("<code>ZZ<" in "".join(after))


def test_a_destroyed_or_canceled_parcel_is_never_delivered() -> None:
    destroyed = failure_of(with_events(an_event("DR", EARLY), an_event("IV", NOON)))
    assert destroyed.kind is K.POD_NEVER_AVAILABLE
    assert destroyed.message == (
        "Chronopost says that the parcel was destroyed, so it will never be delivered (Un événement)"
    )
    on_its_way_back = [an_event("R", EARLY), an_event("DR", NOON)]
    assert failure_of(with_events(*on_its_way_back)).kind is K.POD_NEVER_AVAILABLE
    cancelled = failure_of(with_events(IN_TRANSIT, an_event("AN")))
    assert cancelled.kind is K.POD_NEVER_AVAILABLE
    assert cancelled.message == (
        "Chronopost says that the shipment was canceled, so it will never be delivered (Un événement)"
    )
    # A parcel with later events was not canceled permanently.
    assert failure_of(with_events(an_event("AN", EARLY), an_event("TA"))).kind is K.NOT_DELIVERED_YET
    delivered = with_events(an_event("D", more=signed_by("DUPONT")), an_event("DR", EVENING))
    assert failure_of(delivered).kind is K.POD_NEVER_AVAILABLE


def test_an_image_that_is_available_leads_to_the_document() -> None:
    outcome, _ = fetch(with_events(IN_TRANSIT, an_event("IM")), WITH_POD)
    assert outcome == Retrieved.single(PDF, Delivery(), "chronopost searchPOD")
    outcome, _ = fetch(
        with_events(an_event("D", more=signed_by("DUPONT")), an_event("IM", "2026-10-06T09:00:00+02:00")),
        WITH_POD,
    )
    assert outcome == Retrieved.single(PDF, KNOWN, "chronopost searchPOD")


LATER, LATEST = "2026-10-05T18:00:00+02:00", "2026-10-06T07:00:00+02:00"


@pytest.mark.parametrize(
    ("events", "delivery"),
    [
        # Later paperwork events do not change the time or the name.
        ([an_event("D", more=signed_by("DUPONT")), an_event("U", LATER)], KNOWN),
        ([an_event("D", more=signed_by("DUPONT")), an_event("Y", LATER), an_event("VC", LATEST)], KNOWN),
        # The name is from the last event that has a name, and the time is from the handover.
        ([an_event("D"), an_event("U", LATER, signed_by("DUPONT"))], KNOWN),
        (
            [an_event("D", more=signed_by("DUPONT")), an_event("U", LATER, signed_by("MARTIN"))],
            Delivery(AT, "MARTIN"),
        ),
        # The second handover counts, even though it has no name.
        ([an_event("D1", "2026-10-05T09:00:00+02:00", signed_by("DUPONT")), an_event("D")], KNOWN),
        # Paperwork events count if there is no other source.
        ([an_event("U", more=signed_by("DUPONT"))], KNOWN),
        ([an_event("VC", "2026-10-05T09:00:00+02:00"), an_event("Y")], Delivery(AT, None)),
    ],
)
def test_paperwork_events_change_neither_time_nor_signatory(events: list[str], delivery: Delivery) -> None:
    for listed in (events, events[::-1]):
        outcome, _ = fetch(with_events(*listed), WITH_POD)
        assert outcome == Retrieved.single(PDF, delivery, "chronopost searchPOD")


TIMES: list[Any] = [
    ("2026-10-05T10:31:00+02:00", AT),
    ("2026-01-05T10:31:00+01:00", datetime(2026, 1, 5, 9, 31, tzinfo=UTC)),
    ("2026-10-05T10:31:00.123+02:00", AT.replace(microsecond=123000)),
    ("2026-10-05T08:31:00Z", AT),
    ("2026-10-05T06:31:00-02:00", AT),
    ("2026-10-05T10:31:00", AT),  # a time without an offset is French
    ("", None),
    ("hier", None),
    ("9999-12-31T23:59:59-14:00", None),
    ("0001-01-01T00:00:00+14:00", None),
]

SIGNATORIES: list[Any] = [
    (signed_by("DUPONT"), "DUPONT"),
    (signed_by("DUPONT", "Consignee's name"), "DUPONT"),
    (signed_by("", "Vide") + signed_by("DUPONT"), "DUPONT"),
    (signed_by("BUREAU DE POSTE", "Lieu") + signed_by("DUPONT"), "DUPONT"),
    (signed_by("RELAIS DE LA GARE", "Point de retrait"), None),
    (signed_by("A", "Type de retrait") + signed_by("B", "Origine") + signed_by("DUPONT"), "DUPONT"),
    (signed_by("1234", "NUMÉRO  PARTENAIRE") + signed_by("DUPONT", "Nom du destinataire"), "DUPONT"),
    (signed_by("3 RUE DES LILAS", "Adresse du destinataire"), None),
    (signed_by("2026-10-06", "Date de relivraison") + signed_by("DUPONT", "Signataire"), "DUPONT"),
    (signed_by("VOISIN", "Point de livraison") + signed_by("X", "Instruction choisie"), None),
    (signed_by("SMS", "Type du message") + signed_by("DUPONT", "RECEPTIONNAIRE"), "DUPONT"),
    (signed_by("DUPONT", "") + signed_by("DURAND", "Étage"), None),
    (signed_by("D&#10;2026-02-06 - forged"), r"D\x0a2026-02-06 - forged"),
    (signed_by("X" * 500), "X" * 99 + "…"),
    (signed_by(""), None),
    ("<infoCompList/>", None),
    ("", None),
]


@pytest.mark.parametrize(
    ("more", "unknown"),
    [
        (signed_by("3", "Étage") + signed_by("DUPONT"), "the label 'Étage' beside a delivery"),
        (signed_by("3", ""), "the label '' beside a delivery"),
        (signed_by("3", "D&#10;forged" + "x" * 500), r"the label 'D\x0aforged"),
        (signed_by("", "Étage"), None),  # a label without a value is ignored
        (signed_by("X", "Lieu") + signed_by("DUPONT"), None),
        (signed_by("DUPONT", "Consignee's name"), None),
    ],
)
def test_an_unknown_label_is_reported_without_its_value(more: str, unknown: str | None) -> None:
    delivered = with_events(an_event("D", more=more))
    outcome, _ = fetch(delivered, WITH_POD)
    failure = failure_of(delivered, proved("<podPresente>false</podPresente><statusCode>3</statusCode>"))
    for delivery in (outcome.delivery, failure.delivery):
        assert delivery is not None
        if unknown is None:
            assert delivery.unknown is None
        else:
            assert (delivery.unknown or "").startswith(unknown)
            assert len(delivery.unknown or "") < 120


def test_a_name_in_an_event_before_the_delivery_is_not_a_signatory() -> None:
    other = an_event("TA", "2026-10-05T07:00:00+02:00", signed_by("LIVREUR"))
    outcome, _ = fetch(with_events(other, an_event("D")), WITH_POD)
    assert outcome == Retrieved.single(PDF, Delivery(AT, None), "chronopost searchPOD")


@pytest.mark.parametrize("code", ["PC", "PE", "DB", "DV", "DY"])
def test_a_delivery_before_the_acceptance_belongs_to_another_parcel(code: str) -> None:
    old = an_event("D", "2026-09-05T10:31:00+02:00", signed_by("MARTIN"))
    accepted = an_event(code, "2026-10-01T10:31:00+02:00")
    assert failure_of(with_events(old, accepted)).kind is K.NOT_DELIVERED_YET
    again = with_events(old, an_event("R", "2026-09-06T10:31:00+02:00"), old, accepted, an_event("D"))
    outcome, _ = fetch(again, WITH_POD)
    assert outcome == Retrieved.single(PDF, Delivery(AT, None), "chronopost searchPOD")


def test_the_number_in_an_answer_may_be_missing_or_written_differently() -> None:
    for same in (b"xy 123456789 fr", b""):
        outcome, _ = fetch(response(DELIVERED.body.replace(NUMBER.encode(), same)), WITH_POD)
        assert isinstance(outcome, Retrieved)


@pytest.mark.parametrize("answer", [tracked(""), proved(""), response(""), response(envelope(""))])
def test_an_empty_answer_with_http_500_is_a_server_error(answer: Response) -> None:
    answer = Response(500, answer.headers, answer.body)
    assert failure_of(answer).kind is K.SERVER_ERROR
    assert failure_of(answer, known=KNOWN).kind is K.SERVER_ERROR


@pytest.mark.parametrize(
    "answer",
    [
        with_events(),
        tracked("<errorCode>0</errorCode>"),
        tracked("<errorCode>0</errorCode><listEventInfoComp/>"),
        tracked("<listEventInfoComp><skybillNumber>XY123456789FR</skybillNumber></listEventInfoComp>"),
    ],
)
def test_an_answer_without_events_means_that_the_number_is_unknown(answer: Response) -> None:
    assert failure_of(answer).kind is K.NOT_FOUND


# ---------------------------------------------------------------- errors, in either answer


def error(code: object, message: str = "") -> str:
    return f"<errorCode>{code}</errorCode><errorMessage>{message}</errorMessage>"


IN_EITHER: dict[str, Any] = {
    "1": (error(1, "System Error"), K.SERVER_ERROR),
    "1 without words": ("<errorCode>1</errorCode>", K.SERVER_ERROR),
    "2": (error(2, "The shipment belongs to another customer"), K.ACCESS_DENIED),
    "2 of a contract": (error(2, "n'appartient pas au contrat"), K.ACCESS_DENIED),
    "3": (error(3, "Invalid Password"), K.AUTH_FAILED),
    "30": (error(30, "Invalid contract number"), K.AUTH_FAILED),
    "33": (error(33), K.AUTH_FAILED),
    "password": (error(77, "The PASSWORD is wrong"), K.AUTH_FAILED),
    "mot de passe": (error(77, "Mot de passe incorrect"), K.AUTH_FAILED),
    "contract": (error(77, "Unknown contract"), K.AUTH_FAILED),
    "contrat": (error(77, "Numéro de contrat inconnu"), K.AUTH_FAILED),
    "unknown": (error(77, "Something"), K.BAD_RESPONSE, "77"),
    "negative": (error(-1), K.BAD_RESPONSE, "-1"),
    "no number": (error("abc"), K.BAD_RESPONSE, "abc"),
    "a very large number": (error("9" * 5000), K.BAD_RESPONSE, "9" * 50),
}

BODIES: dict[str, Row] = {
    "fault of the client": (fault("soap:Client"), K.BAD_RESPONSE),
    "fault of the server": (fault("soap:Server", "Fault occurred while processing."), K.SERVER_ERROR),
    "fault of another prefix": (fault("S:Client"), K.BAD_RESPONSE),
}

# ---------------------------------------------------------------- answers with the document

NEVER, NOT_YET, BAD = (K.POD_NEVER_AVAILABLE, K.POD_NOT_AVAILABLE_YET, K.BAD_RESPONSE)
# An answer without a PDF, its meaning, and whether the client then requests an image.
WITHOUT_POD = {
    "1": ("<podPresente>false</podPresente><statusCode>1</statusCode>", NEVER, False),
    "2": ("<podPresente>false</podPresente><statusCode>2</statusCode>", NEVER, False),
    "3": ("<podPresente>false</podPresente><statusCode>3</statusCode>", NOT_YET, False),
    "none": ("<podPresente>false</podPresente>", NOT_YET, True),
    "other": ("<podPresente>false</podPresente><statusCode>9</statusCode>", NOT_YET, True),
    "nothing at all": ("", NOT_YET, True),
    "an empty field": ("<pod/><podPresente>false</podPresente>", NOT_YET, True),
    "announced, not sent": ("<podPresente>true</podPresente><statusCode>5</statusCode>", BAD, True),
    "announced, unknown": ("<podPresente>true</podPresente><statusCode>9</statusCode>", BAD, True),
    "announced, empty": ("<pod> </pod><podPresente>true</podPresente>", BAD, True),
    "not base64": ("<pod>JVBERi0*</pod><podPresente>true</podPresente>", BAD, True),
}
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 200
WITH_IMAGE = proved(
    f"<formatPOD>PNG</formatPOD><pod>{base64.b64encode(PNG).decode()}</pod><podPresente>true</podPresente>"
)


@pytest.mark.parametrize("code", ["<errorCode>0</errorCode>", ""], ids=["0", "no code"])
@pytest.mark.parametrize(("inside", "kind", "again"), WITHOUT_POD.values(), ids=WITHOUT_POD.keys())
def test_answers_without_a_document(inside: str, kind: ErrorKind, code: str, *, again: bool) -> None:
    answers = [proved(code + inside)] * (2 if again else 1)
    failure = failure_of(DELIVERED, *answers)
    assert (failure.kind, failure.delivery) == (kind, KNOWN)
    assert failure_of(*answers, known=KNOWN) == failure


@pytest.mark.parametrize(
    "inside", [inside for inside, _, again in WITHOUT_POD.values() if again] + ["<pod>QUJD</pod>"]
)
def test_the_image_is_requested_if_the_pdf_is_missing(inside: str) -> None:
    outcome, session = fetch(proved(inside), WITH_IMAGE, known=KNOWN)
    assert outcome == Retrieved.single(PNG, KNOWN, "chronopost searchPOD", kind=EvidenceKind.SIGNATURE)
    (_, first), (what, second) = session.requests
    assert what is Capability.POD
    assert canonical(second.body or b"") == canonical(POD_REQUEST.replace("<pdf>true<", "<pdf>false<"))
    assert second.path == first.path


def test_an_invalid_image_changes_nothing() -> None:
    text = proved(f"<pod>{base64.b64encode(b'Indisponible').decode()}</pod>")
    for second in (text, proved(error(1, "System Error")), fault("soap:Client"), response("<html/>", 404)):
        failure = failure_of(proved("<podPresente>false</podPresente>"), second, known=KNOWN)
        assert (failure.kind, failure.delivery) == (NOT_YET, KNOWN)
    # If the content of the first answer is not a document, the second answer does not hide it.
    outcome, _ = fetch(text, proved(""), known=KNOWN)
    assert outcome == Retrieved.single(b"Indisponible", KNOWN, "chronopost searchPOD")


def test_the_first_answer_counts_if_no_call_is_left() -> None:
    at_limit = Failure(K.RATE_LIMITED, "Chronopost is at its limit (100/day)", retry_at=AT)
    failure = failure_of(proved("<podPresente>false</podPresente>"), at_limit, known=KNOWN)
    assert failure.kind is NOT_YET


def test_the_second_call_may_ask_to_wait_too() -> None:
    asked_to_wait = Failure(K.RATE_LIMITED, "Chronopost asks us to wait", 429, retry_at=AT)
    with pytest.raises(CallError) as failed:
        fetch(proved("<podPresente>false</podPresente>"), asked_to_wait, known=KNOWN)
    assert failed.value.failure.http_status == 429


def test_an_invalid_document_is_a_bad_response_with_the_reason(tmp_path: Path) -> None:
    content = b"Document indisponible. " * 30
    claim = Claim(id=1, reference="CLM-1", carrier="chronopost", number=NUMBER)
    answers = iter([CarrierAnswer(Retrieved.single(content, KNOWN, "a test"), 2, 0)])
    reservation: Any = None
    deps: Any = SimpleNamespace(
        documents=DocumentStore(tmp_path), clock=SimulatedClock(), policy=Policy(PARIS)
    )
    ended = attempt(claim, KNOWN, reservation, answers, deps)
    assert ended is not None
    assert isinstance(ended.outcome, Failure)
    assert (ended.outcome.kind, ended.outcome.delivery) == (K.BAD_RESPONSE, KNOWN)
    (refused,) = ended.evidence
    assert refused.refused is not None
    assert refused.refused in ended.outcome.message
    assert Path(refused.path).is_relative_to(tmp_path / "refused" / "chronopost")


# ---------------------------------------------------------------- numbers


def test_a_claim_without_a_number_or_a_carrier_costs_no_call() -> None:
    from recours.carriers.registry import CATALOG  # noqa: PLC0415 (of this test only)

    nothing = Claim(id=1, reference="CLM-1", carrier="chronopost", carrier_name="Chronopost")
    failure = known_failure(nothing, CATALOG)
    assert failure is not None
    assert failure.kind is K.INVALID_TRACKING
    nobody = Claim(id=1, reference="CLM-1", carrier_name="Nobody", number=NUMBER)
    failure = known_failure(nobody, CATALOG)
    assert failure is not None
    assert failure.kind is K.UNSUPPORTED_CARRIER
    assert "Nobody" in failure.message


# ---------------------------------------------------------------- the table for test_rules.py


def delivered_to(more: str) -> Response:
    return with_events(an_event("D", more=more))


def errors_in(answer: Callable[[str], Response]) -> dict[str, Any]:
    return {name: (answer(inside), *means) for name, (inside, *means) in IN_EITHER.items()} | BODIES


_OF_ANOTHER = DELIVERED.body.replace(NUMBER.encode(), b"XY000000000FR")
_HOSTILE = error(1, HOSTILE_XML)
TABLE = Table(
    make=lambda: Chronopost(CREDENTIALS),
    number=NUMBER,
    facts={
        "name": "Chronopost",
        "base_url": "https://ws.chronopost.fr",
        "calls": {Capability.TRACKING: 1, Capability.POD: 1},
    },
    answers=(DELIVERED, WITH_POD),
    known=KNOWN,
    proof=Retrieved.single(PDF, KNOWN, "chronopost searchPOD"),
    numbers=(
        "EE000000000TS AB999999999JF 12345678901234 123456789012345 12345678901234A XT8452370122486 "
        "XT123456785TS 89108749065090 13199341485349X"
    ),
    no_numbers=(
        "XY12345678FR XY1234567890FR X123456789FR XY123456789F 1234567890123 1234567890123456 "
        "1Z999AA10123456784 XY123456789FR'-- <x/>"
    ),
    errors=[errors_in(tracked), errors_in(proved)],
    make_answer=response,
    accepted=[(with_events(IN_TRANSIT), False)],  # tracking uses no account
    accepted_known=[
        (WITH_POD, True),
        (proved("<podPresente>false</podPresente><statusCode>1</statusCode>"), True),
        (proved("<podPresente>false</podPresente><statusCode>3</statusCode>"), True),
        (proved(error(2)), True),
        (proved(error(3)), False),
        (proved(error(1, "System Error")), False),
        (fault("soap:Server"), False),
        (response("<html/>"), False),
    ],
    of_another=[response(_OF_ANOTHER), response(_OF_ANOTHER.replace(b"events>", b"e>"))],
    hostile=[
        tracked(_HOSTILE),
        fault("soap:Server", HOSTILE_XML),
        with_events(an_event("TA").replace("Un événement", HOSTILE_XML)),
        (DELIVERED, proved(_HOSTILE)),
    ],
    whole=[fault("soap:Client")],
    nobody=(proved("<podPresente>false</podPresente><statusCode>3</statusCode>"), NOT_YET),
    status=lambda code: with_events(IN_TRANSIT, an_event(code, more=signed_by("DUPONT"))),
    delivered=["D", "D1", "D2", "D6", "D7", "RG", "RI", "U", "Y", "DD", "VC"],
    not_delivered=[*OTHER_CODES, ""],
    strange=["ZZZ", "d"],
    times=[(with_events(an_event("D", date, signed_by("DUPONT"))), at) for date, at in TIMES],
    signed=lambda name: delivered_to(signed_by(xml_text(name))),
    signatories=[(delivered_to(more), signatory) for more, signatory in SIGNATORIES],
    encoded=lambda encoded: proved(f"<pod>{encoded}</pod>"),
)

fetch, failure_of = TABLE.fetch, TABLE.failure_of
