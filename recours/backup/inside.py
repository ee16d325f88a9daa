"""Files of a folder that may have been made by anybody: nothing but regular files inside it is ever opened."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_inside(folder: Path, name: str) -> BinaryIO:
    """A file of a folder, to be read. `name`: with / between the parts. Raises OSError, also for a link on the way."""
    place = folder
    for part in name.split("/"):
        place /= part
        if place.is_symlink():
            raise OSError(errno.ELOOP, f"{'it' if place == folder / name else part} is a link", str(place))
    return open_regular(place, follow=False)


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """A regular file, to be read: a pipe or a device could be read for ever. Raises OSError, also if it is none.

    `follow`: a link to a regular file will do.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
    try:
        _require_regular(handle, path)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _require_regular(handle: int, path: Path) -> None:
    mode = os.fstat(handle).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
