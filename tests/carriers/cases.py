"""How each carrier differs from the others: a table for the tests that run with every carrier."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recours.core.errors import ErrorKind
from recours.core.evidence import EvidenceKind
from recours.sandbox import Scenario
from tests.fakes.hostile import AnyStep, Attack
from tests.fakes.simulated import GIF_TYPE, NO_DOCUMENT, PDF_TYPE, PNG_TYPE

S, K = Scenario, ErrorKind
_LETTER, _SIGNATURE, _PHOTO = EvidenceKind.LETTER, EvidenceKind.SIGNATURE, EvidenceKind.PHOTO

# Expected results: a kind of failure, a document type, or NO_DOCUMENT.
Results = Mapping[Any, ErrorKind | str]  # by scenario or attack


@dataclass(frozen=True)
class Cases:
    """One carrier's row.

    `calls`: the calls of a fetch that gets a document, with the simulated carrier's names for them.
    """

    calls: tuple[str, ...]
    tells_signatory: bool = True
    unnamed_in: frozenset[AnyStep] = frozenset()  # scenarios in which the delivery has no signatory
    not_ours: ErrorKind = K.ACCESS_DENIED  # the result for another customer's parcel
    # Results that differ from those of most carriers.
    otherwise: Results = field(default_factory=dict)
    # Results that differ if the delivery is known and the parcel is therefore not tracked again.
    known_otherwise: Results = field(default_factory=dict)
    # The results of the second answer of the attack WRONG_TYPE, without and with a known delivery.
    wrong_type: tuple[ErrorKind, ErrorKind] = (K.BAD_RESPONSE, K.BAD_RESPONSE)
    calls_in: Mapping[Any, tuple[str, ...]] = field(default_factory=dict)  # scenarios with other calls
    unknown_in: frozenset[AnyStep] = frozenset()  # scenarios in which an unknown code may be reported
    document: str = PDF_TYPE
    pieces: tuple[EvidenceKind, ...] = (_LETTER,)  # pieces of evidence in the most complete answer
    place: str | None = "LILLE"
    label: str | None = "Colis livré"
    statuses: int = 1  # number of different statuses in IN_TRANSIT
    returns: int = 1  # number of different answers in RETURNED_TO_SENDER
    limit_words: str = "Too many requests"

    @property
    def has_tokens(self) -> bool:
        """Whether the carrier's calls require a token."""
        return self.calls[0] == "token"

    @property
    def until_tracked(self) -> tuple[str, ...]:
        """The calls up to and including the tracking call."""
        return self.calls[: 2 if self.has_tokens else 1]


# The results of document calls alone. Only tracking reveals the status of the parcel.
_DOCUMENTS_ALONE: Results = {S.IN_TRANSIT: K.POD_NOT_AVAILABLE_YET, S.RETURNED_TO_SENDER: PDF_TYPE}
_UNKNOWN_TOO: Results = {**_DOCUMENTS_ALONE, S.UNKNOWN: K.POD_NOT_AVAILABLE_YET}
_AGAIN = ("trackSkybillV2", "searchPOD", "searchPOD")

