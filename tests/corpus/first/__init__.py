"""The first corpus: 558 hollow and 480 good documents, drawn and frozen before the rules that judge them.

It was written without looking at the rules. Its bytes depend on the versions of fpdf2, ReportLab and Pillow in the
lock file and on zlib: see `digest`.
"""

from collections.abc import Iterator
from hashlib import sha256
from random import Random

from tests.corpus.first import good, hollow
from tests.corpus.model import Document, Template
from tests.corpus.parcels import parcel

TEMPLATES: tuple[Template, ...] = (*hollow.TEMPLATES, *good.TEMPLATES)
SEED = 20261130


def documents(templates: tuple[Template, ...] = TEMPLATES) -> Iterator[Document]:
    """Each good template four times, each hollow one three times, drawn one at a time."""
    for template in templates:
        for position in range(4 if template.is_good else 3):
            carrier = template.carriers[position % len(template.carriers)]
            random = Random(f"{SEED}/{template.name}/{position}")
            subject = parcel(random, carrier)
            made = template.make(random, subject)
            yield Document(
                name=f"{template.name}-{position}",
                content=made.content,
                media_type=made.media_type,
                carrier=carrier,
                number=subject.number,
                kind=made.kind,
                is_good=template.is_good,
                truth=made.truth,
            )


def digest(templates: tuple[Template, ...] = TEMPLATES) -> str:
    """SHA-256 over the documents' bytes, in order."""
    total = sha256()
    for document in documents(templates):
        total.update(document.content)
    return total.hexdigest()
