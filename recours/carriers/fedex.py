"""FedEx: tracking and signature proof of delivery. JSON over HTTP, with a token.

Sources: the carrier's OpenAPI file "Basic Integrated Visibility", its developer pages on limits, karrio's connector and
one public project. Nothing was tested against the live service.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from recours.carriers import answers, json_api
from recours.carriers.answers import PARIS, Detailed, Handover, Meaning, ParcelStatus, Scan, Shipment
from recours.carriers.client import TOO_MANY, Client
from recours.carriers.message import CarrierSession, Request, Response, Wait
from recours.carriers.oauth import TokenService
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.outcome import Failure, Outcome
from recours.core.quota import Capability
from recours.core.sentences import Sentence

_WEIGHTS = (3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1)


def _check_digit_fits(number: str) -> bool:
    """Check the last of 12 digits (weights 3 1 7, mod 11, mod 10) or 15 (weights 3 and 1 from the right, mod 10).

    Numbers in other formats pass. Source: the public project `jkeen/tracking_number_data`.
    """
    if re.fullmatch("[0-9]{15}", number):
        return answers.mod_10_fits(number, 3, 1)
    if not re.fullmatch("[0-9]{12}", number):
        return True
    *digits, check = map(int, number)
    return sum(d * w for d, w in zip(digits, _WEIGHTS, strict=True)) % 11 % 10 == check


SPEC = CarrierSpec(
    key="fedex",
    name="FedEx",
    spellings=("FedEx Express", "Federal Express", "FedEx Ground"),
    # The carrier allows 100,000 calls a day and 1,400 in ten seconds. We chose a smaller daily limit, and the limit for
    # tokens.
    limits={None: "1000/day@UTC,1400/10seconds", Capability.TOKEN: "20/hour"},
    credentials=(("FEDEX_CLIENT_ID", "FEDEX_CLIENT_SECRET", "FEDEX_ACCOUNT_NUMBER"),),
    base_url="https://apis.fedex.com",
    number_form=re.compile(r"[0-9]{12}|[0-9]{15}|[0-9]{20}|[0-9]{22}|[0-9]{32}|[0-9]{34}|DT[0-9]{12}"),
    number_example="123456789012",
    calls={Capability.TRACKING: 1, Capability.POD: 1},
    sample_number="000000000000",
    numbers_per_call=30,  # from the carrier's page on tracking, its OpenAPI file, and the text of LIMITEXCEEDED
    check_digit_fits=_check_digit_fits,
)

_TRACKING = "/track/v1/trackingnumbers"
_DOCUMENTS = "/track/v1/trackingdocuments"
_HEADERS = {"x-locale": "fr_FR"}
_SOURCE = "fedex trackingdocuments"
# The fields that distinguish parcels with the same number. Their values are only sent back to FedEx.
_HINTS = ("carrierCode", "trackingNumberUniqueId")
_LONGEST_ECHO = 100  # characters
_NUMBER_OR_TAG = "TRACKING_NUMBER_OR_DOORTAG"

# The assumed longest time between shipping and delivery. Our choice; a limit is needed because numbers are reused.
_LONGEST_WAY = timedelta(days=60)
# The approximate time for which the token endpoint blocks all requests after too many of them (one source).
_TOKEN_PENALTY = timedelta(minutes=10)
_DAY_IS_USED_UP = re.compile(rb"daily\s+transaction\s+quota", re.IGNORECASE)

# ---------------------------------------------------------------- tables

# latestStatusDetail.code, scanEvents[].derivedStatusCode: the 57 codes in "Tracking Status Codes" of the carrier's API
# reference guide (OW is from a later edition). We chose each meaning by the label alone. The list has three groups
# (movement, customs and possession), and some codes are in two groups.
FEDEX_CODES = answers.status_table(
    {
        ParcelStatus.DELIVERED: "DL",
        # Shipment Cancelled, according to the carrier's OpenAPI file and karrio. In the possession group: Carrier.
        ParcelStatus.CANCELLED: "CA",
        ParcelStatus.GOING_BACK: "RS",  # Return to Shipper
        ParcelStatus.AT_A_POINT: "HL HP",  # Hold at Location, Ready for Recipient Pickup
        # Expired links to return labels (LP, RD), possession (RC, SH), Split Status (SP).
        ParcelStatus.UNCLEAR: "LP RC RD SH SP",
        ParcelStatus.ACCEPTED: "PU PX",  # Picked up
        ParcelStatus.ON_ITS_WAY: """
            AA AC AD AF AO AP AR AX BR CC CD CH CP CU DD DE DP DR DS DY EA ED EO EP FD IT IX LO OC OD OF OW OX PD
            PF PL PM RG RM RP RR SE SF TP TR
        """,
    }
)

# Codes of errors about a number in a good answer, or about a whole answer. They are documented, and most were seen in
# answers. The meaning of any other code about a number is inferred.
_NUMBER_PREFIX = "TRACKING.TRACKINGNUMBER."
_INVALID = Sentence.NUMBER_REJECTED
CODES: dict[str, Meaning] = {
    f"{_NUMBER_PREFIX}NOTFOUND": Sentence.NUMBER_UNKNOWN,
    f"{_NUMBER_PREFIX}EMPTY": _INVALID,
    f"{_NUMBER_PREFIX}INVALID": _INVALID,
    "TRACKING.TRACKINGNUMBERS.LIMITEXCEEDED": Sentence.REQUEST_REJECTED,
    "NOT.AUTHORIZED.ERROR": Sentence.CREDENTIALS_REJECTED,
    # The text of this error ("check your permissions") is about the account, not the parcel.
    "FORBIDDEN.ERROR": Sentence.SERVICE_DENIED,
    "INTERNAL.SERVER.ERROR": Sentence.CARRIER_ERROR,
    "SERVICE.UNAVAILABLE.ERROR": Sentence.CARRIER_ERROR,
}
# `CODES`, plus codes that only the tracking uses.
TRACKING_CODES: dict[str, Meaning] = CODES | {"NOT.FOUND.ERROR": Sentence.NUMBER_UNKNOWN}
# `CODES`, plus codes that only the documents use. For documents, DATA.NOTFOUND has two causes, which the tracking
# distinguishes. According to the carrier, the image of a signature follows some time after the delivery, so a missing
# image is normal at first.
DOCUMENT_CODES: dict[str, Meaning] = CODES | {
    "NOT.FOUND.ERROR": Detailed(Sentence.ANSWER_UNREADABLE, "its documents endpoint was not found"),
    "TRACKING.DATA.NOTFOUND": Sentence.PROOF_PENDING,
    # From three public copies of the carrier's code list. Its text allows five days for the image of a signature.
    "TRACKINGDOCUMENT.DOCUMENT.UNAVAILABLE": Sentence.PROOF_PENDING,
}
# An alert of the carrier's test system, which announces canned data.
IGNORED_ALERTS = frozenset({"VIRTUAL.RESPONSE"})

# The meanings of HTTP statuses, used without a known code.
STATUSES = answers.ACCOUNT_STATUSES | {400: Sentence.REQUEST_REJECTED, TOO_MANY: Sentence.TOO_MANY_CALLS}

Coded = tuple[str | None, str | None]  # the code and the text of an error or an alert


class FedEx(Client):
    spec = SPEC
    token_service = TokenService(path="/oauth/token", has_account_in_form=True)

    def wait_asked(self, capability: Capability, answer: Response, now: datetime) -> Wait | None:
        """See Client. An exhausted daily quota is reset at midnight UTC. For a token call, 403 is a rate limit too."""
        if capability is Capability.TOKEN and answer.status == HTTPStatus.FORBIDDEN:
            return Wait(now + _TOKEN_PENALTY)
        if answer.status == TOO_MANY and _DAY_IS_USED_UP.search(answer.body):
            today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            return Wait(today + timedelta(days=1))
        return super().wait_asked(capability, answer, now)

    def track_many(
        self, numbers: Sequence[str], session: CarrierSession
    ) -> Mapping[str, Delivery | Failure] | Failure:
        parcels = [{"trackingNumberInfo": {"trackingNumber": number}} for number in numbers]
        content = {"includeDetailedScans": True, "trackingInfo": parcels}
        answer = self.call(Capability.TRACKING, json_api.post(_TRACKING, content, _HEADERS), session)
        return parse_tracking(answer, numbers)

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        """Call `trackingdocuments`, with any hints from this fetch's tracking."""
        request = document_request(number, delivery, self.settings["FEDEX_ACCOUNT_NUMBER"])
        return parse_document(self.call(Capability.POD, request, session), delivery)


