"""What a carrier's tracking says of a delivery, written down: evidence where there is no document.

Some carriers issue none; of others' parcels none comes. The record is no proof that makes a claim a success.
"""

import json

from recours.core.appraisal import EvidenceKind, Shown
from recours.core.claim import Claim, Delivery
from recours.core.errors import ErrorKind
from recours.core.outcome import Failure, Piece

MEDIA_TYPE = "application/json"


def delivery_to_record(claim: Claim, failure: Failure) -> Delivery | None:
    """The delivery that is all the evidence there will be; None if there may be more, or its day is not known."""
    if failure.kind is not ErrorKind.POD_NEVER_AVAILABLE:
        return None
    delivery = failure.delivery or claim.state.delivery
    return delivery if delivery and delivery.latest and not delivery.is_assumed else None


def record_of(claim: Claim, delivery: Delivery) -> Piece:
    """The same bytes whenever the same is known: keys in order, no blanks, UTF-8."""
    facts = {
        "carrier": claim.carrier,
        "reference": claim.reference,
        "tracking_number": claim.number,
        "status": delivery.label or "delivered",
        "delivered_at": delivery.at and delivery.at.isoformat(),
        "delivered_day": delivery.day and delivery.day.isoformat(),
        "place": delivery.place,
        "signatory": delivery.signatory,
    }
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Piece(text.encode(), f"{claim.carrier} tracking", EvidenceKind.RECORD)


def shown_by_record(delivery: Delivery) -> Shown:
    """What the record of a delivery shows. Its time stays as the carrier told it, which is in UTC."""
    at = delivery.at or delivery.day
    return Shown(
        is_readable=True,
        number=True,
        signatory=delivery.signatory,
        delivered=at.isoformat() if at else None,
        place=delivery.place,
    )
