"""DHL Unified. Source: the pages of developer.dhl.com, karrio's connector `dhl_universal`, two recorded errors."""

from recours.carriers import dhl
from recours.rehearsal.forms import (
    DOCUMENT,
    FLAG,
    JSON,
    LOCAL_TIME,
    PROBLEM,
    TEXT,
    WHOLE,
    Documented,
    Operation,
    code,
)

_STATUS = {
    "statusCode": code(dhl.STATUSES),
    "timestamp?": LOCAL_TIME,
    "status?": TEXT,
    "description?": TEXT,
    "location?": {"address?": {"addressLocality?": TEXT, "countryCode?": TEXT, "postalCode?": TEXT}},
}
_PROOF = {
    "timestamp?": LOCAL_TIME,
    "documentUrl?": TEXT,
    "signatureUrl?": TEXT,
    "signed?": dict.fromkeys(("@type?", "familyName?", "givenName?", "name?"), TEXT),
}
_SHIPMENT = {
    "id": TEXT,
    "service?": TEXT,
    "status": _STATUS,
    "details?": {"proofOfDelivery?": _PROOF},
    "events?": [_STATUS, ...],
    "returnFlag?": FLAG,
}

DOCUMENTED = Documented(
    (
        Operation(
            "shipments",
            "/track/shipments",
            {"shipments": [_SHIPMENT], "url?": TEXT},
            {"title": TEXT, "status?": WHOLE, "detail?": TEXT},
            frozenset({400, 401, 403, 404}),
            media_types=(JSON, PROBLEM),
        ),
        # What a link gives, wherever it leads, is documented nowhere.
        Operation("link", "/", DOCUMENT, statuses=frozenset({401, 403, 404})),
    )
)