def document_request(number: str, delivery: Delivery, account: str) -> Request:
    """A `trackingdocuments` call for a single number, because answers do not say which parcel a document is for."""
    # The first and last days on which a parcel delivered at that time may have been shipped.
    ship_dates: dict[str, str] = {}
    with suppress(OverflowError):  # raised at either end of the calendar
        if delivery.at:
            last = delivery.at.astimezone(PARIS).date()
            ship_dates = {"shipDateBegin": f"{last - _LONGEST_WAY}", "shipDateEnd": f"{last}"}
    specification = {
        "trackingNumberInfo": {"trackingNumber": number, **delivery.hints},
        **ship_dates,
        "accountNumber": account,
    }
    detail = {"documentType": "SIGNATURE_PROOF_OF_DELIVERY", "documentFormat": "PDF"}
    content = {"trackDocumentDetail": detail, "trackDocumentSpecification": [specification]}
    return json_api.post(_DOCUMENTS, content, _HEADERS)


# ---------------------------------------------------------------- answers of the tracking


def parse_tracking(answer: Response, numbers: Sequence[str]) -> Mapping[str, Delivery | Failure] | Failure:
    """The delivery or failure by number, or one failure if the answer is about none of the numbers."""
    tree = json_api.tree(answer.body)
    if failure := _error(tree, answer, TRACKING_CODES):
        return failure
    complete = json_api.items(tree, "output", "completeTrackResults")
    items = answers.group_by_number(numbers, complete, _numbers)
    parcels: dict[str, Delivery | Failure] = {}
    for number, entries in items.items():
        if results := [result for entry in entries for result in json_api.items(entry, "trackResults")]:
            parcels[number] = _parcel_answer(number, results, answer)
    if parcels or items or not complete:
        return parcels or answers.unreadable(SPEC.name, answer)
    return answers.about_another(SPEC.name, answer)


