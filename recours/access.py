"""Files that recours makes: who may read them, and how a complete one gets its name.

Its user alone may read them, and a group if a setting names one: they hold clients' names, addresses and signatures. What
is there already keeps the rights that it has. On Windows a folder hands its own rights on, and nothing is done.
"""

import errno
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SETTING = "RECOURS_SHARED_GROUP"


@dataclass(frozen=True)
class Access:
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


def publish(made: Path, path: Path) -> bool:
    """Give a file that is complete its name; False if there is one of that name. Raises OSError."""
    try:
        os.link(made, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links: there, somebody may make the file in between
        if path.exists():
            return False
        made.replace(path)
    return True
