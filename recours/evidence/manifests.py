"""Writes and timestamps manifests at the end of each run."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from recours.core.errors import RunError
from recours.core.text import plural
from recours.database.engine import Database
from recours.database.evidence import DatabaseCustody
from recours.evidence.store import DocumentStore, sync_folder
from recours.host.files import exists, read_regular
from recours.host.logs import run_log
from recours.runs.ports import Clock
from recours.settings.model import Settings


def write_manifests(settings: Settings, database: Database, run_id: str, clock: Clock) -> None:
    """List new files in manifests, and timestamp the newest manifest if RECOURS_TSA_URL is set.

    `run_id`: the ID of the run, or the name of the command. Failures are logged as WARNING.
    """
    custody = DatabaseCustody(database, settings.pod_dir)
    write = partial(_write, DocumentStore(settings.pod_dir, settings.access))
    try:
        while result := custody.add(run_id, clock.now(), write):
            manifest, count = result
            run_log().info(
                f"Manifest {manifest.number:06} of {plural(count, 'file')}: sha256 {manifest.sha256}"
            )
    except (OSError, OverflowError, RunError) as error:
        reason = getattr(error, "strerror", None) or error
        run_log().warning(
            f"No manifest could be written in {settings.pod_dir}: {reason}. The next run tries again"
        )
        return
    if settings.tsa_url:
        _stamp(settings, custody, write)


def _write(store: DocumentStore, name: str, content: bytes) -> None:
    """Write a file below the folder so that its name and content survive a power failure. Raises OSError."""
    store.write(store.folder / name, content, durable=True)
    for parent in Path(name).parents:
        sync_folder(store.folder / parent)


def _stamp(settings: Settings, custody: DatabaseCustody, write: Callable[[str, bytes], None]) -> None:
    """Timestamp the newest manifest if it has no timestamp. Its hash chain also covers all earlier manifests."""
    from recours.evidence import timestamps  # noqa: PLC0415 (imports the HTTP library)

    manifest = None
    try:
        manifest = custody.last()
        if manifest is None or exists(settings.pod_dir / manifest.token_name):
            return
        roots = timestamps.read_roots(settings.tsa_certificate)
        content = read_regular(settings.pod_dir / manifest.name)
        token = timestamps.request_token(settings.tsa_url, content)
        timestamps.verify_token(token, content, roots)
        write(manifest.token_name, token)
    except (OSError, RunError) as error:
        number = f"{manifest.number:06} " if manifest else ""
        run_log().warning(
            f"No timestamp for manifest {number}from {urlsplit(settings.tsa_url).hostname}: {error}. "
            "The next run tries again"
        )
