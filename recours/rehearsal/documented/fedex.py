"""FedEx. Source: the OpenAPI file "Basic Integrated Visibility", with karrio's connector."""

from recours.carriers import fedex
from recours.rehearsal.forms import (
    DOCUMENT,
    ONE_OF,
    TEXT,
    TIME,
    WHOLE,
    Documented,
    Either,
    Form,
    Operation,
    code,
    open_code,
    token_operation,
)

_ALERTS = {*fedex.DOCUMENT_CODES, *fedex.IGNORED_ALERTS}
_ERROR = {"code": code(fedex.TRACKING_CODES), "message?": TEXT, "parameterList?": [TEXT, ...]}
_BAD = {
    "errors": [_ERROR | {"code": code({*fedex.TRACKING_CODES, *fedex.DOCUMENT_CODES, "BAD.REQUEST.ERROR"})}],
    "transactionId?": TEXT,
    "customerTransactionId?": TEXT,
}
_STATUS = code(fedex.FEDEX_CODES)
# The eventType of a scan is a list of its own; what counts is its derivedStatusCode.
_SCAN = {
    "date": TIME,
    "eventType?": open_code(*fedex.FEDEX_CODES),
    "derivedStatusCode?": _STATUS,
    "eventDescription?": TEXT,
    "scanLocation?": {"city?": TEXT, "countryCode?": TEXT},
}
_PARCEL = {
    "trackingNumberInfo": {"trackingNumber": TEXT, "carrierCode?": TEXT, "trackingNumberUniqueId?": TEXT},
    "error?": _ERROR,
    "latestStatusDetail?": {
        "code": _STATUS,
        "derivedCode?": _STATUS,
        "statusByLocale?": TEXT,
        "description?": TEXT,
    },
    "dateAndTimes?": [{"type": open_code("ACTUAL_DELIVERY"), "dateTime": TIME}, ...],
    "deliveryDetails?": dict.fromkeys(
        ("receivedByName?", "signedByName?", "deliveryAttempts?", "locationType?"), TEXT
    ),
    "availableImages?": [{"type": TEXT}, ...],
    "scanEvents?": [_SCAN, ...],
    ONE_OF: "error latestStatusDetail",
}
_ALERT = {"code": code(_ALERTS), "message?": TEXT, "alertType?": TEXT}
_DOCUMENTS = {
    "documentType?": open_code("SIGNATURE_PROOF_OF_DELIVERY"),
    "documentFormat?": open_code("PDF", "PNG"),
    "localization?": {"localeCode?": TEXT, "languageCode?": TEXT},
    # The schema and its sample do not call the list the same.
    "documents?": [DOCUMENT, ...],
    "document?": [DOCUMENT, ...],
    "alerts?": Either([_ALERT, ...], TEXT),
    ONE_OF: "documents document alerts",
}
_STATUSES = {*fedex.STATUSES, 404}


def _operation(name: str, output: Form) -> Operation:
    good = {"output": output, "transactionId?": TEXT, "customerTransactionId?": TEXT}
    return Operation(name, f"/track/v1/{name}", good, _BAD, _STATUSES)


DOCUMENTED = Documented(
    (
        token_operation("/oauth/token", WHOLE, fedex.STATUSES, **{"scope?": TEXT}),
        _operation(
            "trackingnumbers", {"completeTrackResults": [{"trackingNumber": TEXT, "trackResults": [_PARCEL]}]}
        ),
        _operation("trackingdocuments", _DOCUMENTS),
    )
)
