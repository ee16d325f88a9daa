"""File permissions and disk space.

Files that recours creates contain clients' names, addresses and signatures, so only the user that runs the jobs may
read them. A setting can name a group that may also read the files. Existing files keep their permissions. On Windows,
files inherit the permissions of their folder, and recours changes nothing.
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
    """Permissions of new files and folders: 0600 and 0700, or 0640 and 2750 if a group may read them."""

    group: str = ""

    def make_folder(self, folder: Path) -> None:
        """Create a folder and its missing parents. Raises OSError."""
        if folder.is_dir():
            return
        if not folder.parent.exists():
            self.make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        self._share(folder, 0o2750)  # setgid: new entries inherit the group

    def opener(self, path: str, flags: int) -> int:
        """An opener for `open`. New files never have wider permissions, not even briefly. Raises OSError."""
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
        """Create an empty file unless it exists. Raises OSError."""
        with open(path, "ab", opener=self.opener):
            pass

    def try_out(self, folder: Path) -> None:
        """Check with a temporary file that files in this folder can be shared with the group. Raises OSError."""
        if self.group:
            with tempfile.NamedTemporaryFile(dir=folder) as trial:
                self._share(Path(trial.name), 0o640)

    def _share(self, path: Path, mode: int) -> None:
        if not self.group or os.name == "nt":
            return
        try:
            shutil.chown(path, group=self.group)
        except LookupError as error:
            raise OSError(errno.EINVAL, f"the group '{self.group}' does not exist ({SETTING})") from error
        except PermissionError as error:
            raise OSError(
                errno.EPERM,
                f"this user is not a member of the group '{self.group}' and cannot share files with it ({SETTING})",
            ) from error
        path.chmod(mode)


PRIVATE = Access()


# ---------------------------------------------------------------- copies of a database


def create_like(path: Path, model: Path) -> None:
    """Create an empty file with the mode, group and owner of `model`, as far as this user may. Raises OSError."""
    original = model.stat()
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    mode = stat.S_IMODE(original.st_mode)
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(path, -1, original.st_gid)
            os.chown(path, original.st_uid, -1)
        if path.stat().st_gid != original.st_gid:  # another group must not get the original group's access
            mode &= ~stat.S_IRWXG
    # On file systems without modes, all files have the same mode, and chmod may fail.
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)


def publish(part: Path, path: Path) -> bool:
    """Give a complete file its final path, or return False if that path exists. Raises OSError."""
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    except OSError:  # this file system has no hard links, so another process may create `path` in between
        if path.exists():
            return False
        part.replace(path)
    return True


# ---------------------------------------------------------------- files from others


def read_regular(path: Path, limit: int = -1) -> bytes:
    """Read at most `limit` bytes of a regular file. Raises OSError, also for a pipe, which could block forever."""
    no_waiting = getattr(os, "O_NONBLOCK", 0)  # Windows has no named pipes in its file system
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | no_waiting)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device; name a regular file")
        return file.read(limit)


def open_to_all(place: Path, limit: int = 10_000) -> Path | None:
    """A non-empty world-readable file in `place`, or None if the first `limit` entries include no such file."""
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
    """The entries of a folder, or an empty list if this user may not list the folder."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def size_of(path: Path) -> int:
    """The size in bytes, or 0 if the file does not exist."""
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


def exists(path: Path) -> bool:
    """Return whether a path exists. Raises OSError if access is denied, unlike Path.exists() of Python 3.14."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    return True


def mode_of(path: Path) -> int | None:
    """The permission bits as in stat(2), or None on Windows, where they have no meaning. Raises OSError."""
    return None if os.name == "nt" else stat.S_IMODE(path.stat().st_mode)


def trouble_with(folder: Path, written_to: Iterable[Path] = ()) -> str | None:
    """Why files in a folder cannot be written; None if they can. `written_to`: entries that must be writable too."""
    try:
        if folder.is_dir():
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"recours")
                file.flush()
            for path in filter(os.path.lexists, written_to):
                if not os.access(path, os.W_OK | os.X_OK if path.is_dir() else os.W_OK):
                    return f"this user may not write to {path}"
            return None
        ancestor = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        if not ancestor.is_dir():
            return f"{ancestor} is not a folder"
        if os.access(ancestor, os.W_OK | os.X_OK):
            return None
    except OSError as error:
        return error.strerror or str(error)
    return "does not exist, and this user cannot create it"


def free_bytes(folder: Path) -> int | None:
    """The free space for this user on the disk of a folder, or None if unknown."""
    try:
        ancestor = next((path for path in (folder, *folder.parents) if path.is_dir()), folder)
        return shutil.disk_usage(ancestor).free
    except OSError:
        return None


# ---------------------------------------------------------------- other programs

# Names of settings with secrets. PG… variables are not among them, because PostgreSQL's programs need them.
_SECRET = re.compile(
    r"(?!PG).*_(PASSWORD|PASSWORD_HASH|SECRET|KEY|TOKEN|ACCOUNT|LOGIN|CLIENT_ID|USER|ENSEIGNE|"
    r"(ACCOUNT|CENTER|CUSTOMER)_NUMBER)|DATABASE_URL|RECOURS_PING_URL"
)


def environment_of_others() -> dict[str, str]:
    """The environment of programs that recours starts: this process's environment without secrets."""
    return {name: value for name, value in os.environ.items() if not _SECRET.fullmatch(name)}
