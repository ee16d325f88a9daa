"""UPS: tracking, signature and proof of delivery in one call. JSON over HTTP, with a token.

Sources: the carrier's own OpenAPI files (Tracking.yaml, OAuthClientCredentials.yaml), real answers in the issues of
their repository, and karrio's connector. Nothing was tested against the live service.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import uuid4
from zoneinfo import ZoneInfo

from recours.carriers import answers, json_api
from recours.carriers.answers import Handover, Meaning, ParcelStatus, Scan, Shipment
from recours.carriers.client import OneCallClient
from recours.carriers.message import CarrierSession, Request, Response
from recours.carriers.oauth import TokenService
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Failure, Outcome
from recours.core.quota import Capability
from recours.core.sentences import Sentence

_PARCEL = re.compile(r"1Z[A-Z0-9]{15}[0-9]")


def _check_digit_fits(number: str) -> bool:
    """Check the check digit after `1Z` and fifteen characters. Other formats pass.

    Every second character has double weight. The value of a letter is (its code - 63) mod 10. Source: the public
    project `jkeen/tracking_number_data`. The carrier's own test numbers do not follow this rule.
    """
    if not _PARCEL.fullmatch(number):
        return True
    values = [int(c) if c.isdigit() else (ord(c) - 63) % 10 for c in number[2:17]]
    total = sum(values[::2]) + 2 * sum(values[1::2])
    return int(number[17]) == (10 - total % 10) % 10


SPEC = CarrierSpec(
    key="ups",
    name="UPS",
    spellings=("UPS Standard", "UPS Express", "United Parcel Service"),
    limits={None: "200/hour", Capability.TOKEN: "20/hour"},  # our choice; the carrier publishes no limit
    credentials=(("UPS_CLIENT_ID", "UPS_CLIENT_SECRET"),),
    base_url="https://onlinetools.ups.com",
    # Formats of parcels, waybills, freight and Mail Innovations, from the project jkeen/tracking_number_data. The
    # letters F, M, Q and W are from the project mediocre/bloodhound.
    number_form=re.compile(
        rf"{_PARCEL.pattern}|[AFHJKMQTVW][0-9]{{10}}|[0-9]{{9}}|[0-9]{{18}}|[0-9]{{22}}|[0-9]{{26}}"
    ),
    number_example="1Z999AA10123456784",
    calls={Capability.TRACKING: 1},
    sample_number="1Z0000000000000000",
    evidence_days=120,  # after pickup (the carrier's Tracking.yaml)
    tracks_always=True,
    check_digit_fits=_check_digit_fits,
)

_DETAILS = "/api/track/v1/details/"
_QUERY = "locale=fr_FR&returnSignature=true&returnPOD=true&returnMilestones=false"
# A web page, the image of the signature, and a photo of the parcel where it was left.
_PIECES = {
    "pod.content": EvidenceKind.LETTER,
    "signature.image": EvidenceKind.SIGNATURE,
    "deliveryPhoto.photo": EvidenceKind.PHOTO,
}

# ---------------------------------------------------------------- tables

# currentStatus.code, activity[].status.statusCode: the 160 codes of the carrier's list "UPS Status/Description Codes".
# We chose each meaning by the label alone. Most of the codes were not seen in real answers.
UPS_CODES = answers.status_table(
    {
        ParcelStatus.DELIVERED: "011 026",  # 026: by Local Post Office
        ParcelStatus.RETURNED: "034 067 081",
        ParcelStatus.GOING_BACK: "035 036",
        ParcelStatus.CANCELLED: "007",  # Shipment Information Voided
        ParcelStatus.ACCEPTED: "038 160 167 168 169",  # Picked Up by UPS, We Have Your Package, Dropped off
        ParcelStatus.SEIZED: "147",  # Seized by Law Enforcement, No Longer in UPS possession
        ParcelStatus.DESTROYED: "149",  # Prohibited Contents, Package Destroyed No Longer in UPS possession
        # Held or ready for pickup; delivered to an agent, a post office or an Access Point.
        ParcelStatus.AT_A_POINT: "017 040 143 144 161",
        # Damage Reported, Package to Lost and Found, Unable to Deliver, investigations, claims, Request Canceled,
        # labels left, Delivery Photo, Commercial Inside Release, no information.
        ParcelStatus.UNCLEAR: """
            000 059 068 069 088 094 114 117 127 128 129 130 133 140 142 148 155 156 163
        """,
        # More scans follow these: attempts, refusals and requests, also to return the parcel (033, 118, 119).
        ParcelStatus.ON_ITS_WAY: """
            003 005 006 010 012 013 014 016 018 019 020 021 022 023 024 025 027 028 029 030 032 033 037 039
            041 042 043 044 045 046 047 048 049 050 051 052 053 054 055 056 057 058 060 061 062 063 064 065 066
            070 071 072 073 074 075 076 077 078 079 080 082 083 084 085 086 087 089 090 091 092 093 095 096 097
            098 099 100 101 102 103 104 105 106 107 108 109 110 111 112 113 115 116 118 119 120 121 122 123 124
            125 126 131 132 134 135 136 137 138 139 141 145 146 153 154 157 158 159 162 164 165 166
        """,
    }
)
# status.type, used only if no code of the status says where the parcel is. P (Pickup), RS (Returned to Shipper) and O
# are from the carrier's list in two public clients. DO, DD and W are for freight.
STATUS_TYPES = answers.status_table(
    {
        ParcelStatus.DELIVERED: "D",
        ParcelStatus.RETURNED: "RS",
        ParcelStatus.ACCEPTED: "P",
        ParcelStatus.ON_ITS_WAY: "I M X O NA U DO DD W",
        ParcelStatus.CANCELLED: "MV",  # voided
    }
)
# activity[].status.code: an incomplete list from karrio and one more source. RS means "return to shipper"; EJ, EK, 1F
# and KP mean returns by Mail Innovations.
ACTIVITIES = answers.status_table(
    {
        ParcelStatus.DELIVERED: "FS KB F4",
        ParcelStatus.GOING_BACK: "RS EJ EK 1F KP",
        ParcelStatus.ON_ITS_WAY: "OT OF DP AR OR",
    }
)
STATUS_CODES = UPS_CODES | ACTIVITIES
_KNOWN = STATUS_CODES | STATUS_TYPES

# Codes of errors and warnings. TW0001, TV1002, 250002 and 10429 are in several sources, and 250003 is in one source.
# 10401 is documented for the token call.
CODES: dict[str, Meaning] = {
    "TW0001": Sentence.NUMBER_UNKNOWN,
    "TV1002": Sentence.NUMBER_REJECTED,
    "250002": Sentence.CREDENTIALS_REJECTED,
    "250003": Sentence.CREDENTIALS_REJECTED,
    "10401": Sentence.CREDENTIALS_REJECTED,
    "10429": Sentence.TOO_MANY_CALLS,
}
# The meanings of HTTP statuses, used without a known code. 403 ("Blocked Merchant", always about the account and never
# about a parcel) and 404 are documented without a code.
STATUSES = answers.ACCOUNT_STATUSES | {
    400: Sentence.REQUEST_REJECTED,
    404: Sentence.NUMBER_UNKNOWN,
    429: Sentence.TOO_MANY_CALLS,
}


class Ups(OneCallClient):
    spec = SPEC
    # Unlike the other paths, this path does not start with /api.
    token_service = TokenService(path="/security/v1/oauth/token")

    def fetch_proof(self, number: str, delivery: Delivery, session: CarrierSession) -> Outcome:
        """Make the call, and repeat it if UPS rejects a well-formed number. `delivery` fills gaps in the answer."""
        outcome = parse(self._ask(number, session), number, delivery)
        is_refused = outcome.kind is ErrorKind.INVALID_TRACKING
        # UPS occasionally rejects valid numbers, according to reports about TV1002.
        if is_refused and not SPEC.is_doubtful(number) and number != SPEC.sample_number:
            session.pause()
            outcome = parse(self._ask(number, session), number, delivery)
        return outcome

    def _ask(self, number: str, session: CarrierSession) -> Response:
        headers = {"transId": uuid4().hex, "transactionSrc": "recours"}  # the ID of this call for UPS
        request = Request("GET", f"{_DETAILS}{quote(number, safe='')}?{_QUERY}", headers)
        return self.call(Capability.TRACKING, request, session)


# ---------------------------------------------------------------- answers


def parse(answer: Response, number: str, defaults: Delivery) -> Outcome:
    """The document, or why it is missing. `defaults` has the facts to use if the answer omits them."""
    shipments = _shipments(answer)
    if isinstance(shipments, Failure):
        return shipments
    outcome = answers.handover(SPEC.name, number, shipments, answer, _KNOWN)
    if isinstance(outcome, Failure):
        return outcome
    return _document(outcome.shipment.body, _delivery(outcome).completed_by(defaults), answer)


def _shipments(answer: Response) -> list[Shipment] | Failure:
    """At least one shipment, each for one package, or a failure."""
    tree = json_api.tree(answer.body)
    if failure := _error(tree, answer):
        return failure
    shipments = json_api.items(tree, "trackResponse", "shipment")
    packages = [package for shipment in shipments for package in json_api.items(shipment, "package")]
    if not packages:  # a warning in the answer explains the reason
        warnings = [warning for shipment in shipments for warning in json_api.items(shipment, "warnings")]
        error = _first_known(warnings)
        code, carrier_text = error or (None, None)
        return answers.error(SPEC.name, answer, CODES, {}, code or ("none" if error else None), carrier_text)
    return [_shipment(package) for package in packages if _status(package)] or answers.unreadable(
        SPEC.name, answer
    )


def _shipment(package: Any) -> Shipment:
    """A package. Its alternate tracking numbers identify the same package, according to the carrier's document."""
    others = [json_api.text(other, "number") for other in json_api.items(package, "alternateTrackingNumber")]
    numbers = tuple(filter(None, [json_api.text(package, "trackingNumber"), *others]))
    destination = _destination(package)
    # Activities are listed newest first.
    scans = [
        _scan(
            json_api.at(activity, "status"),
            _time_of(activity, zone_of(_country(activity) or destination)),
            activity,
        )
        for activity in reversed(json_api.items(package, "activity"))
    ]
    return Shipment(numbers=numbers, scans=tuple(scans), present=_scan(_status(package)), body=package)


