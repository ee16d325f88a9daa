"""What came of what visitors asked for: shown once at the top of the page that they are led back to."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

_MOST = 200


@dataclass
class Notice:
    """What came of an action, or how far it is. `lines`: a sentence for each claim, and whether it is good news."""

    text: str = ""
    is_good: bool = True
    lines: list[tuple[str, bool]] = field(default_factory=list)
    total: int = 0  # of claims that are asked about while it is under way
    done: Callable[[], int] = lambda: 0
    is_over: bool = True


class Notices:
    """Those of this process, by a number that nobody can guess; the oldest are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Notice] = OrderedDict()

    def add(self, notice: Notice) -> str:
        key = secrets.token_urlsafe(12)
        with self._lock:
            self._kept[key] = notice
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return key

    def get(self, key: str) -> Notice | None:
        with self._lock:
            return self._kept.get(key)
