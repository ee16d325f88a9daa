"""The interpretation of other software's error texts, French and English: see `error_texts.txt`."""

from pathlib import Path

import pytest

from recours.core.errors import is_persistent
from recours.core.sentences import classify

FILE = Path(__file__).with_name("error_texts.txt")
SECTIONS = [part.split("\n") for part in FILE.read_text(encoding="utf-8").split("\n[")[1:]]
TEXTS = {
    head.rstrip("]"): [line for line in lines if line and not line.startswith("---")]
    for head, *lines in SECTIONS
}


def test_every_kind_that_may_be_read_has_its_texts() -> None:
    assert len(TEXTS) == 15
    assert sum(map(len, TEXTS.values())) > 160


@pytest.mark.parametrize("kind", TEXTS)
def test_real_error_texts_are_classified_correctly(kind: str) -> None:
    assert {text: classify(text) for text in TEXTS[kind]} == dict.fromkeys(TEXTS[kind], kind)


def test_a_combining_accent_is_recognized() -> None:
    assert classify("Nume\u0301ro de suivi invalide") == "invalid_tracking"


@pytest.mark.parametrize("text", [None, "", " ", "?", "x" * 100_000, "\x00\ud800"])
def test_an_unknown_text_is_a_temporary_error(text: str | None) -> None:
    assert classify(text) == "server_error"
    assert not is_persistent(classify(text))


@pytest.mark.parametrize("text", ["Order 4290 failed", "Réf. 14041, 55032, 15020", "Ticket 40312 / 24011"])
def test_a_status_code_inside_a_longer_number_is_ignored(text: str) -> None:
    assert classify(text) == "server_error"


def test_only_the_start_of_a_huge_text_is_searched() -> None:
    assert classify("." * 2000 + "invalid tracking number") == "server_error"
    assert classify("." * 1900 + "invalid tracking number") == "invalid_tracking"


@pytest.mark.parametrize("apostrophe", ["'", "\u2019"])
def test_both_apostrophes_are_recognized(apostrophe: str) -> None:
    assert classify(f"Le colis n{apostrophe}est pas sur notre contrat") == "access_denied"


def test_a_rate_limit_that_mentions_numbers_is_still_a_rate_limit() -> None:
    assert classify("429 Too Many Requests: invalid tracking number lookups") == "rate_limited"
