"""The French of all marked messages: complete, with the same placeholders, and in real French."""

import string
from collections.abc import Iterable
from pathlib import Path

import pytest

from recours.core.errors import RunError
from recours.core.evidence import DocumentFlaw
from recours.core.localized import Localized
from recours.core.mail import MailTrouble
from recours.core.translations import RecordedPhrase, translate, translations
from tests.french import not_french
from tests.translations import FRENCH, catalog_of, key, marked

CATALOG = catalog_of(FRENCH)
ENTRIES = [message for message in CATALOG if message.id]
FACTS: dict[str, str | int] = {
    "size": 12, "error": "PdfReadError", "said": "550 refused: (why)", "number": "XY1", "where": "mx.example:25",
    "user": "pods", "by": "Anna", "carrier": "UPS", "sender": "pods@shop.example",
}  # fmt: skip


def forms(texts: str | Iterable[str] | None) -> tuple[str, ...]:
    """The singular and plural of a message; one text for a message without a plural, "" without a translation."""
    if texts is None or isinstance(texts, str):
        return (texts or "",)
    return tuple(texts)


def markers_of(text: str) -> set[str]:
    return {marker for _, marker, _, _ in string.Formatter().parse(text) if marker}


def test_the_catalog_contains_exactly_the_marked_messages() -> None:
    """After a change: make texts, then the French in the catalog."""
    assert {key(message) for message in ENTRIES} == {key(message) for message in marked() if message.id}


def test_every_message_has_its_french() -> None:
    assert [message.id for message in ENTRIES if message.fuzzy or not all(forms(message.string))] == []


# Texts of only one language: about our own English sentence, which a French reader does not see, and about a parcel.
ONE_SIDED = {"words", "quoted"}


def test_both_languages_use_the_same_placeholders() -> None:
    for message in ENTRIES:
        for english, french in zip(forms(message.id), forms(message.string), strict=True):
            assert markers_of(english) ^ markers_of(french) <= ONE_SIDED, message.id


def test_the_catalog_contains_no_english() -> None:
    assert not_french({text for message in ENTRIES for text in forms(message.string)}) == {}


def test_the_catalog_is_read_as_babel_reads_it() -> None:
    french = translations("fr")
    for message in ENTRIES:
        if isinstance(message.id, str) and not message.context:
            assert french.gettext(message.id) == message.string


def test_a_message_missing_from_the_catalog_is_english() -> None:
    assert translate("fr", "No such message") == translate("en", "No such message") == "No such message"
    assert Localized("fr")("No {what}", what="sentence") == "No sentence"


@pytest.mark.parametrize(
    "content",
    [None, b"\xff", b'msgid "a"\nmsgstr "b', b'msgid "a"\n', b'<<<<<<< HEAD\nmsgid "a"\nmsgstr "b"\n'],
    ids=["missing", "no-text", "cut-off", "without-french", "conflict"],
)
def test_an_unreadable_catalog_is_reported_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    folder = tmp_path / "fr" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "recours.po").write_bytes(content)
    monkeypatch.setattr("recours.core.translations.LOCALE", tmp_path)
    with pytest.raises(RunError, match=r"recours\.po\. Reinstall recours"):
        translations.__wrapped__("fr")


@pytest.mark.parametrize("phrase", [*DocumentFlaw, *MailTrouble], ids=lambda phrase: phrase.name)
def test_recorded_phrases_are_translated_with_their_facts(phrase: RecordedPhrase) -> None:
    recorded = phrase.text(**FACTS)
    assert phrase.translated("en", recorded) == recorded
    assert phrase.translated("fr", recorded) == translate("fr", phrase.value).format(**FACTS)


def test_text_from_a_document_is_quoted_verbatim_in_a_translation() -> None:
    recorded = DocumentFlaw.ERROR_PAGE.text(said='error 500 ("oops")')
    assert DocumentFlaw.translated("fr", recorded) == "c'est une page d'erreur (« error 500 (\"oops\") »)"


@pytest.mark.parametrize("recorded", ["it is too dark", "it is blank, nearly", "", "Signed: it is blank"])
def test_a_phrase_of_another_version_is_quoted(recorded: str) -> None:
    assert DocumentFlaw.translated("fr", recorded) == f"« {recorded} »"
    assert DocumentFlaw.translated("en", recorded) == recorded


def test_terminal_control_sequences_are_escaped() -> None:
    assert "\x1b" not in DocumentFlaw.translated("fr", "odd \x1b[31m") + DocumentFlaw.translated(
        "en", "odd \x1b[31m"
    )
    assert "\x1b" not in DocumentFlaw.translated("fr", DocumentFlaw.ERROR_PAGE.text(said="\x1b[31m"))
