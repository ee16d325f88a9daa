"""The generated documents, and the digest of a corpus."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from random import Random

from tests.corpus.model import Document, Template
from tests.corpus.parcels import parcel

SEED = 20261127


def documents(template: Template, count: int, seed: int = SEED) -> Iterator[Document]:
    """The first `count` documents of the template, generated lazily; a larger count begins with the same documents."""
    for number in range(count):
        carrier = template.carriers[number % len(template.carriers)]
        random = Random(f"{seed}/{template.name}/{number}")
        subject = parcel(random, carrier)
        made = template.make(random, subject)
        yield Document(
            name=f"{template.name}-{number}",
            content=made.content,
            media_type=made.media_type,
            carrier=carrier,
            number=subject.number,
            kind=made.kind,
            is_good=template.is_good,
            truth=made.truth,
        )


def digest(corpus: Iterable[Document]) -> str:
    """SHA-256 over the bytes of its documents, in order."""
    total = sha256()
    for document in corpus:
        total.update(document.content)
    return total.hexdigest()
