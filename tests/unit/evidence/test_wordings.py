"""Texts of carriers, depots and people about a parcel, in six languages: proofs of delivery and others.

Each line of `tests/corpus/wordings/` is a document: its title, and its paragraphs. They were written before the rules
that assess them, after public letters, tracking pages and complaints.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recours.core.evidence import Expected
from recours.evidence.appraisal import appraise_reading
from recours.evidence.reading import Cell, Reading

FOLDER = Path(__file__).parents[2] / "corpus/wordings"
LANGUAGES = sorted(path.stem for path in FOLDER.glob("*.txt"))
FACTS = {
    "number": "XY123456789FR",
    "other": "AB987654321FR",
    "carrier": "Chronopost",
    "signatory": "Jeanne Moreau",
    "recipient": "K. Garnier",
    "sender": "Atelier Bleu",
    "date": "05/10/2026",
    "time": "10:31",
    "today": "12/10/2026",
    "later": "06/10/2026",
    "case": "C-4711",
    "street": "12 rue des Lilas",
    "town": "59000 LILLE",
}
MOST_REFUSED = 4  # proofs in a language whose words the rules do not know


def wordings(language: str, side: str) -> Iterator[str]:
    """The documents of one side, "good" or "hollow"; an indented line continues the previous one."""
    text = (FOLDER / f"{language}.txt").read_text(encoding="utf-8").replace("\n ", " ")
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line
        elif section.startswith(f"[{side} "):
            yield line.format_map(FACTS)


def is_accepted(wording: str) -> bool:
    rows = tuple((Cell(part, 60.0),) for part in wording.split(" | "))
    return appraise_reading(Reading(rows), Expected("chronopost", FACTS["number"])).hollow is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_without_a_delivery_is_accepted(language: str) -> None:
    hollow = list(wordings(language, "hollow"))
    assert len(hollow) > 100
    assert [wording for wording in hollow if is_accepted(wording)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_that_prove_the_delivery_are_accepted(language: str) -> None:
    good = list(wordings(language, "good"))
    assert len(good) > 40
    refused = [wording for wording in good if not is_accepted(wording)]
    assert len(refused) <= MOST_REFUSED, refused
