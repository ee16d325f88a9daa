"""Programs of this machine, run and listened to."""

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recours.core.text import clean

_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Done:
    """How a program ended, and what it said."""

    status: int
    out: bytes
    err: str

    @property
    def words(self) -> str:
        """What it had to complain of, in one line."""
        lines = (self.err or self.out.decode(errors="replace")).strip().splitlines()
        return clean("; ".join(lines) or f"exit status {self.status}")


# A command line as a list of words; on Windows, where programs split it themselves, as one text. Raises OSError.
Run = Callable[[Sequence[str] | str, bytes], Done]


def run(command: Sequence[str] | str, given: bytes = b"") -> Done:
    """Run a program that is found on the PATH, with `given` on its stdin. Its messages are English.

    Debian's `crontab -l` leaves out what it takes for its own header, unless told otherwise.
    """
    try:
        done = subprocess.run(  # noqa: S603 (no shell; the words are ours, what a person typed has been parsed)
            command,
            input=given,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
            env=os.environ | {"LC_ALL": "C", "CRONTAB_NOHEADER": "N"},
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"it did not end within {_TIMEOUT_S:.0f} s") from error
    return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))
