"""The requests to Mondial Relay, and the meaning of each answer. The client and the simulator list the sources."""

from datetime import UTC, datetime

import pytest

from recours.carriers.message import Response
from recours.carriers.mondial_relay import SPEC, MondialRelay, parse_tracing, signature
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from tests.carriers.table import Row, Table
from tests.fakes.answers import HOSTILE_XML, canonical, envelope, xml
from tests.fakes.checks import as_failure
from tests.fakes.session import FakeSession, fetched

NUMBER = "31000001"
K = ErrorKind
SETTINGS = {"MONDIAL_RELAY_ENSEIGNE": "TESTSHOP", "MONDIAL_RELAY_PRIVATE_KEY": "PrivateK"}


def tracking_response(result: str) -> Response:
    return xml(
        envelope(
            '<WSI2_TracingColisDetailleResponse xmlns="http://www.mondialrelay.fr/webservice/">'
            f"<WSI2_TracingColisDetailleResult>{result}</WSI2_TracingColisDetailleResult>"
            "</WSI2_TracingColisDetailleResponse>"
        )
    )


def an_event(label: str, day: str = "05/10/26", hour: str = "10:31", place: str = "LILLE") -> str:
    return (
        f"<ret_WSI2_sub_TracingColisDetaille><Libelle>{label}</Libelle><Date>{day}</Date><Heure>{hour}</Heure>"
        f"<Emplacement>{place}</Emplacement><Relais_Num>012345</Relais_Num><Relais_Pays>FR</Relais_Pays>"
        "</ret_WSI2_sub_TracingColisDetaille>"
    )


def stat(status: object, *events: str, label: str = "", relay: str = "") -> Response:
    return tracking_response(
        f"<STAT>{status}</STAT><Libelle01>{label}</Libelle01><Relais_Libelle>{relay}</Relais_Libelle>"
        f"<Relais_Num></Relais_Num><Libelle02></Libelle02><Tracing>{''.join(events)}</Tracing>"
    )


def fault(code: str, text: str = "Server was unable to process request.") -> Response:
    inside = (
        f"<soap:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring><detail/></soap:Fault>"
    )
    return xml(envelope(inside), 500)


REGISTERED = an_event("Données reçues", "01/10/26", "20:02", "")
HANDED_OVER = an_event("Colis livré au destinataire")
DELIVERED = stat("82", REGISTERED, HANDED_OVER, label="Colis livré", relay="TABAC DE LA GARE")
AT = datetime(2026, 10, 5, 8, 31, tzinfo=UTC)


def fetch(
    answer: Response | Failure, known: Delivery | None = None, number: str = NUMBER, **settings: str
) -> tuple[Failure, FakeSession]:
    outcome, session = fetched(MondialRelay(SETTINGS | settings), number, [answer], known)
    return as_failure(outcome), session


def failure_of(answer: Response) -> Failure:
    outcome, _ = fetch(answer)
    assert outcome == parse_tracing(answer)
    return outcome


# ---------------------------------------------------------------- requests

# md5 of TESTSHOP31000001FRPrivateK, computed by another program.
SECURITY = "784C7567F90A4D82DACC84659C96889D"
REQUEST = f"""
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
 <WSI2_TracingColisDetaille xmlns="http://www.mondialrelay.fr/webservice/">
  <Enseigne>TESTSHOP</Enseigne><Expedition>31000001</Expedition><Langue>FR</Langue><Security>{SECURITY}</Security>
 </WSI2_TracingColisDetaille></soap:Body></soap:Envelope>
"""


def test_the_request_is_that_of_the_service() -> None:
    _, session = fetch(DELIVERED)
    ((what, request),) = session.requests
    assert what is Capability.TRACKING
    assert (request.method, request.path) == ("POST", "/Web_Services.asmx")
    assert dict(request.headers) == {
        "Content-Type": "text/xml; charset=utf-8",
        "SOAPAction": '"http://www.mondialrelay.fr/webservice/WSI2_TracingColisDetaille"',
    }
    assert canonical(request.body) == canonical(REQUEST)
    assert b"PrivateK" not in (request.body or b"")
    assert SPEC.base_url == "https://api.mondialrelay.com"


