"""Commands that respect file modes, even if root runs the tests."""

import os
from collections.abc import Sequence

from tests.needs import program


def unprivileged(command: Sequence[str]) -> list[str]:
    """The same command without root's right to ignore modes: a file with mode 444 cannot be written."""
    if os.geteuid():
        return list(command)
    return [program("setpriv", "util-linux"), "--inh-caps=-all", "--bounding-set=-all", *command]
