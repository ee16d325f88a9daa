"""Whether an answer tells of the delivery of the parcel that was asked about: one rule for all carriers.

A carrier's module supplies facts, as `Shipment` and `Scan`. Here they are judged: whose number it is, which of several
parcels of one number counts, and whether its recipient has it.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Any

from recours.carriers import outcomes
from recours.carriers.message import Response
from recours.carriers.outcomes import NEVER, ParcelStatus
from recours.core.claim import REUSED_AFTER
from recours.core.outcome import Failure
from recours.core.text import plain

_TURNED_BACK = frozenset({ParcelStatus.GOING_BACK, ParcelStatus.RETURNED})
# What the latest of decides, where the carrier tells no present status. A cancelled shipment may go on after all.
_DECISIVE = frozenset(
    {
        ParcelStatus.DELIVERED,
        ParcelStatus.RETURNED,
        ParcelStatus.DESTROYED,
        ParcelStatus.SEIZED,
        ParcelStatus.PROHIBITED,
        ParcelStatus.PART_DELIVERED,
    }
)
# After one of these, a further acceptance begins the way of another parcel with the same number.
_ENDS = _DECISIVE - {ParcelStatus.PART_DELIVERED} | {ParcelStatus.CANCELLED}
# Where the carrier has a parcel in hand.
_IN_HAND = frozenset({ParcelStatus.ACCEPTED, ParcelStatus.ON_ITS_WAY, ParcelStatus.AT_A_POINT})


@dataclass(frozen=True, kw_only=True)
class Scan:
    """An event in a parcel's way, or its present status. Texts are the carrier's own."""

    status: ParcelStatus | None  # None: the carrier's table does not have the code
    at: datetime | None = None  # aware UTC
    code: str | None = None
    label: str | None = None
    body: Any = field(default=None, repr=False)  # the part of the answer, for facts that only its carrier has


@dataclass(frozen=True, kw_only=True)
class Shipment:
    """What an answer tells of one parcel."""

    # The numbers that it is told to have: its own, those of its pieces, and others that the carrier documents.
    numbers: tuple[str, ...] = ()
    scans: tuple[Scan, ...] = ()  # the oldest first
    # Its status now, if the carrier tells one: that decides, and not the latest scan.
    present: Scan | None = None
    is_return: bool = False  # the carrier marks it as going back, or as having gone back, to its sender
    body: Any = field(default=None, repr=False)

    @property
    def latest(self) -> datetime:
        """When it was last heard of."""
        known = [*self.scans, *filter(None, [self.present])]
        return max((scan.at or NEVER for scan in known), default=NEVER)


@dataclass(frozen=True, kw_only=True)
class Handover:
    """The delivery of a parcel to its recipient."""

    scan: Scan  # the one that decides
    scans: Sequence[Scan]  # all of this parcel that tell of it, the latest first
    shipment: Shipment


# A number of GeoPost has 14 digits; its carriers add a check sign, or leave it out: asked about the 14 digits, La Poste
# tells 15 signs of a Chronopost parcel (ha-parcel-integrations/ha-laposte, api.py).
_WITH_CHECK_SIGN = re.compile(r"[0-9]{14}[0-9A-Z]")


def same_number(number: str, other: str) -> bool:
    """Tell whether two texts are one number: leading zeros, case, blanks and GeoPost's check sign aside."""
    short, long = sorted((_tidy(number), _tidy(other)), key=len)
    is_checked = _WITH_CHECK_SIGN.fullmatch(long) is not None
    return short.lstrip("0") == long.lstrip("0") or (is_checked and long[:-1] == short)


def _tidy(number: str) -> str:
    return "".join(number.split()).upper()


