"""Files and folders of this machine: who may read them, whether they can be written, how much room there is."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path


def mode_of(path: Path) -> int | None:
    """Who may do what with a file, as in stat(2); None on Windows, where that says nothing. Raises OSError."""
    return None if os.name == "nt" else stat.S_IMODE(path.stat().st_mode)


def open_to_all(place: Path, most: int = 10_000) -> Path | None:
    """A file with something in it that everybody on this machine may read: `place` itself, or one in that folder. None: none was found.

    Folders that others may not enter keep theirs. `most`: how many entries are looked at.
    """
    if os.name == "nt" or any(not _others_may(folder, stat.S_IXOTH) for folder in place.absolute().parents):
        return None
    left, to_visit = most, [place]
    while to_visit and left > 0:
        left -= 1
        path = to_visit.pop()
        if not path.is_symlink() and path.is_dir():
            to_visit += entries_of(path) if _others_may(path, stat.S_IXOTH) else []
        elif path.is_file() and size_of(path) and _others_may(path, stat.S_IROTH):
            return path
    return None


def trouble_with(folder: Path, kept: Iterable[Path] = ()) -> str | None:
    """Why no file can be written in a folder; None if one can. A missing folder is not made.

    `kept`: what runs go on writing to in it, where it is there: it may be another user's, though the folder is not.
    """
    try:
        if folder.is_dir():
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"recours")
                file.flush()
            theirs = next((path for path in kept if os.path.lexists(path) and not _may_write(path)), None)
            return f"this user may not write {theirs.name}" if theirs else None
        there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        if not there.is_dir():
            return f"{there} is not a folder"
        if os.access(there, os.W_OK | os.X_OK):
            return None
    except OSError as error:
        return error.strerror or str(error)
    return "is not there and cannot be made by this user"


def free_bytes(folder: Path) -> int | None:
    """The room on its disk, for this user; None if nobody says."""
    try:
        return shutil.disk_usage(_nearest(folder)).free
    except OSError:
        return None


def entries_of(folder: Path) -> list[Path]:
    """What is in a folder; nothing if this user may not know."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def size_of(path: Path) -> int:
    """In bytes; 0 if it is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _others_may(path: Path, right: int) -> bool:
    try:
        return bool(path.stat().st_mode & right)
    except OSError:
        return False


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK | os.X_OK if path.is_dir() else os.W_OK)


def _nearest(folder: Path) -> Path:
    """The folder, or what of its path is there."""
    return next((path for path in (folder, *folder.parents) if path.is_dir()), folder)
