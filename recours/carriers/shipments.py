"""Whether an answer is about the parcel that was asked about, and whether its recipient has it: one rule for all carriers.

A carrier's module reads its answers into `Shipment` and `Scan`. The rules here decide which of several parcels with one
number counts, which of its scans belong to it, and whether it was delivered, is on its way or went back to its sender.
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
from recours.core.claim import REUSED_AFTER, Delivery
from recours.core.outcome import Failure
from recours.core.sentences import Sentence

_TURNED_BACK = frozenset({ParcelStatus.GOING_BACK, ParcelStatus.RETURNED})
# These end a parcel's journey: a later acceptance belongs to another parcel with the same number.
_ENDS = outcomes.FINAL.keys() | {ParcelStatus.DELIVERED}
# The latest scan with one of these decides, unless the carrier reports a current status. A cancelled shipment may still move.
_DECISIVE = _ENDS - {ParcelStatus.CANCELLED} | {ParcelStatus.PART_DELIVERED}
# The carrier has the parcel.
_WITH_CARRIER = frozenset({ParcelStatus.ACCEPTED, ParcelStatus.ON_ITS_WAY, ParcelStatus.AT_A_POINT})


@dataclass(frozen=True, kw_only=True)
class Scan:
    """An event of a parcel, or its current status. Texts are the carrier's own."""

    status: ParcelStatus | None  # None: the carrier's table does not have the code
    at: datetime | None = None  # aware UTC
    code: str | None = None
    label: str | None = None
    body: Any = field(default=None, repr=False)  # this part of the answer, for facts that few carriers give


@dataclass(frozen=True, kw_only=True)
class Shipment:
    """What an answer says about one parcel."""

    # All its numbers in the answer: its own, those of its pieces, and others that the carrier documents.
    numbers: tuple[str, ...] = ()
    scans: tuple[Scan, ...] = ()  # the oldest first
    # The current status, if the carrier reports one: it takes precedence over the latest scan.
    present: Scan | None = None
    is_return: bool = False  # the carrier marks it as a return to its sender
    body: Any = field(default=None, repr=False)

    @property
    def latest(self) -> datetime:
        """The time of the latest scan or status; NEVER if none has a time."""
        known = [*self.scans, *filter(None, [self.present])]
        return max((scan.at or NEVER for scan in known), default=NEVER)


@dataclass(frozen=True, kw_only=True)
class Handover:
    """The delivery of a parcel to its recipient."""

    scan: Scan  # the one that decided
    scans: Sequence[Scan]  # all delivery scans of this parcel, the latest first
    shipment: Shipment

    def delivery(
        self, at: datetime | None = None, signatory: str | None = None, place: str | None = None
    ) -> Delivery:
        """What there is to know of it: texts as the carrier wrote them, and its time, if it is not that of the scan."""
        label = outcomes.caption(self.scan.label)
        return Delivery(
            at or self.scan.at, outcomes.person(signatory), place=outcomes.caption(place), label=label
        )


# GeoPost numbers have 14 digits, which its carriers write with or without a check character: asked about the 14 digits of a
# Chronopost parcel, La Poste answers with 15 characters (ha-parcel-integrations/ha-laposte, api.py).
_WITH_CHECK_CHARACTER = re.compile(r"[0-9]{14}[0-9A-Z]")


def same_number(number: str, other: str) -> bool:
    """Tell whether two texts are the same number, apart from leading zeros, case, blanks and GeoPost's check character."""
    short, long = sorted((_tidy(number), _tidy(other)), key=len)
    is_checked = _WITH_CHECK_CHARACTER.fullmatch(long) is not None
    return short.lstrip("0") == long.lstrip("0") or (is_checked and long[:-1] == short)


def _tidy(number: str) -> str:
    return "".join(number.split()).upper()


def by_number(
    numbers: Sequence[str], items: Iterable[Any], numbers_of: Callable[[Any], Iterable[str | None]]
) -> dict[str, list[Any]]:
    """Group the items of an answer by the number that each is about; leave out items about other numbers.

    `numbers_of`: the numbers in an item, the most reliable first. If only one number was asked, items without a number belong
    to it.
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
    forms = {tidy, tidy[:-1]} if _WITH_CHECK_CHARACTER.fullmatch(tidy) else {tidy}
    return {form.lstrip("0") for form in forms}


def newest_about(number: str, shipments: Iterable[Shipment]) -> Shipment | None:
    """The parcel with this number and the latest scan; None if the answer is only about other parcels.

    If no parcel has this number, parcels without any number count.
    """
    parcels = list(shipments)
    ours = [each for each in parcels if any(same_number(number, other) for other in each.numbers)]
    unnumbered = [each for each in parcels if not each.numbers]
    return max(ours or unnumbered, key=lambda each: each.latest, default=None)


def handover(
    name: str,
    number: str,
    shipments: Iterable[Shipment],
    answer: Response,
    table: Mapping[str, ParcelStatus],
) -> Handover | Failure:
    """The delivery of the parcel with this number to its recipient, or why the answer shows none.

    `shipments`: all in the answer of the carrier called `name`. A delivery after the parcel turned back went to its sender. A
    partial delivery does not count. A delivery before the acceptance belongs to another parcel with the same number.
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
            label = outcomes.caption(last.label) or "delivered"
            return Failure.of(Sentence.RETURN_DELIVERED, name, label, answer.status)
        last = returns[-1]  # after the delivery: the recipient did not keep the parcel
    return outcomes.not_handed_over(name, answer, last.label, code=last.code, table=table, status=last.status)


def current_way(scans: Collection[Scan]) -> list[Scan]:
    """The scans of the parcel that has the number now, ordered by time; a scan without a time keeps its place.

    They start at the last acceptance after another parcel's end, or at the last scan after a gap so long that the carrier must
    have reused the number.
    """
    by_time = iter(sorted((scan for scan in scans if scan.at), key=lambda scan: scan.at or NEVER))
    ordered = [next(by_time) if scan.at else scan for scan in scans]
    start, has_ended = 0, False
    for place, scan in enumerate(ordered):
        is_accepted = scan.status is ParcelStatus.ACCEPTED and has_ended
        before = ordered[place - 1].at if place else None
        is_after_gap = bool(scan.at and before and scan.at - before > REUSED_AFTER)
        if is_accepted or (is_after_gap and scan.status in _WITH_CARRIER):
            start, has_ended = place, False
        has_ended = has_ended or scan.status in _ENDS
    return ordered[start:]


def _decisive(shipment: Shipment, scans: Sequence[Scan]) -> Scan:
    """The scan, or the current status, that says where the parcel is now. `scans`: see `current_way`."""
    decisive = [scan for scan in scans if scan.status in _DECISIVE] or scans
    last = decisive[-1] if decisive else Scan(status=None)
    if shipment.present is None:
        return last
    # A current status "delivered" may belong to the earlier parcel, whose scans were left out.
    is_ended = shipment.present.status is ParcelStatus.DELIVERED and len(scans) < len(shipment.scans)
    is_of_another = is_ended and last.status is not ParcelStatus.DELIVERED
    return last if is_of_another else shipment.present