def _scan(status: Any, at: datetime | None = None, activity: Any = None) -> Scan:
    codes = _codes(status) or list(filter(None, [json_api.text(status, "type")]))
    code = next((code for code in codes if code in _KNOWN), codes[0] if codes else None)
    label = json_api.first_text(status, "description", "simplifiedTextDescription")
    return Scan(status=_meaning(status), at=at, code=code, label=label, body=activity)


# ---------------------------------------------------------------- the status


def _status(package: Any) -> Any:
    """The current status, or else the status of the newest activity, or None if both are empty."""
    newest = json_api.at(json_api.items(package, "activity"), 0, "status")
    statuses = (json_api.at(package, "currentStatus"), newest)
    return next((status for status in statuses if _codes(status) or json_api.text(status, "type")), None)


def _codes(status: Any) -> list[str]:
    return [code for name in ("code", "statusCode") if (code := json_api.text(status, name))]


def _meaning(status: Any) -> ParcelStatus | None:
    """What a status means, by its codes, or by its type if the codes do not show where the parcel is."""
    by_code = answers.status_of(_codes(status), STATUS_CODES)
    if by_code not in (None, ParcelStatus.UNCLEAR):
        return by_code
    return STATUS_TYPES.get(json_api.text(status, "type") or "", by_code)


