"""The folder of a backup: every file in it has its size and SHA-256 in `manifest.json`.

While it is filled it has a name with a dot before and `.partial` behind; it gets its own when all of it is on disk.
"""

import errno
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from recours.access import PRIVATE, Access
from recours.backup.manifest import (
    DOCUMENTS,
    MANIFEST,
    BackupError,
    FileFacts,
    KnownDocument,
    Manifest,
    MissingDocument,
    as_json,
    from_json,
)
from recours.core.text import clean
from recours.documents.store import sync_folder

_BLOCK = 1024 * 1024
_PREFIX = "recours-backup-"
_PARTIAL = ".partial"
_SWEPT_AFTER_S = 24 * 3600
_LARGEST_MANIFEST = 1 << 30  # bytes: of some millions of documents


def stamp(moment: datetime) -> str:
    """A moment in the names of files."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


# ---------------------------------------------------------------- being filled


@dataclass
class FolderBox:
    """A backup that is being made."""

    folder: Path
    target: Path
    files: dict[str, FileFacts] = field(default_factory=dict)

    def path_of(self, name: str) -> Path:
        """Where a file is to be written that `seal` then takes in."""
        return self.folder / name

    def seal(self, name: str) -> None:
        """Take in a file that was written. Raises BackupError."""
        try:
            with self.path_of(name).open("rb+") as file:
                os.fsync(file.fileno())
                self.files[name] = _facts_of(file)
        except OSError as error:
            raise self._fault(error) from error

    def keep(self, document: KnownDocument) -> MissingDocument | None:
        """Copy a document and the facts beside it; or say what was wrong with it. Raises BackupError."""
        missing = MissingDocument(document.path, document.sha256, "missing")
        if document.name is None:
            return missing
        source, name = Path(document.path), f"{DOCUMENTS}/{document.name}"
        if name not in self.files and not self._copy(source, name):
            return missing
        self._copy(source.with_name(source.name + ".json"), f"{name}.json")
        if self.files[name].sha256 != document.sha256:
            return MissingDocument(document.path, document.sha256, "altered")
        return None

    def _copy(self, source: Path, name: str) -> bool:
        """Copy a file; False if there is none."""
        try:
            opened = open_regular(source)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise BackupError(
                f"{source} cannot be read: {error.strerror or error}. No backup was made: let this user read it, or start "
                "the backup as one who may."
            ) from error
        place = self.path_of(name)
        try:
            with opened as file:
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("xb") as copy:
                    shutil.copyfileobj(file, copy, _BLOCK)
            self.seal(name)
        except FileExistsError:
            return True  # the facts of a document that two rows name
        except OSError as error:
            raise self._fault(error) from error
        return True

    def finish(self, manifest: Manifest) -> Path:
        """Write the manifest, and give the folder its name; returns it. Raises BackupError."""
        try:
            with self.path_of(MANIFEST).open("x", encoding="utf-8") as file:
                json.dump(as_json(manifest), file, indent=1, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            if self.target.exists():
                raise BackupError(f"{self.target} exists already: nothing is written over it.")
            self.folder.rename(self.target)
            sync_folder(self.target.parent)
        except OSError as error:
            raise self._fault(error) from error
        return self.target

    def _fault(self, error: OSError) -> BackupError:
        return _unwritable(self.target.parent, error)


def _unwritable(parent: Path, error: OSError) -> BackupError:
    return BackupError(
        f"The backup cannot be written to {parent}: {error.strerror or error}. Nothing of it is left there."
    )


@contextmanager
def new_box(parent: Path, now: datetime) -> Iterator[FolderBox]:
    """A folder to be filled; whatever happens, it is gone unless it was finished. Raises BackupError."""
    target = parent / f"{_PREFIX}{stamp(now)}"
    folder = parent / f".{target.name}{_PARTIAL}"
    if target.exists():
        raise BackupError(f"{target} exists already: nothing is written over it.")
    try:
        PRIVATE.make_folder(parent)
        _sweep(parent)
        folder.mkdir(mode=0o700)  # personal data
    except FileExistsError as error:
        raise BackupError(f"Another backup is being made in {parent} at this moment.") from error
    except OSError as error:
        raise _unwritable(parent, error) from error
    try:
        yield FolderBox(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # renamed by now, if it is whole


def _sweep(parent: Path) -> None:
    """Delete what backups that died had half written: nobody is still at it a day later."""
    with suppress(FileNotFoundError):
        for left in parent.glob(f".{_PREFIX}*{_PARTIAL}"):
            if time.time() - left.stat().st_mtime > _SWEPT_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)


def _facts_of(
    file: BinaryIO, heard: Callable[[bytes], object] = lambda _: None, most: int | None = None
) -> FileFacts:
    """`most`: bytes after which no more are read."""
    digest, size = hashlib.sha256(), 0
    while block := file.read(_BLOCK):
        digest.update(block)
        size += len(block)
        heard(block)
        if most is not None and size > most:
            break
    return FileFacts(size, digest.hexdigest())


def _size_of(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


# ---------------------------------------------------------------- made


@dataclass(frozen=True)
class FolderBackup:
    """A backup that was made."""

    folder: Path
    manifest: Manifest

    def path_of(self, name: str) -> Path:
        return self.folder / name

    def faults(self) -> Iterator[str]:
        """Files that are missing or not what they were, a sentence each."""
        for name, told in self.manifest.files.items():
            try:
                with open_inside(self.folder, name) as file:
                    is_same = _size_of(file) == told.size and _facts_of(file, most=told.size) == told
            except OSError as error:
                yield f"{clean(name)} cannot be read: {error.strerror or error}."
                continue
            if not is_same:
                yield f"{clean(name)} is not what it was when the backup was made (another size or SHA-256)."

    def strangers(self) -> list[str]:
        """Files that do not belong to it."""
        known = {*self.manifest.files, MANIFEST}
        there = (
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_symlink() or not path.is_dir()
        )
        return sorted(name for name in there if name not in known)

    def put_documents_back(self, pod_dir: Path, access: Access) -> tuple[int, list[str]]:
        """Copy the documents that are missing there; how many, and the names of those of another content, which are kept.

        Raises BackupError.
        """
        copied, other = 0, []
        for name in self.manifest.files:
            if name.startswith(f"{DOCUMENTS}/"):
                place = pod_dir / name.removeprefix(f"{DOCUMENTS}/")
                try:
                    if place.exists():
                        other += [] if self._is_same(place, name) else [str(place)]
                    else:
                        self._put(name, place, access)
                        copied += name in self.manifest.documents
                except OSError as error:
                    raise BackupError(
                        f"{place} cannot be written: {error.strerror or error}. The database was not touched; what was "
                        "copied so far is right, and is not copied again."
                    ) from error
        return copied, other

    def _is_same(self, place: Path, name: str) -> bool:
        told = self.manifest.files[name]
        with open_regular(place) as file:
            return _size_of(file) == told.size and _facts_of(file, most=told.size) == told

    def _put(self, name: str, place: Path, access: Access) -> None:
        """Whole or not at all."""
        access.make_folder(place.parent)
        part = place.with_name(f".{place.name}{_PARTIAL}")
        try:
            with open_inside(self.folder, name) as file, open(part, "wb", opener=access.opener) as copy:
                self._pass_on(name, file, copy)
                copy.flush()
                os.fsync(copy.fileno())
            part.replace(place)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def _pass_on(self, name: str, file: BinaryIO, copy: BinaryIO) -> None:
        told = self.manifest.files[name]
        if _facts_of(file, copy.write, told.size) != told:
            raise OSError(errno.EIO, f"{clean(name)} was changed after it had been verified")


def open_backup(folder: Path) -> FolderBackup:
    """A backup by its folder. Raises BackupError if it is none, or not a whole one."""
    try:
        with open_inside(folder, MANIFEST) as file:
            content = file.read(_LARGEST_MANIFEST + 1) if _size_of(file) <= _LARGEST_MANIFEST else b""
    except OSError as error:
        raise BackupError(_no_backup(folder, error)) from error
    try:
        manifest = from_json(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise BackupError(f"{folder / MANIFEST} cannot be read: it is not what a backup wrote.") from error
    return FolderBackup(folder, manifest)


def _no_backup(folder: Path, error: OSError) -> str:
    if not folder.exists():
        return f"There is no folder {folder}."
    if not folder.is_dir():
        return f"{folder} is no folder: name the folder that a backup made, {_PREFIX}…"
    if isinstance(error, FileNotFoundError):
        inside = sorted(path.name for path in folder.glob(f"{_PREFIX}*") if path.is_dir())
        hint = f" Did you mean {folder / inside[-1]}?" if inside else ""
        return f"{folder} is no whole backup of recours: it has no {MANIFEST}.{hint}"
    return f"{folder / MANIFEST} cannot be read: {error.strerror or error}."


# ---------------------------------------------------------------- regular files alone


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
