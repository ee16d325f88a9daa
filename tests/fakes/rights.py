"""Commands that may do no more than the files' modes allow, though the tests may be root's."""

import os
from collections.abc import Sequence

from tests.needs import program


def unprivileged(command: Sequence[str]) -> list[str]:
    """The same command, without root's right to read and write what it may not: mode 444 cannot be written then."""
    if os.geteuid():
        return list(command)
    return [program("setpriv", "util-linux"), "--inh-caps=-all", "--bounding-set=-all", *command]
