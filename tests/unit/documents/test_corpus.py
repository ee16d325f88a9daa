"""What the appraisal of documents says of a generated corpus whose truth is known: see `tests.corpus`.

A third of its templates was written without knowledge of the rules, and the rules without knowledge of these.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import pytest

from recours.core.appraisal import Appraisal, Expected
from recours.documents.appraisal import appraise
from tests.corpus.documents import documents
from tests.corpus.held_out import HELD_OUT
from tests.corpus.model import Document, Template
from tests.corpus.templates import TEMPLATES

HOLLOW, GOOD, PICTURES = (
    220,
    420,
    90,
)  # how many of each are made at least; pictures are good and have no text


@dataclass(frozen=True)
class Result:
    """One document, and what was said of it."""

    template: str
    document: Document
    appraisal: Appraisal

    @property
    def is_accepted(self) -> bool:
        return self.appraisal.hollow is None

    @cached_property
    def facts(self) -> dict[str, tuple[object, object]]:
        """By name: what the document shows, and what was read on it."""
        truth, shown = self.document.truth, self.appraisal.shown
        at = truth.delivered
        printed = at and (f"{at:%Y-%m-%dT%H:%M}" if isinstance(at, datetime) else f"{at:%Y-%m-%d}")
        place = shown.place
        if place and truth.place and truth.place.casefold() in place.casefold():
            place = truth.place  # with the postcode or the country
        return {
            "signatory": (_folded(truth.signatory), _folded(shown.signatory)),
            "delivered": (printed, shown.delivered),
            "place": (_folded(truth.place), _folded(place)),
        }


def _folded(text: str | None) -> str | None:
    return text and " ".join(text.casefold().split())


def is_picture(document: Document) -> bool:
    """Nothing on it can be read as text."""
    return document.is_good and document.truth.number_shown is None


def made_of(templates: Iterable[Template], belongs: Callable[[Document], bool], least: int) -> list[Result]:
    """At least so many documents, as many of each template whose documents belong to this part of the corpus."""
    chosen = [template for template in templates if belongs(next(documents(template, 1)))]
    each = -(-least // len(chosen))
    return [
        Result(
            template.name,
            document,
            appraise(
                document.content,
                document.media_type,
                Expected(document.carrier, document.number, document.kind),
            ),
        )
        for template in chosen
        for document in documents(template, each)
    ]


@pytest.fixture(scope="module")
def hollow() -> list[Result]:
    return made_of(TEMPLATES, lambda document: not document.is_good, HOLLOW)


@pytest.fixture(scope="module")
def good() -> list[Result]:
    return made_of(TEMPLATES, lambda document: document.is_good and not is_picture(document), GOOD)


@pytest.fixture(scope="module")
def pictures() -> list[Result]:
    return made_of(TEMPLATES, is_picture, PICTURES)


def listed(results: list[Result], wrong: list[Result]) -> str:
    """A line for each template of which documents were appraised wrongly."""
    made: dict[str, int] = defaultdict(int)
    for result in results:
        made[result.template] += 1
    cases: dict[str, list[Result]] = defaultdict(list)
    for result in wrong:
        cases[result.template].append(result)
    return "\n" + "\n".join(
        f"{template:25} {len(found):3} of {made[template]:3}: "
        + "; ".join(f"{one.document.name} ({one.appraisal.hollow or 'accepted'})" for one in found[:4])
        for template, found in cases.items()
    )


def test_the_corpus_has_its_size_and_a_third_of_its_templates_was_kept_from_the_rules(
    hollow: list[Result], good: list[Result], pictures: list[Result]
) -> None:
    assert (len(hollow) >= 200, len(good) >= 400, len(hollow + good + pictures) >= 600) == (True, True, True)
    names = [template.name for template in TEMPLATES]
    assert len(set(names)) == len(names)
    assert len(HELD_OUT) * 3 >= len(TEMPLATES)
    kinds = {result.document.media_type for result in hollow + good + pictures}
    assert kinds == {"application/pdf", "text/html", "image/png", "image/jpeg", "image/gif"}


def test_the_same_seed_makes_the_same_documents() -> None:
    changing = [one.name for one in TEMPLATES if list(documents(one, 1)) != list(documents(one, 1))]
    assert not changing


def test_no_hollow_document_is_accepted(hollow: list[Result]) -> None:
    accepted = [result for result in hollow if result.is_accepted]
    assert not accepted, listed(hollow, accepted)


def test_of_four_hundred_good_documents_at_most_two_are_refused(good: list[Result]) -> None:
    refused = [result for result in good if not result.is_accepted]
    assert len(refused) <= 2, listed(good, refused)


def test_a_picture_without_text_is_accepted_and_said_to_be_unreadable(pictures: list[Result]) -> None:
    refused = [result for result in pictures if not result.is_accepted]
    assert not refused, listed(pictures, refused)
    read = [result for result in pictures if result.appraisal.shown.is_readable]
    assert not read, listed(pictures, read)


def test_the_number_is_found_on_every_good_document_and_on_no_other_parcels(
    hollow: list[Result], good: list[Result]
) -> None:
    missed = [result for result in good if result.appraisal.shown.number is not True]
    assert not missed, listed(good, missed)
    invented = [
        result
        for result in hollow
        if result.appraisal.shown.number and not result.document.truth.number_shown
    ]
    assert not invented, listed(hollow, invented)


@pytest.mark.parametrize(("fact", "floor"), [("signatory", 0.95), ("delivered", 0.95), ("place", 0.95)])
def test_what_is_read_on_good_documents_is_what_they_show(
    fact: str, floor: float, good: list[Result]
) -> None:
    """Where it is printed it is read in most cases; hardly ever is something else taken for it."""
    printed = [result for result in good if result.facts[fact][0] is not None]
    wrong = [result for result in good if result.facts[fact][0] != result.facts[fact][1]]
    mistaken = [result for result in wrong if result.facts[fact][1] is not None]
    read = sum(result.facts[fact][0] == result.facts[fact][1] for result in printed)
    table = f"{fact}: {read} of {len(printed)} read, {len(mistaken)} mistaken" + "".join(
        f"\n{one.document.name:30} shows {one.facts[fact][0]!r}, read: {one.facts[fact][1]!r}"
        for one in wrong
    )
    assert read >= floor * len(printed), table
    assert len(mistaken) <= 0.01 * len(good), table


def test_no_signature_is_claimed_where_there_is_none_and_none_denied_where_there_is(
    good: list[Result],
) -> None:
    denied = [
        one for one in good if one.document.truth.has_signature and one.appraisal.shown.has_signature is False
    ]
    claimed = [
        one for one in good if not one.document.truth.has_signature and one.appraisal.shown.has_signature
    ]
    assert not denied + claimed, listed(good, denied + claimed)
