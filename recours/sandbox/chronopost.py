"""Simulates Chronopost's tracking and POD web service.

Sources: the carrier's specifications v2.6.2 (2018, "D18" below) and VL3.24.10.14 (2024, "D24"), and the schema and
recorded answers in karrio's Chronopost connector ("KAR"). The labels of an event's details and the delivery after a
return are from other public clients.

Inferred, without a source: searchPOD answers a wrong account or password with errorCode 3 "Invalid Password", and a
contract without access (ACCOUNT_DENIED) with errorCode 30. Both codes are from a sister service. searchPOD's answer for
a parcel that is not delivered has podPresente false and no statusCode. The French label of the signatory and the
message of errorCode 2 are guesses. Faults have the format of Apache CXF.

If the PDF is missing and no statusCode gives a reason, the client may request an image, and that call uses up the step.
Only the two operations that a fetch needs are simulated, in French; other operations and languages return faults.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

from recours.sandbox import documents, soap
from recours.sandbox.answers import Answer, BadRequestError, HttpRequest, Question
from recours.sandbox.scenarios import DELIVERED_BY_TRACKING, NO_DOCUMENT, ParcelState, Scenario, french_time
from recours.sandbox.soap import CONTENT_TYPE, element, elements

PATH = "/tracking-cxf/TrackingServiceWS"
NAMESPACE = "http://cxf.tracking.soap.chronopost.fr/"

# The parameters in the order of the schema. [D24, D18, KAR]
OPERATIONS = {
    "trackSkybillV2": ("language", "skybillNumber"),
    "searchPOD": ("accountNumber", "password", "language", "skybillNumber", "pdf"),
}
_LANGUAGE = "fr_FR"

# Codes from D24's table of events: code, label, time before the last event.
_ON_THE_WAY = (
    ("DC", "Envoi en préparation", timedelta(days=2)),
    ("PC", "Envoi pris en charge", timedelta(days=1, hours=15)),
    ("TS", "Envoi en transit", timedelta(hours=9)),
    ("TA", "Envoi en cours de livraison", timedelta(hours=3, minutes=19)),
)
_SENT_BACK = ("R", "Colis en retour expéditeur", timedelta(hours=2))
_DELIVERED = ("D", "Livré", timedelta())

# statusCode of an answer without a POD [D24, D18]. None means that the answer does not have this field.
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

# After a call for a PDF, another call for the same proof may follow.
_IMAGE_MAY_BE_ASKED_FOR = NO_DOCUMENT | {Scenario.POD_IMAGE_ONLY, Scenario.POD_UNSAID}
# In these scenarios an image is as invalid as a PDF.
_SPOILT = NO_DOCUMENT | {Scenario.BROKEN_PDF}

# Details of an event, by the event's code: label, value. The labels are from a public client.
_BESIDE = {
    "TA": (("Type du message", "SMS"), ("Date de relivraison", "06/10/2026"), ("Origine", "CHRONOPOST")),
    "D": (("Lieu", "LILLE"), ("Point de livraison", "ACCUEIL"), ("Numéro partenaire", "59-0042")),
}

_POD_ERRORS = {
    Scenario.ACCOUNT_DENIED: (30, "Invalid contract number"),  # inferred
    Scenario.NOT_OURS: (2, "The shipment belongs to another customer"),  # [D18]
    Scenario.AUTH_REFUSED: (3, "Invalid Password"),  # inferred
}


class Chronopost(soap.SoapCarrier):
    key = "chronopost"
    paths = (PATH,)
    number_form = "XY{digits}{serial:07d}FR"
    credentials = ("CHRONOPOST_ACCOUNT", "CHRONOPOST_PASSWORD")
    faults: ClassVar[Mapping[Scenario, str]] = {
        Scenario.FAULT_CLIENT: "Unmarshalling Error: the request was refused",
        Scenario.FAULT_SERVER: "Fault occurred while processing.",
    }

    def read(self, request: HttpRequest) -> Question:
        operation, values, _ = soap.SoapReader(NAMESPACE, OPERATIONS, _bad_request, asmx=False).read(request)
        if values["language"] != _LANGUAGE:
            raise _bad_request(f"{values['language']!r} is not {_LANGUAGE}")
        if operation == "trackSkybillV2":
            return Question(
                operation,
                values["skybillNumber"],
                tracking=True,
                continues_in=DELIVERED_BY_TRACKING | {Scenario.ACCOUNT_DENIED},
            )
        if values["pdf"] not in ("true", "false"):
            raise _bad_request(f"{values['pdf']!r} is not a boolean")
        return Question(
            operation,
            values["skybillNumber"],
            credentials=(values["accountNumber"], values["password"]),
            continues_in=_IMAGE_MAY_BE_ASKED_FOR if values["pdf"] == "true" else (),
            details={"pdf": values["pdf"]},
        )

    def good(self, question: Question, state: ParcelState) -> Answer:
        name = f"ns2:{question.operation}Response"
        result = f'<{name} xmlns:ns2="{NAMESPACE}"><return>{_result(question, state)}</return></{name}>'
        return Answer(200, soap.envelope(result), CONTENT_TYPE)


def _bad_request(reason: str) -> BadRequestError:
    """The exception for an invalid request, with an answer in CXF's format."""
    return BadRequestError(soap.fault("soap:Client", f"Unmarshalling Error: {reason}"))


