"""The first corpus: 558 hollow and 480 good documents, drawn and frozen before the rules were written.

It was written without knowledge of the rules. Its bytes depend on the versions of fpdf2, ReportLab and Pillow in the
lock file and on zlib.
"""

from collections.abc import Iterator

from tests.corpus.documents import documents as documents_of
from tests.corpus.first import good, hollow
from tests.corpus.model import Document, Template

TEMPLATES: tuple[Template, ...] = (*hollow.TEMPLATES, *good.TEMPLATES)
SEED = 20261130


def documents(templates: tuple[Template, ...] = TEMPLATES) -> Iterator[Document]:
    """Four documents of each good template and three of each hollow one, drawn lazily."""
    for template in templates:
        yield from documents_of(template, 4 if template.is_good else 3, SEED)
