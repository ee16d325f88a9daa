"""Parsers shared by several carriers: failures, parcel statuses, documents, and the delivery of a parcel."""

import base64
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, tzinfo
from enum import Enum, auto
from functools import cached_property
from itertools import takewhile
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from recours.carriers.message import Response
from recours.core.claim import REUSED_AFTER, Delivery
from recours.core.evidence import EvidenceKind
from recours.core.outcome import Failure, Outcome, Piece, Retrieved, begins_as
from recours.core.sentences import Sentence
from recours.core.text import clean, plain

PARIS = ZoneInfo("Europe/Paris")
NEVER = datetime.min.replace(tzinfo=UTC)  # earlier than any time in an answer
LONGEST_NAME = 100
_LONGEST_LABEL = 80

# ---------------------------------------------------------------- failures


class Detailed(NamedTuple):
    """A sentence, with a detail for the log."""

    key: Sentence
    detail: str


# The meaning of a code in a carrier's table.
Meaning = Sentence | Detailed
# HTTP statuses about our account, for carriers whose HTTP status decides if the error has no known code.
ACCOUNT_STATUSES: dict[int, Meaning] = {401: Sentence.CREDENTIALS_REJECTED, 403: Sentence.SERVICE_DENIED}


def unreadable(name: str, answer: Response) -> Failure:
    """The failure for an answer that cannot be parsed: the server failed, or the body is empty or unreadable."""
    if answer.is_server_error:
        return unavailable(name, answer)
    fault = "an empty answer" if not answer.body.strip() else "an answer that cannot be read"
    message = f"{name} sent {fault} (HTTP {answer.status})"
    return Failure.of(Sentence.ANSWER_UNREADABLE, name, None, answer.status, message=message)


def unavailable(name: str, answer: Response, carrier_text: str | None = None) -> Failure:
    return Failure.of(Sentence.UNAVAILABLE, name, carrier_text, answer.status, detail=f"HTTP {answer.status}")


def failure_of(name: str, meaning: Meaning, answer: Response, carrier_text: str | None = None) -> Failure:
    """The failure for a code's meaning in a table, with the carrier's own text."""
    key, detail = meaning if isinstance(meaning, Detailed) else (meaning, "")
    return Failure.of(key, name, carrier_text, answer.status, detail=detail)


def error(
    name: str,
    answer: Response,
    codes: Mapping[str, Meaning],
    statuses: Mapping[int, Meaning],
    code: str | None = None,
    carrier_text: str | None = None,
) -> Failure:
    """The failure for an error, by its code or else by its HTTP status. Codes missing from the table are reported."""
    if code and code in codes:
        return failure_of(name, codes[code], answer, carrier_text)
    if answer.status in statuses:
        failure = failure_of(name, statuses[answer.status], answer, carrier_text)
    elif answer.is_server_error:
        failure = unavailable(name, answer, carrier_text)
    else:
        return unknown_code(name, answer, code, carrier_text) if code else unreadable(name, answer)
    return report_code(failure, name, answer, code, carrier_text) if code else failure


def unknown_code(name: str, answer: Response, code: str | None, carrier_text: str | None = None) -> Failure:
    """The failure for an error code that is in none of our tables. The run logs the code."""
    text = clean(code or "none", 60)
    message = (
        f"{name} answered with the unknown error code {text}{quoted(carrier_text)} (HTTP {answer.status})"
    )
    report = f"the error code {text} (HTTP {answer.status}{quoted(carrier_text)})"
    words = f"{text}{quoted(carrier_text)}"
    return Failure.of(Sentence.CODE_UNKNOWN, name, words, answer.status, message=message, unknown=report)


def report_code(
    failure: Failure, name: str, answer: Response, code: str | None, carrier_text: str | None = None
) -> Failure:
    """Report an unknown code along with a failure whose meaning is clear without the code."""
    return replace(failure, unknown=unknown_code(name, answer, code, carrier_text).unknown)