@pytest.mark.parametrize("brand", ["TESTSHOP", "TESTSHOP  ", " TESTSHOP"])
@pytest.mark.parametrize("number", ["31000001", "0131000001", "013100000101", "01310000010123456789012345"])
def test_the_eight_digits_are_sent_with_the_brand_without_its_blanks(brand: str, number: str) -> None:
    _, session = fetch(DELIVERED, number=number, MONDIAL_RELAY_ENSEIGNE=brand)
    assert canonical(session.requests[0][1].body) == canonical(REQUEST)


def test_another_key_makes_another_signature() -> None:
    assert signature(("TESTSHOP", NUMBER, "FR"), "PrivateK") == SECURITY
    assert signature(("TESTSHOP", NUMBER, "FR"), "privatek") != SECURITY
    assert signature(("", "", ""), "") == "D41D8CD98F00B204E9800998ECF8427E"


@pytest.mark.wrong_requests("a brand with characters to be escaped")
def test_credentials_are_escaped() -> None:
    _, session = fetch(DELIVERED, MONDIAL_RELAY_ENSEIGNE="A&<é>")
    assert "<Enseigne>A&amp;&lt;é&gt;</Enseigne>" in (session.requests[0][1].body or b"").decode()


# ---------------------------------------------------------------- delivered without a proof


def test_a_delivered_parcel_has_no_proof_and_the_message_says_so() -> None:
    words = "2026-10-05, LILLE"
    expected = Failure.of(Sentence.PROOFS_NOT_ISSUED, "Mondial Relay", words, 200, delivery=Delivery(AT))
    assert failure_of(DELIVERED) == expected
    assert (expected.kind, expected.message) == (
        K.POD_NEVER_AVAILABLE,
        "The parcel was delivered (2026-10-05, LILLE), but Mondial Relay issues no proof of delivery",
    )


def test_the_place_is_from_the_last_event_or_the_relay() -> None:
    here = failure_of(stat("82", an_event("Colis livré", place=""), relay="TABAC DE LA GARE"))
    assert "delivered (2026-10-05, TABAC DE LA GARE)," in here.message
    nowhere = failure_of(stat("82", an_event("Colis livré", place="")))
    assert "delivered (2026-10-05), but" in nowhere.message
    never = failure_of(stat("82"))
    assert never.message == "The parcel was delivered, but Mondial Relay issues no proof of delivery"
    assert never.delivery == Delivery()


@pytest.mark.parametrize(
    ("day", "hour", "at"),
    [
        ("05/10/26", "10:31", AT),
        ("05/10/2026", "10:31", AT),
        ("05/10/2026", "10:31:00", AT),
        ("2026-10-05", "10:31", AT),
        ("05/01/26", "10:31", datetime(2026, 1, 5, 9, 31, tzinfo=UTC)),
        ("06/10/26", "00:30", datetime(2026, 10, 5, 22, 30, tzinfo=UTC)),
        ("05/10/26", "", datetime(2026, 10, 4, 22, tzinfo=UTC)),
        ("31/02/26", "10:31", None),
        ("05/10/26", "25:61", None),
        ("hier", "10:31", None),
        ("0001-01-01", "00:00", None),
        ("", "", None),
    ],
)
def test_the_time_of_delivery(day: str, hour: str, at: datetime | None) -> None:
    failure = failure_of(stat("82", an_event("Colis livré", day, hour)))
    assert failure.delivery == Delivery(at)
    assert (at is None) == ("(20" not in failure.message)


def test_the_day_is_the_day_in_france() -> None:
    assert "(2026-10-06, " in failure_of(stat("82", an_event("Colis livré", "06/10/26", "00:30"))).message


