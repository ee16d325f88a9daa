"""The corpora that were drawn before the rules: they stay as they are, and the appraisal judges them rightly."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version
from zlib import ZLIB_RUNTIME_VERSION

import pytest

from recours.core.appraisal import Expected
from recours.core.outcome import NotADocumentError
from recours.documents.appraisal import appraise
from tests.corpus import first, fourth, invisible, second, third, undecodable
from tests.corpus.documents import digest
from tests.corpus.model import Document, Template

MOST_REFUSED = 2  # good documents of a whole corpus
# Only a reader of letters understands a picture of a label or of a sentence: without text, it counts unread.
UNREAD = ("label_picture", "notice_picture")
# Other versions compress, or draw letters, otherwise: then the corpora say the same in other bytes.
VERSIONS = {
    "fonttools": "4.68.0",
    "fpdf2": "2.8.9",
    "pillow": "13.0.0",
    "pypdf": "7.1.1",
    "reportlab": "5.1.0",
    "zlib": "1.3.1",
}
INSTALLED = {package: version(package) for package in VERSIONS if package != "zlib"}
DIGESTS: dict[str, tuple[Callable[[], Iterator[Document]], str]] = {
    "first": (
        first.documents,
        "3be06e6b616a4b2b7b23b662e297e2be5d3f11fc594cbd4c56fdbb3b4c89e933",
    ),
    "invisible": (
        partial(first.documents, invisible.TEMPLATES),
        "fe9d0407b7f433687d63332d537abd92a5769a16b2d44b96a1d7baa7fbef26b8",
    ),
    "undecodable": (
        partial(first.documents, undecodable.TEMPLATES),
        "c4fbd9232f130fb382354afae9cacc04249bbdba101a1a9d37191a99a22fd3fe",
    ),
    "second": (
        second.documents,
        "df01f3b2de79b5d373749e1b5a6c69862d7f43c168d901aed405af3a607566e4",
    ),
    "third": (
        third.documents,
        "d6e4cd2870f25a454262c27456ab6b6f8b4c6d46226e59f408db7f3ff37dd24e",
    ),
    "fourth": (
        fourth.documents,
        "b913f7eab2ed506df7bfee77e37d9f8474068063a4f5b6152b41a386e1ab03b6",
    ),
}
TEMPLATES = {
    "first": first.TEMPLATES,
    "second": second.TEMPLATES,
    "third": third.TEMPLATES,
    "invisible": invisible.TEMPLATES,
    "undecodable": undecodable.TEMPLATES,
}


@pytest.mark.full("draws some thousand documents, which only another version of a package changes")
@pytest.mark.skipif(
    INSTALLED | {"zlib": ZLIB_RUNTIME_VERSION} != VERSIONS, reason="frozen with other versions: see VERSIONS"
)
@pytest.mark.parametrize(("documents", "expected"), DIGESTS.values(), ids=DIGESTS)
def test_a_frozen_corpus_is_not_changed(documents: Callable[[], Iterator[Document]], expected: str) -> None:
    assert digest(documents()) == expected


def flaw(document: Document) -> str | None:
    """Why a document is refused; None: it is accepted."""
    expected = Expected(document.carrier, document.number, document.kind)
    try:
        return appraise(document.content, document.media_type, expected).hollow
    except NotADocumentError as error:
        return str(error)


def is_unread(document: Document) -> bool:
    """Tell whether a document is a picture of words: of the third corpus, whole pages may be."""
    is_page = document.name.partition("-")[0] in {template.name for template in third.TEMPLATES}
    return document.name.startswith(UNREAD) or (is_page and document.truth.number_shown is None)


def misjudged(templates: Iterable[Template]) -> tuple[list[str], list[str]]:
    """The hollow documents that are accepted, and the good ones that are refused with what is said of them."""
    accepted, refused = [], []
    for document in first.documents(tuple(templates)):
        why = flaw(document)
        if document.is_good and why:
            refused.append(f"{document.name}: {why}")
        if not document.is_good and not why and not is_unread(document):
            accepted.append(document.name)
    return accepted, refused


def one_of_each_kind(templates: Iterable[Template]) -> list[Template]:
    """Each kind in one language, all languages by turns."""
    kinds: dict[str, list[Template]] = defaultdict(list)
    for template in templates:
        kinds[template.name.rpartition("-")[0] or template.name].append(template)
    return [chosen[position % len(chosen)] for position, chosen in enumerate(kinds.values())]


@pytest.mark.parametrize("corpus", TEMPLATES)
def test_one_language_of_each_kind_is_judged_rightly(corpus: str) -> None:
    assert misjudged(one_of_each_kind(TEMPLATES[corpus])) == ([], [])


@pytest.mark.full("all languages of the corpora: one of each kind is judged by make test")
@pytest.mark.parametrize("corpus", ["first", "second", "third"])
def test_no_hollow_document_is_accepted_and_two_good_ones_are_refused_at_most(corpus: str) -> None:
    accepted, refused = misjudged(TEMPLATES[corpus])
    assert not accepted
    assert len(refused) <= MOST_REFUSED, refused


@pytest.mark.full("all languages of the corpora: one of each kind is judged by make test")
@pytest.mark.parametrize("corpus", ["invisible", "undecodable"])
def test_what_nobody_can_see_or_decode_is_refused(corpus: str) -> None:
    assert misjudged(TEMPLATES[corpus]) == ([], [])
