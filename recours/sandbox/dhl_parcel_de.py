"""DHL Parcel DE Tracking v0, simulated. Pure: a request and a parcel's state give an answer.

Sources of the facts: the notes, schemas and answers of the sandbox in karrio's connector `dhl_parcel_de`, the vendor's table of
events of July 2024 there, and public clients. Inferred, as no source says it: the gateway's errors (those of DHL's other
interfaces), that it answers so to a request that is not as described, that a call about several parcels leaves out those that
are unknown, and that another customer's parcel is unknown (NOT_OURS). There is no word for "there will be no signature":
POD_LATE, POD_NEVER and POD_NONE are code 100; POD_UNSAID is a list without one. ACCOUNT_DENIED is code 62. IN_TRANSIT shows
another status at each try. Of the operations, the public one is refused: the sandbox of DHL does not have it either.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from recours.sandbox import documents, json_api, soap
from recours.sandbox.answers import Answer, BadRequestError, HttpRequest, Question, TracksSeveral
from recours.sandbox.scenarios import DELIVERED_BY_TRACKING, ParcelState, Scenario, french_time

_PATH = "/parcel/de/tracking/v0/shipments"
_TRACK, _SIGNATURE = "d-get-piece-detail", "d-get-signature"
_IDENTCODE = "[0-9]{12}"
_NUMBER = f"(?:{_IDENTCODE}|[0-9]{{16}}|[0-9]{{20}}|JJD[0-9]{{8,22}}|[A-Z]{{2}}[0-9]{{9}}[A-Z]{{2}})"
_PREFIX = "003404341"  # of the numbers in DHL's own sandbox

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ANY = {"appname": ".+", "password": ".+", "request": ".+", "language-code": "en|de"}
_FORMS: Mapping[str, json_api.Form] = {
    _TRACK: {
        **_ANY,
        "piece-code": f"{_NUMBER}(;{_NUMBER}){{0,19}}",
        "zip-code?": "[0-9]{5}",
        "from-date?": _DAY,
        "to-date?": _DAY,
    },
    _SIGNATURE: {**_ANY, "piece-code": _NUMBER, "date-from?": _DAY, "date-to?": _DAY},
}

_GOES_ON = DELIVERED_BY_TRACKING - {Scenario.AUTH_REFUSED, Scenario.NOT_OURS}
_NO_SIGNATURE = frozenset({Scenario.POD_LATE, Scenario.POD_NEVER, Scenario.POD_NONE, Scenario.IN_TRANSIT})

_NO_DATA = ("100", "No data found")
_ERRORS = {
    Scenario.UNKNOWN: _NO_DATA,
    Scenario.NOT_OURS: _NO_DATA,
    Scenario.ACCOUNT_DENIED: ("62", "Authorization error"),
}
_SYSTEM_ERRORS = {_TRACK: ("-1000", "Technical error"), _SIGNATURE: ("63", "Signatures unavailable")}
_WRONG_LOGIN = (("5", "Login failed"), ("6", "Too many invalid logins"))  # in turn
_OF_THE_GATEWAY = {
    Scenario.RATE_LIMITED: (429, "Too Many Requests", "Too many requests within defined time period"),
    Scenario.FAULT_CLIENT: (400, "Bad Request", "The request is not valid."),
    Scenario.FAULT_SERVER: (500, "Internal Server Error", "Unexpected error"),
}

# standard-event-code, ice, ric, text, how long before the last event.
_ON_THE_WAY = (
    ("VA", "PARCV", "NRQRD", "The shipment data were sent to DHL electronically", timedelta(days=2)),
    ("AE", "PCKDU", "PUBCR", "The shipment has been picked up", timedelta(days=1, hours=15)),
    ("EE", "ULFMV", "UNLDD", "The shipment has reached the parcel center", timedelta(hours=9)),
    ("PO", "SRTED", "NRQRD", "The shipment is on the delivery vehicle", timedelta(hours=3, minutes=19)),
)
_DELIVERED = ("ZU", "DLVRD", "ACCPT", "The shipment has been successfully delivered", timedelta())
_SENT_BACK = ("ZN", "RETRN", "NTCCN", "The shipment is being returned to the sender", timedelta(hours=4))
# What an undelivered parcel shows, by the number of the try.
_NOT_YET = (
    _ON_THE_WAY[-1],
    ("ZF", "CNRFC", "SERPT", "The shipment is ready for collection at the retail outlet", timedelta()),
    ("ZN", "NTDEL", "NHOME", "The recipient was not at home", timedelta()),
    ("BV", "EXPHD", "BDADD", "The address is incomplete", timedelta()),
)


class DhlParcelDe(TracksSeveral):
    key = "dhl_parcel_de"
    paths = (_PATH,)
    prefix = len(_PREFIX)
    credentials = ("DHL_PARCEL_DE_USER", "DHL_PARCEL_DE_PASSWORD")
    tracks_for_all = False

    def read(self, request: HttpRequest) -> Question:
        json_api.needs(request, "GET", _gateway(405, "Method Not Allowed", "Use GET."))
        values, wrong = json_api.parameters(request, {"xml": "(?s:.+)"})
        if wrong or not values:
            raise _refused("The parameter xml is all there is.")
        fields = _fields(values["xml"])
        number, *also = fields["piece-code"].split(";")
        is_tracking = fields["request"] == _TRACK
        return Question(
            fields["request"],
            number,
            tuple(also),
            tracking=is_tracking,
            goes_on=_GOES_ON if is_tracking else (),
            credentials=(fields["appname"], fields["password"]),
            details={"application": ":".join(json_api.basic_account(request))},
        )

    def settings(self, account: str, password: str) -> dict[str, str]:
        key, _, secret = _application(account, password).partition(":")
        application = {"DHL_PARCEL_DE_API_KEY": key, "DHL_PARCEL_DE_API_SECRET": secret}
        return super().settings(account, password) | application

    def shows(self, question: Question, account: str, password: str) -> bool:
        is_shown = question.details["application"] == _application(account, password)
        return is_shown and super().shows(question, account, password)

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        scenario = state.scenario
        if scenario is Scenario.AUTH_REFUSED:
            is_shown = question.details["application"] == _application(*question.credentials or ("", ""))
            wrong_key = _gateway(401, "Unauthorized", "Unauthorized for given resource.")
            return _error(*state.alternate(_WRONG_LOGIN)) if is_shown else wrong_key
        if scenario in _OF_THE_GATEWAY:
            return _gateway(*_OF_THE_GATEWAY[scenario])
        if scenario is Scenario.SYSTEM_ERROR:
            return _error(*_SYSTEM_ERRORS[question.operation])
        return _error(*_ERRORS[scenario]) if scenario in _ERRORS else None

    def good(self, question: Question, state: ParcelState) -> Answer:
        if question.tracking:
            return self.joined([_parcel(question.number, state)])
        if state.scenario in _NO_SIGNATURE:
            return _error(*_NO_DATA)
        is_there = state.scenario is not Scenario.POD_UNSAID
        return _answer("signature-list", {}, _signature(question.number, state) if is_there else "")

    def items_of(self, answer: Answer) -> list[str] | None:
        """The parcel as a text. One that is unknown is left out of an answer about several."""
        if answer == _error(*_NO_DATA):
            return []
        start, end = self.joined(["|"]).body.split(b"|")
        is_list = answer.body.startswith(start) and answer.body.endswith(end)
        return [answer.body[len(start) : -len(end)].decode(errors="replace")] if is_list else None

    def joined(self, items: Sequence[str]) -> Answer:
        return _answer("piece-shipment-list", {}, "".join(items)) if items else _error(*_NO_DATA)

    def example(self, digits: str, serial: int) -> str:
        number = f"{_PREFIX}{digits}{serial:08d}"
        return f"{number}{-_sum(number, 3, 1) % 10}"


# ---------------------------------------------------------------- requests


def _application(account: str, password: str) -> str:
    """Key and secret of the application, which the sandbox makes of the account."""
    return f"app-{account}:secret-{password}"


def _fields(text: str) -> dict[str, str]:
    """The attributes of a request. Raises BadRequestError."""
    root = soap.parsed(text.encode(), _refused)
    if root.tag != "data" or len(root):
        raise _refused("A request is an element data with attributes.")
    form = _FORMS.get(root.get("request", ""))
    if form is None:
        raise BadRequestError(_error("-3", "Unknown request type"))
    fields = dict(root.attrib)
    json_api.check(fields, form, _refused, "data")
    codes = [number for number in fields["piece-code"].split(";") if re.fullmatch(_IDENTCODE, number)]
    if any((_sum(code[:-1], 4, 9) + int(code[-1])) % 10 for code in codes):
        raise BadRequestError(_error("41", "IDC checksum invalid"))
    return fields


def _sum(digits: str, odd: int, even: int) -> int:
    """Weighted in turn, from the left."""
    return sum(map(int, digits[::2])) * odd + sum(map(int, digits[1::2])) * even


def _refused(reason: str) -> BadRequestError:
    return BadRequestError(_gateway(400, "Bad Request", reason))


# ---------------------------------------------------------------- answers


def _gateway(status: int, title: str, detail: str) -> Answer:
    return json_api.answer({"status": status, "title": title, "detail": detail}, status)


def _error(code: str, message: str) -> Answer:
    return _answer("piece-shipment-list", {"code": code, "error": message})


def _answer(name: str, attributes: Mapping[str, str], content: str = "") -> Answer:
    """HTTP is 200, whatever the code."""
    root = {"code": "0", "request-id": "sandbox", **attributes}
    return Answer(200, _data(name, root, content).encode(), soap.CONTENT_TYPE)


def _data(name: str, attributes: Mapping[str, str], content: str = "") -> str:
    return soap.with_attributes("data", {"name": name, **attributes}, content)


def _parcel(number: str, state: ParcelState) -> str:
    """The parcel, and its events, the oldest first."""
    history = state.history(_ON_THE_WAY, _DELIVERED, [_SENT_BACK, _DELIVERED], *_NOT_YET)
    *codes, text, at = history[-1]
    is_return = str(state.scenario is Scenario.RETURNED_TO_SENDER).lower()
    parcel = {
        "error-status": "0",
        "piece-code": number,
        "searched-piece-code": number,
        "status-timestamp": _stamp(at),
        "status": text,
        "recipient-name": documents.signatory_of(state) if state.is_delivered else "",
        "recipient-id-text": "recipient" if state.is_delivered else "",
        "pan-recipient-name": "Boutique Martin",
        "delivery-event-flag": str(int(state.is_delivered)),
        "dest-country": "DE",
        "ruecksendung": is_return,
        **_codes(*codes),
    }
    events = "".join(_event(*event) for event in history)
    return _data("piece-shipment", parcel, _data("piece-event-list", {}, events))


def _event(standard: str, ice: str, ric: str, text: str, at: datetime) -> str:
    event = {"event-timestamp": _stamp(at), "event-status": text, **_codes(standard, ice, ric)}
    return _data("piece-event", event | {"event-location": "Bonn", "event-country": "Germany"})


def _codes(standard: str, ice: str, ric: str) -> dict[str, str]:
    return {"ice": ice, "ric": ric, "standard-event-code": standard}


def _signature(number: str, state: ParcelState) -> str:
    signature = {
        "searched-piece-code": number,
        "event-date": _stamp(state.delivered_at).partition(" ")[0],
        "mime-type": "image/png" if state.scenario is Scenario.DELIVERED_PNG else "image/gif",
        "image": documents.signature_text(state, number),
    }
    return _data("signature", signature)


def _stamp(at: datetime) -> str:
    """Without an offset, to the minute; German clocks show the time of French ones."""
    return f"{french_time(at):%d.%m.%Y %H:%M}"
