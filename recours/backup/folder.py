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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from recours.access import PRIVATE, Access
from recours.core.errors import RunError
from recours.core.text import clean, is_text
from recours.documents.store import REFUSED, sync_folder

DOCUMENTS = "documents"
_MANIFEST = "manifest.json"
_FORMAT = 1
_YEARS = range(2000, 9999)  # all of which any time zone can show
_LARGEST_MANIFEST = 1 << 30  # bytes: of some millions of documents
_BLOCK = 1024 * 1024
_PREFIX = "recours-backup-"
_PARTIAL = ".partial"
_SWEPT_AFTER_S = 24 * 3600


class BackupError(RunError):
    """A backup cannot be made, read or put back. The text says why and what to do."""


@dataclass(frozen=True)
class KnownDocument:
    """A document as the records have it: where it lay, and what it was."""

    path: str
    sha256: str


def name_below(path: str) -> str | None:
    """Where a document lies below any folder of documents, `carrier/name`, or that in `refused`; None if no run wrote such a path."""
    parts = path.replace("\\", "/").split("/")
    parts = parts[-3:] if parts[-3:-2] == [REFUSED] else parts[-2:]
    if len(parts) < 2 or any(part in ("", ".", "..") or ":" in part for part in parts):  # noqa: PLR2004 (the two)
        return None
    return "/".join(parts)


def stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


# ---------------------------------------------------------------- the manifest


@dataclass(frozen=True)
class CopyFacts:
    """What a copy of a database holds. `schema` None: recours never touched it."""

    schema: str | None
    claims: int
    attempts: int


@dataclass(frozen=True)
class Copied:
    """A copy of a database that was written; `notes`: what the manifest says of it beside, such as the journal mode."""

    facts: CopyFacts
    documents: Iterable[KnownDocument]  # that the copy knows of
    notes: Mapping[str, Any]


@dataclass(frozen=True)
class FileFacts:
    """A file of a backup: its size in bytes and its SHA-256."""

    size: int
    sha256: str


@dataclass(frozen=True)
class MissingDocument:
    """A document that the database knows of and that was not on disk as it should be: `missing`, or `altered`."""

    path: str
    sha256: str
    why: str

    @property
    def message(self) -> str:
        path = clean(self.path)
        if self.why == "altered":
            return f"{path} is not what was fetched any more (another SHA-256): it is copied as it is"
        return f"{path} is in the database, and not on disk"


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself."""

    version: str  # of recours
    made_at: datetime
    kind: str  # sqlite, postgresql
    database_file: str
    notes: Mapping[str, Any]  # see Copied
    pod_dir: str
    facts: CopyFacts
    files: Mapping[str, FileFacts] = field(repr=False)  # by name below the folder, with / between the parts
    missing: tuple[MissingDocument, ...] = ()

    @property
    def documents(self) -> list[str]:
        """The names of the documents' files, without the facts beside them."""
        return [
            name
            for name in self.files
            if name.startswith(f"{DOCUMENTS}/") and PurePath(name).suffix != ".json"
        ]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files.values())


def _as_json(manifest: Manifest) -> dict[str, Any]:
    facts = manifest.facts
    return {
        "format": _FORMAT,
        "recours": manifest.version,
        "made_at": manifest.made_at.isoformat(),
        "database": {
            "kind": manifest.kind,
            "file": manifest.database_file,
            "schema": facts.schema,
            **manifest.notes,
        },
        "pod_dir": manifest.pod_dir,
        "counts": {
            "claims": facts.claims,
            "attempts": facts.attempts,
            "documents": len(manifest.documents),
            "bytes": manifest.size,
        },
        "documents_lacking": [asdict(missing) for missing in manifest.missing],
        "files": {name: asdict(facts) for name, facts in manifest.files.items()},
    }


