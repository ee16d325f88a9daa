"""Colissimo. Source: the recorded exchanges of roulier, the carrier's shop modules, "Timeline tracking WS" v2.3 of 2021."""

from recours.carriers import colissimo
from recours.rehearsal.forms import (
    DOCUMENT,
    FLAG,
    LOCAL_TIME,
    TEXT,
    TIME,
    Documented,
    Form,
    Operation,
    code,
    open_code,
)

_STATUSES = frozenset({400, 404, 405, 413, *colissimo.STATUSES})
_STEP = {
    "stepId": code(range(6), types=(int,)),
    "status": code({"STEP_STATUS_ACTIVE", "STEP_STATUS_INACTIVE", "STEP_STATUS_DISABLED"}),
    "labelShort?": TEXT,
    "labelLong?": TEXT,
    "date?": LOCAL_TIME,
    "countryCodeISO?": TEXT,
}
_EVENT = {
    "code": code(colissimo.CODES),
    "date": LOCAL_TIME,
    "labelLong?": TEXT,
    **dict.fromkeys(("siteCode?", "siteName?", "siteZipCode?"), TEXT),
}
_ADDRESS = dict.fromkeys(("zipCode?", "city?", "countryCodeISO?"), TEXT)
_PRODUCT = open_code(*colissimo.PRODUCTS_WITHOUT_SIGNATURE)
_PARCEL = {
    "parcelNumber": TEXT,
    "contractNumber?": TEXT,
    "statusDelivery?": FLAG,
    "consigneeInformation?": {"name?": TEXT, "firstName?": TEXT, "address?": _ADDRESS},
    "removalPoint?": {},
    "productCode?": _PRODUCT,
    "service?": {"deliveryChoice?": TEXT, "productCode?": _PRODUCT},
    "step": [_STEP],
    "event": [_EVENT],
}
_TROUBLE = {
    "error?": TEXT,
    "message?": TEXT,
    "messages?": [{"id?": TEXT, "type?": TEXT, "messageContent?": TEXT}],
}
_TIMELINE = {
    "status": [{"code": code({"0", *colissimo.TIMELINE_CODES}), "message": TEXT}],
    "lang?": TEXT,
    "parcel?": _PARCEL,
}
# Which kinds are proofs is in the client's table; the others are those of the shop modules.
_KINDS = {
    *colissimo.RANKS,
    *[
        "C50",
        "CN23",
        "COMMERCIAL_INVOICE",
        "CERTIFICATE_OF_ORIGIN",
        "EXPORT_LICENCE",
        "COMPENSATION",
        "DAU",
        "LABEL",
        "OTHER",
    ],
}
_ENTRY = {
    "documentType": code(_KINDS),
    "path": TEXT,
    "uuid?": TEXT,
    "eventDate?": TIME,
    "eventCode?": code(colissimo.CODES),
    **dict.fromkeys(("url?", "eventSiteCode?", "eventSiteName?", "eventSiteType?", "carrier?", "cab?"), TEXT),
}
_LIST = {
    "errorCode": code({"000", "999", *colissimo.DOCUMENT_CODES}),
    "errorLabel?": TEXT,
    "documents?": [_ENTRY, ...],
}
_BAD: Form = {
    **_TROUBLE,
    "errorCode?": code({"999", *colissimo.DOCUMENT_CODES}),
    "errorLabel?": TEXT,
    "errors?": [{"code": code(colissimo.INNER_CODES, types=(int,)), "message?": TEXT}],
}

DOCUMENTED = Documented(
    (
        Operation(
            "timelineCompany",
            "/tracking-timeline-ws/rest/tracking/timelineCompany",
            _TIMELINE,
            _TROUBLE,
            _STATUSES,
        ),
        Operation("documents", "/api-document/rest/documents", _LIST, _BAD, _STATUSES),
        Operation("document", "/api-document/rest/document", DOCUMENT, _BAD, _STATUSES),
    )
)
