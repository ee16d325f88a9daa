"""DHL Express. Source: the OpenAPI document of the MyDHL API, 3.1.1 (November 2025)."""

from recours.carriers import dhl_express
from recours.rehearsal.forms import (
    DAY,
    DOCUMENT,
    HOUR,
    JSON,
    LOCAL_TIME,
    OFFSET,
    PROBLEM,
    TEXT,
    WHOLE,
    Documented,
    Form,
    Operation,
    code,
    open_code,
)

_EVENT = {
    "date": DAY,
    "time": HOUR,
    "GMTOffset?": OFFSET,
    "typeCode": code(dhl_express.DHL_EXPRESS_CODES),
    "description?": TEXT,
    "serviceArea?": [{"code?": TEXT, "description?": TEXT}, ...],
    "signedBy?": TEXT,
}
_SHIPMENT = {
    "shipmentTrackingNumber": TEXT,
    "status?": TEXT,
    "shipmentTimestamp?": LOCAL_TIME,
    "productCode?": TEXT,
    "description?": TEXT,
    "shipperDetails?": {"name?": TEXT},
    "receiverDetails?": {"name?": TEXT},
    "numberOfPieces?": WHOLE,
    "pieces?": [{"number?": WHOLE, "trackingNumber?": TEXT}, ...],
    "events": [_EVENT, ...],
}
# The form is in `encodingFormat`; a fixture of karrio's has `format`.
_DOCUMENT = {
    "typeCode": open_code("POD"),
    "content": DOCUMENT,
    "encodingFormat?": open_code("PDF", "PNG"),
    "format?": open_code("PDF", "PNG"),
}
_BAD = {
    "title": TEXT,
    **dict.fromkeys(("instance?", "detail?", "message?", "status?"), TEXT),
    "additionalDetails?": [TEXT, ...],
}


def _operation(name: str, path: str, good: Form) -> Operation:
    return Operation(
        name, path, good, _BAD, frozenset({400, 401, 403, 404, 422}), media_types=(JSON, PROBLEM)
    )


DOCUMENTED = Documented(
    (
        _operation("tracking", "/mydhlapi/(?:shipments/[^/]+/)?tracking", {"shipments": [_SHIPMENT]}),
        _operation(
            "proof-of-delivery", "/mydhlapi/shipments/[^/]+/proof-of-delivery", {"documents": [_DOCUMENT]}
        ),
    )
)
