"""What the appraisal says of the documents that were drawn and frozen before its rules: see `tests.corpus.first`."""

from collections import defaultdict
from collections.abc import Iterable

import pytest

from recours.core.appraisal import Expected
from recours.core.outcome import NotADocumentError
from recours.documents.appraisal import appraise
from tests.corpus import first, invisible, undecodable
from tests.corpus.model import Document, Template

FROZEN = "3be06e6b616a4b2b7b23b662e297e2be5d3f11fc594cbd4c56fdbb3b4c89e933"
MOST_REFUSED = 2  # good documents of the whole corpus
UNREAD = "label_picture"  # a picture of a label has no text, so it counts unread


def flaw(document: Document) -> str | None:
    """Why a document is refused; None: it is accepted."""
    expected = Expected(document.carrier, document.number, document.kind)
    try:
        return appraise(document.content, document.media_type, expected).hollow
    except NotADocumentError as error:
        return str(error)


def misjudged(templates: Iterable[Template]) -> tuple[list[str], list[str]]:
    """The hollow documents that are accepted, and the good ones that are refused with what is said of them."""
    accepted, refused = [], []
    for document in first.documents(tuple(templates)):
        why = flaw(document)
        if document.is_good and why:
            refused.append(f"{document.name}: {why}")
        if not document.is_good and not why and not document.name.startswith(UNREAD):
            accepted.append(document.name)
    return accepted, refused


def one_of_each_kind(templates: Iterable[Template]) -> list[Template]:
    """Each kind in one language, all languages by turns."""
    kinds: dict[str, list[Template]] = defaultdict(list)
    for template in templates:
        kinds[template.name.rpartition("-")[0]].append(template)
    return [chosen[position % len(chosen)] for position, chosen in enumerate(kinds.values())]


@pytest.mark.parametrize("corpus", [first, invisible, undecodable], ids=lambda each: each.__name__)
def test_one_language_of_each_kind_is_judged_rightly(corpus: object) -> None:
    assert misjudged(one_of_each_kind(corpus.TEMPLATES)) == ([], [])  # type: ignore[attr-defined]


@pytest.mark.full("all languages of the corpora: one of each kind is judged by make test")
def test_no_hollow_document_is_accepted_and_two_good_ones_are_refused_at_most() -> None:
    assert first.digest() == FROZEN
    accepted, refused = misjudged(first.TEMPLATES)
    assert not accepted
    assert len(refused) <= MOST_REFUSED, refused


@pytest.mark.full("all languages of the corpora: one of each kind is judged by make test")
@pytest.mark.parametrize("corpus", [invisible, undecodable], ids=lambda each: each.__name__)
def test_what_nobody_can_see_or_decode_is_refused(corpus: object) -> None:
    assert misjudged(corpus.TEMPLATES) == ([], [])  # type: ignore[attr-defined]