def by_number(
    numbers: Sequence[str], items: Iterable[Any], numbers_of: Callable[[Any], Iterable[str | None]]
) -> dict[str, list[Any]]:
    """The items of an answer, by which of these numbers they are about; an item about none of them is left out.

    `numbers_of`: the numbers that an item tells, the surest first. One that tells none is about the only number there is.
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
        candidates = {each for text in texts for form in _forms(text) for each in alike.get(form, ())}
        similar = [each for each in candidates if any(same_number(each, text) for text in texts)]
        if matches or len(similar) == 1:
            results.setdefault([*matches, *similar][0], []).append(item)
        elif not texts and len(numbers) == 1:
            results.setdefault(numbers[0], []).append(item)
    return results


def _forms(number: str) -> set[str]:
    tidy = _tidy(number)
    forms = {tidy, tidy[:-1]} if _WITH_CHECK_SIGN.fullmatch(tidy) else {tidy}
    return {form.lstrip("0") for form in forms}


# How events say that a parcel goes back to its sender, or is there: wordings of DHL in public clients (mmetten/ha-dhl and the
# gem `dhl-tracking`, German), of simulators and labels; the other languages are inferred.
_TURNED_BACK_TEXTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\breturn(?:s|ed|ing)?\b.{0,40}\b(?:sender|shipper|consignor)\b",
        r"\b(?:delivered|handed over|given back) to (?:(?:the|its) )?(?:original )?(?:sender|shipper|consignor)\b",
        r"\b(?:retour\w*|renvoy\w*|reexpedi\w*)\b.{0,40}\bexpediteur\b",
        r"\b(?:livree?|remise?|rendue?|distribuee?) a (?:l'|l’|son )expediteur\b",
        r"\bzuruck\w*\b.{0,40}\babsender\b|\babsender\b.{0,20}\bzuruck|\brucksendung\b|\bzuruckge(?:sandt|sendet|schickt)\b",
        r"\b(?:dem|den|zum) absender (?:zugestellt|ubergeben|ausgehandigt)\b",
        r"\b(?:devuel\w*|devoluci\w*|retorn\w*)\b.{0,40}\bremitente\b|\bentregad[oa] al remitente\b",
        r"\b(?:restitu\w*|reso|resa|ritorn\w*|rispedi\w*|rinvia\w*)\b.{0,40}\bmittente\b|\bconsegnat[oa] al mittente\b",
        r"\b(?:retour\w*|terug\w*|geretourneerd)\b.{0,40}\bafzender\b|\bafzender\b.{0,20}\b(?:terug|geretourneerd)",
    )
)
# What may happen has not.
_CONDITION = re.compile(
    r"\b(?:if|unless|otherwise|si|s['’]il|sinon|falls|wenn|sonst|andernfalls|se non|altrimenti|indien)\b"
)
_READ_OF_TEXTS = 300  # signs


def turns_back(words: str | None) -> bool:
    """Tell whether the words of an event say that the parcel goes, or has gone, back to its sender."""
    text = plain((words or "")[:_READ_OF_TEXTS])
    return any(pattern.search(text) for pattern in _TURNED_BACK_TEXTS) and not _CONDITION.search(text)


def newest_about(number: str, shipments: Iterable[Shipment]) -> Shipment | None:
    """Of the parcels with this number the one that was last heard of; None if the answer is about other parcels only.

    A parcel without any number is taken for the one that was asked about.
    """
    parcels = list(shipments)
    ours = [each for each in parcels if any(same_number(number, other) for other in each.numbers)]
    nameless = [each for each in parcels if not each.numbers]
    return max(ours or nameless, key=lambda each: each.latest, default=None)


def handover(
    name: str,
    number: str,
    shipments: Iterable[Shipment],
    answer: Response,
    table: Mapping[str, ParcelStatus],
) -> Handover | Failure:
    """How the recipient got the parcel with this number, or why nobody can say that.

    `shipments`: all that the answer of the carrier called `name` tells of. A delivery after the parcel has turned back is
    its sender's; one of a part of a shipment is none; one before the parcel was accepted is another parcel's.
    """
    shipment = newest_about(number, shipments)
    if shipment is None:
        return outcomes.about_another(name, answer)
    scans = current_way(shipment.scans)
    last = _decisive(shipment, scans)
    if last.status is ParcelStatus.DELIVERED:
        returns = [scan for scan in scans if scan.status in _TURNED_BACK]
        if not (returns or shipment.is_return):
            deliveries = [scan for scan in reversed(scans) if scan.status is ParcelStatus.DELIVERED]
            return Handover(scan=last, scans=deliveries or [last], shipment=shipment)
        until_then = takewhile(lambda scan: scan is not last, scans)
        if shipment.is_return or any(scan.status in _TURNED_BACK for scan in until_then):
            return outcomes.end_of_return(name, answer, last.label)
        last = returns[-1]  # it turned back after all: its recipient did not keep it
    return outcomes.not_handed_over(name, answer, last.label, code=last.code, table=table, status=last.status)


def current_way(scans: Collection[Scan]) -> list[Scan]:
    """The scans of the parcel that has the number now, by their times; one without a time keeps its place in the list.

    Its way begins with the last acceptance that follows the end of another's, or with the last scan of a parcel in the
    carrier's hands that follows a silence so long that the number was given anew.
    """
    by_time = iter(sorted((scan for scan in scans if scan.at), key=lambda scan: scan.at or NEVER))
    ordered = [next(by_time) if scan.at else scan for scan in scans]
    start, has_ended = 0, False
    for place, scan in enumerate(ordered):
        is_accepted = scan.status is ParcelStatus.ACCEPTED and has_ended
        if is_accepted or (scan.status in _IN_HAND and place and _is_much_later(scan, ordered[place - 1])):
            start, has_ended = place, False
        has_ended = has_ended or scan.status in _ENDS
    return ordered[start:]


def _is_much_later(scan: Scan, before: Scan) -> bool:
    return bool(scan.at and before.at and scan.at - before.at > REUSED_AFTER)


def _decisive(shipment: Shipment, scans: Sequence[Scan]) -> Scan:
    """The scan that tells where the parcel is now. `scans`: of its way."""
    decisive = [scan for scan in scans if scan.status in _DECISIVE] or scans
    last = decisive[-1] if decisive else Scan(status=None)
    if shipment.present is None:
        return last
    # Where the delivery was another parcel's, so is the status.
    is_ended = shipment.present.status is ParcelStatus.DELIVERED and len(scans) < len(shipment.scans)
    is_of_another = is_ended and last.status is not ParcelStatus.DELIVERED
    return last if is_of_another else shipment.present
