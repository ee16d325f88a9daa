"""All templates, and the documents that they make."""

from collections.abc import Iterator
from random import Random

from tests.corpus.held_out import HELD_OUT
from tests.corpus.model import Document, Template
from tests.corpus.parcels import parcel
from tests.corpus.visible import VISIBLE

TEMPLATES: tuple[Template, ...] = (*VISIBLE, *HELD_OUT)
SEED = 20261127


def documents(template: Template, count: int, seed: int = SEED) -> Iterator[Document]:
    """The first `count` documents of the template, made one at a time; a larger count begins with the same ones."""
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
