"""Files of this machine: what others may read of those that recours makes or is given, and whether there is room.

Its user alone may read what recours makes, and a group if a setting names one: files hold clients' names, addresses and
signatures. What is there already keeps the rights that it has. On Windows a folder hands its own rights on, and nothing
is done.
"""

import errno
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

SETTING = "RECOURS_SHARED_GROUP"


class Access(NamedTuple):
    """Rights to what is made: 0600 and 0700; with a group, which may read, 0640 and 2750."""

    group: str = ""

    def make_folder(self, folder: Path) -> None:
        """Make a folder, and those above it, where they are missing. Raises OSError."""
        if folder.is_dir():
            return
        if not folder.parent.exists():
            self.make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        self._share(folder, 0o2750)  # what is made in it gets its group too

    def opener(self, path: str, flags: int) -> int:
        """For `open`: a file that comes into being has these rights from the beginning. Raises OSError."""
        if not flags & os.O_CREAT:
            return os.open(path, flags)
        try:
            handle = os.open(path, flags | os.O_EXCL, 0o600)
        except FileExistsError:
            return os.open(path, flags, 0o600)
        try:
            self._share(Path(path), 0o640)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def create(self, path: Path) -> None:
        """Make an empty file, unless one is there. Raises OSError."""
        with open(path, "ab", opener=self.opener):
            pass

    def try_out(self, folder: Path) -> None:
        """See that files of a folder could be shared with the group. Raises OSError."""
        if self.group:
            with tempfile.NamedTemporaryFile(dir=folder) as trial:
                self._share(Path(trial.name), 0o640)

    def _share(self, path: Path, mode: int) -> None:
        if not self.group or os.name == "nt":
            return
        try:
            shutil.chown(path, group=self.group)
        except LookupError as error:
            raise OSError(errno.EINVAL, f"there is no group '{self.group}' ({SETTING})") from error
        except PermissionError as error:
            raise OSError(
                errno.EPERM,
                f"this user is not in the group '{self.group}', and cannot share with it ({SETTING})",
            ) from error
        path.chmod(mode)


PRIVATE = Access()


# ---------------------------------------------------------------- copies of a database


def make_alike(path: Path, present: Path) -> None:
    """Make an empty file with the rights, group and owner of `present`, as far as this user may. Raises OSError."""
    original = present.stat()
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    mode = stat.S_IMODE(original.st_mode)
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(path, -1, original.st_gid)
            os.chown(path, original.st_uid, -1)
        if path.stat().st_gid != original.st_gid:  # what was meant for that group is not for ours
            mode &= ~stat.S_IRWXG
    if stat.S_IMODE(path.stat().st_mode) != mode:  # where a disk knows no modes, all files have the same
        path.chmod(mode)


def publish(part: Path, path: Path) -> bool:
    """Give a file that is complete its name; False if there is one of that name. Raises OSError."""
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links: there, somebody may make the file in between
        if path.exists():
            return False
        part.replace(path)
    return True


# ---------------------------------------------------------------- files that others made


def read_regular(path: Path, limit: int = -1) -> bytes:
    """At most so many bytes of a file. Raises OSError; a pipe that nobody writes to would be waited for for ever."""
    no_waiting = getattr(os, "O_NONBLOCK", 0)  # Windows has no pipes among its files
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | no_waiting)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device; name an ordinary file")
        return file.read(limit)


def open_to_all(place: Path, limit: int = 10_000) -> Path | None:
    """A file below `place`, not empty, that every user of this machine may read; None: none among the first `limit`."""
    if os.name == "nt" or any(not _others_may(folder, stat.S_IXOTH) for folder in place.absolute().parents):
        return None
    remaining = limit
    to_visit = [place]
    while to_visit and remaining > 0:
        remaining -= 1
        path = to_visit.pop()
        if not path.is_symlink() and path.is_dir():
            to_visit += entries_of(path) if _others_may(path, stat.S_IXOTH) else []
        elif path.is_file() and size_of(path) and _others_may(path, stat.S_IROTH):
            return path
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


# ---------------------------------------------------------------- files and folders


def mode_of(path: Path) -> int | None:
    """Who may do what with a file, as in stat(2); None on Windows, where that says nothing. Raises OSError."""
    return None if os.name == "nt" else stat.S_IMODE(path.stat().st_mode)


def trouble_with(folder: Path, written_to: Iterable[Path] = ()) -> str | None:
    """Why no file can be written in a folder; None if one can. `written_to`: what runs go on writing to in it."""
    try:
        if folder.is_dir():
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"recours")
                file.flush()
            for path in filter(os.path.lexists, written_to):
                if not os.access(path, os.W_OK | os.X_OK if path.is_dir() else os.W_OK):
                    return f"this user may not write {path}"
            return None
        ancestor = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        if not ancestor.is_dir():
            return f"{ancestor} is not a folder"
        if os.access(ancestor, os.W_OK | os.X_OK):
            return None
    except OSError as error:
        return error.strerror or str(error)
    return "is not there and cannot be made by this user"


def free_bytes(folder: Path) -> int | None:
    """The room on its disk, for this user; None if that cannot be known."""
    try:
        ancestor = next((path for path in (folder, *folder.parents) if path.is_dir()), folder)
        return shutil.disk_usage(ancestor).free
    except OSError:
        return None


# ---------------------------------------------------------------- other programs

# The names of settings whose values are secrets, or half of one; PostgreSQL's programs read those of their own.
_SECRET = re.compile(
    r"(?!PG).*_(PASSWORD|PASSWORD_HASH|SECRET|KEY|TOKEN|ACCOUNT|LOGIN|CLIENT_ID|USER|ENSEIGNE|"
    r"(ACCOUNT|CENTER|CUSTOMER)_NUMBER)|DATABASE_URL|RECOURS_PING_URL"
)


def environment_of_others() -> dict[str, str]:
    """The environment for programs that recours starts: this process's without the secrets in it."""
    return {name: value for name, value in os.environ.items() if not _SECRET.fullmatch(name)}