def _from_json(read: Mapping[str, Any]) -> Manifest:
    """The inverse. Raises ValueError and its like if it is none; BackupError for one of another format."""
    if read["format"] != _FORMAT:
        raise BackupError(
            "The backup was made by another version of recours, in another form: use that version."
        )
    database, counts = dict(read["database"]), read["counts"]
    files = {str(name): FileFacts(int(of["size"]), str(of["sha256"])) for name, of in read["files"].items()}
    kind, file, schema = (database.pop(key) for key in ("kind", "file", "schema"))
    if not all(map(_is_inside, files)) or file not in files or not isinstance(kind, str):
        raise ValueError(file)
    made_at = datetime.fromisoformat(read["made_at"])
    if made_at.tzinfo is None or made_at.year not in _YEARS:
        raise ValueError(made_at)
    return Manifest(
        version=str(read["recours"]),
        made_at=made_at,
        kind=kind,
        database_file=file,
        notes=database,
        pod_dir=str(read["pod_dir"]),
        facts=CopyFacts(schema, int(counts["claims"]), int(counts["attempts"])),
        files=files,
        missing=tuple(MissingDocument(**missing) for missing in read["documents_lacking"]),
    )


def _is_inside(name: str) -> bool:
    """Tell whether it names a file below the folder, by one name only, as a backup writes it."""
    parts = name.split("/")
    return (
        is_text(name)
        and name.isprintable()
        and not {"", ".", ".."} & set(parts)
        and not {"\\", ":"} & set(name)
    )


# ---------------------------------------------------------------- being filled