def _numbers(complete: Any) -> list[str | None]:
    """The requested number, or else the parcels' own (not the same in the carrier's sample), and door tag numbers."""
    requested = json_api.text(complete, "trackingNumber")
    own: list[str | None] = []
    tags: list[str | None] = []
    for result in json_api.items(complete, "trackResults"):
        own.append(json_api.text(result, "trackingNumberInfo", "trackingNumber"))
        for identifier in json_api.items(result, "additionalTrackingInfo", "packageIdentifiers"):
            if json_api.text(identifier, "type") == _NUMBER_OR_TAG:
                # `values` is from a recording (karrio's test of duplicates), `value` from the older schema.
                tags += [
                    json_api.text(identifier, "value"),
                    *map(json_api.text, json_api.items(identifier, "values")),
                ]
    return [*([requested] if requested else own), *tags]


def _parcel_answer(number: str, results: Sequence[Any], answer: Response) -> Delivery | Failure:
    """The delivery of the parcel, or a failure. `results`: the results of all parcels with this number."""
    errors = [_coded(json_api.at(result, "error")) for result in results]
    good = [result for result, error in zip(results, errors, strict=True) if error is None]
    if not good:
        return _meaning(answer, next(filter(None, errors)), TRACKING_CODES)
    shipments = [shipment for result in good if (shipment := _shipment(result)).present]
    if not shipments:
        return answers.unreadable(SPEC.name, answer)
    outcome = answers.handover(SPEC.name, number, shipments, answer, FEDEX_CODES)
    return outcome if isinstance(outcome, Failure) else _delivery(outcome)


def _shipment(result: Any) -> Shipment:
    events = [_scan(event) for event in reversed(json_api.items(result, "scanEvents"))]
    dates = [_dated(date) for date in json_api.items(result, "dateAndTimes")]
    latest = json_api.at(result, "latestStatusDetail")
    # If the current status is missing, the latest event replaces it.
    present = answers.latest([event for event in events if event.code], lambda event: event.at)
    if code := json_api.first_text(latest, "code", "derivedCode"):
        label = json_api.first_text(latest, "statusByLocale", "description")
        present = Scan(status=FEDEX_CODES.get(code), code=code, label=label)
    return Shipment(scans=(*dates, *events), present=present, body=result)


def _scan(event: Any) -> Scan:
    """An event. A time without an offset is assumed to be French (inferred; all recorded times have an offset)."""
    codes = list(filter(None, (json_api.text(event, name) for name in ("derivedStatusCode", "eventType"))))
    at = answers.parse_time(json_api.text(event, "date"), PARIS)
    label = json_api.text(event, "eventDescription")
    code = codes[0] if codes else None
    return Scan(status=answers.status_of(codes, FEDEX_CODES), at=at, code=code, label=label, body=event)


# dateAndTimes[].type. Times of other types are estimates or do not show where the parcel was.
_DATES = answers.status_table(
    {ParcelStatus.DELIVERED: "ACTUAL_DELIVERY", ParcelStatus.ACCEPTED: "ACTUAL_PICKUP ACTUAL_TENDER"}
)
_ACTUAL = frozenset({*_DATES, "SHIP"})


def _dated(date: Any) -> Scan:
    kind = json_api.text(date, "type") or ""
    at = answers.parse_time(json_api.text(date, "dateTime"), PARIS) if kind in _ACTUAL else None
    return Scan(status=_DATES.get(kind) if at else None, at=at, code=kind)