def quoted(carrier_text: str | None) -> str:
    """The carrier's text as a suffix of our own sentence."""
    return f": {clean(carrier_text, 200)}" if carrier_text else ""


# ---------------------------------------------------------------- where a parcel is


class ParcelStatus(Enum):
    """The meaning of a carrier's code. If a status has several codes, the first meaning in this order counts."""

    RETURNED = auto()  # back at its sender: final
    DESTROYED = auto()  # final
    SEIZED = auto()  # by the authorities: final
    PROHIBITED = auto()  # because of its contents: final
    CANCELLED = auto()  # by its sender: final
    PART_DELIVERED = auto()  # only part of the shipment is delivered
    AT_A_POINT = auto()  # at an agent, a shop or a post office, where the recipient can collect it
    DELIVERED = auto()
    GOING_BACK = auto()  # on its way to its sender
    ACCEPTED = auto()  # picked up from its sender, or dropped off: on its way
    ON_ITS_WAY = auto()
    UNCLEAR = auto()  # the label does not say where the parcel is: treated like ON_ITS_WAY


FINAL: dict[ParcelStatus, Sentence] = {
    ParcelStatus.RETURNED: Sentence.RETURNED,
    ParcelStatus.DESTROYED: Sentence.DESTROYED,
    ParcelStatus.SEIZED: Sentence.SEIZED,
    ParcelStatus.PROHIBITED: Sentence.PROHIBITED,
    ParcelStatus.CANCELLED: Sentence.CANCELLED,
}


def status_table(codes: Mapping[ParcelStatus, str]) -> dict[str, ParcelStatus]:
    """A carrier's codes with their meanings, from a space-separated list of codes for each status."""
    return {code: status for status, listed in codes.items() for code in listed.split()}


def status_of(codes: Iterable[str], table: Mapping[str, ParcelStatus]) -> ParcelStatus | None:
    """The meaning of a status with these codes, or None if none of the codes is in the table."""
    statuses = [table[code] for code in codes if code in table]
    return min(statuses, key=lambda status: status.value, default=None)


def not_handed_over(name: str, answer: Response, scan: "Scan", table: Mapping[str, ParcelStatus]) -> Failure:
    """The failure for a parcel that its recipient has not received. Codes that are not in the table are reported."""
    carrier_text = clean(scan.label or scan.code or "no details", _LONGEST_LABEL)
    if scan.status in FINAL:
        return Failure.of(FINAL[scan.status], name, carrier_text, answer.status)
    is_strange = scan.code and scan.code not in table
    unknown = f"the event code {clean(scan.code or '', 60)} ({carrier_text})" if is_strange else None
    message = f"The parcel has not been delivered yet ({carrier_text})"
    words = scan.label or scan.code
    return Failure.of(Sentence.NOT_DELIVERED, name, words, answer.status, message=message, unknown=unknown)


def about_another(name: str, answer: Response) -> Failure:
    """The failure for an answer that contains only other parcels' numbers."""
    message = f"{name} answered about a different parcel"
    return Failure.of(Sentence.ANSWER_UNREADABLE, name, None, answer.status, message=message)


# ---------------------------------------------------------------- documents


# More documents than any carrier issues for a parcel. Otherwise, only the size of an answer would limit their number.
MAX_PIECES = 20


class EncodedPiece(NamedTuple):
    encoded: str
    source: str  # the carrier and the call that returned the document
    kind: EvidenceKind = EvidenceKind.LETTER
    html: bool = False  # whether it may be a web page
    encoding: Literal["base64", "hex"] = "base64"

    def decode(self) -> bytes:
        """Decode the document from base64 or hex. Raises ValueError."""
        text = "".join(self.encoded.split())
        if self.encoding == "hex":
            return bytes.fromhex(text)
        return base64.b64decode(text, validate=True)


