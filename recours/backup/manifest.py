"""The manifest of a backup, as it is written and read."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from recours.core.text import is_text
from recours.operations.backup import FORMAT, BackupError, CopyFacts, FileFacts, Lacking, Manifest

_YEARS = range(2000, 9999)  # all of which any time zone can show


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
        "documents_lacking": [asdict(lacking) for lacking in manifest.lacking],
        "files": {name: asdict(facts) for name, facts in manifest.files.items()},
    }


def from_json(read: Mapping[str, Any]) -> Manifest:
    """The inverse. Raises ValueError and its like if it is none; BackupFault for one of another format."""
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
        lacking=tuple(Lacking(**lacking) for lacking in read["documents_lacking"]),
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
