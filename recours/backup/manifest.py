"""What a backup says of itself: the facts of its database and of its files, as `manifest.json` has them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any

from recours.core.errors import RunError
from recours.core.text import clean, is_text

FORMAT = 1
MANIFEST = "manifest.json"
DOCUMENTS = "documents"
_YEARS = range(2000, 9999)  # all of which any time zone can show


class BackupError(RunError):
    """A backup cannot be made, read or put back. The text says why and what to do."""


@dataclass(frozen=True)
class KnownDocument:
    """A document as the records have it: where it lay, and what it was."""

    path: str
    sha256: str

    @property
    def name(self) -> str | None:
        """See `name_below`."""
        return name_below(self.path)


def name_below(path: str) -> str | None:
    """Where a document lies below any folder of documents, `carrier/name`; None if no run wrote such a path."""
    parts = path.replace("\\", "/").split("/")[-2:]
    if len(parts) < 2 or any(part in ("", ".", "..") or ":" in part for part in parts):  # noqa: PLR2004 (the two)
        return None
    return "/".join(parts)


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
    def words(self) -> str:
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
        """Of all files, in bytes."""
        return sum(file.size for file in self.files.values())


def as_json(manifest: Manifest) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "recours": manifest.version,
        "made_at": manifest.made_at.isoformat(),
        "database": {
            "kind": manifest.kind,
            "file": manifest.database_file,
            "schema": manifest.facts.schema,
            **manifest.notes,
        },
        "pod_dir": manifest.pod_dir,
        "counts": {
            "claims": manifest.facts.claims,
            "attempts": manifest.facts.attempts,
            "documents": len(manifest.documents),
            "bytes": manifest.size,
        },
        "documents_lacking": [asdict(missing) for missing in manifest.missing],
        "files": {name: asdict(facts) for name, facts in manifest.files.items()},
    }


def from_json(read: Mapping[str, Any]) -> Manifest:
    """The inverse. Raises ValueError and its like if it is none; BackupError for one of another format."""
    if read["format"] != FORMAT:
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
