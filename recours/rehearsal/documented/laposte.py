"""La Poste. Source: three public clients, and a study of the gateway of September 2026."""

from recours.carriers import laposte
from recours.rehearsal.forms import FLAG, ONE_OF, TEXT, TIME, WHOLE, Documented, Operation, code, open_code

_CODE = code({200, *laposte.CODES}, types=(int,))
_STEP = {
    "id": WHOLE,
    "shortLabel?": TEXT,
    "longLabel?": TEXT,
    "date?": TIME,
    "country?": TEXT,
    "status?": FLAG,
    "type?": WHOLE,
}
_SHIPMENT = {
    "idShip": TEXT,
    "event": [{"code": code(laposte.CODES_OF_EVENTS), "label": TEXT, "date": TIME}],
    "timeline?": [_STEP, ...],
    "deliveryDate?": TIME,
    "entryDate?": TIME,
    "isFinal?": FLAG,
    "holder?": WHOLE,
    "product?": TEXT,
    "url?": TEXT,
    "contextData?": {
        "deliveryChoice?": {"deliveryChoice?": WHOLE},
        "originCountry?": TEXT,
        "arrivalCountry?": TEXT,
    },
}
_ABOUT = {"lang?": TEXT, "scope?": TEXT, "idShip?": TEXT}
# The service's own errors, and the gateway's.
_BAD = {
    **_ABOUT,
    "returnCode?": _CODE,
    "returnMessage?": TEXT,
    "code?": open_code(),
    "message?": TEXT,
    ONE_OF: "returnCode code",
}

DOCUMENTED = Documented(
    (
        Operation(
            "idships",
            "/suivi/v2/idships/",
            {**_ABOUT, "returnCode": _CODE, "shipment": _SHIPMENT},
            _BAD,
            frozenset(map(int, laposte.CODES)) | {405},
        ),
    )
)
