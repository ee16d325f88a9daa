"""Chronopost. Source: "Web Services CHRONOPOST" VL3.24.10.14 (October 2024) and the schema in karrio's connector."""

from recours.carriers import chronopost
from recours.rehearsal.forms import (
    DOCUMENT,
    FLAG,
    TEXT,
    TIME,
    Documented,
    Such,
    code,
    open_code,
    soap_operation,
)

_PATH = "/tracking-cxf/TrackingServiceWS"
_POD_IS_THERE = 5  # statusCode; the client reads the document in its place

_EVENT = {
    "code": code({*chronopost.DELIVERED_CODES, chronopost.POD_READY_CODE, *chronopost.NOT_DELIVERED_CODES}),
    "eventDate": TIME,
    "eventLabel": TEXT,
    "highPriority?": FLAG,
    "NPC?": TEXT,
    "officeLabel?": TEXT,
    "zipCode?": TEXT,
    "infoCompList?": [{"name?": code(Such(chronopost.is_known_label), "a label"), "value?": TEXT}, ...],
}
_ERROR = {"errorCode": code({0, *chronopost.ERROR_CODES}), "errorMessage?": TEXT}

DOCUMENTED = Documented(
    (
        soap_operation(
            "trackSkybillV2",
            _PATH,
            {"return": {**_ERROR, "listEventInfoComp?": {"events?": [_EVENT, ...], "skybillNumber": TEXT}}},
        ),
        soap_operation(
            "searchPOD",
            _PATH,
            {
                "return": {
                    **_ERROR,
                    "formatPOD?": open_code("PDF", "PNG", "JPG"),
                    "pod?": DOCUMENT,
                    "podPresente?": FLAG,
                    "statusCode?": code({*chronopost.POD_STATUS, _POD_IS_THERE}),
                }
            },
        ),
    )
)