def evidence(
    name: str, encoded_pieces: Sequence[EncodedPiece], delivery: Delivery, answer: Response
) -> Outcome:
    """The pieces of evidence in one answer. Pieces that start like a document precede the others.

    `encoded_pieces`: at least one, best first. Pieces that cannot be decoded are dropped. The appraisal reports other
    faults of pieces.
    """
    pieces: list[Piece] = []
    for piece in encoded_pieces[:MAX_PIECES]:
        with suppress(ValueError):
            pieces.append(Piece(piece.decode(), piece.source, piece.kind, piece.html))
    if pieces:
        return Retrieved(tuple(sorted(pieces, key=lambda piece: not is_document(piece))), delivery)
    message = f"{name} sent a proof that is not valid {encoded_pieces[0].encoding}"
    return Failure.of(Sentence.PROOF_UNUSABLE, name, None, answer.status, message=message, delivery=delivery)


def is_document(piece: Piece) -> bool:
    return begins_as(piece.content, html=piece.html) is not None


# ---------------------------------------------------------------- numbers, names and times


S10 = re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}")
_S10_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)


def s10_fits(number: str) -> bool:
    """Check a UPU S10 number: two letters, eight digits, the check digit, two letters. Other formats pass."""
    if not S10.fullmatch(number):
        return True
    remainder = 11 - sum(int(d) * w for d, w in zip(number[2:10], _S10_WEIGHTS, strict=True)) % 11
    return int(number[10]) == {10: 0, 11: 5}.get(remainder, remainder)


def mod_10_fits(number: str, first: int, second: int) -> bool:
    """Check that the digits, with alternate weights from the right, and the check digit add up to a multiple of ten."""
    *digits, check = map(int, number)
    return (sum(digits[::-2]) * first + sum(digits[-2::-2]) * second + check) % 10 == 0


# Names that UPS (`receivedBy`) and FedEx (`signedByName`) return if nobody signed; recorded.
_NOBODY = frozenset({"driver release", "driver released", "signature not required", "signature not on file"})


def person(name: str | None) -> str | None:
    """A signatory's name without control characters, or None if nobody signed."""
    is_nobody = " ".join((name or "")[: LONGEST_NAME + 1].split()).strip(".").lower() in {"", *_NOBODY}
    return None if is_nobody else clean(name or "", LONGEST_NAME)


def caption(text: str | None) -> str | None:
    """The carrier's text about a place or a status, without control characters."""
    return clean(text, _LONGEST_LABEL) if text and text.strip() else None


def french_day(at: datetime) -> str:
    """The day in France, as an ISO date."""
    try:
        return at.astimezone(PARIS).date().isoformat()
    except OverflowError:  # at the end of the year 9999
        return at.date().isoformat()


def parse_time(text: str | None, zone: tzinfo | None = None) -> datetime | None:
    """An ISO time as aware UTC, or None if unreadable. A time without an offset is in `zone` (default UTC)."""
    try:
        return _utc(datetime.fromisoformat((text or "").strip()), zone)
    except (ValueError, OverflowError):
        return None


def latest(items: Iterable[Any], time_of: Callable[[Any], datetime | None]) -> Any | None:
    """The item with the latest time (the first of several), or None if there are no items."""
    return max(items, key=lambda item: time_of(item) or NEVER, default=None)


_DAY = re.compile(r"(?P<day>\d{2})[./](?P<month>\d{2})[./](?P<year>\d{4}|\d{2})", re.ASCII)
_HOUR = re.compile(r"(\d{2}):(\d{2})(?::(\d{2}))?(?:\.\d*)?", re.ASCII)