def _result(question: Question, state: ParcelState) -> str:
    """The events, oldest first, the last with highPriority. An unknown number has no events [D24, KAR; a README]."""
    if state.scenario is Scenario.SYSTEM_ERROR:
        return _error(1, "System Error")  # [D24, KAR]
    if not question.tracking:
        return _pod(question, state)
    history = state.history(_ON_THE_WAY, _DELIVERED, [_SENT_BACK, _DELIVERED])
    signatory = documents.signatory_of(state)
    parts = [_event(*event, decides=event is history[-1], signatory=signatory) for event in history]
    events = "" if state.scenario is Scenario.UNKNOWN else "".join(parts)
    parcel = f"<listEventInfoComp>{events}{element('skybillNumber', question.number)}</listEventInfoComp>"
    return element("errorCode", 0) + parcel


def _error(code: int, message: str) -> str:
    return elements([("errorCode", code), ("errorMessage", message)])


def _event(code: str, label: str, when: datetime, *, decides: bool, signatory: str) -> str:
    """An event, with its fields in the order of the schema [KAR]. `decides`: it determines the parcel's state."""
    fields: list[tuple[str, str | bool]] = [
        ("code", code),
        ("eventDate", french_time(when).isoformat(timespec="seconds")),
        ("eventLabel", label),
        ("highPriority", decides),
        *([] if code == "D" else [("NPC", "ZZ")]),
        ("officeLabel", "LILLE CHRONOPOST"),
        ("zipCode", "59000"),
    ]
    items = list(_BESIDE.get(code, ()))
    if code == "D" and signatory:
        items.append(("Nom du réceptionnaire", signatory))
    beside = (elements([("name", name), ("value", value)]) for name, value in items)
    infos = "".join(f"<infoCompList>{item}</infoCompList>" for item in beside)
    return f"<events>{elements(fields)}{infos}</events>"


def _pod(question: Question, state: ParcelState) -> str:
    """The POD, or the reason why it is missing. Every field may be absent [D24, D18, KAR]."""
    if state.scenario in _POD_ERRORS:
        return _error(*_POD_ERRORS[state.scenario])
    as_image = question.details["pdf"] == "false"
    has_document = state.scenario is Scenario.POD_IMAGE_ONLY and as_image
    if state.scenario in _STATUS_WITHOUT_POD and not has_document:
        status = _STATUS_WITHOUT_POD[state.scenario]
        ending = "" if status is None else element("statusCode", status)
        return elements([("errorCode", 0), ("podPresente", False)]) + ending
    # If no PDF is requested, the service returns a PNG [D24].
    if as_image and state.scenario not in _SPOILT:
        state = replace(state, scenario=Scenario.DELIVERED_PNG)
    pod = documents.document_text(state, "Chronopost", question.number)
    return elements(
        [
            ("errorCode", 0),
            ("formatPOD", "PNG" if state.scenario is Scenario.DELIVERED_PNG else "PDF"),
            ("pod", pod),
            ("podPresente", True),
            ("statusCode", _STATUS_WITH_POD),
        ]
    )