def _delivery(arrival: Handover) -> Delivery:
    result = arrival.shipment.body
    info = json_api.at(result, "trackingNumberInfo")
    details = json_api.at(result, "deliveryDetails")
    names = (answers.person(json_api.text(details, name)) for name in ("signedByName", "receivedByName"))
    values = {name: json_api.text(info, name) or "" for name in _HINTS}
    times = [scan.at for scan in arrival.scans if scan.at]
    exact = [scan.at for scan in arrival.scans if scan.at and scan.code in _DATES]
    at = max(exact or times, default=None)
    cities = (json_api.text(scan.body, "scanLocation", "city") for scan in arrival.scans)
    place = next(filter(None, cities), None)
    hints = {name: value for name, value in values.items() if 0 < len(value) <= _LONGEST_ECHO}
    return replace(arrival.delivery(at, next(filter(None, names), None), place), hints=hints)


# ---------------------------------------------------------------- answers of the documents


def parse_document(answer: Response, delivery: Delivery) -> Outcome:
    """The document, or why it is missing. The answer has no signatory or time, so they are from `delivery`."""
    tree = json_api.tree(answer.body)
    if failure := _error(tree, answer, DOCUMENT_CODES):
        return failure
    output = json_api.at(tree, "output")
    if not isinstance(output, dict):
        return answers.unreadable(SPEC.name, answer)
    # The carrier's schema and its sample use different names for the list.
    listed = [text for name in ("documents", "document") for text in _listed(output.get(name))]
    if not all(isinstance(text, str | None) for text in listed):
        return answers.unreadable(SPEC.name, answer)
    texts = [answers.EncodedPiece(text, _SOURCE) for text in listed if text and text.strip()]
    return answers.evidence(SPEC.name, texts, delivery, answer) if texts else _no_document(output, answer)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _no_document(output: Any, answer: Response) -> Failure:
    """The failure according to the alerts, or else the failure for missing data."""
    alerts = [alert for alert in _alerts(output) if alert[0] not in IGNORED_ALERTS]
    alert = next((alert for alert in alerts if alert[0] in DOCUMENT_CODES), None)
    if alert:
        return _meaning(answer, alert, DOCUMENT_CODES)
    code, carrier_text = alerts[0] if alerts else (None, None)
    failure = answers.failure_of(SPEC.name, DOCUMENT_CODES["TRACKING.DATA.NOTFOUND"], answer, carrier_text)
    return answers.report_code(failure, SPEC.name, answer, code, carrier_text) if code else failure


_ALERT_CODE = re.compile(r"[A-Z]+(?:\.[A-Z]+)+")


def _alerts(output: Any) -> list[Coded]:
    """The code and text of each alert. An alert is an object, or a text that starts with the code."""
    alerts: list[Coded | None] = []
    for alert in _listed(json_api.at(output, "alerts")):
        if isinstance(alert, str):
            match = _ALERT_CODE.match(alert.strip())
            alerts.append((match[0] if match else None, alert))
        else:
            alerts.append(_coded(alert))
    return [coded for coded in alerts if coded]


# ---------------------------------------------------------------- errors


def _coded(error: Any) -> Coded | None:
    coded = (json_api.text(error, "code"), json_api.text(error, "message"))
    return coded if any(coded) else None


def _error(tree: Any, answer: Response, table: dict[str, Meaning]) -> Failure | None:
    """The failure for an error, by its codes or else by its HTTP status."""
    errors = [coded for error in json_api.items(tree, "errors") if (coded := _coded(error))]
    first = next((coded for coded in errors if coded[0] in table), errors[0] if errors else None)
    if first is None and answer.is_ok:
        return None
    return _meaning(answer, first or (None, None), table)


def _meaning(answer: Response, coded: Coded, table: dict[str, Meaning]) -> Failure:
    code, carrier_text = coded
    if code and code.startswith(_NUMBER_PREFIX) and code not in table:
        failure = answers.failure_of(SPEC.name, _INVALID, answer, carrier_text)
        return answers.report_code(failure, SPEC.name, answer, code, carrier_text)
    # A web page is not from the service, so its status must not decide about a claim.
    is_page = answer.status == HTTPStatus.FORBIDDEN and answer.body.lstrip().startswith(b"<")
    statuses = {} if is_page else STATUSES
    if carrier_text and not code and answer.status not in statuses and not answer.is_server_error:
        return answers.unknown_code(SPEC.name, answer, None, carrier_text)
    return answers.error(SPEC.name, answer, table, statuses, code, carrier_text)
