"""Who may see the page: the password, and how often somebody may try one."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from recours.core.password import PasswordHash

_FREE_TRIES = 3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 60.0
_MOST_ADDRESSES = 1000


@dataclass
class _Tries:
    """What came from one address."""

    failures: int = 0
    not_before: float = 0.0


class Doorkeeper:
    """Checks passwords for all visitors of this process. After some wrong ones, an address must wait longer and longer.

    Passwords are checked one at a time: a check takes memory on purpose.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives seconds."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Seconds until the address may try; 0 now."""
        with self._lock:
            return self._wait(self._tries.get(address, _Tries()))

    def lets_in(self, password: str, wanted: PasswordHash, address: str) -> bool:
        """Tell whether this is the password. Whoever may not try yet is not let in, and nothing is checked."""
        with self._lock:
            tries = self._tries.setdefault(address, _Tries())
            self._tries.move_to_end(address)
            if self._wait(tries):
                return False
            if wanted.fits(password):
                del self._tries[address]
                return True
            tries.failures += 1
            over = tries.failures - _FREE_TRIES
            if over >= 0:
                tries.not_before = self._monotonic() + min(
                    _FIRST_WAIT_S * 2.0 ** min(over, 10), _LONGEST_WAIT_S
                )
            while len(self._tries) > _MOST_ADDRESSES:
                self._tries.popitem(last=False)
            return False

    def _wait(self, tries: _Tries) -> float:
        return max(tries.not_before - self._monotonic(), 0.0)
