"""DHL Shipment Tracking - Unified: the status of parcels of all divisions. JSON with an API key; proofs only as links.

Sources: the pages of developer.dhl.com, karrio's connector `dhl_universal`, and two recorded answers (404, 429). The
content behind a link is not documented. Nothing was tested against the live service.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlencode

from recours.carriers import answers, json_api
from recours.carriers.answers import PARIS, ParcelStatus, Scan, Shipment
from recours.carriers.json_api import problem_of
from recours.carriers.links import LinkClient
from recours.carriers.message import CarrierSession, Request, Response
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Failure
from recours.core.quota import Capability
from recours.core.sentences import Sentence

SPEC = CarrierSpec(
    key="dhl",
    name="DHL",
    spellings=("DHL Unified", "DHL Parcel", "DHL Paket", "DHL eCommerce"),
    limits={None: "250/day@UTC,1/second"},  # the published limits of the smallest plan
    credentials=(("DHL_API_KEY",),),
    base_url="https://api-eu.dhl.com",
    # Our choice, because each division has its own formats and no list of them exists.
    number_form=re.compile(r"[A-Z0-9]{8,40}"),
    number_example="00340434161094000000",
    calls={Capability.TRACKING: 1, Capability.POD: 1},
    sample_number="0" * 20,
    tracks_always=True,
    evidence_days=90,  # approximate; DHL documents no period
)

_PATH = "/track/shipments"
_FRENCH = {"language": "fr", "requesterCountryCode": "FR"}

# statusCode, from three sources. `unknown` is one of the carrier's statuses. Statuses not listed here are reported.
DELIVERED = "delivered"
_FREIGHT = "freight"  # a value of `service`
STATUSES = answers.status_table(
    {
        ParcelStatus.DELIVERED: DELIVERED,
        ParcelStatus.ACCEPTED: "pre-transit",  # announced; after a delivery, for another parcel
        ParcelStatus.ON_ITS_WAY: "transit",
        ParcelStatus.UNCLEAR: "failure unknown",
    }
)

# 403 concerns our account (inferred, because anyone can track any parcel with this service). 404 was recorded.
_MEANINGS = answers.ACCOUNT_STATUSES | {404: Sentence.NUMBER_UNKNOWN}
_NAMES_NUMBER = re.compile(r"tracking[ _-]?number")


class Dhl(LinkClient):
    spec = SPEC
    links: ClassVar[Mapping[str, EvidenceKind]] = {
        "documentUrl": EvidenceKind.LETTER,
        "signatureUrl": EvidenceKind.SIGNATURE,
    }
    hosts = re.compile(r"(?:[a-z0-9-]+\.)*dhl\.com")

    def track(self, number: str, session: CarrierSession) -> Delivery | Failure:
        """Track the parcel with `GET /track/shipments`. Without a `service`, all divisions are searched."""
        query = urlencode({"trackingNumber": number, **_FRENCH})
        headers = {"DHL-API-Key": self.settings["DHL_API_KEY"], "Accept": "application/json"}
        answer = session.call(Capability.TRACKING, Request("GET", f"{_PATH}?{query}", headers))
        return parse_tracking(answer, number)

    def without_link(self, delivery: Delivery, now: datetime) -> Sentence:
        """The failure to report: no link. Proofs of Express parcels are available from another service."""
        del delivery, now
        return Sentence.PROOF_LINK_MISSING


# ---------------------------------------------------------------- the status


def parse_tracking(answer: Response, number: str) -> Delivery | Failure:
    if not answer.is_ok:
        return _error(answer, number)
    listed = json_api.items(json_api.tree(answer.body), "shipments")
    shipments = [_shipment(body) for body in listed if json_api.text(body, "status", "statusCode")]
    if not shipments:
        return answers.unreadable(SPEC.name, answer)
    outcome = answers.handover(SPEC.name, number, shipments, answer, STATUSES)
    if isinstance(outcome, Failure):
        return outcome
    proof = json_api.at(outcome.shipment.body, "details", "proofOfDelivery")
    at = answers.parse_time(json_api.text(proof, "timestamp"), PARIS) or outcome.scan.at
    signed = json_api.at(proof, "signed")
    parts = (json_api.text(signed, "givenName"), json_api.text(signed, "familyName"))
    signatory = json_api.text(signed, "name") or " ".join(filter(None, parts))
    links = {name: url for name in Dhl.links if (url := json_api.text(proof, name))}
    place = json_api.text(outcome.scan.body, "location", "address", "addressLocality")
    return replace(outcome.delivery(at, signatory, place), hints=links)


def _shipment(body: Any) -> Shipment:
    """A parcel. `returnFlag` is in the carrier's OpenAPI file and recorded answers, but its meaning is inferred."""
    return Shipment(
        numbers=_numbers(body),
        scans=tuple(map(_scan, reversed(json_api.items(body, "events")))),  # listed newest first
        present=_scan(json_api.at(body, "status")),
        is_return=json_api.at(body, "returnFlag") is True,
        body=body,
    )


def _numbers(body: Any) -> tuple[str, ...]:
    """The numbers of a shipment: its own number, its pieces' numbers, and its references.

    For a piece, DHL Freight returns a shipment `JKG-HI-...` that lists the piece in `pieceIds` with leading zeros (an
    answer of September 2026, philipantonetti-ctrl/panetti). A Freight shipment without pieces may match any number.
    """
    details = json_api.at(body, "details")
    pieces = list(filter(None, map(json_api.text, json_api.items(details, "pieceIds"))))
    if json_api.text(body, "service") == _FREIGHT and not pieces:
        return ()
    references = (json_api.text(reference, "number") for reference in json_api.items(details, "references"))
    return tuple(filter(None, (json_api.text(body, "id"), *pieces, *references)))


def _scan(event: Any) -> Scan:
    """An event or the current status. Its time has no offset and is assumed to be French local time (inferred).

    Only labels show that a parcel is returned, because its codes are the same as for any other parcel.
    """
    label = json_api.first_text(event, "description", "status")
    at = answers.parse_time(json_api.text(event, "timestamp"), PARIS)
    return Scan.of(event, json_api.text(event, "statusCode"), STATUSES, at, label, by_label=True)


def _error(answer: Response, number: str) -> Failure:
    problem = problem_of(answer)
    if answer.status != HTTPStatus.BAD_REQUEST:
        return answers.error(SPEC.name, answer, {}, _MEANINGS, carrier_text=problem.carrier_text)
    is_number = number.lower() in problem.text or _NAMES_NUMBER.search(problem.text)
    key = Sentence.NUMBER_REJECTED if is_number else Sentence.REQUEST_REJECTED
    return answers.failure_of(SPEC.name, key, answer, problem.carrier_text)