def parse_french_time(day: str | None, hour: str | None = None) -> datetime | None:
    """A day (`05.10.2026`, `05/10/26`, ISO) and a time (`10:31:00`) in France as aware UTC, or None if unreadable."""
    try:
        text = (day or "").strip()
        if match := _DAY.fullmatch(text):
            year = int(match["year"])
            # A year of two digits is in this century.
            on = date(year + (2000 if year <= 99 else 0), int(match["month"]), int(match["day"]))  # noqa: PLR2004
        else:
            on = date.fromisoformat(text[:10])
        clock = _HOUR.fullmatch((hour or "").strip())
        hours, minutes, seconds = (int(part or 0) for part in clock.groups()) if clock else (0, 0, 0)
        return _utc(datetime.combine(on, time(hours, minutes, seconds)), PARIS)
    except (ValueError, OverflowError):
        return None


def _utc(at: datetime, zone: tzinfo | None) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=zone or UTC)).astimezone(UTC)


# ---------------------------------------------------------------- parcels in an answer, and their scans

_TURNED_BACK = frozenset({ParcelStatus.GOING_BACK, ParcelStatus.RETURNED})
# Statuses that end a parcel's journey. A later acceptance belongs to another parcel with the same number.
_ENDS = FINAL.keys() | {ParcelStatus.DELIVERED}
# Without a current status, the latest scan with one of these decides. A canceled shipment may still move.
_DECISIVE = _ENDS - {ParcelStatus.CANCELLED} | {ParcelStatus.PART_DELIVERED}
# Statuses of a parcel in the carrier's possession.
_WITH_CARRIER = frozenset({ParcelStatus.ACCEPTED, ParcelStatus.ON_ITS_WAY, ParcelStatus.AT_A_POINT})


@dataclass(frozen=True, kw_only=True)
class Scan:
    """An event of a parcel, or its current status, with the carrier's own texts."""

    status: ParcelStatus | None  # None: the code is not in the carrier's table
    at: datetime | None = None  # aware UTC
    code: str | None = None
    label: str | None = None
    body: Any = field(default=None, repr=False)  # the scan's part of the answer, for rare facts

    @classmethod
    def of(
        cls,
        body: Any,
        code: str | None,
        table: Mapping[str, ParcelStatus],
        at: datetime | None,
        label: str | None,
        *,
        by_label: bool = False,
    ) -> "Scan":
        """An event, with its status from the carrier's table. `by_label`: a label about a return overrides the code."""
        status = table.get(code or "")
        if by_label and turns_back(label) and status is not ParcelStatus.RETURNED:
            is_end = status is ParcelStatus.DELIVERED
            status = ParcelStatus.RETURNED if is_end else ParcelStatus.GOING_BACK
        return cls(status=status, at=at, code=code, label=label, body=body)


@dataclass(frozen=True, kw_only=True)
class Shipment:
    """One parcel in an answer."""

    # All numbers of the parcel in the answer: its own, those of its pieces, and others that the carrier documents.
    numbers: tuple[str, ...] = ()
    scans: tuple[Scan, ...] = ()  # oldest first
    # The current status, if the carrier reports one. It takes precedence over the latest scan.
    present: Scan | None = None
    is_return: bool = False  # the carrier marks it as a return to the sender
    body: Any = field(default=None, repr=False)

    @cached_property
    def latest(self) -> datetime:
        """The time of the latest scan or status; NEVER if none has a time."""
        scans = [*self.scans, *filter(None, [self.present])]
        return max((scan.at or NEVER for scan in scans), default=NEVER)


@dataclass(frozen=True, kw_only=True)
class Handover:
    scan: Scan  # the scan that shows the delivery
    scans: Sequence[Scan]  # all delivery scans of this parcel, latest first
    shipment: Shipment

    def delivery(
        self, at: datetime | None = None, signatory: str | None = None, place: str | None = None
    ) -> Delivery:
        """The delivery with these facts. `at`: a time that replaces the scan's time."""
        label = caption(self.scan.label)
        return Delivery(at or self.scan.at, person(signatory), place=caption(place), label=label)


# GeoPost numbers have 14 digits, with or without a check character. For example, La Poste answers a request for the 14
# digits of a Chronopost parcel with 15 characters (ha-parcel-integrations/ha-laposte, api.py).
_WITH_CHECK_CHARACTER = re.compile(r"[0-9]{14}[0-9A-Z]")


