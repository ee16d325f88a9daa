"""Amazon Shipping (France, Italy, Spain, United Kingdom): tracking with proof of delivery. JSON over HTTP with a token.

Sources: Amazon's model of the Shipping API (`shippingV2.json`, July 2026), its developer documentation on the proof of
delivery and the return leg, its tutorial on tracking, and real answers in issues of `amzn/selling-partner-api-models`
and `-docs`. Nothing was tested against the live service.

The sources document the call, the codes, the fields of the proof (`signatureImageURL` is only announced), the expiry of
links to images after 72 hours, and the storage of details for 45 days. `AMZN_UK`, numbers that start with FR, IT and
UK, and an answer about an unknown number were recorded.

Assumptions without a source: The first letters of a number determine the business and the `carrierId`, also in Spain.
If a proof has no image after a day, none follows. The image hosts and the format of errors about a number are assumed.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlencode

from recours.carriers import answers, json_api
from recours.carriers.answers import Handover, Meaning, ParcelStatus, Scan, Shipment
from recours.carriers.links import LinkClient
from recours.carriers.message import CarrierSession, Request, Response
from recours.carriers.oauth import TokenService
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Failure
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.core.text import plain

_REFRESH_TOKEN = "AMAZON_SHIPPING_REFRESH_TOKEN"  # noqa: S105 (the name of a setting)

SPEC = CarrierSpec(
    key="amazon_shipping",
    name="Amazon Shipping",
    spellings=("Amazon", "Amazon Logistics", "AMZN_ES", "AMZN_FR", "AMZN_IT", "AMZN_UK"),
    # The limit for calls is the carrier's. The limit for tokens is our choice, because Amazon publishes none.
    limits={None: "80/second", Capability.TOKEN: "20/hour"},
    credentials=(("AMAZON_SHIPPING_CLIENT_ID", "AMAZON_SHIPPING_CLIENT_SECRET", _REFRESH_TOKEN),),
    base_url="https://sellingpartnerapi-eu.amazon.com",
    number_form=re.compile(r"(?:ES|FR|IT|UK)[0-9]{10}"),
    number_example="FR3000000001",
    calls={Capability.TRACKING: 1, Capability.POD: 2},
    sample_number="FR0000000000",
    evidence_days=45,  # from the shipment's creation; after that, Amazon returns only the last status
    tracks_always=True,
)

_DELIVERED = "Delivered"
_RETURNS = "RETURNS"  # the leg of an event; the other value is FORWARD
_PROVED = "proved"  # the hint that a proof exists, possibly without an image
_IMAGE_WITHIN = timedelta(days=1)  # our choice
_LONGEST_TEXT = 2000  # characters
_MAX_DEGREES = 180  # degrees

# ---------------------------------------------------------------- tables

# eventHistory[].eventCode and summary.status: all codes of the model. `Received` is from Amazon's sandbox (issue 5165).
# According to a public .NET client, `PackageReceivedByCarrier` is from a later model.
AMAZON_CODES = answers.status_table(
    {
        ParcelStatus.DELIVERED: _DELIVERED,
        ParcelStatus.CANCELLED: "PickupCancelled",
        ParcelStatus.AT_A_POINT: "AvailableForPickup AwaitingCustomerPickup",
        ParcelStatus.GOING_BACK: "ReturnInitiated",  # Return label has been generated
        # Announced or picked up. After a delivery, these codes belong to another parcel with the same number.
        ParcelStatus.ACCEPTED: "ReadyForReceive PickupDone PackageReceivedByCarrier",
        ParcelStatus.UNCLEAR: "Lost Rejected Undeliverable",
        ParcelStatus.ON_ITS_WAY: """
            PreTransit InTransit Departed ArrivedAtCarrierFacility OutForDelivery DeliveryAttempted
            RecipientRequestedAlternateDeliveryTiming Received
        """,
    }
)
# Events after which the recipient gets the parcel only if another event of the forward leg reports a delivery.
_TURNING = frozenset({"Rejected", "Undeliverable"})

# errors[].code. InvalidInput, QuotaExceeded, InternalFailure and MissingAuthenticationToken were recorded. The other
# codes are from the model.
CODES: dict[str, Meaning] = {
    "InvalidRequest": Sentence.REQUEST_REJECTED,
    "InvalidInput": Sentence.REQUEST_REJECTED,
    "Unauthorized": Sentence.SERVICE_DENIED,
    "MissingAuthenticationToken": Sentence.CREDENTIALS_REJECTED,
    "NotFound": Sentence.NUMBER_UNKNOWN,
    "TooManyRequests": Sentence.TOO_MANY_CALLS,
    "QuotaExceeded": Sentence.TOO_MANY_CALLS,
    "InternalError": Sentence.CARRIER_ERROR,
    "InternalFailure": Sentence.CARRIER_ERROR,
    "ServiceUnavailable": Sentence.CARRIER_ERROR,
}
# Patterns for the status, the code and the text of an error, joined in lower case. Recorded texts: "The access token
# you provided is revoked, malformed or invalid", "Application do not have access to some or all requested resource",
# "TrackingId not found."
_TEXTS: tuple[tuple[str, Meaning], ...] = (
    (r"unauthorized .*\b(?:access|security) token\b|401 unauthorized", Sentence.CREDENTIALS_REJECTED),
    (r"application do(?:es)? not have access", Sentence.SERVICE_DENIED),
    (r"40[04] .*tracking ?id.*(?:not found|not exist|n't exist)", Sentence.NUMBER_UNKNOWN),
    (r"40[04] .*tracking ?id", Sentence.NUMBER_REJECTED),
)


class AmazonShipping(LinkClient):
    spec = SPEC
    token_service = TokenService(
        path="/auth/o2/token",
        origin="https://api.amazon.com",
        has_account_in_form=True,
        refresh_token=_REFRESH_TOKEN,
        header="x-amz-access-token",
        scheme="",
        # An expired token gets a 403 (recorded).
        refusals=frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}),
    )
    links: ClassVar[Mapping[str, EvidenceKind]] = {
        "signatureImageURL": EvidenceKind.SIGNATURE,
        "deliveryImageURL": EvidenceKind.PHOTO,
    }
    # Assumed: Amazon's own sites, and S3 as in its sample. Other hosts in amazonaws.com may belong to anyone.
    hosts = re.compile(
        r"(?:[a-z0-9-]+\.)*(?:amazon\.(?:com|co\.uk|es|fr|it)|media-amazon\.com|ssl-images-amazon\.com)"
        r"|(?:[a-z0-9-]+\.)*s3(?:[.-][a-z]{2}-[a-z]+-[0-9])?\.amazonaws\.com|amzn-s3-[a-z0-9-]+\.amazonaws\.com"
    )

    def track(self, number: str, session: CarrierSession) -> Delivery | Failure:
        """Request the events and the proof of the parcel with `GET /shipping/v2/tracking`."""
        country = number[:2]
        query = urlencode({"trackingId": number, "carrierId": f"AMZN_{country}"})
        headers = {"Accept": "application/json", "x-amzn-shipping-business-id": f"AmazonShipping_{country}"}
        request = Request("GET", f"/shipping/v2/tracking?{query}", headers)
        return parse_tracking(self.call(Capability.TRACKING, request, session), number)

    def without_link(self, delivery: Delivery, now: datetime) -> Sentence:
        """The failure to report. If no image follows within a day, the receiver or coordinates are the whole proof."""
        is_whole = _PROVED in delivery.hints and (delivery.at is None or now - delivery.at > _IMAGE_WITHIN)
        return Sentence.PROOF_IMAGELESS if is_whole else Sentence.PROOF_PENDING


# ---------------------------------------------------------------- answers


def parse_tracking(answer: Response, number: str) -> Delivery | Failure:
    """The delivery, with links to its images as hints, or a failure that says where the parcel is."""
    tree = json_api.tree(answer.body)
    if not answer.is_ok or json_api.items(tree, "errors"):
        return _error(tree, answer)
    # The model wraps the result in `payload`; its example does not.
    result = json_api.at(tree, "payload") or tree
    shipment = _shipment(result)
    if not (shipment.scans or shipment.present):
        if not shipment.numbers:
            return answers.unreadable(SPEC.name, answer)
        if answers.same_number(number, shipment.numbers[0]):  # issue 4923
            return answers.failure_of(SPEC.name, Sentence.NUMBER_UNKNOWN, answer)
    outcome = answers.handover(SPEC.name, number, [shipment], answer, AMAZON_CODES)
    return outcome if isinstance(outcome, Failure) else _delivery(outcome)


def _shipment(result: Any) -> Shipment:
    """A parcel. `alternateLegTrackingId` is ignored, because it is the number of the return leg, not the delivery."""
    number = json_api.text(result, "trackingId")
    summary = json_api.at(result, "summary")
    scans = tuple(map(_scan, json_api.items(result, "eventHistory")))
    status = json_api.text(summary, "status")
    present = Scan(status=AMAZON_CODES.get(status), code=status, label=_label(summary)) if status else None
    # Events say on which leg the parcel was delivered, but the status does not.
    if status == _DELIVERED and any(scan.code == _DELIVERED for scan in scans):
        present = None
    return Shipment(numbers=(number,) if number else (), scans=scans, present=present, body=summary)


def _label(summary: Any) -> str:
    """The status with its details, such as `Delivered, DeliveredToNeighbor`."""
    details = map(json_api.text, json_api.items(summary, "trackingDetailCodes", "forward"))
    return ", ".join(filter(None, (json_api.text(summary, "status"), *details)))


def _scan(event: Any) -> Scan:
    """An event. A delivery on the return leg is to the sender. Without a leg, a refusal starts a return (inferred)."""
    code = json_api.text(event, "eventCode")
    leg = json_api.text(event, "shipmentType")
    status = AMAZON_CODES.get(code or "")
    if leg == _RETURNS or (leg is None and code in _TURNING):
        status = ParcelStatus.RETURNED if status is ParcelStatus.DELIVERED else ParcelStatus.GOING_BACK
    at = answers.parse_time(json_api.text(event, "eventTime"))
    return Scan(status=status, at=at, code=code, body=event)


def _delivery(arrival: Handover) -> Delivery:
    summary = arrival.shipment.body
    proof = json_api.at(summary, "proofOfDelivery")
    receiver = json_api.text(proof, "receivedBy")
    coordinates = _coordinates(json_api.at(proof, "deliveryLocationCoordinates"))
    hints = {name: url for name in AmazonShipping.links if (url := json_api.text(proof, name))}
    if receiver or coordinates:
        hints[_PROVED] = "yes"
    location = json_api.at(arrival.scans[0].body, "location")
    parts = [json_api.text(location, name) for name in ("postalCode", "city", "countryCode")]
    place = " ".join(filter(None, (*parts, coordinates)))
    at = max((scan.at for scan in arrival.scans if scan.at), default=None)
    return replace(arrival.delivery(at, receiver, place), label=answers.caption(_label(summary)), hints=hints)


def _coordinates(body: Any) -> str | None:
    """The coordinates, such as `(48.85661, 2.35222)`. Five decimals are accurate to a meter."""
    values = [json_api.at(body, name) for name in ("latitude", "longitude")]
    if not all(isinstance(value, int | float) and abs(value) <= _MAX_DEGREES for value in values):
        return None
    return "({:.5f}, {:.5f})".format(*values)


# ---------------------------------------------------------------- errors


def _error(tree: Any, answer: Response) -> Failure:
    """The failure for an error, by its text or else by its code. Errors without a code are not from the service."""
    error = json_api.at(json_api.items(tree, "errors"), 0)
    code = json_api.text(error, "code")
    if code is None:
        return answers.unreadable(SPEC.name, answer)
    carrier_text = " ".join(filter(None, (json_api.text(error, name) for name in ("message", "details"))))
    text = plain(f"{answer.status} {code} {carrier_text}"[:_LONGEST_TEXT])
    for pattern, meaning in _TEXTS:
        if re.search(pattern, text):
            return answers.failure_of(SPEC.name, meaning, answer, carrier_text)
    return answers.error(SPEC.name, answer, CODES, {}, code, carrier_text)
