"""Who may read and write the copies of a database: clients' addresses are in them."""

import os
import stat
from contextlib import suppress
from pathlib import Path


def make_alike(path: Path, present: Path) -> None:
    """Make an empty file that is to be a copy: those may read and write it who may `present`, and nobody else at any time.

    Its owner and group become the same too, as far as this user may give files away. Raises OSError.
    """
    there = present.stat()
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    mode = stat.S_IMODE(there.st_mode)
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(path, -1, there.st_gid)
            os.chown(path, there.st_uid, -1)
        if path.stat().st_gid != there.st_gid:  # what was meant for that group is not for ours
            mode &= ~stat.S_IRWXG
    if stat.S_IMODE(path.stat().st_mode) != mode:  # where a disk knows no modes, all files have the same
        path.chmod(mode)