def same_number(number: str, other: str) -> bool:
    """Return whether two numbers match, ignoring leading zeros, case, spaces and GeoPost's check character."""
    short, long = sorted((_tidy(number), _tidy(other)), key=len)
    is_checked = _WITH_CHECK_CHARACTER.fullmatch(long) is not None
    return short.lstrip("0") == long.lstrip("0") or (is_checked and long[:-1] == short)


def _tidy(number: str) -> str:
    return "".join(number.split()).upper()


def group_by_number(
    numbers: Sequence[str], items: Iterable[Any], numbers_of: Callable[[Any], Iterable[str | None]]
) -> dict[str, list[Any]]:
    """Group the items of an answer by the requested number they are about. Items about other numbers are dropped.

    `numbers_of`: returns the numbers in an item, most reliable first. If only one number was requested, items without a
    number belong to it.
    """
    exact = {_tidy(number): number for number in numbers}
    alike: dict[str, list[str]] = {}
    for number in numbers:
        for form in _forms(number):
            alike.setdefault(form, []).append(number)
    results: dict[str, list[Any]] = {}
    for item in items:
        texts = [text for text in numbers_of(item) if text]
        matches = [exact[_tidy(text)] for text in texts if _tidy(text) in exact]
        candidates = {number for text in texts for form in _forms(text) for number in alike.get(form, ())}
        similar = [number for number in candidates if any(same_number(number, text) for text in texts)]
        if matches or len(similar) == 1:
            results.setdefault([*matches, *similar][0], []).append(item)
        elif not texts and len(numbers) == 1:
            results.setdefault(numbers[0], []).append(item)
    return results


def _forms(number: str) -> set[str]:
    tidy = _tidy(number)
    forms = {tidy, tidy[:-1]} if _WITH_CHECK_CHARACTER.fullmatch(tidy) else {tidy}
    return {form.lstrip("0") for form in forms}


def handover(
    name: str, number: str, shipments: Sequence[Shipment], answer: Response, table: Mapping[str, ParcelStatus]
) -> Handover | Failure:
    """The parcel's delivery to its recipient, or a failure if the answer does not show one.

    `name`: the carrier's name. `shipments`: all shipments in the answer. The newest shipment with the number counts, or
    else the newest without any number. A delivery after the parcel turned back was a delivery to its sender. A partial
    delivery does not count. A delivery before the acceptance belongs to an earlier parcel with the same number.
    """
    ours = [parcel for parcel in shipments if any(same_number(number, other) for other in parcel.numbers)]
    unnumbered = [parcel for parcel in shipments if not parcel.numbers]
    shipment = max(ours or unnumbered, key=lambda parcel: parcel.latest, default=None)
    if shipment is None:
        return about_another(name, answer)
    scans = current_way(shipment.scans)
    last = _decisive(shipment, scans)
    if last.status is ParcelStatus.DELIVERED:
        returns = [scan for scan in scans if scan.status in _TURNED_BACK]
        if not (returns or shipment.is_return):
            deliveries = [scan for scan in reversed(scans) if scan.status is ParcelStatus.DELIVERED]
            return Handover(scan=last, scans=deliveries or [last], shipment=shipment)
        until_then = takewhile(lambda scan: scan is not last, scans)
        if shipment.is_return or any(scan.status in _TURNED_BACK for scan in until_then):
            label = caption(last.label) or "delivered"
            return Failure.of(Sentence.RETURN_DELIVERED, name, label, answer.status)
        last = returns[-1]  # the parcel turned back after the delivery, so the recipient did not keep it
    return not_handed_over(name, answer, last, table)


