"""The search for phrases that the texts do not use."""

from pathlib import Path

import pytest

from tests import phrases
from tests.phrases import comments_and_strings, in_file, matches, messages


def hits(text: str, *titles: str) -> list[str]:
    return [match.text for match in matches(text, *(titles or ("everywhere",)))]


def test_a_phrase_is_found_with_its_line_and_replacement() -> None:
    (match,) = matches("Chronopost is\nout of\norder.", "everywhere")
    assert (match.line, match.text, match.instead) == (2, "out of order", "unavailable")


def test_a_sentence_without_such_a_phrase_passes() -> None:
    assert hits("Chronopost is unavailable. Retries resume automatically.", "everywhere", "users") == []
    assert hits("In turn, turn it off, or turn on the lamp.", "users") == []


def test_a_phrase_is_found_across_lines_of_a_comment_and_pieces_of_a_string() -> None:
    assert hits(comments_and_strings("x = 1\n# Chronopost is out\n# of order.\n")) == ["out of order"]
    assert hits(comments_and_strings('say("out of "\n    f"order: {code}")\n')) == ["out of order"]


def test_names_in_code_are_not_searched() -> None:
    assert hits(comments_and_strings("out, of = order.out of order\n")) == []
    assert hits(comments_and_strings('a = "out of"; b = "order"\n')) == []


def test_a_docstring_is_distinguished_from_other_strings() -> None:
    code = 'def f():\n    """What is due."""\n    return "What is due."\n'
    assert hits(comments_and_strings(code), "code") == ["¶what is"]


def test_a_catalog_is_searched_by_language() -> None:
    catalog = 'msgid "out of order"\nmsgstr ""\n"Se jouent "\n"sur le papier"\n'
    assert hits(messages(catalog, "msgid")) == ["out of order"]
    assert [match.line for match in matches(messages(catalog, "msgstr"), "french")] == [4, 3]


def test_the_check_fails_and_names_the_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("Fine.\nUPS is out of order.\n", encoding="utf-8")
    monkeypatch.setattr(phrases, "ROOT", tmp_path)
    monkeypatch.setattr(phrases, "searched", lambda _arguments: [page])
    assert len(in_file(page)) == 1
    assert phrases.main() == 1
    assert "page.md:2: “out of order” → unavailable" in capsys.readouterr().out
    page.write_text("Fine.\n", encoding="utf-8")
    assert phrases.main() == 0
