"""Why a file is refused and why a mail did not go out: as it is recorded, and as a French reader has it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from recours.core.document_flaws import DocumentFlaw, flaw_in, flaw_text
from recours.core.mail_troubles import MailTrouble, trouble_in, trouble_text
from recours.core.recorded_phrases import RecordedPhrase

FACTS: dict[str, str | int] = {
    "size": 12, "error": "PdfReadError", "said": "550 refused: (why)", "number": "XY1", "where": "mx.example:25",
    "user": "pods", "by": "Anna", "carrier": "UPS", "sender": "pods@shop.example",
}  # fmt: skip


def phrases() -> Iterator[Any]:
    for flaw in DocumentFlaw:
        yield pytest.param(flaw_text, flaw_in, flaw, flaw.fr, id=flaw.name)
    for fault in MailTrouble:
        yield pytest.param(trouble_text, trouble_in, fault, fault.fr, id=fault.name)


@pytest.mark.parametrize(("text", "told", "key", "french"), [*phrases()])
def test_what_is_recorded_is_said_in_french_with_its_facts(
    text: Callable[..., str], told: Callable[[str, str], str], key: RecordedPhrase, french: str
) -> None:
    recorded = text(key, **FACTS)
    assert told("en", recorded) == recorded
    assert told("fr", recorded) == french.format(**FACTS)


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
