"""Simulates DHL Parcel DE Tracking v0.

Sources: the notes, schemas and sandbox answers in karrio's connector `dhl_parcel_de`, the carrier's table of events
from July 2024 in the same connector, and public clients.

Inferred, without a source: The gateway refuses a request that differs from the documentation. The answer about several
parcels lists the unknown numbers, and one wrong check digit makes the whole call invalid. Another customer's parcel is
unknown (NOT_OURS).

The service cannot report that there will be no signature. POD_LATE, POD_NEVER and POD_NONE are code 100, and POD_UNSAID
is a list without a signature. IN_TRANSIT shows a different status at each attempt. Operations and attributes that a
fetch does not need are refused.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from recours.sandbox import documents, json_api, scenarios, soap
from recours.sandbox.answers import Answer, BadRequestError, HttpRequest, Question, TracksSeveral
from recours.sandbox.scenarios import ParcelState, Scenario, french_time

_TRACK = "d-get-piece-detail"
_SIGNATURE = "d-get-signature"
_NUMBER = "(?:[0-9]{12}|[0-9]{16}|[0-9]{20}|JJD[0-9]{8,22}|[A-Z]{2}[0-9]{9}[A-Z]{2})"
_PREFIX = "003404341"  # prefix of the numbers in DHL's own sandbox

_LOGIN = {"appname": ".+", "password": ".+", "language-code": "en", "request": ".+"}
_FORMS = {
    _TRACK: _LOGIN | {"piece-code": f"{_NUMBER}(;{_NUMBER}){{0,19}}"},
    _SIGNATURE: _LOGIN | {"piece-code": _NUMBER},
}

_CONTINUES_IN = scenarios.DELIVERED_BY_TRACKING - {Scenario.AUTH_REFUSED, Scenario.NOT_OURS}
_UNKNOWN = frozenset({Scenario.UNKNOWN, Scenario.NOT_OURS})
_NO_SIGNATURE = scenarios.NO_DOCUMENT_IS_THERE - {Scenario.POD_UNSAID} | {Scenario.IN_TRANSIT} | _UNKNOWN

_NO_DATA = {"code": "100", "error": "No data found"}
_ERRORS = {
    Scenario.ACCOUNT_DENIED: ("62", "Authorization error"),
    Scenario.SYSTEM_ERROR: ("-1000", "Technical error"),
}
# Alternating weights of the digits, by the length of the number. 12 digits are an identcode, 20 digits are GS1.
_WEIGHTS = {12: (4, 9), 20: (3, 1)}
_WRONG_LOGIN = (("5", "Login failed"), ("6", "Too many invalid logins"))  # used alternately
_UNAUTHORIZED = json_api.problem(401, "Unauthorized", "Unauthorized for given resource.")
_GATEWAY_ERRORS = {
    Scenario.RATE_LIMITED: (429, "Too Many Requests", "Too many requests within defined time period"),
    Scenario.FAULT_CLIENT: (400, "Bad Request", "The request is not valid."),
    Scenario.FAULT_SERVER: (500, "Internal Server Error", "Unexpected error"),
}

# standard-event-code, ice, ric, text, time before the last event.
_ON_THE_WAY = (
    ("VA", "PARCV", "NRQRD", "The shipment data were sent to DHL electronically", timedelta(days=2)),
    ("AE", "PCKDU", "PUBCR", "The shipment has been picked up", timedelta(days=1, hours=15)),
    ("EE", "ULFMV", "UNLDD", "The shipment has reached the parcel center", timedelta(hours=9)),
    ("PO", "SRTED", "NRQRD", "The shipment is on the delivery vehicle", timedelta(hours=3, minutes=19)),
)
_DELIVERED = ("ZU", "DLVRD", "ACCPT", "The shipment has been successfully delivered", timedelta())
_SENT_BACK = ("ZN", "RETRN", "NTCCN", "The shipment is being returned to the sender", timedelta(hours=4))
# The last event of an undelivered parcel, a different one at each attempt.
_NOT_YET = (
    _ON_THE_WAY[-1],
    ("ZF", "CNRFC", "SERPT", "The shipment is ready for collection at the retail outlet", timedelta()),
    ("ZN", "NTDEL", "NHOME", "The recipient was not at home", timedelta()),
)


class DhlParcelDe(TracksSeveral):
    key = "dhl_parcel_de"
    paths = ("/parcel/de/tracking/v0/shipments",)
    prefix = len(_PREFIX)
    credentials = ("DHL_PARCEL_DE_USER", "DHL_PARCEL_DE_PASSWORD")
    tracks_for_all = False

    def read(self, request: HttpRequest) -> Question:
        json_api.needs(request, "GET", json_api.problem(405, "Method Not Allowed", "Use GET."))
        values, wrong = json_api.parameters(request, {"xml": "(?s:.+)"})
        if wrong:
            raise _refused("The only parameter is xml.")
        fields = _fields(values["xml"])
        number, *more_numbers = fields["piece-code"].split(";")
        account = (fields["appname"], fields["password"])
        if json_api.basic_account(request) != _application(*account):
            account = ("", "")
        if fields["request"] == _SIGNATURE:
            return Question(_SIGNATURE, number, credentials=account)
        more = tuple(more_numbers)
        return Question(_TRACK, number, more, tracking=True, continues_in=_CONTINUES_IN, credentials=account)

    def settings(self, account: str, password: str) -> dict[str, str]:
        """The settings. The application's credentials are derived from the account's credentials."""
        key, secret = _application(account, password)
        application = {"DHL_PARCEL_DE_API_KEY": key, "DHL_PARCEL_DE_API_SECRET": secret}
        return super().settings(account, password) | application

    def refusal(self, question: Question, state: ParcelState) -> Answer | None:
        scenario = state.scenario
        if scenario is Scenario.AUTH_REFUSED:
            return _error(*state.alternate(_WRONG_LOGIN)) if question.account else _UNAUTHORIZED
        if scenario in _GATEWAY_ERRORS:
            return json_api.problem(*_GATEWAY_ERRORS[scenario])
        if scenario in _ERRORS:
            return _error(*_ERRORS[scenario])
        number = question.number
        is_wrong = number.isdigit() and len(number) in _WEIGHTS and number[-1] != _check_digit(number[:-1])
        return _error("41", "IDC checksum invalid") if is_wrong else None

    def good(self, question: Question, state: ParcelState) -> Answer:
        if question.tracking:
            return self.joined([_parcel(question.number, state)])
        if state.scenario in _NO_SIGNATURE:
            return _answer("signature-list", _NO_DATA)
        is_there = state.scenario is not Scenario.POD_UNSAID
        return _answer("signature-list", {}, _signature(question.number, state) if is_there else "")

    def items_of(self, answer: Answer) -> list[str] | None:
        _, start, rest = answer.body.decode(errors="replace").partition('<data name="piece-shipment" ')
        item, _, _ = rest.rpartition("</")
        return [start + item] if self.joined([start + item]) == answer else None

    def joined(self, items: Sequence[str]) -> Answer:
        is_good = any(' error-status="0"' in item for item in items)
        return _answer("piece-shipment-list", {} if is_good else _NO_DATA, "".join(items))

    def example(self, digits: str, serial: int) -> str:
        number = f"{_PREFIX}{digits}{serial:08d}"
        return number + _check_digit(number)


def _check_digit(digits: str) -> str:
    """The check digit of a number that begins with these digits."""
    first, second = _WEIGHTS[len(digits) + 1]
    return str(-(first * sum(map(int, digits[::2])) + second * sum(map(int, digits[1::2]))) % 10)


# ---------------------------------------------------------------- requests


def _application(account: str, password: str) -> tuple[str, str]:
    return f"app-{account}", f"secret-{password}"


def _fields(text: str) -> dict[str, str]:
    """The attributes of a request. Raises BadRequestError."""
    root = soap.parse(text.encode(), _refused)
    form = _FORMS.get(root.get("request", ""))
    if root.tag != "data" or len(root) or form is None:
        raise _refused("A request is an element data with attributes.")
    json_api.check(dict(root.attrib), form, _refused, "data")
    return dict(root.attrib)


def _refused(reason: str) -> BadRequestError:
    return BadRequestError(json_api.problem(400, "Bad Request", reason))


# ---------------------------------------------------------------- answers


def _error(code: str, message: str) -> Answer:
    return _answer("piece-shipment-list", {"code": code, "error": message})


def _answer(name: str, attributes: Mapping[str, str], content: str = "") -> Answer:
    """An answer of the service. The HTTP status is always 200."""
    root = {"code": "0", "request-id": "sandbox", **attributes}
    return Answer(200, _data(name, root, content).encode(), soap.CONTENT_TYPE)


def _data(name: str, attributes: Mapping[str, str], content: str = "") -> str:
    return soap.with_attributes("data", {"name": name, **attributes}, content)


def _parcel(number: str, state: ParcelState) -> str:
    """The parcel with its events, oldest first."""
    numbers = {"piece-code": number, "searched-piece-code": number}
    if state.scenario in _UNKNOWN:
        return _data("piece-shipment", {"error-status": "100", **numbers})
    history = state.history(_ON_THE_WAY, _DELIVERED, [_SENT_BACK, _DELIVERED], *_NOT_YET)
    *_, text, at = history[-1]
    parcel = {
        "error-status": "0",
        **numbers,
        "status-timestamp": _stamp(at),
        "status": text,
        "recipient-name": documents.signatory_of(state) if state.is_delivered else "",
        "recipient-id-text": "recipient" if state.is_delivered else "",
        "pan-recipient-name": "Boutique Martin",
        "delivery-event-flag": str(int(state.is_delivered)),
        "dest-country": "DE",
        "ruecksendung": str(state.scenario is Scenario.RETURNED_TO_SENDER).lower(),
    }
    events = "".join(_event(*event) for event in history)
    return _data("piece-shipment", parcel, _data("piece-event-list", {}, events))


def _event(standard: str, ice: str, ric: str, text: str, at: datetime) -> str:
    codes = {"ice": ice, "ric": ric, "standard-event-code": standard}
    texts = {"event-timestamp": _stamp(at), "event-status": text, "event-location": "Bonn"}
    return _data("piece-event", texts | codes)


def _signature(number: str, state: ParcelState) -> str:
    day, _, _ = _stamp(state.delivered_at).partition(" ")
    kind = "image/png" if state.scenario is Scenario.DELIVERED_PNG else "image/gif"
    image = documents.signature_text(state, number)
    return _data(
        "signature", {"searched-piece-code": number, "event-date": day, "mime-type": kind, "image": image}
    )


def _stamp(at: datetime) -> str:
    """A time without an offset, to the minute. German local time is the same as French local time."""
    return f"{french_time(at):%d.%m.%Y %H:%M}"
