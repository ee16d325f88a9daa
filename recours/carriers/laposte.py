"""La Poste, "Suivi v2": the status of all parcels of the group, without documents or signatories. JSON over HTTP.

Sources: three public clients, and a study of the gateway from September 2026. Nothing was tested against the live
service.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from recours.carriers import answers, json_api
from recours.carriers.answers import PARIS, Meaning, ParcelStatus, Scan, Shipment
from recours.carriers.client import TOO_MANY, StatusClient
from recours.carriers.message import CarrierSession, Request, Response, Wait
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.outcome import Failure
from recours.core.quota import Capability
from recours.core.sentences import Sentence

SPEC = CarrierSpec(
    key="laposte",
    name="La Poste",
    spellings=("La Poste Suivi", "Lettre suivie", "Lettre recommandée", "Courrier"),
    limits={None: "10/second"},  # measured for the free plan; descriptions of the plans disagree
    credentials=(("LAPOSTE_API_KEY",),),
    base_url="https://api.laposte.fr",
    number_form=re.compile(r"[A-Z0-9]{11,15}"),
    number_example="6A12345678900",
    calls={Capability.TRACKING: 1},
    sample_number="6A00000000000",
    numbers_per_call=10,  # two public clients; the answer for several is a list, perhaps with HTTP status 207
    issues_documents=False,
    check_digit_fits=answers.s10_fits,
)

_PATH = "/suivi/v2/idships/"
_LANGUAGE = "fr_FR"
_GOOD = frozenset({HTTPStatus.OK, HTTPStatus.MULTI_STATUS})
_HTTP_STATUS = re.compile(r"[2-5][0-9]{2}", re.ASCII)
_KEY_REFUSED = frozenset({401, 403})

# Event codes. DI1, DR1, PC1, ET1 to ET3 and MD1 to MD3 were seen in answers (MD1 and MD3 in
# plhery/universal-parcel-scraper). The other codes are in one or two third-party lists.
EVENT_CODES = answers.status_table(
    {
        ParcelStatus.DELIVERED: "DI0 DI1",  # DI0: for letters
        ParcelStatus.RETURNED: "DI2",  # delivered to the sender
        ParcelStatus.GOING_BACK: "RE1",
        ParcelStatus.ACCEPTED: "PC1 PC2",  # "Pris en charge"
        ParcelStatus.ON_ITS_WAY: "DR1 ET1 ET2 ET3 ET4 EP1 DO1 DO2 DO3 PB1 PB2 MD1 MD2 MD3 ND1 AG1 DI3 ID0",
    }
)

# The HTTP status, or `returnCode` in the answer. 104, 105 and 109 mean that the shipment is not known yet (with HTTP
# 404, or in one item of several; from the carrier's OpenAPI file). 403 is inferred, 500 and 504 are documented, and the
# other codes were recorded.
CODES: dict[str, Meaning] = {
    "104": Sentence.NUMBER_UNKNOWN,
    "105": Sentence.NUMBER_UNKNOWN,
    "109": Sentence.NUMBER_UNKNOWN,
    "400": Sentence.NUMBER_REJECTED,
    "401": Sentence.CREDENTIALS_REJECTED,
    "403": Sentence.SERVICE_DENIED,
    "404": Sentence.NUMBER_UNKNOWN,
    "500": Sentence.CARRIER_ERROR,
    "504": Sentence.CARRIER_ERROR,
}
_GOOD_CODES = frozenset({None, "200"})

# The part of the gateway's text that states the window of its rate limit, such as 10 calls per 1s.
_QUOTA = re.compile(r"calls per ([1-9][0-9]{0,4}) ?s\b", re.ASCII)


class LaPoste(StatusClient):
    spec = SPEC

    def track_many(self, numbers: Sequence[str], session: CarrierSession) -> Mapping[str, Failure] | Failure:
        """Track with `idships`. Even a delivered parcel is returned as a failure, with its delivery but no proof."""
        headers = {"X-Okapi-Key": self.settings["LAPOSTE_API_KEY"], "Accept": "application/json"}
        names = ",".join(quote(number, safe="") for number in numbers)
        request = Request("GET", f"{_PATH}{names}?lang={_LANGUAGE}", headers)
        return parse_tracking(session.call(Capability.TRACKING, request), numbers)

    @staticmethod
    def no_proof(delivery: Delivery) -> Failure:
        """The failure for a new or known delivery. Its HTTP status is that of a good answer."""
        day = answers.french_day(delivery.at) if delivery.at else None
        return Failure.of(Sentence.PROOFS_ELSEWHERE, SPEC.name, day, HTTPStatus.OK, delivery=delivery)

    def wait_asked(self, capability: Capability, answer: Response, now: datetime) -> Wait | None:
        """See Client. The window of the rate limit is in the text of a 429, not in a header."""
        del capability
        if answer.status != TOO_MANY:
            return None
        quota = _QUOTA.search(json_api.text(json_api.tree(answer.body), "message") or "")
        return Wait(now + timedelta(seconds=int(quota[1]))) if quota else Wait()


# ---------------------------------------------------------------- answers


def parse_tracking(answer: Response, numbers: Sequence[str]) -> Mapping[str, Failure] | Failure:
    """A failure by number, or a single failure if the answer is about none of the numbers.

    A parcel's failure says where the parcel is or what went wrong. It contains the delivery if there was one.
    """
    tree = json_api.tree(answer.body)
    several = isinstance(tree, list) and answer.status in _GOOD
    items = answers.group_by_number(numbers, tree if several else [tree], _numbers)
    results: dict[str, Failure] = {}
    for number, entries in items.items():
        alone = [(item, _answer_of(item, answer) if several else answer) for item in entries]
        results[number] = _parcel_answer(number, alone)
    # An error without a number may be about the whole call.
    if results or several or json_api.at(tree, "shipment") is not None:
        return results or answers.about_another(SPEC.name, answer)
    return _error(tree, answer)


def _numbers(item: Any) -> list[str]:
    """All numbers of an item. `inputIdShip` is the number as requested (ha-parcel-integrations/ha-laposte)."""
    paths = ("shipment.idShip", "idShip", "inputIdShip")
    return [number for path in paths if (number := json_api.first_text(item, path))]


def _answer_of(item: Any, answer: Response) -> Response:
    """The answer with this parcel's own status, because the HTTP status of a joint answer is not about one parcel."""
    code = json_api.text(item, "returnCode") or ""
    return replace(answer, status=int(code) if _HTTP_STATUS.fullmatch(code) else HTTPStatus.OK)