def _delivery(arrival: Handover) -> Delivery:
    """The delivery. Its place is the town and where exactly the parcel was left, such as "FRONT DOOR"."""
    information = json_api.at(arrival.shipment.body, "deliveryInformation")
    town = json_api.text(arrival.scans[0].body, "location", "address", "city")
    place = ", ".join(filter(None, (town, json_api.text(information, "location"))))
    at, day = _delivered_at(arrival)
    return replace(arrival.delivery(at, json_api.text(information, "receivedBy"), place), day=day)


# ---------------------------------------------------------------- when it was delivered


def _delivered_at(arrival: Handover) -> tuple[datetime | None, date | None]:
    """The time and None, or None and the local day of delivery if the exact time is unknown.

    Some answers contain the time in UTC, others only the local time. A local time is used only in countries with a
    single time zone; in other countries, only the day is used.
    """
    if times := [scan.at for scan in arrival.scans if scan.at]:
        return max(times), None
    package = arrival.shipment.body
    country = _country(arrival.scans[0].body) or _destination(package)
    day, at = _date_of_delivery(package, zone_of(country))
    if at is not None:
        return at, None
    days = [on for scan in arrival.scans if (on := _day(json_api.text(scan.body, "date")))]
    return None, max(days, default=day)


def _country(activity: Any) -> str | None:
    return json_api.text(activity, "location", "address", "countryCode")