@dataclass
class FolderBox:
    """A backup that is being made. What cannot be written raises OSError, which `new_box` translates."""

    folder: Path
    target: Path
    files: dict[str, FileFacts] = field(default_factory=dict)

    def seal(self, name: str) -> None:
        """Take in a file that was written to the folder."""
        with (self.folder / name).open("rb+") as file:
            os.fsync(file.fileno())
            self.files[name] = _read_through(file)

    def keep(self, document: KnownDocument) -> MissingDocument | None:
        """Copy a document and the facts beside it; or say what was wrong with it. Raises BackupError."""
        missing = MissingDocument(document.path, document.sha256, "missing")
        name_there = name_below(document.path)
        if name_there is None:
            return missing
        source, name = Path(document.path), f"{DOCUMENTS}/{name_there}"
        if not self._copy(source, name):
            return missing
        self._copy(source.with_name(source.name + ".json"), f"{name}.json")
        if self.files[name].sha256 != document.sha256:
            return MissingDocument(document.path, document.sha256, "altered")
        return None

    def _copy(self, source: Path, name: str) -> bool:
        """Copy a file; False if there is none."""
        if name in self.files:
            return True  # the facts of a document that two rows name
        try:
            opened = open_regular(source)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise BackupError(
                f"{source} cannot be read: {error.strerror or error}. No backup was made: let this user read it, or start "
                "the backup as one who may."
            ) from error
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with opened as file, place.open("xb") as copy:
            self.files[name] = _copy_through(file, copy)
        return True

    def finish(self, manifest: Manifest) -> Path:
        """Write the manifest, and give the folder its name; returns it."""
        with (self.folder / _MANIFEST).open("x", encoding="utf-8") as file:
            json.dump(_as_json(manifest), file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        self.folder.rename(self.target)
        sync_folder(self.target.parent)
        return self.target


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
        try:
            folder.mkdir(mode=0o700)  # personal data
        except FileExistsError as error:
            raise BackupError(f"Another backup is being made in {parent}.") from error
        try:
            yield FolderBox(folder, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # renamed by now, if it is whole
    except OSError as error:
        raise BackupError(
            f"The backup cannot be written to {parent}: {error.strerror or error}. Nothing of it is left there."
        ) from error


def _sweep(parent: Path) -> None:
    """Delete what backups that died had half written: nobody is still at it a day later."""
    with suppress(FileNotFoundError):
        for left in parent.glob(f".{_PREFIX}*{_PARTIAL}"):
            if time.time() - left.stat().st_mtime > _SWEPT_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)


# ---------------------------------------------------------------- made


@dataclass(frozen=True)
class FolderBackup:
    folder: Path
    manifest: Manifest

    @property
    def database_copy(self) -> Path:
        return self.folder / self.manifest.database_file

    def faults(self) -> Iterator[str]:
        """Files that are missing or not what they were, a sentence each."""
        for name, facts in self.manifest.files.items():
            try:
                with _open_inside(self.folder, name) as file:
                    is_same = _is_same(file, facts)
            except OSError as error:
                yield f"{clean(name)} cannot be read: {error.strerror or error}."
                continue
            if not is_same:
                yield f"{clean(name)} is not what it was when the backup was made (another size or SHA-256)."

    def strangers(self) -> list[str]:
        """Files that do not belong to it."""
        known = {*self.manifest.files, _MANIFEST}
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
        for name, facts in self.manifest.files.items():
            if not name.startswith(f"{DOCUMENTS}/"):
                continue
            place = pod_dir / name.removeprefix(f"{DOCUMENTS}/")
            try:
                if place.exists():
                    with open_regular(place) as file:
                        other += [] if _is_same(file, facts) else [str(place)]
                else:
                    self._put(name, place, access)
                    copied += name in self.manifest.documents
            except OSError as error:
                raise BackupError(
                    f"{place} cannot be written: {error.strerror or error}. The database was not touched; what was "
                    "copied so far is right, and is not copied again."
                ) from error
        return copied, other

    def _put(self, name: str, place: Path, access: Access) -> None:
        """Whole or not at all."""
        access.make_folder(place.parent)
        part = place.with_name(f".{place.name}{_PARTIAL}")
        facts = self.manifest.files[name]
        try:
            with _open_inside(self.folder, name) as file, open(part, "wb", opener=access.opener) as copy:
                is_same = _copy_through(file, copy, facts.size) == facts
            if not is_same:
                raise OSError(errno.EIO, f"{clean(name)} was changed after it had been verified")  # noqa: TRY301 (of its kind)
            part.replace(place)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def open_backup(folder: Path) -> FolderBackup:
    """A backup by its folder. Raises BackupError if it is none, or not a whole one."""
    path = folder / _MANIFEST
    try:
        with _open_inside(folder, _MANIFEST) as file:
            content = file.read(_LARGEST_MANIFEST + 1) if _size_of(file) <= _LARGEST_MANIFEST else b""
    except FileNotFoundError as error:
        raise BackupError(_no_backup(folder)) from error
    except OSError as error:
        if not folder.is_dir():
            raise BackupError(_no_backup(folder)) from error
        raise BackupError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        return FolderBackup(folder, _from_json(json.loads(content)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise BackupError(f"{path} cannot be read: it is not what a backup wrote.") from error


def _no_backup(folder: Path) -> str:
    if not folder.exists():
        return f"There is no folder {folder}."
    if not folder.is_dir():
        return f"{folder} is no folder: name the folder that a backup made, {_PREFIX}…"
    inside = sorted(path.name for path in folder.glob(f"{_PREFIX}*") if path.is_dir())
    hint = f" Did you mean {folder / inside[-1]}?" if inside else ""
    return f"{folder} is no whole backup of recours: it has no {_MANIFEST}.{hint}"


# ---------------------------------------------------------------- files


def _size_of(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _is_same(file: BinaryIO, facts: FileFacts) -> bool:
    return _size_of(file) == facts.size and _read_through(file, most=facts.size) == facts


def _copy_through(file: BinaryIO, copy: BinaryIO, most: int | None = None) -> FileFacts:
    """Write what is read to `copy`, and have it on the disk."""
    facts = _read_through(file, copy, most)
    copy.flush()
    os.fsync(copy.fileno())
    return facts


def _read_through(file: BinaryIO, copy: BinaryIO | None = None, most: int | None = None) -> FileFacts:
    """`most`: bytes after which no more are read."""
    digest, size = hashlib.sha256(), 0
    while block := file.read(_BLOCK):
        digest.update(block)
        size += len(block)
        if copy is not None:
            copy.write(block)
        if most is not None and size > most:
            break
    return FileFacts(size, digest.hexdigest())


def _open_inside(folder: Path, name: str) -> BinaryIO:
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
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))
