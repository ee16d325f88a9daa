"""What the answers of several carriers have in common, read once."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, tzinfo
from enum import Enum, auto
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from recours.carriers.message import Response
from recours.core.appraisal import EvidenceKind
from recours.core.claim import Delivery
from recours.core.outcome import Failure, Outcome, Piece, Retrieved, begins_as
from recours.core.sentences import Sentence
from recours.core.text import clean

PARIS = ZoneInfo("Europe/Paris")
NEVER = datetime.min.replace(tzinfo=UTC)  # earlier than any time that an answer tells
LONGEST_NAME = 100
_LONGEST_LABEL = 80
_SERVER_ERRORS = 500

# ---------------------------------------------------------------- failures


class Detailed(NamedTuple):
    """A sentence with a detail for the log."""

    key: Sentence
    detail: str


# What a code of a carrier's table means.
Meaning = Sentence | Detailed


def unreadable(name: str, answer: Response) -> Failure:
    """An answer that is not what was asked for: the server's own trouble, or nothing that can be read."""
    if answer.status >= _SERVER_ERRORS:
        return out_of_order(name, answer)
    what = "an empty answer" if not answer.body.strip() else "an answer that cannot be read"
    message = f"{name} sent {what} (HTTP {answer.status})"
    return Failure.of(Sentence.ANSWER_UNREADABLE, name, None, answer.status, message=message)


def out_of_order(name: str, answer: Response, said: str | None = None) -> Failure:
    return Failure.of(Sentence.UNAVAILABLE, name, said, answer.status, detail=f"HTTP {answer.status}")


def meant(name: str, meaning: Meaning, answer: Response, said: str | None = None) -> Failure:
    """What a table says of a code, with the carrier's own words."""
    key, detail = meaning if isinstance(meaning, Detailed) else (meaning, "")
    return Failure.of(key, name, said, answer.status, detail=detail)


def by_status(
    name: str,
    meanings: Mapping[int, Meaning],
    answer: Response,
    code: str | None = None,
    said: str | None = None,
) -> Failure:
    """What an answer means by its HTTP status. `code`: one that our tables do not have."""
    if answer.status in meanings:
        failure = meant(name, meanings[answer.status], answer, said)
    elif answer.status >= _SERVER_ERRORS:
        failure = out_of_order(name, answer, said)
    else:
        return unknown_code(name, answer, code, said) if code else unreadable(name, answer)
    return noting(failure, name, answer, code, said) if code else failure


def unknown_code(name: str, answer: Response, code: str | None, said: str | None = None) -> Failure:
    """An error code that is in none of recours's tables; the run logs it."""
    shown = clean(code or "none", 60)
    message = f"{name} answered with the unknown error code {shown}{quoted(said)} (HTTP {answer.status})"
    seen = f"the error code {shown} (HTTP {answer.status}{quoted(said)})"
    words = f"{shown}{quoted(said)}"
    return Failure.of(Sentence.CODE_UNKNOWN, name, words, answer.status, message=message, unknown=seen)


def by_code(
    name: str, table: dict[str, Meaning], answer: Response, code: str | None, said: str | None = None
) -> Failure:
    """What an error means by its code alone; without one, the answer cannot be read."""
    if code in table:
        return meant(name, table[code], answer, said)
    return unknown_code(name, answer, code, said) if code else unreadable(name, answer)


def noting(
    failure: Failure, name: str, answer: Response, code: str | None, said: str | None = None
) -> Failure:
    """A failure that is clear in spite of a code that our tables do not have."""
    return replace(failure, unknown=unknown_code(name, answer, code, said).unknown)


def quoted(said: str | None) -> str:
    """The carrier's text, to stand after our sentence."""
    return f": {clean(said, 200)}" if said else ""


# ---------------------------------------------------------------- where a parcel is


class ParcelStatus(Enum):
    """What a code means for a proof of delivery. Of several codes of one status, the first in this order counts."""

    RETURNED = auto()  # back at its sender: final
    DESTROYED = auto()  # final
    SEIZED = auto()  # by the authorities: final
    PROHIBITED = auto()  # its contents may not be carried there: final
    CANCELLED = auto()  # by its sender: final
    PART_DELIVERED = auto()  # only a part of the shipment is
    AT_A_POINT = auto()  # with an agent, a shop or a post office, where its recipient may fetch it
    DELIVERED = auto()
    GOING_BACK = auto()  # on its way to its sender
    ACCEPTED = auto()  # picked up from its sender, or handed in: on its way
    ON_ITS_WAY = auto()
    UNCLEAR = auto()  # its label does not say where the parcel is: asked again, like one on its way


FINAL: dict[ParcelStatus, Sentence] = {
    ParcelStatus.RETURNED: Sentence.RETURNED,
    ParcelStatus.DESTROYED: Sentence.DESTROYED,
    ParcelStatus.SEIZED: Sentence.SEIZED,
    ParcelStatus.PROHIBITED: Sentence.PROHIBITED,
    ParcelStatus.CANCELLED: Sentence.CANCELLED,
}


def status_table(codes: Mapping[ParcelStatus, str]) -> dict[str, ParcelStatus]:
    """A carrier's codes and what each means, from the codes of each status with blanks between them."""
    return {code: status for status, listed in codes.items() for code in listed.split()}