def _destination(package: Any) -> str | None:
    """The country of the destination address."""
    to = [a for a in json_api.items(package, "packageAddress") if json_api.text(a, "type") == "DESTINATION"]
    return next(filter(None, (json_api.text(a, "address", "countryCode") for a in to)), None)


def _time_of(activity: Any, zone: ZoneInfo | None) -> datetime | None:
    """The UTC time, or else the local time with its offset, or else the local time in the country's zone."""
    utc = _compact(json_api.text(activity, "gmtDate"), json_api.text(activity, "gmtTime"), UTC)
    if utc:
        return utc
    day, hour, offset = (json_api.text(activity, name) for name in ("date", "time", "gmtOffset"))
    return _compact(day, hour, zone, offset)


def zone_of(country: str | None) -> ZoneInfo | None:
    """The time zone of a country by ISO 3166 code, or None if it is unknown or has several local times.

    Overseas departments and territories have their own codes (`GP`, `MQ`, `RE` ...), so `FR` is Paris.
    """
    return _zones().get((country or "").strip().upper())


@cache
def _zones() -> dict[str, ZoneInfo]:
    """The time zones of countries with a single local time, from the IANA time zone database."""
    from importlib.resources import files  # noqa: PLC0415 (needed only for an answer without the UTC time)

    zones: dict[str, list[ZoneInfo]] = {}
    for line in (files("tzdata") / "zoneinfo" / "zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            country, _, name, *_ = line.split("\t")
            zones.setdefault(country, []).append(ZoneInfo(name))
    # Zones that had the same time in every month of 2025 are treated as equal.
    months = [datetime(2025, month, 1, tzinfo=UTC) for month in range(1, 13)]
    clocks = {
        country: {tuple(at.astimezone(zone).utcoffset() for at in months) for zone in places}
        for country, places in zones.items()
    }
    return {country: places[0] for country, places in zones.items() if len(clocks[country]) == 1}


def _date_of_delivery(package: Any, zone: ZoneInfo | None) -> tuple[date | None, datetime | None]:
    """The local day of delivery and the exact time, each None if unknown."""
    end = json_api.at(package, "deliveryTime")
    hour = json_api.text(end, "endTime") if json_api.text(end, "type") == "DEL" else None
    dates = [date for date in json_api.items(package, "deliveryDate") if json_api.text(date, "type") == "DEL"]
    texts = [text for date in dates if (text := json_api.text(date, "date"))]
    times = [at for text in texts if (at := _compact(text, hour, zone))]
    return max(filter(None, map(_day, texts)), default=None), max(times, default=None)


# Days and times in the document's example have only digits, possibly without leading zeros. Times in real answers have
# colons, and days with dashes were reported (UPS-API/api-documentation, issues 38, 99 and 187).
_DAY = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
_HOUR = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})")
_DIGITS = re.compile(r"[0-9]{1,6}")
_OFFSET = re.compile(r"[+-][0-9]{2}:[0-9]{2}")


