"""Password hashes (scrypt, stored with their salt), and a limit on login attempts."""

import hashlib
import hmac
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_FORM = re.compile(r"scrypt:(?P<salt>[0-9a-f]{32}):(?P<digest>[0-9a-f]{64})")
_WORK = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024, "dklen": 32}
SALT_BYTES = 16
SHORTEST = 10  # characters

_FREE_TRIES = 3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 60.0
_MOST_ADDRESSES = 1000


@dataclass(frozen=True)
class PasswordHash:
    """The hash that a password is checked against."""

    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def __str__(self) -> str:
        """The text for the setting, without characters that a shell or a dotenv file would change."""
        return f"scrypt:{self.salt.hex()}:{self.digest.hex()}"

    def fits(self, password: str) -> bool:
        """Return whether the password is right, in constant time."""
        return hmac.compare_digest(_digest(password, self.salt), self.digest)


def hash_of(password: str, salt: bytes) -> PasswordHash:
    """The hash of a new password; `salt` is random."""
    return PasswordHash(salt, _digest(password, salt))


def _digest(password: str, salt: bytes) -> bytes:
    # Do not fail on lone surrogates that a keyboard or a paste may produce.
    return hashlib.scrypt(password.encode(errors="surrogatepass"), salt=salt, **_WORK)


def read_hash(text: str) -> PasswordHash | None:
    """Parse a hash; None for an empty text. Raises ValueError with a phrase about the fault."""
    if not text:
        return None
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("it is not a password hash; create one with 'recours dashboard --hash-password'")
    return PasswordHash(bytes.fromhex(match["salt"]), bytes.fromhex(match["digest"]))


@dataclass
class _Tries:
    failures: int = 0
    not_before: float = 0.0


class LoginThrottle:
    """Checks passwords for all visitors of this process. After some wrong ones, an address must wait increasingly long.

    Passwords are checked one at a time, because each check uses much memory by design.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic`: returns seconds."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def wait_s(self, address: str) -> float:
        with self._lock:
            return self._wait(self._tries.get(address, _Tries()))

    def matches(self, password: str, hashes: Sequence[PasswordHash], address: str) -> list[PasswordHash]:
        """The hashes that match the password; none, without a check, if the address must wait."""
        with self._lock:
            tries = self._tries.setdefault(address, _Tries())
            self._tries.move_to_end(address)
            if self._wait(tries):
                return []
            if fitting := [password_hash for password_hash in hashes if password_hash.fits(password)]:
                del self._tries[address]
                return fitting
            tries.failures += 1
            over = tries.failures - _FREE_TRIES
            if over >= 0:
                wait_s = min(_FIRST_WAIT_S * 2.0 ** min(over, 10), _LONGEST_WAIT_S)
                tries.not_before = self._monotonic() + wait_s
            while len(self._tries) > _MOST_ADDRESSES:
                self._tries.popitem(last=False)
            return []

    def _wait(self, tries: _Tries) -> float:
        return max(tries.not_before - self._monotonic(), 0.0)
