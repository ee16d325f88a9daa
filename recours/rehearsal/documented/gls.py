"""GLS. Source: the OpenAPI documents that karrio's connector keeps, and a public client's notes on live answers."""

from recours.carriers import gls
from recours.rehearsal.forms import (
    DIGITS,
    DOCUMENT,
    JSON,
    ONE_OF,
    PROBLEM,
    TEXT,
    TIME,
    Documented,
    Either,
    Form,
    Operation,
    code,
    time,
    token_operation,
)

_SHIPIT = "/shipit-farm/v1/backend/rs/tracking/"
_SHIPIT_TYPES = ("application/glsVersion1+json", JSON)
_SHIPIT_STATUSES = frozenset({400, 401, 403, 490})
_HEADERS = {"error": code(gls.SHIPIT_CODES), "message": TEXT, "args": TEXT}
_DELIVERY_DATE = time("a time or a day", r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9:]+)?)?")

_EVENT = {
    "eventDateTime": TIME,
    "code?": TEXT,
    "description?": TEXT,
    **dict.fromkeys(("city?", "postalCode?", "country?"), TEXT),
}
_PARCEL = {
    "requested": TEXT,
    "unitno?": TEXT,
    "status?": code({gls.DELIVERED, *gls.OTHER_STATUSES}),
    "statusDateTime?": TIME,
    "events?": [_EVENT, ...],
    "errorCode?": code(gls.TRACKING_ERRORS),
    "errorMessage?": TEXT,
    ONE_OF: "status errorCode",
}
_BAD = {
    "fault?": {"faultstring": TEXT, "detail?": {"errorcode?": TEXT}},
    **dict.fromkeys(("type?", "title?", "detail?", "instance?"), TEXT),
    "status?": Either(TEXT, code((400, 401, 404, 405, 429, 500), types=(int,))),
    ONE_OF: "fault title detail",
}
_ITEM = {"TrackID?": TEXT, "ImageData?": Either([DOCUMENT, ...], DOCUMENT)}


def _shipit(name: str, good: Form) -> Operation:
    """A refusal has an empty body: all is in headers. HTTP 490 is the service's own."""
    return Operation(
        name, _SHIPIT + name, good, None, _SHIPIT_STATUSES, media_types=_SHIPIT_TYPES, headers=_HEADERS
    )


DOCUMENTED = Documented(
    (
        token_operation("/oauth2/v2/token", DIGITS, frozenset({400, 401, 403})),
        Operation(
            "trackids",
            "/track-and-trace-v1/tracking/simple/trackids",
            {"parcels": [_PARCEL]},
            _BAD,
            frozenset({400, 401, 404}),
            media_types=(JSON, PROBLEM),
        ),
        _shipit(
            "parceldetails",
            {
                "UnitDetail": {
                    "TrackID?": TEXT,
                    "DeliveryDate?": _DELIVERY_DATE,
                    **dict.fromkeys(("Signature?", "Product?", "Weight?"), TEXT),
                }
            },
        ),
        # Client and specification do not write its name the same.
        _shipit("parcelpod", {"PODItem?": _ITEM, "Poditem?": _ITEM, ONE_OF: "PODItem Poditem"}),
    )
)
