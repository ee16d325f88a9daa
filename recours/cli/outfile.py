"""Files that a person asked for: complete or not there, and never over another unless told so."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class AlreadyThereError(Exception):
    """The file is there, and was not to be replaced. The text is its path."""


@contextmanager
def written(path: Path, *, replace: bool = False) -> Iterator[BinaryIO]:
    """A file to write to, that comes to be under its name when all of it is on the disk.

    Readable by its owner alone. Raises AlreadyThereError, OSError.
    """
    if not replace and path.exists():
        raise AlreadyThereError(str(path))
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _publish(part, path, replace=replace)
    finally:
        part.unlink(missing_ok=True)


def _publish(part: Path, path: Path, *, replace: bool) -> None:
    if replace:
        part.replace(path)
        return
    try:
        os.link(part, path)
    except FileExistsError as error:
        raise AlreadyThereError(str(path)) from error
    except OSError:  # a file system without links: there, somebody may make the file in between
        if path.exists():
            raise AlreadyThereError(str(path)) from None
        part.replace(path)