def test_the_latest_event_counts_regardless_of_the_order_and_nil_events() -> None:
    nil = '<ret_WSI2_sub_TracingColisDetaille xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>'
    for events in (
        [REGISTERED, HANDED_OVER],
        [HANDED_OVER, REGISTERED],
        [nil, HANDED_OVER, nil, REGISTERED, nil],
    ):
        assert failure_of(stat("82", *events)).delivery == Delivery(AT)
    assert failure_of(stat("82", nil)).delivery == Delivery()
    same_day = [an_event("Colis livré", hour=hour, place=hour) for hour in ("08:00", "10:31", "09:00")]
    assert ", 10:31)" in failure_of(stat("82", *same_day)).message
    without_words = an_event("", place="LA")
    assert ", LA)" in failure_of(stat("82", without_words, REGISTERED)).message
    undated = an_event("Colis livré", "", "", "ICI"), an_event("Colis livré", "", "", "LA")
    assert "(LA)" in failure_of(stat("82", *undated)).message


# ---------------------------------------------------------------- STAT 82 for a parcel at a relay


@pytest.mark.parametrize(
    ("answer", "back"),
    [
        (stat("82", an_event("Colis retourné à l'expéditeur"), label="Colis livré"), True),
        (stat("82", label="Livré à l'expéditeur"), True),
        (stat("82", an_event("Returned to sender")), True),
        (stat("82", an_event("Retour livré au Point Relais")), True),
        (stat("82", an_event("Colis livré au destinataire après retour au relais")), False),
        (stat("82", an_event("Colis livré au destinataire")), False),
    ],
)
def test_a_parcel_back_at_its_sender_was_not_delivered(answer: Response, *, back: bool) -> None:
    failure = failure_of(answer)
    kind = K.RETURNED_TO_SENDER if back else K.POD_NEVER_AVAILABLE
    assert (failure.kind, failure.delivery is None) == (kind, back)
    assert ("was returned to the sender" in failure.message) is back


AT_A_RELAY: dict[str, Response] = {
    "the real answer": stat("82", label="Delivery at Pick Up Point"),
    "the event's text": stat("82", REGISTERED, an_event("Disponible au Point Relais"), label="Colis livré"),
    "pick-up": stat("82", an_event("Parcel at pick-up point")),
    "pickup": stat("82", an_event("PARCEL AT PICKUP POINT")),
    "parcelshop": stat("82", an_event("Delivered to ParcelShop")),
    "locker": stat("82", label="Delivered to a locker"),
    "consigne": stat("82", an_event("Colis déposé en consigne")),
    "relais": stat("82", an_event("Livré au relais")),
}
HAS_IT: dict[str, Response] = {
    "destinataire": stat("82", HANDED_OVER, label="Delivery at Pick Up Point"),
    "in the label": stat("82", label="Colis remis au destinataire en Point Relais"),
    "recipient": stat("82", an_event("Handed to the recipient at the pick-up point")),
    "consignee": stat("82", an_event("Handed to the consignee")),
    "client": stat("82", an_event("Remis au client"), label="Livré au Point Relais"),
    "an earlier event at the relay": stat(
        "82", an_event("Disponible au Point Relais", "04/10/26"), HANDED_OVER, label="Colis livré"
    ),
    "the relay's name": stat("82", HANDED_OVER, label="Colis livré", relay="POINT RELAIS DE LA GARE"),
    "nothing said": stat("82"),
}


@pytest.mark.parametrize("answer", AT_A_RELAY.values(), ids=AT_A_RELAY.keys())
def test_a_parcel_at_a_relay_is_not_delivered_yet(answer: Response) -> None:
    failure = failure_of(answer)
    assert (failure.kind, failure.http_status, failure.delivery, failure.unknown) == (
        K.NOT_DELIVERED_YET,
        200,
        None,
        None,
    )
    assert failure.message.startswith(
        "The parcel has not been delivered yet: it is waiting for the recipient at a Mondial Relay pickup point"
    )


