"""DPD France. Source: summaries of "DPD France Tracking WebService" v5.0, the service's generated pages, a recorded fault."""

from recours.carriers import dpd
from recours.rehearsal.forms import DOCUMENT, HOUR, TEXT, Documented, Form, code, soap_operation, time

_DAY = time("a day such as 05.10.2026", r"[0-9]{2}\.[0-9]{2}\.[0-9]{4}")
_DELIVERED = next(option.default for option in dpd.SPEC.options).split(",")
# Those that prove a delivery, and those of the pick-up.
_IMAGES = (*dpd.PROOFS, "POA", "PickupSignature")

_TRACE = {
    "ScanDate": _DAY,
    "ScanTime": HOUR,
    "StatusNumber": code({*dpd.TRANSIT_CODES, *_DELIVERED}),
    "StatusDescription?": TEXT,
    **dict.fromkeys(("CenterNumber?", "CenterName?", "User?", "Remark?", "Info?", "Details?"), TEXT),
}
_SHIPMENT = {
    "ShipmentNumber": TEXT,
    "DeliveryDate?": _DAY,
    "ShippingDate?": _DAY,
    **dict.fromkeys(
        ("DestinationCountry?", "DestinationZipcode?", "Weight?", "Receiver?", "Reference?"), TEXT
    ),
    "Traces?": {"clsTrace?": [_TRACE, ...]},
    "images?": {"Image?": [{"type": code(_IMAGES), "image": DOCUMENT, "date?": _DAY, "time?": HOUR}, ...]},
}
# An ErrorId that begins with Invalid speaks of what was sent.
_ERROR: Form = {
    "Error?": {"ErrorId": code({*dpd.ERROR_IDS, "InvalidInput", "InvalidWeight"}), "ErrorMessage?": TEXT}
}

DOCUMENTED = Documented(
    (
        soap_operation(
            "GetShipmentTraceSingle",
            "/trace-service/Webtrace_Service.asmx",
            {"GetShipmentTraceSingleResult": _SHIPMENT},
            _ERROR,
        ),
    )
)
