"""External text is made harmless."""

import pytest

from recours.core.text import clean, is_text, plain, plural


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Colis livré à l’accueil", "Colis livré à l’accueil"),
        ("a\nb\r\nc\td", "a\\x0ab\\x0d\\x0ac\\x09d"),
        ("\x1b[31mred\x00", "\\x1b[31mred\\x00"),
        ("\x7f\x85\xad", "\\x7f\\x85\\xad"),
        ("right\u202eleft\u2028\u200b\ufeff", "right\\u202eleft\\u2028\\u200b\\ufeff"),
        ("\ud800", "\\ud800"),
        ("\uffff", "\\uffff"),
        ("\U000e0001", "\\U000e0001"),
        ("  blanks around  ", "blanks around"),
        ("", ""),
        ("✅ ⚠️ 日本", "✅ ⚠️ 日本"),
    ],
)
def test_text_cannot_forge_a_line_or_hide(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_values_that_are_not_strings_are_converted() -> None:
    assert clean(ValueError("bad\nnews")) == "bad\\x0anews"
    assert clean(42) == "42"
    assert clean(None) == "None"


def test_a_text_is_cut_at_300_characters() -> None:
    assert clean("x" * 300) == "x" * 300
    assert clean("x" * 301) == "x" * 299 + "…"
    assert clean("x" * 1_000_000) == "x" * 299 + "…"
    assert clean("x" * 299 + " ") == "x" * 299


def test_escapes_count_toward_the_length() -> None:
    assert clean("\n" * 100, 12) == "\\x0a\\x0a\\x0…"
    assert clean("\n" * 3, 12) == ""
    assert clean("a\n\nb", 12) == "a\\x0a\\x0ab"


def test_the_limit_is_a_parameter() -> None:
    assert clean("abcdef", 6) == "abcdef"
    assert clean("abcdefg", 6) == "abcde…"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Numéro Déjà LIVRÉ", "numero deja livre"),
        ("Nume\u0301ro", "numero"),
        ("Straße", "strasse"),
        ("n\u00a0°", "n °"),
        ("ﬁn", "fin"),
        ("ŒUVRE Æ", "oeuvre ae"),
        ("Łódź, Ø, Đ", "lodz, o, d"),
    ],
)
def test_case_and_accents_are_dropped_for_comparing(text: str, folded: str) -> None:
    assert plain(text) == folded


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 attempts"), (1, "1 attempt"), (2, "2 attempts"), (-1, "-1 attempts")]
)
def test_counts_are_singular_or_plural(count: int, words: str) -> None:
    assert plural(count, "attempt") == words


def test_invalid_utf_8_is_not_text() -> None:
    assert is_text("é ✅")
    assert not is_text(b"CLM-\xff".decode("utf-8", "surrogateescape"))
