"""The lanes of a slice in the order of their most urgent claims: of thousands, only a few are asked for each bundle.

The most urgent claims, however many, lie in at most as many lanes: those with the most urgent heads. After a bundle,
the head of a lane that was asked comes no earlier than the last claim of the bundle: that place stands for it, and it is
read again only when too few of the lanes asked have a head that was read. A head may also be too urgent since other
runs lease claims and ranks pass: then the lane is asked in vain and its head read again. It may be too late only where a
claim has become ready since: that claim keeps the order if its lane is asked anyway, else from the next slice on.
"""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Mapping

from recours.core.claim import Urgency
from recours.runs.ports import Ready

# So many lanes are asked at once. If there are no more, all are asked each time, and no head has to be read again.
LANES_AT_ONCE = 16


class LaneOrder:
    """The keys of lanes with claims to lease, that with the most urgent one first."""

    def __init__(self, ready: Mapping[str, Ready]) -> None:
        self._heads = {key: lane.head for key, lane in ready.items()}
        self._sorted = sorted((head, key) for key, head in self._heads.items())
        self._is_long = len(self._heads) > LANES_AT_ONCE
        self._outdated: set[str] = set()

    def __iter__(self) -> Iterator[str]:
        """The keys in their order; none may be moved meanwhile."""
        for _, key in self._sorted:
            yield key

    def leased(self, asked: Collection[str], last: Urgency | None) -> None:
        """These lanes were asked, and gave their claims up to the place `last`; None: all that they had."""
        if self._is_long:
            for key in asked:
                if (head := self._heads.get(key)) is not None and (last is None or head <= last):
                    self.move(key, last or head)
                    self._outdated.add(key)

    def suffices(self, asked: Collection[str], most: int) -> bool:
        """Tell whether the `most` most urgent claims lie in these lanes, which are the first in the order."""
        return len(asked) - len(self._outdated.intersection(asked)) >= most

    def take_outdated(self) -> list[str]:
        """The lanes whose heads must be read again; they count as read."""
        outdated, self._outdated = sorted(self._outdated), set()
        return outdated

    def returned(self, key: str, place: Urgency) -> None:
        """A claim with this place is ready in the lane again."""
        self.move(key, min(self._heads.get(key, place), place))

    def move(self, key: str, head: Urgency | None) -> None:
        """The lane's most urgent claim has this place; None: nothing is to be leased there."""
        if (old := self._heads.pop(key, None)) is not None:
            del self._sorted[bisect_left(self._sorted, (old, key))]
        if head is None:
            self._outdated.discard(key)
        else:
            self._heads[key] = head
            insort(self._sorted, (head, key))