def current_way(scans: Collection[Scan]) -> list[Scan]:
    """The scans of the parcel that now has the number, in order of time. A scan without a time keeps its position.

    Scans of earlier parcels with the same number are omitted. The current parcel starts with the last acceptance after
    an earlier parcel's end, or after the last gap that is long enough for the carrier to reuse the number.
    """
    by_time = iter(sorted((scan for scan in scans if scan.at), key=lambda scan: scan.at or NEVER))
    ordered = [next(by_time) if scan.at else scan for scan in scans]
    start = 0
    has_ended = False
    for place, scan in enumerate(ordered):
        is_accepted = scan.status is ParcelStatus.ACCEPTED and has_ended
        previous = ordered[place - 1].at if place else None
        is_after_gap = bool(scan.at and previous and scan.at - previous > REUSED_AFTER)
        if is_accepted or (is_after_gap and scan.status in _WITH_CARRIER):
            start = place
            has_ended = False
        has_ended = has_ended or scan.status in _ENDS
    return ordered[start:]


def _decisive(shipment: Shipment, scans: Sequence[Scan]) -> Scan:
    """The scan or current status that shows where the parcel is now. `scans`: the result of `current_way`."""
    decisive = [scan for scan in scans if scan.status in _DECISIVE] or scans
    last = decisive[-1] if decisive else Scan(status=None)
    if shipment.present is None:
        return last
    # The current status "delivered" may be about an earlier parcel, whose scans were omitted.
    is_ended = shipment.present.status is ParcelStatus.DELIVERED and len(scans) < len(shipment.scans)
    is_of_another = is_ended and last.status is not ParcelStatus.DELIVERED
    return last if is_of_another else shipment.present


# ---------------------------------------------------------------- returns, detected by the label of an event

# Event labels that mean a return to the sender. Sources of the English, French and German labels: DHL labels in public
# clients (mmetten/ha-dhl, the gem `dhl-tracking`), simulators and shipping labels. The other languages are inferred.
_TURNED_BACK_TEXTS = (
    r"\breturn(?:s|ed|ing)?\b.{0,40}\b(?:sender|shipper|consignor)\b",
    r"\b(?:delivered|handed over|given back) to (?:(?:the|its) )?(?:original )?(?:sender|shipper|consignor)\b",
    r"\b(?:retour\w*|renvoy\w*|reexpedi\w*)\b.{0,40}\bexpediteur\b",
    r"\b(?:livree?|remise?|rendue?|distribuee?) a (?:l'|l’|son )expediteur\b",
    r"\bzuruck\w*\b.{0,40}\babsender\b|\babsender\b.{0,20}\bzuruck|\brucksendung\b"
    r"|(?<!zentrum )\bzuruckge(?:sandt|sendet|schickt)\b",  # a damaged parcel returns to a Paketzentrum
    r"\b(?:dem|den|zum) absender (?:zugestellt|ubergeben|ausgehandigt)\b",
    r"\b(?:devuel\w*|devoluci\w*|retorn\w*)\b.{0,40}\bremitente\b|\bentregad[oa] al remitente\b",
    r"\b(?:restitu\w*|reso|resa|ritorn\w*|rispedi\w*|rinvia\w*)\b.{0,40}\bmittente\b|\bconsegnat[oa] al mittente\b",
    r"\b(?:retour\w*|terug\w*|geretourneerd)\b.{0,40}\bafzender\b|\bafzender\b.{0,20}\b(?:terug|geretourneerd)",
)
# A label with a condition ("returned to the sender unless …") announces a return that has not happened.
_CONDITION = (
    r"\b(?:if|unless|otherwise|si|s['’]il|sinon|falls|wenn|sonst|andernfalls|se non|altrimenti|indien)\b"
)
_READ_OF_TEXTS = 300  # characters


def turns_back(words: str | None) -> bool:
    """Return whether the label of an event says that the parcel is being or has been returned to its sender."""
    text = plain((words or "")[:_READ_OF_TEXTS])
    return any(re.search(pattern, text) for pattern in _TURNED_BACK_TEXTS) and not re.search(_CONDITION, text)
