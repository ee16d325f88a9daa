"""Chronopost's tracking and POD web service, simulated. Pure: a request and a turn give an answer.

Sources of the facts: the carrier's specifications v2.6.2 (2018, below "D18") and VL3.24.10.14 (2024, "D24"), the
schema and recorded answers in karrio's Chronopost connector ("KAR"), and other public clients for the labels beside an
event and for a delivery after a return. Inferred, as no source says it: the answer to a wrong account or password in
searchPOD (errorCode 3 "Invalid Password", which a sister service gives) and to a contract that the service does not
take (ACCOUNT_DENIED: errorCode 30, of a sister service too), the answer of searchPOD for a parcel that is not delivered
(podPresente false, no statusCode), the French label of the signatory, the faults (Apache CXF's), the message of
errorCode 2, and that an unlisted language is refused.
Where no PDF comes and no statusCode says why, an image may be asked for: the call for it is what uses up the step.
Of the service's operations the two that a fetch needs are there; the others are faults.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from recours.sandbox import documents, soap
from recours.sandbox.answers import Answer, HttpRequest, Question, SimulatedCarrier, hostile_text, in_france
from recours.sandbox.progress import Turn
from recours.sandbox.scenarios import DELIVERED_BY_TRACKING, SLOW_ANSWERS, Scenario
from recours.sandbox.soap import CONTENT_TYPE, element

PATH = "/tracking-cxf/TrackingServiceWS"
NAMESPACE = "http://cxf.tracking.soap.chronopost.fr/"

# The parameters in the order of the schema. [D24, D18, KAR]
OPERATIONS = {
    "trackSkybillV2": ("language", "skybillNumber"),
    "searchPOD": ("accountNumber", "password", "language", "skybillNumber", "pdf"),
}
LANGUAGES = {
    "trackSkybillV2": ("fr_FR", "en_GB", "it_IT", "es_ES", "de_DE", "nl_NL", "pt_PT"),
    "searchPOD": ("fr_FR", "en_GB"),
}
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}  # of XML Schema

# Codes of D24's table of events: code, French label, English label, how long before the last event.
_ON_THE_WAY = (
    ("DC", "Envoi en préparation", "Shipment prepared", timedelta(days=2)),
    ("PC", "Envoi pris en charge", "Picked up", timedelta(days=1, hours=15)),
    ("TS", "Envoi en transit", "In transit", timedelta(hours=9)),
    ("TA", "Envoi en cours de livraison", "Out for delivery", timedelta(hours=3, minutes=19)),
)

# statusCode of an answer without a POD. [D24, D18] None: the field is left out.
_STATUS_WITHOUT_POD = {
    Scenario.POD_NEVER: 1,
    Scenario.POD_NONE: 2,
    Scenario.POD_LATE: 3,
    Scenario.POD_UNSAID: None,
    Scenario.POD_IMAGE_ONLY: None,
    Scenario.IN_TRANSIT: None,
    Scenario.UNKNOWN: None,
}
_STATUS_WITH_POD = 5  # [D24]

# Another call about the same proof may follow one for a PDF.
_IMAGE_MAY_BE_ASKED_FOR = frozenset(
    {
        Scenario.POD_IMAGE_ONLY,
        Scenario.POD_UNSAID,
        Scenario.BAD_BASE64,
        Scenario.NOT_A_DOCUMENT,
        Scenario.EMPTY_POD,
    }
)
# What is wrong with a PDF then is wrong with an image too.
_SPOILT = frozenset({Scenario.BAD_BASE64, Scenario.NOT_A_DOCUMENT, Scenario.EMPTY_POD, Scenario.BROKEN_PDF})

# What stands beside an event, before a person's name and without one: label, value. Labels: a public client's list.
_BESIDE_A_DELIVERY = (("Lieu", "LILLE"), ("Point de livraison", "ACCUEIL"), ("Numéro partenaire", "59-0042"))
_BESIDE_A_MESSAGE = (
    ("Type du message", "SMS"),
    ("Date de relivraison", "06/10/2026"),
    ("Origine", "CHRONOPOST"),
)

_POD_ERRORS = {
    Scenario.ACCOUNT_DENIED: (30, "Invalid contract number"),  # inferred
    Scenario.NOT_OURS: (2, "The shipment belongs to another customer"),  # [D18]
    Scenario.AUTH_REFUSED: (3, "Invalid Password"),  # inferred
}


class Chronopost(SimulatedCarrier):
    """The simulated service."""

    key = "chronopost"
    path = PATH

    def read(self, request: HttpRequest) -> Question:
        operation, values = soap.read_call(request, NAMESPACE, OPERATIONS)
        language = values["language"]
        if language not in LANGUAGES[operation]:
            raise soap.bad_request(f"{language!r} is not one of {LANGUAGES[operation]}")
        if operation == "trackSkybillV2":
            return Question(
                operation,
                values["skybillNumber"],
                tracking=True,
                goes_on=DELIVERED_BY_TRACKING | SLOW_ANSWERS | {Scenario.ACCOUNT_DENIED},
                details={"language": language},
            )
        if values["pdf"] not in _BOOLEANS:
            raise soap.bad_request(f"{values['pdf']!r} is not a boolean")
        return Question(
            operation,
            values["skybillNumber"],
            account=values["accountNumber"],
            password=values["password"],
            needs_account=True,
            goes_on=_IMAGE_MAY_BE_ASKED_FOR if _BOOLEANS[values["pdf"]] else (),
            details={"language": language, "pdf": "yes" if _BOOLEANS[values["pdf"]] else "no"},
        )

    def answer(self, question: Question, turn: Turn) -> Answer:
        scenario = turn.scenario
        if scenario is Scenario.FAULT_CLIENT:
            return soap.fault("soap:Client", "Unmarshalling Error: the request was refused")
        if scenario is Scenario.FAULT_SERVER:
            return soap.fault("soap:Server", "Fault occurred while processing.")
        if scenario is Scenario.WRONG_TYPE and turn.tries % 2 == 0:
            return soap.another_shape()
        good = Answer(200, _envelope(question, _result(question, turn)), CONTENT_TYPE)
        return soap.spoilt(scenario, good, "errorCode")

    def settings(self, account: str, password: str) -> dict[str, str]:
        """An account of eight digits and a password of six."""
        return {"CHRONOPOST_ACCOUNT": account, "CHRONOPOST_PASSWORD": password}

    def example(self, digits: str, serial: int) -> str:
        """Two letters, nine digits and two letters."""
        return f"XY{digits}{serial:07d}FR"


def _envelope(question: Question, result: str) -> bytes:
    name = f"ns2:{question.operation}Response"
    return soap.envelope(f'<{name} xmlns:ns2="{NAMESPACE}"><return>{result}</return></{name}>')


def _result(question: Question, turn: Turn) -> str:
    """What stands in `return`."""
    scenario = turn.scenario
    if scenario is Scenario.SYSTEM_ERROR:
        return _error(1, "System Error")  # [D24, KAR]
    if scenario is Scenario.HOSTILE_TEXT:
        return _error(1, hostile_text(question.password))
    if scenario is Scenario.WRONG_TYPE:
        return element("errorCode", "abc")
    return _tracking(question, turn) if question.tracking else _pod(question, turn)


def _error(code: int, message: str) -> str:
    return element("errorCode", code) + element("errorMessage", message)


def _tracking(question: Question, turn: Turn) -> str:
    """Events oldest first, the last one with highPriority; for an unknown number none [D24, KAR; a tracker's README]."""
    events = ""
    if turn.scenario is not Scenario.UNKNOWN:
        events = _events(question, turn)
    found = f"<listEventInfoComp>{events}{element('skybillNumber', question.number)}</listEventInfoComp>"
    return element("errorCode", 0) + found


def _events(question: Question, turn: Turn) -> str:
    french = question.details["language"] == "fr_FR"
    delivered = turn.scenario is not Scenario.IN_TRANSIT
    end = turn.delivered_at if delivered else turn.first_seen
    last = len(_ON_THE_WAY) - 1
    parts = [
        _event(
            code,
            label if french else english,
            end - before,
            state=not delivered and n == last,
            info=_items(_BESIDE_A_MESSAGE) if french and code == "TA" else "",
        )
        for n, (code, label, english, before) in enumerate(_ON_THE_WAY)
    ]
    if turn.scenario is Scenario.RETURNED_TO_SENDER:
        label = "Colis en retour expéditeur" if french else "Parcel returned to sender"
        parts.append(_event("R", label, end - timedelta(hours=2), state=False))
    if delivered:
        parts.append(_delivered(turn, end, french=french))
    return "".join(parts)


def _delivered(turn: Turn, end: datetime, *, french: bool) -> str:
    """Other items stand before the name."""
    signatory = documents.signatory_of(turn)
    name = "Nom du réceptionnaire" if french else "Consignee's name"  # the English one: [KAR]
    others = _BESIDE_A_DELIVERY if french else ()  # their labels in other languages nobody has told
    info = _items(others) + (_items([(name, signatory)]) if signatory else "")
    return _event("D", "Livré" if french else "Delivered", end, state=True, info=info)


def _items(told: Iterable[tuple[str, str]]) -> str:
    return "".join(
        f"<infoCompList>{element('name', name)}{element('value', value)}</infoCompList>"
        for name, value in told
    )


def _event(code: str, label: str, when: datetime, *, state: bool, info: str = "") -> str:
    """`state`: this event tells the parcel's state. The order of the fields is the schema's [KAR]."""
    fields = [
        element("code", code),
        element("eventDate", in_france(when).isoformat(timespec="seconds")),
        element("eventLabel", label),
        element("highPriority", state),
        "" if code == "D" else element("NPC", "ZZ"),
        element("officeLabel", "LILLE CHRONOPOST"),
        element("zipCode", "59000"),
        info,
    ]
    return f"<events>{''.join(fields)}</events>"


def _pod(question: Question, turn: Turn) -> str:
    """The POD or why there is none. Every field may be absent [D24, D18, KAR]."""
    if turn.scenario in _POD_ERRORS:
        return _error(*_POD_ERRORS[turn.scenario])
    if turn.scenario in _STATUS_WITHOUT_POD and not _is_there_as_image(question, turn):
        status = _STATUS_WITHOUT_POD[turn.scenario]
        ending = "" if status is None else element("statusCode", status)
        return element("errorCode", 0) + element("podPresente", value=False) + ending
    kind, pod = _document(question, turn)
    fields = [
        element("errorCode", 0),
        element("formatPOD", kind),
        element("pod", pod),
        element("podPresente", value=True),
        element("statusCode", _STATUS_WITH_POD),
    ]
    return "".join(fields)


def _is_there_as_image(question: Question, turn: Turn) -> bool:
    return turn.scenario is Scenario.POD_IMAGE_ONLY and question.details["pdf"] == "no"


def _document(question: Question, turn: Turn) -> tuple[str, str]:
    """The form and the text of the `pod` field. Asked for no PDF, the service gives a PNG [D24]."""
    if question.details["pdf"] == "no" and turn.scenario not in _SPOILT:
        turn = replace(turn, scenario=Scenario.DELIVERED_PNG)
    kind = "PNG" if turn.scenario is Scenario.DELIVERED_PNG else "PDF"
    return kind, documents.document_text(turn, "Chronopost", question.number, in_france(turn.delivered_at))
