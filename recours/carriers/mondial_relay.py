"""Mondial Relay: tracking with SOAP 1.1 (ASP.NET ASMX). None of its services provides a proof of delivery.

Sources: the service's WSDL, the STAT table of the carrier's own shop module, and public clients. Nothing was tested
against the live service.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from recours.carriers import answers, soap
from recours.carriers.answers import Detailed, Meaning, ParcelStatus, Scan, Shipment
from recours.carriers.client import StatusClient
from recours.carriers.message import CarrierSession, Request, Response
from recours.core.carrier import CarrierSpec
from recours.core.claim import Delivery
from recours.core.outcome import CallError, Failure
from recours.core.quota import Capability
from recours.core.sentences import Sentence
from recours.core.text import clean, plain

SPEC = CarrierSpec(
    key="mondial_relay",
    name="Mondial Relay",
    spellings=("MondialRelay", "Point Relais"),
    limits={None: "1000/day@Europe/Paris"},  # our choice; the carrier publishes no limit
    credentials=(("MONDIAL_RELAY_ENSEIGNE", "MONDIAL_RELAY_PRIVATE_KEY"),),
    base_url="https://api.mondialrelay.com",
    # The number itself has 8 digits. Two digits of the brand may precede it (10 digits), and two digits of the parcel
    # may follow (12 digits). The label's barcode (26 digits) starts with those 12 digits.
    number_form=re.compile(r"[0-9]{8}|[0-9]{10}|[0-9]{12}|[0-9]{26}"),
    number_example="12345678",
    calls={Capability.TRACKING: 1},
    sample_number="00000000",
    issues_documents=False,
)

_PATH = "/Web_Services.asmx"
_NAMESPACE = "http://www.mondialrelay.fr/webservice/"
_OPERATION = "WSI2_TracingColisDetaille"
_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{_NAMESPACE}{_OPERATION}"'}
_LANGUAGE = "FR"
_NUMBER_LENGTH = 8  # digits of the number that the service expects

DELIVERED = "82"
_UNKNOWN_OR_ERROR = "99"

# STAT of the other answers, from the table of the carrier's shop module. 8 is only in newer lists; 94, 95, 97 and 99
# are in four sources. 0 means "OK", but tracking normally returns 80 to 83, so we infer that 0 shows no delivery.
STATS: dict[str, Meaning] = {
    "0": Detailed(Sentence.NOT_DELIVERED, "it reports no delivery"),
    "80": Detailed(Sentence.NOT_DELIVERED, "registered"),
    "81": Detailed(Sentence.NOT_DELIVERED, "on its way"),
    "83": Detailed(Sentence.NOT_DELIVERED, "an anomaly is reported"),
    "1": Detailed(Sentence.CREDENTIALS_REJECTED, "it does not know the brand"),
    "2": Detailed(Sentence.CREDENTIALS_REJECTED, "the brand is missing"),
    "3": Detailed(Sentence.CREDENTIALS_REJECTED, "the account is not valid"),
    "8": Detailed(Sentence.CREDENTIALS_REJECTED, "wrong private key"),
    "97": Detailed(Sentence.CREDENTIALS_REJECTED, "wrong private key"),
    "95": Detailed(Sentence.SERVICE_DENIED, "our account is not activated for tracking"),
    "96": Detailed(Sentence.SERVICE_DENIED, "our account has a different type"),
    "24": Sentence.NUMBER_REJECTED,
    "91": Sentence.NUMBER_REJECTED,
    "94": Sentence.NUMBER_UNKNOWN,
    "72": Detailed(Sentence.REQUEST_REJECTED, "the language"),
    "73": Detailed(Sentence.REQUEST_REJECTED, "the language"),
    "74": Detailed(Sentence.REQUEST_REJECTED, "the language"),
    "90": Sentence.UNAVAILABLE,
    "98": Sentence.UNAVAILABLE,
    # "Unknown number" according to a public client that was tested live, "service error" according to the carrier's own
    # table.
    _UNKNOWN_OR_ERROR: Sentence.NUMBER_UNKNOWN,
}
_PARCEL_STATS = frozenset({"0", "80", "81", "83", "94", _UNKNOWN_OR_ERROR})

# Words for a parcel at a relay point or with its recipient. A real answer had STAT 82 with "Delivery at Pick Up Point".
# The other words are inferred.
_AT_A_RELAY = re.compile(r"\b(?:relais|relay|pick[ -]?up point|parcel ?shop|locker|consigne)\b")
_HANDED_OVER = re.compile(r"\b(?:destinataire|recipient|consignee|addressee|client|customer)\b")
# Words for a parcel that is back at its sender. They are inferred, because no source has a STAT for this case.
_SENT_BACK = re.compile(r"\b(?:retourne|retour|returned?|expediteur|sender|shipper)\b")
# The meanings of an event's text (inferred). The first match counts.
_TEXTS = (
    (ParcelStatus.DELIVERED, _HANDED_OVER),
    (ParcelStatus.AT_A_POINT, _AT_A_RELAY),
    (ParcelStatus.DELIVERED, re.compile(r"\b(?:livree?|delivered|remise?)\b")),
    (ParcelStatus.ACCEPTED, re.compile(r"\b(?:donnees recues|prise? en charge|data received)\b")),
)
_READ_OF_TEXTS = 300  # characters


class MondialRelay(StatusClient):
    spec = SPEC

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(settings)
        self._errors_in_a_row = 0  # answers with STAT 99; not locked, because a wrong count only costs a call

    def track(self, number: str, session: CarrierSession) -> Failure:
        """Call `WSI2_TracingColisDetaille`. Even a delivered parcel is returned as a failure, with its delivery.

        STAT 99 means an unknown number or an error of the service. After two such answers in a row, recours tracks the
        sample number: if that answer has STAT 99 too, the service failed.
        """
        answer = self._call(number, session)
        if _stat(answer) != _UNKNOWN_OR_ERROR:
            self._errors_in_a_row = 0
            return parse_tracing(answer)
        self._errors_in_a_row += 1
        is_of_service = number == SPEC.sample_number
        if self._errors_in_a_row > 1 and not is_of_service:
            with suppress(CallError):  # without an answer, the number is assumed to be unknown
                is_of_service = _stat(self._call(SPEC.sample_number, session)) == _UNKNOWN_OR_ERROR
            self._errors_in_a_row = int(is_of_service)
        if is_of_service:
            return answers.failure_of(SPEC.name, Sentence.CARRIER_ERROR, answer, f"STAT {_UNKNOWN_OR_ERROR}")
        return parse_tracing(answer)

    def _call(self, number: str, session: CarrierSession) -> Response:
        brand, key = (self.settings[name] for name in SPEC.credentials[0])
        digits = number if len(number) == _NUMBER_LENGTH else number[2 : 2 + _NUMBER_LENGTH]
        values = (brand.strip(), digits, _LANGUAGE)  # brands are often written with trailing spaces
        fields = [*zip(("Enseigne", "Expedition", "Langue"), values, strict=True)]
        fields.append(("Security", signature(values, key)))
        call = soap.element(_OPERATION, _NAMESPACE, fields, qualified=True)
        return session.call(Capability.TRACKING, Request("POST", _PATH, _HEADERS, soap.envelope(call)))

    @staticmethod
    def no_proof(delivery: Delivery) -> Failure:
        day = answers.french_day(delivery.at) if delivery.at else ""
        text = ", ".join(part for part in (day, clean(delivery.place or "", 60)) if part)
        return Failure.of(Sentence.PROOFS_NOT_ISSUED, SPEC.name, text, delivery=delivery)


def signature(values: tuple[str, ...], key: str) -> str:
    """The MD5 hash of the values in this order and the private key. The service supports no other hash."""
    signed = "".join((*values, key)).encode()
    return hashlib.md5(signed, usedforsecurity=False).hexdigest().upper()


# ---------------------------------------------------------------- answers


def parse_tracing(answer: Response) -> Failure:
    """The failure that says where the parcel is or what went wrong. It contains the delivery of a delivered parcel."""
    result = _result(answer)
    if isinstance(result, Failure):
        return result
    status = soap.text(result, "STAT")
    label = soap.text(result, "Libelle01")
    if status is None:
        return answers.unreadable(SPEC.name, answer)
    # The latest event. Some events may be nil.
    events = soap.listed(result, "Tracing", "ret_WSI2_sub_TracingColisDetaille")
    dated = [event for event in events if soap.text(event, "Libelle") or soap.text(event, "Date")]
    last = answers.latest(reversed(dated), _time)
    carrier_text = _field(last, "Libelle") or label
    if status == DELIVERED:
        return _delivered(result, dated, last, label, answer)
    if status in STATS and status not in _PARCEL_STATS:  # an error that may have no text
        carrier_text = carrier_text or f"STAT {status}"
    return answers.error(SPEC.name, answer, STATS, {}, status, carrier_text)


def _delivered(
    result: Any, events: Sequence[Any], last: Any | None, label: str | None, answer: Response
) -> Failure:
    words = " / ".join(part[:_READ_OF_TEXTS] for part in (label, _field(last, "Libelle")) if part)
    text = plain(words)
    if not _HANDED_OVER.search(text):
        if _SENT_BACK.search(text):
            scan = Scan(status=ParcelStatus.RETURNED, label=words)
            return answers.not_handed_over(SPEC.name, answer, scan, {})
        if _AT_A_RELAY.search(text):
            return answers.failure_of(SPEC.name, Sentence.AT_PICKUP_POINT, answer, words)
    carrier_text = _field(last, "Libelle") or label
    present = Scan(status=ParcelStatus.DELIVERED, at=_time(last), label=carrier_text)
    # The answer does not contain the parcel's number.
    shipment = Shipment(scans=tuple(map(_scan, events)), present=present)
    outcome = answers.handover(SPEC.name, "", [shipment], answer, {})
    if isinstance(outcome, Failure):
        return outcome
    place = _field(last, "Emplacement") or soap.text(result, "Relais_Libelle")
    return replace(MondialRelay.no_proof(outcome.delivery(place=place)), http_status=answer.status)


def _scan(event: Any) -> Scan:
    label = soap.text(event, "Libelle")
    text = plain((label or "")[:_READ_OF_TEXTS])
    status = next((status for status, words in _TEXTS if words.search(text)), ParcelStatus.ON_ITS_WAY)
    status = ParcelStatus.GOING_BACK if answers.turns_back(label) else status
    return Scan(status=status, at=_time(event), label=label, body=event)


def _time(event: Any | None) -> datetime | None:
    return answers.parse_french_time(_field(event, "Date"), _field(event, "Heure"))


def _stat(answer: Response) -> str | None:
    result = _result(answer)
    return None if isinstance(result, Failure) else soap.text(result, "STAT")


def _field(event: Any | None, name: str) -> str | None:
    return soap.text(event, name) if event is not None else None


def _result(answer: Response) -> Any | Failure:

    def read_fault(fault: Any) -> Failure:
        carrier_text = soap.text(fault, "faultstring")
        if soap.blames_request(fault):
            return answers.failure_of(SPEC.name, Sentence.REQUEST_REJECTED, answer, carrier_text)
        return answers.unavailable(SPEC.name, answer, carrier_text)

    return soap.result_of(SPEC.name, answer, _OPERATION, f"{_OPERATION}Result", read_fault)
