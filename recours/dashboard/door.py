"""Who may see the page: people at this machine, and others by the password, with a limit on tries."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from recours.core.password import PasswordHash
from recours.settings.model import is_loopback

_FREE_TRIES = 3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 60.0
_MOST_ADDRESSES = 1000

_OF_PROXIES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def is_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Tell whether others may be able to send such a request, though the page listens at this machine alone.

    They can through a proxy; and through somebody's browser here, by a name of theirs that stands for 127.0.0.1.
    """
    if any(name in headers for name in _OF_PROXIES):
        return True
    try:
        return not is_loopback(urlsplit(f"//{headers.get('Host', 'localhost')}").hostname or "")
    except ValueError:
        return True


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
        """Tell whether this is the password. An address that must wait is not let in, and nothing is checked."""
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
