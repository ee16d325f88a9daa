"""Simulates DPD France's Webtrace service.

Sources: a connector's summary of the carrier's manual (v5.0, October 2025), the service's generated pages, public
clients, a published real answer, and faults recorded at the sister service EPrint.

Inferred, without a source: An unknown number and another customer's number get a result without traces. Webtrace has
the same faults as EPrint. An error of the service itself is a fault without ErrorId. The texts of
CustomerPermissionDenied and IpPermissionDenied are guesses.

As far as is known, the carrier cannot report that there will be no proof. POD_NEVER, POD_NONE, POD_UNSAID and POD_LATE
are therefore all a delivered parcel without an image. Only the operation that a fetch needs is simulated; the others
are refused.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from recours.sandbox import documents, soap
from recours.sandbox.answers import Answer, BadRequestError, HttpRequest, Question
from recours.sandbox.json_api import base64_text
from recours.sandbox.scenarios import ALL_PIECES, NO_DOCUMENT_IS_THERE, ParcelState, Scenario, french_time
from recours.sandbox.soap import element, elements

PATH = "/trace-service/Webtrace_Service.asmx"
NAMESPACE = "http://www.cargonet.software/"
OPERATION = "GetShipmentTraceSingle"

COUNTRY = "250"
CENTER = "77"

_HEADER: soap.Form = (("UserCredentials?", ("userid", "password")),)
_FORM: soap.Form = (
    (
        "request",
        (
            ("Customer?", ("centernumber", "number", "countrycode")),
            *("Language", "ShipmentNumber", "ExpandContainerMode"),
            *("GetImages", "GetPhotos", "GetParsedInfo", "GetServices"),
        ),
    ),
)
# The format of each parameter. Only the values that a fetch needs are simulated.
_RULES = {
    "Language": "[A-Z]{2}",
    "ShipmentNumber": "[0-9]{14}",
    "ExpandContainerMode": "MasterOnly",
    "GetImages": "true",
    **dict.fromkeys(("GetPhotos", "GetParsedInfo", "GetServices"), "false"),
}

# StatusNumber, label, time before the last trace.
_ON_THE_WAY = (
    ("8", "Colis en préparation chez l'expéditeur", timedelta(days=2)),
    ("10", "Colis pris en charge", timedelta(days=1, hours=15)),
    ("20", "Colis en transit", timedelta(hours=9)),
    ("30", "Colis en cours de livraison", timedelta(hours=3, minutes=19)),
)
_DELIVERED = ("40", "Colis livré", timedelta())

_RETURNED = ("261", "Colis retourné à l'expéditeur", timedelta())

_CUSTOMER_DENIED = ("CustomerPermissionDenied", "Customer permission denied")
# Used alternately: the machine's IP address is not permitted, or the customer does not belong to the account.
_DENIED = (("IpPermissionDenied", "Ip permission denied"), _CUSTOMER_DENIED)
# ErrorId and its message.
_ERRORS = {
    Scenario.AUTH_REFUSED: ("PermissionDenied", "Permission denied"),  # recorded at EPrint
    Scenario.FAULT_CLIENT: ("InvalidInput", "Invalid input"),
}
_NOT_DELIVERED = frozenset({Scenario.IN_TRANSIT, Scenario.RETURNED_TO_SENDER})


class Dpd(soap.SoapCarrier):
    key = "dpd"
    paths = (PATH,)
    number_form = "{digits}{serial:012d}"  # clients do not send the optional check character
    credentials = ("DPD_USER", "DPD_PASSWORD")
    tracks_for_all = False
    # Faults without an ErrorId.
    faults: ClassVar[Mapping[Scenario, str]] = {
        Scenario.FAULT_SERVER: "Server was unable to process request.",
        Scenario.SYSTEM_ERROR: "System error",
    }

    def read(self, request: HttpRequest) -> Question:
        _, values, header = soap.SoapReader(NAMESPACE, {OPERATION: _FORM}, _invalid, _HEADER).read(request)
        fields = {path.removeprefix("request/"): text for path, text in values.items()}
        if (fields.get("Customer/countrycode"), fields.get("Customer/centernumber")) != (COUNTRY, CENTER):
            raise BadRequestError(_error(*_CUSTOMER_DENIED))
        for name, form in _RULES.items():
            if not re.fullmatch(form, fields[name]):
                raise _invalid(name)
        return Question(
            OPERATION,
            fields["ShipmentNumber"],
            tracking=True,
            credentials=(
                header.get("UserCredentials/userid", ""),
                header.get("UserCredentials/password", ""),
            ),
            details={"customer": fields["Customer/number"]},
        )

    def settings(self, account: str, password: str) -> dict[str, str]:
        customer = {"DPD_CENTER_NUMBER": CENTER, "DPD_CUSTOMER_NUMBER": _customer_of(account)}
        return super().settings(account, password) | customer

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        scenario = state.scenario
        if scenario is Scenario.ACCOUNT_DENIED:
            return _error(*state.alternate(_DENIED))
        if scenario in _ERRORS:
            return _error(*_ERRORS[scenario])
        if question.details["customer"] != _customer_of(question.account):
            return _error(*_CUSTOMER_DENIED)
        return super().refusal(question, state)

    def good(self, question: Question, state: ParcelState) -> Answer:
        return soap.response(OPERATION, NAMESPACE, _result(question, state))


def _customer_of(account: str) -> str:
    """The customer number of an account: 12345 for the sandbox's first account, 10000001."""
    return str(12344 + int(re.sub("[^0-9]", "", account)[-4:] or 1))


