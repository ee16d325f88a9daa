"""Files that a person attaches, over a database and the folder of documents."""

import uuid
from dataclasses import replace
from pathlib import Path

from recours.core.outcome import NotADocumentError
from recours.core.text import clean
from recours.documents.by_hand import appraise_file, read_file
from recours.documents.store import DocumentStore
from recours.operations import attach
from recours.wiring.custody import write_manifests
from recours.wiring.operations import Operations

WORKER = "attach"  # in the record of attempts


def content_of(path: Path) -> bytes:
    """The content of the file to be attached. Raises NotAttachedError if it cannot be taken."""
    try:
        return read_file(path)
    except NotADocumentError as why:
        raise attach.NotAttachedError("file", file=clean(path.name or str(path)), reason=str(why)) from why


def attach_file(operations: Operations, wanted: attach.Attachment) -> attach.Attached:
    """Attach it. Raises NotAttachedError, RefusedError, RunError."""
    documents = DocumentStore(operations.settings.pod_dir, operations.settings.access)
    documents.make_sure()
    deps = attach.AttachDependencies(
        records=operations.records,
        claims=replace(operations.claims, worker=WORKER),
        documents=documents,
        appraise=appraise_file,
        policy=operations.settings.policy,
        token=uuid.uuid4().hex,
    )
    attached = attach.attach(wanted, deps, operations.clock.now())
    write_manifests(operations.settings, operations.database, WORKER, operations.clock)
    return attached
