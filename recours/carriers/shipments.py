"""Whether an answer tells of the delivery of the parcel that was asked about: one rule for all carriers.

A carrier's module supplies facts, as `Shipment` and `Scan`. Here they are judged: whose number it is, which of several
parcels of one number counts, and whether its recipient has it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from recours.carriers import outcomes
from recours.carriers.message import Response
from recours.carriers.outcomes import NEVER, ParcelStatus
from recours.core.outcome import Failure

_TURNED_BACK = frozenset({ParcelStatus.GOING_BACK, ParcelStatus.RETURNED})
# After one of these, a further acceptance begins the way of another parcel with the same number.
_ENDS = frozenset(
    {
        ParcelStatus.DELIVERED,
        ParcelStatus.RETURNED,
        ParcelStatus.DESTROYED,
        ParcelStatus.SEIZED,
        ParcelStatus.PROHIBITED,
        ParcelStatus.CANCELLED,
    }
)
# What the latest of decides, where the carrier tells no present status.
_DECISIVE = _ENDS - {ParcelStatus.CANCELLED} | {ParcelStatus.PART_DELIVERED}


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


def same_number(number: str, other: str) -> bool:
    """Tell whether two texts are one number: leading zeros, case and blanks aside."""
    return _bare(number) == _bare(other)


def _bare(number: str) -> str:
    return "".join(number.split()).upper().lstrip("0")


def newest_about(number: str, shipments: Iterable[Shipment]) -> Shipment | None:
    """Of the parcels with this number the one that was last heard of; None if the answer is about other parcels only.

    A parcel without any number is taken for the one that was asked about.
    """
    named = [one for one in shipments if any(same_number(number, other) for other in one.numbers)]
    nameless = [one for one in shipments if not one.numbers]
    return max(named or nameless, key=lambda one: one.latest, default=None)


def delivered(
    name: str, shipment: Shipment, answer: Response, table: Mapping[str, ParcelStatus]
) -> Scan | Failure:
    """The scan by which the recipient has the parcel, or why nobody can say that.

    A delivery after the parcel has turned back is its sender's; one of a part of a shipment is none.
    """
    scans = current_way(shipment.scans)
    last = shipment.present or _decisive(scans) or Scan(status=None)
    if last.status is ParcelStatus.DELIVERED:
        returns = [scan for scan in scans if scan.status in _TURNED_BACK]
        if not (returns or shipment.is_return):
            return last
        if shipment.is_return or shipment.present or scans.index(returns[0]) < scans.index(last):
            return outcomes.end_of_return(name, answer, last.label)
        last = returns[-1]  # it turned back after all: its recipient did not keep it
    return outcomes.not_handed_over(name, answer, last.label, code=last.code, table=table, status=last.status)


def current_way(scans: Sequence[Scan]) -> Sequence[Scan]:
    """The scans of the parcel that has the number now: from the last acceptance on that follows the end of another."""
    ordered = in_order(scans)
    start, has_ended = 0, False
    for place, scan in enumerate(ordered):
        if scan.status is ParcelStatus.ACCEPTED and has_ended:
            start = place
            has_ended = False
        has_ended = has_ended or scan.status in _ENDS
    return ordered[start:]


def in_order(scans: Collection[Scan]) -> list[Scan]:
    """By their times if all have one, else as they are listed."""
    if all(scan.at for scan in scans):
        return sorted(scans, key=lambda scan: scan.at or NEVER)
    return list(scans)


def _decisive(scans: Sequence[Scan]) -> Scan | None:
    decisive = [scan for scan in scans if scan.status in _DECISIVE] or scans
    return decisive[-1] if decisive else None