def _invalid(reason: str) -> BadRequestError:
    return BadRequestError(_error("InvalidInput", f"Invalid input: {reason}"))


def _error(code: str, message: str) -> Answer:
    """A fault, as recorded at EPrint: the content of `Error` has no namespace."""
    error = elements([("ErrorId", code), ("ErrorMessage", message)])
    return soap.fault("soap:Server", message, f"<Error>{error}</Error>")


def _result(question: Question, state: ParcelState) -> str:
    """The shipment with its traces, followed by its images."""
    if state.scenario in (Scenario.UNKNOWN, Scenario.NOT_OURS):
        return element("ShipmentNumber", question.number)
    delivered = state.scenario not in _NOT_DELIVERED
    end = french_time(state.last_at)
    fields = [
        ("ShipmentNumber", question.number),
        ("DestinationCountry", "F"),
        ("DestinationZipcode", "59000"),
        ("ShippingDate", _day(end - timedelta(days=2))),
        ("DeliveryDate", _day(end) if delivered else ""),
        ("Weight", "1.1"),
        ("Receiver", documents.signatory_of(state) if delivered else ""),
        ("Reference", "CMD-1"),
    ]
    traces = [_trace(*event) for event in state.history(_ON_THE_WAY, _DELIVERED, [_RETURNED])]
    return f"{elements(fields)}<Traces>{''.join(traces)}</Traces>{_images(question, state, end)}"


def _trace(code: str, label: str, at: datetime) -> str:
    when = french_time(at)
    fields = [
        ("ScanDate", _day(when)),
        ("ScanTime", _hour(when)),
        ("StatusNumber", code),
        ("StatusDescription", label),
        ("CenterName", "" if code == "8" else "LILLE"),
        *((name, "") for name in ("User", "Remark", "Info", "Details")),
    ]
    return f"<clsTrace>{elements(fields)}</clsTrace>"


def _images(question: Question, state: ParcelState, when: datetime) -> str:
    if state.scenario in NO_DOCUMENT_IS_THERE | _NOT_DELIVERED:
        return ""
    pieces = [("POD", documents.document_text(state, "DPD", question.number))]
    if state.scenario in ALL_PIECES:
        pieces.append(("DeliverySignature", base64_text(documents.signature_png(question.number))))
    images = (
        elements([("type", kind), ("image", text), ("date", _day(when)), ("time", _hour(when))])
        for kind, text in pieces
    )
    return f"<images>{''.join(f'<Image>{image}</Image>' for image in images)}</images>"


def _day(when: datetime) -> str:
    return f"{when:%d.%m.%Y}"


def _hour(when: datetime) -> str:
    return f"{when:%H:%M:%S}"
