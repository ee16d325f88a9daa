"""A password kept as a text from which it cannot be found, and a limit on tries of it.

The text is that of scrypt: its parameters and salt beside the digest.
"""

import hashlib
import hmac
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

_FORM = re.compile(
    r"scrypt:(?P<n>[0-9]{1,8}):(?P<r>[0-9]{1,2}):(?P<p>[0-9]{1,2}):(?P<salt>[0-9a-f]+):(?P<digest>[0-9a-f]+)"
)
SALT_BYTES = 16
SHORTEST = 10  # signs
_LEAST_WORK, _MOST_MEMORY = 2**14, 256 * 1024 * 1024  # n * r, bytes
_LEAST_DIGEST = 16  # bytes

_FREE_TRIES = 3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 60.0
_MOST_ADDRESSES = 1000


@dataclass(frozen=True)
class PasswordHash:
    """What a password is checked against. Raises ValueError, with a phrase that says why, if it protects too little."""

    n: int
    r: int
    p: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse parameters that are weak, or that would take the machine's memory."""
        if self.n < 2 or self.n & (self.n - 1) or not (self.r and self.p):  # noqa: PLR2004 (a power of two)
            raise ValueError("its parameters are not those of scrypt")
        if self.n * self.r < _LEAST_WORK or len(self.salt) < SALT_BYTES or len(self.digest) < _LEAST_DIGEST:
            raise ValueError("it protects too little")
        if self._memory > _MOST_MEMORY:
            raise ValueError("it would take too much memory")

    @property
    def _memory(self) -> int:
        return 128 * self.r * (self.n + self.p + 2)

    def __str__(self) -> str:
        """The text that is set: without signs that a shell or a dotenv file would change."""
        return f"scrypt:{self.n}:{self.r}:{self.p}:{self.salt.hex()}:{self.digest.hex()}"

    def fits(self, password: str) -> bool:
        """Tell whether this is the password; takes as long for a wrong one."""
        given = _digest(password, self.n, self.r, self.p, self.salt, len(self.digest), self._memory)
        return hmac.compare_digest(given, self.digest)


def hash_of(password: str, salt: bytes) -> PasswordHash:
    """The hash of a new password; `salt` is random."""
    n, r, p, length = 2**15, 8, 1, 32
    return PasswordHash(n, r, p, salt, _digest(password, n, r, p, salt, length, _MOST_MEMORY))


def _digest(password: str, n: int, r: int, p: int, salt: bytes, length: int, memory: int) -> bytes:
    # What a keyboard or a paste leaves of foreign signs is no reason to fail.
    raw = password.encode(errors="surrogatepass")
    return hashlib.scrypt(raw, salt=salt, n=n, r=r, p=p, dklen=length, maxmem=memory)


def read_hash(text: str) -> PasswordHash | None:
    """The hash that a text says, None for an empty one. Raises ValueError with a phrase that says what is wrong."""
    if not text:
        return None
    made = "make it with 'recours dashboard --hash-password'"
    found = _FORM.fullmatch(text)
    if found is None or len(found["salt"]) % 2 or len(found["digest"]) % 2:
        raise ValueError(f"it is no password hash; {made}")
    n, r, p = (int(found[name]) for name in ("n", "r", "p"))
    try:
        return PasswordHash(n, r, p, bytes.fromhex(found["salt"]), bytes.fromhex(found["digest"]))
    except ValueError as error:
        raise ValueError(f"{error}; {made}") from None


# ---------------------------------------------------------------- trying it


@dataclass
class _Tries:
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
                wait_s = min(_FIRST_WAIT_S * 2.0 ** min(over, 10), _LONGEST_WAIT_S)
                tries.not_before = self._monotonic() + wait_s
            while len(self._tries) > _MOST_ADDRESSES:
                self._tries.popitem(last=False)
            return False

    def _wait(self, tries: _Tries) -> float:
        return max(tries.not_before - self._monotonic(), 0.0)
