"""UPS. Source: Tracking.yaml and OAuthClientCredentials.yaml of UPS-API/api-documentation, real answers in its issues."""

from recours.carriers import ups
from recours.rehearsal.forms import (
    DIGITS,
    DOCUMENT,
    FLAG,
    OFFSET,
    ONE_OF,
    PAGE,
    TEXT,
    WHOLE,
    Documented,
    Operation,
    code,
    open_code,
    time,
    token_operation,
)

_DAY = time("a day such as 20261005", r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}")
_HOUR = time("a time of day such as 103100", r"[0-9]{1,6}|[0-9]{1,2}:[0-9]{2}:[0-9]{2}")

_STATUS = {
    "code?": code(ups.CODES_OF_STATUS),
    "statusCode?": code(ups.UPS_CODES),
    "type": code(ups.STATUS_TYPES),
    "description?": TEXT,
    "simplifiedTextDescription?": TEXT,
}
# The codes of an activity are a list of their own, which is not published.
_ACTIVITY = {
    "date": _DAY,
    "time": _HOUR,
    "gmtDate?": _DAY,
    "gmtTime?": _HOUR,
    "gmtOffset?": OFFSET,
    "location?": {"address?": {"city?": TEXT, "countryCode?": TEXT}, "slic?": TEXT},
    "status": _STATUS | {"code?": open_code(*ups.CODES_OF_STATUS)},
}
_PACKAGE = {
    "trackingNumber": TEXT,
    "currentStatus": _STATUS,
    "activity": [_ACTIVITY],
    "deliveryDate?": [{"type": open_code("DEL", "SDD", "RDD"), "date": _DAY}, ...],
    "deliveryTime?": {"type": open_code("DEL"), "endTime?": _HOUR, "startTime?": _HOUR},
    "packageAddress?": [{"type": open_code("DESTINATION"), "address?": {"countryCode?": TEXT}}, ...],
    "packageCount?": WHOLE,
    "deliveryInformation?": {
        "location?": TEXT,
        "receivedBy?": TEXT,
        "signature?": {"image": DOCUMENT},
        "pod?": {"content": PAGE},
        "deliveryPhoto?": {
            "photo?": DOCUMENT,
            **dict.fromkeys(("photoCaptureInd?", "photoDispositionCode?"), TEXT),
            "isNonPostalCodeCountry?": FLAG,
        },
    },
}
_CODED = {"code": code(ups.CODES), "message": TEXT}
_SHIPMENT = {"inquiryNumber": TEXT, "package?": [_PACKAGE], "warnings?": [_CODED], ONE_OF: "package warnings"}
# Without a code of its own an error has that of HTTP.
_ERROR = {"code": code({*ups.CODES, *ups.STATUSES, 500, 503}), "message": TEXT}

DOCUMENTED = Documented(
    (
        token_operation(
            "/security/v1/oauth/token",
            DIGITS,
            ups.STATUSES,
            **dict.fromkeys(("issued_at?", "client_id?", "scope?", "refresh_count?", "status?"), TEXT),
        ),
        Operation(
            "details",
            "/api/track/v1/details/",
            {"trackResponse": {"shipment": [_SHIPMENT]}},
            {"response": {"errors": [_ERROR]}},
            ups.STATUSES,
        ),
    )
)