def _parcel_answer(number: str, items: Sequence[tuple[Any, Response]]) -> Failure:
    """The failure for one number's items, each with its answer. Errors are ignored if an item has a shipment."""
    shipments = []
    for item, answer in items:
        shipment = json_api.at(item, "shipment")
        is_good = answer.is_ok and json_api.text(item, "returnCode") in _GOOD_CODES
        if is_good and isinstance(json_api.at(shipment, "event"), list):
            shipments.append(_shipment(item))
    item, answer = items[0]
    if not shipments:
        return _error(item, answer)
    outcome = answers.handover(
        SPEC.name, number, shipments, replace(answer, status=HTTPStatus.OK), EVENT_CODES
    )
    if isinstance(outcome, Failure):
        return outcome
    at = outcome.scan.at or answers.parse_time(json_api.text(outcome.shipment.body, "deliveryDate"), PARIS)
    return LaPoste.no_proof(outcome.delivery(at))


def _shipment(item: Any) -> Shipment:
    """A parcel. `isParcelBack` marks a return. Its events sometimes say only "delivered" (hedii/colissimo-api)."""
    body = json_api.at(item, "shipment")
    entry = answers.parse_time(json_api.text(body, "entryDate"), PARIS)
    accepted = [Scan(status=ParcelStatus.ACCEPTED, at=entry)] if entry else []
    events = [_scan(event) for event in reversed(json_api.items(body, "event"))]  # listed newest first
    is_return = json_api.at(body, "contextData", "isParcelBack") is True
    return Shipment(numbers=tuple(_numbers(item)), scans=(*accepted, *events), is_return=is_return, body=body)


def _scan(event: Any) -> Scan:
    at = answers.parse_time(json_api.text(event, "date"), PARIS)
    return Scan.of(event, json_api.text(event, "code"), EVENT_CODES, at, json_api.text(event, "label"))


def _error(item: Any, answer: Response) -> Failure:
    functional = json_api.text(item, "returnMessage")
    carrier_text = functional or json_api.text(item, "message")
    if answer.is_server_error:
        return answers.unavailable(SPEC.name, answer, carrier_text)
    code = json_api.text(item, "returnCode")
    if answer.status in _KEY_REFUSED or (functional and code is None):
        code = str(answer.status)
    # The gateway's errors have other codes, and its 400 or 404 is not about the number.
    if code in _GOOD_CODES:
        return answers.error(SPEC.name, answer, {}, {}, json_api.text(item, "code"), carrier_text)
    return answers.error(SPEC.name, answer, CODES, {}, code, carrier_text)
