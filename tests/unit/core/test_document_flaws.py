"""Why a file is refused, as it is recorded and as a French reader has it."""

import pytest

from recours.core.document_flaws import TEXTS, DocumentFlaw, flaw_in, flaw_text

FACTS: dict[str, str | int] = {"size": 12, "error": "PdfReadError", "said": "error 404", "number": "XY1"}


@pytest.mark.parametrize("flaw", DocumentFlaw)
def test_each_phrase_that_is_recorded_is_said_in_french_with_its_facts(flaw: DocumentFlaw) -> None:
    recorded = flaw_text(flaw, **FACTS)
    assert flaw_in("en", recorded) == recorded
    assert flaw_in("fr", recorded) == TEXTS["fr"][flaw].format(**FACTS)


def test_what_was_said_in_the_document_is_quoted_as_it_is() -> None:
    recorded = flaw_text(DocumentFlaw.ERROR_PAGE, said='error 500 ("oops")')
    assert flaw_in("fr", recorded) == "c'est une page d'erreur (« error 500 (\"oops\") »)"


@pytest.mark.parametrize("recorded", ["it is too dark", "it is blank, nearly", "", "Signed: it is blank"])
def test_a_phrase_of_another_version_is_quoted(recorded: str) -> None:
    assert flaw_in("fr", recorded) == f"« {recorded} »"
    assert flaw_in("en", recorded) == recorded


def test_nothing_that_a_terminal_obeys_comes_through() -> None:
    assert "\x1b" not in flaw_in("fr", "odd \x1b[31m") + flaw_in("en", "odd \x1b[31m")
    assert "\x1b" not in flaw_in("fr", flaw_text(DocumentFlaw.ERROR_PAGE, said="\x1b[31m"))
