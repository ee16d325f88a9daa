"""The corpora drawn before the rules: they are unchanged, and the appraisal assesses them correctly.

For the first corpus it also reads the printed facts.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version
from zlib import ZLIB_RUNTIME_VERSION

import pytest

from recours.core.evidence import Appraisal, Expected
from recours.core.outcome import NotADocumentError
from recours.evidence.appraisal import appraise
from tests.corpus import first, invisible, third, undecodable
from tests.corpus.documents import digest
from tests.corpus.model import Document, Template
from tests.corpus.parcels import LANGUAGES

MOST_REFUSED = 2  # good documents of a whole corpus
_OF_A_LANGUAGE = re.compile(f"[-_](?:{'|'.join(LANGUAGES)})$")
# A picture of a label or a sentence needs a reader of letters: without text, it counts unread.
UNREAD = ("label_picture", "notice_picture")
# Other versions compress or draw letters differently: then the same content has other bytes.
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
    "first": (first.documents, "3be06e6b616a4b2b7b23b662e297e2be5d3f11fc594cbd4c56fdbb3b4c89e933"),
    "invisible": (
        partial(first.documents, invisible.TEMPLATES),
        "fe9d0407b7f433687d63332d537abd92a5769a16b2d44b96a1d7baa7fbef26b8",
    ),
    "undecodable": (
        partial(first.documents, undecodable.TEMPLATES),
        "c4fbd9232f130fb382354afae9cacc04249bbdba101a1a9d37191a99a22fd3fe",
    ),
    "third": (third.documents, "d6e4cd2870f25a454262c27456ab6b6f8b4c6d46226e59f408db7f3ff37dd24e"),
}
TEMPLATES = {
    "first": first.TEMPLATES,
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
    try:
        return appraised(document).hollow
    except NotADocumentError as error:
        return str(error)


def appraised(document: Document) -> Appraisal:
    expected = Expected(document.carrier, document.number, document.kind)
    return appraise(document.content, document.media_type, expected)


def is_unread(document: Document) -> bool:
    """Whether a document is a picture of text: in the third corpus, even whole pages."""
    is_page = document.name.partition("-")[0] in {template.name for template in third.TEMPLATES}
    return document.name.startswith(UNREAD) or (is_page and document.truth.number_shown is None)


def misjudged(templates: Iterable[Template]) -> tuple[list[str], list[str]]:
    """The accepted hollow documents, and the refused good ones with the reason."""
    accepted, refused = [], []
    for document in first.documents(tuple(templates)):
        why = flaw(document)
        if document.is_good and why:
            refused.append(f"{document.name}: {why}")
        if not document.is_good and not why and not is_unread(document):
            accepted.append(document.name)
    return accepted, refused


def one_of_each_kind(templates: Iterable[Template]) -> list[Template]:
    """Each kind in one language, alternating between languages. Templates are named `kind-fr` or `kind_fr`."""
    kinds: dict[str, list[Template]] = defaultdict(list)
    for template in templates:
        kinds[_OF_A_LANGUAGE.sub("", template.name)].append(template)
    return [chosen[position % len(chosen)] for position, chosen in enumerate(kinds.values())]


@pytest.mark.parametrize("corpus", TEMPLATES)
def test_one_language_of_each_kind_is_assessed_correctly(corpus: str) -> None:
    assert misjudged(one_of_each_kind(TEMPLATES[corpus])) == ([], [])


@pytest.mark.full("all languages of the corpora: make test assesses one of each kind")
@pytest.mark.parametrize("corpus", ["first", "third"])
def test_no_hollow_document_is_accepted_and_at_most_two_proofs_are_refused(corpus: str) -> None:
    accepted, refused = misjudged(TEMPLATES[corpus])
    assert not accepted
    assert len(refused) <= MOST_REFUSED, refused


@pytest.mark.full("all languages of the corpora: make test assesses one of each kind")
@pytest.mark.parametrize("corpus", ["invisible", "undecodable"])
def test_invisible_and_undecodable_documents_are_rejected(corpus: str) -> None:
    assert misjudged(TEMPLATES[corpus]) == ([], [])


# ---------------------------------------------------------------- the facts


@dataclass(frozen=True)
class Result:
    """A good document and its extracted facts."""

    document: Document
    appraisal: Appraisal

    def facts(self, name: str) -> tuple[str | None, str | None]:
        """The facts shown by the document, and those extracted."""
        truth, findings = self.document.truth, self.appraisal.findings
        if name == "delivered":
            at = truth.delivered
            form = "%Y-%m-%dT%H:%M" if isinstance(at, datetime) else "%Y-%m-%d"
            return format(at, form) if at else None, findings.delivered
        printed, extracted = _folded(getattr(truth, name)), _folded(getattr(findings, name))
        if name == "place" and printed and extracted and printed in extracted:
            extracted = printed  # with the postcode or the country
        return printed, extracted


def _folded(text: str | None) -> str | None:
    return text and " ".join(text.casefold().split())


@pytest.fixture(scope="module")
def results() -> list[Result]:
    good = (template for template in first.TEMPLATES if template.is_good)
    return [
        Result(document, appraised(document)) for document in first.documents(tuple(one_of_each_kind(good)))
    ]


@pytest.fixture
def legible(results: list[Result]) -> list[Result]:
    return [result for result in results if result.document.truth.number_shown is not None]


def test_the_number_is_found_on_every_proof_except_pictures(results: list[Result]) -> None:
    numbers = {
        result.document.name: result.appraisal.findings.number
        for result in results
        if result.appraisal.findings.number != result.document.truth.number_shown
    }
    assert numbers == {}


@pytest.mark.parametrize(("fact", "least"), [("signatory", 0.8), ("delivered", 0.99), ("place", 0.65)])
def test_facts_extracted_from_a_proof_are_correct(fact: str, least: float, legible: list[Result]) -> None:
    """Most printed facts are extracted, and nothing else."""
    facts = {result.document.name: result.facts(fact) for result in legible}
    wrong = {name: pair for name, pair in facts.items() if pair[1] not in (None, pair[0])}
    assert wrong == {}
    printed = [pair for pair in facts.values() if pair[0]]
    assert sum(shown == extracted for shown, extracted in printed) >= least * len(printed)


def test_no_signature_is_claimed_or_denied_wrongly(legible: list[Result]) -> None:
    wrong = [
        result.document.name
        for result in legible
        if result.appraisal.findings.has_signature is (not result.document.truth.has_signature)
    ]
    assert wrong == []
