"""Documents that are past their keeping time are deleted, with the facts beside them."""

from pathlib import Path


def erase(path: str, sha256: str) -> str | None:
    """Delete a document and its facts; why that could not be done, as a phrase. What is gone already counts as deleted.

    The document first: without it the facts are of no use to anybody, and a prune that died in between is repeated.
    """
    place = Path(path)
    # Whatever a record says, only a file with a name of ours is deleted: its digest is in it.
    if not sha256 or f"_{sha256[:16]}." not in place.name:
        return "its name is none that recours gives"
    if not place.parent.is_dir():  # a share that is not mounted looks like this, and comes back
        return f"the folder {place.parent} is not there"
    for file in (place, place.with_name(f"{place.name}.json")):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            return f"{error.strerror or error}"
    return None
