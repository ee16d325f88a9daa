"""A third frozen corpus, drawn without knowledge of the rules that appraise documents.

It has its own layouts and wordings. Its content follows public material: USPS Publication 109, 4-6.2 (the letter of
proof of delivery); FedEx's notes for developers on proofs by signature and by picture; the POD segment of X12 (date,
time, name); the French model contract for road haulage (avis de passage, décret du 4 mai 1988); the list of statuses
of isklad/egon-api-documentation; the pick-up emails of vivianblanco-tech/device-flow; and the status texts that
public tracking clients expect of Mondial Relay, Colissimo, Colis Privé, Correos, CTT, DHL, Deutsche Post, Italian and
Dutch carriers.
"""

from collections.abc import Iterator

from tests.corpus.documents import documents as documents_of
from tests.corpus.model import Document, Template
from tests.corpus.third import good, hollow

SEED = 20261130
TEMPLATES: tuple[Template, ...] = (*hollow.TEMPLATES, *good.TEMPLATES)


def documents() -> Iterator[Document]:
    """Every document: pages of good ones, of hollow ones, then pictures."""
    for template in good.TEMPLATES:
        yield from documents_of(template, 6 if template.name.startswith("scan_text") else 3, SEED)
    for template in hollow.TEMPLATES:
        yield from documents_of(template, 2, SEED)
    for template in (*good.PICTURES, *hollow.PICTURES):
        yield from documents_of(template, 10, SEED)