def _day(text: str | None) -> date | None:
    match = _DAY.fullmatch(text or "")
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


def _hour(text: str | None) -> str | None:
    """`103100` or `10:31:00` as six digits."""
    if match := _HOUR.fullmatch(text or ""):
        return "".join(part.zfill(2) for part in match.groups())
    return text.zfill(6) if text and _DIGITS.fullmatch(text) else None


def _compact(
    day: str | None, hour: str | None, zone: tzinfo | None, offset: str | None = None
) -> datetime | None:
    """A day and time as aware UTC, or None if they are unreadable or the zone is unknown."""
    on, at = _day(day), _hour(hour)
    if not (on and at):
        return None
    local = f"{on:%Y%m%d}T{at}"
    if offset and _OFFSET.fullmatch(offset) and (exact := answers.parse_time(local + offset)):
        return exact
    return answers.parse_time(local, zone) if zone else None


# ---------------------------------------------------------------- the document


def _document(package: Any, delivery: Delivery, answer: Response) -> Outcome:
    pieces: list[answers.EncodedPiece] = []
    for path, kind in _PIECES.items():
        if text := json_api.first_text(json_api.at(package, "deliveryInformation"), path):
            pieces.append(answers.EncodedPiece(text, "ups track", kind, html=kind is EvidenceKind.LETTER))
    if pieces:
        return answers.evidence(SPEC.name, pieces, delivery, answer)
    return Failure.of(Sentence.PROOF_FOR_PARTIES, SPEC.name, None, answer.status, delivery=delivery)


# ---------------------------------------------------------------- errors


def _error(tree: Any, answer: Response) -> Failure | None:
    """The failure for an error, by its codes or else by its HTTP status."""
    details = json_api.items(tree, "Fault", "detail", "Errors", "ErrorDetail")  # format of older services
    legacy = [json_api.at(detail, "PrimaryErrorCode") for detail in details]
    errors = json_api.items(tree, "response", "errors")
    error = _first_known(errors) or _first_known(legacy, "Code", "Description")
    if error is None and answer.is_ok:
        return None
    code, carrier_text = error or (None, None)
    # A web page or an empty 404 is not from the service, so its status must not decide about a claim.
    is_page = answer.status == HTTPStatus.FORBIDDEN and answer.body.lstrip().startswith(b"<")
    is_silent = not (code or carrier_text)
    is_nowhere = answer.status == HTTPStatus.NOT_FOUND and is_silent
    statuses = {} if is_page or is_nowhere else STATUSES
    is_reported = code not in CODES and answer.status not in statuses and not answer.is_server_error
    if is_reported and not is_silent:
        return answers.unknown_code(SPEC.name, answer, code, carrier_text)
    # A code that only repeats the status is not reported as unknown.
    news = None if code == str(answer.status) else code
    return answers.error(SPEC.name, answer, CODES, statuses, news, carrier_text)


def _first_known(
    errors: Sequence[Any], code: str = "code", carrier_text: str = "message"
) -> tuple[str | None, str | None] | None:
    """The code and text of the first error whose code is in the table, or else of the first error."""
    coded = [(json_api.text(error, code), json_api.text(error, carrier_text)) for error in errors]
    return next((error for error in coded if error[0] in CODES), coded[0] if coded else None)