def status_of(codes: Iterable[str], table: Mapping[str, ParcelStatus]) -> ParcelStatus | None:
    """What the codes of one status mean together; None if the table has none of them."""
    statuses = [table[code] for code in codes if code in table]
    return min(statuses, key=lambda status: status.value, default=None)


def not_handed_over(
    name: str,
    answer: Response,
    label: str | None,
    *,
    code: str | None,
    table: Mapping[str, ParcelStatus],
    status: ParcelStatus | None = None,
) -> Failure:
    """What to say of a parcel that its recipient does not have. `code` decides it, unless `status` is known otherwise.

    A code that the table does not have is reported with the failure.
    """
    status = status or table.get(code or "")
    said = clean(label or code or "no details", _LONGEST_LABEL)
    if status in FINAL:
        return Failure.of(FINAL[status], name, said, answer.status)
    unknown = f"the event code {clean(code, 60)} ({said})" if code and code not in table else None
    message = f"The parcel is not delivered yet ({said})"
    words = label or code
    return Failure.of(Sentence.NOT_DELIVERED, name, words, answer.status, message=message, unknown=unknown)


def about_another(name: str, answer: Response) -> Failure:
    """The answer has the numbers of other parcels only."""
    message = f"{name} answered about another parcel than the one that was asked about"
    return Failure.of(Sentence.ANSWER_UNREADABLE, name, None, answer.status, message=message)


# ---------------------------------------------------------------- documents


def decoded(encoded: str) -> bytes | None:
    """The bytes of a base64 text, strictly, but for line breaks; None if it is none."""
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


# More than any carrier documents for one parcel: an answer may hold as many as fit in it.
MOST_PIECES = 20


class Sent(NamedTuple):
    encoded: str  # base64
    source: str  # which call of which carrier
    kind: EvidenceKind = EvidenceKind.LETTER
    html: bool = False  # it may be a web page


def evidence(name: str, sent: Sequence[Sent], delivery: Delivery, answer: Response) -> Outcome:
    """The pieces of evidence in one answer, at least one, the best first: those that begin as a document before others.

    What cannot be decoded is left out; what is wrong with the rest, the appraisal says.
    """
    pieces = [
        Piece(content, each.source, each.kind, each.html)
        for each in sent[:MOST_PIECES]
        if (content := decoded(each.encoded)) is not None
    ]
    if pieces:
        return Retrieved(tuple(sorted(pieces, key=lambda each: not is_document(each))), delivery)
    message = f"{name} sent a proof that is not valid base64"
    return Failure.of(Sentence.PROOF_UNUSABLE, name, None, answer.status, message=message, delivery=delivery)


def is_document(piece: Piece) -> bool:
    return begins_as(piece.content, html=piece.html) is not None


# ---------------------------------------------------------------- numbers, names and times


S10 = re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}")
_S10_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)


def s10_fits(number: str) -> bool:
    """Two letters, eight digits, the check digit, two letters (UPU S10). Numbers of other forms pass."""
    if not S10.fullmatch(number):
        return True
    rest = 11 - sum(int(d) * w for d, w in zip(number[2:10], _S10_WEIGHTS, strict=True)) % 11
    return int(number[10]) == {10: 0, 11: 5}.get(rest, rest)


# What UPS (`receivedBy`) and FedEx (`signedByName`) give as a name if nobody signed; recorded.
_NOBODY = frozenset({"driver release", "driver released", "signature not required", "signature not on file"})


def person(name: str | None) -> str | None:
    """A signatory's name, harmless; None if it says that nobody signed."""
    is_nobody = " ".join((name or "")[: LONGEST_NAME + 1].split()).strip(".").lower() in {"", *_NOBODY}
    return None if is_nobody else clean(name or "", LONGEST_NAME)


def caption(text: str | None) -> str | None:
    """A place or a status in the carrier's own text, harmless."""
    return clean(text, _LONGEST_LABEL) if text and text.strip() else None


def french_day(at: datetime) -> str:
    """The day in France, as an ISO date."""
    try:
        return at.astimezone(PARIS).date().isoformat()
    except OverflowError:  # at the end of the year 9999
        return at.date().isoformat()


def parse_time(text: str | None, zone: tzinfo | None = None) -> datetime | None:
    """An ISO time as aware UTC; without an offset it is of `zone` (none: UTC). None if it cannot be read."""
    try:
        return _utc(datetime.fromisoformat((text or "").strip()), zone)
    except (ValueError, OverflowError):
        return None


def latest(dated: Iterable[Any], time_of: Callable[[Any], datetime | None]) -> Any | None:
    """The one with the latest time, of several the first; None if there are none."""
    return max(dated, key=lambda each: time_of(each) or NEVER, default=None)


_DAY = re.compile(r"(?P<day>\d{2})[./](?P<month>\d{2})[./](?P<year>\d{4}|\d{2})", re.ASCII)
_HOUR = re.compile(r"(\d{2}):(\d{2})(?::(\d{2}))?(?:\.\d*)?", re.ASCII)


def parse_french_time(day: str | None, hour: str | None = None) -> datetime | None:
    """`05.10.2026`, `05/10/26` or an ISO date, and `10:31:00`, in French time, as aware UTC; None if unreadable."""
    try:
        text = (day or "").strip()
        if match := _DAY.fullmatch(text):
            year = int(match["year"])
            # Two digits are of this century.
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