@pytest.mark.parametrize("answer", HAS_IT.values(), ids=HAS_IT.keys())
def test_a_parcel_that_its_recipient_has_is_delivered(answer: Response) -> None:
    failure = failure_of(answer)
    assert failure.kind is K.POD_NEVER_AVAILABLE
    assert failure.delivery is not None


# ---------------------------------------------------------------- other STATs

STATS = {
    K.NOT_DELIVERED_YET: "0 80 81 83",
    K.AUTH_FAILED: "1 2 3 8 97",
    K.INVALID_TRACKING: "24 91",
    K.NOT_FOUND: "94 99",
    K.ACCOUNT_DENIED: "95 96",
    K.BAD_RESPONSE: "72 73 74",
    K.SERVER_ERROR: "90 98",
}


@pytest.mark.parametrize(
    ("status", "kind"), [(status, kind) for kind, listed in STATS.items() for status in listed.split()]
)
def test_stats(status: str, kind: ErrorKind) -> None:
    for answer in (stat(status), tracking_response(f"<STAT> {status} </STAT>")):
        failure = failure_of(answer)
        assert (failure.kind, failure.http_status, failure.delivery) == (kind, 200, None)
        assert failure.unknown is None
        on_its_way = kind is K.NOT_DELIVERED_YET
        assert failure.message.startswith(
            "The parcel has not been delivered yet" if on_its_way else "Mondial Relay"
        )
        speaks_for_itself = on_its_way or kind is K.NOT_FOUND
        assert speaks_for_itself or failure.message.endswith(f": STAT {status}")


def test_an_unknown_number_is_distinguished_from_an_error_of_the_service_by_the_sample_number() -> None:
    client, error, unknown = MondialRelay(SETTINGS), stat("99"), stat("94")

    def kind_and_calls(*answers: Response) -> tuple[ErrorKind, int]:
        outcome, session = fetched(client, NUMBER, answers)
        return as_failure(outcome).kind, len(session.requests)

    # A single STAT 99 is about the number. After two in a row, the sample number decides.
    assert kind_and_calls(error) == (K.NOT_FOUND, 1)
    assert kind_and_calls(error, unknown) == (K.NOT_FOUND, 2)
    assert kind_and_calls(error) == (K.NOT_FOUND, 1)
    assert kind_and_calls(error, error) == (K.SERVER_ERROR, 2)
    assert kind_and_calls(error, error) == (K.SERVER_ERROR, 2)
    assert kind_and_calls(stat("81")) == (K.NOT_DELIVERED_YET, 1)
    assert kind_and_calls(error) == (K.NOT_FOUND, 1)


def test_credentials_are_not_shown_by_an_error_about_the_sample_number() -> None:
    session = FakeSession([stat("99")])
    checked = as_failure(MondialRelay(SETTINGS).check_credentials(session))
    assert (checked.kind, session.accepted) == (K.SERVER_ERROR, False)


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        (
            [REGISTERED, an_event("Retour à l'expéditeur", "03/10/26"), an_event("Colis livré")],
            K.RETURNED_TO_SENDER,
        ),
        # Earlier events belong to another parcel with this number.
        (
            [
                an_event("Retour à l'expéditeur", "01/02/24"),
                an_event("Colis livré", "03/02/24"),
                REGISTERED,
                HANDED_OVER,
            ],
            K.POD_NEVER_AVAILABLE,
        ),
        ([an_event("Colis livré au destinataire", "03/02/24"), REGISTERED], K.NOT_DELIVERED_YET),
    ],
)
def test_a_return_counts_unless_it_is_of_an_earlier_parcel(events: list[str], kind: ErrorKind) -> None:
    for listed in (events, events[::-1]):
        assert failure_of(stat("82", *listed)).kind is kind


