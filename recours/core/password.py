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

_FREE_ATTEMPTS = 3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 60.0
_MOST_ADDRESSES = 1000


@dataclass(frozen=True)
class PasswordHash:
    """The hash of a password, to check a typed password against."""

    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def __str__(self) -> str:
        """Return the text for the setting, without characters that a shell or a dotenv file would change."""
        return f"scrypt:{self.salt.hex()}:{self.digest.hex()}"

    def fits(self, password: str) -> bool:
        """Return whether the password is correct, in constant time."""
        return hmac.compare_digest(_digest(password, self.salt), self.digest)


def hash_of(password: str, salt: bytes) -> PasswordHash:
    """Hash a new password with a random `salt`."""
    return PasswordHash(salt, _digest(password, salt))


def _digest(password: str, salt: bytes) -> bytes:
    # Do not fail on lone surrogates, which typed or pasted text may contain.
    return hashlib.scrypt(password.encode(errors="surrogatepass"), salt=salt, **_WORK)


def read_hash(text: str) -> PasswordHash | None:
    """Parse a hash; None if the text is empty. Raises ValueError with a phrase that states the problem."""
    if not text:
        return None
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("it is not a password hash; create one with 'recours dashboard --hash-password'")
    return PasswordHash(bytes.fromhex(match["salt"]), bytes.fromhex(match["digest"]))


@dataclass
class _Attempts:
    failures: int = 0
    not_before: float = 0.0


class LoginThrottle:
    """Checks the passwords of all visitors. After a few wrong passwords, an address must wait longer each time.

    Passwords are checked one at a time, because each check uses much memory by design.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic`: returns seconds."""
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._attempts: OrderedDict[str, _Attempts] = OrderedDict()

    def wait_s(self, address: str) -> float:
        with self._lock:
            return self._wait(self._attempts.get(address, _Attempts()))

    def matches(self, password: str, hashes: Sequence[PasswordHash], address: str) -> list[PasswordHash]:
        """Return the hashes that match the password. If the address must wait, check nothing and return none."""
        with self._lock:
            attempts = self._attempts.setdefault(address, _Attempts())
            self._attempts.move_to_end(address)
            if self._wait(attempts):
                return []
            if fitting := [password_hash for password_hash in hashes if password_hash.fits(password)]:
                del self._attempts[address]
                return fitting
            attempts.failures += 1
            over = attempts.failures - _FREE_ATTEMPTS
            if over >= 0:
                wait_s = min(_FIRST_WAIT_S * 2.0 ** min(over, 10), _LONGEST_WAIT_S)
                attempts.not_before = self._monotonic() + wait_s
            while len(self._attempts) > _MOST_ADDRESSES:
                self._attempts.popitem(last=False)
            return []

    def _wait(self, attempts: _Attempts) -> float:
        return max(attempts.not_before - self._monotonic(), 0.0)
