"""Where a carrier's status code says that a parcel is, and what there is to say of a parcel that was not handed over."""

from collections.abc import Iterable, Mapping
from enum import Enum, auto

from recours.carriers.message import Response
from recours.carriers.outcomes import not_delivered
from recours.core.outcome import Failure
from recours.core.sentences import Sentence
from recours.core.text import clean


class ParcelStatus(Enum):
    """What a code means for a proof of delivery. Of several codes of one status, the first in this order counts."""

    RETURNED = auto()  # back at its sender: final
    DESTROYED = auto()  # final
    SEIZED = auto()  # by the authorities: final
    PROHIBITED = auto()  # its contents may not be carried there: final
    CANCELLED = auto()  # by its sender: final
    AT_A_POINT = auto()  # with an agent, a shop or a post office, where its recipient may fetch it
    DELIVERED = auto()
    GOING_BACK = auto()  # on its way to its sender
    ON_ITS_WAY = auto()
    UNCLEAR = auto()  # its label does not say where the parcel is: asked again, like one on its way


_FINAL: dict[ParcelStatus, Sentence] = {
    ParcelStatus.RETURNED: Sentence.RETURNED,
    ParcelStatus.DESTROYED: Sentence.DESTROYED,
    ParcelStatus.SEIZED: Sentence.SEIZED,
    ParcelStatus.PROHIBITED: Sentence.PROHIBITED,
    ParcelStatus.CANCELLED: Sentence.CANCELLED,
}
_LONGEST_LABEL = 80


def status_of(codes: Iterable[str], table: Mapping[str, ParcelStatus]) -> ParcelStatus | None:
    """What the codes of one status mean together; None if the table has none of them."""
    found = [table[code] for code in codes if code in table]
    return min(found, key=lambda status: status.value, default=None)


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
    if status not in _FINAL:
        return not_delivered(name, answer, label, code=code, known=table)
    said = clean(label or code or "no details", _LONGEST_LABEL)
    return Failure.of(_FINAL[status], name, said, answer.status)


def end_of_return(name: str, answer: Response, label: str | None) -> Failure:
    """What to say of a delivery after the parcel had turned back: its signature is the sender's."""
    said = clean(label or "delivered", _LONGEST_LABEL)
    return Failure.of(Sentence.RETURN_DELIVERED, name, said, answer.status)
