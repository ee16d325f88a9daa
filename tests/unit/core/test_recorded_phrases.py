"""Why a file is refused and why a mail did not go out: as it is recorded, and as a French reader has it."""

import pytest

from recours.core.evidence import DocumentFlaw
from recours.core.mail import MailTrouble
from recours.core.translations import RecordedPhrase, translate

FACTS: dict[str, str | int] = {
    "size": 12, "error": "PdfReadError", "said": "550 refused: (why)", "number": "XY1", "where": "mx.example:25",
    "user": "pods", "by": "Anna", "carrier": "UPS", "sender": "pods@shop.example",
}  # fmt: skip


@pytest.mark.parametrize("phrase", [*DocumentFlaw, *MailTrouble], ids=lambda phrase: phrase.name)
def test_what_is_recorded_is_said_in_french_with_its_facts(phrase: RecordedPhrase) -> None:
    recorded = phrase.text(**FACTS)
    assert phrase.translated("en", recorded) == recorded
    assert phrase.translated("fr", recorded) == translate("fr", phrase.value).format(**FACTS)


def test_what_was_said_in_the_document_is_quoted_as_it_is() -> None:
    recorded = DocumentFlaw.ERROR_PAGE.text(said='error 500 ("oops")')
    assert DocumentFlaw.translated("fr", recorded) == "c'est une page d'erreur (« error 500 (\"oops\") »)"


@pytest.mark.parametrize("recorded", ["it is too dark", "it is blank, nearly", "", "Signed: it is blank"])
def test_a_phrase_of_another_version_is_quoted(recorded: str) -> None:
    assert DocumentFlaw.translated("fr", recorded) == f"« {recorded} »"
    assert DocumentFlaw.translated("en", recorded) == recorded


def test_nothing_that_a_terminal_obeys_comes_through() -> None:
    assert "\x1b" not in DocumentFlaw.translated("fr", "odd \x1b[31m") + DocumentFlaw.translated(
        "en", "odd \x1b[31m"
    )
    assert "\x1b" not in DocumentFlaw.translated("fr", DocumentFlaw.ERROR_PAGE.text(said="\x1b[31m"))