def test_an_answer_that_is_not_a_delivery_is_quoted() -> None:
    assert failure_of(stat("81", REGISTERED, label="En cours")).message == (
        "The parcel has not been delivered yet (on its way) (Données reçues)"
    )
    assert failure_of(stat("83", label="Colis refusé")).message == (
        "The parcel has not been delivered yet (an anomaly is reported) (Colis refusé)"
    )
    assert (
        failure_of(stat("97")).message == "Mondial Relay rejects our credentials (wrong private key): STAT 97"
    )


BODIES: dict[str, Row] = {
    "fault of the client": (fault("soap:Client"), K.BAD_RESPONSE),
    "fault of the server": (fault("soap:Server"), K.SERVER_ERROR),
    "a page, 404": (xml("<html/>", 404), K.BAD_RESPONSE),
    "no result": (xml(envelope("<WSI2_TracingColisDetailleResponse/>")), K.BAD_RESPONSE),
    "no STAT": (tracking_response(""), K.BAD_RESPONSE),
    "an empty STAT": (stat(""), K.BAD_RESPONSE),
    "a STAT with elements": (tracking_response("<STAT><a/></STAT>"), K.BAD_RESPONSE),
}


def test_the_text_of_a_fault_is_quoted() -> None:
    assert failure_of(fault("soap:Client", "Why")).message == "Mondial Relay could not read our request: Why"
    assert failure_of(fault("soap:Server", "Why")).message == "Mondial Relay is unavailable (HTTP 500): Why"


# ---------------------------------------------------------------- hostile answers


@pytest.mark.parametrize(
    "body",
    ["<a>" * 100_000 + "</a>" * 100_000, envelope("<soap:Fault><faultcode/></soap:Fault>"), "<Envelope/>"],
)
def test_unexpected_trees_raise_no_error(body: str) -> None:
    assert isinstance(parse_tracing(xml(body)), Failure)


# ---------------------------------------------------------------- the table for test_rules.py

TABLE = Table(
    make=lambda: MondialRelay(SETTINGS),
    number=NUMBER,
    facts={
        "name": "Mondial Relay",
        "spellings": ("MondialRelay", "Point Relais"),
        "limits": {None: "1000/day@Europe/Paris"},
        "credentials": (("MONDIAL_RELAY_ENSEIGNE", "MONDIAL_RELAY_PRIVATE_KEY"),),
        "base_url": "https://api.mondialrelay.com",
        "calls": {Capability.TRACKING: 1},
        "sample_number": "00000000",
        "options": (),
        "tracks_always": False,
    },
    answers=(DELIVERED,),
    known=Delivery(AT),
    proof=None,
    no_numbers=f"3100000 310000012 01310000010 0131000001012 3100000A {'0' * 25} {'0' * 27}",
    good_check_digits=["31000001", "0131000001", "013100000101", "0" * 26, SPEC.sample_number],
    errors=[
        {
            **BODIES,
            **{
                f"STAT {status[:9]}": (stat(status), K.BAD_RESPONSE, status[:50])
                for status in ("84", "082", "abc", "-1", "8 2", "9" * 5000)
            },
        }
    ],
    make_answer=xml,
    accepted=[
        (DELIVERED, True),
        (AT_A_RELAY["locker"], True),
        (stat("80"), True),
        (stat("94"), True),
        (stat("91"), True),
        # Errors about our account.
        (stat("95"), False),
        (stat("96"), False),
        (stat("97"), False),
        (stat("1"), False),
        (stat("99"), True),
        (fault("soap:Server"), False),
        (xml("<html/>"), False),
    ],
    hostile=(
        stat("99", label=HOSTILE_XML),
        stat("81", an_event(HOSTILE_XML)),
        stat("82", an_event(HOSTILE_XML, place=HOSTILE_XML)),
        stat("82", label="relais " + HOSTILE_XML),
        stat("82", relay=HOSTILE_XML),
        stat(HOSTILE_XML, label=HOSTILE_XML),
        fault("soap:Client", HOSTILE_XML),
        fault("soap:Server", HOSTILE_XML),
    ),
    whole=[stat("95"), fault("soap:Client")],
    nobody=(stat("94"), K.NOT_FOUND),
)