CASES: dict[str, Cases] = {
    "chronopost": Cases(
        ("trackSkybillV2", "searchPOD"),
        otherwise={
            **dict.fromkeys((S.POD_NEVER, S.POD_NONE), K.POD_NEVER_AVAILABLE),
            S.EMPTY_POD: K.BAD_RESPONSE,
            S.POD_IMAGE_ONLY: PNG_TYPE,
            S.ACCOUNT_DENIED: K.AUTH_FAILED,  # it is not known how the carrier reports a missing right
        },
        known_otherwise=_UNKNOWN_TOO,
        # If there is no PDF, an image is requested.
        calls_in=dict.fromkeys(
            (S.POD_UNSAID, S.BAD_BASE64, S.NOT_A_DOCUMENT, S.EMPTY_POD, S.POD_IMAGE_ONLY), _AGAIN
        ),
        unknown_in=frozenset({Attack.WRONG_TYPE}),
        place="LILLE CHRONOPOST",
        label="Livré",
    ),
    "colissimo": Cases(
        ("timelineCompany", "documents", "document"),
        tells_signatory=False,
        otherwise={
            S.BAD_BASE64: NO_DOCUMENT,  # documents are sent as bytes, without an encoding
            S.EMPTY_POD: K.BAD_RESPONSE,
            S.POD_NEVER: K.POD_NEVER_AVAILABLE,  # the timeline names the product
        },
        known_otherwise={**_DOCUMENTS_ALONE, S.POD_NEVER: K.POD_NOT_AVAILABLE_YET},
        calls_in={
            **dict.fromkeys((S.POD_NEVER, S.NOT_OURS, S.AUTH_REFUSED), ("timelineCompany",)),
            **dict.fromkeys((S.POD_LATE, S.POD_NONE, S.POD_UNSAID), ("timelineCompany", "documents")),
            **dict.fromkeys(
                (S.FULL_EVIDENCE, S.PARTLY_HOLLOW), ("timelineCompany", "documents", "document", "document")
            ),
        },
        unknown_in=frozenset({Attack.WRONG_TYPE}),
        pieces=(_LETTER, _PHOTO),
        place="LILLE PFC",
        label="Votre colis est livré.",
        returns=2,
    ),
    "laposte": Cases(
        ("idships",),
        tells_signatory=False,
        not_ours=K.POD_NEVER_AVAILABLE,  # every account gets the same data
        unknown_in=frozenset({S.FAULT_CLIENT, Attack.WRONG_TYPE}),
        pieces=(),
        place=None,
        label="Votre colis est livré.",
        limit_words="max quota reached (10 calls per 1s)",
    ),
    "ups": Cases(
        ("token", "details"),
        not_ours=K.POD_NOT_AVAILABLE_YET,  # the answer is the same as for a late proof (UPS-API, issue 57)
        document="text/html",
        pieces=(_LETTER, _SIGNATURE, _PHOTO),
        place="LILLE, FRONT DOOR",
        label="LIVRÉ",
        statuses=5,
        returns=2,
        limit_words="10429",
    ),
    "dhl_express": Cases(
        ("tracking", "proof-of-delivery"),
        not_ours=K.ACCOUNT_DENIED,  # other answers reveal whether a refused document call concerns the account
        known_otherwise=_UNKNOWN_TOO,
        pieces=(_LETTER, _LETTER),
        place="Lille-FR",
        label="Delivered",
        statuses=5,
        returns=2,
    ),
    "dhl": Cases(
        ("shipments", "webPOD"),
        not_ours=K.POD_NOT_AVAILABLE_YET,  # parcels have no owners in this service
        # Any other content of a link is not a document yet.
        otherwise=dict.fromkeys((S.BAD_BASE64, S.NOT_A_DOCUMENT), K.POD_NOT_AVAILABLE_YET),
        calls_in={
            **dict.fromkeys((S.POD_LATE, S.POD_NEVER, S.POD_NONE, S.NOT_OURS), ("shipments",)),
            **dict.fromkeys((S.FULL_EVIDENCE, S.PARTLY_HOLLOW), ("shipments", "webPOD", "webPOD")),
        },
        pieces=(_LETTER, _SIGNATURE),
        place="Lille",
        label="L'envoi a été livré",
        statuses=4,
        limit_words="Too many requests within defined time period, please try again later.",
    ),
    "dhl_parcel_de": Cases(
        ("d-get-piece-detail", "d-get-signature"),
        not_ours=K.NOT_FOUND,
        known_otherwise={**_UNKNOWN_TOO, S.NOT_OURS: K.POD_NOT_AVAILABLE_YET, S.RETURNED_TO_SENDER: GIF_TYPE},
        unknown_in=frozenset({Attack.WRONG_TYPE}),
        document=GIF_TYPE,
        pieces=(_SIGNATURE,),
        place="Bonn",
        label="The shipment has been successfully delivered: recipient",
        statuses=3,
    ),
    "fedex": Cases(
        ("token", "trackingnumbers", "trackingdocuments"),
        not_ours=K.POD_NOT_AVAILABLE_YET,  # the answer is the same as for a late proof
        known_otherwise=_UNKNOWN_TOO,
        unknown_in=frozenset({S.FAULT_CLIENT}),
        pieces=(_LETTER, _LETTER),
        label="Livré",
        statuses=5,
        limit_words="Too many requests – We have received too many requests in a short duration.",
    ),
    "dpd": Cases(
        ("GetShipmentTraceSingle",),
        not_ours=K.NOT_FOUND,
        wrong_type=(K.NOT_DELIVERED_YET, K.NOT_DELIVERED_YET),  # a code that is not a number
        unknown_in=frozenset({Attack.WRONG_TYPE}),
        pieces=(_LETTER, _SIGNATURE),
    ),
    "gls": Cases(
        ("token", "trackids", "parceldetails", "parcelpod"),
        not_ours=K.ACCOUNT_DENIED,  # other answers reveal whether a refused document call concerns the account
        otherwise={
            S.RETURNED_TO_SENDER: K.NOT_DELIVERED_YET,  # the answer only says that the history is closed
            S.ACCOUNT_DENIED: K.AUTH_FAILED,
        },
        known_otherwise={**_DOCUMENTS_ALONE, S.EMPTY: K.NOT_FOUND},
        wrong_type=(K.BAD_RESPONSE, K.POD_NOT_AVAILABLE_YET),
        # ShipIT refuses a token that tracking accepts.
        calls_in={S.ACCOUNT_DENIED: ("token", "trackids", "parceldetails", "token", "parceldetails")},
        unknown_in=frozenset({S.FAULT_CLIENT}),
        pieces=(_LETTER, _LETTER),
        label="Le colis a été livré.",
        statuses=4,
        limit_words="policies.ratelimit.QuotaViolation",
    ),
    "mondial_relay": Cases(
        ("WSI2_TracingColisDetaille",),
        tells_signatory=False,
        not_ours=K.NOT_FOUND,
        unknown_in=frozenset({Attack.WRONG_TYPE}),
        pieces=(),
        label="Colis livré au destinataire",
    ),
    "amazon_shipping": Cases(
        ("token", "tracking", "image"),
        not_ours=K.NOT_FOUND,
        otherwise={
            # Any other content of a link is not a document yet.
            **dict.fromkeys((S.BAD_BASE64, S.NOT_A_DOCUMENT), K.POD_NOT_AVAILABLE_YET),
            **dict.fromkeys((S.POD_NEVER, S.POD_NONE), K.POD_NEVER_AVAILABLE),
            S.PARTLY_HOLLOW: PNG_TYPE,  # the signature, which precedes the photo
            S.FULL_EVIDENCE: PNG_TYPE,
        },
        calls_in={
            **dict.fromkeys((S.POD_LATE, S.POD_NEVER, S.POD_NONE, S.POD_UNSAID), ("token", "tracking")),
            **dict.fromkeys((S.FULL_EVIDENCE, S.PARTLY_HOLLOW), ("token", "tracking", "image", "image")),
            # Repeated with a new token, because a 403 may mean that the token has expired.
            S.ACCOUNT_DENIED: ("token", "tracking") * 2,
        },
        unnamed_in=frozenset({S.POD_LATE, S.POD_UNSAID}),  # the name is part of the proof
        unknown_in=frozenset({Attack.WRONG_TYPE}),
        document="image/jpeg",
        pieces=(_SIGNATURE, _PHOTO),
        place="59000 LILLE FR (50.62925, 3.05726)",
        label="Delivered, Signed",
        statuses=5,
        limit_words="QuotaExceeded",
    ),
}
